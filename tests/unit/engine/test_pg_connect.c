/*
 * Opening connections on a loop: that they come attached, what failure says, deadlines, cancelling.
 * Blocking ones: test_pg_connection.c.
 */
#include "server_fixture.h"

#include <sys/socket.h>
#include <sys/un.h>

static struct test_server server;
static const struct engine *const engine = &rh_engine_postgres;

struct answer {
    struct loop *loop;
    int64_t value;
};

static void on_answer(void *context, struct rows **rows, const struct err *err)
{
    struct answer *answer = context;

    answer->value = err ? -1 : rh_rows_int(*rows, 0, 0, -1);
    rh_loop_stop(answer->loop);
}

struct opening {
    struct loop *loop;
    struct connection *connection;
    struct err err;
    int calls;
};

static void on_opened(void *context, struct connection *connection, const struct err *err)
{
    struct opening *opening = context;

    opening->calls++;
    opening->connection = connection;
    if (err)
        opening->err = *err;
    rh_loop_stop(opening->loop);
}

static struct opening open_on_loop(const struct connection_parameters *parameters, int64_t limit_us)
{
    struct opening opening = {.err = RH_ERR_INIT};

    ASSERT_OK(rh_loop_new(&opening.loop, err));
    (void)engine->connect_start(parameters, opening.loop, rh_clock_after(rh_clock_mono(), limit_us),
                                on_opened, &opening);
    assert_int_equal(opening.calls, 0);
    ASSERT_OK(rh_loop_run(opening.loop, in_seconds(10), err));
    assert_int_equal(opening.calls, 1);
    return opening;
}

static void test_pg_connect_opens_on_a_loop_and_comes_attached(void **state)
{
    (void)state;
    setenv("PGDATABASE", "not_this", 1);
    setenv("PGOPTIONS", "-c work_mem=7MB", 1);
    struct opening opening = open_on_loop(&server.superuser, 10000000);
    struct answer answer = {.loop = opening.loop};

    assert_string_equal(getenv("PGDATABASE"), "not_this");
    unsetenv("PGDATABASE");
    unsetenv("PGOPTIONS");
    assert_non_null(opening.connection);
    engine->send(opening.connection, "SELECT setting FROM pg_settings WHERE name = 'work_mem'",
                 NULL, 0, on_answer, &answer);
    ASSERT_OK(rh_loop_run(opening.loop, in_seconds(10), err));
    assert_int_equal(answer.value, 4096); /* the server's default */
    engine->close(opening.connection);
    rh_loop_free(opening.loop);
}

static void test_pg_connect_refused_on_a_loop_says_what_failed(void **state)
{
    (void)state;
    struct connection_parameters parameters = server.superuser;

    parameters.user = "nobody_here";
    struct opening opening = open_on_loop(&parameters, 10000000);
    assert_null(opening.connection);
    assert_int_equal(opening.err.code, RH_ERR_CONNECTION);
    assert_non_null(strstr(opening.err.message, "nobody_here"));
    rh_loop_free(opening.loop);

    parameters.socket_directory = "/nonexistent";
    opening = open_on_loop(&parameters, 10000000);
    assert_null(opening.connection);
    assert_int_equal(opening.err.code, RH_ERR_CONNECTION);
    assert_non_null(strstr(opening.err.message, "No such file"));
    rh_loop_free(opening.loop);
}

/* Somebody listens and never answers. */
static void test_pg_connect_ends_at_its_deadline_and_when_cancelled(void **state)
{
    (void)state;
    struct connection_parameters parameters = server.superuser;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char directory[] = "/tmp/rh-silent-XXXXXX";

    assert_non_null(mkdtemp(directory));
    snprintf(address.sun_path, sizeof(address.sun_path), "%s/.s.PGSQL.5432", directory);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(fd, 4), 0);
    parameters.socket_directory = directory;
    struct opening opening = open_on_loop(&parameters, 50000);
    assert_null(opening.connection);
    assert_int_equal(opening.err.code, RH_ERR_TIMEOUT);

    struct opening cancelled = {.loop = opening.loop, .err = RH_ERR_INIT};
    struct err why = RH_ERR_INIT;
    struct connecting *connecting = engine->connect_start(&parameters, cancelled.loop,
                                                          in_seconds(10), on_opened, &cancelled);
    assert_int_equal(rh_loop_run(cancelled.loop, rh_clock_after(rh_clock_mono(), 50000), &why),
                     RH_ERR_TIMEOUT);
    engine->connect_cancel(connecting);
    engine->connect_cancel(NULL);
    assert_int_equal(cancelled.calls, 0);
    rh_loop_free(opening.loop);
    close(fd);
    unlink(address.sun_path);
    rmdir(directory);
}

/* --- URLs of the user's own ------------------------------------------------------------------- */

static void test_pg_connect_url_is_described_without_its_password(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    static const struct {
        const char *url, *hosts, *port, *user, *database;
    } cases[] = {
        {"postgresql://me:hush@db1,db2:5433/shop?sslmode=verify-full", "db1,db2", ",5433", "me",
         "shop"},
        {"postgres:///shop?host=/run/x", "/run/x", NULL, NULL, "shop"},
        {"host=db hostaddr=10.0.0.7 dbname='a b' password=hush", "db,10.0.0.7", NULL, NULL, "a b"},
        {"postgresql://", "", NULL, NULL, NULL},
    };
    setenv("PGHOST", "not.this", 1);
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct url_place place = {0};
        ASSERT_OK(engine->describe_url(cases[i].url, arena, &place, err));
        assert_string_equal(place.hosts, cases[i].hosts);
        const char *const told[] = {place.port, place.user, place.database};
        const char *const expected[] = {cases[i].port, cases[i].user, cases[i].database};
        for (size_t k = 0; k < 3; k++)
            if ((told[k] == NULL) != (expected[k] == NULL) ||
                (told[k] && strcmp(told[k], expected[k]) != 0))
                fail_msg("%s: \"%s\", expected \"%s\"", cases[i].url, told[k], expected[k]);
    }
    unsetenv("PGHOST");
}

static void test_pg_connect_url_that_is_none_is_not_repeated(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    static const char *const wrong[] = {"hush", "postgresql://me:hush@[::1/shop",
                                        "postgresql://me:hush@h/d?hush=1", "host=h hush",
                                        "mysql://me:hush@h/d"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
        struct url_place place = {0};
        struct err err = RH_ERR_INIT;
        assert_int_equal(engine->describe_url(wrong[i], arena, &place, &err), RH_ERR_USAGE);
        assert_null(strstr(err.message, "hush"));
        assert_null(strstr(err.hint, "hush"));
    }
}

static void test_pg_connect_url_opens_a_session(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    const struct connection_parameters parameters = {
        .url = rh_arena_printf(arena,
                               "postgresql:///postgres?host=%s&user=%s&options=-c%%20work_mem"
                               "%%3D7MB",
                               server.superuser.socket_directory, server.superuser.user),
        .host = "the place",
        .application_name = "url",
    };
    struct connection *connection = NULL;
    RH_CLEANUP_ROWS struct rows *rows = NULL;
    ASSERT_OK(engine->connect(&parameters, in_seconds(10), &connection, err));
    ASSERT_OK(engine->query(connection,
                            "SELECT current_setting('work_mem') AS memory, "
                            "current_setting('application_name')",
                            NULL, 0, in_seconds(10), &rows, err));
    assert_string_equal(rh_rows_value(rows, 0, 0), "7MB");
    assert_string_equal(rh_rows_value(rows, 0, 1), "url");
    assert_int_equal(rh_rows_columns(rows), 2);
    assert_string_equal(rh_rows_column_name(rows, 0), "memory");
    assert_string_equal(rh_rows_command_tag(rows), "SELECT 1");
    engine->close(connection);

    struct connection_parameters wrong = {.url = "postgresql://me:hush@127.0.0.1:1/shop",
                                          .host = "the place"};
    struct err err = RH_ERR_INIT;
    assert_int_equal(engine->connect(&wrong, in_seconds(10), &connection, &err), RH_ERR_CONNECTION);
    assert_non_null(strstr(err.message, "the place"));
    assert_null(strstr(err.message, "hush"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pg_connect_opens_on_a_loop_and_comes_attached),
        cmocka_unit_test(test_pg_connect_refused_on_a_loop_says_what_failed),
        cmocka_unit_test(test_pg_connect_ends_at_its_deadline_and_when_cancelled),
        cmocka_unit_test(test_pg_connect_url_is_described_without_its_password),
        cmocka_unit_test(test_pg_connect_url_that_is_none_is_not_repeated),
        cmocka_unit_test(test_pg_connect_url_opens_a_session),
    };
    return RUN_ON_SERVER(&server, NULL, tests, NULL);
}
