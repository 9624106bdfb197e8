#include "cmd/run_options.h"

#include "base/interrupt.h"
#include "base/suggest.h"
#include "cmd/cli.h"

#include <stdio.h>
#include <unistd.h>

/* Problems of a file with thousands of mistakes: the first ones tell the story. */
#define PROBLEMS_MAX_BYTES ((size_t)256 * 1024)

const char *const rh_color_choices[] = {"auto", "always", "never", NULL};
const char *const rh_fail_on_choices[] = {"error", "warning", "info", NULL};

struct progress *rh_run_begin(const struct options *options)
{
    int64_t timeout_us = rh_option_number(options, "timeout", 0);

    if (timeout_us > 0)
        rh_interrupt_set_deadline(rh_clock_after(rh_clock_mono(), timeout_us));
    return rh_progress_new(STDERR_FILENO, rh_option_flag(options, "quiet") ? PROGRESS_NONE
                                          : isatty(STDERR_FILENO)          ? PROGRESS_TERMINAL
                                                                           : PROGRESS_LOG);
}

struct terminal rh_run_terminal(const struct options *options)
{
    return rh_terminal_probe(STDOUT_FILENO,
                             (enum color_choice)rh_option_number(options, "color", COLOR_AUTO));
}

enum severity rh_run_fail_on(const struct options *options)
{
    static const enum severity by_choice[] = {SEVERITY_ERROR, SEVERITY_WARNING, SEVERITY_INFO};

    return by_choice[rh_option_number(options, "fail-on", 0)];
}

struct sandbox_options rh_run_sandbox(const struct options *options, struct progress *progress)
{
    return (struct sandbox_options){
        .engine = &rh_engine_postgres,
        .server_bin = rh_option_text(options, "server-bin"),
        .parent_directory = rh_option_text(options, "sandbox-dir"),
        .server_user = rh_option_text(options, "server-user"),
        .progress = progress,
    };
}

static enum err_code find_file(const struct options *options, const char **ret_path,
                               struct err *err)
{
    const char *named = rh_option_text(options, "config");

    *ret_path = NULL;
    if (rh_option_flag(options, "no-config")) {
        if (rh_option_value(options, "config")->origin == ORIGIN_FLAG &&
            rh_option_value(options, "no-config")->origin == ORIGIN_FLAG)
            return rh_err_set(err, RH_ERR_USAGE, "both --config and --no-config were given");
        return RH_OK;
    }
    if (named) {
        *ret_path = named;
        return RH_OK;
    }
    return rh_config_find(options->arena, ret_path, err);
}

static int fail_config(const struct config *config, const struct err *err)
{
    RH_CLEANUP_BUF struct buf out;

    rh_buf_init(&out, PROBLEMS_MAX_BYTES);
    if (err->code != RH_ERR_CONFIG)
        return rh_cli_fail(err);
    rh_config_format_problems(config, &out);
    if (out.data)
        fputs(out.data, stderr);
    rh_cli_note("%s; nothing was run", err->message);
    return rh_err_exit_status(err->code);
}

static bool is_variable(const char *name)
{
    for (size_t c = 0; rh_commands[c]; c++) {
        for (size_t i = 0; i < rh_commands[c]->option_count; i++) {
            const char *known = rh_commands[c]->options[i].environment;

            if (known && strcmp(known, name) == 0)
                return true;
        }
    }
    return false;
}

/* A mistyped variable would silently be no limit. Only what looks like one of ours is spoken of:
   the prefix belongs to the user's own variables, too. */
static void warn_of_mistyped_variables(struct arena *arena, const char *const *environment)
{
    static const char prefix[] = "REHEARSE_";

    for (; *environment; environment++) {
        if (strncmp(*environment, prefix, strlen(prefix)) != 0)
            continue;

        const char *name = rh_arena_strndup(arena, *environment, strcspn(*environment, "="));
        struct suggestion suggestion = {.typed = name + strlen(prefix)};

        if (is_variable(name))
            continue;
        for (size_t i = 0; i < rh_command_run.option_count; i++) {
            if (rh_command_run.options[i].environment)
                rh_suggest_consider(&suggestion,
                                    rh_command_run.options[i].environment + strlen(prefix));
        }
        if (suggestion.best)
            rh_cli_note("warning: unknown environment variable %s; did you mean %s%s?", name,
                        prefix, suggestion.best);
    }
}

static int complete(struct options *options, const char **ret_config_path)
{
    struct err err = RH_ERR_INIT;
    struct config config = {0};
    const char *path = NULL;

    if (rh_options_apply_environment(options, (const char *const *)environ, &err))
        return rh_cli_fail(&err);
    if (rh_options_find(options->command, "config") != SIZE_MAX) {
        if (find_file(options, &path, &err))
            return rh_cli_fail(&err);
        if (path && rh_config_load(path, options, options->arena, &config, &err))
            return fail_config(&config, &err);
    }
    rh_options_apply_defaults(options);
    if (ret_config_path)
        *ret_config_path = path;
    return 0;
}

int rh_run_options_complete(struct options *options, const char **ret_config_path)
{
    warn_of_mistyped_variables(options->arena, (const char *const *)environ);
    return complete(options, ret_config_path);
}

int rh_run_options_read(const struct options *own, bool warns, struct options *settings,
                        const char **ret_config_path)
{
    static const char *const passed_on[] = {"config", "no-config"};

    rh_options_init(settings, &rh_command_run, own->arena);
    for (size_t i = 0; i < sizeof(passed_on) / sizeof(*passed_on); i++) {
        const struct option_value *value = rh_option_value(own, passed_on[i]);

        if (value->origin == ORIGIN_FLAG)
            settings->values[rh_options_find(&rh_command_run, passed_on[i])] = *value;
    }
    return warns ? rh_run_options_complete(settings, ret_config_path)
                 : complete(settings, ret_config_path);
}

static const struct server_setting *server_settings(const struct options *options,
                                                    size_t *ret_count)
{
    const char *const *pairs = rh_option_list(options, "set", ret_count);
    struct server_setting *settings = rh_arena_alloc_array(options->arena, *ret_count + 1,
                                                           sizeof(*settings));

    for (size_t i = 0; i < *ret_count; i++) {
        const char *equals = strchr(pairs[i], '=');

        settings[i].name = rh_arena_strndup(options->arena, pairs[i], (size_t)(equals - pairs[i]));
        settings[i].value = equals + 1;
    }
    return settings;
}

struct sandbox_options rh_run_sandbox_options(const struct options *options,
                                              struct progress *progress)
{
    struct sandbox_options sandbox = {
        .engine = &rh_engine_postgres,
        .server_bin = rh_option_text(options, "server-bin"),
        .parent_directory = rh_option_text(options, "sandbox-dir"),
        .server_user = rh_option_text(options, "server-user"),
        .role = rh_option_text(options, "role"),
        .cache_directory = rh_option_text(options, "cache-dir"),
        .no_cache = rh_option_flag(options, "no-cache"),
        .cache_max_bytes = rh_option_number(options, "cache-size", 0),
        .cache_free_bytes = rh_option_number(options, "cache-free", 0),
        .progress = progress,
    };

    sandbox.settings = server_settings(options, &sandbox.setting_count);
    return sandbox;
}
