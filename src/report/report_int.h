/*
 * The parts of the text reports, each a block of lines.
 */
#ifndef RH_REPORT_REPORT_INT_H
#define RH_REPORT_REPORT_INT_H

#include "report/layout.h"
#include "report/report.h"

/* How like production the copy was; notes. */
void rh_report_fidelity(const struct layout *layout, const struct result *result,
                        enum report_detail detail);
/* One table for each step; long runs of statements are folded (not with REPORT_VERBOSE). */
void rh_report_statements(const struct layout *layout, const struct result *result,
                          enum report_detail detail);
/* Worst first, at most FINDING_LINES_MAX lines each; those of one rule share one (not with
 * VERBOSE). */
#define FINDING_LINES_MAX 12
void rh_report_findings(const struct layout *layout, const struct result *result,
                        enum report_detail detail);
/* Statements behind the blockers that were not reached; why there may be more blockers. */
void rh_report_blockers(const struct layout *layout, const struct result *result,
                        enum report_detail detail);
/* How the states before and after differ: the first few sentences (all with REPORT_VERBOSE). */
void rh_report_differences(const struct layout *layout, const struct result *result,
                           enum report_detail detail);
/* What a second run did, and what is left when it is cut off and run again. */
void rh_report_repetition(const struct layout *layout, const struct result *result,
                          enum report_detail detail);
/* The user's own checks: how many passed, and what the others say. */
void rh_report_checks(const struct layout *layout, const struct result *result,
                      enum report_detail detail);
/* What production's queries met while the migration ran. */
void rh_report_traffic(const struct layout *layout, const struct result *result,
                       enum report_detail detail);
/* What a dry run left behind, and what shows it. */
void rh_report_dry_run(const struct layout *layout, const struct result *result,
                       enum report_detail detail);
/* The way back and the restore test, a line each and what is missing from them. */
void rh_report_way_back(const struct layout *layout, const struct result *result,
                        enum report_detail detail);
/* "lossless, tried on this data at once"; NULL when there is nothing to say. */
const char *rh_report_way_back_text(struct arena *arena, const struct round_trip *trip);
void rh_report_gates(const struct layout *layout, const struct result *result);
/* Patterns of the workload, a line each, the worst first with their plans. */
void rh_report_queries(const struct layout *layout, const struct result *result,
                       enum report_detail detail);
/* The queries that the release brings, a line each. */
void rh_report_new_queries(const struct layout *layout, const struct result *result,
                           enum report_detail detail);
/* One line whatever its length: for scripts and logs. */
void rh_report_quiet_verdict(const struct layout *layout, const struct result *result);
/* "x UNSAFE  headline ... exit 5" */
void rh_report_verdict(const struct layout *layout, const struct result *result);

/* "0043_orders.sql:7", "statement 3"; the step alone; "" for the run as a whole. */
const char *rh_report_place(const struct layout *layout, const struct finding *finding);
/* SQL behind the comments and blanks in front of it. */
const char *rh_report_first_words(const char *sql);

/* terminal.c: both with a dot between; `part` alone behind "". */
const char *rh_report_join(const struct layout *layout, const char *text, const char *part);
/* terminal.c: sentences behind a label; only the first of many, but for verbose. */
void rh_report_sentences(const struct layout *layout, const char *label,
                         const char *const *sentences, size_t count, enum report_detail detail);
/* likeness.c */
/* How the sandbox came to be, and whether anything in it had been read. */
const char *rh_report_sandbox_state(const struct layout *layout, const struct fidelity *fidelity);
void rh_report_likeness(const struct layout *layout, const struct likeness *likeness,
                        enum report_detail detail);

#endif
