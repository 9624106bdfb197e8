#include "store/event_codec_int.h"

#include "model/result_digest.h"

#include <stdlib.h>

struct event_decoder {
    struct codec_state *state;
    struct text sections[SECTION_COUNT]; /* what is left of each */
    uint64_t left;                       /* events */
    size_t event_bytes;                  /* of the event under way, against the cap */
    bool is_malformed;
};

struct event_decoder *rh_event_decoder_new(void)
{
    struct event_decoder *decoder = calloc(1, sizeof(*decoder));
    if (decoder == NULL)
        RH_PANIC("out of memory (%zu bytes)", sizeof(*decoder));
    decoder->state = rh_codec_state_new();
    return decoder;
}

void rh_event_decoder_free(struct event_decoder *decoder)
{
    if (decoder == NULL)
        return;
    free(decoder->state);
    free(decoder);
}

/* --- bytes: what is not there is zeros and a sticky flag ---------------------------------------
 */

static uint64_t get_varint_of(struct text *from, bool *is_malformed)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 70 && from->len > 0; shift += 7) {
        unsigned char byte = (unsigned char)*from->data++;
        from->len--;
        if (shift == 63 && byte > 1)
            break;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80))
            return value;
    }
    *is_malformed = true;
    return 0;
}

static uint64_t get_varint(struct event_decoder *decoder, enum section section)
{
    return get_varint_of(&decoder->sections[section], &decoder->is_malformed);
}

static int64_t get_signed(struct event_decoder *decoder, enum section section)
{
    uint64_t value = get_varint(decoder, section);
    return (int64_t)(value >> 1) ^ -(int64_t)(value & 1);
}

static struct text get_bytes(struct event_decoder *decoder, enum section section, uint64_t length)
{
    struct text *from = &decoder->sections[section];
    if (length > from->len) {
        decoder->is_malformed = true;
        return (struct text){"", 0};
    }
    struct text bytes = {from->data, (size_t)length};
    from->data += length;
    from->len -= (size_t)length;
    return bytes;
}

static unsigned get_byte(struct event_decoder *decoder)
{
    struct text byte = get_bytes(decoder, SECTION_SHAPE, 1);
    return byte.len == 0 ? 0 : (unsigned char)byte.data[0];
}

/* Takes `bytes` off what an event may have. False: more than that. */
static bool charge(struct event_decoder *decoder, uint64_t bytes)
{
    if (bytes > WORKLOAD_EVENT_BYTES_MAX - decoder->event_bytes)
        decoder->is_malformed = true;
    else
        decoder->event_bytes += (size_t)bytes;
    return !decoder->is_malformed;
}

static bool charge_items(struct event_decoder *decoder, uint64_t count, size_t item_bytes)
{
    return charge(decoder, count > WORKLOAD_EVENT_BYTES_MAX ? UINT64_MAX : count * item_bytes);
}

static const char *get_string(struct event_decoder *decoder, struct arena *arena)
{
    struct text bytes = get_bytes(decoder, SECTION_VALUE, get_varint(decoder, SECTION_SHAPE));
    return charge(decoder, bytes.len) ? rh_arena_strndup(arena, bytes.data, bytes.len) : "";
}

/* --- messages ------------------------------------------------------------------------------- */

static void get_body(struct event_decoder *decoder, struct arena *arena, bool is_like,
                     struct workload_message *message)
{
    struct codec_state *state = decoder->state;
    uint64_t first = is_like ? get_varint(decoder, SECTION_SHAPE) : 0;
    uint64_t last = is_like ? get_varint(decoder, SECTION_SHAPE) : 0;
    uint64_t middle = get_varint(decoder, SECTION_SHAPE);
    uint64_t said_slot = is_like ? get_varint(decoder, SECTION_SHAPE) : 0;
    struct text bytes = get_bytes(decoder, SECTION_VALUE, middle);
    if (decoder->is_malformed)
        return;
    if (is_like &&
        (said_slot >= LIKE_SLOTS || first > state->like_length[said_slot] ||
         last > state->like_length[said_slot] - first || middle > LIKE_BYTES_MAX - first - last)) {
        decoder->is_malformed = true;
        return;
    }
    size_t length = (size_t)(first + middle + last);
    if (!charge(decoder, length))
        return;
    unsigned char *body = rh_arena_alloc(arena, length + 1);
    if (is_like) {
        const unsigned char *like = state->like[said_slot];
        memcpy(body, like, (size_t)first);
        memcpy(body + first + middle, like + state->like_length[said_slot] - last, (size_t)last);
    }
    memcpy(body + first, bytes.data, bytes.len);
    message->body = (struct text){(const char *)body, length};
    rh_codec_remember(state, rh_codec_like_slot(message->type, message->pattern, body, length),
                      body, length);
}

static void get_message(struct event_decoder *decoder, struct arena *arena,
                        struct workload_message *message)
{
    unsigned head = get_byte(decoder);
    if (head >> 4 >= sizeof(WORKLOAD_MESSAGE_TYPES) - 1) {
        decoder->is_malformed = true;
        return;
    }
    message->type = (unsigned char)WORKLOAD_MESSAGE_TYPES[head >> 4];
    message->is_redacted = (head & MESSAGE_REDACTED) != 0;
    uint64_t pattern = head & MESSAGE_HAS_PATTERN ? get_varint(decoder, SECTION_SHAPE) : 0;
    if (pattern > UINT32_MAX)
        decoder->is_malformed = true;
    message->pattern = (uint32_t)pattern;
    if (head & MESSAGE_LEFT_OUT)
        message->left_out_bytes = get_varint(decoder, SECTION_SHAPE);
    get_body(decoder, arena, (head & MESSAGE_IS_LIKE) != 0, message);
}

/* --- events --------------------------------------------------------------------------------- */

/* A setting, a message or a result is a byte of shape at least: more are not there. */
static uint64_t get_count(struct event_decoder *decoder)
{
    uint64_t count = get_varint(decoder, SECTION_SHAPE);
    if (count > decoder->sections[SECTION_SHAPE].len) {
        decoder->is_malformed = true;
        return 0;
    }
    return count;
}

static void get_setting(struct event_decoder *decoder, struct arena *arena,
                        struct workload_setting *setting)
{
    setting->name = get_string(decoder, arena);
    setting->value = get_string(decoder, arena);
}

static void get_begun(struct event_decoder *decoder, struct arena *arena,
                      struct workload_event *event, bool is_midway)
{
    struct workload_session *begun = RH_NEW(arena, struct workload_session);
    event->begun = begun;
    begun->number = event->session;
    begun->is_midway = is_midway;
    begun->user = get_string(decoder, arena);
    begun->database = get_string(decoder, arena);
    begun->lacks = get_string(decoder, arena);
    uint64_t count = get_count(decoder);
    for (uint64_t i = 0; i < count && charge(decoder, sizeof(struct workload_setting)); i++)
        get_setting(decoder, arena, RH_PUSH(arena, &begun->startup));
    count = get_count(decoder);
    for (uint64_t i = 0; i < count && charge(decoder, sizeof(struct workload_setting)); i++)
        get_setting(decoder, arena, RH_PUSH(arena, &begun->reported));
    count = get_count(decoder);
    for (uint64_t i = 0; i < count && charge(decoder, sizeof(struct workload_message)); i++)
        get_message(decoder, arena, RH_PUSH(arena, &begun->prologue));
}

static void get_result(struct event_decoder *decoder, struct workload_result *result,
                       bool is_expected, uint32_t expected)
{
    unsigned head = get_byte(decoder);
    uint64_t pattern = head & RESULT_PATTERN ? get_varint(decoder, SECTION_SHAPE) : expected;
    if (pattern > UINT32_MAX || (!(head & RESULT_PATTERN) && !is_expected))
        decoder->is_malformed = true;
    result->pattern = (uint32_t)pattern;
    if (!(head & RESULT_NONE_RETURNED))
        result->returned = get_signed(decoder, SECTION_SHAPE);
    if (head & RESULT_NO_TAG_ROWS)
        result->rows = -1;
    else if (head & RESULT_ROWS_RETURNED)
        result->rows = result->returned;
    else
        result->rows = get_signed(decoder, SECTION_SHAPE);
    if (head & RESULT_FAILED) {
        struct text sqlstate = get_bytes(decoder, SECTION_SHAPE, SQLSTATE_CHARACTERS);
        memcpy(result->sqlstate, sqlstate.data, sqlstate.len);
    }
    result->is_suspended = (head & RESULT_SUSPENDED) != 0;
    result->has_digest = (head & RESULT_DIGEST) != 0;
    if (!result->has_digest)
        return;
    struct text digest = get_bytes(decoder, SECTION_DIGEST, WORKLOAD_DIGEST_BYTES);
    memcpy(result->unordered, digest.data, digest.len);
    if (head & RESULT_DERIVED) {
        if (!rh_result_digest_ordered_of(result->unordered, result->returned, result->ordered))
            decoder->is_malformed = true;
        return;
    }
    digest = get_bytes(decoder, SECTION_DIGEST, WORKLOAD_DIGEST_BYTES);
    memcpy(result->ordered, digest.data, digest.len);
}

static void get_id(struct event_decoder *decoder, struct arena *arena,
                   const struct workload_id *before, struct workload_id *id)
{
    unsigned head = get_byte(decoder);
    if (head & ID_SAME_RESULT) {
        *id = *before;
        id->row++;
    } else {
        uint64_t numbers[4];
        for (size_t i = 0; i < 4; i++) {
            numbers[i] = get_varint(decoder, SECTION_SHAPE);
            decoder->is_malformed |= numbers[i] >= UINT32_MAX;
        }
        *id = (struct workload_id){.result = (uint32_t)numbers[0],
                                   .row = (uint32_t)numbers[1],
                                   .column = (uint32_t)numbers[2],
                                   .key = (uint32_t)numbers[3]};
    }
    id->is_binary = (head & ID_BINARY) != 0;
    struct text value = get_bytes(decoder, SECTION_VALUE, get_byte(decoder));
    decoder->is_malformed |= value.len > WORKLOAD_ID_BYTES_MAX;
    id->value = (struct text){rh_text_dup(arena, value), value.len};
}

static void get_ids(struct event_decoder *decoder, struct arena *arena,
                    struct workload_event *event)
{
    uint64_t count = get_count(decoder);
    if (decoder->is_malformed ||
        !charge_items(decoder, count, sizeof(struct workload_id) + WORKLOAD_ID_BYTES_MAX))
        return;
    event->id_count = (size_t)count;
    event->ids = rh_arena_alloc_array(arena, event->id_count, sizeof(*event->ids));
    struct workload_id none = {0};
    for (size_t i = 0; i < event->id_count && !decoder->is_malformed; i++)
        get_id(decoder, arena, i > 0 ? &event->ids[i - 1] : &none, &event->ids[i]);
}

static void get_answer(struct event_decoder *decoder, struct arena *arena,
                       struct workload_event *event, const struct session_slot *slot, unsigned head)
{
    int64_t before_us = get_signed(decoder, SECTION_TIME);
    if (__builtin_sub_overflow(event->at_us, before_us, &event->first_byte_us))
        decoder->is_malformed = true;
    event->transaction_status = head & SHAPE_IDLE ? 'I' : (char)get_byte(decoder);
    bool is_expected = (head & SHAPE_EXPECTED) != 0;
    if (is_expected && slot->pattern_count > EXPECTED_MAX)
        decoder->is_malformed = true;
    uint64_t count = is_expected ? slot->pattern_count : get_count(decoder);
    if (decoder->is_malformed || !charge_items(decoder, count, sizeof(struct workload_result)))
        return;
    event->result_count = (size_t)count;
    event->results = rh_arena_alloc_array(arena, event->result_count, sizeof(*event->results));
    for (size_t i = 0; i < event->result_count && !decoder->is_malformed; i++)
        get_result(decoder, &event->results[i], is_expected, is_expected ? slot->patterns[i] : 0);
    if (head & SHAPE_IDS)
        get_ids(decoder, arena, event);
}

static void get_request(struct event_decoder *decoder, struct arena *arena,
                        struct workload_event *event)
{
    uint64_t count = get_count(decoder);
    if (!charge_items(decoder, count, sizeof(struct workload_message)))
        return;
    event->message_count = (size_t)count;
    event->messages = rh_arena_alloc_array(arena, event->message_count, sizeof(*event->messages));
    for (size_t i = 0; i < event->message_count && !decoder->is_malformed; i++)
        get_message(decoder, arena, &event->messages[i]);
}

static void get_event(struct event_decoder *decoder, struct arena *arena,
                      struct workload_event *event)
{
    struct codec_state *state = decoder->state;
    unsigned head = get_byte(decoder), kind = head & SHAPE_KIND;
    if (kind > WORKLOAD_SESSION_ENDED) {
        decoder->is_malformed = true;
        return;
    }
    event->kind = (enum workload_event_kind)kind;
    event->session = state->session;
    if (!(head & SHAPE_SAME_SESSION))
        event->session += (uint64_t)get_signed(decoder, SECTION_SHAPE);
    uint64_t after_us = get_varint(decoder, SECTION_TIME);
    if (after_us > INT64_MAX ||
        __builtin_add_overflow(state->at_us, (int64_t)after_us, &event->at_us))
        decoder->is_malformed = true;
    struct session_slot *slot = rh_codec_session(state, event->session);
    bool is_near = (head & SHAPE_NEXT_REQUEST) != 0;
    switch (event->kind) {
    case WORKLOAD_SESSION_BEGUN:
        get_begun(decoder, arena, event, (head & SHAPE_MIDWAY) != 0);
        break;
    case WORKLOAD_REQUEST:
        event->request = is_near ? slot->request + 1 : get_varint(decoder, SECTION_SHAPE);
        get_request(decoder, arena, event);
        if (!decoder->is_malformed)
            rh_codec_expect(slot, event);
        break;
    case WORKLOAD_ANSWER:
        event->request = is_near ? slot->request : get_varint(decoder, SECTION_SHAPE);
        get_answer(decoder, arena, event, slot, head);
        break;
    case WORKLOAD_CANCEL:
        event->request = is_near ? slot->request : get_varint(decoder, SECTION_SHAPE);
        break;
    case WORKLOAD_SESSION_ENDED:
        event->was_cut = (head & SHAPE_CUT) != 0;
        break;
    }
    state->at_us = event->at_us;
    state->session = event->session;
}

bool rh_event_decoder_open(struct event_decoder *decoder, struct text batch)
{
    uint64_t lengths[SECTION_COUNT];
    bool is_malformed = false;
    rh_codec_state_clear(decoder->state);
    decoder->is_malformed = true;
    decoder->left = get_varint_of(&batch, &is_malformed);
    for (size_t i = 0; i < SECTION_COUNT; i++)
        lengths[i] = get_varint_of(&batch, &is_malformed);
    if (is_malformed)
        return false;
    for (size_t i = 0; i < SECTION_COUNT; i++) {
        if (lengths[i] > batch.len)
            return false;
        decoder->sections[i] = (struct text){batch.data, (size_t)lengths[i]};
        batch.data += lengths[i];
        batch.len -= (size_t)lengths[i];
    }
    decoder->is_malformed = batch.len > 0;
    return !decoder->is_malformed;
}

enum event_decoded rh_event_decoder_next(struct event_decoder *decoder, struct arena *arena,
                                         struct workload_event *ret_event)
{
    if (decoder->is_malformed)
        return EVENT_MALFORMED;
    if (decoder->left == 0) {
        for (size_t i = 0; i < SECTION_COUNT; i++)
            decoder->is_malformed |= decoder->sections[i].len > 0;
        return decoder->is_malformed ? EVENT_MALFORMED : EVENT_END;
    }
    struct workload_event event = {0};
    decoder->event_bytes = 0;
    decoder->left--;
    get_event(decoder, arena, &event);
    if (decoder->is_malformed)
        return EVENT_MALFORMED;
    *ret_event = event;
    return EVENT_DECODED;
}
