#include "mask_unit.h"

#include <arpa/inet.h>

#define VALUES 40000

/* Bits of an address, without its mask. */
static int bits_of(struct text value, unsigned char bytes[16])
{
    char address[64];
    const char *slash = memchr(value.data, '/', value.len);
    const size_t len = slash ? (size_t)(slash - value.data) : value.len;

    memcpy(address, value.data, len);
    address[len] = '\0';
    const int family = strchr(address, ':') ? AF_INET6 : AF_INET;
    assert_int_equal(inet_pton(family, address, bytes), 1);
    return family == AF_INET ? 32 : 128;
}

static int common_bits(const unsigned char *a, const unsigned char *b, int bits)
{
    int i = 0;
    while (i < bits && ((a[i / 8] ^ b[i / 8]) & (0x80 >> i % 8)) == 0)
        i++;
    return i;
}

static struct text random_address(uint64_t *seed, struct arena *arena)
{
    const uint64_t drawn = next_random(seed), more = next_random(seed);
    switch (drawn % 4) {
    case 0:
        return rh_text(rh_arena_printf(arena, "10.%u.%u.%u", (unsigned)(drawn >> 8) % 4,
                                       (unsigned)(drawn >> 16) & 0xff,
                                       (unsigned)(drawn >> 24) & 0xff));
    case 1:
        return rh_text(rh_arena_printf(arena, "%u.%u.%u.%u/%u", (unsigned)more & 0xff,
                                       (unsigned)(more >> 8) & 0xff, (unsigned)(drawn >> 16) & 0xff,
                                       (unsigned)(drawn >> 24) & 0xff,
                                       (unsigned)(drawn >> 32) % 32));
    case 2:
        return rh_text(rh_arena_printf(arena, "2001:db8:%x:%x::%x", 1 + (unsigned)more % 9,
                                       1 + ((unsigned)drawn >> 8) % 0xffff,
                                       1 + ((unsigned)(drawn >> 24) & 0xfff)));
    default:
        return rh_text(rh_arena_printf(
            arena, "fe80::%x:%x:%x:%x/64", 1 + ((unsigned)(more >> 10) & 0xff0),
            1 + ((unsigned)(more >> 20) & 0xfff), 1 + ((unsigned)(drawn >> 8) & 0xfff),
            1 + ((unsigned)(drawn >> 24) & 0xfff)));
    }
}

static void test_addresses_share_as_many_bits_as_before(void **state)
{
    struct arena *arena = rh_arena_new();
    struct mask_map *map = new_map(&(struct mask_map_options){.rule = MASK_INET, .type = "inet"},
                                   arena);
    struct text *values = rh_arena_alloc_array(arena, VALUES, sizeof(*values));
    uint64_t seed = 37;

    (void)state;
    for (size_t i = 0; i < VALUES; i++)
        values[i] = random_address(&seed, arena);
    const struct text *masked = mask_all(map, values, VALUES, arena);
    for (size_t i = 1; i < VALUES; i++) {
        unsigned char one[16], other[16], masked_one[16], masked_other[16];
        const size_t j = next_random(&seed) % i;
        const int bits = bits_of(values[i], one);
        assert_int_equal(bits_of(masked[i], masked_one), bits);
        if (bits_of(values[j], other) != bits)
            continue;
        bits_of(masked[j], masked_other);
        assert_int_equal(common_bits(one, other, bits),
                         common_bits(masked_one, masked_other, bits));
        const char *slash = memchr(values[i].data, '/', values[i].len);
        const char *masked_slash = memchr(masked[i].data, '/', masked[i].len);
        assert_true(!slash == !masked_slash);
        if (slash)
            assert_int_equal(atoi(slash + 1), atoi(masked_slash + 1));
    }
    rh_mask_map_free(map);
    rh_arena_free(arena);
}

static void test_host_bits_of_a_cidr_stay_zero(void **state)
{
    struct arena *arena = rh_arena_new();
    struct mask_map *map = new_map(&(struct mask_map_options){.rule = MASK_INET, .type = "cidr"},
                                   arena);

    (void)state;
    for (int length = 0; length <= 128; length++) {
        unsigned char bytes[16], zeros[16] = {0};
        char shown[64];
        const bool is_v4 = length <= 32;
        memset(bytes, 0, sizeof(bytes));
        for (int i = 0; i < length; i++)
            bytes[i / 8] |= 0x80 >> i % 8;
        inet_ntop(is_v4 ? AF_INET : AF_INET6, bytes, shown, sizeof(shown));
        const char *value = rh_arena_printf(arena, "%s/%d", shown, length);
        const char *masked = mask_one(map, value, arena);
        bits_of(rh_text(masked), bytes);
        for (int i = 0; i < length; i++)
            bytes[i / 8] &= (unsigned char)~(0x80 >> i % 8);
        assert_memory_equal(bytes, zeros, is_v4 ? 4 : 16);
        assert_string_equal(strchr(masked, '/'), strchr(value, '/'));
    }
    rh_mask_map_free(map);
    rh_arena_free(arena);
}

/* Those that PostgreSQL writes are read again; other forms are text, which they stay. */
static void test_only_the_server_s_own_form_is_an_address(void **state)
{
    static const char *const other[] = {"10.0.0.01", "10.0.0",      "1.2.3.4/33", "1.2.3.4/32",
                                        "1:2:3",     "2001:DB8::1", "::ffff:1:2", "host"};
    struct arena *arena = rh_arena_new();

    (void)state;
    for (size_t i = 0; i < sizeof(other) / sizeof(other[0]); i++) {
        const char *masked = masked_by(MASK_INET, "text", other[i], arena);
        assert_string_not_equal(masked, other[i]);
        assert_int_equal(strlen(masked), strlen(other[i]));
        assert_int_equal(strcspn(masked, ".:"), strcspn(other[i], ".:"));
    }
    assert_string_equal(masked_by(MASK_INET, "inet", "0.0.0.0", arena), "0.0.0.0");
    assert_string_equal(masked_by(MASK_INET, "inet", "::1", arena), "::1");
    rh_arena_free(arena);
}

static void test_pseudonyms_are_frozen(void **state)
{
    static const char *const frozen[][2] = {
        {"10.1.2.3", "40.127.208.205"},
        {"192.168.0.0/24", "183.25.60.112/24"},
        {"2001:db8::1", "14c2:a066:76e0:b010:350f:a3ef:62a6:b783"},
    };
    struct arena *arena = rh_arena_new();

    (void)state;
    for (size_t i = 0; i < sizeof(frozen) / sizeof(frozen[0]); i++)
        assert_string_equal(masked_by(MASK_INET, "inet", frozen[i][0], arena), frozen[i][1]);
    rh_arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_addresses_share_as_many_bits_as_before),
        cmocka_unit_test(test_host_bits_of_a_cidr_stay_zero),
        cmocka_unit_test(test_only_the_server_s_own_form_is_an_address),
        cmocka_unit_test(test_pseudonyms_are_frozen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
