/*
 * Results to report: four that look like real ones, and parts to build others from.
 */
#ifndef REPORT_UNIT_H
#define REPORT_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "report/report_int.h"

#include <stdio.h>
#include <string.h>

#define MS INT64_C(1000)
#define S INT64_C(1000000)
#define COUNT(array) (sizeof(array) / sizeof(*(array)))

struct sample_result {
    const char *name;
    void (*fill)(struct result *result);
};
extern const struct sample_result sample_results[];
extern const size_t sample_result_count;

/* An empty result with a trace and one step; all in `arena`. */
struct result *result_new(struct arena *arena);
struct statement *result_statement(struct result *result, int line, const char *sql,
                                   int64_t duration_us);
struct finding *result_finding(struct result *result, enum severity severity, const char *rule);
struct lock *result_lock(struct result *result, struct statement *statement, const char *table,
                         const char *mode, int64_t held_us);

/* The report as text; freed with the arena. */
const char *report_text(struct arena *arena, const struct result *result, size_t columns, bool utf8,
                        bool color, enum report_detail detail);
/* One section of it alone, in UTF-8 and 100 columns. */
typedef void section_fn(const struct layout *layout, const struct result *result,
                        enum report_detail detail);
const char *section_text(struct arena *arena, section_fn *section, const struct result *result,
                         enum report_detail detail);
/* Columns of the longest line. */
size_t widest_line(const char *text);
void assert_contains(const char *text, const char *part);
void assert_lacks(const char *text, const char *part);

#endif
