/*
 * Option rows of `run` about its snapshot and the cache of prepared sandboxes; `run` puts each into
 * its group.
 */
#ifndef RH_CMD_RUN_ROWS_H
#define RH_CMD_RUN_ROWS_H

#include "cmd/run_options.h"

#define OPTION_ROW_ALLOW_UNMASKED                                                                  \
    {                                                                                              \
        .name = "allow-unmasked", .kind = OPTION_FLAG, .group = GROUP_START,                       \
        .environment = "REHEARSE_ALLOW_UNMASKED", .help = "Accept a snapshot that is not masked.", \
        .details =                                                                                 \
            "Of those that \"rehearse snapshot\" made; without it such a one is refused, and "     \
            "so is one whose certificate found clear data in it.",                                 \
    }

#define OPTION_ROW_REQUIRE_MASKED                                            \
    {                                                                        \
        .name = "require-masked", .kind = OPTION_FLAG, .group = GROUP_START, \
        .environment = "REHEARSE_REQUIRE_MASKED",                            \
        .help = "Refuse plain dumps: they do not say if they are masked.",   \
        .details = "Good in rehearse.yaml.",                                 \
    }

#define OPTION_ROW_ACCEPT_SAMPLE                                                                   \
    {                                                                                              \
        .name = "accept-sample", .kind = OPTION_FLAG, .group = GROUP_GATES,                        \
        .environment = "REHEARSE_ACCEPT_SAMPLE",                                                   \
        .help = "Accept a rehearsal on a part of the rows.",                                       \
        .details = "Without it a run whose statements read a table of which the snapshot has a "   \
                   "sample is INCONCLUSIVE, unless the snapshot was made with --witness for this " \
                   "very migration: rows that would break it need not be in the sample.",          \
    }

#define OPTION_ROW_NO_CACHE                                                                     \
    {                                                                                           \
        .name = "no-cache", .kind = OPTION_FLAG, .group = GROUP_SANDBOX,                        \
        .environment = "REHEARSE_NO_CACHE", .help = "Neither use nor keep a prepared sandbox.", \
        .details =                                                                              \
            "Without it the prepared sandbox (stopped, without any password) is kept, and a "   \
            "later run with the same snapshot, schema, settings, role and server starts "       \
            "from a clone of it. \"rehearse snapshot prune\" removes what is kept.",            \
    }

#define OPTION_ROW_CACHE_SIZE                                                                     \
    {                                                                                             \
        .name = "cache-size", .kind = OPTION_BYTES, .value_name = "SIZE", .group = GROUP_SANDBOX, \
        .environment = "REHEARSE_CACHE_SIZE", .default_text = "20GB",                             \
        .help = "Most that kept sandboxes may take.",                                             \
        .details = "The least recently used go first.",                                           \
    }

#define OPTION_ROW_CACHE_FREE                                                                     \
    {                                                                                             \
        .name = "cache-free", .kind = OPTION_BYTES, .value_name = "SIZE", .group = GROUP_SANDBOX, \
        .environment = "REHEARSE_CACHE_FREE", .default_text = "4GB",                              \
        .help = "Disk that kept sandboxes must leave free.",                                      \
    }

#endif
