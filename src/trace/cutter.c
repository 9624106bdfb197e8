#include "trace/cutter.h"

#include "base/interrupt.h"
#include "sandbox/restart.h"
#include "trace/conversation.h"
#include "trace/redact.h"
#include "trace/server_message.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Of a message's body: SQL for a report, an error. */
#define BODY_MAX (64 * 1024)
/* Of a statement, in one line. */
#define SQL_COLUMNS_MAX 200
/* Kept in memory; a client that fails more often has said all it has to say. */
#define ERRORS_MAX 1000
/* Our own queries answer in less than a millisecond. */
#define ANSWER_MAX_US (INT64_C(10) * 1000 * 1000)
/* Between two looks at a statement that is to be cut in its middle. */
#define LOOK_US 1000
/* A command that waits for a transaction of ours does so milliseconds after it began, once it has
   its own lock. */
#define AWAIT_MAX_US (INT64_C(5) * 1000 * 1000)
/* Looking again and again without a pause between: the time to give locks back is exact to one
   answer, and meanwhile nothing is relayed. */
#define WATCH_RELEASE_US (200 * 1000)
#define RELEASE_MAX_US (INT64_C(60) * 1000 * 1000)

enum phase {
    PHASE_COUNTING,  /* waits for the boundary */
    PHASE_ARMED,     /* the next statement is to be cut in its middle */
    PHASE_INSIDE,    /* it runs */
    PHASE_RELEASING, /* it was cancelled and still holds locks */
    PHASE_CUT,       /* nothing passes any more */
    PHASE_OVER,      /* nothing is left to do */
};

struct cutter_session {
    struct cutter_session *next;
    struct cutter *cutter;
    struct tap_session *tap_session;
    struct conversation *conversation;
    int64_t pid;
    int running, last; /* index of the statement that runs (0: none), and of the one that ended */
    char last_tag[64];
    struct arena *arena; /* of the statement that runs */
    const char *sql;
    bool at_boundary; /* ReadyForQuery of the boundary, nothing sent ahead of it */
    bool is_pipelined;
};

struct cutter {
    struct cutter_options options;
    struct cut_request request;
    struct arena *arena; /* the caller's */
    enum phase phase;
    struct cutter_session *sessions;
    struct cutter_session *inside; /* that runs the statement to be cut in its middle */
    bool drops_rows;
    struct connection *watcher, *holder; /* NULL: not needed */
    bool is_holding;
    struct loop_timer *timer;
    struct mono began, asked; /* the statement to be cut; the cancel */

    int statements;
    int64_t ddl;
    bool was_cut;
    const char *reason;
    int64_t release_us, ran_us;
    int errors; /* kept so far */
    struct server_message *error;
    const char *error_sql;
};

/* --- what it does to the migration ---------------------------------------------------------------
 */

static void give_up(struct cutter *cutter, const char *reason)
{
    if (!cutter->reason)
        cutter->reason = reason;
}

static bool query(struct cutter *cutter, struct connection *connection, const char *sql)
{
    struct err err = RH_ERR_INIT;
    if (!cutter->options.engine->query(connection, sql, NULL, 0,
                                       rh_clock_after(rh_clock_mono(), ANSWER_MAX_US), NULL, &err))
        return true;
    give_up(cutter, rh_arena_strdup(cutter->arena, err.message));
    return false;
}

/* From here on whatever works in several transactions waits for us between two of them. */
static void hold(struct cutter *cutter)
{
    if (!cutter->request.awaits)
        return;
    cutter->is_holding = query(cutter, cutter->holder, "BEGIN") &&
                         query(cutter, cutter->holder,
                               cutter->options.engine->probe_write_sql(cutter->arena,
                                                                       cutter->request.awaits));
    if (!cutter->is_holding)
        cutter->phase = PHASE_OVER;
}

static void let_go(struct cutter *cutter)
{
    if (cutter->is_holding)
        (void)query(cutter, cutter->holder, "ROLLBACK");
    cutter->is_holding = false;
}

static void close_all(struct cutter *cutter)
{
    cutter->phase = PHASE_CUT;
    cutter->was_cut = true;
    rh_interrupt_set_deadline(
        rh_clock_earlier(rh_interrupt_deadline(), rh_clock_after(rh_clock_mono(), CUT_GRACE_US)));
    while (cutter->sessions)
        rh_tap_session_close(cutter->sessions->tap_session);
}

static void stop_looking(struct cutter *cutter)
{
    rh_loop_timer_stop(cutter->timer);
    let_go(cutter);
}

/* What the session of the statement does now; false when nobody can tell. */
struct look {
    bool is_running, awaits;
    int64_t locks;
};
static bool look(struct cutter *cutter, int64_t pid, struct look *ret_look)
{
    char number[24];
    const char *parameters[] = {number};
    RH_CLEANUP_ROWS struct rows *rows = NULL;
    struct err err = RH_ERR_INIT;
    snprintf(number, sizeof(number), "%lld", (long long)pid);
    if (cutter->options.engine->ask(cutter->watcher, ENGINE_QUERY_SESSION_LOCKS, parameters, 1,
                                    rh_clock_after(rh_clock_mono(), ANSWER_MAX_US), &rows, &err)) {
        give_up(cutter, rh_arena_strdup(cutter->arena, err.message));
        return false;
    }
    *ret_look = (struct look){.is_running = rh_rows_bool(rows, 0, 0),
                              .awaits = rh_rows_bool(rows, 0, 1),
                              .locks = rh_rows_int(rows, 0, 2, 0)};
    return true;
}

/* True once there is nothing more to wait for. */
static bool look_for_release(struct cutter *cutter, int64_t pid)
{
    struct look now;
    if (!look(cutter, pid, &now))
        return true;
    int64_t passed_us = rh_clock_mono().us - cutter->asked.us;
    if (now.locks == 0)
        cutter->release_us = passed_us;
    return now.locks == 0 || passed_us > RELEASE_MAX_US;
}

static void cancel(struct cutter *cutter)
{
    int64_t pid = cutter->inside->pid;
    bool is_over = false;
    cutter->asked = rh_clock_mono();
    cutter->ran_us = cutter->asked.us - cutter->began.us;
    if (!query(cutter, cutter->watcher, cutter->options.engine->cancel_sql(cutter->arena, pid))) {
        cutter->phase = PHASE_OVER;
        stop_looking(cutter);
        return;
    }
    cutter->phase = PHASE_RELEASING;
    while (!is_over && rh_clock_mono().us - cutter->asked.us < WATCH_RELEASE_US)
        is_over = look_for_release(cutter, pid);
    if (is_over) {
        cutter->phase = PHASE_OVER;
        stop_looking(cutter);
    }
}

static void on_look(void *context)
{
    struct cutter *cutter = context;
    const struct cut_request *request = &cutter->request;
    int64_t passed_us = rh_clock_mono().us - cutter->began.us;
    struct look now;
    if (!cutter->inside) {
        stop_looking(cutter);
        return;
    }
    if (cutter->phase == PHASE_RELEASING) {
        if (look_for_release(cutter, cutter->inside->pid)) {
            cutter->phase = PHASE_OVER;
            stop_looking(cutter);
        }
        return;
    }
    if (!request->awaits && passed_us < request->running_us)
        return;
    if (!look(cutter, cutter->inside->pid, &now) || (request->awaits && passed_us > AWAIT_MAX_US)) {
        give_up(cutter, "it was not seen between two of its transactions");
        cutter->phase = PHASE_OVER;
        stop_looking(cutter);
        return;
    }
    if (!now.is_running || (request->awaits && !now.awaits))
        return;
    if (request->how == CUT_CANCEL) {
        cancel(cutter);
        return;
    }
    cutter->is_holding = false; /* our transaction goes with the server */
    rh_loop_timer_stop(cutter->timer);
    rh_sandbox_crash(cutter->options.sandbox);
    close_all(cutter);
}

/* The boundary: `session` has been told nothing of it yet. */
static void reach_boundary(struct cutter *cutter, const struct cutter_session *session)
{
    const struct cut_request *request = &cutter->request;
    if (session->is_pipelined) {
        give_up(cutter, "the next statement had been sent already, in a pipeline");
        cutter->phase = PHASE_OVER;
        return;
    }
    if (request->tag && strcmp(session->last_tag, request->tag) != 0) {
        give_up(cutter, rh_arena_printf(cutter->arena,
                                        "it took another course: statement %d was %s, not %s",
                                        request->after, session->last_tag, request->tag));
        cutter->phase = PHASE_OVER;
        return;
    }
    if (request->in_the_middle) {
        cutter->phase = PHASE_ARMED;
        hold(cutter);
        return;
    }
    if (request->how == CUT_KILL)
        rh_sandbox_crash(cutter->options.sandbox);
    close_all(cutter);
}

/* --- what passes: members of conversation_handler ------------------------------------------------
 */

static void running_is(struct cutter_session *session, int index)
{
    struct cutter *cutter = session->cutter;
    session->running = index;
    if (cutter->phase == PHASE_ARMED && index == cutter->request.after + 1) {
        cutter->phase = PHASE_INSIDE;
        cutter->inside = session;
        cutter->began = rh_clock_mono();
        rh_loop_timer_start(cutter->timer, LOOK_US, LOOK_US);
    }
}

static int on_begun(void *context, const struct conversation_statement *begun)
{
    struct cutter_session *session = context;
    int index = ++session->cutter->statements;
    rh_arena_clear(session->arena);
    session->sql = rh_redact_sql(session->arena, begun->sql);
    session->last_tag[0] = '\0';
    running_is(session, index);
    return index;
}

static void on_resumed(void *context, int token)
{
    struct cutter_session *session = context;
    session->running = token;
}

static bool defines_objects(struct text tag)
{
    static const char *const words[] = {
        "CREATE ", "ALTER ",  "DROP ",    "TRUNCATE",       "COMMENT", "GRANT",  "REVOKE",
        "REINDEX", "REFRESH", "REASSIGN", "SECURITY LABEL", "IMPORT",  "CLUSTER"};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (tag.len >= strlen(words[i]) && memcmp(tag.data, words[i], strlen(words[i])) == 0)
            return true;
    return false;
}

static void on_completed(void *context, struct text tag, int64_t rows, int64_t at_us)
{
    struct cutter_session *session = context;
    (void)rows;
    (void)at_us;
    session->cutter->ddl += defines_objects(tag);
    snprintf(session->last_tag, sizeof(session->last_tag), "%.*s", (int)tag.len, tag.data);
}

static void on_failed(void *context, const struct pg_message *error, bool has_statement,
                      int64_t at_us)
{
    struct cutter_session *session = context;
    struct cutter *cutter = session->cutter;
    (void)at_us;
    if (cutter->phase == PHASE_CUT || cutter->errors++ >= ERRORS_MAX)
        return;
    struct server_message message = rh_server_message_read(cutter->arena, error->body);
    /* query_canceled */
    if (session == cutter->inside && cutter->asked.us > 0 && strcmp(message.sqlstate, "57014") == 0)
        cutter->was_cut = true;
    /* in_failed_sql_transaction: what comes behind the error that counts */
    if (strcmp(message.sqlstate, "25P02") == 0 && cutter->error)
        return;
    cutter->error = RH_NEW(cutter->arena, struct server_message);
    *cutter->error = message;
    cutter->error_sql = has_statement && session->sql
                            ? rh_text_one_line(cutter->arena, rh_text(session->sql),
                                               SQL_COLUMNS_MAX)
                            : NULL;
}

static void on_ended(void *context, bool ok, bool suspended, int64_t at_us)
{
    struct cutter_session *session = context;
    struct cutter *cutter = session->cutter;
    (void)ok;
    (void)at_us;
    if (suspended)
        return;
    if (cutter->inside == session && session->running == cutter->request.after + 1) {
        if (!cutter->was_cut)
            give_up(cutter, "it had ended before it could be cut");
        else if (cutter->release_us == NOT_OBSERVED)
            (void)look_for_release(cutter, session->pid);
        cutter->phase = PHASE_OVER;
        cutter->inside = NULL;
        stop_looking(cutter);
    }
    session->last = session->running;
    session->running = 0;
}

static void on_ready(void *context, char status, bool pipelined, int64_t at_us)
{
    struct cutter_session *session = context;
    struct cutter *cutter = session->cutter;
    (void)status;
    (void)at_us;
    session->is_pipelined = pipelined;
    session->at_boundary = cutter->options.request && cutter->phase == PHASE_COUNTING &&
                           session->last == cutter->request.after && session->last > 0;
}

/* --- the tap -------------------------------------------------------------------------------------
 */

static void session_opened(void *context, struct tap_session *tap_session)
{
    struct cutter *cutter = context;
    if (cutter->phase == PHASE_CUT) {
        rh_tap_session_close(tap_session);
        return;
    }
    struct cutter_session *session = calloc(1, sizeof(*session));
    if (!session)
        RH_PANIC("out of memory (%zu bytes)", sizeof(*session));
    const struct conversation_handler handler = {.context = session,
                                                 .begun = on_begun,
                                                 .resumed = on_resumed,
                                                 .completed = on_completed,
                                                 .failed = on_failed,
                                                 .ended = on_ended,
                                                 .ready = on_ready};
    session->cutter = cutter;
    session->tap_session = tap_session;
    session->arena = rh_arena_new();
    session->conversation = rh_conversation_new(&handler);
    session->next = cutter->sessions;
    cutter->sessions = session;
    *rh_tap_session_data(tap_session) = session;
    if (cutter->drops_rows)
        rh_perform_drop_rows(tap_session);
}

static void session_closed(void *context, struct tap_session *tap_session)
{
    struct cutter *cutter = context;
    struct cutter_session *session = *rh_tap_session_data(tap_session);
    if (!session)
        return;
    *rh_tap_session_data(tap_session) = NULL;
    for (struct cutter_session **link = &cutter->sessions; *link; link = &(*link)->next)
        if (*link == session) {
            *link = session->next;
            break;
        }
    if (cutter->inside == session)
        cutter->inside = NULL;
    rh_conversation_free(session->conversation);
    rh_arena_free(session->arena);
    free(session);
}

static enum tap_action frontend_message(void *context, struct tap_session *tap_session,
                                        const struct pg_message *message)
{
    struct cutter_session *session = *rh_tap_session_data(tap_session);
    (void)context;
    if (session)
        rh_conversation_frontend(session->conversation, message, rh_clock_mono().us);
    return TAP_FORWARD;
}

static enum tap_action backend_message(void *context, struct tap_session *tap_session,
                                       const struct pg_message *message)
{
    struct cutter_session *session = *rh_tap_session_data(tap_session);
    struct cutter *cutter = context;
    uint32_t pid = 0;
    if (!session)
        return TAP_FORWARD;
    if (message->type == 'K') {
        if (rh_pg_decode_backend_key(message->body, &pid))
            session->pid = pid;
        return TAP_FORWARD;
    }
    session->at_boundary = false;
    rh_conversation_backend(session->conversation, message, rh_clock_mono().us);
    if (session->at_boundary)
        reach_boundary(cutter, session); /* the session may be gone behind this */
    return TAP_FORWARD;
}

static void on_drops_rows(void *context, bool drops_rows)
{
    struct cutter *cutter = context;
    cutter->drops_rows = drops_rows;
}

static void on_performance_ended(void *context)
{
    struct cutter *cutter = context;
    rh_loop_timer_stop(cutter->timer);
    cutter->inside = NULL;
    if (cutter->options.request && !cutter->was_cut)
        give_up(cutter, "it ended before that statement came");
    if (cutter->phase != PHASE_CUT)
        let_go(cutter);
}

struct audience rh_cutter_audience(struct cutter *cutter)
{
    struct audience audience = {.context = cutter,
                                .handler = {.collect_max = BODY_MAX,
                                            .context = cutter,
                                            .session_opened = session_opened,
                                            .session_closed = session_closed,
                                            .frontend_message = frontend_message,
                                            .backend_message = backend_message},
                                .drops_rows = on_drops_rows,
                                .ended = on_performance_ended};
    rh_conversation_types(&audience.handler.frontend_types, &audience.handler.backend_types);
    rh_pg_type_set_add(&audience.handler.backend_types, 'K');
    return audience;
}

/* --- life cycle ----------------------------------------------------------------------------------
 */

static enum err_code connect_watchers(struct cutter *cutter, struct err *err)
{
    const struct engine *engine = cutter->options.engine;
    struct connection_parameters superuser = rh_sandbox_superuser(cutter->options.sandbox);
    struct mono deadline = rh_clock_after(rh_clock_mono(), ANSWER_MAX_US);
    enum err_code code;
    superuser.application_name = "rehearse/cutter";
    if ((code = engine->connect(&superuser, deadline, &cutter->watcher, err)))
        return code;
    if (!cutter->request.awaits)
        return RH_OK;
    if ((code = engine->connect(&superuser, deadline, &cutter->holder, err)))
        return code;
    return engine->query(cutter->holder, engine->probe_session_sql, NULL, 0, deadline, NULL, err);
}

enum err_code rh_cutter_new(const struct cutter_options *options, struct arena *arena,
                            struct cutter **ret_cutter, struct err *err)
{
    struct cutter *cutter = RH_NEW(arena, struct cutter);
    enum err_code code = RH_OK;
    cutter->arena = arena;
    cutter->options = *options;
    cutter->release_us = cutter->ran_us = NOT_OBSERVED;
    cutter->timer = rh_loop_timer_new(options->loop, on_look, cutter);
    if (options->request) {
        cutter->request = *options->request;
        RH_ASSERT(cutter->request.in_the_middle
                      ? cutter->request.how != CUT_DISCONNECT
                      : cutter->request.how != CUT_CANCEL && cutter->request.after > 0);
    }
    if (cutter->request.in_the_middle)
        code = connect_watchers(cutter, err);
    if (code) {
        rh_cutter_free(cutter);
        return code;
    }
    if (cutter->request.in_the_middle && cutter->request.after == 0) {
        cutter->phase = PHASE_ARMED;
        hold(cutter);
    }
    *ret_cutter = cutter;
    return RH_OK;
}

struct cutter_report rh_cutter_report(const struct cutter *cutter)
{
    struct cutter_report report = {
        .statements = cutter->statements,
        .ddl = cutter->ddl,
        .was_cut = cutter->was_cut,
        .release_us = cutter->was_cut ? cutter->release_us : NOT_OBSERVED,
        .ran_us = cutter->ran_us,
        .error = cutter->error,
        .error_sql = cutter->error_sql,
    };
    if (cutter->options.request && !cutter->was_cut && cutter->reason)
        report.reason = cutter->reason;
    return report;
}

void rh_cutter_free(struct cutter *cutter)
{
    if (!cutter)
        return;
    rh_loop_timer_free(cutter->timer);
    cutter->options.engine->close(cutter->holder);
    cutter->options.engine->close(cutter->watcher);
    cutter->timer = NULL;
    cutter->holder = cutter->watcher = NULL;
}
