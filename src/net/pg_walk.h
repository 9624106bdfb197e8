/*
 * Walking along one direction of a connection, for those who look at bytes that are on their way
 * already: what comes next of which message. Nothing is gathered or copied but a header that was
 * cut. Half of what a framer costs (net/pg_codec.h), for it neither collects nor judges. Pure.
 */
#ifndef RH_NET_PG_WALK_H
#define RH_NET_PG_WALK_H

#include "base/text.h"

struct pg_walk { /* zeroed: at the beginning of a typed message */
    unsigned char header[5];
    unsigned char header_length;
    unsigned char type;
    bool in_body;
    bool is_lost; /* a length word was out of range: nothing can be told any more */
    uint32_t body_length, body_left;
};

struct pg_piece {
    unsigned char type;
    uint32_t body_length; /* of the whole message */
    struct text bytes;    /* of the body; lies in the input; may be empty */
    bool begins, ends;    /* the first byte is the body's first, the last one its last */
};

/* Takes the next piece off the front of *rest. False: nothing is left (or the walk is lost, and
 *rest is empty then). */
bool rh_pg_walk_next(struct pg_walk *walk, struct text *rest, struct pg_piece *ret_piece);

#endif
