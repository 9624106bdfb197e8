/*
 * What a statement missed, and which skipped one would have made it. Told by the name that the
 * server says does not exist, where it stands in the skipped statement's text; a constraint or an
 * index that the server would have named itself, by the table whose name it begins with.
 *
 * Messages: parse_relation.c, parse_func.c, tablecmds.c, namespace.c of PostgreSQL.
 */
#include "trace/second_pass_int.h"

#include "base/quote.h"

#include <ctype.h>

/* SQLSTATEs that say that something is not there, or is not what it would have become. X(code) */
static const char *const missing_states[] = {
    "42P01", /* undefined_table: also indexes, views and sequences */
    "42703", /* undefined_column */
    "42704", /* undefined_object: types, constraints, roles, ... */
    "42883", /* undefined_function */
    "3F000", /* invalid_schema_name */
    "42P10", /* no unique constraint matches ON CONFLICT */
    "42830", /* no unique constraint matches a foreign key */
    "55000", /* an index that is not valid */
    "42809", /* not a partition, not a table */
    "42804", /* datatype mismatch: the type was to be changed */
};

static bool says_missing(const char *sqlstate)
{
    for (size_t i = 0; i < sizeof(missing_states) / sizeof(missing_states[0]); i++)
        if (strcmp(sqlstate, missing_states[i]) == 0)
            return true;
    return false;
}

static bool is_name_char(char c)
{
    return isalnum((unsigned char)c) || c == '_' || c == '$' || (unsigned char)c >= 0x80;
}

/* Anywhere in the text, also in quotes and bodies of functions, but never inside a longer name. */
static bool names(const char *sql, struct text name)
{
    if (name.len == 0)
        return false;
    for (const char *at = sql; (at = strcasestr(at, name.data)); at++)
        if ((at == sql || !is_name_char(at[-1])) && !is_name_char(at[name.len]))
            return true;
    return false;
}

/* The first name between double quotes, without its schema. */
static const char *first_quoted(const char *message, struct arena *arena)
{
    struct text name = rh_quote_first(message);
    if (!name.data)
        return NULL;
    for (size_t i = name.len; i > 0; i--)
        if (name.data[i - 1] == '.') {
            name = (struct text){name.data + i, name.len - i};
            break;
        }
    return rh_text_dup(arena, name);
}

/* "column u.email does not exist", "function f(integer) does not exist": the name without quotes.
 */
static const char *bare_name(const char *message, struct arena *arena)
{
    const char *end = strchr(message, '(');
    if (!end)
        end = strstr(message, " does not exist");
    if (!end)
        return NULL;
    const char *begin = end;
    while (begin > message && is_name_char(begin[-1]))
        begin--;
    return begin < end ? rh_arena_strndup(arena, begin, (size_t)(end - begin)) : NULL;
}

static bool begins_with_table(const char *name, const struct sql_facts *facts)
{
    for (size_t i = 0; i < facts->relations.count; i++) {
        struct text table = rh_text(facts->relations.items[i].name);
        if (table.len > 0 && strncmp(name, table.data, table.len) == 0 && name[table.len] == '_')
            return true;
    }
    return false;
}

static bool shares_relation(const struct sql_facts *a, const struct sql_facts *b)
{
    for (size_t i = 0; i < a->relations.count; i++)
        for (size_t j = 0; j < b->relations.count; j++)
            if (strcmp(a->relations.items[i].name, b->relations.items[j].name) == 0)
                return true;
    return false;
}

/* These name what is there, not what is missing: only the table tells. */
static bool is_about_shape(const struct server_message *error)
{
    const char *message = error->message ? error->message : "";
    return strcmp(error->sqlstate, "42P10") == 0 || strcmp(error->sqlstate, "42830") == 0 ||
           strcmp(error->sqlstate, "42804") == 0 ||
           (strcmp(error->sqlstate, "42883") == 0 && strncmp(message, "operator", 8) == 0);
}

static bool has_any_word(const char *sql, const char *const *words)
{
    while (*words && !names(sql, rh_text(*words)))
        words++;
    return *words != NULL;
}

static bool would_have_shaped(const struct skipped *skipped, const struct server_message *error,
                              const struct sql_facts *facts, struct arena *arena)
{
    static const char *const type_words[] = {"type", NULL};
    static const char *const key_words[] = {"unique", "primary", "exclude", NULL};
    struct sql_facts made;
    bool is_key = strcmp(error->sqlstate, "42P10") == 0 || strcmp(error->sqlstate, "42830") == 0;
    if (!has_any_word(skipped->sql, is_key ? key_words : type_words))
        return false;
    rh_sql_facts(rh_text(skipped->sql), arena, &made);
    return shares_relation(&made, facts);
}

/* Constraints and indexes that the server names itself: users_email_key. */
static bool would_have_named(const struct skipped *skipped, const char *name, struct arena *arena)
{
    static const char *const words[] = {"unique",     "primary", "exclude", "check",
                                        "references", "index",   NULL};
    struct sql_facts made;
    if (!has_any_word(skipped->sql, words))
        return false;
    rh_sql_facts(rh_text(skipped->sql), arena, &made);
    return begins_with_table(name, &made);
}

int rh_needs_find(const struct server_message *error, const char *sql,
                  const struct skipped *skipped, size_t count)
{
    if (count == 0 || !says_missing(error->sqlstate) || !error->message)
        return -1;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct sql_facts facts;
    rh_sql_facts(rh_text(sql ? sql : ""), arena, &facts);
    const char *name = first_quoted(error->message, arena);
    if (!name)
        name = bare_name(error->message, arena);
    /* The last one that would have: it would have had the last word. */
    bool is_shape = is_about_shape(error);
    for (size_t i = count; i > 0; i--)
        if (is_shape ? would_have_shaped(&skipped[i - 1], error, &facts, arena)
                     : name && names(skipped[i - 1].sql, rh_text(name)))
            return skipped[i - 1].blocker;
    for (size_t i = count; name && !is_shape && i > 0; i--)
        if (would_have_named(&skipped[i - 1], name, arena))
            return skipped[i - 1].blocker;
    return -1;
}
