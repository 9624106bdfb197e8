/*
 * What a dry run (--rollback) left behind in the database that was not ours: plain data, made by
 * rehearsal/, read by judge/ and report/.
 */
#ifndef RH_MODEL_ROLLBACK_H
#define RH_MODEL_ROLLBACK_H

#include "base/arena.h"

#include <stdbool.h>
#include <stdint.h>

/* X(symbol, name in result.json) */
#define ROLLBACK_PROOF_LIST(X)                                                          \
    X(ROLLBACK_NOT_PROVEN, "not-proven")                                                \
    X(ROLLBACK_PROVEN, "same") /* the states before and after are, but for sequences */ \
    X(ROLLBACK_DIFFERS, "differs")
enum rollback_proof {
#define X(symbol, name) symbol,
    ROLLBACK_PROOF_LIST(X)
#undef X
};
const char *rh_rollback_proof_name(enum rollback_proof proof);

struct rollback_facts {
    bool is_dry_run;        /* false: the run was none, nothing below is set */
    const char *target;     /* the database and its host; never with a password */
    bool was_lost;          /* the connection went: the server rolled back, not we */
    int64_t other_sessions; /* in the database when it began */
    enum rollback_proof proof;
    const char *reason;                                   /* why it is not proven; NULL */
    int64_t tables, rows, sampled_tables, skipped_tables; /* that the proof is about */
    /* Sentences: sequences that advanced, which no rollback undoes; whatever else differs. */
    VEC(const char *) sequences;
    VEC(const char *) differences;
};

#endif
