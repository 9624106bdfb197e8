#include "sql/clauses.h"

#include "sql/lexer.h"

#include <ctype.h>
#include <string.h>

/* Significant tokens of one statement, its semicolon left out. */
struct phrase {
    struct text sql;
    struct arena *arena;
    struct statement *statement;
    VEC(struct sql_token) tokens;
};

static bool read_phrase(struct phrase *phrase)
{
    struct sql_lexer lexer = rh_sql_lexer(phrase->sql);
    struct sql_token token;
    bool has_ended = false;
    while (rh_sql_lexer_next(&lexer, &token)) {
        if (!rh_sql_token_is_significant(&token))
            continue;
        if (token.kind == SQL_TOKEN_SEMICOLON) {
            has_ended = true;
            continue;
        }
        /* A string of several statements: its pieces are children, each looked at alone. */
        if (has_ended || phrase->tokens.count >= CLAUSE_TOKENS_MAX)
            return false;
        *RH_PUSH(phrase->arena, &phrase->tokens) = token;
    }
    return true;
}

static bool word_is(const struct phrase *phrase, size_t i, const char *word)
{
    return i < phrase->tokens.count &&
           rh_sql_token_is_word(phrase->sql, &phrase->tokens.items[i], word);
}

static bool kind_is(const struct phrase *phrase, size_t i, enum sql_token_kind kind)
{
    return i < phrase->tokens.count && phrase->tokens.items[i].kind == kind;
}

static bool char_is(const struct phrase *phrase, size_t i, char c)
{
    return kind_is(phrase, i, SQL_TOKEN_OTHER) &&
           phrase->sql.data[phrase->tokens.items[i].offset] == c;
}

/* The text of tokens [from, to) as written, what stands between them included; NULL for none. */
static const char *words(const struct phrase *phrase, size_t from, size_t to)
{
    if (to > phrase->tokens.count)
        to = phrase->tokens.count;
    if (from >= to)
        return NULL;
    const struct sql_token *first = &phrase->tokens.items[from];
    const struct sql_token *last = &phrase->tokens.items[to - 1];
    return rh_arena_strndup(phrase->arena, phrase->sql.data + first->offset,
                            last->offset + last->len - first->offset);
}

/* Behind the name at `i` (a, "a", a.b.c); `i` itself when there is none. */
static size_t behind_name(const struct phrase *phrase, size_t i)
{
    size_t at = i;
    while (kind_is(phrase, at, SQL_TOKEN_WORD) ||
           kind_is(phrase, at, SQL_TOKEN_QUOTED_IDENTIFIER)) {
        at++;
        if (!char_is(phrase, at, '.'))
            return at;
        at++;
    }
    return i;
}

/* Behind the parentheses that open at `i`; `i` itself when none open there, or they never close. */
static size_t behind_parentheses(const struct phrase *phrase, size_t i)
{
    size_t depth = 0;
    for (size_t at = i; at < phrase->tokens.count; at++) {
        if (kind_is(phrase, at, SQL_TOKEN_OPEN))
            depth++;
        else if (kind_is(phrase, at, SQL_TOKEN_CLOSE) && depth > 0)
            depth--;
        if (depth == 0)
            return at == i ? i : at + 1;
    }
    return i;
}

/* What stands between the parentheses that open at `i`; NULL for none. */
static const char *inside_parentheses(const struct phrase *phrase, size_t i)
{
    size_t end = behind_parentheses(phrase, i);
    return end > i + 1 ? words(phrase, i + 1, end - 1) : NULL;
}

static struct clause *add(const struct phrase *phrase, enum clause_kind kind, const char *relation)
{
    struct clause *clause = RH_PUSH(phrase->arena, &phrase->statement->clauses);
    *clause = (struct clause){.kind = kind, .relation = relation};
    return clause;
}

/* The statement with CONCURRENTLY put before token `i`; NULL when nothing follows there. */
static const char *concurrently_before(const struct phrase *phrase, size_t i)
{
    const char *rest = words(phrase, i, phrase->tokens.count);
    return rest ? rh_arena_printf(phrase->arena, "%s CONCURRENTLY %s", words(phrase, 0, i), rest)
                : NULL;
}

static size_t skip_if_exists(const struct phrase *phrase, size_t i)
{
    if (word_is(phrase, i, "if"))
        i += word_is(phrase, i + 1, "not") ? 3 : 2;
    return i;
}

/* --- index commands --- */

/* CREATE [UNIQUE] INDEX [IF NOT EXISTS] [name] ON [ONLY] table [USING method] (columns) ... */
static void read_create_index(const struct phrase *phrase)
{
    size_t i = word_is(phrase, 1, "unique") ? 3 : 2;
    if (!word_is(phrase, i - 1, "index") || word_is(phrase, i, "concurrently"))
        return;
    size_t insert_at = i;
    i = skip_if_exists(phrase, i);
    if (!word_is(phrase, i, "on"))
        i = behind_name(phrase, i);
    if (!word_is(phrase, i, "on"))
        return;
    i++;
    bool only = word_is(phrase, i, "only");
    i += only;
    size_t end = behind_name(phrase, i);
    struct clause *clause = add(phrase, CLAUSE_CREATE_INDEX, words(phrase, i, end));
    if (word_is(phrase, end, "using"))
        end += 2;
    clause->columns = inside_parentheses(phrase, end);
    if (!only) /* of a partitioned parent: it cannot be built concurrently, and is instant */
        clause->safe_form = concurrently_before(phrase, insert_at);
}

/* CONCURRENTLY takes one index and no CASCADE ("DROP INDEX", PostgreSQL 15 manual). */
static void read_drop_index(const struct phrase *phrase)
{
    if (word_is(phrase, 2, "concurrently"))
        return;
    size_t end = behind_name(phrase, skip_if_exists(phrase, 2));
    struct clause *clause = add(phrase, CLAUSE_DROP_INDEX, NULL);
    if (end == phrase->tokens.count || word_is(phrase, end, "restrict"))
        clause->safe_form = concurrently_before(phrase, 2);
}

static void read_reindex(const struct phrase *phrase)
{
    size_t i = kind_is(phrase, 1, SQL_TOKEN_OPEN) ? behind_parentheses(phrase, 1) : 1;
    if (word_is(phrase, i + 1, "concurrently"))
        return;
    struct clause *clause = add(phrase, CLAUSE_REINDEX, NULL);
    if (i + 1 < phrase->tokens.count && !word_is(phrase, i, "system"))
        clause->safe_form = concurrently_before(phrase, i + 1);
}

static void read_refresh(const struct phrase *phrase)
{
    if (!word_is(phrase, 1, "materialized") || word_is(phrase, 3, "concurrently") ||
        phrase->tokens.count < 4)
        return;
    add(phrase, CLAUSE_REFRESH, NULL)->safe_form = concurrently_before(phrase, 3);
}

/* --- ALTER TABLE --- */

/* Words that end a column's type or its default: those of a column constraint. */
static bool ends_type(const struct phrase *phrase, size_t i)
{
    static const char *const ends[] = {"default", "not",     "null",       "constraint", "check",
                                       "unique",  "primary", "references", "generated",  "using",
                                       "collate", "storage", "compression"};
    for (size_t e = 0; e < sizeof(ends) / sizeof(ends[0]); e++)
        if (word_is(phrase, i, ends[e]))
            return true;
    return false;
}

/* From `i` to the first such word outside of parentheses, at most to `end`. */
static size_t behind_type(const struct phrase *phrase, size_t i, size_t end)
{
    while (i < end && !ends_type(phrase, i)) {
        size_t behind = kind_is(phrase, i, SQL_TOKEN_OPEN) ? behind_parentheses(phrase, i) : i;
        i = behind > i ? behind : i + 1;
    }
    return i < end ? i : end;
}

/* ADD [COLUMN] [IF NOT EXISTS] name type [DEFAULT expression] ...; `i` is behind ADD. */
static void read_add_column(const struct phrase *phrase, size_t i, size_t end, const char *table)
{
    if (word_is(phrase, i, "column"))
        i++;
    i = skip_if_exists(phrase, i);
    size_t type = behind_name(phrase, i);
    if (type == i || type >= end)
        return;
    struct clause *clause = add(phrase, CLAUSE_ADD_COLUMN, table);
    clause->column = words(phrase, i, type);
    size_t behind = behind_type(phrase, type, end);
    clause->definition = words(phrase, type, behind);
    for (size_t at = behind; at < end; at++) {
        if (!word_is(phrase, at, "default"))
            continue;
        /* DEFAULT NULL: the first word is the value whatever it is */
        size_t value = at + 1;
        size_t rest = kind_is(phrase, value, SQL_TOKEN_OPEN) ? value : value + 1;
        if (value < end)
            clause->columns = words(phrase, value, behind_type(phrase, rest, end));
        break;
    }
}

/* ADD [CONSTRAINT name] CHECK | UNIQUE | PRIMARY KEY | FOREIGN KEY | EXCLUDE; `i` is behind ADD. */
static bool read_add_constraint(const struct phrase *phrase, size_t i, size_t end,
                                const char *table)
{
    const char *name = NULL;
    if (word_is(phrase, i, "constraint")) {
        name = words(phrase, i + 1, i + 2);
        i += 2;
    }
    bool is_not_valid = end >= 2 && word_is(phrase, end - 2, "not") &&
                        word_is(phrase, end - 1, "valid");
    struct clause clause = {.relation = table, .constraint = name};
    clause.definition = words(phrase, i, end);
    if (word_is(phrase, i, "check")) {
        clause.kind = CLAUSE_ADD_CHECK;
        clause.columns = inside_parentheses(phrase, i + 1);
    } else if (word_is(phrase, i, "foreign") && word_is(phrase, i + 1, "key")) {
        clause.kind = CLAUSE_ADD_FOREIGN_KEY;
        clause.columns = inside_parentheses(phrase, i + 2);
        size_t at = behind_parentheses(phrase, i + 2);
        if (word_is(phrase, at, "references")) {
            size_t behind = behind_name(phrase, at + 1);
            clause.target = words(phrase, at + 1, behind);
            clause.target_columns = inside_parentheses(phrase, behind);
        }
    } else if (word_is(phrase, i, "unique") || word_is(phrase, i, "primary")) {
        clause.kind = word_is(phrase, i, "unique") ? CLAUSE_ADD_UNIQUE : CLAUSE_ADD_PRIMARY_KEY;
        while (i < end && !kind_is(phrase, i, SQL_TOKEN_OPEN)) {
            if (word_is(phrase, i, "using")) /* USING INDEX builds nothing */
                return true;
            i++;
        }
        clause.columns = inside_parentheses(phrase, i);
    } else if (word_is(phrase, i, "exclude")) {
        clause.kind = CLAUSE_ADD_EXCLUDE;
    } else {
        return name != NULL; /* a constraint of a kind not known here */
    }
    if (!is_not_valid)
        *add(phrase, clause.kind, table) = clause;
    return true;
}

/* ALTER [COLUMN] name TYPE type | SET DATA TYPE type | SET NOT NULL; `i` is behind ALTER. */
static void read_alter_column(const struct phrase *phrase, size_t i, size_t end, const char *table)
{
    if (word_is(phrase, i, "column"))
        i++;
    size_t at = behind_name(phrase, i);
    const char *column = words(phrase, i, at);
    if (!column)
        return;
    if (word_is(phrase, at, "set") && word_is(phrase, at + 1, "not") &&
        word_is(phrase, at + 2, "null")) {
        add(phrase, CLAUSE_SET_NOT_NULL, table)->column = column;
        return;
    }
    if (word_is(phrase, at, "set") && word_is(phrase, at + 1, "data"))
        at += 2;
    if (!word_is(phrase, at, "type"))
        return;
    struct clause *clause = add(phrase, CLAUSE_COLUMN_TYPE, table);
    clause->column = column;
    clause->definition = words(phrase, at + 1, behind_type(phrase, at + 1, end));
    for (size_t using_at = at + 1; using_at < end; using_at++)
        if (word_is(phrase, using_at, "using")) {
            clause->expression = words(phrase, using_at + 1, end);
            break;
        }
}

static bool says_if_not_exists(const struct phrase *phrase, size_t i)
{
    return word_is(phrase, i, "if") && word_is(phrase, i + 1, "not") &&
           word_is(phrase, i + 2, "exists");
}

static void add_if_not_exists(const struct phrase *phrase, const char *what, const char *relation,
                              const char *name, const char *before, const char *after)
{
    struct clause *clause = add(phrase, CLAUSE_IF_NOT_EXISTS, relation);
    clause->definition = what;
    clause->column = name;
    clause->before_relation = before;
    clause->after_relation = after;
}

/* ADD [COLUMN] IF NOT EXISTS name type ...; `i` is at ADD. */
static void read_skippable_column(const struct phrase *phrase, size_t i, size_t end,
                                  const char *table)
{
    size_t name = i + 1 + word_is(phrase, i + 1, "column");
    if (!says_if_not_exists(phrase, name))
        return;
    size_t behind = behind_name(phrase, name + 3);
    const char *column = words(phrase, name + 3, behind);
    const char *rest = words(phrase, behind, end);
    if (column && rest && behind < end)
        add_if_not_exists(phrase, "table column", table, column, "ALTER TABLE",
                          rh_arena_printf(phrase->arena, "ADD COLUMN %s %s", column, rest));
}

static void read_action(const struct phrase *phrase, size_t i, size_t end, const char *table)
{
    if (word_is(phrase, i, "add")) {
        read_skippable_column(phrase, i, end, table);
        if (!read_add_constraint(phrase, i + 1, end, table))
            read_add_column(phrase, i + 1, end, table);
    } else if (word_is(phrase, i, "alter")) {
        read_alter_column(phrase, i + 1, end, table);
    }
}

/* ALTER TABLE [IF EXISTS] [ONLY] name [*] action [, ...] */
static void read_alter_table(const struct phrase *phrase)
{
    size_t i = skip_if_exists(phrase, 2);
    if (word_is(phrase, i, "only"))
        i++;
    size_t end = behind_name(phrase, i);
    const char *table = words(phrase, i, end);
    if (!table)
        return;
    i = end + char_is(phrase, end, '*');
    while (i < phrase->tokens.count) {
        size_t comma = i;
        while (comma < phrase->tokens.count && !char_is(phrase, comma, ',')) {
            size_t behind = kind_is(phrase, comma, SQL_TOKEN_OPEN)
                                ? behind_parentheses(phrase, comma)
                                : comma;
            comma = behind > comma ? behind : comma + 1;
        }
        read_action(phrase, i, comma, table);
        i = comma + 1;
    }
}

/* --- what IF NOT EXISTS may pass over --- */

/* CREATE [UNIQUE] INDEX [CONCURRENTLY] IF NOT EXISTS name ON [ONLY] table ... */
static void read_skippable_index(const struct phrase *phrase)
{
    bool is_unique = word_is(phrase, 1, "unique");
    size_t i = is_unique ? 2 : 1;
    if (!word_is(phrase, i, "index"))
        return;
    i += 1 + word_is(phrase, i + 1, "concurrently");
    if (!says_if_not_exists(phrase, i))
        return;
    size_t on = behind_name(phrase, i + 3);
    if (!word_is(phrase, on, "on"))
        return;
    size_t table = on + 1 + word_is(phrase, on + 1, "only");
    size_t behind = behind_name(phrase, table);
    const char *rest = words(phrase, behind, phrase->tokens.count);
    if (behind > table && rest)
        add_if_not_exists(phrase, "index", words(phrase, table, behind), words(phrase, i + 3, on),
                          is_unique ? "CREATE UNIQUE INDEX ON" : "CREATE INDEX ON", rest);
}

/* CREATE [UNLOGGED] TABLE IF NOT EXISTS name (...) ...; not AS SELECT, which would run the query.
 */
static void read_skippable_table(const struct phrase *phrase)
{
    size_t i = word_is(phrase, 1, "unlogged") ? 2 : 1;
    if (!word_is(phrase, i, "table") || !says_if_not_exists(phrase, i + 1))
        return;
    size_t behind = behind_name(phrase, i + 4);
    if (behind > i + 4 && kind_is(phrase, behind, SQL_TOKEN_OPEN))
        add_if_not_exists(phrase, "table", words(phrase, i + 4, behind),
                          words(phrase, i + 4, behind), "CREATE TABLE",
                          words(phrase, behind, phrase->tokens.count));
}

/* --- UPDATE --- */

static size_t behind_item(const struct phrase *phrase, size_t i, size_t end)
{
    while (i < end && !char_is(phrase, i, ',')) {
        size_t behind = kind_is(phrase, i, SQL_TOKEN_OPEN) ? behind_parentheses(phrase, i) : i;
        i = behind > i ? behind : i + 1;
    }
    return i < end ? i : end;
}

/* NULL as a value, or what is made to give one; not IS [NOT] NULL. */
static bool says_null(const struct phrase *phrase, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++)
        if (word_is(phrase, i, "nullif") || word_is(phrase, i, "default") ||
            (word_is(phrase, i, "null") &&
             !(i > from && (word_is(phrase, i - 1, "is") || word_is(phrase, i - 1, "not")))))
            return true;
    return false;
}

/* As the catalogue would quote it: what need not be quoted is in lower case. */
static const char *folded(const struct phrase *phrase, size_t i)
{
    char *name = (char *)words(phrase, i, i + 1);
    for (char *c = name; kind_is(phrase, i, SQL_TOKEN_WORD) && *c; c++)
        *c = (char)tolower((unsigned char)*c);
    return name;
}

static const char *names_in(const struct phrase *phrase, size_t from, size_t to)
{
    const char *names = "";
    for (size_t i = from; i < to; i++) {
        if (word_is(phrase, i, "select"))
            return "";
        bool is_name = kind_is(phrase, i, SQL_TOKEN_WORD) ||
                       kind_is(phrase, i, SQL_TOKEN_QUOTED_IDENTIFIER);
        if (is_name && !kind_is(phrase, i + 1, SQL_TOKEN_OPEN) && !char_is(phrase, i + 1, '.'))
            names = rh_arena_printf(phrase->arena, "%s%s%s", names, names[0] ? "," : "",
                                    folded(phrase, i));
    }
    return names;
}

/* UPDATE [ONLY] name [*] [[AS] alias] SET column = expression [, ...] [FROM | WHERE | RETURNING] */
static void read_update(const struct phrase *phrase)
{
    size_t i = 1 + word_is(phrase, 1, "only");
    size_t behind = behind_name(phrase, i);
    const char *table = words(phrase, i, behind);
    if (behind == i)
        return;
    size_t set = behind;
    while (set < phrase->tokens.count && set < behind + 4 && !word_is(phrase, set, "set"))
        set++;
    if (!word_is(phrase, set, "set"))
        return;
    size_t end = set + 1;
    while (end < phrase->tokens.count && !word_is(phrase, end, "where") &&
           !word_is(phrase, end, "returning") &&
           !(word_is(phrase, end, "from") && !word_is(phrase, end - 1, "distinct"))) {
        size_t closed = kind_is(phrase, end, SQL_TOKEN_OPEN) ? behind_parentheses(phrase, end)
                                                             : end;
        end = closed > end ? closed : end + 1;
    }
    for (size_t at = set + 1, item = at; at < end; at = item + 1) {
        item = behind_item(phrase, at, end);
        size_t value = behind_name(phrase, at);
        if (value != at + 1 || !char_is(phrase, value, '=') || value + 1 >= item ||
            says_null(phrase, value + 1, item))
            continue;
        struct clause *clause = add(phrase, CLAUSE_SET_VALUE, table);
        clause->column = folded(phrase, at);
        clause->expression = words(phrase, value + 1, item);
        clause->columns = names_in(phrase, value + 1, item);
    }
}

/* --- all of them --- */

static void read_statement(struct statement *statement, struct arena *arena)
{
    struct phrase phrase = {.sql = rh_text(statement->sql), .arena = arena, .statement = statement};
    if (!read_phrase(&phrase))
        return;
    if (word_is(&phrase, 0, "create")) {
        read_create_index(&phrase);
        read_skippable_index(&phrase);
        read_skippable_table(&phrase);
    } else if (word_is(&phrase, 0, "update"))
        read_update(&phrase);
    else if (word_is(&phrase, 0, "drop") && word_is(&phrase, 1, "index"))
        read_drop_index(&phrase);
    else if (word_is(&phrase, 0, "reindex"))
        read_reindex(&phrase);
    else if (word_is(&phrase, 0, "refresh"))
        read_refresh(&phrase);
    else if (word_is(&phrase, 0, "alter") && word_is(&phrase, 1, "table"))
        read_alter_table(&phrase);
}

void rh_sql_clauses(struct statement *statement, struct arena *arena)
{
    if (statement->sql)
        read_statement(statement, arena);
    for (size_t i = 0; i < statement->children.count; i++)
        rh_sql_clauses(&statement->children.items[i], arena);
}
