#include "workload/weights.h"

#include "base/clock.h"
#include "base/interrupt.h"
#include "sql/pattern.h"

#include <math.h>
#include <stdlib.h>

/* Of a workload whose time says nothing, at least. */
#define LEAST_US 1000000.0

/* --- weights ---------------------------------------------------------------------------------- */

static int by_fingerprint(const void *a, const void *b)
{
    const struct statement_sum *const *x = a, *const *y = b;
    return (*x)->fingerprint < (*y)->fingerprint ? -1 : (*x)->fingerprint > (*y)->fingerprint;
}

/* Of each pattern: its calls here and in production. */
struct known_calls {
    double here, production;
};

static struct known_calls *find_calls(const struct workload_writer *writer,
                                      const struct workload_pattern *const *patterns, size_t count,
                                      const struct statement_sums *sums, struct arena *arena)
{
    struct known_calls *calls = rh_arena_alloc_array(arena, count + 1, sizeof(*calls));
    const struct statement_sum **sorted = rh_arena_alloc_array(arena, sums->items.count + 1,
                                                               sizeof(*sorted));
    for (size_t i = 0; i < sums->items.count; i++)
        sorted[i] = &sums->items.items[i];
    if (sums->items.count > 0)
        qsort(sorted, sums->items.count, sizeof(*sorted), by_fingerprint);
    for (size_t i = 0; i < count; i++) {
        const struct statement_sum wanted = {.fingerprint = patterns[i]->fingerprint};
        const struct statement_sum *key = &wanted;
        const struct statement_sum *const *found = bsearch(&key, sorted, sums->items.count,
                                                           sizeof(*sorted), by_fingerprint);
        calls[i].here = (double)rh_workload_writer_pattern_sums(writer, patterns[i]->number)->calls;
        calls[i].production = found != NULL ? (*found)->calls : 0;
    }
    return calls;
}

/* What turns production's calls into those of the time that the workload takes. */
static double scale_of(const struct workload_writer *writer, const struct known_calls *calls,
                       size_t count, const struct statement_sums *sums)
{
    double here = 0, production = 0;
    if (sums->window_us > 0)
        return fmax((double)rh_workload_writer_duration_us(writer), LEAST_US) / sums->window_us;
    for (size_t i = 0; i < count; i++) {
        if (calls[i].here > 0 && calls[i].production > 0) {
            here += calls[i].here;
            production += calls[i].production;
        }
    }
    return production > 0 ? here / production : 1;
}

enum err_code rh_workload_weigh(struct workload_writer *writer,
                                const struct workload_pattern *const *patterns, size_t count,
                                const struct statement_sums *sums,
                                struct workload_production *ret_production, struct err *err)
{
    RH_CLEANUP_ARENA struct arena *scratch = rh_arena_new();
    struct statement_sums own = *sums;
    struct workload_pattern *seen = rh_arena_alloc_array(scratch, count + 1, sizeof(*seen));
    const struct known_calls *calls = find_calls(writer, patterns, count, sums, scratch);
    double scale = scale_of(writer, calls, count, sums);
    size_t seen_count = 0;
    enum err_code code = RH_OK;
    for (size_t i = 0; i < count && code == RH_OK; i++) {
        if (calls[i].here > 0)
            seen[seen_count++] = *patterns[i];
        if (calls[i].here > 0 && calls[i].production > 0)
            code = rh_workload_writer_weight(writer, patterns[i]->number,
                                             calls[i].production * scale / calls[i].here, err);
    }
    if (code != RH_OK)
        return code;
    rh_statement_sums_cover(&own, seen, seen_count);
    *ret_production = (struct workload_production){
        .is_known = true,
        .window_us = sums->window_us > 0 ? llround(sums->window_us) : -1,
        .total_us = llround(own.total_us),
        .covered_us = llround(own.covered_us),
        .patterns = (int64_t)own.items.count,
        .never_seen = (int64_t)own.never_seen,
    };
    return RH_OK;
}

/* --- sums alone ------------------------------------------------------------------------------- */

static enum err_code write_sum(struct workload_writer *writer, const struct statement_sum *sum,
                               uint32_t number, struct err *err)
{
    RH_CLEANUP_ARENA struct arena *scratch = rh_arena_new();
    struct workload_pattern pattern;
    const char *executes;
    rh_sql_pattern(scratch, rh_text(sum->query), &pattern, &executes);
    pattern.number = number;
    pattern.fingerprint = sum->fingerprint;
    pattern.query = sum->query;
    const struct workload_pattern_sums sums = {
        .pattern = number,
        .calls = llround(sum->calls),
        .rows = llround(sum->rows),
        .total_us = llround(sum->total_us),
        .min_us = llround(sum->min_us),
        .max_us = llround(sum->max_us),
        .weight = 1,
    };
    enum err_code code = rh_workload_writer_pattern(writer, &pattern, err);
    return code == RH_OK ? rh_workload_writer_sums(writer, &sums, err) : code;
}

enum err_code rh_workload_write_sums(const struct statement_sums *sums, const char *path,
                                     struct arena *arena, struct workload_totals *ret_totals,
                                     struct err *err)
{
    char now[32];
    struct workload_about about = {.origin = WORKLOAD_STATEMENT_SUMS,
                                   .server_version = sums->server_version,
                                   .started_at = now};
    struct workload_totals totals = {0};
    struct workload_writer *writer = NULL;
    size_t count = sums->items.count < WORKLOAD_PATTERNS_MAX ? sums->items.count
                                                             : WORKLOAD_PATTERNS_MAX;
    rh_clock_rfc3339(rh_clock_wall(), now);
    for (size_t i = 0; i < sums->notes.count; i++)
        *RH_PUSH(arena, &totals.fidelity.notes) = sums->notes.items[i];
    *RH_PUSH(arena, &totals.fidelity.notes) =
        "sums of pg_stat_statements: no execution, and so no order, parameter or moment; they "
        "weigh the patterns of other workloads (--statement-sums)";
    totals.production = (struct workload_production){
        .is_known = true,
        .window_us = sums->window_us > 0 ? llround(sums->window_us) : -1,
        .patterns = (int64_t)sums->items.count,
        .never_seen = (int64_t)sums->items.count,
    };
    for (size_t i = 0; i < sums->items.count; i++)
        totals.production.total_us += llround(sums->items.items[i].total_us);
    enum err_code code = rh_workload_writer_open(path, &about, NULL, &writer, err);
    for (size_t i = 0; i < count && code == RH_OK; i++)
        code = write_sum(writer, &sums->items.items[i], (uint32_t)i + 1, err);
    if (code == RH_OK)
        code = rh_workload_writer_finish(writer, &totals, err);
    rh_workload_writer_free(writer);
    if (code == RH_OK)
        *ret_totals = totals;
    return code;
}

/* --- a copy with weights ---------------------------------------------------------------------- */

static enum err_code copy_events(struct workload_reader *reader, struct workload_writer *writer,
                                 struct err *err)
{
    struct workload_source source = rh_workload_reader_source(reader);
    const struct workload_event *event = NULL;
    enum err_code code = RH_OK;
    do {
        code = source.next(source.context, &event, err);
        if (code == RH_OK && event != NULL)
            code = rh_workload_writer_event(writer, event, err);
        if (code == RH_OK && rh_interrupt_signal() != 0)
            code = rh_err_set(err, RH_ERR_INTERRUPTED, "interrupted");
    } while (code == RH_OK && event != NULL);
    return code;
}

static enum err_code copy(struct workload_reader *reader, struct workload_writer *writer,
                          const struct statement_sums *sums, struct arena *arena,
                          struct workload_totals *totals, struct err *err)
{
    size_t count = rh_workload_reader_pattern_count(reader);
    const struct workload_pattern **patterns = rh_arena_alloc_array(arena, count + 1,
                                                                    sizeof(*patterns));
    enum err_code code = RH_OK;
    for (size_t i = 0; i < count && code == RH_OK; i++) {
        patterns[i] = rh_workload_reader_pattern(reader, (uint32_t)i + 1);
        code = rh_workload_writer_pattern(writer, patterns[i], err);
    }
    if (code == RH_OK)
        code = copy_events(reader, writer, err);
    if (code == RH_OK)
        code = rh_workload_weigh(writer, patterns, count, sums, &totals->production, err);
    return code == RH_OK ? rh_workload_writer_finish(writer, totals, err) : code;
}

/* Texts of the reader go with it. */
static struct workload_totals keep_totals(const struct workload_totals *totals, struct arena *arena)
{
    struct workload_totals kept = *totals;
    memset(&kept.fidelity.notes, 0, sizeof(kept.fidelity.notes));
    memset(&kept.gaps, 0, sizeof(kept.gaps));
    for (size_t i = 0; i < totals->fidelity.notes.count; i++)
        *RH_PUSH(arena, &kept.fidelity.notes) = rh_arena_strdup(arena,
                                                                totals->fidelity.notes.items[i]);
    for (size_t i = 0; i < totals->gaps.count; i++)
        *RH_PUSH(arena, &kept.gaps) = (struct workload_gap){
            .kind = rh_arena_strdup(arena, totals->gaps.items[i].kind),
            .count = totals->gaps.items[i].count,
            .detail = rh_arena_strdup(arena, totals->gaps.items[i].detail)};
    return kept;
}

enum err_code rh_workload_copy_weighed(const char *path, const uint8_t *key,
                                       const struct statement_sums *sums, const char *out,
                                       const uint8_t *out_key, struct arena *arena,
                                       struct workload_totals *ret_totals,
                                       enum workload_origin *ret_origin, size_t *ret_patterns,
                                       struct err *err)
{
    struct workload_reader *reader = NULL;
    struct workload_writer *writer = NULL;
    enum err_code code = rh_workload_reader_open(path, key, &reader, err);
    if (code != RH_OK)
        return code;
    struct workload_totals totals = keep_totals(rh_workload_reader_totals(reader), arena);
    for (size_t i = 0; i < sums->notes.count; i++)
        *RH_PUSH(arena, &totals.fidelity.notes) = sums->notes.items[i];
    code = rh_workload_writer_open(out, rh_workload_reader_about(reader), out_key, &writer, err);
    if (code == RH_OK)
        code = copy(reader, writer, sums, arena, &totals, err);
    if (code == RH_OK) {
        *ret_totals = totals;
        *ret_origin = rh_workload_reader_about(reader)->origin;
        *ret_patterns = rh_workload_reader_pattern_count(reader);
    }
    rh_workload_writer_free(writer);
    rh_workload_reader_free(reader);
    return code;
}
