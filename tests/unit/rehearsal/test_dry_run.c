/* What a dry run refuses before anything is sent; the rest: tests/e2e/test_rollback.py. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "rehearsal/dry_run.h"

#include <string.h>

static struct migration_step *add_step(struct arena *arena, struct migration *migration,
                                       const char *name, enum step_kind kind)
{
    struct migration_step *step = RH_PUSH(arena, &migration->steps);
    step->name = name;
    step->kind = kind;
    return step;
}

static void add(struct arena *arena, struct migration_step *step, const char *sql, int line)
{
    *RH_PUSH(arena, &step->statements) = (struct migration_statement){
        .sql = rh_text(sql), .line = line, .column = 1};
}

static void test_dry_run_takes_what_can_be_rolled_back(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct migration migration = {0};
    struct err err = RH_ERR_INIT;
    struct migration_step *step = add_step(arena, &migration, "1.sql", STEP_SQL);
    add(arena, step, "ALTER TABLE t ADD c int;", 1);
    add(arena, step, "ALTER TYPE mood ADD VALUE 'glad';", 2);
    assert_int_equal(rh_dry_run_check(&migration, arena, &err), RH_OK);
}

static void test_dry_run_names_every_refusal_with_its_place(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct migration migration = {0};
    struct err err = RH_ERR_INIT;
    struct migration_step *step = add_step(arena, &migration, "1.sql", STEP_SQL);
    add(arena, step, "ALTER TYPE mood ADD VALUE 'glad';", 3);
    /* One string of several statements, as some tools send them. */
    add(arena, step, "SELECT 1;\nVACUUM t;", 10);
    step = add_step(arena, &migration, "2.sql", STEP_SQL);
    add(arena, step, "UPDATE t SET m = 'glad';", 5);
    add_step(arena, &migration, "3.sql", STEP_PSQL);
    add_step(arena, &migration, "flyway migrate", STEP_COMMAND);
    assert_int_equal(rh_dry_run_check(&migration, arena, &err), RH_ERR_USAGE);
    static const char *const parts[] = {"1.sql:11: VACUUM cannot run inside a transaction",
                                        "2.sql:5: UPDATE uses 'glad'", "ADD VALUE (1.sql:3)",
                                        "3.sql: it needs psql", "flyway migrate: a command"};
    for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++)
        if (!strstr(err.detail, parts[i]))
            fail_msg("\"%s\" is not in\n%s", parts[i], err.detail);
    assert_non_null(strstr(err.hint, "sandbox"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dry_run_takes_what_can_be_rolled_back),
        cmocka_unit_test(test_dry_run_names_every_refusal_with_its_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
