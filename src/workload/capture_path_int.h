/* A session on the path, as the files of the path see it. */
#ifndef RH_WORKLOAD_CAPTURE_PATH_INT_H
#define RH_WORKLOAD_CAPTURE_PATH_INT_H

#include "net/pg_walk.h"
#include "workload/capture_path.h"
#include "workload/session_state.h"

/* Answers of a unit that are kept back, so that a short one is one record with its end. */
#define RESULTS_KEPT 4
/* Messages that a client may have under way before we lose track of it on purpose. */
#define PENDING_MAX ((size_t)1 << 18)
/* Named portals of a session that are known; more and we no longer say what an Execute ran. */
#define PORTALS_MAX 1000
/* Texts of queries under way, all together, so that a SET among them is known. */
#define TEXTS_MAX ((size_t)64 * 1024)

/* Columns of a result whose values the server may have made. */
struct id_column {
    uint16_t place;
    bool is_binary; /* as RowDescription says; of a portal its Bind knows better */
    bool is_uuid;
    uint32_t key; /* of workload_about's keys, from 1 */
};
#define ID_KEY_FUNCTION UINT32_MAX /* nextval() and its like: the text says of what */
struct id_columns {
    unsigned count;
    struct id_column items[8]; /* by place */
};
struct id_keys;

/* A message whose answer is awaited. */
struct pending {
    unsigned char type;         /* Q P B D E C S F, and d c f of a COPY */
    uint32_t unit;              /* Q S F */
    struct prepared *statement; /* P: made; B, D, E: bound; C: taken out */
    struct prepared *replaced;  /* P */
    size_t text, text_length;   /* Q: in `texts` */
    uint64_t binary;            /* E: columns of the result, by their formats; F: the value */
    uint32_t function;          /* F: its number */
};

struct portal {
    char *name;
    struct prepared *statement;
    uint64_t binary; /* columns of the result; all bits: all of them */
};

struct reported {
    char *name, *value;
};

struct capture_session {
    struct capture_path *path;
    struct capture_session *previous, *next;
    uint32_t number;  /* in the recording; 0: not in it */
    bool wants_in;    /* is to be recorded from its next idle moment */
    bool is_shed;     /* may come back later */
    uint32_t owed;    /* the number by which it left without a word, for want of room; 0 */
    bool is_lost;     /* is not looked at any more */
    bool is_ready;    /* has authenticated */
    bool terminated;  /* the client said so */
    bool has_startup; /* the start-up packet was seen */

    struct pg_walk up, down;
    struct buf startup;          /* the packet's body */
    struct buf cut_up, cut_down; /* messages that came in several pieces */
    struct reported *reported;
    size_t reported_count;
    unsigned char key[4 + PG_CANCEL_KEY_MAX];
    size_t key_length;

    struct session_state *state;
    struct pending *pending; /* a ring */
    size_t pending_first, pending_count, pending_size;
    struct buf texts;
    struct prepared *unnamed_portal;
    uint64_t unnamed_binary;
    struct portal *portals;
    size_t portal_count;
    uint32_t last_unit;

    /* The unit being answered. */
    int64_t first_byte_us; /* 0: nothing yet */
    uint32_t step;
    bool has_failed;
    bool skips_to_sync; /* an error came, and the Sync that ends it is not there yet */
    char status;
    struct workload_result results[RESULTS_KEPT];
    size_t result_count;
    /* The result under way. */
    struct result_digest digest;
    int64_t returned;
    bool widens;                   /* its rows (model/row_digest.h); set by its first one */
    struct row_digest_stream *row; /* of a row in pieces, or widened; made when there is one */
    bool copies_in, copies_out;
    struct id_columns *columns; /* of a Q's result under way; NULL: none is looked at */
    struct capture_id *ids;     /* of the result under way */
    size_t id_count, id_capacity;
    uint32_t unit_results; /* of the unit so far */

    /* COPY FROM STDIN under way. */
    int64_t copied, left_out;
    struct capture_record *copy_record; /* reserved, being filled; within one call */
    size_t copy_length;
};

struct capture_path {
    struct capture_path_options options;
    struct row_digest_key digest_key;
    struct id_keys *id_keys; /* NULL: nothing is known of keys */
    struct capture_session *sessions;
    uint32_t last_number;
    bool is_recording, has_stopped;
    int64_t now_us, paused_at_us; /* now: of the bytes under way */
    struct capture_path_figures figures;
};

/* --- capture_path.c: records */

/* NULL: there is no room, and what follows from it was done: the session may not be recorded any
   more. The caller fills the body and commits. */
struct capture_record *rh_capture_reserve(struct capture_session *session,
                                          enum capture_record_kind kind, size_t body_length);
void rh_capture_commit(struct capture_session *session, struct capture_record *record);
void rh_capture_put(struct capture_session *session, enum capture_record_kind kind,
                    unsigned char type, unsigned flags, uint32_t extra, struct text body);
/* The session leaves the recording. */
void rh_capture_leave(struct capture_session *session, unsigned flags);
/* It can be told what it does no more. */
void rh_capture_lose(struct capture_session *session, enum capture_gap gap);
/* At an idle moment: into the recording, if that is wanted. */
void rh_capture_join(struct capture_session *session);

/* --- capture_ids.c */

/* Of keys that outlive it; NULL for none; free() it. */
struct id_keys *rh_capture_id_keys_new(const struct workload_key *keys, size_t count);
/* Of a RowDescription's body; NULL: no such column. The caller's to free(). */
struct id_columns *rh_capture_id_columns(const struct id_keys *keys, struct text description,
                                         struct text query);
/* Of a row that was counted. `binary` NULL: as `columns` say. */
void rh_capture_take_ids(struct capture_session *session, const struct id_columns *columns,
                         const uint64_t *binary, struct text row);
/* The value of a function that was called by its number: a large object's, when it made one. */
void rh_capture_take_value(struct capture_session *session, uint32_t function, bool is_binary,
                           struct text body);
/* The result is complete; called before it is added. */
void rh_capture_put_ids(struct capture_session *session, struct text tag, int64_t rows);

/* --- capture_frontend.c */

void rh_capture_frontend(struct capture_session *session, struct text bytes);
struct pending *rh_capture_front(struct capture_session *session); /* NULL: nothing is awaited */
void rh_capture_pop(struct capture_session *session);
/* Drops what the session holds of messages under way. */
void rh_capture_frontend_free(struct capture_session *session);

/* --- capture_backend.c */

void rh_capture_backend(struct capture_session *session, struct text bytes);
/* The session ends: what was answered of the unit under way. */
void rh_capture_backend_end(struct capture_session *session);

#endif
