/* Messages of our own, to both sides. Formats: "Message Formats" of the manual. */
#include "trace/second_pass_int.h"

#include "net/pg_codec.h"
#include "sql/lexer.h"

#include <stdlib.h>

/* Type OID of text: what a parameter of a statement that nobody has analysed may be. */
#define TEXT_OID 25u
#define PARAMETERS_MAX 65535u
/* Our own prepared statement and portal, closed before they are made: an error may have left them.
 */
#define OUR_NAME "rehearse_second_pass"

static void add_u16(struct buf *out, unsigned value)
{
    rh_buf_add_char(out, (char)(value >> 8));
    rh_buf_add_char(out, (char)value);
}

static void add_u32(struct buf *out, uint32_t value)
{
    add_u16(out, value >> 16);
    add_u16(out, value & 0xffff);
}

static void add_string(struct buf *out, struct text text)
{
    rh_buf_add_text(out, text);
    rh_buf_add_char(out, '\0');
}

static void add_message(struct buf *out, char type, const struct buf *body)
{
    rh_pg_encode_message(out, type, rh_buf_text(body));
}

static void add_empty(struct buf *out, char type)
{
    rh_pg_encode_message(out, type, (struct text){"", 0});
}

/* --- to the client --- */

static bool is_one_of(const char *s, const char *const *names)
{
    for (; *names; names++)
        if (strcmp(s, *names) == 0)
            return true;
    return false;
}

/* A query, or a change that gives rows back. */
static bool returns_rows(const char *sql)
{
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct sql_facts facts;
    rh_sql_facts_of_words(rh_text(sql), arena, &facts);
    if (is_one_of(facts.tag, (const char *const[]){"SELECT", "SHOW", "FETCH", "EXPLAIN", NULL}))
        return true;
    struct sql_lexer lexer = rh_sql_lexer(rh_text(sql));
    struct sql_token token;
    while (rh_sql_lexer_next(&lexer, &token))
        if (rh_sql_token_is_word(lexer.text, &token, "returning"))
            return true;
    return false;
}

/* The highest $n. */
static unsigned parameter_count(const char *sql)
{
    struct sql_lexer lexer = rh_sql_lexer(rh_text(sql));
    struct sql_token token;
    unsigned long highest = 0;
    bool after_dollar = false;
    while (rh_sql_lexer_next(&lexer, &token)) {
        const char *at = sql + token.offset;
        const char *digits = at[0] == '$' ? at + 1 : at;
        if ((at[0] == '$' || after_dollar) && digits[0] >= '0' && digits[0] <= '9') {
            unsigned long number = strtoul(digits, NULL, 10);
            if (number > highest && number <= PARAMETERS_MAX)
                highest = number;
        }
        after_dollar = token.len == 1 && at[0] == '$';
    }
    return (unsigned)highest;
}

static void answer_describe(struct buf *out, const struct expected *expected)
{
    const char *sql = expected->sql ? expected->sql : "";
    RH_CLEANUP_BUF struct buf body;
    rh_buf_init(&body, 8 + 4 * (size_t)PARAMETERS_MAX);
    if (expected->target == 'S') {
        unsigned count = parameter_count(sql);
        add_u16(&body, count);
        for (unsigned i = 0; i < count; i++)
            add_u32(&body, TEXT_OID);
        add_message(out, 't', &body);
        rh_buf_clear(&body);
    }
    if (!returns_rows(sql)) {
        add_empty(out, 'n');
        return;
    }
    add_u16(&body, 0);
    add_message(out, 'T', &body);
}

void rh_answer_complete(struct buf *out, const char *sql)
{
    static const char *const counted[] = {"SELECT", "UPDATE", "DELETE", "MERGE",
                                          "COPY",   "FETCH",  "MOVE",   NULL};
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct sql_facts facts;
    rh_sql_facts_of_words(rh_text(sql ? sql : ""), arena, &facts);
    const char *count = strcmp(facts.tag, "INSERT") == 0 ? " 0 0"
                        : is_one_of(facts.tag, counted)  ? " 0"
                                                         : "";
    const char *tag = rh_arena_printf(arena, "%s%s", facts.tag, count);
    rh_pg_encode_message(out, 'C', (struct text){tag, strlen(tag) + 1});
}

void rh_answer_expected(struct buf *out, const struct expected *expected)
{
    switch (expected->type) {
    case 'P':
        add_empty(out, '1');
        break;
    case 'B':
        add_empty(out, '2');
        break;
    case 'C':
        add_empty(out, '3');
        break;
    case 'D':
        answer_describe(out, expected);
        break;
    case 'E':
        rh_answer_complete(out, expected->sql);
        break;
    default:
        break;
    }
}

void rh_answer_ready(struct buf *out, char status)
{
    rh_pg_encode_message(out, 'Z', (struct text){&status, 1});
}

/* --- to the server --- */

static void add_close(struct buf *out, char kind)
{
    RH_CLEANUP_BUF struct buf body;
    rh_buf_init(&body, 256);
    rh_buf_add_char(&body, kind);
    add_string(&body, rh_text(OUR_NAME));
    add_message(out, 'C', &body);
}

void rh_ask_sync(struct buf *out)
{
    add_empty(out, 'S');
}

void rh_ask_command(struct buf *out, const char *sql)
{
    RH_CLEANUP_BUF struct buf body;
    rh_buf_init(&body, 4096);
    add_close(out, 'P');
    add_close(out, 'S');
    add_string(&body, rh_text(OUR_NAME));
    add_string(&body, rh_text(sql));
    add_u16(&body, 0);
    add_message(out, 'P', &body);
    rh_buf_clear(&body);
    add_string(&body, rh_text(OUR_NAME));
    add_string(&body, rh_text(OUR_NAME));
    add_u16(&body, 0); /* formats of parameters, parameters, formats of results */
    add_u16(&body, 0);
    add_u16(&body, 0);
    add_message(out, 'B', &body);
    rh_buf_clear(&body);
    add_string(&body, rh_text(OUR_NAME));
    add_u32(&body, 0);
    add_message(out, 'E', &body);
    add_close(out, 'S');
    rh_ask_sync(out);
}

void rh_ask_query(struct buf *out, struct text sql)
{
    RH_CLEANUP_BUF struct buf body;
    rh_buf_init(&body, sql.len + 1);
    add_string(&body, sql);
    add_message(out, 'Q', &body);
}
