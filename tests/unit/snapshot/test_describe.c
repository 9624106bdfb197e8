#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "snapshot/describe.h"

#include <string.h>

enum { WHOLE, SAMPLED, UNLOGGED, FOREIGN, PARTITIONED, TABLES };

struct fixture {
    struct arena *arena;
    struct catalog catalog;
    struct masking masking;
    struct sample_plan sample;
    bool is_omitted[TABLES];
    struct dumped_table dumped[TABLES];
    struct dump_result dump;
    struct description description;
    struct manifest manifest;
};

static void add_table(struct fixture *fixture, const char *name, char kind)
{
    struct catalog_table *table = RH_PUSH(fixture->arena, &fixture->catalog.tables);
    struct sample_table *sample = RH_PUSH(fixture->arena, &fixture->sample.tables);

    *table = (struct catalog_table){
        .schema = "public",
        .name = name,
        .identity = rh_arena_printf(fixture->arena, "public.%s", name),
        .kind = kind,
        .rows_estimate = 1000,
        .pages = 8,
        .bytes = 65536,
    };
    *RH_PUSH(fixture->arena, &table->columns) = (struct catalog_column){
        .number = 1, .name = "id", .type = "bigint"};
    *RH_PUSH(fixture->arena, &table->columns) = (struct catalog_column){
        .number = 3, .name = "mail", .type = "text"};
    *sample = (struct sample_table){.is_whole = true};
}

static int set_up(void **state)
{
    struct arena *arena = rh_arena_new();
    struct fixture *fixture = RH_NEW(arena, struct fixture);

    fixture->arena = arena;
    add_table(fixture, "whole", 'r');
    add_table(fixture, "sampled", 'r');
    add_table(fixture, "unlogged", 'r');
    add_table(fixture, "far", 'f');
    add_table(fixture, "parted", 'p');
    fixture->sample.tables.items[SAMPLED] = (struct sample_table){
        .fraction = 0.05, .reason = "root, 5 %", .condition_sql = "id < 9"};
    fixture->catalog.tables.items[UNLOGGED].is_unlogged = true;
    for (size_t i = 0; i < TABLES; i++)
        *RH_PUSH(arena, &fixture->masking.columns) = (struct masked_column){
            .table = i, .column = 3, .rule = MASK_EMAIL, .domain = "d", .reason = "name"};
    fixture->dumped[WHOLE] = (struct dumped_table){.is_dumped = true,
                                                   .totals = {.rows = 1204, .bytes_out = 99}};
    fixture->dumped[SAMPLED] = (struct dumped_table){.is_dumped = true,
                                                     .totals = {.rows = 50, .bytes_out = 9}};
    fixture->dump = (struct dump_result){.tables = fixture->dumped, .statements = 7};
    fixture->description = (struct description){
        .catalog = &fixture->catalog,
        .dump = &fixture->dump,
        .fraction = 1,
    };
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    rh_arena_free(((struct fixture *)*state)->arena);
    return 0;
}

static const struct manifest_table *described(struct fixture *fixture, const char *name)
{
    memset(&fixture->manifest, 0, sizeof(fixture->manifest));
    rh_describe_snapshot(&fixture->description, fixture->arena, &fixture->manifest);
    for (size_t i = 0; i < fixture->manifest.tables.count; i++)
        if (strcmp(fixture->manifest.tables.items[i].name, name) == 0)
            return &fixture->manifest.tables.items[i];
    return NULL;
}

static void test_describe_rows_of_a_whole_table_are_production_s(void **state)
{
    const struct manifest_table *table = described(*state, "whole");

    assert_int_equal(table->production_rows, 1204); /* not the estimate */
    assert_true(table->rows_exact);
    assert_true(table->sample_fraction == 1);
    assert_true(table->has_checksum);
    assert_null(table->sample_reason);
}

static void test_describe_a_sample_has_an_estimate_and_a_reason(void **state)
{
    struct fixture *fixture = *state;
    const struct manifest_table *table;

    fixture->description.sample = &fixture->sample;
    table = described(fixture, "sampled");
    assert_int_equal(table->production_rows, 1000);
    assert_false(table->rows_exact);
    assert_true(table->sample_fraction == 0.05);
    assert_string_equal(table->sample_reason, "root, 5 %");
    assert_false(fixture->manifest.is_complete);
    /* An estimate that is too small, or none. */
    fixture->catalog.tables.items[SAMPLED].rows_estimate = 3;
    table = described(fixture, "sampled");
    assert_int_equal(table->production_rows, 50);
    assert_true(table->sample_fraction == 1);
    fixture->catalog.tables.items[SAMPLED].rows_estimate = -1;
    fixture->dumped[SAMPLED].totals.rows = 0;
    table = described(fixture, "sampled");
    assert_true(table->sample_fraction == 0.05);
}

static void test_describe_says_why_rows_are_not_there(void **state)
{
    struct fixture *fixture = *state;

    fixture->description.is_standby = true;
    assert_non_null(strstr(described(fixture, "unlogged")->omitted, "unlogged on a standby"));
    assert_false(described(fixture, "unlogged")->has_checksum);
    assert_non_null(strstr(described(fixture, "far")->omitted, "foreign table"));
    assert_null(described(fixture, "parted"));
    fixture->is_omitted[WHOLE] = true;
    fixture->description.is_omitted = fixture->is_omitted;
    assert_string_equal(described(fixture, "whole")->omitted, "excluded");
    assert_false(fixture->manifest.is_complete);
}

static void test_describe_columns_have_their_decision(void **state)
{
    struct fixture *fixture = *state;
    const struct manifest_table *table = described(fixture, "whole");

    assert_string_equal(table->columns.items[1].rule, "keep");
    assert_string_equal(table->columns.items[1].reason, "--unmasked");
    assert_false(fixture->manifest.is_masked);
    assert_int_equal(fixture->manifest.masked_columns, 0);

    fixture->description.masking = &fixture->masking;
    table = described(fixture, "whole");
    assert_string_equal(table->columns.items[1].rule, "email");
    assert_string_equal(table->columns.items[1].domain, "d");
    assert_true(fixture->manifest.is_masked);
    assert_int_equal(fixture->manifest.masked_columns, 4); /* of those described */
    assert_int_equal(fixture->manifest.kept_columns, 4);
}

static void test_describe_problems_of_the_plan_are_notes(void **state)
{
    struct fixture *fixture = *state;

    *RH_PUSH(fixture->arena, &fixture->masking.problems) = (struct masking_problem){
        .table = "public.whole", .column = "mail", .sentence = "a CHECK was not understood"};
    fixture->description.masking = &fixture->masking;
    described(fixture, "whole");
    assert_int_equal(fixture->manifest.notes.count, 1);
    assert_string_equal(fixture->manifest.notes.items[0],
                        "public.whole.mail: a CHECK was not understood");
}

static void test_describe_witnesses_are_no_notes(void **state)
{
    struct fixture *fixture = *state;
    struct sample_options options = {.fraction = 1};

    for (size_t i = 0; i < 2; i++)
        *RH_PUSH(fixture->arena,
                 &options.witness_files) = (struct sample_witness_file){.name = "1.sql"};
    *RH_PUSH(fixture->arena, &fixture->sample.witnesses) = "duplicates: 3 rows forced in";
    *RH_PUSH(fixture->arena, &fixture->sample.not_covered) = "a clause: not understood";
    fixture->description.sample = &fixture->sample;
    fixture->description.sample_options = &options;
    described(fixture, "whole");
    assert_int_equal(fixture->manifest.notes.count, 0);
    assert_int_equal(fixture->manifest.witnesses.count, 2);
    assert_string_equal(fixture->manifest.witnesses.items[1].not_covered.items[0],
                        "a clause: not understood");
}

static void test_describe_footprint_counts_our_own_session_too(void **state)
{
    struct fixture *fixture = *state;

    fixture->dump.bytes_read = 1000;
    fixture->description.traffic = (struct connection_traffic){.statements = 20,
                                                               .bytes_received = 300};
    described(fixture, "whole");
    assert_int_equal(fixture->manifest.footprint.statements, 27);
    assert_int_equal(fixture->manifest.footprint.bytes_read, 1300);
}

static void test_describe_notes_of_views_take_no_other_table_s_with_them(void **state)
{
    struct fixture *fixture = *state;
    static const char *const sentences[] = {
        "rows of public.view: no rights", "rows of public.views: no rights",
        "rows of public.view, public.whole: no rights", "replicas, their state and lag: no rights",
        "what view public.view joins: too long"};

    fixture->catalog.tables.items[FOREIGN].identity = "public.view";
    for (size_t i = 0; i < sizeof(sentences) / sizeof(*sentences); i++)
        *RH_PUSH(fixture->arena, &fixture->catalog.not_observed) = sentences[i];
    described(fixture, "whole");
    assert_int_equal(fixture->manifest.notes.count, 3);
    assert_string_equal(fixture->manifest.notes.items[0], sentences[1]);
    assert_string_equal(fixture->manifest.notes.items[1], sentences[2]);
    assert_string_equal(fixture->manifest.notes.items[2], sentences[3]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_describe_rows_of_a_whole_table_are_production_s,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_describe_a_sample_has_an_estimate_and_a_reason, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_describe_says_why_rows_are_not_there, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_describe_columns_have_their_decision, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(
            test_describe_notes_of_views_take_no_other_table_s_with_them, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_describe_problems_of_the_plan_are_notes, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_describe_witnesses_are_no_notes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_describe_footprint_counts_our_own_session_too, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
