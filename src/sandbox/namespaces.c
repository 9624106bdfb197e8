/*
 * What the server is given of its own before it is executed: a network with nothing in it, and for
 * a clone by overlay a view of the file system in which its data directory is the base's with its
 * own writes above. The first half runs in the child, between fork and exec.
 */
#include "sandbox/sandbox_int.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- in the child ----------------------------------------------------------------------------- */

static bool write_once(const char *path, const char *text, size_t len)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    bool ok = fd >= 0 && write(fd, text, len) == (ssize_t)len;

    if (fd >= 0)
        close(fd);
    return ok;
}

static int failed(void)
{
    return errno ? errno : EPERM;
}

static int mount_overlay(const struct namespaces *plan)
{
    /* Nothing we mount reaches the machine; what the machine unmounts is not held by us. */
    if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) != 0 || chdir(plan->overlay->parent) != 0)
        return failed();
    for (size_t i = 0; i < OVERLAY_OPTIONS; i++) {
        if (mount("overlay", plan->overlay->data, "overlay", MS_NOSUID | MS_NODEV,
                  plan->overlay->options[i]) == 0)
            break;
        if (errno != EINVAL || i + 1 == OVERLAY_OPTIONS) /* EINVAL: an option it does not know */
            return failed();
    }
    /* The proof that a file of the base can be written to, which copies it up. */
    int fd = chdir(plan->overlay->data) == 0 ? open("PG_VERSION", O_RDWR | O_CLOEXEC) : -1;
    if (fd < 0)
        return failed();
    close(fd);
    return 0;
}

/*
 * A network namespace with nothing but a loopback interface, so that no foreign server,
 * subscription or function of a restored dump can reach the machines it was made for. Unix sockets
 * found by path are not affected. As an ordinary user it takes a user namespace; where that is
 * forbidden the server runs without, and the parent says so. An overlay needs a mount namespace,
 * and is a failure where there can be none.
 */
int rh_namespaces_enter(void *context)
{
    const struct namespaces *plan = context;
    int wanted = CLONE_NEWNET | (plan->overlay ? CLONE_NEWNS : 0);

    if (unshare(wanted) != 0) {
        if (geteuid() == 0 || unshare(CLONE_NEWUSER | wanted) != 0)
            return plan->overlay ? EPERM : 0; /* also for a limit of namespaces: ENOSPC */
        if (!write_once("/proc/self/setgroups", "deny", 4) ||
            !write_once("/proc/self/uid_map", plan->uid_map, plan->uid_map_length) ||
            !write_once("/proc/self/gid_map", plan->gid_map, plan->gid_map_length))
            return failed();
    }
    /* PostgreSQL 13 and 14 collect statistics over UDP on the loopback interface. */
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP};
    if (fd >= 0) {
        (void)ioctl(fd, SIOCSIFFLAGS, &request);
        close(fd);
    }
    return plan->overlay ? mount_overlay(plan) : 0;
}

/* --- in the parent ---------------------------------------------------------------------------- */

void rh_namespaces_plan(const struct sandbox *sandbox, struct namespaces *ret_plan)
{
    struct namespaces plan = {.overlay = sandbox->overlay};

    plan.uid_map_length = (size_t)snprintf(plan.uid_map, sizeof(plan.uid_map), "%u %u 1",
                                           (unsigned)sandbox->uid, (unsigned)sandbox->uid);
    plan.gid_map_length = (size_t)snprintf(plan.gid_map, sizeof(plan.gid_map), "%u %u 1",
                                           (unsigned)sandbox->gid, (unsigned)sandbox->gid);
    *ret_plan = plan;
}

bool rh_namespaces_shares_network(const struct sandbox *sandbox)
{
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct stat theirs, own;

    return stat(rh_arena_printf(arena, "/proc/%d/ns/net", (int)sandbox->process.pid), &theirs) ==
               0 &&
           stat("/proc/self/ns/net", &own) == 0 && theirs.st_ino == own.st_ino;
}

/* True as the root that the kernel knows, not that of a container's user namespace: only its
   overlays may keep their notes in "trusted" attributes (kernel, overlayfs.rst, "User xattr"). */
static bool is_root_of_the_machine(struct arena *arena)
{
    struct err ignored = RH_ERR_INIT;
    struct text map;

    if (geteuid() != 0 || rh_file_read("/proc/self/uid_map", 4096, arena, &map, &ignored))
        return false;
    char *at;
    unsigned long inside = strtoul(map.data, &at, 10);
    unsigned long outside = strtoul(at, &at, 10);
    return inside == 0 && outside == 0 && strtoul(at, &at, 10) == UINT32_MAX;
}

static const char *base_name(const char *path)
{
    return strrchr(path, '/') + 1;
}

static enum err_code make_owned(const struct sandbox *sandbox, const char *path, struct err *err)
{
    if (mkdir(path, 0700) != 0)
        return rh_err_set_errno(err, errno, "cannot create \"%s\"", path);
    if (sandbox->drops_privileges && chown(path, sandbox->uid, sandbox->gid) != 0)
        return rh_err_set_errno(err, errno, "cannot give \"%s\" to user \"%s\"", path,
                                sandbox->user_name);
    return RH_OK;
}

enum err_code rh_overlay_lay_out(struct sandbox *sandbox, bool is_volatile, struct err *err)
{
    struct arena *arena = sandbox->arena;
    struct overlay *overlay = RH_NEW(arena, struct overlay);
    char *parent = rh_arena_strdup(arena, sandbox->directory);
    const char *name = base_name(sandbox->directory);
    enum err_code code;

    *strrchr(parent, '/') = 0;
    overlay->parent = parent[0] ? parent : "/";
    overlay->data = sandbox->data_directory;
    overlay->upper = rh_place_inside(arena, sandbox->directory, "upper");
    overlay->work = rh_place_inside(arena, sandbox->directory, "work");
    /* Relative names, and the base, wherever it lies, by a link: options know no quoting, and these
       hold no comma and no colon. */
    const char *lower = rh_place_inside(arena, sandbox->directory, "lower");
    overlay->options[1] = rh_arena_printf(arena, "lowerdir=%s/%s,upperdir=%s/%s,workdir=%s/%s%s",
                                          name, base_name(lower), name, base_name(overlay->upper),
                                          name, base_name(overlay->work),
                                          is_root_of_the_machine(arena) ? "" : ",userxattr");
    /* "volatile" (Linux 5.10): copying up a file does not wait for the disk, nor does a commit. */
    overlay->options[0] = rh_arena_printf(arena, "%s%s", overlay->options[1],
                                          is_volatile ? ",volatile" : "");
    if (symlink(sandbox->base->data_directory, lower) != 0)
        return rh_err_set_errno(err, errno, "cannot link \"%s\"", lower);
    if ((code = make_owned(sandbox, overlay->data, err)) ||
        (code = make_owned(sandbox, overlay->upper, err)))
        return code;
    sandbox->overlay = overlay;
    return RH_OK;
}

/* The work directory of an earlier mount, that was volatile, would be refused. */
enum err_code rh_overlay_before_start(struct sandbox *sandbox, struct err *err)
{
    enum err_code code;

    rh_fd_closep(&sandbox->data_fd);
    sandbox->data_view = NULL;
    if ((code = rh_file_remove_tree(sandbox->overlay->work, err)))
        return code;
    return make_owned(sandbox, sandbox->overlay->work, err);
}

enum err_code rh_overlay_after_start(struct sandbox *sandbox, struct err *err)
{
    const char *inside = rh_arena_printf(sandbox->arena, "/proc/%d/root%s",
                                         (int)sandbox->process.pid, sandbox->data_directory);

    /* A descriptor keeps the view when the server has ended and its namespace with it. */
    sandbox->data_fd = open(inside, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (sandbox->data_fd < 0) {
        rh_err_set_errno(err, errno, "cannot see the server's data directory \"%s\"", inside);
        return err->code = RH_ERR_ENVIRONMENT;
    }
    sandbox->data_view = rh_arena_printf(sandbox->arena, "/proc/self/fd/%d", sandbox->data_fd);
    return RH_OK;
}
