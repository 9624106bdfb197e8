/* Handlers that take backend messages away: parts, what follows them, back-pressure, failures. */
#include "tap_unit.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define READY TEXT_LITERAL("Z\0\0\0\5I")
#define BATCH_MAX (1024 * 1024)
/* Everything that may wait between two peers: see test_tap_flow.c. */
#define STUCK_BYTES_MAX (4 * 1024 * 1024)

/* A handler that sends what it took in upper case, as one message when something follows. */
struct taker {
    struct buf batch;
    bool passes; /* sends each part as it is, at once */
    size_t parts, begun, ended, largest;
    bool has_parts; /* since the last message of another type */
    char followed[16];
    size_t followed_count;
    uint32_t body_length;
    char type;
    bool sends_at_once, holds;
    void (*instead)(struct fixture *f, struct tap_session *session);
};

static void send_batch(struct taker *taker, struct tap_session *session)
{
    if (taker->batch.len > 0)
        rh_tap_session_send_client_message(session, taker->type, rh_buf_text(&taker->batch));
    rh_buf_clear(&taker->batch);
}

static void on_part(void *context, struct tap_session *session, const struct pg_part *part)
{
    struct fixture *f = context;
    struct taker *taker = f->mine;
    taker->parts++;
    taker->has_parts = true;
    taker->begun += part->begins;
    taker->ended += part->ends;
    taker->body_length = part->body_length;
    taker->type = (char)part->type;
    if (part->bytes.len > taker->largest)
        taker->largest = part->bytes.len;
    if (taker->instead) {
        taker->instead(f, session);
        return;
    }
    if (taker->passes) {
        rh_tap_session_send_client_message(session, taker->type, part->bytes);
        return;
    }
    for (size_t i = 0; i < part->bytes.len; i++)
        rh_buf_add_char(&taker->batch, (char)toupper((unsigned char)part->bytes.data[i]));
    if (taker->sends_at_once)
        send_batch(taker, session);
}

/* What is sent while a message is shown goes ahead of it. */
static enum tap_action on_message(void *context, struct tap_session *session,
                                  const struct pg_message *message)
{
    struct fixture *f = context;
    struct taker *taker = f->mine;
    if (taker->has_parts) {
        assert_true(taker->followed_count + 1 < sizeof(taker->followed));
        taker->followed[taker->followed_count++] = (char)message->type;
    }
    taker->has_parts = false;
    send_batch(taker, session);
    return taker->holds && message->type == 'c' ? TAP_HOLD : TAP_FORWARD;
}

static void taker_open(struct fixture *f, struct taker *taker, const char *taken)
{
    struct tap_handler handler = {
        .collect_max = 1000, .backend_part = on_part, .backend_message = on_message};
    fixture_add_types(&handler.backend_taken, taken);
    fixture_add_types(&handler.backend_types, "cCEZ");
    *taker = (struct taker){0};
    rh_buf_init(&taker->batch, BATCH_MAX);
    fixture_open_handler(f, &handler);
    f->mine = taker;
    fixture_start(f);
}

static void taker_close(struct fixture *f, struct taker *taker)
{
    fixture_close(f);
    rh_buf_deinit(&taker->batch);
}

/* --- what passes --- */

static const char copy[] = "H\0\0\0\7\0\0\0"
                           "d\0\0\0\7ab\n"
                           "d\0\0\0\4"
                           "d\0\0\0\x09"
                           "cdef\n"
                           "d\0\0\0\5g"
                           "c\0\0\0\4"
                           "C\0\0\0\x0b"
                           "COPY 3\0"
                           "Z\0\0\0\5I";
static const char upper_copy[] = "H\0\0\0\7\0\0\0"
                                 "d\0\0\0\x0d"
                                 "AB\nCDEF\nG"
                                 "c\0\0\0\4"
                                 "C\0\0\0\x0b"
                                 "COPY 3\0"
                                 "Z\0\0\0\5I";
#define COPY ((struct text){copy, sizeof(copy) - 1})
#define UPPER_COPY ((struct text){upper_copy, sizeof(upper_copy) - 1})

static void send_split(struct fixture *f, struct text bytes, size_t piece)
{
    for (size_t at = 0; at < bytes.len; at += piece) {
        size_t len = bytes.len - at < piece ? bytes.len - at : piece;
        peer_send(&f->server, (struct text){bytes.data + at, len});
        UNTIL(f, peer_unread(&f->server) == 0);
    }
}

static void test_take_replaces_copy_data_at_any_split(void **state)
{
    (void)state;
    for (size_t piece = 1; piece <= COPY.len; piece++) {
        struct fixture f;
        struct taker taker;
        taker_open(&f, &taker, "d");
        send_split(&f, COPY, piece);
        UNTIL(&f, f.client.received_total >= UPPER_COPY.len);
        assert_true(peer_has(&f.client, UPPER_COPY));
        assert_string_equal(taker.followed, "c");
        assert_true(taker.begun >= 1 && taker.ended >= 1);
        taker_close(&f, &taker);
    }
}

static void test_take_gives_what_was_read_at_once_as_one_part(void **state)
{
    (void)state;
    struct fixture f;
    struct taker taker;
    taker_open(&f, &taker, "d");
    peer_send(&f.server, COPY);
    UNTIL(&f, peer_has(&f.client, UPPER_COPY));
    assert_int_equal(taker.parts, 1);
    assert_int_equal(taker.largest, 9);
    assert_int_equal(taker.begun, 1);
    assert_int_equal(taker.ended, 1);
    assert_int_equal(taker.body_length, 3);
    taker_close(&f, &taker);
}

static void test_take_of_other_types_gives_a_part_for_each_message(void **state)
{
    (void)state;
    struct fixture f;
    struct taker taker;
    taker_open(&f, &taker, "V");
    taker.sends_at_once = true;
    peer_send(&f.server, TEXT_LITERAL("V\0\0\0\x0b\0\0\0\3abcV\0\0\0\5xZ\0\0\0\5I"));
    UNTIL(&f, peer_has(&f.client, TEXT_LITERAL("V\0\0\0\x0b\0\0\0\3ABCV\0\0\0\5XZ\0\0\0\5I")));
    assert_int_equal(taker.parts, 2);
    assert_int_equal(taker.begun, 2);
    assert_int_equal(taker.ended, 2);
    assert_string_equal(taker.followed, "Z");
    /* One that comes in pieces: its length is told with the first. */
    peer_send(&f.server, TEXT_LITERAL("V\0\0\0\x06x"));
    UNTIL(&f, taker.parts == 3);
    assert_int_equal(taker.body_length, 2);
    assert_int_equal(taker.ended, 2);
    peer_send(&f.server, TEXT_LITERAL("y"));
    UNTIL(&f, taker.parts == 4);
    assert_int_equal(taker.begun, 3);
    assert_int_equal(taker.ended, 3);
    taker_close(&f, &taker);
}

static void test_take_lets_notices_overtake(void **state)
{
    (void)state;
    struct fixture f;
    struct taker taker;
    taker_open(&f, &taker, "d");
    struct text sent = TEXT_LITERAL("d\0\0\0\5aN\0\0\0\5\0d\0\0\0\5bc\0\0\0\4");
    struct text wanted = TEXT_LITERAL("N\0\0\0\5\0d\0\0\0\6ABc\0\0\0\4");
    for (size_t piece = 1; piece <= sent.len; piece++) {
        send_split(&f, sent, piece);
        UNTIL(&f, f.client.received_total >= wanted.len);
        assert_true(peer_has(&f.client, wanted));
        peer_forget(&f.client);
        assert_int_equal(taker.followed_count, 1);
        taker.followed_count = 0;
    }
    taker_close(&f, &taker);
}

static void test_take_sends_ahead_of_an_error(void **state)
{
    (void)state;
    struct fixture f;
    struct taker taker;
    taker_open(&f, &taker, "d");
    peer_send(&f.server, TEXT_LITERAL("d\0\0\0\5aE\0\0\0\5\0Z\0\0\0\5I"));
    UNTIL(&f, peer_has(&f.client, TEXT_LITERAL("d\0\0\0\5AE\0\0\0\5\0Z\0\0\0\5I")));
    assert_string_equal(taker.followed, "E");
    taker_close(&f, &taker);
}

static void test_take_goes_ahead_of_a_message_that_is_held(void **state)
{
    (void)state;
    struct fixture f;
    struct taker taker;
    taker_open(&f, &taker, "d");
    taker.holds = true;
    peer_send(&f.server, TEXT_LITERAL("d\0\0\0\5ac\0\0\0\4d\0\0\0\5bZ\0\0\0\5I"));
    UNTIL(&f, peer_has(&f.client, TEXT_LITERAL("d\0\0\0\5A")));
    for (int turn = 0; turn < 20; turn++)
        fixture_turn(&f);
    rh_tap_session_release(f.session);
    UNTIL(&f, peer_has(&f.client, TEXT_LITERAL("d\0\0\0\5Ac\0\0\0\4d\0\0\0\5BZ\0\0\0\5I")));
    assert_string_equal(taker.followed, "cZ");
    taker_close(&f, &taker);
}

static void test_take_leaves_a_dropped_type_to_the_handler(void **state)
{
    (void)state;
    struct fixture f;
    struct taker taker;
    struct pg_type_set types = {{0}};
    taker_open(&f, &taker, "d");
    fixture_add_types(&types, "dC");
    rh_tap_session_drop(f.session, &types);
    peer_send(&f.server, TEXT_LITERAL("d\0\0\0\5ac\0\0\0\4C\0\0\0\5\0Z\0\0\0\5I"));
    UNTIL(&f, peer_has(&f.client, TEXT_LITERAL("d\0\0\0\5Ac\0\0\0\4Z\0\0\0\5I")));
    taker_close(&f, &taker);
}

/* --- load --- */

static long resident_peak_kb(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss;
}

/* Messages of `body` bytes, about `total` in all; what arrives at the client is counted. */
static void check_stream(size_t body, uint64_t total)
{
    struct fixture f;
    struct taker taker;
    RH_CLEANUP_BUF struct buf unit;
    rh_buf_init(&unit, 1024 * 1024);
    uint64_t messages = total / body;
    /* Whole small messages to a piece; of a large one the header goes first. */
    char header[5];
    rh_pg_encode_header(header, 'd', body);
    size_t in_unit = body < 1000 ? 200 : 0;
    for (size_t i = 0; i < in_unit; i++) {
        rh_buf_add(&unit, header, sizeof(header));
        for (size_t j = 0; j < body; j++)
            rh_buf_add_char(&unit, 'x');
    }
    taker_open(&f, &taker, "d");
    taker.passes = true;
    f.client.counts_only = true;
    f.client.is_deaf = true;
    if (!in_unit) {
        peer_send(&f.server, (struct text){header, sizeof(header)});
        for (size_t j = 0; j < 64 * 1024; j++)
            rh_buf_add_char(&unit, 'x');
        messages = 1;
    }
    uint64_t left = in_unit ? messages / in_unit * unit.len : body;
    uint64_t payload = in_unit ? messages / in_unit * in_unit * body : body;
    long before_kb = 0;
    size_t at = 0;
    unsigned idle_turns = 0;
    uint64_t sent = 0;
    while (left > 0) {
        size_t length = unit.len - at < left ? unit.len - at : (size_t)left;
        size_t taken = peer_offer(&f.server, (struct text){unit.data + at, length});
        at = (at + taken) % unit.len;
        left -= taken;
        sent += taken;
        idle_turns = taken ? 0 : idle_turns + 1;
        fixture_turn(&f);
        if (f.client.is_deaf && idle_turns == 20) {
            /* The client is behind: the server is not read any more. */
            assert_true(sent < STUCK_BYTES_MAX);
            f.client.is_deaf = false;
            before_kb = resident_peak_kb();
        }
    }
    assert_false(f.client.is_deaf);
    peer_send(&f.server, TEXT_LITERAL("c\0\0\0\4"));
    UNTIL(&f, taker.followed_count == 1 && peer_unread(&f.server) == 0 &&
                  f.client.received_total >= payload + 5 * taker.parts + 5);
    assert_int_equal(f.client.received_total, payload + 5 * taker.parts + 5);
    assert_true(taker.largest <= TAP_CHUNK_BYTES);
    assert_true(resident_peak_kb() - before_kb < 8 * 1024);
    taker_close(&f, &taker);
}

static void test_take_streams_a_huge_message_in_flat_memory(void **state)
{
    (void)state;
    /* Just below the largest a server sends for a row of text: 1 GB. */
    check_stream(INT64_C(1024) * 1024 * 1024 - 1, INT64_C(1024) * 1024 * 1024);
}

static void test_take_streams_many_small_messages_in_flat_memory(void **state)
{
    (void)state;
    check_stream(100, 64 * 1024 * 1024);
}

static void pause_server(struct fixture *f, struct tap_session *session)
{
    (void)f;
    rh_tap_session_pause_server(session, true);
}

static void test_take_may_pause_the_server(void **state)
{
    (void)state;
    struct fixture f;
    struct taker taker;
    static char chunk[64 * 1024];
    size_t offered = 0;
    taker_open(&f, &taker, "d");
    taker.instead = pause_server;
    peer_send(&f.server, TEXT_LITERAL("d\x40\0\0\0"));
    for (int turn = 0; turn < 100; turn++) {
        offered += peer_offer(&f.server, (struct text){chunk, sizeof(chunk)});
        fixture_turn(&f);
    }
    assert_int_equal(taker.parts, 1);
    assert_true(offered < STUCK_BYTES_MAX);
    taker.instead = NULL;
    taker.passes = true;
    rh_tap_session_pause_server(f.session, false);
    UNTIL(&f, peer_unread(&f.server) == 0 && f.client.received_total > 0);
    assert_true(taker.parts > 1);
    taker_close(&f, &taker);
}

/* --- ends --- */

static void close_session(struct fixture *f, struct tap_session *session)
{
    (void)f;
    rh_tap_session_close(session);
}

static void test_take_may_close_its_session(void **state)
{
    (void)state;
    struct fixture f;
    struct taker taker;
    taker_open(&f, &taker, "d");
    taker.instead = close_session;
    peer_send(&f.server, TEXT_LITERAL("d\0\0\0\x0asecretZ\0\0\0\5I"));
    UNTIL(&f, f.client.has_ended && f.server.has_ended);
    assert_int_equal(f.client.received_total, 0);
    taker_close(&f, &taker);
}

static void send_too_much(struct fixture *f, struct tap_session *session)
{
    size_t length = TAP_CLIENT_SEND_MAX / 2;
    char *bytes = calloc(1, length);
    (void)f;
    for (int i = 0; i < 3; i++)
        rh_tap_session_send_client_message(session, 'd', (struct text){bytes, length});
    free(bytes);
}

static void close_when_nobody_waits(struct fixture *f, struct tap_session *session)
{
    (void)f;
    if (rh_tap_session_client_ended(session))
        rh_tap_session_close(session);
}

static void test_take_can_ask_whether_the_client_is_gone(void **state)
{
    (void)state;
    struct fixture f;
    struct taker taker;
    taker_open(&f, &taker, "d");
    taker.instead = close_when_nobody_waits;
    peer_send(&f.server, TEXT_LITERAL("d\0\0\0\5x"));
    UNTIL(&f, taker.parts == 1);
    assert_int_equal(rh_tap_open_sessions(f.tap), 1);
    shutdown(f.client.fd, SHUT_WR);
    /* Goes on as long as nobody closes it: the server hears of the end, too. */
    UNTIL(&f, f.server.has_ended);
    assert_int_equal(rh_tap_open_sessions(f.tap), 1);
    peer_send(&f.server, TEXT_LITERAL("d\0\0\0\5y"));
    UNTIL(&f, taker.parts == 2);
    UNTIL(&f, rh_tap_open_sessions(f.tap) == 0);
    taker_close(&f, &taker);
}

static void test_take_that_sends_more_than_can_wait_fails_the_session(void **state)
{
    (void)state;
    struct fixture f;
    struct taker taker;
    taker_open(&f, &taker, "d");
    taker.instead = send_too_much;
    f.client.is_deaf = true;
    peer_send(&f.server, TEXT_LITERAL("d\0\0\0\5a"));
    UNTIL(&f, f.server.has_ended);
    f.client.is_deaf = false;
    UNTIL(&f, f.client.has_ended);
    /* The third did not fit any more. */
    assert_true(f.client.received_total > TAP_CLIENT_SEND_MAX);
    assert_true(f.client.received_total < TAP_CLIENT_SEND_MAX + 1000);
    taker_close(&f, &taker);
}

/* Nobody lets through what the handler has taken: it hears of the end with the session's. */
static void test_take_that_was_not_sent_ends_with_the_server(void **state)
{
    (void)state;
    struct fixture f;
    struct taker taker;
    taker_open(&f, &taker, "d");
    peer_send(&f.server, TEXT_LITERAL("d\0\0\0\5ad\0\0\0\x09half"));
    UNTIL(&f, taker.batch.len == 5);
    peer_close(&f.server);
    UNTIL(&f, f.client.has_ended);
    assert_int_equal(f.client.received_total, 0);
    assert_int_equal(taker.followed_count, 0);
    peer_close(&f.client);
    UNTIL(&f, f.closed == 1);
    taker_close(&f, &taker);
}

static void test_take_fails_when_messages_cannot_be_told_apart(void **state)
{
    static const struct text broken[] = {
        {"d\0\0\0\3secret", 11}, {"d\xff\0\0\0secret", 11}, {"Q\0\0\0\4d\0\0\0\5a!secret", 18}};
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        for (size_t piece = 1; piece <= broken[i].len; piece++) {
            struct fixture f;
            struct taker taker;
            taker_open(&f, &taker, "d");
            for (size_t at = 0; at < broken[i].len && !f.server.has_ended; at += piece) {
                size_t len = broken[i].len - at < piece ? broken[i].len - at : piece;
                (void)!write(f.server.fd, broken[i].data + at, len);
                for (int turn = 0; turn < 3; turn++)
                    fixture_turn(&f);
            }
            UNTIL(&f, f.client.has_ended);
            assert_null(memmem(f.client.received.data, f.client.received.len, "secret", 6));
            assert_non_null(memmem(f.client.received.data, f.client.received.len, "08P01", 5));
            taker_close(&f, &taker);
        }
    }
}

static void test_take_refuses_another_protocol(void **state)
{
    (void)state;
    struct fixture f;
    struct taker taker;
    struct peer old;
    taker_open(&f, &taker, "d");
    peer_connect(&f, &old);
    peer_send(&old, TEXT_LITERAL("\0\0\0\x0c\0\2\0\0abcd"));
    UNTIL(&f, old.has_ended || (peer_pull(&old), old.has_ended));
    assert_int_equal(old.received_total, 0);
    peer_close(&old);
    taker_close(&f, &taker);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_take_replaces_copy_data_at_any_split),
        cmocka_unit_test(test_take_gives_what_was_read_at_once_as_one_part),
        cmocka_unit_test(test_take_of_other_types_gives_a_part_for_each_message),
        cmocka_unit_test(test_take_lets_notices_overtake),
        cmocka_unit_test(test_take_sends_ahead_of_an_error),
        cmocka_unit_test(test_take_goes_ahead_of_a_message_that_is_held),
        cmocka_unit_test(test_take_leaves_a_dropped_type_to_the_handler),
        cmocka_unit_test(test_take_streams_a_huge_message_in_flat_memory),
        cmocka_unit_test(test_take_streams_many_small_messages_in_flat_memory),
        cmocka_unit_test(test_take_may_pause_the_server),
        cmocka_unit_test(test_take_may_close_its_session),
        cmocka_unit_test(test_take_can_ask_whether_the_client_is_gone),
        cmocka_unit_test(test_take_that_sends_more_than_can_wait_fails_the_session),
        cmocka_unit_test(test_take_that_was_not_sent_ends_with_the_server),
        cmocka_unit_test(test_take_fails_when_messages_cannot_be_told_apart),
        cmocka_unit_test(test_take_refuses_another_protocol),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
