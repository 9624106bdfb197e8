#include "net/tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* What one recv may bring: four of the largest records (RFC 8446, section 5.1: 16 kB). */
#define READ_BUFFER_BYTES (64 * 1024)
#define FAILURE_BYTES 256

/* "postgresql" with its length before it: IANA's ALPN registry; PostgreSQL 17, "SSL Session
   Encryption". */
static const unsigned char protocol_list[] = "\x0apostgresql";
#define PROTOCOL_LIST_LENGTH (sizeof(protocol_list) - 1)

struct tls_context {
    SSL_CTX *ssl;
    BIO_METHOD *socket_method;
    bool is_server, verifies, verifies_name, omits_sni;
};

struct tls {
    SSL *ssl;
    const struct tls_context *context;
    int fd;
    char *host; /* NULL: none */
    /* Of a read under way: a short recv emptied the socket, the next one would only say so. */
    bool is_reading, is_emptied;
    /* The last read found the kernel's buffer empty: what OpenSSL still holds is half a record. */
    bool read_blocked, read_waits_writable;
    bool has_failed; /* found behind bytes that a read gave: the next one says so */
    char failure[FAILURE_BYTES];
};

/* --- the socket below --------------------------------------------------------------------------
 * OpenSSL's own socket BIO writes with write(2), which raises SIGPIPE.
 */

static int on_bio_read(BIO *bio, char *data, int length)
{
    struct tls *tls = BIO_get_data(bio);
    ssize_t received = -1;
    BIO_clear_retry_flags(bio);
    if (tls->is_emptied) {
        errno = EAGAIN;
    } else {
        do
            received = recv(tls->fd, data, (size_t)length, MSG_DONTWAIT);
        while (received < 0 && errno == EINTR);
    }
    tls->is_emptied = tls->is_emptied || (tls->is_reading && received > 0 && received < length);
    if (received == 0)
        BIO_set_flags(bio, BIO_FLAGS_IN_EOF);
    else if (received < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
        BIO_set_retry_read(bio);
    return (int)received;
}

static int on_bio_write(BIO *bio, const char *data, int length)
{
    const struct tls *tls = BIO_get_data(bio);
    ssize_t sent;
    BIO_clear_retry_flags(bio);
    do
        sent = send(tls->fd, data, (size_t)length, MSG_DONTWAIT | MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
        BIO_set_retry_write(bio);
    return (int)sent;
}

static long on_bio_control(BIO *bio, int command, long number, void *pointer)
{
    (void)number;
    (void)pointer;
    if (command == BIO_CTRL_EOF)
        return BIO_test_flags(bio, BIO_FLAGS_IN_EOF) != 0;
    return command == BIO_CTRL_FLUSH || command == BIO_CTRL_DUP;
}

static int on_bio_create(BIO *bio)
{
    BIO_set_init(bio, 1);
    return 1;
}

static BIO_METHOD *new_socket_method(void)
{
    BIO_METHOD *method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "socket");
    if (!method || !BIO_meth_set_read(method, on_bio_read) ||
        !BIO_meth_set_write(method, on_bio_write) || !BIO_meth_set_ctrl(method, on_bio_control) ||
        !BIO_meth_set_create(method, on_bio_create))
        RH_PANIC("out of memory for a TLS context");
    return method;
}

/* --- what went wrong -------------------------------------------------------------------------- */

/* OpenSSL's own words for the oldest error of its queue, which is emptied. */
static const char *first_reason(unsigned long *ret_code)
{
    unsigned long code = ERR_get_error();
    const char *reason = code ? ERR_reason_error_string(code) : NULL;
    ERR_clear_error();
    if (ret_code)
        *ret_code = code;
    return reason ? reason : code ? "an error of the TLS library" : "unknown reason";
}

static enum err_code refuse_file(struct err *err, const char *what, const char *path)
{
    if (errno && access(path, R_OK) != 0) {
        int reason = errno;
        rh_err_set_errno(err, reason, "cannot read the %s \"%s\"", what, path);
        err->code = RH_ERR_USAGE;
        ERR_clear_error();
        return RH_ERR_USAGE;
    }
    return rh_err_set(err, RH_ERR_USAGE, "cannot use the %s \"%s\": %s", what, path,
                      first_reason(NULL));
}

/* --- contexts --------------------------------------------------------------------------------- */

bool rh_tls_version_parse(const char *name, enum tls_version *ret_version)
{
    static const char *const names[] = {
        [TLS_1_0] = "TLSv1", [TLS_1_1] = "TLSv1.1", [TLS_1_2] = "TLSv1.2", [TLS_1_3] = "TLSv1.3"};
    for (enum tls_version version = TLS_1_0; version <= TLS_1_3; version++) {
        if (strcasecmp(name, names[version]) == 0) {
            *ret_version = version;
            return true;
        }
    }
    return false;
}

static int version_number(enum tls_version version, int otherwise)
{
    static const int numbers[] = {[TLS_1_0] = TLS1_VERSION,
                                  [TLS_1_1] = TLS1_1_VERSION,
                                  [TLS_1_2] = TLS1_2_VERSION,
                                  [TLS_1_3] = TLS1_3_VERSION};
    return version == TLS_VERSION_DEFAULT ? otherwise : numbers[version];
}

struct key_password {
    const char *password; /* NULL: none */
    bool was_asked;       /* the key is encrypted */
};

/* Without this OpenSSL would ask at the terminal. */
static int on_password(char *out, int size, int is_writing, void *context)
{
    struct key_password *key = context;
    size_t length = key->password ? strlen(key->password) : 0;
    (void)is_writing;
    key->was_asked = true;
    if (!key->password || length > (size_t)size)
        return -1;
    memcpy(out, key->password, length);
    return (int)length;
}

/* libpq's rule, for the same files serve both (manual, "Client Certificates"). */
static enum err_code check_key_mode(const char *path, struct err *err)
{
    struct stat status;
    if (stat(path, &status) != 0) {
        rh_err_set_errno(err, errno, "cannot read the private key \"%s\"", path);
        return err->code = RH_ERR_USAGE;
    }
    mode_t forbidden = status.st_uid == 0 ? S_IWGRP | S_IXGRP | S_IRWXO : S_IRWXG | S_IRWXO;
    if (!S_ISREG(status.st_mode))
        return rh_err_set(err, RH_ERR_USAGE, "the private key \"%s\" is no regular file", path);
    if (status.st_mode & forbidden) {
        rh_err_set(err, RH_ERR_USAGE, "others may read the private key \"%s\"", path);
        rh_err_hint(err, "Run: chmod 0600 \"%s\" (0640 when it belongs to root).", path);
        return RH_ERR_USAGE;
    }
    return RH_OK;
}

static enum err_code load_key(SSL_CTX *ssl, struct key_password *key, const char *path,
                              const char *certificate, struct err *err)
{
    if (SSL_CTX_use_PrivateKey_file(ssl, path, SSL_FILETYPE_PEM) == 1)
        return RH_OK;
    unsigned long code = ERR_peek_last_error();
    if (ERR_GET_LIB(code) == ERR_LIB_X509 && (ERR_GET_REASON(code) == X509_R_KEY_VALUES_MISMATCH ||
                                              ERR_GET_REASON(code) == X509_R_KEY_TYPE_MISMATCH)) {
        ERR_clear_error();
        return rh_err_set(err, RH_ERR_USAGE, "the certificate \"%s\" does not match the key \"%s\"",
                          certificate, path);
    }
    if (key->was_asked) {
        rh_err_set(err, RH_ERR_USAGE, "cannot decrypt the private key \"%s\"", path);
        rh_err_hint(err, key->password ? "Check its password (sslpassword)."
                                       : "Give its password (sslpassword).");
        ERR_clear_error();
        return RH_ERR_USAGE;
    }
    ERR_clear_error();
    if (SSL_CTX_use_PrivateKey_file(ssl, path, SSL_FILETYPE_ASN1) == 1)
        return RH_OK;
    errno = 0;
    return refuse_file(err, "private key", path);
}

static enum err_code load_certificate(SSL_CTX *ssl, const struct tls_options *options,
                                      struct err *err)
{
    const char *key = options->key_file ? options->key_file : options->certificate_file;
    struct key_password password = {.password = options->key_password};
    enum err_code code = check_key_mode(key, err);
    if (code)
        return code;
    SSL_CTX_set_default_passwd_cb(ssl, on_password);
    SSL_CTX_set_default_passwd_cb_userdata(ssl, &password);
    errno = ENOENT;
    if (SSL_CTX_use_certificate_chain_file(ssl, options->certificate_file) != 1)
        return refuse_file(err, "certificate", options->certificate_file);
    code = load_key(ssl, &password, key, options->certificate_file, err);
    SSL_CTX_set_default_passwd_cb_userdata(ssl, NULL);
    return code;
}

static enum err_code load_roots(SSL_CTX *ssl, const struct tls_options *options, struct err *err)
{
    if (strcmp(options->root_file, TLS_SYSTEM_ROOTS) == 0) {
        if (SSL_CTX_set_default_verify_paths(ssl) != 1)
            return rh_err_set(err, RH_ERR_ENVIRONMENT, "cannot load the system's trusted roots: %s",
                              first_reason(NULL));
    } else {
        errno = ENOENT;
        if (SSL_CTX_load_verify_locations(ssl, options->root_file, NULL) != 1)
            return refuse_file(err, "trusted root certificates", options->root_file);
    }
    if (!options->crl_file && !options->crl_directory)
        return RH_OK;
    X509_STORE *store = SSL_CTX_get_cert_store(ssl);
    errno = ENOENT;
    if (X509_STORE_load_locations(store, options->crl_file, options->crl_directory) != 1)
        return refuse_file(err, "revocation list",
                           options->crl_file ? options->crl_file : options->crl_directory);
    X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
    return RH_OK;
}

/* A client that offers protocols must offer ours: a TLS session meant for another service is not
   taken for one of PostgreSQL (ALPACA). */
static int on_select_protocol(SSL *ssl, const unsigned char **out, unsigned char *out_length,
                              const unsigned char *in, unsigned in_length, void *context)
{
    (void)ssl;
    (void)context;
    int found = SSL_select_next_proto((unsigned char **)(void *)out, out_length, protocol_list,
                                      PROTOCOL_LIST_LENGTH, in, in_length);
    return found == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

static struct tls_context *new_context(const struct tls_options *options, bool is_server)
{
    struct tls_context *context = calloc(1, sizeof(*context));
    ERR_clear_error();
    if (!context ||
        !(context->ssl = SSL_CTX_new(is_server ? TLS_server_method() : TLS_client_method())))
        RH_PANIC("out of memory for a TLS context");
    context->socket_method = new_socket_method();
    context->is_server = is_server;
    context->verifies = options->root_file != NULL;
    context->verifies_name = options->verifies_name;
    context->omits_sni = options->omits_sni;
    SSL_CTX_set_options(context->ssl, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION |
                                          SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_mode(context->ssl,
                     SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_read_ahead(context->ssl, 1);
    SSL_CTX_set_default_read_buffer_len(context->ssl, READ_BUFFER_BYTES);
    if (is_server) {
        /* Nobody resumes a session of PostgreSQL: its own server offers no way to either
           (be_tls_init in be-secure-openssl.c). */
        SSL_CTX_set_options(context->ssl, SSL_OP_NO_TICKET);
        SSL_CTX_set_num_tickets(context->ssl, 0);
        SSL_CTX_set_session_cache_mode(context->ssl, SSL_SESS_CACHE_OFF);
        SSL_CTX_set_alpn_select_cb(context->ssl, on_select_protocol, NULL);
    } else {
        SSL_CTX_set_alpn_protos(context->ssl, protocol_list, PROTOCOL_LIST_LENGTH);
    }
    return context;
}

static enum err_code set_versions(SSL_CTX *ssl, const struct tls_options *options, struct err *err)
{
    if (SSL_CTX_set_min_proto_version(ssl, version_number(options->min_version, TLS1_2_VERSION)) &&
        SSL_CTX_set_max_proto_version(ssl, version_number(options->max_version, 0)))
        return RH_OK;
    ERR_clear_error();
    return rh_err_set(err, RH_ERR_USAGE, "the TLS library does not offer these protocol versions");
}

static enum err_code fill_context(struct tls_context *context, const struct tls_options *options,
                                  struct err *err)
{
    enum err_code code = set_versions(context->ssl, options, err);
    if (!code && options->certificate_file)
        code = load_certificate(context->ssl, options, err);
    if (!code && options->root_file)
        code = load_roots(context->ssl, options, err);
    if (code || !options->root_file)
        return code;
    bool is_must = context->is_server && !options->peer_is_optional;
    SSL_CTX_set_verify(context->ssl,
                       SSL_VERIFY_PEER | (is_must ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0), NULL);
    return RH_OK;
}

static enum err_code make_context(const struct tls_options *options, bool is_server,
                                  struct tls_context **ret_context, struct err *err)
{
    struct tls_context *context = new_context(options, is_server);
    enum err_code code = fill_context(context, options, err);
    if (code)
        rh_tls_context_free(context);
    else
        *ret_context = context;
    return code;
}

enum err_code rh_tls_context_new_client(const struct tls_options *options,
                                        struct tls_context **ret_context, struct err *err)
{
    return make_context(options, false, ret_context, err);
}

enum err_code rh_tls_context_new_server(const struct tls_options *options,
                                        struct tls_context **ret_context, struct err *err)
{
    if (!options->certificate_file)
        return rh_err_set(err, RH_ERR_USAGE, "TLS needs a certificate on this side");
    return make_context(options, true, ret_context, err);
}

void rh_tls_context_free(struct tls_context *context)
{
    if (!context)
        return;
    SSL_CTX_free(context->ssl);
    BIO_meth_free(context->socket_method);
    free(context);
}

/* --- connections ------------------------------------------------------------------------------ */

static bool is_numeric(const char *host)
{
    unsigned char address[16];
    return inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1;
}

struct tls *rh_tls_new(struct tls_context *context, int fd, const char *host)
{
    struct tls *tls = calloc(1, sizeof(*tls));
    BIO *bio = BIO_new(context->socket_method);
    if (!tls || !bio || !(tls->ssl = SSL_new(context->ssl)) ||
        (host && !(tls->host = strdup(host))))
        RH_PANIC("out of memory for a TLS connection");
    tls->fd = fd;
    BIO_set_data(bio, tls);
    SSL_set_bio(tls->ssl, bio, bio);
    tls->context = context;
    if (context->is_server) {
        SSL_set_accept_state(tls->ssl);
    } else {
        SSL_set_connect_state(tls->ssl);
        /* Addresses are no server names (RFC 6066, section 3). */
        if (host && host[0] && !context->omits_sni && !is_numeric(host))
            SSL_set_tlsext_host_name(tls->ssl, host);
    }
    return tls;
}

void rh_tls_free(struct tls *tls)
{
    if (!tls)
        return;
    SSL_free(tls->ssl);
    free(tls->host);
    free(tls);
}

/* The names that a certificate is for: '"a", "b"'. */
static void list_names(X509 *certificate, char *out, size_t size)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    size_t used = 0;
    out[0] = '\0';
    for (int i = 0; i < sk_GENERAL_NAME_num(names) && used < size; i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        const unsigned char *bytes = ASN1_STRING_get0_data(name->d.ia5);
        int length = ASN1_STRING_length(name->d.ia5);
        char text[INET6_ADDRSTRLEN] = "";
        if (name->type == GEN_IPADD)
            inet_ntop(length == 4 ? AF_INET : AF_INET6, bytes, text, sizeof(text));
        if (name->type == GEN_DNS || text[0])
            used += (size_t)snprintf(out + used, size - used, "%s\"%.*s\"", used ? ", " : "",
                                     text[0] ? (int)strlen(text) : length,
                                     text[0] ? text : (const char *)bytes);
    }
    GENERAL_NAMES_free(names);
    char common[128] = "";
    if (used == 0 && X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName,
                                               common, sizeof(common)) > 0)
        snprintf(out, size, "\"%s\"", common);
}

/* verify-full. The rules of RFC 6125 as OpenSSL has them; libpq's are the same but in corners. */
static bool check_name(struct tls *tls, struct err *err)
{
    if (!tls->context->verifies_name)
        return true;
    if (!tls->host || !tls->host[0]) {
        rh_err_set(err, RH_ERR_USAGE, "there is no host name to verify the certificate against");
        rh_err_hint(err, "Give the server's host name beside its address, or sslmode=verify-ca.");
        return false;
    }
    X509 *certificate = SSL_get1_peer_certificate(tls->ssl);
    if (!certificate) {
        rh_err_set(err, RH_ERR_CONNECTION, "the server showed no certificate");
        return false;
    }
    bool matches = (is_numeric(tls->host) && X509_check_ip_asc(certificate, tls->host, 0) == 1) ||
                   X509_check_host(certificate, tls->host, 0, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS,
                                   NULL) == 1;
    if (!matches) {
        char names[512];
        list_names(certificate, names, sizeof(names));
        rh_err_set(err, RH_ERR_CONNECTION, "the server's certificate is for %s, not for \"%s\"",
                   names[0] ? names : "no host", tls->host);
        rh_err_hint(err, "Connect by a name that the certificate has (hostaddr may say where that "
                         "is), or use sslmode=verify-ca if its issuer is all that matters.");
    }
    X509_free(certificate);
    ERR_clear_error();
    return matches;
}

static void set_verify_failure(const struct tls *tls, long verdict, struct err *err)
{
    rh_err_set(err, RH_ERR_CONNECTION, "the %s's certificate cannot be trusted: %s",
               tls->context->is_server ? "client" : "server",
               X509_verify_cert_error_string(verdict));
    switch (verdict) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
    case X509_V_ERR_CERT_NOT_YET_VALID:
        rh_err_hint(err, "Renew it, or check the clock of this machine.");
        break;
    case X509_V_ERR_CERT_REVOKED:
        rh_err_hint(err, "It is on the list in sslcrl: the server needs a new one.");
        break;
    case X509_V_ERR_UNABLE_TO_GET_CRL:
    case X509_V_ERR_CRL_HAS_EXPIRED:
        rh_err_hint(err, "The revocation list (sslcrl) does not cover its issuer now: renew it.");
        break;
    default:
        rh_err_hint(err, "Give the certificate of the authority that signed it in sslrootcert "
                         "(\"system\" stands for the roots that this machine trusts).");
        break;
    }
}

static const char *hint_of(int reason)
{
    switch (reason) {
    case SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED:
    case SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE:
    case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:
    case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
    case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
        return "The server may want another client certificate, or one at all: sslcert, sslkey.";
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_TLSV1_ALERT_PROTOCOL_VERSION:
    case SSL_R_WRONG_VERSION_NUMBER:
        return "The two sides share no version of TLS (ssl_min_protocol_version, "
               "ssl_max_protocol_version), or this is no TLS port.";
    case SSL_R_NO_APPLICATION_PROTOCOL:
    case SSL_R_TLSV1_ALERT_NO_APPLICATION_PROTOCOL:
        return "What listens there is no PostgreSQL server.";
    default:
        return NULL;
    }
}

static void set_handshake_failure(struct tls *tls, int kind, int errno_value, struct err *err)
{
    unsigned long code;
    long verdict = SSL_get_verify_result(tls->ssl);
    const char *reason = first_reason(&code);
    if (code && verdict != X509_V_OK && tls->context->verifies) {
        set_verify_failure(tls, verdict, err);
        return;
    }
    if (!code) {
        bool has_ended = kind == SSL_ERROR_ZERO_RETURN || errno_value == 0;
        rh_err_set(err, RH_ERR_CONNECTION, "the TLS handshake was cut off: %s",
                   has_ended ? "the connection was closed" : strerror(errno_value));
        return;
    }
    rh_err_set(err, RH_ERR_CONNECTION, "the TLS handshake failed: %s", reason);
    const char *hint = hint_of(ERR_GET_REASON(code));
    if (hint)
        rh_err_hint(err, "%s", hint);
}

enum tls_step rh_tls_handshake(struct tls *tls, struct err *err)
{
    ERR_clear_error();
    errno = 0;
    int result = SSL_do_handshake(tls->ssl);
    int errno_value = errno;
    int kind = SSL_get_error(tls->ssl, result);
    if (result == 1)
        return check_name(tls, err) ? TLS_DONE : TLS_FAILED;
    if (kind == SSL_ERROR_WANT_READ)
        return TLS_WAITS_READABLE;
    if (kind == SSL_ERROR_WANT_WRITE)
        return TLS_WAITS_WRITABLE;
    set_handshake_failure(tls, kind, errno_value, err);
    return TLS_FAILED;
}

bool rh_tls_has_protocol(const struct tls *tls)
{
    const unsigned char *name;
    unsigned length;
    SSL_get0_alpn_selected(tls->ssl, &name, &length);
    return length == PROTOCOL_LIST_LENGTH - 1 && memcmp(name, protocol_list + 1, length) == 0;
}

size_t rh_tls_end_point(const struct tls *tls, unsigned char out[static TLS_END_POINT_MAX])
{
    X509 *certificate = SSL_get1_peer_certificate(tls->ssl);
    int hash_nid = NID_undef;
    unsigned length = 0;
    if (!certificate)
        return 0;
    /* Certificates whose signature has no hash of its own (Ed25519) have no binding: RFC 5929
       leaves them undefined, and the server says the same. */
    if (X509_get_signature_info(certificate, &hash_nid, NULL, NULL, NULL) != 1)
        hash_nid = NID_undef;
    const EVP_MD *hash = hash_nid == NID_md5 || hash_nid == NID_sha1 ? EVP_sha256()
                         : hash_nid == NID_undef                     ? NULL
                                                 : EVP_get_digestbynid(hash_nid);
    if (!hash || EVP_MD_get_size(hash) > TLS_END_POINT_MAX ||
        X509_digest(certificate, hash, out, &length) != 1)
        length = 0;
    X509_free(certificate);
    ERR_clear_error();
    return length;
}

bool rh_tls_has_same_certificate(const struct tls *ours, const struct tls *theirs)
{
    const X509 *shown = SSL_get_certificate(ours->ssl);
    const X509 *seen = SSL_get0_peer_certificate(theirs->ssl);
    return shown && seen && X509_cmp(shown, seen) == 0;
}

const char *rh_tls_version_name(const struct tls *tls)
{
    return SSL_get_version(tls->ssl);
}

/* --- bytes ------------------------------------------------------------------------------------ */

static ssize_t fail(struct tls *tls)
{
    tls->has_failed = true;
    errno = EPROTO;
    return -1;
}

/* What a call that gave no bytes means, as recv says it. */
static ssize_t outcome(struct tls *tls, int result, int errno_value, bool is_read)
{
    int kind = SSL_get_error(tls->ssl, result);
    switch (kind) {
    case SSL_ERROR_ZERO_RETURN:
        if (is_read)
            return 0;
        /* Said of every failed write once the peer has ended its own direction. */
        ERR_clear_error();
        errno = errno_value ? errno_value : EPIPE;
        return -1;
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
        if (is_read) {
            tls->read_blocked = true;
            tls->read_waits_writable = kind == SSL_ERROR_WANT_WRITE;
        }
        errno = EAGAIN;
        return -1;
    case SSL_ERROR_SYSCALL:
        ERR_clear_error();
        errno = errno_value ? errno_value : ECONNRESET;
        return -1;
    default:
        snprintf(tls->failure, sizeof(tls->failure), "%s", first_reason(NULL));
        return fail(tls);
    }
}

static ssize_t read_or_peek(struct tls *tls, void *data, size_t length, bool is_peek)
{
    char *bytes = data;
    size_t filled = 0;
    ssize_t why = 0;
    if (tls->has_failed)
        return fail(tls);
    ERR_clear_error();
    tls->read_blocked = tls->read_waits_writable = tls->is_emptied = false;
    tls->is_reading = true;
    while (filled < length) {
        size_t received = 0;
        errno = 0;
        int result = is_peek ? SSL_peek_ex(tls->ssl, bytes, length, &received)
                             : SSL_read_ex(tls->ssl, bytes + filled, length - filled, &received);
        if (result == 1) {
            filled += received;
            if (is_peek)
                break;
            continue;
        }
        why = outcome(tls, result, errno, true);
        break;
    }
    tls->is_reading = tls->is_emptied = false;
    return filled > 0 ? (ssize_t)filled : why;
}

ssize_t rh_tls_read(struct tls *tls, void *data, size_t length)
{
    return read_or_peek(tls, data, length, false);
}

ssize_t rh_tls_peek(struct tls *tls, void *data, size_t length)
{
    return read_or_peek(tls, data, length, true);
}

ssize_t rh_tls_write(struct tls *tls, const void *data, size_t length)
{
    const char *bytes = data;
    size_t sent = 0;
    if (tls->has_failed)
        return fail(tls);
    ERR_clear_error();
    while (sent < length) {
        size_t written = 0;
        errno = 0;
        int result = SSL_write_ex(tls->ssl, bytes + sent, length - sent, &written);
        if (result == 1) {
            sent += written;
            continue;
        }
        if (sent > 0)
            break;
        return outcome(tls, result, errno, false);
    }
    return (ssize_t)sent;
}

bool rh_tls_has_pending(const struct tls *tls)
{
    return !tls->read_blocked && SSL_has_pending(tls->ssl);
}

bool rh_tls_read_waits_writable(const struct tls *tls)
{
    return tls->read_waits_writable;
}

const char *rh_tls_failure(const struct tls *tls)
{
    return tls->failure;
}

void rh_tls_end(struct tls *tls)
{
    ERR_clear_error();
    if (SSL_is_init_finished(tls->ssl))
        (void)SSL_shutdown(tls->ssl);
    ERR_clear_error();
}
