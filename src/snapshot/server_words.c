#include "snapshot/server_words.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* Classes: manual, appendix A. */
static bool is_without_values(const struct err *err)
{
    /* connection, transaction state, authorization, rollback, syntax or access rule, resources,
       object state, operator intervention, system */
    static const char *const classes[] = {"08", "25", "28", "40", "42", "53", "55", "57", "58"};
    bool is_known = false;

    for (size_t i = 0; i < sizeof(classes) / sizeof(*classes); i++)
        is_known = is_known || strncmp(err->sqlstate, classes[i], 2) == 0;
    /* Of the statement itself the server says where; relation "x" does not exist, without a place,
       is what a value cast to regclass says. insufficient_privilege names tables and functions. */
    if (strncmp(err->sqlstate, "42", 2) == 0)
        return err->position > 0 || strcmp(err->sqlstate, "42501") == 0;
    return is_known;
}

void rh_server_words_hide_values(struct err *err)
{
    if (!err->sqlstate[0])
        return;
    if (!is_without_values(err))
        snprintf(err->message, sizeof(err->message), SERVER_VALUE_FAILS " (SQLSTATE %s)",
                 err->sqlstate);
    err->detail[0] = 0;
    err->hint[0] = 0;
}
