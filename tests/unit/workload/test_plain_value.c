#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "workload/plain_value.h"

static void check(const char *const *values, size_t count, bool (*is)(struct text), bool expected)
{
    for (size_t i = 0; i < count; i++)
        if (is(rh_text(values[i])) != expected)
            fail_msg("%s", values[i]);
}
#define CHECK(values, is, expected) check(values, sizeof(values) / sizeof(*(values)), is, expected)

static void test_plain_values_are_numbers_times_and_uuids(void **state)
{
    (void)state;
    static const char *const plain[] = {
        "",
        "-12.5e-3",
        "3 days",
        "1 mon 2 days 03:04:05.6",
        "P1DT2H30M",
        " hours",
        "2024-05-01T10:00:00.123Z",
        "2024-05-01 10:00:00+02",
        "May 1, 2024 10:00 AM CEST",
        "infinity",
        "now",
        "00000000-0000-4000-8000-00abcdefab12",
        "{1,2,NULL}",
        "{00000000-0000-4000-8000-00abcdefab12,FFFFFFFF-0000-4000-8000-00ABCDEFAB12}",
        "[2024-01-01,2024-02-01)",
        "t",
        "true",
    };
    static const char *const others[] = {
        "Ada Lovelace",        "ada@example.com",
        "4 Privet Drive",      "secret",
        "{1,Ada Lovelace}",    "3 daisies",
        "1 day of Ada",        "00000000-0000-4000-8000-00abcdefabxyz",
        "deadbeef-not-a-uuid", "M\xc3\xbcller",
    };
    CHECK(plain, rh_plain_value_is, true);
    CHECK(others, rh_plain_value_is, false);
    assert_false(rh_plain_value_is((struct text){"1\0002", 3}));
}

static void test_plain_names_are_of_what_the_server_or_a_document_calls_so(void **state)
{
    (void)state;
    static const char *const names[] = {
        "epoch", "YYYY-MM-DD HH24:MI:SS", "UTC", "Europe/Berlin", "app.user_id", "\"Users\".id",
        "email", "{address,street,0}",    ", ",  "sha256",        "utf-8",
    };
    static const char *const others[] = {
        "ada@example.com",
        "tel 4917012345",
        "Ada's",
        "M\xc3\xbcller",
        "a very long sentence that nobody would call a name of anything that a database has, as it "
        "goes on and on and "
        "on beyond all that identifiers may be",
    };
    CHECK(names, rh_plain_value_is_name, true);
    CHECK(others, rh_plain_value_is_name, false);
    assert_false(rh_plain_value_is_name((struct text){"a\0b", 3}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain_values_are_numbers_times_and_uuids),
        cmocka_unit_test(test_plain_names_are_of_what_the_server_or_a_document_calls_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
