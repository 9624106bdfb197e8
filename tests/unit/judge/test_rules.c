/*
 * The registry and `rehearse explain`. docs/rules.md is the registry, written down: this test
 * compares the two, and writes the file when called as `test_judge_rules --write FILE`.
 */
#include "judge_unit.h"

#include <stdlib.h>

#define TEXT_MAX_BYTES ((size_t)1 << 20)

static const char *rules_md; /* path of docs/rules.md */

static void test_rules_ids_are_kebab_case_and_unique(void **state)
{
    (void)state;
    for (size_t i = 0; i < rh_rule_count; i++) {
        const char *id = rh_rules[i].id;
        assert_true(strspn(id, "abcdefghijklmnopqrstuvwxyz-") == strlen(id));
        for (size_t j = i + 1; j < rh_rule_count; j++)
            assert_string_not_equal(id, rh_rules[j].id);
    }
}

static void test_rules_aliases_lead_to_one_rule(void **state)
{
    (void)state;
    for (size_t i = 0; i < rh_rule_count; i++)
        for (const char *const *alias = rh_rules[i].aliases; *alias; alias++)
            if (rh_rule_find(*alias) != &rh_rules[i])
                fail_msg("alias %s of %s leads to %s", *alias, rh_rules[i].id,
                         rh_rule_find(*alias)->id);
    assert_ptr_equal(rh_rule_find("E6"), rh_rule_find("index-blocks-writes"));
    assert_ptr_equal(rh_rule_find("require-concurrent-index-creation"),
                     rh_rule_find("index-blocks-writes"));
    assert_null(rh_rule_find("E99"));
    assert_null(rh_rule_find(""));
}

static void test_rules_of_hazards_are_all_there(void **state)
{
    (void)state;
    static const char *const ids[] = {"blocks-reads",
                                      "blocks-writes",
                                      "lock-queue",
                                      "lock-held-across-statements",
                                      "no-lock-timeout",
                                      "table-rewrite",
                                      "index-rebuild",
                                      "scan-under-lock",
                                      "index-blocks-writes",
                                      "concurrently-in-transaction",
                                      "duration-gate",
                                      "disk-gate",
                                      "wal-gate",
                                      "lag-gate",
                                      "deadlock",
                                      "lock-timeout",
                                      "statement-timeout",
                                      "statement-error",
                                      "destructive",
                                      "unnamed-side-effect",
                                      "invalid-left-behind",
                                      "open-transaction",
                                      "no-connection"};
    for (size_t i = 0; i < COUNT(ids); i++)
        if (!rh_rule_find(ids[i]))
            fail_msg("no rule %s", ids[i]);
}

static void test_rules_texts_are_complete_plain_and_fit(void **state)
{
    (void)state;
    for (size_t i = 0; i < rh_rule_count; i++) {
        const struct rule *rule = &rh_rules[i];
        const char *const parts[] = {rule->what, rule->why, rule->example, rule->recipe};
        assert_true(strlen(rule->summary) <= 80);
        for (size_t j = 0; j < COUNT(parts); j++) {
            assert_true(strlen(parts[j]) > 30);
            for (const char *c = parts[j]; *c; c++)
                assert_true(*c == '\n' || (*c >= ' ' && *c < 0x7f));
        }
    }
}

static void test_rules_explain_keeps_to_its_columns(void **state)
{
    (void)state;
    static const size_t widths[] = {40, 80, 100};
    for (size_t i = 0; i < rh_rule_count; i++) {
        for (size_t j = 0; j < COUNT(widths); j++) {
            RH_CLEANUP_BUF struct buf out;
            rh_buf_init(&out, TEXT_MAX_BYTES);
            rh_rule_explain(&rh_rules[i], widths[j], &out);
            assert_false(out.failed);
            for (const char *line = out.data; *line;) {
                size_t len = strcspn(line, "\n");
                /* code is copied from there: it is never broken */
                bool is_code = strncmp(line, "        ", 8) == 0;
                bool is_head = line < strchr(strchr(out.data, '\n') + 1, '\n');
                if (len > widths[j] && !is_code && !is_head)
                    fail_msg("%s at %zu: %.*s", rh_rules[i].id, widths[j], (int)len, line);
                line += len + (line[len] == '\n');
            }
            assert_contains(out.data, rh_rules[i].id);
            assert_contains(out.data, "\nWhat to write instead\n");
            assert_contains(out.data, "\nHow to accept it\n");
        }
    }
}

static void render(struct buf *out)
{
    rh_buf_add_str(out,
                   "# The rules\n"
                   "\n"
                   "Each rests on evidence from the server; `rehearse explain RULE` prints these "
                   "texts. This page is\n"
                   "written from the registry (`tests/unit/judge/test_rules.c`), and a test keeps "
                   "the two equal.\n"
                   "\n"
                   "| rule | severity | fires when |\n"
                   "|---|---|---|\n");
    for (size_t i = 0; i < rh_rule_count; i++)
        rh_buf_printf(out, "| [%s](#%s) | %s | %s |\n", rh_rules[i].id, rh_rules[i].id,
                      rh_rules[i].severity_text, rh_rules[i].summary);
    for (size_t i = 0; i < rh_rule_count; i++) {
        RH_CLEANUP_BUF struct buf text;
        rh_buf_init(&text, TEXT_MAX_BYTES);
        rh_rule_explain(&rh_rules[i], 96, &text);
        /* the name and the summary are said already */
        const char *body = strchr(strchr(text.data, '\n') + 1, '\n') + 1;
        const char *same_for_all = strstr(body, "\nHow to accept it\n");
        assert_non_null(same_for_all);
        rh_buf_printf(out, "\n## %s\n\n```text%.*s```\n", rh_rules[i].id,
                      (int)(same_for_all - body), body);
        if (i + 1 == rh_rule_count)
            rh_buf_printf(out, "\n## All of them\n\n```text%s```\n", same_for_all);
    }
}

static void test_rules_page_is_the_registry(void **state)
{
    (void)state;
    RH_CLEANUP_BUF struct buf expected, found;
    rh_buf_init(&expected, TEXT_MAX_BYTES);
    rh_buf_init(&found, TEXT_MAX_BYTES);
    render(&expected);
    FILE *file = fopen(rules_md, "r");
    if (!file)
        fail_msg("cannot read %s", rules_md);
    char block[4096];
    for (size_t n; (n = fread(block, 1, sizeof(block), file)) > 0;)
        rh_buf_add(&found, block, n);
    fclose(file);
    if (!rh_text_equals(rh_buf_text(&expected), rh_buf_text(&found)))
        fail_msg("docs/rules.md is not what the registry says: run test_judge_rules --write %s",
                 rules_md);
}

static int write_page(const char *path)
{
    RH_CLEANUP_BUF struct buf text;
    rh_buf_init(&text, TEXT_MAX_BYTES);
    render(&text);
    FILE *file = fopen(path, "w");
    bool is_written = file && fwrite(text.data, 1, text.len, file) == text.len;
    if (!file || fclose(file) != 0 || !is_written) {
        perror(path);
        return 1;
    }
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "--write") == 0)
        return write_page(argv[2]);
    if (argc != 2) {
        fprintf(stderr, "usage: %s docs/rules.md | --write docs/rules.md\n", argv[0]);
        return 2;
    }
    rules_md = argv[1];
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rules_ids_are_kebab_case_and_unique),
        cmocka_unit_test(test_rules_aliases_lead_to_one_rule),
        cmocka_unit_test(test_rules_of_hazards_are_all_there),
        cmocka_unit_test(test_rules_texts_are_complete_plain_and_fit),
        cmocka_unit_test(test_rules_explain_keeps_to_its_columns),
        cmocka_unit_test(test_rules_page_is_the_registry),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
