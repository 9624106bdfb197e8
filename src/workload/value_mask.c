#include "workload/value_mask.h"

#include "base/big_endian.h"
#include "mask/binary_value.h"
#include "mask/column_maps.h"
#include "net/pg_codec.h"
#include "sql/copy_from.h"
#include "sql/lexer.h"
#include "sql/shape.h"

#include <ctype.h>
#include <stdlib.h>

#define DEFAULT_DOMAIN "workload"
/* Names of columns that were looked up: those of queries, which are few. */
#define COLUMNS_MAX 65536

enum verdict { COLUMN_UNKNOWN, COLUMN_KEPT, COLUMN_MASKED };

struct column_answer {
    char *name; /* NULL: free */
    enum verdict verdict;
    struct mask_map *map;
    const struct catalog_column *column;
};

struct value_mask {
    const struct catalog *catalog;
    struct column_maps *maps;
    struct arena *arena;
    struct mask_map *by_default;
    struct column_answer *answers; /* open addressing */
    size_t answer_size, answer_count;
};

/* --- columns ---------------------------------------------------------------------------------- */

static size_t hash_of(const char *name)
{
    uint64_t hash = UINT64_C(14695981039346656037); /* FNV-1a */

    for (; *name; name++)
        hash = (hash ^ (unsigned char)*name) * UINT64_C(1099511628211);
    return (size_t)(hash ^ hash >> 32);
}

/* Two columns of one name are the same to us when the same map is behind both: tables of one
   domain share its key. */
static void consider(struct value_mask *mask, size_t table, const struct catalog_column *column,
                     struct column_answer *answer, bool *is_ambiguous)
{
    struct mask_map *map = NULL;

    if (!rh_column_maps_find(mask->maps, table, column->number, &map)) {
        *is_ambiguous = true;
        return;
    }

    enum verdict verdict = map ? COLUMN_MASKED : COLUMN_KEPT;

    if (answer->verdict == COLUMN_UNKNOWN)
        *answer = (struct column_answer){answer->name, verdict, map, column};
    else if (answer->verdict != verdict || answer->map != map)
        *is_ambiguous = true;
}

/* "schema.table.column", "table.column" or "column". */
static void look_up(struct value_mask *mask, struct column_answer *answer)
{
    const char *last = strrchr(answer->name, '.');
    const char *column = last ? last + 1 : answer->name;
    struct text table = {answer->name, last ? (size_t)(last - answer->name) : 0};
    bool is_ambiguous = false;

    for (size_t i = 0; i < mask->catalog->tables.count; i++) {
        const struct catalog_table *candidate = &mask->catalog->tables.items[i];
        const struct catalog_column *found;

        if (last) {
            const char *dot = memrchr(table.data, '.', table.len);
            struct text name = dot ? (struct text){dot + 1,
                                                   table.len - (size_t)(dot + 1 - table.data)}
                                   : table;

            if (!rh_text_is(name, candidate->name) ||
                (dot && !rh_text_is((struct text){table.data, (size_t)(dot - table.data)},
                                    candidate->schema)))
                continue;
        }
        if ((found = rh_catalog_column_named(candidate, column)))
            consider(mask, i, found, answer, &is_ambiguous);
    }
    if (is_ambiguous)
        *answer = (struct column_answer){.name = answer->name};
}

static struct column_answer *slot_of(const struct value_mask *mask, const char *name)
{
    size_t at = hash_of(name) & (mask->answer_size - 1);

    while (mask->answers[at].name && strcmp(mask->answers[at].name, name) != 0)
        at = (at + 1) & (mask->answer_size - 1);
    return &mask->answers[at];
}

static void make_room(struct value_mask *mask)
{
    if (mask->answer_count >= COLUMNS_MAX) {
        for (size_t i = 0; i < mask->answer_size; i++)
            free(mask->answers[i].name);
        memset(mask->answers, 0, mask->answer_size * sizeof(*mask->answers));
        mask->answer_count = 0;
    }
    if (2 * (mask->answer_count + 1) <= mask->answer_size)
        return;

    struct column_answer *old = mask->answers;
    size_t old_size = mask->answer_size;

    mask->answer_size = old_size ? 2 * old_size : 256;
    mask->answers = calloc(mask->answer_size, sizeof(*mask->answers));
    if (!mask->answers)
        RH_PANIC("out of memory for columns");
    for (size_t i = 0; i < old_size; i++)
        if (old[i].name)
            *slot_of(mask, old[i].name) = old[i];
    free(old);
}

static const struct column_answer *ask(struct value_mask *mask, const char *name)
{
    static const struct column_answer unknown = {.verdict = COLUMN_UNKNOWN};

    if (!name)
        return &unknown;
    make_room(mask);

    struct column_answer *slot = slot_of(mask, name);

    if (!slot->name) {
        slot->name = strdup(name);
        if (!slot->name)
            RH_PANIC("out of memory for a column's name");
        mask->answer_count++;
        look_up(mask, slot);
    }
    return slot;
}

/* --- values ----------------------------------------------------------------------------------- */

static struct text apply(struct mask_map *map, struct text value, struct arena *arena)
{
    struct text masked;

    rh_mask_map_apply(map, &value, 1, arena, &masked);
    return masked;
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

static struct text by_default(struct value_mask *mask, struct text value, struct arena *arena,
                              int64_t *count)
{
    if (is_harmless(value))
        return value;
    ++*count;
    return apply(mask->by_default, value, arena);
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

/* interval '1 day', '1 day'::interval: a unit of time, a count; not somebody's. */
static bool is_time_word(struct text text, const struct sql_token *token)
{
    static const char *const words[] = {"interval", "regclass", "regtype", "regproc", "oid"};

    for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
        if (rh_sql_token_is_word(text, token, words[i]))
            return true;
    return false;
}

static bool is_cast_to_time(struct text text, size_t offset)
{
    struct sql_lexer lexer = {.text = text, .offset = offset};
    struct sql_token token;

    for (int colons = 0; rh_sql_lexer_next(&lexer, &token);) {
        if (!rh_sql_token_is_significant(&token))
            continue;
        if (colons < 2 && token.len == 1 && text.data[token.offset] == ':')
            colons++;
        else if (colons < 2 && token.len == 2 && memcmp(text.data + token.offset, "::", 2) == 0)
            colons = 2;
        else
            return colons == 2 && is_time_word(text, &token);
    }
    return false;
}

static void add_string(struct value_mask *mask, const char *column, struct text token,
                       bool is_kept_kind, struct arena *arena, struct buf *out, int64_t *count)
{
    const struct column_answer *answer = ask(mask, column);
    struct text value, masked;
    char first = token.data[0];

    if (answer->verdict == COLUMN_KEPT || (answer->verdict == COLUMN_UNKNOWN && is_kept_kind)) {
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
    masked = answer->verdict == COLUMN_MASKED ? apply(answer->map, value, arena)
                                              : by_default(mask, value, arena, count);
    if (masked.data)
        add_quoted(out, masked);
    else
        rh_buf_add_str(out, "NULL");
}

static void add_number(struct value_mask *mask, const char *column, struct text token,
                       struct arena *arena, struct buf *out)
{
    const struct column_answer *answer = ask(mask, column);
    struct text masked = token;

    if (answer->verdict == COLUMN_MASKED)
        masked = apply(answer->map, token, arena);
    rh_buf_add_text(out, masked.data ? masked : TEXT_LITERAL("NULL"));
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
    bool after_time_word = false;
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
        const char *column = NULL;

        if (is_constant) {
            if (known->has_constants && constant < known->constant_count)
                column = known->constants[constant];
            constant++;
        }
        if (is_constant && is_copy)
            rh_buf_add_text(&out, text);
        else if (is_constant && token.kind == SQL_TOKEN_STRING)
            add_string(mask, column, text, after_time_word || is_cast_to_time(query, lexer.offset),
                       arena, &out, count);
        else if (is_constant)
            add_number(mask, column, text, arena, &out);
        else if (token.kind == SQL_TOKEN_COMMENT)
            rh_buf_add_char(&out, ' '); /* trace ids, user names */
        else
            rh_buf_add_text(&out, text);
        if (rh_sql_token_is_significant(&token))
            after_time_word = is_time_word(query, &token);
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

/* An array of numbers, times or UUIDs (array_send: dimensions, flags, the type of an element; the
   types by their numbers in pg_type.dat). */
static bool is_array_of_numbers(struct text value)
{
    static const uint32_t types[] = {16,   20,   21,   23,   26,   700,  701, 790,
                                     1082, 1083, 1114, 1184, 1186, 1700, 2950};

    if (value.len < 12 || rh_load_be32(value.data) > 6 || rh_load_be32(value.data + 4) > 1)
        return false;
    for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++)
        if (rh_load_be32(value.data + 8) == types[i])
            return true;
    return false;
}

/*
 * Whether a binary value that is no text has text in it: a document, an array, a row, bytes. What
 * is as long as numbers, times and UUIDs are is one of these, unless it begins as a jsonb or a row
 * does.
 */
static bool holds_text(struct text value)
{
    bool is_fixed = value.len <= 2 || value.len == 4 || value.len == 8 || value.len == 12 ||
                    value.len == 16;
    bool is_jsonb = value.len > 2 && value.data[0] == 1 &&
                    is_printable((struct text){value.data + 1, value.len - 1});
    bool is_row = value.len > 8 && memcmp(value.data, "\0\0\0", 3) == 0;

    if (is_fixed && !is_jsonb && !is_row)
        return false;
    return has_letters(value) && !is_array_of_numbers(value);
}

/* False: NULL. */
static bool mask_parameter(struct value_mask *mask, const char *column, bool is_binary,
                           struct text value, struct arena *arena, struct text *ret_masked,
                           int64_t *count)
{
    const struct column_answer *answer = ask(mask, column);
    int64_t number;

    *ret_masked = value;
    switch (answer->verdict) {
    case COLUMN_KEPT:
        return true;
    case COLUMN_MASKED:
        if (is_binary) /* what nobody can mask becomes NULL too */
            return rh_mask_binary_value(answer->map, answer->column, value, arena, ret_masked) ==
                   BINARY_VALUE_MASKED;
        *ret_masked = apply(answer->map, value, arena);
        return ret_masked->data != NULL;
    case COLUMN_UNKNOWN:
        break;
    }
    /* Nothing can be put in the place of what lies within. */
    if (is_binary && !is_printable(value) && holds_text(value)) {
        ++*count;
        return false;
    }
    /* Numbers stay: LIMIT, OFFSET, what is counted. */
    if (is_binary ? !is_printable(value) : rh_text_parse_int64(value, &number))
        return true;
    *ret_masked = by_default(mask, value, arena, count);
    return true;
}

bool rh_value_mask_text(struct value_mask *mask, const char *column, struct text value,
                        struct arena *arena, struct text *ret_masked)
{
    int64_t ignored = 0;

    return mask_parameter(mask, column, false, value, arena, ret_masked, &ignored);
}

static void add_u32(struct buf *out, uint32_t value)
{
    const char bytes[] = {(char)(value >> 24), (char)(value >> 16), (char)(value >> 8),
                          (char)value};

    rh_buf_add(out, bytes, sizeof(bytes));
}

struct text rh_value_mask_bind(struct value_mask *mask, const struct known_query *known,
                               struct text body, struct arena *arena, int64_t *count)
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
        const char *column = known && i < known->parameter_count ? known->parameters[i] : NULL;
        struct text value, masked;

        if (length == UINT32_MAX) {
            add_u32(&out, length);
            continue;
        }
        value = rh_pg_read_bytes(&reader, length);
        if (reader.failed)
            break;
        if (mask_parameter(mask, column, is_binary, value, arena, &masked, count)) {
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
    enum err_code code;

    if (!mask)
        RH_PANIC("out of memory (%zu bytes)", sizeof(*mask));
    mask->catalog = catalog;
    mask->arena = rh_arena_new();
    code = rh_column_maps_new(catalog, masking, key, &mask->maps, err);
    if (!code)
        code = rh_mask_map_new(&options, mask->arena, &mask->by_default, err);
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
    rh_column_maps_free(mask->maps);
    rh_arena_free(mask->arena);
    for (size_t i = 0; i < mask->answer_size; i++)
        free(mask->answers[i].name);
    free(mask->answers);
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
