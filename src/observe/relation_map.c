#include "observe/relation_map.h"

#define FIRST_CAPACITY 1024

static size_t slot_of(int64_t id, size_t capacity)
{
    /* Fibonacci hashing: ids are nearly consecutive (Knuth, TAOCP vol. 3, 6.4) */
    return (size_t)(((uint64_t)id * UINT64_C(11400714819323198485)) >> 32) & (capacity - 1);
}

void rh_relation_map_init(struct relation_map *map, struct arena *arena)
{
    map->arena = arena;
    map->capacity = FIRST_CAPACITY;
    map->count = 0;
    map->slots = rh_arena_alloc_array(arena, map->capacity, sizeof(*map->slots));
}

struct relation_record *rh_relation_map_find(const struct relation_map *map, int64_t id)
{
    for (size_t i = slot_of(id, map->capacity); map->slots[i]; i = (i + 1) & (map->capacity - 1))
        if (map->slots[i]->facts.id == id)
            return map->slots[i];
    return NULL;
}

static void place(struct relation_map *map, struct relation_record *record)
{
    size_t i = slot_of(record->facts.id, map->capacity);

    while (map->slots[i])
        i = (i + 1) & (map->capacity - 1);
    map->slots[i] = record;
}

struct relation_record *rh_relation_map_add(struct relation_map *map, int64_t id)
{
    struct relation_record *record = RH_NEW(map->arena, struct relation_record);

    if (map->count * 2 >= map->capacity) {
        struct relation_record **old = map->slots;
        size_t old_capacity = map->capacity;
        map->capacity *= 2;
        map->slots = rh_arena_alloc_array(map->arena, map->capacity, sizeof(*map->slots));
        for (size_t i = 0; i < old_capacity; i++)
            if (old[i])
                place(map, old[i]);
    }
    record->facts.id = id;
    place(map, record);
    map->count++;
    return record;
}
