/*
 * Arenas: memory by lifetime (a run, a connection, a statement, a report).
 *
 * An arena hands out zeroed, aligned pieces that all go at once with rh_arena_free. It is passed as
 * an argument and never hidden; a function that returns memory says in which arena it lies. Memory
 * that cannot be had ends the program through rh_panic, so callers never check for NULL: sizes that
 * a peer, a file or a user controls are capped before they get here. Not thread-safe.
 */
#ifndef RH_BASE_ARENA_H
#define RH_BASE_ARENA_H

#include "base/err.h"

#include <stdarg.h>
#include <stddef.h>

struct arena;

/* Life cycle. rh_arena_clear empties but keeps the first block; all accept NULL where they free. */
struct arena *rh_arena_new(void);
void rh_arena_clear(struct arena *arena);
void rh_arena_free(struct arena *arena);
void rh_arena_freep(struct arena **arena); /* for RH_CLEANUP_ARENA */
#define RH_CLEANUP_ARENA __attribute__((cleanup(rh_arena_freep)))

/* Bytes handed out since new or clear. */
size_t rh_arena_used_bytes(const struct arena *arena);

/* All results are zero-filled, aligned for any type, and live until clear or free. */
void *rh_arena_alloc(struct arena *arena, size_t size) __attribute__((returns_nonnull, malloc));
void *rh_arena_alloc_array(struct arena *arena, size_t count, size_t item_size)
    __attribute__((returns_nonnull));
char *rh_arena_strdup(struct arena *arena, const char *s) __attribute__((returns_nonnull));
char *rh_arena_strndup(struct arena *arena, const char *s, size_t len)
    __attribute__((returns_nonnull));
void *rh_arena_memdup(struct arena *arena, const void *data, size_t size)
    __attribute__((returns_nonnull));
char *rh_arena_printf(struct arena *arena, const char *fmt, ...) __attribute__((returns_nonnull))
RH_PRINTF(2, 3);
char *rh_arena_vprintf(struct arena *arena, const char *fmt, va_list args)
    __attribute__((returns_nonnull)) RH_PRINTF(2, 0);

#define RH_NEW(arena, type) ((type *)rh_arena_alloc((arena), sizeof(type)))

/*
 * Growable arrays in an arena: VEC(struct lock) locks; then RH_PUSH returns a pointer to a new,
 * zeroed last item. Pointers to items are invalid after the next push; the old block stays in the
 * arena (growth doubles, so at most as much again is wasted).
 */
#define VEC(type)               \
    struct {                    \
        type *items;            \
        size_t count, capacity; \
    }
#define RH_PUSH(arena, vec)                                                                     \
    ((vec)->count == (vec)->capacity                                                            \
         ? ((vec)->items = rh_arena_grow((arena), (vec)->items, (vec)->count, &(vec)->capacity, \
                                         sizeof(*(vec)->items)))                                \
         : (vec)->items,                                                                        \
     &(vec)->items[(vec)->count++])
void *rh_arena_grow(struct arena *arena, void *items, size_t count, size_t *capacity,
                    size_t item_size) __attribute__((returns_nonnull));

#endif
