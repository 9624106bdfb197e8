/*
 * A sandbox: a throw-away server that we start, fill, watch and destroy. Private cluster, no TCP
 * listener, socket in a 0700 directory, random superuser, not run as root. Always torn down: by
 * rh_sandbox_destroy, by the death signal of its server, and by the reaper at the next start.
 *
 * Blocking, with deadlines and the user's interrupt. Never touches a server it did not start.
 */
#ifndef RH_SANDBOX_SANDBOX_H
#define RH_SANDBOX_SANDBOX_H

#include "base/arena.h"
#include "base/err.h"
#include "base/process.h"
#include "base/progress.h"
#include "engine/engine.h"

#include <stdbool.h>
#include <stdint.h>

struct sandbox;

struct sandbox_options {
    const struct engine *engine;
    const char *server_bin; /* NULL: search */
    int preferred_major; /* 0: newest installed; else that major, or the next newer with a note */
    bool keep;           /* the server must outlive us: only then may rh_sandbox_keep be called */
    const char *parent_directory; /* NULL: $REHEARSE_SANDBOX_DIR, $TMPDIR, /var/tmp */
    const char *cache_directory;  /* NULL: $XDG_CACHE_HOME/rehearse, ~/.cache/rehearse */
    bool no_cache;                /* of prepared sandboxes (sandbox/cache.h) */
    int64_t cache_max_bytes,
        cache_free_bytes;    /* of it at most; left free on its disk; 0: default */
    const char *server_user; /* when we are root: NULL: "postgres", else "nobody" */
    const char *role;        /* migration role; NULL: the owner of most tables, else "migrator" */
    const struct server_setting *settings; /* --set */
    size_t setting_count;
    struct progress *progress;
};

/* What loading found; arena of the sandbox. */
struct sandbox_facts {
    const char *server_version;
    int server_major;
    const char *source; /* as struct fidelity */
    int64_t snapshot_age_s;
    int64_t relations, rows, bytes;
    const char *clone_method; /* "btrfs snapshot", "reflink", "overlay", "copy"; NULL: no clone */
    const char *clone_note;   /* its size, and why no cheaper way was taken; NULL: no clone */
    int64_t prepared_s;    /* found in the cache: how long ago it was prepared; -1: by this run */
    int64_t settings_kept; /* of production's */
    VEC(const char *) settings_not_kept; /* "work_mem = 1GB (server): why" */
    VEC(const char *)
    notes; /* roles created, extensions missing, settings that could not be kept */
};

/* The server's major version that a dump was made from, read from its header (archives, plain text,
   compressed ones too); 0 when the file does not say or cannot be read. For preferred_major. */
int rh_sandbox_snapshot_major(const char *path);

/* What a dump's header says, for people; texts are NULL where it does not. */
struct archive_facts {
    const char *kind; /* "custom archive", "plain text" */
    const char *server_version, *dump_version, *database;
    int64_t age_s; /* -1 */
};
/* RH_ERR_USAGE, RH_ERR_FORMAT when it cannot be read, or is no dump of pg_dump's. */
enum err_code rh_sandbox_archive_facts(const char *path, struct arena *arena,
                                       struct archive_facts *ret_facts,
                                       struct err *err) RH_MUST_CHECK;

/* Removes what dead runs left, only where our marker says so. Never fails a run. */
void rh_sandbox_reap(const struct sandbox_options *options);

enum err_code rh_sandbox_start(const struct sandbox_options *options, struct sandbox **ret_sandbox,
                               struct err *err) RH_MUST_CHECK;
/* Load; any order, any number; schema files are SQL or psql scripts. */
enum err_code rh_sandbox_load_schema(struct sandbox *sandbox, const char *path,
                                     struct err *err) RH_MUST_CHECK;
enum err_code rh_sandbox_load_snapshot(struct sandbox *sandbox, const char *path,
                                       struct err *err) RH_MUST_CHECK;
/* SQL of our own making (the demo's shop), streamed through one psql-less connection. */
enum err_code rh_sandbox_load_sql(struct sandbox *sandbox, const char *source_name,
                                  const char *const *statements, size_t count,
                                  struct err *err) RH_MUST_CHECK;
/* ANALYZE, hand objects to the migration role, restart with the settings for running. */
enum err_code rh_sandbox_ready(struct sandbox *sandbox, struct err *err) RH_MUST_CHECK;

/* As rh_sandbox_ready, but it ends stopped, and quicker: only clones are made of it. */
enum err_code rh_sandbox_prepare(struct sandbox *sandbox, struct err *err) RH_MUST_CHECK;

/*
 * A clone of a ready or prepared sandbox, itself ready: the same data, another server, in the
 * cheapest way that works here (facts.clone_method). The first clone stops `prepared` with a
 * checkpoint: from then on it only serves clones, its facts and destroy, and it must outlive them.
 * Any number may live at once; an error with the numbers when memory (but for the first) or
 * disk has no room for one more.
 *
 * Durations may be measured in the first kind. In the second they may not: the first access to a
 * table can pay for copying it, and commits do not wait for the disk.
 */
enum err_code rh_sandbox_clone(struct sandbox *prepared, struct sandbox **ret_clone,
                               struct err *err) RH_MUST_CHECK;
enum err_code rh_sandbox_clone_untimed(struct sandbox *prepared, struct sandbox **ret_clone,
                                       struct err *err) RH_MUST_CHECK;

/* One way to make a clone, tried. */
struct clone_trial {
    const char *method; /* as facts.clone_method */
    bool works;         /* its server has answered */
    int64_t duration_us;
    const char *why_not; /* NULL when it works */
};
#define SANDBOX_CLONE_WAYS 4
/* Of a prepared sandbox: a clone in every way, each gone again. The cheapest first. That a way does
   not work is no error. */
enum err_code rh_sandbox_try_clones(struct sandbox *prepared, struct arena *arena,
                                    struct clone_trial ret_trials[static SANDBOX_CLONE_WAYS],
                                    struct err *err) RH_MUST_CHECK;
/* What is left for clones of a prepared sandbox. */
struct sandbox_room {
    int64_t memory_bytes;       /* of the machine and of our control groups; INT64_MAX: unknown */
    int64_t clone_memory_bytes; /* what the server of one may take */
    int64_t disk_bytes;         /* below `directory`; INT64_MAX: unknown */
    const char *directory;      /* where they are made */
};
void rh_sandbox_room(const struct sandbox *prepared, struct sandbox_room *ret_room);
/* As whom its server runs when we are root; NULL: as we do. */
const char *rh_sandbox_server_user(const struct sandbox *sandbox);

const struct sandbox_facts *rh_sandbox_facts(const struct sandbox *sandbox);
/* Direct to the server, not through a tap. Strings live as long as the sandbox. */
struct connection_parameters rh_sandbox_superuser(const struct sandbox *sandbox);
struct connection_parameters rh_sandbox_migration_role(const struct sandbox *sandbox);
const char *rh_sandbox_socket_path(const struct sandbox *sandbox); /* .../.s.PGSQL.5432 */
const char *
rh_sandbox_directory(const struct sandbox *sandbox); /* 0700, ours; for sockets and files */
/* As the server sees it: only by this process, while its server runs and until it is destroyed. */
const char *rh_sandbox_data_directory(const struct sandbox *sandbox);
const char *rh_sandbox_log_path(const struct sandbox *sandbox);
/* Readable when the server ended: a sandbox that dies is a finding. */
int rh_sandbox_server_pidfd(const struct sandbox *sandbox);
/* True when the server ended (or crashed and restarted); text "terminated by signal 9". */
bool rh_sandbox_has_crashed(struct sandbox *sandbox, const char **ret_reason);
/* A psql (or pg_dump, pg_restore) that fits this server; NULL with *err set when there is none. */
const char *rh_sandbox_client_program(const struct sandbox *sandbox, const char *name,
                                      struct err *err);

/* Leaves it up: marks it kept so that no reaper touches it. Prints nothing; URL and stop command
   are returned in the sandbox's arena. The sandbox handle is then only good for destroy (which
   frees memory). */
enum err_code rh_sandbox_keep(struct sandbox *sandbox, const char **ret_url,
                              const char **ret_stop_command, struct err *err) RH_MUST_CHECK;
/* Stops the server, removes every file, frees. NULL allowed. Never fails loudly: what it could not
   remove is noted through progress and left to the reaper. */
void rh_sandbox_destroy(struct sandbox *sandbox);
void rh_sandbox_destroyp(struct sandbox **sandbox);
#define RH_CLEANUP_SANDBOX __attribute__((cleanup(rh_sandbox_destroyp)))

#endif
