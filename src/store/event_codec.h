/*
 * Events of a workload to bytes and back: a batch of them, which can be read without any other.
 * Pure: no file, no compression; what is alike lies together, so that a compressor sees it.
 *
 * A batch is five varints (how many events, and the bytes of each section) and four sections:
 *
 *   shape   kinds, flags, sessions, counts, types of messages
 *   time    differences to the event before
 *   value   bodies of messages, each without what it shares at its beginning and end with the last
 *           one of its pattern (or, of a Bind, of its statement)
 *   digest  what nothing can make smaller
 *
 * Varints are LEB128; signed ones zigzag. docs/workload.md has the whole of it. The decoder trusts
 * nothing: any bytes are events or "malformed", in memory that the caps below bound.
 */
#ifndef RH_STORE_EVENT_CODEC_H
#define RH_STORE_EVENT_CODEC_H

#include "model/workload.h"

/* What a batch may need beyond its events' own bytes: counts and lengths, a fraction of them. */
#define EVENT_BATCH_BYTES_MAX ((size_t)160 * 1024 * 1024)

struct event_encoder;

struct event_encoder *rh_event_encoder_new(void);
void rh_event_encoder_free(struct event_encoder *encoder); /* NULL allowed */
/*
 * Adds an event to the batch. False, and nothing added: its time is before the last one's, a type
 * of message is unknown, or it is larger than WORKLOAD_EVENT_BYTES_MAX.
 */
bool rh_event_encoder_add(struct event_encoder *encoder,
                          const struct workload_event *event) RH_MUST_CHECK;
size_t rh_event_encoder_count(const struct event_encoder *encoder);
size_t rh_event_encoder_bytes(const struct event_encoder *encoder);
/* Appends the batch to `out` and begins the next one. */
void rh_event_encoder_take(struct event_encoder *encoder, struct buf *out);

struct event_decoder;

enum event_decoded { EVENT_DECODED, EVENT_END, EVENT_MALFORMED };

struct event_decoder *rh_event_decoder_new(void);
void rh_event_decoder_free(struct event_decoder *decoder); /* NULL allowed */
/* The bytes stay the caller's, until the last event was read. False: not a batch. */
bool rh_event_decoder_open(struct event_decoder *decoder, struct text batch) RH_MUST_CHECK;
/* The event and what hangs on it lie in `arena`. After MALFORMED, the batch is over. */
enum event_decoded rh_event_decoder_next(struct event_decoder *decoder, struct arena *arena,
                                         struct workload_event *ret_event);

#endif
