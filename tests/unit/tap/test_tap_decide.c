/* Handlers that decide about frontend messages, and send messages of their own. */
#include "tap_unit.h"

#include <stdio.h>
#include <stdlib.h>

#define QUERY(c) TEXT_LITERAL("Q\0\0\0\6" c "\0")
#define DATA TEXT_LITERAL("d\0\0\0\7row")
#define READY TEXT_LITERAL("Z\0\0\0\5I")

static void send_split(struct fixture *f, struct text bytes, size_t piece)
{
    for (size_t at = 0; at < bytes.len; at += piece) {
        size_t len = bytes.len - at < piece ? bytes.len - at : piece;
        peer_send(&f->client, (struct text){bytes.data + at, len});
        UNTIL(f, peer_unread(&f->client) == 0);
    }
}

/* Forwards a and d, swallows b, holds c. */
static enum tap_action by_letter(struct fixture *f, struct tap_session *session,
                                 const struct pg_message *message)
{
    (void)f;
    (void)session;
    switch (message->body.len > 0 ? message->body.data[0] : 'a') {
    case 'b':
        return TAP_SWALLOW;
    case 'c':
        return TAP_HOLD;
    default:
        return TAP_FORWARD;
    }
}

static void test_decide_forwards_and_swallows_at_any_split(void **state)
{
    (void)state;
    for (size_t piece = 1; piece < 40; piece++) {
        struct fixture f;
        fixture_open(&f, "+Q", NULL, 100);
        f.decide_frontend = by_letter;
        fixture_start(&f);
        struct text sent = TEXT_LITERAL("Q\0\0\0\6a\0Q\0\0\0\6b\0d\0\0\0\7rowQ\0\0\0\6d\0");
        send_split(&f, sent, piece);
        struct text wanted = TEXT_LITERAL("Q\0\0\0\6a\0d\0\0\0\7rowQ\0\0\0\6d\0");
        UNTIL(&f, f.server.received_total >= wanted.len);
        assert_true(peer_has(&f.server, wanted));
        assert_int_equal(f.shown_count, 3);
        assert_int_equal(rh_tap_statistics(f.tap).swallowed_messages, 1);
        fixture_close(&f);
    }
}

static void test_decide_holds_until_it_is_resumed_and_shows_again(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open(&f, "+Q", NULL, 100);
    f.decide_frontend = by_letter;
    fixture_start(&f);
    peer_send(&f.client, TEXT_LITERAL("Q\0\0\0\6a\0Q\0\0\0\6c\0Q\0\0\0\6d\0"));
    UNTIL(&f, peer_has(&f.server, QUERY("a")) && f.shown_count == 2);
    peer_send(&f.client, DATA);
    for (int turn = 0; turn < 20; turn++)
        fixture_turn(&f);
    assert_int_equal(f.shown_count, 2);
    rh_tap_session_resume(f.session); /* is held again */
    assert_int_equal(f.shown_count, 3);
    f.decide_frontend = NULL; /* swallows */
    rh_tap_session_resume(f.session);
    assert_int_equal(f.shown_count, 5);
    struct text wanted = TEXT_LITERAL("Q\0\0\0\6a\0d\0\0\0\7row");
    UNTIL(&f, peer_has(&f.server, wanted));
    rh_tap_session_resume(f.session); /* nothing is held */
    assert_int_equal(rh_tap_statistics(f.tap).held_messages, 2);
    fixture_close(&f);
}

static enum tap_action resume_first(struct fixture *f, struct tap_session *session,
                                    const struct pg_message *message)
{
    (void)message;
    if (f->shown_count > 1)
        return TAP_FORWARD;
    rh_tap_session_resume(session);
    return TAP_HOLD;
}

static void test_decide_resumed_within_the_callback_shows_again_at_once(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open(&f, "+Q", NULL, 100);
    f.decide_frontend = resume_first;
    fixture_start(&f);
    peer_send(&f.client, QUERY("a"));
    UNTIL(&f, peer_has(&f.server, QUERY("a")));
    assert_int_equal(f.shown_count, 2);
    assert_int_equal(rh_tap_statistics(f.tap).held_messages, 0);
    fixture_close(&f);
}

static void test_decide_held_client_is_not_read_without_end(void **state)
{
    (void)state;
    struct fixture f;
    static char megabyte[1024 * 1024];
    size_t offered = 0;
    fixture_open(&f, "+Q", NULL, 100);
    f.decide_frontend = by_letter;
    fixture_start(&f);
    peer_send(&f.client, QUERY("c"));
    UNTIL(&f, f.shown_count == 1);
    memset(megabyte, 'd', sizeof(megabyte));
    for (int turn = 0; turn < 100; turn++) {
        offered += peer_offer(&f.client, (struct text){megabyte, sizeof(megabyte)});
        fixture_turn(&f);
    }
    /* What the kernel and one read take, no more. */
    assert_true(offered < sizeof(megabyte));
    fixture_close(&f);
}

static enum tap_action send_around(struct fixture *f, struct tap_session *session,
                                   const struct pg_message *message)
{
    (void)f;
    (void)message;
    rh_tap_session_send_server(session, QUERY("1"));
    rh_tap_session_send_client(session, READY);
    return TAP_FORWARD;
}

static enum tap_action send_before(struct fixture *f, struct tap_session *session,
                                   const struct pg_message *message)
{
    (void)message;
    (void)f;
    rh_tap_session_send_client(session, TEXT_LITERAL("n\0\0\0\4"));
    return TAP_SWALLOW;
}

static void test_decide_sends_of_its_own_keep_the_order(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open(&f, "+Q", "Z", 100);
    f.decide_frontend = send_around;
    fixture_start(&f);
    peer_send(&f.client, TEXT_LITERAL("d\0\0\0\7rowQ\0\0\0\6a\0"));
    UNTIL(&f, peer_has(&f.server, TEXT_LITERAL("d\0\0\0\7rowQ\0\0\0\6\x31\0Q\0\0\0\6a\0")));
    UNTIL(&f, peer_has(&f.client, READY));
    peer_forget(&f.client);
    /* Behind what came before it in the same bytes, in place of the message shown. */
    f.decide = send_before;
    peer_send(&f.server, TEXT_LITERAL("D\0\0\0\6\0\0Z\0\0\0\5ID\0\0\0\6\0\1"));
    UNTIL(&f, peer_has(&f.client, TEXT_LITERAL("D\0\0\0\6\0\0n\0\0\0\4D\0\0\0\6\0\1")));
    fixture_close(&f);
}

static enum tap_action forward_large_swallow_small(struct fixture *f, struct tap_session *session,
                                                   const struct pg_message *message)
{
    (void)f;
    (void)session;
    return message->is_whole ? TAP_SWALLOW : TAP_FORWARD;
}

static enum tap_action swallow_large(struct fixture *f, struct tap_session *session,
                                     const struct pg_message *message)
{
    (void)f;
    (void)session;
    return message->is_whole ? TAP_FORWARD : TAP_SWALLOW;
}

static void test_decide_shows_what_is_too_large_when_it_begins(void **state)
{
    (void)state;
    for (int swallows = 0; swallows < 2; swallows++) {
        struct fixture f;
        fixture_open(&f, "+Q", NULL, 10);
        f.decide_frontend = swallows ? swallow_large : forward_large_swallow_small;
        fixture_start(&f);
        struct text head = TEXT_LITERAL("Q\0\0\0\x1f");
        peer_send(&f.client, head);
        UNTIL(&f, f.shown_count == 1);
        assert_false(f.shown[0].is_whole);
        assert_int_equal(f.shown[0].length, 0);
        assert_int_equal(f.shown[0].body_length, 27);
        peer_send(&f.client, TEXT_LITERAL("twenty-seven bytes of query"));
        peer_send(&f.client, QUERY("x"));
        struct text large = TEXT_LITERAL("Q\0\0\0\x1ftwenty-seven bytes of query");
        UNTIL(&f, f.shown_count == 2);
        UNTIL(&f, peer_has(&f.server, swallows ? QUERY("x") : large));
        fixture_close(&f);
    }
}

static void test_decide_drops_frontend_types_unseen(void **state)
{
    (void)state;
    struct fixture f;
    struct pg_type_set types = {{0}};
    fixture_open(&f, "+Qd", NULL, 100);
    f.decide_frontend = by_letter;
    fixture_start(&f);
    rh_pg_type_set_add(&types, 'd');
    rh_tap_session_drop_frontend(f.session, &types);
    peer_send(&f.client, TEXT_LITERAL("d\0\0\0\7rowQ\0\0\0\6a\0"));
    UNTIL(&f, peer_has(&f.server, QUERY("a")));
    assert_int_equal(f.shown_count, 1);
    rh_tap_session_drop_frontend(f.session, &(struct pg_type_set){{0}});
    peer_send(&f.client, DATA);
    UNTIL(&f, peer_has(&f.server, TEXT_LITERAL("Q\0\0\0\6a\0d\0\0\0\7row")));
    fixture_close(&f);
}

static void test_decide_leaves_what_cannot_be_framed_to_the_server(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open(&f, "+Q", NULL, 100);
    f.decide_frontend = by_letter;
    fixture_start(&f);
    struct text bytes = TEXT_LITERAL("Q\0\0\0\6a\0Q\0\0\0\3junkjunk");
    peer_send(&f.client, bytes);
    UNTIL(&f, peer_has(&f.server, bytes));
    peer_send(&f.client, TEXT_LITERAL("more"));
    UNTIL(&f, f.server.received_total == bytes.len + 4);
    assert_int_equal(f.shown_count, 1);
    fixture_close(&f);
}

static void test_decide_about_what_came_with_the_start_up_packet(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open(&f, "+-Q", NULL, 1000);
    f.decide_frontend = by_letter;
    peer_send(&f.client, TEXT_LITERAL(START "Q\0\0\0\6b\0Q\0\0\0\6a\0"));
    UNTIL(&f, peer_has(&f.server, TEXT_LITERAL(START "Q\0\0\0\6a\0")));
    assert_int_equal(f.shown_count, 3);
    assert_int_equal(f.shown[0].type, 0);
    fixture_close(&f);
}

static enum tap_action close_it(struct fixture *f, struct tap_session *session,
                                const struct pg_message *message)
{
    (void)f;
    (void)message;
    rh_tap_session_close(session);
    rh_tap_session_resume(session);
    rh_tap_session_send_server(session, QUERY("1"));
    rh_tap_session_send_client(session, READY);
    return TAP_HOLD;
}

static void test_decide_may_close_its_session(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open(&f, "+Q", NULL, 100);
    f.decide_frontend = close_it;
    fixture_start(&f);
    peer_send(&f.client, TEXT_LITERAL("Q\0\0\0\6a\0Q\0\0\0\6a\0"));
    UNTIL(&f, f.client.has_ended);
    assert_int_equal(f.closed, 1);
    assert_int_equal(f.shown_count, 1);
    assert_int_equal(f.server.received_total, 0);
    fixture_close(&f);
}

/* --- anything in any pieces --- */

struct random_run {
    uint32_t seed;
    struct buf wanted; /* what the server must get */
    unsigned holds;
};

static uint32_t next_random(struct random_run *run)
{
    run->seed = run->seed * 1664525u + 1013904223u;
    return run->seed >> 8;
}

/* The first byte decides; a held message is forwarded the second time. */
static enum tap_action by_first_byte(struct fixture *f, struct tap_session *session,
                                     const struct pg_message *message)
{
    struct random_run *run = f->mine;
    unsigned choice = message->body.len > 0 ? (unsigned char)message->body.data[0] % 4 : 0;
    if (choice == 1)
        return TAP_SWALLOW;
    if (choice == 2)
        rh_tap_session_send_server(session, TEXT_LITERAL("S\0\0\0\4"));
    if (choice == 3 && run->holds++ % 2 == 0)
        return TAP_HOLD;
    return TAP_FORWARD;
}

static void add_random_message(struct random_run *run, struct buf *sent)
{
    char body[400];
    size_t len = 1 + next_random(run) % (sizeof(body) - 1);
    char type = "Qd"[next_random(run) % 2];
    RH_CLEANUP_BUF struct buf message;
    rh_buf_init(&message, 1000);
    for (size_t i = 0; i < len; i++)
        body[i] = (char)next_random(run);
    rh_pg_encode_message(&message, type, (struct text){body, len});
    rh_buf_add_text(sent, rh_buf_text(&message));
    unsigned choice = type == 'd' || len > 300 ? 0 : (unsigned char)body[0] % 4;
    if (choice == 2)
        rh_buf_add(&run->wanted, "S\0\0\0\4", 5);
    if (choice != 1)
        rh_buf_add_text(&run->wanted, rh_buf_text(&message));
}

static void test_decide_random_messages_in_random_pieces(void **state)
{
    (void)state;
    for (uint32_t seed = 1; seed <= 30; seed++) {
        struct fixture f;
        struct random_run run = {.seed = seed};
        RH_CLEANUP_BUF struct buf sent;
        rh_buf_init(&sent, 1024 * 1024);
        rh_buf_init(&run.wanted, 1024 * 1024);
        fixture_open(&f, "+Q", NULL, 300);
        f.keeps_shown = false;
        f.mine = &run;
        f.decide_frontend = by_first_byte;
        fixture_start(&f);
        for (int i = 0; i < 200; i++)
            add_random_message(&run, &sent);
        size_t at = 0;
        int64_t deadline_us = fixture_deadline();
        while (f.server.received_total < run.wanted.len) {
            size_t piece = 1 + next_random(&run) % 700;
            if (piece > sent.len - at)
                piece = sent.len - at;
            if (piece > 0)
                at += peer_offer(&f.client, (struct text){sent.data + at, piece});
            rh_tap_session_resume(f.session);
            fixture_turn(&f);
            fixture_check_deadline(deadline_us, "all that was sent");
        }
        assert_int_equal(f.server.received_total, run.wanted.len);
        assert_true(peer_has(&f.server, rh_buf_text(&run.wanted)));
        rh_buf_deinit(&run.wanted);
        fixture_close(&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_decide_forwards_and_swallows_at_any_split),
        cmocka_unit_test(test_decide_holds_until_it_is_resumed_and_shows_again),
        cmocka_unit_test(test_decide_resumed_within_the_callback_shows_again_at_once),
        cmocka_unit_test(test_decide_held_client_is_not_read_without_end),
        cmocka_unit_test(test_decide_sends_of_its_own_keep_the_order),
        cmocka_unit_test(test_decide_shows_what_is_too_large_when_it_begins),
        cmocka_unit_test(test_decide_drops_frontend_types_unseen),
        cmocka_unit_test(test_decide_leaves_what_cannot_be_framed_to_the_server),
        cmocka_unit_test(test_decide_about_what_came_with_the_start_up_packet),
        cmocka_unit_test(test_decide_may_close_its_session),
        cmocka_unit_test(test_decide_random_messages_in_random_pieces),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
