/* What a session has in it: statements and settings, taken back with what failed. */
#include "workload/session_state.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static struct text parse_body(const char *name, const char *query, char out[static 256])
{
    int length = snprintf(out, 256, "%s%c%s%c%c%c", name, 0, query, 0, 0, 0);

    return (struct text){out, (size_t)length};
}

/* As if the server had accepted it. */
static void parse(struct session_state *state, const char *name, const char *query)
{
    char body[256];
    struct prepared *replaced = NULL, *made;

    made = rh_session_state_parse(state, parse_body(name, query, body), &replaced);
    assert_non_null(made);
    rh_prepared_drop(made);
    rh_prepared_drop(replaced);
}

static void complete(struct session_state *state, const char *query, const char *tag)
{
    rh_session_state_complete(state, rh_text(query), 0, rh_text(tag));
}

static void run(struct session_state *state, const char *query, const char *tag)
{
    complete(state, query, tag);
    rh_session_state_ready(state, 'I', false);
}

static void add_message(void *context, char type, struct text body)
{
    struct buf *out = context;
    const char *text = body.data;

    if (type == 'P')
        rh_buf_printf(out, "P %s=%s;", text, text + strlen(text) + 1);
    else
        rh_buf_printf(out, "%c %.*s;", type, (int)(body.len ? body.len - 1 : 0), body.data);
}

static void check(struct session_state *state, const char *expected)
{
    RH_CLEANUP_BUF struct buf out;

    rh_buf_init(&out, 4096);
    rh_buf_add(&out, "", 0);
    rh_session_state_prologue(state, add_message, &out);
    assert_string_equal(rh_buf_text(&out).data, expected);
}

static void check_lacks(struct session_state *state, const char *expected)
{
    char lacks[256];

    rh_session_state_lacks(state, lacks, sizeof(lacks));
    assert_string_equal(lacks, expected);
}

static void test_session_state_keeps_the_latest_of_each_setting(void **test)
{
    (void)test;
    struct session_state *state = rh_session_state_new();

    run(state, "SET search_path = a", "SET");
    run(state, "set /* c */ Search_Path to b;", "SET");
    run(state, "SET LOCAL work_mem = '1MB'", "SET");
    run(state, "SET TIME ZONE 'UTC'", "SET");
    run(state, "SET timezone = 'CET'", "SET");
    run(state, "SET ROLE app", "SET");
    check(state, "Q set /* c */ Search_Path to b;;Q SET timezone = 'CET';Q SET ROLE app;");
    run(state, "RESET ALL", "RESET");
    check(state, "Q SET ROLE app;Q RESET ALL;");
    run(state, "DISCARD ALL", "DISCARD ALL");
    check(state, "");
    rh_session_state_free(state);
}

static void test_session_state_takes_back_what_was_rolled_back(void **test)
{
    (void)test;
    struct session_state *state = rh_session_state_new();

    complete(state, "SET a.b = 1", "SET");
    rh_session_state_ready(state, 'T', false);
    check(state, "");
    complete(state, "ROLLBACK", "ROLLBACK");
    rh_session_state_ready(state, 'I', false);
    check(state, "");
    complete(state, "SET a.b = 2", "SET");
    rh_session_state_ready(state, 'T', false);
    rh_session_state_ready(state, 'I', false); /* COMMIT */
    check(state, "Q SET a.b = 2;");
    complete(state, "SET a.b = 3", "SET");
    rh_session_state_ready(state, 'I', true); /* ...; SELECT 1/0, in one string */
    check(state, "Q SET a.b = 2;");
    rh_session_state_free(state);
}

static void test_session_state_finds_a_statement_of_several(void **test)
{
    (void)test;
    struct session_state *state = rh_session_state_new();

    rh_session_state_complete(state, rh_text("SELECT 1; SET a.x = ';'; SET a.y = 2"), 1,
                              rh_text("SET"));
    rh_session_state_ready(state, 'I', false);
    check(state, "Q SET a.x = ';';;");
    rh_session_state_free(state);
}

static void test_session_state_knows_statements_by_name(void **test)
{
    (void)test;
    struct session_state *state = rh_session_state_new();

    for (int i = 0; i < 200; i++) {
        char name[16];

        snprintf(name, sizeof(name), "s%d", i);
        parse(state, name, "SELECT 1");
    }
    for (int i = 1; i < 200; i++) {
        char name[16];

        snprintf(name, sizeof(name), "s%d", i);
        struct prepared *closed = rh_session_state_close(state, name);

        assert_non_null(closed);
        rh_prepared_drop(closed);
    }
    assert_null(rh_session_state_find(state, "s7"));
    parse(state, "", "SELECT 2");
    parse(state, "", "SELECT 3");
    check(state, "P s0=SELECT 1;P =SELECT 3;S ;");
    run(state, "PREPARE q AS SELECT 4", "PREPARE");
    run(state, "DEALLOCATE s0", "DEALLOCATE");
    check(state, "Q PREPARE q AS SELECT 4;P =SELECT 3;S ;");
    run(state, "DEALLOCATE ALL", "DEALLOCATE ALL");
    check(state, "P =SELECT 3;S ;");
    rh_session_state_free(state);
}

static void test_session_state_takes_refused_statements_back(void **test)
{
    (void)test;
    struct session_state *state = rh_session_state_new();
    struct prepared *replaced = NULL, *refused, *closed;
    char body[256];

    parse(state, "a", "SELECT 1");
    refused = rh_session_state_parse(state, parse_body("a", "SELECT 2", body), &replaced);
    assert_non_null(replaced);
    rh_session_state_unparse(state, refused, replaced);
    rh_prepared_drop(refused);
    check(state, "P a=SELECT 1;S ;");
    closed = rh_session_state_close(state, "a");
    check(state, "");
    rh_session_state_unclose(state, closed);
    check(state, "P a=SELECT 1;S ;");
    assert_null(rh_session_state_parse(state, (struct text){"a\0no end", 8}, &replaced));
    rh_session_state_free(state);
}

static void test_session_state_says_what_it_cannot_make_good(void **test)
{
    (void)test;
    struct session_state *state = rh_session_state_new();

    check_lacks(state, "");
    run(state, "CREATE TABLE u (temp int)", "CREATE TABLE");
    check_lacks(state, "");
    run(state, "CREATE TEMP TABLE t (x int)", "CREATE TABLE");
    rh_session_state_notice(state, rh_text("SELECT pg_advisory_lock(1)"));
    rh_session_state_notice(state, rh_text("SELECT set_config('a.b', 'c', false)"));
    check_lacks(state, "temporary tables, advisory locks, settings made by set_config");
    run(state, "DISCARD ALL", "DISCARD ALL");
    check_lacks(state, "");
    rh_session_state_free(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_session_state_keeps_the_latest_of_each_setting),
        cmocka_unit_test(test_session_state_takes_back_what_was_rolled_back),
        cmocka_unit_test(test_session_state_finds_a_statement_of_several),
        cmocka_unit_test(test_session_state_knows_statements_by_name),
        cmocka_unit_test(test_session_state_takes_refused_statements_back),
        cmocka_unit_test(test_session_state_says_what_it_cannot_make_good),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
