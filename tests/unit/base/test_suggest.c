#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/suggest.h"

#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

static void test_suggestion_is_the_closest_name(void **state)
{
    static const struct {
        const char *typed, *best;
    } cases[] = {{"snapshto", "snapshot"},
                 {"schema", "schema"},
                 {"scema", "schema"},
                 {"snap", "snapshot"},
                 {"xyz", NULL},
                 {"s", NULL},
                 {"", NULL}};
    (void)state;

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct suggestion suggestion = {.typed = cases[i].typed};

        rh_suggest_consider(&suggestion, "schema");
        rh_suggest_consider(&suggestion, "snapshot");
        if (cases[i].best)
            assert_string_equal(suggestion.best, cases[i].best);
        else
            assert_null(suggestion.best);
    }
}

static void test_suggestion_prefers_the_fewest_edits(void **state)
{
    struct suggestion suggestion = {.typed = "max-wall"};
    (void)state;

    rh_suggest_consider(&suggestion, "max-lag");
    rh_suggest_consider(&suggestion, "max-wal");
    rh_suggest_consider(&suggestion, "max-wait");
    assert_string_equal(suggestion.best, "max-wal");
}

static void test_suggestion_ignores_names_beyond_the_cap(void **state)
{
    char longest[200];
    struct suggestion suggestion = {.typed = longest};
    (void)state;

    memset(longest, 'a', sizeof(longest));
    longest[sizeof(longest) - 1] = '\0';
    rh_suggest_consider(&suggestion, "aaa");
    assert_null(suggestion.best);
    suggestion.typed = "aaa";
    rh_suggest_consider(&suggestion, longest);
    assert_null(suggestion.best);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_suggestion_is_the_closest_name),
        cmocka_unit_test(test_suggestion_prefers_the_fewest_edits),
        cmocka_unit_test(test_suggestion_ignores_names_beyond_the_cap),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
