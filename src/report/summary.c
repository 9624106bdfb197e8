#include "report/report_int.h"

/* A file is read anywhere: UTF-8, no colour, the widest the terminal form knows. */
static const struct terminal file = {.has_utf8 = true, .columns = 100};

void rh_report_summary(const struct result *result, struct buf *out)
{
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct layout layout = rh_layout(arena, &file, out);
    rh_report_verdict(&layout, result);
    rh_buf_add_char(out, '\n');
    rh_report_fidelity(&layout, result, REPORT_NORMAL);
    rh_report_statements(&layout, result, REPORT_NORMAL);
    rh_report_findings(&layout, result, REPORT_NORMAL);
    rh_report_way_back(&layout, result, REPORT_NORMAL);
    rh_report_gates(&layout, result);
}
