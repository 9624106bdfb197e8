#include "rehearsal/demo.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void test_demo_files_are_embedded_whole(void **state)
{
    (void)state;
    assert_int_equal(rh_demo_migration_count, 4);
    for (size_t n = 0; n < rh_demo_migration_count; n++) {
        const struct demo_file *file = &rh_demo_migrations[n];
        assert_int_equal(file->name[0], '1' + (int)n);
        assert_non_null(strstr(file->content, ";\n"));
    }
    assert_int_equal(rh_demo_shop_section_count, 8);
    for (size_t n = 0; n < rh_demo_shop_section_count; n++)
        assert_int_equal(strncmp(rh_demo_shop_sections[n], "CREATE TABLE ", 13), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_demo_files_are_embedded_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
