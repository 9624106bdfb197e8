#include "workload/channel_binding.h"

const char *rh_binding_setup_name(enum binding_setup setup)
{
    static const char *const names[] = {
#define X(symbol, name) name,
        BINDING_SETUP_LIST(X)
#undef X
    };
    return names[setup];
}

const char *rh_binding_wish_name(enum binding_wish wish)
{
    static const char *const names[] = {
#define X(symbol, name) name,
        BINDING_WISH_LIST(X)
#undef X
    };
    return names[wish];
}

enum binding_setup rh_binding_setup(const struct binding_facts *facts)
{
    if (!facts->asks_scram || (facts->server_is_encrypted && !facts->offers_plus))
        return BINDING_NOTHING;
    if (!facts->server_is_encrypted)
        return BINDING_SERVER_LEG_PLAIN;
    if (!facts->clients_can_encrypt)
        return BINDING_CLIENT_LEG_PLAIN;
    return facts->has_same_certificate && facts->has_end_point ? BINDING_SAME_CERTIFICATE
                                                               : BINDING_CLIENTS_DISABLE;
}

static struct binding_outcome refused(const char *why)
{
    return (struct binding_outcome){.why_not = why};
}

/* fe-auth.c (pg_SASL_init, check_expected_areq) on one side, auth-scram.c on the other. */
struct binding_outcome rh_binding_outcome(const struct binding_facts *facts, bool is_encrypted,
                                          enum binding_wish wish)
{
    const struct binding_outcome in = {.gets_in = true};

    if (is_encrypted && !facts->clients_can_encrypt)
        return refused("clients are offered no TLS here");
    if (!is_encrypted && facts->clients_must_encrypt)
        return refused("clients without TLS are refused here");
    if (wish == BINDING_REQUIRE && !is_encrypted)
        return refused("it insists on binding, and has no TLS to bind to");
    if (wish == BINDING_REQUIRE && rh_binding_setup(facts) <= BINDING_SERVER_LEG_PLAIN)
        return refused("it insists on binding, and the server offers none");
    if (wish == BINDING_DISABLE || !is_encrypted ||
        rh_binding_setup(facts) <= BINDING_SERVER_LEG_PLAIN)
        return in;
    if (facts->has_same_certificate && facts->has_end_point)
        return (struct binding_outcome){.gets_in = true, .binds = true};
    if (!facts->has_end_point)
        return refused("the server's certificate cannot be bound to, not directly either");
    return refused("the certificate that it sees is not the server's own");
}
