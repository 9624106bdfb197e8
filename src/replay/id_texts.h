/*
 * Where statements say generated values: which parameters and which constants of a text are
 * compared with, or assigned to, a column that holds them; and messages with the values of the
 * recording turned into messages with those of the target. Pure.
 *
 * Looked into are parameters of Bind in both formats, arrays of them, constants in the texts of
 * Query and Parse, and large objects in FunctionCall. Where a client declared a parameter as
 * smallint, because the value was small, Parse says bigint: the target's value may be larger. The
 * text is parsed once for all of its shape.
 */
#ifndef RH_REPLAY_ID_TEXTS_H
#define RH_REPLAY_ID_TEXTS_H

#include "replay/id_map.h"

/* Shapes of texts that are known; values in others stay as they are. */
#define ID_TEXTS_MAX ((size_t)65536)

struct id_texts;
struct id_texts *rh_id_texts_new(const struct id_map *map);
void rh_id_texts_free(struct id_texts *texts); /* NULL allowed */

/* What a text says, by domain (0: nothing); lives as long as `texts`. */
struct id_text {
    const uint32_t *parameters, *constants;
    size_t parameter_count, constant_count;
    bool has_parameters, has_constants;
};
/* NULL: there are no such values in it. */
const struct id_text *rh_id_texts_find(struct id_texts *texts, struct text query);

/* Statements that a session has prepared, by name. */
struct id_statement {
    const struct id_text *text;
    uint64_t widened; /* parameters whose type was made larger: the first 64 */
};
struct id_session;
struct id_session *rh_id_session_new(void);
void rh_id_session_free(struct id_session *session); /* NULL allowed */

/* A frontend message that goes into a session, in its order. Types in a Parse's body are changed in
   place. Text NULL: nothing in it has to be turned. */
struct id_statement rh_id_session_take(struct id_session *session, struct id_texts *texts,
                                       unsigned char type, char *body, size_t length);

struct id_counts {
    int64_t mapped; /* values that the map knew */
    int64_t moved;  /* of these, other than the recorded ones */
    /* Made since the recording began, and nobody has told what for; or larger than its place. */
    int64_t unknown;
    bool has_any, is_awaited; /* the map has heard of one; one is expected */
    bool is_malformed;        /* a Bind that cannot be read: it stays as it is */
};
/* Looks at the values of a message; `unknown` is only of those that the map has not heard of. */
struct id_counts rh_id_message_look(const struct id_map *map, const struct id_statement *statement,
                                    unsigned char type, struct text body);
/* Appends the body with the target's values. */
struct id_counts rh_id_message_turn(const struct id_map *map, const struct id_statement *statement,
                                    unsigned char type, struct text body, struct buf *out);

#endif
