/*
 * The reader of the server's log and what it recognises. Lines are as PostgreSQL 13 to 18 wrote
 * them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/text.h"
#include "engine/engine.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct fixture {
    char path[32];
    int fd;
    struct server_log *log;
    struct arena *arena;
};

static const struct engine *const engine = &rh_engine_postgres;

static void put(struct fixture *f, const char *text)
{
    assert_int_equal(write(f->fd, text, strlen(text)), (ssize_t)strlen(text));
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    struct err err = RH_ERR_INIT;

    strcpy(f->path, "/tmp/rh-test-log-XXXXXX");
    f->fd = mkstemp(f->path);
    f->arena = rh_arena_new();
    put(f, "@RH 1 00000 2026-11-20 10:49:12.123 UTC|LOG:  from before\n");
    assert_int_equal(engine->log_open(f->path, &f->log, &err), RH_OK);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    engine->log_close(f->log);
    close(f->fd);
    unlink(f->path);
    rh_arena_free(f->arena);
    free(f);
    return 0;
}

static bool next(struct fixture *f, struct log_entry *entry)
{
    struct err err = RH_ERR_INIT;
    bool any = false;

    *entry = (struct log_entry){0};
    if (engine->log_next(f->log, f->arena, entry, &any, &err))
        fail_msg("%s", err.message);
    return any;
}

#define P "@RH 4711 00000 2026-11-20 10:49:12.123 UTC|"

static void test_log_reads_from_the_end_and_goes_on(void **state)
{
    struct fixture *f = *state;
    struct log_entry e;

    assert_false(next(f, &e));
    put(f, P "DEBUG:  rewriting table \"t\"\n");
    assert_true(next(f, &e));
    assert_int_equal(e.pid, 4711);
    assert_string_equal(e.severity, "DEBUG");
    assert_string_equal(e.sqlstate, "00000");
    assert_string_equal(e.message, "rewriting table \"t\"");
    assert_int_equal(e.at_us, 1795171752123000);
    assert_null(e.detail);
    assert_false(next(f, &e));
    put(f, "@RH 4712 42P01 2026-11-20 10:49:12.123 CET|ERROR:  relation \"x\" does not exist\n");
    assert_true(next(f, &e));
    assert_string_equal(e.sqlstate, "42P01");
    assert_int_equal(e.at_us, 0);
    assert_false(next(f, &e));
}

static const char FOLDED[] = P "LOG:  duration: 1.204 ms  plan:\n"
                               "\t{\n"
                               "\t  \"Query Text\": \"update t\"\n"
                               "\t}\n" P "DETAIL:  first\n"
                               "\tsecond\n" P "HINT:  try\n" P "CONTEXT:  SQL statement \"a\"\n"
                               "\tPL/pgSQL function f() line 1\n" P "LOCATION:  f, x.c:1\n" P
                               "STATEMENT:  do $$\n"
                               "\t\tbegin end $$\n"
                               "@RH 5 00000 2026-11-20 10:49:12.123 UTC|LOG:  other\n";

static void check_folded(struct fixture *f)
{
    struct log_entry e;

    assert_true(next(f, &e));
    assert_string_equal(e.message,
                        "duration: 1.204 ms  plan:\n{\n  \"Query Text\": \"update t\"\n}");
    assert_string_equal(e.detail, "first\nsecond");
    assert_string_equal(e.hint, "try");
    assert_string_equal(e.context, "SQL statement \"a\"\nPL/pgSQL function f() line 1");
    assert_string_equal(e.statement, "do $$\n\tbegin end $$");
    assert_true(next(f, &e));
    assert_string_equal(e.message, "other");
    assert_false(next(f, &e));
}

static void test_log_folds_parts_and_further_lines_into_one_entry(void **state)
{
    put(*state, FOLDED);
    check_folded(*state);
}

/* The file is seen at any moment of a write: what is not a whole line waits. */
static void test_log_entry_cut_inside_a_line_waits_for_the_rest(void **state)
{
    struct fixture *f = *state;
    struct log_entry e;
    const char *line_end = strchr(FOLDED, '\n');

    for (const char *cut = FOLDED + 1; cut <= line_end; cut += 7) {
        char *first = rh_arena_strndup(f->arena, FOLDED, (size_t)(cut - FOLDED));
        put(f, first);
        assert_false(next(f, &e));
        put(f, cut);
        check_folded(f);
    }
}

static void test_log_part_of_another_process_does_not_belong(void **state)
{
    struct fixture *f = *state;
    struct log_entry e;

    put(f, P "LOG:  mine\n@RH 9 00000 2026-11-20 10:49:12.123 UTC|DETAIL:  not mine\n" P
             "LOG:  next\n");
    assert_true(next(f, &e));
    assert_string_equal(e.message, "mine");
    assert_null(e.detail);
    assert_true(next(f, &e));
    assert_string_equal(e.message, "next");
}

static void test_log_skips_noise_and_our_own_reports(void **state)
{
    struct fixture *f = *state;
    struct log_entry e;

    put(f, "some library: hello\n\tstray\n@RH nonsense\n" P "LOG:  one\n"
           "@RH 4711 RH001 2026-11-20 10:49:12.123 UTC|INFO:  rehearse\n"
           "@RH 4711 RH001 2026-11-20 10:49:12.123 UTC|DETAIL:  {}\n" P
           "DEBUG:  EventTriggerInvoke 16401\n" P "CONTEXT:  SQL statement \"x\"\n" P
           "LOG:  two\nnoise\n");
    assert_true(next(f, &e));
    assert_string_equal(e.message, "one");
    assert_true(next(f, &e));
    assert_string_equal(e.message, "two");
    assert_null(e.context);
    assert_false(next(f, &e));
}

static void check_long_entry(struct fixture *f, size_t bytes, size_t line_bytes)
{
    struct log_entry e;
    struct buf text RH_CLEANUP_BUF;

    rh_buf_init(&text, 2 * bytes + 1024);
    rh_buf_add_str(&text, P "STATEMENT:  orphan\n" P "LOG:  long");
    for (size_t i = 0; i < bytes; i++) {
        if (i % line_bytes == line_bytes - 1)
            rh_buf_add_str(&text, "\n\t");
        rh_buf_add_char(&text, 'x');
    }
    rh_buf_add_str(&text, "\n" P "STATEMENT:  lost\n" P "LOG:  after\n");
    put(f, text.data);
    assert_true(next(f, &e));
    assert_true(!strncmp(e.message, "longx", 5));
    assert_in_range(strlen(e.message), 32 * 1024, 64 * 1024);
    assert_true(next(f, &e));
    assert_string_equal(e.message, "after");
    assert_false(next(f, &e));
}

static void test_log_entry_is_capped(void **state)
{
    check_long_entry(*state, 70000, 100);
    check_long_entry(*state, 700000, 100);
    check_long_entry(*state, 700000, 1000000); /* one line */
}

static void test_log_that_is_missing_is_an_error(void **state)
{
    struct server_log *log = NULL;
    struct err err = RH_ERR_INIT;

    (void)state;
    assert_int_equal(engine->log_open("/nonexistent/log", &log, &err), RH_ERR_IO);
    assert_null(log);
    engine->log_close(NULL);
}

/* --- facts
 * ----------------------------------------------------------------------------------------- */

static struct log_fact fact_of(struct fixture *f, const char *message)
{
    struct log_entry entry = {.pid = 1, .sqlstate = "00000", .message = message};
    struct log_fact fact = {0};

    if (!engine->log_fact(&entry, f->arena, &fact))
        fail_msg("not recognised: %s", message);
    return fact;
}

static void test_log_facts_of_table_work(void **state)
{
    struct log_fact fact = fact_of(*state, "rewriting table \"we \"ird\"");

    assert_int_equal(fact.kind, LOG_FACT_REWRITE);
    assert_string_equal(fact.relation, "we \"ird");
    fact = fact_of(*state, "verifying table \"t\"");
    assert_int_equal(fact.kind, LOG_FACT_VERIFY);
    assert_string_equal(fact.relation, "t");
    fact = fact_of(*state, "validating foreign key constraint \"t_fk\"");
    assert_int_equal(fact.kind, LOG_FACT_VERIFY);
    assert_string_equal(fact.constraint, "t_fk");
    assert_null(fact.relation);
    fact = fact_of(*state,
                   "building index \"i\" on table \"t\" with request for 1 parallel workers");
    assert_int_equal(fact.kind, LOG_FACT_INDEX_BUILD);
    assert_string_equal(fact.index, "i");
    assert_string_equal(fact.relation, "t");
    assert_int_equal(fact.parallel_workers, 1);
    fact = fact_of(*state, "building index \"i\" on table \"t\" serially");
    assert_string_equal(fact.relation, "t");
    assert_int_equal(fact.parallel_workers, 0);
}

static void test_log_facts_of_scans_spared(void **state)
{
    struct log_fact fact = fact_of(*state,
                                   "existing constraints on column \"a.t.c\" are sufficient "
                                   "to prove that it does not contain nulls");

    assert_int_equal(fact.kind, LOG_FACT_SCAN_SPARED);
    assert_string_equal(fact.relation, "a.t");
    assert_string_equal(fact.column, "c");
    fact = fact_of(*state,
                   "partition constraint for table \"p1\" is implied by existing constraints");
    assert_int_equal(fact.kind, LOG_FACT_SCAN_SPARED);
    assert_string_equal(fact.relation, "p1");
    fact = fact_of(*state, "updated partition constraint for default partition \"d\" is implied by "
                           "existing constraints");
    assert_string_equal(fact.relation, "d");
}

static void test_log_facts_of_temporary_files(void **state)
{
    struct log_fact fact = fact_of(
        *state, "temporary file: path \"base/pgsql_tmp/pgsql_tmp17458.0\", size 352256");

    assert_int_equal(fact.kind, LOG_FACT_TEMPORARY_FILE);
    assert_int_equal(fact.bytes, 352256);
}

static void test_log_facts_of_explained_statements(void **state)
{
    struct log_fact fact = fact_of(*state, "duration: 1.204 ms  plan:\n{\n"
                                           "  \"Query Text\": \"update lg set b = 'y'\",\n"
                                           "  \"Plan\": {\"Node Type\": \"ModifyTable\", "
                                           "\"Relation Name\": \"lg\"}\n}");

    assert_int_equal(fact.kind, LOG_FACT_STATEMENT);
    assert_int_equal(fact.duration_us, 1204);
    assert_string_equal(fact.query_text, "update lg set b = 'y'");
    assert_string_equal(fact.relation, "lg");
    fact = fact_of(*state, "duration: 61002.5 ms  plan:\n{\n  \"Query Text\": \"cut");
    assert_int_equal(fact.duration_us, 61002500);
    assert_null(fact.query_text);
}

static void test_log_facts_of_waits_and_deadlocks(void **state)
{
    struct fixture *f = *state;
    struct log_entry deadlock = {.sqlstate = "40P01", .message = "deadlock detected"};
    struct log_fact fact = fact_of(f,
                                   "process 123 still waiting for AccessExclusiveLock on relation "
                                   "16385 of database 5 after 1000.123 ms");

    assert_int_equal(fact.kind, LOG_FACT_LOCK_WAIT);
    assert_int_equal(fact.pid, 123);
    assert_int_equal(fact.duration_us, 1000123);
    assert_true(engine->log_fact(&deadlock, f->arena, &fact));
    assert_int_equal(fact.kind, LOG_FACT_DEADLOCK);
}

static void test_log_facts_of_a_crash(void **state)
{
    struct fixture *f = *state;
    struct log_entry entry = {.sqlstate = "00000",
                              .message = "server process (PID 7) exited with exit code 1"};
    struct log_fact fact = fact_of(f,
                                   "server process (PID 4711) was terminated by signal 9: Killed");

    assert_int_equal(fact.kind, LOG_FACT_CRASH);
    assert_int_equal(fact.pid, 4711);
    assert_string_equal(fact.reason, "terminated by signal 9: Killed");
    fact = fact_of(f, "client backend (PID 12) was terminated by signal 11: Segmentation fault");
    assert_string_equal(fact.reason, "terminated by signal 11: Segmentation fault");
    fact = fact_of(f, "server process (PID 7) exited with exit code 2");
    assert_string_equal(fact.reason, "exited with exit code 2");
    assert_false(engine->log_fact(&entry, f->arena, &fact));
}

static void test_log_facts_leave_other_entries_alone(void **state)
{
    static const char *const OTHERS[] = {
        "",
        "checkpoint starting: immediate",
        "duration: 12.3 ms",
        "rewriting table",
        "building index \"x",
        "temporary file: path \"x\"",
        "process x still waiting",
        "existing constraints on column \"nodot\" are sufficient to prove"};
    struct fixture *f = *state;
    struct log_fact fact;

    for (size_t i = 0; i < sizeof(OTHERS) / sizeof(*OTHERS); i++) {
        struct log_entry entry = {.sqlstate = "00000", .message = OTHERS[i]};
        if (engine->log_fact(&entry, f->arena, &fact))
            fail_msg("taken for a fact: %s", OTHERS[i]);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_log_reads_from_the_end_and_goes_on),
        TEST(test_log_folds_parts_and_further_lines_into_one_entry),
        TEST(test_log_entry_cut_inside_a_line_waits_for_the_rest),
        TEST(test_log_part_of_another_process_does_not_belong),
        TEST(test_log_skips_noise_and_our_own_reports),
        TEST(test_log_entry_is_capped),
        TEST(test_log_that_is_missing_is_an_error),
        TEST(test_log_facts_of_table_work),
        TEST(test_log_facts_of_scans_spared),
        TEST(test_log_facts_of_temporary_files),
        TEST(test_log_facts_of_explained_statements),
        TEST(test_log_facts_of_waits_and_deadlocks),
        TEST(test_log_facts_of_a_crash),
        TEST(test_log_facts_leave_other_entries_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
