/* What production's queries met while the migration ran. */
#include "report/report_int.h"

#include "base/say.h"

#include <stdlib.h>

/* Patterns shown that waited, before the rest is only counted. */
#define PATTERNS_SHOWN 4
/* Relations named that one lock_timeout is for. */
#define RELATIONS_SHOWN 3
/* Columns kept for the figures in front of a query. */
#define FIGURES_COLUMNS 34

static const char *say_extent(const struct layout *layout, const struct traffic *traffic)
{
    struct arena *arena = layout->arena;
    const char *speed = traffic->speed > 0 && (traffic->speed < 0.999 || traffic->speed > 1.001)
                            ? rh_arena_printf(arena, " at %g times its speed", traffic->speed)
                            : "";
    return rh_arena_printf(arena, "%s of %s replayed%s while it ran",
                           rh_say_count(arena, traffic->calls, "query execution"),
                           rh_say_count(arena, traffic->sessions, "session"), speed);
}

/* "autovacuum on public.orders for 5 s: an autovacuum that ..." */
static const char *say_blocker(const struct layout *layout, const struct traffic *traffic)
{
    return rh_arena_printf(layout->arena, "%s on %s for %s: %s", rh_blocker_name(traffic->blocker),
                           traffic->blocker_relation,
                           rh_layout_duration(layout->arena, traffic->blocker_us),
                           rh_blocker_what(traffic->blocker));
}

static const char *say_waits(const struct layout *layout, const struct traffic *traffic)
{
    struct arena *arena = layout->arena;
    const char *said = traffic->waited == 0
                           ? "none had to wait for one of its locks"
                           : rh_arena_printf(
                                 arena, "%s had to wait, the longest %s",
                                 rh_say_number(arena, traffic->waited),
                                 rh_layout_duration(layout->arena, traffic->longest_wait_us));
    if (traffic->depth_peak > traffic->depth_before)
        said = rh_report_join(layout, said,
                              rh_arena_printf(arena, "%s at once, as a rule %s",
                                              rh_say_number(arena, traffic->depth_peak),
                                              rh_say_number(arena, traffic->depth_before)));
    if (traffic->recovered_us > 0)
        said = rh_report_join(
            layout, said,
            rh_arena_printf(arena, "as before %s after its end",
                            rh_layout_duration(layout->arena, traffic->recovered_us)));
    else if (traffic->recovered_us < 0)
        said = rh_report_join(layout, said, "not as before until the replay ended");
    return said;
}

static int compare_waiting(const void *a, const void *b)
{
    const struct traffic_pattern *const *left = a;
    const struct traffic_pattern *const *right = b;
    if ((*left)->longest_wait_us != (*right)->longest_wait_us)
        return (*left)->longest_wait_us > (*right)->longest_wait_us ? -1 : 1;
    return (*left)->number < (*right)->number ? -1 : (*left)->number > (*right)->number;
}

/* "812, up to 3.2 s, by statement 2: SELECT ..." */
static const char *say_pattern(const struct layout *layout, const struct traffic_pattern *pattern)
{
    struct arena *arena = layout->arena;
    const char *by = pattern->waits.count > 0 && pattern->waits.items[0].statement > 0
                         ? rh_arena_printf(arena, ", by statement %d",
                                           pattern->waits.items[0].statement)
                         : "";
    const char *figures = rh_arena_printf(
        arena, "%s, up to %s%s: ", rh_say_number(arena, pattern->waited),
        rh_layout_duration(layout->arena, pattern->longest_wait_us), by);
    size_t left = layout->columns > LABEL_COLUMNS + FIGURES_COLUMNS + 10
                      ? layout->columns - LABEL_COLUMNS - rh_layout_width(figures)
                      : 40;
    return rh_arena_printf(arena, "%s%s", figures,
                           rh_layout_one_line(layout, pattern->query ? pattern->query : "", left));
}

static void add_patterns(const struct layout *layout, const struct traffic *traffic,
                         enum report_detail detail)
{
    VEC(const struct traffic_pattern *) waiting = {0};
    for (size_t i = 0; i < traffic->patterns.count; i++)
        if (traffic->patterns.items[i].waited > 0)
            *RH_PUSH(layout->arena, &waiting) = &traffic->patterns.items[i];
    if (waiting.count == 0)
        return;
    qsort(waiting.items, waiting.count, sizeof(waiting.items[0]), compare_waiting);
    for (size_t i = 0; i < waiting.count; i++) {
        if (i == PATTERNS_SHOWN && detail != REPORT_VERBOSE) {
            rh_layout_labelled(
                layout, "",
                rh_arena_printf(
                    layout->arena, "and %s in result.json",
                    rh_say_count(layout->arena, (int64_t)(waiting.count - i), "more pattern")));
            return;
        }
        rh_layout_labelled(layout, "", say_pattern(layout, waiting.items[i]));
    }
}

static bool is_hardly_had(const struct traffic_timeout *timeout)
{
    return timeout->chance_of_all < 0.999;
}

static const char *say_hardly_had(const struct layout *layout,
                                  const struct traffic_timeout *timeout)
{
    return rh_arena_printf(
        layout->arena,
        "a lock on %s would hardly be had: transactions of up to %s use it; lock_timeout %s gets "
        "it in one of %.0f tries",
        timeout->relation, rh_layout_duration(layout->arena, timeout->longest_transaction_us),
        rh_layout_duration(layout->arena, timeout->lock_timeout_us),
        timeout->chance > 0.001 ? 1 / timeout->chance : 1000);
}

static bool say_the_same(const struct traffic_timeout *a, const struct traffic_timeout *b)
{
    return !is_hardly_had(a) && !is_hardly_had(b) && a->lock_timeout_us == b->lock_timeout_us &&
           a->retries == b->retries;
}

/* Of the first and all behind it that say the same. */
static const char *say_timeouts(const struct layout *layout, const struct traffic_timeout *first,
                                size_t count)
{
    struct arena *arena = layout->arena;
    VEC(const char *) relations = {0};
    int64_t longest_us = 0;
    for (size_t i = 0; i < count; i++) {
        if (!say_the_same(first, &first[i]))
            continue;
        *RH_PUSH(arena, &relations) = first[i].relation;
        if (first[i].longest_transaction_us > longest_us)
            longest_us = first[i].longest_transaction_us;
    }
    return rh_arena_printf(
        arena, "lock_timeout %s gets %s%s (%s longest transaction: %s)",
        rh_layout_duration(arena, first->lock_timeout_us),
        rh_say_list(arena, relations.items, relations.count, RELATIONS_SHOWN),
        first->retries == 1 ? " at the first try"
                            : rh_arena_printf(arena, " within %d tries", first->retries),
        relations.count == 1 ? "its" : "their", rh_layout_duration(arena, longest_us));
}

static void add_timeouts(const struct layout *layout, const struct traffic *traffic)
{
    const struct traffic_timeout *all = traffic->timeouts.items;
    for (size_t i = 0; i < traffic->timeouts.count; i++) {
        bool is_said = false;
        for (size_t j = 0; j < i; j++)
            is_said |= say_the_same(&all[j], &all[i]);
        if (!is_said)
            rh_layout_labelled(layout, "",
                               is_hardly_had(&all[i])
                                   ? say_hardly_had(layout, &all[i])
                                   : say_timeouts(layout, &all[i], traffic->timeouts.count - i));
    }
}

void rh_report_traffic(const struct layout *layout, const struct result *result,
                       enum report_detail detail)
{
    const struct traffic *traffic = &result->traffic;
    if (!traffic->was_run)
        return; /* why not is in the headline */
    if (traffic->blocker != BLOCKER_NONE)
        rh_layout_labelled(layout, "in its way", say_blocker(layout, traffic));
    if (!traffic->workload) {
        if (traffic->blocker != BLOCKER_NONE)
            rh_buf_add_char(layout->out, '\n');
        return;
    }
    rh_layout_labelled(layout, "traffic", say_extent(layout, traffic));
    if (traffic->is_replayer_bound) {
        rh_layout_labelled(
            layout, "",
            rh_arena_printf(layout->arena,
                            "%s the replay was late by up to %s: no times are drawn "
                            "from it",
                            layout->glyphs->unknown,
                            rh_layout_duration(layout->arena, traffic->replayer_lag_us)));
        rh_buf_add_char(layout->out, '\n');
        return;
    }
    rh_layout_labelled(layout, "", say_waits(layout, traffic));
    add_patterns(layout, traffic, detail);
    add_timeouts(layout, traffic);
    rh_buf_add_char(layout->out, '\n');
}
