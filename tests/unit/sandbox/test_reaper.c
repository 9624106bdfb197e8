#include "sandbox_unit.h"

#include <poll.h>
#include <sys/pidfd.h>

/* A process of its own that holds a ready sandbox until it is killed; writes the server's pid. */
static pid_t start_holder(struct unit *unit, int64_t *ret_postmaster)
{
    int ends[2];

    assert_int_equal(pipe(ends), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct sandbox *sandbox = NULL;
        struct err err = RH_ERR_INIT;
        int64_t postmaster = 0;
        struct text content;
        if (rh_sandbox_start(&unit->options, &sandbox, &err) == RH_OK &&
            rh_sandbox_ready(sandbox, &err) == RH_OK &&
            rh_file_read(
                rh_file_join(unit->arena, rh_sandbox_data_directory(sandbox), "postmaster.pid"),
                4096, unit->arena, &content, &err) == RH_OK)
            postmaster = strtoll(content.data, NULL, 10);
        if (write(ends[1], &postmaster, sizeof(postmaster)) != sizeof(postmaster))
            _exit(1);
        for (;;)
            pause();
    }
    close(ends[1]);
    assert_int_equal(read(ends[0], ret_postmaster, sizeof(*ret_postmaster)),
                     sizeof(*ret_postmaster));
    close(ends[0]);
    assert_true(*ret_postmaster > 0);
    return pid;
}

static void kill_holder(pid_t pid)
{
    int status;

    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
}

/* A server whose parent is gone is not ours to wait for: its pidfd tells when it ended. */
static bool ends_within_seconds(int64_t pid, int seconds)
{
    RH_CLEANUP_FD int pidfd = pidfd_open((pid_t)pid, 0);
    struct pollfd ended = {.fd = pidfd, .events = POLLIN};

    return pidfd < 0 || poll(&ended, 1, seconds * 1000) == 1;
}

static void test_reaper_server_dies_with_its_killed_owner(void **state)
{
    struct unit *unit = *state;
    int64_t postmaster;
    pid_t holder = start_holder(unit, &postmaster);

    kill_holder(holder);
    assert_true(ends_within_seconds(postmaster, 10));
    assert_int_equal(unit_sandbox_count(unit), 1);
    rh_sandbox_reap(&unit->options);
    assert_int_equal(unit_sandbox_count(unit), 0);
}

static void test_reaper_leaves_a_living_sandbox(void **state)
{
    struct unit *unit = *state;
    int64_t postmaster;
    pid_t holder = start_holder(unit, &postmaster);
    struct sandbox *own = unit_ready(unit);

    rh_sandbox_reap(&unit->options);
    assert_int_equal(unit_sandbox_count(unit), 2);
    assert_string_equal(unit_sql(unit, rh_sandbox_migration_role(own), "SELECT 1"), "1");
    assert_int_equal(kill((pid_t)postmaster, 0), 0);
    rh_sandbox_destroy(own);
    kill_holder(holder);
    assert_true(ends_within_seconds(postmaster, 10));
    rh_sandbox_reap(&unit->options);
    assert_int_equal(unit_sandbox_count(unit), 0);
}

/* Meant to be kept, but the owner died before it said so: the server outlived it. */
static void test_reaper_ends_a_server_that_outlived_its_owner(void **state)
{
    struct unit *unit = *state;
    int64_t postmaster;

    unit->options.keep = true;
    pid_t holder = start_holder(unit, &postmaster);
    kill_holder(holder);
    assert_false(ends_within_seconds(postmaster, 1));
    rh_sandbox_reap(&unit->options);
    assert_true(ends_within_seconds(postmaster, 10));
    assert_int_equal(unit_sandbox_count(unit), 0);
}

static void test_reaper_leaves_what_is_not_ours(void **state)
{
    struct unit *unit = *state;
    struct err err = RH_ERR_INIT;
    const char *full = rh_file_join(unit->arena, unit->parent, "rehearse-sandbox-abcdef");
    const char *half = rh_file_join(unit->arena, unit->parent, "rehearse-sandbox-ghijkl");
    const char *fresh = rh_file_join(unit->arena, unit->parent, "rehearse-sandbox-mnopqr");
    const char *linked = rh_file_join(unit->arena, unit->parent, "rehearse-sandbox-stuvwx");
    const struct timespec long_ago[2] = {{.tv_sec = 1000000000}, {.tv_sec = 1000000000}};

    assert_int_equal(mkdir(full, 0700), 0);
    assert_ok(rh_file_write(rh_file_join(unit->arena, full, "precious"), rh_text("x"), 0600, &err),
              &err);
    assert_int_equal(mkdir(half, 0700), 0);
    assert_int_equal(mkdir(fresh, 0700), 0);
    assert_int_equal(symlink("/etc", linked), 0);
    assert_int_equal(utimensat(AT_FDCWD, full, long_ago, 0), 0);
    assert_int_equal(utimensat(AT_FDCWD, half, long_ago, 0), 0);
    rh_sandbox_reap(&unit->options);
    assert_true(rh_file_exists(rh_file_join(unit->arena, full, "precious")));
    assert_false(rh_file_exists(half)); /* made, never marked, long abandoned */
    assert_true(rh_file_exists(fresh));
    assert_true(rh_file_exists(linked));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_reaper_server_dies_with_its_killed_owner, unit_setup,
                                        unit_teardown),
        cmocka_unit_test_setup_teardown(test_reaper_leaves_a_living_sandbox, unit_setup,
                                        unit_teardown),
        cmocka_unit_test_setup_teardown(test_reaper_ends_a_server_that_outlived_its_owner,
                                        unit_setup, unit_teardown),
        cmocka_unit_test_setup_teardown(test_reaper_leaves_what_is_not_ours, unit_setup,
                                        unit_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
