/*
 * The whole report against golden texts: tests/unit/report/golden/<result>-<columns>.txt, -ascii,
 * -verbose. `test_report_terminal --write DIRECTORY` writes them; read the difference before
 * committing it.
 */
#include "report_unit.h"

static const char *golden_directory;
static bool is_writing;

static void compare(const char *name, const char *text)
{
    char path[4096];
    snprintf(path, sizeof(path), "%s/%s.txt", golden_directory, name);
    if (is_writing) {
        FILE *file = fopen(path, "w");
        assert_non_null(file);
        fputs(text, file);
        assert_int_equal(fclose(file), 0);
        return;
    }
    FILE *file = fopen(path, "r");
    if (!file)
        fail_msg("cannot read %s", path);
    static char golden[1 << 20];
    size_t len = fread(golden, 1, sizeof(golden) - 1, file);
    golden[len] = '\0';
    fclose(file);
    if (strcmp(golden, text) != 0)
        fail_msg("%s differs; now it is:\n%s", path, text);
}

static void test_terminal_golden(void **state)
{
    (void)state;
    static const struct {
        const char *suffix;
        size_t columns;
        bool utf8;
        enum report_detail detail;
    } forms[] = {{"40", 40, true, REPORT_NORMAL},
                 {"80", 80, true, REPORT_NORMAL},
                 {"100", 100, true, REPORT_NORMAL},
                 {"ascii", 80, false, REPORT_NORMAL},
                 {"verbose", 80, true, REPORT_VERBOSE}};
    for (size_t i = 0; i < sample_result_count; i++) {
        RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
        struct result *result = result_new(arena);
        sample_results[i].fill(result);
        for (size_t f = 0; f < COUNT(forms); f++) {
            const char *text = report_text(arena, result, forms[f].columns, forms[f].utf8, false,
                                           forms[f].detail);
            char name[64];
            snprintf(name, sizeof(name), "%s-%s", sample_results[i].name, forms[f].suffix);
            compare(name, text);
            assert_true(widest_line(text) <= forms[f].columns);
            for (const char *c = text; *c && !forms[f].utf8; c++)
                assert_true(*c == '\n' || (*c >= ' ' && *c < 0x7f));
        }
    }
}

static void test_terminal_quiet_is_the_verdict_alone(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct result *result = result_new(arena);
    sample_results[2].fill(result);
    assert_string_equal(report_text(arena, result, 80, true, false, REPORT_QUIET),
                        "✗ UNSAFE  0042_orders.sql would fail in production at statement 2: could "
                        "not create unique index \"users_email_key\" (23505)\n");
}

/* Colour adds escapes and takes nothing away. */
static void test_terminal_colour_is_only_colour(void **state)
{
    (void)state;
    for (size_t i = 0; i < sample_result_count; i++) {
        RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
        struct result *result = result_new(arena);
        sample_results[i].fill(result);
        const char *plain = report_text(arena, result, 80, true, false, REPORT_NORMAL);
        const char *colored = report_text(arena, result, 80, true, true, REPORT_NORMAL);
        assert_contains(colored, "\033[");
        assert_lacks(plain, "\033");
        char *stripped = rh_arena_strdup(arena, colored);
        char *to = stripped;
        for (const char *from = stripped; *from;) {
            if (*from == '\033')
                from += strcspn(from, "m") + 1;
            else
                *to++ = *from++;
        }
        *to = '\0';
        assert_string_equal(stripped, plain);
    }
}

static void test_terminal_foreign_text_cannot_steer_the_terminal(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct result *result = result_new(arena);
    static const char evil[] = "SELECT '\033]0;owned\a\033[2J\r\b\x9b' \xe2\x80\xae\xc2\x9b x \xff";
    result_statement(result, 1, evil, 1);
    struct finding *finding = result_finding(result, SEVERITY_ERROR, evil);
    finding->title = finding->why = finding->advice = finding->advice_sql = finding->step = evil;
    result->headline = result->run_directory = result->fidelity.source = evil;
    result->trace->steps.items[0].name = evil;
    *RH_PUSH(arena, &result->fidelity.notes) = evil;
    for (int utf8 = 0; utf8 < 2; utf8++) {
        const char *text = report_text(arena, result, 80, utf8, false, REPORT_NORMAL);
        assert_int_equal(rh_text_utf8_valid_prefix(rh_text(text)), strlen(text));
        for (const char *c = text; *c; c++)
            assert_true(*c == '\n' || (unsigned char)*c >= ' ');
        assert_lacks(text, "\x7f");
        assert_lacks(text, "\xc2\x9b");
        assert_lacks(text, "\xe2\x80\xae");
        assert_true(widest_line(text) <= 80);
    }
}

static void test_terminal_says_how_the_copy_was(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct result *result = result_new(arena);
    result->fidelity.snapshot_age_s = 5 * 86400;
    result->fidelity.sample_fraction = 0.1;
    result->fidelity.masked_columns = 1;
    result->fidelity.rows = 2340000000;
    result->headline = "x";
    const char *text = report_text(arena, result, 100, false, false, REPORT_NORMAL);
    assert_contains(text,
                    "5 days old, 12 tables, 2.3 bn rows, 10 % sample, 1\n          column masked");
    assert_lacks(text, "isolated");
    result->fidelity.relations = NOT_OBSERVED;
    result->fidelity.snapshot_age_s = 600;
    text = report_text(arena, result, 100, false, false, REPORT_NORMAL);
    assert_contains(text, "schema db/schema.sql, 10 min old, 10 % sample");
}

static void test_terminal_many_notes_are_counted(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct result *result = result_new(arena);
    for (int i = 0; i < 20; i++)
        *RH_PUSH(arena, &result->fidelity.notes) = rh_arena_printf(arena, "Role %d was missing.",
                                                                   i);
    assert_contains(report_text(arena, result, 80, true, false, REPORT_NORMAL),
                    "and 15 more in result.json");
    assert_contains(report_text(arena, result, 80, true, false, REPORT_VERBOSE),
                    "Role 19 was missing.");
}

int main(int argc, char **argv)
{
    is_writing = argc == 3 && strcmp(argv[1], "--write") == 0;
    if (argc != 2 && !is_writing) {
        fprintf(stderr, "usage: %s [--write] GOLDEN_DIRECTORY\n", argv[0]);
        return 2;
    }
    golden_directory = argv[argc - 1];
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_terminal_golden),
        cmocka_unit_test(test_terminal_quiet_is_the_verdict_alone),
        cmocka_unit_test(test_terminal_colour_is_only_colour),
        cmocka_unit_test(test_terminal_foreign_text_cannot_steer_the_terminal),
        cmocka_unit_test(test_terminal_says_how_the_copy_was),
        cmocka_unit_test(test_terminal_many_notes_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
