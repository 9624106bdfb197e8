/* Records of files: what is too long is left out and said, what follows is not; a pipe is refused. */
#include "../base/unit.h"

#include "base/file.h"
#include "workload/log_reader.h"

#include <sys/stat.h>

#define LONG_BYTES (LOG_MESSAGE_BYTES_MAX + 1000)

struct fixture {
    char directory[64], path[96];
    struct buf content;
    struct log_reader_counts counts;
    char seen[512]; /* beginnings of messages, with a blank behind each */
};

static void open_fixture(struct fixture *f)
{
    memset(f, 0, sizeof(*f));
    snprintf(f->directory, sizeof(f->directory), "/tmp/rh-log-XXXXXX");
    assert_non_null(mkdtemp(f->directory));
    snprintf(f->path, sizeof(f->path), "%s/log", f->directory);
    rh_buf_init(&f->content, 4 * LONG_BYTES);
}

static void close_fixture(struct fixture *f)
{
    rh_buf_deinit(&f->content);
    unlink(f->path);
    rmdir(f->directory);
}

static void add_long(struct fixture *f, char what)
{
    char piece[1000];
    memset(piece, what, sizeof(piece));
    for (size_t done = 0; done < LONG_BYTES; done += sizeof(piece))
        rh_buf_add(&f->content, piece, sizeof(piece));
}

static void read_log(struct fixture *f, enum log_form form)
{
    struct err err = RH_ERR_INIT;
    struct log_reader *reader = NULL;
    const struct log_record *record = NULL;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    const struct log_prefix *prefix = rh_log_prefix(arena, "%m [%p] ");
    assert_false(f->content.failed);
    assert_int_equal(rh_file_write(f->path, rh_buf_text(&f->content), 0600, &err), RH_OK);
    if (rh_log_reader_open(f->path, form, prefix, &f->counts, &reader, &err))
        fail_msg("%s", err.message);
    for (size_t used = 0;;) {
        assert_int_equal(rh_log_reader_next(reader, &record, &err), RH_OK);
        if (record == NULL)
            break;
        size_t length = record->message.len < 20 ? record->message.len : 20;
        used += (size_t)snprintf(f->seen + used, sizeof(f->seen) - used, "%.*s ", (int)length,
                                 record->message.data);
    }
    rh_log_reader_free(reader);
}

#define STDERR "2026-11-20 10:49:12.123 UTC [7] "

/* What was cut within its first line was taken for whole: half a statement. */
static void test_log_reader_leaves_out_a_long_line_of_stderr(void **state)
{
    (void)state;
    struct fixture f;
    open_fixture(&f);
    rh_buf_add_str(&f.content, STDERR "LOG:  a\n" STDERR "LOG:  ");
    add_long(&f, 'x');
    rh_buf_add_str(&f.content, "\n\tmore\n" STDERR "LOG:  b\n" STDERR "DETAIL:  ");
    add_long(&f, 'y');
    rh_buf_add_str(&f.content, "\n" STDERR "LOG:  c\n" STDERR "HINT:  ");
    add_long(&f, 'z');
    rh_buf_add_str(&f.content, "\n" STDERR "LOG:  d\n");
    read_log(&f, LOG_STDERR);
    assert_string_equal(f.seen, "a c d ");
    assert_int_equal(f.counts.cut, 2);
    assert_int_equal(f.counts.records, 3);
    assert_int_equal(f.counts.strange, 0);
    close_fixture(&f);
}

#define CSV_HEAD "2026-11-20 10:49:12.123 UTC,,,7,,1.7,1,,,,0,LOG,00000,\""
#define CSV_END "\",,,,,,,,,\"\",\"x\"\n"

/* The quotes of what was cut off were not seen: the next row was taken for its end. */
static void test_log_reader_leaves_out_a_long_row_of_csvlog(void **state)
{
    (void)state;
    struct fixture f;
    open_fixture(&f);
    rh_buf_add_str(&f.content, CSV_HEAD "a" CSV_END CSV_HEAD);
    add_long(&f, 'x');
    rh_buf_add_str(&f.content, CSV_END CSV_HEAD "b\nb" CSV_END CSV_HEAD "c" CSV_END);
    read_log(&f, LOG_CSV);
    assert_string_equal(f.seen, "a b\nb c ");
    assert_int_equal(f.counts.cut, 1);
    assert_int_equal(f.counts.strange, 0);
    close_fixture(&f);
}

static void test_log_reader_leaves_out_a_long_line_of_jsonlog(void **state)
{
    (void)state;
    struct fixture f;
    open_fixture(&f);
    rh_buf_add_str(&f.content, "{\"timestamp\":\"2026-11-20 10:49:12 UTC\",\"message\":\"");
    add_long(&f, 'x');
    rh_buf_add_str(&f.content, "\"}\n{\"timestamp\":\"2026-11-20 10:49:12 UTC\","
                               "\"message\":\"b\"}\n");
    read_log(&f, LOG_JSON);
    assert_string_equal(f.seen, "b ");
    assert_int_equal(f.counts.cut, 1);
    assert_int_equal(f.counts.strange, 0);
    close_fixture(&f);
}

/* Looked at and read means read twice: of a pipe the first lines were gone. */
static void test_log_reader_refuses_what_cannot_be_read_twice(void **state)
{
    (void)state;
    struct fixture f;
    struct err err = RH_ERR_INIT;
    enum log_form form;
    const char *prefix = NULL;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    open_fixture(&f);
    assert_int_equal(mkfifo(f.path, 0600), 0);
    assert_int_equal(rh_log_guess(f.path, arena, &form, &prefix, &err), RH_ERR_USAGE);
    assert_non_null(strstr(err.message, "is not a file"));
    close_fixture(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_log_reader_leaves_out_a_long_line_of_stderr),
        cmocka_unit_test(test_log_reader_leaves_out_a_long_row_of_csvlog),
        cmocka_unit_test(test_log_reader_leaves_out_a_long_line_of_jsonlog),
        cmocka_unit_test(test_log_reader_refuses_what_cannot_be_read_twice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
