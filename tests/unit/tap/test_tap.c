/* The relay between scripted peers: start-up, showing, holding, swallowing, ends. */
#include "tap_unit.h"
#include "tools/wire_trace.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static struct wire_traces traces;

#define SSL_REQUEST TEXT_LITERAL("\0\0\0\10\x04\xd2\x16\x2f")
#define GSS_REQUEST TEXT_LITERAL("\0\0\0\10\x04\xd2\x16\x30")
#define QUERY TEXT_LITERAL("Q\0\0\0\x0dSELECT 1\0")
#define COMPLETE TEXT_LITERAL("C\0\0\0\x0dSELECT 1\0")
#define READY TEXT_LITERAL("Z\0\0\0\5I")
#define NOTICE TEXT_LITERAL("N\0\0\0\x0dC00000\0\0\0")

static struct text slice(struct text bytes, size_t begin, size_t end)
{
    return (struct text){bytes.data + begin, end - begin};
}

static bool is_closed(struct fixture *f)
{
    return rh_tap_open_sessions(f->tap) == 0;
}

/* --- start-up --- */

static void test_tap_forwards_both_ways_and_shows_what_was_asked_for(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open(&f, "-Q", "CZ", 1000);
    fixture_start(&f);
    assert_int_equal(f.opened, 1);
    peer_send(&f.client, QUERY);
    UNTIL(&f, peer_has(&f.server, QUERY));
    struct text answer = TEXT_LITERAL("D\0\0\0\6\0\0C\0\0\0\x0dSELECT 1\0Z\0\0\0\5I");
    peer_send(&f.server, answer);
    UNTIL(&f, peer_has(&f.client, answer));
    assert_int_equal(f.shown_count, 4);
    assert_int_equal(f.shown[0].type, 0);
    assert_string_equal(f.shown[0].body + 4, "user");
    assert_int_equal(f.shown[1].type, 'Q');
    assert_string_equal(f.shown[1].body, "SELECT 1");
    assert_int_equal(f.shown[2].type, 'C');
    assert_int_equal(f.shown[3].type, 'Z');
    assert_true(f.shown[3].is_backend);
    struct tap_statistics statistics = rh_tap_statistics(f.tap);
    assert_int_equal(statistics.sessions, 1);
    assert_int_equal(statistics.frontend_bytes, QUERY.len + sizeof(START) - 1);
    assert_int_equal(statistics.backend_bytes, answer.len);
    fixture_close(&f);
}

static void test_tap_answers_encryption_requests_in_either_order(void **state)
{
    (void)state;
    for (int order = 0; order < 2; order++) {
        struct fixture f;
        fixture_open(&f, "-", NULL, 1000);
        peer_send(&f.client, order ? SSL_REQUEST : GSS_REQUEST);
        UNTIL(&f, peer_has(&f.client, TEXT_LITERAL("N")));
        peer_send(&f.client, order ? GSS_REQUEST : SSL_REQUEST);
        UNTIL(&f, peer_has(&f.client, TEXT_LITERAL("NN")));
        assert_int_equal(f.server.fd, -1);
        fixture_start(&f);
        assert_int_equal(f.opened, 1);
        assert_int_equal(f.shown_count, 1);
        fixture_close(&f);
    }
}

static void test_tap_drops_a_client_that_asks_twice_for_encryption(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open(&f, NULL, NULL, 1000);
    peer_send(&f.client, SSL_REQUEST);
    UNTIL(&f, peer_has(&f.client, TEXT_LITERAL("N")));
    peer_send(&f.client, SSL_REQUEST);
    UNTIL(&f, f.client.has_ended);
    assert_true(is_closed(&f));
    fixture_close(&f);
}

static void test_tap_drops_a_client_whose_bytes_came_before_our_answer(void **state)
{
    (void)state;
    static const char *const early[] = {"\0\0\0\10\x04\xd2\x16\x2f" START,
                                        "\0\0\0\10\x04\xd2\x16\x30" START};
    for (int i = 0; i < 2; i++) {
        struct fixture f;
        fixture_open(&f, NULL, NULL, 1000);
        peer_send(&f.client, (struct text){early[i], 8 + sizeof(START) - 1});
        UNTIL(&f, f.client.has_ended);
        assert_int_equal(f.client.received_total, 0);
        assert_int_equal(f.server.fd, -1);
        assert_int_equal(f.opened, 0);
        fixture_close(&f);
    }
}

static void test_tap_refuses_direct_tls_with_an_alert(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open(&f, NULL, NULL, 1000);
    peer_send(&f.client, TEXT_LITERAL("\x16\3\1\2\0\1\0\1\xfc\3\3"));
    UNTIL(&f, f.client.has_ended);
    assert_true(peer_has(&f.client, TEXT_LITERAL("\x15\3\3\0\2\2\x28")));
    assert_int_equal(f.server.fd, -1);
    peer_close(&f.client);
    UNTIL(&f, is_closed(&f));
    fixture_close(&f);
}

static void test_tap_forwards_cancel_requests_with_keys_of_any_length(void **state)
{
    (void)state;
    static const size_t lengths[] = {4, 32, 256};
    for (int i = 0; i < 3; i++) {
        struct fixture f;
        char packet[12 + 256] = "\0\0\0\0\x04\xd2\x16\x2e\0\0\0\x2a";
        size_t length = 12 + lengths[i];
        packet[2] = (char)(length >> 8);
        packet[3] = (char)length;
        memset(packet + 12, 'k', lengths[i]);
        fixture_open(&f, "-", NULL, 1000);
        struct text bytes = {packet, length};
        /* Split inside the key, as a slow network would. */
        peer_send(&f.client, slice(bytes, 0, 13));
        UNTIL(&f, peer_unread(&f.client) == 0);
        peer_send(&f.client, slice(bytes, 13, length));
        UNTIL(&f, peer_has(&f.server, bytes));
        peer_close(&f.server);
        UNTIL(&f, f.client.has_ended);
        assert_int_equal(f.client.received_total, 0);
        assert_int_equal(f.opened, 0);
        assert_int_equal(f.shown_count, 0);
        fixture_close(&f);
    }
}

static void test_tap_drops_cancel_requests_with_impossible_keys(void **state)
{
    (void)state;
    static const size_t lengths[] = {0, 3, 257};
    for (int i = 0; i < 3; i++) {
        struct fixture f;
        char packet[12 + 257] = "\0\0\0\0\x04\xd2\x16\x2e\0\0\0\x2a";
        size_t length = 12 + lengths[i];
        packet[2] = (char)(length >> 8);
        packet[3] = (char)length;
        fixture_open(&f, NULL, NULL, 1000);
        peer_send(&f.client, (struct text){packet, length});
        UNTIL(&f, f.client.has_ended);
        assert_int_equal(f.server.fd, -1);
        fixture_close(&f);
    }
}

static void test_tap_takes_start_up_packets_to_the_servers_limit(void **state)
{
    (void)state;
    for (size_t body = 10000; body <= 10001; body++) {
        struct fixture f;
        static char packet[4 + 10001];
        memset(packet, 'x', sizeof(packet));
        memcpy(packet, "\0\0\x27\x14\0\3\0\0user\0", 13);
        packet[3] = (char)(packet[3] + (body - 10000));
        packet[4 + body - 2] = packet[4 + body - 1] = '\0';
        struct text bytes = {packet, 4 + body};
        fixture_open(&f, "-", NULL, 20000);
        peer_send(&f.client, bytes);
        UNTIL(&f, f.client.has_ended || f.server.received_total == bytes.len);
        assert_int_equal(f.client.has_ended, body > 10000);
        if (body == 10000)
            assert_true(peer_has(&f.server, bytes));
        fixture_close(&f);
    }
}

static void test_tap_forwards_what_came_with_the_start_up_packet(void **state)
{
    (void)state;
    struct fixture f;
    struct text bytes = TEXT_LITERAL(START "Q\0\0\0\x0dSELECT 1\0");
    fixture_open(&f, "-Q", NULL, 1000);
    peer_send(&f.client, bytes);
    UNTIL(&f, peer_has(&f.server, bytes));
    assert_int_equal(f.shown_count, 2);
    fixture_close(&f);
}

static void test_tap_relays_other_protocols_unseen(void **state)
{
    (void)state;
    struct fixture f;
    struct text start = TEXT_LITERAL("\0\0\0\x0d\0\2\0\0junk\0");
    fixture_open(&f, "-Q", "E", 1000);
    peer_send(&f.client, start);
    UNTIL(&f, peer_has(&f.server, start));
    struct text answer = TEXT_LITERAL("EFATAL:  unsupported frontend protocol 2.0\0");
    peer_send(&f.server, answer);
    UNTIL(&f, peer_has(&f.client, answer));
    assert_int_equal(f.opened, 0);
    assert_int_equal(f.shown_count, 0);
    fixture_close(&f);
}

static void test_tap_tells_a_client_that_the_server_is_not_there(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open(&f, NULL, NULL, 1000);
    fixture_stop_server(&f);
    peer_send(&f.client, TEXT_LITERAL(START));
    UNTIL(&f, f.client.has_ended);
    struct text answer = rh_buf_text(&f.client.received);
    assert_true(answer.len > 40);
    assert_int_equal(answer.data[0], 'E');
    assert_string_equal(answer.data + 5, "SFATAL");
    assert_string_equal(answer.data + 5 + 7 + 7, "C08006");
    assert_int_equal(rh_tap_statistics(f.tap).refused_connections, 1);
    assert_int_equal(f.opened, 0);
    peer_close(&f.client);
    UNTIL(&f, is_closed(&f));
    fixture_close(&f);
}

static void test_tap_waits_for_a_server_with_a_full_backlog(void **state)
{
    (void)state;
    struct fixture f;
    struct peer more[4];
    fixture_open(&f, NULL, NULL, 1000);
    fixture_stop_server(&f);
    fixture_listen(&f, 0);
    int listener = f.server_listener;
    f.server_listener = -1; /* nobody accepts */
    peer_send(&f.client, TEXT_LITERAL(START));
    for (int i = 0; i < 4; i++) {
        peer_connect(&f, &more[i]);
        peer_send(&more[i], TEXT_LITERAL(START));
    }
    for (int i = 0; i < 20; i++)
        fixture_turn(&f);
    assert_true(f.opened < 5);
    int accepted[5];
    for (int i = 0; i < 5; i++) {
        UNTIL(&f, (accepted[i] = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0);
    }
    UNTIL(&f, f.opened == 5);
    assert_int_equal(rh_tap_statistics(f.tap).refused_connections, 0);
    for (int i = 0; i < 5; i++)
        close(accepted[i]);
    for (int i = 0; i < 4; i++)
        peer_close(&more[i]);
    f.server_listener = listener;
    fixture_close(&f);
}

/* --- answers of the handler --- */

static enum tap_action swallow_notices(struct fixture *f, struct tap_session *session,
                                       const struct pg_message *message)
{
    (void)f;
    (void)session;
    return message->type == 'N' ? TAP_SWALLOW : TAP_FORWARD;
}

static void test_tap_swallows_a_message_at_every_split(void **state)
{
    (void)state;
    struct text sent = TEXT_LITERAL("D\0\0\0\6\0\0N\0\0\0\x0d"
                                    "C00000\0\0\0C\0\0\0\x0dSELECT 1\0N\0\0\0\x0d"
                                    "C00000\0\0\0N\0\0\0\4Z\0\0\0\5I");
    struct text expected = TEXT_LITERAL("D\0\0\0\6\0\0C\0\0\0\x0dSELECT 1\0Z\0\0\0\5I");
    struct fixture f;
    fixture_open(&f, NULL, "NZ", 1000);
    fixture_start(&f);
    f.decide = swallow_notices;
    for (size_t split = 0; split <= sent.len; split++) {
        peer_send(&f.server, slice(sent, 0, split));
        UNTIL(&f, peer_unread(&f.server) == 0);
        peer_send(&f.server, slice(sent, split, sent.len));
        UNTIL(&f, f.client.received.len >= expected.len);
        assert_true(peer_has(&f.client, expected));
        peer_forget(&f.client);
    }
    assert_int_equal(rh_tap_statistics(f.tap).swallowed_messages, 3 * (sent.len + 1));
    fixture_close(&f);
}

static void test_tap_drops_messages_unseen_at_every_split(void **state)
{
    (void)state;
    /* A row, a notice, a row larger than may be collected, a message between, an empty row. */
    char sent_bytes[400] = "D\0\0\0\6\0\0N\0\0\0\x0d"
                           "C00000\0\0\0D\0\0\1\0";
    struct text tail = TEXT_LITERAL("C\0\0\0\x0dSELECT 1\0D\0\0\0\4Z\0\0\0\5I");
    size_t length = 7 + 14 + 1 + 256;
    memcpy(sent_bytes + length, tail.data, tail.len);
    struct text sent = {sent_bytes, length + tail.len};
    struct text expected = TEXT_LITERAL("N\0\0\0\x0d"
                                        "C00000\0\0\0C\0\0\0\x0dSELECT 1\0Z\0\0\0\5I");
    struct pg_type_set rows = {{0}};
    rh_pg_type_set_add(&rows, 'D');
    for (int shows = 0; shows < 2; shows++) {
        struct fixture f;
        fixture_open(&f, NULL, shows ? "DNZ" : NULL, 100);
        fixture_start(&f);
        f.keeps_shown = true;
        rh_tap_session_drop(f.session, &rows);
        for (size_t split = 0; split <= sent.len; split++) {
            peer_send(&f.server, slice(sent, 0, split));
            UNTIL(&f, peer_unread(&f.server) == 0);
            peer_send(&f.server, slice(sent, split, sent.len));
            UNTIL(&f, f.client.received.len >= expected.len);
            assert_true(peer_has(&f.client, expected));
            peer_forget(&f.client);
        }
        for (size_t n = 0; n < f.shown_count && n < 64; n++)
            assert_int_not_equal(f.shown[n].type, 'D');
        fixture_close(&f);
    }
}

static enum tap_action hold_ready(struct fixture *f, struct tap_session *session,
                                  const struct pg_message *message)
{
    (void)f;
    (void)session;
    return message->type == 'Z' ? TAP_HOLD : TAP_FORWARD;
}

static void test_tap_holds_a_message_and_all_behind_it_until_released(void **state)
{
    (void)state;
    struct text sent = TEXT_LITERAL("C\0\0\0\x0dSELECT 1\0Z\0\0\0\5IN\0\0\0\x0d"
                                    "C00000\0\0\0Z\0\0\0\5TS\0\0\0\x08"
                                    "a\0b\0");
    struct fixture f;
    fixture_open(&f, "Q", "CNZ", 1000);
    fixture_start(&f);
    f.decide = hold_ready;
    for (size_t split = 0; split <= sent.len; split++) {
        f.shown_count = f.shown_count > 60 ? 64 : f.shown_count;
        peer_send(&f.server, slice(sent, 0, split));
        if (split < 14)
            UNTIL(&f, peer_unread(&f.server) == 0);
        else
            UNTIL(&f, f.client.received.len == 14);
        peer_send(&f.server, slice(sent, split, sent.len));
        UNTIL(&f, f.client.received.len == 14);
        /* The other direction goes on meanwhile. */
        peer_send(&f.client, QUERY);
        UNTIL(&f, peer_has(&f.server, QUERY));
        peer_forget(&f.server);
        assert_int_equal(f.client.received.len, 14);
        rh_tap_session_release(f.session);
        /* Up to the second ReadyForQuery, which is held in its turn. */
        UNTIL(&f, f.client.received.len == 14 + 6 + 14);
        for (int i = 0; i < 3; i++)
            fixture_turn(&f);
        assert_int_equal(f.client.received.len, 14 + 6 + 14);
        rh_tap_session_release(f.session);
        rh_tap_session_release(f.session); /* nothing is held: no-op */
        UNTIL(&f, peer_has(&f.client, sent));
        peer_forget(&f.client);
    }
    assert_int_equal(rh_tap_statistics(f.tap).held_messages, 2 * (sent.len + 1));
    fixture_close(&f);
}

static enum tap_action release_then_hold(struct fixture *f, struct tap_session *session,
                                         const struct pg_message *message)
{
    (void)f;
    (void)message;
    rh_tap_session_release(session);
    return TAP_HOLD;
}

static void test_tap_release_inside_the_callback_makes_hold_a_forward(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open(&f, NULL, "CZ", 1000);
    fixture_start(&f);
    f.decide = release_then_hold;
    struct text sent = TEXT_LITERAL("C\0\0\0\x0dSELECT 1\0Z\0\0\0\5I");
    peer_send(&f.server, sent);
    UNTIL(&f, peer_has(&f.client, sent));
    assert_int_equal(rh_tap_statistics(f.tap).held_messages, 0);
    fixture_close(&f);
}

static void release_on_query(struct fixture *f, struct tap_session *session,
                             const struct pg_message *message)
{
    (void)f;
    (void)message;
    rh_tap_session_release(session);
}

static void test_tap_release_inside_a_frontend_callback_lets_go(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open(&f, "Q", "Z", 1000);
    fixture_start(&f);
    f.decide = hold_ready;
    f.look = release_on_query;
    peer_send(&f.server, READY);
    UNTIL(&f, rh_tap_statistics(f.tap).held_messages == 1);
    assert_int_equal(f.client.received.len, 0);
    peer_send(&f.client, QUERY);
    UNTIL(&f, peer_has(&f.client, READY));
    fixture_close(&f);
}

static enum tap_action close_session(struct fixture *f, struct tap_session *session,
                                     const struct pg_message *message)
{
    (void)message;
    f->decide = NULL;
    rh_tap_session_close(session);
    return TAP_FORWARD;
}

static void test_tap_session_may_be_closed_inside_its_callback(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open(&f, NULL, "+CZ", 1000);
    fixture_start(&f);
    f.decide = close_session;
    peer_send(&f.server, TEXT_LITERAL("C\0\0\0\x0dSELECT 1\0Z\0\0\0\5I"));
    UNTIL(&f, f.client.has_ended && f.server.has_ended);
    assert_int_equal(f.shown_count, 1);
    assert_int_equal(f.closed, 1);
    assert_true(is_closed(&f));
    fixture_close(&f);
}

static void test_tap_counts_heads_without_bodies(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open(&f, NULL, "+C", 1000);
    fixture_start(&f);
    struct text sent = TEXT_LITERAL("D\0\0\0\6\0\0D\0\0\0\6\0\0D\0\0\0\6\0\0C\0\0\0\x0dSELECT 1\0");
    for (size_t split = 0; split <= sent.len; split++) {
        f.heads = 0;
        peer_send(&f.server, slice(sent, 0, split));
        UNTIL(&f, peer_unread(&f.server) == 0);
        peer_send(&f.server, slice(sent, split, sent.len));
        UNTIL(&f, peer_has(&f.client, sent));
        assert_int_equal(f.heads, 4);
        peer_forget(&f.client);
    }
    fixture_close(&f);
}

static void test_tap_shows_a_large_message_cut_and_ignores_the_answer(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open(&f, "Q", "C", 6);
    fixture_start(&f);
    f.decide = close_session;
    f.decide = swallow_notices;
    struct text sent = TEXT_LITERAL("C\0\0\0\x0dSELECT 1\0");
    for (size_t split = 0; split <= sent.len; split++) {
        peer_send(&f.server, slice(sent, 0, split));
        UNTIL(&f, peer_unread(&f.server) == 0);
        peer_send(&f.server, slice(sent, split, sent.len));
        UNTIL(&f, peer_has(&f.client, sent));
        peer_forget(&f.client);
        const struct shown *shown = &f.shown[split];
        assert_int_equal(shown->body_length, 9);
        assert_string_equal(shown->body, "SELECT");
        assert_false(shown->is_whole);
    }
    fixture_close(&f);
}

/* --- recorded conversations --- */

static bool is_request(const struct wire_message *message)
{
    struct pg_startup startup;
    return message->type == 0 && rh_pg_decode_startup(message->body, &startup) &&
           startup.code >> 16 != 3;
}

enum mode { MODE_FORWARD, MODE_SWALLOW, MODE_HOLD };

struct replay {
    enum mode mode;
    const struct wire_stream *stream;
    bool is_backend;
    size_t next;
    bool is_holding;
};

static bool is_swallowed(unsigned char type)
{
    return type == 'N' || type == 'C' || type == '1';
}

static enum tap_action replay_decide(struct fixture *f, struct tap_session *session,
                                     const struct pg_message *message)
{
    struct replay *r = f->mine;
    (void)session;
    if (!r->is_backend)
        return TAP_FORWARD;
    const struct wire_message *expected = &r->stream->messages[r->next++];
    assert_int_equal(message->type, expected->type);
    assert_true(rh_text_equals(message->body, expected->body));
    assert_true(message->is_whole);
    if (r->mode == MODE_SWALLOW && is_swallowed(message->type))
        return TAP_SWALLOW;
    if (r->mode == MODE_HOLD && (message->type == 'Z' || message->type == 'C')) {
        r->is_holding = true;
        return TAP_HOLD;
    }
    return TAP_FORWARD;
}

static void replay_look(struct fixture *f, struct tap_session *session,
                        const struct pg_message *message)
{
    struct replay *r = f->mine;
    (void)session;
    if (!r || r->is_backend)
        return;
    const struct wire_message *expected = &r->stream->messages[r->next++];
    assert_int_equal(message->type, expected->type);
    assert_true(rh_text_equals(message->body, expected->body));
}

static void replay_turn(struct fixture *f, struct replay *r)
{
    if (r->is_holding) {
        r->is_holding = false;
        rh_tap_session_release(f->session);
    }
}

#define ALL_TYPES "-ABCDEFGHIKNPQRSTVWXZcdfnstv123"

/* One session per recording; the stream passes once per split. */
static void replay_stream(const struct wire_trace *trace, enum pg_direction direction,
                          enum mode mode)
{
    struct fixture f;
    fixture_open(&f, ALL_TYPES, ALL_TYPES, 100000);
    fixture_start(&f);
    f.keeps_shown = false;
    struct replay r = {.mode = mode, .is_backend = direction == PG_BACKEND};
    struct wire_stream stream = trace->streams[direction];
    while (stream.count > 0 && stream.messages[0].type == 0) {
        stream.bytes.data += stream.messages[0].bytes.len;
        stream.bytes.len -= stream.messages[0].bytes.len;
        stream.messages++;
        stream.count--;
    }
    RH_CLEANUP_BUF struct buf expected;
    rh_buf_init(&expected, 1 << 20);
    for (size_t i = 0; i < stream.count; i++) {
        if (mode != MODE_SWALLOW || !is_swallowed(stream.messages[i].type))
            rh_buf_add_text(&expected, stream.messages[i].bytes);
    }
    r.stream = &stream;
    f.mine = &r;
    f.decide = replay_decide;
    f.look = replay_look;
    struct peer *from = r.is_backend ? &f.server : &f.client;
    struct peer *to = r.is_backend ? &f.client : &f.server;
    for (size_t split = 1; split < stream.bytes.len; split++) {
        r.next = 0;
        peer_forget(to);
        peer_send(from, slice(stream.bytes, 0, split));
        for (int64_t deadline = fixture_deadline(); peer_unread(from) > 0; replay_turn(&f, &r)) {
            fixture_check_deadline(deadline, "the first piece is read");
            fixture_turn(&f);
        }
        peer_send(from, slice(stream.bytes, split, stream.bytes.len));
        for (int64_t deadline = fixture_deadline();
             to->received.len < expected.len || r.next < stream.count; replay_turn(&f, &r)) {
            fixture_check_deadline(deadline, "all bytes pass");
            fixture_turn(&f);
        }
        assert_true(peer_has(to, rh_buf_text(&expected)));
        assert_int_equal(r.next, stream.count);
    }
    fixture_close(&f);
}

static void replay_all(enum pg_direction direction, enum mode mode)
{
    size_t replayed = 0;
    for (size_t t = 0; t < traces.count; t++) {
        if (traces.items[t].streams[PG_BACKEND].count == 0)
            continue; /* cancel requests */
        replay_stream(&traces.items[t], direction, mode);
        replayed++;
    }
    assert_true(replayed >= 8);
}

static void test_tap_replays_recorded_frontends_at_every_split(void **state)
{
    (void)state;
    replay_all(PG_FRONTEND, MODE_FORWARD);
}

static void test_tap_replays_recorded_backends_at_every_split(void **state)
{
    (void)state;
    replay_all(PG_BACKEND, MODE_FORWARD);
}

static void test_tap_replays_recorded_backends_swallowing_at_every_split(void **state)
{
    (void)state;
    replay_all(PG_BACKEND, MODE_SWALLOW);
}

static void test_tap_replays_recorded_backends_holding_at_every_split(void **state)
{
    (void)state;
    replay_all(PG_BACKEND, MODE_HOLD);
}

static void test_tap_answers_recorded_requests_like_a_server_without_encryption(void **state)
{
    (void)state;
    size_t requests = 0;
    for (size_t t = 0; t < traces.count; t++) {
        struct fixture f;
        fixture_open(&f, "-", NULL, 1000);
        const struct wire_stream *stream = &traces.items[t].streams[PG_FRONTEND];
        for (size_t i = 0; i < stream->count && is_request(&stream->messages[i]); i++) {
            if (traces.items[t].streams[PG_BACKEND].count == 0)
                break;
            peer_send(&f.client, stream->messages[i].bytes);
            UNTIL(&f, f.client.received.len == i + 1);
            assert_int_equal(f.client.received.data[i], 'N');
            requests++;
        }
        fixture_close(&f);
    }
    assert_true(requests >= 2);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tap_forwards_both_ways_and_shows_what_was_asked_for),
        cmocka_unit_test(test_tap_answers_encryption_requests_in_either_order),
        cmocka_unit_test(test_tap_drops_a_client_that_asks_twice_for_encryption),
        cmocka_unit_test(test_tap_drops_a_client_whose_bytes_came_before_our_answer),
        cmocka_unit_test(test_tap_refuses_direct_tls_with_an_alert),
        cmocka_unit_test(test_tap_forwards_cancel_requests_with_keys_of_any_length),
        cmocka_unit_test(test_tap_drops_cancel_requests_with_impossible_keys),
        cmocka_unit_test(test_tap_takes_start_up_packets_to_the_servers_limit),
        cmocka_unit_test(test_tap_forwards_what_came_with_the_start_up_packet),
        cmocka_unit_test(test_tap_relays_other_protocols_unseen),
        cmocka_unit_test(test_tap_tells_a_client_that_the_server_is_not_there),
        cmocka_unit_test(test_tap_waits_for_a_server_with_a_full_backlog),
        cmocka_unit_test(test_tap_swallows_a_message_at_every_split),
        cmocka_unit_test(test_tap_drops_messages_unseen_at_every_split),
        cmocka_unit_test(test_tap_holds_a_message_and_all_behind_it_until_released),
        cmocka_unit_test(test_tap_release_inside_the_callback_makes_hold_a_forward),
        cmocka_unit_test(test_tap_release_inside_a_frontend_callback_lets_go),
        cmocka_unit_test(test_tap_session_may_be_closed_inside_its_callback),
        cmocka_unit_test(test_tap_counts_heads_without_bodies),
        cmocka_unit_test(test_tap_shows_a_large_message_cut_and_ignores_the_answer),
        cmocka_unit_test(test_tap_replays_recorded_frontends_at_every_split),
        cmocka_unit_test(test_tap_replays_recorded_backends_at_every_split),
        cmocka_unit_test(test_tap_replays_recorded_backends_swallowing_at_every_split),
        cmocka_unit_test(test_tap_replays_recorded_backends_holding_at_every_split),
        cmocka_unit_test(test_tap_answers_recorded_requests_like_a_server_without_encryption),
    };
    if (argc != 2)
        return 2;
    struct arena *arena = rh_arena_new();
    traces = rh_wire_traces_read(argv[1], arena);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    rh_arena_free(arena);
    return failed;
}
