/* Commands of two-phase commit, among others. */
#include "sql/two_phase.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void test_two_phase_commands_and_their_names(void **state)
{
    (void)state;
    static const struct {
        const char *query;
        enum two_phase kind;
        const char *name;
    } cases[] = {
        {"PREPARE TRANSACTION 'a b'", TWO_PHASE_PREPARES, "'a b'"},
        {"/* x */ prepare\n transaction 'it''s';", TWO_PHASE_PREPARES, "'it''s'"},
        {"BEGIN; INSERT INTO t VALUES ('x;y'); PREPARE TRANSACTION E'\\t1'", TWO_PHASE_PREPARES,
         "E'\\t1'"},
        {"Commit Prepared $$g$$", TWO_PHASE_ENDS, "$$g$$"},
        {"ROLLBACK PREPARED 'g'", TWO_PHASE_ENDS, "'g'"},
        {"", TWO_PHASE_NONE, ""},
        {"COMMIT", TWO_PHASE_NONE, ""},
        {"PREPARE TRANSACTION", TWO_PHASE_NONE, ""},
        {"PREPARE transaction AS SELECT 'g'", TWO_PHASE_NONE, ""},
        {"SELECT 'COMMIT PREPARED ''g'''", TWO_PHASE_NONE, ""},
        {"SELECT prepare transaction 'g'", TWO_PHASE_NONE, ""},
        {"COMMIT; SELECT prepared 'g'", TWO_PHASE_NONE, ""},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct text name = {"", 0};

        assert_int_equal(rh_sql_two_phase(rh_text(cases[i].query), &name), cases[i].kind);
        assert_true(rh_text_is(name, cases[i].name));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_two_phase_commands_and_their_names)};
    return cmocka_run_group_tests_name("two_phase", tests, NULL, NULL);
}
