/*
 * A SQL file as `psql -v ON_ERROR_STOP=1 -f` would run it: one connection, one statement at a time,
 * in autocommit, byte for byte, stopping at the first error.
 */
#include "trace/drive_int.h"

/* Connecting takes milliseconds; a server under load still answers in this time. */
#define CONNECT_MAX_US (30 * 1000 * 1000)

struct connector {
    struct loop *loop;
    struct connection *connection;
    bool is_done;
    struct err err;
};

static void on_connected(void *context, struct connection *connection, const struct err *err)
{
    struct connector *connector = context;
    connector->is_done = true;
    connector->connection = connection;
    if (err)
        connector->err = *err;
    rh_loop_stop(connector->loop);
}

/* Through our own tap, on the loop that relays. */
static enum err_code connect_through_tap(struct drive *drive, struct connection **ret_connection,
                                         struct err *err)
{
    const struct engine *engine = drive->options->engine;
    struct connector connector = {.loop = drive->loop, .err = RH_ERR_INIT};
    enum err_code code = RH_OK;
    struct connecting *connecting = engine->connect_start(
        &drive->role, drive->loop, rh_clock_after(rh_clock_mono(), CONNECT_MAX_US), on_connected,
        &connector);
    while (!connector.is_done && !code)
        code = rh_loop_run(drive->loop, RH_NEVER, err);
    if (!connector.is_done)
        engine->connect_cancel(connecting);
    if (!code && !connector.connection) {
        *err = connector.err;
        code = err->code;
    }
    if (code) {
        engine->close(connector.connection);
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
    rh_drive_place(drive, sender->index, line, column);
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

static void tell_drops_rows(const struct drive *drive, bool drops_rows)
{
    if (drive->audience->drops_rows)
        drive->audience->drops_rows(drive->audience->context, drops_rows);
}

enum err_code rh_drive_sql(struct drive *drive, const struct migration_step *from, int index,
                           struct performed_step *step, struct err *err)
{
    const struct engine *engine = drive->options->engine;
    struct sender sender = {.drive = drive, .step = from, .index = index, .err = RH_ERR_INIT};
    tell_drops_rows(drive, true);
    enum err_code code = connect_through_tap(drive, &sender.connection, err);
    tell_drops_rows(drive, false);
    if (code)
        return code;
    sender.arena = rh_arena_new();
    send_next(&sender);
    while (!sender.is_done && !drive->server_died && !code)
        code = rh_loop_run(drive->loop, RH_NEVER, err);
    engine->detach(sender.connection);
    engine->close(sender.connection);
    rh_arena_free(sender.arena);
    rh_drive_place(drive, -1, 0, 0);
    if (code)
        return code;
    step->ok = sender.is_done && !sender.has_failed;
    step->failure = sender.err;
    return drive->server_died ? RH_OK : rh_drive_drain(drive, err);
}
