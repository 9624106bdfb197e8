#include "unit.h"

#include "base/file.h"
#include "base/interrupt.h"
#include "base/process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#define SECOND_US INT64_C(1000000)

static struct mono in_seconds(int seconds)
{
    return rh_clock_after(rh_clock_mono(), seconds * SECOND_US);
}

/* No input, output to /dev/null; the caller changes what matters to it. */
static struct process_options options_for(const char *const *argv)
{
    return (struct process_options){.argv = argv, .stdin_fd = -1, .stdout_fd = -1, .stderr_fd = -1};
}

#define SHELL(script) ((const char *const[]){"sh", "-c", (script), NULL})

struct outcome {
    struct process process;
    struct text out, err;
};

static struct outcome run(struct arena *arena, struct process_options options)
{
    struct outcome outcome;
    struct err err = RH_ERR_INIT;
    if (rh_process_run(&options, in_seconds(20), 1 << 20, arena, &outcome.process, &outcome.out,
                       &outcome.err, &err) != RH_OK)
        fail_msg("%s", err.message);
    return outcome;
}

static void test_process_wait_returns_exit_status(void **state)
{
    (void)state;
    struct err err = RH_ERR_INIT;
    struct process_options options = options_for(SHELL("exit 3"));
    RH_CLEANUP_PROCESS struct process process = PROCESS_INIT;
    char text[48];
    assert_string_equal(rh_process_status_text(&process, text), "not started");
    assert_int_equal(rh_process_start(&process, &options, &err), RH_OK);
    assert_true(process.pid > 0);
    assert_int_equal(rh_process_wait(&process, in_seconds(20), &err), RH_OK);
    assert_int_equal(rh_process_exit_status(&process), 3);
    assert_string_equal(rh_process_status_text(&process, text), "exit status 3");
    assert_int_equal(process.pid, 0);
    assert_int_equal(process.pidfd, -1);
    assert_true(rh_process_poll(&process));
}

static void test_process_status_names_the_signal_when_killed(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct outcome outcome = run(arena, options_for(SHELL("kill -SEGV $$")));
    char text[48];
    assert_string_equal(rh_process_status_text(&outcome.process, text), "killed by SIGSEGV");
    assert_int_equal(rh_process_exit_status(&outcome.process), 128 + SIGSEGV);
}

static void test_process_start_fails_when_the_command_is_not_found(void **state)
{
    (void)state;
    struct err err = RH_ERR_INIT;
    struct process process;
    struct process_options options = options_for((const char *const[]){"no-such-command", NULL});
    assert_int_equal(rh_process_start(&process, &options, &err), RH_ERR_ENVIRONMENT);
    assert_int_equal(err.errno_value, ENOENT);
    assert_string_equal(err.message, "cannot run \"no-such-command\": command not found");
    assert_int_equal(process.pid, 0);

    options = options_for((const char *const[]){"/no/such", NULL});
    assert_int_equal(rh_process_start(&process, &options, &err), RH_ERR_ENVIRONMENT);
    assert_string_equal(err.message, "cannot run \"/no/such\": No such file or directory");

    options = options_for((const char *const[]){"/etc/passwd", NULL});
    assert_int_equal(rh_process_start(&process, &options, &err), RH_ERR_ENVIRONMENT);
    assert_int_equal(err.errno_value, EACCES);

    options = options_for(SHELL("true"));
    options.directory = "/no/such/directory";
    assert_int_equal(rh_process_start(&process, &options, &err), RH_ERR_ENVIRONMENT);
    assert_string_equal(err.message,
                        "cannot run \"sh\" in \"/no/such/directory\": No such file or directory");
    /* Every failed child was reaped. */
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
}

static void test_process_searches_the_path_of_the_environment_given(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    char *directory = rh_arena_strdup(arena, "/tmp/rh-test-process-XXXXXX");
    assert_non_null(mkdtemp(directory));
    struct err err = RH_ERR_INIT;
    /* A script without "#!" runs under sh, as a shell would have it. */
    assert_int_equal(rh_file_write(rh_file_join(arena, directory, "mine"),
                                   rh_text("echo \"$0 $1 $VALUE\"\n"), 0755, &err),
                     RH_OK);
    struct process_options options = options_for((const char *const[]){"mine", "one two", NULL});
    char *path = rh_arena_printf(arena, "PATH=/no/such:%s:/bin", directory);
    const char *env[] = {path, "VALUE=v", NULL};
    options.env = env;
    struct outcome outcome = run(arena, options);
    assert_string_equal(outcome.out.data, rh_arena_printf(arena, "%s/mine one two v\n", directory));
    assert_int_equal(rh_file_remove_tree(directory, &err), RH_OK);
}

static void test_process_run_collects_both_streams_up_to_the_cap(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct process_options options = options_for(
        SHELL("printf out; printf err >&2; head -c 1000000 /dev/zero; exit 7"));
    struct process process;
    struct text out, errors;
    struct err err = RH_ERR_INIT;
    assert_int_equal(
        rh_process_run(&options, in_seconds(20), 1000, arena, &process, &out, &errors, &err),
        RH_OK);
    assert_int_equal(rh_process_exit_status(&process), 7);
    assert_int_equal(out.len, 1000);
    assert_memory_equal(out.data, "out\0", 4);
    assert_true(rh_text_is(errors, "err"));
}

static void test_process_run_ends_with_the_process_when_a_daemon_keeps_the_pipe(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct mono start = rh_clock_mono();
    struct outcome outcome = run(arena, options_for(SHELL("sleep 15 & echo $!")));
    assert_true(rh_clock_mono().us - start.us < 10 * SECOND_US);
    assert_int_equal(kill((pid_t)atoi(outcome.out.data), SIGKILL), 0);
}

static void test_process_run_stops_the_child_at_the_deadline(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct process_options options = options_for((const char *const[]){"sleep", "1000", NULL});
    struct process process;
    struct text out, errors;
    struct err err = RH_ERR_INIT;
    assert_int_equal(rh_process_run(&options, rh_clock_after(rh_clock_mono(), 100000), 1000, arena,
                                    &process, &out, &errors, &err),
                     RH_ERR_TIMEOUT);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
}

static void test_process_wait_times_out_and_the_child_goes_on(void **state)
{
    (void)state;
    struct err err = RH_ERR_INIT;
    struct process_options options = options_for((const char *const[]){"sleep", "1000", NULL});
    RH_CLEANUP_PROCESS struct process process = PROCESS_INIT;
    assert_int_equal(rh_process_start(&process, &options, &err), RH_OK);
    assert_int_equal(rh_process_wait(&process, rh_clock_after(rh_clock_mono(), 50000), &err),
                     RH_ERR_TIMEOUT);
    assert_false(rh_process_poll(&process));
    char text[48];
    assert_string_equal(rh_process_status_text(&process, text), "still running");
    rh_process_stop(&process, SIGTERM, 10 * SECOND_US);
    assert_string_equal(rh_process_status_text(&process, text), "killed by SIGTERM");
}

static void test_process_stop_kills_when_the_signal_is_ignored(void **state)
{
    (void)state;
    struct err err = RH_ERR_INIT;
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    struct process_options options = options_for(SHELL("trap '' TERM; echo ready; sleep 1000"));
    options.stdout_fd = ends[1];
    options.new_group = true;
    struct process process = PROCESS_INIT;
    assert_int_equal(rh_process_start(&process, &options, &err), RH_OK);
    close(ends[1]);
    char ready[8];
    assert_int_equal(read(ends[0], ready, sizeof ready), 6);
    rh_process_stop(&process, SIGTERM, 100000);
    char text[48];
    assert_string_equal(rh_process_status_text(&process, text), "killed by SIGKILL");
    /* The group is gone too: sleep no longer holds the pipe. */
    struct pollfd wait = {.fd = ends[0], .events = POLLIN};
    assert_int_equal(poll(&wait, 1, 10000), 1);
    assert_int_equal(read(ends[0], ready, sizeof ready), 0);
    close(ends[0]);
    rh_process_stop(&process, SIGTERM, 0);
}

static void test_process_stop_accepts_a_process_that_never_was(void **state)
{
    (void)state;
    struct err err = RH_ERR_INIT;
    struct process process = PROCESS_INIT;
    rh_process_stop(&process, SIGTERM, 1000);
    rh_process_signal(&process, SIGKILL);
    assert_false(rh_process_poll(&process));
    assert_int_equal(rh_process_wait(&process, RH_NEVER, &err), RH_OK);
}

/* A regression: run below something that ignores a signal of the C library, children inherited
   that, because sigaction() refuses it. Only the kernel can be asked. */
static void ignore_signal_32(void)
{
    struct {
        void (*handler)(int);
        uint64_t rest[7];
    } ignored = {.handler = SIG_IGN};
    assert_int_equal(syscall(SYS_rt_sigaction, 32, &ignored, NULL, (size_t)8), 0);
}

static void test_process_child_has_clean_signals_and_descriptors(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    RH_CLEANUP_FD int inherited = open("/dev/null", O_RDONLY); /* without O_CLOEXEC */
    assert_true(inherited > 2);
    sigset_t blocked, before;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGUSR1);
    sigprocmask(SIG_BLOCK, &blocked, &before);
    signal(SIGPIPE, SIG_IGN);
    ignore_signal_32();
    struct outcome outcome = run(
        arena, options_for((const char *const[]){"sed", "-En", "/^Sig(Blk|Ign|Cgt)/p",
                                                 "/proc/self/status", NULL}));
    signal(SIGPIPE, SIG_DFL);
    sigprocmask(SIG_SETMASK, &before, NULL);
    assert_string_equal(outcome.out.data, "SigBlk:\t0000000000000000\n"
                                          "SigIgn:\t0000000000000000\n"
                                          "SigCgt:\t0000000000000000\n");
    /* 3 is the directory ls itself reads. */
    outcome = run(arena, options_for((const char *const[]){"ls", "/proc/self/fd", NULL}));
    assert_string_equal(outcome.out.data, "0\n1\n2\n3\n");
}

static void test_process_descriptors_may_be_swapped(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    struct err err = RH_ERR_INIT;
    struct process_options options = options_for(SHELL("echo to-stderr >&2; cat"));
    RH_CLEANUP_FD int input = open("/proc/self/comm", O_RDONLY | O_CLOEXEC);
    options.stdin_fd = input;
    options.stdout_fd = ends[1];
    options.stderr_fd = ends[1];
    RH_CLEANUP_PROCESS struct process process = PROCESS_INIT;
    assert_int_equal(rh_process_start(&process, &options, &err), RH_OK);
    close(ends[1]);
    assert_int_equal(rh_process_wait(&process, in_seconds(20), &err), RH_OK);
    char out[64] = "";
    assert_true(read(ends[0], out, sizeof out - 1) > 0);
    assert_string_equal(out, "to-stderr\ntest_process\n");
    close(ends[0]);
}

static int prepare_failing(void *context)
{
    return *(int *)context;
}

static int prepare_chdir(void *context)
{
    return chdir(context) == 0 ? 0 : errno;
}

static void test_process_prepare_runs_in_the_child(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct process_options options = options_for((const char *const[]){"pwd", NULL});
    char directory[] = "/usr";
    options.prepare = prepare_chdir;
    options.prepare_context = directory;
    assert_string_equal(run(arena, options).out.data, "/usr\n");

    int wanted = EDOM;
    options.prepare = prepare_failing;
    options.prepare_context = &wanted;
    struct process process;
    struct err err = RH_ERR_INIT;
    assert_int_equal(rh_process_start(&process, &options, &err), RH_ERR_ENVIRONMENT);
    assert_int_equal(err.errno_value, EDOM);
    assert_non_null(strstr(err.message, "cannot prepare \"pwd\""));
}

static void test_process_drops_privileges_when_root(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct passwd *nobody = getpwnam("nobody");
    struct process_options options = options_for(
        SHELL("id -u; id -g; id -G; grep CapEff /proc/self/status"));
    options.drop_privileges = true;
    options.uid = nobody->pw_uid;
    options.gid = nobody->pw_gid;
    assert_string_equal(run(arena, options).out.data,
                        rh_arena_printf(arena, "%u\n%u\n%u\nCapEff:\t0000000000000000\n",
                                        nobody->pw_uid, nobody->pw_gid, nobody->pw_gid));
}

struct parent_context {
    int fd;
    bool survives, drops;
};

static void start_and_pause(void *argument)
{
    struct parent_context *context = argument;
    struct err err = RH_ERR_INIT;
    struct process_options options = options_for((const char *const[]){"sleep", "1000", NULL});
    options.survives_us = context->survives;
    if (context->drops) {
        struct passwd *nobody = getpwnam("nobody");
        options.drop_privileges = true;
        options.uid = nobody->pw_uid;
        options.gid = nobody->pw_gid;
    }
    struct process process;
    CHECK(rh_process_start(&process, &options, &err) == RH_OK);
    CHECK(write(context->fd, &process.pid, sizeof process.pid) == sizeof process.pid);
    raise(SIGKILL);
}

/* Returns the wait status of the grandchild once its parent was killed, or -1 when it lives on. */
static int grandchild_status(bool survives, bool drops, int wait_ms)
{
    /* Orphans come to us, so that we can see how they ended. */
    assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    struct parent_context context = {ends[1], survives, drops};
    int status = in_child(start_and_pause, &context);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    pid_t pid;
    assert_int_equal(read(ends[0], &pid, sizeof pid), sizeof pid);
    close(ends[0]);
    close(ends[1]);
    struct mono deadline = rh_clock_after(rh_clock_mono(), wait_ms * INT64_C(1000));
    int result = -1;
    while (waitpid(pid, &result, WNOHANG) == 0) {
        if (rh_clock_passed(deadline)) {
            kill(pid, SIGKILL);
            waitpid(pid, &status, 0);
            return -1;
        }
        poll(NULL, 0, 5);
    }
    return result;
}

static void test_process_dies_with_us_after_sigkill(void **state)
{
    (void)state;
    int status = grandchild_status(false, false, 10000);
    assert_true(status != -1 && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    if (geteuid() == 0) { /* a change of user clears the death signal unless it is set after */
        status = grandchild_status(false, true, 10000);
        assert_true(status != -1 && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    }
}

static void test_process_survives_us_when_asked(void **state)
{
    (void)state;
    assert_int_equal(grandchild_status(true, false, 300), -1);
}

static void wait_interrupted(void *context)
{
    (void)context;
    struct err err = RH_ERR_INIT;
    CHECK(rh_interrupt_install(&err) == RH_OK);
    struct process_options options = options_for((const char *const[]){"sleep", "1000", NULL});
    RH_CLEANUP_PROCESS struct process process = PROCESS_INIT;
    CHECK(rh_process_start(&process, &options, &err) == RH_OK);
    rh_interrupt_set_deadline(rh_clock_after(rh_clock_mono(), 50000));
    CHECK(rh_process_wait(&process, RH_NEVER, &err) == RH_ERR_TIMEOUT);
    rh_interrupt_set_deadline(RH_NEVER);
    pid_t us = getpid();
    pid_t sender = fork();
    if (sender == 0) {
        poll(NULL, 0, 50);
        kill(us, SIGINT);
        _exit(0);
    }
    alarm(20);
    CHECK(rh_process_wait(&process, RH_NEVER, &err) == RH_ERR_INTERRUPTED);
    CHECK(!rh_process_poll(&process));
    waitpid(sender, NULL, 0);
}

static void test_process_wait_ends_when_interrupted(void **state)
{
    (void)state;
    assert_int_equal(in_child(wait_interrupted, NULL), 0);
}

static void test_process_command_text_quotes_for_a_shell(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    const char *const argv[] = {"psql",  "-c",      "select 'x'", "",          "--set=a=b",
                                "$HOME", "a/b.sql", "~",          "new\nline", NULL};
    char *text = rh_process_command_text(arena, argv);
    assert_string_equal(
        text, "psql -c 'select '\\''x'\\''' '' --set=a=b '$HOME' a/b.sql '~' 'new\nline'");
    /* and a shell agrees */
    char *script = rh_arena_printf(arena, "printf '%%s|' %s", text);
    assert_string_equal(run(arena, options_for(SHELL(script))).out.data,
                        "psql|-c|select 'x'||--set=a=b|$HOME|a/b.sql|~|new\nline|");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_process_wait_returns_exit_status),
        cmocka_unit_test(test_process_status_names_the_signal_when_killed),
        cmocka_unit_test(test_process_start_fails_when_the_command_is_not_found),
        cmocka_unit_test(test_process_searches_the_path_of_the_environment_given),
        cmocka_unit_test(test_process_run_collects_both_streams_up_to_the_cap),
        cmocka_unit_test(test_process_run_ends_with_the_process_when_a_daemon_keeps_the_pipe),
        cmocka_unit_test(test_process_run_stops_the_child_at_the_deadline),
        cmocka_unit_test(test_process_wait_times_out_and_the_child_goes_on),
        cmocka_unit_test(test_process_stop_kills_when_the_signal_is_ignored),
        cmocka_unit_test(test_process_stop_accepts_a_process_that_never_was),
        cmocka_unit_test(test_process_child_has_clean_signals_and_descriptors),
        cmocka_unit_test(test_process_descriptors_may_be_swapped),
        cmocka_unit_test(test_process_prepare_runs_in_the_child),
        cmocka_unit_test(test_process_drops_privileges_when_root),
        cmocka_unit_test(test_process_dies_with_us_after_sigkill),
        cmocka_unit_test(test_process_survives_us_when_asked),
        cmocka_unit_test(test_process_wait_ends_when_interrupted),
        cmocka_unit_test(test_process_command_text_quotes_for_a_shell),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
