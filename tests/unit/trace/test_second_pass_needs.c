/* Which skipped statement would have made what an error misses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "trace/second_pass_int.h"

#include <stdio.h>

static const struct skipped skipped[] = {
    {"ALTER TABLE users ADD COLUMN email_norm text NOT NULL", 0},
    {"CREATE UNIQUE INDEX users_email_idx ON public.users (email)", 1},
    {"ALTER TABLE orders ADD UNIQUE (ref), ADD CHECK (total > 0)", 2},
    {"CREATE TABLE audit.log (id int CHECK (id > 0))", 3},
    {"ALTER TABLE orders ALTER COLUMN ref TYPE uuid USING ref::uuid", 4},
    {"DO $$ BEGIN CREATE TYPE mood AS ENUM ('a'); RAISE EXCEPTION 'x'; END $$", 5},
    {"CREATE FUNCTION norm(t text) RETURNS text LANGUAGE sql AS 'SELECT 1/0'", 6},
};

static int needs(const char *sqlstate, const char *message, const char *sql)
{
    struct server_message error = {.message = message};
    snprintf(error.sqlstate, sizeof(error.sqlstate), "%s", sqlstate);
    return rh_needs_find(&error, sql, skipped, sizeof(skipped) / sizeof(skipped[0]));
}

static void test_needs_by_the_name_that_is_missing(void **state)
{
    (void)state;
    assert_int_equal(needs("42703", "column \"email_norm\" does not exist", "SELECT 1"), 0);
    assert_int_equal(needs("42703", "column \"email_norm\" of relation \"users\" does not exist",
                           "UPDATE users SET email_norm = 'x'"),
                     0);
    assert_int_equal(needs("42703", "column u.email_norm does not exist", "SELECT 1"), 0);
    assert_int_equal(needs("42704", "index \"users_email_idx\" does not exist",
                           "ALTER TABLE users ADD UNIQUE USING INDEX users_email_idx"),
                     1);
    assert_int_equal(needs("55000", "index \"users_email_idx\" is not valid", ""), 1);
    assert_int_equal(needs("42P01", "relation \"audit.log\" does not exist", ""), 3);
    assert_int_equal(needs("42704", "type \"mood\" does not exist", ""), 5);
    assert_int_equal(needs("42883", "function norm(text) does not exist", ""), 6);
}

static void test_needs_by_the_name_that_the_server_would_have_given(void **state)
{
    (void)state;
    assert_int_equal(needs("42704",
                           "constraint \"orders_ref_key\" of relation \"orders\" does not exist",
                           "ALTER TABLE orders DROP CONSTRAINT orders_ref_key"),
                     2);
}

static void test_needs_by_the_shape_that_a_table_would_have(void **state)
{
    (void)state;
    assert_int_equal(needs("42P10",
                           "there is no unique or exclusion constraint matching the ON CONFLICT "
                           "specification",
                           "INSERT INTO users (email) VALUES ('x') ON CONFLICT (email) DO NOTHING"),
                     1);
    assert_int_equal(needs("42804", "column \"ref\" is of type text",
                           "UPDATE orders SET ref = gen_random_uuid()"),
                     4);
    assert_int_equal(needs("42883", "operator does not exist: text = uuid",
                           "SELECT * FROM orders WHERE ref = gen_random_uuid()"),
                     4);
    /* Another table's: nothing was skipped that would have changed it. */
    assert_int_equal(needs("42P10", "there is no unique or exclusion constraint",
                           "INSERT INTO other (a) VALUES (1) ON CONFLICT (a) DO NOTHING"),
                     -1);
}

static void test_needs_nothing_where_no_skipped_statement_names_it(void **state)
{
    (void)state;
    assert_int_equal(needs("42P01", "relation \"typo\" does not exist", "SELECT * FROM typo"), -1);
    /* Part of a longer name, or not a matter of missing objects. */
    assert_int_equal(needs("42703", "column \"norm2\" does not exist", ""), -1);
    assert_int_equal(needs("42703", "column \"mail_norm\" does not exist", ""), -1);
    assert_int_equal(needs("23505", "could not create unique index \"users_email_idx\"", ""), -1);
    assert_int_equal(needs("42P07", "relation \"log\" already exists", ""), -1);
    assert_int_equal(
        rh_needs_find(&(struct server_message){.sqlstate = "42P01", .message = "x"}, NULL, NULL, 0),
        -1);
}

static void test_needs_survives_messages_of_any_form(void **state)
{
    (void)state;
    static const char *const messages[] = {
        "", "\"", "\"\"", "(", " does not exist", "\".\"", "operator", "\"a.\" does not exist"};
    for (size_t i = 0; i < sizeof(messages) / sizeof(messages[0]); i++)
        assert_int_equal(needs("42P01", messages[i], "x"), -1);
    assert_int_equal(needs("42P01", NULL, "x"), -1);
}

/* --- names --- */

static void test_names_are_replaced_removed_and_bounded(void **state)
{
    (void)state;
    struct names names = {0};
    char name[16];
    assert_true(rh_names_set(&names, &names.prepared, "a", rh_text("SELECT 1"), false));
    assert_true(rh_names_set(&names, &names.prepared, "a", rh_text("SELECT 2"), true));
    assert_true(rh_names_set(&names, &names.portals, "a", rh_text(NULL), false));
    assert_int_equal(names.count, 2);
    assert_string_equal(rh_names_find(names.prepared, "a")->sql, "SELECT 2");
    assert_true(rh_names_find(names.prepared, "a")->is_phantom);
    assert_null(rh_names_find(names.prepared, "b"));
    rh_names_clear_portals(&names);
    assert_int_equal(names.count, 1);
    rh_names_remove(&names, &names.prepared, "b");
    rh_names_remove(&names, &names.prepared, "a");
    assert_int_equal(names.count, 0);
    for (unsigned i = 0; i < NAMES_MAX; i++) {
        snprintf(name, sizeof(name), "n%u", i);
        struct name **list = i % 2 ? &names.prepared : &names.portals;
        struct name *added = *list;
        /* At the front: no search of ten thousand names ten thousand times. */
        *list = NULL;
        assert_true(rh_names_set(&names, list, name, rh_text("x"), false));
        (*list)->next = added;
    }
    assert_false(rh_names_set(&names, &names.prepared, "one more", rh_text("x"), false));
    rh_names_deinit(&names);
    assert_int_equal(names.count, 0);
}

/* --- answers --- */

static void assert_tag(const char *sql, const char *tag)
{
    RH_CLEANUP_BUF struct buf out;
    rh_buf_init(&out, 1000);
    rh_answer_complete(&out, sql);
    assert_int_equal(out.data[0], 'C');
    assert_string_equal(out.data + 5, tag);
    assert_int_equal(out.len, 5 + strlen(tag) + 1);
}

static void test_answers_have_the_tag_the_server_would_give(void **state)
{
    (void)state;
    assert_tag("ALTER TABLE t ADD COLUMN x int", "ALTER TABLE");
    assert_tag("create unique index concurrently i on t (a)", "CREATE INDEX");
    assert_tag("INSERT INTO t VALUES (1)", "INSERT 0 0");
    assert_tag("WITH x AS (SELECT 1) UPDATE t SET a = 1", "UPDATE 0");
    assert_tag("COPY t FROM STDIN", "COPY 0");
    assert_tag("SELECT f()", "SELECT 0");
    assert_tag("DO $$ BEGIN END $$", "DO");
    assert_tag("COMMIT", "COMMIT");
    assert_tag(NULL, "");
}

static void assert_answer(struct expected expected, const void *bytes, size_t len)
{
    RH_CLEANUP_BUF struct buf out;
    rh_buf_init(&out, 1000);
    rh_answer_expected(&out, &expected);
    assert_int_equal(out.len, len);
    assert_memory_equal(out.data, bytes, len);
}

static void test_answers_to_every_message_of_the_extended_protocol(void **state)
{
    (void)state;
    assert_answer((struct expected){.type = 'P'}, "1\0\0\0\4", 5);
    assert_answer((struct expected){.type = 'B'}, "2\0\0\0\4", 5);
    assert_answer((struct expected){.type = 'C'}, "3\0\0\0\4", 5);
    assert_answer((struct expected){.type = 'D', .target = 'P', .sql = "UPDATE t SET a = 1"},
                  "n\0\0\0\4", 5);
    assert_answer((struct expected){.type = 'D', .target = 'P', .sql = "SELECT 1"}, "T\0\0\0\6\0\0",
                  7);
    assert_answer((struct expected){.type = 'D', .target = 'P', .sql = "DELETE FROM t RETURNING a"},
                  "T\0\0\0\6\0\0", 7);
    assert_answer((struct expected){.type = 'D',
                                    .target = 'S',
                                    .sql = "UPDATE t SET a = $2 WHERE b = $1 AND c = '$9'"},
                  "t\0\0\0\x0e\0\2\0\0\0\x19\0\0\0\x19n\0\0\0\4", 20);
    assert_answer((struct expected){.type = 'E', .sql = "DO ''"}, "C\0\0\0\7DO", 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_needs_by_the_name_that_is_missing),
        cmocka_unit_test(test_needs_by_the_name_that_the_server_would_have_given),
        cmocka_unit_test(test_needs_by_the_shape_that_a_table_would_have),
        cmocka_unit_test(test_needs_nothing_where_no_skipped_statement_names_it),
        cmocka_unit_test(test_needs_survives_messages_of_any_form),
        cmocka_unit_test(test_names_are_replaced_removed_and_bounded),
        cmocka_unit_test(test_answers_have_the_tag_the_server_would_give),
        cmocka_unit_test(test_answers_to_every_message_of_the_extended_protocol),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
