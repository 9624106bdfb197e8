#include "snapshot/row_files.h"

#include "base/file.h"
#include "base/gzip.h"
#include "snapshot/row_writer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define TICKET "rehearse rows "
#define DATA_SUFFIX ".dat.gz"
/* A ticket and what pg_dump has behind it, compressed or not. */
#define TICKET_FILE_MAX ((size_t)256)

const char *rh_row_files_path(const char *archive, size_t table, struct arena *arena)
{
    return rh_arena_printf(arena, "%s/%zu.rows", archive, table);
}

const char *rh_row_files_ticket(size_t table, struct arena *arena)
{
    return rh_arena_printf(arena, TICKET "%zu\n", table);
}

/* "3371.dat.gz"; large objects are "blob_16411.dat.gz". */
static bool is_of_rows(const char *name)
{
    size_t digits = strspn(name, "0123456789");

    return digits > 0 && strcmp(name + digits, DATA_SUFFIX) == 0;
}

static enum err_code not_a_ticket(const char *path, struct err *err)
{
    rh_err_set(err, RH_ERR_PROTOCOL, "pg_dump wrote something else than it was given into \"%s\"",
               path);
    rh_err_hint(err, "This is a defect, or a pg_dump that is newer than this version of rehearse.");
    return err->code;
}

static enum err_code read_ticket(const char *path, size_t table_count, size_t *ret_table,
                                 struct err *err)
{
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    RH_CLEANUP_BUF struct buf content;
    struct text file;
    struct err ignored = RH_ERR_INIT;

    rh_buf_init(&content, TICKET_FILE_MAX);
    if (rh_file_read(path, TICKET_FILE_MAX, arena, &file, &ignored) ||
        rh_gunzip(file, &content, &ignored) || content.len < strlen(TICKET) ||
        strncmp(content.data, TICKET, strlen(TICKET)) != 0)
        return not_a_ticket(path, err);
    size_t table = strtoull(content.data + strlen(TICKET), NULL, 10);
    if (table >= table_count ||
        !rh_text_equals(
            rh_buf_text(&content),
            rh_text(rh_arena_printf(arena, "%s" ROW_FILE_END, rh_row_files_ticket(table, arena)))))
        return not_a_ticket(path, err);
    *ret_table = table;
    return RH_OK;
}

static enum err_code place_one(const char *archive, const char *name, const bool *has_rows,
                               bool *is_placed, size_t table_count, struct err *err)
{
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    const char *path = rh_file_join(arena, archive, name), *rows;
    size_t table;
    enum err_code code = read_ticket(path, table_count, &table, err);

    if (code)
        return code;
    if (!has_rows[table] || is_placed[table])
        return not_a_ticket(path, err);
    is_placed[table] = true;
    rows = rh_row_files_path(archive, table, arena);
    if (rename(rows, path) != 0)
        return rh_err_set_errno(err, errno, "cannot rename \"%s\" to \"%s\"", rows, path);
    return RH_OK;
}

/* Twice, as pg_dump does: the first time only asks for the writing to begin. */
static enum err_code sync_files(const char *archive, const struct file_names *names, bool begins,
                                struct err *err)
{
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();

    for (size_t i = 0; i < names->count; i++) {
        const char *path = rh_file_join(arena, archive, names->names[i]);
        RH_CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

        if (fd < 0)
            return rh_err_set_errno(err, errno, "cannot open \"%s\"", path);
        if (begins)
            (void)sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE);
        else if (fsync(fd) != 0)
            return rh_err_set_errno(err, errno, "cannot write \"%s\" to disk", path);
    }
    return RH_OK;
}

static enum err_code sync_all(const char *archive, struct err *err)
{
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct file_names names;
    enum err_code code = rh_file_list(archive, arena, &names, err);

    if (code || (code = sync_files(archive, &names, true, err)) ||
        (code = sync_files(archive, &names, false, err)))
        return code;
    return rh_file_sync_directory(archive, err);
}

enum err_code rh_row_files_place(const char *archive, const bool *has_rows, size_t table_count,
                                 struct err *err)
{
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    bool *is_placed = rh_arena_alloc_array(arena, table_count + 1, sizeof(*is_placed));
    struct file_names names;
    enum err_code code = rh_file_list(archive, arena, &names, err);

    for (size_t i = 0; !code && i < names.count; i++)
        if (is_of_rows(names.names[i]))
            code = place_one(archive, names.names[i], has_rows, is_placed, table_count, err);
    for (size_t i = 0; !code && i < table_count; i++)
        if (has_rows[i] && !is_placed[i])
            code = rh_err_set(err, RH_ERR_PROTOCOL,
                              "pg_dump has no file for rows that it asked for in \"%s\"", archive);
    return code ? code : sync_all(archive, err);
}
