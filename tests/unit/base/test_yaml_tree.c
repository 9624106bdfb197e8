#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/yaml_tree.h"

static struct yaml_tree read_yaml(struct arena *arena, const char *yaml)
{
    struct yaml_tree tree;

    rh_yaml_read(rh_text(yaml), arena, &tree);
    return tree;
}

static void test_yaml_nodes_have_places_in_characters(void **state)
{
    struct arena *arena = rh_arena_new();
    struct yaml_tree tree = read_yaml(arena, "a: 1\n\xC3\xA9: [x, \"y\"]\ng:\n  b: c # d\n");
    const struct yaml_pair *pairs = tree.root->pairs.items;
    (void)state;

    assert_int_equal(tree.problems.count, 0);
    assert_int_equal(tree.root->kind, YAML_MAPPING);
    assert_int_equal(tree.root->pairs.count, 3);
    assert_string_equal(pairs[0].key->text, "a");
    assert_string_equal(pairs[0].value->text, "1");
    assert_int_equal(pairs[0].value->column, 4);
    assert_int_equal(pairs[1].value->kind, YAML_SEQUENCE);
    assert_int_equal(pairs[1].value->items.count, 2);
    assert_true(pairs[1].value->items.items[0]->is_plain);
    assert_false(pairs[1].value->items.items[1]->is_plain);
    assert_int_equal(pairs[1].value->items.items[1]->line, 2);
    assert_int_equal(pairs[1].value->items.items[1]->column, 8);
    assert_string_equal(pairs[2].value->pairs.items[0].value->text, "c");
    assert_int_equal(pairs[2].value->pairs.items[0].value->line, 4);
    rh_arena_free(arena);
}

static void test_yaml_without_content_has_no_root(void **state)
{
    struct arena *arena = rh_arena_new();
    (void)state;

    assert_null(read_yaml(arena, "").root);
    assert_null(read_yaml(arena, "# nothing\n").root);
    assert_int_equal(read_yaml(arena, "# nothing\n").problems.count, 0);
    rh_arena_free(arena);
}

static void test_yaml_keeps_what_came_before_a_mistake(void **state)
{
    struct arena *arena = rh_arena_new();
    struct yaml_tree tree = read_yaml(arena, "a: 1\nb: 'open\n");
    (void)state;

    assert_int_equal(tree.problems.count, 1);
    assert_int_equal(tree.problems.items[0].line, 2);
    assert_string_equal(tree.root->pairs.items[0].value->text, "1");
    assert_null(tree.root->pairs.items[1].value);
    rh_arena_free(arena);
}

static void test_yaml_nesting_is_bounded(void **state)
{
    struct arena *arena = rh_arena_new();
    RH_CLEANUP_BUF struct buf deep;
    (void)state;

    rh_buf_init(&deep, 65536);
    for (int i = 0; i < 20000; i++)
        rh_buf_add_char(&deep, '[');
    assert_true(read_yaml(arena, deep.data).problems.count > 0);
    rh_arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_yaml_nodes_have_places_in_characters),
        cmocka_unit_test(test_yaml_without_content_has_no_root),
        cmocka_unit_test(test_yaml_keeps_what_came_before_a_mistake),
        cmocka_unit_test(test_yaml_nesting_is_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
