/*
 * What the two ways of loading a dump share: pg_restore for archives, psql for plain text.
 */
#ifndef RH_SANDBOX_LOAD_INT_H
#define RH_SANDBOX_LOAD_INT_H

#include "sandbox/sandbox_int.h"
#include "sandbox/sql_scan.h"

struct load {
    struct sandbox *sandbox;
    const char *path;    /* as given: for messages */
    const char *archive; /* what pg_restore reads: the same, or what was decompressed from it */
    bool is_script;      /* given as a schema: may use psql commands, need not be complete */
    struct snapshot_file file;
    int64_t file_bytes;
    const struct manifest *manifest;      /* of a snapshot of ours; NULL */
    const char *snapshot;                 /* its directory */
    const char *database, *locale;        /* of the dumped database, NULL unknown */
    VEC(const char *) available, missing; /* extensions */
    bool noted_tablespaces, noted_subscriptions;
};

/* Fills `available`. */
enum err_code rh_load_read_extensions(struct load *load, struct err *err) RH_MUST_CHECK;
/* Notes it by name the first time. */
bool rh_load_lacks_extension(struct load *load, const char *name);
const char *rh_load_missing_text(const struct load *load);
void rh_load_note_once(struct load *load, bool *noted, const char *text);
/* Name and locale from CREATE DATABASE. */
void rh_load_read_database(struct load *load, const struct sql_statement *statement);
void rh_load_progress_bytes(const struct load *load, int64_t done);

#define NOTE_TABLESPACES "tablespaces of the snapshot are left out: everything lies in one place"
#define NOTE_SUBSCRIPTIONS \
    "subscriptions of the snapshot are left out: a sandbox never connects to other servers"

struct decompressor {
    struct process process;
    int in_fd, message_fd;
};
#define DECOMPRESSOR_INIT                                      \
    {                                                          \
        .process = PROCESS_INIT, .in_fd = -1, .message_fd = -1 \
    }
enum err_code rh_load_decompressor_start(struct load *load, struct decompressor *decompressor,
                                         int out_fd, struct err *err) RH_MUST_CHECK;
/* Waits for its end; RH_ERR_FORMAT with its words when the file is damaged. */
enum err_code rh_load_decompressor_end(struct load *load, struct decompressor *decompressor,
                                       struct err *err) RH_MUST_CHECK;
void rh_load_decompressor_deinit(struct decompressor *decompressor);

/* archive_check.c: RH_ERR_FORMAT when rows are missing at the end of a tar or directory archive. */
enum err_code rh_archive_check(const struct load *load, struct err *err) RH_MUST_CHECK;
/* What of the server's words says why a row is refused; not the row's own. A constant, or in
   `arena`. */
const char *rh_load_words_without_values(struct arena *arena, const char *message);
enum err_code rh_load_archive(struct load *load, struct err *err) RH_MUST_CHECK;
enum err_code rh_load_plain(struct load *load, struct err *err) RH_MUST_CHECK;

#endif
