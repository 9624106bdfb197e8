#include "sandbox_unit.h"

#include <pwd.h>

static int64_t postmaster_pid(struct unit *unit, const struct sandbox *sandbox)
{
    struct text text;
    struct err err = RH_ERR_INIT;

    assert_ok(rh_file_read(
                  rh_file_join(unit->arena, rh_sandbox_data_directory(sandbox), "postmaster.pid"),
                  4096, unit->arena, &text, &err),
              &err);
    return strtoll(text.data, NULL, 10);
}

static void test_sandbox_destroy_leaves_nothing(void **state)
{
    struct unit *unit = *state;
    struct mono start = rh_clock_mono();
    struct sandbox *sandbox = unit_ready(unit);
    print_message("ready from nothing: %lld ms\n", (long long)unit_milliseconds(start));
    int64_t pid = postmaster_pid(unit, sandbox);

    assert_string_equal(unit_sql(unit, rh_sandbox_migration_role(sandbox), "SELECT 42"), "42");
    assert_int_equal(kill((pid_t)pid, 0), 0);
    rh_sandbox_destroy(sandbox);
    assert_int_equal(unit_sandbox_count(unit), 0);
    assert_int_equal(kill((pid_t)pid, 0), -1);
}

static mode_t mode_of(const char *path)
{
    struct stat status;

    assert_int_equal(stat(path, &status), 0);
    return status.st_mode & 07777;
}

static void test_sandbox_is_private(void **state)
{
    struct unit *unit = *state;
    struct sandbox *sandbox = unit_ready(unit);
    struct connection_parameters superuser = rh_sandbox_superuser(sandbox);
    int64_t pid = postmaster_pid(unit, sandbox);
    struct connection *connection;
    struct err err = RH_ERR_INIT;
    struct text sockets;

    assert_int_equal(mode_of(rh_sandbox_directory(sandbox)), 0700);
    assert_int_equal(mode_of(superuser.socket_directory), 0700);
    assert_int_equal(mode_of(rh_sandbox_data_directory(sandbox)), 0700);
    assert_string_equal(unit_sql(unit, superuser, "SHOW listen_addresses"), "");
    /* The server's own view of the network: a header and no TCP socket in state 0A, listening. */
    assert_ok(rh_file_read(rh_arena_printf(unit->arena, "/proc/%lld/net/tcp", (long long)pid),
                           1 << 20, unit->arena, &sockets, &err),
              &err);
    assert_null(strstr(sockets.data, " 0A "));
    if (geteuid() == 0) {
        struct stat status;
        assert_int_equal(stat(rh_arena_printf(unit->arena, "/proc/%lld", (long long)pid), &status),
                         0);
        assert_int_not_equal(status.st_uid, 0);
        assert_int_equal(status.st_uid, getpwnam("postgres")->pw_uid);
    }
    /* No way in without the password. */
    superuser.password = "wrong";
    assert_int_equal(rh_engine_postgres.connect(
                         &superuser, rh_clock_after(rh_clock_mono(), 5000000), &connection, &err),
                     RH_ERR_CONNECTION);
    assert_text(err.message, "password authentication failed");
    rh_sandbox_destroy(sandbox);
}

static void test_sandbox_server_reaches_no_network(void **state)
{
    struct unit *unit = *state;
    struct sandbox *sandbox = unit_ready(unit);

    if (unit_has_note(sandbox, "forbids namespaces")) {
        rh_sandbox_destroy(sandbox);
        skip();
    }
    /* Only the loopback interface is there. */
    assert_string_equal(unit_sql(unit, rh_sandbox_superuser(sandbox),
                                 "CREATE TEMP TABLE t (line text); "
                                 "COPY t FROM PROGRAM 'tail -n +3 /proc/net/dev'; "
                                 "SELECT string_agg(split_part(trim(line), ':', 1), ',') FROM t"),
                        "lo");
    rh_sandbox_destroy(sandbox);
}

static void test_sandbox_migration_role_is_an_owner_not_a_superuser(void **state)
{
    struct unit *unit = *state;
    struct sandbox *sandbox = unit_ready(unit);
    struct connection_parameters role = rh_sandbox_migration_role(sandbox);

    assert_string_equal(role.user, "migrator");
    assert_string_equal(role.database, "app");
    assert_string_equal(unit_sql(unit, role,
                                 "SELECT rolsuper FROM pg_roles WHERE rolname = "
                                 "current_user"),
                        "f");
    assert_string_equal(unit_sql(unit, role,
                                 "CREATE TABLE t (a int); CREATE SCHEMA s; "
                                 "CREATE EXTENSION pg_trgm; SELECT pg_get_userbyid("
                                 "datdba) FROM pg_database WHERE datname = 'app'"),
                        "migrator");
    /* What others connect with is as strong as usual; drivers may insist on it. */
    assert_string_equal(
        unit_sql(unit, rh_sandbox_superuser(sandbox),
                 "SELECT string_agg((rolpassword LIKE 'SCRAM-SHA-256$4096:%')::text, "
                 "',' ORDER BY rolsuper) FROM pg_authid WHERE rolcanlogin"),
        "true,false");
    /* Nobody is left but the two: the loader is gone. */
    assert_string_equal(unit_sql(unit, role,
                                 "SELECT count(*) FROM pg_roles WHERE rolname NOT LIKE "
                                 "'pg\\_%'"),
                        "2");
    assert_string_equal(unit_sql(unit, role,
                                 "SELECT current_setting('autovacuum') || "
                                 "current_setting('fsync') || "
                                 "current_setting('full_page_writes') || "
                                 "current_setting('synchronous_commit')"),
                        "onononon");
    rh_sandbox_destroy(sandbox);
}

static void test_sandbox_long_parent_gets_a_short_socket(void **state)
{
    struct unit *unit = *state;
    char name[90];

    memset(name, 'x', sizeof(name) - 1);
    name[sizeof(name) - 1] = 0;
    unit->options.parent_directory = rh_file_join(unit->arena, unit->parent, name);
    assert_int_equal(mkdir(unit->options.parent_directory, 0755), 0);
    struct sandbox *sandbox = unit_ready(unit);
    struct connection_parameters role = rh_sandbox_migration_role(sandbox);
    const char *directory = rh_arena_strdup(unit->arena, role.socket_directory);
    assert_true(strlen(directory) < 60);
    assert_int_equal(mode_of(directory), 0700);
    assert_string_equal(unit_sql(unit, role, "SELECT 1"), "1");
    rh_sandbox_destroy(sandbox);
    assert_false(rh_file_exists(directory));
}

/* --- schema ----------------------------------------------------------------------------------- */

static void test_sandbox_schema_owner_becomes_the_migration_role(void **state)
{
    struct unit *unit = *state;
    struct sandbox *sandbox = unit_start(unit);
    struct err err = RH_ERR_INIT;
    const char *included = unit_file(unit, "included.sql", "CREATE TABLE extra (a int);\n");
    const char *path = unit_file(
        unit, "schema.sql",
        "\\set n 3\nCREATE TABLE users (id int);\nINSERT INTO users SELECT generate_series(1, "
        ":n);\n"
        "ALTER TABLE users OWNER TO \"App Owner\";\nGRANT SELECT ON users TO reader;\n"
        "CREATE TABLE later (id int);\nALTER TABLE later OWNER TO \"App Owner\";\n"
        "CREATE TABLE unowned (id int);\n"
        "CREATE FUNCTION e() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';\n"
        "CREATE EVENT TRIGGER watch ON ddl_command_end EXECUTE FUNCTION e();\n");

    assert_ok(rh_sandbox_load_schema(sandbox, path, &err), &err);
    assert_ok(rh_sandbox_load_schema(sandbox, included, &err), &err);
    assert_ok(rh_sandbox_ready(sandbox, &err), &err);
    struct connection_parameters role = rh_sandbox_migration_role(sandbox);
    assert_string_equal(role.user, "App Owner");
    assert_true(unit_has_note(sandbox, "roles \"App Owner\" and \"reader\" were missing"));
    assert_true(unit_has_note(sandbox, "event trigger watch"));
    assert_string_equal(unit_sql(unit, role,
                                 "ALTER TABLE unowned ADD b int; ALTER TABLE extra ADD "
                                 "b int; SELECT count(*) FROM users"),
                        "3");
    const struct sandbox_facts *facts = rh_sandbox_facts(sandbox);
    assert_int_equal(facts->relations, 4);
    assert_int_equal(facts->rows, 3);
    assert_text(facts->source, "schema.sql");
    rh_sandbox_destroy(sandbox);
}

static void test_sandbox_role_can_be_chosen(void **state)
{
    struct unit *unit = *state;
    struct err err = RH_ERR_INIT;

    unit->options.role = "deployer";
    struct sandbox *sandbox = unit_start(unit);
    const char *path = unit_file(unit, "schema.sql",
                                 "CREATE ROLE deployer SUPERUSER; CREATE TABLE "
                                 "t (a int); ALTER TABLE t OWNER TO other;");
    assert_ok(rh_sandbox_load_schema(sandbox, path, &err), &err);
    assert_ok(rh_sandbox_ready(sandbox, &err), &err);
    assert_string_equal(rh_sandbox_migration_role(sandbox).user, "deployer");
    assert_string_equal(unit_sql(unit, rh_sandbox_migration_role(sandbox),
                                 "SELECT rolsuper FROM pg_roles WHERE rolname = current_user"),
                        "f");
    assert_true(unit_has_note(sandbox, "owned by role \"other\""));
    rh_sandbox_destroy(sandbox);
}

static void test_sandbox_schema_errors_name_file_and_line(void **state)
{
    struct unit *unit = *state;
    static const struct {
        const char *content, *message;
        enum err_code code;
    } cases[] = {
        {"CREATE TABLE a (b int);\n\nCREATE TABEL c ();\n", "x.sql:3: syntax error", RH_ERR_FORMAT},
        {"SELECT 1;\nSELECT * FROM nope;\n", "x.sql:2: relation \"nope\" does not exist",
         RH_ERR_FORMAT},
        {"\n\\nonsense\n", "invalid command", RH_ERR_FORMAT},
        {" \n\t\n", "is empty", RH_ERR_FORMAT},
        {"CREATE EXTENSION no_such_extension;", "no_such_extension", RH_ERR_FORMAT},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct sandbox *sandbox = unit_start(unit);
        struct err err = RH_ERR_INIT;
        char shown[4096];
        const char *path = unit_file(unit, "x.sql", cases[i].content);
        assert_int_equal(rh_sandbox_load_schema(sandbox, path, &err), cases[i].code);
        rh_err_format(&err, shown, sizeof(shown));
        assert_text(shown, cases[i].message);
        rh_sandbox_destroy(sandbox);
    }
    struct sandbox *sandbox = unit_start(unit);
    struct err err = RH_ERR_INIT;
    assert_int_equal(rh_sandbox_load_schema(sandbox, "/nonexistent.sql", &err), RH_ERR_USAGE);
    assert_int_equal(rh_sandbox_load_schema(sandbox, unit->parent, &err), RH_ERR_USAGE);
    rh_sandbox_destroy(sandbox);
    assert_int_equal(unit_sandbox_count(unit), 0);
}

/* Row values stay out of errors. */
static void test_sandbox_schema_error_shows_no_values(void **state)
{
    struct unit *unit = *state;
    struct sandbox *sandbox = unit_start(unit);
    struct err err = RH_ERR_INIT;
    char shown[4096];
    const char *path = unit_file(unit, "x.sql",
                                 "CREATE TABLE t (a text UNIQUE);\n"
                                 "INSERT INTO t VALUES ('s3cret');\n"
                                 "INSERT INTO t SELECT a FROM t;\n");

    assert_int_equal(rh_sandbox_load_schema(sandbox, path, &err), RH_ERR_FORMAT);
    rh_err_format(&err, shown, sizeof(shown));
    assert_text(shown, "x.sql:3");
    assert_text(shown, "23505");
    assert_null(strstr(shown, "s3cret"));
    rh_sandbox_destroy(sandbox);
}

static void test_sandbox_loads_statements(void **state)
{
    struct unit *unit = *state;
    struct sandbox *sandbox = unit_start(unit);
    static const char *const statements[] = {
        "CREATE TABLE shop (id int PRIMARY KEY)",
        "INSERT INTO shop SELECT generate_series(1, 10000)",
    };
    static const char *const wrong[] = {"CREATE TABLE shop (id int)"};
    struct err err = RH_ERR_INIT;

    assert_ok(rh_sandbox_load_sql(sandbox, "built-in shop", statements, 2, &err), &err);
    assert_int_equal(rh_sandbox_load_sql(sandbox, "more", wrong, 1, &err), RH_ERR_SERVER);
    err = (struct err)RH_ERR_INIT;
    assert_ok(rh_sandbox_ready(sandbox, &err), &err);
    assert_int_equal(rh_sandbox_facts(sandbox)->rows, 10000);
    assert_string_equal(rh_sandbox_facts(sandbox)->source, "built-in shop");
    /* Loaded with durability off, restarted since; the pages are all visible. */
    assert_string_equal(unit_sql(unit, rh_sandbox_migration_role(sandbox), "SHOW fsync"), "on");
    assert_string_equal(unit_sql(unit, rh_sandbox_migration_role(sandbox),
                                 "SELECT relallvisible = relpages FROM pg_class WHERE relname = "
                                 "'shop'"),
                        "t");
    rh_sandbox_destroy(sandbox);
}

/* --- settings --------------------------------------------------------------------------------- */

static void test_sandbox_settings_are_in_force(void **state)
{
    struct unit *unit = *state;
    const struct server_setting settings[] = {{"work_mem", "13MB"},
                                              {"lock_timeout", "1s"},
                                              {"application.note", "it's a \\ here"},
                                              {"wal_level", "logical"}};

    unit->options.settings = settings;
    unit->options.setting_count = 4;
    struct sandbox *sandbox = unit_ready(unit);
    struct connection_parameters role = rh_sandbox_migration_role(sandbox);
    assert_string_equal(unit_sql(unit, role, "SHOW work_mem"), "13MB");
    assert_string_equal(unit_sql(unit, role, "SHOW application.note"), "it's a \\ here");
    assert_string_equal(unit_sql(unit, role, "SHOW wal_level"), "logical");
    assert_string_equal(unit_sql(unit, role, "SHOW lock_timeout"), "1s");
    /* Ours stay our own. */
    assert_string_equal(unit_sql(unit, rh_sandbox_superuser(sandbox), "SHOW lock_timeout"), "0");
    rh_sandbox_destroy(sandbox);
}

static void test_sandbox_settings_unknown_or_wrong_are_refused(void **state)
{
    struct unit *unit = *state;
    static const struct {
        struct server_setting setting;
        const char *message;
        enum err_code code;
    } cases[] = {
        {{"work_memm", "1MB"}, "Did you mean \"work_mem\"?", RH_ERR_USAGE},
        {{"max_conections", "1"}, "Did you mean \"max_connections\"?", RH_ERR_USAGE},
        {{"work_mem", "plenty"}, "work_mem", RH_ERR_USAGE},
        {{"work_mem", "1kB"}, "outside the valid range", RH_ERR_USAGE},
        {{"autovacuum", "maybe"}, "Boolean", RH_ERR_USAGE},
        {{"listen_addresses", "*"}, "cannot be changed", RH_ERR_USAGE},
        {{"LOG_LINE_PREFIX", "x"}, "cannot be changed", RH_ERR_USAGE},
        {{"include", "/etc/passwd"}, "cannot be changed", RH_ERR_USAGE},
        {{"work mem", "1"}, "no name of a setting", RH_ERR_USAGE},
        {{"work_mem", "1MB\nfsync=off"}, "line feed", RH_ERR_USAGE},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct sandbox *sandbox = NULL;
        struct err err = RH_ERR_INIT;
        char shown[4096];
        unit->options.settings = &cases[i].setting;
        unit->options.setting_count = 1;
        assert_int_equal(rh_sandbox_start(&unit->options, &sandbox, &err), cases[i].code);
        rh_err_format(&err, shown, sizeof(shown));
        assert_text(shown, cases[i].message);
    }
    assert_int_equal(unit_sandbox_count(unit), 0);
}

static void test_sandbox_that_cannot_start_says_why(void **state)
{
    struct unit *unit = *state;
    const struct server_setting setting = {"shared_preload_libraries", "no_such_library"};
    struct sandbox *sandbox;
    struct err err = RH_ERR_INIT;
    char shown[4096];

    unit->options.settings = &setting;
    unit->options.setting_count = 1;
    sandbox = unit_start(unit);
    assert_int_equal(rh_sandbox_ready(sandbox, &err), RH_ERR_ENVIRONMENT);
    rh_err_format(&err, shown, sizeof(shown));
    assert_text(shown, "no_such_library");
    assert_text(shown, "--set");
    rh_sandbox_destroy(sandbox);
    assert_int_equal(unit_sandbox_count(unit), 0);
}

/* --- the end ---------------------------------------------------------------------------------- */

static void await_crash(struct sandbox *sandbox, const char **ret_reason)
{
    struct mono deadline = rh_clock_after(rh_clock_mono(), 20 * INT64_C(1000000));

    while (!rh_sandbox_has_crashed(sandbox, ret_reason))
        assert_false(rh_clock_passed(deadline));
}

static void test_sandbox_crash_of_a_session_is_seen(void **state)
{
    struct unit *unit = *state;
    struct sandbox *sandbox = unit_ready(unit);
    struct connection_parameters parameters = rh_sandbox_migration_role(sandbox);
    struct connection *connection;
    struct err err = RH_ERR_INIT;
    const char *reason = NULL;

    assert_false(rh_sandbox_has_crashed(sandbox, &reason));
    assert_ok(rh_engine_postgres.connect(&parameters, RH_NEVER, &connection, &err), &err);
    kill((pid_t)rh_engine_postgres.backend_pid(connection), SIGKILL);
    await_crash(sandbox, &reason);
    assert_text(reason, "terminated by signal 9");
    rh_engine_postgres.close(connection);
    rh_sandbox_destroy(sandbox);
    assert_int_equal(unit_sandbox_count(unit), 0);
}

static void test_sandbox_end_of_the_server_is_seen(void **state)
{
    struct unit *unit = *state;
    struct sandbox *sandbox = unit_ready(unit);
    const char *reason = NULL;

    kill((pid_t)postmaster_pid(unit, sandbox), SIGKILL);
    await_crash(sandbox, &reason);
    assert_text(reason, "terminated by signal 9");
    rh_sandbox_destroy(sandbox);
    assert_int_equal(unit_sandbox_count(unit), 0);
}

/* An ordinary error, or a session that is terminated, is no crash. */
static void test_sandbox_refused_statement_is_no_crash(void **state)
{
    struct unit *unit = *state;
    struct sandbox *sandbox = unit_ready(unit);
    struct connection_parameters parameters = rh_sandbox_migration_role(sandbox);
    struct connection *connection;
    struct err err = RH_ERR_INIT;
    const char *reason = NULL;

    assert_ok(rh_engine_postgres.connect(&parameters, RH_NEVER, &connection, &err), &err);
    unit_sql(unit, rh_sandbox_superuser(sandbox),
             rh_arena_printf(unit->arena, "SELECT pg_terminate_backend(%lld)",
                             (long long)rh_engine_postgres.backend_pid(connection)));
    assert_int_equal(
        rh_engine_postgres.query(connection, "SELECT 1", NULL, 0, RH_NEVER, NULL, &err),
        RH_ERR_CONNECTION);
    rh_engine_postgres.close(connection);
    assert_false(rh_sandbox_has_crashed(sandbox, &reason));
    rh_sandbox_destroy(sandbox);
}

static void test_sandbox_kept_outlives_us_until_its_stop_command(void **state)
{
    struct unit *unit = *state;
    struct err err = RH_ERR_INIT;
    const char *url, *stop;

    unit->options.keep = true;
    struct sandbox *sandbox = unit_ready(unit);
    assert_ok(rh_sandbox_keep(sandbox, &url, &stop, &err), &err);
    url = rh_arena_strdup(unit->arena, url);
    stop = rh_arena_strdup(unit->arena, stop);
    const char *psql = rh_sandbox_client_program(sandbox, "psql", &err);
    assert_non_null(psql);
    psql = rh_arena_strdup(unit->arena, psql);
    rh_sandbox_destroy(sandbox);
    rh_sandbox_reap(&unit->options);
    assert_int_equal(unit_sandbox_count(unit), 1);
    const char *const ask[] = {psql, "-XAtc", "SELECT 6 * 7", url, NULL};
    const char *const end[] = {"sh", "-c", stop, NULL};
    const char *const *const commands[] = {ask, end};
    static const char *const expected[] = {"42\n", ""};
    for (size_t i = 0; i < 2; i++) {
        struct process_options options = {
            .argv = commands[i], .stdin_fd = -1, .stdout_fd = -1, .stderr_fd = -1};
        struct process process = PROCESS_INIT;
        struct text output, errors;
        assert_ok(rh_process_run(&options, rh_clock_after(rh_clock_mono(), 30 * INT64_C(1000000)),
                                 4096, unit->arena, &process, &output, &errors, &err),
                  &err);
        assert_string_equal(errors.data, "");
        assert_int_equal(process.status, 0);
        assert_string_equal(output.data, expected[i]);
    }
    assert_int_equal(unit_sandbox_count(unit), 0);
}

static void test_sandbox_not_started_to_be_kept_cannot_be(void **state)
{
    struct unit *unit = *state;
    struct sandbox *sandbox = unit_ready(unit);
    struct err err = RH_ERR_INIT;
    const char *url, *stop;

    assert_int_equal(rh_sandbox_keep(sandbox, &url, &stop, &err), RH_ERR_USAGE);
    rh_sandbox_destroy(sandbox);
    assert_int_equal(unit_sandbox_count(unit), 0);
}

static void test_sandbox_broken_template_is_replaced(void **state)
{
    struct unit *unit = *state;
    struct file_names names;
    struct err err = RH_ERR_INIT;

    rh_sandbox_destroy(unit_ready(unit));
    const char *templates = rh_file_join(unit->arena, unit->cache, "templates");
    assert_ok(rh_file_list(templates, unit->arena, &names, &err), &err);
    assert_int_equal(names.count, 1);
    const char *control = rh_arena_printf(unit->arena, "%s/%s/data/global/pg_control", templates,
                                          names.names[0]);
    assert_int_equal(truncate(control, 0), 0);
    rh_sandbox_destroy(unit_ready(unit));
    rh_sandbox_destroy(unit_ready(unit));
    assert_int_equal(unit_sandbox_count(unit), 0);
}

static void test_sandbox_starts_fast_from_template(void **state)
{
    struct unit *unit = *state;

    rh_sandbox_destroy(unit_ready(unit));
    for (int i = 0; i < 3; i++) {
        struct mono start = rh_clock_mono();
        struct sandbox *sandbox = unit_start(unit);
        int64_t started = unit_milliseconds(start);
        struct err err = RH_ERR_INIT;
        assert_ok(rh_sandbox_ready(sandbox, &err), &err);
        int64_t ready = unit_milliseconds(start);
        rh_sandbox_destroy(sandbox);
        print_message("from the template: prepared %lld ms, ready %lld ms, gone %lld ms\n",
                      (long long)started, (long long)ready, (long long)unit_milliseconds(start));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_sandbox_destroy_leaves_nothing, unit_setup,
                                        unit_teardown),
        cmocka_unit_test_setup_teardown(test_sandbox_is_private, unit_setup, unit_teardown),
        cmocka_unit_test_setup_teardown(test_sandbox_server_reaches_no_network, unit_setup,
                                        unit_teardown),
        cmocka_unit_test_setup_teardown(test_sandbox_migration_role_is_an_owner_not_a_superuser,
                                        unit_setup, unit_teardown),
        cmocka_unit_test_setup_teardown(test_sandbox_long_parent_gets_a_short_socket, unit_setup,
                                        unit_teardown),
        cmocka_unit_test_setup_teardown(test_sandbox_schema_owner_becomes_the_migration_role,
                                        unit_setup, unit_teardown),
        cmocka_unit_test_setup_teardown(test_sandbox_role_can_be_chosen, unit_setup, unit_teardown),
        cmocka_unit_test_setup_teardown(test_sandbox_schema_errors_name_file_and_line, unit_setup,
                                        unit_teardown),
        cmocka_unit_test_setup_teardown(test_sandbox_schema_error_shows_no_values, unit_setup,
                                        unit_teardown),
        cmocka_unit_test_setup_teardown(test_sandbox_loads_statements, unit_setup, unit_teardown),
        cmocka_unit_test_setup_teardown(test_sandbox_settings_are_in_force, unit_setup,
                                        unit_teardown),
        cmocka_unit_test_setup_teardown(test_sandbox_settings_unknown_or_wrong_are_refused,
                                        unit_setup, unit_teardown),
        cmocka_unit_test_setup_teardown(test_sandbox_that_cannot_start_says_why, unit_setup,
                                        unit_teardown),
        cmocka_unit_test_setup_teardown(test_sandbox_crash_of_a_session_is_seen, unit_setup,
                                        unit_teardown),
        cmocka_unit_test_setup_teardown(test_sandbox_end_of_the_server_is_seen, unit_setup,
                                        unit_teardown),
        cmocka_unit_test_setup_teardown(test_sandbox_refused_statement_is_no_crash, unit_setup,
                                        unit_teardown),
        cmocka_unit_test_setup_teardown(test_sandbox_kept_outlives_us_until_its_stop_command,
                                        unit_setup, unit_teardown),
        cmocka_unit_test_setup_teardown(test_sandbox_not_started_to_be_kept_cannot_be, unit_setup,
                                        unit_teardown),
        cmocka_unit_test_setup_teardown(test_sandbox_broken_template_is_replaced, unit_setup,
                                        unit_teardown),
        cmocka_unit_test_setup_teardown(test_sandbox_starts_fast_from_template, unit_setup,
                                        unit_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
