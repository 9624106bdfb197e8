#include "snapshot/watches.h"

#include "base/say.h"
#include "mask/leak.h"
#include "mask/shape.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* All shapes together: each distinct value takes 96 bytes, in two tables. */
#define SHAPES_BYTES_MAX ((size_t)64 * 1024 * 1024)
#define SHAPE_VALUE_BYTES 96
#define SHAPE_VALUES_MIN 256
#define SHAPE_VALUES_MAX 65536
/* Of a column that was to be masked, this share of its values may be what it was by chance. */
#define UNCHANGED_MAX 0.0001
/* Chance hits of short values, as a share of what was looked up. */
#define POSSIBLE_MAX 0.01
#define POSSIBLE_FEW 3
/* Sentences in a certificate. */
#define NOTES_MAX 50

struct watched {
    const struct masked_column *column;
    const struct catalog_column *facts;
    bool has_shape, has_leaves, is_read; /* is_read: looked through when it is restored */
    struct leaf_plan leaves;
    struct shape shape;
    int64_t telling, unchanged; /* values that say something, and stayed what they were */
    struct leak_hits hits;
    int64_t too_long; /* restored, not looked through */
};

struct place {
    const char *name;
    struct leak_hits hits;
};

struct watches {
    struct arena *arena;
    const struct catalog *catalog;
    const struct masking *masking;
    pthread_mutex_t lock; /* of the filter, while streams on several threads add to it */
    struct leak_filter filter;
    VEC(struct watched *) columns; /* those of the plan, in its order; NULL: not watched */
    VEC(struct place *) places;
    int64_t texts;
};

/* What a stream's watcher needs: its columns in the order of the COPY. */
struct watched_stream {
    struct watches *watches;
    struct watched **columns;
    bool is_restored;
};

/* --- making ------------------------------------------------------------------------------------
 */

/* Values with a structure: what is personal in them is their leaves. */
static bool has_leaves(const struct catalog_column *column)
{
    static const char *const types[] = {"json", "jsonb", "xml", "hstore", "public.hstore"};

    if (column->is_array || column->type_kind == 'c')
        return true;
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
        if (strcmp(column->base_type, types[i]) == 0)
            return true;
    return false;
}

/* As the rules of structured values have it (docs/structured-values.md). */
static struct leaf_plan leaf_plan_of(const struct masked_column *column,
                                     const struct catalog_column *facts)
{
    bool is_json = strcmp(facts->base_type, "json") == 0 || strcmp(facts->base_type, "jsonb") == 0;

    return (struct leaf_plan){.is_xml = strcmp(facts->base_type, "xml") == 0 && !facts->is_array,
                              .numbers_may_stay = is_json || facts->type_kind == 'c',
                              .any_may_stay = column->paths.count > 0};
}

/* Numbers, times and truth values hold nobody's name; everything else is read. */
static bool may_hold_text(const struct catalog_column *column)
{
    return column->is_array || !strchr("BDNT", column->type_category);
}

static bool keeps_shape(const struct masked_column *column)
{
    return column->rule != MASK_KEEP && rh_mask_rule_is_injective(column->rule);
}

struct watches *rh_watches_new(const struct catalog *catalog, const struct masking *masking,
                               uint64_t seed)
{
    struct arena *arena = rh_arena_new();
    struct watches *watches = RH_NEW(arena, struct watches);
    size_t shapes = 0, max = SHAPE_VALUES_MAX;

    *watches = (struct watches){.arena = arena, .catalog = catalog, .masking = masking};
    pthread_mutex_init(&watches->lock, NULL);
    rh_leak_init(&watches->filter, seed);
    for (size_t i = 0; i < masking->columns.count; i++)
        shapes += keeps_shape(&masking->columns.items[i]);
    if (shapes * max * SHAPE_VALUE_BYTES > SHAPES_BYTES_MAX)
        max = SHAPES_BYTES_MAX / SHAPE_VALUE_BYTES / shapes;
    if (max < SHAPE_VALUES_MIN)
        max = SHAPE_VALUES_MIN;
    for (size_t i = 0; i < masking->columns.count; i++) {
        const struct masked_column *column = &masking->columns.items[i];
        struct watched *watched = RH_NEW(arena, struct watched);
        *watched = (struct watched){
            .column = column,
            .facts = rh_catalog_column(&catalog->tables.items[column->table], column->column)};
        watched->has_shape = keeps_shape(column);
        watched->has_leaves = has_leaves(watched->facts);
        watched->leaves = leaf_plan_of(column, watched->facts);
        watched->is_read = column->rule == MASK_KEEP && may_hold_text(watched->facts);
        if (watched->has_shape)
            rh_shape_init(&watched->shape, max, seed);
        *RH_PUSH(arena, &watches->columns) = watched;
    }
    return watches;
}

void rh_watches_free(struct watches *watches)
{
    if (!watches)
        return;
    for (size_t i = 0; i < watches->columns.count; i++)
        if (watches->columns.items[i]->has_shape)
            rh_shape_deinit(&watches->columns.items[i]->shape);
    rh_leak_deinit(&watches->filter);
    pthread_mutex_destroy(&watches->lock);
    rh_arena_free(watches->arena);
}

static struct watched *watched_of(const struct watches *watches, size_t table, int number)
{
    const struct masked_column *column = rh_masking_column(watches->masking, table, number);

    return column ? watches->columns.items[column - watches->masking->columns.items] : NULL;
}

bool rh_watches_wants(const struct watches *watches, size_t table, int number)
{
    const struct watched *watched = watched_of(watches, table, number);

    return watched && (watched->has_shape || watched->is_read);
}

/* --- before ------------------------------------------------------------------------------------
 */

static bool is_kept_value(const struct masked_column *column, struct text value)
{
    for (size_t i = 0; i < column->kept_values.count; i++) {
        const char *kept = column->kept_values.items[i];
        if (strlen(kept) == value.len && strncasecmp(kept, value.data, value.len) == 0)
            return true;
    }
    return false;
}

/* What has to become something else, and would be known again. */
static bool is_telling(const struct watched *watched, struct text value)
{
    return watched->has_leaves ? rh_leak_has_telling_leaf(&watched->leaves, value)
                               : rh_leak_is_telling(value);
}

/* What belongs to the column alone. */
static void pass(struct watched *watched, struct text original, struct text masked)
{
    const struct masked_column *column = watched->column;

    if (watched->has_shape)
        rh_shape_pass(&watched->shape, original, masked);
    if (original.data && column->rule != MASK_KEEP && is_telling(watched, original) &&
        !is_kept_value(column, original)) {
        watched->telling++;
        watched->unchanged += masked.data && rh_text_equals(original, masked);
    }
}

static void add_to_filter(struct watches *watches, const struct watched *watched,
                          const struct text *originals, const struct text *masked, size_t count)
{
    const struct masked_column *column = watched->column;
    const uint64_t index = (uint64_t)(column - watches->masking->columns.items);

    pthread_mutex_lock(&watches->lock);
    for (size_t i = 0; i < count; i++)
        if (originals[i].data && watched->has_leaves)
            rh_leak_add_leaves(&watches->filter, index, &watched->leaves, originals[i], masked[i]);
        else if (originals[i].data && !is_kept_value(column, originals[i]))
            rh_leak_add(&watches->filter, index, originals[i]);
    pthread_mutex_unlock(&watches->lock);
}

/* --- after -------------------------------------------------------------------------------------
 */

static void find(struct watches *watches, struct watched *watched, struct text value)
{
    if (watched->has_shape)
        rh_shape_find(&watched->shape, value);
    if (watched->is_read && value.data)
        rh_leak_find(&watches->filter, value, &watched->hits);
}

static void on_values(void *context, size_t column, const struct text *originals,
                      const struct text *masked, size_t count)
{
    struct watched_stream *stream = context;
    struct watched *watched = stream->columns[column];

    for (size_t i = 0; watched && i < count; i++)
        if (stream->is_restored)
            find(stream->watches, watched, masked[i]);
        else
            pass(watched, originals[i], masked[i]);
    if (watched && !stream->is_restored && watched->column->is_personal)
        add_to_filter(stream->watches, watched, originals, masked, count);
}

static void on_streamed(void *context, size_t column, int64_t bytes)
{
    struct watched_stream *stream = context;
    struct watched *watched = stream->columns[column];

    if (!watched)
        return;
    watched->too_long += stream->is_restored && watched->is_read;
    if (watched->has_shape && stream->is_restored)
        rh_shape_find_long(&watched->shape, bytes);
    else if (watched->has_shape)
        rh_shape_pass_long(&watched->shape, bytes);
}

static struct copy_watcher watch(struct watches *watches, size_t table, const int *numbers,
                                 size_t count, bool is_restored)
{
    struct watched_stream *stream = RH_NEW(watches->arena, struct watched_stream);

    *stream = (struct watched_stream){.watches = watches, .is_restored = is_restored};
    stream->columns = rh_arena_alloc_array(watches->arena, count + 1, sizeof(stream->columns[0]));
    for (size_t i = 0; i < count; i++)
        stream->columns[i] = watched_of(watches, table, numbers[i]);
    return (struct copy_watcher){.context = stream, .values = on_values, .streamed = on_streamed};
}

struct copy_watcher rh_watches_stream(struct watches *watches, size_t table, const int *numbers,
                                      size_t count)
{
    return watch(watches, table, numbers, count, false);
}

struct copy_watcher rh_watches_restored(struct watches *watches, size_t table, const int *numbers,
                                        size_t count)
{
    return watch(watches, table, numbers, count, true);
}

void rh_watches_text(struct watches *watches, const char *place, struct text text)
{
    struct leak_hits hits = {0};

    watches->texts++;
    rh_leak_find(&watches->filter, text, &hits);
    if (hits.certain == 0)
        return;
    for (size_t i = 0; i < watches->places.count; i++)
        if (strcmp(watches->places.items[i]->name, place) == 0) {
            watches->places.items[i]->hits.certain += hits.certain;
            return;
        }
    struct place *found = RH_NEW(watches->arena, struct place);
    *found = (struct place){.name = rh_arena_strdup(watches->arena, place), .hits = hits};
    *RH_PUSH(watches->arena, &watches->places) = found;
}

/* --- judging -----------------------------------------------------------------------------------
 */

static const char *name_of(const struct watches *watches, uint64_t index, struct arena *arena)
{
    const struct watched *watched = watches->columns.items[index];
    const struct catalog_table *table = &watches->catalog->tables.items[watched->column->table];

    return rh_arena_printf(arena, "%s.%s", table->identity, watched->facts->quoted);
}

static void note(struct manifest_certificate *certificate, struct arena *arena, const char *text)
{
    if (certificate->notes.count < NOTES_MAX)
        *RH_PUSH(arena, &certificate->notes) = text;
}

/* An address in a document or in prose becomes another valid one: as long as it takes. */
static bool keeps_lengths(const struct watched *watched)
{
    enum mask_rule rule = watched->column->rule;

    return rh_mask_rule_keeps_length(rule) && !watched->has_leaves && rule != MASK_FREE_TEXT;
}

static void judge_shape(struct watches *watches, struct arena *arena,
                        struct manifest_certificate *certificate)
{
    size_t compared = 0, exact = 0, differ = 0;

    for (size_t i = 0; i < watches->columns.count; i++) {
        struct watched *watched = watches->columns.items[i];
        if (!watched->has_shape)
            continue;
        struct shape_verdict verdict = rh_shape_judge(&watched->shape, keeps_lengths(watched),
                                                      arena);
        compared++;
        exact += verdict.is_exact;
        if (!verdict.sentence)
            continue;
        differ++;
        note(certificate, arena,
             rh_arena_printf(arena, "%s: %s", name_of(watches, i, arena), verdict.sentence));
    }
    certificate->status = differ > 0 ? CERTIFICATE_FAILED : CERTIFICATE_PASSED;
    certificate->detail = rh_arena_printf(
        arena,
        "NULLs, lengths where the rule keeps them, distinct values and how often each occurs are "
        "the same in %s of %s, before the mask and in the restored rows (%s)",
        rh_say_number(arena, (int64_t)(compared - differ)),
        rh_say_count(arena, (int64_t)compared, "masked column"),
        exact == compared ? "every value was counted"
                          : rh_arena_printf(arena, "of %s a sample of the values was counted",
                                            rh_say_number(arena, (int64_t)(compared - exact))));
}

static bool is_more_than_chance(const struct leak_hits *hits)
{
    return hits->certain > 0 || (hits->possible > POSSIBLE_FEW &&
                                 (double)hits->possible > POSSIBLE_MAX * (double)hits->looked_up);
}

/* One column: kept though it holds what was masked elsewhere, or masked and yet unchanged. */
static bool judge_column(struct watches *watches, size_t index, struct arena *arena,
                         struct manifest_certificate *certificate)
{
    const struct watched *watched = watches->columns.items[index];
    const char *name = name_of(watches, index, arena);

    if (is_more_than_chance(&watched->hits)) {
        note(certificate, arena,
             rh_arena_printf(
                 arena, "%s is kept and holds %s of %s, which is masked: mask it too", name,
                 rh_say_count(arena, watched->hits.certain + watched->hits.possible, "value"),
                 name_of(watches, watched->hits.column, arena)));
        return true;
    }
    if ((double)watched->unchanged > UNCHANGED_MAX * (double)watched->telling) {
        note(certificate, arena,
             rh_arena_printf(arena, "%s: stayed what they were: %s of %s", name,
                             rh_say_number(arena, watched->unchanged),
                             rh_say_count(arena, watched->telling, "value")));
        return true;
    }
    if (watched->too_long > 0)
        note(certificate, arena,
             rh_arena_printf(arena, "%s is kept; too long to be looked through: %s", name,
                             rh_say_count(arena, watched->too_long, "value")));
    return false;
}

static void judge_leak(struct watches *watches, struct arena *arena,
                       struct manifest_certificate *certificate)
{
    size_t leaks = 0;

    for (size_t i = 0; i < watches->columns.count; i++)
        leaks += judge_column(watches, i, arena, certificate);
    for (size_t i = 0; i < watches->places.count; i++) {
        const struct place *place = watches->places.items[i];
        leaks++;
        note(certificate, arena,
             rh_arena_printf(arena, "%s holds a value of %s, which is masked", place->name,
                             name_of(watches, place->hits.column, arena)));
    }
    certificate->status = leaks > 0 ? CERTIFICATE_FAILED : CERTIFICATE_PASSED;
    const char *coverage = rh_leak_is_whole(&watches->filter)
                               ? "all of them"
                               : rh_arena_printf(
                                     arena, "a sample of %.2g %% of them",
                                     100 * rh_value_sample_share(&watches->filter.values));
    certificate->detail = rh_arena_printf(
        arena, "looked for %s (%s) in every kept column that may hold text, and in %s: %s",
        rh_say_count(arena, (int64_t)watches->filter.values.count, "distinct personal value"),
        coverage, rh_say_count(arena, watches->texts, "other text"),
        leaks > 0
            ? rh_arena_printf(arena, "found in %s", rh_say_count(arena, (int64_t)leaks, "place"))
            : "none was found");
}

void rh_watches_judge(struct watches *watches, struct arena *arena,
                      struct manifest_certificate *ret_shape, struct manifest_certificate *ret_leak)
{
    *ret_shape = (struct manifest_certificate){.name = "shape"};
    *ret_leak = (struct manifest_certificate){.name = "leak"};
    judge_shape(watches, arena, ret_shape);
    judge_leak(watches, arena, ret_leak);
}
