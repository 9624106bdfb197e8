/*
 * Values per second of processor time of the maps: mask_timer [RULE...]
 *
 * Prints a line for each rule: its name, type, values per second, megabytes per
 * second. `null` is the price of the loop around them. Values are those of a shop's table, made by
 * a counter; all distinct.
 */
#include "mask/mask_map.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define BATCH 1024
#define VALUES 4096
#define SECONDS_US 400000

/* Prose of some five hundred characters. */
#define SENTENCE "The parcel came back on Monday, the customer had moved and left no address. "
#define LONG_TEXT "Ticket %u of %u: " SENTENCE SENTENCE SENTENCE SENTENCE SENTENCE SENTENCE SENTENCE

struct sample {
    enum mask_rule rule;
    const char *type;
    const char *format; /* of a number below 2^32, and another */
};

static const struct sample samples[] = {
    {MASK_NULL, "text", "%u.%u"},
    {MASK_TEXT, "text", "u%07u@mail%03u.com"},
    {MASK_TEXT, "varchar", LONG_TEXT},
    {MASK_EMAIL, "text", "u%07u@mail%03u.com"},
    {MASK_URL, "text", "https://shop.example.com/item/%u?ref=%u"},
    {MASK_PHONE, "text", "+49 170 %07u%u"},
    {MASK_UUID, "uuid", "%08x-1234-4abc-8def-0123456%05x"},
    {MASK_CARD, "text", "4%010u%05u"},
    {MASK_IBAN, "text", "DE44%010u%08u"},
    {MASK_BYTES, "bytea", "\\x%08x%08x0123456789abcdef"},
    {MASK_INET, "inet", "10.%u.%u.7"},
    {MASK_MACADDR, "macaddr", "08:00:2b:01:%02x:%02x"},
    {MASK_DATE, "timestamptz", "2024-05-%02u 10:11:12.%u+00"},
    {MASK_NUMBER, "int8", "%u%u"},
    {MASK_NUMBER, "numeric", "%u.%u"},
    {MASK_HASH, "text", "u%07u@mail%03u.com"},
    {MASK_NOISE, "int8", "%u%u"},
    {MASK_WORDS, "text", "u%07u@mail%03u.com"},
};

static int64_t cpu_us(void)
{
    struct timespec at;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &at);
    return at.tv_sec * INT64_C(1000000) + at.tv_nsec / 1000;
}

static uint32_t scattered(uint32_t i)
{
    return i * 2654435761u;
}

static void fill(const struct sample *sample, struct arena *arena, struct text *values)
{
    for (uint32_t i = 0; i < VALUES; i++) {
        unsigned first = scattered(i) >> 8, second = i % 1000;
        if (sample->rule == MASK_INET || sample->rule == MASK_MACADDR) {
            first = i >> 6;
            second = i % 64;
        } else if (sample->rule == MASK_DATE) {
            second = first;
            first = 1 + i % 28;
        }
        values[i] = rh_text(rh_arena_printf(arena, sample->format, first, second));
    }
}

static void measure(const struct sample *sample)
{
    struct arena *arena = rh_arena_new(), *scratch = rh_arena_new();
    const struct mask_master_key key = {{1, 2, 3}};
    const struct mask_map_options options = {
        .key = &key, .domain = "bench", .rule = sample->rule, .type = sample->type};
    struct mask_map *map;
    struct err err = RH_ERR_INIT;
    struct text *values = rh_arena_alloc_array(arena, VALUES, sizeof(*values));
    struct text masked[BATCH];
    uint64_t count = 0, bytes = 0;

    if (rh_mask_map_new(&options, arena, &map, &err)) {
        fprintf(stderr, "%s: %s\n", rh_mask_rule_name(sample->rule), err.message);
        return;
    }
    fill(sample, arena, values);
    const int64_t begun = cpu_us();
    int64_t took;
    do {
        for (size_t i = 0; i < VALUES; i += BATCH) {
            rh_mask_map_apply(map, values + i, BATCH, scratch, masked);
            rh_arena_clear(scratch);
        }
        count += VALUES;
        took = cpu_us() - begun;
    } while (took < SECONDS_US);
    for (size_t i = 0; i < VALUES; i++)
        bytes += values[i].len;
    printf("%s %s %.0f %.1f\n", rh_mask_rule_name(sample->rule), sample->type,
           (double)count * 1e6 / (double)took,
           (double)bytes / VALUES * (double)count / (double)took);
    rh_mask_map_free(map);
    rh_arena_free(scratch);
    rh_arena_free(arena);
}

int main(int argc, char **argv)
{
    for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
        bool wanted = argc == 1;
        for (int a = 1; a < argc; a++)
            wanted = wanted || strcmp(argv[a], rh_mask_rule_name(samples[i].rule)) == 0;
        if (wanted)
            measure(&samples[i]);
    }
    return 0;
}
