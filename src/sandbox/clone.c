#include "sandbox/sandbox_int.h"

#include <errno.h>

static enum err_code copy_data(const struct sandbox *prepared, struct sandbox *clone,
                               struct err *err)
{
    enum err_code code;

    if ((code = rh_file_copy_tree(prepared->data_directory, clone->data_directory, err)))
        return code == RH_ERR_IO && err->errno_value == ENOSPC ? rh_cluster_disk_full(clone, err)
                                                               : code;
    return clone->drops_privileges
               ? rh_file_chown_tree(clone->data_directory, clone->uid, clone->gid, err)
               : RH_OK;
}

/* What the two have in common: all but where it lives, its processes and what grows. */
static struct sandbox *new_like(const struct sandbox *prepared)
{
    struct arena *arena = rh_arena_new();
    struct sandbox *clone = RH_NEW(arena, struct sandbox);

    *clone = *prepared;
    clone->arena = arena;
    clone->facts.notes = (typeof(clone->facts.notes)){0};
    for (size_t i = 0; i < prepared->facts.notes.count; i++)
        *RH_PUSH(arena, &clone->facts.notes) = prepared->facts.notes.items[i];
    clone->snapshot_roles = (typeof(clone->snapshot_roles)){0};
    clone->noted_roles = 0;
    clone->directory = clone->data_directory = clone->socket_directory = NULL;
    clone->socket_path = clone->log_path = NULL;
    clone->has_own_socket_directory = false;
    clone->marker_fd = -1;
    clone->template_path = NULL;
    clone->mode = CLUSTER_STOPPED;
    clone->process = (struct process)PROCESS_INIT;
    clone->log_offset = 0;
    clone->connection = NULL;
    return clone;
}

enum err_code rh_sandbox_clone(struct sandbox *prepared, struct sandbox **ret_clone,
                               struct err *err)
{
    enum err_code code;

    RH_ASSERT(prepared->is_ready && !prepared->is_kept && !prepared->crash_reason);
    rh_progress_phase(prepared->progress, "clone the sandbox");
    if (prepared->mode != CLUSTER_STOPPED && (code = rh_cluster_stop(prepared, err)))
        return code;

    struct sandbox *clone = new_like(prepared);
    char *parent = rh_arena_strdup(clone->arena, prepared->directory);
    *strrchr(parent, '/') = 0;
    const struct sandbox_options options = {
        .engine = prepared->engine,
        .parent_directory = parent,
        .server_user = prepared->drops_privileges ? prepared->user_name : NULL,
        .progress = prepared->progress,
    };
    if ((code = rh_place_choose(clone, &options, err)) ||
        (code = copy_data(prepared, clone, err)) ||
        (code = rh_cluster_ensure(clone, CLUSTER_RUNNING, err))) {
        rh_err_while(err, "while cloning the sandbox");
        rh_sandbox_destroy(clone);
        return code;
    }
    rh_roles_disconnect(clone);
    *ret_clone = clone;
    return RH_OK;
}
