#include "structured.h"

/* A format of a test's own: words of lower case are leaves, with the first map; of upper case with
   the second; what they become must begin with a vowel if they did. "!" breaks a value. */

static void begin(const void *own, void *state)
{
    (void)own;
    *(int *)state = 0;
}

static bool is_letter(char c)
{
    return (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
}

static enum leaf_step next(const void *own, void *state, struct text source, size_t *at,
                           bool at_end, struct leaf *leaf)
{
    (void)own;
    for (; *at < source.len; ++*at) {
        if (source.data[*at] == '!')
            return LEAF_BROKEN;
        if (!is_letter(source.data[*at]))
            continue;
        size_t end = *at;
        while (end < source.len && is_letter(source.data[end]))
            end++;
        if (end == source.len && !at_end)
            return LEAF_MORE;
        *leaf = (struct leaf){.open = *at,
                              .start = *at,
                              .end = end,
                              .close = end,
                              .map = (source.data[*at] & 0x20) == 0};
        *at = end;
        ++*(int *)state;
        return LEAF_FOUND;
    }
    return at_end ? LEAF_END : LEAF_MORE;
}

static void encode(const void *own, const struct leaf *leaf, struct text source, struct text masked,
                   struct buf *out)
{
    (void)own;
    (void)leaf;
    (void)source;
    rh_buf_add_text(out, masked);
}

static bool is_vowel(char c)
{
    return strchr("aeiou", c | 0x20) != NULL;
}

static bool accepts(const void *own, const struct leaf *leaf, struct text value, struct text masked)
{
    (void)own;
    (void)leaf;
    return !is_vowel(value.data[0]) || is_vowel(masked.data[0]);
}

static const struct leaf_format format = {
    .state_bytes = sizeof(int), .begin = begin, .next = next, .encode = encode, .accepts = accepts};

struct fixture {
    struct bench lower, upper;
    struct leaves *leaves;
};

static struct fixture fixture_new(void)
{
    struct fixture fixture = {.lower = bench_new(MASK_TEXT, "text"),
                              .upper = bench_of((struct mask_map_options){
                                  .rule = MASK_TEXT, .type = "text", .domain = "upper"})};
    struct mask_map *maps[] = {fixture.lower.map, fixture.upper.map};
    fixture.leaves = rh_leaves_new(&format, NULL, maps, 2);
    return fixture;
}

static void fixture_free(struct fixture *fixture)
{
    rh_leaves_free(fixture->leaves);
    fixture->lower.map = fixture->upper.map = NULL; /* went with the leaves */
    bench_free(&fixture->lower);
    bench_free(&fixture->upper);
}

static void test_leaves_of_many_values_go_to_their_maps(void **state)
{
    (void)state;
    struct fixture fixture = fixture_new();
    CLEANUP_BENCH struct bench lower = bench_new(MASK_TEXT, "text");
    CLEANUP_BENCH struct bench upper = bench_of(
        (struct mask_map_options){.rule = MASK_TEXT, .type = "text", .domain = "upper"});
    struct text values[1000], masked[1000];
    for (int i = 0; i < 1000; i++)
        values[i] = rh_text(rh_arena_printf(lower.arena, "%d (b%c%c), Z%c", i, 'a' + i % 26,
                                            'a' + i / 26 % 26, 'A' + i % 26));
    values[500] = rh_text("");
    values[501] = rh_text("broken! all");
    rh_leaves_apply(fixture.leaves, values, 1000, fixture.lower.scratch, masked);
    for (int i = 0; i < 1000; i++) {
        char word[8], big[8], expected[64];
        snprintf(word, sizeof word, "b%c%c", 'a' + i % 26, 'a' + i / 26 % 26);
        snprintf(big, sizeof big, "Z%c", 'A' + i % 26);
        snprintf(expected, sizeof expected, "%d (%s), %s", i, mask_one(&lower, word),
                 mask_one(&upper, big));
        if (i == 500)
            expected[0] = '\0';
        if (i == 501)
            snprintf(expected, sizeof expected, "%s", mask_one(&lower, "broken! all"));
        assert_int_equal(masked[i].len, strlen(expected));
        assert_memory_equal(masked[i].data, expected, masked[i].len);
    }
    fixture_free(&fixture);
}

static void test_what_is_not_accepted_is_mapped_again(void **state)
{
    (void)state;
    struct fixture fixture = fixture_new();
    bool seen[128] = {false};
    for (const char *vowel = "aeiou"; *vowel; vowel++) {
        struct text value = {vowel, 1}, masked;
        rh_leaves_apply(fixture.leaves, &value, 1, fixture.lower.scratch, &masked);
        assert_true(is_vowel(masked.data[0]));
        assert_false(seen[(unsigned char)masked.data[0]]);
        seen[(unsigned char)masked.data[0]] = true;
    }
    fixture_free(&fixture);
}

static void test_a_value_in_parts_is_walked_as_a_whole_is(void **state)
{
    (void)state;
    struct fixture fixture = fixture_new();
    RH_CLEANUP_BUF struct buf value, out;
    rh_buf_init(&value, 1 << 24);
    rh_buf_init(&out, 1 << 24);
    for (int i = 0; i < 200000; i++)
        rh_buf_printf(&value, "word%c X%c, ", 'b' + i % 20, 'A' + i % 26);
    struct text whole = rh_buf_text(&value), masked;
    rh_leaves_apply(fixture.leaves, &whole, 1, fixture.lower.scratch, &masked);
    struct leaves_stream *stream = rh_leaves_stream_new(fixture.leaves);
    for (size_t at = 0; at < whole.len; at += 9973)
        rh_leaves_stream_feed(
            stream, (struct text){whole.data + at, whole.len - at < 9973 ? whole.len - at : 9973},
            &out);
    assert_true(out.len > whole.len / 2); /* it does not wait for the end */
    rh_leaves_stream_finish(stream, &out);
    rh_leaves_stream_free(stream);
    assert_true(rh_text_equals(rh_buf_text(&out), masked));
    fixture_free(&fixture);
}

static void test_what_breaks_on_the_way_is_text_from_there(void **state)
{
    (void)state;
    struct fixture fixture = fixture_new();
    CLEANUP_BENCH struct bench lower = bench_new(MASK_TEXT, "text");
    RH_CLEANUP_BUF struct buf out;
    rh_buf_init(&out, 1 << 24);
    struct leaves_stream *stream = rh_leaves_stream_new(fixture.leaves);
    rh_leaves_stream_feed(stream, rh_text("one !tw"), &out);
    rh_leaves_stream_feed(stream, rh_text("o X"), &out);
    rh_leaves_stream_finish(stream, &out);
    rh_leaves_stream_free(stream);
    char expected[32];
    snprintf(expected, sizeof expected, " %s", mask_one(&lower, "!two X"));
    assert_true(rh_text_ends_with(rh_buf_text(&out), expected));
    assert_int_equal(out.len, strlen("one !two X"));
    fixture_free(&fixture);
}

static void test_a_stream_that_is_left_frees_what_it_holds(void **state)
{
    (void)state;
    CLEANUP_BENCH struct bench json = bench_new(MASK_JSON, "json");
    RH_CLEANUP_BUF struct buf out;
    rh_buf_init(&out, 1 << 20);
    struct mask_stream *stream = rh_mask_stream_new(json.map);
    rh_mask_stream_feed(stream, rh_text("{\"a\": \"se"), &out);
    rh_mask_stream_free(stream);
    assert_int_equal(out.len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_leaves_of_many_values_go_to_their_maps),
        cmocka_unit_test(test_what_is_not_accepted_is_mapped_again),
        cmocka_unit_test(test_a_value_in_parts_is_walked_as_a_whole_is),
        cmocka_unit_test(test_what_breaks_on_the_way_is_text_from_there),
        cmocka_unit_test(test_a_stream_that_is_left_frees_what_it_holds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
