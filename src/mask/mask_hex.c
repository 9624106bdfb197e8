#include "mask/mask_hex_int.h"

bool rh_hex_read(struct text value, struct hex_text *ret_hex)
{
    struct hex_text hex = {0};
    bool has_lower = false, has_upper = false;

    for (size_t i = 0; i < value.len; i++) {
        const int digit = rh_hex_value(value.data[i]);
        if (digit < 0)
            continue;
        if (hex.count == HEX_MAX_DIGITS)
            return false;
        hex.places[hex.count] = (unsigned char)i;
        hex.digits[hex.count++] = (unsigned char)digit;
        if (digit >= 10)
            *(value.data[i] & 0x20 ? &has_lower : &has_upper) = true;
    }
    hex.is_upper = has_upper;
    *ret_hex = hex;
    return !(has_lower && has_upper);
}

uint64_t rh_hex_bits(const struct hex_text *hex, size_t first, size_t count)
{
    uint64_t bits = 0;
    for (size_t i = first; i < first + count; i++)
        bits = bits << 4 | hex->digits[i];
    return bits;
}

void rh_hex_set_bits(struct hex_text *hex, size_t first, size_t count, uint64_t bits)
{
    for (size_t i = first + count; i-- > first; bits >>= 4)
        hex->digits[i] = bits & 0xf;
}

bool rh_hex_has_letter(const struct hex_text *hex)
{
    for (size_t i = 0; i < hex->count; i++)
        if (hex->digits[i] >= 10)
            return true;
    return false;
}

struct text rh_hex_write(const struct hex_text *hex, struct text value, struct arena *arena)
{
    char *out = rh_arena_memdup(arena, value.data, value.len);
    const char *letters = hex->is_upper ? "0123456789ABCDEF" : "0123456789abcdef";

    for (size_t i = 0; i < hex->count; i++)
        out[hex->places[i]] = letters[hex->digits[i]];
    return (struct text){out, value.len};
}
