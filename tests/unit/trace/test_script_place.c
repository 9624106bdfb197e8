/* Where the statements of a script stand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "trace/script_place.h"

static void assert_found(struct script_place *place, const char *sql, int line, int column)
{
    int found_line, found_column;
    rh_script_place_find(place, rh_text(sql), &found_line, &found_column);
    assert_int_equal(found_line, line);
    assert_int_equal(found_column, column);
}

static void test_script_place_finds_statements_in_order(void **state)
{
    (void)state;
    struct script_place place;
    rh_script_place_init(&place, rh_text("\\set x 1\nSELECT 1; SELECT 2;\n\n  SELECT 1;\n"), 0);
    assert_found(&place, "SELECT 1", 2, 1);
    assert_found(&place, "SELECT 2", 2, 11);
    assert_found(&place, "  SELECT 1\n", 4, 3);
    assert_found(&place, "SELECT 3", 0, 0);
    assert_found(&place, "", 0, 0);
}

static void test_script_place_begins_at_a_section(void **state)
{
    (void)state;
    struct script_place place;
    struct text script = rh_text("-- up\nSELECT 1;\n-- down\nSELECT 1;\n");
    rh_script_place_init(&place, script, 16);
    assert_found(&place, "SELECT 1", 4, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_script_place_finds_statements_in_order),
        cmocka_unit_test(test_script_place_begins_at_a_section),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
