/*
 * Rows that could break the pending migration, or slow it: found by reading, forced in.
 *
 *     witness.c          statement by statement: what it demands, of which table
 *     witness_query.c    a demand as a question
 *     witness_calls.c    whether a question might do more than read
 *     witness_probe.c    questions within the budget; rows whose value makes an expression fail
 *
 * A witness may turn out to be harmless (an earlier statement mends it): it is one more row. What
 * could not be asked is said, never passed over.
 */
#ifndef RH_SNAPSHOT_WITNESS_INT_H
#define RH_SNAPSHOT_WITNESS_INT_H

#include "snapshot/sample_int.h"
#include "sql/demands.h"

/* Of all questions that find witnesses together, where the options name none. */
#define WITNESS_BUDGET_US (10 * 60 * INT64_C(1000000))
#define WITNESS_ROWS_MAX 20    /* of one kind, in one table */
#define WITNESS_GROUPS_MAX 100 /* of duplicates, two rows of each */
/* What one unit of the planner's cost takes: reading a page in order, by definition 1, or about
   100 rows (measured on 15: 4 to 12 us, cached and not). */
#define WITNESS_COST_US 10

struct witness {
    struct sampling *sampling;
    const struct validation *validation;
    size_t table;      /* of the catalogue */
    const char *label; /* "statement 3" */
    /* A query of the rows as the statement would leave them; NULL: as they are. */
    const char *source;
    bool is_quiet; /* what is found goes without saying */
    int64_t found; /* rows, so far */
};

/* Before the closure: what it finds becomes extras, and foreign keys that the migration adds become
   edges, so that the sample has no orphans of its own making. */
enum err_code rh_witness_find(struct sampling *sampling, struct err *err) RH_MUST_CHECK;

/* --- witness_query.c --- */
/* Asks what the demand wants to know of the table. `what` names it in sentences. */
enum err_code rh_witness_demand(struct witness *witness, const struct demand *demand,
                                struct err *err) RH_MUST_CHECK;
/* Of a statement that touches the table, whatever it does: a few rows, and the longest. */
enum err_code rh_witness_touch(struct witness *witness, struct err *err) RH_MUST_CHECK;

/* --- witness_calls.c --- */
/* A read-only transaction keeps nobody from reaching other servers (dblink, HTTP), or from taking
   advisory locks. Reads what could; before the first question. */
enum err_code rh_witness_read_volatile(struct sampling *sampling, struct err *err) RH_MUST_CHECK;
/* Whether `sql` names any of it: too often rather than too seldom. Pure. */
bool rh_witness_may_do_more(const struct sampling *sampling, const char *sql);

/* --- witness_probe.c --- */
/* `query` has the columns id and place. */
enum err_code rh_witness_ask(struct witness *witness, const char *what, const char *query,
                             int64_t max, struct err *err) RH_MUST_CHECK;
/* Looks for a row of the table (or of its partitions) for which `expression` fails; `condition`
   (NULL: all) says which rows count. */
enum err_code rh_witness_fails(struct witness *witness, const char *what, const char *expression,
                               const char *condition, struct err *err) RH_MUST_CHECK;
void rh_witness_not_covered(struct witness *witness, const char *what, const char *why);

#endif
