/* Rows of every format, masked in that format: in every pair of cuts, and large ones in little
 * memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fake_maps.h"
#include "mask/copy_client.h"

#define CSV                                                                             \
    {                                                                                   \
        .kind = SQL_COPY_CSV, .delimiter = ',', .quote = '"', .escape = '"', .null = "" \
    }
#define TEXT                                                    \
    {                                                           \
        .kind = SQL_COPY_TEXT, .delimiter = '\t', .null = "\\N" \
    }

static struct catalog_column id = {.name = "id", .base_type = "int4", .type_kind = 'b'},
                             name = {.name = "name", .base_type = "text", .type_kind = 'b'};

static struct copy_client *open_client(const struct sql_copy_format *format, struct mask_map *map)
{
    const struct copy_client_column columns[] = {{.column = &id}, {.map = map, .column = &name}};

    return rh_copy_client_new(format, columns, 2);
}

static bool feed(struct copy_client *client, struct text part, struct buf *out)
{
    char *copy = malloc(part.len + 1); /* what lies behind it is not to be read */
    bool is_taken;

    memcpy(copy, part.data, part.len);
    is_taken = rh_copy_client_feed(client, (struct text){copy, part.len}, out);
    free(copy);
    return is_taken;
}

/* `wanted` NULL: refused. */
static void check(const struct sql_copy_format *format, const char *rows, const char *wanted)
{
    const size_t length = strlen(rows);

    for (size_t first = 0; first <= length; first++)
        for (size_t second = first; second <= length; second++) {
            struct mask_map map = {FAKE_ROT13};
            struct copy_client *client = open_client(format, &map);
            RH_CLEANUP_BUF struct buf out;

            rh_buf_init(&out, 10000);
            rh_buf_add_str(&out, "");

            bool is_masked = feed(client, (struct text){rows, first}, &out) &&
                             feed(client, (struct text){rows + first, second - first}, &out) &&
                             feed(client, (struct text){rows + second, length - second}, &out) &&
                             rh_copy_client_finish(client, &out);

            rh_copy_client_free(client);
            if (is_masked != (wanted != NULL) || (wanted && !rh_text_is(rh_buf_text(&out), wanted)))
                fail_msg("%s cut at %zu and %zu: %s, %.*s", rows, first, second,
                         is_masked ? "masked" : "refused", (int)out.len, out.data ? out.data : "");
            if (out.len >= 6)
                assert_null(memmem(out.data, out.len, "secret", 6));
        }
}

static void test_copy_client_masks_csv(void **state)
{
    (void)state;
    struct sql_copy_format csv = CSV, german = CSV;

    check(&csv, "1,secret\r\n2,\"s\"\"ec\r\nret,\"\r\n,\r\n",
          "1,frperg\n2,\"f\"\"rp\r\nerg,\"\n,\n");
    check(&csv, "1,secret\n2", NULL);
    check(&csv, "1,2,secret\n", NULL);
    check(&csv, "1,\"secret", NULL);
    german = (struct sql_copy_format){.kind = SQL_COPY_CSV,
                                      .header = SQL_COPY_HEADER_SKIPPED,
                                      .delimiter = ';',
                                      .quote = '\'',
                                      .escape = '\\',
                                      .null = "NULL"};
    check(&german, "secret;'x\n'\n1;'it\\'s secret'\nNULL;NULL\n2;",
          "'id';'name'\n1;'vg\\'f frperg'\nNULL;NULL\n2;\n");
}

static void test_copy_client_masks_text(void **state)
{
    (void)state;
    struct sql_copy_format text = TEXT, bars = TEXT;

    check(&text, "1\tsecret\n2\t\\N\n3\tsec\\nret\\\\", "1\tfrperg\n2\t\\N\n3\tfrp\\nerg\\\\\n");
    check(&text, "1\tsecret\r\n2\t\\N\r\n\\.\r\n", "1\tfrperg\n2\t\\N\n\\.\n");
    check(&text, "1\tsecret\r", NULL);
    bars.delimiter = '|';
    bars.null = "-";
    check(&bars, "1|sec\\|ret\n-|-\n2|\\x2d\n", "1|frp\\|erg\n-|-\n2|\\055\n");
}

static void test_copy_client_masks_binary(void **state)
{
    (void)state;
    struct sql_copy_format format = {.kind = SQL_COPY_BINARY};
    static const char rows[] =
        "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0\0\2\0\0\0\4\0\0\0\1\0\0\0\6secret"
        "\377\377";
    struct mask_map map = {FAKE_ROT13};
    struct copy_client *client = open_client(&format, &map);
    RH_CLEANUP_BUF struct buf out;

    rh_buf_init(&out, 1000);
    assert_true(rh_copy_client_is_binary(client));
    assert_true(rh_copy_client_feed(client, (struct text){rows, sizeof(rows) - 5}, &out));
    assert_int_equal(rh_copy_client_waiting(client), sizeof(rows) - 5 - 19);
    assert_true(rh_copy_client_feed(client, (struct text){rows + sizeof(rows) - 5, 4}, &out));
    assert_int_equal(rh_copy_client_waiting(client), 0);
    assert_true(rh_copy_client_finish(client, &out));
    assert_int_equal(out.len, sizeof(rows) - 1);
    assert_memory_equal(out.data + out.len - 8, "frperg\377\377", 8);
    rh_copy_client_free(client);
}

/* A value of 40 MB, which is masked as it streams. */
static void test_copy_client_masks_large_values(void **state)
{
    (void)state;
    struct sql_copy_format csv = CSV;
    struct mask_map map = {FAKE_ROT13};
    struct copy_client *client = open_client(&csv, &map);
    static char piece[1000003];
    RH_CLEANUP_BUF struct buf out;
    size_t letters = 0;

    for (size_t i = 0; i < sizeof(piece); i++)
        piece[i] = i % 3 == 0 ? '\n' : 's';
    rh_buf_init(&out, 3 * sizeof(piece) + 9 * 1024 * 1024);
    assert_true(rh_copy_client_feed(client, TEXT_LITERAL("1,\""), &out));
    for (int i = 0; i < 40; i++) {
        assert_true(rh_copy_client_feed(client, (struct text){piece, sizeof(piece)}, &out));
        assert_true(out.len == 0 || !memchr(out.data, 's', out.len));
        for (size_t at = 0; at < out.len; at++)
            letters += out.data[at] == 'f';
        rh_buf_clear(&out);
    }
    assert_true(rh_copy_client_feed(client, TEXT_LITERAL("\"\n2,x\n"), &out));
    assert_true(rh_copy_client_finish(client, &out));
    assert_memory_equal(out.data + out.len - 6, "\"\n2,k\n", 6);
    for (size_t at = 0; at < out.len; at++)
        letters += out.data[at] == 'f';
    assert_int_equal(letters, 40 * (sizeof(piece) - (sizeof(piece) + 2) / 3));
    rh_copy_client_free(client);
}

/* A column that may not be NULL, and a rule that says NULL: nothing is said instead. */
static void test_copy_client_refuses_what_its_format_cannot_say(void **state)
{
    (void)state;
    struct sql_copy_format csv = CSV;
    struct mask_map map = {FAKE_NULL};
    const struct copy_client_column columns[] = {
        {.map = &map, .column = &name, .forces_not_null = true}};
    struct copy_client *client = rh_copy_client_new(&csv, columns, 1);
    RH_CLEANUP_BUF struct buf out;

    rh_buf_init(&out, 1000);
    assert_false(rh_copy_client_feed(client, TEXT_LITERAL("secret\n"), &out));
    rh_copy_client_free(client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_copy_client_masks_csv),
        cmocka_unit_test(test_copy_client_masks_text),
        cmocka_unit_test(test_copy_client_masks_binary),
        cmocka_unit_test(test_copy_client_masks_large_values),
        cmocka_unit_test(test_copy_client_refuses_what_its_format_cannot_say),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
