/* From the recording's events to items of sessions. */
#include "replay/replay_int.h"

#include "base/clock.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* A paced replay knows what is to come for so long. */
#define HORIZON_US INT64_C(1000000)
/* Looks at the recording so often, and takes at most so many events at a time: a few hundred
   microseconds, so that nobody is sent late for it. */
#define FILL_EVERY_US INT64_C(5000)
#define FILL_EVENTS 256
/* Without a schedule nobody can be late. */
#define FILL_EVENTS_UNPACED 4096
/* At the greatest speed: requests ready to be sent for each session, beside READY_ITEMS. */
#define READY_ITEMS_PER_SESSION 16
/* What an item with one result costs beside the bytes of its messages: four blocks of malloc. */
#define ITEM_OVERHEAD \
    (sizeof(struct item) + sizeof(struct workload_result) + sizeof(struct replay_step) + 4 * 16)

/* --- sessions --------------------------------------------------------------------------------- */

struct replay_session *rh_replay_find_session(const struct replay *replay, uint64_t number)
{
    struct replay_session *it = replay->hash[number & replay->hash_mask];
    while (it && it->number != number)
        it = it->hash_next;
    return it;
}

static const char *setting_of(const struct workload_session *begun, const char *name)
{
    for (size_t i = 0; i < begun->startup.count; i++)
        if (strcasecmp(begun->startup.items[i].name, name) == 0)
            return begun->startup.items[i].value;
    return NULL;
}

/* "" and "false" are what clients send that do not replicate. */
static bool replicates(const struct workload_session *begun)
{
    const char *value = setting_of(begun, "replication");
    return value && value[0] && strcasecmp(value, "false") != 0 && strcasecmp(value, "off") != 0 &&
           strcasecmp(value, "no") != 0 && strcmp(value, "0") != 0;
}

static void take_session(struct replay *replay, const struct workload_session *begun, int64_t at_us)
{
    replay->recorded++;
    rh_session_new(replay, begun, at_us);
}

static void take_begun(struct replay *replay, const struct workload_event *event)
{
    const struct workload_session *begun = event->begun;
    int64_t *gaps = replay->result->gaps;
    const char *database = begun->database ? begun->database : "";
    replay->result->sessions++;
    if (!replay->database)
        replay->database = rh_arena_strdup(replay->arena, database);
    if (strcmp(database, replay->database) != 0)
        gaps[GAP_SESSIONS_DATABASE]++;
    else if (replicates(begun))
        gaps[GAP_SESSIONS_REPLICATION]++;
    else if ((size_t)replay->recorded >= replay->room)
        gaps[GAP_SESSIONS_OVER]++;
    else
        take_session(replay, begun, event->at_us);
}

/* --- requests --------------------------------------------------------------------------------- */

struct making {
    struct replay *replay;
    struct replay_session *session;
    const struct workload_event *event;
    struct item *item;
    struct buf bytes;
    VEC(struct replay_step) steps;
    struct arena *arena;
    struct order_request order;
};

static const struct workload_pattern *pattern_of(const struct replay *replay, uint32_t number)
{
    return number > 0 && number <= replay->options->pattern_count
               ? replay->options->patterns[number - 1]
               : NULL;
}

/* What the parser did not know is sent: the transaction is read only, the server refuses it. */
static bool is_write(const struct replay *replay, uint32_t number)
{
    const struct workload_pattern *pattern = pattern_of(replay, number);
    return pattern && (pattern->flags & PATTERN_WRITES);
}

static bool is_execution(unsigned char type)
{
    return type == 'Q' || type == 'E' || type == 'F';
}

/* Why a message cannot go; REPLAY_GAPS: it can. */
static enum replay_gap obstacle(const struct making *making, const struct workload_message *message)
{
    if (message->is_redacted)
        return GAP_REDACTED;
    if (message->left_out_bytes > 0 && message->type != 'd')
        return GAP_LEFT_OUT;
    if (making->replay->options->is_read_only && is_execution(message->type) &&
        is_write(making->replay, message->pattern))
        return GAP_WRITES;
    return REPLAY_GAPS;
}

static void *copy_of(const void *items, size_t count, size_t size)
{
    if (count == 0)
        return NULL;
    void *copy = malloc(count * size);
    if (!copy)
        RH_PANIC("out of memory for a request");
    memcpy(copy, items, count * size);
    return copy;
}

/* The query that an Execute runs, where its Parse is in the same batch: nobody prepares a statement
   of two-phase commit for later, as each has a text of its own. */
static struct text query_of(const struct workload_event *event,
                            const struct workload_message *message)
{
    struct pg_parse_message parse;
    if (message->type == 'Q')
        return (struct text){message->body.data, strnlen(message->body.data, message->body.len)};
    while (message-- > event->messages)
        if (message->type == 'P')
            return rh_pg_decode_parse(message->body, &parse) ? rh_text(parse.query)
                                                             : (struct text){"", 0};
    return (struct text){"", 0};
}

static void find_two_phase(struct making *making, const struct workload_message *message)
{
    struct item *item = making->item;
    struct text name;
    if (item->two_phase || !rh_commit_order_may_prepare(making->replay->order, message->pattern))
        return;
    item->two_phase = rh_sql_two_phase(query_of(making->event, message), &name);
    if (!item->two_phase)
        return;
    item->two_phase_name = (struct text){copy_of(name.data, name.len, 1), name.len};
    if (item->two_phase == TWO_PHASE_ENDS)
        rh_commit_order_need_prepared(making->replay->order, name, &making->order);
}

static void add_step(struct making *making, const struct workload_message *message)
{
    struct item *item = making->item;
    if (!is_execution(message->type))
        return;
    *RH_PUSH(making->arena, &making->steps) = (struct replay_step){
        message->pattern, (uint32_t)item->recorded_executions,
        message->type == 'E' && rh_portals_is_binary(&making->session->portals, message->body)};
    rh_commit_order_request(making->replay->order, message->pattern, &making->session->touched,
                            &making->order);
    find_two_phase(making, message);
}

/* Of data that was cut: up to its last line. Binary data has no such place, and goes on as it is
   until the server says that it ends too early. */
static struct text whole_lines(struct text data)
{
    while (data.len > 0 && data.data[data.len - 1] != '\n')
        data.len--;
    return data;
}

static void add_message(struct making *making, const struct workload_message *message)
{
    struct item *item = making->item;
    struct text body = message->body;
    if (message->type == 'd' && message->left_out_bytes > 0) {
        making->replay->result->gaps[GAP_COPY_CUT]++;
        body = whole_lines(body);
    }
    size_t at = making->bytes.len + 5;
    rh_pg_encode_message(&making->bytes, (char)message->type, body);
    if (making->session->oids && !making->bytes.failed)
        (void)rh_oid_map_message(making->replay->oids, making->session->oids, message->type,
                                 making->bytes.data + at, body.len);
    if (making->session->id_session && !making->bytes.failed)
        rh_ids_take_message(making->session, item, message->type, making->bytes.data + at, body.len,
                            at - 5);
    if (making->replay->options->about->widens_integers)
        rh_portals_take(&making->session->portals, message->type, message->body);
    add_step(making, message);
    item->acks += message->type == 'P' || message->type == 'B' || message->type == 'C' ||
                  message->type == 'D' || message->type == 'E';
}

/* A message that cannot go. Of a batch the others go: what follows a statement that is not there
   fails as it would anywhere, and says so. */
static void leave_out(struct making *making, enum replay_gap gap)
{
    making->replay->result->gaps[gap]++;
}

static void finish_making(struct making *making, const struct workload_event *event)
{
    struct item *item = making->item;
    struct replay_session *session = making->session;
    unsigned char first = event->messages[0].type;
    unsigned char last = event->messages[event->message_count - 1].type;
    item->length = making->bytes.len;
    item->bytes = copy_of(making->bytes.data, item->length, 1);
    rh_buf_deinit(&making->bytes);
    item->steps = copy_of(making->steps.items, making->steps.count, sizeof(struct replay_step));
    item->step_count = making->steps.count;
    item->needs = copy_of(making->order.needs, making->order.need_count, sizeof(struct order_need));
    item->need_count = making->order.need_count;
    item->turns = copy_of(making->order.turns, making->order.turn_count, sizeof(struct order_mark));
    item->turn_count = making->order.turn_count;
    item->is_copy = first == 'd' || first == 'c' || first == 'f';
    item->is_simple = first == 'Q' || first == 'F';
    item->is_flush = last == 'H';
    item->expects_ready = (last == 'S' || last == 'Q' || last == 'F') && item->length > 0;
    item->waits_for = session->heard_request;
    item->gap_us = event->at_us - session->heard_at_us;
    item->is_dependent = session->heard_request > 0 &&
                         (session->is_in_transaction || item->gap_us <= REPLAY_THINK_US);
    item->memory = ITEM_OVERHEAD + item->length;
}

static void take_request(struct replay *replay, struct replay_session *session,
                         const struct workload_event *event)
{
    RH_CLEANUP_ARENA struct arena *arena = event->message_count > 1 ? rh_arena_new() : NULL;
    struct making making;
    struct item *item = calloc(1, sizeof(*item));
    struct replay_step single;
    if (!item)
        RH_PANIC("out of memory for a request");
    making.replay = replay;
    making.session = session;
    making.event = event;
    making.arena = arena;
    making.item = item;
    making.steps.items = NULL;
    making.steps.count = making.steps.capacity = 0;
    making.order.need_count = making.order.turn_count = 0; /* the arrays are filled as needed */
    if (!arena) {
        making.steps.items = &single;
        making.steps.capacity = 1;
    }
    item->request = event->request;
    item->at_us = event->at_us;
    rh_buf_init(&making.bytes, SIZE_MAX / 2);
    for (size_t i = 0; i < event->message_count; i++) {
        const struct workload_message *message = &event->messages[i];
        enum replay_gap gap = obstacle(&making, message);
        if (gap == REPLAY_GAPS)
            add_message(&making, message);
        else
            leave_out(&making, gap);
        item->recorded_executions += is_execution(message->type);
    }
    finish_making(&making, event);
    rh_session_append(session, item);
}

/* --- answers ---------------------------------------------------------------------------------- */

/* Done with the item, which may be so already; without one at once. */
static void add_marks(struct replay *replay, struct item *item, const struct order_mark *marks,
                      size_t count)
{
    struct item nobody = {.is_done = true};
    if (count == 0)
        return;
    if (!item)
        item = &nobody;
    item->marks = realloc(item->marks, (item->mark_count + count) * sizeof(*marks));
    if (!item->marks)
        RH_PANIC("out of memory for the order of commits");
    memcpy(item->marks + item->mark_count, marks, count * sizeof(*marks));
    item->mark_count += count;
    if (item->is_done)
        rh_order_wait_done(replay, item);
}

static void mark_answered(struct replay *replay, struct item *item)
{
    struct order_mark marks[ORDER_NEEDS_MAX];
    rh_commit_order_answered(replay->order, item->turns, item->turn_count, marks);
    add_marks(replay, item, marks, item->turn_count);
}

/* Results go to the items that asked for them, in order; the last of these, NULL for none. Of a
   COPY by the extended protocol the Sync that is answered is another than the one that the
   statement was sent with. */
static struct item *spread_results(struct replay_session *session,
                                   const struct workload_event *event)
{
    struct item *last = NULL;
    size_t at = 0;
    for (struct item *it = session->unanswered; it && !it->is_end && it->request <= event->request;
         it = it->next) {
        size_t left = event->result_count - at;
        size_t count = it->is_simple || it->request == event->request ? left
                       : it->recorded_executions < left               ? it->recorded_executions
                                                                      : left;
        it->recorded = copy_of(event->results + at, count, sizeof(*it->recorded));
        it->recorded_count = count;
        if (event->id_count > 0 && session->replay->ids)
            rh_ids_give(session, it, event, at, count);
        it->is_answered = true;
        mark_answered(session->replay, it);
        at += count;
        last = it;
        session->unanswered = it->next;
    }
    return last;
}

static bool has_failed(const struct workload_event *event)
{
    for (size_t i = 0; i < event->result_count; i++)
        if (event->results[i].sqlstate[0])
            return true;
    return false;
}

/* A transaction that was prepared is over when it is ended, by whatever session. */
static void answer_two_phase(struct replay *replay, struct replay_session *session,
                             struct item *item)
{
    struct order_mark mark, *marks = NULL;
    size_t count = 0;
    if (item->two_phase == TWO_PHASE_PREPARES) {
        if (rh_commit_order_prepare(replay->order, item->two_phase_name, &session->touched, &mark))
            add_marks(replay, item, &mark, 1);
        return;
    }
    marks = rh_commit_order_end_prepared(replay->order, item->two_phase_name, &count);
    add_marks(replay, item, marks, count);
    free(marks);
}

static void take_answer(struct replay *replay, struct replay_session *session,
                        const struct workload_event *event)
{
    bool is_over = event->transaction_status == 'I' || event->transaction_status == 0;
    if (replay->ids)
        rh_ids_expect(session, event);
    struct item *item = spread_results(session, event);
    session->heard_request = event->request;
    session->heard_at_us = event->at_us;
    session->is_in_transaction = !is_over;
    if (item && item->two_phase && is_over && !has_failed(event))
        answer_two_phase(replay, session, item);
    if (is_over && session->touched.count > 0) {
        size_t count = 0;
        struct order_mark *marks = rh_commit_order_end(replay->order, &session->touched, &count);
        add_marks(replay, item, marks, count);
        free(marks);
    }
    rh_session_settle(session);
}

static struct item *new_end(const struct replay_session *session, int64_t at_us)
{
    struct item *item = calloc(1, sizeof(*item));
    if (!item)
        RH_PANIC("out of memory for the end of a session");
    item->is_end = true;
    item->request = UINT64_MAX;
    item->at_us = at_us;
    item->waits_for = session->heard_request;
    item->gap_us = at_us - session->heard_at_us;
    item->memory = ITEM_OVERHEAD;
    return item;
}

static void take_ended(struct replay_session *session, int64_t at_us)
{
    session->source_ended = true;
    rh_session_append(session, new_end(session, at_us));
}

/* --- events ----------------------------------------------------------------------------------- */

static void take_event(struct replay *replay, const struct workload_event *event)
{
    struct replay_session *session = event->kind == WORKLOAD_SESSION_BEGUN
                                         ? NULL
                                         : rh_replay_find_session(replay, event->session);
    replay->last_event_us = event->at_us;
    if (event->kind == WORKLOAD_SESSION_ENDED) {
        replay->ended_recorded++;
        replay->recorded -= session != NULL;
    }
    if (event->kind == WORKLOAD_CANCEL) {
        rh_cancel_event(replay, event);
        return;
    }
    if (event->kind == WORKLOAD_SESSION_BEGUN) {
        take_begun(replay, event);
        return;
    }
    if (!session) {
        replay->ended += event->kind == WORKLOAD_SESSION_ENDED;
        return;
    }
    if (session->state == SESSION_IS_OVER) {
        replay->result->gaps[GAP_REQUESTS_LOST] += event->kind == WORKLOAD_REQUEST;
        if (event->kind == WORKLOAD_SESSION_ENDED)
            rh_session_free(session);
        return;
    }
    if (event->kind == WORKLOAD_REQUEST && event->message_count > 0)
        take_request(replay, session, event);
    else if (event->kind == WORKLOAD_ANSWER)
        take_answer(replay, session, event);
    else if (event->kind == WORKLOAD_SESSION_ENDED)
        take_ended(session, event->at_us);
}

/* A recording that ends before its sessions do: so they end with it. */
static void end_source(struct replay *replay)
{
    replay->source_is_over = true;
    for (struct replay_session *it = replay->sessions, *next; it; it = next) {
        next = it->next;
        if (it->state == SESSION_IS_OVER)
            rh_session_free(it);
        else if (!it->source_ended)
            take_ended(it, replay->last_event_us);
    }
    rh_replay_check_end(replay);
}

static bool peek(struct replay *replay)
{
    struct err err = RH_ERR_INIT;
    if (replay->pending)
        return true;
    if (replay->source_is_over || replay->is_failed)
        return false;
    if (replay->options->source.next(replay->options->source.context, &replay->pending, &err)) {
        rh_replay_fail(replay, &err);
        return false;
    }
    if (!replay->pending)
        end_source(replay);
    return replay->pending != NULL;
}

static bool is_wanted(const struct replay *replay, const struct workload_event *event,
                      int64_t now_us)
{
    if (replay->ahead_bytes >= REPLAY_AHEAD_BYTES)
        return false;
    if (rh_replay_is_paced(replay))
        return rh_replay_schedule(replay, event->at_us) <=
               rh_replay_virtual(replay, now_us) + HORIZON_US;
    /* What a session that is ahead of the others needs lies further on. */
    return replay->hungry > 0 || replay->flying + (size_t)replay->logins == 0 ||
           replay->ahead_items <
               READY_ITEMS + replay->more_items + READY_ITEMS_PER_SESSION * (size_t)replay->live;
}

void rh_replay_fill(struct replay *replay)
{
    int64_t now_us = rh_clock_mono().us;
    unsigned most = rh_replay_is_paced(replay) ? FILL_EVENTS : FILL_EVENTS_UNPACED, taken = 0;
    while (taken < most && peek(replay) && is_wanted(replay, replay->pending, now_us)) {
        const struct workload_event *event = replay->pending;
        replay->pending = NULL;
        take_event(replay, event);
        taken++;
    }
    if (!replay->source_is_over && !replay->is_failed)
        rh_due_heap_set(&replay->heap, &replay->fill_due,
                        rh_replay_virtual(replay, now_us) + (taken == most ? 0 : FILL_EVERY_US));
}

void rh_replay_fill_midway(struct replay *replay)
{
    while (peek(replay) && replay->pending->kind == WORKLOAD_SESSION_BEGUN &&
           replay->pending->begun->is_midway) {
        const struct workload_event *event = replay->pending;
        replay->pending = NULL;
        take_event(replay, event);
    }
}
