#include "net/listen.h"

#include "base/text.h"

#include <errno.h>
#include <linux/filter.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* Of the kernel at most (net.core.somaxconn): a wave of clients waits there, not outside. */
#define BACKLOG 4096

static enum err_code refuse(const char *address, const char *why, struct err *err)
{
    rh_err_set(err, RH_ERR_USAGE, "\"%s\" is no address to listen at: %s", address, why);
    rh_err_hint(err, "Write HOST:PORT, :PORT for every address, or unix:PATH.");
    return RH_ERR_USAGE;
}

static enum err_code cannot(const char *address, int reason, struct err *err)
{
    rh_err_set_errno(err, reason, "cannot listen at \"%s\"", address);
    if (reason == EADDRINUSE)
        rh_err_hint(err, "Another program has it, and does not share it.");
    return err->code = RH_ERR_USAGE;
}

/* --- Unix sockets ----------------------------------------------------------------------------- */

/* 0, or what is wrong. `only_tries`: nothing is left there. */
static int bind_path(int fd, const char *path, bool only_tries)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct stat status;
    int length = snprintf(address.sun_path, sizeof(address.sun_path), "%s.%ld", path,
                          (long)getpid());

    if (length < 0 || (size_t)length >= sizeof(address.sun_path))
        return ENAMETOOLONG;
    if (lstat(path, &status) == 0 && !S_ISSOCK(status.st_mode))
        return EEXIST;
    (void)unlink(address.sun_path);
    if (bind(fd, (const struct sockaddr *)&address, sizeof(address)) != 0)
        return errno;
    if (!only_tries && listen(fd, BACKLOG) == 0 && rename(address.sun_path, path) == 0)
        return 0;

    int reason = only_tries ? 0 : errno;

    (void)unlink(address.sun_path);
    return reason;
}

static enum err_code open_path(const char *address, const char *path, bool only_tries,
                               struct listen_sockets *made, struct err *err)
{
    struct stat status;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int reason = fd < 0 ? errno : bind_path(fd, path, only_tries);

    if (reason == 0 && !only_tries && stat(path, &status) != 0)
        reason = errno;
    if (reason) {
        if (fd >= 0)
            close(fd);
        return cannot(address, reason, err);
    }
    made->fds[made->count++] = fd;
    if (only_tries)
        return RH_OK;
    snprintf(made->path, sizeof(made->path), "%s", path);
    made->device = status.st_dev;
    made->inode = status.st_ino;
    return RH_OK;
}

void rh_listen_remove(const struct listen_sockets *sockets)
{
    struct stat status;

    if (sockets->path[0] && stat(sockets->path, &status) == 0 && status.st_dev == sockets->device &&
        status.st_ino == sockets->inode)
        (void)unlink(sockets->path);
}

/* --- TCP -------------------------------------------------------------------------------------- */

static int open_tcp(const struct addrinfo *info, bool only_tries)
{
    static const int on = 1;
    int fd = socket(info->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
    if (info->ai_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
    if (bind(fd, info->ai_addr, info->ai_addrlen) == 0 && (only_tries || listen(fd, BACKLOG) == 0))
        return fd;

    int reason = errno;

    close(fd);
    errno = reason;
    return -1;
}

static enum err_code open_host(const char *address, bool only_tries, struct listen_sockets *made,
                               struct err *err)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    const char *colon = strrchr(address, ':');
    char host[256];
    struct addrinfo *found = NULL;
    int reason = 0, failure;
    int64_t port = 0;

    if (!colon || !colon[1])
        return refuse(address, "it has no port", err);
    if ((size_t)(colon - address) >= sizeof(host))
        return refuse(address, "the host's name is too long", err);
    snprintf(host, sizeof(host), "%.*s", (int)(colon - address), address);

    size_t length = strlen(host);
    bool is_bracketed = length >= 2 && host[0] == '[' && host[length - 1] == ']';

    if (is_bracketed)
        host[length - 1] = '\0';
    if (!rh_text_parse_int64(rh_text(colon + 1), &port) || colon[1] == '+' || port < 1 ||
        port > 65535)
        return refuse(address, "the port is no number between 1 and 65535", err);
    failure = getaddrinfo(host[0] ? host + is_bracketed : NULL, colon + 1, &hints, &found);
    if (failure)
        return refuse(address, gai_strerror(failure), err);
    for (const struct addrinfo *info = found; info && made->count < LISTEN_SOCKETS_MAX;
         info = info->ai_next) {
        int fd = open_tcp(info, only_tries);

        if (fd >= 0)
            made->fds[made->count++] = fd;
        else if (errno != EAFNOSUPPORT && errno != EADDRNOTAVAIL)
            reason = errno;
    }
    freeaddrinfo(found);
    if (made->count == 0 || reason) {
        while (made->count > 0)
            close(made->fds[--made->count]);
        return cannot(address, reason ? reason : EADDRNOTAVAIL, err);
    }
    return RH_OK;
}

bool rh_listen_is_path(const char *address)
{
    return strncmp(address, "unix:", 5) == 0 || address[0] == '/';
}

static enum err_code open_address(const char *address, bool only_tries, struct listen_sockets *made,
                                  struct err *err)
{
    const char *path = strncmp(address, "unix:", 5) == 0 ? address + 5 : address;

    return rh_listen_is_path(address) ? open_path(address, path, only_tries, made, err)
                                      : open_host(address, only_tries, made, err);
}

enum err_code rh_listen_open(const char *address, struct listen_sockets *ret_sockets,
                             struct err *err)
{
    struct listen_sockets made = {.count = 0};
    enum err_code code = open_address(address, false, &made, err);

    if (!code)
        *ret_sockets = made;
    return code;
}

enum err_code rh_listen_check(const char *address, struct err *err)
{
    struct listen_sockets made = {.count = 0};
    enum err_code code = open_address(address, true, &made, err);

    while (made.count > 0)
        close(made.fds[--made.count]);
    return code;
}

/*
 * A program that a group of sockets shares: "to socket number 1", which is the second oldest
 * (socket(7), SO_ATTACH_REUSEPORT_CBPF: by the order in which they were bound). The oldest is the
 * one that yields; where there is no other, the number is none, and the kernel chooses as before.
 */
void rh_listen_yield(const struct listen_sockets *sockets)
{
    struct sock_filter code[] = {BPF_STMT(BPF_RET | BPF_K, 1)};
    const struct sock_fprog program = {.len = 1, .filter = code};

    if (sockets->path[0])
        return;
    for (size_t i = 0; i < sockets->count; i++)
        setsockopt(sockets->fds[i], SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &program,
                   sizeof(program));
}
