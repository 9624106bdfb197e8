/*
 * Rows of COPY's text format, masked from standard input to standard output:
 *
 *   copy_filter PART_BYTES COLUMN...
 *
 * A column is "-" (no map), or RULE:TYPE, "[]" behind it for an array, "@DOMAIN" behind that, or
 * row(COLUMN,COLUMN...) for a composite. The key is a fixed one. Rows are fed in parts of
 * PART_BYTES (0: as they are read). Prints "ROWS HIGH LOW BYTES_IN BYTES_OUT" of the masked rows to
 * standard error.
 */
#include "mask/copy_mask.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define COLUMNS_MAX 1600

static _Noreturn void fail(const char *what)
{
    fprintf(stderr, "copy_filter: %s\n", what);
    exit(2);
}

static char *take_until(const char **at, const char *stops, struct arena *arena)
{
    size_t len = strcspn(*at, stops);
    char *word = rh_arena_strndup(arena, *at, len);
    *at += len;
    return word;
}

/* "text:text[]@people"; stops at "," and ")". */
static struct mask_map_options parse_column(const char **at, struct arena *arena)
{
    struct mask_map_options options = {.domain = "test"};
    if (strncmp(*at, "row(", 4) == 0) {
        VEC(struct mask_map_options) attributes = {NULL};
        *at += 3;
        while (**at == '(' || **at == ',') {
            ++*at;
            struct mask_map_options attribute = parse_column(at, arena);
            *RH_PUSH(arena, &attributes) = attribute;
        }
        if (**at != ')')
            fail("a row has no end");
        ++*at;
        options.rule = MASK_TEXT;
        options.attributes = attributes.items;
        options.attribute_count = attributes.count;
    } else if (**at == '-') {
        ++*at;
        options.rule = MASK_KEEP;
    } else {
        char *rule = take_until(at, ":", arena);
        if (!rh_mask_rule_find(rule, &options.rule) || **at != ':')
            fail("no such rule");
        ++*at;
        options.type = take_until(at, "[@,)", arena);
    }
    if (strncmp(*at, "[]", 2) == 0) {
        options.is_array = true;
        *at += 2;
    }
    if (**at == '@') {
        ++*at;
        options.domain = take_until(at, ",)", arena);
    }
    return options;
}

static void write_all(struct buf *out)
{
    for (size_t at = 0; at < out->len;) {
        ssize_t written = write(STDOUT_FILENO, out->data + at, out->len - at);
        if (written < 0 && errno != EINTR)
            fail("cannot write");
        at += written > 0 ? (size_t)written : 0;
    }
    rh_buf_clear(out);
}

int main(int argc, char **argv)
{
    if (argc < 2 || argc - 2 > COLUMNS_MAX)
        fail("usage: copy_filter PART_BYTES COLUMN...");
    const struct mask_master_key key = {{9, 8, 7, 6, 5, 4, 3, 2, 1}};
    struct arena *arena = rh_arena_new();
    struct err err = RH_ERR_INIT;
    static struct mask_map *maps[COLUMNS_MAX];
    size_t columns = (size_t)argc - 2, part = strtoul(argv[1], NULL, 10);
    for (size_t i = 0; i < columns; i++) {
        const char *at = argv[i + 2];
        struct mask_map_options options = parse_column(&at, arena);
        options.key = &key;
        if (strcmp(argv[i + 2], "-") != 0 &&
            rh_mask_map_new(&options, arena, &maps[i], &err) != RH_OK)
            fail(err.message);
    }
    struct copy_mask_options options = {maps, columns, {NULL}};
    struct copy_mask *mask = rh_copy_mask_new(&options);
    struct buf out;
    rh_buf_init(&out, (size_t)64 * 1024 * 1024);
    static char in[1 << 16];
    ssize_t got;
    while ((got = read(STDIN_FILENO, in, sizeof in)) > 0) {
        size_t step = part > 0 ? part : (size_t)got;
        for (size_t at = 0; at < (size_t)got; at += step) {
            size_t len = (size_t)got - at < step ? (size_t)got - at : step;
            if (rh_copy_mask_feed(mask, (struct text){in + at, len}, &out, &err) != RH_OK)
                fail(err.message);
        }
        write_all(&out);
    }
    if (rh_copy_mask_flush(mask, true, &out, &err) != RH_OK)
        fail(err.message);
    write_all(&out);
    struct copy_mask_totals totals = rh_copy_mask_totals(mask);
    fprintf(stderr, "%lld %016llx %016llx %lld %lld\n", (long long)totals.rows,
            (unsigned long long)totals.checksum.high, (unsigned long long)totals.checksum.low,
            (long long)totals.bytes_in, (long long)totals.bytes_out);
    rh_copy_mask_free(mask);
    for (size_t i = 0; i < columns; i++)
        rh_mask_map_free(maps[i]);
    rh_buf_deinit(&out);
    rh_arena_free(arena);
    return 0;
}
