/* Where a migration is worth cutting off, from the trace of its uninterrupted run. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "rehearsal/cut_plan.h"

#include <string.h>

#define AUTO ((struct cuts_wanted){.mode = CUTS_AUTO})
#define ALL ((struct cuts_wanted){.mode = CUTS_ALL})
#define COUNT(n) ((struct cuts_wanted){.mode = CUTS_COUNT, .count = (n)})

struct story {
    struct arena *arena;
    struct trace trace;
    struct cut_plan plan;
    int transaction; /* open; -1: none */
};

static int setup(void **state)
{
    struct arena *arena = rh_arena_new();
    struct story *story = RH_NEW(arena, struct story);
    story->arena = story->trace.arena = arena;
    story->transaction = -1;
    *RH_PUSH(arena, &story->trace.steps) = (struct step){.name = "a.sql", .ok = true};
    *state = story;
    return 0;
}

static int teardown(void **state)
{
    rh_arena_free(((struct story *)*state)->arena);
    return 0;
}

static int open_transaction(struct story *story)
{
    *RH_PUSH(story->arena, &story->trace.transactions) = (struct transaction){.committed = true};
    return (int)story->trace.transactions.count - 1;
}

/* The next statement: in the open block, else on its own. */
static struct statement *run(struct story *story, const char *tag, const char *sql)
{
    int transaction = story->transaction >= 0 ? story->transaction : open_transaction(story);
    struct statement *statement = RH_PUSH(story->arena, &story->trace.statements);
    *statement = (struct statement){.index = (int)story->trace.statements.count,
                                    .step = (int)story->trace.steps.count - 1,
                                    .sql = sql,
                                    .tag = tag,
                                    .ok = true,
                                    .finished = true,
                                    .rows = 1,
                                    .transaction = transaction,
                                    .in_transaction = story->transaction >= 0};
    return statement;
}

static void begin(struct story *story)
{
    story->transaction = open_transaction(story);
    (void)run(story, "BEGIN", "BEGIN");
}

static void commit(struct story *story)
{
    (void)run(story, "COMMIT", "COMMIT");
    story->transaction = -1;
}

static void alter(struct story *story)
{
    (void)run(story, "ALTER TABLE", "ALTER TABLE t ADD COLUMN a int");
}

static void build_index(struct story *story)
{
    struct statement *statement = run(story, "CREATE INDEX",
                                      "CREATE INDEX CONCURRENTLY i ON t (a)");
    *RH_PUSH(story->arena, &statement->indexes) = (struct index_work){
        .index = "public.i", .table = "public.t", .concurrently = true};
}

static void plan(struct story *story, struct cuts_wanted wanted)
{
    rh_cut_plan(&story->trace, wanted, story->arena, &story->plan);
}

static const struct planned_cut *cut(const struct story *story, size_t n)
{
    assert_true(n < story->plan.cuts.count);
    return &story->plan.cuts.items[n];
}

static void test_cut_plan_has_no_place_in_a_single_statement(void **state)
{
    struct story *story = *state;
    (void)run(story, "SET", "SET lock_timeout = '2s'");
    alter(story);
    plan(story, ALL);
    assert_int_equal(story->plan.places, 0);
    assert_int_equal(story->plan.cuts.count, 0);
}

static void test_cut_plan_cuts_behind_each_commit_but_the_last(void **state)
{
    struct story *story = *state;
    alter(story);
    (void)run(story, "SELECT", "SELECT 1");
    alter(story);
    alter(story);
    plan(story, AUTO);
    assert_int_equal(story->plan.places, 2);
    assert_int_equal(story->plan.cuts.count, 2);
    /* The last first: whatever cannot be done twice stands before it. */
    assert_int_equal(cut(story, 0)->request.after, 3);
    assert_int_equal(cut(story, 0)->committed_count, 2);
    assert_int_equal(cut(story, 0)->committed.items[0], 3);
    assert_int_equal(cut(story, 1)->request.after, 1);
    /* Behind the SELECT the same is committed. */
    assert_int_equal(cut(story, 1)->equivalent, 1);
    assert_string_equal(cut(story, 1)->request.tag, "ALTER TABLE");
}

static void test_cut_plan_takes_a_transaction_block_for_one_place(void **state)
{
    struct story *story = *state;
    begin(story);
    alter(story);
    alter(story);
    alter(story);
    commit(story);
    plan(story, AUTO);
    assert_int_equal(story->plan.places, 1);
    assert_int_equal(story->plan.cuts.count, 1);
    assert_int_equal(cut(story, 0)->request.after, 4);
    assert_true(cut(story, 0)->in_transaction);
    assert_int_equal(cut(story, 0)->committed_count, 0);
    assert_int_equal(cut(story, 0)->equivalent, 2);
}

static void test_cut_plan_ignores_what_was_rolled_back(void **state)
{
    struct story *story = *state;
    begin(story);
    alter(story);
    story->trace.transactions.items[0].committed = false;
    story->transaction = -1;
    alter(story);
    plan(story, ALL);
    assert_int_equal(story->plan.cuts.count, 0);
}

static void test_cut_plan_does_not_run_a_finished_file_again(void **state)
{
    struct story *story = *state;
    alter(story);
    *RH_PUSH(story->arena, &story->trace.steps) = (struct step){.name = "b.sql", .ok = true};
    alter(story);
    plan(story, ALL);
    assert_int_equal(story->plan.cuts.count, 0);
    alter(story);
    plan(story, AUTO);
    assert_int_equal(story->plan.cuts.count, 1);
    assert_int_equal(cut(story, 0)->request.after, 2);
    assert_int_equal(cut(story, 0)->first_step, 1);
    assert_int_equal(cut(story, 0)->committed_count, 1); /* of that file */
}

static void test_cut_plan_cancels_in_the_middle_of_a_command_that_commits_on_its_way(void **state)
{
    struct story *story = *state;
    build_index(story);
    plan(story, ALL);
    assert_int_equal(story->plan.places, 1);
    assert_int_equal(story->plan.cuts.count, 2);
    assert_int_equal(cut(story, 0)->request.how, CUT_CANCEL);
    assert_int_equal(cut(story, 1)->request.how, CUT_KILL);
    assert_int_equal(cut(story, 0)->request.after, 0);
    assert_null(cut(story, 0)->request.tag);
    assert_true(cut(story, 0)->request.in_the_middle);
    assert_string_equal(cut(story, 0)->request.awaits, "public.t");
}

static void test_cut_plan_holds_both_tables_of_a_detached_partition(void **state)
{
    struct story *story = *state;
    struct statement *statement = run(story, "ALTER TABLE",
                                      "ALTER TABLE p DETACH PARTITION p1 CONCURRENTLY");
    static const char *const tables[] = {"public.p1", "public.p", "public.p"};
    for (size_t i = 0; i < 3; i++)
        *RH_PUSH(story->arena, &statement->locks) = (struct lock){
            .relation = tables[i], .table = tables[i], .mode = "AccessShareLock"};
    plan(story, AUTO);
    assert_string_equal(cut(story, 0)->request.awaits, "public.p1, public.p");
}

static void test_cut_plan_leaves_alone_a_command_that_found_nothing_to_do(void **state)
{
    struct story *story = *state;
    (void)run(story, "CREATE INDEX", "CREATE INDEX CONCURRENTLY IF NOT EXISTS i ON t (a)");
    plan(story, ALL);
    assert_int_equal(story->plan.cuts.count, 0);
}

static void test_cut_plan_meets_a_procedure_by_the_clock(void **state)
{
    struct story *story = *state;
    run(story, "CALL", "CALL backfill()")->duration_us = 10000;
    plan(story, AUTO);
    assert_int_equal(story->plan.cuts.count, 0); /* too short to be met */
    story->trace.statements.items[0].duration_us = 400000;
    plan(story, AUTO);
    assert_int_equal(story->plan.cuts.count, 1);
    assert_null(cut(story, 0)->request.awaits);
    assert_int_equal(cut(story, 0)->request.running_us, 200000);
    assert_int_equal(cut(story, 0)->request.how, CUT_CANCEL);
}

static void test_cut_plan_reads_nothing_into_statements_that_changed_nothing(void **state)
{
    struct story *story = *state;
    run(story, "UPDATE", "UPDATE t SET a = 1 WHERE false")->rows = 0;
    (void)run(story, "SELECT", "SELECT 1");
    (void)run(story, "VACUUM", "VACUUM t");
    alter(story);
    plan(story, ALL);
    assert_int_equal(story->plan.cuts.count, 0);
    /* A function that alters says so itself. */
    *RH_PUSH(story->arena, &story->trace.statements.items[1].altered) = (struct altered_object){
        "table", "public.t"};
    plan(story, AUTO);
    assert_int_equal(story->plan.cuts.count, 1);
    assert_int_equal(cut(story, 0)->request.after, 2);
}

static void test_cut_plan_is_as_long_as_wanted(void **state)
{
    struct story *story = *state;
    for (int i = 0; i < 200; i++)
        alter(story);
    plan(story, AUTO);
    assert_int_equal(story->plan.cuts.count, CUTS_AUTO_MAX);
    assert_int_equal(story->plan.places, 199);
    plan(story, COUNT(5));
    assert_int_equal(story->plan.cuts.count, 5);
    assert_int_equal(cut(story, 0)->request.after, 199);
    assert_int_equal(cut(story, 1)->request.how, CUT_KILL);
    assert_int_equal(cut(story, 2)->request.after, 1);
    assert_int_equal(cut(story, 3)->request.after, 100);
    plan(story, ALL);
    assert_int_equal(story->plan.cuts.count, CUTS_MAX);
    plan(story, (struct cuts_wanted){.mode = CUTS_OFF});
    assert_int_equal(story->plan.cuts.count, 0);
}

static void test_cut_plan_names_every_place_once(void **state)
{
    struct story *story = *state;
    bool seen[12] = {false};
    for (int i = 0; i < 11; i++)
        alter(story);
    plan(story, ALL);
    for (size_t i = 0; i < story->plan.cuts.count; i++) {
        const struct cut_request *request = &cut(story, i)->request;
        if (request->how != CUT_DISCONNECT)
            continue;
        assert_false(seen[request->after]);
        seen[request->after] = true;
    }
    for (int i = 1; i <= 10; i++)
        assert_true(seen[i]);
}

static void test_cut_plan_knows_what_keeps_work_from_being_done_twice(void **state)
{
    struct story *story = *state;
    assert_int_equal(rh_rerun_kind_of(&story->trace, false), RERUN_SCRIPT);
    assert_int_equal(rh_rerun_kind_of(&story->trace, true), RERUN_TOOL_FILES);
    story->trace.steps.items[0].is_command = true;
    *RH_PUSH(story->arena, &story->trace.sessions) = (struct session){.application_name = "psql"};
    assert_int_equal(rh_rerun_kind_of(&story->trace, false), RERUN_SCRIPT);
    *RH_PUSH(story->arena, &story->trace.sessions) = (struct session){.application_name = NULL};
    assert_int_equal(rh_rerun_kind_of(&story->trace, false), RERUN_LEDGER);
}

static void test_cut_plan_a_script_claims_what_all_its_statements_say(void **state)
{
    struct story *story = *state;
    alter(story);
    assert_false(rh_claims_repeatable(&story->trace));
    story->trace.statements.count = 0;
    (void)run(story, "SET", "SET lock_timeout = '2s'");
    (void)run(story, "UPDATE", "UPDATE t SET a = 1");
    assert_false(rh_claims_repeatable(&story->trace)); /* nothing that has such a form */
    (void)run(story, "ALTER TABLE", "alter table t -- new\n add column if not exists a int");
    (void)run(story, "CREATE FUNCTION", "CREATE OR REPLACE FUNCTION f() ...");
    (void)run(story, "DROP TABLE", "DROP TABLE IF EXISTS old");
    assert_true(rh_claims_repeatable(&story->trace));
    (void)run(story, "CREATE TABLE", "CREATE TABLE x (\"if not exists\" int)");
    assert_false(rh_claims_repeatable(&story->trace));
}

static void test_cut_plan_finds_the_longest_blocking_statement(void **state)
{
    struct story *story = *state;
    static const int64_t durations[] = {80000, 300000, 200000};
    for (size_t i = 0; i < 3; i++) {
        struct statement *statement = run(story, "ALTER TABLE", "ALTER TABLE t ADD CHECK (a > 0)");
        statement->duration_us = durations[i];
        *RH_PUSH(story->arena, &statement->locks) = (struct lock){.relation = "public.t",
                                                                  .mode = "AccessExclusiveLock",
                                                                  .preexisting = i != 1,
                                                                  .blocks_reads = true,
                                                                  .blocks_writes = true};
    }
    assert_int_equal(rh_longest_blocking(&story->trace, 50000)->index, 3);
    assert_null(rh_longest_blocking(&story->trace, 250000));
}

#define STORY_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORY_TEST(test_cut_plan_has_no_place_in_a_single_statement),
        STORY_TEST(test_cut_plan_cuts_behind_each_commit_but_the_last),
        STORY_TEST(test_cut_plan_takes_a_transaction_block_for_one_place),
        STORY_TEST(test_cut_plan_ignores_what_was_rolled_back),
        STORY_TEST(test_cut_plan_does_not_run_a_finished_file_again),
        STORY_TEST(test_cut_plan_cancels_in_the_middle_of_a_command_that_commits_on_its_way),
        STORY_TEST(test_cut_plan_holds_both_tables_of_a_detached_partition),
        STORY_TEST(test_cut_plan_leaves_alone_a_command_that_found_nothing_to_do),
        STORY_TEST(test_cut_plan_meets_a_procedure_by_the_clock),
        STORY_TEST(test_cut_plan_reads_nothing_into_statements_that_changed_nothing),
        STORY_TEST(test_cut_plan_is_as_long_as_wanted),
        STORY_TEST(test_cut_plan_names_every_place_once),
        STORY_TEST(test_cut_plan_knows_what_keeps_work_from_being_done_twice),
        STORY_TEST(test_cut_plan_a_script_claims_what_all_its_statements_say),
        STORY_TEST(test_cut_plan_finds_the_longest_blocking_statement),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
