#include "sandbox/sandbox_int.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * Which way. A snapshot or a reflink costs nothing later, so they come first, where the file system
 * has them. An overlay is made in no time too (an empty cluster answers after 45 ms, a copy after
 * 80; one of 4 GB no later, a copy after seconds). But the server opens every file for writing,
 * even to read it (md.c, mdopenfork), and that copies the file: 0.7 s for a segment of 1 GB, and as
 * much for each that is dropped. What is to be timed is therefore copied beforehand, all of it:
 * nobody knows which tables a command is going to open. Only where the disk has no room for a copy
 * is it an overlay, and the report says so.
 */
#define WHY_NOT_TIMED "a statement that first opens a table would pay for its copy"

static const enum clone_method order_timed[CLONE_METHODS] = {CLONE_BY_SNAPSHOT, CLONE_BY_REFLINK,
                                                             CLONE_BY_COPY, CLONE_BY_OVERLAY};
static const enum clone_method order_untimed[CLONE_METHODS] = {CLONE_BY_SNAPSHOT, CLONE_BY_REFLINK,
                                                               CLONE_BY_OVERLAY, CLONE_BY_COPY};

static const char *method_name(enum clone_method method)
{
    static const char *const names[] = {
#define X(symbol, name) name,
        CLONE_METHOD_LIST(X)
#undef X
    };
    return names[method];
}

/* --- tablespaces ------------------------------------------------------------------------------ */

struct tablespace {
    const char *name; /* the link's: an object id */
    const char *location;
};
struct tablespaces {
    VEC(struct tablespace) items;
};

/* Those with a place of their own, which a script that ran as superuser may have made. */
static enum err_code find_tablespaces(const struct sandbox *base, struct arena *arena,
                                      struct tablespaces *ret_tablespaces, struct err *err)
{
    const char *directory = rh_file_join(arena, base->data_directory, "pg_tblspc");
    struct file_names links;
    enum err_code code = rh_file_list(directory, arena, &links, err);

    for (size_t i = 0; i < links.count && !code; i++) {
        char target[PATH_MAX];
        ssize_t len = readlink(rh_file_join(arena, directory, links.names[i]), target,
                               sizeof(target) - 1);
        if (len > 0)
            *RH_PUSH(arena, &ret_tablespaces->items) = (struct tablespace){
                links.names[i], rh_arena_strndup(arena, target, (size_t)len)};
    }
    return code;
}

/* Else two servers would write to one place. */
static enum err_code copy_tablespaces(struct sandbox *clone, struct err *err)
{
    struct arena *arena = clone->arena;
    struct tablespaces tablespaces = {0};
    enum err_code code = find_tablespaces(clone->base, arena, &tablespaces, err);

    if (code || tablespaces.items.count == 0)
        return code;
    const char *own = rh_file_join(arena, clone->directory, "tablespaces");
    const char *links = rh_file_join(
        arena, clone->overlay ? clone->overlay->upper : clone->data_directory, "pg_tblspc");
    if ((code = rh_file_make_directories(own, 0711, err)) ||
        (code = rh_file_make_directories(links, 0700, err)))
        return code;
    for (size_t i = 0; i < tablespaces.items.count; i++) {
        const struct tablespace *tablespace = &tablespaces.items.items[i];
        const char *copy = rh_file_join(arena, own, tablespace->name);
        const char *link = rh_file_join(arena, links, tablespace->name);
        if ((code = rh_file_copy_tree(tablespace->location, copy, err)))
            return code;
        if ((unlink(link) != 0 && errno != ENOENT) || symlink(copy, link) != 0)
            return rh_err_set_errno(err, errno, "cannot link \"%s\"", link);
    }
    return clone->drops_privileges ? rh_file_chown_tree(links, clone->uid, clone->gid, err) : RH_OK;
}

static enum err_code measure(struct sandbox *base, struct err *err)
{
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct tablespaces tablespaces = {0};
    enum err_code code;

    if (base->clone_bytes > 0)
        return RH_OK;
    if ((code = find_tablespaces(base, arena, &tablespaces, err)))
        return code;
    base->clone_bytes = rh_file_tree_bytes(base->data_directory);
    for (size_t i = 0; i < tablespaces.items.count; i++)
        base->clone_bytes += rh_file_tree_bytes(tablespaces.items.items[i].location);
    return RH_OK;
}

/* --- write-ahead log -------------------------------------------------------------------------- */

/* The log that loading left, recycled for the future: 1 GB and more that no clone needs. A stock
   server keeps 80 MB at hand (min_wal_size), so do we: to make a segment costs a statement more
   than to write over one. */
#define SEGMENTS_KEPT 5
#define SEGMENT_NAME_LENGTH 24 /* hexadecimal; sorts as its position does (xlog_internal.h) */

static int compare_bytes(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

enum err_code rh_clone_trim_log(struct sandbox *base, const char *current, struct err *err)
{
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    const char *directory = rh_file_join(arena, base->data_directory, "pg_wal");
    struct file_names names;
    enum err_code code;
    size_t kept = 0;

    RH_ASSERT(base->mode == CLUSTER_STOPPED && strlen(current) == SEGMENT_NAME_LENGTH);
    if ((code = rh_file_list(directory, arena, &names, err)))
        return code;
    /* Not as rh_file_list sorts, which takes digits for decimal numbers. */
    qsort(names.names, names.count, sizeof(names.names[0]), compare_bytes);
    for (size_t i = 0; i < names.count; i++) {
        const char *name = names.names[i];
        if (strlen(name) != SEGMENT_NAME_LENGTH ||
            strspn(name, "0123456789ABCDEF") != SEGMENT_NAME_LENGTH)
            continue;
        /* After an orderly stop nothing before its checkpoint is read again. */
        if (strcmp(name, current) >= 0 && kept++ < SEGMENTS_KEPT)
            continue;
        if (unlink(rh_file_join(arena, directory, name)) != 0)
            return rh_err_set_errno(err, errno, "cannot remove \"%s/%s\"", directory, name);
    }
    return RH_OK;
}

/* --- one way ---------------------------------------------------------------------------------- */

static enum err_code make_files(struct sandbox *clone, enum clone_method method, bool is_timed,
                                struct err *err)
{
    const struct sandbox *base = clone->base;
    enum err_code code = RH_OK;

    switch (method) {
    case CLONE_BY_SNAPSHOT:
        if (!rh_subvolume_is(base->data_directory)) {
            rh_err_set(err, RH_ERR_ENVIRONMENT, "it lies on no btrfs subvolume");
            err->errno_value = EOPNOTSUPP;
            return err->code;
        }
        code = rh_subvolume_snapshot(base->data_directory, clone->data_directory, err);
        break;
    case CLONE_BY_REFLINK:
        code = rh_file_reflink_tree(base->data_directory, clone->data_directory, err);
        break;
    case CLONE_BY_OVERLAY:
        code = rh_overlay_lay_out(clone, !is_timed, err);
        break;
    case CLONE_BY_COPY:
        code = rh_file_copy_tree(base->data_directory, clone->data_directory, err);
        break;
    case CLONE_METHODS:
        RH_PANIC("no such way to clone");
    }
    return code ? code : copy_tablespaces(clone, err);
}

static enum err_code make(struct sandbox *clone, enum clone_method method, bool is_timed,
                          struct err *err)
{
    enum err_code code;

    if ((code = rh_clone_check_disk(clone->base, method, err)))
        return code;
    if ((code = make_files(clone, method, is_timed, err)))
        return code == RH_ERR_IO && err->errno_value == ENOSPC ? rh_cluster_disk_full(clone, err)
                                                               : code;
    if (clone->base->has_open_roles && (code = rh_clone_open_door(clone, err)))
        return code;
    if ((code = rh_cluster_ensure(clone, CLUSTER_RUNNING, err)))
        return code;
    return clone->base->has_open_roles ? rh_clone_shut_door(clone, err) : RH_OK;
}

/* What another way may not suffer from: a system call that this file system, kernel or user is
   refused. A server that does not start has no such number. */
static bool may_go_otherwise(const struct err *err)
{
    return (err->code == RH_ERR_IO || err->code == RH_ERR_ENVIRONMENT) && err->errno_value != 0;
}

/* Whatever an attempt left. */
static enum err_code clear(struct sandbox *clone, struct err *err)
{
    struct arena *arena = clone->arena;
    const char *const left[] = {
        clone->overlay ? rh_place_inside(arena, clone->directory, "lower") : NULL,
        clone->overlay ? clone->overlay->upper : NULL,
        clone->overlay ? clone->overlay->work : NULL,
        rh_file_join(arena, clone->directory, "tablespaces"),
    };

    rh_fd_closep(&clone->data_fd);
    clone->overlay = NULL;
    clone->data_view = NULL;
    for (size_t i = 0; i < sizeof(left) / sizeof(left[0]); i++) {
        enum err_code code = left[i] ? rh_file_remove_tree(left[i], err) : RH_OK;
        if (code)
            return code;
    }
    return rh_subvolume_remove_with(clone->data_directory, clone->data_directory, err);
}

/* "4.2 GB; not by btrfs snapshot (it lies on no btrfs subvolume), ..." */
static void tell(struct sandbox *clone, enum clone_method method, const char *passed_over)
{
    char size[24];

    rh_bytes_format(clone->base->clone_bytes, size);
    clone->facts.clone_method = method_name(method);
    /* Shared blocks are cached per file: what lies in memory for the base does not for its clone.
     */
    bool is_cold = method == CLONE_BY_SNAPSHOT || method == CLONE_BY_REFLINK;
    clone->facts.clone_note = rh_arena_printf(
        clone->arena, "%s%s%s%s", size, is_cold ? ", each page read from the disk at first" : "",
        passed_over[0] ? "; not by " : "", passed_over);
}

static const char *add_passed_over(struct arena *arena, const char *list, enum clone_method method,
                                   const char *why_not)
{
    return rh_arena_printf(arena, "%s%s%s (%s)", list, list[0] ? ", " : "", method_name(method),
                           why_not);
}

/* --- all of them ------------------------------------------------------------------------------ */

static enum err_code make_somehow(struct sandbox *clone, bool is_timed, struct err *err)
{
    struct sandbox *base = clone->base;
    const enum clone_method *order = is_timed ? order_timed : order_untimed;
    const char *passed_over = "";
    enum err_code code = RH_OK;

    for (size_t i = 0; i < CLONE_METHODS; i++) {
        enum clone_method method = order[i];
        const char *why_not = base->clone_refused[method];
        /* A kept server outlives our lock on the cache. */
        if (method == CLONE_BY_OVERLAY && base->cache_fd >= 0 && base->is_kept_alive)
            why_not = "what lies below it may be removed from the cache";
        struct err failure = RH_ERR_INIT, ignored = RH_ERR_INIT;
        if (!why_not) {
            enum err_code failed = make(clone, method, is_timed, &failure);
            if (!failed && method == CLONE_BY_COPY && is_timed)
                passed_over = add_passed_over(clone->arena, passed_over, CLONE_BY_OVERLAY,
                                              WHY_NOT_TIMED);
            if (!failed) {
                tell(clone, method, passed_over);
                return RH_OK;
            }
            /* A copy asks least of the machine: what it failed for is the reason. */
            if (!code || method == CLONE_BY_COPY) {
                *err = failure;
                code = failed;
            }
            if (!may_go_otherwise(&failure) || clear(clone, &ignored)) {
                *err = failure;
                return failed;
            }
            why_not = rh_arena_strdup(base->arena,
                                      method == CLONE_BY_REFLINK || method == CLONE_BY_OVERLAY
                                          ? strerror(failure.errno_value)
                                          : failure.message);
            if (method != CLONE_BY_COPY)
                base->clone_refused[method] = why_not;
        }
        passed_over = add_passed_over(clone->arena, passed_over, method, why_not);
    }
    return code;
}

/* What the two have in common: all but where it lives, its processes and what grows. */
static struct sandbox *new_like(struct sandbox *base)
{
    struct arena *arena = rh_arena_new();
    struct sandbox *clone = RH_NEW(arena, struct sandbox);

    *clone = *base;
    clone->arena = arena;
    clone->base = base;
    base->living_clones++; /* until rh_sandbox_destroy */
    clone->facts.notes = (typeof(clone->facts.notes)){0};
    for (size_t i = 0; i < base->facts.notes.count; i++)
        *RH_PUSH(arena, &clone->facts.notes) = base->facts.notes.items[i];
    clone->snapshot_roles = (typeof(clone->snapshot_roles)){0};
    clone->raised_roles = (typeof(clone->raised_roles)){0};
    clone->noted_roles = 0;
    clone->directory = clone->data_directory = clone->socket_directory = NULL;
    clone->socket_path = clone->log_path = NULL;
    clone->has_own_socket_directory = false;
    clone->marker_fd = -1;
    clone->cache_fd = -1;
    clone->has_open_roles = clone->is_only_ours = false;
    clone->template_path = NULL;
    clone->mode = CLUSTER_STOPPED;
    clone->process = (struct process)PROCESS_INIT;
    clone->log_offset = 0;
    clone->connection = NULL;
    return clone;
}

static enum err_code make_clone(struct sandbox *clone, bool is_timed, struct err *err)
{
    struct sandbox *base = clone->base;
    enum err_code code;

    const struct sandbox_options options = {
        .engine = base->engine,
        .parent_directory = base->parent_directory,
        .server_user = base->drops_privileges ? base->user_name : NULL,
        .progress = base->progress,
    };
    if ((code = measure(base, err)) || (code = rh_place_choose(clone, &options, err)) ||
        (code = make_somehow(clone, is_timed, err)))
        return code;
    if (is_timed && clone->overlay)
        rh_sandbox_note(clone,
                        "The sandbox is an overlay (%s): the first statement that opens a table "
                        "pays for copying its files, in its duration.",
                        clone->facts.clone_note);
    rh_roles_disconnect(clone);
    return RH_OK;
}

static enum err_code clone_sandbox(struct sandbox *prepared, bool is_timed,
                                   struct sandbox **ret_clone, struct err *err)
{
    enum err_code code;

    RH_ASSERT(prepared->is_ready && !prepared->is_kept && !prepared->crash_reason);
    RH_ASSERT(!prepared->base);
    rh_progress_phase(prepared->progress, "clone the sandbox");
    if (prepared->mode != CLUSTER_STOPPED && (code = rh_cluster_stop(prepared, err)))
        return code;
    if ((code = rh_clone_check_memory(prepared, err)))
        return code;
    struct sandbox *clone = new_like(prepared);
    if ((code = make_clone(clone, is_timed, err))) {
        rh_err_while(err, "while cloning the sandbox");
        rh_sandbox_destroy(clone);
        return code;
    }
    *ret_clone = clone;
    return RH_OK;
}

enum err_code rh_sandbox_clone(struct sandbox *prepared, struct sandbox **ret_clone,
                               struct err *err)
{
    return clone_sandbox(prepared, true, ret_clone, err);
}

enum err_code rh_sandbox_clone_untimed(struct sandbox *prepared, struct sandbox **ret_clone,
                                       struct err *err)
{
    return clone_sandbox(prepared, false, ret_clone, err);
}
