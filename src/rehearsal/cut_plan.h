/*
 * Where it is worth cutting a migration off: pure, from the trace of its uninterrupted run.
 *
 * What matters is what was committed by then. Boundaries between two commits are the same place;
 * all boundaries inside a transaction block are the place before it. So the places are: behind each
 * commit that changed something, but for the last of all (that is the migration run again) and, of
 * files, the last of each (a file that ran is not run again: the run after the cut begins with the
 * file that was cut); one inside a transaction block; and the middle of each command that commits
 * on its way.
 */
#ifndef RH_REHEARSAL_CUT_PLAN_H
#define RH_REHEARSAL_CUT_PLAN_H

#include "model/repetition.h"
#include "trace/cutter.h"

/* How much is tried. X(symbol, name of the option's value); a number stands for itself. */
enum cuts_mode {
    CUTS_OFF,   /* nothing is run again */
    CUTS_AUTO,  /* run again; a few cuts, within a budget of time */
    CUTS_COUNT, /* so many cuts */
    CUTS_ALL,   /* up to CUTS_MAX */
};
struct cuts_wanted {
    enum cuts_mode mode;
    int count;
};
#define CUTS_AUTO_MAX 2
#define CUTS_MAX 64

struct planned_cut {
    struct cut_request request;
    size_t first_step; /* the run after the cut begins with this one */
    bool in_transaction;
    int64_t equivalent; /* as in struct cut */
    VEC(int) committed; /* as in struct cut */
    int64_t committed_count;
};

struct cut_plan {
    VEC(struct planned_cut) cuts; /* in the order they are to be tried */
    int64_t places;
};

/* `trace` is of a run that succeeded. Results lie in `arena` and point into the trace. */
void rh_cut_plan(const struct trace *trace, struct cuts_wanted wanted, struct arena *arena,
                 struct cut_plan *ret_plan);

/* What keeps it from doing its work twice: `is_tool_file` of any step. */
enum rerun_kind rh_rerun_kind_of(const struct trace *trace, bool has_tool_files);
/* Whether every statement that has a form for it says IF [NOT] EXISTS or OR REPLACE, and one does:
   its words alone, for they are what claims it. */
bool rh_claims_repeatable(const struct trace *trace);

/* The statement whose locks on existing relations block others the longest while it runs, and at
   least `least_us`; NULL. */
const struct statement *rh_longest_blocking(const struct trace *trace, int64_t least_us);

#endif
