#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "model/ledger.h"

static void test_ledgers_are_known_by_name(void **state)
{
    static const char *const ledgers[] = {
        "public.goose_db_version",
        "public.goose_db_version_id_seq",
        "public.knex_migrations_lock_index_seq",
        "app.schema_migrations.version",
        "alembic_version",
        "schema_migrations_pkey on public.schema_migrations",
        "\"a.b\".\"SequelizeMeta\".name",
        "\"x on y\" on public.\"__EFMigrationsHistory\"",
        "public.mikro_orm_migrations",
        "public._yoyo_log",
        "drizzle.__drizzle_migrations",
        "sqitch",
        "sqitch.changes",
        "sqitch.changes.note",
        "graphile_migrate.current",
        "public.migrations",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(ledgers) / sizeof(ledgers[0]); i++)
        if (!rh_is_ledger(ledgers[i]))
            fail_msg("%s is one", ledgers[i]);
}

static void test_other_names_are_no_ledgers(void **state)
{
    static const char *const others[] = {
        "public.schema_migrations_of_birds",
        "public.users",
        "public.users.sqitch",
        "public.users.alembic_version",
        "alembic_version on public.users",
        "public.\"alembic_version.x\"",
        "public.\"Migrations\"",
        "public.sqitch",
        "schema_migrations.users",
        "",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        if (rh_is_ledger(others[i]))
            fail_msg("%s is none", others[i]);
    assert_false(rh_is_ledger(NULL));
}

static bool is_table(const char *schema, const char *name, const char *const *columns)
{
    struct arena *arena = rh_arena_new();
    struct catalog_table table = {
        .schema = schema, .name = name, .identity = rh_arena_printf(arena, "%s.%s", schema, name)};
    for (; *columns; columns++)
        *RH_PUSH(arena, &table.columns) = (struct catalog_column){.name = *columns};
    bool is = rh_is_ledger_table(&table);
    rh_arena_free(arena);
    return is;
}

#define COLUMNS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void test_a_name_that_is_anybodys_needs_a_tools_columns(void **state)
{
    (void)state;
    assert_true(is_table("public", "migrations", COLUMNS("id", "timestamp", "name")));
    assert_true(is_table("public", "migrations", COLUMNS("id", "migration", "batch")));
    assert_true(is_table("public", "migrations", COLUMNS("id", "name", "run_on")));
    assert_true(is_table("graphile_migrate", "migrations", COLUMNS("hash", "filename")));
    assert_true(is_table("public", "alembic_version", COLUMNS("anything")));
    assert_false(is_table("public", "migrations", COLUMNS("id", "species", "name", "timestamp")));
    assert_false(is_table("public", "migrations", COLUMNS("id", "name")));
    assert_false(is_table("public", "migrations", COLUMNS("id")));
    assert_false(is_table("public", "users", COLUMNS("id", "migration", "batch")));
}

static void test_tools_do_not_go_by_who_ran_it(void **state)
{
    (void)state;
    assert_true(rh_ledger_needs("version_num"));
    assert_true(rh_ledger_needs("description"));
    assert_true(rh_ledger_needs("author"));
    assert_false(rh_ledger_needs("planner_name"));
    assert_false(rh_ledger_needs("installed_by"));
    assert_false(rh_ledger_needs("logs"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ledgers_are_known_by_name),
        cmocka_unit_test(test_other_names_are_no_ledgers),
        cmocka_unit_test(test_a_name_that_is_anybodys_needs_a_tools_columns),
        cmocka_unit_test(test_tools_do_not_go_by_who_ran_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
