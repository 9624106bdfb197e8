#include "mask_unit.h"

#include <locale.h>
#include <wctype.h>

#include "base/file.h"
#include "mask/char_class_int.h"
#include "mask/mask_int.h"

#define VALUES 200000
#define MOST_CHARACTERS 150

/* One character of any script, at random: mostly ASCII, as in life. */
static size_t random_character(uint64_t *seed, unsigned char *out)
{
    static const struct {
        uint32_t first, count;
    } scripts[] = {
        {0xa0, 0x60},    {0x100, 0x150}, {0x370, 0x90},    {0x400, 0x120},   {0x531, 0x56},
        {0x5d0, 27},     {0x620, 0x60},  {0x904, 0x80},    {0xe01, 0x5a},    {0x10a0, 0x60},
        {0x1e00, 0x200}, {0x2010, 0x60}, {0x3041, 0xc0},   {0x4e00, 0x5200}, {0xac00, 0x2ba4},
        {0xe000, 0x100}, {0xff10, 0x60}, {0x10400, 0x50},  {0x1f300, 0x400}, {0x20000, 0xa000},
        {0x300, 0x60},   {0x600, 0x100}, {0xf0000, 0x100},
    };
    static const char ascii[] = "aaabcdefghijklmnopqrstuvwxyzABCDEFXYZ0123456789 .-_@/+";
    const uint64_t drawn = next_random(seed);

    if (drawn % 4 != 0) {
        *out = (unsigned char)ascii[(drawn >> 8) % (sizeof(ascii) - 1)];
        return 1;
    }
    const size_t script = (drawn >> 8) % (sizeof(scripts) / sizeof(scripts[0]));
    const uint32_t c = scripts[script].first + (uint32_t)((drawn >> 20) % scripts[script].count);
    rh_char_encode(c, out);
    return c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
}

/* Values that often begin as another one does; some of them long. */
static struct text *random_values(uint64_t seed, size_t count, struct arena *arena)
{
    struct text *values = rh_arena_alloc_array(arena, count, sizeof(*values));

    for (size_t i = 0; i < count; i++) {
        unsigned char bytes[4 * MOST_CHARACTERS + 600];
        size_t len = 0, more = next_random(&seed) % (i % 50 == 0 ? MOST_CHARACTERS : 12);
        if (i > 0 && next_random(&seed) % 2) {
            const struct text *other = &values[next_random(&seed) % i];
            len = other->len > 0 ? next_random(&seed) % other->len : 0;
            len = len < 600 ? len : 600;
            while (len > 0 && ((unsigned char)other->data[len] & 0xc0) == 0x80)
                len--;
            memcpy(bytes, other->data, len);
        }
        while (more-- > 0)
            len += random_character(&seed, bytes + len);
        values[i] = (struct text){rh_arena_memdup(arena, bytes, len + 1), len};
    }
    return values;
}

static struct mask_map *text_map(struct arena *arena)
{
    return new_map(&(struct mask_map_options){.rule = MASK_TEXT, .type = "text"}, arena);
}

static uint32_t character_at(struct text text, size_t at, size_t *ret_width)
{
    uint32_t c;
    const int width = (unsigned char)text.data[at] < 0x80
                          ? 0
                          : rh_char_decode((const unsigned char *)text.data + at, text.len - at,
                                           &c);
    *ret_width = width > 0 ? (size_t)width : 1;
    return width > 0 ? c : (unsigned char)text.data[at];
}

static int ascii_class(uint32_t c)
{
    if (c >= '0' && c <= '9')
        return 1;
    if (c >= 'a' && c <= 'z')
        return 2;
    return c >= 'A' && c <= 'Z' ? 3 : 0;
}

static bool same_class(uint32_t a, uint32_t b)
{
    if (a < 0x80 || b < 0x80)
        return a < 0x80 && b < 0x80 && ascii_class(a) == ascii_class(b) &&
               (ascii_class(a) != 0 || a == b);
    const struct char_place one = rh_char_find(a, NULL), other = rh_char_find(b, NULL);
    if (!one.run || !other.run)
        return !one.run && !other.run && a / 64 == b / 64;
    return one.run->class == other.run->class && one.variant == other.variant &&
           (one.run->class != 0 || a == b);
}

static void test_lengths_and_classes_stay_and_no_two_values_meet(void **state)
{
    struct arena *arena = rh_arena_new();
    struct mask_map *map = text_map(arena);
    const struct text *values = random_values(7, VALUES, arena);
    const struct text *masked = mask_all(map, values, VALUES, arena);
    size_t same = 0, changed = 0;

    (void)state;
    for (size_t i = 0; i < VALUES; i++) {
        assert_int_equal(masked[i].len, values[i].len);
        assert_int_equal(rh_text_utf8_valid_prefix(masked[i]), masked[i].len);
        for (size_t at = 0, width; at < values[i].len; at += width) {
            size_t other_width;
            const uint32_t before = character_at(values[i], at, &width);
            const uint32_t after = character_at(masked[i], at, &other_width);
            if (width != other_width || !same_class(before, after))
                fail_msg("U+%04X became U+%04X", before, after);
            if (before >= 0x80 ? rh_char_find(before, NULL).size > 10 : ascii_class(before) > 0)
                *(before == after ? &same : &changed) += 1;
        }
    }
    /* No more stays by chance than a class of ten or more explains. */
    assert_true(same * 10 < changed);
    rh_mask_map_free(map);
    rh_arena_free(arena);
}

static size_t common_prefix(struct text a, struct text b)
{
    size_t at = 0;
    while (at < a.len && at < b.len && a.data[at] == b.data[at])
        at++;
    while (at > 0 && ((at < a.len && (a.data[at] & 0xc0) == 0x80) ||
                      (at < b.len && (b.data[at] & 0xc0) == 0x80)))
        at--;
    return at;
}

static void test_common_prefixes_stay_exactly_as_long(void **state)
{
    struct arena *arena = rh_arena_new();
    struct mask_map *map = text_map(arena);
    struct text *values = random_values(11, VALUES, arena);
    size_t shared = 0;

    (void)state;
    /* Neighbours in order have the longest prefixes there are. */
    qsort(values, VALUES, sizeof(*values), compare_texts);
    const struct text *masked = mask_all(map, values, VALUES, arena);
    for (size_t i = 1; i < VALUES; i++) {
        if (rh_mask_map_keeps(map, values[i]) || rh_mask_map_keeps(map, values[i - 1]))
            continue;
        const size_t before = common_prefix(values[i - 1], values[i]);
        if (common_prefix(masked[i - 1], masked[i]) != before)
            fail_msg("a prefix of %zu bytes became one of %zu", before,
                     common_prefix(masked[i - 1], masked[i]));
        shared += before;
    }
    assert_true(shared > VALUES);
    rh_mask_map_free(map);
    rh_arena_free(arena);
}

/* As PostgreSQL does with a libc collation: character by character. */
static bool folded(struct text value, wint_t (*fold)(wint_t), struct arena *arena,
                   struct text *ret_folded)
{
    unsigned char *out = rh_arena_alloc(arena, 2 * value.len + 4);
    size_t len = 0;

    for (size_t at = 0, width; at < value.len; at += width) {
        const uint32_t c = character_at(value, at, &width);
        const uint32_t f = (uint32_t)fold((wint_t)c);
        if (c >= 0x80 && f != c && rh_char_find(c, NULL).size == 1)
            return false; /* the known few with an irregular case */
        if (f < 0x80) {
            out[len++] = (unsigned char)f;
        } else {
            rh_char_encode(f, out + len);
            len += f < 0x800 ? 2 : f < 0x10000 ? 3 : 4;
        }
    }
    *ret_folded = (struct text){(char *)out, len};
    return true;
}

static void check_fold(wint_t (*fold)(wint_t), uint64_t seed)
{
    struct arena *arena = rh_arena_new();
    struct mask_map *map = text_map(arena);
    const struct text *values = random_values(seed, VALUES / 4, arena);
    const struct text *masked = mask_all(map, values, VALUES / 4, arena);
    size_t checked = 0;

    for (size_t i = 0; i < VALUES / 4; i++) {
        struct text folded_first, folded_after, masked_of_folded;
        if (!folded(values[i], fold, arena, &folded_first))
            continue;
        rh_mask_map_apply(map, &folded_first, 1, arena, &masked_of_folded);
        assert_true(folded(masked[i], fold, arena, &folded_after));
        if (!rh_text_equals(masked_of_folded, folded_after))
            fail_msg("\"%.*s\" does not commute", (int)values[i].len, values[i].data);
        checked++;
    }
    assert_true(checked > VALUES / 8);
    rh_mask_map_free(map);
    rh_arena_free(arena);
}

static wint_t c_lower(wint_t c)
{
    return c >= 'A' && c <= 'Z' ? c + 32 : c;
}

static wint_t c_upper(wint_t c)
{
    return c >= 'a' && c <= 'z' ? c - 32 : c;
}

static void test_folding_the_case_before_or_after_is_one(void **state)
{
    (void)state;
    check_fold(c_lower, 3);
    check_fold(c_upper, 4);
    if (!setlocale(LC_CTYPE, "C.UTF-8"))
        skip();
    check_fold(towlower, 5);
    check_fold(towupper, 6);
}

/* ICU writes sigma otherwise at the end of a word; all three stay what they are. */
static void test_a_final_sigma_commutes_too(void **state)
{
    struct arena *arena = rh_arena_new();
    const char *great = masked_by(MASK_TEXT, "text", "ΟΔΟΣ", arena);
    const char *small = masked_by(MASK_TEXT, "text", "οδος", arena);

    (void)state;
    assert_string_equal(great + 6, "Σ");
    assert_string_equal(small + 6, "ς");
    for (size_t at = 0, width; at < 6; at += width) {
        const uint32_t one = character_at(rh_text(great), at, &width);
        const uint32_t other = character_at(rh_text(small), at, &width);
        assert_int_equal(rh_char_find(one, NULL).folded, rh_char_find(other, NULL).folded);
    }
    rh_arena_free(arena);
}

static void test_a_value_in_parts_is_the_value_at_once(void **state)
{
    struct arena *arena = rh_arena_new();
    struct mask_map *map = text_map(arena);
    uint64_t seed = 13;
    const size_t sizes[] = {0, 1, 3, 63, 64, 65, 127, 128, 129, 300, 1000, 20000};

    (void)state;
    for (int round = 0; round < 300; round++) {
        unsigned char bytes[20004];
        const size_t wanted = sizes[(size_t)round % (sizeof(sizes) / sizeof(sizes[0]))];
        size_t len = 0;
        while (len < wanted) {
            /* Now and then a byte that belongs to no character. */
            if (round % 3 == 0 && next_random(&seed) % 20 == 0)
                bytes[len++] = (unsigned char)(0x80 + next_random(&seed) % 0x80);
            else
                len += random_character(&seed, bytes + len);
        }
        const struct text value = {(char *)bytes, len};
        struct text whole;
        rh_mask_map_apply(map, &value, 1, arena, &whole);
        struct mask_stream *stream = rh_mask_stream_new(map);
        struct buf out;
        rh_buf_init(&out, 1 << 20);
        for (size_t done = 0; done < len;) {
            size_t part = 1 + next_random(&seed) % (round % 2 ? 5 : 9000);
            part = part < len - done ? part : len - done;
            rh_mask_stream_feed(stream, (struct text){(char *)bytes + done, part}, &out);
            done += part;
        }
        rh_mask_stream_finish(stream, &out);
        rh_mask_stream_free(stream);
        assert_int_equal(out.len, len);
        assert_true(rh_text_equals(rh_buf_text(&out), whole));
        rh_buf_deinit(&out);
    }
    rh_mask_map_free(map);
    rh_arena_free(arena);
}

/* In a batch with any others, or alone. */
static void test_a_pseudonym_does_not_depend_on_its_neighbours(void **state)
{
    static const enum mask_rule rules[] = {MASK_TEXT, MASK_EMAIL};

    (void)state;
    for (size_t rule = 0; rule < 2; rule++) {
        struct arena *arena = rh_arena_new();
        struct mask_map *map = new_map(
            &(struct mask_map_options){.rule = rules[rule], .type = "text"}, arena);
        const struct text *values = random_values(19, 20000, arena);
        const struct text *masked = mask_all(map, values, 20000, arena);
        for (size_t i = 0; i < 20000; i += 3) {
            struct text alone;
            rh_mask_map_apply(map, &values[i], 1, arena, &alone);
            assert_true(rh_text_equals(alone, masked[i]));
        }
        rh_mask_map_free(map);
        rh_arena_free(arena);
    }
}

/* Any bytes whatever: what is no UTF-8 changes too, and still no two meet. */
static void test_bytes_of_no_encoding_do_not_meet(void **state)
{
    struct arena *arena = rh_arena_new();
    struct mask_map *map = text_map(arena);
    struct text *values = rh_arena_alloc_array(arena, 70000, sizeof(*values));
    size_t count = 0;

    (void)state;
    for (unsigned first = 0x80; first < 0x100; first++)
        for (unsigned second = 0x80; second < 0x100; second++)
            for (unsigned third = 0x41; third < 0x100; third += 0x3f) {
                const unsigned char bytes[] = {(unsigned char)first, (unsigned char)second,
                                               (unsigned char)third, 0x82};
                values[count++] = (struct text){rh_arena_memdup(arena, bytes, 4), 4};
            }
    const struct text *masked = mask_all(map, values, count, arena);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(masked[i].len, 4);
    rh_mask_map_free(map);
    rh_arena_free(arena);
}

static void test_single_byte_encodings_keep_pairs_of_case(void **state)
{
    struct arena *arena = rh_arena_new();
    struct mask_map *map = new_map(
        &(struct mask_map_options){.rule = MASK_TEXT, .type = "text", .encoding = "WIN1251"},
        arena);
    struct text values[0x80 * 2];
    size_t stays = 0;

    (void)state;
    for (unsigned c = 0; c < 0x80; c++) {
        const char one[] = {(char)(0x80 + c)}, two[] = {'a', (char)(0x80 + c)};
        values[c] = (struct text){rh_arena_memdup(arena, one, 1), 1};
        values[0x80 + c] = (struct text){rh_arena_memdup(arena, two, 2), 2};
    }
    const struct text *masked = mask_all(map, values, 0x100, arena);
    for (unsigned c = 0x40; c < 0x60; c++) {
        /* Russian capital and small letters lie 32 apart. */
        assert_int_equal((unsigned char)masked[c].data[0] + 32,
                         (unsigned char)masked[c + 32].data[0]);
        stays += masked[c].data[0] == values[c].data[0];
    }
    assert_in_range(stays, 0, 2);
    rh_mask_map_free(map);
    rh_arena_free(arena);
}

/* What a key gives is for ever: copies made later join with those made before. */
static void test_pseudonyms_of_a_key_never_change(void **state)
{
    static const char *const frozen[][2] = {
        {"john.smith@example.com", "wqrt.vmwkf@pmgdmrj.res"},
        {"John Smith", "Wqrt Fmcwz"},
        {"0815-4711", "1025-8415"},
        {"Müller Łódź", "Zäiggl Ųívŵ"},
        {"Иван Петров", "Ԓԫӳҫ Ԅԁјңӯҵ"},
        {"Αθήνα", "Ͼͽδιϟ"},
        {"王小明", "巹市瀢"},
        {"שלום", "נצמײ"},
        {"On 2024-05-01 Müller wrote: the parcel came back, nobody opened, call +49 30 1234567 "
         "before ten. On 2024-05-02 Müller wrote again: still no parcel; straße 17, 10115 Berlin, "
         "please ring twice and wait.",
         "Bc 0262-59-50 Aítvfv xgkkp: ghi qpnpfg adkg izaw, lxsoqf jvjuel, nfyc +20 44 2581152 "
         "upyxwz wla. Um 6317-40-37 Nçqopz umdoq mvyqd: fgfib om vycxgu; nssmßl 70, 29211 Gmrbeg, "
         "dcwzuz xwvg pqkft btu nwlb."},
        {"😀", "🚴"},
        {"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxyz",
         "kqxjaqdgflvajuzatomztxgyfqeezlauccswaxryrxwvtybnkjfgjrijdbmcnnlganazbblm"},
    };
    struct arena *arena = rh_arena_new();

    (void)state;
    for (size_t i = 0; i < sizeof(frozen) / sizeof(frozen[0]); i++)
        assert_string_equal(masked_by(MASK_TEXT, "text", frozen[i][0], arena), frozen[i][1]);
    rh_arena_free(arena);
}

/* SHA-256 of the pseudonyms of a few thousand values of any scripts and of up to `most` characters,
   every other of ASCII alone. */
static void digest_of_many(enum mask_rule rule, size_t most, char ret_digest[static 65])
{
    struct arena *arena = rh_arena_new();
    struct mask_map *map = new_map(&(struct mask_map_options){.rule = rule, .type = "text"}, arena);
    struct text values[3000], masked[3000];
    uint64_t seed = most;
    struct buf all;

    rh_buf_init(&all, (size_t)64 * 1024 * 1024);
    for (size_t i = 0; i < 3000; i++) {
        const size_t characters = 1 + next_random(&seed) % most;
        unsigned char *bytes = rh_arena_alloc(arena, 4 * characters);
        size_t len = 0;
        for (size_t c = 0; c < characters; c++) {
            size_t width = random_character(&seed, bytes + len);
            if (width > 1 && i % 2 == 0) {
                bytes[len] = ' ';
                width = 1;
            }
            len += width;
        }
        values[i] = (struct text){(const char *)bytes, len};
    }
    rh_mask_map_apply(map, values, 3000, arena, masked);
    for (size_t i = 0; i < 3000; i++) {
        rh_buf_add_text(&all, masked[i]);
        rh_buf_add_char(&all, '\n');
    }
    rh_file_sha256(rh_buf_text(&all), ret_digest);
    rh_buf_deinit(&all);
    rh_mask_map_free(map);
    rh_arena_free(arena);
}

static void test_pseudonyms_of_long_values_never_change(void **state)
{
    static const struct {
        enum mask_rule rule;
        size_t most;
        const char *digest;
    } frozen[] = {
        {MASK_TEXT, 40, "620a23eaf7af4502799adef7b195861b0735300cbea3faf27b583778552eb7bd"},
        {MASK_TEXT, 140, "774dacb8c290f205a6076d511bd41b4b554e2a911209658ef5897674a6635a97"},
        {MASK_TEXT, 700, "9982a6872028e88f6181361f4702ce6009d534640a3434a005ed7bd16c43afbb"},
        {MASK_FREE_TEXT, 700, "c0f3c6cac364432d6725d868a6907ad4b39d1433e110d3a7ea3bab76f3a01704"},
        {MASK_EMAIL, 300, "4f1fa906808d6cd242002dbc7abdf07cd18e2354063b068310246df560a12c14"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(frozen) / sizeof(frozen[0]); i++) {
        char digest[65];
        digest_of_many(frozen[i].rule, frozen[i].most, digest);
        assert_string_equal(digest, frozen[i].digest);
    }
}

static void test_another_key_or_domain_gives_other_pseudonyms(void **state)
{
    struct arena *arena = rh_arena_new();
    const struct mask_master_key other_key = {{9}};
    const char *value = "someone@example.com";
    const char *one = masked_by(MASK_TEXT, "text", value, arena);
    struct mask_map *keyed = new_map(
        &(struct mask_map_options){.rule = MASK_TEXT, .type = "text", .key = &other_key}, arena);
    struct mask_map *elsewhere = new_map(
        &(struct mask_map_options){.rule = MASK_TEXT, .type = "text", .domain = "other"}, arena);

    (void)state;
    assert_string_not_equal(one, mask_one(keyed, value, arena));
    assert_string_not_equal(one, mask_one(elsewhere, value, arena));
    assert_string_equal(one, masked_by(MASK_TEXT, "varchar", value, arena));
    rh_mask_map_free(keyed);
    rh_mask_map_free(elsewhere);
    rh_arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lengths_and_classes_stay_and_no_two_values_meet),
        cmocka_unit_test(test_common_prefixes_stay_exactly_as_long),
        cmocka_unit_test(test_folding_the_case_before_or_after_is_one),
        cmocka_unit_test(test_a_final_sigma_commutes_too),
        cmocka_unit_test(test_a_value_in_parts_is_the_value_at_once),
        cmocka_unit_test(test_a_pseudonym_does_not_depend_on_its_neighbours),
        cmocka_unit_test(test_bytes_of_no_encoding_do_not_meet),
        cmocka_unit_test(test_single_byte_encodings_keep_pairs_of_case),
        cmocka_unit_test(test_pseudonyms_of_a_key_never_change),
        cmocka_unit_test(test_pseudonyms_of_long_values_never_change),
        cmocka_unit_test(test_another_key_or_domain_gives_other_pseudonyms),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
