/*
 * A database that is to be copied and must not notice: what a session of ours there says first,
 * what it lacks to read everything, and where it has ended up. Nothing in here writes.
 */
#ifndef RH_ENGINE_SOURCE_H
#define RH_ENGINE_SOURCE_H

#include "base/arena.h"

#include <stdbool.h>
#include <stdint.h>

/* How a connection got to its server, so that others reach the same one. Holds the password: never
   shown. Texts are NULL where there is none. */
struct connection_place {
    bool is_socket;
    const char *host; /* as the URL has it, of several the one that answered; socket: directory */
    const char *address; /* numeric; NULL of a socket */
    uint16_t port;
    const char *user, *password, *database;
    const char *options; /* of the session, as the URL has them */
};

struct source_options {
    int64_t lock_timeout_us;
};

/* What the transaction that was begun can say of itself. Arena of the asker. */
struct source_facts {
    const char *snapshot; /* for those who are to see the same: "00000003-0000001B-1" */
    const char *role;     /* bare */
    bool is_standby, is_superuser;
    bool checks_client; /* the server can notice that a client is gone while it computes (14+) */
};

/* Something that the role may not read, so that a copy would fail or be short of rows. */
struct source_lack {
    const char *what;     /* "schema billing", "table public.users: row security hides rows ..." */
    const char *remedy;   /* one statement: "GRANT USAGE ON SCHEMA billing TO reader;" */
    bool is_large_object; /* a copy can be made without them */
};
struct source_lacks {
    VEC(struct source_lack) items;
};

#endif
