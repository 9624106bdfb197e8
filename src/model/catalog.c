#include "model/catalog.h"

#include <string.h>

const struct catalog_table *rh_catalog_find(const struct catalog *catalog, const char *schema,
                                            const char *name)
{
    for (size_t i = 0; i < catalog->tables.count; i++) {
        const struct catalog_table *table = &catalog->tables.items[i];
        if (strcmp(table->schema, schema) == 0 && strcmp(table->name, name) == 0)
            return table;
    }
    return NULL;
}

const struct catalog_column *rh_catalog_column(const struct catalog_table *table, int number)
{
    for (size_t i = 0; i < table->columns.count; i++)
        if (table->columns.items[i].number == number)
            return &table->columns.items[i];
    return NULL;
}

const struct catalog_column *rh_catalog_column_named(const struct catalog_table *table,
                                                     const char *name)
{
    for (size_t i = 0; i < table->columns.count; i++)
        if (strcmp(table->columns.items[i].name, name) == 0)
            return &table->columns.items[i];
    return NULL;
}
