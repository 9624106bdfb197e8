/*
 * Dates and timestamps: one shift of whole days for all of a domain, so that differences, order and
 * the time of day stay. Days shifted out of the type's range come in at its other end: order is
 * lost there alone, and no two meet. A column that is text keeps what is no date to the text map.
 */
#include "mask/mask_day_int.h"
#include "mask/mask_int.h"

/* Four years, the longest that a birth date says less about its owner by; either way. Days. */
#define DEFAULT_MOST_DAYS 1461
#define GREATEST_MOST_DAYS 36525

struct date_own {
    int64_t shift, end;
};

static bool reads_date(const struct mask_map *map, struct text value)
{
    const struct date_own *own = map->own;
    struct day_text ignored;
    return rh_day_read(value, own->end, &ignored);
}

static void apply_date(struct mask_map *map, const struct text *values, size_t count,
                       struct arena *scratch, struct text *ret_masked)
{
    const struct date_own *own = map->own;

    for (size_t i = 0; i < count; i++) {
        struct day_text day;
        RH_ASSERT(rh_day_read(values[i], own->end, &day));
        day.day = (day.day + own->shift + own->end) % own->end;
        ret_masked[i] = rh_day_write(&day, scratch);
    }
}

static enum err_code open_date(struct mask_map *map, struct arena *arena, struct err *err)
{
    const char *type = map->options.type;
    const int64_t end = rh_mask_type_is_text(type) ? TIMESTAMP_END_DAY : rh_day_end(type);
    int64_t most = DEFAULT_MOST_DAYS;
    unsigned char drawn[8];
    uint64_t draw = 0;

    if (end == 0)
        return rh_mask_refuse(map,
                              "This rule is for date, timestamp, timestamptz and text; a time "
                              "of day or an interval takes \"keep\", \"null\" or \"fixed\".",
                              err);
    if (map->options.parameter) {
        struct text rest = rh_text(map->options.parameter);
        if (!rh_text_take_int64(&rest, &most) || most < 1 || most > GREATEST_MOST_DAYS ||
            (!rh_text_is(rest, " days") && rest.len > 0)) {
            rh_err_set(err, RH_ERR_USAGE, "cannot shift dates by \"%s\"", map->options.parameter);
            rh_err_hint(err, "Say the greatest shift, as in \"400 days\", up to %d days.",
                        GREATEST_MOST_DAYS);
            return RH_ERR_USAGE;
        }
    }
    rh_mask_key_derive(map->options.key, map->options.domain, "date", drawn, sizeof(drawn));
    for (size_t i = 0; i < sizeof(drawn); i++)
        draw = draw << 8 | drawn[i];
    struct date_own *own = RH_NEW(arena, struct date_own);
    own->end = end;
    /* -most to most, but never none. */
    own->shift = (int64_t)(draw % (2 * (uint64_t)most)) - most;
    own->shift += own->shift >= 0;
    map->own = own;
    return RH_OK;
}

static void close_date(struct mask_map *map)
{
    struct date_own *own = map->own;
    if (own)
        own->shift = 0;
}

const struct mask_kind rh_mask_date = {
    .open = open_date, .close = close_date, .reads = reads_date, .apply = apply_date};
