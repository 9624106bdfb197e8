#include "cmd/cli.h"
#include "cmd/run_options.h"

static const struct option rows[] = {
    OPTION_ROW_CONFIG,
    OPTION_ROW_NO_CONFIG,
    OPTION_ROW_JSON_OBJECT(NULL, "The same as one JSON object."),
};

/* "2s", "a, b", "yes"; NULL when nothing set it. */
static const char *shown_value(const struct options *settings, size_t index)
{
    const struct option *option = &settings->command->options[index];
    const struct option_value *value = &settings->values[index];
    char *list;

    if (option->kind == OPTION_FLAG)
        return value->origin == ORIGIN_NONE ? NULL : value->number ? "yes" : "no";
    if (value->list.count == 0)
        return value->text;
    list = rh_arena_strdup(settings->arena, "");
    for (size_t i = 0; i < value->list.count; i++)
        list = rh_arena_printf(settings->arena, "%s%s%s", list, i == 0 ? "" : ", ",
                               value->list.items[i]);
    return list;
}

static const char *shown_origin(const struct option_value *value)
{
    return value->origin == ORIGIN_NONE ? "not set" : value->where;
}

static void show_text(const struct options *settings, const char *path, struct buf *out)
{
    rh_buf_printf(out, "file: %s\n\n", path ? path : "none");
    for (size_t i = 0; i < settings->command->option_count; i++) {
        const char *value = shown_value(settings, i);

        if (settings->command->options[i].not_in_file)
            continue;
        rh_buf_printf(out, "%-20s %-24s %s\n", settings->command->options[i].name,
                      value ? value : "-", shown_origin(&settings->values[i]));
    }
}

static json_t *value_json(const struct option *option, const struct option_value *value)
{
    if (option->kind == OPTION_FLAG)
        return json_boolean(value->number);
    if (option->kind == OPTION_TEXTS || option->kind == OPTION_PATHS ||
        option->kind == OPTION_PAIRS) {
        json_t *list = json_array();

        for (size_t i = 0; i < value->list.count; i++)
            json_array_append_new(list, rh_json_text(value->list.items[i]));
        return list;
    }
    return rh_json_text(value->text);
}

static json_t *show_json(const struct options *settings, const char *path)
{
    json_t *json = json_object(), *options = json_object();

    json_object_set_new(json, "format_version", json_string("1.0"));
    json_object_set_new(json, "file", rh_json_text(path));
    for (size_t i = 0; i < settings->command->option_count; i++) {
        const struct option *option = &settings->command->options[i];
        const struct option_value *value = &settings->values[i];
        json_t *entry = json_object();

        json_object_set_new(entry, "value", value_json(option, value));
        json_object_set_new(entry, "origin", rh_json_text(shown_origin(value)));
        if (option->not_in_file)
            json_decref(entry);
        else
            json_object_set_new(options, option->name, entry);
    }
    json_object_set_new(json, "options", options);
    return json;
}

static int run(const struct options *parsed)
{
    struct options settings;
    struct err err = RH_ERR_INIT;
    const char *path = NULL;
    const char *action = parsed->positionals.count > 0 ? parsed->positionals.items[0] : NULL;
    RH_CLEANUP_BUF struct buf out;
    int status;

    rh_buf_init(&out, OUTPUT_MAX_BYTES);
    if (!action || strcmp(action, "show") != 0) {
        if (action)
            rh_err_set(&err, RH_ERR_USAGE, "unknown action \"%s\" of \"rehearse config\"", action);
        else
            rh_err_set(&err, RH_ERR_USAGE, "\"rehearse config\" needs an action");
        rh_err_hint(&err, "Usage: rehearse config show");
        return rh_cli_fail(&err);
    }
    status = rh_run_options_read(parsed, true, &settings, &path);
    if (status)
        return status;
    if (rh_option_flag(parsed, "json")) {
        return rh_cli_finish_json(show_json(&settings, path));
    }
    show_text(&settings, path, &out);
    return rh_cli_finish(rh_buf_text(&out), 0);
}

static const char *const usage[] = {"rehearse config show [OPTIONS]", NULL};
static const char *const description[] = {
    "Shows every option of \"rehearse run\" with the value it would have here and where that comes "
    "from: an environment variable, a line of rehearse.yaml, or the default. A flag of \"run\" "
    "wins "
    "over all of them.",
    "rehearse.yaml holds the options of \"run\" by their long names (paths are relative to the "
    "file), "
    "and the limits below \"gates\": duration, blocked, wal, disk, lag, replica_apply_rate. "
    "Unknown and "
    "duplicate keys and durations without a unit are errors.",
    NULL};
static const char *const examples[] = {"rehearse config show",
                                       "REHEARSE_MAX_BLOCKED=1s rehearse config show --json", NULL};

const struct command rh_command_config = {
    .name = "config",
    .summary = "the options in effect and where they come from",
    .usage = usage,
    .description = description,
    .examples = examples,
    .options = rows,
    .option_count = sizeof(rows) / sizeof(*rows),
    .positional_name = "show",
    .positional_max = 1,
    .run = run,
};
