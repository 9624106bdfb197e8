#include "structured.h"

#define LEAVES(...) ((const char *const[]){__VA_ARGS__})

static const struct mask_map_options attributes[] = {
    {.rule = MASK_TEXT, .type = "text"},
    {.rule = MASK_KEEP, .type = "int4"},
    {.rule = MASK_TEXT, .type = "text", .is_array = true},
};

static struct bench row_of(size_t count)
{
    return bench_of((struct mask_map_options){.rule = MASK_TEXT,
                                              .type = "public.person",
                                              .attributes = attributes,
                                              .attribute_count = count});
}

static void test_each_attribute_has_its_map(void **state)
{
    (void)state;
    CLEANUP_BENCH struct bench row = row_of(3);
    CLEANUP_BENCH struct bench text = bench_new(MASK_TEXT, "text");
    check_leaves(&row, &text, "(Anna,42,{x1})", "(\1,42,{\2})", LEAVES("Anna", "x1"));
    check_leaves(&row, &text, "(,42,)", "(,42,)", NULL);
    check_leaves(&row, &text, "(\"\",,{})", "(\"\",,{})", NULL);
    check_leaves(&row, &text, "(\"Anna B\",1,\"{x1,\"\"y z\"\"}\")",
                 "(\"\1\",1,\"{\2,\"\"\3\"\"}\")", LEAVES("Anna B", "x1", "y z"));
}

static void test_quotes_are_those_of_the_server(void **state)
{
    (void)state;
    CLEANUP_BENCH struct bench row = row_of(1);
    static const char *const values[] = {"(\"a\"\"b\")", "(\"a\\\\b\")", "(\"(a,b)\")", "(ab)",
                                         "(\"a b\")"};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        const char *masked = mask_one(&row, values[i]);
        assert_string_equal(skeleton(&row, masked), skeleton(&row, values[i]));
        assert_string_not_equal(masked, values[i]);
    }
}

static void test_rows_in_rows_and_arrays_of_rows(void **state)
{
    (void)state;
    struct mask_map_options outer[] = {
        {.rule = MASK_TEXT,
         .attributes = attributes,
         .attribute_count = 2,
         .type = "public.person"},
        {.rule = MASK_TEXT,
         .attributes = attributes,
         .attribute_count = 2,
         .type = "public.person",
         .is_array = true},
    };
    CLEANUP_BENCH struct bench row = bench_of((struct mask_map_options){
        .rule = MASK_TEXT, .attributes = outer, .attribute_count = 2, .type = "public.pair"});
    CLEANUP_BENCH struct bench text = bench_new(MASK_TEXT, "text");
    check_leaves(&row, &text,
                 "(\"(Anna,1)\",\"{\"\"(Bob,2)\"\",\"\"(\\\\\"\"C D\\\\\"\",3)\"\"}\")",
                 "(\"(\1,1)\",\"{\"\"(\2,2)\"\",\"\"(\\\\\"\"\3\\\\\"\",3)\"\"}\")",
                 LEAVES("Anna", "Bob", "C D"));
}

static void test_what_is_no_row_is_text(void **state)
{
    (void)state;
    CLEANUP_BENCH struct bench row = row_of(2);
    CLEANUP_BENCH struct bench text = bench_new(MASK_TEXT, "text");
    static const char *const broken[] = {"secret",       "(secret",      "(secret)",
                                         "(secret,1,2)", "(\"secret,1)", "(secret,1)x"};
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++)
        assert_string_equal(mask_one(&row, broken[i]), mask_one(&text, broken[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_attribute_has_its_map),
        cmocka_unit_test(test_quotes_are_those_of_the_server),
        cmocka_unit_test(test_rows_in_rows_and_arrays_of_rows),
        cmocka_unit_test(test_what_is_no_row_is_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
