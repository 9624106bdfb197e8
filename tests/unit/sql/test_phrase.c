/* Statements as tokens. */
#include "sql_unit.h"

#include "sql/phrase.h"

static void test_phrase_read_takes_one_statement(void **state)
{
    (void)state;
    static const struct {
        const char *sql;
        size_t tokens; /* 0: refused */
    } cases[] = {
        {"SELECT 1", 2},
        {" SELECT /* x */ 1 ; -- end", 2},
        {"SELECT 1; SELECT 2", 0},
        {"SELECT 1, 2, 3, 4", 0}, /* more than is allowed here */
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
        struct phrase phrase;
        bool read = rh_phrase_read(&phrase, rh_text(cases[i].sql), arena, 6);
        if ((read ? phrase.tokens.count : 0) != cases[i].tokens)
            fail_msg("%s: %d, %zu tokens", cases[i].sql, read, phrase.tokens.count);
    }
}

static void test_phrase_finds_names_parentheses_and_commas(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct phrase phrase;
    const char *sql = "a.\"b,c\" (1, (2)), IF NOT EXISTS x (";
    assert_true(rh_phrase_read(&phrase, rh_text(sql), arena, 100));
    assert_int_equal(rh_phrase_behind_name(&phrase, 0), 3);
    assert_int_equal(rh_phrase_behind_name(&phrase, 3), 3);
    assert_int_equal(rh_phrase_behind_parentheses(&phrase, 3), 10);
    assert_int_equal(rh_phrase_behind_parentheses(&phrase, 0), 0);
    assert_string_equal(rh_phrase_inside_parentheses(&phrase, 3), "1, (2)");
    assert_null(rh_phrase_inside_parentheses(&phrase, 0));
    assert_int_equal(rh_phrase_comma(&phrase, 0), 10);
    assert_int_equal(rh_phrase_comma(&phrase, 11), phrase.tokens.count);
    assert_int_equal(rh_phrase_skip_if_exists(&phrase, 11), 14);
    assert_int_equal(rh_phrase_behind_parentheses(&phrase, 15), 15); /* they never close */
    assert_string_equal(rh_phrase_words(&phrase, 0, 3), "a.\"b,c\"");
    assert_string_equal(rh_phrase_words(&phrase, 14, 99), "x (");
    assert_null(rh_phrase_words(&phrase, 3, 3));
    assert_false(rh_phrase_is_word(&phrase, 99, "a"));
    assert_false(rh_phrase_is_char(&phrase, 99, '.'));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_phrase_read_takes_one_statement),
        cmocka_unit_test(test_phrase_finds_names_parentheses_and_commas),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
