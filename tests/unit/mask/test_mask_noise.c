#include "mask_unit.h"

#include "mask/mask_day_int.h"

static struct mask_map *noise(const char *type, const char *parameter, struct arena *arena)
{
    return new_map(
        &(struct mask_map_options){.rule = MASK_NOISE, .type = type, .parameter = parameter},
        arena);
}

static void test_numbers_move_by_no_more_than_was_said(void **state)
{
    struct arena *arena = rh_arena_new();
    struct mask_map *map = noise("int8", "20 %", arena);
    size_t same = 0;

    (void)state;
    for (int64_t i = -2000; i < 2000; i++) {
        int64_t now;
        const int64_t before = i * 12347;
        const char *value = rh_arena_printf(arena, "%lld", (long long)before);
        assert_true(rh_text_parse_int64(rh_text(mask_one(map, value, arena)), &now));
        assert_true(llabs(now - before) <= llabs(before) / 5);
        assert_string_equal(mask_one(map, value, arena), mask_one(map, value, arena));
        same += now == before;
    }
    assert_true(same < 40);
    rh_mask_map_free(map);
    rh_arena_free(arena);
}

static void test_numbers_stay_in_their_type(void **state)
{
    static const struct {
        const char *type, *value;
        double most;
    } cases[] = {{"int2", "32767", 32767},
                 {"int2", "-32768", 32768},
                 {"int4", "2147483647", 2147483647},
                 {"float8", "1.7976931348623157e+308", 1.7976931348623157e+308},
                 {"numeric", "999999999999999999999999.99", 2e24}};
    struct arena *arena = rh_arena_new();

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        for (int domain = 0; domain < 40; domain++) {
            struct mask_map *map = new_map(
                &(struct mask_map_options){.rule = MASK_NOISE,
                                           .type = cases[i].type,
                                           .parameter = "100%",
                                           .domain = rh_arena_printf(arena, "%d", domain)},
                arena);
            const double now = strtod(mask_one(map, cases[i].value, arena), NULL);
            assert_true(now <= cases[i].most && now >= -cases[i].most);
            rh_mask_map_free(map);
        }
    assert_string_equal(masked_by(MASK_NOISE, "numeric", "0.00", arena), "0.00");
    assert_string_equal(masked_by(MASK_NOISE, "numeric", "NaN", arena), "NaN");
    rh_arena_free(arena);
}

static void test_times_move_by_no_more_than_was_said(void **state)
{
    struct arena *arena = rh_arena_new();
    struct mask_map *dates = noise("date", "5 days", arena);
    struct mask_map *stamps = noise("timestamptz", "90 minutes", arena);

    (void)state;
    for (int64_t i = 2440000; i < 2443000; i += 3) {
        const struct text value = rh_day_write(&(struct day_text){.day = i}, arena);
        struct day_text day;
        assert_true(rh_day_read(rh_text(mask_one(dates, value.data, arena)), DATE_END_DAY, &day));
        if (!rh_mask_map_keeps(dates, value))
            assert_in_range(day.day, i - 5, i + 5);
        const char *stamp = mask_one(
            stamps,
            rh_day_write(&(struct day_text){.day = i, .time = TEXT_LITERAL(" 23:30:00.5+01")},
                         arena)
                .data,
            arena);
        assert_true(rh_day_read(rh_text(stamp), TIMESTAMP_END_DAY, &day));
        const int64_t seconds = (day.day - i) * 86400 + atoi(day.time.data + 1) * 3600 +
                                atoi(day.time.data + 4) * 60 + atoi(day.time.data + 7);
        assert_in_range(seconds, 22 * 3600, 25 * 3600);
        assert_true(rh_text_ends_with(rh_text(stamp), ".5+01"));
    }
    rh_mask_map_free(dates);
    rh_mask_map_free(stamps);
    rh_arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers_move_by_no_more_than_was_said),
        cmocka_unit_test(test_numbers_stay_in_their_type),
        cmocka_unit_test(test_times_move_by_no_more_than_was_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
