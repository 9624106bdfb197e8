#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "rehearsal/production.h"

#include <stdbool.h>
#include <string.h>

static const char *why(struct arena *arena, const char *pattern, struct production_facts facts)
{
    return rh_production_why(&pattern, pattern ? 1 : 0, &facts, arena);
}

static void test_production_patterns_are_for_names_and_hosts(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    const struct production_facts shop = {.database = "shop", .hosts = "db1.example.org,10.0.0.7"};
    static const char *const matching[] = {
        "shop", "SH?P", "s*", "db1.example.org", "*.example.*", "10.*", "10.0.0.7/shop", "*/shop"};
    static const char *const others[] = {
        "sho", "workshop", "db2*", "10.0.0.7/stage", "s", "?", "db1.example.org,10.0.0.7"};
    for (size_t i = 0; i < sizeof(matching) / sizeof(*matching); i++)
        if (!why(arena, matching[i], shop))
            fail_msg("%s matches", matching[i]);
    for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
        if (why(arena, others[i], shop))
            fail_msg("%s does not match: %s", others[i], why(arena, others[i], shop));
    assert_string_equal(why(arena, "s*", shop), "its name matches \"s*\"");
    assert_string_equal(why(arena, "10.*", shop), "its host \"10.0.0.7\" matches \"10.*\"");
    assert_null(why(arena, NULL, shop));
}

static void test_production_declares_itself(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    static const struct {
        const char *setting, *comment;
        bool is_production;
    } cases[] = {
        {"on", NULL, true},
        {"yes", NULL, true},
        {"primary", NULL, true},
        {"off", NULL, false},
        {"", NULL, false},
        {"FALSE", NULL, false},
        {NULL, "the shop (Rehearse: Production)", true},
        {NULL, "a copy of production", false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        const struct production_facts facts = {.database = "shop",
                                               .hosts = "",
                                               .setting = cases[i].setting,
                                               .comment = cases[i].comment};
        if ((why(arena, NULL, facts) != NULL) != cases[i].is_production)
            fail_msg("setting %s, comment %s", cases[i].setting, cases[i].comment);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_production_patterns_are_for_names_and_hosts),
        cmocka_unit_test(test_production_declares_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
