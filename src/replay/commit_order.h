/*
 * The order of commits that sessions saw of each other, by table.
 *
 * A statement that touches a table may be sent when the replay has committed every transaction
 * that the recording had committed before that statement was sent, of those that wrote the table;
 * of those that touched it at all, when the statement itself writes it. So nobody reads what is
 * not there yet, and nobody writes over what somebody still had to read. Tables that no pattern
 * writes are not looked at.
 *
 * Statements that write a table are also sent in their order, whoever sends them, and behind those
 * whose answers were there already: who came first to a row's lock in the recording comes first
 * here. (Without it pgbench's hot rows are locked in another order now and then, and the session
 * that is waited for waits itself for a lock.)
 *
 * A transaction that is prepared ends with its COMMIT PREPARED or ROLLBACK PREPARED, in whatever
 * session; that one waits for the PREPARE TRANSACTION.
 *
 * It is fed in the order of the recording (intake) and told what the replay has done; it knows no
 * sessions and no clock. Each table has three lines: of all its transactions and of those that
 * wrote it, numbered as their commits were recorded, and of the statements that write it, numbered
 * as they were sent; a line knows up to which number all are done. Names are as the texts have
 * them: a schema is dropped, so that "t" and "s.t" are one table, which is the careful reading.
 * Pure.
 */
#ifndef RH_REPLAY_COMMIT_ORDER_H
#define RH_REPLAY_COMMIT_ORDER_H

#include "model/workload.h"

struct commit_order;

/* What a request must wait for: number `upto` of a line. */
struct order_need {
    uint32_t line;
    uint64_t upto;
};
/* What the end of a transaction, or a statement that was sent, brings. */
struct order_mark {
    uint32_t line;
    uint64_t number;
};

/* What a recorded transaction has touched so far; of a session; zero is empty. */
struct order_touched {
    uint32_t *tables; /* index << 1 | wrote */
    size_t count, capacity;
};
void rh_order_touched_deinit(struct order_touched *touched);

struct commit_order *rh_commit_order_new(const struct workload_pattern *const *patterns,
                                         size_t count);
void rh_commit_order_free(struct commit_order *order); /* NULL allowed */

/* Does the pattern touch a table that matters? Cheap: most requests of most workloads end here. */
bool rh_commit_order_matters(const struct commit_order *order, uint32_t pattern);
/* What one request needs, and its turns: marks that are done when it was sent. */
#define ORDER_NEEDS_MAX 64
struct order_request {
    struct order_need needs[ORDER_NEEDS_MAX]; /* beyond, the first ones stand for all */
    struct order_mark turns[ORDER_NEEDS_MAX];
    size_t need_count, turn_count;
};
/* The request executes the pattern: adds to what its transaction touched, and to `request`. */
void rh_commit_order_request(struct commit_order *order, uint32_t pattern,
                             struct order_touched *touched, struct order_request *request);
/* A request was answered in the recording: the marks of its turns' tables go into `marks`, of the
   same number; they are done with the request. */
void rh_commit_order_answered(struct commit_order *order, const struct order_mark *turns,
                              size_t count, struct order_mark *marks);
/* The transaction ended in the recording: its numbers, and *touched is empty again. malloc'ed
   array, NULL for none. */
struct order_mark *rh_commit_order_end(struct commit_order *order, struct order_touched *touched,
                                       size_t *ret_count);

/* May the pattern hold a command of two-phase commit (sql/two_phase.h)? */
bool rh_commit_order_may_prepare(const struct commit_order *order, uint32_t pattern);
/* The session's transaction was prepared in the recording, under that name: it keeps what *touched
   holds, which is empty again. *ret_mark is done with the request. False: too many are prepared. */
bool rh_commit_order_prepare(struct commit_order *order, struct text name,
                             struct order_touched *touched, struct order_mark *ret_mark);
/* The request ends the prepared transaction of that name: adds to `request` that it is prepared. */
void rh_commit_order_need_prepared(struct commit_order *order, struct text name,
                                   struct order_request *request);
/* It was ended in the recording: as rh_commit_order_end. */
struct order_mark *rh_commit_order_end_prepared(struct commit_order *order, struct text name,
                                                size_t *ret_count);

/* The replay is done with it. True: a line moved on, somebody may go. */
bool rh_commit_order_done(struct commit_order *order, const struct order_mark *marks, size_t count);
bool rh_commit_order_has(const struct commit_order *order, const struct order_need *needs,
                         size_t count);

#endif
