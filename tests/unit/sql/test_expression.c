#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sql/expression.h"
#include "sql/facts.h"

static void show(const struct sql_expression *expression, struct buf *out)
{
    static const char *const kinds[] = {
        "column", "",    "cast",    "call",        "",      "any",      "all",  "and",
        "or",     "not", "is-null", "is-not-null", "array", "coalesce", "other"};

    if (expression->kind == SQL_CONSTANT) {
        rh_buf_printf(out, "%s%s%s", expression->name ? "'" : "",
                      expression->name ? expression->name : "null", expression->name ? "'" : "");
        return;
    }
    if (expression->kind == SQL_COLUMN) {
        rh_buf_add_str(out, expression->name);
        return;
    }
    rh_buf_add_char(out, '(');
    rh_buf_add_str(out, kinds[expression->kind]);
    if (expression->name)
        rh_buf_printf(out, "%s%s", kinds[expression->kind][0] ? ":" : "", expression->name);
    for (size_t i = 0; i < expression->arguments.count; i++) {
        rh_buf_add_char(out, ' ');
        show(expression->arguments.items[i], out);
    }
    rh_buf_add_char(out, ')');
}

static void test_expression_has_a_tree(void **state)
{
    static const struct {
        const char *text, *tree;
    } cases[] = {
        {"CHECK ((status = ANY (ARRAY['a'::text, 'b'::text])))",
         "(any:= status (array (cast:text 'a') (cast:text 'b')))"},
        {"CHECK (((VALUE)::text ~ '^a'::text)) NOT VALID",
         "(~ (cast:text value) (cast:text '^a'))"},
        {"CHECK ((a > 0)) NO INHERIT NOT VALID", "(> a '0')"},
        {"CHECK ((a > '-1'::integer)) NOT ENFORCED", "(> a (cast:int4 '-1'))"},
        {"lower((email)::text)", "(call:lower (cast:text email))"},
        {"((a IS NULL) OR (NOT (b IS NOT NULL)))", "(or (is-null a) (not (is-not-null b)))"},
        {"a IN (1, 2.5)", "(any:= a (array '1' '2.5'))"},
        {"a NOT IN (1)", "(all:<> a (array '1'))"},
        {"COALESCE(a, NULL, true)", "(coalesce a null 'true')"},
        {"CASE WHEN a > 1 THEN b ELSE lower(c) END", "(other (> a '1') b (call:lower c))"},
        {"pg_catalog.length(\"Odd name\") = 0", "(= (call:length Odd name) '0')"},
        {"a LIKE '%@%'", "(~~ a '%@%')"},
        {"a[1] > 0", "(> (other a '1') '0')"},
        {"a = ANY ('{x,y}'::text[])", "(any:= a (cast:text[] '{x,y}'))"},
        {"a <> ALL (ARRAY['x'])", "(all:<> a (array 'x'))"},
    };
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    (void)state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct buf out RH_CLEANUP_BUF;
        rh_buf_init(&out, 65536);
        const struct sql_expression *expression = rh_sql_expression(rh_text(cases[i].text), arena);
        if (!expression)
            fail_msg("%s cannot be read", cases[i].text);
        show(expression, &out);
        assert_string_equal(out.data, cases[i].tree);
    }
}

static void test_expression_is_null_for_what_is_none(void **state)
{
    static const char *const texts[] = {"", "CHECK ()", "a >", "1; SELECT 2", "1) UNION SELECT (2"};
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct buf much RH_CLEANUP_BUF;
    (void)state;

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        if (rh_sql_expression(rh_text(texts[i]), arena))
            fail_msg("\"%s\" was read", texts[i]);
    rh_buf_init(&much, 65536);
    while (much.len <= SQL_TREE_MAX)
        rh_buf_add_str(&much, "a +");
    rh_buf_add_str(&much, "a");
    assert_null(rh_sql_expression(rh_buf_text(&much), arena));
}

static void test_expression_uncast_stops_at_the_value(void **state)
{
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    (void)state;

    const struct sql_expression *inner = rh_sql_uncast(
        rh_sql_expression(rh_text("(a::varchar)::text"), arena));
    assert_int_equal(inner->kind, SQL_COLUMN);
    assert_null(rh_sql_uncast(NULL));
}

/* What a modifier cuts or rounds is another value; so is what another type makes of a text. */
static void test_expression_uncast_stays_at_casts_that_change_the_value(void **state)
{
    static const struct {
        const char *text;
        enum sql_expression_kind kind, kind_of_text;
    } cases[] = {
        {"(a::varchar)::text", SQL_COLUMN, SQL_COLUMN},
        {"a::public.citext", SQL_COLUMN, SQL_COLUMN},
        {"a::bpchar", SQL_COLUMN, SQL_COLUMN},
        {"(a)::text[]", SQL_COLUMN, SQL_COLUMN},
        {"a::int", SQL_COLUMN, SQL_CAST},
        {"a::name", SQL_COLUMN, SQL_CAST},
        {"a::\"char\"", SQL_COLUMN, SQL_CAST},
        {"a::character(1)", SQL_CAST, SQL_CAST},
        {"(a::varchar(3))::text", SQL_CAST, SQL_CAST},
        {"a::numeric(8,2)", SQL_CAST, SQL_CAST},
    };
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    (void)state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct sql_expression *expression = rh_sql_expression(rh_text(cases[i].text), arena);
        assert_non_null(expression);
        if (rh_sql_uncast(expression)->kind != cases[i].kind ||
            rh_sql_uncast_text(expression)->kind != cases[i].kind_of_text)
            fail_msg("%s", cases[i].text);
    }
    assert_null(rh_sql_uncast_text(NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_expression_has_a_tree),
        cmocka_unit_test(test_expression_is_null_for_what_is_none),
        cmocka_unit_test(test_expression_uncast_stops_at_the_value),
        cmocka_unit_test(test_expression_uncast_stays_at_casts_that_change_the_value),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
