#include "compare/compare_ends.h"

#include "base/clock.h"
#include "compare/compare.h"
#include "model/ledger.h"

#include <string.h>

/* Columns of an attribute's value in a sentence. */
#define VALUE_COLUMNS 60

struct ends {
    struct arena *arena; /* the caller's */
    struct arena *scratch;
    bool renumbers;
    struct schema_differences noise_schema;
    struct data_differences noise_data;
    struct end_difference *result;
};

static const char *say_number(struct arena *arena, int64_t count)
{
    char text[32];
    rh_count_format(count, text);
    return rh_arena_strdup(arena, text);
}

static void tell(struct ends *ends, const char *sentence)
{
    ends->result->count++;
    if (ends->result->sentences.count < DIFFERENCES_KEPT_MAX)
        *RH_PUSH(ends->arena, &ends->result->sentences) = sentence;
}

static bool is_same(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

/* --- schema --------------------------------------------------------------------------------------
 */

static bool is_schema_noise(const struct ends *ends, const struct schema_difference *difference)
{
    for (size_t i = 0; i < ends->noise_schema.list.count; i++) {
        const struct schema_difference *noise = &ends->noise_schema.list.items[i];
        if (noise->change == difference->change && is_same(noise->kind, difference->kind) &&
            is_same(noise->identity, difference->identity))
            return true;
    }
    return false;
}

static const char *say_attributes(const struct ends *ends,
                                  const struct schema_difference *difference)
{
    const char *text = "";
    for (size_t i = 0; i < difference->attributes.count; i++) {
        const struct attribute_change *change = &difference->attributes.items[i];
        struct arena *scratch = ends->scratch;
        const char *is = change->after
                             ? rh_text_one_line(scratch, rh_text(change->after), VALUE_COLUMNS)
                             : "nothing";
        const char *should = change->before
                                 ? rh_text_one_line(scratch, rh_text(change->before), VALUE_COLUMNS)
                                 : NULL;
        text = should ? rh_arena_printf(scratch, "%s%s%s is %s, not %s", text, i ? ", " : "",
                                        change->name, is, should)
                      : rh_arena_printf(scratch, "%s%s%s is %s", text, i ? ", " : "", change->name,
                                        is);
    }
    return text;
}

/* The one attribute that everybody has a word for. */
static bool is_invalid_index(const struct schema_difference *difference)
{
    return difference->attributes.count == 1 && difference->attributes.items[0].after &&
           is_same(difference->attributes.items[0].name, "valid") &&
           is_same(difference->attributes.items[0].after, "no");
}

static void tell_schema(struct ends *ends, const struct schema_difference *difference)
{
    struct arena *arena = ends->arena;
    switch (difference->change) {
    case DIFFERENCE_ADDED:
        tell(ends,
             rh_arena_printf(arena, "%s %s is left over", difference->kind, difference->identity));
        return;
    case DIFFERENCE_REMOVED:
        tell(ends,
             rh_arena_printf(arena, "%s %s is missing", difference->kind, difference->identity));
        return;
    case DIFFERENCE_RENAMED:
        tell(ends, rh_arena_printf(arena, "%s %s is called %s", difference->kind,
                                   difference->identity_before, difference->identity));
        return;
    case DIFFERENCE_CHANGED:
    case DIFFERENCE_RECREATED:
        if (is_invalid_index(difference))
            tell(ends, rh_arena_printf(arena, "%s %s is invalid", difference->kind,
                                       difference->identity));
        else
            tell(ends, rh_arena_printf(arena, "%s %s: %s", difference->kind, difference->identity,
                                       say_attributes(ends, difference)));
        return;
    case DIFFERENCE_NOT_COMPARED:
        return;
    }
}

static void compare_schemas(struct ends *ends, const struct schema_state *expected,
                            const struct schema_state *actual, struct schema_differences *ret)
{
    struct schema_state before = *expected, after = *actual;
    before.lineage = after.lineage = NULL;
    rh_compare_schema(&before, &after, ends->scratch, ret);
}

/* --- data ----------------------------------------------------------------------------------------
 */

static bool is_data_noise(const struct ends *ends, const struct data_difference *difference)
{
    for (size_t i = 0; i < ends->noise_data.list.count; i++) {
        const struct data_difference *noise = &ends->noise_data.list.items[i];
        if (noise->subject == difference->subject && is_same(noise->table, difference->table) &&
            is_same(noise->column, difference->column))
            return true;
    }
    return false;
}

static bool counts_are_equal(const struct data_difference *difference)
{
    return difference->rows_before == difference->rows_after &&
           difference->non_null_before == difference->non_null_after;
}

/* Columns of a table whose number of rows differs say nothing more. */
static bool has_other_rows(const struct data_differences *all, const char *table)
{
    for (size_t i = 0; i < all->list.count; i++)
        if (all->list.items[i].subject == DATA_ROWS && is_same(all->list.items[i].table, table))
            return true;
    return false;
}

static void tell_data(struct ends *ends, const struct data_differences *all,
                      const struct data_difference *difference)
{
    struct arena *arena = ends->arena, *scratch = ends->scratch;
    switch (difference->subject) {
    case DATA_TABLE: /* the schema tells of it */
    case DATA_SEQUENCE:
        return;
    case DATA_ROWS:
        tell(ends, rh_arena_printf(arena, "%s has %s row%s, not %s", difference->table,
                                   say_number(scratch, difference->rows_after),
                                   difference->rows_after == 1 ? "" : "s",
                                   say_number(scratch, difference->rows_before)));
        return;
    case DATA_LARGE_OBJECTS:
        tell(ends, rh_arena_printf(arena, "there are %s large objects, not %s",
                                   say_number(scratch, difference->rows_after),
                                   say_number(scratch, difference->rows_before)));
        return;
    case DATA_COLUMN:
        break;
    }
    if (has_other_rows(all, difference->table) || difference->change == DIFFERENCE_ADDED ||
        difference->change == DIFFERENCE_REMOVED || difference->change == DIFFERENCE_RENAMED ||
        difference->values == VALUES_SAME)
        return;
    if (counts_are_equal(difference) && (ends->renumbers || rh_is_ledger(difference->table))) {
        ends->result->set_aside++;
        return;
    }
    const char *what = difference->column ? rh_arena_printf(scratch, "%s.%s", difference->table,
                                                            difference->column)
                                          : difference->table;
    tell(ends, counts_are_equal(difference)
                   ? rh_arena_printf(arena, "%s holds other values", what)
                   : rh_arena_printf(arena, "%s holds %s values that are not NULL, not %s", what,
                                     say_number(scratch, difference->non_null_after),
                                     say_number(scratch, difference->non_null_before)));
}

static void compare_datas(struct ends *ends, const struct data_state *expected,
                          const struct data_state *actual, struct data_differences *ret)
{
    struct data_state before = *expected, after = *actual;
    before.lineage = after.lineage = NULL;
    rh_compare_data(&before, &after, ends->scratch, ret);
}

static bool have_sequences_moved(const struct data_state *a, const struct data_state *b)
{
    for (size_t i = 0; i < a->sequences.count; i++)
        for (size_t j = 0; j < b->sequences.count; j++) {
            const struct sequence_state *one = &a->sequences.items[i];
            const struct sequence_state *other = &b->sequences.items[j];
            if (strcmp(one->identity, other->identity) == 0 &&
                (one->is_used != other->is_used ||
                 (one->is_used && one->last_value != other->last_value)))
                return true;
        }
    return false;
}

static void compare_data(struct ends *ends, const struct data_state *expected,
                         const struct data_state *actual)
{
    struct data_differences differences = {0};
    size_t unread = 0;
    ends->renumbers = ends->renumbers && have_sequences_moved(expected, actual);
    compare_datas(ends, expected, actual, &differences);
    for (size_t i = 0; i < differences.list.count; i++) {
        const struct data_difference *difference = &differences.list.items[i];
        if (difference->change == DIFFERENCE_NOT_COMPARED)
            unread++;
        else if (is_data_noise(ends, difference))
            ends->result->set_aside++;
        else
            tell_data(ends, &differences, difference);
    }
    if (unread > 0)
        ends->result->reason = rh_arena_printf(ends->arena, "the rows of %zu table%s were not read",
                                               unread, unread == 1 ? "" : "s");
}

void rh_compare_ends(const struct end_state *expected, const struct end_state *actual,
                     const struct end_state *twin, bool renumbers, struct arena *arena,
                     struct end_difference *difference)
{
    RH_CLEANUP_ARENA struct arena *scratch = rh_arena_new();
    struct ends ends = {
        .arena = arena, .scratch = scratch, .renumbers = renumbers, .result = difference};
    *difference = (struct end_difference){.was_compared = expected->schema && actual->schema};
    if (twin && twin->schema && expected->schema)
        compare_schemas(&ends, expected->schema, twin->schema, &ends.noise_schema);
    if (twin && twin->data && expected->data)
        compare_datas(&ends, expected->data, twin->data, &ends.noise_data);
    if (expected->schema && actual->schema) {
        struct schema_differences differences = {0};
        compare_schemas(&ends, expected->schema, actual->schema, &differences);
        for (size_t i = 0; i < differences.list.count; i++) {
            if (is_schema_noise(&ends, &differences.list.items[i]))
                difference->set_aside++;
            else
                tell_schema(&ends, &differences.list.items[i]);
        }
    }
    if (expected->data && actual->data)
        compare_data(&ends, expected->data, actual->data);
    else if (difference->was_compared)
        difference->reason = "the data was not read";
}
