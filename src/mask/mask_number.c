/*
 * Numbers: keyed and strictly monotone as far as there is room, injective everywhere. Sign and zero
 * stay, integers stay integers, and a column with a scale keeps it.
 *
 * A strictly monotone map of all of a type's range into that range is the identity. So order is
 * kept where ten times as much still fits: below 10^3 for smallint, 10^8 for integer, 10^18 for
 * bigint, 10^(p-s-1) for numeric(p,s), everywhere for numeric alone. The digits
 * of greater numbers are shifted one by one, and where that meets what smaller ones became, it is
 * walked back through the map of those to a number that is still free.
 */
#include "mask/mask_json_int.h"
#include "mask/mask_number_int.h"

struct number_own {
    enum number_type type;
    EVP_CIPHER_CTX *order, *bits;
    int64_t ordered_top; /* most digits before the point of numbers that keep their order */
    bool is_exact;
};

static bool is_float(const struct number_own *own)
{
    return own->type == NUMBER_FLOAT4 || own->type == NUMBER_FLOAT8;
}

/* Digits of an integer against the greatest of its type; there are as many. */
static bool fits(const struct number_own *own, const struct decimal *decimal)
{
    const char *most = rh_number_most(own->type);
    if (!most || (size_t)decimal->top != strlen(most))
        return true;
    for (size_t i = 0; i < decimal->count; i++)
        if (decimal->digits[i] + '0' != most[i])
            return decimal->digits[i] + '0' < most[i];
    return true;
}

/* The digits of a number that is too great for the map of the rest, shifted by the text core. */
static void shift_digits(struct mask_map *map, struct decimal *decimal, struct arena *scratch)
{
    unsigned char *modes = rh_arena_alloc(scratch, decimal->count);
    char *text = rh_arena_alloc(scratch, decimal->count);
    const struct text_item item = {text, text, decimal->count, modes};

    modes[0] = TEXT_NOT_ZERO;
    for (size_t i = 0; i < decimal->count; i++)
        text[i] = (char)('0' + decimal->digits[i]);
    rh_text_core_map(map->core, &item, 1);
    for (size_t i = 0; i < decimal->count; i++)
        decimal->digits[i] = (unsigned char)(text[i] - '0');
}

static void map_great(struct mask_map *map, struct decimal *decimal, struct arena *scratch)
{
    const struct number_own *own = map->own;
    struct decimal before = {.digits = rh_arena_alloc(scratch, decimal->count)};

    do
        shift_digits(map, decimal, scratch);
    while (!fits(own, decimal));
    while (rh_order_unmap(own->order, decimal, true, decimal->count, &before) &&
           before.top <= own->ordered_top) {
        memcpy(decimal->digits, before.digits, before.count);
        decimal->count = before.count;
        decimal->top = before.top;
    }
}

static struct number map_one(struct mask_map *map, struct number number, struct arena *scratch)
{
    const struct number_own *own = map->own;
    struct decimal *decimal = &number.decimal;

    if (decimal->count == 0)
        return number;
    if (is_float(own))
        return rh_float_map(own->order, own->bits, &number, own->type, scratch);
    if (decimal->top > own->ordered_top) {
        /* The least integer has no positive partner; it stays. */
        if (fits(own, decimal))
            map_great(map, decimal, scratch);
        return number;
    }
    struct decimal moved = {.digits = rh_arena_alloc(scratch, decimal->count + 1)};
    rh_order_map(own->order, decimal, own->is_exact, &moved);
    number.decimal = moved;
    return number;
}

static bool reads_number(const struct mask_map *map, struct text value)
{
    (void)map;
    return rh_number_is_special(value) || rh_json_is_number(value);
}

static void apply_number(struct mask_map *map, const struct text *values, size_t count,
                         struct arena *scratch, struct text *ret_masked)
{
    const struct number_own *own = map->own;

    for (size_t i = 0; i < count; i++) {
        struct number number;
        if (!rh_number_read(values[i], own->type, scratch, &number)) {
            rh_number_shift(map, values[i], scratch, &ret_masked[i]);
            continue;
        }
        number = map_one(map, number, scratch);
        ret_masked[i] = rh_number_write(&number, own->type, scratch);
    }
}

/* Nine times ten to that many fits the type. */
static const int64_t ordered_tops[] = {[NUMBER_INT2] = 3, [NUMBER_INT4] = 8, [NUMBER_INT8] = 18};

static enum err_code open_number(struct mask_map *map, struct arena *arena, struct err *err)
{
    const struct mask_map_options *options = &map->options;
    const enum number_type type = rh_number_type(options->type);

    if (type == NUMBER_NONE)
        return rh_mask_refuse(map,
                              "This rule is for smallint, integer, bigint, numeric, real and "
                              "double precision; digits in text take \"text\".",
                              err);
    if (options->scale < 0)
        return rh_mask_refuse(map, "A numeric with a negative scale takes \"keep\" or \"null\".",
                              err);
    struct number_own *own = RH_NEW(arena, struct number_own);
    own->type = type;
    own->order = rh_mask_cipher_new(options->key, options->domain, "number");
    own->bits = rh_mask_cipher_new(options->key, options->domain, "number bits");
    own->ordered_top = INT64_MAX;
    if (rh_number_most(type)) {
        own->ordered_top = ordered_tops[type];
        own->is_exact = true;
    } else if (type == NUMBER_NUMERIC && options->precision > 0) {
        own->ordered_top = options->precision - options->scale - 1;
        own->is_exact = true;
    }
    map->own = own;
    return RH_OK;
}

static void close_number(struct mask_map *map)
{
    struct number_own *own = map->own;
    if (!own)
        return;
    rh_mask_cipher_free(own->order);
    rh_mask_cipher_free(own->bits);
}

const struct mask_kind rh_mask_number = {
    .open = open_number, .close = close_number, .reads = reads_number, .apply = apply_number};
