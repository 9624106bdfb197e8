/*
 * Reports: pure renderings of a result into a buffer.
 */
#ifndef RH_REPORT_REPORT_H
#define RH_REPORT_REPORT_H

#include "base/terminal.h"
#include "base/text.h"
#include "model/manifest.h"
#include "model/result.h"
#include "model/workload.h"

enum report_detail { REPORT_QUIET, REPORT_NORMAL, REPORT_VERBOSE };

/* What the terminal shows: verdict last, at most 12 lines a finding. */
void rh_report_terminal(const struct result *result, const struct terminal *terminal,
                        enum report_detail detail, struct buf *out);
/* What `compare` shows: findings, the patterns that got worse first with their plans, verdict. */
void rh_report_comparison(const struct result *result, const struct terminal *terminal,
                          enum report_detail detail, struct buf *out);
/* What a snapshot holds: a table of its tables, what was masked, certified, and what it cost. */
struct manifest_view {
    enum report_detail detail; /* REPORT_QUIET: one line */
    bool shows_columns;
    bool is_brief;    /* without settings, extensions, collations and replicas */
    int64_t now_us;   /* since 1970: the age is told */
    const char *path; /* of the snapshot, as the user named it */
};
void rh_report_manifest(const struct manifest *manifest, const struct terminal *terminal,
                        struct manifest_view options, struct buf *out);
/* rollback.md: how the migration can be undone, exact commands first. */
void rh_report_rollback(const struct result *result, struct buf *out);
/* summary.txt: the same, verdict first, plain, 100 columns. */
void rh_report_summary(const struct result *result, struct buf *out);

/* What a workload holds: how far it can be trusted, what is missing, patterns by their time. */
struct workload_report_row {
    const struct workload_pattern *pattern;
    const struct workload_pattern_sums *sums;
};
struct workload_never_seen {
    const char *query;
    double calls, total_us;
};
/* Of production's time, as pg_stat_statements has it. */
struct workload_coverage {
    double share, total_us;
    size_t never_seen;
    VEC(struct workload_never_seen) named; /* the longest of them */
};
struct workload_report {
    const char *path; /* as the user named it */
    const struct workload_about *about;
    const struct workload_totals *totals;
    const struct workload_report_row *patterns; /* in the order in which they are shown */
    size_t pattern_count, limit;
    const struct workload_coverage *coverage; /* NULL: not known */
};
void rh_report_workload(const struct workload_report *report, const struct terminal *terminal,
                        struct buf *out);

#endif
