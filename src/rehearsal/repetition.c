#include "rehearsal/repetition.h"

#include "base/interrupt.h"
#include "rehearsal/repeat.h"
#include "sandbox/restart.h"

#include <string.h>

/* A run after the first is ended when it takes so many times as long, and at least this: tools wait
   for a lock that the one who was cut off has left (Liquibase: five minutes). */
#define RUN_MAX_FACTOR 5
#define RUN_MAX_US (INT64_C(15) * 1000 * 1000)
/* A statement that is over sooner needs no cancel, and could hardly be met by one. */
#define CANCEL_LEAST_US (50 * 1000)
/* It is cancelled when half of its time is over, but need not hold its locks for minutes here. */
#define CANCEL_AFTER_MAX_US (INT64_C(5) * 1000 * 1000)

struct exploring {
    struct repeating repeating;
    struct rehearsal *rehearsal;
    struct repetition *repetition;
    struct cuts_wanted wanted;
    struct mono began;
    struct cut_plan plan;
    int64_t budget_us;
    size_t tried;
};

static const struct trace *trace_of(const struct exploring *exploring)
{
    return &exploring->rehearsal->trace;
}

/* Why nothing is run again; NULL. */
static const char *why_not(const struct rehearsal *rehearsal)
{
    const struct trace *trace = &rehearsal->trace;
    const char *reason = rh_rehearsal_why_not_again(rehearsal);
    if (reason)
        return reason;
    for (size_t i = 0; i < trace->sessions.count; i++)
        if (trace->sessions.items[i].left_transaction_open)
            return "the migration left a transaction open";
    return trace->statements.count == 0 ? "no statement was run" : NULL;
}

static bool has_tool_files(const struct rehearsal *rehearsal)
{
    const struct migration *migration = &rehearsal->migration;
    for (size_t i = 0; i < migration->steps.count; i++)
        if (migration->steps.items[i].format &&
            strcmp(migration->steps.items[i].format, "plain") != 0)
            return true;
    return false;
}

/* A clone that cannot be had, a client that cannot be started: a reason, unless the user ended it.
 */
static enum err_code reason_of(const struct exploring *exploring, enum err_code code,
                               const struct err *why, const char **ret_reason, struct err *err)
{
    if (!code)
        return RH_OK;
    if (rh_interrupt_check(err))
        return err->code;
    *ret_reason = rh_arena_strdup(exploring->rehearsal->arena, why->message);
    return RH_OK;
}

/* --- again ---------------------------------------------------------------------------------------
 */

static enum err_code run_again(struct exploring *exploring, struct sandbox *sandbox,
                               struct err *err)
{
    struct repeated_run *run = &exploring->repetition->rerun.run;
    struct repeated repeated;
    enum err_code code = rh_repeat(&exploring->repeating, sandbox, 0, NULL, &repeated, err);
    if (code)
        return code;
    rh_repeat_await_silence(&exploring->repeating, sandbox);
    rh_repeat_tell(&exploring->repeating, &repeated, 0, run);
    if (repeated.performance.server_died)
        return RH_OK;
    return rh_repeat_compare(&exploring->repeating, sandbox, false, &run->difference, err);
}

/* What is kept stays as the migration left it: a copy is migrated twice then. */
static enum err_code run_twice(struct exploring *exploring, struct err *err)
{
    RH_CLEANUP_SANDBOX struct sandbox *clone = NULL;
    struct repeated first;
    enum err_code code;
    if ((code = rh_rehearsal_clone(exploring->rehearsal, &clone, err)) ||
        (code = rh_repeat(&exploring->repeating, clone, 0, NULL, &first, err)))
        return code;
    rh_repeat_await_silence(&exploring->repeating, clone);
    if (!rh_performance_is_ok(&first.performance)) {
        exploring->repetition->rerun.run.reason = "another first run of it failed";
        return RH_OK;
    }
    return run_again(exploring, clone, err);
}

static enum err_code again(struct exploring *exploring, struct err *err)
{
    struct rehearsal *rehearsal = exploring->rehearsal;
    struct rerun *rerun = &exploring->repetition->rerun;
    struct err why = RH_ERR_INIT;
    rerun->kind = rh_rerun_kind_of(&rehearsal->trace, has_tool_files(rehearsal));
    rerun->claims_repeatable = rh_claims_repeatable(&rehearsal->trace);
    rerun->run.exit_status = -1;
    if (rerun->kind == RERUN_TOOL_FILES) {
        rerun->run.reason = "the tool these files are for keeps them from running twice";
        return RH_OK;
    }
    rh_progress_phase(rehearsal->options->progress, "run the migration again");
    enum err_code code = rehearsal->options->keep ? run_twice(exploring, &why)
                                                  : run_again(exploring, rehearsal->sandbox, &why);
    return reason_of(exploring, code, &why, &rerun->run.reason, err);
}

/* --- halfway -------------------------------------------------------------------------------------
 */

static enum cut_outcome outcome_of(const struct cut *cut)
{
    if (!cut->again.was_run)
        return CUT_NOT_REACHED;
    if (!cut->again.ok)
        return CUT_FAILS;
    if (!cut->again.difference.was_compared)
        return CUT_UNKNOWN;
    return cut->again.difference.count > 0 ? CUT_DIFFERS : CUT_SAME;
}

static enum err_code cut_on(struct exploring *exploring, struct sandbox *clone,
                            const struct planned_cut *planned, struct cut *cut, struct err *err)
{
    struct repeating *repeating = &exploring->repeating;
    struct repeated first, second;
    enum err_code code = rh_repeat(repeating, clone, 0, &planned->request, &first, err);
    if (code)
        return code;
    if (!first.report.was_cut) {
        cut->reason = first.report.reason ? first.report.reason : "it was not reached";
        return RH_OK;
    }
    if (planned->request.how == CUT_KILL && (code = rh_sandbox_recover(clone, err)))
        return code;
    rh_repeat_await_silence(repeating, clone);
    struct repeat_names names = rh_repeat_unfinished(repeating, clone);
    for (size_t i = 0; i < names.names.count; i++)
        *RH_PUSH(exploring->rehearsal->arena, &cut->invalid_left) = names.names.items[i];
    if ((code = rh_repeat(repeating, clone, planned->first_step, NULL, &second, err)))
        return code;
    rh_repeat_await_silence(repeating, clone);
    rh_repeat_tell(repeating, &second, planned->first_step, &cut->again);
    if (second.performance.server_died)
        return RH_OK;
    names = rh_repeat_unfinished(repeating, clone);
    for (size_t i = 0; i < names.names.count; i++)
        *RH_PUSH(exploring->rehearsal->arena, &cut->invalid_after) = names.names.items[i];
    /* After a failure the error says it all, and costs nothing more. */
    return cut->again.ok ? rh_repeat_compare(repeating, clone, true, &cut->again.difference, err)
                         : RH_OK;
}

static enum err_code try_cut(struct exploring *exploring, const struct planned_cut *planned,
                             struct err *err)
{
    struct rehearsal *rehearsal = exploring->rehearsal;
    RH_CLEANUP_SANDBOX struct sandbox *clone = NULL;
    struct err why = RH_ERR_INIT;
    struct cut *cut = RH_PUSH(rehearsal->arena, &exploring->repetition->cuts);
    *cut = (struct cut){.how = planned->request.how,
                        .after = planned->request.after,
                        .in_the_middle = planned->request.in_the_middle,
                        .in_transaction = planned->in_transaction,
                        .equivalent = planned->equivalent,
                        .committed_count = planned->committed_count,
                        .again = {.exit_status = -1}};
    for (size_t i = 0; i < planned->committed.count; i++)
        *RH_PUSH(rehearsal->arena, &cut->committed) = planned->committed.items[i];
    rh_progress_phase(rehearsal->options->progress, "cut the migration off, %zu of %zu",
                      exploring->tried + 1, exploring->plan.cuts.count);
    enum err_code code = rh_rehearsal_clone(rehearsal, &clone, &why);
    if (!code)
        code = cut_on(exploring, clone, planned, cut, &why);
    if ((code = reason_of(exploring, code, &why, &cut->reason, err)))
        return code;
    cut->outcome = outcome_of(cut);
    exploring->tried++;
    return RH_OK;
}

/* What one more would take, by those before it; the first: two runs and a reading. */
static int64_t expected_us(const struct exploring *exploring, int64_t spent_us)
{
    if (exploring->tried > 0)
        return spent_us / (int64_t)exploring->tried;
    return 2 * trace_of(exploring)->duration_us +
           exploring->rehearsal->result.data_differences.duration_us / 2;
}

/* Why there is no time for one more; NULL when there is. */
static const char *out_of_time(const struct exploring *exploring, struct mono began)
{
    int64_t now_us = rh_clock_mono().us, spent_us = now_us - began.us;
    int64_t next_us = expected_us(exploring, spent_us);
    struct mono deadline = rh_interrupt_deadline();
    if (deadline.us != RH_NEVER.us && deadline.us - now_us < 2 * next_us)
        return "the time for the run (--timeout) left no room for more";
    if (exploring->wanted.mode != CUTS_AUTO || spent_us + next_us <= exploring->budget_us)
        return NULL;
    char budget[24];
    rh_duration_format(exploring->budget_us, budget);
    return rh_arena_printf(exploring->rehearsal->arena,
                           "the time for cuts (%s) was over; --cuts all takes no account of it",
                           budget);
}

/* "3 of the 7 places to cut it off were tried; ..." */
static const char *say_choice(const struct exploring *exploring, const char *ended_by)
{
    struct arena *arena = exploring->rehearsal->arena;
    int64_t places = exploring->plan.places;
    const char *more = ended_by                             ? ended_by
                       : (int64_t)exploring->tried < places ? "--cuts all tries every one"
                                                            : NULL;
    const char *text = rh_arena_printf(
        arena, "%zu cut%s at %lld place%s that differ%s in what was committed", exploring->tried,
        exploring->tried == 1 ? "" : "s", (long long)places, places == 1 ? "" : "s",
        places == 1 ? "s" : "");
    return more ? rh_arena_printf(arena, "%s; %s", text, more) : text;
}

static bool is_half_applied(const struct cut *cut)
{
    return cut->outcome == CUT_FAILS || cut->outcome == CUT_DIFFERS;
}

static enum err_code halfway(struct exploring *exploring, struct err *err)
{
    struct repetition *repetition = exploring->repetition;
    struct mono began = rh_clock_mono();
    const char *ended_by = NULL;
    rh_cut_plan(trace_of(exploring), exploring->wanted, exploring->rehearsal->arena,
                &exploring->plan);
    repetition->boundaries = exploring->plan.places;
    if (exploring->plan.cuts.count == 0) {
        repetition->cuts_reason = "all of it is committed at once, so there is nothing halfway";
        return RH_OK;
    }
    for (size_t i = 0; i < exploring->plan.cuts.count && !ended_by; i++) {
        enum err_code code;
        if ((ended_by = out_of_time(exploring, began)))
            break;
        if ((code = try_cut(exploring, &exploring->plan.cuts.items[i], err)))
            return code;
        /* The other places would mostly tell the same, and each costs two runs. */
        if (exploring->wanted.mode == CUTS_AUTO && is_half_applied(&repetition->cuts.items[i]) &&
            i + 1 < exploring->plan.cuts.count)
            ended_by = "the first that was not made good ended the search; --cuts all goes on";
    }
    repetition->choice = say_choice(exploring, ended_by);
    return RH_OK;
}

/* --- the tables back -----------------------------------------------------------------------------
 */

static enum err_code measure_cancel(struct exploring *exploring, const struct statement *statement,
                                    struct cancel_release *release, struct err *err)
{
    RH_CLEANUP_SANDBOX struct sandbox *clone = NULL;
    struct repeated repeated;
    int64_t half_us = statement->duration_us / 2;
    const struct cut_request request = {
        .how = CUT_CANCEL,
        .after = statement->index - 1,
        .in_the_middle = true,
        .running_us = half_us < CANCEL_AFTER_MAX_US ? half_us : CANCEL_AFTER_MAX_US,
    };
    enum err_code code;
    /* A backend that is copying a file of an untimed clone hears of no cancel. */
    if ((code = rh_sandbox_clone(exploring->rehearsal->prepared, &clone, err)) ||
        (code = rh_repeat(&exploring->repeating, clone, 0, &request, &repeated, err)))
        return code;
    release->release_us = repeated.report.release_us;
    release->after_us = repeated.report.ran_us;
    if (release->release_us == NOT_OBSERVED)
        release->reason = repeated.report.reason ? repeated.report.reason
                                                 : "its locks were not seen to go";
    return RH_OK;
}

static enum err_code give_back(struct exploring *exploring, struct err *err)
{
    struct cancel_release *release = &exploring->repetition->cancel;
    const struct statement *statement = rh_longest_blocking(trace_of(exploring), CANCEL_LEAST_US);
    struct err why = RH_ERR_INIT;
    release->release_us = release->after_us = NOT_OBSERVED;
    if (!statement)
        return RH_OK;
    release->statement = statement->index;
    if ((release->reason = out_of_time(exploring, exploring->began)))
        return RH_OK;
    rh_progress_phase(exploring->rehearsal->options->progress, "cancel the longest statement");
    return reason_of(exploring, measure_cancel(exploring, statement, release, &why), &why,
                     &release->reason, err);
}

/* --- all of it -----------------------------------------------------------------------------------
 */

enum err_code rh_repetition_run(struct rehearsal *rehearsal, const struct states *end,
                                struct err *err)
{
    int64_t duration_us = rehearsal->trace.duration_us;
    struct exploring exploring = {
        .repeating = {.rehearsal = rehearsal,
                      .end = end,
                      .run_max_us = RUN_MAX_FACTOR * duration_us > RUN_MAX_US
                                        ? RUN_MAX_FACTOR * duration_us
                                        : RUN_MAX_US},
        .rehearsal = rehearsal,
        .repetition = &rehearsal->result.repetition,
        .wanted = rehearsal->options->cuts,
        .began = rh_clock_mono(),
        .budget_us = CUTS_BUDGET_FACTOR * duration_us > CUTS_BUDGET_US
                         ? CUTS_BUDGET_FACTOR * duration_us
                         : CUTS_BUDGET_US,
    };
    struct repetition *repetition = exploring.repetition;
    enum err_code code;
    *repetition = (struct repetition){
        .rerun = {.run = {.exit_status = -1}},
        .cancel = {.release_us = NOT_OBSERVED, .after_us = NOT_OBSERVED}};
    if (exploring.wanted.mode == CUTS_OFF) {
        repetition->rerun.run.reason = repetition->cuts_reason = "not asked for";
        return RH_OK;
    }
    repetition->was_wanted = true;
    repetition->rerun.run.reason = repetition->cuts_reason = why_not(rehearsal);
    if (repetition->cuts_reason)
        return RH_OK;
    if (!(code = again(&exploring, err)) && !(code = halfway(&exploring, err)))
        code = give_back(&exploring, err);
    repetition->duration_us = rh_clock_mono().us - exploring.began.us;
    return code;
}
