/* Again and halfway: what a second run did, and what is left when it is cut off and run again. */
#include "report/report_int.h"

/* Cuts shown before the rest is only counted. */
#define CUTS_SHOWN 4

static const char *say_failure(struct arena *arena, const struct repeated_run *run)
{
    if (run->error)
        return rh_arena_printf(arena, "fails with %s: %s", run->error->sqlstate,
                               run->error->message);
    return rh_arena_printf(arena, "fails: %s", run->reason ? run->reason : "no reason was given");
}

static const char *first_difference(struct arena *arena, const struct end_difference *difference)
{
    const char *first = difference->sentences.count > 0 ? difference->sentences.items[0] : "";
    return difference->count > 1 ? rh_arena_printf(arena, "%s, and %lld more", first,
                                                   (long long)difference->count - 1)
                                 : first;
}

static const char *say_again(struct arena *arena, const struct rerun *rerun)
{
    const struct repeated_run *run = &rerun->run;
    if (!run->was_run)
        return rh_arena_printf(arena, "not run a second time: %s",
                               run->reason ? run->reason : "no reason was given");
    if (!run->ok)
        return rh_arena_printf(arena, "run a second time it %s%s", say_failure(arena, run),
                               rerun->kind == RERUN_SCRIPT && !rerun->claims_repeatable &&
                                       run->difference.count == 0
                                   ? " (a script without a ledger does, and changes nothing)"
                                   : "");
    if (!run->difference.was_compared)
        return rh_arena_printf(arena, "run a second time it succeeds; not compared: %s",
                               run->difference.reason ? run->difference.reason : "no state");
    if (run->difference.count == 0)
        return rerun->kind == RERUN_LEDGER ? "run a second time it is a no-op, as it should be"
                                           : "run a second time it changes nothing";
    return rh_arena_printf(arena, "run a second time it changes the database again: %s",
                           first_difference(arena, &run->difference));
}

static const char *say_place(struct arena *arena, const struct cut *cut)
{
    static const char *const acts[] = {
        [CUT_DISCONNECT] = "cut", [CUT_CANCEL] = "cancelled", [CUT_KILL] = "server killed"};
    return rh_arena_printf(arena, "%s %s statement %d%s", acts[cut->how],
                           cut->in_the_middle ? "in" : "after",
                           cut->in_the_middle ? cut->after + 1 : cut->after,
                           cut->in_transaction ? ", inside its transaction" : "");
}

static const char *say_left(struct arena *arena, const struct cut *cut)
{
    if (cut->invalid_left.count == 0)
        return "";
    return rh_arena_printf(arena, " (it leaves %s%s)", cut->invalid_left.items[0],
                           cut->invalid_left.count > 1 ? " and more" : "");
}

static const char *say_cut(struct arena *arena, const struct cut *cut)
{
    const char *place = say_place(arena, cut), *left = say_left(arena, cut);
    switch (cut->outcome) {
    case CUT_NOT_REACHED:
        return rh_arena_printf(arena, "%s: not reached: %s", place,
                               cut->reason ? cut->reason : "no reason was given");
    case CUT_UNKNOWN:
        return rh_arena_printf(arena, "%s%s and run again: succeeds; not compared", place, left);
    case CUT_SAME:
        return rh_arena_printf(arena, "%s%s and run again: ends as if never cut", place, left);
    case CUT_DIFFERS:
        return rh_arena_printf(arena, "%s%s and run again: succeeds, but %s", place, left,
                               first_difference(arena, &cut->again.difference));
    case CUT_FAILS:
        return rh_arena_printf(arena, "%s%s and run again: %s", place, left,
                               say_failure(arena, &cut->again));
    }
    return place;
}

static void add_cuts(const struct layout *layout, const struct repetition *repetition,
                     enum report_detail detail)
{
    struct arena *arena = layout->arena;
    size_t count = repetition->cuts.count;
    size_t shown = detail == REPORT_VERBOSE || count <= CUTS_SHOWN ? count : CUTS_SHOWN - 1;
    const char *label = "halfway";
    for (size_t i = 0; i < shown; i++, label = "")
        rh_layout_labelled(layout, label, say_cut(arena, &repetition->cuts.items[i]));
    if (shown < count)
        rh_layout_labelled(layout, "",
                           rh_arena_printf(arena, "and %zu more in result.json", count - shown));
    if (count == 0 && detail == REPORT_VERBOSE && repetition->cuts_reason) {
        rh_layout_labelled(layout, label,
                           rh_arena_printf(arena, "not cut off: %s", repetition->cuts_reason));
        label = "";
    }
    if (repetition->choice && (detail == REPORT_VERBOSE || (int64_t)count < repetition->boundaries))
        rh_layout_labelled(layout, label, repetition->choice);
}

static void add_cancel(const struct layout *layout, const struct cancel_release *cancel,
                       enum report_detail detail)
{
    struct arena *arena = layout->arena;
    if (cancel->statement == 0)
        return;
    if (cancel->release_us < 0) {
        if (detail == REPORT_VERBOSE)
            rh_layout_labelled(layout, "cancel",
                               rh_arena_printf(arena, "of statement %d not measured: %s",
                                               cancel->statement, cancel->reason));
        return;
    }
    rh_layout_labelled(layout, "cancel",
                       rh_arena_printf(arena,
                                       "statement %d, cancelled after %s, gave its locks back in "
                                       "%s",
                                       cancel->statement,
                                       rh_layout_duration(arena, cancel->after_us),
                                       rh_layout_duration(arena, cancel->release_us)));
}

void rh_report_repetition(const struct layout *layout, const struct result *result,
                          enum report_detail detail)
{
    const struct repetition *repetition = &result->repetition;
    size_t before = layout->out->len;
    if (!repetition->was_wanted)
        return;
    if (repetition->rerun.run.was_run || detail == REPORT_VERBOSE)
        rh_layout_labelled(layout, "again", say_again(layout->arena, &repetition->rerun));
    add_cuts(layout, repetition, detail);
    add_cancel(layout, &repetition->cancel, detail);
    if (layout->out->len > before)
        rh_buf_add_char(layout->out, '\n');
}
