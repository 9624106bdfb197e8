/* Names, statuses, and result.json against docs/result.schema.json. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "model/result.h"

#include <stdio.h>
#include <string.h>

#define MS INT64_C(1000)
#define COUNT(array) (sizeof(array) / sizeof(*(array)))

static const char *schema_path;

static void test_result_says_a_note_once(void **state)
{
    (void)state;
    struct arena *arena = rh_arena_new();
    struct result result = {.arena = arena};
    char sentence[] = "role app was missing";
    rh_result_note(&result, sentence);
    rh_result_note(&result, "another");
    rh_result_note(&result, "role app was missing");
    sentence[0] = 'x'; /* the note is a copy */
    assert_int_equal(result.fidelity.notes.count, 2);
    assert_string_equal(result.fidelity.notes.items[0], "role app was missing");
    assert_string_equal(result.fidelity.notes.items[1], "another");
    rh_arena_free(arena);
}

static void test_result_names_and_statuses(void **state)
{
    (void)state;
    assert_string_equal(rh_verdict_name(VERDICT_SAFE), "safe");
    assert_string_equal(rh_verdict_name(VERDICT_UNSAFE), "unsafe");
    assert_string_equal(rh_verdict_name(VERDICT_INCONCLUSIVE), "inconclusive");
    assert_int_equal(rh_verdict_exit_status(VERDICT_SAFE), 0);
    assert_int_equal(rh_verdict_exit_status(VERDICT_UNSAFE), 5);
    assert_int_equal(rh_verdict_exit_status(VERDICT_INCONCLUSIVE), 3);
    static const char *const names[] = {"info", "warning", "error"};
    for (size_t i = 0; i < COUNT(names); i++) {
        enum severity severity = (enum severity)99;
        assert_true(rh_severity_find(names[i], &severity));
        assert_string_equal(rh_severity_name(severity), names[i]);
        assert_int_equal(severity, i); /* mildest first: they are compared */
    }
    enum severity untouched = SEVERITY_WARNING;
    assert_false(rh_severity_find("fatal", &untouched));
    assert_int_equal(untouched, SEVERITY_WARNING);
    struct limits limits = rh_limits_default();
    assert_int_equal(limits.blocked_us, 2000000);
    assert_int_equal(limits.fail_on, SEVERITY_ERROR);
    assert_true(limits.duration_us < 0 && limits.wal_bytes < 0 && limits.disk_bytes < 0 &&
                limits.lag_us < 0 && limits.replica_apply_bytes_per_s < 0);
}

static void test_result_json_values(void **state)
{
    (void)state;
    static const struct {
        const char *text, *json;
    } texts[] = {
        {"plain", "\"plain\""},
        {"caf\xc3\xa9", "\"caf\xc3\xa9\""},
        {"a\xff"
         "b",
         "\"a\xef\xbf\xbd"
         "b\""},
        {"\xc3", "\"\xef\xbf\xbd\""},                                 /* cut short */
        {"\xc0\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\""},                 /* overlong */
        {"\xed\xa0\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""}, /* surrogate */
        {"\xf4\x90\x80\x80",
         "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""}, /* > U+10FFFF */
        {"", "\"\""},
        {NULL, "null"},
    };
    for (size_t i = 0; i < COUNT(texts); i++) {
        json_t *value = rh_json_text(texts[i].text);
        char *dumped = json_dumps(value, JSON_ENCODE_ANY);
        assert_string_equal(dumped, texts[i].json);
        free(dumped);
        json_decref(value);
    }
    static const struct {
        int64_t us;
        const char *json;
    } times[] = {{0, "0.0"},   {1, "0.001"},           {12345, "12.345"}, {902000 * MS, "902000.0"},
                 {-1, "null"}, {33300003, "33300.003"}};
    for (size_t i = 0; i < COUNT(times); i++) {
        json_t *value = rh_json_ms(times[i].us);
        char *dumped = json_dumps(value, JSON_ENCODE_ANY | RESULT_JSON_LINE_FLAGS);
        assert_string_equal(dumped, times[i].json);
        free(dumped);
        json_decref(value);
    }
    json_t *none = rh_json_count(NOT_OBSERVED);
    assert_true(json_is_null(none)); /* never 0 */
    json_decref(none);
}

/* --- a result with something in every place --- */

static void fill_statement(struct statement *statement, struct arena *arena)
{
    *statement = (struct statement){.index = 1,
                                    .line = 7,
                                    .column = 1,
                                    .sql = "ALTER TABLE users \xff",
                                    .sql_bytes = 18,
                                    .tag = "ALTER TABLE",
                                    .finished = true,
                                    .in_transaction = true,
                                    .start_us = 1500,
                                    .duration_us = 12345,
                                    .rows = NOT_OBSERVED,
                                    .wal_bytes = 4096,
                                    .temp_bytes = NOT_OBSERVED,
                                    .disk_growth_bytes = -8192,
                                    .lock_timeout_ms = 0,
                                    .statement_timeout_ms = NOT_OBSERVED,
                                    .observation = OBSERVED_SAMPLED};
    statement->error = RH_NEW(arena, struct server_message);
    *statement->error = (struct server_message){.severity = "ERROR",
                                                .sqlstate = "23505",
                                                .message = "could not create unique index",
                                                .schema = "public",
                                                .table = "users",
                                                .constraint = "users_email_key"};
    *RH_PUSH(arena, &statement->notices) = (struct server_message){
        .severity = "NOTICE", .sqlstate = "00000", .message = "hello"};
    statement->notice_count = 1;
    *RH_PUSH(arena, &statement->altered) = (struct altered_object){"table", "public.users"};
    *RH_PUSH(arena, &statement->locks) = (struct lock){.relation = "public.users",
                                                       .kind = "table",
                                                       .table = "public.users",
                                                       .mode = "AccessExclusiveLock",
                                                       .acquired_us = 1600,
                                                       .held_us = 12000,
                                                       .preexisting = true,
                                                       .blocks_reads = true,
                                                       .blocks_writes = true,
                                                       .observation = OBSERVED_EXACT};
    *RH_PUSH(arena, &statement->locks) = (struct lock){.relation = "public.never",
                                                       .kind = "table",
                                                       .table = "public.never",
                                                       .mode = "ShareLock",
                                                       .acquired_us = -1,
                                                       .waited_us = 2000 * MS,
                                                       .waited_for = "session 12"};
    *RH_PUSH(arena, &statement->rewrites) = (struct rewrite){.relation = "public.users",
                                                             .kind = "table",
                                                             .reason = "column type",
                                                             .bytes = NOT_OBSERVED};
    *RH_PUSH(arena, &statement->scans) = (struct scan){.relation = "public.users", .rows = 200000};
    *RH_PUSH(arena, &statement->dropped) = (struct dropped_object){
        .type = "table column", .identity = "public.users.x", .rows = NOT_OBSERVED};
    *RH_PUSH(arena, &statement->indexes) = (struct index_work){.index = "public.i",
                                                               .table = "public.users"};
}

static void fill_round_trip(struct round_trip *trip, struct arena *arena)
{
    static const int statement = 1;
    struct round_trip_failure *failure = RH_NEW(arena, struct round_trip_failure);
    *failure = (struct round_trip_failure){
        .step = "down.sql", .line = 3, .sqlstate = "23502", .message = "no", .exit_status = -1};
    trip->verdict = ROUND_TRIP_FAILS_AFTER_WRITES;
    trip->way_back = "down.sql";
    *RH_PUSH(arena, &trip->steps) = "down.sql";
    trip->at_once.ran = trip->after_writes.ran = true;
    trip->after_writes.failure = failure;
    struct table_writes *table = RH_PUSH(arena, &trip->writes.tables);
    table->table = "public.users";
    *RH_PUSH(arena, &table->rows) = (struct written_row){.freedom = {.kind = FREEDOM_NULL},
                                                         .is_written = true};
    *RH_PUSH(arena, &trip->differences) = (struct round_trip_difference){
        .sentence = "lost", .is_loss = true, .count = 3, .dropped_by = 1};
    *RH_PUSH(arena, &trip->notes) = "a ledger";
    trip->plan.is_made = true;
    *RH_PUSH(arena, &trip->plan.items) = (struct plan_item){PLAN_COMMAND, "DROP INDEX i", "i",
                                                            &statement};
    trip->restore_test.was_asked = trip->restore_test.ran = true;
    *RH_PUSH(arena, &trip->restore_test.differences) = (struct round_trip_difference){
        .sentence = "lost", .count = NOT_OBSERVED};
}

static struct result *filled_result(struct arena *arena)
{
    struct result *result = RH_NEW(arena, struct result);
    struct trace *trace = RH_NEW(arena, struct trace);
    *RH_PUSH(arena, &trace->steps) = (struct step){
        .name = "0042_x.sql", .path = "db/0042_x.sql", .reached = true, .exit_status = -1};
    memset(trace->steps.items[0].sha256, 'a', 64);
    *RH_PUSH(arena, &trace->steps) = (struct step){.name = "0043_y.sql", .exit_status = -1};
    struct statement *statement = RH_PUSH(arena, &trace->statements);
    fill_statement(statement, arena);
    struct statement *child = RH_PUSH(arena, &statement->children);
    fill_statement(child, arena);
    child->index = 0;
    child->step = -1;
    *RH_PUSH(arena, &trace->sessions) = (struct session){
        .backend_pid = 4711, .application_name = "psql", .ended_us = -1};
    *RH_PUSH(arena, &trace->transactions) = (struct transaction){
        .end_us = -1, .opened_by = "BEGIN", .opened_by_statement = 1};
    *RH_PUSH(arena, &trace->probes) = (struct probe){.relation = "public.users",
                                                     .attempts = 3,
                                                     .waits = 1,
                                                     .longest_wait_us = 12000,
                                                     .statement = 1};
    *RH_PUSH(arena, &trace->relations) = (struct relation_facts){
        .name = "public.users", .kind = "table", .rows = NOT_OBSERVED, .bytes = 8192};
    *RH_PUSH(arena, &trace->leftovers) = (struct leftover){
        .kind = "invalid index", .identity = "public.i", .table = "public.users"};
    *RH_PUSH(arena, &trace->not_observed) = "one thing";
    *RH_PUSH(arena, &trace->log_tail) = "LOG:  done";
    trace->wal_bytes = trace->peak_disk_bytes = trace->temp_bytes = NOT_OBSERVED;
    trace->disk_growth_bytes = NOT_OBSERVED;
    result->arena = arena;
    result->trace = trace;
    result->rehearse_version = "0.1.0";
    result->verdict = VERDICT_UNSAFE;
    result->exit_code = 5;
    result->headline = "would fail";
    result->started_at = (struct wall){1795219200000000};
    result->duration_us = 20000;
    result->fidelity = (struct fidelity){
        .server_version = "15.18", .snapshot_age_s = -1, .sample_fraction = 1.0};
    *RH_PUSH(arena, &result->fidelity.notes) = "A note.";
    struct likeness *likeness = &result->fidelity.likeness;
    likeness->has_manifest = true;
    likeness->production_version = "16.2";
    likeness->production_rows = -1;
    *RH_PUSH(arena, &likeness->sampled) = (struct sampled_table){
        .relation = "public.users", .rows = 12, .production_rows = 1200, .fraction = 0.01};
    *RH_PUSH(arena, &likeness->certificates) = (struct manifest_certificate){
        .name = "leak", .status = "not-observed"};
    likeness->cover = WITNESS_PARTLY;
    *RH_PUSH(arena, &likeness->not_covered) = "Too expensive.";
    *RH_PUSH(arena, &likeness->settings_not_kept) = "fsync = off (server): no";
    *RH_PUSH(arena, &likeness->weakened) = "Order.";
    result->limits = rh_limits_default();
    *RH_PUSH(arena,
             &result->findings) = (struct finding){.rule = "statement-error",
                                                   .severity = SEVERITY_ERROR,
                                                   .title = "23505",
                                                   .step = "0042_x.sql",
                                                   .line = 7,
                                                   .statement = 1,
                                                   .evidence = json_pack("{s:i}", "rows", 81)};
    *RH_PUSH(arena, &result->findings) = (struct finding){.rule = "not-observed",
                                                          .title = "of the run"};
    *RH_PUSH(arena, &result->gates) = (struct gate){
        .name = "blocked", .limit = "2s", .measured = "12 ms", .ok = true, .observed = true};
    *RH_PUSH(arena, &result->gates) = (struct gate){.name = "lag", .limit = "10s"};
    result->schema_differences.was_compared = result->data_differences.was_compared = true;
    struct schema_difference *schema = RH_PUSH(arena, &result->schema_differences.list);
    *schema = (struct schema_difference){.change = DIFFERENCE_CHANGED,
                                         .kind = "table column",
                                         .identity = "public.users.age",
                                         .parent = "public.users",
                                         .sentence = "column public.users.age: type changed",
                                         .explanation = EXPLAINED_NAMED,
                                         .statement = 1};
    *RH_PUSH(arena, &schema->attributes) = (struct attribute_change){"type", "integer", NULL};
    *RH_PUSH(arena, &result->data_differences.list) = (struct data_difference){
        .subject = DATA_COLUMN,
        .change = DIFFERENCE_CHANGED,
        .table = "public.users",
        .column = "email",
        .rows_before = 10,
        .rows_after = 10,
        .non_null_before = 10,
        .non_null_after = 9,
        .values = VALUES_CHANGED,
        .changed_values = NOT_OBSERVED,
        .vanished_values = 1,
        .sentence = "public.users.email: 1 became NULL"};
    result->blockers.looked = true;
    struct blocker *blocker = RH_PUSH(arena, &result->blockers.items);
    *blocker = (struct blocker){.line = 7,
                                .sql = "CREATE UNIQUE INDEX i ON users (email)",
                                .tag = "CREATE INDEX",
                                .error = {.sqlstate = "23505", .message = "no"},
                                .repair_tried = true,
                                .repair_worked = true,
                                .needs = -1};
    struct offenders *offenders = RH_PUSH(arena, &blocker->offenders);
    *offenders = (struct offenders){.offence = OFFENCE_DUPLICATE_KEYS,
                                    .relation = "public.users",
                                    .groups = 37,
                                    .rows = 81,
                                    .repair_sql = "DELETE"};
    *RH_PUSH(arena, &offenders->sample_keys) = "id=42";
    *RH_PUSH(arena, &blocker->unasked) = "the other clause";
    blocker->inside = "ALTER TABLE inside";
    *RH_PUSH(arena, &result->blockers.items) = (struct blocker){
        .step = -1, .sql = "DROP INDEX i", .not_asked = "it needs another", .needs = 0};
    result->repetition.was_wanted = true;
    result->repetition.rerun.run = (struct repeated_run){.was_run = true, .ok = true};
    struct cut *cut = RH_PUSH(arena, &result->repetition.cuts);
    *cut = (struct cut){.after = 1, .outcome = CUT_DIFFERS, .again = {.was_run = true, .ok = true}};
    cut->again.difference.was_compared = true;
    *RH_PUSH(arena, &cut->again.difference.sentences) = "index public.i is missing";
    struct risks *risks = &result->risks;
    risks->was_asked = risks->has_activity = true;
    *RH_PUSH(arena, &risks->activity) = (struct activity_risk){.table = "public.users",
                                                               .updated = 7};
    *RH_PUSH(arena, &risks->statistics) = (struct statistics_risk){
        .table = "public.users", .name = "age", .rows = 10};
    *RH_PUSH(arena, &risks->headroom) = (struct headroom_risk){.table = "public.users",
                                                               .column = "id",
                                                               .type = "integer",
                                                               .role = "primary key",
                                                               .used = 10,
                                                               .limit = 2147483647};
    *RH_PUSH(arena, &risks->sequences) = (struct sequence_risk){
        .sequence = "public.s", .table = "public.users", .column = "id", .next = 1, .highest = 10};
    *RH_PUSH(arena, &risks->casts) = (struct cast_risk){.table = "public.users",
                                                        .column = "age",
                                                        .type_before = "integer",
                                                        .type_after = "smallint",
                                                        .values = NOT_OBSERVED,
                                                        .changed = NOT_OBSERVED,
                                                        .not_asked = "it took too long"};
    struct skipped_risk *skipped = RH_PUSH(arena, &risks->skipped);
    *skipped = (struct skipped_risk){.skip = SKIPPED_EXISTS, .statement = 1, .kind = "index"};
    *RH_PUSH(arena, &skipped->differences) = "it is invalid";
    *RH_PUSH(arena, &risks->nulls) = (struct null_risk){.statement = 1,
                                                        .table = "public.users",
                                                        .column = "name",
                                                        .updated = 9,
                                                        .filled = 8,
                                                        .rows = 1};
    *RH_PUSH(arena, &risks->not_asked) = "keys and sequences: too late";
    fill_round_trip(&result->round_trip, arena);
    return result;
}

static json_t *at(json_t *value, const char *path)
{
    char copy[200];
    snprintf(copy, sizeof(copy), "%s", path);
    for (char *part = copy, *next; part && value; part = next) {
        next = strchr(part, '.');
        if (next)
            *next++ = '\0';
        value = part[0] >= '0' && part[0] <= '9' ? json_array_get(value, (size_t)(part[0] - '0'))
                                                 : json_object_get(value, part);
    }
    if (!value)
        fail_msg("no %s", path);
    return value;
}

/* The names others rely on (docs/result.schema.json) and what stands there. */
static void test_result_json_shape(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct result *result = filled_result(arena);
    json_t *json = rh_result_to_json(result);
    static const struct {
        const char *path, *value;
    } cases[] = {
        {"format_version", "\"1.0\""},
        {"blockers_incomplete", "null"},
        {"blockers.0.step", "\"0042_x.sql\""},
        {"blockers.0.offenders.0.rule", "\"duplicate-keys\""},
        {"blockers.0.offenders.0.groups", "37"},
        {"blockers.0.offenders.0.sample_keys.0", "\"id=42\""},
        {"blockers.0.unasked.0", "\"the other clause\""},
        {"blockers.0.inside", "\"ALTER TABLE inside\""},
        {"blockers.0.needs", "null"},
        {"blockers.1.step", "null"},
        {"blockers.1.needs", "1"},
        {"verdict", "\"unsafe\""},
        {"exit_code", "5"},
        {"started_at", "\"2026-11-21T00:00:00.000Z\""},
        {"duration_ms", "20.0"},
        {"fidelity.snapshot_age_s", "null"},
        {"fidelity.sample_fraction", "1.0"},
        {"fidelity.masked_columns", "0"},
        {"fidelity.notes.0", "\"A note.\""},
        {"steps.0.name", "\"0042_x.sql\""},
        {"steps.0.ok", "false"},
        {"steps.0.duration_ms", "0.0"},
        {"steps.1.duration_ms", "null"},
        {"steps.1.sha256", "null"},
        {"statements.0.index", "1"},
        {"statements.0.step", "\"0042_x.sql\""},
        {"statements.0.line", "7"},
        {"statements.0.sql", "\"ALTER TABLE users \xef\xbf\xbd\""},
        {"statements.0.tag", "\"ALTER TABLE\""},
        {"statements.0.start_ms", "1.5"},
        {"statements.0.duration_ms", "12.345"},
        {"statements.0.rows", "null"},
        {"statements.0.wal_bytes", "4096"},
        {"statements.0.disk_growth_bytes", "-8192"},
        {"statements.0.lock_timeout_ms", "0"},
        {"statements.0.statement_timeout_ms", "null"},
        {"statements.0.in_transaction", "true"},
        {"statements.0.error.sqlstate", "\"23505\""},
        {"statements.0.error.table", "\"users\""},
        {"statements.0.error.column", "null"},
        {"statements.0.error.constraint", "\"users_email_key\""},
        {"statements.0.locks.0.mode", "\"AccessExclusiveLock\""},
        {"statements.0.locks.0.held_ms", "12.0"},
        {"statements.0.locks.0.waited_ms", "0.0"},
        {"statements.0.locks.0.preexisting", "true"},
        {"statements.0.locks.1.acquired_ms", "null"},
        {"statements.0.locks.1.held_ms", "null"},
        {"statements.0.locks.1.waited_ms", "2000.0"},
        {"statements.0.rewrites.0.reason", "\"column type\""},
        {"statements.0.rewrites.0.bytes", "null"},
        {"statements.0.scans.0.rows", "200000"},
        {"statements.0.dropped.0.type", "\"table column\""},
        {"statements.0.dropped.0.named", "false"},
        {"statements.0.children.0.index", "null"},
        {"statements.0.children.0.step", "null"},
        {"statements.0.children.0.children", "[]"},
        {"findings.0.rule", "\"statement-error\""},
        {"findings.0.severity", "\"error\""},
        {"findings.0.evidence.rows", "81"},
        {"findings.0.advice_tried", "false"},
        {"findings.1.line", "null"},
        {"findings.1.statement", "null"},
        {"findings.1.evidence", "{}"},
        {"gates.0.measured", "\"12 ms\""},
        {"gates.1.measured", "null"},
        {"gates.1.observed", "false"},
        {"limits.blocked_ms", "2000.0"},
        {"limits.duration_ms", "null"},
        {"run.wal_bytes", "null"},
        {"run.disk_growth_bytes", "null"},
        {"transactions.0.end_ms", "null"},
        {"probes.0.longest_wait_ms", "12.0"},
        {"relations.0.rows", "null"},
        {"not_observed.0", "\"one thing\""},
        {"risks.activity.0.updated", "7"},
        {"risks.headroom.0.used", "10"},
        {"risks.casts.0.values", "null"},
        {"risks.casts.0.test", "null"},
        {"risks.casts.0.near", "null"},
        {"risks.skipped.0.skip", "\"exists\""},
        {"risks.skipped.0.differences.0", "\"it is invalid\""},
        {"risks.not_asked.0", "\"keys and sequences: too late\""},
        {"checks", "null"},
        {"workload", "null"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char *dumped = json_dumps(at(json, cases[i].path),
                                  JSON_ENCODE_ANY | RESULT_JSON_LINE_FLAGS);
        if (strcmp(dumped, cases[i].value) != 0)
            fail_msg("%s is %s, expected %s", cases[i].path, dumped, cases[i].value);
        free(dumped);
    }
    json_decref(json);
    rh_result_deinit(result);
}

/* --- the schema --- */

static bool type_fits(const json_t *value, const char *type)
{
    return (strcmp(type, "object") == 0 && json_is_object(value)) ||
           (strcmp(type, "array") == 0 && json_is_array(value)) ||
           (strcmp(type, "string") == 0 && json_is_string(value)) ||
           (strcmp(type, "integer") == 0 && json_is_integer(value)) ||
           (strcmp(type, "number") == 0 && json_is_number(value)) ||
           (strcmp(type, "boolean") == 0 && json_is_boolean(value)) ||
           (strcmp(type, "null") == 0 && json_is_null(value));
}

static const json_t *resolve(const json_t *root, const json_t *schema)
{
    const char *ref = json_string_value(json_object_get(schema, "$ref"));
    if (!ref)
        return schema;
    assert_true(strncmp(ref, "#/$defs/", 8) == 0);
    const json_t *target = json_object_get(json_object_get(root, "$defs"), ref + 8);
    if (!target)
        fail_msg("no %s", ref);
    return target;
}

/* The part of JSON Schema that docs/result.schema.json uses: type, required, properties,
   additionalProperties, items, enum, $ref. The end-to-end tests validate with a whole validator. */
static void validate(const json_t *root, const json_t *schema, json_t *value, const char *path)
{
    schema = resolve(root, schema);
    const json_t *type = json_object_get(schema, "type");
    bool fits = !type || (json_is_string(type) && type_fits(value, json_string_value(type)));
    for (size_t i = 0; i < json_array_size(type); i++)
        fits = fits || type_fits(value, json_string_value(json_array_get(type, i)));
    if (!fits)
        fail_msg("%s has the wrong type", path);
    const json_t *allowed = json_object_get(schema, "enum");
    bool is_allowed = !allowed;
    for (size_t i = 0; i < json_array_size(allowed); i++)
        is_allowed = is_allowed || json_equal(json_array_get(allowed, i), value);
    if (!is_allowed)
        fail_msg("%s is none of the allowed values", path);

    char inner[512];
    if (json_is_object(value)) {
        const json_t *required = json_object_get(schema, "required");
        for (size_t i = 0; i < json_array_size(required); i++)
            if (!json_object_get(value, json_string_value(json_array_get(required, i))))
                fail_msg("%s lacks %s", path, json_string_value(json_array_get(required, i)));
        const char *key;
        json_t *member;
        const json_t *properties = json_object_get(schema, "properties");
        json_object_foreach(value, key, member)
        {
            const json_t *property = json_object_get(properties, key);
            snprintf(inner, sizeof(inner), "%s.%s", path, key);
            if (property)
                validate(root, property, member, inner);
            else if (json_is_false(json_object_get(schema, "additionalProperties")))
                fail_msg("%s is not in the schema", inner);
        }
    }
    const json_t *items = json_object_get(schema, "items");
    for (size_t i = 0; items && i < json_array_size(value); i++) {
        snprintf(inner, sizeof(inner), "%s[%zu]", path, i);
        validate(root, items, json_array_get(value, i), inner);
    }
}

/* The page says what we write and no less: every key is described, every object is closed here
   (readers must not count on that: keys may be added in a minor version). */
static void close_objects(json_t *schema)
{
    const char *key;
    json_t *member;
    if (json_is_object(schema)) {
        if (json_is_object(json_object_get(schema, "properties")))
            json_object_set_new(schema, "additionalProperties", json_false());
        json_object_foreach(schema, key, member) close_objects(member);
    }
    for (size_t i = 0; i < json_array_size(schema); i++)
        close_objects(json_array_get(schema, i));
}

static void test_result_json_fits_its_schema(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    json_error_t error;
    json_t *schema = json_load_file(schema_path, 0, &error);
    if (!schema)
        fail_msg("%s:%d: %s", schema_path, error.line, error.text);
    close_objects(schema);
    struct result *result = filled_result(arena);
    json_t *json = rh_result_to_json(result);
    validate(schema, schema, json, "result");
    json_decref(json);
    rh_result_deinit(result);

    struct trace empty_trace = {0};
    struct result empty = {.arena = arena, .trace = &empty_trace, .limits = rh_limits_default()};
    json = rh_result_to_json(&empty);
    validate(schema, schema, json, "empty");
    json_decref(json);
    json_decref(schema);
}

static void test_result_deinit_may_come_twice(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct result *result = filled_result(arena);
    rh_result_deinit(result);
    rh_result_deinit(result);
    assert_int_equal(result->findings.count, 0);
}

static void test_result_json_survives_deep_children(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct trace trace = {0};
    struct result result = {.arena = arena, .trace = &trace, .limits = rh_limits_default()};
    struct statement *statement = RH_PUSH(arena, &trace.statements);
    for (int depth = 0; depth < 1000; depth++) {
        statement->sql = "SELECT f()";
        statement = RH_PUSH(arena, &statement->children);
    }
    json_t *json = rh_result_to_json(&result);
    char *dumped = json_dumps(json, RESULT_JSON_LINE_FLAGS);
    assert_non_null(dumped);
    json_error_t error;
    json_t *again = json_loads(dumped, 0, &error);
    assert_non_null(again); /* within the depth that readers take */
    assert_non_null(strstr(dumped, "\"children_omitted\":1"));
    free(dumped);
    json_decref(again);
    json_decref(json);
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: %s docs/result.schema.json\n", argv[0]);
        return 2;
    }
    schema_path = argv[1];
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_result_says_a_note_once),
        cmocka_unit_test(test_result_names_and_statuses),
        cmocka_unit_test(test_result_json_values),
        cmocka_unit_test(test_result_json_shape),
        cmocka_unit_test(test_result_json_fits_its_schema),
        cmocka_unit_test(test_result_deinit_may_come_twice),
        cmocka_unit_test(test_result_json_survives_deep_children),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
