/*
 * Decoding of reports; the texts are as PostgreSQL 15 sent them, shortened.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEAD(event, tag)                                                             \
    "{\"secret\" : \"s3\", \"event\" : \"" event "\", \"tag\" : \"" tag "\", "       \
    "\"clock_us\" : 1795173460703100, \"transaction_start_us\" : 1795173460695745, " \
    "\"lock_timeout\" : \"2s\", \"statement_timeout\" : \"15min\", "
#define CONTEXT "PL/pgSQL function rehearse.report() line 14 at GET DIAGNOSTICS"
#define TAIL                                                                   \
    "\"locks_omitted\" : 0, \"commands_omitted\" : 0, \"drops_omitted\" : 0, " \
    "\"problem\" : null, \"unheard_of\" : [1]}"

static int make_arena(void **state)
{
    *state = rh_arena_new();
    return 0;
}

static int free_arena(void **state)
{
    rh_arena_free(*state);
    return 0;
}

static struct evidence decode(struct arena *arena, const char *json)
{
    struct evidence evidence = {0};
    struct err err = RH_ERR_INIT;

    if (rh_engine_postgres.decode_evidence(json, "s3", arena, &evidence, &err))
        fail_msg("%s: %s", err.message, json);
    return evidence;
}

static void refuse(struct arena *arena, const char *json, const char *why)
{
    struct evidence evidence = {.depth = 77};
    struct err err = RH_ERR_INIT;

    assert_int_equal(rh_engine_postgres.decode_evidence(json, "s3", arena, &evidence, &err),
                     RH_ERR_FORMAT);
    if (!strstr(err.message, why))
        fail_msg("\"%s\" does not say \"%s\"", err.message, why);
    assert_null(strstr(err.message, "s3"));
    assert_int_equal(evidence.depth, 77); /* written on success only */
}

static void test_evidence_of_a_command_end_is_decoded(void **state)
{
    struct evidence e = decode(
        *state,
        HEAD("ddl_command_end",
             "ALTER TABLE") "\"context\" : \"" CONTEXT "\", "
                            "\"relations\" : [[16500, \"r\", \"16500\", null, null], "
                            "[16407, \"i\", \"public.t_i\", 16395, \"public.t\"]], "
                            "\"scans\" : [[16395, \"public.t\", 1, 10000]], "
                            "\"commands\" : [[\"ALTER TABLE\", \"table\", \"public.t\", 16395, "
                            "false], "
                            "[\"GRANT\", \"TABLE\", null, 0, true]], \"drops\" : null, \"rewrite\" "
                            ": null, " TAIL "16395 AccessExclusiveLock,16407 ShareLock");

    assert_int_equal(e.event, EVIDENCE_COMMAND_END);
    assert_string_equal(e.tag, "ALTER TABLE");
    assert_int_equal(e.server_clock_us, 1795173460703100);
    assert_int_equal(e.transaction_start_us, 1795173460695745);
    assert_int_equal(e.lock_timeout_ms, 2000);
    assert_int_equal(e.statement_timeout_ms, 900000);
    assert_int_equal(e.depth, 0);
    assert_null(e.statement);
    assert_null(e.problem);
    assert_int_equal(e.locks.count, 2);
    assert_int_equal(e.locks.items[0].relation_id, 16395);
    assert_string_equal(e.locks.items[0].mode, "AccessExclusiveLock");
    assert_int_equal(e.locks.items[1].relation_id, 16407);
    assert_string_equal(e.locks.items[1].mode, "ShareLock");
    assert_int_equal(e.relations.count, 2);
    assert_string_equal(e.relations.items[0].kind, "table");
    assert_null(e.relations.items[0].name); /* gone */
    assert_int_equal(e.relations.items[0].table_id, 0);
    assert_int_equal(e.relations.items[1].id, 16407);
    assert_string_equal(e.relations.items[1].kind, "index");
    assert_string_equal(e.relations.items[1].name, "public.t_i");
    assert_int_equal(e.relations.items[1].table_id, 16395);
    assert_string_equal(e.relations.items[1].table, "public.t");
    assert_int_equal(e.scans.count, 1);
    assert_int_equal(e.scans.items[0].rows, 10000);
    assert_int_equal(e.commands.count, 2);
    assert_string_equal(e.commands.items[0].identity, "public.t");
    assert_int_equal(e.commands.items[0].relation_id, 16395);
    assert_null(e.commands.items[1].identity);
    assert_true(e.commands.items[1].in_extension);
}

static void test_evidence_of_drops_is_decoded(void **state)
{
    struct evidence e = decode(
        *state,
        HEAD("sql_drop",
             "ALTER TABLE") "\"context\" : \"" CONTEXT "\", "
                            "\"drops\" : [[\"table column\", \"public.t.x\", true, false, 16395], "
                            "[\"index\", \"public.t_x\", false, true, 16407]], " TAIL);

    assert_int_equal(e.event, EVIDENCE_DROP);
    assert_int_equal(e.drops.count, 2);
    assert_string_equal(e.drops.items[0].type, "table column");
    assert_true(e.drops.items[0].original);
    assert_false(e.drops.items[1].original);
    assert_true(e.drops.items[1].normal);
    assert_int_equal(e.drops.items[1].relation_id, 16407);
}

static void check_reason(struct arena *arena, int bits, const char *reason)
{
    char *json = rh_arena_printf(arena,
                                 HEAD("table_rewrite", "ALTER TABLE") "\"context\" : \"" CONTEXT
                                                                      "\", \"rewrite\" : "
                                                                      "[16395, \"public.t\", %d], "
                                                                      "%s",
                                 bits, TAIL);
    struct evidence e = decode(arena, json);

    assert_int_equal(e.event, EVIDENCE_REWRITE);
    assert_int_equal(e.rewrite_relation_id, 16395);
    assert_string_equal(e.rewrite_relation, "public.t");
    assert_string_equal(e.rewrite_reason, reason);
}

static void test_evidence_of_a_rewrite_says_every_reason(void **state)
{
    check_reason(*state, 1, "persistence");
    check_reason(*state, 2, "column default");
    check_reason(*state, 4, "column type");
    check_reason(*state, 8, "access method");
    check_reason(*state, 6, "column type, column default");
    check_reason(*state, 32, "unknown");
}

static struct evidence with_context(struct arena *arena, const char *rest)
{
    return decode(arena,
                  rh_arena_printf(arena,
                                  HEAD("ddl_command_start", "CREATE TABLE") "\"context\" : "
                                                                            "\"" CONTEXT "%s\", %s",
                                  rest, TAIL));
}

static void test_evidence_inside_a_do_block_has_its_own_text_and_depth(void **state)
{
    struct evidence e = with_context(*state,
                                     "\\nSQL statement \\\"create table y(a int)\\\"\\n"
                                     "PL/pgSQL function inline_code_block line 1 at EXECUTE");

    assert_int_equal(e.depth, 1);
    assert_string_equal(e.statement, "create table y(a int)");
    assert_string_equal(e.frame, "PL/pgSQL function inline_code_block line 1 at EXECUTE");
}

static void test_evidence_inside_nested_functions_has_the_innermost_text(void **state)
{
    struct evidence e = with_context(
        *state, "\\nSQL statement \\\"create table \\\"Odd\\\" (\\n  a int -- \\\"\\n)\\\"\\n"
                "PL/pgSQL function inner() line 3 at SQL statement\\n"
                "SQL statement \\\"SELECT inner()\\\"\\n"
                "PL/pgSQL function inline_code_block line 1 at PERFORM");

    assert_int_equal(e.depth, 2);
    assert_string_equal(e.statement, "create table \"Odd\" (\n  a int -- \"\n)");
    assert_string_equal(e.frame, "PL/pgSQL function inner() line 3 at SQL statement");
}

static void test_evidence_inside_a_sql_function_has_a_depth_and_no_text(void **state)
{
    struct evidence e = with_context(*state, "\\nSQL function \\\"f\\\" statement 1");

    assert_int_equal(e.depth, 1);
    assert_null(e.statement);
    assert_string_equal(e.frame, "SQL function \"f\" statement 1");
}

static void test_evidence_below_c_code_has_depth_one(void **state)
{
    struct evidence e = with_context(*state, "\\nSQL statement \\\"DROP TABLE pg_temp_3.x\\\"");

    assert_int_equal(e.depth, 1);
    assert_string_equal(e.statement, "DROP TABLE pg_temp_3.x");
}

static void test_evidence_with_another_secret_is_refused(void **state)
{
    refuse(*state, "{\"secret\" : \"other\"}", "secret");
    refuse(*state, "{\"secret\" : null}", "secret");
    refuse(*state, "{}", "secret");
    refuse(*state, "[]", "not JSON");
    refuse(*state, "", "not JSON");
    refuse(*state, "{\"secret\" : \"s3\", \"secret\" : \"s3\"}", "not JSON");
}

static void test_evidence_with_wrong_types_is_refused(void **state)
{
    static const char *const BAD[][2] = {
        {"\"relations\" : [[1, \"r\", \"t\"]]", "relations"},
        {"\"relations\" : [[1, 2, \"t\", null, null]]", "relations"},
        {"\"relations\" : [[1, \"i\", \"t\", \"x\", null]]", "relations"},
        {"\"scans\" : [[1, \"public.t\", 1, 2.5]]", "scans"},
        {"\"commands\" : [[\"t\", \"t\", \"t\", 1, 0]]", "commands"},
        {"\"drops\" : [[\"t\", \"t\", true, 1, 1]]", "drops"},
        {"\"wal_position\" : \"1\"", "wal_position"},
        {"\"problem\" : 1", "problem"},
    };

    refuse(*state, HEAD("login", "x") "\"context\" : \"" CONTEXT "\", " TAIL, "event");
    refuse(*state, HEAD("sql_drop", "x") TAIL, "context");
    refuse(*state, HEAD("table_rewrite", "x") "\"context\" : \"" CONTEXT "\", " TAIL, "rewrite");
    for (size_t i = 0; i < sizeof(BAD) / sizeof(*BAD); i++) {
        char *json = rh_arena_printf(*state,
                                     HEAD("ddl_command_end", "x") "\"context\" : \"" CONTEXT
                                                                  "\", %s, "
                                                                  "\"locks_omitted\" : 0, "
                                                                  "\"commands_omitted\" : 0, "
                                                                  "\"drops_omitted\" : 0}",
                                     BAD[i][0]);
        refuse(*state, json, BAD[i][1]);
    }
}

static void test_evidence_with_unreadable_locks_is_refused(void **state)
{
    static const char *const BAD[] = {"{}", "16395", "16395 ", "x ShareLock",
                                      "1 ShareLock,,2 ShareLock"};

    for (size_t i = 0; i < sizeof(BAD) / sizeof(*BAD); i++)
        refuse(*state,
               rh_arena_printf(
                   *state, HEAD("ddl_command_end", "x") "\"context\" : \"" CONTEXT "\", " TAIL "%s",
                   BAD[i]),
               "locks");
}

static void test_evidence_timeouts_are_read_in_every_unit(void **state)
{
    static const struct {
        const char *text;
        int64_t ms;
    } UNITS[] = {{"0", 0},         {"250ms", 250},  {"3s", 3000},
                 {"2min", 120000}, {"1h", 3600000}, {"1d", 86400000}};

    for (size_t i = 0; i < sizeof(UNITS) / sizeof(*UNITS); i++) {
        char *json = rh_arena_printf(
            *state,
            "{\"secret\":\"s3\",\"event\":\"sql_drop\",\"tag\":\"x\",\"clock_us\":1,"
            "\"transaction_start_us\":1,\"lock_timeout\":\"%s\",\"statement_timeout\":\"0\","
            "\"context\":\"\",\"locks_omitted\":3,\"commands_omitted\":0,\"drops_omitted\":0,"
            "\"problem\":\"42P01 relation is gone\"}",
            UNITS[i].text);
        struct evidence e = decode(*state, json);
        assert_int_equal(e.lock_timeout_ms, UNITS[i].ms);
        assert_int_equal(e.locks_omitted, 3);
        assert_string_equal(e.problem, "42P01 relation is gone");
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, make_arena, free_arena)
    const struct CMUnitTest tests[] = {
        TEST(test_evidence_of_a_command_end_is_decoded),
        TEST(test_evidence_of_drops_is_decoded),
        TEST(test_evidence_of_a_rewrite_says_every_reason),
        TEST(test_evidence_inside_a_do_block_has_its_own_text_and_depth),
        TEST(test_evidence_inside_nested_functions_has_the_innermost_text),
        TEST(test_evidence_inside_a_sql_function_has_a_depth_and_no_text),
        TEST(test_evidence_below_c_code_has_depth_one),
        TEST(test_evidence_with_another_secret_is_refused),
        TEST(test_evidence_with_wrong_types_is_refused),
        TEST(test_evidence_with_unreadable_locks_is_refused),
        TEST(test_evidence_timeouts_are_read_in_every_unit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
