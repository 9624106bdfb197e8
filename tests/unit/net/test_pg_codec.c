/* The codec: framing at every split, bodies, malformed input. */
#include "net/pg_codec.h"
#include "tools/wire_trace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct arena *arena;
static struct wire_traces traces;

static struct pg_type_set all_types(void)
{
    struct pg_type_set set;
    memset(&set, 0xff, sizeof(set));
    return set;
}

static struct pg_type_set types(const char *list)
{
    struct pg_type_set set = {{0}};
    for (; *list; list++)
        rh_pg_type_set_add(&set, (unsigned char)*list);
    return set;
}

/* A copy that ends where the memory ends, so that a sanitizer sees a read beyond it. */
static struct text exact(struct text bytes)
{
    char *copy = malloc(bytes.len ? bytes.len : 1);
    memcpy(copy, bytes.data, bytes.len);
    return (struct text){copy, bytes.len};
}

/* Feeds pieces of a recorded stream and compares each event with the next that must come. */
struct follower {
    const struct wire_stream *stream;
    struct pg_framer framer;
    size_t next;
    bool headed;
};

static void follow(struct follower *f, struct text piece)
{
    for (;;) {
        size_t used;
        struct pg_message message;
        enum pg_frame_event event = rh_pg_framer_next(&f->framer, piece, &used, &message);
        assert_true(used <= piece.len);
        piece.data += used;
        piece.len -= used;
        if (event == PG_FRAME_MORE) {
            assert_int_equal(piece.len, 0);
            return;
        }
        assert_true(f->next < f->stream->count);
        const struct wire_message *expected = &f->stream->messages[f->next];
        assert_int_equal(message.type, expected->type);
        assert_int_equal(message.body_length, expected->body.len);
        if (!f->headed) {
            assert_int_equal(event, PG_FRAME_HEAD);
            f->headed = true;
            continue;
        }
        assert_int_equal(event, PG_FRAME_MESSAGE);
        f->headed = false;
        f->next++;
        size_t shown = 0;
        if (rh_pg_type_set_has(&f->framer.collect, message.type))
            shown = expected->body.len < f->framer.collect_max ? expected->body.len
                                                               : f->framer.collect_max;
        assert_int_equal(message.body.len, shown);
        assert_memory_equal(message.body.data, expected->body.data, shown);
        assert_int_equal(message.is_whole, shown == expected->body.len);
    }
}

static void follow_split(const struct wire_stream *stream, enum pg_direction direction,
                         struct pg_type_set collect, size_t collect_max, size_t split, size_t step)
{
    struct follower f = {.stream = stream};
    rh_pg_framer_init(&f.framer, direction, &collect, collect_max);
    for (size_t at = 0; at < stream->bytes.len;) {
        size_t end = step ? at + step : at < split ? split : stream->bytes.len;
        if (end > stream->bytes.len)
            end = stream->bytes.len;
        struct text piece = exact((struct text){stream->bytes.data + at, end - at});
        follow(&f, piece);
        free((char *)piece.data);
        at = end;
    }
    assert_int_equal(f.next, stream->count);
    assert_false(f.headed);
    assert_true(rh_pg_framer_is_between(&f.framer));
    rh_pg_framer_deinit(&f.framer);
}

static void test_framer_gives_recorded_messages_at_every_split(void **state)
{
    (void)state;
    assert_true(traces.count >= 10);
    for (size_t t = 0; t < traces.count; t++) {
        for (enum pg_direction d = PG_FRONTEND; d <= PG_BACKEND; d++) {
            const struct wire_stream *stream = &traces.items[t].streams[d];
            for (size_t split = 0; split < stream->bytes.len; split++)
                follow_split(stream, d, all_types(), 1 << 20, split, 0);
        }
    }
}

static void test_framer_gives_recorded_messages_in_small_pieces(void **state)
{
    (void)state;
    for (size_t t = 0; t < traces.count; t++) {
        for (enum pg_direction d = PG_FRONTEND; d <= PG_BACKEND; d++) {
            const struct wire_stream *stream = &traces.items[t].streams[d];
            for (size_t step = 1; step < 20; step++) {
                follow_split(stream, d, all_types(), 1 << 20, 0, step);
                follow_split(stream, d, all_types(), 7, 0, step);
                follow_split(stream, d, all_types(), 0, 0, step);
                follow_split(stream, d, types("QPCZ"), 30, 0, step);
                follow_split(stream, d, types(""), 1 << 20, 0, step);
            }
        }
    }
}

/* As the relay does it: skip first, then next. Counts what is shown. */
static size_t show_skipping(const struct wire_stream *stream, enum pg_direction direction,
                            struct pg_type_set collect, size_t split)
{
    struct pg_framer framer;
    size_t shown = 0, next = 0;
    rh_pg_framer_init(&framer, direction, &collect, 1 << 20);
    for (size_t at = 0; at < stream->bytes.len;) {
        size_t end = at < split ? split : stream->bytes.len;
        struct text whole = exact((struct text){stream->bytes.data + at, end - at});
        struct text piece = whole;
        enum pg_frame_event event;
        do {
            struct pg_message message;
            size_t used = rh_pg_framer_skip(&framer, piece);
            piece = (struct text){piece.data + used, piece.len - used};
            event = PG_FRAME_MESSAGE;
            if ((used = rh_pg_framer_take(&framer, piece, &message)) == 0)
                event = rh_pg_framer_next(&framer, piece, &used, &message);
            else
                assert_true(rh_pg_framer_is_between(&framer));
            piece = (struct text){piece.data + used, piece.len - used};
            if (event == PG_FRAME_MESSAGE && rh_pg_type_set_has(&collect, message.type)) {
                while (!rh_pg_type_set_has(&collect, stream->messages[next].type))
                    next++;
                assert_int_equal(message.type, stream->messages[next].type);
                assert_int_equal(message.body.len, stream->messages[next].body.len);
                assert_memory_equal(message.body.data, stream->messages[next].body.data,
                                    message.body.len);
                shown++;
                next++;
            }
        } while (event != PG_FRAME_MORE);
        assert_int_equal(piece.len, 0);
        free((char *)whole.data);
        at = end;
    }
    assert_true(rh_pg_framer_is_between(&framer));
    rh_pg_framer_deinit(&framer);
    return shown;
}

static void test_framer_skip_loses_no_wanted_message_at_any_split(void **state)
{
    (void)state;
    struct pg_type_set wanted = types("CZEN1QSP");
    for (size_t t = 0; t < traces.count; t++) {
        for (enum pg_direction d = PG_FRONTEND; d <= PG_BACKEND; d++) {
            const struct wire_stream *stream = &traces.items[t].streams[d];
            size_t expected = 0;
            for (size_t i = 0; i < stream->count; i++)
                expected += rh_pg_type_set_has(&wanted, stream->messages[i].type);
            for (size_t split = 0; split < stream->bytes.len; split++)
                assert_int_equal(show_skipping(stream, d, wanted, split), expected);
        }
    }
}

static enum pg_frame_event first_event(enum pg_direction direction, bool untyped, struct text input)
{
    struct pg_framer framer;
    struct pg_message message;
    size_t used;
    struct pg_type_set collect = all_types();
    rh_pg_framer_init(&framer, direction, &collect, 100);
    framer.expects_startup = untyped;
    enum pg_frame_event event = rh_pg_framer_next(&framer, input, &used, &message);
    if (event == PG_FRAME_INVALID) {
        /* Lost is lost. */
        assert_int_equal(rh_pg_framer_next(&framer, TEXT_LITERAL("Z\0\0\0\5I"), &used, &message),
                         PG_FRAME_INVALID);
        assert_int_equal(used, 0);
        assert_int_equal(rh_pg_framer_skip(&framer, TEXT_LITERAL("Z\0\0\0\5I")), 0);
        assert_int_equal(rh_pg_framer_take(&framer, TEXT_LITERAL("Z\0\0\0\5I"), &message), 0);
    }
    rh_pg_framer_deinit(&framer);
    return event;
}

static void test_framer_refuses_lengths_and_types_that_cannot_be(void **state)
{
    (void)state;
    assert_int_equal(first_event(PG_FRONTEND, false, TEXT_LITERAL("Q\0\0\0\3")), PG_FRAME_INVALID);
    assert_int_equal(first_event(PG_FRONTEND, false, TEXT_LITERAL("Q\0\0\0\4")), PG_FRAME_HEAD);
    assert_int_equal(first_event(PG_BACKEND, false, TEXT_LITERAL("D\x80\0\0\0")), PG_FRAME_INVALID);
    assert_int_equal(first_event(PG_BACKEND, false, TEXT_LITERAL("D\x7f\xff\xff\xff")),
                     PG_FRAME_HEAD);
    assert_int_equal(first_event(PG_FRONTEND, false, TEXT_LITERAL("1\0\0\0\4")), PG_FRAME_INVALID);
    assert_int_equal(first_event(PG_BACKEND, false, TEXT_LITERAL("1\0\0\0\4")), PG_FRAME_HEAD);
    assert_int_equal(first_event(PG_BACKEND, false, TEXT_LITERAL("4\0\0\0\4")), PG_FRAME_INVALID);
    assert_int_equal(first_event(PG_BACKEND, false, TEXT_LITERAL("\0")), PG_FRAME_INVALID);
    assert_int_equal(first_event(PG_FRONTEND, false, TEXT_LITERAL("\xff\0")), PG_FRAME_INVALID);
    /* Start-up packets: 8 .. 10004 with the length word; a TLS hello is no start-up packet. */
    assert_int_equal(first_event(PG_FRONTEND, true, TEXT_LITERAL("\0\0\0\7")), PG_FRAME_INVALID);
    assert_int_equal(first_event(PG_FRONTEND, true, TEXT_LITERAL("\0\0\0\10")), PG_FRAME_HEAD);
    assert_int_equal(first_event(PG_FRONTEND, true, TEXT_LITERAL("\0\0\x27\x14")), PG_FRAME_HEAD);
    assert_int_equal(first_event(PG_FRONTEND, true, TEXT_LITERAL("\0\0\x27\x15")),
                     PG_FRAME_INVALID);
    assert_int_equal(first_event(PG_FRONTEND, true, TEXT_LITERAL("\x16\3\1\0")), PG_FRAME_INVALID);
    assert_int_equal(first_event(PG_FRONTEND, true, TEXT_LITERAL("GET /")), PG_FRAME_INVALID);
}

static void test_framer_take_gives_whole_messages_alone(void **state)
{
    (void)state;
    struct pg_type_set collect = types("Z");
    struct pg_framer framer;
    struct pg_message message;
    size_t used;
    rh_pg_framer_init(&framer, PG_BACKEND, &collect, 3);
    /* One message of two, its body in the input and no longer than wanted. */
    struct text input = TEXT_LITERAL("Z\0\0\0\10abcdZ\0\0\0\5I");
    assert_int_equal(rh_pg_framer_take(&framer, input, &message), 9);
    assert_int_equal(message.type, 'Z');
    assert_int_equal(message.body_length, 4);
    assert_false(message.is_whole);
    assert_int_equal(message.body.len, 3);
    assert_ptr_equal(message.body.data, input.data + 5);
    /* Not asked for; empty; cut; impossible. */
    assert_int_equal(rh_pg_framer_take(&framer, TEXT_LITERAL("C\0\0\0\5x"), &message), 6);
    assert_int_equal(message.body.len, 0);
    assert_false(message.is_whole);
    assert_int_equal(rh_pg_framer_take(&framer, TEXT_LITERAL("I\0\0\0\4"), &message), 5);
    assert_true(message.is_whole);
    assert_int_equal(rh_pg_framer_take(&framer, TEXT_LITERAL("Z\0\0\0\5"), &message), 0);
    assert_int_equal(rh_pg_framer_take(&framer, TEXT_LITERAL("Z\0\0\0"), &message), 0);
    assert_int_equal(rh_pg_framer_take(&framer, TEXT_LITERAL("Z\0\0\0\3I"), &message), 0);
    assert_int_equal(rh_pg_framer_take(&framer, TEXT_LITERAL("4\0\0\0\4"), &message), 0);
    /* Inside a message that began before. */
    assert_int_equal(rh_pg_framer_next(&framer, TEXT_LITERAL("Z"), &used, &message), PG_FRAME_MORE);
    assert_int_equal(rh_pg_framer_take(&framer, TEXT_LITERAL("Z\0\0\0\5I"), &message), 0);
    rh_pg_framer_deinit(&framer);
}

static void test_framer_keeps_nothing_of_bodies_not_asked_for(void **state)
{
    (void)state;
    struct pg_type_set collect = types("Z");
    struct pg_framer framer;
    struct pg_message message;
    size_t used;
    rh_pg_framer_init(&framer, PG_BACKEND, &collect, 1000);
    static char zeros[65536];
    assert_int_equal(rh_pg_framer_next(&framer, TEXT_LITERAL("d\x3f\xff\xff\xff"), &used, &message),
                     PG_FRAME_HEAD);
    uint32_t left = message.body_length;
    while (left > sizeof(zeros)) {
        assert_int_equal(
            rh_pg_framer_next(&framer, (struct text){zeros, sizeof(zeros)}, &used, &message),
            PG_FRAME_MORE);
        left -= (uint32_t)sizeof(zeros);
    }
    assert_int_equal(framer.collected.capacity, 0);
    assert_int_equal(rh_pg_framer_next(&framer, (struct text){zeros, left}, &used, &message),
                     PG_FRAME_MESSAGE);
    assert_int_equal(used, left);
    assert_int_equal(message.body_length, 0x3fffffff - 4);
    assert_false(message.is_whole);
    rh_pg_framer_deinit(&framer);
}

static void test_framer_shows_a_body_in_place_when_it_came_whole(void **state)
{
    (void)state;
    struct pg_type_set collect = all_types();
    struct pg_framer framer;
    struct pg_message message;
    size_t used;
    struct text input = TEXT_LITERAL("Z\0\0\0\5I");
    rh_pg_framer_init(&framer, PG_BACKEND, &collect, 1000);
    assert_int_equal(rh_pg_framer_next(&framer, input, &used, &message), PG_FRAME_HEAD);
    assert_int_equal(rh_pg_framer_next(&framer, (struct text){input.data + 5, 1}, &used, &message),
                     PG_FRAME_MESSAGE);
    assert_ptr_equal(message.body.data, input.data + 5);
    assert_int_equal(framer.collected.capacity, 0);
    rh_pg_framer_deinit(&framer);
}

/* --- bodies --- */

/* Every prefix of a body is malformed where `whole` says that a body has an end; none reads beyond.
 */
typedef bool decode_fn(struct text body);
static void check_prefixes(struct text body, decode_fn *decode)
{
    for (size_t len = 0; len <= body.len; len++) {
        struct text prefix = exact((struct text){body.data, len});
        bool ok = decode(prefix);
        if (ok != (len == body.len))
            print_error("prefix of %zu of %zu bytes: %d\n", len, body.len, ok);
        assert_int_equal(ok, len == body.len);
        free((char *)prefix.data);
    }
}

static bool decode_startup(struct text body)
{
    struct pg_startup startup;
    return rh_pg_decode_startup(body, &startup);
}
static bool decode_parse(struct text body)
{
    struct pg_parse_message parse;
    return rh_pg_decode_parse(body, &parse);
}
static bool decode_bind(struct text body)
{
    struct pg_bind_message bind;
    return rh_pg_decode_bind(body, &bind);
}
static bool decode_execute(struct text body)
{
    const char *portal;
    uint32_t rows;
    return rh_pg_decode_execute(body, &portal, &rows);
}
static bool decode_target(struct text body)
{
    char kind;
    const char *name;
    return rh_pg_decode_target(body, &kind, &name);
}
static bool decode_complete(struct text body)
{
    struct text tag;
    int64_t rows;
    return rh_pg_decode_command_complete(body, &tag, &rows);
}
static bool decode_status(struct text body)
{
    const char *name, *value;
    return rh_pg_decode_parameter_status(body, &name, &value);
}
static bool decode_ready(struct text body)
{
    char status;
    return rh_pg_decode_ready(body, &status);
}
static void ignore_field(void *context, char code, const char *value)
{
    (void)context;
    (void)code;
    assert_non_null(value);
}
static bool decode_fields(struct text body)
{
    return rh_pg_decode_fields(body, ignore_field, NULL);
}

static void test_decode_refuses_every_prefix(void **state)
{
    (void)state;
    check_prefixes(TEXT_LITERAL("\0\3\0\0user\0me\0database\0shop\0\0"), decode_startup);
    check_prefixes(TEXT_LITERAL("s1\0SELECT $1\0"), decode_parse);
    check_prefixes(TEXT_LITERAL("p1\0s1\0"), decode_bind);
    check_prefixes(TEXT_LITERAL("p1\0\0\0\0\7"), decode_execute);
    check_prefixes(TEXT_LITERAL("Ss1\0"), decode_target);
    check_prefixes(TEXT_LITERAL("INSERT 0 5\0"), decode_complete);
    check_prefixes(TEXT_LITERAL("TimeZone\0UTC\0"), decode_status);
    check_prefixes(TEXT_LITERAL("I"), decode_ready);
    check_prefixes(TEXT_LITERAL("SERROR\0C42P01\0Mgone\0\0"), decode_fields);
}

static void test_decode_refuses_what_is_behind_the_end(void **state)
{
    (void)state;
    assert_false(decode_startup(TEXT_LITERAL("\0\3\0\0user\0me\0\0x")));
    assert_false(decode_execute(TEXT_LITERAL("p1\0\0\0\0\7x")));
    assert_false(decode_target(TEXT_LITERAL("Ss1\0x")));
    assert_false(decode_target(TEXT_LITERAL("Xs1\0")));
    assert_false(decode_complete(TEXT_LITERAL("SELECT 1\0x")));
    assert_false(decode_ready(TEXT_LITERAL("II")));
    assert_false(decode_ready(TEXT_LITERAL("X")));
    assert_false(decode_fields(TEXT_LITERAL("SERROR\0\0x")));
}

static void test_decode_startup_reads_parameters(void **state)
{
    (void)state;
    struct pg_startup startup;
    assert_true(rh_pg_decode_startup(
        TEXT_LITERAL(
            "\0\3\0\2user\0me\0database\0shop\0options\0-c x=y\0application_name\0app\0\0"),
        &startup));
    assert_int_equal(startup.code, PG_PROTOCOL_3_2);
    assert_string_equal(startup.user, "me");
    assert_string_equal(startup.database, "shop");
    assert_string_equal(startup.application_name, "app");
    assert_true(rh_pg_decode_startup(TEXT_LITERAL("\0\3\0\0\0"), &startup));
    assert_null(startup.user);
    assert_true(rh_pg_decode_startup(TEXT_LITERAL("\x04\xd2\x16\x2f"), &startup));
    assert_int_equal(startup.code, PG_CODE_SSL);
}

static void test_decode_cancel_takes_keys_of_4_to_256_bytes(void **state)
{
    (void)state;
    char body[8 + 257] = "\x04\xd2\x16\x2e\0\0\x30\x39";
    for (size_t len = 0; len <= 257; len++) {
        uint32_t pid = 0;
        struct text key = {NULL, 0};
        bool ok = rh_pg_decode_cancel((struct text){body, 8 + len}, &pid, &key);
        assert_int_equal(ok, len >= 4 && len <= 256);
        if (ok) {
            assert_int_equal(pid, 12345);
            assert_int_equal(key.len, len);
        }
        assert_int_equal(rh_pg_decode_backend_key((struct text){body + 4, 4 + len}, &pid),
                         len >= 4 && len <= 256);
    }
}

static void check_tag(const char *text, const char *expected_tag, int64_t expected_rows)
{
    struct text tag;
    int64_t rows;
    assert_true(rh_pg_decode_command_complete((struct text){text, strlen(text) + 1}, &tag, &rows));
    if (!rh_text_is(tag, expected_tag) || rows != expected_rows)
        print_error("%s: \"%.*s\" %lld\n", text, (int)tag.len, tag.data, (long long)rows);
    assert_true(rh_text_is(tag, expected_tag));
    assert_int_equal(rows, expected_rows);
}

static void test_decode_command_complete_takes_counts_off_the_tag(void **state)
{
    (void)state;
    check_tag("INSERT 0 5", "INSERT", 5);
    check_tag("SELECT 0", "SELECT", 0);
    check_tag("COPY 123456789012", "COPY", 123456789012);
    check_tag("CREATE TABLE", "CREATE TABLE", -1);
    check_tag("BEGIN", "BEGIN", -1);
    check_tag("MERGE 7", "MERGE", 7);
    check_tag("", "", -1);
    check_tag("5", "5", -1);
    check_tag("SELECT 99999999999999999999", "SELECT 99999999999999999999", -1);
}

struct seen_fields {
    char text[256];
};
static void note_field(void *context, char code, const char *value)
{
    struct seen_fields *seen = context;
    size_t len = strlen(seen->text);
    snprintf(seen->text + len, sizeof(seen->text) - len, "%c=%s;", code, value);
}

static void test_encode_error_is_decoded_again(void **state)
{
    (void)state;
    RH_CLEANUP_BUF struct buf out;
    rh_buf_init(&out, 1000);
    rh_pg_encode_error(&out, "FATAL", "08006", "gone");
    struct pg_framer framer;
    struct pg_message message;
    struct pg_type_set collect = all_types();
    size_t used;
    rh_pg_framer_init(&framer, PG_BACKEND, &collect, 1000);
    struct text input = rh_buf_text(&out);
    assert_int_equal(rh_pg_framer_next(&framer, input, &used, &message), PG_FRAME_HEAD);
    input = (struct text){input.data + used, input.len - used};
    assert_int_equal(rh_pg_framer_next(&framer, input, &used, &message), PG_FRAME_MESSAGE);
    assert_int_equal(used, input.len);
    struct seen_fields seen = {""};
    assert_true(rh_pg_decode_fields(message.body, note_field, &seen));
    assert_string_equal(seen.text, "S=FATAL;V=FATAL;C=08006;M=gone;");
    rh_pg_framer_deinit(&framer);
}

/* Every body of the recordings is well-formed for its own decoder. */
static void test_decode_accepts_recorded_bodies(void **state)
{
    (void)state;
    size_t decoded = 0;
    for (size_t t = 0; t < traces.count; t++) {
        for (enum pg_direction d = PG_FRONTEND; d <= PG_BACKEND; d++) {
            const struct wire_stream *stream = &traces.items[t].streams[d];
            for (size_t i = 0; i < stream->count; i++) {
                const struct wire_message *m = &stream->messages[i];
                bool is_front = d == PG_FRONTEND;
                decode_fn *decode = m->type == 0                 ? decode_startup
                                    : m->type == 'P'             ? decode_parse
                                    : is_front && m->type == 'B' ? decode_bind
                                    : is_front && m->type == 'E' ? decode_execute
                                    : is_front && (m->type == 'D' || m->type == 'C') ? decode_target
                                    : is_front                                       ? NULL
                                    : m->type == 'C'                   ? decode_complete
                                    : m->type == 'S'                   ? decode_status
                                    : m->type == 'Z'                   ? decode_ready
                                    : m->type == 'E' || m->type == 'N' ? decode_fields
                                                                       : NULL;
                if (!decode)
                    continue;
                struct text body = exact(m->body);
                assert_true(decode(body));
                free((char *)body.data);
                decoded++;
            }
        }
    }
    assert_true(decoded > 200);
}

/* --- bodies in parts --- */

/* Feeds pieces; appends "[type begins ends]" of messages that do not come joined, the bytes of all
   parts, and of other messages their type. */
static void tell_parts(struct pg_framer *framer, struct text input, size_t piece, struct buf *said)
{
    for (size_t at = 0; at < input.len; at += piece) {
        size_t left = input.len - at < piece ? input.len - at : piece;
        char *bytes = (char *)exact((struct text){input.data + at, left}).data;
        for (char *next = bytes;;) {
            bool has_part;
            struct pg_part part;
            struct pg_message message;
            size_t used = rh_pg_framer_part(framer, next, left, &has_part, &part);
            if (used > 0 && has_part) {
                if (part.type != 'd')
                    rh_buf_printf(said, "%s", part.begins ? "<" : "");
                rh_buf_add_text(said, part.bytes);
                if (part.type != 'd')
                    rh_buf_printf(said, "%s", part.ends ? ">" : "");
            } else if (used == 0) {
                enum pg_frame_event event = rh_pg_framer_next(framer, (struct text){next, left},
                                                              &used, &message);
                if (event == PG_FRAME_MESSAGE)
                    rh_buf_add_char(said, (char)message.type);
                if (event == PG_FRAME_INVALID)
                    rh_buf_add_char(said, '!');
                if (event == PG_FRAME_INVALID || event == PG_FRAME_MORE)
                    break;
            }
            next += used;
            left -= used;
        }
        free(bytes);
    }
}

static void check_parts(struct text input, const char *expected)
{
    struct pg_type_set none = {{0}};
    for (size_t piece = 1; piece <= input.len; piece++) {
        RH_CLEANUP_BUF struct buf said;
        struct pg_framer framer;
        rh_buf_init(&said, 1000);
        rh_pg_framer_init(&framer, PG_BACKEND, &none, 100);
        framer.streamed = types("dV");
        tell_parts(&framer, input, piece, &said);
        assert_string_equal(said.data, expected);
        assert_int_equal(framer.collected.len, 0);
        rh_pg_framer_deinit(&framer);
    }
}

static void test_framer_gives_bodies_in_parts_at_any_split(void **state)
{
    (void)state;
    check_parts(TEXT_LITERAL("H\0\0\0\4d\0\0\0\7abcd\0\0\0\4d\0\0\0\6deZ\0\0\0\5Id\0\0\0\5f"),
                "HabcdeZf");
    check_parts(TEXT_LITERAL("V\0\0\0\6abV\0\0\0\4d\0\0\0\5cV\0\0\0\6deZ\0\0\0\5I"),
                "<ab><>c<de>Z");
}

static void test_framer_part_stops_at_an_impossible_length(void **state)
{
    struct pg_type_set none = {{0}};
    (void)state;
    struct text input = TEXT_LITERAL("d\0\0\0\5ad\0\0\0\3");
    for (size_t piece = 1; piece <= input.len; piece++) {
        RH_CLEANUP_BUF struct buf said;
        struct pg_framer framer;
        rh_buf_init(&said, 1000);
        rh_pg_framer_init(&framer, PG_BACKEND, &none, 100);
        framer.streamed = types("d");
        tell_parts(&framer, input, piece, &said);
        assert_string_equal(said.data, "a!");
        rh_pg_framer_deinit(&framer);
    }
}

static void test_framer_part_joins_in_place(void **state)
{
    struct pg_type_set none = {{0}};
    struct pg_framer framer;
    bool has_part;
    struct pg_part part;
    (void)state;
    rh_pg_framer_init(&framer, PG_BACKEND, &none, 100);
    framer.streamed = types("d");
    struct text input = exact(TEXT_LITERAL("d\0\0\0\6abd\0\0\0\6cdd\0\0\0\7e"));
    size_t used = rh_pg_framer_part(&framer, (char *)input.data, input.len, &has_part, &part);
    assert_int_equal(used, input.len);
    assert_true(has_part && rh_text_is(part.bytes, "abcde"));
    assert_true(part.bytes.data >= input.data && part.bytes.data < input.data + input.len);
    assert_true(part.begins && !part.ends);
    assert_int_equal(part.body_length, 2);
    free((char *)input.data);
    rh_pg_framer_deinit(&framer);
}

static void test_encode_header_is_that_of_the_whole_message(void **state)
{
    char header[5];
    RH_CLEANUP_BUF struct buf whole;
    (void)state;
    rh_buf_init(&whole, 100000);
    static char body[70000];
    rh_pg_encode_message(&whole, 'd', (struct text){body, sizeof(body)});
    rh_pg_encode_header(header, 'd', sizeof(body));
    assert_memory_equal(header, whole.data, 5);
    assert_memory_equal(header, "d\0\1\x11\x74", 5);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_framer_gives_recorded_messages_at_every_split),
        cmocka_unit_test(test_framer_gives_recorded_messages_in_small_pieces),
        cmocka_unit_test(test_framer_skip_loses_no_wanted_message_at_any_split),
        cmocka_unit_test(test_framer_refuses_lengths_and_types_that_cannot_be),
        cmocka_unit_test(test_framer_take_gives_whole_messages_alone),
        cmocka_unit_test(test_framer_keeps_nothing_of_bodies_not_asked_for),
        cmocka_unit_test(test_framer_shows_a_body_in_place_when_it_came_whole),
        cmocka_unit_test(test_decode_refuses_every_prefix),
        cmocka_unit_test(test_decode_refuses_what_is_behind_the_end),
        cmocka_unit_test(test_decode_startup_reads_parameters),
        cmocka_unit_test(test_decode_cancel_takes_keys_of_4_to_256_bytes),
        cmocka_unit_test(test_decode_command_complete_takes_counts_off_the_tag),
        cmocka_unit_test(test_framer_gives_bodies_in_parts_at_any_split),
        cmocka_unit_test(test_framer_part_stops_at_an_impossible_length),
        cmocka_unit_test(test_framer_part_joins_in_place),
        cmocka_unit_test(test_encode_header_is_that_of_the_whole_message),
        cmocka_unit_test(test_encode_error_is_decoded_again),
        cmocka_unit_test(test_decode_accepts_recorded_bodies),
    };
    if (argc != 2)
        return 2;
    arena = rh_arena_new();
    traces = rh_wire_traces_read(argv[1], arena);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    rh_arena_free(arena);
    return failed;
}
