/*
 * Nowhere else to go: a child in its own user, network and mount namespace, where the only thing
 * that answers is a listener made inside and handed out to us over a socket pair.
 *
 * Works as root and, with user namespaces, unprivileged (Linux namespaces(7)). The child keeps the
 * caller's user id. Unix sockets found by path would stay reachable from a network namespace, so
 * their usual folders are covered and sockets in /tmp are masked one by one.
 */
#ifndef RH_BASE_ISOLATE_H
#define RH_BASE_ISOLATE_H

#include "base/err.h"
#include "base/process.h"

#include <stdint.h>

struct isolation {
    int listener_fds[2]; /* 127.0.0.1 and ::1 inside the namespace; -1 where absent; caller owns */
    uint16_t port;       /* the port both listen on */
};

/*
 * Starts `options->argv` isolated. The listeners exist before the command is executed, so it
 * can connect at once. RH_ERR_ENVIRONMENT when namespaces are not permitted here, with a hint
 * that names --no-isolation.
 */
enum err_code rh_isolate_start(struct process *process, const struct process_options *options,
                               uint16_t port, struct isolation *ret_isolation,
                               struct err *err) RH_MUST_CHECK;

#endif
