/*
 * The rows of one COPY on their way into a file: masked, summed and compressed on a thread of their
 * own, so that the loop has nothing to do but to read, and every session of pg_dump a core.
 *
 * Nothing here blocks the loop but freeing a writer at work, which waits for the part at hand (of
 * ROW_PART_BYTES). Memory is flat: the caller stops reading from the server where
 * rh_row_writer_feed says so.
 */
#ifndef RH_SNAPSHOT_ROW_WRITER_H
#define RH_SNAPSHOT_ROW_WRITER_H

#include "mask/copy_mask.h"
#include "net/loop.h"

/* Rows that wait for the thread, before the caller is told to stop; as many are at work. */
#define ROW_QUEUE_BYTES ((size_t)512 * 1024)
/* Masked at a time: a part may become a thousand times as long (one value, "fixed", in every row).
 */
#define ROW_PART_BYTES ((size_t)64 * 1024)
#define ROW_MADE_MAX ((size_t)64 * 1024 * 1024)

/* What pg_dump has behind the rows of a COPY (dumpTableData_copy). */
#define ROW_FILE_END "\\.\n\n\n"

struct row_writer;

struct row_writer_options {
    struct loop *loop;
    const char *path; /* made here; must not exist; the text lives as long as the writer */
    /* In the loop's thread: the writer has failed, has ended, or takes rows again after it was
       full. May free the writer. */
    void (*ready)(void *context);
    void *context;
};

/* Owns `mask` from now on, also where this fails. What `mask` points to (its maps, its watcher) is
   for the writer's thread alone until it has ended or is freed. */
enum err_code rh_row_writer_new(const struct row_writer_options *options, struct copy_mask *mask,
                                struct row_writer **ret_writer, struct err *err) RH_MUST_CHECK;
/* NULL allowed. What is written so far stays. */
void rh_row_writer_free(struct row_writer *writer);
/* Copies the rows (cut anywhere, at most ROW_QUEUE_BYTES). False: no more, please, before `ready`.
 */
bool rh_row_writer_feed(struct row_writer *writer, struct text rows) RH_MUST_CHECK;
enum row_writer_state { ROW_WRITER_FULL, ROW_WRITER_TAKES, ROW_WRITER_ENDED, ROW_WRITER_FAILED };
/* Nothing more comes. Unless all is in the file already (of a small table it is), `ready` tells
   when that is so. */
enum row_writer_state rh_row_writer_end(struct row_writer *writer);
enum row_writer_state rh_row_writer_state(struct row_writer *writer);
/* Why it failed. */
struct err rh_row_writer_failure(struct row_writer *writer);
/* Rows masked so far. */
int64_t rh_row_writer_rows(struct row_writer *writer);
/* Of one that has ended. */
struct copy_mask_totals rh_row_writer_totals(const struct row_writer *writer);

#endif
