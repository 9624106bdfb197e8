#include "cmd/cli.h"
#include "cmd/run_options.h"

#include "base/clock.h"
#include "engine/engine.h"
#include "sandbox/cache.h"

static const struct option rows[] = {
    {
        .name = "all",
        .kind = OPTION_FLAG,
        .group = GROUP_SANDBOX,
        .is_common = true,
        .help = "Every kept sandbox that no run uses.",
    },
    {
        .name = "older-than",
        .kind = OPTION_DURATION,
        .value_name = "DURATION",
        .group = GROUP_SANDBOX,
        .is_common = true,
        .help = "Those that no run has used for so long.",
        .details = "For example 72h.",
    },
    {
        .name = "dry-run",
        .kind = OPTION_FLAG,
        .group = GROUP_SANDBOX,
        .is_common = true,
        .help = "Tell what would be removed, and remove nothing.",
    },
    OPTION_ROW_CACHE_DIR,
    OPTION_ROW_CONFIG,
    OPTION_ROW_NO_CONFIG,
    OPTION_ROW_JSON_OBJECT(NULL, "The same as one JSON object."),
};

static const char *state_of(const struct cache_entry *entry, bool is_dry_run)
{
    if (entry->is_in_use)
        return "in use";
    if (entry->is_removed)
        return is_dry_run ? "would go" : "removed";
    return "kept";
}

static void show_text(const struct cache_listing *listing, bool is_dry_run, struct buf *out)
{
    char bytes[24], unused[24];

    for (size_t i = 0; i < listing->entries.count; i++) {
        const struct cache_entry *entry = &listing->entries.items[i];
        rh_bytes_format(entry->bytes, bytes);
        rh_duration_format(entry->unused_s * 1000000, unused);
        rh_buf_printf(out, "%-8s  %8s  unused for %-8s  %s%s%s%s\n", state_of(entry, is_dry_run),
                      bytes, unused, entry->server_version ? "PostgreSQL " : "",
                      entry->server_version ? entry->server_version : "half of one",
                      entry->source[0] ? ", " : "", entry->source);
    }
    rh_bytes_format(listing->removed_bytes, bytes);
    if (!listing->directory || listing->entries.count == 0)
        rh_buf_add_str(out, "no sandbox is kept\n");
    else
        rh_buf_printf(out, is_dry_run ? "%s would be free\n" : "%s are free\n", bytes);
}

static json_t *entry_json(const struct cache_entry *entry)
{
    json_t *json = json_object();

    json_object_set_new(json, "path", rh_json_text(entry->path));
    json_object_set_new(json, "source", rh_json_text(entry->source));
    json_object_set_new(json, "server_version", rh_json_text(entry->server_version));
    json_object_set_new(json, "bytes", json_integer(entry->bytes));
    json_object_set_new(json, "unused_s", json_integer(entry->unused_s));
    json_object_set_new(json, "in_use", json_boolean(entry->is_in_use));
    json_object_set_new(json, "usable", json_boolean(entry->is_usable));
    json_object_set_new(json, "removed", json_boolean(entry->is_removed));
    return json;
}

static json_t *show_json(const struct cache_listing *listing, bool is_dry_run)
{
    json_t *json = json_object(), *sandboxes = json_array();

    json_object_set_new(json, "format_version", json_string("1.0"));
    json_object_set_new(json, "directory", rh_json_text(listing->directory));
    json_object_set_new(json, "dry_run", json_boolean(is_dry_run));
    for (size_t i = 0; i < listing->entries.count; i++)
        json_array_append_new(sandboxes, entry_json(&listing->entries.items[i]));
    json_object_set_new(json, "sandboxes", sandboxes);
    json_object_set_new(json, "removed_bytes", json_integer(listing->removed_bytes));
    return json;
}

static int run(const struct options *parsed)
{
    struct options options = *parsed, settings;
    struct err err = RH_ERR_INIT;
    struct cache_listing listing;
    RH_CLEANUP_BUF struct buf out;
    int status = rh_run_options_read(&options, true, &settings, NULL);

    rh_buf_init(&out, OUTPUT_MAX_BYTES);
    if (status)
        return status;
    rh_options_apply_defaults(&options);
    /* Where runs keep theirs, unless another place is named. */
    const char *directory = rh_option_text(&options, "cache-dir");
    if (!directory)
        directory = rh_option_text(&settings, "cache-dir");
    bool is_dry_run = rh_option_flag(&options, "dry-run");
    int64_t older_us = rh_option_number(&options, "older-than", -1);
    const struct sandbox_options sandbox = {.engine = &rh_engine_postgres,
                                            .cache_directory = directory};
    const struct cache_prune prune = {.all = rh_option_flag(&options, "all"),
                                      .unused_s = older_us < 0 ? -1 : older_us / 1000000,
                                      .is_dry_run = is_dry_run};
    if (rh_sandbox_cache_prune(&sandbox, &prune, options.arena, &listing, &err))
        return rh_cli_fail(&err);
    if (rh_option_flag(&options, "json"))
        return rh_cli_finish_json(show_json(&listing, is_dry_run));
    show_text(&listing, is_dry_run, &out);
    return rh_cli_finish(rh_buf_text(&out), 0);
}

static const char *const usage[] = {"rehearse snapshot prune [--all] [--older-than DURATION]",
                                    NULL};
static const char *const description[] = {
    "Removes prepared sandboxes that runs, \"snapshot create\" and \"snapshot import\" have left "
    "in "
    "the cache. Without options: those that no run can use any more, because they are half of one, "
    "were made by another version of rehearse, for a server that is gone, or of a snapshot that is "
    "gone or was replaced. One that a run uses is never removed. Snapshots "
    "themselves are not touched.",
    NULL};
static const char *const examples[] = {"rehearse snapshot prune --older-than 72h",
                                       "rehearse snapshot prune --all --dry-run", NULL};

const struct command rh_command_snapshot_prune = {
    .name = "snapshot prune",
    .summary = "remove prepared sandboxes from the cache",
    .usage = usage,
    .description = description,
    .examples = examples,
    .options = rows,
    .option_count = sizeof(rows) / sizeof(*rows),
    .run = run,
};
