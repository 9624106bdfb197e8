/*
 * Floats. Those of up to 14 digits (float4: 5), which is what people and prices have, go through
 * the decimal map and keep their order: it gives one digit more, and floats tell that apart. The
 * rest are results of computing: sign and power of two stay, the bits behind change by those before
 * (Crypto-PAn), and then what the first kind already became is walked back to what is left free, so
 * that no two meet.
 */
#include "mask/mask_number_int.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

struct float_shape {
    size_t ordered_digits;
    unsigned fraction_bits;
    int64_t lowest_top, highest_top; /* what may become ten times as large, or is not denormal */
    size_t most_digits;
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

static double value_of(const struct decimal *decimal, enum number_type type)
{
    char text[64];
    size_t len = 0;

    text[len++] = '.';
    for (size_t i = 0; i < decimal->count && len < 40; i++)
        text[len++] = (char)('0' + decimal->digits[i]);
    snprintf(text + len, sizeof(text) - len, "e%lld", (long long)decimal->top);
    return type == NUMBER_FLOAT4 ? (double)strtof(text, NULL) : strtod(text, NULL);
}

/* The value rounded to so many digits, without zeros at the end. */
static struct decimal rounded(double value, size_t count, unsigned char *digits)
{
    struct decimal decimal = {.digits = digits};
    char text[64];
    char *c = text;

    snprintf(text, sizeof(text), "%.*e", (int)count - 1, value);
    for (; *c && *c != 'e'; c++)
        if (*c >= '0' && *c <= '9')
            digits[decimal.count++] = (unsigned char)(*c - '0');
    decimal.top = strtol(c + 1, NULL, 10) + 1;
    return without_zeros(decimal);
}

/* Whether the value is one of those that keep their order; and as what. */
static bool is_ordered(double value, enum number_type type, unsigned char *digits,
                       struct decimal *ret_decimal)
{
    const struct float_shape *shape = shape_of(type);
    *ret_decimal = rounded(value, shape->ordered_digits, digits);
    return value_of(ret_decimal, type) == value && ret_decimal->top >= shape->lowest_top &&
           ret_decimal->top <= shape->highest_top;
}

/* Whether a decimal lies exactly between two floats. It is read as one of them, but the server
   writes that with more digits (its Ryu takes no bounds). Needs a long double that is longer. */
static bool is_between(const struct decimal *decimal, double value, enum number_type type)
{
    for (int side = 0; side < 2; side++) {
        const double towards = side ? INFINITY : 0;
        const double next = type == NUMBER_FLOAT4 ? (double)nextafterf((float)value, (float)towards)
                                                  : nextafter(value, towards);
        const long double middle = ((long double)value + next) / 2;
        char text[128];
        size_t i = 0;
        const char *c = text;
        snprintf(text, sizeof(text), "%.60Le", middle);
        /* Its digits are those of the decimal, and then zeros. */
        for (; *c && *c != 'e'; c++) {
            if (*c == '.')
                continue;
            if (*c - '0' != (i < decimal->count ? decimal->digits[i] : 0))
                break;
            i++;
        }
        if (*c == 'e' && strtol(c + 1, NULL, 10) + 1 == decimal->top)
            return true;
    }
    return false;
}

struct decimal rh_float_shortest(const struct decimal *decimal, enum number_type type,
                                 struct arena *arena)
{
    const struct float_shape *shape = shape_of(type);
    const double value = value_of(decimal, type);
    unsigned char *digits = rh_arena_alloc(arena, 32);
    struct decimal found = without_zeros(*decimal);

    if (found.count <= shape->ordered_digits + 1 && !is_between(&found, value, type))
        return found;
    for (size_t count = 1; count <= shape->most_digits; count++) {
        found = rounded(value, count, digits);
        if (value_of(&found, type) == value && !is_between(&found, value, type))
            break;
    }
    return found;
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
    double value = value_of(&number->decimal, type);
    unsigned char *digits = rh_arena_alloc(arena, 32);
    struct decimal decimal;

    masked.decimal.digits = rh_arena_alloc(arena, 32);
    if (is_ordered(value, type, digits, &decimal)) {
        rh_order_map(order, &decimal, false, &masked.decimal);
        return masked;
    }
    do
        value = move_fraction(bits, value, type);
    while (is_ordered(value, type, digits, &decimal));
    for (;;) {
        /* What the first kind became has one digit more than they have. */
        decimal = rounded(value, shape->ordered_digits + 1, digits);
        if (value_of(&decimal, type) != value ||
            !rh_order_unmap(order, &decimal, false, shape->ordered_digits, &masked.decimal) ||
            masked.decimal.top < shape->lowest_top || masked.decimal.top > shape->highest_top)
            break;
        value = value_of(&masked.decimal, type);
    }
    masked.decimal = rounded(value, shape->most_digits, digits);
    return masked;
}
