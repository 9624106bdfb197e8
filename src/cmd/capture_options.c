#include "cmd/capture_options.h"

const char *const rh_client_certificate_choices[] = {"optional", "required", NULL};

enum err_code rh_capture_tls(const struct options *options, struct tls_options *ret_tls,
                             struct err *err)
{
    if (!rh_option_text(options, "tls-cert") &&
        (rh_option_text(options, "tls-key") || rh_option_text(options, "tls-client-ca") ||
         rh_option_flag(options, "tls-required"))) {
        rh_err_set(err, RH_ERR_USAGE, "--tls-cert is missing");
        rh_err_hint(err, "TLS for clients needs a certificate to show them.");
        return RH_ERR_USAGE;
    }
    *ret_tls = (struct tls_options){
        .certificate_file = rh_option_text(options, "tls-cert"),
        .key_file = rh_option_text(options, "tls-key"),
        .root_file = rh_option_text(options, "tls-client-ca"),
        .peer_is_optional = rh_option_number(options, "tls-client-certs", 1) == 0,
    };
    return RH_OK;
}
