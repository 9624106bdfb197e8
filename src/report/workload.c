#include "report/report_int.h"

#include "base/say.h"

#include <inttypes.h>
#include <stdlib.h>

struct view {
    const struct layout *layout;
    const struct workload_report *report;
    struct arena *arena;
};

static void add_labelled(const struct view *view, const char *label, const char *fmt, ...)
    RH_PRINTF(3, 4);
static void add_labelled(const struct view *view, const char *label, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    const char *text = rh_arena_vprintf(view->arena, fmt, args);
    va_end(args);
    rh_layout_labelled(view->layout, label, text);
}

static void add_head(const struct view *view)
{
    const struct workload_about *about = view->report->about;
    const struct workload_totals *totals = view->report->totals;
    struct arena *arena = view->arena;
    add_labelled(view, "workload", "%s: %s%s%s, %s%s%s", view->report->path,
                 rh_workload_origin_name(about->origin),
                 about->server_version[0] ? " of PostgreSQL " : "", about->server_version,
                 rh_layout_duration(arena, totals->duration_us),
                 about->started_at[0] ? ", from " : "", about->started_at);
    add_labelled(view, "holds", "%s (%s at once), %s, %s, %s, %s",
                 rh_say_count(arena, totals->sessions, "session"),
                 rh_say_number(arena, totals->sessions_most_at_once),
                 rh_say_count(arena, totals->requests, "request"),
                 rh_say_count(arena, totals->executions, "execution"),
                 rh_say_count(arena, totals->errors, "error"),
                 rh_say_count(arena, (int64_t)view->report->pattern_count, "pattern"));
    add_labelled(view, "values", "%s",
                 about->is_masked
                     ? rh_arena_printf(arena, "masked with key %s", about->masking_key_id)
                     : "as they were sent, not masked");
}

static void add_fidelity(const struct view *view)
{
    const struct workload_fidelity *fidelity = &view->report->totals->fidelity;
    const struct {
        const char *name;
        enum workload_grade grade;
    } aspects[] = {{"order", fidelity->order},
                   {"types", fidelity->types},
                   {"parameters", fidelity->parameters},
                   {"timing", fidelity->timing},
                   {"transactions", fidelity->transactions},
                   {"COPY", fidelity->copy}};
    const char *text = "";
    for (size_t i = 0; i < sizeof(aspects) / sizeof(aspects[0]); i++)
        text = rh_arena_printf(view->arena, "%s%s%s %s", text, i ? ", " : "", aspects[i].name,
                               rh_workload_grade_name(aspects[i].grade));
    add_labelled(view, "fidelity", "%s", text);
    for (size_t i = 0; i < fidelity->notes.count; i++)
        add_labelled(view, "", "%s", fidelity->notes.items[i]);
    const struct workload_totals *totals = view->report->totals;
    add_labelled(view, "complete", "%s",
                 !totals->is_complete ? "no"
                 : totals->gaps.count ? "but for what is named here"
                                      : "yes");
    for (size_t i = 0; i < totals->gaps.count; i++) {
        const struct workload_gap *gap = &totals->gaps.items[i];
        add_labelled(view, "", "%s: %s%s%s", gap->kind, rh_say_number(view->arena, gap->count),
                     gap->detail[0] ? ", " : "", gap->detail);
    }
}

static void add_covered(const struct view *view, double share, int64_t never_seen)
{
    add_labelled(view, "covers", "%.1f %% of production's time; %s of it never seen here",
                 100 * share, rh_say_count(view->arena, never_seen, "pattern"));
}

static void add_coverage(const struct view *view)
{
    const struct workload_coverage *coverage = view->report->coverage;
    const struct workload_production *production = &view->report->totals->production;
    if (coverage == NULL) {
        if (production->is_known && production->total_us > 0 &&
            view->report->about->origin != WORKLOAD_STATEMENT_SUMS)
            add_covered(view, (double)production->covered_us / (double)production->total_us,
                        production->never_seen);
        return;
    }
    add_covered(view, coverage->share, (int64_t)coverage->never_seen);
    for (size_t i = 0; i < coverage->named.count; i++) {
        const struct workload_never_seen *never = &coverage->named.items[i];
        const char *label = rh_arena_printf(
            view->arena, "%5.1f %%  ",
            coverage->total_us > 0 ? 100 * never->total_us / coverage->total_us : 0);
        rh_layout_pad(view->layout, LABEL_COLUMNS);
        rh_layout_add(view->layout, STYLE_PLAIN, label);
        rh_layout_add(
            view->layout, STYLE_PLAIN,
            rh_layout_one_line(view->layout, never->query,
                               view->layout->columns - LABEL_COLUMNS - rh_layout_width(label)));
        rh_layout_end_line(view->layout);
    }
}

#define NUMBER_COLUMNS 10
#define SHARE_COLUMNS 7
/* Behind the numbers, where there is room for it: "replace" of a transform names a pattern by it.
 */
#define FINGERPRINT_COLUMNS 18
#define ROW_COLUMNS (5 * NUMBER_COLUMNS + SHARE_COLUMNS + FINGERPRINT_COLUMNS)
/* The query stands below its numbers, where there is room for it. */
#define QUERY_INDENT 4

static void add_cell(const struct view *view, const char *text, size_t columns)
{
    size_t width = rh_layout_width(text);
    rh_layout_pad(view->layout, width < columns ? columns - width : 1);
    rh_layout_add(view->layout, STYLE_PLAIN, text);
}

static void add_fingerprint(const struct view *view, const char *text)
{
    if (view->layout->columns >= ROW_COLUMNS)
        add_cell(view, text, FINGERPRINT_COLUMNS);
    rh_layout_end_line(view->layout);
}

static void add_row(const struct view *view, const struct workload_report_row *row,
                    int64_t total_us)
{
    const struct workload_pattern_sums *sums = row->sums;
    struct arena *arena = view->arena;
    add_cell(view, rh_layout_duration(arena, sums->total_us), NUMBER_COLUMNS);
    add_cell(view,
             rh_arena_printf(arena, "%.1f %%",
                             total_us > 0 ? 100.0 * (double)sums->total_us / (double)total_us : 0),
             SHARE_COLUMNS);
    add_cell(view, rh_layout_count(arena, sums->calls), NUMBER_COLUMNS);
    add_cell(view, rh_layout_duration(arena, sums->calls > 0 ? sums->total_us / sums->calls : 0),
             NUMBER_COLUMNS);
    add_cell(view, rh_layout_duration(arena, sums->max_us), NUMBER_COLUMNS);
    add_cell(view, rh_layout_count(arena, sums->errors), NUMBER_COLUMNS);
    add_fingerprint(view, rh_arena_printf(arena, "%016" PRIx64, row->pattern->fingerprint));
    rh_layout_pad(view->layout, QUERY_INDENT);
    rh_layout_add(view->layout, STYLE_BOLD,
                  rh_layout_one_line(view->layout, row->pattern->query,
                                     view->layout->columns - QUERY_INDENT));
    rh_layout_end_line(view->layout);
    if (sums->weight != 1)
        add_labelled(view, "", "%.3g calls in production for each one here", sums->weight);
}

static void add_patterns(const struct view *view)
{
    static const char *const heads[] = {"total", "share", "calls", "mean", "longest", "errors"};
    const struct workload_report *report = view->report;
    int64_t total_us = 0;
    for (size_t i = 0; i < report->pattern_count; i++)
        total_us += report->patterns[i].sums->total_us;
    rh_layout_end_line(view->layout);
    for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++)
        add_cell(view, heads[i], i == 1 ? SHARE_COLUMNS : NUMBER_COLUMNS);
    add_fingerprint(view, "fingerprint");
    size_t shown = report->pattern_count < report->limit ? report->pattern_count : report->limit;
    for (size_t i = 0; i < shown; i++)
        add_row(view, &report->patterns[i], total_us);
    if (shown < report->pattern_count)
        rh_layout_labelled(
            view->layout, "",
            rh_arena_printf(
                view->arena, "and %s; --limit shows more",
                rh_say_count(view->arena, (int64_t)(report->pattern_count - shown), "pattern")));
}

void rh_report_workload(const struct workload_report *report, const struct terminal *terminal,
                        struct buf *out)
{
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct layout layout = rh_layout(arena, terminal, out);
    struct view view = {&layout, report, arena};
    add_head(&view);
    add_fidelity(&view);
    add_coverage(&view);
    if (report->pattern_count > 0)
        add_patterns(&view);
}
