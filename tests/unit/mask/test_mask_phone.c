#include "mask_unit.h"

/* Numbers written as text: telephones, cards, IBANs. */

#define VALUES 100000

static void test_what_says_where_a_number_belongs_stays(void **state)
{
    static const struct {
        const char *value, *start;
    } cases[] = {
        {"+49 170 1234567", "+49 "},   {"+1 (415) 555-2671", "+1 ("}, {"+358401234567", "+358"},
        {"0049 170 1234567", "0049 "}, {"0170/1234567", "0"},         {"+7 495 1234567", "+7 "},
    };
    struct arena *arena = rh_arena_new();

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *masked = masked_by(MASK_PHONE, "text", cases[i].value, arena);
        assert_memory_equal(masked, cases[i].start, strlen(cases[i].start));
        assert_int_equal(strlen(masked), strlen(cases[i].value));
        assert_string_not_equal(masked, cases[i].value);
        for (size_t at = 0; masked[at]; at++)
            assert_true((masked[at] >= '0' && masked[at] <= '9')
                            ? cases[i].value[at] >= '0' && cases[i].value[at] <= '9'
                            : masked[at] == cases[i].value[at]);
    }
    rh_arena_free(arena);
}

/* All numbers of five and six digits, so every way to begin, and the same with a plus. */
static void test_no_two_telephone_numbers_meet(void **state)
{
    struct arena *arena = rh_arena_new();
    struct mask_map *map = new_map(&(struct mask_map_options){.rule = MASK_PHONE, .type = "text"},
                                   arena);
    struct text *values = rh_arena_alloc_array(arena, 3 * VALUES, sizeof(*values));

    (void)state;
    for (unsigned i = 0; i < VALUES; i++) {
        values[3 * i] = rh_text(rh_arena_printf(arena, "%05u", i));
        values[3 * i + 1] = rh_text(rh_arena_printf(arena, "+%05u", i));
        values[3 * i + 2] = rh_text(rh_arena_printf(arena, "00%05u", i));
    }
    const struct text *masked = mask_all(map, values, (size_t)3 * VALUES, arena);
    for (size_t i = 0; i < VALUES; i++)
        assert_true((values[3 * i].data[0] == '0') == (masked[3 * i].data[0] == '0'));
    rh_mask_map_free(map);
    rh_arena_free(arena);
}

/* The usual way to say it, apart from the one in the map. */
static bool is_luhn(struct text value)
{
    int sum = 0, place = 0;
    for (size_t i = value.len; i-- > 0;) {
        if (value.data[i] < '0' || value.data[i] > '9')
            continue;
        const int digit = value.data[i] - '0';
        sum += place++ % 2 ? digit * 2 / 10 + digit * 2 % 10 : digit;
    }
    return sum % 10 == 0;
}

static void test_valid_cards_stay_valid_and_others_do_not_become_so(void **state)
{
    struct arena *arena = rh_arena_new();
    struct mask_map *map = new_map(&(struct mask_map_options){.rule = MASK_CARD, .type = "text"},
                                   arena);
    struct text *values = rh_arena_alloc_array(arena, VALUES, sizeof(*values));
    uint64_t seed = 23;
    size_t valid = 0;

    (void)state;
    for (size_t i = 0; i < VALUES; i++)
        values[i] = rh_text(rh_arena_printf(
            arena, i % 3 ? "4111 1111 %04u %04u" : "41-11111111%04u%04u",
            (unsigned)(next_random(&seed) % 10000), (unsigned)(next_random(&seed) % 10000)));
    const struct text *masked = mask_all(map, values, VALUES, arena);
    for (size_t i = 0; i < VALUES; i++) {
        assert_int_equal(is_luhn(masked[i]), is_luhn(values[i]));
        assert_int_equal(masked[i].len, values[i].len);
        assert_int_equal(masked[i].data[0], '4');
        valid += is_luhn(values[i]);
    }
    assert_in_range(valid, VALUES / 11, VALUES / 9);
    assert_true(is_luhn(rh_text(masked_by(MASK_CARD, "text", "378282246310005", arena))));
    rh_mask_map_free(map);
    rh_arena_free(arena);
}

static int iban_remainder(struct text value)
{
    int remainder = 0;
    char moved[64];
    size_t len = 0;

    for (int turn = 0; turn < 2; turn++)
        for (size_t i = turn ? 0 : 4; i < (turn ? 4 : value.len); i++)
            if (value.data[i] != ' ')
                moved[len++] = value.data[i];
    for (size_t i = 0; i < len; i++)
        remainder = moved[i] <= '9' ? (remainder * 10 + moved[i] - '0') % 97
                                    : (remainder * 100 + (moved[i] & 0x5f) - 'A' + 10) % 97;
    return remainder;
}

/* 00, 01 and 99 leave the right remainder too, where 97, 98 and 02 are the check digits. */
static bool is_iban(struct text value)
{
    const long check = strtol((char[]){value.data[2], value.data[3], 0}, NULL, 10);
    return iban_remainder(value) == 1 && check >= 2 && check <= 98;
}

static void test_valid_ibans_stay_valid(void **state)
{
    static const char *const values[] = {"DE89370400440532013000", "GB82WEST12345698765432",
                                         "GB82 WEST 1234 5698 7654 32",
                                         "fr1420041010050500013m02606", "NO9386011117947"};
    struct arena *arena = rh_arena_new();

    (void)state;
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        const char *masked = masked_by(MASK_IBAN, "text", values[i], arena);
        assert_int_equal(iban_remainder(rh_text(values[i])), 1);
        assert_int_equal(iban_remainder(rh_text(masked)), 1);
        assert_memory_equal(masked, values[i], 2);
        assert_string_not_equal(masked + 4, values[i] + 4);
    }
    rh_arena_free(arena);
}

/* Every check number over a few accounts. */
static void test_no_two_ibans_meet(void **state)
{
    struct arena *arena = rh_arena_new();
    struct mask_map *map = new_map(&(struct mask_map_options){.rule = MASK_IBAN, .type = "text"},
                                   arena);
    struct text *values = rh_arena_alloc_array(arena, VALUES, sizeof(*values));

    (void)state;
    for (unsigned i = 0; i < VALUES; i++)
        values[i] = rh_text(rh_arena_printf(arena, "NO%02u8601111%04u", i % 100, i / 100));
    const struct text *masked = mask_all(map, values, VALUES, arena);
    for (size_t i = 0; i < VALUES; i++)
        assert_int_equal(is_iban(masked[i]), is_iban(values[i]));
    rh_mask_map_free(map);
    rh_arena_free(arena);
}

static void test_pseudonyms_are_frozen(void **state)
{
    static const struct {
        enum mask_rule rule;
        const char *value, *masked;
    } frozen[] = {
        {MASK_PHONE, "+49 170 1234567", "+49 724 8043396"},
        {MASK_PHONE, "(415) 555-2671", "(705) 189-3657"},
        {MASK_CARD, "4111 1111 1111 1111", "4443 9012 3690 4260"},
        {MASK_IBAN, "DE89 3704 0044 0532 0130 00", "DE75 2471 1245 3322 7771 67"},
    };
    struct arena *arena = rh_arena_new();

    (void)state;
    for (size_t i = 0; i < sizeof(frozen) / sizeof(frozen[0]); i++)
        assert_string_equal(masked_by(frozen[i].rule, "text", frozen[i].value, arena),
                            frozen[i].masked);
    rh_arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_says_where_a_number_belongs_stays),
        cmocka_unit_test(test_no_two_telephone_numbers_meet),
        cmocka_unit_test(test_valid_cards_stay_valid_and_others_do_not_become_so),
        cmocka_unit_test(test_valid_ibans_stay_valid),
        cmocka_unit_test(test_no_two_ibans_meet),
        cmocka_unit_test(test_pseudonyms_are_frozen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
