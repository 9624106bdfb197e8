#include "model/state_json.h"

#include "model/result_json_int.h"

#include <inttypes.h>
#include <string.h>

/* Raised with every change of the form. */
#define STATE_FORMAT 2
/* Both halves of a digest, in hexadecimal. */
#define DIGEST_LENGTH 32

/* Whoever adds a member adds it here, too: a state that was kept would lack it. */
#define KNOWS_ALL_OF(type, size) \
    _Static_assert(sizeof(void *) != 8 || sizeof(struct type) == (size), "members of " #type)
KNOWS_ALL_OF(state_object, 64);
KNOWS_ALL_OF(schema_state, 32);
KNOWS_ALL_OF(column_state, 56);
KNOWS_ALL_OF(table_state, 184);
KNOWS_ALL_OF(sequence_state, 32);
KNOWS_ALL_OF(data_state, 72);

json_t *rh_digest_to_json(struct digest digest)
{
    return json_sprintf("%016" PRIx64 "%016" PRIx64, digest.high, digest.low);
}

bool rh_digest_from_json(const json_t *json, struct digest *ret_digest)
{
    const char *hex = json_string_value(json);
    uint64_t halves[2] = {0, 0};

    if (!hex || strlen(hex) != DIGEST_LENGTH || strspn(hex, "0123456789abcdef") != DIGEST_LENGTH)
        return false;
    for (size_t i = 0; i < DIGEST_LENGTH; i++)
        halves[2 * i / DIGEST_LENGTH] = halves[2 * i / DIGEST_LENGTH] << 4 |
                                        (uint64_t)rh_hex_value(hex[i]);
    *ret_digest = (struct digest){.high = halves[0], .low = halves[1]};
    return true;
}

static json_t *object_json(const struct state_object *state)
{
    json_t *object = json_object(), *attributes = json_object();

    put(object, "kind", rh_json_text(state->kind));
    put(object, "identity", rh_json_text(state->identity));
    put(object, "parent", rh_json_text(state->parent));
    put(object, "id", json_integer(state->id));
    put(object, "sub_id", json_integer(state->sub_id));
    for (size_t i = 0; i < state->attributes.count; i++)
        put(attributes, state->attributes.items[i].name,
            rh_json_text(state->attributes.items[i].value));
    put(object, "attributes", attributes);
    return object;
}

static json_t *column_json(const struct column_state *column)
{
    json_t *object = json_object();

    put(object, "name", rh_json_text(column->name));
    put(object, "type", rh_json_text(column->type));
    put(object, "number", json_integer(column->number));
    put(object, "non_null", json_integer(column->non_null));
    put(object, "digest", rh_digest_to_json(column->digest));
    put(object, "is_integer", json_boolean(column->is_integer));
    return object;
}

static json_t *table_json(const struct table_state *table)
{
    json_t *object = json_object(), *columns = json_array(), *key_is_integer = json_array();

    for (size_t i = 0; i < table->key_is_integer.count; i++)
        append(key_is_integer, json_boolean(table->key_is_integer.items[i]));
    put(object, "identity", rh_json_text(table->identity));
    put(object, "kind", rh_json_text(table->kind));
    put(object, "parent", rh_json_text(table->parent));
    put(object, "id", json_integer(table->id));
    put(object, "rows", json_integer(table->rows));
    put(object, "bytes", json_integer(table->bytes));
    put(object, "skipped", rh_json_text(table->skipped));
    put(object, "key", rh_json_texts(table->key.items, table->key.count));
    put(object, "key_is_integer", key_is_integer);
    put(object, "row", table->has_row ? rh_digest_to_json(table->row) : json_null());
    put(object, "row_columns", rh_json_texts(table->row_columns.items, table->row_columns.count));
    put(object, "sample_parts", json_integer(table->sample_parts));
    for (size_t i = 0; i < table->columns.count; i++)
        append(columns, column_json(&table->columns.items[i]));
    put(object, "columns", columns);
    return object;
}

static json_t *sequence_json(const struct sequence_state *sequence)
{
    json_t *object = json_object();

    put(object, "identity", rh_json_text(sequence->identity));
    put(object, "id", json_integer(sequence->id));
    put(object, "is_used", json_boolean(sequence->is_used));
    put(object, "last_value", json_integer(sequence->last_value));
    return object;
}

json_t *rh_state_to_json(const struct schema_state *schema, const struct data_state *data)
{
    json_t *root = json_object(), *objects = json_array(), *tables = json_array();
    json_t *sequences = json_array();

    for (size_t i = 0; i < schema->objects.count; i++)
        append(objects, object_json(&schema->objects.items[i]));
    for (size_t i = 0; i < data->tables.count; i++)
        append(tables, table_json(&data->tables.items[i]));
    for (size_t i = 0; i < data->sequences.count; i++)
        append(sequences, sequence_json(&data->sequences.items[i]));
    put(root, "format", json_integer(STATE_FORMAT));
    put(root, "schema_lineage", rh_json_text(schema->lineage));
    put(root, "objects", objects);
    put(root, "data_lineage", rh_json_text(data->lineage));
    put(root, "tables", tables);
    put(root, "sequences", sequences);
    put(root, "large_objects", json_integer(data->large_objects));
    put(root, "duration_us", json_integer(data->duration_us));
    return root;
}

/* --- back ------------------------------------------------------------------------------------- */

struct taking {
    struct arena *arena;
    const char *missing; /* the first member that is not there, or not what it should be */
};

static const json_t *member(struct taking *taking, const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);

    if (!value && !taking->missing)
        taking->missing = name;
    return value;
}

/* NULL for null. */
static const char *text_or_null(struct taking *taking, const json_t *object, const char *name)
{
    const json_t *value = member(taking, object, name);

    if (json_is_null(value))
        return NULL;
    if (!json_is_string(value)) {
        if (!taking->missing)
            taking->missing = name;
        return NULL;
    }
    return rh_arena_strndup(taking->arena, json_string_value(value), json_string_length(value));
}

static const char *text(struct taking *taking, const json_t *object, const char *name)
{
    const char *value = text_or_null(taking, object, name);

    if (!value && !taking->missing)
        taking->missing = name;
    return value ? value : "";
}

static int64_t number(struct taking *taking, const json_t *object, const char *name)
{
    const json_t *value = member(taking, object, name);

    if (!json_is_integer(value) && !taking->missing)
        taking->missing = name;
    return json_integer_value(value);
}

static const json_t *array(struct taking *taking, const json_t *object, const char *name)
{
    const json_t *value = member(taking, object, name);

    if (!json_is_array(value) && !taking->missing)
        taking->missing = name;
    return value;
}

static struct digest digest(struct taking *taking, const json_t *object, const char *name)
{
    struct digest digest = {0};

    if (!rh_digest_from_json(member(taking, object, name), &digest) && !taking->missing)
        taking->missing = name;
    return digest;
}

struct texts {
    VEC(const char *) items;
};

static struct texts texts(struct taking *taking, const json_t *object, const char *name)
{
    const json_t *list = array(taking, object, name), *item;
    struct texts taken = {0};
    size_t i;

    json_array_foreach(list, i, item)
    {
        if (!json_is_string(item) && !taking->missing)
            taking->missing = name;
        *RH_PUSH(taking->arena, &taken.items) = rh_arena_strdup(
            taking->arena, json_is_string(item) ? json_string_value(item) : "");
    }
    return taken;
}

static struct state_object take_object(struct taking *taking, const json_t *json)
{
    struct state_object object = {
        .kind = text(taking, json, "kind"),
        .identity = text(taking, json, "identity"),
        .parent = text_or_null(taking, json, "parent"),
        .id = number(taking, json, "id"),
        .sub_id = number(taking, json, "sub_id"),
    };
    json_t *attributes = json_object_get(json, "attributes"), *value;
    const char *name;

    if (!json_is_object(attributes) && !taking->missing)
        taking->missing = "attributes";
    /* In the order they were put, which is by name. */
    json_object_foreach(attributes, name, value)
    {
        struct state_attribute *attribute = RH_PUSH(taking->arena, &object.attributes);
        attribute->name = rh_arena_strdup(taking->arena, name);
        attribute->value = text(taking, attributes, name);
    }
    return object;
}

static struct column_state take_column(struct taking *taking, const json_t *json)
{
    return (struct column_state){
        .name = text(taking, json, "name"),
        .type = text(taking, json, "type"),
        .number = (int)number(taking, json, "number"),
        .non_null = number(taking, json, "non_null"),
        .digest = digest(taking, json, "digest"),
        .is_integer = json_is_true(member(taking, json, "is_integer")),
    };
}

static struct table_state take_table(struct taking *taking, const json_t *json)
{
    struct texts key = texts(taking, json, "key");
    struct texts row_columns = texts(taking, json, "row_columns");
    struct table_state table = {
        .identity = text(taking, json, "identity"),
        .kind = text(taking, json, "kind"),
        .parent = text_or_null(taking, json, "parent"),
        .id = number(taking, json, "id"),
        .rows = number(taking, json, "rows"),
        .bytes = number(taking, json, "bytes"),
        .skipped = text_or_null(taking, json, "skipped"),
        .has_row = !json_is_null(member(taking, json, "row")),
        .sample_parts = (unsigned)number(taking, json, "sample_parts"),
    };
    const json_t *columns = array(taking, json, "columns"), *item;
    size_t i;

    json_array_foreach(array(taking, json, "key_is_integer"), i, item) *
        RH_PUSH(taking->arena, &table.key_is_integer) = json_is_true(item);
    memcpy(&table.key, &key.items, sizeof(table.key));
    memcpy(&table.row_columns, &row_columns.items, sizeof(table.row_columns));
    if (table.has_row)
        table.row = digest(taking, json, "row");
    json_array_foreach(columns, i, item) *
        RH_PUSH(taking->arena, &table.columns) = take_column(taking, item);
    return table;
}

static struct sequence_state take_sequence(struct taking *taking, const json_t *json)
{
    return (struct sequence_state){
        .identity = text(taking, json, "identity"),
        .id = number(taking, json, "id"),
        .is_used = json_is_true(member(taking, json, "is_used")),
        .last_value = number(taking, json, "last_value"),
    };
}

enum err_code rh_state_from_json(const json_t *json, struct arena *arena,
                                 struct schema_state *ret_schema, struct data_state *ret_data,
                                 struct err *err)
{
    struct taking taking = {.arena = arena};
    struct schema_state schema = {0};
    struct data_state data = {0};
    const json_t *item;
    size_t i;

    if (number(&taking, json, "format") != STATE_FORMAT && !taking.missing)
        taking.missing = "format";
    schema.lineage = text_or_null(&taking, json, "schema_lineage");
    data.lineage = text_or_null(&taking, json, "data_lineage");
    data.large_objects = number(&taking, json, "large_objects");
    data.duration_us = number(&taking, json, "duration_us");
    json_array_foreach(array(&taking, json, "objects"), i, item) *
        RH_PUSH(arena, &schema.objects) = take_object(&taking, item);
    json_array_foreach(array(&taking, json, "tables"), i, item) *
        RH_PUSH(arena, &data.tables) = take_table(&taking, item);
    json_array_foreach(array(&taking, json, "sequences"), i, item) *
        RH_PUSH(arena, &data.sequences) = take_sequence(&taking, item);
    if (taking.missing)
        return rh_err_set(err, RH_ERR_FORMAT, "this is no state: \"%s\" is missing or wrong",
                          taking.missing);
    *ret_schema = schema;
    *ret_data = data;
    return RH_OK;
}
