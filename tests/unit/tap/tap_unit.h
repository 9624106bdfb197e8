/*
 * A tap between scripted peers, in one thread: the test sends and receives for both sides and turns
 * the loop by hand. Nothing sleeps; every wait is UNTIL(condition), which fails after five seconds.
 */
#ifndef RH_TESTS_TAP_UNIT_H
#define RH_TESTS_TAP_UNIT_H

#include "base/text.h"
#include "tap/tap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

struct peer {
    int fd;
    bool has_ended, was_reset;
    bool counts_only; /* received bytes are counted and dropped */
    bool is_deaf;     /* does not read */
    uint64_t received_total;
    struct buf received;
};

struct shown {
    bool is_backend, is_whole;
    unsigned char type;
    uint32_t body_length;
    char *body;
    size_t length;
};

struct fixture {
    struct loop *loop;
    struct tap *tap;
    char directory[32];
    char server_path[64];
    int server_listener; /* -1: the server is down */
    struct peer client, server;
    struct tap_session *session; /* the last one opened, NULL once closed */
    unsigned opened, closed, heads;
    struct shown shown[64];
    size_t shown_count; /* all; the first 64 are kept */
    bool keeps_shown;
    /* What to answer for a backend message; NULL: forward. */
    enum tap_action (*decide)(struct fixture *f, struct tap_session *session,
                              const struct pg_message *message);
    /* The same for frontend messages of a handler that decides ("+QPX"). */
    enum tap_action (*decide_frontend)(struct fixture *f, struct tap_session *session,
                                       const struct pg_message *message);
    void (*look)(struct fixture *f, struct tap_session *session, const struct pg_message *message);
    void *mine;
};

/* types: what the handler asks for ("" and NULL: no callback at all). A client is connected
 * already. */
void fixture_open(struct fixture *f, const char *frontend_types, const char *backend_types,
                  size_t collect_max);
/* The same with a handler of the test's own; its context and session callbacks are filled in. */
void fixture_open_handler(struct fixture *f, const struct tap_handler *handler);
void fixture_add_types(struct pg_type_set *set, const char *types); /* '-' is the start-up packet */
void fixture_close(struct fixture *f);
void fixture_turn(struct fixture *f);
void fixture_stop_server(struct fixture *f);
void fixture_listen(struct fixture *f, int backlog);
int64_t fixture_deadline(void);
void fixture_check_deadline(int64_t deadline_us, const char *what);

/* A new client on a socket pair. */
void peer_connect(struct fixture *f, struct peer *peer);
void peer_close(struct peer *peer);
void peer_send(struct peer *peer, struct text bytes);
/* Bytes that the other side has not read yet. */
size_t peer_unread(const struct peer *peer);
/* Sends what the kernel takes. */
size_t peer_offer(struct peer *peer, struct text bytes);
void peer_pull(struct peer *peer);
bool peer_has(const struct peer *peer, struct text bytes);
void peer_forget(struct peer *peer);

#define START "\0\0\0\x11\0\3\0\0user\0me\0\0"
#define UNTIL(f, condition)                                                       \
    for (int64_t deadline_us = fixture_deadline(); !(condition); fixture_turn(f)) \
    fixture_check_deadline(deadline_us, #condition)
/* Sends the start-up packet and waits for the session; the server's received bytes are forgotten.
 */
void fixture_start(struct fixture *f);

#endif
