#include "rehearsal/lock_chances.h"

#include "base/interrupt.h"
#include "compare/lock_timeout.h"

#include <stdlib.h>
#include <string.h>

/* Between two looks at the user's interrupt. */
#define EVENTS_BETWEEN_CHECKS 4096

/* A session's number is any; a server has some hundred of them at a time. */
#define SESSION_BUCKETS 1024

/* A session in a transaction (or a request outside any): when it first used each table. */
struct open_session {
    struct open_session *next; /* in its bucket, or spare */
    uint64_t number;
    int64_t first_use_us[LOCK_CHANCE_TABLES_MAX]; /* -1: not yet */
};

struct reading {
    const struct lock_chances_options *options;
    struct arena *arena;
    size_t tables;
    struct open_session *buckets[SESSION_BUCKETS], *spare;
    VEC(struct transaction_span) spans[LOCK_CHANCE_TABLES_MAX];
    int64_t end_us;
    bool is_full;
};

static struct open_session **place_of(struct reading *reading, uint64_t number)
{
    struct open_session **place = &reading->buckets[number % SESSION_BUCKETS];
    while (*place && (*place)->number != number)
        place = &(*place)->next;
    return place;
}

static struct open_session *session_of(struct reading *reading, uint64_t number)
{
    struct open_session **place = place_of(reading, number), *session = *place;
    if (session)
        return session;
    session = reading->spare;
    if (session)
        reading->spare = session->next;
    else
        session = RH_NEW(reading->arena, struct open_session);
    session->next = NULL;
    session->number = number;
    for (size_t i = 0; i < LOCK_CHANCE_TABLES_MAX; i++)
        session->first_use_us[i] = -1;
    return *place = session;
}

static void forget(struct reading *reading, uint64_t number)
{
    struct open_session **place = place_of(reading, number), *session = *place;
    if (!session)
        return;
    *place = session->next;
    session->next = reading->spare;
    reading->spare = session;
}

static bool uses(const struct workload_pattern *pattern, const char *relation)
{
    for (size_t i = 0; i < pattern->reads.count; i++)
        if (rh_traffic_is_table(pattern->reads.items[i], relation))
            return true;
    for (size_t i = 0; i < pattern->writes.count; i++)
        if (rh_traffic_is_table(pattern->writes.items[i], relation))
            return true;
    return false;
}

static void take_request(struct reading *reading, const struct workload_event *event)
{
    struct open_session *session = session_of(reading, event->session);
    for (size_t i = 0; i < event->message_count; i++) {
        const struct workload_pattern *pattern = reading->options->pattern(
            reading->options->context, event->messages[i].pattern);
        for (size_t table = 0; pattern && table < reading->tables; table++)
            if (session->first_use_us[table] < 0 &&
                uses(pattern, reading->options->relations[table]))
                session->first_use_us[table] = event->at_us;
    }
}

/* Its transaction is over: what it used it lets go of. */
static void end_transaction(struct reading *reading, struct open_session *session, int64_t at_us)
{
    for (size_t table = 0; table < reading->tables; table++) {
        if (session->first_use_us[table] < 0)
            continue;
        *RH_PUSH(reading->arena, &reading->spans[table]) = (struct transaction_span){
            session->first_use_us[table], at_us};
        session->first_use_us[table] = -1;
        if (reading->spans[table].count == LOCK_CHANCE_SPANS_MAX)
            reading->is_full = true;
    }
}

static void take(struct reading *reading, const struct workload_event *event)
{
    reading->end_us = event->at_us;
    switch (event->kind) {
    case WORKLOAD_REQUEST:
        take_request(reading, event);
        break;
    case WORKLOAD_ANSWER:
        if (event->transaction_status == 'I' || event->transaction_status == 0)
            end_transaction(reading, session_of(reading, event->session), event->at_us);
        break;
    case WORKLOAD_SESSION_ENDED:
        end_transaction(reading, session_of(reading, event->session), event->at_us);
        forget(reading, event->session);
        break;
    case WORKLOAD_SESSION_BEGUN:
    case WORKLOAD_CANCEL:
        break;
    }
}

static enum err_code read_all(struct reading *reading, struct err *err)
{
    const struct workload_source *source = &reading->options->source;
    const struct workload_event *event;
    enum err_code code;
    for (size_t count = 0; !reading->is_full; count++) {
        if (count % EVENTS_BETWEEN_CHECKS == 0 && (code = rh_interrupt_check(err)))
            return code;
        if ((code = source->next(source->context, &event, err)))
            return code;
        if (!event)
            break;
        take(reading, event);
    }
    /* What is still open at the end was not seen to end: it lasted until then at least. */
    for (size_t i = 0; i < SESSION_BUCKETS; i++)
        for (struct open_session *it = reading->buckets[i]; it; it = it->next)
            end_transaction(reading, it, reading->end_us);
    return RH_OK;
}

enum err_code rh_lock_chances(const struct lock_chances_options *options, struct arena *arena,
                              struct traffic_timeouts *ret_timeouts, struct err *err)
{
    RH_CLEANUP_ARENA struct arena *own = rh_arena_new();
    struct reading reading = {.options = options, .arena = own, .tables = options->relation_count};
    if (reading.tables > LOCK_CHANCE_TABLES_MAX)
        reading.tables = LOCK_CHANCE_TABLES_MAX;

    enum err_code code = read_all(&reading, err);
    if (code)
        return code;
    ret_timeouts->items = rh_arena_alloc_array(arena, reading.tables + 1,
                                               sizeof(ret_timeouts->items[0]));
    ret_timeouts->count = reading.tables;
    for (size_t table = 0; table < reading.tables; table++) {
        struct traffic_timeout *timeout = &ret_timeouts->items[table];
        rh_lock_timeout_recommend(reading.spans[table].items, reading.spans[table].count,
                                  reading.end_us, options->limit_us, timeout);
        timeout->relation = rh_arena_strdup(arena, options->relations[table]);
    }
    return RH_OK;
}
