#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fake_maps.h"
#include "mask/copy_int.h"

struct sightings {
    size_t whole, streams;
    int64_t streamed_bytes;
};

static void see(void *context, size_t column, const struct text *originals,
                const struct text *masked, size_t count)
{
    (void)column;
    (void)originals;
    (void)masked;
    ((struct sightings *)context)->whole += count;
}

static void see_streamed(void *context, size_t column, int64_t bytes)
{
    struct sightings *seen = context;
    (void)column;
    seen->streams++;
    seen->streamed_bytes += bytes;
}

/* Rows of one large field of `pattern`s between two small ones; checks what comes out as it comes
   and that it is never more than `held` bytes at once. */
static void stream_large(size_t bytes, const char *pattern, const char *masked_pattern, size_t step,
                         size_t held, struct sightings *seen)
{
    struct mask_map rot = {FAKE_ROT13, 0}, *maps[] = {&rot, &rot, NULL};
    struct copy_mask_options options = {maps, 3, {seen, see, see_streamed}};
    struct copy_mask *mask = rh_copy_mask_new(&options);
    struct err err = RH_ERR_INIT;
    RH_CLEANUP_BUF struct buf in, out;
    rh_buf_init(&in, 1 << 24);
    rh_buf_init(&out, 1 << 26);
    size_t period = strlen(pattern), total = 0, repeated = bytes / period;
    while (in.len < step + period)
        rh_buf_add_str(&in, pattern);
    assert_int_equal(rh_copy_mask_feed(mask, rh_text("no\t"), &out, &err), RH_OK);
    size_t checked = 0; /* bytes of the masked field that were seen */
    bool began = false;
    for (size_t at = 0; at < repeated * period;) {
        size_t len = repeated * period - at < step ? repeated * period - at : step;
        assert_int_equal(
            rh_copy_mask_feed(mask, (struct text){in.data + at % period, len}, &out, &err), RH_OK);
        at += len;
        assert_true(out.len <= held);
        size_t i = 0;
        if (!began && out.len > 0) {
            assert_memory_equal(out.data, "ab\t", 3);
            began = true;
            i = 3;
        }
        for (; i < out.len; i++, checked++)
            if (out.data[i] != masked_pattern[checked % period])
                fail_msg("byte %zu is %c, expected %c", checked, out.data[i],
                         masked_pattern[checked % period]);
        total += out.len;
        rh_buf_clear(&out);
    }
    assert_int_equal(rh_copy_mask_feed(mask, rh_text("\tkept\nno\tno\tno\n"), &out, &err), RH_OK);
    assert_int_equal(rh_copy_mask_flush(mask, true, &out, &err), RH_OK);
    total += out.len;
    struct copy_mask_totals totals = rh_copy_mask_totals(mask);
    assert_int_equal(totals.rows, 2);
    assert_int_equal(totals.bytes_out, total);
    assert_int_equal(totals.bytes_in, totals.bytes_out);
    assert_true(rh_text_ends_with(rh_buf_text(&out), "\tkept\nab\tab\tno\n"));
    rh_copy_mask_free(mask);
}

static void test_a_field_up_to_the_limit_is_mapped_whole(void **state)
{
    (void)state;
    struct sightings seen = {0};
    stream_large(COPY_VALUE_BYTES, "no\\\\", "ab\\\\", 10007, COPY_VALUE_BYTES + 100, &seen);
    assert_int_equal(seen.streams, 0);
    assert_int_equal(seen.whole, 4);
}

static void test_a_larger_field_is_streamed_with_every_cut(void **state)
{
    (void)state;
    for (size_t step = 60000; step < 60008; step++) {
        struct sightings seen = {0};
        stream_large(2 * COPY_VALUE_BYTES, "no\\\\\\t", "ab\\\\\\t", step,
                     COPY_VALUE_BYTES + 300000, &seen);
        assert_int_equal(seen.streams, 1);
        assert_int_equal(seen.whole, 3);
        assert_int_equal(seen.streamed_bytes, (2 * COPY_VALUE_BYTES / 6) * 4);
    }
}

/* What is held never grows with the value. */
static void test_a_gigabyte_passes_in_flat_memory(void **state)
{
    (void)state;
    struct mask_map rot = {FAKE_ROT13, 0}, *map = &rot;
    struct copy_mask_options options = {&map, 1, {NULL}};
    struct copy_mask *mask = rh_copy_mask_new(&options);
    struct err err = RH_ERR_INIT;
    RH_CLEANUP_BUF struct buf out;
    rh_buf_init(&out, COPY_VALUE_BYTES + (1 << 20)); /* its cap is the test */
    static char part[1 << 18];
    memset(part, 'n', sizeof part);
    int64_t bytes = 0;
    for (; bytes < (INT64_C(1) << 30); bytes += (int64_t)sizeof part) {
        assert_int_equal(rh_copy_mask_feed(mask, (struct text){part, sizeof part}, &out, &err),
                         RH_OK);
        assert_true(out.len == 0 || out.data[out.len - 1] == 'a');
        rh_buf_clear(&out);
    }
    assert_int_equal(rh_copy_mask_feed(mask, rh_text("\n"), &out, &err), RH_OK);
    assert_int_equal(rh_copy_mask_flush(mask, true, &out, &err), RH_OK);
    assert_int_equal(rh_copy_mask_totals(mask).bytes_out, bytes + 1);
    assert_int_equal(rh_copy_mask_totals(mask).rows, 1);
    rh_copy_mask_free(mask);
}

static void check_refused(const char *start, const char *end, const char *let_out)
{
    struct mask_map rot = {FAKE_ROT13, 0}, *maps[] = {&rot, &rot};
    struct copy_mask_options options = {maps, 2, {NULL}};
    struct copy_mask *mask = rh_copy_mask_new(&options);
    struct err err = RH_ERR_INIT;
    RH_CLEANUP_BUF struct buf out, row;
    rh_buf_init(&out, 1 << 24);
    rh_buf_init(&row, 1 << 24);
    rh_buf_add_str(&row, start);
    for (size_t i = 0; i < COPY_BATCH_BYTES; i++)
        rh_buf_add_char(&row, 'n');
    rh_buf_add_str(&row, end);
    enum err_code code = rh_copy_mask_feed(mask, rh_buf_text(&row), &out, &err);
    if (code == RH_OK)
        code = rh_copy_mask_flush(mask, true, &out, &err);
    assert_int_equal(code, RH_ERR_SERVER);
    assert_true(rh_text_starts_with(rh_buf_text(&out), let_out));
    assert_null(memchr(rh_buf_text(&out).data, 'n', out.len));
    assert_null(strstr(err.message, "nn"));
    rh_copy_mask_free(mask);
}

static void test_malformed_wide_rows_are_refused(void **state)
{
    (void)state;
    check_refused("", "\n", "");
    check_refused("n\t", "\tn\n", "a\t");
    check_refused("n\t", "\\\n", "a\t");
    check_refused("", "\\\tn\n", "");
    check_refused("n\t", "", "a\t");
}

static void test_null_and_empty_fields_of_a_wide_row(void **state)
{
    (void)state;
    struct mask_map rot = {FAKE_ROT13, 0}, null = {FAKE_NULL, 0}, hard = {FAKE_HARD, 0},
                    *maps[] = {&rot, &rot, NULL, &null, &hard};
    struct copy_mask_options options = {maps, 5, {NULL}};
    RH_CLEANUP_BUF struct buf out, row;
    rh_buf_init(&out, 1 << 24);
    rh_buf_init(&row, 1 << 24);
    rh_buf_add_str(&row, "\\N\t\t");
    for (size_t i = 0; i < COPY_BATCH_BYTES; i++)
        rh_buf_add_char(&row, 'k');
    rh_buf_add_str(&row, "\tx\ty\n");
    for (size_t step = 1; step < 2 * COPY_BATCH_BYTES; step *= 20) {
        struct copy_mask *mask = rh_copy_mask_new(&options);
        struct err err = RH_ERR_INIT;
        rh_buf_clear(&out);
        for (size_t at = 0; at < row.len; at += step)
            assert_int_equal(
                rh_copy_mask_feed(
                    mask, (struct text){row.data + at, row.len - at < step ? row.len - at : step},
                    &out, &err),
                RH_OK);
        assert_int_equal(rh_copy_mask_flush(mask, true, &out, &err), RH_OK);
        assert_true(rh_text_starts_with(rh_buf_text(&out), "\\N\t\tkkk"));
        assert_true(
            rh_text_ends_with(rh_buf_text(&out), "k\t\\N\t\\b\\t\\n\\v\\f\\r\\\\N\x01\x7f\n"));
        rh_copy_mask_free(mask);
    }
}

/* However large: there is nothing of it in what comes out, and no more is held than of others. */
static void test_a_larger_field_is_replaced_where_the_rule_replaces(void **state)
{
    (void)state;
    struct mask_map rot = {FAKE_ROT13, 0}, null = {FAKE_NULL, 0}, hard = {FAKE_HARD, 0},
                    *maps[] = {&rot, &null, &hard, &rot};
    struct sightings seen = {0};
    struct copy_mask_options options = {maps, 4, {&seen, see, see_streamed}};
    RH_CLEANUP_BUF struct buf out, large;
    rh_buf_init(&out, 1 << 16);
    rh_buf_init(&large, 1 << 24);
    while (large.len < COPY_VALUE_BYTES + 100000)
        rh_buf_add_str(&large, "Anna Muster\\t");
    for (size_t step = 60000; step < 60004; step++) {
        struct copy_mask *mask = rh_copy_mask_new(&options);
        struct err err = RH_ERR_INIT;
        rh_buf_clear(&out);
        assert_int_equal(rh_copy_mask_feed(mask, rh_text("no"), &out, &err), RH_OK);
        for (int field = 0; field < 2; field++) {
            assert_int_equal(rh_copy_mask_feed(mask, rh_text("\t"), &out, &err), RH_OK);
            for (size_t at = 0; at < large.len; at += step) {
                size_t len = large.len - at < step ? large.len - at : step;
                assert_int_equal(
                    rh_copy_mask_feed(mask, (struct text){large.data + at, len}, &out, &err),
                    RH_OK);
            }
        }
        assert_int_equal(rh_copy_mask_feed(mask, rh_text("\tno\n"), &out, &err), RH_OK);
        assert_int_equal(rh_copy_mask_flush(mask, true, &out, &err), RH_OK);
        assert_true(
            rh_text_is(rh_buf_text(&out), "ab\t\\N\t\\b\\t\\n\\v\\f\\r\\\\N\x01\x7f\tab\n"));
        rh_copy_mask_free(mask);
    }
    assert_int_equal(seen.streams, 0);
    assert_int_equal(seen.whole, 4 * 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_field_up_to_the_limit_is_mapped_whole),
        cmocka_unit_test(test_a_larger_field_is_streamed_with_every_cut),
        cmocka_unit_test(test_a_gigabyte_passes_in_flat_memory),
        cmocka_unit_test(test_malformed_wide_rows_are_refused),
        cmocka_unit_test(test_null_and_empty_fields_of_a_wide_row),
        cmocka_unit_test(test_a_larger_field_is_replaced_where_the_rule_replaces),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
