#include "sql/check_file.h"

#include "base/quote.h"
#include "sql/directive.h"
#include "sql/lexer.h"

#include <strings.h>

/* Of a query without a name, shown instead. */
#define NAME_COLUMNS 60

struct directives {
    const char *name;
    size_t name_offset;
    bool has_expect;
    enum check_expect expect;
    const char *limit;
};

struct parsing {
    const char *path;
    struct text text;
    struct arena *arena;
    VEC(struct check) checks;
    struct directives directives; /* before the next query */
    struct err *err;
};

static enum err_code fail(struct parsing *parsing, size_t offset, const char *what,
                          const char *hint)
{
    return rh_sql_directive_fail(parsing->path, parsing->text, offset, what, hint, parsing->err);
}

/* --- comments ----------------------------------------------------------------------------------
 */

static const char expectations_hint[] =
    "Write same, changed, zero, rows, or a comparison such as \"<= 10\" (also <, >=, >, =, !=).";

static bool is_number(struct text text)
{
    size_t digits = 0, points = 0;

    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];
        if (c >= '0' && c <= '9')
            digits++;
        else if (c == '.' && points == 0)
            points++;
        else if (!(i == 0 && (c == '-' || c == '+')))
            return false;
    }
    return digits > 0;
}

static bool parse_expectation(struct text value, struct arena *arena, enum check_expect *ret_expect,
                              const char **ret_limit)
{
    *ret_limit = NULL;
    for (enum check_expect expect = CHECK_SAME; expect < CHECK_TESTS; expect++) {
        const char *name = rh_check_expect_name(expect);
        size_t len = strlen(name);
        bool compares = expect >= CHECK_AT_MOST;

        if (!compares && value.len == len && strncasecmp(value.data, name, len) == 0) {
            *ret_expect = expect;
            return true;
        }
        if (!compares || !rh_text_starts_with(value, name))
            continue;
        struct text limit = rh_text_trim((struct text){value.data + len, value.len - len});
        if (!is_number(limit))
            return false;
        *ret_expect = expect;
        *ret_limit = rh_text_dup(arena, limit);
        return true;
    }
    return false;
}

static const char *const keys[] = {"name", "expect", NULL};

static enum err_code take_comment(void *context, size_t offset, struct text key, struct text value)
{
    struct parsing *parsing = context;
    struct directives *directives = &parsing->directives;
    struct arena *arena = parsing->arena;
    bool is_name = rh_sql_directive_is(key, "name"), is_expect = rh_sql_directive_is(key, "expect");
    if (!is_name && !is_expect) {
        /* "expects:", "expected:" would otherwise be a check that expects something else. */
        if (key.len >= 6 && strncasecmp(key.data, "expect", 6) == 0 &&
            !memchr(key.data, ' ', key.len))
            return fail(parsing, offset,
                        rh_arena_printf(arena, "unknown comment \"%.*s:\"", (int)key.len, key.data),
                        "Write \"-- expect: ...\".");
        return RH_OK;
    }
    if (is_name) {
        if (directives->name)
            return fail(parsing, directives->name_offset,
                        rh_arena_printf(arena, "check \"%s\" has no query", directives->name),
                        "Each name stands before one query.");
        if (value.len == 0)
            return fail(parsing, offset, "a check without a name behind \"name:\"",
                        "Name it, or leave the comment out.");
        directives->name = rh_text_dup(arena, value);
        directives->name_offset = offset;
        return RH_OK;
    }
    if (directives->has_expect)
        return fail(parsing, offset, "a second expectation for the same check",
                    "One check expects one thing: write the query twice, or leave one out.");
    directives->has_expect = true;
    if (!parse_expectation(value, arena, &directives->expect, &directives->limit))
        return fail(
            parsing, offset,
            rh_arena_printf(arena, "unknown expectation \"%.*s\"", (int)value.len, value.data),
            expectations_hint);
    return RH_OK;
}

/* --- queries ---------------------------------------------------------------------------------- */

struct query_facts {
    bool is_query;
    VEC(struct check_key) order_by;
};

/* The items of an ORDER BY clause up to the end of its query: plain column names and positions with
   ASC, DESC, NULLS FIRST or LAST behind them. Anything else empties the list: the order of an
   expression that is not in the result cannot be seen there. */
struct order_scan {
    struct arena *arena;
    struct query_facts *facts;
    bool is_open, has_item;
};

static void give_up_order(struct order_scan *scan)
{
    scan->is_open = false;
    scan->facts->order_by.count = 0;
}

static bool is_any_word(struct text text, const struct sql_token *token, const char *const *words)
{
    for (; *words; words++)
        if (rh_sql_token_is_word(text, token, *words))
            return true;
    return false;
}

static void scan_order(struct order_scan *scan, struct text text, const struct sql_token *token)
{
    static const char *const ends[] = {"limit", "offset", "fetch", "for", NULL};
    static const char *const modifiers[] = {"asc", "desc", "nulls", "first", "last", NULL};
    struct text word = {text.data + token->offset, token->len};
    int64_t position = 0;

    if (token->kind == SQL_TOKEN_SEMICOLON || is_any_word(text, token, ends)) {
        scan->is_open = false;
    } else if (scan->has_item) {
        if (rh_text_is(word, ","))
            scan->has_item = false;
        else if (!is_any_word(text, token, modifiers))
            give_up_order(scan);
    } else if (token->kind == SQL_TOKEN_NUMBER && rh_text_parse_int64(word, &position) &&
               position > 0) {
        *RH_PUSH(scan->arena,
                 &scan->facts->order_by) = (struct check_key){.position = (size_t)position};
        scan->has_item = true;
    } else if (token->kind == SQL_TOKEN_WORD ||
               (token->kind == SQL_TOKEN_QUOTED_IDENTIFIER && *word.data == '"')) {
        *RH_PUSH(scan->arena, &scan->facts->order_by) = (struct check_key){
            .name = rh_quote_read_name(scan->arena, word)};
        scan->has_item = true;
    } else {
        give_up_order(scan);
    }
}

/* One look at the tokens of a query: its first word, and ORDER BY outside all parentheses. */
static void look_at_query(struct parsing *parsing, const struct sql_statement *statement,
                          struct query_facts *facts)
{
    static const char *const words[] = {"select", "with", "values", "table", NULL};
    struct sql_lexer lexer = {
        .text = {parsing->text.data, statement->offset + statement->text.len},
        .offset = statement->offset,
    };
    struct order_scan scan = {.arena = parsing->arena, .facts = facts};
    struct sql_token token;
    size_t depth = 0, significant = 0;
    bool saw_order = false;

    while (rh_sql_lexer_next(&lexer, &token)) {
        if (!rh_sql_token_is_significant(&token))
            continue;
        if (significant++ == 0)
            facts->is_query = token.kind == SQL_TOKEN_OPEN ||
                              is_any_word(lexer.text, &token, words);
        if (scan.is_open)
            scan_order(&scan, lexer.text, &token);
        if (token.kind == SQL_TOKEN_OPEN)
            depth++;
        else if (token.kind == SQL_TOKEN_CLOSE && depth > 0)
            depth--;
        if (depth == 0 && saw_order && rh_sql_token_is_word(lexer.text, &token, "by"))
            scan.is_open = true;
        saw_order = depth == 0 && rh_sql_token_is_word(lexer.text, &token, "order");
    }
}

static enum err_code take_query(void *context, const struct sql_statement *statement)
{
    struct parsing *parsing = context;
    const struct directives *directives = &parsing->directives;
    struct arena *arena = parsing->arena;
    struct text sql = statement->text;
    struct query_facts facts = {0};

    look_at_query(parsing, statement, &facts);
    if (!facts.is_query)
        return fail(parsing, statement->offset, "this statement is no query",
                    "A check only reads: SELECT, WITH, VALUES or TABLE. For a setting, SELECT "
                    "current_setting('...').");
    if (rh_text_ends_with(sql, ";"))
        sql.len--;
    const char *name = directives->name ? directives->name
                                        : rh_text_one_line(arena, sql, NAME_COLUMNS);
    for (size_t i = 0; i < parsing->checks.count; i++)
        if (directives->name && strcmp(parsing->checks.items[i].name, name) == 0)
            return fail(parsing, directives->name_offset,
                        rh_arena_printf(arena, "check \"%s\" is there twice", name),
                        "Give each check a name of its own.");
    struct check *check = RH_PUSH(arena, &parsing->checks);
    *check = (struct check){
        .name = name,
        .file = rh_arena_strdup(arena, parsing->path),
        .line = (int)statement->line,
        .column = (int)statement->column,
        .sql = rh_text_dup(arena, sql),
        .expect = directives->has_expect ? directives->expect : CHECK_SAME,
        .limit = directives->limit,
    };
    for (size_t i = 0; i < facts.order_by.count; i++)
        *RH_PUSH(arena, &check->order_by) = facts.order_by.items[i];
    parsing->directives = (struct directives){0};
    return RH_OK;
}

/* --- the file --------------------------------------------------------------------------------- */

/* Calls of the functions every pgTAP file begins or ends with (pgTAP manual, "I love it when a plan
   comes together"). */
static bool is_pgtap(struct text text)
{
    static const char *const functions[] = {"plan", "no_plan", "finish"};
    struct sql_lexer lexer = rh_sql_lexer(text);
    struct sql_token token;
    bool calls = false, saw_name = false; /* behind SELECT, FROM or a schema's point */

    while (rh_sql_lexer_next(&lexer, &token)) {
        if (!rh_sql_token_is_significant(&token))
            continue;
        if (saw_name && token.kind == SQL_TOKEN_OPEN)
            return true;
        saw_name = false;
        for (size_t i = 0; calls && i < sizeof(functions) / sizeof(functions[0]); i++)
            saw_name = saw_name || rh_sql_token_is_word(text, &token, functions[i]);
        calls = rh_sql_token_is_word(text, &token, "select") ||
                rh_sql_token_is_word(text, &token, "from") ||
                (token.kind == SQL_TOKEN_OTHER && text.data[token.offset] == '.');
    }
    return false;
}

enum err_code rh_check_file_parse(const char *path, struct text text, struct arena *arena,
                                  struct checks *checks, struct err *err)
{
    struct parsing parsing = {.path = path, .text = text, .arena = arena, .err = err};
    enum err_code code = rh_sql_directive_open(path, &parsing.text, err);

    if (code)
        return code;
    if (is_pgtap(parsing.text)) {
        *RH_PUSH(arena, &parsing.checks) = (struct check){
            .name = rh_arena_strdup(arena, path),
            .file = rh_arena_strdup(arena, path),
            .line = 1,
            .column = 1,
            .expect = CHECK_TESTS,
        };
    } else {
        const struct directive_file file = {
            .path = path,
            .text = parsing.text,
            .arena = arena,
            .thing = "check",
            .keys = keys,
            .psql_hint = "Write plain SQL; only pgTAP files, which call plan(), run through psql.",
            .comment = take_comment,
            .statement = take_query,
            .context = &parsing};
        if ((code = rh_sql_directive_read(&file, err)))
            return code;
    }
    for (size_t i = 0; i < parsing.checks.count; i++)
        *RH_PUSH(arena, &checks->list) = parsing.checks.items[i];
    return RH_OK;
}
