#include "base/arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Ordinary blocks. 16 kB holds a statement with its locks; malloc serves it without a mapping. */
#define BLOCK_BYTES ((size_t)16 * 1024)
/* Larger pieces get a block of their own, so that at most a quarter of a block is wasted. */
#define LARGE_BYTES (BLOCK_BYTES / 4)
/* First capacity of a growable array. */
#define FIRST_CAPACITY ((size_t)8)

#define ALIGNMENT alignof(max_align_t)

struct block {
    struct block *next;
    size_t size; /* of data */
    size_t used;
    alignas(max_align_t) char data[];
};

struct arena {
    struct block *current; /* the block that is being filled; older ones hang behind it */
    struct block *large;   /* blocks of one piece each */
    size_t used_bytes;
};

static struct block *block_new(size_t size)
{
    if (size > SIZE_MAX - sizeof(struct block))
        RH_PANIC("an allocation of %zu bytes is too large", size);
    struct block *block = calloc(1, sizeof *block + size);
    if (block == NULL)
        RH_PANIC("out of memory (%zu bytes)", size);
    block->size = size;
    return block;
}

static void free_blocks(struct block *block)
{
    while (block != NULL) {
        struct block *next = block->next;
        free(block);
        block = next;
    }
}

struct arena *rh_arena_new(void)
{
    struct arena *arena = calloc(1, sizeof *arena);
    if (arena == NULL)
        RH_PANIC("out of memory (%zu bytes)", sizeof *arena);
    arena->current = block_new(BLOCK_BYTES);
    return arena;
}

void rh_arena_clear(struct arena *arena)
{
    if (arena == NULL)
        return;
    free_blocks(arena->large);
    arena->large = NULL;
    free_blocks(arena->current->next);
    arena->current->next = NULL;
    memset(arena->current->data, 0, arena->current->used);
    arena->current->used = 0;
    arena->used_bytes = 0;
}

void rh_arena_free(struct arena *arena)
{
    if (arena == NULL)
        return;
    free_blocks(arena->large);
    free_blocks(arena->current);
    free(arena);
}

void rh_arena_freep(struct arena **arena)
{
    rh_arena_free(*arena);
    *arena = NULL;
}

size_t rh_arena_used_bytes(const struct arena *arena)
{
    return arena->used_bytes;
}

void *rh_arena_alloc(struct arena *arena, size_t size)
{
    arena->used_bytes += size;
    if (size > LARGE_BYTES) {
        struct block *block = block_new(size);
        block->used = size;
        block->next = arena->large;
        arena->large = block;
        return block->data;
    }
    /* Never zero bytes: distinct pieces have distinct addresses. */
    size_t rounded = ((size > 0 ? size : 1) + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    struct block *block = arena->current;
    if (rounded > block->size - block->used) {
        block = block_new(BLOCK_BYTES);
        block->next = arena->current;
        arena->current = block;
    }
    void *piece = block->data + block->used;
    block->used += rounded;
    return piece;
}

void *rh_arena_alloc_array(struct arena *arena, size_t count, size_t item_size)
{
    size_t size;
    if (__builtin_mul_overflow(count, item_size, &size))
        RH_PANIC("an array of %zu items of %zu bytes is too large", count, item_size);
    return rh_arena_alloc(arena, size);
}

char *rh_arena_strdup(struct arena *arena, const char *s)
{
    return rh_arena_memdup(arena, s, strlen(s) + 1);
}

char *rh_arena_strndup(struct arena *arena, const char *s, size_t len)
{
    size_t present = strnlen(s, len);
    char *copy = rh_arena_alloc(arena, present + 1);
    memcpy(copy, s, present);
    return copy;
}

void *rh_arena_memdup(struct arena *arena, const void *data, size_t size)
{
    void *copy = rh_arena_alloc(arena, size);
    if (size > 0)
        memcpy(copy, data, size);
    return copy;
}

char *rh_arena_printf(struct arena *arena, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    char *result = rh_arena_vprintf(arena, fmt, args);
    va_end(args);
    return result;
}

char *rh_arena_vprintf(struct arena *arena, const char *fmt, va_list args)
{
    va_list again;
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, fmt, args);
    if (len < 0)
        RH_PANIC("cannot format \"%s\"", fmt);
    char *result = rh_arena_alloc(arena, (size_t)len + 1);
    vsnprintf(result, (size_t)len + 1, fmt, again);
    va_end(again);
    return result;
}

void *rh_arena_grow(struct arena *arena, void *items, size_t count, size_t *capacity,
                    size_t item_size)
{
    size_t wanted = FIRST_CAPACITY;
    if (*capacity > 0 && __builtin_mul_overflow(*capacity, (size_t)2, &wanted))
        RH_PANIC("an array of more than %zu items is too large", *capacity);
    void *grown = rh_arena_alloc_array(arena, wanted, item_size);
    if (count > 0)
        memcpy(grown, items, count * item_size);
    *capacity = wanted;
    return grown;
}
