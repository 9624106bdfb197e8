/* What traffic on a clone needs of its server: roles that may log in, sessions in the way. */
#include "engine/postgres/pg_engine_int.h"

#include <ctype.h>

/*
 * In one implicit transaction each. A transaction that has read the table keeps ACCESS SHARE until
 * its end (manual 18, 13.3.1 Table-Level Locks); the server ends one that idles for too long.
 * VACUUM takes SHARE UPDATE EXCLUSIVE, and one that prevents wraparound is not cancelled for who
 * waits behind it (manual 18, 24.1.6 The Autovacuum Daemon): the same lock is held here for a time
 * that does not depend on the table.
 */
void rh_pg_blocker_sql(struct arena *arena, enum blocker_kind kind, const char *relation,
                       int64_t duration_us, const char **ret_first, const char **ret_then)
{
    static const char settings[] = "SET lock_timeout = 0; SET statement_timeout = 0";
    int64_t ms = duration_us / 1000 > 0 ? duration_us / 1000 : 1;

    *ret_first = settings;
    *ret_then = NULL;
    switch (kind) {
    case BLOCKER_NONE:
        break;
    case BLOCKER_IDLE_IN_TRANSACTION:
        *ret_first = rh_arena_printf(
            arena,
            "%s; SET idle_in_transaction_session_timeout = %lld; BEGIN; SELECT FROM %s LIMIT 1",
            settings, (long long)ms, relation);
        break;
    case BLOCKER_LONG_READ:
        *ret_then = rh_arena_printf(
            arena,
            "SELECT pg_catalog.pg_sleep(%lld / 1000.0), (SELECT count(*) FROM (SELECT FROM %s "
            "LIMIT 1) AS one)",
            (long long)ms, relation);
        break;
    case BLOCKER_AUTOVACUUM:
        *ret_then = rh_arena_printf(arena,
                                    "LOCK TABLE %s IN SHARE UPDATE EXCLUSIVE MODE; SELECT "
                                    "pg_catalog.pg_sleep(%lld / 1000.0)",
                                    relation, (long long)ms);
        break;
    }
}

enum err_code rh_pg_admit_roles(struct connection *connection, const char *password,
                                struct mono deadline, struct err *err)
{
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();

    for (const char *c = password; *c; c++)
        RH_ASSERT(isalnum((unsigned char)*c));
    enum err_code code = rh_pg_query(
        connection,
        rh_arena_printf(arena,
                        "DO $$ DECLARE role name; BEGIN FOR role IN SELECT rolname FROM "
                        "pg_catalog.pg_roles WHERE NOT rolsuper AND rolname !~ '^pg_' LOOP EXECUTE "
                        "pg_catalog.format('ALTER ROLE %%I LOGIN PASSWORD %%L VALID UNTIL "
                        "''infinity''', role, '%s'); END LOOP; END $$",
                        password),
        NULL, 0, deadline, NULL, err);
    return code ? rh_err_while(err, "while letting the workload's roles log in"), code : RH_OK;
}
