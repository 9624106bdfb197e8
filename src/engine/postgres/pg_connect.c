#include "engine/postgres/pg_connection_int.h"
#include "engine/postgres/pg_engine_int.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void rh_pg_hide_environment(struct hidden_environment *hidden)
{
    hidden->count = 0;
    for (char **item = environ; *item && hidden->count < PG_ENVIRONMENT_MAX;) {
        char *equals = strchr(*item, '=');
        if (strncmp(*item, "PG", 2) != 0 || !equals) {
            item++;
            continue;
        }
        char *copy = strdup(*item);
        if (!copy)
            RH_PANIC("out of memory for the environment");
        copy[equals - *item] = 0;
        hidden->items[hidden->count++] = copy;
        unsetenv(copy);
        item = environ;
    }
}

void rh_pg_restore_environment(struct hidden_environment *hidden)
{
    for (size_t i = hidden->count; i-- > 0;) {
        setenv(hidden->items[i], hidden->items[i] + strlen(hidden->items[i]) + 1, 1);
        free(hidden->items[i]);
    }
}

static void drop_notice(void *context, const char *message)
{
    (void)context;
    (void)message;
}

static PGconn *begin(const struct connection_parameters *parameters)
{
    char port[8];
    const char *keywords[12], *values[12];
    size_t count = 0;
    struct hidden_environment hidden;

#define PARAMETER(keyword, value)    \
    do {                             \
        keywords[count] = (keyword); \
        values[count++] = (value);   \
    } while (0)
    snprintf(port, sizeof(port), "%u", parameters->port ? parameters->port : 5432u);
    if (parameters->url) {
        PARAMETER("dbname", parameters->url); /* expanded: see below */
    } else {
        if (parameters->socket_directory)
            PARAMETER("host", parameters->socket_directory);
        else
            PARAMETER("hostaddr", parameters->host);
        PARAMETER("port", port);
        PARAMETER("user", parameters->user);
        PARAMETER("password", parameters->password);
        PARAMETER("dbname", parameters->database);
        PARAMETER("gssencmode", "disable");
    }
    PARAMETER("application_name",
              parameters->application_name ? parameters->application_name : "rehearse");
    PARAMETER("client_encoding", "UTF8");
    PARAMETER(NULL, NULL);
#undef PARAMETER

    rh_pg_hide_environment(&hidden);
    PGconn *conn = PQconnectStartParams(keywords, values, parameters->url ? 1 : 0);
    rh_pg_restore_environment(&hidden);
    if (!conn)
        RH_PANIC("out of memory for a connection");
    PQsetNoticeProcessor(conn, drop_notice, NULL);
    return conn;
}

const char *rh_pg_option_value(const PQconninfoOption *options, const char *keyword,
                               struct arena *arena)
{
    for (; options->keyword; options++)
        if (strcmp(options->keyword, keyword) == 0)
            return options->val && options->val[0] ? rh_arena_strdup(arena, options->val) : NULL;
    return NULL;
}

/* libpq's own words quote the text, and with it the password. */
enum err_code rh_pg_describe_url(const char *url, struct arena *arena, struct url_place *ret_place,
                                 struct err *err)
{
    char *said = NULL;
    bool is_url = strstr(url, "://") || strchr(url, '=');
    PQconninfoOption *options = is_url ? PQconninfoParse(url, &said) : NULL;

    PQfreemem(said);
    if (!options) {
        rh_err_set(err, RH_ERR_USAGE, "this is no connection URL that libpq understands");
        rh_err_hint(err, "Write postgresql://user@host:port/database, special characters in the "
                         "password percent-encoded.");
        return RH_ERR_USAGE;
    }
    static const char *const keywords[] = {"host", "hostaddr", "port", "user", "dbname"};
    const char *values[5];
    for (size_t i = 0; i < 5; i++)
        values[i] = rh_pg_option_value(options, keywords[i], arena);
    PQconninfoFree(options);
    ret_place->hosts = values[0] && values[1]
                           ? rh_arena_printf(arena, "%s,%s", values[0], values[1])
                       : values[0] ? values[0]
                       : values[1] ? values[1]
                                   : "";
    ret_place->port = values[2];
    ret_place->user = values[3];
    ret_place->database = values[4];
    return RH_OK;
}

static PostgresPollingStatusType go_on(PGconn *conn)
{
    struct hidden_environment hidden;

    rh_pg_hide_environment(&hidden);
    PostgresPollingStatusType status = PQconnectPoll(conn);
    rh_pg_restore_environment(&hidden);
    return status;
}

static const char *place_of(const struct connection_parameters *parameters)
{
    const char *where = parameters->socket_directory ? parameters->socket_directory
                                                     : parameters->host;
    return where ? where : "";
}

static enum err_code set_refused(struct err *err, const PGconn *conn, const char *where)
{
    struct text line = rh_pg_first_line(PQerrorMessage(conn));

    return rh_err_set(err, RH_ERR_CONNECTION, "cannot connect to the server at \"%s\": %.*s", where,
                      (int)line.len, line.data);
}

/* Takes `conn`, connected. */
static enum err_code finish(PGconn *conn, struct connection **ret_connection, struct err *err)
{
    if (PQsetnonblocking(conn, 1) != 0) {
        rh_err_set(err, RH_ERR_CONNECTION, "cannot make the connection non-blocking");
        PQfinish(conn);
        return err->code;
    }
    *ret_connection = rh_pg_connection_new(conn);
    return RH_OK;
}

/* --- blocking -----------------------------------------------------------------------------------
 */

static enum err_code wait_connected(PGconn *conn, const char *where, struct mono deadline,
                                    struct err *err)
{
    PostgresPollingStatusType status = PGRES_POLLING_WRITING;
    enum err_code code;

    if (PQstatus(conn) == CONNECTION_BAD)
        status = PGRES_POLLING_FAILED;
    while (status != PGRES_POLLING_OK && status != PGRES_POLLING_FAILED) {
        short events = status == PGRES_POLLING_READING ? POLLIN : POLLOUT;
        if ((code = rh_pg_wait_socket(conn, events, deadline, err))) {
            rh_err_while(err, "while connecting to \"%s\"", where);
            return code;
        }
        status = go_on(conn);
    }
    return status == PGRES_POLLING_OK ? RH_OK : set_refused(err, conn, where);
}

enum err_code rh_pg_connect(const struct connection_parameters *parameters, struct mono deadline,
                            struct connection **ret_connection, struct err *err)
{
    PGconn *conn = begin(parameters);
    enum err_code code = wait_connected(conn, place_of(parameters), deadline, err);

    if (code) {
        PQfinish(conn);
        return code;
    }
    return finish(conn, ret_connection, err);
}

/* --- on a loop ----------------------------------------------------------------------------------
 */

struct connecting {
    PGconn *conn;
    struct loop *loop;
    struct loop_watch
        *watch; /* NULL: before the first step, and while libpq may change its socket */
    struct loop_timer *timer; /* the deadline; at first, the first step */
    struct mono deadline;
    PostgresPollingStatusType status;
    bool has_begun;
    connect_done_fn *fn;
    void *context;
    char where[];
};

static void connecting_free(struct connecting *connecting)
{
    rh_loop_watch_free(connecting->watch);
    rh_loop_timer_free(connecting->timer);
    PQfinish(connecting->conn);
    free(connecting);
}

static void answer(struct connecting *connecting, const struct err *failure)
{
    struct connection *connection = NULL;
    struct err err = RH_ERR_INIT;
    connect_done_fn *fn = connecting->fn;
    void *context = connecting->context;
    struct loop *loop = connecting->loop;
    PGconn *conn = connecting->conn;

    if (failure)
        err = *failure;
    else
        connecting->conn = NULL; /* goes on, or goes in finish() */
    connecting_free(connecting);
    if (!failure && !finish(conn, &connection, &err) && rh_pg_attach(connection, loop, &err)) {
        rh_pg_close(connection);
        connection = NULL;
    }
    fn(context, connection, connection ? NULL : &err);
}

static void on_ready(void *context, unsigned events);

/* What libpq wants next. Its socket may be another one than before: the watch is made anew. */
static void watch(struct connecting *connecting)
{
    struct err err = RH_ERR_INIT;

    if (connecting->status == PGRES_POLLING_OK) {
        answer(connecting, NULL);
    } else if (connecting->status == PGRES_POLLING_FAILED) {
        (void)set_refused(&err, connecting->conn, connecting->where);
        answer(connecting, &err);
    } else if (rh_loop_watch_new(connecting->loop, PQsocket(connecting->conn), on_ready, connecting,
                                 &connecting->watch, &err)) {
        answer(connecting, &err);
    } else {
        rh_loop_watch_set(connecting->watch, connecting->status == PGRES_POLLING_READING
                                                 ? LOOP_READABLE
                                                 : LOOP_WRITABLE);
    }
}

static void on_ready(void *context, unsigned events)
{
    struct connecting *connecting = context;

    (void)events;
    rh_loop_watch_free(connecting->watch);
    connecting->watch = NULL;
    connecting->status = go_on(connecting->conn);
    watch(connecting);
}

static void on_timer(void *context)
{
    struct connecting *connecting = context;
    struct err err = RH_ERR_INIT;

    if (!connecting->has_begun) {
        connecting->has_begun = true;
        rh_loop_timer_start(connecting->timer, connecting->deadline.us - rh_clock_mono().us, 0);
        watch(connecting);
        return;
    }
    rh_err_set(&err, RH_ERR_TIMEOUT, "the server did not answer in time");
    rh_err_while(&err, "while connecting to \"%s\"", connecting->where);
    answer(connecting, &err);
}

struct connecting *rh_pg_connect_start(const struct connection_parameters *parameters,
                                       struct loop *loop, struct mono deadline, connect_done_fn *fn,
                                       void *context)
{
    const char *where = place_of(parameters);
    struct connecting *connecting = calloc(1, sizeof(*connecting) + strlen(where) + 1);

    if (!connecting)
        RH_PANIC("out of memory for a connection");
    connecting->conn = begin(parameters);
    connecting->loop = loop;
    connecting->deadline = deadline;
    connecting->fn = fn;
    connecting->context = context;
    memcpy(connecting->where, where, strlen(where) + 1);
    connecting->status = PQstatus(connecting->conn) == CONNECTION_BAD ? PGRES_POLLING_FAILED
                                                                      : PGRES_POLLING_WRITING;
    connecting->timer = rh_loop_timer_new(loop, on_timer, connecting);
    rh_loop_timer_start(connecting->timer, 0, 0);
    return connecting;
}

void rh_pg_connect_cancel(struct connecting *connecting)
{
    if (connecting)
        connecting_free(connecting);
}
