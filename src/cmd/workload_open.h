/*
 * Opening a workload's file, with its key where it has one.
 */
#ifndef RH_CMD_WORKLOAD_OPEN_H
#define RH_CMD_WORKLOAD_OPEN_H

#include "cmd/options.h"
#include "store/workload_file.h"

#define OPTION_ROW_WORKLOAD_KEY                                                                    \
    {                                                                                              \
        .name = "workload-key", .kind = OPTION_PATH, .value_name = "FILE", .group = "Workload",    \
        .environment = "REHEARSE_WORKLOAD_KEY",                                                    \
        .help = "The key of an encrypted workload: 64 hexadecimal digits.",                        \
        .details = "Without it ~/.config/rehearse/workload.key, where \"rehearse capture\" makes " \
                   "one.",                                                                         \
    }

/* With the key of rh_workload_read_key. Errors as rh_workload_reader_open. */
enum err_code rh_workload_open(const struct options *options, const char *path,
                               struct workload_reader **ret_reader, struct err *err) RH_MUST_CHECK;
/* Where it is made and looked for; NULL: there is no home directory. */
const char *rh_workload_default_key_file(struct arena *arena);
/* Reads the key that --workload-key names; without the option, the default one if there is one.
 *ret_has_key false: there is none. */
enum err_code rh_workload_read_key(const struct options *options,
                                   uint8_t ret_key[static WORKLOAD_KEY_BYTES], bool *ret_has_key,
                                   struct err *err) RH_MUST_CHECK;

#endif
