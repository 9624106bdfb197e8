/* At most twelve lines each, whatever is in them. */
#include "report_unit.h"

#include "report/report_int.h"

static const char *findings_text(struct arena *arena, const struct result *result, size_t columns,
                                 bool utf8, enum report_detail detail)
{
    const struct terminal terminal = {.has_utf8 = utf8, .columns = columns};
    RH_CLEANUP_BUF struct buf out;
    rh_buf_init(&out, 1 << 20);
    struct layout layout = rh_layout(arena, &terminal, &out);
    rh_report_findings(&layout, result, detail);
    return rh_text_dup(arena, rh_buf_text(&out));
}

/* Lines of the longest block between empty lines. */
static size_t longest_block(const char *text)
{
    size_t longest = 0, lines = 0;
    while (*text) {
        size_t len = strcspn(text, "\n");
        lines = len > 0 ? lines + 1 : 0;
        longest = lines > longest ? lines : longest;
        text += len + (text[len] == '\n');
    }
    return longest;
}

/* xorshift64*: the same texts on every machine. */
static uint64_t next_random(uint64_t *seed)
{
    *seed ^= *seed >> 12;
    *seed ^= *seed << 25;
    *seed ^= *seed >> 27;
    return *seed * UINT64_C(0x2545F4914F6CDD1D);
}

static const char *random_text(struct arena *arena, uint64_t *seed, size_t words_max, bool lines)
{
    static const char *const words[] = {"a",
                                        "orders",
                                        "INSERT",
                                        "public.customers_email_key",
                                        "naïve",
                                        "漢字",
                                        "--",
                                        "'it''s'",
                                        "\xff",
                                        "\033[1m",
                                        "supercalifragilisticexpialidocious_"
                                        "supercalifragilisticexpialidocious",
                                        "the",
                                        "wait"};
    size_t count = next_random(seed) % (words_max + 1);
    const char *text = "";
    for (size_t i = 0; i < count; i++) {
        const char *joint = lines && next_random(seed) % 6 == 0 ? "\n" : " ";
        text = rh_arena_printf(arena, "%s%s%s", text, i ? joint : "",
                               words[next_random(seed) % COUNT(words)]);
    }
    return text;
}

static void test_findings_keep_to_twelve_lines(void **state)
{
    (void)state;
    uint64_t seed = 20261120;
    for (int round = 0; round < 1500; round++) {
        RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
        struct result *result = result_new(arena);
        size_t count = 1 + next_random(&seed) % 6;
        for (size_t i = 0; i < count; i++) {
            struct finding *finding = result_finding(
                result, (enum severity)(next_random(&seed) % 3),
                next_random(&seed) % 2 ? "table-rewrite" : "lock-held-across-statements");
            finding->title = random_text(arena, &seed, 30, false);
            finding->why = next_random(&seed) % 4 ? random_text(arena, &seed, 60, false) : NULL;
            finding->advice = next_random(&seed) % 4 ? random_text(arena, &seed, 60, false) : NULL;
            finding->advice_sql = next_random(&seed) % 2 ? random_text(arena, &seed, 80, true)
                                                         : NULL;
            finding->line = (int)(next_random(&seed) % 300);
            finding->statement = (int)(next_random(&seed) % 3);
        }
        for (size_t columns = 40; columns <= 100; columns += 20) {
            for (int detail = REPORT_NORMAL; detail <= REPORT_VERBOSE; detail++) {
                const char *text = findings_text(arena, result, columns, round % 2,
                                                 (enum report_detail)detail);
                if (longest_block(text) > FINDING_LINES_MAX || widest_line(text) > columns)
                    fail_msg("round %d at %zu: %zu lines, %zu columns:\n%s", round, columns,
                             longest_block(text), widest_line(text), text);
            }
        }
    }
}

static void test_findings_of_one_rule_share_their_lines(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct result *result = result_new(arena);
    for (int i = 0; i < 30; i++) {
        struct finding *finding = result_finding(result, SEVERITY_WARNING, "destructive");
        finding->title = rh_arena_printf(arena, "table %d went", i);
        finding->line = i + 1;
        finding->why = finding->advice = "because";
    }
    const char *text = findings_text(arena, result, 80, true, REPORT_NORMAL);
    assert_contains(text, "  also  0042_orders.sql:2: table 1 went\n");
    assert_contains(text, "more in result.json");
    assert_true(longest_block(text) <= FINDING_LINES_MAX);
    /* told and counted: none is lost */
    size_t told = 0;
    for (const char *at = text; (at = strstr(at, " went")); at++)
        told++;
    const char *more = strstr(text, " more in result");
    assert_int_equal(more[-1] - '0' + (more[-2] - '0') * 10 + (int)told, 30);
    assert_lacks(findings_text(arena, result, 80, true, REPORT_VERBOSE), "also");
}

static void test_findings_of_two_severities_stay_apart(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct result *result = result_new(arena);
    result_finding(result, SEVERITY_ERROR, "table-rewrite");
    result_finding(result, SEVERITY_WARNING, "table-rewrite");
    const char *text = findings_text(arena, result, 80, true, REPORT_NORMAL);
    assert_contains(text, "✗ error  table-rewrite");
    assert_contains(text, "! warning  table-rewrite");
}

static void test_findings_broken_sql_stays_sql(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct result *result = result_new(arena);
    struct finding *finding = result_finding(result, SEVERITY_ERROR, "r");
    finding
        ->advice_sql = "-- a comment that is longer than the line of this terminal is wide\n"
                       "SELECT '-- no comment' FROM a_table WHERE x IS NULL AND y IS NULL; -- but "
                       "this one here is";
    const char *text = findings_text(arena, result, 48, true, REPORT_NORMAL);
    for (const char *line = text; *line;) {
        size_t len = strcspn(line, "\n");
        const char *body = line + strspn(line, " ");
        if (strstr(body, "line of") == body || strstr(body, "one here") == body)
            fail_msg("out of its comment:\n%s", text);
        line += len + (line[len] == '\n');
    }
    assert_contains(text, "-- line of this terminal is wide");
    assert_lacks(text, "-- AND");
}

static void test_findings_of_the_run_have_no_place(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct result *result = result_new(arena);
    struct finding *finding = result_finding(result, SEVERITY_INFO, "not-observed");
    finding->step = NULL;
    assert_string_equal(findings_text(arena, result, 80, true, REPORT_NORMAL),
                        "i info  not-observed\n  not-observed\n\n");
    finding->statement = 3;
    assert_contains(findings_text(arena, result, 80, true, REPORT_NORMAL),
                    "not-observed  statement 3\n");
    finding->step = "a_very_long_name_of_a_migration_file_that_fits_nowhere.sql";
    finding->line = 17;
    const char *text = findings_text(arena, result, 40, true, REPORT_NORMAL);
    assert_contains(text, "…:17\n");
}

static void test_findings_sql_is_cut_between_statements(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct result *result = result_new(arena);
    struct finding *finding = result_finding(result, SEVERITY_ERROR, "r");
    finding->title = finding->why = "two lines of text that is long enough to need two of them, "
                                    "and so it is";
    finding->advice = "more of it that takes three lines: more of it that takes three lines: more "
                      "of it that takes three lines: more of it that takes three lines: more.";
    finding->advice_sql = "ALTER TABLE t ADD COLUMN x_new int;  -- and the trigger\n"
                          "UPDATE a_table_with_a_long_name SET x_new = x WHERE x_new IS NULL AND "
                          "<key range>;\n"
                          "SELECT 3;\nSELECT 4;\nSELECT 5;\nSELECT 6;";
    const char *text = findings_text(arena, result, 80, true, REPORT_NORMAL);
    assert_contains(text, "-- and the trigger\n");
    const char *rest = strstr(text, "        -- the rest: advice_sql in result.json\n");
    assert_non_null(rest);
    assert_true(rest[-2] == ';' || strncmp(rest - 9, "trigger", 7) == 0);
    finding->advice_sql = "SELECT one,\n  two,\n  three,\n  four,\n  five,\n  six,\n  seven;";
    text = findings_text(arena, result, 80, true, REPORT_NORMAL);
    assert_contains(text, "        -- the SQL: advice_sql in result.json\n");
    assert_lacks(text, "SELECT one");
}

static void test_findings_of_a_command_quote_the_statement(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct result *result = result_new(arena);
    result_statement(result, 0, "-- why\nALTER TABLE orders\n  ADD x int", 1 * MS)->index = 1;
    struct finding *finding = result_finding(result, SEVERITY_ERROR, "statement-error");
    finding->line = 0;
    finding->statement = 1;
    assert_contains(findings_text(arena, result, 80, true, REPORT_NORMAL),
                    "statement-error  statement 1: ALTER TABLE orders ADD x int\n");
    finding->line = 7;
    assert_lacks(findings_text(arena, result, 80, true, REPORT_NORMAL), "ALTER TABLE orders");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_findings_keep_to_twelve_lines),
        cmocka_unit_test(test_findings_of_one_rule_share_their_lines),
        cmocka_unit_test(test_findings_of_two_severities_stay_apart),
        cmocka_unit_test(test_findings_broken_sql_stays_sql),
        cmocka_unit_test(test_findings_of_the_run_have_no_place),
        cmocka_unit_test(test_findings_sql_is_cut_between_statements),
        cmocka_unit_test(test_findings_of_a_command_quote_the_statement),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
