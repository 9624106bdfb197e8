/* Repairs that fill a column with one value, and unique keys over it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "rehearsal/unique_keys.h"

#include <stdio.h>
#include <string.h>

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

static void test_unique_keys_that_failed_spoil_it_too(void **state)
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
    /* In front of it: it was tried without the key, which is there once its rows are mended. */
    story->blockers.items.count = 0;
    add(story, OFFENCE_DUPLICATE_KEYS, "email");
    struct offenders *filled = add(story, OFFENCE_NULL_VALUES, "email");
    mark(story);
    assert_string_equal(filled->made_unique, "the key over email");
}

/* Another row may have the value that one row is given. */
static void test_unique_keys_matter_to_one_row_and_not_to_another_repair(void **state)
{
    struct story *story = *state;
    struct offenders *offenders = add(story, OFFENCE_NULL_VALUES, "email");
    add_key(story, &story->after, "public.users", "email", "users_email");
    offenders->rows = 1;
    assert_string_equal(mark(story), "users_email");
    offenders->made_unique = NULL;
    offenders->repair_fills = NULL;
    assert_null(mark(story));
}

/* --- values of their own, on a server that answers by a table --- */

#define OWN "UPDATE own"
#define ONE "UPDATE one"
#define KEY "DELETE twice"

static struct {
    const char *refused;  /* the statement that fails; NULL: none does */
    const char *spoiling; /* behind which the key's repair finds a row more; NULL */
    char log[1000];
} server;

static enum err_code fake_try(struct connection *connection, enum engine_trial trial,
                              const char *const *statements, size_t count, struct arena *arena,
                              struct mono deadline, const char **ret_tag, struct err *err)
{
    bool is_spoiled = false;
    (void)connection;
    (void)arena;
    (void)deadline;
    for (size_t i = 0; i < count; i++) {
        size_t len = strlen(server.log);
        snprintf(server.log + len, sizeof(server.log) - len, "%s%s%s",
                 i > 0                          ? ", "
                 : trial == ENGINE_TRIAL_CHECKS ? "checks "
                                                : "counts ",
                 statements[i], i + 1 == count ? "|" : "");
        if (server.refused && strcmp(statements[i], server.refused) == 0)
            return rh_err_set(err, RH_ERR_SERVER, "refused");
        is_spoiled |= server.spoiling && strcmp(statements[i], server.spoiling) == 0;
    }
    *ret_tag = is_spoiled ? "DELETE 3" : "DELETE 2";
    return RH_OK;
}

static const struct engine fake_engine = {.try_statements = fake_try};

/* NULLs in a column over which a key failed, as marked. */
static struct offenders *mend(struct story *story, const char *own, const char *refused,
                              const char *spoiling)
{
    story->blockers.items.count = 0;
    add(story, OFFENCE_NULL_VALUES, "email");
    add(story, OFFENCE_DUPLICATE_KEYS, "lower(email)")->repair_sql = KEY;
    struct offenders *filled = &story->blockers.items.items[0].offenders.items[0];
    filled->repair_sql = ONE;
    filled->own_values_sql = own;
    assert_non_null(mark(story));
    memset(&server, 0, sizeof(server));
    server.refused = refused;
    server.spoiling = spoiling;
    rh_unique_keys_mend(&fake_engine, NULL, story->arena, &story->blockers);
    return filled;
}

static void test_unique_keys_take_values_of_their_own(void **state)
{
    const struct offenders *filled = mend(*state, OWN, NULL, ONE);
    assert_string_equal(filled->repair_sql, OWN);
    assert_null(filled->repair_fills);
    assert_non_null(filled->made_unique);
    assert_true(filled->repair_per_row && filled->repair_invents);
    /* No key of a later statement may refuse what is only counted. */
    assert_string_equal(server.log, "checks " OWN "|counts " KEY "|counts " OWN ", " KEY "|");
}

/* A key that was made refuses them; the repair of one that failed would delete one of them. */
static void test_unique_keys_take_none_that_do_not_hold(void **state)
{
    static const struct {
        const char *own, *refused, *spoiling, *expected;
    } cases[] = {
        {OWN, OWN, ONE, NULL},  /* the key refuses the one, the other's rows would be deleted */
        {OWN, OWN, NULL, ONE},  /* one for all holds: among several columns */
        {OWN, KEY, NULL, NULL}, /* nothing is known of what it would delete */
        {OWN, NULL, OWN, ONE},   {NULL, ONE, NULL, NULL},
        {NULL, NULL, ONE, NULL}, {NULL, NULL, NULL, ONE},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct offenders *filled = mend(*state, cases[i].own, cases[i].refused,
                                              cases[i].spoiling);
        if (!cases[i].expected) {
            assert_null(filled->repair_sql);
            assert_non_null(filled->made_unique);
            assert_string_equal(filled->repair_fills, "email");
        } else {
            assert_string_equal(filled->repair_sql, cases[i].expected);
            assert_null(filled->made_unique);
        }
    }
}

static void test_unique_keys_try_nothing_that_is_not_marked(void **state)
{
    struct story *story = *state;
    struct err err = RH_ERR_INIT;
    add(story, OFFENCE_NULL_VALUES, "email")->repair_sql = ONE;
    memset(&server, 0, sizeof(server));
    rh_unique_keys_mend(&fake_engine, NULL, story->arena, &story->blockers);
    assert_string_equal(server.log, "");
    assert_int_equal(
        rh_unique_keys_settle(&fake_engine, NULL, story->arena, &story->blockers, &err), RH_OK);
    assert_string_equal(story->blockers.items.items[0].offenders.items[0].repair_sql, ONE);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_unique_keys_that_the_release_made_spoil_a_placeholder),
        TEST(test_unique_keys_that_were_there_spoil_nothing),
        TEST(test_unique_keys_that_failed_spoil_it_too),
        TEST(test_unique_keys_matter_to_one_row_and_not_to_another_repair),
        TEST(test_unique_keys_take_values_of_their_own),
        TEST(test_unique_keys_take_none_that_do_not_hold),
        TEST(test_unique_keys_try_nothing_that_is_not_marked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
