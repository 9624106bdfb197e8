/*
 * How numbers, sizes, ages and lists are written in sentences, everywhere alike. What is returned
 * lies in `arena` or is constant. Pure.
 */
#ifndef RH_BASE_SAY_H
#define RH_BASE_SAY_H

#include "base/arena.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* "1,204" */
const char *rh_say_number(struct arena *arena, int64_t number);
/* "1 row", "1,204 rows"; `noun` is one whose plural ends in s. */
const char *rh_say_count(struct arena *arena, int64_t count, const char *noun);
/* "4.2 GB" */
const char *rh_say_bytes(struct arena *arena, int64_t bytes);
/* Of a measured time: "9.4 us", "250 us", from a millisecond on as rh_duration_format; "-" below
   zero, which is none. */
const char *rh_say_us(struct arena *arena, double us);
/* "a, b and c"; of more than `most`, "a, b and 3 more". */
const char *rh_say_list(struct arena *arena, const char *const *items, size_t count, size_t most);
/* Of something old, in words that stay true for a while: "45 min", "7 h", "12 days". */
const char *rh_say_age(struct arena *arena, int64_t age_s);
/* Whether a sentence was said already. */
bool rh_say_was_said(const char *const *items, size_t count, const char *sentence);

#endif
