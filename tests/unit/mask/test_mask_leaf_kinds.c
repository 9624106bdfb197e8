#include "structured.h"

#include "mask/mask_leaf_kinds.h"

/* Maps of a domain, as a structured map has them. */
static struct mask_map *const *kinds_new(struct arena *arena)
{
    const struct mask_map map = {.options = {.key = &test_key, .domain = "people"}};
    struct leaf_maps maps = {{NULL}};
    struct err err = RH_ERR_INIT;
    assert_int_equal(rh_leaf_maps_add_kinds(&maps, &map, NULL, arena, &err), RH_OK);
    assert_int_equal(maps.list.count, LEAF_KIND_COUNT);
    return maps.list.items;
}

static void kinds_free(struct mask_map *const *kinds)
{
    for (int i = 0; i < LEAF_KIND_COUNT; i++)
        rh_mask_map_free(kinds[i]);
}

static const struct {
    const char *value;
    enum leaf_kind kind;
} cases[] = {
    {"", LEAF_TEXT},
    {"Anna", LEAF_TEXT},
    {"Anna Bergmann", LEAF_TEXT},
    {"anna@example.org", LEAF_EMAIL},
    {"ANNA.B+x@MAIL.EXAMPLE.ORG", LEAF_EMAIL},
    {"@anna_b", LEAF_TEXT},
    {"anna at@example.org or", LEAF_TEXT},
    {"https://example.org/a?b=c", LEAF_URL},
    {"postgres://u:p@host/db", LEAF_URL},
    {"12:30:45", LEAF_TEXT},
    {"+49 30 1234567", LEAF_PHONE},
    {"(030) 123-4567", LEAF_PHONE},
    {"0301234567", LEAF_TEXT},
    {"6f1c7b1e-3c4d-4e5f-8a9b-0c1d2e3f4a5b", LEAF_UUID},
    {"6f1c7b1e-3c4d-4e5f-8a9b-0c1d2e3f4a5", LEAF_TEXT},
    {"4111111111111111", LEAF_CARD},
    {"4111 1111 1111 1111", LEAF_CARD},
    {"DE89370400440532013000", LEAF_IBAN},
    {"192.168.1.20", LEAF_INET},
    {"1.2.3", LEAF_TEXT},
    {"1.2.3.400", LEAF_TEXT},
    {"2001:db8::17", LEAF_INET},
    {"2024-05-06", LEAF_DATE},
    {"2024-05-06T07:08:09Z", LEAF_DATE},
    {"2024-05-06 07:08:09.123+02:00", LEAF_DATE},
    {"2024-05-06 and more", LEAF_TEXT},
    {"2024-13-06", LEAF_TEXT},
    {"2024-05-06T07:08", LEAF_DATE},
    {"2024-05-06 07:08:09.123456789-0330", LEAF_DATE},
    {"2024-05-06 07:08:09+00:53:28", LEAF_DATE},
    {"1985-03-12 078-05-1120", LEAF_CARD},
    {"2026-11-20 +491701234567", LEAF_TEXT},
    {"1985-03-12 078-05-11201985", LEAF_TEXT},
    {"2026-11-20T4111111111111111", LEAF_TEXT},
    {"2026-11-20 07:08:09+491701234567", LEAF_TEXT},
    {"2026-11-20 07:08:09.4111111111111111", LEAF_TEXT},
    {"2026-11-20 07:08:09Z1", LEAF_TEXT},
    {"2026-11-20 07", LEAF_TEXT},
    {"192.168.001.020", LEAF_TEXT},
};

static void test_values_are_told_by_their_looks(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct mask_map *const *kinds = kinds_new(arena);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        if (rh_leaf_kind(kinds, rh_text(cases[i].value)) != cases[i].kind)
            fail_msg("%s is %d, not %d", cases[i].value,
                     (int)rh_leaf_kind(kinds, rh_text(cases[i].value)), (int)cases[i].kind);
    kinds_free(kinds);
}

/* Else two values of different kinds could get one pseudonym. */
static void test_a_pseudonym_looks_as_its_value_did(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    RH_CLEANUP_ARENA struct arena *scratch = rh_arena_new();
    struct mask_map *const *kinds = kinds_new(arena);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct text value = rh_text(cases[i].value), masked;
        if (cases[i].kind == LEAF_DATE)
            value.len = LEAF_DATE_BYTES;
        rh_mask_map_apply(kinds[cases[i].kind], &value, 1, scratch, &masked);
        if (rh_leaf_kind(kinds, masked) != cases[i].kind)
            fail_msg("%s became %.*s", cases[i].value, (int)masked.len, masked.data);
    }
    kinds_free(kinds);
}

static void test_names_of_members_are_structure_or_data(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        bool is_data;
    } names[] = {{"name", false},
                 {"created_at", false},
                 {"", false},
                 {"1", false},
                 {"2024", false},
                 {"12345", false},
                 {"123456", true},
                 {"10023871", true},
                 {"2024-05-06", false},
                 {"anna@example.org", true},
                 {"+491701234567", true},
                 {"6f1c7b1e-3c4d-4e5f-8a9b-0c1d2e3f4a5b", true},
                 {"10.1.2.30", true},
                 {"http://schema.org/name", true},
                 {"aVeryLongNameOfAMember", false}};
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct mask_map *const *kinds = kinds_new(arena);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        enum leaf_kind kind;
        if (rh_leaf_key_is_data(kinds, rh_text(names[i].name), &kind) != names[i].is_data)
            fail_msg("%s", names[i].name);
    }
    kinds_free(kinds);
}

static void test_numbers_that_are_a_persons(void **state)
{
    (void)state;
    assert_true(rh_leaf_is_card_number(rh_text("4111111111111111")));
    assert_true(rh_leaf_is_card_number(rh_text("378282246310005")));
    assert_false(rh_leaf_is_card_number(rh_text("4111111111111112")));
    assert_false(rh_leaf_is_card_number(rh_text("1716900000000")));
    assert_false(rh_leaf_is_card_number(rh_text("-4111111111111111")));
    assert_false(rh_leaf_is_card_number(rh_text("4111111111.11111")));
    assert_true(rh_leaf_key_names_number(rh_text("mobilePhone")));
    assert_true(rh_leaf_key_names_number(rh_text("tel")));
    assert_true(rh_leaf_key_names_number(rh_text("SSN")));
    assert_true(rh_leaf_key_names_number(rh_text("tax_id")));
    assert_false(rh_leaf_key_names_number(rh_text("phone_id")));
    assert_false(rh_leaf_key_names_number(rh_text("hotel")));
    assert_false(rh_leaf_key_names_number(rh_text("id")));
    assert_false(rh_leaf_key_names_number(rh_text("")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values_are_told_by_their_looks),
        cmocka_unit_test(test_a_pseudonym_looks_as_its_value_did),
        cmocka_unit_test(test_names_of_members_are_structure_or_data),
        cmocka_unit_test(test_numbers_that_are_a_persons),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
