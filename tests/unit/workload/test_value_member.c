#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "workload/value_member.h"

static const struct mask_master_key key = {{7}};

static struct mask_map *open_map(struct arena *arena)
{
    static const struct mask_path paths[] = {{.path = "$.status", .rule = MASK_KEEP}};
    const struct mask_map_options options = {.key = &key,
                                             .domain = "public.orders.data",
                                             .rule = MASK_JSON,
                                             .type = "jsonb",
                                             .paths = paths,
                                             .path_count = 1};
    struct mask_map *map = NULL;
    struct err err = RH_ERR_INIT;

    if (rh_mask_map_new(&options, arena, &map, &err))
        fail_msg("%s", err.message);
    return map;
}

static const char *mask(struct mask_map *map, struct arena *arena, const char *members,
                        const char *value)
{
    struct text masked;

    return rh_value_member_mask(map, members, rh_text(value), arena, &masked)
               ? rh_text_dup(arena, masked)
               : NULL;
}

static const char *mask_document(struct mask_map *map, struct arena *arena, const char *document)
{
    struct text value = rh_text(document), masked;

    rh_mask_map_apply(map, &value, 1, arena, &masked);
    return rh_text_dup(arena, masked);
}

static void test_a_members_value_is_what_stands_in_the_masked_document(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct mask_map *map = open_map(arena);
    const char *document = mask_document(map, arena,
                                         "{\"email\": \"ada@example.com\", \"items\": [{\"to\": "
                                         "\"Ada \\\"L\\\" Lovelace\"}], \"n\": 12, "
                                         "\"status\": \"open for Ada\", \"phone\": 49170123456}");
    const char *email = mask(map, arena, "->>email", "ada@example.com");
    const char *name = mask(map, arena, "->items->[]->>to", "Ada \"L\" Lovelace");
    const char *quoted = mask(map, arena, "->email", "\"ada@example.com\"");
    const char *phone = mask(map, arena, "->>phone", "49170123456");

    assert_non_null(strstr(document, rh_arena_printf(arena, "\"%s\"", email)));
    assert_string_equal(quoted, rh_arena_printf(arena, "\"%s\"", email));
    assert_null(strstr(name, "Lovelace"));
    assert_int_equal(strlen(name), strlen("Ada \"L\" Lovelace"));
    /* As it is quoted there: the third letter of the name is behind a backslash. */
    assert_non_null(strstr(document, strrchr(name, ' ')));
    assert_string_equal(mask(map, arena, "->>n", "12"), "12");
    assert_string_equal(mask(map, arena, "->>status", "open for Ada"), "open for Ada");
    assert_string_not_equal(phone, "49170123456");
    assert_non_null(strstr(document, phone));
    rh_mask_map_free(map);
}

static void test_documents_are_compared_with_documents(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct mask_map *map = open_map(arena);
    const char *inner = mask(map, arena, "->who",
                             "{\"email\": \"ada@example.com\", \"n\": [1, null]}");

    assert_null(strstr(inner, "ada"));
    assert_non_null(strstr(inner, "\"n\":[1,null]"));
    assert_string_equal(mask(map, arena, "->n", "12"), "12");
    assert_string_equal(mask(map, arena, "->n", "null"), "null");
    assert_null(mask(map, arena, "->who", "Ada Lovelace"));
    assert_null(mask(map, arena, "->who", "{\"cut"));
    assert_null(mask(map, arena, "->>who", "\xff"));
    rh_mask_map_free(map);
}

static void test_members_are_told_from_columns(void **state)
{
    (void)state;
    assert_null(rh_value_members("public.orders.data"));
    assert_string_equal(rh_value_members("orders.data->a->>b.c"), "->a->>b.c");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_members_value_is_what_stands_in_the_masked_document),
        cmocka_unit_test(test_documents_are_compared_with_documents),
        cmocka_unit_test(test_members_are_told_from_columns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
