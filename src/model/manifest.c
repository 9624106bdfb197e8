#include "model/manifest.h"

#include "model/result.h"
#include "model/result_json_int.h"
#include "model/state_json.h"

#include <string.h>

/*
 * Writing and reading share one table for each struct, so that they cannot disagree: the name of a
 * member, what it may be, and where it lies.
 */
enum member_kind {
    MEMBER_TEXT,
    MEMBER_TEXT_OR_NULL,
    MEMBER_BOOL,
    MEMBER_INT,    /* an int, not negative */
    MEMBER_NUMBER, /* an int64_t, not negative */
    MEMBER_COUNT,  /* the same, or -1: null */
    MEMBER_MS,     /* an int64_t of microseconds; milliseconds in JSON */
    MEMBER_SHARE,  /* a double of 0 to 1 */
    MEMBER_DIGEST, /* a struct digest behind a bool that says whether there is one: hex or null */
    MEMBER_TEXTS,  /* VEC(const char *) */
    MEMBER_ITEMS,  /* VEC of structs */
    MEMBER_STRUCT
};

struct shape;
struct member {
    const char *name;
    enum member_kind kind;
    size_t offset, flag_offset; /* flag: of a digest's bool */
    const struct shape *shape;  /* of MEMBER_ITEMS and MEMBER_STRUCT */
    bool is_optional;           /* older manifests lack it: then it is empty */
};

struct shape {
    const struct member *members;
    size_t member_count, size;
};

/* Every VEC lies like this. */
typedef VEC(char) any_vec;

#define MEMBER(type, field, member_kind)                           \
    {                                                              \
#field, member_kind, offsetof(type, field), 0, NULL, false \
    }
#define MEMBER_AS(type, field, member_name, member_kind)                \
    {                                                                   \
        member_name, member_kind, offsetof(type, field), 0, NULL, false \
    }
#define ITEMS(type, field, item_shape)                                       \
    {                                                                        \
#field, MEMBER_ITEMS, offsetof(type, field), 0, &(item_shape), false \
    }
#define SHAPE(type, rows)                                  \
    {                                                      \
        rows, sizeof(rows) / sizeof(*(rows)), sizeof(type) \
    }

static const struct member extension_members[] = {
    MEMBER(struct catalog_extension, name, MEMBER_TEXT),
    MEMBER(struct catalog_extension, version, MEMBER_TEXT_OR_NULL),
    MEMBER(struct catalog_extension, schema, MEMBER_TEXT_OR_NULL),
};
static const struct shape extension_shape = SHAPE(struct catalog_extension, extension_members);

static const struct member collation_members[] = {
    MEMBER(struct catalog_collation, name, MEMBER_TEXT),
    MEMBER(struct catalog_collation, provider, MEMBER_TEXT_OR_NULL),
    MEMBER(struct catalog_collation, locale, MEMBER_TEXT_OR_NULL),
    MEMBER(struct catalog_collation, recorded_version, MEMBER_TEXT_OR_NULL),
    MEMBER(struct catalog_collation, actual_version, MEMBER_TEXT_OR_NULL),
};
static const struct shape collation_shape = SHAPE(struct catalog_collation, collation_members);

static const struct member setting_members[] = {
    MEMBER(struct catalog_setting, scope, MEMBER_TEXT),
    MEMBER(struct catalog_setting, name, MEMBER_TEXT),
    MEMBER(struct catalog_setting, value, MEMBER_TEXT_OR_NULL),
};
static const struct shape setting_shape = SHAPE(struct catalog_setting, setting_members);

static const struct member replica_members[] = {
    MEMBER(struct catalog_replica, application_name, MEMBER_TEXT_OR_NULL),
    MEMBER(struct catalog_replica, state, MEMBER_TEXT_OR_NULL),
    MEMBER(struct catalog_replica, sync_state, MEMBER_TEXT_OR_NULL),
    MEMBER(struct catalog_replica, lag_bytes, MEMBER_COUNT),
};
static const struct shape replica_shape = SHAPE(struct catalog_replica, replica_members);

static const struct member column_members[] = {
    MEMBER(struct manifest_column, name, MEMBER_TEXT),
    MEMBER(struct manifest_column, type, MEMBER_TEXT),
    MEMBER(struct manifest_column, rule, MEMBER_TEXT),
    MEMBER(struct manifest_column, domain, MEMBER_TEXT_OR_NULL),
    MEMBER(struct manifest_column, reason, MEMBER_TEXT_OR_NULL),
};
static const struct shape column_shape = SHAPE(struct manifest_column, column_members);

static const struct member table_members[] = {
    MEMBER(struct manifest_table, schema, MEMBER_TEXT),
    MEMBER(struct manifest_table, name, MEMBER_TEXT),
    MEMBER(struct manifest_table, identity, MEMBER_TEXT),
    MEMBER(struct manifest_table, production_rows, MEMBER_COUNT),
    MEMBER(struct manifest_table, rows_exact, MEMBER_BOOL),
    MEMBER(struct manifest_table, production_pages, MEMBER_COUNT),
    MEMBER(struct manifest_table, production_bytes, MEMBER_COUNT),
    MEMBER(struct manifest_table, rows, MEMBER_NUMBER),
    MEMBER(struct manifest_table, bytes, MEMBER_NUMBER),
    MEMBER(struct manifest_table, sample_fraction, MEMBER_SHARE),
    MEMBER(struct manifest_table, sample_reason, MEMBER_TEXT_OR_NULL),
    MEMBER(struct manifest_table, omitted, MEMBER_TEXT_OR_NULL),
    {"checksum", MEMBER_DIGEST, offsetof(struct manifest_table, checksum),
     offsetof(struct manifest_table, has_checksum), NULL, false},
    ITEMS(struct manifest_table, columns, column_shape),
};
static const struct shape table_shape = SHAPE(struct manifest_table, table_members);

static const struct member certificate_members[] = {
    MEMBER(struct manifest_certificate, name, MEMBER_TEXT),
    MEMBER(struct manifest_certificate, status, MEMBER_TEXT),
    MEMBER(struct manifest_certificate, detail, MEMBER_TEXT_OR_NULL),
    MEMBER(struct manifest_certificate, notes, MEMBER_TEXTS),
};
static const struct shape certificate_shape = SHAPE(struct manifest_certificate,
                                                    certificate_members);

static const struct member witness_members[] = {
    MEMBER(struct manifest_witness, name, MEMBER_TEXT),
    MEMBER(struct manifest_witness, sha256, MEMBER_TEXT),
    MEMBER(struct manifest_witness, found, MEMBER_TEXTS),
    MEMBER(struct manifest_witness, not_covered, MEMBER_TEXTS),
};
static const struct shape witness_shape = SHAPE(struct manifest_witness, witness_members);

/* The footprint is a part of struct manifest: its offsets count from there. */
static const struct member footprint_members[] = {
    MEMBER_AS(struct manifest, footprint.statements, "statements", MEMBER_NUMBER),
    MEMBER_AS(struct manifest, footprint.bytes_read, "bytes_read", MEMBER_NUMBER),
    MEMBER_AS(struct manifest, footprint.snapshot_age_us, "snapshot_age_ms", MEMBER_MS),
    MEMBER_AS(struct manifest, footprint.locks, "locks", MEMBER_TEXTS),
};
static const struct shape footprint_shape = SHAPE(struct manifest, footprint_members);

static const struct member manifest_members[] = {
    MEMBER(struct manifest, rehearse_version, MEMBER_TEXT),
    MEMBER(struct manifest, created_at, MEMBER_TEXT),
    MEMBER(struct manifest, source, MEMBER_TEXT),
    MEMBER(struct manifest, dump_version, MEMBER_TEXT_OR_NULL),
    MEMBER_AS(struct manifest, duration_us, "duration_ms", MEMBER_MS),
    MEMBER(struct manifest, server_version, MEMBER_TEXT),
    MEMBER(struct manifest, server_major, MEMBER_INT),
    MEMBER(struct manifest, database, MEMBER_TEXT),
    MEMBER(struct manifest, encoding, MEMBER_TEXT),
    MEMBER(struct manifest, is_standby, MEMBER_BOOL),
    MEMBER(struct manifest, system_identifier, MEMBER_TEXT_OR_NULL),
    MEMBER(struct manifest, wal_position, MEMBER_TEXT_OR_NULL),
    MEMBER(struct manifest, taken_at, MEMBER_TEXT),
    MEMBER(struct manifest, is_masked, MEMBER_BOOL),
    MEMBER(struct manifest, is_complete, MEMBER_BOOL),
    MEMBER(struct manifest, key_id, MEMBER_TEXT_OR_NULL),
    MEMBER(struct manifest, seed_id, MEMBER_TEXT_OR_NULL),
    MEMBER(struct manifest, sample_fraction, MEMBER_SHARE),
    MEMBER(struct manifest, masked_columns, MEMBER_NUMBER),
    MEMBER(struct manifest, kept_columns, MEMBER_NUMBER),
    {"footprint", MEMBER_STRUCT, 0, 0, &footprint_shape, false},
    ITEMS(struct manifest, extensions, extension_shape),
    ITEMS(struct manifest, collations, collation_shape),
    ITEMS(struct manifest, settings, setting_shape),
    ITEMS(struct manifest, replicas, replica_shape),
    MEMBER(struct manifest, roles, MEMBER_TEXTS),
    ITEMS(struct manifest, tables, table_shape),
    MEMBER(struct manifest, large_objects, MEMBER_NUMBER),
    MEMBER(struct manifest, large_object_bytes, MEMBER_NUMBER),
    ITEMS(struct manifest, certificates, certificate_shape),
    {"witnesses", MEMBER_ITEMS, offsetof(struct manifest, witnesses), 0, &witness_shape, true},
    MEMBER(struct manifest, notes, MEMBER_TEXTS),
};
static const struct shape manifest_shape = SHAPE(struct manifest, manifest_members);

/* --- to JSON --------------------------------------------------------------------------------- */

static void put_members(json_t *object, const struct shape *shape, const char *data);

static json_t *struct_json(const struct shape *shape, const char *data)
{
    json_t *object = json_object();

    put_members(object, shape, data);
    return object;
}

static json_t *items_json(const struct shape *shape, const any_vec *vec)
{
    json_t *array = json_array();

    for (size_t i = 0; i < vec->count; i++)
        append(array, struct_json(shape, vec->items + i * shape->size));
    return array;
}

static json_t *member_json(const struct member *member, const char *data)
{
    const void *at = data + member->offset;

    switch (member->kind) {
    case MEMBER_TEXT:
    case MEMBER_TEXT_OR_NULL:
        return rh_json_text(*(const char *const *)at);
    case MEMBER_BOOL:
        return json_boolean(*(const bool *)at);
    case MEMBER_INT:
        return json_integer(*(const int *)at);
    case MEMBER_NUMBER:
    case MEMBER_COUNT:
        return rh_json_count(*(const int64_t *)at);
    case MEMBER_MS:
        return rh_json_ms(*(const int64_t *)at);
    case MEMBER_SHARE:
        return json_real(*(const double *)at);
    case MEMBER_DIGEST:
        return *(const bool *)(data + member->flag_offset)
                   ? rh_digest_to_json(*(const struct digest *)at)
                   : json_null();
    case MEMBER_TEXTS:
        return rh_json_texts((const char *const *)((const any_vec *)at)->items,
                             ((const any_vec *)at)->count);
    case MEMBER_ITEMS:
        return items_json(member->shape, at);
    case MEMBER_STRUCT:
        return struct_json(member->shape, at);
    }
    RH_PANIC("no member is of kind %d", (int)member->kind);
}

static void put_members(json_t *object, const struct shape *shape, const char *data)
{
    for (size_t i = 0; i < shape->member_count; i++)
        put(object, shape->members[i].name, member_json(&shape->members[i], data));
}

json_t *rh_manifest_to_json(const struct manifest *manifest)
{
    json_t *object = json_object();

    put(object, "format_version", json_string(MANIFEST_FORMAT_VERSION));
    put_members(object, &manifest_shape, (const char *)manifest);
    return object;
}

/* --- from JSON ------------------------------------------------------------------------------- */

struct reader {
    struct arena *arena;
    struct err *err;
};

static enum err_code read_members(struct reader *reader, const char *path, const json_t *object,
                                  const struct shape *shape, char *data);

static enum err_code wrong(const struct reader *reader, const char *path, const char *expected)
{
    rh_err_set(reader->err, RH_ERR_USAGE, "\"%s\" in the manifest is not %s", path, expected);
    rh_err_hint(reader->err, "The manifest was changed, or is none: make the snapshot again with "
                             "\"rehearse snapshot create\".");
    return reader->err->code;
}

static enum err_code read_text(struct reader *reader, const char *path, const json_t *json,
                               const char **ret_text)
{
    const char *s = json_string_value(json);

    /* A text with a NUL in it would be cut silently. */
    if (!s || strlen(s) != json_string_length(json))
        return wrong(reader, path, "a text");
    *ret_text = rh_arena_strdup(reader->arena, s);
    return RH_OK;
}

static enum err_code read_number(const struct reader *reader, const char *path, const json_t *json,
                                 int64_t max, int64_t *ret_number)
{
    json_int_t number = json_integer_value(json);

    if (!json_is_integer(json) || number < 0 || number > max)
        return wrong(reader, path, "a whole number in range");
    *ret_number = number;
    return RH_OK;
}

static enum err_code read_real(const struct reader *reader, const char *path, const json_t *json,
                               double max, double *ret_real)
{
    double real = json_number_value(json);

    if (!json_is_number(json) || !(real >= 0 && real <= max))
        return wrong(reader, path, "a number in range");
    *ret_real = real;
    return RH_OK;
}

static enum err_code read_texts(struct reader *reader, const char *path, const json_t *json,
                                char *at)
{
    VEC(const char *) texts = {0};

    if (!json_is_array(json))
        return wrong(reader, path, "a list");
    for (size_t i = 0; i < json_array_size(json); i++) {
        const char *item_path = rh_arena_printf(reader->arena, "%s[%zu]", path, i);
        enum err_code code = read_text(reader, item_path, json_array_get(json, i),
                                       RH_PUSH(reader->arena, &texts));
        if (code)
            return code;
    }
    memcpy(at, &texts, sizeof(texts));
    return RH_OK;
}

static enum err_code read_items(struct reader *reader, const char *path, const json_t *json,
                                const struct shape *shape, char *at)
{
    any_vec items = {.count = json_array_size(json), .capacity = json_array_size(json)};

    if (!json_is_array(json))
        return wrong(reader, path, "a list");
    items.items = rh_arena_alloc_array(reader->arena, items.count, shape->size);
    for (size_t i = 0; i < items.count; i++) {
        const char *item_path = rh_arena_printf(reader->arena, "%s[%zu]", path, i);
        enum err_code code = read_members(reader, item_path, json_array_get(json, i), shape,
                                          items.items + i * shape->size);
        if (code)
            return code;
    }
    memcpy(at, &items, sizeof(items));
    return RH_OK;
}

static enum err_code read_member(struct reader *reader, const char *path, const json_t *json,
                                 const struct member *member, char *data)
{
    void *at = data + member->offset;
    int64_t number = 0;
    double ms = 0;
    enum err_code code;

    switch (member->kind) {
    case MEMBER_TEXT_OR_NULL:
        if (json_is_null(json))
            return RH_OK;
        return read_text(reader, path, json, at);
    case MEMBER_TEXT:
        return read_text(reader, path, json, at);
    case MEMBER_BOOL:
        if (!json_is_boolean(json))
            return wrong(reader, path, "true or false");
        *(bool *)at = json_is_true(json);
        return RH_OK;
    case MEMBER_INT:
        code = read_number(reader, path, json, INT32_MAX, &number);
        *(int *)at = (int)number;
        return code;
    case MEMBER_COUNT:
        *(int64_t *)at = -1;
        return json_is_null(json) ? RH_OK : read_number(reader, path, json, INT64_MAX, at);
    case MEMBER_NUMBER:
        return read_number(reader, path, json, INT64_MAX, at);
    case MEMBER_MS:
        code = read_real(reader, path, json, (double)INT64_MAX / 2000.0, &ms);
        *(int64_t *)at = (int64_t)(ms * 1000.0 + 0.5);
        return code;
    case MEMBER_SHARE:
        return read_real(reader, path, json, 1.0, at);
    case MEMBER_DIGEST:
        if (json_is_null(json))
            return RH_OK;
        *(bool *)(data + member->flag_offset) = true;
        return rh_digest_from_json(json, at)
                   ? RH_OK
                   : wrong(reader, path, "a checksum of 32 hexadecimal digits");
    case MEMBER_TEXTS:
        return read_texts(reader, path, json, at);
    case MEMBER_ITEMS:
        return read_items(reader, path, json, member->shape, at);
    case MEMBER_STRUCT:
        return read_members(reader, path, json, member->shape, at);
    }
    RH_PANIC("no member is of kind %d", (int)member->kind);
}

static enum err_code read_members(struct reader *reader, const char *path, const json_t *object,
                                  const struct shape *shape, char *data)
{
    if (!json_is_object(object))
        return wrong(reader, path, "an object");
    for (size_t i = 0; i < shape->member_count; i++) {
        const struct member *member = &shape->members[i];
        const json_t *json = json_object_get(object, member->name);
        const char *member_path = path[0]
                                      ? rh_arena_printf(reader->arena, "%s.%s", path, member->name)
                                      : member->name;

        if (!json && member->is_optional)
            continue;
        if (!json) {
            rh_err_set(reader->err, RH_ERR_USAGE, "the manifest lacks \"%s\"", member_path);
            return reader->err->code;
        }

        enum err_code code = read_member(reader, member_path, json, member, data);

        if (code)
            return code;
    }
    return RH_OK;
}

static enum err_code check_version(const json_t *json, struct err *err)
{
    const char *version = json_string_value(json_object_get(json, "format_version"));
    struct text rest = rh_text(version);
    int64_t major = 0;

    if (!version || !rh_text_take_int64(&rest, &major) || major < 1 || rest.len == 0 ||
        rest.data[0] != '.')
        return rh_err_set(err, RH_ERR_USAGE,
                          "this is no manifest of a snapshot: it has no \"format_version\"");
    if (major > 1) {
        rh_err_set(err, RH_ERR_USAGE,
                   "the manifest is of format %s, which this version does not know", version);
        rh_err_hint(err, "It reads formats 1.x. Use a newer rehearse.");
        return err->code;
    }
    return RH_OK;
}

enum err_code rh_manifest_from_json(const json_t *json, struct arena *arena,
                                    struct manifest *ret_manifest, struct err *err)
{
    struct manifest manifest = {0};
    struct reader reader = {.arena = arena, .err = err};
    enum err_code code = check_version(json, err);

    if (!code)
        code = read_members(&reader, "", json, &manifest_shape, (char *)&manifest);
    if (!code)
        *ret_manifest = manifest;
    return code;
}

/* --- asking ----------------------------------------------------------------------------------- */

const struct manifest_certificate *rh_manifest_certificate(const struct manifest *manifest,
                                                           const char *name)
{
    for (size_t i = 0; i < manifest->certificates.count; i++)
        if (strcmp(manifest->certificates.items[i].name, name) == 0)
            return &manifest->certificates.items[i];
    return NULL;
}
