/*
 * A SQL file as `psql -v ON_ERROR_STOP=1 -f` would run it: one connection, one statement at a time,
 * in autocommit, byte for byte, stopping at the first error.
 */
#include "trace/drive_int.h"

#include "base/file.h"

#include <errno.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* Connecting takes milliseconds; a server under load still answers in this time. */
#define CONNECT_MAX_US (30 * 1000 * 1000)

/*
 * engine->connect blocks, and what it waits for goes through our own tap: so it runs on a thread of
 * its own, alone, while the loop relays. Nothing is shared but this struct, which the loop reads
 * only after `done_fd` told that the thread is through.
 */
struct connector {
    const struct engine *engine;
    const struct connection_parameters *parameters;
    struct connection *connection;
    enum err_code code;
    struct err err;
    int done_fd;
    bool is_done;
    struct loop *loop;
};

static void *connect_blocking(void *context)
{
    struct connector *connector = context;
    connector->code = connector->engine->connect(connector->parameters,
                                                 rh_clock_after(rh_clock_mono(), CONNECT_MAX_US),
                                                 &connector->connection, &connector->err);
    uint64_t one = 1;
    if (write(connector->done_fd, &one, sizeof(one)) < 0)
        RH_PANIC("cannot write to an eventfd: %s", strerror(errno));
    return NULL;
}

static void on_connected(void *context, unsigned events)
{
    struct connector *connector = context;
    (void)events;
    connector->is_done = true;
    rh_loop_stop(connector->loop);
}

static enum err_code connect_through_tap(struct drive *drive, struct connection **ret_connection,
                                         struct err *err)
{
    struct connector connector = {.engine = drive->options->engine,
                                  .parameters = &drive->role,
                                  .err = RH_ERR_INIT,
                                  .loop = drive->loop};
    RH_CLEANUP_FD int done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    struct loop_watch *watch = NULL;
    pthread_t thread;
    enum err_code code;

    if (done_fd < 0)
        return rh_err_set_errno(err, errno, "cannot make an event descriptor");
    connector.done_fd = done_fd;
    if ((code = rh_loop_watch_new(drive->loop, done_fd, on_connected, &connector, &watch, err)))
        return code;
    rh_loop_watch_set(watch, LOOP_READABLE);
    int failed = pthread_create(&thread, NULL, connect_blocking, &connector);
    if (failed != 0) {
        rh_loop_watch_free(watch);
        return rh_err_set_errno(err, failed, "cannot start a thread");
    }
    /* An interrupt ends both waits: connect looks at it itself. */
    while (!connector.is_done && !code)
        code = rh_loop_run(drive->loop, RH_NEVER, err);
    pthread_join(thread, NULL);
    rh_loop_watch_free(watch);
    if (!code && connector.code) {
        *err = connector.err;
        code = connector.code;
    }
    if (code) {
        drive->options->engine->close(connector.connection);
        return code;
    }
    *ret_connection = connector.connection;
    return RH_OK;
}

struct sender {
    struct drive *drive;
    const struct migration_step *step;
    int index; /* of the step */
    struct connection *connection;
    size_t next;  /* statement to send */
    bool is_open; /* BEGIN of the tool's transaction was sent */
    bool is_done, has_failed;
    struct err err;      /* why */
    struct arena *arena; /* of the statement under way */
};

static void send_next(struct sender *sender);

static void finish(struct sender *sender)
{
    sender->is_done = true;
    rh_loop_stop(sender->drive->loop);
}

static void on_answer(void *context, struct rows **rows, const struct err *err)
{
    struct sender *sender = context;
    (void)rows; /* freed by the engine */
    if (err && !sender->has_failed) {
        sender->has_failed = true;
        sender->err = *err;
    }
    send_next(sender);
}

static void send_text(struct sender *sender, const char *sql, int line, int column)
{
    struct drive *drive = sender->drive;
    rh_recorder_set_place(drive->recorder, sender->index, line, column);
    drive->options->engine->send(sender->connection, sql, NULL, 0, on_answer, sender);
}

static void send_next(struct sender *sender)
{
    const struct migration_step *step = sender->step;
    bool wraps = step->tool_transaction;
    rh_arena_clear(sender->arena);
    if (sender->has_failed) {
        /* The tool would take its transaction back; a lost connection does it by itself. */
        if (sender->is_open && sender->err.code == RH_ERR_SERVER) {
            sender->is_open = false;
            send_text(sender, "ROLLBACK", 0, 0);
        } else {
            finish(sender);
        }
    } else if (wraps && !sender->is_open && sender->next == 0) {
        sender->is_open = true;
        send_text(sender, "BEGIN", 0, 0);
    } else if (sender->next < step->statements.count) {
        const struct migration_statement *statement = &step->statements.items[sender->next++];
        send_text(sender, rh_text_dup(sender->arena, statement->sql), statement->line,
                  statement->column);
    } else if (sender->is_open) {
        sender->is_open = false;
        send_text(sender, "COMMIT", 0, 0);
    } else {
        finish(sender);
    }
}

enum err_code rh_drive_sql(struct drive *drive, const struct migration_step *step, int index,
                           bool *ret_ok, struct err *err)
{
    const struct engine *engine = drive->options->engine;
    struct sender sender = {.drive = drive, .step = step, .index = index, .err = RH_ERR_INIT};
    rh_recorder_set_drops_rows(drive->recorder, true);
    enum err_code code = connect_through_tap(drive, &sender.connection, err);
    rh_recorder_set_drops_rows(drive->recorder, false);
    if (code)
        return code;
    if ((code = engine->attach(sender.connection, drive->loop, err))) {
        engine->close(sender.connection);
        return code;
    }
    sender.arena = rh_arena_new();
    send_next(&sender);
    while (!sender.is_done && !drive->server_died && !code)
        code = rh_loop_run(drive->loop, RH_NEVER, err);
    engine->detach(sender.connection);
    engine->close(sender.connection);
    rh_arena_free(sender.arena);
    rh_recorder_set_place(drive->recorder, -1, 0, 0);
    if (code)
        return code;
    *ret_ok = sender.is_done && !sender.has_failed;
    if (drive->server_died)
        return RH_OK;
    if ((code = rh_drive_drain(drive, err)))
        return code;
    /* What the server did not say itself, the trace cannot show. */
    const struct trace *trace = drive->trace;
    const struct statement *last = trace->statements.count > 0
                                       ? &trace->statements.items[trace->statements.count - 1]
                                       : NULL;
    if (sender.has_failed && !(last && last->error) && sender.err.code == RH_ERR_SERVER) {
        *err = sender.err;
        rh_err_while(err, "while running \"%s\"", step->name);
        return err->code;
    }
    return RH_OK;
}
