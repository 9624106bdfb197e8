/*
 * Card numbers: separators, the number of digits and the first one (the network) stay. The last
 * digit is as far from the right check digit (ISO/IEC 7812, Luhn) as it was: valid numbers stay
 * valid, invalid ones invalid, and no two meet.
 */
#include "mask/mask_int.h"

#define FEWEST_DIGITS 12
#define MOST_DIGITS 19

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool reads_card(const struct mask_map *map, struct text value)
{
    size_t digits = 0;

    (void)map;
    if (value.len < FEWEST_DIGITS || !is_digit(value.data[0]) ||
        !is_digit(value.data[value.len - 1]))
        return false;
    for (size_t i = 0; i < value.len; i++) {
        if (is_digit(value.data[i]))
            digits++;
        else if (value.data[i] != ' ' && value.data[i] != '-')
            return false;
    }
    return digits >= FEWEST_DIGITS && digits <= MOST_DIGITS;
}

static void set_modes(struct text value, unsigned char *modes)
{
    modes[0] = TEXT_KEEP;
    modes[value.len - 1] = TEXT_KEEP;
}

/* The check digit that belongs to all digits but the last. */
static int check_digit(struct text value)
{
    int sum = 0;
    bool doubles = true;

    for (size_t i = value.len - 1; i-- > 0;) {
        if (!is_digit(value.data[i]))
            continue;
        int digit = value.data[i] - '0';
        if (doubles)
            digit = digit < 5 ? 2 * digit : 2 * digit - 9;
        sum += digit;
        doubles = !doubles;
    }
    return (10 - sum % 10) % 10;
}

static void apply_card(struct mask_map *map, const struct text *values, size_t count,
                       struct arena *scratch, struct text *ret_masked)
{
    rh_mask_with_modes(map, values, count, set_modes, scratch, ret_masked);
    for (size_t i = 0; i < count; i++) {
        char *last = (char *)&ret_masked[i].data[ret_masked[i].len - 1];
        const int off = *last - '0' - check_digit(values[i]);
        *last = (char)('0' + (check_digit(ret_masked[i]) + off + 10) % 10);
    }
}

const struct mask_kind rh_mask_card = {.reads = reads_card, .apply = apply_card};
