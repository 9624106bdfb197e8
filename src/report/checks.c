/* What the user's own checks say. */
#include "report/report_int.h"

/* Checks shown that did not pass before the rest is only counted. */
#define CHECKS_SHOWN 8

static const char *say_outcome(const struct layout *layout, const struct check *check)
{
    const char *mark = layout->glyphs->bad;
    const char *prefix = "";
    switch (check->outcome) {
    case CHECK_PASSED:
        mark = layout->glyphs->ok;
        break;
    case CHECK_UNDECIDED:
        mark = layout->glyphs->unknown;
        break;
    case CHECK_FAILED_BEFORE:
        mark = layout->glyphs->unknown;
        prefix = "failed before, too: ";
        break;
    case CHECK_FAILED:
    case CHECK_WORSE:
        break;
    }
    return rh_arena_printf(layout->arena, "%s %s%s%s%s", mark, check->name,
                           check->reason ? ": " : "", prefix, check->reason ? check->reason : "");
}

/* "3 of 4 passed". */
void rh_report_checks(const struct layout *layout, const struct result *result,
                      enum report_detail detail)
{
    const struct checks *checks = &result->checks;
    size_t passed = 0, shown = 0, others = 0;
    if (checks->list.count == 0)
        return;
    for (size_t i = 0; i < checks->list.count; i++)
        passed += checks->list.items[i].outcome == CHECK_PASSED;
    rh_layout_labelled(
        layout, "checks",
        rh_arena_printf(layout->arena, "%zu of %zu passed", passed, checks->list.count));
    for (size_t i = 0; i < checks->list.count; i++) {
        const struct check *check = &checks->list.items[i];
        if (check->outcome == CHECK_PASSED && detail != REPORT_VERBOSE)
            continue;
        others++;
        if (shown >= CHECKS_SHOWN && detail != REPORT_VERBOSE)
            continue;
        shown++;
        rh_layout_labelled(layout, "", say_outcome(layout, check));
    }
    if (shown < others)
        rh_layout_labelled(
            layout, "",
            rh_arena_printf(layout->arena, "and %zu more in result.json", others - shown));
    rh_buf_add_char(layout->out, '\n');
}
