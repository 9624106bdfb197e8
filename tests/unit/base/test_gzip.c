#include "unit.h"

#include "base/file.h"
#include "base/gzip.h"

#include <errno.h>
#include <fcntl.h>

#define HELD_MAX ((size_t)8 * 1024 * 1024)

struct fixture {
    char path[64];
    int fd;
    struct arena *arena;
};

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));

    strcpy(fixture->path, "/tmp/rh-gzip-XXXXXX");
    fixture->fd = mkstemp(fixture->path);
    assert_true(fixture->fd >= 0);
    fixture->arena = rh_arena_new();
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;

    close(fixture->fd);
    unlink(fixture->path);
    rh_arena_free(fixture->arena);
    free(fixture);
    return 0;
}

/* A member of `bytes`, given in parts of `part`, behind what is there. */
static void write_member(struct fixture *fixture, struct text bytes, size_t part)
{
    struct err err = RH_ERR_INIT;
    struct gzip_writer *writer = rh_gzip_writer_new(fixture->fd);

    for (size_t at = 0; at < bytes.len; at += part) {
        struct text piece = {bytes.data + at, bytes.len - at < part ? bytes.len - at : part};
        assert_int_equal(rh_gzip_write(writer, piece, &err), RH_OK);
    }
    assert_int_equal(rh_gzip_finish(writer, &err), RH_OK);
    rh_gzip_writer_free(writer);
}

static struct text file_of(struct fixture *fixture)
{
    struct err err = RH_ERR_INIT;
    struct text file;

    assert_int_equal(rh_file_read(fixture->path, HELD_MAX, fixture->arena, &file, &err), RH_OK);
    return file;
}

static void assert_holds(struct text file, struct text expected)
{
    struct err err = RH_ERR_INIT;
    RH_CLEANUP_BUF struct buf held;

    rh_buf_init(&held, HELD_MAX);
    assert_int_equal(rh_gunzip(file, &held, &err), RH_OK);
    assert_int_equal(held.len, expected.len);
    if (expected.len > 0)
        assert_memory_equal(held.data, expected.data, expected.len);
}

/* What repeats and what does not, beyond every window and buffer of the format. */
static struct text sample(struct arena *arena, size_t len)
{
    char *bytes = rh_arena_alloc(arena, len + 1);
    uint32_t draw = 1;

    for (size_t i = 0; i < len; i++) {
        draw = draw * 1664525 + 1013904223;
        bytes[i] = (i / 1000) % 3 == 0 ? "id\tname\tnote\n"[i % 13] : (char)(draw >> 24);
    }
    return (struct text){bytes, len};
}

static void test_gzip_holds_what_was_written(void **state)
{
    struct fixture *fixture = *state;
    static const size_t lengths[] = {0, 1, 4095, 65536, 1000000, 3000000};
    static const size_t parts[] = {100, 65536, 5000000};

    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++)
        for (size_t j = 0; j < sizeof(parts) / sizeof(parts[0]); j++) {
            struct text bytes = sample(fixture->arena, lengths[i]);
            assert_int_equal(ftruncate(fixture->fd, 0), 0);
            lseek(fixture->fd, 0, SEEK_SET);
            write_member(fixture, bytes, parts[j]);
            assert_holds(file_of(fixture), bytes);
        }
}

static void test_gzip_is_read_by_gzip(void **state)
{
    struct fixture *fixture = *state;
    struct text bytes = sample(fixture->arena, 2000000);
    char *back = malloc(bytes.len + 1);

    write_member(fixture, bytes, 65536);
    FILE *pipe = popen(rh_arena_printf(fixture->arena, "gzip -dc < %s", fixture->path), "r");
    assert_non_null(pipe);
    assert_int_equal(fread(back, 1, bytes.len + 1, pipe), bytes.len);
    assert_int_equal(pclose(pipe), 0);
    assert_memory_equal(back, bytes.data, bytes.len);
    free(back);
}

#define MEGABYTE ((size_t)1024 * 1024)

/* Twenty megabytes of one kind, and as many of another: the bytes of the file. */
static size_t file_of_two(struct fixture *fixture, bool first_repeats)
{
    const size_t half = 20 * MEGABYTE;
    char *bytes = malloc(2 * half);
    uint32_t draw = 1;

    for (size_t i = 0; i < 2 * half; i++) {
        draw = draw * 1664525 + 1013904223;
        bytes[i] = (i < half) == first_repeats ? "id\tname\tnote\n"[i % 13] : (char)(draw >> 24);
    }
    write_member(fixture, (struct text){bytes, 2 * half}, 300000);
    struct err err = RH_ERR_INIT;
    struct text file;
    RH_CLEANUP_BUF struct buf held;
    rh_buf_init(&held, 2 * half);
    assert_int_equal(rh_file_read(fixture->path, 3 * half, fixture->arena, &file, &err), RH_OK);
    assert_int_equal(rh_gunzip(file, &held, &err), RH_OK);
    assert_int_equal(held.len, 2 * half);
    assert_memory_equal(held.data, bytes, 2 * half);
    free(bytes);
    FILE *pipe = popen(rh_arena_printf(fixture->arena, "gzip -dc < %s | wc -c", fixture->path),
                       "r");
    size_t counted = 0;
    assert_int_equal(fscanf(pipe, "%zu", &counted), 1);
    assert_int_equal(pclose(pipe), 0);
    assert_int_equal(counted, 2 * half);
    return file.len;
}

static void test_gzip_stores_what_does_not_get_smaller(void **state)
{
    size_t len = file_of_two(*state, true);

    /* The trial, and heads of blocks. */
    assert_in_range(len, 20 * MEGABYTE, 20 * MEGABYTE + MEGABYTE / 4);
}

static void test_gzip_compresses_again_when_that_pays(void **state)
{
    size_t len = file_of_two(*state, false);

    /* Sixteen megabytes at most go by before somebody looks. */
    assert_in_range(len, 20 * MEGABYTE, 37 * MEGABYTE);
}

static void test_gzip_members_follow_each_other(void **state)
{
    struct fixture *fixture = *state;

    write_member(fixture, TEXT_LITERAL("one\n"), 10);
    write_member(fixture, TEXT_LITERAL(""), 10);
    write_member(fixture, TEXT_LITERAL("two\n"), 10);
    assert_holds(file_of(fixture), TEXT_LITERAL("one\ntwo\n"));
}

static void test_gzip_write_to_a_full_disk_is_an_error(void **state)
{
    struct fixture *fixture = *state;
    struct err err = RH_ERR_INIT;
    int full = open("/dev/full", O_WRONLY);
    struct gzip_writer *writer = rh_gzip_writer_new(full);
    enum err_code code = rh_gzip_write(writer, sample(fixture->arena, 1000000), &err);

    assert_int_equal(code, RH_ERR_IO);
    assert_int_equal(err.errno_value, ENOSPC);
    rh_gzip_writer_free(writer);
    close(full);
}

static void test_gunzip_of_what_is_cut_or_damaged_adds_nothing(void **state)
{
    struct fixture *fixture = *state;
    RH_CLEANUP_BUF struct buf held;

    write_member(fixture, sample(fixture->arena, 20000), 20000);
    struct text file = file_of(fixture);
    rh_buf_init(&held, HELD_MAX);
    rh_buf_add_str(&held, "before");
    for (size_t len = 0; len < file.len; len += len < 40 ? 1 : 97) {
        struct err err = RH_ERR_INIT;
        assert_int_equal(rh_gunzip((struct text){file.data, len}, &held, &err), RH_ERR_FORMAT);
        assert_string_equal(held.data, "before");
    }
    char *damaged = rh_arena_memdup(fixture->arena, file.data, file.len);
    for (size_t at = 100; at < file.len; at += 997) {
        struct err err = RH_ERR_INIT;
        damaged[at] ^= 0x10;
        assert_int_equal(rh_gunzip((struct text){damaged, file.len}, &held, &err), RH_ERR_FORMAT);
        assert_string_equal(held.data, "before");
        damaged[at] ^= 0x10;
    }
}

static void test_gunzip_stops_at_the_cap(void **state)
{
    struct fixture *fixture = *state;
    struct err err = RH_ERR_INIT;
    RH_CLEANUP_BUF struct buf held;

    write_member(fixture, sample(fixture->arena, 20000), 20000);
    rh_buf_init(&held, 10000);
    assert_int_equal(rh_gunzip(file_of(fixture), &held, &err), RH_ERR_LIMIT);
    assert_int_equal(held.len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        TEST(test_gzip_holds_what_was_written),
        TEST(test_gzip_is_read_by_gzip),
        TEST(test_gzip_stores_what_does_not_get_smaller),
        TEST(test_gzip_compresses_again_when_that_pays),
        TEST(test_gzip_members_follow_each_other),
        TEST(test_gzip_write_to_a_full_disk_is_an_error),
        TEST(test_gunzip_of_what_is_cut_or_damaged_adds_nothing),
        TEST(test_gunzip_stops_at_the_cap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
