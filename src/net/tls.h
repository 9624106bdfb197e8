/*
 * TLS over a connected, non-blocking socket, either side of it; sole home of openssl/ssl.h. A
 * context holds what many connections share (certificates, trusted roots, versions); a connection
 * works on its caller's descriptor and never blocks: the caller watches the descriptor.
 *
 * It knows nothing of PostgreSQL but the name of its protocol in ALPN. It resolves nothing, and
 * reads no file but those named and, for "system", OpenSSL's own trusted roots. Compression and
 * renegotiation are off. Key material and passwords never reach an error.
 */
#ifndef RH_NET_TLS_H
#define RH_NET_TLS_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct tls_context;
struct tls;

/* As libpq's ssl_min_protocol_version says it; 0: TLS 1.2 at the least, nothing at the most. */
enum tls_version { TLS_VERSION_DEFAULT, TLS_1_0, TLS_1_1, TLS_1_2, TLS_1_3 };
bool rh_tls_version_parse(const char *name, enum tls_version *ret_version); /* "TLSv1.2" */

#define TLS_SYSTEM_ROOTS "system"

struct tls_options {
    /* Our own certificate chain (PEM) and its key (PEM or DER); both NULL: none. A client's key may
       be readable by its owner alone, or by root's group, as libpq has it. */
    const char *certificate_file, *key_file, *key_password;
    /* The peer's certificate must lead to one of these (PEM file, or TLS_SYSTEM_ROOTS); NULL: any
       will do, a client's need not even be there. */
    const char *root_file;
    bool peer_is_optional; /* a server's: a client may have none; what it has must lead there */
    const char *crl_file, *crl_directory; /* revoked ones; only with root_file */
    bool verifies_name; /* a client's: the certificate must be for the host it connects to */
    bool omits_sni;     /* a client's: does not say which host it wants */
    enum tls_version min_version, max_version;
};

/* Blocking: reads the files. RH_ERR_USAGE names the file and what is wrong with it. */
enum err_code rh_tls_context_new_client(const struct tls_options *options,
                                        struct tls_context **ret_context,
                                        struct err *err) RH_MUST_CHECK;
/* A certificate is a must. With root_file, clients must have one as well, but for
   peer_is_optional. */
enum err_code rh_tls_context_new_server(const struct tls_options *options,
                                        struct tls_context **ret_context,
                                        struct err *err) RH_MUST_CHECK;
void rh_tls_context_free(struct tls_context *context); /* NULL allowed; after its connections */

/* `host` is a client's: a name or numeric address, for SNI and for what the certificate must say;
   NULL: none, then a name cannot be verified. `fd` stays the caller's. */
struct tls *rh_tls_new(struct tls_context *context, int fd, const char *host);
/* NULL allowed. Says nothing to the peer: see rh_tls_end. */
void rh_tls_free(struct tls *tls);

enum tls_step { TLS_DONE, TLS_WAITS_READABLE, TLS_WAITS_WRITABLE, TLS_FAILED };
/* Goes on with the handshake as far as it goes; again when the descriptor is ready. *err is set on
   TLS_FAILED, and says what the peer's certificate lacks. */
enum tls_step rh_tls_handshake(struct tls *tls, struct err *err);
/* The peer agreed to speak the "postgresql" protocol (ALPN). */
bool rh_tls_has_protocol(const struct tls *tls);
/* Does `ours`, a server's side, show the certificate that the peer of `theirs` has shown? */
bool rh_tls_has_same_certificate(const struct tls *ours, const struct tls *theirs);
const char *rh_tls_version_name(const struct tls *tls); /* "TLSv1.3" */
/* Of the peer's certificate, as channel binding "tls-server-end-point" has it (RFC 5929, section
   4.1): its length, 0 where there is none or its signature knows no single hash. */
#define TLS_END_POINT_MAX 64
size_t rh_tls_end_point(const struct tls *tls, unsigned char out[static TLS_END_POINT_MAX]);

/*
 * As recv and send: bytes, 0 at the end, -1 with errno. EAGAIN: not now; EPROTO: TLS failed
 * (rh_tls_failure says how). Reads fill the buffer as far as they can. After EAGAIN a write is
 * repeated with the same bytes at its start.
 */
ssize_t rh_tls_read(struct tls *tls, void *data, size_t length);
ssize_t rh_tls_write(struct tls *tls, const void *data, size_t length);
/* Reads without consuming. */
ssize_t rh_tls_peek(struct tls *tls, void *data, size_t length);
/* Bytes that a read would give although the descriptor is not readable any more. */
bool rh_tls_has_pending(const struct tls *tls);
/* A read that gave EAGAIN waits for the descriptor to become writable. */
bool rh_tls_read_waits_writable(const struct tls *tls);
/* Of the last failure: one line, "" for none. */
const char *rh_tls_failure(const struct tls *tls);
/* Tells the peer that nothing more comes (close_notify), if the kernel takes it. */
void rh_tls_end(struct tls *tls);

#endif
