#include "snapshot/server_words.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct err said(const char *sqlstate, int position)
{
    struct err err = RH_ERR_INIT;
    rh_err_set(&err, RH_ERR_SERVER, "no \"bob@example.com\"");
    rh_err_detail(&err, "Key (email)=(bob@example.com)");
    rh_err_hint(&err, "Not bob@example.com.");
    snprintf(err.sqlstate, sizeof(err.sqlstate), "%s", sqlstate);
    err.position = position;
    rh_err_while(&err, "while reading");
    rh_server_words_hide_values(&err);
    return err;
}

static void test_server_words_of_values_are_hidden(void **state)
{
    (void)state;
    static const char *const hidden[] = {"22P02", "23505", "P0001", "0A000", "45000", "38000",
                                         "XX000", "54000", "RH001", "42P01", "42704"};
    for (size_t i = 0; i < sizeof(hidden) / sizeof(*hidden); i++) {
        struct err err = said(hidden[i], 0);
        char all[4096], wanted[64];
        rh_err_format(&err, all, sizeof(all));
        snprintf(wanted, sizeof(wanted), SERVER_VALUE_FAILS " (SQLSTATE %s)", hidden[i]);
        assert_string_equal(err.message, wanted);
        assert_null(strstr(all, "bob"));
        assert_non_null(strstr(all, "while reading"));
        assert_string_equal(err.sqlstate, hidden[i]);
    }
}

static void test_server_words_of_the_server_stay(void **state)
{
    (void)state;
    static const char *const shown[] = {"08006", "25006", "28000", "40001", "42501",
                                        "53100", "55P03", "57014", "58030"};
    for (size_t i = 0; i < sizeof(shown) / sizeof(*shown); i++) {
        struct err err = said(shown[i], 0);
        assert_string_equal(err.message, "no \"bob@example.com\"");
        assert_string_equal(err.detail, "");
        assert_string_equal(err.hint, "");
    }
    assert_string_equal(said("42703", 8).message, "no \"bob@example.com\"");
}

static void test_server_words_of_nobody_stay(void **state)
{
    (void)state;
    assert_string_equal(said("", 0).hint, "Not bob@example.com.");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_server_words_of_values_are_hidden),
        cmocka_unit_test(test_server_words_of_the_server_stay),
        cmocka_unit_test(test_server_words_of_nobody_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
