/*
 * Telephone numbers: separators and length stay, and so does what says where a number belongs:
 * "+49", "0049", the "0" of a trunk call. No other number begins with a zero afterwards that did
 * not before, so every number is read as it was.
 */
#include "mask/mask_int.h"

/* Fewer digits are no telephone number. */
#define FEWEST_DIGITS 5

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Country codes of one and of two digits (ITU-T E.164, list of 2016); all others have three. */
static size_t country_length(const char *digits, size_t count)
{
    static const char two[] =
        "20 27 30 31 32 33 34 36 39 40 41 43 44 45 46 47 48 49 51 52 53 54 55 "
        "56 57 58 60 61 62 63 64 65 66 81 82 84 86 90 91 92 93 94 95 98";
    if (count < 2 || digits[0] == '1' || digits[0] == '7')
        return count < 1 ? 0 : 1;
    for (const char *code = two; *code; code += code[2] ? 3 : 2)
        if (code[0] == digits[0] && code[1] == digits[1])
            return 2;
    return count < 3 ? count : 3;
}

static bool reads_phone(const struct mask_map *map, struct text value)
{
    static const char before[] = {'+', '(', ' '};
    size_t digits = 0;

    (void)map;
    for (size_t i = 0; i < value.len; i++) {
        if (is_digit(value.data[i]))
            digits++;
        else if (digits == 0 && !memchr(before, value.data[i], sizeof(before)))
            return false;
    }
    return digits >= FEWEST_DIGITS;
}

static void set_modes(struct text value, unsigned char *modes)
{
    char digits[5] = {0}; /* the first ones: "00" and a country code */
    size_t places[5] = {0}, count = 0;
    bool has_plus = false;

    for (size_t i = 0; i < value.len && count < sizeof(digits); i++) {
        if (is_digit(value.data[i])) {
            places[count] = i;
            digits[count++] = value.data[i];
        } else if (count == 0 && value.data[i] == '+') {
            has_plus = true;
        }
    }
    size_t kept = 0;
    if (has_plus)
        kept = country_length(digits, count);
    else if (digits[0] == '0' && digits[1] == '0')
        kept = 2 + country_length(digits + 2, count - 2);
    else if (digits[0] == '0')
        kept = 1;
    for (size_t i = 0; i < kept; i++)
        modes[places[i]] = TEXT_KEEP;
    if (!has_plus && kept <= 1)
        modes[places[kept]] = TEXT_NOT_ZERO;
}

static void apply_phone(struct mask_map *map, const struct text *values, size_t count,
                        struct arena *scratch, struct text *ret_masked)
{
    rh_mask_with_modes(map, values, count, set_modes, scratch, ret_masked);
}

const struct mask_kind rh_mask_phone = {.reads = reads_phone, .apply = apply_phone};
