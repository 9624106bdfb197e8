/* From a decision to what a map is made of. */
#include "mask/masking_int.h"

static struct mask_map_options attribute_options(const struct catalog_attribute *attribute,
                                                 const struct mask_map_options *whole,
                                                 struct arena *arena);

static void add_attributes(struct mask_map_options *options,
                           const struct catalog_attribute *attributes, size_t count,
                           const struct mask_map_options *whole, struct arena *arena)
{
    struct mask_map_options *own = rh_arena_alloc_array(arena, count, sizeof(*own));

    for (size_t i = 0; i < count; i++)
        own[i] = attribute_options(&attributes[i], whole, arena);
    options->attributes = own;
    options->attribute_count = count;
}

static struct mask_map_options attribute_options(const struct catalog_attribute *attribute,
                                                 const struct mask_map_options *whole,
                                                 struct arena *arena)
{
    enum type_family family = rh_mask_attribute_family(attribute);
    struct mask_map_options options = *whole;

    options.rule = rh_mask_attribute_rule(attribute);
    options.type = attribute->base_type;
    options.is_array = attribute->is_array;
    options.max_characters = 0;
    options.precision = attribute->precision;
    options.scale = attribute->scale;
    options.attributes = NULL;
    options.attribute_count = 0;
    if (family == FAMILY_COMPOSITE)
        add_attributes(&options, attribute->attributes.items, attribute->attributes.count, whole,
                       arena);
    return options;
}

struct mask_map_options rh_masking_map_options(const struct catalog *catalog,
                                               const struct masked_column *column,
                                               const struct mask_master_key *key,
                                               struct arena *arena)
{
    const struct catalog_table *table = &catalog->tables.items[column->table];
    const struct catalog_column *own = rh_catalog_column(table, column->column);
    struct mask_map_options options = {
        .key = key,
        .domain = column->domain,
        .rule = column->rule,
        .type = own->base_type,
        .is_array = own->is_array,
        .parameter = column->parameter,
        .paths = column->paths.items,
        .path_count = column->paths.count,
        .max_characters = column->max_characters,
        .precision = own->precision,
        .scale = own->scale,
        .encoding = catalog->encoding,
        .kept_values = column->kept_values.items,
        .kept_value_count = column->kept_values.count,
    };

    if (rh_mask_family(own) == FAMILY_COMPOSITE && column->rule != MASK_NULL &&
        column->rule != MASK_FIXED) {
        struct mask_map_options whole = options;
        add_attributes(&options, own->attributes.items, own->attributes.count, &whole, arena);
    }
    return options;
}
