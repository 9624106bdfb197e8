/*
 * Hardware addresses, of six or eight bytes: whether one is of a group and whether it was given
 * locally stays; all other bits, the maker's among them, go through one permutation.
 */
#include "mask/mask_hex_int.h"
#include "mask/mask_int.h"

#define SHORT_DIGITS 12
#define LONG_DIGITS 16
/* The two lowest bits of the first byte. */
#define FLAGS 0x3

static bool read_macaddr(struct text value, struct hex_text *ret_hex)
{
    if (value.len > 3 * LONG_DIGITS || !rh_hex_read(value, ret_hex) ||
        (ret_hex->count != SHORT_DIGITS && ret_hex->count != LONG_DIGITS) ||
        value.len != ret_hex->count / 2 * 3 - 1)
        return false;
    for (size_t i = 2; i < value.len; i += 3)
        if (value.data[i] != value.data[2] || (value.data[i] != ':' && value.data[i] != '-'))
            return false;
    return true;
}

static bool reads_macaddr(const struct mask_map *map, struct text value)
{
    struct hex_text ignored;
    (void)map;
    return read_macaddr(value, &ignored);
}

/* An upper-case one goes on until it has a letter to show it. */
static void permute_one(struct mask_map *map, struct hex_text *hex)
{
    const unsigned half = (unsigned)hex->count * 2 - 1; /* of all bits but the two flags */
    const uint64_t all = rh_hex_bits(hex, 0, hex->count);
    const unsigned flags_at = (unsigned)hex->count * 4 - 8;
    const uint64_t low = all & (((uint64_t)1 << flags_at) - 1);
    const uint64_t flags = all >> flags_at & FLAGS;
    const uint64_t joined = all >> (flags_at + 2) << flags_at | low;
    struct bit_pair bits = {joined >> half, joined & (((uint64_t)1 << half) - 1)};

    rh_mask_permute(map->own, &bits, 1, half, half, NULL);
    const uint64_t moved = bits.left << half | bits.right;
    rh_hex_set_bits(hex, 0, hex->count,
                    (moved >> flags_at << 2 | flags) << flags_at |
                        (moved & (((uint64_t)1 << flags_at) - 1)));
}

static void apply_macaddr(struct mask_map *map, const struct text *values, size_t count,
                          struct arena *scratch, struct text *ret_masked)
{
    for (size_t i = 0; i < count; i++) {
        struct hex_text hex;
        RH_ASSERT(read_macaddr(values[i], &hex));
        do
            permute_one(map, &hex);
        while (hex.is_upper && !rh_hex_has_letter(&hex));
        ret_masked[i] = rh_hex_write(&hex, values[i], scratch);
    }
}

static enum err_code open_macaddr(struct mask_map *map, struct arena *arena, struct err *err)
{
    const char *type = map->options.type;
    (void)arena;
    if (!rh_mask_type_is_text(type) && strcmp(type, "macaddr") != 0 &&
        strcmp(type, "macaddr8") != 0)
        return rh_mask_refuse(map, "This rule is for macaddr, macaddr8 and text.", err);
    map->own = rh_mask_cipher_new(map->options.key, map->options.domain, "macaddr");
    return RH_OK;
}

static void close_macaddr(struct mask_map *map)
{
    rh_mask_cipher_free(map->own);
}

const struct mask_kind rh_mask_macaddr = {
    .open = open_macaddr, .close = close_macaddr, .reads = reads_macaddr, .apply = apply_macaddr};
