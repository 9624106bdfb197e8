#include "report/report_int.h"

#include "base/say.h"

#include <string.h>

/* Notes and gaps shown before the rest is only counted. */
#define NOTES_SHOWN 6

/* --- fidelity --- */

const char *rh_report_join(const struct layout *layout, const char *text, const char *part)
{
    return text[0] ? rh_arena_printf(layout->arena, "%s%s%s", text, layout->glyphs->dot, part)
                   : part;
}

static const char *contents_text(const struct layout *layout, const struct fidelity *fidelity)
{
    struct arena *arena = layout->arena;
    if (fidelity->relations < 0)
        return NULL;
    const char *text = rh_arena_printf(arena, "%s table%s",
                                       rh_layout_count(arena, fidelity->relations),
                                       fidelity->relations == 1 ? "" : "s");
    if (fidelity->rows >= 0)
        text = rh_arena_printf(arena, "%s, %s row%s", text, rh_layout_count(arena, fidelity->rows),
                               fidelity->rows == 1 ? "" : "s");
    return text;
}

void rh_report_sentences(const struct layout *layout, const char *label,
                         const char *const *sentences, size_t count, enum report_detail detail)
{
    size_t shown = count <= NOTES_SHOWN || detail == REPORT_VERBOSE ? count : NOTES_SHOWN - 1;
    for (size_t i = 0; i < shown; i++)
        rh_layout_labelled(layout, i == 0 ? label : "", sentences[i]);
    if (shown < count)
        rh_layout_labelled(
            layout, "",
            rh_arena_printf(layout->arena, "and %zu more in result.json", count - shown));
}

void rh_report_fidelity(const struct layout *layout, const struct result *result,
                        enum report_detail detail)
{
    struct arena *arena = layout->arena;
    const struct fidelity *fidelity = &result->fidelity;
    const char *text = "";
    if (fidelity->server_version)
        text = rh_report_join(layout, text,
                              rh_arena_printf(arena, "PostgreSQL %s", fidelity->server_version));
    if (fidelity->source)
        text = rh_report_join(layout, text, fidelity->source);
    if (fidelity->snapshot_age_s >= 0)
        text = rh_report_join(
            layout, text,
            rh_arena_printf(arena, "%s old", rh_say_age(arena, fidelity->snapshot_age_s)));
    const char *contents = contents_text(layout, fidelity);
    if (contents)
        text = rh_report_join(layout, text, contents);
    if (fidelity->sample_fraction > 0 && fidelity->sample_fraction < 1)
        text = rh_report_join(
            layout, text,
            rh_arena_printf(arena, "%.3g %% sample", fidelity->sample_fraction * 100));
    if (fidelity->masked_columns > 0)
        text = rh_report_join(layout, text,
                              rh_arena_printf(arena, "%s column%s masked",
                                              rh_layout_count(arena, fidelity->masked_columns),
                                              fidelity->masked_columns == 1 ? "" : "s"));
    if (fidelity->isolated)
        text = rh_report_join(layout, text, "isolated");
    if (!result->rollback.is_dry_run)
        text = rh_report_join(layout, text, rh_report_sandbox_state(layout, fidelity));
    rh_layout_labelled(layout, result->rollback.is_dry_run ? "database" : "sandbox", text);
    rh_report_likeness(layout, &fidelity->likeness, detail);
    rh_report_sentences(layout, "note", fidelity->notes.items, fidelity->notes.count, detail);
    rh_report_sentences(layout, "not seen", result->trace->not_observed.items,
                        result->trace->not_observed.count, detail);
    rh_buf_add_char(layout->out, '\n');
}

/* --- gates, verdict --- */

static const char *gate_text(const struct layout *layout, const struct gate *gate)
{
    const struct glyphs *glyphs = layout->glyphs;
    if (!gate->observed)
        return rh_arena_printf(layout->arena,
                               gate->reason ? "%s %s not decided (limit %s): %s"
                                            : "%s %s not measured (limit %s)",
                               glyphs->unknown, gate->name, gate->limit, gate->reason);
    return rh_arena_printf(layout->arena, gate->ok ? "%s %s %s of %s" : "%s %s %s, over %s",
                           gate->ok ? glyphs->ok : glyphs->bad, gate->name, gate->measured,
                           gate->limit);
}

void rh_report_gates(const struct layout *layout, const struct result *result)
{
    const char *text = "";
    for (size_t i = 0; i < result->gates.count; i++)
        text = rh_report_join(layout, text, gate_text(layout, &result->gates.items[i]));
    if (text[0])
        rh_layout_labelled(layout, "gates", text);
    if (result->run_directory)
        rh_layout_labelled(layout, "report", result->run_directory);
    if (text[0] || result->run_directory)
        rh_buf_add_char(layout->out, '\n');
}

static const char *verdict_mark(const struct layout *layout, enum verdict verdict,
                                enum style *ret_style)
{
    switch (verdict) {
    case VERDICT_SAFE:
        *ret_style = STYLE_GOOD;
        return layout->glyphs->ok;
    case VERDICT_UNSAFE:
        *ret_style = STYLE_BAD;
        return layout->glyphs->bad;
    case VERDICT_INCONCLUSIVE:
        *ret_style = STYLE_WARNING;
        return layout->glyphs->unknown;
    }
    *ret_style = STYLE_PLAIN;
    return layout->glyphs->unknown;
}

static const char *verdict_word(const struct layout *layout, enum verdict verdict)
{
    char *word = rh_arena_strdup(layout->arena, rh_verdict_name(verdict));
    for (char *c = word; *c; c++)
        if (*c >= 'a' && *c <= 'z')
            *c = (char)(*c - ('a' - 'A'));
    return word;
}

void rh_report_verdict(const struct layout *layout, const struct result *result)
{
    enum style style;
    const char *mark = verdict_mark(layout, result->verdict, &style);
    const char *head = rh_arena_printf(layout->arena, "%s %s", mark,
                                       verdict_word(layout, result->verdict));
    const char *first = rh_arena_printf(layout->arena, "%s  ", head);
    const char *exit_text = rh_arena_printf(layout->arena, "exit %d", result->exit_code);
    struct layout_lines lines = {0};
    rh_layout_wrap(layout, &lines, STYLE_PLAIN, first, result->headline ? result->headline : "");
    size_t head_len = strlen(head);
    size_t width = 0;
    for (size_t i = 0; i < lines.count; i++) {
        const char *text = lines.items[i].text;
        if (i == 0) {
            rh_layout_add(layout, style, head);
            rh_layout_add(layout, STYLE_PLAIN, text + head_len);
        } else {
            rh_layout_add(layout, STYLE_PLAIN, text);
        }
        width = rh_layout_width(text);
        if (i + 1 < lines.count)
            rh_layout_end_line(layout);
    }
    if (lines.count == 0) {
        rh_layout_add(layout, style, head);
        width = rh_layout_width(head);
    }
    size_t exit_width = rh_layout_width(exit_text);
    if (width + 2 + exit_width > layout->columns) {
        rh_layout_end_line(layout);
        width = 0;
    }
    rh_layout_pad(layout, layout->columns - width - exit_width);
    rh_layout_add(layout, STYLE_PLAIN, exit_text);
    rh_layout_end_line(layout);
}

void rh_report_quiet_verdict(const struct layout *layout, const struct result *result)
{
    enum style style;
    const char *mark = verdict_mark(layout, result->verdict, &style);
    rh_layout_add(
        layout, style,
        rh_arena_printf(layout->arena, "%s %s", mark, verdict_word(layout, result->verdict)));
    rh_layout_add(layout, STYLE_PLAIN, "  ");
    rh_layout_add(layout, STYLE_PLAIN,
                  rh_layout_clean(layout, result->headline ? result->headline : "", false));
    rh_layout_end_line(layout);
}

void rh_report_terminal(const struct result *result, const struct terminal *terminal,
                        enum report_detail detail, struct buf *out)
{
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct layout layout = rh_layout(arena, terminal, out);
    if (detail == REPORT_QUIET) {
        rh_report_quiet_verdict(&layout, result);
        return;
    }
    rh_report_fidelity(&layout, result, detail);
    rh_report_statements(&layout, result, detail);
    rh_report_findings(&layout, result, detail);
    rh_report_queries(&layout, result, detail);
    rh_report_new_queries(&layout, result, detail);
    rh_report_blockers(&layout, result, detail);
    rh_report_differences(&layout, result, detail);
    rh_report_checks(&layout, result, detail);
    rh_report_traffic(&layout, result, detail);
    rh_report_way_back(&layout, result, detail);
    rh_report_repetition(&layout, result, detail);
    rh_report_dry_run(&layout, result, detail);
    rh_report_gates(&layout, result);
    rh_report_verdict(&layout, result);
}
