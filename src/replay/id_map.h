/*
 * Values that a server made (sequences, uuids): from those that the recording's clients were told
 * to those that the target made in their place, by domain (struct workload_key). Pure.
 *
 * A value is expected when the recording tells of it and known once the replay has the answer that
 * it came with; in between whoever needs it may wait. The first answer that tells of a value
 * counts. Memory is bounded: the oldest are forgotten.
 */
#ifndef RH_REPLAY_ID_MAP_H
#define RH_REPLAY_ID_MAP_H

#include "model/workload.h"

/* 48 MB of values; later statements seldom ask for older ones. */
#define ID_MAP_MAX ((size_t)1 << 20)

struct id_value {
    uint64_t high, low; /* of an integer `low` is it */
    bool is_uuid;
};
/* An integer or a uuid as text; false: neither. */
bool rh_id_value_parse(struct text text, struct id_value *ret_value);
/* An integer of 2, 4 or 8 bytes, a uuid of 16. */
bool rh_id_value_decode(struct text binary, struct id_value *ret_value);
/* As text, with a NUL; returns its length. */
size_t rh_id_value_format(const struct id_value *value, char out[static WORKLOAD_ID_BYTES_MAX + 1]);
/* Into so many bytes; false: it does not fit. */
bool rh_id_value_encode(const struct id_value *value, char *out, size_t length);

struct id_map;

/* NULL: there are no keys, and nothing to be mapped. `keys` must outlive it. */
struct id_map *rh_id_map_new(const struct workload_key *keys, size_t count);
void rh_id_map_free(struct id_map *map); /* NULL allowed */

/* Of "schema.table.column", "table.column" or "column"; 0: of none, or it could be of several. */
uint32_t rh_id_map_domain_of_column(const struct id_map *map, const char *column);
/* Of the column of a table that a sequence fills; 0. */
uint32_t rh_id_map_domain_of_table(const struct id_map *map, const char *table);
uint32_t rh_id_map_domain_of_key(const struct id_map *map, uint32_t key); /* from 1; 0 */

enum id_state { ID_NONE, ID_EXPECTED, ID_LOST, ID_KNOWN };
void rh_id_map_expect(struct id_map *map, uint32_t domain, const struct id_value *value);
/* An answer told it; or there will be none. True: somebody may have waited for it. */
bool rh_id_map_set(struct id_map *map, uint32_t domain, const struct id_value *value,
                   const struct id_value *replayed);
bool rh_id_map_lose(struct id_map *map, uint32_t domain, const struct id_value *value);
enum id_state rh_id_map_find(const struct id_map *map, uint32_t domain,
                             const struct id_value *value, struct id_value *ret_replayed);
/* It was made after the recording began: the target has it only if the map knows it. */
bool rh_id_map_is_new(const struct id_map *map, uint32_t domain, const struct id_value *value);

#endif
