/*
 * A keyed permutation of numbers of n bits: a Feistel network whose round function is AES. Ten
 * rounds, as FF1 (NIST SP 800-38G) has for the same reason: small halves.
 */
#include "mask/mask_int.h"

#define ROUNDS 10
#define LANES 64

static uint64_t mask_of(unsigned bits)
{
    return bits >= 64 ? UINT64_MAX : ((uint64_t)1 << bits) - 1;
}

static void permute_lanes(EVP_CIPHER_CTX *cipher, struct bit_pair *items, size_t count,
                          unsigned left_bits, unsigned right_bits, const unsigned char *tweak)
{
    unsigned char blocks[LANES * MASK_BLOCK_BYTES];

    for (unsigned round = 0; round < ROUNDS; round++) {
        const bool is_left = round % 2 == 0;
        for (size_t i = 0; i < count; i++) {
            unsigned char *block = blocks + i * MASK_BLOCK_BYTES;
            const uint64_t other = is_left ? items[i].right : items[i].left;
            for (unsigned b = 0; b < 8; b++)
                block[b] = (unsigned char)(other >> (8 * b));
            memset(block + 8, 0, 8);
            block[8] = (unsigned char)left_bits;
            block[9] = (unsigned char)right_bits;
            block[10] = (unsigned char)(round + 1);
            for (unsigned b = 0; tweak && b < MASK_BLOCK_BYTES; b++)
                block[b] ^= tweak[b];
        }
        rh_mask_blocks(cipher, blocks, blocks, count);
        for (size_t i = 0; i < count; i++) {
            uint64_t drawn = 0;
            for (unsigned b = 0; b < 8; b++)
                drawn = drawn << 8 | blocks[i * MASK_BLOCK_BYTES + b];
            if (is_left)
                items[i].left ^= drawn & mask_of(left_bits);
            else
                items[i].right ^= drawn & mask_of(right_bits);
        }
    }
}

void rh_mask_permute(EVP_CIPHER_CTX *cipher, struct bit_pair *items, size_t count,
                     unsigned left_bits, unsigned right_bits,
                     const unsigned char tweak[MASK_BLOCK_BYTES])
{
    for (size_t done = 0; done < count; done += LANES)
        permute_lanes(cipher, items + done, count - done < LANES ? count - done : LANES, left_bits,
                      right_bits, tweak);
}
