/*
 * Subvolumes of btrfs: a data directory that is one can be cloned at once, whatever its size
 * (btrfs-subvolume(8)). Everywhere else these functions say that there is nothing to be had.
 */
#include "sandbox/sandbox_int.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/btrfs.h>
#include <linux/btrfs_tree.h>
#include <linux/magic.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

/* The directory that holds `path`, and the name in it. */
static int open_parent(struct arena *arena, const char *path, const char **ret_name)
{
    char *parent = rh_arena_strdup(arena, path);
    char *slash = strrchr(parent, '/');

    *ret_name = slash + 1;
    *slash = 0;
    return open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

bool rh_subvolume_create(const struct sandbox *sandbox, const char *path)
{
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct btrfs_ioctl_vol_args args = {0};
    const char *name;
    RH_CLEANUP_FD int parent = open_parent(arena, path, &name);
    struct statfs status;

    if (parent < 0 || fstatfs(parent, &status) != 0 || status.f_type != BTRFS_SUPER_MAGIC)
        return false;
    snprintf(args.name, sizeof(args.name), "%s", name);
    if (ioctl(parent, BTRFS_IOC_SUBVOL_CREATE, &args) != 0)
        return false;
    return chmod(path, 0700) == 0 &&
           (!sandbox->drops_privileges || chown(path, sandbox->uid, sandbox->gid) == 0);
}

bool rh_subvolume_is(const char *path)
{
    struct stat status;
    struct statfs system;

    /* The root of a subvolume has this number, and nothing else has it. */
    return lstat(path, &status) == 0 && S_ISDIR(status.st_mode) &&
           status.st_ino == BTRFS_FIRST_FREE_OBJECTID && statfs(path, &system) == 0 &&
           system.f_type == BTRFS_SUPER_MAGIC;
}

enum err_code rh_subvolume_snapshot(const char *from, const char *to, struct err *err)
{
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    const char *name;
    RH_CLEANUP_FD int source = open(from, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    RH_CLEANUP_FD int parent = open_parent(arena, to, &name);
    struct btrfs_ioctl_vol_args_v2 args = {.fd = source};

    snprintf(args.name, sizeof(args.name), "%s", name);
    if (source < 0 || parent < 0 || ioctl(parent, BTRFS_IOC_SNAP_CREATE_V2, &args) != 0)
        return rh_err_set_errno(err, errno, "cannot make a snapshot of \"%s\"", from);
    return RH_OK;
}

enum err_code rh_subvolume_remove_with(const char *directory, const char *data_directory,
                                       struct err *err)
{
    enum err_code code;

    if (rh_subvolume_is(data_directory)) {
        RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
        struct btrfs_ioctl_vol_args args = {0};
        const char *name;
        RH_CLEANUP_FD int parent = open_parent(arena, data_directory, &name);
        snprintf(args.name, sizeof(args.name), "%s", name);
        /* At once as root, or where the mount allows it to users; else file by file: then the
           subvolume itself goes as a directory does (Linux 4.18). */
        if (parent < 0 || ioctl(parent, BTRFS_IOC_SNAP_DESTROY, &args) != 0) {
            if ((code = rh_file_remove_tree(data_directory, err)))
                return code;
        }
    }
    return rh_file_remove_tree(directory, err);
}
