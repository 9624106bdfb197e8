#include "model/trace.h"

#include <string.h>

const char *rh_observation_name(enum observation observation)
{
    switch (observation) {
#define X(symbol, name) \
    case symbol:        \
        return name;
        OBSERVATION_LIST(X)
#undef X
    }
    return "unknown";
}

bool rh_tag_can_block(const char *tag)
{
    static const char *const harmless[] = {" ROLE",   " DATABASE", " TABLESPACE",
                                           " SYSTEM", " USER",     " GROUP"};
    static const char *const first_words[] = {"CREATE ", "ALTER ", "DROP ",   "TRUNCATE", "REINDEX",
                                              "CLUSTER", "VACUUM", "REFRESH", "LOCK",     "DO",
                                              "CALL",    "IMPORT", "REASSIGN"};
    if (!tag)
        return false;
    for (size_t i = 0; i < sizeof(harmless) / sizeof(harmless[0]); i++)
        if (strstr(tag, harmless[i]))
            return false;
    for (size_t i = 0; i < sizeof(first_words) / sizeof(first_words[0]); i++)
        if (strncmp(tag, first_words[i], strlen(first_words[i])) == 0)
            return true;
    return false;
}

const char *rh_bare_name(const char *identity)
{
    bool is_quoted = false;
    const char *name = identity;
    for (const char *c = identity; *c; c++) {
        if (*c == '"')
            is_quoted = !is_quoted;
        else if (*c == '.' && !is_quoted)
            name = c + 1;
    }
    return name;
}
