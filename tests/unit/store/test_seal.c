#include "../base/unit.h"

#include "store/seal.h"

static const uint8_t key[SEAL_KEY_BYTES] = "0123456789abcdef0123456789abcde";
static const uint8_t other_key[SEAL_KEY_BYTES] = "1123456789abcdef0123456789abcde";
static const uint8_t file_id[SEAL_FILE_ID_BYTES] = "file id 1234567";
static const uint8_t other_id[SEAL_FILE_ID_BYTES] = "file id 7654321";
static const struct text plain = {"the secret of a workload, the secret of a workload", 50};

static bool opens(const uint8_t *with, const uint8_t *id, uint64_t number, struct text sealed,
                  size_t max_bytes)
{
    struct seal *seal = rh_seal_new(with, id);
    RH_CLEANUP_BUF struct buf out;
    rh_buf_init(&out, 1000);
    bool is_ok = rh_seal_open(seal, number, sealed, max_bytes, &out);
    rh_seal_free(seal);
    return is_ok && rh_text_equals(rh_buf_text(&out), plain);
}

static void test_seal_opens_in_its_place_only(void **state)
{
    (void)state;
    for (int has_key = 0; has_key < 2; has_key++) {
        const uint8_t *its_key = has_key ? key : NULL;
        struct seal *seal = rh_seal_new(its_key, file_id);
        RH_CLEANUP_BUF struct buf out;
        rh_buf_init(&out, 1 << 20);
        rh_buf_add_str(&out, "before");
        rh_seal_close(seal, 7, plain, &out);
        assert_memory_equal(out.data, "before", 6);
        struct text sealed = {out.data + 6, out.len - 6};
        assert_true(opens(its_key, file_id, 7, sealed, 50));
        assert_false(opens(its_key, file_id, 7, sealed, 49));
        assert_int_equal(opens(its_key, file_id, 8, sealed, 50), !has_key);
        assert_int_equal(opens(its_key, other_id, 7, sealed, 50), !has_key);
        if (has_key) {
            assert_false(opens(other_key, file_id, 7, sealed, 50));
            assert_false(opens(NULL, file_id, 7, sealed, 50));
            assert_null(memmem(sealed.data, sealed.len, "secret", 6));
        }
        for (size_t length = 0; length < sealed.len; length++)
            assert_false(opens(its_key, file_id, 7, (struct text){sealed.data, length}, 50));
        for (size_t i = 0; i < sealed.len * 8; i++) {
            out.data[6 + i / 8] ^= (char)(1 << i % 8);
            /* A few bits of a zstd frame's head say nothing that matters. */
            if (opens(its_key, file_id, 7, sealed, 50))
                assert_false(has_key);
            out.data[6 + i / 8] ^= (char)(1 << i % 8);
        }
        rh_seal_free(seal);
    }
}

static void test_seal_tells_keys_apart(void **state)
{
    (void)state;
    uint8_t check[3][SEAL_CHECK_BYTES];
    const uint8_t *const keys[] = {key, other_key, key};
    for (size_t i = 0; i < 3; i++) {
        struct seal *seal = rh_seal_new(keys[i], i == 2 ? other_id : file_id);
        rh_seal_check(seal, check[i]);
        rh_seal_free(seal);
    }
    assert_memory_not_equal(check[0], check[1], SEAL_CHECK_BYTES);
    assert_memory_not_equal(check[0], check[2], SEAL_CHECK_BYTES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_seal_opens_in_its_place_only),
        cmocka_unit_test(test_seal_tells_keys_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
