/* Values that the server made, and told the client in rows: found by the columns that they are of.
   What is no integer and no uuid, what is older than the recording, and what a statement brought
   that need not have made it, is not kept. */
#include "workload/capture_path_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

/* pg_type.dat */
#define OID_INT8 20u
#define OID_UUID 2950u
/* pg_largeobject_metadata; pg_proc.dat */
#define OID_LARGE_OBJECTS 2995u
#define OID_LO_CREAT 957u
#define OID_LO_CREATE 715u
/* Columns of one result that are looked at; more are those of joins of many tables. */
#define COLUMNS_MAX 8
/* Longer texts are not searched for the names of functions. */
#define FUNCTION_TEXT_MAX 4096

/* --- keys ------------------------------------------------------------------------------------- */

struct id_slot {
    uint64_t place; /* relation << 16 | attribute; 0: free */
    uint32_t key;
};

struct id_keys {
    const struct workload_key *keys;
    size_t size;
    struct id_slot slots[]; /* open addressing */
};

static size_t slot_of(const struct id_keys *keys, uint64_t place)
{
    size_t at = (place * UINT64_C(0x9E3779B97F4A7C15) >> 20) & (keys->size - 1);

    while (keys->slots[at].place && keys->slots[at].place != place)
        at = (at + 1) & (keys->size - 1);
    return at;
}

struct id_keys *rh_capture_id_keys_new(const struct workload_key *keys, size_t count)
{
    size_t size = 16;

    if (count == 0)
        return NULL;
    while (size < 2 * count)
        size *= 2;

    struct id_keys *made = calloc(1, sizeof(*made) + size * sizeof(*made->slots));

    if (!made)
        RH_PANIC("out of memory for the keys of tables");
    made->keys = keys;
    made->size = size;
    for (size_t i = 0; i < count; i++) {
        uint64_t place = (uint64_t)keys[i].relation << 16 | keys[i].attribute;

        if (place)
            made->slots[slot_of(made, place)] = (struct id_slot){place, (uint32_t)i + 1};
    }
    return made;
}

/* --- what rows hold --------------------------------------------------------------------------- */

static bool has_sequence_call(struct text query)
{
    static const char *const names[] = {"nextval", "lastval", "currval"};

    if (query.len > FUNCTION_TEXT_MAX)
        return false;
    for (size_t i = 0; i + 7 <= query.len; i++)
        if ((query.data[i + 4] | 0x20) == 'v')
            for (size_t k = 0; k < sizeof(names) / sizeof(*names); k++)
                if (strncasecmp(query.data + i, names[k], 7) == 0)
                    return true;
    return false;
}

struct id_columns *rh_capture_id_columns(const struct id_keys *keys, struct text description,
                                         struct text query)
{
    struct pg_reader reader = {.rest = description};
    struct id_columns found = {0}, *columns;
    uint16_t count = rh_pg_read_u16(&reader);

    for (uint16_t i = 0; i < count && found.count < COLUMNS_MAX; i++) {
        (void)rh_pg_read_string(&reader);

        uint32_t relation = rh_pg_read_u32(&reader);
        uint16_t attribute = rh_pg_read_u16(&reader);
        uint32_t type = rh_pg_read_u32(&reader);
        struct text rest = rh_pg_read_bytes(&reader, 6);
        uint16_t format = rh_pg_read_u16(&reader);

        (void)rest;
        if (reader.failed)
            break;
        uint32_t key = relation
                           ? keys->slots[slot_of(keys, (uint64_t)relation << 16 | attribute)].key
                       : type == OID_INT8 && has_sequence_call(query) ? ID_KEY_FUNCTION
                                                                      : 0;
        if (key)
            found.items[found.count++] = (struct id_column){
                .place = i, .is_binary = format == 1, .is_uuid = type == OID_UUID, .key = key};
    }
    if (found.count == 0)
        return NULL;
    columns = malloc(sizeof(*columns));
    if (!columns)
        RH_PANIC("out of memory for the columns of a result");
    *columns = found;
    return columns;
}

/* --- values ----------------------------------------------------------------------------------- */

static bool take_integer(struct text value, bool is_binary, int64_t *ret_number)
{
    uint64_t bits = 0;

    if (!is_binary)
        return rh_text_parse_int64(value, ret_number);
    if (value.len != 2 && value.len != 4 && value.len != 8)
        return false;
    if ((unsigned char)value.data[0] & 0x80)
        bits = UINT64_MAX;
    for (size_t i = 0; i < value.len; i++)
        bits = bits << 8 | (unsigned char)value.data[i];
    *ret_number = (int64_t)bits;
    return true;
}

static bool put_uuid(struct text value, bool is_binary, struct capture_id *id)
{
    if (!is_binary) {
        if (value.len != WORKLOAD_ID_BYTES_MAX)
            return false;
        memcpy(id->value, value.data, value.len);
        id->length = (uint8_t)value.len;
        return true;
    }
    if (value.len != 16)
        return false;
    for (size_t i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            id->value[id->length++] = '-';
        id->value[id->length++] = "0123456789abcdef"[(unsigned char)value.data[i] >> 4];
        id->value[id->length++] = "0123456789abcdef"[(unsigned char)value.data[i] & 15];
    }
    return true;
}

/* False: it is not to be kept. */
static bool fill(const struct id_keys *keys, const struct id_column *column, struct text value,
                 bool is_binary, struct capture_id *id)
{
    int64_t number;
    char digits[24];

    if (column->is_uuid)
        return put_uuid(value, is_binary, id);
    if (!take_integer(value, is_binary, &number))
        return false;
    if (column->key != ID_KEY_FUNCTION) {
        int64_t since = keys->keys[column->key - 1].since;

        if (since != WORKLOAD_SINCE_UNKNOWN && number <= since)
            return false;
    }
    id->length = (uint8_t)snprintf(digits, sizeof(digits), "%lld", (long long)number);
    memcpy(id->value, digits, id->length);
    return true;
}

static void push(struct capture_session *session, const struct capture_id *id)
{
    if (session->id_count == session->id_capacity) {
        session->id_capacity = session->id_capacity ? 2 * session->id_capacity : 4;
        session->ids = realloc(session->ids, session->id_capacity * sizeof(*session->ids));
        if (!session->ids)
            RH_PANIC("out of memory for generated values");
    }
    session->ids[session->id_count++] = *id;
}

void rh_capture_take_ids(struct capture_session *session, const struct id_columns *columns,
                         const uint64_t *binary, struct text row)
{
    struct pg_reader reader = {.rest = row};
    uint16_t count = rh_pg_read_u16(&reader);
    unsigned next = 0;

    for (uint16_t i = 0; i < count && next < columns->count && !reader.failed; i++) {
        uint32_t length = rh_pg_read_u32(&reader);
        struct text value = length == UINT32_MAX ? (struct text){0}
                                                 : rh_pg_read_bytes(&reader, length);
        const struct id_column *column = &columns->items[next];

        if (i != column->place)
            continue;
        next++;
        bool is_binary = !binary  ? column->is_binary
                         : i < 64 ? *binary >> i & 1
                                  : *binary == UINT64_MAX;
        struct capture_id id = {.result = session->unit_results,
                                .row = (uint32_t)(session->returned - 1),
                                .column = i,
                                .key = column->key,
                                .step = session->step,
                                .is_binary = is_binary};
        if (value.data && !reader.failed && session->id_count < CAPTURE_IDS_MAX &&
            fill(session->path->id_keys, column, value, is_binary, &id))
            push(session, &id);
    }
}

void rh_capture_take_value(struct capture_session *session, uint32_t function, bool is_binary,
                           struct text body)
{
    const struct id_keys *keys = session->path->id_keys;
    uint64_t place = (uint64_t)OID_LARGE_OBJECTS << 16 | 1;
    struct id_column column = {.key = keys->slots[slot_of(keys, place)].key};
    struct pg_reader reader = {.rest = body};
    uint32_t length = rh_pg_read_u32(&reader);

    if (!column.key || (function != OID_LO_CREAT && function != OID_LO_CREATE) ||
        length == UINT32_MAX)
        return;
    struct capture_id id = {.result = session->unit_results,
                            .key = column.key,
                            .step = session->step,
                            .is_binary = is_binary};
    if (fill(keys, &column, rh_pg_read_bytes(&reader, length), is_binary, &id) && !reader.failed)
        push(session, &id);
}

/* What made them is sure of an INSERT (MERGE); of another statement one row may be paired with one
   row of the replay, if it is told by its number that the value is new. */
static bool is_kept(const struct capture_session *session, const struct capture_id *id,
                    bool inserts, int64_t rows)
{
    if (inserts || id->key == ID_KEY_FUNCTION)
        return true;
    return rows == 1 && id->length < WORKLOAD_ID_BYTES_MAX &&
           session->path->id_keys->keys[id->key - 1].since != WORKLOAD_SINCE_UNKNOWN;
}

void rh_capture_put_ids(struct capture_session *session, struct text tag, int64_t rows)
{
    bool inserts = tag.len > 1 && (tag.data[0] == 'I' || tag.data[0] == 'M');
    size_t kept = 0;

    for (size_t i = 0; i < session->id_count; i++)
        if (is_kept(session, &session->ids[i], inserts, rows))
            session->ids[kept++] = session->ids[i];
    session->id_count = 0;
    if (kept > 0 && session->number)
        rh_capture_put(session, RECORD_IDS, 0, 0, 0,
                       (struct text){(const char *)session->ids, kept * sizeof(*session->ids)});
}
