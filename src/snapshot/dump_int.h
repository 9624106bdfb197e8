/*
 * Inside of the dump: dump.c starts and ends pg_dump and runs the loop; dump_session.c is what the
 * tap shows each of its sessions to.
 */
#ifndef RH_SNAPSHOT_DUMP_INT_H
#define RH_SNAPSHOT_DUMP_INT_H

#include "base/process.h"
#include "snapshot/copy_statement.h"
#include "snapshot/dump.h"
#include "tap/tap.h"

/* Bodies of questions and answers that are looked at, and of questions that are asked instead. A
   larger one is refused. pg_dump names all tables by number in some of its questions: eight bytes
   each; the largest are ours, with the rows of a sample in them. */
#define DUMP_COLLECT_MAX (SAMPLE_CONDITION_MAX + (size_t)1024 * 1024)

struct dump {
    const struct dump_options *options;
    struct arena *arena;
    struct loop *loop;
    struct tap *tap;
    struct process process;
    struct dump_result result;
    VEC(int64_t) backend_pids;
    const char *cut_table; /* the first whose session ended before its rows did; NULL */
    struct err failure;    /* the first that the tap saw; wins over what pg_dump says */
    int64_t copied_bytes, copied_rows, whole_bytes; /* for progress */

    /* dump.c */
    struct loop_watch *process_watch, *output_watch;
    struct loop_timer *look_timer;
    int output_fd;
    struct buf words; /* the end of what pg_dump said */
    bool asks_locks;  /* an answer is under way, */
    struct mono asked_locks_at;
    struct buf pids; /* of those asked for */
    struct dump_session *sessions;
    struct mono rate_start; /* rate_bytes came since: all sessions together */
    int64_t rate_bytes;
    enum { LOOK_NOT_YET, LOOK_ASKED, LOOK_DONE } first_look;
    VEC(struct seen_lock) locks;
};

struct seen_lock {
    const char *mode;
    int64_t relations; /* at most, of all times somebody looked */
};

/*
 * Before the first row: pg_dump has its locks by now, so what they are is told, and no table can
 * change any more. A table that changed since the snapshot was taken fails the dump: its old rows
 * are gone, and it would be empty without a word.
 */
void rh_dump_look_first(struct dump *dump);

/* dump_session.c: what the tap is to be told; `dump` must outlive it. */
struct tap_handler rh_dump_handler(struct dump *dump);
/* Lets those go on that wait for the first look. */
void rh_dump_resume(struct dump *dump);
/* Records the first failure and ends the loop. */
void rh_dump_fail(struct dump *dump, const struct err *err);

#endif
