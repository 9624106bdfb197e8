#include "sandbox_unit.h"

#include "sandbox/sandbox_int.h"

/* RFC 7677, section 3: "pencil", and what PostgreSQL keeps of it. */
static void test_secret_verifier_is_what_a_server_would_keep(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    static const unsigned char salt[SECRET_SALT_BYTES] = {0x5b, 0x6d, 0x99, 0x68, 0x9d, 0x12,
                                                          0x35, 0x8e, 0xec, 0xa0, 0x4b, 0x14,
                                                          0x12, 0x36, 0xfa, 0x81};

    assert_string_equal(rh_secret_verifier(arena, "pencil", 4096, salt),
                        "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFz"
                        "pcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_secret_verifier_is_what_a_server_would_keep),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
