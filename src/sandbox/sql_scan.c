#include "sandbox/sql_scan.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* A statement that matters is short; a longer one is let through unseen. */
#define HELD_MAX ((size_t)1024 * 1024)
/* Names have at most 63 bytes (NAMEDATALEN); what is cut here is no name. */
#define WORD_MAX_BYTES ((size_t)512)
/* A dollar-quote tag is a name between two dollars. */
#define TAG_MAX 128
/* Tokens after which a statement is known to matter or not. */
#define DECIDING_TOKENS 3

/*
 * TEXT is left for LINE_COMMENT at "--" until the line feed, for BLOCK_COMMENT at its opening until
 * the matching end (they nest), for STRING, NAME and DOLLAR at their quotes until the same quote,
 * for META at a backslash until the line feed, and for WORD until a byte that is none of a word.
 * After the ';' of COPY ... FROM stdin the rest of the line is COPY_HEAD, then COPY_DATA goes on
 * until the line "\.".
 */
enum state {
    STATE_TEXT,
    STATE_WORD,
    STATE_DASH,  /* one '-' seen */
    STATE_SLASH, /* one '/' seen */
    STATE_LINE_COMMENT,
    STATE_BLOCK_COMMENT,
    STATE_STRING,
    STATE_NAME,
    STATE_NAME_END, /* a '"' that ends it or is the first of two */
    STATE_TAG,      /* '$' and maybe more of a tag */
    STATE_DOLLAR,
    STATE_META,
    STATE_COPY_HEAD,
    STATE_COPY_DATA,
};

struct sql_scan {
    sql_statement_fn *fn;
    void *context;
    enum state state;
    int comment_depth;
    char before;     /* the byte before, inside a block comment */
    bool is_escape;  /* a string with backslash escapes: E'..' */
    bool is_escaped; /* the byte before was its backslash */
    char tag[TAG_MAX];
    size_t tag_length, tag_matched;
    char word[WORD_MAX_BYTES + 1];
    size_t word_length;
    char copy_line[3]; /* first bytes of a line of data */
    size_t copy_line_length;
    int parentheses;

    bool in_statement, is_held, is_meta_statement;
    struct buf held;
    struct arena *arena; /* tokens */
    VEC(struct sql_token) tokens;
    size_t token_count; /* also those not kept */
};

struct sql_scan *rh_sql_scan_new(sql_statement_fn *fn, void *context)
{
    struct sql_scan *scan = calloc(1, sizeof(*scan));

    if (!scan)
        RH_PANIC("out of memory");
    scan->fn = fn;
    scan->context = context;
    scan->arena = rh_arena_new();
    rh_buf_init(&scan->held, HELD_MAX);
    return scan;
}

void rh_sql_scan_free(struct sql_scan *scan)
{
    if (!scan)
        return;
    rh_arena_free(scan->arena);
    rh_buf_deinit(&scan->held);
    free(scan);
}

void rh_sql_scan_freep(struct sql_scan **scan)
{
    rh_sql_scan_free(*scan);
    *scan = NULL;
}

/* --- tokens and statements -------------------------------------------------------------------- */

static bool is_word(const struct sql_token *token, const char *word)
{
    return token->kind == SQL_WORD && strcmp(token->text, word) == 0;
}

static bool is_one_of(const struct sql_token *token, const char *const *words)
{
    for (; *words; words++)
        if (is_word(token, *words))
            return true;
    return false;
}

static bool matters(const struct sql_token *tokens, size_t count)
{
    static const char *const always[] = {"alter", "grant", "revoke", "copy", "set", NULL};
    static const char *const created[] = {"extension",    "role",   "user",   "group", "database",
                                          "subscription", "schema", "policy", NULL};
    static const char *const dropped[] = {"database", "extension", NULL};

    if (is_one_of(&tokens[0], always))
        return true;
    if (count < 2)
        return false;
    if (is_word(&tokens[0], "create"))
        return is_one_of(&tokens[1], created);
    if (is_word(&tokens[0], "drop"))
        return is_one_of(&tokens[1], dropped);
    return count > 2 && is_word(&tokens[0], "comment") && is_word(&tokens[1], "on") &&
           is_one_of(&tokens[2], dropped);
}

static void release(struct sql_scan *scan, struct buf *out)
{
    if (out)
        rh_buf_add_text(out, rh_buf_text(&scan->held));
    rh_buf_clear(&scan->held);
    scan->held.failed = false;
    scan->is_held = false;
}

static void drop(struct sql_scan *scan, struct buf *out)
{
    for (size_t i = 0; out && i < scan->held.len; i++)
        if (scan->held.data[i] == '\n')
            rh_buf_add_char(out, '\n');
    rh_buf_clear(&scan->held);
    scan->is_held = false;
}

/* Bytes of the current statement, or between statements. */
static void sink(struct sql_scan *scan, const char *data, size_t len, struct buf *out)
{
    if (scan->is_held && scan->held.len + len > HELD_MAX)
        release(scan, out);
    if (scan->is_held)
        rh_buf_add(&scan->held, data, len);
    else if (out)
        rh_buf_add(out, data, len);
}

static void add_token(struct sql_scan *scan, enum sql_token_kind kind, const char *text, size_t len,
                      struct buf *out)
{
    scan->token_count++;
    if (!scan->is_held)
        return;
    *RH_PUSH(scan->arena,
             &scan->tokens) = (struct sql_token){kind, rh_arena_strndup(scan->arena, text, len)};
    if (scan->token_count == DECIDING_TOKENS && !matters(scan->tokens.items, scan->tokens.count))
        release(scan, out);
}

static void begin_statement(struct sql_scan *scan)
{
    if (scan->in_statement)
        return;
    scan->in_statement = true;
    scan->is_held = true;
    scan->token_count = 0;
    scan->parentheses = 0;
}

static bool copies_from_stdin(const struct sql_scan *scan)
{
    const struct sql_token *tokens = scan->tokens.items;

    if (!scan->is_held || scan->tokens.count < 4 || !is_word(&tokens[0], "copy"))
        return false;
    for (size_t i = 1; i + 1 < scan->tokens.count; i++)
        if (is_word(&tokens[i], "from") && is_word(&tokens[i + 1], "stdin"))
            return true;
    return false;
}

static void forget_statement(struct sql_scan *scan)
{
    scan->in_statement = scan->is_held = scan->is_meta_statement = false;
    scan->tokens.items = NULL;
    scan->tokens.count = scan->tokens.capacity = 0;
    rh_arena_clear(scan->arena);
}

/* All bytes up to the ';' were sunk. */
static void end_statement(struct sql_scan *scan, struct buf *out)
{
    bool is_copy = copies_from_stdin(scan);

    if (scan->is_held && scan->tokens.count && matters(scan->tokens.items, scan->tokens.count)) {
        struct sql_statement statement = {.tokens = scan->tokens.items,
                                          .count = scan->tokens.count,
                                          .text = rh_buf_text(&scan->held)};
        if (scan->fn(scan->context, &statement) == SQL_DROP)
            drop(scan, out);
    }
    if (scan->is_held)
        release(scan, out);
    forget_statement(scan);
    scan->state = is_copy ? STATE_COPY_HEAD : STATE_TEXT;
    scan->copy_line_length = 0;
}

static void end_meta(struct sql_scan *scan, struct buf *out)
{
    if (scan->is_meta_statement && scan->is_held) {
        char *line = rh_text_dup(scan->arena, rh_text_trim(rh_buf_text(&scan->held)));
        struct sql_statement statement = {.meta = line};
        if (scan->fn(scan->context, &statement) == SQL_DROP)
            drop(scan, out);
    }
    if (scan->is_held)
        release(scan, out);
    forget_statement(scan); /* \g and its kin end a statement too */
    scan->state = STATE_TEXT;
}

/* --- bytes ------------------------------------------------------------------------------------ */

static bool starts_word(char c)
{
    return isalpha((unsigned char)c) || c == '_' || (unsigned char)c >= 0x80;
}

static bool continues_word(char c)
{
    return starts_word(c) || isdigit((unsigned char)c) || c == '$';
}

static void end_word(struct sql_scan *scan, struct buf *out)
{
    add_token(scan, SQL_WORD, scan->word, scan->word_length, out);
    scan->state = STATE_TEXT;
}

static void keep_byte(struct sql_scan *scan, char c)
{
    if (scan->word_length < WORD_MAX_BYTES)
        scan->word[scan->word_length++] = c;
}

/* A byte where no quote, comment or word is open. True when it ends a statement. */
static bool text_byte(struct sql_scan *scan, char c, struct buf *out)
{
    if (isspace((unsigned char)c))
        return false;
    if (c == '-' || c == '/') {
        scan->state = c == '-' ? STATE_DASH : STATE_SLASH;
        return false;
    }
    if (c == ';' && scan->parentheses <= 0)
        return true;
    if (c == '\\') {
        scan->is_meta_statement = !scan->in_statement;
        begin_statement(scan);
        scan->state = STATE_META;
        return false;
    }
    begin_statement(scan);
    if (c == '\'') {
        scan->state = STATE_STRING;
        scan->is_escape = scan->is_escaped = false;
        scan->word_length = 0;
    } else if (c == '"') {
        scan->state = STATE_NAME;
        scan->word_length = 0;
    } else if (c == '$') {
        scan->state = STATE_TAG;
        scan->tag[0] = '$';
        scan->tag_length = 1;
    } else if (starts_word(c)) {
        scan->state = STATE_WORD;
        scan->word_length = 0;
        keep_byte(scan, (char)tolower((unsigned char)c));
    } else {
        scan->parentheses += c == '(' ? 1 : c == ')' ? -1 : 0;
        add_token(scan, SQL_SYMBOL, &c, 1, out);
    }
    return false;
}

static void block_comment_byte(struct sql_scan *scan, char c)
{
    if (scan->before == '*' && c == '/') {
        c = 0; /* its '/' opens nothing */
        if (--scan->comment_depth == 0)
            scan->state = STATE_TEXT;
    } else if (scan->before == '/' && c == '*') {
        c = 0;
        scan->comment_depth++;
    }
    scan->before = c;
}

static void string_byte(struct sql_scan *scan, char c, struct buf *out)
{
    if (scan->is_escaped) {
        scan->is_escaped = false;
    } else if (scan->is_escape && c == '\\') {
        scan->is_escaped = true;
    } else if (c == '\'') {
        /* Of a doubled quote the second opens a string again: the same extent, one token more. */
        add_token(scan, SQL_STRING, scan->word, scan->word_length, out);
        scan->state = STATE_TEXT;
        return;
    }
    keep_byte(scan, c);
}

/* Looks for the closing tag; after a mismatch the byte may begin it anew. */
static void dollar_byte(struct sql_scan *scan, char c, struct buf *out)
{
    if (c == scan->tag[scan->tag_matched])
        scan->tag_matched++;
    else
        scan->tag_matched = c == '$' ? 1 : 0;
    if (scan->tag_matched == scan->tag_length) {
        add_token(scan, SQL_STRING, "", 0, out);
        scan->state = STATE_TEXT;
    }
}

/* A line of data ends it when it is "\." and nothing else. */
static void copy_data_byte(struct sql_scan *scan, char c)
{
    if (c == '\n') {
        bool is_end = scan->copy_line_length == 2 && memcmp(scan->copy_line, "\\.", 2) == 0;
        scan->copy_line_length = 0;
        if (is_end)
            scan->state = STATE_TEXT;
    } else if (c != '\r' && scan->copy_line_length < sizeof(scan->copy_line)) {
        scan->copy_line[scan->copy_line_length++] = c;
    }
}

/* True: `c` was not consumed by this state and is to be looked at again in the new one. */
static bool step(struct sql_scan *scan, char c, bool *ret_ends, struct buf *out)
{
    switch (scan->state) {
    case STATE_TEXT:
        *ret_ends = text_byte(scan, c, out);
        return false;
    case STATE_WORD:
        if (continues_word(c)) {
            keep_byte(scan, (char)tolower((unsigned char)c));
            return false;
        }
        if (c == '\'' && scan->word_length == 1 && scan->word[0] == 'e') {
            scan->state = STATE_STRING;
            scan->is_escape = true;
            scan->is_escaped = false;
            scan->word_length = 0;
            return false;
        }
        end_word(scan, out);
        return true;
    case STATE_DASH:
        if (c == '-') {
            scan->state = STATE_LINE_COMMENT;
            return false;
        }
        begin_statement(scan);
        add_token(scan, SQL_SYMBOL, "-", 1, out);
        scan->state = STATE_TEXT;
        return true;
    case STATE_SLASH:
        if (c == '*') {
            scan->state = STATE_BLOCK_COMMENT;
            scan->comment_depth = 1;
            scan->before = 0;
            return false;
        }
        begin_statement(scan);
        add_token(scan, SQL_SYMBOL, "/", 1, out);
        scan->state = STATE_TEXT;
        return true;
    case STATE_LINE_COMMENT:
        if (c == '\n')
            scan->state = STATE_TEXT;
        return false;
    case STATE_BLOCK_COMMENT:
        block_comment_byte(scan, c);
        return false;
    case STATE_STRING:
        string_byte(scan, c, out);
        return false;
    case STATE_NAME:
        if (c == '"')
            scan->state = STATE_NAME_END;
        else
            keep_byte(scan, c);
        return false;
    case STATE_NAME_END:
        if (c == '"') {
            keep_byte(scan, c);
            scan->state = STATE_NAME;
            return false;
        }
        add_token(scan, SQL_NAME, scan->word, scan->word_length, out);
        scan->state = STATE_TEXT;
        return true;
    case STATE_TAG:
        if (c == '$' && scan->tag_length < TAG_MAX) {
            scan->tag[scan->tag_length++] = c;
            scan->tag_matched = 0;
            scan->state = STATE_DOLLAR;
            return false;
        }
        if (scan->tag_length < TAG_MAX &&
            (starts_word(c) || (scan->tag_length > 1 && isdigit((unsigned char)c)))) {
            scan->tag[scan->tag_length++] = c;
            return false;
        }
        add_token(scan, SQL_SYMBOL, "$", 1, out); /* a parameter: $1 */
        scan->state = STATE_TEXT;
        return true;
    case STATE_DOLLAR:
        dollar_byte(scan, c, out);
        return false;
    case STATE_META:
    case STATE_COPY_HEAD:
    case STATE_COPY_DATA:
        break; /* by lines, in feed */
    }
    return false;
}

void rh_sql_scan_feed(struct sql_scan *scan, struct text chunk, struct buf *out)
{
    size_t mark = 0; /* bytes before it were sunk */

    for (size_t i = 0; i < chunk.len; i++) {
        char c = chunk.data[i];
        if (scan->state == STATE_COPY_DATA) {
            copy_data_byte(scan, c);
            /* The rest of a line of data does not matter. */
            const char *newline = scan->copy_line_length == sizeof(scan->copy_line)
                                      ? memchr(chunk.data + i + 1, '\n', chunk.len - i - 1)
                                      : NULL;
            if (newline)
                i = (size_t)(newline - chunk.data) - 1;
            else if (scan->copy_line_length == sizeof(scan->copy_line))
                break;
            continue;
        }
        if (scan->state == STATE_COPY_HEAD) {
            if (c == '\n')
                scan->state = STATE_COPY_DATA;
            continue;
        }
        if (scan->state == STATE_META) {
            if (c != '\n')
                continue;
            sink(scan, chunk.data + mark, i + 1 - mark, out);
            mark = i + 1;
            end_meta(scan, out);
            continue;
        }
        bool ends = false, was_in_statement = scan->in_statement;
        while (step(scan, c, &ends, out))
            ;
        if (!was_in_statement && scan->in_statement && mark < i) {
            /* What lies before a statement is not held with it. (An operator that began with '-' or
               '/' is a byte late; no statement that matters does.) */
            if (out)
                rh_buf_add(out, chunk.data + mark, i - mark);
            mark = i;
        }
        if (ends) {
            sink(scan, chunk.data + mark, i + 1 - mark, out);
            mark = i + 1;
            end_statement(scan, out);
        }
    }
    if (mark < chunk.len)
        sink(scan, chunk.data + mark, chunk.len - mark, out);
}

void rh_sql_scan_end(struct sql_scan *scan, struct buf *out)
{
    if (scan->state == STATE_META)
        end_meta(scan, out);
    else if (scan->is_held)
        release(scan, out);
    forget_statement(scan);
    scan->state = STATE_TEXT;
}

bool rh_sql_scan_is_in_data(const struct sql_scan *scan)
{
    return scan->state == STATE_COPY_HEAD || scan->state == STATE_COPY_DATA;
}

/* --- what a load needs ------------------------------------------------------------------------ */

bool rh_sql_starts_with(const struct sql_statement *statement, const char *first,
                        const char *second)
{
    return statement->count >= 2 && is_word(&statement->tokens[0], first) &&
           is_word(&statement->tokens[1], second);
}

static void add_name(struct sql_needs *needs, bool is_created, const char *name)
{
    const char ***items = is_created ? &needs->created_roles.items : &needs->roles.items;
    size_t count = is_created ? needs->created_roles.count : needs->roles.count;

    for (size_t i = 0; i < count; i++)
        if (strcmp((*items)[i], name) == 0)
            return;
    if (is_created)
        *RH_PUSH(needs->arena, &needs->created_roles) = rh_arena_strdup(needs->arena, name);
    else
        *RH_PUSH(needs->arena, &needs->roles) = rh_arena_strdup(needs->arena, name);
}

/* Names from `at` on, separated by commas; returns where the list ends. */
static size_t add_list(struct sql_needs *needs, const struct sql_statement *statement, size_t at)
{
    /* Role specifications that are no names (manual, GRANT). */
    static const char *const special[] = {
        "public", "current_user", "session_user", "current_role", "all", "user", NULL};

    for (;; at++) {
        if (at < statement->count && is_word(&statement->tokens[at], "group"))
            at++;
        if (at >= statement->count)
            return at;
        const struct sql_token *token = &statement->tokens[at];
        if (token->kind != SQL_WORD && token->kind != SQL_NAME)
            return at;
        /* Roles whose name begins with pg_ are the server's own. */
        if (!is_one_of(token, special) && strncmp(token->text, "pg_", 3) != 0 && token->text[0])
            add_name(needs, false, token->text);
        at++;
        if (at >= statement->count || statement->tokens[at].kind != SQL_SYMBOL ||
            statement->tokens[at].text[0] != ',')
            return at;
    }
}

static size_t find_word(const struct sql_statement *statement, size_t from, const char *word)
{
    while (from < statement->count && !is_word(&statement->tokens[from], word))
        from++;
    return from;
}

/* GRANT and REVOKE, from their first word on. Without ON it is roles that are granted. */
static void add_grant(struct sql_needs *needs, const struct sql_statement *statement, size_t at)
{
    bool is_grant = is_word(&statement->tokens[at], "grant");
    size_t on = find_word(statement, at, "on");
    size_t to = find_word(statement, at, is_grant ? "to" : "from");

    if (on >= statement->count && to < statement->count) {
        size_t first = at + 1;
        /* REVOKE ADMIN OPTION FOR a FROM b */
        size_t option = find_word(statement, at, "for");
        add_list(needs, statement, option < to ? option + 1 : first);
    }
    size_t end = add_list(needs, statement, to + 1);
    size_t by = find_word(statement, end, "granted");
    if (by + 1 < statement->count && is_word(&statement->tokens[by + 1], "by"))
        add_list(needs, statement, by + 2);
}

/* Of what ALTER ... OWNER TO says: "must be superuser" (manual: ALTER EVENT TRIGGER, ALTER FOREIGN
   DATA WRAPPER, ALTER PUBLICATION of all tables, ALTER SUBSCRIPTION before 16). */
static bool is_for_superusers(const struct sql_statement *statement)
{
    return rh_sql_starts_with(statement, "alter", "event") ||
           rh_sql_starts_with(statement, "alter", "publication") ||
           rh_sql_starts_with(statement, "alter", "subscription") ||
           (rh_sql_starts_with(statement, "alter", "foreign") && statement->count > 2 &&
            is_word(&statement->tokens[2], "data"));
}

static void add_alter(struct sql_needs *needs, const struct sql_statement *statement)
{
    const struct sql_token *tokens = statement->tokens;

    if (rh_sql_starts_with(statement, "alter", "default")) {
        size_t to = find_word(statement, 2, "for");
        size_t grant = find_word(statement, 2, "grant"), revoke = find_word(statement, 2, "revoke");
        size_t action = grant < revoke ? grant : revoke;
        if (to + 1 < action &&
            (is_word(&tokens[to + 1], "role") || is_word(&tokens[to + 1], "user")))
            add_list(needs, statement, to + 2);
        if (action < statement->count)
            add_grant(needs, statement, action);
        return;
    }
    if (rh_sql_starts_with(statement, "alter", "policy")) {
        add_list(needs, statement, find_word(statement, 2, "to") + 1);
        return;
    }
    if ((rh_sql_starts_with(statement, "alter", "role") ||
         rh_sql_starts_with(statement, "alter", "user")) &&
        statement->count > 2 && !is_word(&tokens[2], "mapping"))
        add_list(needs, statement, 2);
    for (size_t i = 2; i + 2 < statement->count; i++) {
        if (!is_word(&tokens[i], "owner") || !is_word(&tokens[i + 1], "to"))
            continue;
        add_list(needs, statement, i + 2);
        if (is_for_superusers(statement))
            *RH_PUSH(needs->arena, &needs->superusers) = rh_arena_strdup(needs->arena,
                                                                         tokens[i + 2].text);
    }
}

static void add_create(struct sql_needs *needs, const struct sql_statement *statement)
{
    const struct sql_token *tokens = statement->tokens;

    if (statement->count < 3)
        return;
    if (is_word(&tokens[1], "user") && is_word(&tokens[2], "mapping")) {
        add_list(needs, statement, find_word(statement, 3, "for") + 1);
    } else if (is_word(&tokens[1], "role") || is_word(&tokens[1], "user") ||
               is_word(&tokens[1], "group")) {
        add_name(needs, true, tokens[2].text);
    } else if (is_word(&tokens[1], "schema")) {
        add_list(needs, statement, find_word(statement, 2, "authorization") + 1);
    } else if (is_word(&tokens[1], "policy")) {
        /* CREATE POLICY name ON table ... TO role, ... USING (...) */
        size_t to = find_word(statement, 3, "to"), using = find_word(statement, 3, "using");
        if (to < using)
            add_list(needs, statement, to + 1);
    }
}

void rh_sql_needs_add(struct sql_needs *needs, const struct sql_statement *statement)
{
    const struct sql_token *tokens = statement->tokens;

    if (statement->meta) {
        static const char *const includes[] = {"\\i ", "\\ir ", "\\include", "\\i\t", "\\ir\t"};
        for (size_t i = 0; i < sizeof(includes) / sizeof(includes[0]); i++)
            if (strncmp(statement->meta, includes[i], strlen(includes[i])) == 0)
                needs->includes_files = true;
        return;
    }
    if (is_word(&tokens[0], "grant") || is_word(&tokens[0], "revoke"))
        add_grant(needs, statement, 0);
    else if (is_word(&tokens[0], "alter"))
        add_alter(needs, statement);
    else if (is_word(&tokens[0], "create"))
        add_create(needs, statement);
    else if (rh_sql_starts_with(statement, "set", "role"))
        add_list(needs, statement, 2);
    else if (rh_sql_starts_with(statement, "set", "session") && statement->count > 3 &&
             is_word(&tokens[2], "authorization") && !is_word(&tokens[3], "default"))
        add_list(needs, statement, 3);
}

const char *rh_sql_extension_name(const struct sql_statement *statement)
{
    size_t at;

    if (rh_sql_starts_with(statement, "create", "extension") ||
        rh_sql_starts_with(statement, "alter", "extension") ||
        rh_sql_starts_with(statement, "drop", "extension"))
        at = 2;
    else if (rh_sql_starts_with(statement, "comment", "on") && statement->count > 3 &&
             is_word(&statement->tokens[2], "extension"))
        at = 3;
    else
        return NULL;
    while (at < statement->count &&
           (is_word(&statement->tokens[at], "if") || is_word(&statement->tokens[at], "not") ||
            is_word(&statement->tokens[at], "exists")))
        at++;
    return at < statement->count ? statement->tokens[at].text : NULL;
}
