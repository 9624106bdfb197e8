#include "sql/split.h"

#include "sql/lexer.h"

#include <pg_query.h>

/* Line and column of ascending offsets in one pass over the script. */
struct position_walk {
    struct text script;
    size_t offset, line, column;
};

static void walk_to(struct position_walk *walk, size_t offset)
{
    for (; walk->offset < offset; walk->offset++) {
        unsigned char c = (unsigned char)walk->script.data[walk->offset];

        if (c == '\n') {
            walk->line++;
            walk->column = 1;
        } else if ((c & 0xC0) != 0x80) { /* the first byte of a UTF-8 character */
            walk->column++;
        }
    }
}

static void add_statement(struct arena *arena, struct sql_script *script,
                          struct position_walk *walk, size_t start, size_t end)
{
    struct sql_statement *statement = RH_PUSH(arena, &script->statements);

    walk_to(walk, start);
    statement->offset = start;
    statement->text = (struct text){walk->script.data + start, end - start};
    statement->line = walk->line;
    statement->column = walk->column;
}

void rh_sql_split_by_scanner(struct text script, struct arena *arena, struct sql_script *ret_script)
{
    struct sql_lexer lexer = rh_sql_lexer(script);
    struct position_walk walk = {.script = script, .line = 1, .column = 1};
    struct sql_boundary boundary = {0};
    struct sql_script result = {0};
    struct sql_token token;
    size_t start = 0, end = 0;
    bool in_statement = false;

    while (rh_sql_lexer_next(&lexer, &token)) {
        if (!rh_sql_token_is_significant(&token) && !token.is_unterminated)
            continue;
        if (!in_statement && token.kind == SQL_TOKEN_SEMICOLON)
            continue; /* an empty statement: psql sends nothing */
        if (!in_statement)
            start = token.offset;
        in_statement = true;
        end = token.offset + token.len;
        if (rh_sql_boundary_feed(&boundary, script, &token)) {
            add_statement(arena, &result, &walk, start, end);
            in_statement = false;
        }
    }
    if (in_statement)
        add_statement(arena, &result, &walk, start, end);
    *ret_script = result;
}

/*
 * The bounds of a parsed statement in our terms. The parser counts blank text before a statement to
 * it and leaves its semicolon out. False when the two views of the text do not meet, which would
 * lose bytes.
 */
static bool statement_bounds(struct text script, size_t from, size_t to, size_t *ret_start,
                             size_t *ret_end)
{
    struct text piece = {script.data, to};
    size_t start = rh_sql_skip_blank(piece, from);

    if (start >= to)
        return false;
    if (to < script.len && script.data[to] == ';') {
        *ret_end = to + 1;
    } else if (rh_sql_skip_blank(script, to) == script.len) {
        struct text own = {script.data + start, to - start};

        *ret_end = start + rh_sql_end_of_last_token(own);
    } else {
        return false;
    }
    *ret_start = start;
    return true;
}

/* True when [from, to) holds nothing but blanks, comments and empty statements. */
static bool is_gap(struct text script, size_t from, size_t to)
{
    struct sql_lexer lexer = {.text = {script.data, to}, .offset = from};
    struct sql_token token;

    while (rh_sql_lexer_next(&lexer, &token)) {
        if (token.is_unterminated ||
            (rh_sql_token_is_significant(&token) && token.kind != SQL_TOKEN_SEMICOLON))
            return false;
    }
    return true;
}

static bool take_parsed(struct text script, const PgQuerySplitResult *split, struct arena *arena,
                        struct sql_script *ret_script)
{
    struct position_walk walk = {.script = script, .line = 1, .column = 1};
    struct sql_script result = {.parsed = true};
    size_t behind = 0;

    for (int i = 0; i < split->n_stmts; i++) {
        size_t from = (size_t)split->stmts[i]->stmt_location;
        size_t to = from + (size_t)split->stmts[i]->stmt_len;
        size_t start, end;

        if (split->stmts[i]->stmt_location < 0 || split->stmts[i]->stmt_len < 0 || from < behind ||
            to > script.len || !statement_bounds(script, from, to, &start, &end) ||
            !is_gap(script, behind, start))
            return false;
        add_statement(arena, &result, &walk, start, end);
        behind = end;
    }
    if (!is_gap(script, behind, script.len))
        return false;
    *ret_script = result;
    return true;
}

void rh_sql_split(struct text script, struct arena *arena, struct sql_script *ret_script)
{
    const char *parse_error = NULL;

    if (!script.data)
        script = TEXT_LITERAL("");
    /* The parser takes a C string: a NUL would hide what follows. */
    if (script.len <= SQL_PARSE_MAX && !memchr(script.data, '\0', script.len)) {
        struct arena *scratch = rh_arena_new();
        PgQuerySplitResult split = pg_query_split_with_parser(rh_text_dup(scratch, script));
        bool taken = !split.error && take_parsed(script, &split, arena, ret_script);

        if (split.error)
            parse_error = rh_arena_strdup(arena, split.error->message);
        pg_query_free_split_result(split);
        rh_arena_free(scratch);
        if (taken)
            return;
    }
    rh_sql_split_by_scanner(script, arena, ret_script);
    ret_script->parse_error = parse_error;
}
