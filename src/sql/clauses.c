#include "sql/clauses.h"

#include "sql/phrase.h"

#include <ctype.h>
#include <string.h>

struct reading {
    struct phrase phrase;
    struct statement *statement; /* whose clauses are filled */
};

static struct clause *add(const struct reading *reading, enum clause_kind kind,
                          const char *relation)
{
    struct clause *clause = RH_PUSH(reading->phrase.arena, &reading->statement->clauses);
    *clause = (struct clause){.kind = kind, .relation = relation};
    return clause;
}

/* The statement with CONCURRENTLY put before token `i`; NULL when nothing follows there. */
static const char *concurrently_before(const struct phrase *phrase, size_t i)
{
    const char *rest = rh_phrase_words(phrase, i, phrase->tokens.count);
    return rest ? rh_arena_printf(phrase->arena, "%s CONCURRENTLY %s",
                                  rh_phrase_words(phrase, 0, i), rest)
                : NULL;
}

/* --- index commands --- */

/* CREATE [UNIQUE] INDEX [IF NOT EXISTS] [name] ON [ONLY] table [USING method] (columns) ... */
static void read_create_index(const struct reading *reading)
{
    const struct phrase *phrase = &reading->phrase;
    size_t i = rh_phrase_is_word(phrase, 1, "unique") ? 3 : 2;
    if (!rh_phrase_is_word(phrase, i - 1, "index") || rh_phrase_is_word(phrase, i, "concurrently"))
        return;
    size_t insert_at = i;
    i = rh_phrase_skip_if_exists(phrase, i);
    if (!rh_phrase_is_word(phrase, i, "on"))
        i = rh_phrase_behind_name(phrase, i);
    if (!rh_phrase_is_word(phrase, i, "on"))
        return;
    i++;
    bool only = rh_phrase_is_word(phrase, i, "only");
    i += only;
    size_t end = rh_phrase_behind_name(phrase, i);
    struct clause *clause = add(reading, CLAUSE_CREATE_INDEX, rh_phrase_words(phrase, i, end));
    if (rh_phrase_is_word(phrase, end, "using"))
        end += 2;
    clause->columns = rh_phrase_inside_parentheses(phrase, end);
    if (!only) /* of a partitioned parent: it cannot be built concurrently, and is instant */
        clause->safe_form = concurrently_before(phrase, insert_at);
}

/* CONCURRENTLY takes one index and no CASCADE ("DROP INDEX", PostgreSQL 15 manual). */
static void read_drop_index(const struct reading *reading)
{
    const struct phrase *phrase = &reading->phrase;
    if (rh_phrase_is_word(phrase, 2, "concurrently"))
        return;
    size_t end = rh_phrase_behind_name(phrase, rh_phrase_skip_if_exists(phrase, 2));
    struct clause *clause = add(reading, CLAUSE_DROP_INDEX, NULL);
    if (end == phrase->tokens.count || rh_phrase_is_word(phrase, end, "restrict"))
        clause->safe_form = concurrently_before(phrase, 2);
}

static void read_reindex(const struct reading *reading)
{
    const struct phrase *phrase = &reading->phrase;
    size_t i = rh_phrase_is_kind(phrase, 1, SQL_TOKEN_OPEN)
                   ? rh_phrase_behind_parentheses(phrase, 1)
                   : 1;
    if (rh_phrase_is_word(phrase, i + 1, "concurrently"))
        return;
    struct clause *clause = add(reading, CLAUSE_REINDEX, NULL);
    if (i + 1 < phrase->tokens.count && !rh_phrase_is_word(phrase, i, "system"))
        clause->safe_form = concurrently_before(phrase, i + 1);
}

static void read_refresh(const struct reading *reading)
{
    const struct phrase *phrase = &reading->phrase;
    if (!rh_phrase_is_word(phrase, 1, "materialized") ||
        rh_phrase_is_word(phrase, 3, "concurrently") || phrase->tokens.count < 4)
        return;
    add(reading, CLAUSE_REFRESH, NULL)->safe_form = concurrently_before(phrase, 3);
}

/* --- ALTER TABLE --- */

/* Words that end a column's type or its default: those of a column constraint. */
static bool ends_type(const struct phrase *phrase, size_t i)
{
    static const char *const ends[] = {"default", "not",     "null",       "constraint", "check",
                                       "unique",  "primary", "references", "generated",  "using",
                                       "collate", "storage", "compression"};
    for (size_t e = 0; e < sizeof(ends) / sizeof(ends[0]); e++)
        if (rh_phrase_is_word(phrase, i, ends[e]))
            return true;
    return false;
}

/* From `i` to the first such word outside of parentheses, at most to `end`. */
static size_t behind_type(const struct phrase *phrase, size_t i, size_t end)
{
    while (i < end && !ends_type(phrase, i)) {
        size_t behind = rh_phrase_is_kind(phrase, i, SQL_TOKEN_OPEN)
                            ? rh_phrase_behind_parentheses(phrase, i)
                            : i;
        i = behind > i ? behind : i + 1;
    }
    return i < end ? i : end;
}

/* ADD [COLUMN] [IF NOT EXISTS] name type [DEFAULT expression] ...; `i` is behind ADD. */
static void read_add_column(const struct reading *reading, size_t i, size_t end, const char *table)
{
    const struct phrase *phrase = &reading->phrase;
    if (rh_phrase_is_word(phrase, i, "column"))
        i++;
    i = rh_phrase_skip_if_exists(phrase, i);
    size_t type = rh_phrase_behind_name(phrase, i);
    if (type == i || type >= end)
        return;
    struct clause *clause = add(reading, CLAUSE_ADD_COLUMN, table);
    clause->column = rh_phrase_words(phrase, i, type);
    size_t behind = behind_type(phrase, type, end);
    clause->definition = rh_phrase_words(phrase, type, behind);
    for (size_t at = behind; at < end; at++) {
        if (!rh_phrase_is_word(phrase, at, "default"))
            continue;
        /* DEFAULT NULL: the first word is the value whatever it is */
        size_t value = at + 1;
        size_t rest = rh_phrase_is_kind(phrase, value, SQL_TOKEN_OPEN) ? value : value + 1;
        if (value < end)
            clause->columns = rh_phrase_words(phrase, value, behind_type(phrase, rest, end));
        break;
    }
}

/* ADD [CONSTRAINT name] CHECK | UNIQUE | PRIMARY KEY | FOREIGN KEY | EXCLUDE; `i` is behind ADD. */
static bool read_add_constraint(const struct reading *reading, size_t i, size_t end,
                                const char *table)
{
    const struct phrase *phrase = &reading->phrase;
    const char *name = NULL;
    if (rh_phrase_is_word(phrase, i, "constraint")) {
        name = rh_phrase_words(phrase, i + 1, i + 2);
        i += 2;
    }
    bool is_not_valid = end >= 2 && rh_phrase_is_word(phrase, end - 2, "not") &&
                        rh_phrase_is_word(phrase, end - 1, "valid");
    struct clause clause = {.relation = table, .constraint = name};
    clause.definition = rh_phrase_words(phrase, i, end);
    if (rh_phrase_is_word(phrase, i, "check")) {
        clause.kind = CLAUSE_ADD_CHECK;
        clause.columns = rh_phrase_inside_parentheses(phrase, i + 1);
    } else if (rh_phrase_is_word(phrase, i, "foreign") && rh_phrase_is_word(phrase, i + 1, "key")) {
        clause.kind = CLAUSE_ADD_FOREIGN_KEY;
        clause.columns = rh_phrase_inside_parentheses(phrase, i + 2);
        size_t at = rh_phrase_behind_parentheses(phrase, i + 2);
        if (rh_phrase_is_word(phrase, at, "references")) {
            size_t behind = rh_phrase_behind_name(phrase, at + 1);
            clause.target = rh_phrase_words(phrase, at + 1, behind);
            clause.target_columns = rh_phrase_inside_parentheses(phrase, behind);
        }
    } else if (rh_phrase_is_word(phrase, i, "unique") || rh_phrase_is_word(phrase, i, "primary")) {
        clause.kind = rh_phrase_is_word(phrase, i, "unique") ? CLAUSE_ADD_UNIQUE
                                                             : CLAUSE_ADD_PRIMARY_KEY;
        while (i < end && !rh_phrase_is_kind(phrase, i, SQL_TOKEN_OPEN)) {
            if (rh_phrase_is_word(phrase, i, "using")) /* USING INDEX builds nothing */
                return true;
            i++;
        }
        clause.columns = rh_phrase_inside_parentheses(phrase, i);
    } else if (rh_phrase_is_word(phrase, i, "exclude")) {
        clause.kind = CLAUSE_ADD_EXCLUDE;
    } else {
        return name != NULL; /* a constraint of a kind not known here */
    }
    if (!is_not_valid)
        *add(reading, clause.kind, table) = clause;
    return true;
}

/* ALTER [COLUMN] name TYPE type | SET DATA TYPE type | SET NOT NULL; `i` is behind ALTER. */
static void read_alter_column(const struct reading *reading, size_t i, size_t end,
                              const char *table)
{
    const struct phrase *phrase = &reading->phrase;
    if (rh_phrase_is_word(phrase, i, "column"))
        i++;
    size_t at = rh_phrase_behind_name(phrase, i);
    const char *column = rh_phrase_words(phrase, i, at);
    if (!column)
        return;
    if (rh_phrase_is_word(phrase, at, "set") && rh_phrase_is_word(phrase, at + 1, "not") &&
        rh_phrase_is_word(phrase, at + 2, "null")) {
        add(reading, CLAUSE_SET_NOT_NULL, table)->column = column;
        return;
    }
    if (rh_phrase_is_word(phrase, at, "set") && rh_phrase_is_word(phrase, at + 1, "data"))
        at += 2;
    if (!rh_phrase_is_word(phrase, at, "type"))
        return;
    struct clause *clause = add(reading, CLAUSE_COLUMN_TYPE, table);
    clause->column = column;
    clause->definition = rh_phrase_words(phrase, at + 1, behind_type(phrase, at + 1, end));
    for (size_t using_at = at + 1; using_at < end; using_at++)
        if (rh_phrase_is_word(phrase, using_at, "using")) {
            clause->expression = rh_phrase_words(phrase, using_at + 1, end);
            break;
        }
}

static bool says_if_not_exists(const struct phrase *phrase, size_t i)
{
    return rh_phrase_is_word(phrase, i, "if") && rh_phrase_is_word(phrase, i + 1, "not") &&
           rh_phrase_is_word(phrase, i + 2, "exists");
}

static void add_if_not_exists(const struct reading *reading, const char *what, const char *relation,
                              const char *name, const char *before, const char *after)
{
    struct clause *clause = add(reading, CLAUSE_IF_NOT_EXISTS, relation);
    clause->definition = what;
    clause->column = name;
    clause->before_relation = before;
    clause->after_relation = after;
}

/* ADD [COLUMN] IF NOT EXISTS name type ...; `i` is at ADD. */
static void read_skippable_column(const struct reading *reading, size_t i, size_t end,
                                  const char *table)
{
    const struct phrase *phrase = &reading->phrase;
    size_t name = i + 1 + rh_phrase_is_word(phrase, i + 1, "column");
    if (!says_if_not_exists(phrase, name))
        return;
    size_t behind = rh_phrase_behind_name(phrase, name + 3);
    const char *column = rh_phrase_words(phrase, name + 3, behind);
    const char *rest = rh_phrase_words(phrase, behind, end);
    if (column && rest && behind < end)
        add_if_not_exists(reading, "table column", table, column, "ALTER TABLE",
                          rh_arena_printf(phrase->arena, "ADD COLUMN %s %s", column, rest));
}

static void read_action(const struct reading *reading, size_t i, size_t end, const char *table)
{
    const struct phrase *phrase = &reading->phrase;
    if (rh_phrase_is_word(phrase, i, "add")) {
        read_skippable_column(reading, i, end, table);
        if (!read_add_constraint(reading, i + 1, end, table))
            read_add_column(reading, i + 1, end, table);
    } else if (rh_phrase_is_word(phrase, i, "alter")) {
        read_alter_column(reading, i + 1, end, table);
    }
}

/* ALTER TABLE [IF EXISTS] [ONLY] name [*] action [, ...] */
static void read_alter_table(const struct reading *reading)
{
    const struct phrase *phrase = &reading->phrase;
    size_t i = rh_phrase_skip_if_exists(phrase, 2);
    if (rh_phrase_is_word(phrase, i, "only"))
        i++;
    size_t end = rh_phrase_behind_name(phrase, i);
    const char *table = rh_phrase_words(phrase, i, end);
    if (!table)
        return;
    i = end + rh_phrase_is_char(phrase, end, '*');
    while (i < phrase->tokens.count) {
        size_t comma = i;
        while (comma < phrase->tokens.count && !rh_phrase_is_char(phrase, comma, ',')) {
            size_t behind = rh_phrase_is_kind(phrase, comma, SQL_TOKEN_OPEN)
                                ? rh_phrase_behind_parentheses(phrase, comma)
                                : comma;
            comma = behind > comma ? behind : comma + 1;
        }
        read_action(reading, i, comma, table);
        i = comma + 1;
    }
}

/* --- what IF NOT EXISTS may pass over --- */

/* CREATE [UNIQUE] INDEX [CONCURRENTLY] IF NOT EXISTS name ON [ONLY] table ... */
static void read_skippable_index(const struct reading *reading)
{
    const struct phrase *phrase = &reading->phrase;
    bool is_unique = rh_phrase_is_word(phrase, 1, "unique");
    size_t i = is_unique ? 2 : 1;
    if (!rh_phrase_is_word(phrase, i, "index"))
        return;
    i += 1 + rh_phrase_is_word(phrase, i + 1, "concurrently");
    if (!says_if_not_exists(phrase, i))
        return;
    size_t on = rh_phrase_behind_name(phrase, i + 3);
    if (!rh_phrase_is_word(phrase, on, "on"))
        return;
    size_t table = on + 1 + rh_phrase_is_word(phrase, on + 1, "only");
    size_t behind = rh_phrase_behind_name(phrase, table);
    const char *rest = rh_phrase_words(phrase, behind, phrase->tokens.count);
    if (behind > table && rest)
        add_if_not_exists(reading, "index", rh_phrase_words(phrase, table, behind),
                          rh_phrase_words(phrase, i + 3, on),
                          is_unique ? "CREATE UNIQUE INDEX ON" : "CREATE INDEX ON", rest);
}

/* CREATE [UNLOGGED] TABLE IF NOT EXISTS name (...) ...; not AS SELECT, which would run the query.
 */
static void read_skippable_table(const struct reading *reading)
{
    const struct phrase *phrase = &reading->phrase;
    size_t i = rh_phrase_is_word(phrase, 1, "unlogged") ? 2 : 1;
    if (!rh_phrase_is_word(phrase, i, "table") || !says_if_not_exists(phrase, i + 1))
        return;
    size_t behind = rh_phrase_behind_name(phrase, i + 4);
    if (behind > i + 4 && rh_phrase_is_kind(phrase, behind, SQL_TOKEN_OPEN))
        add_if_not_exists(reading, "table", rh_phrase_words(phrase, i + 4, behind),
                          rh_phrase_words(phrase, i + 4, behind), "CREATE TABLE",
                          rh_phrase_words(phrase, behind, phrase->tokens.count));
}

/* --- UPDATE --- */

static size_t behind_item(const struct phrase *phrase, size_t i, size_t end)
{
    while (i < end && !rh_phrase_is_char(phrase, i, ',')) {
        size_t behind = rh_phrase_is_kind(phrase, i, SQL_TOKEN_OPEN)
                            ? rh_phrase_behind_parentheses(phrase, i)
                            : i;
        i = behind > i ? behind : i + 1;
    }
    return i < end ? i : end;
}

/* NULL as a value, or what is made to give one; not IS [NOT] NULL. */
static bool says_null(const struct phrase *phrase, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++)
        if (rh_phrase_is_word(phrase, i, "nullif") || rh_phrase_is_word(phrase, i, "default") ||
            (rh_phrase_is_word(phrase, i, "null") &&
             !(i > from && (rh_phrase_is_word(phrase, i - 1, "is") ||
                            rh_phrase_is_word(phrase, i - 1, "not")))))
            return true;
    return false;
}

/* As the catalogue would quote it: what need not be quoted is in lower case. */
static const char *folded(const struct phrase *phrase, size_t i)
{
    char *name = (char *)rh_phrase_words(phrase, i, i + 1);
    for (char *c = name; rh_phrase_is_kind(phrase, i, SQL_TOKEN_WORD) && *c; c++)
        *c = (char)tolower((unsigned char)*c);
    return name;
}

static const char *names_in(const struct phrase *phrase, size_t from, size_t to)
{
    const char *names = "";
    for (size_t i = from; i < to; i++) {
        if (rh_phrase_is_word(phrase, i, "select"))
            return "";
        bool is_name = rh_phrase_is_kind(phrase, i, SQL_TOKEN_WORD) ||
                       rh_phrase_is_kind(phrase, i, SQL_TOKEN_QUOTED_IDENTIFIER);
        if (is_name && !rh_phrase_is_kind(phrase, i + 1, SQL_TOKEN_OPEN) &&
            !rh_phrase_is_char(phrase, i + 1, '.'))
            names = rh_arena_printf(phrase->arena, "%s%s%s", names, names[0] ? "," : "",
                                    folded(phrase, i));
    }
    return names;
}

/* UPDATE [ONLY] name [*] [[AS] alias] SET column = expression [, ...] [FROM | WHERE | RETURNING] */
static void read_update(const struct reading *reading)
{
    const struct phrase *phrase = &reading->phrase;
    size_t i = 1 + rh_phrase_is_word(phrase, 1, "only");
    size_t behind = rh_phrase_behind_name(phrase, i);
    const char *table = rh_phrase_words(phrase, i, behind);
    if (behind == i)
        return;
    size_t set = behind;
    while (set < phrase->tokens.count && set < behind + 4 && !rh_phrase_is_word(phrase, set, "set"))
        set++;
    if (!rh_phrase_is_word(phrase, set, "set"))
        return;
    size_t end = set + 1;
    while (end < phrase->tokens.count && !rh_phrase_is_word(phrase, end, "where") &&
           !rh_phrase_is_word(phrase, end, "returning") &&
           !(rh_phrase_is_word(phrase, end, "from") &&
             !rh_phrase_is_word(phrase, end - 1, "distinct"))) {
        size_t closed = rh_phrase_is_kind(phrase, end, SQL_TOKEN_OPEN)
                            ? rh_phrase_behind_parentheses(phrase, end)
                            : end;
        end = closed > end ? closed : end + 1;
    }
    for (size_t at = set + 1, item = at; at < end; at = item + 1) {
        item = behind_item(phrase, at, end);
        size_t value = rh_phrase_behind_name(phrase, at);
        if (value != at + 1 || !rh_phrase_is_char(phrase, value, '=') || value + 1 >= item ||
            says_null(phrase, value + 1, item))
            continue;
        struct clause *clause = add(reading, CLAUSE_SET_VALUE, table);
        clause->column = folded(phrase, at);
        clause->expression = rh_phrase_words(phrase, value + 1, item);
        clause->columns = names_in(phrase, value + 1, item);
    }
}

/* --- all of them --- */

static void read_statement(struct statement *statement, struct arena *arena)
{
    struct reading reading = {.statement = statement};
    const struct phrase *phrase = &reading.phrase;
    if (!rh_phrase_read(&reading.phrase, rh_text(statement->sql), arena, CLAUSE_TOKENS_MAX))
        return;
    if (rh_phrase_is_word(phrase, 0, "create")) {
        read_create_index(&reading);
        read_skippable_index(&reading);
        read_skippable_table(&reading);
    } else if (rh_phrase_is_word(phrase, 0, "update"))
        read_update(&reading);
    else if (rh_phrase_is_word(phrase, 0, "drop") && rh_phrase_is_word(phrase, 1, "index"))
        read_drop_index(&reading);
    else if (rh_phrase_is_word(phrase, 0, "reindex"))
        read_reindex(&reading);
    else if (rh_phrase_is_word(phrase, 0, "refresh"))
        read_refresh(&reading);
    else if (rh_phrase_is_word(phrase, 0, "alter") && rh_phrase_is_word(phrase, 1, "table"))
        read_alter_table(&reading);
}

void rh_sql_clauses(struct statement *statement, struct arena *arena)
{
    if (statement->sql)
        read_statement(statement, arena);
    for (size_t i = 0; i < statement->children.count; i++)
        rh_sql_clauses(&statement->children.items[i], arena);
}
