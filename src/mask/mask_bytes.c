/*
 * bytea in its hexadecimal form, and bit strings. Blocks of 16 bytes go through AES twice, each
 * depending on all before it (an online cipher, HCBC: Bellare and others, Crypto 2001), so a value
 * of any size streams; the last, shorter one goes through a permutation of its own size. Bits move
 * one by one, as characters of text do.
 */
#include "mask/mask_int.h"

#include <openssl/crypto.h>

#define BLOCK_DIGITS (2 * MASK_BLOCK_BYTES)

struct bytes_keys {
    EVP_CIPHER_CTX *chain, *block, *tail;
};

/* Half-bytes of the block at hand, and the last block that went out. */
struct bytes_state {
    unsigned char digits[BLOCK_DIGITS];
    unsigned char last[MASK_BLOCK_BYTES];
    size_t count, prefix;
    struct text_state text; /* of what turned out not to be hexadecimal */
    bool is_text;
};

static const char prefix[] = "\\x";
#define PREFIX_BYTES (sizeof(prefix) - 1)

/* As it is written there: no capitals. */
static int hex_value(char c)
{
    return c >= 'A' && c <= 'F' ? -1 : rh_hex_value(c);
}

static void put_block(const struct bytes_keys *keys, struct bytes_state *state, char *out)
{
    unsigned char chained[MASK_BLOCK_BYTES];

    rh_mask_blocks(keys->chain, state->last, chained, 1);
    for (size_t i = 0; i < MASK_BLOCK_BYTES; i++)
        chained[i] ^= (unsigned char)(state->digits[2 * i] << 4 | state->digits[2 * i + 1]);
    rh_mask_blocks(keys->block, chained, state->last, 1);
    for (size_t i = 0; i < MASK_BLOCK_BYTES; i++) {
        out[2 * i] = "0123456789abcdef"[state->last[i] >> 4];
        out[2 * i + 1] = "0123456789abcdef"[state->last[i] & 0xf];
    }
    state->count = 0;
}

/* Fewer than 16 bytes; nothing for none. */
static void put_tail(const struct bytes_keys *keys, struct bytes_state *state, char *out)
{
    unsigned char chained[MASK_BLOCK_BYTES];
    const size_t half = state->count / 2;
    struct bit_pair bits = {0};

    if (state->count == 0)
        return;
    rh_mask_blocks(keys->chain, state->last, chained, 1);
    /* A half byte too many: the server writes none such. */
    if (state->count % 2 != 0)
        out[state->count - 1] =
            "0123456789abcdef"[state->digits[state->count - 1] ^ (chained[0] & 0xf)];
    if (half == 0)
        return;
    for (size_t i = 0; i < half; i++) {
        bits.left = bits.left << 4 | state->digits[i];
        bits.right = bits.right << 4 | state->digits[half + i];
    }
    rh_mask_permute(keys->tail, &bits, 1, (unsigned)half * 4, (unsigned)half * 4, chained);
    for (size_t i = half; i-- > 0; bits.left >>= 4, bits.right >>= 4) {
        out[i] = "0123456789abcdef"[bits.left & 0xf];
        out[half + i] = "0123456789abcdef"[bits.right & 0xf];
    }
}

static bool is_bit_type(const struct mask_map *map)
{
    return strcmp(map->options.type, "bit") == 0 || strcmp(map->options.type, "varbit") == 0;
}

static bool reads_bytes(const struct mask_map *map, struct text value)
{
    if (is_bit_type(map))
        return true;
    if (value.len < PREFIX_BYTES || value.len % 2 != 0 ||
        memcmp(value.data, prefix, PREFIX_BYTES) != 0)
        return false;
    for (size_t i = PREFIX_BYTES; i < value.len; i++)
        if (hex_value(value.data[i]) < 0)
            return false;
    return true;
}

static void set_bit_modes(struct text value, unsigned char *modes)
{
    memset(modes, TEXT_BINARY, value.len);
}

static void apply_bytes(struct mask_map *map, const struct text *values, size_t count,
                        struct arena *scratch, struct text *ret_masked)
{
    if (is_bit_type(map)) {
        rh_mask_with_modes(map, values, count, set_bit_modes, scratch, ret_masked);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        struct bytes_state state = {.count = 0};
        char *out = rh_arena_alloc(scratch, values[i].len);
        memcpy(out, prefix, PREFIX_BYTES);
        size_t done = PREFIX_BYTES;
        for (size_t j = PREFIX_BYTES; j < values[i].len; j++) {
            state.digits[state.count++] = (unsigned char)hex_value(values[i].data[j]);
            if (state.count < BLOCK_DIGITS)
                continue;
            put_block(map->own, &state, out + done);
            done += BLOCK_DIGITS;
        }
        put_tail(map->own, &state, out + done);
        ret_masked[i] = (struct text){out, values[i].len};
    }
}

static void begin_stream(struct mask_map *map, void *own)
{
    struct bytes_state *state = own;
    state->is_text = is_bit_type(map);
    rh_text_state_begin(map->core, &state->text);
}

/* What is not hexadecimal after all goes on as text: the server writes nothing such. */
static void feed_stream(struct mask_map *map, void *own, struct text part, struct buf *out)
{
    struct bytes_state *state = own;
    char block[BLOCK_DIGITS];

    for (size_t i = 0; i < part.len && !state->is_text; i++) {
        const char c = part.data[i];
        if (state->prefix < PREFIX_BYTES && c == prefix[state->prefix]) {
            state->prefix++;
            rh_buf_add_char(out, c);
        } else if (state->prefix == PREFIX_BYTES && hex_value(c) >= 0) {
            state->digits[state->count++] = (unsigned char)hex_value(c);
            if (state->count == BLOCK_DIGITS) {
                put_block(map->own, state, block);
                rh_buf_add(out, block, sizeof(block));
            }
        } else {
            put_tail(map->own, state, block);
            rh_buf_add(out, block, state->count);
            state->is_text = true;
            part = (struct text){part.data + i, part.len - i};
        }
    }
    if (state->is_text)
        rh_text_state_feed_in(map->core, &state->text, is_bit_type(map) ? TEXT_BINARY : TEXT_SHIFT,
                              part, out);
}

static void finish_stream(struct mask_map *map, void *own, struct buf *out)
{
    struct bytes_state *state = own;
    char block[BLOCK_DIGITS];

    if (state->is_text) {
        rh_text_state_finish(map->core, &state->text, out);
        return;
    }
    put_tail(map->own, state, block);
    rh_buf_add(out, block, state->count);
}

static enum err_code open_bytes(struct mask_map *map, struct arena *arena, struct err *err)
{
    if (!map->options.type || (strcmp(map->options.type, "bytea") != 0 && !is_bit_type(map)))
        return rh_mask_refuse(map,
                              "This rule is for bytea, bit and bit varying; text takes "
                              "\"text\".",
                              err);
    struct bytes_keys *keys = RH_NEW(arena, struct bytes_keys);
    const char *domain = map->options.domain;
    keys->chain = rh_mask_cipher_new(map->options.key, domain, "bytes chain");
    keys->block = rh_mask_cipher_new(map->options.key, domain, "bytes block");
    keys->tail = rh_mask_cipher_new(map->options.key, domain, "bytes tail");
    map->own = keys;
    return RH_OK;
}

static void close_bytes(struct mask_map *map)
{
    struct bytes_keys *keys = map->own;
    if (!keys)
        return;
    rh_mask_cipher_free(keys->chain);
    rh_mask_cipher_free(keys->block);
    rh_mask_cipher_free(keys->tail);
}

const struct mask_kind rh_mask_bytes = {
    .open = open_bytes,
    .close = close_bytes,
    .reads = reads_bytes,
    .apply = apply_bytes,
    .stream_bytes = sizeof(struct bytes_state),
    .stream_begin = begin_stream,
    .stream_feed = feed_stream,
    .stream_finish = finish_stream,
};
