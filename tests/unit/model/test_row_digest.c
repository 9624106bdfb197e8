/* Digests of rows: the order counts in one and not in the other, pieces make no difference. */
#include "base/arena.h"
#include "model/row_digest.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const uint8_t key_bytes[WORKLOAD_DIGEST_KEY_BYTES] = "a key of a workload, 32 bytes..";

static struct result_digest digest_of(const uint8_t *bytes, const char *const *rows)
{
    struct row_digest_key key;
    struct result_digest digest = {0};

    rh_row_digest_key_init(&key, bytes);
    for (; *rows; rows++)
        rh_row_digest_add(&digest, &key, rh_text(*rows));
    return digest;
}

#define DIGEST(...) digest_of(key_bytes, (const char *const[]){__VA_ARGS__, NULL})

static bool is_same(const uint8_t *a, const uint8_t *b)
{
    return memcmp(a, b, WORKLOAD_DIGEST_BYTES) == 0;
}

static void test_row_digest_tells_the_order_apart(void **state)
{
    (void)state;
    struct result_digest ab = DIGEST("a", "b", "c"), ba = DIGEST("c", "b", "a");

    assert_true(is_same(ab.unordered, ba.unordered));
    assert_false(is_same(ab.ordered, ba.ordered));
}

static void test_row_digest_counts_duplicates(void **state)
{
    (void)state;
    struct result_digest one = DIGEST("a"), two = DIGEST("a", "a"), three = DIGEST("a", "a", "a");

    assert_false(is_same(one.unordered, two.unordered));
    assert_false(is_same(one.unordered, three.unordered));
    assert_false(is_same(two.ordered, three.ordered));
}

static void test_row_digest_needs_the_key(void **state)
{
    (void)state;
    static const uint8_t other[WORKLOAD_DIGEST_KEY_BYTES] = "another key";
    struct result_digest here = DIGEST("a"),
                         there = digest_of(other, (const char *const[]){"a", NULL});

    assert_false(is_same(here.unordered, there.unordered));
    assert_false(is_same(here.ordered, there.ordered));
}

static void test_row_digest_of_no_rows_is_zeros(void **state)
{
    (void)state;
    struct result_digest none = DIGEST(NULL);
    static const uint8_t zeros[WORKLOAD_DIGEST_BYTES];

    assert_true(is_same(none.unordered, zeros));
    assert_true(is_same(none.ordered, zeros));
}

static void test_row_digest_in_pieces_is_that_of_the_whole(void **state)
{
    (void)state;
    struct row_digest_key key;
    char row[4000];

    for (size_t i = 0; i < sizeof(row); i++)
        row[i] = (char)(i * 7);
    rh_row_digest_key_init(&key, key_bytes);
    for (size_t piece = 1; piece < 300; piece = piece * 3 + 1) {
        for (size_t length = 0; length <= sizeof(row); length += 500) {
            struct result_digest whole = {0}, pieces = {0};
            struct row_digest_stream *stream = rh_row_digest_stream_new(&key);

            rh_row_digest_add(&whole, &key, (struct text){row, length});
            rh_row_digest_stream_begin(stream, false);
            for (size_t at = 0; at < length; at += piece)
                rh_row_digest_stream_feed(
                    stream, (struct text){row + at, at + piece < length ? piece : length - at});
            rh_row_digest_stream_end(stream, &pieces);
            rh_row_digest_stream_free(stream);
            assert_memory_equal(&whole, &pieces, sizeof(whole));
        }
    }
    rh_row_digest_stream_free(NULL);
}

/* --- widened ---------------------------------------------------------------------------------- */

#define ROW(literal) ((struct text){literal, sizeof(literal) - 1})

static struct result_digest widened(struct text row, size_t piece)
{
    struct row_digest_key key;
    struct result_digest digest = {0};

    rh_row_digest_key_init(&key, key_bytes);
    struct row_digest_stream *stream = rh_row_digest_stream_new(&key);

    /* What was left of a row that broke off is none of the next one's. */
    rh_row_digest_stream_begin(stream, true);
    rh_row_digest_stream_feed(stream, ROW("\0\1\0\0\0\4\1"));
    rh_row_digest_stream_begin(stream, true);
    for (size_t at = 0; at < row.len; at += piece)
        rh_row_digest_stream_feed(
            stream, (struct text){row.data + at, at + piece < row.len ? piece : row.len - at});
    rh_row_digest_stream_end(stream, &digest);
    rh_row_digest_stream_free(stream);
    return digest;
}

static void test_row_digest_widened_is_that_of_the_integer(void **state)
{
    (void)state;
    static const struct text same[][3] = {
        {ROW("\0\1\0\0\0\2\0\7"), ROW("\0\1\0\0\0\4\0\0\0\7"),
         ROW("\0\1\0\0\0\10\0\0\0\0\0\0\0\7")},
        {ROW("\0\1\0\0\0\2\xff\xfe"), ROW("\0\1\0\0\0\4\xff\xff\xff\xfe"),
         ROW("\0\1\0\0\0\10\xff\xff\xff\xff\xff\xff\xff\xfe")},
        /* Among others: text, NULL, "", and again one. */
        {ROW("\0\5\0\0\0\5hello\0\0\0\2\0\1\xff\xff\xff\xff\0\0\0\0\0\0\0\2\0\2"),
         ROW("\0\5\0\0\0\5hello\0\0\0\4\0\0\0\1\xff\xff\xff\xff\0\0\0\0\0\0\0\4\0\0\0\2"),
         ROW("\0\5\0\0\0\5hello\0\0\0\10\0\0\0\0\0\0\0\1\xff\xff\xff\xff\0\0\0\0\0\0\0\2"
             "\0\2")},
    };

    for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
        struct result_digest wide = widened(same[i][2], SIZE_MAX / 2), raw = {0};
        struct row_digest_key key;

        for (size_t k = 0; k < 3; k++)
            for (size_t piece = 1; piece < 12; piece++) {
                struct result_digest it = widened(same[i][k], piece);

                assert_memory_equal(&it, &wide, sizeof(wide));
            }
        /* What is wide already has the digest of its bytes. */
        rh_row_digest_key_init(&key, key_bytes);
        if (i < 2) {
            rh_row_digest_add(&raw, &key, same[i][2]);
            assert_memory_equal(&raw, &wide, sizeof(wide));
        }
    }
}

/* Longer than what is hashed at once: integers of `size` bytes, a text among them. */
static struct text long_row(struct arena *arena, size_t size)
{
    struct buf row;

    rh_buf_init(&row, 100000);
    rh_buf_add(&row, "\1\x2d", 2);
    for (int i = 0; i < 300; i++) {
        const char bytes[] = {0, 0, 0, (char)size, 0, 0, 0, 0, 0, 0, (char)(i >> 8), (char)i};

        rh_buf_add(&row, bytes, 4);
        rh_buf_add(&row, bytes + sizeof(bytes) - size, size);
        if (i != 150)
            continue;
        rh_buf_add(&row, "\0\0\x7\xd0", 4);
        for (int k = 0; k < 2000; k++)
            rh_buf_add_char(&row, (char)(k * 7));
    }

    struct text copy = {rh_text_dup(arena, rh_buf_text(&row)), row.len};

    rh_buf_deinit(&row);
    return copy;
}

static void test_row_digest_widened_of_long_rows(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct result_digest wide = {0};
    struct row_digest_key key;

    rh_row_digest_key_init(&key, key_bytes);
    rh_row_digest_add(&wide, &key, long_row(arena, 8));
    for (size_t size = 2; size <= 8; size *= 2)
        for (size_t piece = 1; piece < 10000; piece = piece * 3 + 1) {
            struct result_digest it = widened(long_row(arena, size), piece);

            assert_memory_equal(&it, &wide, sizeof(wide));
        }
}

static void test_row_digest_widened_tells_values_apart(void **state)
{
    (void)state;
    static const struct text different[] = {
        ROW("\0\1\0\0\0\4\0\0\0\7"), ROW("\0\1\0\0\0\4\xff\xff\xff\xf9"),
        ROW("\0\1\0\0\0\2\0\x8"),    ROW("\0\1\0\0\0\1\7"),
        ROW("\0\1\0\0\0\3\0\0\7"),   ROW("\0\1\xff\xff\xff\xff"),
        ROW("\0\1\0\0\0\0"),         ROW("\0\1\0\0\0\4abcd"),
        ROW("\0\1\0\0\0\2cd"),       ROW("\0\2\0\0\0\2\0\7\0\0\0\2\0\7"),
        ROW("\0\1\0\0\0\4\0\0\7"), /* breaks off */
        ROW("\0\1\0\0\0\4\0\0"),
    };
    enum { COUNT = sizeof(different) / sizeof(different[0]) };

    for (size_t i = 0; i < COUNT; i++)
        for (size_t k = 0; k < i; k++) {
            struct result_digest a = widened(different[i], 1), b = widened(different[k], 1);

            assert_false(is_same(a.unordered, b.unordered));
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_row_digest_tells_the_order_apart),
        cmocka_unit_test(test_row_digest_counts_duplicates),
        cmocka_unit_test(test_row_digest_needs_the_key),
        cmocka_unit_test(test_row_digest_of_no_rows_is_zeros),
        cmocka_unit_test(test_row_digest_in_pieces_is_that_of_the_whole),
        cmocka_unit_test(test_row_digest_widened_is_that_of_the_integer),
        cmocka_unit_test(test_row_digest_widened_of_long_rows),
        cmocka_unit_test(test_row_digest_widened_tells_values_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
