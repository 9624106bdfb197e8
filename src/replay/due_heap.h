/*
 * What is to be done when: a heap of instants, each in a node that its owner embeds. Pure: it
 * reads no clock.
 */
#ifndef RH_REPLAY_DUE_HEAP_H
#define RH_REPLAY_DUE_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct due {
    int64_t at_us;
    size_t place; /* in the heap, from 1; 0: is in none */
    void (*fn)(void *context);
    void *context;
};

struct due_heap {
    struct due **items;
    size_t count, capacity;
};

void rh_due_heap_deinit(struct due_heap *heap); /* the nodes are their owners' */
/* Sets or moves it; fn and context are the caller's to have set. */
void rh_due_heap_set(struct due_heap *heap, struct due *due, int64_t at_us);
void rh_due_heap_remove(struct due_heap *heap, struct due *due); /* also of one that is not in */
static inline struct due *rh_due_heap_first(const struct due_heap *heap)
{
    return heap->count > 0 ? heap->items[0] : NULL;
}
#endif
