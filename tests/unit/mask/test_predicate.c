/* What can be shown of conditions over masked columns, and what not. */
#include "catalog_fixture.h"

static const struct predicate_column columns[] = {
    {.name = "t", .rule = MASK_TEXT, .domain = "t"},
    {.name = "e", .rule = MASK_EMAIL, .domain = "e"},
    {.name = "e2", .rule = MASK_EMAIL, .domain = "e"},
    {.name = "u", .rule = MASK_UUID, .domain = "u"},
    {.name = "h", .rule = MASK_HASH, .domain = "h"},
    {.name = "n", .rule = MASK_NUMBER, .family = FAMILY_NUMBER, .domain = "n"},
    {.name = "n2", .rule = MASK_NUMBER, .family = FAMILY_NUMBER, .domain = "n"},
    {.name = "d", .rule = MASK_DATE, .family = FAMILY_TIME, .domain = "d"},
    {.name = "d2", .rule = MASK_DATE, .family = FAMILY_TIME, .domain = "d"},
    {.name = "d3", .rule = MASK_DATE, .family = FAMILY_TIME, .domain = "other"},
    {.name = "z", .rule = MASK_NULL},
    {.name = "f", .rule = MASK_FIXED, .parameter = "x"},
    {.name = "j", .rule = MASK_JSON, .family = FAMILY_JSON, .domain = "j"},
    {.name = "ip", .rule = MASK_INET, .family = FAMILY_INET, .domain = "ip"},
    {.name = "a", .rule = MASK_TEXT, .domain = "a", .is_array = true},
    {.name = "k",
     .rule = MASK_TEXT,
     .domain = "k",
     .kept_values = (const char *const[]){"new", "Paid"},
     .kept_value_count = 2},
    {.name = "kept", .rule = MASK_KEEP},
};
#define COLUMN_COUNT (sizeof(columns) / sizeof(columns[0]))

static enum predicate_fate fate_of(struct arena *arena, const char *text)
{
    const struct sql_expression *expression = rh_sql_expression(rh_text(text), arena);
    if (!expression)
        fail_msg("\"%s\" cannot be read", text);
    return rh_predicate_fate(expression, columns, COLUMN_COUNT);
}

static void test_predicate_fates(void **state)
{
    static const struct {
        const char *text;
        enum predicate_fate fate;
    } cases[] = {
        {"kept > 5", PREDICATE_SAME},
        {"unknown_function(kept)", PREDICATE_SAME},
        {"t IS NOT NULL", PREDICATE_SAME},
        {"t <> ''::text", PREDICATE_SAME},
        {"t > ''::text", PREDICATE_SAME},
        {"t = 'open'::text", PREDICATE_UNKNOWN},
        {"k = 'new'::text", PREDICATE_SAME},
        {"k = 'NEW'::text", PREDICATE_SAME},
        {"k = ANY (ARRAY['new'::text, 'paid'::text])", PREDICATE_SAME},
        {"k = ANY (ARRAY['new'::text, 'lost'::text])", PREDICATE_UNKNOWN},
        {"lower(k) = 'new'::text", PREDICATE_SAME},
        {"NOT (k = 'new'::text)", PREDICATE_SAME},
        {"NOT (t = 'new'::text)", PREDICATE_UNKNOWN},
        {"(t IS NOT NULL) AND (k = 'new'::text) AND kept > 0", PREDICATE_SAME},
        {"(t IS NOT NULL) OR (t = 'x'::text)", PREDICATE_UNKNOWN},
        /* lengths */
        {"length((t)::text) <= 20", PREDICATE_SAME},
        {"char_length(btrim(t)) > 0", PREDICATE_SAME},
        {"octet_length(e) < kept", PREDICATE_SAME},
        {"length(h) = 8", PREDICATE_UNKNOWN},
        {"(length(t) >= 3) AND (length(t) <= 30)", PREDICATE_SAME},
        /* patterns */
        {"(e)::text ~ '^[^@\\s]+@[^@\\s]+\\.[^@\\s]+$'::text", PREDICATE_SAME},
        {"e ~* '^[A-Za-z0-9._%-]+@[A-Za-z0-9.-]+[.][A-Za-z]+$'::text", PREDICATE_SAME},
        {"e ~~ '%@%'::text", PREDICATE_SAME},
        {"e ~~ '%@example.org'::text", PREDICATE_UNKNOWN},
        {"t ~ '^[A-Z]{2}[0-9]{6}$'::text", PREDICATE_SAME},
        {"t ~ '^\\d{5}(-\\d{4})?$'::text", PREDICATE_SAME},
        {"t ~ '^[[:alpha:]]+$'::text", PREDICATE_SAME},
        {"t ~ '^SKU-'::text", PREDICATE_UNKNOWN},
        {"t ~ '^[1-9]'::text", PREDICATE_UNKNOWN},
        {"t ~ '^[a-f0-9]+$'::text", PREDICATE_UNKNOWN},
        {"t ~ '(.)\\1'::text", PREDICATE_UNKNOWN},
        {"u ~ '^[a-z0-9-]+$'::text", PREDICATE_UNKNOWN},
        {"regexp_like(t, '^[a-z]+$'::text)", PREDICATE_SAME},
        {"position('@' in e) > 1", PREDICATE_SAME},
        {"strpos(e, 'x') > 1", PREDICATE_UNKNOWN},
        /* case */
        {"t = lower(t)", PREDICATE_SAME},
        {"upper(t) = t", PREDICATE_SAME},
        {"lower(h) = h", PREDICATE_UNKNOWN},
        /* columns with each other */
        {"e <> e2", PREDICATE_SAME},
        {"e < e2", PREDICATE_UNKNOWN},
        {"e <> t", PREDICATE_UNKNOWN},
        {"d2 >= d", PREDICATE_BUT_EXTREMES},
        {"d2 = d", PREDICATE_SAME},
        {"(d2 >= d) OR (d IS NULL)", PREDICATE_BUT_EXTREMES},
        {"NOT (d2 >= d)", PREDICATE_UNKNOWN},
        {"d3 >= d", PREDICATE_UNKNOWN},
        {"d > kept", PREDICATE_UNKNOWN},
        {"n >= n2", PREDICATE_BUT_EXTREMES},
        /* numbers and dates */
        {"n > 0", PREDICATE_SAME},
        {"n >= (0)::numeric", PREDICATE_SAME},
        {"n < 100", PREDICATE_UNKNOWN},
        {"n > 0 AND n < 100", PREDICATE_UNKNOWN},
        {"d > '2000-01-01'::date", PREDICATE_UNKNOWN},
        /* NULL and one value for all */
        {"z ~ 'x'::text", PREDICATE_HOLDS},
        {"(z = 'a'::text) OR (z = 'b'::text)", PREDICATE_HOLDS},
        {"z IS NULL", PREDICATE_HOLDS},
        {"z IS NOT NULL", PREDICATE_UNKNOWN},
        {"num_nonnulls(z, kept) = 1", PREDICATE_UNKNOWN},
        {"num_nonnulls(t, e, kept) = 1", PREDICATE_SAME},
        {"(((t IS NOT NULL))::integer + ((e IS NOT NULL))::integer) = 1", PREDICATE_SAME},
        {"(t IS NULL) = (e IS NULL)", PREDICATE_SAME},
        {"COALESCE(t, e, kept) IS NOT NULL", PREDICATE_SAME},
        {"COALESCE(t, z) IS NOT NULL", PREDICATE_UNKNOWN},
        {"((t || e) IS NOT NULL)", PREDICATE_SAME},
        {"lookup(t) IS NOT NULL", PREDICATE_UNKNOWN},
        {"starts_with(e, '+'::text)", PREDICATE_SAME},
        {"starts_with(e, 'a'::text)", PREDICATE_UNKNOWN},
        {"COALESCE(z, 'x'::text) = 'x'::text", PREDICATE_UNKNOWN},
        {"f = ANY (ARRAY['x'::text, 'y'::text])", PREDICATE_HOLDS},
        {"f <> ALL (ARRAY['y'::text, 'z'::text])", PREDICATE_HOLDS},
        {"f <> ALL (ARRAY['x'::text, 'z'::text])", PREDICATE_UNKNOWN},
        {"f = ALL (ARRAY['x'::text, 'z'::text])", PREDICATE_UNKNOWN},
        {"k <> ALL (ARRAY['new'::text, ''::text])", PREDICATE_SAME},
        {"k <> ALL (ARRAY['new'::text, 'x'::text])", PREDICATE_UNKNOWN},
        {"f = 'x'::text", PREDICATE_HOLDS},
        {"f = 'y'::text", PREDICATE_UNKNOWN},
        /* structures */
        {"jsonb_typeof(j) = 'object'::text", PREDICATE_SAME},
        {"jsonb_typeof((j -> 'a'::text)) = 'array'::text", PREDICATE_SAME},
        {"j ? 'name'::text", PREDICATE_SAME},
        {"(j ->> 'name'::text) IS NOT NULL", PREDICATE_SAME},
        {"(j ->> 'name'::text) = 'x'::text", PREDICATE_UNKNOWN},
        {"cardinality(a) > 0", PREDICATE_SAME},
        {"array_length(a, 1) <= 5", PREDICATE_SAME},
        {"family(ip) = 4", PREDICATE_SAME},
        {"ip << '10.0.0.0/8'::inet", PREDICATE_UNKNOWN},
        {"is_valid(t)", PREDICATE_UNKNOWN},
        {"CASE WHEN t = 'x'::text THEN true ELSE false END", PREDICATE_UNKNOWN},
        {"(t)::integer > 5", PREDICATE_UNKNOWN},
    };
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    (void)state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        if (fate_of(arena, cases[i].text) != cases[i].fate)
            fail_msg("%s: %d, not %d", cases[i].text, (int)fate_of(arena, cases[i].text),
                     (int)cases[i].fate);
}

static void test_predicate_expressions_that_keep_values_apart(void **state)
{
    static const struct {
        const char *text;
        bool commutes;
    } cases[] = {
        {"lower((e)::text)", true},
        {"upper(btrim(t))", true},
        {"(t)::citext", true},
        {"lower(h)", false},
        {"md5(t)", false},
        {"regexp_replace(t, '[^0-9]'::text, ''::text)", false},
        {"(j ->> 'email'::text)", true},
        {"COALESCE(k, ''::text)", true},
        {"COALESCE(t, 'gone'::text)", false},
        {"\"left\"(t, 3)", true},
        {"substr(t, 1, 3)", true},
        {"substr(t, 2, 3)", false},
        {"\"left\"(e, 3)", false},
        {"(d)::date", true},
        {"date_trunc('month'::text, d)", false},
        {"kept", true},
        {"lower(kept)", true},
        {"(t)::integer", false},
        {"(t || e)", false},
    };
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    (void)state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct sql_expression *expression = rh_sql_expression(rh_text(cases[i].text), arena);
        assert_non_null(expression);
        if (rh_expression_commutes(expression, columns, COLUMN_COUNT) != cases[i].commutes)
            fail_msg("%s: not %d", cases[i].text, cases[i].commutes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_predicate_fates),
        cmocka_unit_test(test_predicate_expressions_that_keep_values_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
