#include "cmd/cli.h"
#include "cmd/run_options.h"
#include "cmd/workload_open.h"

#include "base/say.h"
#include "engine/engine.h"
#include "store/workload_file.h"
#include "workload/import.h"
#include "workload/statement_source.h"

#include <stdlib.h>

static const char *const formats[] = {
#define X(symbol, name) name,
    IMPORT_FORMAT_LIST(X)
#undef X
        NULL};

static const struct option rows[] = {
    {
        .name = "out",
        .short_name = 'o',
        .kind = OPTION_PATH,
        .value_name = "FILE",
        .group = GROUP_OUTPUT,
        .not_in_file = true,
        .is_common = true,
        .help = "The workload; put in place when it is complete.",
    },
    {
        .name = "format",
        .kind = OPTION_CHOICE,
        .value_name = "FORMAT",
        .choices = formats,
        .group = "Source",
        .default_text = "guess",
        .is_common = true,
        .help = "stderr, csvlog, jsonlog, sql or pgbench.",
    },
    {
        .name = "prefix",
        .kind = OPTION_TEXT,
        .value_name = "PREFIX",
        .group = "Source",
        .is_common = true,
        .help = "The server's log_line_prefix, of stderr logs.",
        .details =
            "As SHOW log_line_prefix has it, with the blank at its end. Without it the usual "
            "ones are tried, and the one that fits is named.",
    },
    {
        .name = "repeat",
        .kind = OPTION_COUNT,
        .value_name = "N",
        .group = "Source",
        .default_text = "1",
        .help = "How often scripts are run; by each client.",
    },
    {
        .name = "clients",
        .kind = OPTION_COUNT,
        .value_name = "N",
        .group = "Source",
        .default_text = "1",
        .help = "Sessions that run pgbench scripts.",
    },
    {
        .name = "scale",
        .kind = OPTION_COUNT,
        .value_name = "N",
        .group = "Source",
        .default_text = "1",
        .help = ":scale in pgbench scripts.",
    },
    {
        .name = "seed",
        .kind = OPTION_COUNT,
        .value_name = "N",
        .group = "Source",
        .default_text = "1",
        .help = "Of the random numbers in pgbench scripts.",
    },
    {
        .name = "from",
        .kind = OPTION_TEXT,
        .value_name = "URL",
        .group = "Production",
        .environment = "REHEARSE_FROM",
        .not_in_file = true,
        .is_common = true,
        .help = "Read its pg_stat_statements: what runs how often.",
        .details = "Read only; the role needs pg_read_all_stats. With FILE the workload's patterns "
                   "get their weights, also those of a workload that is there already; without it "
                   "the sums are kept by themselves, for --statement-sums later. Passwords are "
                   "better in the environment variable or in ~/.pgpass than on the command line.",
    },
    {
        .name = "statement-sums",
        .kind = OPTION_PATH,
        .value_name = "FILE",
        .group = "Production",
        .not_in_file = true,
        .help = "The same from an export, or from earlier.",
        .details = "CSV with a header, or a JSON array, with query, calls and total_exec_time; or "
                   "what --from has made.",
    },
    {
        .name = "unencrypted",
        .kind = OPTION_FLAG,
        .group = GROUP_OUTPUT,
        .not_in_file = true,
        .help = "Do not encrypt the workload.",
        .details = "It holds the values of production's queries, not masked. Without this option "
                   "it is encrypted, by default with ~/.config/rehearse/workload.key, which is "
                   "made on first use.",
    },
    OPTION_ROW_WORKLOAD_KEY,
};

static enum err_code read_key(const struct options *options, struct mask_master_key *key,
                              const uint8_t **ret_key, struct err *err)
{
    const char *file = rh_option_text(options, "workload-key");
    bool is_clear = rh_option_flag(options, "unencrypted");
    *ret_key = is_clear ? NULL : key->bytes;
    if (!is_clear)
        return rh_workload_make_key(options, file, false, key, err);
    if (file != NULL)
        return rh_err_set(err, RH_ERR_USAGE,
                          "--unencrypted and --workload-key contradict each other");
    return RH_OK;
}

/* --from, --statement-sums. NULL: neither. */
static enum err_code read_sums(const struct options *options, struct statement_sums *sums,
                               const struct statement_sums **ret_sums, struct err *err)
{
    const char *url = rh_option_text(options, "from");
    const char *path = rh_option_text(options, "statement-sums");
    enum err_code code = RH_OK;
    *ret_sums = NULL;
    if (url != NULL && path != NULL)
        return rh_err_set(err, RH_ERR_USAGE, "--from and --statement-sums contradict each other");
    if (url != NULL)
        code = rh_statement_sums_ask(&rh_engine_postgres, url, options->arena, sums, err);
    else if (path != NULL)
        code = rh_statement_sums_read(path, options->arena, sums, err);
    if (code == RH_OK && (url != NULL || path != NULL))
        *ret_sums = sums;
    return code;
}

static void tell(const struct options *options, const char *out, const struct import_report *report)
{
    struct arena *arena = options->arena;
    rh_cli_note("%s: %s, %s of %s in %s", out, report->format,
                rh_say_count(arena, report->outcome.statements, "statement"),
                rh_say_count(arena, report->outcome.patterns, "pattern"),
                rh_say_count(arena, report->outcome.sessions, "session"));
    if (report->prefix != NULL)
        rh_cli_note("read with log_line_prefix '%s', which fits most lines; --prefix says another",
                    report->prefix);
    if (report->strange_lines > 0)
        rh_cli_note("%s of %s belong to no record", rh_say_number(arena, report->strange_lines),
                    rh_say_count(arena, report->lines, "line"));
    const struct workload_production *production = &report->totals.production;
    if (production->is_known && production->total_us > 0 && report->outcome.statements > 0)
        rh_cli_note("it covers %.1f %% of production's time; %s of it never seen here",
                    100 * (double)production->covered_us / (double)production->total_us,
                    rh_say_count(arena, production->never_seen, "pattern"));
    for (size_t i = 0; i < report->totals.fidelity.notes.count; i++)
        rh_cli_note("note: %s", report->totals.fidelity.notes.items[i]);
}

static int run(const struct options *parsed)
{
    struct options options = *parsed;
    struct err err = RH_ERR_INIT;
    struct mask_master_key key = {.bytes = {0}};
    uint8_t source_key[WORKLOAD_KEY_BYTES];
    struct statement_sums sums;
    bool has_source_key = false, weighs_only = false;
    struct import_report report;
    int status = rh_run_options_complete(&options, NULL);
    if (status)
        return status;
    int64_t repeat = rh_option_number(&options, "repeat", 1);
    struct import_options import = {
        .paths = options.positionals.items,
        .path_count = options.positionals.count,
        .format = (enum import_format)rh_option_number(&options, "format", IMPORT_GUESS),
        .prefix = rh_option_text(&options, "prefix"),
        .repeat = repeat,
        .clients = rh_option_number(&options, "clients", 1),
        .scale = rh_option_number(&options, "scale", 1),
        .seed = (uint64_t)rh_option_number(&options, "seed", 1),
        .out = rh_option_text(&options, "out"),
    };
    enum err_code code = RH_OK;
    bool has_sums = rh_option_text(&options, "from") || rh_option_text(&options, "statement-sums");
    bool is_workload = import.path_count > 0 && rh_workload_file_is(import.paths[0]);
    weighs_only = has_sums && import.path_count == 0;
    if (import.path_count == 0 && !has_sums)
        code = rh_err_set(&err, RH_ERR_USAGE, "FILE is missing: which logs?");
    else if (is_workload && (!has_sums || import.path_count > 1))
        code = rh_err_set(&err, RH_ERR_USAGE, "\"%s\" is a workload already%s", import.paths[0],
                          has_sums ? ": name it alone" : "; --from weighs it");
    else if (import.out == NULL)
        code = rh_err_set(&err, RH_ERR_USAGE, "--out is missing: where does the workload go?");
    else if (repeat < 1)
        code = rh_err_set(&err, RH_ERR_USAGE, "--repeat: at least 1");
    else if (import.clients < 1 || import.scale < 1)
        code = rh_err_set(&err, RH_ERR_USAGE, "--clients and --scale: at least 1");
    if (code == RH_OK && is_workload)
        code = rh_workload_read_key(&options, source_key, &has_source_key, &err);
    import.source_key = has_source_key ? source_key : NULL;
    if (code == RH_OK && !weighs_only)
        code = read_key(&options, &key, &import.key, &err);
    if (code == RH_OK)
        code = read_sums(&options, &sums, &import.sums, &err);
    (void)unsetenv("REHEARSE_FROM"); /* no child of ours has a use for it */
    if (code == RH_OK)
        code = rh_workload_import(&import, options.arena, &report, &err);
    rh_master_key_wipe(&key);
    explicit_bzero(source_key, sizeof(source_key));
    if (code != RH_OK)
        return rh_cli_fail(&err);
    tell(&options, import.out, &report);
    return 0;
}

static const char *const usage[] = {
    "rehearse workload import FILE... -o FILE [OPTIONS]",
    "rehearse workload import [FILE...] --from URL -o FILE [OPTIONS]", NULL};
static const char *const description[] = {
    "Makes a workload of what is there already: logs of a server (stderr, csvlog, jsonlog, also "
    ".gz), in their order; files of SQL, each of them a session; or scripts of pgbench, "
    "FILE@WEIGHT, "
    "with \\set and its random functions run with a seed.",
    "What production runs how often comes from its pg_stat_statements (--from).",
    "Statements that the log has with their parameters become messages of the extended protocol, "
    "others simple queries. What a log cannot tell is said, and graded in the workload.",
    NULL};
static const char *const examples[] = {
    "rehearse workload import /var/log/postgresql/postgresql.json -o app.workload",
    "rehearse workload import server.log --prefix '%m [%p] %u@%d ' -o w",
    "rehearse workload import report.sql --repeat 100 -o report.workload",
    "rehearse workload import app.log --from postgresql://stats@db/shop -o w",
    "rehearse workload import buy.sql@9 look.sql --format pgbench -o w",
    NULL};

const struct command rh_command_workload_import = {
    .name = "workload import",
    .summary = "a workload from server logs or SQL files",
    .usage = usage,
    .description = description,
    .examples = examples,
    .options = rows,
    .option_count = sizeof(rows) / sizeof(*rows),
    .positional_name = "FILE",
    .positional_max = 1000,
    .run = run,
};
