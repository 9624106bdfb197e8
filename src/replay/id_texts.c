#include "replay/id_texts.h"

#include "base/big_endian.h"
#include "net/pg_codec.h"
#include "sql/pattern.h"
#include "sql/shape.h"

#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

/* pg_type.dat */
#define OID_INT8 20u
#define OID_INT2 21u
#define OID_INT2_ARRAY 1005u
#define OID_INT8_ARRAY 1016u
/* Functions whose first argument is a large object (pg_proc.dat). */
static const uint32_t large_object_functions[] = {715 /* lo_create */,      952 /* lo_open */,
                                                  964 /* lo_unlink */,      765 /* lo_export */,
                                                  3457 /* lo_from_bytea */, 3458,
                                                  3459 /* lo_get */,        3460 /* lo_put */};
#define LARGE_OBJECTS "pg_catalog.pg_largeobject_metadata.oid"
/* Prepared statements of one session that are remembered; values in further ones stay. */
#define STATEMENTS_MAX ((size_t)10000)
#define WIDENED_MAX 64
#define ARRAY_DIMENSIONS_MAX 6 /* MAXDIM */

struct shape_slot {
    struct sql_shape shape;
    struct id_text *text; /* NULL: free */
};

struct id_texts {
    const struct id_map *map;
    struct arena *arena, *scratch;
    struct id_text large_object; /* of a call of these functions */
    uint32_t large_object_domain;
    struct buf shape;
    struct shape_slot *slots; /* open addressing; a power of two */
    size_t size, count;
};

/* --- texts ------------------------------------------------------------------------------------ */

static void *allocate(size_t count, size_t size)
{
    void *memory = calloc(count, size);
    if (!memory)
        RH_PANIC("out of memory for statements (%zu bytes)", count * size);
    return memory;
}

struct id_texts *rh_id_texts_new(const struct id_map *map)
{
    struct id_texts *texts = allocate(1, sizeof(*texts));
    texts->map = map;
    texts->arena = rh_arena_new();
    texts->scratch = rh_arena_new();
    rh_buf_init(&texts->shape, SQL_SHAPE_BYTES_MAX + 1);
    texts->large_object_domain = rh_id_map_domain_of_column(map, LARGE_OBJECTS);
    texts->large_object = (struct id_text){.parameters = &texts->large_object_domain,
                                           .parameter_count = 1,
                                           .has_parameters = texts->large_object_domain != 0};
    texts->size = 1024;
    texts->slots = allocate(texts->size, sizeof(*texts->slots));
    return texts;
}

void rh_id_texts_free(struct id_texts *texts)
{
    if (!texts)
        return;
    rh_arena_free(texts->arena);
    rh_arena_free(texts->scratch);
    rh_buf_deinit(&texts->shape);
    free(texts->slots);
    free(texts);
}

static struct shape_slot *slot_of(const struct id_texts *texts, struct sql_shape shape)
{
    size_t at = shape.low & (texts->size - 1);
    while (texts->slots[at].text &&
           (texts->slots[at].shape.low != shape.low || texts->slots[at].shape.high != shape.high))
        at = (at + 1) & (texts->size - 1);
    return &texts->slots[at];
}

static void grow(struct id_texts *texts)
{
    struct shape_slot *old = texts->slots;
    size_t old_size = texts->size;
    texts->size *= 2;
    texts->slots = allocate(texts->size, sizeof(*texts->slots));
    for (size_t i = 0; i < old_size; i++)
        if (old[i].text)
            *slot_of(texts, old[i].shape) = old[i];
    free(old);
}

static uint32_t domain_of(const struct id_texts *texts, const char *column, bool *has_any)
{
    uint32_t domain = column ? rh_id_map_domain_of_column(texts->map, column) : 0;
    *has_any = *has_any || domain;
    return domain;
}

static struct id_text *look(struct id_texts *texts, struct text query)
{
    struct id_text *text = RH_NEW(texts->arena, struct id_text);
    struct sql_value *parameters = NULL;
    sql_constants constants = {0};
    size_t count = 0;
    rh_sql_parameters(texts->scratch, query, &parameters, &count);
    uint32_t *domains = rh_arena_alloc_array(texts->arena, count + 1, sizeof(*domains));
    for (size_t i = 0; i < count; i++)
        domains[i] = domain_of(texts, parameters[i].column, &text->has_parameters);
    text->parameters = domains;
    text->parameter_count = count;
    /* Constants are told by their tokens later: those must be the same ones. */
    if (rh_sql_constants(texts->scratch, query, &constants) &&
        constants.count == rh_sql_constant_count(query)) {
        domains = rh_arena_alloc_array(texts->arena, constants.count + 1, sizeof(*domains));
        for (size_t i = 0; i < constants.count; i++)
            domains[i] = domain_of(texts, constants.items[i].value.column, &text->has_constants);
        text->constants = domains;
        text->constant_count = constants.count;
    }
    rh_arena_clear(texts->scratch);
    return text;
}

const struct id_text *rh_id_texts_find(struct id_texts *texts, struct text query)
{
    struct sql_shape shape = rh_sql_shape(query, &texts->shape);
    struct shape_slot *slot = slot_of(texts, shape);
    if (!slot->text) {
        if (texts->count >= ID_TEXTS_MAX)
            return NULL;
        if (2 * (texts->count + 1) > texts->size) {
            grow(texts);
            slot = slot_of(texts, shape);
        }
        *slot = (struct shape_slot){shape, look(texts, query)};
        texts->count++;
    }
    return slot->text->has_parameters || slot->text->has_constants ? slot->text : NULL;
}

/* --- sessions --------------------------------------------------------------------------------- */

struct session_slot {
    uint64_t name; /* its hash; 0: free */
    struct id_statement statement;
};

struct id_session {
    struct session_slot *slots; /* open addressing; a power of two */
    size_t size, count;
};

struct id_session *rh_id_session_new(void)
{
    return allocate(1, sizeof(struct id_session));
}

void rh_id_session_free(struct id_session *session)
{
    if (!session)
        return;
    free(session->slots);
    free(session);
}

static uint64_t hash_of(const char *name)
{
    return XXH3_64bits(name, strlen(name)) | 1;
}

static struct session_slot *session_slot_of(const struct id_session *session, uint64_t name)
{
    size_t at = name >> 1 & (session->size - 1);
    while (session->slots[at].name && session->slots[at].name != name)
        at = (at + 1) & (session->size - 1);
    return &session->slots[at];
}

/* Its place, to be filled; NULL: there are too many. */
static struct id_statement *remember(struct id_session *session, const char *name)
{
    uint64_t hash = hash_of(name);
    if (2 * (session->count + 1) > session->size) {
        struct id_session old = *session;
        session->size = old.size ? 2 * old.size : 8;
        session->slots = allocate(session->size, sizeof(*session->slots));
        for (size_t i = 0; i < old.size; i++)
            if (old.slots[i].name)
                *session_slot_of(session, old.slots[i].name) = old.slots[i];
        free(old.slots);
    }
    struct session_slot *slot = session_slot_of(session, hash);
    if (!slot->name && session->count >= STATEMENTS_MAX)
        return NULL;
    session->count += !slot->name;
    *slot = (struct session_slot){.name = hash};
    return &slot->statement;
}

static uint64_t widen_types(const struct id_text *text, char *types, size_t count)
{
    uint64_t widened = 0;
    for (size_t i = 0; i < count && i < text->parameter_count && i < WIDENED_MAX; i++) {
        uint32_t type = rh_load_be32(types + 4 * i);
        if (!text->parameters[i] || (type != OID_INT2 && type != OID_INT2_ARRAY))
            continue;
        rh_store_be32(types + 4 * i, type == OID_INT2 ? OID_INT8 : OID_INT8_ARRAY);
        widened |= UINT64_C(1) << i;
    }
    return widened;
}

static struct id_statement take_parse(struct id_session *session, struct id_texts *texts,
                                      char *body, size_t length)
{
    struct pg_reader reader = {.rest = {body, length}};
    struct id_statement statement = {0};
    const char *name = rh_pg_read_string(&reader), *query = rh_pg_read_string(&reader);
    size_t count = rh_pg_read_u16(&reader);
    if (reader.failed || reader.rest.len != 4 * count)
        return statement;
    statement.text = rh_id_texts_find(texts, rh_text(query));
    struct id_statement *kept = remember(session, name);
    /* Who declares another type must know of it when the values come. */
    if (statement.text && kept)
        statement.widened = widen_types(statement.text, body + (reader.rest.data - body), count);
    if (kept)
        *kept = statement;
    if (!statement.text || !statement.text->has_constants)
        return (struct id_statement){0};
    return statement;
}

static struct id_statement find_bound(const struct id_session *session, struct text body)
{
    struct pg_reader reader = {.rest = body};
    (void)rh_pg_read_string(&reader);
    const char *name = rh_pg_read_string(&reader);
    if (reader.failed || session->size == 0)
        return (struct id_statement){0};
    const struct session_slot *slot = session_slot_of(session, hash_of(name));
    return slot->name && slot->statement.text && slot->statement.text->has_parameters
               ? slot->statement
               : (struct id_statement){0};
}

static struct id_statement find_function(const struct id_texts *texts, struct text body)
{
    struct pg_reader reader = {.rest = body};
    uint32_t function = rh_pg_read_u32(&reader);
    size_t count = sizeof(large_object_functions) / sizeof(*large_object_functions);
    for (size_t i = 0; i < count && texts->large_object_domain; i++)
        if (function == large_object_functions[i])
            return (struct id_statement){.text = &texts->large_object};
    return (struct id_statement){0};
}

struct id_statement rh_id_session_take(struct id_session *session, struct id_texts *texts,
                                       unsigned char type, char *body, size_t length)
{
    const struct id_text *text;
    if (type == 'P')
        return take_parse(session, texts, body, length);
    if (type == 'B')
        return find_bound(session, (struct text){body, length});
    if (type == 'F')
        return find_function(texts, (struct text){body, length});
    if (type != 'Q')
        return (struct id_statement){0};
    text = rh_id_texts_find(texts, (struct text){body, strnlen(body, length)});
    return (struct id_statement){.text = text && text->has_constants ? text : NULL};
}

/* --- values ----------------------------------------------------------------------------------- */

struct work {
    const struct id_map *map;
    struct buf *out; /* NULL: only looks */
    struct id_counts counts;
};

static void put(struct work *work, const void *bytes, size_t length)
{
    if (work->out && length > 0)
        rh_buf_add(work->out, bytes, length);
}

static void put_text(struct work *work, struct text text)
{
    put(work, text.data, text.len);
}

/* True: the target has another one. */
static bool look_up(struct work *work, uint32_t domain, const struct id_value *value,
                    struct id_value *ret_replayed)
{
    enum id_state state = rh_id_map_find(work->map, domain, value, ret_replayed);
    if (state == ID_NONE) {
        work->counts.unknown += !work->out && rh_id_map_is_new(work->map, domain, value);
        return false;
    }
    work->counts.has_any = true;
    work->counts.is_awaited |= state == ID_EXPECTED;
    if (state != ID_KNOWN) {
        work->counts.unknown += work->out != NULL;
        return false;
    }
    work->counts.mapped++;
    return ret_replayed->low != value->low || ret_replayed->high != value->high;
}

static void turn_word(struct work *work, uint32_t domain, struct text word)
{
    struct id_value value, replayed;
    char text[WORKLOAD_ID_BYTES_MAX + 1];
    if (!rh_id_value_parse(word, &value) || !look_up(work, domain, &value, &replayed)) {
        put_text(work, word);
        return;
    }
    work->counts.moved++;
    put(work, text, rh_id_value_format(&replayed, text));
}

/* A value, or the elements of "{1,2}". */
static void turn_text(struct work *work, uint32_t domain, struct text text)
{
    if (text.len == 0 || text.data[0] != '{') {
        turn_word(work, domain, text);
        return;
    }
    for (size_t at = 0; at < text.len;) {
        size_t end = at;
        while (end < text.len && !strchr("{},\" ", text.data[end]))
            end++;
        if (end > at)
            turn_word(work, domain, (struct text){text.data + at, end - at});
        if (end < text.len)
            put(work, text.data + end, 1);
        at = end + 1;
    }
}

static void put_u32(struct work *work, uint32_t value)
{
    char bytes[4];
    rh_store_be32(bytes, value);
    put(work, bytes, sizeof(bytes));
}

/* With its length before it. */
static void turn_scalar(struct work *work, uint32_t domain, bool is_widened, struct text binary)
{
    struct id_value value, replayed;
    char bytes[16];
    size_t length = is_widened && binary.len == 2 ? 8 : binary.len;
    bool is_value = rh_id_value_decode(binary, &value);
    bool has_moved = is_value && look_up(work, domain, &value, &replayed);
    if (has_moved && rh_id_value_encode(&replayed, bytes, length)) {
        work->counts.moved++;
    } else if (!is_value || !rh_id_value_encode(&value, bytes, length)) {
        put_u32(work, (uint32_t)binary.len);
        put_text(work, binary);
        return;
    } else if (has_moved) {
        work->counts.mapped--;
        work->counts.unknown++;
    }
    put_u32(work, (uint32_t)length);
    put(work, bytes, length);
}

/* dimensions, flags, type of elements; (length, lower bound) each; items (array_send). False: it is
   none, and nothing was put. */
static bool turn_array(struct work *work, uint32_t domain, bool is_widened, struct text binary)
{
    struct pg_reader reader = {.rest = binary};
    uint32_t dimensions = rh_pg_read_u32(&reader);
    (void)rh_pg_read_u32(&reader);
    uint32_t type = rh_pg_read_u32(&reader);
    if (reader.failed || dimensions > ARRAY_DIMENSIONS_MAX)
        return false;
    struct text bounds = rh_pg_read_bytes(&reader, 8 * (size_t)dimensions);
    struct pg_reader check = reader;
    while (check.rest.len > 0 && !check.failed) {
        uint32_t length = rh_pg_read_u32(&check);
        if (length != UINT32_MAX)
            (void)rh_pg_read_bytes(&check, length);
    }
    if (check.failed)
        return false;
    put(work, binary.data, 8);
    put_u32(work, is_widened && type == OID_INT2 ? OID_INT8 : type);
    put_text(work, bounds);
    while (reader.rest.len > 0) {
        uint32_t length = rh_pg_read_u32(&reader);
        if (length == UINT32_MAX)
            put_u32(work, length);
        else
            turn_scalar(work, domain, is_widened, rh_pg_read_bytes(&reader, length));
    }
    return true;
}

/* --- messages --------------------------------------------------------------------------------- */

/* The length that stands at `at` is what was put behind it. */
static void close_length(struct work *work, size_t at)
{
    if (work->out && !work->out->failed)
        rh_store_be32(work->out->data + at, (uint32_t)(work->out->len - at - 4));
}

static void turn_parameter(struct work *work, uint32_t domain, bool is_binary, bool is_widened,
                           struct text value)
{
    size_t at = work->out ? work->out->len : 0;
    if (is_binary && (value.len == 2 || value.len == 4 || value.len == 8 || value.len == 16)) {
        turn_scalar(work, domain, is_widened, value);
        return;
    }
    put_u32(work, (uint32_t)value.len);
    if (!is_binary)
        turn_text(work, domain, value);
    else if (!turn_array(work, domain, is_widened, value))
        put_text(work, value);
    close_length(work, at);
}

/* Of Bind and of FunctionCall. */
static void turn_parameters(struct work *work, const struct id_statement *statement, bool is_call,
                            struct text body)
{
    struct pg_reader reader = {.rest = body};
    const struct id_text *text = statement->text;
    if (is_call)
        (void)rh_pg_read_u32(&reader);
    else if (rh_pg_read_string(&reader))
        (void)rh_pg_read_string(&reader);
    uint16_t format_count = rh_pg_read_u16(&reader);
    struct text formats = rh_pg_read_bytes(&reader, 2 * (size_t)format_count);
    uint16_t count = rh_pg_read_u16(&reader);
    put(work, body.data, (size_t)(reader.rest.data - body.data));
    for (uint16_t i = 0; i < count && !reader.failed; i++) {
        size_t format = format_count == 1 ? 0 : i;
        bool is_binary = format < format_count && formats.data[2 * format + 1] == 1;
        bool is_widened = i < WIDENED_MAX && statement->widened >> i & 1;
        uint32_t length = rh_pg_read_u32(&reader);
        uint32_t domain = i < text->parameter_count ? text->parameters[i] : 0;
        struct text value = length == UINT32_MAX ? (struct text){"", 0}
                                                 : rh_pg_read_bytes(&reader, length);
        if (length == UINT32_MAX || reader.failed || !domain) {
            put_u32(work, length);
            put_text(work, value);
        } else {
            turn_parameter(work, domain, is_binary, is_widened, value);
        }
    }
    put_text(work, reader.rest);
    if (reader.failed)
        work->counts = (struct id_counts){.is_malformed = true};
}

/* 'x' without anything that would have to be unquoted. */
static void turn_string(struct work *work, uint32_t domain, struct text token)
{
    bool is_plain = token.len >= 2 && token.data[0] == '\'' && token.data[token.len - 1] == '\'' &&
                    !memchr(token.data + 1, '\'', token.len - 2);
    if (!is_plain) {
        put_text(work, token);
        return;
    }
    put(work, "'", 1);
    turn_text(work, domain, (struct text){token.data + 1, token.len - 2});
    put(work, "'", 1);
}

static void turn_query(struct work *work, const struct id_text *text, struct text query)
{
    struct sql_lexer lexer = rh_sql_lexer(query);
    struct sql_token token;
    size_t constant = 0;
    while (rh_sql_lexer_next(&lexer, &token)) {
        struct text piece = {query.data + token.offset, token.len};
        uint32_t domain = 0;
        if (rh_sql_token_is_constant(query, &token)) {
            domain = constant < text->constant_count ? text->constants[constant] : 0;
            constant++;
        }
        if (domain && token.kind == SQL_TOKEN_STRING)
            turn_string(work, domain, piece);
        else if (domain)
            turn_word(work, domain, piece);
        else
            put_text(work, piece);
    }
}

static struct id_counts turn(const struct id_map *map, const struct id_statement *statement,
                             unsigned char type, struct text body, struct buf *out)
{
    struct work work = {.map = map, .out = out};
    if (type == 'B' || type == 'F') {
        turn_parameters(&work, statement, type == 'F', body);
        return work.counts;
    }
    struct pg_reader reader = {.rest = body};
    if (type == 'P')
        (void)rh_pg_read_string(&reader);
    put(&work, body.data, (size_t)(reader.rest.data - body.data));
    struct text query = {reader.rest.data, strnlen(reader.rest.data, reader.rest.len)};
    turn_query(&work, statement->text, query);
    put(&work, query.data + query.len, reader.rest.len - query.len);
    return work.counts;
}

struct id_counts rh_id_message_look(const struct id_map *map, const struct id_statement *statement,
                                    unsigned char type, struct text body)
{
    return turn(map, statement, type, body, NULL);
}

struct id_counts rh_id_message_turn(const struct id_map *map, const struct id_statement *statement,
                                    unsigned char type, struct text body, struct buf *out)
{
    return turn(map, statement, type, body, out);
}
