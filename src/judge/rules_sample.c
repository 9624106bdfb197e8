/*
 * What a snapshot takes from a conclusion: counts that come from a sample say so, success on a
 * sample is not success on production, and rows that may be somebody's are told.
 */
#include "judge/judge_int.h"

#include <string.h>

/* Tables named in the headline. */
#define TABLES_SHOWN 3

/* --- counts ----------------------------------------------------------------------------------- */

/* Rules whose figures are numbers of rows. */
static const char *const counting[] = {
    "duplicate-keys", "null-values",        "orphan-rows",  "check-violations",
    "cast-failure",   "value-too-long",     "out-of-range", "exclusion-conflicts",
    "lossy-cast",     "partition-misfits",  "near-limit",   "null-unhandled",
    "cascade-rows",   "backfill-unbatched", "data-lost",    "row-count-changed",
};

static const char *say_share(struct arena *arena, const struct sampled_table *table)
{
    if (table->omitted)
        return "no rows at all";
    if (table->fraction > 0 && table->fraction < 1)
        return rh_arena_printf(arena, "a %.2g %% sample", table->fraction * 100);
    return "a part of the rows";
}

/* "12,000 of 1,200,000 rows"; "about" where production's were estimated. */
static const char *say_rows(struct arena *arena, const struct sampled_table *table)
{
    char here[32], there[32];

    rh_count_format(table->rows, here);
    if (table->production_rows < 0)
        return rh_arena_printf(arena, "%s rows", here);
    rh_count_format(table->production_rows, there);
    return rh_arena_printf(arena, "%s of %s%s rows", here, table->rows_exact ? "" : "about ",
                           there);
}

void rh_judgement_tell_samples(struct judgement *judgement)
{
    const struct likeness *likeness = &judgement->result->fidelity.likeness;
    struct arena *arena = judgement->arena;

    for (size_t i = 0; i < judgement->found.count; i++) {
        struct found *found = &judgement->found.items[i];
        struct finding *finding = &found->finding;
        const struct sampled_table *table = rh_likeness_sampled(likeness, finding->relation);
        if (!table ||
            !rh_is_one_of(finding->rule, counting, sizeof(counting) / sizeof(counting[0])))
            continue;
        const char *share = say_share(arena, table);
        finding->title = rh_arena_printf(arena, "%s, in %s", finding->title, share);
        if (found->headline)
            found->headline = rh_arena_printf(arena, "%s, in %s", found->headline, share);
        finding->why = rh_arena_printf(
            arena, "%s%sCounted in %s of %s (%s): production has as many or more.",
            finding->why ? finding->why : "", finding->why ? " " : "", share, finding->relation,
            say_rows(arena, table));
        rh_evidence_json(found, "sample_fraction", json_real(table->fraction));
        rh_evidence_count(found, "production_rows", table->production_rows);
    }
}

/* --- success ---------------------------------------------------------------------------------- */

static const struct sampled_table *table_read(const struct likeness *likeness,
                                              const struct act *act)
{
    const struct statement *statement = act->statement;
    const struct sampled_table *table = NULL;

    for (size_t i = 0; i < statement->scans.count && !table; i++)
        if (statement->scans.items[i].preexisting)
            table = rh_likeness_sampled(likeness, statement->scans.items[i].relation);
    for (size_t i = 0; i < statement->rewrites.count && !table; i++)
        if (statement->rewrites.items[i].preexisting)
            table = rh_likeness_sampled(likeness, statement->rewrites.items[i].relation);
    for (size_t i = 0; i < statement->indexes.count && !table; i++)
        if (statement->indexes.items[i].preexisting_table)
            table = rh_likeness_sampled(likeness, statement->indexes.items[i].table);
    /* Rows that were found by an index are no scan. */
    bool writes = RH_IS_ONE_OF(statement->tag, "UPDATE", "DELETE", "MERGE", "INSERT");
    for (size_t i = 0; writes && i < statement->locks.count && !table; i++)
        if (statement->locks.items[i].preexisting)
            table = rh_likeness_sampled(likeness, statement->locks.items[i].relation);
    /* Alone in its transaction it had none left to be seen: then its words must do. */
    for (size_t i = 0; writes && i < likeness->sampled.count && !table; i++)
        if (rh_act_names(act, likeness->sampled.items[i].relation))
            table = &likeness->sampled.items[i];
    return table;
}

struct reading {
    VEC(const char *) tables;
    int64_t statements;
};

static struct reading read_of_samples(const struct judgement *judgement)
{
    const struct likeness *likeness = &judgement->result->fidelity.likeness;
    struct reading reading = {0};
    const struct statement *last = NULL;

    for (size_t i = 0; likeness->sampled.count > 0 && i < judgement->acts.count; i++) {
        const struct act *act = &judgement->acts.items[i];
        const struct sampled_table *table = table_read(likeness, act);
        if (!table)
            continue;
        bool is_known = rh_is_one_of(table->relation, reading.tables.items, reading.tables.count);
        if (!is_known)
            *RH_PUSH(judgement->arena, &reading.tables) = table->relation;
        reading.statements += act->top != last;
        last = act->top;
    }
    return reading;
}

const char *rh_judgement_sample_doubt(struct judgement *judgement)
{
    const struct likeness *likeness = &judgement->result->fidelity.likeness;
    struct arena *arena = judgement->arena;
    struct reading reading = read_of_samples(judgement);

    if (reading.statements == 0)
        return NULL;
    const char *tables = rh_say_list(arena, reading.tables.items, reading.tables.count,
                                     TABLES_SHOWN);
    const char *count = rh_say_count(arena, reading.statements, "statement");
    switch (likeness->cover) {
    case WITNESS_NOT_NEEDED:
        return NULL;
    case WITNESS_COVERED:
        rh_result_note(
            judgement->result,
            rh_arena_printf(arena,
                            "%s read %s, of which this is a sample: the rows that could break "
                            "this migration were looked for in production and are in it.",
                            count, tables));
        return NULL;
    case WITNESS_PARTLY:
    case WITNESS_MISSING:
        break;
    }
    const char *why = likeness->cover == WITNESS_PARTLY
                          ? "not all rows that could break it were looked for in production"
                          : "the rows that could break it were not looked for in production";
    if (judgement->limits->accept_sample) {
        rh_result_note(
            judgement->result,
            rh_arena_printf(arena,
                            "%s read %s, of which this is a sample, and %s: that they succeed "
                            "there is not shown (--accept-sample).",
                            count, tables, why));
        return NULL;
    }
    return rh_arena_printf(
        arena,
        "%s read %s, of which this is a sample, and %s (make the snapshot with --witness; "
        "--accept-sample accepts it)",
        count, tables, why);
}

const char *rh_judgement_snapshot_doubt(const struct judgement *judgement)
{
    const struct likeness *likeness = &judgement->result->fidelity.likeness;

    for (size_t i = 0; i < likeness->certificates.count; i++) {
        const struct manifest_certificate *certificate = &likeness->certificates.items[i];
        if (strcmp(certificate->status, CERTIFICATE_FAILED) == 0 &&
            strcmp(certificate->name, "leak") != 0)
            return rh_arena_printf(judgement->arena,
                                   "the snapshot is not like production: its certificate \"%s\" "
                                   "failed%s%s",
                                   certificate->name, certificate->detail ? ": " : "",
                                   certificate->detail ? certificate->detail : "");
    }
    return NULL;
}

/* --- clear data ------------------------------------------------------------------------------- */

void rh_rule_unsanitized_snapshot(const struct rule *rule, struct judgement *judgement)
{
    const char *clear = judgement->result->fidelity.likeness.clear_data;

    if (!clear)
        return;
    struct found *found = rh_judgement_add(judgement, rule, SEVERITY_WARNING, NULL, NULL);
    struct finding *finding = &found->finding;
    rh_evidence_text(found, "reason", clear);
    finding->title = "the snapshot may hold clear data";
    finding->why = rh_arena_printf(
        judgement->arena,
        "It was used because --allow-unmasked was given: %s. Its rows may be somebody's: in the "
        "snapshot, in the sandbox, in the cache of sandboxes, and in what the migration prints.",
        clear);
    finding->advice = "Make it anew with \"rehearse snapshot create\", or mask what there is with "
                      "\"rehearse snapshot import\"; then \"rehearse snapshot prune --all\".";
}
