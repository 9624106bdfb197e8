#include "workload/value_mask.h"

#include "base/big_endian.h"
#include "mask/binary_value.h"
#include "mask/column_maps.h"
#include "net/pg_codec.h"
#include "sql/copy_from.h"
#include "sql/lexer.h"
#include "sql/shape.h"
#include "workload/plain_value.h"
#include "workload/value_columns.h"
#include "workload/value_member.h"

#include <ctype.h>
#include <openssl/crypto.h>
#include <stdlib.h>

#define DEFAULT_DOMAIN "workload"
/* Of a constant in a text: a flag, a unit, the code of a country; initials at most. */
#define CONSTANT_BYTES_KEPT 2

/* Of a value that nothing is known of. */
static const struct known_value nothing = {0};
/* Of no table: what is cast to jsonb. */
static const struct catalog_column document = {.base_type = "jsonb", .type_kind = 'b'};

/* Of the same domain and rule: for arrays of what the other is for, or for elements. */
struct counterpart {
    const struct mask_map *of;
    struct mask_map *map; /* NULL: there can be none */
};

struct value_mask {
    const struct catalog *catalog;
    const struct masking *masking;
    struct mask_master_key key;
    struct column_maps *maps;
    VEC(struct counterpart) counterparts;
    struct arena *arena;
    struct mask_map *by_default, *by_default_document;
    struct value_columns columns;
};

/* Nobody sees into an array of what documents hold. */
static const struct column_answer *ask(struct value_mask *mask, const struct known_value *known)
{
    const struct column_answer *answer = rh_value_columns_ask(&mask->columns, known->column);

    return answer->members && known->form != SQL_VALUE_SAME ? rh_value_columns_ask(NULL, NULL)
                                                            : answer;
}

/* --- values ----------------------------------------------------------------------------------- */

static struct text apply(struct mask_map *map, struct text value, struct arena *arena)
{
    struct text masked;

    rh_mask_map_apply(map, &value, 1, arena, &masked);
    return masked;
}

/* The map for what stands to the column's values as `form` says; NULL: there is none. */
static struct mask_map *map_for(struct value_mask *mask, const struct column_answer *answer,
                                enum sql_value_form form)
{
    bool is_array = answer->column->is_array;
    struct counterpart made = {.of = answer->map};
    struct err ignored = RH_ERR_INIT;

    if (form == SQL_VALUE_SAME || is_array == (form == SQL_VALUE_ARRAY))
        return answer->map;
    for (size_t i = 0; i < mask->counterparts.count; i++)
        if (mask->counterparts.items[i].of == answer->map)
            return mask->counterparts.items[i].map;

    struct mask_map_options options = rh_masking_map_options(
        mask->catalog, rh_masking_column(mask->masking, answer->table, answer->column->number),
        &mask->key, mask->arena);

    options.is_array = !is_array;
    if (rh_mask_map_new(&options, mask->arena, &made.map, &ignored))
        made.map = NULL;
    *RH_PUSH(mask->arena, &mask->counterparts) = made;
    return made.map;
}

/* Of a known column that is to be masked. False: NULL. */
static bool mask_text(struct value_mask *mask, const struct column_answer *answer,
                      enum sql_value_form form, struct text value, struct arena *arena,
                      struct text *ret_masked)
{
    struct mask_map *map = map_for(mask, answer, form);

    if (!map)
        return false;
    if (answer->members)
        return rh_value_member_mask(map, answer->members, value, arena, ret_masked);
    *ret_masked = apply(map, value, arena);
    return ret_masked->data != NULL;
}

/* Says nothing of anybody where it stands. */
static bool stays(const struct known_value *known, struct text value)
{
    return (known->kind == SQL_VALUE_PLAIN && rh_plain_value_is(value)) ||
           (known->kind == SQL_VALUE_NAME && rh_plain_value_is_name(value));
}

/* Says nothing of anybody, and queries would break without it. */
static bool is_harmless(struct text value)
{
    static const char *const words[] = {"",    "t",  "f",  "true", "false",
                                        "yes", "no", "on", "off",  "null"};

    for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
        if (strlen(words[i]) == value.len && strncasecmp(value.data, words[i], value.len) == 0)
            return true;
    return false;
}

static struct text by_default(struct value_mask *mask, const struct known_value *known,
                              struct text value, struct arena *arena, int64_t *count)
{
    if (is_harmless(value) || stays(known, value))
        return value;
    ++*count;
    return apply(known->kind == SQL_VALUE_JSON ? mask->by_default_document : mask->by_default,
                 value, arena);
}

/* --- constants of a text ---------------------------------------------------------------------- */

/* What stands between the quotes, as the server reads it. */
static struct text unquote(struct text token, struct arena *arena)
{
    RH_CLEANUP_BUF struct buf out;
    bool is_escaped = token.data[0] == 'E' || token.data[0] == 'e';
    size_t at = 0, end = token.len;

    rh_buf_init(&out, token.len + 1);
    if (token.data[0] == '$') {
        const char *tag_end = memchr(token.data + 1, '$', token.len - 1);
        size_t tag = tag_end ? (size_t)(tag_end - token.data) + 1 : token.len;

        return token.len >= 2 * tag ? (struct text){token.data + tag, token.len - 2 * tag}
                                    : (struct text){"", 0};
    }
    while (at < end && token.data[at] != '\'')
        at++;
    at++;
    if (end > at && token.data[end - 1] == '\'')
        end--;
    for (; at < end; at++) {
        char c = token.data[at];

        if (c == '\'' && at + 1 < end)
            c = token.data[++at];
        else if (c == '\\' && is_escaped && at + 1 < end) {
            c = token.data[++at];
            c = c == 'n' ? '\n' : c == 't' ? '\t' : c == 'r' ? '\r' : c;
        }
        rh_buf_add_char(&out, c);
    }
    return (struct text){rh_text_dup(arena, rh_buf_text(&out)), out.len};
}

static void add_quoted(struct buf *out, struct text value)
{
    rh_buf_add_char(out, '\'');
    for (size_t i = 0; i < value.len; i++) {
        if (value.data[i] == '\'')
            rh_buf_add_char(out, '\'');
        rh_buf_add_char(out, value.data[i]);
    }
    rh_buf_add_char(out, '\'');
}

static void add_string(struct value_mask *mask, const struct known_value *known, struct text token,
                       struct arena *arena, struct buf *out, int64_t *count)
{
    const struct column_answer *answer = ask(mask, known);
    struct text value, masked = {0};
    char first = token.data[0];

    if (answer->verdict == COLUMN_KEPT) {
        rh_buf_add_text(out, token);
        return;
    }
    value = unquote(token, arena);
    if (first == 'B' || first == 'b' || first == 'X' || first == 'x') {
        /* A string of bits: as many zeros. */
        rh_buf_add(out, token.data, 2);
        for (size_t i = 0; i < value.len; i++)
            rh_buf_add_char(out, '0');
        rh_buf_add_char(out, '\'');
        ++*count;
        return;
    }
    if (answer->verdict == COLUMN_UNKNOWN && value.len <= CONSTANT_BYTES_KEPT)
        masked = value;
    else if (answer->verdict == COLUMN_UNKNOWN)
        masked = by_default(mask, known, value, arena, count);
    else if (!mask_text(mask, answer, known->form, value, arena, &masked))
        masked.data = NULL;
    if (masked.data)
        add_quoted(out, masked);
    else
        rh_buf_add_str(out, "NULL");
}

static void add_number(struct value_mask *mask, const struct known_value *known, struct text token,
                       struct arena *arena, struct buf *out)
{
    const struct column_answer *answer = ask(mask, known);
    struct text masked = token;

    if (answer->verdict == COLUMN_MASKED &&
        !mask_text(mask, answer, known->form, token, arena, &masked))
        masked = TEXT_LITERAL("NULL");
    rh_buf_add_text(out, masked);
}

/* SET search_path = 'app': the settings of the server, but not those that applications invent. */
static bool sets_server(struct text query)
{
    struct sql_lexer lexer = rh_sql_lexer(query);
    struct sql_token token;
    bool has_begun = false, is_over = false, has_name = false;

    while (rh_sql_lexer_next(&lexer, &token)) {
        if (!rh_sql_token_is_significant(&token))
            continue;
        if (is_over || (!has_begun && !rh_sql_token_is_word(query, &token, "set")))
            return false;
        has_begun = true;
        if (!has_name && token.len == 1 && query.data[token.offset] == '.')
            return false;
        has_name = has_name || (token.len == 1 && query.data[token.offset] == '=') ||
                   rh_sql_token_is_word(query, &token, "to");
        is_over = token.kind == SQL_TOKEN_SEMICOLON;
    }
    return has_begun;
}

struct text rh_value_mask_query(struct value_mask *mask, const struct known_query *known,
                                struct text query, struct arena *arena, int64_t *count)
{
    struct sql_lexer lexer = rh_sql_lexer(query);
    struct sql_token token;
    size_t constant = 0;
    RH_CLEANUP_BUF struct buf out;

    /* Quotes are doubled, and a rule may put something longer in the place of a value. */
    rh_buf_init(&out, 16 * query.len + 4096);
    if (sets_server(query))
        return query;
    /* The constants of a COPY FROM STDIN say how its rows are written. */
    bool is_copy = known->copies != NULL;
    while (rh_sql_lexer_next(&lexer, &token)) {
        struct text text = {query.data + token.offset, token.len};
        bool is_constant = rh_sql_token_is_constant(query, &token);
        const struct known_value *value = &nothing;

        if (is_constant) {
            if (known->has_constants && constant < known->constant_count)
                value = &known->constants[constant];
            constant++;
        }
        if (is_constant && is_copy)
            rh_buf_add_text(&out, text);
        else if (is_constant && token.kind == SQL_TOKEN_STRING)
            add_string(mask, value, text, arena, &out, count);
        else if (is_constant)
            add_number(mask, value, text, arena, &out);
        else if (token.kind == SQL_TOKEN_COMMENT)
            rh_buf_add_char(&out, ' '); /* trace ids, user names */
        else
            rh_buf_add_text(&out, text);
    }
    /* What does not fit is no query any more, and nothing of it is in clear. */
    char *copy = rh_arena_alloc(arena, out.len + 1);

    if (out.len > 0)
        memcpy(copy, out.data, out.len);
    return (struct text){copy, out.len};
}

/* --- parameters ------------------------------------------------------------------------------- */

static bool is_printable(struct text value)
{
    if (value.len == 0 || rh_text_utf8_valid_prefix(value) != value.len)
        return false;
    for (size_t i = 0; i < value.len; i++)
        if ((unsigned char)value.data[i] < 0x20 && !isspace((unsigned char)value.data[i]))
            return false;
    return true;
}

/* Three letters in a row, or a letter that is more than a byte and one more. */
static bool has_letters(struct text value)
{
    size_t run = 0;

    for (size_t i = 0; i < value.len && run < 3; i++) {
        unsigned char c = (unsigned char)value.data[i];
        size_t more = c < 0xc2 ? 0 : c < 0xe0 ? 1 : c < 0xf0 ? 2 : 3;
        struct text letter = {value.data + i, 1 + more};

        if (isalpha(c)) {
            run++;
        } else if (more > 0 && more < value.len - i &&
                   rh_text_utf8_valid_prefix(letter) == letter.len) {
            run += 2;
            i += more;
        } else {
            run = 0;
        }
    }
    return run >= 3;
}

/* Types by their numbers in pg_type.dat. */
static bool is_text_type(uint32_t type)
{
    static const uint32_t types[] = {18, 19, 25, 114, 142, 705, 1042, 1043};

    for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++)
        if (types[i] == type)
            return true;
    return false;
}

/* Numbers, times and UUIDs. *ret_len: of every value; 0: they differ. */
static bool is_plain_type(uint32_t type, size_t *ret_len)
{
    static const struct {
        uint32_t type;
        size_t len;
    } plain[] = {{16, 1},    {20, 8},    {21, 2},   {23, 4},   {26, 4},   {700, 4},
                 {701, 8},   {790, 8},   {1082, 4}, {1083, 8}, {1114, 8}, {1184, 8},
                 {1186, 16}, {1266, 12}, {1700, 0}, {2950, 16}};

    for (size_t i = 0; i < sizeof(plain) / sizeof(*plain); i++)
        if (plain[i].type == type) {
            *ret_len = plain[i].len;
            return true;
        }
    return false;
}

/* What was declared must be what came: nobody else looks, and the server would refuse it. */
static bool is_plain(uint32_t type, struct text value)
{
    size_t len = 0;

    return is_plain_type(type, &len) && value.len == len;
}

/* array_send: dimensions, flags, the type of an element. */
static bool is_array_of_numbers(struct text value)
{
    size_t ignored;

    return value.len >= 12 && rh_load_be32(value.data) <= 6 && rh_load_be32(value.data + 4) <= 1 &&
           is_plain_type(rh_load_be32(value.data + 8), &ignored);
}

/* As long as numbers, times and UUIDs are. */
static bool has_plain_length(struct text value)
{
    return value.len <= 2 || value.len == 4 || value.len == 8 || value.len == 12 || value.len == 16;
}

/*
 * Whether a binary value that is no text has text in it: a document, an array, a row, bytes. What
 * is as long as numbers, times and UUIDs are is one of these, unless it begins as a jsonb or a row
 * does.
 */
static bool holds_text(struct text value)
{
    bool is_fixed = has_plain_length(value);
    bool is_jsonb = value.len > 2 && value.data[0] == 1 &&
                    is_printable((struct text){value.data + 1, value.len - 1});
    bool is_row = value.len > 8 && memcmp(value.data, "\0\0\0", 3) == 0;

    if (is_fixed && !is_jsonb && !is_row)
        return false;
    return has_letters(value) && !is_array_of_numbers(value);
}

/* Of a known column that is to be masked. False: NULL, as for what nobody can mask. */
static bool mask_binary(struct value_mask *mask, const struct column_answer *answer,
                        enum sql_value_form form, struct text value, struct arena *arena,
                        struct text *ret_masked)
{
    struct mask_map *map = map_for(mask, answer, SQL_VALUE_ELEMENT);
    struct catalog_column element = *answer->column;
    bool is_array = element.is_array ? form != SQL_VALUE_ELEMENT : form == SQL_VALUE_ARRAY;

    if (answer->members && is_printable(value))
        return mask_text(mask, answer, form, value, arena, ret_masked);
    if (answer->members) /* (data->>'n')::int = $1 */
        return has_plain_length(value);
    element.is_array = false;
    return map && (is_array ? rh_mask_binary_array(map, &element, value, arena, ret_masked)
                            : rh_mask_binary_value(map, &element, value, arena, ret_masked)) ==
                      BINARY_VALUE_MASKED;
}

/* `type` 0: not declared. False: NULL. */
static bool mask_parameter(struct value_mask *mask, const struct known_value *known, uint32_t type,
                           bool is_binary, struct text value, struct arena *arena,
                           struct text *ret_masked, int64_t *count)
{
    const struct column_answer *answer = ask(mask, known);
    bool is_text = !is_binary || is_text_type(type) || is_printable(value);
    int64_t number;

    *ret_masked = value;
    switch (answer->verdict) {
    case COLUMN_KEPT:
        return true;
    case COLUMN_MASKED:
        return (is_binary ? mask_binary : mask_text)(mask, answer, known->form, value, arena,
                                                     ret_masked);
    case COLUMN_UNKNOWN:
        break;
    }
    /* Numbers stay: LIMIT, OFFSET, what is counted. */
    if (is_binary ? is_plain(type, value) ||
                        (type == 0 && known->kind == SQL_VALUE_PLAIN && has_plain_length(value))
                  : rh_text_parse_int64(value, &number))
        return true;
    if (known->kind == SQL_VALUE_JSON && is_binary && !is_text) {
        ++*count;
        return rh_mask_binary_value(mask->by_default_document, &document, value, arena,
                                    ret_masked) == BINARY_VALUE_MASKED;
    }
    /* Nothing can be put in the place of what lies within. */
    if (!is_text && holds_text(value)) {
        ++*count;
        return false;
    }
    if (!is_text)
        return true;
    *ret_masked = by_default(mask, known, value, arena, count);
    return ret_masked->data != NULL;
}

bool rh_value_mask_text(struct value_mask *mask, const char *column, struct text value,
                        struct arena *arena, struct text *ret_masked)
{
    int64_t ignored = 0;

    const struct known_value known = {.column = (char *)column};

    return mask_parameter(mask, &known, 0, false, value, arena, ret_masked, &ignored);
}

static void add_u32(struct buf *out, uint32_t value)
{
    char bytes[4];

    rh_store_be32(bytes, value);
    rh_buf_add(out, bytes, sizeof(bytes));
}

struct text rh_value_mask_bind(struct value_mask *mask, const struct known_query *known,
                               struct text types, struct text body, struct arena *arena,
                               int64_t *count)
{
    struct pg_reader reader = {.rest = body};
    RH_CLEANUP_BUF struct buf out;

    rh_pg_read_string(&reader);
    rh_pg_read_string(&reader);

    uint16_t formats = rh_pg_read_u16(&reader);
    struct text format_codes = rh_pg_read_bytes(&reader, (size_t)2 * formats);
    uint16_t values = rh_pg_read_u16(&reader);

    rh_buf_init(&out, 16 * body.len + 4096);
    rh_buf_add(&out, body.data, (size_t)(reader.rest.data - body.data));
    for (uint16_t i = 0; i < values && !reader.failed; i++) {
        uint32_t length = rh_pg_read_u32(&reader);
        size_t which = formats > 1 ? i : 0;
        bool is_binary = which < formats && format_codes.data[2 * which + 1] == 1;
        const struct known_value *is = known && i < known->parameter_count ? &known->parameters[i]
                                                                           : &nothing;
        uint32_t type = types.len / 4 > i ? rh_load_be32(types.data + (size_t)4 * i) : 0;
        struct text value, masked;

        if (length == UINT32_MAX) {
            add_u32(&out, length);
            continue;
        }
        value = rh_pg_read_bytes(&reader, length);
        if (reader.failed)
            break;
        if (mask_parameter(mask, is, type, is_binary, value, arena, &masked, count)) {
            add_u32(&out, (uint32_t)masked.len);
            rh_buf_add_text(&out, masked);
        } else {
            add_u32(&out, UINT32_MAX);
        }
    }
    /* Formats of the results; of a message that cannot be read nothing stays. */
    if (reader.failed || out.failed)
        return (struct text){"", 0};
    rh_buf_add_text(&out, reader.rest);

    char *copy = rh_arena_alloc(arena, out.len + 1);

    memcpy(copy, out.data, out.len);
    return (struct text){copy, out.len};
}

/* --- made and gone ---------------------------------------------------------------------------- */

enum err_code rh_value_mask_new(const struct catalog *catalog, const struct masking *masking,
                                const struct mask_master_key *key, struct value_mask **ret_mask,
                                struct err *err)
{
    struct value_mask *mask = calloc(1, sizeof(*mask));
    const struct mask_map_options options = {
        .key = key, .domain = DEFAULT_DOMAIN, .rule = MASK_TEXT, .type = "text"};
    const struct mask_map_options of_documents = {
        .key = key, .domain = DEFAULT_DOMAIN, .rule = MASK_JSON, .type = "json"};
    enum err_code code;

    if (!mask)
        RH_PANIC("out of memory (%zu bytes)", sizeof(*mask));
    mask->catalog = catalog;
    mask->masking = masking;
    mask->key = *key;
    mask->arena = rh_arena_new();
    code = rh_column_maps_new(catalog, masking, key, &mask->maps, err);
    rh_value_columns_init(&mask->columns, catalog, mask->maps);
    if (!code)
        code = rh_mask_map_new(&options, mask->arena, &mask->by_default, err);
    if (!code)
        code = rh_mask_map_new(&of_documents, mask->arena, &mask->by_default_document, err);
    if (code)
        rh_value_mask_free(mask);
    else
        *ret_mask = mask;
    return code;
}

void rh_value_mask_free(struct value_mask *mask)
{
    if (!mask)
        return;
    rh_mask_map_free(mask->by_default);
    rh_mask_map_free(mask->by_default_document);
    for (size_t i = 0; i < mask->counterparts.count; i++)
        rh_mask_map_free(mask->counterparts.items[i].map);
    OPENSSL_cleanse(&mask->key, sizeof(mask->key));
    rh_column_maps_free(mask->maps);
    rh_arena_free(mask->arena);
    rh_value_columns_deinit(&mask->columns);
    free(mask);
}

/* --- COPY FROM STDIN -------------------------------------------------------------------------- */

/* SIZE_MAX: none, or several. */
static size_t table_of(const struct catalog *catalog, const struct sql_copy_from *copy)
{
    size_t found = SIZE_MAX;

    for (size_t i = 0; i < catalog->tables.count; i++) {
        const struct catalog_table *table = &catalog->tables.items[i];

        if (strcmp(table->name, copy->table) != 0 ||
            (copy->schema && strcmp(table->schema, copy->schema) != 0))
            continue;
        if (found != SIZE_MAX)
            return SIZE_MAX;
        found = i;
    }
    return found;
}

static bool is_named(const char *const *names, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

/* The server refuses a list that names another column than those of the COPY. */
static bool are_columns(const struct sql_copy_from *copy, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!is_named(copy->columns.items, copy->columns.count, names[i]))
            return false;
    return true;
}

struct copy_client *rh_value_mask_copy(struct value_mask *mask, struct text statement,
                                       struct arena *arena, const char **ret_encoding)
{
    struct sql_copy_from copy;
    VEC(struct copy_client_column) columns = {0};
    size_t at = rh_sql_copy_from(statement, arena, &copy) ? table_of(mask->catalog, &copy)
                                                          : SIZE_MAX;

    if (at == SIZE_MAX)
        return NULL;

    const struct catalog_table *table = &mask->catalog->tables.items[at];

    bool means_all = copy.columns.count == 0;

    for (size_t i = 0; means_all && i < table->columns.count; i++)
        if (!table->columns.items[i].is_generated)
            *RH_PUSH(arena, &copy.columns) = table->columns.items[i].name;
    for (size_t i = 0; i < copy.columns.count; i++) {
        const char *name = copy.columns.items[i];
        struct copy_client_column column = {
            .column = rh_catalog_column_named(table, name),
            .forces_null = copy.forces_all_null ||
                           is_named(copy.force_null.items, copy.force_null.count, name),
            .forces_not_null = copy.forces_all_not_null ||
                               is_named(copy.force_not_null.items, copy.force_not_null.count,
                                        name)};

        if (!column.column ||
            !rh_column_maps_find(mask->maps, at, column.column->number, &column.map))
            return NULL;
        *RH_PUSH(arena, &columns) = column;
    }
    if (columns.count == 0 || !are_columns(&copy, copy.force_null.items, copy.force_null.count) ||
        !are_columns(&copy, copy.force_not_null.items, copy.force_not_null.count))
        return NULL;
    *ret_encoding = copy.encoding;
    return rh_copy_client_new(&copy.format, columns.items, columns.count);
}

/* "utf-8" is UTF8: letters and digits count (clean_encoding_name). */
static bool is_same_encoding(const char *left, const char *right)
{
    do {
        while (*left && !isalnum((unsigned char)*left))
            left++;
        while (*right && !isalnum((unsigned char)*right))
            right++;
        if (tolower((unsigned char)*left) != tolower((unsigned char)*right))
            return false;
    } while (*left && *left++ && *right++);
    return true;
}

bool rh_value_mask_reads(const struct value_mask *mask, const char *encoding)
{
    const char *own = mask->catalog->encoding ? mask->catalog->encoding : "UTF8";

    /* Nothing is converted for a client that says SQL_ASCII. */
    return is_same_encoding(encoding, own) || is_same_encoding(encoding, "SQL_ASCII") ||
           (is_same_encoding(encoding, "UNICODE") && is_same_encoding(own, "UTF8"));
}
