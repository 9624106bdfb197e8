/* What writer and reader of a workload's file share: tables, names, statements. */
#ifndef RH_STORE_WORKLOAD_FILE_INT_H
#define RH_STORE_WORKLOAD_FILE_INT_H

#include "store/seal.h"
#include "store/workload_file.h"

#include <sqlite3.h>

/* "RHWL", in the file's header (SQLite's application_id); user_version is the format's. */
#define WORKLOAD_APPLICATION_ID 0x5248574C
#define WORKLOAD_FORMAT_VERSION 2
/* Files of this one have no tables "functions" and "keys", and no ids in their events. */
#define WORKLOAD_FORMAT_WITHOUT_KEYS 1

/* Sealed as batches that cannot be: the footer, and the key of the digests. */
#define FOOTER_NUMBER UINT64_MAX
#define DIGEST_KEY_NUMBER (UINT64_MAX - 1)

/* X(type, name, statement): a file's tables read exactly so, or it is none of ours. */
#define WORKLOAD_TABLE_LIST(X)                                                                     \
    X("table", "about",                                                                            \
      "CREATE TABLE about (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID")             \
    X("table", "notes", "CREATE TABLE notes (number INTEGER PRIMARY KEY, note TEXT NOT NULL)")     \
    X("table", "types",                                                                            \
      "CREATE TABLE types (oid INTEGER PRIMARY KEY, \"schema\" TEXT NOT NULL, name TEXT NOT NULL," \
      " kind TEXT NOT NULL, element INTEGER NOT NULL)")                                            \
    X("table", "functions",                                                                        \
      "CREATE TABLE functions (oid INTEGER PRIMARY KEY, \"schema\" TEXT NOT NULL,"                 \
      " signature TEXT NOT NULL)")                                                                 \
    X("table", "keys",                                                                             \
      "CREATE TABLE keys (number INTEGER PRIMARY KEY, domain INTEGER NOT NULL,"                    \
      " \"schema\" TEXT NOT NULL, \"table\" TEXT NOT NULL, \"column\" TEXT NOT NULL,"              \
      " sequence_schema TEXT NOT NULL, sequence TEXT NOT NULL, since INTEGER NOT NULL)")           \
    X("table", "gaps",                                                                             \
      "CREATE TABLE gaps (number INTEGER PRIMARY KEY, kind TEXT NOT NULL, count INTEGER NOT NULL," \
      " detail TEXT NOT NULL)")                                                                    \
    X("table", "patterns",                                                                         \
      "CREATE TABLE patterns (number INTEGER PRIMARY KEY, fingerprint TEXT NOT NULL,"              \
      " flags INTEGER NOT NULL, query TEXT NOT NULL)")                                             \
    X("table", "pattern_tables",                                                                   \
      "CREATE TABLE pattern_tables (pattern INTEGER NOT NULL, access TEXT NOT NULL,"               \
      " position INTEGER NOT NULL, name TEXT NOT NULL, PRIMARY KEY (pattern, access, position))"   \
      " WITHOUT ROWID")                                                                            \
    X("table", "sums",                                                                             \
      "CREATE TABLE sums (pattern INTEGER PRIMARY KEY, calls INTEGER NOT NULL,"                    \
      " errors INTEGER NOT NULL, \"rows\" INTEGER NOT NULL, total_us INTEGER NOT NULL,"            \
      " min_us INTEGER NOT NULL, max_us INTEGER NOT NULL, first_at_us INTEGER NOT NULL,"           \
      " last_at_us INTEGER NOT NULL, weight REAL NOT NULL)")                                       \
    X("table", "sessions",                                                                         \
      "CREATE TABLE sessions (number INTEGER PRIMARY KEY, \"user\" TEXT NOT NULL,"                 \
      " \"database\" TEXT NOT NULL, application_name TEXT NOT NULL, begun_at_us INTEGER NOT NULL," \
      " ended_at_us INTEGER, requests INTEGER NOT NULL, executions INTEGER NOT NULL,"              \
      " errors INTEGER NOT NULL, is_midway INTEGER NOT NULL, lacks TEXT NOT NULL,"                 \
      " was_cut INTEGER NOT NULL)")                                                                \
    X("table", "batches",                                                                          \
      "CREATE TABLE batches (number INTEGER PRIMARY KEY, first_at_us INTEGER NOT NULL,"            \
      " events INTEGER NOT NULL, bytes INTEGER NOT NULL, data BLOB NOT NULL)")                     \
    X("view", "top_patterns",                                                                      \
      "CREATE VIEW top_patterns AS SELECT total_us / 1000.0 AS total_ms, calls,"                   \
      " total_us / 1000.0 / max(calls, 1) AS mean_ms, max_us / 1000.0 AS max_ms, errors,"          \
      " \"rows\", number, query FROM sums JOIN patterns ON pattern = number"                       \
      " ORDER BY total_us DESC, number")

/* Names in `about`. */
#define ABOUT_STATE "state" /* "writing", "finished" */
#define ABOUT_FILE_ID "file_id"
#define ABOUT_KEY_CHECK "key_check" /* "": not encrypted */
#define ABOUT_DIGEST_KEY "digest_key"
#define ABOUT_FOOTER "footer"

/* RH_ERR_IO with what SQLite says, ENOSPC and the like in errno_value. */
enum err_code rh_workload_sqlite_error(sqlite3 *db, const char *doing, const char *path,
                                       struct err *err);
/* Of all that the footer vouches for, beside the batches: about (but the footer), notes, types,
   functions, keys, gaps, patterns, pattern_tables, sums. `has_keys`: false of a file of
   WORKLOAD_FORMAT_WITHOUT_KEYS. False: SQLite failed. */
#define TABLES_DIGEST_BYTES 32
bool rh_workload_tables_digest(sqlite3 *db, bool has_keys,
                               uint8_t ret_digest[static TABLES_DIGEST_BYTES]);

/* The footer: batches and events as 8 bytes each, most significant first, then the digest. */
#define FOOTER_BYTES (8 + 8 + TABLES_DIGEST_BYTES)
void rh_workload_put_footer(uint64_t batches, uint64_t events,
                            const uint8_t digest[static TABLES_DIGEST_BYTES],
                            uint8_t ret_footer[static FOOTER_BYTES]);

/* What is sealed beside the batches lies in `about`, in hexadecimal. */
char *rh_workload_seal_hex(struct seal *seal, uint64_t number, const uint8_t *bytes, size_t length,
                           struct arena *arena);
/* False: it is not there (NULL), not `length` bytes, or does not open. */
bool rh_workload_unseal_hex(struct seal *seal, uint64_t number, const char *hex, uint8_t *ret_bytes,
                            size_t length) RH_MUST_CHECK;

char *rh_workload_hex(struct arena *arena, const uint8_t *bytes, size_t length);
/* False: not `length` bytes in hexadecimal. */
bool rh_workload_unhex(const char *hex, uint8_t *ret_bytes, size_t length);

static inline bool rh_workload_sql(sqlite3 *db, const char *sql)
{
    return sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK;
}

#endif
