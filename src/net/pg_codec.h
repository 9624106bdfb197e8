/*
 * PostgreSQL frontend/backend protocol, versions 3.0 and 3.2: framing and message bodies. Pure: no
 * I/O, no clock, no globals. Fed any bytes at any split, it never reads past them and never grows:
 * a body is collected only where the caller asked for that message type, up to a cap.
 *
 * Sources: PostgreSQL 18 manual, chapter "Frontend/Backend Protocol" (message formats).
 * It does not authenticate, encrypt, or keep session state.
 */
#ifndef RH_NET_PG_CODEC_H
#define RH_NET_PG_CODEC_H

#include "base/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Untyped first packets of the frontend. */
#define PG_PROTOCOL_3_0 196608u  /* 3 << 16 */
#define PG_PROTOCOL_3_2 196610u  /* since PostgreSQL 18 */
#define PG_CODE_CANCEL 80877102u /* 1234 << 16 | 5678 */
#define PG_CODE_SSL 80877103u    /* 1234 << 16 | 5679 */
#define PG_CODE_GSSENC 80877104u /* 1234 << 16 | 5680 */

/*
 * A length word counts itself: 4 .. 0x7fffffff. The body of a start-up packet, behind its length
 * word: 4 (the code) .. 10000 (MAX_STARTUP_PACKET_LENGTH in PostgreSQL's
 * src/include/libpq/pqcomm.h, compared after 4 was taken off, as ProcessStartupPacket does).
 */
#define PG_STARTUP_PACKET_MAX 10000u
/* Secret keys of BackendKeyData and CancelRequest are opaque: 4 bytes in 3.0, up to 256 in 3.2. */
#define PG_CANCEL_KEY_MIN 4u
#define PG_CANCEL_KEY_MAX 256u

enum pg_direction { PG_FRONTEND, PG_BACKEND };

/* A set of message types ('A'..'z'; bit 0 stands for the untyped start-up packet, type 0). */
struct pg_type_set {
    uint64_t bits[4];
};
static inline void rh_pg_type_set_add(struct pg_type_set *set, unsigned char type)
{
    set->bits[type >> 6] |= UINT64_C(1) << (type & 63);
}
static inline bool rh_pg_type_set_has(const struct pg_type_set *set, unsigned char type)
{
    return (set->bits[type >> 6] >> (type & 63)) & 1;
}

struct pg_message {
    unsigned char type;   /* 0: start-up packet */
    uint32_t body_length; /* full length of the body, length word excluded */
    struct text body; /* what was collected: whole, or the first `collect_max` bytes; it lies in the
                         input or in the framer, until the next call. No NUL behind it. */
    bool is_whole;    /* body holds all of it */
};

/*
 * One direction of one connection. Inside a message `header` is complete (header_length is what the
 * kind of packet needs) and body_left counts down to the MESSAGE event; between messages
 * header_length counts up to the HEAD event.
 */
struct pg_framer {
    enum pg_direction direction;
    bool expects_startup;        /* the next frontend packet is untyped */
    struct pg_type_set collect;  /* bodies wanted */
    size_t collect_max;          /* bytes of a body kept */
    struct pg_type_set streamed; /* given in parts by rh_pg_framer_part; empty after init */
    /* private state */
    bool in_body, is_lost;
    unsigned char header[5];
    unsigned header_length;
    uint32_t body_left;
    uint32_t startup_code; /* of the start-up packet under way, gathered byte by byte */
    struct pg_message current;
    struct buf collected;
};

enum pg_frame_event {
    PG_FRAME_MORE,    /* all bytes consumed, no event left: feed the next bytes */
    PG_FRAME_HEAD,    /* a message starts: type and body_length are known; its body follows */
    PG_FRAME_MESSAGE, /* a message ended: body as collected */
    PG_FRAME_INVALID  /* length word out of range, or type byte impossible: the stream is lost */
};

void rh_pg_framer_init(struct pg_framer *framer, enum pg_direction direction,
                       const struct pg_type_set *collect, size_t collect_max);
void rh_pg_framer_deinit(struct pg_framer *framer);
/*
 * Consumes bytes of `input` up to the next event and says how many (*ret_used). HEAD comes before
 * any byte of the body is consumed, right after the header; every message gives HEAD then MESSAGE
 * (an empty body gives MESSAGE without consuming anything, so call until MORE). After SSLRequest
 * and GSSENCRequest the framer expects a start-up packet again. INVALID is for ever: nothing is
 * consumed any more.
 */
enum pg_frame_event rh_pg_framer_next(struct pg_framer *framer, struct text input, size_t *ret_used,
                                      struct pg_message *ret_message);
/*
 * Consumes, without events, what no one asked for: the rest of a body that is not collected and the
 * messages behind it that are not in `collect` and lie wholly in the input. Returns the bytes
 * consumed. For callers that do not count heads: a result set costs a few instructions per row.
 */
size_t rh_pg_framer_skip(struct pg_framer *framer, struct text input);
/*
 * Consumes one message that lies wholly at the start of the input, HEAD and MESSAGE in one (its
 * body is shown as MESSAGE shows it), and returns its length with the header; 0, and nothing
 * consumed, when rh_pg_framer_next has to look. Most messages come so, and cost half of what the
 * two events do.
 */
size_t rh_pg_framer_take(struct pg_framer *framer, struct text input,
                         struct pg_message *ret_message);
/*
 * What lies in one input of the body of a message of a type in `streamed`. CopyData is a stream of
 * bytes whose boundaries mean nothing ("COPY Operations"), so the bodies of CopyData messages that
 * follow each other are joined to one part; a part of any other type belongs to one message.
 */
struct pg_part {
    unsigned char type;
    uint32_t body_length; /* of the message that the first byte belongs to */
    struct text bytes;    /* lies in the input; may be empty */
    bool begins, ends; /* the first byte is the first of a message, the last one the last of one */
};
/*
 * Consumes the part at the start of the input and returns how many bytes, headers included; 0, and
 * nothing consumed, when what comes next is of no type in `streamed`: rh_pg_framer_next has to
 * look. The input is overwritten: bodies are moved together. has_part is false when only bytes of a
 * header were consumed. Callers with a `streamed` set call this before take and next.
 */
size_t rh_pg_framer_part(struct pg_framer *framer, char *input, size_t input_length,
                         bool *ret_has_part, struct pg_part *ret_part);
/* Between two messages: nothing of the next one was consumed yet. */
static inline bool rh_pg_framer_is_between(const struct pg_framer *framer)
{
    return !framer->in_body && framer->header_length == 0;
}

/* --- bodies: each returns false when the body is malformed; results point into it ---------------
 */

struct pg_reader { /* bounds-checked cursor; sticky `failed` */
    struct text rest;
    bool failed;
};
uint8_t rh_pg_read_u8(struct pg_reader *reader);
uint16_t rh_pg_read_u16(struct pg_reader *reader);
uint32_t rh_pg_read_u32(struct pg_reader *reader);
const char *rh_pg_read_string(struct pg_reader *reader); /* NUL-terminated, "" when failed */
struct text rh_pg_read_bytes(struct pg_reader *reader, size_t len);

/* ErrorResponse and NoticeResponse: calls back per field code (severity 'S', 'V', code 'C', ...).
 */
typedef void pg_field_fn(void *context, char code, const char *value);
bool rh_pg_decode_fields(struct text body, pg_field_fn *fn, void *context);

struct pg_startup {
    uint32_t code;                                  /* a protocol version or one of PG_CODE_* */
    const char *user, *database, *application_name; /* NULL for absent */
};
bool rh_pg_decode_startup(struct text body, struct pg_startup *ret_startup);
struct pg_parse_message {
    const char *statement, *query;
};
bool rh_pg_decode_parse(struct text body, struct pg_parse_message *ret_parse);
struct pg_bind_message {
    const char *portal, *statement;
};
bool rh_pg_decode_bind(struct text body, struct pg_bind_message *ret_bind);
/* Of what lies behind a Bind's names: the columns of its result that are asked for in binary
   format, as bits from the lowest; beyond the 64th none is told, but for all bits: then it is all
   columns. 0 when malformed. */
uint64_t rh_pg_bind_binary_columns(struct text rest);
bool rh_pg_decode_execute(struct text body, const char **ret_portal, uint32_t *ret_max_rows);
/* Close and Describe: kind 'S' statement or 'P' portal. */
bool rh_pg_decode_target(struct text body, char *ret_kind, const char **ret_name);
/* CancelRequest (a start-up packet): the backend's pid and the opaque key. */
bool rh_pg_decode_cancel(struct text body, uint32_t *ret_pid, struct text *ret_key);
/* "INSERT 0 5" -> "INSERT", 5; rows -1 where the tag has none. Tag points into `tag`. */
bool rh_pg_decode_command_complete(struct text body, struct text *ret_tag, int64_t *ret_rows);
bool rh_pg_decode_backend_key(struct text body, uint32_t *ret_pid);
bool rh_pg_decode_parameter_status(struct text body, const char **ret_name, const char **ret_value);
bool rh_pg_decode_ready(struct text body, char *ret_status); /* 'I', 'T', 'E' */

/* --- encoding (answers the tap gives itself, test peers)
 * ------------------------------------------ */
/* Of a typed message: type byte and length word, for a body that is sent from where it lies. */
void rh_pg_encode_header(char out[5], char type, size_t body_length);
/* Type 0: a start-up packet, without the type byte. */
void rh_pg_encode_message(struct buf *out, char type, struct text body);
void rh_pg_encode_error(struct buf *out, const char *severity, const char *sqlstate,
                        const char *message);
/* FATAL, with the detail and the hint of `err`. At most PG_FAILURE_BYTES_MAX. */
#define PG_FAILURE_BYTES_MAX (16 * 1024)
void rh_pg_encode_failure(struct buf *out, const char *sqlstate, const struct err *err);

#endif
