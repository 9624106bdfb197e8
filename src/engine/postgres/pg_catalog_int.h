/*
 * How a catalogue is put together: each query of sql/catalog_*.sql has a reader, and what they
 * share is here. For the pg_catalog_*.c files alone.
 */
#ifndef RH_ENGINE_POSTGRES_PG_CATALOG_INT_H
#define RH_ENGINE_POSTGRES_PG_CATALOG_INT_H

#include "engine/postgres/pg_engine_int.h"
#include "engine/postgres/pg_sql_int.h"

#define CATALOG_TYPE_DEPTH 8 /* domains over domains, composites in composites */

struct catalog_type_row {
    int64_t id, base, element, subtype, relation_id;
    const char *schema, *name, *identity;
    char kind, category;
    int modifier;
};
struct catalog_attribute_row {
    int64_t relation_id, type_id;
    const char *name;
    int modifier;
};

struct catalog_column_type {
    size_t table;
    int number;
    int64_t type_id;
};

struct catalog_reading {
    struct connection *connection;
    struct arena *arena;
    struct mono deadline;
    int major;
    struct catalog *catalog;
    VEC(struct catalog_type_row) types;           /* by id */
    VEC(struct catalog_attribute_row) attributes; /* by relation_id */
    /* Tables by id, for the other queries: items are indexes into the catalogue's. */
    VEC(size_t) by_id;
    VEC(struct catalog_column_type) column_types;
};

enum err_code rh_pg_catalog_ask(struct catalog_reading *reading, const struct pg_sql *variants,
                                struct rows **ret_rows, struct err *err) RH_MUST_CHECK;
/* A text of a result, copied to the catalogue's arena; NULL for SQL NULL. */
const char *rh_pg_catalog_text(struct catalog_reading *reading, const struct rows *rows, size_t row,
                               size_t column);
/* NULL: not one of ours. */
struct catalog_table *rh_pg_catalog_table(struct catalog_reading *reading, int64_t id);
struct catalog_column *rh_pg_catalog_column(struct catalog_table *table, int number);

/* --- pg_catalog_types.c --- */
enum err_code rh_pg_catalog_read_types(struct catalog_reading *reading,
                                       struct err *err) RH_MUST_CHECK;
/* Fills base_type and all that follows from the column's type. */
void rh_pg_catalog_resolve(struct catalog_reading *reading, int64_t type_id, int modifier,
                           struct catalog_column *column);
/* Whether a value of type `type_id` is one of domain `domain_id`, not an element or attribute. */
bool rh_pg_catalog_is_domain(const struct catalog_reading *reading, int64_t type_id,
                             int64_t domain_id);

/* --- pg_catalog_parts.c --- */
enum err_code rh_pg_catalog_read_keys(struct catalog_reading *reading,
                                      struct err *err) RH_MUST_CHECK;
enum err_code rh_pg_catalog_read_checks(struct catalog_reading *reading,
                                        struct err *err) RH_MUST_CHECK;
enum err_code rh_pg_catalog_read_foreign_keys(struct catalog_reading *reading,
                                              struct err *err) RH_MUST_CHECK;
enum err_code rh_pg_catalog_read_joins(struct catalog_reading *reading,
                                       struct err *err) RH_MUST_CHECK;
enum err_code rh_pg_catalog_read_lists(struct catalog_reading *reading,
                                       struct err *err) RH_MUST_CHECK;

#endif
