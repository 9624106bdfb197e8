/* What encoder and decoder agree on; both go through it in step. */
#ifndef RH_STORE_EVENT_CODEC_INT_H
#define RH_STORE_EVENT_CODEC_INT_H

#include "store/event_codec.h"
#include "store/workload_file.h"

enum section { SECTION_SHAPE, SECTION_TIME, SECTION_VALUE, SECTION_DIGEST, SECTION_COUNT };

/* First byte of an event: its kind, and what need not be said. */
#define SHAPE_KIND 0x07u
#define SHAPE_SAME_SESSION 0x08u /* as the event before */
#define SHAPE_NEXT_REQUEST 0x10u /* REQUEST: the session's next; ANSWER, CANCEL: its last */
#define SHAPE_EXPECTED 0x20u     /* ANSWER: one result for each execution of that request */
#define SHAPE_IDLE 0x40u         /* ANSWER: the transaction status is I */
#define SHAPE_IDS 0x80u          /* ANSWER: ids behind the results */
#define SHAPE_CUT 0x20u          /* SESSION_ENDED */
#define SHAPE_MIDWAY 0x20u       /* SESSION_BEGUN */

/* First byte of a message: the place of its type in WORKLOAD_MESSAGE_TYPES, times 16, and these. */
#define MESSAGE_HAS_PATTERN 0x01u
#define MESSAGE_IS_LIKE 0x02u /* begins and ends as the last one in its slot */
#define MESSAGE_LEFT_OUT 0x04u
#define MESSAGE_REDACTED 0x08u

/* First byte of a result. */
#define RESULT_NO_TAG_ROWS 0x01u   /* rows is -1 */
#define RESULT_ROWS_RETURNED 0x02u /* rows is what was returned */
#define RESULT_NONE_RETURNED 0x04u
#define RESULT_FAILED 0x08u
#define RESULT_SUSPENDED 0x10u
#define RESULT_DIGEST 0x20u
#define RESULT_DERIVED 0x40u /* the ordered digest follows from the other one */
#define RESULT_PATTERN 0x80u /* said, not expected */

/* First byte of an id. */
#define ID_BINARY 0x01u
#define ID_SAME_RESULT 0x02u /* as the id before: of its result, column and key; the next row */

#define SQLSTATE_CHARACTERS 5

/*
 * The last body of each pattern. Bodies beyond the cap are left to the compressor; slots are shared
 * by what falls into the same one, which costs a few bytes and no correctness. 4 MB.
 */
#define LIKE_SLOTS 1024
#define LIKE_BYTES_MAX 4096

/* The last request of a session, in a slot that sessions share in the same way. */
#define SESSION_SLOTS 4096
#define EXPECTED_MAX 16
struct session_slot {
    uint64_t session, request;
    uint32_t patterns[EXPECTED_MAX]; /* of what it executes */
    unsigned pattern_count;          /* EXPECTED_MAX + 1: more than that, nothing is expected */
};

struct codec_state {
    int64_t at_us;
    uint64_t session;
    struct session_slot sessions[SESSION_SLOTS];
    uint32_t like_length[LIKE_SLOTS];
    unsigned char like[LIKE_SLOTS][LIKE_BYTES_MAX];
};

struct codec_state *rh_codec_state_new(void);
void rh_codec_state_clear(struct codec_state *state);
/* Of a session that has none, and takes the slot over. */
struct session_slot *rh_codec_session(struct codec_state *state, uint64_t session);
void rh_codec_expect(struct session_slot *slot, const struct workload_event *request);
/* The slot of a message; `body` as far as its first two strings are concerned. */
unsigned rh_codec_like_slot(unsigned char type, uint32_t pattern, const unsigned char *body,
                            size_t length);
void rh_codec_remember(struct codec_state *state, unsigned slot, const void *body, size_t length);

static inline bool rh_codec_executes(unsigned char type)
{
    return type == 'Q' || type == 'E' || type == 'F';
}

#endif
