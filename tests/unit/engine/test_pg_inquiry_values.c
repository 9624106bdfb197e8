/*
 * Values of their own for NULLs: the SQL that is made, by type and key. That it works, on servers:
 * tests/e2e/test_questions.py.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/postgres/pg_inquiry_int.h"

#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof(*(array)))
#define ROWS \
    " FROM public.t WHERE v IS NULL) AS v WHERE t.tableoid = v.tableoid AND t.ctid = v.ctid"

struct made {
    struct arena *arena;
    struct pg_question question;
};

static struct made make(struct arena *arena, const struct pg_subject *subject, int64_t type_id,
                        char category)
{
    struct made made = {.arena = arena, .question = {.subject = subject, .where = "v IS NULL"}};
    struct inquiry inquiry = {.arena = arena};
    const struct pg_placeholder type = {.type_id = type_id, .category = category};
    rh_pg_repair_own_values(&inquiry, &made.question, "v", &type, "public.t");
    for (size_t i = 0; i < made.question.own_values.count; i++) {
        const struct pg_repair *repair = &made.question.own_values.items[i];
        assert_true(repair->invents && repair->per_row && !repair->loses_rows && !repair->fills);
    }
    return made;
}

static const char *sql(const struct made *made, size_t i)
{
    assert_in_range(i, 0, made->question.own_values.count - 1);
    return made->question.own_values.items[i].sql;
}

static void test_pg_inquiry_values_of_texts_come_from_the_key(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    const struct pg_subject subject = {.kind = 'r', .key_columns = "id"};
    const struct made made = make(arena, &subject, 25, 'S');
    assert_int_equal(made.question.own_values.count, 5);
    assert_string_equal(sql(&made, 0), "UPDATE public.t SET v = 'unknown-' || id WHERE v IS NULL");
    assert_string_equal(sql(&made, 1),
                        "UPDATE public.t SET v = 'placeholder-' || id WHERE v IS NULL");
    assert_string_equal(
        sql(&made, 2),
        "UPDATE public.t SET v = 'unknown-' || id || '@example.invalid' WHERE v IS NULL");
    assert_string_equal(sql(&made, 3),
                        "UPDATE public.t AS t SET v = 'unknown-' || v.n FROM (SELECT tableoid, "
                        "ctid, row_number() OVER (ORDER BY id) AS n" ROWS);
    assert_string_equal(sql(&made, 4),
                        "UPDATE public.t AS t SET v = 'x' || v.n FROM (SELECT tableoid, ctid, "
                        "row_number() OVER (ORDER BY id) AS n" ROWS);
    assert_string_equal(made.question.own_values.items[1].unless,
                        "SELECT 1 FROM public.t WHERE pg_catalog.starts_with(pg_catalog.lower("
                        "v::text COLLATE pg_catalog.\"C\"), 'placeholder-') LIMIT 1");
}

static void test_pg_inquiry_values_are_numbered_where_no_one_column_is_the_key(void **state)
{
    (void)state;
    static const struct {
        struct pg_subject subject;
        const char *order; /* NULL: the key is used */
    } cases[] = {
        {{.kind = 'r', .key_columns = "ctid"}, "ORDER BY ctid)"},
        {{.kind = 'r', .key_columns = "a, b"}, "ORDER BY a, b)"},
        {{.kind = 'r', .key_columns = "\"a,b\""}, "ORDER BY \"a,b\")"},
        {{.kind = 'r', .key_columns = "id", .has_children = true}, "ORDER BY id)"},
        {{.kind = 'p', .key_columns = "id", .has_children = true}, NULL},
        {{.kind = 'r', .key_columns = "\"ctid \""}, NULL},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
        const struct made made = make(arena, &cases[i].subject, 1043, 'S');
        bool is_numbered = strstr(sql(&made, 0), "'unknown-' || v.n FROM");
        assert_int_equal(is_numbered, cases[i].order != NULL);
        assert_int_equal(made.question.own_values.count, is_numbered ? 4 : 5);
        if (cases[i].order)
            assert_non_null(strstr(sql(&made, 0), cases[i].order));
    }
}

static void test_pg_inquiry_values_of_numbers_go_on_behind_the_last(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    const struct pg_subject subject = {.kind = 'r', .key_columns = "id"};
    struct made made = make(arena, &subject, 23, 'N');
    assert_int_equal(made.question.own_values.count, 2);
    assert_string_equal(sql(&made, 0),
                        "UPDATE public.t AS t SET v = v.last + v.n FROM (SELECT tableoid, ctid, "
                        "row_number() OVER (ORDER BY id) AS n, (SELECT greatest(max(v), 0) FROM "
                        "public.t) AS last" ROWS);
    assert_null(made.question.own_values.items[0].unless);
    assert_non_null(strstr(sql(&made, 1), "v.last - v.n FROM"));
    assert_non_null(strstr(sql(&made, 1), "least(min(v), 0)"));
    made = make(arena, &subject, 1700, 'N');
    assert_int_equal(made.question.own_values.count, 1);
    assert_string_equal(made.question.own_values.items[0].unless,
                        "SELECT 1 FROM public.t HAVING greatest(max(v), 0) + count(*) > "
                        "9007199254740992");
    made = make(arena, &subject, 700, 'N');
    assert_non_null(strstr(made.question.own_values.items[0].unless, "> 16777216"));
}

static void test_pg_inquiry_values_of_other_types(void **state)
{
    (void)state;
    static const struct {
        int64_t type_id;
        char category;
        const char *words; /* NULL: no sensible value */
    } cases[] = {
        {2950, 'U', "UPDATE public.t SET v = gen_random_uuid() WHERE v IS NULL"},
        {1082, 'D', "SET v = v.last + v.n::integer FROM"},
        {1082, 'D', "coalesce(max(v) FILTER (WHERE isfinite(v)), CURRENT_DATE)"},
        {1114, 'D', "SET v = v.last + v.n * interval '1 second' FROM"},
        {1114, 'D', ", LOCALTIMESTAMP)"},
        {1184, 'D', ", now())"},
        {1083, 'D', NULL}, /* times of the day come round */
        {16, 'B', NULL},
        {18, 'S', NULL},
        {3802, 'U', NULL},
        {1186, 'T', NULL},
        {99999, 'E', NULL},
    };
    const struct pg_subject subject = {.kind = 'r', .key_columns = "id"};
    for (size_t i = 0; i < COUNT(cases); i++) {
        RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
        const struct made made = make(arena, &subject, cases[i].type_id, cases[i].category);
        assert_int_equal(made.question.own_values.count, cases[i].words != NULL);
        if (cases[i].words)
            assert_non_null(strstr(sql(&made, 0), cases[i].words));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pg_inquiry_values_of_texts_come_from_the_key),
        cmocka_unit_test(test_pg_inquiry_values_are_numbered_where_no_one_column_is_the_key),
        cmocka_unit_test(test_pg_inquiry_values_of_numbers_go_on_behind_the_last),
        cmocka_unit_test(test_pg_inquiry_values_of_other_types),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
