#include "trace/lock_book.h"

#include <stdlib.h>

static void *resize(void *memory, size_t count, size_t item_size)
{
    void *resized = reallocarray(memory, count, item_size);
    if (!resized)
        RH_PANIC("out of memory (%zu items of %zu bytes)", count, item_size);
    return resized;
}

static uint64_t hash(int64_t relation_id, const char *mode)
{
    uint64_t h = (uint64_t)relation_id * UINT64_C(0x9E3779B97F4A7C15); /* Fibonacci hashing */
    for (; *mode; mode++)
        h = (h ^ (unsigned char)*mode) * UINT64_C(0x100000001B3); /* FNV-1a */
    return h ^ (h >> 29);
}

static size_t slot_of(const struct lock_book *book, int64_t relation_id, const char *mode)
{
    size_t slot = hash(relation_id, mode) & (book->slot_count - 1);
    while (book->slots[slot] != 0) {
        const struct held_lock *held = &book->items[book->slots[slot] - 1];
        if (held->relation_id == relation_id && strcmp(held->mode, mode) == 0)
            break;
        slot = (slot + 1) & (book->slot_count - 1);
    }
    return slot;
}

static void grow(struct lock_book *book)
{
    book->capacity = book->capacity ? book->capacity * 2 : 32;
    book->items = resize(book->items, book->capacity, sizeof(*book->items));
    book->slot_count = book->capacity * 2;
    book->slots = resize(book->slots, book->slot_count, sizeof(*book->slots));
    memset(book->slots, 0, book->slot_count * sizeof(*book->slots));
    for (size_t i = 0; i < book->count; i++)
        book->slots[slot_of(book, book->items[i].relation_id, book->items[i].mode)] = (uint32_t)(i +
                                                                                                 1);
}

void rh_lock_book_init(struct lock_book *book)
{
    *book = (struct lock_book){0};
}

void rh_lock_book_deinit(struct lock_book *book)
{
    free(book->items);
    free(book->slots);
    *book = (struct lock_book){0};
}

void rh_lock_book_clear(struct lock_book *book)
{
    if (book->count > 0)
        memset(book->slots, 0, book->slot_count * sizeof(*book->slots));
    book->count = 0;
    book->overflowed = false;
}

struct held_lock *rh_lock_book_find(struct lock_book *book, int64_t relation_id, const char *mode)
{
    if (book->count == 0)
        return NULL;
    uint32_t found = book->slots[slot_of(book, relation_id, mode)];
    return found ? &book->items[found - 1] : NULL;
}

void rh_lock_book_observe(struct lock_book *book)
{
    book->generation++;
}

void rh_lock_book_renew(struct held_lock *held)
{
    *held = (struct held_lock){.relation_id = held->relation_id,
                               .mode = held->mode,
                               .relation = held->relation,
                               .kind = held->kind,
                               .table = held->table,
                               .statement = -1,
                               .child = -1,
                               .grandchild = -1,
                               .acquired_us = -1,
                               .waiting_since_us = -1,
                               .released_us = -1};
}

static struct held_lock *add(struct lock_book *book, int64_t relation_id, const char *mode)
{
    if (book->count >= LOCK_BOOK_MAX) {
        book->overflowed = true;
        return NULL;
    }
    if (book->count == book->capacity)
        grow(book);
    book->slots[slot_of(book, relation_id, mode)] = (uint32_t)(book->count + 1);
    struct held_lock *held = &book->items[book->count++];
    held->relation_id = relation_id;
    held->mode = mode;
    held->relation = held->kind = held->table = NULL;
    rh_lock_book_renew(held);
    return held;
}

struct held_lock *rh_lock_book_see(struct lock_book *book, const struct lock_sight *sight,
                                   int64_t at_us, int64_t not_before_us, bool *ret_is_new)
{
    struct held_lock *held = rh_lock_book_find(book, sight->relation_id, sight->mode);
    *ret_is_new = held == NULL;
    if (!held)
        held = add(book, sight->relation_id, sight->mode);
    if (!held)
        return NULL;
    held->generation = book->generation;
    if (sight->observation > held->observation)
        held->observation = sight->observation;
    if (!sight->granted) {
        if (held->waiting_since_us < 0)
            held->waiting_since_us = sight->wait_start_us >= 0 ? sight->wait_start_us : at_us;
        if (sight->waited_for)
            held->waited_for = sight->waited_for;
    } else if (held->acquired_us < 0) {
        if (held->waiting_since_us >= 0) {
            /* It was still waiting when it was last seen. */
            held->acquired_us = held->last_seen_us;
            held->waited_us = held->acquired_us - held->waiting_since_us;
            if (held->waited_us < 0)
                held->waited_us = 0;
        } else {
            held->acquired_us = not_before_us < at_us ? not_before_us : at_us;
        }
    }
    held->released_us = -1;
    if (at_us > held->last_seen_us)
        held->last_seen_us = at_us;
    return held;
}

void rh_lock_book_release_missing(struct lock_book *book, int64_t at_us)
{
    for (size_t i = 0; i < book->count; i++) {
        struct held_lock *held = &book->items[i];
        if (held->generation != book->generation && held->released_us < 0 &&
            held->last_seen_us < at_us)
            held->released_us = at_us;
    }
}

struct lock_times rh_lock_book_times(const struct held_lock *held, int64_t end_us,
                                     bool granted_unseen)
{
    struct lock_times times = {.acquired_us = held->acquired_us, .waited_us = held->waited_us};
    int64_t released_us = held->released_us >= 0 ? held->released_us : end_us;
    if (times.acquired_us < 0 && granted_unseen) {
        times.acquired_us = held->last_seen_us;
        times.waited_us = held->last_seen_us - held->waiting_since_us;
    } else if (times.acquired_us < 0) {
        times.waited_us = released_us - held->waiting_since_us;
    }
    if (times.acquired_us >= 0 && released_us > times.acquired_us)
        times.held_us = released_us - times.acquired_us;
    if (times.waited_us < 0)
        times.waited_us = 0;
    return times;
}
