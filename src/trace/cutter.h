/*
 * The cutter: an audience that counts the statements of a migration as they pass the tap, and cuts
 * the migration off at one of them: closes its connections, has the running statement cancelled, or
 * ends the server. Without a request it only looks: what was sent, and what failed.
 *
 * Statements are counted as the trace counts them, so that the index of one means the same
 * statement in both, as long as the client sends the same in the same order; where it does not, the
 * report says that the cut was not reached.
 *
 * A command of several transactions (CREATE INDEX CONCURRENTLY) is met between two of them,
 * whatever its speed: a transaction of ours that writes to its table is open before it begins, for
 * which it must wait once the first of its own is committed.
 *
 * Nothing of the migration reaches the server after a disconnection or a kill, also from clients
 * that connect again. After a cancel the client hears the server's answer and does what it does.
 */
#ifndef RH_TRACE_CUTTER_H
#define RH_TRACE_CUTTER_H

#include "model/repetition.h"
#include "trace/perform.h"

struct cut_request {
    enum cut_how how;   /* CUT_DISCONNECT: not in the middle */
    int after;          /* index of the statement that ends last; 0: none has */
    const char *tag;    /* as it was the first time; NULL: whatever it is */
    bool in_the_middle; /* of the statement that follows */
    const char *awaits; /* in the middle: tables whose writers it waits for, by commas; NULL */
    int64_t running_us; /* in the middle, without `awaits`: so long after it began */
};

struct cutter_options {
    const struct engine *engine;
    struct sandbox *sandbox;
    struct loop *loop;                 /* of the performance */
    const struct cut_request *request; /* NULL: only looks */
};

struct cutter_report {
    int64_t statements, ddl; /* sent; of them completed that define objects */
    bool was_cut;
    const char *reason;           /* why not, where it was asked to; NULL */
    struct server_message *error; /* that ended it: the last but for echoes of it; NULL: none */
    const char *error_sql;        /* in one line, without passwords */
    int64_t release_us;           /* a cancelled session's locks were gone by then; NOT_OBSERVED */
    int64_t ran_us;               /* the cancelled statement, until the request; NOT_OBSERVED */
};

struct cutter;

/* Connects to the sandbox where the request needs it. Blocking, with deadlines. The cutter and what
   it reports lie in `arena`. */
enum err_code rh_cutter_new(const struct cutter_options *options, struct arena *arena,
                            struct cutter **ret_cutter, struct err *err) RH_MUST_CHECK;
/* Once it has cut, the run's deadline (base/interrupt.h) is at most CUT_GRACE_US away, so that a
   client that goes on trying is ended: the caller sets its own one again afterwards. */
#define CUT_GRACE_US (INT64_C(5) * 1000 * 1000)
struct audience rh_cutter_audience(struct cutter *cutter);
/* After the performance. */
struct cutter_report rh_cutter_report(const struct cutter *cutter);
/* Closes its connections; before the loop is freed. NULL allowed. */
void rh_cutter_free(struct cutter *cutter);

#endif
