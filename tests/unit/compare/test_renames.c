/* Whether one text is another under new names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "compare/renames.h"

static void test_renames_explain_what_follows_and_nothing_else(void **state)
{
    (void)state;
    static const struct {
        const char *before, *after;
        bool follows;
    } texts[] = {
        {"users_pkey on public.users", "users_pkey on public.members", true},
        {"REFERENCES public.users(id)", "REFERENCES public.members(id)", true},
        {"a.users_x = users.email", "a.users_x = members.email",
         true}, /* another table has one too */
        {"SELECT users.email FROM public.users", "SELECT members.mail FROM public.members", true},
        /* A view keeps the name its readers know. */
        {"SELECT users.email FROM public.users", "SELECT members.mail AS email FROM public.members",
         true},
        {"SELECT email AS email FROM t", "SELECT mail AS email FROM t", true},
        {"SELECT users.email FROM public.users", "SELECT members.mail AS post FROM public.members",
         false},
        {"users_email > 1", "members_email > 1", false}, /* another word */
        {"nextval('public.users_id_seq'::regclass)", "nextval('public.members_id_seq'::regclass)",
         false},
        {"public.users", "public.members CHECK", false},
        {"", "", true},
    };
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct renames renames = {0};
    rh_renames_add(&renames, arena, "public.users", "public.members");
    rh_renames_add(&renames, arena, "public.members.email", "public.members.mail");
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
        if (rh_renames_explain(&renames, texts[i].before, texts[i].after) != texts[i].follows)
            fail_msg("\"%s\" -> \"%s\": expected %d", texts[i].before, texts[i].after,
                     texts[i].follows);
}

static void test_renames_explain_nothing_without_a_rename(void **state)
{
    (void)state;
    struct renames renames = {0};
    assert_false(rh_renames_explain(&renames, "a", "a"));
    assert_false(rh_renames_explain(&renames, "a", "b"));
}

static void test_renames_give_the_name_before(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct renames renames = {0};
    rh_renames_add(&renames, arena, "users", "members");
    assert_string_equal(rh_renames_before(&renames, "members"), "users");
    assert_string_equal(rh_renames_before(&renames, "users"), "users");
    assert_string_equal(rh_renames_before(&renames, "member"), "member");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_renames_explain_what_follows_and_nothing_else),
        cmocka_unit_test(test_renames_explain_nothing_without_a_rename),
        cmocka_unit_test(test_renames_give_the_name_before),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
