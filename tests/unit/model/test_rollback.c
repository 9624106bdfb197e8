#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "model/rollback.h"

static void test_rollback_proofs_have_names(void **state)
{
    (void)state;
    assert_string_equal(rh_rollback_proof_name(ROLLBACK_NOT_PROVEN), "not-proven");
    assert_string_equal(rh_rollback_proof_name(ROLLBACK_PROVEN), "same");
    assert_string_equal(rh_rollback_proof_name(ROLLBACK_DIFFERS), "differs");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rollback_proofs_have_names)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
