#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/gzip.h"
#include "snapshot/row_writer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Of a test: until something comes back from the thread. */
#define WAIT_US (20 * INT64_C(1000000))
#define HELD_MAX ((size_t)64 * 1024 * 1024)
#define WRITERS 4

struct fixture {
    char directory[64];
    struct arena *arena;
    struct loop *loop;
    int told; /* how often `ready` was called */
};

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    struct err err = RH_ERR_INIT;

    strcpy(fixture->directory, "/tmp/rh-row-writer-XXXXXX");
    assert_non_null(mkdtemp(fixture->directory));
    fixture->arena = rh_arena_new();
    assert_int_equal(rh_loop_new(&fixture->loop, &err), RH_OK);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    struct err err = RH_ERR_INIT;

    rh_loop_free(fixture->loop);
    assert_int_equal(rh_file_remove_tree(fixture->directory, &err), RH_OK);
    rh_arena_free(fixture->arena);
    free(fixture);
    return 0;
}

static void on_ready(void *context)
{
    struct fixture *fixture = context;

    fixture->told++;
    rh_loop_stop(fixture->loop);
}

static struct mask_map *new_map(struct fixture *fixture)
{
    static const struct mask_master_key key = {{7}};
    struct mask_map_options options = {
        .key = &key, .domain = "test", .rule = MASK_TEXT, .type = "text"};
    struct mask_map *map;
    struct err err = RH_ERR_INIT;

    assert_int_equal(rh_mask_map_new(&options, fixture->arena, &map, &err), RH_OK);
    return map;
}

/* Of two columns, the second masked. */
static struct copy_mask *new_mask(struct mask_map *map)
{
    struct mask_map *maps[] = {NULL, map};
    struct copy_mask_options options = {.maps = maps, .column_count = 2};

    return rh_copy_mask_new(&options);
}

static const char *path_of(struct fixture *fixture, const char *name)
{
    return rh_file_join(fixture->arena, fixture->directory, name);
}

static struct row_writer *open_writer(struct fixture *fixture, const char *name,
                                      struct mask_map *map)
{
    struct row_writer_options options = {.loop = fixture->loop,
                                         .path = path_of(fixture, name),
                                         .ready = on_ready,
                                         .context = fixture};
    struct row_writer *writer;
    struct err err = RH_ERR_INIT;

    assert_int_equal(rh_row_writer_new(&options, new_mask(map), &writer, &err), RH_OK);
    return writer;
}

static void wait_for(struct fixture *fixture)
{
    struct err err = RH_ERR_INIT;

    assert_int_equal(rh_loop_run(fixture->loop, rh_clock_after(rh_clock_mono(), WAIT_US), &err),
                     RH_OK);
}

static enum row_writer_state wait_for_end(struct fixture *fixture, struct row_writer *writer)
{
    while (rh_row_writer_state(writer) != ROW_WRITER_ENDED &&
           rh_row_writer_state(writer) != ROW_WRITER_FAILED)
        wait_for(fixture);
    return rh_row_writer_state(writer);
}

/* As the loop does: what comes behind "no more" waits for `ready`. */
static void feed_all(struct fixture *fixture, struct row_writer *writer, struct text rows,
                     size_t part)
{
    for (size_t at = 0; at < rows.len; at += part) {
        struct text piece = {rows.data + at, rows.len - at < part ? rows.len - at : part};
        if (rh_row_writer_feed(writer, piece))
            continue;
        while (rh_row_writer_state(writer) == ROW_WRITER_FULL)
            wait_for(fixture);
    }
}

static struct text rows_of(struct fixture *fixture, unsigned first, unsigned count)
{
    struct buf *rows = RH_NEW(fixture->arena, struct buf);

    rh_buf_init(rows, HELD_MAX);
    for (unsigned i = first; i < first + count; i++)
        rh_buf_printf(rows, "%u\tname %u of somebody\n", i, i * 7919);
    struct text text = {rh_text_dup(fixture->arena, rh_buf_text(rows)), rows->len};
    rh_buf_deinit(rows);
    return text;
}

/* What the same mask makes of the rows in one go, and what stands behind them. */
static void expect_masked(struct mask_map *map, struct text rows, struct buf *out,
                          struct copy_mask_totals *totals)
{
    struct copy_mask *mask = new_mask(map);
    struct err err = RH_ERR_INIT;

    assert_int_equal(rh_copy_mask_feed(mask, rows, out, &err), RH_OK);
    assert_int_equal(rh_copy_mask_flush(mask, true, out, &err), RH_OK);
    *totals = rh_copy_mask_totals(mask);
    rh_copy_mask_free(mask);
    rh_buf_add_str(out, ROW_FILE_END);
}

static void assert_written(struct fixture *fixture, const char *name, struct row_writer *writer,
                           struct text rows)
{
    struct mask_map *map = new_map(fixture);
    struct copy_mask_totals expected, totals = rh_row_writer_totals(writer);
    struct err err = RH_ERR_INIT;
    struct text file;
    RH_CLEANUP_BUF struct buf held, made;

    rh_buf_init(&held, HELD_MAX);
    rh_buf_init(&made, HELD_MAX);
    expect_masked(map, rows, &made, &expected);
    rh_mask_map_free(map);
    assert_int_equal(rh_file_read(path_of(fixture, name), HELD_MAX, fixture->arena, &file, &err),
                     RH_OK);
    assert_int_equal(rh_gunzip(file, &held, &err), RH_OK);
    assert_int_equal(held.len, made.len);
    assert_memory_equal(held.data, made.data, made.len);
    assert_int_equal(totals.rows, expected.rows);
    assert_int_equal(totals.bytes_in, expected.bytes_in);
    assert_int_equal(totals.checksum.low, expected.checksum.low);
    assert_int_equal(totals.checksum.high, expected.checksum.high);
    assert_int_equal(rh_row_writer_rows(writer), expected.rows);
}

static void test_row_writer_writes_masked_rows(void **state)
{
    struct fixture *fixture = *state;
    static const size_t parts[] = {7, 8192, 65536};
    static const unsigned counts[] = {0, 1, 1000, 100000};
    struct mask_map *map = new_map(fixture);

    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
        for (size_t j = 0; j < sizeof(counts) / sizeof(counts[0]); j++) {
            const char *name = rh_arena_printf(fixture->arena, "%zu.%zu", i, j);
            struct text rows = rows_of(fixture, 1, counts[j]);
            struct row_writer *writer = open_writer(fixture, name, map);
            feed_all(fixture, writer, rows, parts[i]);
            (void)rh_row_writer_end(writer);
            assert_int_equal(wait_for_end(fixture, writer), ROW_WRITER_ENDED);
            assert_written(fixture, name, writer, rows);
            rh_row_writer_free(writer);
        }
    rh_mask_map_free(map);
}

static void test_row_writers_work_side_by_side(void **state)
{
    struct fixture *fixture = *state;
    struct row_writer *writers[WRITERS];
    struct mask_map *maps[WRITERS];
    struct text rows[WRITERS];
    char names[WRITERS][8];

    for (unsigned i = 0; i < WRITERS; i++) {
        snprintf(names[i], sizeof(names[i]), "%u", i);
        maps[i] = new_map(fixture);
        rows[i] = rows_of(fixture, i * 100000, 50000);
        writers[i] = open_writer(fixture, names[i], maps[i]);
    }
    for (size_t at = 0; at < rows[WRITERS - 1].len; at += 50000)
        for (unsigned i = 0; i < WRITERS; i++) {
            size_t left = rows[i].len > at ? rows[i].len - at : 0;
            feed_all(fixture, writers[i],
                     (struct text){rows[i].data + at, left < 50000 ? left : 50000}, 50000);
        }
    for (unsigned i = 0; i < WRITERS; i++)
        (void)rh_row_writer_end(writers[i]);
    for (unsigned i = 0; i < WRITERS; i++) {
        assert_int_equal(wait_for_end(fixture, writers[i]), ROW_WRITER_ENDED);
        assert_written(fixture, names[i], writers[i], rows[i]);
        rh_row_writer_free(writers[i]);
        rh_mask_map_free(maps[i]);
    }
}

static void test_row_writer_says_when_it_is_full_and_when_no_more(void **state)
{
    struct fixture *fixture = *state;
    struct mask_map *map = new_map(fixture);
    struct row_writer *writer = open_writer(fixture, "rows", map);
    struct text rows = rows_of(fixture, 1, 200000);
    bool was_full = false;

    assert_true(rows.len > 4 * ROW_QUEUE_BYTES);
    for (size_t at = 0; at < rows.len; at += ROW_QUEUE_BYTES) {
        size_t left = rows.len - at;
        struct text piece = {rows.data + at, left < ROW_QUEUE_BYTES ? left : ROW_QUEUE_BYTES};
        bool takes_more = rh_row_writer_feed(writer, piece);
        was_full |= !takes_more;
        if (piece.len == ROW_QUEUE_BYTES)
            assert_false(takes_more);
        while (!takes_more && rh_row_writer_state(writer) == ROW_WRITER_FULL)
            wait_for(fixture);
    }
    assert_true(was_full);
    (void)rh_row_writer_end(writer);
    assert_int_equal(wait_for_end(fixture, writer), ROW_WRITER_ENDED);
    assert_written(fixture, "rows", writer, rows);
    rh_row_writer_free(writer);
    rh_mask_map_free(map);
}

static void test_row_writer_tells_of_half_a_row(void **state)
{
    struct fixture *fixture = *state;
    struct mask_map *map = new_map(fixture);
    struct row_writer *writer = open_writer(fixture, "rows", map);

    assert_true(rh_row_writer_feed(writer, TEXT_LITERAL("1\tAnna\n2\tBe")));
    assert_int_equal(rh_row_writer_end(writer), ROW_WRITER_FAILED);
    assert_int_equal(wait_for_end(fixture, writer), ROW_WRITER_FAILED);
    struct err failure = rh_row_writer_failure(writer);
    assert_int_equal(failure.code, RH_ERR_SERVER);
    assert_non_null(strstr(failure.message, "in the middle of row 2"));
    rh_row_writer_free(writer);
    rh_mask_map_free(map);
}

static void test_row_writer_has_a_small_table_at_once(void **state)
{
    struct fixture *fixture = *state;
    struct mask_map *map = new_map(fixture);
    struct text rows = rows_of(fixture, 1, 1000);
    struct row_writer *writer = open_writer(fixture, "rows", map);

    assert_true(rh_row_writer_feed(writer, rows));
    assert_int_equal(rh_row_writer_end(writer), ROW_WRITER_ENDED);
    assert_int_equal(fixture->told, 0);
    assert_written(fixture, "rows", writer, rows);
    rh_row_writer_free(writer);
    rh_mask_map_free(map);
}

static void test_row_writer_that_failed_takes_rows_to_no_end(void **state)
{
    struct fixture *fixture = *state;
    struct mask_map *map = new_map(fixture);
    struct row_writer *writer = open_writer(fixture, "rows", map);
    char *rows = calloc(1, ROW_QUEUE_BYTES);

    memset(rows, 'x', ROW_QUEUE_BYTES);
    for (size_t i = 0; i < ROW_QUEUE_BYTES; i += 10)
        rows[i] = '\n'; /* one column where there should be two */
    (void)!rh_row_writer_feed(writer, (struct text){rows, ROW_QUEUE_BYTES});
    assert_int_equal(wait_for_end(fixture, writer), ROW_WRITER_FAILED);
    for (int i = 0; i < 10; i++)
        assert_true(rh_row_writer_feed(writer, (struct text){rows, ROW_QUEUE_BYTES}));
    (void)rh_row_writer_end(writer);
    assert_int_equal(rh_row_writer_state(writer), ROW_WRITER_FAILED);
    rh_row_writer_free(writer);
    rh_mask_map_free(map);
    free(rows);
}

static void test_row_writer_is_freed_at_work(void **state)
{
    struct fixture *fixture = *state;
    struct mask_map *map = new_map(fixture);
    struct text rows = rows_of(fixture, 1, 15000);

    for (int i = 0; i < 50; i++) {
        struct row_writer *writer = open_writer(fixture, rh_arena_printf(fixture->arena, "%d", i),
                                                map);
        size_t len = rows.len * (size_t)i / 50;
        if (len > 0)
            (void)!rh_row_writer_feed(writer, (struct text){rows.data, len});
        if (i % 2)
            (void)rh_row_writer_end(writer);
        rh_row_writer_free(writer);
    }
    rh_mask_map_free(map);
}

static void test_row_writer_does_not_overwrite(void **state)
{
    struct fixture *fixture = *state;
    struct mask_map *map = new_map(fixture);
    struct err err = RH_ERR_INIT;
    struct row_writer *writer = open_writer(fixture, "rows", map), *other;
    struct row_writer_options options = {
        .loop = fixture->loop, .path = path_of(fixture, "rows"), .ready = on_ready};

    assert_int_equal(rh_row_writer_new(&options, new_mask(map), &other, &err), RH_ERR_IO);
    rh_row_writer_free(writer);
    rh_mask_map_free(map);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        TEST(test_row_writer_writes_masked_rows),
        TEST(test_row_writers_work_side_by_side),
        TEST(test_row_writer_says_when_it_is_full_and_when_no_more),
        TEST(test_row_writer_tells_of_half_a_row),
        TEST(test_row_writer_has_a_small_table_at_once),
        TEST(test_row_writer_that_failed_takes_rows_to_no_end),
        TEST(test_row_writer_is_freed_at_work),
        TEST(test_row_writer_does_not_overwrite),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
