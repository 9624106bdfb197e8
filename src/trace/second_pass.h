/*
 * The second pass: the same migration once more, on a fresh clone, going on behind every statement
 * that fails, so that one run lists every blocker of the whole release, whatever the tool.
 *
 * It is the audience of a performance (trace/perform.h). Each session is led statement by
 * statement: the client's messages wait in the tap until what came before is answered. Inside a
 * transaction a savepoint is set before each statement and released after it. When one fails, the
 * error is kept from the client, the savepoint rolled back, the engine's inquiry asked in that very
 * session and transaction (engine/inquiry.h), all of it rolled back, and the client is answered as
 * if the statement had succeeded. Outside a transaction the inquiry has one of its own.
 *
 * What the tool itself expects to fail goes through untouched: a query that asks whether something
 * exists, what it survived in the first pass, errors inside savepoints of its own that the first
 * pass did not die of; timeouts and deadlocks too. A session that does something we do not
 * understand is ended, and the pass says that it is incomplete, and why: never a hang, never a
 * guess.
 *
 * A statement that fails for want of what a skipped one would have made is not a failure of its
 * own: it needs that one.
 */
#ifndef RH_TRACE_SECOND_PASS_H
#define RH_TRACE_SECOND_PASS_H

#include "model/blocker.h"
#include "trace/perform.h"

/* Blockers listed; a release with more has one cause, seen in the first few. */
#define SECOND_PASS_BLOCKERS_MAX 100
/* Statements led; what comes behind passes as it is. */
#define SECOND_PASS_STATEMENTS_MAX 200000
/* How long one statement or question may take: a rewrite of some ten gigabytes fits in it, and a
   lock that is not free by then is held by another session of the same tool, for good. */
#define SECOND_PASS_ANSWER_MAX_US (INT64_C(300) * 1000 * 1000)
/* Bytes of one statement with its parameters. Larger ones pass unled. */
#define SECOND_PASS_MESSAGE_MAX ((size_t)16 * 1024 * 1024)

struct second_pass;

struct second_pass_options {
    const struct engine *engine;
    struct loop *loop;         /* that the performance runs on */
    struct arena *arena;       /* of the run: what is found lies in it */
    const struct trace *first; /* what the first pass saw */
    bool shows_values;         /* values of offending rows may stand in what is found */
    int64_t answer_max_us;     /* SECOND_PASS_ANSWER_MAX_US */
};

/* Whether the first pass ended with a failed statement behind which there may be more: no syntax
   error, timeout, deadlock or crash. */
bool rh_second_pass_is_wanted(const struct trace *first);

struct second_pass *rh_second_pass_new(const struct second_pass_options *options);
/* After the performance. NULL allowed. */
void rh_second_pass_free(struct second_pass *pass);
/* For rh_perform. */
struct audience rh_second_pass_audience(struct second_pass *pass);
/* What it found; `performance` tells whether it came to its end. Texts lie in the arena. */
struct blockers rh_second_pass_blockers(const struct second_pass *pass,
                                        const struct performance *performance);

#endif
