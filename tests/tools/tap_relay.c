/*
 * The tap as a program of its own, for differential tests, recordings and benchmarks:
 *
 *   tap_relay --listen PATH|PORT --server PATH|PORT|URL [--collect] [--hold] [--take]
 *             [--rewrite FROM=TO] [--spin MICROSECONDS]
 *
 * Ports are on 127.0.0.1. --collect shows a handler what a trace collects and keeps it in a ring;
 * --hold also holds every ReadyForQuery until the next turn of the loop. --take takes CopyData away
 * and sends the same bytes in messages of its own, as a masker would; --rewrite also sends the
 * query TO where the client sent FROM. Prints "ready" once it listens; on SIGTERM or SIGINT prints
 * its statistics as one line of JSON and ends. Errors about the server go to stderr.
 */
#include "base/interrupt.h"
#include "engine/engine.h"
#include "tap/tap.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define RING_BYTES (1024 * 1024)
#define COLLECT_MAX (1024 * 1024)
#define HELD_MAX 4096

struct relay {
    struct loop_timer *soon;
    bool holds;
    struct tap_session *held[HELD_MAX];
    size_t held_count;
    uint64_t shown, rows, parts;
    const char *from, *to; /* of a query that is rewritten */
    size_t ring_at;
    char ring[RING_BYTES];
};

/* What a trace does at the least: a time stamp and a copy of the text. */
static void record(struct relay *relay, const struct pg_message *message)
{
    int64_t now_us = rh_clock_mono().us;
    size_t length = message->body.len < 4096 ? message->body.len : 4096;
    if (relay->ring_at + sizeof(now_us) + length > RING_BYTES)
        relay->ring_at = 0;
    memcpy(relay->ring + relay->ring_at, &now_us, sizeof(now_us));
    memcpy(relay->ring + relay->ring_at + sizeof(now_us), message->body.data, length);
    relay->ring_at += sizeof(now_us) + length;
    relay->shown++;
}

static enum tap_action on_frontend(void *context, struct tap_session *session,
                                   const struct pg_message *message)
{
    (void)session;
    record(context, message);
    return TAP_FORWARD;
}

static enum tap_action on_backend(void *context, struct tap_session *session,
                                  const struct pg_message *message)
{
    struct relay *relay = context;
    struct text tag;
    int64_t rows;
    record(relay, message);
    if (message->type == 'C' && rh_pg_decode_command_complete(message->body, &tag, &rows) &&
        rows > 0)
        relay->rows += (uint64_t)rows;
    if (message->type != 'Z' || !relay->holds || relay->held_count == HELD_MAX)
        return TAP_FORWARD;
    relay->held[relay->held_count++] = session;
    rh_loop_timer_start(relay->soon, 0, 0);
    return TAP_HOLD;
}

/* --- taking --- */

#define BATCH_BYTES (256 * 1024)

static void send_batch(struct buf *batch, struct tap_session *session)
{
    if (batch->len > 0)
        rh_tap_session_send_client_message(session, 'd', rh_buf_text(batch));
    rh_buf_clear(batch);
}

static void on_part(void *context, struct tap_session *session, const struct pg_part *part)
{
    struct relay *relay = context;
    struct buf *batch = *rh_tap_session_data(session);
    relay->parts++;
    rh_buf_add_text(batch, part->bytes);
    if (batch->len > BATCH_BYTES - TAP_CHUNK_BYTES)
        send_batch(batch, session);
}

/* Behind the rows: their end, or an error. */
static enum tap_action on_followed(void *context, struct tap_session *session,
                                   const struct pg_message *message)
{
    (void)context;
    (void)message;
    send_batch(*rh_tap_session_data(session), session);
    return TAP_FORWARD;
}

static void on_taker_opened(void *context, struct tap_session *session)
{
    struct buf *batch = malloc(sizeof(*batch));
    (void)context;
    rh_buf_init(batch, BATCH_BYTES);
    *rh_tap_session_data(session) = batch;
}

static void on_taker_closed(void *context, struct tap_session *session)
{
    struct buf *batch = *rh_tap_session_data(session);
    (void)context;
    rh_buf_deinit(batch);
    free(batch);
}

static enum tap_action on_query(void *context, struct tap_session *session,
                                const struct pg_message *message)
{
    const struct relay *relay = context;
    RH_CLEANUP_BUF struct buf query;
    rh_buf_init(&query, COLLECT_MAX);
    if (!message->is_whole || message->body.len == 0 ||
        strcmp(message->body.data, relay->from) != 0)
        return TAP_FORWARD;
    rh_pg_encode_message(&query, 'Q', (struct text){relay->to, strlen(relay->to) + 1});
    rh_tap_session_send_server(session, rh_buf_text(&query));
    return TAP_SWALLOW;
}

static void take(struct tap_handler *handler, const struct relay *relay)
{
    rh_pg_type_set_add(&handler->backend_taken, 'd');
    handler->backend_part = on_part;
    rh_pg_type_set_add(&handler->backend_types, 'c');
    rh_pg_type_set_add(&handler->backend_types, 'E');
    handler->backend_message = on_followed;
    handler->session_opened = on_taker_opened;
    handler->session_closed = on_taker_closed;
    if (!relay->from)
        return;
    rh_pg_type_set_add(&handler->frontend_types, 'Q');
    handler->decides_frontend = true;
    handler->frontend_message = on_query;
}

static void on_unreachable(void *context, const struct err *err)
{
    char text[4096];
    (void)context;
    rh_err_format(err, text, sizeof(text));
    fputs(text, stderr);
    fflush(stderr);
}

static void on_soon(void *context)
{
    struct relay *relay = context;
    while (relay->held_count > 0)
        rh_tap_session_release(relay->held[--relay->held_count]);
}

static void on_session_closed(void *context, struct tap_session *session)
{
    struct relay *relay = context;
    for (size_t i = 0; i < relay->held_count; i++) {
        if (relay->held[i] == session)
            relay->held[i--] = relay->held[--relay->held_count];
    }
}

static void add_types(struct pg_type_set *set, const char *types)
{
    for (; *types; types++)
        rh_pg_type_set_add(set, (unsigned char)*types);
}

static int listen_at(const char *where)
{
    struct sockaddr_un local = {.sun_family = AF_UNIX};
    struct sockaddr_in inet = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    bool is_path = strchr(where, '/') != NULL;
    int fd = socket(is_path ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    int on = 1, result;
    if (is_path) {
        snprintf(local.sun_path, sizeof(local.sun_path), "%s", where);
        unlink(where);
        result = bind(fd, (struct sockaddr *)&local, sizeof(local));
    } else {
        inet.sin_port = htons((uint16_t)strtoul(where, NULL, 10));
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
        result = bind(fd, (struct sockaddr *)&inet, sizeof(inet));
    }
    if (result != 0 || listen(fd, 128) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static int fail(const struct err *err)
{
    char text[2048];
    rh_err_format(err, text, sizeof(text));
    fputs(text, stderr);
    return 1;
}

static void print_statistics(const struct tap *tap, const struct loop *loop,
                             const struct relay *relay)
{
    struct tap_statistics t = rh_tap_statistics(tap);
    struct loop_statistics l = rh_loop_statistics(loop);
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    int64_t cpu_us = (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * INT64_C(1000000) +
                     usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
    printf("{\"parts\":%" PRIu64 ",\"sessions\":%" PRIu64 ",\"frontend_bytes\":%" PRIu64
           ",\"backend_bytes\":%" PRIu64 ",\"refused\":%" PRIu64 ",\"held\":%" PRIu64
           ",\"shown\":%" PRIu64 ",\"rows\":%" PRIu64 ",\"sleeps\":%" PRIu64 ",\"spins\":%" PRIu64
           ",\"spin_hits\":%" PRIu64 ",\"cpu_us\":%" PRId64
           ",\"max_rss_kb\":%ld,\"open_sessions\":%zu}\n",
           relay->parts, t.sessions, t.frontend_bytes, t.backend_bytes, t.refused_connections,
           t.held_messages, relay->shown, relay->rows, l.sleeps, l.spins, l.spin_hits, cpu_us,
           usage.ru_maxrss, rh_tap_open_sessions(tap));
}

/* Where the server is: strings of `arena`, or of the command line. */
static bool read_server(const char *text, struct arena *arena, struct upstream_host *host,
                        struct url_upstream *url, struct tap_options *ret_options, struct err *err)
{
    *ret_options = (struct tap_options){.upstream = &url->upstream};
    if (strstr(text, "://") || strchr(text, '='))
        return rh_engine_postgres.describe_upstream(text, arena, url, err) == RH_OK;
    if (strchr(text, '/')) {
        *ret_options = (struct tap_options){.server_socket_path = text};
        return true;
    }
    host->name = "127.0.0.1";
    host->port = (uint16_t)strtoul(text, NULL, 10);
    url->upstream = (struct upstream){.hosts = host, .host_count = 1};
    return true;
}

int main(int argc, char **argv)
{
    static const struct option long_options[] = {
        {"listen", required_argument, NULL, 'l'},  {"server", required_argument, NULL, 's'},
        {"spin", required_argument, NULL, 'p'},    {"collect", no_argument, NULL, 'c'},
        {"hold", no_argument, NULL, 'h'},          {"take", no_argument, NULL, 't'},
        {"rewrite", required_argument, NULL, 'r'}, {0}};
    static struct relay relay;
    const char *listen_text = NULL, *server_text = NULL;
    int64_t spin_us = 0;
    bool collects = false, takes = false;
    char *equals;
    int option;
    while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
        switch (option) {
        case 'l':
            listen_text = optarg;
            break;
        case 's':
            server_text = optarg;
            break;
        case 'p':
            spin_us = strtoll(optarg, NULL, 10);
            break;
        case 'h':
            relay.holds = true;
            collects = true;
            break;
        case 'c':
            collects = true;
            break;
        case 'r':
            if (!(equals = strchr(optarg, '=')))
                return 2;
            *equals = 0;
            relay.from = optarg;
            relay.to = equals + 1;
            takes = true;
            break;
        case 't':
            takes = true;
            break;
        default:
            return 2;
        }
    }
    if (!listen_text || !server_text)
        return 2;

    struct err err = RH_ERR_INIT;
    RH_CLEANUP_LOOP struct loop *loop = NULL;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct tap_handler handler = {
        .context = &relay, .collect_max = COLLECT_MAX, .server_unreachable = on_unreachable};
    if (takes)
        take(&handler, &relay);
    if (collects) {
        rh_pg_type_set_add(&handler.frontend_types, 0);
        add_types(&handler.frontend_types, "QPBECSDFcf");
        add_types(&handler.backend_types, "123nTCIsEGWZNSK");
        handler.frontend_message = on_frontend;
        handler.backend_message = on_backend;
        handler.session_closed = on_session_closed;
    }
    struct upstream_host host = {0};
    struct url_upstream url = {0};
    struct tap_options options;
    struct tap *tap;
    if (!read_server(server_text, arena, &host, &url, &options, &err) ||
        rh_interrupt_install(&err) != RH_OK || rh_loop_new(&loop, &err) != RH_OK ||
        rh_tap_new(loop, &options, &handler, &tap, &err) != RH_OK)
        return fail(&err);
    relay.soon = rh_loop_timer_new(loop, on_soon, &relay);
    int listener_fd = listen_at(listen_text);
    if (listener_fd < 0) {
        fprintf(stderr, "cannot listen at %s: %s\n", listen_text, strerror(errno));
        return 1;
    }
    if (rh_tap_listen(tap, listener_fd, &err) != RH_OK)
        return fail(&err);
    rh_loop_set_spin(loop, spin_us);
    puts("ready");
    fflush(stdout);
    enum err_code code = rh_loop_run(loop, RH_NEVER, &err);
    print_statistics(tap, loop, &relay);
    rh_tap_free(tap);
    return code == RH_ERR_INTERRUPTED ? 0 : fail(&err);
}
