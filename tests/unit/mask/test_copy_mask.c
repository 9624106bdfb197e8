#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fake_maps.h"
#include "mask/copy_int.h"

#define COLUMNS_MAX 4

struct outcome {
    enum err_code code;
    struct err err;
    struct buf out;
    struct copy_mask_totals totals;
};

static void outcome_deinit(struct outcome *outcome)
{
    rh_buf_deinit(&outcome->out);
}
#define CLEANUP_OUTCOME __attribute__((cleanup(outcome_deinit)))

/* kinds: a letter per column: r rot13, s same, 0 NULL, h hard, l long, - no map. Pieces of `step`
   bytes, or two cut at `cut` when step is 0. */
static struct outcome mask_rows_watched(const char *kinds, struct text rows, size_t step,
                                        size_t cut, struct copy_watcher watcher)
{
    struct mask_map fakes[2000];
    struct mask_map *maps[2000];
    size_t columns = strlen(kinds);
    assert_true(columns <= 2000);
    for (size_t i = 0; i < columns; i++) {
        fakes[i] = (struct mask_map){kinds[i] == 'r'   ? FAKE_ROT13
                                     : kinds[i] == 's' ? FAKE_SAME
                                     : kinds[i] == '0' ? FAKE_NULL
                                     : kinds[i] == 'l' ? FAKE_LONG
                                                       : FAKE_HARD};
        maps[i] = kinds[i] == '-' ? NULL : &fakes[i];
    }
    struct copy_mask_options options = {maps, columns, watcher};
    struct copy_mask *mask = rh_copy_mask_new(&options);
    struct outcome outcome = {.code = RH_OK};
    rh_buf_init(&outcome.out, 256 * 1024 * 1024);
    size_t at = 0;
    while (at < rows.len && outcome.code == RH_OK) {
        size_t len = step > 0 ? step : at < cut ? cut : rows.len;
        if (len > rows.len - at)
            len = rows.len - at;
        outcome.code = rh_copy_mask_feed(mask, (struct text){rows.data + at, len}, &outcome.out,
                                         &outcome.err);
        at += len;
    }
    if (outcome.code == RH_OK)
        outcome.code = rh_copy_mask_flush(mask, true, &outcome.out, &outcome.err);
    outcome.totals = rh_copy_mask_totals(mask);
    if (outcome.code == RH_OK) {
        assert_int_equal(outcome.totals.bytes_in, rows.len);
        assert_int_equal(outcome.totals.bytes_out, outcome.out.len);
    }
    rh_copy_mask_free(mask);
    return outcome;
}

static struct outcome mask_rows(const char *kinds, struct text rows, size_t step, size_t cut)
{
    return mask_rows_watched(kinds, rows, step, cut, (struct copy_watcher){NULL});
}

static void assert_text(struct text actual, struct text expected)
{
    if (!rh_text_equals(actual, expected))
        print_error("is       %.*s\nexpected %.*s\n", (int)(actual.len < 2000 ? actual.len : 2000),
                    actual.data, (int)(expected.len < 2000 ? expected.len : 2000), expected.data);
    assert_true(rh_text_equals(actual, expected));
}

static void check(const char *kinds, const char *rows, const char *expected)
{
    struct text in = rh_text(rows);
    for (size_t step = 0; step <= 1; step++) {
        for (size_t cut = 1; cut < (step == 0 ? in.len : 2); cut++) {
            CLEANUP_OUTCOME struct outcome outcome = mask_rows(kinds, in, step, cut);
            if (outcome.code != RH_OK)
                print_error("%s\n", outcome.err.message);
            assert_int_equal(outcome.code, RH_OK);
            assert_text(rh_buf_text(&outcome.out), rh_text(expected));
        }
    }
}

static void check_refused(const char *kinds, const char *rows, enum err_code code,
                          const char *allowed)
{
    for (size_t step = 1; step <= 64; step *= 8) {
        CLEANUP_OUTCOME struct outcome outcome = mask_rows(kinds, rh_text(rows), step, 0);
        assert_int_equal(outcome.code, code);
        assert_true(outcome.err.message[0] != '\0');
        /* Whatever was let out is the masked beginning. */
        assert_true(outcome.out.len <= strlen(allowed));
        assert_memory_equal(rh_buf_text(&outcome.out).data, allowed, outcome.out.len);
    }
}

static void test_columns_with_a_map_are_masked_and_others_stay(void **state)
{
    (void)state;
    check("r", "hello\n", "uryyb\n");
    check("-r", "hello\thello\n", "hello\turyyb\n");
    check("r-", "hello\thello\n", "uryyb\thello\n");
    check("r-r", "a\ta\ta\nb\tb\tb\n\t\t\n", "n\ta\tn\no\tb\to\n\t\t\n");
    check("---", "a\tb\\\\\\N\t\\N\n", "a\tb\\\\\\N\t\\N\n");
}

static void test_null_stays_null_and_empty_stays_empty(void **state)
{
    (void)state;
    check("rr", "\\N\t\n\t\\N\n\\N\t\\N\n", "\\N\t\n\t\\N\n\\N\t\\N\n");
    /* The text "\N" is another value than NULL; so is an N behind an escape. */
    check("r", "\\\\N\n", "\\\\A\n");
    check("r", "a\\N\n", "nA\n");
}

static void test_a_map_may_give_null(void **state)
{
    (void)state;
    check("0-0", "a\tb\tc\n\\N\t\\N\t\n", "\\N\tb\t\\N\n\\N\t\\N\t\\N\n");
}

static void test_values_are_escaped_as_the_server_does(void **state)
{
    (void)state;
    check("h", "x\n", "\\b\\t\\n\\v\\f\\r\\\\N\x01\x7f\n");
    check("s", "\\b\\t\\n\\v\\f\\r\\\\\n", "\\b\\t\\n\\v\\f\\r\\\\\n");
    check("r", "a\\tb\\\\\\\\c\\n\n", "n\\to\\\\\\\\p\\n\n");
    /* An escaped backslash before a delimiter is the end of its field. */
    check("r-", "a\\\\\tb\n", "n\\\\\tb\n");
}

static void test_octal_and_hexadecimal_escapes_are_understood(void **state)
{
    (void)state;
    check("r", "\\141\\x62\\x6\\7\\x\\q\n", "no\x06\x07kd\n");
    check("r", "\\1411\\x61z\n", "n1nm\n");
    /* In a column that stays nobody looks. */
    check("-", "\\141\n", "\\141\n");
}

static void test_the_end_of_data_marker_passes_and_is_no_row(void **state)
{
    (void)state;
    check("r", "a\n\\.\n\n\n", "n\n\\.\n\n\n");
    check("rr", "a\tb\n\\.\n", "n\to\n\\.\n");
    check("r", "\\\\.\n", "\\\\.\n"); /* a value that looks like it */
    CLEANUP_OUTCOME struct outcome outcome = mask_rows("r", rh_text("a\n\\.\n\n"), 1, 0);
    assert_int_equal(outcome.totals.rows, 1);
    check_refused("r", "a\n\\.\nsecret\n", RH_ERR_SERVER, "n\n\\.\n");
}

static void test_malformed_rows_are_refused(void **state)
{
    (void)state;
    check_refused("rr", "a\tb\na\n", RH_ERR_SERVER, "n\to\n");
    check_refused("rr", "a\tb\na\tb\tc\n", RH_ERR_SERVER, "n\to\n");
    check_refused("r", "a\nb\tc\n", RH_ERR_SERVER, "n\n");
    check_refused("rr", "a\tb\n\n", RH_ERR_SERVER, "n\to\n");
    check_refused("r", "a\nb", RH_ERR_SERVER, "n\n");
    check_refused("-", "a\nb", RH_ERR_SERVER, "a\nb");
    check_refused("rr", "a\\\tb\n", RH_ERR_SERVER, "");
    check_refused("-r", "a\\\tb\tc\n", RH_ERR_SERVER, "");
    check_refused("r", "a\\\nb\n", RH_ERR_SERVER, "");
}

static void test_an_error_says_which_row_and_no_value(void **state)
{
    (void)state;
    CLEANUP_OUTCOME struct outcome outcome = mask_rows("rr", rh_text("a\tb\na\tb\nsecret\n"), 5, 0);
    assert_int_equal(outcome.code, RH_ERR_SERVER);
    assert_non_null(strstr(outcome.err.message, "row 3"));
    assert_null(strstr(outcome.err.message, "secret"));
    assert_true(outcome.err.hint[0] != '\0');
}

static void test_rows_without_columns(void **state)
{
    (void)state;
    CLEANUP_OUTCOME struct outcome outcome = mask_rows("", rh_text("\n\n\n"), 1, 0);
    assert_int_equal(outcome.code, RH_OK);
    assert_text(rh_buf_text(&outcome.out), rh_text("\n\n\n"));
    assert_int_equal(outcome.totals.rows, 3);
}

static void test_nothing_at_all(void **state)
{
    (void)state;
    CLEANUP_OUTCOME struct outcome outcome = mask_rows("r", rh_text(""), 1, 0);
    assert_int_equal(outcome.code, RH_OK);
    assert_int_equal(outcome.out.len, 0);
    assert_int_equal(outcome.totals.rows, 0);
}

static void test_sixteen_hundred_columns(void **state)
{
    (void)state;
    char kinds[1601] = {0};
    struct buf rows, expected;
    rh_buf_init(&rows, 1 << 24);
    rh_buf_init(&expected, 1 << 24);
    for (int i = 0; i < 1600; i++)
        kinds[i] = i % 3 == 0 ? 'r' : i % 3 == 1 ? '-' : 's';
    for (int row = 0; row < 100; row++)
        for (int i = 0; i < 1600; i++) {
            const char *end = i == 1599 ? "\n" : "\t";
            if ((row + i) % 7 == 0) {
                rh_buf_printf(&rows, "\\N%s", end);
                rh_buf_printf(&expected, "\\N%s", end);
            } else {
                rh_buf_printf(&rows, "no%d\\\\%s", row * i, end);
                rh_buf_printf(&expected, "%s%d\\\\%s", i % 3 == 0 ? "ab" : "no", row * i, end);
            }
        }
    for (size_t step = 1; step <= rows.len; step = step * 37 + 1) {
        CLEANUP_OUTCOME struct outcome outcome = mask_rows(kinds, rh_buf_text(&rows), step, 0);
        assert_int_equal(outcome.code, RH_OK);
        assert_text(rh_buf_text(&outcome.out), rh_buf_text(&expected));
        assert_int_equal(outcome.totals.rows, 100);
    }
    rh_buf_deinit(&rows);
    rh_buf_deinit(&expected);
}

/* A row around the size of a batch is masked the same, on whichever side of it. */
static void test_rows_of_any_size_are_masked_alike(void **state)
{
    (void)state;
    const size_t sizes[] = {1000,
                            COPY_BATCH_BYTES - 8,
                            COPY_BATCH_BYTES - 7,
                            COPY_BATCH_BYTES - 6,
                            COPY_BATCH_BYTES - 5,
                            COPY_BATCH_BYTES - 1,
                            COPY_BATCH_BYTES,
                            COPY_BATCH_BYTES + 1,
                            3 * COPY_BATCH_BYTES + 17};
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        struct buf rows, expected;
        rh_buf_init(&rows, 1 << 24);
        rh_buf_init(&expected, 1 << 24);
        for (int row = 0; row < 5; row++) {
            rh_buf_add_str(&rows, "no\t");
            rh_buf_add_str(&expected, "no\t");
            size_t wanted = row % 2 == 0 ? sizes[s] : 10;
            for (size_t i = 0; i < wanted / 5; i++) {
                rh_buf_add_str(&rows, "no\\\\\\n");
                rh_buf_add_str(&expected, "ab\\\\\\n");
            }
            for (size_t i = 0; i < wanted % 5; i++) {
                rh_buf_add_str(&rows, "n");
                rh_buf_add_str(&expected, "a");
            }
            rh_buf_add_str(&rows, "\t\\N\n");
            rh_buf_add_str(&expected, "\t\\N\n");
        }
        const size_t steps[] = {7, 4096, 65537, 1 << 24};
        for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
            CLEANUP_OUTCOME struct outcome outcome = mask_rows("-rr", rh_buf_text(&rows), steps[i],
                                                               0);
            assert_int_equal(outcome.code, RH_OK);
            assert_text(rh_buf_text(&outcome.out), rh_buf_text(&expected));
            assert_int_equal(outcome.totals.rows, 5);
        }
        rh_buf_deinit(&rows);
        rh_buf_deinit(&expected);
    }
}

static void test_flush_lets_whole_rows_out_and_keeps_the_rest(void **state)
{
    (void)state;
    struct mask_map fake = {FAKE_ROT13, 0}, *map = &fake;
    struct copy_mask_options options = {&map, 1, {NULL}};
    struct copy_mask *mask = rh_copy_mask_new(&options);
    struct err err = RH_ERR_INIT;
    RH_CLEANUP_BUF struct buf out;
    rh_buf_init(&out, 100);
    assert_int_equal(rh_copy_mask_feed(mask, rh_text("a\nb\nc"), &out, &err), RH_OK);
    assert_int_equal(out.len, 0);
    assert_int_equal(rh_copy_mask_flush(mask, false, &out, &err), RH_OK);
    assert_text(rh_buf_text(&out), rh_text("n\no\n"));
    assert_int_equal(rh_copy_mask_feed(mask, rh_text("d\n"), &out, &err), RH_OK);
    assert_int_equal(rh_copy_mask_flush(mask, true, &out, &err), RH_OK);
    assert_text(rh_buf_text(&out), rh_text("n\no\npq\n"));
    rh_copy_mask_free(mask);
}

static void test_no_room_for_the_rows_is_an_error(void **state)
{
    (void)state;
    struct mask_map fake = {FAKE_ROT13, 0}, *map = &fake;
    struct copy_mask_options options = {&map, 1, {NULL}};
    struct copy_mask *mask = rh_copy_mask_new(&options);
    struct err err = RH_ERR_INIT;
    RH_CLEANUP_BUF struct buf out;
    rh_buf_init(&out, 5);
    assert_int_equal(rh_copy_mask_feed(mask, rh_text("secret\n"), &out, &err), RH_OK);
    assert_int_equal(rh_copy_mask_flush(mask, true, &out, &err), RH_ERR_LIMIT);
    assert_int_equal(out.len, 0);
    rh_copy_mask_free(mask);
}

/* --- the watcher ------------------------------------------------------------------------------ */

struct sightings {
    size_t values, nulls;
    struct buf log;
};

static void see(void *context, size_t column, const struct text *originals,
                const struct text *masked, size_t count)
{
    struct sightings *seen = context;
    for (size_t i = 0; i < count; i++) {
        seen->values++;
        seen->nulls += originals[i].data == NULL;
        rh_buf_printf(
            &seen->log, "%zu:%.*s>%.*s ", column, originals[i].data ? (int)originals[i].len : 4,
            originals[i].data ? originals[i].data : "NULL", masked[i].data ? (int)masked[i].len : 4,
            masked[i].data ? masked[i].data : "NULL");
    }
}

static void see_streamed(void *context, size_t column, int64_t bytes)
{
    struct sightings *seen = context;
    rh_buf_printf(&seen->log, "%zu streamed %lld ", column, (long long)bytes);
}

static void test_the_watcher_sees_originals_beside_pseudonyms(void **state)
{
    (void)state;
    struct sightings seen = {0};
    rh_buf_init(&seen.log, 10000);
    CLEANUP_OUTCOME struct outcome outcome = mask_rows_watched(
        "r-0", rh_text("a\\tb\tk\tx\n\\N\tk\ty\n"), 3, 0,
        (struct copy_watcher){&seen, see, see_streamed});
    assert_int_equal(outcome.code, RH_OK);
    assert_string_equal(seen.log.data, "0:a\tb>n\to 0:NULL>NULL 2:x>NULL 2:y>NULL ");
    rh_buf_deinit(&seen.log);
}

static void test_the_checksum_is_of_the_masked_rows(void **state)
{
    (void)state;
    CLEANUP_OUTCOME struct outcome masked = mask_rows("r-", rh_text("a\tb\nc\td\n"), 2, 0);
    struct copy_digest *digest = rh_copy_digest_new();
    rh_copy_digest_feed(digest, rh_text("p\td\nn\tb\n"));
    int64_t rows;
    assert_true(rh_digest_equals(masked.totals.checksum, rh_copy_digest_sum(digest, &rows)));
    assert_int_equal(rows, 2);
    rh_copy_digest_free(digest);
    CLEANUP_OUTCOME struct outcome kept = mask_rows("--", rh_text("p\td\nn\tb\n"), 1, 0);
    assert_true(rh_digest_equals(masked.totals.checksum, kept.totals.checksum));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_columns_with_a_map_are_masked_and_others_stay),
        cmocka_unit_test(test_null_stays_null_and_empty_stays_empty),
        cmocka_unit_test(test_a_map_may_give_null),
        cmocka_unit_test(test_values_are_escaped_as_the_server_does),
        cmocka_unit_test(test_octal_and_hexadecimal_escapes_are_understood),
        cmocka_unit_test(test_the_end_of_data_marker_passes_and_is_no_row),
        cmocka_unit_test(test_malformed_rows_are_refused),
        cmocka_unit_test(test_an_error_says_which_row_and_no_value),
        cmocka_unit_test(test_rows_without_columns),
        cmocka_unit_test(test_nothing_at_all),
        cmocka_unit_test(test_sixteen_hundred_columns),
        cmocka_unit_test(test_rows_of_any_size_are_masked_alike),
        cmocka_unit_test(test_flush_lets_whole_rows_out_and_keeps_the_rest),
        cmocka_unit_test(test_no_room_for_the_rows_is_an_error),
        cmocka_unit_test(test_the_watcher_sees_originals_beside_pseudonyms),
        cmocka_unit_test(test_the_checksum_is_of_the_masked_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
