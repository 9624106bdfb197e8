/* What production's queries met while the migration ran. */
#include "report/report_int.h"

#include "base/say.h"

#include <stdlib.h>

/* Patterns shown that waited, before the rest is only counted. */
#define PATTERNS_SHOWN 4
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

static const char *say_timeout(const struct layout *layout, const struct traffic_timeout *timeout)
{
    struct arena *arena = layout->arena;
    if (timeout->chance_of_all < 0.999)
        return rh_arena_printf(
            arena,
            "a lock on %s would hardly be had: transactions of up to %s use it; lock_timeout "
            "%s gets it in one of %.0f tries",
            timeout->relation, rh_layout_duration(layout->arena, timeout->longest_transaction_us),
            rh_layout_duration(layout->arena, timeout->lock_timeout_us),
            timeout->chance > 0.001 ? 1 / timeout->chance : 1000);
    return rh_arena_printf(
        arena, "lock_timeout %s gets %s%s (its longest transaction: %s)",
        rh_layout_duration(layout->arena, timeout->lock_timeout_us), timeout->relation,
        timeout->retries == 1 ? " at the first try"
                              : rh_arena_printf(arena, " within %d tries", timeout->retries),
        rh_layout_duration(layout->arena, timeout->longest_transaction_us));
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
    for (size_t i = 0; i < traffic->timeouts.count; i++)
        rh_layout_labelled(layout, "", say_timeout(layout, &traffic->timeouts.items[i]));
    rh_buf_add_char(layout->out, '\n');
}
