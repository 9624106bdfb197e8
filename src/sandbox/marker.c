#include "sandbox/sandbox_int.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * The marker is one JSON object, written by a single pwrite of MARKER_BYTES (padded with blanks),
 * so that a reader never sees half of it. Its owner holds an flock on it for life: the kernel gives
 * that up however the owner ends, also where process ids mean nothing to the reader (other pid
 * namespace).
 */
#define MARKER_NAME "rehearse-sandbox.json"
#define MARKER_NEW_NAME ".rehearse-sandbox.new"
#define MARKER_BYTES 512

static void read_boot_id(char out[static 64])
{
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct err ignored = RH_ERR_INIT;
    struct text text;

    out[0] = 0;
    if (rh_file_read("/proc/sys/kernel/random/boot_id", 64, arena, &text, &ignored))
        return;
    text = rh_text_trim(text);
    snprintf(out, 64, "%.*s", (int)text.len, text.data);
}

/* Field 22 of /proc/PID/stat; the name in field 2 may hold blanks and brackets, so count from its
   end. 0 when there is no such process. */
static int64_t process_start(int64_t pid)
{
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct err ignored = RH_ERR_INIT;
    struct text text;

    if (rh_file_read(rh_arena_printf(arena, "/proc/%lld/stat", (long long)pid), 4096, arena, &text,
                     &ignored))
        return 0;
    const char *at = strrchr(text.data, ')');
    for (int field = 3; at && field <= 22; field++)
        at = strchr(at + 1, ' ');
    return at ? strtoll(at + 1, NULL, 10) : 0;
}

static enum err_code write_marker(const struct sandbox *sandbox, struct err *err)
{
    char content[MARKER_BYTES + 1], boot_id[64];
    const char *socket_directory = sandbox->has_own_socket_directory ? sandbox->socket_directory
                                                                     : "";

    read_boot_id(boot_id);
    int len = snprintf(content, sizeof(content),
                       "{\"format\":1,\"pid\":%lld,\"pid_start\":%lld,\"boot_id\":\"%s\","
                       "\"postmaster_pid\":%lld,\"kept\":%s,\"socket_directory\":\"%s\"}",
                       (long long)getpid(), (long long)process_start(getpid()), boot_id,
                       (long long)sandbox->process.pid, sandbox->is_kept ? "true" : "false",
                       socket_directory);
    RH_ASSERT(len > 0 && len < MARKER_BYTES);
    memset(content + len, ' ', MARKER_BYTES - (size_t)len);
    content[MARKER_BYTES - 1] = '\n';
    if (pwrite(sandbox->marker_fd, content, MARKER_BYTES, 0) != MARKER_BYTES)
        return rh_err_set_errno(err, errno, "cannot write \"%s/" MARKER_NAME "\"",
                                sandbox->directory);
    return RH_OK;
}

enum err_code rh_marker_create(struct sandbox *sandbox, struct err *err)
{
    struct arena *arena = sandbox->arena;
    char *path = rh_file_join(arena, sandbox->directory, MARKER_NAME);
    char *new_path = rh_file_join(arena, sandbox->directory, MARKER_NEW_NAME);
    enum err_code code;

    sandbox->marker_fd = open(new_path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (sandbox->marker_fd < 0)
        return rh_err_set_errno(err, errno, "cannot create \"%s\"", new_path);
    /* Locked and written before it has its name: a reaper never meets an unlocked one of a living
       run. Where the file system has no locks the process id in it must do. */
    (void)flock(sandbox->marker_fd, LOCK_EX | LOCK_NB);
    if ((code = write_marker(sandbox, err)))
        return code;
    if (rename(new_path, path) != 0)
        return rh_err_set_errno(err, errno, "cannot create \"%s\"", path);
    return RH_OK;
}

enum err_code rh_marker_update(struct sandbox *sandbox, struct err *err)
{
    return write_marker(sandbox, err);
}

static bool read_marker(int fd, struct marker *ret_marker)
{
    char content[MARKER_BYTES];
    ssize_t len = pread(fd, content, sizeof(content), 0);
    json_t *root = len > 0 ? json_loadb(content, (size_t)len, 0, NULL) : NULL;
    const char *boot_id = json_string_value(json_object_get(root, "boot_id"));
    const char *socket_directory = json_string_value(json_object_get(root, "socket_directory"));
    struct marker marker = {
        .pid = json_integer_value(json_object_get(root, "pid")),
        .pid_start = json_integer_value(json_object_get(root, "pid_start")),
        .postmaster_pid = json_integer_value(json_object_get(root, "postmaster_pid")),
        .is_kept = json_is_true(json_object_get(root, "kept")),
    };
    bool is_valid = json_integer_value(json_object_get(root, "format")) == 1 && boot_id &&
                    socket_directory && marker.pid > 0;

    if (is_valid) {
        snprintf(marker.boot_id, sizeof(marker.boot_id), "%s", boot_id);
        snprintf(marker.socket_directory, sizeof(marker.socket_directory), "%s", socket_directory);
        *ret_marker = marker;
    }
    json_decref(root);
    return is_valid;
}

static bool owner_lives(const struct marker *marker)
{
    char boot_id[64];

    read_boot_id(boot_id);
    return strcmp(boot_id, marker->boot_id) == 0 && process_start(marker->pid) == marker->pid_start;
}

bool rh_marker_claim(const char *directory, int *ret_fd, struct marker *ret_marker)
{
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct marker marker;
    RH_CLEANUP_FD int fd = open(rh_file_join(arena, directory, MARKER_NAME),
                                O_RDWR | O_NOFOLLOW | O_CLOEXEC);

    if (fd < 0 || (flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK))
        return false;
    if (!read_marker(fd, &marker) || marker.is_kept || owner_lives(&marker))
        return false;
    *ret_marker = marker;
    *ret_fd = rh_fd_take(&fd);
    return true;
}

bool rh_marker_is_present(const char *directory)
{
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();

    return rh_file_exists(rh_file_join(arena, directory, MARKER_NAME));
}
