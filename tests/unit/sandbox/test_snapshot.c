#include "sandbox_unit.h"

#include "base/process.h"

#include <sys/mount.h>

/* The database that is dumped: made once, every format taken from it. */
struct dumps {
    struct unit *unit;
    struct sandbox *source;
};

static const char source_schema[] =
    "CREATE ROLE app; CREATE ROLE reader; CREATE ROLE \"Odd Role\"; CREATE ROLE watcher;\n"
    "CREATE EXTENSION pg_trgm; CREATE EXTENSION hstore;\n"
    "CREATE SCHEMA \"Sales\" AUTHORIZATION app;\n"
    "CREATE TABLE \"Sales\".orders (id bigint PRIMARY KEY, note text, tags hstore);\n"
    "INSERT INTO \"Sales\".orders SELECT g, E'line\\none ; \\\\. -- ' || g, NULL "
    "FROM generate_series(1, 1000) g;\n"
    "CREATE TABLE users (id int PRIMARY KEY, email text);\n"
    "INSERT INTO users SELECT g, 'u' || g FROM generate_series(1, 500) g;\n"
    "CREATE INDEX ON users USING gin (email gin_trgm_ops);\n"
    "ALTER TABLE users OWNER TO app; ALTER TABLE \"Sales\".orders OWNER TO app;\n"
    "GRANT SELECT ON users TO reader, \"Odd Role\";\n"
    "ALTER DEFAULT PRIVILEGES FOR ROLE app GRANT SELECT ON TABLES TO watcher;\n"
    "CREATE FUNCTION trap() RETURNS text LANGUAGE sql AS $x$ SELECT 'a; CREATE EXTENSION nope; "
    "GRANT x TO nobody_at_all;' $x$;\n"
    "CREATE POLICY p ON users FOR SELECT TO reader USING (true);\n"
    "ALTER DATABASE app SET work_mem = '7MB';\n"
    /* Of a superuser that is not there yet. */
    "CREATE ROLE root SUPERUSER;\n"
    "CREATE FUNCTION seen() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';\n"
    "CREATE EVENT TRIGGER watch ON ddl_command_end EXECUTE FUNCTION seen();\n"
    "ALTER EVENT TRIGGER watch OWNER TO root;\n"
    /* Nobody answers there. */
    "CREATE FOREIGN DATA WRAPPER nothing; ALTER FOREIGN DATA WRAPPER nothing OWNER TO root;\n"
    "CREATE SERVER nowhere FOREIGN DATA WRAPPER nothing;\n"
    "CREATE TABLE halves (a int) PARTITION BY RANGE (a);\n"
    "CREATE TABLE near PARTITION OF halves FOR VALUES FROM (0) TO (10);\n"
    "CREATE FOREIGN TABLE far PARTITION OF halves FOR VALUES FROM (10) TO (20) SERVER nowhere;\n"
    "CREATE TABLE parent (a int); CREATE FOREIGN TABLE child () INHERITS (parent) SERVER nowhere;\n"
    "INSERT INTO halves VALUES (1); INSERT INTO parent VALUES (2);\n";

static int dumps_setup(void **state)
{
    struct dumps *dumps = calloc(1, sizeof(*dumps));
    void *unit = NULL;
    struct err err = RH_ERR_INIT;

    if (!dumps || unit_setup(&unit))
        return -1;
    dumps->unit = unit;
    dumps->source = unit_start(dumps->unit);
    const char *path = unit_file(dumps->unit, "source.sql", source_schema);
    assert_ok(rh_sandbox_load_schema(dumps->source, path, &err), &err);
    assert_ok(rh_sandbox_ready(dumps->source, &err), &err);
    *state = dumps;
    return 0;
}

static int dumps_teardown(void **state)
{
    struct dumps *dumps = *state;
    void *unit = dumps->unit;

    rh_sandbox_destroy(dumps->source);
    /* Still mounted when the test failed. */
    (void)umount2(rh_file_join(dumps->unit->arena, dumps->unit->directory, "small"), MNT_DETACH);
    int code = unit_teardown(&unit);
    free(dumps);
    return code;
}

static void run_shell(struct unit *unit, const char *command)
{
    const char *const argv[] = {"sh", "-c", command, NULL};
    struct process_options options = {
        .argv = argv, .stdin_fd = -1, .stdout_fd = -1, .stderr_fd = -1};
    struct process process = PROCESS_INIT;
    struct text output, errors;
    struct err err = RH_ERR_INIT;

    assert_ok(rh_process_run(&options, rh_clock_after(rh_clock_mono(), 60 * INT64_C(1000000)), 4096,
                             unit->arena, &process, &output, &errors, &err),
              &err);
    if (process.status != 0)
        fail_msg("%s: %.*s", command, (int)errors.len, errors.data);
}

/* Dumps the source; `options` of pg_dump and what the shell does with it. */
static const char *dump(struct dumps *dumps, const char *name, const char *options,
                        const char *after)
{
    struct unit *unit = dumps->unit;
    struct connection_parameters from = rh_sandbox_superuser(dumps->source);
    const char *path = rh_file_join(unit->arena, unit->directory, name);
    struct err err = RH_ERR_INIT;
    const char *pg_dump = rh_sandbox_client_program(dumps->source, "pg_dump", &err);

    assert_non_null(pg_dump);
    run_shell(unit, rh_arena_printf(unit->arena,
                                    "rm -rf '%s'; PGPASSWORD=%s %s -h %s -U %s -d %s %s %s '%s'",
                                    path, from.password, pg_dump, from.socket_directory, from.user,
                                    from.database, options, after, path));
    return path;
}

static struct sandbox *restore(struct dumps *dumps, const char *path)
{
    struct sandbox *sandbox = unit_start(dumps->unit);
    struct err err = RH_ERR_INIT;

    assert_ok(rh_sandbox_load_snapshot(sandbox, path, &err), &err);
    assert_ok(rh_sandbox_ready(sandbox, &err), &err);
    return sandbox;
}

/* Everything of the source is there, and only that. */
static void check_restored(struct dumps *dumps, struct sandbox *sandbox, bool is_archive)
{
    struct unit *unit = dumps->unit;
    struct connection_parameters role = rh_sandbox_migration_role(sandbox);

    assert_string_equal(role.user, "app");
    assert_string_equal(role.database, "app");
    assert_string_equal(unit_sql(unit, role,
                                 "SELECT count(*) FROM \"Sales\".orders WHERE note LIKE "
                                 "E'line\\none ; %'"),
                        "1000");
    assert_string_equal(unit_sql(unit, role, "SELECT count(*) FROM users"), "500");
    assert_string_equal(unit_sql(unit, role,
                                 "SELECT rolsuper OR rolreplication OR rolbypassrls "
                                 "FROM pg_roles WHERE rolname = current_user"),
                        "f");
    assert_string_equal(unit_sql(unit, role,
                                 "SELECT rolcanlogin FROM pg_roles WHERE rolname = "
                                 "'reader'"),
                        "f");
    assert_string_equal(unit_sql(unit, role,
                                 "SELECT has_table_privilege('Odd Role', 'users', "
                                 "'SELECT')"),
                        "t");
    assert_string_equal(unit_sql(unit, role,
                                 "SELECT reltuples::int FROM pg_class WHERE relname = "
                                 "'orders'"),
                        "1000");
    assert_string_equal(unit_sql(unit, role, "SELECT trap()"),
                        "a; CREATE EXTENSION nope; GRANT x TO nobody_at_all;");
    if (is_archive)
        assert_string_equal(unit_sql(unit, role, "SHOW work_mem"), "7MB");
    assert_string_equal(unit_sql(unit, role, "SHOW fsync"), "on");
    assert_string_equal(unit_sql(unit, role, "SHOW wal_level"), "replica");
    assert_string_equal(unit_sql(unit, role,
                                 "SELECT count(*) FROM pg_roles WHERE rolname = "
                                 "'nobody_at_all'"),
                        "0");
    assert_true(unit_has_note(sandbox, "\"Odd Role\""));
    assert_true(unit_has_note(sandbox, "\"watcher\""));
    assert_true(unit_has_note(sandbox, "were missing and were created without login"));
    assert_string_equal(unit_sql(unit, role,
                                 "SELECT string_agg(rolname || rolsuper, ' ') FROM"
                                 " pg_event_trigger JOIN pg_roles r ON r.oid = evtowner WHERE"
                                 " evtname = 'watch'"),
                        "rootfalse");
    assert_true(unit_has_note(sandbox, "public.halves has no statistics as a whole"));
    assert_true(unit_has_note(sandbox, "public.parent has no statistics as a whole"));
    rh_sandbox_destroy(sandbox);
}

static void test_snapshot_loads_every_format(void **state)
{
    static const struct {
        const char *name, *options, *after;
        bool is_archive;
    } formats[] = {
        {"custom.dump", "-Fc", ">", true},
        {"directory", "-Fd -f", "", true},
        {"archive.tar", "-Ft", ">", true},
        {"plain.sql", "-Fp", ">", false},
        {"plain-create.sql", "-Fp --create --clean --if-exists", ">", true},
        {"inserts.sql", "-Fp --inserts", ">", false},
        {"plain.sql.gz", "-Fp", "| gzip >", false},
        {"plain.sql.zst", "-Fp", "| zstd -q >", false},
        {"custom.dump.gz", "-Fc", "| gzip >", true},
        {"custom.dump.zst", "-Fc", "| zstd -q >", true},
    };
    struct dumps *dumps = *state;

    for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
        const char *path = dump(dumps, formats[i].name, formats[i].options, formats[i].after);
        print_message("%s\n", formats[i].name);
        assert_int_equal(rh_sandbox_snapshot_major(path),
                         rh_sandbox_facts(dumps->source)->server_major);
        struct sandbox *sandbox = restore(dumps, path);
        if (formats[i].is_archive && !strstr(formats[i].name, "plain"))
            assert_in_range(rh_sandbox_facts(sandbox)->snapshot_age_s, 0, 86400);
        check_restored(dumps, sandbox, formats[i].is_archive);
    }
    assert_int_equal(unit_sandbox_count(dumps->unit), 1);
}

static void expect_refused(struct dumps *dumps, const char *path, enum err_code expected,
                           const char *message)
{
    struct sandbox *sandbox = unit_start(dumps->unit);
    struct err err = RH_ERR_INIT;
    char shown[4096];

    assert_int_not_equal(rh_sandbox_load_snapshot(sandbox, path, &err), RH_OK);
    rh_err_format(&err, shown, sizeof(shown));
    print_message("%s", shown);
    assert_int_equal(err.code, expected);
    assert_text(shown, message);
    rh_sandbox_destroy(sandbox);
}

static void test_snapshot_truncated_is_refused(void **state)
{
    struct dumps *dumps = *state;
    struct unit *unit = dumps->unit;
    static const struct {
        const char *name, *options, *after;
    } cuts[] = {
        {"cut.dump", "-Fc", "| head -c 9000 >"},
        {"cut-head.dump", "-Fc", "| head -c 300 >"},
        {"cut.tar", "-Ft", "| head -c 30000 >"},
        {"cut.tar.gz", "-Ft", "| head -c 30000 | gzip >"},
        {"cut.sql", "-Fp", "| head -c 8000 >"},
        {"cut-data.sql", "-Fp", "| sed '/^COPY/,+5!d' >"},
        {"cut.sql.gz", "-Fp", "| gzip | head -c 3000 >"},
        {"cut.sql.zst", "-Fp", "| zstd -q | head -c 3000 >"},
        {"cut.dump.gz", "-Fc", "| gzip | head -c 4000 >"},
    };

    for (size_t i = 0; i < sizeof(cuts) / sizeof(cuts[0]); i++) {
        print_message("%s\n", cuts[i].name);
        expect_refused(dumps, dump(dumps, cuts[i].name, cuts[i].options, cuts[i].after),
                       RH_ERR_FORMAT,
                       strstr(cuts[i].name, ".tar")       ? "not complete"
                       : strstr(cuts[i].name, "cut-data") ? ":"
                                                          : "truncated");
    }
    const char *directory = dump(dumps, "cut-directory", "-Fd -f", "");
    run_shell(unit, rh_arena_printf(unit->arena, "rm '%s'/*.dat.gz", directory));
    expect_refused(dumps, directory, RH_ERR_FORMAT, "truncated");
}

static void test_snapshot_foreign_file_is_refused(void **state)
{
    struct dumps *dumps = *state;
    struct unit *unit = dumps->unit;

    expect_refused(dumps, "/nonexistent.dump", RH_ERR_USAGE, "No such file");
    expect_refused(dumps, unit_file(unit, "empty.dump", ""), RH_ERR_FORMAT, "is empty");
    expect_refused(dumps, unit->parent, RH_ERR_FORMAT, "toc.dat");
    expect_refused(dumps, unit_file(unit, "mysql.sql", "-- MySQL dump 10.13\nCREATE TABLE `x`;\n"),
                   RH_ERR_FORMAT, "MySQL");
    expect_refused(dumps,
                   unit_file(unit, "all.sql",
                             "--\n-- PostgreSQL database cluster dump\n--\n\nCREATE ROLE x;\n"),
                   RH_ERR_FORMAT, "pg_dumpall");
    expect_refused(dumps,
                   unit_file(unit, "a.xz",
                             "\xfd"
                             "7zXZ data"),
                   RH_ERR_FORMAT, "xz");
    expect_refused(dumps, "/bin/sh", RH_ERR_FORMAT, "a program");
    expect_refused(dumps, unit_file(unit, "prose.txt", "Dear customer, enclosed is the dump.\n"),
                   RH_ERR_FORMAT, "syntax error");
    expect_refused(dumps, unit_file(unit, "shell.sql", "SELECT 1;\n\\! touch /tmp/pwned\n"),
                   RH_ERR_FORMAT, "psql command");
    const char *tar = rh_file_join(unit->arena, unit->directory, "other.tar");
    run_shell(unit, rh_arena_printf(unit->arena, "tar cf '%s' -C / etc/passwd", tar));
    expect_refused(dumps, tar, RH_ERR_FORMAT, "tar");
}

/* A later version is told by the header alone: two bytes of the real thing are changed. */
static void test_snapshot_from_newer_server_is_refused(void **state)
{
    struct dumps *dumps = *state;
    struct unit *unit = dumps->unit;
    const char *plain = dump(dumps, "newer.sql", "-Fp",
                             "| sed 's/database version [0-9]*/database "
                             "version 99/' >");
    const char *archive = dump(dumps, "newer.dump", "-Fc", ">");

    expect_refused(dumps, plain, RH_ERR_FORMAT, "newer than the server here");
    assert_int_equal(rh_sandbox_snapshot_major(plain), 99);
    /* PGDMP, then major and minor of the archive's version. */
    run_shell(unit, rh_arena_printf(unit->arena,
                                    "printf '\\143' | dd of='%s' bs=1 seek=6 conv=notrunc "
                                    "status=none",
                                    archive));
    expect_refused(dumps, archive, RH_ERR_FORMAT, "newer than pg_restore");
}

static void test_snapshot_missing_extension_is_named(void **state)
{
    struct dumps *dumps = *state;
    struct unit *unit = dumps->unit;
    struct err err = RH_ERR_INIT;

    /* An archive can be restored around it. The name is changed where it stands, same length. */
    const char *archive = dump(dumps, "lacking.tar", "-Ft", ">");
    run_shell(unit, rh_arena_printf(unit->arena, "sed -i 's/hstore/hst0re/g' '%s'", archive));
    struct sandbox *sandbox = restore(dumps, archive);
    assert_true(unit_has_note(sandbox, "extension \"hst0re\""));
    assert_true(unit_has_note(sandbox, "not restored without extension \"hst0re\": TABLE Sales "
                                       "orders app"));
    assert_string_equal(
        unit_sql(unit, rh_sandbox_migration_role(sandbox), "SELECT count(*) FROM users"), "500");
    rh_sandbox_destroy(sandbox);

    const char *plain = dump(dumps, "lacking.sql", "-Fp", "| sed 's/hstore/hst0re/g' >");
    expect_refused(dumps, plain, RH_ERR_FORMAT, "hst0re");

    /* Nothing needs it: a note is enough. */
    const char *unused = dump(dumps, "unused.sql", "-Fp -T '\"Sales\".*'",
                              "| sed 's/hstore/hst0re/g' >");
    sandbox = unit_start(unit);
    assert_ok(rh_sandbox_load_snapshot(sandbox, unused, &err), &err);
    assert_true(unit_has_note(sandbox, "extension \"hst0re\""));
    rh_sandbox_destroy(sandbox);
}

/* A file system of a few megabytes: only root may mount one. */
static void test_snapshot_disk_full_names_the_directory(void **state)
{
    struct dumps *dumps = *state;
    struct unit *unit = dumps->unit;

    if (geteuid() != 0)
        skip();
    const char *small = rh_file_join(unit->arena, unit->directory, "small");
    assert_int_equal(mkdir(small, 0755), 0);
    if (mount("none", small, "tmpfs", 0, "size=90m,mode=755") != 0)
        skip();
    const char *sql = unit_file(unit, "large.sql",
                                "CREATE TABLE large AS SELECT g, repeat('x', 1000) AS t "
                                "FROM generate_series(1, 100000) g;\n");
    const char *path = dump(dumps, "large.dump", "-Fc", ">");
    struct sandbox_options options = unit->options;
    unit->options.parent_directory = small;
    struct sandbox *sandbox = unit_start(unit);
    struct err err = RH_ERR_INIT;
    char shown[4096];
    (void)path;
    assert_int_equal(rh_sandbox_load_schema(sandbox, sql, &err), RH_ERR_IO);
    rh_err_format(&err, shown, sizeof(shown));
    print_message("%s", shown);
    assert_text(shown, small);
    assert_text(shown, "free");
    rh_sandbox_destroy(sandbox);

    /* The same data as a dump: its table alone is larger than what is left. */
    struct sandbox_options elsewhere = options;
    unit->options = elsewhere;
    struct sandbox *maker = unit_start(unit);
    assert_ok(rh_sandbox_load_schema(maker, sql, &err), &err);
    assert_ok(rh_sandbox_ready(maker, &err), &err);
    struct dumps large = {.unit = unit, .source = maker};
    static const char *const formats[][3] = {{"large-custom", "-Fc", ">"},
                                             {"large-plain.gz", "-Fp", "| gzip >"}};
    for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
        const char *archive = dump(&large, formats[i][0], formats[i][1], formats[i][2]);
        unit->options.parent_directory = small;
        expect_refused(dumps, archive, RH_ERR_IO, "is full");
        unit->options = elsewhere;
    }
    rh_sandbox_destroy(maker);
    assert_int_equal(umount(small), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_snapshot_loads_every_format),
        cmocka_unit_test(test_snapshot_truncated_is_refused),
        cmocka_unit_test(test_snapshot_foreign_file_is_refused),
        cmocka_unit_test(test_snapshot_from_newer_server_is_refused),
        cmocka_unit_test(test_snapshot_missing_extension_is_named),
        cmocka_unit_test(test_snapshot_disk_full_names_the_directory),
    };
    return cmocka_run_group_tests(tests, dumps_setup, dumps_teardown);
}
