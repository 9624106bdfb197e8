/*
 * --transform FILE, of the commands that send what a workload holds: the rules in it.
 */
#ifndef RH_CMD_TRANSFORM_OPTION_H
#define RH_CMD_TRANSFORM_OPTION_H

#include "cmd/options.h"
#include "sql/transform.h"

#define OPTION_ROW_TRANSFORM(option_group, option_help)                                        \
    {                                                                                          \
        .name = "transform", .kind = OPTION_PATH, .value_name = "FILE", .group = option_group, \
        .environment = "REHEARSE_TRANSFORM", .help = option_help,                              \
        .details = "Rules that turn recorded queries into those of the new release: renamed "  \
                   "tables and columns, dropped columns, whole queries replaced. A rule that " \
                   "matches no query is an error (docs/transform.md).",                        \
    }

/* *ret_transform lies in the arena of the options; NULL: none is wanted. RH_ERR_USAGE: the file
   cannot be read, or holds a mistake. */
enum err_code rh_transform_option_read(const struct options *options,
                                       const struct transform **ret_transform,
                                       struct err *err) RH_MUST_CHECK;

#endif
