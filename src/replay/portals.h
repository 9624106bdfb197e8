/*
 * Which portals of a session give columns in binary format, as its Binds ask: of their rows other
 * digests are made (model/row_digest.h). Fed with the client's messages in their order. A capture
 * keeps as many named ones (workload/capture_path_int.h); of more it says text, and so does this.
 * Pure.
 */
#ifndef RH_REPLAY_PORTALS_H
#define RH_REPLAY_PORTALS_H

#include "base/text.h"

#define PORTALS_BINARY_MAX 1000

struct portals { /* zero: none */
    bool unnamed_is_binary;
    char **names; /* that are binary */
    size_t count;
};
void rh_portals_deinit(struct portals *portals);

/* A message's type and body: Bind and Close tell; others pass. */
void rh_portals_take(struct portals *portals, unsigned char type, struct text body);
/* Of an Execute's body. */
bool rh_portals_is_binary(const struct portals *portals, struct text execute);

#endif
