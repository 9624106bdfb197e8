#include "sql/pattern_int.h"

#include "sql/calls.h"
#include "sql/facts.h"

#include <pg_query.h>
#include <stdlib.h>
#include <strings.h>
#include <xxhash.h>

/* --- the text --------------------------------------------------------------------------------- */

unsigned rh_sql_most_parameter(struct text query)
{
    struct sql_pieces pieces = {.lexer = rh_sql_lexer(query)};
    struct sql_piece piece;
    unsigned most = 0;
    while (rh_sql_piece_next(&pieces, &piece)) {
        if (piece.kind == SQL_PIECE_PARAMETER && piece.parameter > most)
            most = piece.parameter;
    }
    return most;
}

/* One line, blanks as one, comments out, each constant as the next parameter. */
static char *normalise(struct arena *arena, struct text query)
{
    struct sql_pieces pieces = {.lexer = rh_sql_lexer(query)};
    struct sql_piece piece;
    unsigned long long parameter = rh_sql_most_parameter(query);
    RH_CLEANUP_BUF struct buf out;
    /* A constant of one digit may become a dollar and its number. */
    rh_buf_init(&out, query.len * 12 + 64);
    while (rh_sql_piece_next(&pieces, &piece)) {
        if (piece.is_apart && out.len > 0)
            rh_buf_add_char(&out, ' ');
        if (piece.kind == SQL_PIECE_CONSTANT)
            rh_buf_printf(&out, "$%llu", ++parameter);
        else
            rh_buf_add(&out, query.data + piece.offset, piece.len);
    }
    while (out.len > 0 && (out.data[out.len - 1] == ';' || out.data[out.len - 1] == ' '))
        out.len--;
    RH_ASSERT(!out.failed);
    return rh_text_dup(arena, rh_buf_text(&out));
}

/* --- the key ---------------------------------------------------------------------------------- */

/* Bytes that no text has stand for what is not written out. */
#define KEY_CONSTANT '\1'
#define KEY_APART '\2'

/* Strings that mean another time at every execution; they change what the pattern is. */
static bool stands_for_a_time(struct text string)
{
    static const char *const times[] = {"'now'", "'today'", "'tomorrow'", "'yesterday'"};
    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        if (string.len == strlen(times[i]) && strncasecmp(string.data, times[i], string.len) == 0)
            return true;
    }
    return false;
}

struct key_maker {
    struct buf out;
    bool after_other;
    bool after_in, in_list; /* IN (1, 2, 3) is IN (1) */
    size_t list_depth;
    bool in_values; /* VALUES (..), (..): rows alike are one */
    size_t depth, values_depth;
    size_t row_start;           /* of the row under way */
    size_t last_row, last_size; /* the row before it */
};

static void end_row(struct key_maker *key)
{
    size_t size = key->out.len - key->row_start;
    if (key->last_size == size && key->row_start == key->last_row + size + 1 &&
        memcmp(key->out.data + key->row_start, key->out.data + key->last_row, size) == 0) {
        key->out.len = key->row_start - 1; /* with its comma */
    } else {
        key->last_row = key->row_start;
        key->last_size = size;
    }
}

static void add_constant(struct key_maker *key)
{
    size_t len = key->out.len;
    if (key->in_list && len >= 2 && key->out.data[len - 1] == ',' &&
        key->out.data[len - 2] == KEY_CONSTANT)
        key->out.len--;
    else
        rh_buf_add_char(&key->out, KEY_CONSTANT);
}

static void add_other(struct key_maker *key, struct text piece, bool is_apart)
{
    char c = piece.data[0];
    /* "<=" is not "< =". */
    if (is_apart && key->after_other)
        rh_buf_add_char(&key->out, KEY_APART);
    if (c == '(') {
        key->depth++;
        if (key->after_in) {
            key->in_list = true;
            key->list_depth = key->depth;
        }
        if (key->in_values && key->depth == key->values_depth + 1)
            key->row_start = key->out.len;
    }
    rh_buf_add_text(&key->out, piece);
    if (c == ')') {
        if (key->in_list && key->depth == key->list_depth)
            key->in_list = false;
        if (key->in_values && key->depth == key->values_depth + 1)
            end_row(key);
        if (key->in_values && key->depth <= key->values_depth)
            key->in_values = false;
        key->depth -= key->depth > 0;
    }
}

static void add_word(struct key_maker *key, struct text word, bool is_quoted)
{
    rh_buf_add_char(&key->out, KEY_APART);
    size_t start = key->out.len;
    rh_buf_add_text(&key->out, word);
    for (size_t i = start; i < key->out.len && !is_quoted; i++) {
        if (key->out.data[i] >= 'A' && key->out.data[i] <= 'Z')
            key->out.data[i] = (char)(key->out.data[i] | 0x20);
    }
    key->after_in = !is_quoted && rh_text_is((struct text){key->out.data + start, word.len}, "in");
    if (!is_quoted && rh_text_is((struct text){key->out.data + start, word.len}, "values")) {
        key->in_values = true;
        key->values_depth = key->depth;
        key->last_size = 0;
    } else if (key->in_values && key->depth == key->values_depth) {
        key->in_values = false;
    }
}

static void make_key(struct text query, struct buf *out)
{
    struct sql_pieces pieces = {.lexer = rh_sql_lexer(query)};
    struct sql_piece piece;
    struct key_maker key = {.out = *out};
    while (rh_sql_piece_next(&pieces, &piece)) {
        struct text text = {query.data + piece.offset, piece.len};
        if (piece.kind == SQL_PIECE_WORD) {
            add_word(&key, text, piece.is_quoted);
            key.after_other = false;
            continue;
        }
        if (piece.kind == SQL_PIECE_CONSTANT && !stands_for_a_time(text))
            add_constant(&key);
        else
            add_other(&key, text, piece.is_apart);
        key.after_in = false;
        key.after_other = piece.kind == SQL_PIECE_OTHER && strchr("(),;", text.data[0]) == NULL;
    }
    *out = key.out;
    RH_ASSERT(!out->failed);
}

struct sql_pattern_key rh_sql_pattern_key(struct text query)
{
    RH_CLEANUP_BUF struct buf key;
    rh_buf_init(&key, query.len * 3 + 64);
    make_key(query, &key);
    XXH128_hash_t hash = XXH3_128bits(key.data, key.len);
    return (struct sql_pattern_key){hash.low64, hash.high64};
}

/* --- the pattern ------------------------------------------------------------------------------ */

/* Comments: their nesting takes the server's scanner a time that grows with its square. */
const char *rh_sql_parseable(struct arena *arena, struct text query)
{
    if (query.len > PATTERN_PARSE_BYTES_MAX || memchr(query.data, '\0', query.len) != NULL ||
        rh_sql_depth_bound(query) > SQL_DEPTH_MAX)
        return NULL;
    char *copy = rh_text_dup(arena, query);
    struct sql_lexer lexer = rh_sql_lexer(query);
    struct sql_token token;
    while (rh_sql_lexer_next(&lexer, &token)) {
        if (token.kind == SQL_TOKEN_COMMENT)
            memset(copy + token.offset, ' ', token.len);
    }
    return copy;
}

static bool fingerprint_of_tree(const char *query, uint64_t *ret_fingerprint)
{
    PgQueryFingerprintResult result = pg_query_fingerprint(query);
    bool is_ok = result.error == NULL;
    if (is_ok)
        *ret_fingerprint = result.fingerprint;
    pg_query_free_fingerprint_result(result);
    return is_ok;
}

/* What the parser does not know is taken to write, unless its words say otherwise. */
static unsigned flags_of_words(struct arena *arena, struct text query)
{
    static const char *const reads[] = {"SELECT", "SHOW", "EXPLAIN", "FETCH", "EXECUTE"};
    static const char *const controls[] = {
        "BEGIN",    "COMMIT", "ROLLBACK", "START TRANSACTION", "SAVEPOINT", "RELEASE",
        "SET",      "RESET",  "PREPARE",  "DEALLOCATE",        "DISCARD",   "LISTEN",
        "UNLISTEN", "NOTIFY", "SHOW"};
    struct sql_facts facts;
    rh_sql_facts_of_words(query, arena, &facts);
    for (size_t i = 0; i < sizeof(controls) / sizeof(controls[0]); i++) {
        if (strcmp(facts.tag, controls[i]) == 0)
            return PATTERN_CONTROLS;
    }
    for (size_t i = 0; i < sizeof(reads) / sizeof(reads[0]); i++) {
        if (strcmp(facts.tag, reads[i]) == 0)
            return 0;
    }
    return facts.tag[0] == '\0' ? 0 : PATTERN_WRITES;
}

void rh_sql_pattern(struct arena *arena, struct text query, struct workload_pattern *ret_pattern,
                    const char **ret_executes)
{
    struct workload_pattern pattern = {.query = normalise(arena, query)};
    struct sql_tree_facts facts = {.pattern = &pattern};
    const char *text = rh_sql_parseable(arena, query);
    bool has_tree = text != NULL && fingerprint_of_tree(text, &pattern.fingerprint);
    if (has_tree && rh_sql_tree_facts(arena, text, &facts))
        pattern.flags |= PATTERN_IS_PARSED;
    else
        pattern.flags |= flags_of_words(arena, query);
    if (!has_tree)
        pattern.fingerprint = rh_sql_pattern_key(query).low;
    /* libpg_query leaves out whose statement it executes. */
    if (facts.executes != NULL)
        pattern.fingerprint ^= XXH3_64bits(facts.executes, strlen(facts.executes));
    if (query.len <= PATTERN_PARSE_BYTES_MAX && rh_sql_changing_word(query, arena) != NULL)
        pattern.flags |= PATTERN_IS_VOLATILE;
    if (rh_sql_has_secret(query))
        pattern.flags |= PATTERN_HAS_SECRET;
    *ret_pattern = pattern;
    *ret_executes = facts.executes;
}

bool rh_sql_constants(struct arena *arena, struct text query, sql_constants *ret_constants)
{
    struct sql_pieces pieces = {.lexer = rh_sql_lexer(query)};
    struct sql_piece piece;
    sql_constants constants = {0};
    while (rh_sql_piece_next(&pieces, &piece)) {
        if (piece.kind == SQL_PIECE_CONSTANT)
            *RH_PUSH(arena, &constants) = (struct sql_constant){.offset = piece.offset,
                                                                .length = piece.len};
    }
    struct workload_pattern unused = {0};
    struct sql_tree_facts facts = {.pattern = &unused, .constants = &constants};
    const char *text = rh_sql_parseable(arena, query);
    bool is_parsed = text != NULL && rh_sql_tree_facts(arena, text, &facts);
    *ret_constants = constants;
    return is_parsed;
}

void rh_sql_parameters(struct arena *arena, struct text query, struct sql_value **ret_values,
                       size_t *ret_count)
{
    size_t count = rh_sql_most_parameter(query);
    struct sql_value *values = rh_arena_alloc_array(arena, count + 1, sizeof(*values));
    struct workload_pattern unused = {0};
    struct sql_tree_facts facts = {
        .pattern = &unused, .parameters = values, .parameter_count = count};
    const char *text = rh_sql_parseable(arena, query);
    if (text != NULL)
        (void)rh_sql_tree_facts(arena, text, &facts);
    *ret_values = values;
    *ret_count = count;
}
