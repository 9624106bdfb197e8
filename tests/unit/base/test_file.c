#include "tools/directory_fixture.h"
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <sys/file.h>
#include <sys/stat.h>

static void put(struct fixture *fixture, const char *name, const char *content)
{
    assert_int_equal(rh_file_write(path_of(fixture, name), rh_text(content), 0644, &fixture->err),
                     RH_OK);
}

static void assert_content(struct fixture *fixture, const char *name, const char *expected)
{
    struct text content;
    assert_int_equal(
        rh_file_read(path_of(fixture, name), 1 << 20, fixture->arena, &content, &fixture->err),
        RH_OK);
    assert_string_equal(content.data, expected);
    assert_int_equal(content.len, strlen(expected));
}

static mode_t mode_of(const char *path)
{
    struct stat status;
    assert_int_equal(lstat(path, &status), 0);
    return status.st_mode & 07777;
}

static void test_file_read_returns_what_was_written(void **state)
{
    struct fixture *fixture = *state;
    put(fixture, "a", "");
    assert_content(fixture, "a", "");
    put(fixture, "a", "one\n");
    assert_content(fixture, "a", "one\n");
    char *large = rh_arena_alloc(fixture->arena, 100001);
    memset(large, 'x', 100000);
    put(fixture, "a", large);
    assert_content(fixture, "a", large);
}

static void test_file_read_stops_at_the_cap(void **state)
{
    struct fixture *fixture = *state;
    struct text content;
    put(fixture, "a", "12345");
    assert_int_equal(
        rh_file_read(path_of(fixture, "a"), 5, fixture->arena, &content, &fixture->err), RH_OK);
    assert_int_equal(
        rh_file_read(path_of(fixture, "a"), 4, fixture->arena, &content, &fixture->err),
        RH_ERR_LIMIT);
    /* Endless, and of no size: the cap holds all the same. */
    assert_int_equal(rh_file_read("/dev/zero", 100000, fixture->arena, &content, &fixture->err),
                     RH_ERR_LIMIT);
    /* Files below /proc say their size is 0. */
    assert_int_equal(
        rh_file_read("/proc/self/status", 100000, fixture->arena, &content, &fixture->err), RH_OK);
    assert_true(content.len > 0);
}

static void test_file_read_is_a_usage_error_when_it_cannot(void **state)
{
    struct fixture *fixture = *state;
    struct text content = TEXT_LITERAL("untouched");
    assert_int_equal(
        rh_file_read(path_of(fixture, "missing"), 10, fixture->arena, &content, &fixture->err),
        RH_ERR_USAGE);
    assert_int_equal(fixture->err.errno_value, ENOENT);
    assert_non_null(strstr(fixture->err.message, "missing\": No such file"));
    assert_int_equal(rh_file_read(fixture->directory, 10, fixture->arena, &content, &fixture->err),
                     RH_ERR_USAGE);
    assert_non_null(strstr(fixture->err.message, "Is a directory"));
    assert_string_equal(content.data, "untouched");
}

static void test_file_write_is_atomic_and_sets_the_mode(void **state)
{
    struct fixture *fixture = *state;
    char *path = path_of(fixture, "a");
    assert_int_equal(rh_file_write(path, rh_text("x"), 0600, &fixture->err), RH_OK);
    assert_int_equal(mode_of(path), 0600);
    struct file_names names;
    assert_int_equal(rh_file_list(fixture->directory, fixture->arena, &names, &fixture->err),
                     RH_OK);
    assert_int_equal(names.count, 1); /* no temporary file is left */

    assert_int_equal(rh_file_write(path_of(fixture, "no/a"), rh_text("x"), 0600, &fixture->err),
                     RH_ERR_IO);
    assert_int_equal(mkdir(path_of(fixture, "taken"), 0755), 0);
    assert_int_equal(rh_file_write(path_of(fixture, "taken"), rh_text("x"), 0600, &fixture->err),
                     RH_ERR_IO);
    assert_int_equal(rh_file_list(fixture->directory, fixture->arena, &names, &fixture->err),
                     RH_OK);
    assert_int_equal(names.count, 2);
}

static void test_file_sync_directory_is_no_error_where_there_is_no_such_thing(void **state)
{
    struct fixture *fixture = *state;
    struct err err = RH_ERR_INIT;
    assert_int_equal(rh_file_sync_directory(fixture->directory, &err), RH_OK);
    assert_int_equal(rh_file_sync_directory("/proc/self", &err), RH_OK); /* EINVAL */
    assert_int_equal(rh_file_sync_directory("/nonexistent", &err), RH_OK);
}

static void test_file_make_directories_creates_all_levels(void **state)
{
    struct fixture *fixture = *state;
    char *path = path_of(fixture, "a/b//c/");
    assert_int_equal(rh_file_make_directories(path, 0700, &fixture->err), RH_OK);
    assert_int_equal(rh_file_make_directories(path, 0700, &fixture->err), RH_OK);
    assert_true(rh_file_is_directory(path_of(fixture, "a/b/c")));
    assert_int_equal(mode_of(path_of(fixture, "a/b/c")), 0700);
    assert_int_equal(rh_file_make_directories("/", 0700, &fixture->err), RH_OK);
    put(fixture, "file", "");
    assert_int_equal(rh_file_make_directories(path_of(fixture, "file/x"), 0700, &fixture->err),
                     RH_ERR_IO);
    assert_int_equal(fixture->err.errno_value, ENOTDIR);
}

static void test_file_remove_tree_does_not_follow_links(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(mkdir(path_of(fixture, "outside"), 0755), 0);
    put(fixture, "outside/precious", "p");
    assert_int_equal(
        rh_file_make_directories(path_of(fixture, "tree/deep/er"), 0755, &fixture->err), RH_OK);
    put(fixture, "tree/deep/file", "f");
    assert_int_equal(symlink("../../outside", path_of(fixture, "tree/deep/link")), 0);
    assert_int_equal(symlink("nowhere", path_of(fixture, "tree/dangling")), 0);
    assert_int_equal(mkfifo(path_of(fixture, "tree/fifo"), 0600), 0);
    assert_int_equal(rh_file_remove_tree(path_of(fixture, "tree"), &fixture->err), RH_OK);
    assert_false(rh_file_exists(path_of(fixture, "tree")));
    assert_content(fixture, "outside/precious", "p");

    /* The path itself is a link: the link goes, not what it points at. */
    assert_int_equal(symlink("outside", path_of(fixture, "way")), 0);
    assert_int_equal(rh_file_remove_tree(path_of(fixture, "way"), &fixture->err), RH_OK);
    assert_content(fixture, "outside/precious", "p");
}

static void test_file_remove_tree_succeeds_when_nothing_is_there(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(rh_file_remove_tree(path_of(fixture, "missing"), &fixture->err), RH_OK);
    assert_int_equal(rh_file_remove_tree(path_of(fixture, "missing/x"), &fixture->err), RH_OK);
}

static void remove_unreadable(void *context)
{
    struct fixture *fixture = context;
    struct err err = RH_ERR_INIT;
    if (geteuid() == 0) {
        struct passwd *nobody = getpwnam("nobody");
        CHECK(chown(fixture->directory, nobody->pw_uid, nobody->pw_gid) == 0);
        CHECK(setgid(nobody->pw_gid) == 0 && setuid(nobody->pw_uid) == 0);
    }
    char *path = path_of(fixture, "work");
    CHECK(mkdir(path, 0700) == 0);
    CHECK(mkdir(rh_file_join(fixture->arena, path, "work"), 0) == 0);
    CHECK(chmod(path, 0500) == 0);
    CHECK(rh_file_remove_tree(path, &err) == RH_OK);
    CHECK(!rh_file_exists(path));
}

static void test_file_remove_tree_opens_own_directories_without_permission(void **state)
{
    assert_int_equal(in_child(remove_unreadable, *state), 0);
}

static void test_file_remove_tree_gives_up_when_nested_too_deep(void **state)
{
    struct fixture *fixture = *state;
    char *path = path_of(fixture, "deep");
    struct buf long_path;
    rh_buf_init(&long_path, 4000);
    rh_buf_add_str(&long_path, path);
    for (int i = 0; i < 250; i++)
        rh_buf_add_str(&long_path, "/d");
    assert_int_equal(rh_file_make_directories(long_path.data, 0755, &fixture->err), RH_OK);
    rh_buf_deinit(&long_path);
    assert_int_equal(rh_file_remove_tree(path, &fixture->err), RH_ERR_LIMIT);
    /* For the teardown: the lower half first. */
    rh_buf_init(&long_path, 4000);
    rh_buf_add_str(&long_path, path);
    for (int i = 0; i < 120; i++)
        rh_buf_add_str(&long_path, "/d");
    assert_int_equal(rh_file_remove_tree(long_path.data, &fixture->err), RH_OK);
    rh_buf_deinit(&long_path);
}

static void test_file_copy_tree_copies_content_links_and_modes(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(rh_file_make_directories(path_of(fixture, "from/sub"), 0755, &fixture->err),
                     RH_OK);
    put(fixture, "from/sub/file", "content");
    char *large = rh_arena_alloc(fixture->arena, 700001);
    memset(large, 'y', 700000);
    put(fixture, "from/large", large);
    assert_int_equal(chmod(path_of(fixture, "from/sub/file"), 0640), 0);
    assert_int_equal(chmod(path_of(fixture, "from/sub"), 0500), 0);
    assert_int_equal(symlink("sub/file", path_of(fixture, "from/link")), 0);
    assert_int_equal(symlink("/nowhere", path_of(fixture, "from/dangling")), 0);
    assert_int_equal(mkfifo(path_of(fixture, "from/fifo"), 0600), 0);
    assert_int_equal(
        rh_file_copy_tree(path_of(fixture, "from"), path_of(fixture, "to"), &fixture->err), RH_OK);

    assert_content(fixture, "to/sub/file", "content");
    assert_content(fixture, "to/large", large);
    assert_int_equal(mode_of(path_of(fixture, "to/sub/file")), 0640);
    assert_int_equal(mode_of(path_of(fixture, "to/sub")), 0500);
    char target[64];
    ssize_t len = readlink(path_of(fixture, "to/dangling"), target, sizeof target);
    assert_int_equal(len, strlen("/nowhere"));
    assert_memory_equal(target, "/nowhere", 8);
    assert_false(rh_file_exists(path_of(fixture, "to/fifo")));
}

static void test_file_copy_tree_keeps_the_owner_when_root(void **state)
{
    struct fixture *fixture = *state;
    if (geteuid() != 0)
        skip();
    struct passwd *nobody = getpwnam("nobody");
    assert_int_equal(mkdir(path_of(fixture, "from"), 0700), 0);
    put(fixture, "from/file", "x");
    assert_int_equal(symlink("file", path_of(fixture, "from/link")), 0);
    put(fixture, "outside", "x");
    assert_int_equal(symlink("../outside", path_of(fixture, "from/out")), 0);
    assert_int_equal(
        rh_file_chown_tree(path_of(fixture, "from"), nobody->pw_uid, nobody->pw_gid, &fixture->err),
        RH_OK);
    assert_int_equal(
        rh_file_copy_tree(path_of(fixture, "from"), path_of(fixture, "to"), &fixture->err), RH_OK);
    static const char *const names[] = {"to", "to/file", "to/link", "to/out"};
    struct stat status;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        assert_int_equal(lstat(path_of(fixture, names[i]), &status), 0);
        assert_int_equal(status.st_uid, nobody->pw_uid);
        assert_int_equal(status.st_gid, nobody->pw_gid);
    }
    assert_int_equal(stat(path_of(fixture, "outside"), &status), 0);
    assert_int_equal(status.st_uid, 0); /* chown did not follow the link */
}

static void test_file_copy_tree_leaves_nothing_when_it_fails(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(
        rh_file_copy_tree(path_of(fixture, "missing"), path_of(fixture, "to"), &fixture->err),
        RH_ERR_IO);
    assert_false(rh_file_exists(path_of(fixture, "to")));

    /* An existing target is refused and left alone. */
    assert_int_equal(mkdir(path_of(fixture, "from"), 0700), 0);
    put(fixture, "to", "mine");
    assert_int_equal(
        rh_file_copy_tree(path_of(fixture, "from"), path_of(fixture, "to"), &fixture->err),
        RH_ERR_IO);
    assert_int_equal(fixture->err.errno_value, EEXIST);
    assert_content(fixture, "to", "mine");

    /* Failing half-way (nested too deep): what was copied is removed again. */
    struct buf deep;
    rh_buf_init(&deep, 4000);
    rh_buf_add_str(&deep, path_of(fixture, "from"));
    for (int i = 0; i < 199; i++)
        rh_buf_add_str(&deep, "/d");
    assert_int_equal(rh_file_make_directories(deep.data, 0755, &fixture->err), RH_OK);
    char *last = rh_arena_printf(fixture->arena, "%s/d", deep.data);
    assert_int_equal(mkdir(last, 0755), 0);
    rh_buf_deinit(&deep);
    assert_int_equal(
        rh_file_copy_tree(path_of(fixture, "from"), path_of(fixture, "copy"), &fixture->err),
        RH_ERR_LIMIT);
    assert_false(rh_file_exists(path_of(fixture, "copy")));
    /* Below the fixture's own directory the teardown could not remove it. */
    assert_int_equal(rmdir(last), 0);
    assert_int_equal(rh_file_remove_tree(path_of(fixture, "from"), &fixture->err), RH_OK);
}

static void test_file_copy_tree_fills_an_empty_directory_only(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(mkdir(path_of(fixture, "from"), 0700), 0);
    put(fixture, "from/file", "x");
    assert_int_equal(mkdir(path_of(fixture, "to"), 0755), 0);
    assert_int_equal(
        rh_file_copy_tree(path_of(fixture, "from"), path_of(fixture, "to"), &fixture->err), RH_OK);
    assert_content(fixture, "to/file", "x");
    put(fixture, "from/other", "y");
    assert_int_equal(
        rh_file_copy_tree(path_of(fixture, "from"), path_of(fixture, "to"), &fixture->err),
        RH_ERR_IO);
    assert_int_equal(fixture->err.errno_value, EEXIST);
    assert_content(fixture, "to/file", "x");
    assert_false(rh_file_exists(path_of(fixture, "to/other")));
}

/* Where it works is tests/unit/sandbox/test_clone.c's to find out. */
static void test_file_reflink_tree_shares_or_leaves_nothing(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(mkdir(path_of(fixture, "from"), 0700), 0);
    put(fixture, "from/file", "x");
    enum err_code code = rh_file_reflink_tree(path_of(fixture, "from"), path_of(fixture, "to"),
                                              &fixture->err);
    if (code == RH_OK) {
        assert_content(fixture, "to/file", "x");
        return;
    }
    assert_int_equal(code, RH_ERR_IO);
    assert_int_not_equal(fixture->err.errno_value, 0);
    assert_false(rh_file_exists(path_of(fixture, "to")));
}

static void test_file_list_is_in_natural_order(void **state)
{
    struct fixture *fixture = *state;
    put(fixture, "10_c.sql", "");
    put(fixture, "2_b.sql", "");
    put(fixture, "1_a.sql", "");
    struct file_names names;
    assert_int_equal(rh_file_list(fixture->directory, fixture->arena, &names, &fixture->err),
                     RH_OK);
    assert_int_equal(names.count, 3);
    assert_string_equal(names.names[0], "1_a.sql");
    assert_string_equal(names.names[1], "2_b.sql");
    assert_string_equal(names.names[2], "10_c.sql");
    assert_int_equal(
        rh_file_list(path_of(fixture, "missing"), fixture->arena, &names, &fixture->err),
        RH_ERR_USAGE);
}

static void test_file_tree_bytes_counts_blocks_on_disk(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(mkdir(path_of(fixture, "t"), 0700), 0);
    int64_t empty = rh_file_tree_bytes(path_of(fixture, "t"));
    char *large = rh_arena_alloc(fixture->arena, 1000001);
    memset(large, 'z', 1000000);
    put(fixture, "t/large", large);
    int64_t full = rh_file_tree_bytes(path_of(fixture, "t"));
    assert_in_range(full - empty, 1000000 - 65536, 1000000 + 131072);
    assert_int_equal(rh_file_tree_bytes(path_of(fixture, "missing")), 0);
}

static void test_file_join_table(void **state)
{
    struct fixture *fixture = *state;
    assert_string_equal(rh_file_join(fixture->arena, "a", "b"), "a/b");
    assert_string_equal(rh_file_join(fixture->arena, "a/", "b"), "a/b");
    assert_string_equal(rh_file_join(fixture->arena, "a", "/b"), "/b");
    assert_string_equal(rh_file_join(fixture->arena, "", "b"), "b");
    assert_string_equal(rh_file_join(fixture->arena, "/", "b"), "/b");
}

static void test_file_sha256_matches_published_vectors(void **state)
{
    (void)state;
    /* FIPS 180-4, NIST's example values */
    char out[65];
    rh_file_sha256(rh_text(""), out);
    assert_string_equal(out, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    rh_file_sha256(rh_text("abc"), out);
    assert_string_equal(out, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

static void test_file_lock_is_for_one_or_shared(void **state)
{
    struct fixture *fixture = *state;
    char *path = path_of(fixture, "lock");
    RH_CLEANUP_FD int first = -1;
    RH_CLEANUP_FD int second = -1;

    assert_int_equal(rh_file_lock(path, 0, LOCK_EX), -1);
    assert_int_equal(errno, ENOENT);
    first = rh_file_lock(path, O_CREAT | O_EXCL, LOCK_SH);
    second = rh_file_lock(path, 0, LOCK_SH);
    assert_true(first >= 0 && second >= 0);
    assert_int_equal(mode_of(path), 0600);
    assert_int_equal(rh_file_lock(path, 0, LOCK_EX), -1);
    assert_int_equal(errno, EWOULDBLOCK);
    rh_fd_closep(&second);
    rh_fd_closep(&first);
    first = rh_file_lock(path, O_CREAT, LOCK_EX);
    assert_true(first >= 0);
    assert_int_equal(rh_file_lock(path, 0, LOCK_SH), -1);
    assert_int_equal(errno, EWOULDBLOCK);
}

static void test_fd_closep_and_take(void **state)
{
    (void)state;
    int fd = open("/dev/null", O_RDONLY);
    int taken = rh_fd_take(&fd);
    assert_int_equal(fd, -1);
    rh_fd_closep(&fd);
    assert_int_not_equal(fcntl(taken, F_GETFD), -1);
    rh_fd_closep(&taken);
    assert_int_equal(taken, -1);
}

#define FILE_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FILE_TEST(test_file_read_returns_what_was_written),
        FILE_TEST(test_file_read_stops_at_the_cap),
        FILE_TEST(test_file_read_is_a_usage_error_when_it_cannot),
        FILE_TEST(test_file_write_is_atomic_and_sets_the_mode),
        FILE_TEST(test_file_sync_directory_is_no_error_where_there_is_no_such_thing),
        FILE_TEST(test_file_make_directories_creates_all_levels),
        FILE_TEST(test_file_remove_tree_does_not_follow_links),
        FILE_TEST(test_file_remove_tree_succeeds_when_nothing_is_there),
        FILE_TEST(test_file_remove_tree_opens_own_directories_without_permission),
        FILE_TEST(test_file_remove_tree_gives_up_when_nested_too_deep),
        FILE_TEST(test_file_copy_tree_copies_content_links_and_modes),
        FILE_TEST(test_file_copy_tree_keeps_the_owner_when_root),
        FILE_TEST(test_file_copy_tree_leaves_nothing_when_it_fails),
        FILE_TEST(test_file_copy_tree_fills_an_empty_directory_only),
        FILE_TEST(test_file_reflink_tree_shares_or_leaves_nothing),
        FILE_TEST(test_file_list_is_in_natural_order),
        FILE_TEST(test_file_tree_bytes_counts_blocks_on_disk),
        FILE_TEST(test_file_join_table),
        FILE_TEST(test_file_lock_is_for_one_or_shared),
        cmocka_unit_test(test_file_sha256_matches_published_vectors),
        cmocka_unit_test(test_fd_closep_and_take),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
