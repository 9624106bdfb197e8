/* The decision to spin, with made-up waits and loads. */
#include "net/spin.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define WINDOW_US 100
#define FAR_FUTURE INT64_MAX

/* A machine with four cores that the test alone tells about its load. */
static void init(struct spin *spin)
{
    rh_spin_init(spin);
    rh_spin_set_limit(spin, WINDOW_US);
    spin->cores = 4;
    spin->next_look_us = FAR_FUTURE;
}

static void wait_often(struct spin *spin, int count, int64_t waited_us)
{
    for (int i = 0; i < count; i++)
        rh_spin_learn_wait(spin, waited_us);
}

static void test_spin_is_off_until_waits_are_short(void **state)
{
    (void)state;
    struct spin spin;
    init(&spin);
    assert_false(rh_spin_is_worthwhile(&spin, 0));
    wait_often(&spin, 30, 40);
    assert_true(rh_spin_is_worthwhile(&spin, 0));
    wait_often(&spin, 30, 5000);
    assert_false(rh_spin_is_worthwhile(&spin, 0));
    rh_spin_deinit(&spin);
}

static void test_spin_stays_off_when_half_the_waits_are_long(void **state)
{
    (void)state;
    struct spin spin;
    init(&spin);
    for (int i = 0; i < 200; i++) {
        rh_spin_learn_wait(&spin, 40);
        rh_spin_learn_wait(&spin, 5000);
        rh_spin_learn_wait(&spin, 5000);
        if (i > 20)
            assert_false(rh_spin_is_worthwhile(&spin, 0));
    }
    rh_spin_deinit(&spin);
}

static void test_spin_yields_to_a_crowd_and_comes_back(void **state)
{
    (void)state;
    struct spin spin;
    init(&spin);
    wait_often(&spin, 30, 40);
    for (int i = 0; i < 20; i++)
        rh_spin_learn_load(&spin, 5);
    assert_false(rh_spin_is_worthwhile(&spin, 0));
    for (int i = 0; i < 20; i++)
        rh_spin_learn_load(&spin, 4);
    assert_true(rh_spin_is_worthwhile(&spin, 0));
    rh_spin_deinit(&spin);
}

static void test_spin_never_with_one_core_or_without_evidence(void **state)
{
    (void)state;
    struct spin spin;
    init(&spin);
    wait_often(&spin, 30, 40);
    spin.cores = 1;
    assert_false(rh_spin_is_worthwhile(&spin, 0));
    spin.cores = 0;
    assert_false(rh_spin_is_worthwhile(&spin, 0));
    rh_spin_deinit(&spin);
    wait_often(&spin, 30, 0);
    assert_false(rh_spin_is_worthwhile(&spin, 0));
}

static void test_spin_looks_at_the_machine_now_and_then(void **state)
{
    (void)state;
    struct spin spin;
    rh_spin_init(&spin);
    rh_spin_set_limit(&spin, WINDOW_US);
    if (spin.cores < 2)
        skip();
    wait_often(&spin, 30, 40);
    rh_spin_is_worthwhile(&spin, 1000);
    assert_true(spin.next_look_us > 1000);
    rh_spin_deinit(&spin);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_spin_is_off_until_waits_are_short),
        cmocka_unit_test(test_spin_stays_off_when_half_the_waits_are_long),
        cmocka_unit_test(test_spin_yields_to_a_crowd_and_comes_back),
        cmocka_unit_test(test_spin_never_with_one_core_or_without_evidence),
        cmocka_unit_test(test_spin_looks_at_the_machine_now_and_then),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
