#include "rehearsal/queries_int.h"

#include "base/quote.h"
#include "compare/write_causes.h"

#define NODES_DEEP 100

/* What each write to a table has to keep up to date or to ask, as compare/write_causes.h wants it.
   The name of the table stands in place of %s. */
#define THINGS_OF_TABLE                                                                            \
    "SELECT pg_catalog.string_agg(kind || E'\\t' || name, E'\\n' ORDER BY kind, name) FROM ("      \
    "SELECT 'index' AS kind, c.relname::pg_catalog.text AS name FROM pg_catalog.pg_index i "       \
    "JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid WHERE i.indrelid = %1$s AND i.indisready " \
    "UNION ALL SELECT 'trigger', tgname FROM pg_catalog.pg_trigger "                               \
    "WHERE tgrelid = %1$s AND NOT tgisinternal AND tgenabled <> 'D' "                              \
    "UNION ALL SELECT CASE contype WHEN 'c' THEN 'check constraint' ELSE 'foreign key' END, "      \
    "conname FROM pg_catalog.pg_constraint WHERE (contype IN ('c', 'f') AND conrelid = %1$s) "     \
    "OR (contype = 'f' AND confrelid = %1$s) "                                                     \
    "UNION ALL SELECT 'generated column', attname FROM pg_catalog.pg_attribute "                   \
    "WHERE attrelid = %1$s AND attgenerated <> '' AND NOT attisdropped) AS things"

/* The first table that the plan writes to; NULL: none is known. */
static const char *written_table(struct arena *arena, const json_t *node, int depth)
{
    const char *table = json_object_get(node, "Operation") ? rh_queries_table_of(arena, node)
                                                           : NULL;
    const json_t *child;
    size_t i;
    if (depth > NODES_DEEP)
        return NULL;
    json_array_foreach(json_object_get(node, "Plans"), i, child)
    {
        if (table)
            break;
        table = written_table(arena, child, depth + 1);
    }
    return table;
}

enum err_code rh_queries_find_cause(struct queries *queries, struct candidate_pattern *pattern,
                                    struct err *err)
{
    struct arena *arena = queries->arena;
    const json_t *explain = pattern->candidate_plan;
    const char *things[COMPARED_SIDES] = {0};
    if (json_is_array(explain))
        explain = json_array_get(explain, 0);
    const char *table = written_table(arena, json_object_get(explain, "Plan"), 0);
    if (!table)
        return RH_OK;
    const char *name = rh_arena_printf(arena, "pg_catalog.to_regclass(%s)",
                                       rh_quote_literal(arena, table));
    const char *sql = rh_arena_printf(arena, THINGS_OF_TABLE, name);
    static const enum compared_side sides[] = {SIDE_BASELINE, SIDE_CANDIDATE};
    for (size_t i = 0; i < sizeof(sides) / sizeof(sides[0]); i++) {
        struct err refused = RH_ERR_INIT;
        enum err_code code = rh_paired_ask(queries->paired, sides[i], sql, arena, &things[sides[i]],
                                           &refused);
        if (code == RH_ERR_SERVER) /* nothing is known then */
            return RH_OK;
        if (code) {
            *err = refused;
            return code;
        }
    }
    if (things[SIDE_CANDIDATE])
        pattern->query.cause = rh_write_cause(
            arena, table, rh_text(things[SIDE_BASELINE] ? things[SIDE_BASELINE] : ""),
            rh_text(things[SIDE_CANDIDATE]), &pattern->query.cause_is_indexes);
    return RH_OK;
}
