#include "rehearsal/rehearsal_files.h"

#include "base/file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static int setup(void **state)
{
    char template[] = "/tmp/rehearsal-files-XXXXXX";
    if (!mkdtemp(template) || chdir(template) != 0)
        return -1;
    *state = strdup(template);
    return 0;
}

static int teardown(void **state)
{
    struct err err = RH_ERR_INIT;
    enum err_code code = chdir("/") == 0 ? rh_file_remove_tree(*state, &err) : RH_ERR_IO;
    free(*state);
    return code ? -1 : 0;
}

static struct result make_result(struct arena *arena)
{
    struct trace *trace = RH_NEW(arena, struct trace);
    trace->arena = arena;
    return (struct result){.arena = arena, .trace = trace, .headline = "nothing was blocked"};
}

static mode_t mode_of(struct arena *arena, const char *directory, const char *name)
{
    struct stat status;
    assert_int_equal(stat(rh_file_join(arena, directory, name), &status), 0);
    return status.st_mode & 07777;
}

static void test_rehearsal_files_are_private_and_latest_names_them(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct run_files files;
    struct err err = RH_ERR_INIT;
    assert_int_equal(rh_run_files_open(NULL, TEXT_LITERAL("x"), arena, NULL, &files, &err), RH_OK);
    json_t *event = json_pack("{s:s}", "event", "statement");
    rh_run_files_event(&files, event);
    json_decref(event);
    struct result result = make_result(arena);
    rh_run_files_write(&files, &result);
    const char *directory = files.directory;
    rh_run_files_close(&files);
    rh_run_files_close(&files);

    assert_int_equal(mode_of(arena, directory, "."), 0700);
    assert_int_equal(mode_of(arena, directory, "result.json"), 0600);
    assert_int_equal(mode_of(arena, directory, "summary.txt"), 0600);
    assert_int_equal(mode_of(arena, directory, "events.ndjson"), 0600);
    struct text events;
    assert_int_equal(
        rh_file_read(rh_file_join(arena, directory, "events.ndjson"), 1000, arena, &events, &err),
        RH_OK);
    assert_string_equal(events.data, "{\"event\":\"statement\"}\n");
    char target[100] = "";
    assert_true(readlink(".rehearse/runs/latest", target, sizeof(target) - 1) > 0);
    assert_string_equal(target, strrchr(directory, '/') + 1);
}

static void test_rehearsal_files_same_second_gets_another_name(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct run_files a, b;
    struct err err = RH_ERR_INIT;
    assert_int_equal(rh_run_files_open(NULL, TEXT_LITERAL("x"), arena, NULL, &a, &err), RH_OK);
    assert_int_equal(rh_run_files_open(NULL, TEXT_LITERAL("x"), arena, NULL, &b, &err), RH_OK);
    assert_string_not_equal(a.directory, b.directory);
    const char *directory = a.directory;
    rh_run_files_close(&a);
    rh_run_files_close(&b);
    assert_false(rh_file_exists(directory)); /* nothing was written */
}

static void test_rehearsal_files_unwritable_default_goes_on_without(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct run_files files;
    struct err err = RH_ERR_INIT;
    assert_int_equal(rh_file_write(".rehearse", TEXT_LITERAL("in the way"), 0600, &err), RH_OK);
    assert_int_equal(rh_run_files_open(NULL, TEXT_LITERAL("x"), arena, NULL, &files, &err), RH_OK);
    assert_null(files.directory);
    assert_null(files.output_path);
    struct result result = make_result(arena);
    rh_run_files_write(&files, &result);
    rh_run_files_close(&files);
}

static void test_rehearsal_files_unwritable_out_is_a_usage_error(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct run_files files;
    struct err err = RH_ERR_INIT;
    assert_int_equal(rh_file_write("file", TEXT_LITERAL(""), 0600, &err), RH_OK);
    assert_int_equal(rh_run_files_open("file/there", TEXT_LITERAL("x"), arena, NULL, &files, &err),
                     RH_ERR_USAGE);
    assert_non_null(strstr(err.message, "file/there"));
}

static void test_rehearsal_files_out_keeps_what_is_not_ours(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct run_files files;
    struct err err = RH_ERR_INIT;
    assert_int_equal(rh_file_make_directories("out", 0755, &err), RH_OK);
    assert_int_equal(rh_file_write("out/mine", TEXT_LITERAL("x"), 0600, &err), RH_OK);
    assert_int_equal(rh_file_write("out/result.json", TEXT_LITERAL("{}"), 0600, &err), RH_OK);
    assert_int_equal(rh_run_files_open("out", TEXT_LITERAL("x"), arena, NULL, &files, &err), RH_OK);
    rh_run_files_close(&files);
    assert_true(rh_file_exists("out/mine"));
    assert_false(rh_file_exists("out/result.json")); /* of an earlier run */
    assert_false(rh_file_exists("out/events.ndjson"));
    assert_false(rh_file_exists(".rehearse"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_rehearsal_files_are_private_and_latest_names_them,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_rehearsal_files_same_second_gets_another_name, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_rehearsal_files_unwritable_default_goes_on_without,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_rehearsal_files_unwritable_out_is_a_usage_error, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_rehearsal_files_out_keeps_what_is_not_ours, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
