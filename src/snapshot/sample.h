/*
 * A sample that stands on its own: which rows of each table are copied, so that every foreign key
 * still finds its parent, a kept root keeps its whole fan-out, and the rows that could break the
 * pending migration are among them. Decided by reading only, in one exported snapshot, from a
 * primary or a standby; nothing is created there.
 */
#ifndef RH_SNAPSHOT_SAMPLE_H
#define RH_SNAPSHOT_SAMPLE_H

#include "engine/engine.h"
#include "model/catalog.h"

struct sample_share {
    const char *table; /* as the user wrote it */
    double fraction;   /* 0 to 1 */
};
struct sample_condition {
    const char *table, *sql; /* --where table=SQL */
};

/* A file of the pending migration, as a later run knows it again. */
struct sample_witness_file {
    const char *name, *sha256; /* of its bytes */
};

struct sample_options {
    double fraction; /* --sample 5%; 1: all */
    VEC(struct sample_share) shares;
    VEC(struct sample_condition) conditions;
    int64_t max_rows;      /* per table, roots and followers; 0: no limit */
    int64_t edge_max_rows; /* children of one parent along one foreign key; 0: no limit */
    /* The statements of the pending migration, in order; what could break or slow them is found and
       forced into the sample. */
    VEC(const char *) witness_statements;
    VEC(struct sample_witness_file) witness_files; /* that they are from */
    int64_t witness_budget_us; /* of all probes together; what did not fit is reported; 0: 10 min */
    /* Tables of at most so many rows are kept whole; 0: 1,000; -1: none. */
    int64_t small_rows;
    uint64_t seed; /* of the hash that chooses roots: the same seed, the same roots */
};

/* Bytes of a condition: whoever sends it must be able to. Two million added rows of a table. */
#define SAMPLE_CONDITION_MAX ((size_t)32 * 1024 * 1024)

struct sample_table {
    size_t table;  /* index into the catalogue's tables */
    bool is_whole; /* every row */
    const char
        *condition_sql; /* over the bare column names of `FROM ONLY table`; NULL when whole */
    int64_t rows;       /* that it selects, when known; -1 */
    int64_t added;   /* of them, rows that no share chose: parents and witnesses, the latter counted
                        even where the share would have chosen them */
    double fraction; /* asked for */
    const char *reason; /* as struct manifest_table */
    int64_t witnesses;  /* rows that are in it for the migration's sake */
};

struct sample_plan {
    VEC(struct sample_table) tables; /* every table of the catalogue, in its order */
    VEC(const char *) witnesses;     /* sentences: what was looked for, found, forced in */
    VEC(const char *) not_covered;   /* probes that were too expensive or impossible */
    VEC(const char *) notes;
};

/* A file of the pending migration, behind those that were added before; all texts are copied. */
void rh_sample_add_witness(struct sample_options *options, const char *name, const char *sha256,
                           struct text script, struct arena *arena);

/*
 * `connection` is inside a read-only, repeatable-read transaction whose snapshot the dump will
 * share; its settings are then as pg_dump's sessions have them, until the transaction ends, and it
 * must stay open until the dump is done: rows are named by their places. Options that name unknown
 * tables, or a fraction out of range, are RH_ERR_USAGE; too many rows to add are RH_ERR_LIMIT.
 * Blocking, up to the deadline.
 */
enum err_code rh_sample_plan(const struct engine *engine, struct connection *connection,
                             const struct catalog *catalog, const struct sample_options *options,
                             struct mono deadline, struct arena *arena,
                             struct sample_plan *ret_plan, struct err *err) RH_MUST_CHECK;

#endif
