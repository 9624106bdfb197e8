/*
 * What a server asks of whoever knocks: a session is begun as a role's, the server's first word is
 * read, and nothing is answered. So it takes no password, and leaves no failed login behind.
 */
#ifndef RH_NET_PG_PROBE_H
#define RH_NET_PG_PROBE_H

#include "base/clock.h"
#include "net/dial.h"
#include "net/pg_login.h"

/* Names of SASL mechanisms, joined; a server has two or three. */
#define PG_PROBE_MECHANISMS_BYTES 128

/* X(symbol, name): "Authentication Methods" as the messages tell them apart */
#define PG_ASKED_LIST(X)                       \
    X(PG_ASKED_NOTHING, "nothing")             \
    X(PG_ASKED_CLEARTEXT, "password in clear") \
    X(PG_ASKED_MD5, "md5")                     \
    X(PG_ASKED_SASL, "sasl")                   \
    X(PG_ASKED_GSS, "gss")                     \
    X(PG_ASKED_OTHER, "a method that is not known")
enum pg_asked {
#define X(symbol, name) symbol,
    PG_ASKED_LIST(X)
#undef X
};
const char *rh_pg_asked_name(enum pg_asked asked);

struct pg_probe_answer {
    bool is_encrypted;
    char tls_version[16];      /* "TLSv1.3"; "" when plain */
    bool has_end_point;        /* its certificate can be bound to (tls-server-end-point) */
    bool has_same_certificate; /* as `shown` shows */
    enum pg_asked asked;
    char mechanisms[PG_PROBE_MECHANISMS_BYTES]; /* "SCRAM-SHA-256-PLUS, SCRAM-SHA-256"; "" */
    bool offers_scram, offers_plus;
};

/* `shown`: what clients are shown elsewhere, to compare with the server's; NULL: nothing. Blocking,
   up to the deadline. RH_ERR_SERVER: the server does not want this role from here, in its words. */
enum err_code rh_pg_probe(const struct upstream *upstream, const struct pg_login_options *login,
                          struct tls_context *shown, struct mono deadline,
                          struct pg_probe_answer *ret_answer, struct err *err) RH_MUST_CHECK;

#endif
