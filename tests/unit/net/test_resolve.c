/* Names to addresses, on the loop. */
#include "net/resolve.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

struct asked {
    struct loop *loop;
    unsigned calls;
    struct addresses addresses;
    struct err err;
};

static void on_resolved(void *context, const struct addresses *addresses, const struct err *err)
{
    struct asked *asked = context;
    asked->calls++;
    if (addresses)
        asked->addresses = *addresses;
    else
        asked->err = *err;
    rh_loop_stop(asked->loop);
}

static void ask(struct asked *asked, const char *host)
{
    struct err err = RH_ERR_INIT;
    struct resolving *resolving = NULL;
    *asked = (struct asked){0};
    assert_int_equal(rh_loop_new(&asked->loop, &err), RH_OK);
    assert_int_equal(
        rh_resolve_start(asked->loop, host, 5432, on_resolved, asked, &resolving, &err), RH_OK);
    assert_int_equal(asked->calls, 0);
    assert_int_equal(rh_loop_run(asked->loop, rh_clock_after(rh_clock_mono(), 30000000), &err),
                     RH_OK);
    assert_int_equal(asked->calls, 1);
    rh_loop_free(asked->loop);
}

static void test_resolve_finds_a_name(void **state)
{
    (void)state;
    struct asked asked;
    ask(&asked, "localhost");
    assert_true(asked.addresses.count > 0);
    const struct sockaddr_in *first = (struct sockaddr_in *)&asked.addresses.items[0].bytes;
    assert_true(first->sin_family == AF_INET || first->sin_family == AF_INET6);
    assert_int_equal(ntohs(first->sin_port), 5432); /* at the same place in both families */
}

static void test_resolve_says_which_name_is_unknown(void **state)
{
    (void)state;
    struct asked asked;
    /* A label of more than 63 bytes (RFC 1035): no name service is asked. */
    ask(&asked, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx");
    assert_int_equal(asked.err.code, RH_ERR_CONNECTION);
    assert_non_null(strstr(asked.err.message, "cannot find an address of the host \"xxx"));
    assert_string_not_equal(asked.err.hint, "");
}

static void test_resolve_takes_numeric_addresses_at_once(void **state)
{
    (void)state;
    struct addresses addresses;
    assert_true(rh_resolve_numeric("127.0.0.1", 5433, &addresses));
    const struct sockaddr_in *bytes = (struct sockaddr_in *)&addresses.items[0].bytes;
    assert_int_equal(addresses.count, 1);
    assert_int_equal(bytes->sin_family, AF_INET);
    assert_int_equal(ntohs(bytes->sin_port), 5433);
    assert_true(rh_resolve_numeric("::1", 5433, &addresses));
    assert_int_equal(addresses.items[0].bytes.ss_family, AF_INET6);
    assert_false(rh_resolve_numeric("localhost", 5433, &addresses));
    assert_false(rh_resolve_numeric("127.0.0.1.example", 5433, &addresses));
}

static void test_resolve_cancelled_is_not_heard_of(void **state)
{
    (void)state;
    struct err err = RH_ERR_INIT;
    for (int i = 0; i < 50; i++) {
        struct asked asked = {0};
        struct resolving *resolving = NULL;
        assert_int_equal(rh_loop_new(&asked.loop, &err), RH_OK);
        assert_int_equal(
            rh_resolve_start(asked.loop, "localhost", 1, on_resolved, &asked, &resolving, &err),
            RH_OK);
        rh_resolve_cancel(resolving);
        rh_resolve_cancel(NULL);
        assert_int_equal(rh_loop_run(asked.loop, (struct mono){0}, &err), RH_ERR_TIMEOUT);
        assert_int_equal(asked.calls, 0);
        rh_loop_free(asked.loop);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_resolve_finds_a_name),
        cmocka_unit_test(test_resolve_says_which_name_is_unknown),
        cmocka_unit_test(test_resolve_takes_numeric_addresses_at_once),
        cmocka_unit_test(test_resolve_cancelled_is_not_heard_of),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
