/*
 * Host names to addresses without blocking the loop: getaddrinfo on a thread of its own, for it can
 * neither be polled nor interrupted. A cancelled one is left to end by itself, and nobody hears of
 * it.
 */
#ifndef RH_NET_RESOLVE_H
#define RH_NET_RESOLVE_H

#include "net/loop.h"

#include <sys/socket.h>

/* Of one host; more than any cluster lists, and the rest would hardly be tried. */
#define RESOLVE_ADDRESSES_MAX 16

struct address {
    struct sockaddr_storage bytes;
    socklen_t length;
};
struct addresses {
    struct address items[RESOLVE_ADDRESSES_MAX]; /* in the order of preference (RFC 6724) */
    size_t count;
};

struct resolving;
/* `addresses` NULL: *err says why. */
typedef void resolved_fn(void *context, const struct addresses *addresses, const struct err *err);

/* A numeric address, at once. False: it is none. */
bool rh_resolve_numeric(const char *host, uint16_t port, struct addresses *ret_addresses);
/* fn is called once, from the loop, never from within this call. The caller keeps the time. */
enum err_code rh_resolve_start(struct loop *loop, const char *host, uint16_t port, resolved_fn *fn,
                               void *context, struct resolving **ret_resolving,
                               struct err *err) RH_MUST_CHECK;
/* NULL allowed; not after fn was called. */
void rh_resolve_cancel(struct resolving *resolving);

#endif
