/* Pieces of messages: every cut gives the same messages, and a stream that is lost stays lost. */
#include "net/pg_walk.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define STREAM "D\0\0\0\7abcC\0\0\0\4D\0\0\0\10wxyzZ\0\0\0\5I"

struct seen {
    char text[256];
    size_t length;
};

static void see(struct seen *seen, struct pg_walk *walk, struct text bytes)
{
    struct pg_piece piece;

    while (rh_pg_walk_next(walk, &bytes, &piece)) {
        if (piece.begins)
            seen->text[seen->length++] = (char)piece.type;
        memcpy(seen->text + seen->length, piece.bytes.data, piece.bytes.len);
        seen->length += piece.bytes.len;
        if (piece.ends)
            seen->text[seen->length++] = ';';
    }
}

static void test_pg_walk_gives_the_same_at_every_cut(void **state)
{
    (void)state;
    const struct text stream = TEXT_LITERAL(STREAM);

    for (size_t a = 0; a <= stream.len; a++) {
        for (size_t b = a; b <= stream.len; b++) {
            struct pg_walk walk = {0};
            struct seen seen = {0};

            see(&seen, &walk, (struct text){stream.data, a});
            see(&seen, &walk, (struct text){stream.data + a, b - a});
            see(&seen, &walk, (struct text){stream.data + b, stream.len - b});
            assert_string_equal(seen.text, "Dabc;C;Dwxyz;ZI;");
            assert_false(walk.is_lost);
        }
    }
}

static void test_pg_walk_says_how_long_a_message_is_with_its_first_piece(void **state)
{
    (void)state;
    struct pg_walk walk = {0};
    struct text bytes = TEXT_LITERAL("D\0\0\1\4abc");
    struct pg_piece piece;

    assert_true(rh_pg_walk_next(&walk, &bytes, &piece));
    assert_int_equal(piece.body_length, 256);
    assert_int_equal(piece.bytes.len, 3);
    assert_true(piece.begins && !piece.ends);
    assert_false(rh_pg_walk_next(&walk, &bytes, &piece));
}

static void test_pg_walk_is_lost_for_ever(void **state)
{
    (void)state;
    static const char *const bad[] = {"D\0\0\0\3abcd", "D\377\377\377\377abcd"};

    for (int i = 0; i < 2; i++) {
        struct pg_walk walk = {0};
        struct pg_piece piece;
        struct text bytes = {bad[i], 9}, more = TEXT_LITERAL("Z\0\0\0\5I");

        assert_false(rh_pg_walk_next(&walk, &bytes, &piece));
        assert_true(walk.is_lost);
        assert_int_equal(bytes.len, 0);
        assert_false(rh_pg_walk_next(&walk, &more, &piece));
        assert_int_equal(more.len, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pg_walk_gives_the_same_at_every_cut),
        cmocka_unit_test(test_pg_walk_says_how_long_a_message_is_with_its_first_piece),
        cmocka_unit_test(test_pg_walk_is_lost_for_ever),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
