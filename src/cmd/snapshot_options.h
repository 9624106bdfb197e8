/*
 * What `snapshot create` and `snapshot import` share: option rows, and what becomes of them.
 */
#ifndef RH_CMD_SNAPSHOT_OPTIONS_H
#define RH_CMD_SNAPSHOT_OPTIONS_H

#include "cmd/options.h"
#include "cmd/run_options.h"
#include "snapshot/create.h"

#define GROUP_SOURCE "Source"
#define GROUP_ROWS "Rows"
#define GROUP_MASKING "Masking"
#define GROUP_COPY "Copying"

#define OPTION_ROW_FROM                                                                         \
    {                                                                                           \
        .name = "from", .kind = OPTION_TEXT, .value_name = "URL", .group = GROUP_SOURCE,        \
        .environment = "REHEARSE_FROM", .not_in_file = true, .is_common = true,                 \
        .help = "The database to copy; a standby is best.",                                     \
        .details =                                                                              \
            "A URL or connection string as libpq takes them, TLS settings included. Passwords " \
            "are better in the environment variable or in ~/.pgpass than on the command "       \
            "line; they are shown nowhere. PG* variables are not looked at.",                   \
    }
#define OPTION_ROW_SNAPSHOT_OUT                                                                 \
    {                                                                                           \
        .name = "out", .short_name = 'o', .kind = OPTION_PATH, .value_name = "DIR",             \
        .group = GROUP_OUTPUT, .environment = "REHEARSE_SNAPSHOT_OUT", .is_common = true,       \
        .help = "The snapshot's directory; made at the end.",                                   \
        .details = "It appears when all of it is on disk: what fails or is interrupted leaves " \
                   "nothing.",                                                                  \
    }
#define OPTION_ROW_REPLACE                                                                   \
    {                                                                                        \
        .name = "replace", .kind = OPTION_FLAG, .group = GROUP_OUTPUT,                       \
        .environment = "REHEARSE_REPLACE", .help = "Take the place of the snapshot at DIR.", \
        .details = "The old one stays until the new one is complete.",                       \
    }
#define OPTION_ROW_JOBS                                                                          \
    {                                                                                            \
        .name = "jobs", .short_name = 'j', .kind = OPTION_COUNT, .value_name = "N",              \
        .group = GROUP_COPY, .environment = "REHEARSE_JOBS", .default_text = "2",                \
        .is_common = true, .help = "Tables copied at a time.",                                   \
        .details =                                                                               \
            "Each is a session of pg_dump on the source, beside one of ours and pg_dump's own.", \
    }
#define OPTION_ROW_SAMPLE                                                                         \
    {                                                                                             \
        .name = "sample", .kind = OPTION_TEXTS, .value_name = "SHARE|TABLE=SHARE",                \
        .group = GROUP_ROWS, .environment = "REHEARSE_SAMPLE", .is_common = true,                 \
        .help = "Copy this share of the rows: 5%, orders=1%.",                                    \
        .details =                                                                                \
            "Rows of tables that refer to no other are chosen by a keyed hash, the same ones on " \
            "every run; what belongs to them comes along, and so does every parent.",             \
    }
#define OPTION_ROW_WHERE                                                                       \
    {                                                                                          \
        .name = "where", .kind = OPTION_TEXTS, .value_name = "TABLE=SQL", .group = GROUP_ROWS, \
        .environment = "REHEARSE_WHERE", .help = "Copy the rows of TABLE that this selects.",  \
        .details = "A condition over its columns: --where \"orders=created_at > "              \
                   "'2026-10-21'\". The time itself: now() is refused.",                       \
    }
#define OPTION_ROW_MAX_ROWS                                                                      \
    {                                                                                            \
        .name = "max-rows", .kind = OPTION_COUNT, .value_name = "N", .group = GROUP_ROWS,        \
        .environment = "REHEARSE_MAX_ROWS", .help = "At most about so many rows of each table.", \
        .details = "What foreign keys and witnesses need comes on top.",                         \
    }
#define OPTION_ROW_MAX_CHILDREN                                                                    \
    {                                                                                              \
        .name = "max-children", .kind = OPTION_COUNT, .value_name = "N", .group = GROUP_ROWS,      \
        .environment = "REHEARSE_MAX_CHILDREN", .help = "At most so many children of one parent.", \
        .details = "Along each foreign key by which a table follows another: the events of "       \
                   "one busy user do not fill the sample.",                                        \
    }
#define OPTION_ROW_WITNESS                                                                       \
    {                                                                                            \
        .name = "witness", .kind = OPTION_PATHS, .value_name = "FILE|DIR", .group = GROUP_ROWS,  \
        .environment = "REHEARSE_WITNESS", .is_common = true,                                    \
        .help = "The pending migration: rows it could fail at.",                                 \
        .details = "Duplicates, NULLs, orphans, failing casts, the longest values and heaviest " \
                   "keys are looked for, by reading alone, and are in the sample whatever the "  \
                   "share.",                                                                     \
    }
#define OPTION_ROW_EXCLUDE_TABLE                                                                   \
    {                                                                                              \
        .name = "exclude-table", .kind = OPTION_TEXTS, .value_name = "PATTERN",                    \
        .group = GROUP_ROWS, .environment = "REHEARSE_EXCLUDE_TABLE",                              \
        .help = "Copy no rows of these tables.",                                                   \
        .details = "TABLE or SCHEMA.TABLE, with * and ?. The tables themselves are there, empty: " \
                   "a migration needs them. Refused where rows that are copied refer to them.",    \
    }
#define OPTION_ROW_MASKING                                                                        \
    {                                                                                             \
        .name = "masking", .kind = OPTION_PATH, .value_name = "FILE", .group = GROUP_MASKING,     \
        .environment = "REHEARSE_MASKING", .is_common = true,                                     \
        .help = "masking.yaml: what happens to which column.",                                    \
        .details = "It wins over what is detected. Columns that nobody decided about are masked " \
                   "when they can hold text.",                                                    \
    }
#define OPTION_ROW_SUGGEST                                                                       \
    {                                                                                            \
        .name = "suggest", .kind = OPTION_FLAG, .group = GROUP_MASKING, .not_in_file = true,     \
        .is_common = true, .help = "Print the plan as a masking.yaml, and stop.",                \
        .details = "Every column with its rule and the reason for it, to be reviewed and given " \
                   "to --masking. Nothing is copied.",                                           \
    }
#define OPTION_ROW_UNMASKED                                                                      \
    {                                                                                            \
        .name = "unmasked", .kind = OPTION_FLAG, .group = GROUP_MASKING, .not_in_file = true,    \
        .help = "Copy the rows as they are.",                                                    \
        .details = "Personal data included. The manifest says so, and \"rehearse run\" refuses " \
                   "such a snapshot unless told otherwise.",                                     \
    }
#define OPTION_ROW_KEY_FILE                                                                    \
    {                                                                                          \
        .name = "key-file", .kind = OPTION_PATH, .value_name = "FILE", .group = GROUP_MASKING, \
        .environment = "REHEARSE_KEY_FILE", .help = "The master key: 64 hexadecimal digits.",  \
        .details = "Made on first use, for its owner alone. The same key gives the same "      \
                   "pseudonyms; who has it can undo them. Without this option and the next: "  \
                   "$REHEARSE_MASK_KEY, else ~/.config/rehearse/mask.key.",                    \
    }
#define OPTION_ROW_KEY_COMMAND                                               \
    {                                                                        \
        .name = "key-command", .kind = OPTION_TEXT, .value_name = "COMMAND", \
        .group = GROUP_MASKING, .environment = "REHEARSE_KEY_COMMAND",       \
        .help = "Prints the master key, as a vault's client does.",          \
    }
#define OPTION_ROW_NO_LARGE_OBJECTS                                                     \
    {                                                                                   \
        .name = "no-large-objects", .kind = OPTION_FLAG, .group = GROUP_ROWS,           \
        .environment = "REHEARSE_NO_LARGE_OBJECTS", .help = "Leave large objects out.", \
        .details = "Else they come as noise of the same length.",                       \
    }
#define OPTION_ROW_KEEP_COMMENTS                                                         \
    {                                                                                    \
        .name = "keep-comments", .kind = OPTION_FLAG, .group = GROUP_MASKING,            \
        .environment = "REHEARSE_KEEP_COMMENTS", .help = "Copy COMMENTs of the schema.", \
        .details = "They are left out else: people write about anything there.",         \
    }
#define OPTION_ROW_NO_VERIFY                                                                    \
    {                                                                                           \
        .name = "no-verify", .kind = OPTION_FLAG, .group = GROUP_COPY,                          \
        .environment = "REHEARSE_NO_VERIFY", .help = "Do not restore the archive to check it.", \
        .details = "Its certificates say \"not observed\" then.",                               \
    }

#define OPTION_ROW_SNAPSHOT_NO_CACHE                                                           \
    {                                                                                          \
        .name = "no-cache", .kind = OPTION_FLAG, .group = GROUP_SANDBOX,                       \
        .environment = "REHEARSE_NO_CACHE",                                                    \
        .help = "Leave no prepared sandbox for the first run.",                                \
        .details = "Without it the sandbox in which the archive was checked is kept, stopped " \
                   "and without any password, so that \"rehearse run --snapshot DIR\" starts " \
                   "from a clone of it. Server, role, --set and room are those of runs here "  \
                   "(rehearse.yaml, environment). \"rehearse snapshot prune\" removes it.",    \
    }

#define OPTION_ROW_SNAPSHOT_QUIET                                                       \
    {                                                                                   \
        .name = "quiet", .short_name = 'q', .kind = OPTION_FLAG, .group = GROUP_OUTPUT, \
        .environment = "REHEARSE_QUIET", .is_common = true,                             \
        .help = "No progress, and one line at the end.",                                \
    }
#define OPTION_ROW_SNAPSHOT_JSON                                                                   \
    {                                                                                              \
        .name = "json", .kind = OPTION_FLAG, .group = GROUP_OUTPUT, .is_common = true,             \
        .environment = "REHEARSE_JSON", .help = "Events and manifest as JSON, one object a line.", \
        .details = "On standard output: the first line names the format version, the last one "    \
                   "holds the manifest (\"event\": \"snapshot\"), or the error that kept the "     \
                   "snapshot from being made.",                                                    \
    }
#define OPTION_ROW_SNAPSHOT_TIMEOUT                                                      \
    {                                                                                    \
        .name = "timeout", .kind = OPTION_DURATION, .value_name = "DURATION",            \
        .group = GROUP_SANDBOX, .environment = "REHEARSE_TIMEOUT", .is_common = true,    \
        .help = "Give up after this time (exit code 124).",                              \
        .details = "Everything is cleaned up, and nothing is left of the new snapshot.", \
    }

/* Makes the snapshot and prints what came of it; the exit status. */
int rh_snapshot_command(const struct options *parsed);

#endif
