#include "cmd/help.h"

#include "base/wrap.h"

#define SHORT_HELP_COLUMN 30 /* where -h puts the explanations */

static void pad(struct buf *out, size_t count)
{
    for (size_t i = 0; i < count; i++)
        rh_buf_add_char(out, ' ');
}

void rh_help_paragraph(const char *text, size_t indent, struct buf *out)
{
    struct text rest = rh_text(text), line;

    while (rh_text_wrap(&rest, HELP_COLUMNS - indent, &line)) {
        if (line.len > 0)
            pad(out, indent);
        rh_buf_add_text(out, line);
        rh_buf_add_char(out, '\n');
    }
}

static void add_usage(const struct command *command, struct buf *out)
{
    rh_buf_add_str(out, "Usage:\n");
    for (size_t i = 0; command->usage[i]; i++)
        rh_buf_printf(out, "    %s\n", command->usage[i]);
}

/* "    --max-blocked DURATION", "    -q, --quiet"; returns its width. */
static size_t add_option_names(const struct option *option, struct buf *out)
{
    size_t start = out->len;

    pad(out, 4);
    if (option->short_name)
        rh_buf_printf(out, "-%c, ", option->short_name);
    rh_buf_printf(out, "--%s", option->name);
    if (option->value_name)
        rh_buf_printf(out, " %s", option->value_name);
    return out->len - start;
}

static bool has_common_options(const struct command *command)
{
    for (size_t i = 0; i < command->option_count; i++) {
        if (command->options[i].is_common)
            return true;
    }
    return false;
}

void rh_help_short(const struct command *command, struct buf *out)
{
    rh_buf_printf(out, "rehearse %s: %s\n\n", command->name, command->summary);
    add_usage(command, out);
    if (has_common_options(command))
        rh_buf_add_str(out, "\nCommon options:\n");
    for (size_t i = 0; i < command->option_count; i++) {
        const struct option *option = &command->options[i];
        size_t width;

        if (!option->is_common)
            continue;
        width = add_option_names(option, out);
        if (width + 2 > SHORT_HELP_COLUMN) {
            rh_buf_add_char(out, '\n');
            width = 0;
        }
        pad(out, SHORT_HELP_COLUMN - width);
        rh_buf_printf(out, "%s\n", option->help);
    }
    rh_buf_printf(out, "\n\"rehearse %s --help\" shows everything.\n", command->name);
}

static void add_option(const struct option *option, struct buf *out)
{
    RH_CLEANUP_BUF struct buf facts;

    add_option_names(option, out);
    rh_buf_add_char(out, '\n');
    rh_help_paragraph(option->help, 8, out);
    if (option->details)
        rh_help_paragraph(option->details, 8, out);

    rh_buf_init(&facts, 512);
    for (size_t i = 0; option->choices && option->choices[i]; i++)
        rh_buf_printf(&facts, "%s%s", i == 0 ? "one of " : ", ", option->choices[i]);
    if (option->default_text)
        rh_buf_printf(&facts, "%sdefault %s", facts.len ? "; " : "", option->default_text);
    if (option->kind == OPTION_TEXTS || option->kind == OPTION_PATHS ||
        option->kind == OPTION_PAIRS)
        rh_buf_printf(&facts, "%smay be repeated", facts.len ? "; " : "");
    if (option->environment)
        rh_buf_printf(&facts, "%s$%s", facts.len ? "; " : "", option->environment);
    if (facts.len > 0) {
        rh_buf_add_char(&facts, ']');
        RH_CLEANUP_BUF struct buf line;

        rh_buf_init(&line, 600);
        rh_buf_add_char(&line, '[');
        rh_buf_add_text(&line, rh_buf_text(&facts));
        rh_help_paragraph(line.data, 8, out);
    }
}

void rh_help_full(const struct command *command, struct buf *out)
{
    const char *group = NULL;

    rh_buf_printf(out, "rehearse %s: %s\n\n", command->name, command->summary);
    add_usage(command, out);
    for (size_t i = 0; command->description[i]; i++) {
        rh_buf_add_char(out, '\n');
        rh_help_paragraph(command->description[i], 0, out);
    }
    for (size_t i = 0; i < command->option_count; i++) {
        const struct option *option = &command->options[i];

        if (!group || strcmp(group, option->group) != 0)
            rh_buf_printf(out, "\n%s:\n", option->group);
        else
            rh_buf_add_char(out, '\n');
        group = option->group;
        add_option(option, out);
    }
    if (command->examples) {
        rh_buf_add_str(out, "\nExamples:\n");
        for (size_t i = 0; command->examples[i]; i++)
            rh_buf_printf(out, "    %s\n", command->examples[i]);
    }
}
