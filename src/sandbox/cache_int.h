/*
 * The inside of the cache: cache.c finds and leaves, cache_key.c tells entries apart, cache_entry.c
 * reads and writes what one says of itself, cache_evict.c removes.
 */
#ifndef RH_SANDBOX_CACHE_INT_H
#define RH_SANDBOX_CACHE_INT_H

#include "sandbox/cache.h"
#include "sandbox/sandbox_int.h"

/* Raised when an entry of an older program must not be used. */
#define CACHE_FORMAT 1
#define CACHE_DIGEST_LENGTH 32 /* hexadecimal, of a SHA-256: names nobody chose collide never */
#define CACHE_NEW_PREFIX ".new-"
#define CACHE_OLD_PREFIX ".old-"
#define CACHE_WAIT_PREFIX ".wait-"
#define CACHE_LOCK_NAME "lock"
#define CACHE_DATA_NAME "data"

/* --- cache_key.c ------------------------------------------------------------------------------ */
struct cache_key {
    char digest[CACHE_DIGEST_LENGTH + 1];
    bool has_snapshot;
    char snapshot_digest[65]; /* of the snapshot alone */
    const char *why_not;      /* why what the recipe makes cannot be kept; NULL: it can */
};
/* `draft`: server, user, locale, settings and role are known. Unreadable files are the business of
   whoever loads them: then there is a reason why not. */
void rh_cache_key(const struct sandbox *draft, const struct sandbox_recipe *recipe,
                  struct arena *arena, struct cache_key *ret_key);
/* Of the bytes, or of what the file system says of the files, that make the snapshot at `path`;
   NULL, or why it cannot be told. */
const char *rh_cache_snapshot_digest(const char *path, struct arena *arena,
                                     char ret_digest[static 65]);

/* --- cache_entry.c ---------------------------------------------------------------------------- */
/* The shared lock on an entry: -1 when there is none, it is being removed, or it never was whole.
 */
int rh_cache_entry_lock(struct arena *arena, const char *entry);
/* The exclusive one; -1 when somebody uses it. */
int rh_cache_entry_claim(struct arena *arena, const char *entry);
/* A new lock file in a new directory, held in shared mode; -1 with errno. */
int rh_cache_entry_new_lock(struct arena *arena, const char *entry);
/* What entry.json says into `sandbox`, whose server and settings are chosen. False with the reason
   when it is not to be trusted. */
bool rh_cache_entry_read(struct sandbox *sandbox, const char *entry, const char **ret_why_not);
/* Of a stopped sandbox whose cluster lies in `entry` already. */
struct cache_snapshot {
    const char *path; /* absolute; NULL: it was made of none */
    const char *digest;
};
enum err_code rh_cache_entry_write(const struct sandbox *sandbox,
                                   const struct cache_snapshot *snapshot, const char *entry,
                                   struct err *err) RH_MUST_CHECK;
/* The snapshot that it was made of is gone, or another lies in its place. */
bool rh_cache_entry_is_orphan(const char *entry);
/* What a listing shows of it. */
void rh_cache_entry_describe(struct arena *arena, const char *entry, struct cache_entry *ret_shown);
/* What was written since lies on the disk: the entry may be trusted after a crash of the machine.
 */
void rh_cache_entry_sync(struct arena *arena, const char *entry);

/* --- cache_evict.c ---------------------------------------------------------------------------- */
/* Made if need be, checked: ours alone. RH_ERR_ENVIRONMENT when it is not. */
enum err_code rh_cache_directory(const struct sandbox *sandbox, struct arena *arena,
                                 const char **ret_directory, struct err *err) RH_MUST_CHECK;
/* Takes it away when nobody uses it; true when it is gone. */
bool rh_cache_remove(struct arena *arena, const char *entry);
/* Half-built ones of dead runs. */
void rh_cache_reap(const char *directory);
/* Least recently used ones go until `new_bytes` more (which lie on the disk already where is_there)
   fit below max_bytes, and free_bytes stay free. False when they do not even so. */
struct cache_limits {
    int64_t max_bytes, free_bytes;
};
bool rh_cache_make_room(const char *directory, const struct cache_limits *limits, int64_t new_bytes,
                        bool is_there);

#endif
