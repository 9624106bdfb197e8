#include "snapshot/large_object.h"

#include "net/pg_codec.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#define NOISE_LABEL "rehearse large object"
#define BLOCK_BYTES 16u

bool rh_large_object_call(struct text body, uint32_t *ret_function, uint32_t *ret_argument)
{
    struct pg_reader reader = {.rest = body};
    uint32_t function = rh_pg_read_u32(&reader);
    unsigned format_count = rh_pg_read_u16(&reader);

    for (unsigned i = 0; i < format_count && !reader.failed; i++)
        if (rh_pg_read_u16(&reader) != 1) /* binary */
            return false;
    if (format_count != 1 || rh_pg_read_u16(&reader) < 1 || rh_pg_read_u32(&reader) != 4)
        return false;
    *ret_argument = rh_pg_read_u32(&reader);
    *ret_function = function;
    return !reader.failed;
}

/* The counter of a block: the object's number and the block's, so that no two are the same. */
static void block_counter(uint32_t object, uint64_t block, unsigned char out[static BLOCK_BYTES])
{
    memset(out, 0, BLOCK_BYTES);
    for (int i = 0; i < 4; i++)
        out[i] = (unsigned char)(object >> (24 - 8 * i));
    for (int i = 0; i < 8; i++)
        out[8 + i] = (unsigned char)(block >> (56 - 8 * i));
}

/* AES-256 in counter mode over zeros. */
static bool encrypt_zeros(const unsigned char *key, const unsigned char *counter, size_t skip,
                          char *out, size_t length)
{
    EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
    unsigned char zeros[4096] = {0}, skipped[BLOCK_BYTES];
    int done = 0;
    bool ok = cipher && EVP_EncryptInit_ex(cipher, EVP_aes_256_ctr(), NULL, key, counter) &&
              EVP_EncryptUpdate(cipher, skipped, &done, zeros, (int)skip);

    for (size_t at = 0; ok && at < length; at += (size_t)done) {
        size_t part = length - at < sizeof(zeros) ? length - at : sizeof(zeros);

        ok = EVP_EncryptUpdate(cipher, (unsigned char *)out + at, &done, zeros, (int)part);
    }
    EVP_CIPHER_CTX_free(cipher);
    return ok;
}

void rh_large_object_noise(const struct mask_master_key *key, uint32_t object, uint64_t offset,
                           char *out, size_t length)
{
    unsigned char own_key[32], counter[BLOCK_BYTES];
    unsigned own_key_length = 0;

    block_counter(object, offset / BLOCK_BYTES, counter);
    if (!HMAC(EVP_sha256(), key->bytes, MASK_MASTER_KEY_BYTES, (const unsigned char *)NOISE_LABEL,
              strlen(NOISE_LABEL), own_key, &own_key_length) ||
        !encrypt_zeros(own_key, counter, offset % BLOCK_BYTES, out, length))
        RH_PANIC("OpenSSL cannot make noise");
    OPENSSL_cleanse(own_key, sizeof(own_key));
}
