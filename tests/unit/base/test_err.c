#include "unit.h"

#include "base/err.h"

#include <errno.h>
#include <fcntl.h>

static void test_err_set_fills_code_and_message(void **state)
{
    (void)state;
    struct err err = RH_ERR_INIT;
    rh_err_hint(&err, "old hint");
    assert_int_equal(rh_err_set(&err, RH_ERR_USAGE, "cannot find \"%s\"", "x.sql"), RH_ERR_USAGE);
    assert_int_equal(err.code, RH_ERR_USAGE);
    assert_string_equal(err.message, "cannot find \"x.sql\"");
    assert_string_equal(err.hint, "");
}

static void test_err_set_keeps_one_line_when_arguments_hold_several(void **state)
{
    (void)state;
    struct err err = RH_ERR_INIT;
    rh_err_set(&err, RH_ERR_FORMAT, "a%sb", "\r\n");
    assert_string_equal(err.message, "a  b");
}

static void test_err_set_may_quote_the_error_it_replaces(void **state)
{
    (void)state;
    struct err err = RH_ERR_INIT;
    rh_err_set(&err, RH_ERR_IO, "inner");
    rh_err_set(&err, RH_ERR_CONFIG, "outer (%s)", err.message);
    assert_string_equal(err.message, "outer (inner)");
}

static void test_err_set_errno_appends_reason(void **state)
{
    (void)state;
    struct err err = RH_ERR_INIT;
    assert_int_equal(rh_err_set_errno(&err, ENOENT, "cannot read \"%s\"", "a"), RH_ERR_IO);
    assert_int_equal(err.errno_value, ENOENT);
    assert_string_equal(err.message, "cannot read \"a\": No such file or directory");
}

static void test_err_message_is_cut_when_too_long(void **state)
{
    (void)state;
    char longer[2000];
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    struct err err = RH_ERR_INIT;
    rh_err_set_errno(&err, EIO, "%s", longer);
    assert_int_equal(strlen(err.message), sizeof err.message - 1);
}

static void test_err_while_drops_the_fifth_context(void **state)
{
    (void)state;
    struct err err = RH_ERR_INIT;
    rh_err_set(&err, RH_ERR_IO, "m");
    for (int i = 0; i < 6; i++)
        rh_err_while(&err, "while %d", i);
    assert_int_equal(err.context_count, RH_ERR_CONTEXTS);
    assert_string_equal(err.context[0], "while 0");
    assert_string_equal(err.context[3], "while 3");
}

static void test_err_format_shows_every_part(void **state)
{
    (void)state;
    struct err err = RH_ERR_INIT;
    rh_err_set(&err, RH_ERR_SERVER, "cannot create the index");
    memcpy(err.sqlstate, "23505", 6);
    rh_err_detail(&err, "first\nsecond");
    rh_err_hint(&err, "Remove the duplicates.");
    rh_err_while(&err, "while preparing");
    char out[400];
    size_t wanted = rh_err_format(&err, out, sizeof out);
    assert_string_equal(out, "error: cannot create the index\n"
                             "  SQLSTATE 23505\n"
                             "  first\n"
                             "  second\n"
                             "  while preparing\n"
                             "hint: Remove the duplicates.\n");
    assert_int_equal(wanted, strlen(out));
}

static void test_err_format_counts_on_when_the_buffer_is_small(void **state)
{
    (void)state;
    struct err err = RH_ERR_INIT;
    rh_err_set(&err, RH_ERR_USAGE, "abc");
    char out[10] = "zzzzzzzzz";
    assert_int_equal(rh_err_format(&err, out, 6), strlen("error: abc\n"));
    assert_string_equal(out, "error");
    assert_int_equal(out[6], 'z');
    assert_int_equal(rh_err_format(&err, NULL, 0), strlen("error: abc\n"));
}

static void test_err_codes_have_names_and_statuses(void **state)
{
    (void)state;
    assert_string_equal(rh_err_code_name(RH_ERR_USAGE), "usage");
    assert_int_equal(rh_err_exit_status(RH_OK), 0);
    assert_int_equal(rh_err_exit_status(RH_ERR_USAGE), 2);
    assert_int_equal(rh_err_exit_status(RH_ERR_SERVER), 1);
    assert_int_equal(rh_err_exit_status(RH_ERR_TIMEOUT), 124);
    assert_int_equal(rh_err_exit_status(RH_ERR_INTERRUPTED), 130);
}

static void panic_into(void *context)
{
    dup2(*(int *)context, STDERR_FILENO);
    RH_ASSERT(1 + 1 == 3);
}

static void test_err_panic_reports_place_and_aborts(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    int status = in_child(panic_into, &ends[1]);
    close(ends[1]);
    char out[8192];
    size_t len = 0;
    ssize_t got;
    while ((got = read(ends[0], out + len, sizeof out - 1 - len)) > 0)
        len += (size_t)got;
    out[len] = '\0';
    close(ends[0]);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
    assert_non_null(strstr(out, "test_err.c"));
    assert_non_null(strstr(out, "broken invariant: 1 + 1 == 3"));
    assert_non_null(strstr(out, "test_err(")); /* a stack frame */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_err_set_fills_code_and_message),
        cmocka_unit_test(test_err_set_keeps_one_line_when_arguments_hold_several),
        cmocka_unit_test(test_err_set_may_quote_the_error_it_replaces),
        cmocka_unit_test(test_err_set_errno_appends_reason),
        cmocka_unit_test(test_err_message_is_cut_when_too_long),
        cmocka_unit_test(test_err_while_drops_the_fifth_context),
        cmocka_unit_test(test_err_format_shows_every_part),
        cmocka_unit_test(test_err_format_counts_on_when_the_buffer_is_small),
        cmocka_unit_test(test_err_codes_have_names_and_statuses),
        cmocka_unit_test(test_err_panic_reports_place_and_aborts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
