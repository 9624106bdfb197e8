/*
 * What the path of a capture tells its recorder: records in a ring, in the order in which things
 * happened. Written by capture_path.c and its like, read by capture_recorder.c, in one process.
 */
#ifndef RH_WORKLOAD_CAPTURE_RECORD_H
#define RH_WORKLOAD_CAPTURE_RECORD_H

#include "model/workload.h"

enum capture_record_kind {
    /* A session begins: its texts (struct capture_hello), then its prologue's messages, then
       itself. */
    RECORD_HELLO,
    RECORD_PROLOGUE, /* as RECORD_MESSAGE, of the prologue */
    RECORD_BEGUN,    /* flags: RECORD_IS_MIDWAY */
    RECORD_MESSAGE,  /* of the client: `type`, its body; `extra`: see below */
    /* Body: 8 bytes, how many are missing. `type` d: a CopyData message of its own, behind the
       others; else of the next message, which was cut. */
    RECORD_LEFT_OUT,
    RECORD_RESULTS, /* of the unit under way: struct workload_result, one or more */
    RECORD_ANSWER,  /* struct capture_answer, then results as above: the unit is over */
    RECORD_CANCEL,
    RECORD_ENDED,   /* flags: RECORD_WAS_CUT, RECORD_IS_GAP */
    RECORD_IDS,     /* of the unit under way: struct capture_id, one or more; before its results */
    RECORD_ENCODING /* the client's from here on: its name, and a NUL */
};

#define RECORD_IS_MIDWAY 1u
#define RECORD_WAS_CUT 2u
#define RECORD_IS_GAP 4u  /* the session lives on, but not in the recording */
#define RECORD_IN_UNIT 8u /* Q, S, F: `extra` is the number of the unit it ends */

struct capture_record {
    uint32_t body_length; /* the body follows, then padding up to 8 bytes */
    uint8_t kind;         /* enum capture_record_kind */
    uint8_t type;
    uint16_t flags;
    uint32_t session;
    uint32_t extra;
    int64_t at_us; /* since the workload began */
};
#define RECORD_HEAD_BYTES 24u
_Static_assert(sizeof(struct capture_record) == RECORD_HEAD_BYTES, "no holes");

static inline size_t rh_capture_record_size(size_t body_length)
{
    return (RECORD_HEAD_BYTES + body_length + 7) & ~(size_t)7;
}

/* The body of RECORD_HELLO: texts with a NUL behind each: user, database, what it lacks; then
   `startup_count` and `reported_count` pairs of name and value. */
struct capture_hello {
    uint32_t startup_count, reported_count;
};

/* In results, `pattern` is the place of what was executed among the messages of its unit that are
   answered (P, B, D, C, E), or among the statements of a Q: 0, 1, ... */
struct capture_answer {
    int64_t first_byte_us;
    uint32_t unit;
    char status; /* 0: the session ended instead */
};

/* A value that the server made. */
struct capture_id {
    uint32_t result, row, column; /* as in struct workload_id */
    uint32_t key;                 /* as there; UINT32_MAX: the text's nextval() or the like */
    uint32_t step;                /* the place of what was executed, as in results */
    bool is_binary;
    uint8_t length;
    char value[WORKLOAD_ID_BYTES_MAX + 2]; /* as text */
};
_Static_assert(sizeof(struct capture_id) == 60, "no holes");
/* Of one result: a batch of an ORM's inserts. Beyond, values are not known. */
#define CAPTURE_IDS_MAX 4096

/* A body at most; what is longer is cut. */
#define CAPTURE_MESSAGE_MAX ((size_t)4 * 1024 * 1024)
#define CAPTURE_RECORD_MAX (RECORD_HEAD_BYTES + CAPTURE_MESSAGE_MAX + 8)

#endif
