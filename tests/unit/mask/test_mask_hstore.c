#include "structured.h"

static void test_names_and_values_are_masked_and_pairs_in_order(void **state)
{
    (void)state;
    CLEANUP_BENCH struct bench hstore = bench_new(MASK_HSTORE, "public.hstore");
    CLEANUP_BENCH struct bench text = bench_new(MASK_TEXT, "text");
    CLEANUP_BENCH struct bench email = bench_new(MASK_EMAIL, "text");
    char expected[200];
    snprintf(expected, sizeof expected, "\"%s\"=>\"%s\", \"%s\"=>NULL, \"%s\"=>\"%s\"",
             mask_one(&text, "a1"), mask_one(&text, "Anna B"), mask_one(&text, "bcd"),
             mask_one(&text, "mail"), mask_one(&email, "anna@example.org"));
    assert_string_equal(
        mask_one(&hstore, "\"a1\"=>\"Anna B\", \"bcd\"=>NULL, \"mail\"=>\"anna@example.org\""),
        expected);
    const char *masked = mask_one(
        &hstore,
        "\"ab\"=>\"1\", \"cd\"=>\"2\", \"ef\"=>\"3\", \"gh\"=>NULL, \"xyz\\\"\"=>\"\\\\\"");
    const char *last = "";
    int count = 0;
    for (const char *at = masked; (at = strstr(at, "\"=>")) != NULL; at++, count++) {
        char *name = rh_arena_strndup(hstore.arena, at - 2, 2);
        assert_true(strcmp(name, last) > 0 || count == 4);
        last = name;
    }
    assert_int_equal(count, 5);
}

static void test_nothing_and_escapes(void **state)
{
    (void)state;
    CLEANUP_BENCH struct bench hstore = bench_new(MASK_HSTORE, "public.hstore");
    assert_string_equal(mask_one(&hstore, ""), "");
    const char *value = "\"\"=>\"\", \"a\\\"b\\\\c\"=>\"d=>\\\"e\\\"\"";
    const char *masked = mask_one(&hstore, value);
    assert_string_equal(skeleton(&hstore, masked), skeleton(&hstore, value));
    assert_string_not_equal(masked, value);
}

static void test_what_is_no_hstore_is_text(void **state)
{
    (void)state;
    CLEANUP_BENCH struct bench hstore = bench_new(MASK_HSTORE, "public.hstore");
    CLEANUP_BENCH struct bench text = bench_new(MASK_TEXT, "text");
    static const char *const broken[] = {"secret",          "\"secret",      "\"secret\"",
                                         "\"secret\"=>",    "\"a\"=>secret", "\"a\"=>\"secret\",",
                                         "\"a\" \"secret\""};
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++)
        assert_string_equal(mask_one(&hstore, broken[i]), mask_one(&text, broken[i]));
}

static void test_values_larger_than_a_piece(void **state)
{
    (void)state;
    CLEANUP_BENCH struct bench hstore = bench_new(MASK_HSTORE, "public.hstore");
    RH_CLEANUP_BUF struct buf value;
    rh_buf_init(&value, 1 << 24);
    rh_buf_add_str(&value, "\"name\"=>\"");
    for (size_t i = 0; i < LEAVES_PIECE_BYTES; i++)
        rh_buf_add_str(&value, "se\\\\\\\"");
    rh_buf_add_str(&value, "\"");
    const char *whole = mask_one(&hstore, value.data);
    static const size_t steps[] = {4095, 1 << 24};
    for (size_t i = 0; i < 2; i++)
        assert_true(strcmp(mask_streamed(&hstore, rh_buf_text(&value), steps[i]), whole) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_and_values_are_masked_and_pairs_in_order),
        cmocka_unit_test(test_nothing_and_escapes),
        cmocka_unit_test(test_what_is_no_hstore_is_text),
        cmocka_unit_test(test_values_larger_than_a_piece),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
