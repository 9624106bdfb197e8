/*
 * Events of a seed: sessions that begin and end, of every kind of message and answer, valid in
 * their order; and any event as a line of text, for comparing.
 */
#ifndef RH_TEST_EVENT_MAKER_H
#define RH_TEST_EVENT_MAKER_H

#include "fuzz/fuzz_mutate.h"
#include "model/result_digest.h"
#include "model/workload.h"

#define MAKER_SESSIONS 40
#define MAKER_PATTERNS 12

struct event_maker {
    uint64_t random;
    int64_t at_us;
    uint64_t next_session;
    struct {
        uint64_t number, requests; /* 0: free */
    } sessions[MAKER_SESSIONS];
};

static inline struct text maker_body(struct event_maker *maker, struct arena *arena)
{
    static const char *const beginnings[] = {
        "", "SELECT abalance FROM pgbench_accounts WHERE aid = ", "INSERT INTO orders VALUES (",
        "\0P_1\0\1\2\3"};
    size_t beginning = below(&maker->random, 4);
    size_t length = beginning == 3 ? 8 : strlen(beginnings[beginning]);
    size_t more = below(&maker->random, 50) == 0 ? below(&maker->random, 9000)
                                                 : below(&maker->random, 20);
    char *body = rh_arena_alloc(arena, length + more + 1);
    memcpy(body, beginnings[beginning], length);
    for (size_t i = 0; i < more; i++)
        body[length + i] = (char)next_random(&maker->random);
    return (struct text){body, length + more};
}

static inline void maker_message(struct event_maker *maker, struct arena *arena,
                                 struct workload_message *message)
{
    message->type = (unsigned char)WORKLOAD_MESSAGE_TYPES[below(&maker->random, 12)];
    message->pattern = (uint32_t)below(&maker->random, MAKER_PATTERNS + 1);
    message->body = maker_body(maker, arena);
    message->left_out_bytes = below(&maker->random, 20) == 0 ? next_random(&maker->random) : 0;
    message->is_redacted = below(&maker->random, 30) == 0;
}

static inline void maker_result(struct event_maker *maker, struct workload_result *result)
{
    result->pattern = (uint32_t)below(&maker->random, MAKER_PATTERNS + 1);
    result->returned = (int64_t)below(&maker->random, 4) - 1;
    result->rows = below(&maker->random, 2) ? result->returned
                                            : (int64_t)below(&maker->random, 5) - 1;
    if (below(&maker->random, 10) == 0)
        memcpy(result->sqlstate, "23505", 6);
    result->is_suspended = below(&maker->random, 10) == 0;
    result->has_digest = below(&maker->random, 3) > 0;
    if (!result->has_digest)
        return;
    for (size_t i = 0; i < WORKLOAD_DIGEST_BYTES; i++) {
        result->unordered[i] = (uint8_t)next_random(&maker->random);
        result->ordered[i] = (uint8_t)next_random(&maker->random);
    }
    if (below(&maker->random, 2))
        (void)rh_result_digest_ordered_of(result->unordered, result->returned, result->ordered);
}

static inline void maker_settings(struct event_maker *maker, struct arena *arena,
                                  struct workload_session *begun)
{
    for (size_t i = below(&maker->random, 4); i > 0; i--)
        *RH_PUSH(arena, &begun->startup) = (struct workload_setting){
            "application_name", rh_arena_printf(arena, "app %zu", i)};
    for (size_t i = below(&maker->random, 4); i > 0; i--)
        *RH_PUSH(arena, &begun->reported) = (struct workload_setting){"TimeZone", "Etc/UTC"};
    begun->is_midway = below(&maker->random, 3) == 0;
    begun->lacks = begun->is_midway ? "temporary tables" : "";
    for (size_t i = begun->is_midway ? below(&maker->random, 5) : 0; i > 0; i--)
        maker_message(maker, arena, RH_PUSH(arena, &begun->prologue));
}

/* The next one; it lies in the arena. */
static inline struct workload_event *maker_next(struct event_maker *maker, struct arena *arena)
{
    struct workload_event *event = RH_NEW(arena, struct workload_event);
    size_t i = below(&maker->random, MAKER_SESSIONS);
    maker->at_us += (int64_t)(below(&maker->random, 100) == 0 ? next_random(&maker->random) >> 30
                                                              : below(&maker->random, 300));
    event->at_us = maker->at_us;
    if (maker->sessions[i].number == 0) {
        maker->sessions[i].number = ++maker->next_session;
        maker->sessions[i].requests = 0;
        event->kind = WORKLOAD_SESSION_BEGUN;
        event->begun = RH_NEW(arena, struct workload_session);
        event->begun->number = maker->next_session;
        event->begun->user = "anna";
        event->begun->database = "shop";
        maker_settings(maker, arena, event->begun);
    } else {
        size_t choice = below(&maker->random, 100);
        event->kind = choice < 45   ? WORKLOAD_REQUEST
                      : choice < 90 ? WORKLOAD_ANSWER
                      : choice < 93 ? WORKLOAD_CANCEL
                      : choice < 95 ? WORKLOAD_SESSION_ENDED
                                    : WORKLOAD_REQUEST;
    }
    event->session = maker->sessions[i].number;
    uint64_t requests = maker->sessions[i].requests;
    switch (event->kind) {
    case WORKLOAD_SESSION_BEGUN:
        break;
    case WORKLOAD_REQUEST:
        event->request = ++maker->sessions[i].requests;
        event->message_count = below(&maker->random, 30) == 0 ? 25 : below(&maker->random, 5);
        event->messages = rh_arena_alloc_array(arena, event->message_count,
                                               sizeof(*event->messages));
        for (size_t j = 0; j < event->message_count; j++)
            maker_message(maker, arena, &event->messages[j]);
        break;
    case WORKLOAD_ANSWER:
        event->request = requests == 0 ? 0 : requests - below(&maker->random, requests) / 4;
        event->first_byte_us = event->at_us - (int64_t)below(&maker->random, 300);
        event->transaction_status = "ITE"[below(&maker->random, 3)];
        event->result_count = below(&maker->random, 30) == 0 ? 25 : below(&maker->random, 4);
        event->results = rh_arena_alloc_array(arena, event->result_count, sizeof(*event->results));
        for (size_t j = 0; j < event->result_count; j++)
            maker_result(maker, &event->results[j]);
        event->id_count = below(&maker->random, 3) == 0 ? below(&maker->random, 6) : 0;
        event->ids = rh_arena_alloc_array(arena, event->id_count, sizeof(*event->ids));
        for (size_t j = 0; j < event->id_count; j++)
            event->ids[j] = (struct workload_id){
                .result = j / 3,
                .row = (uint32_t)(j % 3),
                .column = (uint32_t)below(&maker->random, 2),
                .key = (uint32_t)below(&maker->random, 2),
                .is_binary = below(&maker->random, 2),
                .value = rh_text(rh_arena_printf(arena, "%zu", below(&maker->random, 100000)))};
        break;
    case WORKLOAD_CANCEL:
        event->request = requests;
        break;
    case WORKLOAD_SESSION_ENDED:
        event->was_cut = below(&maker->random, 2);
        maker->sessions[i].number = 0;
        break;
    }
    return event;
}

static inline void dump_bytes(struct buf *out, const void *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++)
        rh_buf_printf(out, "%02x", ((const unsigned char *)bytes)[i]);
}

static inline void dump_message(struct buf *out, const struct workload_message *message)
{
    rh_buf_printf(out, " %c%u/%llu%s:", message->type, (unsigned)message->pattern,
                  (unsigned long long)message->left_out_bytes, message->is_redacted ? "!" : "");
    dump_bytes(out, message->body.data, message->body.len);
}

static inline void dump_event(struct buf *out, const struct workload_event *event)
{
    rh_buf_printf(out, "%d s%llu @%lld r%llu f%lld %d %d", (int)event->kind,
                  (unsigned long long)event->session, (long long)event->at_us,
                  (unsigned long long)event->request, (long long)event->first_byte_us,
                  event->transaction_status, event->was_cut);
    for (size_t i = 0; i < event->message_count; i++)
        dump_message(out, &event->messages[i]);
    for (size_t i = 0; i < event->result_count; i++) {
        const struct workload_result *result = &event->results[i];
        rh_buf_printf(out, " (%u %lld %lld %s %d %d ", (unsigned)result->pattern,
                      (long long)result->rows, (long long)result->returned, result->sqlstate,
                      result->is_suspended, result->has_digest);
        dump_bytes(out, result->unordered, WORKLOAD_DIGEST_BYTES);
        dump_bytes(out, result->ordered, WORKLOAD_DIGEST_BYTES);
        rh_buf_add_char(out, ')');
    }
    for (size_t i = 0; i < event->id_count; i++) {
        const struct workload_id *id = &event->ids[i];
        rh_buf_printf(out, " #%u.%u.%u %u%s=", (unsigned)id->result, (unsigned)id->row,
                      (unsigned)id->column, (unsigned)id->key, id->is_binary ? "b" : "");
        rh_buf_add_text(out, id->value);
    }
    const struct workload_session *begun = event->begun;
    if (begun != NULL) {
        rh_buf_printf(out, " %llu %s %s %d \"%s\"", (unsigned long long)begun->number, begun->user,
                      begun->database, begun->is_midway, begun->lacks);
        for (size_t i = 0; i < begun->startup.count; i++)
            rh_buf_printf(out, " %s=%s", begun->startup.items[i].name,
                          begun->startup.items[i].value);
        for (size_t i = 0; i < begun->reported.count; i++)
            rh_buf_printf(out, " [%s=%s]", begun->reported.items[i].name,
                          begun->reported.items[i].value);
        for (size_t i = 0; i < begun->prologue.count; i++)
            dump_message(out, &begun->prologue.items[i]);
    }
    rh_buf_add_char(out, '\n');
}

#endif
