/*
 * Cancel requests of the recording: each as long after the start of the request that it was meant
 * for as it came then, and only while that one is still at work here.
 */
#include "replay/replay_int.h"

#include "base/clock.h"

#include <stdlib.h>

struct cancel {
    struct cancel *previous, *next;
    struct replay *replay;
    struct replay_session *session; /* NULL: it is over */
    struct item *item;              /* NULL: it is over */
    struct due due;
    struct pg_cancel *request;
};

static void free_cancel(struct cancel *cancel)
{
    struct replay *replay = cancel->replay;
    rh_due_heap_remove(&replay->heap, &cancel->due);
    rh_pg_cancel_free(cancel->request);
    if (cancel->item)
        cancel->item->cancel = NULL;
    if (cancel->previous)
        cancel->previous->next = cancel->next;
    else
        replay->cancels = cancel->next;
    if (cancel->next)
        cancel->next->previous = cancel->previous;
    free(cancel);
}

/* The server closes when it has sent the signal: until then the session sends nothing, as no client
   does that waits for its cancel request. The postmaster signals the backend and then its process
   group; of the two the second would hit the next request. */
static void on_sent(void *context, const struct err *err)
{
    struct cancel *cancel = context;
    struct replay *replay = cancel->replay;
    struct replay_session *session = cancel->session;
    (void)err; /* the request then simply goes on to its end */
    free_cancel(cancel);
    if (session) {
        session->cancels_under_way--;
        session->free_us = rh_replay_virtual(replay, rh_clock_mono().us);
        rh_session_advance(session);
    }
    rh_replay_rearm(replay);
}

static void on_due(void *context)
{
    struct cancel *cancel = context;
    struct replay *replay = cancel->replay;
    struct item *item = cancel->item;
    /* Another request of the session before it is at work: it would be hit in its place. */
    if (!item || cancel->session->flying != item) {
        replay->result->cancels_not_needed++;
        free_cancel(cancel);
        return;
    }
    item->cancel_was_sent = true;
    cancel->session->cancels_under_way++;
    replay->result->cancels_sent++;
    rh_pg_cancel_start(replay->loop, replay->dialer, rh_pg_client_key(cancel->session->client),
                       on_sent, cancel, &cancel->request);
}

void rh_cancel_arm(struct replay_session *session, struct item *item)
{
    struct replay *replay = session->replay;
    if (!item->is_cancelled || item->cancel)
        return;
    struct cancel *cancel = calloc(1, sizeof(*cancel));
    if (!cancel)
        RH_PANIC("out of memory for a cancel request");
    *cancel = (struct cancel){.replay = replay,
                              .session = session,
                              .item = item,
                              .next = replay->cancels,
                              .due = {.fn = on_due, .context = cancel}};
    if (replay->cancels)
        replay->cancels->previous = cancel;
    replay->cancels = cancel;
    item->cancel = cancel;
    rh_due_heap_set(&replay->heap, &cancel->due,
                    rh_replay_virtual(replay, item->sent_us) +
                        rh_replay_scaled(replay, item->cancel_after_us));
}

void rh_cancel_disarm(struct item *item)
{
    struct cancel *cancel = item->cancel;
    if (!cancel)
        return;
    item->cancel = NULL;
    cancel->item = NULL;
    /* One that is on its way goes on, and the session's next request waits for it. */
    if (!cancel->request) {
        cancel->replay->result->cancels_not_needed++;
        free_cancel(cancel);
    }
}

void rh_cancel_event(struct replay *replay, const struct workload_event *event)
{
    struct replay_session *session = rh_replay_find_session(replay, event->session);
    struct item *item = session ? session->first : NULL;
    while (item && (item->is_end || item->request != event->request))
        item = item->next;
    if (event->request == 0 || !item || item->is_done) {
        replay->result->cancels_not_needed++;
        return;
    }
    item->is_cancelled = true;
    item->cancel_after_us = event->at_us - item->at_us;
    if (item->is_sent)
        rh_cancel_arm(session, item);
}

void rh_cancel_leave(const struct replay_session *session)
{
    for (struct cancel *it = session->replay->cancels; it; it = it->next)
        if (it->session == session)
            it->session = NULL;
}

void rh_cancel_free_all(struct replay *replay)
{
    while (replay->cancels)
        free_cancel(replay->cancels);
}
