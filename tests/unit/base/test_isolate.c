/*
 * A command really cannot reach anything but our listener: tried as the user who runs the tests
 * and, when that is root, also as "nobody" (who needs a user namespace) and as root that gives the
 * command to "nobody". Each story runs in a child of its own, which may change its user.
 *
 * Where namespaces are not permitted at all, the stories are skipped, and the refusal is tested.
 */
#include "unit.h"

#include "base/file.h"
#include "base/isolate.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>

#define SECOND_US INT64_C(1000000)
#define REFUSED 3 /* the client's exit status when it reached nothing */

/* Connects, prints what the other side says, and tells apart "nobody there" from other trouble. */
#define CLIENT                                                                        \
    "import socket, sys\n"                                                            \
    "kind, where = sys.argv[1], sys.argv[2]\n"                                        \
    "try:\n"                                                                          \
    "    if kind == 'unix':\n"                                                        \
    "        s = socket.socket(socket.AF_UNIX); s.settimeout(10); s.connect(where)\n" \
    "    else:\n"                                                                     \
    "        s = socket.create_connection((kind, int(where)), timeout=10)\n"          \
    "except (ConnectionRefusedError, FileNotFoundError):\n"                           \
    "    sys.exit(3)\n"                                                               \
    "sys.stdout.write(s.recv(100).decode())\n"

enum who { AS_WE_ARE, AS_NOBODY, FOR_NOBODY };

struct story {
    enum who who;
    void (*body)(const struct story *story);
};

static struct mono in_seconds(int seconds)
{
    return rh_clock_after(rh_clock_mono(), seconds * SECOND_US);
}

static struct process_options options_of(const struct story *story, const char *const *argv,
                                         int stdout_fd)
{
    struct process_options options = {.argv = argv,
                                      .directory = "/",
                                      .stdin_fd = -1,
                                      .stdout_fd = stdout_fd,
                                      .stderr_fd = STDERR_FILENO};
    if (story->who == FOR_NOBODY) {
        struct passwd *nobody = getpwnam("nobody");
        options.drop_privileges = true;
        options.uid = nobody->pw_uid;
        options.gid = nobody->pw_gid;
    }
    return options;
}

/* Runs the client isolated against kind/where and returns its exit status. */
static int status_of_client(const struct story *story, const char *kind, const char *where)
{
    const char *const argv[] = {"/usr/bin/python3", "-c", CLIENT, kind, where, NULL};
    struct process_options options = options_of(story, argv, -1);
    struct err err = RH_ERR_INIT;
    struct isolation isolation;
    RH_CLEANUP_PROCESS struct process process = PROCESS_INIT;
    if (rh_isolate_start(&process, &options, 5432, &isolation, &err) != RH_OK) {
        fprintf(stderr, "%s\n", err.message);
        _exit(1);
    }
    CHECK(rh_process_wait(&process, in_seconds(30), &err) == RH_OK);
    rh_fd_closep(&isolation.listener_fds[0]);
    rh_fd_closep(&isolation.listener_fds[1]);
    return rh_process_exit_status(&process);
}

static int listen_tcp(uint16_t *ret_port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t len = sizeof address;
    CHECK(bind(fd, (struct sockaddr *)&address, len) == 0 && listen(fd, 5) == 0);
    CHECK(getsockname(fd, (struct sockaddr *)&address, &len) == 0);
    *ret_port = ntohs(address.sin_port);
    return fd;
}

static int listen_unix(const char *path)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    CHECK(strlen(path) < sizeof address.sun_path);
    memcpy(address.sun_path, path, strlen(path) + 1);
    unlink(path);
    CHECK(bind(fd, (struct sockaddr *)&address, sizeof address) == 0 && listen(fd, 5) == 0);
    CHECK(chmod(path, 0777) == 0);
    return fd;
}

static bool can_connect_unix(const char *path)
{
    RH_CLEANUP_FD int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy(address.sun_path, path, strlen(path) + 1);
    return connect(fd, (struct sockaddr *)&address, sizeof address) == 0;
}

/* As the command connects by address `host`, it meets the listener of that family. */
static void reach_listener(const struct story *story, const char *host, int index)
{
    int ends[2];
    CHECK(pipe2(ends, O_CLOEXEC) == 0);
    const char *const argv[] = {"/usr/bin/python3", "-c", CLIENT, host, "5432", NULL};
    struct process_options options = options_of(story, argv, ends[1]);
    struct err err = RH_ERR_INIT;
    struct isolation isolation;
    RH_CLEANUP_PROCESS struct process process = PROCESS_INIT;
    if (rh_isolate_start(&process, &options, 5432, &isolation, &err) != RH_OK) {
        fprintf(stderr, "%s\n", err.message);
        _exit(1);
    }
    close(ends[1]);
    CHECK(isolation.port == 5432);
    for (int i = 0; i < 2; i++)
        CHECK((fcntl(isolation.listener_fds[i], F_GETFD) & FD_CLOEXEC) != 0);
    struct pollfd wait = {.fd = isolation.listener_fds[index], .events = POLLIN};
    CHECK(poll(&wait, 1, 20000) == 1);
    int peer = accept(isolation.listener_fds[index], NULL, NULL);
    CHECK(peer >= 0);
    CHECK(write(peer, "welcome", 7) == 7);
    close(peer);
    CHECK(rh_process_wait(&process, in_seconds(30), &err) == RH_OK);
    CHECK(rh_process_exit_status(&process) == 0);
    char out[32] = "";
    CHECK(read(ends[0], out, sizeof out - 1) == 7 && strcmp(out, "welcome") == 0);
    rh_fd_closep(&isolation.listener_fds[0]);
    rh_fd_closep(&isolation.listener_fds[1]);
}

static void reaches_the_listener(const struct story *story)
{
    reach_listener(story, "127.0.0.1", 0);
    reach_listener(story, "::1", 1);
}

static void cannot_reach_host_loopback(const struct story *story)
{
    uint16_t port;
    int fd = listen_tcp(&port);
    char where[16];
    snprintf(where, sizeof where, "%u", port);
    CHECK(status_of_client(story, "127.0.0.1", where) == REFUSED);
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    CHECK(poll(&wait, 1, 0) == 0);
}

static void cannot_reach_socket(const struct story *story, const char *path)
{
    CHECK(can_connect_unix(path));
    CHECK(status_of_client(story, "unix", path) == REFUSED);
    CHECK(can_connect_unix(path)); /* the machine itself sees no cover */
}

static void cannot_reach_sockets_in_tmp(const struct story *story)
{
    char path[64];
    snprintf(path, sizeof path, "/tmp/.s.PGSQL.%d", 100000 + getpid());
    int fd = listen_unix(path);
    cannot_reach_socket(story, path);
    close(fd);
    unlink(path);
}

/* The listeners in /run were made before the story (only root can). */
static char run_socket[64];

static void cannot_reach_sockets_in_run(const struct story *story)
{
    cannot_reach_socket(story, run_socket);
}

static void keeps_the_user(const struct story *story)
{
    int ends[2];
    CHECK(pipe2(ends, O_CLOEXEC) == 0);
    const char *const argv[] = {"sh", "-c", "id -u; id -g; ls /proc/self/fd | tr '\\n' ' '", NULL};
    struct process_options options = options_of(story, argv, ends[1]);
    struct err err = RH_ERR_INIT;
    struct isolation isolation;
    RH_CLEANUP_PROCESS struct process process = PROCESS_INIT;
    CHECK(rh_isolate_start(&process, &options, 0, &isolation, &err) == RH_OK);
    CHECK(isolation.port != 0); /* 0: any free port */
    CHECK(rh_process_wait(&process, in_seconds(30), &err) == RH_OK);
    close(ends[1]);
    bool drops = options.drop_privileges;
    char expected[64], out[64] = "";
    snprintf(expected, sizeof expected, "%u\n%u\n0 1 2 3 ", drops ? options.uid : getuid(),
             drops ? options.gid : getgid());
    CHECK(read(ends[0], out, sizeof out - 1) > 0);
    if (strcmp(out, expected) != 0) {
        fprintf(stderr, "\"%s\" is not \"%s\"\n", out, expected);
        _exit(1);
    }
    rh_fd_closep(&isolation.listener_fds[0]);
    rh_fd_closep(&isolation.listener_fds[1]);
}

static void reports_a_missing_command(const struct story *story)
{
    const char *const argv[] = {"no-such-command", NULL};
    struct process_options options = options_of(story, argv, -1);
    struct err err = RH_ERR_INIT;
    struct isolation isolation;
    struct process process;
    CHECK(rh_isolate_start(&process, &options, 5432, &isolation, &err) == RH_ERR_ENVIRONMENT);
    CHECK(strstr(err.message, "command not found") != NULL);
    CHECK(strstr(err.hint, "--no-isolation") == NULL);
    CHECK(process.pid == 0);
}

/* A place without any capability and without the right to make user namespaces. */
static void forbid_namespaces(void)
{
    unsigned uid = geteuid(), gid = getegid();
    CHECK(unshare(CLONE_NEWUSER) == 0);
    char map[32];
    struct {
        const char *path, *content;
    } files[] = {{"/proc/self/setgroups", "deny"},
                 {"/proc/self/uid_map", map},
                 {"/proc/self/gid_map", map},
                 {"/proc/sys/user/max_user_namespaces", "0"}};
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        snprintf(map, sizeof map, "%u %u 1", i == 1 ? uid : gid, i == 1 ? uid : gid);
        int fd = open(files[i].path, O_WRONLY);
        CHECK(fd >= 0);
        CHECK(write(fd, files[i].content, strlen(files[i].content)) > 0);
        close(fd);
    }
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct none[2] = {{0}};
    CHECK(syscall(SYS_capset, &header, none) == 0);
}

static void refuses_where_namespaces_are_forbidden(const struct story *story)
{
    forbid_namespaces();
    const char *const argv[] = {"true", NULL};
    struct process_options options = options_of(story, argv, -1);
    struct err err = RH_ERR_INIT;
    struct isolation isolation;
    struct process process;
    CHECK(rh_isolate_start(&process, &options, 5432, &isolation, &err) == RH_ERR_ENVIRONMENT);
    CHECK(strstr(err.message, "create its namespaces") != NULL);
    CHECK(strstr(err.hint, "--no-isolation") != NULL);
    CHECK(process.pid == 0);
    CHECK(waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD);
}

static void run_story(void *context)
{
    const struct story *story = context;
    if (story->who == AS_NOBODY) {
        struct passwd *nobody = getpwnam("nobody");
        CHECK(setgid(nobody->pw_gid) == 0 && setuid(nobody->pw_uid) == 0);
    }
    CHECK(chdir("/") == 0);
    story->body(story);
}

static void enter_user_namespace(void *context)
{
    (void)context;
    if (geteuid() == 0) {
        struct passwd *nobody = getpwnam("nobody");
        CHECK(setgid(nobody->pw_gid) == 0 && setuid(nobody->pw_uid) == 0);
    }
    _exit(unshare(CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWNS) == 0 ? 0 : 1);
}

static void tell(void (*body)(const struct story *story))
{
    bool is_root = geteuid() == 0;
    bool has_user_namespaces = in_child(enter_user_namespace, NULL) == 0;
    if (!is_root && !has_user_namespaces)
        skip();
    struct story stories[] = {{AS_WE_ARE, body}, {FOR_NOBODY, body}, {AS_NOBODY, body}};
    for (size_t i = 0; i < 3; i++) {
        if (stories[i].who != AS_WE_ARE && !is_root)
            continue;
        if (stories[i].who == AS_NOBODY && !has_user_namespaces)
            continue;
        assert_int_equal(in_child(run_story, &stories[i]), 0);
    }
}

static void test_isolate_command_reaches_the_listener(void **state)
{
    (void)state;
    tell(reaches_the_listener);
}

static void test_isolate_command_cannot_reach_the_hosts_loopback(void **state)
{
    (void)state;
    tell(cannot_reach_host_loopback);
}

static void test_isolate_command_cannot_reach_sockets_in_tmp(void **state)
{
    (void)state;
    tell(cannot_reach_sockets_in_tmp);
}

static void test_isolate_command_cannot_reach_sockets_in_run(void **state)
{
    (void)state;
    static const char directory[] = "/run/postgresql";
    struct err err = RH_ERR_INIT;
    bool is_ours = !rh_file_is_directory(directory);
    if (access(is_ours ? "/run" : directory, W_OK) != 0)
        skip();
    assert_int_equal(rh_file_make_directories(directory, 0755, &err), RH_OK);
    snprintf(run_socket, sizeof run_socket, "%s/.s.PGSQL.%d", directory, 100000 + getpid());
    int fd = listen_unix(run_socket);
    tell(cannot_reach_sockets_in_run);
    close(fd);
    unlink(run_socket);
    if (is_ours)
        rmdir(directory);
}

static void test_isolate_command_keeps_its_user(void **state)
{
    (void)state;
    tell(keeps_the_user);
}

static void test_isolate_reports_a_command_that_is_missing(void **state)
{
    (void)state;
    tell(reports_a_missing_command);
}

static void test_isolate_refuses_where_namespaces_are_forbidden(void **state)
{
    (void)state;
    if (in_child(enter_user_namespace, NULL) != 0)
        skip(); /* the place to test in is itself a user namespace */
    struct story story = {AS_WE_ARE, refuses_where_namespaces_are_forbidden};
    assert_int_equal(in_child(run_story, &story), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_isolate_command_reaches_the_listener),
        cmocka_unit_test(test_isolate_command_cannot_reach_the_hosts_loopback),
        cmocka_unit_test(test_isolate_command_cannot_reach_sockets_in_tmp),
        cmocka_unit_test(test_isolate_command_cannot_reach_sockets_in_run),
        cmocka_unit_test(test_isolate_command_keeps_its_user),
        cmocka_unit_test(test_isolate_reports_a_command_that_is_missing),
        cmocka_unit_test(test_isolate_refuses_where_namespaces_are_forbidden),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
