#include "mask_unit.h"

#include <strings.h>

#include "mask/mask_int.h"

/* Permutations of bits, and what goes through them: uuids, hardware addresses, bytes. */

#define VALUES 60000

static void test_a_permutation_of_a_few_bits_visits_each_number_once(void **state)
{
    static const unsigned sizes[][2] = {{1, 1}, {4, 4}, {1, 7}, {6, 8}};
    EVP_CIPHER_CTX *cipher = rh_mask_cipher_new(&test_key, "d", "test");
    const unsigned char tweak[MASK_BLOCK_BYTES] = {5};

    (void)state;
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        const unsigned left = sizes[i][0], right = sizes[i][1];
        const size_t count = (size_t)1 << (left + right);
        struct bit_pair items[1 << 14];
        bool seen[1 << 14] = {false};
        size_t moved = 0;
        for (size_t n = 0; n < count; n++)
            items[n] = (struct bit_pair){n >> right, n & ((1U << right) - 1)};
        rh_mask_permute(cipher, items, count, left, right, i % 2 ? tweak : NULL);
        for (size_t n = 0; n < count; n++) {
            const uint64_t there = items[n].left << right | items[n].right;
            assert_in_range(there, 0, count - 1);
            assert_false(seen[there]);
            seen[there] = true;
            moved += there != n;
        }
        assert_true(count < 100 || moved > count * 9 / 10);
    }
    rh_mask_cipher_free(cipher);
}

static void test_version_variant_and_time_of_uuids_stay(void **state)
{
    struct arena *arena = rh_arena_new();
    static const struct {
        const char *value;
        size_t kept; /* characters at the beginning */
    } cases[] = {
        {"550e8400-e29b-41d4-a716-446655440000", 0},
        {"018f3a5c-7b2e-7c3d-9abc-0123456789ab", 15}, /* version 7: milliseconds */
        {"f81d4fae-7dec-11d0-a765-00a0c91e6bf6", 18}, /* version 1: all its time */
        {"1ec9414c-232a-6b00-b3c8-9f6bdeced846", 18}, /* version 6 */
        {"550e8400-e29b-41d4-0716-446655440000", 0},  /* no variant of the standard */
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *masked = masked_by(MASK_UUID, "uuid", cases[i].value, arena);
        assert_memory_equal(masked, cases[i].value, cases[i].kept);
        assert_int_equal(masked[14], cases[i].value[14]);
        assert_int_equal(strtol((char[]){masked[19], 0}, NULL, 16) >> 2,
                         strtol((char[]){cases[i].value[19], 0}, NULL, 16) >> 2);
        assert_string_not_equal(masked + 20, cases[i].value + 20);
    }
    assert_string_equal(masked_by(MASK_UUID, "uuid", "00000000-0000-0000-0000-000000000000", arena),
                        "00000000-0000-0000-0000-000000000000");
    rh_arena_free(arena);
}

static void test_forms_and_case_of_uuids_stay(void **state)
{
    struct arena *arena = rh_arena_new();
    const char *plain = masked_by(MASK_UUID, "text", "550e8400-e29b-41d4-a716-446655440000", arena);
    const char *upper = masked_by(MASK_UUID, "text", "550E8400-E29B-41D4-A716-446655440000", arena);
    const char *braces = masked_by(MASK_UUID, "text", "{550e8400-e29b-41d4-a716-446655440000}",
                                   arena);
    const char *bare = masked_by(MASK_UUID, "text", "550e8400e29b41d4a716446655440000", arena);

    (void)state;
    assert_int_equal(strcasecmp(plain, upper), 0);
    assert_string_not_equal(plain, upper);
    assert_memory_equal(braces + 1, plain, 36);
    assert_memory_equal(bare, plain, 8);
    assert_memory_equal(bare + 20, plain + 24, 12);
    rh_arena_free(arena);
}

static void check_distinct(enum mask_rule rule, const char *type, const char *format)
{
    struct arena *arena = rh_arena_new();
    struct mask_map *map = new_map(&(struct mask_map_options){.rule = rule, .type = type}, arena);
    struct text *values = rh_arena_alloc_array(arena, VALUES, sizeof(*values));
    uint64_t seed = 29;

    for (unsigned i = 0; i < VALUES; i++) {
        const unsigned one = (unsigned)next_random(&seed), other = (unsigned)next_random(&seed);
        values[i] = rh_text(rh_arena_printf(arena, format, one & 0xff, other & 0xff, i & 0xffff));
    }
    const struct text *masked = mask_all(map, values, VALUES, arena);
    for (size_t i = 0; i < VALUES; i++)
        assert_int_equal(masked[i].len, values[i].len);
    rh_mask_map_free(map);
    rh_arena_free(arena);
}

static void test_no_two_meet(void **state)
{
    (void)state;
    check_distinct(MASK_UUID, "uuid", "%02x0e8400-e29b-41d4-a7%02x-44665544%04x");
    check_distinct(MASK_UUID, "uuid", "018f3a5c-7b2e-7c%02x-9a%02x-01234567%04x");
    check_distinct(MASK_UUID, "text", "{%02X111111-1111-1111-81%02X-11111111%04X}");
    check_distinct(MASK_UUID, "text", "%02x/%02x/%04x/550e8400-e29b-41d4-a71");
    check_distinct(MASK_MACADDR, "text", "08:00:%02x:%02X:%04x");
    check_distinct(MASK_BYTES, "bytea", "\\x%02x%02x%04x");
    check_distinct(MASK_BYTES, "bytea", "\\x0011223344%02x66778899aabb%02xddeeff%04x");
    check_distinct(MASK_BYTES, "bytea", "\\x00112233445566778899aabbccddeeff%02x%02x%04x");
}

static void test_flags_and_separators_of_hardware_addresses_stay(void **state)
{
    static const char *const values[] = {"08:00:2b:01:02:03", "09:00:2b:01:02:03",
                                         "0a:00:2b:01:02:03", "08:00:2b:01:02:03:04:05",
                                         "08-00-2B-01-02-03"};
    struct arena *arena = rh_arena_new();

    (void)state;
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        const char *masked = masked_by(MASK_MACADDR, "macaddr", values[i], arena);
        assert_int_equal(strtol(masked, NULL, 16) & 3, strtol(values[i], NULL, 16) & 3);
        assert_int_equal(masked[2], values[i][2]);
        assert_int_equal(strlen(masked), strlen(values[i]));
        assert_string_not_equal(masked, values[i]);
    }
    rh_arena_free(arena);
}

/* Every value of one byte and of two, and of bit strings of ten. */
static void test_short_bytes_are_permuted(void **state)
{
    struct arena *arena = rh_arena_new();
    struct mask_map *bytes = new_map(
        &(struct mask_map_options){.rule = MASK_BYTES, .type = "bytea"}, arena);
    struct mask_map *bits = new_map(
        &(struct mask_map_options){.rule = MASK_BYTES, .type = "varbit"}, arena);
    struct text *values = rh_arena_alloc_array(arena, 0x10100, sizeof(*values));

    (void)state;
    for (unsigned i = 0; i < 0x100; i++)
        values[i] = rh_text(rh_arena_printf(arena, "\\x%02x", i));
    for (unsigned i = 0; i < 0x10000; i++)
        values[0x100 + i] = rh_text(rh_arena_printf(arena, "\\x%04x", i));
    mask_all(bytes, values, 0x10100, arena);
    assert_string_equal(mask_one(bytes, "\\x", arena), "\\x");
    for (unsigned i = 0; i < 0x400; i++) {
        char *value = rh_arena_alloc(arena, 11);
        for (int bit = 0; bit < 10; bit++)
            value[bit] = (char)('0' + (i >> bit & 1));
        values[i] = rh_text(value);
    }
    const struct text *masked = mask_all(bits, values, 0x400, arena);
    for (size_t i = 0; i < 0x400; i++)
        assert_true(masked[i].len == 10 && strspn(rh_text_dup(arena, masked[i]), "01") == 10);
    rh_mask_map_free(bytes);
    rh_mask_map_free(bits);
    rh_arena_free(arena);
}

static void test_bytes_stream_as_they_map(void **state)
{
    static const char *const types[] = {"bytea", "bit"};
    struct arena *arena = rh_arena_new();
    uint64_t seed = 31;

    (void)state;
    for (int round = 0; round < 200; round++) {
        const char *type = types[round % 4 == 3];
        const bool is_bits = round % 4 == 3;
        struct mask_map *map = new_map(&(struct mask_map_options){.rule = MASK_BYTES, .type = type},
                                       arena);
        char value[4000];
        size_t len = is_bits ? 0 : 2;
        memcpy(value, "\\x", 2);
        const size_t wanted = len + 2 * (next_random(&seed) % (round % 2 ? 20 : 1900));
        while (len < wanted)
            value[len++] = is_bits ? (char)('0' + next_random(&seed) % 2)
                                   : "0123456789abcdef"[next_random(&seed) % 16];
        const struct text in = {value, len};
        struct text whole;
        rh_mask_map_apply(map, &in, 1, arena, &whole);
        struct mask_stream *stream = rh_mask_stream_new(map);
        struct buf out;
        rh_buf_init(&out, sizeof(value));
        for (size_t done = 0; done < len;) {
            size_t part = 1 + next_random(&seed) % (round % 3 ? 5 : 700);
            part = part < len - done ? part : len - done;
            rh_mask_stream_feed(stream, (struct text){value + done, part}, &out);
            done += part;
        }
        rh_mask_stream_finish(stream, &out);
        rh_mask_stream_free(stream);
        assert_true(rh_text_equals(rh_buf_text(&out), whole));
        rh_buf_deinit(&out);
        rh_mask_map_free(map);
    }
    rh_arena_free(arena);
}

static void test_pseudonyms_are_frozen(void **state)
{
    static const struct {
        enum mask_rule rule;
        const char *type, *value, *masked;
    } frozen[] = {
        {MASK_UUID, "uuid", "550e8400-e29b-41d4-a716-446655440000",
         "7fcf3fe9-636b-4acd-a156-cc00da9bbc8e"},
        {MASK_UUID, "uuid", "018f3a5c-7b2e-7c3d-9abc-0123456789ab",
         "018f3a5c-7b2e-7baf-8c42-f37dc5cbc78c"},
        {MASK_MACADDR, "macaddr", "08:00:2b:01:02:03", "14:15:82:2e:10:71"},
        {MASK_BYTES, "bytea", "\\x01", "\\x64"},
        {MASK_BYTES, "bytea", "\\x000102030405060708090a0b0c0d0e0f101112",
         "\\xf7633f52a3b7d9e3cd322d64c54d3ff6866fa5"},
        {MASK_BYTES, "bit", "0110100110010110", "0111010001101111"},
    };
    struct arena *arena = rh_arena_new();

    (void)state;
    for (size_t i = 0; i < sizeof(frozen) / sizeof(frozen[0]); i++)
        assert_string_equal(masked_by(frozen[i].rule, frozen[i].type, frozen[i].value, arena),
                            frozen[i].masked);
    rh_arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_permutation_of_a_few_bits_visits_each_number_once),
        cmocka_unit_test(test_version_variant_and_time_of_uuids_stay),
        cmocka_unit_test(test_forms_and_case_of_uuids_stay),
        cmocka_unit_test(test_no_two_meet),
        cmocka_unit_test(test_flags_and_separators_of_hardware_addresses_stay),
        cmocka_unit_test(test_short_bytes_are_permuted),
        cmocka_unit_test(test_bytes_stream_as_they_map),
        cmocka_unit_test(test_pseudonyms_are_frozen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
