/*
 * Whole trees: remove, copy, change owner, measure. Everything works on directory descriptors and
 * never follows a symbolic link, so a link planted in a tree cannot lead out of it.
 */
#include "base/file.h"

#include "base/interrupt.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

/* Each level holds a descriptor open: far below the usual limit of 1024, far above a cluster's 4.
 */
#define DEPTH_MAX 200
#define COPY_BYTES ((size_t)128 * 1024)
/* One call of copy_file_range: large enough to be cheap, small enough to stay interruptible. */
#define COPY_RANGE_BYTES ((size_t)64 * 1024 * 1024)

static void close_dirp(DIR **directory)
{
    if (*directory != NULL)
        closedir(*directory);
}
#define CLEANUP_DIR __attribute__((cleanup(close_dirp)))

/* Opens a directory below `at` without following a link. Owns the descriptor it read. */
static DIR *open_directory(int at, const char *name)
{
    int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return NULL;
    DIR *directory = fdopendir(fd);
    if (directory == NULL) {
        int saved_errno = errno;
        close(fd);
        errno = saved_errno;
    }
    return directory;
}

/* The next entry but "." and ".."; NULL at the end (errno 0) or on failure. */
static struct dirent *next_entry(DIR *directory)
{
    for (;;) {
        errno = 0;
        struct dirent *entry = readdir(directory);
        if (entry == NULL)
            return NULL;
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            return entry;
    }
}

/* `shown` is the path in messages; walking itself is by descriptor. */
static enum err_code too_deep(const char *shown, struct err *err)
{
    return rh_err_set(err, RH_ERR_LIMIT, "\"%s\" is nested deeper than %d directories", shown,
                      DEPTH_MAX);
}

static enum err_code remove_failure(const char *shown, struct err *err)
{
    return rh_err_set_errno(err, errno, "cannot remove \"%s\"", shown);
}

static enum err_code remove_at(int at, const char *name, const char *shown, dev_t device, int depth,
                               struct err *err)
{
    struct stat status;
    if (fstatat(at, name, &status, AT_SYMLINK_NOFOLLOW) != 0)
        return errno == ENOENT ? RH_OK : remove_failure(shown, err);
    if (!S_ISDIR(status.st_mode)) {
        if (unlinkat(at, name, 0) != 0 && errno != ENOENT)
            return remove_failure(shown, err);
        return RH_OK;
    }
    if (status.st_dev != device) {
        rh_err_set(err, RH_ERR_IO, "cannot remove \"%s\": another file system is mounted there",
                   shown);
        err->errno_value = EXDEV;
        return RH_ERR_IO;
    }
    if (depth == DEPTH_MAX)
        return too_deep(shown, err);

    /* overlayfs leaves its work directory with mode 0: make our own readable, then enter. */
    if ((status.st_mode & S_IRWXU) != S_IRWXU && geteuid() == status.st_uid)
        fchmodat(at, name, status.st_mode | S_IRWXU, 0);
    {
        CLEANUP_DIR DIR *directory = open_directory(at, name);
        if (directory == NULL)
            return errno == ENOENT ? RH_OK : remove_failure(shown, err);
        RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
        struct dirent *entry;
        while ((entry = next_entry(directory)) != NULL) {
            rh_arena_clear(arena);
            enum err_code code = remove_at(dirfd(directory), entry->d_name,
                                           rh_file_join(arena, shown, entry->d_name), device,
                                           depth + 1, err);
            if (code != RH_OK)
                return code;
        }
        if (errno != 0)
            return remove_failure(shown, err);
    }
    if (unlinkat(at, name, AT_REMOVEDIR) != 0 && errno != ENOENT)
        return remove_failure(shown, err);
    return RH_OK;
}

enum err_code rh_file_remove_tree(const char *path, struct err *err)
{
    struct stat status;
    if (lstat(path, &status) != 0)
        return errno == ENOENT ? RH_OK : remove_failure(path, err);
    return remove_at(AT_FDCWD, path, path, status.st_dev, 0, err);
}

/* From the cheapest way to the one that always works; only the first when it has to be shared. */
static bool copy_bytes(int from, int to, bool must_share)
{
    if (ioctl(to, FICLONE, from) == 0)
        return true;
    if (must_share)
        return false;
    for (bool is_first = true;; is_first = false) {
        ssize_t copied = copy_file_range(from, NULL, to, NULL, COPY_RANGE_BYTES, 0);
        if (copied > 0)
            continue;
        if (copied < 0 && errno == EINTR)
            continue;
        /* 0 at once may be a special file that only read() can read (copy_file_range(2), BUGS). */
        if (copied == 0 && !is_first)
            return true;
        if (copied < 0 && errno != EXDEV && errno != EINVAL && errno != ENOSYS &&
            errno != EOPNOTSUPP && errno != ETXTBSY)
            return false;
        break;
    }
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    char *bytes = rh_arena_alloc(arena, COPY_BYTES);
    for (;;) {
        ssize_t got = read(from, bytes, COPY_BYTES);
        if (got == 0)
            return true;
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return false;
        for (ssize_t done = 0; done < got;) {
            ssize_t written = write(to, bytes + done, (size_t)(got - done));
            if (written < 0 && errno == EINTR)
                continue;
            if (written < 0)
                return false;
            done += written;
        }
    }
}

static enum err_code copy_failure(const char *shown, struct err *err)
{
    return rh_err_set_errno(err, errno, "cannot copy \"%s\"", shown);
}

/* As root a copy belongs to whom the original does; otherwise it is ours. */
static bool keep_owner(int fd, const struct stat *status)
{
    return geteuid() != 0 || fchown(fd, status->st_uid, status->st_gid) == 0;
}

static enum err_code copy_file(int from_at, const char *from, int to_at, const char *to,
                               const char *shown, bool must_share, struct err *err)
{
    RH_CLEANUP_FD int source = openat(from_at, from, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    struct stat status;
    if (source < 0 || fstat(source, &status) != 0)
        return copy_failure(shown, err);
    RH_CLEANUP_FD int target = openat(to_at, to,
                                      O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (target < 0 || !copy_bytes(source, target, must_share) || !keep_owner(target, &status) ||
        fchmod(target, status.st_mode & 07777) != 0)
        return copy_failure(shown, err);
    return RH_OK;
}

static enum err_code copy_link(int from_at, const char *from, int to_at, const char *to,
                               const struct stat *status, const char *shown, struct err *err)
{
    char target[PATH_MAX];
    ssize_t len = readlinkat(from_at, from, target, sizeof target - 1);
    if (len < 0)
        return copy_failure(shown, err);
    target[len] = '\0';
    if (symlinkat(target, to_at, to) != 0)
        return copy_failure(shown, err);
    if (geteuid() == 0 &&
        fchownat(to_at, to, status->st_uid, status->st_gid, AT_SYMLINK_NOFOLLOW) != 0)
        return copy_failure(shown, err);
    return RH_OK;
}

static enum err_code copy_at(int from_at, const char *from, int to_at, const char *to,
                             const char *shown, int depth, bool must_share, struct err *err)
{
    struct stat status;
    /* Gigabytes take seconds: the user may not want to wait for them. */
    enum err_code code = rh_interrupt_check(err);
    if (code != RH_OK)
        return code;
    if (fstatat(from_at, from, &status, AT_SYMLINK_NOFOLLOW) != 0)
        return copy_failure(shown, err);
    if (S_ISREG(status.st_mode))
        return copy_file(from_at, from, to_at, to, shown, must_share, err);
    if (S_ISLNK(status.st_mode))
        return copy_link(from_at, from, to_at, to, &status, shown, err);
    if (!S_ISDIR(status.st_mode))
        return RH_OK; /* sockets, pipes and devices belong to a running server, not to its data */
    if (depth == DEPTH_MAX)
        return too_deep(shown, err);

    CLEANUP_DIR DIR *source = open_directory(from_at, from);
    /* The top may be there already: rh_file_copy_tree has looked that it is empty. */
    if (source == NULL || (mkdirat(to_at, to, 0700) != 0 && (depth > 0 || errno != EEXIST)))
        return copy_failure(shown, err);
    CLEANUP_DIR DIR *target = open_directory(to_at, to);
    if (target == NULL)
        return copy_failure(shown, err);
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct dirent *entry;
    while ((entry = next_entry(source)) != NULL) {
        rh_arena_clear(arena);
        code = copy_at(dirfd(source), entry->d_name, dirfd(target), entry->d_name,
                       rh_file_join(arena, shown, entry->d_name), depth + 1, must_share, err);
        if (code != RH_OK)
            return code;
    }
    if (errno != 0 || !keep_owner(dirfd(target), &status) ||
        fchmod(dirfd(target), status.st_mode & 07777) != 0)
        return copy_failure(shown, err);
    return RH_OK;
}

static bool is_empty_directory(const char *path)
{
    CLEANUP_DIR DIR *directory = open_directory(AT_FDCWD, path);
    return directory != NULL && next_entry(directory) == NULL && errno == 0;
}

static enum err_code copy_tree(const char *from, const char *to, bool must_share, struct err *err)
{
    struct stat status;
    if (lstat(to, &status) == 0 && !is_empty_directory(to)) {
        errno = EEXIST;
        return rh_err_set_errno(err, errno, "cannot copy \"%s\" to \"%s\"", from, to);
    }
    enum err_code code = copy_at(AT_FDCWD, from, AT_FDCWD, to, from, 0, must_share, err);
    if (code == RH_OK)
        return RH_OK;
    rh_err_while(err, "while copying to \"%s\"", to);
    struct err ignored = RH_ERR_INIT;
    if (rh_file_remove_tree(to, &ignored) != RH_OK)
        rh_err_detail(err, "the incomplete copy \"%s\" could not be removed", to);
    return code;
}

enum err_code rh_file_copy_tree(const char *from, const char *to, struct err *err)
{
    return copy_tree(from, to, false, err);
}

enum err_code rh_file_reflink_tree(const char *from, const char *to, struct err *err)
{
    return copy_tree(from, to, true, err);
}

static enum err_code chown_at(int at, const char *name, const char *shown, uid_t uid, gid_t gid,
                              int depth, struct err *err)
{
    struct stat status;
    if (fstatat(at, name, &status, AT_SYMLINK_NOFOLLOW) != 0 ||
        fchownat(at, name, uid, gid, AT_SYMLINK_NOFOLLOW) != 0)
        return rh_err_set_errno(err, errno, "cannot change the owner of \"%s\"", shown);
    if (!S_ISDIR(status.st_mode))
        return RH_OK;
    if (depth == DEPTH_MAX)
        return too_deep(shown, err);
    CLEANUP_DIR DIR *directory = open_directory(at, name);
    if (directory == NULL)
        return rh_err_set_errno(err, errno, "cannot read \"%s\"", shown);
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct dirent *entry;
    while ((entry = next_entry(directory)) != NULL) {
        rh_arena_clear(arena);
        enum err_code code = chown_at(dirfd(directory), entry->d_name,
                                      rh_file_join(arena, shown, entry->d_name), uid, gid,
                                      depth + 1, err);
        if (code != RH_OK)
            return code;
    }
    if (errno != 0)
        return rh_err_set_errno(err, errno, "cannot read \"%s\"", shown);
    return RH_OK;
}

enum err_code rh_file_chown_tree(const char *path, uid_t uid, gid_t gid, struct err *err)
{
    return chown_at(AT_FDCWD, path, path, uid, gid, 0, err);
}

static int64_t bytes_at(int at, const char *name, int depth, bool of_files)
{
    struct stat status;
    if (fstatat(at, name, &status, AT_SYMLINK_NOFOLLOW) != 0)
        return 0;
    int64_t total = (int64_t)status.st_blocks * 512; /* st_blocks counts 512 bytes (stat(3type)) */
    if (of_files)
        total = S_ISREG(status.st_mode) ? (int64_t)status.st_size : 0;
    if (!S_ISDIR(status.st_mode) || depth == DEPTH_MAX)
        return total;
    CLEANUP_DIR DIR *directory = open_directory(at, name);
    if (directory == NULL)
        return total;
    struct dirent *entry;
    while ((entry = next_entry(directory)) != NULL)
        total += bytes_at(dirfd(directory), entry->d_name, depth + 1, of_files);
    return total;
}

int64_t rh_file_tree_bytes(const char *path)
{
    return bytes_at(AT_FDCWD, path, 0, false);
}

int64_t rh_file_tree_length(const char *path)
{
    return bytes_at(AT_FDCWD, path, 0, true);
}
