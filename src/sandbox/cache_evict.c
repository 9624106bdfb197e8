/*
 * Where the cache lies, and what goes from it: what dead runs left half-built, what no run can use
 * any more, and the least recently used when there is no room. Never what somebody uses: whoever
 * removes an entry holds its lock alone.
 */
#include "sandbox/cache_int.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

/* A directory has no lock only between two system calls of its maker. */
#define HALF_MADE_AFTER_S 60

/* --- the place -------------------------------------------------------------------------------- */

static bool is_ours_alone(const char *path)
{
    struct stat status;

    return lstat(path, &status) == 0 && S_ISDIR(status.st_mode) && status.st_uid == geteuid() &&
           (status.st_mode & 077) == 0;
}

enum err_code rh_cache_directory(const struct sandbox *sandbox, struct arena *arena,
                                 const char **ret_directory, struct err *err)
{
    enum err_code code;

    if (!sandbox->cache_directory)
        return rh_err_set(err, RH_ERR_ENVIRONMENT, "there is no place for it: HOME is not set");
    const char *directory = rh_file_join(arena, sandbox->cache_directory, "sandboxes");
    if ((code = rh_file_make_directories(directory, 0700, err)))
        return code;
    if (!is_ours_alone(directory)) {
        rh_err_set(err, RH_ERR_ENVIRONMENT, "\"%s\" is not this user's alone", directory);
        rh_err_hint(err, "It has to be a directory of yours with mode 0700.");
        return err->code;
    }
    /* The server changes its working directory. */
    char *absolute = realpath(directory, NULL);
    if (!absolute)
        return rh_err_set_errno(err, errno, "cannot use \"%s\"", directory);
    *ret_directory = rh_arena_strdup(arena, absolute);
    free(absolute);
    return RH_OK;
}

/* --- one entry -------------------------------------------------------------------------------- */

static bool remove_files(struct arena *arena, const char *entry)
{
    struct err failure = RH_ERR_INIT;

    return rh_subvolume_remove_with(entry, rh_file_join(arena, entry, CACHE_DATA_NAME), &failure) ==
           RH_OK;
}

bool rh_cache_remove(struct arena *arena, const char *entry)
{
    RH_CLEANUP_FD int claim = rh_cache_entry_claim(arena, entry);

    if (claim < 0)
        return false;
    /* Under another name first: nobody finds half of it. */
    char *directory = rh_arena_strdup(arena, entry);
    *strrchr(directory, '/') = 0;
    char *gone = rh_file_join(arena, directory, CACHE_OLD_PREFIX "XXXXXX");
    if (!mkdtemp(gone) || rename(entry, gone) != 0) {
        rmdir(gone);
        return false;
    }
    return remove_files(arena, gone);
}

static bool has_prefix(const char *name, const char *prefix)
{
    return strncmp(name, prefix, strlen(prefix)) == 0;
}

static void reap(struct arena *arena, const char *path)
{
    RH_CLEANUP_FD int claim = rh_cache_entry_claim(arena, path);
    struct stat status;

    if (claim < 0 &&
        (rh_file_exists(rh_file_join(arena, path, CACHE_LOCK_NAME)) || lstat(path, &status) != 0 ||
         status.st_mtime > time(NULL) - HALF_MADE_AFTER_S))
        return;
    if (!remove_files(arena, path))
        return; /* the next run tries again */
}

/* A file that runs wait on; nobody does when it is not locked. */
static void reap_wait(const char *path)
{
    RH_CLEANUP_FD int fd = rh_file_lock(path, 0, LOCK_EX);

    if (fd >= 0)
        unlink(path);
}

void rh_cache_reap(const char *directory)
{
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct err ignored = RH_ERR_INIT;
    struct file_names names;

    if (rh_file_list(directory, arena, &names, &ignored))
        return;
    for (size_t i = 0; i < names.count; i++) {
        const char *path = rh_file_join(arena, directory, names.names[i]);
        if (has_prefix(names.names[i], CACHE_NEW_PREFIX) ||
            has_prefix(names.names[i], CACHE_OLD_PREFIX))
            reap(arena, path);
        else if (has_prefix(names.names[i], CACHE_WAIT_PREFIX))
            reap_wait(path);
    }
}

/* --- all of them ------------------------------------------------------------------------------ */

struct entries {
    VEC(struct cache_entry) items;
};

static int by_last_use(const void *a, const void *b)
{
    const struct cache_entry *left = a, *right = b;

    if (left->unused_s != right->unused_s)
        return left->unused_s > right->unused_s ? -1 : 1;
    return strcmp(left->path, right->path);
}

/* Longest unused first. */
static enum err_code list(struct arena *arena, const char *directory, struct entries *ret_entries,
                          struct err *err)
{
    struct file_names names;
    enum err_code code = rh_file_list(directory, arena, &names, err);

    for (size_t i = 0; !code && i < names.count; i++)
        if (names.names[i][0] != '.')
            rh_cache_entry_describe(arena, rh_file_join(arena, directory, names.names[i]),
                                    RH_PUSH(arena, &ret_entries->items));
    if (!code && ret_entries->items.count > 0)
        qsort(ret_entries->items.items, ret_entries->items.count,
              sizeof(ret_entries->items.items[0]), by_last_use);
    return code;
}

static int64_t free_bytes(const char *directory)
{
    struct statvfs space;

    if (statvfs(directory, &space) != 0)
        return 0;
    return (int64_t)space.f_bavail * (int64_t)space.f_frsize;
}

bool rh_cache_make_room(const char *directory, const struct cache_limits *limits, int64_t new_bytes,
                        bool is_there)
{
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct err ignored = RH_ERR_INIT;
    struct entries entries = {0};
    int64_t used = new_bytes, needed = limits->free_bytes + (is_there ? 0 : new_bytes);

    if (new_bytes > limits->max_bytes || list(arena, directory, &entries, &ignored))
        return false;
    for (size_t i = 0; i < entries.items.count; i++)
        used += entries.items.items[i].bytes;
    for (size_t i = 0; i < entries.items.count; i++) {
        const struct cache_entry *entry = &entries.items.items[i];
        if (used <= limits->max_bytes && free_bytes(directory) >= needed)
            return true;
        if (rh_cache_remove(arena, entry->path))
            used -= entry->bytes;
    }
    return used <= limits->max_bytes && free_bytes(directory) >= needed;
}

static bool is_in_use(struct arena *arena, const char *entry)
{
    RH_CLEANUP_FD int claim = rh_cache_entry_claim(arena, entry);

    return claim < 0 && rh_file_exists(rh_file_join(arena, entry, CACHE_LOCK_NAME));
}

enum err_code rh_sandbox_cache_prune(const struct sandbox_options *options,
                                     const struct cache_prune *prune, struct arena *arena,
                                     struct cache_listing *ret_listing, struct err *err)
{
    const struct sandbox place = {.cache_directory = rh_place_cache(arena, options)};
    struct cache_listing listing = {0};
    struct entries entries = {0};
    enum err_code code;

    if (!place.cache_directory ||
        !rh_file_exists(rh_file_join(arena, place.cache_directory, "sandboxes"))) {
        *ret_listing = listing;
        return RH_OK;
    }
    if ((code = rh_cache_directory(&place, arena, &listing.directory, err)))
        return code;
    if (!prune->is_dry_run)
        rh_cache_reap(listing.directory);
    if ((code = list(arena, listing.directory, &entries, err)))
        return code;
    for (size_t i = 0; i < entries.items.count; i++) {
        struct cache_entry entry = entries.items.items[i];
        entry.is_usable = entry.is_usable && !rh_cache_entry_is_orphan(entry.path);
        bool is_wanted = prune->all || !entry.is_usable ||
                         (prune->unused_s >= 0 && entry.unused_s >= prune->unused_s);
        entry.is_in_use = is_in_use(arena, entry.path);
        if (is_wanted && !entry.is_in_use)
            entry.is_removed = prune->is_dry_run || rh_cache_remove(arena, entry.path);
        if (entry.is_removed)
            listing.removed_bytes += entry.bytes;
        *RH_PUSH(arena, &listing.entries) = entry;
    }
    *ret_listing = listing;
    return RH_OK;
}
