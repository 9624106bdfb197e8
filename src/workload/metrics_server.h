/*
 * A page of figures for Prometheus, and three commands, over HTTP/1.0: GET /metrics, POST /start,
 * POST /stop. It is as small as it can be: one request a connection, no body, no keep-alive, caps
 * on all of it, a deadline for each client. On the loop's thread; it never blocks. It authenticates
 * nobody: give it a Unix socket, or an address that only the right ones reach.
 */
#ifndef RH_WORKLOAD_METRICS_SERVER_H
#define RH_WORKLOAD_METRICS_SERVER_H

#include "base/err.h"
#include "base/text.h"
#include "net/loop.h"

#define METRICS_CLIENTS_MAX 16
#define METRICS_REQUEST_BYTES_MAX ((size_t)4096)
#define METRICS_PAGE_BYTES_MAX ((size_t)64 * 1024)
#define METRICS_CLIENT_US INT64_C(5000000)

struct metrics_server;

struct metrics_handler {
    void *context;
    void (*page)(void *context, struct buf *out); /* GET /metrics */
    /* POST: "start" or "stop". NULL: done; else why not. */
    const char *(*command)(void *context, const char *name);
};

/* `address` as net/listen.h has it. */
enum err_code rh_metrics_server_new(struct loop *loop, const char *address,
                                    const struct metrics_handler *handler,
                                    struct metrics_server **ret_server,
                                    struct err *err) RH_MUST_CHECK;
void rh_metrics_server_free(struct metrics_server *server); /* NULL allowed; before the loop */

#endif
