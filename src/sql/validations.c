#include "sql/validations.h"

#include "sql/phrase.h"

static bool is_word(const struct phrase *phrase, size_t i, const char *word)
{
    return rh_phrase_is_word(phrase, i, word);
}

static struct validation_clause *add(const struct phrase *phrase, struct validation *validation,
                                     enum validation_clause_kind kind, size_t from, size_t to)
{
    struct validation_clause *clause = RH_PUSH(phrase->arena, &validation->clauses);
    *clause = (struct validation_clause){.kind = kind, .text = rh_phrase_words(phrase, from, to)};
    return clause;
}

/* The first of these words at or behind `i`, outside of parentheses; `end` when there is none.
   IS DISTINCT FROM is no FROM. */
static size_t find_word(const struct phrase *phrase, size_t i, size_t end, const char *word)
{
    while (i < end) {
        size_t behind = rh_phrase_behind_parentheses(phrase, i);
        if (is_word(phrase, i, word) && !(i > 0 && is_word(phrase, i - 1, "distinct")))
            return i;
        i = behind > i ? behind : i + 1;
    }
    return end;
}

/* Takes the table's name at `i`; returns the place behind it, 0 when there is none. */
static size_t take_relation(const struct phrase *phrase, size_t i, struct validation *validation)
{
    validation->only = is_word(phrase, i, "only");
    i += validation->only;
    size_t end = rh_phrase_behind_name(phrase, i);
    validation->relation = rh_phrase_words(phrase, i, end);
    return validation->relation ? end + rh_phrase_is_char(phrase, end, '*') : 0;
}

/* CREATE [UNIQUE] INDEX [CONCURRENTLY] [[IF NOT EXISTS] name] ON [ONLY] table ... */
static bool read_create_index(const struct phrase *phrase, struct validation *validation)
{
    validation->unique = is_word(phrase, 1, "unique");
    size_t i = validation->unique ? 3 : 2;
    i += is_word(phrase, i, "concurrently");
    i = rh_phrase_skip_if_exists(phrase, i);
    if (!is_word(phrase, i, "on")) {
        size_t end = rh_phrase_behind_name(phrase, i);
        validation->index = rh_phrase_words(phrase, i, end);
        i = end;
    }
    size_t end = is_word(phrase, i, "on") ? take_relation(phrase, i + 1, validation) : 0;
    validation->definition = end ? rh_phrase_words(phrase, end, phrase->tokens.count) : NULL;
    return validation->definition != NULL;
}

/* A bound at `i`: FOR VALUES IN (...) | FROM (...) TO (...) | WITH (...), or DEFAULT; NULL. */
static const char *bound_at(const struct phrase *phrase, size_t i)
{
    if (is_word(phrase, i, "default"))
        return rh_phrase_words(phrase, i, i + 1);
    if (!is_word(phrase, i, "for") || !is_word(phrase, i + 1, "values"))
        return NULL;
    size_t end = rh_phrase_behind_parentheses(phrase, i + 3);
    if (is_word(phrase, i + 2, "from") && is_word(phrase, end, "to"))
        end = rh_phrase_behind_parentheses(phrase, end + 1);
    return end > i + 3 ? rh_phrase_words(phrase, i, end) : NULL;
}

/* CREATE [...] TABLE [IF NOT EXISTS] name PARTITION OF parent [(...)] bound ... */
static bool read_create_partition(const struct phrase *phrase, struct validation *validation)
{
    size_t i = find_word(phrase, 0, phrase->tokens.count, "table");
    i = rh_phrase_behind_name(phrase, rh_phrase_skip_if_exists(phrase, i + 1));
    if (!is_word(phrase, i, "partition") || !is_word(phrase, i + 1, "of"))
        return false;
    size_t end = take_relation(phrase, i + 2, validation);
    if (end)
        end = rh_phrase_behind_parentheses(phrase, end);
    validation->definition = end ? bound_at(phrase, end) : NULL;
    return validation->definition != NULL;
}

/* ADD ...: a column, or a constraint that may be made of an index. */
static void read_add(const struct phrase *phrase, size_t i, size_t end,
                     struct validation *validation)
{
    size_t at = is_word(phrase, i + 1, "constraint") ? i + 3 : i + 1;
    size_t using_index = find_word(phrase, at, end, "using");
    bool is_primary = is_word(phrase, at, "primary");
    if ((is_primary || is_word(phrase, at, "unique")) &&
        is_word(phrase, using_index + 1, "index") && using_index + 2 < end) {
        /* A unique index has no duplicates; a primary key wants no NULLs either. */
        if (is_primary)
            add(phrase, validation, VALIDATION_CLAUSE_USING_INDEX, i, end)->name = rh_phrase_words(
                phrase, using_index + 2, using_index + 3);
        return;
    }
    struct validation_clause *clause = add(phrase, validation, VALIDATION_CLAUSE_DEFINE, i, end);
    /* An index of that name may be there, which another clause of the statement drops. */
    if (at > i + 1 &&
        (is_primary || is_word(phrase, at, "unique") || is_word(phrase, at, "exclude")))
        clause->expression = rh_arena_printf(phrase->arena, "ADD %s",
                                             rh_phrase_words(phrase, at, end));
}

/* ALTER [COLUMN] name [SET DATA] TYPE ... [USING ...] | SET NOT NULL | SET ... */
static void read_alter_column(const struct phrase *phrase, size_t i, size_t end,
                              struct validation *validation)
{
    size_t name = i + (is_word(phrase, i + 1, "column") ? 2 : 1);
    size_t at = rh_phrase_behind_name(phrase, name);
    size_t behind = at;
    if (at == name || is_word(phrase, i + 1, "constraint"))
        return;
    if (is_word(phrase, at, "set") && is_word(phrase, at + 1, "data"))
        at += 2;
    if (!is_word(phrase, at, "type")) {
        if (is_word(phrase, behind, "set") && is_word(phrase, behind + 1, "not"))
            add(phrase, validation, VALIDATION_CLAUSE_DEFINE, i, end);
        return;
    }
    size_t expression = find_word(phrase, at, end, "using");
    struct validation_clause *clause = add(phrase, validation, VALIDATION_CLAUSE_TYPE, i,
                                           expression);
    clause->name = rh_phrase_words(phrase, name, behind);
    clause->expression = rh_phrase_words(phrase, expression + 1, end);
}

static void read_action(const struct phrase *phrase, size_t i, size_t end,
                        struct validation *validation)
{
    if (is_word(phrase, i, "add")) {
        read_add(phrase, i, end, validation);
    } else if (is_word(phrase, i, "alter")) {
        read_alter_column(phrase, i, end, validation);
    } else if (is_word(phrase, i, "validate") && is_word(phrase, i + 1, "constraint")) {
        add(phrase, validation, VALIDATION_CLAUSE_VALIDATE, i, end)->name = rh_phrase_words(
            phrase, i + 2, i + 3);
    } else if (is_word(phrase, i, "attach") && is_word(phrase, i + 1, "partition")) {
        size_t behind = rh_phrase_behind_name(phrase, i + 2);
        struct validation_clause *clause = add(phrase, validation, VALIDATION_CLAUSE_ATTACH, i,
                                               end);
        clause->name = rh_phrase_words(phrase, i + 2, behind);
        clause->expression = bound_at(phrase, behind);
    }
}

/* ALTER TABLE [IF EXISTS] [ONLY] name [*] action [, ...] */
static bool read_alter_table(const struct phrase *phrase, struct validation *validation)
{
    size_t i = take_relation(phrase, rh_phrase_skip_if_exists(phrase, 2), validation);
    while (i && i < phrase->tokens.count) {
        size_t comma = rh_phrase_comma(phrase, i);
        read_action(phrase, i, comma, validation);
        i = comma + 1;
    }
    return validation->clauses.count > 0;
}

/* ALTER DOMAIN name ADD ... | SET NOT NULL | VALIDATE CONSTRAINT name */
static bool read_alter_domain(const struct phrase *phrase, struct validation *validation)
{
    size_t i = take_relation(phrase, 2, validation);
    bool is_set = is_word(phrase, i, "set") && is_word(phrase, i + 1, "not");
    if (!i || !(is_set || is_word(phrase, i, "add") || is_word(phrase, i, "validate")))
        return false;
    if (is_word(phrase, i, "validate"))
        read_action(phrase, i, phrase->tokens.count, validation);
    else
        add(phrase, validation, VALIDATION_CLAUSE_DEFINE, i, phrase->tokens.count);
    return true;
}

static bool has_parameters(const struct phrase *phrase)
{
    for (size_t i = 0; i < phrase->tokens.count; i++)
        if (rh_phrase_is_char(phrase, i, '$'))
            return true;
    return false;
}

/* [WITH ...] INSERT INTO table [AS alias] ..., of new rows alone */
static bool read_insert(const struct phrase *phrase, struct validation *validation)
{
    size_t i = find_word(phrase, 0, phrase->tokens.count, "insert");
    if (!is_word(phrase, i + 1, "into") || has_parameters(phrase) ||
        find_word(phrase, i, phrase->tokens.count, "conflict") < phrase->tokens.count)
        return false;
    size_t end = take_relation(phrase, i + 2, validation);
    validation->prefix = rh_phrase_words(phrase, 0, i + 2);
    validation->definition = end ? rh_phrase_words(phrase, end, phrase->tokens.count) : NULL;
    return validation->definition != NULL;
}

/* column = expression [, ...] */
static bool read_assignments(const struct phrase *phrase, size_t i, size_t end,
                             struct validation *validation)
{
    while (i < end) {
        size_t comma = rh_phrase_comma(phrase, i);
        if (comma > end)
            comma = end;
        if (rh_phrase_behind_name(phrase, i) != i + 1 || !rh_phrase_is_char(phrase, i + 1, '=') ||
            i + 2 >= comma || is_word(phrase, i + 2, "default"))
            return false;
        struct validation_clause *clause = add(phrase, validation, VALIDATION_CLAUSE_SET, i, comma);
        clause->name = rh_phrase_words(phrase, i, i + 1);
        clause->expression = rh_phrase_words(phrase, i + 2, comma);
        i = comma + 1;
    }
    return validation->clauses.count > 0;
}

/* UPDATE [ONLY] table [*] [[AS] alias] SET ... [WHERE ...] [RETURNING ...], of no other table */
static bool read_update(const struct phrase *phrase, struct validation *validation)
{
    size_t i = take_relation(phrase, 1, validation);
    if (!i || has_parameters(phrase))
        return false;
    i += is_word(phrase, i, "as");
    if (!is_word(phrase, i, "set")) {
        validation->alias = rh_phrase_words(phrase, i, i + 1);
        i++;
    }
    size_t end = find_word(phrase, i, phrase->tokens.count, "returning");
    size_t where = find_word(phrase, i, end, "where");
    if (!is_word(phrase, i, "set") || find_word(phrase, i, end, "from") < end ||
        is_word(phrase, where + 1, "current"))
        return false;
    validation->condition = rh_phrase_words(phrase, where + 1, end);
    return read_assignments(phrase, i + 1, where, validation);
}

/* DELETE FROM [ONLY] table [*] [[AS] alias] [WHERE ...] [RETURNING ...], by no other table */
static bool read_delete(const struct phrase *phrase, struct validation *validation)
{
    size_t i = is_word(phrase, 1, "from") ? take_relation(phrase, 2, validation) : 0;
    size_t end = find_word(phrase, i, phrase->tokens.count, "returning");
    size_t where = find_word(phrase, i, end, "where");
    if (!i || has_parameters(phrase) || find_word(phrase, i, where, "using") < where ||
        is_word(phrase, where + 1, "current"))
        return false;
    i += is_word(phrase, i, "as");
    validation->alias = rh_phrase_words(phrase, i, where);
    validation->condition = rh_phrase_words(phrase, where + 1, end);
    return where <= i + 1;
}

static bool read_refresh(const struct phrase *phrase, struct validation *validation)
{
    size_t i = 3 + is_word(phrase, 3, "concurrently");
    return is_word(phrase, 1, "materialized") && take_relation(phrase, i, validation);
}

static const char *without_concurrently(const struct phrase *phrase)
{
    size_t end = phrase->tokens.count;
    size_t i = find_word(phrase, 0, end, "concurrently");
    if (i == end)
        return rh_phrase_words(phrase, 0, end);
    const char *rest = rh_phrase_words(phrase, i + 1, end);
    return rh_arena_printf(phrase->arena, "%s %s", rh_phrase_words(phrase, 0, i), rest ? rest : "");
}

void rh_sql_validations(struct text sql, struct arena *arena, struct validation *ret_validation)
{
    static const struct {
        const char *first, *second; /* second NULL: whatever follows */
        enum validation_kind kind;
        bool (*read)(const struct phrase *phrase, struct validation *validation);
    } shapes[] = {
        {"create", "index", VALIDATION_CREATE_INDEX, read_create_index},
        {"create", "unique", VALIDATION_CREATE_INDEX, read_create_index},
        {"create", NULL, VALIDATION_CREATE_PARTITION, read_create_partition},
        {"alter", "table", VALIDATION_ALTER_TABLE, read_alter_table},
        {"alter", "domain", VALIDATION_ALTER_DOMAIN, read_alter_domain},
        {"insert", NULL, VALIDATION_INSERT, read_insert},
        {"with", NULL, VALIDATION_INSERT, read_insert},
        {"update", NULL, VALIDATION_UPDATE, read_update},
        {"delete", NULL, VALIDATION_DELETE, read_delete},
        {"refresh", NULL, VALIDATION_REFRESH, read_refresh},
    };
    struct phrase phrase;
    *ret_validation = (struct validation){.kind = VALIDATION_NONE};
    if (!rh_phrase_read(&phrase, sql, arena, VALIDATION_TOKENS_MAX))
        return;
    for (size_t i = 0; i < sizeof(shapes) / sizeof(*shapes); i++) {
        struct validation validation = {.kind = shapes[i].kind};
        if (!is_word(&phrase, 0, shapes[i].first) ||
            (shapes[i].second && !is_word(&phrase, 1, shapes[i].second)))
            continue;
        if (shapes[i].read(&phrase, &validation)) {
            validation.plain = without_concurrently(&phrase);
            *ret_validation = validation;
        }
        return;
    }
}
