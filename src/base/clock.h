/*
 * Clocks: monotonic time for durations and deadlines, wall time for stamps. They are different
 * types so that they cannot be mixed. A deadline of RH_NEVER never passes.
 */
#ifndef RH_BASE_CLOCK_H
#define RH_BASE_CLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mono {
    int64_t us; /* microseconds since an unspecified start (CLOCK_MONOTONIC) */
};
struct wall {
    int64_t us; /* microseconds since 1970-01-01T00:00:00Z */
};

#define RH_NEVER ((struct mono){INT64_MAX})

struct mono rh_clock_mono(void);
struct wall rh_clock_wall(void);
struct mono rh_clock_after(struct mono start, int64_t delta_us); /* RH_NEVER stays RH_NEVER */
struct mono rh_clock_earlier(struct mono a, struct mono b);
bool rh_clock_passed(struct mono deadline);
/* For poll(): -1 for RH_NEVER, 0 when passed, else rounded up milliseconds. */
int rh_clock_poll_ms(struct mono deadline);

/* "2026-11-20T10:49:12.123Z" (RFC 3339) and "20261120T104912Z" (for directory names). */
void rh_clock_rfc3339(struct wall at, char out[static 32]);
void rh_clock_compact(struct wall at, char out[static 20]);
/* A stamp as rh_clock_rfc3339 makes it, with or without its fraction; false: it is none. */
bool rh_clock_parse_rfc3339(const char *stamp, struct wall *ret_at);

/* "340 us", "12.3 ms", "4.2 s", "15m02s", "3h04m": as a person says a duration. */
void rh_duration_format(int64_t us, char out[static 24]);
/* "500us", "250ms", "2s", "1.5m", "20m", "1h"; a unit is required (except for "0"). */
bool rh_duration_parse(const char *s, int64_t *ret_us);
/* "640 B", "12 kB", "4.2 GB": powers of 1024 as PostgreSQL's pg_size_pretty names them. */
void rh_bytes_format(int64_t bytes, char out[static 24]);
/* "64MB", "1GiB", "512kB", "100" (bytes). */
bool rh_bytes_parse(const char *s, int64_t *ret_bytes);
/* "1,204,000": thousands separated. */
void rh_count_format(int64_t count, char out[static 32]);

#endif
