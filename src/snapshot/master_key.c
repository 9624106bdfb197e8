#include "snapshot/master_key.h"

#include "base/file.h"
#include "base/process.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEY_DIGITS ((size_t)2 * MASK_MASTER_KEY_BYTES)
/* A key, a line end, and room to see that it is something else. */
#define KEY_TEXT_MAX ((size_t)256)
#define MAKE_HINT "A key is 64 hexadecimal digits: openssl rand -hex 32"

void rh_master_key_wipe(struct mask_master_key *key)
{
    OPENSSL_cleanse(key, sizeof(*key));
}

static bool parse_key(struct text text, struct mask_master_key *ret_key)
{
    return rh_text_parse_hex(rh_text_trim(text), ret_key->bytes, sizeof(ret_key->bytes));
}

static enum err_code no_key(struct err *err, const char *where)
{
    rh_err_set(err, RH_ERR_USAGE, "%s holds no masking key", where);
    rh_err_hint(err, MAKE_HINT);
    return RH_ERR_USAGE;
}

/* --- from a file ----------------------------------------------------------------------------- */

/* $XDG_CONFIG_HOME/rehearse/mask.key, ~/.config/rehearse/mask.key; NULL: there is no home. */
static char *default_path(struct arena *arena)
{
    const char *config = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");

    if (config && config[0] == '/')
        return rh_file_join(arena, config, "rehearse/mask.key");
    return home && home[0] == '/' ? rh_file_join(arena, home, ".config/rehearse/mask.key") : NULL;
}

static enum err_code check_mode(const char *path, int fd, struct err *err)
{
    struct stat status;

    if (fstat(fd, &status) != 0)
        return rh_err_set_errno(err, errno, "cannot look at \"%s\"", path);
    if (!S_ISREG(status.st_mode) && !S_ISFIFO(status.st_mode))
        return rh_err_set(err, RH_ERR_USAGE, "the key file \"%s\" is no file", path);
    if (S_ISREG(status.st_mode) && (status.st_mode & 077) != 0) {
        rh_err_set(err, RH_ERR_USAGE, "the key file \"%s\" can be read or written by others", path);
        rh_err_hint(err, "Who has the key can undo the masking. chmod 600 it, and use another key "
                         "if somebody may have read it.");
        return RH_ERR_USAGE;
    }
    if (status.st_uid != geteuid() && geteuid() != 0)
        return rh_err_set(err, RH_ERR_USAGE, "the key file \"%s\" belongs to somebody else", path);
    return RH_OK;
}

static enum err_code read_open_file(const char *path, int fd, struct mask_master_key *ret_key,
                                    struct err *err)
{
    char text[KEY_TEXT_MAX];
    size_t len = 0;
    ssize_t got;
    bool is_key;
    enum err_code code = check_mode(path, fd, err);

    if (code)
        return code;
    while ((got = read(fd, text + len, sizeof(text) - len)) > 0)
        len += (size_t)got;
    if (got < 0)
        return rh_err_set_errno(err, errno, "cannot read the key file \"%s\"", path);
    is_key = parse_key((struct text){text, len}, ret_key);
    OPENSSL_cleanse(text, sizeof(text));
    return is_key ? RH_OK : no_key(err, path);
}

/* Whole or not at all, and never over one that another run has just made. */
static enum err_code make_file(const char *path, struct arena *arena, struct err *err)
{
    char digits[KEY_DIGITS + 2];
    unsigned char bytes[MASK_MASTER_KEY_BYTES];
    const char *temporary = rh_arena_printf(arena, "%s.%ld", path, (long)getpid());
    const char *slash = strrchr(path, '/');
    enum err_code code = RH_OK;

    if (slash && slash != path)
        code = rh_file_make_directories(rh_arena_strndup(arena, path, (size_t)(slash - path)), 0700,
                                        err);
    if (code)
        return code;
    if (RAND_bytes(bytes, sizeof(bytes)) != 1)
        return rh_err_set(err, RH_ERR_ENVIRONMENT, "cannot get random bytes for a key");
    rh_text_hex(bytes, sizeof(bytes), digits);
    snprintf(digits + KEY_DIGITS, 2, "\n");
    code = rh_file_write(temporary, rh_text(digits), 0600, err);
    OPENSSL_cleanse(bytes, sizeof(bytes));
    OPENSSL_cleanse(digits, sizeof(digits));
    if (!code && link(temporary, path) != 0 && errno != EEXIST)
        code = rh_err_set_errno(err, errno, "cannot make the key file \"%s\"", path);
    (void)unlink(temporary);
    return code;
}

static enum err_code load_file(const char *path, bool must_exist, struct arena *arena,
                               struct mask_master_key *ret_key, const char **ret_made,
                               struct err *err)
{
    RH_CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    enum err_code code;

    if (fd < 0 && errno == ENOENT && !must_exist) {
        if ((code = make_file(path, arena, err))) {
            rh_err_while(err, "while making a masking key");
            return code;
        }
        *ret_made = path;
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    }
    if (fd < 0) {
        rh_err_set_errno(err, errno, "cannot open the key file \"%s\"", path);
        err->code = RH_ERR_USAGE;
        return RH_ERR_USAGE;
    }
    return read_open_file(path, fd, ret_key, err);
}

/* --- from a command -------------------------------------------------------------------------- */

static enum err_code load_command(const char *command, struct arena *arena,
                                  struct mask_master_key *ret_key, struct err *err)
{
    const char *const argv[] = {"/bin/sh", "-c", command, NULL};
    struct process_options options = {
        .argv = argv, .stdin_fd = -1, .stdout_fd = -1, .stderr_fd = -1, .new_group = true};
    struct process process = PROCESS_INIT;
    struct text output = {0}, errors = {0};
    char status[48];
    bool is_key = false;
    enum err_code code = rh_process_run(&options,
                                        rh_clock_after(rh_clock_mono(), MASTER_KEY_COMMAND_US),
                                        KEY_TEXT_MAX, arena, &process, &output, &errors, err);

    if (code) {
        rh_err_while(err, "while running --key-command");
        return code;
    }
    if (rh_process_exit_status(&process) == 0)
        is_key = parse_key(output, ret_key);
    /* The arena's bytes are ours alone: the view is const for its other readers. */
    if (output.len > 0)
        OPENSSL_cleanse((char *)(uintptr_t)output.data, output.len);
    if (rh_process_exit_status(&process) != 0)
        return rh_err_set(err, RH_ERR_ENVIRONMENT, "--key-command failed: %s",
                          rh_process_status_text(&process, status));
    return is_key ? RH_OK : no_key(err, "the output of --key-command");
}

enum err_code rh_master_key_load(const struct master_key_options *options, struct arena *arena,
                                 struct mask_master_key *ret_key, const char **ret_made,
                                 struct err *err)
{
    const char *path = options->file ? options->file : default_path(arena);

    *ret_made = NULL;
    if (options->file && options->command)
        return rh_err_set(err, RH_ERR_USAGE, "both --key-file and --key-command were given");
    if (!options->file && options->command)
        return load_command(options->command, arena, ret_key, err);
    if (!options->file && options->text)
        return parse_key(rh_text(options->text), ret_key) ? RH_OK
                                                          : no_key(err, "REHEARSE_MASK_KEY");
    if (!path) {
        rh_err_set(err, RH_ERR_USAGE, "there is no place for a masking key: HOME is not set");
        rh_err_hint(err, "Name a file with --key-file.");
        return RH_ERR_USAGE;
    }
    return load_file(path, options->must_exist, arena, ret_key, ret_made, err);
}

/* --- what comes of it ------------------------------------------------------------------------ */

static void derive(const struct mask_master_key *key, const char *purpose,
                   unsigned char out[static 32])
{
    unsigned length = 0;

    if (!HMAC(EVP_sha256(), key->bytes, MASK_MASTER_KEY_BYTES, (const unsigned char *)purpose,
              strlen(purpose), out, &length) ||
        length != 32)
        RH_PANIC("OpenSSL cannot derive a key");
}

void rh_master_key_id(const struct mask_master_key *key, const char *purpose,
                      char out[static MASTER_KEY_ID_BYTES])
{
    unsigned char derived[32];

    derive(key, purpose, derived);
    rh_text_hex(derived, 8, out);
    OPENSSL_cleanse(derived, sizeof(derived));
}

uint64_t rh_master_key_number(const struct mask_master_key *key, const char *purpose)
{
    unsigned char derived[32];
    uint64_t number = 0;

    derive(key, purpose, derived);
    for (size_t i = 0; i < 8; i++)
        number = number << 8 | derived[i];
    OPENSSL_cleanse(derived, sizeof(derived));
    return number;
}
