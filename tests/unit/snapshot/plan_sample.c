/*
 * Plays whoever makes a snapshot, for tests/e2e/test_sample.py and the benchmark; no test itself.
 *
 *     plan_sample CONNINFO < request
 *
 * The request is JSON, {"fraction": 0.05, "shares": {"t": 0.5}, "conditions": {"t": "SQL"},
 * "max_rows": 0, "edge_max_rows": 0, "small_rows": -1, "seed": 1, "witness": "ALTER ...;",
 * "witness_budget_ms": 10000, "hold": false}; the answer is the plan as JSON. With "hold" the
 * transaction stays open until the input ends, and the answer names its exported snapshot.
 */
#include "snapshot/sample.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#define PATIENCE_US INT64_C(600000000)

static int fail(const struct err *err)
{
    json_t *answer = json_pack("{s:s, s:s, s:s, s:s}", "error", err->message, "code",
                               rh_err_code_name(err->code), "hint", err->hint, "detail",
                               err->detail);
    json_dumpf(answer, stdout, JSON_COMPACT);
    json_decref(answer);
    return 0;
}

static void read_options(json_t *request, struct arena *arena, struct sample_options *options)
{
    const char *key;
    json_t *value;
    json_t *fraction = json_object_get(request, "fraction");
    options->fraction = fraction ? json_number_value(fraction) : 1;
    json_object_foreach(json_object_get(request, "shares"), key, value)
    {
        *RH_PUSH(arena, &options->shares) = (struct sample_share){key, json_number_value(value)};
    }
    json_object_foreach(json_object_get(request, "conditions"), key, value)
    {
        *RH_PUSH(arena, &options->conditions) = (struct sample_condition){key,
                                                                          json_string_value(value)};
    }
    options->max_rows = json_integer_value(json_object_get(request, "max_rows"));
    options->edge_max_rows = json_integer_value(json_object_get(request, "edge_max_rows"));
    options->small_rows = json_integer_value(json_object_get(request, "small_rows"));
    options->seed = (uint64_t)json_integer_value(json_object_get(request, "seed"));
    options->witness_budget_us = 1000 *
                                 json_integer_value(json_object_get(request, "witness_budget_ms"));
    const char *witness = json_string_value(json_object_get(request, "witness"));
    if (witness)
        rh_sample_add_witness(options, "witness.sql", "", rh_text(witness), arena);
}

static json_t *list_of(const char *const *items, size_t count)
{
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(list, json_string(items[i]));
    return list;
}

static json_t *describe(const struct catalog *catalog, const struct sample_plan *plan)
{
    json_t *tables = json_object();
    for (size_t i = 0; i < plan->tables.count; i++) {
        const struct sample_table *table = &plan->tables.items[i];
        const struct catalog_table *known = &catalog->tables.items[table->table];
        char kind[2] = {known->kind, '\0'};
        json_object_set_new(tables, known->identity,
                            json_pack("{s:s, s:b, s:s?, s:f, s:s?, s:I, s:I, s:I}", "kind", kind,
                                      "whole", table->is_whole, "condition", table->condition_sql,
                                      "fraction", table->fraction, "reason", table->reason,
                                      "witnesses", (json_int_t)table->witnesses, "added",
                                      (json_int_t)table->added, "rows", (json_int_t)table->rows));
    }
    return json_pack("{s:o, s:o, s:o, s:o}", "tables", tables, "witnesses",
                     list_of(plan->witnesses.items, plan->witnesses.count), "not_covered",
                     list_of(plan->not_covered.items, plan->not_covered.count), "notes",
                     list_of(plan->notes.items, plan->notes.count));
}

int main(int argc, char **argv)
{
    const struct engine *engine = &rh_engine_postgres;
    struct arena *arena RH_CLEANUP_ARENA = rh_arena_new();
    struct mono start = rh_clock_mono(), deadline = rh_clock_after(start, PATIENCE_US);
    struct connection_parameters parameters = {.url = argc > 1 ? argv[1] : "",
                                               .application_name = "plan_sample"};
    struct connection *connection = NULL;
    struct rows *snapshot RH_CLEANUP_ROWS = NULL;
    struct err err = RH_ERR_INIT;
    struct catalog catalog = {0};
    struct sample_options options = {0};
    struct sample_plan plan = {0};
    json_t *request = json_loadf(stdin, JSON_DISABLE_EOF_CHECK, NULL);
    json_t *answer = NULL;
    read_options(request, arena, &options);
    enum err_code code = engine->connect(&parameters, deadline, &connection, &err);
    if (!code)
        code = engine->query(connection,
                             "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SELECT "
                             "pg_catalog.pg_export_snapshot()",
                             NULL, 0, deadline, &snapshot, &err);
    if (!code)
        code = engine->read_catalog(connection, arena, deadline, &catalog, &err);
    struct mono planning = rh_clock_mono();
    if (!code)
        code = rh_sample_plan(engine, connection, &catalog, &options, deadline, arena, &plan, &err);
    if (!code) {
        answer = describe(&catalog, &plan);
        json_object_set_new(answer, "snapshot", json_string(rh_rows_value(snapshot, 0, 0)));
        json_object_set_new(answer, "planning_us", json_integer(rh_clock_mono().us - planning.us));
        json_dumpf(answer, stdout, JSON_COMPACT);
        printf("\n");
        fflush(stdout);
    }
    while (!code && json_is_true(json_object_get(request, "hold")) && getchar() != EOF)
        ;
    engine->close(connection);
    json_decref(answer);
    json_decref(request);
    return code ? fail(&err) : 0;
}
