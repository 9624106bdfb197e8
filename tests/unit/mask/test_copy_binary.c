/* COPY's binary format, fed in every pair of cuts; maps whose results a reader can tell. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fake_maps.h"
#include "mask/copy_binary.h"

#define SIGNATURE "PGCOPY\n\377\r\n\0"
#define HEADER SIGNATURE "\0\0\0\0\0\0\0\0"
#define NONE "\377\377\377\377"
#define END "\377\377"

static struct catalog_column id = {.name = "id", .base_type = "int4", .type_kind = 'b'},
                             name = {.name = "name", .base_type = "text", .type_kind = 'b'},
                             born = {.name = "born", .base_type = "date", .type_kind = 'b'};

static bool feed(struct copy_binary *binary, struct text part, struct buf *out)
{
    char *copy = malloc(part.len + 1); /* what lies behind it is not to be read */
    bool is_taken;

    memcpy(copy, part.data, part.len);
    is_taken = rh_copy_binary_feed(binary, (struct text){copy, part.len}, out);
    free(copy);
    return is_taken;
}

/* id and note stay, name goes through the map of this kind, born through one that cannot be. */
static struct copy_binary *open_binary(struct mask_map *map, size_t count)
{
    const struct copy_binary_column columns[] = {{NULL, &id}, {map, &name}, {map, &born}};

    return rh_copy_binary_new(columns, count);
}

/* `wanted` NULL: refused, and nothing of `secret` is out. */
static void check_columns(size_t count, int kind, struct text rows, const struct text *wanted)
{
    for (size_t first = 0; first <= rows.len; first++)
        for (size_t second = first; second <= rows.len; second++) {
            struct mask_map map = {kind};
            struct copy_binary *binary = open_binary(&map, count);
            RH_CLEANUP_BUF struct buf out;

            rh_buf_init(&out, 10000);
            rh_buf_add_str(&out, "");

            bool is_read = feed(binary, (struct text){rows.data, first}, &out) &&
                           feed(binary, (struct text){rows.data + first, second - first}, &out) &&
                           feed(binary, (struct text){rows.data + second, rows.len - second},
                                &out) &&
                           rh_copy_binary_waiting(binary) == 0;

            rh_copy_binary_free(binary);
            if (is_read != (wanted != NULL) ||
                (wanted && !rh_text_equals(rh_buf_text(&out), *wanted)))
                fail_msg("cut at %zu and %zu: %s, %zu bytes", first, second,
                         is_read ? "read" : "refused", out.len);
            if (out.len >= 6)
                assert_null(memmem(out.data, out.len, "secret", 6));
        }
}

#define CHECK(kind, rows, wanted)                                 \
    check_columns(2, kind, (struct text){rows, sizeof(rows) - 1}, \
                  &(struct text){wanted, sizeof(wanted) - 1})
#define REFUSE(rows) check_columns(2, FAKE_ROT13, (struct text){rows, sizeof(rows) - 1}, NULL)

#define ROW(text) "\0\2\0\0\0\4\0\0\0\7\0\0\0\6" text

static void test_copy_binary_masks_fields(void **state)
{
    (void)state;
    CHECK(FAKE_ROT13, HEADER ROW("secret") ROW("a\377\377\0\1z") END,
          HEADER ROW("frperg") ROW("n\377\377\0\1m") END);
    CHECK(FAKE_ROT13, HEADER "\0\2" NONE NONE "\0\2\0\0\0\0\0\0\0\0" END,
          HEADER "\0\2" NONE NONE "\0\2\0\0\0\0\0\0\0\0" END);
    CHECK(FAKE_NULL, HEADER ROW("secret"), HEADER "\0\2\0\0\0\4\0\0\0\7" NONE);
    CHECK(FAKE_LONG, HEADER "\0\2" NONE "\0\0\0\2xy", HEADER "\0\2" NONE "\0\0\0\6xyxyxy");
    CHECK(FAKE_ROT13, HEADER END, HEADER END);
}

/* Flags that a reader may pass over, and an extension that no server reads. */
static void test_copy_binary_writes_a_header_of_its_own(void **state)
{
    (void)state;
    CHECK(FAKE_ROT13, SIGNATURE "\0\0\0\3\0\0\0\6secret" ROW("secret") END,
          HEADER ROW("frperg") END);
}

static void test_copy_binary_refuses_what_does_not_parse(void **state)
{
    (void)state;
    REFUSE("PGCOPY\n\377\n\n\0\0\0\0\0\0\0\0\0" END);
    REFUSE(SIGNATURE "\0\1\0\0\0\0\0\0" END); /* with OIDs */
    REFUSE(SIGNATURE "\0\0\0\0\377\0\0\0secret");
    REFUSE(HEADER "\0\1\0\0\0\6secret" END);
    REFUSE(HEADER "\0\3" NONE NONE "\0\0\0\6secret" END);
    REFUSE(HEADER ROW("secret") END "\0");
    REFUSE(HEADER ROW("secret") "\0\2\0\0\0\4\0\0\0\7\0\0\0\6secre");
    REFUSE(HEADER ROW("secret") "\0");
    REFUSE(HEADER "\0\2" NONE "\377\377\377\376" END);
    REFUSE(HEADER "\0\2\0\0\0\4abcd\0\100\0\1secret");
    REFUSE(HEADER "\0\2\1\0\0\1abcd");
}

/* As of a parameter: nobody here knows how a date is changed in its binary form. */
static void test_copy_binary_refuses_a_type_it_cannot_mask(void **state)
{
    (void)state;
    static const char rows[] = HEADER "\0\3\0\0\0\4\0\0\0\7\0\0\0\6secret\0\0\0\4\0\0\1\2" END;
    static const char nulls[] = HEADER "\0\3\0\0\0\4\0\0\0\7" NONE NONE END;

    check_columns(3, FAKE_SAME, (struct text){rows, sizeof(rows) - 1}, NULL);
    check_columns(3, FAKE_SAME, (struct text){nulls, sizeof(nulls) - 1},
                  &(struct text){nulls, sizeof(nulls) - 1});
}

static void test_copy_binary_is_refused_for_good(void **state)
{
    (void)state;
    struct mask_map map = {FAKE_ROT13};
    struct copy_binary *binary = open_binary(&map, 2);
    static const char bad[] = HEADER "\0\1", good[] = ROW("secret");
    RH_CLEANUP_BUF struct buf out;

    rh_buf_init(&out, 1000);
    assert_false(rh_copy_binary_feed(binary, (struct text){bad, sizeof(bad) - 1}, &out));
    assert_false(rh_copy_binary_feed(binary, (struct text){good, sizeof(good) - 1}, &out));
    rh_copy_binary_free(binary);
}

/* A row is held until it is whole: one that is larger than that is refused, and no more is held. */
static void test_copy_binary_holds_a_row_at_most(void **state)
{
    (void)state;
    struct mask_map map = {FAKE_ROT13};
    struct copy_binary *binary = open_binary(&map, 2);
    static char zeros[1024 * 1024];
    static const char start[] = HEADER "\0\2\1\0\0\0";
    RH_CLEANUP_BUF struct buf out;
    size_t fed = 0;

    rh_buf_init(&out, 1000);
    assert_true(rh_copy_binary_feed(binary, (struct text){start, sizeof(start) - 1}, &out));
    while (fed < 2 * COPY_BINARY_ROW_BYTES &&
           rh_copy_binary_feed(binary, (struct text){zeros, sizeof(zeros)}, &out))
        fed += sizeof(zeros);
    assert_in_range(fed, COPY_BINARY_ROW_BYTES - 2 * sizeof(zeros), COPY_BINARY_ROW_BYTES);
    assert_int_equal(out.len, sizeof(HEADER) - 1);
    rh_copy_binary_free(binary);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_copy_binary_masks_fields),
        cmocka_unit_test(test_copy_binary_writes_a_header_of_its_own),
        cmocka_unit_test(test_copy_binary_refuses_what_does_not_parse),
        cmocka_unit_test(test_copy_binary_refuses_a_type_it_cannot_mask),
        cmocka_unit_test(test_copy_binary_is_refused_for_good),
        cmocka_unit_test(test_copy_binary_holds_a_row_at_most),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
