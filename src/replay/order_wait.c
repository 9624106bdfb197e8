/*
 * Sessions whose next statement waits for commits of others. They go when those are in; when
 * order_wait_us has passed; or as soon as it is known that they hold a lock that somebody waits
 * for: the one they wait for may be among them, and then neither would ever go on.
 */
#include "replay/replay_int.h"

#include "base/clock.h"

#include <stdlib.h>

/* How often waiting sessions are looked at, and from when on locks are asked about: statements of
   an application take less. */
#define LOOK_EVERY_US INT64_C(2000)
#define ASK_LOCKS_AFTER_US INT64_C(2000)
/* Asking costs the server something: where nothing came of it the next question comes after twice
   the time, up to this. */
#define ASK_EVERY_MAX_US INT64_C(64000)

void rh_order_wait_add(struct replay_session *session)
{
    struct replay *replay = session->replay;
    session->is_order_waiting = true;
    session->order_since_us = rh_clock_mono().us;
    session->order_next = NULL;
    *replay->order_last = session;
    replay->order_last = &session->order_next;
    replay->result->order_waits++;
    if (replay->order_due.place == 0)
        rh_due_heap_set(&replay->heap, &replay->order_due,
                        rh_replay_virtual(replay, session->order_since_us) + LOOK_EVERY_US);
}

void rh_order_wait_remove(struct replay_session *session)
{
    struct replay *replay = session->replay;
    struct replay_session **place = &replay->order_first;
    while (*place != session)
        place = &(*place)->order_next;
    *place = session->order_next;
    if (replay->order_last == &session->order_next)
        replay->order_last = place;
    session->is_order_waiting = false;
    int64_t now_us = rh_clock_mono().us;
    replay->result->order_wait_us += now_us - session->order_since_us;
    session->free_us = rh_replay_virtual(replay, now_us);
}

/* Sessions that may go: found first, for going changes the list. */
typedef bool may_go_fn(const struct replay *replay, const struct replay_session *session,
                       int64_t now_us);

static void let_go(struct replay *replay, may_go_fn *may_go, bool is_escape, int64_t *counter)
{
    int64_t now_us = rh_clock_mono().us;
    struct replay_session *going = NULL, **last = &going;
    for (struct replay_session *it = replay->order_first, *next; it; it = next) {
        next = it->order_next;
        if (!may_go(replay, it, now_us))
            continue;
        rh_order_wait_remove(it);
        it->has_escaped = it->has_escaped || is_escape;
        if (counter)
            ++*counter;
        it->order_next = NULL;
        *last = it;
        last = &it->order_next;
    }
    for (struct replay_session *it = going, *next; it; it = next) {
        next = it->order_next;
        rh_session_advance(it);
    }
}

static bool has_order(const struct replay *replay, const struct replay_session *session,
                      int64_t now_us)
{
    const struct item *item = session->unsent;
    (void)now_us;
    return !item || rh_order_wait_has(replay, item);
}

bool rh_order_wait_has(const struct replay *replay, const struct item *item)
{
    return (item->need_count == 0 ||
            rh_commit_order_has(replay->order, item->needs, item->need_count)) &&
           (item->place_count == 0 || !rh_ids_are_awaited(replay, item));
}

/* Not at once: who is told of it is in the middle of something. */
void rh_order_wait_look(struct replay *replay)
{
    if (replay->order_first)
        rh_due_heap_set(&replay->heap, &replay->order_due, INT64_MIN);
}

static void take_marks(struct replay *replay, const struct order_mark *marks, size_t count)
{
    if (rh_commit_order_done(replay->order, marks, count))
        rh_order_wait_look(replay);
}

void rh_order_wait_sent(struct replay *replay, struct item *item)
{
    if (item->turn_count > 0 && !item->has_had_turns)
        take_marks(replay, item->turns, item->turn_count);
    item->has_had_turns = true;
}

void rh_order_wait_done(struct replay *replay, struct item *item)
{
    rh_order_wait_sent(replay, item);
    if (item->mark_count > 0)
        take_marks(replay, item->marks, item->mark_count);
    free(item->marks);
    item->marks = NULL;
    item->mark_count = 0;
}

static bool has_waited_long(const struct replay *replay, const struct replay_session *session,
                            int64_t now_us)
{
    int64_t limit_us = replay->options->order_wait_us ? replay->options->order_wait_us
                                                      : REPLAY_ORDER_WAIT_US;
    return now_us - session->order_since_us >= limit_us;
}

/* --- locks ------------------------------------------------------------------------------------ */

/* "{12,34}" */
static bool names_pid(const char *list, int64_t pid)
{
    struct text rest = rh_text(list);
    int64_t number;
    while (rest.len > 0) {
        rest.data++;
        rest.len--;
        if (rh_text_take_int64(&rest, &number) && number == pid)
            return true;
    }
    return false;
}

static void on_waiters(void *context, struct rows **rows, const struct err *err)
{
    struct replay *replay = context;
    replay->watcher_asks = false;
    if (err)
        return;
    int64_t now_us = rh_clock_mono().us;
    struct replay_session *going = NULL;
    replay->ask_every_us = replay->ask_every_us < ASK_EVERY_MAX_US / 2 ? 2 * replay->ask_every_us
                                                                       : ASK_EVERY_MAX_US;
    for (struct replay_session *it = replay->order_first, *next; it; it = next) {
        next = it->order_next;
        int64_t pid = it->client ? rh_pg_client_key(it->client)->pid : 0;
        bool blocks = false;
        for (size_t i = 0; i < rh_rows_count(*rows) && pid; i++) {
            const char *list = rh_rows_value(*rows, i, 1);
            blocks = blocks || (list && names_pid(list, pid));
        }
        if (!blocks || now_us - it->order_since_us < ASK_LOCKS_AFTER_US)
            continue;
        rh_order_wait_remove(it);
        it->has_escaped = true;
        replay->result->order_escapes_lock++;
        replay->ask_every_us = ASK_LOCKS_AFTER_US;
        it->order_next = going;
        going = it;
    }
    for (struct replay_session *it = going, *next; it; it = next) {
        next = it->order_next;
        rh_session_advance(it);
    }
    rh_replay_rearm(replay);
}

static void ask_locks(struct replay *replay, int64_t now_us)
{
    if (!replay->watcher || replay->watcher_asks ||
        now_us - replay->asked_us < replay->ask_every_us)
        return;
    replay->watcher_asks = true;
    replay->asked_us = now_us;
    replay->options->engine->send_query(replay->watcher, ENGINE_QUERY_LOCK_WAITERS, NULL, 0,
                                        on_waiters, replay);
}

void rh_order_wait_due(void *context)
{
    struct replay *replay = context;
    let_go(replay, has_order, false, NULL);
    let_go(replay, has_waited_long, true, &replay->result->order_escapes_deadline);
    const struct replay_session *oldest = replay->order_first;
    if (!oldest)
        return;
    int64_t now_us = rh_clock_mono().us;
    if (now_us - oldest->order_since_us >= ASK_LOCKS_AFTER_US)
        ask_locks(replay, now_us);
    rh_due_heap_set(&replay->heap, &replay->order_due,
                    rh_replay_virtual(replay, now_us) + LOOK_EVERY_US);
}
