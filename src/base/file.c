#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* First buffer for a file whose size says nothing (a pipe). */
#define READ_FIRST_BYTES ((size_t)4096)

void rh_fd_closep(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static enum err_code read_failure(const char *path, int errno_value, struct err *err)
{
    rh_err_set_errno(err, errno_value, "cannot read \"%s\"", path);
    if (errno_value == ENOENT || errno_value == EACCES || errno_value == EISDIR ||
        errno_value == ENOTDIR || errno_value == ENAMETOOLONG || errno_value == ELOOP)
        err->code = RH_ERR_USAGE;
    return err->code;
}

enum err_code rh_file_read(const char *path, size_t max_bytes, struct arena *arena,
                           struct text *ret_text, struct err *err)
{
    RH_CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return read_failure(path, errno, err);
    struct stat status;
    if (fstat(fd, &status) != 0)
        return read_failure(path, errno, err);
    if (S_ISDIR(status.st_mode))
        return read_failure(path, EISDIR, err);

    /* The size is a hint: pipes have none and files grow. One byte more than the cap tells. */
    size_t chunk = READ_FIRST_BYTES;
    if (S_ISREG(status.st_mode) && (uintmax_t)status.st_size > max_bytes)
        return rh_err_set(err, RH_ERR_LIMIT, "\"%s\" is larger than %zu bytes", path, max_bytes);
    if (S_ISREG(status.st_mode) && (size_t)status.st_size >= chunk)
        chunk = (size_t)status.st_size + 1;
    char *bytes = rh_arena_alloc(arena, chunk + 1);
    size_t len = 0;
    for (;;) {
        ssize_t got = read(fd, bytes + len, chunk - len);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return read_failure(path, errno, err);
        if (got == 0)
            break;
        len += (size_t)got;
        if (len > max_bytes)
            return rh_err_set(err, RH_ERR_LIMIT, "\"%s\" is larger than %zu bytes", path,
                              max_bytes);
        if (len == chunk) {
            char *grown = rh_arena_alloc(arena, chunk * 2 + 1);
            memcpy(grown, bytes, len);
            bytes = grown;
            chunk *= 2;
        }
    }
    bytes[len] = '\0';
    *ret_text = (struct text){bytes, len};
    return RH_OK;
}

static bool write_all(int fd, struct text content)
{
    while (content.len > 0) {
        ssize_t written = write(fd, content.data, content.len);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return false;
        content.data += written;
        content.len -= (size_t)written;
    }
    return true;
}

enum err_code rh_file_write(const char *path, struct text content, mode_t mode, struct err *err)
{
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    char *temporary = rh_arena_printf(arena, "%s.XXXXXX", path);
    RH_CLEANUP_FD int fd = mkostemp(temporary, O_CLOEXEC);
    if (fd < 0)
        return rh_err_set_errno(err, errno, "cannot write \"%s\"", path);
    if (fchmod(fd, mode) != 0 || !write_all(fd, content) || fsync(fd) != 0 ||
        rename(temporary, path) != 0) {
        int saved_errno = errno;
        unlink(temporary);
        return rh_err_set_errno(err, saved_errno, "cannot write \"%s\"", path);
    }
    /* The new name is durable once its directory is. */
    const char *slash = strrchr(path, '/');
    char *directory = slash == NULL   ? rh_arena_strdup(arena, ".")
                      : slash == path ? rh_arena_strdup(arena, "/")
                                      : rh_arena_strndup(arena, path, (size_t)(slash - path));
    return rh_file_sync_directory(directory, err);
}

enum err_code rh_file_sync_directory(const char *path, struct err *err)
{
    RH_CLEANUP_FD int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0 && fsync(fd) != 0 && errno != EINVAL && errno != EROFS)
        return rh_err_set_errno(err, errno, "cannot write \"%s\" to disk", path);
    return RH_OK;
}

enum err_code rh_file_make_directories(const char *path, mode_t mode, struct err *err)
{
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    char *partial = rh_arena_strdup(arena, path);
    for (char *c = partial;; c++) {
        if (*c != '/' && *c != '\0')
            continue;
        char saved = *c;
        *c = '\0';
        if (partial[0] != '\0' && mkdir(partial, mode) != 0) {
            int saved_errno = errno;
            /* An existing directory may report EROFS or EACCES before EEXIST. */
            if (!rh_file_is_directory(partial))
                return rh_err_set_errno(err, saved_errno == EEXIST ? ENOTDIR : saved_errno,
                                        "cannot create the directory \"%s\"", partial);
        }
        *c = saved;
        if (saved == '\0')
            return RH_OK;
    }
}

bool rh_file_exists(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0;
}

bool rh_file_is_directory(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

static int compare_names(const void *a, const void *b)
{
    return rh_text_natural_compare(*(char *const *)a, *(char *const *)b);
}

enum err_code rh_file_list(const char *path, struct arena *arena, struct file_names *ret_names,
                           struct err *err)
{
    DIR *directory = opendir(path);
    if (directory == NULL)
        return read_failure(path, errno, err);
    VEC(char *) names = {0};
    for (;;) {
        errno = 0;
        struct dirent *entry = readdir(directory);
        if (entry == NULL)
            break;
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            *RH_PUSH(arena, &names) = rh_arena_strdup(arena, entry->d_name);
    }
    int saved_errno = errno;
    closedir(directory);
    if (saved_errno != 0)
        return read_failure(path, saved_errno, err);
    if (names.count > 0)
        qsort(names.items, names.count, sizeof names.items[0], compare_names);
    *ret_names = (struct file_names){names.items, names.count};
    return RH_OK;
}

char *rh_file_join(struct arena *arena, const char *directory, const char *name)
{
    if (name[0] == '/' || directory[0] == '\0')
        return rh_arena_strdup(arena, name);
    size_t len = strlen(directory);
    return rh_arena_printf(arena, "%s%s%s", directory, directory[len - 1] == '/' ? "" : "/", name);
}

int rh_file_lock(const char *path, int flags, int operation)
{
    int fd = open(path, O_RDWR | O_NOFOLLOW | O_CLOEXEC | flags, 0600);
    int why = EWOULDBLOCK;
    struct stat own, there;

    if (fd < 0)
        return -1;
    if (flock(fd, operation | LOCK_NB) != 0)
        why = errno;
    else if (fstat(fd, &own) == 0 && stat(path, &there) == 0 && own.st_ino == there.st_ino &&
             own.st_dev == there.st_dev)
        return fd;
    close(fd);
    errno = why;
    return -1;
}

void rh_file_sha256(struct text content, char out[static 65])
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int len = 0;
    if (EVP_Digest(content.data, content.len, digest, &len, EVP_sha256(), NULL) != 1 || len != 32)
        RH_PANIC("SHA-256 is not available in libcrypto");
    rh_text_hex(digest, len, out);
}
