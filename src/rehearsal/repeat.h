/*
 * Running the migration once more, somewhere: whole, or cut off; and what its end differs in from
 * the end it should have. What `again and halfway` (rehearsal/repetition.h) is made of.
 *
 * Blocking. Only the user and the clock of the run end in an error; whatever else fails is a reason
 * in the result.
 */
#ifndef RH_REHEARSAL_REPEAT_H
#define RH_REHEARSAL_REPEAT_H

#include "rehearsal/rehearsal_int.h"
#include "rehearsal/states.h"
#include "trace/cutter.h"

struct repeating {
    struct rehearsal *rehearsal;
    const struct states *end; /* of the uninterrupted run */
    int64_t run_max_us;       /* a run that takes longer is ended */
    /* The end of another uninterrupted run: read when it is needed, once. */
    struct states twin;
    bool has_twin;
};

/* What one run of the migration (or of its steps from `first_step` on) did. */
struct repeated {
    struct performance performance;
    struct cutter_report report;
    bool took_too_long;
    int64_t duration_us;
};

/* `request` NULL: it is not cut. The sandbox may be dead afterwards (CUT_KILL). */
enum err_code rh_repeat(const struct repeating *repeating, struct sandbox *sandbox,
                        size_t first_step, const struct cut_request *request,
                        struct repeated *ret_repeated, struct err *err) RH_MUST_CHECK;
/* Fills all of *run but its difference. */
void rh_repeat_tell(const struct repeating *repeating, const struct repeated *repeated,
                    size_t first_step, struct repeated_run *run);
/* How the database differs from what an uninterrupted run leaves; `renumbers` as in
   compare/compare_ends.h. May run the migration on one more clone to know what tells nothing. */
enum err_code rh_repeat_compare(struct repeating *repeating, struct sandbox *sandbox,
                                bool renumbers, struct end_difference *ret_difference,
                                struct err *err) RH_MUST_CHECK;
/* Waits until no client is left: a session that was cut off still ends on the server's side. */
void rh_repeat_await_silence(const struct repeating *repeating, const struct sandbox *sandbox);
/* "invalid index public.x": unfinished objects that an uninterrupted run does not leave. */
struct repeat_names {
    VEC(const char *) names;
};
struct repeat_names rh_repeat_unfinished(const struct repeating *repeating,
                                         const struct sandbox *sandbox);

#endif
