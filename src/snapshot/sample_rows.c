#include "snapshot/sample_int.h"

#include <stdlib.h>

#define SLOTS_MIN 64

/* Fibonacci hashing (Knuth, The Art of Computer Programming 3, 6.4): neighbours in a block are
   spread. */
static size_t slot_of(const struct row_set *set, uint64_t row)
{
    return (size_t)((row * UINT64_C(11400714819323198485)) >> 20) & (set->capacity - 1);
}

static void put(struct row_set *set, uint64_t row)
{
    size_t i = slot_of(set, row);
    while (set->slots[i] != 0)
        i = (i + 1) & (set->capacity - 1);
    set->slots[i] = row;
}

bool rh_row_set_has(const struct row_set *set, uint64_t row)
{
    if (set->capacity == 0)
        return false;
    for (size_t i = slot_of(set, row); set->slots[i] != 0; i = (i + 1) & (set->capacity - 1))
        if (set->slots[i] == row)
            return true;
    return false;
}

bool rh_row_set_add(struct row_set *set, uint64_t row, struct arena *arena)
{
    if (rh_row_set_has(set, row))
        return false;
    if (2 * (set->rows.count + 1) > set->capacity) {
        set->capacity = set->capacity ? 2 * set->capacity : SLOTS_MIN;
        set->slots = rh_arena_alloc_array(arena, set->capacity, sizeof(*set->slots));
        for (size_t i = 0; i < set->rows.count; i++)
            put(set, set->rows.items[i]);
    }
    put(set, row);
    *RH_PUSH(arena, &set->rows) = row;
    return true;
}

uint64_t rh_row_parse(const char **rest)
{
    struct text text = rh_text(*rest);
    int64_t block, number;
    if (text.len < 5 || text.data[0] != '(')
        return 0;
    text = (struct text){text.data + 1, text.len - 1};
    if (!rh_text_take_int64(&text, &block) || text.len == 0 || text.data[0] != ',')
        return 0;
    text = (struct text){text.data + 1, text.len - 1};
    if (!rh_text_take_int64(&text, &number) || text.len == 0 || text.data[0] != ')')
        return 0;
    if (block < 0 || block > UINT32_MAX || number < 1 || number > UINT16_MAX)
        return 0;
    *rest = text.data + 1;
    return (uint64_t)block << 16 | (uint64_t)number;
}

#define PLACE_BYTES_MAX 22 /* "(4294967295,65535)", with a comma and a blank */

const char *rh_row_set_array(const struct row_set *set, size_t from, size_t to, struct arena *arena)
{
    struct buf RH_CLEANUP_BUF out;
    rh_buf_init(&out, PLACE_BYTES_MAX * (to - from) + 3);
    rh_buf_add_char(&out, '{');
    for (size_t i = from; i < to; i++) {
        uint64_t row = set->rows.items[i];
        rh_buf_printf(&out, "%s\"(%u,%u)\"", i > from ? "," : "", (unsigned)(row >> 16),
                      (unsigned)(row & UINT16_MAX));
    }
    rh_buf_add_char(&out, '}');
    RH_ASSERT(!out.failed);
    return rh_text_dup(arena, rh_buf_text(&out));
}

static int compare_rows(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

void rh_row_set_sort(struct row_set *set)
{
    if (set->rows.count > 1)
        qsort(set->rows.items, set->rows.count, sizeof(*set->rows.items), compare_rows);
}
