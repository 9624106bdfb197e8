#include "../base/unit.h"

#include "workload/log_record.h"

static void test_log_prefix_matches_what_servers_write(void **state)
{
    (void)state;
    static const struct {
        const char *prefix, *line;
        const char *session, *user, *database, *application_name, *sqlstate,
            *message; /* NULL: no */
    } cases[] = {
        {"%m [%p] %q%u@%d ", "2026-11-20 10:49:12.123 UTC [77] anna@shop LOG:  statement: x", "77",
         "anna", "shop", "", "", "statement: x"},
        {"%m [%p] %q%u@%d ", "2026-11-20 10:49:12.123 UTC [77] LOG:  checkpoint", "77", "", "", "",
         "", "checkpoint"},
        {"%t:%r:%u@%d:[%p]:", "2026-11-20 10:49:12 UTC:10.0.0.1(5432):anna@shop:[77]:LOG:  a", "77",
         "anna", "shop", "", "", "a"},
        {"%t:%r:%u@%d:[%p]:", "2026-11-20 10:49:12 UTC::@:[77]:LOG:  a", "77", "", "", "", "", "a"},
        {"%m [%p]: [%l-1] user=%u,db=%d,app=%a,client=%h ",
         "2026-11-20 10:49:12.123 UTC [77]: [3-1] user=anna,db=shop,app=my till,client=::1 LOG:  a",
         "77", "anna", "shop", "my till", "", "a"},
        {"%m [%p]: user=%u,db=%d ",
         "2026-11-20 10:49:12.123 UTC [77]: user=[unknown],db=[unknown] LOG:  a", "77", "", "", "",
         "", "a"},
        {"%n %c %e %v %x ", "1795171752.123 67.4d 23505 3/40 0 ERROR:  a", "67.4d", "", "", "",
         "23505", "a"},
        {"%m %-8p|%10u|%% ", "2026-11-20 10:49:12.123 UTC 77      |      anna|% LOG:  a", "77",
         "anna", "", "", "", "a"},
        {"%m [%p] ", "2026-11-20 10:49:12.123 UTC [77] nothing known", NULL, "", "", "", "", ""},
        {"%m [%p] ", "\tWHERE a = 2026", NULL, "", "", "", "", ""},
        {"%m [%p] ", "", NULL, "", "", "", "", ""},
        {"%m [%p] ", "2026-11-20 10:49:12.123 UTC", NULL, "", "", "", "", ""},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
        const struct log_prefix *prefix = rh_log_prefix(arena, cases[i].prefix);
        struct log_record record;
        struct text rest;
        assert_non_null(prefix);
        if (rh_log_prefix_match(prefix, arena, rh_text(cases[i].line), &record, &rest) !=
            (cases[i].session != NULL))
            fail_msg("%s: %s", cases[i].prefix, cases[i].line);
        if (cases[i].session == NULL)
            continue;
        assert_string_equal(record.session, cases[i].session);
        assert_string_equal(record.user, cases[i].user);
        assert_string_equal(record.database, cases[i].database);
        assert_string_equal(record.application_name, cases[i].application_name);
        assert_string_equal(record.sqlstate, cases[i].sqlstate);
        assert_true(rh_text_is(record.message, cases[i].message));
        assert_int_equal(record.at_us / 1000000, INT64_C(1795171752));
    }
}

static void test_log_prefix_needs_a_time(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    assert_null(rh_log_prefix(arena, "[%p] "));
    assert_null(rh_log_prefix(arena, ""));
    assert_null(rh_log_prefix(arena, "%m %-5"));
    for (size_t i = 0; rh_log_prefixes[i] != NULL; i++)
        assert_non_null(rh_log_prefix(arena, rh_log_prefixes[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_log_prefix_matches_what_servers_write),
        cmocka_unit_test(test_log_prefix_needs_a_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
