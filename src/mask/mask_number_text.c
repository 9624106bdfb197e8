#include "mask/mask_number_int.h"

#include <stdio.h>

static const struct {
    const char *name, *most;
} types[] = {
    [NUMBER_INT2] = {"int2", "32767"},
    [NUMBER_INT4] = {"int4", "2147483647"},
    [NUMBER_INT8] = {"int8", "9223372036854775807"},
    [NUMBER_NUMERIC] = {"numeric", NULL},
    [NUMBER_FLOAT4] = {"float4", NULL},
    [NUMBER_FLOAT8] = {"float8", NULL},
};

enum number_type rh_number_type(const char *type)
{
    enum number_type found = NUMBER_INT2;
    while (found < NUMBER_NONE && (!type || strcmp(types[found].name, type) != 0))
        found++;
    return found;
}

const char *rh_number_most(enum number_type type)
{
    return types[type].most;
}

static bool is_float(enum number_type type)
{
    return type == NUMBER_FLOAT4 || type == NUMBER_FLOAT8;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* "e+20", "e-05": the exponent of what was read before; false: something else. */
static bool take_exponent(struct text rest, int64_t *ret_exponent)
{
    *ret_exponent = 0;
    if (rest.len == 0)
        return true;
    if (rest.len < 4 || rest.len > 5 || rest.data[0] != 'e' ||
        (rest.data[1] != '+' && rest.data[1] != '-'))
        return false;
    for (size_t i = 2; i < rest.len; i++) {
        if (!is_digit(rest.data[i]))
            return false;
        *ret_exponent = *ret_exponent * 10 + (rest.data[i] - '0');
    }
    if (rest.data[1] == '-')
        *ret_exponent = -*ret_exponent;
    return true;
}

bool rh_number_read(struct text value, enum number_type type, struct arena *arena,
                    struct number *ret_number)
{
    struct number number = {0};
    struct text rest = value;
    size_t before = 0, all;
    int64_t exponent;

    if (rest.len > 0 && rest.data[0] == '-') {
        number.is_negative = true;
        rest.data++;
        rest.len--;
    }
    while (before < rest.len && is_digit(rest.data[before]))
        before++;
    all = before;
    if (before == 0 || before > NUMBER_MOST_DIGITS || (before > 1 && rest.data[0] == '0'))
        return false;
    if (all < rest.len && rest.data[all] == '.') {
        for (all++; all < rest.len && is_digit(rest.data[all]);)
            all++;
        number.scale = all - before - 1;
        if (number.scale == 0 || number.scale > NUMBER_MOST_DIGITS)
            return false;
    }
    if (!take_exponent((struct text){rest.data + all, rest.len - all}, &exponent) ||
        (!is_float(type) && all < rest.len) || (number.scale > 0 && rh_number_most(type)))
        return false;
    struct decimal *decimal = &number.decimal;
    decimal->digits = rh_arena_alloc(arena, all + 1);
    decimal->top = (int64_t)before + exponent;
    for (size_t i = 0; i < all; i++) {
        if (rest.data[i] == '.')
            continue;
        if (decimal->count == 0 && rest.data[i] == '0')
            decimal->top--;
        else
            decimal->digits[decimal->count++] = (unsigned char)(rest.data[i] - '0');
    }
    if (is_float(type))
        number.scale = 0;
    *ret_number = number;
    return true;
}

static void add_digits(struct buf *out, const struct decimal *decimal, size_t from, size_t count)
{
    for (size_t i = from; i < from + count; i++)
        rh_buf_add_char(out, (char)('0' + (i < decimal->count ? decimal->digits[i] : 0)));
}

static void write_plain(const struct decimal *decimal, size_t scale, struct buf *out)
{
    const int64_t top = decimal->count > 0 ? decimal->top : 0;
    size_t taken = 0;

    if (top <= 0) {
        rh_buf_add_char(out, '0');
    } else {
        add_digits(out, decimal, 0, (size_t)top);
        taken = (size_t)top;
    }
    if (scale == 0)
        return;
    rh_buf_add_char(out, '.');
    size_t zeros = top < 0 ? (size_t)-top : 0;
    if (zeros > scale || decimal->count == 0)
        zeros = scale;
    for (size_t i = 0; i < zeros; i++)
        rh_buf_add_char(out, '0');
    add_digits(out, decimal, taken, scale - zeros);
}

/* As the server chooses (double_to_shortest_decimal_buf and its like for float4). */
static void write_float(const struct decimal *decimal, enum number_type type, struct arena *arena,
                        struct buf *out)
{
    const struct decimal kept = rh_float_shortest(decimal, type, arena);
    const int64_t exponent = kept.top - 1;
    const size_t count = kept.count;

    if (exponent >= -4 && exponent < (type == NUMBER_FLOAT8 ? 15 : 6)) {
        const int64_t scale = (int64_t)count - kept.top;
        write_plain(&kept, scale > 0 ? (size_t)scale : 0, out);
        return;
    }
    add_digits(out, &kept, 0, 1);
    if (count > 1) {
        rh_buf_add_char(out, '.');
        add_digits(out, &kept, 1, count - 1);
    }
    rh_buf_printf(out, "e%c%02lld", exponent < 0 ? '-' : '+',
                  (long long)(exponent < 0 ? -exponent : exponent));
}

struct text rh_number_write(const struct number *number, enum number_type type, struct arena *arena)
{
    RH_CLEANUP_BUF struct buf out;

    rh_buf_init(&out, 2 * NUMBER_MOST_DIGITS + 64);
    if (number->is_negative)
        rh_buf_add_char(&out, '-');
    if (is_float(type) && number->decimal.count > 0)
        write_float(&number->decimal, type, arena, &out);
    else
        write_plain(&number->decimal, number->scale, &out);
    return (struct text){rh_text_dup(arena, rh_buf_text(&out)), out.len};
}

bool rh_number_is_special(struct text value)
{
    return rh_text_is(value, "NaN") || rh_text_is(value, "Infinity") ||
           rh_text_is(value, "-Infinity");
}

static void set_modes(struct text value, unsigned char *modes)
{
    bool is_first = true;

    for (size_t i = 0; i < value.len; i++) {
        const bool is_leading = is_first && is_digit(value.data[i]);
        if (is_leading)
            modes[i] = TEXT_NOT_ZERO;
        is_first = is_first && !is_leading;
        if ((value.data[i] | 0x20) == 'e' && !is_first) {
            memset(modes + i, TEXT_KEEP, value.len - i);
            break;
        }
    }
}

void rh_number_shift(struct mask_map *map, struct text value, struct arena *scratch,
                     struct text *ret_masked)
{
    if (rh_number_is_special(value))
        *ret_masked = value;
    else
        rh_mask_with_modes(map, &value, 1, set_modes, scratch, ret_masked);
}
