#include "sandbox_unit.h"

#include <pwd.h>

static int64_t postmaster_pid(struct unit *unit, const struct sandbox *sandbox)
{
    struct text text;
    struct err err = RH_ERR_INIT;

    assert_ok(rh_file_read(
                  rh_file_join(unit->arena, rh_sandbox_data_directory(sandbox), "postmaster.pid"),
                  4096, unit->arena, &text, &err),
              &err);
    return strtoll(text.data, NULL, 10);
}

static void test_sandbox_destroy_leaves_nothing(void **state)
{
    struct unit *unit = *state;
    struct mono start = rh_clock_mono();
    struct sandbox *sandbox = unit_ready(unit);
    print_message("ready from nothing: %lld ms\n", (long long)unit_milliseconds(start));
    int64_t pid = postmaster_pid(unit, sandbox);

    assert_string_equal(unit_sql(unit, rh_sandbox_migration_role(sandbox), "SELECT 42"), "42");
    assert_int_equal(kill((pid_t)pid, 0), 0);
    rh_sandbox_destroy(sandbox);
    assert_int_equal(unit_sandbox_count(unit), 0);
    assert_int_equal(kill((pid_t)pid, 0), -1);
}

static void test_sandbox_starts_fast_from_template(void **state)
{
    struct unit *unit = *state;

    rh_sandbox_destroy(unit_ready(unit));
    for (int i = 0; i < 3; i++) {
        struct mono start = rh_clock_mono();
        struct sandbox *sandbox = unit_start(unit);
        int64_t started = unit_milliseconds(start);
        struct err err = RH_ERR_INIT;
        assert_ok(rh_sandbox_ready(sandbox, &err), &err);
        int64_t ready = unit_milliseconds(start);
        rh_sandbox_destroy(sandbox);
        print_message("from the template: prepared %lld ms, ready %lld ms, gone %lld ms\n",
                      (long long)started, (long long)ready, (long long)unit_milliseconds(start));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_sandbox_destroy_leaves_nothing, unit_setup,
                                        unit_teardown),
        cmocka_unit_test_setup_teardown(test_sandbox_starts_fast_from_template, unit_setup,
                                        unit_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
