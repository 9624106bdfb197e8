#include "base/process.h"
#include "trace/migration.h"

#define FIXTURE_MEMBERS struct migration migration;
#include "tools/directory_fixture.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *put(struct fixture *fixture, const char *name, struct text content)
{
    const char *path = path_of(fixture, name);
    char *directory = rh_arena_strdup(fixture->arena, path);

    *strrchr(directory, '/') = '\0';
    assert_int_equal(rh_file_make_directories(directory, 0755, &fixture->err), RH_OK);
    assert_int_equal(rh_file_write(path, content, 0644, &fixture->err), RH_OK);
    return path;
}

static const char *put_sql(struct fixture *fixture, const char *name, const char *sql)
{
    return put(fixture, name, rh_text(sql));
}

static enum err_code open_paths(struct fixture *fixture, const char *first, const char *second)
{
    const char *paths[] = {first, second};
    struct migration_request request = {.paths = paths, .path_count = second ? 2 : 1};

    fixture->err = (struct err)RH_ERR_INIT;
    return rh_migration_open(&request, fixture->arena, &fixture->migration, &fixture->err);
}

static enum err_code open_since(struct fixture *fixture, const char *name, const char *since)
{
    struct migration_request request = {.directory = path_of(fixture, name), .since = since};

    fixture->err = (struct err)RH_ERR_INIT;
    return rh_migration_open(&request, fixture->arena, &fixture->migration, &fixture->err);
}

#define ASSERT_OPENS(fixture, call)                 \
    do {                                            \
        if (call)                                   \
            fail_msg("%s", (fixture)->err.message); \
    } while (0)

static void assert_refused(struct fixture *fixture, enum err_code code, const char *message)
{
    assert_int_equal(code, RH_ERR_USAGE);
    if (!strstr(fixture->err.message, message))
        fail_msg("got \"%s\", expected \"%s\" in it", fixture->err.message, message);
}

static void assert_names(const struct migration_step *steps, size_t count, const char *expected)
{
    char names[512] = "";

    for (size_t i = 0; i < count; i++) {
        strcat(names, i ? " " : "");
        strcat(names, steps[i].name);
    }
    assert_string_equal(names, expected);
}
#define ASSERT_STEPS(fixture, expected) \
    assert_names((fixture)->migration.steps.items, (fixture)->migration.steps.count, expected)
#define ASSERT_START(fixture, expected)                     \
    assert_names((fixture)->migration.starting_point.items, \
                 (fixture)->migration.starting_point.count, expected)

static void assert_noted(struct fixture *fixture, const char *words)
{
    for (size_t i = 0; i < fixture->migration.notes.count; i++) {
        if (strstr(fixture->migration.notes.items[i], words))
            return;
    }
    fail_msg("no note says \"%s\"", words);
}

static void assert_statement(const struct migration_step *step, size_t index, const char *sql,
                             int line, int column)
{
    assert_true(index < step->statements.count);
    assert_true(rh_text_is(step->statements.items[index].sql, sql));
    assert_int_equal(step->statements.items[index].line, line);
    assert_int_equal(step->statements.items[index].column, column);
}

/* --- files --------------------------------------------------------------------------------------
 */

static void test_migration_file_is_split_with_places(void **state)
{
    struct fixture *fixture = *state;
    const char *path = put_sql(fixture, "1.sql", "\xEF\xBB\xBF-- x\nselect 1;\r\n  select 2");
    const struct migration_step *step;

    ASSERT_OPENS(fixture, open_paths(fixture, path, NULL));
    step = fixture->migration.steps.items;
    assert_int_equal(step->kind, STEP_SQL);
    assert_string_equal(step->name, "1.sql");
    assert_string_equal(step->path, path);
    assert_string_equal(step->format, "plain");
    assert_false(step->tool_transaction);
    assert_int_equal(strlen(step->sha256), 64);
    assert_int_equal(step->statements.count, 2);
    assert_statement(step, 0, "select 1;", 2, 1);
    assert_statement(step, 1, "select 2", 3, 3);
}

static void test_migration_section_keeps_the_places_of_the_file(void **state)
{
    struct fixture *fixture = *state;
    const char *path = put_sql(
        fixture, "1.sql",
        "-- +goose Up\nselect 1;\n-- +goose StatementBegin\n select 2;\n select 3;\n"
        "-- +goose StatementEnd\n-- +goose Down\nselect 4;\n");
    const struct migration_step *step;

    ASSERT_OPENS(fixture, open_paths(fixture, path, NULL));
    step = fixture->migration.steps.items;
    assert_string_equal(step->format, "goose");
    assert_true(step->tool_transaction);
    assert_string_equal(step->down_path, path);
    assert_int_equal(step->statements.count, 2);
    assert_statement(step, 0, "select 1;", 2, 1);
    assert_statement(step, 1, "select 2;\n select 3;", 4, 2);
}

static void test_migration_with_meta_commands_is_for_psql(void **state)
{
    struct fixture *fixture = *state;

    ASSERT_OPENS(fixture, open_paths(fixture, put_sql(fixture, "a.sql", "\\set x 1\nselect :x;\n"),
                                     put_sql(fixture, "b.sql", "copy t from stdin;\n1\n\\.\n")));
    assert_int_equal(fixture->migration.steps.items[0].kind, STEP_PSQL);
    assert_int_equal(fixture->migration.steps.items[1].kind, STEP_PSQL);

    /* A tool that is not psql would send the backslash to the server, and so do we. */
    ASSERT_OPENS(fixture,
                 open_paths(fixture, put_sql(fixture, "c.sql", "-- migrate:up\n\\d\n"), NULL));
    assert_int_equal(fixture->migration.steps.items[0].kind, STEP_SQL);
}

static void test_migration_refuses_bad_files(void **state)
{
    struct fixture *fixture = *state;
    static const char utf16[] = "\xFF\xFEs\0e\0";
    static const char nul[] = "select 1;\nsel\0ect";

    assert_refused(fixture, open_paths(fixture, path_of(fixture, "none.sql"), NULL), "none.sql");
    assert_refused(fixture, open_paths(fixture, put_sql(fixture, "e.sql", ""), NULL),
                   "e.sql\" is empty");
    assert_refused(fixture, open_paths(fixture, put_sql(fixture, "c.sql", "-- x\n;\n"), NULL),
                   "c.sql\" holds no SQL statement");
    assert_refused(fixture,
                   open_paths(fixture, put_sql(fixture, "l.sql", "select 1;\n-- caf\xE9\n"), NULL),
                   "l.sql:2:7: invalid UTF-8 (0xe9 at byte offset 16)");
    assert_refused(
        fixture,
        open_paths(fixture, put(fixture, "n.sql", (struct text){nul, sizeof(nul) - 1}), NULL),
        "n.sql:2:4: a NUL byte (0x00 at byte offset 13)");
    assert_refused(
        fixture,
        open_paths(fixture, put(fixture, "u.sql", (struct text){utf16, sizeof(utf16) - 1}), NULL),
        "u.sql:1:1: invalid UTF-8");
    assert_non_null(strstr(fixture->err.hint, "UTF-16"));
}

static void test_migration_refuses_a_file_above_the_cap(void **state)
{
    struct fixture *fixture = *state;
    const char *path = put_sql(fixture, "big.sql", "select 1;");

    assert_int_equal(truncate(path, (off_t)257 * 1024 * 1024), 0); /* sparse: takes no disk */
    assert_refused(fixture, open_paths(fixture, path, NULL), "big.sql");
}

/* --- requests -----------------------------------------------------------------------------------
 */

static void test_migration_request_must_name_one_thing(void **state)
{
    struct fixture *fixture = *state;
    const char *paths[] = {put_sql(fixture, "a.sql", "select 1;")};
    const char *argv[] = {"alembic", "upgrade", "it's", NULL};
    struct migration_request both = {.paths = paths, .path_count = 1, .argv = argv};
    struct migration_request nothing = {0};
    struct migration_request command = {.argv = argv};
    struct migration_request command_since = {.argv = argv, .since = "main"};
    struct migration_request since = {.since = "main"};

    assert_refused(fixture,
                   rh_migration_open(&both, fixture->arena, &fixture->migration, &fixture->err),
                   "both migration files and a command");
    assert_refused(fixture,
                   rh_migration_open(&nothing, fixture->arena, &fixture->migration, &fixture->err),
                   "no migration was given");
    assert_refused(
        fixture,
        rh_migration_open(&command_since, fixture->arena, &fixture->migration, &fixture->err),
        "--since");
    assert_refused(fixture,
                   rh_migration_open(&since, fixture->arena, &fixture->migration, &fixture->err),
                   "--since needs a directory");
    ASSERT_OPENS(fixture,
                 rh_migration_open(&command, fixture->arena, &fixture->migration, &fixture->err));
    assert_int_equal(fixture->migration.steps.count, 1);
    assert_int_equal(fixture->migration.steps.items[0].kind, STEP_COMMAND);
    assert_string_equal(fixture->migration.steps.items[0].argv[2], "it's");
    assert_non_null(strstr(fixture->migration.steps.items[0].name, "alembic upgrade"));
}

/* --- directories --------------------------------------------------------------------------------
 */

static void test_migration_directory_runs_in_natural_order(void **state)
{
    struct fixture *fixture = *state;

    put_sql(fixture, "m/10_c.sql", "select 1;");
    put_sql(fixture, "m/2_b.sql", "select 1;");
    put_sql(fixture, "m/1_a.sql", "select 1;");
    put_sql(fixture, "m/3_empty.sql", "-- nothing yet\n");
    put_sql(fixture, "m/README.md", "x");
    put_sql(fixture, "m/.hidden.sql", "x");
    ASSERT_OPENS(fixture, open_paths(fixture, path_of(fixture, "m"), NULL));
    ASSERT_STEPS(fixture, "1_a.sql 2_b.sql 10_c.sql");
    assert_noted(fixture, "3_empty.sql");
}

static void test_migration_directory_takes_the_up_files(void **state)
{
    struct fixture *fixture = *state;

    put_sql(fixture, "m/2_b.up.sql", "select 1; select 2;");
    put_sql(fixture, "m/1_a.up.sql", "select 1;");
    put_sql(fixture, "m/1_a.down.sql", "select 1;");
    put_sql(fixture, "m/schema.sql", "select 1;");
    ASSERT_OPENS(fixture, open_paths(fixture, path_of(fixture, "m"), NULL));
    ASSERT_STEPS(fixture, "1_a.up.sql 2_b.up.sql");
    assert_string_equal(fixture->migration.steps.items[0].down_path,
                        path_of(fixture, "m/1_a.down.sql"));
    assert_false(fixture->migration.steps.items[0].tool_transaction);
    assert_null(fixture->migration.steps.items[1].down_path);
    assert_true(fixture->migration.steps.items[1].tool_transaction);
    assert_noted(fixture, "schema.sql");

    put_sql(fixture, "m/002_x.up.sql", "select 1;");
    assert_refused(fixture, open_paths(fixture, path_of(fixture, "m"), NULL), "002_x.up.sql");
    assert_non_null(strstr(fixture->err.message, "2_b.up.sql"));
}

static void test_migration_directory_of_flyway(void **state)
{
    struct fixture *fixture = *state;

    put_sql(fixture, "m/R__views.sql", "select 1;");
    put_sql(fixture, "m/V2__b.sql", "select 1;");
    put_sql(fixture, "m/V1_10__x.sql", "select 1;");
    put_sql(fixture, "m/V1_9__y.sql", "copy t from stdin;\n1\n\\.\n");
    put_sql(fixture, "m/U2__b.sql", "select 1;");
    put_sql(fixture, "m/B1__base.sql", "select 1;");
    put_sql(fixture, "m/beforeMigrate.sql", "select 1;");
    ASSERT_OPENS(fixture, open_paths(fixture, path_of(fixture, "m"), NULL));
    ASSERT_STEPS(fixture, "V1_9__y.sql V1_10__x.sql V2__b.sql R__views.sql");
    assert_int_equal(fixture->migration.steps.items[0].kind, STEP_PSQL);
    assert_string_equal(fixture->migration.steps.items[2].down_path,
                        path_of(fixture, "m/U2__b.sql"));
    assert_noted(fixture, "B1__base.sql, beforeMigrate.sql");

    put_sql(fixture, "m/V2.0__c.sql", "select 1;");
    assert_refused(fixture, open_paths(fixture, path_of(fixture, "m"), NULL),
                   "have the same version");
}

static void test_migration_directory_of_directories(void **state)
{
    struct fixture *fixture = *state;

    put_sql(fixture, "m/2024-01-02_b/up.sql", "select 1;");
    put_sql(fixture, "m/2024-01-02_b/down.sql", "select 1;");
    put_sql(fixture, "m/2024-01-01_a/migration.sql", "select 1;");
    put_sql(fixture, "m/notes/x.txt", "x");
    ASSERT_OPENS(fixture, open_paths(fixture, path_of(fixture, "m"), NULL));
    ASSERT_STEPS(fixture, "2024-01-01_a/migration.sql 2024-01-02_b/up.sql");
    assert_string_equal(fixture->migration.steps.items[1].down_path,
                        path_of(fixture, "m/2024-01-02_b/down.sql"));
}

static void test_migration_file_of_a_directory_is_run_as_there(void **state)
{
    struct fixture *fixture = *state;
    const char *const given[] = {"m/2024_a/migration.sql", "m/2024_a", "m/2024_a/"};

    put_sql(fixture, "m/2024_a/migration.sql", "select 1; select 2;");
    for (size_t i = 0; i < sizeof(given) / sizeof(*given); i++) {
        ASSERT_OPENS(fixture, open_paths(fixture, path_of(fixture, given[i]), NULL));
        ASSERT_STEPS(fixture, "2024_a/migration.sql");
        assert_true(fixture->migration.steps.items[0].tool_transaction);
    }
    put_sql(fixture, "m/migration.sql", "select 1; select 2;");
    ASSERT_OPENS(fixture, open_paths(fixture, path_of(fixture, "m/migration.sql"), NULL));
    ASSERT_STEPS(fixture, "migration.sql");
}

static void test_migration_directory_without_migrations_is_refused(void **state)
{
    struct fixture *fixture = *state;

    put_sql(fixture, "m/README.md", "x");
    assert_refused(fixture, open_paths(fixture, path_of(fixture, "m"), NULL), "no migrations in");
    put_sql(fixture, "m/1_x.down.sql", "select 1;");
    assert_refused(fixture, open_paths(fixture, path_of(fixture, "m"), NULL), "no migrations in");
    put_sql(fixture, "m/2_x.up.sql", "-- x");
    assert_refused(fixture, open_paths(fixture, path_of(fixture, "m"), NULL),
                   "hold no SQL statement");
    put_sql(fixture, "m/3_x.up.sql", "");
    assert_refused(fixture, open_paths(fixture, path_of(fixture, "m"), NULL), "is empty");
}

/* --- --since ------------------------------------------------------------------------------------
 */

static void git(struct fixture *fixture, const char *command)
{
    /* The developer's own configuration must not matter. */
    const char *script = rh_arena_printf(
        fixture->arena,
        "cd '%s' && export HOME=/nonexistent GIT_CONFIG_NOSYSTEM=1 GIT_AUTHOR_NAME=a "
        "GIT_AUTHOR_EMAIL=a@example.org GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@example.org "
        "&& %s",
        fixture->directory, command);
    const char *argv[] = {"sh", "-c", script, NULL};
    struct process_options options = {
        .argv = argv, .stdin_fd = -1, .stdout_fd = -1, .stderr_fd = -1};
    struct process process;
    struct text output, errors;

    ASSERT_OPENS(fixture,
                 rh_process_run(&options, rh_clock_after(rh_clock_mono(), 30000000), 65536,
                                fixture->arena, &process, &output, &errors, &fixture->err));
    if (rh_process_exit_status(&process) != 0)
        fail_msg("%s: %.*s", command, (int)errors.len, errors.data);
}

static void make_repository(struct fixture *fixture)
{
    put_sql(fixture, "db/1_a.sql", "select 1;");
    put_sql(fixture, "db/2_b.sql", "select 2;");
    git(fixture, "git init -q -b main . && git add . && git commit -q -m one "
                 "&& git checkout -q -b feature");
}

static void test_since_takes_what_is_new_on_the_branch(void **state)
{
    struct fixture *fixture = *state;

    make_repository(fixture);
    put_sql(fixture, "db/3_c.sql", "select 3;");
    git(fixture, "git add . && git commit -q -m two");
    put_sql(fixture, "db/4_staged.sql", "select 4;");
    git(fixture, "git add .");
    put_sql(fixture, "db/10_untracked.sql", "select 5;");
    ASSERT_OPENS(fixture, open_since(fixture, "db", "main"));
    ASSERT_START(fixture, "1_a.sql 2_b.sql");
    ASSERT_STEPS(fixture, "3_c.sql 4_staged.sql 10_untracked.sql");
    assert_noted(fixture, "2 files in");
}

static void test_since_ignores_what_came_to_the_other_branch(void **state)
{
    struct fixture *fixture = *state;

    make_repository(fixture);
    put_sql(fixture, "db/3_c.sql", "select 3;");
    git(fixture, "git add . && git commit -q -m two && git checkout -q main");
    put_sql(fixture, "db/2_5_other.sql", "select 2;");
    git(fixture, "git add . && git commit -q -m other && git checkout -q feature");
    ASSERT_OPENS(fixture, open_since(fixture, "db", "main"));
    ASSERT_START(fixture, "1_a.sql 2_b.sql");
    ASSERT_STEPS(fixture, "3_c.sql");
}

static void test_since_tells_changed_renamed_and_deleted_files(void **state)
{
    struct fixture *fixture = *state;

    put_sql(fixture, "db/0_gone.sql", "select 0, 'a text of its own';");
    put_sql(fixture, "db/7_old_name.sql", "select 7, 'some other longer text, seventh';");
    make_repository(fixture);
    git(fixture, "git mv db/7_old_name.sql db/7_new_name.sql && git rm -q db/0_gone.sql");
    put_sql(fixture, "db/2_b.sql", "select 22;");
    ASSERT_OPENS(fixture, open_since(fixture, "db", "main"));
    ASSERT_START(fixture, "1_a.sql 7_new_name.sql");
    ASSERT_STEPS(fixture, "2_b.sql");
    assert_noted(fixture, "2_b.sql was changed since main");
    assert_noted(fixture, "0_gone.sql was deleted since main");
}

static void test_since_starts_with_the_older_form_of_a_repeatable(void **state)
{
    struct fixture *fixture = *state;

    put_sql(fixture, "db/V1__a.sql", "select 1;");
    put_sql(fixture, "db/R__view.sql", "select 'older';");
    git(fixture, "git init -q -b main . && git add . && git commit -q -m one");
    put_sql(fixture, "db/R__view.sql", "select 'newer';");
    ASSERT_OPENS(fixture, open_since(fixture, "db", "main"));
    ASSERT_START(fixture, "V1__a.sql R__view.sql");
    ASSERT_STEPS(fixture, "R__view.sql");
    assert_statement(&fixture->migration.starting_point.items[1], 0, "select 'older';", 1, 1);
    assert_statement(&fixture->migration.steps.items[0], 0, "select 'newer';", 1, 1);
}

static void test_since_with_nothing_new_has_no_steps(void **state)
{
    struct fixture *fixture = *state;

    make_repository(fixture);
    ASSERT_OPENS(fixture, open_since(fixture, "db", "main"));
    assert_int_equal(fixture->migration.steps.count, 0);
    ASSERT_START(fixture, "1_a.sql 2_b.sql");
}

static void test_since_refuses_what_git_does_not_know(void **state)
{
    struct fixture *fixture = *state;

    put_sql(fixture, "db/1_a.sql", "select 1;");
    assert_refused(fixture, open_since(fixture, "db", "main"), "is not in a git repository");
    assert_refused(fixture, open_since(fixture, "none", "main"), "is not a directory");
    git(fixture, "git init -q -b main . && git add . && git commit -q -m one");
    assert_refused(fixture, open_since(fixture, "db", "origin/main"),
                   "git knows no commit \"origin/main\"");
    assert_refused(fixture, open_since(fixture, "db", "--help"), "git knows no commit");
    assert_refused(fixture, open_since(fixture, "db/1_a.sql", "main"), "is a file");
    git(fixture, "git checkout -q --orphan other && git commit -q -m two");
    assert_refused(fixture, open_since(fixture, "db", "main"), "no common ancestor");
}

#define WITH_FIXTURE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FIXTURE(test_migration_file_is_split_with_places),
        WITH_FIXTURE(test_migration_section_keeps_the_places_of_the_file),
        WITH_FIXTURE(test_migration_with_meta_commands_is_for_psql),
        WITH_FIXTURE(test_migration_refuses_bad_files),
        WITH_FIXTURE(test_migration_refuses_a_file_above_the_cap),
        WITH_FIXTURE(test_migration_request_must_name_one_thing),
        WITH_FIXTURE(test_migration_directory_runs_in_natural_order),
        WITH_FIXTURE(test_migration_directory_takes_the_up_files),
        WITH_FIXTURE(test_migration_directory_of_flyway),
        WITH_FIXTURE(test_migration_directory_of_directories),
        WITH_FIXTURE(test_migration_file_of_a_directory_is_run_as_there),
        WITH_FIXTURE(test_migration_directory_without_migrations_is_refused),
        WITH_FIXTURE(test_since_takes_what_is_new_on_the_branch),
        WITH_FIXTURE(test_since_ignores_what_came_to_the_other_branch),
        WITH_FIXTURE(test_since_tells_changed_renamed_and_deleted_files),
        WITH_FIXTURE(test_since_starts_with_the_older_form_of_a_repeatable),
        WITH_FIXTURE(test_since_with_nothing_new_has_no_steps),
        WITH_FIXTURE(test_since_refuses_what_git_does_not_know),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
