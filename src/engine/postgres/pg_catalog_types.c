/* Types of a catalogue: what is behind domains and arrays, and what composites are made of. */
#include "engine/postgres/pg_catalog_int.h"

#include "engine/postgres/pg_sql.inc.h"

#include <stdlib.h>
#include <string.h>

/* Columns of catalog_types.sql and catalog_attributes.sql. */
enum { ID, SCHEMA, NAME, IDENTITY, KIND, CATEGORY, BASE, MODIFIER, ELEMENT, SUBTYPE, RELATION_ID };
enum { ATTRIBUTE_RELATION_ID, ATTRIBUTE_NAME, ATTRIBUTE_TYPE_ID, ATTRIBUTE_MODIFIER };

enum err_code rh_pg_catalog_read_types(struct catalog_reading *reading, struct err *err)
{
    RH_CLEANUP_ROWS struct rows *types = NULL, *attributes = NULL;
    enum err_code code = rh_pg_catalog_ask(reading, PG_SQL_CATALOG_TYPES, &types, err);

    if (!code)
        code = rh_pg_catalog_ask(reading, PG_SQL_CATALOG_ATTRIBUTES, &attributes, err);
    if (code)
        return code;
    for (size_t i = 0; i < rh_rows_count(types); i++)
        *RH_PUSH(reading->arena, &reading->types) = (struct catalog_type_row){
            .id = rh_rows_int(types, i, ID, 0),
            .base = rh_rows_int(types, i, BASE, 0),
            .element = rh_rows_int(types, i, ELEMENT, 0),
            .subtype = rh_rows_int(types, i, SUBTYPE, 0),
            .relation_id = rh_rows_int(types, i, RELATION_ID, 0),
            .schema = rh_pg_catalog_text(reading, types, i, SCHEMA),
            .name = rh_pg_catalog_text(reading, types, i, NAME),
            .identity = rh_pg_catalog_text(reading, types, i, IDENTITY),
            .kind = rh_rows_value(types, i, KIND)[0],
            .category = rh_rows_value(types, i, CATEGORY)[0],
            .modifier = (int)rh_rows_int(types, i, MODIFIER, -1)};
    for (size_t i = 0; i < rh_rows_count(attributes); i++)
        *RH_PUSH(reading->arena, &reading->attributes) = (struct catalog_attribute_row){
            .relation_id = rh_rows_int(attributes, i, ATTRIBUTE_RELATION_ID, 0),
            .name = rh_pg_catalog_text(reading, attributes, i, ATTRIBUTE_NAME),
            .type_id = rh_rows_int(attributes, i, ATTRIBUTE_TYPE_ID, 0),
            .modifier = (int)rh_rows_int(attributes, i, ATTRIBUTE_MODIFIER, -1)};
    return RH_OK;
}

static int compare_type(const void *key, const void *item)
{
    int64_t id = *(const int64_t *)key, other = ((const struct catalog_type_row *)item)->id;
    return id < other ? -1 : id > other;
}

static const struct catalog_type_row *find_type(const struct catalog_reading *reading, int64_t id)
{
    if (reading->types.count == 0)
        return NULL;
    return bsearch(&id, reading->types.items, reading->types.count, sizeof(reading->types.items[0]),
                   compare_type);
}

/* The type behind domains and one array. */
struct resolved {
    const struct catalog_type_row *type; /* NULL: unknown to us */
    const char *domain;
    int modifier;
    bool is_array;
};

static struct resolved resolve(const struct catalog_reading *reading, int64_t id, int modifier)
{
    struct resolved found = {.type = find_type(reading, id), .modifier = modifier};

    for (int depth = 0; found.type && depth < 2 * CATALOG_TYPE_DEPTH; depth++) {
        if (found.type->kind == 'd') {
            if (!found.domain)
                found.domain = found.type->identity;
            found.modifier = found.type->modifier;
            found.type = find_type(reading, found.type->base);
        } else if (found.type->element) {
            found.is_array = true;
            found.type = find_type(reading, found.type->element);
        } else {
            break;
        }
    }
    return found;
}

static const char *base_name(struct catalog_reading *reading, const struct catalog_type_row *type)
{
    if (!type)
        return "unknown";
    if (strcmp(type->schema, "pg_catalog") == 0)
        return type->name;
    return rh_arena_printf(reading->arena, "%s.%s", type->schema, type->name);
}

static size_t first_attribute(const struct catalog_reading *reading, int64_t relation_id)
{
    size_t low = 0, high = reading->attributes.count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (reading->attributes.items[middle].relation_id < relation_id)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Layout of VEC(struct catalog_attribute), so that columns and attributes are filled alike. */
struct attribute_list {
    struct catalog_attribute *items;
    size_t count, capacity;
};

/* numeric's modifier, behind a header of four bytes: precision in the upper half, scale in eleven
 * bits with a sign (before 15 sixteen without, of which no more than ten were used). */
static void precision_of(const struct catalog_type_row *type, int modifier, int *ret_precision,
                         int *ret_scale)
{
    if (!type || modifier < 4 || strcmp(type->schema, "pg_catalog") != 0 ||
        strcmp(type->name, "numeric") != 0)
        return;
    *ret_precision = (modifier - 4) >> 16 & 0xffff;
    *ret_scale = (((modifier - 4) & 0x7ff) ^ 1024) - 1024;
}

static struct attribute_list attributes_of(struct catalog_reading *reading,
                                           const struct catalog_type_row *type, int depth);

static void add_attribute(struct catalog_reading *reading, struct attribute_list *list,
                          const char *name, int64_t type_id, int modifier, int depth)
{
    struct resolved found = resolve(reading, type_id, modifier);
    struct attribute_list nested = attributes_of(reading, found.type, depth - 1);
    struct catalog_attribute *attribute = RH_PUSH(reading->arena, list);

    attribute->name = name;
    attribute->base_type = base_name(reading, found.type);
    attribute->is_array = found.is_array;
    attribute->type_kind = found.type ? found.type->kind : 'b';
    attribute->type_category = found.type ? found.type->category : 'U';
    precision_of(found.type, found.modifier, &attribute->precision, &attribute->scale);
    attribute->attributes.items = nested.items;
    attribute->attributes.count = nested.count;
    attribute->attributes.capacity = nested.capacity;
}

static struct attribute_list attributes_of(struct catalog_reading *reading,
                                           const struct catalog_type_row *type, int depth)
{
    struct attribute_list list = {0};

    if (!type || depth <= 0)
        return list;
    if (type->subtype)
        add_attribute(reading, &list, "", type->subtype, -1, depth);
    else if (type->kind == 'c')
        for (size_t i = first_attribute(reading, type->relation_id);
             i < reading->attributes.count &&
             reading->attributes.items[i].relation_id == type->relation_id;
             i++)
            add_attribute(reading, &list, reading->attributes.items[i].name,
                          reading->attributes.items[i].type_id,
                          reading->attributes.items[i].modifier, depth);
    return list;
}

/* varchar and char have a header of four bytes in their modifier, bit strings do not. */
static int limit_of(const struct catalog_type_row *type, int modifier)
{
    if (!type || modifier < 0 || strcmp(type->schema, "pg_catalog") != 0)
        return 0;
    if (strcmp(type->name, "varchar") == 0 || strcmp(type->name, "bpchar") == 0)
        return modifier > 4 ? modifier - 4 : 0;
    return strcmp(type->name, "bit") == 0 || strcmp(type->name, "varbit") == 0 ? modifier : 0;
}

void rh_pg_catalog_resolve(struct catalog_reading *reading, int64_t type_id, int modifier,
                           struct catalog_column *column)
{
    struct resolved found = resolve(reading, type_id, modifier);
    struct attribute_list list = attributes_of(reading, found.type, CATALOG_TYPE_DEPTH);

    column->base_type = base_name(reading, found.type);
    column->is_array = found.is_array;
    column->type_kind = found.type ? found.type->kind : 'b';
    column->type_category = found.type ? found.type->category : 'U';
    column->domain = found.domain;
    column->max_characters = limit_of(found.type, found.modifier);
    precision_of(found.type, found.modifier, &column->precision, &column->scale);
    column->is_padded = strcmp(column->base_type, "bpchar") == 0 && column->max_characters > 0;
    column->attributes.items = list.items;
    column->attributes.count = list.count;
    column->attributes.capacity = list.capacity;
}

bool rh_pg_catalog_is_domain(const struct catalog_reading *reading, int64_t type_id,
                             int64_t domain_id)
{
    const struct catalog_type_row *type = find_type(reading, type_id);

    for (int depth = 0; type && type->kind == 'd' && depth < CATALOG_TYPE_DEPTH; depth++) {
        if (type->id == domain_id)
            return true;
        type = find_type(reading, type->base);
    }
    return false;
}
