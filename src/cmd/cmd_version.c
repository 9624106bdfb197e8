#include "cmd/cli.h"

static int run(const struct options *options)
{
    (void)options;
    return rh_cli_finish(TEXT_LITERAL("rehearse " REHEARSE_VERSION "\n"), 0);
}

static const char *const usage[] = {"rehearse version", "rehearse --version", NULL};
static const char *const description[] = {"Prints the version of this program.", NULL};

const struct command rh_command_version = {
    .name = "version",
    .summary = "print the version",
    .usage = usage,
    .description = description,
    .run = run,
};
