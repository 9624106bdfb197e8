#include "store/event_codec_int.h"

#include "model/result_digest.h"

#include <stdlib.h>

struct event_encoder {
    struct codec_state *state;
    struct buf sections[SECTION_COUNT];
    size_t count;
};

struct event_encoder *rh_event_encoder_new(void)
{
    struct event_encoder *encoder = calloc(1, sizeof(*encoder));
    if (encoder == NULL)
        RH_PANIC("out of memory (%zu bytes)", sizeof(*encoder));
    encoder->state = rh_codec_state_new();
    for (size_t i = 0; i < SECTION_COUNT; i++)
        rh_buf_init(&encoder->sections[i], EVENT_BATCH_BYTES_MAX);
    return encoder;
}

void rh_event_encoder_free(struct event_encoder *encoder)
{
    if (encoder == NULL)
        return;
    for (size_t i = 0; i < SECTION_COUNT; i++)
        rh_buf_deinit(&encoder->sections[i]);
    free(encoder->state);
    free(encoder);
}

size_t rh_event_encoder_count(const struct event_encoder *encoder)
{
    return encoder->count;
}

size_t rh_event_encoder_bytes(const struct event_encoder *encoder)
{
    size_t bytes = 0;
    for (size_t i = 0; i < SECTION_COUNT; i++)
        bytes += encoder->sections[i].len;
    return bytes;
}

static void put_varint(struct buf *out, uint64_t value)
{
    unsigned char bytes[10];
    size_t length = 0;
    while (value >= 0x80) {
        bytes[length++] = (unsigned char)(value | 0x80);
        value >>= 7;
    }
    bytes[length++] = (unsigned char)value;
    rh_buf_add(out, bytes, length);
}

static void put_signed(struct buf *out, int64_t value)
{
    put_varint(out, ((uint64_t)value << 1) ^ (uint64_t)(value >> 63));
}

static void put_byte(struct buf *out, unsigned value)
{
    rh_buf_add_char(out, (char)value);
}

static void put_string(struct event_encoder *encoder, const char *string)
{
    size_t length = string == NULL ? 0 : strlen(string);
    put_varint(&encoder->sections[SECTION_SHAPE], length);
    rh_buf_add(&encoder->sections[SECTION_VALUE], string, length);
}

/* --- messages ------------------------------------------------------------------------------- */

static size_t count_alike_first(const unsigned char *a, const unsigned char *b, size_t most)
{
    size_t i = 0;
    while (i < most && a[i] == b[i])
        i++;
    return i;
}

static size_t count_alike_last(const unsigned char *a, size_t a_length, const unsigned char *b,
                               size_t b_length, size_t most)
{
    size_t i = 0;
    while (i < most && a[a_length - 1 - i] == b[b_length - 1 - i])
        i++;
    return i;
}

static void put_body(struct event_encoder *encoder, const struct workload_message *message,
                     unsigned head)
{
    struct buf *shape = &encoder->sections[SECTION_SHAPE];
    struct buf *value = &encoder->sections[SECTION_VALUE];
    const unsigned char *body = (const unsigned char *)message->body.data;
    size_t length = message->body.len;
    unsigned slot = rh_codec_like_slot(message->type, message->pattern, body, length);
    const unsigned char *like = encoder->state->like[slot];
    size_t like_length = encoder->state->like_length[slot], first = 0, last = 0;
    if (length > 0 && length <= LIKE_BYTES_MAX && like_length > 0) {
        size_t most = length < like_length ? length : like_length;
        first = count_alike_first(body, like, most);
        last = count_alike_last(body, length, like, like_length, most - first);
    }
    bool is_like = first + last > 0;
    put_byte(shape, head | (is_like ? MESSAGE_IS_LIKE : 0));
    if (message->pattern != 0)
        put_varint(shape, message->pattern);
    if (message->left_out_bytes != 0)
        put_varint(shape, message->left_out_bytes);
    if (is_like) {
        put_varint(shape, first);
        put_varint(shape, last);
    }
    put_varint(shape, length - first - last);
    /* The decoder finds a slot before it knows the body: what tells of the slot comes plain. */
    if (is_like)
        put_varint(shape, slot);
    if (length > first + last)
        rh_buf_add(value, body + first, length - first - last);
    rh_codec_remember(encoder->state, slot, body, length);
}

static void put_message(struct event_encoder *encoder, const struct workload_message *message)
{
    const char *place = strchr(WORKLOAD_MESSAGE_TYPES, message->type);
    unsigned head = (unsigned)(place - WORKLOAD_MESSAGE_TYPES) << 4;
    if (message->pattern != 0)
        head |= MESSAGE_HAS_PATTERN;
    if (message->left_out_bytes != 0)
        head |= MESSAGE_LEFT_OUT;
    if (message->is_redacted)
        head |= MESSAGE_REDACTED;
    put_body(encoder, message, head);
}

/* --- events --------------------------------------------------------------------------------- */

static void put_begun(struct event_encoder *encoder, const struct workload_session *begun)
{
    struct buf *shape = &encoder->sections[SECTION_SHAPE];
    put_string(encoder, begun->user);
    put_string(encoder, begun->database);
    put_string(encoder, begun->lacks);
    put_varint(shape, begun->startup.count);
    for (size_t i = 0; i < begun->startup.count; i++) {
        put_string(encoder, begun->startup.items[i].name);
        put_string(encoder, begun->startup.items[i].value);
    }
    put_varint(shape, begun->reported.count);
    for (size_t i = 0; i < begun->reported.count; i++) {
        put_string(encoder, begun->reported.items[i].name);
        put_string(encoder, begun->reported.items[i].value);
    }
    put_varint(shape, begun->prologue.count);
    for (size_t i = 0; i < begun->prologue.count; i++)
        put_message(encoder, &begun->prologue.items[i]);
}

static void put_result(struct event_encoder *encoder, const struct workload_result *result,
                       bool is_expected, uint32_t expected)
{
    struct buf *shape = &encoder->sections[SECTION_SHAPE];
    struct buf *digest = &encoder->sections[SECTION_DIGEST];
    unsigned head = 0;
    uint8_t ordered[WORKLOAD_DIGEST_BYTES];
    if (result->rows == -1)
        head |= RESULT_NO_TAG_ROWS;
    else if (result->rows == result->returned)
        head |= RESULT_ROWS_RETURNED;
    if (result->returned == 0)
        head |= RESULT_NONE_RETURNED;
    if (result->sqlstate[0] != '\0')
        head |= RESULT_FAILED;
    if (result->is_suspended)
        head |= RESULT_SUSPENDED;
    if (result->has_digest) {
        head |= RESULT_DIGEST;
        if (rh_result_digest_ordered_of(result->unordered, result->returned, ordered) &&
            memcmp(ordered, result->ordered, WORKLOAD_DIGEST_BYTES) == 0)
            head |= RESULT_DERIVED;
    }
    if (!is_expected || result->pattern != expected)
        head |= RESULT_PATTERN;
    put_byte(shape, head);
    if (head & RESULT_PATTERN)
        put_varint(shape, result->pattern);
    if (!(head & RESULT_NONE_RETURNED))
        put_signed(shape, result->returned);
    if (!(head & (RESULT_NO_TAG_ROWS | RESULT_ROWS_RETURNED)))
        put_signed(shape, result->rows);
    if (head & RESULT_FAILED) {
        char sqlstate[SQLSTATE_CHARACTERS] = {0};
        memcpy(sqlstate, result->sqlstate, strnlen(result->sqlstate, SQLSTATE_CHARACTERS));
        rh_buf_add(shape, sqlstate, SQLSTATE_CHARACTERS);
    }
    /* Zeros, of no rows, are not worth their bytes; but that is for the compressor to see. */
    if (head & RESULT_DIGEST)
        rh_buf_add(digest, result->unordered, WORKLOAD_DIGEST_BYTES);
    if ((head & RESULT_DIGEST) && !(head & RESULT_DERIVED))
        rh_buf_add(digest, result->ordered, WORKLOAD_DIGEST_BYTES);
}

static void put_ids(struct event_encoder *encoder, const struct workload_event *event)
{
    struct buf *shape = &encoder->sections[SECTION_SHAPE];
    struct workload_id before = {.row = UINT32_MAX};
    put_varint(shape, event->id_count);
    for (size_t i = 0; i < event->id_count; i++) {
        const struct workload_id *id = &event->ids[i];
        bool is_next = i > 0 && id->result == before.result && id->column == before.column &&
                       id->key == before.key && id->row == before.row + 1;
        put_byte(shape, (id->is_binary ? ID_BINARY : 0) | (is_next ? ID_SAME_RESULT : 0));
        if (!is_next) {
            put_varint(shape, id->result);
            put_varint(shape, id->row);
            put_varint(shape, id->column);
            put_varint(shape, id->key);
        }
        put_byte(shape, (unsigned)id->value.len);
        rh_buf_add_text(&encoder->sections[SECTION_VALUE], id->value);
        before = *id;
    }
}

static void put_answer(struct event_encoder *encoder, const struct workload_event *event,
                       const struct session_slot *slot, unsigned head)
{
    struct buf *shape = &encoder->sections[SECTION_SHAPE];
    put_signed(&encoder->sections[SECTION_TIME], event->at_us - event->first_byte_us);
    if (!(head & SHAPE_IDLE))
        put_byte(shape, (unsigned char)event->transaction_status);
    if (!(head & SHAPE_EXPECTED))
        put_varint(shape, event->result_count);
    for (size_t i = 0; i < event->result_count; i++)
        put_result(encoder, &event->results[i], (head & SHAPE_EXPECTED) != 0,
                   head & SHAPE_EXPECTED ? slot->patterns[i] : 0);
    if (head & SHAPE_IDS)
        put_ids(encoder, event);
}

static bool is_known_type(unsigned char type)
{
    return type != 0 && strchr(WORKLOAD_MESSAGE_TYPES, type) != NULL;
}

static bool can_encode(const struct event_encoder *encoder, const struct workload_event *event)
{
    if (event->at_us < encoder->state->at_us || event->kind > WORKLOAD_SESSION_ENDED ||
        (event->kind == WORKLOAD_SESSION_BEGUN) != (event->begun != NULL) ||
        rh_workload_event_bytes(event) > WORKLOAD_EVENT_BYTES_MAX)
        return false;
    for (size_t i = 0; i < event->message_count; i++) {
        if (!is_known_type(event->messages[i].type))
            return false;
    }
    for (size_t i = 0; i < event->id_count; i++) {
        if (event->ids[i].value.len > WORKLOAD_ID_BYTES_MAX)
            return false;
    }
    for (size_t i = 0; event->begun != NULL && i < event->begun->prologue.count; i++) {
        if (!is_known_type(event->begun->prologue.items[i].type))
            return false;
    }
    return true;
}

bool rh_event_encoder_add(struct event_encoder *encoder, const struct workload_event *event)
{
    if (!can_encode(encoder, event))
        return false;
    struct codec_state *state = encoder->state;
    struct buf *shape = &encoder->sections[SECTION_SHAPE];
    struct session_slot *slot = rh_codec_session(state, event->session);
    unsigned head = (unsigned)event->kind;
    if (event->session == state->session)
        head |= SHAPE_SAME_SESSION;
    switch (event->kind) {
    case WORKLOAD_SESSION_BEGUN:
        head |= event->begun->is_midway ? SHAPE_MIDWAY : 0;
        break;
    case WORKLOAD_REQUEST:
        head |= event->request == slot->request + 1 ? SHAPE_NEXT_REQUEST : 0;
        break;
    case WORKLOAD_ANSWER:
        if (event->request == slot->request) {
            head |= SHAPE_NEXT_REQUEST;
            head |= event->result_count == slot->pattern_count &&
                            slot->pattern_count <= EXPECTED_MAX
                        ? SHAPE_EXPECTED
                        : 0;
        }
        head |= event->transaction_status == 'I' ? SHAPE_IDLE : 0;
        head |= event->id_count > 0 ? SHAPE_IDS : 0;
        break;
    case WORKLOAD_CANCEL:
        head |= event->request == slot->request ? SHAPE_NEXT_REQUEST : 0;
        break;
    case WORKLOAD_SESSION_ENDED:
        head |= event->was_cut ? SHAPE_CUT : 0;
        break;
    }
    put_byte(shape, head);
    if (!(head & SHAPE_SAME_SESSION))
        put_signed(shape, (int64_t)(event->session - state->session));
    put_varint(&encoder->sections[SECTION_TIME], (uint64_t)(event->at_us - state->at_us));
    bool has_request = event->kind == WORKLOAD_REQUEST || event->kind == WORKLOAD_ANSWER ||
                       event->kind == WORKLOAD_CANCEL;
    if (has_request && !(head & SHAPE_NEXT_REQUEST))
        put_varint(shape, event->request);
    if (event->kind == WORKLOAD_SESSION_BEGUN)
        put_begun(encoder, event->begun);
    if (event->kind == WORKLOAD_REQUEST) {
        put_varint(shape, event->message_count);
        for (size_t i = 0; i < event->message_count; i++)
            put_message(encoder, &event->messages[i]);
        rh_codec_expect(slot, event);
    }
    if (event->kind == WORKLOAD_ANSWER)
        put_answer(encoder, event, slot, head);
    state->at_us = event->at_us;
    state->session = event->session;
    encoder->count++;
    return true;
}

void rh_event_encoder_take(struct event_encoder *encoder, struct buf *out)
{
    put_varint(out, encoder->count);
    for (size_t i = 0; i < SECTION_COUNT; i++)
        put_varint(out, encoder->sections[i].len);
    for (size_t i = 0; i < SECTION_COUNT; i++) {
        RH_ASSERT(!encoder->sections[i].failed);
        rh_buf_add_text(out, rh_buf_text(&encoder->sections[i]));
        rh_buf_clear(&encoder->sections[i]);
    }
    encoder->count = 0;
    rh_codec_state_clear(encoder->state);
}
