#include "mask_unit.h"

#include "mask/mask_key.h"

static void test_subkeys_are_frozen_and_all_different(void **state)
{
    unsigned char key[16], other[16], longer[32];

    (void)state;
    rh_mask_key_derive(&test_key, "public.users.email", "text chain", key, sizeof(key));
    char shown[33];
    for (size_t i = 0; i < sizeof(key); i++)
        snprintf(shown + 2 * i, 3, "%02x", key[i]);
    assert_string_equal(shown, "21c7ab343270dba534bb1f4e48636319");
    rh_mask_key_derive(&test_key, "public.users.email", "text output", other, sizeof(other));
    assert_memory_not_equal(key, other, sizeof(key));
    rh_mask_key_derive(&test_key, "public.users.emai", "ltext chain", other, sizeof(other));
    assert_memory_not_equal(key, other, sizeof(key));
    rh_mask_key_derive(&(struct mask_master_key){{2}}, "public.users.email", "text chain", other,
                       sizeof(other));
    assert_memory_not_equal(key, other, sizeof(key));
    rh_mask_key_derive(&test_key, "public.users.email", "text chain", longer, sizeof(longer));
    assert_memory_equal(key, longer, sizeof(key));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_subkeys_are_frozen_and_all_different),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
