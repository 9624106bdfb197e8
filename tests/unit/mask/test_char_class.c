#include "mask_unit.h"

#include <locale.h>
#include <wctype.h>

#include "mask/char_class_int.h"

static unsigned width_of(uint32_t c)
{
    return c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
}

static bool is_scalar(uint32_t c)
{
    return c < 0xd800 || c >= 0xe000;
}

/* Every character, moved by one and by the last shift: where it comes to is of its class, case and
   width, and coming from there by what is left ends where it began. */
static void test_a_shift_stays_in_the_class_and_has_an_inverse(void **state)
{
    (void)state;
    for (uint32_t c = 0x80; c < 0x110000; c++) {
        /* The unlisted planes are alike; a part of them is enough. */
        if (!is_scalar(c) || (c >= 0x40000 && c < 0xe0000) || (c >= 0xf1000 && c < 0x10f000))
            continue;
        const struct char_place place = rh_char_find(c, NULL);
        assert_true(place.size >= 1 && place.index < place.size);
        const uint32_t moved = rh_char_shifted(&place, 1 % place.size);
        const struct char_place there = rh_char_find(moved, NULL);
        if (there.size != place.size || there.variant != place.variant ||
            width_of(moved) != width_of(c) ||
            there.index != (place.index + (place.size > 1)) % place.size ||
            rh_char_shifted(&there, place.size > 1 ? place.size - 1 : 0) != c)
            fail_msg("U+%04X moved to U+%04X", c, moved);
        if (place.run && place.run->class)
            assert_int_equal(there.run->class, place.run->class);
        assert_int_equal(rh_char_find(place.folded, NULL).folded, place.folded);
    }
}

/* Letters whose case partner is no partner: glibc folds them, the map leaves them as they are. */
static bool is_odd(uint32_t c)
{
    const struct char_place place = rh_char_find(c, NULL);
    return place.run && place.run->class == 0;
}

static void test_a_shift_commutes_with_the_case_of_the_c_library(void **state)
{
    size_t odd = 0;

    (void)state;
    if (!setlocale(LC_CTYPE, "C.UTF-8"))
        skip();
    for (uint32_t c = 0x80; c < 0x20000; c++) {
        if (!is_scalar(c))
            continue;
        const uint32_t lower = (uint32_t)towlower((wint_t)c), upper = (uint32_t)towupper((wint_t)c);
        if (lower == c && upper == c)
            continue;
        const struct char_place place = rh_char_find(c, NULL);
        if (is_odd(c)) {
            odd++;
            continue;
        }
        const struct char_place small = rh_char_find(lower, NULL),
                                great = rh_char_find(upper, NULL);
        assert_int_equal(small.folded, place.folded);
        assert_int_equal(great.folded, place.folded);
        for (uint32_t shift = 0; shift < place.size; shift++) {
            const uint32_t moved = rh_char_shifted(&place, shift);
            if (towlower((wint_t)moved) != (wint_t)rh_char_shifted(&small, shift) ||
                towupper((wint_t)moved) != (wint_t)rh_char_shifted(&great, shift))
                fail_msg("U+%04X moved by %u to U+%04X", c, shift, moved);
        }
    }
    /* Sigma, sharp s, the Turkish i and their like: a known few. */
    print_message("%zu letters with an irregular case stay\n", odd);
    assert_in_range(odd, 1, 60);
}

static void test_decoding_takes_what_unicode_allows_and_nothing_else(void **state)
{
    static const struct {
        const char *bytes;
        int width;
    } cases[] = {
        {"\xc3\xa9", 2},
        {"\xc1\x81", 0},
        {"\xe0\x9f\x80", 0},
        {"\xe0\xa0\x80", 3},
        {"\xed\xa0\x80", 0},
        {"\xed\x9f\xbf", 3},
        {"\xf0\x8f\xbf\xbf", 0},
        {"\xf0\x90\x80\x80", 4},
        {"\xf4\x8f\xbf\xbf", 4},
        {"\xf4\x90\x80\x80", 0},
        {"\xf5\x80\x80\x80", 0},
        {"\x80", 0},
        {"\xe2\x82", -1},
        {"\xf0\x9f\x98", -1},
        {"\xe2"
         "A",
         0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint32_t c = 0;
        assert_int_equal(
            rh_char_decode((const unsigned char *)cases[i].bytes, strlen(cases[i].bytes), &c),
            cases[i].width);
        if (cases[i].width > 0) {
            unsigned char again[4];
            rh_char_encode(c, again);
            assert_memory_equal(again, cases[i].bytes, (size_t)cases[i].width);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_shift_stays_in_the_class_and_has_an_inverse),
        cmocka_unit_test(test_a_shift_commutes_with_the_case_of_the_c_library),
        cmocka_unit_test(test_decoding_takes_what_unicode_allows_and_nothing_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
