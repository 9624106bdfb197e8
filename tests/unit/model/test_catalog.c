#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "model/catalog.h"

static int set_up(void **state)
{
    *state = rh_arena_new();
    return 0;
}

static int tear_down(void **state)
{
    rh_arena_free(*state);
    return 0;
}

static void test_catalog_finds_tables_and_columns(void **state)
{
    struct arena *arena = *state;
    struct catalog catalog = {0};
    struct catalog_table *table = RH_PUSH(arena, &catalog.tables);

    *table = (struct catalog_table){.schema = "public", .name = "Users"};
    *RH_PUSH(arena, &table->columns) = (struct catalog_column){.number = 1, .name = "id"};
    *RH_PUSH(arena, &table->columns) = (struct catalog_column){.number = 3, .name = "email"};

    assert_ptr_equal(rh_catalog_find(&catalog, "public", "Users"), table);
    assert_null(rh_catalog_find(&catalog, "public", "users"));
    assert_null(rh_catalog_find(&catalog, "other", "Users"));
    assert_string_equal(rh_catalog_column(table, 3)->name, "email");
    assert_null(rh_catalog_column(table, 2));
    assert_int_equal(rh_catalog_column_named(table, "email")->number, 3);
    assert_null(rh_catalog_column_named(table, "e"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_catalog_finds_tables_and_columns, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
