#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/file.h"
#include "sandbox/recipe.h"

#include <stdlib.h>

static void test_recipe_says_what_it_is_made_of_in_order(void **state)
{
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct sandbox_recipe recipe = {0};
    (void)state;

    assert_null(recipe.source);
    rh_recipe_add_snapshot(&recipe, "/tmp/shop.incomplete", "shop", arena);
    rh_recipe_add_script(&recipe, "more.sql", arena);
    rh_recipe_add_text(&recipe, rh_text("how"), NULL, arena);
    rh_recipe_add_text(&recipe, rh_text("SELECT 1"), "2_old.sql", arena);
    assert_string_equal(recipe.source, "snapshot shop, schema more.sql, 2_old.sql");
    assert_string_equal(recipe.snapshot, "shop");
    assert_int_equal(recipe.parts.count, 4);
    assert_int_equal(recipe.parts.items[0].kind, RECIPE_SNAPSHOT);
    assert_string_equal(recipe.parts.items[0].path, "/tmp/shop.incomplete");
    assert_int_equal(recipe.parts.items[3].kind, RECIPE_TEXT);
}

static void test_recipe_asks_for_the_snapshot_s_server(void **state)
{
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    char path[] = "/tmp/rehearse-recipe-XXXXXX";
    const char dump[] =
        "--\n-- PostgreSQL database dump\n--\n\n-- Dumped from database version 14.9\n"
        "-- Dumped by pg_dump version 15.2\n\nSELECT 1;\n";
    struct sandbox_options options = {0}, newer = {.preferred_major = 17};
    struct sandbox_recipe recipe = {0};
    struct err err = RH_ERR_INIT;
    (void)state;

    assert_int_equal(rh_recipe_options(&recipe, &options).preferred_major, 0);
    assert_non_null(mkdtemp(path));
    const char *file = rh_file_join(arena, path, "shop.sql");
    assert_int_equal(rh_file_write(file, rh_text(dump), 0600, &err), RH_OK);
    rh_recipe_add_snapshot(&recipe, file, NULL, arena);
    assert_string_equal(recipe.snapshot, file);
    assert_int_equal(rh_recipe_options(&recipe, &options).preferred_major, 14);
    assert_int_equal(rh_recipe_options(&recipe, &newer).preferred_major, 17);
    assert_int_equal(rh_file_remove_tree(path, &err), RH_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_recipe_says_what_it_is_made_of_in_order),
        cmocka_unit_test(test_recipe_asks_for_the_snapshot_s_server),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
