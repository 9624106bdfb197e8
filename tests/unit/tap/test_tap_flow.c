/* The relay under load and at its ends: back-pressure, huge messages, half-close, resets,
 * listeners. */
#include "tap_unit.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define QUERY TEXT_LITERAL("Q\0\0\0\x0dSELECT 1\0")
#define READY TEXT_LITERAL("Z\0\0\0\5I")
/* Everything that may wait between two peers: kernel buffers of four socket ends (wmem_default is
   208 kB) and the tap's own. */
#define STUCK_BYTES_MAX (4 * 1024 * 1024)

static bool is_closed(struct fixture *f)
{
    return rh_tap_open_sessions(f->tap) == 0;
}

static void make_pattern(char *bytes, size_t length, uint64_t at)
{
    for (size_t i = 0; i < length; i++)
        bytes[i] = (char)((at + i) * 7 >> 3);
}

/* --- back-pressure --- */

/* Sends a pattern from its byte `at` on until nothing goes any more, or up to `limit`; returns
   where it stopped. */
static uint64_t stuff(struct fixture *f, struct peer *from, uint64_t at, uint64_t limit)
{
    static char chunk[64 * 1024];
    int idle_turns = 0;
    while (idle_turns < 20 && at < limit) {
        make_pattern(chunk, sizeof(chunk), at);
        size_t length = limit - at < sizeof(chunk) ? (size_t)(limit - at) : sizeof(chunk);
        size_t sent = peer_offer(from, (struct text){chunk, length});
        at += sent;
        idle_turns = sent ? 0 : idle_turns + 1;
        fixture_turn(f);
    }
    return at;
}

static void check_back_pressure(bool is_backend)
{
    struct fixture f;
    fixture_open(&f, "Q", "Z", 1000);
    fixture_start(&f);
    struct peer *from = is_backend ? &f.server : &f.client;
    struct peer *to = is_backend ? &f.client : &f.server;
    to->is_deaf = true;
    /* One CopyData message of 1 GB: nothing in the pattern is taken for a message. */
    peer_send(from, TEXT_LITERAL("d\x40\0\0\0"));
    uint64_t sent = stuff(&f, from, 0, UINT64_MAX);
    assert_true(sent > 0 && sent < STUCK_BYTES_MAX);
    /* The other direction is not affected. */
    from->received_total = 0;
    peer_send(to, is_backend ? QUERY : READY);
    UNTIL(&f, from->received_total == (is_backend ? QUERY.len : READY.len));
    /* All of it arrives, in order, and as much again after it. */
    to->is_deaf = false;
    uint64_t more = stuff(&f, from, sent, 2 * sent);
    assert_int_equal(more, 2 * sent);
    UNTIL(&f, to->received.len == 5 + more);
    char *expected = malloc(more);
    make_pattern(expected, more, 0);
    assert_memory_equal(to->received.data + 5, expected, more);
    free(expected);
    fixture_close(&f);
}

static uint64_t stream_bytes(struct fixture *f, struct peer *from, uint64_t total)
{
    static char chunk[256 * 1024];
    uint64_t sent = 0;
    while (sent < total) {
        size_t length = total - sent < sizeof(chunk) ? (size_t)(total - sent) : sizeof(chunk);
        sent += peer_offer(from, (struct text){chunk, length});
        fixture_turn(f);
    }
    return sent;
}

static void test_tap_stops_reading_the_server_when_the_client_is_slow(void **state)
{
    (void)state;
    check_back_pressure(true);
}

static void test_tap_stops_reading_the_client_when_the_server_is_slow(void **state)
{
    (void)state;
    check_back_pressure(false);
}

static enum tap_action hold_ready(struct fixture *f, struct tap_session *session,
                                  const struct pg_message *message)
{
    (void)f;
    (void)session;
    return message->type == 'Z' ? TAP_HOLD : TAP_FORWARD;
}

static void test_tap_stops_reading_the_server_while_it_holds(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open(&f, NULL, "Z", 1000);
    fixture_start(&f);
    f.decide = hold_ready;
    peer_send(&f.server, READY);
    peer_send(&f.server, TEXT_LITERAL("d\x40\0\0\0"));
    uint64_t sent = stuff(&f, &f.server, 0, UINT64_MAX);
    assert_true(sent < STUCK_BYTES_MAX);
    assert_int_equal(f.client.received_total, 0);
    rh_tap_session_release(f.session);
    UNTIL(&f, f.client.received_total == READY.len + 5 + sent);
    fixture_close(&f);
}

static long resident_peak_kb(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss;
}

static void check_huge_message(const char *header, bool is_backend)
{
    /* A quarter of the protocol's largest: the benchmark suite sends a whole one. */
    const uint64_t body = 256 * 1024 * 1024;
    struct fixture f;
    fixture_open(&f, "Qd", "DZ", 64 * 1024);
    fixture_start(&f);
    struct peer *from = is_backend ? &f.server : &f.client;
    struct peer *to = is_backend ? &f.client : &f.server;
    to->counts_only = true;
    long before_kb = resident_peak_kb();
    peer_send(from, (struct text){header, 5});
    stream_bytes(&f, from, body - 4);
    peer_send(from, is_backend ? READY : QUERY);
    uint64_t expected = 1 + body + (is_backend ? READY.len : QUERY.len);
    UNTIL(&f, to->received_total >= expected);
    assert_int_equal(to->received_total, expected);
    assert_true(resident_peak_kb() - before_kb < 8 * 1024);
    /* Shown once, cut; what comes behind it is framed as ever. */
    UNTIL(&f, f.shown_count == 2);
    assert_int_equal(f.shown[0].body_length, body - 4);
    assert_int_equal(f.shown[0].length, 64 * 1024);
    assert_false(f.shown[0].is_whole);
    assert_int_equal(f.shown[1].type, is_backend ? 'Z' : 'Q');
    fixture_close(&f);
}

static void test_tap_streams_a_huge_row_in_flat_memory(void **state)
{
    (void)state;
    check_huge_message("D\x10\0\0\0", true);
}

static void test_tap_streams_a_huge_copy_message_in_flat_memory(void **state)
{
    (void)state;
    check_huge_message("d\x10\0\0\0", false);
}

/* --- ends --- */

static void test_tap_passes_a_half_close_on_and_the_answer_back(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open(&f, "Q", "Z", 1000);
    fixture_start(&f);
    peer_send(&f.client, QUERY);
    shutdown(f.client.fd, SHUT_WR);
    UNTIL(&f, f.server.has_ended);
    assert_true(peer_has(&f.server, QUERY));
    peer_send(&f.server, READY);
    UNTIL(&f, peer_has(&f.client, READY));
    assert_false(f.client.has_ended);
    peer_close(&f.server);
    UNTIL(&f, f.client.has_ended);
    UNTIL(&f, is_closed(&f));
    fixture_close(&f);
}

static void test_tap_delivers_the_servers_last_words_before_it_closes(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open(&f, "Q", "EZ", 1000);
    fixture_start(&f);
    struct text last = TEXT_LITERAL("E\0\0\0\x0d"
                                    "C57P01\0\0\0");
    peer_send(&f.server, last);
    close(f.server.fd);
    f.server.fd = -1;
    /* The client goes on talking: no reset may destroy what it has not read yet. */
    f.client.is_deaf = true;
    peer_send(&f.client, QUERY);
    for (int i = 0; i < 10; i++)
        fixture_turn(&f);
    f.client.is_deaf = false;
    UNTIL(&f, f.client.has_ended);
    assert_true(peer_has(&f.client, last));
    assert_false(f.client.was_reset);
    peer_close(&f.client);
    UNTIL(&f, is_closed(&f));
    assert_int_equal(f.closed, 1);
    fixture_close(&f);
}

static void test_tap_passes_a_message_cut_off_by_the_server(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open(&f, NULL, "Z", 1000);
    fixture_start(&f);
    peer_send(&f.server, TEXT_LITERAL("Z\0\0\0\5"));
    UNTIL(&f, peer_unread(&f.server) == 0);
    assert_int_equal(f.client.received.len, 0);
    peer_close(&f.server);
    UNTIL(&f, f.client.has_ended);
    assert_true(peer_has(&f.client, TEXT_LITERAL("Z\0\0\0\5")));
    assert_int_equal(f.shown_count, 0);
    fixture_close(&f);
}

static void test_tap_keeps_a_dead_servers_held_message_until_released(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open(&f, NULL, "Z", 1000);
    fixture_start(&f);
    f.decide = hold_ready;
    peer_send(&f.server, READY);
    UNTIL(&f, rh_tap_statistics(f.tap).held_messages == 1);
    close(f.server.fd);
    f.server.fd = -1;
    for (int i = 0; i < 10; i++)
        fixture_turn(&f);
    assert_int_equal(f.closed, 0);
    rh_tap_session_release(f.session);
    UNTIL(&f, f.client.has_ended);
    assert_true(peer_has(&f.client, READY));
    fixture_close(&f);
}

static void test_tap_closes_the_server_when_the_client_is_gone(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open(&f, NULL, "Z", 1000);
    fixture_start(&f);
    peer_close(&f.client);
    /* As without us: the server sees the end of its input ... */
    UNTIL(&f, f.server.has_ended);
    f.server.has_ended = false;
    /* ... and what it still sends goes nowhere. */
    peer_send(&f.server, READY);
    UNTIL(&f, is_closed(&f));
    assert_int_equal(f.closed, 1);
    fixture_close(&f);
}

static void test_tap_closes_a_session_that_holds_when_its_client_leaves(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open(&f, NULL, "Z", 1000);
    fixture_start(&f);
    f.decide = hold_ready;
    peer_send(&f.server, READY);
    UNTIL(&f, rh_tap_statistics(f.tap).held_messages == 1);
    peer_close(&f.client);
    UNTIL(&f, f.server.has_ended);
    rh_tap_session_release(f.session);
    UNTIL(&f, is_closed(&f));
    fixture_close(&f);
}

static void test_tap_drops_a_client_that_leaves_during_start_up(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open(&f, NULL, NULL, 1000);
    peer_send(&f.client, TEXT_LITERAL("\0\0\0"));
    peer_close(&f.client);
    UNTIL(&f, is_closed(&f));
    assert_int_equal(f.opened, 0);
    fixture_close(&f);
}

static void test_tap_free_closes_open_sessions(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open(&f, NULL, NULL, 1000);
    fixture_start(&f);
    struct peer second;
    peer_connect(&f, &second); /* still without a start-up packet */
    assert_int_equal(rh_tap_open_sessions(f.tap), 2);
    rh_tap_free(f.tap);
    f.tap = NULL;
    assert_int_equal(f.closed, 1);
    peer_pull(&f.client);
    assert_true(f.client.has_ended);
    peer_close(&second);
    rh_tap_free(NULL);
    fixture_close(&f);
}

/* --- listeners --- */

static int listen_tcp(uint16_t *ret_port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(fd, 32), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &length), 0);
    *ret_port = ntohs(address.sin_port);
    return fd;
}

static int connect_tcp(uint16_t port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

static void test_tap_listens_on_tcp_and_counts_sessions_in_order(void **state)
{
    (void)state;
    struct fixture f;
    struct err err = RH_ERR_INIT;
    uint16_t port;
    struct peer clients[20];
    fixture_open(&f, NULL, NULL, 1000);
    assert_int_equal(rh_tap_listen(f.tap, listen_tcp(&port), &err), RH_OK);
    for (int i = 0; i < 20; i++) {
        clients[i] = (struct peer){.fd = connect_tcp(port)};
        rh_buf_init(&clients[i].received, 1000);
        send(clients[i].fd, START, sizeof(START) - 1, MSG_NOSIGNAL);
    }
    UNTIL(&f, rh_tap_open_sessions(f.tap) == 21);
    /* The socket pair of the fixture was first. */
    UNTIL(&f, f.opened == 20);
    assert_int_equal(rh_tap_statistics(f.tap).sessions, 20);
    /* A reset, not an orderly end. */
    struct linger abort_at_close = {.l_onoff = 1, .l_linger = 0};
    for (int i = 0; i < 20; i++) {
        setsockopt(clients[i].fd, SOL_SOCKET, SO_LINGER, &abort_at_close, sizeof(abort_at_close));
        peer_close(&clients[i]);
    }
    UNTIL(&f, f.closed == 20);
    fixture_close(&f);
}

static void test_tap_listens_in_a_directory_and_takes_the_name_away(void **state)
{
    (void)state;
    struct fixture f;
    struct err err = RH_ERR_INIT;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct peer client;
    char long_name[sizeof(address.sun_path)];
    fixture_open(&f, NULL, NULL, 1000);
    snprintf(address.sun_path, sizeof(address.sun_path), "%s/.s.PGSQL.5432", f.directory);
    assert_int_equal(rh_tap_listen_in(f.tap, f.directory, &err), RH_OK);
    client = (struct peer){.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    rh_buf_init(&client.received, 1000);
    assert_int_equal(connect(client.fd, (struct sockaddr *)&address, sizeof(address)), 0);
    send(client.fd, START, sizeof(START) - 1, MSG_NOSIGNAL);
    UNTIL(&f, f.opened == 1);
    peer_close(&client);
    assert_int_not_equal(rh_tap_listen_in(f.tap, f.directory, &err), RH_OK); /* it is taken */
    memset(long_name, 'x', sizeof(long_name) - 1);
    long_name[sizeof(long_name) - 1] = 0;
    assert_int_equal(rh_tap_listen_in(f.tap, long_name, &err), RH_ERR_ENVIRONMENT);
    assert_non_null(strstr(err.message, "too long for a socket"));
    assert_int_equal(access(address.sun_path, F_OK), 0);
    fixture_close(&f);
    assert_int_equal(access(address.sun_path, F_OK), -1);
    assert_int_equal(access(f.directory, F_OK), -1);
}

static void test_tap_relays_to_a_server_on_tcp(void **state)
{
    (void)state;
    struct fixture f;
    struct err err = RH_ERR_INIT;
    struct upstream_host host = {.name = "127.0.0.1"};
    const struct upstream upstream = {.hosts = &host, .host_count = 1};
    struct tap_options options = {.upstream = &upstream};
    fixture_open(&f, NULL, NULL, 1000);
    fixture_stop_server(&f);
    rh_tap_free(f.tap);
    peer_close(&f.client);
    f.server_listener = listen_tcp(&host.port);
    assert_int_equal(rh_tap_new(f.loop, &options, NULL, &f.tap, &err), RH_OK);
    peer_connect(&f, &f.client);
    fixture_start(&f);
    peer_send(&f.server, READY);
    UNTIL(&f, peer_has(&f.client, READY));
    fixture_close(&f);
}

static void test_tap_refuses_a_tcp_server_that_does_not_listen(void **state)
{
    (void)state;
    struct fixture f;
    struct err err = RH_ERR_INIT;
    struct upstream_host host = {.name = "127.0.0.1"};
    const struct upstream upstream = {.hosts = &host, .host_count = 1};
    struct tap_options options = {.upstream = &upstream};
    fixture_open(&f, NULL, NULL, 1000);
    rh_tap_free(f.tap);
    peer_close(&f.client);
    close(listen_tcp(&host.port)); /* a port that is free */
    assert_int_equal(rh_tap_new(f.loop, &options, NULL, &f.tap, &err), RH_OK);
    peer_connect(&f, &f.client);
    peer_send(&f.client, TEXT_LITERAL(START));
    UNTIL(&f, f.client.has_ended);
    assert_int_equal(f.client.received.data[0], 'E');
    fixture_close(&f);
}

static void test_tap_new_refuses_addresses_that_cannot_be(void **state)
{
    (void)state;
    struct loop *loop;
    struct tap *tap = NULL;
    struct err err = RH_ERR_INIT;
    char path[200];
    assert_int_equal(rh_loop_new(&loop, &err), RH_OK);
    memset(path, 'x', sizeof(path) - 1);
    path[sizeof(path) - 1] = '\0';
    struct tap_options too_long = {.server_socket_path = path};
    assert_int_equal(rh_tap_new(loop, &too_long, NULL, &tap, &err), RH_ERR_ENVIRONMENT);
    const struct upstream_host named = {.name = "db", .address = "db", .port = 5432};
    const struct upstream upstream = {.hosts = &named, .host_count = 1};
    struct tap_options not_numeric = {.upstream = &upstream};
    assert_int_equal(rh_tap_new(loop, &not_numeric, NULL, &tap, &err), RH_ERR_USAGE);
    assert_null(tap);
    rh_loop_free(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tap_stops_reading_the_server_when_the_client_is_slow),
        cmocka_unit_test(test_tap_stops_reading_the_client_when_the_server_is_slow),
        cmocka_unit_test(test_tap_stops_reading_the_server_while_it_holds),
        cmocka_unit_test(test_tap_streams_a_huge_row_in_flat_memory),
        cmocka_unit_test(test_tap_streams_a_huge_copy_message_in_flat_memory),
        cmocka_unit_test(test_tap_passes_a_half_close_on_and_the_answer_back),
        cmocka_unit_test(test_tap_delivers_the_servers_last_words_before_it_closes),
        cmocka_unit_test(test_tap_passes_a_message_cut_off_by_the_server),
        cmocka_unit_test(test_tap_keeps_a_dead_servers_held_message_until_released),
        cmocka_unit_test(test_tap_closes_the_server_when_the_client_is_gone),
        cmocka_unit_test(test_tap_closes_a_session_that_holds_when_its_client_leaves),
        cmocka_unit_test(test_tap_drops_a_client_that_leaves_during_start_up),
        cmocka_unit_test(test_tap_free_closes_open_sessions),
        cmocka_unit_test(test_tap_listens_on_tcp_and_counts_sessions_in_order),
        cmocka_unit_test(test_tap_listens_in_a_directory_and_takes_the_name_away),
        cmocka_unit_test(test_tap_relays_to_a_server_on_tcp),
        cmocka_unit_test(test_tap_refuses_a_tcp_server_that_does_not_listen),
        cmocka_unit_test(test_tap_new_refuses_addresses_that_cannot_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
