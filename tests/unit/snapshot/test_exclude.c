#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "snapshot/create_int.h"

#include <string.h>

enum { USERS, ORDERS, EVENTS, EVENTS_1, EVENTS_1_A, VIEW, TABLES };

struct fixture {
    struct arena *arena;
    struct catalog catalog;
    bool is_omitted[TABLES];
};

static void add_table(struct fixture *fixture, const char *schema, const char *name, char kind,
                      size_t parent)
{
    struct catalog_table *table = RH_PUSH(fixture->arena, &fixture->catalog.tables);

    table->schema = schema;
    table->name = name;
    table->identity = rh_arena_printf(fixture->arena, "%s.%s", schema, name);
    table->kind = kind;
    table->parent = parent;
    table->partition_key = kind == 'p' ? "RANGE (at)" : NULL;
}

static int set_up(void **state)
{
    struct arena *arena = rh_arena_new();
    struct fixture *fixture = RH_NEW(arena, struct fixture);

    fixture->arena = arena;
    add_table(fixture, "public", "users", 'r', CATALOG_NONE);
    add_table(fixture, "public", "orders", 'r', CATALOG_NONE);
    add_table(fixture, "audit", "events", 'p', CATALOG_NONE);
    add_table(fixture, "audit", "events_1", 'p', EVENTS);
    add_table(fixture, "audit", "events_1_a", 'r', EVENTS_1);
    add_table(fixture, "public", "orders_view", 'v', CATALOG_NONE);
    *RH_PUSH(arena, &fixture->catalog.foreign_keys) = (struct catalog_foreign_key){
        .name = "orders_user_fkey", .child = ORDERS, .parent = USERS};
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    rh_arena_free(((struct fixture *)*state)->arena);
    return 0;
}

static enum err_code exclude(struct fixture *fixture, const char *pattern, struct err *err)
{
    memset(fixture->is_omitted, 0, sizeof(fixture->is_omitted));
    return rh_exclude(&pattern, 1, &fixture->catalog, fixture->arena, fixture->is_omitted, err);
}

static void test_exclude_by_name_pattern_and_schema(void **state)
{
    struct fixture *fixture = *state;
    struct err err = RH_ERR_INIT;

    assert_int_equal(exclude(fixture, "orders", &err), RH_OK);
    assert_true(fixture->is_omitted[ORDERS]);
    assert_false(fixture->is_omitted[USERS]);
    assert_int_equal(exclude(fixture, "public.ord*", &err), RH_OK);
    assert_true(fixture->is_omitted[ORDERS]);
    assert_false(fixture->is_omitted[VIEW]);
    assert_int_equal(exclude(fixture, "*.*", &err), RH_OK);
    assert_true(fixture->is_omitted[USERS]);
}

static void test_exclude_takes_partitions_along(void **state)
{
    struct fixture *fixture = *state;
    struct err err = RH_ERR_INIT;

    assert_int_equal(exclude(fixture, "audit.events", &err), RH_OK);
    assert_true(fixture->is_omitted[EVENTS_1]);
    assert_true(fixture->is_omitted[EVENTS_1_A]);
    assert_int_equal(exclude(fixture, "events_1_a", &err), RH_OK);
    assert_false(fixture->is_omitted[EVENTS]);
    assert_true(fixture->is_omitted[EVENTS_1_A]);
}

static void test_exclude_of_a_parent_is_refused_unless_its_children_go_too(void **state)
{
    struct fixture *fixture = *state;
    struct err err = RH_ERR_INIT;
    const char *const both[] = {"users", "orders"};

    assert_int_equal(exclude(fixture, "users", &err), RH_ERR_USAGE);
    assert_non_null(strstr(err.message, "orders_user_fkey"));
    memset(fixture->is_omitted, 0, sizeof(fixture->is_omitted));
    assert_int_equal(
        rh_exclude(both, 2, &fixture->catalog, fixture->arena, fixture->is_omitted, &err), RH_OK);
    fixture->catalog.foreign_keys.items[0].is_declared = true; /* no restore checks it */
    assert_int_equal(exclude(fixture, "users", &err), RH_OK);
}

static void test_exclude_of_what_does_not_exist_is_an_error(void **state)
{
    struct err err = RH_ERR_INIT;

    assert_int_equal(exclude(*state, "customers", &err), RH_ERR_USAGE);
    assert_int_equal(exclude(*state, "orders_view", &err), RH_ERR_USAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_exclude_by_name_pattern_and_schema, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_exclude_takes_partitions_along, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            test_exclude_of_a_parent_is_refused_unless_its_children_go_too, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_exclude_of_what_does_not_exist_is_an_error, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
