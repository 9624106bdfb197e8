#include "model/repetition.h"

#include <string.h>

#define NAMES(function, type, value, list) \
    const char *function(type value)       \
    {                                      \
        switch (value) {                   \
            list(CASE)                     \
        }                                  \
        return "unknown";                  \
    }
#define CASE(symbol, name) \
    case symbol:           \
        return name;

NAMES(rh_rerun_kind_name, enum rerun_kind, kind, RERUN_KIND_LIST)
NAMES(rh_cut_how_name, enum cut_how, how, CUT_HOW_LIST)
NAMES(rh_cut_outcome_name, enum cut_outcome, outcome, CUT_OUTCOME_LIST)

bool rh_tag_is_read_only(const char *tag)
{
    static const char *const tags[] = {
        "BEGIN",        "START TRANSACTION",
        "COMMIT",       "END",
        "ROLLBACK",     "ABORT",
        "SAVEPOINT",    "RELEASE",
        "SET",          "RESET",
        "SHOW",         "DISCARD ALL",
        "DEALLOCATE",   "PREPARE",
        "LISTEN",       "UNLISTEN",
        "NOTIFY",       "EXPLAIN",
        "FETCH",        "MOVE",
        "CLOSE CURSOR", "DECLARE CURSOR",
        "LOCK TABLE",   "CHECKPOINT",
        "LOAD",         "VACUUM",
        "ANALYZE",      "SET CONSTRAINTS",
    };
    for (size_t i = 0; tag && i < sizeof(tags) / sizeof(tags[0]); i++)
        if (strcmp(tag, tags[i]) == 0)
            return true;
    return !tag || !tag[0];
}
