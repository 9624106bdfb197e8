/* A small command for the tests of options and configuration. */
#ifndef CMD_UNIT_H
#define CMD_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cmd/options.h"

#include <stdlib.h>

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

static const char *const unit_choices[] = {"red", "green", NULL};
static const struct option unit_rows[] = {
    {.name = "out",
     .short_name = 'o',
     .kind = OPTION_PATH,
     .value_name = "DIR",
     .group = "One",
     .environment = "REHEARSE_OUT",
     .help = "Where it goes.",
     .is_common = true},
    {.name = "max-blocked",
     .kind = OPTION_DURATION,
     .value_name = "DURATION",
     .group = "One",
     .environment = "REHEARSE_MAX_BLOCKED",
     .default_text = "2s",
     .gate = "blocked",
     .help = "Longest wait."},
    {.name = "max-wal",
     .kind = OPTION_BYTES,
     .value_name = "SIZE",
     .group = "One",
     .environment = "REHEARSE_MAX_WAL",
     .gate = "wal",
     .help = "Most log."},
    {.name = "rate",
     .kind = OPTION_RATE,
     .value_name = "SIZE/s",
     .group = "One",
     .environment = "REHEARSE_RATE",
     .gate = "replica_apply_rate",
     .help = "How fast."},
    {.name = "color",
     .kind = OPTION_CHOICE,
     .value_name = "WHEN",
     .group = "Two",
     .choices = unit_choices,
     .environment = "REHEARSE_COLOR",
     .default_text = "red",
     .help = "Which colour."},
    {.name = "quiet",
     .short_name = 'q',
     .kind = OPTION_FLAG,
     .group = "Two",
     .environment = "REHEARSE_QUIET",
     .help = "Say less.",
     .is_common = true},
    {.name = "verbose",
     .short_name = 'v',
     .kind = OPTION_FLAG,
     .group = "Two",
     .environment = "REHEARSE_VERBOSE",
     .help = "Say more."},
    {.name = "schema",
     .kind = OPTION_PATHS,
     .value_name = "FILE",
     .group = "Two",
     .environment = "REHEARSE_SCHEMA",
     .help = "A file."},
    {.name = "set",
     .kind = OPTION_PAIRS,
     .value_name = "NAME=VALUE",
     .group = "Two",
     .environment = "REHEARSE_SET",
     .help = "A setting."},
    {.name = "jobs",
     .kind = OPTION_COUNT,
     .value_name = "N",
     .group = "Two",
     .environment = "REHEARSE_JOBS",
     .help = "How many."},
    {.name = "config",
     .kind = OPTION_PATH,
     .value_name = "FILE",
     .group = "Two",
     .not_in_file = true,
     .help = "A file of options."},
};
static const char *const unit_usage[] = {"rehearse unit [OPTIONS] FILE...", NULL};
static const char *const unit_description[] = {"A command for tests.", NULL};
static const struct command unit_command = {
    .name = "unit",
    .summary = "test the options",
    .usage = unit_usage,
    .description = unit_description,
    .options = unit_rows,
    .option_count = COUNT(unit_rows),
    .positional_name = "FILE",
    .positional_max = 3,
    .takes_command = true,
};

struct fixture {
    struct arena *arena;
    struct options options;
    struct err err;
};

static inline int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));

    fixture->arena = rh_arena_new();
    rh_options_init(&fixture->options, &unit_command, fixture->arena);
    *state = fixture;
    return 0;
}

static inline int tear_down(void **state)
{
    struct fixture *fixture = *state;

    rh_arena_free(fixture->arena);
    free(fixture);
    return 0;
}

#define WITH_FIXTURE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

#endif
