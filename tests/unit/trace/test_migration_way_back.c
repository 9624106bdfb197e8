/* Which way back a migration has, from what was given and from what tools know. */
#include "trace/migration_way_back.h"

#define FIXTURE_MEMBERS         \
    struct migration migration; \
    struct migration_way_back back;
#include "tools/directory_fixture.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *put(struct fixture *fixture, const char *name, const char *sql)
{
    const char *path = path_of(fixture, name);
    char *directory = rh_arena_strdup(fixture->arena, path);
    *strrchr(directory, '/') = '\0';
    assert_int_equal(rh_file_make_directories(directory, 0755, &fixture->err), RH_OK);
    assert_int_equal(rh_file_write(path, rh_text(sql), 0644, &fixture->err), RH_OK);
    return path;
}

static enum err_code open_back(struct fixture *fixture, const char *migration, const char *down)
{
    const char *paths[] = {path_of(fixture, migration)};
    struct migration_request request = {.paths = paths, .path_count = 1};
    fixture->err = (struct err)RH_ERR_INIT;
    if (rh_migration_open(&request, fixture->arena, &fixture->migration, &fixture->err))
        fail_msg("%s", fixture->err.message);
    return rh_migration_open_way_back(&fixture->migration, down, fixture->arena, &fixture->back,
                                      &fixture->err);
}

static const struct migration_step *down_of(struct fixture *fixture, size_t index)
{
    assert_true(index < fixture->back.downs.steps.count);
    return &fixture->back.downs.steps.items[index];
}

static void assert_sql(const struct migration_step *step, size_t index, const char *sql)
{
    assert_true(index < step->statements.count);
    assert_true(rh_text_is(step->statements.items[index].sql, sql));
}

static void test_way_back_of_sections_runs_from_the_last_to_the_first(void **state)
{
    struct fixture *fixture = *state;
    put(fixture, "m/1_a.sql", "-- +goose Up\nselect 1;\n-- +goose Down\nselect 2;\nselect 3;\n");
    put(fixture, "m/2_b.sql",
        "-- +goose NO TRANSACTION\n-- +goose Up\nselect 4;\n-- +goose Down\n"
        "-- +goose StatementBegin\nselect 5; select 6;\n"
        "-- +goose StatementEnd\n");
    assert_int_equal(open_back(fixture, "m", NULL), RH_OK);
    assert_int_equal(fixture->back.downs.steps.count, 2);
    assert_string_equal(down_of(fixture, 0)->name, "2_b.sql (down)");
    assert_sql(down_of(fixture, 0), 0, "select 5; select 6;");
    assert_false(down_of(fixture, 0)->tool_transaction);
    assert_sql(down_of(fixture, 1), 1, "select 3;");
    assert_int_equal(down_of(fixture, 1)->statements.items[0].line, 4);
    assert_true(down_of(fixture, 1)->tool_transaction);
    assert_null(fixture->back.ends_at);
    assert_false(fixture->back.is_given);
}

static void test_way_back_of_dbmate_has_a_transaction_of_its_own(void **state)
{
    struct fixture *fixture = *state;
    put(fixture, "1_a.sql",
        "-- migrate:up\nselect 1;\n-- migrate:down transaction:false\nselect 2;\n");
    assert_int_equal(open_back(fixture, "1_a.sql", NULL), RH_OK);
    assert_sql(down_of(fixture, 0), 0, "select 2;");
    assert_false(down_of(fixture, 0)->tool_transaction);
    assert_true(fixture->migration.steps.items[0].tool_transaction);
}

static void test_way_back_of_a_plain_script_is_plain(void **state)
{
    struct fixture *fixture = *state;
    put(fixture, "a.sql", "select 1;");
    put(fixture, "a.down.sql", "select 2;\nselect 3;\n");
    assert_int_equal(open_back(fixture, "a.sql", NULL), RH_OK);
    assert_string_equal(fixture->back.text, "a.down.sql");
    assert_false(down_of(fixture, 0)->tool_transaction);
}

static void test_way_back_ends_where_a_step_has_none(void **state)
{
    struct fixture *fixture = *state;
    put(fixture, "m/1_a.sql", "select 1;");
    put(fixture, "m/2_b.sql", "-- migrate:up\nselect 1;\n-- migrate:down\n-- nothing\n");
    put(fixture, "m/3_c.sql", "-- migrate:up\nselect 1;\n-- migrate:down\nselect 2;\n");
    assert_int_equal(open_back(fixture, "m", NULL), RH_OK);
    assert_int_equal(fixture->back.downs.steps.count, 1);
    assert_string_equal(fixture->back.ends_at, "2_b.sql");
    assert_string_equal(fixture->back.ends_why, "its way back holds no statement");
    assert_int_equal(fixture->back.first, 2);
}

static void test_way_back_none(void **state)
{
    struct fixture *fixture = *state;
    put(fixture, "a.sql", "select 1;");
    assert_int_equal(open_back(fixture, "a.sql", NULL), RH_OK);
    assert_int_equal(fixture->back.downs.steps.count, 0);
    assert_null(fixture->back.text);
}

static void test_way_back_given_as_a_file_a_directory_or_a_command(void **state)
{
    struct fixture *fixture = *state;
    put(fixture, "m/1_a.sql", "select 1;");
    put(fixture, "m/2_b.sql", "select 1;");
    const char *file = put(fixture, "all.sql", "select 9;");
    put(fixture, "undo/1_a.down.sql", "select 2;");
    put(fixture, "undo/2_b.sql", "select 3;");
    assert_int_equal(open_back(fixture, "m", file), RH_OK);
    assert_int_equal(fixture->back.downs.steps.count, 1);
    assert_sql(down_of(fixture, 0), 0, "select 9;");
    assert_true(fixture->back.is_given);

    const char *directory = path_of(fixture, "undo");
    assert_int_equal(open_back(fixture, "m", directory), RH_OK);
    assert_string_equal(down_of(fixture, 0)->name, "2_b.sql");
    assert_string_equal(down_of(fixture, 1)->name, "1_a.down.sql");

    assert_int_equal(open_back(fixture, "m", "tool down -1"), RH_OK);
    assert_int_equal(down_of(fixture, 0)->kind, STEP_COMMAND);
    assert_string_equal(down_of(fixture, 0)->argv[0], "/bin/sh");
    assert_string_equal(down_of(fixture, 0)->argv[2], "tool down -1");
    assert_string_equal(down_of(fixture, 0)->name, "tool down -1");
}

static void test_way_back_that_is_executable_is_a_command(void **state)
{
    struct fixture *fixture = *state;
    put(fixture, "a.sql", "select 1;");
    const char *program = put(fixture, "down", "#!/bin/sh\n");
    assert_int_equal(chmod(program, 0755), 0);
    assert_int_equal(open_back(fixture, "a.sql", program), RH_OK);
    assert_int_equal(down_of(fixture, 0)->kind, STEP_COMMAND);
}

static void test_way_back_mistakes_are_told(void **state)
{
    struct fixture *fixture = *state;
    static const char *const cases[][2] = {
        {"no.sql", "no such file"},
        {"no/such", "no such file"},
        {" ", "--down is empty"},
        /* It was run by a shell, and had "never connected". */
        {"ALTER TABLE users DROP COLUMN note", "takes a FILE or a command, not SQL"}};
    put(fixture, "m/1_a.sql", "select 1;");
    put(fixture, "other/x.sql", "select 1;");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(open_back(fixture, "m", cases[i][0]), RH_ERR_USAGE);
        assert_non_null(strstr(fixture->err.message, cases[i][1]));
    }
    const char *directory = path_of(fixture, "other");
    assert_int_equal(open_back(fixture, "m", directory), RH_ERR_USAGE);
    assert_non_null(strstr(fixture->err.message, "holds no way back of 1_a.sql"));
    /* The migrations are no way back of themselves. */
    directory = path_of(fixture, "m");
    assert_int_equal(open_back(fixture, "m", directory), RH_ERR_USAGE);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_way_back_of_sections_runs_from_the_last_to_the_first),
        TEST(test_way_back_of_dbmate_has_a_transaction_of_its_own),
        TEST(test_way_back_of_a_plain_script_is_plain),
        TEST(test_way_back_ends_where_a_step_has_none),
        TEST(test_way_back_none),
        TEST(test_way_back_given_as_a_file_a_directory_or_a_command),
        TEST(test_way_back_that_is_executable_is_a_command),
        TEST(test_way_back_mistakes_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
