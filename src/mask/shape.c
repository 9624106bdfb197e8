#include "mask/shape.h"

#include "base/err.h"
#include "base/say.h"

#include <xxhash.h>

/* Beyond 64 bytes: one place for each power of two, as many as there can be. */
#define EXACT_LENGTHS 64

void rh_shape_init(struct shape *shape, size_t max, uint64_t seed)
{
    *shape = (struct shape){.seed = seed};
    rh_value_sample_init(&shape->values, max);
    /* Of the values that are kept in the end each has one pseudonym. */
    rh_value_sample_init(&shape->pseudonyms, max + 1);
}

void rh_shape_deinit(struct shape *shape)
{
    rh_value_sample_deinit(&shape->values);
    rh_value_sample_deinit(&shape->pseudonyms);
}

static size_t length_place(int64_t bytes)
{
    if (bytes < EXACT_LENGTHS)
        return (size_t)bytes;
    size_t place = EXACT_LENGTHS;
    for (bytes /= EXACT_LENGTHS; bytes > 1 && place + 1 < SHAPE_LENGTHS; bytes /= 2)
        place++;
    return place;
}

static void count_length(struct shape_counts *counts, int64_t bytes)
{
    counts->values++;
    counts->bytes += bytes;
    counts->lengths[length_place(bytes)]++;
}

static uint64_t hash_of(const struct shape *shape, struct text value)
{
    return XXH3_64bits_withSeed(value.data, value.len, shape->seed);
}

void rh_shape_pass(struct shape *shape, struct text original, struct text masked)
{
    if (!original.data) {
        shape->before.nulls++;
        return;
    }
    count_length(&shape->before, (int64_t)original.len);
    struct sampled_value *value = rh_value_sample_count(&shape->values, hash_of(shape, original));
    if (!value)
        return;
    uint64_t pseudonym = masked.data ? hash_of(shape, masked) : 0;
    if (value->count == 1)
        value->other = pseudonym;
    else if (value->other != pseudonym)
        shape->torn++;
}

void rh_shape_pass_long(struct shape *shape, int64_t bytes)
{
    count_length(&shape->before, bytes);
    shape->unsampled++;
}

/* From now on pseudonyms are looked up: those of the values that are in the sample to the end. */
static void seal(struct shape *shape)
{
    shape->is_sealed = true;
    for (size_t i = 0; i < shape->values.place_count; i++) {
        const struct sampled_value *value = &shape->values.places[i];
        if (!value->hash || value->hash > shape->values.below)
            continue;
        struct sampled_value *pseudonym = rh_value_sample_count(&shape->pseudonyms, value->other);
        if (pseudonym && pseudonym->count == 1)
            pseudonym->other = value->hash;
    }
}

void rh_shape_find(struct shape *shape, struct text masked)
{
    if (!shape->is_sealed)
        seal(shape);
    if (!masked.data) {
        shape->after.nulls++;
        return;
    }
    count_length(&shape->after, (int64_t)masked.len);
    struct sampled_value *pseudonym = rh_value_sample_find(&shape->pseudonyms,
                                                           hash_of(shape, masked));
    if (pseudonym)
        pseudonym->after += pseudonym->after < UINT32_MAX;
}

void rh_shape_find_long(struct shape *shape, int64_t bytes)
{
    count_length(&shape->after, bytes);
}

static bool lengths_same(const struct shape *shape)
{
    return memcmp(shape->before.lengths, shape->after.lengths, sizeof(shape->before.lengths)) ==
               0 &&
           shape->before.bytes == shape->after.bytes;
}

struct shape_verdict rh_shape_judge(struct shape *shape, bool keeps_lengths, struct arena *arena)
{
    if (!shape->is_sealed)
        seal(shape);
    double share = rh_value_sample_share(&shape->values);
    struct shape_verdict verdict = {
        .is_exact = rh_value_sample_is_whole(&shape->values) && shape->unsampled == 0,
        .distinct = (int64_t)((double)shape->values.count / share + 0.5),
        .nulls_same = shape->before.nulls == shape->after.nulls,
        .lengths_same = !keeps_lengths || lengths_same(shape),
    };
    int64_t missing = 0, frequencies = 0;

    for (size_t i = 0; i < shape->pseudonyms.place_count; i++) {
        const struct sampled_value *pseudonym = &shape->pseudonyms.places[i];
        if (!pseudonym->hash)
            continue;
        const struct sampled_value *value = rh_value_sample_find(&shape->values, pseudonym->other);
        verdict.merged += pseudonym->count > 1;
        missing += pseudonym->after == 0;
        frequencies += pseudonym->count == 1 && value && pseudonym->after != value->count;
    }
    verdict.distinct_same = verdict.merged == 0 && missing == 0 && shape->torn == 0;
    verdict.frequencies_same = verdict.distinct_same && frequencies == 0;
    if (!verdict.nulls_same)
        verdict.sentence = rh_arena_printf(arena, "%s became %s",
                                           rh_say_count(arena, shape->before.nulls, "NULL"),
                                           rh_say_number(arena, shape->after.nulls));
    else if (shape->torn > 0)
        verdict.sentence = rh_arena_printf(arena, "%s did not always become the same pseudonym",
                                           rh_say_count(arena, shape->torn, "value"));
    else if (verdict.merged > 0)
        verdict.sentence = rh_arena_printf(arena, "standing for more than one value each: %s",
                                           rh_say_count(arena, verdict.merged, "pseudonym"));
    else if (!verdict.frequencies_same)
        verdict.sentence = rh_arena_printf(arena, "not there as often as their values were: %s",
                                           rh_say_count(arena, missing + frequencies, "pseudonym"));
    else if (!verdict.lengths_same)
        verdict.sentence = "lengths differ";
    return verdict;
}
