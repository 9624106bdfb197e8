/* What clients write, read as the server reads it; every text is fed in every pair of cuts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "mask/copy_decode.h"

static const struct copy_column three[] = {
    {"id", false, false}, {"e mail", true, false}, {"note", false, true}};
#define CSV                                                                             \
    {                                                                                   \
        .kind = SQL_COPY_CSV, .delimiter = ',', .quote = '"', .escape = '"', .null = "" \
    }
#define TEXT                                                    \
    {                                                           \
        .kind = SQL_COPY_TEXT, .delimiter = '\t', .null = "\\N" \
    }

/* Pieces of memory of their own: what lies behind them is not to be read. */
static bool feed(struct copy_decode *decode, struct text part, struct buf *out)
{
    char *copy = malloc(part.len + 1);
    bool is_taken;

    memcpy(copy, part.data, part.len);
    is_taken = rh_copy_decode_feed(decode, (struct text){copy, part.len}, out);
    free(copy);
    return is_taken;
}

static bool decode_cut(const struct sql_copy_format *format, size_t columns, struct text rows,
                       size_t first, size_t second, struct buf *out)
{
    struct copy_decode *decode = rh_copy_decode_new(format, three, columns);
    bool is_read = feed(decode, (struct text){rows.data, first}, out) &&
                   feed(decode, (struct text){rows.data + first, second - first}, out) &&
                   feed(decode, (struct text){rows.data + second, rows.len - second}, out) &&
                   rh_copy_decode_finish(decode, out);

    rh_copy_decode_free(decode);
    return is_read;
}

/* `wanted` NULL: refused. */
static void check_bytes(const struct sql_copy_format *format, size_t columns, struct text rows,
                        const char *wanted)
{
    for (size_t first = 0; first <= rows.len; first++)
        for (size_t second = first; second <= rows.len; second++) {
            RH_CLEANUP_BUF struct buf out;

            rh_buf_init(&out, 10000);
            rh_buf_add_str(&out, "");

            bool is_read = decode_cut(format, columns, rows, first, second, &out);

            if (is_read != (wanted != NULL) || (wanted && !rh_text_is(rh_buf_text(&out), wanted)))
                fail_msg("%.*s cut at %zu and %zu: %s, %.*s", (int)rows.len, rows.data, first,
                         second, is_read ? "read" : "refused", (int)out.len,
                         out.data ? out.data : "");
        }
}

static void check(const struct sql_copy_format *format, size_t columns, const char *rows,
                  const char *wanted)
{
    check_bytes(format, columns, rh_text(rows), wanted);
}

static void test_copy_decode_reads_csv(void **state)
{
    (void)state;
    struct sql_copy_format csv = CSV, own = CSV, same = CSV;

    check(&csv, 2, "1,a\n2,\"b,\"\"c\"\"\n\td\\e\"\n3,\n4,x",
          "1\ta\n2\tb,\"c\"\\n\\td\\\\e\n3\t\\N\n4\tx\n");
    check(&csv, 2, "1,a\r\n2,\"b\r\n\"\r\n", "1\ta\n2\tb\\r\\n\n");
    check(&csv, 2, " 1 ,a\"b\"c\n\"\"\"\",\"\"\"\"\n", " 1 \tabc\n\"\t\"\n");
    check(&csv, 2, "\\,\\x\n\\.x,\\N\n", "\\\\\t\\\\x\n\\\\.x\t\\\\N\n");
    check(&csv, 1, "\n\"\"\nx\n\n", "\\N\n\nx\n\\N\n");
    check(&csv, 2, "", "");
    own = (struct sql_copy_format){
        .kind = SQL_COPY_CSV, .delimiter = ';', .quote = '\'', .escape = '\\', .null = "NA"};
    check(&own, 2, "'a\\'b\\\\c\\d';NA\nNAB;N\n'NA;x';\n", "a'b\\\\c\\\\d\t\\N\nNAB\tN\nNA;x\t\n");
    check(&own, 2, "a\\;b\n'\\n';b\n", "a\\\\\tb\n\\\\n\tb\n");
    same.null = "\\N";
    check(&same, 2, "\\N,\"\\N\"\n", "\\N\t\\N\n"); /* the second FORCE_NULL */
    check(&same, 1, "\\N\n\"\\N\"\n\\Nx", "\\N\n\\\\N\n\\\\Nx\n");
}

static void test_copy_decode_follows_force_null(void **state)
{
    (void)state;
    struct sql_copy_format csv = CSV, na = CSV;

    check(&csv, 3, "\"\",\"\",\"\"\n,,\n", "\t\\N\t\n\\N\t\\N\t\n");
    na.null = "NA";
    check(&na, 3, "NA,NA,NA\n\"NA\",\"NA\",\"NA\"\nN\"A\",N\"A\",NAA\n",
          "\\N\t\\N\tNA\nNA\t\\N\tNA\nNA\t\\N\tNAA\n");
}

static void test_copy_decode_reads_text(void **state)
{
    (void)state;
    struct sql_copy_format text = TEXT, own = TEXT;

    check(&text, 2, "1\t\\N\n\\\\N\t\\t\\b\\f\\n\\r\\v\\\\\n",
          "1\t\\N\n\\\\N\t\\t\\b\\f\\n\\r\\v\\\\\n");
    check(&text, 2, "\\x41\\x4g\\x\\xy\t\\101\\60\\79\n", "A\004gxxy\tA0\a9\n");
    check(&text, 2, "a\\\tb\\\nc\td\\q\r\n", "a\\tb\\nc\tdq\n");
    check(&text, 2, "1\ta\r\n2\tb\r\n", "1\ta\n2\tb\n");
    check(&text, 1, "\\Nx\n\n\\N", "Nx\n\n\\N\n");
    own.delimiter = '|';
    own.null = "";
    check(&own, 2, "a\tb|\n\\||\\|x\n", "a\\tb\t\\N\n|\t|x\n");
    own.null = "null";
    check(&own, 2, "null|nul\nnulls|n\\ull\n", "\\N\tnul\nnulls\tnull\n");
}

static void test_copy_decode_ends_at_the_marker(void **state)
{
    (void)state;
    struct sql_copy_format csv = CSV, text = TEXT;

    check(&text, 2, "a\tb\n\\.\n", "a\tb\n\\.\n");
    check(&text, 2, "a\tb\r\n\\.\r\n\r\n", "a\tb\n\\.\n");
    check(&text, 2, "\\.\na\tb\n", NULL);
    check(&text, 2, "a\tb\n\\.", NULL);
    check(&text, 2, "a\t\\.\n", NULL);
    check(&text, 2, "a\tb\r\n\\.\n", NULL);
    check(&csv, 2, "a,b\n\\.\n", "a\tb\n\\.\n");
    check(&csv, 2, "a,b\n\\.\nc,d\n", NULL);
    check(&csv, 1, "a\n\\.\n", NULL); /* a row, for version 18 */
    check(&csv, 1, "\"\\.\"\n", "\\\\.\n");
    check(&csv, 1, "\\", "\\\\\n");
}

static void test_copy_decode_takes_headers_out(void **state)
{
    (void)state;
    struct sql_copy_format csv = CSV, text = TEXT;

    csv.header = text.header = SQL_COPY_HEADER_SKIPPED;
    check(&csv, 2, "\"a\nsecret\",b,c\n1,2\n", "1\t2\n");
    check(&csv, 2, "\n1,2\n", "1\t2\n");
    check(&csv, 2, "x", "");
    check(&csv, 2, "\\.\n", NULL);
    check(&text, 2, "secret\tb\tc\n1\t2\n", "1\t2\n");
    csv.header = text.header = SQL_COPY_HEADER_MATCHED;
    check(&csv, 2, "id,\"e mail\"\n1,2\n", "1\t2\n");
    check(&text, 2, "id\te mail\n1\t2\n", "1\t2\n");
    check(&csv, 2, "id,e mai\n1,2\n", NULL);
    check(&csv, 2, "id,e mail2\n1,2\n", NULL);
    check(&csv, 2, "id\n1,2\n", NULL);
    check(&csv, 2, "id,e mail,note\n1,2\n", NULL);
    check(&csv, 2, "e mail,id\n1,2\n", NULL);
}

static void test_copy_decode_refuses_what_does_not_parse(void **state)
{
    (void)state;
    struct sql_copy_format csv = CSV, own = CSV, text = TEXT;
    static const char *const bad_csv[] = {
        "1\n",     "1,2,3\n",       "\n",           "1,\"2",      "1,\"2\n",
        "1,2\n3",  "1,2\n1,2\r\n",  "1,2\r\n1,2\n", "1,2\r1,2\r", "1,2\r",
        "1,2\n\n", "1,2\n3,4\r5\n", "\"1,2\n",
    };
    static const char *const bad_text[] = {
        "1\n",       "1\t2\t3\n",      "1\t2\\",    "\\",
        "1\t2\r3\n", "1\t2\n1\t2\r\n", "1\t2\n\\N", "1\ta\\.b\n",
    };

    for (size_t i = 0; i < sizeof(bad_csv) / sizeof(*bad_csv); i++)
        check(&csv, 2, bad_csv[i], NULL);
    for (size_t i = 0; i < sizeof(bad_text) / sizeof(*bad_text); i++)
        check(&text, 2, bad_text[i], NULL);
    own.escape = '\\';
    check(&own, 2, "1,\"2\\", NULL);
    check(&own, 2, "1,\"2\\\"", NULL);
}

static void test_copy_decode_tells_what_waits(void **state)
{
    (void)state;
    struct sql_copy_format csv = CSV;
    struct copy_decode *decode = rh_copy_decode_new(&csv, three, 2);
    RH_CLEANUP_BUF struct buf out;

    rh_buf_init(&out, 1000);
    assert_true(rh_copy_decode_feed(decode, TEXT_LITERAL("1,2\n3,abc"), &out));
    assert_int_equal(rh_copy_decode_waiting(decode), 5);
    assert_true(rh_copy_decode_feed(decode, TEXT_LITERAL("def\n"), &out));
    assert_int_equal(rh_copy_decode_waiting(decode), 0);
    rh_copy_decode_free(decode);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_copy_decode_reads_csv),
        cmocka_unit_test(test_copy_decode_follows_force_null),
        cmocka_unit_test(test_copy_decode_reads_text),
        cmocka_unit_test(test_copy_decode_ends_at_the_marker),
        cmocka_unit_test(test_copy_decode_takes_headers_out),
        cmocka_unit_test(test_copy_decode_refuses_what_does_not_parse),
        cmocka_unit_test(test_copy_decode_tells_what_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
