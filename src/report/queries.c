/* How the queries of a workload fared: a line each, the worst first. */
#include "report/report_int.h"

#include "base/say.h"

#include <inttypes.h>

/* Patterns shown before the rest is only counted, and the columns left of a query's text. */
#define QUERIES_SHOWN 12
#define QUERY_COLUMNS_MIN ((size_t)16)
/* Of a query that a rule could not be followed for. */
#define REFUSED_COLUMNS ((size_t)60)

static const char *say_ratio(struct arena *arena, const struct query_comparison *query)
{
    if (query->rounds == 0)
        return "";
    return rh_arena_printf(arena, query->ratio < 10 ? "x%.2f" : "x%.0f", query->ratio);
}

static bool is_worth_a_line(const struct query_comparison *query)
{
    return query->verdict != QUERY_SAME;
}

static const char *mark_of(const struct layout *layout, enum query_verdict verdict,
                           enum style *ret_style)
{
    *ret_style = STYLE_PLAIN;
    switch (verdict) {
    case QUERY_WORSE:
        *ret_style = STYLE_BAD;
        return layout->glyphs->bad;
    case QUERY_BETTER:
    case QUERY_SAME:
        *ret_style = STYLE_GOOD;
        return layout->glyphs->ok;
    case QUERY_TOO_NOISY:
    case QUERY_TOO_FEW:
    case QUERY_NOT_COMPARABLE:
    case QUERY_REPLAYER_BOUND:
        break;
    }
    return layout->glyphs->unknown;
}

static const char *text_of(const struct query_comparison *query)
{
    const char *text = query->application == APPLICATION_NEW && query->sent ? query->sent
                                                                            : query->query;
    return text ? text : "?";
}

static void add_query(const struct layout *layout, const struct query_comparison *query)
{
    struct arena *arena = layout->arena;
    enum style style;
    const char *mark = mark_of(layout, query->verdict, &style);
    const char *times = query->rounds > 0
                            ? rh_arena_printf(arena, "%9s %9s %7s",
                                              rh_say_us(arena, query->sides[SIDE_BASELINE].p50_us),
                                              rh_say_us(arena, query->sides[SIDE_CANDIDATE].p50_us),
                                              say_ratio(arena, query))
                            : rh_arena_printf(arena, "%9s %9s %7s", "-", "-", "-");
    const char *head = rh_arena_printf(arena, "  %s %-14s %s  ", mark,
                                       rh_query_verdict_name(query->verdict), times);
    size_t used = rh_layout_width(head);
    size_t left = layout->columns > used + QUERY_COLUMNS_MIN ? layout->columns - used
                                                             : QUERY_COLUMNS_MIN;
    rh_layout_add(layout, style, head);
    rh_layout_add(layout, STYLE_PLAIN, rh_layout_one_line(layout, text_of(query), left));
    rh_layout_end_line(layout);
    if (query->reason && query->verdict != QUERY_WORSE)
        rh_layout_add_wrapped(layout, STYLE_DIM, "      ", query->reason);
}

static void add_plan(const struct layout *layout, const char *side, const struct query_plan *plan)
{
    struct arena *arena = layout->arena;
    for (size_t i = 0; i < plan->lines.count; i++) {
        const struct plan_line *line = &plan->lines.items[i];
        const char *rows = line->scanned >= 0 && line->rows >= 0
                               ? rh_arena_printf(arena, "  (%s of %s rows)",
                                                 rh_layout_count(arena, line->rows),
                                                 rh_layout_count(arena, line->scanned))
                               : "";
        const char *head = rh_arena_printf(arena, "      %-4s%s %*s", i == 0 ? side : "",
                                           line->is_different ? "*" : " ", 2 * line->depth, "");
        size_t used = rh_layout_width(head);
        size_t left = layout->columns > used + QUERY_COLUMNS_MIN ? layout->columns - used
                                                                 : QUERY_COLUMNS_MIN;
        rh_layout_add(layout, STYLE_PLAIN, head);
        rh_layout_add(
            layout, line->is_different ? STYLE_BOLD : STYLE_DIM,
            rh_layout_one_line(layout, rh_arena_printf(arena, "%s%s", line->text, rows), left));
        rh_layout_end_line(layout);
    }
}

/* The head of a summary: how much was compared, and with what. */
static void add_summary(const struct layout *layout, const struct workload_comparison *comparison,
                        const char *whose)
{
    struct arena *arena = layout->arena;
    const char *text = rh_arena_printf(
        arena, "%s, %s in %s", rh_say_count(arena, (int64_t)comparison->queries.count, "pattern"),
        rh_say_count(arena, comparison->executions, "timed execution"),
        rh_layout_duration(arena, comparison->duration_us));
    text = rh_report_join(
        layout, text,
        rh_arena_printf(arena, "%.0f %% of the workload's time", comparison->covered * 100));
    if (comparison->knows_production)
        text = rh_report_join(layout, text,
                              rh_arena_printf(arena, "%.0f %% of production's",
                                              comparison->production_covered * 100));
    text = rh_report_join(layout, text,
                          comparison->has_own_twin
                              ? "the twin is a server of its own"
                              : "the twin is a second session on the baseline");
    if (whose)
        rh_layout_labelled(layout, "queries", whose);
    rh_layout_labelled(layout, whose ? "" : "queries", text);
}

static void add_comparison(const struct layout *layout,
                           const struct workload_comparison *comparison, const char *whose,
                           enum report_detail detail)
{
    size_t shown = 0, same = 0;

    add_summary(layout, comparison, whose);
    rh_report_sentences(layout, "note", (const char *const *)comparison->notes.items,
                        comparison->notes.count, detail);
    for (size_t i = 0; i < comparison->queries.count; i++) {
        const struct query_comparison *query = &comparison->queries.items[i];
        if (detail != REPORT_VERBOSE && (!is_worth_a_line(query) || shown >= QUERIES_SHOWN)) {
            same++;
            continue;
        }
        if (shown++ == 0) {
            rh_layout_add(layout, STYLE_DIM,
                          rh_arena_printf(layout->arena, "    %-14s %9s %9s %7s  query", "verdict",
                                          "p50 was", "p50 is", "ratio"));
            rh_layout_end_line(layout);
        }
        add_query(layout, query);
        if (query->verdict == QUERY_WORSE && query->custom.is_changed) {
            add_plan(layout, "was", &query->custom.baseline);
            add_plan(layout, "is", &query->custom.candidate);
        }
    }
    if (same > 0)
        rh_layout_labelled(layout, "",
                           rh_arena_printf(layout->arena, "%s%zu %s", shown > 0 ? "and " : "", same,
                                           shown > 0
                                               ? "more, the same or less to say of (--verbose)"
                                               : "the same"));
    rh_buf_add_char(layout->out, '\n');
}

static const char *say_amount(struct arena *arena, int64_t patterns, int64_t calls)
{
    return rh_arena_printf(arena, "%s, %s", rh_say_count(arena, patterns, "pattern"),
                           rh_say_count(arena, calls, "call"));
}

/* How much each rule concerned, and what could not be followed. */
static void add_transformation(const struct layout *layout,
                               const struct transformation *transformation,
                               enum report_detail detail)
{
    struct arena *arena = layout->arena;
    VEC(const char *) refused = {0};
    const char *text = rh_arena_printf(
        arena, "%s: the release sends %s otherwise%s", transformation->path,
        say_amount(arena, transformation->patterns, transformation->calls),
        transformation->is_old_stopped ? "; the old application is stopped by then" : "");
    if (transformation->unparsed_patterns > 0)
        text = rh_arena_printf(
            arena, "%s; sent as they are, because the parser does not know them: %s", text,
            say_amount(arena, transformation->unparsed_patterns, transformation->unparsed_calls));
    rh_layout_labelled(layout, "transform", text);
    for (size_t i = 0; i < transformation->rules.count; i++) {
        const struct transformation_rule *rule = &transformation->rules.items[i];
        rh_layout_labelled(layout, "",
                           rh_arena_printf(arena, "%s: %s", rule->text,
                                           say_amount(arena, rule->patterns, rule->calls)));
    }
    for (size_t i = 0; i < transformation->refusals.count; i++) {
        const struct transformation_refusal *refusal = &transformation->refusals.items[i];
        *RH_PUSH(arena, &refused) = rh_arena_printf(
            arena, "%016" PRIx64 " %s: %s", refusal->fingerprint,
            rh_layout_one_line(layout, refusal->query, REFUSED_COLUMNS), refusal->why);
    }
    rh_report_sentences(layout, "refused", refused.items, refused.count, detail);
    rh_buf_add_char(layout->out, '\n');
}

void rh_report_queries(const struct layout *layout, const struct result *result,
                       enum report_detail detail)
{
    const struct transformation *transformation = &result->transformation;
    if (!result->workload.was_made)
        return;
    add_comparison(layout, &result->workload,
                   transformation->path ? "the old application on the new schema" : NULL, detail);
    if (!transformation->path)
        return;
    add_transformation(layout, transformation, detail);
    if (result->new_application.was_made)
        add_comparison(layout, &result->new_application,
                       "the new application on the new schema: what it sends otherwise", detail);
}

void rh_report_comparison(const struct result *result, const struct terminal *terminal,
                          enum report_detail detail, struct buf *out)
{
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct layout layout = rh_layout(arena, terminal, out);
    if (detail != REPORT_QUIET) {
        rh_report_findings(&layout, result, detail);
        rh_report_queries(&layout, result, detail);
        rh_report_gates(&layout, result);
        rh_report_verdict(&layout, result);
        return;
    }
    rh_report_quiet_verdict(&layout, result);
}
