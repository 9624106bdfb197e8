#include "report/report_int.h"

#include "base/clock.h"
#include "base/say.h"

/* Longest name of a table shown in its column; longer ones push their line apart. */
#define NAME_COLUMNS_MAX 40
#define SHARE_WHOLE 0.9995 /* what "100 %" would be rounded from */

struct view {
    const struct layout *layout;
    const struct manifest *manifest;
    struct manifest_view options;
    struct arena *arena;
};

static const char *text(const struct view *view, const char *fmt, ...) RH_PRINTF(2, 3);
static const char *text(const struct view *view, const char *fmt, ...)
{
    va_list args;
    const char *result;

    va_start(args, fmt);
    result = rh_arena_vprintf(view->arena, fmt, args);
    va_end(args);
    return result;
}

static const char *bytes_text(const struct view *view, int64_t bytes)
{
    return bytes < 0 ? "?" : rh_say_bytes(view->arena, bytes);
}

static const char *count_text(const struct view *view, int64_t count)
{
    return count < 0 ? "?" : rh_say_number(view->arena, count);
}

/* "all", "5 %", "0.03 %", "none" */
static const char *share_text(const struct view *view, double share)
{
    if (share >= SHARE_WHOLE)
        return "all";
    if (share <= 0)
        return "none";
    return text(view, share >= 0.0995 ? "%.0f %%" : "%.2g %%", share * 100);
}

/* --- the head -------------------------------------------------------------------------------- */

static int64_t rows_here(const struct manifest *manifest)
{
    int64_t rows = 0;

    for (size_t i = 0; i < manifest->tables.count; i++)
        rows += manifest->tables.items[i].rows;
    return rows;
}

/* Tables whose rows are in the archive: what is omitted stands below with its reason. */
static int64_t tables_here(const struct manifest *manifest)
{
    int64_t tables = 0;

    for (size_t i = 0; i < manifest->tables.count; i++)
        tables += manifest->tables.items[i].omitted == NULL;
    return tables;
}

static int64_t bytes_here(const struct manifest *manifest)
{
    int64_t bytes = 0;

    for (size_t i = 0; i < manifest->tables.count; i++)
        bytes += manifest->tables.items[i].bytes;
    return bytes;
}

static const char *masking_text(const struct view *view)
{
    const struct manifest *manifest = view->manifest;

    if (!manifest->is_masked)
        return "NOT MASKED: rows as production has them";
    return text(view, "%s masked, %s kept; key %s",
                rh_say_count(view->arena, manifest->masked_columns, "column"),
                count_text(view, manifest->kept_columns), manifest->key_id);
}

static const char *rows_text(const struct view *view)
{
    const struct manifest *manifest = view->manifest;
    const char *share = manifest->is_complete ? "complete"
                        : manifest->sample_fraction < 1
                            ? text(view, "a sample of %s",
                                   share_text(view, manifest->sample_fraction))
                            : "not complete";

    return text(view, "%s in %s, %s as text; %s",
                rh_say_count(view->arena, rows_here(manifest), "row"),
                rh_say_count(view->arena, tables_here(manifest), "table"),
                bytes_text(view, bytes_here(manifest)), share);
}

static void add_line(const struct view *view, const char *label, const char *content)
{
    rh_layout_labelled(view->layout, label, content);
}

static const char *footprint_text(const struct view *view)
{
    const struct manifest *manifest = view->manifest;
    const char *locks = "";

    for (size_t i = 0; i < manifest->footprint.locks.count; i++)
        locks = text(view, "%s, %s", locks, manifest->footprint.locks.items[i]);
    return text(view, "%s, %s read, its snapshot held %s%s",
                rh_say_count(view->arena, manifest->footprint.statements, "statement"),
                bytes_text(view, manifest->footprint.bytes_read),
                rh_layout_duration(view->arena, manifest->footprint.snapshot_age_us), locks);
}

/* ", 3 days ago"; "" when nobody knows. */
static const char *age_text(const struct view *view)
{
    struct wall taken_at;
    int64_t age_us;

    if (!rh_clock_parse_rfc3339(view->manifest->taken_at, &taken_at))
        return "";
    age_us = view->options.now_us - taken_at.us;
    return age_us < 0 ? "" : text(view, ", %s ago", rh_say_age(view->arena, age_us / 1000000));
}

static void add_head(const struct view *view)
{
    const struct manifest *manifest = view->manifest;

    add_line(view, "snapshot", view->options.path);
    add_line(view, "of",
             text(view, "%s, PostgreSQL %s, %s%s", manifest->source, manifest->server_version,
                  manifest->encoding,
                  manifest->wal_position ? text(view, ", at WAL %s", manifest->wal_position) : ""));
    add_line(view, "taken", text(view, "%s%s", manifest->taken_at, age_text(view)));
    add_line(view, "rows", rows_text(view));
    add_line(view, "masking", masking_text(view));
    for (size_t i = 0; i < manifest->certificates.count; i++) {
        const struct manifest_certificate *certificate = &manifest->certificates.items[i];

        add_line(view, certificate->name,
                 text(view, "%s%s%s", certificate->status, certificate->detail ? ": " : "",
                      certificate->detail ? certificate->detail : ""));
    }
    add_line(view, "footprint", footprint_text(view));
}

/* --- tables ---------------------------------------------------------------------------------- */

static void pad_left(const struct view *view, size_t columns, const char *s)
{
    size_t width = rh_layout_width(s);

    rh_layout_pad(view->layout, width < columns ? columns - width : 0);
    rh_layout_add(view->layout, STYLE_PLAIN, s);
}

static void add_row(const struct view *view, size_t name_columns, enum style style,
                    const char *name, const char *const cells[6])
{
    static const size_t widths[6] = {14, 13, 8, 10, 8, 6};

    rh_layout_add(view->layout, STYLE_PLAIN, "  ");
    rh_layout_add(view->layout, style, name);
    rh_layout_pad(view->layout,
                  rh_layout_width(name) < name_columns ? name_columns - rh_layout_width(name) : 0);
    for (size_t i = 0; i < 6; i++)
        pad_left(view, widths[i], cells[i]);
    rh_layout_end_line(view->layout);
}

static size_t masked_columns(const struct manifest_table *table)
{
    size_t count = 0;

    for (size_t i = 0; i < table->columns.count; i++)
        count += strcmp(table->columns.items[i].rule, "keep") != 0;
    return count;
}

static void add_columns(const struct view *view, const struct manifest_table *table)
{
    for (size_t i = 0; i < table->columns.count; i++) {
        const struct manifest_column *column = &table->columns.items[i];
        rh_layout_add_wrapped(view->layout, STYLE_DIM, "      ",
                              text(view, "%s %s: %s%s%s%s%s", column->name, column->type,
                                   column->rule, column->domain ? " in domain " : "",
                                   column->domain ? column->domain : "", column->reason ? "; " : "",
                                   column->reason ? column->reason : ""));
    }
}

static void add_table(const struct view *view, const struct manifest_table *table,
                      size_t name_columns)
{
    size_t masked = masked_columns(table);
    const char *cells[6] = {
        text(view, "%s%s", table->rows_exact || table->production_rows < 0 ? "" : "~",
             count_text(view, table->production_rows)),
        count_text(view, table->rows),
        share_text(view, table->omitted ? 0 : table->sample_fraction),
        bytes_text(view, table->bytes),
        count_text(view, (int64_t)masked),
        count_text(view, (int64_t)(table->columns.count - masked)),
    };
    const char *why = table->omitted ? table->omitted : table->sample_reason;

    add_row(view, name_columns, STYLE_PLAIN, rh_layout_clean(view->layout, table->identity, false),
            cells);
    if (why && (view->options.detail == REPORT_VERBOSE || table->omitted)) {
        rh_layout_add(view->layout, STYLE_DIM,
                      text(view, "      %s", rh_layout_clean(view->layout, why, false)));
        rh_layout_end_line(view->layout);
    }
    if (view->options.shows_columns)
        add_columns(view, table);
}

static void add_tables(const struct view *view)
{
    static const char *const heads[6] = {"production", "here", "share", "bytes", "masked", "kept"};
    const struct manifest *manifest = view->manifest;
    size_t columns = strlen("table");

    for (size_t i = 0; i < manifest->tables.count; i++) {
        size_t width = rh_layout_width(
            rh_layout_clean(view->layout, manifest->tables.items[i].identity, false));

        columns = width > columns && width <= NAME_COLUMNS_MAX ? width : columns;
    }
    rh_layout_end_line(view->layout);
    add_row(view, columns, STYLE_BOLD, "table", heads);
    for (size_t i = 0; i < manifest->tables.count; i++)
        add_table(view, &manifest->tables.items[i], columns);
}

/* --- the rest -------------------------------------------------------------------------------- */

static void add_environment(const struct view *view)
{
    const struct manifest *manifest = view->manifest;

    for (size_t i = 0; i < manifest->extensions.count; i++)
        add_line(view, i ? "" : "extension",
                 text(view, "%s %s", manifest->extensions.items[i].name,
                      manifest->extensions.items[i].version));
    for (size_t i = 0; i < manifest->collations.count; i++) {
        const struct catalog_collation *collation = &manifest->collations.items[i];

        add_line(view, i ? "" : "collation",
                 text(view, "%s: %s %s%s%s", collation->name, collation->provider,
                      collation->locale ? collation->locale : "",
                      collation->actual_version ? ", version " : "",
                      collation->actual_version ? collation->actual_version : ""));
    }
    for (size_t i = 0; i < manifest->settings.count; i++)
        add_line(view, i ? "" : "setting",
                 text(view, "%s = %s (%s)", manifest->settings.items[i].name,
                      manifest->settings.items[i].value ? manifest->settings.items[i].value : "",
                      manifest->settings.items[i].scope));
    for (size_t i = 0; i < manifest->replicas.count; i++)
        add_line(view, i ? "" : "replica",
                 text(view, "%s, %s, %s", manifest->replicas.items[i].application_name,
                      manifest->replicas.items[i].state, manifest->replicas.items[i].sync_state));
}

/* What was looked for, once each, though it was for several files together. */
static void add_witnesses(const struct view *view)
{
    const struct manifest *manifest = view->manifest;
    VEC(const char *) found = {0}, not_covered = {0};

    for (size_t i = 0; i < manifest->witnesses.count; i++) {
        const struct manifest_witness *witness = &manifest->witnesses.items[i];

        for (size_t n = 0; n < witness->found.count; n++)
            if (!rh_say_was_said(found.items, found.count, witness->found.items[n]))
                *RH_PUSH(view->arena, &found) = witness->found.items[n];
        for (size_t n = 0; n < witness->not_covered.count; n++)
            if (!rh_say_was_said(not_covered.items, not_covered.count,
                                 witness->not_covered.items[n]))
                *RH_PUSH(view->arena, &not_covered) = witness->not_covered.items[n];
    }
    for (size_t i = 0; i < found.count; i++)
        add_line(view, i ? "" : "witness", found.items[i]);
    for (size_t i = 0; i < not_covered.count; i++)
        add_line(view, i ? "" : "not asked", not_covered.items[i]);
}

static void add_lists(const struct view *view)
{
    const struct manifest *manifest = view->manifest;

    rh_layout_end_line(view->layout);
    if (manifest->large_objects > 0)
        add_line(view, "objects",
                 text(view, "%s of %s",
                      rh_say_count(view->arena, manifest->large_objects, "large object"),
                      bytes_text(view, manifest->large_object_bytes)));
    if (!view->options.is_brief)
        add_environment(view);
    else if (manifest->settings.count > 0)
        add_line(view, "settings",
                 text(view, "%s not at the default: see rehearse snapshot inspect",
                      rh_say_number(view->arena, (int64_t)manifest->settings.count)));
    add_witnesses(view);
    for (size_t i = 0; i < manifest->notes.count; i++)
        add_line(view, i ? "" : "note", manifest->notes.items[i]);
}

void rh_report_manifest(const struct manifest *manifest, const struct terminal *terminal,
                        struct manifest_view options, struct buf *out)
{
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct layout layout = rh_layout(arena, terminal, out);
    struct view view = {
        .layout = &layout, .manifest = manifest, .options = options, .arena = arena};

    if (options.detail == REPORT_QUIET) {
        add_line(&view, "snapshot",
                 text(&view, "%s: %s%s", options.path, rows_text(&view),
                      manifest->is_masked ? "" : "; NOT MASKED"));
        return;
    }
    add_head(&view);
    add_tables(&view);
    add_lists(&view);
}
