#include "cmd_unit.h"

#include "base/file.h"
#include "cmd/config.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static enum err_code apply(struct fixture *fixture, const char *yaml, struct config *ret_config)
{
    fixture->err = (struct err)RH_ERR_INIT;
    return rh_config_apply("conf/rehearse.yaml", rh_text(yaml), &fixture->options, fixture->arena,
                           ret_config, &fixture->err);
}

static void test_config_sets_options_by_their_long_names(void **state)
{
    struct fixture *fixture = *state;
    const struct options *options = &fixture->options;
    struct config config;
    size_t count;

    assert_int_equal(apply(fixture,
                           "# the project's limits\n"
                           "out: results\n"
                           "schema: [a.sql, /b.sql]\n"
                           "set:\n  work_mem: 64MB\n  a.b: \"1\"\n"
                           "quiet: true\n"
                           "color: green\n"
                           "gates:\n  blocked: 500ms\n  wal: 2GB\n  replica_apply_rate: 20MB/s\n",
                           &config),
                     RH_OK);
    assert_string_equal(rh_option_text(options, "out"), "conf/results");
    assert_string_equal(rh_option_list(options, "schema", &count)[0], "conf/a.sql");
    assert_string_equal(rh_option_list(options, "schema", &count)[1], "/b.sql");
    assert_string_equal(rh_option_list(options, "set", &count)[0], "work_mem=64MB");
    assert_string_equal(rh_option_list(options, "set", &count)[1], "a.b=1");
    assert_int_equal(count, 2);
    assert_true(rh_option_flag(options, "quiet"));
    assert_int_equal(rh_option_number(options, "color", -1), 1);
    assert_int_equal(rh_option_number(options, "max-blocked", -1), 500000);
    assert_string_equal(rh_option_value(options, "max-blocked")->where, "conf/rehearse.yaml:10");
    assert_int_equal(rh_option_value(options, "max-blocked")->origin, ORIGIN_FILE);
    assert_int_equal(rh_option_number(options, "max-wal", -1), (int64_t)2 << 30);
}

static void test_config_empty_file_sets_nothing(void **state)
{
    struct fixture *fixture = *state;
    struct config config;

    assert_int_equal(apply(fixture, "", &config), RH_OK);
    assert_int_equal(apply(fixture, "# nothing\n", &config), RH_OK);
    assert_null(rh_option_text(&fixture->options, "out"));
}

static void test_config_gives_way_to_stronger_layers_but_is_checked(void **state)
{
    struct fixture *fixture = *state;
    const char *arguments[] = {"--out", "flag", "--schema", "flag.sql"};
    struct config config;
    size_t count;

    assert_int_equal(
        rh_options_parse(&fixture->options, 4, (char *const *)arguments, &fixture->err), RH_OK);
    assert_int_equal(apply(fixture, "out: file\nschema: [a, b]\nmax-blocked: 1s\n", &config),
                     RH_OK);
    assert_string_equal(rh_option_text(&fixture->options, "out"), "flag");
    assert_string_equal(rh_option_list(&fixture->options, "schema", &count)[0], "flag.sql");
    assert_int_equal(count, 1);
    assert_int_equal(rh_option_number(&fixture->options, "max-blocked", -1), 1000000);
    assert_int_equal(apply(fixture, "out: [a]\n", &config), RH_ERR_CONFIG);
}

static void test_config_reports_every_mistake_with_its_place(void **state)
{
    struct fixture *fixture = *state;
    struct config config;
    RH_CLEANUP_BUF struct buf out;

    rh_buf_init(&out, 65536);
    assert_int_equal(apply(fixture,
                           "max-bloked: 2s\n"
                           "out: a\n"
                           "out: b\n"
                           "quiet: 1\n"
                           "config: x\n"
                           "gates:\n"
                           "  blocked: 2\n"
                           "  duratoin: 2m\n"
                           "\twal: 1GB\n",
                           &config),
                     RH_ERR_CONFIG);
    rh_config_format_problems(&config, &out);
    assert_non_null(strstr(out.data, "error: conf/rehearse.yaml:1:1: unknown key \"max-bloked\"; "
                                     "did you mean \"max-blocked\"?\n"
                                     "    1 | max-bloked: 2s\n"
                                     "      | ^\n"));
    assert_non_null(strstr(out.data, "rehearse.yaml:3:1: duplicate key \"out\": \"out\" was set in "
                                     "line 2 already\n"));
    assert_non_null(strstr(out.data, "rehearse.yaml:4:8: quiet: must be true or false\n"
                                     "    4 | quiet: 1\n"
                                     "      |        ^\n"));
    assert_non_null(strstr(out.data, "rehearse.yaml:5:1: \"config\" cannot be set in a file\n"));
    assert_non_null(strstr(out.data, "rehearse.yaml:7:12: max-blocked: \"2\" has no unit: write "
                                     "2s, 2ms or 2m\n"
                                     "    7 |   blocked: 2\n"
                                     "      |            ^\n"));
    assert_non_null(strstr(out.data, "rehearse.yaml:8:3: unknown key \"duratoin\" in gates; "
                                     "did you mean \"duration\"?\n"));
    assert_non_null(strstr(out.data, "rehearse.yaml:9:"));
    for (size_t i = 1; i < config.problems.count; i++)
        assert_true(config.problems.items[i - 1].line <= config.problems.items[i].line);
}

static void test_config_refuses_what_is_no_option_file(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        const char *yaml, *message;
    } cases[] = {
        {"- a\n", "the file must hold \"option: value\" lines"},
        {"just text\n", "the file must hold \"option: value\" lines"},
        {"out:\n", "\"out\" has no value"},
        {"out: ~\n", "\"out\" has no value"},
        {"out: [a]\n", "out: must be a single value"},
        {"set: {a: [1]}\n", "set: \"a\" needs a single value"},
        {"set: {a: 1, a: 2}\n", "duplicate key \"a\" in set"},
        {"set: x\n", "set: \"x\" is not NAME=VALUE"},
        {"schema: {a: b}\n", "schema: must be a value or a list of values"},
        {"schema: [[a]]\n", "schema: each item must be a single value"},
        {"gates: 2s\n", "\"gates\" must hold limits, as in \"blocked: 2s\""},
        {"gates:\n", "\"gates\" must hold limits, as in \"blocked: 2s\""},
        {"gates: {blocked: 1s}\ngates: {wal: 1MB}\n",
         "duplicate key \"gates\": it began in line 1"},
        {"max-blocked: 1s\ngates: {blocked: 2s}\n",
         "duplicate key \"blocked\": \"max-blocked\" was set in line 1 already"},
        {"out: &x a\n", "anchors (&name) are not supported here"},
        {"out: *x\n", "aliases (*name) are not supported here"},
        {"out: !!str a\n", "tags (!name) are not supported here"},
        {"out: a\n---\nout: b\n", "a second document in one file"},
        {"out: {a: {b: {c: {d: {e: {f: {g: {h: 1}}}}}}}}\n", "too deeply nested"},
        {"[a]: b\n", "a key must be a plain name"},
        {"out: \"open\n", "double-quoted scalar without closing quote"},
        {"out: caf\xE9\n", "invalid UTF-8 at byte offset 8"},
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct config config;
        bool found = false;

        rh_options_init(&fixture->options, &unit_command, fixture->arena);
        assert_int_equal(apply(fixture, cases[i].yaml, &config), RH_ERR_CONFIG);
        for (size_t p = 0; p < config.problems.count; p++)
            found |= strcmp(config.problems.items[p].message, cases[i].message) == 0;
        if (!found)
            fail_msg("%s: got \"%s\", expected \"%s\"", cases[i].yaml,
                     config.problems.items[0].message, cases[i].message);
    }
}

static void test_config_caret_counts_characters_and_cuts_long_lines(void **state)
{
    struct fixture *fixture = *state;
    struct config config;
    char yaml[512] = "";
    RH_CLEANUP_BUF struct buf out;

    rh_buf_init(&out, 65536);
    assert_int_equal(apply(fixture, "{\xC3\xA9\xC3\xA9: 1, ouu: 2}\n", &config), RH_ERR_CONFIG);
    rh_config_format_problems(&config, &out);
    assert_non_null(strstr(out.data,
                           "rehearse.yaml:1:9: unknown key \"ouu\"; did you mean \"out\"?\n"
                           "    1 | {\xC3\xA9\xC3\xA9: 1, ouu: 2}\n"
                           "      |         ^\n"));

    for (size_t i = 0; i < 30; i++)
        strcat(yaml, i == 0 ? "{a" : ", a");
    strcat(yaml, ": 1, ouu: 2}\n");
    rh_buf_clear(&out);
    assert_int_equal(apply(fixture, yaml, &config), RH_ERR_CONFIG);
    rh_config_format_problems(&config, &out);
    assert_non_null(strstr(out.data, "| ..."));
}

static void test_config_is_found_upwards_to_the_repository_root(void **state)
{
    struct fixture *fixture = *state;
    char directory[] = "/tmp/rehearse-unit-XXXXXX";
    char start[4096];
    const char *found;

    assert_non_null(getcwd(start, sizeof(start)));
    assert_non_null(mkdtemp(directory));
    assert_int_equal(chdir(directory), 0);
    assert_int_equal(mkdir("repo", 0755) | mkdir("repo/.git", 0755) | mkdir("repo/a", 0755) |
                         mkdir("repo/a/b", 0755),
                     0);
    assert_int_equal(rh_file_write("rehearse.yaml", rh_text("out: x\n"), 0644, &fixture->err),
                     RH_OK);
    assert_int_equal(rh_config_find(fixture->arena, &found, &fixture->err), RH_OK);
    assert_string_equal(found, "rehearse.yaml");

    /* What lies above the repository does not count. */
    assert_int_equal(chdir("repo/a/b"), 0);
    assert_int_equal(rh_config_find(fixture->arena, &found, &fixture->err), RH_OK);
    assert_null(found);
    assert_int_equal(rh_file_write("../../rehearse.yaml", rh_text("out: y\n"), 0644, &fixture->err),
                     RH_OK);
    assert_int_equal(rh_config_find(fixture->arena, &found, &fixture->err), RH_OK);
    assert_non_null(strstr(found, "/repo/rehearse.yaml"));
    assert_int_equal(rh_file_write("../rehearse.yaml", rh_text("out: y\n"), 0644, &fixture->err),
                     RH_OK);
    assert_int_equal(rh_config_find(fixture->arena, &found, &fixture->err), RH_OK);
    assert_non_null(strstr(found, "/repo/a/rehearse.yaml"));

    assert_int_equal(chdir(start), 0);
    assert_int_equal(rh_file_remove_tree(directory, &fixture->err), RH_OK);
}

static void test_config_missing_file_is_a_usage_error(void **state)
{
    struct fixture *fixture = *state;
    struct config config;

    assert_int_equal(rh_config_load("/nonexistent/rehearse.yaml", &fixture->options, fixture->arena,
                                    &config, &fixture->err),
                     RH_ERR_USAGE);
}

static void test_config_takes_any_text(void **state)
{
    static const char *const fragments[] = {"out",     ": ",          "\n",
                                            "  ",      "- ",          "[",
                                            "]",       "{",           "}",
                                            ", ",      "\"",          "'",
                                            "#",       "&a",          "*a",
                                            "!t",      "|\n  x\n",    ">\n",
                                            "---\n",   "...\n",       "gates",
                                            "2s",      "~",           "\xC3\xA9",
                                            "\xFF",    "\t",          "? ",
                                            "set",     "%YAML 1.2\n", "\\",
                                            "blocked", "a: b\n",      "schema:\n  - x\n",
                                            "<<",      "\r\n"};
    struct fixture *fixture = *state;
    uint64_t random = 9;

    for (int round = 0; round < 5000; round++) {
        struct config config;
        char yaml[512] = "";
        RH_CLEANUP_BUF struct buf out;

        rh_buf_init(&out, 1024 * 1024);
        for (random = random * 6364136223846793005u + 1; strlen(yaml) < (random >> 58) * 4;) {
            random = random * 6364136223846793005u + 1442695040888963407u;
            strcat(yaml, fragments[(random >> 33) % COUNT(fragments)]);
        }
        rh_arena_clear(fixture->arena);
        rh_options_init(&fixture->options, &unit_command, fixture->arena);
        if (apply(fixture, yaml, &config)) {
            assert_true(config.problems.count > 0);
            rh_config_format_problems(&config, &out);
            assert_true(out.len > 0);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FIXTURE(test_config_sets_options_by_their_long_names),
        WITH_FIXTURE(test_config_empty_file_sets_nothing),
        WITH_FIXTURE(test_config_gives_way_to_stronger_layers_but_is_checked),
        WITH_FIXTURE(test_config_reports_every_mistake_with_its_place),
        WITH_FIXTURE(test_config_refuses_what_is_no_option_file),
        WITH_FIXTURE(test_config_caret_counts_characters_and_cuts_long_lines),
        WITH_FIXTURE(test_config_is_found_upwards_to_the_repository_root),
        WITH_FIXTURE(test_config_missing_file_is_a_usage_error),
        WITH_FIXTURE(test_config_takes_any_text),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
