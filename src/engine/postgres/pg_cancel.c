/*
 * Cancelling what a connection does. libpq opens a connection of its own for it, without a deadline
 * (minutes when nothing answers); so a thread of its own does it, which is left behind when it
 * takes too long.
 */
#include "engine/postgres/pg_connection_int.h"

#include <pthread.h>
#include <time.h>

/* A round trip or two, and a new process over there. */
#define CANCEL_MAX_S 2
/* libpq's text of what went wrong: as its manual recommends. */
#define CANCEL_ERROR_BYTES 256

static void *run(void *context)
{
    PGcancel *cancel = context;
    char ignored[CANCEL_ERROR_BYTES];

    (void)PQcancel(cancel, ignored, sizeof(ignored));
    PQfreeCancel(cancel);
    return NULL;
}

void rh_pg_cancel(PGconn *conn)
{
    PGcancel *cancel = PQgetCancel(conn);
    struct timespec until;
    pthread_t thread;

    if (!cancel)
        return;
    if (pthread_create(&thread, NULL, run, cancel) != 0) {
        PQfreeCancel(cancel);
        return;
    }
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += CANCEL_MAX_S;
    if (pthread_timedjoin_np(thread, NULL, &until) != 0)
        (void)pthread_detach(thread);
}
