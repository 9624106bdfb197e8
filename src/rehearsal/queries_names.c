/* What goes by another name on the candidate: relations and indexes that the migration renamed,
   columns that the release calls otherwise, types that another server numbers otherwise. */
#include "rehearsal/queries_int.h"

#include "base/quote.h"

#include <stdlib.h>
#include <string.h>

/* --- relations -------------------------------------------------------------------------------- */

/* The number of an object stays when it is renamed: in copies of one server (by its identifier)
   the same number is the same object. */
static const char names_sql[] =
    "SELECT pg_catalog.json_build_object('system', "
    "(SELECT system_identifier::text FROM pg_catalog.pg_control_system()), 'relations', "
    "(SELECT coalesce(pg_catalog.json_object_agg(c.oid::text, pg_catalog.json_build_array("
    "c.relkind, c.relname)), '{}'::json) FROM pg_catalog.pg_class c "
    "WHERE c.oid >= 16384 AND c.relkind IN ('r', 'p', 'i', 'I', 'm', 'f') "
    "AND c.relpersistence <> 't' AND c.relnamespace <> 99))";

/* NULL: the server does not say, or has too many. */
static enum err_code ask_names(struct queries *queries, enum compared_side side, const char *sql,
                               json_t **ret_names, struct err *err)
{
    const char *value = NULL;
    struct err refused = RH_ERR_INIT;
    enum err_code code = rh_paired_ask(queries->paired, side, sql, queries->arena, &value,
                                       &refused);
    if (code && code != RH_ERR_SERVER) {
        *err = refused;
        return code;
    }
    if (!code && value)
        *ret_names = json_loads(value, 0, NULL);
    return RH_OK;
}

static const char *name_of(const json_t *relation)
{
    return json_string_value(json_array_get(relation, 1));
}

/* By name: how many relations have it. */
static json_t *count_names(const json_t *relations)
{
    json_t *counts = json_object(), *relation;
    const char *oid;
    json_object_foreach((json_t *)relations, oid, relation)
    {
        const char *name = name_of(relation);
        json_int_t before = name ? json_integer_value(json_object_get(counts, name)) : 0;
        if (name)
            (void)json_object_set_new(counts, name, json_integer(before + 1));
    }
    return counts;
}

/* Plans name relations without their schema: a name is of use where it was one relation's alone and
   is nobody's now. */
static void pair_names(struct queries *queries, const json_t *before, const json_t *after)
{
    json_t *old_names = count_names(before), *new_names = count_names(after), *relation;
    const char *oid;
    json_object_foreach((json_t *)before, oid, relation)
    {
        const json_t *now = json_object_get(after, oid);
        const char *old = name_of(relation), *new = name_of(now);
        if (!old || !new || strcmp(old, new) == 0 ||
            !json_equal(json_array_get(relation, 0), json_array_get(now, 0)) ||
            json_object_get(new_names, old) || json_object_get(old_names, new) ||
            json_integer_value(json_object_get(old_names, old)) != 1 ||
            json_integer_value(json_object_get(new_names, new)) != 1)
            continue;
        rh_renames_add(&queries->renames, queries->arena, rh_arena_strdup(queries->arena, old),
                       rh_arena_strdup(queries->arena, new));
    }
    json_decref(old_names);
    json_decref(new_names);
}

/* Databases of one server may still have been filled one by one: then no relation has the number
   that it has in the other. */
static bool are_copies(const json_t *before, const json_t *after)
{
    const json_t *system = json_object_get(before, "system");
    json_t *relations = json_object_get(before, "relations"), *relation;
    const char *oid;
    if (!json_is_string(system) || !json_equal(system, json_object_get(after, "system")))
        return false;
    json_object_foreach(relations, oid, relation)
    {
        if (json_equal(relation, json_object_get(json_object_get(after, "relations"), oid)))
            return true;
    }
    return false;
}

/* --- types ------------------------------------------------------------------------------------ */

/* By name: number. Rows of tables are nobody's column. */
static const char types_sql[] =
    "SELECT pg_catalog.json_object_agg(pg_catalog.format_type(t.oid, NULL), t.oid::text) "
    "FROM pg_catalog.pg_type t LEFT JOIN pg_catalog.pg_type e ON e.oid = t.typelem "
    "LEFT JOIN pg_catalog.pg_class c ON c.oid = CASE WHEN t.typrelid <> 0 THEN t.typrelid "
    "ELSE e.typrelid END WHERE t.oid >= 16384 AND (c.oid IS NULL OR c.relkind = 'c')";

static uint32_t oid_of(const json_t *oid)
{
    const char *text = json_string_value(oid);
    return text ? (uint32_t)strtoul(text, NULL, 10) : 0;
}

static enum err_code find_types(struct queries *queries, struct err *err)
{
    json_t *before = NULL, *after = NULL, *oid;
    const char *name;
    enum err_code code = ask_names(queries, SIDE_BASELINE, types_sql, &before, err);
    if (!code)
        code = ask_names(queries, SIDE_CANDIDATE, types_sql, &after, err);
    json_object_foreach(after, name, oid)
    {
        uint32_t old = oid_of(json_object_get(before, name)), new = oid_of(oid);
        if (old != 0 && old != new)
            *RH_PUSH(queries->arena, &queries->types) = (struct type_number){new, old};
    }
    json_decref(before);
    json_decref(after);
    return code;
}

static void align_types(const struct queries *queries, struct query_answer *after)
{
    for (size_t i = 0; i < after->columns.count; i++)
        for (size_t j = 0; j < queries->types.count; j++)
            if (after->columns.items[i].type == queries->types.items[j].candidate) {
                after->columns.items[i].type = queries->types.items[j].baseline;
                break;
            }
}

enum err_code rh_queries_find_names(struct queries *queries, struct err *err)
{
    json_t *before = NULL, *after = NULL;
    enum err_code code = ask_names(queries, SIDE_BASELINE, names_sql, &before, err);
    if (!code)
        code = ask_names(queries, SIDE_CANDIDATE, names_sql, &after, err);
    if (!code && are_copies(before, after))
        pair_names(queries, json_object_get(before, "relations"),
                   json_object_get(after, "relations"));
    else if (!code)
        code = find_types(queries, err);
    json_decref(before);
    json_decref(after);
    return code;
}

/* --- columns ---------------------------------------------------------------------------------- */

static struct answer_column *find_column(struct query_answer *answer, const char *name)
{
    for (size_t i = 0; i < answer->columns.count; i++)
        if (strcmp(answer->columns.items[i].name, name) == 0)
            return &answer->columns.items[i];
    return NULL;
}

/* What the release has renamed answers under its old name; what it asks for no more is left out. */
static void align_one(struct queries *queries, const struct transform_rule *rule,
                      struct paired_outcome outcomes[COMPARED_SIDES])
{
    struct query_answer *after = &outcomes[SIDE_CANDIDATE].answer;
    struct answer_column *column = find_column(after, rule->column);
    if (column || !find_column(&outcomes[SIDE_BASELINE].answer, rule->column))
        return;
    if (rule->kind == TRANSFORM_RENAME_COLUMN &&
        (column = find_column(after, rh_quote_read_name(queries->arena, rh_text(rule->to)))))
        column->name = rule->column;
    for (size_t side = 0; rule->kind == TRANSFORM_DROP_COLUMN && side < SIDE_CANDIDATE; side++)
        if ((column = find_column(&outcomes[side].answer, rule->column)))
            column->is_left_out = true;
}

void rh_queries_align(struct queries *queries, struct paired_outcome outcomes[COMPARED_SIDES])
{
    align_types(queries, &outcomes[SIDE_CANDIDATE].answer);
    if (!queries->options->is_new_application)
        return;
    const struct transform *transform = queries->options->survey->transform;
    for (size_t i = 0; i < transform->rules.count; i++)
        if (transform->rules.items[i].column)
            align_one(queries, &transform->rules.items[i], outcomes);
}
