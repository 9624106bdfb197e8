/*
 * Options: one static table per subcommand, from which come parsing, environment variables,
 * configuration keys, and both help texts. A value is the user's own text until it was checked;
 * after that it also is a number, a choice or a list.
 *
 * Precedence: flag, then REHEARSE_* environment, then file, then default. Each layer is applied in
 * that order and sets only what is not set yet. Everything lies in the arena given to
 * rh_options_init.
 */
#ifndef RH_CMD_OPTIONS_H
#define RH_CMD_OPTIONS_H

#include "base/arena.h"
#include "base/err.h"
#include "base/text.h"

#include <stdbool.h>
#include <stdint.h>

enum option_kind {
    OPTION_FLAG, /* no value; --name=no takes back what environment or file said */
    OPTION_TEXT,
    OPTION_PATH,     /* as text; in a file, relative to the file's directory */
    OPTION_COUNT,    /* a non-negative whole number */
    OPTION_DURATION, /* "2s": number is microseconds; the unit is required */
    OPTION_BYTES,    /* "64MB": number is bytes */
    OPTION_RATE,     /* "20MB/s": number is bytes per second */
    OPTION_CHOICE,   /* one of `choices`: number is its index */
    OPTION_TEXTS,    /* repeatable */
    OPTION_PATHS,    /* repeatable */
    OPTION_PAIRS     /* repeatable NAME=VALUE */
};

enum option_origin { ORIGIN_NONE, ORIGIN_FLAG, ORIGIN_ENVIRONMENT, ORIGIN_FILE, ORIGIN_DEFAULT };

struct option {
    const char *name; /* without the dashes; also the key in the file */
    char short_name;  /* 0: none */
    enum option_kind kind;
    const char *value_name;     /* "PATH" in help; NULL for flags */
    const char *const *choices; /* NULL-terminated, OPTION_CHOICE */
    const char *environment;    /* "REHEARSE_MAX_BLOCKED"; NULL: flag only */
    const char *default_text;   /* NULL: none */
    const char *group;          /* heading in --help; rows of one group are neighbours */
    const char *gate;           /* also found under this name below gates: in the file; NULL */
    bool is_common;             /* shown by -h */
    bool not_in_file;
    const char *help;    /* one line */
    const char *details; /* more, for --help; NULL */
};

struct option_value {
    enum option_origin origin;
    const char *where; /* "--max-blocked", "REHEARSE_MAX_BLOCKED", "rehearse.yaml:7" */
    const char *text;  /* as given; lists: NULL */
    int64_t number;    /* by kind; flags: 0 or 1 */
    VEC(const char *) list;
};

struct options;

/* A subcommand. Its run function returns the exit status of the program. */
struct command {
    const char *name;               /* one word, or two: "snapshot create" */
    const char *section;            /* of rehearse.yaml that holds its options; NULL: the root */
    const char *summary;            /* one line */
    const char *const *usage;       /* lines, NULL-terminated */
    const char *const *description; /* paragraphs, NULL-terminated */
    const char *const *examples;    /* lines, NULL-terminated; may be NULL */
    const struct option *options;
    size_t option_count;
    const char *positional_name; /* "FILE|DIR"; NULL: takes no arguments */
    size_t positional_max;
    bool takes_command; /* "-- COMMAND [ARG...]" */
    int (*run)(const struct options *options);
};

struct options {
    const struct command *command;
    struct arena *arena;
    struct option_value *values; /* one per row of command->options */
    VEC(const char *) positionals;
    const char *const *argv; /* behind "--", NULL-terminated; NULL: there was none */
    bool wants_short_help, wants_full_help;
};

void rh_options_init(struct options *options, const struct command *command, struct arena *arena);

/* `arguments` are those behind the subcommand. Stops early once help is asked for. */
enum err_code rh_options_parse(struct options *options, int count, char *const *arguments,
                               struct err *err) RH_MUST_CHECK;
/* `environment` as in environ(7). Paths in a list are separated by ':', pairs by ';'. */
enum err_code rh_options_apply_environment(struct options *options, const char *const *environment,
                                           struct err *err) RH_MUST_CHECK;
void rh_options_apply_defaults(struct options *options);

/* Index of a name in the command's table, SIZE_MAX when it has none by that name. */
size_t rh_options_find(const struct command *command, const char *name);
/* The option a mistyped name is closest to; NULL. */
const char *rh_options_suggest(const struct command *command, const char *name);
/*
 * Checks and sets one value (lists: adds one). NULL on success, else what is wrong with it:
 * "\"2\" has no unit: write 2s, 2ms or 2m".
 */
const char *rh_options_set(struct options *options, size_t index, enum option_origin origin,
                           const char *where, const char *text);

/* By name; a name the command does not have is a broken invariant. */
const struct option_value *rh_option_value(const struct options *options, const char *name);
bool rh_option_flag(const struct options *options, const char *name);
const char *rh_option_text(const struct options *options, const char *name); /* NULL: not set */
int64_t rh_option_number(const struct options *options, const char *name, int64_t if_not_set);
/* NULL-terminated; *ret_count may be NULL. */
const char *const *rh_option_list(const struct options *options, const char *name,
                                  size_t *ret_count);

#endif
