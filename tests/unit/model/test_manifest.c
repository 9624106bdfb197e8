#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "model/manifest.h"

#include <string.h>

static int set_up(void **state)
{
    *state = rh_arena_new();
    return 0;
}

static int tear_down(void **state)
{
    rh_arena_free(*state);
    return 0;
}

static void fill_table(struct manifest *manifest, struct arena *arena)
{
    struct manifest_table *table = RH_PUSH(arena, &manifest->tables);

    *table = (struct manifest_table){
        .schema = "public",
        .name = "Users",
        .identity = "public.\"Users\"",
        .production_rows = 1000,
        .production_pages = -1,
        .production_bytes = 8192,
        .rows = 50,
        .bytes = 1234,
        .sample_fraction = 0.05,
        .sample_reason = "root, 5 %",
        .has_checksum = true,
        .checksum = {.high = 0x00ff00ff12345678, .low = 0xfedcba9876543210},
    };
    *RH_PUSH(arena, &table->columns) = (struct manifest_column){
        .name = "email",
        .type = "text",
        .rule = "email",
        .domain = "public.Users.email",
        .reason = "name says e-mail",
    };
    *RH_PUSH(arena, &table->columns) = (struct manifest_column){
        .name = "id", .type = "integer", .rule = "keep"};
    *RH_PUSH(arena, &manifest->tables) = (struct manifest_table){
        .schema = "public",
        .name = "cache",
        .identity = "public.cache",
        .production_rows = -1,
        .rows_exact = true,
        .sample_fraction = 1,
        .omitted = "unlogged on a standby",
    };
}

static struct manifest filled(struct arena *arena)
{
    struct manifest manifest = {
        .rehearse_version = "0.1.0",
        .created_at = "2026-11-20T10:00:00.000Z",
        .source = "standby db2:5432/shop",
        .dump_version = "15.18",
        .duration_us = 1500250,
        .server_version = "15.18",
        .server_major = 15,
        .database = "shop \xc3\xa9",
        .encoding = "UTF8",
        .is_standby = true,
        .wal_position = "0/16B3748",
        .taken_at = "2026-11-20T10:00:00.000Z",
        .is_masked = true,
        .key_id = "a1b2c3d4",
        .sample_fraction = 0.05,
        .masked_columns = 7,
        .kept_columns = 9,
        .footprint = {.statements = 31, .bytes_read = 4096, .snapshot_age_us = 2000000},
        .large_objects = 2,
        .large_object_bytes = 2048,
    };

    *RH_PUSH(arena, &manifest.footprint.locks) = "AccessShareLock on 31 tables";
    *RH_PUSH(arena, &manifest.extensions) = (struct catalog_extension){"hstore", "1.8", "public"};
    *RH_PUSH(arena, &manifest.collations) = (struct catalog_collation){"database", "libc",
                                                                       "C.UTF-8", NULL, NULL};
    *RH_PUSH(arena, &manifest.settings) = (struct catalog_setting){"server", "work_mem", "64MB"};
    *RH_PUSH(arena, &manifest.replicas) = (struct catalog_replica){"r1", "streaming", "async", -1};
    *RH_PUSH(arena, &manifest.roles) = "app";
    fill_table(&manifest, arena);

    struct manifest_certificate *certificate = RH_PUSH(arena, &manifest.certificates);

    *certificate = (struct manifest_certificate){.name = "integrity", .status = "passed"};
    *RH_PUSH(arena, &certificate->notes) = "2 tables";
    *RH_PUSH(arena, &manifest.notes) = "statistics are not in it";
    return manifest;
}

static void test_manifest_survives_json_with_every_member(void **state)
{
    struct arena *arena = *state;
    struct manifest manifest = filled(arena), read = {0};
    struct err err = RH_ERR_INIT;
    json_t *json = rh_manifest_to_json(&manifest);
    json_t *again;

    assert_int_equal(rh_manifest_from_json(json, arena, &read, &err), RH_OK);
    again = rh_manifest_to_json(&read);
    if (!json_equal(json, again)) {
        char *was = json_dumps(json, JSON_INDENT(1)), *is = json_dumps(again, JSON_INDENT(1));

        fail_msg("%s\n-- is not --\n%s", is, was);
    }
    assert_int_equal(read.tables.count, 2);
    assert_true(rh_digest_equals(read.tables.items[0].checksum, manifest.tables.items[0].checksum));
    assert_true(read.tables.items[0].has_checksum);
    assert_false(read.tables.items[1].has_checksum);
    assert_int_equal(read.tables.items[1].production_rows, -1);
    assert_int_equal(read.tables.items[0].columns.count, 2);
    assert_null(read.tables.items[0].columns.items[1].domain);
    assert_string_equal(read.tables.items[1].omitted, "unlogged on a standby");
    assert_int_equal(read.duration_us, 1500250);
    assert_string_equal(read.database, "shop \xc3\xa9");
    assert_string_equal(read.footprint.locks.items[0], "AccessShareLock on 31 tables");
    assert_string_equal(read.certificates.items[0].notes.items[0], "2 tables");
    assert_null(read.seed_id);
    json_decref(json);
    json_decref(again);
}

static void test_manifest_checksum_is_hexadecimal_high_half_first(void **state)
{
    struct manifest manifest = filled(*state);
    json_t *json = rh_manifest_to_json(&manifest);
    const json_t *table = json_array_get(json_object_get(json, "tables"), 0);

    assert_string_equal(json_string_value(json_object_get(table, "checksum")),
                        "00ff00ff12345678fedcba9876543210");
    json_decref(json);
}

static void test_manifest_skips_members_of_a_newer_minor_version(void **state)
{
    struct manifest manifest = filled(*state), read;
    struct err err = RH_ERR_INIT;
    json_t *json = rh_manifest_to_json(&manifest);

    json_object_set_new(json, "format_version", json_string("1.7"));
    json_object_set_new(json, "later", json_true());
    assert_int_equal(rh_manifest_from_json(json, *state, &read, &err), RH_OK);
    json_decref(json);
}

/* The member at `path` ("tables.0.rows") becomes `value` (taken), or goes when that is NULL. */
static void spoil(json_t *json, const char *path, json_t *value)
{
    const char *dot;

    while ((dot = strchr(path, '.')) != NULL) {
        char name[32] = "";

        memcpy(name, path, (size_t)(dot - path));
        json = json_is_array(json) ? json_array_get(json, (size_t)(name[0] - '0'))
                                   : json_object_get(json, name);
        assert_non_null(json);
        path = dot + 1;
    }
    if (value && json_is_array(json))
        assert_int_equal(json_array_set_new(json, (size_t)(path[0] - '0'), value), 0);
    else if (value)
        assert_int_equal(json_object_set_new(json, path, value), 0);
    else
        assert_int_equal(json_object_del(json, path), 0);
}

static void assert_refused(struct arena *arena, const char *path, json_t *value,
                           const char *expected)
{
    struct manifest manifest = filled(arena), read = {.server_major = 99};
    struct err err = RH_ERR_INIT;
    json_t *json = rh_manifest_to_json(&manifest);

    spoil(json, path, value);
    assert_int_equal(rh_manifest_from_json(json, arena, &read, &err), RH_ERR_USAGE);
    assert_string_equal(err.message, expected);
    assert_int_equal(read.server_major, 99);
    json_decref(json);
}

static void test_manifest_names_the_member_that_is_wrong(void **state)
{
    assert_refused(*state, "source", NULL, "the manifest lacks \"source\"");
    assert_refused(*state, "source", json_null(), "\"source\" in the manifest is not a text");
    assert_refused(*state, "key_id", json_integer(1), "\"key_id\" in the manifest is not a text");
    assert_refused(*state, "source", json_stringn("a\0b", 3),
                   "\"source\" in the manifest is not a text");
    assert_refused(*state, "is_masked", json_integer(1),
                   "\"is_masked\" in the manifest is not true or false");
    assert_refused(*state, "server_major", json_integer(INT64_C(1) << 40),
                   "\"server_major\" in the manifest is not a whole number in range");
    assert_refused(*state, "tables", json_object(), "\"tables\" in the manifest is not a list");
    assert_refused(*state, "tables.1", json_null(),
                   "\"tables[1]\" in the manifest is not an object");
    assert_refused(*state, "tables.0.rows", json_integer(-3),
                   "\"tables[0].rows\" in the manifest is not a whole number in range");
    assert_refused(*state, "tables.0.rows", json_real(3.5),
                   "\"tables[0].rows\" in the manifest is not a whole number in range");
    assert_refused(*state, "tables.0.sample_fraction", json_real(1.01),
                   "\"tables[0].sample_fraction\" in the manifest is not a number in range");
    assert_refused(*state, "tables.0.columns.1.rule", NULL,
                   "the manifest lacks \"tables[0].columns[1].rule\"");
    assert_refused(
        *state, "tables.0.checksum", json_string("00ff00ff12345678fedcba987654321G"),
        "\"tables[0].checksum\" in the manifest is not a checksum of 32 hexadecimal digits");
    assert_refused(*state, "footprint.snapshot_age_ms", json_string("1"),
                   "\"footprint.snapshot_age_ms\" in the manifest is not a number in range");
    assert_refused(*state, "roles.0", json_false(), "\"roles[0]\" in the manifest is not a text");
}

static void test_manifest_refuses_what_is_none_and_newer_formats(void **state)
{
    assert_refused(*state, "format_version", NULL,
                   "this is no manifest of a snapshot: it has no \"format_version\"");
    assert_refused(*state, "format_version", json_string("one"),
                   "this is no manifest of a snapshot: it has no \"format_version\"");
    assert_refused(*state, "format_version", json_string("2.0"),
                   "the manifest is of format 2.0, which this version does not know");
}

static void test_manifest_certificate_is_found_by_its_name(void **state)
{
    struct manifest manifest = {0};
    (void)state;

    assert_null(rh_manifest_certificate(&manifest, "leak"));
    struct manifest_certificate certificates[] = {{.name = "shape", .status = CERTIFICATE_PASSED},
                                                  {.name = "leak", .status = CERTIFICATE_FAILED}};
    manifest.certificates.items = certificates;
    manifest.certificates.count = 2;
    assert_ptr_equal(rh_manifest_certificate(&manifest, "leak"), &certificates[1]);
    assert_null(rh_manifest_certificate(&manifest, "integrity"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_manifest_survives_json_with_every_member, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_manifest_checksum_is_hexadecimal_high_half_first,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_manifest_skips_members_of_a_newer_minor_version,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_manifest_names_the_member_that_is_wrong, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_manifest_refuses_what_is_none_and_newer_formats,
                                        set_up, tear_down),
        cmocka_unit_test(test_manifest_certificate_is_found_by_its_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
