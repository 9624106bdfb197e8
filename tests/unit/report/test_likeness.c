/* The lines on production and on how the sandbox came to be. */
#include "report_unit.h"

#include "report/report_int.h"

static const char *text_of(struct arena *arena, const struct likeness *likeness,
                           enum report_detail detail)
{
    const struct terminal terminal = {.has_utf8 = true, .columns = 100};
    RH_CLEANUP_BUF struct buf out;
    rh_buf_init(&out, 1 << 20);
    struct layout layout = rh_layout(arena, &terminal, &out);
    rh_report_likeness(&layout, likeness, detail);
    return rh_text_dup(arena, rh_buf_text(&out));
}

static void add_certificate(struct arena *arena, struct likeness *likeness, const char *name,
                            const char *status)
{
    *RH_PUSH(arena, &likeness->certificates) = (struct manifest_certificate){.name = name,
                                                                             .status = status};
}

static void test_likeness_says_nothing_of_a_plain_dump(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    const struct likeness likeness = {0};
    assert_string_equal(text_of(arena, &likeness, REPORT_VERBOSE), "");
}

static void test_likeness_says_what_of_production_is_here(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct likeness likeness = {.has_manifest = true,
                                .production_version = "16.2",
                                .is_standby = true,
                                .is_masked = true,
                                .production_rows = 1200000000,
                                .rows = 12000000,
                                .settings_kept = 14};
    *RH_PUSH(arena, &likeness.sampled) = (struct sampled_table){.relation = "public.users"};
    add_certificate(arena, &likeness, "integrity", "passed");
    add_certificate(arena, &likeness, "shape", "passed");
    add_certificate(arena, &likeness, "leak", "not-observed");
    *RH_PUSH(arena, &likeness.settings_not_kept) = "shared_buffers = 64GB (server): too much";
    *RH_PUSH(arena, &likeness.weakened) = "public.users: email is masked.";
    *RH_PUSH(arena, &likeness.not_covered) = "duplicates of users (email)";
    assert_string_equal(text_of(arena, &likeness, REPORT_NORMAL),
                        "copy of   PostgreSQL 16.2, a standby · 12.0 M of its 1.2 bn rows · "
                        "certificates: integrity, shape\n"
                        "          passed · leak not observed · 14 settings kept\n"
                        "not kept  shared_buffers = 64GB (server): too much\n"
                        "masked    public.users: email is masked.\n"
                        "not asked duplicates of users (email)\n");
    likeness.sampled.count = 0;
    likeness.is_masked = false;
    likeness.production_rows = likeness.rows = 5;
    const char *text = text_of(arena, &likeness, REPORT_NORMAL);
    assert_contains(text, "all of its 5 rows");
    assert_contains(text, "not masked");
}

static void test_likeness_says_how_the_sandbox_came_to_be(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    const struct terminal terminal = {.has_utf8 = true, .columns = 100};
    struct layout layout = rh_layout(arena, &terminal, NULL);
    struct fidelity fidelity = {0};
    assert_string_equal(rh_report_sandbox_state(&layout, &fidelity), "warm");
    fidelity.from_cache = true;
    assert_string_equal(rh_report_sandbox_state(&layout, &fidelity), "from the cache · warm");
    fidelity.prepared_s = 11040;
    fidelity.is_cold = true;
    assert_string_equal(rh_report_sandbox_state(&layout, &fidelity),
                        "from the cache, prepared 3 h ago · cold");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_likeness_says_nothing_of_a_plain_dump),
        cmocka_unit_test(test_likeness_says_what_of_production_is_here),
        cmocka_unit_test(test_likeness_says_how_the_sandbox_came_to_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
