/*
 * The option rows that subcommands share, and reading them in order of precedence.
 */
#ifndef RH_CMD_RUN_OPTIONS_H
#define RH_CMD_RUN_OPTIONS_H

#include "base/progress.h"
#include "base/terminal.h"
#include "cmd/config.h"
#include "cmd/options.h"
#include "model/result.h"
#include "sandbox/sandbox.h"

#define GROUP_START "Starting point"
#define GROUP_MIGRATION "Migration"
#define GROUP_GATES "Limits and verdict"
#define GROUP_DRY_RUN "Dry run"
#define GROUP_SANDBOX "Sandbox"
#define GROUP_OUTPUT "Output"
#define GROUP_CONFIG "Configuration"

extern const char *const rh_color_choices[]; /* in the order of enum color_choice */
extern const char *const rh_fail_on_choices[];

#define OPTION_ROW_SET                                                                           \
    {                                                                                            \
        .name = "set", .kind = OPTION_PAIRS, .value_name = "NAME=VALUE", .group = GROUP_SANDBOX, \
        .environment = "REHEARSE_SET", .help = "A server setting of the sandbox.",               \
        .details = "For example --set work_mem=64MB. It wins over what the snapshot carries.",   \
    }
#define OPTION_ROW_SERVER_BIN                                                                   \
    {                                                                                           \
        .name = "server-bin", .kind = OPTION_PATH, .value_name = "DIR", .group = GROUP_SANDBOX, \
        .environment = "REHEARSE_SERVER_BIN",                                                   \
        .help = "Directory of the server programs (initdb, postgres).",                         \
        .details = "Without it installed servers are searched for; the major version of the "   \
                   "snapshot is preferred, else the newest.",                                   \
    }
#define OPTION_ROW_SERVER_USER                                                                     \
    {                                                                                              \
        .name = "server-user", .kind = OPTION_TEXT, .value_name = "USER", .group = GROUP_SANDBOX,  \
        .environment = "REHEARSE_SERVER_USER",                                                     \
        .help = "System user the server runs as when rehearse runs as root.",                      \
        .details = "A server refuses to run as root. Without this option: postgres, else nobody.", \
    }
#define OPTION_ROW_SANDBOX_DIR                                                                   \
    {                                                                                            \
        .name = "sandbox-dir", .kind = OPTION_PATH, .value_name = "DIR", .group = GROUP_SANDBOX, \
        .environment = "REHEARSE_SANDBOX_DIR",                                                   \
        .help = "Where sandboxes are made; needs room for the data.",                            \
        .details = "Without it: $TMPDIR, else /var/tmp.",                                        \
    }
#define OPTION_ROW_CACHE_DIR                                                                   \
    {                                                                                          \
        .name = "cache-dir", .kind = OPTION_PATH, .value_name = "DIR", .group = GROUP_SANDBOX, \
        .environment = "REHEARSE_CACHE_DIR", .help = "Where prepared sandboxes are kept.",     \
        .details = "Without it: $XDG_CACHE_HOME/rehearse, else ~/.cache/rehearse. It is for "  \
                   "this user alone.",                                                         \
    }
#define OPTION_ROW_TIMEOUT                                                            \
    {                                                                                 \
        .name = "timeout", .kind = OPTION_DURATION, .value_name = "DURATION",         \
        .group = GROUP_SANDBOX, .environment = "REHEARSE_TIMEOUT", .is_common = true, \
        .help = "End the whole run after this time (exit code 124).",                 \
        .details = "Everything is cleaned up, and what was seen until then is kept.", \
    }
#define OPTION_ROW_JSON                                                                          \
    {                                                                                            \
        .name = "json", .kind = OPTION_FLAG, .group = GROUP_OUTPUT, .is_common = true,           \
        .environment = "REHEARSE_JSON", .help = "Events and result as JSON, one object a line.", \
        .details =                                                                               \
            "On standard output, as it happens: the first line names the format version, "       \
            "the last one is the result (\"event\": \"result\"), or the error that kept it "     \
            "from coming.",                                                                      \
    }
/* Of a command whose result is one object; `variable` may be NULL. */
#define OPTION_ROW_JSON_OBJECT(variable, words)                                        \
    {                                                                                  \
        .name = "json", .kind = OPTION_FLAG, .group = GROUP_OUTPUT, .is_common = true, \
        .environment = variable, .help = words,                                        \
    }
#define OPTION_ROW_FAIL_ON(of_group)                                                               \
    {                                                                                              \
        .name = "fail-on", .kind = OPTION_CHOICE, .value_name = "SEVERITY", .group = of_group,     \
        .choices = rh_fail_on_choices, .environment = "REHEARSE_FAIL_ON", .default_text = "error", \
        .is_common = true, .help = "Findings from here on make it UNSAFE.",                        \
    }
#define OPTION_ROW_QUIET                                                                \
    {                                                                                   \
        .name = "quiet", .short_name = 'q', .kind = OPTION_FLAG, .group = GROUP_OUTPUT, \
        .environment = "REHEARSE_QUIET", .is_common = true,                             \
        .help = "No progress, and only the verdict.",                                   \
    }
#define OPTION_ROW_VERBOSE                                                                \
    {                                                                                     \
        .name = "verbose", .short_name = 'v', .kind = OPTION_FLAG, .group = GROUP_OUTPUT, \
        .environment = "REHEARSE_VERBOSE", .is_common = true,                             \
        .help = "Every statement with its locks and figures.",                            \
    }
#define OPTION_ROW_COLOR                                                                      \
    {                                                                                         \
        .name = "color", .kind = OPTION_CHOICE, .value_name = "WHEN", .group = GROUP_OUTPUT,  \
        .choices = rh_color_choices, .environment = "REHEARSE_COLOR", .default_text = "auto", \
        .help = "Colour in the report.",                                                      \
        .details = "auto: on a terminal, unless NO_COLOR is set.",                            \
    }
#define OPTION_ROW_NO_INPUT                                                                \
    {                                                                                      \
        .name = "no-input", .kind = OPTION_FLAG, .group = GROUP_OUTPUT,                    \
        .environment = "REHEARSE_NO_INPUT", .help = "Never ask anything on the terminal.", \
    }

#define OPTION_ROW_CONFIG                                                                   \
    {                                                                                       \
        .name = "config", .kind = OPTION_PATH, .value_name = "FILE", .group = GROUP_CONFIG, \
        .environment = "REHEARSE_CONFIG", .not_in_file = true,                              \
        .help = "Read options from this file.",                                             \
        .details = "Without it: rehearse.yaml in the current directory, else in those "     \
                   "above it up to the root of the repository.",                            \
    }
#define OPTION_ROW_NO_CONFIG                                             \
    {                                                                    \
        .name = "no-config", .kind = OPTION_FLAG, .group = GROUP_CONFIG, \
        .environment = "REHEARSE_NO_CONFIG", .not_in_file = true,        \
        .help = "Read no configuration file.",                           \
    }

/* For commands with the rows: "timeout", which counts from here on, and "quiet". What is under way
   is shown on standard error; rh_progress_free. */
struct progress *rh_run_begin(const struct options *options);
/* "color": standard output. */
struct terminal rh_run_terminal(const struct options *options);
/* "fail-on". */
enum severity rh_run_fail_on(const struct options *options);
/* "server-bin", "sandbox-dir", "server-user". */
struct sandbox_options rh_run_sandbox(const struct options *options, struct progress *progress);

/*
 * Environment, then rehearse.yaml where the command has a "config" row, then defaults. Prints what
 * is wrong; returns 0, else the exit status. *ret_config_path (may be NULL): the file used, NULL
 * for none.
 */
int rh_run_options_complete(struct options *options, const char **ret_config_path);
/* The settings `run` would have here: its own rows, filled from what the command `own`, with a
   "config" and a "no-config" row, was told to read. Prints and returns as above; of variables that
   look mistyped, when `warns`. */
int rh_run_options_read(const struct options *own, bool warns, struct options *settings,
                        const char **ret_config_path);
/* With which `run`, whose `options` are complete, starts its sandbox. */
struct sandbox_options rh_run_sandbox_options(const struct options *options,
                                              struct progress *progress);

#endif
