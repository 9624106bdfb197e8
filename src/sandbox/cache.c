#include "sandbox/cache_int.h"

#include "base/interrupt.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* A schema that takes less to load is not worth 40 MB of disk: a clone of it is as quick. */
#define WORTH_KEEPING_US INT64_C(1000000)
/* Between two looks whether another run has prepared what we want. */
#define WAIT_POLL_MS 50
/* States of a hundred thousand objects. */
#define NOTE_MAX ((size_t)256 << 20)

struct sandbox_cache {
    struct arena *arena;
    struct progress *progress;
    const char *directory;
    struct cache_key key;
    struct cache_limits limits;
    struct mono began;
    int wait_fd; /* others wait for us; -1 */
    const char *wait_path;
    const char *source; /* of the recipe */
    struct cache_snapshot snapshot;
    const char *why_not; /* why nothing will be kept; NULL: it may */
};

/* --- the wait --------------------------------------------------------------------------------- */

/* True with the lock held, or where there cannot be one; false while another run has it. */
static bool take_wait(struct sandbox_cache *cache)
{
    cache->wait_fd = rh_file_lock(cache->wait_path, O_CREAT, LOCK_EX);
    return cache->wait_fd >= 0 || errno != EWOULDBLOCK;
}

static void end_wait(struct sandbox_cache *cache)
{
    if (cache->wait_fd >= 0)
        unlink(cache->wait_path);
    rh_fd_closep(&cache->wait_fd);
}

static enum err_code pause_a_moment(struct err *err)
{
    struct pollfd interrupt = {.fd = rh_interrupt_fd(), .events = POLLIN};

    poll(&interrupt, 1, WAIT_POLL_MS);
    return rh_interrupt_check(err);
}

/* --- found ------------------------------------------------------------------------------------ */

static const char *entry_path(const struct sandbox_cache *cache, struct arena *arena)
{
    return rh_file_join(arena, cache->directory, cache->key.digest);
}

/* Makes `sandbox` the one in `entry`, whose lock it takes over. */
static void settle_in(struct sandbox *sandbox, const char *entry, int *lock_fd)
{
    struct arena *arena = sandbox->arena;

    sandbox->directory = rh_arena_strdup(arena, entry);
    sandbox->data_directory = rh_file_join(arena, entry, CACHE_DATA_NAME);
    sandbox->log_path = rh_file_join(arena, entry, "server.log"); /* of a server that never runs */
    sandbox->socket_directory = sandbox->socket_path = NULL;
    sandbox->has_own_socket_directory = false;
    sandbox->cache_fd = rh_fd_take(lock_fd);
    sandbox->has_open_roles = true;
    sandbox->is_ready = true;
    (void)futimens(sandbox->cache_fd, NULL); /* used now */
}

/* NULL when there is none that can be trusted; `draft` is spent when there is. */
static struct sandbox *look(struct sandbox_cache *cache, struct sandbox *draft)
{
    const char *entry = entry_path(cache, cache->arena);
    RH_CLEANUP_FD int lock_fd = rh_cache_entry_lock(cache->arena, entry);
    const char *why_not = NULL;

    if (lock_fd < 0)
        return NULL;
    if (!rh_cache_entry_read(draft, entry, &why_not)) {
        rh_progress_note(cache->progress, "cached sandbox not used: %s", why_not);
        rh_fd_closep(&lock_fd);
        rh_cache_remove(cache->arena, entry);
        return NULL;
    }
    settle_in(draft, entry, &lock_fd);
    draft->progress = cache->progress;
    /* As this run calls it; the same bytes may have had another name. */
    draft->facts.source = rh_arena_strdup(draft->arena, cache->source);
    draft->superuser_password = rh_sandbox_random_name(draft->arena, "", 32);
    draft->role_password = rh_sandbox_random_name(draft->arena, "", 32);
    return draft;
}

static enum err_code find(struct sandbox_cache *cache, struct sandbox **draft,
                          struct sandbox **ret_prepared, struct err *err)
{
    enum err_code code;

    for (bool is_told = false;; is_told = true) {
        if (look(cache, *draft)) {
            *ret_prepared = *draft;
            *draft = NULL;
            end_wait(cache);
            return RH_OK;
        }
        /* Once more with the lock held: it may have been left there in between. */
        if (cache->wait_fd >= 0)
            return RH_OK;
        if (take_wait(cache)) {
            if (cache->wait_fd < 0)
                return RH_OK;
            continue;
        }
        if (!is_told)
            rh_progress_phase(cache->progress,
                              "wait for another run, which prepares the same sandbox");
        if ((code = pause_a_moment(err)))
            return code;
    }
}

/* As others find it, from wherever they look; it need not be there yet. */
static const char *absolute(struct arena *arena, const char *path)
{
    if (!path || path[0] == '/')
        return path;
    char *here = getcwd(NULL, 0);
    const char *joined = here ? rh_file_join(arena, here, path) : NULL;
    free(here);
    return joined;
}

static struct sandbox_cache *new_cache(const struct sandbox_options *options)
{
    struct arena *arena = rh_arena_new();
    struct sandbox_cache *cache = RH_NEW(arena, struct sandbox_cache);

    *cache = (struct sandbox_cache){
        .arena = arena,
        .progress = options->progress,
        .limits = {.max_bytes = options->cache_max_bytes > 0 ? options->cache_max_bytes
                                                             : CACHE_MAX_BYTES,
                   .free_bytes = options->cache_free_bytes > 0 ? options->cache_free_bytes
                                                               : CACHE_FREE_BYTES},
        .began = rh_clock_mono(),
        .wait_fd = -1,
    };
    return cache;
}

/* The place in the cache of what `recipe` makes, and the sandbox as far as it is known; NULL when
   nothing is to be kept. */
static enum err_code open_cache(const struct sandbox_options *options,
                                const struct sandbox_recipe *recipe,
                                struct sandbox_cache **ret_cache, struct sandbox **ret_draft,
                                struct err *err)
{
    struct sandbox_cache *cache = new_cache(options);
    struct err failure = RH_ERR_INIT;
    enum err_code code;

    *ret_draft = NULL;
    *ret_cache = cache;
    cache->source = recipe->source ? rh_arena_strdup(cache->arena, recipe->source)
                                   : "empty database";
    if (options->no_cache) {
        cache->why_not = "--no-cache was given";
        return RH_OK;
    }
    if ((code = rh_sandbox_draft(options, ret_draft, err))) {
        rh_sandbox_cache_free(cache);
        return code;
    }
    rh_cache_key(*ret_draft, recipe, cache->arena, &cache->key);
    cache->why_not = cache->key.why_not;
    if (!cache->why_not &&
        rh_cache_directory(*ret_draft, cache->arena, &cache->directory, &failure)) {
        cache->why_not = rh_arena_strdup(cache->arena, failure.message);
        rh_progress_note(cache->progress, "sandboxes are not cached: %s", cache->why_not);
    }
    if (!cache->why_not) {
        if (cache->key.has_snapshot)
            cache->snapshot = (struct cache_snapshot){
                absolute(cache->arena, rh_arena_strdup(cache->arena, recipe->snapshot)),
                cache->key.snapshot_digest};
        cache->wait_path = rh_arena_printf(cache->arena, "%s/" CACHE_WAIT_PREFIX "%s",
                                           cache->directory, cache->key.digest);
        rh_cache_reap(cache->directory);
    }
    return RH_OK;
}

enum err_code rh_sandbox_cache_find(const struct sandbox_options *options,
                                    const struct sandbox_recipe *recipe,
                                    struct sandbox_cache **ret_cache, struct sandbox **ret_prepared,
                                    struct err *err)
{
    struct sandbox_cache *cache;
    RH_CLEANUP_SANDBOX struct sandbox *draft = NULL;
    struct sandbox *prepared = NULL;
    enum err_code code;

    if ((code = open_cache(options, recipe, &cache, &draft, err)))
        return code;
    if (!cache->why_not) {
        if ((code = find(cache, &draft, &prepared, err))) {
            rh_sandbox_cache_free(cache);
            return code;
        }
        /* What is about to be made needs room, too. */
        if (!prepared)
            (void)rh_cache_make_room(cache->directory, &cache->limits, 0, true);
    }
    *ret_cache = cache;
    *ret_prepared = prepared;
    return RH_OK;
}

/* --- left there ------------------------------------------------------------------------------- */

/* What a script put elsewhere would be shared by all, or gone with the script's directory. */
static bool has_places_elsewhere(const struct sandbox *sandbox, struct arena *arena)
{
    struct err ignored = RH_ERR_INIT;
    struct file_names names;

    return rh_file_list(rh_file_join(arena, sandbox->data_directory, "pg_tblspc"), arena, &names,
                        &ignored) ||
           names.count > 0;
}

static enum err_code move_data(const struct sandbox *sandbox, const char *to, struct err *err)
{
    if (rename(sandbox->data_directory, to) == 0)
        return RH_OK;
    if (errno != EXDEV)
        return rh_err_set_errno(err, errno, "cannot move \"%s\"", sandbox->data_directory);
    return rh_file_copy_tree(sandbox->data_directory, to, err);
}

/* Everything but the data, which lies in the entry. */
static void leave_own_place(struct sandbox *sandbox)
{
    if (sandbox->has_own_socket_directory)
        rh_sandbox_remove_quietly(sandbox->socket_directory);
    struct err ignored = RH_ERR_INIT;
    if (rh_subvolume_remove_with(sandbox->directory, sandbox->data_directory, &ignored))
        rh_progress_note(sandbox->progress, "the sandbox was not removed: %s", ignored.message);
    rh_fd_closep(&sandbox->marker_fd);
}

/* Into the cache, under no name that others find. */
static enum err_code move_in(struct sandbox_cache *cache, struct sandbox *sandbox, struct err *err)
{
    struct arena *arena = cache->arena;
    char *fresh = rh_file_join(arena, cache->directory, CACHE_NEW_PREFIX "XXXXXX");
    enum err_code code;

    if (!mkdtemp(fresh))
        return rh_err_set_errno(err, errno, "cannot create \"%s\"", fresh);
    RH_CLEANUP_FD int lock_fd = rh_cache_entry_new_lock(arena, fresh);
    if (lock_fd < 0)
        code = rh_err_set_errno(err, errno, "cannot lock \"%s\"", fresh);
    else
        code = move_data(sandbox, rh_file_join(arena, fresh, CACHE_DATA_NAME), err);
    if (code) {
        rh_sandbox_remove_quietly(fresh);
        return code;
    }
    code = rh_cache_entry_write(sandbox, &cache->snapshot, fresh, err);
    /* From here on the data is where it was moved to, whatever happened. */
    leave_own_place(sandbox);
    settle_in(sandbox, fresh, &lock_fd);
    sandbox->is_only_ours = true;
    return code;
}

/* Another run's, that did not wait for us, is as good; ours serves this run alone then. */
static enum err_code take_name(struct sandbox_cache *cache, struct sandbox *sandbox,
                               struct err *err)
{
    const char *entry = entry_path(cache, cache->arena);
    int lock_fd;

    if (rename(sandbox->directory, entry) != 0)
        return rh_err_set_errno(err, errno, "cannot name \"%s\"", entry);
    lock_fd = rh_fd_take(&sandbox->cache_fd);
    settle_in(sandbox, entry, &lock_fd);
    sandbox->is_only_ours = false;
    return RH_OK;
}

/* What was prepared moves in if it may; what keeps it from it is told. */
static bool try_to_move_in(struct sandbox_cache *cache, struct sandbox *sandbox)
{
    struct err failure = RH_ERR_INIT;
    const char *why_not = NULL;

    if (has_places_elsewhere(sandbox, cache->arena))
        why_not = "it has tablespaces";
    else if (!rh_cache_make_room(cache->directory, &cache->limits,
                                 rh_file_tree_bytes(sandbox->data_directory), false))
        why_not = "there is no room (--cache-size, --cache-free)";
    else if (move_in(cache, sandbox, &failure))
        why_not = failure.message;
    if (why_not)
        rh_progress_note(cache->progress, "the sandbox is not cached: %s", why_not);
    return !why_not;
}

enum err_code rh_sandbox_cache_prepare(struct sandbox_cache *cache, struct sandbox *sandbox,
                                       struct err *err)
{
    struct err failure = RH_ERR_INIT;
    bool is_worth_it = cache->key.has_snapshot ||
                       rh_clock_mono().us - cache->began.us >= WORTH_KEEPING_US;
    enum err_code code;

    if (cache->why_not || !is_worth_it) {
        end_wait(cache);
        return rh_sandbox_prepare(sandbox, err);
    }
    if ((code = rh_sandbox_prepare_open(sandbox, err)))
        return code;
    if (try_to_move_in(cache, sandbox) && take_name(cache, sandbox, &failure))
        rh_progress_note(cache->progress, "the sandbox is not cached: %s", failure.message);
    end_wait(cache);
    return RH_OK;
}

/* --- left there before it has a name ---------------------------------------------------------- */

static bool is_same(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

/* What a run with the options of `draft` would have started. */
static bool was_made_as(const struct sandbox *draft, const struct sandbox *sandbox)
{
    bool is = is_same(draft->server.bin_directory, sandbox->server.bin_directory) &&
              is_same(draft->server.version, sandbox->server.version) &&
              draft->uid == sandbox->uid && is_same(draft->locale, sandbox->locale) &&
              is_same(draft->wanted_role, sandbox->wanted_role) &&
              draft->setting_count == sandbox->setting_count;

    for (size_t i = 0; is && i < draft->setting_count; i++)
        is = is_same(draft->settings[i].name, sandbox->settings[i].name) &&
             is_same(draft->settings[i].value, sandbox->settings[i].value);
    return is;
}

/* Its notes are for who runs with it, and are told then. */
static enum err_code prepare_silently(const struct sandbox_recipe *recipe, struct sandbox *sandbox,
                                      struct err *err)
{
    struct progress *progress = sandbox->progress;
    enum err_code code;

    RH_ASSERT(recipe->parts.count == 1 && recipe->parts.items[0].kind == RECIPE_SNAPSHOT);
    sandbox->progress = NULL;
    code = rh_load_rest_of_snapshot(sandbox, recipe->parts.items[0].path, err);
    if (!code)
        code = rh_sandbox_prepare_open(sandbox, err);
    sandbox->progress = progress;
    return code;
}

enum err_code rh_sandbox_cache_stage(const struct sandbox_options *options,
                                     const struct sandbox_recipe *recipe, struct sandbox *sandbox,
                                     struct sandbox_cache **ret_cache, struct err *err)
{
    const struct sandbox_options own = rh_recipe_options(recipe, options);
    struct sandbox_cache *cache;
    RH_CLEANUP_SANDBOX struct sandbox *draft = NULL;
    enum err_code code;

    if ((code = open_cache(&own, recipe, &cache, &draft, err)))
        return code;
    if (!cache->why_not && !was_made_as(draft, sandbox)) {
        cache->why_not = "runs here use another server, or other settings of it";
        rh_progress_note(cache->progress, "the sandbox is not cached: %s", cache->why_not);
    }
    if (!cache->why_not) {
        rh_progress_phase(cache->progress, "prepare the sandbox for the first run");
        (void)take_wait(cache);
        (void)rh_cache_make_room(cache->directory, &cache->limits, 0, true);
        if ((code = prepare_silently(recipe, sandbox, err))) {
            rh_sandbox_cache_free(cache);
            return code;
        }
        sandbox->facts.source = rh_arena_strdup(sandbox->arena, cache->source);
        (void)try_to_move_in(cache, sandbox);
    }
    *ret_cache = cache;
    return RH_OK;
}

void rh_sandbox_cache_name(struct sandbox_cache *cache, struct sandbox *sandbox)
{
    struct err failure = RH_ERR_INIT;

    if (sandbox->cache_fd >= 0 && sandbox->is_only_ours && take_name(cache, sandbox, &failure))
        rh_progress_note(cache->progress, "the sandbox is not cached: %s", failure.message);
    end_wait(cache);
}

void rh_sandbox_cache_free(struct sandbox_cache *cache)
{
    if (!cache)
        return;
    end_wait(cache);
    rh_arena_free(cache->arena);
}

/* --- used ------------------------------------------------------------------------------------- */

void rh_sandbox_cache_discard(struct sandbox *prepared)
{
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();

    if (prepared->cache_fd < 0)
        return;
    rh_fd_closep(&prepared->cache_fd);
    rh_cache_remove(arena, prepared->directory);
    prepared->directory = NULL;
}

/* Of an entry that is let go. */
void rh_cache_release(struct sandbox *prepared)
{
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();

    if (prepared->cache_fd < 0)
        return;
    if (!prepared->is_only_ours)
        rh_cache_entry_sync(arena, prepared->directory);
    rh_fd_closep(&prepared->cache_fd);
    if (prepared->is_only_ours)
        rh_cache_remove(arena, prepared->directory);
}

static bool is_name(const char *name)
{
    return name[0] && !strchr(name, '/') && name[0] != '.';
}

bool rh_sandbox_cache_read_note(const struct sandbox *prepared, const char *name,
                                struct arena *arena, struct text *ret_text)
{
    struct err ignored = RH_ERR_INIT;

    RH_ASSERT(is_name(name));
    return prepared->cache_fd >= 0 && rh_file_read(rh_file_join(arena, prepared->directory, name),
                                                   NOTE_MAX, arena, ret_text, &ignored) == RH_OK;
}

/* Without waiting for the disk: after a crash of the machine the entry is not trusted either, until
   all of it was synced. */
void rh_sandbox_cache_write_note(const struct sandbox *prepared, const char *name, struct text text)
{
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();

    RH_ASSERT(is_name(name));
    if (prepared->cache_fd < 0)
        return;
    char *fresh = rh_file_join(arena, prepared->directory, ".note-XXXXXX");
    RH_CLEANUP_FD int fd = mkostemp(fresh, O_CLOEXEC);
    if (fd < 0)
        return;
    if (write(fd, text.data, text.len) != (ssize_t)text.len ||
        rename(fresh, rh_file_join(arena, prepared->directory, name)) != 0)
        unlink(fresh);
}
