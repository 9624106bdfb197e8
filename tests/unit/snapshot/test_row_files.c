#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/gzip.h"
#include "snapshot/row_files.h"
#include "snapshot/row_writer.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct fixture {
    char archive[64];
    struct arena *arena;
};

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));

    strcpy(fixture->archive, "/tmp/rh-row-files-XXXXXX");
    assert_non_null(mkdtemp(fixture->archive));
    fixture->arena = rh_arena_new();
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    struct err err = RH_ERR_INIT;

    assert_int_equal(rh_file_remove_tree(fixture->archive, &err), RH_OK);
    rh_arena_free(fixture->arena);
    free(fixture);
    return 0;
}

static const char *in_archive(struct fixture *fixture, const char *name)
{
    return rh_file_join(fixture->arena, fixture->archive, name);
}

static void write_gzip(const char *path, const char *content)
{
    struct err err = RH_ERR_INIT;
    RH_CLEANUP_FD int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
    struct gzip_writer *writer = rh_gzip_writer_new(fd);

    assert_true(fd >= 0);
    assert_int_equal(rh_gzip_write(writer, rh_text(content), &err), RH_OK);
    assert_int_equal(rh_gzip_finish(writer, &err), RH_OK);
    rh_gzip_writer_free(writer);
}

/* As pg_dump leaves the file of a table. */
static void write_ticket(struct fixture *fixture, const char *name, size_t table)
{
    write_gzip(in_archive(fixture, name),
               rh_arena_printf(fixture->arena, "%s" ROW_FILE_END,
                               rh_row_files_ticket(table, fixture->arena)));
}

static void write_rows(struct fixture *fixture, size_t table, const char *rows)
{
    write_gzip(rh_row_files_path(fixture->archive, table, fixture->arena), rows);
}

static void assert_content(struct fixture *fixture, const char *name, const char *expected)
{
    struct err err = RH_ERR_INIT;
    struct text file;
    RH_CLEANUP_BUF struct buf held;

    rh_buf_init(&held, 1000);
    assert_int_equal(rh_file_read(in_archive(fixture, name), 1000, fixture->arena, &file, &err),
                     RH_OK);
    assert_int_equal(rh_gunzip(file, &held, &err), RH_OK);
    assert_string_equal(held.data, expected);
}

static void test_row_files_go_where_their_tickets_are(void **state)
{
    struct fixture *fixture = *state;
    static const bool has_rows[] = {true, false, true};
    struct err err = RH_ERR_INIT;

    write_ticket(fixture, "3371.dat.gz", 2);
    write_ticket(fixture, "3372.dat.gz", 0);
    write_gzip(in_archive(fixture, "blob_16411.dat.gz"), "a large object");
    write_rows(fixture, 0, "zero\n");
    write_rows(fixture, 2, "two\n");
    assert_int_equal(rh_row_files_place(fixture->archive, has_rows, 3, &err), RH_OK);
    assert_content(fixture, "3371.dat.gz", "two\n");
    assert_content(fixture, "3372.dat.gz", "zero\n");
    assert_content(fixture, "blob_16411.dat.gz", "a large object");
    assert_false(rh_file_exists(rh_row_files_path(fixture->archive, 0, fixture->arena)));
    assert_false(rh_file_exists(rh_row_files_path(fixture->archive, 2, fixture->arena)));
}

static void assert_refused(struct fixture *fixture)
{
    static const bool has_rows[] = {true, false, true};
    struct err err = RH_ERR_INIT;

    assert_int_equal(rh_row_files_place(fixture->archive, has_rows, 3, &err), RH_ERR_PROTOCOL);
    assert_null(strstr(err.message, "secret"));
}

static void test_row_files_refuse_rows_that_did_not_pass(void **state)
{
    struct fixture *fixture = *state;

    write_rows(fixture, 0, "zero\n");
    write_rows(fixture, 2, "two\n");
    write_ticket(fixture, "3371.dat.gz", 2);
    write_ticket(fixture, "3372.dat.gz", 0);
    write_gzip(in_archive(fixture, "3373.dat.gz"), "1\tsecret\n" ROW_FILE_END);
    assert_refused(fixture);
}

static void test_row_files_refuse_more_than_a_ticket(void **state)
{
    struct fixture *fixture = *state;
    const char *ticket = rh_row_files_ticket(0, fixture->arena);

    write_rows(fixture, 0, "zero\n");
    write_gzip(in_archive(fixture, "3371.dat.gz"),
               rh_arena_printf(fixture->arena, "%s1\tsecret\n" ROW_FILE_END, ticket));
    assert_refused(fixture);
}

static void test_row_files_refuse_another_end(void **state)
{
    struct fixture *fixture = *state;

    write_rows(fixture, 0, "zero\n");
    write_gzip(in_archive(fixture, "3371.dat.gz"), rh_row_files_ticket(0, fixture->arena));
    assert_refused(fixture);
}

static void test_row_files_refuse_a_ticket_without_rows(void **state)
{
    struct fixture *fixture = *state;

    write_ticket(fixture, "3371.dat.gz", 1);
    assert_refused(fixture);
}

static void test_row_files_refuse_a_ticket_twice(void **state)
{
    struct fixture *fixture = *state;

    write_rows(fixture, 0, "zero\n");
    write_ticket(fixture, "3371.dat.gz", 0);
    write_ticket(fixture, "3372.dat.gz", 0);
    assert_refused(fixture);
}

static void test_row_files_refuse_rows_without_a_ticket(void **state)
{
    struct fixture *fixture = *state;

    write_rows(fixture, 0, "zero\n");
    write_rows(fixture, 2, "two\n");
    write_ticket(fixture, "3371.dat.gz", 0);
    assert_refused(fixture);
}

static void test_row_files_refuse_a_table_out_of_range(void **state)
{
    struct fixture *fixture = *state;

    write_ticket(fixture, "3371.dat.gz", 3);
    assert_refused(fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        TEST(test_row_files_go_where_their_tickets_are),
        TEST(test_row_files_refuse_rows_that_did_not_pass),
        TEST(test_row_files_refuse_more_than_a_ticket),
        TEST(test_row_files_refuse_another_end),
        TEST(test_row_files_refuse_a_ticket_without_rows),
        TEST(test_row_files_refuse_a_ticket_twice),
        TEST(test_row_files_refuse_rows_without_a_ticket),
        TEST(test_row_files_refuse_a_table_out_of_range),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
