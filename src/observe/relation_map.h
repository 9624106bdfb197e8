/*
 * Relations by id: what the catalogue said, before the run and since. Items never move, so pointers
 * to them stay good as long as the arena.
 */
#ifndef RH_OBSERVE_RELATION_MAP_H
#define RH_OBSERVE_RELATION_MAP_H

#include "observe/observer.h"

struct relation_record {
    struct observed_relation facts; /* name and table as before the run */
    const char *name_now;           /* follows ALTER ... RENAME once committed */
};

struct relation_map {
    struct relation_record **slots; /* open addressing; NULL: free */
    size_t capacity, count;         /* capacity: power of two; at most half used */
    struct arena *arena;
};

void rh_relation_map_init(struct relation_map *map, struct arena *arena);
struct relation_record *rh_relation_map_find(const struct relation_map *map, int64_t id); /* NULL */
/* A zeroed record with that id; the id must be new. */
struct relation_record *rh_relation_map_add(struct relation_map *map, int64_t id);

#endif
