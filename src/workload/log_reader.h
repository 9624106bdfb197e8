/*
 * The records of a log file, one after the other: stderr logs with their prefix, csvlog, jsonlog,
 * also .gz (through gzip). Memory is that of one record. Blocks on the disk.
 */
#ifndef RH_WORKLOAD_LOG_READER_H
#define RH_WORKLOAD_LOG_READER_H

#include "workload/log_record.h"

struct log_reader_counts {
    int64_t lines, records;
    int64_t strange; /* lines that belong to no record */
    int64_t cut;     /* records longer than LOG_MESSAGE_BYTES_MAX: they are left out */
};

struct log_reader;

/* RH_ERR_USAGE: it cannot be read, or is no file that can be read twice. `prefix` for LOG_STDERR, must outlive the reader. */
enum err_code rh_log_reader_open(const char *path, enum log_form form,
                                 const struct log_prefix *prefix, struct log_reader_counts *counts,
                                 struct log_reader **ret_reader, struct err *err) RH_MUST_CHECK;
/* *ret_record NULL: the end. It lives until the next call. */
enum err_code rh_log_reader_next(struct log_reader *reader, const struct log_record **ret_record,
                                 struct err *err) RH_MUST_CHECK;
void rh_log_reader_free(struct log_reader *reader); /* NULL allowed */

/*
 * Looks at the first lines: which form, and for a stderr log which of rh_log_prefixes fits best
 * (NULL: none does). RH_ERR_USAGE: it cannot be read.
 */
enum err_code rh_log_guess(const char *path, struct arena *arena, enum log_form *ret_form,
                           const char **ret_prefix, struct err *err) RH_MUST_CHECK;

#endif
