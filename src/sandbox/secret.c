/*
 * Passwords as the server keeps them (RFC 5802, section 3; scram-common.c, scram_build_secret).
 * The 4096 rounds that a server makes of its own accord protect a password that a person chose; of
 * ours, 160 random bits, one round says as much, and a run connects a dozen times, at 2 to 4 ms of
 * computing each.
 */
#include "sandbox/sandbox_int.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#define KEY_BYTES 32
/* Of KEY_BYTES in base64, with the NUL. */
#define KEY_TEXT 45

static void keyed_digest(const unsigned char key[static KEY_BYTES], const char *label,
                         unsigned char out[static KEY_BYTES])
{
    unsigned int length = 0;

    if (!HMAC(EVP_sha256(), key, KEY_BYTES, (const unsigned char *)label, strlen(label), out,
              &length) ||
        length != KEY_BYTES)
        RH_PANIC("HMAC-SHA-256 is not available in libcrypto");
}

const char *rh_secret_verifier(struct arena *arena, const char *password, int rounds,
                               const unsigned char salt[static SECRET_SALT_BYTES])
{
    unsigned char salted[KEY_BYTES], client[KEY_BYTES], stored[KEY_BYTES], server[KEY_BYTES];
    char salt_text[KEY_TEXT], stored_text[KEY_TEXT], server_text[KEY_TEXT];

    if (PKCS5_PBKDF2_HMAC(password, (int)strlen(password), salt, SECRET_SALT_BYTES, rounds,
                          EVP_sha256(), KEY_BYTES, salted) != 1)
        RH_PANIC("PBKDF2 is not available in libcrypto");
    keyed_digest(salted, "Client Key", client);
    keyed_digest(salted, "Server Key", server);
    if (EVP_Digest(client, KEY_BYTES, stored, NULL, EVP_sha256(), NULL) != 1)
        RH_PANIC("SHA-256 is not available in libcrypto");
    EVP_EncodeBlock((unsigned char *)salt_text, salt, SECRET_SALT_BYTES);
    EVP_EncodeBlock((unsigned char *)stored_text, stored, KEY_BYTES);
    EVP_EncodeBlock((unsigned char *)server_text, server, KEY_BYTES);
    return rh_arena_printf(arena, "SCRAM-SHA-256$%d:%s$%s:%s", rounds, salt_text, stored_text,
                           server_text);
}
