/* One row as SQL: keys are fresh, the freedom is used, everything else is copied. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/postgres/pg_writes_int.h"

#include <string.h>

struct fixture {
    struct arena *arena;
    struct writable_table table;
};

static struct writable_column *add(struct fixture *fixture, const char *name, const char *base,
                                   int64_t unique)
{
    struct writable_column *column = RH_PUSH(fixture->arena, &fixture->table.columns);
    *column = (struct writable_column){
        .name = name, .type = base, .base = base, .number = (int)fixture->table.columns.count};
    if (unique)
        *RH_PUSH(fixture->arena, &column->uniques) = unique;
    return column;
}

static int set_up(void **state)
{
    struct arena *arena = rh_arena_new();
    struct fixture *fixture = RH_NEW(arena, struct fixture);
    fixture->arena = arena;
    fixture->table = (struct writable_table){.identity = "public.t", .has_rows = true};
    struct writable_column *id = add(fixture, "id", "int4", 1);
    id->is_key = id->is_required = true;
    add(fixture, "email", "text", 0);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    rh_arena_free(((struct fixture *)*state)->arena);
    return 0;
}

static const char *write_row(struct fixture *fixture, enum freedom_kind kind, const char *column,
                             const char *definition, int variant, int candidate)
{
    const struct freedom freedom = {kind, "public.t", column, definition};
    const char *reason = NULL;
    return rh_pg_write_row_sql(&fixture->table, &freedom, 7, variant, candidate, fixture->arena,
                               &reason);
}

static void assert_contains(const char *text, const char *part)
{
    if (!text || !strstr(text, part))
        fail_msg("no \"%s\" in \"%s\"", part, text ? text : "(none)");
}

static void test_write_row_copies_a_row_under_a_new_key(void **state)
{
    assert_string_equal(write_row(*state, FREEDOM_PLAIN, NULL, NULL, 1, 0),
                        "INSERT INTO public.t (id, email) SELECT ((SELECT coalesce(max(id), 0) + 1 "
                        "FROM public.t))::int4, (t.email)::text FROM (SELECT 1) AS one LEFT JOIN "
                        "(SELECT * FROM public.t LIMIT 1) AS t ON true RETURNING id::text");
}

static void test_write_row_leaves_a_serial_key_to_its_default_first(void **state)
{
    struct fixture *fixture = *state;
    fixture->table.columns.items[0].has_default = true;
    assert_contains(write_row(fixture, FREEDOM_PLAIN, NULL, NULL, 0, 0),
                    "INSERT INTO public.t (email) SELECT");
    assert_contains(write_row(fixture, FREEDOM_PLAIN, NULL, NULL, 1, 0), "max(id)");
    assert_contains(write_row(fixture, FREEDOM_PLAIN, NULL, NULL, 2, 0), "min(id)");
}

static void test_write_row_makes_every_unique_key_new(void **state)
{
    struct fixture *fixture = *state;
    *RH_PUSH(fixture->arena, &fixture->table.columns.items[1].uniques) = 2;
    fixture->table.columns.items[1].length = 20;
    assert_contains(write_row(fixture, FREEDOM_PLAIN, NULL, NULL, 0, 0),
                    "left(('r7' || coalesce(t.email, '')), 20)");
    assert_contains(write_row(fixture, FREEDOM_PLAIN, NULL, NULL, 1, 0), "md5('rehearse7')");
}

static void test_write_row_uses_each_freedom(void **state)
{
    static const struct {
        enum freedom_kind kind;
        const char *definition, *part;
    } cases[] = {
        {FREEDOM_NULL, NULL, "(NULL)::text"},
        {FREEDOM_LONGER, "character varying(40)", ", 41, 'x')"},
        {FREEDOM_BIGGER, "smallint", "(32775)::text"},
        {FREEDOM_BIGGER, "integer", "(2147483655)::text"},
        {FREEDOM_BIGGER, "numeric(6,2)", "power(10::numeric, 4) + 7"},
        {FREEDOM_OTHER_TYPE, "integer", "('rehearse 7')::text"},
        {FREEDOM_LABEL, "'angry'", "('angry')::text"},
        {FREEDOM_DUPLICATE, "UNIQUE (email)", "FROM public.t WHERE email IS NOT NULL LIMIT 1"},
        {FREEDOM_ORPHAN, "FOREIGN KEY (email) REFERENCES public.p(name)", "md5('orphan7')"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        bool has_column = cases[i].kind != FREEDOM_DUPLICATE && cases[i].kind != FREEDOM_ORPHAN;
        assert_contains(write_row(*state, cases[i].kind, has_column ? "email" : NULL,
                                  cases[i].definition, 0, 0),
                        cases[i].part);
    }
}

static void test_write_row_orphan_points_behind_the_last_parent(void **state)
{
    assert_contains(write_row(*state, FREEDOM_ORPHAN, NULL,
                              "FOREIGN KEY (id) REFERENCES public.p(key) ON DELETE CASCADE", 0, 0),
                    "(SELECT coalesce(max(key), 0) + 1007 FROM public.p)");
}

static void test_write_row_tries_values_until_the_former_check_refuses_one(void **state)
{
    int count = 0;
    assert_contains(write_row(*state, FREEDOM_CHECK, NULL, "CHECK ((length(email) > 3))", 0, 0),
                    "RETURNING id::text, ((length(email) > 3)) IS FALSE");
    while (count < 100 &&
           write_row(*state, FREEDOM_CHECK, NULL, "CHECK ((length(email) > 3))", 0, count))
        count++;
    assert_int_equal(count, 6); /* NULL and five texts; "id" is not mentioned */
}

static void test_write_row_of_an_empty_table_is_made_of_types(void **state)
{
    struct fixture *fixture = *state;
    fixture->table.has_rows = false;
    fixture->table.columns.items[1].is_required = true;
    struct writable_column *parent = add(fixture, "p", "int4", 0);
    parent->parent = "public.p";
    parent->parent_column = "id";
    const char *sql = write_row(fixture, FREEDOM_PLAIN, NULL, NULL, 0, 0);
    assert_contains(sql, "('rehearse'::text)::text");
    assert_contains(sql, "LEFT JOIN (SELECT * FROM public.p LIMIT 1) AS p3 ON true");
    assert_contains(sql, "(p3.id)::int4");
    assert_null(strstr(sql, " AS t ON"));
}

static void test_write_row_says_which_type_it_knows_no_value_of(void **state)
{
    struct fixture *fixture = *state;
    const struct freedom freedom = {.kind = FREEDOM_PLAIN, .table = "public.t"};
    const char *reason = NULL;
    fixture->table.has_rows = false;
    add(fixture, "shape", "geometry", 0)->is_required = true;
    assert_null(rh_pg_write_row_sql(&fixture->table, &freedom, 1, 0, 0, fixture->arena, &reason));
    assert_string_equal(reason, "no value of type geometry is known");
}

static void test_write_row_copies_nothing_into_a_new_column(void **state)
{
    struct fixture *fixture = *state;
    fixture->table.columns.items[1].is_new = true;
    assert_null(strstr(write_row(fixture, FREEDOM_PLAIN, NULL, NULL, 1, 0), "email"));
    assert_contains(write_row(fixture, FREEDOM_PLAIN, "email", NULL, 1, 0),
                    "('rehearse@example.org'::text)::text");
}

static void test_write_row_of_a_child_with_one_parent_each(void **state)
{
    struct fixture *fixture = *state;
    struct writable_column *id = &fixture->table.columns.items[0];
    id->parent = "public.p";
    id->parent_column = "key";
    assert_contains(
        write_row(fixture, FREEDOM_PLAIN, NULL, NULL, 0, 0),
        "(SELECT * FROM public.p AS u WHERE NOT EXISTS (SELECT FROM public.t AS x WHERE "
        "x.id = u.key) LIMIT 1) AS u1 ON true");
}

static void test_write_row_never_writes_what_is_computed(void **state)
{
    struct fixture *fixture = *state;
    fixture->table.columns.items[0].is_computed = fixture->table.columns.items[1]
                                                      .is_computed = true;
    fixture->table.columns.items[0].has_default = true;
    assert_string_equal(write_row(fixture, FREEDOM_PLAIN, NULL, NULL, 0, 0),
                        "INSERT INTO public.t DEFAULT VALUES RETURNING id::text");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_write_row_copies_a_row_under_a_new_key),
        TEST(test_write_row_leaves_a_serial_key_to_its_default_first),
        TEST(test_write_row_makes_every_unique_key_new),
        TEST(test_write_row_uses_each_freedom),
        TEST(test_write_row_orphan_points_behind_the_last_parent),
        TEST(test_write_row_tries_values_until_the_former_check_refuses_one),
        TEST(test_write_row_of_an_empty_table_is_made_of_types),
        TEST(test_write_row_says_which_type_it_knows_no_value_of),
        TEST(test_write_row_copies_nothing_into_a_new_column),
        TEST(test_write_row_of_a_child_with_one_parent_each),
        TEST(test_write_row_never_writes_what_is_computed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
