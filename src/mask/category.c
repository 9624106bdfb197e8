/*
 * Columns that are categories: their values are a few that the schema itself names. What is read of
 * one column holds for another only where every value of that must be one of the first's.
 */
#include "mask/masking_int.h"

/* A column with at most so many values, as ANALYZE counted, that the schema compares with constants
 * is a category... */
#define CATEGORY_VALUES_MAX 50
/* ... once so many of its values were looked at, as for any shape. */
#define CATEGORY_SIGHTED_MIN 3

static bool is_counted(const struct decided_column *decided)
{
    double distinct = decided->column->distinct;

    return decided->schema.values.count > 0 && decided->schema.object &&
           decided->kind == PERSONAL_NONE && decided->sighting &&
           decided->sighting->values >= CATEGORY_SIGHTED_MIN && distinct > 0 &&
           distinct <= CATEGORY_VALUES_MAX;
}

/* Whether what is complete for one is so for the other too; true when that was news. */
static bool pass_on(struct planning *planning, size_t from, size_t to)
{
    if (from == SIZE_MAX || to == SIZE_MAX)
        return false;
    const struct decided_column *source = &planning->columns.items[from];
    struct decided_column *target = &planning->columns.items[to];
    if (!source->schema.is_complete || target->schema.is_complete ||
        target->family != source->family)
        return false;
    target->schema.is_complete = target->is_category = true;
    target->schema.object = source->schema.object;
    target->category_of = source->category_of;
    return true;
}

/* MATCH SIMPLE asks nothing of a row that has a NULL in another column of the key. */
static bool binds_each_column(const struct planning *planning,
                              const struct catalog_foreign_key *key)
{
    const struct catalog_table *child = &planning->catalog->tables.items[key->child];

    for (size_t c = 0;
         key->child_columns.count > 1 && !key->match_full && c < key->child_columns.count; c++) {
        const struct catalog_column *column = rh_catalog_column(child, key->child_columns.items[c]);
        if (!column || !column->not_null)
            return false;
    }
    return true;
}

static bool follow_foreign_keys(struct planning *planning)
{
    const struct catalog *catalog = planning->catalog;
    bool has_news = false;

    for (size_t i = 0; i < catalog->foreign_keys.count; i++) {
        const struct catalog_foreign_key *key = &catalog->foreign_keys.items[i];
        if (!key->is_validated || key->is_declared || !binds_each_column(planning, key))
            continue;
        for (size_t c = 0; c < key->child_columns.count; c++)
            has_news |= pass_on(
                planning, rh_planning_find(planning, key->parent, key->parent_columns.items[c]),
                rh_planning_find(planning, key->child, key->child_columns.items[c]));
    }
    return has_news;
}

/* A partition's rows are its table's. Not so of inheritance: CHECKs that it hands down stand with
 * the heir itself. */
static bool follow_partitions(struct planning *planning)
{
    const struct catalog *catalog = planning->catalog;
    bool has_news = false;

    for (size_t t = 0; t < catalog->tables.count; t++) {
        const struct catalog_table *table = &catalog->tables.items[t];
        if (!table->partition_bound || table->parent == CATALOG_NONE)
            continue;
        for (size_t c = 0; c < table->columns.count; c++) {
            const struct catalog_column *column = &table->columns.items[c],
                                        *own = rh_catalog_column_named(
                                            &catalog->tables.items[table->parent], column->name);
            if (own)
                has_news |= pass_on(planning,
                                    rh_planning_find(planning, table->parent, own->number),
                                    rh_planning_find(planning, t, column->number));
        }
    }
    return has_news;
}

void rh_categories_find(struct planning *planning)
{
    for (size_t i = 0; i < planning->columns.count; i++) {
        struct decided_column *decided = &planning->columns.items[i];
        decided->category_of = i;
        if (decided->family != FAMILY_TEXT || decided->column->is_generated)
            continue;
        rh_schema_values(planning->catalog, decided->table, decided->column, planning->arena,
                         &decided->schema);
        decided->is_category = decided->schema.is_complete || is_counted(decided);
    }
    bool has_news;
    do { /* each round passes it on to one column at least */
        has_news = follow_foreign_keys(planning);
        has_news |= follow_partitions(planning);
    } while (has_news);
}
