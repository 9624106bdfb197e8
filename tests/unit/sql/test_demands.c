/* What clauses want of the rows that are there. */
#include "sql_unit.h"

#include "sql/demands.h"

static const char *join(struct arena *arena, const char *line, const char *name, const char *text)
{
    return text ? rh_arena_printf(arena, "%s %s=<%s>", line, name, text) : line;
}

static const char *show_bound(struct arena *arena, const char *line,
                              const struct demand_bound *bound)
{
    static const char *const kinds[] = {[BOUND_UNKNOWN] = "",
                                        [BOUND_DEFAULT] = " default",
                                        [BOUND_LIST] = " list",
                                        [BOUND_RANGE] = " range",
                                        [BOUND_HASH] = " hash"};
    line = rh_arena_printf(arena, "%s%s", line, kinds[bound->kind]);
    for (size_t i = 0; i < bound->values.count; i++)
        line = rh_arena_printf(arena, "%s <%s>", line, bound->values.items[i]);
    for (size_t i = 0; i < bound->to.count; i++)
        line = rh_arena_printf(arena, "%s to <%s>", line, bound->to.items[i]);
    line = join(arena, line, "modulus", bound->modulus);
    return join(arena, line, "remainder", bound->remainder);
}

/* A line for each demand: its kind, then what it says. */
static const char *show(struct arena *arena, const struct demands *demands)
{
    static const char *const kinds[] = {[DEMAND_INDEXED] = "indexed",
                                        [DEMAND_UNIQUE] = "unique",
                                        [DEMAND_NOT_NULL] = "not null",
                                        [DEMAND_CHECK] = "check",
                                        [DEMAND_REFERENCE] = "reference",
                                        [DEMAND_EXCLUSION] = "exclusion",
                                        [DEMAND_TYPE] = "type",
                                        [DEMAND_EXPRESSION] = "expression",
                                        [DEMAND_KEY_INDEX] = "key index",
                                        [DEMAND_VALID] = "valid",
                                        [DEMAND_ATTACH] = "attach",
                                        [DEMAND_PARTITION] = "partition",
                                        [DEMAND_CHANGED_ROWS] = "changes",
                                        [DEMAND_DELETED_ROWS] = "deletes",
                                        [DEMAND_NOT_UNDERSTOOD] = "?"};
    const char *line = "";
    for (size_t i = 0; i < demands->items.count; i++) {
        const struct demand *demand = &demands->items.items[i];
        line = rh_arena_printf(arena, "%s%s%s%s%s%s", line, i ? "; " : "", kinds[demand->kind],
                               demand->nulls_equal ? " nulls" : "", demand->is_full ? " full" : "",
                               demand->is_primary ? " primary" : "");
        for (size_t k = 0; k < demand->keys.count; k++) {
            const struct demand_key *key = &demand->keys.items[k];
            line = rh_arena_printf(arena, "%s <%s>%s", line, key->expression,
                                   key->is_column ? "" : "!");
            line = join(arena, line, "with", key->operator);
        }
        for (size_t c = 0; c < demand->columns.count; c++)
            line = rh_arena_printf(arena, "%s <%s>", line, demand->columns.items[c]);
        line = join(arena, line, "to", demand->referenced);
        for (size_t c = 0; c < demand->referenced_columns.count; c++)
            line = rh_arena_printf(arena, "%s <%s>", line, demand->referenced_columns.items[c]);
        line = join(arena, line, "name", demand->name);
        line = join(arena, line, "column", demand->column);
        line = join(arena, line, "type", demand->type);
        line = join(arena, line, "expression", demand->expression);
        line = join(arena, line, "condition", demand->condition);
        line = join(arena, line, "alias", demand->alias);
        line = show_bound(arena, line, &demand->bound);
    }
    return line;
}

static void test_demands_of_every_clause(void **state)
{
    (void)state;
    static const struct {
        const char *sql, *expected;
    } cases[] = {
        {"CREATE UNIQUE INDEX i ON t USING btree (lower(a) COLLATE \"C\" text_pattern_ops DESC "
         "NULLS "
         "LAST, b ASC, (c + 1)) INCLUDE (d) WHERE e > 0",
         "expression expression=<lower(a) COLLATE \"C\"> condition=<e > 0>; expression "
         "expression=<(c + 1)> condition=<e > 0>; unique <lower(a) COLLATE \"C\">! <b> <(c + 1)>! "
         "name=<i> condition=<e > 0>"},
        {"CREATE UNIQUE INDEX ON t (a) NULLS NOT DISTINCT", "unique nulls <a>"},
        {"CREATE INDEX ON t (a DESC, b)", "indexed <a> <b>"},
        {"ALTER TABLE t ADD UNIQUE (a, \"B\"), ADD CONSTRAINT k UNIQUE NULLS NOT DISTINCT (c)",
         "unique <a> <\"B\">; unique nulls <c> name=<k>"},
        {"ALTER TABLE t ADD PRIMARY KEY (a, b)",
         "unique primary <a> <b>; not null column=<a>; not null column=<b>"},
        {"ALTER TABLE t ADD CONSTRAINT f FOREIGN KEY (a, b) REFERENCES s.p (x, y) MATCH FULL NOT "
         "VALID",
         "reference full <a> <b> to=<s.p> <x> <y> name=<f>"},
        {"ALTER TABLE t ADD FOREIGN KEY (a) REFERENCES p ON DELETE CASCADE",
         "reference <a> to=<p>"},
        {"ALTER TABLE t ADD CHECK ((a > 0) OR (b < 0)) NOT VALID",
         "check condition=<(a > 0) OR (b < 0)>"},
        {"ALTER TABLE t ADD EXCLUDE USING gist (room WITH =, during WITH &&) WHERE (NOT void)",
         "exclusion <room> with=<=> <during> with=<&&> condition=<NOT void>"},
        {"ALTER TABLE t ALTER a SET NOT NULL, ALTER COLUMN \"B\" SET NOT NULL",
         "not null column=<a>; not null column=<\"B\">"},
        {"ALTER TABLE t ADD CONSTRAINT n NOT NULL a", "not null name=<n> column=<a>"},
        {"ALTER TABLE t ALTER a TYPE varchar(3) COLLATE \"C\" USING left(b, 3)",
         "type column=<a> type=<varchar(3)> expression=<left(b, 3)>"},
        {"ALTER TABLE t ALTER a SET DATA TYPE timestamp with time zone",
         "type column=<a> type=<timestamp with time zone>"},
        {"ALTER TABLE t ADD COLUMN g int GENERATED ALWAYS AS (a / b) STORED",
         "expression expression=<a / b>"},
        {"ALTER TABLE t ADD COLUMN c int NOT NULL", ""},
        {"ALTER TABLE t VALIDATE CONSTRAINT k", "valid name=<k>"},
        {"ALTER TABLE t ADD CONSTRAINT k PRIMARY KEY USING INDEX i", "key index name=<i>"},
        {"ALTER TABLE t ATTACH PARTITION p FOR VALUES IN ('a', NULL)",
         "attach name=<p> list <'a'> <NULL>"},
        {"ALTER TABLE t ATTACH PARTITION p DEFAULT", "attach name=<p> default"},
        {"CREATE TABLE p PARTITION OF t FOR VALUES FROM (1, MINVALUE) TO (2, f(3, 4))",
         "partition range <1> <MINVALUE> to <2> to <f(3, 4)>"},
        {"CREATE TABLE p PARTITION OF t FOR VALUES WITH (MODULUS 4, REMAINDER 1)",
         "partition hash modulus=<4> remainder=<1>"},
        {"ALTER DOMAIN d ADD CONSTRAINT c CHECK (VALUE > 0)",
         "check name=<c> condition=<VALUE > 0>"},
        {"ALTER DOMAIN d SET NOT NULL", "not null"},
        {"UPDATE t AS x SET a = 1 WHERE x.b", "changes condition=<x.b> alias=<x>"},
        {"DELETE FROM t", "deletes"},
        {"ALTER TABLE t ADD UNIQUE ()", "?"},
        {"ALTER TABLE t ADD FOREIGN KEY", "?"},
        {"ALTER TABLE t ALTER a TYPE", "?"},
        {"SELECT 1", ""},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct arena *arena RH_CLEANUP_ARENA = rh_arena_new();
        struct validation validation;
        struct demands demands;
        rh_sql_validations(rh_text(cases[i].sql), arena, &validation);
        rh_sql_demands(&validation, arena, &demands);
        const char *shown = show(arena, &demands);
        if (strcmp(shown, cases[i].expected) != 0)
            fail_msg("%s\n  is       %s\n  expected %s", cases[i].sql, shown, cases[i].expected);
    }
}

static void test_partition_key_is_read_as_the_server_prints_it(void **state)
{
    (void)state;
    static const struct {
        const char *definition, *expected;
        char kind;
    } cases[] = {{"RANGE (at, lower(b) COLLATE \"C\" text_ops)",
                  "unique <at> <lower(b) COLLATE \"C\">!", 'r'},
                 {"LIST (\"a B\")", "unique <\"a B\">", 'l'},
                 {"HASH (((a + 1)))", "unique <((a + 1))>!", 'h'}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct arena *arena RH_CLEANUP_ARENA = rh_arena_new();
        struct demands keys;
        char kind = 0;
        assert_true(rh_sql_partition_key(cases[i].definition, arena, &kind, &keys));
        assert_int_equal(kind, cases[i].kind);
        assert_string_equal(show(arena, &keys), cases[i].expected);
    }
    struct arena *arena RH_CLEANUP_ARENA = rh_arena_new();
    struct demands keys;
    char kind = 0;
    assert_false(rh_sql_partition_key(NULL, arena, &kind, &keys));
    assert_false(rh_sql_partition_key("RANGE", arena, &kind, &keys));
}

static void test_demands_survive_any_text(void **state)
{
    (void)state;
    static const char *const starts[] = {
        "ALTER TABLE t ADD UNIQUE ",   "ALTER TABLE t ADD EXCLUDE ",
        "CREATE UNIQUE INDEX ON t ",   "ALTER TABLE t ADD FOREIGN KEY ",
        "ALTER TABLE t ALTER a TYPE ", "ALTER TABLE t ATTACH PARTITION p FOR VALUES ",
        "ALTER TABLE t ADD CHECK ",    "ALTER DOMAIN d ADD "};
    uint64_t seed = 21;
    for (int round = 0; round < 20000; round++) {
        RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
        struct validation validation;
        struct demands demands;
        char sql[512];
        const char *start = starts[next_random(&seed) % COUNT(starts)];
        size_t len = strlen(start);
        memcpy(sql, start, len);
        len += random_sql(&seed, sql + len, sizeof(sql) - len - 1);
        rh_sql_validations((struct text){sql, len}, arena, &validation);
        rh_sql_demands(&validation, arena, &demands);
        for (size_t i = 0; i < demands.items.count; i++) {
            const struct demand *demand = &demands.items.items[i];
            for (size_t k = 0; k < demand->keys.count; k++)
                assert_non_null(demand->keys.items[k].expression);
            for (size_t c = 0; c < demand->columns.count; c++)
                assert_non_null(demand->columns.items[c]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_demands_survive_any_text),
        cmocka_unit_test(test_demands_of_every_clause),
        cmocka_unit_test(test_partition_key_is_read_as_the_server_prints_it)};
    return cmocka_run_group_tests_name("demands", tests, NULL, NULL);
}
