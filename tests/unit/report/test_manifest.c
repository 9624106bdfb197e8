#include "report_unit.h"

static struct manifest *manifest_new(struct arena *arena)
{
    struct manifest *manifest = RH_NEW(arena, struct manifest);
    struct manifest_table *table;

    *manifest = (struct manifest){
        .source = "standby db2:5432/shop",
        .server_version = "15.18",
        .server_major = 15,
        .encoding = "UTF8",
        .wal_position = "0/16B3748",
        .created_at = "2026-11-20T11:00:00.000Z",
        .taken_at = "2026-11-20T10:00:00.000Z",
        .is_masked = true,
        .key_id = "0011223344556677",
        .sample_fraction = 0.05,
        .masked_columns = 2,
        .kept_columns = 1,
        .footprint = {.statements = 31, .bytes_read = 4096, .snapshot_age_us = 2 * S},
    };
    *RH_PUSH(arena, &manifest->footprint.locks) = "AccessShareLock on 3 relations";
    table = RH_PUSH(arena, &manifest->tables);
    *table = (struct manifest_table){
        .identity = "public.users",
        .production_rows = 1000000,
        .rows = 50000,
        .bytes = 1024 * 1024,
        .sample_fraction = 0.05,
        .sample_reason = "root, 5 %",
    };
    *RH_PUSH(arena, &table->columns) = (struct manifest_column){
        "email", "text", "email", "public.users.email", "name says e-mail"};
    *RH_PUSH(arena, &table->columns) = (struct manifest_column){"id", "bigint", "keep", NULL,
                                                                "surrogate key"};
    *RH_PUSH(arena, &manifest->tables) = (struct manifest_table){
        .identity = "public.cache\033[31m", .production_rows = -1, .omitted = "excluded"};
    *RH_PUSH(arena, &manifest->certificates) = (struct manifest_certificate){
        .name = "integrity", .status = "passed", .detail = "all"};
    *RH_PUSH(arena, &manifest->notes) = "large objects were left out";
    return manifest;
}

static const char *shown(struct arena *arena, const struct manifest *manifest,
                         struct manifest_view view)
{
    const struct terminal terminal = {.has_utf8 = true, .columns = 100};
    RH_CLEANUP_BUF struct buf out;

    view.path = "shop.snapshot";
    view.now_us = INT64_C(1795176000) * S;
    rh_buf_init(&out, 1024 * 1024);
    rh_report_manifest(manifest, &terminal, view, &out);
    return rh_text_dup(arena, rh_buf_text(&out));
}

static void assert_says(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("\"%s\" is not in\n%s", part, text);
}

static void test_manifest_shows_tables_masking_certificates_and_cost(void **state)
{
    struct arena *arena = rh_arena_new();
    const char *text = shown(arena, manifest_new(arena), (struct manifest_view){REPORT_NORMAL});

    (void)state;
    assert_says(text, "standby db2:5432/shop, PostgreSQL 15.18");
    assert_says(text, "a sample of 5 %");
    assert_says(text, "2 columns masked, 1 kept; key 0011223344556677");
    assert_says(text, "integrity passed: all");
    assert_says(text, "31 statements, 4 kB read, its snapshot held 2 s");
    assert_says(text, "~1,000,000");
    assert_says(text, "excluded");
    assert_says(text, "large objects were left out");
    assert_null(strstr(text, "\033"));
    assert_null(strstr(text, "name says e-mail"));
    rh_arena_free(arena);
}

static void test_manifest_shows_columns_when_asked(void **state)
{
    struct arena *arena = rh_arena_new();
    const char *text = shown(arena, manifest_new(arena),
                             (struct manifest_view){REPORT_VERBOSE, .shows_columns = true});

    (void)state;
    assert_says(text, "email text: email in domain public.users.email; name says e-mail");
    assert_says(text, "id bigint: keep; surrogate key");
    assert_says(text, "root, 5 %");
    rh_arena_free(arena);
}

static size_t times_said(const char *text, const char *part)
{
    size_t times = 0;

    for (const char *at = text; (at = strstr(at, part)); at++)
        times++;
    return times;
}

static void test_manifest_says_once_what_witnesses_found_and_what_was_not_asked(void **state)
{
    struct arena *arena = rh_arena_new();
    struct manifest *manifest = manifest_new(arena);

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct manifest_witness *witness = RH_PUSH(arena, &manifest->witnesses);

        *witness = (struct manifest_witness){.name = "1.sql", .sha256 = "00"};
        *RH_PUSH(arena, &witness->found) = "duplicates of email: 3 rows forced in";
        *RH_PUSH(arena, &witness->not_covered) = "a clause: not understood";
    }
    const char *text = shown(arena, manifest, (struct manifest_view){REPORT_NORMAL});
    assert_says(text, "witness   duplicates of email: 3 rows forced in\n");
    assert_says(text, "not asked a clause: not understood\n");
    assert_int_equal(times_said(text, "forced in"), 1);
    assert_int_equal(times_said(text, "not understood"), 1);
    rh_arena_free(arena);
}

static void test_manifest_in_brief_counts_settings(void **state)
{
    struct arena *arena = rh_arena_new();
    struct manifest *manifest = manifest_new(arena);

    (void)state;
    *RH_PUSH(arena, &manifest->settings) = (struct catalog_setting){"server", "work_mem", "64MB"};
    const char *text = shown(arena, manifest,
                             (struct manifest_view){REPORT_NORMAL, .is_brief = true});
    assert_says(text, "settings  1 not at the default: see rehearse snapshot inspect");
    assert_null(strstr(text, "work_mem"));
    assert_says(shown(arena, manifest, (struct manifest_view){REPORT_NORMAL}), "work_mem = 64MB");
    rh_arena_free(arena);
}

static void test_manifest_that_is_not_masked_says_so_first(void **state)
{
    struct arena *arena = rh_arena_new();
    struct manifest *manifest = manifest_new(arena);

    (void)state;
    manifest->is_masked = false;
    assert_says(shown(arena, manifest, (struct manifest_view){REPORT_NORMAL}), "NOT MASKED");
    assert_says(shown(arena, manifest, (struct manifest_view){REPORT_QUIET}), "NOT MASKED");
    rh_arena_free(arena);
}

static void test_manifest_in_one_line_when_quiet(void **state)
{
    struct arena *arena = rh_arena_new();
    const char *text = shown(arena, manifest_new(arena), (struct manifest_view){REPORT_QUIET});

    (void)state;
    assert_says(text, "50,000 rows in 1 table");
    assert_ptr_equal(strchr(text, '\n') + 1, text + strlen(text));
    rh_arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_manifest_shows_tables_masking_certificates_and_cost),
        cmocka_unit_test(test_manifest_shows_columns_when_asked),
        cmocka_unit_test(test_manifest_says_once_what_witnesses_found_and_what_was_not_asked),
        cmocka_unit_test(test_manifest_in_brief_counts_settings),
        cmocka_unit_test(test_manifest_that_is_not_masked_says_so_first),
        cmocka_unit_test(test_manifest_in_one_line_when_quiet),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
