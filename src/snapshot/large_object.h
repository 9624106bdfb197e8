/*
 * Large objects on their way through the tap. They have no column that a rule could be for, so all
 * of them become noise: of the same length, keyed, the same on every run, and independent of what
 * was in them. Pure.
 */
#ifndef RH_SNAPSHOT_LARGE_OBJECT_H
#define RH_SNAPSHOT_LARGE_OBJECT_H

#include "base/text.h"
#include "mask/mask_map.h"

#include <stdint.h>

/* Functions that pg_dump calls by their number (pg_proc.dat; the same in every version). */
#define FUNCTION_LO_OPEN 952u
#define FUNCTION_LO_CLOSE 953u
#define FUNCTION_LO_READ 954u

/* FunctionCall's body: the function, and its first argument where that is four bytes. False when it
   cannot be read so. */
bool rh_large_object_call(struct text body, uint32_t *ret_function, uint32_t *ret_argument);

/* Bytes `offset` to `offset + length` of the noise that stands for an object. */
void rh_large_object_noise(const struct mask_master_key *key, uint32_t object, uint64_t offset,
                           char *out, size_t length);

#endif
