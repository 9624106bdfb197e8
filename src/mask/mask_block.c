/* AES-128 over many blocks at once: the pseudo-random function of every map. */
#include "mask/mask_int.h"

#include <limits.h>
#include <openssl/crypto.h>

EVP_CIPHER_CTX *rh_mask_cipher_new(const struct mask_master_key *master, const char *domain,
                                   const char *purpose)
{
    unsigned char key[MASK_KEY_BYTES];
    EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();

    rh_mask_key_derive(master, domain, purpose, key, sizeof(key));
    if (!cipher || EVP_EncryptInit_ex(cipher, EVP_aes_128_ecb(), NULL, key, NULL) != 1 ||
        EVP_CIPHER_CTX_set_padding(cipher, 0) != 1)
        RH_PANIC("AES-128 is not available in libcrypto");
    OPENSSL_cleanse(key, sizeof(key));
    return cipher;
}

void rh_mask_cipher_free(EVP_CIPHER_CTX *cipher)
{
    EVP_CIPHER_CTX_free(cipher); /* wipes the key schedule */
}

void rh_mask_blocks(EVP_CIPHER_CTX *cipher, const unsigned char *in, unsigned char *out,
                    size_t count)
{
    int len;

    RH_ASSERT(count <= INT_MAX / MASK_BLOCK_BYTES);
    if (EVP_EncryptUpdate(cipher, out, &len, in, (int)count * MASK_BLOCK_BYTES) != 1)
        RH_PANIC("AES-128 failed in libcrypto");
}
