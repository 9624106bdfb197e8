#include "mask_unit.h"

#include <strings.h>

/* E-mail addresses and URLs. */

#define VALUES 100000

static void test_separators_and_top_level_domain_stay(void **state)
{
    static const char *const values[] = {"john.smith@example.com", "a+b_c@mail.example.co.uk",
                                         "Bob <bob@example.org>", "x@localhost", "a@b@c.de"};
    struct arena *arena = rh_arena_new();

    (void)state;
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        const char *masked = masked_by(MASK_EMAIL, "text", values[i], arena);
        assert_int_equal(strlen(masked), strlen(values[i]));
        assert_string_not_equal(masked, values[i]);
        for (size_t at = 0; values[i][at]; at++)
            if (strchr("@.+_<> ", values[i][at]))
                assert_int_equal(masked[at], values[i][at]);
    }
    assert_true(
        rh_text_ends_with(rh_text(masked_by(MASK_EMAIL, "text", values[0], arena)), ".com"));
    assert_true(rh_text_ends_with(rh_text(masked_by(MASK_EMAIL, "text", values[1], arena)), ".uk"));
    assert_true(
        rh_text_ends_with(rh_text(masked_by(MASK_EMAIL, "text", values[2], arena)), ".org>"));
    rh_arena_free(arena);
}

static void test_addresses_of_one_provider_keep_it_in_common(void **state)
{
    struct arena *arena = rh_arena_new();
    const char *one = strchr(masked_by(MASK_EMAIL, "text", "anna@example.com", arena), '@');
    const char *other = strchr(masked_by(MASK_EMAIL, "text", "bob.b@EXAMPLE.com", arena), '@');
    const char *third = strchr(masked_by(MASK_EMAIL, "text", "bob.b@example.org", arena), '@');

    (void)state;
    assert_int_equal(strcasecmp(one, other), 0);
    assert_memory_equal(one, third, strlen("@example."));
    rh_arena_free(arena);
}

/* The host begins anew behind a local part of any length. */
static void test_long_local_parts_change_nothing_in_the_host(void **state)
{
    struct arena *arena = rh_arena_new();
    const char *host = strchr(masked_by(MASK_EMAIL, "text", "a@mail.example.com", arena), '@');

    (void)state;
    for (int len = 1; len < 300; len++) {
        char *value = rh_arena_alloc(arena, 400);
        memset(value, 'x', (size_t)len);
        memcpy(value + len, "@mail.example.com", sizeof("@mail.example.com"));
        assert_string_equal(strchr(masked_by(MASK_EMAIL, "text", value, arena), '@'), host);
    }
    rh_arena_free(arena);
}

static struct text *addresses(const char *format, struct arena *arena)
{
    struct text *values = rh_arena_alloc_array(arena, VALUES, sizeof(*values));
    uint64_t seed = 17;

    for (size_t i = 0; i < VALUES; i++)
        values[i] = rh_text(rh_arena_printf(arena, format, (unsigned)(next_random(&seed) % 50000),
                                            "%aBzY" + next_random(&seed) % 5,
                                            (unsigned)(next_random(&seed) % 40)));
    return values;
}

static void check(enum mask_rule rule, const char *format)
{
    struct arena *arena = rh_arena_new();
    struct mask_map *map = new_map(&(struct mask_map_options){.rule = rule, .type = "text"}, arena);
    const struct text *values = addresses(format, arena);
    const struct text *masked = mask_all(map, values, VALUES, arena);

    for (size_t i = 0; i < VALUES; i += 7) {
        char *lower = rh_text_dup(arena, values[i]), *after = rh_text_dup(arena, masked[i]);
        for (size_t at = 0; lower[at]; at++) {
            lower[at] |= lower[at] >= 'A' && lower[at] <= 'Z' ? 0x20 : 0;
            after[at] |= after[at] >= 'A' && after[at] <= 'Z' ? 0x20 : 0;
        }
        assert_string_equal(mask_one(map, lower, arena), after);
    }
    rh_mask_map_free(map);
    rh_arena_free(arena);
}

static void test_no_two_addresses_meet_and_case_commutes(void **state)
{
    (void)state;
    check(MASK_EMAIL, "u%u@%s-mail%u.com");
    check(MASK_EMAIL, "User.%u%s%u"); /* mostly none */
    check(MASK_URL, "https://u%u@www%s.example.com:80%u/");
    check(MASK_URL, "http://shop.example.com/%u?%s=%%C%u");
}

static void test_urls_keep_scheme_port_and_escapes(void **state)
{
    struct arena *arena = rh_arena_new();
    const char *masked = masked_by(MASK_URL, "text",
                                   "https://me:pw@shop.example.com:8080/a?q=%C3%A9#end", arena);
    const char *other = masked_by(MASK_URL, "text", "http://shop.example.com/b", arena);

    (void)state;
    assert_memory_equal(masked, "https://", 8);
    assert_memory_equal(masked + 13, "@", 1);
    assert_memory_equal(masked + 26, ".com:8080/", 10);
    assert_int_equal(masked[40], '%');
    assert_true(strspn(masked + 41, "0123456789ABCDEF") == 2);
    assert_memory_equal(masked + 14, other + 7, strlen("shop.example.com"));
    assert_memory_not_equal(masked + 14, "shop.example", 12);
    rh_arena_free(arena);
}

static void test_pseudonyms_are_frozen(void **state)
{
    static const struct {
        enum mask_rule rule;
        const char *value, *masked;
    } frozen[] = {
        {MASK_EMAIL, "john.smith@example.com", "wqrt.vmwkf@fxduqvj.com"},
        {MASK_EMAIL, "JOHN@Example.co.uk", "WQRT@Fxduqvj.jh.uk"},
        {MASK_URL, "https://me@shop.example.com:8080/a?q=%C3%A9",
         "https://wi@tspe.rqncuzq.com:8080/k?y=%D4%F0"},
    };
    struct arena *arena = rh_arena_new();

    (void)state;
    for (size_t i = 0; i < sizeof(frozen) / sizeof(frozen[0]); i++)
        assert_string_equal(masked_by(frozen[i].rule, "text", frozen[i].value, arena),
                            frozen[i].masked);
    rh_arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_separators_and_top_level_domain_stay),
        cmocka_unit_test(test_addresses_of_one_provider_keep_it_in_common),
        cmocka_unit_test(test_long_local_parts_change_nothing_in_the_host),
        cmocka_unit_test(test_no_two_addresses_meet_and_case_commutes),
        cmocka_unit_test(test_urls_keep_scheme_port_and_escapes),
        cmocka_unit_test(test_pseudonyms_are_frozen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
