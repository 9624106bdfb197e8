#include "snapshot/copy_reader.h"

#include "net/dial.h"
#include "tap/tap.h"

#define CONNECT_MAX_US (30 * INT64_C(1000000))

struct copy_reader {
    struct arena *arena;
    const struct engine *engine;
    struct loop *loop;
    struct tap *tap;
    struct connection *connection;
    copy_data_fn *fn; /* of the statement under way */
    void *context;
    struct err err; /* of what is waited for */
};

/* --- callbacks ------------------------------------------------------------------------------- */

static void on_part(void *context, struct tap_session *session, const struct pg_part *part)
{
    struct copy_reader *reader = context;

    (void)session;
    if (reader->fn)
        reader->fn(reader->context, part->bytes);
}

static void on_connected(void *context, struct connection *connection, const struct err *err)
{
    struct copy_reader *reader = context;

    reader->connection = connection;
    if (err)
        reader->err = *err;
    rh_loop_stop(reader->loop);
}

static void on_answer(void *context, struct rows **rows, const struct err *err)
{
    struct copy_reader *reader = context;

    (void)rows;
    if (err)
        reader->err = *err;
    rh_loop_stop(reader->loop);
}

/* --- opening --------------------------------------------------------------------------------- */

static enum err_code open_tap(struct copy_reader *reader,
                              const struct connection_parameters *server, struct err *err)
{
    const struct upstream_host host = {.name = server->socket_directory, .port = server->port};
    const struct upstream upstream = {.hosts = &host, .host_count = 1};
    const struct tap_options options = {.upstream = &upstream};
    struct tap_handler handler = {.context = reader, .backend_part = on_part};

    rh_pg_type_set_add(&handler.backend_taken, 'd');
    return rh_tap_new(reader->loop, &options, &handler, &reader->tap, err);
}

static enum err_code await(struct copy_reader *reader, struct err *err)
{
    enum err_code code = rh_loop_run(reader->loop, RH_NEVER, err);

    if (!code && reader->err.code) {
        *err = reader->err;
        code = err->code;
    }
    return code;
}

static enum err_code connect_through(struct copy_reader *reader,
                                     const struct connection_parameters *server,
                                     const char *directory, struct err *err)
{
    struct connection_parameters parameters = *server;
    struct connecting *connecting;
    enum err_code code;

    parameters.socket_directory = directory;
    parameters.port = TAP_PORT;
    connecting = reader->engine->connect_start(&parameters, reader->loop,
                                               rh_clock_after(rh_clock_mono(), CONNECT_MAX_US),
                                               on_connected, reader);
    code = await(reader, err);
    if (code && !reader->err.code && !reader->connection) /* it was not called */
        reader->engine->connect_cancel(connecting);
    return code;
}

enum err_code rh_copy_reader_open(const struct engine *engine,
                                  const struct connection_parameters *server, const char *directory,
                                  struct copy_reader **ret_reader, struct err *err)
{
    struct arena *arena = rh_arena_new();
    struct copy_reader *reader = RH_NEW(arena, struct copy_reader);
    enum err_code code;

    *reader = (struct copy_reader){.arena = arena, .engine = engine};
    if ((code = rh_loop_new(&reader->loop, err)) || (code = open_tap(reader, server, err)) ||
        (code = rh_tap_listen_in(reader->tap, directory, err)) ||
        (code = connect_through(reader, server, directory, err)))
        rh_copy_reader_close(reader);
    else
        *ret_reader = reader;
    return code;
}

void rh_copy_reader_close(struct copy_reader *reader)
{
    if (!reader)
        return;
    reader->engine->close(reader->connection);
    rh_tap_free(reader->tap);
    rh_loop_free(reader->loop);
    rh_arena_free(reader->arena);
}

enum err_code rh_copy_reader_run(struct copy_reader *reader, const char *sql, copy_data_fn *fn,
                                 void *context, struct err *err)
{
    enum err_code code;

    reader->fn = fn;
    reader->context = context;
    reader->err = (struct err)RH_ERR_INIT;
    reader->engine->send(reader->connection, sql, NULL, 0, on_answer, reader);
    code = await(reader, err);
    reader->fn = NULL;
    return code;
}
