/*
 * Again and halfway: what a second run of the same migration does, and what is left when it is cut
 * off and run again. Plain data: gathered by rehearsal/, judged by judge/, told by report/. Texts
 * lie in the arena of the run; messages of the server are masked, SQL is without passwords.
 */
#ifndef RH_MODEL_REPETITION_H
#define RH_MODEL_REPETITION_H

#include "model/trace.h"

/* What keeps the migration from doing its work twice. X(symbol, name in result.json) */
#define RERUN_KIND_LIST(X)                                                                       \
    X(RERUN_LEDGER, "ledger")         /* a wrapped command: it must know what it has done */     \
    X(RERUN_SCRIPT, "script")         /* plain files, or psql: nothing but its own statements */ \
    X(RERUN_TOOL_FILES, "tool-files") /* files of a tool whose ledger we do not have */
enum rerun_kind {
#define X(symbol, name) symbol,
    RERUN_KIND_LIST(X)
#undef X
};
const char *rh_rerun_kind_name(enum rerun_kind kind);

#define DIFFERENCES_KEPT_MAX                                             \
    20 /* sentences kept of one comparison; its count is the true number \
        */

/* Two end states that should be the same, and how they differ. */
struct end_difference {
    bool was_compared;
    const char *reason; /* why not, or not wholly; NULL */
    VEC(const char *) sentences;
    int64_t count;
    /* What differs between any two uninterrupted runs too (the time of day, random numbers), and
       values that follow from a sequence that went on: not counted. */
    int64_t set_aside;
};

/* A run of the same migration, after another one. */
struct repeated_run {
    bool was_run;
    bool ok;                      /* every step came to its end */
    const char *reason;           /* why it was not run, or did not come to its end; NULL */
    const char *step;             /* it began with this one; NULL: with the first */
    int64_t statements, ddl;      /* that the client sent; those of them that define objects */
    struct server_message *error; /* the first; NULL: none */
    const char *error_sql;        /* the statement, in one line; NULL */
    int exit_status;              /* of a command that failed; -1 */
    int64_t duration_us;
    struct end_difference difference; /* from the end of the first run, whole */
};

/* The same migration once more on the migrated database. */
struct rerun {
    enum rerun_kind kind;
    bool
        claims_repeatable; /* all that has a form for it says IF NOT EXISTS, OR REPLACE and so on */
    struct repeated_run run;
};

/* X(symbol, name in result.json) */
#define CUT_HOW_LIST(X)                                                              \
    X(CUT_DISCONNECT, "disconnect") /* the connection goes, the server stays */      \
    X(CUT_CANCEL, "cancel")         /* the running statement is ended, by request */ \
    X(CUT_KILL, "kill")             /* the server goes, and comes back from its log */
enum cut_how {
#define X(symbol, name) symbol,
    CUT_HOW_LIST(X)
#undef X
};
const char *rh_cut_how_name(enum cut_how how);

/* X(symbol, name in result.json) */
#define CUT_OUTCOME_LIST(X)                                                            \
    X(CUT_NOT_REACHED, "not-reached") /* it took another course, or was over before */ \
    X(CUT_UNKNOWN, "unknown")         /* nothing could be compared */                  \
    X(CUT_SAME, "same")               /* run again, it ends as if never cut */         \
    X(CUT_DIFFERS, "differs")         /* run again it succeeds, and ends elsewhere */  \
    X(CUT_FAILS, "fails")             /* run again it fails */
enum cut_outcome {
#define X(symbol, name) symbol,
    CUT_OUTCOME_LIST(X)
#undef X
};
const char *rh_cut_outcome_name(enum cut_outcome outcome);

#define COMMITTED_KEPT_MAX 100

struct cut {
    enum cut_how how;
    int after;           /* index of the last statement that had ended; 0: none had */
    bool in_the_middle;  /* of statement after + 1 */
    bool in_transaction; /* nothing was committed since the last boundary outside one */
    int64_t equivalent;  /* further boundaries with the same committed statements, not tried */
    enum cut_outcome outcome;
    const char *reason; /* why not reached or unknown; NULL */
    VEC(int) committed; /* indexes of statements whose changes were for good by then, last first */
    int64_t committed_count;         /* of them: COMMITTED_KEPT_MAX are listed at most */
    VEC(const char *) invalid_left;  /* "invalid index public.x": unfinished, before it ran again */
    VEC(const char *) invalid_after; /* still so after it ran again */
    struct repeated_run again;
};

/* How long the longest statement that blocks others keeps its locks once it is cancelled. */
struct cancel_release {
    int statement;      /* index; 0: none was cancelled */
    const char *reason; /* why it was not measured; NULL */
    int64_t release_us; /* from the request until its locks were gone; NOT_OBSERVED */
    int64_t after_us;   /* it had been running for so long */
};

struct repetition {
    bool was_wanted; /* false: the user did without all of it */
    struct rerun rerun;
    const char *cuts_reason; /* why there are none; NULL */
    int64_t boundaries;      /* places to cut that differ in what was committed */
    const char *choice;      /* what was tried of them, and what ended it; a sentence, NULL */
    VEC(struct cut) cuts;
    struct cancel_release cancel;
    int64_t duration_us; /* of all of it */
};

/* Whether a statement by that tag may change anything by itself; SELECT and DO by what they call.
 */
bool rh_tag_is_read_only(const char *tag);

#endif
