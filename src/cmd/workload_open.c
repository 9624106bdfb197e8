#include "cmd/workload_open.h"

#include "base/file.h"

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

const char *rh_workload_default_key_file(struct arena *arena)
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
    const char *file = rh_workload_default_key_file(options->arena);
    struct err unused = RH_ERR_INIT;
    *ret_has_key = true;
    if (path != NULL)
        return read_key(options->arena, path, ret_key, err);
    *ret_has_key = file != NULL && rh_file_exists(file) &&
                   read_key(options->arena, file, ret_key, &unused) == RH_OK;
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
