/*
 * The least a relay can do: epoll, recv, send; one thread, no framing, no handler. The yardstick
 * for the tap's CPU.
 *
 *   bare_relay LISTEN_PORT SERVER_PORT|SERVER_SOCKET_PATH
 *
 * What the kernel does not take at once is kept, and nothing more is read for that peer until it
 * went. On SIGTERM prints the CPU time it used, in microseconds.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define CHUNK_BYTES (64 * 1024)
#define EVENTS_MAX 64

struct end {
    int fd;
    struct end *other;
    bool is_dead;
    char *kept; /* for this end, not taken yet */
    size_t kept_begin, kept_end;
};

static char chunk[CHUNK_BYTES];
static int epoll_fd;

static void watch(struct end *end, int operation, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = end};
    epoll_ctl(epoll_fd, operation, end->fd, &event);
}

static struct end *new_end(int fd)
{
    int on = 1;
    struct end *end = calloc(1, sizeof(*end));
    if (!end)
        abort();
    end->fd = fd;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    watch(end, EPOLL_CTL_ADD, EPOLLIN);
    return end;
}

static void close_pair(struct end *end)
{
    struct end *both[] = {end, end->other};
    for (int i = 0; i < 2; i++) {
        if (!both[i]->is_dead)
            close(both[i]->fd);
        both[i]->is_dead = true; /* events of the same round may still point to it */
    }
}

static void forward(struct end *from)
{
    struct end *to = from->other;
    ssize_t received = recv(from->fd, chunk, sizeof(chunk), MSG_DONTWAIT);
    if (received < 0 && errno == EAGAIN)
        return;
    if (received <= 0) {
        close_pair(from);
        return;
    }
    ssize_t sent = send(to->fd, chunk, (size_t)received, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN) {
        close_pair(from);
        return;
    }
    if (sent < 0)
        sent = 0;
    if (sent == received)
        return;
    if (!to->kept && !(to->kept = malloc(CHUNK_BYTES)))
        abort();
    to->kept_begin = 0;
    to->kept_end = (size_t)(received - sent);
    memcpy(to->kept, chunk + sent, to->kept_end);
    watch(from, EPOLL_CTL_MOD, 0);
    watch(to, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
}

static void flush(struct end *to)
{
    ssize_t sent = send(to->fd, to->kept + to->kept_begin, to->kept_end - to->kept_begin,
                        MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN) {
        close_pair(to);
        return;
    }
    if (sent > 0)
        to->kept_begin += (size_t)sent;
    if (to->kept_begin < to->kept_end)
        return;
    watch(to->other, EPOLL_CTL_MOD, EPOLLIN);
    watch(to, EPOLL_CTL_MOD, EPOLLIN);
}

static int connect_server(const char *where)
{
    bool is_path = strchr(where, '/') != NULL;
    struct sockaddr_un local = {.sun_family = AF_UNIX};
    struct sockaddr_in inet = {.sin_family = AF_INET,
                               .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                               .sin_port = htons((uint16_t)atoi(where))};
    int fd = socket(is_path ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    snprintf(local.sun_path, sizeof(local.sun_path), "%s", where);
    int result = is_path ? connect(fd, (struct sockaddr *)&local, sizeof(local))
                         : connect(fd, (struct sockaddr *)&inet, sizeof(inet));
    if (result == 0)
        return fd;
    close(fd);
    return -1;
}

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                  .sin_port = htons((uint16_t)atoi(argv[1]))};
    int on = 1;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(listener, (struct sockaddr *)&address, sizeof(address)) != 0 ||
        listen(listener, 128) != 0) {
        perror("bare_relay");
        return 1;
    }
    sigset_t stop;
    sigemptyset(&stop);
    sigaddset(&stop, SIGTERM);
    sigprocmask(SIG_BLOCK, &stop, NULL);
    int signal_fd = signalfd(-1, &stop, SFD_CLOEXEC);
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    struct end listener_end = {.fd = listener}, signal_end = {.fd = signal_fd};
    watch(&listener_end, EPOLL_CTL_ADD, EPOLLIN);
    watch(&signal_end, EPOLL_CTL_ADD, EPOLLIN);
    puts("ready");
    fflush(stdout);
    for (;;) {
        struct epoll_event events[EVENTS_MAX];
        int count = epoll_wait(epoll_fd, events, EVENTS_MAX, -1);
        for (int i = 0; i < count; i++) {
            struct end *end = events[i].data.ptr;
            if (end == &signal_end) {
                struct rusage usage;
                getrusage(RUSAGE_SELF, &usage);
                printf("{\"cpu_us\":%lld}\n",
                       (long long)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000 +
                           usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
                return 0;
            }
            if (end == &listener_end) {
                int client = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
                int server = client < 0 ? -1 : connect_server(argv[2]);
                if (server < 0) {
                    if (client >= 0)
                        close(client);
                    continue;
                }
                struct end *a = new_end(client), *b = new_end(server);
                a->other = b;
                b->other = a;
                continue;
            }
            if (!end->is_dead && (events[i].events & EPOLLOUT))
                flush(end);
            if (!end->is_dead && (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
                forward(end);
        }
    }
}
