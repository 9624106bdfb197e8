/* The lines under the first one of a report: what production is, and what of it is not here. */
#include "report/report_int.h"

#include <string.h>

static const char *join(const struct layout *layout, const char *text, const char *part)
{
    return text[0] ? rh_arena_printf(layout->arena, "%s%s%s", text, layout->glyphs->dot, part)
                   : part;
}

/* "from the cache, prepared 3h04m ago", and whether the server had read the rows before. */
const char *rh_report_sandbox_state(const struct layout *layout, const struct fidelity *fidelity)
{
    const char *text = "";
    if (fidelity->from_cache) {
        char ago[24];
        rh_duration_format(fidelity->prepared_s * 1000000, ago);
        text = fidelity->prepared_s < 1
                   ? "from the cache"
                   : rh_arena_printf(layout->arena, "from the cache, prepared %s ago", ago);
    }
    return join(layout, text, fidelity->is_cold ? "cold" : "warm");
}

static const char *say_rows(const struct layout *layout, const struct likeness *likeness)
{
    struct arena *arena = layout->arena;
    if (likeness->production_rows < 0)
        return NULL;
    if (likeness->sampled.count == 0)
        return rh_arena_printf(arena, "all of its %s rows",
                               rh_layout_count(arena, likeness->production_rows));
    return rh_arena_printf(arena, "%s of its %s rows", rh_layout_count(arena, likeness->rows),
                           rh_layout_count(arena, likeness->production_rows));
}

/* "integrity and shape passed", "leak failed". */
static const char *say_certificates(const struct layout *layout, const struct likeness *likeness)
{
    static const char *const states[] = {CERTIFICATE_PASSED, CERTIFICATE_FAILED,
                                         CERTIFICATE_NOT_OBSERVED};
    static const char *const words[] = {"passed", "failed", "not observed"};
    const char *text = "";
    for (size_t s = 0; s < sizeof(states) / sizeof(states[0]); s++) {
        const char *names = "";
        for (size_t n = 0; n < likeness->certificates.count; n++) {
            const struct manifest_certificate *certificate = &likeness->certificates.items[n];
            if (strcmp(certificate->status, states[s]) == 0)
                names = rh_arena_printf(layout->arena, "%s%s%s", names, names[0] ? ", " : "",
                                        certificate->name);
        }
        if (names[0])
            text = join(layout, text, rh_arena_printf(layout->arena, "%s %s", names, words[s]));
    }
    return text[0] ? rh_arena_printf(layout->arena, "certificates: %s", text) : NULL;
}

void rh_report_likeness(const struct layout *layout, const struct likeness *likeness,
                        enum report_detail detail)
{
    struct arena *arena = layout->arena;
    if (!likeness->has_manifest)
        return;
    const char *text = rh_arena_printf(arena, "PostgreSQL %s%s", likeness->production_version,
                                       likeness->is_standby ? ", a standby" : "");
    const char *rows = say_rows(layout, likeness);
    const char *certificates = say_certificates(layout, likeness);
    if (rows)
        text = join(layout, text, rows);
    if (!likeness->is_masked)
        text = join(layout, text, "not masked");
    if (certificates)
        text = join(layout, text, certificates);
    if (likeness->settings_kept > 0)
        text = join(layout, text,
                    rh_arena_printf(arena, "%s setting%s kept",
                                    rh_layout_count(arena, likeness->settings_kept),
                                    likeness->settings_kept == 1 ? "" : "s"));
    rh_layout_labelled(layout, "copy of", text);
    rh_report_sentences(layout, "not kept", likeness->settings_not_kept.items,
                        likeness->settings_not_kept.count, detail);
    rh_report_sentences(layout, "masked", likeness->weakened.items, likeness->weakened.count,
                        detail);
    rh_report_sentences(layout, "not asked", likeness->not_covered.items,
                        likeness->not_covered.count, detail);
}
