/*
 * Fuzz target of what clients send for COPY: any bytes in any format, at any split, give the same
 * rows or the same refusal; what comes out is read again, to the same rows where nothing is masked.
 * Of a column that a rule replaces no byte comes out. Built for libFuzzer with clang, and with
 * fuzz_copy_client_replay.c by any compiler.
 *
 * Input: [0] the format; [1] the kind of the columns; [2] [3] seed of the splits; the rest is what
 * the client sends.
 */
#include "mask/copy_client.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define COLUMNS_MAX 3

static const struct sql_copy_format formats[] = {
    {.kind = SQL_COPY_TEXT, .delimiter = '\t', .null = "\\N"},
    {.kind = SQL_COPY_CSV, .delimiter = ',', .quote = '"', .escape = '"', .null = ""},
    {.kind = SQL_COPY_BINARY},
    {.kind = SQL_COPY_CSV, .delimiter = ';', .quote = '\'', .escape = '\\', .null = "NA"},
    {.kind = SQL_COPY_TEXT, .delimiter = '|', .null = ""},
    {.kind = SQL_COPY_TEXT, .delimiter = ',', .null = "NA", .header = SQL_COPY_HEADER_SKIPPED},
    {.kind = SQL_COPY_CSV,
     .delimiter = ',',
     .quote = '"',
     .escape = '"',
     .null = "\\N",
     .header = SQL_COPY_HEADER_MATCHED},
};
#define FORMATS (sizeof formats / sizeof formats[0])

static const struct catalog_column columns[COLUMNS_MAX] = {
    {.name = "a", .base_type = "text", .type_kind = 'b'},
    {.name = "b c", .base_type = "int4", .type_kind = 'b'},
    {.name = "d", .base_type = "text", .type_kind = 'b'}};

enum kind { KEPT, AS_TEXT, FIXED, KINDS };

struct run {
    bool is_masked;
    struct buf out;
};

static struct run run(const struct sql_copy_format *format, struct mask_map *map, unsigned seed,
                      size_t step, struct text rows)
{
    struct copy_client_column given[COLUMNS_MAX];
    struct run run = {.is_masked = true};

    for (size_t i = 0; i < COLUMNS_MAX; i++)
        given[i] = (struct copy_client_column){.map = i == 1 ? NULL : map,
                                               .column = &columns[i],
                                               .forces_null = seed >> i & 1,
                                               .forces_not_null = seed >> (i + 3) & 1};

    struct copy_client *client = rh_copy_client_new(format, given, 1 + seed % COLUMNS_MAX);

    rh_buf_init(&run.out, (size_t)1 << 24);
    rh_buf_add_str(&run.out, "");
    for (size_t at = 0; at < rows.len && run.is_masked;) {
        seed = seed * 1103515245u + 12345u;

        size_t length = step == 0 ? rows.len : step == 1 ? 1 : (seed >> 16) % step;

        if (length > rows.len - at)
            length = rows.len - at;
        /* A piece of memory of its own: what lies behind it is not to be read. */
        char *copy = malloc(length > 0 ? length : 1);

        memcpy(copy, rows.data + at, length);
        run.is_masked = rh_copy_client_feed(client, (struct text){copy, length}, &run.out);
        free(copy);
        at += length;
        RH_ASSERT(rh_copy_client_waiting(client) <= at);
    }
    run.is_masked = run.is_masked && rh_copy_client_finish(client, &run.out);
    rh_copy_client_free(client);
    return run;
}

/* What comes out of rows that stay is what comes out of it once more. */
static void check_again(const struct sql_copy_format *format, unsigned seed,
                        const struct run *first)
{
    struct run again = run(format, NULL, seed, 0, rh_buf_text(&first->out));

    RH_ASSERT(again.is_masked && rh_text_equals(rh_buf_text(&again.out), rh_buf_text(&first->out)));
    rh_buf_deinit(&again.out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct mask_master_key key = {{1, 2, 3}};
    const size_t steps[] = {1, 2 + (size > 3 ? data[3] % 7u : 0), 40};

    if (size < 4)
        return 0;

    const struct sql_copy_format *format = &formats[data[0] % FORMATS];
    enum kind kind = data[1] % KINDS;
    unsigned seed = (unsigned)data[2] << 8 | data[3];
    struct text rows = {(const char *)data + 4, size - 4};
    struct arena *arena = rh_arena_new();
    struct mask_map_options options = {.key = &key,
                                       .domain = "d",
                                       .type = "text",
                                       .rule = kind == FIXED ? MASK_FIXED : MASK_TEXT,
                                       .parameter = kind == FIXED ? "NA" : NULL};
    struct mask_map *map = NULL;
    struct err err = RH_ERR_INIT;

    if (kind != KEPT && rh_mask_map_new(&options, arena, &map, &err) != RH_OK)
        RH_PANIC("%s", err.message);

    struct run whole = run(format, map, seed, 0, rows);

    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        struct run split = run(format, map, seed, steps[i], rows);

        RH_ASSERT(split.is_masked == whole.is_masked);
        RH_ASSERT(!split.is_masked ||
                  rh_text_equals(rh_buf_text(&split.out), rh_buf_text(&whole.out)));
        rh_buf_deinit(&split.out);
    }
    if (whole.is_masked && rows.len > 0)
        check_again(format, seed, &whole);
    if (kind == FIXED && 1 + seed % COLUMNS_MAX == 1 && format->kind != SQL_COPY_BINARY)
        RH_ASSERT(!memchr(whole.out.data, 'Z', whole.out.len));
    rh_buf_deinit(&whole.out);
    rh_mask_map_free(map);
    rh_arena_free(arena);
    return 0;
}
