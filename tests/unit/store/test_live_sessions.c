#include "../base/unit.h"

#include "store/live_sessions.h"

static void test_live_sessions_come_and_go(void **state)
{
    (void)state;
    struct live_sessions sessions = {0};
    assert_null(rh_live_sessions_find(&sessions, 1));
    for (uint64_t i = 1; i <= 1000; i++)
        assert_non_null(rh_live_sessions_add(&sessions, i * 1000003));
    assert_null(rh_live_sessions_add(&sessions, 1000003));
    assert_null(rh_live_sessions_add(&sessions, 0));
    for (uint64_t i = 1; i <= 1000; i += 2)
        rh_live_sessions_remove(&sessions, rh_live_sessions_find(&sessions, i * 1000003));
    assert_int_equal(sessions.count, 500);
    for (uint64_t i = 1; i <= 1000; i++)
        assert_int_equal(rh_live_sessions_find(&sessions, i * 1000003) != NULL, i % 2 == 0);
    rh_live_sessions_deinit(&sessions);
}

/* Three requests sent ahead; each takes from its sending, or from the answer before it. */
static void test_live_session_times_a_pipeline(void **state)
{
    (void)state;
    struct live_sessions sessions = {0};
    struct live_session *session = rh_live_sessions_add(&sessions, 1);
    rh_live_session_sent(session, 1, 100);
    rh_live_session_sent(session, 2, 110);
    rh_live_session_sent(session, 3, 500);
    assert_int_equal(rh_live_session_answered(session, 1, 200), 100);
    assert_int_equal(rh_live_session_answered(session, 2, 260), 60);
    assert_int_equal(rh_live_session_answered(session, 3, 510), 10);
    assert_int_equal(rh_live_session_answered(session, 4, 530), 20);
    /* Many at once, some never answered by themselves. */
    for (uint64_t i = 5; i < 3000; i++)
        rh_live_session_sent(session, i, 1000 + (int64_t)i);
    assert_int_equal(rh_live_session_answered(session, 1000, 2500), 500);
    assert_int_equal(rh_live_session_answered(session, 2999, 5000), 1001);
    assert_int_equal(session->pending_count, 0);
    for (uint64_t i = 0; i < 2 * PENDING_REQUESTS_MAX; i++)
        rh_live_session_sent(session, 3000 + i, 6000);
    assert_int_equal(session->pending_count, PENDING_REQUESTS_MAX);
    rh_live_sessions_deinit(&sessions);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_live_sessions_come_and_go),
        cmocka_unit_test(test_live_session_times_a_pipeline),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
