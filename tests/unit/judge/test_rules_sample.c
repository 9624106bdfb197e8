/* Conclusions from a sample; unsanitized-snapshot. */
#include "judge_unit.h"

#define USERS "public.users"

static struct sampled_table *sample(struct story *story, enum witness_cover cover)
{
    struct likeness *likeness = &story->result.fidelity.likeness;
    struct sampled_table *table = RH_PUSH(story->arena, &likeness->sampled);
    *table = (struct sampled_table){.relation = USERS,
                                    .rows = 12000,
                                    .production_rows = 1200000,
                                    .rows_exact = true,
                                    .fraction = 0.01};
    likeness->has_manifest = true;
    likeness->cover = cover;
    story_table(story, USERS, 12000);
    return table;
}

static bool has_note(const struct story *story, const char *part)
{
    for (size_t i = 0; i < story->result.fidelity.notes.count; i++)
        if (strstr(story->result.fidelity.notes.items[i], part))
            return true;
    return false;
}

static void test_rules_sample_success_on_its_rows_proves_nothing(void **state)
{
    struct story *story = *state;
    sample(story, WITNESS_MISSING);
    struct statement *statement = story_run(story, "ALTER TABLE", 1 * MS);
    story_scan(story, statement, USERS, 12000);
    story_judge(story);
    assert_int_equal(story->result.verdict, VERDICT_INCONCLUSIVE);
    assert_contains(story->result.headline,
                    "1 statement read " USERS ", of which this is a sample");
    assert_contains(story->result.headline, "--accept-sample");

    story->result.limits.accept_sample = true;
    story_judge(story);
    assert_int_equal(story->result.verdict, VERDICT_SAFE);
    assert_true(has_note(story, "--accept-sample"));
}

static void test_rules_sample_rewrites_indexes_and_writes_depend_on_the_rows(void **state)
{
    struct story *story = *state;
    for (int kind = 0; kind < 4; kind++) {
        story_teardown(state);
        story_setup(state);
        story = *state;
        sample(story, WITNESS_MISSING);
        if (kind == 0)
            story_rewrite(story, story_run(story, "ALTER TABLE", 1 * MS), USERS, "table",
                          "column type");
        else if (kind == 1)
            story_index(story, story_run(story, "CREATE INDEX", 1 * MS), "public.i", USERS);
        else if (kind == 2)
            story_lock(story, story_run(story, "UPDATE", 1 * MS), USERS, "RowExclusiveLock");
        else
            story_say(story, "DELETE", "DELETE FROM users WHERE id = 7");
        story_judge(story);
        if (story->result.verdict != VERDICT_INCONCLUSIVE)
            fail_msg("kind %d: %s", kind, story->result.headline);
    }
}

static void test_rules_sample_what_reads_none_of_its_rows_is_safe(void **state)
{
    struct story *story = *state;
    sample(story, WITNESS_MISSING);
    story_lock(story, story_run(story, "ALTER TABLE", 1 * MS), USERS, "AccessExclusiveLock");
    story_table(story, "public.orders", 10);
    story_scan(story, story_run(story, "ALTER TABLE", 1 * MS), "public.orders", 10);
    story_say(story, "UPDATE", "UPDATE orders SET total = 1 WHERE id = 7");
    story_judge(story);
    assert_int_equal(story->result.verdict, VERDICT_SAFE);
}

static void test_rules_sample_witnesses_decide(void **state)
{
    struct story *story = *state;
    sample(story, WITNESS_COVERED);
    story_scan(story, story_run(story, "ALTER TABLE", 1 * MS), USERS, 12000);
    story_judge(story);
    assert_int_equal(story->result.verdict, VERDICT_SAFE);
    assert_true(has_note(story, "looked for in production and are in it"));

    story->result.fidelity.likeness.cover = WITNESS_PARTLY;
    story_judge(story);
    assert_int_equal(story->result.verdict, VERDICT_INCONCLUSIVE);
    assert_contains(story->result.headline, "not all rows that could break it");
}

static void test_rules_sample_counts_say_where_they_come_from(void **state)
{
    struct story *story = *state;
    struct sampled_table *table = sample(story, WITNESS_MISSING);
    story_run(story, "DELETE", 1 * MS);
    story_data_difference(story, DATA_ROWS, USERS, NULL, 12000, 11000);
    const struct finding *finding = story_expect(story, "data-lost", SEVERITY_ERROR);
    assert_contains(finding->title, ", in a 1 % sample");
    assert_contains(finding->why, "12,000 of 1,200,000 rows");
    assert_true(evidence_number(finding, "production_rows") == 1200000);
    assert_int_equal(story->result.verdict, VERDICT_UNSAFE);
    assert_contains(story->result.headline, "in a 1 % sample");

    table->rows_exact = false;
    assert_contains(story_expect(story, "data-lost", SEVERITY_ERROR)->why,
                    "12,000 of about 1,200,000 rows");
    table->relation = "public.others";
    assert_lacks(story_expect(story, "data-lost", SEVERITY_ERROR)->title, "sample");
}

static void test_rules_sample_a_failed_certificate_leaves_no_answer(void **state)
{
    struct story *story = *state;
    story_run(story, "ALTER TABLE", 1 * MS);
    struct manifest_certificate *certificate = RH_PUSH(
        story->arena, &story->result.fidelity.likeness.certificates);
    *certificate = (struct manifest_certificate){
        .name = "integrity", .status = "failed", .detail = "2 tables differ"};
    story_judge(story);
    assert_int_equal(story->result.verdict, VERDICT_INCONCLUSIVE);
    assert_contains(story->result.headline, "\"integrity\" failed: 2 tables differ");
    certificate->status = "passed";
    story_judge(story);
    assert_int_equal(story->result.verdict, VERDICT_SAFE);
}

static void test_rules_sample_clear_data_is_told(void **state)
{
    struct story *story = *state;
    story_run(story, "ALTER TABLE", 1 * MS);
    story_expect_none(story, "unsanitized-snapshot");
    story->result.fidelity.likeness.clear_data = "its manifest says that it is not masked";
    const struct finding *finding = story_expect(story, "unsanitized-snapshot", SEVERITY_WARNING);
    assert_contains(finding->why, "its manifest says that it is not masked");
    assert_int_equal(story->result.verdict, VERDICT_SAFE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORY_TEST(test_rules_sample_success_on_its_rows_proves_nothing),
        STORY_TEST(test_rules_sample_rewrites_indexes_and_writes_depend_on_the_rows),
        STORY_TEST(test_rules_sample_what_reads_none_of_its_rows_is_safe),
        STORY_TEST(test_rules_sample_witnesses_decide),
        STORY_TEST(test_rules_sample_counts_say_where_they_come_from),
        STORY_TEST(test_rules_sample_a_failed_certificate_leaves_no_answer),
        STORY_TEST(test_rules_sample_clear_data_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
