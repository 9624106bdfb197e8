#include "cmd/cli.h"
#include "cmd/run_options.h"
#include "cmd/run_rows.h"
#include "cmd/transform_option.h"
#include "cmd/workload_rows.h"

#include "base/file.h"
#include "engine/engine.h"
#include "rehearsal/rehearsal.h"
#include "rehearsal/workload_stage.h"
#include "report/report.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct option rows[] = {
    {
        .name = "snapshot",
        .kind = OPTION_PATH,
        .value_name = "PATH",
        .group = GROUP_START,
        .environment = "REHEARSE_SNAPSHOT",
        .is_common = true,
        .help = "A snapshot of ours, or any pg_dump archive.",
        .details = "A directory that \"rehearse snapshot create\" made, or an archive in custom, "
                   "directory, tar or plain format, also .gz and .zst.",
    },
    {
        .name = "schema",
        .kind = OPTION_PATHS,
        .value_name = "FILE",
        .group = GROUP_START,
        .environment = "REHEARSE_SCHEMA",
        .is_common = true,
        .help = "SQL or psql script that creates the start.",
        .details = "Run in the order given, behind the snapshot.",
    },
    OPTION_ROW_ALLOW_UNMASKED,
    OPTION_ROW_REQUIRE_MASKED,
    {
        .name = "dir",
        .kind = OPTION_PATH,
        .value_name = "DIR",
        .group = GROUP_MIGRATION,
        .environment = "REHEARSE_DIR",
        .help = "Directory of migrations, as if it were an argument.",
        .details = "Good in rehearse.yaml; ignored there when FILEs or a COMMAND are given.",
    },
    {
        .name = "since",
        .kind = OPTION_TEXT,
        .value_name = "REF",
        .group = GROUP_MIGRATION,
        .environment = "REHEARSE_SINCE",
        .is_common = true,
        .help = "Only migrations new on this branch.",
        .details = "The files of the directory that were added since the branch left REF are "
                   "rehearsed; the older ones run first, as the starting point.",
    },
    {
        .name = "env",
        .kind = OPTION_PAIRS,
        .value_name = "NAME=TEMPLATE",
        .group = GROUP_MIGRATION,
        .environment = "REHEARSE_ENV",
        .help = "Another environment variable for COMMAND.",
        .details =
            "TEMPLATE may hold {url} {jdbc_url} {host} {port} {db} {user} {password}, and so "
            "may the arguments of COMMAND.",
    },
    {
        .name = "checks",
        .kind = OPTION_PATHS,
        .value_name = "FILE",
        .group = GROUP_MIGRATION,
        .environment = "REHEARSE_CHECKS",
        .is_common = true,
        .help = "Queries that are run before and after.",
        .details = "Plain SQL. A comment before each says what is expected: \"-- expect: same\" "
                   "(as before: the default), changed, zero, rows, or a comparison such as <= 10; "
                   "\"-- name: ...\" names it. A pgTAP file is run as it is, and its tests read.",
    },
    {
        .name = "down",
        .kind = OPTION_TEXT,
        .value_name = "FILE|CMD",
        .group = GROUP_MIGRATION,
        .environment = "REHEARSE_DOWN",
        .is_common = true,
        .help = "The way back: a file, a directory or a command.",
        .details = "A path that exists is a file of SQL, or a directory that holds one for each "
                   "migration; anything else (and an executable) is a command line for /bin/sh, "
                   "not SQL, run like COMMAND. Without it the counterparts that migration tools "
                   "know are used: down sections, x.down.sql, U1__x.sql.",
    },
    {
        .name = "no-way-back",
        .kind = OPTION_FLAG,
        .group = GROUP_MIGRATION,
        .environment = "REHEARSE_NO_WAY_BACK",
        .help = "Do not rehearse the way back.",
        .details = "It takes about three times as long as the migration itself. The plan of a "
                   "rollback is written all the same.",
    },
    {
        .name = "restore-test",
        .kind = OPTION_FLAG,
        .group = GROUP_MIGRATION,
        .environment = "REHEARSE_RESTORE_TEST",
        .help = "Dump the migrated database and restore it.",
        .details = "By pg_dump into another sandbox, and compare both: can the backups that are "
                   "taken from then on be restored?",
    },
    {
        .name = "no-isolation",
        .kind = OPTION_FLAG,
        .group = GROUP_MIGRATION,
        .environment = "REHEARSE_NO_ISOLATION",
        .help = "Run COMMAND without a namespace of its own.",
        .details = "Only where namespaces are forbidden: COMMAND can then reach whatever this "
                   "machine can reach. So it runs once: nothing is tried again on copies.",
    },
    {
        .name = "role",
        .kind = OPTION_TEXT,
        .value_name = "ROLE",
        .group = GROUP_MIGRATION,
        .environment = "REHEARSE_ROLE",
        .help = "Database role the migration runs as.",
        .details = "Without it: the owner of most tables, else \"migrator\". Never a superuser.",
    },
    {
        .name = "max-blocked",
        .kind = OPTION_DURATION,
        .value_name = "DURATION",
        .group = GROUP_GATES,
        .environment = "REHEARSE_MAX_BLOCKED",
        .default_text = "2s",
        .gate = "blocked",
        .is_common = true,
        .help = "Longest time anything may wait behind us.",
    },
    {
        .name = "max-duration",
        .kind = OPTION_DURATION,
        .value_name = "DURATION",
        .group = GROUP_GATES,
        .environment = "REHEARSE_MAX_DURATION",
        .gate = "duration",
        .is_common = true,
        .help = "Longest time the migration may take.",
    },
    {
        .name = "max-wal",
        .kind = OPTION_BYTES,
        .value_name = "SIZE",
        .group = GROUP_GATES,
        .environment = "REHEARSE_MAX_WAL",
        .gate = "wal",
        .help = "Most write-ahead log the migration may write.",
    },
    {
        .name = "max-disk",
        .kind = OPTION_BYTES,
        .value_name = "SIZE",
        .group = GROUP_GATES,
        .environment = "REHEARSE_MAX_DISK",
        .gate = "disk",
        .help = "Most additional disk it may need at its peak.",
    },
    {
        .name = "max-lag",
        .kind = OPTION_DURATION,
        .value_name = "DURATION",
        .group = GROUP_GATES,
        .environment = "REHEARSE_MAX_LAG",
        .gate = "lag",
        .help = "Furthest a replica may fall behind; needs --replica-apply-rate.",
    },
    {
        .name = "replica-apply-rate",
        .kind = OPTION_RATE,
        .value_name = "SIZE/s",
        .group = GROUP_GATES,
        .environment = "REHEARSE_REPLICA_APPLY_RATE",
        .gate = "replica_apply_rate",
        .help = "How fast your replicas apply write-ahead log.",
    },
    OPTION_ROW_FAIL_ON(GROUP_GATES),
    {
        .name = "structure-only",
        .kind = OPTION_FLAG,
        .group = GROUP_GATES,
        .environment = "REHEARSE_STRUCTURE_ONLY",
        .help = "Accept a rehearsal on empty tables.",
        .details = "Without it a run whose tables were all empty is INCONCLUSIVE: it says nothing "
                   "about data, time or locks held.",
    },
    OPTION_ROW_ACCEPT_SAMPLE,
    {
        .name = "exit-zero",
        .kind = OPTION_FLAG,
        .group = GROUP_GATES,
        .environment = "REHEARSE_EXIT_ZERO",
        .help = "Exit with 0 whatever the verdict is.",
        .details = "What kept the rehearsal from ending still has its own exit code.",
    },
    {
        .name = "cuts",
        .kind = OPTION_TEXT,
        .value_name = "WHICH",
        .group = GROUP_GATES,
        .environment = "REHEARSE_CUTS",
        .default_text = "auto",
        .help = "How often it is cut off and run again: auto, off, all or a number.",
        .details = "After a run that succeeded the migration is run a second time, and, on fresh "
                   "clones, its connection is cut, its statement cancelled or its server killed "
                   "halfway, and it is run again. auto tries the few places that tell most; a "
                   "number or all adds kills and takes as long as it takes; off runs nothing "
                   "again.",
    },
    {
        .name = "rollback",
        .kind = OPTION_FLAG,
        .group = GROUP_DRY_RUN,
        .environment = "REHEARSE_ROLLBACK",
        .help = "On a staging database, rolled back at the end.",
        .details = "Instead of a sandbox: everything in one transaction of the database that "
                   "--sandbox-url names. What cannot be tested that way is refused before anything "
                   "is sent, and the states before and after prove that nothing stayed.",
    },
    {
        .name = "sandbox-url",
        .kind = OPTION_TEXT,
        .value_name = "URL",
        .group = GROUP_DRY_RUN,
        .environment = "REHEARSE_SANDBOX_URL",
        .not_in_file = true,
        .help = "The database for --rollback; never production.",
        .details = "A URL or connection string as libpq takes them, TLS settings included. "
                   "Passwords are better in the environment variable or in ~/.pgpass than on the "
                   "command line; they are shown nowhere. PG* variables are not looked at.",
    },
    {
        .name = "production",
        .kind = OPTION_TEXTS,
        .value_name = "PATTERN",
        .group = GROUP_DRY_RUN,
        .environment = "REHEARSE_PRODUCTION",
        .help = "Names and hosts that --rollback must not touch.",
        .details =
            "Good in rehearse.yaml. * and ? stand for any text and any character; a pattern is "
            "for the database's name, its host, or host/database. A database that has the "
            "setting rehearse.production = on, or \"rehearse: production\" in its comment, is "
            "refused in any case.",
    },
    {
        .name = "allow-active-sessions",
        .kind = OPTION_FLAG,
        .group = GROUP_DRY_RUN,
        .environment = "REHEARSE_ALLOW_ACTIVE_SESSIONS",
        .help = "Accept other sessions in that database.",
        .details = "They wait behind the migration's locks until these are rolled back.",
    },
    {
        .name = "lock-timeout",
        .kind = OPTION_DURATION,
        .value_name = "DURATION",
        .group = GROUP_DRY_RUN,
        .environment = "REHEARSE_LOCK_TIMEOUT",
        .default_text = "2s",
        .help = "Longest wait of --rollback for a lock.",
    },
    {
        .name = "statement-timeout",
        .kind = OPTION_DURATION,
        .value_name = "DURATION",
        .group = GROUP_DRY_RUN,
        .environment = "REHEARSE_STATEMENT_TIMEOUT",
        .default_text = "10m",
        .help = "Longest a statement of --rollback may run.",
    },
    OPTION_ROW_SET,
    OPTION_ROW_SERVER_BIN,
    OPTION_ROW_SERVER_USER,
    OPTION_ROW_SANDBOX_DIR,
    OPTION_ROW_NO_CACHE,
    OPTION_ROW_CACHE_DIR,
    OPTION_ROW_CACHE_SIZE,
    OPTION_ROW_CACHE_FREE,
    {
        .name = "keep",
        .kind = OPTION_FLAG,
        .group = GROUP_SANDBOX,
        .environment = "REHEARSE_KEEP",
        .is_common = true,
        .help = "Leave the sandbox up and print its URL.",
        .details = "And the command that stops it.",
    },
    OPTION_ROW_TIMEOUT,
    {
        .name = "out",
        .short_name = 'o',
        .kind = OPTION_PATH,
        .value_name = "DIR",
        .group = GROUP_OUTPUT,
        .environment = "REHEARSE_OUT",
        .is_common = true,
        .help = "Where the files of the run go.",
        .details =
            "Without it: .rehearse/runs/<time>-<hash>, to which .rehearse/runs/latest links.",
    },
    {
        .name = "show-values",
        .kind = OPTION_FLAG,
        .group = GROUP_OUTPUT,
        .environment = "REHEARSE_SHOW_VALUES",
        .help = "Let row values stand in the report and its files.",
        .details = "Of offending rows and of the results of --checks. Without it there are counts, "
                   "digests and keys (masked where they may be personal), and whoever reads the "
                   "report learns nothing about anyone.",
    },
    OPTION_ROW_WORKLOAD,
    {
        .name = "queries",
        .kind = OPTION_PATHS,
        .value_name = "FILE",
        .group = GROUP_QUERIES,
        .environment = "REHEARSE_QUERIES",
        .help = "Queries that the release brings with it.",
        .details = "Plain SQL. They run on the migrated database alone: which fail, how long each "
                   "takes, what an index would do. Comments before each: \"-- name: ...\", "
                   "\"-- parameters: 42, 'x'\" (or a query whose rows are the values), "
                   "\"-- limit: 50ms\" (of the p95), \"-- frequency: 20/s\", \"-- repeat: 200\", "
                   "\"-- role: app\".",
    },
    OPTION_ROW_WORKLOAD_KEY,
    OPTION_ROW_TRANSFORM(GROUP_QUERIES, "Also compare what the new release sends."),
    OPTION_ROW_SPEED,
    OPTION_ROW_POOL,
    OPTION_ROW_BLOCKER,
    OPTION_ROW_BLOCKER_TIME,
    OPTION_ROW_BLOCKER_TABLE,
    OPTION_ROW_COMPARE_BUDGET,
    OPTION_ROW_MULTIPLIER("p50"),
    OPTION_ROW_MULTIPLIER("p95"),
    OPTION_ROW_MULTIPLIER("p99"),
    OPTION_ROW_ERROR_RATE,
    OPTION_ROW_MIN_QUERY_COUNT,
    OPTION_ROW_JSON,
    OPTION_ROW_QUIET,
    OPTION_ROW_VERBOSE,
    OPTION_ROW_COLOR,
    OPTION_ROW_NO_INPUT,
    OPTION_ROW_CONFIG,
    OPTION_ROW_NO_CONFIG,
};

/* --- options to the rehearsal's ------------------------------------------------------------------
 */

/* False when it is none of them; NULL is auto. */
static bool parse_cuts(const char *text, struct cuts_wanted *ret_cuts)
{
    char *end = NULL;
    if (!text || strcmp(text, "auto") == 0) {
        *ret_cuts = (struct cuts_wanted){.mode = CUTS_AUTO};
    } else if (strcmp(text, "off") == 0) {
        *ret_cuts = (struct cuts_wanted){.mode = CUTS_OFF};
    } else if (strcmp(text, "all") == 0) {
        *ret_cuts = (struct cuts_wanted){.mode = CUTS_ALL};
    } else {
        long count = strtol(text, &end, 10);
        if (text[0] < '0' || text[0] > '9' || *end || count < 1 || count > CUTS_MAX)
            return false;
        *ret_cuts = (struct cuts_wanted){.mode = CUTS_COUNT, .count = (int)count};
    }
    return true;
}

static enum err_code check_together(const struct options *options, struct err *err)
{
    if (rh_option_flag(options, "quiet") && rh_option_flag(options, "verbose"))
        return rh_err_set(err, RH_ERR_USAGE, "both --quiet and --verbose were given");
    if (rh_option_text(options, "max-lag") && !rh_option_text(options, "replica-apply-rate")) {
        rh_err_set(err, RH_ERR_USAGE, "--max-lag needs --replica-apply-rate");
        rh_err_hint(err, "The lag is the write-ahead log divided by that rate.");
        return RH_ERR_USAGE;
    }
    if (rh_option_value(options, "replica-apply-rate")->text &&
        rh_option_number(options, "replica-apply-rate", 1) == 0)
        return rh_err_set(err, RH_ERR_USAGE, "--replica-apply-rate must be more than 0");
    struct cuts_wanted cuts;
    if (!parse_cuts(rh_option_text(options, "cuts"), &cuts)) {
        rh_err_set(err, RH_ERR_USAGE, "--cuts: \"%s\" is none of auto, off, all or a number",
                   rh_option_text(options, "cuts"));
        rh_err_hint(err, "A number is between 1 and %d.", CUTS_MAX);
        return RH_ERR_USAGE;
    }
    if (rh_option_value(options, "timeout")->text && rh_option_number(options, "timeout", 1) == 0)
        return rh_err_set(err, RH_ERR_USAGE, "--timeout must be more than 0");
    return RH_OK;
}

/* What only a sandbox takes. */
static enum err_code check_dry_run(const struct options *options, struct err *err)
{
    static const char *const others[] = {"snapshot", "schema",   "checks",  "queries",
                                         "keep",     "workload", "blocker", "transform"};
    static const char *const own[] = {"sandbox-url", "allow-active-sessions"};
    static const char *const times[] = {"lock-timeout", "statement-timeout"};

    if (!rh_option_flag(options, "rollback")) {
        for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
            if (rh_option_value(options, own[i])->origin == ORIGIN_FLAG)
                return rh_err_set(err, RH_ERR_USAGE, "--%s needs --rollback", own[i]);
        return RH_OK;
    }
    if (!rh_option_text(options, "sandbox-url")) {
        rh_err_set(err, RH_ERR_USAGE, "--rollback needs --sandbox-url");
        rh_err_hint(err, "It names the staging database; without --rollback a sandbox is started.");
        return RH_ERR_USAGE;
    }
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        if (rh_option_value(options, others[i])->origin == ORIGIN_FLAG)
            return rh_err_set(err, RH_ERR_USAGE, "--%s is for a sandbox, not for --rollback",
                              others[i]);
    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++)
        if (rh_option_number(options, times[i], 1) == 0)
            return rh_err_set(err, RH_ERR_USAGE, "--%s must be more than 0", times[i]);
    return RH_OK;
}

static bool sets_path(const struct options *options)
{
    size_t count = 0;
    const char *const *pairs = rh_option_list(options, "env", &count);

    for (size_t i = 0; i < count; i++)
        if (strncmp(pairs[i], "PATH=", 5) == 0)
            return true;
    return false;
}

static bool is_in_path(const char *name, struct arena *arena)
{
    const char *path = getenv("PATH");

    for (; path; path = *path ? path + 1 : NULL) {
        size_t len = strcspn(path, ":");
        const char *directory = len > 0 ? rh_arena_strndup(arena, path, len) : ".";

        if (access(rh_file_join(arena, directory, name), X_OK) == 0)
            return true;
        path += len;
    }
    return false;
}

/* Restoring a snapshot takes long: what cannot be run is told before. */
static enum err_code check_command(const struct options *options, struct err *err)
{
    const char *name = options->argv ? options->argv[0] : NULL;

    if (!name || !name[0])
        return RH_OK;
    if (strchr(name, '/')) {
        if (access(name, X_OK) == 0)
            return RH_OK;
        rh_err_set_errno(err, errno, "cannot run \"%s\"", name);
    } else {
        if (!getenv("PATH") || sets_path(options) || is_in_path(name, options->arena))
            return RH_OK;
        rh_err_set(err, RH_ERR_ENVIRONMENT, "cannot run \"%s\": command not found", name);
        rh_err_hint(err, "Is it installed, and its folder in PATH?");
    }
    err->code = RH_ERR_ENVIRONMENT;
    return RH_ERR_ENVIRONMENT;
}

/* What is on the command line wins over a dir or since that the file or environment names. */
static const char *migration_option(const struct options *options, const char *name,
                                    bool has_arguments)
{
    const struct option_value *value = rh_option_value(options, name);

    return has_arguments && value->origin != ORIGIN_FLAG ? NULL : value->text;
}

static struct migration_request migration_request(const struct options *options)
{
    bool has_command = options->argv != NULL;
    bool has_arguments = has_command || options->positionals.count > 0;

    return (struct migration_request){
        .paths = options->positionals.items,
        .path_count = options->positionals.count,
        .argv = options->argv,
        .directory = migration_option(options, "dir", has_arguments),
        .since = migration_option(options, "since", has_command),
    };
}

static struct limits limits(const struct options *options)
{
    return (struct limits){
        .duration_us = rh_option_number(options, "max-duration", -1),
        .blocked_us = rh_option_number(options, "max-blocked", -1),
        .wal_bytes = rh_option_number(options, "max-wal", -1),
        .disk_bytes = rh_option_number(options, "max-disk", -1),
        .lag_us = rh_option_number(options, "max-lag", -1),
        .replica_apply_bytes_per_s = rh_option_number(options, "replica-apply-rate", -1),
        .fail_on = rh_run_fail_on(options),
        .structure_only = rh_option_flag(options, "structure-only"),
        .accept_sample = rh_option_flag(options, "accept-sample"),
    };
}

static struct rehearsal_options rehearsal_options(const struct options *options,
                                                  struct progress *progress)
{
    struct rehearsal_options rehearsal = {
        .migration = migration_request(options),
        .sandbox = rh_run_sandbox_options(options, progress),
        .show_values = rh_option_flag(options, "show-values"),
        .snapshot_path = rh_option_text(options, "snapshot"),
        .allow_unmasked = rh_option_flag(options, "allow-unmasked"),
        .require_masked = rh_option_flag(options, "require-masked"),
        .environment = rh_option_list(options, "env", NULL),
        .limits = limits(options),
        .no_isolation = rh_option_flag(options, "no-isolation"),
        .down = rh_option_text(options, "down"),
        .no_way_back = rh_option_flag(options, "no-way-back"),
        .restore_test = rh_option_flag(options, "restore-test"),
        .keep = rh_option_flag(options, "keep"),
        .out_directory = rh_option_text(options, "out"),
        .progress = progress,
    };

    (void)parse_cuts(rh_option_text(options, "cuts"), &rehearsal.cuts); /* checked before */
    rehearsal.schema_paths = rh_option_list(options, "schema", &rehearsal.schema_count);
    rehearsal.query_paths = rh_option_list(options, "queries", &rehearsal.query_count);
    rehearsal.check_paths = rh_option_list(options, "checks", &rehearsal.check_count);
    return rehearsal;
}

static struct dry_run_options dry_run_options(const struct options *options)
{
    struct dry_run_options dry_run = {
        .url = rh_option_text(options, "sandbox-url"),
        .lock_timeout_us = rh_option_number(options, "lock-timeout", 0),
        .statement_timeout_us = rh_option_number(options, "statement-timeout", 0),
        .allow_active_sessions = rh_option_flag(options, "allow-active-sessions"),
    };

    dry_run.production = rh_option_list(options, "production", &dry_run.production_count);
    return dry_run;
}

/* --- output -------------------------------------------------------------------------------------
 */

struct output {
    const struct options *options;
    bool json;
    struct err error; /* the first failure of standard output */
};

static void write_event(void *context, json_t *event)
{
    struct output *output = context;
    struct err err = RH_ERR_INIT;

    if (!output->error.code && rh_cli_write_json(event, &err))
        output->error = err;
}

static void write_new_event(struct output *output, json_t *event)
{
    write_event(output, event);
    json_decref(event);
}

static void write_kept(struct output *output, const struct rehearsal *rehearsal)
{
    const char *url = rh_rehearsal_kept_url(rehearsal);
    const char *stop_command = rh_rehearsal_kept_stop_command(rehearsal);
    struct err err = RH_ERR_INIT;
    RH_CLEANUP_BUF struct buf text;

    rh_buf_init(&text, OUTPUT_MAX_BYTES);
    if (!url)
        return;
    if (output->json) {
        json_t *event = json_object();

        json_object_set_new(event, "event", json_string("kept"));
        json_object_set_new(event, "url", rh_json_text(url));
        json_object_set_new(event, "stop_command", rh_json_text(stop_command));
        write_new_event(output, event);
        return;
    }
    rh_buf_printf(&text, "\nThe sandbox is still up:\n    %s\nStop it with:\n    %s\n", url,
                  stop_command);
    if (rh_cli_write(rh_buf_text(&text), &err) && !output->error.code)
        output->error = err;
}

static void write_result(struct output *output, const struct rehearsal *rehearsal,
                         const struct result *result)
{
    const struct options *options = output->options;
    struct err err = RH_ERR_INIT;
    RH_CLEANUP_BUF struct buf text;

    rh_buf_init(&text, OUTPUT_MAX_BYTES);
    if (output->json) {
        json_t *event = json_object(), *json = rh_result_to_json(result);

        write_kept(output, rehearsal);
        json_object_set_new(event, "event", json_string("result"));
        json_object_update(event, json);
        json_decref(json);
        write_new_event(output, event);
        return;
    }

    enum report_detail detail = rh_option_flag(options, "quiet")     ? REPORT_QUIET
                                : rh_option_flag(options, "verbose") ? REPORT_VERBOSE
                                                                     : REPORT_NORMAL;
    struct terminal terminal = rh_run_terminal(options);

    rh_report_terminal(result, &terminal, detail, &text);
    if (rh_cli_write(rh_buf_text(&text), &err))
        output->error = err;
    write_kept(output, rehearsal);
}

/* --since with nothing new: there is nothing to rehearse, which is no failure of the branch. */
static bool has_nothing_new(const struct rehearsal_options *rehearsal, struct output *output)
{
    struct arena *arena = rh_arena_new();
    struct migration migration = {0};
    struct err err = RH_ERR_INIT;
    bool is_empty = false;

    /* An error here comes again, and is reported, when the rehearsal opens the migration. */
    if (rehearsal->migration.since &&
        !rh_migration_open(&rehearsal->migration, arena, &migration, &err))
        is_empty = migration.steps.count == 0;
    rh_arena_free(arena);
    if (!is_empty)
        return false;
    if (output->json) {
        json_t *event = json_object();

        json_object_set_new(event, "event", json_string("nothing-to-rehearse"));
        json_object_set_new(event, "since", rh_json_text(rehearsal->migration.since));
        write_new_event(output, event);
    }
    rh_cli_note("nothing to rehearse: no migration is new since %s", rehearsal->migration.since);
    return true;
}

static int rehearse(struct output *output, const struct rehearsal_options *rehearsal_options)
{
    struct rehearsal *rehearsal = NULL;
    const struct result *result = NULL;
    struct err err = RH_ERR_INIT;
    int status;

    if (rh_rehearsal_run(rehearsal_options, &rehearsal, &result, &err))
        return rh_cli_fail_as(output->json, &err);
    write_result(output, rehearsal, result);
    status = rh_option_flag(output->options, "exit-zero") ? 0 : result->exit_code;
    rh_rehearsal_free(rehearsal);
    return output->error.code ? rh_cli_fail(&output->error) : status;
}

static int run(const struct options *parsed)
{
    struct options options = *parsed;
    struct output output = {.options = &options};
    struct err err = RH_ERR_INIT;
    int status = rh_run_options_complete(&options, NULL);

    if (status)
        return status;
    output.json = rh_option_flag(&options, "json");
    if (output.json && rh_cli_write_json_start(&err))
        return rh_cli_fail(&err);
    if (check_together(&options, &err) || check_dry_run(&options, &err) ||
        check_command(&options, &err))
        return rh_cli_fail_as(output.json, &err);

    /* From the configuration, with --rollback: those of a sandbox. */
    bool is_dry_run = rh_option_flag(&options, "rollback");
    struct workload_options workload = {0};
    if (!is_dry_run && (rh_workload_options_read(&options, &workload, &err) ||
                        rh_workload_check(&workload, options.arena, &err))) {
        rh_workload_reader_free(workload.reader);
        return rh_cli_fail_as(output.json, &err);
    }
    struct progress *progress = rh_run_begin(&options);
    struct rehearsal_options rehearsal = rehearsal_options(&options, progress);
    rehearsal.workload = workload;
    struct dry_run_options dry_run = dry_run_options(&options);

    if (is_dry_run) {
        rehearsal.dry_run = &dry_run;
        rehearsal.query_count = 0;
        rehearsal.check_count = 0;
    }

    if (output.json) {
        rehearsal.event = write_event;
        rehearsal.event_context = &output;
    }
    status = has_nothing_new(&rehearsal, &output) ? 0 : rehearse(&output, &rehearsal);
    rh_progress_free(progress);
    rh_workload_reader_free(workload.reader);
    return status;
}

static const char *const usage[] = {"rehearse run [OPTIONS] FILE|DIR...",
                                    "rehearse run [OPTIONS] -- COMMAND [ARG...]", NULL};
static const char *const description[] = {
    "Starts a throw-away server, fills it with --snapshot or --schema, runs the migration on it, "
    "watches what the server really does, and gives a verdict: SAFE, UNSAFE or INCONCLUSIVE. It "
    "touches no other server, and leaves nothing behind. With --rollback there is no sandbox: the "
    "migration runs in one transaction of a staging database, and is rolled back.",
    "FILEs are run as psql would run them, one statement at a time, each in a transaction of its "
    "own "
    "unless the file says otherwise. A DIR is run in version order; files of golang-migrate, sqlx, "
    "goose, dbmate, Flyway, diesel and Prisma are recognised and run the way these tools run them, "
    "up.",
    "COMMAND is any migration tool. It finds the sandbox in DATABASE_URL, PGHOST and the other PG* "
    "variables, FLYWAY_*, LIQUIBASE_COMMAND_*, GOOSE_*, and as {url} {jdbc_url} {host} {port} {db} "
    "{user} {password} in its arguments; it can reach nothing else.",
    "Exit codes: 0 SAFE, 5 UNSAFE, 3 INCONCLUSIVE, 1 could not rehearse, 2 usage; \"rehearse help "
    "exit-codes\" tells all.",
    NULL};
static const char *const examples[] = {
    "rehearse run --schema schema.sql migrations/0042_add_index.sql",
    "rehearse run --snapshot app.dump --dir migrations --since origin/main",
    "rehearse run --snapshot app.dump --max-blocked 500ms -- alembic upgrade head", NULL};

const struct command rh_command_run = {
    .name = "run",
    .summary = "rehearse a migration and judge it",
    .usage = usage,
    .description = description,
    .examples = examples,
    .options = rows,
    .option_count = sizeof(rows) / sizeof(*rows),
    .positional_name = "FILE|DIR",
    .positional_max = SIZE_MAX,
    .takes_command = true,
    .run = run,
};
