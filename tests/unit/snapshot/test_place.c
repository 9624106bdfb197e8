#include "tools/directory_fixture.h"

#include "snapshot/place.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static size_t entries(struct fixture *fixture)
{
    struct file_names names;
    struct err err = RH_ERR_INIT;

    assert_int_equal(rh_file_list(fixture->directory, fixture->arena, &names, &err), RH_OK);
    return names.count;
}

static struct snapshot_place opened(struct fixture *fixture, bool may_replace)
{
    struct snapshot_place place;
    struct err err = RH_ERR_INIT;

    if (rh_snapshot_place_open(path_of(fixture, "s/"), may_replace, fixture->arena, &place, &err))
        fail_msg("%s", err.message);
    return place;
}

static void fill(struct fixture *fixture, const struct snapshot_place *place, const char *source)
{
    struct manifest manifest = {
        .rehearse_version = "0",
        .created_at = "2026-11-20T10:00:00.000Z",
        .source = source,
        .server_version = "15.18",
        .server_major = 15,
        .database = "shop",
        .encoding = "UTF8",
        .taken_at = "2026-11-20T10:00:00.000Z",
    };
    struct err err = RH_ERR_INIT;

    assert_int_equal(
        rh_file_make_directories(rh_file_join(fixture->arena, place->directory, SNAPSHOT_ARCHIVE),
                                 0700, &err),
        RH_OK);
    assert_int_equal(rh_snapshot_write_manifest(place->directory, &manifest, &err), RH_OK);
}

static void make(struct fixture *fixture, bool may_replace, const char *source)
{
    struct snapshot_place place = opened(fixture, may_replace);
    struct err err = RH_ERR_INIT;

    fill(fixture, &place, source);
    if (rh_snapshot_place_finish(&place, &err))
        fail_msg("%s", err.message);
    rh_snapshot_place_close(&place);
}

static const char *source_of(struct fixture *fixture)
{
    struct manifest manifest;
    struct err err = RH_ERR_INIT;

    if (rh_snapshot_read(path_of(fixture, "s"), fixture->arena, &manifest, &err))
        fail_msg("%s", err.message);
    return manifest.source;
}

static void test_place_appears_when_it_is_finished(void **state)
{
    struct fixture *fixture = *state;
    struct stat status;

    make(fixture, false, "one");
    assert_int_equal(entries(fixture), 1);
    assert_string_equal(source_of(fixture), "one");
    assert_int_equal(stat(path_of(fixture, "s"), &status), 0);
    assert_int_equal(status.st_mode & 0777, 0700);
    assert_false(rh_file_exists(path_of(fixture, "s/lock")));
    assert_int_equal(unlink(path_of(fixture, "s/sockets")), -1);
}

static void test_place_closed_early_leaves_nothing(void **state)
{
    struct fixture *fixture = *state;
    struct snapshot_place place = opened(fixture, false);
    const char *sockets = rh_arena_strdup(fixture->arena, place.sockets);

    fill(fixture, &place, "one");
    assert_true(rh_file_is_directory(sockets));
    rh_snapshot_place_close(&place);
    assert_int_equal(entries(fixture), 0);
    assert_false(rh_file_exists(sockets));
}

static void test_place_replaces_a_snapshot_when_allowed(void **state)
{
    struct fixture *fixture = *state;
    struct snapshot_place place = {.lock_fd = -1};
    struct err err = RH_ERR_INIT;

    make(fixture, false, "one");
    assert_int_equal(
        rh_snapshot_place_open(path_of(fixture, "s"), false, fixture->arena, &place, &err),
        RH_ERR_USAGE);
    assert_string_equal(source_of(fixture), "one");
    place = opened(fixture, true);
    rh_snapshot_place_close(&place); /* it came to nothing */
    assert_string_equal(source_of(fixture), "one");
    make(fixture, true, "two");
    assert_string_equal(source_of(fixture), "two");
    assert_int_equal(entries(fixture), 1);
}

/* Not every file system can exchange names, or refuse to take one that is taken. */
static void test_place_takes_its_name_on_every_file_system(void **state)
{
    static const unsigned flags[] = {0, RENAME_NOREPLACE, RENAME_EXCHANGE,
                                     RENAME_EXCHANGE | RENAME_NOREPLACE};
    struct fixture *fixture = *state;
    struct err err = RH_ERR_INIT;

    for (size_t i = 0; i < sizeof(flags) / sizeof(*flags); i++) {
        for (int replaces = 0; replaces < 2; replaces++) {
            struct snapshot_place place = opened(fixture, replaces);
            const char *source = replaces ? "two" : "one";

            fill(fixture, &place, source);
            place.rename_flags = flags[i];
            if (rh_snapshot_place_finish(&place, &err))
                fail_msg("flags %u, %s: %s", flags[i], source, err.message);
            rh_snapshot_place_close(&place);
            assert_string_equal(source_of(fixture), source);
            assert_int_equal(entries(fixture), 1);
        }
        assert_int_equal(rh_file_remove_tree(path_of(fixture, "s"), &err), RH_OK);
    }
}

static void test_place_keeps_the_old_snapshot_when_the_new_one_gets_no_name(void **state)
{
    static const unsigned flags[] = {0, RENAME_NOREPLACE, RENAME_EXCHANGE};
    struct fixture *fixture = *state;

    make(fixture, false, "one");
    for (size_t i = 0; i < sizeof(flags) / sizeof(*flags); i++) {
        struct snapshot_place place = opened(fixture, true);
        struct err err = RH_ERR_INIT;

        place.rename_flags = flags[i];
        assert_int_equal(rh_file_remove_tree(place.directory, &err), RH_OK);
        assert_int_not_equal(rh_snapshot_place_finish(&place, &err), RH_OK);
        assert_non_null(strstr(err.message, path_of(fixture, "s")));
        rh_snapshot_place_close(&place);
        assert_string_equal(source_of(fixture), "one");
        assert_int_equal(entries(fixture), 1);
    }
}

static void test_place_takes_no_name_that_is_taken(void **state)
{
    struct fixture *fixture = *state;
    struct snapshot_place place = opened(fixture, false);
    struct err err = RH_ERR_INIT;

    fill(fixture, &place, "one");
    place.rename_flags = 0;
    /* A plain rename would take it. */
    assert_int_equal(mkdir(path_of(fixture, "s"), 0700), 0);
    assert_int_not_equal(rh_snapshot_place_finish(&place, &err), RH_OK);
    assert_int_equal(err.errno_value, EEXIST);
    rh_snapshot_place_close(&place);
    assert_int_equal(entries(fixture), 1);
}

static void test_place_touches_nothing_that_is_no_snapshot(void **state)
{
    struct fixture *fixture = *state;
    struct snapshot_place place;
    struct err err = RH_ERR_INIT;

    assert_int_equal(rh_file_write(path_of(fixture, "s"), rh_text("mine"), 0600, &err), RH_OK);
    assert_int_equal(
        rh_snapshot_place_open(path_of(fixture, "s"), true, fixture->arena, &place, &err),
        RH_ERR_USAGE);
    assert_int_equal(unlink(path_of(fixture, "s")), 0);
    assert_int_equal(mkdir(path_of(fixture, "s"), 0700), 0);
    assert_int_equal(
        rh_snapshot_place_open(path_of(fixture, "s"), true, fixture->arena, &place, &err),
        RH_ERR_USAGE);
    /* Programs of other kinds have a manifest.json too. */
    assert_int_equal(rh_file_write(path_of(fixture, "s/manifest.json"), rh_text("{}"), 0600, &err),
                     RH_OK);
    assert_false(rh_snapshot_is_own(path_of(fixture, "s")));
    assert_int_equal(
        rh_snapshot_place_open(path_of(fixture, "s"), true, fixture->arena, &place, &err),
        RH_ERR_USAGE);
    assert_int_equal(entries(fixture), 1);
}

static void test_place_removes_what_a_killed_run_left_and_nothing_of_a_living_one(void **state)
{
    struct fixture *fixture = *state;
    struct snapshot_place living = opened(fixture, false), next;
    struct err err = RH_ERR_INIT;
    const char *dead = path_of(fixture, "s.incomplete-dead");
    char sockets[] = "/tmp/rehearse-XXXXXX";

    assert_int_equal(rh_file_make_directories(dead, 0700, &err), RH_OK);
    assert_int_equal(
        rh_file_write(rh_file_join(fixture->arena, dead, "lock"), rh_text(""), 0600, &err), RH_OK);
    assert_non_null(mkdtemp(sockets));
    assert_int_equal(symlink(sockets, rh_file_join(fixture->arena, dead, "sockets")), 0);
    assert_int_equal(rh_file_make_directories(path_of(fixture, "s.incomplete-new"), 0700, &err),
                     RH_OK);
    next = opened(fixture, false);
    assert_false(rh_file_exists(dead));
    assert_false(rh_file_exists(sockets));
    assert_true(rh_file_is_directory(living.directory));
    assert_true(rh_file_is_directory(path_of(fixture, "s.incomplete-new"))); /* just being made */
    rh_snapshot_place_close(&next);
    rh_snapshot_place_close(&living);
}

static void test_place_of_two_at_once_goes_to_the_first(void **state)
{
    struct fixture *fixture = *state;
    struct snapshot_place first = opened(fixture, false), second = opened(fixture, false);
    struct err err = RH_ERR_INIT;

    fill(fixture, &first, "first");
    fill(fixture, &second, "second");
    assert_int_equal(rh_snapshot_place_finish(&first, &err), RH_OK);
    assert_int_not_equal(rh_snapshot_place_finish(&second, &err), RH_OK);
    rh_snapshot_place_close(&first);
    rh_snapshot_place_close(&second);
    assert_string_equal(source_of(fixture), "first");
    assert_int_equal(entries(fixture), 1);
}

static void test_place_names_that_are_none_are_refused(void **state)
{
    static const char *const names[] = {"", "/", "//", ".", "..", "x/..", "x/."};
    struct fixture *fixture = *state;
    struct snapshot_place place;
    struct err err = RH_ERR_INIT;

    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        if (rh_snapshot_place_open(names[i], true, fixture->arena, &place, &err) != RH_ERR_USAGE)
            fail_msg("\"%s\" was taken", names[i]);
}

static void test_place_read_says_what_is_wrong_with_a_manifest(void **state)
{
    struct fixture *fixture = *state;
    struct manifest manifest;
    struct err err = RH_ERR_INIT;

    make(fixture, false, "one");
    assert_int_equal(rh_file_write(path_of(fixture, "s/manifest.json"), rh_text("{"), 0600, &err),
                     RH_OK);
    assert_int_equal(rh_snapshot_read(path_of(fixture, "s"), fixture->arena, &manifest, &err),
                     RH_ERR_USAGE);
    assert_non_null(strstr(err.message, "is no JSON"));
    assert_int_equal(rh_snapshot_read(fixture->directory, fixture->arena, &manifest, &err),
                     RH_ERR_USAGE);
    assert_non_null(strstr(err.message, "is no snapshot"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_place_appears_when_it_is_finished, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_place_closed_early_leaves_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_place_replaces_a_snapshot_when_allowed, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_place_takes_its_name_on_every_file_system, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(
            test_place_keeps_the_old_snapshot_when_the_new_one_gets_no_name, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_place_takes_no_name_that_is_taken, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_place_touches_nothing_that_is_no_snapshot, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(
            test_place_removes_what_a_killed_run_left_and_nothing_of_a_living_one, set_up,
            tear_down),
        cmocka_unit_test_setup_teardown(test_place_of_two_at_once_goes_to_the_first, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_place_names_that_are_none_are_refused, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_place_read_says_what_is_wrong_with_a_manifest, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
