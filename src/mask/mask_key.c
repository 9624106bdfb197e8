#include "mask/mask_key.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/kdf.h>

/* Ties the subkeys to this use of a master key, and to this version of the maps: another one gives
   other pseudonyms. */
#define SALT "rehearse masking 1"

void rh_mask_key_derive(const struct mask_master_key *master, const char *domain,
                        const char *purpose, unsigned char *ret_key, size_t size)
{
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
    EVP_KDF_CTX *context = EVP_KDF_CTX_new(kdf);
    /* Of one length for every domain, so that no two pairs of domain and purpose are one text. */
    unsigned char domain_digest[32];
    if (EVP_Digest(domain, strlen(domain), domain_digest, NULL, EVP_sha256(), NULL) != 1)
        RH_PANIC("SHA-256 is not available in libcrypto");
    struct buf info;
    rh_buf_init(&info, sizeof(domain_digest) + 256);
    rh_buf_add(&info, domain_digest, sizeof(domain_digest));
    rh_buf_add_str(&info, purpose);
    RH_ASSERT(!info.failed);
    const OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, (char *)"SHA256", 0),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *)master->bytes,
                                          MASK_MASTER_KEY_BYTES),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, (void *)SALT, sizeof(SALT) - 1),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, info.data, info.len),
        OSSL_PARAM_construct_end(),
    };
    if (!context || EVP_KDF_derive(context, ret_key, size, parameters) != 1)
        RH_PANIC("HKDF-SHA256 is not available in libcrypto");
    rh_buf_deinit(&info);
    EVP_KDF_CTX_free(context);
    EVP_KDF_free(kdf);
}

void rh_mask_digest(const unsigned char key[static MASK_DIGEST_BYTES], struct text value,
                    unsigned char ret_digest[static MASK_DIGEST_BYTES])
{
    unsigned int len;
    if (!HMAC(EVP_sha256(), key, MASK_DIGEST_BYTES, (const unsigned char *)value.data, value.len,
              ret_digest, &len))
        RH_PANIC("HMAC-SHA256 is not available in libcrypto");
}
