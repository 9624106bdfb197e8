/* What a capture, or a snapshot, will meet at a server that is not ours. Nothing is written there,
   and no password is sent but by a session that the URL itself describes. */
#include "cmd/doctor.h"

#include "base/interrupt.h"
#include "base/say.h"
#include "engine/engine.h"
#include "model/result.h"
#include "net/listen.h"
#include "net/pg_probe.h"
#include "workload/channel_binding.h"

#include <sys/resource.h>

/* Up to the server's first word, and for a session of our own. */
#define ASK_MAX_US (30 * INT64_C(1000000))
/* Of the catalogue of a database with tens of thousands of tables. */
#define RIGHTS_MAX_US (10 * 60 * INT64_C(1000000))
/* As "snapshot create" waits. */
#define LOCK_TIMEOUT_US (10 * INT64_C(1000000))

static struct mono within(int64_t us)
{
    return rh_clock_after(rh_clock_mono(), us);
}

/* --- channel binding -------------------------------------------------------------------------- */

static void add_setup(struct doctor *doctor, const struct binding_facts *facts, bool is_scram)
{
    const char *advice = NULL;

    switch (rh_binding_setup(facts)) {
    case BINDING_NOTHING:
        rh_doctor_add(
            doctor, DOCTOR_CAPTURE, "channel-binding", DOCTOR_OK, NULL,
            "Channel binding: %s, so there is nothing to bind, with a capture or without.",
            is_scram ? "the server offers none" : "the server asks for no SCRAM");
        return;
    case BINDING_SERVER_LEG_PLAIN:
        rh_doctor_add(doctor, DOCTOR_CAPTURE, "channel-binding", DOCTOR_OK, NULL,
                      "Channel binding: the server's leg is plain, so that the server offers none. "
                      "Clients log in without it; channel_binding=require fails.");
        return;
    case BINDING_CLIENT_LEG_PLAIN:
        rh_doctor_add(doctor, DOCTOR_CAPTURE, "channel-binding", DOCTOR_OK, NULL,
                      "Channel binding: clients' leg is plain, and the server's offer is not "
                      "passed on. Clients log in without it; channel_binding=require fails, as it "
                      "does without TLS.");
        return;
    case BINDING_SAME_CERTIFICATE:
        rh_doctor_add(doctor, DOCTOR_CAPTURE, "channel-binding", DOCTOR_OK, NULL,
                      "Channel binding: clients are shown the server's own certificate, so that "
                      "those with TLS bind to it, channel_binding=require included.");
        return;
    case BINDING_CLIENTS_DISABLE:
        advice = facts->has_end_point
                     ? "Give the server's own certificate and key in --tls-cert and --tls-key. Or "
                       "leave --tls-cert out; or let clients say channel_binding=disable; or reach "
                       "the server without TLS, over a Unix socket or with sslmode=disable."
                     : "Let clients say channel_binding=disable, or give the server a certificate "
                       "whose signature has a hash of its own (RSA or ECDSA, not Ed25519).";
        rh_doctor_add(doctor, DOCTOR_CAPTURE, "channel-binding", DOCTOR_PROBLEM, advice,
                      facts->has_end_point
                          ? "Channel binding: both legs have TLS, and the certificate that clients "
                            "are shown is not the server's own. Clients of libpq with TLS get in "
                            "with channel_binding=disable alone: \"prefer\", their default, is "
                            "refused as well."
                          : "Channel binding: the server's certificate cannot be bound to. Clients "
                            "of libpq with TLS get in with channel_binding=disable alone, with a "
                            "capture or without.");
    }
}

static json_t *client_json(const struct binding_facts *facts, bool is_encrypted,
                           enum binding_wish wish)
{
    struct binding_outcome outcome = rh_binding_outcome(facts, is_encrypted, wish);
    json_t *json = json_object();

    json_object_set_new(json, "tls", json_boolean(is_encrypted));
    json_object_set_new(json, "channel_binding", json_string(rh_binding_wish_name(wish)));
    json_object_set_new(json, "gets_in", json_boolean(outcome.gets_in));
    json_object_set_new(json, "binds", json_boolean(outcome.binds));
    json_object_set_new(json, "why_not", rh_json_text(outcome.why_not));
    return json;
}

static void add_binding(struct doctor *doctor, const struct binding_facts *facts,
                        const struct pg_probe_answer *answer)
{
    json_t *json = json_object(), *clients = json_array();

    add_setup(doctor, facts, answer->offers_scram);
    for (int is_encrypted = 0; is_encrypted < 2; is_encrypted++)
        for (enum binding_wish wish = BINDING_DISABLE; wish < BINDING_WISHES; wish++)
            json_array_append_new(clients, client_json(facts, is_encrypted == 1, wish));
    json_object_set_new(json, "setup", json_string(rh_binding_setup_name(rh_binding_setup(facts))));
    json_object_set_new(json, "clients", clients);
    json_object_set_new(doctor->facts, "channel_binding", json);
}

/* --- the two legs ----------------------------------------------------------------------------- */

static void add_client_leg(struct doctor *doctor, const struct doctor_capture *capture,
                           const struct binding_facts *facts)
{
    if (facts->clients_can_encrypt)
        rh_doctor_add(doctor, DOCTOR_CAPTURE, "clients", DOCTOR_OK, NULL,
                      "Clients are offered TLS%s%s.",
                      facts->clients_must_encrypt ? ", and refused without" : "",
                      !capture->client_tls->root_file ? ""
                      : capture->client_tls->peer_is_optional
                          ? "; their certificates, if any, must lead to --tls-client-ca"
                          : ", for which they need a certificate of --tls-client-ca");
    else if (facts->clients_must_encrypt)
        rh_doctor_add(doctor, DOCTOR_CAPTURE, "clients", DOCTOR_PROBLEM,
                      "Leave --tls-required out: libpq speaks no TLS over a Unix socket.",
                      "Nobody gets in: --tls-required at a Unix socket.");
    else if (capture->listen && rh_listen_is_path(capture->listen))
        rh_doctor_add(doctor, DOCTOR_CAPTURE, "clients", DOCTOR_OK, NULL,
                      "Clients come over a Unix socket, without TLS.");
    else
        rh_doctor_add(doctor, DOCTOR_CAPTURE, "clients", DOCTOR_NOTE,
                      "Clients that ask for TLS (sslmode=require, verify-ca, verify-full) need "
                      "--tls-cert and --tls-key.",
                      "Clients are offered no TLS.");
}

static void add_server_leg(struct doctor *doctor, const struct url_upstream *upstream,
                           const struct pg_probe_answer *answer)
{
    bool is_local = true;

    for (size_t i = 0; i < upstream->upstream.host_count; i++) {
        const char *name = upstream->upstream.hosts[i].name;

        is_local = is_local && name && name[0] == '/';
    }
    json_object_set_new(doctor->facts, "upstream_tls",
                        answer->is_encrypted ? json_string(answer->tls_version) : json_null());
    if (answer->is_encrypted || is_local)
        rh_doctor_add(doctor, DOCTOR_CAPTURE, "upstream", DOCTOR_OK, NULL,
                      "The server is reached over %s%s.", is_local ? "a Unix socket" : "",
                      answer->tls_version);
    else
        rh_doctor_add(doctor, DOCTOR_CAPTURE, "upstream", DOCTOR_NOTE,
                      upstream->upstream.tls_mode == TLS_MODE_DISABLE
                          ? NULL
                          : "The server offers none, or refuses it: ssl = on in its "
                            "configuration gives it.",
                      "The server is reached without TLS.");
}

static void add_login(struct doctor *doctor, const struct url_upstream *upstream,
                      const struct pg_probe_answer *answer)
{
    const char *asked = rh_pg_asked_name(answer->asked);

    json_object_set_new(doctor->facts, "upstream_asks", json_string(asked));
    json_object_set_new(doctor->facts, "upstream_mechanisms", rh_json_text(answer->mechanisms));
    switch (answer->asked) {
    case PG_ASKED_NOTHING:
        rh_doctor_add(doctor, DOCTOR_CAPTURE, "login", DOCTOR_NOTE,
                      "Then whoever reaches the capture is that role. Let the capture reach the "
                      "server by a way that asks every client (scram-sha-256 in pg_hba.conf), or "
                      "listen where only those come who may.",
                      "The server lets role \"%s\" in from here without asking for anything.",
                      upstream->user);
        return;
    case PG_ASKED_GSS:
        rh_doctor_add(doctor, DOCTOR_CAPTURE, "login", DOCTOR_NOTE,
                      "A client asks for a ticket for the host that it names: that must be one "
                      "that the server answers for.",
                      "The server asks role \"%s\" for GSSAPI or SSPI. It was not tried.",
                      upstream->user);
        return;
    case PG_ASKED_CLEARTEXT:
        rh_doctor_add(doctor, DOCTOR_CAPTURE, "login", DOCTOR_NOTE,
                      "Both legs should have TLS then.",
                      "The server asks role \"%s\" for a password in clear.", upstream->user);
        return;
    case PG_ASKED_OTHER:
        rh_doctor_add(doctor, DOCTOR_CAPTURE, "login", DOCTOR_NOTE, NULL,
                      "The server asks role \"%s\" for something that is not known here.",
                      upstream->user);
        return;
    case PG_ASKED_MD5:
    case PG_ASKED_SASL:
        rh_doctor_add(doctor, DOCTOR_CAPTURE, "login", DOCTOR_OK, NULL,
                      "The server asks role \"%s\" for %s. pg_hba.conf may ask others, or of "
                      "other databases, otherwise.",
                      upstream->user,
                      answer->asked == PG_ASKED_MD5 ? "an MD5 password" : answer->mechanisms);
    }
}

/* A capture raises its limit to the hard one; each session has two. */
static void add_sessions(struct doctor *doctor)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_max != RLIM_INFINITY)
        rh_doctor_add(doctor, DOCTOR_CAPTURE, "sessions", DOCTOR_OK, NULL,
                      "File descriptors allow for about %s at once.",
                      rh_say_count(doctor->arena, (int64_t)limit.rlim_max / 2, "session"));
}

/* What a capture asks once, at its start. */
static void add_own_session(struct doctor *doctor, const struct doctor_capture *capture,
                            const struct url_upstream *upstream)
{
    const struct connection_parameters parameters = {
        .url = upstream->url, .host = "the upstream", .application_name = "rehearse doctor"};
    struct connection *connection = NULL;
    struct err failure = RH_ERR_INIT;

    if (capture->engine->connect(&parameters, within(ASK_MAX_US), &connection, &failure)) {
        rh_doctor_add(doctor, DOCTOR_CAPTURE, "own-session", DOCTOR_NOTE,
                      "A capture reads the server's types once, and with --masking its catalogue: "
                      "give a user and a password in --upstream or ~/.pgpass.",
                      "A session as role \"%s\" cannot be had: %s.", upstream->user,
                      failure.message);
        return;
    }
    rh_doctor_add(doctor, DOCTOR_CAPTURE, "own-session", DOCTOR_OK, NULL,
                  "A capture's own session, as role \"%s\", works.", upstream->user);
    capture->engine->close(connection);
}

static void add_address(struct doctor *doctor, const char *address)
{
    struct err failure = RH_ERR_INIT;

    if (address && rh_listen_check(address, &failure))
        rh_doctor_add_err(doctor, DOCTOR_CAPTURE, "listen", DOCTOR_PROBLEM, &failure);
    else if (address)
        rh_doctor_add(doctor, DOCTOR_CAPTURE, "listen", DOCTOR_OK, NULL,
                      "A capture can listen at \"%s\".", address);
}

/* --- a capture -------------------------------------------------------------------------------- */

static enum err_code ask(struct doctor *doctor, const struct doctor_capture *capture,
                         struct tls_context *shown, const struct url_upstream *upstream,
                         struct err *err)
{
    const struct pg_login_options login = {.user = upstream->user, .database = upstream->database};
    struct pg_probe_answer answer;
    enum err_code code = rh_pg_probe(&upstream->upstream, &login, shown, within(ASK_MAX_US),
                                     &answer, err);

    if (code)
        return code;

    const struct binding_facts facts = {
        .clients_can_encrypt = shown && !(capture->listen && rh_listen_is_path(capture->listen)),
        .clients_must_encrypt = capture->requires_client_tls,
        .server_is_encrypted = answer.is_encrypted,
        .asks_scram = answer.offers_scram,
        .offers_plus = answer.offers_plus,
        .has_end_point = answer.has_end_point,
        .has_same_certificate = answer.has_same_certificate};

    add_server_leg(doctor, upstream, &answer);
    add_client_leg(doctor, capture, &facts);
    add_login(doctor, upstream, &answer);
    add_binding(doctor, &facts, &answer);
    add_sessions(doctor);
    add_own_session(doctor, capture, upstream);
    return RH_OK;
}

enum err_code rh_doctor_capture(struct doctor *doctor, const struct doctor_capture *capture,
                                struct err *err)
{
    struct tls_context *shown = NULL;
    struct url_upstream upstream;
    struct err failure = RH_ERR_INIT;
    const char *what = "tls-cert";
    enum err_code code = RH_OK;

    rh_progress_phase(doctor->progress, "ask the server at --upstream");
    add_address(doctor, capture->listen);
    if (capture->client_tls)
        code = rh_tls_context_new_server(capture->client_tls, &shown, &failure);
    if (!code) {
        what = "upstream";
        code = capture->engine->describe_upstream(capture->url, doctor->arena, &upstream, &failure);
    }
    if (!code)
        code = ask(doctor, capture, shown, &upstream, &failure);
    rh_tls_context_free(shown);
    if (code && rh_interrupt_check(err))
        return err->code;
    if (code)
        rh_doctor_add_err(doctor, DOCTOR_CAPTURE, what, DOCTOR_PROBLEM, &failure);
    return RH_OK;
}

/* --- a snapshot ------------------------------------------------------------------------------- */

static enum err_code look_at_rights(struct doctor *doctor, const struct engine *engine,
                                    struct connection *connection, struct err *err)
{
    const struct source_options options = {.lock_timeout_us = LOCK_TIMEOUT_US};
    struct source_facts facts;
    struct source_lacks lacks = {0};
    enum err_code code = engine->source_begin(connection, &options, doctor->arena,
                                              within(ASK_MAX_US), &facts, err);

    if (!code)
        code = engine->source_lacks(connection, doctor->arena, within(RIGHTS_MAX_US), &lacks, err);
    if (code)
        return code;
    for (size_t i = 0; i < lacks.items.count; i++) {
        const struct source_lack *lack = &lacks.items.items[i];

        rh_doctor_add(doctor, DOCTOR_SNAPSHOT, "rights",
                      lack->is_large_object ? DOCTOR_NOTE : DOCTOR_PROBLEM, lack->remedy,
                      "Role \"%s\" may not read %s%s.", facts.role, lack->what,
                      lack->is_large_object ? "; --no-large-objects leaves them out" : "");
    }
    if (lacks.items.count == 0)
        rh_doctor_add(doctor, DOCTOR_SNAPSHOT, "rights", DOCTOR_OK, NULL,
                      "Role \"%s\" may read all of it, on a %s.", facts.role,
                      facts.is_standby ? "standby" : "primary (a standby would bear the reading)");
    return RH_OK;
}

enum err_code rh_doctor_source(struct doctor *doctor, const struct engine *engine, const char *url,
                               struct err *err)
{
    struct url_upstream upstream;
    struct connection *connection = NULL;
    struct err failure = RH_ERR_INIT;
    enum err_code code;

    rh_progress_phase(doctor->progress, "look at what the role of --from may read");
    code = engine->describe_upstream(url, doctor->arena, &upstream, &failure);
    if (!code) {
        const struct connection_parameters parameters = {.url = upstream.url,
                                                         .host = "the database of --from",
                                                         .application_name = "rehearse doctor"};

        code = engine->connect(&parameters, within(ASK_MAX_US), &connection, &failure);
    }
    if (!code)
        code = look_at_rights(doctor, engine, connection, &failure);
    if (connection)
        engine->close(connection);
    if (code && rh_interrupt_check(err))
        return err->code;
    if (code)
        rh_doctor_add_err(doctor, DOCTOR_SNAPSHOT, "from", DOCTOR_PROBLEM, &failure);
    return RH_OK;
}
