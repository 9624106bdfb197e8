#include "sql/copy_from.h"

#include "sql/facts.h"
#include "sql/lexer.h"

#include <jansson.h>
#include <pg_query.h>
#include <string.h>
#include <strings.h>

struct reading {
    struct arena *arena;
    struct sql_copy_from copy;
    const char *delimiter, *quote, *escape, *null; /* NULL: not said */
};

static const char *text_of(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

static const char *keep(struct reading *reading, const char *text)
{
    return text ? rh_arena_strdup(reading->arena, text) : NULL;
}

/* As the server reads an option (defGetBoolean). False: it is none. */
static bool read_boolean(const json_t *arg, bool *ret_value)
{
    static const struct {
        const char *word;
        bool value;
    } words[] = {{"true", true}, {"on", true}, {"false", false}, {"off", false}};
    const json_t *boolean = json_object_get(arg, "Boolean"),
                 *integer = json_object_get(arg, "Integer");
    const char *word = text_of(json_object_get(arg, "String"), "sval");
    json_int_t number = json_integer_value(json_object_get(integer, "ival"));

    *ret_value = !arg || json_is_true(json_object_get(boolean, "boolval")) || number == 1;
    if (!arg || boolean || integer)
        return number == 0 || number == 1;
    for (size_t i = 0; word && i < sizeof(words) / sizeof(*words); i++)
        if (strcasecmp(word, words[i].word) == 0) {
            *ret_value = words[i].value;
            return true;
        }
    return false;
}

static bool read_format(struct reading *reading, const json_t *arg)
{
    static const char *const names[] = {"text", "csv", "binary"};
    const char *word = text_of(json_object_get(arg, "String"), "sval");

    for (size_t i = 0; word && i < sizeof(names) / sizeof(*names); i++)
        if (strcmp(word, names[i]) == 0) {
            reading->copy.format.kind = (enum sql_copy_kind)i;
            return true;
        }
    return false;
}

static bool read_header(struct reading *reading, const json_t *arg)
{
    const char *word = text_of(json_object_get(arg, "String"), "sval");
    bool is_there = false;

    if (word && strcasecmp(word, "match") == 0) {
        reading->copy.format.header = SQL_COPY_HEADER_MATCHED;
        return true;
    }
    if (!read_boolean(arg, &is_there))
        return false;
    reading->copy.format.header = is_there ? SQL_COPY_HEADER_SKIPPED : SQL_COPY_HEADER_NONE;
    return true;
}

static bool read_text(struct reading *reading, const json_t *arg, const char **ret_text)
{
    *ret_text = keep(reading, text_of(json_object_get(arg, "String"), "sval"));
    return *ret_text != NULL;
}

/* A macro, for lists have no type of their own. */
#define READ_NAMES(reading, array, names)               \
    for (size_t i = 0; i < json_array_size(array); i++) \
    *RH_PUSH((reading)->arena, names) = keep(           \
        reading, text_of(json_object_get(json_array_get(array, i), "String"), "sval"))

static bool read_option(struct reading *reading, const json_t *option)
{
    const char *name = text_of(option, "defname");
    const json_t *arg = json_object_get(option, "arg");
    const json_t *list = json_object_get(json_object_get(arg, "List"), "items");
    bool is_star = json_object_get(arg, "A_Star") != NULL, ignored;

    if (!name)
        return false;
    if (strcmp(name, "format") == 0)
        return read_format(reading, arg);
    if (strcmp(name, "header") == 0)
        return read_header(reading, arg);
    if (strcmp(name, "freeze") == 0) /* how rows are stored, not what they are */
        return read_boolean(arg, &ignored);
    if (strcmp(name, "delimiter") == 0)
        return read_text(reading, arg, &reading->delimiter);
    if (strcmp(name, "null") == 0)
        return read_text(reading, arg, &reading->null);
    if (strcmp(name, "quote") == 0)
        return read_text(reading, arg, &reading->quote);
    if (strcmp(name, "escape") == 0)
        return read_text(reading, arg, &reading->escape);
    if (strcmp(name, "encoding") == 0)
        return read_text(reading, arg, &reading->copy.encoding);
    if (strcmp(name, "force_null") == 0) {
        reading->copy.forces_all_null = is_star;
        READ_NAMES(reading, list, &reading->copy.force_null);
        return is_star || list;
    }
    if (strcmp(name, "force_not_null") == 0) {
        reading->copy.forces_all_not_null = is_star;
        READ_NAMES(reading, list, &reading->copy.force_not_null);
        return is_star || list;
    }
    return false;
}

/* The server refuses what is said twice. */
static bool read_options(struct reading *reading, const json_t *options)
{
    for (size_t i = 0; i < json_array_size(options); i++) {
        const json_t *option = json_object_get(json_array_get(options, i), "DefElem");
        const char *name = text_of(option, "defname");

        for (size_t before = 0; name && before < i; before++) {
            const json_t *other = json_object_get(json_array_get(options, before), "DefElem");

            if (strcmp(name, text_of(other, "defname")) == 0)
                return false;
        }
        if (!read_option(reading, option))
            return false;
    }
    return true;
}

static bool is_one_character(const char *text)
{
    return text[0] > 0 && text[0] != '\n' && text[0] != '\r' && text[1] == '\0';
}

/* What must not be said together (ProcessCopyOptions). And a backslash that delimits, quotes or is
   NULL, which stands for something else too: the end of the data, what follows it. */
static bool settle(struct reading *reading)
{
    struct sql_copy_format *format = &reading->copy.format;
    bool is_csv = format->kind == SQL_COPY_CSV,
         forces = reading->copy.forces_all_null || reading->copy.forces_all_not_null ||
                  reading->copy.force_null.count > 0 || reading->copy.force_not_null.count > 0;
    const char *delimiter = reading->delimiter ? reading->delimiter : is_csv ? "," : "\t";
    const char *quote = reading->quote ? reading->quote : "\"";
    const char *escape = reading->escape ? reading->escape : quote;
    const char *null = reading->null ? reading->null : is_csv ? "" : "\\N";

    if (format->kind == SQL_COPY_BINARY)
        return !reading->delimiter && !reading->null && !reading->quote && !reading->escape &&
               !forces && !format->header;
    if (!is_csv && (reading->quote || reading->escape || forces))
        return false;
    if (!is_one_character(delimiter) || !is_one_character(quote) || !is_one_character(escape) ||
        delimiter[0] == '\\' || quote[0] == '\\' || strlen(null) > SQL_COPY_NULL_MAX ||
        strpbrk(null, "\r\n") || strchr(null, delimiter[0]))
        return false;
    if (is_csv ? delimiter[0] == quote[0] || strchr(null, quote[0]) || strcmp(null, "\\.") == 0
               : strchr(".abcdefghijklmnopqrstuvwxyz0123456789", delimiter[0]) ||
                     (strchr(null, '\\') && strcmp(null, "\\N") != 0))
        return false;
    format->delimiter = delimiter[0];
    format->quote = quote[0];
    format->escape = escape[0];
    format->null = null;
    return true;
}

static bool read_statement(struct reading *reading, const json_t *tree)
{
    const json_t *statements = json_object_get(tree, "stmts");
    const json_t *copy = json_object_get(json_object_get(json_array_get(statements, 0), "stmt"),
                                         "CopyStmt");
    const json_t *relation = json_object_get(copy, "relation");

    if (json_array_size(statements) != 1 || !text_of(relation, "relname") ||
        text_of(relation, "catalogname") || !json_is_true(json_object_get(copy, "is_from")) ||
        json_is_true(json_object_get(copy, "is_program")) || text_of(copy, "filename") ||
        json_object_get(copy, "whereClause"))
        return false;
    reading->copy.schema = keep(reading, text_of(relation, "schemaname"));
    reading->copy.table = keep(reading, text_of(relation, "relname"));
    READ_NAMES(reading, json_object_get(copy, "attlist"), &reading->copy.columns);
    return read_options(reading, json_object_get(copy, "options")) && settle(reading);
}

static bool begins_with_copy(struct text sql)
{
    struct sql_lexer lexer = rh_sql_lexer(sql);
    struct sql_token token;

    while (rh_sql_lexer_next(&lexer, &token))
        if (rh_sql_token_is_significant(&token))
            return rh_sql_token_is_word(sql, &token, "copy");
    return false;
}

bool rh_sql_copy_from(struct text sql, struct arena *arena, struct sql_copy_from *ret_copy)
{
    struct reading reading = {.arena = arena};
    bool is_understood;

    if (sql.len > SQL_TREE_MAX || memchr(sql.data, '\0', sql.len) || !begins_with_copy(sql))
        return false;

    PgQueryParseResult parsed = pg_query_parse(rh_text_dup(arena, sql));
    json_t *tree = parsed.error ? NULL : json_loads(parsed.parse_tree, 0, NULL);

    pg_query_free_parse_result(parsed);
    is_understood = tree && read_statement(&reading, tree);
    json_decref(tree);
    if (is_understood)
        *ret_copy = reading.copy;
    return is_understood;
}
