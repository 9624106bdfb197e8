#include "net/pg_codec.h"

#include "base/big_endian.h"
#include <limits.h>

/* --- framing ---------------------------------------------------------------------------------- */

/* Types are ASCII letters; the backend also has '1' ParseComplete, '2' BindComplete and '3'
   CloseComplete ("Message Formats"). Letters without a meaning today pass: the server is the judge.
 */
static bool is_type(enum pg_direction direction, unsigned char type)
{
    if ((type >= 'A' && type <= 'Z') || (type >= 'a' && type <= 'z'))
        return true;
    return direction == PG_BACKEND && type >= '1' && type <= '3';
}

void rh_pg_framer_init(struct pg_framer *framer, enum pg_direction direction,
                       const struct pg_type_set *collect, size_t collect_max)
{
    *framer = (struct pg_framer){.direction = direction,
                                 .expects_startup = direction == PG_FRONTEND,
                                 .collect = *collect,
                                 .collect_max = collect_max};
    rh_buf_init(&framer->collected, collect_max);
}

void rh_pg_framer_deinit(struct pg_framer *framer)
{
    rh_buf_deinit(&framer->collected);
}

static enum pg_frame_event lose(struct pg_framer *framer)
{
    framer->is_lost = true;
    return PG_FRAME_INVALID;
}

static enum pg_frame_event take_header(struct pg_framer *framer, struct text input,
                                       size_t *ret_used, struct pg_message *ret_message)
{
    unsigned needed = framer->expects_startup ? 4 : 5;
    size_t used = needed - framer->header_length;
    if (used > input.len)
        used = input.len;
    memcpy(framer->header + framer->header_length, input.data, used);
    framer->header_length += (unsigned)used;
    if (!framer->expects_startup && framer->header_length > 0 &&
        !is_type(framer->direction, framer->header[0])) {
        *ret_used = 0;
        return lose(framer);
    }
    *ret_used = used;
    if (framer->header_length < needed)
        return PG_FRAME_MORE;

    unsigned char type = framer->expects_startup ? 0 : framer->header[0];
    uint32_t length = rh_load_be32(framer->header + needed - 4);
    if (length < 4 || length > INT32_MAX)
        return lose(framer);
    length -= 4;
    if (framer->expects_startup && (length < 4 || length > PG_STARTUP_PACKET_MAX))
        return lose(framer);

    framer->in_body = true;
    framer->header_length = 0;
    framer->body_left = length;
    framer->startup_code = 0;
    framer->current = (struct pg_message){.type = type, .body_length = length, .body = {"", 0}};
    *ret_message = framer->current;
    return PG_FRAME_HEAD;
}

/* Shifts the first four bytes of a start-up packet in, wherever the packet was split. */
static void gather_startup_code(struct pg_framer *framer, struct text bytes)
{
    uint32_t done = framer->current.body_length - framer->body_left;
    for (size_t i = 0; i < bytes.len && done < 4; i++, done++)
        framer->startup_code = framer->startup_code << 8 | (unsigned char)bytes.data[i];
}

static void end_message(struct pg_framer *framer)
{
    framer->in_body = false;
    if (framer->current.type == 0)
        framer->expects_startup = framer->startup_code == PG_CODE_SSL ||
                                  framer->startup_code == PG_CODE_GSSENC;
}

static enum pg_frame_event take_body(struct pg_framer *framer, struct text input, size_t *ret_used,
                                     struct pg_message *ret_message)
{
    struct pg_message *current = &framer->current;
    bool is_first = framer->body_left == current->body_length;
    size_t used = framer->body_left < input.len ? framer->body_left : input.len;
    if (current->type == 0)
        gather_startup_code(framer, (struct text){input.data, used});

    bool is_wanted = rh_pg_type_set_has(&framer->collect, current->type);
    bool is_last = used == framer->body_left;
    if (is_wanted && is_first && is_last) {
        /* All of it lies in the input: nothing is copied. */
        size_t shown = used < framer->collect_max ? used : framer->collect_max;
        current->body = (struct text){used ? input.data : "", shown};
    } else if (is_wanted) {
        if (is_first)
            rh_buf_clear(&framer->collected);
        size_t room = framer->collect_max - framer->collected.len;
        rh_buf_add(&framer->collected, input.data, used < room ? used : room);
        if (is_last)
            current->body = rh_buf_text(&framer->collected);
    }
    framer->body_left -= (uint32_t)used;
    *ret_used = used;
    if (!is_last)
        return PG_FRAME_MORE;
    current->is_whole = current->body.len == current->body_length;
    end_message(framer);
    *ret_message = *current;
    return PG_FRAME_MESSAGE;
}

enum pg_frame_event rh_pg_framer_next(struct pg_framer *framer, struct text input, size_t *ret_used,
                                      struct pg_message *ret_message)
{
    *ret_used = 0;
    if (framer->is_lost)
        return PG_FRAME_INVALID;
    if (framer->in_body) {
        if (input.len == 0 && framer->body_left > 0)
            return PG_FRAME_MORE;
        return take_body(framer, input, ret_used, ret_message);
    }
    if (input.len == 0)
        return PG_FRAME_MORE;
    return take_header(framer, input, ret_used, ret_message);
}

size_t rh_pg_framer_skip(struct pg_framer *framer, struct text input)
{
    size_t at = 0;
    if (framer->is_lost || framer->expects_startup || framer->header_length > 0)
        return 0;
    if (framer->in_body) {
        if (framer->current.type == 0 ||
            rh_pg_type_set_has(&framer->collect, framer->current.type) ||
            rh_pg_type_set_has(&framer->streamed, framer->current.type))
            return 0;
        if (framer->body_left > input.len) {
            framer->body_left -= (uint32_t)input.len;
            return input.len;
        }
        at = framer->body_left;
        framer->body_left = 0;
        end_message(framer);
    }
    const unsigned char *bytes = (const unsigned char *)input.data;
    while (input.len - at >= 5) {
        unsigned char type = bytes[at];
        uint32_t length = rh_load_be32(bytes + at + 1);
        if (rh_pg_type_set_has(&framer->collect, type) ||
            rh_pg_type_set_has(&framer->streamed, type) || !is_type(framer->direction, type) ||
            length < 4 || length > INT32_MAX || length + 1 > input.len - at)
            break;
        at += (size_t)length + 1;
    }
    return at;
}

size_t rh_pg_framer_take(struct pg_framer *framer, struct text input,
                         struct pg_message *ret_message)
{
    if (framer->is_lost || framer->expects_startup || framer->in_body ||
        framer->header_length > 0 || input.len < 5)
        return 0;
    const unsigned char *bytes = (const unsigned char *)input.data;
    uint32_t length = rh_load_be32(bytes + 1);
    if (!is_type(framer->direction, bytes[0]) || length < 4 || length > input.len - 1)
        return 0;
    size_t shown = length - 4;
    if (!rh_pg_type_set_has(&framer->collect, bytes[0]))
        shown = 0;
    else if (shown > framer->collect_max)
        shown = framer->collect_max;
    *ret_message = (struct pg_message){.type = bytes[0],
                                       .body_length = length - 4,
                                       .body = {input.data + 5, shown},
                                       .is_whole = shown == length - 4};
    return (size_t)length + 1;
}

/* --- streaming -------------------------------------------------------------------------------- */

#define COPY_DATA 'd'

/* Takes what is there of the header of a streamed type. False: something else comes, the header is
   not complete, or its length is impossible (then the framer is lost). */
static bool begin_streamed(struct pg_framer *framer, const char *input, size_t length, size_t *at)
{
    unsigned char type = framer->header_length > 0 ? framer->header[0] : (unsigned char)input[*at];
    if (!rh_pg_type_set_has(&framer->streamed, type))
        return false;
    size_t used = sizeof(framer->header) - framer->header_length;
    if (used > length - *at)
        used = length - *at;
    memcpy(framer->header + framer->header_length, input + *at, used);
    framer->header_length += (unsigned)used;
    *at += used;
    if (framer->header_length < sizeof(framer->header))
        return false;
    uint32_t body_length = rh_load_be32(framer->header + 1);
    if (body_length < 4 || body_length > INT32_MAX) {
        framer->is_lost = true;
        return false;
    }
    framer->in_body = true;
    framer->header_length = 0;
    framer->body_left = body_length - 4;
    framer->current = (struct pg_message){
        .type = type, .body_length = body_length - 4, .body = {"", 0}};
    return true;
}

size_t rh_pg_framer_part(struct pg_framer *framer, char *input, size_t input_length,
                         bool *ret_has_part, struct pg_part *ret_part)
{
    struct pg_part part = {.bytes = {"", 0}};
    char *joined = NULL;
    size_t at = 0;
    if (framer->is_lost || framer->expects_startup || input_length == 0 ||
        (framer->in_body && !rh_pg_type_set_has(&framer->streamed, framer->current.type)))
        return 0;
    while (at < input_length && (!joined || part.type == COPY_DATA)) {
        bool begins = !framer->in_body;
        if (begins) {
            /* A part is of one type. */
            if (joined && framer->header_length == 0 && (unsigned char)input[at] != part.type)
                break;
            if (!begin_streamed(framer, input, input_length, &at))
                break;
        }
        size_t used = framer->body_left < input_length - at ? framer->body_left : input_length - at;
        if (!joined) {
            joined = input + at;
            part.type = framer->current.type;
            part.body_length = framer->current.body_length;
            part.begins = begins;
        } else {
            memmove(joined + part.bytes.len, input + at, used);
        }
        part.bytes.len += used;
        at += used;
        framer->body_left -= (uint32_t)used;
        part.ends = framer->body_left == 0;
        framer->in_body = !part.ends;
    }
    if (joined)
        part.bytes.data = joined;
    *ret_has_part = joined != NULL;
    *ret_part = part;
    return at;
}

/* --- reading bodies --------------------------------------------------------------------------- */

/* NULL and failed when fewer than `len` bytes are left. */
static const unsigned char *take(struct pg_reader *reader, size_t len)
{
    if (reader->failed || reader->rest.len < len) {
        reader->failed = true;
        return NULL;
    }
    const unsigned char *bytes = (const unsigned char *)reader->rest.data;
    reader->rest.data += len;
    reader->rest.len -= len;
    return bytes;
}

uint8_t rh_pg_read_u8(struct pg_reader *reader)
{
    const unsigned char *bytes = take(reader, 1);
    return bytes ? bytes[0] : 0;
}

uint16_t rh_pg_read_u16(struct pg_reader *reader)
{
    const unsigned char *bytes = take(reader, 2);
    return bytes ? (uint16_t)(bytes[0] << 8 | bytes[1]) : 0;
}

uint32_t rh_pg_read_u32(struct pg_reader *reader)
{
    const unsigned char *bytes = take(reader, 4);
    return bytes ? rh_load_be32(bytes) : 0;
}

const char *rh_pg_read_string(struct pg_reader *reader)
{
    if (reader->failed || reader->rest.len == 0) {
        reader->failed = true;
        return "";
    }
    const char *string = reader->rest.data;
    const char *end = memchr(string, '\0', reader->rest.len);
    if (!end) {
        reader->failed = true;
        return "";
    }
    take(reader, (size_t)(end - string) + 1);
    return string;
}

struct text rh_pg_read_bytes(struct pg_reader *reader, size_t len)
{
    const unsigned char *bytes = take(reader, len);
    return bytes ? (struct text){(const char *)bytes, len} : (struct text){"", 0};
}

/* The whole body was read, and no more than it. */
static bool is_done(const struct pg_reader *reader)
{
    return !reader->failed && reader->rest.len == 0;
}

bool rh_pg_decode_fields(struct text body, pg_field_fn *fn, void *context)
{
    struct pg_reader reader = {.rest = body};
    for (;;) {
        char code = (char)rh_pg_read_u8(&reader);
        if (code == '\0')
            return is_done(&reader);
        const char *value = rh_pg_read_string(&reader);
        if (reader.failed)
            return false;
        fn(context, code, value);
    }
}

bool rh_pg_decode_startup(struct text body, struct pg_startup *ret_startup)
{
    struct pg_reader reader = {.rest = body};
    struct pg_startup startup = {.code = rh_pg_read_u32(&reader)};
    if (reader.failed)
        return false;
    /* Requests (major 1234) carry no parameters; protocols before 3 had another layout. */
    if (startup.code >> 16 != 3) {
        *ret_startup = startup;
        return true;
    }
    for (;;) {
        const char *name = rh_pg_read_string(&reader);
        if (reader.failed)
            return false;
        if (name[0] == '\0')
            break;
        const char *value = rh_pg_read_string(&reader);
        if (reader.failed)
            return false;
        if (strcmp(name, "user") == 0)
            startup.user = value;
        else if (strcmp(name, "database") == 0)
            startup.database = value;
        else if (strcmp(name, "application_name") == 0)
            startup.application_name = value;
    }
    if (!is_done(&reader))
        return false;
    *ret_startup = startup;
    return true;
}

bool rh_pg_decode_cancel(struct text body, uint32_t *ret_pid, struct text *ret_key)
{
    struct pg_reader reader = {.rest = body};
    uint32_t code = rh_pg_read_u32(&reader);
    uint32_t pid = rh_pg_read_u32(&reader);
    if (reader.failed || code != PG_CODE_CANCEL || reader.rest.len < PG_CANCEL_KEY_MIN ||
        reader.rest.len > PG_CANCEL_KEY_MAX)
        return false;
    *ret_pid = pid;
    *ret_key = reader.rest;
    return true;
}

bool rh_pg_decode_parse(struct text body, struct pg_parse_message *ret_parse)
{
    struct pg_reader reader = {.rest = body};
    struct pg_parse_message parse;
    parse.statement = rh_pg_read_string(&reader);
    parse.query = rh_pg_read_string(&reader);
    if (reader.failed)
        return false;
    *ret_parse = parse;
    return true;
}

bool rh_pg_decode_bind(struct text body, struct pg_bind_message *ret_bind)
{
    struct pg_reader reader = {.rest = body};
    struct pg_bind_message bind;
    bind.portal = rh_pg_read_string(&reader);
    bind.statement = rh_pg_read_string(&reader);
    if (reader.failed)
        return false;
    *ret_bind = bind;
    return true;
}

/* Formats: none, one for all, one for each. */
uint64_t rh_pg_bind_binary_columns(struct text rest)
{
    struct pg_reader reader = {.rest = rest};
    uint64_t binary = 0;

    (void)rh_pg_read_bytes(&reader, 2 * (size_t)rh_pg_read_u16(&reader));
    for (uint16_t i = 0, count = rh_pg_read_u16(&reader); i < count && !reader.failed; i++) {
        uint32_t length = rh_pg_read_u32(&reader);

        if (length != UINT32_MAX)
            (void)rh_pg_read_bytes(&reader, length);
    }
    for (uint16_t i = 0, count = rh_pg_read_u16(&reader); i < count && !reader.failed; i++) {
        bool is_binary = rh_pg_read_u16(&reader) == 1;

        if (count == 1)
            return is_binary ? UINT64_MAX : 0;
        if (is_binary && i < 64)
            binary |= UINT64_C(1) << i;
    }
    return reader.failed ? 0 : binary;
}

bool rh_pg_decode_execute(struct text body, const char **ret_portal, uint32_t *ret_max_rows)
{
    struct pg_reader reader = {.rest = body};
    const char *portal = rh_pg_read_string(&reader);
    uint32_t max_rows = rh_pg_read_u32(&reader);
    if (!is_done(&reader))
        return false;
    *ret_portal = portal;
    *ret_max_rows = max_rows;
    return true;
}

bool rh_pg_decode_target(struct text body, char *ret_kind, const char **ret_name)
{
    struct pg_reader reader = {.rest = body};
    char kind = (char)rh_pg_read_u8(&reader);
    const char *name = rh_pg_read_string(&reader);
    if (!is_done(&reader) || (kind != 'S' && kind != 'P'))
        return false;
    *ret_kind = kind;
    *ret_name = name;
    return true;
}

/* Takes a trailing " 123" off `tag`; false when it does not end so. */
static bool take_count(struct text *tag, int64_t *ret_count)
{
    size_t at = tag->len;
    while (at > 0 && tag->data[at - 1] >= '0' && tag->data[at - 1] <= '9')
        at--;
    /* 19 digits may overflow; a row count has at most 18 in any table that fits a disk. */
    if (at == tag->len || at < 2 || tag->data[at - 1] != ' ' || tag->len - at > 18)
        return false;
    int64_t count = 0;
    for (size_t i = at; i < tag->len; i++)
        count = count * 10 + (tag->data[i] - '0');
    tag->len = at - 1;
    *ret_count = count;
    return true;
}

bool rh_pg_decode_command_complete(struct text body, struct text *ret_tag, int64_t *ret_rows)
{
    struct pg_reader reader = {.rest = body};
    struct text tag = rh_text(rh_pg_read_string(&reader));
    if (!is_done(&reader))
        return false;
    int64_t rows = -1, oid;
    /* Only INSERT has a second number, the OID that is always 0 since 12. */
    if (take_count(&tag, &rows))
        take_count(&tag, &oid);
    *ret_tag = tag;
    *ret_rows = rows;
    return true;
}

bool rh_pg_decode_backend_key(struct text body, uint32_t *ret_pid)
{
    struct pg_reader reader = {.rest = body};
    uint32_t pid = rh_pg_read_u32(&reader);
    if (reader.failed || reader.rest.len < PG_CANCEL_KEY_MIN || reader.rest.len > PG_CANCEL_KEY_MAX)
        return false;
    *ret_pid = pid;
    return true;
}

bool rh_pg_decode_parameter_status(struct text body, const char **ret_name, const char **ret_value)
{
    struct pg_reader reader = {.rest = body};
    const char *name = rh_pg_read_string(&reader);
    const char *value = rh_pg_read_string(&reader);
    if (!is_done(&reader))
        return false;
    *ret_name = name;
    *ret_value = value;
    return true;
}

bool rh_pg_decode_ready(struct text body, char *ret_status)
{
    struct pg_reader reader = {.rest = body};
    char status = (char)rh_pg_read_u8(&reader);
    if (!is_done(&reader) || (status != 'I' && status != 'T' && status != 'E'))
        return false;
    *ret_status = status;
    return true;
}

/* --- encoding --------------------------------------------------------------------------------- */

void rh_pg_encode_header(char out[5], char type, size_t body_length)
{
    RH_ASSERT(body_length <= INT32_MAX - 4);
    uint32_t length = (uint32_t)body_length + 4;
    out[0] = type;
    out[1] = (char)(length >> 24);
    out[2] = (char)(length >> 16);
    out[3] = (char)(length >> 8);
    out[4] = (char)length;
}

void rh_pg_encode_message(struct buf *out, char type, struct text body)
{
    char header[5];
    rh_pg_encode_header(header, type, body.len);
    rh_buf_add(out, header + (type ? 0 : 1), type ? 5 : 4);
    rh_buf_add_text(out, body);
}

static void add_field(struct buf *body, char code, const char *value)
{
    rh_buf_add_char(body, code);
    rh_buf_add(body, value, strlen(value) + 1);
}

static void encode_error(struct buf *out, const char *severity, const char *sqlstate,
                         const char *message, const char *detail, const char *hint)
{
    RH_CLEANUP_BUF struct buf body;
    rh_buf_init(&body, PG_FAILURE_BYTES_MAX - 5);
    add_field(&body, 'S', severity);
    add_field(&body, 'V', severity);
    add_field(&body, 'C', sqlstate);
    add_field(&body, 'M', message);
    if (detail[0])
        add_field(&body, 'D', detail);
    if (hint[0])
        add_field(&body, 'H', hint);
    rh_buf_add_char(&body, '\0');
    /* Far above any text of ours (struct err holds less than 3000 bytes). */
    RH_ASSERT(!body.failed);
    rh_pg_encode_message(out, 'E', rh_buf_text(&body));
}

void rh_pg_encode_error(struct buf *out, const char *severity, const char *sqlstate,
                        const char *message)
{
    encode_error(out, severity, sqlstate, message, "", "");
}

void rh_pg_encode_failure(struct buf *out, const char *sqlstate, const struct err *err)
{
    encode_error(out, "FATAL", sqlstate, err->message, err->detail, err->hint);
}
