#include "sql_unit.h"

#include "sql/facts.h"

static char *relations_text(const struct sql_facts *facts, struct arena *arena)
{
    char *text = rh_arena_strdup(arena, "");

    for (size_t i = 0; i < facts->relations.count; i++) {
        const struct sql_name *name = &facts->relations.items[i];

        text = rh_arena_printf(arena, "%s%s%s%s%s", text, i ? " " : "",
                               name->schema ? name->schema : "", name->schema ? "." : "",
                               name->name);
    }
    return text;
}

static void test_facts_name_the_tag_and_the_relations(void **state)
{
    static const struct {
        const char *sql, *tag, *relations;
    } cases[] = {
        {"alter table A.\"B\" add column c int", "ALTER TABLE", "a.B"},
        {"/* x */ create or replace temp view v as select * from t", "CREATE VIEW", "v t"},
        {"create unlogged table t (a int)", "CREATE TABLE", "t"},
        {"create unique index concurrently if not exists i on s.t (a);", "CREATE INDEX", "s.t"},
        {"create materialized view m as table t", "CREATE MATERIALIZED VIEW", "t m"},
        {"create constraint trigger x after insert on t for each row execute function f()",
         "CREATE TRIGGER", "t"},
        {"create foreign data wrapper w", "CREATE FOREIGN DATA WRAPPER", ""},
        {"alter default privileges grant select on tables to x", "ALTER DEFAULT PRIVILEGES", ""},
        {"drop table if exists x, s.y cascade", "DROP TABLE", "x s.y"},
        {"drop function f(int)", "DROP FUNCTION", ""},
        {"with q as (select 1), r as (insert into u select * from q) update t set a = 1 from q",
         "UPDATE", "t u"},
        {"truncate a, b", "TRUNCATE TABLE", "a b"},
        {"lock table a in share mode", "LOCK TABLE", "a"},
        {"end", "COMMIT", ""},
        {"abort work", "ROLLBACK", ""},
        {"start transaction read only", "START TRANSACTION", ""},
        {"insert into t (a) select b from t as u join \"T\" on true", "INSERT", "t T"},
        {"refresh materialized view concurrently m", "REFRESH MATERIALIZED VIEW", "m"},
        {"values (1)", "SELECT", ""},
        {"", "", ""},
        {"-- nothing", "", ""},
    };
    struct arena *arena = rh_arena_new();
    (void)state;

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct sql_facts facts;

        rh_sql_facts(rh_text(cases[i].sql), arena, &facts);
        if (strcmp(facts.tag, cases[i].tag) != 0 ||
            strcmp(relations_text(&facts, arena), cases[i].relations) != 0)
            fail_msg("%s: got %s of \"%s\"", cases[i].sql, facts.tag,
                     relations_text(&facts, arena));
    }
    rh_arena_free(arena);
}

static void test_facts_tell_transaction_control(void **state)
{
    static const struct {
        const char *sql;
        bool opens, ends;
    } cases[] = {
        {"begin isolation level serializable", true, false},
        {"START TRANSACTION", true, false},
        {"commit and chain", false, true},
        {"end;", false, true},
        {"rollback", false, true},
        {"rollback to savepoint x", false, false},
        {"rollback work to x", false, false},
        {"prepare transaction 'x'", false, true},
        {"commit prepared 'x'", false, false},
        {"prepare p as select 1", false, false},
        {"savepoint x", false, false},
        {"create procedure p() language sql begin atomic select 1; end", false, false},
    };
    struct arena *arena = rh_arena_new();
    (void)state;

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct sql_facts facts;

        rh_sql_facts(rh_text(cases[i].sql), arena, &facts);
        if (facts.opens_transaction != cases[i].opens || facts.ends_transaction != cases[i].ends)
            fail_msg("%s: opens %d, ends %d", cases[i].sql, facts.opens_transaction,
                     facts.ends_transaction);
    }
    rh_arena_free(arena);
}

static void test_facts_tell_what_no_transaction_may_hold(void **state)
{
    static const struct {
        const char *sql;
        bool concurrently, forbids;
    } cases[] = {
        {"create index concurrently on t (a)", true, true},
        {"drop index concurrently i", true, true},
        {"reindex (concurrently) table t", true, true},
        {"reindex table concurrently t", true, true},
        {"alter table p detach partition c concurrently", true, true},
        {"refresh materialized view concurrently m", true, false},
        {"create index on t (a)", false, false},
        {"create table t (\"concurrently\" int)", false, false},
        {"select 'concurrently'", false, false},
        {"vacuum t", false, true},
        {"reindex table t", false, false},
        {"reindex database d", false, true},
        {"create database d", false, true},
        {"alter system set work_mem = '1MB'", false, true},
        {"cluster", false, true},
        {"cluster t using i", false, false},
    };
    struct arena *arena = rh_arena_new();
    (void)state;

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct sql_facts facts;

        rh_sql_facts(rh_text(cases[i].sql), arena, &facts);
        if (facts.is_concurrently != cases[i].concurrently ||
            facts.forbids_transaction != cases[i].forbids)
            fail_msg("%s: concurrently %d, forbids %d", cases[i].sql, facts.is_concurrently,
                     facts.forbids_transaction);
    }
    rh_arena_free(arena);
}

static void test_facts_do_without_a_tree_where_there_is_none(void **state)
{
    struct arena *arena = rh_arena_new();
    struct sql_facts facts;
    (void)state;

    /* The grammar of PostgreSQL 17. */
    rh_sql_facts(rh_text("alter table t merge partitions (a, b) into c"), arena, &facts);
    assert_false(facts.parsed);
    assert_string_equal(facts.tag, "ALTER TABLE");
    rh_sql_facts(rh_text("begin 'open"), arena, &facts);
    assert_false(facts.parsed);
    assert_true(facts.opens_transaction);
    rh_arena_free(arena);
}

/* A tree of a million levels overran the stack of the tree builder before there was a cap. */
static void test_facts_survive_deeply_nested_text(void **state)
{
    static const char *const units[] = {"+1", "-", "not ", "(", "[1]", "case when ", "a."};
    struct arena *arena = rh_arena_new();
    (void)state;

    for (size_t u = 0; u < COUNT(units); u++) {
        for (size_t size = SQL_TREE_MAX / 2; size <= 4u * SQL_TREE_MAX; size *= 2) {
            RH_CLEANUP_BUF struct buf sql;
            struct sql_facts facts;

            rh_buf_init(&sql, size + 64);
            rh_buf_add_str(&sql, "select 1");
            while (sql.len + strlen(units[u]) < size)
                rh_buf_add_str(&sql, units[u]);
            rh_sql_facts(rh_buf_text(&sql), arena, &facts);
            assert_string_equal(facts.tag, "SELECT");
        }
    }
    rh_arena_free(arena);
}

static void test_facts_take_any_bytes(void **state)
{
    uint64_t random = 3;
    (void)state;

    for (int round = 0; round < 5000; round++) {
        char bytes[512];
        struct text text = {bytes, random_sql(&random, bytes, sizeof(bytes))};
        struct arena *arena = rh_arena_new();
        struct sql_facts facts;

        rh_sql_facts(text, arena, &facts);
        assert_non_null(facts.tag);
        rh_arena_free(arena);
    }
}

static void test_facts_tell_sql_from_a_command_line(void **state)
{
    static const char *const sql[] = {"ALTER TABLE users DROP COLUMN note",
                                      "alter table users drop colum note; -- misspelt",
                                      "/* back */ UPDATE users SET age = NULL;",
                                      "BEGIN; DROP TABLE a; COMMIT",
                                      "delete from users",
                                      "DROP VIEW v",
                                      "DO $$ BEGIN END $$",
                                      "truncate users"};
    static const char *const commands[] = {"alembic downgrade -1",
                                           "psql -c 'ALTER TABLE users DROP COLUMN note'",
                                           "make down",
                                           "exit 7",
                                           "truncate -s 0 state",
                                           "update.sh",
                                           "fetch users",
                                           "show x",
                                           "set -e; ./down",
                                           "begin_undo && commit",
                                           "drop down",
                                           ""};
    struct arena *arena = rh_arena_new();
    (void)state;

    for (size_t i = 0; i < COUNT(sql); i++)
        if (!rh_sql_is_written_as_sql(rh_text(sql[i]), arena))
            fail_msg("taken for a command line: %s", sql[i]);
    for (size_t i = 0; i < COUNT(commands); i++)
        if (rh_sql_is_written_as_sql(rh_text(commands[i]), arena))
            fail_msg("taken for SQL: %s", commands[i]);
    rh_arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_facts_name_the_tag_and_the_relations),
        cmocka_unit_test(test_facts_tell_transaction_control),
        cmocka_unit_test(test_facts_tell_what_no_transaction_may_hold),
        cmocka_unit_test(test_facts_do_without_a_tree_where_there_is_none),
        cmocka_unit_test(test_facts_survive_deeply_nested_text),
        cmocka_unit_test(test_facts_take_any_bytes),
        cmocka_unit_test(test_facts_tell_sql_from_a_command_line),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
