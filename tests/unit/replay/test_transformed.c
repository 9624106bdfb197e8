#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/pg_codec.h"
#include "replay/transformed.h"
#include "sql/pattern.h"

#include <stdio.h>
#include <string.h>

#define INSERT "INSERT INTO orders (id, note, total) VALUES ($1, $2, $3)"
#define REDUCED "INSERT INTO orders (id, total) VALUES ($1, $2)"

struct story {
    struct arena *arena;
    struct transform transform;
    VEC(const struct workload_pattern *) patterns;
    VEC(const struct workload_pattern_sums *) sums;
    VEC(struct workload_event) events;
    size_t next;
};

static int setup(void **state)
{
    struct arena *arena = rh_arena_new();
    struct story *story = RH_NEW(arena, struct story);
    story->arena = arena;
    *state = story;
    return 0;
}

static int teardown(void **state)
{
    struct story *story = *state;
    rh_arena_free(story->arena);
    return 0;
}

static void read_rules(struct story *story, const char *rules)
{
    struct err err = RH_ERR_INIT;
    if (rh_transform_read("t.yaml",
                          rh_text(rh_arena_printf(story->arena, "version: 1\nrules:\n%s", rules)),
                          story->arena, &story->transform, &err) != RH_OK)
        fail_msg("%s", err.message);
}

static void add_pattern(struct story *story, const char *query, int64_t calls)
{
    struct workload_pattern *pattern = RH_NEW(story->arena, struct workload_pattern);
    struct workload_pattern_sums *sums = RH_NEW(story->arena, struct workload_pattern_sums);
    const char *executes;
    rh_sql_pattern(story->arena, rh_text(query), pattern, &executes);
    pattern->number = (uint32_t)story->patterns.count + 1;
    sums->calls = calls;
    *RH_PUSH(story->arena, &story->patterns) = pattern;
    *RH_PUSH(story->arena, &story->sums) = sums;
}

static enum err_code survey(struct story *story, struct transform_survey *ret, struct err *err)
{
    return rh_transform_survey(&story->transform, story->patterns.items, story->sums.items,
                               story->patterns.count, story->arena, ret, err);
}

/* --- bytes ------------------------------------------------------------------------------------ */

static struct text bytes(struct story *story, const char *data, size_t len)
{
    return (struct text){rh_arena_memdup(story->arena, data, len), len};
}
#define BYTES(story, literal) bytes(story, literal, sizeof(literal) - 1)

static void assert_bytes(struct text actual, const char *data, size_t len)
{
    assert_int_equal(actual.len, len);
    assert_memory_equal(actual.data, data, len);
}
#define ASSERT_BYTES(actual, literal) assert_bytes(actual, literal, sizeof(literal) - 1)

#define TYPES "\0\3\0\0\0\x17\0\0\0\0\0\0\0\x14"
#define TYPES_LEFT "\0\2\0\0\0\x17\0\0\0\x14"
#define VALUES "\0\3\0\0\0\1\0\0\0\3\0\0\0\1a\0\0\0\2bb\xff\xff\xff\xff"
#define VALUES_LEFT "\0\2\0\0\0\0\0\2\0\0\0\1a\xff\xff\xff\xff"

/* --- the survey ------------------------------------------------------------------------------- */

static void test_transformed_survey_counts_what_each_rule_concerns(void **state)
{
    struct story *story = *state;
    struct transform_survey found;
    struct err err = RH_ERR_INIT;
    read_rules(story, "- rename_table: customers\n  to: clients\n"
                      "- drop_column: orders.note\n");
    add_pattern(story, "SELECT id FROM customers", 10);
    add_pattern(story, INSERT, 5);
    add_pattern(story, "SELECT id FROM orders WHERE note = 'x'", 3);
    add_pattern(story, "this is no SQL", 2);
    add_pattern(story, "SELECT 1", 100);
    assert_int_equal(survey(story, &found, &err), RH_OK);
    const struct transformation *summary = &found.summary;
    assert_string_equal(summary->path, "t.yaml");
    assert_int_equal(summary->patterns, 2);
    assert_int_equal(summary->calls, 15);
    assert_int_equal(summary->unparsed_patterns, 1);
    assert_int_equal(summary->unparsed_calls, 2);
    assert_int_equal(summary->rules.items[0].calls, 10);
    assert_string_equal(summary->rules.items[1].place, "t.yaml:5:3");
    assert_int_equal(summary->rules.items[1].patterns, 2);
    assert_int_equal(summary->rules.items[1].calls, 8);
    assert_int_equal(summary->refusals.count, 1);
    assert_string_equal(summary->refusals.items[0].why, "orders.note is used in WHERE");
    assert_string_equal(found.patterns[0].query, "SELECT id FROM clients");
    assert_string_equal(found.patterns[1].query, REDUCED);
    assert_int_equal(found.patterns[2].outcome, REWRITE_REFUSED);
    assert_int_equal(found.patterns[4].outcome, REWRITE_NOTHING);
}

static void test_transformed_survey_names_rules_that_match_nothing(void **state)
{
    struct story *story = *state;
    struct transform_survey found;
    struct err err = RH_ERR_INIT;
    read_rules(story, "- rename_table: customers\n  to: clients\n"
                      "- drop_column: orders.note\n- drop_column: orders.x\n");
    add_pattern(story, "SELECT id FROM customers", 10);
    assert_int_equal(survey(story, &found, &err), RH_ERR_USAGE);
    assert_string_equal(err.message,
                        "t.yaml:5:3: \"drop_column orders.note\" matches no query of the workload");
    assert_string_equal(err.detail, "t.yaml:6:3: \"drop_column orders.x\" matches none, either");
}

static void test_transformed_survey_refuses_a_replacement_with_too_many_parameters(void **state)
{
    struct story *story = *state;
    struct transform_survey found;
    struct err err = RH_ERR_INIT;
    add_pattern(story, "SELECT a FROM t WHERE b = 7", 10);
    read_rules(story, rh_arena_printf(story->arena, "- replace: %016llx\n  with: SELECT $2\n",
                                      (unsigned long long)story->patterns.items[0]->fingerprint));
    assert_int_equal(survey(story, &found, &err), RH_ERR_USAGE);
    assert_non_null(strstr(err.message, "t.yaml:3:3: "));
    assert_non_null(strstr(err.message, "asks for $2, and it has 1"));
}

/* --- the sample ------------------------------------------------------------------------------- */

static void test_transformed_sample_takes_values_and_types_along(void **state)
{
    struct story *story = *state;
    struct transform_survey found;
    struct err err = RH_ERR_INIT;
    read_rules(story, "- drop_column: orders.note\n");
    add_pattern(story, INSERT, 5);
    assert_int_equal(survey(story, &found, &err), RH_OK);
    struct replay_sample sample = {.arena = story->arena};
    struct sampled_execution execution = {.query = rh_text(INSERT),
                                          .types = BYTES(story, TYPES),
                                          .values = BYTES(story, VALUES),
                                          .formats = BYTES(story, "\0\2\0\1\0\1")};
    *RH_PUSH(story->arena, &sample.patterns) = (struct sampled_pattern){
        .pattern = story->patterns.items[0], .executions = &execution, .count = 1};
    struct sampled_state *session = RH_PUSH(story->arena, &sample.states);
    session->user = "";
    *RH_PUSH(story->arena, &session->statements) = "SET x = 1";
    *RH_PUSH(story->arena, &session->statements) =
        "PREPARE p (int, text, int) AS INSERT INTO orders (id, note, total) VALUES ($1, $2, $3)";
    rh_transform_sample(&found, story->arena, &sample);
    const struct sampled_execution *sent = sample.patterns.items[0].executions[0].on_candidate;
    assert_non_null(sent);
    ASSERT_BYTES(sent->query, REDUCED);
    ASSERT_BYTES(sent->types, TYPES_LEFT);
    ASSERT_BYTES(sent->values, VALUES_LEFT);
    /* Formats that are all the same are said once: what is behind a star may be less by now. */
    ASSERT_BYTES(sent->formats, "\0\1\0\1");
    ASSERT_BYTES(execution.query, INSERT);
    assert_string_equal(sample.candidate_states[0].statements.items[0], "SET x = 1");
    assert_string_equal(sample.candidate_states[0].statements.items[1],
                        "PREPARE p (int, text, int) AS INSERT INTO orders (id, total) "
                        "VALUES ($1, $3)");
}

static void test_transformed_sample_leaves_out_an_execution_that_is_refused(void **state)
{
    struct story *story = *state;
    struct transform_survey found;
    struct err err = RH_ERR_INIT;
    add_pattern(story, "SELECT a FROM t WHERE b IN (1, 2)", 10);
    read_rules(story, rh_arena_printf(story->arena,
                                      "- replace: %016llx\n  with: SELECT a FROM u WHERE b = $2\n",
                                      (unsigned long long)story->patterns.items[0]->fingerprint));
    assert_int_equal(survey(story, &found, &err), RH_OK);
    struct sampled_execution executions[] = {
        {.is_simple = true, .query = rh_text("SELECT a FROM t WHERE b IN (7)")},
        {.is_simple = true, .query = rh_text("SELECT a FROM t WHERE b IN (8, 9)")}};
    struct replay_sample sample = {.arena = story->arena};
    *RH_PUSH(story->arena, &sample.patterns) = (struct sampled_pattern){
        .pattern = story->patterns.items[0], .executions = executions, .count = 2};
    rh_transform_sample(&found, story->arena, &sample);
    const struct sampled_pattern *pattern = &sample.patterns.items[0];
    assert_int_equal(pattern->count, 1);
    assert_int_equal(pattern->cannot_be_sent, 1);
    ASSERT_BYTES(pattern->executions[0].on_candidate->query, "SELECT a FROM u WHERE b = 9");
}

/* --- the source ------------------------------------------------------------------------------- */

static enum err_code next(void *context, const struct workload_event **ret_event, struct err *err)
{
    struct story *story = context;
    (void)err;
    *ret_event = story->next < story->events.count ? &story->events.items[story->next++] : NULL;
    return RH_OK;
}

static void add_message(struct story *story, uint64_t session, unsigned char type, struct text body)
{
    struct workload_message *message = RH_NEW(story->arena, struct workload_message);
    *message = (struct workload_message){.type = type, .body = body};
    *RH_PUSH(story->arena, &story->events) = (struct workload_event){
        .kind = WORKLOAD_REQUEST, .session = session, .messages = message, .message_count = 1};
}
#define ADD(story, session, type, literal) add_message(story, session, type, BYTES(story, literal))

static struct text next_body(struct workload_source source)
{
    const struct workload_event *event = NULL;
    struct err err = RH_ERR_INIT;
    assert_int_equal(source.next(source.context, &event, &err), RH_OK);
    assert_non_null(event);
    return event->messages[0].body;
}

static void test_transformed_source_follows_prepared_statements(void **state)
{
    struct story *story = *state;
    read_rules(story, "- drop_column: orders.note\n- rename_table: customers\n  to: clients\n");
    ADD(story, 1, 'Q', "SELECT * FROM customers -- 'customers'\0");
    ADD(story, 1, 'P', "s\0" INSERT "\0" TYPES);
    ADD(story, 2, 'P', "s\0SELECT $1, $2, $3\0\0\0");
    ADD(story, 1, 'B', "p\0s\0" VALUES "\0\1\0\0");
    ADD(story, 2, 'B', "p\0s\0" VALUES "\0\0");
    ADD(story, 1, 'C', "Ss\0");
    ADD(story, 1, 'B', "\0s\0" VALUES "\0\0");
    ADD(story, 1, 'P', "\0" INSERT "\0\0\0");
    ADD(story, 1, 'P', "\0SELECT $1, $2, $3\0\0\0");
    ADD(story, 1, 'B', "\0\0" VALUES "\0\0");
    ADD(story, 1, 'P', "broken");
    struct transformed_source *transformed = rh_transformed_source_new(
        &story->transform, (struct workload_source){next, story});
    struct workload_source source = rh_transformed_source(transformed);
    ASSERT_BYTES(next_body(source), "SELECT * FROM clients -- 'customers'\0");
    ASSERT_BYTES(next_body(source), "s\0" REDUCED "\0" TYPES_LEFT);
    ASSERT_BYTES(next_body(source), "s\0SELECT $1, $2, $3\0\0\0");
    ASSERT_BYTES(next_body(source), "p\0s\0" VALUES_LEFT "\0\1\0\0");
    ASSERT_BYTES(next_body(source), "p\0s\0" VALUES "\0\0"); /* another session's */
    ASSERT_BYTES(next_body(source), "Ss\0");
    ASSERT_BYTES(next_body(source), "\0s\0" VALUES "\0\0"); /* it was closed */
    ASSERT_BYTES(next_body(source), "\0" REDUCED "\0\0\0");
    ASSERT_BYTES(next_body(source), "\0SELECT $1, $2, $3\0\0\0");
    ASSERT_BYTES(next_body(source), "\0\0" VALUES "\0\0"); /* the name has another statement */
    ASSERT_BYTES(next_body(source), "broken");
    rh_transformed_source_free(transformed);
}

/* A name of five digits, and what comes behind it. */
static struct text named(struct story *story, int number, const char *rest, size_t length)
{
    char *body = rh_arena_alloc(story->arena, length + 6);
    snprintf(body, 6, "%05d", number);
    memcpy(body + 6, rest, length);
    return (struct text){body, length + 6};
}

static void test_transformed_source_remembers_so_many_statements(void **state)
{
    struct story *story = *state;
    static const char parse[] = INSERT "\0" TYPES, bind[] = "\0"
                                                            "00000\0" VALUES "\0\0";
    read_rules(story, "- drop_column: orders.note\n");
    for (int i = 0; i < 10001; i++)
        add_message(story, 1, 'P', named(story, i, parse, sizeof(parse) - 1));
    for (int i = 0; i < 2; i++) {
        struct text body = bytes(story, bind, sizeof(bind) - 1);
        ((char *)body.data)[5] = (char)('0' + i);
        add_message(story, 1, 'B', body);
    }
    struct transformed_source *transformed = rh_transformed_source_new(
        &story->transform, (struct workload_source){next, story});
    struct workload_source source = rh_transformed_source(transformed);
    for (int i = 0; i < 10001; i++)
        (void)next_body(source);
    ASSERT_BYTES(next_body(source), "\0"
                                    "00000\0" VALUES "\0\0"); /* the oldest one is forgotten */
    ASSERT_BYTES(next_body(source), "\0"
                                    "00001\0" VALUES_LEFT "\0\0");
    rh_transformed_source_free(transformed);
}

static void test_transformed_source_changes_what_a_session_brings_along(void **state)
{
    struct story *story = *state;
    struct workload_session begun = {.number = 1};
    const struct workload_event *event = NULL;
    struct err err = RH_ERR_INIT;
    read_rules(story, "- drop_column: orders.note\n");
    *RH_PUSH(story->arena, &begun.prologue) = (struct workload_message){
        .type = 'P', .body = BYTES(story, "s\0" INSERT "\0\0\0")};
    *RH_PUSH(story->arena, &story->events) = (struct workload_event){
        .kind = WORKLOAD_SESSION_BEGUN, .session = 1, .begun = &begun};
    ADD(story, 1, 'B', "\0s\0" VALUES "\0\0");
    *RH_PUSH(story->arena, &story->events) = (struct workload_event){.kind = WORKLOAD_SESSION_ENDED,
                                                                     .session = 1};
    ADD(story, 1, 'B', "\0s\0" VALUES "\0\0");
    struct transformed_source *transformed = rh_transformed_source_new(
        &story->transform, (struct workload_source){next, story});
    struct workload_source source = rh_transformed_source(transformed);
    assert_int_equal(source.next(source.context, &event, &err), RH_OK);
    ASSERT_BYTES(event->begun->prologue.items[0].body, "s\0" REDUCED "\0\0\0");
    ASSERT_BYTES(begun.prologue.items[0].body, "s\0" INSERT "\0\0\0");
    ASSERT_BYTES(next_body(source), "\0s\0" VALUES_LEFT "\0\0");
    assert_int_equal(source.next(source.context, &event, &err), RH_OK);
    ASSERT_BYTES(next_body(source), "\0s\0" VALUES "\0\0");
    rh_transformed_source_free(transformed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_transformed_survey_counts_what_each_rule_concerns,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_transformed_survey_names_rules_that_match_nothing,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_transformed_survey_refuses_a_replacement_with_too_many_parameters, setup,
            teardown),
        cmocka_unit_test_setup_teardown(test_transformed_sample_takes_values_and_types_along, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(
            test_transformed_sample_leaves_out_an_execution_that_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_transformed_source_follows_prepared_statements, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_transformed_source_remembers_so_many_statements, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_transformed_source_changes_what_a_session_brings_along,
                                        setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
