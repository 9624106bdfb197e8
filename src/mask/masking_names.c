/* What masking.yaml names, found in the catalogue; and the foreign keys that it declares. */
#include "base/suggest.h"
#include "mask/masking_int.h"

#include <stdio.h>

/* Of one reference; the server's own limit for keys (INDEX_MAX_KEYS). */
#define RULE_COLUMNS_MAX 32

static enum err_code refuse(const struct masking_rules *rules, struct rules_place place,
                            struct err *err, const char *fmt, ...) RH_PRINTF(4, 5);

static enum err_code refuse(const struct masking_rules *rules, struct rules_place place,
                            struct err *err, const char *fmt, ...)
{
    char sentence[512];
    va_list args;

    va_start(args, fmt);
    vsnprintf(sentence, sizeof(sentence), fmt, args);
    va_end(args);
    return rh_err_set(err, RH_ERR_USAGE, "%s:%zu:%zu: %s", rules->path, place.line, place.column,
                      sentence);
}

/* "public.users", as the catalogue quotes it or bare. */
static bool is_table(const struct catalog_table *table, struct text name)
{
    size_t schema = strlen(table->schema);

    if (rh_text_is(name, table->identity))
        return true;
    return name.len == schema + 1 + strlen(table->name) &&
           memcmp(name.data, table->schema, schema) == 0 && name.data[schema] == '.' &&
           memcmp(name.data + schema + 1, table->name, strlen(table->name)) == 0;
}

static bool is_column(const struct catalog_column *column, struct text name)
{
    return rh_text_is(name, column->name) || rh_text_is(name, column->quoted);
}

/* "names" and an ending that says which name may have been meant. */
static const char *did_you_mean(const struct suggestion *suggestion, char *out, size_t size)
{
    out[0] = '\0';
    if (suggestion->best)
        snprintf(out, size, "; did you mean \"%s\"?", suggestion->best);
    return out;
}

static bool is_copied(const struct catalog_table *table)
{
    return table->kind == 'r' || table->kind == 'p';
}

static enum err_code unknown_table(const struct catalog *catalog, const struct masking_rules *rules,
                                   const char *name, struct rules_place place, struct err *err)
{
    struct suggestion suggestion = {.typed = name};
    char ending[256];

    for (size_t i = 0; i < catalog->tables.count; i++) {
        const struct catalog_table *table = &catalog->tables.items[i];
        if (is_copied(table))
            rh_suggest_consider(&suggestion, table->identity);
        if (is_copied(table) && !suggestion.best && strcmp(table->name, name) == 0)
            suggestion.best = table->identity;
    }
    return refuse(rules, place, err, "no table \"%s\" in database \"%s\"%s", name,
                  catalog->database, did_you_mean(&suggestion, ending, sizeof(ending)));
}

enum err_code rh_masking_find_table(const struct catalog *catalog,
                                    const struct masking_rules *rules, const char *name,
                                    struct rules_place place, size_t *ret_table, struct err *err)
{
    for (size_t i = 0; i < catalog->tables.count; i++) {
        if (!is_table(&catalog->tables.items[i], rh_text(name)))
            continue;
        if (!is_copied(&catalog->tables.items[i]))
            return refuse(rules, place, err,
                          "%s is no table: its rows are not copied, so there is nothing to decide",
                          name);
        *ret_table = i;
        return RH_OK;
    }
    return unknown_table(catalog, rules, name, place, err);
}

enum err_code rh_masking_find_column(const struct catalog *catalog,
                                     const struct masking_rules *rules, size_t table,
                                     const char *name, struct rules_place place, int *ret_column,
                                     struct err *err)
{
    const struct catalog_table *own = &catalog->tables.items[table];
    struct suggestion suggestion = {.typed = name};
    char ending[256];

    for (size_t i = 0; i < own->columns.count; i++)
        if (is_column(&own->columns.items[i], rh_text(name))) {
            *ret_column = own->columns.items[i].number;
            return RH_OK;
        }
    for (size_t i = 0; i < own->columns.count; i++)
        rh_suggest_consider(&suggestion, own->columns.items[i].name);
    return refuse(rules, place, err, "no column \"%s\" in table %s%s", name, own->identity,
                  did_you_mean(&suggestion, ending, sizeof(ending)));
}

/* The table that the text begins with, and what stands behind its dot. */
static size_t split_path(const struct catalog *catalog, const char *text, const char **ret_rest)
{
    size_t found = CATALOG_NONE;
    *ret_rest = NULL;
    /* Names may hold dots: the longest table wins. */
    for (const char *dot = strchr(text, '.'); dot; dot = strchr(dot + 1, '.'))
        for (size_t i = 0; i < catalog->tables.count; i++)
            if (is_table(&catalog->tables.items[i], (struct text){text, (size_t)(dot - text)})) {
                found = i;
                *ret_rest = dot + 1;
                break;
            }
    return found;
}

enum err_code rh_masking_find_path(const struct catalog *catalog, const struct masking_rules *rules,
                                   const struct named_column *name, bool allows_all,
                                   size_t *ret_table, int *ret_column, struct err *err)
{
    const char *rest;
    size_t table = split_path(catalog, name->text, &rest);

    if (table == CATALOG_NONE)
        return refuse(rules, name->place, err,
                      "\"%s\" names no column of database \"%s\"; write it as in "
                      "\"public.users.email\"",
                      name->text, catalog->database);
    if (allows_all && strcmp(rest, "*") == 0) {
        *ret_table = table;
        *ret_column = 0;
        return RH_OK;
    }
    enum err_code code = rh_masking_find_column(catalog, rules, table, rest, name->place,
                                                ret_column, err);
    if (!code)
        *ret_table = table;
    return code;
}

/* "public.comments(kind, subject_id)" */
static enum err_code find_columns(const struct catalog *catalog, const struct masking_rules *rules,
                                  const char *text, struct rules_place place, struct arena *arena,
                                  size_t *ret_table, int *columns, size_t *ret_count,
                                  struct err *err)
{
    const char *open = strrchr(text, '('), *close = strrchr(text, ')');

    *ret_count = 0;
    if (!open || !close || close < open || close[1] || open == text)
        return refuse(rules, place, err,
                      "\"%s\" is no list of columns; write it as in \"public.comments(post_id)\"",
                      text);
    const char *table = rh_text_dup(arena,
                                    rh_text_trim((struct text){text, (size_t)(open - text)}));
    enum err_code code = rh_masking_find_table(catalog, rules, table, place, ret_table, err);
    for (const char *at = open + 1; !code && at <= close;) {
        const char *end = memchr(at, ',', (size_t)(close - at));
        if (!end)
            end = close;
        if (*ret_count == RULE_COLUMNS_MAX)
            return refuse(rules, place, err, "more than %d columns", RULE_COLUMNS_MAX);
        const char *name = rh_text_dup(arena, rh_text_trim((struct text){at, (size_t)(end - at)}));
        code = rh_masking_find_column(catalog, rules, *ret_table, name, place, &columns[*ret_count],
                                      err);
        ++*ret_count;
        at = end + 1;
    }
    return code;
}

enum err_code rh_masking_declare(const struct masking_rules *rules, struct catalog *catalog,
                                 struct arena *arena, struct err *err)
{
    for (size_t i = 0; rules && i < rules->references.count; i++) {
        const struct reference_rule *reference = &rules->references.items[i];
        int child_columns[RULE_COLUMNS_MAX], parent_columns[RULE_COLUMNS_MAX];
        size_t child, parent, child_count, parent_count;
        enum err_code code = find_columns(catalog, rules, reference->from, reference->from_place,
                                          arena, &child, child_columns, &child_count, err);
        if (!code)
            code = find_columns(catalog, rules, reference->to, reference->to_place, arena, &parent,
                                parent_columns, &parent_count, err);
        if (code)
            return code;
        if (child_count != parent_count)
            return refuse(rules, reference->to_place, err,
                          "\"from\" has %zu columns and \"to\" %zu: they go in pairs", child_count,
                          parent_count);
        struct catalog_foreign_key *key = RH_PUSH(arena, &catalog->foreign_keys);
        key->name = rh_masking_place(rules, reference->from_place, arena);
        key->child = child;
        key->parent = parent;
        key->is_declared = true;
        key->condition = reference->when;
        for (size_t j = 0; j < child_count; j++) {
            *RH_PUSH(arena, &key->child_columns) = child_columns[j];
            *RH_PUSH(arena, &key->parent_columns) = parent_columns[j];
        }
    }
    return RH_OK;
}
