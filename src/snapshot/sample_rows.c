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

/* Takes a number of at most `max` off *at; false when there is none. No more is looked at: what
   follows may be megabytes. */
static bool take_number(const char **at, uint64_t max, uint64_t *ret_number)
{
    const char *digit = *at;
    uint64_t number = 0;
    for (; *digit >= '0' && *digit <= '9' && number <= max; digit++)
        number = 10 * number + (uint64_t)(*digit - '0');
    if (digit == *at || number > max)
        return false;
    *at = digit;
    *ret_number = number;
    return true;
}

uint64_t rh_row_parse(const char **rest)
{
    const char *at = *rest;
    uint64_t block = 0, number = 0;
    if (*at++ != '(' || !take_number(&at, UINT32_MAX, &block) || *at++ != ',' ||
        !take_number(&at, UINT16_MAX, &number) || *at++ != ')' || number == 0)
        return 0;
    *rest = at;
    return block << 16 | number;
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
