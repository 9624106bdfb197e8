/* The names advice is written with. */
#include "sql_unit.h"

#include "sql/clauses.h"

#include <stdio.h>

/* A clause as a line: kind|relation|column|constraint|definition|columns|target|target_columns. */
static const char *show(struct arena *arena, const struct clause *clause)
{
    static const char *const kinds[] = {
        [CLAUSE_CREATE_INDEX] = "create index", [CLAUSE_DROP_INDEX] = "drop index",
        [CLAUSE_REINDEX] = "reindex",           [CLAUSE_REFRESH] = "refresh",
        [CLAUSE_ADD_COLUMN] = "add column",     [CLAUSE_COLUMN_TYPE] = "type",
        [CLAUSE_SET_NOT_NULL] = "not null",     [CLAUSE_ADD_CHECK] = "check",
        [CLAUSE_ADD_FOREIGN_KEY] = "fk",        [CLAUSE_ADD_UNIQUE] = "unique",
        [CLAUSE_ADD_PRIMARY_KEY] = "pk",        [CLAUSE_ADD_EXCLUDE] = "exclude"};
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
         "add column|t|u||uuid|gen_random_uuid()||", NULL},
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
        cmocka_unit_test(test_clauses_reach_children),
        cmocka_unit_test(test_clauses_survive_any_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
