/* The path between scripted peers, and a recorder that never comes: the forwarding goes on, the
 * recording stops, or sheds sessions and takes them back. */
#include "workload/capture_path.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#define RING_BYTES ((size_t)16 * 1024 * 1024)
#define QUERY_BYTES ((size_t)1024 * 1024)
#define START "\0\0\0\x10\0\3\0\0user\0x\0\0"

struct fixture {
    char directory[64], socket_path[96];
    struct loop *loop;
    struct tap *tap;
    struct capture_ring *ring;
    struct capture_path *path;
    int listener, client, server;
    size_t server_received, client_received;
};

/* Both peers take what comes. */
static void drink(int fd, size_t *total)
{
    static char bytes[65536];
    ssize_t got;

    while (fd >= 0 && (got = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT)) > 0)
        *total += (size_t)got;
}

static void turn(struct fixture *f)
{
    struct err err = RH_ERR_INIT;

    (void)!rh_loop_run(f->loop, rh_clock_after(rh_clock_mono(), 1000), &err);
    if (f->server < 0)
        f->server = accept4(f->listener, NULL, NULL, SOCK_NONBLOCK);
    drink(f->server, &f->server_received);
    drink(f->client, &f->client_received);
}

#define UNTIL(f, condition)                                                              \
    do {                                                                                 \
        const struct mono deadline = rh_clock_after(rh_clock_mono(), INT64_C(10000000)); \
        while (!(condition)) {                                                           \
            if (rh_clock_passed(deadline))                                               \
                fail_msg("not in time: %s", #condition);                                 \
            turn(f);                                                                     \
        }                                                                                \
    } while (0)

static void say(struct fixture *f, int fd, const char *data, size_t length)
{
    while (length > 0) {
        ssize_t sent = send(fd, data, length, MSG_DONTWAIT | MSG_NOSIGNAL);

        if (sent > 0) {
            data += sent;
            length -= (size_t)sent;
        } else {
            turn(f);
        }
    }
}

static void open_path(struct fixture *f, bool sheds)
{
    struct err err = RH_ERR_INIT;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int pair[2];

    memset(f, 0, sizeof(*f));
    f->server = -1;
    snprintf(f->directory, sizeof(f->directory), "/tmp/rh-path-XXXXXX");
    assert_non_null(mkdtemp(f->directory));
    snprintf(f->socket_path, sizeof(f->socket_path), "%s/s", f->directory);
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", f->socket_path);
    f->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(f->listener, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(f->listener, 1), 0);
    assert_int_equal(rh_loop_new(&f->loop, &err), RH_OK);
    assert_int_equal(
        rh_capture_ring_new(&(struct capture_ring_options){.bytes = RING_BYTES}, &f->ring, &err),
        RH_OK);
    f->path = rh_capture_path_new(&(struct capture_path_options){
        .ring = f->ring, .began = rh_clock_mono(), .sheds = sheds, .copy_max_bytes = 1000});

    const struct tap_handler handler = rh_capture_path_handler(f->path);
    const struct tap_options options = {.server_socket_path = f->socket_path};

    assert_int_equal(rh_tap_new(f->loop, &options, &handler, &f->tap, &err), RH_OK);
    rh_capture_path_start(f->path);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
    f->client = pair[0];
    assert_int_equal(rh_tap_adopt(f->tap, pair[1], &err), RH_OK);
    say(f, f->client, START, sizeof(START) - 1);
    UNTIL(f, f->server_received == sizeof(START) - 1);
    say(f, f->server, "R\0\0\0\x8\0\0\0\0Z\0\0\0\5I", 15);
    UNTIL(f, f->client_received == 15);
}

static void close_path(struct fixture *f)
{
    rh_tap_free(f->tap);
    rh_capture_path_free(f->path);
    rh_capture_ring_free(f->ring);
    rh_loop_free(f->loop);
    close(f->client);
    close(f->server);
    close(f->listener);
    unlink(f->socket_path);
    rmdir(f->directory);
}

/* A query of a megabyte, and its answer. */
static void converse(struct fixture *f)
{
    static const char answer[] = "C\0\0\0\xdSELECT 1\0Z\0\0\0\5I";
    size_t asked = f->server_received + 5 + QUERY_BYTES;
    size_t answered = f->client_received + sizeof(answer) - 1;
    char *query = calloc(1, 5 + QUERY_BYTES);

    memset(query + 5, 'x', QUERY_BYTES - 1);
    memcpy(query, "Q\0\x10\0\4", 5);
    say(f, f->client, query, 5 + QUERY_BYTES);
    UNTIL(f, f->server_received == asked);
    say(f, f->server, answer, sizeof(answer) - 1);
    UNTIL(f, f->client_received == answered);
    free(query);
}

/* Kinds of records in the ring, as letters. */
static void kinds(struct fixture *f, char out[static 256])
{
    static const char letters[] = "hpbmlrace";
    struct err err = RH_ERR_INIT;
    char *chunk = malloc(CAPTURE_TAKE_BYTES);
    size_t length, count = 0;
    bool is_over = false;

    do {
        assert_int_equal(rh_capture_ring_take(f->ring, 0, chunk, &length, &is_over, &err), RH_OK);
        for (size_t at = 0; at < length && count < 255;) {
            const struct capture_record *record = (const void *)(chunk + at);

            out[count++] = letters[record->kind];
            at += rh_capture_record_size(record->body_length);
        }
    } while (length > 0);
    out[count] = '\0';
    free(chunk);
}

/* What a client sends ahead is skipped by the server also where it comes after the error. */
static void test_capture_path_an_error_before_the_rest_of_its_batch(void **state)
{
    (void)state;
    struct fixture f;
    static const char first[] = "P\0\0\0\x9\0a\0\0\0B\0\0\0\xc\0\0\0\0\0\0\0\0E\0\0\0\x9\0\0\0\0\0";
    static const char failed[] = "1\0\0\0\4"
                                 "2\0\0\0\4"
                                 "E\0\0\0\x0c"
                                 "C22012\0\0";
    static const char ready[] = "Z\0\0\0\5I";
    static const char copy[] = "d\0\0\0\5x"
                               "c\0\0\0\4";
    static const char sync[] = "S\0\0\0\4";

    open_path(&f, false);
    size_t asked = f.server_received, answered = f.client_received;
    for (int i = 0; i < 2; i++) {
        say(&f, f.client, first, sizeof(first) - 1);
        asked += sizeof(first) - 1;
        UNTIL(&f, f.server_received == asked);
        say(&f, f.server, failed, sizeof(failed) - 1);
        answered += sizeof(failed) - 1;
        UNTIL(&f, f.client_received == answered);
        say(&f, f.client, first, sizeof(first) - 1);
        say(&f, f.client, copy, sizeof(copy) - 1);
        say(&f, f.client, sync, sizeof(sync) - 1);
        asked += sizeof(first) - 1 + sizeof(copy) - 1 + sizeof(sync) - 1;
        UNTIL(&f, f.server_received == asked);
        say(&f, f.server, ready, sizeof(ready) - 1);
        answered += sizeof(ready) - 1;
        UNTIL(&f, f.client_received == answered);
    }
    struct capture_path_figures figures = rh_capture_path_figures(f.path);
    for (size_t i = 0; i < sizeof(figures.gaps) / sizeof(figures.gaps[0]); i++)
        assert_int_equal(figures.gaps[i], 0);
    assert_int_equal(figures.queries, 2);
    close_path(&f);
}

static void test_capture_path_stops_and_goes_on_forwarding(void **state)
{
    (void)state;
    struct fixture f;
    char seen[256];

    open_path(&f, false);
    for (int i = 0; i < 20; i++)
        converse(&f);

    struct capture_path_figures figures = rh_capture_path_figures(f.path);

    assert_true(figures.has_stopped);
    assert_false(figures.is_recording);
    assert_int_equal(figures.gaps[GAP_STOPPED], 1);
    assert_int_equal(figures.queries, 20);
    kinds(&f, seen);
    assert_string_equal(seen, "hbmamamamamamamamamamamamamamama");
    rh_capture_path_start(f.path);
    assert_false(rh_capture_path_figures(f.path).is_recording);
    close_path(&f);
}

static void test_capture_path_sheds_sessions_and_takes_them_back(void **state)
{
    (void)state;
    struct fixture f;
    char seen[256];

    open_path(&f, true);
    for (int i = 0; i < 20; i++)
        converse(&f);

    struct capture_path_figures figures = rh_capture_path_figures(f.path);

    assert_false(figures.has_stopped);
    assert_int_equal(figures.gaps[GAP_SHED], 1);
    assert_int_equal(figures.recorded_now, 0);
    rh_capture_path_tick(f.path);
    assert_int_equal(rh_capture_path_figures(f.path).recorded_now, 0);
    kinds(&f, seen);
    rh_capture_path_tick(f.path);
    assert_int_equal(rh_capture_path_figures(f.path).recorded_now, 1);
    converse(&f);
    kinds(&f, seen);
    assert_string_equal(seen, "ehbma");
    assert_int_equal(rh_capture_path_figures(f.path).gaps[GAP_MIDWAY], 1);
    close_path(&f);
}

static void test_capture_path_cuts_messages_that_are_too_long(void **state)
{
    (void)state;
    struct fixture f;
    char seen[256];
    size_t length = CAPTURE_MESSAGE_MAX + 10;
    char *query = calloc(1, 5 + length);

    open_path(&f, false);
    query[0] = 'Q';
    for (int i = 0; i < 4; i++)
        query[1 + i] = (char)((length + 4) >> 8 * (3 - i));
    memset(query + 5, 'x', length - 1);
    say(&f, f.client, query, 5 + length);
    UNTIL(&f, f.server_received == sizeof(START) - 1 + 5 + length);
    kinds(&f, seen);
    assert_string_equal(seen, "hblm");
    assert_int_equal(rh_capture_path_figures(f.path).gaps[GAP_LONG_MESSAGE], 1);
    free(query);
    close_path(&f);
}

static void answer(struct fixture *f, const char *data, size_t length)
{
    size_t answered = f->client_received + length;

    say(f, f->server, data, length);
    UNTIL(f, f->client_received == answered);
}

static void ask(struct fixture *f, const char *data, size_t length)
{
    size_t asked = f->server_received + length;

    say(f, f->client, data, length);
    UNTIL(f, f->server_received == asked);
}

#define ASK(f, text) ask(f, text, sizeof(text) - 1)
#define ANSWER(f, text) answer(f, text, sizeof(text) - 1)

/* One of type 0 was recorded, and the file knows no such message: all of the capture failed. */
static void test_capture_path_does_not_record_what_is_no_message(void **state)
{
    (void)state;
    struct fixture f;
    char seen[256];

    open_path(&f, false);
    ASK(&f, "P\0\0\0\x9\0a\0\0\0");
    ANSWER(&f, "E\0\0\0\x0c"
               "C42601\0\0");
    ASK(&f, "\0\0\0\0\x5x"
            "S\0\0\0\4");
    ANSWER(&f, "Z\0\0\0\5I");
    kinds(&f, seen);
    assert_string_equal(seen, "hbmma");
    close_path(&f);
}

static void copy_data(struct fixture *f, size_t length)
{
    char data[2048] = {'d', 0, 0, (char)((length + 4) >> 8), (char)(length + 4)};

    memset(data + 5, 'x', length);
    ask(f, data, 5 + length);
}

/* What was left out of a COPY that failed was counted with the next one, and took its room. */
static void test_capture_path_a_copy_after_one_that_failed(void **state)
{
    (void)state;
    struct fixture f;
    char seen[256];

    open_path(&f, false);
    for (int i = 0; i < 2; i++) {
        ASK(&f, "Q\0\0\0\x6x\0");
        ANSWER(&f, "G\0\0\0\7\0\0\0");
        copy_data(&f, i == 0 ? 1500 : 800);
        if (i == 0)
            ANSWER(&f, "E\0\0\0\x0c"
                       "C22P04\0\0"
                       "Z\0\0\0\5I");
    }
    ASK(&f, "c\0\0\0\4");
    ANSWER(&f, "C\0\0\0\xb"
               "COPY 1\0"
               "Z\0\0\0\5I");
    kinds(&f, seen);
    assert_string_equal(seen, "hbmmalmmma");
    assert_int_equal(rh_capture_path_figures(f.path).gaps[GAP_COPY_DATA], 1);
    assert_int_equal(rh_capture_path_figures(f.path).left_out_bytes, 500);
    close_path(&f);
}

/* An error with a long context is cut; its SQLSTATE stands in front. */
static void test_capture_path_knows_the_sqlstate_of_a_long_error(void **state)
{
    (void)state;
    struct fixture f;
    struct err err = RH_ERR_INIT;
    const size_t length = 100000;
    char *error = calloc(1, length), *chunk = malloc(CAPTURE_TAKE_BYTES);
    bool is_over, has_answer = false;
    size_t taken;

    open_path(&f, false);
    memset(error, 'x', length - 2);
    error[0] = 'E';
    for (int i = 0; i < 4; i++)
        error[1 + i] = (char)((length - 1) >> 8 * (3 - i));
    memcpy(error + 5, "C22012", 7);
    error[12] = 'W';
    ASK(&f, "Q\0\0\0\x6x\0");
    answer(&f, error, length);
    ANSWER(&f, "Z\0\0\0\5I");
    assert_int_equal(rh_capture_ring_take(f.ring, 0, chunk, &taken, &is_over, &err), RH_OK);
    for (size_t at = 0; at < taken;) {
        const struct capture_record *record = (const void *)(chunk + at);
        const struct workload_result *result = (const void *)((const char *)(record + 1) +
                                                              sizeof(struct capture_answer));

        if (record->kind == RECORD_ANSWER) {
            assert_string_equal(result->sqlstate, "22012");
            has_answer = true;
        }
        at += rh_capture_record_size(record->body_length);
    }
    assert_true(has_answer);
    free(error);
    free(chunk);
    close_path(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_capture_path_an_error_before_the_rest_of_its_batch),
        cmocka_unit_test(test_capture_path_stops_and_goes_on_forwarding),
        cmocka_unit_test(test_capture_path_sheds_sessions_and_takes_them_back),
        cmocka_unit_test(test_capture_path_cuts_messages_that_are_too_long),
        cmocka_unit_test(test_capture_path_does_not_record_what_is_no_message),
        cmocka_unit_test(test_capture_path_a_copy_after_one_that_failed),
        cmocka_unit_test(test_capture_path_knows_the_sqlstate_of_a_long_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
