#include "mask/value_sample.h"

#include "base/err.h"

#include <stdlib.h>

#define PLACES_MIN 64

static struct sampled_value *new_places(size_t count)
{
    struct sampled_value *places = calloc(count, sizeof(*places));

    if (!places)
        RH_PANIC("out of memory for %zu values", count);
    return places;
}

void rh_value_sample_init(struct value_sample *sample, size_t max)
{
    *sample = (struct value_sample){.places = new_places(PLACES_MIN),
                                    .place_count = PLACES_MIN,
                                    .max = max,
                                    .below = UINT64_MAX};
}

void rh_value_sample_deinit(struct value_sample *sample)
{
    free(sample->places);
    *sample = (struct value_sample){0};
}

/* The low bits choose the place, the high ones the sample: neither says anything of the other. */
static struct sampled_value *place_of(struct sampled_value *places, size_t count, uint64_t hash)
{
    size_t i = hash & (count - 1);

    while (places[i].hash && places[i].hash != hash)
        i = (i + 1) & (count - 1);
    return &places[i];
}

static void rebuild(struct value_sample *sample, size_t place_count)
{
    struct sampled_value *places = new_places(place_count);

    sample->count = 0;
    for (size_t i = 0; i < sample->place_count; i++) {
        const struct sampled_value *value = &sample->places[i];
        if (!value->hash || value->hash > sample->below)
            continue;
        *place_of(places, place_count, value->hash) = *value;
        sample->count++;
    }
    free(sample->places);
    sample->places = places;
    sample->place_count = place_count;
}

static void make_room(struct value_sample *sample)
{
    if (2 * sample->count < sample->place_count)
        return;
    if (sample->count < sample->max) {
        rebuild(sample, 2 * sample->place_count);
        return;
    }
    while (sample->count >= sample->max) {
        sample->below /= 2;
        rebuild(sample, sample->place_count);
    }
}

static void raise(uint32_t *count)
{
    *count += *count < UINT32_MAX;
}

struct sampled_value *rh_value_sample_count(struct value_sample *sample, uint64_t hash)
{
    hash += hash == 0;
    if (hash > sample->below)
        return NULL;
    struct sampled_value *value = place_of(sample->places, sample->place_count, hash);
    if (!value->hash) {
        make_room(sample);
        if (hash > sample->below)
            return NULL;
        value = place_of(sample->places, sample->place_count, hash);
        value->hash = hash;
        sample->count++;
    }
    raise(&value->count);
    return value;
}

struct sampled_value *rh_value_sample_find(const struct value_sample *sample, uint64_t hash)
{
    hash += hash == 0;
    if (hash > sample->below)
        return NULL;
    struct sampled_value *value = place_of(sample->places, sample->place_count, hash);
    return value->hash ? value : NULL;
}

bool rh_value_sample_is_whole(const struct value_sample *sample)
{
    return sample->below == UINT64_MAX;
}

double rh_value_sample_share(const struct value_sample *sample)
{
    return (double)sample->below / (double)UINT64_MAX;
}
