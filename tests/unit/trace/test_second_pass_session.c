/* The extended protocol, message by message. */
#include "second_pass_stage.h"

#include "net/pg_codec.h"

/* --- the extended protocol --- */

static void test_second_pass_answers_every_message_of_a_failed_batch(void **state)
{
    (void)state;
    struct stage s;
    RH_CLEANUP_BUF struct buf out;
    rh_buf_init(&out, 10000);
    stage_open(&s, 5000000);
    start(&s);
    add_statement(&out, "FAIL");
    add_sync(&out);
    send_and_await(&s, &out, 1);
    assert_string_equal(types(&s), "12nCZ");
    assert_string_equal(s.log.data, "FAIL|BEGIN|" QUESTIONS "|ROLLBACK");
    assert_int_equal(stage_close(&s).items.count, 1);
    rh_arena_free(s.arena);
}

static void test_second_pass_leads_a_pipeline_one_by_one(void **state)
{
    (void)state;
    struct stage s;
    RH_CLEANUP_BUF struct buf out;
    rh_buf_init(&out, 10000);
    stage_open(&s, 5000000);
    start(&s);
    add_statement(&out, "ONE");
    add_statement(&out, "FAIL TWO");
    add_statement(&out, "THREE");
    add_sync(&out);
    add_statement(&out, "FOUR");
    add_sync(&out);
    send_and_await(&s, &out, 2);
    assert_string_equal(types(&s), "12nC12nC12nCZ12nCZ");
    assert_true(begins(s.log.data, "BEGIN|SAVEPOINT " UNIT "|ONE|RELEASE"));
    assert_non_null(strstr(s.log.data, "|COMMIT|FOUR"));
    assert_int_equal(stage_close(&s).items.count, 1);
    rh_arena_free(s.arena);
}

/* JDBC opens its transaction in the batch of the first statement. */
static void test_second_pass_follows_a_transaction_opened_in_a_batch(void **state)
{
    (void)state;
    struct stage s;
    RH_CLEANUP_BUF struct buf out;
    rh_buf_init(&out, 10000);
    stage_open(&s, 5000000);
    start(&s);
    add_statement(&out, "BEGIN");
    add_statement(&out, "FAIL");
    add_sync(&out);
    add_statement(&out, "COMMIT");
    add_sync(&out);
    send_and_await(&s, &out, 2);
    assert_string_equal(types(&s), "12nC12nCZ12nCZ");
    assert_true(begins(s.log.data, "BEGIN|SAVEPOINT " UNIT "|FAIL|ROLLBACK TO"));
    struct blockers blockers = stage_close(&s);
    assert_int_equal(blockers.items.count, 1);
    assert_true(blockers.items.items[0].in_transaction);
    rh_arena_free(s.arena);
}

static void test_second_pass_keeps_what_a_statement_forbids_out_of_a_transaction(void **state)
{
    (void)state;
    struct stage s;
    RH_CLEANUP_BUF struct buf out;
    rh_buf_init(&out, 10000);
    stage_open(&s, 5000000);
    start(&s);
    add_statement(&out, "VACUUM t");
    rh_pg_encode_message(&out, 'H', (struct text){"", 0});
    add_sync(&out);
    send_and_await(&s, &out, 1);
    assert_string_equal(types(&s), "12nCZ");
    assert_string_equal(s.log.data, "VACUUM t");
    assert_int_equal(stage_close(&s).items.count, 0);
    rh_arena_free(s.arena);
}

static void test_second_pass_answers_for_statements_the_server_never_took(void **state)
{
    (void)state;
    struct stage s;
    RH_CLEANUP_BUF struct buf out;
    rh_buf_init(&out, 10000);
    stage_open(&s, 5000000);
    start(&s);
    query(&s, "CREATE TABLE made (FAIL int)");
    add_parse(&out, 'p', "UPDATE MISS SET a = $1, b = $2");
    rh_pg_encode_message(&out, 'D', TEXT_LITERAL("Sp\0"));
    add_sync(&out);
    send_and_await(&s, &out, 1);
    assert_string_equal(types(&s), "1tnZ");
    rh_buf_clear(&out);
    add_execute(&out, 'p', true);
    add_execute(&out, 'p', false);
    add_sync(&out);
    send_and_await(&s, &out, 1);
    assert_string_equal(types(&s), "2nC2CZ");
    assert_null(strstr(s.log.data ? s.log.data : "", "MISS"));
    /* Made again under the same name it is the server's. */
    rh_buf_clear(&out);
    add_parse(&out, 'p', "GOOD");
    add_execute(&out, 'p', false);
    add_sync(&out);
    send_and_await(&s, &out, 1);
    assert_string_equal(types(&s), "12CZ");
    assert_string_equal(s.log.data, "GOOD");
    assert_int_equal(stage_close(&s).items.count, 2);
    rh_arena_free(s.arena);
}

static void test_second_pass_makes_the_unnamed_statement_again(void **state)
{
    (void)state;
    struct stage s;
    RH_CLEANUP_BUF struct buf out;
    rh_buf_init(&out, 10000);
    stage_open(&s, 5000000);
    start(&s);
    add_parse(&out, 0, "FAIL");
    add_sync(&out);
    send_and_await(&s, &out, 1);
    rh_buf_clear(&out);
    add_execute(&out, 0, false);
    add_sync(&out);
    send_and_await(&s, &out, 1);
    assert_string_equal(types(&s), "2CZ");
    /* A simple query makes a server forget it; this one does not, so it is asked what it has. */
    assert_string_equal(s.prepared[0], "FAIL");
    assert_int_equal(stage_close(&s).items.count, 1);
    rh_arena_free(s.arena);
}

static void test_second_pass_skips_to_sync_behind_an_error_that_went_through(void **state)
{
    (void)state;
    struct stage s;
    RH_CLEANUP_BUF struct buf out;
    rh_buf_init(&out, 10000);
    stage_open(&s, 5000000);
    start(&s);
    add_statement(&out, "SELECT MISS");
    add_statement(&out, "TWO");
    add_sync(&out);
    add_statement(&out, "THREE");
    add_sync(&out);
    send_and_await(&s, &out, 2);
    assert_string_equal(types(&s), "EZ12nCZ");
    assert_null(strstr(s.log.data, "TWO"));
    assert_int_equal(stage_close(&s).items.count, 0);
    rh_arena_free(s.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_second_pass_answers_every_message_of_a_failed_batch),
        cmocka_unit_test(test_second_pass_leads_a_pipeline_one_by_one),
        cmocka_unit_test(test_second_pass_follows_a_transaction_opened_in_a_batch),
        cmocka_unit_test(test_second_pass_keeps_what_a_statement_forbids_out_of_a_transaction),
        cmocka_unit_test(test_second_pass_answers_for_statements_the_server_never_took),
        cmocka_unit_test(test_second_pass_makes_the_unnamed_statement_again),
        cmocka_unit_test(test_second_pass_skips_to_sync_behind_an_error_that_went_through),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
