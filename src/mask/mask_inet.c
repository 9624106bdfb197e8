/*
 * Network addresses: Crypto-PAn (Xu and others, ICNP 2002): a bit changes or not by what stands
 * before it, so addresses share as many first bits as they did. Family and mask length stay; the
 * host bits of a cidr stay zero. No range is special beside the kept values (unspecified and
 * loopback): a private address becomes any address.
 */
#include "mask/mask_int.h"

#define V4_BITS 32
#define V6_BITS 128
/* "ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255/128" */
#define ADDRESS_MAX_BYTES 50

struct address {
    unsigned char bytes[V6_BITS / 8];
    int bits;        /* of the family */
    int mask_length; /* bits when none is written */
};

struct inet_keys {
    EVP_CIPHER_CTX *v4, *v6;
    bool is_cidr;
};

/* ---- as PostgreSQL writes them (src/port/inet_net_ntop.c) ------------------------------------ */

static int write_v4(const unsigned char *bytes, char *out, size_t size)
{
    return snprintf(out, size, "%u.%u.%u.%u", bytes[0], bytes[1], bytes[2], bytes[3]);
}

/* The longest run of zero words, the first of equals, of two words at least. */
static void find_zeros(const unsigned *words, int *ret_first, int *ret_count)
{
    *ret_first = -1;
    *ret_count = 1;
    for (int i = 0; i < 8; i++) {
        int count = 0;
        while (i + count < 8 && words[i + count] == 0)
            count++;
        if (count > *ret_count) {
            *ret_first = i;
            *ret_count = count;
        }
        i += count;
    }
}

static int write_v6(const unsigned char *bytes, char *out, size_t size)
{
    unsigned words[8];
    int first, count, len = 0;

    for (int i = 0; i < 8; i++)
        words[i] = (unsigned)bytes[2 * i] << 8 | bytes[2 * i + 1];
    find_zeros(words, &first, &count);
    for (int i = 0; i < 8; i++) {
        if (first >= 0 && i >= first && i < first + count) {
            if (i == first)
                out[len++] = ':';
            continue;
        }
        if (i > 0)
            out[len++] = ':';
        if (i == 6 && first == 0 && (count == 6 || (count == 5 && words[5] == 0xffff)))
            return len + write_v4(bytes + 12, out + len, size - (size_t)len);
        len += snprintf(out + len, size - (size_t)len, "%x", words[i]);
    }
    if (first >= 0 && first + count == 8)
        out[len++] = ':';
    return len;
}

static struct text write_address(const struct address *address, bool is_cidr, char *out)
{
    const size_t size = ADDRESS_MAX_BYTES;
    int len = address->bits == V4_BITS ? write_v4(address->bytes, out, size)
                                       : write_v6(address->bytes, out, size);
    if (is_cidr || address->mask_length != address->bits)
        len += snprintf(out + len, size - (size_t)len, "/%d", address->mask_length);
    return (struct text){out, (size_t)len};
}

/* ---- and reads ------------------------------------------------------------------------------- */

static bool take_number(struct text *rest, int64_t most, int64_t *ret_number)
{
    if (rest->len == 0 || rest->data[0] < '0' || rest->data[0] > '9' ||
        !rh_text_take_int64(rest, ret_number))
        return false;
    return *ret_number <= most;
}

static bool take_v4(struct text *rest, unsigned char *bytes)
{
    for (int i = 0; i < 4; i++) {
        int64_t number;
        if ((i > 0 && !rh_text_take_char(rest, '.')) || !take_number(rest, 255, &number))
            return false;
        bytes[i] = (unsigned char)number;
    }
    return true;
}

static bool take_word(struct text *rest, unsigned *ret_word)
{
    unsigned word = 0;
    size_t i = 0;
    for (; i < rest->len && i < 4; i++) {
        const char c = rest->data[i];
        if (c >= '0' && c <= '9')
            word = word << 4 | (unsigned)(c - '0');
        else if (c >= 'a' && c <= 'f')
            word = word << 4 | (unsigned)(c - 'a' + 10);
        else
            break;
    }
    rest->data += i;
    rest->len -= i;
    *ret_word = word;
    return i > 0;
}

static bool take_v6(struct text *rest, unsigned char *bytes)
{
    unsigned char before[16] = {0}, after[16] = {0};
    size_t before_count = 0, after_count = 0;
    bool has_gap = false;

    if (rest->len >= 2 && rest->data[0] == ':' && rest->data[1] == ':') {
        has_gap = true;
        rest->data += 2;
        rest->len -= 2;
    }
    while (rest->len > 0 && rest->data[0] != '/') {
        unsigned char *side = has_gap ? after : before;
        size_t *count = has_gap ? &after_count : &before_count;
        struct text at = *rest;
        unsigned word;
        if (before_count + after_count <= 12 && take_v4(&at, side + *count)) {
            *count += 4;
            *rest = at;
            break;
        }
        if (before_count + after_count > 14 || !take_word(rest, &word))
            return false;
        side[(*count)++] = (unsigned char)(word >> 8);
        side[(*count)++] = (unsigned char)word;
        if (rest->len == 0 || rest->data[0] == '/')
            break;
        if (!rh_text_take_char(rest, ':'))
            return false;
        if (!has_gap && rh_text_take_char(rest, ':'))
            has_gap = true;
        else if (rest->len == 0 || rest->data[0] == '/')
            return false;
    }
    if (has_gap ? before_count + after_count > 14 : before_count != 16)
        return false;
    memcpy(bytes, before, before_count);
    memset(bytes + before_count, 0, 16 - before_count);
    memcpy(bytes + 16 - after_count, after, after_count);
    return true;
}

/* What the server writes, and nothing else: it is read when it would be written the same. */
static bool read_address(struct text value, bool is_cidr, struct address *ret_address)
{
    struct address address = {.bits = memchr(value.data, ':', value.len) ? V6_BITS : V4_BITS};
    struct text rest = value;
    int64_t mask_length = address.bits;
    char again[ADDRESS_MAX_BYTES];

    if (value.len >= sizeof(again) ||
        !(address.bits == V4_BITS ? take_v4(&rest, address.bytes) : take_v6(&rest, address.bytes)))
        return false;
    if (rh_text_take_char(&rest, '/') && !take_number(&rest, address.bits, &mask_length))
        return false;
    address.mask_length = (int)mask_length;
    *ret_address = address;
    return rest.len == 0 && rh_text_equals(write_address(&address, is_cidr, again), value);
}

static bool reads_inet(const struct mask_map *map, struct text value)
{
    const struct inet_keys *keys = map->own;
    struct address ignored;
    return value.len > 0 && read_address(value, keys->is_cidr, &ignored);
}

/* ---- the map --------------------------------------------------------------------------------- */

static void permute(const struct inet_keys *keys, struct address *address)
{
    unsigned char blocks[V6_BITS][MASK_BLOCK_BYTES] = {0};
    const int count = keys->is_cidr ? address->mask_length : address->bits;

    /* The bits before, a one, zeros: no two lengths give one block. */
    for (int i = 0; i < count; i++) {
        memcpy(blocks[i], address->bytes, (size_t)i / 8);
        blocks[i][i / 8] = (unsigned char)((address->bytes[i / 8] | 0x80 >> i % 8) &
                                           ~(0x7f >> i % 8));
    }
    rh_mask_blocks(address->bits == V4_BITS ? keys->v4 : keys->v6, blocks[0], blocks[0],
                   (size_t)count);
    for (int i = 0; i < count; i++)
        address->bytes[i / 8] ^= (unsigned char)((blocks[i][0] & 0x80) >> i % 8);
}

static void apply_inet(struct mask_map *map, const struct text *values, size_t count,
                       struct arena *scratch, struct text *ret_masked)
{
    const struct inet_keys *keys = map->own;

    for (size_t i = 0; i < count; i++) {
        struct address address;
        RH_ASSERT(read_address(values[i], keys->is_cidr, &address));
        permute(keys, &address);
        ret_masked[i] = write_address(&address, keys->is_cidr,
                                      rh_arena_alloc(scratch, ADDRESS_MAX_BYTES));
    }
}

static enum err_code open_inet(struct mask_map *map, struct arena *arena, struct err *err)
{
    const char *type = map->options.type;
    const bool is_cidr = type && strcmp(type, "cidr") == 0;
    if (!rh_mask_type_is_text(type) && !is_cidr && strcmp(type, "inet") != 0)
        return rh_mask_refuse(map, "This rule is for inet, cidr and text.", err);
    struct inet_keys *keys = RH_NEW(arena, struct inet_keys);
    keys->v4 = rh_mask_cipher_new(map->options.key, map->options.domain, "inet 4");
    keys->v6 = rh_mask_cipher_new(map->options.key, map->options.domain, "inet 6");
    keys->is_cidr = is_cidr;
    map->own = keys;
    return RH_OK;
}

static void close_inet(struct mask_map *map)
{
    struct inet_keys *keys = map->own;
    if (!keys)
        return;
    rh_mask_cipher_free(keys->v4);
    rh_mask_cipher_free(keys->v6);
}

const struct mask_kind rh_mask_inet = {
    .open = open_inet, .close = close_inet, .reads = reads_inet, .apply = apply_inet};
