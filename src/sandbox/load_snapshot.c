#include "sandbox/load_int.h"
#include "sandbox/snapshot_own.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* Between two looks at how far a decompressor has come. */
#define PROGRESS_SLICE_US 500000
#define MESSAGE_MAX 512

/* --- what a dump needs ------------------------------------------------------------------------ */

enum err_code rh_load_read_extensions(struct load *load, struct err *err)
{
    struct arena *arena = load->sandbox->arena;
    RH_CLEANUP_ROWS struct rows *rows = NULL;
    enum err_code code;

    if ((code = rh_roles_query(load->sandbox, "SELECT name FROM pg_available_extensions", NULL, 0,
                               &rows, err)))
        return code;
    for (size_t i = 0; i < rh_rows_count(rows); i++)
        *RH_PUSH(arena, &load->available) = rh_arena_strdup(arena, rh_rows_value(rows, i, 0));
    return RH_OK;
}

static bool holds(const char *const *names, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

bool rh_load_lacks_extension(struct load *load, const char *name)
{
    if (holds(load->available.items, load->available.count, name))
        return false;
    if (!holds(load->missing.items, load->missing.count, name)) {
        *RH_PUSH(load->sandbox->arena, &load->missing) = rh_arena_strdup(load->sandbox->arena,
                                                                         name);
        rh_sandbox_note(load->sandbox,
                        "extension \"%s\" of the snapshot is not installed for PostgreSQL %s: left "
                        "out",
                        name, load->sandbox->server.version);
    }
    return true;
}

const char *rh_load_missing_text(const struct load *load)
{
    char *text = rh_arena_strdup(load->sandbox->arena, "");

    for (size_t i = 0; i < load->missing.count; i++)
        text = rh_arena_printf(load->sandbox->arena, "%s%s\"%s\"", text, i ? ", " : "",
                               load->missing.items[i]);
    return text;
}

void rh_load_note_once(struct load *load, bool *noted, const char *text)
{
    if (!*noted)
        rh_sandbox_note(load->sandbox, "%s", text);
    *noted = true;
}

/* The value of `name = 'value'` in CREATE DATABASE. */
static const char *option_of(const struct sql_statement *statement, const char *name)
{
    for (size_t i = 3; i + 2 < statement->count; i++)
        if (statement->tokens[i].kind == SQL_WORD && strcmp(statement->tokens[i].text, name) == 0 &&
            statement->tokens[i + 1].text[0] == '=')
            return statement->tokens[i + 2].text;
    return NULL;
}

void rh_load_read_database(struct load *load, const struct sql_statement *statement)
{
    struct arena *arena = load->sandbox->arena;
    const char *encoding = option_of(statement, "encoding");
    const char *provider = option_of(statement, "locale_provider");
    const char *locale = option_of(statement, "lc_collate");

    if (statement->count < 3)
        return;
    load->database = rh_arena_strdup(arena, statement->tokens[2].text);
    if (!locale)
        locale = option_of(statement, "locale");
    if (encoding && strcasecmp(encoding, "UTF8") != 0)
        rh_sandbox_note(load->sandbox,
                        "the snapshot is of a database in %s: the sandbox's is in "
                        "UTF8",
                        encoding);
    if (provider && strcasecmp(provider, "libc") != 0)
        rh_sandbox_note(load->sandbox,
                        "the snapshot's database sorts text by %s: the sandbox's by libc",
                        provider);
    else if (locale)
        load->locale = rh_arena_strdup(arena, locale);
}

/* --- compressed archives ---------------------------------------------------------------------- */

/* What a decompressor said, in one line. */
static enum err_code damaged(struct sandbox *sandbox, int message_fd, const char *path,
                             const struct process *process, struct err *err)
{
    char message[MESSAGE_MAX], status[48];
    ssize_t len = pread(message_fd, message, sizeof(message) - 1, 0);
    struct text said = rh_text_trim((struct text){message, len > 0 ? (size_t)len : 0});

    message[len > 0 ? len : 0] = 0;
    if (rh_cluster_says_disk_full(message))
        return rh_cluster_disk_full(sandbox, err);
    rh_err_set(err, RH_ERR_FORMAT, "\"%s\" is truncated or damaged", path);
    if (said.len)
        rh_err_detail(err, "%.*s", (int)said.len, said.data);
    else
        rh_err_detail(err, "the decompressor ended with %s",
                      rh_process_status_text(process, status));
    return err->code;
}

enum err_code rh_load_decompressor_start(struct load *load, struct decompressor *decompressor,
                                         int out_fd, struct err *err)
{
    const char *program = rh_client_find(load->sandbox, load->file.decompressor, err);
    const char *const argv[] = {program, "-dc", NULL};

    if (!program)
        return err->code;
    decompressor->in_fd = open(load->path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (decompressor->in_fd < 0)
        return rh_err_set_errno(err, errno, "cannot read \"%s\"", load->path);
    decompressor->message_fd = memfd_create("rehearse-messages", MFD_CLOEXEC);
    if (decompressor->message_fd < 0)
        return rh_err_set_errno(err, errno, "cannot create a file in memory");
    struct process_options options = {.argv = argv,
                                      .stdin_fd = decompressor->in_fd,
                                      .stdout_fd = out_fd,
                                      .stderr_fd = decompressor->message_fd,
                                      .new_group = true};
    return rh_process_start(&decompressor->process, &options, err);
}

enum err_code rh_load_decompressor_end(struct load *load, struct decompressor *decompressor,
                                       struct err *err)
{
    enum err_code code = rh_process_wait(&decompressor->process, RH_NEVER, err);

    if (code)
        return code;
    return decompressor->process.status == 0 ? RH_OK
                                             : damaged(load->sandbox, decompressor->message_fd,
                                                       load->path, &decompressor->process, err);
}

void rh_load_decompressor_deinit(struct decompressor *decompressor)
{
    rh_process_stop(&decompressor->process, SIGKILL, 0);
    rh_fd_closep(&decompressor->in_fd);
    rh_fd_closep(&decompressor->message_fd);
}

void rh_load_progress_bytes(const struct load *load, int64_t done)
{
    char done_text[24], total_text[24];

    rh_bytes_format(done, done_text);
    rh_bytes_format(load->file_bytes, total_text);
    rh_progress_at(load->sandbox->progress, "%s of %s", done_text, total_text);
}

/* pg_restore wants to seek: an archive is laid beside the data while it is restored. */
static enum err_code decompress(struct load *load, const char *to, struct err *err)
{
    __attribute__((
        cleanup(rh_load_decompressor_deinit))) struct decompressor decompressor = DECOMPRESSOR_INIT;
    RH_CLEANUP_FD int out_fd = open(to, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    enum err_code code;

    if (out_fd < 0)
        return rh_err_set_errno(err, errno, "cannot create \"%s\"", to);
    rh_progress_phase(load->sandbox->progress, "decompress %s", load->path);
    if ((code = rh_load_decompressor_start(load, &decompressor, out_fd, err)))
        return code;
    while (!rh_process_poll(&decompressor.process)) {
        struct err failure = RH_ERR_INIT;
        struct mono slice = rh_clock_after(rh_clock_mono(), PROGRESS_SLICE_US);
        code = rh_process_wait(&decompressor.process, slice, &failure);
        if (code && (code != RH_ERR_TIMEOUT || !rh_clock_passed(slice))) {
            *err = failure;
            return code;
        }
        rh_load_progress_bytes(load, lseek(decompressor.in_fd, 0, SEEK_CUR));
    }
    return rh_load_decompressor_end(load, &decompressor, err);
}

/* --- which way -------------------------------------------------------------------------------- */

static enum err_code check_file(const struct load *load, struct err *err)
{
    const struct snapshot_file *file = &load->file;
    const struct server_programs *server = &load->sandbox->server;

    if (file->foreign)
        return rh_err_set(err, RH_ERR_FORMAT, "\"%s\" is no dump of PostgreSQL: it is %s",
                          load->path, file->foreign);
    if (file->server_major > server->major) {
        rh_err_set(err, RH_ERR_FORMAT,
                   "\"%s\" was dumped from PostgreSQL %s, which is newer than the server here, %s",
                   load->path, file->server_version, server->version);
        rh_err_hint(err,
                    "Install PostgreSQL %d (Debian, Ubuntu: apt-get install postgresql-%d) or "
                    "name its directory with --server-bin.",
                    file->server_major, file->server_major);
        return err->code;
    }
    return RH_OK;
}

static int64_t size_of(const char *path)
{
    struct stat status;

    return stat(path, &status) == 0 ? (int64_t)status.st_size : 0;
}

static enum err_code restore(struct load *load, struct err *err)
{
    struct sandbox *sandbox = load->sandbox;
    enum err_code code;

    if (load->file.kind == SNAPSHOT_PLAIN)
        return rh_load_plain(load, err);
    if (!load->file.decompressor)
        return rh_load_archive(load, err);
    const char *temporary = rh_file_join(sandbox->arena, sandbox->directory, "snapshot");
    if (!(code = decompress(load, temporary, err))) {
        load->archive = temporary;
        code = rh_load_archive(load, err);
    }
    unlink(temporary);
    return code;
}

static enum err_code load_file(struct load *load, struct err *err)
{
    enum err_code code;

    load->file_bytes = size_of(load->path);
    load->database = load->file.database;
    if ((code = rh_cluster_switch(load->sandbox, CLUSTER_LOADING, err)) ||
        (code = rh_roles_connect(load->sandbox, err)) ||
        (code = rh_load_read_extensions(load, err)) || (code = restore(load, err)))
        return code;
    if (load->file.age_s >= 0)
        load->sandbox->facts.snapshot_age_s = load->file.age_s;
    return RH_OK;
}

enum err_code rh_load_dump(struct sandbox *sandbox, const char *path, bool is_script,
                           struct err *err)
{
    struct load load = {.sandbox = sandbox, .path = path, .archive = path, .is_script = is_script};
    enum err_code code;

    RH_ASSERT(!sandbox->is_ready);
    if ((code = rh_snapshot_file_examine(path, sandbox->arena, &load.file, err)) ||
        (code = check_file(&load, err)))
        return code;
    return load_file(&load, err);
}

static enum err_code apply_manifest(struct sandbox *sandbox, const struct manifest *manifest,
                                    struct err *err)
{
    struct wall taken_at;

    if (rh_clock_parse_rfc3339(manifest->taken_at, &taken_at)) {
        int64_t age_us = rh_clock_wall().us - taken_at.us;

        sandbox->facts.snapshot_age_s = age_us > 0 ? age_us / 1000000 : 0;
    }
    return rh_production_apply(sandbox, manifest, err);
}

static enum err_code load_own(struct sandbox *sandbox, const char *path, struct err *err)
{
    const char *archive = rh_snapshot_own_archive(sandbox->arena, path);
    struct manifest manifest;
    struct load load = {.sandbox = sandbox,
                        .path = archive,
                        .archive = archive,
                        .manifest = &manifest,
                        .snapshot = path};
    enum err_code code;

    if ((code = rh_snapshot_own_read(path, sandbox->arena, &manifest, err)) ||
        (code = rh_snapshot_file_examine(archive, sandbox->arena, &load.file, err)) ||
        (code = rh_snapshot_own_check_head(path, &manifest, &load.file, err)) ||
        (code = check_file(&load, err)) || (code = load_file(&load, err)))
        return code;
    return apply_manifest(sandbox, &manifest, err);
}

enum err_code rh_load_rest_of_snapshot(struct sandbox *sandbox, const char *path, struct err *err)
{
    struct manifest manifest;
    enum err_code code = rh_snapshot_own_read(path, sandbox->arena, &manifest, err);

    return code ? code : apply_manifest(sandbox, &manifest, err);
}

enum err_code rh_load_snapshot(struct sandbox *sandbox, const char *path, struct err *err)
{
    return rh_snapshot_is_own(path) ? load_own(sandbox, path, err)
                                    : rh_load_dump(sandbox, path, false, err);
}
