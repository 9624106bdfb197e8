#include "sql/query_file.h"

#include "base/clock.h"
#include "sql/directive.h"
#include "sql/lexer.h"
#include "sql/pattern.h"

#include <stdlib.h>
#include <strings.h>

/* Of a query without a name, shown instead. */
#define NAME_COLUMNS 60
/* MaxTupleAttributeNumber is less; the protocol counts with 16 bits. */
#define VALUES_MAX 1600
/* More calls a second than any server answers. */
#define FREQUENCY_MAX 1e7

/* What the comments before one statement said: `query` holds it. */
struct said {
    struct new_query query;
    bool has_frequency, has_limit, has_repeat;
};

struct parsing {
    const char *path;
    struct text text;
    struct arena *arena;
    VEC(struct new_query) queries;
    struct said said; /* before the next statement */
    struct err *err;
};

static enum err_code fail(struct parsing *parsing, size_t offset, const char *what,
                          const char *hint)
{
    return rh_sql_directive_fail(parsing->path, parsing->text, offset, what, hint, parsing->err);
}

/* --- values ----------------------------------------------------------------------------------- */

/* 'it''s' -> it's. */
static const char *unquote(struct arena *arena, struct text string)
{
    char *value = rh_text_dup(arena, (struct text){string.data + 1, string.len - 2});
    size_t to = 0;
    for (size_t i = 0; value[i]; i++) {
        value[to++] = value[i];
        i += value[i] == '\'';
    }
    value[to] = '\0';
    return value;
}

static bool is_sign(struct text token)
{
    return rh_text_is(token, "-") || rh_text_is(token, "+");
}

/* One value up to a comma or the end. False: it is none. */
static bool take_value(struct parsing *parsing, struct sql_lexer *lexer, const char **ret_value,
                       bool *ret_is_last)
{
    struct arena *arena = parsing->arena;
    struct sql_token token;
    const char *value = NULL, *sign = "";
    bool has_value = false;

    *ret_is_last = true;
    while (rh_sql_lexer_next(lexer, &token)) {
        struct text text = {lexer->text.data + token.offset, token.len};
        if (!rh_sql_token_is_significant(&token))
            continue;
        if (rh_text_is(text, ",")) {
            *ret_is_last = false;
            break;
        }
        if (has_value || token.is_unterminated)
            return false;
        if (is_sign(text) && !sign[0]) {
            sign = text.data[0] == '-' ? "-" : "+";
            continue;
        }
        if (token.kind == SQL_TOKEN_NUMBER)
            value = rh_arena_printf(arena, "%s%.*s", sign[0] == '-' ? sign : "", (int)text.len,
                                    text.data);
        else if (token.kind == SQL_TOKEN_STRING && !sign[0] && text.data[0] == '\'')
            value = unquote(arena, text);
        else if (rh_sql_token_is_word(lexer->text, &token, "true") ||
                 rh_sql_token_is_word(lexer->text, &token, "false"))
            value = rh_text_dup(arena, text);
        else if (!rh_sql_token_is_word(lexer->text, &token, "null"))
            return false;
        has_value = true;
    }
    *ret_value = value;
    return has_value;
}

static bool is_query(struct text value)
{
    static const char *const words[] = {"select", "with", "values", "table"};
    struct sql_lexer lexer = rh_sql_lexer(value);
    struct sql_token token;
    if (!rh_sql_lexer_next(&lexer, &token))
        return false;
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (rh_sql_token_is_word(value, &token, words[i]))
            return true;
    return false;
}

static enum err_code take_parameters(struct parsing *parsing, size_t offset, struct text value,
                                     struct new_query *query)
{
    struct query_values values = {0};
    struct sql_lexer lexer = rh_sql_lexer(value);
    bool is_last = false;

    if (query->parameters_sql || (is_query(value) && query->parameters.count > 0))
        return fail(parsing, offset, "a query for the parameters, and other parameters",
                    "Write one query whose rows are the values, or the values of each execution.");
    if (is_query(value)) {
        if (rh_text_ends_with(value, ";"))
            value.len--;
        query->parameters_sql = rh_text_dup(parsing->arena, value);
        return RH_OK;
    }
    if (query->parameters.count == NEW_QUERY_PARAMETERS_MAX)
        return fail(parsing, offset, "too many sets of parameters for one query",
                    rh_arena_printf(parsing->arena, "There may be %d.", NEW_QUERY_PARAMETERS_MAX));
    while (!is_last) {
        const char *one;
        if (values.values.count == VALUES_MAX || !take_value(parsing, &lexer, &one, &is_last))
            return fail(parsing, offset, "parameters that are not understood",
                        "Write values with commas between: 42, 'text', true, NULL; or a query "
                        "whose rows are the values.");
        *RH_PUSH(parsing->arena, &values.values) = one;
    }
    *RH_PUSH(parsing->arena, &query->parameters) = values;
    return RH_OK;
}

/* "20/s", "5 / min" */
static bool parse_frequency(struct arena *arena, struct text value, double *ret_per_s)
{
    static const struct {
        const char *name;
        double seconds;
    } units[] = {{"s", 1}, {"min", 60}, {"h", 3600}, {"d", 86400}};
    const char *text = rh_text_dup(arena, value), *slash = strchr(text, '/');
    char *end;
    double number = strtod(text, &end);
    if (!slash || end == text || !(number >= 0 && number <= FREQUENCY_MAX) ||
        strspn(text, "0123456789. ") < (size_t)(slash - text))
        return false;
    struct text before = rh_text_trim((struct text){end, (size_t)(slash - end)});
    for (size_t i = 0; before.len == 0 && i < sizeof(units) / sizeof(units[0]); i++)
        if (rh_text_is(rh_text_trim(rh_text(slash + 1)), units[i].name)) {
            *ret_per_s = number / units[i].seconds;
            return true;
        }
    return false;
}

/* --- comments --------------------------------------------------------------------------------- */

static enum err_code take_name(struct parsing *parsing, size_t offset, struct text value,
                               struct said *said)
{
    if (said->query.name)
        return fail(parsing, offset, "a second name for the same query",
                    "Each name stands before one statement.");
    if (value.len == 0)
        return fail(parsing, offset, "a query without a name behind \"name:\"",
                    "Name it, or leave the comment out.");
    said->query.name = rh_text_dup(parsing->arena, value);
    for (size_t i = 0; i < parsing->queries.count; i++)
        if (strcmp(parsing->queries.items[i].name, said->query.name) == 0)
            return fail(
                parsing, offset,
                rh_arena_printf(parsing->arena, "query \"%s\" is there twice", said->query.name),
                "Give each query a name of its own.");
    return RH_OK;
}

static enum err_code take_numbers(struct parsing *parsing, size_t offset, struct text key,
                                  struct text value, struct said *said)
{
    struct new_query *query = &said->query;
    if (rh_sql_directive_is(key, "frequency")) {
        if (said->has_frequency || !parse_frequency(parsing->arena, value, &query->calls_per_s))
            return fail(parsing, offset, "a frequency that is not understood, or a second one",
                        "Write a number and a unit: 20/s, 5/min, 100/h, 3/d.");
        said->has_frequency = true;
    } else if (rh_sql_directive_is(key, "repeat")) {
        if (said->has_repeat || !rh_text_parse_int64(value, &query->repeat) || query->repeat < 1 ||
            query->repeat > NEW_QUERY_REPEAT_MAX)
            return fail(parsing, offset, "a repeat count that is not understood, or a second one",
                        rh_arena_printf(parsing->arena, "Write a number from 1 to %d.",
                                        NEW_QUERY_REPEAT_MAX));
        said->has_repeat = true;
    } else {
        if (said->has_limit ||
            !rh_duration_parse(rh_text_dup(parsing->arena, value), &query->limit_us) ||
            query->limit_us <= 0)
            return fail(parsing, offset, "a limit that is not understood, or a second one",
                        "Write a duration with its unit, for the p95: 50ms, 2s.");
        said->has_limit = true;
    }
    return RH_OK;
}

/* Keys that are meant, though they are written otherwise. */
static bool is_near_miss(struct text key)
{
    static const char *const beginnings[] = {"param", "freq", "repeat", "limit", "expect"};
    for (size_t i = 0; i < sizeof(beginnings) / sizeof(beginnings[0]); i++) {
        size_t len = strlen(beginnings[i]);
        if (key.len >= len && strncasecmp(key.data, beginnings[i], len) == 0 &&
            !memchr(key.data, ' ', key.len))
            return true;
    }
    return false;
}

static const char *const keys[] = {"name",  "parameters", "frequency", "repeat",
                                   "limit", "role",       NULL};

static enum err_code take_comment(void *context, size_t offset, struct text key, struct text value)
{
    struct parsing *parsing = context;
    struct said *said = &parsing->said;

    if (rh_sql_directive_is(key, "frequency") || rh_sql_directive_is(key, "repeat") ||
        rh_sql_directive_is(key, "limit"))
        return take_numbers(parsing, offset, key, value, said);
    if (rh_sql_directive_is(key, "name"))
        return take_name(parsing, offset, value, said);
    if (rh_sql_directive_is(key, "parameters"))
        return take_parameters(parsing, offset, value, &said->query);
    if (rh_sql_directive_is(key, "role")) {
        if (said->query.role || value.len == 0)
            return fail(parsing, offset, "a role without a name, or a second one",
                        "A query runs as one role, by its name.");
        said->query.role = rh_text_dup(parsing->arena, value);
    } else if (is_near_miss(key)) {
        return fail(
            parsing, offset,
            rh_arena_printf(parsing->arena, "unknown comment \"%.*s:\"", (int)key.len, key.data),
            "There are name, parameters, frequency, repeat, limit and role. What a "
            "query's result has to be is said in a file of --checks.");
    }
    return RH_OK;
}

/* --- statements ------------------------------------------------------------------------------- */

static enum err_code check_parameters(struct parsing *parsing, size_t offset,
                                      const struct new_query *query)
{
    if (query->placeholders > 0 && query->parameters.count == 0 && !query->parameters_sql)
        return fail(parsing, offset,
                    rh_arena_printf(parsing->arena, "$%zu has no value", query->placeholders),
                    "Write a comment before the query: \"-- parameters: 42, 'open'\", or "
                    "\"-- parameters: SELECT id, state FROM orders\".");
    if (query->placeholders == 0 && (query->parameters.count > 0 || query->parameters_sql))
        return fail(parsing, offset, "parameters for a query that has none",
                    "In the query they are $1, $2, ...");
    for (size_t i = 0; i < query->parameters.count; i++)
        if (query->parameters.items[i].values.count != query->placeholders)
            return fail(parsing, offset,
                        rh_arena_printf(parsing->arena, "%zu values for $1 to $%zu",
                                        query->parameters.items[i].values.count,
                                        query->placeholders),
                        "Each line of parameters has a value for each of the query's.");
    return RH_OK;
}

static struct said nothing_said(void)
{
    struct said said = {.query = {.calls_per_s = -1, .limit_us = -1}};
    said.query.effort = (struct query_effort)QUERY_EFFORT_INIT;
    said.query.proposal = (struct index_proposal){.build_us = -1, .bytes = -1};
    return said;
}

static enum err_code take_statement(void *context, const struct sql_statement *statement)
{
    struct parsing *parsing = context;
    struct arena *arena = parsing->arena;
    struct new_query query = parsing->said.query;
    struct workload_pattern pattern;
    struct text sql = statement->text;
    const char *executes;

    if (rh_text_ends_with(sql, ";"))
        sql.len--;
    rh_sql_pattern(arena, sql, &pattern, &executes);
    if (pattern.flags & (PATTERN_CONTROLS | PATTERN_HAS_SECRET))
        return fail(parsing, statement->offset, "this statement is no query",
                    "A query reads or writes rows: each runs by itself, and what it writes is "
                    "rolled back. Settings and transactions are not for here.");
    query.sql = rh_text_dup(arena, sql);
    query.query = pattern.query;
    query.fingerprint = pattern.fingerprint;
    query.flags = pattern.flags;
    query.placeholders = rh_sql_most_parameter(sql);
    query.name = query.name ? query.name : rh_text_one_line(arena, sql, NAME_COLUMNS);
    query.file = rh_arena_strdup(arena, parsing->path);
    query.line = (int)statement->line;
    enum err_code code = check_parameters(parsing, statement->offset, &query);
    if (!code && parsing->queries.count == NEW_QUERIES_MAX)
        code = fail(parsing, statement->offset, "too many queries",
                    rh_arena_printf(arena, "A file may hold %d.", NEW_QUERIES_MAX));
    if (!code)
        *RH_PUSH(arena, &parsing->queries) = query;
    parsing->said = nothing_said();
    return code;
}

enum err_code rh_query_file_parse(const char *path, struct text text, struct arena *arena,
                                  struct new_queries *queries, struct err *err)
{
    struct parsing parsing = {
        .path = path, .text = text, .arena = arena, .said = nothing_said(), .err = err};
    enum err_code code = rh_sql_directive_open(path, &parsing.text, err);

    for (size_t i = 0; i < queries->list.count; i++)
        *RH_PUSH(arena, &parsing.queries) = queries->list.items[i];
    if (code)
        return code;
    const struct directive_file file = {.path = path,
                                        .text = parsing.text,
                                        .arena = arena,
                                        .thing = "query",
                                        .keys = keys,
                                        .psql_hint = "Write plain SQL, with $1, $2 for values.",
                                        .comment = take_comment,
                                        .statement = take_statement,
                                        .context = &parsing};
    if ((code = rh_sql_directive_read(&file, err)))
        return code;
    queries->list.items = parsing.queries.items;
    queries->list.count = parsing.queries.count;
    queries->list.capacity = parsing.queries.capacity;
    return RH_OK;
}
