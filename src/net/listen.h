/*
 * Listening sockets by an address as a person writes it: "127.0.0.1:6432", "[::1]:6432",
 * "localhost:6432", ":6432" (every address), "unix:/run/rehearse/.s.PGSQL.6432" or that path alone.
 *
 * Made so that a new process can take over while the old one goes on: TCP sockets share their port
 * (SO_REUSEPORT), a Unix socket is made under another name and put in place, so that nobody finds
 * it missing. Blocking where a name has to be looked up.
 */
#ifndef RH_NET_LISTEN_H
#define RH_NET_LISTEN_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* A name may stand for several addresses, as "localhost" does. */
#define LISTEN_SOCKETS_MAX 8

struct listen_sockets {
    int fds[LISTEN_SOCKETS_MAX]; /* listening, non-blocking; the caller's */
    size_t count;
    char path[108]; /* of a Unix socket; "" */
    dev_t device;   /* of that socket, as we made it */
    ino_t inode;
};

/* Whether it means a Unix socket. */
bool rh_listen_is_path(const char *address);
/* RH_ERR_USAGE: no address, or one that cannot be had. */
enum err_code rh_listen_open(const char *address, struct listen_sockets *ret_sockets,
                             struct err *err) RH_MUST_CHECK;
/* Whether it could be opened, without anybody being able to connect meanwhile: a port that another
   process shares stays its own. The same errors. */
enum err_code rh_listen_check(const char *address, struct err *err) RH_MUST_CHECK;
/* From now on new connections go to the newest socket of the port, if there are others: for the
   moment before one's own are closed, whose waiting connections would be reset. TCP alone. */
void rh_listen_yield(const struct listen_sockets *sockets);
/* Removes the Unix socket, unless somebody else has put his own in its place. Closes nothing. */
void rh_listen_remove(const struct listen_sockets *sockets);

#endif
