/*
 * How long a clone of a large sandbox takes to its first answer, and what it takes to restore the
 * same data instead. For tests/bench/run.
 *
 *     clone_timer DIRECTORY MEGABYTES ROUNDS
 *
 * Prints lines "name value", times in seconds: "size", "restore" (pg_restore of a directory archive
 * by as many jobs as there are processors, durability off), then per clone "untimed METHOD SECONDS
 * KB READ UPDATE" and "timed ...": its own bytes on the disk, the first sequential read of one of
 * the four tables, and an update of a tenth of it.
 */
#include "sandbox/sandbox.h"

#include "base/file.h"
#include "base/process.h"

#include <stdio.h>
#include <stdlib.h>

#define RESTORE_TIMEOUT_US (1800 * INT64_C(1000000))

static _Noreturn void die(const struct err *err)
{
    char shown[4096];

    rh_err_format(err, shown, sizeof(shown));
    fprintf(stderr, "%s\n", shown);
    exit(1);
}

static double seconds_since(struct mono start)
{
    return (double)(rh_clock_mono().us - start.us) / 1e6;
}

static void query(const struct sandbox *sandbox, const char *sql)
{
    struct connection_parameters parameters = rh_sandbox_migration_role(sandbox);
    struct connection *connection;
    struct err err = RH_ERR_INIT;

    if (rh_engine_postgres.connect(&parameters, RH_NEVER, &connection, &err) ||
        rh_engine_postgres.query(connection, sql, NULL, 0, RH_NEVER, NULL, &err))
        die(&err);
    rh_engine_postgres.close(connection);
}

static double time_query(const struct sandbox *sandbox, const char *sql)
{
    struct mono start = rh_clock_mono();

    query(sandbox, sql);
    return seconds_since(start);
}

static struct sandbox *start(const char *directory)
{
    const struct sandbox_options options = {
        .engine = &rh_engine_postgres, .parent_directory = directory, .cache_directory = directory};
    struct sandbox *sandbox;
    struct err err = RH_ERR_INIT;

    if (rh_sandbox_start(&options, &sandbox, &err))
        die(&err);
    return sandbox;
}

/* Four tables, so that a restore has something to do at once; rows of 1 kB. */
static struct sandbox *prepare(struct arena *arena, const char *directory, int megabytes)
{
    struct sandbox *prepared = start(directory);
    struct err err = RH_ERR_INIT;

    for (int i = 1; i <= 4; i++) {
        const char *const sql[] = {
            rh_arena_printf(arena, "CREATE TABLE t%d (id int PRIMARY KEY, n int, x text)", i),
            rh_arena_printf(arena,
                            "INSERT INTO t%d SELECT g, 0, repeat(md5(g::text), 29) "
                            "FROM generate_series(1, %d) g",
                            i, megabytes * 1024 / 4)};
        if (rh_sandbox_load_sql(prepared, "rows", sql, 2, &err))
            die(&err);
    }
    if (rh_sandbox_prepare(prepared, &err))
        die(&err);
    return prepared;
}

static void time_clone(struct sandbox *prepared, bool is_timed)
{
    struct sandbox *clone;
    struct err err = RH_ERR_INIT;
    struct mono began = rh_clock_mono();

    if (is_timed ? rh_sandbox_clone(prepared, &clone, &err)
                 : rh_sandbox_clone_untimed(prepared, &clone, &err))
        die(&err);
    query(clone, "SELECT 1");
    double answered = seconds_since(began);
    long long own_kb = (long long)(rh_file_tree_bytes(rh_sandbox_directory(clone)) / 1024);
    double read = time_query(clone, "SELECT count(*) FROM t1");
    double updated = time_query(clone, "UPDATE t2 SET n = 1 WHERE id % 10 = 0");
    printf("%s %s %.4f %lld %.3f %.3f\n", is_timed ? "timed" : "untimed",
           rh_sandbox_facts(clone)->clone_method, answered, own_kb, read, updated);
    rh_sandbox_destroy(clone);
}

/* The archive is made from a clone, which then makes room for what is restored. */
static void time_restore(struct arena *arena, struct sandbox *prepared, const char *directory)
{
    const char *archive = rh_file_join(arena, directory, "archive");
    struct sandbox *clone;
    struct err err = RH_ERR_INIT;
    struct process process;
    struct text output, errors;

    if (rh_sandbox_clone_untimed(prepared, &clone, &err))
        die(&err);
    struct connection_parameters from = rh_sandbox_migration_role(clone);
    const char *const argv[] = {rh_sandbox_client_program(clone, "pg_dump", &err),
                                "-Fd",
                                "-Z0",
                                "-j2",
                                "-f",
                                archive,
                                rh_arena_printf(arena, "postgres://%s:%s@/%s?host=%s", from.user,
                                                from.password, from.database,
                                                from.socket_directory),
                                NULL};
    const struct process_options options = {
        .argv = argv, .stdin_fd = -1, .stdout_fd = -1, .stderr_fd = -1};
    if (!argv[0] || rh_process_run(&options, rh_clock_after(rh_clock_mono(), RESTORE_TIMEOUT_US),
                                   65536, arena, &process, &output, &errors, &err))
        die(&err);
    if (process.status != 0) {
        fprintf(stderr, "%s", errors.data);
        exit(1);
    }
    rh_sandbox_destroy(clone);
    struct sandbox *restored = start(directory);
    struct mono began = rh_clock_mono();
    if (rh_sandbox_load_snapshot(restored, archive, &err))
        die(&err);
    printf("restore %.3f\n", seconds_since(began));
    rh_sandbox_destroy(restored);
    if (rh_file_remove_tree(archive, &err))
        die(&err);
}

int main(int argc, char **argv)
{
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();

    if (argc != 4) {
        fprintf(stderr, "usage: clone_timer DIRECTORY MEGABYTES ROUNDS\n");
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    struct sandbox *prepared = prepare(arena, argv[1], (int)strtol(argv[2], NULL, 10));
    printf("size %lld\n", (long long)rh_file_tree_bytes(rh_sandbox_data_directory(prepared)));
    for (long i = strtol(argv[3], NULL, 10); i > 0; i--)
        time_clone(prepared, false);
    time_clone(prepared, true);
    time_restore(arena, prepared, argv[1]);
    rh_sandbox_destroy(prepared);
    return 0;
}
