#include "cmd/snapshot_options.h"

#include "base/file.h"
#include "base/interrupt.h"
#include "cmd/cli.h"
#include "report/report.h"
#include "snapshot/dump.h"
#include "trace/migration.h"

#include <stdlib.h>

static bool has(const struct options *options, const char *name)
{
    return rh_options_find(options->command, name) != SIZE_MAX;
}

static bool flag(const struct options *options, const char *name)
{
    return has(options, name) && rh_option_flag(options, name);
}

static int64_t number(const struct options *options, const char *name, int64_t if_not_set)
{
    return has(options, name) ? rh_option_number(options, name, if_not_set) : if_not_set;
}

/* --- the sample ------------------------------------------------------------------------------ */

/* "5%", "0.5%", "0.05" */
static bool parse_share(const char *text, double *ret_fraction)
{
    char *end = NULL;
    double value;

    if ((text[0] < '0' || text[0] > '9') && text[0] != '.')
        return false;
    value = strtod(text, &end);
    if (*end == '%')
        value /= 100;
    else if (*end || value == 0 || value > 1)
        return false;
    if ((*end == '%' && end[1]) || value <= 0 || value > 1)
        return false;
    *ret_fraction = value;
    return true;
}

static enum err_code read_shares(const struct options *options, struct sample_options *sample,
                                 struct err *err)
{
    size_t count = 0;
    const char *const *list = rh_option_list(options, "sample", &count);
    bool has_overall = false;

    for (size_t i = 0; i < count; i++) {
        const char *equals = strrchr(list[i], '=');
        double fraction = 0;

        if (!parse_share(equals ? equals + 1 : list[i], &fraction) || equals == list[i]) {
            rh_err_set(err, RH_ERR_USAGE, "--sample: \"%s\" is no share of rows", list[i]);
            rh_err_hint(err, "Write 5%% for every table, orders=1%% for one.");
            return RH_ERR_USAGE;
        }
        if (equals) {
            *RH_PUSH(options->arena, &sample->shares) = (struct sample_share){
                rh_arena_strndup(options->arena, list[i], (size_t)(equals - list[i])), fraction};
        } else if (has_overall) {
            return rh_err_set(err, RH_ERR_USAGE, "--sample: two shares for every table");
        } else {
            sample->fraction = fraction;
            has_overall = true;
        }
    }
    return RH_OK;
}

static enum err_code read_conditions(const struct options *options, struct sample_options *sample,
                                     struct err *err)
{
    size_t count = 0;
    const char *const *list = rh_option_list(options, "where", &count);

    for (size_t i = 0; i < count; i++) {
        const char *equals = strchr(list[i], '=');

        if (!equals || equals == list[i] || !equals[1]) {
            rh_err_set(err, RH_ERR_USAGE, "--where: \"%s\" is not TABLE=SQL", list[i]);
            rh_err_hint(err, "For example --where \"orders=total > 100\".");
            return RH_ERR_USAGE;
        }
        *RH_PUSH(options->arena, &sample->conditions) = (struct sample_condition){
            rh_arena_strndup(options->arena, list[i], (size_t)(equals - list[i])), equals + 1};
    }
    return RH_OK;
}

static enum err_code read_witnesses(const struct options *options, struct sample_options *sample,
                                    struct err *err)
{
    struct migration_request request = {0};
    struct migration migration = {0};
    enum err_code code;

    request.paths = rh_option_list(options, "witness", &request.path_count);
    if (request.path_count == 0)
        return RH_OK;
    if ((code = rh_migration_open(&request, options->arena, &migration, err))) {
        rh_err_while(err, "while reading --witness");
        return code;
    }
    for (size_t i = 0; i < migration.steps.count; i++) {
        const struct migration_step *step = &migration.steps.items[i];

        rh_sample_add_witness(sample, step->name, step->sha256, step->section, options->arena);
    }
    return RH_OK;
}

static enum err_code read_sample(const struct options *options, struct sample_options *sample,
                                 struct err *err)
{
    enum err_code code;

    sample->fraction = 1;
    sample->max_rows = rh_option_number(options, "max-rows", 0);
    sample->edge_max_rows = rh_option_number(options, "max-children", 0);
    if ((code = read_shares(options, sample, err)) ||
        (code = read_conditions(options, sample, err)))
        return code;
    return read_witnesses(options, sample, err);
}

/* --- everything ------------------------------------------------------------------------------ */

static enum err_code check_together(const struct options *options, struct err *err)
{
    bool suggests = flag(options, "suggest");

    if (flag(options, "unmasked") && (suggests || rh_option_text(options, "masking")))
        return rh_err_set(err, RH_ERR_USAGE, "--unmasked and --%s contradict each other",
                          suggests ? "suggest" : "masking");
    if (has(options, "from") && !rh_option_text(options, "from")) {
        rh_err_set(err, RH_ERR_USAGE, "--from is missing: which database is to be copied?");
        rh_err_hint(err, "A standby if there is one: --from postgresql://reader@db2/shop");
        return RH_ERR_USAGE;
    }
    if (!suggests && !rh_option_text(options, "out")) {
        rh_err_set(err, RH_ERR_USAGE, "-o is missing: where is the snapshot to go?");
        rh_err_hint(err, "-o DIR names a directory that does not exist yet.");
        return RH_ERR_USAGE;
    }
    if (rh_option_value(options, "timeout")->text && rh_option_number(options, "timeout", 1) == 0)
        return rh_err_set(err, RH_ERR_USAGE, "--timeout must be more than 0");
    if (number(options, "jobs", 1) < 1 || number(options, "jobs", 1) > DUMP_JOBS_MAX)
        return rh_err_set(err, RH_ERR_USAGE, "--jobs must be between 1 and %d", DUMP_JOBS_MAX);
    if (has(options, "lock-timeout") && number(options, "lock-timeout", 1) == 0)
        return rh_err_set(err, RH_ERR_USAGE, "--lock-timeout must be more than 0");
    if (has(options, "rate-limit") && rh_option_value(options, "rate-limit")->text &&
        number(options, "rate-limit", 1) == 0)
        return rh_err_set(err, RH_ERR_USAGE, "--rate-limit must be more than 0");
    return RH_OK;
}

/* Every row is a named one, so the tables of both commands may differ. RH_ERR_USAGE as a user
   reads it. `progress` is the caller's. */
static enum err_code read_options(const struct options *options, struct progress *progress,
                                  struct snapshot_options *ret_snapshot, struct err *err)
{
    const char *key = getenv("REHEARSE_MASK_KEY");
    struct snapshot_options snapshot = {
        .sandbox = rh_run_sandbox(options, progress),
        .url = has(options, "from") ? rh_option_text(options, "from") : NULL,
        .archive = has(options, "from")             ? NULL
                   : options->positionals.count > 0 ? options->positionals.items[0]
                                                    : NULL,
        .out = rh_option_text(options, "out"),
        .replace = rh_option_flag(options, "replace"),
        .jobs = (int)number(options, "jobs", 2),
        .masking_path = rh_option_text(options, "masking"),
        .suggests = rh_option_flag(options, "suggest"),
        .is_unmasked = rh_option_flag(options, "unmasked"),
        .key = {.file = rh_option_text(options, "key-file"),
                .command = rh_option_text(options, "key-command"),
                .text = key && key[0] ? key : NULL},
        .rate_bytes_per_s = number(options, "rate-limit", 0),
        .lock_timeout_us = number(options, "lock-timeout", 10 * 1000000),
        .no_large_objects = rh_option_flag(options, "no-large-objects"),
        .keeps_comments = rh_option_flag(options, "keep-comments"),
        .no_verify = rh_option_flag(options, "no-verify"),
    };
    enum err_code code;

    if (!has(options, "from") && !snapshot.archive)
        return rh_err_set(err, RH_ERR_USAGE, "ARCHIVE is missing: what is to be imported?");
    code = check_together(options, err);
    /* Secrets that no child of ours has a use for; what was read of them stays where it is. */
    (void)unsetenv("REHEARSE_MASK_KEY");
    (void)unsetenv("REHEARSE_FROM");
    snapshot.excluded = rh_option_list(options, "exclude-table", &snapshot.excluded_count);
    if (!code)
        code = read_sample(options, &snapshot.sample, err);
    if (!code)
        *ret_snapshot = snapshot;
    return code;
}

/* What a run here would start, and will find. Prints what is wrong with rehearse.yaml; the exit
   status, 0 when nothing is. */
static int read_runs(const struct options *options, struct progress *progress,
                     struct snapshot_options *snapshot, struct sandbox_options *runs)
{
    const char *cache = rh_option_text(options, "cache-dir");
    struct options settings;
    size_t schemas = 0;
    int status = rh_run_options_read(options, false, &settings, NULL);

    if (status)
        return status;
    *runs = rh_run_sandbox_options(&settings, progress);
    (void)rh_option_list(&settings, "schema", &schemas);
    if (cache)
        runs->cache_directory = cache;
    if (snapshot->sandbox.server_bin)
        runs->server_bin = snapshot->sandbox.server_bin;
    if (snapshot->sandbox.server_user)
        runs->server_user = snapshot->sandbox.server_user;
    if (snapshot->sandbox.parent_directory)
        runs->parent_directory = snapshot->sandbox.parent_directory;
    snapshot->sandbox.cache_directory = runs->cache_directory;
    /* A run that loads more than the snapshot starts from something else. */
    if (!rh_option_flag(options, "no-cache") && !runs->no_cache && schemas == 0)
        snapshot->runs = runs;
    return 0;
}

/* --- running it ------------------------------------------------------------------------------ */

struct run {
    const struct options *options;
    bool json;
};

static json_t *lacks_json(const struct snapshot *snapshot)
{
    json_t *event = json_object(), *list = json_array();

    for (size_t i = 0; i < snapshot->lacks.items.count; i++) {
        json_t *item = json_object();

        json_object_set_new(item, "what", rh_json_text(snapshot->lacks.items.items[i].what));
        json_object_set_new(item, "remedy", rh_json_text(snapshot->lacks.items.items[i].remedy));
        json_array_append_new(list, item);
    }
    json_object_set_new(event, "event", json_string("missing-rights"));
    json_object_set_new(event, "rights", list);
    return event;
}

/* What an error has no room for: it comes before the error. */
static void show_why(const struct run *run, const struct snapshot *snapshot)
{
    struct err ignored = RH_ERR_INIT;

    if (run->json && snapshot->lacks.items.count > 0) {
        json_t *event = lacks_json(snapshot);

        if (rh_cli_write_json(event, &ignored))
            rh_cli_note("%s", ignored.message);
        json_decref(event);
        return;
    }
    if (snapshot->lacks.items.count > 0)
        rh_cli_note("The role lacks rights. Somebody who may, runs:\n");
    for (size_t i = 0; i < snapshot->lacks.items.count; i++)
        rh_cli_note("    -- %s\n    %s", snapshot->lacks.items.items[i].what,
                    snapshot->lacks.items.items[i].remedy);
    for (size_t i = 0; i < snapshot->problems.count; i++)
        rh_cli_note("%s%s%s%s%s: %s", snapshot->problems.items[i].table,
                    snapshot->problems.items[i].column ? "." : "",
                    snapshot->problems.items[i].column ? snapshot->problems.items[i].column : "",
                    snapshot->problems.items[i].object ? ", " : "",
                    snapshot->problems.items[i].object ? snapshot->problems.items[i].object : "",
                    snapshot->problems.items[i].sentence);
    if (snapshot->lacks.items.count > 0 || snapshot->problems.count > 0)
        rh_cli_note("%s", "");
}

static int show_result(const struct run *run, const struct snapshot_options *options,
                       const struct snapshot *snapshot)
{
    struct terminal terminal = rh_run_terminal(run->options);
    RH_CLEANUP_BUF struct buf text;

    rh_buf_init(&text, OUTPUT_MAX_BYTES);
    if (options->suggests)
        return rh_cli_finish(rh_text(snapshot->masking_yaml), 0);
    if (run->json) {
        json_t *event = json_object(), *manifest = rh_manifest_to_json(&snapshot->manifest);

        json_object_set_new(event, "event", json_string("snapshot"));
        json_object_set_new(event, "directory", rh_json_text(options->out));
        json_object_set_new(event, "manifest", manifest);
        return rh_cli_finish_json(event);
    }
    rh_report_manifest(
        &snapshot->manifest, &terminal,
        (struct manifest_view){
            .detail = rh_option_flag(run->options, "quiet") ? REPORT_QUIET : REPORT_NORMAL,
            .is_brief = true,
            .now_us = rh_clock_wall().us,
            .path = options->out,
        },
        &text);
    return rh_cli_finish(rh_buf_text(&text), 0);
}

static int create(const struct run *run, struct progress *progress)
{
    struct snapshot_options options = {0};
    struct sandbox_options runs;
    struct snapshot *snapshot = NULL;
    struct err err = RH_ERR_INIT;
    enum err_code code;
    int status;

    if (read_options(run->options, progress, &options, &err))
        return rh_cli_fail_as(run->json, &err);
    if ((status = read_runs(run->options, progress, &options, &runs)))
        return status;
    code = rh_snapshot_create(&options, &snapshot, &err);
    rh_progress_end(progress);
    if (snapshot->key_made && !rh_option_flag(run->options, "quiet"))
        rh_cli_note(
            "note: a master key was made in \"%s\": keep it, and keep it secret. Without it "
            "the same values get other pseudonyms next time.",
            snapshot->key_made);
    if (code) {
        show_why(run, snapshot);
        status = rh_cli_fail_as(run->json, &err);
    } else {
        status = show_result(run, &options, snapshot);
    }
    rh_snapshot_free(snapshot);
    return status;
}

int rh_snapshot_command(const struct options *parsed)
{
    struct options options = *parsed;
    struct run run = {.options = &options};
    struct err err = RH_ERR_INIT;
    struct progress *progress;

    rh_cli_forbid_core_files();

    int status = rh_run_options_complete(&options, NULL);

    if (status)
        return status;
    run.json = rh_option_flag(&options, "json");
    if (run.json && rh_cli_write_json_start(&err))
        return rh_cli_fail(&err);
    progress = rh_run_begin(&options);
    status = create(&run, progress);
    rh_progress_free(progress);
    return status;
}
