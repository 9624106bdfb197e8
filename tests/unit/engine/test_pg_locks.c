#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/engine.h"

#include <stdio.h>

/* PostgreSQL 18 manual, table 13.2: what conflicts with ACCESS SHARE, and with ROW EXCLUSIVE. */
static void test_pg_locks_follow_the_conflict_table(void **state)
{
    static const struct {
        const char *mode;
        bool reads, writes;
    } EXPECTED[] = {{"AccessShareLock", false, false},  {"RowShareLock", false, false},
                    {"RowExclusiveLock", false, false}, {"ShareUpdateExclusiveLock", false, false},
                    {"ShareLock", false, true},         {"ShareRowExclusiveLock", false, true},
                    {"ExclusiveLock", false, true},     {"AccessExclusiveLock", true, true},
                    {"SIReadLock", false, false}};

    (void)state;
    for (size_t i = 0; i < sizeof(EXPECTED) / sizeof(*EXPECTED); i++) {
        bool reads, writes;
        rh_engine_postgres.lock_blocks(EXPECTED[i].mode, &reads, &writes);
        if (reads != EXPECTED[i].reads || writes != EXPECTED[i].writes)
            fail_msg("%s: reads %d, writes %d", EXPECTED[i].mode, reads, writes);
    }
}

static void test_pg_locks_take_an_unknown_mode_for_the_strongest(void **state)
{
    bool reads = false, writes = false;

    (void)state;
    rh_engine_postgres.lock_blocks("QuantumLock", &reads, &writes);
    assert_true(reads && writes);
}

static void test_pg_probes_take_one_lock_and_quote_names(void **state)
{
    struct arena *arena = rh_arena_new();

    (void)state;
    assert_string_equal(rh_engine_postgres.probe_read_sql(arena, "public.\"Odd\""),
                        "LOCK TABLE ONLY public.\"Odd\" IN ACCESS SHARE MODE; SELECT");
    assert_string_equal(rh_engine_postgres.probe_write_sql(arena, "public.t"),
                        "LOCK TABLE ONLY public.t IN ROW EXCLUSIVE MODE; SELECT");
    assert_string_equal(
        rh_engine_postgres.probe_object_sql(arena, "public.\"it's \\\""),
        "SELECT pg_catalog.pg_relation_size(E'public.\"it''s \\\\\"'::pg_catalog.regclass)");
    rh_arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pg_locks_follow_the_conflict_table),
        cmocka_unit_test(test_pg_locks_take_an_unknown_mode_for_the_strongest),
        cmocka_unit_test(test_pg_probes_take_one_lock_and_quote_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
