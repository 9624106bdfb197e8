/*
 * A conversation: one session's extended and simple query protocol, followed from both sides, told
 * as statements that begin and end. Pure bookkeeping: no I/O, no clock, knows neither tap nor
 * server.
 *
 * Units are what the client asked for and the server has not answered yet, oldest first:
 *
 *     forwarded ->  [Parse][Bind][Execute][Sync]  ... [Query]   <- answered from the front
 *
 * A simple Query is one statement and lasts until its ReadyForQuery; an Execute is one until its
 * CommandComplete (a portal resumed after PortalSuspended goes on as the same statement). A
 * statement begins when nothing that runs is ahead of it: with the first message of its own group
 * (Parse or Bind may already wait for a lock), never before the one ahead ended. An error makes the
 * server drop everything up to the next Sync: so do we, and what was dropped never was a statement.
 *
 * Source: PostgreSQL 18 manual, "Message Flow" (simple, extended, pipelining, COPY operations).
 * Memory is bounded: CONVERSATION_UNITS_MAX units, CONVERSATION_PREPARED_MAX prepared statements
 * and portals, CONVERSATION_TEXT_MAX bytes of their text; whatever is beyond makes the conversation
 * lost, or the text short.
 */
#ifndef RH_TRACE_CONVERSATION_H
#define RH_TRACE_CONVERSATION_H

#include "base/text.h"
#include "net/pg_codec.h"

#include <stdbool.h>
#include <stdint.h>

#define CONVERSATION_UNITS_MAX (1u << 18)
#define CONVERSATION_PREPARED_MAX 10000u
#define CONVERSATION_TEXT_MAX (16u * 1024 * 1024)

struct conversation;

struct conversation_statement {
    struct text sql;   /* as sent, perhaps cut; valid during the call */
    int64_t sql_bytes; /* full length */
    bool extended;
    int64_t start_us;
};

/* All required. Times are those given with the message. */
struct conversation_handler {
    void *context;
    /* Returns a token (>= 0) that names the statement when a suspended portal goes on. */
    int (*begun)(void *context, const struct conversation_statement *statement);
    /* A suspended portal's statement goes on. */
    void (*resumed)(void *context, int token);
    /* One command of the running statement completed; several in a multi-statement string. `tag` is
       without counts and empty for an empty query; rows -1 where the tag has none. */
    void (*completed)(void *context, struct text tag, int64_t rows, int64_t at_us);
    /* The server's ErrorResponse. has_statement is false when none runs: it then concerns the
       statements since the last ReadyForQuery (a COMMIT implied by Sync), or the session. */
    void (*failed)(void *context, const struct pg_message *error, bool has_statement,
                   int64_t at_us);
    /* The running statement ended; suspended: its portal may go on. */
    void (*ended)(void *context, bool ok, bool suspended, int64_t at_us);
    /* ReadyForQuery. pipelined: more was already forwarded behind it. */
    void (*ready)(void *context, char status, bool pipelined, int64_t at_us);
};

struct conversation *rh_conversation_new(const struct conversation_handler *handler);
void rh_conversation_free(struct conversation *conversation);

/* Every message in the order forwarded; types it does not know are ignored. */
void rh_conversation_frontend(struct conversation *conversation, const struct pg_message *message,
                              int64_t at_us);
void rh_conversation_backend(struct conversation *conversation, const struct pg_message *message,
                             int64_t at_us);

/* Types that must be shown to it. */
void rh_conversation_types(struct pg_type_set *frontend, struct pg_type_set *backend);

bool rh_conversation_is_running(const struct conversation *conversation); /* a statement runs */
bool rh_conversation_is_lost(const struct conversation *conversation);    /* a cap was passed */

#endif
