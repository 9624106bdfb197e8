/* Sightings of locks become holds and waits. Times are microseconds as in a trace. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "trace/lock_book.h"

static struct lock_book book;

static int set_up(void **state)
{
    (void)state;
    rh_lock_book_init(&book);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    rh_lock_book_deinit(&book);
    return 0;
}

static struct held_lock *see(int64_t id, const char *mode, bool granted, int64_t at_us,
                             int64_t not_before_us)
{
    const struct lock_sight sight = {.relation_id = id,
                                     .mode = mode,
                                     .granted = granted,
                                     .wait_start_us = -1,
                                     .observation = OBSERVED_SAMPLED};
    bool is_new = false;
    return rh_lock_book_see(&book, &sight, at_us, not_before_us, &is_new);
}

static void test_lock_book_acquisition_is_the_last_time_it_was_not_held(void **state)
{
    (void)state;
    rh_lock_book_observe(&book);
    struct held_lock *held = see(1, "ShareLock", true, 500, 300);
    struct lock_times times = rh_lock_book_times(held, 1000, true);
    assert_int_equal(times.acquired_us, 300);
    assert_int_equal(times.held_us, 700);
    assert_int_equal(times.waited_us, 0);
}

static void test_lock_book_wait_ends_when_it_was_last_seen_waiting(void **state)
{
    (void)state;
    for (int64_t at_us = 100; at_us <= 900; at_us += 100) {
        rh_lock_book_observe(&book);
        (void)see(1, "AccessExclusiveLock", false, at_us, 0);
    }
    rh_lock_book_observe(&book);
    struct held_lock *held = see(1, "AccessExclusiveLock", true, 1000, 900);
    struct lock_times times = rh_lock_book_times(held, 1500, true);
    assert_int_equal(times.acquired_us, 900);
    assert_int_equal(times.waited_us, 800);
    assert_int_equal(times.held_us, 600);
}

static void test_lock_book_wait_of_failed_statement_was_never_granted(void **state)
{
    (void)state;
    rh_lock_book_observe(&book);
    struct held_lock *held = see(1, "AccessExclusiveLock", false, 100, 0);
    struct lock_times failed = rh_lock_book_times(held, 700, false);
    assert_int_equal(failed.acquired_us, -1);
    assert_int_equal(failed.waited_us, 600);
    assert_int_equal(failed.held_us, 0);
    struct lock_times granted = rh_lock_book_times(held, 700, true);
    assert_int_equal(granted.acquired_us, 100);
    assert_int_equal(granted.held_us, 600);
}

static void test_lock_book_missing_from_complete_observation_is_released(void **state)
{
    (void)state;
    rh_lock_book_observe(&book);
    struct held_lock *held = see(1, "ShareLock", true, 100, 50);
    rh_lock_book_observe(&book);
    rh_lock_book_release_missing(&book, 400);
    assert_int_equal(rh_lock_book_times(held, 9000, true).held_us, 350);
    /* Seen again in the same statement: one hold that spans both. */
    rh_lock_book_observe(&book);
    held = see(1, "ShareLock", true, 600, 500);
    assert_int_equal(rh_lock_book_times(held, 900, true).held_us, 850);
}

static void test_lock_book_older_observation_releases_nothing_newer(void **state)
{
    (void)state;
    rh_lock_book_observe(&book);
    struct held_lock *held = see(1, "ShareLock", true, 500, 400);
    rh_lock_book_observe(&book);
    rh_lock_book_release_missing(&book, 450);
    assert_int_equal(held->released_us, -1);
}

static void test_lock_book_finds_among_many_and_stops_at_its_cap(void **state)
{
    (void)state;
    rh_lock_book_observe(&book);
    for (int64_t id = 1; id <= LOCK_BOOK_MAX + 10; id++)
        (void)see(id, id % 2 ? "ShareLock" : "AccessShareLock", true, 10, 0);
    assert_int_equal(book.count, LOCK_BOOK_MAX);
    assert_true(book.overflowed);
    assert_non_null(rh_lock_book_find(&book, 4321, "ShareLock"));
    assert_null(rh_lock_book_find(&book, 4321, "AccessShareLock"));
    rh_lock_book_clear(&book);
    assert_null(rh_lock_book_find(&book, 4321, "ShareLock"));
    assert_non_null(see(4321, "ShareLock", true, 10, 0));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_lock_book_acquisition_is_the_last_time_it_was_not_held),
        TEST(test_lock_book_wait_ends_when_it_was_last_seen_waiting),
        TEST(test_lock_book_wait_of_failed_statement_was_never_granted),
        TEST(test_lock_book_missing_from_complete_observation_is_released),
        TEST(test_lock_book_older_observation_releases_nothing_newer),
        TEST(test_lock_book_finds_among_many_and_stops_at_its_cap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
