#include "snapshot/place.h"

#include "base/clock.h"
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define INCOMPLETE ".incomplete-"
#define LOCK_NAME "lock"
#define SOCKETS_NAME "sockets" /* a link to where they are, for whoever cleans up */
#define SOCKETS_PREFIX "/tmp/rehearse-"
#define RANDOM_BYTES 6

/* --- the directory it is made in ------------------------------------------------------------- */

static void remove_quietly(const char *path)
{
    struct err ignored = RH_ERR_INIT;

    if (rh_file_remove_tree(path, &ignored))
        return; /* the next run tries again */
}

static int take_lock(const char *directory, struct arena *arena, int flags)
{
    return rh_file_lock(rh_file_join(arena, directory, LOCK_NAME), flags, LOCK_EX);
}

static void remove_sockets_of(const char *directory, struct arena *arena)
{
    char target[64] = "";
    struct stat status;

    if (readlink(rh_file_join(arena, directory, SOCKETS_NAME), target, sizeof(target) - 1) < 0 ||
        strncmp(target, SOCKETS_PREFIX, strlen(SOCKETS_PREFIX)) != 0 ||
        strchr(target + strlen(SOCKETS_PREFIX), '/') || lstat(target, &status) != 0 ||
        !S_ISDIR(status.st_mode) || status.st_uid != geteuid())
        return;
    remove_quietly(target);
}

/* Of runs that were killed: their lock is free. One without a lock is just being made, or old; a
   minute is more than making takes. */
#define MAKING_MAX_S 60
static void remove_incomplete(const char *path, struct arena *arena)
{
    struct stat status;
    RH_CLEANUP_FD int fd = take_lock(path, arena, 0);
    bool has_lock = rh_file_exists(rh_file_join(arena, path, LOCK_NAME));

    if (lstat(path, &status) != 0 || !S_ISDIR(status.st_mode) || status.st_uid != geteuid())
        return;
    if (fd >= 0 || (!has_lock && rh_clock_wall().us / 1000000 - status.st_mtime > MAKING_MAX_S)) {
        remove_sockets_of(path, arena);
        remove_quietly(path);
    }
}

static const char *parent_of(const char *path, struct arena *arena)
{
    const char *slash = strrchr(path, '/');

    if (!slash)
        return ".";
    return slash == path ? "/" : rh_arena_strndup(arena, path, (size_t)(slash - path));
}

static const char *name_of(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

static void remove_leftovers(const struct snapshot_place *place, struct arena *arena)
{
    const char *parent = parent_of(place->final, arena);
    const char *prefix = rh_arena_printf(arena, "%s" INCOMPLETE, name_of(place->final));
    struct file_names names = {0};
    struct err ignored = RH_ERR_INIT;

    if (rh_file_list(parent, arena, &names, &ignored))
        return; /* it does not exist yet, or making the directory will say why */
    for (size_t i = 0; i < names.count; i++)
        if (strncmp(names.names[i], prefix, strlen(prefix)) == 0)
            remove_incomplete(rh_file_join(arena, parent, names.names[i]), arena);
}

static enum err_code check_final(struct snapshot_place *place, bool may_replace, struct err *err)
{
    struct stat status;

    if (lstat(place->final, &status) != 0) {
        if (errno == ENOENT)
            return RH_OK;
        rh_err_set_errno(err, errno, "cannot look at \"%s\"", place->final);
        err->code = RH_ERR_USAGE;
        return RH_ERR_USAGE;
    }
    if (!rh_snapshot_is_own(place->final)) {
        rh_err_set(err, RH_ERR_USAGE, "\"%s\" exists, and is no snapshot", place->final);
        rh_err_hint(err, "Name a directory that does not exist.");
        return RH_ERR_USAGE;
    }
    if (!may_replace) {
        rh_err_set(err, RH_ERR_USAGE, "there is a snapshot at \"%s\" already", place->final);
        rh_err_hint(err, "--replace takes its place, once the new one is complete.");
        return RH_ERR_USAGE;
    }
    place->replaces = true;
    return RH_OK;
}

static const char *random_name(struct arena *arena)
{
    unsigned char bytes[RANDOM_BYTES];
    char text[2 * RANDOM_BYTES + 1];

    if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
        RH_PANIC("no random bytes: %s", strerror(errno));
    rh_text_hex(bytes, sizeof(bytes), text);
    return rh_arena_strdup(arena, text);
}

/* A path that a socket's address has room for (108 bytes), which TMPDIR need not be. */
static enum err_code make_socket_directory(struct snapshot_place *place, struct arena *arena,
                                           struct err *err)
{
    char *path = rh_arena_strdup(arena, SOCKETS_PREFIX "XXXXXX");

    if (!mkdtemp(path))
        return rh_err_set_errno(err, errno, "cannot make a directory below /tmp");
    place->sockets = path;
    if (symlink(path, rh_file_join(arena, place->directory, SOCKETS_NAME)) != 0)
        return rh_err_set_errno(err, errno, "cannot write in \"%s\"", place->directory);
    return RH_OK;
}

enum err_code rh_snapshot_place_open(const char *out, bool may_replace, struct arena *arena,
                                     struct snapshot_place *ret_place, struct err *err)
{
    struct snapshot_place place = {.lock_fd = -1,
                                   .rename_flags = RENAME_EXCHANGE | RENAME_NOREPLACE};
    char *final = rh_arena_strdup(arena, out);
    size_t len = strlen(final);
    enum err_code code;

    while (len > 1 && final[len - 1] == '/')
        final[--len] = 0;
    if (len == 0 || strcmp(final, "/") == 0 || strcmp(name_of(final), "..") == 0 ||
        strcmp(name_of(final), ".") == 0)
        return rh_err_set(err, RH_ERR_USAGE, "\"%s\" is no name for a new directory", out);
    place.final = final;
    if ((code = check_final(&place, may_replace, err)))
        return code;
    remove_leftovers(&place, arena);
    place.directory = rh_arena_printf(arena, "%s" INCOMPLETE "%s", final, random_name(arena));
    if ((code = rh_file_make_directories(parent_of(final, arena), 0777, err)))
        return code;
    if (mkdir(place.directory, 0700) != 0)
        return rh_err_set_errno(err, errno, "cannot make the directory \"%s\"", place.directory);
    place.lock_fd = take_lock(place.directory, arena, O_CREAT);
    if (place.lock_fd < 0)
        code = rh_err_set_errno(err, errno, "cannot lock \"%s\"", place.directory);
    if (!code)
        code = make_socket_directory(&place, arena, err);
    if (code)
        rh_snapshot_place_close(&place);
    else
        *ret_place = place;
    return code;
}

void rh_snapshot_place_close(struct snapshot_place *place)
{
    if (place->directory)
        remove_quietly(place->directory);
    if (place->sockets)
        remove_quietly(place->sockets);
    rh_fd_closep(&place->lock_fd);
    place->directory = place->sockets = NULL;
}

/* --- its name -------------------------------------------------------------------------------- */

static bool rename_with(const struct snapshot_place *place, const char *from, const char *to,
                        unsigned flag)
{
    if (place->rename_flags & flag)
        return renameat2(AT_FDCWD, from, AT_FDCWD, to, flag) == 0;
    errno = EINVAL;
    return false;
}

static bool is_unknown_flag(int number)
{
    return number == EINVAL || number == ENOSYS;
}

/* `to` is nobody's: EEXIST else. Without the flag somebody could still come between looking and
   renaming; a plain rename takes nothing but an empty directory from him then. */
static bool rename_to_free(const struct snapshot_place *place, const char *from, const char *to)
{
    struct stat status;

    if (rename_with(place, from, to, RENAME_NOREPLACE))
        return true;
    if (!is_unknown_flag(errno))
        return false;
    if (lstat(to, &status) == 0) {
        errno = EEXIST;
        return false;
    }
    return errno == ENOENT && rename(from, to) == 0;
}

static enum err_code cannot_take_name(const struct snapshot_place *place, struct err *err)
{
    return rh_err_set_errno(err, errno, "cannot rename the snapshot to \"%s\"", place->final);
}

/* Where the file system cannot exchange: for a moment the name is nobody's. */
static enum err_code replace_in_steps(struct snapshot_place *place, struct arena *arena,
                                      struct err *err)
{
    const char *aside = rh_arena_printf(arena, "%s" INCOMPLETE "%s", place->final,
                                        random_name(arena));

    /* Now, or who begins meanwhile would take it for one that was left (remove_incomplete). */
    (void)utimensat(AT_FDCWD, place->final, NULL, 0);
    if (!rename_to_free(place, place->final, aside))
        return rh_err_set_errno(err, errno, "cannot move the snapshot at \"%s\" aside",
                                place->final);
    if (rename_to_free(place, place->directory, place->final)) {
        place->directory = NULL;
        remove_quietly(aside);
        return RH_OK;
    }
    cannot_take_name(place, err);
    if (!rename_to_free(place, aside, place->final))
        rh_err_hint(err,
                    "The snapshot that was there is \"%s\" now: rename it, or the next one "
                    "made there removes it.",
                    aside);
    return err->code;
}

static enum err_code take_name(struct snapshot_place *place, struct arena *arena, struct err *err)
{
    if (place->replaces) {
        if (rename_with(place, place->directory, place->final, RENAME_EXCHANGE))
            return RH_OK; /* the old one is where ours was, and goes with it */
        if (!is_unknown_flag(errno))
            return rh_err_set_errno(err, errno, "cannot replace \"%s\"", place->final);
        return replace_in_steps(place, arena, err);
    }
    if (!rename_to_free(place, place->directory, place->final))
        return cannot_take_name(place, err);
    place->directory = NULL;
    return RH_OK;
}

static void sync_quietly(const char *directory)
{
    struct err ignored = RH_ERR_INIT;

    if (rh_file_sync_directory(directory, &ignored))
        return; /* the snapshot has its name, and only a crash of the machine could take it */
}

enum err_code rh_snapshot_place_finish(struct snapshot_place *place, struct err *err)
{
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    enum err_code code;

    (void)unlink(rh_file_join(arena, place->directory, LOCK_NAME));
    (void)unlink(rh_file_join(arena, place->directory, SOCKETS_NAME));
    if ((code = rh_file_sync_directory(place->directory, err)) ||
        (code = take_name(place, arena, err)))
        return code;
    sync_quietly(parent_of(place->final, arena));
    return RH_OK;
}

/* --- the manifest ---------------------------------------------------------------------------- */

enum err_code rh_snapshot_read(const char *path, struct arena *arena, struct manifest *ret_manifest,
                               struct err *err)
{
    if (!rh_snapshot_is_own(path)) {
        rh_err_set(err, RH_ERR_USAGE, "\"%s\" is no snapshot", path);
        rh_err_hint(err, "A snapshot is a directory with manifest.json and archive/, as \"rehearse "
                         "snapshot create\" makes them. \"rehearse snapshot import\" makes one of "
                         "any pg_dump archive.");
        return RH_ERR_USAGE;
    }
    return rh_snapshot_own_read(path, arena, ret_manifest, err);
}

enum err_code rh_snapshot_write_manifest(const char *directory, const struct manifest *manifest,
                                         struct err *err)
{
    struct arena *arena = rh_arena_new();
    json_t *json = rh_manifest_to_json(manifest);
    char *text = json_dumps(json, JSON_INDENT(1));
    enum err_code code;

    RH_ASSERT(text != NULL);
    code = rh_file_write(rh_file_join(arena, directory, SNAPSHOT_MANIFEST), rh_text(text), 0600,
                         err);
    free(text);
    json_decref(json);
    rh_arena_free(arena);
    return code;
}
