/*
 * Columns by the names that queries have for them (sql/pattern.h): whether a masking plan changes
 * what they hold, and by which map. Looked up once for each name. Not for two threads. Pure.
 */
#ifndef RH_WORKLOAD_VALUE_COLUMNS_H
#define RH_WORKLOAD_VALUE_COLUMNS_H

#include "mask/column_maps.h"

enum column_verdict {
    COLUMN_UNKNOWN, /* there is none, or several that are not alike */
    COLUMN_KEPT,    /* also those of the server's own tables */
    COLUMN_MASKED
};

struct column_answer {
    char *name;
    const char *members; /* of its document, in the name (workload/value_member.h); NULL */
    enum column_verdict verdict;
    struct mask_map *map; /* of COLUMN_MASKED */
    size_t table;         /* of the catalogue */
    const struct catalog_column *column;
};

struct value_columns {
    const struct catalog *catalog;
    const struct column_maps *maps;
    struct column_answer *answers; /* open addressing */
    size_t answer_size, answer_count;
};

/* Catalogue and maps must outlive it. */
void rh_value_columns_init(struct value_columns *columns, const struct catalog *catalog,
                           const struct column_maps *maps);
void rh_value_columns_deinit(struct value_columns *columns);
/* "schema.table.column", "table.column", "column", with members perhaps. Valid until the next
   one. `name` NULL: unknown, and `columns` may be NULL. */
const struct column_answer *rh_value_columns_ask(struct value_columns *columns, const char *name);

#endif
