#include "rehearsal/fidelity.h"

#include "base/say.h"
#include "mask/mask_map.h"
#include "sandbox/snapshot_own.h"
#include "store/workload_file.h"

#include <string.h>

/* Named in one sentence: columns of a table, tables. */
#define COLUMNS_SHOWN 6
#define TABLES_SHOWN 6

/* --- may it be used --------------------------------------------------------------------------- */

static enum err_code refuse(struct rehearsal *rehearsal, const char *why, struct err *err)
{
    rh_err_set(err, RH_ERR_ENVIRONMENT, "snapshot \"%s\" may hold clear data: %s",
               rehearsal->options->snapshot_path, why);
    rh_err_hint(err, "Make it with \"rehearse snapshot create\" or mask it with \"rehearse "
                     "snapshot import\"; --allow-unmasked accepts it as it is (rule "
                     "unsanitized-snapshot).");
    return err->code;
}

static enum err_code check_masking(struct rehearsal *rehearsal, struct err *err)
{
    const struct rehearsal_options *options = rehearsal->options;
    const struct manifest_certificate *leak = rh_manifest_certificate(&rehearsal->manifest, "leak");
    const char *why = NULL;
    if (!rehearsal->manifest.is_masked)
        why = "its manifest says that it is not masked";
    else if (leak && strcmp(leak->status, CERTIFICATE_FAILED) == 0)
        why = rh_arena_printf(rehearsal->arena, "its certificate \"leak\" failed%s%s",
                              leak->detail ? ": " : "", leak->detail ? leak->detail : "");
    if (!why)
        return RH_OK;
    if (!options->allow_unmasked)
        return refuse(rehearsal, why, err);
    rehearsal->result.fidelity.likeness.clear_data = why;
    return RH_OK;
}

/* --- what it says ----------------------------------------------------------------------------- */

static const struct manifest_witness *witness_of(const struct manifest *manifest,
                                                 const struct migration_step *step)
{
    for (size_t n = 0; n < manifest->witnesses.count; n++)
        if (strcmp(manifest->witnesses.items[n].sha256, step->sha256) == 0)
            return &manifest->witnesses.items[n];
    return NULL;
}

/* Every file of this run, by its bytes; a command's own statements nobody knows beforehand. */
static void take_witnesses(struct rehearsal *rehearsal, struct likeness *likeness)
{
    if (likeness->sampled.count == 0)
        return;
    likeness->cover = WITNESS_COVERED;
    for (size_t n = 0; n < rehearsal->migration.steps.count; n++) {
        const struct migration_step *step = &rehearsal->migration.steps.items[n];
        const struct manifest_witness *witness = witness_of(&rehearsal->manifest, step);
        if (!witness) {
            likeness->cover = WITNESS_MISSING;
            return;
        }
        for (size_t i = 0; i < witness->not_covered.count; i++) {
            likeness->cover = WITNESS_PARTLY;
            if (!rh_say_was_said(likeness->not_covered.items, likeness->not_covered.count,
                                 witness->not_covered.items[i]))
                *RH_PUSH(rehearsal->arena, &likeness->not_covered) = witness->not_covered.items[i];
        }
    }
}

static int64_t sum(int64_t total, int64_t count)
{
    return total < 0 || count < 0 ? -1 : total + count;
}

static void take_tables(struct rehearsal *rehearsal, struct likeness *likeness)
{
    const struct manifest *manifest = &rehearsal->manifest;
    for (size_t n = 0; n < manifest->tables.count; n++) {
        const struct manifest_table *table = &manifest->tables.items[n];
        /* A materialized view, filled from rows that are all here; a foreign table. */
        if (manifest->is_complete && table->omitted)
            continue;
        likeness->rows = sum(likeness->rows, table->rows);
        likeness->production_rows = sum(likeness->production_rows, table->production_rows);
        likeness->production_bytes = sum(likeness->production_bytes, table->production_bytes);
        if (!table->omitted && table->sample_fraction >= 1)
            continue;
        *RH_PUSH(rehearsal->arena, &likeness->sampled) = (struct sampled_table){
            .relation = table->identity,
            .rows = table->rows,
            .production_rows = table->production_rows,
            .rows_exact = table->rows_exact,
            .fraction = table->omitted ? 0 : table->sample_fraction,
            .reason = table->sample_reason,
            .omitted = table->omitted,
        };
    }
}

static void take_manifest(struct rehearsal *rehearsal)
{
    const struct manifest *manifest = &rehearsal->manifest;
    struct likeness *likeness = &rehearsal->result.fidelity.likeness;
    likeness->has_manifest = true;
    likeness->production_version = manifest->server_version;
    likeness->production_database = manifest->database;
    likeness->is_standby = manifest->is_standby;
    likeness->is_masked = manifest->is_masked;
    likeness->is_complete = manifest->is_complete;
    likeness->taken_at = manifest->taken_at;
    take_tables(rehearsal, likeness);
    for (size_t n = 0; n < manifest->certificates.count; n++)
        *RH_PUSH(rehearsal->arena, &likeness->certificates) = manifest->certificates.items[n];
    take_witnesses(rehearsal, likeness);
}

/* Pseudonyms of one key are no rows under another. */
static enum err_code check_workload(struct rehearsal *rehearsal, struct err *err)
{
    const struct workload_options *workload = &rehearsal->options->workload;
    const struct manifest *manifest = &rehearsal->manifest;
    if (!workload->path)
        return RH_OK;
    const struct workload_about *about = rh_workload_reader_about(workload->reader);
    bool has_pseudonyms = manifest->is_masked && manifest->masked_columns > 0;
    if (about->is_masked && has_pseudonyms && manifest->key_id &&
        strcmp(about->masking_key_id, manifest->key_id) != 0) {
        rh_err_set(err, RH_ERR_USAGE,
                   "workload \"%s\" is masked with key %s, the snapshot with key %s: what it "
                   "asks for by a masked value is not there",
                   workload->path, about->masking_key_id, manifest->key_id);
        rh_err_hint(err, "Capture with the snapshot's key (--mask-key-file), or make the snapshot "
                         "with the workload's.");
        return RH_ERR_USAGE;
    }
    if (about->is_masked != has_pseudonyms)
        rh_result_note(&rehearsal->result,
                       about->is_masked
                           ? "The workload asks by pseudonyms, and the snapshot has none: queries "
                             "by a column that was masked find no rows here."
                           : "The workload asks by production's values, and the snapshot has "
                             "pseudonyms: queries by a masked column find no rows here. Capture "
                             "with --masking and the snapshot's masking.yaml.");
    return RH_OK;
}

enum err_code rh_fidelity_open(struct rehearsal *rehearsal, struct err *err)
{
    const struct rehearsal_options *options = rehearsal->options;
    const char *path = options->snapshot_path;
    if (!path || options->dry_run)
        return RH_OK;
    if (rh_snapshot_has_lost_its_archive(path)) {
        rh_err_set(err, RH_ERR_USAGE, "snapshot \"%s\" has no archive in \"%s\"", path,
                   SNAPSHOT_ARCHIVE);
        rh_err_hint(err, "Copy the whole directory again, or make the snapshot again.");
        return err->code;
    }
    if (!rh_snapshot_is_own(path)) {
        if (options->require_masked && !options->allow_unmasked)
            return refuse(rehearsal, "it is a plain dump, which says nothing of masking", err);
        return RH_OK;
    }
    enum err_code code = rh_snapshot_own_read(path, rehearsal->arena, &rehearsal->manifest, err);
    if (code)
        return code;
    take_manifest(rehearsal);
    code = check_masking(rehearsal, err);
    return code ? code : check_workload(rehearsal, err);
}

/* --- beside the sandbox ----------------------------------------------------------------------- */

/* Of all rows, where production's are known; else what was asked for. */
static double fraction_of(const struct rehearsal *rehearsal)
{
    const struct likeness *likeness = &rehearsal->result.fidelity.likeness;
    if (likeness->sampled.count == 0)
        return 1.0;
    if (likeness->production_rows > 0 && likeness->rows >= 0 &&
        likeness->rows < likeness->production_rows)
        return (double)likeness->rows / (double)likeness->production_rows;
    return rehearsal->manifest.sample_fraction;
}

void rh_fidelity_fill(struct rehearsal *rehearsal, const struct sandbox_facts *facts)
{
    struct arena *arena = rehearsal->arena;
    struct fidelity *fidelity = &rehearsal->result.fidelity;
    struct likeness *likeness = &fidelity->likeness;
    if (!likeness->has_manifest) {
        if (rehearsal->options->snapshot_path)
            rh_result_note(&rehearsal->result,
                           "The snapshot is a plain dump: nothing in it says whether it is "
                           "masked, or all of production's rows.");
        return;
    }
    fidelity->sample_fraction = fraction_of(rehearsal);
    fidelity->masked_columns = rehearsal->manifest.masked_columns;
    likeness->settings_kept = facts->settings_kept;
    for (size_t n = 0; n < facts->settings_not_kept.count; n++)
        *RH_PUSH(arena, &likeness->settings_not_kept) = rh_arena_strdup(
            arena, facts->settings_not_kept.items[n]);
    for (size_t n = 0; n < rehearsal->manifest.notes.count; n++)
        rh_result_note(&rehearsal->result, rehearsal->manifest.notes.items[n]);
    if (likeness->clear_data)
        rh_result_note(
            &rehearsal->result,
            rh_arena_printf(arena, "The snapshot may hold clear data: %s.", likeness->clear_data));
}

/* --- what masking weakens --------------------------------------------------------------------- */

static bool is_touched(const struct trace *trace, const char *identity)
{
    for (size_t n = 0; n < trace->relations.count; n++)
        if (strcmp(trace->relations.items[n].name, identity) == 0)
            return true;
    return false;
}

/* Of these a length is that of the value itself. In arrays, composite values and documents it is
   that of their leaves, and an IP address in them becomes another one that is as long as it takes.
 */
static bool is_plain(const char *type)
{
    static const char *const types[] = {"text", "character", "name",    "citext",       "uuid",
                                        "bit",  "bytea",     "macaddr", "public.citext"};
    size_t len = strcspn(type, " (");
    for (size_t n = 0; n < sizeof(types) / sizeof(types[0]); n++)
        if (strlen(types[n]) == len && strncmp(types[n], type, len) == 0)
            return strchr(type, '[') == NULL;
    return false;
}

/* What can no longer be concluded from a masked column. */
enum weakness { SAME_LENGTH, EQUAL, NUMBER, REPLACED, WEAKNESSES };
#define ORDER_LOST "so that range scans, sorted plans and partition bounds may be others there."
static const char *const weaknesses[WEAKNESSES] = {
    [SAME_LENGTH] = "masked: lengths and equal values are production's, their order is "
                    "not, " ORDER_LOST,
    [EQUAL] = "masked: equal values are production's, their lengths and their order need "
              "not be, " ORDER_LOST,
    [NUMBER] = "masked: equal values are production's, and so is the order of numbers below "
               "the bound of their type (docs/masking.md); greater ones have another order.",
    [REPLACED] = "replaced: duplicates, NULLs and misfits that production has there need not be "
                 "seen here."};

struct weakened {
    VEC(const char *) columns; /* of the table at hand */
    VEC(const char *) tables;  /* with their columns */
    size_t count;              /* of all columns */
};

static void sort_column(struct arena *arena, const struct manifest_column *column,
                        struct weakened weakened[static WEAKNESSES])
{
    enum mask_rule rule;
    /* A date is moved as all others are: lengths, equality and order stay. */
    if (!rh_mask_rule_find(column->rule, &rule) || rule == MASK_KEEP || rule == MASK_DATE)
        return;
    enum weakness weakness = EQUAL;
    if (!rh_mask_rule_is_injective(rule))
        weakness = REPLACED;
    else if (rule == MASK_NUMBER)
        weakness = NUMBER;
    else if (rh_mask_rule_keeps_length(rule) && rule != MASK_FREE_TEXT && is_plain(column->type))
        weakness = SAME_LENGTH;
    *RH_PUSH(arena, &weakened[weakness].columns) = column->name;
}

static void end_table(struct arena *arena, const char *table, struct weakened *weakened)
{
    if (weakened->columns.count == 0)
        return;
    *RH_PUSH(arena, &weakened->tables) = rh_arena_printf(
        arena, "%s: %s", table,
        rh_say_list(arena, weakened->columns.items, weakened->columns.count, COLUMNS_SHOWN));
    weakened->count += weakened->columns.count;
    weakened->columns.count = 0;
}

static const char *say_weakened(struct arena *arena, const struct weakened *weakened,
                                const char *what)
{
    const char *tables = "";
    for (size_t i = 0; i < weakened->tables.count && i < TABLES_SHOWN; i++)
        tables = rh_arena_printf(arena, "%s%s%s", tables, i > 0 ? "; " : "",
                                 weakened->tables.items[i]);
    if (weakened->tables.count > TABLES_SHOWN)
        tables = rh_arena_printf(
            arena, "%s; and columns of %s", tables,
            rh_say_count(arena, (int64_t)(weakened->tables.count - TABLES_SHOWN), "more table"));
    return rh_arena_printf(arena, "%s %s %s", tables, weakened->count == 1 ? "is" : "are", what);
}

void rh_fidelity_weaken(struct rehearsal *rehearsal)
{
    struct arena *arena = rehearsal->arena;
    struct weakened weakened[WEAKNESSES] = {0};
    for (size_t n = 0; n < rehearsal->manifest.tables.count; n++) {
        const struct manifest_table *table = &rehearsal->manifest.tables.items[n];
        if (!is_touched(&rehearsal->trace, table->identity))
            continue;
        for (size_t i = 0; i < table->columns.count; i++)
            sort_column(arena, &table->columns.items[i], weakened);
        for (size_t w = 0; w < WEAKNESSES; w++)
            end_table(arena, table->identity, &weakened[w]);
    }
    for (size_t w = 0; w < WEAKNESSES; w++)
        if (weakened[w].count > 0)
            *RH_PUSH(arena, &rehearsal->result.fidelity.likeness.weakened) = say_weakened(
                arena, &weakened[w], weaknesses[w]);
}
