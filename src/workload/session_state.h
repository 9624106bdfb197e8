/*
 * What a session has in it that the next statement may depend on: prepared statements, settings,
 * and what nobody can make again from outside. Kept from the first message on, whether anything is
 * recorded or not, so that a recording may begin at any time (struct workload_session, prologue).
 *
 * Fed with what the client sent, in its order, and with what the server said to it. Memory is
 * bounded; what is too much is said in rh_session_state_lacks. No I/O.
 */
#ifndef RH_WORKLOAD_SESSION_STATE_H
#define RH_WORKLOAD_SESSION_STATE_H

#include "base/text.h"

/* Of one session, all of them together. */
#define STATE_STATEMENTS_MAX 10000
#define STATE_BYTES_MAX ((size_t)16 * 1024 * 1024)
/* Texts of SET, LISTEN, PREPARE and their like: the latest of each name. */
#define STATE_COMMANDS_MAX 1000

/* A prepared statement: the body of its Parse message. Counted: freed with its last holder. */
struct prepared {
    unsigned holders;
    uint32_t length, capacity;
    void *described; /* what its holder knows of its rows: malloc'ed, freed with it; NULL */
    char body[];     /* the name, NUL, the query, NUL, the types */
};
struct prepared *rh_prepared_hold(struct prepared *prepared); /* NULL allowed */
void rh_prepared_drop(struct prepared *prepared);             /* NULL allowed */
struct text rh_prepared_query(const struct prepared *prepared);

struct session_state;
struct session_state *rh_session_state_new(void);
void rh_session_state_free(struct session_state *state);

/* --- prepared statements ---------------------------------------------------------------------
 * As the client asks for them; what the server refuses afterwards is taken back. */

/* A Parse message. Its name is the body's beginning. Both results are for the caller to drop. NULL:
   malformed, or one too many. */
struct prepared *rh_session_state_parse(struct session_state *state, struct text body,
                                        struct prepared **ret_replaced);
struct prepared *rh_session_state_find(const struct session_state *state, const char *name);
/* Takes it out; for the caller to drop. NULL: there was none. */
struct prepared *rh_session_state_close(struct session_state *state, const char *name);
/* Takes a Parse back: `before` (NULL allowed) is there again in the place of `refused`. The unnamed
   statement is gone even so: the server drops it first. */
void rh_session_state_unparse(struct session_state *state, const struct prepared *refused,
                              struct prepared *before);
/* Takes a Close back. */
void rh_session_state_unclose(struct session_state *state, struct prepared *closed);

/* --- what statements did ---------------------------------------------------------------------- */

/* A statement of `query`, the `index`th, succeeded with this command tag. */
void rh_session_state_complete(struct session_state *state, struct text query, size_t index,
                               struct text tag);
/* Most tags are of no interest here. */
static inline bool rh_session_state_wants(struct text tag)
{
    if (tag.len < 3)
        return false;
    switch (tag.data[0]) {
    case 'S': /* SET, not SELECT */
        return tag.len == 3;
    case 'R': /* RESET, ROLLBACK */
    case 'P': /* PREPARE */
    case 'C': /* CREATE, COMMIT */
    case 'L': /* LISTEN, LOAD */
        return true;
    case 'D': /* DISCARD, DEALLOCATE, DECLARE CURSOR; not DELETE */
        return tag.data[2] != 'L';
    case 'U': /* UNLISTEN, not UPDATE */
        return tag.data[1] == 'N';
    default:
        return false;
    }
}
/* The server is ready again; 'I', 'T' or 'E'. `has_failed`: something since the last time did. */
void rh_session_state_ready(struct session_state *state, char status, bool has_failed);
/* A text that calls what leaves something behind in the session (advisory locks, set_config). */
void rh_session_state_notice(struct session_state *state, struct text query);

/* --- the prologue ----------------------------------------------------------------------------- */

typedef void session_message_fn(void *context, char type, struct text body);
/* Messages that bring a new session into this one's state: commands, then prepared statements, then
   a Sync if there was any message that needs one. */
void rh_session_state_prologue(const struct session_state *state, session_message_fn *fn,
                               void *context);
/* What a prologue cannot make good, in words: "temporary tables, advisory locks"; "" for nothing.
 */
void rh_session_state_lacks(const struct session_state *state, char *out, size_t size);

#endif
