/*
 * Makes a workload of statements that an importer found: sessions by name, statements as the
 * messages a client would have sent, in whatever order of sessions; patterns, ledger, and the file
 * at the end. Times are microseconds since 1970.
 */
#ifndef RH_WORKLOAD_IMPORT_MAKER_H
#define RH_WORKLOAD_IMPORT_MAKER_H

#include "base/err.h"
#include "model/workload.h"
#include "workload/statement_sums.h"

/* Without an SQLSTATE: that it failed is all that is known. */
#define IMPORT_SQLSTATE_UNKNOWN "XXXXX"

struct import_maker;
struct import_session;

struct import_who {
    const char *key; /* tells sessions apart */
    const char *user, *database, *application_name;
};

struct import_statement {
    struct text query;
    bool is_extended;
    const char *name;              /* of the prepared statement; "" for none */
    const struct text *parameters; /* data NULL: SQL NULL */
    size_t parameter_count;
    int64_t begun_at_us, ended_at_us;
    const char *sqlstate; /* "" */
    bool was_cancelled;
};

struct import_maker *rh_import_maker_new(const char *directory);
void rh_import_maker_free(struct import_maker *maker); /* NULL allowed */

/* The session of that key; a new one begins at `at_us`, at the latest with its first statement. */
struct import_session *rh_import_session(struct import_maker *maker, const struct import_who *who,
                                         int64_t at_us, bool is_midway);
struct import_session *rh_import_session_find(struct import_maker *maker, const char *key);
enum err_code rh_import_session_end(struct import_maker *maker, struct import_session *session,
                                    int64_t at_us, struct err *err) RH_MUST_CHECK;
/* Times that overlap what the session did before are moved behind it. */
enum err_code rh_import_statement(struct import_maker *maker, struct import_session *session,
                                  const struct import_statement *statement,
                                  struct err *err) RH_MUST_CHECK;
/* Statements that their client sent in one batch, without waiting for answers between: all of the
   extended protocol, one Sync behind them. The times are those of the first and the last. */
enum err_code rh_import_batch(struct import_maker *maker, struct import_session *session,
                              const struct import_statement *statements, size_t count,
                              struct err *err) RH_MUST_CHECK;
/* Adds to the ledger. */
void rh_import_gap(struct import_maker *maker, const char *kind, int64_t count, const char *detail);

struct import_outcome {
    int64_t sessions, statements, patterns;
};
/* Ends sessions that go on, sorts and writes the file, weighed by `sums` (NULL: not). `about` but
   started_at. */
enum err_code rh_import_finish(struct import_maker *maker, const char *path, const uint8_t *key,
                               struct workload_about *about, const struct statement_sums *sums,
                               struct workload_totals *totals, struct import_outcome *ret_outcome,
                               struct err *err) RH_MUST_CHECK;

#endif
