/*
 * Option rows of `run` about production's queries.
 */
#ifndef RH_CMD_WORKLOAD_ROWS_H
#define RH_CMD_WORKLOAD_ROWS_H

#include "cmd/query_rows.h"
#include "cmd/workload_open.h"
#include "rehearsal/rehearsal.h"

extern const char *const rh_blocker_choices[]; /* in the order of enum blocker_kind */

#define OPTION_ROW_WORKLOAD                                                                      \
    {                                                                                            \
        .name = "workload", .kind = OPTION_PATH, .value_name = "FILE", .group = GROUP_QUERIES,   \
        .environment = "REHEARSE_WORKLOAD", .is_common = true,                                   \
        .help = "Production's queries, replayed and compared.",                                  \
        .details = "A recording of \"rehearse capture\" or \"rehearse workload import\". It is " \
                   "replayed while the migration runs on one clone, and left alone on another: " \
                   "who waited, for what, and what failed. Then each pattern is measured with "  \
                   "and without the migration, in turn, on three clones.",                       \
    }
#define OPTION_ROW_SPEED                                                                      \
    {                                                                                         \
        .name = "speed", .kind = OPTION_TEXT, .value_name = "FACTOR", .group = GROUP_QUERIES, \
        .environment = "REHEARSE_SPEED", .default_text = "1",                                 \
        .help = "Replay the workload from 0.1 to 100 times as fast.",                         \
    }
#define OPTION_ROW_POOL                                                                           \
    {                                                                                             \
        .name = "pool", .kind = OPTION_COUNT, .value_name = "N", .group = GROUP_QUERIES,          \
        .environment = "REHEARSE_POOL", .help = "Connections that the application has.",          \
        .details = "A migration behind which so many queries wait at once is UNSAFE: then every " \
                   "request waits for a connection.",                                             \
    }
#define OPTION_ROW_BLOCKER                                                                        \
    {                                                                                             \
        .name = "blocker", .kind = OPTION_CHOICE, .value_name = "KIND", .group = GROUP_QUERIES,   \
        .choices = rh_blocker_choices, .environment = "REHEARSE_BLOCKER", .default_text = "none", \
        .help = "Put a session in the migration's way.",                                          \
        .details = "idle-in-transaction: a transaction that has read the table and was left "     \
                   "open. long-read: a query that reads it for long. autovacuum: one that "       \
                   "yields to nobody (wraparound). With --workload or without.",                  \
    }
#define OPTION_ROW_BLOCKER_TIME                                                               \
    {                                                                                         \
        .name = "blocker-time", .kind = OPTION_DURATION, .value_name = "DURATION",            \
        .group = GROUP_QUERIES, .environment = "REHEARSE_BLOCKER_TIME", .default_text = "5s", \
        .help = "How long that session stays.",                                               \
    }
#define OPTION_ROW_BLOCKER_TABLE                                             \
    {                                                                        \
        .name = "blocker-table", .kind = OPTION_TEXT, .value_name = "TABLE", \
        .group = GROUP_QUERIES, .environment = "REHEARSE_BLOCKER_TABLE",     \
        .help = "Which table it uses.",                                      \
        .details = "Without it the one that the migration locks longest.",   \
    }

/* "speed"; 0 is "max", which a replay takes by itself. RH_ERR_USAGE: it is none. */
enum err_code rh_workload_speed(const struct options *options, bool takes_max, double *ret_speed,
                                struct err *err) RH_MUST_CHECK;
/* From those rows and those of query_rows.h. The workload is opened: its reader is the caller's to
   free. */
enum err_code rh_workload_options_read(const struct options *options,
                                       struct workload_options *ret_workload,
                                       struct err *err) RH_MUST_CHECK;

#endif
