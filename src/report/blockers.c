/* What stands behind the blockers: statements that were not reached, and why there may be more. */
#include "report/report_int.h"

/* Statements named before the rest is only counted. */
#define STATEMENTS_SHOWN 8

static const char *place_of(const struct layout *layout, const struct result *result,
                            const struct blocker *blocker)
{
    const struct trace *trace = result->trace;
    if (blocker->line > 0 && blocker->step >= 0 && (size_t)blocker->step < trace->steps.count)
        return rh_arena_printf(layout->arena, "%s:%d", trace->steps.items[blocker->step].name,
                               blocker->line);
    return rh_layout_one_line(layout, rh_report_first_words(blocker->sql), 40);
}

static void add_not_reached(const struct layout *layout, const struct result *result,
                            enum report_detail detail)
{
    const struct blockers *blockers = &result->blockers;
    size_t count = 0;
    for (size_t i = 0; i < blockers->items.count; i++) {
        const struct blocker *blocker = &blockers->items.items[i];
        if (blocker->needs < 0 || (size_t)blocker->needs >= blockers->items.count)
            continue;
        if (count++ >= STATEMENTS_SHOWN && detail != REPORT_VERBOSE)
            continue;
        const struct blocker *needed = &blockers->items.items[blocker->needs];
        rh_layout_labelled(layout, count == 1 ? "behind" : "",
                           rh_arena_printf(layout->arena, "%s not reached: it needs %s",
                                           place_of(layout, result, blocker),
                                           place_of(layout, result, needed)));
    }
    if (count > STATEMENTS_SHOWN && detail != REPORT_VERBOSE)
        rh_layout_labelled(layout, "",
                           rh_arena_printf(layout->arena, "and %zu more in result.json",
                                           count - STATEMENTS_SHOWN));
}

void rh_report_blockers(const struct layout *layout, const struct result *result,
                        enum report_detail detail)
{
    const struct blockers *blockers = &result->blockers;
    size_t before = layout->out->len;
    if (!blockers->looked)
        return;
    add_not_reached(layout, result, detail);
    if (blockers->incomplete)
        rh_layout_labelled(layout, "blockers",
                           rh_arena_printf(layout->arena,
                                           "there may be more: the second pass did not come to "
                                           "the end (%s)",
                                           blockers->incomplete));
    if (layout->out->len > before)
        rh_buf_add_char(layout->out, '\n');
}
