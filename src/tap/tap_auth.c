/*
 * SASL mechanisms between two legs of different kinds. A server that speaks TLS offers
 * SCRAM-SHA-256-PLUS, which binds the exchange to that TLS channel: libpq takes the hash of the
 * server's certificate for it (tls-server-end-point, RFC 5929), so where both legs are TLS and the
 * tap shows the very certificate of the server, the offer goes through and the binding holds.
 *
 * A client whose own leg is plain cannot do that, and libpq takes such an offer for an attack. So
 * it is not passed on. The client then says that it does not know channel binding, as it would over
 * a plain connection, and that is true.
 *
 * With TLS on both legs and another certificate nothing helps a client that would bind: with the
 * offer it binds to the wrong certificate, without it it says that it could have, which a server
 * that has TLS takes for an attack. Clients that do not bind (channel_binding=disable, most
 * drivers) get in either way; the offer is not passed on, so that one which could chooses the
 * mechanism that says so.
 */
#include "tap/tap_int.h"

#define AUTHENTICATION_SASL 10
#define HEADER_BYTES 5

void rh_tap_auth_init(struct tap_session *session)
{
    rh_buf_init(&session->auth.bytes, TAP_AUTH_BYTES_MAX);
}

void rh_tap_auth_deinit(struct tap_session *session)
{
    rh_buf_deinit(&session->auth.bytes);
}

void rh_tap_auth_begin(struct tap_session *session)
{
    session->auth.is_on = session->is_framed && session->server.tls &&
                          !(session->client.tls &&
                            rh_tls_has_same_certificate(session->client.tls, session->server.tls));
}

/* The body of AuthenticationSASL: a code, then names, the last of them empty. */
static void add_unbound(struct tap_session *session, struct text body, struct buf *out)
{
    RH_CLEANUP_BUF struct buf kept;
    struct pg_reader reader = {.rest = body};
    uint32_t code = rh_pg_read_u32(&reader);
    rh_buf_init(&kept, TAP_AUTH_BYTES_MAX);
    if (code == AUTHENTICATION_SASL) {
        rh_buf_add(&kept, body.data, 4);
        while (reader.rest.len > 0 && !reader.failed) {
            const char *name = rh_pg_read_string(&reader);
            if (!rh_text_ends_with(rh_text(name), "-PLUS"))
                rh_buf_add(&kept, name, strlen(name) + 1);
            else if (session->client.tls)
                session->tap->statistics.unbound_offers++;
        }
        body = rh_buf_text(&kept);
    }
    rh_pg_encode_message(out, 'R', body);
}

/* One message at the front; 0: not all of it is there. */
static size_t take_message(struct tap_session *session, struct text bytes, struct buf *out)
{
    struct pg_reader reader = {.rest = bytes};
    unsigned char type = rh_pg_read_u8(&reader);
    uint32_t length = rh_pg_read_u32(&reader);
    if (reader.failed)
        return 0;
    /* Behind AuthenticationRequest no mechanisms are offered any more; other things than it and
       NegotiateProtocolVersion do not come before it but to end the session. */
    bool is_request = type == 'R', is_negotiation = type == 'v';
    if (length < 4 || length > TAP_AUTH_BYTES_MAX - 1 || (!is_request && !is_negotiation)) {
        session->auth.is_on = false;
        rh_buf_add_text(out, bytes);
        return bytes.len;
    }
    if (bytes.len < 1 + (size_t)length)
        return 0;
    if (is_request) {
        session->auth.is_on = false;
        add_unbound(session, (struct text){bytes.data + HEADER_BYTES, length - 4}, out);
    } else {
        rh_buf_add(out, bytes.data, 1 + (size_t)length);
    }
    return 1 + (size_t)length;
}

void rh_tap_auth_take(struct tap_session *session, struct text bytes, struct buf *out)
{
    struct buf *gathered = &session->auth.bytes;
    /* Every turn takes bytes: what fills all of the room is a whole message, or ends the looking.
     */
    while (session->auth.is_on && bytes.len > 0) {
        size_t room = gathered->max - gathered->len;
        size_t added = bytes.len < room ? bytes.len : room;
        rh_buf_add(gathered, bytes.data, added);
        bytes.data += added;
        bytes.len -= added;
        size_t used;
        while (session->auth.is_on && gathered->len > 0 &&
               (used = take_message(session, rh_buf_text(gathered), out)) > 0)
            rh_buf_consume(gathered, used);
    }
    if (session->auth.is_on) {
        RH_ASSERT(bytes.len == 0);
        return;
    }
    rh_buf_add_text(out, rh_buf_text(gathered));
    rh_buf_add_text(out, bytes);
    rh_buf_clear(gathered);
    RH_ASSERT(!out->failed);
}
