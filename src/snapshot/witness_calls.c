#include "snapshot/witness_int.h"

#include "sql/calls.h"

/*
 * Everything that may do more than read. Of the server's own: what is volatile, but for clocks and
 * chance. Of others': volatile functions, operators whose name no operator of the server has,
 * casts to types of theirs, and domains whose checks call such a function.
 */
#define VOLATILE_SQL                                                                              \
    "WITH f AS (SELECT p.oid, p.proname, p.pronamespace = 'pg_catalog'::pg_catalog.regnamespace " \
    "AS is_own, p.pronargs, p.proargtypes[0] AS first FROM pg_catalog.pg_proc AS p WHERE "        \
    "p.provolatile = 'v' AND p.prokind <> 'p' AND p.prorettype <> ALL "                           \
    "('{trigger,event_trigger}'::pg_catalog.regtype[]) AND (p.pronamespace <> "                   \
    "'pg_catalog'::pg_catalog.regnamespace OR p.proname <> ALL ('{random,random_normal,"          \
    "clock_timestamp,timeofday,gen_random_uuid,uuidv4,uuidv7,currval,lastval}'))) "               \
    "SELECT CASE WHEN is_own THEN 's' ELSE 'f' END, proname FROM f UNION "                        \
    "SELECT 'a', f.proname FROM f JOIN pg_catalog.pg_type AS t ON t.oid = f.first WHERE "         \
    "f.pronargs = 1 AND t.typtype = 'c' AND NOT f.is_own UNION "                                  \
    "SELECT 'o', o.oprname FROM pg_catalog.pg_operator AS o JOIN f ON f.oid = o.oprcode WHERE "   \
    "NOT f.is_own AND NOT EXISTS (SELECT FROM pg_catalog.pg_operator AS b WHERE b.oprname = "     \
    "o.oprname AND b.oprnamespace = 'pg_catalog'::pg_catalog.regnamespace) UNION "                \
    "SELECT 't', t.typname FROM pg_catalog.pg_cast AS c JOIN f ON f.oid = c.castfunc JOIN "       \
    "pg_catalog.pg_type AS t ON t.oid = c.casttarget WHERE t.typnamespace <> "                    \
    "'pg_catalog'::pg_catalog.regnamespace UNION "                                                \
    "SELECT 't', t.typname FROM f JOIN pg_catalog.pg_depend AS d ON d.refclassid = "              \
    "'pg_catalog.pg_proc'::pg_catalog.regclass AND d.refobjid = f.oid AND d.classid = "           \
    "'pg_catalog.pg_constraint'::pg_catalog.regclass JOIN pg_catalog.pg_constraint AS k ON "      \
    "k.oid = d.objid JOIN pg_catalog.pg_type AS t ON t.oid = k.contypid"

enum err_code rh_witness_read_volatile(struct sampling *sampling, struct err *err)
{
    struct rows *rows RH_CLEANUP_ROWS = NULL;
    enum err_code code = rh_sample_query(sampling, VOLATILE_SQL, NULL, 0, &rows, err);
    for (size_t i = 0; i < rh_rows_count(rows) && code == RH_OK; i++)
        *RH_PUSH(sampling->scratch, &sampling->volatiles) = (struct sample_volatile){
            .kind = rh_rows_value(rows, i, 0)[0],
            .name = rh_arena_strdup(sampling->scratch, rh_rows_value(rows, i, 1))};
    return code;
}

static bool means(const struct sql_call *call, const struct sample_volatile *it)
{
    bool is_own = call->schema && strcmp(call->schema, "pg_catalog") == 0;
    bool may_be = strcmp(call->name, it->name) == 0 || strcmp(call->name, "U&") == 0;
    switch (it->kind) {
    case 's': /* the server's; found without a schema, whatever the search_path */
        return may_be && call->has_arguments && (!call->schema || is_own);
    case 'f':
        return may_be && call->has_arguments && !is_own;
    case 'a': /* row.function */
        return may_be && call->schema && !is_own;
    default:
        return may_be && it->kind == 't';
    }
}

bool rh_witness_may_do_more(const struct sampling *sampling, const char *sql)
{
    struct sql_calls calls;
    rh_sql_calls(rh_text(sql), sampling->scratch, &calls);
    for (size_t v = 0; v < sampling->volatiles.count; v++) {
        const struct sample_volatile *it = &sampling->volatiles.items[v];
        if (it->kind == 'o' && strstr(sql, it->name))
            return true;
        for (size_t i = 0; i < calls.items.count; i++)
            if (means(&calls.items.items[i], it))
                return true;
    }
    return false;
}
