#include "cmd/cli.h"
#include "cmd/run_options.h"

#include "report/report.h"
#include "snapshot/place.h"

#include <unistd.h>

static const struct option rows[] = {
    {
        .name = "columns",
        .kind = OPTION_FLAG,
        .group = GROUP_OUTPUT,
        .is_common = true,
        .help = "Every column with its rule and the reason for it.",
    },
    {
        .name = "json",
        .kind = OPTION_FLAG,
        .group = GROUP_OUTPUT,
        .is_common = true,
        .help = "The manifest as one JSON object.",
    },
    OPTION_ROW_VERBOSE,
    OPTION_ROW_COLOR,
};

static int run(const struct options *parsed)
{
    struct options options = *parsed;
    const char *path = options.positionals.count > 0 ? options.positionals.items[0] : NULL;
    struct manifest manifest;
    struct err err = RH_ERR_INIT;
    RH_CLEANUP_BUF struct buf text;
    int status = rh_run_options_complete(&options, NULL);

    if (status)
        return status;
    rh_buf_init(&text, OUTPUT_MAX_BYTES);
    if (!path) {
        rh_err_set(&err, RH_ERR_USAGE, "DIR is missing: which snapshot?");
        return rh_cli_fail(&err);
    }
    if (rh_snapshot_read(path, options.arena, &manifest, &err))
        return rh_cli_fail(&err);
    if (rh_option_flag(&options, "json")) {
        json_t *json = rh_manifest_to_json(&manifest);

        status = rh_cli_write_json(json, &err) ? rh_cli_fail(&err) : 0;
        json_decref(json);
        return status;
    }

    struct terminal terminal = rh_terminal_probe(
        STDOUT_FILENO, (enum color_choice)rh_option_number(&options, "color", COLOR_AUTO));

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

static const char *const usage[] = {"rehearse snapshot inspect DIR [OPTIONS]", NULL};
static const char *const description[] = {
    "Shows what a snapshot holds: where and when it was taken, its tables with production's rows "
    "and its own, what was masked, settings, extensions, collations, certificates, and what making "
    "it cost production. Reads the manifest alone.",
    NULL};
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
    .positional_name = "DIR",
    .positional_max = 1,
    .run = run,
};
