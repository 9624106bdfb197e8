/*
 * The parts of a replay: what the recording holds becomes sessions with items (intake.c), a
 * session plays its items against the server (session.c, session_answers.c), what waits for other
 * sessions' commits (order_wait.c), values that the server makes (ids.c), cancel requests
 * (cancels.c), the sums (measure.c), what the target is (target.c), and the whole (replay.c).
 *
 *   events ──► items:  first ··· flying ··· unsent ··· last
 *                      done, its   sent, not   not sent
 *                      recorded    answered    yet
 *                      answer not
 *                      read yet
 *
 * An item is compared and freed when it is done here and its answer in the recording was read.
 * Times of the schedule are virtual: the monotonic clock plus the idle time that was passed over.
 */
#ifndef RH_REPLAY_REPLAY_INT_H
#define RH_REPLAY_REPLAY_INT_H

#include "model/row_digest.h"
#include "net/pg_client.h"
#include "replay/commit_order.h"
#include "replay/due_heap.h"
#include "replay/id_texts.h"
#include "replay/oid_map.h"
#include "replay/replay.h"

/* At the greatest speed: requests ready to be sent, in all, and that many more each time that a
   session had none although others had (REPLAY_AHEAD_BYTES bounds them all). */
#define READY_ITEMS 4096

/* Something that is executed, and where it stands among its request's executions. */
struct replay_step {
    uint32_t pattern, index;
};

struct outcome {
    struct workload_result result;
    int64_t first_us, complete_us, service_us;
};

/* A message of an item that says values which the server makes. */
struct id_place {
    size_t offset; /* of the message in the item's bytes */
    struct id_statement statement;
};

struct cancel;

struct item {
    struct item *next;
    bool is_end; /* of the session */
    uint64_t request;
    int64_t at_us;      /* recorded */
    uint64_t waits_for; /* the last request whose answer the client had heard; 0 */
    int64_t gap_us;     /* since then, recorded */
    bool is_dependent;  /* the client's next step: see replay.h */
    size_t memory;      /* what it was counted as, for REPLAY_AHEAD_BYTES */

    char *bytes; /* messages as they go; NULL once sent */
    size_t length;
    bool expects_ready; /* ends in Q, F or a Sync that the server will answer */
    bool is_flush, is_copy, is_simple;
    unsigned acks; /* answers of the server until a Flush is dealt with */
    struct replay_step *steps;
    size_t step_count, step_at;
    size_t recorded_executions; /* that its messages ask for, those not sent included */

    bool is_answered; /* by the recording */
    struct workload_result *recorded;
    size_t recorded_count;

    struct order_need *needs;
    size_t need_count;
    struct order_mark *marks; /* done with it */
    size_t mark_count;
    struct order_mark *turns; /* done when it was sent */
    size_t turn_count;
    bool has_had_turns;

    struct id_place *places; /* until it is sent */
    size_t place_count;
    struct workload_id *ids; /* recorded of its results; values lie behind them */
    size_t id_count;
    uint32_t last_domain; /* of those that name no key */
    bool has_moved_ids;   /* it says, or its rows told, others than in the recording */
    struct buf rows;      /* that came, as far as ids may be in them (ids.c) */
    size_t row_at;        /* the row under way begins there */

    bool is_sent, is_done;
    int64_t taken_us; /* when it was read */
    int64_t intended_us, sent_us, first_us;
    struct outcome *outcomes;
    size_t outcome_count, outcome_capacity;
    bool is_cancelled; /* in the recording, while it ran */
    int64_t cancel_after_us;
    bool cancel_was_sent;
    struct cancel *cancel;
};

enum session_state {
    SESSION_BEGINS, /* waits for its time */
    SESSION_CONNECTS,
    SESSION_PROLOGUE, /* is being brought into its state */
    SESSION_PLAYS,
    SESSION_IS_OVER /* ended, refused or lost: the rest of its events are passed over */
};

struct user_slot {
    const char *recorded, *login;
    bool is_given;               /* by the user: no other is tried */
    bool is_replaced, is_proven; /* somebody got in by that name */
};

struct replay_session {
    struct replay *replay;
    struct replay_session *hash_next;
    struct replay_session *previous, *next; /* of all */
    uint64_t number;
    enum session_state state;
    struct due due;
    int64_t at_us; /* when it began in the recording */

    /* login */
    struct user_slot *user;
    struct arena *arena; /* settings and prologue; until it plays */
    struct pg_login_options login;
    struct buf prologue;
    size_t prologue_readies;
    struct pg_client *client;
    int64_t refused_us;              /* for the first time for want of room; 0 */
    int64_t connect_us, begin_after; /* ended sessions that there were before it */

    /* intake */
    uint64_t heard_request; /* the last request that was answered in the recording */
    int64_t heard_at_us;
    bool is_in_transaction;
    bool source_ended;
    struct order_touched touched;
    struct oid_session *oids;
    struct id_session *id_session;
    uint32_t last_domain; /* of the value that a sequence gave it last, in the recording */

    /* items */
    struct item *first, *flying, *unsent, *last;
    struct item *unanswered; /* the first whose recorded answer was not read yet */
    struct item *last_sent;  /* NULL: none, or it was freed */
    int64_t heard_us;        /* of the replay: the last ReadyForQuery; virtual */
    int64_t free_us;         /* when the last thing that kept it back was out of the way; virtual */
    int64_t complete_us;     /* of the last execution; real */
    bool is_skipping;        /* after an error, up to the Sync */
    bool is_in_copy;         /* the server takes CopyData */
    unsigned cancels_under_way; /* until the server has dealt with them nothing is sent */

    /* the result under way */
    struct result_digest digest;
    struct row_digest_stream *stream; /* NULL until a row comes in pieces */
    int64_t returned;
    bool digest_failed;

    /* commit order */
    bool is_hungry;
    bool is_order_waiting;
    bool has_escaped; /* up to the end of its transaction: it would only wait again */
    int64_t order_since_us;
    struct replay_session *order_next;
};

struct order_wait;

struct replay {
    const struct replay_options *options;
    struct arena *arena;
    struct replay_result *result;
    struct loop *loop;
    struct dialer *dialer;
    struct pg_client_handler handler;
    struct due_heap heap;
    int timer_fd;
    struct loop_watch *timer_watch;
    int64_t armed_us; /* real; INT64_MAX: not armed */
    int64_t skipped_us;
    bool is_prepared, is_announced, is_begun, is_failed;
    int64_t zero_us; /* virtual: the recording's time 0 */
    int64_t began_us, ended_us;
    struct err failure;

    /* intake */
    const struct workload_event *pending; /* read, not dealt with yet */
    bool source_is_over;
    struct due fill_due;
    size_t ahead_bytes, ahead_items;
    size_t more_items; /* wanted ahead because some sessions are ahead of others */
    int64_t last_event_us;
    const char *database;
    int64_t ended_recorded;

    struct replay_session **hash;
    size_t hash_mask;
    struct replay_session *sessions;
    int64_t live, ended, playing; /* sessions */
    int64_t hungry;               /* that have nothing to send, without a schedule */
    int64_t connected;            /* or about to be; never more than `room` */
    int64_t recorded;             /* of those that are replayed: not ended in the recording */
    int64_t left_us;              /* when the last one ended */
    int64_t logins;               /* under way */
    int64_t refusals;             /* logins in a row that failed, nobody having got in */
    size_t flying;                /* items */
    struct replay_session *begin_first, *begin_last; /* by order_next: wait for others to end */
    struct replay_session *full_first, *full_last;   /* by order_next: wait for room */
    struct replay_session *graveyard;                /* freed when no callback is on the stack */
    size_t room;

    VEC(struct user_slot *) users;
    char **roles; /* that may log in, sorted */
    size_t role_count;
    struct oid_map *oids;
    struct id_map *ids; /* NULL: the recording knows of no keys */
    struct id_texts *id_texts;
    struct commit_order *order;
    struct row_digest_key digest_key;

    struct replay_session *order_first, **order_last;
    struct due order_due;
    struct connection *watcher; /* attached to the loop; NULL: lock-blind */
    bool watcher_asks;
    int64_t asked_us, ask_every_us;
    struct cancel *cancels;

    int64_t late_sum_us, response_sum_us;
};

static inline int64_t rh_replay_virtual(const struct replay *replay, int64_t real_us)
{
    return real_us + replay->skipped_us;
}
static inline bool rh_replay_is_paced(const struct replay *replay)
{
    return replay->options->speed > 0;
}
/* Of a time of the recording, once it has begun; virtual. */
int64_t rh_replay_schedule(const struct replay *replay, int64_t at_us);
static inline int64_t rh_replay_scaled(const struct replay *replay, int64_t us)
{
    return rh_replay_is_paced(replay) ? (int64_t)((double)us / replay->options->speed) : us;
}

/* --- intake.c ---------------------------------------------------------------------------------
 */
/* Reads events as far as they are wanted now. */
void rh_replay_fill(struct replay *replay);
/* Only sessions from before the recording, up to the first other event. */
void rh_replay_fill_midway(struct replay *replay);
struct replay_session *rh_replay_find_session(const struct replay *replay, uint64_t number);

/* --- session.c --------------------------------------------------------------------------------
 */
struct replay_session *rh_session_new(struct replay *replay, const struct workload_session *begun,
                                      int64_t at_us);
void rh_session_connect(struct replay_session *session);
void rh_session_append(struct replay_session *session, struct item *item);
/* It is in its state. */
void rh_session_play(struct replay_session *session);
/* Sends what can be sent now. */
void rh_session_advance(struct replay_session *session);
/* It is out of the replay; its items are told. */
void rh_session_end(struct replay_session *session);
/* Frees what has ended: only when no callback of a session is on the stack. */
void rh_session_bury(struct replay *replay);
void rh_session_free(struct replay_session *session);
/* An item that is done and answered, at the front: is compared and goes. */
void rh_session_settle(struct replay_session *session);
void rh_item_free(struct item *item);

/* --- session_answers.c ------------------------------------------------------------------------
 */
void rh_session_message(void *context, const struct pg_message *message);
void rh_session_part(void *context, const struct pg_part *part);
/* Done without the server: dropped, or lost. */
void rh_session_item_done(struct replay_session *session, struct item *item);

/* --- ids.c ------------------------------------------------------------------------------------
 */
/* A message of the client, in its place: of the item's bytes at `offset`, with its head; of a
   prologue (item NULL) at `body`. */
void rh_ids_take_message(struct replay_session *session, struct item *item, unsigned char type,
                         char *body, size_t length, size_t offset);
/* An answer of the recording: what it tells is expected from now on. */
void rh_ids_expect(struct replay_session *session, const struct workload_event *event);
/* Those of results first .. first + count of the answer belong to the item. */
void rh_ids_give(struct replay_session *session, struct item *item,
                 const struct workload_event *event, size_t first, size_t count);
/* A piece of a row that came, before it is counted. */
void rh_ids_take_row(struct replay_session *session, const struct pg_part *part);
/* The body of a FunctionCallResponse. */
void rh_ids_take_value(struct replay_session *session, struct text body);
/* The item is done and was answered in the recording: what both were told is paired. */
void rh_ids_pair(struct replay_session *session, struct item *item);
/* Nothing will come of it. */
void rh_ids_lose(struct replay *replay, struct item *item);
/* It says a value that an answer under way will tell. */
bool rh_ids_are_awaited(const struct replay *replay, const struct item *item);
/* Puts the target's values in; to be called once, before it is sent. */
void rh_ids_turn(struct replay *replay, struct item *item);

/* --- order_wait.c -----------------------------------------------------------------------------
 */
void rh_order_wait_add(struct replay_session *session);
void rh_order_wait_remove(struct replay_session *session);
/* It was sent: whoever waited for its turn goes. */
void rh_order_wait_sent(struct replay *replay, struct item *item);
/* It is done, and so is its transaction: whoever waited for that goes. */
void rh_order_wait_done(struct replay *replay, struct item *item);
/* Somebody may have waited for what is there now. */
void rh_order_wait_look(struct replay *replay);
/* What it needs of others is there. */
bool rh_order_wait_has(const struct replay *replay, const struct item *item);
void rh_order_wait_due(void *context); /* a struct replay */

/* --- cancels.c --------------------------------------------------------------------------------
 */
/* The recording has a cancel request. */
void rh_cancel_event(struct replay *replay, const struct workload_event *event);
/* The item was sent; it is over. */
void rh_cancel_arm(struct replay_session *session, struct item *item);
void rh_cancel_disarm(struct item *item);
/* The session ends: what is under way for it goes on without it. */
void rh_cancel_leave(const struct replay_session *session);
void rh_cancel_free_all(struct replay *replay);

/* --- measure.c --------------------------------------------------------------------------------
 */
void rh_measure_item(struct replay_session *session, struct item *item);
void rh_measure_finish(struct replay *replay);

/* --- target.c ---------------------------------------------------------------------------------
 */
enum err_code rh_replay_look_at_target(struct replay *replay, struct mono deadline,
                                       struct err *err) RH_MUST_CHECK;
struct user_slot *rh_replay_user(struct replay *replay, const char *recorded);
/* A session did not get in as `used`; false: there is no other name to try. */
bool rh_replay_user_refused(struct replay *replay, struct user_slot *slot, const char *used);

/* --- replay.c ---------------------------------------------------------------------------------
 */
void rh_replay_rearm(struct replay *replay);
/* The target lets nobody in any more: an error while nobody ever was, else an early end. */
void rh_replay_give_up(struct replay *replay, const struct err *err);
/* Looks whether it is over. */
void rh_replay_check_end(struct replay *replay);

#endif
