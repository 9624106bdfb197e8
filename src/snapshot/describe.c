#include "snapshot/describe.h"

#include <inttypes.h>
#include <string.h>

/* Why there are no rows where production has some; NULL: they are here. */
static const char *omission(const struct description *description, size_t index)
{
    const struct catalog_table *table = &description->catalog->tables.items[index];

    if (description->is_omitted && description->is_omitted[index])
        return "excluded";
    if (table->kind == 'f')
        return "foreign table: its rows lie on another server";
    if (table->kind == 'm')
        return "materialized view: a restore fills it from the rows here";
    if (table->is_unlogged && description->is_standby)
        return "unlogged on a standby: only the primary has its rows";
    return NULL;
}

static void describe_columns(const struct description *description, size_t index,
                             struct arena *arena, struct manifest *manifest,
                             struct manifest_table *to)
{
    const struct catalog_table *table = &description->catalog->tables.items[index];

    for (size_t i = 0; i < table->columns.count; i++) {
        const struct catalog_column *column = &table->columns.items[i];
        const struct masked_column *decision = description->masking
                                                   ? rh_masking_column(description->masking, index,
                                                                       column->number)
                                                   : NULL;
        struct manifest_column *out = RH_PUSH(arena, &to->columns);

        out->name = column->name;
        out->type = column->type;
        out->rule = rh_mask_rule_name(decision ? decision->rule : MASK_KEEP);
        out->domain = decision ? decision->domain : NULL;
        out->reason = decision               ? decision->reason
                      : column->is_generated ? "generated: computed from the others"
                      : description->masking ? "not copied"
                                             : "--unmasked";
        if (decision && decision->rule != MASK_KEEP)
            manifest->masked_columns++;
        else
            manifest->kept_columns++;
    }
}

static void describe_rows(const struct description *description, size_t index,
                          struct manifest *manifest, struct manifest_table *to)
{
    const struct catalog_table *table = &description->catalog->tables.items[index];
    const struct dumped_table *dumped = &description->dump->tables[index];
    const struct sample_table *sample = description->sample
                                            ? &description->sample->tables.items[index]
                                            : NULL;
    bool is_whole = dumped->is_dumped && !to->omitted && (!sample || sample->is_whole);

    to->rows = dumped->totals.rows;
    to->bytes = dumped->totals.bytes_out;
    to->checksum = dumped->totals.checksum;
    to->has_checksum = dumped->is_dumped && !to->omitted;
    if (is_whole) {
        to->production_rows = to->rows;
        to->rows_exact = true;
        to->sample_fraction = 1;
        return;
    }
    to->production_rows = table->rows_estimate;
    if (to->production_rows >= 0 && to->production_rows < to->rows)
        to->production_rows = to->rows;
    to->sample_fraction = to->production_rows > 0 ? (double)to->rows / (double)to->production_rows
                                                  : 0;
    if (sample && !to->omitted) {
        to->sample_reason = sample->reason;
        if (to->production_rows <= 0)
            to->sample_fraction = sample->fraction;
    }
    /* A view's rows are no rows of their own. */
    if (table->kind != 'm' && table->kind != 'f')
        manifest->is_complete = false;
}

/* Views have no rows; a partitioned table's are its partitions'; an extension brings its own. */
static bool is_described(const struct catalog_table *table)
{
    return (table->kind == 'r' || table->kind == 'm' || table->kind == 'f') &&
           (!table->extension || table->is_extension_configuration);
}

static void describe_tables(const struct description *description, struct arena *arena,
                            struct manifest *manifest)
{
    const struct catalog *catalog = description->catalog;

    for (size_t i = 0; i < catalog->tables.count; i++) {
        const struct catalog_table *table = &catalog->tables.items[i];
        struct manifest_table *to;

        if (!is_described(table))
            continue;
        to = RH_PUSH(arena, &manifest->tables);
        *to = (struct manifest_table){
            .schema = table->schema,
            .name = table->name,
            .identity = table->identity,
            .production_pages = table->pages,
            .production_bytes = table->bytes,
            .omitted = omission(description, i),
        };
        describe_rows(description, i, manifest, to);
        describe_columns(description, i, arena, manifest, to);
    }
}

/* Whether a sentence names the table: "rows of public.a, public.b and 3 more: why". */
static bool names(const char *sentence, const char *identity)
{
    size_t len = strlen(identity);

    for (const char *at = strstr(sentence, identity); at; at = strstr(at + 1, identity))
        if (at > sentence && at[-1] == ' ' && (at[len] == 0 || strchr(" ,:", at[len])))
            return true;
    return false;
}

/* What the role may not see; but for rows of views alone, which nobody copies. */
static void add_unobserved(const struct catalog *catalog, struct arena *arena,
                           struct manifest *manifest)
{
    for (size_t i = 0; i < catalog->not_observed.count; i++) {
        const char *sentence = catalog->not_observed.items[i];
        bool is_of_view = false, is_of_table = false;

        for (size_t t = 0; t < catalog->tables.count; t++) {
            const struct catalog_table *table = &catalog->tables.items[t];
            bool is_view = table->kind == 'm' || table->kind == 'v' || table->kind == 'f';

            if (!names(sentence, table->identity))
                continue;
            is_of_view |= is_view;
            is_of_table |= !is_view;
        }
        if (!is_of_view || is_of_table)
            *RH_PUSH(arena, &manifest->notes) = sentence;
    }
}

#define COPY_LIST(from, to)                            \
    do {                                               \
        for (size_t i_ = 0; i_ < (from).count; i_++)   \
            *RH_PUSH(arena, &(to)) = (from).items[i_]; \
    } while (0)

/* All questions were asked for all files together: what one could not be answered for, none was. */
static void describe_witnesses(const struct description *description, struct arena *arena,
                               struct manifest *manifest)
{
    const struct sample_options *options = description->sample_options;

    for (size_t i = 0; options && i < options->witness_files.count; i++) {
        struct manifest_witness *witness = RH_PUSH(arena, &manifest->witnesses);

        witness->name = options->witness_files.items[i].name;
        witness->sha256 = options->witness_files.items[i].sha256;
        COPY_LIST(description->sample->witnesses, witness->found);
        COPY_LIST(description->sample->not_covered, witness->not_covered);
    }
}

void rh_describe_snapshot(const struct description *description, struct arena *arena,
                          struct manifest *manifest)
{
    const struct catalog *catalog = description->catalog;

    manifest->server_version = catalog->server_version;
    manifest->server_major = catalog->server_major;
    manifest->database = catalog->database;
    manifest->encoding = catalog->encoding;
    manifest->is_standby = catalog->is_standby;
    manifest->system_identifier = catalog->system_identifier;
    manifest->wal_position = catalog->wal_position;
    manifest->is_masked = description->masking != NULL;
    manifest->is_complete = true;
    manifest->sample_fraction = description->fraction;
    manifest->footprint.statements = description->dump->statements +
                                     description->traffic.statements;
    manifest->footprint.bytes_read = description->dump->bytes_read +
                                     description->traffic.bytes_received;
    manifest->large_objects = description->dump->large_objects;
    manifest->large_object_bytes = description->dump->large_object_bytes;
    COPY_LIST(description->dump->locks, manifest->footprint.locks);
    COPY_LIST(catalog->extensions, manifest->extensions);
    COPY_LIST(catalog->collations, manifest->collations);
    COPY_LIST(catalog->settings, manifest->settings);
    COPY_LIST(catalog->replicas, manifest->replicas);
    COPY_LIST(catalog->roles, manifest->roles);
    add_unobserved(catalog, arena, manifest);
    if (description->masking)
        for (size_t i = 0; i < description->masking->problems.count; i++) {
            const struct masking_problem *problem = &description->masking->problems.items[i];

            *RH_PUSH(arena,
                     &manifest->notes) = problem->column
                                             ? rh_arena_printf(arena, "%s.%s: %s", problem->table,
                                                               problem->column, problem->sentence)
                                             : rh_arena_printf(arena, "%s: %s", problem->table,
                                                               problem->sentence);
        }
    if (description->sample) {
        COPY_LIST(description->sample->notes, manifest->notes);
        describe_witnesses(description, arena, manifest);
    }
    describe_tables(description, arena, manifest);
}
