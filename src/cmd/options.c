#include "cmd/options.h"

#include "base/clock.h"
#include "base/suggest.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <strings.h>

void rh_options_init(struct options *options, const struct command *command, struct arena *arena)
{
    *options = (struct options){.command = command, .arena = arena};
    options->values = rh_arena_alloc_array(arena, command->option_count + 1,
                                           sizeof(*options->values));
}

size_t rh_options_find(const struct command *command, const char *name)
{
    for (size_t i = 0; i < command->option_count; i++) {
        if (strcmp(command->options[i].name, name) == 0)
            return i;
    }
    return SIZE_MAX;
}

const char *rh_options_suggest(const struct command *command, const char *name)
{
    struct suggestion suggestion = {.typed = name};

    for (size_t i = 0; i < command->option_count; i++)
        rh_suggest_consider(&suggestion, command->options[i].name);
    return suggestion.best;
}

static bool is_list(const struct option *option)
{
    return option->kind == OPTION_TEXTS || option->kind == OPTION_PATHS ||
           option->kind == OPTION_PAIRS;
}

/* --- checking values ----------------------------------------------------------------------------
 */

static bool parse_switch(const char *text, int64_t *ret_number)
{
    static const char *const yes[] = {"1", "true", "yes", "on"};
    static const char *const no[] = {"0", "false", "no", "off"};

    for (size_t i = 0; i < sizeof(yes) / sizeof(*yes); i++) {
        if (strcasecmp(text, yes[i]) == 0) {
            *ret_number = 1;
            return true;
        }
        if (strcasecmp(text, no[i]) == 0) {
            *ret_number = 0;
            return true;
        }
    }
    return false;
}

static bool parse_count(const char *text, int64_t *ret_number)
{
    char *end;

    if (!isdigit((unsigned char)text[0]))
        return false;
    errno = 0;

    long long number = strtoll(text, &end, 10);

    if (errno || *end)
        return false;
    *ret_number = number;
    return true;
}

static bool is_number(const char *text)
{
    size_t len = strspn(text, "0123456789.");

    return len > 0 && text[len] == '\0';
}

static const char *check_duration(struct arena *arena, const char *text, int64_t *ret_number)
{
    if (rh_duration_parse(text, ret_number) && *ret_number >= 0)
        return NULL;
    if (is_number(text))
        return rh_arena_printf(arena, "\"%s\" has no unit: write %ss, %sms or %sm", text, text,
                               text, text);
    return rh_arena_printf(arena, "\"%s\" is no duration: write one as 500ms, 2s, 20m or 1h", text);
}

static const char *check_bytes(struct arena *arena, const char *text, bool is_rate,
                               int64_t *ret_number)
{
    size_t len = strlen(text);

    if (is_rate && len > 2 && strcmp(text + len - 2, "/s") == 0)
        len -= 2;
    if (rh_bytes_parse(rh_arena_strndup(arena, text, len), ret_number) && *ret_number >= 0)
        return NULL;
    if (is_rate)
        return rh_arena_printf(arena, "\"%s\" is no rate: write one as 20MB/s", text);
    return rh_arena_printf(arena, "\"%s\" is no size: write one as 512kB, 64MB or 2GB", text);
}

static const char *check_choice(struct arena *arena, const struct option *option, const char *text,
                                int64_t *ret_number)
{
    char *list = rh_arena_strdup(arena, "");

    for (size_t i = 0; option->choices[i]; i++) {
        if (strcmp(option->choices[i], text) == 0) {
            *ret_number = (int64_t)i;
            return NULL;
        }
        list = rh_arena_printf(arena, "%s%s%s", list, i == 0 ? "" : ", ", option->choices[i]);
    }
    return rh_arena_printf(arena, "\"%s\" is none of %s", text, list);
}

static const char *check_pair(struct arena *arena, const struct option *option, const char *text)
{
    size_t len = 0;

    while (isalnum((unsigned char)text[len]) || text[len] == '_' || text[len] == '.' ||
           text[len] == '-')
        len++;
    if (len > 0 && text[len] == '=')
        return NULL;
    return rh_arena_printf(arena, "\"%s\" is not %s", text, option->value_name);
}

/* NULL when `text` is a value of this option; fills the number. */
static const char *check_value(struct arena *arena, const struct option *option, const char *text,
                               int64_t *ret_number)
{
    switch (option->kind) {
    case OPTION_FLAG:
        return parse_switch(text, ret_number)
                   ? NULL
                   : rh_arena_printf(arena, "\"%s\" is neither yes nor no", text);
    case OPTION_COUNT:
        return parse_count(text, ret_number)
                   ? NULL
                   : rh_arena_printf(arena, "\"%s\" is no whole number", text);
    case OPTION_DURATION:
        return check_duration(arena, text, ret_number);
    case OPTION_BYTES:
    case OPTION_RATE:
        return check_bytes(arena, text, option->kind == OPTION_RATE, ret_number);
    case OPTION_CHOICE:
        return check_choice(arena, option, text, ret_number);
    case OPTION_PAIRS:
        return check_pair(arena, option, text);
    case OPTION_TEXT:
    case OPTION_PATH:
    case OPTION_TEXTS:
    case OPTION_PATHS:
        return text[0] ? NULL : "the value is empty";
    }
    return "the value is of an unknown kind";
}

const char *rh_options_set(struct options *options, size_t index, enum option_origin origin,
                           const char *where, const char *text)
{
    const struct option *option = &options->command->options[index];
    struct option_value *value = &options->values[index];
    int64_t number = 0;
    const char *problem = check_value(options->arena, option, text, &number);

    if (problem)
        return problem;
    value->origin = origin;
    value->where = rh_arena_strdup(options->arena, where);
    value->number = number;
    if (is_list(option))
        *RH_PUSH(options->arena, &value->list) = rh_arena_strdup(options->arena, text);
    else
        value->text = rh_arena_strdup(options->arena, text);
    return NULL;
}

/* --- the command line ---------------------------------------------------------------------------
 */

struct argument_walk {
    char *const *arguments;
    int count, next;
};

static enum err_code unknown_option(const struct command *command, const char *dashes,
                                    const char *name, struct err *err)
{
    const char *best = strcmp(dashes, "--") == 0 ? rh_options_suggest(command, name) : NULL;

    if (best)
        rh_err_set(err, RH_ERR_USAGE, "unknown option %s%s; did you mean --%s?", dashes, name,
                   best);
    else
        rh_err_set(err, RH_ERR_USAGE, "unknown option %s%s", dashes, name);
    rh_err_hint(err, "\"rehearse %s --help\" lists all options.", command->name);
    return RH_ERR_USAGE;
}

static enum err_code set_from_flag(struct options *options, size_t index, const char *shown,
                                   const char *text, struct err *err)
{
    const struct option *option = &options->command->options[index];

    if (options->values[index].origin != ORIGIN_NONE && !is_list(option) &&
        option->kind != OPTION_FLAG)
        return rh_err_set(err, RH_ERR_USAGE, "option %s was given twice: \"%s\" and \"%s\"", shown,
                          options->values[index].text, text);

    const char *problem = rh_options_set(options, index, ORIGIN_FLAG, shown, text);

    if (problem)
        return rh_err_set(err, RH_ERR_USAGE, "option %s: %s", shown, problem);
    return RH_OK;
}

/* The value behind an option that has none attached. */
static enum err_code next_value(struct argument_walk *walk, const struct option *option,
                                const char *shown, const char **ret_text, struct err *err)
{
    const char *text = walk->next < walk->count ? walk->arguments[walk->next] : NULL;

    if (!text || strncmp(text, "--", 2) == 0) {
        rh_err_set(err, RH_ERR_USAGE, "option %s needs a value: %s", shown, option->value_name);
        if (text && text[2])
            rh_err_hint(err, "If the value is \"%s\", write %s=%s.", text, shown, text);
        return RH_ERR_USAGE;
    }
    walk->next++;
    *ret_text = text;
    return RH_OK;
}

static enum err_code parse_long(struct options *options, struct argument_walk *walk,
                                const char *argument, struct err *err)
{
    const char *equals = strchr(argument, '=');
    const char *shown = equals ? rh_arena_strndup(options->arena, argument,
                                                  (size_t)(equals - argument))
                               : argument;
    const char *name = shown + 2;
    size_t index = rh_options_find(options->command, name);
    const char *text = equals ? equals + 1 : "yes";

    if (strcmp(name, "help") == 0) {
        options->wants_full_help = true;
        return RH_OK;
    }
    if (index == SIZE_MAX)
        return unknown_option(options->command, "--", name, err);
    if (!equals && options->command->options[index].kind != OPTION_FLAG) {
        enum err_code code = next_value(walk, &options->command->options[index], shown, &text, err);

        if (code)
            return code;
    }
    return set_from_flag(options, index, shown, text, err);
}

/* -q, -qv, -o DIR, -oDIR */
static enum err_code parse_short(struct options *options, struct argument_walk *walk,
                                 const char *argument, struct err *err)
{
    for (const char *letter = argument + 1; *letter; letter++) {
        char shown[] = {'-', *letter, '\0'};
        const char *text = "yes";
        size_t index = 0;

        if (*letter == 'h') {
            options->wants_short_help = true;
            return RH_OK;
        }
        while (index < options->command->option_count &&
               options->command->options[index].short_name != *letter)
            index++;
        if (index == options->command->option_count)
            return unknown_option(options->command, "-", shown + 1, err);
        if (options->command->options[index].kind != OPTION_FLAG) {
            enum err_code code = RH_OK;

            if (letter[1])
                text = letter + 1;
            else
                code = next_value(walk, &options->command->options[index], shown, &text, err);
            return code ? code : set_from_flag(options, index, shown, text, err);
        }

        enum err_code code = set_from_flag(options, index, shown, text, err);

        if (code)
            return code;
    }
    return RH_OK;
}

static enum err_code add_positional(struct options *options, const char *argument, struct err *err)
{
    const struct command *command = options->command;

    if (options->positionals.count >= command->positional_max) {
        if (command->positional_name)
            rh_err_set(err, RH_ERR_USAGE, "\"%s\" is one argument too many", argument);
        else
            rh_err_set(err, RH_ERR_USAGE, "\"rehearse %s\" takes no arguments, got \"%s\"",
                       command->name, argument);
        rh_err_hint(err, "Usage: %s", command->usage[0]);
        return RH_ERR_USAGE;
    }
    *RH_PUSH(options->arena, &options->positionals) = argument;
    return RH_OK;
}

static enum err_code parse_behind_dashes(struct options *options, struct argument_walk *walk,
                                         struct err *err)
{
    if (options->command->takes_command) {
        if (walk->next == walk->count) {
            rh_err_set(err, RH_ERR_USAGE, "there is no command behind \"--\"");
            rh_err_hint(err, "Usage: %s", options->command->usage[0]);
            return RH_ERR_USAGE;
        }
        options->argv = (const char *const *)&walk->arguments[walk->next];
        walk->next = walk->count;
        return RH_OK;
    }
    while (walk->next < walk->count) {
        enum err_code code = add_positional(options, walk->arguments[walk->next++], err);

        if (code)
            return code;
    }
    return RH_OK;
}

enum err_code rh_options_parse(struct options *options, int count, char *const *arguments,
                               struct err *err)
{
    struct argument_walk walk = {arguments, count, 0};

    while (walk.next < walk.count) {
        const char *argument = walk.arguments[walk.next++];
        enum err_code code;

        if (strcmp(argument, "--") == 0)
            code = parse_behind_dashes(options, &walk, err);
        else if (strncmp(argument, "--", 2) == 0)
            code = parse_long(options, &walk, argument, err);
        else if (argument[0] == '-' && argument[1])
            code = parse_short(options, &walk, argument, err);
        else
            code = add_positional(options, argument, err);
        if (code)
            return code;
        if (options->wants_short_help || options->wants_full_help)
            return RH_OK;
    }
    return RH_OK;
}

/* --- environment and defaults -------------------------------------------------------------------
 */

static const char *find_variable(const char *const *environment, const char *name)
{
    size_t len = strlen(name);

    for (; environment && *environment; environment++) {
        if (strncmp(*environment, name, len) == 0 && (*environment)[len] == '=')
            return *environment + len + 1;
    }
    return NULL;
}

static const char *set_list(struct options *options, size_t index, const char *variable,
                            const char *text, char separator)
{
    while (*text) {
        const char *end = strchrnul(text, separator);
        const char *problem = NULL;

        if (end > text) /* an empty entry, as in PATH, says nothing */
            problem = rh_options_set(options, index, ORIGIN_ENVIRONMENT, variable,
                                     rh_arena_strndup(options->arena, text, (size_t)(end - text)));
        if (problem)
            return problem;
        text = *end ? end + 1 : end;
    }
    return NULL;
}

enum err_code rh_options_apply_environment(struct options *options, const char *const *environment,
                                           struct err *err)
{
    for (size_t i = 0; i < options->command->option_count; i++) {
        const struct option *option = &options->command->options[i];
        const char *text = option->environment ? find_variable(environment, option->environment)
                                               : NULL;
        const char *problem;

        /* An empty variable is one that is not set: shells make no difference in ${X-}. */
        if (options->values[i].origin != ORIGIN_NONE || !text || !*text)
            continue;
        if (is_list(option))
            problem = set_list(options, i, option->environment, text,
                               option->kind == OPTION_PATHS ? ':' : ';');
        else
            problem = rh_options_set(options, i, ORIGIN_ENVIRONMENT, option->environment, text);
        if (problem)
            return rh_err_set(err, RH_ERR_USAGE, "environment variable %s: %s", option->environment,
                              problem);
    }
    return RH_OK;
}

void rh_options_apply_defaults(struct options *options)
{
    for (size_t i = 0; i < options->command->option_count; i++) {
        const struct option *option = &options->command->options[i];

        if (options->values[i].origin != ORIGIN_NONE || !option->default_text)
            continue;

        const char *problem = rh_options_set(options, i, ORIGIN_DEFAULT, "default",
                                             option->default_text);

        RH_ASSERT(problem == NULL);
    }
}

/* --- reading ------------------------------------------------------------------------------------
 */

const struct option_value *rh_option_value(const struct options *options, const char *name)
{
    size_t index = rh_options_find(options->command, name);

    RH_ASSERT(index != SIZE_MAX);
    return &options->values[index];
}

bool rh_option_flag(const struct options *options, const char *name)
{
    return rh_option_value(options, name)->number != 0;
}

const char *rh_option_text(const struct options *options, const char *name)
{
    return rh_option_value(options, name)->text;
}

int64_t rh_option_number(const struct options *options, const char *name, int64_t if_not_set)
{
    const struct option_value *value = rh_option_value(options, name);

    return value->origin == ORIGIN_NONE ? if_not_set : value->number;
}

const char *const *rh_option_list(const struct options *options, const char *name,
                                  size_t *ret_count)
{
    const struct option_value *value = rh_option_value(options, name);
    const char **list = rh_arena_alloc_array(options->arena, value->list.count + 1, sizeof(*list));

    for (size_t i = 0; i < value->list.count; i++)
        list[i] = value->list.items[i];
    if (ret_count)
        *ret_count = value->list.count;
    return list;
}
