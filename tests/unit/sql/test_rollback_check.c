#include "sql_unit.h"

#include "sql/rollback_check.h"

#include <string.h>

/* What is said of the last of `sql`, statements in order; NULL when nothing is. */
static const char *refuse(struct arena *arena, const char *const *sql)
{
    struct rollback_check check = {.arena = arena};
    const char *reason = NULL;

    for (int line = 1; *sql; sql++, line++)
        reason = rh_rollback_refuse(&check, rh_text(*sql),
                                    rh_arena_printf(arena, "m.sql:%d", line));
    return reason;
}
#define REFUSE(...) refuse(arena, (const char *const[]){__VA_ARGS__, NULL})

static void test_rollback_check_refuses_what_needs_its_own_transaction(void **state)
{
    (void)state;
    static const char *const refused[] = {
        "CREATE UNIQUE INDEX CONCURRENTLY i ON t (a);",
        "DROP INDEX CONCURRENTLY i",
        "REINDEX INDEX CONCURRENTLY i",
        "ALTER TABLE t DETACH PARTITION p CONCURRENTLY",
        "VACUUM (ANALYZE) t",
        "CREATE DATABASE d",
        "drop database d",
        "ALTER SYSTEM SET work_mem = '1MB'",
        "CREATE TABLESPACE s LOCATION '/x'",
        "REINDEX SYSTEM d",
        "REINDEX DATABASE d",
        "CLUSTER",
        "DISCARD ALL",
        "BEGIN",
        "START TRANSACTION",
        "COMMIT",
        "END",
        "ROLLBACK",
        "PREPARE TRANSACTION 'x'",
        "COMMIT PREPARED 'x'",
        "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE",
        "CREATE SUBSCRIPTION s CONNECTION '' PUBLICATION p",
        "DROP SUBSCRIPTION s",
        "CHECKPOINT",
        "DEALLOCATE ALL",
        "DEALLOCATE PREPARE ALL",
        "COPY t TO '/tmp/x'",
        "COPY (SELECT 1) TO PROGRAM 'rm x'",
        "COPY t FROM PROGRAM 'cat x'",
    };
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    for (size_t i = 0; i < COUNT(refused); i++)
        if (!REFUSE(refused[i]))
            fail_msg("not refused: %s", refused[i]);
}

static void test_rollback_check_lets_the_rest_through(void **state)
{
    (void)state;
    static const char *const taken[] = {
        "ALTER TABLE t ADD COLUMN concurrently_x int",
        "CREATE INDEX i ON t (a)",
        "REINDEX TABLE t",
        "REFRESH MATERIALIZED VIEW CONCURRENTLY m",
        "CLUSTER t USING i",
        "SAVEPOINT s",
        "ROLLBACK TO SAVEPOINT s",
        "SET lock_timeout = '1s'",
        "SET LOCAL work_mem = '1MB'",
        "DISCARD PLANS",
        "DEALLOCATE p",
        "COPY t (a) FROM '/tmp/x'",
        "COPY t TO STDOUT",
        "TRUNCATE t",
        "CREATE FUNCTION f() RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT 1; END",
        "DO $$ BEGIN PERFORM 1; END $$",
        "-- VACUUM\nSELECT 'COMMIT'",
        "ALTER TYPE mood ADD VALUE 'glad'",
    };
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    for (size_t i = 0; i < COUNT(taken); i++)
        if (REFUSE(taken[i]))
            fail_msg("%s: refused: %s", taken[i], REFUSE(taken[i]));
}

static void test_rollback_check_refuses_labels_that_are_used_later(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    assert_string_equal(
        REFUSE("ALTER TYPE shop.mood ADD VALUE IF NOT EXISTS 'glad' AFTER 'ok'",
               "UPDATE t SET m = 'glad'"),
        "UPDATE uses 'glad', which ALTER TYPE ... ADD VALUE (m.sql:1) makes in the same "
        "transaction");
    assert_non_null(
        REFUSE("ALTER TYPE mood ADD VALUE 'glad'", "SELECT 1",
               "CREATE FUNCTION f() RETURNS mood LANGUAGE sql AS $$ SELECT 'glad'::mood "
               "$$"));
    assert_null(REFUSE("ALTER TYPE mood ADD VALUE 'glad'", "UPDATE t SET m = 'gladly'"));
    assert_null(REFUSE("ALTER TYPE mood ADD VALUE 'glad'",
                       "ALTER TYPE mood ADD VALUE 'sad' BEFORE 'glad'"));
    assert_null(REFUSE("ALTER TYPE mood RENAME TO feeling", "UPDATE t SET m = 'feeling'"));
    /* A type of the same transaction has its labels at once. */
    assert_null(REFUSE("CREATE TYPE mood AS ENUM ()", "ALTER TYPE mood ADD VALUE 'glad'",
                       "UPDATE t SET m = 'glad'"));
}

static void test_rollback_check_knows_the_servers_refusals(void **state)
{
    (void)state;
    assert_true(rh_rollback_is_refusal("25001"));
    assert_true(rh_rollback_is_refusal("2D000"));
    assert_true(rh_rollback_is_refusal("55P04"));
    assert_false(rh_rollback_is_refusal("23505"));
    assert_false(rh_rollback_is_refusal(""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rollback_check_refuses_what_needs_its_own_transaction),
        cmocka_unit_test(test_rollback_check_lets_the_rest_through),
        cmocka_unit_test(test_rollback_check_refuses_labels_that_are_used_later),
        cmocka_unit_test(test_rollback_check_knows_the_servers_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
