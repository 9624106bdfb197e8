#include "structured.h"

static void test_lexemes_are_masked_and_sorted_with_their_positions(void **state)
{
    (void)state;
    CLEANUP_BENCH struct bench vector = bench_new(MASK_TSVECTOR, "tsvector");
    CLEANUP_BENCH struct bench text = bench_new(MASK_TEXT, "text");
    char expected[100];
    const char *cat = mask_one(&text, "cat"), *dog = mask_one(&text, "dog");
    bool swapped = strcmp(cat, dog) > 0;
    snprintf(expected, sizeof expected, "'%s':%s '%s':%s", swapped ? dog : cat,
             swapped ? "2" : "1A,3", swapped ? cat : dog, swapped ? "1A,3" : "2");
    assert_string_equal(mask_one(&vector, "'cat':1A,3 'dog':2"), expected);
    assert_string_equal(mask_one(&vector, ""), "");
    const char *masked = mask_one(&vector, "'a' 'b' 'c' 'd' 'e' 'f' 'g' 'h'");
    for (const char *at = masked; at[4] != '\0' && at[3] != '\0'; at += 4)
        assert_true(at[1] < at[5]);
}

static void test_quotes_and_backslashes_are_doubled(void **state)
{
    (void)state;
    CLEANUP_BENCH struct bench vector = bench_new(MASK_TSVECTOR, "tsvector");
    const char *value = "'a''b\\\\c d':1";
    const char *masked = mask_one(&vector, value);
    assert_string_equal(skeleton(&vector, masked), "'x''x\\\\x x':x");
    assert_true(rh_text_ends_with(rh_text(masked), "':1"));
    assert_string_not_equal(masked, value);
}

static void test_what_is_no_tsvector_is_text(void **state)
{
    (void)state;
    CLEANUP_BENCH struct bench vector = bench_new(MASK_TSVECTOR, "tsvector");
    CLEANUP_BENCH struct bench text = bench_new(MASK_TEXT, "text");
    static const char *const broken[] = {"secret", "'secret", "'a' secret", ":1", "'a\\"};
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++)
        assert_string_equal(mask_one(&vector, broken[i]), mask_one(&text, broken[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lexemes_are_masked_and_sorted_with_their_positions),
        cmocka_unit_test(test_quotes_and_backslashes_are_doubled),
        cmocka_unit_test(test_what_is_no_tsvector_is_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
