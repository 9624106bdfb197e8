#include "rehearsal/scaling.h"

#include "base/interrupt.h"
#include "rehearsal/shrink.h"
#include "stats/scaling.h"
#include "trace/trace.h"

#include <string.h>

/* Three sizes are the fewest that tell a shape; further ones cost a rehearsal each. */
static const double fractions[] = {1, 0.5, 0.25};
#define SIZES (sizeof(fractions) / sizeof(fractions[0]))

/* A table is the same there and here when they differ by no more: estimates do. */
#define SAME_SIZE 1.05

struct scaler {
    struct rehearsal *rehearsal;
    const struct manifest *manifest;
    const struct trace *traces[SIZES];
};

/* --- tables that a statement's time depends on ------------------------------------------------ */

struct sizes {
    struct arena *arena;
    VEC(const char *) tables;
    bool grows; /* it was seen to read or write rows, or nobody could see */
};

static void add_table(struct sizes *sizes, const char *table)
{
    if (!table)
        return;
    for (size_t i = 0; i < sizes->tables.count; i++)
        if (strcmp(sizes->tables.items[i], table) == 0)
            return;
    *RH_PUSH(sizes->arena, &sizes->tables) = table;
}

/* Of these the event triggers report all that they read and write; the others are not reported, or
   do nothing but read and write rows. */
static bool is_reported_ddl(const struct statement *statement)
{
    static const char *const prefixes[] = {"ALTER ", "COMMENT", "CREATE ",
                                           "DROP ",  "GRANT",   "REVOKE"};

    for (size_t i = 0; statement->tag && i < sizeof(prefixes) / sizeof(prefixes[0]); i++)
        if (strncmp(statement->tag, prefixes[i], strlen(prefixes[i])) == 0)
            return statement->observation == OBSERVED_EXACT;
    return false;
}

static void look_at(struct sizes *sizes, const struct statement *statement)
{
    for (size_t i = 0; i < statement->scans.count; i++) {
        const struct scan *scan = &statement->scans.items[i];
        if (!scan->preexisting || scan->rows == 0)
            continue;
        add_table(sizes, scan->relation);
        sizes->grows = true;
    }
    for (size_t i = 0; i < statement->rewrites.count; i++) {
        const struct rewrite *rewrite = &statement->rewrites.items[i];
        if (!rewrite->preexisting)
            continue;
        add_table(sizes, rewrite->table ? rewrite->table : rewrite->relation);
        sizes->grows = true;
    }
    for (size_t i = 0; i < statement->indexes.count; i++) {
        if (!statement->indexes.items[i].preexisting_table)
            continue;
        add_table(sizes, statement->indexes.items[i].table);
        sizes->grows = true;
    }
    for (size_t i = 0; i < statement->children.count; i++)
        look_at(sizes, &statement->children.items[i]);
}

/* Where no scan or rewrite tells: the tables that it locked for more than reading. */
static void look_at_locks(struct sizes *sizes, const struct statement *statement)
{
    for (size_t i = 0; i < statement->locks.count; i++) {
        const struct lock *lock = &statement->locks.items[i];
        if (lock->preexisting && lock->kind && strcmp(lock->kind, "table") == 0)
            add_table(sizes, lock->relation);
    }
    for (size_t i = 0; i < statement->children.count; i++)
        look_at_locks(sizes, &statement->children.items[i]);
}

static struct sizes sizes_of(struct scaler *scaler, const struct statement *statement)
{
    struct sizes sizes = {.arena = scaler->rehearsal->arena};

    look_at(&sizes, statement);
    if (!sizes.grows && !is_reported_ddl(statement)) {
        look_at_locks(&sizes, statement);
        sizes.grows = sizes.tables.count > 0;
    }
    return sizes;
}

static const struct relation_facts *facts_of(const struct trace *trace, const char *table)
{
    for (size_t i = 0; i < trace->relations.count; i++)
        if (strcmp(trace->relations.items[i].name, table) == 0)
            return &trace->relations.items[i];
    return NULL;
}

static int64_t rows_here(const struct trace *trace, const char *table)
{
    const struct relation_facts *facts = facts_of(trace, table);

    return facts && facts->rows > 0 ? facts->rows : 0;
}

/* What the manifest does not know (a materialized view) is as large there as here. */
static int64_t rows_there(const struct scaler *scaler, const char *table)
{
    for (size_t i = 0; i < scaler->manifest->tables.count; i++) {
        const struct manifest_table *found = &scaler->manifest->tables.items[i];
        if (strcmp(found->identity, table) == 0 && found->production_rows >= 0)
            return found->production_rows;
    }
    return rows_here(scaler->traces[0], table);
}

static bool is_larger_there(int64_t there, int64_t here)
{
    return (double)there > (double)here * SAME_SIZE;
}

/* --- fitting ---------------------------------------------------------------------------------- */

static int64_t sum_here(const struct trace *trace, const struct sizes *sizes)
{
    int64_t rows = 0;
    for (size_t i = 0; i < sizes->tables.count; i++)
        rows += rows_here(trace, sizes->tables.items[i]);
    return rows;
}

/* Durations of the same statement at each size. */
static const char *take_points(const struct scaler *scaler, size_t index, const struct sizes *sizes,
                               struct scaling_point points[static SIZES])
{
    const struct statement *first = &scaler->traces[0]->statements.items[index];

    for (size_t i = 0; i < SIZES; i++) {
        const struct trace *trace = scaler->traces[i];
        const struct statement *statement = index < trace->statements.count
                                                ? &trace->statements.items[index]
                                                : NULL;
        if (!statement || !statement->ok || !statement->tag || !first->tag ||
            strcmp(statement->tag, first->tag) != 0)
            return "the migration did not run the same statements on fewer rows";
        points[i] = (struct scaling_point){(double)sum_here(trace, sizes),
                                           (double)statement->duration_us};
    }
    return NULL;
}

static struct scaled_duration *scaled_as_here(struct arena *arena,
                                              const struct statement *statement)
{
    struct scaled_duration *scaled = RH_NEW(arena, struct scaled_duration);

    *scaled = (struct scaled_duration){
        .shape = rh_scaling_shape_name(SCALING_CONSTANT),
        .duration_us = statement->duration_us,
        .low_us = statement->duration_us,
        .high_us = statement->duration_us,
    };
    return scaled;
}

static void scale(struct scaler *scaler, size_t index)
{
    struct arena *arena = scaler->rehearsal->arena;
    struct statement *statement = &scaler->rehearsal->trace.statements.items[index];
    struct sizes sizes = sizes_of(scaler, statement);
    struct scaling_point points[SIZES];
    int64_t there = 0, here = sum_here(scaler->traces[0], &sizes);

    if (!statement->ok)
        return;
    for (size_t i = 0; i < sizes.tables.count; i++)
        there += rows_there(scaler, sizes.tables.items[i]);
    struct scaled_duration *scaled = scaled_as_here(arena, statement);
    statement->in_production = scaled;
    if (!sizes.grows || !is_larger_there(there, here))
        return;
    scaled->refusal = take_points(scaler, index, &sizes, points);
    if (scaled->refusal)
        return;
    struct scaling fit = rh_scaling_fit(points, SIZES, false, (double)there);
    if (fit.refusal) {
        scaled->refusal = rh_scaling_refusal_text(fit.refusal);
        return;
    }
    *scaled = (struct scaled_duration){
        .shape = rh_scaling_shape_name(fit.shape),
        .duration_us = (int64_t)fit.duration,
        .low_us = (int64_t)fit.low,
        .high_us = (int64_t)fit.high,
        .rows = here,
        .production_rows = there,
    };
}

/* --- sizes ------------------------------------------------------------------------------------ */

static enum err_code rehearse_smaller(struct scaler *scaler, size_t size, struct err *err)
{
    struct rehearsal *rehearsal = scaler->rehearsal;
    const struct rehearsal_options *options = rehearsal->options;
    struct trace *trace = RH_NEW(rehearsal->arena, struct trace);
    RH_CLEANUP_SANDBOX struct sandbox *clone = NULL;
    enum err_code code = rh_sandbox_clone(rehearsal->prepared, &clone, err);

    if (code)
        return code;
    struct connection_parameters superuser = rh_sandbox_superuser(clone);
    code = rh_shrink(options->sandbox.engine, &superuser, fractions[size], rh_interrupt_deadline(),
                     rehearsal->arena, err);
    if (code)
        return code;
    const struct trace_options trace_options = rh_rehearsal_trace_options(rehearsal, clone);
    scaler->traces[size] = trace;
    return rh_trace_run(&trace_options, rehearsal->arena, trace, err);
}

static bool needs_other_sizes(struct scaler *scaler)
{
    const struct trace *trace = scaler->traces[0];

    for (size_t i = 0; i < trace->statements.count; i++) {
        struct sizes sizes = sizes_of(scaler, &trace->statements.items[i]);
        if (sizes.grows)
            return true;
    }
    return false;
}

static bool is_of_a_sample(const struct scaler *scaler)
{
    const struct trace *trace = scaler->traces[0];

    for (size_t i = 0; i < trace->relations.count; i++) {
        const char *table = trace->relations.items[i].name;
        if (is_larger_there(rows_there(scaler, table), rows_here(trace, table)))
            return true;
    }
    return false;
}

static enum err_code measure(struct scaler *scaler, struct err *err)
{
    struct rehearsal *rehearsal = scaler->rehearsal;
    struct scaling_facts *facts = &rehearsal->result.scaling;
    enum err_code code = RH_OK;

    *RH_PUSH(rehearsal->arena, &facts->fractions) = fractions[0];
    if (!needs_other_sizes(scaler)) {
        for (size_t size = 1; size < SIZES; size++)
            scaler->traces[size] = scaler->traces[0];
        return RH_OK;
    }
    for (size_t size = 1; !code && size < SIZES; size++) {
        struct err why = RH_ERR_INIT;
        rh_progress_phase(rehearsal->options->progress, "rehearse on %.0f %% of the rows",
                          100 * fractions[size]);
        code = rehearse_smaller(scaler, size, &why);
        if (code && rh_interrupt_check(err))
            return err->code;
        if (code)
            facts->reason = rh_arena_strdup(rehearsal->arena, why.message);
        else
            *RH_PUSH(rehearsal->arena, &facts->fractions) = fractions[size];
    }
    return RH_OK;
}

enum err_code rh_scaling_run(struct rehearsal *rehearsal, struct err *err)
{
    const struct manifest *manifest = &rehearsal->manifest;
    struct scaling_facts *facts = &rehearsal->result.scaling;
    struct scaler scaler = {
        .rehearsal = rehearsal, .manifest = manifest, .traces = {&rehearsal->trace}};

    if (manifest->tables.count == 0 || manifest->is_complete || !is_of_a_sample(&scaler))
        return RH_OK;
    facts->was_tried = true;
    facts->reason = rh_rehearsal_why_not_again(rehearsal);
    enum err_code code = facts->reason ? RH_OK : measure(&scaler, err);
    for (size_t i = 0; !code && !facts->reason && i < rehearsal->trace.statements.count; i++)
        scale(&scaler, i);
    return code;
}
