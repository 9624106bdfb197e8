#include "../base/unit.h"

#include "workload/pgbench_expression.h"

#include <math.h>

static struct pgbench_client new_client(struct arena *arena, uint64_t seed)
{
    struct pgbench_client client;
    const struct pgbench_value unknown = {.kind = PGBENCH_UNKNOWN};
    rh_pgbench_client_init(&client, arena, seed, 0, 1);
    assert_true(rh_pgbench_client_set(&client, TEXT_LITERAL("u"), unknown));
    return client;
}

/* The values are those that pgbench 15 prints with \set x debug(...); what is unknown it knows. */
static void test_pgbench_expression_is_what_pgbench_makes_of_it(void **state)
{
    (void)state;
    static const struct {
        const char *expression, *value;
    } cases[] = {
        {"1 + 2 * 3 - 4 / 2", "5"},
        {"-2 * -3", "6"},
        {"7 % 4 + 1.5", "4.5"},
        {"1e2 + .5", "100.5"},
        {"5 > 3 and not 2 >= 3", "true"},
        {"1 <> 1 or 1 != 2", "true"},
        {"1 = 1.0", "true"},
        {"3 < 2", "false"},
        {"1 << 4 | 3 & 2 # 1", "3"},
        {"~ 5", "-6"},
        {"6 & 3", "2"},
        {"null is null", "true"},
        {"1 is not null and null isnull and 2 notnull", "true"},
        {"false is false", "true"},
        {"null + 1", "NULL"},
        {"null and false", "NULL"},
        {"null or 1 = 1", "NULL"},
        {"case when 1 = 0 then 1 / 0 else 7 end", "7"},
        {"false and 1 / 0 = 1 or true", "true"},
        {"case when 1 > 2 then 3 when 2 > 1 then 4 else 5 end", "4"},
        {"CASE WHEN FALSE THEN 1 END", "NULL"},
        {"mod(7, 3) + power(2, 3)", "9"},
        {"int(sqrt(16)) + int(pi())", "7"},
        {"ln(exp(2.0))", "2"},
        {"hash_fnv1a(10, 123)", "6400321898261566932"},
        {"hash_murmur2(10, 123)", "-6394672677434483745"},
        {"hash(10, 123)", "-6394672677434483745"},
        {"greatest(1, :scale, 3) + least(2, 5)", "5"},
        {"int(:u) + 1", "unknown"},
        {"1 > 2 and :u", "false"},
        {":u = 1 or true", "unknown"},
        {"case when :u = 1 then 1 else 2 end", "unknown"},
        {":u is null", "unknown"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
        struct pgbench_client client = new_client(arena, 1);
        struct pgbench_value value;
        const char *problem = rh_pgbench_evaluate(&client, rh_text(cases[i].expression), &value);
        if (problem)
            fail_msg("%s: %s", cases[i].expression, problem);
        const char *text = value.kind == PGBENCH_UNKNOWN ? "unknown"
                                                         : rh_pgbench_value_text(arena, value);
        if (strcmp(text, cases[i].value) != 0)
            fail_msg("%s: %s, expected %s", cases[i].expression, text, cases[i].value);
    }
}

static void test_pgbench_expression_says_what_is_wrong(void **state)
{
    (void)state;
    static const struct {
        const char *expression, *problem;
    } cases[] = {
        {"case when 1 then 2", "without END"},
        {"case when 1 end", "without THEN"},
        {"1 is 2", "IS is followed"},
        {"permute(1, 2, 3)", "not known here"},
        {"random_zipfian(1, 10, 1.0)", "cannot be"},
        {"random_zipfian(1, 10, 1001)", "cannot be"},
        {"mod(1, 0)", "divides by zero"},
        {"1 +", "a number is missing"},
        {"1 < 2 < 3", "goes on"},
        {":nowhere", "not set"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
        struct pgbench_client client = new_client(arena, 1);
        struct pgbench_value value;
        const char *problem = rh_pgbench_evaluate(&client, rh_text(cases[i].expression), &value);
        if (!problem || !strstr(problem, cases[i].problem))
            fail_msg("%s: %s", cases[i].expression, problem ? problem : "nothing");
    }
}

/* Zipf's law: the n-th comes 1/n^s times as often as the first. */
static void test_pgbench_expression_draws_zipfian(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct pgbench_client client = new_client(arena, 5);
    double counts[10] = {0}, all = 0;
    const int draws = 40000;
    for (int i = 0; i < draws; i++) {
        struct pgbench_value value;
        assert_null(
            rh_pgbench_evaluate(&client, TEXT_LITERAL("random_zipfian(11, 20, 1.5)"), &value));
        assert_in_range(value.integer, 11, 20);
        counts[value.integer - 11]++;
    }
    for (int n = 1; n <= 10; n++)
        all += pow(n, -1.5);
    for (int n = 1; n <= 10; n++) {
        double expected = draws * pow(n, -1.5) / all;
        print_message("%d: %g of %g\n", n, counts[n - 1], expected);
        /* Four standard deviations. */
        assert_true(fabs(counts[n - 1] - expected) < 4 * sqrt(expected));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pgbench_expression_is_what_pgbench_makes_of_it),
        cmocka_unit_test(test_pgbench_expression_says_what_is_wrong),
        cmocka_unit_test(test_pgbench_expression_draws_zipfian),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
