#include "../base/unit.h"

#include "workload/pgbench_script.h"

/* What one transaction of a script comes to: statements with "|" between, sleeps as "~us". */
static const char *run_script(struct arena *arena, const char *text, uint64_t seed, struct err *err)
{
    struct pgbench_script *script;
    struct pgbench_client client;
    struct pgbench_steps steps;
    const char *all = "";
    rh_pgbench_client_init(&client, arena, seed, 3, 7);
    if (rh_pgbench_script_parse("x.sql", rh_text(text), arena, &script, err) != RH_OK ||
        rh_pgbench_script_run(script, &client, arena, &steps, err) != RH_OK)
        return NULL;
    for (size_t i = 0; i < steps.items.count; i++) {
        const struct pgbench_step *step = &steps.items.items[i];
        all = step->query.data ? rh_arena_printf(arena, "%s%s%.*s", all, i ? "|" : "",
                                                 (int)step->query.len, step->query.data)
                               : rh_arena_printf(arena, "%s%s~%lld", all, i ? "|" : "",
                                                 (long long)step->sleep_us);
        for (size_t j = 0; j < step->parameter_count; j++)
            all = rh_arena_printf(arena, "%s(%.*s)", all, (int)step->parameters[j].len,
                                  step->parameters[j].data);
        all = rh_arena_printf(arena, "%s%s%s", all, step->is_pipelined ? "~" : "",
                              step->ends_batch ? "^" : "");
    }
    if (client.unknown_statements > 0 || client.undecided_branches > 0)
        all = rh_arena_printf(arena, "%s [%lld %lld]", all, (long long)client.unknown_statements,
                              (long long)client.undecided_branches);
    return all;
}

static void test_pgbench_script_runs_its_commands(void **state)
{
    (void)state;
    static const struct {
        const char *script, *steps;
    } cases[] = {
        {"\\set a 1 + 2 * 3\nSELECT :a, ':a', b::int, :unknown;\nSELECT 2;\n",
         "SELECT 7, '7', b::int, :unknown;|SELECT 2;"},
        {"\\set a (:scale - 10) % 4\n\\set b 7 / 2\n\\set c 7 / 2.0\nSELECT :a, :b, :c",
         "SELECT -3, 3, 3.5"},
        {"\\set a -5\n\\set b abs(:a) + least(4, 2, 3) + greatest(1, 9) \\\n + int(2.9)\n"
         "SELECT :b;\n\\sleep 5 ms\n\\sleep :b us\nSELECT :client_id",
         "SELECT 18;|~5000|~18|SELECT 3"},
        {"\\set a 2\n\\if :a > 1\nSELECT 1;\n\\elif true\nSELECT 2;\n\\else\nSELECT 3;\n\\endif\n"
         "\\if :a = 1\n\\if true\nSELECT 4;\n\\endif\n\\elif :a = 2\nSELECT 5;\n\\else\nSELECT 6;\n"
         "\\endif\nSELECT 7;",
         "SELECT 1;|SELECT 5;|SELECT 7;"},
        /* Values that only the server knows, and what they decide. */
        {"\\set id 7\nSELECT a, b AS c FROM t WHERE id = :id \\gset x_\nSELECT :id;\n"
         "UPDATE t SET a = :x_a;\nUPDATE t SET a = ':x_c';\nSELECT ':x_d';\n\\set n :x_a + 1\n"
         "\\if :n > 5\nDELETE FROM t;\n\\set id 8\n\\else\nSELECT 8;\n\\endif\nSELECT :id;\nSELECT "
         "9;",
         "SELECT a, b AS c FROM t WHERE id = 7|SELECT 7;|SELECT ':x_d';|SELECT 9; [5 1]"},
        {"SELECT *\nFROM t\n\\gset\nSELECT :any;\nSELECT 'a\\b', $1;\n",
         "SELECT *\nFROM t|SELECT 'a\\b', $1; [1 0]"},
        {"\\set a 1\n\\startpipeline\nSELECT :a, :a + 1;\n\\sleep 1 s\nSELECT 2;\n\\syncpipeline\n"
         "SELECT 3;\n\\endpipeline\nSELECT :a;",
         "SELECT $1, $2 + 1;(1)(1)~|SELECT 2;~^|SELECT 3;~^|SELECT 1;"},
        {"BEGIN;\nUPDATE t\nSET a = ';'\nWHERE b = 1; COMMIT;",
         "BEGIN;|UPDATE t\nSET a = ';'\nWHERE b = 1;|COMMIT;"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
        struct err err = RH_ERR_INIT;
        const char *steps = run_script(arena, cases[i].script, 1, &err);
        if (steps == NULL)
            fail_msg("%s: %s", cases[i].script, err.message);
        assert_string_equal(steps, cases[i].steps);
    }
}

static void test_pgbench_script_draws_by_its_seed(void **state)
{
    (void)state;
    static const char *const functions[] = {"random(10, 19)", "random_gaussian(10, 19, 2.5)",
                                            "random_exponential(10, 19, 5.0)"};
    for (size_t i = 0; i < 3; i++) {
        unsigned counts[30] = {0};
        for (uint64_t seed = 1; seed <= 4000; seed++) {
            RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
            struct err err = RH_ERR_INIT;
            const char *script = rh_arena_printf(arena, "\\set a %s\nSELECT :a", functions[i]);
            const char *steps = run_script(arena, script, seed, &err);
            assert_non_null(steps);
            assert_string_equal(steps, run_script(arena, script, seed, &err));
            int64_t drawn;
            assert_true(rh_text_parse_int64(rh_text(steps + 7), &drawn));
            assert_in_range(drawn, 10, 19);
            counts[drawn]++;
        }
        print_message("%s: 10 %u times, 14 %u, 19 %u\n", functions[i], counts[10], counts[14],
                      counts[19]);
        /* Flat; highest in the middle; falling. Four standard deviations of 400 are 76. */
        if (i == 0)
            assert_true(counts[10] > 320 && counts[10] < 480 && counts[19] > 320 &&
                        counts[19] < 480);
        else if (i == 1)
            assert_true(counts[14] > 3 * counts[10] && counts[14] > 3 * counts[19]);
        else
            assert_true(counts[10] > 3 * counts[14] && counts[14] > counts[19]);
    }
}

static void test_pgbench_script_says_what_it_cannot(void **state)
{
    (void)state;
    static const struct {
        const char *script, *message;
    } cases[] = {
        {"", "holds no command"},
        {"\\gset\n", "x.sql:1: \"\\gset\" is not understood"},
        {"SELECT 1 AS a \\gset\n\\gset\n", "x.sql:2: \"\\gset\" is not understood"},
        {"\\if 1\n", "x.sql:1: an \\if has no \\endif"},
        {"SELECT 1;\n\\endif\n", "x.sql:2: there is no \\if for it"},
        {"\\if 1\n\\else\n\\elif 1\n\\endif", "x.sql:3: it stands behind \\else"},
        {"\\setshell a echo 1\n", "\"\\setshell\" runs a program"},
        {"\\shell echo 1\n", "\"\\shell\" runs a program"},
        {"SELECT 1 \\; SELECT 2;\n", "is not imported"},
        {"\\startpipeline\nSELECT 1;\n", "ends within a pipeline"},
        {"\\endpipeline\n", "there is no pipeline"},
        {"\\startpipeline\n\\startpipeline\n", "was begun already"},
        {"\\startpipeline\nSELECT 1 AS a \\gset\n\\endpipeline\n", "cannot be in a pipeline"},
        {"\\set a\n", "not understood"},
        {"\\sleep 5 hours\n", "not understood"},
        {"\\set a 1 / 0\n", "divides by zero"},
        {"\\set a 5 % (1 - 1)\n", "divides by zero"},
        {"\\set a :b\n", "a variable is not set"},
        {"\\set a random(1)\n", "a function is not known"},
        {"\\set a random(5, 1)\n", "cannot be"},
        {"\\set a random(-9223372036854775807, 9223372036854775807)\n", "cannot be"},
        {"\\set a random_gaussian(1, 5, 0.5)\n", "cannot be"},
        {"\\set a 1 1\n", "goes on"},
        {"\\set a (1\n", "not closed"},
        {"\\set a 9223372036854775807 + 1\n", "out of range"},
        {"\\set a int(1.0 * 9223372036854775807 * 9)\n", "out of range"},
        {"\\set a ((((((((((((((((((((((((((((((((((((((((((((((((((((1))))\n", "too deep"},
        {"\\set a ------------------------------------------------------1\n", "too deep"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
        struct err err = RH_ERR_INIT;
        if (run_script(arena, cases[i].script, 1, &err) != NULL ||
            strstr(err.message, cases[i].message) == NULL)
            fail_msg("%s: %s", cases[i].script, err.message);
        assert_int_equal(err.code, RH_ERR_USAGE);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pgbench_script_runs_its_commands),
        cmocka_unit_test(test_pgbench_script_draws_by_its_seed),
        cmocka_unit_test(test_pgbench_script_says_what_it_cannot),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
