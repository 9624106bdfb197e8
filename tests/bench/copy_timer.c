/*
 * Rows of a shop's customers through rh_copy_mask: copy_timer [SECONDS [WAY]]
 *
 * Prints a line for each way: its name and MB of rows per second of processor time, the ways taking
 * turns. "passed" copies what comes, "hashed" has no map and sums only, "split" has one column that
 * a map keeps; "masked" has maps for the personal columns of a wide row, "json" for a document,
 * "text" for prose.
 */
#include "mask/copy_mask.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define ROWS 20000
#define PART_BYTES ((size_t)64 * 1024)
#define ROUND_US 100000

struct way {
    const char *name;
    struct mask_map_options columns[16]; /* rule MASK_KEEP without a type: no map */
    size_t column_count;
    bool only_copies;
    const char *document; /* the last column, instead of what customers have */
    int64_t bytes, us;
    struct mask_map *maps[16];
    struct buf rows;
};

static int64_t cpu_us(void)
{
    struct timespec at;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &at);
    return at.tv_sec * INT64_C(1000000) + at.tv_nsec / 1000;
}

#define CUSTOMER                                                                                \
    "%u\t6f1c7b1e-3c4d-4e5f-8a9b-%012x\t%s%u\t%s%u\t%s.%s%u@mail%u.example.org\t+49 170 %07u\t" \
    "Lange Stra\xc3\x9f"                                                                        \
    "e %u\t%05u\tBerlin\tactive\t%u.%02u\t2024-05-%02u 10:11:12.%06u+00\tt\t"

static void fill(struct way *way)
{
    static const char *const first[] = {"Anna", "Bernd", "Charlotte", "Dmitri", "Eva", "Franziska"};
    static const char *const last[] = {"Bergmann", "Meier", "Schulz", "Weber", "Yilmaz"};
    rh_buf_init(&way->rows, (size_t)64 * 1024 * 1024);
    for (unsigned i = 0; i < ROWS; i++) {
        unsigned scattered = i * 2654435761u;
        const char *a = first[scattered % 6], *b = last[i % 5];
        rh_buf_printf(&way->rows, CUSTOMER, i, scattered, a, i % 97, b, i % 89, a, b, i, i % 50,
                      scattered % 10000000, i % 200, scattered % 100000, i % 1000, i % 100,
                      1 + i % 28, scattered % 1000000);
        if (way->document != NULL)
            rh_buf_printf(&way->rows, way->document, b, i, a, i, i);
        else
            rh_buf_add_str(&way->rows, i % 3 == 0 ? "\\N" : "called back, wants a refund");
        rh_buf_add_str(&way->rows, "\n");
    }
}

static void open_way(struct way *way, struct arena *arena)
{
    static const struct mask_master_key key = {{1, 2, 3}};
    fill(way);
    for (size_t i = 0; i < way->column_count; i++) {
        struct err err = RH_ERR_INIT;
        way->columns[i].key = &key;
        way->columns[i].domain = "bench";
        if (way->columns[i].type != NULL &&
            rh_mask_map_new(&way->columns[i], arena, &way->maps[i], &err) != RH_OK) {
            fprintf(stderr, "copy_timer: %s\n", err.message);
            exit(1);
        }
    }
}

/* All rows of a way once. */
static void run(struct way *way, struct buf *out)
{
    struct copy_mask_options options = {way->maps, way->column_count, {NULL}};
    struct copy_mask *mask = rh_copy_mask_new(&options);
    struct err err = RH_ERR_INIT;
    enum err_code code = RH_OK;
    for (size_t at = 0; at < way->rows.len && code == RH_OK; at += PART_BYTES) {
        size_t left = way->rows.len - at;
        struct text part = {way->rows.data + at, left < PART_BYTES ? left : PART_BYTES};
        rh_buf_clear(out);
        if (way->only_copies)
            rh_buf_add_text(out, part);
        else
            code = rh_copy_mask_feed(mask, part, out, &err);
    }
    if (code == RH_OK)
        code = rh_copy_mask_flush(mask, true, out, &err);
    if (code != RH_OK) {
        fprintf(stderr, "copy_timer: %s\n", err.message);
        exit(1);
    }
    rh_copy_mask_free(mask);
}

#define KEPT              \
    {                     \
        .rule = MASK_KEEP \
    }
#define MAPPED(rule_name, type_name)         \
    {                                        \
        .rule = rule_name, .type = type_name \
    }

int main(int argc, char **argv)
{
    int64_t wanted_us = (argc > 1 ? strtoll(argv[1], NULL, 10) : 3) * 1000000;
    static struct way ways[] = {
        {.name = "passed", .column_count = 14, .only_copies = true},
        {.name = "hashed", .column_count = 14},
        {.name = "split", .column_count = 14, .columns = {MAPPED(MASK_KEEP, "text")}},
        {.name = "masked",
         .column_count = 14,
         .columns = {KEPT, MAPPED(MASK_UUID, "uuid"), MAPPED(MASK_TEXT, "text"),
                     MAPPED(MASK_TEXT, "text"), MAPPED(MASK_EMAIL, "text"),
                     MAPPED(MASK_PHONE, "text"), MAPPED(MASK_TEXT, "text"),
                     MAPPED(MASK_TEXT, "text"), KEPT, KEPT, KEPT, KEPT, KEPT,
                     MAPPED(MASK_FREE_TEXT, "text")}},
        {.name = "one",
         .column_count = 14,
         .columns = {KEPT, KEPT, KEPT, KEPT, MAPPED(MASK_EMAIL, "text")}},
        {.name = "json",
         .column_count = 14,
         .columns = {[13] = MAPPED(MASK_JSON, "jsonb")},
         .document = "{\"name\": \"%s\", \"id\": %u, \"tags\": [\"red\", \"green\"], \"by\": "
                     "{\"user\": \"%s %u\", \"mail\": \"someone%u@example.org\", \"at\": "
                     "\"2024-05-06T07:08:09Z\"}, \"ok\": true, \"total\": 12.50, \"note\": null}"},
        {.name = "text",
         .column_count = 14,
         .columns = {[13] = MAPPED(MASK_FREE_TEXT, "text")},
         .document = "Dear %s, your order %u was sent. Please call %s or write to "
                     "someone%u@example.org, if number %u is not what you wanted."},
    };
    const size_t count = sizeof ways / sizeof ways[0];
    struct arena *arena = rh_arena_new();
    struct buf out;
    rh_buf_init(&out, (size_t)64 * 1024 * 1024);
    for (size_t i = 0; i < count; i++)
        if (argc < 3 || strcmp(argv[2], ways[i].name) == 0)
            open_way(&ways[i], arena);
    for (int64_t start = cpu_us(); cpu_us() - start < wanted_us;)
        for (size_t i = 0; i < count; i++) {
            if (ways[i].rows.len == 0)
                continue;
            for (int64_t round = cpu_us(), now = round; now - round < ROUND_US;) {
                run(&ways[i], &out);
                int64_t end = cpu_us();
                ways[i].us += end - now;
                ways[i].bytes += (int64_t)ways[i].rows.len;
                now = end;
            }
        }
    for (size_t i = 0; i < count; i++) {
        if (ways[i].us > 0)
            printf("%s %.1f\n", ways[i].name, (double)ways[i].bytes / (double)ways[i].us);
        for (size_t j = 0; j < ways[i].column_count; j++)
            rh_mask_map_free(ways[i].maps[j]);
        rh_buf_deinit(&ways[i].rows);
    }
    rh_buf_deinit(&out);
    rh_arena_free(arena);
    return 0;
}
