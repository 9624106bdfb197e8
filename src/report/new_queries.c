/* How the queries that the release brings fared: a line each, what is wrong first. */
#include "report/report_int.h"

#include "base/say.h"

/* Queries shown before the rest is only counted. */
#define QUERIES_SHOWN 12
#define NAME_COLUMNS_MIN ((size_t)16)
#define INDENT "      "

static const char *mark_of(const struct layout *layout, const struct new_query *query,
                           enum style *ret_style)
{
    switch (query->outcome) {
    case NEW_QUERY_FAILED:
    case NEW_QUERY_SLOW:
        *ret_style = STYLE_BAD;
        return layout->glyphs->bad;
    case NEW_QUERY_FINE:
        *ret_style = STYLE_GOOD;
        return layout->glyphs->ok;
    case NEW_QUERY_UNDECIDED:
    case NEW_QUERY_NOT_RUN:
        break;
    }
    *ret_style = STYLE_PLAIN;
    return layout->glyphs->unknown;
}

/* What there is to know behind the numbers; NULL: nothing. */
static const char *say_more(struct arena *arena, const struct new_query *query)
{
    if (query->errors.count > 0) {
        const struct new_query_error *error = &query->errors.items[0];
        return rh_arena_printf(arena, "fails with %s%s%s", error->sqlstate,
                               error->message ? ": " : "", error->message ? error->message : "");
    }
    if (query->reason)
        return query->reason;
    if (query->after_analyze.is_repaired)
        return rh_arena_printf(arena, "%s behind ANALYZE",
                               rh_say_us(arena, query->after_analyze.p50_us));
    if (query->proposal.retry.is_repaired)
        return rh_arena_printf(arena, "%s with %s", rh_say_us(arena, query->proposal.retry.p50_us),
                               query->proposal.sql);
    if (query->costs.list.count == 0)
        return NULL;
    const struct query_cost *cost = &query->costs.list.items[0];
    if (cost->kind == QUERY_COST_SPILL)
        return rh_arena_printf(arena, "%s goes through %s on disk", cost->subject,
                               rh_say_bytes(arena, cost->bytes));
    return rh_arena_printf(arena, "reads all of %s, keeps %s of %s rows", cost->subject,
                           rh_say_number(arena, cost->kept), rh_say_number(arena, cost->scanned));
}

static void add_query(const struct layout *layout, const struct new_query *query,
                      enum report_detail detail)
{
    struct arena *arena = layout->arena;
    enum style style;
    const char *mark = mark_of(layout, query, &style);
    bool is_timed = query->executions > 0;
    const char *limit = query->limit_us >= 0 ? rh_layout_duration(arena, query->limit_us) : "";
    const char *head = rh_arena_printf(arena, "  %s %9s %9s %9s %9s  ", mark,
                                       is_timed ? rh_say_us(arena, query->p50.us) : "-",
                                       is_timed ? rh_say_us(arena, query->p95.us) : "-",
                                       is_timed ? rh_say_us(arena, query->p99.us) : "-", limit);
    size_t used = rh_layout_width(head);
    size_t left = layout->columns > used + NAME_COLUMNS_MIN ? layout->columns - used
                                                            : NAME_COLUMNS_MIN;
    rh_layout_add(layout, style, head);
    rh_layout_add(layout, STYLE_PLAIN, rh_layout_one_line(layout, query->name, left));
    rh_layout_end_line(layout);
    const char *more = say_more(arena, query);
    if (more)
        rh_layout_add_wrapped(layout, STYLE_DIM, INDENT, more);
    for (size_t i = 0; detail == REPORT_VERBOSE && i < query->plan.lines.count; i++)
        rh_layout_add_wrapped(layout, STYLE_DIM, INDENT,
                              rh_arena_printf(arena, "%*s%s", 2 * query->plan.lines.items[i].depth,
                                              "", query->plan.lines.items[i].text));
}

static bool is_bad(const struct new_query *query)
{
    return query->outcome != NEW_QUERY_FINE;
}

void rh_report_new_queries(const struct layout *layout, const struct result *result,
                           enum report_detail detail)
{
    const struct new_queries *queries = &result->new_queries;
    struct arena *arena = layout->arena;
    size_t shown = 0, good = 0, most = detail == REPORT_VERBOSE ? SIZE_MAX : QUERIES_SHOWN;

    if (queries->list.count == 0)
        return;
    if (!queries->was_run) {
        rh_layout_labelled(
            layout, "new",
            rh_arena_printf(arena, "%s not run: %s",
                            queries->list.count == 1 ? "the query was" : "the queries were",
                            queries->why_not ? queries->why_not : "the run ended"));
        rh_buf_add_char(layout->out, '\n');
        return;
    }
    for (size_t i = 0; i < queries->list.count; i++)
        good += !is_bad(&queries->list.items[i]);
    rh_layout_labelled(layout, "new",
                       rh_arena_printf(arena, "%zu of %zu %s of the release as they should be",
                                       good, queries->list.count,
                                       queries->list.count == 1 ? "query" : "queries"));
    rh_layout_add(
        layout, STYLE_DIM,
        rh_arena_printf(arena, "    %9s %9s %9s %9s  query", "p50", "p95", "p99", "limit"));
    rh_layout_end_line(layout);
    for (int pass = 0; pass < 2; pass++)
        for (size_t i = 0; i < queries->list.count && shown < most; i++) {
            const struct new_query *query = &queries->list.items[i];
            if (is_bad(query) != (pass == 0))
                continue;
            add_query(layout, query, detail);
            shown++;
        }
    if (shown < queries->list.count)
        rh_layout_labelled(
            layout, "",
            rh_arena_printf(arena, "and %zu more (--verbose)", queries->list.count - shown));
    rh_buf_add_char(layout->out, '\n');
}
