#include "cmd/workload_open.h"

#include "base/file.h"
#include "cmd/cli.h"

#include <stdlib.h>

#define KEY_FILE_BYTES_MAX 4096

static enum err_code read_key(struct arena *arena, const char *path,
                              uint8_t ret_key[static WORKLOAD_KEY_BYTES], struct err *err)
{
    struct text text;
    enum err_code code = rh_file_read(path, KEY_FILE_BYTES_MAX, arena, &text, err);
    if (code != RH_OK)
        return code;
    bool is_key = rh_text_parse_hex(rh_text_trim(text), ret_key, WORKLOAD_KEY_BYTES);
    explicit_bzero((char *)text.data, text.len);
    if (!is_key)
        return rh_err_set(err, RH_ERR_USAGE, "\"%s\" holds no key of 64 hexadecimal digits", path);
    return RH_OK;
}

/* Where a key is made and looked for; NULL: there is no home directory. */
static const char *default_key_file(struct arena *arena)
{
    const char *config = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
    if (config != NULL && config[0] == '/')
        return rh_file_join(arena, config, "rehearse/workload.key");
    return home != NULL && home[0] == '/'
               ? rh_file_join(arena, home, ".config/rehearse/workload.key")
               : NULL;
}

enum err_code rh_workload_read_key(const struct options *options,
                                   uint8_t ret_key[static WORKLOAD_KEY_BYTES], bool *ret_has_key,
                                   struct err *err)
{
    const char *path = rh_option_text(options, "workload-key");
    const char *file = default_key_file(options->arena);
    struct err unused = RH_ERR_INIT;
    *ret_has_key = true;
    if (path != NULL)
        return read_key(options->arena, path, ret_key, err);
    *ret_has_key = file != NULL && rh_file_exists(file) &&
                   read_key(options->arena, file, ret_key, &unused) == RH_OK;
    return RH_OK;
}

enum err_code rh_workload_make_key(const struct options *options, const char *file, bool is_quiet,
                                   struct mask_master_key *ret_key, struct err *err)
{
    const char *made = NULL;
    if (file == NULL)
        file = default_key_file(options->arena);
    if (file == NULL) {
        rh_err_set(err, RH_ERR_USAGE, "there is no home directory to keep a key in");
        rh_err_hint(err, "Name a file for it, or say --unencrypted.");
        return RH_ERR_USAGE;
    }
    enum err_code code = rh_master_key_load(&(struct master_key_options){.file = file},
                                            options->arena, ret_key, &made, err);
    if (code != RH_OK) {
        rh_err_while(err, "while reading the key of the workload");
        return code;
    }
    _Static_assert(WORKLOAD_KEY_BYTES == sizeof(ret_key->bytes), "one size of keys");
    if (made != NULL && !is_quiet)
        rh_cli_note("note: a key was made in \"%s\": without it the workload cannot be read.",
                    made);
    return RH_OK;
}

enum err_code rh_workload_named(const struct options *options, const char **ret_path,
                                struct err *err)
{
    if (options->positionals.count == 0) {
        rh_err_set(err, RH_ERR_USAGE, "WORKLOAD is missing: which file?");
        rh_err_hint(err, "Usage: %s", options->command->usage[0]);
        return RH_ERR_USAGE;
    }
    *ret_path = options->positionals.items[0];
    return RH_OK;
}

enum err_code rh_workload_open(const struct options *options, const char *path,
                               struct workload_reader **ret_reader, struct err *err)
{
    uint8_t key[WORKLOAD_KEY_BYTES];
    bool has_key = false;
    enum err_code code = rh_workload_read_key(options, key, &has_key, err);
    if (code == RH_OK)
        code = rh_workload_reader_open(path, has_key ? key : NULL, ret_reader, err);
    explicit_bzero(key, sizeof(key));
    if (code == RH_ERR_USAGE && err->hint[0] != '\0' && strstr(err->message, "encrypted") != NULL)
        rh_err_hint(err, "Name the file with its key: --workload-key FILE.");
    return code;
}
