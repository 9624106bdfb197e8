/*
 * What opening a connection (pg_connect.c) and talking on it (pg_connection.c) share.
 */
#ifndef RH_ENGINE_POSTGRES_PG_CONNECTION_INT_H
#define RH_ENGINE_POSTGRES_PG_CONNECTION_INT_H

#include "engine/engine.h"

#include <libpq-fe.h>

/*
 * libpq takes what it is not told from PG* in the environment (manual, "Environment Variables"),
 * and empty values do not stop it: nothing of ours may come from there, so it is out of sight
 * meanwhile.
 */
#define PG_ENVIRONMENT_MAX 64 /* variables; libpq 15 knows 37 */
struct hidden_environment {
    char *items[PG_ENVIRONMENT_MAX];
    size_t count;
};

void rh_pg_hide_environment(struct hidden_environment *hidden);
void rh_pg_restore_environment(struct hidden_environment *hidden);

/* Takes `conn`: connected, non-blocking, silent. */
struct connection *rh_pg_connection_new(PGconn *conn);
/* NULL for what is not set; a copy in `arena`. */
const char *rh_pg_option_value(const PQconninfoOption *options, const char *keyword,
                               struct arena *arena);
/* libpq's messages: the first line says what happened, the others guess why. */
struct text rh_pg_first_line(const char *message);
/* poll() for `events` until the deadline, the run's own one or the user's interrupt. */
enum err_code rh_pg_wait_socket(PGconn *conn, short events, struct mono deadline,
                                struct err *err) RH_MUST_CHECK;
/* Asks the server to end the statement under way; it may be done already. Blocking, for at most two
   seconds; nobody says whether it worked. */
void rh_pg_cancel(PGconn *conn);

#endif
