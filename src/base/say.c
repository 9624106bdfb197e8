#include "base/say.h"

#include "base/clock.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#define MINUTE_S 60
#define HOUR_S 3600
#define DAY_S 86400

const char *rh_say_number(struct arena *arena, int64_t number)
{
    char text[32];
    rh_count_format(number, text);
    return rh_arena_strdup(arena, text);
}

const char *rh_say_count(struct arena *arena, int64_t count, const char *noun)
{
    return rh_arena_printf(arena, "%s %s%s", rh_say_number(arena, count), noun,
                           count == 1 ? "" : "s");
}

const char *rh_say_bytes(struct arena *arena, int64_t bytes)
{
    char text[24];
    rh_bytes_format(bytes, text);
    return rh_arena_strdup(arena, text);
}

const char *rh_say_us(struct arena *arena, double us)
{
    char text[24];
    if (us < 0)
        return "-";
    if (us < 1000)
        return rh_arena_printf(arena, us < 10 ? "%.1f us" : "%.0f us", us);
    rh_duration_format(us < 9e17 ? llround(us) : INT64_MAX, text);
    return rh_arena_strdup(arena, text);
}

const char *rh_say_list(struct arena *arena, const char *const *items, size_t count, size_t most)
{
    const char *text = "";
    size_t shown = count > most ? most : count;
    for (size_t i = 0; i < shown; i++) {
        const char *joint = i == 0 ? "" : i + 1 == count ? " and " : ", ";
        text = rh_arena_printf(arena, "%s%s%s", text, joint, items[i]);
    }
    if (count > shown)
        text = rh_arena_printf(arena, "%s and %zu more", text, count - shown);
    return text;
}

const char *rh_say_age(struct arena *arena, int64_t age_s)
{
    if (age_s < 2 * HOUR_S)
        return rh_arena_printf(arena, "%" PRId64 " min", age_s / MINUTE_S);
    if (age_s < 3 * DAY_S)
        return rh_arena_printf(arena, "%" PRId64 " h", age_s / HOUR_S);
    return rh_say_count(arena, age_s / DAY_S, "day");
}

bool rh_say_was_said(const char *const *items, size_t count, const char *sentence)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(items[i], sentence) == 0)
            return true;
    return false;
}
