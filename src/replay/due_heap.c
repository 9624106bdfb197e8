#include "replay/due_heap.h"

#include "base/err.h"

#include <stdlib.h>

void rh_due_heap_deinit(struct due_heap *heap)
{
    for (size_t i = 0; i < heap->count; i++)
        heap->items[i]->place = 0;
    free(heap->items);
    *heap = (struct due_heap){0};
}

static void put(struct due_heap *heap, size_t index, struct due *due)
{
    heap->items[index] = due;
    due->place = index + 1;
}

static void rise(struct due_heap *heap, size_t index)
{
    struct due *due = heap->items[index];
    while (index > 0 && heap->items[(index - 1) / 2]->at_us > due->at_us) {
        put(heap, index, heap->items[(index - 1) / 2]);
        index = (index - 1) / 2;
    }
    put(heap, index, due);
}

static void sink(struct due_heap *heap, size_t index)
{
    struct due *due = heap->items[index];
    for (;;) {
        size_t child = 2 * index + 1;
        if (child >= heap->count)
            break;
        if (child + 1 < heap->count && heap->items[child + 1]->at_us < heap->items[child]->at_us)
            child++;
        if (heap->items[child]->at_us >= due->at_us)
            break;
        put(heap, index, heap->items[child]);
        index = child;
    }
    put(heap, index, due);
}

void rh_due_heap_set(struct due_heap *heap, struct due *due, int64_t at_us)
{
    due->at_us = at_us;
    if (due->place == 0) {
        if (heap->count == heap->capacity) {
            size_t capacity = heap->capacity ? 2 * heap->capacity : 64;
            struct due **items = realloc(heap->items, capacity * sizeof(struct due *));
            if (!items)
                RH_PANIC("out of memory for %zu instants", capacity);
            heap->items = items;
            heap->capacity = capacity;
        }
        put(heap, heap->count++, due);
    }
    rise(heap, due->place - 1);
    sink(heap, due->place - 1);
}

void rh_due_heap_remove(struct due_heap *heap, struct due *due)
{
    if (due->place == 0)
        return;
    size_t index = due->place - 1;
    struct due *last = heap->items[--heap->count];
    due->place = 0;
    if (last == due)
        return;
    put(heap, index, last);
    rise(heap, index);
    sink(heap, last->place - 1);
}
