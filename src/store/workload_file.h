/*
 * A workload as a file: a SQLite database whose tables about, sessions, patterns, sums and gaps are
 * for sqlite3 and people, and whose events lie in batches, each compressed (zstd) and, with a key,
 * encrypted and authenticated (AES-256-GCM; the batch's number and the file's id are part of what
 * is authenticated, so that a batch that is missing, moved or cut is noticed). docs/workload.md has
 * the format.
 *
 * Memory is flat: a batch at a time. A file that its writer never finished is read up to its last
 * whole batch, and is not complete. Nothing in a file is trusted: a damaged one is an error that
 * names the batch. Single-threaded; a writer may live on another thread than the one that opened
 * it. Everything blocks on the disk.
 */
#ifndef RH_STORE_WORKLOAD_FILE_H
#define RH_STORE_WORKLOAD_FILE_H

#include "base/err.h"
#include "model/workload.h"

#define WORKLOAD_KEY_BYTES 32

/* What a batch holds at most before it is written. */
#define WORKLOAD_BATCH_BYTES (1024 * 1024)
/* One event, whatever was in it: whoever makes one cuts COPY data and leaves out longer requests.
 */
#define WORKLOAD_EVENT_BYTES_MAX (64 * 1024 * 1024)

/* Whoever makes patterns keeps what comes after the last one as pattern 0. A reader holds them all:
   tens of MB, when an application writes its constants into names. */
#define WORKLOAD_PATTERNS_MAX 100000
/* Of a pattern's text; a longer one is kept cut, with a mark. Once all texts together have reached
   WORKLOAD_QUERIES_BYTES, of those that follow only the beginning. */
#define WORKLOAD_QUERY_BYTES_MAX (64 * 1024)
#define WORKLOAD_QUERIES_BYTES (16 * 1024 * 1024)
#define WORKLOAD_QUERY_BEGINNING_BYTES 1024

struct workload_writer;

/*
 * Makes the file as `path`.unfinished (mode 0600), which finish puts in place: an interrupted
 * writer leaves that one, whole batches of it readable. RH_ERR_USAGE: `path` is there already, or
 * its directory is not. `key` NULL: not encrypted.
 */
enum err_code rh_workload_writer_open(const char *path, const struct workload_about *about,
                                      const uint8_t *key, struct workload_writer **ret_writer,
                                      struct err *err) RH_MUST_CHECK;
/* A pattern before the first event that names it; its number is the next one. RH_ERR_LIMIT beyond
   WORKLOAD_PATTERNS_MAX; the writer goes on. */
enum err_code rh_workload_writer_pattern(struct workload_writer *writer,
                                         const struct workload_pattern *pattern,
                                         struct err *err) RH_MUST_CHECK;
/*
 * Copies the event. Sums and totals are kept from what passes: an execution's duration is that of
 * its answer (from its request, or from the answer before it), in equal shares where an answer has
 * several. RH_ERR_FORMAT, RH_ERR_LIMIT: this event cannot be; the writer goes on without it.
 * RH_ERR_IO (errno_value ENOSPC for a full disk): every later call fails in the same way.
 */
enum err_code rh_workload_writer_event(struct workload_writer *writer,
                                       const struct workload_event *event,
                                       struct err *err) RH_MUST_CHECK;
/* What does not follow from events: weights of pg_stat_statements. */
enum err_code rh_workload_writer_weight(struct workload_writer *writer, uint32_t pattern,
                                        double weight, struct err *err) RH_MUST_CHECK;
/* Writes out the batch under way. */
enum err_code rh_workload_writer_flush(struct workload_writer *writer,
                                       struct err *err) RH_MUST_CHECK;
/* Fidelity, gaps and is_complete are taken from `totals`, the rest is counted. On disk, in place.
 */
enum err_code rh_workload_writer_finish(struct workload_writer *writer,
                                        const struct workload_totals *totals,
                                        struct err *err) RH_MUST_CHECK;
/* After a failure, once the reason for it is gone (a full disk has room again): puts the whole
   batches that there are in place, as a file that is not complete, with what `totals` says of it.
 */
enum err_code rh_workload_writer_keep(struct workload_writer *writer,
                                      const struct workload_totals *totals,
                                      struct err *err) RH_MUST_CHECK;
/* Bytes written so far. */
uint64_t rh_workload_writer_bytes(const struct workload_writer *writer);
/* NULL allowed. Not finished: the unfinished file goes. */
void rh_workload_writer_free(struct workload_writer *writer);

struct workload_reader;

/* Is this file a workload? Reads its head alone. */
bool rh_workload_file_is(const char *path);
/* RH_ERR_USAGE: not there, not a workload, of a newer format, encrypted and no key given, or by
   another key. */
enum err_code rh_workload_reader_open(const char *path, const uint8_t *key,
                                      struct workload_reader **ret_reader,
                                      struct err *err) RH_MUST_CHECK;
void rh_workload_reader_free(struct workload_reader *reader); /* NULL allowed */
/* They live as long as the reader. */
const struct workload_about *rh_workload_reader_about(const struct workload_reader *reader);
const struct workload_totals *rh_workload_reader_totals(const struct workload_reader *reader);
size_t rh_workload_reader_pattern_count(const struct workload_reader *reader);
/* By number, 1 ... count. */
const struct workload_pattern *rh_workload_reader_pattern(const struct workload_reader *reader,
                                                          uint32_t number);
const struct workload_pattern_sums *rh_workload_reader_sums(const struct workload_reader *reader,
                                                            uint32_t number);
/* From the beginning, as often as one likes; one source at a time. */
struct workload_source rh_workload_reader_source(struct workload_reader *reader);

#endif
