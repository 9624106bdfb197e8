#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "model/state_json.h"

static void sample(struct arena *arena, struct schema_state *schema, struct data_state *data)
{
    *schema = (struct schema_state){.lineage = "71/16384"};
    struct state_object *object = RH_PUSH(arena, &schema->objects);
    *object = (struct state_object){.kind = "table column",
                                    .identity = "public.t.a",
                                    .parent = "public.t",
                                    .id = 7,
                                    .sub_id = 1};
    *RH_PUSH(arena, &object->attributes) = (struct state_attribute){"default", "'x\"\n'"};
    *RH_PUSH(arena, &object->attributes) = (struct state_attribute){"type", "text"};
    *RH_PUSH(arena, &schema->objects) = (struct state_object){
        .kind = "schema", .identity = "\"gr\xc3\xbc\xc3\x9f\"", .id = INT64_C(4294967295)};

    *data = (struct data_state){.lineage = "71/16384", .large_objects = 3, .duration_us = 12};
    struct table_state *table = RH_PUSH(arena, &data->tables);
    *table = (struct table_state){.identity = "public.t",
                                  .kind = "table",
                                  .id = 7,
                                  .rows = 5,
                                  .bytes = 8192,
                                  .has_row = true,
                                  .row = {UINT64_MAX, 1},
                                  .sample_parts = SAMPLE_PARTS};
    *RH_PUSH(arena, &table->key) = "a";
    *RH_PUSH(arena, &table->key_is_integer) = true;
    *RH_PUSH(arena, &table->row_columns) = "a";
    *RH_PUSH(arena, &table->columns) = (struct column_state){.name = "a",
                                                             .type = "text",
                                                             .number = 1,
                                                             .non_null = 4,
                                                             .digest = {9, UINT64_MAX - 1},
                                                             .is_integer = true};
    *RH_PUSH(arena, &data->tables) = (struct table_state){
        .identity = "public.f", .kind = "foreign table", .skipped = "it is elsewhere"};
    *RH_PUSH(arena, &data->sequences) = (struct sequence_state){
        .identity = "public.s", .id = 9, .is_used = true, .last_value = -4};
}

static void test_state_json_gives_back_what_it_was_given(void **state)
{
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct schema_state schema, schema_back;
    struct data_state data, data_back;
    struct err err = RH_ERR_INIT;
    (void)state;

    sample(arena, &schema, &data);
    json_t *json = rh_state_to_json(&schema, &data);
    assert_int_equal(rh_state_from_json(json, arena, &schema_back, &data_back, &err), RH_OK);

    assert_string_equal(schema_back.lineage, schema.lineage);
    assert_int_equal(schema_back.objects.count, 2);
    const struct state_object *object = &schema_back.objects.items[0];
    assert_string_equal(object->parent, "public.t");
    assert_int_equal(object->sub_id, 1);
    assert_int_equal(object->attributes.count, 2);
    assert_string_equal(object->attributes.items[0].name, "default");
    assert_string_equal(object->attributes.items[0].value, "'x\"\n'");
    assert_null(schema_back.objects.items[1].parent);
    assert_int_equal(schema_back.objects.items[1].id, INT64_C(4294967295));

    const struct table_state *table = &data_back.tables.items[0];
    assert_true(table->has_row && rh_digest_equals(table->row, (struct digest){UINT64_MAX, 1}));
    assert_int_equal(table->sample_parts, SAMPLE_PARTS);
    assert_string_equal(table->key.items[0], "a");
    assert_true(
        rh_digest_equals(table->columns.items[0].digest, (struct digest){9, UINT64_MAX - 1}));
    assert_int_equal(table->columns.items[0].non_null, 4);
    assert_true(table->columns.items[0].is_integer && table->key_is_integer.items[0]);
    assert_false(data_back.tables.items[1].has_row);
    assert_string_equal(data_back.tables.items[1].skipped, "it is elsewhere");
    assert_int_equal(data_back.sequences.items[0].last_value, -4);
    assert_int_equal(data_back.large_objects, 3);

    /* The whole of it: what was read is written as it was. */
    json_t *again = rh_state_to_json(&schema_back, &data_back);
    assert_true(json_equal(json, again));
    json_decref(again);
    json_decref(json);
}

/* Every member, taken away or turned into something else, is missed. */
static void test_state_json_refuses_what_is_not_whole(void **state)
{
    static const char *const members[] = {"format",        "schema_lineage", "objects",
                                          "data_lineage",  "tables",         "sequences",
                                          "large_objects", "duration_us"};
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct schema_state schema;
    struct data_state data;
    (void)state;

    sample(arena, &schema, &data);
    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++)
        for (int wrong = 0; wrong < 2; wrong++) {
            struct err err = RH_ERR_INIT;
            json_t *json = rh_state_to_json(&schema, &data);
            if (wrong)
                json_object_set_new(json, members[i], json_true());
            else
                json_object_del(json, members[i]);
            assert_int_equal(rh_state_from_json(json, arena, &schema, &data, &err), RH_ERR_FORMAT);
            assert_non_null(strstr(err.message, members[i]));
            json_decref(json);
        }
    struct err err = RH_ERR_INIT;
    json_t *json = rh_state_to_json(&schema, &data);
    json_t *column = json_array_get(
        json_object_get(json_array_get(json_object_get(json, "tables"), 0), "columns"), 0);
    json_object_set_new(column, "digest", json_string("123"));
    assert_int_equal(rh_state_from_json(json, arena, &schema, &data, &err), RH_ERR_FORMAT);
    json_decref(json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_state_json_gives_back_what_it_was_given),
        cmocka_unit_test(test_state_json_refuses_what_is_not_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
