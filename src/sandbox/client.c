#include "sandbox/sandbox_int.h"

#include "base/interrupt.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* Bytes asked for and passed on at a time. */
#define CHUNK_BYTES ((size_t)64 * 1024)
/* What a child has that is told to end. */
#define STOP_GRACE_US (2 * INT64_C(1000000))

/* --- where they are --------------------------------------------------------------------------- */

static const char *executable_in(struct arena *arena, const char *directory, const char *name)
{
    const char *path = rh_file_join(arena, directory, name);

    return access(path, X_OK) == 0 ? path : NULL;
}

/* Debian's /usr/bin/psql is a script that looks for a cluster of its own and takes 0.1 s to do so.
 */
static bool is_wrapper(const char *path)
{
    char real[PATH_MAX];

    return realpath(path, real) && rh_text_ends_with(rh_text(real), "/pg_wrapper");
}

static const char *on_path(struct arena *arena, const char *name)
{
    const char *path = getenv("PATH");
    char *rest = rh_arena_strdup(arena, path ? path : "/usr/local/bin:/usr/bin:/bin");

    for (char *directory; (directory = strsep(&rest, ":"));) {
        const char *found = *directory ? executable_in(arena, directory, name) : NULL;
        if (found && !is_wrapper(found))
            return found;
    }
    return NULL;
}

static const char *newest_installed(struct arena *arena, const char *name)
{
    static const char *const patterns[] = {"/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin"};
    const char *best = NULL;

    for (size_t i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++) {
        glob_t matches = {0};
        if (glob(patterns[i], 0, NULL, &matches) == 0)
            for (size_t k = 0; k < matches.gl_pathc; k++) {
                const char *found = executable_in(arena, matches.gl_pathv[k], name);
                if (found && (!best || rh_text_natural_compare(best, found) < 0))
                    best = found;
            }
        globfree(&matches);
    }
    return best;
}

const char *rh_client_find(const struct sandbox *sandbox, const char *name, struct err *err)
{
    struct arena *arena = sandbox->arena;
    const char *found = executable_in(arena, sandbox->server.bin_directory, name);

    if (!found)
        found = on_path(arena, name);
    if (!found)
        found = newest_installed(arena, name);
    if (found)
        return found;
    rh_err_set(err, RH_ERR_ENVIRONMENT, "cannot find the program \"%s\"", name);
    if (strcmp(name, "psql") == 0 || strncmp(name, "pg_", 3) == 0)
        rh_err_hint(err, "Install the PostgreSQL client (Debian, Ubuntu: apt-get install "
                         "postgresql-client).");
    else
        rh_err_hint(err, "Install it (Debian, Ubuntu: apt-get install %s).", name);
    return NULL;
}

/* --- running them ----------------------------------------------------------------------------- */

/* Ours but for PG*, which would lead elsewhere, and the language, which we read messages in. */
static const char *const *environment(const struct sandbox *sandbox)
{
    struct arena *arena = sandbox->arena;
    VEC(const char *) env = {0};

    for (char **item = environ; *item; item++)
        if (strncmp(*item, "PG", 2) != 0 && strncmp(*item, "LC_", 3) != 0 &&
            strncmp(*item, "LANG", 4) != 0)
            *RH_PUSH(arena, &env) = *item;
    *RH_PUSH(arena, &env) = "LC_ALL=C";
    *RH_PUSH(arena, &env) = "PGCLIENTENCODING=UTF8";
    if (sandbox->loader) {
        struct connection_parameters loader = rh_roles_loader(sandbox);
        *RH_PUSH(arena, &env) = rh_arena_printf(arena, "PGHOST=%s", loader.socket_directory);
        *RH_PUSH(arena, &env) = rh_arena_printf(arena, "PGPORT=%u", loader.port);
        *RH_PUSH(arena, &env) = rh_arena_printf(arena, "PGUSER=%s", loader.user);
        *RH_PUSH(arena, &env) = rh_arena_printf(arena, "PGPASSWORD=%s", loader.password);
        *RH_PUSH(arena, &env) = rh_arena_printf(arena, "PGDATABASE=%s", loader.database);
        *RH_PUSH(arena, &env) = rh_arena_printf(arena, "PGAPPNAME=%s", loader.application_name);
    }
    *RH_PUSH(arena, &env) = NULL;
    return env.items;
}

struct stream {
    int fd;
    struct buf pending; /* an unfinished line */
    client_line_fn *line;
};

struct exchange {
    const struct client_run *run;
    struct process process;
    struct stream outputs[2]; /* stdout, stderr */
    int input;                /* our end of stdin; -1: none or finished */
    struct buf unsent;
    size_t sent; /* of unsent */
};

static void exchange_deinit(struct exchange *exchange)
{
    rh_process_stop(&exchange->process, SIGTERM, STOP_GRACE_US);
    for (int i = 0; i < 2; i++) {
        rh_fd_closep(&exchange->outputs[i].fd);
        rh_buf_deinit(&exchange->outputs[i].pending);
    }
    rh_fd_closep(&exchange->input);
    rh_buf_deinit(&exchange->unsent);
}

static void pass_lines(struct stream *stream, void *context, bool is_end)
{
    struct buf *pending = &stream->pending;
    size_t start = 0;

    while (start < pending->len) {
        char *line = pending->data + start;
        char *newline = memchr(line, '\n', pending->len - start);
        size_t len = newline ? (size_t)(newline - line) : pending->len - start;
        if (!newline && !is_end && pending->len - start < CLIENT_LINE_MAX)
            break;
        if (newline)
            *newline = 0;
        if (stream->line)
            stream->line(context, (struct text){line, len});
        start += len + (newline ? 1 : 0);
    }
    rh_buf_consume(pending, start);
}

/* Reads what is there; closes at the end of the stream. */
static void read_output(struct stream *stream, void *context)
{
    char bytes[16 * 1024];

    while (stream->fd >= 0) {
        ssize_t got = read(stream->fd, bytes, sizeof(bytes));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0 && errno == EAGAIN)
            return;
        if (got <= 0) {
            rh_fd_closep(&stream->fd);
            pass_lines(stream, context, true);
            return;
        }
        rh_buf_add(&stream->pending, bytes, (size_t)got);
        pass_lines(stream, context, false);
    }
}

/* Sends until the socket would block. A child that closed its end early is told nothing more: its
   exit status says why. */
static enum err_code write_input(struct exchange *exchange, struct err *err)
{
    while (exchange->input >= 0) {
        if (exchange->sent == exchange->unsent.len) {
            struct err failure = RH_ERR_INIT;
            rh_buf_clear(&exchange->unsent);
            exchange->sent = 0;
            bool has_more = exchange->run->feed(exchange->run->context, &exchange->unsent,
                                                &failure);
            if (failure.code) {
                *err = failure;
                return failure.code;
            }
            if (!has_more && exchange->unsent.len == 0) {
                rh_fd_closep(&exchange->input);
                return RH_OK;
            }
            if (exchange->unsent.len == 0)
                return RH_OK; /* nothing yet */
        }
        ssize_t sent = send(exchange->input, exchange->unsent.data + exchange->sent,
                            exchange->unsent.len - exchange->sent, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent >= 0)
            exchange->sent += (size_t)sent;
        else if (errno == EAGAIN || errno == ENOBUFS)
            return RH_OK;
        else if (errno != EINTR)
            rh_fd_closep(&exchange->input);
    }
    return RH_OK;
}

static enum err_code start_child(struct sandbox *sandbox, struct exchange *exchange,
                                 struct err *err)
{
    const struct client_run *run = exchange->run;
    RH_CLEANUP_FD int child_input = -1;
    int ends[2][2], pair[2];
    enum err_code code;

    if (run->feed) {
        /* A socket, not a pipe: writing to one whose reader is gone need not raise SIGPIPE. */
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
            return rh_err_set_errno(err, errno, "cannot create a socket pair");
        exchange->input = pair[0];
        child_input = pair[1];
    }
    for (int i = 0; i < 2; i++) {
        if (pipe2(ends[i], O_CLOEXEC) != 0) {
            int errno_value = errno;
            if (i == 1)
                close(ends[0][1]);
            return rh_err_set_errno(err, errno_value, "cannot create a pipe");
        }
        exchange->outputs[i].fd = ends[i][0];
        (void)fcntl(ends[i][0], F_SETFL, O_NONBLOCK);
    }
    struct process_options options = {
        .argv = run->argv,
        .env = environment(sandbox),
        .directory = run->directory,
        .stdin_fd = run->feed ? child_input : run->stdin_fd,
        .stdout_fd = ends[0][1],
        .stderr_fd = ends[1][1],
        .new_group = true,
    };
    code = rh_process_start(&exchange->process, &options, err);
    close(ends[0][1]);
    close(ends[1][1]);
    return code;
}

enum err_code rh_client_run(struct sandbox *sandbox, const struct client_run *run,
                            struct process *ret_process, struct err *err)
{
    __attribute__((cleanup(exchange_deinit))) struct exchange exchange = {
        .run = run,
        .process = PROCESS_INIT,
        .outputs = {{.fd = -1, .line = run->stdout_line}, {.fd = -1, .line = run->stderr_line}},
        .input = -1,
    };
    enum err_code code;

    for (int i = 0; i < 2; i++)
        rh_buf_init(&exchange.outputs[i].pending, CLIENT_LINE_MAX * 2);
    rh_buf_init(&exchange.unsent, SIZE_MAX / 4);
    if ((code = start_child(sandbox, &exchange, err)))
        return code;
    for (;;) {
        /* The end of the child is the end, even if something it left behind holds the pipes. */
        bool has_ended = rh_process_poll(&exchange.process);
        read_output(&exchange.outputs[0], run->context);
        read_output(&exchange.outputs[1], run->context);
        if (has_ended)
            break;
        if ((code = rh_interrupt_check(err)))
            return code;
        if (run->stop && *run->stop)
            rh_process_stop(&exchange.process, SIGTERM, STOP_GRACE_US);
        else if ((code = write_input(&exchange, err)))
            return code;
        bool wants_write = exchange.input >= 0 && exchange.sent < exchange.unsent.len;
        struct pollfd waits[5] = {
            {.fd = exchange.process.pidfd, .events = POLLIN},
            {.fd = exchange.outputs[0].fd, .events = POLLIN},
            {.fd = exchange.outputs[1].fd, .events = POLLIN},
            {.fd = wants_write ? exchange.input : -1, .events = POLLOUT},
            {.fd = rh_interrupt_fd(), .events = POLLIN},
        };
        if (exchange.process.pid && poll(waits, 5, rh_clock_poll_ms(rh_interrupt_deadline())) < 0 &&
            errno != EINTR)
            return rh_err_set_errno(err, errno, "cannot wait for \"%s\"", run->argv[0]);
    }
    for (int i = 0; i < 2; i++)
        pass_lines(&exchange.outputs[i], run->context, true);
    *ret_process = exchange.process;
    exchange.process = (struct process)PROCESS_INIT;
    return RH_OK;
}
