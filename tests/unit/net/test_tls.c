/* TLS between two ends in one process: what is trusted, what is refused and how that is said. */
#include "net/tls.h"
#include "tools/certificate_directory.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* --- two ends --- */

struct ends {
    int fds[2];
    struct tls_context *client_context, *server_context;
    struct tls *client, *server;
    struct err client_err, server_err;
};

static struct tls_options server_options(const char *name)
{
    char certificate[32], key[32];
    snprintf(certificate, sizeof(certificate), "%s.crt", name);
    snprintf(key, sizeof(key), "%s.key", name);
    return (struct tls_options){.certificate_file = in_directory(certificate),
                                .key_file = in_directory(key)};
}

static void ends_open(struct ends *ends, const struct tls_options *client,
                      const struct tls_options *server, const char *host)
{
    struct err err = RH_ERR_INIT;
    *ends = (struct ends){0};
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends->fds),
                     0);
    if (rh_tls_context_new_client(client, &ends->client_context, &err) ||
        rh_tls_context_new_server(server, &ends->server_context, &err))
        fail_msg("%s", err.message);
    ends->client = rh_tls_new(ends->client_context, ends->fds[0], host);
    ends->server = rh_tls_new(ends->server_context, ends->fds[1], NULL);
}

static void ends_close(struct ends *ends)
{
    rh_tls_free(ends->client);
    rh_tls_free(ends->server);
    rh_tls_context_free(ends->client_context);
    rh_tls_context_free(ends->server_context);
    for (int i = 0; i < 2; i++)
        if (ends->fds[i] >= 0)
            close(ends->fds[i]);
}

/* Both ends' last steps. */
static void shake_both(struct ends *ends, enum tls_step *ret_client, enum tls_step *ret_server)
{
    *ret_client = *ret_server = TLS_WAITS_READABLE;
    for (int turn = 0; turn < 20; turn++) {
        if (*ret_client != TLS_DONE && *ret_client != TLS_FAILED)
            *ret_client = rh_tls_handshake(ends->client, &ends->client_err);
        if (*ret_server != TLS_DONE && *ret_server != TLS_FAILED)
            *ret_server = rh_tls_handshake(ends->server, &ends->server_err);
    }
}

static void ends_open_shaken(struct ends *ends, enum tls_version version)
{
    const struct tls_options client = {.min_version = version, .max_version = version};
    const struct tls_options server = server_options("server");
    enum tls_step client_step, server_step;
    ends_open(ends, &client, &server, "localhost");
    shake_both(ends, &client_step, &server_step);
    assert_int_equal(client_step, TLS_DONE);
    assert_int_equal(server_step, TLS_DONE);
}

/* --- trust --- */

struct trust_case {
    const char *server, *host, *root, *crl;
    bool verifies_name;
    const char *said, *hint; /* NULL: is accepted */
};

static void check_trust(const struct trust_case *c, enum tls_version version)
{
    struct ends ends;
    enum tls_step client, server;
    const struct tls_options ours = {.root_file = c->root ? in_directory(c->root) : NULL,
                                     .crl_file = c->crl ? in_directory(c->crl) : NULL,
                                     .verifies_name = c->verifies_name,
                                     .max_version = version};
    const struct tls_options theirs = server_options(c->server);
    ends_open(&ends, &ours, &theirs, c->host);
    shake_both(&ends, &client, &server);
    const char *message = ends.client_err.message;
    if (!c->said && client != TLS_DONE)
        fail_msg("%s for %s: %s", c->server, c->host, message);
    if (c->said && (client != TLS_FAILED || !strstr(message, c->said) ||
                    !strstr(ends.client_err.hint, c->hint)))
        fail_msg("%s for %s: %d \"%s\" \"%s\"", c->server, c->host, client, message,
                 ends.client_err.hint);
    ends_close(&ends);
}

static void test_tls_trusts_what_the_roots_and_the_name_allow(void **state)
{
    (void)state;
    static const struct trust_case cases[] = {
        /* Whoever it is. */
        {"stranger", "elsewhere", NULL, NULL, false, NULL, NULL},
        {"expired", "elsewhere", NULL, NULL, false, NULL, NULL},
        /* Its authority. */
        {"server", "elsewhere", "root.crt", NULL, false, NULL, NULL},
        {"stranger", "localhost", "root.crt", NULL, false, "cannot be trusted", "sslrootcert"},
        {"server", "localhost", "other-root.crt", NULL, false, "cannot be trusted", "sslrootcert"},
        {"expired", "localhost", "root.crt", NULL, false, "expired", "Renew it"},
        {"server", "localhost", "root.crt", "root.crl", false, NULL, NULL},
        {"revoked", "localhost", "root.crt", "root.crl", false, "revoked", "a new one"},
        {"revoked", "localhost", "root.crt", NULL, false, NULL, NULL},
        /* Its name too. */
        {"server", "localhost", "root.crt", NULL, true, NULL, NULL},
        {"server", "LOCALHOST", "root.crt", NULL, true, NULL, NULL},
        {"server", "127.0.0.1", "root.crt", NULL, true, NULL, NULL},
        {"server", "a.example.test", "root.crt", NULL, true, NULL, NULL},
        {"server", "b.a.example.test", "root.crt", NULL, true, "not for \"b.a.example.test\"",
         "verify-ca"},
        {"server", "example.test", "root.crt", NULL, true, "not for \"example.test\"", ""},
        {"server", "127.0.0.2", "root.crt", NULL, true,
         "for \"localhost\", \"*.example.test\", \"127.0.0.1\", not", "hostaddr"},
        {"named", "localhost", "root.crt", NULL, true, "for \"db.example.test\", not", ""},
        {"named", "db.example.test", "root.crt", NULL, true, NULL, NULL},
        {"common", "localhost", "root.crt", NULL, true, NULL, NULL},
        {"common", "elsewhere", "root.crt", NULL, true, "for \"localhost\", not", ""},
        {"server", NULL, "root.crt", NULL, true, "no host name", "verify-ca"},
        {"stranger", "localhost", "root.crt", NULL, true, "cannot be trusted", "sslrootcert"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        check_trust(&cases[i], TLS_1_2);
        check_trust(&cases[i], TLS_1_3);
    }
}

static void test_tls_shows_a_client_certificate_where_one_is_wanted(void **state)
{
    (void)state;
    static const struct {
        const char *certificate, *key, *password;
        bool is_accepted;
    } cases[] = {{"client.crt", "client.key", NULL, true},
                 {"client.crt", "client-encrypted.key", "hush", true},
                 {"client.crt", "client.der", NULL, true},
                 {"other-client.crt", "other-client.key", NULL, false},
                 {NULL, NULL, NULL, false}};
    for (size_t i = 0; i < 2 * sizeof(cases) / sizeof(*cases); i++) {
        bool is_old = i % 2;
        struct ends ends;
        enum tls_step client, server;
        struct tls_options ours = {.max_version = is_old ? TLS_1_2 : TLS_1_3};
        struct tls_options theirs = server_options("server");
        if (cases[i / 2].certificate) {
            ours.certificate_file = in_directory(cases[i / 2].certificate);
            ours.key_file = in_directory(cases[i / 2].key);
            ours.key_password = cases[i / 2].password;
        }
        theirs.root_file = in_directory("root.crt");
        ends_open(&ends, &ours, &theirs, "localhost");
        shake_both(&ends, &client, &server);
        char byte;
        if (cases[i / 2].is_accepted) {
            assert_int_equal(client, TLS_DONE);
            assert_int_equal(server, TLS_DONE);
        } else if (is_old) {
            assert_int_equal(client, TLS_FAILED);
            assert_non_null(strstr(ends.client_err.hint, "sslcert"));
            assert_int_equal(server, TLS_FAILED);
        } else {
            /* The client was done before the server looked: it hears of it with its first read. */
            assert_int_equal(client, TLS_DONE);
            assert_int_equal(server, TLS_FAILED);
            assert_int_equal(rh_tls_read(ends.client, &byte, 1), -1);
            assert_int_equal(errno, EPROTO);
            assert_non_null(strstr(rh_tls_failure(ends.client), "alert"));
            assert_int_equal(rh_tls_read(ends.client, &byte, 1), -1);
            assert_int_equal(errno, EPROTO);
        }
        ends_close(&ends);
    }
}

static void check_refused(const struct tls_options *options, const char *said, const char *hint)
{
    struct tls_context *context = NULL;
    struct err err = RH_ERR_INIT;
    assert_int_equal(rh_tls_context_new_client(options, &context, &err), RH_ERR_USAGE);
    if (!strstr(err.message, said) || !strstr(err.hint, hint))
        fail_msg("\"%s\" \"%s\", expected \"%s\" \"%s\"", err.message, err.hint, said, hint);
    assert_null(strstr(err.message, "hush"));
    assert_null(strstr(err.hint, "hush"));
    assert_null(context);
}

static void test_tls_context_says_which_file_is_wrong(void **state)
{
    (void)state;
    struct tls_options client = server_options("client");
    client.root_file = in_directory("none.crt");
    check_refused(&client, "none.crt\": No such file", "");
    client.root_file = in_directory("client.key");
    check_refused(&client, "root certificates \"", "");
    client.root_file = in_directory("root.crt");
    client.crl_file = in_directory("none.crl");
    check_refused(&client, "revocation list \"", "");
    client = server_options("client");
    client.certificate_file = in_directory("none.crt");
    check_refused(&client, "certificate \"", "");
    client = server_options("client");
    client.key_file = in_directory("none.key");
    check_refused(&client, "none.key\": No such file", "");
    client.key_file = in_directory("server.key");
    check_refused(&client, "does not match", "");
    client.key_file = in_directory("client.crt");
    check_refused(&client, "private key \"", "");
    client.key_file = in_directory("client-encrypted.key");
    check_refused(&client, "cannot decrypt", "Give its password");
    client.key_password = "hush hush";
    check_refused(&client, "cannot decrypt", "Check its password");
    client = server_options("client");
    assert_int_equal(chmod(client.key_file, 0644), 0);
    check_refused(&client, "others may read", "chmod 0600");
    assert_int_equal(chmod(client.key_file, 0600), 0);
    client.key_file = directory;
    check_refused(&client, "no regular file", "");
    client = (struct tls_options){.min_version = TLS_1_3, .max_version = TLS_1_2};
    struct tls_context *context;
    struct err err = RH_ERR_INIT;
    assert_int_equal(rh_tls_context_new_server(&client, &context, &err), RH_ERR_USAGE);
}

static void test_tls_takes_the_systems_roots(void **state)
{
    (void)state;
    /* None of them signed ours. */
    setenv("SSL_CERT_FILE", in_directory("other-root.crt"), 1);
    struct ends ends;
    enum tls_step client, server;
    const struct tls_options ours = {.root_file = TLS_SYSTEM_ROOTS, .verifies_name = true};
    const struct tls_options stranger = server_options("stranger"),
                             known = server_options("server");
    ends_open(&ends, &ours, &stranger, "localhost");
    shake_both(&ends, &client, &server);
    assert_int_equal(client, TLS_DONE);
    ends_close(&ends);
    ends_open(&ends, &ours, &known, "localhost");
    shake_both(&ends, &client, &server);
    assert_int_equal(client, TLS_FAILED);
    ends_close(&ends);
    unsetenv("SSL_CERT_FILE");
}

/* --- versions and protocols --- */

static void test_tls_versions_are_those_asked_for(void **state)
{
    (void)state;
    struct ends ends;
    enum tls_step client, server;
    enum tls_version version;
    ends_open_shaken(&ends, TLS_1_2);
    assert_string_equal(rh_tls_version_name(ends.client), "TLSv1.2");
    ends_close(&ends);
    ends_open_shaken(&ends, TLS_1_3);
    assert_string_equal(rh_tls_version_name(ends.client), "TLSv1.3");
    assert_true(rh_tls_has_protocol(ends.client) && rh_tls_has_protocol(ends.server));
    ends_close(&ends);

    const struct tls_options modern = {.min_version = TLS_1_3};
    struct tls_options old = server_options("server");
    old.max_version = TLS_1_2;
    ends_open(&ends, &modern, &old, "localhost");
    shake_both(&ends, &client, &server);
    assert_int_equal(client, TLS_FAILED);
    assert_non_null(strstr(ends.client_err.hint, "ssl_min_protocol_version"));
    ends_close(&ends);
    assert_true(rh_tls_version_parse("TLSv1.3", &version) && version == TLS_1_3);
    assert_true(rh_tls_version_parse("tlsv1", &version) && version == TLS_1_0);
    assert_false(rh_tls_version_parse("TLSv1.4", &version));
    assert_false(rh_tls_version_parse("", &version));
}

static void test_tls_handshake_with_something_else_fails(void **state)
{
    (void)state;
    static const char *const answers[] = {"HTTP/1.1 400 Bad Request\r\n\r\n", "", "N"};
    for (size_t i = 0; i < 3; i++) {
        struct ends ends;
        const struct tls_options ours = {0};
        const struct tls_options theirs = server_options("server");
        ends_open(&ends, &ours, &theirs, "localhost");
        assert_int_equal(rh_tls_handshake(ends.client, &ends.client_err), TLS_WAITS_READABLE);
        assert_int_equal(write(ends.fds[1], answers[i], strlen(answers[i])), strlen(answers[i]));
        close(ends.fds[1]);
        ends.fds[1] = -1;
        assert_int_equal(rh_tls_handshake(ends.client, &ends.client_err), TLS_FAILED);
        assert_non_null(strstr(ends.client_err.message, i == 0 ? "failed" : "handshake"));
        ends_close(&ends);
    }
}

/* --- bytes --- */

#define MUCH (3 * 1024 * 1024)

static void fill(char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++)
        bytes[i] = (char)(i * 7 >> 3);
}

/* Whatever the pieces, and however often the kernel has no room. */
static void check_transfer(struct ends *ends, size_t write_piece, size_t read_piece)
{
    char *sent_bytes = malloc(MUCH), *received_bytes = calloc(1, MUCH + read_piece);
    size_t sent = 0, received = 0;
    fill(sent_bytes, MUCH);
    while (received < MUCH) {
        size_t piece = MUCH - sent < write_piece ? MUCH - sent : write_piece;
        ssize_t result = piece ? rh_tls_write(ends->server, sent_bytes + sent, piece) : 0;
        assert_true(result >= 0 || errno == EAGAIN);
        sent += result > 0 ? (size_t)result : 0;
        result = rh_tls_read(ends->client, received_bytes + received, read_piece);
        assert_true(result > 0 || errno == EAGAIN);
        received += result > 0 ? (size_t)result : 0;
    }
    assert_int_equal(received, MUCH);
    assert_memory_equal(sent_bytes, received_bytes, MUCH);
    free(sent_bytes);
    free(received_bytes);
}

static void test_tls_carries_bytes_in_any_pieces(void **state)
{
    (void)state;
    for (enum tls_version version = TLS_1_2; version <= TLS_1_3; version++) {
        struct ends ends;
        ends_open_shaken(&ends, version);
        check_transfer(&ends, MUCH, 64 * 1024);
        check_transfer(&ends, 1000, 100);
        check_transfer(&ends, 100 * 1024, 17);
        ends_close(&ends);
    }
}

static void test_tls_says_when_it_holds_bytes_that_nobody_announces(void **state)
{
    (void)state;
    struct ends ends;
    char bytes[4000] = "first";
    ends_open_shaken(&ends, TLS_1_3);
    /* The server's session tickets are out of the way. */
    assert_int_equal(rh_tls_read(ends.client, bytes, 1), -1);
    assert_false(rh_tls_has_pending(ends.client));
    bytes[0] = 'f';
    assert_int_equal(rh_tls_write(ends.server, bytes, sizeof(bytes)), sizeof(bytes));
    assert_int_equal(rh_tls_write(ends.server, bytes, sizeof(bytes)), sizeof(bytes));
    char taken[sizeof(bytes)];
    assert_int_equal(rh_tls_peek(ends.client, taken, 1), 1);
    assert_int_equal(taken[0], 'f');
    assert_true(rh_tls_has_pending(ends.client));
    assert_int_equal(rh_tls_read(ends.client, taken, 5), 5);
    assert_memory_equal(taken, "first", 5);
    assert_true(rh_tls_has_pending(ends.client));
    assert_int_equal(rh_tls_read(ends.client, taken, sizeof(taken)), sizeof(taken));
    /* The second record was read from the kernel along with the first. */
    assert_true(rh_tls_has_pending(ends.client));
    assert_int_equal(rh_tls_read(ends.client, taken, sizeof(taken)), sizeof(taken) - 5);
    assert_false(rh_tls_has_pending(ends.client));
    assert_false(rh_tls_read_waits_writable(ends.client));
    ends_close(&ends);
}

static void test_tls_half_a_record_is_not_pending(void **state)
{
    (void)state;
    struct ends ends;
    char bytes[4000], taken[8000];
    const char half[] = "\x17\x03\x03\x10\x00half";
    ends_open_shaken(&ends, TLS_1_3);
    memset(bytes, 'x', sizeof(bytes));
    assert_int_equal(rh_tls_write(ends.server, bytes, sizeof(bytes)), sizeof(bytes));
    assert_int_equal(write(ends.fds[1], half, sizeof(half) - 1), sizeof(half) - 1);
    assert_int_equal(rh_tls_read(ends.client, taken, sizeof(taken)), sizeof(bytes));
    /* Or the loop would spin until the rest comes. */
    assert_false(rh_tls_has_pending(ends.client));
    ends_close(&ends);
}

static void test_tls_tells_the_end_and_failures(void **state)
{
    (void)state;
    struct ends ends;
    char byte;
    /* The peer says so. */
    ends_open_shaken(&ends, TLS_1_3);
    rh_tls_end(ends.server);
    assert_int_equal(rh_tls_read(ends.client, &byte, 1), 0);
    assert_int_equal(rh_tls_read(ends.client, &byte, 1), 0);
    ends_close(&ends);
    /* It is gone: the protocol above knows whether that was its end. */
    ends_open_shaken(&ends, TLS_1_3);
    close(ends.fds[1]);
    ends.fds[1] = -1;
    assert_int_equal(rh_tls_read(ends.client, &byte, 1), 0);
    assert_int_equal(rh_tls_write(ends.client, "x", 1), -1);
    assert_int_equal(errno, EPIPE); /* and no SIGPIPE */
    ends_close(&ends);
    /* Somebody else's bytes, behind good ones. */
    ends_open_shaken(&ends, TLS_1_3);
    char bytes[100] = {0};
    assert_int_equal(rh_tls_write(ends.server, bytes, sizeof(bytes)), sizeof(bytes));
    assert_int_equal(write(ends.fds[1],
                           "\x17\x03\x03\0\x20"
                           "0123456789012345678901234567890123",
                           37),
                     37);
    char taken[200];
    assert_int_equal(rh_tls_read(ends.client, taken, sizeof(taken)), sizeof(bytes));
    assert_int_equal(rh_tls_read(ends.client, taken, sizeof(taken)), -1);
    assert_int_equal(errno, EPROTO);
    assert_string_not_equal(rh_tls_failure(ends.client), "");
    assert_int_equal(rh_tls_write(ends.client, "x", 1), -1);
    assert_int_equal(errno, EPROTO);
    ends_close(&ends);
    rh_tls_free(NULL);
    rh_tls_context_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tls_trusts_what_the_roots_and_the_name_allow),
        cmocka_unit_test(test_tls_shows_a_client_certificate_where_one_is_wanted),
        cmocka_unit_test(test_tls_context_says_which_file_is_wrong),
        cmocka_unit_test(test_tls_takes_the_systems_roots),
        cmocka_unit_test(test_tls_versions_are_those_asked_for),
        cmocka_unit_test(test_tls_handshake_with_something_else_fails),
        cmocka_unit_test(test_tls_carries_bytes_in_any_pieces),
        cmocka_unit_test(test_tls_says_when_it_holds_bytes_that_nobody_announces),
        cmocka_unit_test(test_tls_half_a_record_is_not_pending),
        cmocka_unit_test(test_tls_tells_the_end_and_failures),
    };
    return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
