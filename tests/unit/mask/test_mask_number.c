#include "mask_unit.h"

#include <math.h>

#include "mask/mask_number_int.h"

#define VALUES 60000

static struct mask_map *number_map(const char *type, int precision, int scale, struct arena *arena)
{
    return new_map(
        &(struct mask_map_options){
            .rule = MASK_NUMBER, .type = type, .precision = precision, .scale = scale},
        arena);
}

static int compare_longs(const void *a, const void *b)
{
    const int64_t one = *(const int64_t *)a, other = *(const int64_t *)b;
    return (one > other) - (one < other);
}

/* Numbers of every size up to `most`, dense at the edges. */
static int64_t *integers(int64_t most, size_t *ret_count, struct arena *arena)
{
    int64_t *numbers = rh_arena_alloc_array(arena, VALUES + 4000, sizeof(*numbers));
    uint64_t seed = 41;
    size_t count = 0;

    for (int64_t i = -1000; i <= 1000; i++)
        numbers[count++] = i;
    for (int64_t i = 0; i < 1000; i++)
        numbers[count++] = most - i;
    while (count < VALUES) {
        const int64_t size = (int64_t)(next_random(&seed) >> (1 + next_random(&seed) % 62));
        numbers[count++] = size % most * (next_random(&seed) % 4 ? 1 : -1);
    }
    qsort(numbers, count, sizeof(*numbers), compare_longs);
    *ret_count = count;
    return numbers;
}

static void check_integers(const char *type, int64_t most, int64_t ordered)
{
    struct arena *arena = rh_arena_new();
    struct mask_map *map = number_map(type, 0, 0, arena);
    size_t count, same = 0;
    const int64_t *numbers = integers(most, &count, arena);
    struct text *values = rh_arena_alloc_array(arena, count, sizeof(*values));

    for (size_t i = 0; i < count; i++)
        values[i] = rh_text(rh_arena_printf(arena, "%lld", (long long)numbers[i]));
    const struct text *masked = mask_all(map, values, count, arena);
    for (size_t i = 0; i < count; i++) {
        int64_t now, before;
        assert_true(rh_text_parse_int64(masked[i], &now));
        assert_true(now <= most && now >= -most);
        assert_int_equal((now > 0) - (now < 0), (numbers[i] > 0) - (numbers[i] < 0));
        same += now == numbers[i];
        if (i > 0 && numbers[i] != numbers[i - 1] && llabs(numbers[i]) < ordered &&
            llabs(numbers[i - 1]) < ordered) {
            assert_true(rh_text_parse_int64(masked[i - 1], &before));
            if (now <= before)
                fail_msg("%lld and %lld lose their order", (long long)numbers[i - 1],
                         (long long)numbers[i]);
        }
    }
    /* Zeros, and chance among the greatest. */
    assert_true(same < count / 100);
    rh_mask_map_free(map);
    rh_arena_free(arena);
}

static void test_integers_keep_order_sign_and_range_and_do_not_meet(void **state)
{
    (void)state;
    check_integers("int2", INT16_MAX, 1000);
    check_integers("int4", INT32_MAX, 100000000);
    check_integers("int8", INT64_MAX, 1000000000000000000);
}

/* All there are. */
static void test_smallint_is_permuted(void **state)
{
    struct arena *arena = rh_arena_new();
    struct mask_map *map = number_map("int2", 0, 0, arena);
    struct text *values = rh_arena_alloc_array(arena, 0x10000, sizeof(*values));

    (void)state;
    for (int i = 0; i < 0x10000; i++)
        values[i] = rh_text(rh_arena_printf(arena, "%d", i - 0x8000));
    mask_all(map, values, 0x10000, arena);
    assert_string_equal(mask_one(map, "-32768", arena), "-32768");
    rh_mask_map_free(map);
    rh_arena_free(arena);
}

static void test_numeric_keeps_its_scale_and_precision(void **state)
{
    struct arena *arena = rh_arena_new();
    struct mask_map *map = number_map("numeric", 6, 2, arena);
    struct text *values = rh_arena_alloc_array(arena, 1000000 / 3, sizeof(*values));
    size_t count = 0;

    (void)state;
    for (unsigned cents = 0; cents < 999999; cents += cents < 110000 ? 1 : 7)
        values[count++] = rh_text(rh_arena_printf(arena, "%u.%02u", cents / 100, cents % 100));
    const struct text *masked = mask_all(map, values, count, arena);
    for (size_t i = 1; i < count; i++) {
        assert_true(masked[i].len >= 4 && masked[i].len <= 7);
        assert_int_equal(masked[i].data[masked[i].len - 3], '.');
        if (values[i].len < 7)
            assert_true(strtod(masked[i - 1].data, NULL) < strtod(masked[i].data, NULL));
    }
    assert_string_equal(mask_one(map, "0.00", arena), "0.00");
    rh_mask_map_free(map);
    rh_arena_free(arena);
}

/* Compares as numbers; scales differ. */
static int compare_numerics(const char *a, const char *b)
{
    char one[80], other[80];
    const double x = strtod(a, NULL), y = strtod(b, NULL);
    if (fabs(x - y) > 1e-9 * fabs(x))
        return (x > y) - (x < y);
    /* Close: of equal integer lengths, the texts padded with zeros tell. */
    snprintf(one, sizeof(one), "%s%s%.40s", a, strchr(a, '.') ? "" : ".",
             "0000000000000000000000000000000000000000");
    snprintf(other, sizeof(other), "%s%s%.40s", b, strchr(b, '.') ? "" : ".",
             "0000000000000000000000000000000000000000");
    return strncmp(one, other, 40);
}

static void test_numeric_of_any_scale_keeps_order_and_equality(void **state)
{
    struct arena *arena = rh_arena_new();
    struct mask_map *map = number_map("numeric", 0, 0, arena);
    uint64_t seed = 43;

    (void)state;
    for (int i = 0; i < 30000; i++) {
        const unsigned whole = (unsigned)(next_random(&seed) % 1000);
        const char *one = rh_arena_printf(arena, "%u.%0*u", whole, 1 + i % 3,
                                          (unsigned)(next_random(&seed) % 10));
        const char *other = rh_arena_printf(arena, "%u.%0*u",
                                            whole + (unsigned)(next_random(&seed) % 2), 1 + i % 4,
                                            (unsigned)(next_random(&seed) % 10));
        const int before = compare_numerics(one, other);
        const char *masked_one = mask_one(map, one, arena);
        const char *masked_other = mask_one(map, other, arena);
        const int after = compare_numerics(masked_one, masked_other);
        if ((before > 0) != (after > 0) || (before < 0) != (after < 0))
            fail_msg("%s and %s became %s and %s", one, other, masked_one, masked_other);
        assert_int_equal(strlen(strchr(one, '.')), strlen(strchr(masked_one, '.')));
    }
    assert_string_equal(mask_one(map, "-7", arena),
                        rh_arena_printf(arena, "-%s", mask_one(map, "7", arena)));
    assert_string_equal(mask_one(map, "NaN", arena), "NaN");
    assert_string_equal(mask_one(map, "-Infinity", arena), "-Infinity");
    rh_mask_map_free(map);
    rh_arena_free(arena);
}

static void test_numbers_may_be_as_long_as_the_server_has_them(void **state)
{
    struct arena *arena = rh_arena_new();
    struct mask_map *map = number_map("numeric", 0, 0, arena);
    char *value = rh_arena_alloc(arena, 131073);

    (void)state;
    memset(value, '7', 131072);
    const char *masked = mask_one(map, value, arena);
    assert_in_range(strlen(masked), 131072, 131073);
    rh_mask_map_free(map);
    rh_arena_free(arena);
}

/* A JSON number may look otherwise than the server's: it changes all the same, and stays one. */
static void test_what_the_server_would_not_write_changes_too(void **state)
{
    struct arena *arena = rh_arena_new();
    const char *masked = masked_by(MASK_NUMBER, "numeric", "12.5E+3", arena);

    (void)state;
    assert_string_not_equal(masked, "12.5E+3");
    assert_true(masked[0] != '0');
    assert_string_equal(masked + 4, "E+3");
    rh_arena_free(arena);
}

/* The order-preserving map has an inverse, and what has none is said so. */
static void test_the_decimal_map_is_undone(void **state)
{
    EVP_CIPHER_CTX *cipher = rh_mask_cipher_new(&test_key, "d", "number");
    unsigned char digits[3][8];
    size_t hit = 0;

    (void)state;
    for (unsigned n = 1; n < 100000; n++) {
        struct decimal decimal = {.digits = digits[0]}, there = {.digits = digits[1]};
        struct decimal back = {.digits = digits[2]};
        for (unsigned power = 100000; power > 0; power /= 10)
            if (n >= power)
                decimal.digits[decimal.count++] = (unsigned char)(n / power % 10);
        decimal.top = (int64_t)decimal.count;
        rh_order_map(cipher, &decimal, true, &there);
        assert_true(rh_order_unmap(cipher, &there, true, 8, &back));
        assert_true(back.count == decimal.count && back.top == decimal.top);
        assert_memory_equal(back.digits, decimal.digits, back.count);
        hit += rh_order_unmap(cipher, &decimal, true, 8, &back);
    }
    /* A map to what is several times as large leaves most numbers free. */
    assert_in_range(hit, 9000, 34000);
    rh_mask_cipher_free(cipher);
}

static void check_floats(const char *type, bool is_double)
{
    struct arena *arena = rh_arena_new();
    struct mask_map *map = number_map(type, 0, 0, arena);
    struct text *values = rh_arena_alloc_array(arena, VALUES, sizeof(*values));
    struct text *again = rh_arena_alloc_array(arena, VALUES, sizeof(*again));
    uint64_t seed = 47;

    for (size_t i = 0; i < VALUES; i++) {
        const uint64_t drawn = next_random(&seed);
        if (i % 2) {
            /* Any bits: results of computing. */
            double value;
            memcpy(&value, &drawn, sizeof(value));
            float single;
            const uint32_t few = (uint32_t)drawn;
            memcpy(&single, &few, sizeof(single));
            const double number = is_double ? value : (double)single;
            int digits = is_double ? 17 : 9;
            if (!isfinite(number))
                continue;
            for (int d = 1; d < digits; d++) {
                const char *tried = rh_arena_printf(arena, "%.*g", d, number);
                if (is_double ? strtod(tried, NULL) == value : strtof(tried, NULL) == single)
                    digits = d;
            }
            values[i] = rh_text(rh_arena_printf(arena, "%.*g", digits, number));
        } else {
            /* What people write. */
            values[i] = rh_text(rh_arena_printf(arena, "%.4g", (double)(drawn % 100000) / 100));
        }
    }
    const struct text *masked = mask_all(map, values, VALUES, arena);
    for (size_t i = 0; i < VALUES; i++) {
        if (values[i].len == 0)
            continue;
        const char *text = rh_text_dup(arena, masked[i]);
        const double value = is_double ? strtod(text, NULL) : (double)strtof(text, NULL);
        assert_true(isfinite(value));
        again[i] = rh_text(rh_arena_printf(arena, "%.17g", value));
    }
    /* As the floats they are read as, too. */
    assert_int_equal(distinct(again, VALUES, arena), distinct(values, VALUES, arena));
    rh_mask_map_free(map);
    rh_arena_free(arena);
}

static void test_floats_do_not_meet_as_floats(void **state)
{
    (void)state;
    check_floats("float8", true);
    check_floats("float4", false);
}

static void test_floats_of_few_digits_keep_their_order(void **state)
{
    struct arena *arena = rh_arena_new();
    struct mask_map *map = number_map("float8", 0, 0, arena);
    double last = 0;

    (void)state;
    for (int i = 1; i < 20000; i++) {
        const char *value = rh_arena_printf(arena, "%.12g", i * 0.25);
        const double now = strtod(mask_one(map, value, arena), NULL);
        assert_true(now > last);
        last = now;
    }
    assert_string_equal(mask_one(map, "-0", arena), "-0");
    assert_string_equal(mask_one(map, "NaN", arena), "NaN");
    rh_mask_map_free(map);
    rh_arena_free(arena);
}

static void test_pseudonyms_are_frozen(void **state)
{
    static const char *const frozen[][3] = {
        {"int4", "42", "269"},
        {"int4", "2000000001", "1555911561"},
        {"numeric", "-1234.50", "-9012.20"},
        {"float8", "3.14", "28.85"},
        {"float8", "0.30000000000000004", "0.4416572843147426"},
        {"float4", "1.2345678", "1.2142344"},
    };
    struct arena *arena = rh_arena_new();

    (void)state;
    for (size_t i = 0; i < sizeof(frozen) / sizeof(frozen[0]); i++)
        assert_string_equal(masked_by(MASK_NUMBER, frozen[i][0], frozen[i][1], arena),
                            frozen[i][2]);
    rh_arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_integers_keep_order_sign_and_range_and_do_not_meet),
        cmocka_unit_test(test_smallint_is_permuted),
        cmocka_unit_test(test_numeric_keeps_its_scale_and_precision),
        cmocka_unit_test(test_numeric_of_any_scale_keeps_order_and_equality),
        cmocka_unit_test(test_numbers_may_be_as_long_as_the_server_has_them),
        cmocka_unit_test(test_what_the_server_would_not_write_changes_too),
        cmocka_unit_test(test_the_decimal_map_is_undone),
        cmocka_unit_test(test_floats_do_not_meet_as_floats),
        cmocka_unit_test(test_floats_of_few_digits_keep_their_order),
        cmocka_unit_test(test_pseudonyms_are_frozen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
