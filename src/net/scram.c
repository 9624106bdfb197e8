#include "net/scram.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

/* PostgreSQL's default is 4096; a hostile server must not keep us busy for minutes. */
#define ITERATIONS_MAX 10000000
/* Decoded; PostgreSQL sends 16 bytes. */
#define SALT_MAX 256

enum err_code rh_scram_init(struct scram *scram, struct text password, enum scram_binding binding,
                            struct text binding_data,
                            const uint8_t raw_nonce[static SCRAM_NONCE_BYTES], struct err *err)
{
    if (password.len > sizeof(scram->password))
        return rh_err_set(err, RH_ERR_LIMIT, "the password is longer than %zu bytes",
                          sizeof(scram->password));
    *scram = (struct scram){.binding = binding, .binding_data = binding_data};
    memcpy(scram->password, password.data, password.len);
    scram->password_length = password.len;
    EVP_EncodeBlock((unsigned char *)scram->nonce, raw_nonce, SCRAM_NONCE_BYTES);
    rh_buf_init(&scram->first_bare, SCRAM_MESSAGE_MAX);
    rh_buf_init(&scram->server_first, SCRAM_MESSAGE_MAX);
    rh_buf_init(&scram->final_bare, SCRAM_MESSAGE_MAX);
    return RH_OK;
}

void rh_scram_deinit(struct scram *scram)
{
    OPENSSL_cleanse(scram->password, sizeof(scram->password));
    OPENSSL_cleanse(scram->salted, sizeof(scram->salted));
    rh_buf_deinit(&scram->first_bare);
    rh_buf_deinit(&scram->server_first);
    rh_buf_deinit(&scram->final_bare);
}

static const char *gs2_header(const struct scram *scram)
{
    switch (scram->binding) {
    case SCRAM_UNBOUND:
        return "n,,";
    case SCRAM_COULD:
        return "y,,";
    case SCRAM_END_POINT:
        break;
    }
    return "p=tls-server-end-point,,";
}

void rh_scram_first(struct scram *scram, const char *user, struct buf *out)
{
    rh_buf_printf(&scram->first_bare, "n=%s,r=%s", user, scram->nonce);
    rh_buf_add_str(out, gs2_header(scram));
    rh_buf_add_text(out, rh_buf_text(&scram->first_bare));
    scram->step = 1;
}

static enum err_code broken(const char *what, struct err *err)
{
    return rh_err_set(err, RH_ERR_PROTOCOL, "the server's SCRAM message %s", what);
}

/* Takes "x=value" and the comma behind it off *rest. */
static bool take_attribute(struct text *rest, char name, struct text *ret_value)
{
    if (rest->len < 2 || rest->data[0] != name || rest->data[1] != '=')
        return false;
    const char *comma = memchr(rest->data, ',', rest->len);
    size_t length = comma ? (size_t)(comma - rest->data) : rest->len;
    *ret_value = (struct text){rest->data + 2, length - 2};
    rest->data += length + (comma != NULL);
    rest->len -= length + (comma != NULL);
    return true;
}

/* -1: it is no base64, or longer than `max`. */
static int decode_base64(struct text text, uint8_t *out, size_t max)
{
    unsigned char decoded[SCRAM_MESSAGE_MAX];
    if (text.len == 0 || text.len % 4 || text.len > sizeof(decoded))
        return -1;
    int length = EVP_DecodeBlock(decoded, (const unsigned char *)text.data, (int)text.len);
    for (size_t i = text.len; i > text.len - 2 && text.data[i - 1] == '='; i--)
        length--;
    if (length < 0 || (size_t)length > max)
        return -1;
    memcpy(out, decoded, (size_t)length);
    return length;
}

static void add_base64(struct buf *out, const void *data, size_t length)
{
    for (size_t at = 0; at < length; at += 48) { /* a multiple of three: no padding in between */
        unsigned char encoded[65];
        size_t piece = length - at < 48 ? length - at : 48;
        int written = EVP_EncodeBlock(encoded, (const unsigned char *)data + at, (int)piece);
        rh_buf_add(out, encoded, (size_t)written);
    }
}

static void hmac(const uint8_t key[static SCRAM_HASH_BYTES], struct text message,
                 uint8_t out[static SCRAM_HASH_BYTES])
{
    unsigned length = 0;
    if (!HMAC(EVP_sha256(), key, SCRAM_HASH_BYTES, (const unsigned char *)message.data, message.len,
              out, &length))
        RH_PANIC("OpenSSL cannot compute HMAC-SHA-256");
}

/* AuthMessage := client-first-message-bare "," server-first-message ","
   client-final-message-without-proof */
static void auth_message(const struct scram *scram, struct buf *out)
{
    rh_buf_add_text(out, rh_buf_text(&scram->first_bare));
    rh_buf_add_char(out, ',');
    rh_buf_add_text(out, rh_buf_text(&scram->server_first));
    rh_buf_add_char(out, ',');
    rh_buf_add_text(out, rh_buf_text(&scram->final_bare));
}

static void add_proof(struct scram *scram, struct buf *out)
{
    uint8_t client_key[SCRAM_HASH_BYTES], stored_key[SCRAM_HASH_BYTES], proof[SCRAM_HASH_BYTES];
    RH_CLEANUP_BUF struct buf message;
    rh_buf_init(&message, 3 * SCRAM_MESSAGE_MAX + 2);
    auth_message(scram, &message);
    hmac(scram->salted, TEXT_LITERAL("Client Key"), client_key);
    if (!EVP_Digest(client_key, sizeof(client_key), stored_key, NULL, EVP_sha256(), NULL))
        RH_PANIC("OpenSSL cannot compute SHA-256");
    hmac(stored_key, rh_buf_text(&message), proof);
    for (size_t i = 0; i < sizeof(proof); i++)
        proof[i] ^= client_key[i];
    rh_buf_add_str(out, ",p=");
    add_base64(out, proof, sizeof(proof));
    OPENSSL_cleanse(client_key, sizeof(client_key));
}

static void begin_final(struct scram *scram, struct text nonce)
{
    RH_CLEANUP_BUF struct buf binding;
    rh_buf_init(&binding, SCRAM_MESSAGE_MAX);
    rh_buf_add_str(&binding, gs2_header(scram));
    if (scram->binding == SCRAM_END_POINT)
        rh_buf_add_text(&binding, scram->binding_data);
    rh_buf_add_str(&scram->final_bare, "c=");
    add_base64(&scram->final_bare, binding.data, binding.len);
    rh_buf_add_str(&scram->final_bare, ",r=");
    rh_buf_add_text(&scram->final_bare, nonce);
}

enum err_code rh_scram_challenge(struct scram *scram, struct text server_first, struct buf *out,
                                 struct err *err)
{
    struct text rest = server_first, nonce, salt_text, iterations_text;
    uint8_t salt[SALT_MAX];
    int64_t iterations = 0;
    if (scram->step != 1 || server_first.len > SCRAM_MESSAGE_MAX / 2)
        return broken("comes out of turn", err);
    if (!take_attribute(&rest, 'r', &nonce) || !take_attribute(&rest, 's', &salt_text) ||
        !take_attribute(&rest, 'i', &iterations_text))
        return broken("lacks its nonce, salt or iterations", err);
    if (nonce.len <= strlen(scram->nonce) || !rh_text_starts_with(nonce, scram->nonce))
        return broken("does not repeat our nonce", err);
    int salt_length = decode_base64(salt_text, salt, sizeof(salt));
    if (salt_length < 0)
        return broken("has no proper salt", err);
    if (!rh_text_parse_int64(iterations_text, &iterations) || iterations < 1 ||
        iterations > ITERATIONS_MAX)
        return broken("has no proper number of iterations", err);
    rh_buf_add_text(&scram->server_first, server_first);
    if (!PKCS5_PBKDF2_HMAC(scram->password, (int)scram->password_length, salt, salt_length,
                           (int)iterations, EVP_sha256(), SCRAM_HASH_BYTES, scram->salted))
        RH_PANIC("OpenSSL cannot compute PBKDF2");
    begin_final(scram, nonce);
    rh_buf_add_text(out, rh_buf_text(&scram->final_bare));
    add_proof(scram, out);
    if (scram->first_bare.failed || scram->final_bare.failed || out->failed)
        return broken("is too long", err);
    scram->step = 2;
    return RH_OK;
}

enum err_code rh_scram_verify(struct scram *scram, struct text server_final, struct err *err)
{
    struct text rest = server_final, verifier;
    uint8_t server_key[SCRAM_HASH_BYTES], expected[SCRAM_HASH_BYTES], said[SCRAM_HASH_BYTES];
    RH_CLEANUP_BUF struct buf message;
    if (scram->step != 2)
        return broken("comes out of turn", err);
    if (!take_attribute(&rest, 'v', &verifier) ||
        decode_base64(verifier, said, sizeof(said)) != SCRAM_HASH_BYTES)
        return broken("lacks its signature", err);
    rh_buf_init(&message, 3 * SCRAM_MESSAGE_MAX + 2);
    auth_message(scram, &message);
    hmac(scram->salted, TEXT_LITERAL("Server Key"), server_key);
    hmac(server_key, rh_buf_text(&message), expected);
    OPENSSL_cleanse(server_key, sizeof(server_key));
    if (CRYPTO_memcmp(expected, said, sizeof(said)) != 0) {
        rh_err_set(err, RH_ERR_PROTOCOL, "the server does not know the password's verifier");
        rh_err_hint(err, "Somebody else may answer in its place.");
        return RH_ERR_PROTOCOL;
    }
    scram->step = 3;
    return RH_OK;
}
