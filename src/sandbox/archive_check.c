/*
 * pg_restore takes what it finds of a table's rows in a tar archive or an uncompressed file of a
 * directory archive: one that was cut between two lines restores without a word, some rows short.
 */
#include "sandbox/load_int.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

/* POSIX.1-1988 ustar: headers and members fill whole blocks; a block of zeros ends the archive. */
#define TAR_BLOCK 512
#define TAR_SIZE_AT 124
#define TAR_SIZE_LENGTH 12
/* pg_dump ends the rows of a table with "\.", an empty line and another. */
#define TAIL_BYTES 16

static enum err_code damaged(const char *path, const char *member, struct err *err)
{
    rh_err_set(err, RH_ERR_FORMAT, "\"%s\" is not complete: it ends within \"%s\"", path, member);
    rh_err_hint(err, "Copy or make the dump again.");
    return err->code;
}

/* Octal digits, or (sizes of 8 GiB and more) a set top bit and the number in base 256. */
static int64_t member_size(const char *header)
{
    const unsigned char *field = (const unsigned char *)header + TAR_SIZE_AT;
    int64_t size = 0;

    if (field[0] & 0x80) {
        for (size_t i = TAR_SIZE_LENGTH - 7; i < TAR_SIZE_LENGTH; i++)
            size = size << 8 | field[i];
        return size;
    }
    for (size_t i = 0; i < TAR_SIZE_LENGTH && field[i]; i++)
        if (field[i] >= '0' && field[i] <= '7')
            size = size << 3 | (field[i] - '0');
    return size;
}

static enum err_code check_tar(const struct load *load, struct err *err)
{
    static const char zeros[TAR_BLOCK];
    const char *path = load->path;
    RH_CLEANUP_FD int fd = open(load->archive, O_RDONLY | O_CLOEXEC);
    struct stat status;
    char header[TAR_BLOCK];
    char name[100 + 1] = "toc.dat";

    if (fd < 0 || fstat(fd, &status) != 0)
        return rh_err_set_errno(err, errno, "cannot read \"%s\"", path);
    for (int64_t at = 0;;) {
        if (pread(fd, header, sizeof(header), at) != (ssize_t)sizeof(header))
            return damaged(path, name, err);
        if (memcmp(header, zeros, sizeof(header)) == 0)
            return RH_OK;
        memcpy(name, header, sizeof(name) - 1);
        int64_t size = member_size(header);
        at += TAR_BLOCK + (size + TAR_BLOCK - 1) / TAR_BLOCK * TAR_BLOCK;
        if (at > (int64_t)status.st_size)
            return damaged(path, name, err);
    }
}

/* "3340.dat": rows of a table, not compressed. */
static bool holds_rows(const char *name)
{
    size_t digits = strspn(name, "0123456789");

    return digits > 0 && strcmp(name + digits, ".dat") == 0;
}

static bool is_whole(int fd)
{
    char head[6], tail[TAIL_BYTES];
    struct stat status;

    if (fstat(fd, &status) != 0)
        return false;
    off_t at = status.st_size > TAIL_BYTES ? status.st_size - TAIL_BYTES : 0;
    ssize_t got = pread(fd, tail, sizeof(tail), at);
    size_t len = got > 0 ? (size_t)got : 0;
    while (len > 0 && tail[len - 1] == '\n')
        len--;
    if (len == 0)
        return got > 0; /* --inserts of an empty table */
    if (pread(fd, head, sizeof(head), 0) == (ssize_t)sizeof(head) &&
        memcmp(head, "INSERT", sizeof(head)) == 0)
        return tail[len - 1] == ';';
    return len >= 2 && tail[len - 1] == '.' && tail[len - 2] == '\\' &&
           (len == 2 ? at == 0 : tail[len - 3] == '\n');
}

static enum err_code check_directory(const char *path, struct arena *arena, struct err *err)
{
    struct file_names names;
    enum err_code code = rh_file_list(path, arena, &names, err);

    for (size_t i = 0; !code && i < names.count; i++) {
        if (!holds_rows(names.names[i]))
            continue;
        const char *member = rh_file_join(arena, path, names.names[i]);
        RH_CLEANUP_FD int fd = open(member, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
            return rh_err_set_errno(err, errno, "cannot read \"%s\"", member);
        if (!is_whole(fd))
            return damaged(path, names.names[i], err);
    }
    return code;
}

enum err_code rh_archive_check(const struct load *load, struct err *err)
{
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();

    /* A tar that was cut before it was compressed too: pg_restore 15 reads such a one for ever. */
    if (load->file.kind == SNAPSHOT_TAR)
        return check_tar(load, err);
    if (load->file.kind == SNAPSHOT_DIRECTORY)
        return check_directory(load->path, arena, err);
    return RH_OK;
}
