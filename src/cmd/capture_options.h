/*
 * Option rows of a capture's path that "rehearse doctor" takes as well, and what becomes of them.
 */
#ifndef RH_CMD_CAPTURE_OPTIONS_H
#define RH_CMD_CAPTURE_OPTIONS_H

#include "cmd/options.h"
#include "net/tls.h"

#define GROUP_PATH "Path"
#define GROUP_TLS "TLS of clients"

extern const char *const rh_client_certificate_choices[];

#define OPTION_ROW_UPSTREAM                                                                        \
    {                                                                                              \
        .name = "upstream", .kind = OPTION_TEXT, .value_name = "URL", .group = GROUP_PATH,         \
        .environment = "REHEARSE_UPSTREAM", .not_in_file = true, .is_common = true,                \
        .help = "The server that clients are forwarded to.",                                       \
        .details = "A URL or connection string as libpq takes them, with sslmode, sslrootcert, "   \
                   "sslcert and the rest for that leg. Clients log in for themselves; a user and " \
                   "a password in it serve to read the server's types (and its catalogue for "     \
                   "--masking), once, at the start. PG* variables are not looked at.",             \
    }
#define OPTION_ROW_LISTEN                                                                        \
    {                                                                                            \
        .name = "listen", .kind = OPTION_TEXT, .value_name = "ADDRESS", .group = GROUP_PATH,     \
        .environment = "REHEARSE_LISTEN", .is_common = true,                                     \
        .help = "Where clients connect: HOST:PORT or unix:PATH.",                                \
        .details =                                                                               \
            ":PORT is every address. A second capture may listen there too: stop the first one " \
            "then, and no connection is refused or cut.",                                        \
    }
#define OPTION_ROW_TLS_CERT                                                                  \
    {                                                                                        \
        .name = "tls-cert", .kind = OPTION_PATH, .value_name = "FILE", .group = GROUP_TLS,   \
        .environment = "REHEARSE_TLS_CERT",                                                  \
        .help = "Certificate shown to clients (PEM, with its chain).",                       \
        .details =                                                                           \
            "Without it clients get no TLS. Only with the server's own certificate and key " \
            "can clients bind SCRAM to the channel (channel_binding=require); "              \
            "docs/capture.md has the set-ups that work.",                                    \
    }
#define OPTION_ROW_TLS_KEY                                                                    \
    {                                                                                         \
        .name = "tls-key", .kind = OPTION_PATH, .value_name = "FILE", .group = GROUP_TLS,     \
        .environment = "REHEARSE_TLS_KEY", .help = "Its private key; readable by you alone.", \
    }
#define OPTION_ROW_TLS_REQUIRED                                                        \
    {                                                                                  \
        .name = "tls-required", .kind = OPTION_FLAG, .group = GROUP_TLS,               \
        .environment = "REHEARSE_TLS_REQUIRED", .help = "Refuse clients without TLS.", \
    }
#define OPTION_ROW_TLS_CLIENT_CA                                                                  \
    {                                                                                             \
        .name = "tls-client-ca", .kind = OPTION_PATH, .value_name = "FILE", .group = GROUP_TLS,   \
        .environment = "REHEARSE_TLS_CLIENT_CA",                                                  \
        .help = "Certificates of clients must lead to one of these.",                             \
        .details = "They are checked here and go no further: the server sees the certificate of " \
                   "--upstream (sslcert), if there is one.",                                      \
    }
#define OPTION_ROW_TLS_CLIENT_CERTS                                               \
    {                                                                             \
        .name = "tls-client-certs", .kind = OPTION_CHOICE, .value_name = "WHICH", \
        .choices = rh_client_certificate_choices, .group = GROUP_TLS,             \
        .environment = "REHEARSE_TLS_CLIENT_CERTS", .default_text = "required",   \
        .help = "With --tls-client-ca: optional or required.",                    \
    }

/* What --tls-cert and the rest say; *ret_tls without a certificate where there is no --tls-cert.
   RH_ERR_USAGE: options that do not go together. */
enum err_code rh_capture_tls(const struct options *options, struct tls_options *ret_tls,
                             struct err *err) RH_MUST_CHECK;

#endif
