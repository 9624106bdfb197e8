#include "cmd_unit.h"

#include "cmd/help.h"

#include <string.h>

static void test_help_fits_and_names_every_option(void **state)
{
    RH_CLEANUP_BUF struct buf out;
    (void)state;

    rh_buf_init(&out, 65536);
    rh_help_full(&unit_command, &out);
    for (size_t i = 0; i < COUNT(unit_rows); i++) {
        char name[64] = "--";

        assert_non_null(strstr(out.data, strcat(name, unit_rows[i].name)));
    }
    assert_non_null(strstr(out.data, "[default 2s; $REHEARSE_MAX_BLOCKED]"));
    assert_non_null(strstr(out.data, "[one of red, green; default red; $REHEARSE_COLOR]"));
    for (const char *line = out.data; *line; line = strchrnul(line, '\n') + 1)
        assert_true((size_t)(strchrnul(line, '\n') - line) <= HELP_COLUMNS);
}

static void test_short_help_shows_the_common_options(void **state)
{
    RH_CLEANUP_BUF struct buf out;
    (void)state;

    rh_buf_init(&out, 65536);
    rh_help_short(&unit_command, &out);
    assert_non_null(strstr(out.data, "-o, --out DIR"));
    assert_null(strstr(out.data, "--jobs"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_help_fits_and_names_every_option),
        cmocka_unit_test(test_short_help_shows_the_common_options),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
