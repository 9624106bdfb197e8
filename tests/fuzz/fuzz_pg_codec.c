/*
 * Fuzz target of the codec: any bytes, at any split, give the same events and the same bodies,
 * collected or in parts;
 * decoders read no byte beyond a body. Built for libFuzzer with clang, and with fuzz_replay.c by
 * any compiler.
 *
 * Input: [0] bit 0 backend, bit 1 typed from the start, bits 2-3 which cap; [1] [2] seed of the
 * splits; the rest is the stream.
 */
#include "net/pg_codec.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct events {
    uint64_t digest; /* FNV-1a over events, lengths and shown bodies */
    uint64_t shown_digest;
    bool is_lost;
    uint64_t streamed_digest; /* over the bytes of all parts */
    uint64_t begun, ended;    /* messages of streamed types that do not come joined */
};

/* How a run consumes its input. */
enum style { EVENTS, SKIPPING /* as the tap does */, STREAMING };

static const size_t caps[] = {0, 7, 300, 1 << 16};

static struct pg_type_set wanted_types(void)
{
    struct pg_type_set set = {{0}};
    for (const char *type = "QPCZENDd"; *type; type++)
        rh_pg_type_set_add(&set, (unsigned char)*type);
    rh_pg_type_set_add(&set, 0);
    return set;
}

static void digest_bytes(uint64_t *digest, const void *data, size_t len)
{
    const unsigned char *bytes = data;
    for (size_t i = 0; i < len; i++)
        *digest = (*digest ^ bytes[i]) * UINT64_C(1099511628211);
}

static void digest_message(uint64_t *digest, const struct pg_message *message)
{
    digest_bytes(digest, &message->type, 1);
    digest_bytes(digest, &message->body_length, sizeof(message->body_length));
    digest_bytes(digest, message->body.data, message->body.len);
}

static size_t feed_part(struct pg_framer *framer, char *input, size_t length, struct events *events)
{
    bool has_part;
    struct pg_part part;
    size_t used = rh_pg_framer_part(framer, input, length, &has_part, &part);
    RH_ASSERT(used <= length);
    if (used == 0 || !has_part)
        return used;
    RH_ASSERT(rh_pg_type_set_has(&framer->streamed, part.type));
    RH_ASSERT(part.bytes.data >= input && part.bytes.data + part.bytes.len <= input + used);
    digest_bytes(&events->streamed_digest, part.bytes.data, part.bytes.len);
    if (part.type == 'V') {
        RH_ASSERT(part.bytes.len <= part.body_length);
        events->begun += part.begins;
        events->ended += part.ends;
    }
    return used;
}

static void feed(struct pg_framer *framer, enum style style, const uint8_t *data, size_t size,
                 struct events *events)
{
    /* A piece of memory of its own: what lies behind it is not to be read. */
    char *copy = malloc(size ? size : 1);
    memcpy(copy, data, size);
    struct text piece = {copy, size};
    for (;;) {
        if (style == STREAMING) {
            size_t taken = feed_part(framer, copy + (size - piece.len), piece.len, events);
            piece = (struct text){piece.data + taken, piece.len - taken};
            if (taken > 0)
                continue;
        }
        size_t used = 0;
        struct pg_message message;
        enum pg_frame_event event = PG_FRAME_MESSAGE;
        if (style == SKIPPING) {
            used = rh_pg_framer_skip(framer, piece);
            RH_ASSERT(used <= piece.len);
            piece = (struct text){piece.data + used, piece.len - used};
            used = rh_pg_framer_take(framer, piece, &message);
        }
        if (used == 0)
            event = rh_pg_framer_next(framer, piece, &used, &message);
        RH_ASSERT(used <= piece.len);
        if (style == STREAMING && event == PG_FRAME_HEAD)
            RH_ASSERT(!rh_pg_type_set_has(&framer->streamed, message.type));
        piece = (struct text){piece.data + used, piece.len - used};
        RH_ASSERT(framer->collected.len <= framer->collect_max);
        if (event == PG_FRAME_INVALID) {
            events->is_lost = true;
            break;
        }
        if (event == PG_FRAME_MORE) {
            RH_ASSERT(piece.len == 0);
            break;
        }
        uint8_t kind = (uint8_t)event;
        digest_bytes(&events->digest, &kind, 1);
        digest_message(&events->digest, &message);
        if (event == PG_FRAME_MESSAGE && rh_pg_type_set_has(&framer->collect, message.type)) {
            RH_ASSERT(message.body.len <= message.body_length);
            RH_ASSERT(message.is_whole == (message.body.len == message.body_length));
            digest_message(&events->shown_digest, &message);
        }
    }
    free(copy);
}

/* step 0: at once; 1: byte by byte; else pieces of changing sizes below `step`. */
static struct events run(uint8_t flags, unsigned seed, size_t step, enum style style,
                         const uint8_t *data, size_t size)
{
    const uint64_t start = UINT64_C(14695981039346656037);
    struct events events = {.digest = start, .shown_digest = start, .streamed_digest = start};
    struct pg_type_set collect = wanted_types();
    struct pg_framer framer;
    rh_pg_framer_init(&framer, flags & 1 ? PG_BACKEND : PG_FRONTEND, &collect,
                      caps[(flags >> 2) & 3]);
    if (flags & 2)
        framer.expects_startup = false;
    if (style == STREAMING) {
        rh_pg_type_set_add(&framer.streamed, 'd');
        rh_pg_type_set_add(&framer.streamed, 'V');
    }
    size_t at = 0;
    do {
        seed = seed * 1103515245u + 12345u;
        size_t length = step == 0 ? size : step == 1 ? 1 : (seed >> 16) % step;
        if (length > size - at)
            length = size - at;
        feed(&framer, style, data + at, length, &events);
        at += length;
    } while (at < size && !events.is_lost);
    rh_pg_framer_deinit(&framer);
    return events;
}

static void take_field(void *context, char code, const char *value)
{
    size_t *total = context;
    *total += strlen(value) + (size_t)(unsigned char)code;
}

static void decode_all(const uint8_t *data, size_t size)
{
    char *copy = malloc(size ? size : 1);
    memcpy(copy, data, size);
    struct text body = {copy, size};
    size_t total = 0;
    struct pg_startup startup;
    struct pg_parse_message parse;
    struct pg_bind_message bind;
    struct text text;
    const char *a, *b;
    char c;
    uint32_t number;
    int64_t rows;
    rh_pg_decode_fields(body, take_field, &total);
    if (rh_pg_decode_startup(body, &startup) && startup.user)
        total += strlen(startup.user);
    if (rh_pg_decode_cancel(body, &number, &text))
        RH_ASSERT(text.len >= PG_CANCEL_KEY_MIN && text.len <= PG_CANCEL_KEY_MAX);
    if (rh_pg_decode_parse(body, &parse))
        total += strlen(parse.statement) + strlen(parse.query);
    if (rh_pg_decode_bind(body, &bind))
        total += strlen(bind.portal) + strlen(bind.statement);
    if (rh_pg_decode_execute(body, &a, &number))
        total += strlen(a);
    if (rh_pg_decode_target(body, &c, &a))
        total += strlen(a);
    if (rh_pg_decode_command_complete(body, &text, &rows))
        RH_ASSERT(text.len < size && rows >= -1);
    if (rh_pg_decode_parameter_status(body, &a, &b))
        total += strlen(a) + strlen(b);
    rh_pg_decode_backend_key(body, &number);
    rh_pg_decode_ready(body, &c);
    RH_ASSERT(total <= size * 300);
    free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 3)
        return 0;
    uint8_t flags = data[0];
    unsigned seed = (unsigned)data[1] << 8 | data[2];
    data += 3;
    size -= 3;
    struct events whole = run(flags, seed, 0, EVENTS, data, size);
    struct events streamed = run(flags, seed, 0, STREAMING, data, size);
    RH_ASSERT(streamed.is_lost == whole.is_lost);
    const size_t steps[] = {1, 2 + seed % 7, 40};
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        struct events split = run(flags, seed, steps[i], EVENTS, data, size);
        RH_ASSERT(split.digest == whole.digest && split.is_lost == whole.is_lost);
        struct events skipping = run(flags, seed, steps[i], SKIPPING, data, size);
        RH_ASSERT(skipping.shown_digest == whole.shown_digest && skipping.is_lost == whole.is_lost);
        struct events parts = run(flags, seed, steps[i], STREAMING, data, size);
        RH_ASSERT(parts.streamed_digest == streamed.streamed_digest &&
                  parts.shown_digest == streamed.shown_digest);
        RH_ASSERT(parts.begun == streamed.begun && parts.ended == streamed.ended &&
                  parts.is_lost == streamed.is_lost);
    }
    decode_all(data, size);
    return 0;
}
