/* The program: finds the subcommand, parses its options, returns its status. */
#include "base/interrupt.h"
#include "cmd/cli.h"
#include "cmd/help.h"

#include <stdio.h>
#include <string.h>

static int overview(int status)
{
    RH_CLEANUP_BUF struct buf out;

    rh_buf_init(&out, OUTPUT_MAX_BYTES);
    rh_cli_overview(&out);
    if (status == 0)
        return rh_cli_finish(rh_buf_text(&out), status);
    fputs(out.data, stderr);
    return status;
}

/* "rehearse snapshot", "rehearse snapshot creat". */
static int unknown_member(const char *group, const char *name, const char *members)
{
    struct err err = RH_ERR_INIT;

    if (name)
        rh_err_set(&err, RH_ERR_USAGE, "unknown action \"%s\" of \"rehearse %s\"", name, group);
    else
        rh_err_set(&err, RH_ERR_USAGE, "\"rehearse %s\" needs an action", group);
    rh_err_hint(&err, "It is one of %s.", members);
    return rh_cli_fail(&err);
}

static int unknown_command(const char *name, const char *next)
{
    struct err err = RH_ERR_INIT;
    const char *best = rh_command_suggest(name);
    RH_CLEANUP_BUF struct buf members;

    rh_buf_init(&members, 1024);
    if (rh_command_is_group(name, &members))
        return unknown_member(name, next, members.data);
    if (name[0] == '-')
        rh_err_set(&err, RH_ERR_USAGE, "unknown option %s", name);
    else if (best)
        rh_err_set(&err, RH_ERR_USAGE, "unknown command \"%s\"; did you mean \"%s\"?", name, best);
    else
        rh_err_set(&err, RH_ERR_USAGE, "unknown command \"%s\"", name);
    rh_err_hint(&err, "\"rehearse help\" lists the commands.");
    return rh_cli_fail(&err);
}

static int show_help(const struct command *command, bool full)
{
    RH_CLEANUP_BUF struct buf out;

    rh_buf_init(&out, OUTPUT_MAX_BYTES);
    if (full)
        rh_help_full(command, &out);
    else
        rh_help_short(command, &out);
    return rh_cli_finish(rh_buf_text(&out), 0);
}

static int run_command(const struct command *command, int count, char **arguments)
{
    struct err err = RH_ERR_INIT;
    struct arena *arena = rh_arena_new();
    struct options options;
    int status;

    rh_options_init(&options, command, arena);
    if (rh_interrupt_install(&err) || rh_options_parse(&options, count, arguments, &err))
        status = rh_cli_fail(&err);
    else if (options.wants_short_help || options.wants_full_help)
        status = show_help(command, options.wants_full_help);
    else
        status = command->run(&options);
    rh_arena_free(arena);
    return status;
}

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : NULL;

    if (!name)
        return overview(rh_err_exit_status(RH_ERR_USAGE));
    if (strcmp(name, "-h") == 0 || strcmp(name, "--help") == 0)
        return overview(0);
    if (strcmp(name, "--version") == 0)
        name = rh_command_version.name;

    const struct command *command = rh_command_find(name);
    RH_CLEANUP_BUF struct buf words;

    rh_buf_init(&words, 256);
    if (command)
        return run_command(command, argc - 2, argv + 2);
    rh_buf_printf(&words, "%s %s", name, argc > 2 ? argv[2] : "");
    command = rh_command_find(words.data);
    return command ? run_command(command, argc - 3, argv + 3)
                   : unknown_command(name, argc > 2 ? argv[2] : NULL);
}
