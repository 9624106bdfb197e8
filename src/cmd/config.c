#include "cmd/config.h"

#include "base/file.h"
#include "base/suggest.h"
#include "base/yaml_tree.h"
#include "cmd/cli.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

/* Nobody writes a megabyte of options by hand. */
#define CONFIG_MAX_BYTES ((size_t)1024 * 1024)
#define DIRECTORIES_MAX 256 /* levels looked at on the way up */
/* Characters of a source line shown; a longer one is cut before the caret. */
#define EXCERPT_BEFORE_CARET 60
#define EXCERPT_COLUMNS 90

struct reading {
    const char *directory; /* of the file; paths are relative to it; NULL: the current one */
    const char *shown_name;
    struct options *options;
    struct arena *arena;
    struct config *config;
    size_t *first_lines; /* per option: where it was set in this file, 0: nowhere */
};

static void add_problem(struct reading *reading, const struct yaml_node *at, const char *fmt, ...)
    RH_PRINTF(3, 4);

static void add_problem(struct reading *reading, const struct yaml_node *at, const char *fmt, ...)
{
    struct config_problem *problem = RH_PUSH(reading->arena, &reading->config->problems);
    va_list args;

    va_start(args, fmt);
    problem->message = rh_arena_vprintf(reading->arena, fmt, args);
    va_end(args);
    problem->line = at->line;
    problem->column = at->column;
}

/* An empty value or a null, which have no place of their own. */
static bool is_missing(const struct yaml_node *value)
{
    return value->kind == YAML_SCALAR && value->is_plain &&
           (value->text[0] == '\0' || strcmp(value->text, "~") == 0 ||
            strcmp(value->text, "null") == 0);
}

static void set_value(struct reading *reading, size_t index, const struct yaml_node *at,
                      const char *text)
{
    const struct option *option = &reading->options->command->options[index];
    const char *where = rh_arena_printf(reading->arena, "%s:%zu", reading->shown_name, at->line);
    const char *problem;

    if (reading->directory && text[0] &&
        (option->kind == OPTION_PATH || option->kind == OPTION_PATHS))
        text = rh_file_join(reading->arena, reading->directory, text);
    problem = rh_options_set(reading->options, index, ORIGIN_FILE, where, text);
    if (problem)
        add_problem(reading, at, "%s: %s", option->name, problem);
}

static void read_pairs(struct reading *reading, size_t index, const struct yaml_node *mapping)
{
    const struct option *option = &reading->options->command->options[index];

    for (size_t i = 0; i < mapping->pairs.count; i++) {
        const struct yaml_pair *pair = &mapping->pairs.items[i];
        bool is_duplicate = false;

        if (!pair->value)
            continue;
        for (size_t j = 0; j < i; j++)
            is_duplicate |= strcmp(mapping->pairs.items[j].key->text, pair->key->text) == 0;
        if (is_duplicate)
            add_problem(reading, pair->key, "duplicate key \"%s\" in %s", pair->key->text,
                        option->name);
        else if (is_missing(pair->value) || pair->value->kind != YAML_SCALAR)
            add_problem(reading, pair->key, "%s: \"%s\" needs a single value", option->name,
                        pair->key->text);
        else
            set_value(reading, index, pair->key,
                      rh_arena_printf(reading->arena, "%s=%s", pair->key->text, pair->value->text));
    }
}

static void read_list(struct reading *reading, size_t index, const struct yaml_node *sequence)
{
    const struct option *option = &reading->options->command->options[index];

    for (size_t i = 0; i < sequence->items.count; i++) {
        const struct yaml_node *item = sequence->items.items[i];

        if (item->kind != YAML_SCALAR)
            add_problem(reading, item, "%s: each item must be a single value", option->name);
        else
            set_value(reading, index, item, item->text);
    }
}

static void read_value(struct reading *reading, size_t index, const struct yaml_node *key,
                       const struct yaml_node *value)
{
    const struct option *option = &reading->options->command->options[index];
    bool is_list = option->kind == OPTION_TEXTS || option->kind == OPTION_PATHS ||
                   option->kind == OPTION_PAIRS;

    if (!value) /* the document broke off here, which is a problem of its own */
        return;
    if (is_missing(value))
        add_problem(reading, key, "\"%s\" has no value", key->text);
    else if (option->kind == OPTION_FLAG &&
             !(value->kind == YAML_SCALAR && value->is_plain &&
               (strcmp(value->text, "true") == 0 || strcmp(value->text, "false") == 0)))
        add_problem(reading, value, "%s: must be true or false", option->name);
    else if (value->kind == YAML_SCALAR)
        set_value(reading, index, value, value->text);
    else if (value->kind == YAML_SEQUENCE && is_list)
        read_list(reading, index, value);
    else if (value->kind == YAML_MAPPING && option->kind == OPTION_PAIRS)
        read_pairs(reading, index, value);
    else
        add_problem(reading, value, "%s: must be %s", option->name,
                    option->kind == OPTION_PAIRS ? "NAME: VALUE pairs"
                    : is_list                    ? "a value or a list of values"
                                                 : "a single value");
}

/* A key whose row was found: once in the file, and only if no stronger layer has spoken. */
static void take_key(struct reading *reading, size_t index, const struct yaml_node *key,
                     const struct yaml_node *value)
{
    struct option_value *current = &reading->options->values[index];

    if (reading->first_lines[index]) {
        add_problem(reading, key, "duplicate key \"%s\": \"%s\" was set in line %zu already",
                    key->text, reading->options->command->options[index].name,
                    reading->first_lines[index]);
        return;
    }
    reading->first_lines[index] = key->line;

    /* Checked all the same when a flag or the environment wins: a bad file is a bad file. */
    struct option_value stronger = *current;

    *current = (struct option_value){0};
    read_value(reading, index, key, value);
    if (stronger.origin != ORIGIN_NONE)
        *current = stronger;
}

static size_t find_gate(const struct command *command, const char *name)
{
    for (size_t i = 0; i < command->option_count; i++) {
        if (command->options[i].gate && strcmp(command->options[i].gate, name) == 0)
            return i;
    }
    return SIZE_MAX;
}

/* A limit that another command has: for this one it is neither an option nor a mistake. */
static bool is_gate_of_another(const char *name)
{
    for (size_t i = 0; rh_commands[i]; i++)
        if (find_gate(rh_commands[i], name) != SIZE_MAX)
            return true;
    return false;
}

static void unknown_key(struct reading *reading, const struct yaml_node *key,
                        const struct suggestion *suggestion, const char *place)
{
    if (suggestion->best)
        add_problem(reading, key, "unknown key \"%s\"%s; did you mean \"%s\"?", key->text, place,
                    suggestion->best);
    else
        add_problem(reading, key, "unknown key \"%s\"%s", key->text, place);
}

/* `group`: of nested limits, with its point: "regression_thresholds." */
static void read_gate(struct reading *reading, const char *group, const struct yaml_pair *pair)
{
    const struct command *command = reading->options->command;
    const char *name = rh_arena_printf(reading->arena, "%s%s", group, pair->key->text);
    size_t index = find_gate(command, name);
    struct suggestion suggestion = {.typed = pair->key->text};

    if (index != SIZE_MAX) {
        take_key(reading, index, pair->key, pair->value);
        return;
    }
    if (is_gate_of_another(name))
        return;
    if (!group[0] && strcmp(name, "regression_thresholds") == 0 && pair->value &&
        pair->value->kind == YAML_MAPPING) {
        for (size_t i = 0; i < pair->value->pairs.count; i++)
            read_gate(reading, "regression_thresholds.", &pair->value->pairs.items[i]);
        return;
    }
    for (size_t c = 0; rh_commands[c]; c++)
        for (size_t g = 0; g < rh_commands[c]->option_count; g++) {
            const char *gate = rh_commands[c]->options[g].gate;
            if (gate && strncmp(gate, group, strlen(group)) == 0)
                rh_suggest_consider(&suggestion, gate + strlen(group));
        }
    unknown_key(reading, pair->key, &suggestion, " in gates");
}

static void read_gates(struct reading *reading, const struct yaml_node *key,
                       const struct yaml_node *gates)
{
    if (!gates)
        return;
    if (is_missing(gates) || gates->kind != YAML_MAPPING) {
        add_problem(reading, key, "\"gates\" must hold limits, as in \"blocked: 2s\"");
        return;
    }
    for (size_t i = 0; i < gates->pairs.count; i++)
        read_gate(reading, "", &gates->pairs.items[i]);
}

static void read_key(struct reading *reading, const struct yaml_pair *pair)
{
    const struct command *command = reading->options->command;
    size_t index = rh_options_find(command, pair->key->text);
    struct suggestion suggestion = {.typed = pair->key->text};

    if (index != SIZE_MAX && command->options[index].not_in_file) {
        add_problem(reading, pair->key, "\"%s\" cannot be set in a file", pair->key->text);
        return;
    }
    if (index != SIZE_MAX) {
        take_key(reading, index, pair->key, pair->value);
        return;
    }
    for (size_t i = 0; i < command->option_count; i++) {
        if (!command->options[i].not_in_file)
            rh_suggest_consider(&suggestion, command->options[i].name);
    }
    rh_suggest_consider(&suggestion, "gates");
    unknown_key(reading, pair->key, &suggestion, "");
}

/* Of this file's sections for commands but `run`, whose options stand at the root. */
static bool is_section(const char *key)
{
    for (size_t i = 0; rh_commands[i]; i++)
        if (rh_commands[i]->section && strcmp(rh_commands[i]->section, key) == 0)
            return true;
    return false;
}

static void read_section(struct reading *reading, const struct yaml_pair *section)
{
    if (!section->value)
        return;
    if (is_missing(section->value) || section->value->kind != YAML_MAPPING) {
        add_problem(reading, section->key, "\"%s\" must hold options", section->key->text);
        return;
    }
    for (size_t i = 0; i < section->value->pairs.count; i++)
        read_key(reading, &section->value->pairs.items[i]);
}

/* A key at the root, for a command that has a section: `run` answers for it, if it knows it. */
static void check_other_key(struct reading *reading, const struct yaml_node *key)
{
    struct suggestion suggestion = {.typed = key->text};

    if (rh_options_find(&rh_command_run, key->text) != SIZE_MAX)
        return;
    rh_suggest_consider(&suggestion, reading->options->command->section);
    unknown_key(reading, key, &suggestion, "");
}

static bool has_gates(const struct command *command)
{
    for (size_t i = 0; i < command->option_count; i++)
        if (command->options[i].gate)
            return true;
    return false;
}

static void read_root(struct reading *reading, const struct yaml_node *root)
{
    const char *own = reading->options->command->section;

    const struct yaml_node *gates = NULL;

    if (!root)
        return;
    if (root->kind != YAML_MAPPING) {
        add_problem(reading, root, "the file must hold \"option: value\" lines");
        return;
    }
    for (size_t i = 0; i < root->pairs.count; i++) {
        const struct yaml_pair *pair = &root->pairs.items[i];

        if (is_section(pair->key->text)) {
            if (own && strcmp(own, pair->key->text) == 0)
                read_section(reading, pair);
        } else if (strcmp(pair->key->text, "gates") != 0) {
            if (own)
                check_other_key(reading, pair->key);
            else
                read_key(reading, pair);
        } else if (own && !has_gates(reading->options->command)) {
            continue;
        } else if (gates) {
            add_problem(reading, pair->key, "duplicate key \"gates\": it began in line %zu",
                        gates->line);
        } else {
            gates = pair->key;
            read_gates(reading, pair->key, pair->value);
        }
    }
}

static int compare_problems(const void *a, const void *b)
{
    const struct config_problem *left = a, *right = b;

    if (left->line != right->line)
        return left->line < right->line ? -1 : 1;
    return (left->column > right->column) - (left->column < right->column);
}

enum err_code rh_config_apply(const char *path, struct text content, struct options *options,
                              struct arena *arena, struct config *ret_config, struct err *err)
{
    const char *slash = strrchr(path, '/');
    struct config config = {.path = path, .content = content};
    struct reading reading = {
        .directory = slash ? rh_arena_strndup(arena, path, (size_t)(slash - path + 1)) : NULL,
        .shown_name = path,
        .options = options,
        .arena = arena,
        .config = &config,
        .first_lines = rh_arena_alloc_array(arena, options->command->option_count + 1,
                                            sizeof(size_t)),
    };
    size_t valid = rh_text_utf8_valid_prefix(content);
    struct yaml_tree tree = {0};

    if (valid < content.len) {
        struct text_position at = rh_text_position(content, valid);
        struct yaml_node place = {.line = at.line, .column = at.column};

        add_problem(&reading, &place, "invalid UTF-8 at byte offset %zu", valid);
    } else {
        rh_yaml_read(content, arena, &tree);
        read_root(&reading, tree.root);
    }
    for (size_t i = 0; i < tree.problems.count; i++) {
        struct yaml_node place = {.line = tree.problems.items[i].line,
                                  .column = tree.problems.items[i].column};

        add_problem(&reading, &place, "%s", tree.problems.items[i].message);
    }
    if (config.problems.count > 1)
        qsort(config.problems.items, config.problems.count, sizeof(*config.problems.items),
              compare_problems);
    *ret_config = config;
    if (config.problems.count > 0)
        return rh_err_set(err, RH_ERR_CONFIG, "%zu %s in %s", config.problems.count,
                          config.problems.count == 1 ? "mistake" : "mistakes", path);
    return RH_OK;
}

enum err_code rh_config_load(const char *path, struct options *options, struct arena *arena,
                             struct config *ret_config, struct err *err)
{
    struct text content = {0};
    enum err_code code = rh_file_read(path, CONFIG_MAX_BYTES, arena, &content, err);

    if (code) {
        rh_err_while(err, "while reading the configuration");
        return code;
    }
    return rh_config_apply(path, content, options, arena, ret_config, err);
}

enum err_code rh_config_find(struct arena *arena, const char **ret_path, struct err *err)
{
    char *here = getcwd(NULL, 0);
    char *directory;
    const char *found = NULL;

    if (!here)
        return rh_err_set_errno(err, errno, "cannot tell the current directory");
    directory = rh_arena_strdup(arena, here);
    free(here);

    if (access(CONFIG_FILE_NAME, F_OK) == 0) {
        *ret_path = CONFIG_FILE_NAME;
        return RH_OK;
    }
    /* What lies above the repository belongs to somebody else; so does what lies above a directory
       that is in no repository. */
    for (unsigned level = 0; level < DIRECTORIES_MAX; level++) {
        const char *path = rh_file_join(arena, directory, CONFIG_FILE_NAME);
        char *slash;

        if (!found && access(path, F_OK) == 0)
            found = path;
        if (rh_file_exists(rh_file_join(arena, directory, ".git"))) {
            *ret_path = found;
            return RH_OK;
        }
        slash = strrchr(directory, '/');
        if (!slash || directory[1] == '\0')
            break;
        slash[slash == directory ? 1 : 0] = '\0';
    }
    *ret_path = NULL;
    return RH_OK;
}

/* --- showing ------------------------------------------------------------------------------------
 */

static struct text line_of(struct text content, size_t number)
{
    size_t start = 0;

    for (size_t line = 1; line < number && start < content.len; start++)
        line += content.data[start] == '\n';

    size_t end = start;

    while (end < content.len && content.data[end] != '\n' && content.data[end] != '\r')
        end++;
    return (struct text){content.data + start, end - start};
}

/* Bytes of the first `count` characters. */
static size_t character_bytes(struct text line, size_t count)
{
    size_t offset = 0;

    while (offset < line.len && count > 0) {
        offset++;
        while (offset < line.len && ((unsigned char)line.data[offset] & 0xC0) == 0x80)
            offset++;
        count--;
    }
    return offset;
}

static void format_excerpt(const struct config *config, const struct config_problem *problem,
                           struct buf *out)
{
    struct text line = line_of(config->content, problem->line);
    size_t column = problem->column > 0 ? problem->column - 1 : 0;
    size_t skipped = column > EXCERPT_BEFORE_CARET ? column - EXCERPT_BEFORE_CARET : 0;
    size_t start = character_bytes(line, skipped);
    struct text rest = {line.data + start, line.len - start};
    struct text before;

    rest.len = character_bytes(rest, EXCERPT_COLUMNS);
    before = (struct text){rest.data, character_bytes(rest, column - skipped)};
    rh_buf_printf(out, "%5zu | %s", problem->line, skipped ? "..." : "");
    rh_buf_add_text(out, rest);
    rh_buf_printf(out, "\n      | %s", skipped ? "   " : "");
    /* Tabs stay tabs, so that the caret stands below its character whatever their width. */
    for (size_t i = 0; i < before.len; i++) {
        if (before.data[i] == '\t')
            rh_buf_add_char(out, '\t');
        else if (((unsigned char)before.data[i] & 0xC0) != 0x80)
            rh_buf_add_char(out, ' ');
    }
    rh_buf_add_str(out, "^\n");
}

void rh_config_format_problems(const struct config *config, struct buf *out)
{
    for (size_t i = 0; i < config->problems.count; i++) {
        const struct config_problem *problem = &config->problems.items[i];

        rh_buf_printf(out, "error: %s:%zu:%zu: %s\n", config->path, problem->line, problem->column,
                      problem->message);
        format_excerpt(config, problem, out);
    }
}
