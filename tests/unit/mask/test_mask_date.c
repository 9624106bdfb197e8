#include "mask_unit.h"

#include "mask/mask_day_int.h"

static int64_t day_in(const char *value)
{
    struct day_text day;
    if (!rh_day_read(rh_text(value), DATE_END_DAY, &day))
        fail_msg("\"%s\" is no date", value);
    return day.day;
}

static void test_days_are_those_of_the_calendar(void **state)
{
    struct arena *arena = rh_arena_new();
    static const char *const wrong[] = {"2023-02-29",
                                        "2024-13-01",
                                        "2024-00-10",
                                        "24-01-01",
                                        "2024-1-1",
                                        "02024-01-01",
                                        "2024-01-01x",
                                        "0000-01-01",
                                        "2024-01-01 noon",
                                        "",
                                        "2024-01-01 07:08:09+491701234567",
                                        "2024-01-01 07:08:0941111111",
                                        "2024-01-01 07-08:09",
                                        "2024-01-01 07:08:09."};

    (void)state;
    assert_int_equal(day_in("1970-01-01"), 2440588);
    assert_int_equal(day_in("2000-01-01"), 2451545);
    assert_int_equal(day_in("4714-11-24 BC"), 0);
    assert_int_equal(day_in("5874897-12-31"), DATE_END_DAY - 1);
    assert_int_equal(day_in("0001-01-01") - day_in("0001-12-31 BC"), 1);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct day_text day;
        assert_false(rh_day_read(rh_text(wrong[i]), DATE_END_DAY, &day));
    }
    /* Every day of eight centuries, written and read. */
    for (int64_t day = 1600000; day < 2500000; day += 7) {
        const struct text written = rh_day_write(&(struct day_text){.day = day}, arena);
        assert_int_equal(day_in(written.data), day);
    }
    rh_arena_free(arena);
}

static void test_dates_of_a_domain_shift_alike(void **state)
{
    static const char *const values[] = {"1961-05-17", "2024-02-29", "0044-03-15 BC",
                                         "12024-01-01"};
    struct arena *arena = rh_arena_new();
    const int64_t shift = day_in(masked_by(MASK_DATE, "date", "2000-06-01", arena)) -
                          day_in("2000-06-01");

    (void)state;
    assert_true(shift != 0 && shift >= -1461 && shift <= 1461);
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
        assert_int_equal(day_in(masked_by(MASK_DATE, "date", values[i], arena)),
                         day_in(values[i]) + shift);
    const char *stamp = masked_by(MASK_DATE, "timestamptz", "2000-06-01 12:34:56.789+02", arena);
    assert_string_equal(strchr(stamp, ' '), " 12:34:56.789+02");
    assert_memory_equal(stamp, masked_by(MASK_DATE, "date", "2000-06-01", arena), 10);
    assert_string_equal(
        strchr(masked_by(MASK_DATE, "timestamp", "0044-03-15 01:02:03 BC", arena), ' '),
        " 01:02:03 BC");
    rh_arena_free(arena);
}

static void test_what_is_no_day_stays_or_is_text(void **state)
{
    struct arena *arena = rh_arena_new();

    (void)state;
    assert_string_equal(masked_by(MASK_DATE, "date", "infinity", arena), "infinity");
    assert_string_equal(masked_by(MASK_DATE, "timestamp", "-infinity", arena), "-infinity");
    assert_string_equal(masked_by(MASK_DATE, "date", "1970-01-01", arena), "1970-01-01");
    assert_string_equal(masked_by(MASK_DATE, "text", "17.5.1961", arena),
                        masked_by(MASK_TEXT, "text", "17.5.1961", arena));
    rh_arena_free(arena);
}

static void check_distinct(const char *type, int64_t first, int64_t end)
{
    struct arena *arena = rh_arena_new();
    struct mask_map *map = new_map(&(struct mask_map_options){.rule = MASK_DATE, .type = type},
                                   arena);
    struct text *values = rh_arena_alloc_array(arena, 20000, sizeof(*values));

    for (int64_t i = 0; i < 20000; i++)
        values[i] = rh_day_write(&(struct day_text){.day = (first + i) % end}, arena);
    const struct text *masked = mask_all(map, values, 20000, arena);
    for (size_t i = 0; i < 20000; i++) {
        struct day_text day;
        assert_true(rh_day_read(masked[i], end, &day));
    }
    rh_mask_map_free(map);
    rh_arena_free(arena);
}

/* Around the type's ends, and around the kept days. */
static void test_no_two_days_meet_and_none_leaves_the_range(void **state)
{
    (void)state;
    check_distinct("date", DATE_END_DAY - 10000, DATE_END_DAY);
    check_distinct("timestamp", TIMESTAMP_END_DAY - 10000, TIMESTAMP_END_DAY);
    check_distinct("date", 2430000, DATE_END_DAY);
    check_distinct("timestamptz", 2430000, TIMESTAMP_END_DAY);
}

static void test_the_greatest_shift_may_be_said(void **state)
{
    struct arena *arena = rh_arena_new();

    (void)state;
    for (int domain = 0; domain < 50; domain++) {
        struct mask_map *map = new_map(
            &(struct mask_map_options){.rule = MASK_DATE,
                                       .type = "date",
                                       .parameter = "2 days",
                                       .domain = rh_arena_printf(arena, "d%d", domain)},
            arena);
        const int64_t shift = day_in(mask_one(map, "2000-06-01", arena)) - day_in("2000-06-01");
        assert_true(shift != 0 && shift >= -2 && shift <= 2);
        rh_mask_map_free(map);
    }
    rh_arena_free(arena);
}

static void test_pseudonyms_are_frozen(void **state)
{
    struct arena *arena = rh_arena_new();

    (void)state;
    assert_string_equal(masked_by(MASK_DATE, "date", "2000-06-01", arena), "2003-02-02");
    rh_arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_days_are_those_of_the_calendar),
        cmocka_unit_test(test_dates_of_a_domain_shift_alike),
        cmocka_unit_test(test_what_is_no_day_stays_or_is_text),
        cmocka_unit_test(test_no_two_days_meet_and_none_leaves_the_range),
        cmocka_unit_test(test_the_greatest_shift_may_be_said),
        cmocka_unit_test(test_pseudonyms_are_frozen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
