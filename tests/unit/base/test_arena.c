#include "unit.h"

#include "base/arena.h"

#include <stdalign.h>
#include <stdint.h>

static void test_arena_alloc_is_zeroed_aligned_and_distinct(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    char *before = NULL;
    for (size_t size = 0; size < 9000; size += 37) {
        char *piece = rh_arena_alloc(arena, size);
        assert_int_equal((uintptr_t)piece % alignof(max_align_t), 0);
        assert_ptr_not_equal(piece, before);
        for (size_t i = 0; i < size; i++)
            assert_int_equal(piece[i], 0);
        memset(piece, 0xff, size);
        before = piece;
    }
}

static void test_arena_clear_gives_zeroed_memory_again(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    for (int round = 0; round < 3; round++) {
        assert_int_equal(rh_arena_used_bytes(arena), 0);
        for (int i = 0; i < 2000; i++) {
            char *piece = rh_arena_alloc(arena, 100);
            for (int j = 0; j < 100; j++)
                assert_int_equal(piece[j], 0);
            memset(piece, 0xff, 100);
        }
        memset(rh_arena_alloc(arena, 1000000), 0xff, 1000000);
        assert_int_equal(rh_arena_used_bytes(arena), 2000 * 100 + 1000000);
        rh_arena_clear(arena);
    }
    rh_arena_clear(NULL);
    rh_arena_free(NULL);
}

static void test_arena_pieces_survive_when_large_ones_come_between(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    char *small[100];
    for (int i = 0; i < 100; i++) {
        small[i] = rh_arena_printf(arena, "piece %d", i);
        memset(rh_arena_alloc(arena, 5000), 0xff, 5000);
    }
    for (int i = 0; i < 100; i++) {
        char expected[20];
        snprintf(expected, sizeof expected, "piece %d", i);
        assert_string_equal(small[i], expected);
    }
}

static void test_arena_copies_strings(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    assert_string_equal(rh_arena_strdup(arena, ""), "");
    assert_string_equal(rh_arena_strdup(arena, "abc"), "abc");
    assert_string_equal(rh_arena_strndup(arena, "abcdef", 3), "abc");
    assert_string_equal(rh_arena_strndup(arena, "ab", 30), "ab");
    assert_memory_equal(rh_arena_memdup(arena, "a\0b", 3), "a\0b", 3);
    assert_non_null(rh_arena_memdup(arena, NULL, 0));
    assert_string_equal(rh_arena_printf(arena, "%d-%s", 7, "x"), "7-x");
    char *wide = rh_arena_printf(arena, "%*d", 20000, 1);
    assert_int_equal(strlen(wide), 20000);
}

static void test_arena_push_grows_and_keeps_items(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    VEC(int) numbers = {0};
    for (int i = 0; i < 10000; i++) {
        int *item = RH_PUSH(arena, &numbers);
        assert_int_equal(*item, 0);
        *item = i;
    }
    assert_int_equal(numbers.count, 10000);
    for (int i = 0; i < 10000; i++)
        assert_int_equal(numbers.items[i], i);
}

static void allocate_too_many(void *context)
{
    (void)context;
    fclose(stderr);
    rh_arena_alloc_array(rh_arena_new(), SIZE_MAX / 2, 16);
}

static void allocate_too_much(void *context)
{
    (void)context;
    fclose(stderr);
    rh_arena_alloc(rh_arena_new(), SIZE_MAX - 8);
}

static void test_arena_panics_when_memory_cannot_be_had(void **state)
{
    (void)state;
    int status = in_child(allocate_too_many, NULL);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    status = in_child(allocate_too_much, NULL);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_arena_alloc_is_zeroed_aligned_and_distinct),
        cmocka_unit_test(test_arena_clear_gives_zeroed_memory_again),
        cmocka_unit_test(test_arena_pieces_survive_when_large_ones_come_between),
        cmocka_unit_test(test_arena_copies_strings),
        cmocka_unit_test(test_arena_push_grows_and_keeps_items),
        cmocka_unit_test(test_arena_panics_when_memory_cannot_be_had),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
