#include "tap_unit.h"

#include "base/clock.h"

#include <errno.h>
#include <linux/sockios.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int64_t fixture_deadline(void)
{
    return rh_clock_mono().us + 5000000;
}

void fixture_check_deadline(int64_t deadline_us, const char *what)
{
    if (rh_clock_mono().us > deadline_us)
        fail_msg("never came: %s", what);
}

/* --- peers --- */

static void peer_init(struct peer *peer, int fd)
{
    *peer = (struct peer){.fd = fd};
    rh_buf_init(&peer->received, 64 * 1024 * 1024);
}

void peer_connect(struct fixture *f, struct peer *peer)
{
    int fds[2];
    struct err err = RH_ERR_INIT;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    peer_init(peer, fds[0]);
    assert_int_equal(rh_tap_adopt(f->tap, fds[1], &err), RH_OK);
}

void peer_close(struct peer *peer)
{
    if (peer->fd >= 0)
        close(peer->fd);
    rh_buf_deinit(&peer->received);
    *peer = (struct peer){.fd = -1};
}

size_t peer_offer(struct peer *peer, struct text bytes)
{
    ssize_t sent = send(peer->fd, bytes.data, bytes.len, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0)
        assert_int_equal(errno, EAGAIN);
    return sent < 0 ? 0 : (size_t)sent;
}

void peer_send(struct peer *peer, struct text bytes)
{
    assert_int_equal(peer_offer(peer, bytes), bytes.len);
}

size_t peer_unread(const struct peer *peer)
{
    int unread = 0;
    assert_int_equal(ioctl(peer->fd, SIOCOUTQ, &unread), 0);
    return (size_t)unread;
}

void peer_pull(struct peer *peer)
{
    static char chunk[256 * 1024];
    if (peer->fd < 0 || peer->has_ended || peer->is_deaf)
        return;
    ssize_t received = recv(peer->fd, chunk, sizeof(chunk), MSG_DONTWAIT);
    if (received > 0) {
        peer->received_total += (uint64_t)received;
        if (!peer->counts_only)
            rh_buf_add(&peer->received, chunk, (size_t)received);
    } else if (received == 0) {
        peer->has_ended = true;
    } else if (errno != EAGAIN) {
        peer->has_ended = peer->was_reset = true;
    }
}

bool peer_has(const struct peer *peer, struct text bytes)
{
    return rh_text_equals(rh_buf_text(&peer->received), bytes);
}

void peer_forget(struct peer *peer)
{
    rh_buf_clear(&peer->received);
    peer->received_total = 0;
}

/* --- the handler --- */

static void on_opened(void *context, struct tap_session *session)
{
    struct fixture *f = context;
    f->session = session;
    f->opened++;
    assert_null(*rh_tap_session_data(session));
    *rh_tap_session_data(session) = f;
}

static void on_closed(void *context, struct tap_session *session)
{
    struct fixture *f = context;
    f->closed++;
    assert_ptr_equal(*rh_tap_session_data(session), f);
    if (f->session == session)
        f->session = NULL;
}

static void remember(struct fixture *f, bool is_backend, const struct pg_message *message)
{
    if (f->keeps_shown && f->shown_count < 64) {
        struct shown *shown = &f->shown[f->shown_count];
        shown->is_backend = is_backend;
        shown->is_whole = message->is_whole;
        shown->type = message->type;
        shown->body_length = message->body_length;
        shown->length = message->body.len;
        shown->body = malloc(message->body.len + 1);
        memcpy(shown->body, message->body.data, message->body.len);
        shown->body[message->body.len] = '\0';
    }
    f->shown_count++;
}

static enum tap_action on_frontend(void *context, struct tap_session *session,
                                   const struct pg_message *message)
{
    struct fixture *f = context;
    remember(f, false, message);
    if (f->look)
        f->look(f, session, message);
    /* Ignored, but for a handler that decides. */
    return f->decide_frontend ? f->decide_frontend(f, session, message) : TAP_SWALLOW;
}

static enum tap_action on_backend(void *context, struct tap_session *session,
                                  const struct pg_message *message)
{
    struct fixture *f = context;
    remember(f, true, message);
    return f->decide ? f->decide(f, session, message) : TAP_FORWARD;
}

static void on_head(void *context, struct tap_session *session, unsigned char type,
                    uint32_t body_length)
{
    struct fixture *f = context;
    (void)session;
    (void)type;
    (void)body_length;
    f->heads++;
}

void fixture_add_types(struct pg_type_set *set, const char *types)
{
    for (; *types; types++)
        rh_pg_type_set_add(set, *types == '-' ? 0 : (unsigned char)*types);
}

/* --- the fixture --- */

void fixture_listen(struct fixture *f, int backlog)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", f->server_path);
    f->server_listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(f->server_listener, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(f->server_listener, backlog), 0);
}

void fixture_stop_server(struct fixture *f)
{
    if (f->server_listener >= 0)
        close(f->server_listener);
    f->server_listener = -1;
    unlink(f->server_path);
}

void fixture_open_handler(struct fixture *f, const struct tap_handler *handler)
{
    *f = (struct fixture){.server_listener = -1, .client.fd = -1, .server.fd = -1};
    f->keeps_shown = true;
    strcpy(f->directory, "/tmp/tap-unit-XXXXXX");
    assert_non_null(mkdtemp(f->directory));
    snprintf(f->server_path, sizeof(f->server_path), "%s/server", f->directory);
    fixture_listen(f, 64);
    struct tap_handler own = *handler;
    own.context = f;
    own.session_opened = on_opened;
    own.session_closed = on_closed;
    struct tap_options options = {.server_socket_path = f->server_path};
    struct err err = RH_ERR_INIT;
    assert_int_equal(rh_loop_new(&f->loop, &err), RH_OK);
    assert_int_equal(rh_tap_new(f->loop, &options, &own, &f->tap, &err), RH_OK);
    peer_connect(f, &f->client);
}

void fixture_open(struct fixture *f, const char *frontend_types, const char *backend_types,
                  size_t collect_max)
{
    struct tap_handler handler = {.collect_max = collect_max};
    if (frontend_types) {
        /* '+' decides about them. */
        handler.decides_frontend = frontend_types[0] == '+';
        frontend_types += handler.decides_frontend;
        fixture_add_types(&handler.frontend_types, frontend_types);
        handler.frontend_message = on_frontend;
    }
    if (backend_types) {
        /* '+' asks for heads too. */
        if (backend_types[0] == '+') {
            handler.backend_head = on_head;
            backend_types++;
        }
        fixture_add_types(&handler.backend_types, backend_types);
        handler.backend_message = on_backend;
    }
    fixture_open_handler(f, &handler);
}

void fixture_close(struct fixture *f)
{
    rh_tap_free(f->tap);
    rh_loop_free(f->loop);
    assert_int_equal(f->opened, f->closed);
    peer_close(&f->client);
    peer_close(&f->server);
    fixture_stop_server(f);
    rmdir(f->directory);
    for (size_t i = 0; i < f->shown_count && i < 64; i++)
        free(f->shown[i].body);
}

void fixture_turn(struct fixture *f)
{
    struct err err = RH_ERR_INIT;
    /* A deadline that has passed: one poll without sleeping. */
    assert_int_equal(rh_loop_run(f->loop, (struct mono){0}, &err), RH_ERR_TIMEOUT);
    if (f->server_listener >= 0 && f->server.fd < 0) {
        int fd = accept4(f->server_listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0)
            peer_init(&f->server, fd);
    }
    peer_pull(&f->client);
    peer_pull(&f->server);
}

void fixture_start(struct fixture *f)
{
    struct text start = TEXT_LITERAL(START);
    peer_send(&f->client, start);
    UNTIL(f, peer_has(&f->server, start));
    peer_forget(&f->server);
}
