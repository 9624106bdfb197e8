#include "sandbox/sandbox_int.h"

#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* Raised when what is below changes what a template holds. */
#define TEMPLATE_FORMAT 2
/* initdb takes half a second; a slow disk with a cold cache has taken 20 s. */
#define SETUP_TIMEOUT_US (120 * INT64_C(1000000))
#define SETUP_OUTPUT_MAX ((size_t)64 * 1024)
/* Templates kept (40 MB each): every major version in two minors. */
#define TEMPLATES_MAX 12

/* A locale that sorts by code point and knows UTF-8 letters: the same everywhere. */
const char *rh_template_locale(void)
{
    locale_t locale = newlocale(LC_ALL_MASK, "C.UTF-8", (locale_t)0);

    if (locale == (locale_t)0)
        return "C";
    freelocale(locale);
    return "C.UTF-8";
}

/* Everything that shapes the result of initdb. */
static const char *template_name(const struct sandbox *sandbox)
{
    struct arena *arena = sandbox->arena;
    char digest[65];
    struct stat binary = {0};

    (void)stat(rh_file_join(arena, sandbox->server.bin_directory, "initdb"), &binary);
    const char *key = rh_arena_printf(arena, "%d|%s|%s|%lld|%lld|%s|%u", TEMPLATE_FORMAT,
                                      sandbox->server.version, sandbox->server.bin_directory,
                                      (long long)binary.st_size, (long long)binary.st_mtime,
                                      sandbox->locale, (unsigned)sandbox->uid);
    rh_file_sha256(rh_text(key), digest);
    return rh_arena_printf(arena, "%s-%.12s", sandbox->server.version, digest);
}

static enum err_code write_private(const char *path, const char *content, struct err *err)
{
    RH_CLEANUP_FD int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);

    if (fd < 0 || write(fd, content, strlen(content)) != (ssize_t)strlen(content))
        return rh_err_set_errno(err, errno, "cannot write \"%s\"", path);
    return RH_OK;
}

static enum err_code run_initdb(struct sandbox *sandbox, struct err *err)
{
    struct arena *arena = sandbox->arena;
    char *password_path = rh_file_join(arena, sandbox->directory, "password");
    struct process process = PROCESS_INIT;
    struct text output, errors;
    enum err_code code;

    sandbox->superuser = rh_sandbox_random_name(arena, "rh_", 12);
    sandbox->superuser_password = rh_sandbox_random_name(arena, "", 32);
    if ((code = write_private(password_path, sandbox->superuser_password, err)))
        return code;
    if (sandbox->drops_privileges && chown(password_path, sandbox->uid, sandbox->gid) != 0)
        return rh_err_set_errno(err, errno, "cannot give \"%s\" to user \"%s\"", password_path,
                                sandbox->user_name);
    const char *const argv[] = {
        rh_file_join(arena, sandbox->server.bin_directory, "initdb"),
        "-D",
        sandbox->data_directory,
        "-U",
        sandbox->superuser,
        rh_arena_printf(arena, "--pwfile=%s", password_path),
        "--auth=scram-sha-256",
        "--encoding=UTF8",
        rh_arena_printf(arena, "--locale=%s", sandbox->locale),
        "--lc-messages=C",
        "--no-sync",
        NULL,
    };
    struct process_options options = rh_cluster_process_options(sandbox, argv);
    code = rh_process_run(&options, rh_clock_after(rh_clock_mono(), SETUP_TIMEOUT_US),
                          SETUP_OUTPUT_MAX, arena, &process, &output, &errors, err);
    unlink(password_path);
    if (code) {
        if (sandbox->drops_privileges && err->errno_value == EACCES)
            rh_err_hint(err,
                        "The server runs as user \"%s\": its programs must be readable to "
                        "that user.",
                        sandbox->user_name);
        return code;
    }
    if (process.status != 0) {
        char status[48];
        if ((code = rh_cluster_check_disk(sandbox, err)))
            return code;
        rh_err_set(err, RH_ERR_ENVIRONMENT,
                   "cannot create a database cluster: initdb ended with %s",
                   rh_process_status_text(&process, status));
        struct text said = rh_text_trim(errors.len ? errors : output);
        rh_err_detail(err, "%.*s", (int)said.len, said.data);
        return err->code;
    }
    return RH_OK;
}

/* The database of every run, made once (a single-user server: manual, "postgres"): to copy it with
   the rest costs a tenth of what it costs to create it. */
static enum err_code create_database(struct sandbox *sandbox, struct err *err)
{
    struct arena *arena = sandbox->arena;
    const char *script_path = rh_file_join(arena, sandbox->directory, "database.sql");
    struct process process = PROCESS_INIT;
    struct text output, errors;
    enum err_code code;

    if ((code = write_private(
             script_path, "CREATE DATABASE " DATABASE_NAME " TEMPLATE template0 ENCODING 'UTF8'\n",
             err)))
        return code;
    RH_CLEANUP_FD int script = open(script_path, O_RDONLY | O_CLOEXEC);
    const char *const argv[] = {
        rh_file_join(arena, sandbox->server.bin_directory, "postgres"),
        "--single",
        "-F",
        "-D",
        sandbox->data_directory,
        "template1",
        NULL,
    };
    struct process_options options = rh_cluster_process_options(sandbox, argv);
    options.stdin_fd = script;
    code = rh_process_run(&options, rh_clock_after(rh_clock_mono(), SETUP_TIMEOUT_US),
                          SETUP_OUTPUT_MAX, arena, &process, &output, &errors, err);
    unlink(script_path);
    if (code)
        return code;
    /* It ends with status 0 whatever it was told, and says ERROR where there was one. */
    if (process.status != 0 || strstr(errors.data, "ERROR:") || strstr(errors.data, "FATAL:")) {
        if ((code = rh_cluster_check_disk(sandbox, err)))
            return code;
        rh_err_set(err, RH_ERR_ENVIRONMENT, "cannot create a database in a new cluster");
        struct text said = rh_text_trim(errors);
        rh_err_detail(err, "%.*s", (int)said.len, said.data);
        return err->code;
    }
    return RH_OK;
}

static enum err_code make_cluster(struct sandbox *sandbox, struct err *err)
{
    enum err_code code = run_initdb(sandbox, err);

    return code ? code : create_database(sandbox, err);
}

/* --- the cache -----------------------------------------------------------------------------------
 */

/* "superuser\npassword\n"; the password is changed as soon as a copy has started. */
static bool read_secret(struct sandbox *sandbox, const char *template)
{
    struct arena *arena = sandbox->arena;
    struct err ignored = RH_ERR_INIT;
    struct text text;

    if (rh_file_read(rh_file_join(arena, template, "superuser"), 256, arena, &text, &ignored))
        return false;
    const char *newline = memchr(text.data, '\n', text.len);
    if (!newline)
        return false;
    size_t name_length = (size_t)(newline - text.data);
    struct text password = rh_text_trim((struct text){newline + 1, text.len - name_length - 1});
    if (!name_length || !password.len)
        return false;
    sandbox->superuser = rh_arena_strndup(arena, text.data, name_length);
    sandbox->superuser_password = rh_text_dup(arena, password);
    return true;
}

/* A copy that was cut short by a power failure must not become a template: made under another name,
   on disk, then renamed. Failing to cache only costs the next start half a second. */
static enum err_code save(struct sandbox *sandbox, const char *templates, const char *name,
                          struct err *err)
{
    struct arena *arena = sandbox->arena;
    enum err_code code;

    if ((code = rh_file_make_directories(templates, 0700, err)))
        return code;
    char *fresh = rh_file_join(arena, templates, ".new-XXXXXX");
    if (!mkdtemp(fresh))
        return rh_err_set_errno(err, errno, "cannot create \"%s\"", fresh);
    code = rh_file_copy_tree(sandbox->data_directory, rh_file_join(arena, fresh, "data"), err);
    if (!code)
        code = write_private(
            rh_file_join(arena, fresh, "superuser"),
            rh_arena_printf(arena, "%s\n%s\n", sandbox->superuser, sandbox->superuser_password),
            err);
    if (!code) {
        RH_CLEANUP_FD int fd = open(fresh, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0 || syncfs(fd) != 0 || rename(fresh, rh_file_join(arena, templates, name)) != 0)
            code = errno == EEXIST || errno == ENOTEMPTY
                       ? RH_OK /* another run was faster */
                       : rh_err_set_errno(err, errno, "cannot keep \"%s\"", fresh);
    }
    rh_sandbox_remove_quietly(fresh);
    return code;
}

/* The oldest go first; those of versions no longer installed are the ones that age. */
static void prune(struct arena *arena, const char *templates)
{
    struct err ignored = RH_ERR_INIT;
    struct file_names names;

    for (;;) {
        const char *oldest = NULL;
        time_t oldest_time = 0;
        if (rh_file_list(templates, arena, &names, &ignored) || names.count <= TEMPLATES_MAX)
            return;
        for (size_t i = 0; i < names.count; i++) {
            struct stat status;
            const char *path = rh_file_join(arena, templates, names.names[i]);
            if (lstat(path, &status) == 0 && (!oldest || status.st_mtime < oldest_time)) {
                oldest = path;
                oldest_time = status.st_mtime;
            }
        }
        if (!oldest || rh_file_remove_tree(oldest, &ignored))
            return;
    }
}

enum err_code rh_template_provide(struct sandbox *sandbox, struct err *err)
{
    struct arena *arena = sandbox->arena;
    struct err failure = RH_ERR_INIT;
    enum err_code code;

    sandbox->locale = rh_template_locale();
    /* Where that is possible, every clone is a snapshot then. */
    (void)rh_subvolume_create(sandbox, sandbox->data_directory);
    sandbox->database = DATABASE_NAME;
    if (!sandbox->cache_directory)
        return make_cluster(sandbox, err);
    const char *templates = rh_file_join(arena, sandbox->cache_directory, "templates");
    const char *name = template_name(sandbox);
    const char *path = rh_file_join(arena, templates, name);
    if (read_secret(sandbox, path)) {
        code = rh_file_copy_tree(rh_file_join(arena, path, "data"), sandbox->data_directory,
                                 &failure);
        if (!code) {
            sandbox->template_path = path;
            return RH_OK;
        }
        if (failure.errno_value == ENOSPC)
            return rh_cluster_disk_full(sandbox, err);
        rh_progress_note(sandbox->progress, "cached cluster not used: %s", failure.message);
        rh_sandbox_remove_quietly(path);
    }
    rh_progress_phase(sandbox->progress, "initdb (PostgreSQL %s)", sandbox->server.version);
    if ((code = make_cluster(sandbox, err)))
        return code;
    if (save(sandbox, templates, name, &failure))
        rh_progress_note(sandbox->progress, "the cluster was not cached: %s", failure.message);
    prune(arena, templates);
    return RH_OK;
}

enum err_code rh_template_replace(struct sandbox *sandbox, struct err *err)
{
    enum err_code code;

    if ((code = rh_file_remove_tree(sandbox->template_path, err)) ||
        (code = rh_file_remove_tree(sandbox->data_directory, err)))
        return code;
    sandbox->template_path = NULL;
    return rh_template_provide(sandbox, err);
}
