/*
 * Files: whole reads with a cap, atomic writes, trees, descriptors.
 * Blocking; every function leaves nothing half-made behind.
 */
#ifndef RH_BASE_FILE_H
#define RH_BASE_FILE_H

#include "base/arena.h"
#include "base/err.h"
#include "base/text.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

void rh_fd_closep(int *fd);
#define RH_CLEANUP_FD __attribute__((cleanup(rh_fd_closep)))
static inline int rh_fd_take(int *fd)
{
    int taken = *fd;
    *fd = -1;
    return taken;
}

/* Reads a whole file into `arena` (NUL behind it). RH_ERR_LIMIT beyond max_bytes; a directory, a
   missing file and a file without read permission are RH_ERR_USAGE with the reason. */
enum err_code rh_file_read(const char *path, size_t max_bytes, struct arena *arena,
                           struct text *ret_text, struct err *err) RH_MUST_CHECK;
/* Writes to a temporary name beside `path`, fsyncs, renames: all or nothing. */
enum err_code rh_file_write(const char *path, struct text content, mode_t mode,
                            struct err *err) RH_MUST_CHECK;
/* Makes the names in a directory durable. A directory that cannot be opened for reading, and a file
   system that has no such thing, cost durability and not correctness: no error. */
enum err_code rh_file_sync_directory(const char *path, struct err *err) RH_MUST_CHECK;
enum err_code rh_file_make_directories(const char *path, mode_t mode,
                                       struct err *err) RH_MUST_CHECK;
/* Removes a tree without following symbolic links and without leaving `path`'s file system; a path
   that does not exist is success. */
enum err_code rh_file_remove_tree(const char *path, struct err *err) RH_MUST_CHECK;
/* Copies a tree (files, directories, symbolic links, modes), reflink where the file system can.
   `to` does not exist, or is an empty directory. As root, owners are kept. */
enum err_code rh_file_copy_tree(const char *from, const char *to, struct err *err) RH_MUST_CHECK;
/* The same, but every file shares its blocks with the original; where the file system cannot, the
   error's errno_value says so (EOPNOTSUPP, EXDEV, EINVAL) and nothing is left. */
enum err_code rh_file_reflink_tree(const char *from, const char *to, struct err *err) RH_MUST_CHECK;
enum err_code rh_file_chown_tree(const char *path, uid_t uid, gid_t gid,
                                 struct err *err) RH_MUST_CHECK;
bool rh_file_exists(const char *path);
bool rh_file_is_directory(const char *path);
/* Names in a directory, natural order, without "." and "..". */
struct file_names {
    char **names;
    size_t count;
};
enum err_code rh_file_list(const char *path, struct arena *arena, struct file_names *ret_names,
                           struct err *err) RH_MUST_CHECK;
/* Bytes that the tree occupies on disk (st_blocks). Files that vanish meanwhile are no error. */
int64_t rh_file_tree_bytes(const char *path);
/* Sum of the lengths of its files (st_size): the same wherever it lies. */
int64_t rh_file_tree_length(const char *path);
/* "a/b" from "a" and "b"; an absolute second part wins. */
char *rh_file_join(struct arena *arena, const char *directory, const char *name);
/* A descriptor of the file with a lock (flock: LOCK_SH or LOCK_EX) that goes when it is closed;
   flags as of open, O_CREAT with mode 0600. -1, and errno: there is none; EWOULDBLOCK: somebody
   else has it, or the file was moved away meanwhile. Does not wait. */
int rh_file_lock(const char *path, int flags, int operation);
/* Hexadecimal SHA-256 of bytes (OpenSSL). */
void rh_file_sha256(struct text content, char out[static 65]);

#endif
