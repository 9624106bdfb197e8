#include "../base/unit.h"

#include "replay/id_map.h"

static const struct workload_key keys[] = {
    {1, "public", "customers", "id", "public", "customers_id_seq", 100, 0, 0},
    {1, "public", "orders", "customer_id", "", "", 100, 0, 0},
    {2, "public", "orders", "id", "public", "orders_id_seq", 50, 0, 0},
    {3, "other", "orders", "id", "other", "orders_id_seq", 7, 0, 0},
    {4, "public", "tokens", "token", "", "", WORKLOAD_SINCE_UNKNOWN, 0, 0},
    {5, "", "", "", "public", "free_seq", 1, 0, 0},
};

static struct id_map *new_map(void)
{
    return rh_id_map_new(keys, sizeof(keys) / sizeof(keys[0]));
}

static struct id_value number(int64_t n)
{
    return (struct id_value){.low = (uint64_t)n};
}

static void test_id_map_knows_columns_by_their_domain(void **state)
{
    (void)state;
    struct id_map *map = new_map();
    assert_int_equal(rh_id_map_domain_of_column(map, "customers.id"), 1);
    assert_int_equal(rh_id_map_domain_of_column(map, "public.orders.customer_id"), 1);
    assert_int_equal(rh_id_map_domain_of_column(map, "customer_id"), 1);
    assert_int_equal(rh_id_map_domain_of_column(map, "public.orders.id"), 2);
    assert_int_equal(rh_id_map_domain_of_column(map, "other.orders.id"), 3);
    assert_int_equal(rh_id_map_domain_of_column(map, "orders.id"), 0);
    assert_int_equal(rh_id_map_domain_of_column(map, "id"), 0);
    assert_int_equal(rh_id_map_domain_of_column(map, "orders.total"), 0);
    assert_int_equal(rh_id_map_domain_of_column(map, "customer.id"), 0);
    assert_int_equal(rh_id_map_domain_of_table(map, "customers"), 1);
    assert_int_equal(rh_id_map_domain_of_table(map, "orders"), 0);
    assert_int_equal(rh_id_map_domain_of_table(map, "other.orders"), 3);
    assert_int_equal(rh_id_map_domain_of_key(map, 6), 5);
    assert_int_equal(rh_id_map_domain_of_key(map, 0), 0);
    assert_int_equal(rh_id_map_domain_of_key(map, 7), 0);
    assert_null(rh_id_map_new(keys, 0));
    rh_id_map_free(map);
}

static void test_id_map_is_told_once_and_waits_until_then(void **state)
{
    (void)state;
    struct id_map *map = new_map();
    struct id_value one = number(101), moved = number(9001), again = number(9002), found;
    assert_int_equal(rh_id_map_find(map, 1, &one, &found), ID_NONE);
    rh_id_map_expect(map, 1, &one);
    assert_int_equal(rh_id_map_find(map, 1, &one, &found), ID_EXPECTED);
    assert_int_equal(rh_id_map_find(map, 2, &one, &found), ID_NONE);
    assert_true(rh_id_map_set(map, 1, &one, &moved));
    assert_false(rh_id_map_set(map, 1, &one, &again));
    assert_int_equal(rh_id_map_find(map, 1, &one, &found), ID_KNOWN);
    assert_int_equal(found.low, 9001);
    assert_false(rh_id_map_lose(map, 1, &one));
    struct id_value other = number(102);
    rh_id_map_expect(map, 1, &other);
    assert_true(rh_id_map_lose(map, 1, &other));
    assert_int_equal(rh_id_map_find(map, 1, &other, &found), ID_LOST);
    rh_id_map_expect(map, 1, &other);
    assert_int_equal(rh_id_map_find(map, 1, &other, &found), ID_EXPECTED);
    assert_true(rh_id_map_is_new(map, 1, &one));
    assert_false(rh_id_map_is_new(map, 1, &(struct id_value){.low = 100}));
    assert_false(rh_id_map_is_new(map, 4, &(struct id_value){.low = 100, .is_uuid = true}));
    rh_id_map_free(map);
}

static void test_id_map_forgets_the_oldest(void **state)
{
    (void)state;
    struct id_map *map = new_map();
    struct id_value found;
    for (size_t i = 0; i < ID_MAP_MAX + 10; i++) {
        struct id_value value = number((int64_t)i), replayed = number((int64_t)i * 2);
        rh_id_map_expect(map, 1, &value);
        assert_true(rh_id_map_set(map, 1, &value, &replayed));
    }
    for (size_t i = 0; i < ID_MAP_MAX + 10; i++) {
        struct id_value value = number((int64_t)i);
        assert_int_equal(rh_id_map_find(map, 1, &value, &found), i < 10 ? ID_NONE : ID_KNOWN);
        assert_true(i < 10 || found.low == i * 2);
    }
    rh_id_map_free(map);
}

static void test_id_value_in_all_its_forms(void **state)
{
    (void)state;
    static const char uuid[] = "01234567-89ab-cdef-0123-456789abcdef";
    struct id_value value, back;
    char text[WORKLOAD_ID_BYTES_MAX + 1], bytes[16];
    assert_true(rh_id_value_parse(rh_text(uuid), &value));
    rh_id_value_format(&value, text);
    assert_string_equal(text, uuid);
    assert_true(rh_id_value_encode(&value, bytes, 16));
    assert_memory_equal(bytes, "\x01\x23\x45\x67\x89\xab\xcd\xef\x01\x23\x45\x67\x89\xab\xcd\xef",
                        16);
    assert_true(rh_id_value_decode((struct text){bytes, 16}, &back));
    assert_true(back.is_uuid && back.high == value.high && back.low == value.low);
    assert_false(rh_id_value_encode(&value, bytes, 8));
    static const int64_t numbers[] = {0,      1,         -1,        32767,    32768,
                                      -32768, INT32_MAX, INT64_MAX, INT64_MIN};
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        for (size_t length = 2; length <= 8; length *= 2) {
            int64_t limit = length == 8 ? INT64_MAX : (INT64_C(1) << (8 * length - 1)) - 1;
            bool fits = numbers[i] <= limit && numbers[i] >= -limit - 1;
            value = number(numbers[i]);
            assert_int_equal(rh_id_value_encode(&value, bytes, length), fits);
            if (!fits)
                continue;
            assert_true(rh_id_value_decode((struct text){bytes, length}, &back));
            assert_int_equal((int64_t)back.low, numbers[i]);
        }
        rh_id_value_format(&value, text);
        assert_true(rh_id_value_parse(rh_text(text), &back));
        assert_int_equal((int64_t)back.low, numbers[i]);
    }
    assert_false(rh_id_value_parse(TEXT_LITERAL("12a"), &back));
    assert_false(rh_id_value_parse(TEXT_LITERAL("01234567+89ab-cdef-0123-456789abcdef"), &back));
    assert_false(rh_id_value_decode((struct text){bytes, 3}, &back));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_id_map_knows_columns_by_their_domain),
        cmocka_unit_test(test_id_map_is_told_once_and_waits_until_then),
        cmocka_unit_test(test_id_map_forgets_the_oldest),
        cmocka_unit_test(test_id_value_in_all_its_forms),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
