#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "snapshot/watches.h"

#include <stdio.h>
#include <string.h>

/* public.users (id, email masked, note kept, payload jsonb masked) */
struct story {
    struct arena *arena;
    struct catalog catalog;
    struct masking masking;
    struct watches *watches;
    struct manifest_certificate shape, leak;
};

static const int numbers[] = {1, 2, 3, 4};

static void add_column(struct story *story, const char *name, const char *type, char category,
                       enum mask_rule rule, bool is_personal)
{
    struct catalog_table *table = &story->catalog.tables.items[0];
    int number = (int)table->columns.count + 1;
    *RH_PUSH(story->arena, &table->columns) = (struct catalog_column){.number = number,
                                                                      .name = name,
                                                                      .quoted = name,
                                                                      .base_type = type,
                                                                      .type_kind = 'b',
                                                                      .type_category = category};
    *RH_PUSH(story->arena, &story->masking.columns) = (struct masked_column){
        .column = number, .rule = rule, .is_personal = is_personal};
}

static int set_up(void **state)
{
    static struct story story;
    story = (struct story){.arena = rh_arena_new()};
    *RH_PUSH(story.arena, &story.catalog.tables) = (struct catalog_table){
        .schema = "public", .name = "users", .identity = "public.users"};
    add_column(&story, "id", "int4", 'N', MASK_KEEP, false);
    add_column(&story, "email", "text", 'S', MASK_EMAIL, true);
    add_column(&story, "note", "text", 'S', MASK_KEEP, false);
    add_column(&story, "payload", "jsonb", 'U', MASK_JSON, true);
    story.watches = rh_watches_new(&story.catalog, &story.masking, 12345);
    *state = &story;
    return 0;
}

static int tear_down(void **state)
{
    struct story *story = *state;
    rh_watches_free(story->watches);
    rh_arena_free(story->arena);
    return 0;
}

/* As long, and nothing of it left. */
static struct text mask_payload(const char *payload)
{
    static const char nothing[] =
        "zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz";
    return (struct text){nothing, strlen(payload)};
}

/* One row through the stream, and as it was restored. */
static void pass(struct story *story, const char *email, const char *masked, const char *note,
                 const char *payload)
{
    struct copy_watcher watcher = rh_watches_stream(story->watches, 0, numbers, 4);
    struct text values[] = {rh_text("1"), rh_text(email), rh_text(note), rh_text(payload)};
    struct text out[] = {rh_text("1"), rh_text(masked), rh_text(note), mask_payload(payload)};
    for (size_t i = 0; i < 4; i++)
        watcher.values(watcher.context, i, &values[i], &out[i], 1);
}

static void restore(struct story *story, const char *masked, const char *note, const char *payload)
{
    struct copy_watcher watcher = rh_watches_restored(story->watches, 0, numbers, 4);
    struct text out[] = {rh_text("1"), rh_text(masked), rh_text(note), mask_payload(payload)};
    for (size_t i = 0; i < 4; i++)
        watcher.values(watcher.context, i, &out[i], &out[i], 1);
}

static void judge(struct story *story)
{
    rh_watches_judge(story->watches, story->arena, &story->shape, &story->leak);
}

static bool says(const struct manifest_certificate *certificate, const char *part)
{
    for (size_t i = 0; i < certificate->notes.count; i++)
        if (strstr(certificate->notes.items[i], part))
            return true;
    return false;
}

static void test_a_clean_copy_passes(void **state)
{
    struct story *story = *state;
    pass(story, "ann.smith@example.com", "qxz.vbnrt@pqowiey.com", "likes tea",
         "{\"k\": \"12 High Street\"}");
    restore(story, "qxz.vbnrt@pqowiey.com", "likes tea", "{\"k\": \"12 High Street\"}");
    judge(story);
    assert_string_equal(story->shape.status, "passed");
    assert_string_equal(story->leak.status, "passed");
    assert_int_equal(story->leak.notes.count, 0);
    assert_non_null(strstr(story->leak.detail, "2 distinct personal values (all of them)"));
}

static void test_a_kept_column_that_repeats_a_masked_one_fails(void **state)
{
    struct story *story = *state;
    pass(story, "ann.smith@example.com", "qxz.vbnrt@pqowiey.com", "x", "{}");
    restore(story, "qxz.vbnrt@pqowiey.com", "wrote to Ann.Smith@example.com today", "{}");
    judge(story);
    assert_string_equal(story->leak.status, "failed");
    assert_true(says(&story->leak, "public.users.note is kept and holds 1 value of "
                                   "public.users.email, which is masked"));
}

static void test_an_unmasked_value_fails(void **state)
{
    struct story *story = *state;
    pass(story, "ann.smith@example.com", "ann.smith@example.com", "x", "{}");
    restore(story, "ann.smith@example.com", "x", "{}");
    judge(story);
    assert_string_equal(story->leak.status, "failed");
    assert_true(says(&story->leak, "public.users.email: stayed what they were: 1 of 1 value"));
}

static void test_a_structure_of_what_stays_may_stay(void **state)
{
    struct story *story = *state;
    struct copy_watcher watcher = rh_watches_stream(story->watches, 0, numbers, 4);
    struct text kept = rh_text("{\"customer_id\": 12345678, \"is_confirmed\": true}");
    watcher.values(watcher.context, 3, &kept, &kept, 1);
    watcher = rh_watches_restored(story->watches, 0, numbers, 4);
    watcher.values(watcher.context, 3, &kept, &kept, 1);
    judge(story);
    assert_string_equal(story->leak.status, "passed");
}

static void test_a_structure_with_an_unmasked_string_fails(void **state)
{
    struct story *story = *state;
    struct copy_watcher watcher = rh_watches_stream(story->watches, 0, numbers, 4);
    struct text left = rh_text("{\"address\": \"12 High Street\"}");
    watcher.values(watcher.context, 3, &left, &left, 1);
    judge(story);
    assert_string_equal(story->leak.status, "failed");
    assert_true(says(&story->leak, "public.users.payload: stayed what they were: 1 of 1 value"));
}

static void test_values_that_were_declared_harmless_may_stay(void **state)
{
    struct story *story = *state;
    *RH_PUSH(story->arena, &story->masking.columns.items[1].kept_values) = "noreply@example.com";
    pass(story, "NoReply@example.com", "NoReply@example.com", "x", "{}");
    restore(story, "NoReply@example.com", "from noreply@example.com", "{}");
    judge(story);
    assert_string_equal(story->leak.status, "passed");
}

static void test_a_leaf_of_json_is_looked_for(void **state)
{
    struct story *story = *state;
    pass(story, "ann.smith@example.com", "qxz.vbnrt@pqowiey.com", "x",
         "{\"delivery_address\": {\"street\": \"221b Baker Street\"}}");
    restore(story, "qxz.vbnrt@pqowiey.com", "the delivery_address is missing", "{}");
    rh_watches_text(story->watches, "a comment on table public.users",
                    rh_text("as in '221b Baker Street'"));
    judge(story);
    assert_string_equal(story->leak.status, "failed");
    assert_int_equal(story->leak.notes.count, 1);
    assert_true(says(&story->leak, "a comment on table public.users holds a value of "
                                   "public.users.payload"));
}

static void test_a_lost_row_changes_the_shape(void **state)
{
    struct story *story = *state;
    pass(story, "ann.smith@example.com", "qxz.vbnrt@pqowiey.com", "x", "{}");
    judge(story);
    assert_string_equal(story->shape.status, "failed");
    assert_true(says(&story->shape, "public.users.email: "));
}

static void test_no_value_is_ever_said(void **state)
{
    struct story *story = *state;
    pass(story, "ann.smith@example.com", "ann.smith@example.com", "x", "{}");
    restore(story, "zzz", "ann.smith@example.com", "{}");
    rh_watches_text(story->watches, "a log", rh_text("ann.smith@example.com"));
    judge(story);
    const struct manifest_certificate *both[] = {&story->shape, &story->leak};
    for (size_t i = 0; i < 2; i++) {
        assert_null(strstr(both[i]->detail, "smith"));
        assert_false(says(both[i], "smith"));
    }
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(test_a_clean_copy_passes),
        T(test_a_kept_column_that_repeats_a_masked_one_fails),
        T(test_an_unmasked_value_fails),
        T(test_values_that_were_declared_harmless_may_stay),
        T(test_a_leaf_of_json_is_looked_for),
        T(test_a_lost_row_changes_the_shape),
        T(test_a_structure_of_what_stays_may_stay),
        T(test_a_structure_with_an_unmasked_string_fails),
        T(test_no_value_is_ever_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
