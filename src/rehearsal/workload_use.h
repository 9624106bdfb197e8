/*
 * The workload of a run, opened for reading.
 */
#ifndef RH_REHEARSAL_WORKLOAD_USE_H
#define RH_REHEARSAL_WORKLOAD_USE_H

#include "store/workload_file.h"

struct workload_use {
    struct workload_reader *reader; /* NULL: not open */
};

/* key_path NULL: not encrypted. Errors as rh_workload_reader_open. */
enum err_code rh_workload_use_open(struct workload_use *use, const char *path, const char *key_path,
                                   struct err *err) RH_MUST_CHECK;
void rh_workload_use_close(struct workload_use *use); /* any time */
/* Of a reader, by number; NULL for 0 and beyond its last. */
const struct workload_pattern *rh_workload_use_pattern(const void *reader, uint32_t number);

#endif
