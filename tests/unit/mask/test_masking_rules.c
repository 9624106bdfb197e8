/* masking.yaml, read strictly. */
#include "base/file.h"
#include "catalog_fixture.h"

static void test_masking_rules_read_everything(void **state)
{
    static const char yaml[] = "# a comment\n"
                               "version: 1\n"
                               "defaults:\n"
                               "  unclassified: mask\n"
                               "tables:\n"
                               "  public.users:\n"
                               "    columns:\n"
                               "      id: keep\n"
                               "      email: {rule: email, domain: person}\n"
                               "      code: {rule: hash, parameter: 16, personal: false}\n"
                               "      profile:\n"
                               "        rule: json\n"
                               "        paths:\n"
                               "          $.email: email\n"
                               "          \"$.items[*].note\": {rule: free-text, domain: notes}\n"
                               "      state: {rule: text, keep_values: [new, 'n/a', \"\"]}\n"
                               "      gone: 'null'\n"
                               "domains:\n"
                               "  person:\n"
                               "    rule: email\n"
                               "    columns: [public.users.email, '\"Odd\".t.c']\n"
                               "keep: [public.countries.*]\n"
                               "references:\n"
                               "  - from: public.comments(kind, id)\n"
                               "    to: public.posts(kind, id)\n"
                               "    when: \"kind = 'post'\"\n";
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct masking_rules *rules;
    struct err err = RH_ERR_INIT;
    (void)state;

    assert_int_equal(rh_masking_rules_parse("m.yaml", rh_text(yaml), arena, &rules, &err), RH_OK);
    assert_int_equal(rules->columns.count, 6);
    assert_int_equal(rules->columns.items[0].rule, MASK_KEEP);
    assert_string_equal(rules->columns.items[1].domain, "person");
    assert_string_equal(rules->columns.items[2].parameter, "16");
    assert_int_equal(rules->columns.items[2].personal, PERSONAL_NO);
    assert_int_equal(rules->columns.items[3].paths.count, 2);
    assert_int_equal(rules->columns.items[3].paths.items[1].rule, MASK_FREE_TEXT);
    assert_string_equal(rules->columns.items[3].paths.items[1].domain, "notes");
    assert_int_equal(rules->columns.items[4].kept_values.count, 3);
    assert_int_equal(rules->columns.items[5].rule, MASK_NULL);
    assert_int_equal(rules->columns.items[5].place.line, 17);
    assert_int_equal(rules->domains.items[0].columns.count, 2);
    assert_string_equal(rules->keep.items[0].text, "public.countries.*");
    assert_string_equal(rules->references.items[0].when, "kind = 'post'");
    assert_false(rules->keeps_unclassified);
}

static void test_masking_rules_say_where_and_what(void **state)
{
    static const struct {
        const char *yaml, *message;
    } cases[] = {
        {"version: 2\n", "m.yaml:1:10: version \"2\" is not known here, only 1"},
        {"tables: {}\n", "m.yaml:1:1: no \"version: 1\""},
        {"version: 1\ntabels: {}\n",
         "m.yaml:2:1: unknown key \"tabels\"; did you mean \"tables\"?"},
        {"version: 1\nzzzzzzzz: {}\n", "m.yaml:2:1: unknown key \"zzzzzzzz\""},
        {"version: 1\ntables:\n  public.t:\n    columns:\n      a: emial\n",
         "m.yaml:5:10: unknown rule \"emial\"; did you mean \"email\"?"},
        {"version: 1\ntables:\n  public.t:\n    columns:\n      a: text\n      a: keep\n",
         "m.yaml:6:7: duplicate key \"a\": it was set in line 5 already"},
        {"version: 1\ntables:\n  public.t:\n    columns:\n      a: {rul: text}\n",
         "m.yaml:5:11: unknown key \"rul\"; did you mean \"rule\"?"},
        {"version: 1\ntables:\n  public.t:\n    column:\n      a: text\n",
         "m.yaml:4:5: unknown key \"column\"; did you mean \"columns\"?"},
        {"version: 1\ntables:\n  public.t:\n    columns:\n      a: [text]\n",
         "m.yaml:5:10: a column's rule must be \"name: value\" lines"},
        {"version: 1\ntables: {t: {columns: {a: {rule: json, paths: {email: email}}}}}\n",
         "m.yaml:2:48: \"email\" is no path; write it as in \"$.user.email\""},
        {"version: 1\ntables: {t: {columns: {a: {rule: text, paths: {$.a: email}}}}}\n",
         "m.yaml:2:27: \"paths\" need \"rule: json\""},
        {"version: 1\ntables: {t: {columns: {a: {rule: text, personal: maybe}}}}\n",
         "m.yaml:2:50: \"personal\" must be true or false"},
        {"version: 1\ntables: {t: {columns: {a: {rule: text, keep_values: x}}}}\n",
         "m.yaml:2:53: \"keep_values\" must be a list"},
        {"version: 1\ndefaults: {unclassified: leave}\n",
         "m.yaml:2:26: \"unclassified\" must be mask or keep"},
        {"version: 1\nreferences: [{from: public.a(b)}]\n",
         "m.yaml:2:14: a reference needs \"from\" and \"to\", as in \"public.comments(post_id)\""},
        {"version: 1\nkeep: public.a.b\n", "m.yaml:2:7: \"keep\" must be a list"},
        {"- a\n- b\n", "m.yaml:1:1: the file must be \"name: value\" lines"},
        {"version: 1\nx: \xFF\n", "m.yaml:2:4: invalid UTF-8"},
        {"version: 1\ntables: &anchor {}\n", "m.yaml:2:17: anchors (&name) are not supported here"},
    };
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    (void)state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct masking_rules *rules = NULL;
        struct err err = RH_ERR_INIT;
        assert_int_equal(
            rh_masking_rules_parse("m.yaml", rh_text(cases[i].yaml), arena, &rules, &err),
            RH_ERR_USAGE);
        assert_string_equal(err.message, cases[i].message);
        assert_null(rules);
    }
}

static void test_masking_rules_tell_several_mistakes_at_once(void **state)
{
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct masking_rules *rules;
    struct buf yaml RH_CLEANUP_BUF;
    struct err err = RH_ERR_INIT;
    (void)state;

    rh_buf_init(&yaml, 65536);
    rh_buf_add_str(&yaml, "version: 1\ntables:\n  public.t:\n    columns:\n");
    for (int i = 0; i < 20; i++)
        rh_buf_printf(&yaml, "      c%d: nope\n", i);
    assert_int_equal(rh_masking_rules_parse("m.yaml", rh_buf_text(&yaml), arena, &rules, &err),
                     RH_ERR_USAGE);
    assert_non_null(strstr(err.message, "m.yaml:5:11"));
    assert_non_null(strstr(err.detail, "m.yaml:6:11"));
    assert_non_null(strstr(err.detail, "and 12 more"));
    assert_non_null(strstr(err.hint, "Known here: keep, text, email,"));
}

/* Every prefix of a good file is read or refused, never more. */
static void test_masking_rules_take_a_file_that_was_cut_anywhere(void **state)
{
    static const char yaml[] = "version: 1\ntables:\n  public.t:\n    columns:\n      a: {rule: "
                               "json, paths: {\"$.a\": {rule: email, domain: d}}, personal: true}\n"
                               "domains: {d: {rule: text, columns: [public.t.a]}}\n"
                               "references: [{from: a.b(c), to: d.e(f), when: \"x\"}]\n";
    (void)state;

    for (size_t len = 0; len < sizeof(yaml); len++) {
        RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
        struct masking_rules *rules = NULL;
        struct err err = RH_ERR_INIT;
        enum err_code code = rh_masking_rules_parse("m.yaml", (struct text){yaml, len}, arena,
                                                    &rules, &err);
        assert_true(code == RH_OK ? rules != NULL : code == RH_ERR_USAGE && err.message[0] != '\0');
    }
}

static const char *page_path;

/* What docs/masking.md shows is what is read. */
static void test_masking_rules_read_the_example_of_the_page(void **state)
{
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct masking_rules *rules;
    struct err err = RH_ERR_INIT;
    struct text page;
    (void)state;

    assert_int_equal(rh_file_read(page_path, 1 << 20, arena, &page, &err), RH_OK);
    const char *start = strstr(rh_text_dup(arena, page), "```yaml\n");
    assert_non_null(start);
    start += strlen("```yaml\n");
    const char *end = strstr(start, "```");
    assert_non_null(end);
    if (rh_masking_rules_parse("docs/masking.md", (struct text){start, (size_t)(end - start)},
                               arena, &rules, &err))
        fail_msg("%s", err.message);
    assert_int_equal(rules->columns.count, 6);
    assert_int_equal(rules->references.count, 1);
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: %s docs/masking.md\n", argv[0]);
        return 2;
    }
    page_path = argv[1];

    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_masking_rules_read_everything),
        cmocka_unit_test(test_masking_rules_say_where_and_what),
        cmocka_unit_test(test_masking_rules_tell_several_mistakes_at_once),
        cmocka_unit_test(test_masking_rules_read_the_example_of_the_page),
        cmocka_unit_test(test_masking_rules_take_a_file_that_was_cut_anywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
