#include "snapshot/create_int.h"

#include <fnmatch.h>

static bool fits(const char *pattern, const struct catalog_table *table, struct arena *arena)
{
    const char *qualified = rh_arena_printf(arena, "%s.%s", table->schema, table->name);

    return fnmatch(pattern, table->name, FNM_NOESCAPE) == 0 ||
           fnmatch(pattern, qualified, FNM_NOESCAPE) == 0 || strcmp(pattern, table->identity) == 0;
}

/* Rows of a partitioned table are those of its partitions. */
static bool is_below(const struct catalog *catalog, size_t index, const bool *is_omitted)
{
    size_t steps = 0;

    for (size_t at = catalog->tables.items[index].parent;
         at != CATALOG_NONE && steps <= catalog->tables.count;
         at = catalog->tables.items[at].parent, steps++)
        if (is_omitted[at] && catalog->tables.items[at].partition_key)
            return true;
    return false;
}

/* A restore would fail at the foreign key. */
static enum err_code check_references(const struct catalog *catalog, const bool *is_omitted,
                                      struct err *err)
{
    for (size_t i = 0; i < catalog->foreign_keys.count; i++) {
        const struct catalog_foreign_key *key = &catalog->foreign_keys.items[i];

        if (key->is_declared || !is_omitted[key->parent] || is_omitted[key->child])
            continue;
        rh_err_set(err, RH_ERR_USAGE,
                   "%s cannot be left without rows: those of %s refer to them (foreign key %s)",
                   catalog->tables.items[key->parent].identity,
                   catalog->tables.items[key->child].identity, key->name);
        rh_err_hint(err, "Leave out %s too, or take fewer rows with --sample.",
                    catalog->tables.items[key->child].identity);
        return RH_ERR_USAGE;
    }
    return RH_OK;
}

enum err_code rh_exclude(const char *const *patterns, size_t count, const struct catalog *catalog,
                         struct arena *arena, bool *is_omitted, struct err *err)
{
    for (size_t p = 0; p < count; p++) {
        bool fits_any = false;

        for (size_t i = 0; i < catalog->tables.count; i++) {
            if (catalog->tables.items[i].kind == 'v' ||
                !fits(patterns[p], &catalog->tables.items[i], arena))
                continue;
            is_omitted[i] = fits_any = true;
        }
        if (!fits_any)
            return rh_err_set(err, RH_ERR_USAGE, "--exclude-table: there is no table \"%s\"",
                              patterns[p]);
    }
    for (size_t i = 0; i < catalog->tables.count; i++)
        is_omitted[i] = is_omitted[i] || is_below(catalog, i, is_omitted);
    return check_references(catalog, is_omitted, err);
}
