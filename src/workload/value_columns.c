#include "workload/value_columns.h"

#include "workload/value_member.h"

#include <stdlib.h>

/* Names of columns that were looked up: those of queries, which are few. */
#define COLUMNS_MAX 65536

static size_t hash_of(const char *name)
{
    uint64_t hash = UINT64_C(14695981039346656037); /* FNV-1a */

    for (; *name; name++)
        hash = (hash ^ (unsigned char)*name) * UINT64_C(1099511628211);
    return (size_t)(hash ^ hash >> 32);
}

/* Two columns of one name are the same to us when the same map is behind both: tables of one
   domain share its key. */
static void consider(struct value_columns *columns, size_t table,
                     const struct catalog_column *column, struct column_answer *answer,
                     bool *is_ambiguous)
{
    struct mask_map *map = NULL;

    if (!rh_column_maps_find(columns->maps, table, column->number, &map)) {
        *is_ambiguous = true;
        return;
    }

    enum column_verdict verdict = map ? COLUMN_MASKED : COLUMN_KEPT;

    if (answer->verdict == COLUMN_UNKNOWN)
        *answer = (struct column_answer){.name = answer->name,
                                         .members = answer->members,
                                         .verdict = verdict,
                                         .map = map,
                                         .table = table,
                                         .column = column};
    else if (answer->verdict != verdict || answer->map != map)
        *is_ambiguous = true;
}

/* Tables of the server's own hold names of objects, which nobody masks. */
static bool is_of_server(struct text table)
{
    static const char *const schemas[] = {"pg_catalog.", "information_schema.", "pg_"};

    for (size_t i = 0; i < sizeof(schemas) / sizeof(*schemas); i++)
        if (table.len >= strlen(schemas[i]) &&
            memcmp(table.data, schemas[i], strlen(schemas[i])) == 0)
            return true;
    return false;
}

static bool is_document(const struct catalog_column *column)
{
    return !column->is_array &&
           (strcmp(column->base_type, "json") == 0 || strcmp(column->base_type, "jsonb") == 0);
}

/* "schema.table.column", "table.column" or "column". */
static void look_up(struct value_columns *columns, struct column_answer *answer)
{
    size_t length = answer->members ? (size_t)(answer->members - answer->name)
                                    : strlen(answer->name);
    RH_CLEANUP_ARENA struct arena *scratch = rh_arena_new();
    const char *name = rh_arena_strndup(scratch, answer->name, length);
    const char *last = strrchr(name, '.');
    const char *column = last ? last + 1 : name;
    struct text table = {name, last ? (size_t)(last - name) : 0};
    bool is_ambiguous = false;

    for (size_t i = 0; i < columns->catalog->tables.count; i++) {
        const struct catalog_table *candidate = &columns->catalog->tables.items[i];
        const struct catalog_column *found;

        if (last) {
            const char *dot = memrchr(table.data, '.', table.len);
            struct text named = dot ? (struct text){dot + 1,
                                                    table.len - (size_t)(dot + 1 - table.data)}
                                    : table;

            if (!rh_text_is(named, candidate->name) ||
                (dot && !rh_text_is((struct text){table.data, (size_t)(dot - table.data)},
                                    candidate->schema)))
                continue;
        }
        if ((found = rh_catalog_column_named(candidate, column)))
            consider(columns, i, found, answer, &is_ambiguous);
    }
    /* Text that is cast to a document is masked as text. */
    if (is_ambiguous || (answer->members && answer->column && !is_document(answer->column)))
        *answer = (struct column_answer){.name = answer->name};
    else if (answer->verdict == COLUMN_UNKNOWN && is_of_server(table))
        answer->verdict = COLUMN_KEPT;
}

static struct column_answer *slot_of(const struct value_columns *columns, const char *name)
{
    size_t at = hash_of(name) & (columns->answer_size - 1);

    while (columns->answers[at].name && strcmp(columns->answers[at].name, name) != 0)
        at = (at + 1) & (columns->answer_size - 1);
    return &columns->answers[at];
}

static void make_room(struct value_columns *columns)
{
    if (columns->answer_count >= COLUMNS_MAX) {
        for (size_t i = 0; i < columns->answer_size; i++)
            free(columns->answers[i].name);
        memset(columns->answers, 0, columns->answer_size * sizeof(*columns->answers));
        columns->answer_count = 0;
    }
    if (2 * (columns->answer_count + 1) <= columns->answer_size)
        return;

    struct column_answer *old = columns->answers;
    size_t old_size = columns->answer_size;

    columns->answer_size = old_size ? 2 * old_size : 256;
    columns->answers = calloc(columns->answer_size, sizeof(*columns->answers));
    if (!columns->answers)
        RH_PANIC("out of memory for columns");
    for (size_t i = 0; i < old_size; i++)
        if (old[i].name)
            *slot_of(columns, old[i].name) = old[i];
    free(old);
}

const struct column_answer *rh_value_columns_ask(struct value_columns *columns, const char *name)
{
    static const struct column_answer unknown = {.verdict = COLUMN_UNKNOWN};

    if (!name)
        return &unknown;
    make_room(columns);

    struct column_answer *slot = slot_of(columns, name);

    if (!slot->name) {
        slot->name = strdup(name);
        if (!slot->name)
            RH_PANIC("out of memory for a column's name");
        slot->members = rh_value_members(slot->name);
        columns->answer_count++;
        look_up(columns, slot);
    }
    return slot;
}

void rh_value_columns_init(struct value_columns *columns, const struct catalog *catalog,
                           const struct column_maps *maps)
{
    *columns = (struct value_columns){.catalog = catalog, .maps = maps};
}

void rh_value_columns_deinit(struct value_columns *columns)
{
    for (size_t i = 0; i < columns->answer_size; i++)
        free(columns->answers[i].name);
    free(columns->answers);
}
