/*
 * Whether there is room for one more clone. Memory: what this process may still get, of the machine
 * and of its control groups. Disk: what the file system has left.
 */
#include "sandbox/sandbox_int.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/statvfs.h>

#define READ_MAX ((size_t)64 * 1024)
/* Beside shared_buffers: processes and catalogue caches of a server with ten sessions (25 to 40 MB
   measured on 13 to 18) and one maintenance_work_mem (64 MB by default). */
#define SERVER_MEMORY_BYTES (INT64_C(112) << 20)
/* What a server writes in any case: two segments of log, and catalogues of a small schema. */
#define RESERVE_BYTES (INT64_C(48) << 20)

/* --- memory ----------------------------------------------------------------------------------- */

/* The number behind `name` in lines of "name value", -1 without. */
static int64_t find_number(struct text text, const char *name)
{
    const char *at = strstr(text.data, name);

    return at ? strtoll(at + strlen(name), NULL, 10) : -1;
}

static struct text read_whole(struct arena *arena, const char *path)
{
    struct err ignored = RH_ERR_INIT;
    struct text text;

    return rh_file_read(path, READ_MAX, arena, &text, &ignored) ? rh_text("") : text;
}

/* What a control group leaves: its limit less what it holds, cached files aside, which give way.
   INT64_MAX without a limit (kernel, cgroup-v2.rst, "Memory Interface Files"). */
static int64_t left_in_group(struct arena *arena, const char *group)
{
    struct text limit = read_whole(arena, rh_file_join(arena, group, "memory.max"));
    struct text used = read_whole(arena, rh_file_join(arena, group, "memory.current"));
    struct text statistics = read_whole(arena, rh_file_join(arena, group, "memory.stat"));

    if (limit.len == 0 || used.len == 0 || limit.data[0] == 'm')
        return INT64_MAX;
    int64_t files = find_number(statistics, "\nfile ") - find_number(statistics, "\nshmem ");
    int64_t left = strtoll(limit.data, NULL, 10) - strtoll(used.data, NULL, 10);
    return left + (files > 0 ? files : 0);
}

static int64_t available_memory(void)
{
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    int64_t machine_kb = find_number(read_whole(arena, "/proc/meminfo"), "MemAvailable:");
    int64_t available = machine_kb < 0 ? INT64_MAX : machine_kb * 1024;
    struct text groups = read_whole(arena, "/proc/self/cgroup");
    const char *own = strstr(groups.data, "0::/");

    /* The limit may be any parent's. */
    char *group = rh_arena_printf(arena, "/sys/fs/cgroup%.*s",
                                  own ? (int)strcspn(own + 3, "\n") : 1, own ? own + 3 : "/");
    for (char *slash; strlen(group) >= strlen("/sys/fs/cgroup"); *slash = 0) {
        int64_t left = left_in_group(arena, group);
        available = left < available ? left : available;
        slash = strrchr(group, '/');
    }
    return available;
}

static int64_t needed_memory(const struct sandbox *base)
{
    return base->clone_memory_bytes + SERVER_MEMORY_BYTES;
}

enum err_code rh_clone_check_memory(const struct sandbox *base, struct err *err)
{
    int64_t available = available_memory();
    char needed[24], left[24];

    /* Without the first there is nothing at all, and it may well do with less. */
    if (base->living_clones == 0 || available >= needed_memory(base))
        return RH_OK;
    rh_bytes_format(needed_memory(base), needed);
    rh_bytes_format(available < 0 ? 0 : available, left);
    rh_err_set(err, RH_ERR_ENVIRONMENT,
               "not enough memory for another server: it may take %s, and %s are available", needed,
               left);
    rh_err_hint(err, "Most of it is shared_buffers: --set shared_buffers=32MB takes less.");
    return err->code;
}

/* --- disk ------------------------------------------------------------------------------------- */

static int64_t free_bytes(const struct sandbox *base)
{
    struct statvfs space;

    if (statvfs(base->parent_directory, &space) != 0)
        return INT64_MAX; /* then it is the clone itself that fails */
    return (int64_t)space.f_bavail * (int64_t)space.f_frsize;
}

enum err_code rh_clone_check_disk(const struct sandbox *base, enum clone_method method,
                                  struct err *err)
{
    int64_t needed = RESERVE_BYTES + (method == CLONE_BY_COPY ? base->clone_bytes : 0);
    int64_t left = free_bytes(base);
    char needed_text[24], left_text[24];

    if (left >= needed)
        return RH_OK;
    rh_bytes_format(needed, needed_text);
    rh_bytes_format(left, left_text);
    rh_err_set_errno(err, ENOSPC,
                     "not enough disk for a clone below \"%s\": it takes %s, and %s "
                     "are free",
                     base->parent_directory, needed_text, left_text);
    rh_err_hint(err, "Free some space, or choose a larger disk with REHEARSE_SANDBOX_DIR.");
    return err->code;
}

/* --- for those who ask ------------------------------------------------------------------------ */

void rh_sandbox_room(const struct sandbox *prepared, struct sandbox_room *ret_room)
{
    *ret_room = (struct sandbox_room){.memory_bytes = available_memory(),
                                      .clone_memory_bytes = needed_memory(prepared),
                                      .disk_bytes = free_bytes(prepared),
                                      .directory = prepared->parent_directory};
}
