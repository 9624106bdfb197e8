#include "../base/unit.h"

#include "model/result_digest.h"

static struct result_digest digest_of(const char *rows)
{
    struct result_digest digest;
    rh_result_digest_init(&digest);
    for (; *rows; rows++) {
        uint8_t hash[WORKLOAD_DIGEST_BYTES];
        memset(hash, *rows, sizeof(hash));
        rh_result_digest_row(&digest, hash);
    }
    return digest;
}

static void test_result_digest_sees_rows_and_their_order(void **state)
{
    (void)state;
    struct result_digest ab = digest_of("ab"), ba = digest_of("ba"), aab = digest_of("aab"),
                         c3 = digest_of("\xfe\xfe");
    assert_memory_equal(ab.unordered, ba.unordered, WORKLOAD_DIGEST_BYTES);
    assert_memory_not_equal(ab.ordered, ba.ordered, WORKLOAD_DIGEST_BYTES);
    assert_memory_not_equal(ab.unordered, aab.unordered, WORKLOAD_DIGEST_BYTES);
    /* 0xfe..fe twice carries from byte to byte. */
    assert_int_equal(c3.unordered[0], 0xfc);
    assert_int_equal(c3.unordered[1], 0xfd);
    assert_int_equal(c3.unordered[15], 0xfd);
}

static void test_result_digest_of_one_row_tells_its_order(void **state)
{
    (void)state;
    uint8_t ordered[WORKLOAD_DIGEST_BYTES];
    struct result_digest none = digest_of(""), one = digest_of("x"), two = digest_of("xy");
    assert_true(rh_result_digest_ordered_of(none.unordered, 0, ordered));
    assert_memory_equal(ordered, none.ordered, WORKLOAD_DIGEST_BYTES);
    assert_true(rh_result_digest_ordered_of(one.unordered, 1, ordered));
    assert_memory_equal(ordered, one.ordered, WORKLOAD_DIGEST_BYTES);
    assert_false(rh_result_digest_ordered_of(two.unordered, 2, ordered));
    assert_false(rh_result_digest_ordered_of(two.unordered, -1, ordered));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_result_digest_sees_rows_and_their_order),
        cmocka_unit_test(test_result_digest_of_one_row_tells_its_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
