#include "sandbox/sandbox_int.h"
#include "sandbox/snapshot_own.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* What is looked at: the header of an archive, the opening comments of a script. */
#define HEAD_BYTES ((size_t)64 * 1024)
/* A decompressor gives the first block in milliseconds. */
#define HEAD_TIMEOUT_US (30 * INT64_C(1000000))
/* Names and versions in an archive's header. */
#define HEADER_STRING_MAX 1024

static void set_server_version(struct snapshot_file *file, const char *version)
{
    file->server_version = version;
    struct text rest = rh_text(version);
    int64_t major = 0;
    if (version && isdigit((unsigned char)version[0]) && rh_text_take_int64(&rest, &major))
        file->server_major = major <= INT_MAX ? (int)major : 0;
}

/* --- archives (pg_dump's pg_backup_archiver.c, WriteHead) ------------------------------------- */

struct header_reader {
    struct text rest;
    unsigned int_size;
    bool failed;
};

static int read_byte(struct header_reader *reader)
{
    if (reader->rest.len == 0) {
        reader->failed = true;
        return 0;
    }
    int byte = (unsigned char)reader->rest.data[0];
    reader->rest.data++;
    reader->rest.len--;
    return byte;
}

/* A sign byte, then the magnitude, least significant byte first. */
static int64_t read_int(struct header_reader *reader)
{
    bool is_negative = read_byte(reader) != 0;
    int64_t value = 0;

    for (unsigned i = 0; i < reader->int_size; i++) {
        int64_t byte = read_byte(reader);
        if (i < 7)
            value |= byte << (8 * i);
    }
    return is_negative ? -value : value;
}

static const char *read_string(struct header_reader *reader, struct arena *arena)
{
    int64_t len = read_int(reader);

    if (len < 0)
        return NULL;
    if (len > HEADER_STRING_MAX || (size_t)len > reader->rest.len) {
        reader->failed = true;
        return NULL;
    }
    const char *text = rh_arena_strndup(arena, reader->rest.data, (size_t)len);
    reader->rest.data += len;
    reader->rest.len -= (size_t)len;
    return text;
}

static bool read_archive_header(struct text head, struct arena *arena, struct snapshot_file *file)
{
    struct header_reader reader = {.rest = head, .int_size = 4};
    struct tm created = {0};

    if (!rh_text_starts_with(head, "PGDMP"))
        return false;
    reader.rest.data += 5;
    reader.rest.len -= 5;
    file->archive_major = read_byte(&reader);
    file->archive_minor = read_byte(&reader);
    (void)read_byte(&reader); /* revision */
    reader.int_size = (unsigned)read_byte(&reader);
    (void)read_byte(&reader); /* size of a file offset */
    (void)read_byte(&reader); /* format: the directory's toc.dat says tar */
    if (reader.int_size == 0 || reader.int_size > 8 || file->archive_major != 1)
        return true; /* newer than we know: pg_restore shall say so */
    /* Since 1.15 (PostgreSQL 16) one byte names the compression, before a number gave its level. */
    if (file->archive_minor >= 15)
        (void)read_byte(&reader);
    else
        (void)read_int(&reader);
    created.tm_sec = (int)read_int(&reader);
    created.tm_min = (int)read_int(&reader);
    created.tm_hour = (int)read_int(&reader);
    created.tm_mday = (int)read_int(&reader);
    created.tm_mon = (int)read_int(&reader);
    created.tm_year = (int)read_int(&reader);
    created.tm_isdst = (int)read_int(&reader);
    const char *database = read_string(&reader, arena);
    const char *server_version = read_string(&reader, arena);
    const char *dump_version = read_string(&reader, arena);
    if (reader.failed)
        return true;
    file->database = database;
    file->dump_version = dump_version;
    set_server_version(file, server_version);
    /* In the local time of whoever dumped, which is not recorded: taken for ours. */
    time_t at = mktime(&created);
    if (at != (time_t)-1)
        file->age_s = time(NULL) > at ? (int64_t)(time(NULL) - at) : 0;
    return true;
}

/* --- plain text ------------------------------------------------------------------------------- */

static const char *value_after(struct arena *arena, const char *text, const char *label)
{
    const char *at = strstr(text, label);

    if (!at)
        return NULL;
    at += strlen(label);
    return rh_arena_strndup(arena, at, strcspn(at, "\r\n"));
}

static void read_plain(const char *text, struct arena *arena, struct snapshot_file *file)
{
    static const struct {
        const char *mark, *name;
    } foreign[] = {
        {"-- PostgreSQL database cluster dump",
         "a dump of a whole cluster made by pg_dumpall; make one of the database with pg_dump"},
        {"-- MySQL dump", "a dump of MySQL"},
        {"-- MariaDB dump", "a dump of MariaDB"},
        {"-- phpMyAdmin SQL Dump", "a dump of MySQL or MariaDB"},
        {"PRAGMA foreign_keys=", "a dump of SQLite"},
    };

    file->kind = SNAPSHOT_PLAIN;
    for (size_t i = 0; i < sizeof(foreign) / sizeof(foreign[0]); i++)
        if (strstr(text, foreign[i].mark)) {
            file->foreign = foreign[i].name;
            return;
        }
    file->is_pg_dump = strstr(text, "-- PostgreSQL database dump") != NULL;
    if (!file->is_pg_dump)
        return;
    set_server_version(file, value_after(arena, text, "-- Dumped from database version "));
    file->dump_version = value_after(arena, text, "-- Dumped by pg_dump version ");
}

/* --- any head --------------------------------------------------------------------------------- */

struct magic {
    const char *bytes;
    size_t len;
    const char *name;
};

static const struct magic other_formats[] = {
    {"BZh", 3, "compressed with bzip2; decompress it first"},
    {"\xfd"
     "7zXZ",
     5, "compressed with xz; decompress it first"},
    {"\x04\x22\x4d\x18", 4, "compressed with lz4; decompress it first"},
    {"PK\x03\x04", 4, "a zip archive"},
    {"SQLite format 3", 15, "a SQLite database"},
    {"%PDF", 4, "a PDF document"},
    {"\x7f"
     "ELF",
     4, "a program"},
};

static void read_head(struct text head, struct arena *arena, struct snapshot_file *file)
{
    /* POSIX.1-1988 tar: the magic at byte 257, the name of the first member at 0. */
    if (head.len > 512 && memcmp(head.data + 257, "ustar", 5) == 0) {
        struct text member = {head.data + 512, head.len - 512};
        file->kind = SNAPSHOT_TAR;
        if (strcmp(head.data, "toc.dat") != 0 || !read_archive_header(member, arena, file)) {
            file->foreign = strstr(head.data, "toc.dat") || strchr(head.data, '/')
                                ? "a tar of a directory; unpack it and name the directory"
                                : "a tar file that pg_dump did not make";
        }
        return;
    }
    if (read_archive_header(head, arena, file)) {
        file->kind = SNAPSHOT_CUSTOM;
        return;
    }
    for (size_t i = 0; i < sizeof(other_formats) / sizeof(other_formats[0]); i++)
        if (head.len >= other_formats[i].len &&
            memcmp(head.data, other_formats[i].bytes, other_formats[i].len) == 0) {
            file->foreign = other_formats[i].name;
            return;
        }
    if (memchr(head.data, 0, head.len)) {
        file->foreign = "binary data of another kind";
        return;
    }
    read_plain(head.data, arena, file);
}

static enum err_code read_some(int fd, char *bytes, size_t *ret_len, struct err *err)
{
    struct mono deadline = rh_clock_after(rh_clock_mono(), HEAD_TIMEOUT_US);
    size_t len = 0;

    while (len < HEAD_BYTES) {
        struct pollfd wait = {.fd = fd, .events = POLLIN};
        if (poll(&wait, 1, rh_clock_poll_ms(deadline)) == 0 && rh_clock_passed(deadline))
            return rh_err_set(err, RH_ERR_TIMEOUT, "reading took too long");
        ssize_t got = read(fd, bytes + len, HEAD_BYTES - len);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return rh_err_set_errno(err, errno, "cannot read");
        if (got == 0)
            break;
        len += (size_t)got;
    }
    bytes[len] = 0;
    *ret_len = len;
    return RH_OK;
}

/* The first bytes of what is inside a compressed file. */
static enum err_code decompress_head(int fd, const char *program, char *bytes, size_t *ret_len,
                                     struct err *err)
{
    const char *const argv[] = {program, "-dc", NULL};
    RH_CLEANUP_PROCESS struct process process = PROCESS_INIT;
    int ends[2];
    enum err_code code;

    if (lseek(fd, 0, SEEK_SET) != 0)
        return rh_err_set_errno(err, errno, "cannot read");
    if (pipe2(ends, O_CLOEXEC) != 0)
        return rh_err_set_errno(err, errno, "cannot create a pipe");
    RH_CLEANUP_FD int read_end = ends[0];
    struct process_options options = {
        .argv = argv, .stdin_fd = fd, .stdout_fd = ends[1], .stderr_fd = -1};
    code = rh_process_start(&process, &options, err);
    close(ends[1]);
    if (code) {
        rh_err_hint(err, "Install %s, or decompress the file first.", program);
        return code;
    }
    code = read_some(read_end, bytes, ret_len, err);
    rh_process_stop(&process, SIGKILL, 0);
    return code;
}

static enum err_code open_snapshot(const char *path, struct arena *arena, bool *ret_is_directory,
                                   int *ret_fd, struct err *err)
{
    struct stat status;
    const char *file = path;

    if (stat(path, &status) != 0) {
        rh_err_set_errno(err, errno, "cannot read \"%s\"", path);
        return err->code = RH_ERR_USAGE;
    }
    *ret_is_directory = S_ISDIR(status.st_mode);
    if (*ret_is_directory) {
        file = rh_file_join(arena, path, "toc.dat");
        if (!rh_file_exists(file))
            return rh_err_set(err, RH_ERR_FORMAT,
                              "\"%s\" is no snapshot: a directory that pg_dump made holds a file "
                              "toc.dat",
                              path);
    } else if (!S_ISREG(status.st_mode)) {
        return rh_err_set(err, RH_ERR_USAGE, "cannot read \"%s\": it is not a regular file", path);
    }
    *ret_fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (*ret_fd < 0) {
        rh_err_set_errno(err, errno, "cannot read \"%s\"", file);
        return err->code = RH_ERR_USAGE;
    }
    return RH_OK;
}

enum err_code rh_snapshot_file_examine(const char *path, struct arena *arena,
                                       struct snapshot_file *ret_file, struct err *err)
{
    struct snapshot_file file = {.age_s = -1};
    RH_CLEANUP_FD int fd = -1;
    char *bytes = rh_arena_alloc(arena, HEAD_BYTES + 1);
    bool is_directory;
    size_t len;
    enum err_code code;

    if ((code = open_snapshot(path, arena, &is_directory, &fd, err)) ||
        (code = read_some(fd, bytes, &len, err)))
        return code;
    if (len == 0)
        return rh_err_set(err, RH_ERR_FORMAT, "\"%s\" is empty", path);
    if (!is_directory && len >= 4) {
        /* RFC 1952, section 2.3.1; RFC 8878, section 3.1.1 */
        if (memcmp(bytes, "\x1f\x8b", 2) == 0)
            file.decompressor = "gzip";
        else if (memcmp(bytes, "\x28\xb5\x2f\xfd", 4) == 0)
            file.decompressor = "zstd";
    }
    if (file.decompressor) {
        if ((code = decompress_head(fd, file.decompressor, bytes, &len, err)))
            return code;
        if (len == 0)
            return rh_err_set(err, RH_ERR_FORMAT,
                              "\"%s\" is truncated or damaged: %s gets nothing out of it", path,
                              file.decompressor);
    }
    if (is_directory) {
        if (!read_archive_header((struct text){bytes, len}, arena, &file))
            return rh_err_set(err, RH_ERR_FORMAT, "\"%s/toc.dat\" was not made by pg_dump", path);
        file.kind = SNAPSHOT_DIRECTORY;
    } else {
        read_head((struct text){bytes, len}, arena, &file);
    }
    file.head = (struct text){bytes, len};
    *ret_file = file;
    return RH_OK;
}

int rh_sandbox_snapshot_major(const char *path)
{
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct snapshot_file file;
    struct err ignored = RH_ERR_INIT;

    if (rh_snapshot_is_own(path))
        path = rh_snapshot_own_archive(arena, path);
    return rh_snapshot_file_examine(path, arena, &file, &ignored) ? 0 : file.server_major;
}

enum err_code rh_sandbox_archive_facts(const char *path, struct arena *arena,
                                       struct archive_facts *ret_facts, struct err *err)
{
    static const char *const names[] = {
#define X(symbol, name) name,
        SNAPSHOT_KIND_LIST(X)
#undef X
    };
    struct snapshot_file file;
    enum err_code code = rh_snapshot_file_examine(path, arena, &file, err);

    if (code)
        return code;
    if (file.kind == SNAPSHOT_UNKNOWN || (file.kind == SNAPSHOT_PLAIN && !file.is_pg_dump))
        return rh_err_set(err, RH_ERR_USAGE,
                          "\"%s\" is neither a snapshot nor a dump of pg_dump%s%s", path,
                          file.foreign ? "; it looks like " : "", file.foreign ? file.foreign : "");
    *ret_facts = (struct archive_facts){
        .kind = names[file.kind],
        .server_version = file.server_version,
        .dump_version = file.dump_version,
        .database = file.database,
        .age_s = file.age_s,
    };
    return RH_OK;
}
