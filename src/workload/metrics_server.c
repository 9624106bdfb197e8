#include "workload/metrics_server.h"

#include "net/listen.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

struct client {
    struct metrics_server *server;
    int fd; /* -1: free */
    struct loop_watch *watch;
    struct loop_timer *deadline;
    struct buf request, answer;
    size_t sent;
    bool is_answered;
};

struct door {
    struct metrics_server *server;
    int fd;
    struct loop_watch *watch;
};

struct metrics_server {
    struct loop *loop;
    struct metrics_handler handler;
    struct listen_sockets sockets;
    struct door doors[LISTEN_SOCKETS_MAX];
    struct client clients[METRICS_CLIENTS_MAX];
};

/* --- clients ---------------------------------------------------------------------------------- */

static void end_client(struct client *client)
{
    if (client->fd < 0)
        return;
    rh_loop_watch_free(client->watch);
    rh_loop_timer_free(client->deadline);
    rh_buf_deinit(&client->request);
    rh_buf_deinit(&client->answer);
    close(client->fd);
    client->fd = -1;
}

static void on_deadline(void *context)
{
    end_client(context);
}

static void put_answer(struct client *client, const char *status, struct text body)
{
    rh_buf_printf(&client->answer,
                  "HTTP/1.0 %s\r\nContent-Type: text/plain; version=0.0.4\r\n"
                  "Content-Length: %zu\r\nConnection: close\r\n\r\n",
                  status, body.len);
    rh_buf_add_text(&client->answer, body);
    client->is_answered = true;
    rh_loop_watch_set(client->watch, LOOP_WRITABLE);
}

static void put_page(struct client *client)
{
    const struct metrics_handler *handler = &client->server->handler;
    RH_CLEANUP_BUF struct buf page;

    rh_buf_init(&page, METRICS_PAGE_BYTES_MAX);
    handler->page(handler->context, &page);
    put_answer(client, "200 OK", rh_buf_text(&page));
}

static void put_command(struct client *client, const char *name)
{
    const struct metrics_handler *handler = &client->server->handler;
    const char *why_not = handler->command(handler->context, name);

    if (why_not)
        put_answer(client, "409 Conflict", rh_text(why_not));
    else
        put_answer(client, "200 OK", TEXT_LITERAL("done\n"));
}

static void answer(struct client *client)
{
    struct text request = rh_buf_text(&client->request);

    if (rh_text_starts_with(request, "GET /metrics ") ||
        rh_text_starts_with(request, "GET /metrics?"))
        put_page(client);
    else if (rh_text_starts_with(request, "POST /start "))
        put_command(client, "start");
    else if (rh_text_starts_with(request, "POST /stop "))
        put_command(client, "stop");
    else if (rh_text_starts_with(request, "GET ") || rh_text_starts_with(request, "POST "))
        put_answer(client, "404 Not Found", TEXT_LITERAL("GET /metrics, POST /start, /stop\n"));
    else
        put_answer(client, "400 Bad Request", TEXT_LITERAL("bad request\n"));
}

static void read_request(struct client *client)
{
    char bytes[1024];
    ssize_t got = recv(client->fd, bytes, sizeof(bytes), MSG_DONTWAIT);

    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
        return;
    if (got <= 0) {
        end_client(client);
        return;
    }
    rh_buf_add(&client->request, bytes, (size_t)got);
    if (client->request.failed)
        put_answer(client, "400 Bad Request", TEXT_LITERAL("the request is too long\n"));
    else if (memmem(client->request.data, client->request.len, "\r\n\r\n", 4) ||
             memmem(client->request.data, client->request.len, "\n\n", 2))
        answer(client);
}

static void write_answer(struct client *client)
{
    ssize_t sent = send(client->fd, client->answer.data + client->sent,
                        client->answer.len - client->sent, MSG_NOSIGNAL | MSG_DONTWAIT);

    if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
        return;
    if (sent > 0)
        client->sent += (size_t)sent;
    if (sent < 0 || client->sent == client->answer.len)
        end_client(client);
}

static void on_client(void *context, unsigned events)
{
    struct client *client = context;

    (void)events;
    if (client->is_answered)
        write_answer(client);
    else
        read_request(client);
}

static void begin_client(struct metrics_server *server, int fd)
{
    struct err err = RH_ERR_INIT;
    struct client *client = server->clients;

    while (client < server->clients + METRICS_CLIENTS_MAX && client->fd >= 0)
        client++;
    if (client == server->clients + METRICS_CLIENTS_MAX) {
        close(fd);
        return;
    }
    *client = (struct client){.server = server, .fd = fd};
    if (rh_loop_watch_new(server->loop, fd, on_client, client, &client->watch, &err) != RH_OK) {
        close(fd);
        client->fd = -1;
        return;
    }
    rh_buf_init(&client->request, METRICS_REQUEST_BYTES_MAX);
    rh_buf_init(&client->answer, METRICS_PAGE_BYTES_MAX + 1024);
    client->deadline = rh_loop_timer_new(server->loop, on_deadline, client);
    rh_loop_timer_start(client->deadline, METRICS_CLIENT_US, 0);
    rh_loop_watch_set(client->watch, LOOP_READABLE);
}

static void on_door(void *context, unsigned events)
{
    const struct door *door = context;
    int fd = accept4(door->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    (void)events;
    if (fd >= 0)
        begin_client(door->server, fd);
}

/* --- the server ------------------------------------------------------------------------------- */

void rh_metrics_server_free(struct metrics_server *server)
{
    if (!server)
        return;
    for (size_t i = 0; i < METRICS_CLIENTS_MAX; i++)
        end_client(&server->clients[i]);
    for (size_t i = 0; i < server->sockets.count; i++) {
        rh_loop_watch_free(server->doors[i].watch);
        close(server->sockets.fds[i]);
    }
    rh_listen_remove(&server->sockets);
    free(server);
}

enum err_code rh_metrics_server_new(struct loop *loop, const char *address,
                                    const struct metrics_handler *handler,
                                    struct metrics_server **ret_server, struct err *err)
{
    struct metrics_server *server = calloc(1, sizeof(*server));
    enum err_code code;

    if (!server)
        RH_PANIC("out of memory (%zu bytes)", sizeof(*server));
    server->loop = loop;
    server->handler = *handler;
    for (size_t i = 0; i < METRICS_CLIENTS_MAX; i++)
        server->clients[i].fd = -1;
    code = rh_listen_open(address, &server->sockets, err);
    for (size_t i = 0; !code && i < server->sockets.count; i++) {
        struct door *door = &server->doors[i];

        *door = (struct door){.server = server, .fd = server->sockets.fds[i]};
        code = rh_loop_watch_new(loop, door->fd, on_door, door, &door->watch, err);
        if (!code)
            rh_loop_watch_set(door->watch, LOOP_READABLE);
    }
    if (code) {
        rh_err_while(err, "while opening the address of --metrics");
        rh_metrics_server_free(server);
        return code;
    }
    *ret_server = server;
    return RH_OK;
}
