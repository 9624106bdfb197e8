/*
 * The cache of prepared sandboxes: a stopped, checkpointed cluster below the cache directory, found
 * again by a digest of everything that shaped it (cache_key.c). What is found serves clones as a
 * sandbox does that this run prepared itself; it is never started.
 *
 * What lies there: <cache>/sandboxes, 0700 and ours alone, and in it a directory for each entry
 *
 *     <digest>/entry.json   what it is; written last
 *     <digest>/data         the cluster; as root it belongs to the server's user
 *     <digest>/lock         flock: shared by whoever uses it, exclusive to remove it; its time is
 *                           that of the last use
 *     .new-XXXXXX           one that is being moved in; its lock is held until it has its name
 *     .wait-<digest>        flock: held by the run that prepares it, while others wait
 *
 * No secret is in there: every password was taken off before, and each clone gives the roles new
 * ones (clone_secrets.c). Whatever a kill leaves is either not trusted (no name, another boot that
 * nothing was synced before, a cluster that is not as entry.json has it) or complete.
 *
 * Blocking, with the user's interrupt. What the cache cannot do is no failure of a run: it is told
 * through progress, and the run prepares its own sandbox.
 */
#ifndef RH_SANDBOX_CACHE_H
#define RH_SANDBOX_CACHE_H

#include "sandbox/recipe.h"
#include "sandbox/sandbox.h"

struct sandbox_cache; /* of one run: its place in the cache */

/*
 * *ret_prepared is the cached sandbox, the caller's to destroy, or NULL: then the caller starts one
 * with the same options, loads what the recipe says and ends with rh_sandbox_cache_prepare. While
 * another run prepares the very same it is waited for. Fails only when the user or the clock ended
 * the run, or when there is no server to be had. *ret_cache is freed by the caller, at any time.
 */
enum err_code rh_sandbox_cache_find(const struct sandbox_options *options,
                                    const struct sandbox_recipe *recipe,
                                    struct sandbox_cache **ret_cache, struct sandbox **ret_prepared,
                                    struct err *err) RH_MUST_CHECK;
/* As rh_sandbox_prepare; what may and pays to be kept lies in the cache then, and `sandbox` is the
   entry there. */
enum err_code rh_sandbox_cache_prepare(struct sandbox_cache *cache, struct sandbox *sandbox,
                                       struct err *err) RH_MUST_CHECK;
void rh_sandbox_cache_free(struct sandbox_cache *cache); /* NULL allowed */

/*
 * The same in two steps, for whoever makes a snapshot of ours and has its archive in a sandbox
 * already, before the snapshot has its name.
 *
 * rh_sandbox_cache_stage does what else a run would do to `sandbox` that loads what `recipe` says,
 * the snapshot's directory as it is now and nothing else, ends as rh_sandbox_prepare does, and lays
 * it into the cache under no name: to destroy it removes it again. rh_sandbox_cache_name, once the
 * snapshot is in place, gives it the one by which rh_sandbox_cache_find finds it, with the same
 * `options`. What the cache cannot do (it is off, there is no room, `sandbox` was made with other
 * options) is told through progress, and is no failure; what fails else leaves `sandbox` good for
 * nothing but destroy.
 */
enum err_code rh_sandbox_cache_stage(const struct sandbox_options *options,
                                     const struct sandbox_recipe *recipe, struct sandbox *sandbox,
                                     struct sandbox_cache **ret_cache,
                                     struct err *err) RH_MUST_CHECK;
void rh_sandbox_cache_name(struct sandbox_cache *cache, struct sandbox *sandbox);

/* Of a sandbox that was found: its entry is of no use after all (a clone did not start). Taken out
   of the cache unless another run uses it. */
void rh_sandbox_cache_discard(struct sandbox *prepared);

/* Notes of the caller's beside an entry, such as what it read of the data, which is the same for
   every clone. False when `prepared` is no entry, or has none by that name, or too large a one. */
bool rh_sandbox_cache_read_note(const struct sandbox *prepared, const char *name,
                                struct arena *arena, struct text *ret_text);
void rh_sandbox_cache_write_note(const struct sandbox *prepared, const char *name,
                                 struct text text);

/* --- looking after it ------------------------------------------------------------------------- */

struct cache_entry {
    const char *path;
    const char *source;         /* "snapshot app.dump"; "" for what cannot be read */
    const char *server_version; /* NULL: cannot be read */
    int64_t bytes;              /* on disk */
    int64_t unused_s;           /* since the last use */
    bool is_in_use;             /* by a run that lives */
    bool is_usable;             /* by this program on this machine, as far as can be told */
    bool is_removed;            /* by rh_sandbox_cache_prune */
};
struct cache_listing {
    const char *directory; /* NULL: there is no cache */
    VEC(struct cache_entry) entries;
    int64_t removed_bytes;
};
struct cache_prune {
    bool all;
    int64_t unused_s; /* those not used for as long; -1: none for that reason */
    bool is_dry_run;  /* tells what would go */
};
/* Removes what is asked for, and in any case what no run can use any more; never one in use. */
enum err_code rh_sandbox_cache_prune(const struct sandbox_options *options,
                                     const struct cache_prune *prune, struct arena *arena,
                                     struct cache_listing *ret_listing,
                                     struct err *err) RH_MUST_CHECK;

#endif
