/* Who could not read or write which table for how long. */
#include "judge_unit.h"

#include "judge/judge_int.h"

static void build(struct story *story, struct judgement *judgement)
{
    rh_judgement_init(judgement, &story->result);
    rh_judgement_find_blocks(judgement);
}

static const struct block *only_block(struct story *story, struct judgement *judgement)
{
    build(story, judgement);
    assert_int_equal(judgement->blocks.count, 1);
    return &judgement->blocks.items[0];
}

static void test_judgement_block_lasts_to_the_end_of_the_transaction(void **state)
{
    struct story *story = *state;
    story_begin(story);
    struct statement *first = story_run(story, "ALTER TABLE", 1 * MS);
    story_lock(story, first, "public.orders", "AccessExclusiveLock");
    story_run(story, "UPDATE", 3 * S);
    story_commit(story);

    struct judgement judgement;
    const struct block *block = only_block(story, &judgement);
    assert_int_equal(block->read_us, 1 * MS + 3 * S + 100);
    assert_int_equal(block->write_us, block->read_us);
    assert_string_equal(block->relation, "public.orders");
    assert_string_equal(judgement.longest_block_relation, "public.orders");
}

static void test_judgement_reads_and_writes_are_counted_apart(void **state)
{
    struct story *story = *state;
    story_begin(story);
    struct statement *share = story_run(story, "CREATE INDEX", 2 * S);
    story_lock(story, share, "public.orders", "ShareLock");
    struct statement *exclusive = story_run(story, "ALTER TABLE", 1 * S);
    story_lock(story, exclusive, "public.orders", "AccessExclusiveLock");
    story_commit(story);

    struct judgement judgement;
    const struct block *block = only_block(story, &judgement);
    assert_int_equal(block->write_us, 3 * S + 100);
    assert_int_equal(block->read_us, 1 * S + 100);
    assert_string_equal(block->mode, "AccessExclusiveLock");
}

static void test_judgement_separate_transactions_are_separate_blocks(void **state)
{
    struct story *story = *state;
    for (int i = 0; i < 2; i++) {
        struct statement *statement = story_run(story, "ALTER TABLE", 1 * S);
        story_lock(story, statement, "public.orders", "AccessExclusiveLock");
    }
    struct judgement judgement;
    build(story, &judgement);
    assert_int_equal(judgement.blocks.count, 2);
    assert_int_equal(judgement.longest_block_us, 1 * S);
}

static void test_judgement_index_locks_belong_to_their_table(void **state)
{
    struct story *story = *state;
    struct statement *statement = story_run(story, "REINDEX", 1 * S);
    story_lock(story, statement, "public.orders", "ShareLock");
    story_index_lock(story, statement, "public.orders_pkey", "public.orders",
                     "AccessExclusiveLock");
    struct judgement judgement;
    const struct block *block = only_block(story, &judgement);
    assert_string_equal(block->relation, "public.orders");
    /* planning a SELECT locks every index of its tables */
    assert_int_equal(block->read_us, 1 * S);
}

static void test_judgement_toast_is_never_named(void **state)
{
    struct story *story = *state;
    struct statement *statement = story_run(story, "ALTER TABLE", 1 * S);
    story_lock(story, statement, "pg_toast.pg_toast_16384", "AccessExclusiveLock");
    struct judgement judgement;
    build(story, &judgement);
    assert_int_equal(judgement.blocks.count, 0);
}

static void test_judgement_new_relations_block_nobody(void **state)
{
    struct story *story = *state;
    struct statement *statement = story_run(story, "CREATE TABLE", 1 * S);
    story_lock(story, statement, "public.fresh", "AccessExclusiveLock")->preexisting = false;
    struct judgement judgement;
    build(story, &judgement);
    assert_int_equal(judgement.blocks.count, 0);
}

static void test_judgement_mild_locks_block_nobody(void **state)
{
    struct story *story = *state;
    struct statement *statement = story_run(story, "CREATE INDEX", 1 * S);
    story_lock(story, statement, "public.orders", "ShareUpdateExclusiveLock");
    struct judgement judgement;
    build(story, &judgement);
    assert_int_equal(judgement.blocks.count, 0);
}

static void test_judgement_locks_of_children_count(void **state)
{
    struct story *story = *state;
    struct statement *block_statement = story_run(story, "DO", 2 * S);
    struct statement *child = story_child(story, block_statement, "ALTER TABLE", 1 * MS);
    struct lock *lock = story_lock(story, child, "public.orders", "AccessExclusiveLock");
    lock->held_us = 2 * S;
    struct judgement judgement;
    assert_int_equal(only_block(story, &judgement)->read_us, 2 * S);
}

static void test_judgement_probe_longer_than_the_lock_counts(void **state)
{
    struct story *story = *state;
    struct statement *statement = story_run(story, "ALTER TABLE", 100 * MS);
    story_lock(story, statement, "public.orders", "AccessExclusiveLock");
    story_probe(story, statement, "public.orders", false, 300 * MS);
    struct judgement judgement;
    const struct block *block = only_block(story, &judgement);
    assert_int_equal(rh_block_us(block), 300 * MS);
    assert_int_equal(block->read_us, 100 * MS);
}

static void test_judgement_probe_alone_is_a_block(void **state)
{
    struct story *story = *state;
    struct statement *statement = story_run(story, "DO", 100 * MS);
    story_probe(story, statement, "public.orders", true, 70 * MS);
    struct judgement judgement;
    const struct block *block = only_block(story, &judgement);
    assert_int_equal(block->probe_write_us, 70 * MS);
    assert_null(block->mode);
}

static void test_judgement_probe_without_waits_is_nothing(void **state)
{
    struct story *story = *state;
    struct statement *statement = story_run(story, "DO", 100 * MS);
    story_probe(story, statement, "public.orders", true, 70 * MS)->waits = 0;
    struct judgement judgement;
    build(story, &judgement);
    assert_int_equal(judgement.blocks.count, 0);
}

static void test_judgement_empty_table_does_not_count(void **state)
{
    struct story *story = *state;
    story_table(story, "public.orders", 0);
    struct statement *statement = story_run(story, "ALTER TABLE", 9 * S);
    story_lock(story, statement, "public.orders", "AccessExclusiveLock");
    struct judgement judgement;
    const struct block *block = only_block(story, &judgement);
    assert_false(block->counts);
    assert_false(rh_block_is_over(&judgement, block));
    assert_int_equal(judgement.longest_block_us, 0);
}

static void test_judgement_lock_never_granted_waited(void **state)
{
    struct story *story = *state;
    struct statement *statement = story_run(story, "ALTER TABLE", 2 * S);
    struct lock *lock = story_lock(story, statement, "public.orders", "AccessExclusiveLock");
    lock->acquired_us = -1;
    lock->waited_us = 2 * S;
    struct judgement judgement;
    const struct block *block = only_block(story, &judgement);
    assert_false(block->is_granted);
    assert_int_equal(block->waited_us, 2 * S);
    assert_int_equal(rh_block_us(block), 0);
}

static void test_judgement_held_time_unknown_lasts_as_long_as_the_transaction(void **state)
{
    struct story *story = *state;
    story_begin(story);
    struct statement *statement = story_run(story, "ALTER TABLE", 1 * S);
    struct lock *lock = story_lock(story, statement, "public.orders", "AccessExclusiveLock");
    story_run(story, "SELECT", 1 * S);
    story_commit(story);
    lock->held_us = NOT_OBSERVED;
    struct judgement judgement;
    assert_int_equal(only_block(story, &judgement)->read_us, 2 * S + 100);
}

static void test_judgement_acts_of_interleaved_sessions_stay_apart(void **state)
{
    struct story *story = *state;
    story_begin(story);
    struct statement *first = story_run(story, "ALTER TABLE", 1 * MS);
    story_lock(story, first, "public.a", "AccessExclusiveLock");
    struct statement *other = story_run(story, "UPDATE", 1 * MS);
    other->transaction = -1; /* another session's, in between */
    struct statement *last = story_run(story, "UPDATE", 1 * MS);
    struct judgement judgement;
    build(story, &judgement);
    size_t next = judgement.acts.items[1].next;
    assert_int_not_equal(next, NO_ACT);
    assert_ptr_equal(judgement.acts.items[next].statement, last);
    assert_int_equal(judgement.acts.items[2].next, NO_ACT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORY_TEST(test_judgement_block_lasts_to_the_end_of_the_transaction),
        STORY_TEST(test_judgement_reads_and_writes_are_counted_apart),
        STORY_TEST(test_judgement_separate_transactions_are_separate_blocks),
        STORY_TEST(test_judgement_index_locks_belong_to_their_table),
        STORY_TEST(test_judgement_toast_is_never_named),
        STORY_TEST(test_judgement_new_relations_block_nobody),
        STORY_TEST(test_judgement_mild_locks_block_nobody),
        STORY_TEST(test_judgement_locks_of_children_count),
        STORY_TEST(test_judgement_probe_longer_than_the_lock_counts),
        STORY_TEST(test_judgement_probe_alone_is_a_block),
        STORY_TEST(test_judgement_probe_without_waits_is_nothing),
        STORY_TEST(test_judgement_empty_table_does_not_count),
        STORY_TEST(test_judgement_lock_never_granted_waited),
        STORY_TEST(test_judgement_held_time_unknown_lasts_as_long_as_the_transaction),
        STORY_TEST(test_judgement_acts_of_interleaved_sessions_stay_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
