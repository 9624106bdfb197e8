#include "cmd/cli.h"
#include "cmd/run_options.h"

#include "rehearsal/demo.h"

static const struct option rows[] = {
    OPTION_ROW_SERVER_BIN,
    OPTION_ROW_SERVER_USER,
    OPTION_ROW_SANDBOX_DIR,
    OPTION_ROW_TIMEOUT,
    {
        .name = "out",
        .short_name = 'o',
        .kind = OPTION_PATH,
        .value_name = "DIR",
        .group = GROUP_OUTPUT,
        .environment = "REHEARSE_OUT",
        .help = "Keep the files of each rehearsal here.",
        .details = "One directory for each migration. Without it no files are written.",
    },
    OPTION_ROW_JSON,
    OPTION_ROW_QUIET,
    OPTION_ROW_COLOR,
};

struct show {
    bool json;
    struct err error; /* the first failure of standard output */
};

static void print(void *context, struct text text)
{
    struct show *show = context;
    struct err err = RH_ERR_INIT;

    if (!show->json && !show->error.code && rh_cli_write(text, &err))
        show->error = err;
}

static void print_result(void *context, const struct result *result)
{
    struct show *show = context;
    struct err err = RH_ERR_INIT;
    json_t *event = json_object(), *json = rh_result_to_json(result);

    json_object_set_new(event, "event", json_string("result"));
    json_object_update(event, json);
    if (!show->error.code && rh_cli_write_json(event, &err))
        show->error = err;
    json_decref(json);
    json_decref(event);
}

static int run(const struct options *parsed)
{
    struct options options = *parsed;
    struct show show = {0};
    struct err err = RH_ERR_INIT;
    bool as_expected = false;
    int status = rh_run_options_complete(&options, NULL);

    if (status)
        return status;
    show.json = rh_option_flag(&options, "json");
    if (show.json && rh_cli_write_json_start(&err))
        return rh_cli_fail(&err);

    struct progress *progress = rh_run_begin(&options);
    struct demo_options demo = {
        .sandbox = rh_run_sandbox(&options, progress),
        .terminal = rh_run_terminal(&options),
        .progress = progress,
        .out_directory = rh_option_text(&options, "out"),
        .print = print,
        .print_context = &show,
        .result = show.json ? print_result : NULL,
        .result_context = &show,
    };

    if (rh_demo_run(&demo, &as_expected, &err))
        status = rh_cli_fail_as(show.json, &err);
    else if (show.error.code)
        status = rh_cli_fail(&show.error);
    else if (!as_expected)
        status = 1;
    rh_progress_free(progress);
    return status;
}

static const char *const usage[] = {"rehearse demo [OPTIONS]", NULL};
static const char *const description[] = {
    "Makes a shop with about a million rows on a throw-away server and rehearses four migrations "
    "on "
    "copies of it: a safe one, one that fails on the data, one that rewrites a large table while "
    "everybody waits, and one that builds an index the blocking way. Each ends with its verdict "
    "and "
    "the reason.",
    "Exits with 0 when all four verdicts are as they should be. It touches no other server, and "
    "leaves "
    "nothing behind.",
    NULL};
static const char *const examples[] = {"rehearse demo", "rehearse demo --out demo-results", NULL};

const struct command rh_command_demo = {
    .name = "demo",
    .summary = "see it work on a built-in shop database",
    .usage = usage,
    .description = description,
    .examples = examples,
    .options = rows,
    .option_count = sizeof(rows) / sizeof(*rows),
    .run = run,
};
