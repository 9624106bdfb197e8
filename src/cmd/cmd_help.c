#include "base/suggest.h"
#include "cmd/cli.h"
#include "cmd/help.h"

static const char exit_codes[] =
    "Exit codes of \"rehearse run\" (treat a code you do not know as a failure):\n"
    "\n"
    "      0  SAFE\n"
    "      1  could not rehearse: environment, connection, configuration, or a\n"
    "         migration that is not valid SQL\n"
    "      2  usage: an unknown option, a missing or unreadable file\n"
    "      3  INCONCLUSIVE: too little was observed to say\n"
    "      5  UNSAFE: a regression, a data failure, or a limit exceeded\n"
    "    124  --timeout passed\n"
    "    130  interrupted (Ctrl-C), after clean-up\n"
    "    143  terminated, after clean-up\n"
    "\n"
    "With --exit-zero a verdict exits 0, whatever it is; everything that kept the\n"
    "rehearsal from ending still has its own code. The status of a wrapped command is\n"
    "recorded in the result and never returned.\n"
    "\n"
    "Exit codes of \"rehearse snapshot create\" and \"rehearse snapshot import\":\n"
    "\n"
    "      0  there is a snapshot, or with --suggest a plan\n"
    "      1  it could not be made, or failed a certificate; nothing is left of it\n"
    "      2  usage: an unknown option, a missing or unreadable file\n"
    "    124  --timeout passed\n"
    "    130  interrupted (Ctrl-C), after clean-up\n"
    "    143  terminated, after clean-up\n"
    "\n"
    "\"rehearse snapshot inspect\" and \"rehearse snapshot prune\" end with 0, 1 (it\n"
    "could not be done) or 2.\n";

static bool has_variable(const struct command *command, const struct option *option)
{
    size_t index = rh_options_find(command, option->name);

    return index != SIZE_MAX && command->options[index].environment &&
           strcmp(command->options[index].environment, option->environment) == 0;
}

/* Of an option whose name an earlier command gives another variable: the commands it is of. */
static void add_owners(size_t first, const struct option *option, struct buf *out)
{
    bool is_shared = false, is_any = false;

    for (size_t c = 0; c < first && !is_shared; c++)
        is_shared = rh_options_find(rh_commands[c], option->name) != SIZE_MAX;
    for (size_t c = first; is_shared && rh_commands[c]; c++) {
        if (!has_variable(rh_commands[c], option))
            continue;
        rh_buf_printf(out, "%s%s", is_any ? ", " : " of ", rh_commands[c]->name);
        is_any = true;
    }
}

/* The variables of all subcommands, each once, in table order. */
static void add_environment(struct buf *out)
{
    rh_help_paragraph(
        "Options can be given by environment variables. A flag wins over the "
        "environment, the environment over rehearse.yaml, that over the default; "
        "\"rehearse config show\" tells which one won. An empty variable counts as not "
        "set. Switches take yes or no.",
        0, out);
    rh_buf_add_char(out, '\n');
    for (size_t c = 0; rh_commands[c]; c++) {
        for (size_t i = 0; i < rh_commands[c]->option_count; i++) {
            const struct option *option = &rh_commands[c]->options[i];
            bool is_known = !option->environment;

            for (size_t before = 0; before < c && !is_known; before++)
                is_known = has_variable(rh_commands[before], option);
            if (is_known)
                continue;
            rh_buf_printf(out, "    %-31s --%s", option->environment, option->name);
            add_owners(c, option, out);
            if (option->kind == OPTION_PATHS)
                rh_buf_add_str(out, " (several: separated by ':')");
            if (option->kind == OPTION_TEXTS || option->kind == OPTION_PAIRS)
                rh_buf_add_str(out, " (several: separated by ';')");
            rh_buf_add_char(out, '\n');
        }
    }
    rh_buf_add_char(out, '\n');
    rh_help_paragraph(
        "Also looked at: NO_COLOR, TERM, COLUMNS and LC_ALL, LC_CTYPE, LANG for what the "
        "terminal can show; REHEARSE_MASK_KEY for the master key of masking, XDG_CONFIG_HOME "
        "for where one that was made is kept; REHEARSE_SERVER_PATH, directories separated by ':', "
        "for where servers are installed; TMPDIR and XDG_CACHE_HOME for where sandboxes and their "
        "cache lie.",
        0, out);
    rh_buf_add_char(out, '\n');
    rh_help_paragraph(
        "PG* variables and DATABASE_URL are never read. A rehearsal touches only servers it "
        "started, with --rollback also that of --sandbox-url; \"snapshot create\" reads the one of "
        "--from. For these two ~/.pgpass and ~/.pg_service.conf count, as with libpq.",
        0, out);
}

static int run(const struct options *options)
{
    RH_CLEANUP_BUF struct buf out;
    const char *topic = options->positionals.count > 0 ? options->positionals.items[0] : NULL;

    if (options->positionals.count > 1)
        topic = rh_arena_printf(options->arena, "%s %s", topic, options->positionals.items[1]);

    const struct command *command = topic ? rh_command_find(topic) : NULL;

    rh_buf_init(&out, OUTPUT_MAX_BYTES);
    if (!topic) {
        rh_cli_overview(&out);
        rh_buf_add_str(&out, "\"rehearse help exit-codes\" and \"rehearse help environment\" tell "
                             "about those.\n");
    } else if (command) {
        rh_help_full(command, &out);
    } else if (strcmp(topic, "exit-codes") == 0) {
        rh_buf_add_str(&out, exit_codes);
    } else if (strcmp(topic, "environment") == 0) {
        add_environment(&out);
    } else {
        struct err err = RH_ERR_INIT;
        struct suggestion suggestion = {.typed = topic};

        for (size_t i = 0; rh_commands[i]; i++)
            rh_suggest_consider(&suggestion, rh_commands[i]->name);
        rh_suggest_consider(&suggestion, "exit-codes");
        rh_suggest_consider(&suggestion, "environment");
        if (suggestion.best)
            rh_err_set(&err, RH_ERR_USAGE, "no help for \"%s\"; did you mean \"%s\"?", topic,
                       suggestion.best);
        else
            rh_err_set(&err, RH_ERR_USAGE, "no help for \"%s\"", topic);
        rh_err_hint(&err, "There is help for each command, \"exit-codes\" and \"environment\".");
        return rh_cli_fail(&err);
    }
    return rh_cli_finish(rh_buf_text(&out), 0);
}

static const char *const usage[] = {"rehearse help [COMMAND|exit-codes|environment]", NULL};
static const char *const description[] = {
    "Shows everything about a command, the exit codes, or the environment variables. \"rehearse "
    "COMMAND -h\" is shorter.",
    NULL};

const struct command rh_command_help = {
    .name = "help",
    .summary = "help on a command, exit codes, the environment",
    .usage = usage,
    .description = description,
    .positional_name = "COMMAND|TOPIC",
    .positional_max = 2,
    .run = run,
};
