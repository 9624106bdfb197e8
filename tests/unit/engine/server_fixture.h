/*
 * A throw-away server for tests that need a real one: initdb'ed below /tmp, socket in its own
 * directory, no TCP, run as user postgres when we are root. REHEARSE_TEST_SERVER_BIN chooses
 * another installation. Headers only, so that it belongs to the tests alone.
 */
#ifndef RH_TEST_SERVER_FIXTURE_H
#define RH_TEST_SERVER_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/process.h"
#include "engine/engine.h"

#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TEST_SKIPPED 77 /* meson's exit status for a skipped test */

struct test_server {
    char directory[64], data[96];
    const char *bin;
    struct process process;
    struct connection_parameters superuser;
    struct arena *arena;
};

static inline struct mono in_seconds(double seconds)
{
    return rh_clock_after(rh_clock_mono(), (int64_t)(seconds * 1e6));
}

/* Shows what went wrong and fails the test. */
#define ASSERT_OK(call)                               \
    do {                                              \
        struct err err_ = RH_ERR_INIT;                \
        struct err *err = &err_;                      \
        if (call) {                                   \
            char text_[4096];                         \
            rh_err_format(err, text_, sizeof(text_)); \
            fail_msg("%s: %s", #call, text_);         \
        }                                             \
    } while (0)

static inline void as_server_user(struct process_options *options)
{
    struct passwd *user = getpwnam("postgres");

    options->stdin_fd = options->stdout_fd = options->stderr_fd = -1;
    if (geteuid() == 0 && user) {
        options->drop_privileges = true;
        options->uid = user->pw_uid;
        options->gid = user->pw_gid;
    }
}

/* False when there is no server to test with. `settings`: "-c" arguments, NULL-terminated. */
static inline bool test_server_start(struct test_server *server, const char *const *settings)
{
    const char *bin = getenv("REHEARSE_TEST_SERVER_BIN");
    struct server_list found = {0};
    struct err err = RH_ERR_INIT;
    struct process_options options = {0};
    const char *argv[32];
    size_t argc = 0;

    *server = (struct test_server){.process = PROCESS_INIT, .arena = rh_arena_new()};
    if (rh_engine_postgres.find_servers(bin, server->arena, &found, &err) || !found.count) {
        fprintf(stderr, "skipped: %s\n", err.message);
        return false;
    }
    server->bin = found.items[found.count - 1].bin_directory;
    snprintf(server->directory, sizeof(server->directory), "/tmp/rh-test-XXXXXX");
    if (!mkdtemp(server->directory))
        abort();
    snprintf(server->data, sizeof(server->data), "%s/data", server->directory);
    as_server_user(&options);
    if (options.drop_privileges && chown(server->directory, options.uid, options.gid))
        abort();

    const char *initdb[] = {rh_file_join(server->arena, server->bin, "initdb"),
                            "-D",
                            server->data,
                            "-U",
                            "tester",
                            "-A",
                            "trust",
                            "-N",
                            "-E",
                            "UTF8",
                            "--locale=C",
                            NULL};
    struct process made = PROCESS_INIT;
    struct text out, why;
    options.argv = initdb;
    if (rh_process_run(&options, in_seconds(60), 65536, server->arena, &made, &out, &why, &err) ||
        rh_process_exit_status(&made) != 0) {
        fprintf(stderr, "initdb: %s %.*s\n", err.message, (int)why.len, why.data);
        return false;
    }
    argv[argc++] = rh_file_join(server->arena, server->bin, "postgres");
    argv[argc++] = "-D";
    argv[argc++] = server->data;
    argv[argc++] = "-k";
    argv[argc++] = server->directory;
    argv[argc++] = "-c";
    argv[argc++] = "listen_addresses=";
    argv[argc++] = "-c";
    argv[argc++] = "fsync=off";
    argv[argc++] = "-c";
    argv[argc++] = "autovacuum=off";
    argv[argc++] = "-c";
    argv[argc++] = "log_destination=stderr";
    for (size_t i = 0; settings && settings[i]; i++) {
        argv[argc++] = "-c";
        argv[argc++] = settings[i];
    }
    argv[argc] = NULL;
    options.argv = argv;
    if (rh_process_start(&server->process, &options, &err)) {
        fprintf(stderr, "postgres: %s\n", err.message);
        return false;
    }
    server->superuser = (struct connection_parameters){.socket_directory = server->directory,
                                                       .port = 5432,
                                                       .user = "tester",
                                                       .database = "postgres",
                                                       .application_name = "psql"};
    for (struct mono deadline = in_seconds(20); !rh_clock_passed(deadline); usleep(5000)) {
        struct connection *connection;
        if (!rh_engine_postgres.connect(&server->superuser, deadline, &connection, &err)) {
            rh_engine_postgres.close(connection);
            return true;
        }
    }
    fprintf(stderr, "the server did not start: %s\n", err.message);
    return false;
}

static inline void test_server_stop(struct test_server *server)
{
    struct err err = RH_ERR_INIT;

    rh_process_stop(&server->process, SIGINT, 5000000);
    if (server->directory[0] && rh_file_remove_tree(server->directory, &err))
        fprintf(stderr, "left behind: %s\n", err.message);
    rh_arena_free(server->arena);
}

static inline struct connection *test_connect(const struct test_server *server, const char *name)
{
    struct connection_parameters parameters = server->superuser;
    struct connection *connection = NULL;

    parameters.application_name = name;
    ASSERT_OK(rh_engine_postgres.connect(&parameters, in_seconds(10), &connection, err));
    return connection;
}

static inline void test_run(struct connection *connection, const char *sql)
{
    ASSERT_OK(rh_engine_postgres.query(connection, sql, NULL, 0, in_seconds(30), NULL, err));
}

static inline int64_t test_int(struct connection *connection, const char *sql)
{
    struct rows *rows = NULL;
    int64_t value;

    ASSERT_OK(rh_engine_postgres.query(connection, sql, NULL, 0, in_seconds(30), &rows, err));
    assert_int_equal(rh_rows_count(rows), 1);
    value = rh_rows_int(rows, 0, 0, INT64_MIN);
    rh_rows_free(rows);
    return value;
}

/* The whole content of a file. */
static inline void test_run_file(struct connection *connection, const char *path)
{
    struct arena *arena = rh_arena_new();
    struct text sql;

    ASSERT_OK(rh_file_read(path, 1 << 20, arena, &sql, err));
    test_run(connection, sql.data);
    rh_arena_free(arena);
}

/* For main: the exit status, TEST_SKIPPED where there is no server. */
static inline int test_server_run(struct test_server *server, const char *const *settings,
                                  const struct CMUnitTest *tests, size_t count,
                                  CMFixtureFunction set_up)
{
    int status = TEST_SKIPPED;

    if (test_server_start(server, settings))
        status = _cmocka_run_group_tests("tests", tests, count, set_up, NULL);
    test_server_stop(server);
    return status;
}
#define RUN_ON_SERVER(server, settings, tests, set_up) \
    test_server_run(server, settings, tests, sizeof(tests) / sizeof((tests)[0]), set_up)

#endif
