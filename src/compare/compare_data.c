#include "compare/compare.h"

#include <stdlib.h>
#include <string.h>

struct table_pair {
    const struct table_state *before, *after; /* NULL: not there */
    bool same;                                /* the very same table, by its id */
};
struct comparison {
    struct arena *arena;
    const struct data_state *before, *after;
    bool same_lineage;
    struct data_differences *result;
};

/* --- saying --------------------------------------------------------------------------------------
 */

static const char *say_number(struct arena *arena, int64_t count)
{
    char text[32];
    rh_count_format(count, text);
    return rh_arena_strdup(arena, text);
}

static const char *say_count(struct arena *arena, int64_t count, const char *noun)
{
    return rh_arena_printf(arena, "%s %s%s", say_number(arena, count), noun, count == 1 ? "" : "s");
}

static const char *say_sample(struct arena *arena, const struct table_state *table)
{
    return table->sample_parts >= SAMPLE_PARTS
               ? ""
               : rh_arena_printf(arena, " (of a sample of %.3g %% of the rows)",
                                 100.0 * table->sample_parts / SAMPLE_PARTS);
}

/* --- adding --------------------------------------------------------------------------------------
 */

static struct data_difference *add(struct comparison *comparison, enum data_subject subject,
                                   enum difference_change change, const struct table_pair *pair)
{
    struct data_difference *difference = RH_PUSH(comparison->arena, &comparison->result->list);
    const struct table_state *table = !pair ? NULL : pair->after ? pair->after : pair->before;
    *difference = (struct data_difference){
        .subject = subject,
        .change = change,
        .table = table ? table->identity : NULL,
        .table_parent = table ? table->parent : NULL,
        .rows_before = pair && pair->before && !pair->before->skipped ? pair->before->rows : -1,
        .rows_after = pair && pair->after && !pair->after->skipped ? pair->after->rows : -1,
        .non_null_before = -1,
        .non_null_after = -1,
        .changed_values = -1,
        .sampled = table && table->sample_parts < SAMPLE_PARTS,
    };
    return difference;
}

static void add_not_compared(struct comparison *comparison, const struct table_pair *pair,
                             const char *reason)
{
    struct data_difference *difference = add(comparison, DATA_TABLE, DIFFERENCE_NOT_COMPARED, pair);
    difference->sentence = rh_arena_printf(comparison->arena, "%s was not compared: %s",
                                           difference->table, reason);
}

/* --- columns -------------------------------------------------------------------------------------
 */

struct column_pair {
    const struct column_state *before, *after;
};

static bool holds_the_same(const struct column_state *a, const struct column_state *b)
{
    return a->non_null == b->non_null && rh_digest_equals(a->digest, b->digest);
}

typedef VEC(struct column_pair) column_pairs;

static bool is_taken(const column_pairs *pairs, const struct column_state *after)
{
    for (size_t i = 0; i < pairs->count; i++)
        if (pairs->items[i].after == after)
            return true;
    return false;
}

static bool has_same_number(const struct column_state *a, const struct column_state *b)
{
    return a->number == b->number;
}
static bool has_same_name(const struct column_state *a, const struct column_state *b)
{
    return strcmp(a->name, b->name) == 0;
}
/* A column without values is like any other: it proves nothing. */
static bool has_same_values(const struct column_state *a, const struct column_state *b)
{
    return a->non_null > 0 && holds_the_same(a, b);
}

static void pair_columns(const struct table_state *after, column_pairs *pairs,
                         bool (*is_same)(const struct column_state *, const struct column_state *))
{
    for (size_t i = 0; i < pairs->count; i++)
        for (size_t j = 0; j < after->columns.count && !pairs->items[i].after; j++)
            if (!is_taken(pairs, &after->columns.items[j]) &&
                is_same(pairs->items[i].before, &after->columns.items[j]))
                pairs->items[i].after = &after->columns.items[j];
}

/* The name of a column of the very same table can change, its number cannot. */
static column_pairs make_column_pairs(struct comparison *comparison, const struct table_pair *pair,
                                      bool digests_compare)
{
    column_pairs pairs = {0};
    for (size_t i = 0; i < pair->before->columns.count; i++)
        RH_PUSH(comparison->arena, &pairs)->before = &pair->before->columns.items[i];
    pair_columns(pair->after, &pairs, pair->same ? has_same_number : has_same_name);
    if (digests_compare)
        pair_columns(pair->after, &pairs, has_same_values);
    return pairs;
}

static bool is_key(const struct table_state *table, const char *column)
{
    for (size_t i = 0; i < table->key.count; i++)
        if (strcmp(table->key.items[i], column) == 0)
            return true;
    return false;
}

static struct data_difference *add_column(struct comparison *comparison,
                                          const struct table_pair *pair,
                                          const struct column_pair *columns,
                                          enum difference_change change, enum data_values values)
{
    const struct column_state *column = columns->after ? columns->after : columns->before;
    struct data_difference *difference = add(comparison, DATA_COLUMN, change, pair);
    difference->column = column->name;
    difference->values = values;
    if (columns->before)
        difference->non_null_before = columns->before->non_null;
    if (columns->after)
        difference->non_null_after = columns->after->non_null;
    if (columns->before && columns->after) {
        if (strcmp(columns->before->name, columns->after->name) != 0)
            difference->before = columns->before->name;
        if (strcmp(columns->before->type, columns->after->type) != 0) {
            difference->type_before = columns->before->type;
            difference->type_after = columns->after->type;
        }
    }
    return difference;
}

static const char *say_nulls(struct arena *arena, int64_t before, int64_t after)
{
    if (after < before)
        return rh_arena_printf(arena, "%s became NULL", say_number(arena, before - after));
    if (after > before)
        return rh_arena_printf(arena, "%s that were NULL have a value now",
                               say_number(arena, after - before));
    return NULL;
}

/* A column that is there before and after, in a table with as many rows as before. */
static void compare_column(struct comparison *comparison, const struct table_pair *pair,
                           const struct column_pair *columns, bool digests_compare)
{
    struct arena *arena = comparison->arena;
    const struct column_state *before = columns->before, *after = columns->after;
    bool same = holds_the_same(before, after);
    bool has_type_changed = strcmp(before->type, after->type) != 0;
    const char *nulls = say_nulls(arena, before->non_null, after->non_null);
    if (digests_compare ? same && !has_type_changed : !nulls)
        return; /* without digests "not compared" is said once for the table */
    enum data_values values = !digests_compare ? VALUES_UNKNOWN
                              : same           ? VALUES_SAME
                                               : VALUES_CHANGED;
    struct data_difference *difference = add_column(comparison, pair, columns, DIFFERENCE_CHANGED,
                                                    values);
    if (after->non_null < before->non_null)
        difference->vanished_values = before->non_null - after->non_null;
    const char *name = rh_arena_printf(arena, "%s.%s", pair->after->identity, after->name);
    const char *type = has_type_changed
                           ? rh_arena_printf(arena, " (%s, was %s)", after->type, before->type)
                           : "";
    const char *sample = say_sample(arena, pair->after);
    if (values == VALUES_SAME)
        difference->sentence = rh_arena_printf(arena, "%s%s: the same values%s", name, type,
                                               sample);
    else if (values == VALUES_UNKNOWN)
        difference->sentence = rh_arena_printf(arena, "%s%s: %s", name, type, nulls);
    else if (!nulls)
        difference->sentence = rh_arena_printf(arena, "%s%s: values changed%s", name, type, sample);
    else if (after->non_null == 0)
        difference->sentence = rh_arena_printf(arena, "%s%s: all %s became NULL", name, type,
                                               say_count(arena, before->non_null, "value"));
    else
        difference->sentence = rh_arena_printf(
            arena, "%s%s: %s; whether others changed is not known", name, type, nulls);
}

/* Rows came or went, so that values cannot be compared: but a row takes one value along at most. */
static void add_fewer_values(struct comparison *comparison, const struct table_pair *pair,
                             const struct column_pair *columns)
{
    const struct column_state *before = columns->before, *after = columns->after;
    int64_t gone_rows = pair->before->rows - pair->after->rows;
    int64_t vanished = before->non_null - after->non_null - (gone_rows > 0 ? gone_rows : 0);
    if (vanished <= 0)
        return;
    struct data_difference *difference = add_column(comparison, pair, columns, DIFFERENCE_CHANGED,
                                                    VALUES_CHANGED);
    difference->vanished_values = vanished;
    difference->sentence = rh_arena_printf(
        comparison->arena, "%s.%s: at least %s vanished, not counting those of rows that went",
        pair->after->identity, after->name, say_count(comparison->arena, vanished, "value"));
}

static void compare_columns(struct comparison *comparison, const struct table_pair *pair,
                            bool digests_compare)
{
    struct arena *arena = comparison->arena;
    column_pairs pairs = make_column_pairs(comparison, pair, digests_compare);
    bool same_rows = pair->before->rows == pair->after->rows;
    for (size_t i = 0; i < pairs.count; i++) {
        const struct column_pair *columns = &pairs.items[i];
        const struct column_state *before = columns->before, *after = columns->after;
        if (!after) {
            struct data_difference *difference = add_column(comparison, pair, columns,
                                                            DIFFERENCE_REMOVED, VALUES_UNKNOWN);
            difference->sentence = rh_arena_printf(arena, "%s.%s is gone, with %s",
                                                   pair->before->identity, before->name,
                                                   say_count(arena, before->non_null, "value"));
            continue;
        }
        bool moved = before->number != after->number || !pair->same;
        if (strcmp(before->name, after->name) != 0 && digests_compare && same_rows &&
            holds_the_same(before, after)) {
            struct data_difference *difference = add_column(comparison, pair, columns,
                                                            DIFFERENCE_RENAMED, VALUES_SAME);
            difference->sentence = rh_arena_printf(arena,
                                                   moved ? "%s.%s is gone; %s holds the same %s"
                                                         : "%s.%s is now %s, the same %s",
                                                   pair->after->identity, before->name, after->name,
                                                   say_count(arena, after->non_null, "value"));
        } else if (same_rows) {
            compare_column(comparison, pair, columns, digests_compare);
        } else {
            add_fewer_values(comparison, pair, columns);
        }
    }
    for (size_t i = 0; i < pair->after->columns.count; i++) {
        const struct column_pair columns = {.after = &pair->after->columns.items[i]};
        if (is_taken(&pairs, columns.after))
            continue;
        struct data_difference *difference = add_column(comparison, pair, &columns,
                                                        DIFFERENCE_ADDED, VALUES_UNKNOWN);
        difference->sentence = rh_arena_printf(
            arena, "%s.%s is new, with %s", pair->after->identity, columns.after->name,
            columns.after->non_null ? say_count(arena, columns.after->non_null, "value")
                                    : "no value");
    }
}

/* --- tables --------------------------------------------------------------------------------------
 */

static const struct column_state *find_column(const struct table_state *table, const char *name)
{
    for (size_t i = 0; i < table->columns.count; i++)
        if (strcmp(table->columns.items[i].name, name) == 0)
            return &table->columns.items[i];
    return NULL;
}

/* Values are digested with their row's key: were the keys the same? */
static bool have_same_keys(const struct table_state *before, const struct table_state *after)
{
    for (size_t i = 0; i < before->key.count; i++) {
        const struct column_state *old = find_column(before, before->key.items[i]);
        const struct column_state *new = find_column(after, after->key.items[i]);
        if (!old || !new || !holds_the_same(old, new))
            return false;
    }
    return true;
}

static bool same_row_columns(const struct table_state *a, const struct table_state *b)
{
    if (!a->has_row || !b->has_row || a->row_columns.count != b->row_columns.count)
        return false;
    for (size_t i = 0; i < a->row_columns.count; i++)
        if (strcmp(a->row_columns.items[i], b->row_columns.items[i]) != 0)
            return false;
    return true;
}

/* Without a key each column may hold the same values and yet in other rows. */
static void compare_rows_of_no_key(struct comparison *comparison, const struct table_pair *pair,
                                   size_t first_difference)
{
    const struct table_state *before = pair->before, *after = pair->after;
    if (!same_row_columns(before, after) || rh_digest_equals(before->row, after->row))
        return;
    for (size_t i = first_difference; i < comparison->result->list.count; i++) {
        const struct data_difference *told = &comparison->result->list.items[i];
        if (told->subject == DATA_COLUMN && told->change != DIFFERENCE_ADDED)
            return; /* that is why */
    }
    struct data_difference *difference = add(comparison, DATA_ROWS, DIFFERENCE_CHANGED, pair);
    difference->values = VALUES_CHANGED;
    difference->sentence = rh_arena_printf(
        comparison->arena, "%s: every column holds the same values, but in other rows",
        after->identity);
}

static void compare_tables(struct comparison *comparison, const struct table_pair *pair)
{
    struct arena *arena = comparison->arena;
    const struct table_state *before = pair->before, *after = pair->after;
    size_t first = comparison->result->list.count;
    if (strcmp(before->identity, after->identity) != 0) {
        struct data_difference *difference = add(comparison, DATA_TABLE, DIFFERENCE_RENAMED, pair);
        difference->before = before->identity;
        difference->sentence = rh_arena_printf(arena, "%s is now %s%s", before->identity,
                                               after->identity,
                                               pair->same ? "" : ", with the same rows");
    }
    if (before->rows != after->rows) {
        struct data_difference *difference = add(comparison, DATA_ROWS, DIFFERENCE_CHANGED, pair);
        bool fewer = after->rows < before->rows;
        difference->sentence = rh_arena_printf(
            arena, "%s: %s %s (%s, now %s)", after->identity,
            say_count(arena, fewer ? before->rows - after->rows : after->rows - before->rows,
                      "row"),
            fewer ? "fewer" : "more", say_number(arena, before->rows),
            after->rows ? say_number(arena, after->rows) : "none");
    }
    bool same_method = before->key.count == after->key.count &&
                       before->sample_parts == after->sample_parts;
    bool digests_compare = same_method && have_same_keys(before, after);
    compare_columns(comparison, pair, digests_compare);
    if (before->rows != after->rows || before->rows == 0)
        return;
    if (digests_compare) {
        compare_rows_of_no_key(comparison, pair, first);
        return;
    }
    struct data_difference *difference = add(comparison, DATA_COLUMN, DIFFERENCE_CHANGED, pair);
    difference->values = same_method ? VALUES_CHANGED : VALUES_UNKNOWN;
    difference->sentence = rh_arena_printf(
        arena,
        same_method ? "%s: values of its key changed, so that its rows cannot be compared"
                    : "%s: its rows cannot be compared, because it has another key now",
        after->identity);
    for (size_t i = 0; i < after->columns.count && same_method && !difference->column; i++)
        if (is_key(after, after->columns.items[i].name) && after->key.count == 1)
            difference->column = after->columns.items[i].name;
}

static void add_table(struct comparison *comparison, const struct table_pair *pair)
{
    struct arena *arena = comparison->arena;
    bool is_new = pair->after != NULL;
    const struct table_state *table = is_new ? pair->after : pair->before;
    struct data_difference *difference = add(comparison, DATA_TABLE,
                                             is_new ? DIFFERENCE_ADDED : DIFFERENCE_REMOVED, pair);
    const char *rows = table->skipped ? "rows that were not counted"
                       : table->rows  ? say_count(arena, table->rows, "row")
                                      : "no row";
    difference->sentence = rh_arena_printf(
        arena, is_new ? "%s is new, with %s" : "%s is gone, with %s", table->identity, rows);
}

static bool is_root(const struct table_state *table)
{
    return strcmp(table->kind, "partitioned table") == 0;
}

static const struct table_state *find_table(const struct data_state *state, const char *identity)
{
    size_t low = 0, high = state->tables.count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(state->tables.items[middle].identity, identity) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low < state->tables.count && strcmp(state->tables.items[low].identity, identity) == 0
               ? &state->tables.items[low]
               : NULL;
}

/* A partition that stayed one: what its table holds as a whole is what people speak of, and a row
   that moved from one partition to another is where it was. */
static bool is_told_as_a_whole(const struct comparison *comparison, const struct table_pair *pair)
{
    if (!pair->before->parent || !pair->after->parent)
        return false;
    const struct table_state *before = find_table(comparison->before, pair->before->parent);
    const struct table_state *after = find_table(comparison->after, pair->after->parent);
    return before && after && !before->skipped && !after->skipped &&
           (comparison->same_lineage ? before->id == after->id
                                     : strcmp(before->identity, after->identity) == 0);
}

static void compare_pair(struct comparison *comparison, const struct table_pair *pair)
{
    const struct table_state *before = pair->before, *after = pair->after;
    if (!before || !after) {
        add_table(comparison, pair);
        return;
    }
    if (after->skipped || before->skipped) {
        /* A foreign table is not ours to read, and one that holds nothing yet has nothing to lose.
         */
        bool is_skipped_by_nature = before->skipped && after->skipped &&
                                    strcmp(before->skipped, after->skipped) == 0;
        comparison->result->skipped_tables++;
        if (!is_skipped_by_nature && !is_root(after))
            add_not_compared(comparison, pair, after->skipped ? after->skipped : before->skipped);
        return;
    }
    if (!is_root(after)) {
        comparison->result->tables++;
        comparison->result->rows += after->rows;
        comparison->result->sampled_tables += after->sample_parts < SAMPLE_PARTS;
    }
    if (!is_told_as_a_whole(comparison, pair))
        compare_tables(comparison, pair);
}

/* --- pairs ---------------------------------------------------------------------------------------
 */

static bool same_columns(const struct table_state *a, const struct table_state *b)
{
    if (a->columns.count != b->columns.count || a->rows != b->rows || a->rows == 0 || a->skipped ||
        b->skipped || a->key.count != b->key.count || a->sample_parts != b->sample_parts)
        return false;
    for (size_t i = 0; i < a->columns.count; i++)
        if (strcmp(a->columns.items[i].name, b->columns.items[i].name) != 0 ||
            !holds_the_same(&a->columns.items[i], &b->columns.items[i]))
            return false;
    return true;
}

static bool same_id(const struct table_state *a, const struct table_state *b)
{
    return a->id == b->id;
}
static bool same_identity(const struct table_state *a, const struct table_state *b)
{
    return strcmp(a->identity, b->identity) == 0;
}

struct table_ref {
    const struct table_state *table;
};

static int compare_id(const void *a, const void *b)
{
    int64_t left = ((const struct table_ref *)a)->table->id;
    int64_t right = ((const struct table_ref *)b)->table->id;
    return left < right ? -1 : left > right;
}
static int compare_identity(const void *a, const void *b)
{
    return strcmp(((const struct table_ref *)a)->table->identity,
                  ((const struct table_ref *)b)->table->identity);
}

static void pair_tables(struct table_pair *pairs, size_t count, struct table_ref *after,
                        size_t after_count, bool *taken, const struct table_state *first_after,
                        bool by_id)
{
    int (*compare)(const void *, const void *) = by_id ? compare_id : compare_identity;
    bool (*is_same)(const struct table_state *, const struct table_state *) = by_id ? same_id
                                                                                    : same_identity;
    qsort(after, after_count, sizeof(*after), compare);
    for (size_t i = 0; i < count; i++) {
        const struct table_ref wanted = {.table = pairs[i].before};
        if (pairs[i].after)
            continue;
        const struct table_ref *found = bsearch(&wanted, after, after_count, sizeof(*after),
                                                compare);
        if (!found || taken[found->table - first_after] || !is_same(wanted.table, found->table))
            continue;
        taken[found->table - first_after] = true;
        pairs[i].after = found->table;
        pairs[i].same = by_id;
    }
}

static void compare_all_tables(struct comparison *comparison, const struct data_state *before,
                               const struct data_state *after)
{
    struct arena *arena = comparison->arena;
    size_t count = before->tables.count, after_count = after->tables.count;
    struct table_pair *pairs = rh_arena_alloc_array(arena, count + 1, sizeof(*pairs));
    struct table_ref *refs = rh_arena_alloc_array(arena, after_count + 1, sizeof(*refs));
    bool *taken = rh_arena_alloc_array(arena, after_count + 1, sizeof(*taken));
    for (size_t i = 0; i < count; i++)
        pairs[i].before = &before->tables.items[i];
    for (size_t i = 0; i < after_count; i++)
        refs[i].table = &after->tables.items[i];
    if (comparison->same_lineage)
        pair_tables(pairs, count, refs, after_count, taken, after->tables.items, true);
    pair_tables(pairs, count, refs, after_count, taken, after->tables.items, false);
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < after_count && !pairs[i].after; j++)
            if (!taken[j] && same_columns(pairs[i].before, &after->tables.items[j])) {
                pairs[i].after = &after->tables.items[j];
                taken[j] = true;
            }
    for (size_t i = 0; i < count; i++)
        compare_pair(comparison, &pairs[i]);
    for (size_t i = 0; i < after_count; i++) {
        const struct table_pair pair = {.after = &after->tables.items[i]};
        if (!taken[i])
            compare_pair(comparison, &pair);
    }
}

/* --- sequences, large objects --------------------------------------------------------------------
 */

static const char *say_sequence(struct arena *arena, const struct sequence_state *sequence)
{
    return sequence->is_used ? say_number(arena, sequence->last_value) : "not used yet";
}

static void compare_sequences(struct comparison *comparison, const struct data_state *before,
                              const struct data_state *after)
{
    struct arena *arena = comparison->arena;
    size_t j = 0;
    /* Both in the order of their ids, which are comparable within one lineage alone. */
    for (size_t i = 0; comparison->same_lineage && i < before->sequences.count; i++) {
        const struct sequence_state *old = &before->sequences.items[i];
        while (j < after->sequences.count && after->sequences.items[j].id < old->id)
            j++;
        const struct sequence_state *new = j < after->sequences.count ? &after->sequences.items[j]
                                                                      : NULL;
        if (!new || new->id != old->id ||
            (old->is_used == new->is_used && old->last_value == new->last_value))
            continue;
        struct data_difference *difference = add(comparison, DATA_SEQUENCE, DIFFERENCE_CHANGED,
                                                 NULL);
        difference->table = new->identity;
        difference->rows_before = old->is_used ? old->last_value : -1;
        difference->rows_after = new->is_used ? new->last_value : -1;
        difference->sentence = rh_arena_printf(arena, "%s: was %s, now %s", new->identity,
                                               say_sequence(arena, old), say_sequence(arena, new));
    }
    if (before->large_objects != after->large_objects) {
        struct data_difference *difference = add(comparison, DATA_LARGE_OBJECTS, DIFFERENCE_CHANGED,
                                                 NULL);
        difference->rows_before = before->large_objects;
        difference->rows_after = after->large_objects;
        difference->sentence = rh_arena_printf(
            arena, "%s, now %s", say_count(arena, before->large_objects, "large object"),
            say_number(arena, after->large_objects));
    }
}

void rh_compare_data(const struct data_state *before, const struct data_state *after,
                     struct arena *arena, struct data_differences *ret_differences)
{
    struct comparison comparison = {
        .arena = arena,
        .before = before,
        .after = after,
        .same_lineage = before->lineage && after->lineage &&
                        strcmp(before->lineage, after->lineage) == 0,
        .result = ret_differences,
    };
    *ret_differences = (struct data_differences){
        .was_compared = true, .duration_us = before->duration_us + after->duration_us};
    compare_all_tables(&comparison, before, after);
    compare_sequences(&comparison, before, after);
}
