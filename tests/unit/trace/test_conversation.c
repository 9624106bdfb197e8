/*
 * The protocol as a script: F(...) is what the client sent, B(...) what the server answered; what
 * the conversation tells is written down in one line and compared.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "trace/conversation.h"

#include <stdio.h>

struct fixture {
    struct conversation *conversation;
    struct buf told;
    int64_t clock_us;
    int next_token;
};

static int on_begun(void *context, const struct conversation_statement *statement)
{
    struct fixture *f = context;
    rh_buf_printf(&f->told, "begin(%.*s)@%d ", (int)statement->sql.len, statement->sql.data,
                  (int)statement->start_us);
    return f->next_token++;
}

static void on_resumed(void *context, int token)
{
    rh_buf_printf(&((struct fixture *)context)->told, "resume(%d) ", token);
}

static void on_completed(void *context, struct text tag, int64_t rows, int64_t at_us)
{
    (void)at_us;
    rh_buf_printf(&((struct fixture *)context)->told, "tag(%.*s,%d) ", (int)tag.len, tag.data,
                  (int)rows);
}

static void on_failed(void *context, const struct pg_message *error, bool has_statement,
                      int64_t at_us)
{
    (void)error, (void)at_us;
    rh_buf_add_str(&((struct fixture *)context)->told, has_statement ? "error " : "late-error ");
}

static void on_ended(void *context, bool ok, bool suspended, int64_t at_us)
{
    rh_buf_printf(&((struct fixture *)context)->told, "end(%s%s)@%d ", ok ? "ok" : "failed",
                  suspended ? ",suspended" : "", (int)at_us);
}

static void on_ready(void *context, char status, bool pipelined, int64_t at_us)
{
    (void)at_us;
    rh_buf_printf(&((struct fixture *)context)->told, "ready(%c%s) ", status,
                  pipelined ? ",more" : "");
}

static int set_up(void **state)
{
    static struct fixture fixture;
    fixture = (struct fixture){0};
    rh_buf_init(&fixture.told, 1024 * 1024);
    const struct conversation_handler handler = {.context = &fixture,
                                                 .begun = on_begun,
                                                 .resumed = on_resumed,
                                                 .completed = on_completed,
                                                 .failed = on_failed,
                                                 .ended = on_ended,
                                                 .ready = on_ready};
    fixture.conversation = rh_conversation_new(&handler);
    *state = &fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    rh_conversation_free(f->conversation);
    rh_buf_deinit(&f->told);
    return 0;
}

/* A message of that type whose body is `len` bytes; every message is one tick later. */
static void say(struct fixture *f, bool is_client, char type, const char *body, size_t len)
{
    const struct pg_message message = {.type = (unsigned char)type,
                                       .body_length = (uint32_t)len,
                                       .body = {body, len},
                                       .is_whole = true};
    f->clock_us++;
    if (is_client)
        rh_conversation_frontend(f->conversation, &message, f->clock_us);
    else
        rh_conversation_backend(f->conversation, &message, f->clock_us);
}
/* String literals carry their last NUL, which ends the last field of most messages. */
#define F(f, type, body) say(f, true, type, body, sizeof(body))
#define B(f, type, body) say(f, false, type, body, sizeof(body))
#define F_EMPTY(f, type) say(f, true, type, "", 0)
#define B_EMPTY(f, type) say(f, false, type, "", 0)
#define READY(f, status) say(f, false, 'Z', status, 1)
#define EXECUTE(f, portal) say(f, true, 'E', portal "\0\0\0\0", sizeof(portal "\0\0\0\0"))
#define ERROR_FIELDS "SERROR\0C42P01\0Mx\0"

static void assert_told(struct fixture *f, const char *expected)
{
    struct text told = rh_text_trim(rh_buf_text(&f->told));
    char *copy = test_malloc(told.len + 1);
    memcpy(copy, told.data, told.len);
    copy[told.len] = '\0';
    assert_string_equal(copy, expected);
    test_free(copy);
    rh_buf_clear(&f->told);
}

static void test_conversation_simple_query_is_one_statement(void **state)
{
    struct fixture *f = *state;
    F(f, 'Q', "SELECT 1");
    B_EMPTY(f, 'T');
    B(f, 'C', "SELECT 1");
    assert_true(rh_conversation_is_running(f->conversation));
    READY(f, "I");
    assert_told(f, "begin(SELECT 1)@1 tag(SELECT,1) end(ok)@4 ready(I)");
    assert_false(rh_conversation_is_running(f->conversation));
}

static void test_conversation_multi_statement_string_completes_several(void **state)
{
    struct fixture *f = *state;
    F(f, 'Q', "BEGIN; UPDATE t; X");
    B(f, 'C', "BEGIN");
    B(f, 'C', "UPDATE 7");
    B(f, 'E', ERROR_FIELDS);
    READY(f, "E");
    assert_told(f, "begin(BEGIN; UPDATE t; X)@1 tag(BEGIN,-1) tag(UPDATE,7) error "
                   "end(failed)@5 ready(E)");
}

static void test_conversation_empty_query_has_empty_tag(void **state)
{
    struct fixture *f = *state;
    F(f, 'Q', "");
    B_EMPTY(f, 'I');
    READY(f, "I");
    assert_told(f, "begin()@1 tag(,-1) end(ok)@3 ready(I)");
}

static void test_conversation_extended_statement_begins_with_its_group(void **state)
{
    struct fixture *f = *state;
    F(f, 'P', "\0SELECT $1\0\0"); /* parse waits for locks already */
    F(f, 'B', "\0\0\0\0\0\0\0");
    F(f, 'D', "P\0");
    EXECUTE(f, "");
    F_EMPTY(f, 'S');
    B_EMPTY(f, '1');
    B_EMPTY(f, '2');
    B_EMPTY(f, 'T');
    B(f, 'C', "SELECT 3");
    READY(f, "I");
    assert_told(f, "begin(SELECT $1)@1 tag(SELECT,3) end(ok)@9 ready(I)");
}

static void test_conversation_prepared_statement_is_known_by_name(void **state)
{
    struct fixture *f = *state;
    F(f, 'P', "s1\0INSERT INTO t VALUES ($1)\0\0");
    F_EMPTY(f, 'S');
    B_EMPTY(f, '1');
    READY(f, "I");
    for (int i = 0; i < 2; i++) {
        F(f, 'B', "p\0s1\0\0\0\0");
        EXECUTE(f, "p");
        F_EMPTY(f, 'S');
        B_EMPTY(f, '2');
        B(f, 'C', "INSERT 0 1");
        READY(f, "I");
    }
    assert_told(f, "ready(I) begin(INSERT INTO t VALUES ($1))@5 tag(INSERT,1) end(ok)@9 ready(I) "
                   "begin(INSERT INTO t VALUES ($1))@11 tag(INSERT,1) end(ok)@15 ready(I)");
    F(f, 'C', "Ss1");
    F_EMPTY(f, 'S');
    B_EMPTY(f, '3');
    READY(f, "I");
    F(f, 'B', "p\0s1\0\0\0\0");
    EXECUTE(f, "p");
    assert_told(f, "ready(I) begin()@21");
}

static void test_conversation_pipeline_runs_one_after_the_other(void **state)
{
    struct fixture *f = *state;
    F(f, 'P', "\0A\0\0");
    F(f, 'B', "\0\0\0\0");
    EXECUTE(f, "");
    F(f, 'P', "\0B\0\0");
    F(f, 'B', "\0\0\0\0");
    EXECUTE(f, "");
    F_EMPTY(f, 'S');
    F(f, 'Q', "C");
    B_EMPTY(f, '1');
    B_EMPTY(f, '2');
    B(f, 'C', "SELECT 1");
    B_EMPTY(f, '1');
    B_EMPTY(f, '2');
    B(f, 'C', "SELECT 2");
    READY(f, "I");
    B(f, 'C', "SELECT 3");
    READY(f, "I");
    assert_told(f, "begin(A)@1 tag(SELECT,1) end(ok)@11 begin(B)@11 tag(SELECT,2) end(ok)@14 "
                   "ready(I,more) begin(C)@15 tag(SELECT,3) end(ok)@17 ready(I)");
}

static void test_conversation_error_drops_what_follows_up_to_sync(void **state)
{
    struct fixture *f = *state;
    F(f, 'P', "\0A\0\0");
    F(f, 'B', "\0\0\0\0");
    EXECUTE(f, "");
    F(f, 'P', "\0B\0\0");
    B_EMPTY(f, '1');
    B_EMPTY(f, '2');
    B(f, 'E', ERROR_FIELDS);
    /* sent before the client knew */
    F(f, 'B', "\0\0\0\0");
    EXECUTE(f, "");
    F_EMPTY(f, 'S');
    F(f, 'Q', "C");
    READY(f, "E");
    assert_told(f, "begin(A)@1 error end(failed)@7 ready(E,more) begin(C)@12");
}

static void test_conversation_error_of_parse_fails_its_statement(void **state)
{
    struct fixture *f = *state;
    F(f, 'P', "\0SELEC\0\0");
    F(f, 'B', "\0\0\0\0");
    EXECUTE(f, "");
    F_EMPTY(f, 'S');
    B(f, 'E', ERROR_FIELDS);
    READY(f, "I");
    assert_told(f, "begin(SELEC)@1 error end(failed)@5 ready(I)");
    /* Prepared alone: the statement would never be told otherwise. */
    F(f, 'P', "s\0SELEC 2\0\0");
    F_EMPTY(f, 'S');
    B(f, 'E', ERROR_FIELDS);
    READY(f, "I");
    assert_told(f, "begin(SELEC 2)@7 error end(failed)@9 ready(I)");
}

static void test_conversation_error_at_sync_concerns_what_ended(void **state)
{
    struct fixture *f = *state;
    F(f, 'P', "\0A\0\0");
    F(f, 'B', "\0\0\0\0");
    EXECUTE(f, "");
    F_EMPTY(f, 'S');
    B_EMPTY(f, '1');
    B_EMPTY(f, '2');
    B(f, 'C', "INSERT 0 1");
    B(f, 'E', ERROR_FIELDS); /* a deferred constraint, at the commit */
    READY(f, "I");
    assert_told(f, "begin(A)@1 tag(INSERT,1) end(ok)@7 late-error ready(I)");
}

static void test_conversation_suspended_portal_goes_on_as_one(void **state)
{
    struct fixture *f = *state;
    F(f, 'P', "\0A\0\0");
    F(f, 'B', "c\0\0\0\0\0\0");
    EXECUTE(f, "c");
    F_EMPTY(f, 'S');
    B_EMPTY(f, '1');
    B_EMPTY(f, '2');
    B_EMPTY(f, 's');
    READY(f, "T");
    EXECUTE(f, "c");
    F_EMPTY(f, 'S');
    B(f, 'C', "SELECT 9");
    READY(f, "T");
    assert_told(f, "begin(A)@1 end(ok,suspended)@7 ready(T) resume(0) tag(SELECT,9) end(ok)@11 "
                   "ready(T)");
}

static void test_conversation_copy_in_of_simple_query(void **state)
{
    struct fixture *f = *state;
    F(f, 'Q', "COPY t FROM STDIN");
    B_EMPTY(f, 'G');
    F_EMPTY(f, 'c');
    B(f, 'C', "COPY 5");
    READY(f, "I");
    F(f, 'Q', "NEXT");
    assert_told(f, "begin(COPY t FROM STDIN)@1 tag(COPY,5) end(ok)@5 ready(I) begin(NEXT)@6");
}

/* libpq sends a Sync with its Execute, which the server reads as part of the data, and one more. */
static void test_conversation_copy_in_ignores_syncs_among_the_data(void **state)
{
    struct fixture *f = *state;
    F(f, 'P', "\0COPY t FROM STDIN\0\0");
    F(f, 'B', "\0\0\0\0");
    EXECUTE(f, "");
    F_EMPTY(f, 'S');
    B_EMPTY(f, '1');
    B_EMPTY(f, '2');
    B_EMPTY(f, 'G');
    F_EMPTY(f, 'S');
    F_EMPTY(f, 'c');
    F_EMPTY(f, 'S');
    B(f, 'C', "COPY 5");
    READY(f, "I");
    F(f, 'Q', "NEXT");
    assert_told(f, "begin(COPY t FROM STDIN)@1 tag(COPY,5) end(ok)@11 ready(I) begin(NEXT)@13");
}

static void test_conversation_copy_in_that_fails_leaves_nothing_behind(void **state)
{
    struct fixture *f = *state;
    F(f, 'Q', "COPY t FROM STDIN");
    B_EMPTY(f, 'G');
    B(f, 'E', ERROR_FIELDS);
    READY(f, "I");
    F_EMPTY(f, 'c'); /* sent before the client knew: the server drops it */
    F(f, 'Q', "NEXT");
    B(f, 'C', "SELECT 1");
    READY(f, "I");
    assert_told(f, "begin(COPY t FROM STDIN)@1 error end(failed)@4 ready(I) begin(NEXT)@5 "
                   "tag(SELECT,1) end(ok)@8 ready(I)");
}

static void test_conversation_fatal_error_without_statement_is_told(void **state)
{
    struct fixture *f = *state;
    READY(f, "I");
    B(f, 'E', ERROR_FIELDS);
    assert_told(f, "ready(I) late-error");
}

static void test_conversation_text_that_was_cut_keeps_its_length(void **state)
{
    struct fixture *f = *state;
    struct pg_message message = {.type = 'Q', .body_length = 1000, .body = {"SELECT", 6}};
    rh_conversation_frontend(f->conversation, &message, 1);
    assert_told(f, "begin(SELECT)@1");
}

static void test_conversation_too_many_units_are_lost_not_kept(void **state)
{
    struct fixture *f = *state;
    for (unsigned i = 0; i < CONVERSATION_UNITS_MAX + 1; i++)
        F_EMPTY(f, 'S');
    assert_true(rh_conversation_is_lost(f->conversation));
    READY(f, "I");
    assert_told(f, "");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_conversation_simple_query_is_one_statement),
        TEST(test_conversation_multi_statement_string_completes_several),
        TEST(test_conversation_empty_query_has_empty_tag),
        TEST(test_conversation_extended_statement_begins_with_its_group),
        TEST(test_conversation_prepared_statement_is_known_by_name),
        TEST(test_conversation_pipeline_runs_one_after_the_other),
        TEST(test_conversation_error_drops_what_follows_up_to_sync),
        TEST(test_conversation_error_of_parse_fails_its_statement),
        TEST(test_conversation_error_at_sync_concerns_what_ended),
        TEST(test_conversation_suspended_portal_goes_on_as_one),
        TEST(test_conversation_copy_in_of_simple_query),
        TEST(test_conversation_copy_in_ignores_syncs_among_the_data),
        TEST(test_conversation_copy_in_that_fails_leaves_nothing_behind),
        TEST(test_conversation_fatal_error_without_statement_is_told),
        TEST(test_conversation_text_that_was_cut_keeps_its_length),
        TEST(test_conversation_too_many_units_are_lost_not_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
