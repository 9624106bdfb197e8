#include "net/pg_probe.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_BYTES 4096
#define MECHANISM "SCRAM-SHA-256"
#define MECHANISM_PLUS "SCRAM-SHA-256-PLUS"

struct probe {
    struct loop *loop;
    struct dialer *dialer;
    struct dial *dial;
    struct loop_watch *watch;
    int fd;
    struct tls *tls;
    struct tls_context *shown;
    struct buf startup;
    size_t sent;
    struct pg_framer framer;
    struct pg_probe_answer answer;
    bool is_done;
    struct err failure;
};

const char *rh_pg_asked_name(enum pg_asked asked)
{
    static const char *const names[] = {
#define X(symbol, name) name,
        PG_ASKED_LIST(X)
#undef X
    };
    return names[asked];
}

static void end(struct probe *probe)
{
    probe->is_done = true;
    rh_loop_stop(probe->loop);
}

static void fail_errno(struct probe *probe)
{
    const char *why = errno == EPROTO && probe->tls ? rh_tls_failure(probe->tls) : strerror(errno);

    rh_err_set(&probe->failure, RH_ERR_CONNECTION, "the connection to the server broke: %s", why);
    end(probe);
}

/* --- what the server says --------------------------------------------------------------------- */

static void take_mechanisms(struct pg_probe_answer *answer, struct pg_reader *reader)
{
    for (;;) {
        const char *name = rh_pg_read_string(reader);
        size_t used = strlen(answer->mechanisms);

        if (reader->failed || !name[0])
            return;
        answer->offers_scram = answer->offers_scram || strcmp(name, MECHANISM) == 0;
        answer->offers_plus = answer->offers_plus || strcmp(name, MECHANISM_PLUS) == 0;
        snprintf(answer->mechanisms + used, sizeof(answer->mechanisms) - used, "%s%s",
                 used ? ", " : "", name);
    }
}

static void take_request(struct probe *probe, struct text body)
{
    struct pg_reader reader = {.rest = body};
    struct pg_probe_answer *answer = &probe->answer;

    /* Codes of AuthenticationRequest ("Message Formats"). */
    switch (rh_pg_read_u32(&reader)) {
    case 0:
        answer->asked = PG_ASKED_NOTHING;
        break;
    case 3:
        answer->asked = PG_ASKED_CLEARTEXT;
        break;
    case 5:
        answer->asked = PG_ASKED_MD5;
        break;
    case 7:
    case 9:
        answer->asked = PG_ASKED_GSS;
        break;
    case 10:
        answer->asked = PG_ASKED_SASL;
        take_mechanisms(answer, &reader);
        break;
    default:
        answer->asked = PG_ASKED_OTHER;
        break;
    }
    if (reader.failed)
        rh_err_set(&probe->failure, RH_ERR_PROTOCOL,
                   "the server sent a malformed message at a session's start");
    end(probe);
}

static void take_bytes(struct probe *probe, struct text bytes)
{
    while (!probe->is_done) {
        struct pg_message message;
        size_t used;
        enum pg_frame_event event = rh_pg_framer_next(&probe->framer, bytes, &used, &message);

        bytes.data += used;
        bytes.len -= used;
        if (event == PG_FRAME_MORE)
            return;
        if (event == PG_FRAME_INVALID) {
            rh_err_set(&probe->failure, RH_ERR_PROTOCOL,
                       "what answers there does not speak PostgreSQL's protocol");
            end(probe);
        } else if (event == PG_FRAME_MESSAGE && message.type == 'R') {
            take_request(probe, message.body);
        } else if (event == PG_FRAME_MESSAGE && message.type == 'E') {
            rh_pg_login_server_error(message.body, &probe->failure);
            end(probe);
        }
    }
}

/* --- the connection --------------------------------------------------------------------------- */

static void send_startup(struct probe *probe)
{
    struct text rest = {probe->startup.data + probe->sent, probe->startup.len - probe->sent};
    ssize_t sent = probe->tls ? rh_tls_write(probe->tls, rest.data, rest.len)
                              : send(probe->fd, rest.data, rest.len, MSG_NOSIGNAL | MSG_DONTWAIT);

    if (sent >= 0)
        probe->sent += (size_t)sent;
    else if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)
        fail_errno(probe);
}

static void read_some(struct probe *probe)
{
    char chunk[READ_BYTES];

    while (!probe->is_done) {
        ssize_t got = probe->tls ? rh_tls_read(probe->tls, chunk, sizeof(chunk))
                                 : recv(probe->fd, chunk, sizeof(chunk), MSG_DONTWAIT);

        if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
            return;
        if (got < 0) {
            fail_errno(probe);
        } else if (got == 0) {
            rh_err_set(&probe->failure, RH_ERR_CONNECTION, "the server closed the connection");
            end(probe);
        } else {
            take_bytes(probe, (struct text){chunk, (size_t)got});
        }
    }
}

static void go_on(struct probe *probe)
{
    if (probe->sent < probe->startup.len)
        send_startup(probe);
    if (!probe->is_done)
        read_some(probe);
    if (!probe->is_done)
        rh_loop_watch_set(probe->watch, probe->sent < probe->startup.len
                                            ? LOOP_READABLE | LOOP_WRITABLE
                                            : LOOP_READABLE);
}

static void on_events(void *context, unsigned events)
{
    (void)events;
    go_on(context);
}

static void look_at_tls(struct probe *probe)
{
    unsigned char hash[TLS_END_POINT_MAX];
    struct pg_probe_answer *answer = &probe->answer;

    answer->is_encrypted = true;
    snprintf(answer->tls_version, sizeof(answer->tls_version), "%s",
             rh_tls_version_name(probe->tls));
    answer->has_end_point = rh_tls_end_point(probe->tls, hash) > 0;
    if (probe->shown) {
        /* A server's side that shakes no hands: it serves to name its certificate. */
        struct tls *ours = rh_tls_new(probe->shown, -1, NULL);

        answer->has_same_certificate = rh_tls_has_same_certificate(ours, probe->tls);
        rh_tls_free(ours);
    }
}

static void on_dialed(void *context, const struct dialed *dialed, const struct err *err)
{
    struct probe *probe = context;

    if (err) {
        probe->failure = *err;
        end(probe);
        return;
    }
    probe->fd = dialed->fd;
    probe->tls = dialed->tls;
    if (dialed->startup_is_sent)
        probe->sent = probe->startup.len;
    if (probe->tls)
        look_at_tls(probe);
    if (rh_loop_watch_new(probe->loop, probe->fd, on_events, probe, &probe->watch, &probe->failure))
        end(probe);
    else
        go_on(probe);
}

/* --- the whole -------------------------------------------------------------------------------- */

static enum err_code ask(struct probe *probe, const struct upstream *upstream,
                         const struct pg_login_options *login, struct mono deadline,
                         struct err *err)
{
    enum err_code code;

    if ((code = rh_pg_login_startup(login, &probe->startup, err)) ||
        (code = rh_loop_new(&probe->loop, err)) ||
        (code = rh_dialer_new(probe->loop, upstream, &probe->dialer, err)))
        return code;
    rh_dial_start(probe->dialer, rh_buf_text(&probe->startup), on_dialed, probe, &probe->dial);
    while (!probe->is_done) {
        code = rh_loop_run(probe->loop, deadline, err);
        if (code == RH_ERR_TIMEOUT)
            rh_err_set(err, code, "the server did not say in time what it asks for");
        if (code)
            return code;
    }
    if (probe->failure.code)
        *err = probe->failure;
    return probe->failure.code;
}

enum err_code rh_pg_probe(const struct upstream *upstream, const struct pg_login_options *login,
                          struct tls_context *shown, struct mono deadline,
                          struct pg_probe_answer *ret_answer, struct err *err)
{
    struct probe probe = {.fd = -1, .shown = shown, .failure = RH_ERR_INIT};
    struct pg_type_set types = rh_pg_login_types();
    enum err_code code;

    rh_pg_framer_init(&probe.framer, PG_BACKEND, &types, PG_LOGIN_COLLECT_MAX);
    rh_buf_init(&probe.startup, PG_STARTUP_PACKET_MAX + 4);
    code = ask(&probe, upstream, login, deadline, err);
    if (!code)
        *ret_answer = probe.answer;
    rh_dial_cancel(probe.dial);
    if (probe.loop)
        rh_loop_watch_free(probe.watch);
    rh_tls_free(probe.tls);
    if (probe.fd >= 0)
        close(probe.fd);
    rh_dialer_free(probe.dialer);
    rh_loop_free(probe.loop);
    rh_pg_framer_deinit(&probe.framer);
    rh_buf_deinit(&probe.startup);
    return code;
}
