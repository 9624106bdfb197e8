#include "base/isolate.h"

#include "base/file.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* A tool may open a pool of connections at once before we accept the first. */
#define BACKLOG 128
/* The listeners are in the socket pair before the command is executed; this is a safety net. */
#define RECEIVE_TIMEOUT_US INT64_C(10000000)

/* Where servers keep their sockets by default (Debian, Red Hat, upstream). */
static const char *const socket_folders[] = {
    "/run/postgresql", "/var/run/postgresql", "/run/mysqld", "/var/run/mysqld", "/var/lib/mysql",
};
/* Ways out that are sockets with a well-known name: through a container engine a command would run
   outside of every namespace of ours. */
static const char *const socket_files[] = {
    "/run/docker.sock",
    "/run/containerd/containerd.sock",
    "/run/podman/podman.sock",
};

enum step {
    STEP_NONE,
    STEP_UNSHARE,
    STEP_MAP_USER,
    STEP_PRIVATE,
    STEP_COVER,
    STEP_LOOPBACK,
    STEP_LISTEN,
    STEP_SEND,
};

/* Sent with the descriptors, or alone to say which step failed. */
struct news {
    int step; /* STEP_NONE: all went well */
    int errno_value;
    uint16_t port;
    bool has_ipv6;
};

/* Made before the fork; the child only reads it. */
struct plan {
    int fd; /* the child's end of the socket pair */
    uint16_t port;
    const struct process_options *options;
    int (*inner_prepare)(void *context);
    void *inner_context;
    const char **folders; /* to cover with an empty tmpfs */
    const char **files;   /* to cover with /dev/null */
    char uid_map[64], gid_map[64];
};

static int fail(const struct plan *plan, enum step step)
{
    struct news news = {.step = (int)step, .errno_value = errno};
    int saved_errno = errno;
    ssize_t ignored = send(plan->fd, &news, sizeof news, MSG_NOSIGNAL);
    (void)ignored;
    return saved_errno != 0 ? saved_errno : EPERM;
}

static bool write_file(const char *path, const char *content)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    size_t len = strlen(content);
    bool ok = write(fd, content, len) == (ssize_t)len;
    int saved_errno = errno;
    close(fd);
    errno = saved_errno;
    return ok;
}

/*
 * With CAP_SYS_ADMIN no user namespace is needed, and the child stays a user of this machine. Else
 * a user namespace with one identity mapping gives the capabilities for the other two; it is
 * entered as the final user, because afterwards no other user id exists.
 */
static int enter_namespaces(const struct plan *plan)
{
    if (unshare(CLONE_NEWNET | CLONE_NEWNS) == 0)
        return 0;
    const struct process_options *options = plan->options;
    if (options->drop_privileges && geteuid() == 0 &&
        (setgroups(1, &options->gid) != 0 ||
         setresgid(options->gid, options->gid, options->gid) != 0 ||
         setresuid(options->uid, options->uid, options->uid) != 0))
        return fail(plan, STEP_UNSHARE);
    if (unshare(CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWNS) != 0)
        return fail(plan, STEP_UNSHARE);
    /* After a change of user /proc/self belongs to root until exec (proc(5), PR_SET_DUMPABLE). */
    prctl(PR_SET_DUMPABLE, 1);
    /* Without "deny" an unprivileged gid_map is refused (user_namespaces(7)). */
    if (!write_file("/proc/self/setgroups", "deny") ||
        !write_file("/proc/self/uid_map", plan->uid_map) ||
        !write_file("/proc/self/gid_map", plan->gid_map))
        return fail(plan, STEP_MAP_USER);
    return 0;
}

static int cover_sockets(const struct plan *plan)
{
    /* Nothing we mount may propagate to the machine. */
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
        return fail(plan, STEP_PRIVATE);
    for (const char **folder = plan->folders; *folder != NULL; folder++) {
        if (mount("tmpfs", *folder, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC,
                  "size=64k,mode=0755") != 0)
            return fail(plan, STEP_COVER);
    }
    for (const char **file = plan->files; *file != NULL; file++) {
        /* A socket that went away meanwhile needs no cover. */
        if (mount("/dev/null", *file, NULL, MS_BIND, NULL) != 0 && errno != ENOENT)
            return fail(plan, STEP_COVER);
    }
    return 0;
}

static int bring_up_loopback(const struct plan *plan)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return fail(plan, STEP_LOOPBACK);
    struct ifreq request = {.ifr_name = "lo"};
    bool ok = ioctl(fd, SIOCGIFFLAGS, &request) == 0;
    if (ok) {
        request.ifr_flags = (short)(request.ifr_flags | IFF_UP);
        ok = ioctl(fd, SIOCSIFFLAGS, &request) == 0;
    }
    int saved_errno = errno;
    close(fd);
    errno = saved_errno;
    return ok ? 0 : fail(plan, STEP_LOOPBACK);
}

static int listen_on(const struct sockaddr *address, socklen_t len)
{
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    int on = 1;
    bool ok = address->sa_family != AF_INET6 ||
              setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) == 0;
    if (ok && bind(fd, address, len) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    int saved_errno = errno;
    close(fd);
    errno = saved_errno;
    return -1;
}

static int send_listeners(const struct plan *plan)
{
    struct sockaddr_in ipv4 = {.sin_family = AF_INET, .sin_port = htons(plan->port)};
    ipv4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fds[2];
    fds[0] = listen_on((const struct sockaddr *)&ipv4, sizeof ipv4);
    if (fds[0] < 0)
        return fail(plan, STEP_LISTEN);
    socklen_t len = sizeof ipv4;
    if (getsockname(fds[0], (struct sockaddr *)&ipv4, &len) != 0)
        return fail(plan, STEP_LISTEN);
    /* A kernel without IPv6 is no obstacle: then "localhost" is 127.0.0.1 alone. */
    struct sockaddr_in6 ipv6 = {
        .sin6_family = AF_INET6, .sin6_port = ipv4.sin_port, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    fds[1] = listen_on((const struct sockaddr *)&ipv6, sizeof ipv6);
    if (fds[1] < 0 && errno != EAFNOSUPPORT && errno != EADDRNOTAVAIL)
        return fail(plan, STEP_LISTEN);

    struct news news = {.port = ntohs(ipv4.sin_port), .has_ipv6 = fds[1] >= 0};
    size_t fds_size = (news.has_ipv6 ? 2 : 1) * sizeof(int);
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof fds)];
    } control = {.bytes = {0}};
    struct iovec body = {.iov_base = &news, .iov_len = sizeof news};
    struct msghdr message = {.msg_iov = &body,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = CMSG_SPACE(fds_size)};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    if (header == NULL)
        return fail(plan, STEP_SEND);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(fds_size);
    memcpy(CMSG_DATA(header), fds, fds_size);
    if (sendmsg(plan->fd, &message, MSG_NOSIGNAL) < 0)
        return fail(plan, STEP_SEND);
    /* Our copies are close-on-exec: behind the command only the parent's remain. */
    return 0;
}

/* Runs in the child between fork and exec. */
static int prepare(void *context)
{
    const struct plan *plan = context;
    int failed = enter_namespaces(plan);
    if (failed == 0)
        failed = cover_sockets(plan);
    if (failed == 0)
        failed = bring_up_loopback(plan);
    if (failed == 0)
        failed = send_listeners(plan);
    if (failed == 0 && plan->inner_prepare != NULL)
        failed = plan->inner_prepare(plan->inner_context);
    return failed;
}

static bool is_socket(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && S_ISSOCK(status.st_mode);
}

/* What exists of the usual places, found before the fork: reading directories allocates. */
static enum err_code find_sockets(struct plan *plan, struct arena *arena, struct err *err)
{
    VEC(const char *) folders = {0};
    VEC(const char *) files = {0};
    for (size_t i = 0; i < sizeof socket_folders / sizeof socket_folders[0]; i++) {
        /* /var/run is often a link to /run: then one place is covered twice, to no harm. */
        if (rh_file_is_directory(socket_folders[i]))
            *RH_PUSH(arena, &folders) = socket_folders[i];
    }
    for (size_t i = 0; i < sizeof socket_files / sizeof socket_files[0]; i++) {
        if (is_socket(socket_files[i]))
            *RH_PUSH(arena, &files) = socket_files[i];
    }
    struct file_names names;
    if (rh_file_is_directory("/tmp")) {
        enum err_code code = rh_file_list("/tmp", arena, &names, err);
        if (code != RH_OK)
            return code;
        for (size_t i = 0; i < names.count; i++) {
            struct text name = rh_text(names.names[i]);
            char *path = rh_file_join(arena, "/tmp", names.names[i]);
            bool has_name = (rh_text_starts_with(name, ".s.PGSQL.") &&
                             !rh_text_ends_with(name, ".lock")) ||
                            (rh_text_starts_with(name, "mysql") &&
                             rh_text_ends_with(name, ".sock"));
            if (has_name && is_socket(path))
                *RH_PUSH(arena, &files) = path;
        }
    }
    *RH_PUSH(arena, &folders) = NULL;
    *RH_PUSH(arena, &files) = NULL;
    plan->folders = folders.items;
    plan->files = files.items;
    return RH_OK;
}

static enum err_code receive_news(int fd, struct news *ret_news, int fds[static 2], struct err *err)
{
    fds[0] = -1;
    fds[1] = -1;
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    struct mono deadline = rh_clock_after(rh_clock_mono(), RECEIVE_TIMEOUT_US);
    int ready;
    do {
        ready = poll(&wait, 1, rh_clock_poll_ms(deadline));
    } while (ready < 0 && errno == EINTR);
    if (ready <= 0)
        return rh_err_set(err, RH_ERR_TIMEOUT, "the isolated command did not report its listeners");

    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(2 * sizeof(int))];
    } control = {.bytes = {0}};
    struct iovec body = {.iov_base = ret_news, .iov_len = sizeof *ret_news};
    struct msghdr message = {.msg_iov = &body,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = sizeof control.bytes};
    ssize_t got = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
    if (got != (ssize_t)sizeof *ret_news)
        return rh_err_set_errno(err, got < 0 ? errno : EPIPE,
                                "cannot receive the listeners of the isolated command");
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    if (header != NULL && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS)
        memcpy(fds, CMSG_DATA(header), header->cmsg_len - CMSG_LEN(0));
    return RH_OK;
}

static enum err_code explain(const struct news *news, struct err *err)
{
    static const char *const doing[] = {
        [STEP_NONE] = "be isolated",
        [STEP_UNSHARE] = "create its namespaces",
        [STEP_MAP_USER] = "map the user into its namespace",
        [STEP_PRIVATE] = "make its mounts private",
        [STEP_COVER] = "cover the folders of server sockets",
        [STEP_LOOPBACK] = "bring up the loopback interface",
        [STEP_LISTEN] = "listen in its network namespace",
        [STEP_SEND] = "hand out its listeners",
    };
    rh_err_set_errno(err, news->errno_value,
                     "cannot isolate the command from the network: it cannot %s",
                     doing[news->step]);
    err->code = RH_ERR_ENVIRONMENT;
    rh_err_detail(err, "Linux namespaces seem not to be permitted here (a container without them, "
                       "kernel.unprivileged_userns_clone, user.max_user_namespaces or AppArmor).");
    rh_err_hint(err, "Permit user namespaces, or accept with --no-isolation that the command can "
                     "reach other servers than the sandbox.");
    return RH_ERR_ENVIRONMENT;
}

enum err_code rh_isolate_start(struct process *process, const struct process_options *options,
                               uint16_t port, struct isolation *ret_isolation, struct err *err)
{
    *process = (struct process)PROCESS_INIT;
    /* One message is one packet: news and descriptors arrive together. */
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
        return rh_err_set_errno(err, errno, "cannot create a socket pair");
    RH_CLEANUP_FD int ours = pair[0];
    RH_CLEANUP_FD int theirs = pair[1];

    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct plan plan = {
        .fd = theirs,
        .port = port,
        .options = options,
        .inner_prepare = options->prepare,
        .inner_context = options->prepare_context,
    };
    bool drops = options->drop_privileges && geteuid() == 0;
    unsigned uid = drops ? options->uid : geteuid();
    unsigned gid = drops ? options->gid : getegid();
    snprintf(plan.uid_map, sizeof plan.uid_map, "%u %u 1", uid, uid);
    snprintf(plan.gid_map, sizeof plan.gid_map, "%u %u 1", gid, gid);
    enum err_code code = find_sockets(&plan, arena, err);
    if (code != RH_OK)
        return code;

    struct process_options with_prepare = *options;
    with_prepare.prepare = prepare;
    with_prepare.prepare_context = &plan;
    struct err start_err = RH_ERR_INIT;
    enum err_code start_code = rh_process_start(process, &with_prepare, &start_err);
    rh_fd_closep(&theirs);

    struct news news = {0};
    int fds[2] = {-1, -1};
    code = receive_news(ours, &news, fds, err);
    if (start_code != RH_OK || code != RH_OK || news.step != STEP_NONE) {
        rh_fd_closep(&fds[0]);
        rh_fd_closep(&fds[1]);
        rh_process_stopp(process);
        if (code == RH_OK && news.step != STEP_NONE)
            return explain(&news, err);
        if (start_code != RH_OK) {
            *err = start_err;
            return start_code;
        }
        return code;
    }
    *ret_isolation = (struct isolation){.listener_fds = {fds[0], fds[1]}, .port = news.port};
    return RH_OK;
}
