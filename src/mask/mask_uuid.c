/*
 * UUIDs (RFC 9562): version and variant stay, and the time of versions 1, 6 and 7, by which rows
 * lie in their order; all other bits go through one permutation. Hyphens, braces and case stay.
 */
#include "mask/mask_hex_int.h"
#include "mask/mask_int.h"

#define DIGITS 32
#define VERSION_DIGIT 12
#define VARIANT_DIGIT 16

/* Which bits are permuted; each kind is a permutation of its own. */
enum uuid_kind { UUID_RANDOM, UUID_NODE, UUID_TIME_FIRST, UUID_KINDS };

static bool read_uuid(struct text value, struct hex_text *ret_hex)
{
    static const char plain[] = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";
    static const char hyphens[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";

    if (value.len > 2 && value.data[0] == '{' && value.data[value.len - 1] == '}') {
        value.data++;
        value.len -= 2;
        if (!read_uuid(value, ret_hex))
            return false;
        for (size_t i = 0; i < DIGITS; i++)
            ret_hex->places[i]++;
        return value.data[0] != '{';
    }
    const char *form = value.len == sizeof(plain) - 1     ? plain
                       : value.len == sizeof(hyphens) - 1 ? hyphens
                                                          : NULL;
    if (!form || !rh_hex_read(value, ret_hex) || ret_hex->count != DIGITS)
        return false;
    for (size_t i = 0; i < value.len; i++)
        if ((form[i] == '-') != (value.data[i] == '-'))
            return false;
    return true;
}

static bool reads_uuid(const struct mask_map *map, struct text value)
{
    struct hex_text ignored;
    (void)map;
    return read_uuid(value, &ignored);
}

static enum uuid_kind kind_of(const struct hex_text *hex)
{
    const bool is_standard = hex->digits[VARIANT_DIGIT] >> 2 == 2;
    const unsigned version = hex->digits[VERSION_DIGIT];
    if (!is_standard)
        return UUID_RANDOM;
    if (version == 7)
        return UUID_TIME_FIRST;
    return version == 1 || version == 6 ? UUID_NODE : UUID_RANDOM;
}

/* The last 62 bits, behind the variant. */
#define LAST_BITS 62
#define LAST_MASK (((uint64_t)1 << LAST_BITS) - 1)

static struct bit_pair take(const struct hex_text *hex, enum uuid_kind kind)
{
    const uint64_t last = rh_hex_bits(hex, VARIANT_DIGIT, 16) & LAST_MASK;
    const uint64_t behind_version = rh_hex_bits(hex, VERSION_DIGIT + 1, 3);
    switch (kind) {
    case UUID_RANDOM: /* 60 and 62 */
        return (struct bit_pair){rh_hex_bits(hex, 0, VERSION_DIGIT) << 12 | behind_version, last};
    case UUID_NODE: /* 31 and 31 */
        return (struct bit_pair){last >> 31, last & 0x7fffffff};
    case UUID_TIME_FIRST: /* 37 and 37, of 12 and 62 */
        return (struct bit_pair){behind_version << 25 | last >> 37, last & 0x1fffffffff};
    case UUID_KINDS:
        break;
    }
    RH_PANIC("no such kind");
}

static void put(struct hex_text *hex, enum uuid_kind kind, struct bit_pair bits)
{
    const uint64_t variant = (uint64_t)(hex->digits[VARIANT_DIGIT] >> 2) << LAST_BITS;
    uint64_t last = bits.right;
    switch (kind) {
    case UUID_RANDOM:
        rh_hex_set_bits(hex, 0, VERSION_DIGIT, bits.left >> 12);
        rh_hex_set_bits(hex, VERSION_DIGIT + 1, 3, bits.left);
        break;
    case UUID_NODE:
        last |= bits.left << 31;
        break;
    case UUID_TIME_FIRST:
        rh_hex_set_bits(hex, VERSION_DIGIT + 1, 3, bits.left >> 25);
        last |= (bits.left & 0x1ffffff) << 37;
        break;
    case UUID_KINDS:
        break;
    }
    rh_hex_set_bits(hex, VARIANT_DIGIT, 16, variant | last);
}

static const struct {
    unsigned left, right;
} sizes[UUID_KINDS] = {{60, 62}, {31, 31}, {37, 37}};

/* Those of one kind, in one go. An upper-case one goes on until it has a letter to show it. */
static void permute_kind(struct mask_map *map, enum uuid_kind kind, struct hex_text *hexes,
                         const size_t *members, size_t count, struct arena *scratch)
{
    struct bit_pair *bits = rh_arena_alloc_array(scratch, count, sizeof(*bits));
    size_t *left = rh_arena_memdup(scratch, members, count * sizeof(*members));

    while (count > 0) {
        for (size_t i = 0; i < count; i++)
            bits[i] = take(&hexes[left[i]], kind);
        rh_mask_permute(map->own, bits, count, sizes[kind].left, sizes[kind].right, NULL);
        size_t again = 0;
        for (size_t i = 0; i < count; i++) {
            struct hex_text *hex = &hexes[left[i]];
            put(hex, kind, bits[i]);
            if (hex->is_upper && !rh_hex_has_letter(hex))
                left[again++] = left[i];
        }
        count = again;
    }
}

static void apply_uuid(struct mask_map *map, const struct text *values, size_t count,
                       struct arena *scratch, struct text *ret_masked)
{
    struct hex_text *hexes = rh_arena_alloc_array(scratch, count, sizeof(*hexes));
    size_t *members = rh_arena_alloc_array(scratch, count, sizeof(*members));

    for (size_t i = 0; i < count; i++)
        RH_ASSERT(read_uuid(values[i], &hexes[i]));
    for (enum uuid_kind kind = 0; kind < UUID_KINDS; kind++) {
        size_t used = 0;
        for (size_t i = 0; i < count; i++)
            if (kind_of(&hexes[i]) == kind)
                members[used++] = i;
        permute_kind(map, kind, hexes, members, used, scratch);
    }
    for (size_t i = 0; i < count; i++)
        ret_masked[i] = rh_hex_write(&hexes[i], values[i], scratch);
}

static enum err_code open_uuid(struct mask_map *map, struct arena *arena, struct err *err)
{
    (void)arena;
    if (!rh_mask_type_is_text(map->options.type) && strcmp(map->options.type, "uuid") != 0)
        return rh_mask_refuse(map, "This rule is for uuid and for text.", err);
    map->own = rh_mask_cipher_new(map->options.key, map->options.domain, "uuid");
    return RH_OK;
}

static void close_uuid(struct mask_map *map)
{
    rh_mask_cipher_free(map->own);
}

const struct mask_kind rh_mask_uuid = {
    .open = open_uuid, .close = close_uuid, .reads = reads_uuid, .apply = apply_uuid};
