#include "structured.h"

#define LEAVES(...) ((const char *const[]){__VA_ARGS__})

static struct bench array_of(enum mask_rule rule, const char *type)
{
    return bench_of((struct mask_map_options){.rule = rule, .type = type, .is_array = true});
}

static void test_elements_are_masked_one_by_one(void **state)
{
    (void)state;
    CLEANUP_BENCH struct bench array = array_of(MASK_TEXT, "text");
    CLEANUP_BENCH struct bench text = bench_new(MASK_TEXT, "text");
    check_leaves(&array, &text, "{Anna,Bob,Anna}", "{\1,\2,\1}", LEAVES("Anna", "Bob"));
    check_leaves(&array, &text, "{}", "{}", NULL);
    check_leaves(&array, &text, "{{Anna,NULL},{\"\",\"two words\"}}", "{{\1,NULL},{\"\",\"\2\"}}",
                 LEAVES("Anna", "two words"));
    check_leaves(&array, &text, "[0:1][-3:-2]={{a1,b2},{c3,d4}}", "[0:1][-3:-2]={{\1,\2},{\3,\4}}",
                 LEAVES("a1", "b2", "c3", "d4"));
}

static void test_quotes_are_where_the_server_sets_them(void **state)
{
    (void)state;
    CLEANUP_BENCH struct bench array = array_of(MASK_TEXT, "text");
    CLEANUP_BENCH struct bench text = bench_new(MASK_TEXT, "text");
    check_leaves(&array, &text, "{\"x,y\",\"{x}\"}", "{\"\1\",\"\2\"}", LEAVES("x,y", "{x}"));
    const char *value = "{\"say \\\"hi\\\"\",\"back\\\\slash\"}";
    const char *masked = mask_one(&array, value);
    assert_string_equal(skeleton(&array, masked), skeleton(&array, value));
    /* The word NULL in quotes is a value; what it becomes may stand bare, and the other way. */
    int bare = 0, quoted = 0;
    for (int i = 0; i < 26; i++) {
        char word[16] = "{\"null\"}";
        word[2] = (char)('A' + i);
        if (i != 'N' - 'A')
            snprintf(word, sizeof word, "{%cULL}", 'A' + i);
        masked = mask_one(&array, word);
        bool has_quotes = strchr(masked, '"') != NULL;
        assert_int_equal(has_quotes, strcasestr(masked, "null") != NULL);
        bare += !has_quotes;
        quoted += has_quotes;
    }
    assert_true(bare > 0);
}

static void test_the_delimiter_of_box_is_another(void **state)
{
    (void)state;
    CLEANUP_BENCH struct bench array = array_of(MASK_TEXT, "text");
    CLEANUP_BENCH struct bench text = bench_new(MASK_TEXT, "text");
    check_leaves(&array, &text, "{a;b,c}", "{\1,\2}", LEAVES("a;b", "c"));
}

static void test_elements_may_be_structured_themselves(void **state)
{
    (void)state;
    CLEANUP_BENCH struct bench array = array_of(MASK_JSON, "jsonb");
    CLEANUP_BENCH struct bench text = bench_new(MASK_TEXT, "text");
    check_leaves(&array, &text, "{\"{\\\"a\\\": \\\"Anna\\\"}\",NULL,\"[1, 2]\"}",
                 "{\"{\\\"a\\\": \\\"\1\\\"}\",NULL,\"[1, 2]\"}", LEAVES("Anna"));
}

static void test_what_is_no_array_is_mapped_as_a_whole(void **state)
{
    (void)state;
    CLEANUP_BENCH struct bench array = array_of(MASK_TEXT, "text");
    CLEANUP_BENCH struct bench text = bench_new(MASK_TEXT, "text");
    static const char *const broken[] = {"secret",     "{secret",        "{secret}x",
                                         "{\"secret}", "{secret \"x\"}", "{{{{{{{x}}}}}}}",
                                         "{sec\\",     "x{secret}",      "{{a}{b}}"};
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++)
        assert_string_equal(mask_one(&array, broken[i]), mask_one(&text, broken[i]));
}

static void test_large_arrays_stream_as_they_are_mapped(void **state)
{
    (void)state;
    CLEANUP_BENCH struct bench array = array_of(MASK_TEXT, "text");
    RH_CLEANUP_BUF struct buf value;
    rh_buf_init(&value, 1 << 26);
    rh_buf_add_str(&value, "{\"a ");
    for (size_t i = 0; i < LEAVES_PIECE_BYTES; i++)
        rh_buf_add_str(&value, "se\\\\\\\"");
    rh_buf_add_str(&value, "\"");
    rh_buf_add_str(&value, ",bare");
    for (size_t i = 0; i < LEAVES_PIECE_BYTES; i++)
        rh_buf_add_str(&value, "word");
    for (int i = 0; i < 100000; i++)
        rh_buf_printf(&value, ",word%d,\"two words\",NULL", i);
    rh_buf_add_str(&value, "}");
    const char *whole = mask_one(&array, value.data);
    assert_int_equal(strlen(whole), value.len);
    static const size_t steps[] = {4095, 70001, 1 << 26};
    for (size_t i = 0; i < 3; i++) {
        const char *streamed = mask_streamed(&array, rh_buf_text(&value), steps[i]);
        assert_true(strcmp(streamed, whole) == 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_elements_are_masked_one_by_one),
        cmocka_unit_test(test_quotes_are_where_the_server_sets_them),
        cmocka_unit_test(test_the_delimiter_of_box_is_another),
        cmocka_unit_test(test_elements_may_be_structured_themselves),
        cmocka_unit_test(test_what_is_no_array_is_mapped_as_a_whole),
        cmocka_unit_test(test_large_arrays_stream_as_they_are_mapped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
