/* What made it take that long, and who is blamed. */
#include "judge_unit.h"

#include "judge/judge_int.h"

static void build(struct story *story, struct judgement *judgement)
{
    rh_judgement_init(judgement, &story->result);
    rh_judgement_find_blocks(judgement);
    rh_judgement_find_causes(judgement);
}

static const struct cause *only_cause(struct story *story, struct judgement *judgement,
                                      enum cause_kind kind)
{
    build(story, judgement);
    assert_int_equal(judgement->causes.count, 1);
    assert_int_equal(judgement->causes.items[0].kind, kind);
    return &judgement->causes.items[0];
}

static struct statement *rewrite_orders(struct story *story, int64_t duration_us)
{
    struct statement *statement = story_run(story, "ALTER TABLE", duration_us);
    story_lock(story, statement, "public.orders", "AccessExclusiveLock");
    story_rewrite(story, statement, "public.orders", "table", "column type");
    return statement;
}

static void test_causes_rewrite_takes_its_indexes_along(void **state)
{
    struct story *story = *state;
    struct statement *statement = rewrite_orders(story, 3 * S);
    story_rewrite(story, statement, "public.orders_pkey", "index", "column type")
        ->table = "public.orders";
    story_rewrite(story, statement, "pg_toast.pg_toast_1", "table", "column type");
    struct judgement judgement;
    const struct cause *cause = only_cause(story, &judgement, CAUSE_REWRITE);
    assert_int_equal(cause->indexes.count, 1);
    assert_true(cause->is_blamed);
    assert_true(cause->block->is_explained);
}

static void test_causes_index_table_is_learnt_from_its_lock(void **state)
{
    struct story *story = *state;
    struct statement *statement = story_run(story, "ALTER TABLE", 1 * S);
    story_index_lock(story, statement, "public.orders_email", "public.orders",
                     "AccessExclusiveLock");
    story_rewrite(story, statement, "public.orders_email", "index", "column type");
    struct judgement judgement;
    assert_string_equal(only_cause(story, &judgement, CAUSE_INDEX_REBUILD)->relation,
                        "public.orders");
}

static void test_causes_scan_of_a_rewrite_is_the_rewrite(void **state)
{
    struct story *story = *state;
    struct statement *statement = rewrite_orders(story, 3 * S);
    story_scan(story, statement, "public.orders", 1000);
    struct judgement judgement;
    only_cause(story, &judgement, CAUSE_REWRITE);
}

static void test_causes_scan_of_an_index_build_is_the_index(void **state)
{
    struct story *story = *state;
    struct statement *statement = story_run(story, "CREATE INDEX", 3 * S);
    story_lock(story, statement, "public.orders", "ShareLock");
    story_index(story, statement, "public.orders_email", "public.orders");
    story_scan(story, statement, "public.orders", 1000);
    struct judgement judgement;
    only_cause(story, &judgement, CAUSE_INDEX_WORK);
}

static void test_causes_constraint_that_builds_an_index_is_index_work(void **state)
{
    struct story *story = *state;
    struct statement *statement = story_run(story, "ALTER TABLE", 3 * S);
    story_lock(story, statement, "public.users", "AccessExclusiveLock");
    story_index_lock(story, statement, "public.users_email_key", "public.users",
                     "AccessExclusiveLock")
        ->preexisting = false;
    story_scan(story, statement, "public.users", 1000);
    struct judgement judgement;
    const struct cause *cause = only_cause(story, &judgement, CAUSE_INDEX_WORK);
    assert_string_equal(cause->indexes.items[0], "public.users_email_key");
}

static void test_causes_truncate_is_no_rewrite(void **state)
{
    struct story *story = *state;
    struct statement *statement = story_run(story, "TRUNCATE TABLE", 1 * MS);
    story_lock(story, statement, "public.orders", "AccessExclusiveLock");
    story_rewrite(story, statement, "public.orders", "table", "truncate");
    story_rewrite(story, statement, "public.orders_pkey", "index", "truncate");
    struct judgement judgement;
    build(story, &judgement);
    assert_int_equal(judgement.causes.count, 0);
}

static void test_causes_scan_before_the_lock_is_harmless(void **state)
{
    struct story *story = *state;
    story_begin(story);
    struct statement *read = story_run(story, "SELECT", 1 * S);
    story_scan(story, read, "public.orders", 1000);
    struct statement *alter = story_run(story, "ALTER TABLE", 1 * MS);
    story_lock(story, alter, "public.orders", "AccessExclusiveLock");
    story_commit(story);
    struct judgement judgement;
    build(story, &judgement);
    assert_int_equal(judgement.causes.count, 0);
}

static void test_causes_of_one_table_are_merged_by_kind(void **state)
{
    struct story *story = *state;
    story_begin(story);
    const char *const names[] = {"public.orders_a", "public.orders_b"};
    for (size_t i = 0; i < COUNT(names); i++) {
        struct statement *statement = story_run(story, "CREATE INDEX", 2 * S);
        story_lock(story, statement, "public.orders", "ShareLock");
        story_index(story, statement, names[i], "public.orders");
    }
    story_commit(story);
    struct judgement judgement;
    const struct cause *cause = only_cause(story, &judgement, CAUSE_INDEX_WORK);
    assert_int_equal(cause->indexes.count, 2);
    assert_int_equal(cause->duration_us, 4 * S);
}

static void test_causes_small_share_of_a_long_block_is_not_blamed(void **state)
{
    struct story *story = *state;
    story_begin(story);
    rewrite_orders(story, 5 * MS);
    story_run(story, "UPDATE", 20 * S);
    story_commit(story);
    struct judgement judgement;
    const struct cause *cause = only_cause(story, &judgement, CAUSE_REWRITE);
    assert_false(cause->is_blamed);
    assert_false(cause->block->is_explained);
}

static void test_causes_of_new_tables_do_not_exist(void **state)
{
    struct story *story = *state;
    struct statement *statement = story_run(story, "CREATE INDEX", 3 * S);
    story_index(story, statement, "public.fresh_a", "public.fresh")->preexisting_table = false;
    story_rewrite(story, statement, "public.fresh", "table", "column type")->preexisting = false;
    struct judgement judgement;
    build(story, &judgement);
    assert_int_equal(judgement.causes.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORY_TEST(test_causes_rewrite_takes_its_indexes_along),
        STORY_TEST(test_causes_index_table_is_learnt_from_its_lock),
        STORY_TEST(test_causes_scan_of_a_rewrite_is_the_rewrite),
        STORY_TEST(test_causes_scan_of_an_index_build_is_the_index),
        STORY_TEST(test_causes_constraint_that_builds_an_index_is_index_work),
        STORY_TEST(test_causes_truncate_is_no_rewrite),
        STORY_TEST(test_causes_scan_before_the_lock_is_harmless),
        STORY_TEST(test_causes_of_one_table_are_merged_by_kind),
        STORY_TEST(test_causes_small_share_of_a_long_block_is_not_blamed),
        STORY_TEST(test_causes_of_new_tables_do_not_exist),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
