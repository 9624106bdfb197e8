/* Instants come out in their order, whatever was set, moved and removed in between. */
#include "replay/due_heap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define NODES 500

static uint32_t next(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

static void test_due_heap_gives_the_earliest_first(void **state)
{
    static struct due nodes[NODES];
    struct due_heap heap = {0};
    uint32_t seed = 20261120;
    (void)state;
    for (size_t i = 0; i < NODES; i++)
        rh_due_heap_set(&heap, &nodes[i], next(&seed) % 1000);
    for (size_t i = 0; i < NODES; i += 3)
        rh_due_heap_set(&heap, &nodes[i], next(&seed) % 1000);
    for (size_t i = 0; i < NODES; i += 5)
        rh_due_heap_remove(&heap, &nodes[i]);
    rh_due_heap_remove(&heap, &nodes[0]); /* is in it no more */
    size_t expected = NODES - NODES / 5, got = 0;
    int64_t before = -1;
    for (struct due *it; (it = rh_due_heap_first(&heap)); got++) {
        assert_true(it->at_us >= before);
        before = it->at_us;
        rh_due_heap_remove(&heap, it);
        assert_int_equal(it->place, 0);
    }
    assert_int_equal(got, expected);
    rh_due_heap_deinit(&heap);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_due_heap_gives_the_earliest_first)};
    return cmocka_run_group_tests_name("due_heap", tests, NULL, NULL);
}
