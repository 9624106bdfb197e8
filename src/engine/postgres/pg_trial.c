#include "engine/postgres/pg_engine_int.h"

/* Whoever holds a lock this long will not let go. */
#define BEGIN_TRIAL "BEGIN; SET LOCAL lock_timeout = '10s'"

static enum err_code try_all(struct connection *connection, enum engine_trial trial,
                             const char *const *statements, size_t count, struct mono deadline,
                             struct rows **ret_rows, struct err *err)
{
    enum err_code code = rh_pg_query(connection, BEGIN_TRIAL, NULL, 0, deadline, NULL, err);

    if (!code && trial == ENGINE_TRIAL_COUNTS)
        code = rh_pg_query(connection, "SET LOCAL session_replication_role = replica", NULL, 0,
                           deadline, NULL, err);
    for (size_t i = 0; !code && i < count; i++)
        code = rh_pg_query(connection, statements[i], NULL, 0, deadline,
                           i + 1 == count ? ret_rows : NULL, err);
    if (!code && trial == ENGINE_TRIAL_CHECKS)
        code = rh_pg_query(connection, "SET CONSTRAINTS ALL IMMEDIATE", NULL, 0, deadline, NULL,
                           err);
    return code;
}

enum err_code rh_pg_try_statements(struct connection *connection, enum engine_trial trial,
                                   const char *const *statements, size_t count, struct arena *arena,
                                   struct mono deadline, const char **ret_tag, struct err *err)
{
    RH_CLEANUP_ROWS struct rows *rows = NULL;
    struct err unended = RH_ERR_INIT;
    enum err_code code = try_all(connection, trial, statements, count, deadline, &rows, err);
    enum err_code ended = rh_pg_query(connection, "ROLLBACK", NULL, 0, deadline, NULL, &unended);

    if (!code && ended) {
        *err = unended;
        code = ended;
    }
    if (!code)
        *ret_tag = rh_arena_strdup(arena, rh_rows_command_tag(rows));
    return code;
}
