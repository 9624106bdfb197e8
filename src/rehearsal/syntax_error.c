/*
 * A migration that does not parse: where, with the source line and a caret. The server is the
 * judge; this only finds the place it named.
 */
#include "rehearsal/rehearsal_int.h"

#include <string.h>

#define SYNTAX_ERROR "42601" /* "PostgreSQL Error Codes", class 42 */
/* Columns of a source line shown; a longer one is cut around the caret. */
#define EXCERPT_COLUMNS 90u
#define EXCERPT_BEFORE_CARET 60u

struct place {
    struct text source; /* text that the line is part of */
    size_t offset;      /* of the error in it */
};

/* Byte offset of the n-th character (1-based, as the server counts); len when there are fewer. */
static size_t offset_of_character(struct text text, int64_t character)
{
    size_t offset = 0;
    for (int64_t n = 1; n < character && offset < text.len; n++) {
        offset++;
        while (offset < text.len && ((unsigned char)text.data[offset] & 0xc0) == 0x80)
            offset++;
    }
    return offset;
}

static size_t offset_of_line(struct text text, int line)
{
    size_t offset = 0;
    for (int n = 1; n < line; n++) {
        const char *end = memchr(text.data + offset, '\n', text.len - offset);
        if (!end)
            return text.len;
        offset = (size_t)(end - text.data) + 1;
    }
    return offset;
}

static struct place find_place(const struct statement *statement, const struct migration_step *step)
{
    struct text sql = rh_text(statement->sql);
    size_t offset = offset_of_character(sql, statement->error->position);
    if (!step || !step->path || statement->line < 1)
        return (struct place){sql, offset};

    size_t line = offset_of_line(step->content, statement->line);
    struct text rest = {step->content.data + line, step->content.len - line};
    size_t begin = line + offset_of_character(rest, statement->column);
    if (begin + sql.len > step->content.len ||
        memcmp(step->content.data + begin, sql.data, sql.len))
        return (struct place){sql, offset}; /* not sent as it stands in the file */
    rest = (struct text){step->content.data + begin, step->content.len - begin};
    return (struct place){step->content,
                          begin + offset_of_character(rest, statement->error->position)};
}

/* The statement whose failure ended the run: nothing but the client's clean-up came behind it. */
static const struct statement *ending_statement(const struct trace *trace)
{
    for (size_t n = trace->statements.count; n > 0; n--) {
        const struct statement *statement = &trace->statements.items[n - 1];
        if (!statement->ok)
            return statement;
        if (!statement->tag || strcmp(statement->tag, "ROLLBACK") != 0)
            return NULL;
    }
    return NULL;
}

static bool has_failed_step(const struct trace *trace)
{
    for (size_t n = 0; n < trace->steps.count; n++) {
        if (!trace->steps.items[n].ok)
            return true;
    }
    return false;
}

/* The line around `offset` with the caret below it; tabs become blanks so that the caret fits. */
static char *excerpt(struct place place, struct arena *arena)
{
    size_t begin = place.offset, end = place.offset;
    while (begin > 0 && place.source.data[begin - 1] != '\n')
        begin--;
    while (end < place.source.len && place.source.data[end] != '\n')
        end++;

    struct text before = {place.source.data + begin, place.offset - begin};
    struct text after = {place.source.data + place.offset, end - place.offset};
    bool cut_before = false;
    while (rh_text_columns(before) > EXCERPT_BEFORE_CARET) {
        size_t step = offset_of_character(before, 2);
        before = (struct text){before.data + step, before.len - step};
        cut_before = true;
    }
    size_t shown = offset_of_character(after, EXCERPT_COLUMNS - EXCERPT_BEFORE_CARET + 1);
    bool cut_after = shown < after.len;

    char *line = rh_arena_printf(arena, "%s%.*s%.*s%s", cut_before ? "..." : "", (int)before.len,
                                 before.data, (int)shown, after.data, cut_after ? "..." : "");
    for (char *c = line; *c; c++) {
        if (*c == '\t' || *c == '\r')
            *c = ' ';
    }
    int indent = (int)rh_text_columns(before) + (cut_before ? 3 : 0);
    return rh_arena_printf(arena, "%s\n%*s^", line, indent, "");
}

enum err_code rh_syntax_error_find(const struct trace *trace, const struct migration *migration,
                                   struct arena *arena, struct err *err)
{
    const struct statement *statement = ending_statement(trace);
    if (!statement || !statement->error || !has_failed_step(trace))
        return RH_OK;
    const struct server_message *error = statement->error;
    if (strcmp(error->sqlstate, SYNTAX_ERROR) != 0 || error->position < 1 || error->internal_query)
        return RH_OK;

    const struct migration_step *step = NULL;
    if (statement->step >= 0 && (size_t)statement->step < migration->steps.count)
        step = &migration->steps.items[statement->step];

    struct place place = find_place(statement, step);
    struct text_position position = rh_text_position(place.source, place.offset);
    if (place.source.data != statement->sql) {
        rh_err_set(err, RH_ERR_SYNTAX, "%s:%zu:%zu: %s", step->path, position.line, position.column,
                   error->message);
    } else {
        rh_err_set(err, RH_ERR_SYNTAX, "statement %d%s%s, line %zu column %zu: %s",
                   statement->index, step ? " of " : "", step ? step->name : "", position.line,
                   position.column, error->message);
    }
    rh_err_detail(err, "%s", excerpt(place, arena));
    if (error->hint)
        rh_err_hint(err, "%s", error->hint);
    return RH_ERR_SYNTAX;
}
