/* Repairs that fill a column with one value, and unique keys over it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "rehearsal/unique_keys.h"

struct story {
    struct arena *arena;
    struct unique_keys before, after;
    struct blockers blockers;
};

static int set_up(void **state)
{
    struct arena *arena = rh_arena_new();
    struct story *story = RH_NEW(arena, struct story);
    story->arena = arena;
    *state = story;
    return 0;
}

static int tear_down(void **state)
{
    rh_arena_free(((struct story *)*state)->arena);
    return 0;
}

static struct offenders *add(struct story *story, enum offence offence, const char *columns)
{
    struct blocker *blocker = RH_PUSH(story->arena, &story->blockers.items);
    *blocker = (struct blocker){0};
    struct offenders *offenders = RH_PUSH(story->arena, &blocker->offenders);
    *offenders = (struct offenders){
        .offence = offence, .relation = "public.users", .columns = columns, .rows = 5};
    if (offence == OFFENCE_NULL_VALUES)
        offenders->repair_fills = columns;
    return offenders;
}

static void add_key(struct story *story, struct unique_keys *keys, const char *table,
                    const char *column, const char *name)
{
    *RH_PUSH(story->arena, &keys->items) = (struct unique_key){table, column, name};
}

static const char *mark(struct story *story)
{
    rh_unique_keys_mark(&story->before, &story->after, story->arena, &story->blockers);
    return story->blockers.items.items[0].offenders.items[0].made_unique;
}

static void test_unique_keys_that_the_release_made_spoil_a_placeholder(void **state)
{
    struct story *story = *state;
    add(story, OFFENCE_NULL_VALUES, "email");
    add_key(story, &story->after, "public.users", "name", "users_name");
    add_key(story, &story->after, "public.orders", "email", "orders_email");
    assert_null(mark(story));
    add_key(story, &story->after, "public.users", "email", "users_email");
    assert_string_equal(mark(story), "users_email");
}

/* The repair was tried with those that were there before. */
static void test_unique_keys_that_were_there_spoil_nothing(void **state)
{
    struct story *story = *state;
    add(story, OFFENCE_NULL_VALUES, "email");
    add_key(story, &story->before, "public.users", "email", "users_email");
    add_key(story, &story->after, "public.users", "email", "users_email");
    assert_null(mark(story));
}

static void test_unique_keys_that_failed_behind_it_spoil_it_too(void **state)
{
    static const struct {
        const char *columns;
        bool spoils;
    } cases[] = {{"email", true},
                 {"tenant_id, lower(email)", true},
                 {"mail", false},
                 {"lower(my_email)", false},
                 {"email_id", false}};
    struct story *story = *state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        story->blockers.items.count = 0;
        add(story, OFFENCE_NULL_VALUES, "email");
        add(story, OFFENCE_DUPLICATE_KEYS, cases[i].columns)->constraint = "failed";
        assert_int_equal(mark(story) != NULL, cases[i].spoils);
    }
    /* What came before it was tried without it, and is no longer to come. */
    story->blockers.items.count = 0;
    add(story, OFFENCE_DUPLICATE_KEYS, "email");
    struct offenders *filled = add(story, OFFENCE_NULL_VALUES, "email");
    mark(story);
    assert_null(filled->made_unique);
}

static void test_unique_keys_do_not_matter_to_one_row_or_another_repair(void **state)
{
    struct story *story = *state;
    struct offenders *offenders = add(story, OFFENCE_NULL_VALUES, "email");
    add_key(story, &story->after, "public.users", "email", "users_email");
    offenders->rows = 1;
    assert_null(mark(story));
    offenders->rows = 2;
    offenders->repair_fills = NULL;
    assert_null(mark(story));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_unique_keys_that_the_release_made_spoil_a_placeholder),
        TEST(test_unique_keys_that_were_there_spoil_nothing),
        TEST(test_unique_keys_that_failed_behind_it_spoil_it_too),
        TEST(test_unique_keys_do_not_matter_to_one_row_or_another_repair),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
