/*
 * The same execution on baseline, twin and candidate, one right after the other in an order drawn
 * at random: what each answers, how long each takes, how each gets there.
 *
 * Executions go over the protocol as they were recorded: simple or extended, prepared under a name
 * once or each time, parameters and results in their own formats; answers that are looked at come
 * as text. What writes runs between BEGIN and ROLLBACK
 * on all sides; everything else in sessions that refuse to write (default_transaction_read_only).
 * Not undone are sequences, and what functions do outside of the database.
 *
 * Blocking, up to each statement's time-out and the user's interrupt.
 */
#ifndef RH_REPLAY_PAIRED_H
#define RH_REPLAY_PAIRED_H

#include "replay/paired_session.h"
#include "replay/sample.h"

#define PAIRED_CONNECT_US INT64_C(30000000)

struct paired;

struct paired_options {
    struct paired_place places[COMPARED_SIDES];
    const struct replay_sample *sample;
    struct random *random;
    int64_t statement_timeout_us;
};
/* `options` (and what it points to) stay valid until close. */
enum err_code rh_paired_open(const struct paired_options *options, struct paired **ret_paired,
                             struct err *err) RH_MUST_CHECK;
void rh_paired_close(struct paired *paired); /* NULL allowed */

/* New sessions on all sides, and so new server processes. */
enum err_code rh_paired_reconnect(struct paired *paired, struct err *err) RH_MUST_CHECK;

/* How one execution is run. */
struct paired_manner {
    uint32_t pattern;
    bool wraps;       /* BEGIN ... ROLLBACK around it */
    struct text text; /* in place of its own query; empty: its own */
};

/* On all sides in an order of chance; outcomes by side. */
enum err_code rh_paired_run(struct paired *paired, const struct sampled_execution *execution,
                            struct paired_manner manner, enum paired_look look, struct arena *arena,
                            struct paired_outcome ret_outcomes[COMPARED_SIDES],
                            struct err *err) RH_MUST_CHECK;
enum err_code rh_paired_run_on(struct paired *paired, enum compared_side side,
                               const struct sampled_execution *execution,
                               struct paired_manner manner, enum paired_look look,
                               struct arena *arena, struct paired_outcome *ret_outcome,
                               struct err *err) RH_MUST_CHECK;
/* Statements of ours in that side's session. RH_ERR_SERVER: it was refused. */
enum err_code rh_paired_say(struct paired *paired, enum compared_side side, const char *sql,
                            struct err *err) RH_MUST_CHECK;
/* The first value of what a query of ours gives; NULL: none. */
enum err_code rh_paired_ask(struct paired *paired, enum compared_side side, const char *sql,
                            struct arena *arena, const char **ret_value,
                            struct err *err) RH_MUST_CHECK;

enum paired_plan {
    PAIRED_PLAN_RUN,    /* with its parameters, and run: ANALYZE, BUFFERS; of what writes, WAL */
    PAIRED_PLAN_CUSTOM, /* with its parameters */
    PAIRED_PLAN_GENERIC /* as a cached plan for all parameters */
};
/* EXPLAIN (FORMAT JSON) of it. *ret_plan, owned by the caller, is NULL where there is none: the
   server refused, or it took too long. */
enum err_code rh_paired_explain(struct paired *paired, enum compared_side side,
                                const struct sampled_execution *execution,
                                struct paired_manner manner, enum paired_plan kind,
                                struct arena *arena, json_t **ret_plan,
                                struct err *err) RH_MUST_CHECK;

/* A statement of ours on the candidate, in a session of its own, as the user of its URL, that may
   write and take so long. RH_ERR_SERVER: it was refused. It runs in a transaction: of one that was
   not waited for (the user's interrupt) nothing stays, unless its end was asked for already.
   *ret_may_stand, set on errors too: it was. */
enum err_code rh_paired_alter(struct paired *paired, const char *sql, int64_t timeout_us,
                              bool *ret_may_stand, struct err *err) RH_MUST_CHECK;
/* One that takes back what may stand: neither the user's interrupt nor the clock of the run ends
   it. Blocks until the candidate is done with what else it was asked, at most. */
enum err_code rh_paired_undo(struct paired *paired, const char *sql, struct err *err) RH_MUST_CHECK;

/* The longest that one statement may take, on all sides, from now on. */
enum err_code rh_paired_set_timeout(struct paired *paired, int64_t timeout_us,
                                    struct err *err) RH_MUST_CHECK;
/* A role that the sessions ran under and that could not be taken here; NULL: none. */
const char *rh_paired_missing_role(const struct paired *paired);
/* This one could not be taken, the first time that it was wanted. */
bool rh_paired_lacks_role(const struct paired *paired, const char *role);

#endif
