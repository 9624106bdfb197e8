/* Reaching a server: a scripted one on a thread answers, or does not, as a real one might. */
#include "net/dial.h"
#include "tools/certificate_directory.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#define TIMEOUT_MS 5000
#define STARTUP TEXT_LITERAL("\0\0\0\x11\0\3\0\0user\0me\0\0")

/* --- the server --- */

/* What it does with one connection, in order. */
struct script {
    const char *to_request; /* answers SSLRequest; NULL: is not asked */
    bool shakes;            /* then speaks TLS */
    const char *to_startup; /* its first message; NULL: none */
};

struct server {
    int listener, port;
    const struct script *scripts;
    size_t count, seen; /* connections; `seen` after the thread was joined */
    struct tls_context *context;
    pthread_t thread;
    bool went_wrong;
};

static bool wait_fd(int fd, short events)
{
    struct pollfd waiting = {.fd = fd, .events = events};
    return poll(&waiting, 1, TIMEOUT_MS) == 1;
}

static bool read_exactly(int fd, struct tls *tls, char *bytes, size_t length)
{
    for (size_t got = 0; got < length;) {
        ssize_t result = tls ? rh_tls_read(tls, bytes + got, length - got)
                             : recv(fd, bytes + got, length - got, MSG_DONTWAIT);
        if (result == 0 || (result < 0 && (errno != EAGAIN || !wait_fd(fd, POLLIN))))
            return false;
        got += result > 0 ? (size_t)result : 0;
    }
    return true;
}

static bool shake(struct tls *tls, int fd)
{
    struct err err = RH_ERR_INIT;
    for (;;) {
        switch (rh_tls_handshake(tls, &err)) {
        case TLS_DONE:
            return true;
        case TLS_FAILED:
            return false;
        case TLS_WAITS_READABLE:
            if (!wait_fd(fd, POLLIN))
                return false;
            break;
        case TLS_WAITS_WRITABLE:
            if (!wait_fd(fd, POLLOUT))
                return false;
            break;
        }
    }
}

/* Plays a script, then waits until the other side has ended. */
static bool play(const struct server *server, const struct script *script, int fd)
{
    char bytes[64];
    struct tls *tls = NULL;
    bool is_right = true;
    if (script->to_request) {
        is_right = read_exactly(fd, NULL, bytes, 8) &&
                   memcmp(bytes, "\0\0\0\x08\x04\xd2\x16\x2f", 8) == 0;
        is_right = is_right && write(fd, script->to_request, strlen(script->to_request)) >= 0;
    }
    if (is_right && script->shakes) {
        tls = rh_tls_new(server->context, fd, NULL);
        is_right = shake(tls, fd);
    }
    if (is_right && script->to_startup) {
        struct text startup = STARTUP;
        is_right = read_exactly(fd, tls, bytes, startup.len) &&
                   memcmp(bytes, startup.data, startup.len) == 0;
        size_t length = strlen(script->to_startup);
        if (is_right && length > 0 && tls)
            is_right = rh_tls_write(tls, script->to_startup, length) == (ssize_t)length;
        else if (is_right && length > 0)
            is_right = write(fd, script->to_startup, length) == (ssize_t)length;
    }
    while (is_right && wait_fd(fd, POLLIN) && recv(fd, bytes, sizeof(bytes), 0) > 0)
        ;
    rh_tls_free(tls);
    close(fd);
    return is_right;
}

static void *serve(void *context)
{
    struct server *server = context;
    while (server->seen < server->count && wait_fd(server->listener, POLLIN)) {
        int fd = accept(server->listener, NULL, NULL);
        if (fd < 0 || !play(server, &server->scripts[server->seen], fd))
            server->went_wrong = true;
        server->seen++;
    }
    return NULL;
}

static int listen_on(struct sockaddr *address, socklen_t length)
{
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, address, length), 0);
    assert_int_equal(listen(fd, 8), 0);
    return fd;
}

static int listen_tcp(int *ret_port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(address);
    int fd = listen_on((struct sockaddr *)&address, sizeof(address));
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &length), 0);
    *ret_port = ntohs(address.sin_port);
    return fd;
}

static void server_start(struct server *server, const struct script *scripts, size_t count)
{
    struct err err = RH_ERR_INIT;
    const struct tls_options options = {.certificate_file = in_directory("server.crt"),
                                        .key_file = in_directory("server.key")};
    *server = (struct server){.scripts = scripts, .count = count};
    server->listener = listen_tcp(&server->port);
    assert_int_equal(rh_tls_context_new_server(&options, &server->context, &err), RH_OK);
    assert_int_equal(pthread_create(&server->thread, NULL, serve, server), 0);
}

static void server_end(struct server *server)
{
    pthread_join(server->thread, NULL);
    close(server->listener);
    rh_tls_context_free(server->context);
    assert_int_equal(server->seen, server->count);
    assert_false(server->went_wrong);
}

/* --- dialling --- */

struct call {
    struct loop *loop;
    struct dialer *dialer;
    struct dial *dial;
    unsigned calls;
    struct dialed dialed;
    struct err err;
};

static void on_dialed(void *context, const struct dialed *dialed, const struct err *err)
{
    struct call *call = context;
    assert_null(call->dial);
    call->calls++;
    if (dialed)
        call->dialed = *dialed;
    else
        call->err = *err;
    rh_loop_stop(call->loop);
}

static void dial(struct call *call, const struct upstream *upstream, struct text startup)
{
    struct err err = RH_ERR_INIT;
    *call = (struct call){.dialed.fd = -1};
    assert_int_equal(rh_loop_new(&call->loop, &err), RH_OK);
    if (rh_dialer_new(call->loop, upstream, &call->dialer, &err))
        fail_msg("%s", err.message);
    rh_dial_start(call->dialer, startup, on_dialed, call, &call->dial);
    if (call->dial)
        assert_int_equal(rh_loop_run(call->loop, rh_clock_after(rh_clock_mono(), 10000000), &err),
                         RH_OK);
    assert_int_equal(call->calls, 1);
    if (call->err.code == RH_OK)
        assert_true(call->dialed.fd >= 0);
}

static void hang_up(struct call *call)
{
    rh_tls_free(call->dialed.tls);
    if (call->dialed.fd >= 0)
        close(call->dialed.fd);
    rh_dialer_free(call->dialer);
    rh_loop_free(call->loop);
}

static void check_said(const struct call *call, enum err_code code, const char *said,
                       const char *hint)
{
    if (call->err.code != code || !strstr(call->err.message, said) || !strstr(call->err.hint, hint))
        fail_msg("%d \"%s\" \"%s\", expected %d \"%s\" \"%s\"", call->err.code, call->err.message,
                 call->err.hint, code, said, hint);
}

/* --- ways --- */

struct way_case {
    enum tls_mode mode;
    struct script scripts[2];
    size_t connections;
    bool is_session; /* has a start-up packet */
    bool has_tls, startup_is_sent;
    const char *said, *hint; /* NULL: is reached */
    enum err_code code;
};

static void test_dial_goes_the_ways_of_its_mode(void **state)
{
    (void)state;
    static const struct script plain = {0}, tls = {"S", true, NULL}, no_tls = {"N", false, NULL},
                               error = {"E", false, NULL}, injected = {"Sx", false, NULL},
                               broken = {"S", false, NULL}, plain_good = {NULL, false, "R"},
                               plain_bad = {NULL, false, "E"}, tls_good = {"S", true, "R"},
                               tls_bad = {"S", true, "E"};
    const struct way_case cases[] = {
        {TLS_MODE_DISABLE, {plain}, 1, true, false, false, NULL, NULL, RH_OK},
        {TLS_MODE_REQUIRE, {tls}, 1, true, true, false, NULL, NULL, RH_OK},
        {TLS_MODE_REQUIRE, {tls}, 1, false, true, false, NULL, NULL, RH_OK},
        {TLS_MODE_REQUIRE,
         {no_tls},
         1,
         true,
         false,
         false,
         "does not offer TLS",
         "sslmode=prefer",
         RH_ERR_CONNECTION},
        {TLS_MODE_REQUIRE,
         {error},
         1,
         true,
         false,
         false,
         "with an error",
         "log",
         RH_ERR_CONNECTION},
        {TLS_MODE_REQUIRE,
         {injected},
         1,
         true,
         false,
         false,
         "unencrypted bytes",
         "",
         RH_ERR_PROTOCOL},
        {TLS_MODE_PREFER,
         {injected},
         1,
         true,
         false,
         false,
         "unencrypted bytes",
         "",
         RH_ERR_PROTOCOL},
        /* A way that is refused with the first message, and the other one. */
        {TLS_MODE_PREFER, {tls_good}, 1, true, true, true, NULL, NULL, RH_OK},
        {TLS_MODE_PREFER, {tls_bad, plain}, 2, true, false, false, NULL, NULL, RH_OK},
        {TLS_MODE_PREFER, {no_tls}, 1, true, false, false, NULL, NULL, RH_OK},
        {TLS_MODE_PREFER, {error, plain}, 2, true, false, false, NULL, NULL, RH_OK},
        {TLS_MODE_ALLOW, {plain_good}, 1, true, false, true, NULL, NULL, RH_OK},
        {TLS_MODE_ALLOW, {plain_bad, tls}, 2, true, true, false, NULL, NULL, RH_OK},
        {TLS_MODE_ALLOW,
         {plain_bad, no_tls},
         2,
         true,
         false,
         false,
         "does not offer TLS",
         "",
         RH_ERR_CONNECTION},
        /* Cancel requests are not answered: nothing is waited for. */
        {TLS_MODE_PREFER, {tls}, 1, false, true, false, NULL, NULL, RH_OK},
        {TLS_MODE_ALLOW, {plain}, 1, false, false, false, NULL, NULL, RH_OK},
        {TLS_MODE_REQUIRE,
         {broken},
         1,
         true,
         false,
         false,
         "in time",
         "connect_timeout",
         RH_ERR_TIMEOUT},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        const struct way_case *c = &cases[i];
        struct server server;
        struct call call;
        server_start(&server, c->scripts, c->connections);
        const struct upstream_host host = {.name = "127.0.0.1", .port = (uint16_t)server.port};
        const struct upstream upstream = {.hosts = &host,
                                          .host_count = 1,
                                          .tls_mode = c->mode,
                                          .connect_timeout_us = c->code == RH_ERR_TIMEOUT ? 100000
                                                                                          : 0};
        dial(&call, &upstream, c->is_session ? STARTUP : TEXT_LITERAL(""));
        if (c->said)
            check_said(&call, c->code, c->said, c->hint);
        else if (call.err.code)
            fail_msg("case %zu: %s", i, call.err.message);
        else if ((call.dialed.tls != NULL) != c->has_tls ||
                 call.dialed.startup_is_sent != c->startup_is_sent)
            fail_msg("case %zu: TLS %d, sent %d", i, call.dialed.tls != NULL,
                     call.dialed.startup_is_sent);
        hang_up(&call);
        server_end(&server);
    }
}

static void test_dial_leaves_the_first_byte_where_it_was(void **state)
{
    static const struct script scripts[] = {{"S", true, "Rest"}};
    (void)state;
    struct server server;
    struct call call;
    server_start(&server, scripts, 1);
    const struct upstream_host host = {.name = "127.0.0.1", .port = (uint16_t)server.port};
    const struct upstream upstream = {.hosts = &host, .host_count = 1, .tls_mode = TLS_MODE_PREFER};
    dial(&call, &upstream, STARTUP);
    char bytes[4];
    assert_true(read_exactly(call.dialed.fd, call.dialed.tls, bytes, 4));
    assert_memory_equal(bytes, "Rest", 4);
    hang_up(&call);
    server_end(&server);
}

static void test_dial_verifies_the_host_it_was_given(void **state)
{
    static const struct {
        const char *name;
        const char *said;
    } cases[] = {{"localhost", NULL},
                 {"a.example.test", NULL},
                 {"127.0.0.1", NULL},
                 {"db.example.org", "not for \"db.example.org\""},
                 {NULL, "no host name"}};
    static const struct script tls = {"S", true, NULL};
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct server server;
        struct call call;
        server_start(&server, &tls, 1);
        const struct upstream_host host = {
            .name = cases[i].name, .address = "127.0.0.1", .port = (uint16_t)server.port};
        const struct upstream upstream = {.hosts = &host,
                                          .host_count = 1,
                                          .tls_mode = TLS_MODE_VERIFY_FULL,
                                          .tls.root_file = in_directory("root.crt")};
        dial(&call, &upstream, STARTUP);
        if (cases[i].said)
            assert_non_null(strstr(call.err.message, cases[i].said));
        else
            assert_int_equal(call.err.code, RH_OK);
        hang_up(&call);
        server_end(&server);
    }
}

/* --- places --- */

static void test_dial_tries_hosts_and_addresses_in_order(void **state)
{
    static const struct script plain = {0};
    (void)state;
    struct server server;
    struct call call;
    int free_port;
    close(listen_tcp(&free_port));
    server_start(&server, &plain, 1);
    const struct upstream_host hosts[] = {
        {.name = "127.0.0.1", .port = (uint16_t)free_port},
        {.name = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
         .port = 1},
        {.name = "/nowhere", .port = 5432},
        {.name = "localhost", .port = (uint16_t)server.port}};
    struct upstream upstream = {.hosts = hosts, .host_count = 4};
    dial(&call, &upstream, STARTUP);
    assert_int_equal(call.err.code, RH_OK);
    hang_up(&call);
    server_end(&server);
    /* None is there: the last one's error, and the others'. */
    upstream.host_count = 3;
    dial(&call, &upstream, STARTUP);
    check_said(&call, RH_ERR_CONNECTION, "\"/nowhere\", port 5432: No such file", "running there");
    char line[64];
    snprintf(line, sizeof(line), "server at \"127.0.0.1\", port %d: Connection refused\n",
             free_port);
    assert_non_null(strstr(call.err.detail, line));
    assert_non_null(strstr(call.err.detail, "cannot find an address of the host \"xxx"));
    hang_up(&call);
}

static void test_dial_reaches_unix_sockets_without_tls(void **state)
{
    (void)state;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof(address.sun_path), "%s/.s.PGSQL.5433", directory);
    int listener = listen_on((struct sockaddr *)&address, sizeof(address));
    const struct upstream_host hosts[] = {{.name = directory, .port = 5433},
                                          {.name = address.sun_path, .port = 0}};
    for (size_t i = 0; i < 2; i++) {
        struct call call;
        /* As libpq: sslmode means nothing on a Unix socket. */
        const struct upstream upstream = {
            .hosts = &hosts[i], .host_count = 1, .tls_mode = TLS_MODE_VERIFY_FULL};
        dial(&call, &upstream, STARTUP);
        assert_int_equal(call.err.code, RH_OK);
        assert_null(call.dialed.tls);
        hang_up(&call);
    }
    close(listener);
    unlink(address.sun_path);
}

static void test_dial_cancelled_is_not_heard_of(void **state)
{
    (void)state;
    int port;
    int listener = listen_tcp(&port); /* which does not answer */
    const struct upstream_host hosts[] = {{.name = "127.0.0.1", .port = (uint16_t)port},
                                          {.name = "localhost", .port = (uint16_t)port}};
    for (size_t i = 0; i < 2; i++) {
        struct call call = {.dialed.fd = -1};
        struct err err = RH_ERR_INIT;
        const struct upstream upstream = {
            .hosts = &hosts[i], .host_count = 1, .tls_mode = TLS_MODE_REQUIRE};
        assert_int_equal(rh_loop_new(&call.loop, &err), RH_OK);
        assert_int_equal(rh_dialer_new(call.loop, &upstream, &call.dialer, &err), RH_OK);
        for (int turns = 0; turns < 4; turns++) {
            rh_dial_start(call.dialer, STARTUP, on_dialed, &call, &call.dial);
            for (int turn = 0; turn < turns; turn++)
                assert_int_equal(rh_loop_run(call.loop, (struct mono){0}, &err), RH_ERR_TIMEOUT);
            assert_non_null(call.dial);
            rh_dial_cancel(call.dial);
            assert_null(call.dial);
        }
        rh_dial_cancel(NULL);
        assert_int_equal(call.calls, 0);
        hang_up(&call);
    }
    close(listener);
}

static void test_dialer_refuses_what_cannot_work(void **state)
{
    (void)state;
    static const struct upstream_host db = {.name = "db", .port = 5432};
    static const struct upstream_host not_numeric = {.name = "db", .address = "db", .port = 5432};
    static const char long_name[] =
        "/xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
        "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";
    static const struct upstream_host too_long = {.name = long_name, .port = 5432};
    const struct {
        struct upstream upstream;
        const char *said, *hint;
    } cases[] = {
        {{.hosts = &db, .host_count = 0}, "no server", ""},
        {{.hosts = &not_numeric, .host_count = 1}, "not numeric", ""},
        {{.hosts = &too_long, .host_count = 1}, "too long", "shorter directory"},
        {{.hosts = &db, .host_count = 1, .tls_mode = TLS_MODE_PREFER, .tls_is_direct = true},
         "direct TLS",
         "sslmode=require"},
        {{.hosts = &db, .host_count = 1, .tls_mode = TLS_MODE_VERIFY_CA},
         "no root certificate",
         "sslrootcert=system"},
        {{.hosts = &db, .host_count = 1, .tls_mode = TLS_MODE_REQUIRE, .tls.root_file = "/none"},
         "\"/none\"",
         ""},
    };
    struct loop *loop;
    struct err err = RH_ERR_INIT;
    assert_int_equal(rh_loop_new(&loop, &err), RH_OK);
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct dialer *dialer = NULL;
        err = (struct err)RH_ERR_INIT;
        assert_true(rh_dialer_new(loop, &cases[i].upstream, &dialer, &err) != RH_OK);
        assert_null(dialer);
        if (!strstr(err.message, cases[i].said) || !strstr(err.hint, cases[i].hint))
            fail_msg("\"%s\" \"%s\"", err.message, err.hint);
    }
    rh_dialer_free(NULL);
    rh_loop_free(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dial_goes_the_ways_of_its_mode),
        cmocka_unit_test(test_dial_leaves_the_first_byte_where_it_was),
        cmocka_unit_test(test_dial_verifies_the_host_it_was_given),
        cmocka_unit_test(test_dial_tries_hosts_and_addresses_in_order),
        cmocka_unit_test(test_dial_reaches_unix_sockets_without_tls),
        cmocka_unit_test(test_dial_cancelled_is_not_heard_of),
        cmocka_unit_test(test_dialer_refuses_what_cannot_work),
    };
    return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
