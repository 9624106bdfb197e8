#include "trace/redact.h"

#include "sql/lexer.h"

#include <ctype.h>
#include <strings.h>

#define MASK "***"
/* Dollar quotes inside dollar quotes looked into; deeper ones are shown as they are. */
#define NESTING_MAX 4

static size_t output_cap(struct text input)
{
    return input.len * REDACT_GROWTH + 64;
}

static char *take(struct arena *arena, const struct buf *buf)
{
    return rh_text_dup(arena, rh_buf_text(buf));
}

static bool matches_at(struct text text, size_t offset, const char *word)
{
    size_t len = strlen(word);
    return offset + len <= text.len && strncasecmp(text.data + offset, word, len) == 0;
}

/* Offset of `word` (any case) at or after `from`, or text.len. */
static size_t find_word(struct text text, size_t from, const char *word)
{
    for (size_t i = from; i < text.len; i++)
        if (matches_at(text, i, word))
            return i;
    return text.len;
}

static size_t find_last(struct text text, size_t from, const char *s)
{
    size_t found = text.len;
    for (size_t i = find_word(text, from, s); i < text.len; i = find_word(text, i + 1, s))
        found = i;
    return found;
}

static size_t find_last_char(struct text text, size_t from, char c)
{
    for (size_t i = text.len; i > from; i--)
        if (text.data[i - 1] == c)
            return i - 1;
    return text.len;
}

/* --- SQL --- */

/*
 * The inside of a quoted string: quoted SQL (PASSWORD ''x''), connection strings (password=x,
 * password='x') and URLs (scheme://user:x@host).
 */
static void redact_string(struct buf *out, struct text s)
{
    size_t at = 0;
    while (at < s.len) {
        if (matches_at(s, at, "://")) {
            size_t end = at + 3, colon = 0;
            while (end < s.len && !isspace((unsigned char)s.data[end]) && s.data[end] != '/' &&
                   s.data[end] != '\'' && s.data[end] != '@') {
                if (s.data[end] == ':' && colon == 0)
                    colon = end;
                end++;
            }
            if (end < s.len && s.data[end] == '@' && colon != 0) {
                rh_buf_add(out, s.data + at, colon + 1 - at);
                rh_buf_add_str(out, MASK);
                at = end;
                continue;
            }
        }
        if (!matches_at(s, at, "password")) {
            rh_buf_add_char(out, s.data[at++]);
            continue;
        }
        size_t value = at + strlen("password");
        while (value < s.len && isspace((unsigned char)s.data[value]))
            value++;
        bool assigned = value < s.len && s.data[value] == '=';
        if (assigned)
            value++;
        while (value < s.len && isspace((unsigned char)s.data[value]))
            value++;
        size_t quotes = 0;
        while (value + quotes < s.len && s.data[value + quotes] == '\'')
            quotes++;
        rh_buf_add(out, s.data + at, value - at);
        at = value;
        if (quotes > 0) {
            char closing[9] = "''''''''";
            closing[quotes < 8 ? quotes : 8] = '\0';
            size_t end = find_word(s, value + quotes, closing);
            rh_buf_add_str(out, MASK);
            at = end < s.len ? end + strlen(closing) : s.len;
        } else if (assigned) {
            size_t end = value;
            while (end < s.len && !isspace((unsigned char)s.data[end]) && s.data[end] != '&' &&
                   s.data[end] != '\'')
                end++;
            if (end > value)
                rh_buf_add_str(out, MASK);
            at = end;
        }
    }
}

/* SQL quoted in a message: the message around it is none. */
static char *redact_quoted(struct arena *arena, struct text text)
{
    RH_CLEANUP_BUF struct buf out;
    rh_buf_init(&out, output_cap(text));
    redact_string(&out, text);
    return take(arena, &out);
}

/* Length of the opening $tag$ of a dollar-quoted token, 0 when it is another kind of string. */
static size_t dollar_tag(struct text token)
{
    if (token.len < 2 || token.data[0] != '$')
        return 0;
    const char *end = memchr(token.data + 1, '$', token.len - 1);
    return end ? (size_t)(end - token.data) + 1 : 0;
}

static void redact_into(struct buf *out, struct text sql, int depth)
{
    struct sql_lexer lexer = rh_sql_lexer(sql);
    struct sql_token token;
    bool is_secret = false; /* the word PASSWORD came, perhaps with = behind it */
    while (rh_sql_lexer_next(&lexer, &token)) {
        struct text text = {sql.data + token.offset, token.len};
        if (token.kind == SQL_TOKEN_STRING && is_secret) {
            rh_buf_add_str(out, "'" MASK "'");
        } else if (token.kind == SQL_TOKEN_STRING) {
            size_t tag = dollar_tag(text);
            if (tag == 0) {
                redact_string(out, text);
            } else if (depth >= NESTING_MAX) {
                rh_buf_add_text(out, text);
            } else {
                size_t end = token.is_unterminated || text.len < 2 * tag ? text.len
                                                                         : text.len - tag;
                rh_buf_add(out, text.data, tag);
                redact_into(out, (struct text){text.data + tag, end - tag}, depth + 1);
                rh_buf_add(out, text.data + end, text.len - end);
            }
        } else {
            rh_buf_add_text(out, text);
        }
        if (rh_sql_token_is_significant(&token))
            is_secret = rh_sql_token_is_word(sql, &token, "password") ||
                        (is_secret && token.kind == SQL_TOKEN_OTHER && rh_text_is(text, "="));
    }
}

char *rh_redact_sql(struct arena *arena, struct text sql)
{
    /* Most statements hold neither: they are copied as they are. */
    if (find_word(sql, 0, "password") == sql.len && find_word(sql, 0, "://") == sql.len)
        return rh_text_dup(arena, sql);
    RH_CLEANUP_BUF struct buf out;
    rh_buf_init(&out, output_cap(sql));
    redact_into(&out, sql, 0);
    return take(arena, &out);
}

/* --- messages --- */

static void mask_quoted(struct buf *out, struct text text)
{
    size_t at = 0;
    while (at < text.len) {
        const char *open = memchr(text.data + at, '"', text.len - at);
        if (!open)
            break;
        size_t start = (size_t)(open - text.data) + 1;
        /* A value may hold quotes itself: everything up to the last one goes. */
        size_t end = find_last_char(text, start, '"');
        rh_buf_add(out, text.data + at, start - at);
        rh_buf_add_str(out, MASK);
        at = end;
        if (at < text.len)
            rh_buf_add_char(out, text.data[at++]);
        break;
    }
    rh_buf_add(out, text.data + at, text.len - at);
}

char *rh_mask_message(struct arena *arena, const char *sqlstate, struct text message)
{
    if (strncmp(sqlstate, "22", 2) != 0)
        return rh_text_dup(arena, message);
    RH_CLEANUP_BUF struct buf out;
    rh_buf_init(&out, output_cap(message));
    /* "invalid input value for enum mood: ..." names the type before the colon. */
    size_t colon = find_word(message, 0, ": \"");
    size_t from = colon < message.len ? colon : 0;
    rh_buf_add(&out, message.data, from);
    mask_quoted(&out, (struct text){message.data + from, message.len - from});
    return take(arena, &out);
}

/* The places where values stand in a detail. */
static const char *const opening[] = {"=(", ") = (", "row contains ("};

static void mask_values(struct buf *out, struct text detail)
{
    /* An exclusion conflict shows two keys; each ends where the words between them begin. */
    static const char between[] = ") conflicts with existing key (";
    size_t middle = find_last(detail, 0, between);
    if (middle < detail.len) {
        mask_values(out, (struct text){detail.data, middle + 1});
        rh_buf_add(out, detail.data + middle + 1, strlen(between) - 2);
        size_t rest = middle + strlen(between) - 1;
        mask_values(out, (struct text){detail.data + rest, detail.len - rest});
        return;
    }
    size_t first = detail.len, value = 0;
    for (size_t i = 0; i < sizeof(opening) / sizeof(opening[0]); i++) {
        size_t found = find_word(detail, 0, opening[i]);
        if (found < first) {
            first = found;
            value = found + strlen(opening[i]);
        }
    }
    /* "row contains (a) = (b)": the first parentheses hold column names. */
    size_t columns = find_word(detail, 0, ") = (");
    if (first < detail.len && columns < detail.len && columns > first &&
        find_word(detail, 0, "Partition key of") == 0)
        value = columns + strlen(") = (");
    if (first == detail.len) {
        rh_buf_add_text(out, detail);
        return;
    }
    rh_buf_add(out, detail.data, value);
    rh_buf_add_str(out, MASK);
    size_t end = find_last_char(detail, value, ')');
    rh_buf_add(out, detail.data + end, detail.len - end);
}

char *rh_mask_detail(struct arena *arena, const char *sqlstate, struct text detail)
{
    RH_CLEANUP_BUF struct buf out;
    rh_buf_init(&out, output_cap(detail));
    if (strncmp(sqlstate, "22", 2) == 0)
        mask_quoted(&out, detail);
    else
        mask_values(&out, detail);
    return take(arena, &out);
}

/* Where the value begins that a line of context shows; its length for none:
   COPY t, line 3, column a: "value"   COPY t, line 3: "the whole line"   JSON data, line 1: {a...
 */
static size_t shown_value(struct text line)
{
    static const char json[] = "JSON data, line ";
    if (rh_text_starts_with(line, "COPY "))
        return find_word(line, 0, ": \"");
    size_t found = find_word(line, 0, json);
    return found < line.len ? find_word(line, found, ": ") : line.len;
}

char *rh_mask_context(struct arena *arena, struct text context)
{
    RH_CLEANUP_BUF struct buf out;
    rh_buf_init(&out, output_cap(context));
    size_t at = 0;
    while (at < context.len) {
        size_t end = at;
        while (end < context.len && context.data[end] != '\n')
            end++;
        struct text line = {context.data + at, end - at};
        size_t value = shown_value(line);
        rh_buf_add(&out, line.data, value);
        if (value < line.len) {
            rh_buf_add_str(&out, ": \"" MASK "\"");
            at = context.len; /* the value may go on over lines: nothing behind it is safe */
        } else {
            if (end < context.len)
                rh_buf_add_char(&out, '\n');
            at = end + 1;
        }
    }
    return redact_quoted(arena, rh_buf_text(&out));
}

char *rh_mask_log_line(struct arena *arena, struct text line)
{
    RH_CLEANUP_BUF struct buf out;
    rh_buf_init(&out, output_cap(line));
    mask_values(&out, line);
    struct text text = rh_text(redact_quoted(arena, rh_buf_text(&out)));
    size_t value = shown_value(text);
    if (value < text.len) {
        rh_buf_clear(&out);
        rh_buf_add(&out, text.data, value);
        rh_buf_add_str(&out, ": \"" MASK "\"");
        return take(arena, &out);
    }
    /* Data exceptions and COPY contexts put the value behind a colon, between quotes. */
    size_t colon = find_word(text, 0, ": \"");
    if (colon == text.len)
        return rh_text_dup(arena, text);
    rh_buf_clear(&out);
    rh_buf_add(&out, text.data, colon);
    mask_quoted(&out, (struct text){text.data + colon, text.len - colon});
    return take(arena, &out);
}
