/*
 * Production, opened to be copied: one session, read only, in one transaction whose snapshot all
 * others share; its catalogue; and, before anything is read, whether the role may read everything.
 */
#ifndef RH_SNAPSHOT_SOURCE_H
#define RH_SNAPSHOT_SOURCE_H

#include "base/progress.h"
#include "engine/engine.h"
#include "net/dial.h"

struct source_open_options {
    const struct engine *engine;
    struct connection_parameters connection; /* url: the user's */
    const struct upstream *upstream;         /* the same for the tap; NULL: plain */
    struct source_options session;
    bool no_large_objects; /* they need not be readable */
    struct progress *progress;
};

struct source {
    const struct engine *engine;
    struct connection *connection; /* owned */
    struct connection_place place;
    struct upstream upstream; /* of that one server, with the URL's TLS */
    struct upstream_host host;
    struct source_facts facts;
    struct catalog catalog;
    struct source_lacks lacks; /* also when opening failed for them */
    const char *name;          /* "standby db2:5432/shop" */
    struct mono began_at;      /* of its transaction */
};

/* Everything lies in `arena`, and *ret_source stays where it is. RH_ERR_ENVIRONMENT when the role
   may not read all of it: ret_source's lacks say what, with the statement that helps. Blocking. */
enum err_code rh_source_open(const struct source_open_options *options, struct arena *arena,
                             struct source *ret_source, struct err *err) RH_MUST_CHECK;
/* Ends its transaction; a zeroed source is allowed. */
void rh_source_close(struct source *source);
/* How long its snapshot has kept vacuum waiting, so far. */
int64_t rh_source_age_us(const struct source *source);

#endif
