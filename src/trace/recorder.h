/*
 * The recorder: what the tap shows, what the server reports from inside, what the observer reads,
 * and the server's log, joined into the statements of a trace as they happen.
 *
 * It follows every session of the tap (trace/conversation.h), swallows the private reports, holds
 * ReadyForQuery while the session's locks are read, and keeps one book of locks per transaction. On
 * one loop; callbacks come from the tap and the observer. It starts and drives nothing, judges
 * nothing.
 *
 * Times in the trace are microseconds since `origin`: our own from the monotonic clock, the
 * server's by one offset of the wall clock (same host), never outside the statement they belong to.
 */
#ifndef RH_TRACE_RECORDER_H
#define RH_TRACE_RECORDER_H

#include "base/err.h"
#include "engine/engine.h"
#include "model/trace.h"
#include "net/loop.h"
#include "observe/observer.h"
#include "tap/tap.h"

#include <jansson.h>

struct recorder;

struct recorder_options {
    const struct engine *engine;
    struct loop *loop;
    struct trace *trace; /* its arena is set */
    const char *evidence_secret;
    const char *log_path;       /* of the server; NULL: not read */
    const char *data_directory; /* of the server, for disk growth; NULL: not measured */
    void (*event)(void *context, json_t *event); /* NULL: not wanted */
    void *event_context;
};

enum err_code rh_recorder_new(const struct recorder_options *options,
                              struct recorder **ret_recorder, struct err *err) RH_MUST_CHECK;
/* After the tap is gone. NULL allowed. */
void rh_recorder_free(struct recorder *recorder);

/* For rh_tap_new and rh_observer_new. */
struct tap_handler rh_recorder_tap_handler(struct recorder *recorder);
struct observer_handler rh_recorder_observer_handler(struct recorder *recorder);
/* Until it is set, and after rh_recorder_finish, nothing is held. */
void rh_recorder_set_observer(struct recorder *recorder, struct observer *observer);

/* Where the statements to come stand: step (index, -1 for none), line and column (0: unknown). */
void rh_recorder_set_place(struct recorder *recorder, int step, int line, int column);
/* As above for a client that sends the statements of a script in order, from `offset` on: they are
   looked up in it. */
void rh_recorder_set_script(struct recorder *recorder, int step, struct text script, size_t offset);
/* Sessions that open from now on have a client that looks at no row: rows end in the tap, so that a
   result is as large as it likes (no memory grows with it). */
void rh_recorder_set_drops_rows(struct recorder *recorder, bool drops_rows);

/* The migration starts now: sets trace->started_at, from which all times count. */
void rh_recorder_start(struct recorder *recorder);
/* Microseconds since then. */
int64_t rh_recorder_now(const struct recorder *recorder);
/* No statement runs, nothing is held, no answer is awaited. */
bool rh_recorder_is_idle(const struct recorder *recorder);
/* Sends an event of the caller's own, with "at_us" added; steals `event`. */
void rh_recorder_emit(struct recorder *recorder, const char *name, json_t *event);

/* The migration ended: statements still running stay unfinished, open transactions open; sums and
   notes are written. The tap's sessions may close afterwards, nothing is recorded any more. */
void rh_recorder_finish(struct recorder *recorder);

#endif
