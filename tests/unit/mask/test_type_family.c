/* Types by the rules that they take. */
#include "catalog_fixture.h"

static enum type_family family_of(const char *type, char kind)
{
    struct catalog_column column = {.base_type = type, .type_kind = kind};
    return rh_mask_family(&column);
}

static void test_type_family_of_types(void **state)
{
    (void)state;
    assert_int_equal(family_of("varchar", 'b'), FAMILY_TEXT);
    assert_int_equal(family_of("extensions.citext", 'b'), FAMILY_TEXT);
    assert_int_equal(family_of("public.hstore", 'b'), FAMILY_HSTORE);
    assert_int_equal(family_of("public.geometry", 'b'), FAMILY_UNKNOWN);
    assert_int_equal(family_of("public.mood", 'e'), FAMILY_PLAIN);
    assert_int_equal(family_of("time", 'b'), FAMILY_PLAIN);
    assert_int_equal(family_of("regclass", 'b'), FAMILY_PLAIN);
    assert_int_equal(family_of("tsquery", 'b'), FAMILY_UNKNOWN);
    assert_int_equal(family_of("jsonpath", 'b'), FAMILY_UNKNOWN);
    assert_int_equal(family_of("unknown", 'b'), FAMILY_UNKNOWN);
}

/* Ranges are what they are of; composites the strictest of what is in them. */
static void test_type_family_of_types_with_parts(void **state)
{
    static const struct {
        const char *type;
        char kind;
        const char *parts[3];
        enum type_family family;
    } cases[] = {
        {"daterange", 'r', {"date"}, FAMILY_TIME},
        {"int4multirange", 'm', {"int4"}, FAMILY_NUMBER},
        {"public.float_range", 'r', {"float8"}, FAMILY_RANGE},
        {"public.price_range", 'r', {"money"}, FAMILY_RANGE},
        {"public.time_range", 'r', {"time"}, FAMILY_PLAIN},
        {"public.word_range", 'r', {"text"}, FAMILY_UNKNOWN},
        {"public.pair", 'c', {"int4", "bool"}, FAMILY_PLAIN},
        {"public.contact", 'c', {"int4", "text"}, FAMILY_COMPOSITE},
        {"public.spot", 'c', {"text", "public.geometry"}, FAMILY_UNKNOWN},
        {"public.nothing", 'c', {NULL}, FAMILY_UNKNOWN},
    };
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    (void)state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct catalog_column column = {.base_type = cases[i].type, .type_kind = cases[i].kind};
        for (size_t p = 0; p < 3 && cases[i].parts[p]; p++)
            *RH_PUSH(arena, &column.attributes) = (struct catalog_attribute){
                .name = "", .base_type = cases[i].parts[p], .type_kind = 'b'};
        if (rh_mask_family(&column) != cases[i].family)
            fail_msg("%s: %d, not %d", cases[i].type, (int)rh_mask_family(&column),
                     (int)cases[i].family);
    }
}

/* What a number or a date is, the attribute's name says. */
static void test_type_family_of_composites_by_names(void **state)
{
    static const struct {
        const char *name, *type;
        enum mask_rule rule;
        enum type_family family;
    } cases[] = {
        {"birth_date", "date", MASK_DATE, FAMILY_COMPOSITE},
        {"salary", "numeric", MASK_NUMBER, FAMILY_COMPOSITE},
        {"salary", "money", MASK_NULL, FAMILY_COMPOSITE},
        {"phone", "int8", MASK_NUMBER, FAMILY_COMPOSITE},
        {"location", "point", MASK_NULL, FAMILY_COMPOSITE},
        {"api_token", "uuid", MASK_UUID, FAMILY_COMPOSITE},
        {"owner", "uuid", MASK_KEEP, FAMILY_PLAIN},
        {"quantity", "int4", MASK_KEEP, FAMILY_PLAIN},
        {"email_sent", "bool", MASK_KEEP, FAMILY_PLAIN},
        {"price", "money", MASK_KEEP, FAMILY_PLAIN},
    };
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    (void)state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct catalog_column column = {.base_type = "public.terms", .type_kind = 'c'};
        *RH_PUSH(arena, &column.attributes) = (struct catalog_attribute){
            .name = "count", .base_type = "int4", .type_kind = 'b'};
        struct catalog_attribute *attribute = RH_PUSH(arena, &column.attributes);
        *attribute = (struct catalog_attribute){
            .name = cases[i].name, .base_type = cases[i].type, .type_kind = 'b'};
        if (rh_mask_attribute_rule(attribute) != cases[i].rule ||
            rh_mask_family(&column) != cases[i].family)
            fail_msg("%s %s: %s, %d", cases[i].name, cases[i].type,
                     rh_mask_rule_name(rh_mask_attribute_rule(attribute)),
                     (int)rh_mask_family(&column));
    }
}

/* What a plan lets pass must be what maps take: every rule of every family makes a map. */
static void test_type_family_rules_are_those_of_maps(void **state)
{
    static const char *const types[FAMILY_COUNT] = {
        [FAMILY_TEXT] = "text",
        [FAMILY_NUMBER] = "int4",
        [FAMILY_TIME] = "date",
        [FAMILY_UUID] = "uuid",
        [FAMILY_JSON] = "jsonb",
        [FAMILY_XML] = "xml",
        [FAMILY_HSTORE] = "public.hstore",
        [FAMILY_TSVECTOR] = "tsvector",
        [FAMILY_BYTES] = "bytea",
        [FAMILY_INET] = "inet",
        [FAMILY_MACADDR] = "macaddr",
        [FAMILY_POINT] = "point",
        [FAMILY_MONEY] = "money",
        [FAMILY_PLAIN] = "bool",
        [FAMILY_UNKNOWN] = "tsquery",
    };
    static const struct mask_master_key key = {{7}};
    (void)state;

    for (int family = 0; family < FAMILY_COUNT; family++)
        for (int rule = 0; types[family] && rule < MASK_RULE_COUNT; rule++) {
            RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
            struct mask_map *map = NULL;
            struct err err = RH_ERR_INIT;
            struct mask_map_options options = {.key = &key,
                                               .domain = "d",
                                               .rule = (enum mask_rule)rule,
                                               .type = types[family],
                                               .parameter = rule == MASK_FIXED ? "1" : NULL};
            if (rule == MASK_KEEP ||
                !rh_mask_rule_fits((enum mask_rule)rule, (enum type_family)family))
                continue;
            if (rh_mask_map_new(&options, arena, &map, &err))
                fail_msg("%s for %s: %s", rh_mask_rule_name((enum mask_rule)rule), types[family],
                         err.message);
            rh_mask_map_free(map);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_type_family_of_types),
        cmocka_unit_test(test_type_family_of_types_with_parts),
        cmocka_unit_test(test_type_family_of_composites_by_names),
        cmocka_unit_test(test_type_family_rules_are_those_of_maps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
