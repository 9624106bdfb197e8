#include "tap/tap_int.h"

#include "base/file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* Connections accepted per wake-up, so that a flood of them does not starve the sessions. */
#define ACCEPT_BATCH 16
/* Of our own sockets; pg_dump's workers come all at once. */
#define LISTEN_BACKLOG 128
/* Out of descriptors: a listener stays readable and would keep the loop busy. */
#define ACCEPT_PAUSE_US INT64_C(100000)

/* --- life cycle ------------------------------------------------------------------------------- */

enum err_code rh_tap_new(struct loop *loop, const struct tap_options *options,
                         const struct tap_handler *handler, struct tap **ret_tap, struct err *err)
{
    struct tap *tap = calloc(1, sizeof(*tap));
    if (!tap)
        RH_PANIC("out of memory (%zu bytes)", sizeof(*tap));
    const struct upstream_host local_host = {.name = options->server_socket_path};
    const struct upstream local = {.hosts = &local_host, .host_count = 1};
    enum err_code code = rh_dialer_new(loop, options->upstream ? options->upstream : &local,
                                       &tap->dialer, err);
    if (code == RH_OK && options->client_tls)
        code = rh_tls_context_new_server(options->client_tls, &tap->client_tls, err);
    if (code != RH_OK) {
        rh_dialer_free(tap->dialer);
        free(tap);
        return code;
    }
    tap->requires_client_tls = options->requires_client_tls;
    tap->loop = loop;
    if (handler)
        tap->handler = *handler;
    tap->shows_frontend = tap->handler.frontend_message != NULL;
    tap->shows_backend = tap->handler.backend_message != NULL;
    tap->counts_heads = tap->handler.backend_head != NULL;
    tap->takes = tap->handler.backend_part != NULL;
    *ret_tap = tap;
    return RH_OK;
}

void rh_tap_free(struct tap *tap)
{
    if (!tap)
        return;
    RH_ASSERT(tap->depth == 0);
    rh_tap_stop_listening(tap);
    while (tap->sessions)
        rh_tap_session_close(tap->sessions);
    rh_dialer_free(tap->dialer);
    rh_tls_context_free(tap->client_tls);
    free(tap);
}

void rh_tap_stop_listening(struct tap *tap)
{
    while (tap->listeners) {
        struct tap_listener *listener = tap->listeners;
        tap->listeners = listener->next;
        rh_loop_watch_free(listener->watch);
        rh_loop_timer_free(listener->pause);
        close(listener->fd);
        if (listener->own.sun_path[0])
            (void)unlink(listener->own.sun_path);
        free(listener);
    }
}

struct tap_statistics rh_tap_statistics(const struct tap *tap)
{
    return tap->statistics;
}

size_t rh_tap_open_sessions(const struct tap *tap)
{
    return tap->session_count;
}

/* --- clients ---------------------------------------------------------------------------------- */

static void on_pause_over(void *context)
{
    struct tap_listener *listener = context;
    rh_loop_watch_set(listener->watch, LOOP_READABLE);
}

static void on_listener_ready(void *context, unsigned events)
{
    (void)events;
    struct tap_listener *listener = context;
    struct tap *tap = listener->tap;
    rh_tap_enter(tap);
    for (int i = 0; i < ACCEPT_BATCH; i++) {
        int fd = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd < 0) {
            if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
                rh_loop_watch_set(listener->watch, 0);
                rh_loop_timer_start(listener->pause, ACCEPT_PAUSE_US, 0);
            }
            break;
        }
        struct err err = RH_ERR_INIT;
        if (rh_tap_session_new(tap, fd, &err) != RH_OK)
            tap->statistics.refused_connections++;
    }
    rh_tap_leave(tap);
}

enum err_code rh_tap_listen(struct tap *tap, int listener_fd, struct err *err)
{
    struct tap_listener *listener = calloc(1, sizeof(*listener));
    if (!listener)
        RH_PANIC("out of memory (%zu bytes)", sizeof(*listener));
    listener->tap = tap;
    listener->fd = listener_fd;
    enum err_code code = rh_loop_watch_new(tap->loop, listener_fd, on_listener_ready, listener,
                                           &listener->watch, err);
    if (code != RH_OK) {
        close(listener_fd);
        free(listener);
        return code;
    }
    listener->pause = rh_loop_timer_new(tap->loop, on_pause_over, listener);
    listener->next = tap->listeners;
    tap->listeners = listener;
    rh_loop_watch_set(listener->watch, LOOP_READABLE);
    return RH_OK;
}

enum err_code rh_tap_listen_in(struct tap *tap, const char *directory, struct err *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int len = snprintf(address.sun_path, sizeof(address.sun_path), "%s/.s.PGSQL.%d", directory,
                       TAP_PORT);
    enum err_code code;

    if (len < 0 || (size_t)len >= sizeof(address.sun_path))
        return rh_err_set(err, RH_ERR_ENVIRONMENT,
                          "the path \"%s/.s.PGSQL.%d\" is too long for a "
                          "socket",
                          directory, TAP_PORT);
    RH_CLEANUP_FD int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
        listen(fd, LISTEN_BACKLOG) < 0)
        return rh_err_set_errno(err, errno, "cannot listen on \"%s\"", address.sun_path);
    if ((code = rh_tap_listen(tap, rh_fd_take(&fd), err)))
        return code;
    tap->listeners->own = address;
    return RH_OK;
}

enum err_code rh_tap_adopt(struct tap *tap, int client_fd, struct err *err)
{
    return rh_tap_session_new(tap, client_fd, err);
}

/* --- sessions --------------------------------------------------------------------------------- */

void **rh_tap_session_data(struct tap_session *session)
{
    return &session->data;
}

void rh_tap_session_release(struct tap_session *session)
{
    struct tap *tap = session->tap;
    rh_tap_enter(tap);
    rh_tap_relay_release(session);
    rh_tap_session_settle(session);
    rh_tap_leave(tap);
}

void rh_tap_session_pause_server(struct tap_session *session, bool is_paused)
{
    struct tap *tap = session->tap;
    if (session->state == SESSION_CLOSED)
        return;
    rh_tap_enter(tap);
    session->is_paused = is_paused;
    rh_tap_session_settle(session);
    rh_tap_leave(tap);
}

void rh_tap_session_drop(struct tap_session *session, const struct pg_type_set *types)
{
    session->drop_types = *types;
    session->drops = true;
}
