#include "net/resolve.h"

#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* What the thread and the loop share; the last of the two frees it. */
struct job {
    atomic_int users;
    int done_fd; /* an eventfd: readable once the rest is filled */
    uint16_t port;
    int result, errno_value; /* as getaddrinfo has it */
    struct addresses addresses;
    char host[];
};

struct resolving {
    struct job *job;
    struct loop_watch *watch;
    resolved_fn *fn;
    void *context;
};

static void leave_job(struct job *job)
{
    if (atomic_fetch_sub(&job->users, 1) > 1)
        return;
    close(job->done_fd);
    free(job);
}

/* flags: AI_NUMERICHOST, or 0 to ask name services. */
static int look_up(const char *host, uint16_t port, int flags, struct addresses *ret_addresses)
{
    const struct addrinfo hints = {
        .ai_socktype = SOCK_STREAM, .ai_protocol = IPPROTO_TCP, .ai_flags = flags | AI_NUMERICSERV};
    struct addrinfo *list = NULL;
    char service[8];
    snprintf(service, sizeof(service), "%u", port);
    int result = getaddrinfo(host, service, &hints, &list);
    ret_addresses->count = 0;
    if (result != 0)
        return result;
    for (const struct addrinfo *item = list; item && ret_addresses->count < RESOLVE_ADDRESSES_MAX;
         item = item->ai_next) {
        struct address *address = &ret_addresses->items[ret_addresses->count++];
        memcpy(&address->bytes, item->ai_addr, item->ai_addrlen);
        address->length = item->ai_addrlen;
    }
    freeaddrinfo(list);
    return 0;
}

bool rh_resolve_numeric(const char *host, uint16_t port, struct addresses *ret_addresses)
{
    return look_up(host, port, AI_NUMERICHOST, ret_addresses) == 0;
}

static void *run_job(void *context)
{
    struct job *job = context;
    const uint64_t one = 1;
    job->result = look_up(job->host, job->port, 0, &job->addresses);
    job->errno_value = errno;
    /* The counter is 0: this cannot block or fail. */
    ssize_t written = write(job->done_fd, &one, sizeof(one));
    RH_ASSERT(written == sizeof(one));
    leave_job(job);
    return NULL;
}

/* Signals are for the loop's thread. */
static int start_thread(struct job *job)
{
    pthread_t thread;
    pthread_attr_t attributes;
    sigset_t all, before;
    sigfillset(&all);
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&thread, &attributes, run_job, job);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return error;
}

static void resolving_free(struct resolving *resolving)
{
    rh_loop_watch_free(resolving->watch);
    leave_job(resolving->job);
    free(resolving);
}

static void on_done(void *context, unsigned events)
{
    struct resolving *resolving = context;
    const struct job *job = resolving->job;
    struct addresses addresses = job->addresses;
    struct err err = RH_ERR_INIT;
    resolved_fn *fn = resolving->fn;
    void *fn_context = resolving->context;
    (void)events;
    if (job->result != 0) {
        rh_err_set(
            &err, RH_ERR_CONNECTION, "cannot find an address of the host \"%s\": %s", job->host,
            job->result == EAI_SYSTEM ? strerror(job->errno_value) : gai_strerror(job->result));
        rh_err_hint(&err, "Check the name, and that this machine's name service knows it.");
    }
    bool is_found = job->result == 0;
    resolving_free(resolving);
    fn(fn_context, is_found ? &addresses : NULL, is_found ? NULL : &err);
}

enum err_code rh_resolve_start(struct loop *loop, const char *host, uint16_t port, resolved_fn *fn,
                               void *context, struct resolving **ret_resolving, struct err *err)
{
    size_t length = strlen(host) + 1;
    struct job *job = calloc(1, sizeof(*job) + length);
    struct resolving *resolving = calloc(1, sizeof(*resolving));
    if (!job || !resolving)
        RH_PANIC("out of memory to resolve a name");
    *resolving = (struct resolving){.job = job, .fn = fn, .context = context};
    atomic_init(&job->users, 1);
    job->port = port;
    memcpy(job->host, host, length);
    job->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    enum err_code code = job->done_fd < 0
                             ? rh_err_set_errno(err, errno, "cannot resolve a host name")
                             : rh_loop_watch_new(loop, job->done_fd, on_done, resolving,
                                                 &resolving->watch, err);
    if (code == RH_OK) {
        atomic_store(&job->users, 2);
        int error = start_thread(job);
        if (error) {
            atomic_store(&job->users, 1);
            code = rh_err_set_errno(err, error, "cannot start a thread to resolve a host name");
        }
    }
    if (code) {
        resolving_free(resolving);
        return code;
    }
    rh_loop_watch_set(resolving->watch, LOOP_READABLE);
    *ret_resolving = resolving;
    return RH_OK;
}

void rh_resolve_cancel(struct resolving *resolving)
{
    if (resolving)
        resolving_free(resolving);
}
