#include "report/report_int.h"

#include "base/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

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
    char out[24];

    if (bytes < 0)
        return "?";
    rh_bytes_format(bytes, out);
    return rh_arena_strdup(view->arena, out);
}

static const char *count_text(const struct view *view, int64_t count)
{
    char out[32];

    if (count < 0)
        return "?";
    rh_count_format(count, out);
    return rh_arena_strdup(view->arena, out);
}

static const char *duration_text(const struct view *view, int64_t us)
{
    char out[24];

    rh_duration_format(us, out);
    return rh_arena_strdup(view->arena, out);
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

static const char *plural(const struct view *view, int64_t count, const char *one, const char *many)
{
    return text(view, "%s %s", count_text(view, count), count == 1 ? one : many);
}

/* --- the head -------------------------------------------------------------------------------- */

static int64_t rows_here(const struct manifest *manifest)
{
    int64_t rows = 0;

    for (size_t i = 0; i < manifest->tables.count; i++)
        rows += manifest->tables.items[i].rows;
    return rows;
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
                plural(view, manifest->masked_columns, "column", "columns"),
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

    return text(view, "%s in %s, %s as text; %s", plural(view, rows_here(manifest), "row", "rows"),
                plural(view, (int64_t)manifest->tables.count, "table", "tables"),
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
                plural(view, manifest->footprint.statements, "statement", "statements"),
                bytes_text(view, manifest->footprint.bytes_read),
                duration_text(view, manifest->footprint.snapshot_age_us), locks);
}

/* Seconds since 1970 of "2026-11-20T10:00:00.000Z"; false where the stamp is not one of ours. */
static bool parse_stamp(const char *stamp, int64_t *ret_s)
{
    static const char separators[] = "--T::";
    struct text rest = rh_text(stamp);
    int64_t fields[6];
    struct tm tm = {0};

    for (size_t i = 0; i < 6; i++) {
        if (rest.len == 0 || rest.data[0] < '0' || rest.data[0] > '9' ||
            !rh_text_take_int64(&rest, &fields[i]) || fields[i] > 9999)
            return false;
        if (i < 5 && (rest.len == 0 || rest.data[0] != separators[i]))
            return false;
        rest.data += i < 5;
        rest.len -= i < 5;
    }
    tm.tm_year = (int)fields[0] - 1900;
    tm.tm_mon = (int)fields[1] - 1;
    tm.tm_mday = (int)fields[2];
    tm.tm_hour = (int)fields[3];
    tm.tm_min = (int)fields[4];
    tm.tm_sec = (int)fields[5];
    *ret_s = (int64_t)timegm(&tm);
    return true;
}

/* ", 3 days ago"; "" when nobody knows. */
static const char *age_text(const struct view *view)
{
    int64_t taken_s, age_s;

    if (!parse_stamp(view->manifest->taken_at, &taken_s))
        return "";
    age_s = view->options.now_us / 1000000 - taken_s;
    if (age_s < 0)
        return "";
    if (age_s < 2 * 3600)
        return text(view, ", %" PRId64 " min ago", age_s / 60);
    if (age_s < 3 * 86400)
        return text(view, ", %" PRId64 " h ago", age_s / 3600);
    return text(view, ", %" PRId64 " days ago", age_s / 86400);
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
        struct layout_lines lines = {0};

        rh_layout_wrap(view->layout, &lines, STYLE_DIM, "      ",
                       text(view, "%s %s: %s%s%s%s%s", column->name, column->type, column->rule,
                            column->domain ? " in domain " : "",
                            column->domain ? column->domain : "", column->reason ? "; " : "",
                            column->reason ? column->reason : ""));
        for (size_t n = 0; n < lines.count; n++) {
            rh_layout_add(view->layout, lines.items[n].style, lines.items[n].text);
            rh_layout_end_line(view->layout);
        }
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

static void add_lists(const struct view *view)
{
    const struct manifest *manifest = view->manifest;

    rh_layout_end_line(view->layout);
    if (manifest->large_objects > 0)
        add_line(view, "objects",
                 text(view, "%s of %s",
                      plural(view, manifest->large_objects, "large object", "large objects"),
                      bytes_text(view, manifest->large_object_bytes)));
    if (!view->options.is_brief)
        add_environment(view);
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
