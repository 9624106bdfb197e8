#include "store/live_sessions.h"

#include <stdlib.h>

#define FIRST_BUCKETS ((size_t)64)
#define FIRST_PENDING ((size_t)4)

static void *must_alloc(size_t count, size_t size)
{
    void *memory = calloc(count, size);
    if (memory == NULL)
        RH_PANIC("out of memory (%zu bytes)", count * size);
    return memory;
}

/* Fibonacci hashing (Knuth, "The Art of Computer Programming", 6.4): numbers follow each other. */
static size_t bucket_of(const struct live_sessions *sessions, uint64_t number)
{
    return (size_t)((number * UINT64_C(11400714819323198485)) >> 32) % sessions->bucket_count;
}

static void grow(struct live_sessions *sessions)
{
    struct live_sessions grown = {.count = sessions->count};
    grown.bucket_count = sessions->bucket_count ? sessions->bucket_count * 2 : FIRST_BUCKETS;
    grown.buckets = must_alloc(grown.bucket_count, sizeof(struct live_session *));
    for (size_t i = 0; i < sessions->bucket_count; i++) {
        for (struct live_session *session = sessions->buckets[i], *next; session; session = next) {
            struct live_session **bucket = &grown.buckets[bucket_of(&grown, session->number)];
            next = session->next;
            session->next = *bucket;
            *bucket = session;
        }
    }
    free(sessions->buckets);
    *sessions = grown;
}

void rh_live_sessions_deinit(struct live_sessions *sessions)
{
    for (size_t i = 0; i < sessions->bucket_count; i++) {
        while (sessions->buckets[i] != NULL)
            rh_live_sessions_remove(sessions, sessions->buckets[i]);
    }
    free(sessions->buckets);
    *sessions = (struct live_sessions){0};
}

struct live_session *rh_live_sessions_find(const struct live_sessions *sessions, uint64_t number)
{
    if (sessions->bucket_count == 0)
        return NULL;
    struct live_session *session = sessions->buckets[bucket_of(sessions, number)];
    while (session != NULL && session->number != number)
        session = session->next;
    return session;
}

struct live_session *rh_live_sessions_add(struct live_sessions *sessions, uint64_t number)
{
    if (number == 0 || sessions->count >= LIVE_SESSIONS_MAX ||
        rh_live_sessions_find(sessions, number) != NULL)
        return NULL;
    if (sessions->count >= sessions->bucket_count)
        grow(sessions);
    struct live_session *session = must_alloc(1, sizeof(*session));
    struct live_session **bucket = &sessions->buckets[bucket_of(sessions, number)];
    session->number = number;
    session->answered_at_us = -1;
    session->next = *bucket;
    *bucket = session;
    sessions->count++;
    return session;
}

void rh_live_sessions_remove(struct live_sessions *sessions, struct live_session *session)
{
    struct live_session **place = &sessions->buckets[bucket_of(sessions, session->number)];
    while (*place != session)
        place = &(*place)->next;
    *place = session->next;
    free(session->pending);
    free(session);
    sessions->count--;
}

/* The queue is a piece of an array; it begins anew whenever it is empty, which is soon. */
void rh_live_session_sent(struct live_session *session, uint64_t request, int64_t at_us)
{
    if (session->pending_count == 0)
        session->pending_first = 0;
    if (session->pending_count >= PENDING_REQUESTS_MAX)
        return;
    if (session->pending_first + session->pending_count == session->pending_capacity) {
        size_t capacity = session->pending_capacity ? session->pending_count * 2 : FIRST_PENDING;
        if (capacity < session->pending_capacity)
            capacity = session->pending_capacity;
        struct pending_request *grown = must_alloc(capacity, sizeof(*grown));
        if (session->pending_count > 0)
            memcpy(grown, session->pending + session->pending_first,
                   session->pending_count * sizeof(*grown));
        free(session->pending);
        session->pending = grown;
        session->pending_first = 0;
        session->pending_capacity = capacity;
    }
    session->pending[session->pending_first + session->pending_count++] = (struct pending_request){
        request, at_us};
}

int64_t rh_live_session_answered(struct live_session *session, uint64_t request, int64_t at_us)
{
    int64_t since_us = session->answered_at_us;
    while (session->pending_count > 0 &&
           session->pending[session->pending_first].number <= request) {
        int64_t sent_at_us = session->pending[session->pending_first].at_us;
        if (sent_at_us > since_us)
            since_us = sent_at_us;
        session->pending_first++;
        session->pending_count--;
    }
    session->answered_at_us = at_us;
    return since_us < 0 ? 0 : at_us - since_us;
}
