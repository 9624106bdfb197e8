/*
 * What becomes of SCRAM's channel binding (SCRAM-SHA-256-PLUS) between a client of libpq's kind, a
 * capture and the server: who gets in, who binds, and why somebody does not. What tap/tap_auth.c
 * does is said here beforehand. Pure.
 */
#ifndef RH_WORKLOAD_CHANNEL_BINDING_H
#define RH_WORKLOAD_CHANNEL_BINDING_H

#include <stdbool.h>
#include <stddef.h>

struct binding_facts {
    bool clients_can_encrypt;  /* they are offered TLS */
    bool clients_must_encrypt; /* those without it are refused */
    bool server_is_encrypted;  /* the server's leg */
    bool asks_scram;           /* the server, of this role */
    bool offers_plus;          /* and it offers to bind */
    bool has_end_point;        /* its certificate can be bound to */
    bool has_same_certificate; /* clients are shown that certificate */
};

/* X(symbol, name): which of the set-ups that work this is, for clients that have TLS where they can
   have it. The names are for JSON. */
#define BINDING_SETUP_LIST(X)                                                                    \
    X(BINDING_NOTHING, "nothing-to-bind")           /* no SCRAM, or a server that never binds */ \
    X(BINDING_SERVER_LEG_PLAIN, "server-leg-plain") /* nothing is offered */                     \
    X(BINDING_CLIENT_LEG_PLAIN, "client-leg-plain") /* the offer is not passed on */             \
    X(BINDING_SAME_CERTIFICATE, "same-certificate") /* both legs bind to it */                   \
    X(BINDING_CLIENTS_DISABLE, "clients-disable")   /* only who does not bind gets in */
enum binding_setup {
#define X(symbol, name) symbol,
    BINDING_SETUP_LIST(X)
#undef X
};
const char *rh_binding_setup_name(enum binding_setup setup);
enum binding_setup rh_binding_setup(const struct binding_facts *facts);

/* libpq's channel_binding. */
#define BINDING_WISH_LIST(X)      \
    X(BINDING_DISABLE, "disable") \
    X(BINDING_PREFER, "prefer")   \
    X(BINDING_REQUIRE, "require")
enum binding_wish {
#define X(symbol, name) symbol,
    BINDING_WISH_LIST(X)
#undef X
        BINDING_WISHES
};
const char *rh_binding_wish_name(enum binding_wish wish);

struct binding_outcome {
    bool gets_in; /* with the right password, where one is asked for */
    bool binds;
    const char *why_not; /* NULL when it gets in */
};
struct binding_outcome rh_binding_outcome(const struct binding_facts *facts, bool is_encrypted,
                                          enum binding_wish wish);

#endif
