#include "engine/postgres/pg_engine_int.h"

static enum err_code run(struct connection *connection, const char *sql, struct mono deadline,
                         struct err *err)
{
    return rh_pg_query(connection, sql, NULL, 0, deadline, NULL, err);
}

/* Which rows stay is settled for all tables before the first loses one: the conditions look at each
   other's tables. */
static enum err_code mark(struct connection *connection, const struct kept_rows *tables,
                          size_t count, struct arena *arena, struct mono deadline, struct err *err)
{
    for (size_t i = 0; i < count; i++)
        if (run(connection,
                rh_arena_printf(arena,
                                "CREATE TEMPORARY TABLE rehearse_gone_%zu AS SELECT ctid AS place "
                                "FROM ONLY %s WHERE (%s) IS NOT TRUE",
                                i, tables[i].table, tables[i].condition),
                deadline, err)) {
            rh_err_while(err, "while choosing the rows of %s", tables[i].table);
            return err->code;
        }
    return RH_OK;
}

enum err_code rh_pg_keep_rows(struct connection *connection, const struct kept_rows *tables,
                              size_t count, struct arena *arena, struct mono deadline,
                              struct err *err)
{
    enum err_code code = mark(connection, tables, count, arena, deadline, err);

    if (!code)
        code = run(connection, "SET session_replication_role = replica", deadline, err);
    for (size_t i = 0; !code && i < count; i++) {
        code = run(connection,
                   rh_arena_printf(arena,
                                   "DELETE FROM ONLY %s WHERE ctid IN (SELECT place FROM "
                                   "rehearse_gone_%zu)",
                                   tables[i].table, i),
                   deadline, err);
        if (!code)
            code = run(connection,
                       rh_arena_printf(arena, "VACUUM (FULL, ANALYZE) %s", tables[i].table),
                       deadline, err);
        if (code)
            rh_err_while(err, "while taking rows from %s", tables[i].table);
    }
    return code;
}
