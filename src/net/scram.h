/*
 * The client's half of SCRAM-SHA-256 and SCRAM-SHA-256-PLUS: RFC 5802 and 7677, as PostgreSQL uses
 * them ("SASL Authentication"). Pure but for OpenSSL's arithmetic: the caller brings the nonce and
 * moves the messages.
 *
 * The server proves at the end that it knows the password's verifier too; without that proof nobody
 * was authenticated. Passwords of ASCII are used as they are; so are others, which is what libpq
 * does with those that SASLprep (RFC 4013) refuses, and the same as its outcome for text that is in
 * normal form already. The password and what is derived from it are erased by rh_scram_deinit.
 */
#ifndef RH_NET_SCRAM_H
#define RH_NET_SCRAM_H

#include "base/text.h"

#include <stdint.h>

/* Raw bytes of the client's nonce: libpq's SCRAM_RAW_NONCE_LEN. */
#define SCRAM_NONCE_BYTES 18
#define SCRAM_HASH_BYTES 32
/* One message of the exchange; libpq refuses authentication messages beyond 2000 bytes. */
#define SCRAM_MESSAGE_MAX 2048

/* What the gs2 header says of channel binding. */
enum scram_binding {
    SCRAM_UNBOUND,  /* "n": we cannot, the connection is plain */
    SCRAM_COULD,    /* "y": we could, but the server did not offer it */
    SCRAM_END_POINT /* "p=tls-server-end-point" */
};

struct scram {
    enum scram_binding binding;
    struct text binding_data; /* hash of the server's certificate, SCRAM_END_POINT alone */
    char password[1024];
    size_t password_length;
    char nonce[2 * SCRAM_NONCE_BYTES + 1];
    struct buf first_bare, server_first; /* of the AuthMessage */
    struct buf final_bare;
    uint8_t salted[SCRAM_HASH_BYTES];
    unsigned step; /* what comes next: 0 first, 1 challenge, 2 verification, 3 done */
};

/* `binding_data` stays valid meanwhile. RH_ERR_LIMIT: a password that no server takes. */
enum err_code rh_scram_init(struct scram *scram, struct text password, enum scram_binding binding,
                            struct text binding_data,
                            const uint8_t raw_nonce[static SCRAM_NONCE_BYTES],
                            struct err *err) RH_MUST_CHECK;
void rh_scram_deinit(struct scram *scram);
/* client-first-message. PostgreSQL takes the user from the start-up packet: `user` is "" there. */
void rh_scram_first(struct scram *scram, const char *user, struct buf *out);
/* Answers server-first-message with client-final-message; RH_ERR_PROTOCOL. Takes some milliseconds:
   as many rounds of hashing as the server asks for. */
enum err_code rh_scram_challenge(struct scram *scram, struct text server_first, struct buf *out,
                                 struct err *err) RH_MUST_CHECK;
/* Looks at server-final-message; RH_ERR_PROTOCOL: this is not the server that knows the password.
 */
enum err_code rh_scram_verify(struct scram *scram, struct text server_final,
                              struct err *err) RH_MUST_CHECK;

#endif
