/*
 * Dates and timestamps as PostgreSQL writes them in the ISO style: "2024-05-01", "0044-03-15 BC",
 * "2024-05-01 12:00:00.5+02". Days are Julian ones, which count from 4714-11-24 BC.
 */
#ifndef RH_MASK_MASK_DAY_INT_H
#define RH_MASK_MASK_DAY_INT_H

#include "base/text.h"

struct day_text {
    int64_t day;
    struct text time; /* what stands between date and "BC": " 12:00:00+02"; empty for a date */
};

/* Days of date and of timestamps, [0, end) (src/include/datatype/timestamp.h). */
#define DATE_END_DAY INT64_C(2147483494)
#define TIMESTAMP_END_DAY INT64_C(109203528)

/* A time of day behind a date, and nothing else: "T10:20", " 10:20:30.5+01". */
bool rh_day_is_time(struct text time);
/* Exactly what rh_day_write would write, of a day in [0, end). */
bool rh_day_read(struct text value, int64_t end, struct day_text *ret_day);
struct text rh_day_write(const struct day_text *day, struct arena *arena);
/* The type's end; 0: none of date, timestamp, timestamptz. Text is taken as a timestamp. */
int64_t rh_day_end(const char *type);

#endif
