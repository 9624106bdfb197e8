#include "cmd_unit.h"

#include <string.h>

static enum err_code parse(struct fixture *fixture, const char *const *arguments)
{
    int count = 0;

    while (arguments[count])
        count++;
    rh_options_init(&fixture->options, &unit_command, fixture->arena);
    fixture->err = (struct err)RH_ERR_INIT;
    return rh_options_parse(&fixture->options, count, (char *const *)arguments, &fixture->err);
}
#define PARSE(fixture, ...) parse(fixture, (const char *const[]){__VA_ARGS__, NULL})

static void test_options_are_taken_in_every_spelling(void **state)
{
    struct fixture *fixture = *state;
    const struct options *options = &fixture->options;
    size_t count;

    assert_int_equal(PARSE(fixture, "a.sql", "--out", "d", "--max-blocked=250ms", "-qv", "b.sql",
                           "--max-wal", "64MB", "--rate=20MB/s", "--color", "green", "--schema",
                           "x", "--schema=y", "--set", "a=b=c", "--jobs", "4", "--", "cmd",
                           "--out"),
                     RH_OK);
    assert_int_equal(options->positionals.count, 2);
    assert_string_equal(options->positionals.items[1], "b.sql");
    assert_string_equal(rh_option_text(options, "out"), "d");
    assert_int_equal(rh_option_number(options, "max-blocked", -1), 250000);
    assert_int_equal(rh_option_number(options, "max-wal", -1), 64 << 20);
    assert_int_equal(rh_option_number(options, "rate", -1), 20 << 20);
    assert_int_equal(rh_option_number(options, "color", -1), 1);
    assert_int_equal(rh_option_number(options, "jobs", -1), 4);
    assert_true(rh_option_flag(options, "quiet"));
    assert_true(rh_option_flag(options, "verbose"));
    assert_string_equal(rh_option_list(options, "schema", &count)[1], "y");
    assert_int_equal(count, 2);
    assert_string_equal(rh_option_list(options, "set", NULL)[0], "a=b=c");
    assert_string_equal(options->argv[0], "cmd");
    assert_string_equal(options->argv[1], "--out");
    assert_null(options->argv[2]);

    assert_int_equal(PARSE(fixture, "-oout", "-q", "-"), RH_OK);
    assert_string_equal(rh_option_text(options, "out"), "out");
    assert_string_equal(options->positionals.items[0], "-");
    assert_int_equal(PARSE(fixture, "--quiet=no"), RH_OK);
    assert_false(rh_option_flag(options, "quiet"));
    assert_int_equal(rh_option_value(options, "quiet")->origin, ORIGIN_FLAG);
}

static void test_options_help_ends_parsing(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(PARSE(fixture, "-h", "--nonsense"), RH_OK);
    assert_true(fixture->options.wants_short_help);
    assert_int_equal(PARSE(fixture, "x", "--help", "--nonsense"), RH_OK);
    assert_true(fixture->options.wants_full_help);
}

static void test_options_mistakes_are_usage_errors(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        const char *arguments[6];
        const char *message;
    } cases[] = {
        {{"--max-bloked", "2s"}, "unknown option --max-bloked; did you mean --max-blocked?"},
        {{"--max-blo=2s"}, "unknown option --max-blo; did you mean --max-blocked?"},
        {{"--xyzzy"}, "unknown option --xyzzy"},
        {{"-x"}, "unknown option -x"},
        {{"-qx"}, "unknown option -x"},
        {{"--out"}, "option --out needs a value: DIR"},
        {{"--out", "--quiet"}, "option --out needs a value: DIR"},
        {{"-o"}, "option -o needs a value: DIR"},
        {{"--out="}, "option --out: the value is empty"},
        {{"--out", "a", "--out=b"}, "option --out was given twice: \"a\" and \"b\""},
        {{"--max-blocked", "2"}, "option --max-blocked: \"2\" has no unit: write 2s, 2ms or 2m"},
        {{"--max-blocked=soon"},
         "option --max-blocked: \"soon\" is no duration: write one as 500ms, 2s, 20m or 1h"},
        {{"--max-blocked=-2s"},
         "option --max-blocked: \"-2s\" is no duration: write one as 500ms, 2s, 20m or 1h"},
        {{"--max-wal=much"},
         "option --max-wal: \"much\" is no size: write one as 512kB, 64MB or 2GB"},
        {{"--rate=20m/s"}, "option --rate: \"20m/s\" is no rate: write one as 20MB/s"},
        {{"--color=blue"}, "option --color: \"blue\" is none of red, green"},
        {{"--quiet=maybe"}, "option --quiet: \"maybe\" is neither yes nor no"},
        {{"--jobs=-1"}, "option --jobs: \"-1\" is no whole number"},
        {{"--jobs=99999999999999999999"},
         "option --jobs: \"99999999999999999999\" is no whole number"},
        {{"--set", "x"}, "option --set: \"x\" is not NAME=VALUE"},
        {{"--set", "=x"}, "option --set: \"=x\" is not NAME=VALUE"},
        {{"--"}, "there is no command behind \"--\""},
        {{"a", "b", "c", "d"}, "\"d\" is one argument too many"},
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_int_equal(parse(fixture, cases[i].arguments), RH_ERR_USAGE);
        assert_string_equal(fixture->err.message, cases[i].message);
    }
}

static void test_options_precedence_is_flag_environment_default(void **state)
{
    struct fixture *fixture = *state;
    const struct options *options = &fixture->options;
    static const char *const environment[] = {
        "REHEARSE_MAX_BLOCKED=5s", "REHEARSE_OUT=env",     "REHEARSE_QUIET=1", "REHEARSE_COLOR=",
        "REHEARSE_SCHEMA=a:b",     "REHEARSE_SET=x=1;y=2", "REHEARSE_OUTER=x", NULL};
    size_t count;

    assert_int_equal(PARSE(fixture, "--out", "flag"), RH_OK);
    assert_int_equal(rh_options_apply_environment(&fixture->options, environment, &fixture->err),
                     RH_OK);
    rh_options_apply_defaults(&fixture->options);
    assert_string_equal(rh_option_text(options, "out"), "flag");
    assert_string_equal(rh_option_value(options, "out")->where, "--out");
    assert_int_equal(rh_option_number(options, "max-blocked", -1), 5000000);
    assert_int_equal(rh_option_value(options, "max-blocked")->origin, ORIGIN_ENVIRONMENT);
    assert_string_equal(rh_option_value(options, "max-blocked")->where, "REHEARSE_MAX_BLOCKED");
    assert_true(rh_option_flag(options, "quiet"));
    assert_string_equal(rh_option_text(options, "color"), "red"); /* empty: not set */
    assert_int_equal(rh_option_value(options, "color")->origin, ORIGIN_DEFAULT);
    assert_string_equal(rh_option_list(options, "schema", &count)[1], "b");
    assert_int_equal(count, 2);
    assert_string_equal(rh_option_list(options, "set", &count)[1], "y=2");
    assert_int_equal(count, 2);
    assert_int_equal(rh_option_number(options, "jobs", 7), 7);

    /* A list on the command line replaces the environment's. */
    assert_int_equal(PARSE(fixture, "--schema", "c"), RH_OK);
    assert_int_equal(rh_options_apply_environment(&fixture->options, environment, &fixture->err),
                     RH_OK);
    rh_option_list(options, "schema", &count);
    assert_int_equal(count, 1);
}

static void test_options_bad_environment_is_a_usage_error(void **state)
{
    struct fixture *fixture = *state;
    static const char *const environment[] = {"REHEARSE_MAX_BLOCKED=5", NULL};

    assert_int_equal(rh_options_apply_environment(&fixture->options, environment, &fixture->err),
                     RH_ERR_USAGE);
    assert_string_equal(fixture->err.message,
                        "environment variable REHEARSE_MAX_BLOCKED: \"5\" has "
                        "no unit: write 5s, 5ms or 5m");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FIXTURE(test_options_are_taken_in_every_spelling),
        WITH_FIXTURE(test_options_help_ends_parsing),
        WITH_FIXTURE(test_options_mistakes_are_usage_errors),
        WITH_FIXTURE(test_options_precedence_is_flag_environment_default),
        WITH_FIXTURE(test_options_bad_environment_is_a_usage_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
