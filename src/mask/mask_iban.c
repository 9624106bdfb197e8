/*
 * IBANs (ISO 13616): country, blanks and the places of letters and digits stay. The check digits
 * are as far from the right ones as they were, counted round a hundred: valid stays valid, and no
 * two meet. What the account becomes does not depend on the check digits, or that would not hold.
 */
#include "mask/mask_int.h"

#define FEWEST_CHARACTERS 15
#define MOST_CHARACTERS 34

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
}

static bool reads_iban(const struct mask_map *map, struct text value)
{
    size_t characters = 0;

    (void)map;
    if (value.len < FEWEST_CHARACTERS || !is_letter(value.data[0]) || !is_letter(value.data[1]) ||
        !is_digit(value.data[2]) || !is_digit(value.data[3]))
        return false;
    for (size_t i = 0; i < value.len; i++) {
        if (is_letter(value.data[i]) || is_digit(value.data[i]))
            characters++;
        else if (value.data[i] != ' ')
            return false;
    }
    return characters >= FEWEST_CHARACTERS && characters <= MOST_CHARACTERS;
}

static void set_modes(struct text value, unsigned char *modes)
{
    (void)value;
    memset(modes, TEXT_KEEP, 4);
}

static int remainder_with(int remainder, char c)
{
    if (c == ' ')
        return remainder;
    return is_digit(c) ? (remainder * 10 + (c - '0')) % 97
                       : (remainder * 100 + ((c | 0x20) - 'a' + 10)) % 97;
}

/* The check digits that belong to the rest, 2 to 98. */
static int right_check(struct text value)
{
    int remainder = 0;

    for (size_t i = 4; i < value.len; i++)
        remainder = remainder_with(remainder, value.data[i]);
    remainder = remainder_with(remainder, value.data[0]);
    remainder = remainder_with(remainder, value.data[1]);
    return 98 - remainder * 100 % 97;
}

static void apply_iban(struct mask_map *map, const struct text *values, size_t count,
                       struct arena *scratch, struct text *ret_masked)
{
    struct text *unchecked = rh_arena_alloc_array(scratch, count, sizeof(*unchecked));

    for (size_t i = 0; i < count; i++) {
        char *copy = rh_arena_memdup(scratch, values[i].data, values[i].len);
        copy[2] = copy[3] = '0';
        unchecked[i] = (struct text){copy, values[i].len};
    }
    rh_mask_with_modes(map, unchecked, count, set_modes, scratch, ret_masked);
    for (size_t i = 0; i < count; i++) {
        const char *was = values[i].data;
        const int off = (was[2] - '0') * 10 + (was[3] - '0') - right_check(values[i]);
        const int check = (right_check(ret_masked[i]) + off + 100) % 100;
        char *out = (char *)ret_masked[i].data;
        out[2] = (char)('0' + check / 10);
        out[3] = (char)('0' + check % 10);
    }
}

const struct mask_kind rh_mask_iban = {.reads = reads_iban, .apply = apply_iban};
