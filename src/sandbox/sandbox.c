#include "sandbox/sandbox_int.h"

#include "base/interrupt.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/random.h>
#include <unistd.h>

/* --- small helpers of the whole folder -------------------------------------------------------- */

void rh_sandbox_note(struct sandbox *sandbox, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    const char *note = rh_arena_vprintf(sandbox->arena, fmt, args);
    va_end(args);
    *RH_PUSH(sandbox->arena, &sandbox->facts.notes) = note;
    rh_progress_note(sandbox->progress, "note: %s", note);
}

void rh_sandbox_remove_quietly(const char *path)
{
    struct err ignored = RH_ERR_INIT;

    if (rh_file_remove_tree(path, &ignored))
        return; /* whoever comes by next tries again */
}

char *rh_sandbox_random_name(struct arena *arena, const char *prefix, size_t random_length)
{
    static const char letters[32] = "abcdefghijklmnopqrstuvwxyz234567";
    unsigned char bytes[64];
    char text[sizeof(bytes) + 1];

    RH_ASSERT(random_length <= sizeof(bytes));
    if (getrandom(bytes, random_length, 0) != (ssize_t)random_length)
        RH_PANIC("no random bytes: %s", strerror(errno));
    for (size_t i = 0; i < random_length; i++)
        text[i] = letters[bytes[i] % sizeof(letters)];
    text[random_length] = 0;
    return rh_arena_printf(arena, "%s%s", prefix, text);
}

/* --- start ------------------------------------------------------------------------------------ */

static enum err_code choose_server(struct sandbox *sandbox, const struct sandbox_options *options,
                                   struct err *err)
{
    struct server_list servers;
    const struct server_programs *chosen = NULL;
    enum err_code code = options->engine->find_servers(options->server_bin, sandbox->arena,
                                                       &servers, err);

    if (code)
        return code;
    const struct server_programs *newest = &servers.items[servers.count - 1];
    /* Sorted, newest last: the newest of the wanted major, else of the next one. */
    for (size_t i = servers.count; options->preferred_major && i-- > 0;)
        if (servers.items[i].major >= options->preferred_major &&
            (!chosen || servers.items[i].major < chosen->major))
            chosen = &servers.items[i];
    if (!options->preferred_major)
        chosen = newest;
    if (!chosen) {
        rh_err_set(err, RH_ERR_ENVIRONMENT,
                   "the snapshot is of PostgreSQL %d, but the newest server here is %s",
                   options->preferred_major, newest->version);
        rh_err_hint(err,
                    "Install PostgreSQL %d (Debian, Ubuntu: apt-get install postgresql-%d) or "
                    "name its directory with --server-bin.",
                    options->preferred_major, options->preferred_major);
        return err->code;
    }
    sandbox->server = *chosen;
    if (options->preferred_major && chosen->major != options->preferred_major)
        rh_sandbox_note(sandbox, "PostgreSQL %d of the snapshot is not installed: rehearsing on %s",
                        options->preferred_major, chosen->version);
    return RH_OK;
}

/* The library lies where this installation keeps its modules (pg_config --pkglibdir), by layout. */
static bool has_auto_explain(const struct sandbox *sandbox)
{
    static const char *const places[] = {
        "../lib/auto_explain.so",
        "../lib/postgresql/auto_explain.so",
        "../lib64/auto_explain.so",
        "../lib64/postgresql/auto_explain.so",
        "../lib/pgsql/auto_explain.so",
        "../lib64/pgsql/auto_explain.so",
        "../lib/postgresql/auto_explain.dylib",
    };

    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
        if (rh_file_exists(rh_file_join(sandbox->arena, sandbox->server.bin_directory, places[i])))
            return true;
    return false;
}

static enum err_code set_up(struct sandbox *sandbox, const struct sandbox_options *options,
                            struct err *err)
{
    enum err_code code;

    if ((code = choose_server(sandbox, options, err)) ||
        (code = rh_place_choose(sandbox, options, err)))
        return code;
    rh_progress_phase(sandbox->progress, "start PostgreSQL %s", sandbox->server.version);
    sandbox->has_auto_explain = has_auto_explain(sandbox);
    sandbox->facts.server_version = sandbox->server.version;
    sandbox->facts.server_major = sandbox->server.major;
    if ((code = rh_template_provide(sandbox, err)))
        return code;
    return rh_settings_check(sandbox, err);
}

static struct sandbox *new_sandbox(const struct sandbox_options *options)
{
    struct arena *arena = rh_arena_new();
    struct sandbox *sandbox = RH_NEW(arena, struct sandbox);

    sandbox->arena = arena;
    sandbox->engine = options->engine;
    sandbox->progress = options->progress;
    sandbox->is_kept_alive = options->keep;
    sandbox->marker_fd = -1;
    sandbox->data_fd = -1;
    sandbox->cache_fd = -1;
    sandbox->process = (struct process)PROCESS_INIT;
    sandbox->wanted_role = options->role ? rh_arena_strdup(arena, options->role) : NULL;
    sandbox->facts.source = "empty database";
    sandbox->facts.snapshot_age_s = -1;
    sandbox->facts.prepared_s = -1;
    struct server_setting *settings = rh_arena_alloc_array(arena, options->setting_count + 1,
                                                           sizeof(*settings));
    for (size_t i = 0; i < options->setting_count; i++)
        settings[i] = (struct server_setting){rh_arena_strdup(arena, options->settings[i].name),
                                              rh_arena_strdup(arena, options->settings[i].value)};
    sandbox->settings = settings;
    sandbox->setting_count = options->setting_count;
    return sandbox;
}

enum err_code rh_sandbox_draft(const struct sandbox_options *options, struct sandbox **ret_draft,
                               struct err *err)
{
    RH_CLEANUP_SANDBOX struct sandbox *draft = new_sandbox(options);
    enum err_code code;

    draft->progress = NULL; /* what is to be told of the server is told by who starts it */
    if ((code = choose_server(draft, options, err)) || (code = rh_place_find(draft, options, err)))
        return code;
    draft->has_auto_explain = has_auto_explain(draft);
    draft->facts.server_version = draft->server.version;
    draft->facts.server_major = draft->server.major;
    draft->locale = rh_template_locale();
    *ret_draft = draft;
    draft = NULL;
    return RH_OK;
}

enum err_code rh_sandbox_start(const struct sandbox_options *options, struct sandbox **ret_sandbox,
                               struct err *err)
{
    RH_CLEANUP_SANDBOX struct sandbox *sandbox = new_sandbox(options);
    enum err_code code;

    if ((code = set_up(sandbox, options, err)))
        return code;
    *ret_sandbox = sandbox;
    sandbox = NULL;
    return RH_OK;
}

/* --- load ------------------------------------------------------------------------------------- */

static void add_source(struct sandbox *sandbox, const char *source)
{
    sandbox->facts.source = sandbox->has_loaded ? rh_arena_printf(sandbox->arena, "%s, %s",
                                                                  sandbox->facts.source, source)
                                                : rh_arena_strdup(sandbox->arena, source);
    sandbox->has_loaded = true;
}

enum err_code rh_sandbox_load_schema(struct sandbox *sandbox, const char *path, struct err *err)
{
    enum err_code code = rh_load_schema(sandbox, path, err);

    if (code)
        rh_err_while(err, "while loading schema \"%s\"", path);
    else
        add_source(sandbox, rh_arena_printf(sandbox->arena, "schema %s", path));
    return code;
}

enum err_code rh_sandbox_load_snapshot(struct sandbox *sandbox, const char *path, struct err *err)
{
    enum err_code code = rh_load_snapshot(sandbox, path, err);

    if (code)
        rh_err_while(err, "while restoring snapshot \"%s\"", path);
    else
        add_source(sandbox, rh_arena_printf(sandbox->arena, "snapshot %s", path));
    return code;
}

enum err_code rh_sandbox_load_sql(struct sandbox *sandbox, const char *source_name,
                                  const char *const *statements, size_t count, struct err *err)
{
    struct connection *connection;
    enum err_code code;

    RH_ASSERT(!sandbox->is_ready);
    rh_progress_phase(sandbox->progress, "load %s", source_name);
    if ((code = rh_cluster_ensure(sandbox, CLUSTER_LOADING, err)) ||
        (code = rh_roles_connect(sandbox, err)))
        return code;
    struct connection_parameters loader = rh_roles_loader(sandbox);
    if ((code = sandbox->engine->connect(&loader, RH_NEVER, &connection, err)))
        return code;
    for (size_t i = 0; i < count && !code; i++) {
        rh_progress_at(sandbox->progress, "statement %zu of %zu", i + 1, count);
        if ((code = sandbox->engine->query(connection, statements[i], NULL, 0, RH_NEVER, NULL,
                                           err))) {
            struct err full = RH_ERR_INIT;
            if (rh_cluster_check_disk(sandbox, &full))
                *err = full;
            rh_err_while(err, "while loading %s, statement %zu", source_name, i + 1);
            code = err->code;
        }
    }
    sandbox->engine->close(connection);
    if (!code)
        add_source(sandbox, source_name);
    return code;
}

/* --- ready ------------------------------------------------------------------------------------ */

/* Whether a table below it lies on another server, which ANALYZE would ask: none is reached here.
 */
#define HAS_FOREIGN_BELOW                                                                       \
    "EXISTS (WITH RECURSIVE below AS (SELECT inhrelid FROM pg_inherits WHERE inhparent = c.oid" \
    " UNION SELECT i.inhrelid FROM pg_inherits i JOIN below b ON i.inhparent = b.inhrelid)"     \
    " SELECT FROM below b JOIN pg_class f ON f.oid = b.inhrelid WHERE f.relkind = 'f')"

/* Tables of users that hold anything, the largest first. */
static const char tables_with_rows[] =
    "SELECT format('%I.%I', n.nspname, c.relname), " HAS_FOREIGN_BELOW " FROM pg_class c"
    " JOIN pg_namespace n ON n.oid = c.relnamespace"
    " WHERE c.relkind IN ('r','m') AND n.nspname NOT LIKE 'pg\\_%'"
    " AND n.nspname <> 'information_schema' AND pg_relation_size(c.oid) > 0"
    " ORDER BY pg_relation_size(c.oid) DESC";
static const char partitioned_tables[] =
    "SELECT format('%I.%I', n.nspname, c.relname), " HAS_FOREIGN_BELOW " FROM pg_class c"
    " JOIN pg_namespace n ON n.oid = c.relnamespace"
    " WHERE c.relkind = 'p' AND NOT c.relispartition AND EXISTS (SELECT FROM "
    "pg_partition_tree(c.oid) t"
    " WHERE t.isleaf AND pg_relation_size(t.relid) > 0)";
static const char totals[] =
    "SELECT count(*), coalesce(sum(CASE WHEN c.relkind = 'r' AND c.reltuples > 0 THEN c.reltuples "
    "END), 0)::bigint, coalesce(sum(pg_total_relation_size(c.oid)), 0)::bigint FROM pg_class c"
    " JOIN pg_namespace n ON n.oid = c.relnamespace"
    " WHERE c.relkind IN ('r','p','m') AND n.nspname NOT LIKE 'pg\\_%'"
    " AND n.nspname <> 'information_schema'";

/* Tables that lie on another server in part get `foreign_command`; NULL: nothing. */
static enum err_code maintain(struct sandbox *sandbox, const char *list, const char *command,
                              const char *foreign_command, struct err *err)
{
    RH_CLEANUP_ROWS struct rows *rows = NULL;
    enum err_code code;

    if ((code = rh_roles_query(sandbox, list, NULL, 0, &rows, err)))
        return code;
    for (size_t i = 0; i < rh_rows_count(rows); i++) {
        const char *table = rh_rows_value(rows, i, 0);
        if (i == 0)
            rh_progress_phase(sandbox->progress, "analyze");
        rh_progress_at(sandbox->progress, "%zu of %zu tables", i + 1, rh_rows_count(rows));
        const char *chosen = rh_rows_bool(rows, i, 1) ? foreign_command : command;
        if (chosen != command)
            rh_sandbox_note(sandbox,
                            "%s has no statistics as a whole: a part of it lies on another server",
                            table);
        if (chosen &&
            (code = rh_roles_query(sandbox, rh_arena_printf(sandbox->arena, "%s %s", chosen, table),
                                   NULL, 0, NULL, err))) {
            rh_err_while(err, "while analyzing %s", table);
            return code;
        }
    }
    return RH_OK;
}

/* shared_buffers as it will be when running: --set, else what initdb wrote (the last line that is
   not ours; without a unit it counts pages of 8 kB). The default where it is written otherwise. */
static const char running_memory[] =
    "SELECT CASE WHEN s ~ '^[0-9]{1,10}$' THEN s::bigint * 8192"
    " WHEN s ~* '^[0-9.]+ *[kmgt]b$' THEN pg_size_bytes(s) ELSE 134217728 END FROM ("
    "SELECT coalesce($1, (SELECT setting FROM pg_file_settings WHERE name = 'shared_buffers'"
    " AND sourcefile NOT LIKE '%/rehearse.conf' ORDER BY seqno DESC LIMIT 1), '128MB') AS s) t";

static enum err_code read_memory(struct sandbox *sandbox, struct err *err)
{
    RH_CLEANUP_ROWS struct rows *rows = NULL;
    const char *shared_buffers = NULL;
    enum err_code code;

    for (size_t i = 0; i < sandbox->setting_count; i++)
        if (strcasecmp(sandbox->settings[i].name, "shared_buffers") == 0)
            shared_buffers = sandbox->settings[i].value;
    for (size_t i = 0; !shared_buffers && i < sandbox->production.count; i++)
        if (strcasecmp(sandbox->production.items[i].name, "shared_buffers") == 0)
            shared_buffers = sandbox->production.items[i].value;
    if ((code = rh_roles_query(sandbox, running_memory, &shared_buffers, 1, &rows, err)))
        return code;
    sandbox->clone_memory_bytes = rh_rows_int(rows, 0, 0, 0);
    return RH_OK;
}

static enum err_code read_facts(struct sandbox *sandbox, struct err *err)
{
    RH_CLEANUP_ROWS struct rows *rows = NULL;
    enum err_code code;

    if ((code = read_memory(sandbox, err)) ||
        (code = rh_roles_query(sandbox, totals, NULL, 0, &rows, err)))
        return code;
    sandbox->facts.relations = rh_rows_int(rows, 0, 0, 0);
    sandbox->facts.rows = rh_rows_int(rows, 0, 1, 0);
    sandbox->facts.bytes = rh_rows_int(rows, 0, 2, 0);
    return RH_OK;
}

/*
 * VACUUM with the ANALYZE: freshly loaded pages have neither hint bits nor a visibility map, so
 * that the first statement to read them would write them all, which no table in production does.
 */
static enum err_code complete(struct sandbox *sandbox, struct err *err)
{
    enum err_code code;

    RH_ASSERT(!sandbox->is_ready);
    if ((code = rh_cluster_ensure(sandbox, CLUSTER_PREPARING, err)) ||
        (code = rh_roles_connect(sandbox, err)))
        return code;
    /* The checkpoint first: what was committed asynchronously is not marked visible before its
       commit is on disk. */
    if (sandbox->has_loaded &&
        ((code = rh_roles_query(sandbox, "CHECKPOINT", NULL, 0, NULL, err)) ||
         (code = maintain(sandbox, tables_with_rows, "VACUUM (ANALYZE)", "VACUUM", err)) ||
         (code = maintain(sandbox, partitioned_tables, "ANALYZE", NULL, err))))
        return code;
    if ((code = rh_roles_hand_over(sandbox, err)))
        return code;
    return read_facts(sandbox, err);
}

enum err_code rh_sandbox_ready(struct sandbox *sandbox, struct err *err)
{
    enum err_code code;

    if ((code = complete(sandbox, err)))
        return code;
    if (sandbox->mode == CLUSTER_LOADING)
        rh_progress_phase(sandbox->progress, "restart with the settings for running");
    if ((code = rh_cluster_switch(sandbox, CLUSTER_RUNNING, err)))
        return code;
    rh_roles_disconnect(sandbox);
    sandbox->is_ready = true;
    return RH_OK;
}

/* Still with durability off: the last checkpoint does not wait for the disk either. */
static enum err_code prepare(struct sandbox *sandbox, bool opens_roles, struct err *err)
{
    RH_CLEANUP_ROWS struct rows *segment = NULL;
    enum err_code code;

    if ((code = complete(sandbox, err)) ||
        (opens_roles && (code = rh_roles_forget_secrets(sandbox, err))) ||
        (code = rh_roles_query(sandbox, "SELECT pg_walfile_name(pg_current_wal_insert_lsn())", NULL,
                               0, &segment, err)) ||
        (code = rh_cluster_stop(sandbox, err)) ||
        (code = rh_clone_trim_log(sandbox, rh_rows_value(segment, 0, 0), err)))
        return code;
    sandbox->has_open_roles = opens_roles;
    sandbox->is_ready = true;
    return RH_OK;
}

enum err_code rh_sandbox_prepare(struct sandbox *sandbox, struct err *err)
{
    return prepare(sandbox, false, err);
}

enum err_code rh_sandbox_prepare_open(struct sandbox *sandbox, struct err *err)
{
    return prepare(sandbox, true, err);
}

/* --- queries ---------------------------------------------------------------------------------- */

const struct sandbox_facts *rh_sandbox_facts(const struct sandbox *sandbox)
{
    return &sandbox->facts;
}

const char *rh_sandbox_server_user(const struct sandbox *sandbox)
{
    return sandbox->drops_privileges ? sandbox->user_name : NULL;
}

struct connection_parameters rh_sandbox_superuser(const struct sandbox *sandbox)
{
    return (struct connection_parameters){
        .socket_directory = sandbox->socket_directory,
        .port = 5432,
        .user = sandbox->superuser,
        .password = sandbox->superuser_password,
        .database = sandbox->database,
    };
}

struct connection_parameters rh_sandbox_migration_role(const struct sandbox *sandbox)
{
    return (struct connection_parameters){
        .socket_directory = sandbox->socket_directory,
        .port = 5432,
        .user = sandbox->role,
        .password = sandbox->role_password,
        .database = sandbox->database,
    };
}

const char *rh_sandbox_socket_path(const struct sandbox *sandbox)
{
    return sandbox->socket_path;
}

const char *rh_sandbox_directory(const struct sandbox *sandbox)
{
    return sandbox->directory;
}

const char *rh_sandbox_data_directory(const struct sandbox *sandbox)
{
    return sandbox->data_view ? sandbox->data_view : sandbox->data_directory;
}

const char *rh_sandbox_log_path(const struct sandbox *sandbox)
{
    return sandbox->log_path;
}

int rh_sandbox_server_pidfd(const struct sandbox *sandbox)
{
    return sandbox->process.pidfd;
}

const char *rh_sandbox_client_program(const struct sandbox *sandbox, const char *name,
                                      struct err *err)
{
    return rh_client_find(sandbox, name, err);
}

/* --- the end ---------------------------------------------------------------------------------- */

/* What a URL may hold as it is (RFC 3986, section 2.3, and '/' in a query). */
static char *url_encode(struct arena *arena, const char *text)
{
    static const char plain[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~/";
    static const char digits[] = "0123456789ABCDEF";
    char *encoded = rh_arena_alloc(arena, strlen(text) * 3 + 1), *at = encoded;

    for (; *text; text++) {
        if (strchr(plain, *text)) {
            *at++ = *text;
            continue;
        }
        *at++ = '%';
        *at++ = digits[(unsigned char)*text >> 4];
        *at++ = digits[(unsigned char)*text & 15];
    }
    return encoded;
}

static enum err_code mark_kept(struct sandbox *sandbox, struct err *err)
{
    enum err_code code;

    sandbox->is_kept = true;
    if ((code = rh_marker_update(sandbox, err)))
        sandbox->is_kept = false;
    return code;
}

/* "rm -rf -- DIRECTORY..."; the kernel makes an overlay's innermost directory with mode 000, which
   only root removes as it is. */
static const char *remove_command(struct sandbox *sandbox, const struct sandbox *base)
{
    const struct sandbox *const kept[] = {sandbox, base};
    const char *const open_up[] = {
        "chmod", "-R", "u+rwX", "--", base ? sandbox->overlay->work : NULL, NULL};
    VEC(const char *) words = {0};

    *RH_PUSH(sandbox->arena, &words) = "rm";
    *RH_PUSH(sandbox->arena, &words) = "-rf";
    *RH_PUSH(sandbox->arena, &words) = "--";
    for (size_t i = 0; i < 2 && kept[i]; i++) {
        *RH_PUSH(sandbox->arena, &words) = kept[i]->directory;
        if (kept[i]->has_own_socket_directory)
            *RH_PUSH(sandbox->arena, &words) = kept[i]->socket_directory;
    }
    *RH_PUSH(sandbox->arena, &words) = NULL;
    const char *remove = rh_process_command_text(sandbox->arena, words.items);
    return base ? rh_arena_printf(sandbox->arena, "%s; %s",
                                  rh_process_command_text(sandbox->arena, open_up), remove)
                : remove;
}

enum err_code rh_sandbox_keep(struct sandbox *sandbox, const char **ret_url,
                              const char **ret_stop_command, struct err *err)
{
    struct arena *arena = sandbox->arena;
    enum err_code code;

    RH_ASSERT(sandbox->is_ready);
    if (!sandbox->is_kept_alive)
        return rh_err_set(err, RH_ERR_USAGE, "the sandbox was not started to be kept");
    if (rh_process_poll(&sandbox->process))
        return rh_err_set(err, RH_ERR_CONNECTION, "the sandbox server has ended: nothing to keep");
    /* An overlay is nothing without what lies below it. */
    struct sandbox *base = sandbox->overlay ? sandbox->base : NULL;
    if ((base && (code = mark_kept(base, err))) || (code = mark_kept(sandbox, err))) {
        if (base)
            base->is_kept = false; /* its own destroy removes it then, whatever the marker says */
        return code;
    }
    *ret_url = rh_arena_printf(arena, "postgres://%s:%s@/%s?host=%s",
                               url_encode(arena, sandbox->role), sandbox->role_password,
                               url_encode(arena, sandbox->database),
                               url_encode(arena, sandbox->socket_directory));
    const char *pid_file = rh_file_join(
        arena, base ? sandbox->overlay->upper : sandbox->data_directory, "postmaster.pid");
    const char *const read_pid[] = {"head", "-n1", pid_file, NULL};
    const char *const is_there[] = {"test", "-e", pid_file, NULL};
    /* The server removes its pid file as the last thing it does. */
    *ret_stop_command = rh_arena_printf(
        arena, "kill -QUIT \"$(%s)\" && while %s; do sleep 0.1; done; %s",
        rh_process_command_text(arena, read_pid), rh_process_command_text(arena, is_there),
        remove_command(sandbox, base));
    return RH_OK;
}

static void remove_files(struct sandbox *sandbox)
{
    struct err err = RH_ERR_INIT;

    if (sandbox->has_own_socket_directory && rh_file_remove_tree(sandbox->socket_directory, &err))
        rh_progress_note(sandbox->progress, "the sandbox was not removed: %s", err.message);
    if (sandbox->directory &&
        rh_subvolume_remove_with(sandbox->directory, sandbox->data_directory, &err))
        rh_progress_note(sandbox->progress, "the sandbox was not removed: %s", err.message);
}

void rh_sandbox_destroy(struct sandbox *sandbox)
{
    if (!sandbox)
        return;
    rh_roles_disconnect(sandbox);
    if (sandbox->base)
        sandbox->base->living_clones--;
    rh_fd_closep(&sandbox->data_fd);
    if (sandbox->cache_fd >= 0) {
        rh_cache_release(sandbox);
    } else if (!sandbox->is_kept) {
        rh_cluster_stop_now(sandbox);
        remove_files(sandbox);
    } else {
        rh_fd_closep(&sandbox->process.pidfd);
    }
    rh_fd_closep(&sandbox->marker_fd);
    rh_arena_free(sandbox->arena);
}

void rh_sandbox_destroyp(struct sandbox **sandbox)
{
    rh_sandbox_destroy(*sandbox);
    *sandbox = NULL;
}
