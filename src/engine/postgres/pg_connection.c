#include "engine/postgres/pg_connection_int.h"
#include "engine/postgres/pg_engine_int.h"
#include "engine/rows_int.h"

#include "base/interrupt.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 *   idle ──send──► in flight ──NULL result──► idle        (one request at a time, the rest queue
 * here) │               │ └───────────────┴── socket error, deadline, interrupt ──► lost (for ever;
 * every request fails)
 *
 * A blocking call that is given up leaves an answer under way that nobody would read, so the
 * statement is cancelled and the connection lost.
 */
struct request {
    struct request *next;
    char *sql; /* NULL: the named query below */
    enum engine_query query;
    char **parameters;
    int parameter_count;
    bool is_single; /* the extended protocol takes one statement at a time */
    query_done_fn *fn;
    void *context;
};

struct connection {
    PGconn *conn;
    struct loop *loop; /* NULL: not attached */
    struct loop_watch *watch;
    struct loop_timer *kick;      /* answers requests that failed inside send, from the loop */
    struct request *first, *last; /* first is the one in flight */
    bool in_flight, is_preparing, is_orphan; /* orphan: in flight when detached, answer unwanted */
    bool is_lost;
    struct err loss;
    bool prepared[ENGINE_QUERY_COUNT];
    struct connection_traffic traffic;
    PGresult *result; /* last result of the request in flight */
    bool copies_out;  /* COPY data is coming, for nobody */
    bool has_failed;  /* it failed: */
    struct err failure;
    int dispatching; /* callbacks on the stack; memory stays until they returned */
    bool is_closed;
};

/* --- memory --------------------------------------------------------------------------------------
 */

static void *checked(void *memory)
{
    if (!memory)
        RH_PANIC("out of memory for a query");
    return memory;
}

static void request_free(struct request *request)
{
    if (!request)
        return;
    for (int i = 0; i < request->parameter_count; i++)
        free(request->parameters[i]);
    free(request->parameters);
    free(request->sql);
    free(request);
}

static struct request *request_new(const char *sql, enum engine_query query,
                                   const char *const *parameters, int parameter_count,
                                   query_done_fn *fn, void *context)
{
    struct request *request = checked(calloc(1, sizeof(*request)));

    request->sql = sql ? checked(strdup(sql)) : NULL;
    request->query = query;
    request->parameter_count = parameter_count;
    request->fn = fn;
    request->context = context;
    if (parameter_count > 0) {
        request->parameters = checked(calloc((size_t)parameter_count, sizeof(char *)));
        for (int i = 0; i < parameter_count; i++)
            request->parameters[i] = parameters[i] ? checked(strdup(parameters[i])) : NULL;
    }
    return request;
}

static void free_result(void *result)
{
    PQclear(result);
}

static struct rows *rows_of_result(PGresult *result, int64_t *bytes)
{
    const char **values;
    int row_count = PQresultStatus(result) == PGRES_TUPLES_OK ? PQntuples(result) : 0;
    int column_count = PQnfields(result);
    struct rows *rows = rh_rows_new((size_t)row_count, (size_t)column_count, result, free_result,
                                    &values);

    for (int row = 0; row < row_count; row++)
        for (int column = 0; column < column_count; column++)
            if (!PQgetisnull(result, row, column)) {
                values[(size_t)row * (size_t)column_count + (size_t)column] = PQgetvalue(
                    result, row, column);
                *bytes += PQgetlength(result, row, column);
            }
    /* 1664 columns at most (MaxTupleAttributeNumber). */
    const char **names = checked(calloc((size_t)column_count + 1, sizeof(*names)));
    for (int column = 0; column < column_count; column++)
        names[column] = PQfname(result, column);
    rh_rows_describe(rows, PQcmdStatus(result), names);
    free(names);
    return rows;
}

/* --- errors --------------------------------------------------------------------------------------
 */

struct text rh_pg_first_line(const char *message)
{
    struct text all = rh_text_trim(rh_text(message ? message : ""));
    const char *newline = all.len ? memchr(all.data, '\n', all.len) : NULL;

    return newline ? (struct text){all.data, (size_t)(newline - all.data)} : all;
}

static void set_lost(struct connection *connection, enum err_code code, const char *reason)
{
    struct text line = rh_pg_first_line(reason);

    if (connection->is_lost)
        return;
    connection->is_lost = true;
    if (line.len)
        rh_err_set(&connection->loss, code, "connection to the server lost: %.*s", (int)line.len,
                   line.data);
    else
        rh_err_set(&connection->loss, code, "connection to the server lost");
}

/* A refused statement. The server's detail is left out where it quotes row values: SQLSTATE classes
   22 (data exception) and 23 (integrity constraint violation), PostgreSQL manual, appendix A. */
static void set_server_error(struct err *err, const PGresult *result)
{
    const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *detail = PQresultErrorField(result, PG_DIAG_MESSAGE_DETAIL);
    const char *hint = PQresultErrorField(result, PG_DIAG_MESSAGE_HINT);
    const char *position = PQresultErrorField(result, PG_DIAG_STATEMENT_POSITION);

    if (message) {
        rh_err_set(err, RH_ERR_SERVER, "%s", message);
    } else {
        struct text line = rh_pg_first_line(PQresultErrorMessage(result));
        rh_err_set(err, RH_ERR_SERVER, "%.*s", (int)line.len, line.data);
    }
    if (position)
        err->position = (int)strtol(position, NULL, 10);
    if (sqlstate)
        snprintf(err->sqlstate, sizeof(err->sqlstate), "%s", sqlstate);
    if (detail && sqlstate && strncmp(sqlstate, "22", 2) != 0 && strncmp(sqlstate, "23", 2) != 0)
        rh_err_detail(err, "%s", detail);
    if (hint)
        rh_err_hint(err, "%s", hint);
}

/* --- a request on the wire -------------------------------------------------------------------- */

static void query_name(enum engine_query query, char out[static 24])
{
    snprintf(out, 24, "rehearse_%d", (int)query);
}

/* False when libpq would not take it: the connection is lost then. */
static bool start(struct connection *connection, const struct request *request)
{
    PGconn *conn = connection->conn;
    const char *const *parameters = (const char *const *)request->parameters;
    int count = request->parameter_count;
    int sent;

    connection->is_preparing = false;
    if (request->sql) {
        sent = count || request->is_single
                   ? PQsendQueryParams(conn, request->sql, count, NULL, parameters, NULL, NULL, 0)
                   : PQsendQuery(conn, request->sql);
    } else {
        char name[24];
        query_name(request->query, name);
        if (connection->prepared[request->query]) {
            sent = PQsendQueryPrepared(conn, name, count, parameters, NULL, NULL, 0);
        } else {
            connection->is_preparing = true;
            sent = PQsendPrepare(conn, name,
                                 rh_pg_query_text(request->query, PQserverVersion(conn)), 0, NULL);
        }
    }
    if (!sent) {
        set_lost(connection, RH_ERR_CONNECTION, PQerrorMessage(conn));
        return false;
    }
    connection->in_flight = true;
    return true;
}

/* One result of the request in flight; takes it. */
static void collect(struct connection *connection, PGresult *result)
{
    ExecStatusType status = PQresultStatus(result);

    /* One for each statement of a string; what COPY begins with is followed by another. */
    if (!connection->is_preparing &&
        (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK || status == PGRES_FATAL_ERROR))
        connection->traffic.statements++;
    switch (status) {
    case PGRES_COMMAND_OK:
    case PGRES_TUPLES_OK:
    case PGRES_EMPTY_QUERY:
        PQclear(connection->result);
        connection->result = result;
        return;
    case PGRES_COPY_OUT:
        connection->copies_out = true;
        break;
    case PGRES_COPY_IN:
        /* The server refuses the statement then, with these words. */
        if (PQputCopyEnd(connection->conn, "no data came with the statement") != 1)
            set_lost(connection, RH_ERR_CONNECTION, PQerrorMessage(connection->conn));
        break;
    case PGRES_COPY_BOTH: /* replication */
        set_lost(connection, RH_ERR_SERVER, "replication is not possible on this connection");
        break;
    case PGRES_BAD_RESPONSE:
    case PGRES_NONFATAL_ERROR:
    case PGRES_FATAL_ERROR:
    case PGRES_SINGLE_TUPLE:
    case PGRES_PIPELINE_SYNC:
    case PGRES_PIPELINE_ABORTED:
        if (PQstatus(connection->conn) == CONNECTION_BAD) {
            set_lost(connection, RH_ERR_CONNECTION, PQresultErrorMessage(result));
        } else if (!connection->has_failed) {
            connection->has_failed = true;
            set_server_error(&connection->failure, result);
        }
        break;
    }
    PQclear(result);
}

enum io_step { STEP_WAIT, STEP_DONE, STEP_LOST };

/* Data of COPY TO STDOUT goes as it comes; false when more is to come. */
static bool drop_copied(struct connection *connection)
{
    char *piece = NULL;
    int len;

    while ((len = PQgetCopyData(connection->conn, &piece, 1)) > 0) {
        PQfreemem(piece);
        connection->traffic.bytes_received += len;
    }
    connection->copies_out = len == 0;
    return !connection->copies_out; /* an error is told by the next result */
}

/* Reads what has come; STEP_DONE when the request in flight is fully answered. */
static enum io_step advance(struct connection *connection)
{
    if (!PQconsumeInput(connection->conn)) {
        set_lost(connection, RH_ERR_CONNECTION, PQerrorMessage(connection->conn));
        return STEP_LOST;
    }
    for (;;) {
        if (connection->copies_out && !drop_copied(connection))
            return STEP_WAIT;
        if (PQisBusy(connection->conn))
            return STEP_WAIT;
        PGresult *result = PQgetResult(connection->conn);
        if (!result) {
            connection->in_flight = false;
            return connection->is_lost ? STEP_LOST : STEP_DONE;
        }
        collect(connection, result);
        if (connection->is_lost)
            return STEP_LOST;
    }
}

/* What was collected becomes the answer; the connection is ready for the next request. */
static enum err_code take_answer(struct connection *connection, struct rows **ret_rows,
                                 struct err *err)
{
    PGresult *result = connection->result;

    connection->result = NULL;
    if (connection->is_lost || connection->has_failed) {
        PQclear(result);
        *err = connection->is_lost ? connection->loss : connection->failure;
        connection->has_failed = false;
        return err->code;
    }
    if (ret_rows)
        *ret_rows = rows_of_result(result ? result : PQmakeEmptyPGresult(NULL, PGRES_COMMAND_OK),
                                   &connection->traffic.bytes_received);
    else
        PQclear(result);
    return RH_OK;
}

/* --- blocking ------------------------------------------------------------------------------------
 */

enum err_code rh_pg_wait_socket(PGconn *conn, short events, struct mono deadline, struct err *err)
{
    struct mono until = rh_clock_earlier(deadline, rh_interrupt_deadline());
    enum err_code code;

    for (;;) {
        struct pollfd fds[2] = {{PQsocket(conn), events, 0}, {rh_interrupt_fd(), POLLIN, 0}};
        int ready = poll(fds, 2, rh_clock_poll_ms(until));
        if (ready < 0 && errno != EINTR)
            return rh_err_set_errno(err, errno, "cannot wait for the server");
        if ((code = rh_interrupt_check(err)))
            return code;
        if (ready > 0 && fds[0].revents)
            return RH_OK;
        if (rh_clock_passed(deadline))
            return rh_err_set(err, RH_ERR_TIMEOUT, "the server did not answer in time");
    }
}

/* Until the request in flight is answered. On anything but RH_OK the connection is lost, and the
   statement that is given up cancelled: it would hold its snapshot and its locks for as long as it
   takes. What is asked when the user had interrupted already cleans up: it goes out, its answer is
   not waited for, and it is not cancelled. */
static enum err_code wait_answer(struct connection *connection, struct mono deadline,
                                 struct err *err)
{
    struct err interrupted = RH_ERR_INIT;
    bool cleans_up = rh_interrupt_check(&interrupted) != RH_OK;

    for (;;) {
        int unsent = PQflush(connection->conn);
        if (unsent < 0) {
            set_lost(connection, RH_ERR_CONNECTION, PQerrorMessage(connection->conn));
            break;
        }
        enum io_step step = advance(connection);
        if (step == STEP_DONE)
            return RH_OK;
        if (step == STEP_LOST)
            break;
        struct err why = RH_ERR_INIT;
        enum err_code code = rh_pg_wait_socket(
            connection->conn, (short)(POLLIN | (unsent ? POLLOUT : 0)), deadline, &why);
        if (code) {
            connection->is_lost = true;
            connection->loss = why;
            if (!cleans_up && (code == RH_ERR_INTERRUPTED || code == RH_ERR_TIMEOUT))
                rh_pg_cancel(connection->conn);
            break;
        }
    }
    *err = connection->loss;
    return err->code;
}

static void pump(struct connection *connection);

/* Everything queued is answered first: answers come in order. */
static enum err_code drain(struct connection *connection, struct mono deadline, struct err *err)
{
    enum err_code code;

    while (!connection->is_lost && (connection->is_orphan || connection->first)) {
        if (connection->is_orphan) {
            if ((code = wait_answer(connection, deadline, err)))
                return code;
            struct err ignored = RH_ERR_INIT;
            (void)take_answer(connection, NULL, &ignored);
            connection->is_orphan = false;
        } else {
            if (!connection->in_flight && !start(connection, connection->first))
                break;
            int unsent = PQflush(connection->conn);
            if ((code = rh_pg_wait_socket(connection->conn,
                                          (short)(POLLIN | (unsent > 0 ? POLLOUT : 0)), deadline,
                                          err)))
                return code;
            pump(connection);
        }
    }
    if (connection->is_lost) {
        *err = connection->loss;
        return err->code;
    }
    return RH_OK;
}

static enum err_code run_blocking(struct connection *connection, struct request *request,
                                  struct mono deadline, struct rows **ret_rows, struct err *err)
{
    enum err_code code;

    connection->dispatching++; /* callbacks of drained requests may close us */
    if (!(code = drain(connection, deadline, err))) {
        do {
            if (!start(connection, request)) {
                *err = connection->loss;
                code = err->code;
                break;
            }
            if ((code = wait_answer(connection, deadline, err)))
                break;
            if (!connection->is_preparing || connection->has_failed)
                break;
            connection->prepared[request->query] = true;
            code = take_answer(connection, NULL, err);
        } while (!code);
        if (!code)
            code = take_answer(connection, ret_rows, err);
    }
    connection->dispatching--;
    request_free(request);
    if (connection->is_closed && !connection->dispatching)
        rh_pg_close(connection);
    return code;
}

enum err_code rh_pg_query(struct connection *connection, const char *sql,
                          const char *const *parameters, int parameter_count, struct mono deadline,
                          struct rows **ret_rows, struct err *err)
{
    return run_blocking(
        connection, request_new(sql, ENGINE_QUERY_COUNT, parameters, parameter_count, NULL, NULL),
        deadline, ret_rows, err);
}

enum err_code rh_pg_query_single(struct connection *connection, const char *sql,
                                 struct mono deadline, struct rows **ret_rows, struct err *err)
{
    struct request *request = request_new(sql, ENGINE_QUERY_COUNT, NULL, 0, NULL, NULL);

    request->is_single = true;
    return run_blocking(connection, request, deadline, ret_rows, err);
}

enum err_code rh_pg_ask(struct connection *connection, enum engine_query query,
                        const char *const *parameters, int parameter_count, struct mono deadline,
                        struct rows **ret_rows, struct err *err)
{
    return run_blocking(connection,
                        request_new(NULL, query, parameters, parameter_count, NULL, NULL), deadline,
                        ret_rows, err);
}

/* --- asynchronous --------------------------------------------------------------------------------
 */

/* Calls back; false when the callback closed the connection for good (its memory is gone). */
static bool dispatch(struct connection *connection, struct request *request, struct rows **rows,
                     const struct err *err)
{
    connection->dispatching++;
    request->fn(request->context, rows, err);
    connection->dispatching--;
    rh_rows_free(*rows);
    request_free(request);
    if (connection->is_closed && !connection->dispatching) {
        rh_pg_close(connection);
        return false;
    }
    return !connection->is_closed;
}

/* Answers all requests that are queued now; those that callbacks add are answered from the loop. */
static void fail_all(struct connection *connection)
{
    struct request *request = connection->first;
    struct rows *none = NULL;

    connection->first = connection->last = NULL;
    connection->in_flight = false;
    if (connection->watch)
        rh_loop_watch_set(connection->watch, 0);
    connection->dispatching++;
    while (request) {
        struct request *next = request->next;
        struct err loss = connection->loss;
        if (loss.code != RH_ERR_CONNECTION)
            loss.code = RH_ERR_CONNECTION;
        if (connection->is_closed)
            request_free(request);
        else
            (void)dispatch(connection, request, &none, &loss);
        request = next;
    }
    connection->dispatching--;
    if (connection->is_closed && !connection->dispatching)
        rh_pg_close(connection);
}

static void watch_again(struct connection *connection)
{
    if (connection->is_lost) {
        rh_loop_timer_start(connection->kick, 0, 0);
        return;
    }
    int unsent = PQflush(connection->conn);
    if (unsent < 0) {
        set_lost(connection, RH_ERR_CONNECTION, PQerrorMessage(connection->conn));
        rh_loop_timer_start(connection->kick, 0, 0);
        return;
    }
    rh_loop_watch_set(connection->watch, LOOP_READABLE | (unsent ? LOOP_WRITABLE : 0));
}

/* Reads answers, calls back, starts the next; until the socket would block. */
static void pump(struct connection *connection)
{
    for (;;) {
        if (connection->is_lost) {
            fail_all(connection);
            return;
        }
        enum io_step step = advance(connection);
        if (step == STEP_LOST)
            continue;
        if (step == STEP_WAIT)
            break;
        if (connection->is_orphan) {
            struct err ignored = RH_ERR_INIT;
            (void)take_answer(connection, NULL, &ignored);
            connection->is_orphan = false;
        } else if (connection->first && connection->is_preparing && !connection->has_failed) {
            struct err ignored = RH_ERR_INIT;
            (void)take_answer(connection, NULL, &ignored);
            connection->prepared[connection->first->query] = true;
        } else if (connection->first) {
            struct request *request = connection->first;
            struct rows *rows = NULL;
            struct err err = RH_ERR_INIT;
            enum err_code code = take_answer(connection, &rows, &err);
            connection->first = request->next;
            if (!connection->first)
                connection->last = NULL;
            if (!dispatch(connection, request, &rows, code ? &err : NULL))
                return;
        } else {
            break; /* idle: what came was a notice or a parameter status */
        }
        if (connection->first && !connection->in_flight)
            (void)start(connection, connection->first);
    }
    if (connection->watch)
        watch_again(connection);
}

static void on_ready(void *context, unsigned events)
{
    (void)events;
    pump(context);
}

static void on_kick(void *context)
{
    struct connection *connection = context;

    if (connection->is_lost)
        fail_all(connection);
}

static void enqueue(struct connection *connection, struct request *request)
{
    RH_ASSERT(connection->loop);
    if (connection->last)
        connection->last->next = request;
    else
        connection->first = request;
    connection->last = request;
    if (!connection->is_lost && connection->first == request && !connection->in_flight &&
        !connection->dispatching)
        (void)start(connection, request);
    if (!connection->dispatching || connection->is_lost)
        watch_again(connection);
}

void rh_pg_send(struct connection *connection, const char *sql, const char *const *parameters,
                int parameter_count, query_done_fn *fn, void *context)
{
    enqueue(connection,
            request_new(sql, ENGINE_QUERY_COUNT, parameters, parameter_count, fn, context));
}

void rh_pg_send_query(struct connection *connection, enum engine_query query,
                      const char *const *parameters, int parameter_count, query_done_fn *fn,
                      void *context)
{
    enqueue(connection, request_new(NULL, query, parameters, parameter_count, fn, context));
}

enum err_code rh_pg_attach(struct connection *connection, struct loop *loop, struct err *err)
{
    RH_ASSERT(!connection->loop);
    enum err_code code = rh_loop_watch_new(loop, PQsocket(connection->conn), on_ready, connection,
                                           &connection->watch, err);
    if (code)
        return code;
    connection->kick = rh_loop_timer_new(loop, on_kick, connection);
    connection->loop = loop;
    rh_loop_watch_set(connection->watch, LOOP_READABLE);
    return RH_OK;
}

void rh_pg_detach(struct connection *connection)
{
    struct request *request = connection->first;

    if (!connection->loop)
        return;
    rh_loop_watch_free(connection->watch);
    rh_loop_timer_free(connection->kick);
    connection->watch = NULL;
    connection->kick = NULL;
    connection->loop = NULL;
    connection->is_orphan = connection->in_flight;
    connection->first = connection->last = NULL;
    while (request) {
        struct request *next = request->next;
        request_free(request);
        request = next;
    }
}

/* --- life cycle ----------------------------------------------------------------------------------
 */

struct connection *rh_pg_connection_new(PGconn *conn)
{
    struct connection *connection = checked(calloc(1, sizeof(*connection)));

    connection->conn = conn;
    return connection;
}

void rh_pg_close(struct connection *connection)
{
    if (!connection)
        return;
    rh_pg_detach(connection);
    if (connection->dispatching) {
        connection->is_closed = true;
        return;
    }
    PQclear(connection->result);
    PQfinish(connection->conn);
    free(connection);
}

int rh_pg_server_version(const struct connection *connection)
{
    return connection->is_lost ? 0 : PQserverVersion(connection->conn);
}

int64_t rh_pg_backend_pid(const struct connection *connection)
{
    return PQbackendPID(connection->conn);
}

struct connection_traffic rh_pg_traffic(const struct connection *connection)
{
    return connection->traffic;
}

void rh_pg_place(const struct connection *connection, struct arena *arena,
                 struct connection_place *ret_place)
{
    const PGconn *conn = connection->conn;
    PQconninfoOption *options = PQconninfo(connection->conn);

    if (!options)
        RH_PANIC("out of memory for a connection's options");
#define OPTION(keyword) rh_pg_option_value(options, (keyword), arena)
    *ret_place = (struct connection_place){
        .is_socket = PQhost(conn)[0] == '/' || PQhost(conn)[0] == '@',
        .host = rh_arena_strdup(arena, PQhost(conn)),
        .address = PQhostaddr(conn)[0] ? rh_arena_strdup(arena, PQhostaddr(conn)) : NULL,
        .port = (uint16_t)strtoul(PQport(conn), NULL, 10),
        .user = rh_arena_strdup(arena, PQuser(conn)),
        .password = PQpass(conn)[0] ? rh_arena_strdup(arena, PQpass(conn)) : NULL,
        .database = rh_arena_strdup(arena, PQdb(conn)),
        .options = OPTION("options"),
    };
#undef OPTION
    PQconninfoFree(options);
}
