#include "net/dial.h"

#include "net/pg_codec.h"
#include "net/resolve.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/un.h>
#include <unistd.h>

/* A Unix socket with a full backlog gives EAGAIN and can only be tried again. */
#define UNIX_RETRY_US INT64_C(5000)

struct dialer {
    struct loop *loop;
    struct arena *arena;
    struct upstream upstream;
    struct tls_context *tls_context; /* NULL: nothing is reached by TLS */
};

/*
 * One address is tried in one or two ways (plain, TLS), each on a connection of its own:
 *
 *   [RESOLVING] ─► CONNECTING ─► [REQUESTING ─► SHAKING] ─► [SENDING ─► PEEKING] ─► done
 *        │              │              │            │                       │
 *        └──────────────┴──── the next way, address, host; or it failed ◄───┘
 */
enum dial_state {
    DIAL_RESOLVING,
    DIAL_CONNECTING,
    DIAL_REQUESTING, /* SSLRequest was sent */
    DIAL_SHAKING,
    DIAL_SENDING, /* the start-up packet */
    DIAL_PEEKING  /* the first byte of its answer is awaited */
};

struct dial {
    struct dialer *dialer;
    struct text startup;
    dialed_fn *fn;
    void *context;
    struct dial **place; /* the caller's handle */
    enum dial_state state;
    size_t host, address; /* under way */
    struct addresses addresses;
    bool with_tls;   /* this way */
    bool is_retried; /* this is the other way to the same address */
    struct resolving *resolving;
    int fd; /* -1: none */
    struct tls *tls;
    struct loop_watch *watch;
    struct loop_timer *timer;
    int64_t until_us; /* of this address */
    size_t startup_sent;
    struct err failure;                                 /* of the last attempt */
    char earlier[sizeof(((struct err *)NULL)->detail)]; /* of those before it, a line each */
    bool has_failed;
};

/* --- the dialer ------------------------------------------------------------------------------- */

static bool is_unix(const struct upstream_host *host)
{
    return !host->address && host->name && (host->name[0] == '/' || host->port == 0);
}

static const char *copy_or_null(struct arena *arena, const char *s)
{
    return s ? rh_arena_strdup(arena, s) : NULL;
}

static bool any_tcp(const struct upstream *upstream)
{
    for (size_t i = 0; i < upstream->host_count; i++)
        if (!is_unix(&upstream->hosts[i]))
            return true;
    return false;
}

static enum err_code check_upstream(const struct upstream *upstream, struct err *err)
{
    struct addresses ignored;
    bool needs_tls = upstream->tls_mode != TLS_MODE_DISABLE && any_tcp(upstream);
    if (upstream->host_count == 0)
        return rh_err_set(err, RH_ERR_USAGE, "no server is given");
    for (size_t i = 0; i < upstream->host_count; i++) {
        const struct upstream_host *host = &upstream->hosts[i];
        if (host->address && !rh_resolve_numeric(host->address, host->port, &ignored))
            return rh_err_set(err, RH_ERR_USAGE, "the server's address \"%s\" is not numeric",
                              host->address);
        size_t longest = sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1;
        if (host->port)
            longest -= strlen("/.s.PGSQL.65535");
        if (is_unix(host) && strlen(host->name) > longest) {
            rh_err_set(err, RH_ERR_ENVIRONMENT, "the server's socket path is too long: \"%s\"",
                       host->name);
            rh_err_hint(err, "Use a shorter directory: this may have at most %zu bytes.", longest);
            return RH_ERR_ENVIRONMENT;
        }
    }
    if (needs_tls && upstream->tls_is_direct && upstream->tls_mode < TLS_MODE_REQUIRE) {
        rh_err_set(err, RH_ERR_USAGE,
                   "direct TLS cannot be combined with a mode that may do without");
        rh_err_hint(err, "Use sslmode=require, verify-ca or verify-full with "
                         "sslnegotiation=direct.");
        return RH_ERR_USAGE;
    }
    if (needs_tls && upstream->tls_mode >= TLS_MODE_VERIFY_CA && !upstream->tls.root_file) {
        rh_err_set(err, RH_ERR_USAGE, "there is no root certificate to verify the server's with");
        rh_err_hint(err, "Name the file of the authority's certificate in sslrootcert, or "
                         "sslrootcert=system for the roots that this machine trusts.");
        return RH_ERR_USAGE;
    }
    return RH_OK;
}

enum err_code rh_dialer_new(struct loop *loop, const struct upstream *upstream,
                            struct dialer **ret_dialer, struct err *err)
{
    struct tls_context *context = NULL;
    struct tls_options tls = upstream->tls;
    enum err_code code = check_upstream(upstream, err);
    tls.verifies_name = tls.verifies_name || upstream->tls_mode == TLS_MODE_VERIFY_FULL;
    if (!code && upstream->tls_mode != TLS_MODE_DISABLE && any_tcp(upstream))
        code = rh_tls_context_new_client(&tls, &context, err);
    if (code)
        return code;
    struct arena *arena = rh_arena_new();
    struct dialer *dialer = RH_NEW(arena, struct dialer);
    struct upstream_host *hosts = rh_arena_memdup(arena, upstream->hosts,
                                                  upstream->host_count * sizeof(*hosts));
    for (size_t i = 0; i < upstream->host_count; i++) {
        hosts[i].name = copy_or_null(arena, hosts[i].name);
        hosts[i].address = copy_or_null(arena, hosts[i].address);
    }
    dialer->loop = loop;
    dialer->arena = arena;
    dialer->upstream = *upstream;
    dialer->upstream.hosts = hosts;
    /* The context has taken what these name. */
    dialer->upstream.tls = (struct tls_options){0};
    if (dialer->upstream.connect_timeout_us <= 0)
        dialer->upstream.connect_timeout_us = DIAL_TIMEOUT_US;
    dialer->tls_context = context;
    *ret_dialer = dialer;
    return RH_OK;
}

void rh_dialer_free(struct dialer *dialer)
{
    if (!dialer)
        return;
    rh_tls_context_free(dialer->tls_context);
    rh_arena_free(dialer->arena);
}

/* --- ends ------------------------------------------------------------------------------------- */

static const struct upstream_host *host_of(const struct dial *dial)
{
    return &dial->dialer->upstream.hosts[dial->host];
}

/* 'server at "db" (10.0.0.7), port 5432' */
static void describe(const struct dial *dial, char *out, size_t size)
{
    const struct upstream_host *host = host_of(dial);
    const char *name = host->name ? host->name : host->address ? host->address : "localhost";
    char numeric[INET6_ADDRSTRLEN] = "";
    if (dial->address < dial->addresses.count) {
        const struct sockaddr_storage *bytes = &dial->addresses.items[dial->address].bytes;
        if (bytes->ss_family == AF_INET)
            inet_ntop(AF_INET, &((const struct sockaddr_in *)bytes)->sin_addr, numeric,
                      sizeof(numeric));
        else if (bytes->ss_family == AF_INET6)
            inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)bytes)->sin6_addr, numeric,
                      sizeof(numeric));
    }
    bool is_told = numeric[0] && strcmp(numeric, name) != 0;
    if (host->port == 0) {
        snprintf(out, size, "server at \"%s\"", name);
        return;
    }
    snprintf(out, size, "server at \"%s\"%s%s%s, port %u", name, is_told ? " (" : "",
             is_told ? numeric : "", is_told ? ")" : "", host->port);
}

static void hang_up(struct dial *dial)
{
    rh_loop_watch_free(dial->watch);
    dial->watch = NULL;
    rh_tls_free(dial->tls);
    dial->tls = NULL;
    if (dial->fd >= 0)
        close(dial->fd);
    dial->fd = -1;
    dial->startup_sent = 0;
}

static void dial_free(struct dial *dial)
{
    hang_up(dial);
    rh_resolve_cancel(dial->resolving);
    rh_loop_timer_free(dial->timer);
    free(dial);
}

void rh_dial_cancel(struct dial *dial)
{
    if (!dial)
        return;
    *dial->place = NULL;
    dial_free(dial);
}

static void answer(struct dial *dial, const struct err *err)
{
    struct dialed dialed = {.fd = -1};
    dialed_fn *fn = dial->fn;
    void *context = dial->context;
    struct err copy = err ? *err : (struct err)RH_ERR_INIT;
    if (!err) {
        dialed = (struct dialed){
            .fd = dial->fd, .tls = dial->tls, .startup_is_sent = dial->startup_sent > 0};
        dial->fd = -1;
        dial->tls = NULL;
    }
    *dial->place = NULL;
    dial_free(dial);
    fn(context, err ? NULL : &dialed, err ? &copy : NULL);
}

static void keep_failure(struct dial *dial, const struct err *why)
{
    if (dial->has_failed) {
        size_t used = strlen(dial->earlier);
        snprintf(dial->earlier + used, sizeof(dial->earlier) - used, "%s%s", used ? "\n" : "",
                 dial->failure.message);
    }
    dial->has_failed = true;
    if (why->code == RH_ERR_CONNECTION && dial->state == DIAL_RESOLVING) {
        dial->failure = *why;
        return;
    }
    char place[320];
    describe(dial, place, sizeof(place));
    dial->failure = *why;
    rh_err_set(&dial->failure, why->code == RH_ERR_IO ? RH_ERR_CONNECTION : why->code,
               "cannot reach the %s: %s", place, why->message);
    memcpy(dial->failure.hint, why->hint, sizeof(why->hint));
}

/* --- from one attempt to the next ------------------------------------------------------------- */

static void begin_host(struct dial *dial);
static void begin_address(struct dial *dial);
static void begin_way(struct dial *dial, bool with_tls);

static void fail_attempt(struct dial *dial, const struct err *why);

/* The same address in the other way: where the mode has two, once. */
static bool has_other_way(const struct dial *dial)
{
    enum tls_mode mode = dial->dialer->upstream.tls_mode;
    return !dial->is_retried && !is_unix(host_of(dial)) &&
           ((mode == TLS_MODE_ALLOW && !dial->with_tls) ||
            (mode == TLS_MODE_PREFER && dial->with_tls));
}

static void take_other_way(struct dial *dial)
{
    hang_up(dial);
    dial->is_retried = true;
    begin_way(dial, !dial->with_tls);
}

static void fail_attempt(struct dial *dial, const struct err *why)
{
    keep_failure(dial, why);
    hang_up(dial);
    if (dial->state != DIAL_RESOLVING && dial->address + 1 < dial->addresses.count) {
        dial->address++;
        begin_address(dial);
    } else if (dial->host + 1 < dial->dialer->upstream.host_count) {
        dial->host++;
        begin_host(dial);
    } else {
        if (dial->earlier[0])
            rh_err_detail(&dial->failure, "%s", dial->earlier);
        answer(dial, &dial->failure);
    }
}

static void fail_errno(struct dial *dial, int errno_value)
{
    struct err err = RH_ERR_INIT;
    rh_err_set(&err, RH_ERR_CONNECTION, "%s", strerror(errno_value));
    if (errno_value == ECONNREFUSED || errno_value == ENOENT)
        rh_err_hint(&err, "Is the server running there, and does it listen on that address and "
                          "port?");
    fail_attempt(dial, &err);
}

/* TLS did not come about in this way. */
static void fail_tls(struct dial *dial, const struct err *why)
{
    if (has_other_way(dial))
        take_other_way(dial);
    else
        fail_attempt(dial, why);
}

/* --- one way ---------------------------------------------------------------------------------- */

static void watch_for(struct dial *dial, unsigned events)
{
    rh_loop_watch_set(dial->watch, events);
}

/* TLS is there, or is not wanted. */
static void begin_session(struct dial *dial)
{
    if (dial->startup.len == 0 || !has_other_way(dial)) {
        answer(dial, NULL);
        return;
    }
    dial->state = DIAL_SENDING;
    watch_for(dial, LOOP_WRITABLE);
}

static void send_startup(struct dial *dial)
{
    struct text rest = {dial->startup.data + dial->startup_sent,
                        dial->startup.len - dial->startup_sent};
    ssize_t sent = dial->tls ? rh_tls_write(dial->tls, rest.data, rest.len)
                             : send(dial->fd, rest.data, rest.len, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) {
        fail_errno(dial, errno);
        return;
    }
    dial->startup_sent += sent > 0 ? (size_t)sent : 0;
    if (dial->startup_sent < dial->startup.len)
        return;
    dial->state = DIAL_PEEKING;
    watch_for(dial, LOOP_READABLE);
}

/* A server that does not want a session for the way it came refuses it with its first message
   (pg_hba.conf is looked at before anything is asked for). */
static void peek_answer(struct dial *dial)
{
    char type;
    ssize_t received = dial->tls ? rh_tls_peek(dial->tls, &type, 1)
                                 : recv(dial->fd, &type, 1, MSG_PEEK | MSG_DONTWAIT);
    if (received < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
        return;
    if (received == 1 && type == 'E') {
        take_other_way(dial);
        return;
    }
    if (received < 0) {
        struct err err = RH_ERR_INIT;
        rh_err_set(&err, RH_ERR_CONNECTION, "%s",
                   errno == EPROTO ? rh_tls_failure(dial->tls) : strerror(errno));
        /* With TLS 1.3 the server judges our certificate only now. */
        if (dial->tls)
            fail_tls(dial, &err);
        else
            fail_attempt(dial, &err);
        return;
    }
    answer(dial, NULL);
}

static void shake(struct dial *dial)
{
    struct err err = RH_ERR_INIT;
    switch (rh_tls_handshake(dial->tls, &err)) {
    case TLS_WAITS_READABLE:
        watch_for(dial, LOOP_READABLE);
        return;
    case TLS_WAITS_WRITABLE:
        watch_for(dial, LOOP_WRITABLE);
        return;
    case TLS_FAILED:
        fail_tls(dial, &err);
        return;
    case TLS_DONE:
        break;
    }
    if (dial->dialer->upstream.tls_is_direct && !rh_tls_has_protocol(dial->tls)) {
        rh_err_set(&err, RH_ERR_CONNECTION,
                   "direct TLS was established without the protocol's "
                   "name (ALPN)");
        rh_err_hint(&err, "The server is older than PostgreSQL 17, or something else answers "
                          "there: leave sslnegotiation=direct out.");
        fail_tls(dial, &err);
        return;
    }
    begin_session(dial);
}

static void begin_tls(struct dial *dial)
{
    dial->state = DIAL_SHAKING;
    dial->tls = rh_tls_new(dial->dialer->tls_context, dial->fd, host_of(dial)->name);
    shake(dial);
}

static void request_tls(struct dial *dial)
{
    unsigned char request[8] = {0,
                                0,
                                0,
                                8,
                                PG_CODE_SSL >> 24,
                                PG_CODE_SSL >> 16 & 0xff,
                                PG_CODE_SSL >> 8 & 0xff,
                                PG_CODE_SSL & 0xff};
    /* Nothing was sent on this connection yet: the kernel takes eight bytes. */
    if (send(dial->fd, request, sizeof(request), MSG_NOSIGNAL | MSG_DONTWAIT) != sizeof(request)) {
        fail_errno(dial, errno);
        return;
    }
    dial->state = DIAL_REQUESTING;
    watch_for(dial, LOOP_READABLE);
}

static void take_request_answer(struct dial *dial)
{
    struct err err = RH_ERR_INIT;
    char bytes[2];
    ssize_t received = recv(dial->fd, bytes, sizeof(bytes), MSG_DONTWAIT);
    if (received < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
        return;
    if (received < 0) {
        fail_errno(dial, errno);
    } else if (received == 0) {
        rh_err_set(&err, RH_ERR_CONNECTION, "it closed the connection when asked for TLS");
        fail_tls(dial, &err);
    } else if (received == 1 && bytes[0] == 'S') {
        begin_tls(dial);
    } else if (received == 1 && bytes[0] == 'N' &&
               dial->dialer->upstream.tls_mode == TLS_MODE_PREFER) {
        dial->with_tls = false;
        begin_session(dial);
    } else if (received == 1 && bytes[0] == 'N') {
        rh_err_set(&err, RH_ERR_CONNECTION, "it does not offer TLS, and the sslmode asks for it");
        rh_err_hint(&err, "Switch ssl on in the server, or, where the network is trusted, use "
                          "sslmode=prefer or disable.");
        fail_attempt(dial, &err);
    } else if (received == 2 && (bytes[0] == 'S' || bytes[0] == 'N')) {
        rh_err_set(&err, RH_ERR_PROTOCOL,
                   "unencrypted bytes came behind the answer about TLS; somebody may be in the "
                   "middle");
        fail_attempt(dial, &err);
    } else {
        rh_err_set(&err, RH_ERR_CONNECTION, "it answered the request for TLS with an error");
        rh_err_hint(&err, "Its log says more; it may have no room for another connection.");
        fail_tls(dial, &err);
    }
}

static void begin_protocol(struct dial *dial)
{
    if (!is_unix(host_of(dial))) {
        int on = 1;
        setsockopt(dial->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        /* As libpq does: a server that vanished without a word is found out. */
        setsockopt(dial->fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
    }
    if (!dial->with_tls)
        begin_session(dial);
    else if (dial->dialer->upstream.tls_is_direct)
        begin_tls(dial);
    else
        request_tls(dial);
}

static void on_ready(void *context, unsigned events)
{
    struct dial *dial = context;
    (void)events;
    switch (dial->state) {
    case DIAL_RESOLVING:
        break; /* there is no descriptor */
    case DIAL_CONNECTING: {
        int error = 0;
        socklen_t length = sizeof(error);
        if (getsockopt(dial->fd, SOL_SOCKET, SO_ERROR, &error, &length) != 0)
            error = errno;
        if (error)
            fail_errno(dial, error);
        else
            begin_protocol(dial);
        break;
    }
    case DIAL_REQUESTING:
        take_request_answer(dial);
        break;
    case DIAL_SHAKING:
        shake(dial);
        break;
    case DIAL_SENDING:
        send_startup(dial);
        break;
    case DIAL_PEEKING:
        peek_answer(dial);
        break;
    }
}

static void restart_timer(struct dial *dial)
{
    rh_loop_timer_start(dial->timer, dial->until_us - rh_clock_mono().us, 0);
}

static void connect_way(struct dial *dial)
{
    const struct address *address = &dial->addresses.items[dial->address];
    struct err err = RH_ERR_INIT;
    dial->state = DIAL_CONNECTING;
    dial->fd = socket(address->bytes.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (dial->fd < 0) {
        fail_errno(dial, errno);
        return;
    }
    const struct sockaddr *bytes = (const struct sockaddr *)&address->bytes;
    int error = connect(dial->fd, bytes, address->length) == 0 ? 0 : errno;
    if (error == EAGAIN && rh_clock_mono().us < dial->until_us) {
        hang_up(dial);
        rh_loop_timer_start(dial->timer, UNIX_RETRY_US, 0);
        return;
    }
    if (error && error != EINPROGRESS) {
        fail_errno(dial, error);
        return;
    }
    if (rh_loop_watch_new(dial->dialer->loop, dial->fd, on_ready, dial, &dial->watch, &err)) {
        fail_attempt(dial, &err);
        return;
    }
    if (error == 0)
        begin_protocol(dial);
    else
        watch_for(dial, LOOP_WRITABLE);
}

static void begin_way(struct dial *dial, bool with_tls)
{
    dial->with_tls = with_tls;
    dial->until_us = rh_clock_mono().us + dial->dialer->upstream.connect_timeout_us;
    restart_timer(dial);
    connect_way(dial);
}

static void begin_address(struct dial *dial)
{
    enum tls_mode mode = dial->dialer->upstream.tls_mode;
    dial->is_retried = false;
    begin_way(dial, mode >= TLS_MODE_PREFER && !is_unix(host_of(dial)));
}

/* --- hosts ------------------------------------------------------------------------------------ */

static void on_resolved(void *context, const struct addresses *addresses, const struct err *err)
{
    struct dial *dial = context;
    dial->resolving = NULL;
    if (!addresses) {
        fail_attempt(dial, err);
        return;
    }
    dial->addresses = *addresses;
    begin_address(dial);
}

static void on_timer(void *context)
{
    struct dial *dial = context;
    struct err err = RH_ERR_INIT;
    static const char *const steps[] = {
        [DIAL_RESOLVING] = "the name service did not answer in time",
        [DIAL_CONNECTING] = "it did not take the connection in time",
        [DIAL_REQUESTING] = "it did not answer the request for TLS in time",
        [DIAL_SHAKING] = "the TLS handshake did not end in time",
        [DIAL_SENDING] = "it took no start-up packet in time"};
    if (dial->state == DIAL_CONNECTING && dial->fd < 0) {
        restart_timer(dial);
        connect_way(dial);
    } else if (dial->state == DIAL_PEEKING) {
        /* It is there, and takes its time: the client decides how long it waits. */
        answer(dial, NULL);
    } else {
        rh_err_set(&err, RH_ERR_TIMEOUT, "%s", steps[dial->state]);
        rh_err_hint(&err, "A firewall may drop the packets; connect_timeout sets how long to "
                          "wait.");
        rh_resolve_cancel(dial->resolving);
        dial->resolving = NULL;
        fail_attempt(dial, &err);
    }
}

static void set_unix_address(struct dial *dial, const struct upstream_host *host)
{
    struct address *address = &dial->addresses.items[0];
    struct sockaddr_un *bytes = (struct sockaddr_un *)&address->bytes;
    bytes->sun_family = AF_UNIX;
    /* Its length was checked. */
    if (host->port)
        snprintf(bytes->sun_path, sizeof(bytes->sun_path), "%s/.s.PGSQL.%u", host->name,
                 host->port);
    else
        snprintf(bytes->sun_path, sizeof(bytes->sun_path), "%s", host->name);
    address->length = sizeof(*bytes);
    dial->addresses.count = 1;
}

static void begin_host(struct dial *dial)
{
    const struct upstream_host *host = host_of(dial);
    struct err err = RH_ERR_INIT;
    dial->state = DIAL_RESOLVING;
    dial->addresses = (struct addresses){.count = 0};
    dial->address = 0;
    if (is_unix(host)) {
        set_unix_address(dial, host);
        begin_address(dial);
        return;
    }
    const char *where = host->address ? host->address : host->name ? host->name : "localhost";
    if (rh_resolve_numeric(where, host->port, &dial->addresses)) {
        begin_address(dial);
        return;
    }
    dial->until_us = rh_clock_mono().us + dial->dialer->upstream.connect_timeout_us;
    restart_timer(dial);
    if (rh_resolve_start(dial->dialer->loop, where, host->port, on_resolved, dial, &dial->resolving,
                         &err))
        fail_attempt(dial, &err);
}

void rh_dial_start(struct dialer *dialer, struct text startup, dialed_fn *fn, void *context,
                   struct dial **place)
{
    struct dial *dial = calloc(1, sizeof(*dial));
    if (!dial)
        RH_PANIC("out of memory for a connection");
    dial->dialer = dialer;
    dial->startup = startup;
    dial->fn = fn;
    dial->context = context;
    dial->place = place;
    *place = dial;
    dial->fd = -1;
    dial->timer = rh_loop_timer_new(dialer->loop, on_timer, dial);
    begin_host(dial);
}
