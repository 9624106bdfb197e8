#include "base/quote.h"
#include "engine/postgres/pg_engine_int.h"
#include "engine/postgres/pg_sql_int.h"

#include "engine/postgres/pg_sql.inc.h"

const char *rh_pg_query_text(enum engine_query query, int server_version)
{
    const struct pg_sql *variants = NULL;

    switch (query) {
    case ENGINE_QUERY_RELATIONS:
        variants = PG_SQL_RELATIONS;
        break;
    case ENGINE_QUERY_RELATIONS_CHANGED:
        variants = PG_SQL_RELATIONS_CHANGED;
        break;
    case ENGINE_QUERY_BOUNDARY:
        variants = PG_SQL_BOUNDARY;
        break;
    case ENGINE_QUERY_POSITION:
        variants = PG_SQL_POSITION;
        break;
    case ENGINE_QUERY_SAMPLE:
        variants = PG_SQL_SAMPLE;
        break;
    case ENGINE_QUERY_DATABASE_SIZE:
        variants = PG_SQL_DATABASE_SIZE;
        break;
    case ENGINE_QUERY_TARGET:
        variants = PG_SQL_TARGET;
        break;
    case ENGINE_QUERY_OWN_BOUNDARY:
        variants = PG_SQL_OWN_BOUNDARY;
        break;
    case ENGINE_QUERY_LEFTOVERS:
        variants = PG_SQL_LEFTOVERS;
        break;
    case ENGINE_QUERY_UNIQUE_KEYS:
        variants = PG_SQL_UNIQUE_KEYS;
        break;
    case ENGINE_QUERY_EVIDENCE_INTACT:
        variants = PG_SQL_EVIDENCE_INTACT;
        break;
    case ENGINE_QUERY_SESSION_LOCKS:
        variants = PG_SQL_SESSION_LOCKS;
        break;
    case ENGINE_QUERY_SOURCE_TEXTS:
        variants = PG_SQL_SOURCE_TEXTS;
        break;
    case ENGINE_QUERY_SOURCE_LOCKS:
        variants = PG_SQL_SOURCE_LOCKS;
        break;
    case ENGINE_QUERY_SOURCE_CHANGED:
        variants = PG_SQL_SOURCE_CHANGED;
        break;
    case ENGINE_QUERY_OWN_TYPES:
        variants = PG_SQL_OWN_TYPES;
        break;
    case ENGINE_QUERY_OWN_FUNCTIONS:
        variants = PG_SQL_OWN_FUNCTIONS;
        break;
    case ENGINE_QUERY_OWN_KEYS:
        variants = PG_SQL_OWN_KEYS;
        break;
    case ENGINE_QUERY_LOGIN_ROLES:
        variants = PG_SQL_LOGIN_ROLES;
        break;
    case ENGINE_QUERY_SESSION_ROOM:
        variants = PG_SQL_SESSION_ROOM;
        break;
    case ENGINE_QUERY_LOCK_WAITERS:
        variants = PG_SQL_LOCK_WAITERS;
        break;
    case ENGINE_QUERY_STATEMENT_FACTS:
        variants = PG_SQL_STATEMENT_FACTS;
        break;
    case ENGINE_QUERY_COUNT:
        break;
    }
    RH_ASSERT(variants != NULL);
    return rh_pg_sql_for(variants, server_version / 10000);
}

/*
 * Probes take one lock in a transaction of their own and hold nothing while they wait, so that they
 * cannot take part in a deadlock. That rules out SELECT ... LIMIT 1: planning locks the table and
 * then each of its indexes, and a session that rebuilt an index (ACCESS EXCLUSIVE on it, SHARE on
 * the table) and then alters the table would deadlock with the canary (seen on 15). It would also
 * take reading past many dead rows for a wait. LOCK TABLE holds no snapshot either, so that CREATE
 * INDEX CONCURRENTLY does not wait for a waiting canary.
 *
 * A writer's lock is ROW EXCLUSIVE (manual 18, 13.3.1 Table-Level Locks). Not UPDATE ... WHERE
 * false: that fires statement-level triggers and locks the indexes too.
 *
 * Two statements in one string are one implicit transaction, which LOCK TABLE needs; after an error
 * nothing is left open. The second has no work.
 */
char *rh_pg_probe_read_sql(struct arena *arena, const char *relation)
{
    return rh_arena_printf(arena, "LOCK TABLE ONLY %s IN ACCESS SHARE MODE; SELECT", relation);
}

char *rh_pg_probe_write_sql(struct arena *arena, const char *relation)
{
    return rh_arena_printf(arena, "LOCK TABLE ONLY %s IN ROW EXCLUSIVE MODE; SELECT", relation);
}

/*
 * LOCK TABLE takes neither indexes nor materialized views, and locks what lies below a view as
 * well. pg_relation_size() opens the relation as a reader does (ACCESS SHARE) and looks at its
 * file.
 */
char *rh_pg_probe_object_sql(struct arena *arena, const char *relation)
{
    return rh_arena_printf(arena, "SELECT pg_catalog.pg_relation_size(%s::pg_catalog.regclass)",
                           rh_quote_literal(arena, relation));
}

void rh_pg_add_element(struct buf *array, const char *text)
{
    rh_buf_add_str(array, array->len > 1 ? ",\"" : "\"");
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            rh_buf_add_char(array, '\\');
        rh_buf_add_char(array, *text);
    }
    rh_buf_add_char(array, '"');
}

char *rh_pg_any_row_sql(struct arena *arena, const char *relation)
{
    return rh_arena_printf(arena, "SELECT FROM %s LIMIT 1", relation);
}

char *rh_pg_cancel_sql(struct arena *arena, int64_t backend_pid)
{
    return rh_arena_printf(arena, "SELECT pg_catalog.pg_cancel_backend(%lld)",
                           (long long)backend_pid);
}
