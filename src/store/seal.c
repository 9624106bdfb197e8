#include "store/seal.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <stdlib.h>
#include <zstd.h>

/*
 * tests/bench/workload_timer.c, 2,000,000 queries with random digests: level 3 packs 23.3 bytes a
 * query; level 1 packs 23.6 and writes a quarter faster, level 6 packs 22.8 and takes half as long
 * again.
 */
#define ZSTD_LEVEL 3
/* NIST SP 800-38D: a nonce of 96 bits, a tag of 128. */
#define NONCE_BYTES 12
#define TAG_BYTES 16
/* Ties the key to this use of it, and to this version of the format. */
#define PURPOSE "rehearse workload 1"

struct seal {
    bool has_key;
    uint8_t key[SEAL_KEY_BYTES], check[SEAL_CHECK_BYTES], file_id[SEAL_FILE_ID_BYTES];
    ZSTD_CCtx *compressor;
    ZSTD_DCtx *decompressor;
    EVP_CIPHER_CTX *cipher;
    struct buf packed; /* between the two steps */
};

static void derive(struct seal *seal, const uint8_t *key)
{
    uint8_t both[SEAL_KEY_BYTES + SEAL_CHECK_BYTES];
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
    EVP_KDF_CTX *context = EVP_KDF_CTX_new(kdf);
    const OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, (char *)"SHA256", 0),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *)key, SEAL_KEY_BYTES),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, seal->file_id, SEAL_FILE_ID_BYTES),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, (void *)PURPOSE,
                                          sizeof(PURPOSE) - 1),
        OSSL_PARAM_construct_end(),
    };
    if (!context || EVP_KDF_derive(context, both, sizeof(both), parameters) != 1)
        RH_PANIC("HKDF-SHA256 is not available in libcrypto");
    EVP_KDF_CTX_free(context);
    EVP_KDF_free(kdf);
    memcpy(seal->key, both, SEAL_KEY_BYTES);
    memcpy(seal->check, both + SEAL_KEY_BYTES, SEAL_CHECK_BYTES);
    OPENSSL_cleanse(both, sizeof(both));
}

struct seal *rh_seal_new(const uint8_t *key, const uint8_t file_id[static SEAL_FILE_ID_BYTES])
{
    struct seal *seal = calloc(1, sizeof(*seal));
    if (seal == NULL)
        RH_PANIC("out of memory (%zu bytes)", sizeof(*seal));
    memcpy(seal->file_id, file_id, SEAL_FILE_ID_BYTES);
    seal->compressor = ZSTD_createCCtx();
    seal->decompressor = ZSTD_createDCtx();
    if (seal->compressor == NULL || seal->decompressor == NULL)
        RH_PANIC("out of memory for zstd");
    ZSTD_CCtx_setParameter(seal->compressor, ZSTD_c_compressionLevel, ZSTD_LEVEL);
    ZSTD_CCtx_setParameter(seal->compressor, ZSTD_c_checksumFlag, 1);
    rh_buf_init(&seal->packed, SIZE_MAX / 2);
    seal->has_key = key != NULL;
    if (key != NULL) {
        derive(seal, key);
        seal->cipher = EVP_CIPHER_CTX_new();
        if (seal->cipher == NULL)
            RH_PANIC("out of memory for a cipher");
    }
    return seal;
}

void rh_seal_free(struct seal *seal)
{
    if (seal == NULL)
        return;
    ZSTD_freeCCtx(seal->compressor);
    ZSTD_freeDCtx(seal->decompressor);
    EVP_CIPHER_CTX_free(seal->cipher);
    rh_buf_deinit(&seal->packed);
    OPENSSL_cleanse(seal, sizeof(*seal));
    free(seal);
}

void rh_seal_check(const struct seal *seal, uint8_t ret_check[static SEAL_CHECK_BYTES])
{
    memcpy(ret_check, seal->check, SEAL_CHECK_BYTES);
}

/* Makes room for `size` bytes behind what is there. */
static char *reserve(struct buf *buf, size_t size)
{
    static const char zeros[4096];
    size_t at = buf->len;
    for (size_t left = size; left > 0;) {
        size_t step = left < sizeof(zeros) ? left : sizeof(zeros);
        rh_buf_add(buf, zeros, step);
        left -= step;
    }
    RH_ASSERT(!buf->failed);
    return buf->data == NULL ? NULL : buf->data + at;
}

static void put_number(uint8_t *bytes, uint64_t number)
{
    for (unsigned i = 0; i < 8; i++)
        bytes[i] = (uint8_t)(number >> (56 - 8 * i));
}

/* Begins with the batch's nonce and associated data. */
static bool begin(struct seal *seal, uint64_t number, bool encrypts)
{
    uint8_t nonce[NONCE_BYTES] = {0}, place[SEAL_FILE_ID_BYTES + 8];
    int length;
    put_number(nonce + NONCE_BYTES - 8, number);
    memcpy(place, seal->file_id, SEAL_FILE_ID_BYTES);
    put_number(place + SEAL_FILE_ID_BYTES, number);
    return EVP_CipherInit_ex2(seal->cipher, EVP_aes_256_gcm(), seal->key, nonce, encrypts, NULL) ==
               1 &&
           EVP_CipherUpdate(seal->cipher, NULL, &length, place, sizeof(place)) == 1;
}

void rh_seal_close(struct seal *seal, uint64_t number, struct text plain, struct buf *out)
{
    size_t bound = ZSTD_compressBound(plain.len);
    rh_buf_clear(&seal->packed);
    struct buf *packed = seal->has_key ? &seal->packed : out;
    size_t at = packed->len;
    char *room = reserve(packed, bound);
    size_t size = ZSTD_compress2(seal->compressor, room, bound, plain.data, plain.len);
    if (ZSTD_isError(size))
        RH_PANIC("zstd cannot compress: %s", ZSTD_getErrorName(size));
    packed->len = at + size;
    if (!seal->has_key)
        return;
    int length, rest;
    size_t start = out->len;
    uint8_t *sealed = (uint8_t *)reserve(out, size + TAG_BYTES);
    if (size > INT_MAX - TAG_BYTES || !begin(seal, number, true) ||
        EVP_CipherUpdate(seal->cipher, sealed, &length, (const uint8_t *)packed->data, (int)size) !=
            1 ||
        EVP_CipherFinal_ex(seal->cipher, sealed + length, &rest) != 1 ||
        EVP_CIPHER_CTX_ctrl(seal->cipher, EVP_CTRL_AEAD_GET_TAG, TAG_BYTES, sealed + size) != 1)
        RH_PANIC("AES-256-GCM is not available in libcrypto");
    RH_ASSERT(out->len == start + size + TAG_BYTES);
}

static bool decrypt(struct seal *seal, uint64_t number, struct text sealed)
{
    if (sealed.len < TAG_BYTES || sealed.len > INT_MAX)
        return false;
    size_t size = sealed.len - TAG_BYTES;
    int length, rest;
    rh_buf_clear(&seal->packed);
    uint8_t *plain = (uint8_t *)reserve(&seal->packed, size + 1);
    seal->packed.len = size;
    return begin(seal, number, false) &&
           EVP_CipherUpdate(seal->cipher, plain, &length, (const uint8_t *)sealed.data,
                            (int)size) == 1 &&
           EVP_CIPHER_CTX_ctrl(seal->cipher, EVP_CTRL_AEAD_SET_TAG, TAG_BYTES,
                               (void *)(sealed.data + size)) == 1 &&
           EVP_CipherFinal_ex(seal->cipher, plain + length, &rest) == 1;
}

bool rh_seal_open(struct seal *seal, uint64_t number, struct text sealed, size_t max_bytes,
                  struct buf *out)
{
    struct text packed = sealed;
    if (seal->has_key) {
        if (!decrypt(seal, number, sealed))
            return false;
        packed = rh_buf_text(&seal->packed);
    }
    unsigned long long size = ZSTD_getFrameContentSize(packed.data, packed.len);
    if (size == ZSTD_CONTENTSIZE_ERROR || size == ZSTD_CONTENTSIZE_UNKNOWN || size > max_bytes)
        return false;
    rh_buf_clear(out);
    char *room = reserve(out, (size_t)size + 1);
    size_t got = ZSTD_decompressDCtx(seal->decompressor, room, (size_t)size, packed.data,
                                     packed.len);
    out->len = (size_t)size;
    return !ZSTD_isError(got) && got == size;
}
