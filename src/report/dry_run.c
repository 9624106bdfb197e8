/* What a dry run left behind, and what shows it. */
#include "report/report_int.h"

/* Sentences shown before the rest is only counted. */
#define SENTENCES_SHOWN 5

static void add_list(const struct layout *layout, const char *const *items, size_t count,
                     enum report_detail detail)
{
    for (size_t i = 0; i < count; i++) {
        if (i >= SENTENCES_SHOWN && detail != REPORT_VERBOSE) {
            rh_layout_labelled(
                layout, "",
                rh_arena_printf(layout->arena, "and %zu more in result.json", count - i));
            return;
        }
        rh_layout_labelled(layout, "", items[i]);
    }
}

void rh_report_dry_run(const struct layout *layout, const struct result *result,
                       enum report_detail detail)
{
    const struct rollback_facts *facts = &result->rollback;
    struct arena *arena = layout->arena;
    const char *text = "";
    if (!facts->is_dry_run)
        return;
    switch (facts->proof) {
    case ROLLBACK_PROVEN:
        text = rh_arena_printf(arena,
                               "%s nothing stayed: schema and %s table%s, %s row%s as before",
                               layout->glyphs->ok, rh_layout_count(arena, facts->tables),
                               facts->tables == 1 ? "" : "s", rh_layout_count(arena, facts->rows),
                               facts->rows == 1 ? "" : "s");
        break;
    case ROLLBACK_NOT_PROVEN:
        text = rh_arena_printf(arena, "%s that nothing stayed is not proven: %s",
                               layout->glyphs->unknown, facts->reason ? facts->reason : "not read");
        break;
    case ROLLBACK_DIFFERS:
        text = rh_arena_printf(arena, "%s the database differs from before%s%s",
                               layout->glyphs->bad, facts->reason ? ": " : "",
                               facts->reason ? facts->reason : "");
        break;
    }
    if (facts->proof == ROLLBACK_PROVEN && facts->sampled_tables > 0)
        text = rh_arena_printf(arena, "%s (values of %s by sample)", text,
                               rh_layout_count(arena, facts->sampled_tables));
    if (facts->proof == ROLLBACK_PROVEN && facts->skipped_tables > 0)
        text = rh_arena_printf(arena, "%s; %s table%s could not be read", text,
                               rh_layout_count(arena, facts->skipped_tables),
                               facts->skipped_tables == 1 ? "" : "s");
    rh_layout_labelled(layout, "rollback", text);
    add_list(layout, facts->differences.items, facts->differences.count, detail);
    if (facts->sequences.count > 0)
        rh_layout_labelled(layout, "", "sequences advanced, which no rollback undoes:");
    add_list(layout, facts->sequences.items, facts->sequences.count, detail);
    rh_buf_add_char(layout->out, '\n');
}
