#include "workload/query_cache.h"

#include "base/quote.h"
#include "sql/copy_from.h"
#include "sql/lexer.h"
#include "sql/pattern.h"
#include "sql/shape.h"
#include "sql/split.h"

#include <stdlib.h>

#define TABLE_SIZE ((size_t)4 * QUERY_CACHE_MAX)
/* Longer texts are not looked up statement by statement. */
#define STATEMENTS_MAX 1000

struct entry {
    struct sql_shape shape;
    struct known_query *query; /* NULL: free */
};

struct number {
    uint64_t fingerprint;
    unsigned flags;
    uint32_t number; /* 0: free */
};

struct query_cache {
    struct query_cache_options options;
    struct entry *entries;
    size_t entry_count;
    struct number *numbers; /* by fingerprint; a power of two, at most half full */
    size_t number_size, number_count;
    struct arena *scratch;
    struct buf shape;
};

/* --- held queries ----------------------------------------------------------------------------- */

struct known_query *rh_known_query_hold(struct known_query *query)
{
    if (query)
        query->holders++;
    return query;
}

static void free_values(struct known_value *values, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(values[i].column);
    free(values);
}

void rh_known_query_drop(struct known_query *query)
{
    if (!query || --query->holders > 0)
        return;
    rh_known_query_drop(query->prepared);
    free_values(query->parameters, query->parameter_count);
    free_values(query->constants, query->constant_count);
    free(query->statements);
    free(query->executes);
    free(query->prepares);
    free(query->copies);
    if (query->call) {
        free(query->call->schema);
        free(query->call->name);
        free(query->call->column);
    }
    free(query->call);
    free(query);
}

static void *allocate(size_t count, size_t size)
{
    void *memory = calloc(count ? count : 1, size);

    if (!memory)
        RH_PANIC("out of memory (%zu bytes)", count * size);
    return memory;
}

static char *duplicate(const char *s)
{
    char *copy = s ? strdup(s) : NULL;

    if (s && !copy)
        RH_PANIC("out of memory (%zu bytes)", strlen(s));
    return copy;
}

/* --- pattern numbers -------------------------------------------------------------------------- */

static struct number *slot_of(const struct query_cache *cache, uint64_t fingerprint, unsigned flags)
{
    size_t at = (fingerprint ^ flags) & (cache->number_size - 1);

    while (cache->numbers[at].number &&
           (cache->numbers[at].fingerprint != fingerprint || cache->numbers[at].flags != flags))
        at = (at + 1) & (cache->number_size - 1);
    return &cache->numbers[at];
}

static void grow(struct query_cache *cache)
{
    struct number *old = cache->numbers;
    size_t old_size = cache->number_size;

    cache->number_size = old_size ? 2 * old_size : 256;
    cache->numbers = allocate(cache->number_size, sizeof(*cache->numbers));
    for (size_t i = 0; i < old_size; i++)
        if (old[i].number)
            *slot_of(cache, old[i].fingerprint, old[i].flags) = old[i];
    free(old);
}

/* Two texts of one fingerprint may differ in whether the parser knew them: they are two patterns.
 */
static enum err_code number_of(struct query_cache *cache, struct workload_pattern *pattern,
                               uint32_t *ret_number, struct err *err)
{
    if (2 * (cache->number_count + 1) > cache->number_size)
        grow(cache);

    struct number *slot = slot_of(cache, pattern->fingerprint, pattern->flags);

    if (slot->number || cache->number_count >= QUERY_PATTERNS_MAX) {
        *ret_number = slot->number;
        return RH_OK;
    }
    pattern->number = (uint32_t)cache->number_count + 1;

    enum err_code code = cache->options.on_pattern(cache->options.context, pattern, err);

    if (code)
        return code;
    *slot = (struct number){pattern->fingerprint, pattern->flags, pattern->number};
    cache->number_count++;
    *ret_number = pattern->number;
    return RH_OK;
}

/* --- looking at a text ------------------------------------------------------------------------ */

/* "PREPARE name [(types)] AS statement": the statement, and the name. */
static struct text statement_prepared(struct text query, struct arena *arena, const char **ret_name)
{
    struct sql_lexer lexer = rh_sql_lexer(query);
    struct sql_token token;
    unsigned words = 0;
    size_t depth = 0;

    while (rh_sql_lexer_next(&lexer, &token)) {
        if (!rh_sql_token_is_significant(&token))
            continue;
        if (words == 0 && !rh_sql_token_is_word(query, &token, "prepare"))
            break;
        if (words == 1) {
            *ret_name = rh_quote_read_name(arena,
                                           (struct text){query.data + token.offset, token.len});
            if (rh_sql_token_is_word(query, &token, "transaction"))
                break;
        }
        words++;
        depth += token.kind == SQL_TOKEN_OPEN;
        depth -= token.kind == SQL_TOKEN_CLOSE && depth > 0;
        if (words > 2 && depth == 0 && rh_sql_token_is_word(query, &token, "as"))
            return (struct text){query.data + lexer.offset, query.len - lexer.offset};
    }
    return (struct text){0};
}

static enum err_code look_at_statements(struct query_cache *cache, struct text query,
                                        struct known_query *known, struct err *err)
{
    struct sql_script script;

    rh_sql_split_by_scanner(query, cache->scratch, &script);
    if (script.statements.count < 2 || script.statements.count > STATEMENTS_MAX)
        return RH_OK;
    known->statements = allocate(script.statements.count, sizeof(*known->statements));
    known->statement_count = script.statements.count;
    for (size_t i = 0; i < script.statements.count; i++) {
        struct workload_pattern pattern = {0};
        const char *executes = NULL;

        rh_sql_pattern(cache->scratch, script.statements.items[i].text, &pattern, &executes);

        enum err_code code = number_of(cache, &pattern, &known->statements[i], err);

        if (code)
            return code;
        known->flags |= pattern.flags & (PATTERN_HAS_SECRET | PATTERN_WRITES);
    }
    return RH_OK;
}

static struct known_value known_value(const struct sql_value *value)
{
    return (struct known_value){duplicate(value->column), value->kind, value->form};
}

static void look_at_values(struct query_cache *cache, struct text query, struct known_query *known)
{
    sql_constants constants = {0};
    struct sql_value *parameters = NULL;
    struct sql_copy_from copy;
    size_t count = 0;

    if (rh_sql_copy_from(query, cache->scratch, &copy))
        known->copies = duplicate(rh_text_dup(cache->scratch, query));
    rh_sql_parameters(cache->scratch, query, &parameters, &count);
    known->parameters = allocate(count, sizeof(*known->parameters));
    known->parameter_count = count;
    for (size_t i = 0; i < count; i++)
        known->parameters[i] = known_value(&parameters[i]);
    known->has_constants = rh_sql_constants(cache->scratch, query, &constants) &&
                           constants.count == rh_sql_constant_count(query);
    if (!known->has_constants)
        return;
    known->constants = allocate(constants.count, sizeof(*known->constants));
    known->constant_count = constants.count;
    for (size_t i = 0; i < constants.count; i++)
        known->constants[i] = known_value(&constants.items[i].value);
}

static void look_at_sequence(struct query_cache *cache, struct text query,
                             struct known_query *known)
{
    struct sql_sequence_call call;

    if (!rh_sql_sequence_call(query, cache->scratch, &call))
        return;
    known->call = allocate(1, sizeof(*known->call));
    known->call->schema = duplicate(call.schema);
    known->call->name = duplicate(call.table ? call.table : call.sequence);
    known->call->column = duplicate(call.column);
}

/* What PREPARE prepares is looked at as well; the server prepares no PREPARE, and a client could
   write as many of them in a row as would fill the stack. */
static enum err_code look(struct query_cache *cache, struct text query, bool is_prepared,
                          struct known_query **ret_query, struct err *err)
{
    struct known_query *known = allocate(1, sizeof(*known));
    struct workload_pattern pattern = {0};
    const char *executes = NULL, *prepares = NULL;
    struct text prepared;
    enum err_code code;

    known->holders = 1;
    rh_sql_pattern(cache->scratch, query, &pattern, &executes);
    known->flags = pattern.flags;
    known->executes = duplicate(executes);
    code = number_of(cache, &pattern, &known->pattern, err);
    if (!code && memchr(query.data, ';', query.len))
        code = look_at_statements(cache, query, known, err);
    prepared = is_prepared ? (struct text){0}
                           : statement_prepared(query, cache->scratch, &prepares);
    if (!code && prepared.len > 0) {
        known->prepares = duplicate(prepares);
        code = look(cache, prepared, true, &known->prepared, err);
    }
    if (!code)
        look_at_sequence(cache, query, known);
    if (!code && cache->options.wants_columns)
        look_at_values(cache, query, known);
    if (code)
        rh_known_query_drop(known);
    else
        *ret_query = known;
    return code;
}

/* --- remembering ------------------------------------------------------------------------------ */

static struct entry *entry_of(const struct query_cache *cache, struct sql_shape shape)
{
    size_t at = shape.low & (TABLE_SIZE - 1);

    while (cache->entries[at].query && (cache->entries[at].shape.low != shape.low ||
                                        cache->entries[at].shape.high != shape.high))
        at = (at + 1) & (TABLE_SIZE - 1);
    return &cache->entries[at];
}

/* Those that are held stay, if they leave room for others. */
static void forget(struct query_cache *cache)
{
    struct entry *old = cache->entries;

    cache->entries = allocate(TABLE_SIZE, sizeof(*cache->entries));
    cache->entry_count = 0;
    for (size_t i = 0; i < TABLE_SIZE; i++) {
        if (old[i].query && old[i].query->holders > 1 && cache->entry_count < QUERY_CACHE_MAX / 2) {
            *entry_of(cache, old[i].shape) = old[i];
            cache->entry_count++;
        } else {
            rh_known_query_drop(old[i].query);
        }
    }
    free(old);
}

enum err_code rh_query_cache_find(struct query_cache *cache, struct text query,
                                  struct known_query **ret_query, struct err *err)
{
    struct sql_shape shape = rh_sql_shape(query, &cache->shape);
    struct entry *entry = entry_of(cache, shape);

    if (!entry->query) {
        struct known_query *known = NULL;
        enum err_code code = look(cache, query, false, &known, err);

        rh_arena_clear(cache->scratch);
        if (code)
            return code;
        if (cache->entry_count >= QUERY_CACHE_MAX)
            forget(cache);
        entry = entry_of(cache, shape);
        *entry = (struct entry){shape, known};
        cache->entry_count++;
    }
    *ret_query = rh_known_query_hold(entry->query);
    return RH_OK;
}

/* --- the whole -------------------------------------------------------------------------------- */

struct query_cache *rh_query_cache_new(const struct query_cache_options *options)
{
    struct query_cache *cache = allocate(1, sizeof(*cache));

    cache->options = *options;
    cache->entries = allocate(TABLE_SIZE, sizeof(*cache->entries));
    cache->scratch = rh_arena_new();
    rh_buf_init(&cache->shape, SQL_SHAPE_BYTES_MAX + 1);
    return cache;
}

void rh_query_cache_free(struct query_cache *cache)
{
    if (!cache)
        return;
    for (size_t i = 0; i < TABLE_SIZE; i++)
        rh_known_query_drop(cache->entries[i].query);
    free(cache->entries);
    free(cache->numbers);
    rh_arena_free(cache->scratch);
    rh_buf_deinit(&cache->shape);
    free(cache);
}
