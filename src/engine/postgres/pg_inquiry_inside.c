/* Statements that look at no rows themselves: a deferred key that a COMMIT looks at, and what fails
   inside a DO block or a function. */
#include "base/quote.h"
#include "engine/postgres/pg_inquiry_int.h"
#include "sql/facts.h"
#include "sql/phrase.h"

/* What the server writes before the text of an inner statement (_SPI_error_callback in spi.c), and
   in the line behind it (plpgsql_exec_error_callback in pl_exec.c; the others likewise). */
#define INNER_BEGIN "SQL statement \""
#define INNER_END "\"\nPL/"
/* Functions that call each other: deeper ones are not looked at. */
#define INNER_MAX 20

/* --- deferred keys --- */

/* COMMIT, END, SET CONSTRAINTS: what they look at, the error alone tells. */
static bool looks_at_deferred(const char *sql, struct arena *arena)
{
    struct sql_facts facts;
    struct phrase phrase;
    rh_sql_facts_of_words(rh_text(sql), arena, &facts);
    if (strcmp(facts.tag, "COMMIT") == 0)
        return true;
    return rh_phrase_read(&phrase, rh_text(sql), arena, VALIDATION_TOKENS_MAX) &&
           rh_phrase_is_word(&phrase, 0, "set") && rh_phrase_is_word(&phrase, 1, "constraints");
}

/* The key is there: it is asked about like one to be validated. */
static bool read_deferred(struct inquiry *inquiry, const char *sql)
{
    const struct server_message *error = &inquiry->error;
    struct arena *arena = inquiry->arena;
    if (!error->schema || !error->table || !error->constraint || !looks_at_deferred(sql, arena))
        return false;
    inquiry->statement = (struct validation){
        .kind = VALIDATION_ALTER_TABLE,
        .relation = rh_arena_printf(arena, "%s.%s", rh_quote_name(arena, error->schema),
                                    rh_quote_name(arena, error->table))};
    *RH_PUSH(arena, &inquiry->statement.clauses) = (struct validation_clause){
        .kind = VALIDATION_CLAUSE_VALIDATE, .name = rh_quote_name(arena, error->constraint)};
    inquiry->trial = "SET CONSTRAINTS ALL IMMEDIATE";
    return true;
}

/* --- inner statements --- */

/* Their texts in the context of an error, the innermost first. */
static size_t find_inner(const char *context, struct text inner[static INNER_MAX])
{
    size_t count = 0;
    for (const char *at = context; (at = strstr(at, INNER_BEGIN)) && count < INNER_MAX;) {
        const char *begin = at + strlen(INNER_BEGIN);
        const char *end = strstr(begin, INNER_END);
        bool is_line = at == context || at[-1] == '\n';
        at = begin;
        if (!is_line)
            continue;
        if (!end && (end = strrchr(begin, '"')) && end[1])
            end = NULL;
        if (!end)
            break;
        inner[count++] = (struct text){begin, (size_t)(end - begin)};
        at = end;
    }
    return count;
}

static bool has_parameters(const char *sql, struct arena *arena)
{
    struct phrase phrase;
    if (!rh_phrase_read(&phrase, rh_text(sql), arena, VALIDATION_TOKENS_MAX))
        return true;
    for (size_t i = 0; i < phrase.tokens.count; i++)
        if (rh_phrase_is_char(&phrase, i, '$'))
            return true;
    return false;
}

/* The outermost that looks at rows: what it calls fails on its behalf. */
static bool read_inner(struct inquiry *inquiry, const char *sql)
{
    struct arena *arena = inquiry->arena;
    struct text inner[INNER_MAX];
    size_t count = inquiry->error.context ? find_inner(inquiry->error.context, inner) : 0;
    for (size_t i = count; i > 0; i--) {
        const char *text = rh_text_dup(arena, inner[i - 1]);
        struct validation statement;
        rh_sql_validations(rh_text(text), arena, &statement);
        if (statement.kind == VALIDATION_NONE || !rh_pg_is_about_rows(&inquiry->error, &statement))
            continue;
        inquiry->statement = statement;
        inquiry->inside = text;
        /* The whole is what has to succeed, where we can send it. */
        inquiry->trial = has_parameters(sql, arena) ? statement.plain : sql;
        return true;
    }
    return false;
}

bool rh_pg_inquiry_read_inside(struct inquiry *inquiry, const char *sql)
{
    return read_deferred(inquiry, sql) || read_inner(inquiry, sql);
}
