/* What a set question is made of. */
#include "sql_unit.h"

#include "sql/validations.h"

/* kind relation[!] |plain|index|prefix|definition|condition|alias, then "; clause" for each. */
static const char *show(struct arena *arena, const struct validation *validation)
{
    static const char *const kinds[] = {
        [VALIDATION_NONE] = "none",           [VALIDATION_CREATE_INDEX] = "index",
        [VALIDATION_ALTER_TABLE] = "table",   [VALIDATION_CREATE_PARTITION] = "partition",
        [VALIDATION_ALTER_DOMAIN] = "domain", [VALIDATION_INSERT] = "insert",
        [VALIDATION_UPDATE] = "update",       [VALIDATION_DELETE] = "delete",
        [VALIDATION_REFRESH] = "refresh"};
    static const char *const clauses[] = {
        [VALIDATION_CLAUSE_DEFINE] = "define",     [VALIDATION_CLAUSE_TYPE] = "type",
        [VALIDATION_CLAUSE_VALIDATE] = "validate", [VALIDATION_CLAUSE_USING_INDEX] = "using index",
        [VALIDATION_CLAUSE_ATTACH] = "attach",     [VALIDATION_CLAUSE_SET] = "set"};
    const char *const parts[] = {validation->index, validation->prefix, validation->definition,
                                 validation->condition, validation->alias};
    const char *line = rh_arena_printf(
        arena, "%s%s %s%s", validation->unique ? "unique " : "", kinds[validation->kind],
        validation->relation ? validation->relation : "", validation->only ? "!" : "");
    if (validation->kind == VALIDATION_NONE)
        return "none";
    for (size_t i = 0; i < COUNT(parts); i++)
        line = parts[i] ? rh_arena_printf(arena, "%s|%s", line, parts[i]) : line;
    for (size_t i = 0; i < validation->clauses.count; i++) {
        const struct validation_clause *clause = &validation->clauses.items[i];
        line = rh_arena_printf(arena, "%s; %s <%s> %s <%s>", line, clauses[clause->kind],
                               clause->text, clause->name ? clause->name : "",
                               clause->expression ? clause->expression : "");
    }
    return line;
}

static void test_validations_finds_the_clauses(void **state)
{
    (void)state;
    static const struct {
        const char *sql, *expected;
    } cases[] = {
        {"CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS i ON ONLY s.\"t\" USING btree (a) WHERE "
         "b;",
         "unique index s.\"t\"!|i|USING btree (a) WHERE b"},
        {"create index on t (lower(a))", "index t|(lower(a))"},
        {"ALTER TABLE IF EXISTS ONLY t * ADD CONSTRAINT c UNIQUE (a, b), ALTER COLUMN \"x\" SET "
         "NOT "
         "NULL",
         "table t!; define <ADD CONSTRAINT c UNIQUE (a, b)>  <ADD UNIQUE (a, b)>; define <ALTER "
         "COLUMN \"x\" SET NOT NULL>  <>"},
        {"ALTER TABLE t ADD CHECK (a IN (1, 2)), DROP COLUMN b, ADD c int NOT NULL DEFAULT f(1, 2)",
         "table t; define <ADD CHECK (a IN (1, 2))>  <>; define <ADD c int NOT NULL DEFAULT f(1, "
         "2)>  <>"},
        {"ALTER TABLE t ALTER a SET DATA TYPE numeric(5, 2) COLLATE x USING a::int, ALTER b TYPE "
         "int",
         "table t; type <ALTER a SET DATA TYPE numeric(5, 2) COLLATE x> a <a::int>; type <ALTER b "
         "TYPE int> b <>"},
        {"ALTER TABLE t ADD CONSTRAINT k PRIMARY KEY USING INDEX i DEFERRABLE",
         "table t; using index <ADD CONSTRAINT k PRIMARY KEY USING INDEX i DEFERRABLE> i <>"},
        {"ALTER TABLE t ADD CONSTRAINT k UNIQUE USING INDEX i", "none"},
        {"ALTER TABLE t VALIDATE CONSTRAINT \"C\"",
         "table t; validate <VALIDATE CONSTRAINT \"C\"> \"C\" <>"},
        {"ALTER TABLE p ATTACH PARTITION s.c FOR VALUES FROM ('a', 1) TO (MAXVALUE, 2)",
         "table p; attach <ATTACH PARTITION s.c FOR VALUES FROM ('a', 1) TO (MAXVALUE, 2)> s.c "
         "<FOR "
         "VALUES FROM ('a', 1) TO (MAXVALUE, 2)>"},
        {"ALTER TABLE p ATTACH PARTITION c DEFAULT",
         "table p; attach <ATTACH PARTITION c DEFAULT> c <DEFAULT>"},
        {"ALTER TABLE t ALTER CONSTRAINT c DEFERRABLE", "none"},
        {"ALTER TABLE t ALTER c SET DEFAULT 1, RENAME TO u", "none"},
        {"CREATE UNLOGGED TABLE IF NOT EXISTS n PARTITION OF s.p (CHECK (a > 0)) FOR VALUES IN (1, "
         "2) "
         "TABLESPACE x",
         "partition s.p|FOR VALUES IN (1, 2)"},
        {"CREATE TABLE n PARTITION OF p FOR VALUES WITH (MODULUS 2, REMAINDER 1)",
         "partition p|FOR VALUES WITH (MODULUS 2, REMAINDER 1)"},
        {"CREATE TABLE n (a int)", "none"},
        {"CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'", "none"},
        {"ALTER DOMAIN s.d ADD CONSTRAINT c CHECK (VALUE > 0)",
         "domain s.d; define <ADD CONSTRAINT c CHECK (VALUE > 0)>  <>"},
        {"ALTER DOMAIN d SET NOT NULL", "domain d; define <SET NOT NULL>  <>"},
        {"ALTER DOMAIN d VALIDATE CONSTRAINT c", "domain d; validate <VALIDATE CONSTRAINT c> c <>"},
        {"ALTER DOMAIN d DROP NOT NULL", "none"},
        {"WITH x AS (INSERT INTO y VALUES (1)) INSERT INTO s.t AS q (a) SELECT 1",
         "insert s.t|WITH x AS (INSERT INTO y VALUES (1)) INSERT INTO|AS q (a) SELECT 1"},
        {"INSERT INTO t VALUES (1) ON CONFLICT DO NOTHING", "none"},
        {"INSERT INTO t VALUES ($1)", "none"},
        {"WITH x AS (SELECT 1) SELECT * FROM x", "none"},
        {"UPDATE ONLY t AS q SET a = b IS DISTINCT FROM c, \"B\" = (1, 2) WHERE q.a > 1 RETURNING "
         "*",
         "update t!|q.a > 1|q; set <a = b IS DISTINCT FROM c> a <b IS DISTINCT FROM c>; set <\"B\" "
         "= (1, 2)> \"B\" <(1, 2)>"},
        {"UPDATE t SET a = 1", "update t; set <a = 1> a <1>"},
        {"UPDATE t SET a = 1 FROM u WHERE u.b = t.b", "none"},
        {"UPDATE t SET (a, b) = (1, 2)", "none"},
        {"UPDATE t SET a = DEFAULT", "none"},
        {"UPDATE t SET a[1] = 2", "none"},
        {"UPDATE t SET a = 1 WHERE CURRENT OF c", "none"},
        {"REFRESH MATERIALIZED VIEW CONCURRENTLY s.v WITH DATA", "refresh s.v"},
        {"DELETE FROM ONLY s.t * AS q WHERE q.a > (SELECT 1 WHERE true) RETURNING a",
         "delete s.t!|q.a > (SELECT 1 WHERE true)|q"},
        {"DELETE FROM t", "delete t"},
        {"DELETE FROM t q", "delete t|q"},
        {"DELETE FROM t USING u WHERE a = b", "none"},
        {"DELETE FROM t WHERE a = $1", "none"},
        {"DELETE FROM t WHERE CURRENT OF c", "none"},
        {"SELECT 1", "none"},
        {"", "none"},
        {"ALTER TABLE t ADD CHECK (a); SELECT 1", "none"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
        struct validation validation;
        rh_sql_validations(rh_text(cases[i].sql), arena, &validation);
        const char *shown = show(arena, &validation);
        if (strcmp(shown, cases[i].expected) != 0)
            fail_msg("%s\n got %s\nwant %s", cases[i].sql, shown, cases[i].expected);
    }
}

static void test_validations_leave_concurrently_out(void **state)
{
    (void)state;
    static const struct {
        const char *sql, *plain;
    } cases[] = {
        {"CREATE UNIQUE INDEX CONCURRENTLY i ON t (a);", "CREATE UNIQUE INDEX i ON t (a)"},
        {"CREATE INDEX ON t (\"concurrently\") -- end", "CREATE INDEX ON t (\"concurrently\")"},
        {"REFRESH MATERIALIZED VIEW CONCURRENTLY v", "REFRESH MATERIALIZED VIEW v"},
        {"REFRESH MATERIALIZED VIEW v", "REFRESH MATERIALIZED VIEW v"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
        struct validation validation;
        rh_sql_validations(rh_text(cases[i].sql), arena, &validation);
        assert_string_equal(validation.plain, cases[i].plain);
    }
}

static void test_validations_survive_any_text(void **state)
{
    (void)state;
    static const char *const starts[] = {
        "ALTER TABLE ",       "CREATE UNIQUE INDEX ", "UPDATE ",
        "INSERT INTO ",       "ALTER DOMAIN ",        "CREATE TABLE ",
        "ALTER TABLE t ADD ", "ALTER TABLE t ALTER "};
    uint64_t seed = 20;
    for (int round = 0; round < 20000; round++) {
        RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
        struct validation validation;
        char sql[512];
        const char *start = starts[next_random(&seed) % COUNT(starts)];
        size_t len = strlen(start);
        memcpy(sql, start, len);
        len += random_sql(&seed, sql + len, sizeof(sql) - len - 1);
        rh_sql_validations((struct text){sql, len}, arena, &validation);
        for (size_t i = 0; i < validation.clauses.count; i++)
            assert_non_null(validation.clauses.items[i].text);
        if (validation.kind != VALIDATION_NONE)
            assert_non_null(validation.relation);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_validations_finds_the_clauses),
        cmocka_unit_test(test_validations_leave_concurrently_out),
        cmocka_unit_test(test_validations_survive_any_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
