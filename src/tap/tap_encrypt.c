/* TLS on the client's leg. */
#include "tap/tap_int.h"

#include <errno.h>
#include <sys/socket.h>

static void begin(struct tap_session *session)
{
    session->client.tls = rh_tls_new(session->tap->client_tls, session->client.fd, NULL);
    session->state = SESSION_ENCRYPTING;
    session->handshake_waits_writable = false;
}

void rh_tap_encrypt_accept(struct tap_session *session)
{
    ssize_t sent;
    /* One byte, on a connection that has carried at most one: the kernel takes it. */
    do
        sent = send(session->client.fd, "S", 1, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (sent < 0 && errno == EINTR);
    if (sent != 1)
        rh_tap_session_close(session);
    else
        begin(session);
}

void rh_tap_encrypt_direct(struct tap_session *session)
{
    session->tls_is_direct = true;
    begin(session);
    rh_tap_encrypt_step(session);
}

void rh_tap_encrypt_step(struct tap_session *session)
{
    struct err err = RH_ERR_INIT;
    enum tls_step step = rh_tls_handshake(session->client.tls, &err);
    session->handshake_waits_writable = step == TLS_WAITS_WRITABLE;
    if (step == TLS_WAITS_READABLE || step == TLS_WAITS_WRITABLE)
        return;
    /* Without a request for PostgreSQL's protocol, direct TLS could be meant for any service
       ("SSL Session Encryption"). */
    bool is_ours = step == TLS_DONE &&
                   (!session->tls_is_direct || rh_tls_has_protocol(session->client.tls));
    if (is_ours) {
        rh_tap_session_go_on(session);
        return;
    }
    session->tap->statistics.failed_handshakes++;
    rh_tap_session_close(session);
}
