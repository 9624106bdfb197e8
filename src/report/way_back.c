/* The way back, and what a restored dump gives, in a few lines. */
#include "report/report_int.h"

#include <string.h>

/* Tables without generated rows that are named before the rest is only counted. */
#define REASONS_SHOWN 3

static const char *say_rows(struct arena *arena, const struct round_trip *trip)
{
    return rh_arena_printf(arena, "%s row%s", rh_layout_count(arena, trip->writes.rows),
                           trip->writes.rows == 1 ? "" : "s");
}

static const char *say_after_writes(struct arena *arena, const struct round_trip *trip)
{
    if (trip->after_writes.ran)
        return rh_arena_printf(arena, "at once and after %s were written", say_rows(arena, trip));
    return trip->after_writes.reason
               ? rh_arena_printf(arena, "at once; not after writes: %s", trip->after_writes.reason)
               : "at once";
}

static const char *say_losses(struct arena *arena, const struct round_trip *trip, bool losses)
{
    const char *first = NULL;
    size_t more = 0;
    for (size_t i = 0; i < trip->differences.count; i++) {
        const struct round_trip_difference *difference = &trip->differences.items[i];
        if (difference->is_loss != losses || difference->subject == ROUND_TRIP_ORDER)
            continue;
        if (first)
            more++;
        else
            first = difference->sentence;
    }
    return more ? rh_arena_printf(arena, "%s; and %zu more", first, more) : first;
}

/* What only a backup brings back. */
static const char *say_backups(struct arena *arena, const struct rollback_plan *plan)
{
    const char *text = "";
    size_t count = 0;
    for (size_t i = 0; i < plan->items.count; i++) {
        const struct plan_item *item = &plan->items.items[i];
        if (item->kind == PLAN_BACKUP && count++ < REASONS_SHOWN)
            text = rh_arena_printf(arena, "%s%s%s", text, count > 1 ? ", " : "", item->text);
    }
    return count > REASONS_SHOWN
               ? rh_arena_printf(arena, "%s and %zu more", text, count - REASONS_SHOWN)
               : text;
}

static const char *say_plan(struct arena *arena, const struct round_trip *trip)
{
    const struct rollback_plan *plan = &trip->plan;
    if (plan->is_made && plan->items.count == 0)
        return "there is nothing to undo";
    if (plan->is_proven)
        return "none was given; the commands in rollback.md bring everything back, tried on this "
               "data";
    if (plan->is_made && !plan->is_lossless)
        return rh_arena_printf(arena,
                               "none was given; only a backup brings back %s; see rollback.md",
                               say_backups(arena, plan));
    if (plan->was_tried)
        return rh_arena_printf(arena, "none was given; the plan in rollback.md was tried: %s",
                               plan->outcome);
    return rh_arena_printf(arena, "not rehearsed: %s", trip->reason);
}

const char *rh_report_way_back_text(struct arena *arena, const struct round_trip *trip)
{
    if (!trip->at_once.ran && (trip->reason || trip->plan.is_made))
        return trip->way_back ? rh_arena_printf(arena, "not rehearsed: %s", trip->reason)
                              : say_plan(arena, trip);
    if (!trip->at_once.ran)
        return NULL;
    switch (trip->verdict) {
    case ROUND_TRIP_LOSSLESS:
        return rh_arena_printf(arena, "lossless, tried on this data %s (%s)",
                               say_after_writes(arena, trip), trip->way_back);
    case ROUND_TRIP_DIFFERS:
        return rh_arena_printf(arena, "does not lead back: %s (%s)", say_losses(arena, trip, false),
                               trip->way_back);
    case ROUND_TRIP_LOSSY:
        return rh_arena_printf(arena, "loses data: %s (%s)", say_losses(arena, trip, true),
                               trip->way_back);
    case ROUND_TRIP_FAILS:
        return rh_arena_printf(arena, "fails (%s)", trip->way_back);
    case ROUND_TRIP_FAILS_AFTER_WRITES:
        return rh_arena_printf(arena, "works at once, fails after %s were written (%s)",
                               say_rows(arena, trip), trip->way_back);
    case ROUND_TRIP_NOT_REHEARSED:
    case ROUND_TRIP_NOT_REVERSIBLE:
        return rh_arena_printf(arena, "not rehearsed: %s", trip->reason);
    }
    return NULL;
}

static void add_ungenerated(const struct layout *layout, const struct writes *writes,
                            enum report_detail detail)
{
    size_t count = 0;
    for (size_t i = 0; i < writes->tables.count; i++)
        for (size_t j = 0; j < writes->tables.items[i].rows.count; j++) {
            const struct written_row *row = &writes->tables.items[i].rows.items[j];
            if (row->is_written || (count++ >= REASONS_SHOWN && detail != REPORT_VERBOSE))
                continue;
            rh_layout_labelled(layout, "",
                               rh_arena_printf(layout->arena,
                                               "no row could be generated for %s (%s): %s",
                                               writes->tables.items[i].table,
                                               rh_freedom_name(row->freedom.kind), row->reason));
        }
    if (count > REASONS_SHOWN && detail != REPORT_VERBOSE)
        rh_layout_labelled(
            layout, "",
            rh_arena_printf(layout->arena, "and %zu more in result.json", count - REASONS_SHOWN));
}

static void add_restore_test(const struct layout *layout, const struct restore_test *test)
{
    struct arena *arena = layout->arena;
    if (!test->was_asked)
        return;
    char bytes[24];
    rh_bytes_format(test->dump_bytes, bytes);
    rh_layout_labelled(
        layout, "restore",
        !test->ran      ? rh_arena_printf(arena, "not tried: %s",
                                     test->reason ? test->reason : "the run was cut short")
        : test->failure ? "a dump of the migrated database cannot be restored"
        : test->differences.count
            ? rh_arena_printf(arena, "a restored dump differs: %s",
                              test->differences.items[0].sentence)
            : rh_arena_printf(arena, "a dump of the migrated database (%s) restores to the same",
                              bytes));
}

void rh_report_way_back(const struct layout *layout, const struct result *result,
                        enum report_detail detail)
{
    const struct round_trip *trip = &result->round_trip;
    const char *text = rh_report_way_back_text(layout->arena, trip);
    size_t before = layout->out->len;
    if (trip->is_declined)
        text = NULL;
    if (text)
        rh_layout_labelled(layout, "way back", text);
    if (text && trip->way_back && trip->ends_at)
        rh_layout_labelled(
            layout, "",
            rh_arena_printf(layout->arena, "it ends behind %s: %s", trip->ends_at, trip->ends_why));
    add_ungenerated(layout, &trip->writes, detail);
    add_restore_test(layout, &trip->restore_test);
    if (layout->out->len > before)
        rh_buf_add_char(layout->out, '\n');
}
