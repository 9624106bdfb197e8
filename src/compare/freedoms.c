#include "compare/freedoms.h"

#include "compare/renames.h"
#include "model/ledger.h"
#include "model/trace.h"

#include <stdlib.h>
#include <string.h>

struct search {
    const struct schema_differences *schema;
    const struct schema_state *migrated;
    struct arena *arena;
    struct freedoms *found;
};

static const char *attribute_of(const struct state_object *object, const char *name)
{
    for (size_t i = 0; i < object->attributes.count; i++)
        if (strcmp(object->attributes.items[i].name, name) == 0)
            return object->attributes.items[i].value;
    return NULL;
}

static const struct state_object *find_object(const struct search *search, const char *kind,
                                              const char *identity)
{
    for (size_t i = 0; identity && i < search->migrated->objects.count; i++) {
        const struct state_object *object = &search->migrated->objects.items[i];
        if (strcmp(object->kind, kind) == 0 && strcmp(object->identity, identity) == 0)
            return object;
    }
    return NULL;
}

/* What a table is called after the migration. */
static const char *name_now(const struct search *search, const char *table)
{
    for (size_t i = 0; i < search->schema->list.count; i++) {
        const struct schema_difference *difference = &search->schema->list.items[i];
        if (difference->change == DIFFERENCE_RENAMED && strcmp(difference->kind, "table") == 0 &&
            strcmp(difference->identity_before, table) == 0)
            return difference->identity;
    }
    return table;
}

static bool equals(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

/* Rows go to a partitioned table as a whole. */
static void add(struct search *search, enum freedom_kind kind, const char *table,
                const char *column, const char *definition)
{
    struct freedoms *found = search->found;
    const struct state_object *object = table
                                            ? find_object(search, "table", name_now(search, table))
                                            : NULL;
    while (object && attribute_of(object, "partition bound"))
        object = find_object(search, "table", object->parent);
    if (!object || rh_is_ledger(object->identity) || found->count >= FREEDOMS_MAX)
        return;
    for (size_t i = 0; i < found->count; i++)
        if (found->items[i].kind == kind && equals(found->items[i].table, object->identity) &&
            equals(found->items[i].column, column) &&
            equals(found->items[i].definition, definition))
            return;
    *RH_PUSH(search->arena, found) = (struct freedom){kind, object->identity, column, definition};
}

/* --- types ---------------------------------------------------------------------------------------
 */

static bool is_text(const char *type)
{
    return strcmp(type, "text") == 0 || strncmp(type, "character", strlen("character")) == 0 ||
           strcmp(type, "public.citext") == 0;
}

static bool is_number(const char *type)
{
    static const char *const names[] = {"smallint", "integer",          "bigint",
                                        "real",     "double precision", "money"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strcmp(type, names[i]) == 0)
            return true;
    return strncmp(type, "numeric", strlen("numeric")) == 0;
}

/* Of character varying(50); 0: none. */
static long length_of(const char *type)
{
    const char *open = strchr(type, '(');
    return open ? strtol(open + 1, NULL, 10) : 0;
}

/* Digits before the point, roughly; 0: any. */
static long whole_digits(const char *type)
{
    if (strcmp(type, "smallint") == 0)
        return 4;
    if (strcmp(type, "integer") == 0)
        return 9;
    if (strcmp(type, "bigint") == 0)
        return 18;
    if (strcmp(type, "real") == 0)
        return 38;
    const char *comma = strchr(type, ',');
    return length_of(type) - (comma ? strtol(comma + 1, NULL, 10) : 0);
}

static void find_in_type(struct search *search, const struct schema_difference *difference,
                         const char *before, const char *after)
{
    const char *column = rh_bare_name(difference->identity);
    if (is_text(before) && is_text(after)) {
        if (length_of(before) > 0 &&
            (length_of(after) == 0 || length_of(after) > length_of(before)))
            add(search, FREEDOM_LONGER, difference->parent, column, before);
    } else if (is_number(before) && is_number(after)) {
        if (whole_digits(before) > 0 &&
            (whole_digits(after) <= 0 || whole_digits(after) > whole_digits(before)))
            add(search, FREEDOM_BIGGER, difference->parent, column, before);
    } else if (is_text(after)) {
        add(search, FREEDOM_OTHER_TYPE, difference->parent, column, before);
    }
}

static void find_in_column(struct search *search, const struct schema_difference *difference)
{
    const struct state_object *now = find_object(search, "table column", difference->identity);
    if (!now || attribute_of(now, "generated"))
        return;
    for (size_t i = 0; i < difference->attributes.count; i++) {
        const struct attribute_change *change = &difference->attributes.items[i];
        if (strcmp(change->name, "not null") == 0 && change->before && !change->after)
            add(search, FREEDOM_NULL, difference->parent, rh_bare_name(difference->identity), NULL);
        else if (strcmp(change->name, "type") == 0 && change->before && change->after)
            find_in_type(search, difference, change->before, change->after);
    }
}

/* --- labels --------------------------------------------------------------------------------------
 */

/* The quoted label at `*rest`, which is advanced; NULL at the end. */
static const char *next_label(const char **rest, struct arena *arena)
{
    const char *start = strchr(*rest, '\'');
    const char *end = start ? strchr(start + 1, '\'') : NULL;
    while (end && end[1] == '\'')
        end = strchr(end + 2, '\'');
    if (!end)
        return NULL;
    *rest = end + 1;
    return rh_arena_strndup(arena, start, (size_t)(end - start) + 1);
}

static bool has_label(const char *labels, const char *wanted, struct arena *arena)
{
    for (const char *label; (label = next_label(&labels, arena));)
        if (strcmp(label, wanted) == 0)
            return true;
    return false;
}

static void find_in_labels(struct search *search, const struct schema_difference *difference,
                           const struct attribute_change *change)
{
    const char *rest = change->after;
    for (const char *label; (label = next_label(&rest, search->arena));) {
        if (has_label(change->before, label, search->arena))
            continue;
        for (size_t i = 0; i < search->migrated->objects.count; i++) {
            const struct state_object *column = &search->migrated->objects.items[i];
            if (strcmp(column->kind, "table column") == 0 &&
                equals(attribute_of(column, "type"), difference->identity))
                add(search, FREEDOM_LABEL, column->parent, rh_bare_name(column->identity), label);
        }
    }
}

/* --- constraints ---------------------------------------------------------------------------------
 */

static void find_in_definition(struct search *search, const char *table, const char *definition)
{
    static const struct {
        const char *prefix;
        enum freedom_kind kind;
    } forms[] = {
        {"CHECK ", FREEDOM_CHECK},           {"UNIQUE ", FREEDOM_DUPLICATE},
        {"PRIMARY KEY ", FREEDOM_DUPLICATE}, {"EXCLUDE ", FREEDOM_DUPLICATE},
        {"FOREIGN KEY ", FREEDOM_ORPHAN},
    };
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++)
        if (strncmp(definition, forms[i].prefix, strlen(forms[i].prefix)) == 0)
            add(search, forms[i].kind, table, NULL, definition);
}

static void find_in_former_definition(struct search *search,
                                      const struct schema_difference *difference)
{
    for (size_t i = 0; i < difference->attributes.count; i++) {
        const struct attribute_change *change = &difference->attributes.items[i];
        if (strcmp(change->name, "definition") == 0 && change->before && difference->parent)
            find_in_definition(search, difference->parent, change->before);
    }
}

static void find_in(struct search *search, const struct schema_difference *difference)
{
    bool is_column = strcmp(difference->kind, "table column") == 0;
    if (difference->change == DIFFERENCE_ADDED) {
        if (is_column)
            add(search, FREEDOM_PLAIN, difference->parent, rh_bare_name(difference->identity),
                NULL);
        return;
    }
    if (is_column && difference->change != DIFFERENCE_REMOVED)
        find_in_column(search, difference);
    else if (strcmp(difference->kind, "table constraint") == 0 ||
             strcmp(difference->kind, "index") == 0)
        find_in_former_definition(search, difference);
    for (size_t i = 0; i < difference->attributes.count; i++) {
        const struct attribute_change *change = &difference->attributes.items[i];
        if (strcmp(change->name, "labels") == 0 && change->before && change->after)
            find_in_labels(search, difference, change);
    }
}

void rh_freedoms_find(const struct schema_differences *schema, const struct data_differences *data,
                      const struct schema_state *migrated, struct arena *arena,
                      struct freedoms *ret_freedoms)
{
    struct search search = {schema, migrated, arena, ret_freedoms};
    *ret_freedoms = (struct freedoms){0};
    for (size_t i = 0; i < schema->list.count; i++) {
        const struct schema_difference *difference = &schema->list.items[i];
        add(&search, FREEDOM_PLAIN, difference->identity, NULL, NULL);
        add(&search, FREEDOM_PLAIN, difference->parent, NULL, NULL);
    }
    for (size_t i = 0; i < data->list.count; i++)
        add(&search, FREEDOM_PLAIN, data->list.items[i].table, NULL, NULL);
    for (size_t i = 0; i < schema->list.count; i++)
        find_in(&search, &schema->list.items[i]);
}
