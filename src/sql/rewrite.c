#include "sql/rewrite_int.h"

#include "base/quote.h"

#include <pg_query.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

/* Of a reason. */
#define WHY_BYTES_MAX 400
/* What a text may grow to: each of its bytes a name, the longest with every byte quoted. */
#define GROWTH_BYTES_MAX ((size_t)64 * 1024 * 1024)

void rh_rewrite_refuse(struct rewriting *rewriting, const char *fmt, ...)
{
    char why[WHY_BYTES_MAX];
    va_list args;
    if (rewriting->result->why != NULL)
        return;
    va_start(args, fmt);
    vsnprintf(why, sizeof(why), fmt, args);
    va_end(args);
    rewriting->result->why = rh_arena_strdup(rewriting->arena, why);
}

/* --- pieces ----------------------------------------------------------------------------------- */

static void cut(struct rewriting *rewriting)
{
    struct sql_pieces pieces = {.lexer = rh_sql_lexer(rewriting->query)};
    struct sql_piece piece;
    while (rh_sql_piece_next(&pieces, &piece))
        *RH_PUSH(rewriting->arena, &rewriting->pieces) = piece;
}

size_t rh_rewrite_piece_at(const struct rewriting *rewriting, size_t offset)
{
    size_t from = 0, to = rewriting->pieces.count;
    while (from < to) {
        size_t middle = (from + to) / 2;
        if (rewriting->pieces.items[middle].offset < offset)
            from = middle + 1;
        else
            to = middle;
    }
    return from < rewriting->pieces.count && rewriting->pieces.items[from].offset == offset
               ? from
               : PIECE_NONE;
}

size_t rh_rewrite_piece_of(const struct rewriting *rewriting, const json_t *node)
{
    const json_t *location = rh_tree_get(node, "location");
    if (location == NULL || json_integer_value(location) < 0)
        return PIECE_NONE;
    return rh_rewrite_piece_at(rewriting, (size_t)json_integer_value(location));
}

static struct text text_of_piece(const struct rewriting *rewriting, size_t piece)
{
    const struct sql_piece *it = &rewriting->pieces.items[piece];
    return (struct text){rewriting->query.data + it->offset, it->len};
}

bool rh_rewrite_is_char(const struct rewriting *rewriting, size_t piece, char c)
{
    return piece < rewriting->pieces.count &&
           rewriting->pieces.items[piece].kind == SQL_PIECE_OTHER &&
           rewriting->query.data[rewriting->pieces.items[piece].offset] == c;
}

bool rh_rewrite_is_word(const struct rewriting *rewriting, size_t piece, const char *word)
{
    if (piece >= rewriting->pieces.count || rewriting->pieces.items[piece].kind != SQL_PIECE_WORD ||
        rewriting->pieces.items[piece].is_quoted)
        return false;
    struct text text = text_of_piece(rewriting, piece);
    return text.len == strlen(word) && strncasecmp(text.data, word, text.len) == 0;
}

bool rh_rewrite_is_name(const struct rewriting *rewriting, size_t piece, const char *name)
{
    if (piece >= rewriting->pieces.count || rewriting->pieces.items[piece].kind != SQL_PIECE_WORD)
        return false;
    return strcmp(rh_quote_read_name(rewriting->arena, text_of_piece(rewriting, piece)), name) == 0;
}

/* --- lists ------------------------------------------------------------------------------------ */

/* A word that no expression has outside of parentheses, but where it is part of one. */
static bool ends_item(const struct rewriting *rewriting, size_t piece)
{
    static const char *const words[] = {
        "from",  "where", "group",  "having", "window", "union", "intersect", "except",
        "order", "limit", "offset", "fetch",  "for",    "into",  "on",        "returning"};
    if (rh_rewrite_is_char(rewriting, piece - 1, '.') ||
        rh_rewrite_is_word(rewriting, piece - 1, "as"))
        return false;
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (rh_rewrite_is_word(rewriting, piece, words[i]))
            return !(i == 0 && rh_rewrite_is_word(rewriting, piece - 1, "distinct")) &&
                   !(i == 2 && rh_rewrite_is_word(rewriting, piece - 1, "within"));
    }
    return false;
}

size_t rh_rewrite_item_end(const struct rewriting *rewriting, size_t first)
{
    size_t depth = 0;
    for (size_t i = first; i < rewriting->pieces.count; i++) {
        if (rh_rewrite_is_char(rewriting, i, '(') || rh_rewrite_is_char(rewriting, i, '[')) {
            depth++;
        } else if (rh_rewrite_is_char(rewriting, i, ')') || rh_rewrite_is_char(rewriting, i, ']')) {
            if (depth-- == 0)
                return i;
        } else if (depth == 0 && (rh_rewrite_is_char(rewriting, i, ',') ||
                                  rh_rewrite_is_char(rewriting, i, ';') ||
                                  (i > first && ends_item(rewriting, i)))) {
            return i;
        }
    }
    return rewriting->pieces.count;
}

static void add_edit(struct rewriting *rewriting, size_t from, size_t to, const char *text)
{
    *RH_PUSH(rewriting->arena, &rewriting->edits) = (struct rewrite_edit){from, to - from,
                                                                          rh_text(text)};
}

void rh_rewrite_put(struct rewriting *rewriting, size_t piece, const char *text)
{
    const struct sql_piece *it = &rewriting->pieces.items[piece];
    add_edit(rewriting, it->offset, it->offset + it->len, text);
}

void rh_rewrite_put_behind(struct rewriting *rewriting, size_t piece, const char *text)
{
    const struct sql_piece *it = &rewriting->pieces.items[piece];
    add_edit(rewriting, it->offset + it->len, it->offset + it->len, text);
}

static size_t start_of(const struct rewriting *rewriting, size_t piece)
{
    return rewriting->pieces.items[piece].offset;
}

static size_t end_of(const struct rewriting *rewriting, size_t piece)
{
    return rewriting->pieces.items[piece].offset + rewriting->pieces.items[piece].len;
}

void rh_rewrite_take_out(struct rewriting *rewriting, const size_t *firsts, const bool *gone,
                         size_t count)
{
    size_t last_kept = PIECE_NONE;
    for (size_t i = 0; i < count; i++) {
        if (!gone[i])
            last_kept = i;
        if (firsts[i] == PIECE_NONE ||
            (i + 1 < count && (firsts[i + 1] == PIECE_NONE ||
                               rh_rewrite_item_end(rewriting, firsts[i]) + 1 != firsts[i + 1]))) {
            rh_rewrite_refuse(rewriting, "the parts of a list could not be told apart");
            return;
        }
    }
    if (last_kept == PIECE_NONE) {
        rh_rewrite_refuse(rewriting, "nothing would be left of a list");
        return;
    }
    for (size_t i = 0; i < count; i++) {
        if (gone[i] && i < last_kept)
            add_edit(rewriting, start_of(rewriting, firsts[i]), start_of(rewriting, firsts[i + 1]),
                     "");
        else if (gone[i])
            add_edit(rewriting,
                     end_of(rewriting, rh_rewrite_item_end(rewriting, firsts[i - 1]) - 1),
                     end_of(rewriting, rh_rewrite_item_end(rewriting, firsts[i]) - 1), "");
    }
}

/* --- parameters ------------------------------------------------------------------------------- */

static int compare_edits(const void *a, const void *b)
{
    const struct rewrite_edit *left = a, *right = b;
    if (left->offset != right->offset)
        return left->offset < right->offset ? -1 : 1;
    return (left->length > right->length) - (left->length < right->length);
}

static bool is_same_edit(const struct rewrite_edit *a, const struct rewrite_edit *b)
{
    return a->offset == b->offset && a->length == b->length && rh_text_equals(a->text, b->text);
}

static bool follow_edits(struct rewriting *rewriting, struct buf *out)
{
    size_t at = 0;
    if (rewriting->edits.count > 1)
        qsort(rewriting->edits.items, rewriting->edits.count, sizeof(rewriting->edits.items[0]),
              compare_edits);
    for (size_t i = 0; i < rewriting->edits.count; i++) {
        const struct rewrite_edit *edit = &rewriting->edits.items[i];
        /* Some parts of a statement are named twice by the tree: SET (a, b) = ... */
        if (i > 0 && is_same_edit(edit - 1, edit))
            continue;
        if (edit->offset < at)
            return false;
        rh_buf_add(out, rewriting->query.data + at, edit->offset - at);
        rh_buf_add_text(out, edit->text);
        at = edit->offset + edit->length;
    }
    rh_buf_add(out, rewriting->query.data + at, rewriting->query.len - at);
    return !out->failed;
}

/* By number; [0] is none. */
static bool *parameters_in(struct arena *arena, struct text query, size_t count)
{
    struct sql_pieces pieces = {.lexer = rh_sql_lexer(query)};
    struct sql_piece piece;
    bool *is_used = rh_arena_alloc_array(arena, count + 1, sizeof(*is_used));
    while (rh_sql_piece_next(&pieces, &piece)) {
        if (piece.kind == SQL_PIECE_PARAMETER && piece.parameter <= count)
            is_used[piece.parameter] = true;
    }
    return is_used;
}

static struct text renumber(struct arena *arena, struct text query, const unsigned *numbers,
                            size_t count)
{
    struct sql_pieces pieces = {.lexer = rh_sql_lexer(query)};
    struct sql_piece piece;
    size_t at = 0;
    RH_CLEANUP_BUF struct buf out;
    rh_buf_init(&out, query.len + 1);
    while (rh_sql_piece_next(&pieces, &piece)) {
        if (piece.kind != SQL_PIECE_PARAMETER || piece.parameter == 0 || piece.parameter > count)
            continue;
        rh_buf_add(&out, query.data + at, piece.offset - at);
        rh_buf_printf(&out, "$%u", numbers[piece.parameter]);
        at = piece.offset + piece.len;
    }
    rh_buf_add(&out, query.data + at, query.len - at);
    return rh_text(rh_text_dup(arena, rh_buf_text(&out)));
}

/* Of `text`, which takes the query's place. A PREPARE that names their types may have more than it
   uses; EXECUTE gives them all. */
static void settle_parameters(struct rewriting *rewriting, struct text text)
{
    struct sql_rewrite *result = rewriting->result;
    struct arena *arena = rewriting->arena;
    size_t count = rh_sql_most_parameter(rewriting->query);
    const bool *before = parameters_in(arena, rewriting->query, count);
    const bool *after = parameters_in(arena, text, count);
    unsigned *numbers = rh_arena_alloc_array(arena, count + 1, sizeof(*numbers));
    for (unsigned number = 1, next = 1; number <= count; number++) {
        if (before[number] && !after[number])
            *RH_PUSH(arena, &result->dropped_parameters) = number;
        else
            numbers[number] = next++;
    }
    result->query = text;
    if (result->dropped_parameters.count == 0)
        return;
    if (!rewriting->has_prepare)
        result->query = renumber(arena, text, numbers, count);
    else if (!rewriting->names_types)
        rh_rewrite_refuse(rewriting,
                          "its PREPARE does not say of which type $%u is, which is no "
                          "longer used",
                          result->dropped_parameters.items[0]);
    if (rewriting->has_prepare)
        result->dropped_parameters.count = 0;
}

void rh_rewrite_finish(struct rewriting *rewriting)
{
    RH_CLEANUP_BUF struct buf out;
    rh_buf_init(&out, rewriting->query.len + GROWTH_BYTES_MAX);
    if (!follow_edits(rewriting, &out)) {
        rh_rewrite_refuse(rewriting, "two rules change the same part of it");
        return;
    }
    settle_parameters(rewriting, rh_text(rh_text_dup(rewriting->arena, rh_buf_text(&out))));
}

/* --- replacement ------------------------------------------------------------------------------ */

/* Constants of the query count on behind its parameters, as its pattern is shown. */
static void replace(struct rewriting *rewriting, const struct transform_rule *rule)
{
    struct arena *arena = rewriting->arena;
    struct text sql = rh_text(rule->sql);
    size_t parameters = rh_sql_most_parameter(rewriting->query), at = 0;
    VEC(struct text) constants = {0};
    struct sql_piece piece;
    for (size_t i = 0; i < rewriting->pieces.count; i++) {
        if (rewriting->pieces.items[i].kind == SQL_PIECE_CONSTANT)
            *RH_PUSH(arena, &constants) = text_of_piece(rewriting, i);
    }
    if (rule->most_parameter > parameters + constants.count) {
        rh_rewrite_refuse(rewriting, "its replacement asks for $%u, and it has %zu",
                          rule->most_parameter, parameters + constants.count);
        return;
    }
    RH_CLEANUP_BUF struct buf out;
    rh_buf_init(&out, rewriting->query.len + sql.len + GROWTH_BYTES_MAX);
    struct sql_pieces pieces = {.lexer = rh_sql_lexer(sql)};
    while (rh_sql_piece_next(&pieces, &piece)) {
        if (piece.kind != SQL_PIECE_PARAMETER || piece.parameter <= parameters)
            continue;
        rh_buf_add(&out, sql.data + at, piece.offset - at);
        rh_buf_add_text(&out, constants.items[piece.parameter - parameters - 1]);
        at = piece.offset + piece.len;
    }
    rh_buf_add(&out, sql.data + at, sql.len - at);
    if (out.failed)
        rh_rewrite_refuse(rewriting, "its replacement is too long");
    else
        settle_parameters(rewriting, rh_text(rh_text_dup(arena, rh_buf_text(&out))));
}

static size_t replacement_for(const struct transform *transform, struct text query,
                              const uint64_t *fingerprint, struct arena *arena)
{
    struct workload_pattern pattern;
    const char *executes;
    for (size_t i = 0; i < transform->rules.count; i++) {
        const struct transform_rule *rule = &transform->rules.items[i];
        if (rule->kind != TRANSFORM_REPLACE)
            continue;
        if (fingerprint == NULL) {
            rh_sql_pattern(arena, query, &pattern, &executes);
            fingerprint = &pattern.fingerprint;
        }
        if (rule->fingerprint == *fingerprint)
            return i;
    }
    return TRANSFORM_NONE;
}

/* --- the whole -------------------------------------------------------------------------------- */

static bool any_matched(const struct rewriting *rewriting)
{
    for (size_t i = 0; i < rewriting->transform->rules.count; i++) {
        if (rewriting->result->matched[i])
            return true;
    }
    return false;
}

static bool rewrite_tree(struct rewriting *rewriting)
{
    const char *text = rh_sql_parseable(rewriting->arena, rewriting->query);
    json_t *tree = NULL;
    if (text == NULL)
        return false;
    PgQueryParseResult parsed = pg_query_parse(text);
    if (parsed.error == NULL && parsed.parse_tree != NULL)
        tree = json_loads(parsed.parse_tree, 0, NULL);
    pg_query_free_parse_result(parsed);
    if (tree == NULL)
        return false;
    rh_rewrite_tree(rewriting, tree);
    if (rewriting->result->why == NULL && rewriting->edits.count > 0)
        rh_rewrite_finish(rewriting);
    json_decref(tree);
    return true;
}

void rh_sql_rewrite(const struct transform *transform, struct text query,
                    const uint64_t *fingerprint, struct arena *arena,
                    struct sql_rewrite *ret_rewrite)
{
    struct sql_rewrite result = {
        .query = query,
        .matched = rh_arena_alloc_array(arena, transform->rules.count + 1, sizeof(bool)),
    };
    struct rewriting rewriting = {
        .arena = arena, .transform = transform, .query = query, .result = &result};
    size_t replacement = replacement_for(transform, query, fingerprint, arena);
    bool is_parsed = true;
    cut(&rewriting);
    if (replacement != TRANSFORM_NONE) {
        result.matched[replacement] = true;
        replace(&rewriting, &transform->rules.items[replacement]);
    } else {
        is_parsed = rewrite_tree(&rewriting);
    }
    result.outcome = !is_parsed                ? REWRITE_NOT_PARSED
                     : result.why != NULL      ? REWRITE_REFUSED
                     : any_matched(&rewriting) ? REWRITE_DONE
                                               : REWRITE_NOTHING;
    if (result.outcome != REWRITE_DONE) {
        result.query = query;
        result.dropped_parameters.count = result.dropped_results.count = 0;
    }
    *ret_rewrite = result;
}
