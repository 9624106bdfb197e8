#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "model/likeness.h"

static void test_likeness_knows_which_tables_are_sampled(void **state)
{
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct likeness likeness = {0};
    (void)state;

    assert_null(rh_likeness_sampled(&likeness, "public.users"));
    *RH_PUSH(arena, &likeness.sampled) = (struct sampled_table){.relation = "public.users"};
    assert_ptr_equal(rh_likeness_sampled(&likeness, "public.users"), &likeness.sampled.items[0]);
    assert_null(rh_likeness_sampled(&likeness, "public.user"));
    assert_null(rh_likeness_sampled(&likeness, NULL));
}

static void test_likeness_is_null_without_a_manifest(void **state)
{
    struct likeness likeness = {0};
    (void)state;

    json_t *json = rh_likeness_to_json(&likeness);
    assert_true(json_is_null(json));
    json_decref(json);
    likeness = (struct likeness){.has_manifest = true,
                                 .is_masked = true,
                                 .production_rows = -1,
                                 .production_bytes = 7,
                                 .cover = WITNESS_MISSING};
    json = rh_likeness_to_json(&likeness);
    assert_true(json_is_null(json_object_get(json, "production_rows")));
    assert_int_equal(json_integer_value(json_object_get(json, "production_bytes")), 7);
    assert_string_equal(json_string_value(json_object_get(json, "witnesses")), "missing");
    json_decref(json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_likeness_knows_which_tables_are_sampled),
        cmocka_unit_test(test_likeness_is_null_without_a_manifest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
