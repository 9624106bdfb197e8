/*
 * The inside of a sandbox, for the modules of this folder.
 *
 *   place.c          parent directory, server user, the sandbox's own directory
 *   marker.c         the file that makes a directory ours, and the lock that says we live
 *   reaper.c         removal of what dead runs left
 *   template.c       initdb, and the cached copy of its result
 *   settings.c       configuration files, checks of --set
 *   namespaces.c     the server's own network, and an overlay's view of the data directory
 *   subvolume.c      data directories that btrfs can snapshot
 *   cluster.c        start, stop, restart, crash detection
 *   roles.c          superuser, loader, database, migration role, hand-over
 *   secret.c         passwords as the server keeps them
 *   client.c         client programs: found, run, their output read line by line
 *   clone.c          a copy of a prepared sandbox, in the cheapest way that works
 *   clone_room.c     whether memory and disk have room for one
 *   clone_secrets.c  passwords of clones whose base has none
 *   recipe.c         what a sandbox is made of
 *   cache.c ...      prepared sandboxes kept for the next run (cache_int.h)
 *   restart.c        the end of a server as in a crash, and its recovery
 *   load_schema.c    psql scripts
 *   snapshot_file.c  what kind of dump a file is
 *   sql_scan.c       roles and extensions that SQL text needs: pure
 *   load_snapshot.c  dumps: what they need, which way they go in (load_int.h)
 *   load_archive.c   pg_restore
 *   snapshot_own.c   a snapshot of ours: its manifest, and whether the archive belongs to it
 *   production_settings.c  what of production's settings a sandbox has
 *   load_plain.c     plain text through psql
 *   sandbox.c        the public functions
 *
 * The server is not started before something needs it: what is loaded first decides whether it
 * starts with the settings for loading or straight with those for running.
 */
#ifndef RH_SANDBOX_SANDBOX_INT_H
#define RH_SANDBOX_SANDBOX_INT_H

#include "sandbox/sandbox.h"

#include "base/file.h"
#include "model/manifest.h"

enum cluster_mode {
    CLUSTER_STOPPED,
    CLUSTER_LOADING,   /* durability off, nothing in the background, sizes for loading */
    CLUSTER_PREPARING, /* as running, but for what a reload can change: durability off, quiet */
    CLUSTER_RUNNING,   /* as a server in production runs */
};

/* Of a clone whose data directory is the base's with its own writes above; see namespaces.c. */
#define OVERLAY_OPTIONS ((size_t)2)
struct overlay {
    const char *parent;                   /* of the clone's directory */
    const char *data;                     /* where it is mounted, as the server sees it */
    const char *upper, *work;             /* of the clone */
    const char *options[OVERLAY_OPTIONS]; /* the first that the kernel takes */
};

/* X(symbol, name), cheapest first where a cluster is large */
#define CLONE_METHOD_LIST(X)               \
    X(CLONE_BY_SNAPSHOT, "btrfs snapshot") \
    X(CLONE_BY_REFLINK, "reflink")         \
    X(CLONE_BY_OVERLAY, "overlay")         \
    X(CLONE_BY_COPY, "copy")
enum clone_method {
#define X(symbol, name) symbol,
    CLONE_METHOD_LIST(X)
#undef X
        CLONE_METHODS
};

struct sandbox {
    struct arena *arena;
    const struct engine *engine;
    struct progress *progress;
    struct server_programs server;
    struct sandbox_facts facts;

    bool is_kept_alive; /* the server outlives us */
    bool is_kept;       /* rh_sandbox_keep was called */

    /* place.c */
    bool drops_privileges; /* we are root: programs of the server run as: */
    uid_t uid;
    gid_t gid;
    const char *user_name;
    const char *directory, *data_directory, *socket_directory, *socket_path, *log_path;
    const char *parent_directory;  /* of `directory` and of what clones are made in; absolute */
    const char *cache_directory;   /* NULL: no cache */
    bool has_own_socket_directory; /* outside `directory`, to be removed with it */

    /* marker.c */
    int marker_fd; /* holds the lock; -1 */

    /* cache.c */
    int cache_fd;        /* it lies in the cache: the lock on its entry; -1 */
    bool is_only_ours;   /* there, but under no name that others find */
    bool has_open_roles; /* no role has a password: clones give them those below */

    /* settings.c */
    const char *hba_path; /* instead of the cluster's own pg_hba.conf; NULL */
    const struct server_setting *settings;
    size_t setting_count;
    VEC(struct server_setting) production; /* production's, where --set says nothing */
    bool has_auto_explain;

    /* template.c */
    const char *template_path; /* the data directory is a copy of it; NULL: fresh from initdb */

    /* cluster.c */
    enum cluster_mode mode;
    struct process process;
    int64_t log_offset; /* the server's log is examined for crashes up to here */
    const char *crash_reason;

    /* namespaces.c */
    struct overlay *overlay; /* NULL: the data directory is plain */
    int data_fd;             /* the overlay as the server sees it; -1 */
    const char *data_view;   /* a path to it; NULL */

    /* clone.c: of a clone ... */
    struct sandbox *base; /* NULL: it is none */
    /* ... and of what clones are made from */
    int64_t clone_bytes; /* of its files; 0: not yet measured */
    int living_clones;
    int64_t clone_memory_bytes;               /* what the server of a clone may take */
    const char *clone_refused[CLONE_METHODS]; /* why a method does not work here; NULL: it may */

    /* roles.c */
    const char *superuser, *superuser_password;
    const char *loader, *loader_password; /* NULL once handed over */
    const char *role, *role_password;     /* migration role; NULL before rh_sandbox_ready */
    const char *wanted_role;              /* options.role */
    const char *database;                 /* NULL before the cluster exists */
    const char *locale;                   /* of the cluster */
    VEC(const char *) snapshot_roles;     /* made for a dump: one of them may own most */
    VEC(const char *) raised_roles;       /* of these: superusers as long as it is loaded */
    size_t noted_roles;                   /* of them: told so far */
    bool is_ready;
    bool has_loaded;               /* something was loaded into `database` */
    struct connection *connection; /* superuser in `database`; NULL: none open */
};

void rh_sandbox_note(struct sandbox *sandbox, const char *fmt, ...) RH_PRINTF(2, 3);
/* Where a failure changes nothing: a cache, something already half-made. */
void rh_sandbox_remove_quietly(const char *path);
/* Lower-case letters and digits from getrandom. */
char *rh_sandbox_random_name(struct arena *arena, const char *prefix, size_t random_length);

/* --- place.c ---------------------------------------------------------------------------------- */
enum err_code rh_place_choose(struct sandbox *sandbox, const struct sandbox_options *options,
                              struct err *err) RH_MUST_CHECK;
/* $REHEARSE_SANDBOX_DIR, $TMPDIR, /var/tmp; where the reaper looks too. */
const char *rh_place_parent(const struct sandbox_options *options);
/* The owner of server files: ours, or the server user's when we are root. */
enum err_code rh_place_server_user(const struct sandbox_options *options, struct arena *arena,
                                   bool *ret_drops, uid_t *ret_uid, gid_t *ret_gid,
                                   const char **ret_name, struct err *err) RH_MUST_CHECK;
/* NULL: there is no place for one. */
const char *rh_place_cache(struct arena *arena, const struct sandbox_options *options);
/* Server user, cache and parent directory; makes nothing but the parent. */
enum err_code rh_place_find(struct sandbox *sandbox, const struct sandbox_options *options,
                            struct err *err) RH_MUST_CHECK;
/* Where a sandbox keeps its data, or what an overlay needs: "<directory>/data-yMeIf1". */
const char *rh_place_inside(struct arena *arena, const char *directory, const char *name);
#define SOCKET_DIRECTORY_PREFIX "/tmp/rehearse-s-"
#define SANDBOX_NAME_PREFIX "rehearse-sandbox-"

/* --- marker.c --------------------------------------------------------------------------------- */
struct marker {
    int64_t pid, pid_start; /* owner; start in clock ticks since boot (proc(5), stat field 22) */
    char boot_id[64];
    int64_t postmaster_pid;
    bool is_kept;
    char socket_directory[64]; /* "" when inside */
};
enum err_code rh_marker_create(struct sandbox *sandbox, struct err *err) RH_MUST_CHECK;
enum err_code rh_marker_update(struct sandbox *sandbox, struct err *err) RH_MUST_CHECK;
/* Opens the marker in `directory` for the reaper: true with the lock held in *ret_fd when the owner
   is dead and it is ours to remove. */
bool rh_marker_claim(const char *directory, int *ret_fd, struct marker *ret_marker);
bool rh_marker_is_present(const char *directory);

/* --- template.c ------------------------------------------------------------------------------- */
/* The database of a cluster as it is provided; empty, of the cluster's locale. */
#define DATABASE_NAME "app"
/* A locale that sorts by code point and knows UTF-8 letters, where there is one. */
const char *rh_template_locale(void);
enum err_code rh_template_provide(struct sandbox *sandbox, struct err *err) RH_MUST_CHECK;
/* The copy did not start: throws the template away and makes the data directory anew. */
enum err_code rh_template_replace(struct sandbox *sandbox, struct err *err) RH_MUST_CHECK;

/* --- settings.c ------------------------------------------------------------------------------- */
enum err_code rh_settings_write(struct sandbox *sandbox, enum cluster_mode mode,
                                struct err *err) RH_MUST_CHECK;
/* Refuses ours, unknown names and bad values before anything is loaded. */
enum err_code rh_settings_check(struct sandbox *sandbox, struct err *err) RH_MUST_CHECK;
/* Would a server start with the settings for running? RH_ERR_USAGE in its own words when not. */
enum err_code rh_settings_try(struct sandbox *sandbox, struct err *err) RH_MUST_CHECK;

/* --- production_settings.c -------------------------------------------------------------------- */
/* After the archive is loaded: settings, and notes on what else is not as in production. */
enum err_code rh_production_apply(struct sandbox *sandbox, const struct manifest *manifest,
                                  struct err *err) RH_MUST_CHECK;

/* --- namespaces.c ----------------------------------------------------------------------------- */
struct namespaces {
    const struct overlay *overlay; /* NULL: none */
    char uid_map[48], gid_map[48];
    size_t uid_map_length, gid_map_length;
};
void rh_namespaces_plan(const struct sandbox *sandbox, struct namespaces *ret_plan);
/* For struct process_options.prepare; `context` is a struct namespaces. */
int rh_namespaces_enter(void *context);
/* True where the server could not be given a network of its own. */
bool rh_namespaces_shares_network(const struct sandbox *sandbox);
/* The directories of a clone by overlay over its base, and what will be mounted. Volatile: nothing
   waits for the disk, commits neither. */
enum err_code rh_overlay_lay_out(struct sandbox *sandbox, bool is_volatile,
                                 struct err *err) RH_MUST_CHECK;
enum err_code rh_overlay_before_start(struct sandbox *sandbox, struct err *err) RH_MUST_CHECK;
enum err_code rh_overlay_after_start(struct sandbox *sandbox, struct err *err) RH_MUST_CHECK;

/* --- subvolume.c ------------------------------------------------------------------------------ */
/* False where that is not possible, which is no failure: nothing is there then, or a directory. */
bool rh_subvolume_create(const struct sandbox *sandbox, const char *path);
bool rh_subvolume_is(const char *path);
enum err_code rh_subvolume_snapshot(const char *from, const char *to,
                                    struct err *err) RH_MUST_CHECK;
/* Removes `directory` with all in it, `data_directory` too should that be a subvolume. */
enum err_code rh_subvolume_remove_with(const char *directory, const char *data_directory,
                                       struct err *err) RH_MUST_CHECK;

/* --- clone.c ---------------------------------------------------------------------------------- */
/* Removes log that no clone needs from a stopped sandbox; `current` is the segment that was being
   written just before. */
enum err_code rh_clone_trim_log(struct sandbox *base, const char *current,
                                struct err *err) RH_MUST_CHECK;

/* --- clone_secrets.c -------------------------------------------------------------------------- */
/* Before the first start of a clone of a base with open roles, and after it. */
enum err_code rh_clone_open_door(struct sandbox *clone, struct err *err) RH_MUST_CHECK;
enum err_code rh_clone_shut_door(struct sandbox *clone, struct err *err) RH_MUST_CHECK;

/* --- cache.c, sandbox.c ----------------------------------------------------------------------- */
#define CACHE_MAX_BYTES (INT64_C(20) << 30)
#define CACHE_FREE_BYTES (INT64_C(4) << 30)
/* What is known of a sandbox before it is made: server, place, settings. Destroyed as one. */
enum err_code rh_sandbox_draft(const struct sandbox_options *options, struct sandbox **ret_draft,
                               struct err *err) RH_MUST_CHECK;
/* As rh_sandbox_prepare, and takes every role's password off: only clones can be used. */
enum err_code rh_sandbox_prepare_open(struct sandbox *sandbox, struct err *err) RH_MUST_CHECK;
/* The end of a sandbox in the cache: its lock goes. */
void rh_cache_release(struct sandbox *prepared);

/* --- clone_room.c ----------------------------------------------------------------------------- */
/* RH_ERR_ENVIRONMENT with the numbers when memory or disk has no room for one more clone. */
enum err_code rh_clone_check_memory(const struct sandbox *base, struct err *err) RH_MUST_CHECK;
enum err_code rh_clone_check_disk(const struct sandbox *base, enum clone_method method,
                                  struct err *err) RH_MUST_CHECK;

/* --- cluster.c -------------------------------------------------------------------------------- */
/* Options of a child that is a program of the server: user, clean environment. */
struct process_options rh_cluster_process_options(const struct sandbox *sandbox,
                                                  const char *const *argv);
/* Starts it if it is stopped, else leaves it as it is. */
enum err_code rh_cluster_ensure(struct sandbox *sandbox, enum cluster_mode mode,
                                struct err *err) RH_MUST_CHECK;
/* In this mode, by a reload or a restart where needed. */
enum err_code rh_cluster_switch(struct sandbox *sandbox, enum cluster_mode mode,
                                struct err *err) RH_MUST_CHECK;
/* Fast shutdown, with a checkpoint: the data directory is consistent then. */
enum err_code rh_cluster_stop(struct sandbox *sandbox, struct err *err) RH_MUST_CHECK;
/* Immediate shutdown. */
void rh_cluster_stop_now(struct sandbox *sandbox);
/* The log's last lines that tell why (FATAL, PANIC, ERROR), NULL when there are none. */
const char *rh_cluster_log_reason(const struct sandbox *sandbox, struct arena *arena);
/* RH_ERR_IO with directory and free bytes when the server's log says the disk is full, else RH_OK.
 */
enum err_code rh_cluster_check_disk(const struct sandbox *sandbox, struct err *err) RH_MUST_CHECK;
bool rh_cluster_says_disk_full(const char *text);
enum err_code rh_cluster_disk_full(const struct sandbox *sandbox, struct err *err);

/* --- secret.c --------------------------------------------------------------------------------- */
#define SECRET_SALT_BYTES 16 /* scram-common.h, SCRAM_DEFAULT_SALT_LEN */
/* For PASSWORD '...' instead of an ASCII password, on every server version. */
const char *rh_secret_verifier(struct arena *arena, const char *password, int rounds,
                               const unsigned char salt[static SECRET_SALT_BYTES]);

/* --- roles.c ---------------------------------------------------------------------------------- */
enum err_code rh_roles_execute(struct sandbox *sandbox, struct err *err, const char *fmt, ...)
    RH_PRINTF(3, 4) RH_MUST_CHECK;
enum err_code rh_roles_query(struct sandbox *sandbox, const char *sql,
                             const char *const *parameters, int parameter_count,
                             struct rows **ret_rows, struct err *err) RH_MUST_CHECK;
/* Connected as superuser to the database; both made on first call. */
enum err_code rh_roles_connect(struct sandbox *sandbox, struct err *err) RH_MUST_CHECK;
void rh_roles_disconnect(struct sandbox *sandbox);
/* Drops the empty database and makes it anew with the dump's name and locale (NULL: as it is). */
enum err_code rh_roles_prepare_database(struct sandbox *sandbox, const char *name,
                                        const char *locale, struct err *err) RH_MUST_CHECK;
/* Creates roles that do not exist, NOLOGIN. */
struct name_list {
    VEC(const char *) names;
};
enum err_code rh_roles_create_missing(struct sandbox *sandbox, const struct name_list *names,
                                      struct err *err) RH_MUST_CHECK;
/* Those that were created so and are to own what only a superuser may own are superusers until the
   hand-over. */
struct sql_needs;
enum err_code rh_roles_raise(struct sandbox *sandbox, const struct sql_needs *needs,
                             struct err *err) RH_MUST_CHECK;
/* One note on those that were created since the last. */
void rh_roles_note_created(struct sandbox *sandbox, const char *why);
/* No role has a password any more. */
enum err_code rh_roles_forget_secrets(struct sandbox *sandbox, struct err *err) RH_MUST_CHECK;
/* Migration role, ownership, the loader's end. */
enum err_code rh_roles_hand_over(struct sandbox *sandbox, struct err *err) RH_MUST_CHECK;
struct connection_parameters rh_roles_loader(const struct sandbox *sandbox);

/* --- client.c --------------------------------------------------------------------------------- */
/* Lines of a child's output, without the end of line; `line` is NUL-terminated, valid during the
   call. A line longer than CLIENT_LINE_MAX comes in pieces. */
typedef void client_line_fn(void *context, struct text line);
#define CLIENT_LINE_MAX ((size_t)64 * 1024)
struct client_run {
    const char *const *argv;
    const char *directory;                     /* NULL: ours */
    int stdin_fd;                              /* -1: /dev/null */
    client_line_fn *stdout_line, *stderr_line; /* NULL: dropped */
    /* Called when it can write to the child's stdin (a pipe); adds bytes to `out`, false at the
       end. NULL: stdin_fd counts. */
    bool (*feed)(void *context, struct buf *out, struct err *err);
    void *context;
    const bool *stop; /* set by a callback: the child is ended */
};
/* Runs to the end with our connection in its environment. */
enum err_code rh_client_run(struct sandbox *sandbox, const struct client_run *run,
                            struct process *ret_process, struct err *err) RH_MUST_CHECK;
/* pg_restore, gzip and the like; as rh_sandbox_client_program. */
const char *rh_client_find(const struct sandbox *sandbox, const char *name, struct err *err);

/* --- load_schema.c, load_snapshot.c ----------------------------------------------------------- */
/* The first error that psql wrote to stderr (VERBOSITY verbose), with its place. */
#define PSQL_DETAIL_LINES_MAX 8
struct psql_messages {
    struct sandbox *sandbox;
    bool is_open; /* following lines belong to the message */
    bool is_disk_full;
    const char *message, *file, *detail, *hint;
    long line;
    char sqlstate[6];
    int detail_lines;
};
void rh_psql_message_init(struct psql_messages *messages, struct sandbox *sandbox);
void rh_psql_message_line(struct psql_messages *messages, struct text line);
enum err_code rh_psql_message_error(const struct psql_messages *messages, const char *path,
                                    const struct process *process, struct err *err);

enum err_code rh_load_schema(struct sandbox *sandbox, const char *path,
                             struct err *err) RH_MUST_CHECK;
enum err_code rh_load_snapshot(struct sandbox *sandbox, const char *path,
                               struct err *err) RH_MUST_CHECK;
/* What a snapshot of ours says beside its archive, which is loaded already: settings, age, notes.
 */
enum err_code rh_load_rest_of_snapshot(struct sandbox *sandbox, const char *path,
                                       struct err *err) RH_MUST_CHECK;
/* is_script: a schema file that pg_dump made; people add psql commands and strip comments there. */
enum err_code rh_load_dump(struct sandbox *sandbox, const char *path, bool is_script,
                           struct err *err) RH_MUST_CHECK;

/* --- snapshot_file.c -------------------------------------------------------------------------- */
#define SNAPSHOT_KIND_LIST(X)                  \
    X(SNAPSHOT_UNKNOWN, "unknown")             \
    X(SNAPSHOT_CUSTOM, "custom archive")       \
    X(SNAPSHOT_DIRECTORY, "directory archive") \
    X(SNAPSHOT_TAR, "tar archive")             \
    X(SNAPSHOT_PLAIN, "plain text")
enum snapshot_kind {
#define X(symbol, name) symbol,
    SNAPSHOT_KIND_LIST(X)
#undef X
};
struct snapshot_file {
    enum snapshot_kind kind;
    const char *decompressor;         /* "gzip", "zstd"; NULL: not compressed */
    const char *foreign;              /* what it looks like when it is no dump: "a MySQL dump" */
    int archive_major, archive_minor; /* 1.14; 0 unknown */
    const char *server_version;       /* "15.18 (Debian ...)" as recorded, NULL */
    const char *dump_version;         /* of pg_dump, NULL */
    int server_major;                 /* 0 */
    const char *database;             /* NULL */
    int64_t age_s;                    /* -1 */
    bool is_pg_dump;                  /* plain text that begins as pg_dump's does */
    struct text head;                 /* its first bytes, decompressed; NUL behind them */
};
/* RH_ERR_USAGE: missing, unreadable; RH_ERR_FORMAT: empty, a directory without toc.dat. */
enum err_code rh_snapshot_file_examine(const char *path, struct arena *arena,
                                       struct snapshot_file *ret_file,
                                       struct err *err) RH_MUST_CHECK;

/* --- snapshot_own.c --------------------------------------------------------------------------- */
/* RH_ERR_FORMAT when manifest and archive were not made together, as far as the archive's header
   and its table of contents (pg_restore --list) tell. */
enum err_code rh_snapshot_own_check_head(const char *path, const struct manifest *manifest,
                                         const struct snapshot_file *archive,
                                         struct err *err) RH_MUST_CHECK;
enum err_code rh_snapshot_own_check_tables(const char *path, const struct manifest *manifest,
                                           struct text list, struct err *err) RH_MUST_CHECK;

#endif
