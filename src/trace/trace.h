/*
 * Running the migration under tap and observer, and the trace that comes of it.
 *
 * rh_trace_run is the whole of it: for each step it drives the SQL file or the wrapped command
 * through the tap, joins frontend messages, evidence from inside, boundary reads, samples and the
 * server's log into statements, and returns when the migration ended, failed, crashed the server or
 * timed out. A failing migration is a trace, not an error. It judges nothing.
 */
#ifndef RH_TRACE_TRACE_H
#define RH_TRACE_TRACE_H

#include "base/err.h"
#include "base/progress.h"
#include "model/trace.h"
#include "sandbox/sandbox.h"
#include "trace/migration.h"

#include <jansson.h>

struct trace_options {
    struct sandbox *sandbox; /* ready */
    const struct engine *engine;
    const struct migration *migration;
    const char *const
        *environment; /* extra "NAME=TEMPLATE" for commands, NULL-terminated, may be NULL */
    bool no_isolation;
    const char *output_path; /* log of the commands' output; NULL: none kept */
    struct progress *progress;
    /* Everything as observed, in order: one JSON object per call (borrowed). NULL: not wanted. */
    void (*event)(void *context, json_t *event);
    void *event_context;
};

/* `trace` is initialised by the callee; its texts lie in `arena`. */
enum err_code rh_trace_run(const struct trace_options *options, struct arena *arena,
                           struct trace *ret_trace, struct err *err) RH_MUST_CHECK;

#endif
