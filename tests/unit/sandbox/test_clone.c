/*
 * Clones by every method that this machine can do, as root and as an ordinary user. What it cannot
 * (no mkfs, no loop devices, no namespaces) is skipped, and counted as such.
 */
#include "sandbox_unit.h"

#include "base/process.h"
#include "sandbox/sandbox_int.h"

#include <poll.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/pidfd.h>
#include <sys/statvfs.h>

#define COMMAND_TIMEOUT_US (120 * INT64_C(1000000))
/* Set in the program that runs as an ordinary user: only what needs no root. */
#define ORDINARY "REHEARSE_TEST_ORDINARY_USER"

/* One cache for all tests: each initdb waits for the disk. */
static char shared_cache[] = "/var/tmp/rehearse-unit-cache-XXXXXX";

static int setup(void **state)
{
    int failed = unit_setup(state);

    if (!failed)
        ((struct unit *)*state)->options.cache_directory = shared_cache;
    return failed;
}

/* Exit status of a shell command; its output in the unit's arena. */
static int run(struct unit *unit, const char **ret_output, const char *fmt, ...) RH_PRINTF(3, 4);
static int run(struct unit *unit, const char **ret_output, const char *fmt, ...)
{
    struct process process = PROCESS_INIT;
    struct err err = RH_ERR_INIT;
    struct text output, errors;
    va_list args;

    va_start(args, fmt);
    const char *const argv[] = {"sh", "-c", rh_arena_vprintf(unit->arena, fmt, args), NULL};
    va_end(args);
    const struct process_options options = {
        .argv = argv, .stdin_fd = -1, .stdout_fd = -1, .stderr_fd = -1};
    assert_ok(rh_process_run(&options, rh_clock_after(rh_clock_mono(), COMMAND_TIMEOUT_US), 65536,
                             unit->arena, &process, &output, &errors, &err),
              &err);
    if (ret_output)
        *ret_output = rh_arena_printf(unit->arena, "%s%s", output.data, errors.data);
    return rh_process_exit_status(&process);
}

static struct sandbox *prepare(struct unit *unit)
{
    static const char *const rows[] = {
        "CREATE TABLE t (id int PRIMARY KEY, x text)",
        "INSERT INTO t SELECT g, repeat('x', 500) FROM generate_series(1, 10000) g"};
    struct sandbox *prepared = unit_start(unit);
    struct err err = RH_ERR_INIT;

    assert_ok(rh_sandbox_load_sql(prepared, "rows", rows, 2, &err), &err);
    assert_ok(rh_sandbox_prepare(prepared, &err), &err);
    return prepared;
}

static struct sandbox *timed_clone(struct sandbox *prepared)
{
    struct sandbox *clone = NULL;
    struct err err = RH_ERR_INIT;

    assert_ok(rh_sandbox_clone(prepared, &clone, &err), &err);
    return clone;
}

static struct sandbox *untimed_clone(struct sandbox *prepared)
{
    struct sandbox *clone = NULL;
    struct err err = RH_ERR_INIT;

    assert_ok(rh_sandbox_clone_untimed(prepared, &clone, &err), &err);
    return clone;
}

/* A digest of every name and byte of a data directory that nobody uses. */
static const char *digest(struct unit *unit, const char *directory)
{
    const char *text;

    assert_int_equal(run(unit, &text,
                         "cd '%s' && find . -type f | LC_ALL=C sort | xargs sha256sum | sha256sum",
                         directory),
                     0);
    return text;
}

static const char *count(struct unit *unit, const struct sandbox *sandbox)
{
    return unit_sql(unit, rh_sandbox_migration_role(sandbox), "SELECT count(*) FROM t");
}

static const char *method(const struct sandbox *sandbox)
{
    return rh_sandbox_facts(sandbox)->clone_method;
}

/* What the clone itself takes on the disk. */
static int64_t own_bytes(const struct sandbox *clone)
{
    return rh_file_tree_bytes(rh_sandbox_directory(clone));
}

/* Two clones and what they were made of know nothing of each other's writes. */
static void check_independence(struct unit *unit, struct sandbox *prepared, struct sandbox *first,
                               struct sandbox *second)
{
    assert_string_equal(count(unit, first), "10000");
    unit_sql(unit, rh_sandbox_migration_role(first), "DELETE FROM t WHERE id <= 4000");
    unit_sql(unit, rh_sandbox_migration_role(first), "CREATE TABLE only_here (id int)");
    unit_sql(unit, rh_sandbox_migration_role(second), "INSERT INTO t VALUES (0, 'one more')");
    unit_sql(unit, rh_sandbox_superuser(first), "CHECKPOINT");
    unit_sql(unit, rh_sandbox_superuser(second), "CHECKPOINT");
    assert_string_equal(count(unit, first), "6000");
    assert_string_equal(count(unit, second), "10001");
    assert_string_equal(unit_sql(unit, rh_sandbox_migration_role(second),
                                 "SELECT to_regclass('only_here') IS NULL"),
                        "t");
    struct sandbox *third = untimed_clone(prepared);
    assert_string_equal(count(unit, third), "10000");
    rh_sandbox_destroy(third);
}

static void check_both_kinds(struct unit *unit, const char *timed_method,
                             const char *untimed_method, int64_t own_bytes_max)
{
    struct sandbox *prepared = prepare(unit);
    const char *before = digest(unit, rh_sandbox_data_directory(prepared));
    struct sandbox *timed = timed_clone(prepared), *untimed = untimed_clone(prepared);

    if (timed_method) {
        assert_string_equal(method(timed), timed_method);
        assert_string_equal(method(untimed), untimed_method);
    }
    print_message("%s: %s\n%s: %s, takes %lld kB\n", method(timed),
                  rh_sandbox_facts(timed)->clone_note, method(untimed),
                  rh_sandbox_facts(untimed)->clone_note, (long long)own_bytes(untimed) / 1024);
    if (own_bytes_max)
        assert_in_range(own_bytes(untimed), 1, own_bytes_max);
    /* What measures a data directory sees all of it, whichever way it was made. */
    int64_t whole = rh_file_tree_bytes(
        rh_file_join(unit->arena, rh_sandbox_data_directory(prepared), "base"));
    int64_t seen = rh_file_tree_bytes(
        rh_file_join(unit->arena, rh_sandbox_data_directory(untimed), "base"));
    /* But for the blocks that a file system holds ready behind the end of a file. */
    assert_in_range(seen, whole - whole / 10, whole + whole / 10);
    check_independence(unit, prepared, timed, untimed);
    rh_sandbox_destroy(timed);
    rh_sandbox_destroy(untimed);
    assert_string_equal(digest(unit, rh_sandbox_data_directory(prepared)), before);
    rh_sandbox_destroy(prepared);
    assert_int_equal(unit_sandbox_count(unit), 0);
}

static struct sandbox *overlay_or_skip(struct sandbox *prepared)
{
    struct sandbox *clone = untimed_clone(prepared);

    if (strcmp(method(clone), "overlay") != 0) {
        print_message("no overlay here: %s\n", rh_sandbox_facts(clone)->clone_note);
        rh_sandbox_destroy(clone);
        rh_sandbox_destroy(prepared);
        skip();
    }
    return clone;
}

/* --- every method ----------------------------------------------------------------------------- */

static void test_clone_of_any_method_is_independent(void **state)
{
    check_both_kinds(*state, NULL, NULL, 0);
}

/* An image of `size` with a file system of its own, and the sandboxes in it; in a mount namespace
   of this process, so that nothing is left however the test ends. */
static void use_file_system(struct unit *unit, const char *mkfs, const char *size)
{
    const char *image = rh_file_join(unit->arena, unit->directory, "image"), *said;

    if (geteuid() != 0)
        skip();
    assert_int_equal(unshare(CLONE_NEWNS), 0);
    assert_int_equal(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
    if (run(unit, &said, "truncate -s %s '%s' && %s '%s' && mount -o loop '%s' '%s'", size, image,
            mkfs, image, image, unit->parent) != 0) {
        print_message("no such file system here: %s\n", said);
        skip();
    }
    assert_int_equal(chmod(unit->parent, 0755), 0);
    rmdir(rh_file_join(unit->arena, unit->parent, "lost+found"));
}

static int teardown_file_system(void **state)
{
    struct unit *unit = *state;

    umount2(unit->parent, MNT_DETACH); /* a test that was skipped has none */
    return unit_teardown(state);
}

static void test_clone_on_btrfs_is_a_snapshot(void **state)
{
    struct unit *unit = *state;

    use_file_system(unit, "mkfs.btrfs -q", "700M");
    check_both_kinds(unit, "btrfs snapshot", "btrfs snapshot", 0);
}

static void test_clone_on_xfs_is_a_reflink(void **state)
{
    struct unit *unit = *state;

    use_file_system(unit, "mkfs.xfs -q -m reflink=1", "700M");
    check_both_kinds(unit, "reflink", "reflink", 0);
}

/* What is timed is copied (67 MB), what is not takes its log and what the server opens. */
static void test_clone_on_ext4_is_a_copy_or_an_overlay(void **state)
{
    struct unit *unit = *state;

    use_file_system(unit, "mkfs.ext4 -q", "700M");
    struct sandbox *prepared = prepare(unit);
    rh_sandbox_destroy(overlay_or_skip(prepared));
    rh_sandbox_destroy(prepared);
    check_both_kinds(unit, "copy", "overlay", INT64_C(48) << 20);
}

/* --- an overlay, seen from outside ------------------------------------------------------------ */

static void test_clone_by_overlay_shows_its_data_after_its_server_died(void **state)
{
    struct unit *unit = *state;
    struct sandbox *prepared = prepare(unit), *clone = overlay_or_skip(prepared);
    const char *base = rh_file_join(unit->arena, rh_sandbox_data_directory(clone), "base");
    int64_t before = rh_file_tree_bytes(base);
    const char *reason;

    unit_sql(unit, rh_sandbox_migration_role(clone),
             "CREATE TABLE more AS SELECT repeat('x', 500) FROM generate_series(1, 20000)");
    unit_sql(unit, rh_sandbox_superuser(clone), "CHECKPOINT");
    int64_t grown = rh_file_tree_bytes(base) - before;
    /* 20000 rows of 528 bytes; copying up files of the base is no growth. */
    assert_in_range(grown, INT64_C(10) << 20, INT64_C(14) << 20);
    assert_int_equal(pidfd_send_signal(rh_sandbox_server_pidfd(clone), SIGKILL, NULL, 0), 0);
    struct pollfd ended = {.fd = rh_sandbox_server_pidfd(clone), .events = POLLIN};
    assert_int_equal(poll(&ended, 1, 10000), 1);
    assert_true(rh_sandbox_has_crashed(clone, &reason));
    assert_true(rh_file_tree_bytes(base) - before >= INT64_C(10) << 20);
    rh_sandbox_destroy(clone);
    rh_sandbox_destroy(prepared);
    assert_int_equal(unit_sandbox_count(unit), 0);
}

/* With nothing but what keep returned: neither handle, nor reaper. */
static void test_clone_by_overlay_is_kept_with_its_base(void **state)
{
    struct unit *unit = *state;
    struct err err = RH_ERR_INIT;
    const char *url, *stop, *output;

    unit->options.keep = true;
    struct sandbox *prepared = prepare(unit), *clone = overlay_or_skip(prepared);
    const char *psql = rh_arena_strdup(unit->arena, rh_sandbox_client_program(clone, "psql", &err));
    assert_ok(rh_sandbox_keep(clone, &url, &stop, &err), &err);
    url = rh_arena_strdup(unit->arena, url);
    stop = rh_arena_strdup(unit->arena, stop);
    rh_sandbox_destroy(clone);
    rh_sandbox_destroy(prepared);
    rh_sandbox_reap(&unit->options);
    assert_int_equal(unit_sandbox_count(unit), 2);
    assert_int_equal(run(unit, &output, "'%s' -XAtc 'SELECT count(*) FROM t' '%s'", psql, url), 0);
    assert_string_equal(output, "10000\n");
    int status = run(unit, &output, "%s", stop);
    assert_string_equal(output, "");
    assert_int_equal(status, 0);
    assert_int_equal(unit_sandbox_count(unit), 0);
}

static void test_clone_that_is_a_copy_is_kept_without_its_base(void **state)
{
    struct unit *unit = *state;
    struct err err = RH_ERR_INIT;
    const char *url, *stop, *output;

    unit->options.keep = true;
    struct sandbox *prepared = prepare(unit), *clone = timed_clone(prepared);
    assert_ok(rh_sandbox_keep(clone, &url, &stop, &err), &err);
    stop = rh_arena_strdup(unit->arena, stop);
    rh_sandbox_destroy(clone);
    rh_sandbox_destroy(prepared);
    assert_int_equal(unit_sandbox_count(unit), 1);
    assert_int_equal(run(unit, &output, "%s", stop), 0);
    assert_string_equal(output, "");
    assert_int_equal(unit_sandbox_count(unit), 0);
}

/* --- what a dead run leaves ------------------------------------------------------------------- */

/* A process that holds a prepared sandbox and a clone of each kind until it is killed. */
static pid_t start_holder(struct unit *unit, int64_t ret_servers[static 2])
{
    int ends[2];

    assert_int_equal(pipe(ends), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct sandbox *prepared = prepare(unit);
        const struct sandbox *const clones[2] = {timed_clone(prepared), untimed_clone(prepared)};
        int64_t servers[2] = {clones[0]->process.pid, clones[1]->process.pid};
        if (write(ends[1], servers, sizeof(servers)) != sizeof(servers))
            _exit(1);
        for (;;)
            pause();
    }
    close(ends[1]);
    assert_int_equal(read(ends[0], ret_servers, 2 * sizeof(*ret_servers)),
                     2 * sizeof(*ret_servers));
    close(ends[0]);
    return pid;
}

static void check_nothing_is_left(struct unit *unit)
{
    int64_t servers[2];
    int status;
    pid_t holder = start_holder(unit, servers);

    assert_int_equal(kill(holder, SIGKILL), 0);
    assert_int_equal(waitpid(holder, &status, 0), holder);
    rh_sandbox_reap(&unit->options);
    for (size_t i = 0; i < 2; i++) {
        RH_CLEANUP_FD int pidfd = pidfd_open((pid_t)servers[i], 0);
        struct pollfd ended = {.fd = pidfd, .events = POLLIN};
        if (pidfd >= 0)
            assert_int_equal(poll(&ended, 1, 10000), 1);
    }
    assert_int_equal(unit_sandbox_count(unit), 0);
    assert_int_not_equal(run(unit, NULL, "grep -q '%s' /proc/mounts", unit->parent), 0);
}

static void test_clone_of_a_killed_run_is_reaped(void **state)
{
    check_nothing_is_left(*state);
}

/* Meant to be kept, so that the servers outlive their owner: the reaper finds them. */
static void test_clone_whose_server_outlived_its_run_is_reaped(void **state)
{
    struct unit *unit = *state;

    unit->options.keep = true;
    check_nothing_is_left(unit);
}

/* --- tablespaces ------------------------------------------------------------------------------ */

static void test_clone_has_tablespaces_of_its_own(void **state)
{
    struct unit *unit = *state;
    const char *place = rh_file_join(unit->arena, unit->directory, "elsewhere");
    const char *const rows[] = {
        rh_arena_printf(unit->arena, "CREATE TABLESPACE elsewhere LOCATION '%s'", place),
        "CREATE TABLE t (id int, x text) TABLESPACE elsewhere",
        "INSERT INTO t SELECT generate_series(1, 10000)"};
    struct sandbox *prepared = unit_start(unit);
    struct err err = RH_ERR_INIT;

    assert_int_equal(mkdir(place, 0700), 0);
    if (prepared->drops_privileges)
        assert_int_equal(chown(place, prepared->uid, prepared->gid), 0);
    assert_ok(rh_sandbox_load_sql(prepared, "rows", rows, 3, &err), &err);
    assert_ok(rh_sandbox_prepare(prepared, &err), &err);
    struct sandbox *timed = timed_clone(prepared), *untimed = untimed_clone(prepared);
    check_independence(unit, prepared, timed, untimed);
    rh_sandbox_destroy(timed);
    rh_sandbox_destroy(untimed);
    rh_sandbox_destroy(prepared);
    assert_int_equal(unit_sandbox_count(unit), 0);
}

/* --- room ------------------------------------------------------------------------------------- */

static int64_t free_bytes(const char *path)
{
    struct statvfs space;

    assert_int_equal(statvfs(path, &space), 0);
    return (int64_t)space.f_bavail * (int64_t)space.f_frsize;
}

/* Leaves `bytes` free where the sandboxes are. */
static void fill_disk(struct unit *unit, int64_t bytes)
{
    RH_CLEANUP_FD int fd = open(rh_file_join(unit->arena, unit->parent, "ballast"),
                                O_WRONLY | O_CREAT, 0600);
    struct stat status;

    assert_true(fd >= 0 && fstat(fd, &status) == 0);
    assert_int_equal(posix_fallocate(fd, 0, status.st_size + free_bytes(unit->parent) - bytes), 0);
}

static void test_clone_needs_room_on_the_disk(void **state)
{
    struct unit *unit = *state;
    struct err err = RH_ERR_INIT;
    struct sandbox *clone = NULL;

    use_file_system(unit, "mkfs.ext4 -q", "700M");
    struct sandbox *prepared = prepare(unit);
    fill_disk(unit, INT64_C(90) << 20);
    /* No room for 50 MB and what a server takes: what is timed is an overlay then, and says so. */
    if (rh_sandbox_clone(prepared, &clone, &err) == RH_OK) {
        assert_string_equal(method(clone), "overlay");
        assert_true(unit_has_note(clone, "pays for copying its files"));
        assert_text(rh_sandbox_facts(clone)->clone_note, "are free");
        assert_text(clone->overlay->options[0], "upperdir");
        assert_null(strstr(clone->overlay->options[0], "volatile"));
        rh_sandbox_destroy(clone);
    }
    fill_disk(unit, INT64_C(40) << 20);
    struct err full = RH_ERR_INIT;
    assert_int_equal(rh_sandbox_clone(prepared, &clone, &full), RH_ERR_IO);
    assert_text(full.message, "not enough disk for a clone");
    assert_text(full.message, " MB are free");
    rh_sandbox_destroy(prepared);
}

static void test_clone_needs_memory(void **state)
{
    struct unit *unit = *state;
    struct sandbox *prepared = prepare(unit);
    struct sandbox *clone = NULL;
    struct err err = RH_ERR_INIT;

    assert_int_equal(prepared->clone_memory_bytes, INT64_C(128) << 20); /* a stock server's */
    prepared->clone_memory_bytes = INT64_C(1) << 50;
    struct sandbox *first = timed_clone(prepared); /* the first may do with what there is */
    assert_int_equal(rh_sandbox_clone(prepared, &clone, &err), RH_ERR_ENVIRONMENT);
    rh_sandbox_destroy(first);
    assert_text(err.message, "not enough memory for another server: it may take 1 PB, and ");
    rh_sandbox_destroy(prepared);
    assert_int_equal(unit_sandbox_count(unit), 0);
}

static void test_clone_memory_follows_shared_buffers(void **state)
{
    struct unit *unit = *state;
    static const struct {
        const char *value;
        int64_t bytes;
    } cases[] = {{"64MB", INT64_C(64) << 20}, {"2048", INT64_C(16) << 20}};

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct server_setting setting = {"shared_buffers", cases[i].value};
        unit->options.settings = &setting;
        unit->options.setting_count = 1;
        struct sandbox *prepared = prepare(unit);
        assert_int_equal(prepared->clone_memory_bytes, cases[i].bytes);
        rh_sandbox_destroy(prepared);
    }
}

/* --- write-ahead log -------------------------------------------------------------------------- */

/* A load of 200 MB leaves as much log; a clone needs its last segment. */
static void test_clone_is_not_made_of_old_log(void **state)
{
    struct unit *unit = *state;
    static const char *const rows[] = {
        "CREATE TABLE t (id int, x text)",
        "INSERT INTO t SELECT g, repeat('x', 900) FROM generate_series(1, 200000) g"};
    struct sandbox *prepared = unit_start(unit);
    struct file_names names;
    struct err err = RH_ERR_INIT;

    assert_ok(rh_sandbox_load_sql(prepared, "rows", rows, 2, &err), &err);
    assert_string_equal(
        unit_sql(unit, rh_sandbox_superuser(prepared), "SELECT count(*) > 8 FROM pg_ls_waldir()"),
        "t");
    assert_ok(rh_sandbox_prepare(prepared, &err), &err);
    assert_ok(rh_file_list(rh_file_join(unit->arena, rh_sandbox_data_directory(prepared), "pg_wal"),
                           unit->arena, &names, &err),
              &err);
    assert_in_range(names.count, 2, 6); /* archive_status is one */
    struct sandbox *clone = timed_clone(prepared);
    assert_string_equal(count(unit, clone), "200000");
    unit_sql(unit, rh_sandbox_migration_role(clone), "DELETE FROM t WHERE id > 100000");
    assert_string_equal(count(unit, clone), "100000");
    rh_sandbox_destroy(clone);
    rh_sandbox_destroy(prepared);
    assert_int_equal(unit_sandbox_count(unit), 0);
}

/* --- as an ordinary user ---------------------------------------------------------------------- */

static void test_clone_as_an_ordinary_user(void **state)
{
    struct unit *unit = *state;
    char self[4096];
    ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);
    const char *said;

    assert_true(len > 0);
    self[len] = 0;
    if (geteuid() != 0 ||
        run(unit, &said, "setpriv --reuid=nobody --regid=nogroup --clear-groups -- test -x '%s'",
            self) != 0)
        skip();
    int status = run(unit, &said,
                     ORDINARY "=1 setpriv --reuid=nobody --regid=nogroup --clear-groups -- '%s'",
                     self);
    print_message("%s", said);
    assert_int_equal(status, 0);
}

#define CLONE_TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown_file_system)

int main(void)
{
    /* What differs between users: namespaces, ownership, and who may look into a server's. */
    const struct CMUnitTest as_any_user[] = {
        CLONE_TEST(test_clone_of_any_method_is_independent),
        CLONE_TEST(test_clone_by_overlay_shows_its_data_after_its_server_died),
        CLONE_TEST(test_clone_by_overlay_is_kept_with_its_base),
        CLONE_TEST(test_clone_whose_server_outlived_its_run_is_reaped),
        CLONE_TEST(test_clone_has_tablespaces_of_its_own),
    };
    const struct CMUnitTest once[] = {
        CLONE_TEST(test_clone_that_is_a_copy_is_kept_without_its_base),
        CLONE_TEST(test_clone_of_a_killed_run_is_reaped),
        CLONE_TEST(test_clone_needs_memory),
        CLONE_TEST(test_clone_memory_follows_shared_buffers),
        CLONE_TEST(test_clone_is_not_made_of_old_log),
    };
    const struct CMUnitTest as_root[] = {
        CLONE_TEST(test_clone_as_an_ordinary_user),
        CLONE_TEST(test_clone_on_btrfs_is_a_snapshot),
        CLONE_TEST(test_clone_on_xfs_is_a_reflink),
        CLONE_TEST(test_clone_on_ext4_is_a_copy_or_an_overlay),
        CLONE_TEST(test_clone_needs_room_on_the_disk),
    };

    struct err err = RH_ERR_INIT;
    int failed = 0;

    if (!mkdtemp(shared_cache))
        return 1;
    if (getenv(ORDINARY)) {
        failed = cmocka_run_group_tests_name("as an ordinary user", as_any_user, NULL, NULL);
    } else {
        failed = cmocka_run_group_tests_name("as any user", as_any_user, NULL, NULL);
        failed += cmocka_run_group_tests_name("once", once, NULL, NULL);
        failed += cmocka_run_group_tests_name("as root", as_root, NULL, NULL);
    }
    return rh_file_remove_tree(shared_cache, &err) ? 1 : failed;
}
