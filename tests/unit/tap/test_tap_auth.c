/* Which SASL mechanisms a client on a plain leg is offered. (Whole sessions: test_tap_tls.py.) */
#include "tap/tap_int.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define HEADER_BYTES 5

/* Feeds pieces; what goes on is `expected`, and whether it still looks is `is_on`. */
static void check(struct text input, struct text expected, bool is_on)
{
    for (size_t piece = 1; piece <= input.len; piece++) {
        struct tap_session session = {0};
        RH_CLEANUP_BUF struct buf out;
        rh_buf_init(&out, 8192);
        rh_tap_auth_init(&session);
        session.auth.is_on = true;
        for (size_t at = 0; at < input.len; at += piece) {
            size_t length = input.len - at < piece ? input.len - at : piece;
            struct text part = {input.data + at, length};
            if (session.auth.is_on)
                rh_tap_auth_take(&session, part, &out);
            else
                rh_buf_add_text(&out, part);
        }
        assert_int_equal(out.len, expected.len);
        assert_memory_equal(out.data, expected.data, expected.len);
        assert_int_equal(session.auth.is_on, is_on);
        rh_tap_auth_deinit(&session);
    }
}

static void test_tap_auth_takes_bound_mechanisms_out(void **state)
{
    (void)state;
    check(TEXT_LITERAL("R\0\0\0\x2a\0\0\0\x0aSCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0"),
          TEXT_LITERAL("R\0\0\0\x17\0\0\0\x0aSCRAM-SHA-256\0\0"), false);
    check(TEXT_LITERAL("R\0\0\0\x17\0\0\0\x0aSCRAM-SHA-256\0\0"),
          TEXT_LITERAL("R\0\0\0\x17\0\0\0\x0aSCRAM-SHA-256\0\0"), false);
}

static void test_tap_auth_leaves_everything_else(void **state)
{
    (void)state;
    /* No password is asked for; what follows is not looked at. */
    check(TEXT_LITERAL("R\0\0\0\x08\0\0\0\0R\0\0\0\x0d\0\0\0\x0aX-PLUS\0\0"),
          TEXT_LITERAL("R\0\0\0\x08\0\0\0\0R\0\0\0\x0d\0\0\0\x0aX-PLUS\0\0"), false);
    check(TEXT_LITERAL("E\0\0\0\x09SFATL\0Z"), TEXT_LITERAL("E\0\0\0\x09SFATL\0Z"), false);
    check(TEXT_LITERAL("R\0\0\0\x03xyz"), TEXT_LITERAL("R\0\0\0\x03xyz"), false);
    check(TEXT_LITERAL("R\0\1\0\0xyz"), TEXT_LITERAL("R\0\1\0\0xyz"), false);
    check(TEXT_LITERAL("R\0\0\0\x06xy"), TEXT_LITERAL("R\0\0\0\x06xy"), false);
}

static void test_tap_auth_looks_behind_the_negotiated_version(void **state)
{
    (void)state;
    check(TEXT_LITERAL("v\0\0\0\x0c\0\3\0\0\0\0\0\0R\0\0\0\x10\0\0\0\x0aX-PLUS\0\0"),
          TEXT_LITERAL("v\0\0\0\x0c\0\3\0\0\0\0\0\0R\0\0\0\x09\0\0\0\x0a\0"), false);
    check(TEXT_LITERAL("v\0\0\0\x0c\0\3\0\0\0\0\0\0"), TEXT_LITERAL("v\0\0\0\x0c\0\3\0\0\0\0\0\0"),
          true);
}

/* More than can be gathered at a time comes in one piece. */
static void test_tap_auth_takes_a_large_offer_behind_the_negotiated_version(void **state)
{
    (void)state;
    static const char head[] = {'v', 0, 0, 0, 12, 0, 3, 0, 0, 0, 0, 0, 0};
    struct tap_session session = {0};
    RH_CLEANUP_BUF struct buf body, input, out;
    rh_buf_init(&body, 8192);
    rh_buf_init(&input, 8192);
    rh_buf_init(&out, 16384);
    rh_buf_add(&body, "\0\0\0\x0a", 4);
    while (body.len < TAP_AUTH_BYTES_MAX - HEADER_BYTES - 1)
        rh_buf_add(&body, "x", 1);
    rh_buf_add(&body, "\0", 1);
    rh_buf_add(&input, head, sizeof(head));
    rh_pg_encode_message(&input, 'R', rh_buf_text(&body));
    rh_tap_auth_init(&session);
    session.auth.is_on = true;
    rh_tap_auth_take(&session, rh_buf_text(&input), &out);
    assert_false(session.auth.is_on);
    assert_int_equal(out.len, input.len);
    assert_memory_equal(out.data, input.data, input.len);
    rh_tap_auth_deinit(&session);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tap_auth_takes_bound_mechanisms_out),
        cmocka_unit_test(test_tap_auth_leaves_everything_else),
        cmocka_unit_test(test_tap_auth_looks_behind_the_negotiated_version),
        cmocka_unit_test(test_tap_auth_takes_a_large_offer_behind_the_negotiated_version),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
