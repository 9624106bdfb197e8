/*
 * The client's side of a session's start ("Start-up", "SASL Authentication"): from the start-up
 * packet to the first ReadyForQuery. No I/O: it is shown what the server says and writes what to
 * answer; net/pg_client.h does the rest. Randomness comes from OpenSSL.
 *
 * Knows trust and peer (nothing is asked), cleartext, MD5, SCRAM-SHA-256 and, over TLS, -PLUS.
 * GSSAPI and SSPI are refused with words. No secret is in an error.
 */
#ifndef RH_NET_PG_LOGIN_H
#define RH_NET_PG_LOGIN_H

#include "net/pg_codec.h"
#include "net/scram.h"

struct pg_login_setting {
    const char *name, *value;
};
struct pg_login_options {
    const char *user;
    const char *database;                    /* NULL: the user's name, as the server has it */
    const char *password;                    /* NULL: none; a secret */
    const struct pg_login_setting *settings; /* of the start-up packet */
    size_t setting_count;
};

/* Fills the start-up packet, length word included. RH_ERR_LIMIT: it would be too long. */
enum err_code rh_pg_login_startup(const struct pg_login_options *options, struct buf *out,
                                  struct err *err) RH_MUST_CHECK;

/* What identifies a session in a CancelRequest. */
struct pg_cancel_key {
    uint32_t pid;
    uint8_t bytes[PG_CANCEL_KEY_MAX];
    size_t length; /* 0: the server gave none */
};

struct pg_login {
    const struct pg_login_options *options;
    struct text channel; /* hash of the server's certificate; empty: the connection is plain */
    bool is_encrypted;
    bool has_password; /* it was asked for and sent */
    bool is_trusted;   /* AuthenticationOk came */
    bool has_scram;
    struct scram scram;
    struct pg_cancel_key key;
};

enum pg_login_step {
    PG_LOGIN_MORE,  /* what is in `out` goes to the server; then its next message */
    PG_LOGIN_READY, /* ReadyForQuery */
    PG_LOGIN_FAILED /* *err says why */
};

/* What must be collected whole, and up to how much of it. */
struct pg_type_set rh_pg_login_types(void);
#define PG_LOGIN_COLLECT_MAX (32 * 1024)

/* `options` and `channel` stay valid until deinit. */
void rh_pg_login_init(struct pg_login *login, const struct pg_login_options *options,
                      bool is_encrypted, struct text channel);
void rh_pg_login_deinit(struct pg_login *login); /* also of one that is zero */
enum pg_login_step rh_pg_login_take(struct pg_login *login, const struct pg_message *message,
                                    struct buf *out, struct err *err);

/* The body of an ErrorResponse as an error of ours, RH_ERR_SERVER, with the server's message and,
   for what ends a session's start, what to do about it. */
void rh_pg_login_server_error(struct text body, struct err *err);

#endif
