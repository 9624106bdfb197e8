#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "snapshot/line_pieces.h"

#include "mask/leak.h"

#include <string.h>

static void find(void *context, struct text piece)
{
    bool *is_found = context;

    *is_found |= memmem(piece.data, piece.len, "maria@example.org", 17) != NULL;
}

static bool is_found_in(struct text text, size_t cut)
{
    bool is_found = false;
    struct line_pieces pieces;

    rh_line_pieces_init(&pieces, find, &is_found);
    rh_line_pieces_add(&pieces, (struct text){text.data, cut});
    rh_line_pieces_add(&pieces, (struct text){text.data + cut, text.len - cut});
    rh_line_pieces_end(&pieces);
    rh_line_pieces_deinit(&pieces);
    return is_found;
}

static void test_line_pieces_cut_no_value(void **state)
{
    static const char text[] = "first line\nsecond, maria@example.org, line\nthird";

    (void)state;
    for (size_t cut = 0; cut <= strlen(text); cut++)
        if (!is_found_in(rh_text(text), cut))
            fail_msg("cut at %zu", cut);
}

static void test_line_pieces_cut_no_value_of_a_long_line(void **state)
{
    static char text[5 * LEAK_PART_MAX];
    const size_t at = 3 * LEAK_PART_MAX;

    (void)state;
    memset(text, 'x', sizeof(text));
    memcpy(text + at - 1, " maria@example.org ", 19);
    for (size_t cut = at - 2; cut < at + 20; cut++)
        if (!is_found_in((struct text){text, sizeof(text)}, cut))
            fail_msg("cut at %zu", cut);
}

static void collect(void *context, struct text piece)
{
    struct buf *collected = context;

    rh_buf_add_text(collected, piece);
    rh_buf_add_str(collected, "|");
}

static void test_line_pieces_are_whole_lines(void **state)
{
    RH_CLEANUP_BUF struct buf collected;
    struct line_pieces pieces;

    (void)state;
    rh_buf_init(&collected, 1000);
    rh_line_pieces_init(&pieces, collect, &collected);
    rh_line_pieces_add(&pieces, rh_text("a\nb"));
    rh_line_pieces_add(&pieces, rh_text(""));
    rh_line_pieces_add(&pieces, rh_text("c"));
    rh_line_pieces_add(&pieces, rh_text("d\ne\n"));
    rh_line_pieces_add(&pieces, rh_text("f"));
    rh_line_pieces_end(&pieces);
    rh_line_pieces_add(&pieces, rh_text("g\n"));
    rh_line_pieces_end(&pieces);
    assert_string_equal(collected.data, "a\n|bcd\ne\n|f|g\n|");
    rh_line_pieces_deinit(&pieces);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_line_pieces_cut_no_value),
        cmocka_unit_test(test_line_pieces_cut_no_value_of_a_long_line),
        cmocka_unit_test(test_line_pieces_are_whole_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
