#include "sandbox/snapshot_own.h"

#include "base/file.h"
#include "sandbox/sandbox_int.h"

#include <jansson.h>

/* Manifest of 10,000 tables of 200 columns each: 300 bytes a column. */
#define MANIFEST_MAX ((size_t)768 << 20)

bool rh_snapshot_is_own(const char *path)
{
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();

    return rh_file_exists(rh_file_join(arena, path, SNAPSHOT_MANIFEST)) &&
           rh_file_is_directory(rh_file_join(arena, path, SNAPSHOT_ARCHIVE));
}

bool rh_snapshot_has_lost_its_archive(const char *path)
{
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();

    return rh_file_exists(rh_file_join(arena, path, SNAPSHOT_MANIFEST)) &&
           !rh_file_is_directory(rh_file_join(arena, path, SNAPSHOT_ARCHIVE)) &&
           !rh_file_exists(rh_file_join(arena, path, "toc.dat"));
}

const char *rh_snapshot_own_archive(struct arena *arena, const char *path)
{
    return rh_file_join(arena, path, SNAPSHOT_ARCHIVE);
}

enum err_code rh_snapshot_own_read(const char *path, struct arena *arena,
                                   struct manifest *ret_manifest, struct err *err)
{
    RH_CLEANUP_ARENA struct arena *scratch = rh_arena_new();
    const char *file = rh_file_join(scratch, path, SNAPSHOT_MANIFEST);
    struct text text;
    json_error_t wrong;
    enum err_code code = rh_file_read(file, MANIFEST_MAX, scratch, &text, err);

    if (code)
        return code;
    json_t *json = json_loadb(text.data, text.len, JSON_REJECT_DUPLICATES, &wrong);
    if (!json) {
        rh_err_set(err, RH_ERR_USAGE, "\"%s\" is no JSON: line %d: %s", file, wrong.line,
                   wrong.text);
        rh_err_hint(err, "It was changed or cut short: make the snapshot again.");
        return err->code;
    }
    code = rh_manifest_from_json(json, arena, ret_manifest, err);
    json_decref(json);
    if (code)
        rh_err_while(err, "while reading \"%s\"", file);
    return code;
}

/* --- does the archive belong to it ------------------------------------------------------------ */

static enum err_code differs(const char *path, const char *what, const char *said,
                             const char *found, struct err *err)
{
    rh_err_set(err, RH_ERR_FORMAT,
               "the archive of snapshot \"%s\" is not the one its manifest is about: %s", path,
               what);
    rh_err_detail(err, "the manifest says \"%s\", the archive \"%s\"", said, found);
    rh_err_hint(err, "Copy the whole directory again, or make the snapshot again.");
    return err->code;
}

enum err_code rh_snapshot_own_check_head(const char *path, const struct manifest *manifest,
                                         const struct snapshot_file *archive, struct err *err)
{
    if (archive->kind != SNAPSHOT_DIRECTORY)
        return rh_err_set(err, RH_ERR_FORMAT,
                          "snapshot \"%s\" has no archive in \"" SNAPSHOT_ARCHIVE "\"", path);
    if (archive->database && strcmp(archive->database, manifest->database) != 0)
        return differs(path, "another database", manifest->database, archive->database, err);
    if (archive->server_major && archive->server_major != manifest->server_major)
        return differs(path, "a server of another version", manifest->server_version,
                       archive->server_version, err);
    return RH_OK;
}

enum err_code rh_snapshot_own_check_tables(const char *path, const struct manifest *manifest,
                                           struct text list, struct err *err)
{
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();

    for (size_t i = 0; i < manifest->tables.count; i++) {
        const struct manifest_table *table = &manifest->tables.items[i];
        if (table->rows == 0)
            continue;
        const char *entry = rh_arena_printf(arena, " TABLE DATA %s %s ", table->schema,
                                            table->name);
        if (!memmem(list.data, list.len, entry, strlen(entry)))
            return differs(path, "it lacks the rows of a table", table->identity, "", err);
    }
    return RH_OK;
}
