/* One row each, long runs folded, nothing that matters among them. */
#include "report_unit.h"

#include "report/report_int.h"

static const char *statements_text(struct arena *arena, const struct result *result, size_t columns,
                                   enum report_detail detail)
{
    const struct terminal terminal = {.has_utf8 = true, .columns = columns};
    RH_CLEANUP_BUF struct buf out;
    rh_buf_init(&out, 1 << 22);
    struct layout layout = rh_layout(arena, &terminal, &out);
    rh_report_statements(&layout, result, detail);
    return rh_text_dup(arena, rh_buf_text(&out));
}

static size_t line_count(const char *text)
{
    size_t lines = 0;
    for (; *text; text++)
        lines += *text == '\n';
    return lines;
}

static void test_statements_long_run_shows_what_matters(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct result *result = result_new(arena);
    for (int i = 1; i <= 200; i++)
        result_statement(result, i, rh_arena_printf(arena, "CREATE TABLE t%d ()", i), 1 * MS);
    struct statement *items = result->trace->statements.items;
    items[50].duration_us = 9 * S; /* slowest */
    items[100].ok = false;
    result_lock(result, &items[150], "public.orders", "ShareLock", 7 * MS);
    items[170].observation = OBSERVED_NOT;
    result_finding(result, SEVERITY_WARNING, "destructive")->statement = 181;
    const char *text = statements_text(arena, result, 100, REPORT_NORMAL);
    const char *const shown[] = {"CREATE TABLE t51 ()", "CREATE TABLE t101 ()",
                                 "CREATE TABLE t151 ()", "CREATE TABLE t181 ()"};
    for (size_t i = 0; i < COUNT(shown); i++)
        assert_contains(text, shown[i]);
    assert_contains(text, "more statements, ");
    assert_true(line_count(text) <= 2 + 2 * 20 + 2);
    assert_int_equal(line_count(statements_text(arena, result, 100, REPORT_VERBOSE)), 202);
    /* shown and folded together are all of them */
    size_t total = 0;
    for (const char *at = text; (at = strstr(at, "CREATE TABLE")); at++)
        total++;
    for (const char *at = text; (at = strstr(at, "… ")); at++) {
        unsigned folded = 0;
        for (const char *digit = at + strlen("… "); *digit >= '0' && *digit <= '9'; digit++)
            folded = folded * 10 + (unsigned)(*digit - '0');
        total += folded;
    }
    assert_int_equal(total, 200);
}

static void test_statements_notes(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct result *result = result_new(arena);
    struct statement *rows = result_statement(result, 1, "UPDATE t SET a = 1", 1);
    rows->rows = 12345;
    struct statement *cut = result_statement(result, 2, "SELECT pg_sleep(99)", 1);
    cut->ok = cut->finished = false;
    struct statement *unseen = result_statement(result, 3, "VACUUM", 1);
    unseen->tag = "VACUUM";
    unseen->observation = OBSERVED_NOT;
    struct statement *short_read = result_statement(result, 3, "SELECT 1", 1);
    short_read->tag = "SELECT"; /* was shown as a blind spot */
    short_read->observation = OBSERVED_NOT;
    struct statement *waited = result_statement(result, 4, "ALTER TABLE w ADD a int", 1);
    struct lock *lock = result_lock(result, waited, "public.w", "AccessExclusiveLock", 0);
    lock->acquired_us = -1;
    lock->waited_us = 2 * S;
    struct statement *block = result_statement(result, 5, "DO $$ ... $$", 1);
    struct statement *child = RH_PUSH(arena, &block->children);
    *child = (struct statement){.sql = "ALTER TABLE c ADD a int", .ok = true, .finished = true};
    result_lock(result, child, "public.c", "AccessExclusiveLock", 3 * MS);
    struct statement *fresh = result_statement(result, 6, "CREATE TABLE f ()", 1);
    result_lock(result, fresh, "public.f", "AccessExclusiveLock", 3 * MS)->preexisting = false;
    const char *text = statements_text(arena, result, 100, REPORT_NORMAL);
    assert_contains(text, "12,345 rows");
    assert_contains(text, "did not finish");
    assert_contains(text, "? ");
    const char *blind = strstr(text, "locks not observed");
    assert_non_null(blind);
    assert_null(strstr(blind + 1, "locks not observed"));
    assert_contains(text, "waited 2 s");
    assert_contains(text, "3 ms c AccessExclusive");
    assert_lacks(text, "f AccessExclusive");
    assert_contains(statements_text(arena, result, 100, REPORT_VERBOSE), "ALTER TABLE c ADD a int");
}

static void test_statements_long_mode_is_shortened_before_it_is_cut(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct result *result = result_new(arena);
    struct statement *statement = result_statement(result, 1, "ALTER TABLE orders DROP a", 1);
    result_lock(result, statement, "public.shop_order", "ShareRowExclusiveLock", 1100 * MS);
    assert_contains(statements_text(arena, result, 80, REPORT_NORMAL),
                    "1.1 s shop_order ShareRowExcl\n");
    assert_contains(statements_text(arena, result, 100, REPORT_NORMAL),
                    "1.1 s shop_order ShareRowExclusive\n");
}

static void test_statements_larger_table_is_told(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct result *result = result_new(arena);
    struct statement *statement = result_statement(result, 1, "ALTER TABLE b DROP a", 1);
    result_lock(result, statement, "public.a", "AccessExclusiveLock", 5);
    result_lock(result, statement, "public.b", "AccessExclusiveLock", 5);
    *RH_PUSH(arena, &result->trace->relations) = (struct relation_facts){.name = "public.a",
                                                                         .bytes = 8192};
    *RH_PUSH(arena, &result->trace->relations) = (struct relation_facts){.name = "public.b",
                                                                         .bytes = 1 << 30};
    assert_contains(statements_text(arena, result, 100, REPORT_NORMAL), "5 us b AccessExclusive");
}

static void test_statements_narrow_failure_has_its_line(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct result *result = result_new(arena);
    result_statement(result, 1, "ALTER TABLE t ADD a int", 1)->ok = false;
    assert_contains(statements_text(arena, result, 40, REPORT_NORMAL), "\n          failed\n");
}

static void test_statements_leading_comments_are_skipped(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct result *result = result_new(arena);
    result_statement(result, 1, "-- one\n\n/* two /* nested */ */ SELECT 1 -- end", 1);
    result_statement(result, 2, "/* never closed", 1);
    const char *text = statements_text(arena, result, 100, REPORT_NORMAL);
    assert_contains(text, "  SELECT 1 -- end");
    assert_lacks(text, "nested");
    assert_lacks(text, "never");
}

static void test_statements_steps(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct result *result = result_new(arena);
    for (int i = 0; i < 40; i++)
        *RH_PUSH(arena, &result->trace->steps) = (struct step){
            .name = rh_arena_printf(arena, "%04d.sql", i), .ok = i != 38, .reached = i < 39};
    const char *text = statements_text(arena, result, 80, REPORT_NORMAL);
    assert_contains(text, "0028.sql  (nothing ran)");
    assert_lacks(text, "0029.sql");
    assert_contains(text, "0038.sql");
    assert_contains(text, "… 1 more step not reached");
    assert_contains(text, "… 9 more steps without findings");
    text = statements_text(arena, result, 80, REPORT_VERBOSE);
    assert_contains(text, "0029.sql");
    assert_contains(text, "0039.sql  (not reached)");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_statements_long_run_shows_what_matters),
        cmocka_unit_test(test_statements_notes),
        cmocka_unit_test(test_statements_long_mode_is_shortened_before_it_is_cut),
        cmocka_unit_test(test_statements_larger_table_is_told),
        cmocka_unit_test(test_statements_narrow_failure_has_its_line),
        cmocka_unit_test(test_statements_leading_comments_are_skipped),
        cmocka_unit_test(test_statements_steps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
