#include "structured.h"

#define LEAVES(...) ((const char *const[]){__VA_ARGS__})

static void test_words_are_masked_one_by_one(void **state)
{
    (void)state;
    CLEANUP_BENCH struct bench prose = bench_new(MASK_FREE_TEXT, "text");
    CLEANUP_BENCH struct bench text = bench_new(MASK_TEXT, "text");
    check_leaves(&prose, &text, "Anna met Bob; Bob (not Anna) left.", "\1 \2 \3; \3 (\4 \1) \5.",
                 LEAVES("Anna", "met", "Bob", "not", "left"));
    check_leaves(&prose, &text, "  two\n\tlines--of text ", "  \1\n\t\2--\3 \4 ",
                 LEAVES("two", "lines", "of", "text"));
    check_leaves(&prose, &text, "M\xc3\xbcller \xe2\x80\x9eruft\xe2\x80\x9c",
                 "\1 \xe2\x80\x9e\2\xe2\x80\x9c", LEAVES("M\xc3\xbcller", "ruft"));
    check_leaves(&prose, &text, " ... !", " ... !", NULL);
    /* Superscripts are digits, an ordinal is a letter. */
    check_leaves(&prose, &text, "\xe2\x81\xb4\xe2\x81\xb9 2\xc2\xb2\xc2\xb9 M\xc2\xaa\xc2\xa7",
                 "\1 \2 \3\xc2\xa7",
                 LEAVES("\xe2\x81\xb4\xe2\x81\xb9", "2\xc2\xb2\xc2\xb9", "M\xc2\xaa"));
    assert_string_not_equal(mask_one(&prose, "\xe2\x81\xb4\xe2\x81\xb9\xe2\x81\xb5"),
                            "\xe2\x81\xb4\xe2\x81\xb9\xe2\x81\xb5");
}

static void test_addresses_in_prose_join_with_columns(void **state)
{
    (void)state;
    CLEANUP_BENCH struct bench prose = bench_new(MASK_FREE_TEXT, "text");
    CLEANUP_BENCH struct bench email = bench_new(MASK_EMAIL, "text");
    CLEANUP_BENCH struct bench text = bench_new(MASK_TEXT, "text");
    char value[] = "see <anna.b@example.org>, now";
    char expected[100];
    snprintf(expected, sizeof expected, "%s <%s>, %s", mask_one(&text, "see"),
             mask_one(&email, "anna.b@example.org"), mask_one(&text, "now"));
    assert_string_equal(mask_one(&prose, value), expected);
    CLEANUP_BENCH struct bench card = bench_new(MASK_CARD, "text");
    check_leaves(&prose, &card, "4111111111111111.", "\1.", LEAVES("4111111111111111"));
}

static void test_prose_streams_as_it_is_mapped(void **state)
{
    (void)state;
    CLEANUP_BENCH struct bench prose = bench_new(MASK_FREE_TEXT, "text");
    RH_CLEANUP_BUF struct buf value;
    rh_buf_init(&value, 1 << 26);
    for (int i = 0; i < 100000; i++)
        rh_buf_printf(&value, "word%d and anna%d@example.org, the end.\n", i % 1000, i);
    const char *whole = mask_one(&prose, value.data);
    assert_int_equal(strlen(whole), value.len);
    static const size_t steps[] = {4095, 70001, 1 << 26};
    for (size_t i = 0; i < 3; i++)
        assert_true(strcmp(mask_streamed(&prose, rh_buf_text(&value), steps[i]), whole) == 0);
}

static void test_a_word_larger_than_a_piece_is_masked(void **state)
{
    (void)state;
    CLEANUP_BENCH struct bench prose = bench_new(MASK_FREE_TEXT, "text");
    RH_CLEANUP_BUF struct buf value;
    rh_buf_init(&value, 1 << 26);
    rh_buf_add_str(&value, "begin ");
    for (size_t i = 0; i < LEAVES_PIECE_BYTES / 2; i++)
        rh_buf_add_str(&value, "secretly");
    rh_buf_add_str(&value, " end");
    const char *masked = mask_streamed(&prose, rh_buf_text(&value), 70001);
    assert_int_equal(strlen(masked), value.len);
    assert_null(strstr(masked, "secretly"));
    assert_true(rh_text_ends_with(rh_text(masked), mask_one(&prose, " end")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words_are_masked_one_by_one),
        cmocka_unit_test(test_addresses_in_prose_join_with_columns),
        cmocka_unit_test(test_prose_streams_as_it_is_mapped),
        cmocka_unit_test(test_a_word_larger_than_a_piece_is_masked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
