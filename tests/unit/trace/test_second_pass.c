/* Simple queries, caps, and what is not understood. */
#include "second_pass_stage.h"

#include "net/pg_codec.h"

#include <sys/socket.h>

/* --- simple queries --- */

static void test_second_pass_asks_in_a_transaction_of_its_own(void **state)
{
    (void)state;
    struct stage s;
    stage_open(&s, 5000000);
    start(&s);
    query(&s, "UPDATE t SET FAIL = 1");
    assert_string_equal(types(&s), "CZ");
    assert_memory_equal(s.from_server.data + 5, "UPDATE 0", 9);
    assert_int_equal(s.from_server.data[s.from_server.len - 1], 'I');
    assert_string_equal(s.log.data, "UPDATE t SET FAIL = 1|BEGIN|" QUESTIONS "|ROLLBACK");
    struct blockers blockers = stage_close(&s);
    assert_int_equal(blockers.items.count, 1);
    assert_null(blockers.incomplete);
    assert_true(blockers.items.items[0].repair_worked);
    assert_false(blockers.items.items[0].in_transaction);
    assert_int_equal(blockers.items.items[0].needs, -1);
    assert_string_equal(blockers.items.items[0].tag, "UPDATE");
    assert_string_equal(blockers.items.items[0].sql, "UPDATE t SET FAIL = 1");
    rh_arena_free(s.arena);
}

static void test_second_pass_asks_behind_a_savepoint_in_a_transaction(void **state)
{
    (void)state;
    struct stage s;
    stage_open(&s, 5000000);
    start(&s);
    query(&s, "BEGIN");
    assert_string_equal(s.log.data, "BEGIN");
    query(&s, "GOOD");
    assert_string_equal(s.log.data, "SAVEPOINT " UNIT "|GOOD|RELEASE SAVEPOINT " UNIT);
    query(&s, "FAIL");
    assert_string_equal(types(&s), "CZ");
    assert_int_equal(s.from_server.data[s.from_server.len - 1], 'T');
    assert_string_equal(s.log.data,
                        "SAVEPOINT " UNIT "|FAIL|ROLLBACK TO SAVEPOINT " UNIT "|" QUESTIONS
                        "|ROLLBACK TO SAVEPOINT " UNIT "|RELEASE SAVEPOINT " UNIT);
    query(&s, "COMMIT");
    assert_string_equal(types(&s), "CZ");
    assert_int_equal(s.from_server.data[s.from_server.len - 1], 'I');
    struct blockers blockers = stage_close(&s);
    assert_int_equal(blockers.items.count, 1);
    assert_true(blockers.items.items[0].in_transaction);
    rh_arena_free(s.arena);
}

/* Each round of an inquiry begins with the rows as they were. */
static void test_second_pass_rolls_back_between_rounds(void **state)
{
    (void)state;
    struct stage s;
    stage_open(&s, 5000000);
    start(&s);
    query(&s, "FAIL TWICE");
    assert_string_equal(s.log.data,
                        "FAIL TWICE|BEGIN|" QUESTIONS "|ROLLBACK|BEGIN|" QUESTIONS "|ROLLBACK");
    query(&s, "BEGIN");
    query(&s, "FAIL OTHERWISE TWICE");
    assert_string_equal(s.log.data,
                        "SAVEPOINT " UNIT "|FAIL OTHERWISE TWICE|ROLLBACK TO SAVEPOINT " UNIT
                        "|" QUESTIONS "|ROLLBACK TO SAVEPOINT " UNIT "|" QUESTIONS
                        "|ROLLBACK TO SAVEPOINT " UNIT "|RELEASE SAVEPOINT " UNIT);
    query(&s, "COMMIT");
    struct blockers blockers = stage_close(&s);
    assert_int_equal(blockers.items.count, 2);
    assert_true(blockers.items.items[0].repair_worked);
    assert_null(blockers.incomplete);
    rh_arena_free(s.arena);
}

static void test_second_pass_runs_a_string_as_one_transaction(void **state)
{
    (void)state;
    struct stage s;
    stage_open(&s, 5000000);
    start(&s);
    query(&s, "SELECT 1; INSERT INTO t SELECT 2 /*FAIL*/; SELECT 3");
    assert_string_equal(types(&s), "CCCZ");
    assert_true(begins(s.log.data, "BEGIN|SAVEPOINT " UNIT "|SELECT 1;|RELEASE"));
    assert_non_null(strstr(s.log.data,
                           "|SAVEPOINT " UNIT "|SET CONSTRAINTS ALL IMMEDIATE|"
                           "ROLLBACK TO SAVEPOINT " UNIT "|RELEASE SAVEPOINT " UNIT "|COMMIT"));
    assert_int_equal(s.from_server.data[s.from_server.len - 1], 'I');
    struct blockers blockers = stage_close(&s);
    assert_int_equal(blockers.items.count, 1);
    rh_arena_free(s.arena);
}

static void test_second_pass_lets_a_question_of_the_tool_through(void **state)
{
    (void)state;
    struct stage s;
    stage_open(&s, 5000000);
    start(&s);
    query(&s, "SELECT * FROM MISSing");
    assert_string_equal(types(&s), "EZ");
    query(&s, "BEGIN");
    query(&s, "SELECT * FROM MISSing");
    assert_string_equal(types(&s), "EZ");
    assert_int_equal(s.from_server.data[s.from_server.len - 1], 'E');
    query(&s, "SELECT 1");
    assert_string_equal(types(&s), "EZ");
    query(&s, "ROLLBACK");
    assert_string_equal(types(&s), "CZ");
    struct blockers blockers = stage_close(&s);
    assert_int_equal(blockers.items.count, 0);
    rh_arena_free(s.arena);
}

static void test_second_pass_says_what_was_not_reached(void **state)
{
    (void)state;
    struct stage s;
    stage_open(&s, 5000000);
    start(&s);
    query(&s, "CREATE TABLE made (FAIL int)");
    query(&s, "ALTER TABLE made ADD COLUMN MISS int");
    assert_string_equal(types(&s), "CZ");
    query(&s, "SELECT * FROM made -- MISS");
    assert_string_equal(types(&s), "CZ");
    struct blockers blockers = stage_close(&s);
    assert_int_equal(blockers.items.count, 3);
    assert_int_equal(blockers.items.items[0].needs, -1);
    assert_int_equal(blockers.items.items[1].needs, 0);
    assert_true(blockers.items.items[2].needs >= 0);
    assert_non_null(blockers.items.items[1].not_asked);
    rh_arena_free(s.arena);
}

static void test_second_pass_tells_a_statement_in_a_loop_once(void **state)
{
    (void)state;
    struct stage s;
    stage_open(&s, 5000000);
    start(&s);
    for (int i = 0; i < 300; i++)
        query(&s, "INSERT FAIL");
    struct blockers blockers = stage_close(&s);
    assert_int_equal(blockers.items.count, 1);
    assert_null(blockers.incomplete);
    rh_arena_free(s.arena);
}

static void test_second_pass_stops_at_its_cap_and_says_so(void **state)
{
    (void)state;
    struct stage s;
    stage_open(&s, 5000000);
    start(&s);
    for (int i = 0; i < SECOND_PASS_BLOCKERS_MAX; i++)
        query(&s, rh_arena_printf(s.arena, "FAIL %d", i));
    assert_string_equal(types(&s), "CZ");
    query(&s, "FAIL once more");
    assert_string_equal(types(&s), "EZ");
    struct blockers blockers = stage_close(&s);
    assert_int_equal(blockers.items.count, SECOND_PASS_BLOCKERS_MAX);
    assert_non_null(strstr(blockers.incomplete, "100"));
    rh_arena_free(s.arena);
}

/* --- what is not understood --- */

static void test_second_pass_ends_a_session_that_hangs(void **state)
{
    (void)state;
    struct stage s;
    stage_open(&s, 30000);
    start(&s);
    query(&s, "HANG");
    assert_true(s.client_has_ended);
    struct blockers blockers = stage_close(&s);
    assert_non_null(strstr(blockers.incomplete, "was not answered"));
    rh_arena_free(s.arena);
}

static void test_second_pass_ends_a_session_it_does_not_understand(void **state)
{
    (void)state;
    static const struct text odd[] = {{"F\0\0\0\4", 5}, {"B\0\0\0\5x", 6}};
    for (int i = 0; i < 2; i++) {
        struct stage s;
        stage_open(&s, 5000000);
        start(&s);
        transmit(&s, odd[i]);
        await_ready(&s, 1);
        assert_true(s.client_has_ended);
        assert_non_null(stage_close(&s).incomplete);
        rh_arena_free(s.arena);
    }
}

static void test_second_pass_outlives_a_client_that_leaves_in_the_middle(void **state)
{
    (void)state;
    for (int turns = 0; turns < 60; turns++) {
        struct stage s;
        RH_CLEANUP_BUF struct buf out;
        rh_buf_init(&out, 1000);
        stage_open(&s, 5000000);
        start(&s);
        add_query(&out, "FAIL");
        transmit(&s, rh_buf_text(&out));
        for (int i = 0; i < turns; i++)
            turn(&s);
        shutdown(s.client, SHUT_RDWR);
        for (int i = 0; i < 20; i++)
            turn(&s);
        (void)stage_close(&s);
        rh_arena_free(s.arena);
    }
}

/* --- anything in any pieces --- */

static uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

static size_t add_random(uint32_t *seed, struct buf *out)
{
    static const char *const texts[] = {"GOOD",     "FAIL",  "BEGIN",    "COMMIT",      "ROLLBACK",
                                        "SELECT 1", "A;B;C", "A;FAIL;C", "SELECT MISS", "VACUUM"};
    const char *sql = texts[next_random(seed) % 10];
    switch (next_random(seed) % 5) {
    case 0:
        /* A Query behind an error is dropped with the rest of its batch: Sync first. */
        add_sync(out);
        add_query(out, sql);
        return 2;
    case 1:
        add_statement(out, strchr(sql, ';') ? "GOOD" : sql);
        return 0;
    case 2:
        add_parse(out, 'p', strchr(sql, ';') ? "GOOD" : sql);
        add_execute(out, 'p', next_random(seed) % 2);
        return 0;
    case 3:
        rh_pg_encode_message(out, 'H', (struct text){"", 0});
        return 0;
    default:
        add_sync(out);
        return 1;
    }
}

/* Whatever is sent, each Query and Sync is answered, once, and nothing hangs. */
static void test_second_pass_random_clients_are_answered(void **state)
{
    (void)state;
    for (uint32_t seed = 1; seed <= 150; seed++) {
        struct stage s;
        uint32_t random = seed;
        size_t readies = 0, at = 0;
        RH_CLEANUP_BUF struct buf out;
        rh_buf_init(&out, 1000000);
        stage_open(&s, 5000000);
        start(&s);
        for (int i = 0; i < 40; i++) {
            readies += add_random(&random, &out);
            if (next_random(&random) % 3 == 0) {
                add_sync(&out);
                readies++;
            }
        }
        add_sync(&out);
        readies++;
        while (at < out.len) {
            size_t piece = 1 + next_random(&random) % 200;
            if (piece > out.len - at)
                piece = out.len - at;
            transmit(&s, (struct text){out.data + at, piece});
            at += piece;
            turn(&s);
        }
        await_ready(&s, readies);
        assert_int_equal(count_of(&s, 'Z'), readies);
        struct blockers blockers = stage_close(&s);
        assert_null(blockers.incomplete);
        rh_arena_free(s.arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_second_pass_asks_in_a_transaction_of_its_own),
        cmocka_unit_test(test_second_pass_asks_behind_a_savepoint_in_a_transaction),
        cmocka_unit_test(test_second_pass_rolls_back_between_rounds),
        cmocka_unit_test(test_second_pass_runs_a_string_as_one_transaction),
        cmocka_unit_test(test_second_pass_lets_a_question_of_the_tool_through),
        cmocka_unit_test(test_second_pass_says_what_was_not_reached),
        cmocka_unit_test(test_second_pass_tells_a_statement_in_a_loop_once),
        cmocka_unit_test(test_second_pass_stops_at_its_cap_and_says_so),
        cmocka_unit_test(test_second_pass_ends_a_session_that_hangs),
        cmocka_unit_test(test_second_pass_ends_a_session_it_does_not_understand),
        cmocka_unit_test(test_second_pass_outlives_a_client_that_leaves_in_the_middle),
        cmocka_unit_test(test_second_pass_random_clients_are_answered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
