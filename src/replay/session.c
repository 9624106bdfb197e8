/* One session of the recording, again: its login, its requests when they are due, its end. */
#include "replay/replay_int.h"

#include "base/clock.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* More of a COPY's data waits with us until the server has taken some. */
#define UNSENT_MAX ((size_t)1024 * 1024)
/* Nobody is in, and so many were refused one after the other: the target lets nobody in any more.
 */
#define REFUSALS_MAX 20
/* Refused for want of room (53300) although others of ours are there, or one has left so short ago:
   again so often, for so long. A backend is gone within milliseconds, but on a busy machine. */
#define TOO_MANY_CONNECTIONS "53300"
#define LEAVE_US INT64_C(2000000)
#define COME_BACK_EVERY_US INT64_C(10000)
#define COME_BACK_MAX_US INT64_C(15000000)
/* Settings and prepared statements of one session. */
#define PROLOGUE_BYTES_MAX ((size_t)64 * 1024 * 1024)

static void on_ready(void *context);
static void on_drained(void *context);
static void on_closed(void *context, const struct err *err);

static const struct pg_client_handler *handler_of(struct replay *replay)
{
    struct pg_client_handler *handler = &replay->handler;
    if (handler->ready)
        return handler;
    for (const char *type = "CIsEZGTn123VHdc"; *type; type++)
        rh_pg_type_set_add(&handler->collect, (unsigned char)*type);
    rh_pg_type_set_add(&handler->streamed, 'D');
    handler->collect_max = PG_LOGIN_COLLECT_MAX;
    handler->ready = on_ready;
    handler->message = rh_session_message;
    handler->part = rh_session_part;
    handler->drained = on_drained;
    handler->closed = on_closed;
    return handler;
}

/* --- a session's start ------------------------------------------------------------------------ */

/* Of what the server reported at the start, what a client may set: where the role or the database
   has settings of its own in production alone, the session shall have them here too. */
static const char *const carried[] = {"client_encoding", "DateStyle", "IntervalStyle", "TimeZone",
                                      "search_path"};

static bool has_setting(const struct workload_session *begun, const char *name)
{
    for (size_t i = 0; i < begun->startup.count; i++)
        if (strcasecmp(begun->startup.items[i].name, name) == 0)
            return true;
    return false;
}

static void set_login(struct replay_session *session, const struct workload_session *begun)
{
    struct arena *arena = session->arena;
    VEC(struct pg_login_setting) settings = {0};
    for (size_t i = 0; i < begun->startup.count; i++) {
        const struct workload_setting *it = &begun->startup.items[i];
        /* Options of the protocol (_pq_.) are for what we do not speak. */
        if (strncmp(it->name, "_pq_.", 5) != 0 && strcasecmp(it->name, "replication") != 0)
            *RH_PUSH(arena, &settings) = (struct pg_login_setting){
                rh_arena_strdup(arena, it->name), rh_arena_strdup(arena, it->value)};
    }
    for (size_t i = 0; i < begun->reported.count; i++) {
        const struct workload_setting *it = &begun->reported.items[i];
        for (size_t k = 0; k < sizeof(carried) / sizeof(*carried); k++)
            if (strcasecmp(it->name, carried[k]) == 0 && !has_setting(begun, it->name))
                *RH_PUSH(arena, &settings) = (struct pg_login_setting){
                    carried[k], rh_arena_strdup(arena, it->value)};
    }
    if (session->replay->options->is_read_only)
        *RH_PUSH(arena, &settings) = (struct pg_login_setting){"default_transaction_read_only",
                                                               "on"};
    session->login.settings = settings.items;
    session->login.setting_count = settings.count;
}

/* What brings it into its state; a batch that is not closed gets its Sync. */
static void set_prologue(struct replay_session *session, const struct workload_session *begun)
{
    bool is_open = false;
    rh_buf_init(&session->prologue, PROLOGUE_BYTES_MAX);
    for (size_t i = 0; i < begun->prologue.count; i++) {
        const struct workload_message *it = &begun->prologue.items[i];
        size_t at = session->prologue.len + 5;
        if (it->is_redacted || it->left_out_bytes > 0) {
            session->replay->result->gaps[it->is_redacted ? GAP_REDACTED : GAP_LEFT_OUT]++;
            continue;
        }
        if (is_open && it->type == 'Q') {
            rh_pg_encode_message(&session->prologue, 'S', (struct text){"", 0});
            session->prologue_readies++;
            at += 5;
        }
        rh_pg_encode_message(&session->prologue, (char)it->type, it->body);
        if (session->oids && !session->prologue.failed)
            (void)rh_oid_map_message(session->replay->oids, session->oids, it->type,
                                     session->prologue.data + at, it->body.len);
        if (session->id_session && !session->prologue.failed)
            rh_ids_take_message(session, NULL, it->type, session->prologue.data + at, it->body.len,
                                0);
        session->prologue_readies += it->type == 'Q' || it->type == 'S';
        is_open = it->type != 'Q' && it->type != 'S';
    }
    if (is_open) {
        rh_pg_encode_message(&session->prologue, 'S', (struct text){"", 0});
        session->prologue_readies++;
    }
    if (begun->is_midway && begun->lacks && begun->lacks[0])
        session->replay->result->gaps[GAP_MIDWAY]++;
}

/* As many as there is room for are connected; who comes then waits until somebody has gone. */
static void begin(struct replay_session *session)
{
    struct replay *replay = session->replay;
    if ((size_t)replay->connected >= replay->room) {
        session->order_next = NULL;
        if (replay->full_last)
            replay->full_last->order_next = session;
        else
            replay->full_first = session;
        replay->full_last = session;
        return;
    }
    if (++replay->connected > replay->result->sessions_most_at_once)
        replay->result->sessions_most_at_once = replay->connected;
    rh_session_connect(session);
}

/* It is connected no more. */
static void leave_room(struct replay *replay)
{
    struct replay_session *first = replay->full_first;
    replay->connected--;
    if (!first)
        return;
    replay->full_first = first->order_next;
    if (!replay->full_first)
        replay->full_last = NULL;
    begin(first);
}

static void on_due(void *context)
{
    struct replay_session *session = context;
    if (session->state == SESSION_BEGINS)
        begin(session);
    else
        rh_session_advance(session);
}

static void link_session(struct replay *replay, struct replay_session *session)
{
    struct replay_session **slot = &replay->hash[session->number & replay->hash_mask];
    session->hash_next = *slot;
    *slot = session;
    session->next = replay->sessions;
    if (replay->sessions)
        replay->sessions->previous = session;
    replay->sessions = session;
    replay->live++;
}

/* When it may begin: at its time; without a schedule when as many sessions have ended as had in the
   recording, so that never more are there at once than there were. */
static void begin_when_due(struct replay_session *session)
{
    struct replay *replay = session->replay;
    if (!replay->is_begun || (!rh_replay_is_paced(replay) && !replay->begin_first &&
                              replay->ended >= session->begin_after)) {
        begin(session);
    } else if (rh_replay_is_paced(replay)) {
        rh_due_heap_set(&replay->heap, &session->due, rh_replay_schedule(replay, session->at_us));
    } else {
        session->order_next = NULL;
        if (replay->begin_last)
            replay->begin_last->order_next = session;
        else
            replay->begin_first = session;
        replay->begin_last = session;
    }
}

struct replay_session *rh_session_new(struct replay *replay, const struct workload_session *begun,
                                      int64_t at_us)
{
    struct replay_session *session = calloc(1, sizeof(*session));
    if (!session)
        RH_PANIC("out of memory for a session");
    session->replay = replay;
    session->number = begun->number;
    session->at_us = at_us;
    session->due.fn = on_due;
    session->due.context = session;
    session->arena = rh_arena_new();
    session->begin_after = replay->ended_recorded;
    session->user = rh_replay_user(replay, begun->user ? begun->user : "");
    if (rh_oid_map_is_needed(replay->oids))
        session->oids = rh_oid_session_new();
    if (replay->ids)
        session->id_session = rh_id_session_new();
    set_login(session, begun);
    set_prologue(session, begun);
    link_session(replay, session);
    begin_when_due(session);
    return session;
}

void rh_session_connect(struct replay_session *session)
{
    struct replay *replay = session->replay;
    const struct url_upstream *target = replay->options->target;
    session->state = SESSION_CONNECTS;
    session->login.user = session->user->login;
    session->login.database = target->database;
    session->login.password = target->password;
    session->connect_us = rh_clock_mono().us;
    replay->logins++;
    session->client = rh_pg_client_open(replay->loop, replay->dialer, &session->login, 0,
                                        handler_of(replay), session);
}

void rh_session_play(struct replay_session *session)
{
    struct replay *replay = session->replay;
    session->state = SESSION_PLAYS;
    replay->playing++;
    rh_buf_deinit(&session->prologue);
    rh_arena_free(session->arena);
    session->arena = NULL;
    session->heard_us = session->free_us = rh_replay_virtual(replay, rh_clock_mono().us);
    if (replay->is_begun)
        rh_session_advance(session);
    else
        rh_replay_check_end(replay);
}

static void on_ready(void *context)
{
    struct replay_session *session = context;
    struct replay *replay = session->replay;
    replay->logins--;
    replay->refusals = 0;
    session->user->is_proven = true;
    replay->result->gaps[GAP_USERS] += session->user->is_replaced;
    rh_histogram_add(&replay->result->login_us, rh_clock_mono().us - session->connect_us);
    if (session->prologue_readies > 0) {
        session->state = SESSION_PROLOGUE;
        rh_pg_client_send(session->client, rh_buf_text(&session->prologue));
    } else {
        rh_session_play(session);
    }
    rh_replay_rearm(replay);
}

/* --- items ------------------------------------------------------------------------------------ */

void rh_item_free(struct item *item)
{
    rh_cancel_disarm(item);
    free(item->bytes);
    free(item->steps);
    free(item->recorded);
    free(item->needs);
    free(item->turns);
    free(item->marks);
    free(item->outcomes);
    free(item->places);
    free(item->ids);
    rh_buf_deinit(&item->rows);
    free(item);
}

static void feed(struct replay_session *session)
{
    session->replay->hungry -= session->is_hungry;
    session->is_hungry = false;
}

void rh_session_append(struct replay_session *session, struct item *item)
{
    struct replay *replay = session->replay;
    feed(session);
    item->taken_us = rh_clock_mono().us;
    if (session->last)
        session->last->next = item;
    else
        session->first = item;
    session->last = item;
    if (!session->unsent)
        session->unsent = item;
    if (!session->unanswered)
        session->unanswered = item;
    replay->ahead_bytes += item->memory;
    replay->ahead_items++;
    if (session->unsent == item)
        rh_session_advance(session);
}

void rh_session_settle(struct replay_session *session)
{
    struct replay *replay = session->replay;
    for (struct item *it; (it = session->first) && it->is_done &&
                          (it->is_answered || session->source_ended || replay->source_is_over);) {
        session->first = it->next;
        if (!session->first)
            session->last = NULL;
        if (session->last_sent == it)
            session->last_sent = NULL;
        if (session->unanswered == it)
            session->unanswered = it->next;
        replay->ahead_bytes -= it->memory;
        if (it->id_count > 0)
            rh_ids_pair(session, it);
        rh_measure_item(session, it);
        rh_item_free(it);
    }
}

/* --- sending ---------------------------------------------------------------------------------- */

/* The answers that its client had heard are in, and the server is where it was then. */
static bool may_go(const struct replay_session *session, const struct item *item)
{
    const struct item *flying = session->flying;
    if (flying && flying->request <= item->waits_for)
        return false;
    if (session->cancels_under_way > 0 || rh_pg_client_unsent(session->client) > UNSENT_MAX)
        return false;
    if (!flying)
        return true;
    /* Data of a COPY goes when the server asks for it. */
    if (item->is_copy && !session->is_in_copy && !session->is_skipping)
        for (const struct item *it = flying; it && it != item; it = it->next)
            if (!it->is_copy)
                return false;
    const struct item *before = session->last_sent;
    return !(before && before->is_flush && !before->is_done && !session->is_skipping &&
             !(item->is_copy && session->is_in_copy));
}

/* The intended start, and when it may be sent as far as time goes; virtual. */
static int64_t due_of(const struct replay_session *session, struct item *item)
{
    const struct replay *replay = session->replay;
    if (!rh_replay_is_paced(replay))
        return item->intended_us = 0;
    int64_t schedule_us = rh_replay_schedule(replay, item->at_us);
    int64_t heard_us = session->heard_us;
    if (item->is_dependent)
        heard_us += rh_replay_scaled(replay, item->gap_us);
    item->intended_us = item->is_dependent && heard_us > schedule_us ? heard_us : schedule_us;
    return heard_us > schedule_us ? heard_us : schedule_us;
}

/* Nothing of it can be sent, or it is data for a COPY that is no more. */
static bool is_void(const struct replay_session *session, const struct item *item)
{
    return item->length == 0 ||
           (item->is_copy && !session->flying && !session->is_in_copy && !item->expects_ready);
}

/* Data of a COPY that was sent: there may be any amount of it before the COPY is answered. */
static void forget_data(struct replay_session *session, struct item *item, struct item *before)
{
    struct replay *replay = session->replay;
    if (!before || before->next != item)
        return;
    before->next = item->next;
    session->last_sent = before;
    if (session->last == item)
        session->last = before;
    if (session->unanswered == item)
        session->unanswered = item->next;
    replay->flying--;
    replay->ahead_bytes -= item->memory;
    rh_item_free(item);
}

static void send_item(struct replay_session *session, struct item *item, int64_t due_us)
{
    struct replay *replay = session->replay;
    int64_t now_us = rh_clock_mono().us, now_virtual = rh_replay_virtual(replay, now_us);
    int64_t could_us = due_us > session->free_us ? due_us : session->free_us;
    int64_t late_us = rh_replay_is_paced(replay) && now_virtual > could_us ? now_virtual - could_us
                                                                           : 0;
    struct item *before = session->last_sent;
    session->unsent = item->next;
    session->last_sent = item;
    item->is_sent = true;
    item->sent_us = now_us;
    item->intended_us = rh_replay_is_paced(replay) ? now_us - (now_virtual - item->intended_us)
                                                   : now_us;
    replay->ahead_items--;
    replay->flying++;
    if (!session->flying)
        session->flying = item;
    if (rh_replay_is_paced(replay)) {
        rh_histogram_add(&replay->result->late_us, late_us);
        replay->late_sum_us += late_us;
    }
    replay->result->requests++;
    rh_cancel_arm(session, item);
    rh_order_wait_sent(replay, item);
    if (item->place_count > 0)
        rh_ids_turn(replay, item);
    rh_pg_client_send(session->client, (struct text){item->bytes, item->length});
    free(item->bytes);
    item->bytes = NULL;
    replay->ahead_bytes -= item->length;
    item->memory -= item->length;
    /* Data has no answer of its own. */
    if (item->is_copy && !item->expects_ready && session->flying == item)
        rh_session_item_done(session, item);
    else if (item->is_copy && !item->expects_ready)
        forget_data(session, item, before);
}

static bool is_waiting_for_order(struct replay_session *session, struct item *item)
{
    struct replay *replay = session->replay;
    if (item->need_count + item->place_count == 0 || session->has_escaped ||
        replay->options->order_wait_us < 0)
        return false;
    if (rh_order_wait_has(replay, item)) {
        if (session->is_order_waiting)
            rh_order_wait_remove(session);
        return false;
    }
    if (!session->is_order_waiting)
        rh_order_wait_add(session);
    return true;
}

void rh_session_advance(struct replay_session *session)
{
    struct replay *replay = session->replay;
    while (session->state == SESSION_PLAYS && replay->is_begun && session->unsent) {
        struct item *item = session->unsent;
        if (!may_go(session, item))
            return;
        int64_t due_us = due_of(session, item);
        if (rh_replay_is_paced(replay) && due_us > rh_replay_virtual(replay, rh_clock_mono().us)) {
            rh_due_heap_set(&replay->heap, &session->due, due_us);
            return;
        }
        if (is_waiting_for_order(session, item))
            return;
        if (item->is_end) {
            rh_session_end(session);
            return;
        }
        if (is_void(session, item)) {
            session->unsent = item->next;
            replay->ahead_items--;
            rh_session_item_done(session, item);
        } else {
            send_item(session, item, due_us);
        }
    }
    /* Without a schedule nobody else looks whether there is more. */
    if (session->state == SESSION_PLAYS && !session->unsent && !session->is_hungry &&
        !rh_replay_is_paced(replay) && replay->is_begun && !replay->source_is_over) {
        session->is_hungry = true;
        replay->hungry++;
        replay->more_items += READY_ITEMS;
        rh_due_heap_set(&replay->heap, &replay->fill_due, INT64_MIN);
    }
}

static void on_drained(void *context)
{
    struct replay_session *session = context;
    session->free_us = rh_replay_virtual(session->replay, rh_clock_mono().us);
    rh_session_advance(session);
    rh_replay_rearm(session->replay);
}

/* --- its end ---------------------------------------------------------------------------------- */

static void begin_next(struct replay *replay)
{
    struct replay_session *first;
    while ((first = replay->begin_first) && replay->ended >= first->begin_after) {
        replay->begin_first = first->order_next;
        if (!replay->begin_first)
            replay->begin_last = NULL;
        begin(first);
    }
}

static void drop_items(struct replay_session *session)
{
    struct replay *replay = session->replay;
    for (struct item *it = session->first, *next; it; it = next) {
        next = it->next;
        replay->ahead_bytes -= it->memory;
        replay->ahead_items -= !it->is_sent && !it->is_done;
        replay->flying -= it->is_sent && !it->is_done;
        replay->result->gaps[GAP_UNFINISHED] += it->is_sent && !it->is_done;
        replay->result->gaps[GAP_REQUESTS_LOST] += !it->is_sent && !it->is_done && !it->is_end;
        if (it->is_done && it->id_count > 0)
            rh_ids_pair(session, it);
        else
            rh_ids_lose(replay, it);
        if (it->is_done)
            rh_measure_item(session, it);
        rh_order_wait_done(replay, it);
        rh_item_free(it);
    }
    session->unanswered = NULL;
    session->first = session->flying = session->unsent = session->last = session->last_sent = NULL;
}

void rh_session_end(struct replay_session *session)
{
    struct replay *replay = session->replay;
    if (session->state == SESSION_IS_OVER)
        return;
    feed(session);
    bool was_connected = session->state != SESSION_BEGINS;
    replay->playing -= session->state == SESSION_PLAYS;
    session->state = SESSION_IS_OVER;
    rh_due_heap_remove(&replay->heap, &session->due);
    if (session->is_order_waiting)
        rh_order_wait_remove(session);
    rh_pg_client_free(session->client);
    session->client = NULL;
    drop_items(session);
    rh_cancel_leave(session);
    session->touched.count = 0;
    replay->live--;
    replay->ended++;
    replay->left_us = rh_clock_mono().us;
    if (was_connected)
        leave_room(replay);
    begin_next(replay);
    if (session->source_ended || replay->source_is_over)
        rh_session_free(session);
    rh_replay_check_end(replay);
}

static bool is_refusal_of_role(const struct err *err)
{
    return (err->code == RH_ERR_SERVER && strncmp(err->sqlstate, "28", 2) == 0) ||
           (err->code == RH_ERR_CONNECTION && strstr(err->message, "asks for the password"));
}

/* A server counts a session until its process is gone, a moment after we have left; and somebody
   else may be there for a while. It is asked again as long as one of ours leaves room. */
static bool comes_back(struct replay_session *session, const struct err *err)
{
    struct replay *replay = session->replay;
    int64_t now_us = rh_clock_mono().us;
    bool may_find_room = replay->connected > 1 ||
                         (replay->ended > 0 && now_us - replay->left_us < LEAVE_US);
    if (strcmp(err->sqlstate, TOO_MANY_CONNECTIONS) != 0 || !may_find_room)
        return false;
    if (session->refused_us == 0)
        session->refused_us = now_us;
    if (now_us - session->refused_us > COME_BACK_MAX_US)
        return false;
    rh_pg_client_free(session->client);
    session->client = NULL;
    session->state = SESSION_BEGINS;
    leave_room(replay);
    rh_due_heap_set(&replay->heap, &session->due,
                    rh_replay_virtual(replay, now_us) + COME_BACK_EVERY_US);
    rh_replay_rearm(replay);
    return true;
}

static void on_closed(void *context, const struct err *err)
{
    struct replay_session *session = context;
    struct replay *replay = session->replay;
    bool was_login = session->state == SESSION_CONNECTS;
    replay->logins -= was_login;
    if (was_login && is_refusal_of_role(err) &&
        rh_replay_user_refused(replay, session->user, session->login.user)) {
        rh_pg_client_free(session->client);
        rh_session_connect(session);
        return;
    }
    if (was_login && comes_back(session, err))
        return;
    replay->result->gaps[was_login ? GAP_SESSIONS_REFUSED : GAP_SESSIONS_LOST]++;
    if (!replay->result->ended_why.code)
        replay->result->ended_why = *err;
    if (was_login && ++replay->refusals >= REFUSALS_MAX && replay->playing == 0)
        rh_replay_give_up(replay, err);
    rh_session_end(session);
    rh_replay_rearm(replay);
}

void rh_session_free(struct replay_session *session)
{
    struct replay *replay = session->replay;
    struct replay_session **slot = &replay->hash[session->number & replay->hash_mask];
    while (*slot != session)
        slot = &(*slot)->hash_next;
    *slot = session->hash_next;
    if (session->previous)
        session->previous->next = session->next;
    else
        replay->sessions = session->next;
    if (session->next)
        session->next->previous = session->previous;
    session->order_next = replay->graveyard;
    replay->graveyard = session;
}

void rh_session_bury(struct replay *replay)
{
    for (struct replay_session *it = replay->graveyard, *next; it; it = next) {
        next = it->order_next;
        rh_pg_client_free(it->client);
        rh_due_heap_remove(&replay->heap, &it->due);
        rh_buf_deinit(&it->prologue);
        rh_arena_free(it->arena);
        rh_oid_session_free(it->oids);
        rh_id_session_free(it->id_session);
        rh_order_touched_deinit(&it->touched);
        rh_row_digest_stream_free(it->stream);
        free(it);
    }
    replay->graveyard = NULL;
}
