#include "mask/column_maps.h"

struct table_maps {
    struct mask_map **items; /* in the order of the table's columns; NULL: it stays */
    bool *is_decided;
};

struct column_maps {
    struct arena *arena;
    const struct catalog *catalog;
    struct table_maps *tables;
};

static size_t column_index(const struct catalog_table *table, int number)
{
    for (size_t i = 0; i < table->columns.count; i++)
        if (table->columns.items[i].number == number)
            return i;
    return SIZE_MAX;
}

static enum err_code make_map(struct column_maps *maps, const struct masked_column *decision,
                              const struct mask_master_key *key, struct err *err)
{
    const struct catalog_table *table = &maps->catalog->tables.items[decision->table];
    size_t index = column_index(table, decision->column);
    struct table_maps *own = &maps->tables[decision->table];
    struct mask_map_options options;
    enum err_code code;

    RH_ASSERT(index != SIZE_MAX);
    own->is_decided[index] = true;
    if (decision->rule == MASK_KEEP)
        return RH_OK;
    options = rh_masking_map_options(maps->catalog, decision, key, maps->arena);
    code = rh_mask_map_new(&options, maps->arena, &own->items[index], err);
    if (code)
        rh_err_while(err, "while preparing to mask %s.%s", table->identity,
                     table->columns.items[index].name);
    return code;
}

enum err_code rh_column_maps_new(const struct catalog *catalog, const struct masking *masking,
                                 const struct mask_master_key *key, struct column_maps **ret_maps,
                                 struct err *err)
{
    struct arena *arena = rh_arena_new();
    struct column_maps *maps = RH_NEW(arena, struct column_maps);
    enum err_code code = RH_OK;

    *maps = (struct column_maps){
        .arena = arena,
        .catalog = catalog,
        .tables = rh_arena_alloc_array(arena, catalog->tables.count + 1, sizeof(*maps->tables)),
    };
    for (size_t i = 0; i < catalog->tables.count; i++) {
        size_t count = catalog->tables.items[i].columns.count;

        maps->tables[i].items = rh_arena_alloc_array(arena, count + 1, sizeof(struct mask_map *));
        maps->tables[i].is_decided = rh_arena_alloc_array(arena, count + 1, sizeof(bool));
    }
    for (size_t i = 0; i < masking->columns.count && !code; i++)
        code = make_map(maps, &masking->columns.items[i], key, err);
    if (code)
        rh_column_maps_free(maps);
    else
        *ret_maps = maps;
    return code;
}

void rh_column_maps_free(struct column_maps *maps)
{
    if (!maps)
        return;
    for (size_t t = 0; t < maps->catalog->tables.count; t++)
        for (size_t c = 0; c < maps->catalog->tables.items[t].columns.count; c++)
            rh_mask_map_free(maps->tables[t].items[c]);
    rh_arena_free(maps->arena);
}

bool rh_column_maps_find(const struct column_maps *maps, size_t table, int column,
                         struct mask_map **ret_map)
{
    size_t index = column_index(&maps->catalog->tables.items[table], column);

    if (index == SIZE_MAX || !maps->tables[table].is_decided[index])
        return false;
    *ret_map = maps->tables[table].items[index];
    return true;
}
