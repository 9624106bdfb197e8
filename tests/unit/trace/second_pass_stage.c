#include "second_pass_stage.h"

#include "engine/inquiry.h"
#include "net/pg_codec.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define BYTES_MAX ((size_t)32 * 1024 * 1024)
#define START TEXT_LITERAL("\0\0\0\x11\0\3\0\0user\0me\0\0")

/* --- an engine that asks two questions, of which the second fails; TWICE: in two rounds --- */

struct inquiry {
    int asked;
    bool is_to_ask_again;
    bool last_failed;
};

static struct inquiry *fake_inquiry_new(const char *sql, const struct server_message *error,
                                        bool shows_values, struct arena *arena)
{
    (void)shows_values;
    if (strcmp(error->sqlstate, "23505") != 0)
        return NULL;
    struct inquiry *inquiry = RH_NEW(arena, struct inquiry);
    inquiry->is_to_ask_again = strstr(sql, "TWICE");
    return inquiry;
}

static const char *fake_inquiry_next(struct inquiry *inquiry, const struct inquiry_answer *answer)
{
    inquiry->last_failed = answer && answer->error;
    switch (inquiry->asked++) {
    case 0:
        return "COUNT 1";
    case 1:
        assert_non_null(answer);
        assert_null(answer->error);
        assert_int_equal(answer->rows, 1);
        assert_int_equal(answer->columns, 1);
        assert_string_equal(answer->values[0], "42");
        return "FAIL 2";
    default:
        return NULL;
    }
}

static bool fake_inquiry_again(struct inquiry *inquiry)
{
    bool again = inquiry->is_to_ask_again;
    inquiry->is_to_ask_again = false;
    inquiry->asked = 0;
    return again;
}

static void fake_inquiry_result(const struct inquiry *inquiry, struct blocker *blocker)
{
    blocker->repair_tried = true;
    blocker->repair_worked = inquiry->last_failed;
}

static const struct engine fake_engine = {.inquiry_new = fake_inquiry_new,
                                          .inquiry_next = fake_inquiry_next,
                                          .inquiry_again = fake_inquiry_again,
                                          .inquiry_result = fake_inquiry_result};

/* --- the stage --- */

void stage_open(struct stage *s, int64_t answer_max_us)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct err err = RH_ERR_INIT;
    int fds[2];
    *s = (struct stage){.server = -1, .status = 'I', .arena = rh_arena_new()};
    rh_buf_init(&s->from_client, BYTES_MAX);
    rh_buf_init(&s->from_server, BYTES_MAX);
    rh_buf_init(&s->log, BYTES_MAX);
    strcpy(s->directory, "/tmp/second-pass-XXXXXX");
    assert_non_null(mkdtemp(s->directory));
    snprintf(s->path, sizeof(s->path), "%s/server", s->directory);
    strcpy(address.sun_path, s->path);
    s->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(s->listener, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(s->listener, 4), 0);
    assert_int_equal(rh_loop_new(&s->loop, &err), RH_OK);
    s->first.arena = s->arena;
    const struct second_pass_options options = {.engine = &fake_engine,
                                                .loop = s->loop,
                                                .arena = s->arena,
                                                .first = &s->first,
                                                .answer_max_us = answer_max_us};
    s->pass = rh_second_pass_new(&options);
    const struct audience audience = rh_second_pass_audience(s->pass);
    const struct tap_options tap_options = {.server_socket_path = s->path};
    assert_int_equal(rh_tap_new(s->loop, &tap_options, &audience.handler, &s->tap, &err), RH_OK);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    s->client = fds[0];
    assert_int_equal(rh_tap_adopt(s->tap, fds[1], &err), RH_OK);
}

struct blockers stage_close(struct stage *s)
{
    struct performance performance = {0};
    rh_tap_free(s->tap);
    struct blockers blockers = rh_second_pass_blockers(s->pass, &performance);
    rh_second_pass_free(s->pass);
    rh_loop_free(s->loop);
    close(s->client);
    if (s->server >= 0)
        close(s->server);
    close(s->listener);
    unlink(s->path);
    rmdir(s->directory);
    rh_buf_deinit(&s->from_client);
    rh_buf_deinit(&s->from_server);
    rh_buf_deinit(&s->log);
    return blockers;
}

/* --- the server --- */

static void say(struct stage *s, char type, struct text body)
{
    RH_CLEANUP_BUF struct buf bytes;
    rh_buf_init(&bytes, 4096);
    rh_pg_encode_message(&bytes, type, body);
    if (s->server >= 0)
        (void)!send(s->server, bytes.data, bytes.len, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void say_error(struct stage *s, const char *sqlstate, const char *message)
{
    RH_CLEANUP_BUF struct buf bytes;
    rh_buf_init(&bytes, 4096);
    rh_pg_encode_error(&bytes, "ERROR", sqlstate, message);
    (void)!send(s->server, bytes.data, bytes.len, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (s->status == 'T')
        s->status = 'E';
}

bool begins(const char *sql, const char *word)
{
    return strncmp(sql, word, strlen(word)) == 0;
}

/* What refuses it; NULL when it goes well. */
static const char *refusal(const struct stage *s, const char *sql)
{
    if (s->status == 'E' && !begins(sql, "ROLLBACK"))
        return "25P02";
    if (strstr(sql, "FAIL"))
        return "23505";
    if (strstr(sql, "MISS"))
        return "42P01";
    if (s->status == 'I' && (begins(sql, "SAVEPOINT") || begins(sql, "RELEASE")))
        return "25P01";
    return NULL;
}

static bool run(struct stage *s, const char *sql, bool is_simple)
{
    const char *sqlstate = refusal(s, sql);
    rh_buf_printf(&s->log, "%s%s", s->log.len > 0 ? "|" : "", sql);
    if (sqlstate) {
        say_error(s, sqlstate, "relation \"made\" does not exist");
        return false;
    }
    if (begins(sql, "BEGIN"))
        s->status = 'T';
    else if (begins(sql, "ROLLBACK TO"))
        s->status = 'T';
    else if (begins(sql, "COMMIT") || begins(sql, "ROLLBACK"))
        s->status = 'I';
    if (begins(sql, "COUNT") && is_simple) {
        say(s, 'T', TEXT_LITERAL("\0\1n\0\0\0\0\0\0\0\0\0\0\x17\0\4\377\377\377\377\0\0"));
        say(s, 'D',
            TEXT_LITERAL("\0\1\0\0\0\2"
                         "42"));
    }
    say(s, 'C', TEXT_LITERAL("DONE\0"));
    return true;
}

static size_t slot(const char *name)
{
    return name[0] ? (size_t)(name[0] & 31) + 1 + (strncmp(name, "rehearse", 8) == 0 ? 32 : 0) : 0;
}

static void ready(struct stage *s)
{
    say(s, 'Z', (struct text){&s->status, 1});
}

static void serve_extended(struct stage *s, unsigned char type, struct text body)
{
    struct pg_parse_message parse;
    struct pg_bind_message bind;
    const char *name;
    uint32_t rows;
    char kind;
    bool ok = true;
    switch (type) {
    case 'P':
        assert_true(rh_pg_decode_parse(body, &parse));
        snprintf(s->prepared[slot(parse.statement)], 128, "%s", parse.query);
        s->is_prepared[slot(parse.statement)] = !strstr(parse.query, "MISS");
        ok = s->is_prepared[slot(parse.statement)];
        if (ok)
            say(s, '1', (struct text){"", 0});
        else
            say_error(s, "42P01", "relation \"made\" does not exist");
        break;
    case 'B':
        assert_true(rh_pg_decode_bind(body, &bind));
        ok = s->is_prepared[slot(bind.statement)];
        s->bound[slot(bind.portal)] = (char)slot(bind.statement);
        if (ok)
            say(s, '2', (struct text){"", 0});
        else
            say_error(s, "26000", "no such statement");
        break;
    case 'E':
        assert_true(rh_pg_decode_execute(body, &name, &rows));
        ok = run(s, s->prepared[(int)s->bound[slot(name)]], false);
        break;
    case 'D':
        assert_true(rh_pg_decode_target(body, &kind, &name));
        if (kind == 'S')
            say(s, 't', TEXT_LITERAL("\0\0"));
        say(s, 'n', (struct text){"", 0});
        break;
    case 'C':
        assert_true(rh_pg_decode_target(body, &kind, &name));
        say(s, '3', (struct text){"", 0});
        break;
    default:
        break;
    }
    s->skips = !ok;
}

static void serve(struct stage *s, unsigned char type, struct text body)
{
    if (type == 'Q') {
        if (strstr(body.data, "HANG"))
            return;
        run(s, body.data, true);
        ready(s);
    } else if (type == 'S') {
        s->skips = false;
        ready(s);
    } else if (!s->skips) {
        serve_extended(s, type, body);
    }
}

static void serve_all(struct stage *s)
{
    size_t at = 0;
    if (!s->has_started && s->from_client.len >= START.len) {
        s->has_started = true;
        at = START.len;
        say(s, 'R', TEXT_LITERAL("\0\0\0\0"));
        ready(s);
    }
    while (s->has_started && s->from_client.len - at >= 5) {
        const unsigned char *bytes = (const unsigned char *)s->from_client.data + at;
        size_t length = (size_t)bytes[1] << 24 | (size_t)bytes[2] << 16 | (size_t)bytes[3] << 8 |
                        bytes[4];
        if (s->from_client.len - at < length + 1)
            break;
        serve(s, bytes[0], (struct text){(const char *)bytes + 5, length - 4});
        at += length + 1;
    }
    rh_buf_consume(&s->from_client, at);
}

static void pull(int fd, struct buf *into, bool *has_ended)
{
    static char chunk[65536];
    ssize_t got = fd < 0 ? -1 : recv(fd, chunk, sizeof(chunk), MSG_DONTWAIT);
    if (got > 0)
        rh_buf_add(into, chunk, (size_t)got);
    else if (got == 0 && has_ended)
        *has_ended = true;
}

void turn(struct stage *s)
{
    struct err err = RH_ERR_INIT;
    assert_int_equal(rh_loop_run(s->loop, (struct mono){0}, &err), RH_ERR_TIMEOUT);
    if (s->server < 0)
        s->server = accept4(s->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    pull(s->server, &s->from_client, NULL);
    serve_all(s);
    pull(s->client, &s->from_server, &s->client_has_ended);
}

/* --- the client --- */

/* The next message that came, from `at` on; 0 at the end. */
static char next_type(const struct stage *s, size_t *at)
{
    const unsigned char *bytes = (const unsigned char *)s->from_server.data + *at;
    if (s->from_server.len - *at < 5)
        return 0;
    size_t length = (size_t)bytes[3] << 8 | bytes[4];
    if (s->from_server.len - *at < length + 1)
        return 0;
    *at += length + 1;
    return (char)bytes[0];
}

/* The types of what came: "12nCZ". */
const char *types(struct stage *s)
{
    char *text = rh_arena_alloc(s->arena, s->from_server.len + 1);
    size_t count = 0, at = 0;
    for (char type; (type = next_type(s, &at));)
        text[count++] = type;
    return text;
}

size_t count_of(const struct stage *s, char wanted)
{
    size_t count = 0, at = 0;
    for (char type; (type = next_type(s, &at));)
        count += type == wanted;
    return count;
}

void await_ready(struct stage *s, size_t count)
{
    struct mono until = rh_clock_after(rh_clock_mono(), 5000000);
    while (count_of(s, 'Z') < count && !s->client_has_ended) {
        if (rh_clock_passed(until))
            fail_msg("only \"%s\" came, the server ran \"%s\"", types(s), s->log.data);
        turn(s);
    }
}

void transmit(struct stage *s, struct text bytes)
{
    assert_int_equal(send(s->client, bytes.data, bytes.len, MSG_NOSIGNAL), bytes.len);
}

void start(struct stage *s)
{
    transmit(s, START);
    await_ready(s, 1);
    rh_buf_clear(&s->from_server);
}

void add_query(struct buf *out, const char *sql)
{
    rh_pg_encode_message(out, 'Q', (struct text){sql, strlen(sql) + 1});
}

void add_parse(struct buf *out, char name, const char *sql)
{
    RH_CLEANUP_BUF struct buf body;
    rh_buf_init(&body, 1000);
    if (name)
        rh_buf_add_char(&body, name);
    rh_buf_add_char(&body, '\0');
    rh_buf_add(&body, sql, strlen(sql) + 1);
    rh_buf_add(&body, "\0\0", 2);
    rh_pg_encode_message(out, 'P', rh_buf_text(&body));
}

void add_execute(struct buf *out, char name, bool describes)
{
    RH_CLEANUP_BUF struct buf body;
    rh_buf_init(&body, 1000);
    rh_buf_add_char(&body, '\0');
    if (name)
        rh_buf_add_char(&body, name);
    rh_buf_add_char(&body, '\0');
    rh_buf_add(&body, "\0\0\0\0\0\0", 6);
    rh_pg_encode_message(out, 'B', rh_buf_text(&body));
    if (describes)
        rh_pg_encode_message(out, 'D', TEXT_LITERAL("P\0"));
    rh_pg_encode_message(out, 'E', TEXT_LITERAL("\0\0\0\0\0"));
}

void add_statement(struct buf *out, const char *sql)
{
    add_parse(out, 0, sql);
    add_execute(out, 0, true);
}

void add_sync(struct buf *out)
{
    rh_pg_encode_message(out, 'S', (struct text){"", 0});
}

void query(struct stage *s, const char *sql)
{
    RH_CLEANUP_BUF struct buf out;
    rh_buf_init(&out, 100000);
    rh_buf_clear(&s->from_server);
    rh_buf_clear(&s->log);
    add_query(&out, sql);
    transmit(s, rh_buf_text(&out));
    await_ready(s, 1);
}

void send_and_await(struct stage *s, const struct buf *out, size_t syncs)
{
    rh_buf_clear(&s->from_server);
    rh_buf_clear(&s->log);
    transmit(s, rh_buf_text(out));
    await_ready(s, syncs);
}
