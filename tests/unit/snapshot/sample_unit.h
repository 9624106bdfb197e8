/* Catalogues for the tests of samples, made by hand. */
#ifndef SAMPLE_UNIT_H
#define SAMPLE_UNIT_H

#include "snapshot/sample_int.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

/* A table "public.<name>" of columns a, b, ..., all of the type and NOT NULL, its key the first. */
static inline size_t add_table(struct arena *arena, struct catalog *catalog, const char *name,
                               const char *type, int columns, int64_t rows)
{
    size_t index = catalog->tables.count;
    struct catalog_table *table = RH_PUSH(arena, &catalog->tables);
    *table = (struct catalog_table){.id = 16384 + (int64_t)index,
                                    .schema = "public",
                                    .name = name,
                                    .identity = rh_arena_printf(arena, "public.%s", name),
                                    .kind = 'r',
                                    .parent = CATALOG_NONE,
                                    .may_select = true,
                                    .rows_estimate = rows};
    for (int i = 0; i < columns; i++) {
        struct catalog_column *column = RH_PUSH(arena, &table->columns);
        *column = (struct catalog_column){.number = i + 1,
                                          .name = rh_arena_printf(arena, "%c", 'a' + i),
                                          .quoted = rh_arena_printf(arena, "%c", 'a' + i),
                                          .type = type,
                                          .base_type = type,
                                          .type_kind = 'b',
                                          .not_null = true};
    }
    struct catalog_key *key = RH_PUSH(arena, &table->keys);
    *key = (struct catalog_key){.name = "key", .is_primary = true, .is_unique = true};
    *RH_PUSH(arena, &key->columns) = 1;
    return index;
}

static inline void add_key(struct arena *arena, struct catalog *catalog, const char *name,
                           size_t child, int column, size_t parent, int parent_column)
{
    struct catalog_foreign_key *key = RH_PUSH(arena, &catalog->foreign_keys);
    *key = (struct catalog_foreign_key){.name = name, .child = child, .parent = parent};
    *RH_PUSH(arena, &key->child_columns) = column;
    *RH_PUSH(arena, &key->parent_columns) = parent_column;
}

static inline struct sampling sampling_of(struct arena *arena, const struct catalog *catalog,
                                          const struct sample_options *options)
{
    struct sampling sampling = {
        .catalog = catalog, .options = options, .arena = arena, .scratch = arena, .major = 15};
    *RH_PUSH(arena, &sampling.schemas) = "public";
    rh_sample_nodes(&sampling);
    return sampling;
}

static inline const struct sample_node *node_of(const struct sampling *sampling, size_t table)
{
    return &sampling->nodes.items[sampling->node_of[table]];
}

#endif
