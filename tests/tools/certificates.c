#include "certificates.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define DAY 86400L

struct authority {
    X509 *certificate;
    EVP_PKEY *key;
};

static void check(int is_right, const char *what)
{
    if (is_right)
        return;
    fprintf(stderr, "certificates: %s failed\n", what);
    abort();
}

static FILE *create(const char *directory, const char *name, const char *suffix)
{
    char path[512];
    snprintf(path, sizeof(path), "%s/%s.%s", directory, name, suffix);
    FILE *file = fopen(path, "w");
    check(file != NULL, path);
    check(chmod(path, 0600) == 0, path);
    return file;
}

static void close_file(FILE *file)
{
    check(fclose(file) == 0, "writing");
}

static void write_pair(const char *directory, const char *name, X509 *certificate, EVP_PKEY *key)
{
    FILE *file = create(directory, name, "crt");
    check(PEM_write_X509(file, certificate), name);
    close_file(file);
    file = create(directory, name, "key");
    check(PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL), name);
    close_file(file);
}

static void add_extension(X509 *certificate, X509 *issuer, int kind, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, kind, value);
    check(extension != NULL, value);
    check(X509_add_ext(certificate, extension, -1), value);
    X509_EXTENSION_free(extension);
}

/* `issuer` NULL: an authority of its own. Valid from `from` to `until` days from now. */
static X509 *make(const char *common_name, const char *alternative_names, long serial, long from,
                  long until, EVP_PKEY *key, const struct authority *issuer)
{
    X509 *certificate = X509_new();
    check(certificate != NULL, "X509_new");
    X509_set_version(certificate, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), serial);
    X509_gmtime_adj(X509_getm_notBefore(certificate), from * DAY);
    X509_gmtime_adj(X509_getm_notAfter(certificate), until * DAY);
    X509_set_pubkey(certificate, key);
    X509_NAME *name = X509_get_subject_name(certificate);
    check(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)common_name,
                                     -1, -1, 0),
          common_name);
    X509 *by = issuer ? issuer->certificate : certificate;
    X509_set_issuer_name(certificate, X509_get_subject_name(by));
    add_extension(certificate, by, NID_basic_constraints, issuer ? "CA:FALSE" : "critical,CA:TRUE");
    if (!issuer)
        add_extension(certificate, by, NID_key_usage, "critical,keyCertSign,cRLSign");
    if (alternative_names)
        add_extension(certificate, by, NID_subject_alt_name, alternative_names);
    check(X509_sign(certificate, issuer ? issuer->key : key, EVP_sha256()) > 0, "X509_sign");
    return certificate;
}

static struct authority make_authority(const char *directory, const char *name)
{
    struct authority authority = {.key = EVP_EC_gen("P-256")};
    check(authority.key != NULL, "EVP_EC_gen");
    authority.certificate = make(name, NULL, 1, -10, 10, authority.key, NULL);
    write_pair(directory, name, authority.certificate, authority.key);
    return authority;
}

struct wanted {
    const char *name, *common_name, *alternative_names;
    long serial, until;
};

static void issue(const char *directory, const struct wanted *wanted,
                  const struct authority *authority)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    check(key != NULL, "EVP_EC_gen");
    X509 *certificate = make(wanted->common_name, wanted->alternative_names, wanted->serial, -5,
                             wanted->until, key, authority);
    write_pair(directory, wanted->name, certificate, key);
    if (wanted->serial == 20) { /* client */
        FILE *file = create(directory, "client-encrypted", "key");
        check(PEM_write_PrivateKey(file, key, EVP_aes_256_cbc(), (const unsigned char *)"hush", 4,
                                   NULL, NULL),
              "encrypted key");
        close_file(file);
        file = create(directory, "client", "der");
        check(i2d_PrivateKey_fp(file, key), "DER key");
        close_file(file);
    }
    X509_free(certificate);
    EVP_PKEY_free(key);
}

static void revoke(const char *directory, const struct authority *authority, long serial)
{
    X509_CRL *list = X509_CRL_new();
    X509_REVOKED *entry = X509_REVOKED_new();
    ASN1_INTEGER *number = ASN1_INTEGER_new();
    ASN1_TIME *time = ASN1_TIME_new();
    check(list && entry && number && time, "revocation list");
    X509_CRL_set_version(list, 1);
    X509_CRL_set_issuer_name(list, X509_get_subject_name(authority->certificate));
    X509_gmtime_adj(time, -DAY);
    X509_CRL_set1_lastUpdate(list, time);
    ASN1_INTEGER_set(number, serial);
    X509_REVOKED_set_serialNumber(entry, number);
    X509_REVOKED_set_revocationDate(entry, time);
    X509_CRL_add0_revoked(list, entry);
    X509_gmtime_adj(time, 9 * DAY);
    X509_CRL_set1_nextUpdate(list, time);
    check(X509_CRL_sign(list, authority->key, EVP_sha256()) > 0, "X509_CRL_sign");
    FILE *file = create(directory, "root", "crl");
    check(PEM_write_X509_CRL(file, list), "root.crl");
    close_file(file);
    X509_CRL_free(list);
    ASN1_INTEGER_free(number);
    ASN1_TIME_free(time);
}

void certificates_make(const char *directory)
{
    static const char every_name[] = "DNS:localhost,DNS:*.example.test,IP:127.0.0.1";
    static const struct wanted of_root[] = {
        {"server", "server", every_name, 10, 9},   {"named", "named", "DNS:db.example.test", 11, 9},
        {"common", "localhost", NULL, 12, 9},      {"expired", "expired", every_name, 13, -1},
        {"revoked", "revoked", every_name, 14, 9}, {"client", "alice", NULL, 20, 9},
    };
    static const struct wanted of_other[] = {{"stranger", "stranger", every_name, 10, 9},
                                             {"other-client", "alice", NULL, 21, 9}};
    struct authority root = make_authority(directory, "root");
    struct authority other = make_authority(directory, "other-root");
    for (size_t i = 0; i < sizeof(of_root) / sizeof(*of_root); i++)
        issue(directory, &of_root[i], &root);
    for (size_t i = 0; i < sizeof(of_other) / sizeof(*of_other); i++)
        issue(directory, &of_other[i], &other);
    revoke(directory, &root, 14);
    X509_free(root.certificate);
    EVP_PKEY_free(root.key);
    X509_free(other.certificate);
    EVP_PKEY_free(other.key);
}
