/* The names advice is written with. */
#include "sql_unit.h"

#include "sql/clauses.h"

#include <stdio.h>

/* A clause as a line: kind|relation|column|constraint|definition|columns|target|target_columns. */
static const char *show(struct arena *arena, const struct clause *clause)
{
    static const char *const kinds[] = {[CLAUSE_CREATE_INDEX] = "create index",
                                        [CLAUSE_DROP_INDEX] = "drop index",
                                        [CLAUSE_REINDEX] = "reindex",
                                        [CLAUSE_REFRESH] = "refresh",
                                        [CLAUSE_ADD_COLUMN] = "add column",
                                        [CLAUSE_COLUMN_TYPE] = "type",
                                        [CLAUSE_SET_NOT_NULL] = "not null",
                                        [CLAUSE_ADD_CHECK] = "check",
                                        [CLAUSE_ADD_FOREIGN_KEY] = "fk",
                                        [CLAUSE_ADD_UNIQUE] = "unique",
                                        [CLAUSE_ADD_PRIMARY_KEY] = "pk",
                                        [CLAUSE_ADD_EXCLUDE] = "exclude",
                                        [CLAUSE_SET_VALUE] = "set",
                                        [CLAUSE_IF_NOT_EXISTS] = "if not exists"};
    const char *const parts[] = {clause->relation,      clause->column,  clause->constraint,
                                 clause->definition,    clause->columns, clause->target,
                                 clause->target_columns};
    const char *line = kinds[clause->kind];
    for (size_t i = 0; i < COUNT(parts); i++)
        line = rh_arena_printf(arena, "%s|%s", line, parts[i] ? parts[i] : "");
    return line;
}

static void test_clauses_of_alter_table(void **state)
{
    (void)state;
    static const struct {
        const char *sql, *first, *second;
    } cases[] = {
        {"ALTER TABLE orders ALTER COLUMN id TYPE bigint;", "type|orders|id||bigint|||", NULL},
        {"alter table if exists only public.\"Odd\" alter \"a b\" set data type varchar(10)[] "
         "using left(\"a b\", 10)",
         "type|public.\"Odd\"|\"a b\"||varchar(10)[]|||", NULL},
        {"ALTER TABLE t ALTER a SET NOT NULL, ALTER b TYPE double precision", "not null|t|a|||||",
         "type|t|b||double precision|||"},
        {"ALTER TABLE t ADD COLUMN IF NOT EXISTS u uuid DEFAULT gen_random_uuid() NOT NULL",
         "if not exists|t|u||table column|||", "add column|t|u||uuid|gen_random_uuid()||"},
        {"ALTER TABLE t ADD x numeric(10, 2) DEFAULT NULL, ADD y int",
         "add column|t|x||numeric(10, 2)|NULL||", "add column|t|y||int|||"},
        {"ALTER TABLE t ADD d text DEFAULT ('a' || 'not') COLLATE \"C\"",
         "add column|t|d||text|('a' || 'not')||", NULL},
        {"ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0 AND (b IS NOT NULL))",
         "check|t||c|CHECK (a > 0 AND (b IS NOT NULL))|a > 0 AND (b IS NOT NULL)||", NULL},
        {"ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0) NOT VALID", NULL, NULL},
        {"ALTER TABLE o ADD FOREIGN KEY (a, b) REFERENCES s.c (x, y) ON DELETE CASCADE",
         "fk|o|||FOREIGN KEY (a, b) REFERENCES s.c (x, y) ON DELETE CASCADE|a, b|s.c|x, y", NULL},
        {"ALTER TABLE o ADD FOREIGN KEY (a) REFERENCES c",
         "fk|o|||FOREIGN KEY (a) REFERENCES c|a|c|", NULL},
        {"ALTER TABLE t ADD CONSTRAINT u UNIQUE NULLS NOT DISTINCT (a)",
         "unique|t||u|UNIQUE NULLS NOT DISTINCT (a)|a||", NULL},
        {"ALTER TABLE t ADD CONSTRAINT u UNIQUE USING INDEX i", NULL, NULL},
        {"ALTER TABLE t ADD PRIMARY KEY (id)", "pk|t|||PRIMARY KEY (id)|id||", NULL},
        {"ALTER TABLE t ADD CONSTRAINT e EXCLUDE USING gist (r WITH &&)",
         "exclude|t||e|EXCLUDE USING gist (r WITH &&)|||", NULL},
        {"ALTER TABLE t ADD CONSTRAINT n NOT NULL a", NULL, NULL},
        {"ALTER TABLE t /* why */ ADD -- x\n COLUMN a int", "add column|t|a||int|||", NULL},
        {"ALTER TABLE t DROP COLUMN a", NULL, NULL},
        {"ALTER TABLE t RENAME TO u", NULL, NULL},
        {"ALTER TABLE", NULL, NULL},
        {"ALTER TABLE t ADD", NULL, NULL},
        {"ALTER TABLE t ADD COLUMN", NULL, NULL},
        {"ALTER TABLE t ADD CONSTRAINT c CHECK (a", "check|t||c|CHECK (a|||", NULL},
        {"ALTER TABLE t ALTER", NULL, NULL},
        {"ALTER TABLE a ADD b int; ALTER TABLE c ADD d int", NULL,
         NULL}, /* its pieces are looked at */
        {"ALTER VIEW v ALTER c SET DEFAULT 1", NULL, NULL},
        {"SELECT 1", NULL, NULL},
        {"", NULL, NULL},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
        struct statement statement = {.sql = cases[i].sql};
        rh_sql_clauses(&statement, arena);
        const char *const expected[] = {cases[i].first, cases[i].second};
        size_t count = (expected[0] != NULL) + (expected[1] != NULL);
        if (statement.clauses.count != count)
            fail_msg("%s: %zu clauses", cases[i].sql, statement.clauses.count);
        for (size_t c = 0; c < count; c++)
            assert_string_equal(show(arena, &statement.clauses.items[c]), expected[c]);
    }
}

static void test_clauses_of_index_commands_have_a_safe_form(void **state)
{
    (void)state;
    static const struct {
        const char *sql, *safe_form; /* NULL: none */
    } cases[] = {
        {"CREATE INDEX a_b ON a (b);", "CREATE INDEX CONCURRENTLY a_b ON a (b)"},
        {"create unique index on a using gin (lower(b), c desc) where d",
         "create unique index CONCURRENTLY on a using gin (lower(b), c desc) where d"},
        {"CREATE INDEX IF NOT EXISTS x ON a (b)",
         "CREATE INDEX CONCURRENTLY IF NOT EXISTS x ON a (b)"},
        {"-- why\nCREATE INDEX x\n  ON a (b) -- end\n;", "CREATE INDEX CONCURRENTLY x\n  ON a (b)"},
        {"CREATE INDEX CONCURRENTLY x ON a (b)", NULL},
        {"CREATE INDEX x ON ONLY a (b)", NULL},
        {"DROP INDEX s.x", "DROP INDEX CONCURRENTLY s.x"},
        {"DROP INDEX IF EXISTS x RESTRICT", "DROP INDEX CONCURRENTLY IF EXISTS x RESTRICT"},
        {"DROP INDEX x, y", NULL},
        {"DROP INDEX x CASCADE", NULL},
        {"DROP INDEX CONCURRENTLY x", NULL},
        {"REINDEX TABLE t", "REINDEX TABLE CONCURRENTLY t"},
        {"REINDEX (VERBOSE) INDEX i", "REINDEX (VERBOSE) INDEX CONCURRENTLY i"},
        {"REINDEX SYSTEM d", NULL},
        {"REINDEX INDEX CONCURRENTLY i", NULL},
        {"REFRESH MATERIALIZED VIEW v", "REFRESH MATERIALIZED VIEW CONCURRENTLY v"},
        {"REFRESH MATERIALIZED VIEW CONCURRENTLY v", NULL},
        {"REFRESH MATERIALIZED VIEW", NULL},
        {"CREATE TABLE t (a int)", NULL},
        {"CREATE INDEX", NULL},
        {"DROP INDEX", NULL},
        {"REINDEX", NULL},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
        struct statement statement = {.sql = cases[i].sql};
        rh_sql_clauses(&statement, arena);
        const char *form = statement.clauses.count ? statement.clauses.items[0].safe_form : NULL;
        if (!cases[i].safe_form && form)
            fail_msg("%s: %s", cases[i].sql, form);
        else if (cases[i].safe_form)
            assert_string_equal(form ? form : "(none)", cases[i].safe_form);
    }
}

static void test_clauses_of_create_index_name_columns(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct statement statement = {.sql = "CREATE INDEX x ON s.a USING btree (lower(b), c)"};
    rh_sql_clauses(&statement, arena);
    assert_int_equal(statement.clauses.count, 1);
    assert_string_equal(statement.clauses.items[0].relation, "s.a");
    assert_string_equal(statement.clauses.items[0].columns, "lower(b), c");
}

static void test_clauses_of_a_type_have_its_expression(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct statement statement = {
        .sql = "ALTER TABLE t ALTER a TYPE varchar(5) USING left(a, 5), ALTER b TYPE int"};
    rh_sql_clauses(&statement, arena);
    assert_int_equal(statement.clauses.count, 2);
    assert_string_equal(statement.clauses.items[0].expression, "left(a, 5)");
    assert_null(statement.clauses.items[1].expression);
}

static void test_clauses_of_update_leave_out_what_says_null(void **state)
{
    (void)state;
    static const struct {
        const char *sql, *shown; /* column=expression{names}, each followed by ; */
    } cases[] = {
        {"UPDATE users SET name = first || ' ' || Last", "name=first || ' ' || Last{first,last};"},
        {"update only s.users as u set a = b + u.c, \"D\" = (e) from x where a is null",
         "a=b + u.c{b,c};\"D\"=(e){e};"},
        {"UPDATE t SET a = NULL", ""},
        {"UPDATE t SET a = nullif(b, '')", ""},
        {"UPDATE t SET a = DEFAULT, b = c", "b=c{c};"},
        {"UPDATE t SET a = CASE WHEN b IS NOT NULL THEN c END",
         "a=CASE WHEN b IS NOT NULL THEN c END{case,when,b,is,not,null,then,c,end};"},
        {"UPDATE t SET a = b IS DISTINCT FROM c WHERE d",
         "a=b IS DISTINCT FROM c{b,is,distinct,from,c};"},
        {"UPDATE t SET a = (SELECT b FROM c)", "a=(SELECT b FROM c){};"},
        {"UPDATE t SET (a, b) = (1, 2)", ""},
        {"UPDATE t SET a[1] = b", ""},
        {"UPDATE t", ""},
        {"UPDATE t SET", ""},
        {"UPDATE t SET a", ""},
        {"UPDATE t SET a =", ""},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
        struct statement statement = {.sql = cases[i].sql};
        rh_sql_clauses(&statement, arena);
        const char *shown = "";
        for (size_t c = 0; c < statement.clauses.count; c++) {
            const struct clause *clause = &statement.clauses.items[c];
            shown = rh_arena_printf(arena, "%s%s=%s{%s};", shown, clause->column,
                                    clause->expression, clause->columns);
        }
        assert_string_equal(shown, cases[i].shown);
    }
}

static void test_clauses_of_if_not_exists_can_be_said_of_another_relation(void **state)
{
    (void)state;
    static const struct {
        const char *sql, *relation, *said; /* of relation x; NULL: there is no such clause */
    } cases[] = {
        {"CREATE INDEX IF NOT EXISTS i ON s.t USING btree (a) WHERE b;", "s.t",
         "CREATE INDEX ON x USING btree (a) WHERE b"},
        {"create unique index concurrently if not exists i on only t (a)", "t",
         "CREATE UNIQUE INDEX ON x (a)"},
        {"CREATE INDEX i ON t (a)", NULL, NULL},
        {"CREATE TABLE IF NOT EXISTS t (id int, CHECK (id > 0))", "t",
         "CREATE TABLE x (id int, CHECK (id > 0))"},
        {"CREATE UNLOGGED TABLE IF NOT EXISTS t (id int) WITH (fillfactor = 50)", "t",
         "CREATE TABLE x (id int) WITH (fillfactor = 50)"},
        {"CREATE TABLE IF NOT EXISTS t AS SELECT 1", NULL, NULL},
        {"CREATE TABLE IF NOT EXISTS t", NULL, NULL},
        {"CREATE INDEX IF NOT EXISTS", NULL, NULL},
        {"ALTER TABLE t ADD COLUMN IF NOT EXISTS a int DEFAULT 1, DROP b", "t",
         "ALTER TABLE x ADD COLUMN a int DEFAULT 1"},
        {"ALTER TABLE t ADD IF NOT EXISTS a", NULL, NULL},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
        struct statement statement = {.sql = cases[i].sql};
        const struct clause *clause = NULL;
        rh_sql_clauses(&statement, arena);
        for (size_t c = 0; c < statement.clauses.count; c++)
            if (statement.clauses.items[c].kind == CLAUSE_IF_NOT_EXISTS)
                clause = &statement.clauses.items[c];
        if ((clause != NULL) != (cases[i].said != NULL))
            fail_msg("%s: %s", cases[i].sql, clause ? "a clause" : "no clause");
        if (!clause)
            continue;
        assert_string_equal(clause->relation, cases[i].relation);
        assert_non_null(clause->column);
        assert_string_equal(
            rh_arena_printf(arena, "%s x %s", clause->before_relation, clause->after_relation),
            cases[i].said);
    }
}

static void test_clauses_reach_children(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct statement statement = {.sql = "DO $$ begin ... end $$"};
    *RH_PUSH(arena,
             &statement.children) = (struct statement){.sql = "alter table t alter a set not null"};
    rh_sql_clauses(&statement, arena);
    assert_int_equal(statement.clauses.count, 0);
    assert_int_equal(statement.children.items[0].clauses.count, 1);
}

static void test_clauses_survive_any_text(void **state)
{
    (void)state;
    static const char *const starts[] = {"alter table t add ",
                                         "create index ",
                                         "drop index ",
                                         "reindex ",
                                         "refresh ",
                                         "alter table t alter ",
                                         "update t set a = ",
                                         "create table if not exists t ",
                                         "create index if not exists i on ",
                                         ""};
    uint64_t seed = 20261120;
    for (int i = 0; i < 20000; i++) {
        RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
        char text[512];
        const char *start = starts[(size_t)i % COUNT(starts)];
        size_t len = strlen(start);
        memcpy(text, start, len);
        len += random_sql(&seed, text + len, sizeof(text) - len - 1);
        text[len] = '\0';
        struct statement statement = {.sql = text};
        rh_sql_clauses(&statement, arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_clauses_of_alter_table),
        cmocka_unit_test(test_clauses_of_index_commands_have_a_safe_form),
        cmocka_unit_test(test_clauses_of_create_index_name_columns),
        cmocka_unit_test(test_clauses_of_a_type_have_its_expression),
        cmocka_unit_test(test_clauses_of_update_leave_out_what_says_null),
        cmocka_unit_test(test_clauses_of_if_not_exists_can_be_said_of_another_relation),
        cmocka_unit_test(test_clauses_reach_children),
        cmocka_unit_test(test_clauses_survive_any_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
