#include "sandbox/sandbox_int.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <pwd.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

/* sun_path of unix(7) is 108 bytes with the NUL; the server puts ".s.PGSQL.5432" there. */
#define SOCKET_PATH_MAX 107

const char *rh_place_parent(const struct sandbox_options *options)
{
    const char *from_environment;

    if (options->parent_directory)
        return options->parent_directory;
    if ((from_environment = getenv("REHEARSE_SANDBOX_DIR")) && *from_environment)
        return from_environment;
    if ((from_environment = getenv("TMPDIR")) && *from_environment)
        return from_environment;
    return "/var/tmp";
}

enum err_code rh_place_server_user(const struct sandbox_options *options, struct arena *arena,
                                   bool *ret_drops, uid_t *ret_uid, gid_t *ret_gid,
                                   const char **ret_name, struct err *err)
{
    struct passwd *user;

    if (geteuid() != 0) {
        user = getpwuid(geteuid());
        *ret_drops = false;
        *ret_uid = geteuid();
        *ret_gid = getegid();
        *ret_name = user ? rh_arena_strdup(arena, user->pw_name) : NULL;
        return RH_OK;
    }
    /* The server refuses to run as root (manual, "The PostgreSQL User Account"). */
    if (options->server_user) {
        user = getpwnam(options->server_user);
        if (!user)
            return rh_err_set(err, RH_ERR_USAGE, "user \"%s\" does not exist",
                              options->server_user);
        if (user->pw_uid == 0)
            return rh_err_set(err, RH_ERR_USAGE,
                              "the server does not run as user \"%s\": it is "
                              "root",
                              options->server_user);
    } else if (!(user = getpwnam("postgres")) && !(user = getpwnam("nobody"))) {
        rh_err_set(err, RH_ERR_ENVIRONMENT,
                   "cannot find a user to run the server as: neither \"postgres\" nor \"nobody\" "
                   "exists");
        rh_err_hint(err, "Run rehearse as an ordinary user: the server refuses to run as root.");
        return err->code;
    }
    *ret_drops = true;
    *ret_uid = user->pw_uid;
    *ret_gid = user->pw_gid;
    *ret_name = rh_arena_strdup(arena, user->pw_name);
    return RH_OK;
}

/* Permission bits alone: where access lists grant more, the start itself tells. */
static bool may_enter(const struct stat *status, uid_t uid, gid_t gid)
{
    if (status->st_uid == uid)
        return status->st_mode & S_IXUSR;
    if (status->st_gid == gid)
        return status->st_mode & S_IXGRP;
    return status->st_mode & S_IXOTH;
}

static enum err_code check_way(const struct sandbox *sandbox, const char *directory,
                               struct err *err)
{
    char *path = rh_arena_strdup(sandbox->arena, directory);

    if (!sandbox->drops_privileges)
        return RH_OK;
    for (char *slash = path; slash;) {
        slash = strchr(slash + 1, '/');
        if (slash)
            *slash = 0;
        struct stat status;
        if (stat(path, &status) == 0 && !may_enter(&status, sandbox->uid, sandbox->gid)) {
            rh_err_set(err, RH_ERR_ENVIRONMENT,
                       "the server runs as user \"%s\", who may not enter \"%s\"",
                       sandbox->user_name, path);
            rh_err_hint(err, "Choose another place for sandboxes with REHEARSE_SANDBOX_DIR, such "
                             "as /var/tmp.");
            return err->code;
        }
        if (slash)
            *slash = '/';
    }
    return RH_OK;
}

const char *rh_place_cache(struct arena *arena, const struct sandbox_options *options)
{
    const char *base;

    if (options->cache_directory)
        return options->cache_directory;
    if ((base = getenv("XDG_CACHE_HOME")) && base[0] == '/')
        return rh_file_join(arena, base, "rehearse");
    if ((base = getenv("HOME")) && base[0] == '/')
        return rh_file_join(arena, base, ".cache/rehearse");
    return NULL;
}

static enum err_code make_directory(const struct sandbox *sandbox, char *template, struct err *err)
{
    if (!mkdtemp(template))
        return rh_err_set_errno(err, errno, "cannot create a directory \"%s\"", template);
    if (sandbox->drops_privileges && chown(template, sandbox->uid, sandbox->gid) != 0) {
        int errno_value = errno;
        rmdir(template);
        return rh_err_set_errno(err, errno_value, "cannot give \"%s\" to user \"%s\"", template,
                                sandbox->user_name);
    }
    return RH_OK;
}

/*
 * ext4 makes the files of a directory near it, and looks at each inode there that was deleted in
 * the last minutes before it takes another (ialloc.c, recently_deleted): with sandboxes coming and
 * going in one place a copy of a cluster took 260 ms, not 25. Below a directory marked like this
 * each subdirectory starts elsewhere, chosen by its name (find_group_orlov), which therefore has to
 * be another in each sandbox. Other file systems refuse the mark, and need none.
 */
static void spread_subdirectories(const char *directory)
{
    RH_CLEANUP_FD int fd = open(directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    int flags;

    if (fd >= 0 && ioctl(fd, FS_IOC_GETFLAGS, &flags) == 0) {
        flags |= FS_TOPDIR_FL;
        (void)ioctl(fd, FS_IOC_SETFLAGS, &flags);
    }
}

const char *rh_place_inside(struct arena *arena, const char *directory, const char *name)
{
    const char *own_name = strrchr(directory, '/') + 1;

    RH_ASSERT(strncmp(own_name, SANDBOX_NAME_PREFIX, strlen(SANDBOX_NAME_PREFIX)) == 0);
    return rh_arena_printf(arena, "%s/%s-%s", directory, name,
                           own_name + strlen(SANDBOX_NAME_PREFIX));
}

static enum err_code make_socket_directory(struct sandbox *sandbox, struct err *err)
{
    struct arena *arena = sandbox->arena;
    char *inside = rh_file_join(arena, sandbox->directory, "s");
    enum err_code code;

    if (strlen(inside) + strlen("/.s.PGSQL.5432") <= SOCKET_PATH_MAX) {
        if (mkdir(inside, 0700) != 0)
            return rh_err_set_errno(err, errno, "cannot create \"%s\"", inside);
        if (sandbox->drops_privileges && chown(inside, sandbox->uid, sandbox->gid) != 0)
            return rh_err_set_errno(err, errno, "cannot give \"%s\" to user \"%s\"", inside,
                                    sandbox->user_name);
        sandbox->socket_directory = inside;
    } else {
        char *outside = rh_arena_strdup(arena, SOCKET_DIRECTORY_PREFIX "XXXXXX");
        if ((code = make_directory(sandbox, outside, err)))
            return code;
        sandbox->socket_directory = outside;
        sandbox->has_own_socket_directory = true;
    }
    sandbox->socket_path = rh_file_join(arena, sandbox->socket_directory, ".s.PGSQL.5432");
    return RH_OK;
}

enum err_code rh_place_find(struct sandbox *sandbox, const struct sandbox_options *options,
                            struct err *err)
{
    struct arena *arena = sandbox->arena;
    const char *parent = rh_place_parent(options);
    enum err_code code;

    if ((code = rh_place_server_user(options, arena, &sandbox->drops_privileges, &sandbox->uid,
                                     &sandbox->gid, &sandbox->user_name, err)))
        return code;
    sandbox->cache_directory = rh_place_cache(arena, options);
    if ((code = rh_file_make_directories(parent, 0700, err)))
        return code;
    /* The server changes its working directory: it needs an absolute path. */
    char *absolute = realpath(parent, NULL);
    if (!absolute)
        return rh_err_set_errno(err, errno, "cannot use \"%s\" for sandboxes", parent);
    parent = rh_arena_strdup(arena, absolute);
    free(absolute);
    if (strchr(parent, '\n') || strchr(parent, '\''))
        return rh_err_set(err, RH_ERR_ENVIRONMENT,
                          "cannot use \"%s\" for sandboxes: its name holds a quote or a line feed",
                          parent);
    sandbox->parent_directory = parent;
    return check_way(sandbox, parent, err);
}

enum err_code rh_place_choose(struct sandbox *sandbox, const struct sandbox_options *options,
                              struct err *err)
{
    struct arena *arena = sandbox->arena;
    enum err_code code;

    if ((code = rh_place_find(sandbox, options, err)))
        return code;
    char *directory = rh_file_join(arena, sandbox->parent_directory, SANDBOX_NAME_PREFIX "XXXXXX");
    if ((code = make_directory(sandbox, directory, err)))
        return code;
    sandbox->directory = directory;
    spread_subdirectories(directory);
    sandbox->data_directory = rh_place_inside(arena, directory, "data");
    sandbox->log_path = rh_file_join(arena, directory, "server.log");
    /* The marker first: from here on whatever we leave is known to be ours. */
    if ((code = rh_marker_create(sandbox, err)))
        return code;
    if ((code = make_socket_directory(sandbox, err)))
        return code;
    return sandbox->has_own_socket_directory ? rh_marker_update(sandbox, err) : RH_OK;
}
