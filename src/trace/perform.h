/*
 * Performing a migration: its steps in order, on a sandbox, through a tap, each as its user would
 * run it, stopping at the first that fails. Whoever wants to see or to change what passes is the
 * audience; the trace (trace/trace.h) is one of them.
 *
 * Blocking, until the migration's end, the clock of the run or the user's interrupt. A step that
 * fails is a result, not an error.
 */
#ifndef RH_TRACE_PERFORM_H
#define RH_TRACE_PERFORM_H

#include "base/err.h"
#include "base/progress.h"
#include "sandbox/sandbox.h"
#include "tap/tap.h"
#include "trace/migration.h"

struct performance_options {
    struct sandbox *sandbox; /* ready, its server up */
    const struct engine *engine;
    const struct migration *migration;
    const char *const
        *environment; /* extra "NAME=TEMPLATE" for commands, NULL-terminated, may be NULL */
    bool no_isolation;
    const char *output_path;   /* log of the commands' output; NULL: none kept */
    struct progress *progress; /* NULL: silent */
    struct loop *loop;         /* that the audience lives on; NULL: one of its own */
};

/* All callbacks are optional; they come from the loop's thread. */
struct audience {
    void *context; /* of the callbacks below; the handler has its own */
    struct tap_handler handler;
    /* Where the statements to come stand: step (-1 for none), line and column (0: unknown). */
    void (*place)(void *context, int step, int line, int column);
    /* As above for a client that sends the statements of a script in order, from `offset` on. */
    void (*script)(void *context, int step, struct text script, size_t offset);
    /* A session opens next whose client looks at no row (true), or has opened (false). */
    void (*drops_rows)(void *context, bool drops_rows);
    void (*step_started)(void *context, int step);
    void (*step_ended)(void *context, int step, bool ok, int exit_status);
    /* False while something is still awaited that must come before the step counts as ended. */
    bool (*is_idle)(const void *context);
    /* It is over; sessions that are still open are closed next. Not called when it never began. */
    void (*ended)(void *context);
};

struct performed_step {
    bool reached, ok;
    int exit_status;    /* of a command or psql, -1 for none */
    struct err failure; /* what the client of a SQL file heard last; code RH_OK: nothing bad */
};

struct performance {
    VEC(struct performed_step) steps; /* as many as the migration has */
    bool server_died;
    bool timed_out, interrupted; /* the clock or the user ended it: the last reached step is cut */
};

/* All steps ran well. */
bool rh_performance_is_ok(const struct performance *performance);

/* For an audience's session_opened: no row reaches the client of this session, whatever its size.
 */
void rh_perform_drop_rows(struct tap_session *session);

/* Errors are of our own making (no socket, no process); *ret_performance lies in `arena` and is
   filled as far as it came, whatever is returned. `audience` NULL: nobody looks. */
enum err_code rh_perform(const struct performance_options *options, const struct audience *audience,
                         struct arena *arena, struct performance *ret_performance,
                         struct err *err) RH_MUST_CHECK;

#endif
