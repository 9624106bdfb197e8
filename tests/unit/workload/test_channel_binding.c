#include "../base/unit.h"

#include "workload/channel_binding.h"

/* One character for each of disable, prefer, require: b binds, i gets in, . is refused. */
static void check(struct binding_facts facts, const char *setup, const char *plain,
                  const char *encrypted)
{
    for (int is_encrypted = 0; is_encrypted < 2; is_encrypted++) {
        char seen[BINDING_WISHES + 1] = "";

        for (enum binding_wish wish = BINDING_DISABLE; wish < BINDING_WISHES; wish++) {
            struct binding_outcome outcome = rh_binding_outcome(&facts, is_encrypted == 1, wish);

            assert_true(outcome.gets_in == (outcome.why_not == NULL));
            assert_true(outcome.gets_in || !outcome.binds);
            seen[wish] = outcome.binds ? 'b' : outcome.gets_in ? 'i' : '.';
        }
        assert_string_equal(seen, is_encrypted ? encrypted : plain);
    }
    assert_string_equal(rh_binding_setup_name(rh_binding_setup(&facts)), setup);
}

static void test_binding_is_what_the_two_legs_allow(void **state)
{
    (void)state;
    const struct binding_facts scram = {.clients_can_encrypt = true,
                                        .server_is_encrypted = true,
                                        .asks_scram = true,
                                        .offers_plus = true,
                                        .has_end_point = true,
                                        .has_same_certificate = true};
    struct binding_facts facts = scram;

    check(facts, "same-certificate", "ii.", "ibb");
    facts.clients_must_encrypt = true;
    check(facts, "same-certificate", "...", "ibb");
    facts = scram;
    facts.has_same_certificate = false;
    check(facts, "clients-disable", "ii.", "i..");
    facts = scram;
    facts.has_end_point = false;
    check(facts, "clients-disable", "ii.", "i..");
    facts = scram;
    facts.clients_can_encrypt = false;
    check(facts, "client-leg-plain", "ii.", "...");
    facts = scram;
    facts.server_is_encrypted = facts.offers_plus = false;
    check(facts, "server-leg-plain", "ii.", "ii.");
    /* A server that never binds believes a client that says it could. */
    facts = scram;
    facts.offers_plus = false;
    check(facts, "nothing-to-bind", "ii.", "ii.");
    facts = scram;
    facts.asks_scram = facts.offers_plus = false;
    check(facts, "nothing-to-bind", "ii.", "ii.");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_binding_is_what_the_two_legs_allow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
