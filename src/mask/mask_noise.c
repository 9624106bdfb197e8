/*
 * Noise: a number moves by up to so many percent of itself, a time by up to so many days, hours or
 * minutes, as its value and the key say. Equal values stay equal; different ones may meet.
 */
#include "mask/mask_day_int.h"
#include "mask/mask_json_int.h"
#include "mask/mask_number_int.h"

#include <openssl/crypto.h>

#define DEFAULT_PERCENT 10
#define DEFAULT_DAYS 3
#define DAY_SECONDS 86400
#define GREATEST_DAYS 36525
/* As many digits take part as a 64-bit number holds while a percentage is taken of it; those behind
   are drawn. */
#define NOISY_DIGITS 15

struct noise_own {
    unsigned char key[MASK_DIGEST_BYTES];
    enum number_type number; /* NUMBER_NONE: a time */
    int64_t width;           /* percent, or seconds */
    int64_t end;             /* of days */
    bool has_time;
    size_t most_top; /* digits before the point that fit; 0: any */
};

/* -width to width, evenly. */
static int64_t around_zero(const unsigned char digest[MASK_DIGEST_BYTES], int64_t width)
{
    uint64_t drawn = 0;
    for (size_t i = 0; i < 8; i++)
        drawn = drawn << 8 | digest[i];
    return (int64_t)(drawn % (2 * (uint64_t)width + 1)) - width;
}

/* The leading digits, moved by `delta`; false: what comes out does not fit the type. */
static bool move_leading(const struct noise_own *own, const struct decimal *decimal,
                         int64_t leading, int64_t delta, const unsigned char *digest,
                         struct decimal *ret)
{
    const size_t taken = decimal->count < NOISY_DIGITS ? decimal->count : NOISY_DIGITS;
    unsigned char digits[NOISY_DIGITS + 2];
    size_t count = 0, at = sizeof(digits);

    for (int64_t rest = leading + delta; rest > 0; rest /= 10)
        digits[--at] = (unsigned char)(rest % 10);
    count = sizeof(digits) - at;
    if (count == 0)
        return false;
    memcpy(ret->digits, digits + at, count);
    ret->count = count;
    ret->top = decimal->top + (int64_t)count - (int64_t)taken;
    for (size_t i = taken; i < decimal->count; i++)
        ret->digits[ret->count++] = digest[8 + i % (MASK_DIGEST_BYTES - 8)] % 10;
    const char *most = rh_number_most(own->number);
    if (own->most_top > 0 && ret->top > (int64_t)own->most_top)
        return false;
    if (!most || (size_t)ret->top < strlen(most))
        return true;
    if ((size_t)ret->top > strlen(most))
        return false;
    for (size_t i = 0; i < ret->count; i++)
        if (ret->digits[i] + '0' != most[i])
            return ret->digits[i] + '0' < most[i];
    return true;
}

static struct text move_number(const struct noise_own *own, struct text value,
                               const struct number *number, struct arena *scratch)
{
    const struct decimal *decimal = &number->decimal;
    unsigned char digest[MASK_DIGEST_BYTES];
    struct number moved = *number;
    int64_t leading = 0;

    if (decimal->count == 0)
        return value;
    for (size_t i = 0; i < decimal->count && i < NOISY_DIGITS; i++)
        leading = leading * 10 + decimal->digits[i];
    rh_mask_digest(own->key, value, digest);
    moved.decimal.digits = rh_arena_alloc(scratch, decimal->count + 2);
    const int64_t delta = around_zero(digest, leading / 100 * own->width +
                                                  leading % 100 * own->width / 100);
    if (!move_leading(own, decimal, leading, delta, digest, &moved.decimal) &&
        !move_leading(own, decimal, leading, -delta, digest, &moved.decimal))
        return value;
    return rh_number_write(&moved, own->number, scratch);
}

static int two_digits(const char *at)
{
    return (at[0] - '0') * 10 + (at[1] - '0');
}

static struct text move_time(const struct noise_own *own, struct text value,
                             const struct day_text *day, struct arena *scratch)
{
    unsigned char digest[MASK_DIGEST_BYTES];
    struct day_text moved = *day;

    rh_mask_digest(own->key, value, digest);
    const int64_t days_wide = own->width / DAY_SECONDS;
    int64_t days = around_zero(digest, days_wide > 0 ? days_wide : 1);
    if (own->has_time && day->time.len >= sizeof(" 00:00:00") - 1) {
        /* " 12:34:56" and what follows, which stays. */
        char *time = rh_arena_memdup(scratch, day->time.data, day->time.len);
        int64_t seconds = two_digits(time + 1) * 3600 + two_digits(time + 4) * 60 +
                          two_digits(time + 7) + around_zero(digest, own->width);
        days = seconds >= 0 ? seconds / DAY_SECONDS : -((DAY_SECONDS - 1 - seconds) / DAY_SECONDS);
        seconds -= days * DAY_SECONDS;
        const int parts[] = {(int)(seconds / 3600), (int)(seconds / 60 % 60), (int)(seconds % 60)};
        for (int i = 0; i < 3; i++) {
            time[1 + 3 * i] = (char)('0' + parts[i] / 10);
            time[2 + 3 * i] = (char)('0' + parts[i] % 10);
        }
        moved.time.data = time;
    }
    moved.day += days;
    if (moved.day < 0 || moved.day >= own->end)
        return value;
    return rh_day_write(&moved, scratch);
}

static bool reads_noise(const struct mask_map *map, struct text value)
{
    const struct noise_own *own = map->own;
    struct day_text ignored;

    if (own->number != NUMBER_NONE)
        return rh_number_is_special(value) || rh_json_is_number(value);
    return rh_text_is(value, "infinity") || rh_text_is(value, "-infinity") ||
           rh_day_read(value, own->end, &ignored);
}

static void apply_noise(struct mask_map *map, const struct text *values, size_t count,
                        struct arena *scratch, struct text *ret_masked)
{
    const struct noise_own *own = map->own;

    for (size_t i = 0; i < count; i++) {
        struct number number;
        struct day_text day;
        if (own->number == NUMBER_NONE)
            ret_masked[i] = rh_day_read(values[i], own->end, &day)
                                ? move_time(own, values[i], &day, scratch)
                                : values[i];
        else if (rh_number_read(values[i], own->number, scratch, &number))
            ret_masked[i] = move_number(own, values[i], &number, scratch);
        else
            rh_number_shift(map, values[i], scratch, &ret_masked[i]);
    }
}

/* "10 %", "3 days", "12 hours", "90 minutes". */
static bool read_width(const char *parameter, bool is_time, bool has_hours, int64_t *ret_width)
{
    static const struct {
        const char *name;
        int64_t seconds;
    } units[] = {{"day", DAY_SECONDS}, {"hour", 3600}, {"minute", 60}};
    struct text rest = rh_text(parameter);
    int64_t number;

    if (!rh_text_take_int64(&rest, &number) || number < 1)
        return false;
    rest = rh_text_trim(rest);
    if (!is_time) {
        *ret_width = number;
        return rh_text_is(rest, "%") && number <= 100;
    }
    if (rest.len > 0 && rest.data[rest.len - 1] == 's')
        rest.len--;
    for (size_t i = 0; i < (has_hours ? 3 : 1); i++)
        if (rh_text_is(rest, units[i].name)) {
            *ret_width = number * units[i].seconds;
            return number <= GREATEST_DAYS * (DAY_SECONDS / units[i].seconds);
        }
    return false;
}

static enum err_code open_noise(struct mask_map *map, struct arena *arena, struct err *err)
{
    const struct mask_map_options *options = &map->options;
    struct noise_own *own = RH_NEW(arena, struct noise_own);

    own->number = rh_number_type(options->type);
    own->end = rh_day_end(options->type);
    const bool is_time = own->number == NUMBER_NONE;
    if ((is_time && (own->end == 0 || !options->type)) || options->scale < 0)
        return rh_mask_refuse(map, "This rule is for numbers, date, timestamp and timestamptz.",
                              err);
    own->has_time = is_time && own->end == TIMESTAMP_END_DAY;
    own->width = is_time ? DEFAULT_DAYS * DAY_SECONDS : DEFAULT_PERCENT;
    if (options->parameter &&
        !read_width(options->parameter, is_time, own->has_time, &own->width)) {
        rh_err_set(err, RH_ERR_USAGE, "cannot make noise of a width of \"%s\"", options->parameter);
        rh_err_hint(err, "Say \"10 %%\" (up to 100) of numbers, \"3 days\" of dates, \"12 hours\" "
                         "or \"30 minutes\" of timestamps.");
        return RH_ERR_USAGE;
    }
    if (options->precision > 0)
        own->most_top = (size_t)(options->precision - options->scale);
    else if (own->number == NUMBER_FLOAT4 || own->number == NUMBER_FLOAT8)
        own->most_top = own->number == NUMBER_FLOAT4 ? 38 : 308;
    rh_mask_key_derive(options->key, options->domain, "noise", own->key, sizeof(own->key));
    map->own = own;
    return RH_OK;
}

static void close_noise(struct mask_map *map)
{
    if (map->own)
        OPENSSL_cleanse(map->own, sizeof(struct noise_own));
}

const struct mask_kind rh_mask_noise = {
    .open = open_noise, .close = close_noise, .reads = reads_noise, .apply = apply_noise};
