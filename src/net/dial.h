/*
 * Reaching a PostgreSQL server as libpq would: hosts in order, their addresses in order, over a
 * Unix socket, TCP or TLS by `sslmode`, without blocking the loop. What is given back is a
 * connection that carries the protocol; authentication is its user's.
 *
 * SSLRequest follows "Protocol Flow, SSL Session Encryption": bytes that come along with its answer
 * were not encrypted and end the attempt (CVE-2021-23222, the client's half of CVE-2021-23214).
 * Unix sockets never speak TLS. It does not look at target_session_attrs.
 */
#ifndef RH_NET_DIAL_H
#define RH_NET_DIAL_H

#include "base/text.h"
#include "net/loop.h"
#include "net/tls.h"

#include <stdint.h>

/* libpq's sslmode ("Protection Provided in Different Modes"). */
enum tls_mode {
    TLS_MODE_DISABLE,
    TLS_MODE_ALLOW,  /* plain; TLS where the server refuses that */
    TLS_MODE_PREFER, /* TLS; plain where that fails */
    TLS_MODE_REQUIRE,
    TLS_MODE_VERIFY_CA,  /* tls.root_file is a must */
    TLS_MODE_VERIFY_FULL /* and the certificate is for this host (tls.verifies_name is implied) */
};

struct upstream_host {
    const char *name;    /* host name or numeric address; a directory of Unix sockets begins with
                            '/'; NULL: only an address is known, or it is this machine */
    const char *address; /* numeric: connects there, and `name` serves TLS alone; NULL: resolves */
    uint16_t port;       /* 0: `name` is the Unix socket itself */
};
struct upstream {
    const struct upstream_host *hosts;
    size_t host_count;
    enum tls_mode tls_mode;
    bool tls_is_direct; /* sslnegotiation=direct: no SSLRequest; at least TLS_MODE_REQUIRE */
    struct tls_options tls;
    int64_t
        connect_timeout_us; /* for each address, up to a usable connection; 0: DIAL_TIMEOUT_US */
};
/* A server that is being started, or whose backlog is full. */
#define DIAL_TIMEOUT_US INT64_C(10000000)

struct dialer;
/* Reads certificates (blocking) and copies what it needs; `upstream` may go afterwards. */
enum err_code rh_dialer_new(struct loop *loop, const struct upstream *upstream,
                            struct dialer **ret_dialer, struct err *err) RH_MUST_CHECK;
void rh_dialer_free(struct dialer *dialer); /* NULL allowed; after its dials and connections */

/* What was reached; all of it belongs to who is told. */
struct dialed {
    int fd;
    struct tls *tls; /* NULL: plain */
    bool startup_is_sent;
};
/* `err` NULL: connected. */
typedef void dialed_fn(void *context, const struct dialed *dialed, const struct err *err);

struct dial;
/*
 * *place is set while it is under way, and NULL again before fn is called: once, perhaps before
 * this returns. `startup` is the start-up packet of a session, or empty for a cancel request, and
 * stays valid meanwhile. With TLS_MODE_ALLOW and TLS_MODE_PREFER a server may refuse a session for
 * the way it came; so there it is sent, and the first byte of the answer awaited (not consumed),
 * before fn is called.
 */
void rh_dial_start(struct dialer *dialer, struct text startup, dialed_fn *fn, void *context,
                   struct dial **place);
void rh_dial_cancel(struct dial *dial); /* NULL allowed; not after fn was called */

#endif
