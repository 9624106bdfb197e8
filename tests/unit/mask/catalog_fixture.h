/*
 * Catalogues for tests, a line for each thing. Names are both bare and quoted; schemas are
 * "public".
 */
#ifndef RH_TEST_CATALOG_FIXTURE_H
#define RH_TEST_CATALOG_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "mask/masking_int.h"

#include <stdio.h>
#include <stdlib.h>

struct made {
    struct arena *arena;
    struct catalog catalog;
    VEC(struct mask_sighting) sightings;
};

static inline struct made make_catalog(void)
{
    struct made made = {.arena = rh_arena_new()};
    made.catalog.database = "shop";
    made.catalog.encoding = "UTF8";
    return made;
}

static inline size_t add_table(struct made *made, const char *name)
{
    struct catalog_table *table = RH_PUSH(made->arena, &made->catalog.tables);
    table->schema = "public";
    table->name = name;
    table->identity = rh_arena_printf(made->arena, "public.%s", name);
    table->kind = 'r';
    table->parent = CATALOG_NONE;
    return made->catalog.tables.count - 1;
}

/* "varchar(20)", "text[]", "int4 not null"; kinds of types: enum by "enum", composite by hand. */
static inline struct catalog_column *add_column(struct made *made, size_t table, const char *name,
                                                const char *type)
{
    struct catalog_table *own = &made->catalog.tables.items[table];
    struct catalog_column *column = RH_PUSH(made->arena, &own->columns);
    size_t len = strcspn(type, "([ ");
    column->number = (int)own->columns.count;
    column->name = column->quoted = name;
    column->type = type;
    column->base_type = rh_arena_strndup(made->arena, type, len);
    column->is_array = strstr(type, "[]") != NULL;
    column->max_characters = type[len] == '(' ? (int)strtol(type + len + 1, NULL, 10) : 0;
    if (strcmp(column->base_type, "numeric") == 0 && column->max_characters > 0) {
        const char *comma = strchr(type, ',');
        column->precision = column->max_characters;
        column->scale = comma ? (int)strtol(comma + 1, NULL, 10) : 0;
        column->max_characters = 0;
    }
    column->not_null = strstr(type, "not null") != NULL;
    column->type_kind = strcmp(column->base_type, "enum") == 0 ? 'e' : 'b';
    column->is_deterministic = true;
    column->null_fraction = -1;
    return column;
}

/* So many values were looked at, and nothing about them was personal. */
static inline void add_sighting(struct made *made, size_t table, const char *column, int64_t values)
{
    *RH_PUSH(made->arena, &made->sightings) = (struct mask_sighting){
        .table = table,
        .column = rh_catalog_column_named(&made->catalog.tables.items[table], column)->number,
        .values = values};
}

/* "id" or "a,b"; "" for none; an expression in "{}". */
static inline struct catalog_key *add_key(struct made *made, size_t table, const char *name,
                                          bool is_unique, const char *columns)
{
    struct catalog_table *own = &made->catalog.tables.items[table];
    struct catalog_key *key = RH_PUSH(made->arena, &own->keys);
    key->name = name;
    key->is_unique = is_unique;
    key->definition = rh_arena_printf(made->arena, "CREATE INDEX %s ON %s USING btree (%s)", name,
                                      own->identity, columns);
    if (columns[0] == '{') {
        *RH_PUSH(made->arena, &key->columns) = 0;
        *RH_PUSH(made->arena, &key->expressions) = rh_arena_strndup(made->arena, columns + 1,
                                                                    strlen(columns) - 2);
        return key;
    }
    while (*columns) {
        size_t len = strcspn(columns, ",");
        const struct catalog_column *column = rh_catalog_column_named(
            own, rh_arena_strndup(made->arena, columns, len));
        assert_non_null(column);
        *RH_PUSH(made->arena, &key->columns) = column->number;
        columns += len + (columns[len] == ',');
    }
    return key;
}

static inline struct catalog_check *add_check(struct made *made, size_t table, const char *name,
                                              const char *column, const char *expression)
{
    struct catalog_table *own = &made->catalog.tables.items[table];
    struct catalog_check *check = RH_PUSH(made->arena, &own->checks);
    check->name = name;
    check->expression = expression;
    check->is_validated = true;
    *RH_PUSH(made->arena, &check->columns) = rh_catalog_column_named(own, column)->number;
    return check;
}

static inline void add_foreign_key(struct made *made, size_t child, const char *column,
                                   size_t parent, const char *parent_column)
{
    struct catalog_foreign_key *key = RH_PUSH(made->arena, &made->catalog.foreign_keys);
    key->name = rh_arena_printf(made->arena, "%s_%s_fkey", made->catalog.tables.items[child].name,
                                column);
    key->child = child;
    key->parent = parent;
    *RH_PUSH(made->arena, &key->child_columns) =
        rh_catalog_column_named(&made->catalog.tables.items[child], column)->number;
    *RH_PUSH(made->arena, &key->parent_columns) =
        rh_catalog_column_named(&made->catalog.tables.items[parent], parent_column)->number;
    key->is_validated = true;
}

/* Shows what went wrong and fails the test. */
static inline void make_plan(struct made *made, const char *yaml, struct masking *ret_masking)
{
    struct err err = RH_ERR_INIT;
    struct masking_rules *rules = NULL;
    char text[4096];
    if ((yaml &&
         rh_masking_rules_parse("masking.yaml", rh_text(yaml), made->arena, &rules, &err)) ||
        rh_masking_declare(rules, &made->catalog, made->arena, &err) ||
        rh_masking_plan(&made->catalog, rules, made->sightings.items, made->sightings.count,
                        made->arena, ret_masking, &err)) {
        rh_err_format(&err, text, sizeof(text));
        fail_msg("%s", text);
    }
}

static inline const struct masked_column *decision_of(const struct made *made,
                                                      const struct masking *masking, size_t table,
                                                      const char *column)
{
    const struct masked_column *masked = rh_masking_column(
        masking, table,
        rh_catalog_column_named(&made->catalog.tables.items[table], column)->number);
    assert_non_null(masked);
    return masked;
}

/* The sentence of a problem of that column that has these words; NULL. */
static inline const char *find_problem(const struct masking *masking, const char *column,
                                       bool is_fatal, const char *words)
{
    for (size_t i = 0; i < masking->problems.count; i++) {
        const struct masking_problem *problem = &masking->problems.items[i];
        if (problem->is_fatal == is_fatal && problem->column &&
            strcmp(problem->column, column) == 0 && strstr(problem->sentence, words))
            return problem->sentence;
    }
    return NULL;
}

static inline size_t count_fatal(const struct masking *masking)
{
    size_t count = 0;
    for (size_t i = 0; i < masking->problems.count; i++)
        count += masking->problems.items[i].is_fatal;
    return count;
}

static inline void show_problems(const struct masking *masking)
{
    for (size_t i = 0; i < masking->problems.count; i++)
        fprintf(stderr, "%s %s.%s: %s\n", masking->problems.items[i].is_fatal ? "fatal" : "note",
                masking->problems.items[i].table, masking->problems.items[i].column,
                masking->problems.items[i].sentence);
}

#endif
