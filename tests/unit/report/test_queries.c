/* The patterns of a workload, worst first, with their plans. */
#include "report_unit.h"

#include "report/report_int.h"

static const char *text_of(struct arena *arena, const struct result *result, size_t columns,
                           enum report_detail detail)
{
    const struct terminal terminal = {.has_utf8 = true, .columns = columns};
    RH_CLEANUP_BUF struct buf out;
    rh_buf_init(&out, 1 << 20);
    struct layout layout = rh_layout(arena, &terminal, &out);
    rh_report_queries(&layout, result, detail);
    return rh_text_dup(arena, rh_buf_text(&out));
}

static struct query_comparison *add(struct arena *arena, struct result *result, const char *query,
                                    enum query_verdict verdict)
{
    struct query_comparison *added = RH_PUSH(arena, &result->workload.queries);
    result->workload.was_made = true;
    *added = (struct query_comparison){
        .query = query, .verdict = verdict, .rounds = 200, .ratio = 1};
    added->sides[SIDE_BASELINE].p50_us = added->sides[SIDE_CANDIDATE].p50_us = 110;
    return added;
}

static void test_queries_say_nothing_where_there_are_none(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    assert_string_equal(text_of(arena, result_new(arena), 100, REPORT_VERBOSE), "");
}

static void test_queries_worse_has_its_plans(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct result *result = result_new(arena);
    struct query_comparison *query = add(arena, result, "SELECT a FROM t WHERE b = $1",
                                         QUERY_WORSE);
    query->ratio = 94;
    query->sides[SIDE_CANDIDATE].p50_us = 10340;
    query->custom.is_compared = query->custom.is_changed = true;
    *RH_PUSH(arena, &query->custom.baseline.lines) = (struct plan_line){
        .text = "Sort", .rows = 1, .scanned = -1};
    *RH_PUSH(arena, &query->custom.baseline.lines) = (struct plan_line){
        .depth = 1,
        .text = "Index Scan using t_b on t",
        .rows = 1,
        .scanned = 1,
        .is_different = true};
    *RH_PUSH(arena, &query->custom.candidate.lines) = (struct plan_line){
        .text = "Seq Scan on t", .rows = 1, .scanned = 20000, .is_different = true};
    add(arena, result, "SELECT 2", QUERY_SAME);
    const char *text = text_of(arena, result, 80, REPORT_NORMAL);
    assert_contains(text, "worse             110 us   10.3 ms     x94  SELECT a FROM t WHERE b");
    assert_contains(text, "\n      was   Sort\n          *   Index Scan using t_b on t (1 of 1");
    assert_contains(text, "\n      is  * Seq Scan on t (1 of 20,000 rows)\n");
    assert_contains(text, "and 1 more");
    assert_lacks(text, "SELECT 2");
    assert_true(widest_line(text) <= 80);
    assert_contains(text_of(arena, result, 80, REPORT_VERBOSE), "SELECT 2");
}

static void test_queries_undecided_say_why(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct result *result = result_new(arena);
    struct query_comparison *query = add(arena, result, "COPY t FROM STDIN", QUERY_NOT_COMPARABLE);
    query->rounds = 0;
    query->reason = "COPY is not compared";
    *RH_PUSH(arena, &result->workload.notes) = "the budget ran out";
    const char *text = text_of(arena, result, 60, REPORT_NORMAL);
    assert_contains(text, "not-comparable         -         -       -");
    assert_contains(text, "COPY is not compared");
    assert_contains(text, "the budget ran out");
    assert_true(widest_line(text) <= 66);
}

static void test_queries_comparison_ends_with_the_verdict(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct result *result = result_new(arena);
    const struct terminal terminal = {.has_utf8 = true, .columns = 80};
    RH_CLEANUP_BUF struct buf out;
    rh_buf_init(&out, 1 << 20);
    add(arena, result, "SELECT 2", QUERY_SAME);
    result->verdict = VERDICT_SAFE;
    result->headline = "1 query pattern compared, none slower or failing";
    rh_report_comparison(result, &terminal, REPORT_NORMAL, &out);
    assert_contains(out.data, "SAFE  1 query pattern compared");
    assert_contains(out.data, "the same");
    rh_buf_clear(&out);
    rh_report_comparison(result, &terminal, REPORT_QUIET, &out);
    assert_lacks(out.data, "patterns");
}

static void test_queries_of_two_applications_stand_apart(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct result *result = result_new(arena);
    struct transformation *transformation = &result->transformation;
    *transformation = (struct transformation){
        .path = "t.yaml", .is_old_stopped = true, .patterns = 1, .calls = 20};
    *RH_PUSH(arena, &transformation->rules) = (struct transformation_rule){
        "t.yaml:3:5", "rename_table t to u", 2, 25};
    *RH_PUSH(arena, &transformation->refusals) = (struct transformation_refusal){
        0xabc, "SELECT t FROM t", "it is a guess", 5};
    add(arena, result, "SELECT a FROM t WHERE b = $1", QUERY_WORSE)->application = APPLICATION_OLD;
    struct query_comparison *query = RH_PUSH(arena, &result->new_application.queries);
    result->new_application.was_made = true;
    *query = (struct query_comparison){.query = "SELECT a FROM t WHERE b = $1",
                                       .sent = "SELECT a FROM u WHERE b = $1",
                                       .application = APPLICATION_NEW,
                                       .verdict = QUERY_BETTER,
                                       .rounds = 200,
                                       .ratio = 1};
    const char *text = text_of(arena, result, 100, REPORT_NORMAL);
    const char *old = strstr(text, "the old application on the new schema\n");
    const char *new = strstr(text, "the new application on the new schema");
    assert_true(old && new &&old < new);
    assert_contains(old, "SELECT a FROM t WHERE b = $1");
    assert_contains(new, "SELECT a FROM u WHERE b = $1");
    assert_lacks(new, "SELECT a FROM t");
    assert_contains(text, "t.yaml: the release sends 1 pattern, 20 calls otherwise; the old");
    assert_contains(text, "rename_table t to u: 2 patterns, 25 calls");
    assert_contains(text, "0000000000000abc SELECT t FROM t: it is a guess");
    assert_true(widest_line(text) <= 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_queries_say_nothing_where_there_are_none),
        cmocka_unit_test(test_queries_worse_has_its_plans),
        cmocka_unit_test(test_queries_undecided_say_why),
        cmocka_unit_test(test_queries_comparison_ends_with_the_verdict),
        cmocka_unit_test(test_queries_of_two_applications_stand_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
