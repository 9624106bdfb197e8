/*
 * Opening a workload's file, with its key where it has one.
 */
#ifndef RH_CMD_WORKLOAD_OPEN_H
#define RH_CMD_WORKLOAD_OPEN_H

#include "cmd/options.h"
#include "snapshot/master_key.h"
#include "store/workload_file.h"

#define OPTION_ROW_WORKLOAD_KEY                                                                    \
    {                                                                                              \
        .name = "workload-key", .kind = OPTION_PATH, .value_name = "FILE", .group = "Workload",    \
        .environment = "REHEARSE_WORKLOAD_KEY",                                                    \
        .help = "The key of an encrypted workload: 64 hexadecimal digits.",                        \
        .details = "Without it ~/.config/rehearse/workload.key, where \"rehearse capture\" makes " \
                   "one.",                                                                         \
    }

/* The one that stands on the command line. RH_ERR_USAGE: none does. */
enum err_code rh_workload_named(const struct options *options, const char **ret_path,
                                struct err *err) RH_MUST_CHECK;
/* With the key of rh_workload_read_key. Errors as rh_workload_reader_open. */
enum err_code rh_workload_open(const struct options *options, const char *path,
                               struct workload_reader **ret_reader, struct err *err) RH_MUST_CHECK;
/* The key for a new workload: from `file`, else from the default one; made where there is none,
   which is told unless `is_quiet`. rh_master_key_wipe is the caller's, also after an error.
   RH_ERR_USAGE: there is no home directory to keep it in. */
enum err_code rh_workload_make_key(const struct options *options, const char *file, bool is_quiet,
                                   struct mask_master_key *ret_key, struct err *err) RH_MUST_CHECK;
/* Reads the key that --workload-key names; without the option, the default one if there is one.
 *ret_has_key false: there is none. */
enum err_code rh_workload_read_key(const struct options *options,
                                   uint8_t ret_key[static WORKLOAD_KEY_BYTES], bool *ret_has_key,
                                   struct err *err) RH_MUST_CHECK;

#endif
