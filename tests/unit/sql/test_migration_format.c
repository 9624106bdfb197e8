#include "sql_unit.h"

#include "sql/migration_format.h"

#include <stdio.h>
#include <stdlib.h>

struct fixture {
    struct arena *arena;
    struct migration_format format;
    struct err err;
};

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));

    fixture->arena = rh_arena_new();
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;

    rh_arena_free(fixture->arena);
    free(fixture);
    return 0;
}

static const struct migration_format *read_format(struct fixture *fixture, const char *name,
                                                  const char *text)
{
    if (rh_migration_format(name, rh_text(text), fixture->arena, &fixture->format, &fixture->err))
        fail_msg("%s: %s", name, fixture->err.message);
    return &fixture->format;
}

static void assert_refused(struct fixture *fixture, const char *name, const char *text,
                           const char *message)
{
    assert_int_equal(
        rh_migration_format(name, rh_text(text), fixture->arena, &fixture->format, &fixture->err),
        RH_ERR_USAGE);
    assert_string_equal(fixture->err.message, message);
}

static void test_format_plain_is_the_whole_text(void **state)
{
    const struct migration_format *format = read_format(*state, "20240101120000_x.sql", "select 1");

    assert_int_equal(format->tool, TOOL_PLAIN);
    assert_int_equal(format->role, MIGRATION_UP);
    assert_false(format->tool_transaction);
    assert_text(format->up, "select 1");
    assert_null(format->down.data);
}

static void test_format_goose_has_sections_and_whole_statements(void **state)
{
    const struct migration_format *format = read_format(
        *state, "00001_x.sql",
        "-- +goose Up\nselect 1;\n-- +goose StatementBegin\ncreate function f() as $$ "
        "a;\n b; $$;\n-- +goose StatementEnd\nselect 2;\r\n-- +goose Down\nselect 3;\n");

    assert_int_equal(format->tool, TOOL_GOOSE);
    assert_true(format->tool_transaction);
    assert_int_equal(format->pieces.count, 3);
    assert_text(format->pieces.items[0].text, "select 1;\n");
    assert_false(format->pieces.items[0].is_whole);
    assert_text(format->pieces.items[1].text, "create function f() as $$ a;\n b; $$;\n");
    assert_true(format->pieces.items[1].is_whole);
    assert_text(format->pieces.items[2].text, "select 2;\r\n");
    assert_text(format->down, "select 3;\n");
    assert_int_equal(format->notes.count, 0);
}

static void test_format_goose_without_transaction_and_with_down_first(void **state)
{
    const struct migration_format *format = read_format(
        *state, "1.sql",
        "--+goose NO TRANSACTION\n-- +goose down\nselect 3;\n-- +goose up\n"
        "create index concurrently i on t (a);\n");

    assert_false(format->tool_transaction);
    assert_text(format->up, "create index concurrently i on t (a);\n");
    assert_text(format->down, "select 3;\n");
}

static void test_format_goose_notes_what_is_not_imitated(void **state)
{
    const struct migration_format *format = read_format(
        *state, "1.sql",
        "-- +goose ENVSUB ON\n-- +goose Up\ncreate function f() as $$\n select 1;\n$$;\n");

    assert_int_equal(format->notes.count, 2);
    assert_non_null(strstr(format->notes.items[0], "environment variables (line 1)"));
    assert_non_null(strstr(format->notes.items[1], "behind line 4"));
}

static void test_format_goose_refuses_what_goose_refuses(void **state)
{
    assert_refused(*state, "1.sql", "-- +goose Down\nselect 1;\n",
                   "1.sql has goose annotations but no \"-- +goose Up\"");
    assert_refused(*state, "1.sql", "-- +goose Up\n-- +goose StatementBegin\nselect 1;\n",
                   "1.sql:2: \"-- +goose StatementBegin\" is never ended");
    assert_refused(*state, "1.sql", "-- +goose Up\n-- +goose StatementEnd\n",
                   "1.sql:2: \"-- +goose StatementEnd\" without its StatementBegin");
    assert_refused(*state, "1.sql", "-- +goose Up\n-- +goose Upp\n",
                   "1.sql:2: unknown goose annotation \"Upp\"");
    assert_refused(*state, "1.sql", "-- +goose Up\n-- +goose Up\n",
                   "1.sql:2: second \"-- +goose Up\" in one file");
    assert_refused(*state, "1.sql", "-- x\n\nselect 0;\n-- +goose Up\nselect 1;\n",
                   "1.sql:3: a statement before \"-- +goose\" would never run");
}

static void test_format_dbmate_has_sections_and_options(void **state)
{
    const struct migration_format *format = read_format(
        *state, "1_x.sql", "-- migrate:up\nselect 1;\nselect 2;\n\n-- migrate:down\nselect 3;\n");

    assert_int_equal(format->tool, TOOL_DBMATE);
    assert_true(format->tool_transaction);
    assert_text(format->up, "select 1;\nselect 2;\n\n");
    assert_text(format->down, "select 3;\n");
    assert_false(format->pieces.items[0].is_whole);

    format = read_format(
        *state, "1_x.sql",
        "-- migrate:up transaction:false\ncreate index concurrently i on t (a);\n");
    assert_false(format->tool_transaction);
    assert_true(format->no_transaction);
    assert_true(format->pieces.items[0].is_whole);
    assert_null(format->down.data);

    assert_refused(*state, "1_x.sql", "select 0;\n-- migrate:up\nselect 1;\n",
                   "1_x.sql:1: a statement before \"-- migrate:up\" would never run");
    assert_refused(*state, "1_x.sql", "-- migrate:up\n-- migrate:up\n",
                   "1_x.sql:2: second \"-- migrate:up\" in one file");
}

static void test_format_up_down_runs_several_statements_in_one_transaction(void **state)
{
    const struct migration_format *format = read_format(*state, "1_x.up.sql",
                                                        "select 1;\nselect 2;\n");

    assert_int_equal(format->tool, TOOL_UP_DOWN);
    assert_true(format->tool_transaction);
    assert_false(read_format(*state, "1_x.up.sql", "create index concurrently i on t (a);\n")
                     ->tool_transaction);
    assert_false(
        read_format(*state, "1_x.up.sql", "begin;\nselect 1;\ncommit;\n")->tool_transaction);

    format = read_format(*state, "1_x.up.sql", "-- no-transaction\nselect 1;\nselect 2;\n");
    assert_true(format->no_transaction);
    assert_false(format->tool_transaction);
    assert_true(format->pieces.items[0].is_whole);
    assert_int_equal(read_format(*state, "1_x.down.sql", "select 1;")->role, MIGRATION_DOWN);
}

static void test_format_flyway_runs_in_a_transaction_where_it_can(void **state)
{
    const struct migration_format *format = read_format(*state, "V1_2__x.sql",
                                                        "select 1;\nselect 2;\n");

    assert_int_equal(format->tool, TOOL_FLYWAY);
    assert_int_equal(format->role, MIGRATION_UP);
    assert_true(format->tool_transaction);

    format = read_format(*state, "V2__x.sql", "create index concurrently i on t (a);\n");
    assert_false(format->tool_transaction);
    assert_int_equal(format->notes.count, 0);

    format = read_format(*state, "V2__x.sql",
                         "create index concurrently i on t (a);\nupdate t set a = ${x};\n");
    assert_int_equal(format->notes.count, 2);
    assert_int_equal(read_format(*state, "R__views.sql", "select 1")->role, MIGRATION_REPEATABLE);
    assert_int_equal(read_format(*state, "U1__x.sql", "select 1")->role, MIGRATION_DOWN);
    assert_int_equal(read_format(*state, "B1__x.sql", "select 1")->role, MIGRATION_IGNORED);
    assert_int_equal(read_format(*state, "Views__x.sql", "select 1")->tool, TOOL_PLAIN);
    assert_int_equal(read_format(*state, "V1_x.sql", "select 1")->tool, TOOL_PLAIN);
}

static int compare(const void *a, const void *b)
{
    return rh_migration_compare(*(const char *const *)a, *(const char *const *)b);
}

static void test_order_is_by_version_then_repeatables(void **state)
{
    static const char *const sorted[] = {"V1__a.sql", "V1.1__b.sql", "V1_2__c.sql", "V1.10__d.sql",
                                         "V2__e.sql", "V010__f.sql", "R__a.sql",    "R__b.sql"};
    static const char *const plain[] = {"1_a.up.sql", "2_b.up.sql", "10_c.up.sql",
                                        "20240101120000_d.up.sql"};
    const char *names[COUNT(sorted)];
    (void)state;

    for (size_t i = 0; i < COUNT(sorted); i++)
        names[i] = sorted[COUNT(sorted) - 1 - i];
    qsort(names, COUNT(sorted), sizeof(*names), compare);
    for (size_t i = 0; i < COUNT(sorted); i++)
        assert_string_equal(names[i], sorted[i]);
    for (size_t i = 0; i < COUNT(plain); i++)
        names[i] = plain[COUNT(plain) - 1 - i];
    qsort(names, COUNT(plain), sizeof(*names), compare);
    for (size_t i = 0; i < COUNT(plain); i++)
        assert_string_equal(names[i], plain[i]);
}

static void test_same_version_is_told_by_tool(void **state)
{
    (void)state;
    assert_true(rh_migration_is_same_version("V1__a.sql", TOOL_FLYWAY, "V1.0__b.sql", TOOL_FLYWAY));
    assert_false(
        rh_migration_is_same_version("V1__a.sql", TOOL_FLYWAY, "V1.1__b.sql", TOOL_FLYWAY));
    assert_false(rh_migration_is_same_version("R__a.sql", TOOL_FLYWAY, "R__b.sql", TOOL_FLYWAY));
    assert_true(
        rh_migration_is_same_version("1_a.up.sql", TOOL_UP_DOWN, "001_b.up.sql", TOOL_UP_DOWN));
    assert_true(rh_migration_is_same_version("1_a.sql", TOOL_GOOSE, "1_b.sql", TOOL_GOOSE));
    assert_false(rh_migration_is_same_version("1_a.sql", TOOL_PLAIN, "1_b.sql", TOOL_PLAIN));
    assert_false(rh_migration_is_same_version("a.sql", TOOL_GOOSE, "b.sql", TOOL_GOOSE));
}

static void test_down_names_belong_to_up_names(void **state)
{
    struct fixture *fixture = *state;
    static const char *const names[][2] = {{"d/1_x.up.sql", "d/1_x.down.sql"},
                                           {"d/V1__x.sql", "d/U1__x.sql"},
                                           {"2024_x/up.sql", "2024_x/down.sql"},
                                           {"2024_x/migration.sql", "2024_x/down.sql"},
                                           {"d/x.sql", "d/x.down.sql"}};

    for (size_t i = 0; i < COUNT(names); i++)
        assert_string_equal(rh_migration_down_name(names[i][0], fixture->arena), names[i][1]);
    assert_null(rh_migration_down_name("x.down.sql", fixture->arena));
    assert_null(rh_migration_down_name("R__x.sql", fixture->arena));
    assert_null(rh_migration_down_name("x.txt", fixture->arena));
}

static void test_format_takes_any_bytes(void **state)
{
    static const char *const markers[] = {
        "-- +goose Up\n",      "-- +goose Down\n",     "-- +goose StatementBegin\n",
        "-- migrate:up\n",     "-- migrate:down\n",    "-- +goose StatementEnd\n",
        "-- no-transaction\n", "-- +goose ENVSUB ON\n"};
    static const char *const names[] = {"1.sql", "1.up.sql", "V1__x.sql", "d/up.sql", "R__x.sql"};
    uint64_t random = 5;
    size_t accepted = 0;
    (void)state;

    for (int round = 0; round < 5000; round++) {
        struct arena *arena = rh_arena_new();
        struct migration_format format;
        struct err err = RH_ERR_INIT;
        char bytes[2048];
        size_t len = 0;

        for (uint64_t n = next_random(&random) % 4; n > 0; n--) {
            len += (size_t)snprintf(bytes + len, 64, "%s",
                                    markers[next_random(&random) % COUNT(markers)]);
            len += random_sql(&random, bytes + len, 256);
        }
        if (!rh_migration_format(names[next_random(&random) % COUNT(names)],
                                 (struct text){bytes, len}, arena, &format, &err)) {
            accepted++;
            for (size_t i = 0; i < format.pieces.count; i++)
                assert_true(format.pieces.items[i].text.data >= bytes &&
                            format.pieces.items[i].text.data + format.pieces.items[i].text.len <=
                                bytes + len);
        }
        rh_arena_free(arena);
    }
    assert_in_range(accepted, 500, 5000);
}

#define WITH_FIXTURE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FIXTURE(test_format_plain_is_the_whole_text),
        WITH_FIXTURE(test_format_goose_has_sections_and_whole_statements),
        WITH_FIXTURE(test_format_goose_without_transaction_and_with_down_first),
        WITH_FIXTURE(test_format_goose_notes_what_is_not_imitated),
        WITH_FIXTURE(test_format_goose_refuses_what_goose_refuses),
        WITH_FIXTURE(test_format_dbmate_has_sections_and_options),
        WITH_FIXTURE(test_format_up_down_runs_several_statements_in_one_transaction),
        WITH_FIXTURE(test_format_flyway_runs_in_a_transaction_where_it_can),
        cmocka_unit_test(test_order_is_by_version_then_repeatables),
        cmocka_unit_test(test_same_version_is_told_by_tool),
        WITH_FIXTURE(test_down_names_belong_to_up_names),
        cmocka_unit_test(test_format_takes_any_bytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
