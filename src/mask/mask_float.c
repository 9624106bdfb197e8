/*
 * Floats. Those of up to 14 digits (float4: 5), which is what people and prices have, go through
 * the decimal map and keep their order: it gives one digit more, and floats tell that apart. The
 * rest are results of computing: sign and power of two stay, the bits behind change by those before
 * (Crypto-PAn), and then what the first kind already became is walked back to what is left free, so
 * that no two meet.
 */
#include "mask/mask_number_int.h"

#include <stdio.h>
#include <stdlib.h>

struct float_shape {
    size_t ordered_digits;
    unsigned fraction_bits;
    int64_t lowest_top, highest_top; /* what may become ten times as large, or is not denormal */
    int most_digits;
};

static const struct float_shape *shape_of(enum number_type type)
{
    static const struct float_shape single = {FLOAT4_ORDERED_DIGITS, 23, -36, 37, 9};
    static const struct float_shape twice = {FLOAT8_ORDERED_DIGITS, 52, -306, 307, 17};
    return type == NUMBER_FLOAT4 ? &single : &twice;
}

static struct decimal without_zeros(struct decimal decimal)
{
    while (decimal.count > 1 && decimal.digits[decimal.count - 1] == 0)
        decimal.count--;
    return decimal;
}

static bool is_ordered(const struct decimal *decimal, const struct float_shape *shape)
{
    return decimal->count <= shape->ordered_digits && decimal->top >= shape->lowest_top &&
           decimal->top <= shape->highest_top;
}

static double value_of(const struct decimal *decimal)
{
    char text[64];
    size_t len = 0;

    text[len++] = '.';
    for (size_t i = 0; i < decimal->count && len < 40; i++)
        text[len++] = (char)('0' + decimal->digits[i]);
    snprintf(text + len, sizeof(text) - len, "e%lld", (long long)decimal->top);
    return strtod(text, NULL);
}

/* The fewest digits that read as the same float again. */
static struct decimal shortest(double value, enum number_type type, unsigned char *digits)
{
    const struct float_shape *shape = shape_of(type);
    char text[64];
    struct decimal decimal = {.digits = digits};

    for (int precision = 1; precision <= shape->most_digits; precision++) {
        snprintf(text, sizeof(text), "%.*e", precision - 1, value);
        if (type == NUMBER_FLOAT4 ? strtof(text, NULL) == (float)value
                                  : strtod(text, NULL) == value)
            break;
    }
    char *c = text;
    for (; *c && *c != 'e'; c++)
        if (*c >= '0' && *c <= '9')
            digits[decimal.count++] = (unsigned char)(*c - '0');
    decimal.top = strtol(c + 1, NULL, 10) + 1;
    return without_zeros(decimal);
}

/* Changes the fraction, bit by bit. */
static double move_fraction(EVP_CIPHER_CTX *cipher, double value, enum number_type type)
{
    const unsigned fraction_bits = shape_of(type)->fraction_bits;
    unsigned char blocks[52][MASK_BLOCK_BYTES] = {0};
    const float single = (float)value;
    uint64_t bits = 0;
    uint32_t few;

    if (type == NUMBER_FLOAT4) {
        memcpy(&few, &single, sizeof(few));
        bits = few;
    } else {
        memcpy(&bits, &value, sizeof(bits));
    }
    for (unsigned i = 0; i < fraction_bits; i++) {
        const uint64_t before = bits >> (fraction_bits - i);
        for (unsigned b = 0; b < 8; b++)
            blocks[i][b] = (unsigned char)(before >> (8 * b));
        blocks[i][8] = (unsigned char)(i + 1);
        blocks[i][9] = (unsigned char)fraction_bits;
    }
    rh_mask_blocks(cipher, blocks[0], blocks[0], fraction_bits);
    for (unsigned i = 0; i < fraction_bits; i++)
        bits ^= (uint64_t)(blocks[i][0] >> 7) << (fraction_bits - 1 - i);
    if (type == NUMBER_FLOAT4) {
        float moved;
        few = (uint32_t)bits;
        memcpy(&moved, &few, sizeof(moved));
        return moved;
    }
    memcpy(&value, &bits, sizeof(value));
    return value;
}

struct number rh_float_map(EVP_CIPHER_CTX *order, EVP_CIPHER_CTX *bits, const struct number *number,
                           enum number_type type, struct arena *arena)
{
    const struct float_shape *shape = shape_of(type);
    struct number masked = {.is_negative = number->is_negative};
    struct decimal decimal = without_zeros(number->decimal);
    unsigned char *digits = rh_arena_alloc(arena, 32);

    masked.decimal.digits = rh_arena_alloc(arena, 32);
    if (is_ordered(&decimal, shape)) {
        rh_order_map(order, &decimal, false, &masked.decimal);
        return masked;
    }
    double value = value_of(&decimal);
    do {
        value = move_fraction(bits, value, type);
        decimal = shortest(value, type, digits);
    } while (is_ordered(&decimal, shape));
    while (rh_order_unmap(order, &decimal, false, shape->ordered_digits, &masked.decimal) &&
           is_ordered(&masked.decimal, shape)) {
        memcpy(digits, masked.decimal.digits, masked.decimal.count);
        decimal = (struct decimal){digits, masked.decimal.count, masked.decimal.top};
    }
    memcpy(masked.decimal.digits, digits, decimal.count);
    masked.decimal.count = decimal.count;
    masked.decimal.top = decimal.top;
    return masked;
}
