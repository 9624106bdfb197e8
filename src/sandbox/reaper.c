#include "sandbox/sandbox_int.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* A directory is ours without a marker only between two system calls of its maker. */
#define HALF_MADE_AFTER_S 60
/* An immediate shutdown gives its children 5 s (postmaster.c, SIGKILL_CHILDREN_AFTER_SECS). */
#define SERVER_GRACE_US INT64_C(7000000)
#define KILL_GRACE_US INT64_C(2000000)

struct reaper {
    struct arena *arena;
    struct progress *progress;
    uid_t server_uid;
};

static bool is_ours(const struct reaper *reaper, const char *path)
{
    struct stat status;

    return lstat(path, &status) == 0 && S_ISDIR(status.st_mode) &&
           (status.st_uid == geteuid() || status.st_uid == reaper->server_uid);
}

static bool ends_within(int pidfd, int64_t wait_us)
{
    struct mono deadline = rh_clock_after(rh_clock_mono(), wait_us);

    for (;;) {
        struct pollfd ended = {.fd = pidfd, .events = POLLIN};
        int ready = poll(&ended, 1, rh_clock_poll_ms(deadline));
        if (ready > 0)
            return true;
        if (rh_clock_passed(deadline))
            return false;
    }
}

/* The proof that a process belongs to a data directory: every process of a server works in there.
 */
static bool works_in(struct arena *arena, const char *pid, const char *data_directory)
{
    char target[PATH_MAX];
    ssize_t len = readlink(rh_arena_printf(arena, "/proc/%s/cwd", pid), target, sizeof(target) - 1);

    if (len < 0)
        return false;
    target[len] = 0;
    return strcmp(target, data_directory) == 0;
}

/* SIGQUIT is the immediate shutdown of a server and of each of its processes. */
static void end_process(struct arena *arena, const char *pid, const char *data_directory)
{
    RH_CLEANUP_FD int pidfd = pidfd_open((pid_t)strtol(pid, NULL, 10), 0);

    /* Looked at again now that the descriptor pins it: the id may have been given to another. */
    if (pidfd < 0 || !works_in(arena, pid, data_directory))
        return;
    if (pidfd_send_signal(pidfd, SIGQUIT, NULL, 0) != 0 || ends_within(pidfd, SERVER_GRACE_US))
        return;
    if (pidfd_send_signal(pidfd, SIGKILL, NULL, 0) == 0)
        (void)ends_within(pidfd, KILL_GRACE_US);
}

static void end_servers(struct reaper *reaper, const struct marker *marker,
                        const char *data_directory)
{
    struct err ignored = RH_ERR_INIT;
    struct file_names processes;

    if (marker->postmaster_pid > 0)
        end_process(reaper->arena,
                    rh_arena_printf(reaper->arena, "%lld", (long long)marker->postmaster_pid),
                    data_directory);
    /* Sessions that outlived a killed postmaster, and a server whose id was not yet noted. */
    if (rh_file_list("/proc", reaper->arena, &processes, &ignored))
        return;
    for (size_t i = 0; i < processes.count; i++)
        if (isdigit((unsigned char)processes.names[i][0]) &&
            works_in(reaper->arena, processes.names[i], data_directory))
            end_process(reaper->arena, processes.names[i], data_directory);
}

static void reap_marked(struct reaper *reaper, const char *path)
{
    RH_CLEANUP_FD int fd = -1;
    struct marker marker;
    struct err err = RH_ERR_INIT;

    if (!rh_marker_claim(path, &fd, &marker))
        return;
    const char *data_directory = rh_place_inside(reaper->arena, path, "data");
    end_servers(reaper, &marker, data_directory);
    if (strncmp(marker.socket_directory, SOCKET_DIRECTORY_PREFIX,
                strlen(SOCKET_DIRECTORY_PREFIX)) == 0 &&
        !strchr(marker.socket_directory + strlen(SOCKET_DIRECTORY_PREFIX), '/') &&
        is_ours(reaper, marker.socket_directory) &&
        rh_file_remove_tree(marker.socket_directory, &err))
        rh_progress_note(reaper->progress, "cannot remove what a dead run left: %s", err.message);
    if (rh_subvolume_remove_with(path, data_directory, &err))
        rh_progress_note(reaper->progress, "cannot remove what a dead run left: %s", err.message);
    else
        rh_progress_note(reaper->progress, "removed a sandbox that a dead run left: %s", path);
}

/* Made, not yet marked, and abandoned: holds at most the marker's first name. */
static void reap_unmarked(struct reaper *reaper, const char *path)
{
    struct stat status;

    if (lstat(path, &status) != 0 || status.st_mtime > time(NULL) - HALF_MADE_AFTER_S)
        return;
    struct err ignored = RH_ERR_INIT;
    struct file_names names;
    if (rh_file_list(path, reaper->arena, &names, &ignored) || names.count > 1)
        return;
    if (names.count == 1 && strcmp(names.names[0], ".rehearse-sandbox.new") == 0)
        unlink(rh_file_join(reaper->arena, path, names.names[0]));
    rmdir(path); /* fails on a directory that is not empty, as it should */
}

void rh_sandbox_reap(const struct sandbox_options *options)
{
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct reaper reaper = {.arena = arena, .progress = options->progress};
    struct err ignored = RH_ERR_INIT;
    struct file_names names;
    bool drops;
    gid_t gid;
    const char *user;
    char *parent = realpath(rh_place_parent(options), NULL);

    if (!parent)
        return;
    const char *place = rh_arena_strdup(arena, parent);
    free(parent);
    if (rh_place_server_user(options, arena, &drops, &reaper.server_uid, &gid, &user, &ignored))
        return;
    if (rh_file_list(place, arena, &names, &ignored))
        return;
    for (size_t i = 0; i < names.count; i++) {
        if (strncmp(names.names[i], SANDBOX_NAME_PREFIX, strlen(SANDBOX_NAME_PREFIX)) != 0)
            continue;
        const char *path = rh_file_join(arena, place, names.names[i]);
        if (!is_ours(&reaper, path))
            continue;
        if (rh_marker_is_present(path))
            reap_marked(&reaper, path);
        else
            reap_unmarked(&reaper, path);
    }
}
