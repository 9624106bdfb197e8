/* Numbers of types, from those of the recording to those of the target. */
#include "replay/oid_map.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* mood 20001, its array 20002, a composite 20003, a range over it 20004, one that is missing */
static const struct workload_type types[] = {
    {20001, "public", "mood", 'e', 0}, {20002, "public", "_mood", 'b', 20001},
    {20003, "public", "pair", 'c', 0}, {20004, "public", "span", 'r', 0},
    {20005, "public", "gone", 'e', 0}, {20006, "public", "same", 'e', 0},
    {20007, "public", "spans", 'm', 0}};
static const struct target_type target[] = {{30001, "public", "mood"}, {30002, "public", "_mood"},
                                            {30003, "public", "pair"}, {30004, "public", "span"},
                                            {20006, "public", "same"}, {30009, "other", "mood"},
                                            {30007, "public", "spans"}};

struct fixture {
    struct arena *arena;
    struct oid_map *map;
    struct oid_session *session;
};

static int set_up(void **state)
{
    static struct fixture f;
    f.arena = rh_arena_new();
    f.map = rh_oid_map_new(f.arena, types, sizeof(types) / sizeof(*types), target,
                           sizeof(target) / sizeof(*target));
    f.session = rh_oid_session_new();
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    rh_oid_session_free(f->session);
    rh_arena_free(f->arena);
    return 0;
}

static void test_oid_map_finds_by_name(void **state)
{
    const struct fixture *f = *state;
    struct oid_map_facts facts = rh_oid_map_facts(f->map);
    assert_true(rh_oid_map_is_needed(f->map));
    assert_int_equal(facts.types, 7);
    assert_int_equal(facts.missing, 1);
    assert_int_equal(facts.moved, 5);
    assert_string_equal(facts.first_missing, "public.gone");
}

/* Bytes of mood's number before and after: 20001 = 4e21, 30001 = 7531. */
#define PARSE(oid) "s\0select $1, $2\0\0\2\0\0\0\x19\0\0" oid

static size_t map(struct fixture *f, unsigned char type, char *body, size_t length)
{
    return rh_oid_map_message(f->map, f->session, type, body, length);
}

static void test_oid_map_parse_types_are_translated(void **state)
{
    char body[] = PARSE("\x4e\x21"), expected[] = PARSE("\x75\x31");
    assert_int_equal(map(*state, 'P', body, sizeof(body) - 1), 1);
    assert_memory_equal(body, expected, sizeof(body));
    /* That the target has not keeps its number. */
    char missing[] = PARSE("\x4e\x25"), kept[] = PARSE("\x4e\x25");
    assert_int_equal(map(*state, 'P', missing, sizeof(missing) - 1), 0);
    assert_memory_equal(missing, kept, sizeof(kept));
}

/* Bind of one binary parameter to statement s. */
#define BIND(length, value) "\0s\0\0\1\0\1\0\1\0\0\0" length value "\0\0"
#define ARRAY(oid) "\0\0\0\1\0\0\0\0\0\0" oid "\0\0\0\1\0\0\0\1\0\0\0\2ok"

static void test_oid_map_undeclared_array_is_recognised(void **state)
{
    char body[] = BIND("\x1a", ARRAY("\x4e\x21")), expected[] = BIND("\x1a", ARRAY("\x75\x31"));
    assert_int_equal(map(*state, 'B', body, sizeof(body) - 1), 1);
    assert_memory_equal(body, expected, sizeof(body));
}

static void test_oid_map_text_and_bytes_of_other_shapes_stay(void **state)
{
    /* The same bytes as text; an array cut short; an array of a type that is everywhere. */
    char text[] = "\0s\0\0\1\0\0\0\1\0\0\0\x1a" ARRAY("\x4e\x21") "\0\0";
    char cut[] = BIND("\x19", "\0\0\0\1\0\0\0\0\0\0\x4e\x21\0\0\0\1\0\0\0\1\0\0\0\2o");
    char plain[] = BIND("\x1a", ARRAY("\0\x19"));
    char kept[sizeof(text)];
    memcpy(kept, text, sizeof(text));
    assert_int_equal(map(*state, 'B', text, sizeof(text) - 1), 0);
    assert_memory_equal(kept, text, sizeof(text));
    assert_int_equal(map(*state, 'B', cut, sizeof(cut) - 1), 0);
    assert_int_equal(map(*state, 'B', plain, sizeof(plain) - 1), 0);
}

/* A composite of (mood, array of mood), in a range of such. */
#define COMPOSITE(oid, array) "\0\0\0\2\0\0" oid "\0\0\0\2ok\0\0" array "\0\0\0\x1a" ARRAY(oid)
#define RANGE(oid, array) "\x08\0\0\0\x30" COMPOSITE(oid, array)

static void test_oid_map_declared_range_of_composites_is_walked(void **state)
{
    char parse[] = "s\0select $1\0\0\1\0\0\x4e\x24";
    char body[] = BIND("\x35", RANGE("\x4e\x21", "\x4e\x22"));
    char expected[] = BIND("\x35", RANGE("\x75\x31", "\x75\x32"));
    assert_int_equal(map(*state, 'P', parse, sizeof(parse) - 1), 1);
    assert_int_equal(map(*state, 'B', body, sizeof(body) - 1), 3);
    assert_memory_equal(body, expected, sizeof(body));
}

static void test_oid_map_function_call_arguments_are_walked(void **state)
{
    char body[] = "\0\0\x10\0\0\1\0\1\0\1\0\0\0\x1a" ARRAY("\x4e\x21") "\0\1";
    assert_int_equal(map(*state, 'F', body, sizeof(body) - 1), 1);
}

static void test_oid_map_malformed_messages_stay(void **state)
{
    /* Every prefix of each, and lengths that lie. */
    char parse[] = PARSE("\x4e\x21"), bind[] = BIND("\x1a", ARRAY("\x4e\x21"));
    char lying[] = BIND("\xff", ARRAY("\x4e\x21"));
    for (size_t i = 0; i + 1 < sizeof(parse) - 1; i++)
        assert_int_equal(map(*state, 'P', parse, i), 0);
    for (size_t i = 0; i < 13; i++)
        assert_int_equal(map(*state, 'B', bind, i), 0);
    assert_int_equal(map(*state, 'B', lying, sizeof(lying) - 1), 0);
}

static void test_oid_map_same_numbers_need_no_translation(void **state)
{
    const struct fixture *f = *state;
    const struct target_type same[] = {{20001, "public", "mood"}};
    struct oid_map *none = rh_oid_map_new(f->arena, types, 1, same, 1);
    assert_false(rh_oid_map_is_needed(none));
}

static void call(struct fixture *f, uint32_t function, uint32_t expected)
{
    char body[10] = {(char)(function >> 24), (char)(function >> 16), (char)(function >> 8),
                     (char)function};
    char wanted[10] = {(char)(expected >> 24), (char)(expected >> 16), (char)(expected >> 8),
                       (char)expected};
    assert_int_equal(rh_oid_map_message(f->map, f->session, 'F', body, sizeof(body)),
                     function != expected);
    assert_memory_equal(body, wanted, sizeof(body));
}

static void test_oid_map_functions_by_their_signatures(void **state)
{
    struct fixture *f = *state;
    static const struct workload_function functions[] = {{20001, "public", "f(integer)"},
                                                         {20002, "public", "f(text)"},
                                                         {20003, "app", "f(text)"},
                                                         {20004, "public", "gone()"},
                                                         {20005, "public", "same()"}};
    static const struct target_function there[] = {{30003, "app", "f(text)"},
                                                   {30002, "public", "f(text)"},
                                                   {30001, "public", "f(integer)"},
                                                   {20005, "public", "same()"}};
    struct oid_map *map = rh_oid_map_new(f->arena, NULL, 0, NULL, 0);
    assert_false(rh_oid_map_is_needed(map));
    rh_oid_map_add_functions(map, f->arena, functions, 5, there, 4);
    assert_true(rh_oid_map_is_needed(map));
    assert_int_equal(rh_oid_map_facts(map).functions_moved, 3);
    f->map = map;
    call(f, 20001, 30001);
    call(f, 20002, 30002);
    call(f, 20003, 30003);
    call(f, 20004, 20004);
    call(f, 20005, 20005);
    call(f, 952, 952);
    char cut[3] = {0};
    assert_int_equal(rh_oid_map_message(map, f->session, 'F', cut, sizeof(cut)), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_oid_map_finds_by_name),
        TEST(test_oid_map_parse_types_are_translated),
        TEST(test_oid_map_undeclared_array_is_recognised),
        TEST(test_oid_map_text_and_bytes_of_other_shapes_stay),
        TEST(test_oid_map_declared_range_of_composites_is_walked),
        TEST(test_oid_map_function_call_arguments_are_walked),
        TEST(test_oid_map_malformed_messages_stay),
        TEST(test_oid_map_same_numbers_need_no_translation),
        TEST(test_oid_map_functions_by_their_signatures),
    };
    return cmocka_run_group_tests_name("oid_map", tests, NULL, NULL);
}
