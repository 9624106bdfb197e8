#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "mask/copy_int.h"

static struct digest digest_of(const char *rows, size_t step, int64_t *ret_rows)
{
    struct copy_digest *digest = rh_copy_digest_new();
    size_t len = strlen(rows);
    for (size_t at = 0; at < len; at += step)
        rh_copy_digest_feed(digest, (struct text){rows + at, len - at < step ? len - at : step});
    struct digest sum = rh_copy_digest_sum(digest, ret_rows);
    rh_copy_digest_free(digest);
    return sum;
}

static void test_any_order_and_any_cuts_give_the_same_sum(void **state)
{
    (void)state;
    const char *rows = "1\tanna\n2\t\\N\n3\ta much longer row, that hashes differently: "
                       "0123456789012345678901234567890123456789012345678901234567890123456789"
                       "0123456789012345678901234567890123456789012345678901234567890123456789"
                       "0123456789012345678901234567890123456789012345678901234567890123456789\n"
                       "1\tanna\n\n";
    const char *mixed = "1\tanna\n\n1\tanna\n3\ta much longer row, that hashes differently: "
                        "0123456789012345678901234567890123456789012345678901234567890123456789"
                        "0123456789012345678901234567890123456789012345678901234567890123456789"
                        "0123456789012345678901234567890123456789012345678901234567890123456789\n"
                        "2\t\\N\n";
    int64_t count;
    struct digest whole = digest_of(rows, 10000, &count);
    assert_int_equal(count, 5);
    for (size_t step = 1; step < strlen(rows); step++) {
        assert_true(rh_digest_equals(whole, digest_of(rows, step, &count)));
        assert_int_equal(count, 5);
        assert_true(rh_digest_equals(whole, digest_of(mixed, step, NULL)));
    }
}

static void test_another_row_or_another_count_gives_another_sum(void **state)
{
    (void)state;
    struct digest sum = digest_of("a\nb\n", 100, NULL);
    assert_false(rh_digest_equals(sum, digest_of("a\nc\n", 100, NULL)));
    assert_false(rh_digest_equals(sum, digest_of("a\n", 100, NULL)));
    assert_false(rh_digest_equals(sum, digest_of("a\nb\nb\n", 100, NULL)));
    /* An exclusive or would not see a pair come or go. */
    assert_false(rh_digest_equals(sum, digest_of("a\nb\nc\nc\n", 100, NULL)));
    assert_false(rh_digest_equals(sum, digest_of("a\tb\n", 100, NULL)));
}

static void test_the_sum_is_of_xxh3_128_and_carries(void **state)
{
    (void)state;
    unsigned __int128 expected = 0;
    char rows[64 * 4 + 1];
    for (int i = 0; i < 64; i++) {
        snprintf(rows + i * 4, 5, "%03d\n", i);
        XXH128_hash_t hash = XXH3_128bits(rows + i * 4, 3);
        expected += (unsigned __int128)hash.high64 << 64 | hash.low64;
    }
    struct digest sum = digest_of(rows, 5, NULL);
    assert_true(sum.low == (uint64_t)expected);
    assert_true(sum.high == (uint64_t)(expected >> 64));
}

static void test_behind_the_end_of_data_nothing_counts(void **state)
{
    (void)state;
    int64_t count;
    struct digest sum = digest_of("a\n", 100, NULL);
    for (size_t step = 1; step < 8; step++) {
        assert_true(rh_digest_equals(sum, digest_of("a\n\\.\n\n\n", step, &count)));
        assert_int_equal(count, 1);
    }
}

static void test_half_a_row_is_not_counted_yet(void **state)
{
    (void)state;
    struct copy_digest *digest = rh_copy_digest_new();
    assert_true(rh_copy_digest_is_between_rows(digest));
    rh_copy_digest_feed(digest, rh_text("a\nb"));
    int64_t count;
    struct digest sum = rh_copy_digest_sum(digest, &count);
    assert_int_equal(count, 1);
    assert_true(rh_digest_equals(sum, digest_of("a\n", 1, NULL)));
    assert_false(rh_copy_digest_is_between_rows(digest));
    rh_copy_digest_feed(digest, rh_text("\n"));
    assert_true(rh_copy_digest_is_between_rows(digest));
    rh_copy_digest_free(digest);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_any_order_and_any_cuts_give_the_same_sum),
        cmocka_unit_test(test_another_row_or_another_count_gives_another_sum),
        cmocka_unit_test(test_the_sum_is_of_xxh3_128_and_carries),
        cmocka_unit_test(test_behind_the_end_of_data_nothing_counts),
        cmocka_unit_test(test_half_a_row_is_not_counted_yet),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
