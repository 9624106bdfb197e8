#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "replay/sample.h"

#include <string.h>

/* A workload in memory: one event a message. */
struct story {
    struct arena *arena;
    VEC(struct workload_event) events;
    size_t next;
    const struct workload_pattern *patterns[3];
    struct random random;
    struct replay_sample sample;
};

static const struct workload_pattern by_id = {.number = 1, .query = "SELECT $1"};
static const struct workload_pattern other = {.number = 2, .query = "UPDATE t SET a = $1"};
static const struct workload_pattern control = {
    .number = 3, .query = "SET x = $1", .flags = PATTERN_CONTROLS};

static enum err_code next(void *context, const struct workload_event **ret_event, struct err *err)
{
    struct story *story = context;
    (void)err;
    *ret_event = story->next < story->events.count ? &story->events.items[story->next++] : NULL;
    return RH_OK;
}

static int setup(void **state)
{
    struct arena *arena = rh_arena_new();
    struct story *story = RH_NEW(arena, struct story);
    story->arena = arena;
    story->patterns[0] = &by_id;
    story->patterns[1] = &other;
    story->patterns[2] = &control;
    rh_random_seed(&story->random, 1);
    *state = story;
    return 0;
}

static int teardown(void **state)
{
    rh_arena_free(((struct story *)*state)->arena);
    return 0;
}

static struct workload_event *event(struct story *story, enum workload_event_kind kind,
                                    uint64_t session)
{
    struct workload_event *event = RH_PUSH(story->arena, &story->events);
    event->kind = kind;
    event->session = session;
    event->at_us = (int64_t)story->events.count * 1000;
    return event;
}

static void begin(struct story *story, uint64_t session, const char *setting, const char *value)
{
    struct workload_session *begun = RH_NEW(story->arena, struct workload_session);
    begun->number = session;
    begun->user = "app";
    if (setting)
        *RH_PUSH(story->arena, &begun->startup) = (struct workload_setting){setting, value};
    event(story, WORKLOAD_SESSION_BEGUN, session)->begun = begun;
}

static void send(struct story *story, uint64_t session, unsigned char type, uint32_t pattern,
                 const char *bytes, size_t len)
{
    struct workload_event *request = event(story, WORKLOAD_REQUEST, session);
    request->messages = RH_NEW(story->arena, struct workload_message);
    request->message_count = 1;
    request->messages[0] = (struct workload_message){
        .type = type, .pattern = pattern, .body = {bytes, len}};
}
#define SEND(story, session, type, pattern, bytes) \
    send(story, session, type, pattern, bytes, sizeof(bytes) - 1)

/* Bind and Execute in one request, as drivers send them. */
static void send_bound(struct story *story, uint64_t session, const char *bind, size_t len)
{
    struct workload_event *request = event(story, WORKLOAD_REQUEST, session);
    request->messages = rh_arena_alloc_array(story->arena, 2, sizeof(*request->messages));
    request->message_count = 2;
    request->messages[0] = (struct workload_message){.type = 'B', .body = {bind, len}};
    request->messages[1] = (struct workload_message){
        .type = 'E', .pattern = 1, .body = {"\0\0\0\0\7", 5}};
}

static void sample(struct story *story, size_t each)
{
    struct err err = RH_ERR_INIT;
    assert_int_equal(rh_replay_sample((struct workload_source){next, story}, story->patterns, 3,
                                      each, &story->random, story->arena, &story->sample, &err),
                     RH_OK);
}

static const struct sampled_pattern *pattern(const struct story *story, uint32_t number)
{
    return &story->sample.patterns.items[number - 1];
}

static void test_sample_simple_and_its_state(void **state)
{
    struct story *story = *state;
    begin(story, 1, "search_path", "it's");
    SEND(story, 1, 'Q', 1, "SELECT 1\0");
    SEND(story, 1, 'Q', 3, "SET work_mem = '1MB'\0");
    SEND(story, 1, 'Q', 3, "SET LOCAL work_mem = '9MB'\0");
    SEND(story, 1, 'Q', 1, "SELECT 2\0");
    sample(story, 10);
    assert_int_equal(pattern(story, 1)->calls, 2);
    assert_int_equal(pattern(story, 1)->count, 2);
    assert_true(pattern(story, 1)->executions[0].is_simple);
    assert_int_equal(story->sample.states.count, 2);
    const struct sampled_state *before = &story->sample.states.items[0],
                               *after = &story->sample.states.items[1];
    assert_string_equal(before->user, "app");
    assert_string_equal(before->statements.items[0], "SET search_path = E'it''s'");
    assert_int_equal(after->statements.count, 2);
    assert_string_equal(after->statements.items[1], "SET work_mem = '1MB'");
}

static void test_sample_prepared_and_bound(void **state)
{
    struct story *story = *state;
    begin(story, 1, NULL, NULL);
    SEND(story, 1, 'P', 1, "s1\0SELECT $1\0\0\1\0\0\0\x17");
    send_bound(story, 1,
               "\0s1\0\0\0\0\1\0\0\0\1"
               "5\0\1\0\1",
               17);
    send_bound(story, 1, "\0s1\0\0\0\0\1\xff\xff\xff\xff\0\0", 14);
    SEND(story, 1, 'C', 0, "Ss1\0");
    send_bound(story, 1, "\0s1\0\0\0\0\0\0\0", 10);
    sample(story, 10);
    const struct sampled_pattern *own = pattern(story, 1);
    assert_int_equal(own->count, 2);
    for (size_t i = 0; i < 2; i++) {
        const struct sampled_execution *execution = &own->executions[i];
        assert_true(execution->is_named && !execution->is_simple);
        assert_true(rh_text_is(execution->query, "SELECT $1"));
        assert_int_equal(execution->types.len, 6);
        assert_int_equal(execution->max_rows, 7);
        assert_int_equal(execution->statement, 0);
        assert_true(execution->formats.len == 4 || execution->formats.len == 2);
    }
}

static void test_sample_leaves_out_what_cannot_be_sent_alone(void **state)
{
    struct story *story = *state;
    begin(story, 1, NULL, NULL);
    SEND(story, 1, 'Q', 2, "BEGIN; UPDATE t SET a = 1; COMMIT\0");
    SEND(story, 1, 'Q', 2, "COPY t FROM STDIN\0");
    SEND(story, 1, 'Q', 2, "UPDATE t SET a = 2\0");
    struct workload_event *secret = event(story, WORKLOAD_REQUEST, 1);
    secret->messages = RH_NEW(story->arena, struct workload_message);
    secret->messages[0] = (struct workload_message){.type = 'Q', .pattern = 2, .is_redacted = true};
    secret->message_count = 1;
    sample(story, 10);
    assert_int_equal(pattern(story, 2)->count, 1);
    assert_int_equal(pattern(story, 2)->cannot_be_sent, 3);
    assert_string_equal(pattern(story, 2)->why_not, "it controls transactions itself");
    assert_int_equal(pattern(story, 3)->count, 0);
}

static void test_sample_each_with_the_same_chance(void **state)
{
    struct story *story = *state;
    begin(story, 1, NULL, NULL);
    for (int i = 0; i < 20000; i++)
        if (i % 4 == 0)
            SEND(story, 1, 'Q', 1, "SELECT 4\0");
        else
            SEND(story, 1, 'Q', 1, "SELECT 1\0");
    sample(story, 400);
    const struct sampled_pattern *own = pattern(story, 1);
    size_t fours = 0;
    assert_int_equal(own->calls, 20000);
    assert_int_equal(own->count, 400);
    for (size_t i = 0; i < own->count; i++)
        fours += own->executions[i].query.data[7] == '4';
    assert_in_range(fours, 70, 130);
}

static void test_sample_malformed_messages_are_passed_over(void **state)
{
    struct story *story = *state;
    begin(story, 1, NULL, NULL);
    static const unsigned char types[] = "QPBEC";
    for (const unsigned char *type = types; *type; type++) {
        send(story, 1, *type, 1, "", 0);
        send(story, 1, *type, 1, "x", 1);
        send(story, 1, *type, 1, "\0\0\0\377\377", 5);
        send(story, 1, *type, 9999, "a\0b\0\0\1", 6);
    }
    SEND(story, 77, 'Q', 1, "SELECT of a session that never began\0");
    sample(story, 10);
    assert_true(pattern(story, 1)->count <= 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_sample_simple_and_its_state, setup, teardown),
        cmocka_unit_test_setup_teardown(test_sample_prepared_and_bound, setup, teardown),
        cmocka_unit_test_setup_teardown(test_sample_leaves_out_what_cannot_be_sent_alone, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_sample_each_with_the_same_chance, setup, teardown),
        cmocka_unit_test_setup_teardown(test_sample_malformed_messages_are_passed_over, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
