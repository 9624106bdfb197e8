#include "cmd/cli.h"
#include "cmd/run_options.h"

#include "base/clock.h"
#include "base/say.h"
#include "report/report.h"
#include "snapshot/place.h"

static const struct option rows[] = {
    {
        .name = "columns",
        .kind = OPTION_FLAG,
        .group = GROUP_OUTPUT,
        .is_common = true,
        .help = "Every column with its rule and the reason for it.",
    },
    OPTION_ROW_JSON_OBJECT(NULL, "The manifest as one JSON object."),
    {
        .name = "verbose",
        .short_name = 'v',
        .kind = OPTION_FLAG,
        .group = GROUP_OUTPUT,
        .environment = "REHEARSE_VERBOSE",
        .is_common = true,
        .help = "Why each table has the rows it has.",
    },
    OPTION_ROW_COLOR,
};

static const char *or_unknown(const char *text)
{
    return text ? text : "unknown";
}

/* A dump that somebody made with pg_dump: it says little, and nothing about its rows. */
static int inspect_archive(const struct options *options, const char *path)
{
    struct archive_facts facts;
    struct err err = RH_ERR_INIT;
    RH_CLEANUP_BUF struct buf text;

    rh_buf_init(&text, OUTPUT_MAX_BYTES);
    if (rh_sandbox_archive_facts(path, options->arena, &facts, &err))
        return rh_cli_fail(&err);
    if (rh_option_flag(options, "json"))
        return rh_cli_finish_json(
            json_pack("{s:s, s:s, s:s?, s:s?, s:s?, s:o, s:n}", "format_version", "1.0", "archive",
                      facts.kind, "server_version", facts.server_version, "dump_version",
                      facts.dump_version, "database", facts.database, "age_s",
                      facts.age_s < 0 ? json_null() : json_integer(facts.age_s), "is_masked"));
    rh_buf_printf(&text, "archive   %s: %s\n", path, facts.kind);
    rh_buf_printf(&text, "of        database %s, PostgreSQL %s, by pg_dump %s\n",
                  or_unknown(facts.database), or_unknown(facts.server_version),
                  or_unknown(facts.dump_version));
    if (facts.age_s >= 0)
        rh_buf_printf(&text, "taken     %s ago\n", rh_say_age(options->arena, facts.age_s));
    rh_buf_add_str(&text, "masking   nobody knows: \"rehearse snapshot import\" makes a masked "
                          "snapshot of it\n");
    return rh_cli_finish(rh_buf_text(&text), 0);
}

static int run(const struct options *parsed)
{
    struct options options = *parsed;
    const char *path = options.positionals.count > 0 ? options.positionals.items[0] : NULL;
    struct manifest manifest;
    struct err err = RH_ERR_INIT;
    RH_CLEANUP_BUF struct buf text;
    int status = rh_run_options_complete(&options, NULL);

    rh_buf_init(&text, OUTPUT_MAX_BYTES);
    if (status)
        return status;
    if (!path) {
        rh_err_set(&err, RH_ERR_USAGE, "DIR is missing: which snapshot?");
        return rh_cli_fail(&err);
    }
    if (!rh_snapshot_is_own(path))
        return inspect_archive(&options, path);
    if (rh_snapshot_read(path, options.arena, &manifest, &err))
        return rh_cli_fail(&err);
    if (rh_option_flag(&options, "json"))
        return rh_cli_finish_json(rh_manifest_to_json(&manifest));

    struct terminal terminal = rh_run_terminal(&options);

    rh_report_manifest(
        &manifest, &terminal,
        (struct manifest_view){
            .detail = rh_option_flag(&options, "verbose") ? REPORT_VERBOSE : REPORT_NORMAL,
            .shows_columns = rh_option_flag(&options, "columns"),
            .now_us = rh_clock_wall().us,
            .path = path,
        },
        &text);
    return rh_cli_finish(rh_buf_text(&text), 0);
}

static const char *const usage[] = {"rehearse snapshot inspect DIR|ARCHIVE [OPTIONS]", NULL};
static const char *const description[] = {
    "Shows what a snapshot holds: where and when it was taken, its tables with production's rows "
    "and its own, what was masked, settings, extensions, collations, certificates, and what making "
    "it cost production. Reads the manifest alone.",
    "Of any other pg_dump archive it shows what the header says.", NULL};
static const char *const examples[] = {"rehearse snapshot inspect shop.snapshot",
                                       "rehearse snapshot inspect shop.snapshot --columns", NULL};

const struct command rh_command_snapshot_inspect = {
    .name = "snapshot inspect",
    .summary = "what is in a snapshot",
    .usage = usage,
    .description = description,
    .examples = examples,
    .options = rows,
    .option_count = sizeof(rows) / sizeof(*rows),
    .positional_name = "DIR|ARCHIVE",
    .positional_max = 1,
    .run = run,
};
