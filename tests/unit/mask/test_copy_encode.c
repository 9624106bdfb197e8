/* Rows in the formats of clients: what the server would read again as the same; in every cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "mask/copy_encode.h"

static const struct copy_column three[] = {
    {"id", false, false}, {"e \"mail", true, false}, {"note", false, true}};
#define CSV                                                                             \
    {                                                                                   \
        .kind = SQL_COPY_CSV, .delimiter = ',', .quote = '"', .escape = '"', .null = "" \
    }
#define TEXT                                                    \
    {                                                           \
        .kind = SQL_COPY_TEXT, .delimiter = '\t', .null = "\\N" \
    }

/* `wanted` NULL: these options cannot say it. */
static void check(const struct sql_copy_format *format, size_t columns, const char *rows,
                  const char *wanted)
{
    const size_t length = strlen(rows);

    for (size_t cut = 0; cut <= length; cut++) {
        struct copy_encode *encode = rh_copy_encode_new(format, three, columns);
        RH_CLEANUP_BUF struct buf out;

        rh_buf_init(&out, 10000);
        rh_buf_add_str(&out, "");

        bool is_said = rh_copy_encode_feed(encode, (struct text){rows, cut}, &out) &&
                       rh_copy_encode_feed(encode, (struct text){rows + cut, length - cut}, &out);

        rh_copy_encode_free(encode);
        if (is_said != (wanted != NULL) || (wanted && !rh_text_is(rh_buf_text(&out), wanted)))
            fail_msg("%s cut at %zu: %s, %.*s", rows, cut, is_said ? "said" : "refused",
                     (int)out.len, out.data ? out.data : "");
    }
}

static void test_copy_encode_writes_csv(void **state)
{
    (void)state;
    struct sql_copy_format csv = CSV, own = CSV;

    check(&csv, 2, "1\ta b\n\\N\tx\n\t\\\\N\n", "1,a b\n,x\n\"\",\\N\n");
    check(&csv, 1, "a,b\na\"b\na\\nb\na\\rb\na\\tb\n\\\\.\n",
          "\"a,b\"\n\"a\"\"b\"\n\"a\nb\"\n\"a\rb\"\na\tb\n\"\\.\"\n");
    check(&csv, 2, "1\t2\n\\.\n", "1,2\n\\.\n");
    own = (struct sql_copy_format){
        .kind = SQL_COPY_CSV, .delimiter = ';', .quote = '\'', .escape = '\\', .null = "NA"};
    check(&own, 1, "NA\nNAB\n\\N\na;b'c\\\\d\na\\\\b\n\n",
          "'NA'\nNAB\nNA\n'a;b\\'c\\\\d'\na\\b\n\n");
}

static void test_copy_encode_follows_force_null(void **state)
{
    (void)state;
    struct sql_copy_format csv = CSV;

    check(&csv, 3, "1\t\\N\t\n", "1,\"\",\n");
    check(&csv, 3, "1\t\tx\n", NULL);
    check(&csv, 3, "1\tx\t\\N\n", NULL);
}

static void test_copy_encode_writes_text(void **state)
{
    (void)state;
    struct sql_copy_format text = TEXT, own = TEXT;

    own.delimiter = '|';
    own.null = "NA";
    check(&own, 2, "a|b\t\\N\nNA\tN\n\\\\N\t\\t\\n\n", "a\\|b|NA\n\\116A|N\n\\\\N|\\t\\n\n");
    own.null = "";
    check(&own, 2, "a\t\\N\n", "a|\n");
    check(&own, 2, "a\t\n", NULL);
    text.header = SQL_COPY_HEADER_SKIPPED;
    check(&text, 2, "a\t\\N\n\\.\n", "id\te \"mail\na\t\\N\n\\.\n");
}

static void test_copy_encode_writes_the_names_of_columns(void **state)
{
    (void)state;
    struct sql_copy_format csv = CSV;

    csv.header = SQL_COPY_HEADER_MATCHED;
    check(&csv, 2, "1\t2\n", "\"id\",\"e \"\"mail\"\n1,2\n");
}

/* A value that is not held has quotes, whatever is in it. */
static void test_copy_encode_streams_large_values(void **state)
{
    (void)state;
    struct sql_copy_format csv = CSV;
    const size_t size = 3 * COPY_ENCODE_HELD_BYTES + 7;
    RH_CLEANUP_BUF struct buf rows, wanted, out;

    rh_buf_init(&rows, 2 * size);
    rh_buf_init(&wanted, 2 * size);
    rh_buf_init(&out, 2 * size);
    rh_buf_add_str(&wanted, "\"");
    for (size_t i = 0; i < size; i++)
        rh_buf_add_char(&rows, i % 1000 == 0 ? '"' : 'x');
    for (size_t i = 0; i < size; i++)
        rh_buf_add_str(&wanted, i % 1000 == 0 ? "\"\"" : "x");
    rh_buf_add_str(&rows, "\ty\n");
    rh_buf_add_str(&wanted, "\",y\n");

    struct copy_encode *encode = rh_copy_encode_new(&csv, three, 2);

    for (size_t at = 0; at < rows.len; at += 777)
        assert_true(rh_copy_encode_feed(
            encode, (struct text){rows.data + at, rows.len - at < 777 ? rows.len - at : 777},
            &out));
    rh_copy_encode_free(encode);
    assert_true(rh_text_equals(rh_buf_text(&out), rh_buf_text(&wanted)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_copy_encode_writes_csv),
        cmocka_unit_test(test_copy_encode_follows_force_null),
        cmocka_unit_test(test_copy_encode_writes_text),
        cmocka_unit_test(test_copy_encode_writes_the_names_of_columns),
        cmocka_unit_test(test_copy_encode_streams_large_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
