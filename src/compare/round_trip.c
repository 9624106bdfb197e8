#include "compare/round_trip.h"

#include "compare/compare.h"
#include "compare/renames.h"
#include "model/ledger.h"
#include "model/trace.h"

#include <stdlib.h>
#include <string.h>

/* Columns of an attribute's value in a sentence. */
#define VALUE_COLUMNS 60

struct trip {
    const struct round_trip_states *states;
    struct arena *arena;
    bool after_writes, is_restored;
    VEC(struct round_trip_difference) found;
    VEC(const char *) notes;
    bool noted_ledger;
};

/* --- ledgers -------------------------------------------------------------------------------------
 */

static bool is_left_out(struct trip *trip, const char *identity, const char *parent)
{
    if (!trip->states->has_ledgers || (!rh_is_ledger(identity) && !rh_is_ledger(parent)))
        return false;
    if (!trip->noted_ledger)
        *RH_PUSH(trip->arena,
                 &trip->notes) = "what the tool keeps in its own ledger is not compared";
    trip->noted_ledger = true;
    return true;
}

/* --- saying --------------------------------------------------------------------------------------
 */

static const char *say_count(struct arena *arena, int64_t count, const char *noun)
{
    char text[32];
    rh_count_format(count, text);
    return rh_arena_printf(arena, "%s %s%s", text, noun, count == 1 ? "" : "s");
}

static const char *say_kind(const char *kind)
{
    if (strcmp(kind, "table column") == 0)
        return "column";
    if (strcmp(kind, "table constraint") == 0 || strcmp(kind, "domain constraint") == 0)
        return "constraint";
    return kind;
}

static const char *say_value(struct arena *arena, const char *value)
{
    return rh_text_one_line(arena, rh_text(value), VALUE_COLUMNS);
}

/* The value of most attributes says more than "yes". */
static const char *say_attribute(struct arena *arena, const char *name, const char *value)
{
    return strcmp(value, "yes") == 0 || strcmp(value, "no") == 0
               ? name
               : rh_arena_printf(arena, "%s (%s)", name, say_value(arena, value));
}

/* 'a', 'b' and 'b', 'a': the same labels in another order. */
static bool is_reordered(const char *before, const char *after)
{
    size_t len = strlen(before);
    if (len != strlen(after) || strcmp(before, after) == 0)
        return false;
    /* Every label of the one is in the other; as they are as long together, they are the same. */
    for (const char *label = before; *label;) {
        const char *end = strchr(label + 1, '\'');
        while (end && end[1] == '\'')
            end = strchr(end + 2, '\'');
        if (!end)
            return false;
        size_t label_len = (size_t)(end - label) + 1;
        if (!memmem(after, len, label, label_len))
            return false;
        label += label_len;
        label += strspn(label, ", ");
    }
    return true;
}

static const char *say_change(struct arena *arena, const char *subject,
                              const struct attribute_change *change)
{
    if (!change->after)
        return rh_arena_printf(arena, "%s lost its %s", subject,
                               say_attribute(arena, change->name, change->before));
    if (!change->before)
        return rh_arena_printf(arena, "%s is left with %s", subject,
                               say_attribute(arena, change->name, change->after));
    const char *before = say_value(arena, change->before), *after = say_value(arena, change->after);
    if (strcmp(change->name, "labels") == 0 && is_reordered(change->before, change->after))
        return rh_arena_printf(arena, "%s: labels in another order, %s, before %s", subject, after,
                               before);
    if (strcmp(before, after) == 0) /* they differ beyond what is shown */
        return rh_arena_printf(arena, "%s: another %s than before", subject, change->name);
    return rh_arena_printf(arena, "%s: %s is %s, was %s", subject, change->name, after, before);
}

/* --- schema --------------------------------------------------------------------------------------
 */

static struct round_trip_difference *add(struct trip *trip, enum round_trip_subject subject,
                                         const char *table, const char *column,
                                         const char *sentence)
{
    struct round_trip_difference *difference = RH_PUSH(trip->arena, &trip->found);
    *difference = (struct round_trip_difference){.subject = subject,
                                                 .sentence = sentence,
                                                 .identity = table,
                                                 .table = table,
                                                 .column = column,
                                                 .count = NOT_OBSERVED,
                                                 .after_writes = trip->after_writes};
    return difference;
}

static void add_schema(struct trip *trip, const struct schema_difference *from,
                       const char *sentence)
{
    struct round_trip_difference *difference = add(trip, ROUND_TRIP_SCHEMA, from->parent, NULL,
                                                   sentence);
    difference->kind = from->kind;
    difference->identity = from->identity;
    if (!from->parent)
        difference->table = from->identity;
    if (strcmp(from->kind, "table column") == 0)
        difference->column = rh_bare_name(from->identity);
}

/* What belongs to a server rather than to a database that a dump carries. */
static bool is_of_the_server(const char *kind)
{
    return strcmp(kind, "role") == 0 || strcmp(kind, "setting") == 0 ||
           strcmp(kind, "database") == 0 || strcmp(kind, "subscription") == 0;
}

static bool does_attribute_count(const struct trip *trip, const char *name)
{
    return !trip->is_restored || strcmp(name, "owner") != 0;
}

static const char *say_parts(struct arena *arena, int64_t parts)
{
    return parts > 0 ? rh_arena_printf(arena, ", with %s of it", say_count(arena, parts, "part"))
                     : "";
}

static const char *say_definition(struct arena *arena, const struct schema_difference *difference)
{
    static const char *const names[] = {"definition", "type"};
    for (size_t n = 0; n < sizeof(names) / sizeof(names[0]); n++)
        for (size_t i = 0; i < difference->attributes.count; i++) {
            const struct attribute_change *change = &difference->attributes.items[i];
            const char *value = change->before ? change->before : change->after;
            if (strcmp(change->name, names[n]) == 0)
                return rh_arena_printf(arena, " (%s)", say_value(arena, value));
        }
    return "";
}

static void take_schema_difference(struct trip *trip, const struct schema_difference *difference)
{
    struct arena *arena = trip->arena;
    bool has_place = difference->parent && strcmp(difference->kind, "index") == 0;
    const char *subject = rh_arena_printf(arena, "%s %s%s%s", say_kind(difference->kind),
                                          difference->identity, has_place ? " on " : "",
                                          has_place ? difference->parent : "");
    if (is_left_out(trip, difference->identity, difference->parent) ||
        (trip->is_restored && is_of_the_server(difference->kind)))
        return;
    switch (difference->change) {
    case DIFFERENCE_REMOVED:
        add_schema(trip, difference,
                   rh_arena_printf(arena, "%s is lost%s%s", subject,
                                   say_definition(arena, difference),
                                   say_parts(arena, difference->parts)));
        return;
    case DIFFERENCE_ADDED:
        add_schema(trip, difference,
                   rh_arena_printf(arena, "%s is left behind%s%s", subject,
                                   say_definition(arena, difference),
                                   say_parts(arena, difference->parts)));
        return;
    case DIFFERENCE_RENAMED:
        add_schema(
            trip, difference,
            rh_arena_printf(arena, "%s was called %s", subject, difference->identity_before));
        break;
    case DIFFERENCE_CHANGED:
    case DIFFERENCE_RECREATED:
    case DIFFERENCE_NOT_COMPARED:
        break;
    }
    for (size_t i = 0; i < difference->attributes.count; i++)
        if (does_attribute_count(trip, difference->attributes.items[i].name))
            add_schema(trip, difference,
                       say_change(arena, subject, &difference->attributes.items[i]));
}

/* --- order of columns ----------------------------------------------------------------------------
 */

struct place {
    const struct state_object *column;
};

static int compare_places(const void *a, const void *b)
{
    const struct state_object *left = ((const struct place *)a)->column;
    const struct state_object *right = ((const struct place *)b)->column;
    int order = strcmp(left->parent, right->parent);
    return order ? order : left->sub_id < right->sub_id ? -1 : left->sub_id > right->sub_id;
}

struct places {
    struct place *items;
    size_t count;
};

/* All columns, by table and then in their order. */
static struct places list_places(struct arena *arena, const struct schema_state *state)
{
    struct places places = {0};
    places.items = rh_arena_alloc_array(arena, state->objects.count + 1, sizeof(*places.items));
    for (size_t i = 0; i < state->objects.count; i++)
        if (strcmp(state->objects.items[i].kind, "table column") == 0 &&
            state->objects.items[i].parent)
            places.items[places.count++].column = &state->objects.items[i];
    qsort(places.items, places.count, sizeof(*places.items), compare_places);
    return places;
}

static size_t end_of_table(const struct places *places, size_t start)
{
    size_t end = start;
    while (end < places->count &&
           strcmp(places->items[end].column->parent, places->items[start].column->parent) == 0)
        end++;
    return end;
}

static size_t find_place(const struct places *places, size_t start, size_t end,
                         const char *identity)
{
    while (start < end && strcmp(places->items[start].column->identity, identity) != 0)
        start++;
    return start;
}

static void compare_order(struct trip *trip, const struct places *before, size_t start, size_t end,
                          const struct places *after, size_t new_start, size_t new_end)
{
    struct arena *arena = trip->arena;
    for (size_t i = start, j = new_start; i < end && j < new_end; i++) {
        const char *name = before->items[i].column->identity;
        size_t now = find_place(after, new_start, new_end, name);
        if (now == new_end)
            continue; /* gone: said as such */
        while (j < new_end &&
               find_place(before, start, end, after->items[j].column->identity) == end)
            j++;
        if (now == j) {
            j++;
            continue;
        }
        add(trip, ROUND_TRIP_ORDER, before->items[start].column->parent, NULL,
            rh_arena_printf(arena,
                            "the columns of %s stand in another order: %s was number %zu of %zu, "
                            "and is number %zu",
                            before->items[start].column->parent, rh_bare_name(name), i - start + 1,
                            end - start, now - new_start + 1));
        return;
    }
}

static void compare_orders(struct trip *trip)
{
    struct places before = list_places(trip->arena, trip->states->schema_before);
    struct places after = list_places(trip->arena, trip->states->schema_after);
    size_t j = 0;
    for (size_t i = 0; i < before.count;) {
        size_t end = end_of_table(&before, i);
        const char *table = before.items[i].column->parent;
        while (j < after.count && strcmp(after.items[j].column->parent, table) < 0)
            j++;
        if (j < after.count && strcmp(after.items[j].column->parent, table) == 0 &&
            !is_left_out(trip, table, NULL))
            compare_order(trip, &before, i, end, &after, j, end_of_table(&after, j));
        i = end;
    }
}

/* --- data ----------------------------------------------------------------------------------------
 */

static bool was_written_to(const struct trip *trip, const char *table)
{
    for (size_t i = 0; i < trip->states->written_to_count; i++)
        if (strcmp(trip->states->written_to[i], table) == 0)
            return true;
    return false;
}

/* What it holds is made of what others hold. */
static bool is_computed(const struct trip *trip, const char *table)
{
    const struct data_state *before = trip->states->data_before;
    for (size_t i = 0; table && i < before->tables.count; i++)
        if (strcmp(before->tables.items[i].identity, table) == 0)
            return strcmp(before->tables.items[i].kind, "materialized view") == 0;
    return false;
}

static void add_lost(struct trip *trip, enum round_trip_subject subject,
                     const struct data_difference *from, int64_t count, const char *sentence)
{
    struct round_trip_difference *difference = add(trip, subject, from->table, from->column,
                                                   sentence);
    difference->is_loss = !is_computed(trip, from->table);
    difference->count = count;
}

/* Rows that were written may rightly change what is computed from rows: it is said, no more. */
static void add_other_values(struct trip *trip, const struct data_difference *from,
                             const char *name, const char *sentence)
{
    if (!trip->after_writes)
        add_lost(trip, ROUND_TRIP_VALUES, from, NOT_OBSERVED, sentence);
    else if (!was_written_to(trip, from->table))
        *RH_PUSH(trip->arena, &trip->notes) = rh_arena_printf(
            trip->arena, "%s: its values after the way back depend on the rows written before",
            name);
}

static const struct data_difference *find_new_column(const struct data_differences *data,
                                                     const struct data_difference *gone)
{
    for (size_t i = 0; i < data->list.count; i++) {
        const struct data_difference *difference = &data->list.items[i];
        if (difference->subject == DATA_COLUMN && difference->change == DIFFERENCE_ADDED &&
            strcmp(difference->table, gone->table) == 0 &&
            strcmp(difference->column, gone->column) == 0)
            return difference;
    }
    return NULL;
}

/* A column that is no longer there, or one of its name that was made anew. */
static void take_gone_column(struct trip *trip, const struct data_differences *data,
                             const struct data_difference *difference)
{
    struct arena *arena = trip->arena;
    const char *name = rh_arena_printf(arena, "%s.%s", difference->table, difference->column);
    const struct data_difference *again = find_new_column(data, difference);
    int64_t was = difference->non_null_before, is = again ? again->non_null_after : 0;
    if (was > is)
        add_lost(
            trip, ROUND_TRIP_VALUES, difference, was - is,
            is ? rh_arena_printf(arena, "%s lost %lld of %s", name, (long long)(was - is),
                                 say_count(arena, was, "value"))
               : rh_arena_printf(arena, "%s lost all %s", name, say_count(arena, was, "value")));
    else if (was > 0)
        add_other_values(trip, difference, name,
                         rh_arena_printf(arena, "%s holds other values than before", name));
    else if (is > was && !trip->after_writes)
        add(trip, ROUND_TRIP_VALUES, difference->table, difference->column,
            rh_arena_printf(arena, "%s has %s, and had none", name,
                            say_count(arena, is - was, "value")));
}

static void take_changed_column(struct trip *trip, const struct data_difference *difference)
{
    struct arena *arena = trip->arena;
    const char *name = rh_arena_printf(arena, "%s.%s", difference->table, difference->column);
    int64_t more = difference->non_null_after - difference->non_null_before;
    if (difference->vanished_values > 0)
        add_lost(trip, ROUND_TRIP_VALUES, difference, difference->vanished_values,
                 rh_arena_printf(arena, "%s lost %s", name,
                                 say_count(arena, difference->vanished_values, "value")));
    else if (more > 0 && !trip->after_writes)
        add(trip, ROUND_TRIP_VALUES, difference->table, difference->column,
            rh_arena_printf(arena, "%s has %s where it was NULL", name,
                            say_count(arena, more, "value")));
    else if (more > 0 || difference->values == VALUES_CHANGED)
        add_other_values(trip, difference, name,
                         rh_arena_printf(arena, "%s holds other values than before", name));
}

static void take_rows(struct trip *trip, const struct data_difference *difference)
{
    struct arena *arena = trip->arena;
    int64_t more = difference->rows_after - difference->rows_before;
    if (more < 0)
        add_lost(trip, ROUND_TRIP_ROWS, difference, -more,
                 rh_arena_printf(arena, "%s lost %s", difference->table,
                                 say_count(arena, -more, "row")));
    else if (more > 0 && trip->after_writes)
        return; /* ours, or made of them */
    else if (more > 0)
        add(trip, ROUND_TRIP_ROWS, difference->table, NULL,
            rh_arena_printf(arena, "%s has %s more than before", difference->table,
                            say_count(arena, more, "row")));
    else
        add_other_values(trip, difference, difference->table,
                         rh_arena_printf(arena, "%s holds its values in other rows than before",
                                         difference->table));
}

static void take_data_difference(struct trip *trip, const struct data_differences *data,
                                 const struct data_difference *difference)
{
    struct arena *arena = trip->arena;
    if (is_left_out(trip, difference->table, difference->table_parent) ||
        (trip->after_writes && is_computed(trip, difference->table)))
        return;
    if (difference->change == DIFFERENCE_NOT_COMPARED) {
        *RH_PUSH(arena, &trip->notes) = difference->sentence;
        return;
    }
    switch (difference->subject) {
    case DATA_TABLE:
        if (difference->change == DIFFERENCE_REMOVED && difference->rows_before > 0 &&
            !is_computed(trip, difference->table)) /* else its schema says it */
            add_lost(trip, ROUND_TRIP_ROWS, difference, difference->rows_before,
                     rh_arena_printf(arena, "%s is gone with %s", difference->table,
                                     say_count(arena, difference->rows_before, "row")));
        return;
    case DATA_ROWS:
        take_rows(trip, difference);
        return;
    case DATA_COLUMN:
        if (difference->change == DIFFERENCE_REMOVED)
            take_gone_column(trip, data, difference);
        else if (difference->change == DIFFERENCE_CHANGED)
            take_changed_column(trip, difference);
        return;
    case DATA_SEQUENCE: /* below, by name too */
        return;
    case DATA_LARGE_OBJECTS:
        if (difference->rows_after < difference->rows_before)
            add_lost(trip, ROUND_TRIP_ROWS, difference,
                     difference->rows_before - difference->rows_after, difference->sentence);
        return;
    }
}

/* --- sequences -----------------------------------------------------------------------------------
 */

static const struct sequence_state *find_sequence(const struct data_state *state,
                                                  const struct sequence_state *wanted, bool by_name)
{
    for (size_t i = 0; i < state->sequences.count && !by_name; i++)
        if (state->sequences.items[i].id == wanted->id)
            return &state->sequences.items[i];
    for (size_t i = 0; i < state->sequences.count; i++)
        if (strcmp(state->sequences.items[i].identity, wanted->identity) == 0)
            return &state->sequences.items[i];
    return NULL;
}

/* Values that were given already would be given again. */
static void compare_sequences(struct trip *trip)
{
    struct arena *arena = trip->arena;
    const struct data_state *before = trip->states->data_before, *after = trip->states->data_after;
    for (size_t i = 0; i < before->sequences.count; i++) {
        const struct sequence_state *old = &before->sequences.items[i];
        const struct sequence_state *new = find_sequence(after, old, trip->is_restored);
        if (!new || !old->is_used || is_left_out(trip, old->identity, NULL) ||
            (new->is_used && (old->last_value >= 0 ? new->last_value >= old->last_value
                                                   : new->last_value <= old->last_value)))
            continue;
        add(trip, ROUND_TRIP_SEQUENCE, old->identity, NULL,
            rh_arena_printf(arena,
                            "sequence %s was set back, from %lld to %s: values would be given a "
                            "second time",
                            old->identity, (long long)old->last_value,
                            new->is_used
                                ? rh_arena_printf(arena, "%lld", (long long)new->last_value)
                                : "its start"));
    }
}

/* --- the whole -----------------------------------------------------------------------------------
 */

static void compare_all(struct trip *trip)
{
    const struct round_trip_states *states = trip->states;
    struct schema_differences schema;
    rh_compare_schema(states->schema_before, states->schema_after, trip->arena, &schema);
    for (size_t i = 0; i < schema.list.count; i++)
        take_schema_difference(trip, &schema.list.items[i]);
    if (!trip->is_restored)
        compare_orders(trip);
    if (!states->data_before || !states->data_after)
        return;
    struct data_differences data;
    rh_compare_data(states->data_before, states->data_after, trip->arena, &data);
    for (size_t i = 0; i < data.list.count; i++)
        take_data_difference(trip, &data, &data.list.items[i]);
    if (data.sampled_tables > 0)
        *RH_PUSH(trip->arena, &trip->notes) = rh_arena_printf(
            trip->arena, "values of %s were compared by a sample of the rows",
            say_count(trip->arena, data.sampled_tables, "large table"));
    compare_sequences(trip);
}

void rh_compare_round_trip(const struct round_trip_states *states, bool after_writes,
                           struct arena *arena, struct round_trip *trip)
{
    struct trip work = {.states = states, .arena = arena, .after_writes = after_writes};
    compare_all(&work);
    for (size_t i = 0; i < work.found.count; i++)
        *RH_PUSH(arena, &trip->differences) = work.found.items[i];
    for (size_t i = 0; i < work.notes.count; i++)
        *RH_PUSH(arena, &trip->notes) = work.notes.items[i];
}

void rh_compare_restored(const struct round_trip_states *states, struct arena *arena,
                         struct restore_test *test)
{
    struct trip work = {.states = states, .arena = arena, .is_restored = true};
    compare_all(&work);
    for (size_t i = 0; i < work.found.count; i++)
        *RH_PUSH(arena, &test->differences) = work.found.items[i];
}

enum round_trip_verdict rh_round_trip_verdict_of(const struct round_trip *trip)
{
    bool is_lossy = false, differs = false;
    for (size_t i = 0; i < trip->differences.count; i++) {
        is_lossy |= trip->differences.items[i].is_loss;
        differs |= trip->differences.items[i].subject != ROUND_TRIP_ORDER;
    }
    if (trip->at_once.failure)
        return ROUND_TRIP_FAILS;
    if (trip->after_writes.failure)
        return ROUND_TRIP_FAILS_AFTER_WRITES;
    return is_lossy ? ROUND_TRIP_LOSSY : differs ? ROUND_TRIP_DIFFERS : ROUND_TRIP_LOSSLESS;
}
