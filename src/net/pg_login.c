#include "net/pg_login.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdio.h>

/* Codes of AuthenticationRequest ("Message Formats"). */
enum {
    AUTH_OK = 0,
    AUTH_KERBEROS_V5 = 2,
    AUTH_CLEARTEXT = 3,
    AUTH_MD5 = 5,
    AUTH_GSS = 7,
    AUTH_GSS_CONTINUE = 8,
    AUTH_SSPI = 9,
    AUTH_SASL = 10,
    AUTH_SASL_CONTINUE = 11,
    AUTH_SASL_FINAL = 12
};

#define MECHANISM "SCRAM-SHA-256"
#define MECHANISM_PLUS "SCRAM-SHA-256-PLUS"

/* --- the start-up packet ---------------------------------------------------------------------- */

static void add_pair(struct buf *out, const char *name, const char *value)
{
    rh_buf_add(out, name, strlen(name) + 1);
    rh_buf_add(out, value, strlen(value) + 1);
}

enum err_code rh_pg_login_startup(const struct pg_login_options *options, struct buf *out,
                                  struct err *err)
{
    RH_CLEANUP_BUF struct buf body;
    rh_buf_init(&body, PG_STARTUP_PACKET_MAX);
    const unsigned char version[] = {PG_PROTOCOL_3_0 >> 24, PG_PROTOCOL_3_0 >> 16 & 0xff,
                                     PG_PROTOCOL_3_0 >> 8 & 0xff, PG_PROTOCOL_3_0 & 0xff};
    rh_buf_add(&body, version, sizeof(version));
    add_pair(&body, "user", options->user);
    if (options->database)
        add_pair(&body, "database", options->database);
    for (size_t i = 0; i < options->setting_count; i++)
        add_pair(&body, options->settings[i].name, options->settings[i].value);
    rh_buf_add_char(&body, '\0');
    if (body.failed)
        return rh_err_set(err, RH_ERR_LIMIT,
                          "the settings of a session's start are longer than %u bytes",
                          PG_STARTUP_PACKET_MAX);
    rh_pg_encode_message(out, 0, rh_buf_text(&body));
    return RH_OK;
}

/* --- what the server says --------------------------------------------------------------------- */

struct pg_type_set rh_pg_login_types(void)
{
    struct pg_type_set types = {{0}};
    rh_pg_type_set_add(&types, 'R');
    rh_pg_type_set_add(&types, 'E');
    rh_pg_type_set_add(&types, 'K');
    rh_pg_type_set_add(&types, 'Z');
    rh_pg_type_set_add(&types, 'v');
    return types;
}

void rh_pg_login_init(struct pg_login *login, const struct pg_login_options *options,
                      bool is_encrypted, struct text channel)
{
    *login = (struct pg_login){
        .options = options, .is_encrypted = is_encrypted, .channel = channel};
}

void rh_pg_login_deinit(struct pg_login *login)
{
    if (login->has_scram)
        rh_scram_deinit(&login->scram);
    login->has_scram = false;
}

struct said {
    const char *sqlstate, *message;
};

static void on_field(void *context, char code, const char *value)
{
    struct said *said = context;
    if (code == 'C')
        said->sqlstate = value;
    else if (code == 'M')
        said->message = value;
}

/* PostgreSQL manual, "PostgreSQL Error Codes". */
static const struct {
    const char *sqlstate, *hint;
} hints[] = {
    {"28P01", "The password is wrong, or the role has none: give it in the URL or in ~/.pgpass."},
    {"28000", "pg_hba.conf does not let this role in from here, or the role does not exist."},
    {"3D000", "Name a database that exists on that server."},
    {"53300", "Raise max_connections there, or use fewer sessions at once."},
    {"57P03", "It is starting up or shutting down: try again in a moment."},
    {"57P01", "Somebody ended the session or shut the server down."},
};

void rh_pg_login_server_error(struct text body, struct err *err)
{
    struct said said = {.sqlstate = "", .message = "it gave no reason"};
    (void)rh_pg_decode_fields(body, on_field, &said);
    rh_err_set(err, RH_ERR_SERVER, "%s", said.message);
    snprintf(err->sqlstate, sizeof(err->sqlstate), "%s", said.sqlstate);
    for (size_t i = 0; i < sizeof(hints) / sizeof(*hints); i++)
        if (strcmp(hints[i].sqlstate, said.sqlstate) == 0)
            rh_err_hint(err, "%s", hints[i].hint);
}

static enum pg_login_step fail(struct err *err, enum err_code code, const char *what,
                               const char *hint)
{
    rh_err_set(err, code, "%s", what);
    if (hint)
        rh_err_hint(err, "%s", hint);
    return PG_LOGIN_FAILED;
}

static enum pg_login_step fail_malformed(struct err *err)
{
    return fail(err, RH_ERR_PROTOCOL, "the server sent a malformed message at a session's start",
                NULL);
}

/* False: it is asked for and there is none. */
static bool need_password(struct pg_login *login, struct err *err)
{
    login->has_password = login->options->password != NULL;
    if (!login->has_password) {
        rh_err_set(err, RH_ERR_CONNECTION, "the server asks for the password of role \"%s\"",
                   login->options->user);
        rh_err_hint(err, "Give it in the URL or in ~/.pgpass.");
    }
    return login->has_password;
}

static enum pg_login_step answer_cleartext(struct pg_login *login, struct buf *out, struct err *err)
{
    if (!need_password(login, err))
        return PG_LOGIN_FAILED;
    const char *password = login->options->password;
    rh_pg_encode_message(out, 'p', (struct text){password, strlen(password) + 1});
    return PG_LOGIN_MORE;
}

static bool md5_hex(struct text a, struct text b, char out[static 33])
{
    uint8_t digest[16];
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool done = context && EVP_DigestInit_ex(context, EVP_md5(), NULL) == 1 &&
                EVP_DigestUpdate(context, a.data, a.len) == 1 &&
                EVP_DigestUpdate(context, b.data, b.len) == 1 &&
                EVP_DigestFinal_ex(context, digest, NULL) == 1;
    EVP_MD_CTX_free(context);
    for (size_t i = 0; done && i < sizeof(digest); i++)
        snprintf(out + 2 * i, 3, "%02x", digest[i]);
    return done;
}

/* "md5" || md5(md5(password || user) || salt) */
static enum pg_login_step answer_md5(struct pg_login *login, struct pg_reader *reader,
                                     struct buf *out, struct err *err)
{
    struct text salt = rh_pg_read_bytes(reader, 4);
    char inner[33], outer[33], answer[40];
    if (reader->failed)
        return fail_malformed(err);
    if (!need_password(login, err))
        return PG_LOGIN_FAILED;
    if (!md5_hex(rh_text(login->options->password), rh_text(login->options->user), inner) ||
        !md5_hex((struct text){inner, 32}, salt, outer))
        return fail(err, RH_ERR_ENVIRONMENT,
                    "the server asks for an MD5 password, which this OpenSSL does not compute",
                    "Use scram-sha-256 in pg_hba.conf.");
    snprintf(answer, sizeof(answer), "md5%s", outer);
    rh_pg_encode_message(out, 'p', (struct text){answer, strlen(answer) + 1});
    OPENSSL_cleanse(inner, sizeof(inner));
    return PG_LOGIN_MORE;
}

static enum pg_login_step answer_sasl(struct pg_login *login, struct pg_reader *reader,
                                      struct buf *out, struct err *err)
{
    bool offers_plain = false, offers_plus = false;
    for (;;) {
        const char *name = rh_pg_read_string(reader);
        if (reader->failed)
            return fail_malformed(err);
        if (!name[0])
            break;
        offers_plain = offers_plain || strcmp(name, MECHANISM) == 0;
        offers_plus = offers_plus || strcmp(name, MECHANISM_PLUS) == 0;
    }
    bool can_bind = login->channel.len > 0;
    if (offers_plus && !login->is_encrypted)
        return fail(err, RH_ERR_PROTOCOL,
                    "the server offers SCRAM-SHA-256-PLUS over a connection without TLS; somebody "
                    "may be in the middle",
                    NULL);
    bool with_plus = offers_plus && can_bind;
    if (!with_plus && !offers_plain)
        return fail(err, RH_ERR_CONNECTION,
                    "the server offers no SASL mechanism that is known here",
                    "Use scram-sha-256 in pg_hba.conf.");
    if (!need_password(login, err))
        return PG_LOGIN_FAILED;
    uint8_t nonce[SCRAM_NONCE_BYTES];
    if (RAND_bytes(nonce, sizeof(nonce)) != 1)
        return fail(err, RH_ERR_ENVIRONMENT, "OpenSSL has no random bytes", NULL);
    rh_pg_login_deinit(login);
    enum scram_binding binding = with_plus  ? SCRAM_END_POINT
                                 : can_bind ? SCRAM_COULD
                                            : SCRAM_UNBOUND;
    if (rh_scram_init(&login->scram, rh_text(login->options->password), binding, login->channel,
                      nonce, err))
        return PG_LOGIN_FAILED;
    login->has_scram = true;
    RH_CLEANUP_BUF struct buf first, body;
    rh_buf_init(&first, SCRAM_MESSAGE_MAX);
    rh_buf_init(&body, 2 * SCRAM_MESSAGE_MAX);
    rh_scram_first(&login->scram, "", &first);
    const char *mechanism = with_plus ? MECHANISM_PLUS : MECHANISM;
    rh_buf_add(&body, mechanism, strlen(mechanism) + 1);
    const unsigned char length[] = {0, 0, (unsigned char)(first.len >> 8),
                                    (unsigned char)first.len};
    rh_buf_add(&body, length, sizeof(length));
    rh_buf_add_text(&body, rh_buf_text(&first));
    rh_pg_encode_message(out, 'p', rh_buf_text(&body));
    return PG_LOGIN_MORE;
}

static enum pg_login_step go_on_sasl(struct pg_login *login, struct text challenge, bool is_final,
                                     struct buf *out, struct err *err)
{
    if (!login->has_scram)
        return fail_malformed(err);
    if (is_final)
        return rh_scram_verify(&login->scram, challenge, err) ? PG_LOGIN_FAILED : PG_LOGIN_MORE;
    RH_CLEANUP_BUF struct buf answer;
    rh_buf_init(&answer, SCRAM_MESSAGE_MAX);
    if (rh_scram_challenge(&login->scram, challenge, &answer, err))
        return PG_LOGIN_FAILED;
    rh_pg_encode_message(out, 'p', rh_buf_text(&answer));
    return PG_LOGIN_MORE;
}

static enum pg_login_step take_authentication(struct pg_login *login, struct text body,
                                              struct buf *out, struct err *err)
{
    struct pg_reader reader = {.rest = body};
    uint32_t code = rh_pg_read_u32(&reader);
    if (reader.failed || login->is_trusted)
        return fail_malformed(err);
    switch (code) {
    case AUTH_OK:
        /* A server that skips its own proof is not known to be the right one (RFC 5802, 5). */
        if (login->has_scram && login->scram.step != 3)
            return fail(err, RH_ERR_PROTOCOL,
                        "the server did not prove that it knows the password's verifier", NULL);
        login->is_trusted = true;
        return PG_LOGIN_MORE;
    case AUTH_CLEARTEXT:
        return answer_cleartext(login, out, err);
    case AUTH_MD5:
        return answer_md5(login, &reader, out, err);
    case AUTH_SASL:
        return answer_sasl(login, &reader, out, err);
    case AUTH_SASL_CONTINUE:
    case AUTH_SASL_FINAL:
        return go_on_sasl(login, reader.rest, code == AUTH_SASL_FINAL, out, err);
    case AUTH_KERBEROS_V5:
    case AUTH_GSS:
    case AUTH_GSS_CONTINUE:
    case AUTH_SSPI:
        return fail(err, RH_ERR_CONNECTION,
                    "the server asks for GSSAPI or SSPI, which is not spoken here",
                    "Add a line for this role to pg_hba.conf with scram-sha-256.");
    default:
        return fail(err, RH_ERR_CONNECTION,
                    "the server asks for a kind of authentication that is not known here",
                    "Use scram-sha-256 in pg_hba.conf.");
    }
}

static enum pg_login_step take_key(struct pg_login *login, struct text body, struct err *err)
{
    if (!rh_pg_decode_backend_key(body, &login->key.pid))
        return fail_malformed(err);
    login->key.length = body.len - 4;
    memcpy(login->key.bytes, body.data + 4, login->key.length);
    return PG_LOGIN_MORE;
}

enum pg_login_step rh_pg_login_take(struct pg_login *login, const struct pg_message *message,
                                    struct buf *out, struct err *err)
{
    char status;
    switch (message->type) {
    case 'R':
        return message->is_whole ? take_authentication(login, message->body, out, err)
                                 : fail_malformed(err);
    case 'E':
        rh_pg_login_server_error(message->body, err);
        return PG_LOGIN_FAILED;
    case 'K':
        return take_key(login, message->body, err);
    case 'Z':
        if (!login->is_trusted || !rh_pg_decode_ready(message->body, &status))
            return fail_malformed(err);
        return PG_LOGIN_READY;
    case 'S': /* ParameterStatus */
    case 'N': /* a notice */
    case 'v': /* NegotiateProtocolVersion: options of ours (_pq_...) are not known there */
        return PG_LOGIN_MORE;
    default:
        return fail_malformed(err);
    }
}
