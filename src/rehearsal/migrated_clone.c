#include "rehearsal/migrated_clone.h"

#include "trace/perform.h"

/* The migration once more, where nobody looks. */
static enum err_code migrate(const struct rehearsal *rehearsal, struct sandbox *clone,
                             struct err *err)
{
    const struct performance_options options = {
        .sandbox = clone,
        .engine = rehearsal->options->sandbox.engine,
        .migration = &rehearsal->migration,
        .environment = rehearsal->options->environment,
        .no_isolation = rehearsal->options->no_isolation,
    };
    struct performance performance;
    enum err_code code = rh_perform(&options, NULL, rehearsal->arena, &performance, err);
    if (!code && !rh_performance_is_ok(&performance))
        code = rh_err_set(err, RH_ERR_SERVER, "the migration failed when it ran again");
    return code;
}

enum err_code rh_migrated_clone(const struct rehearsal *rehearsal, struct sandbox **ret_clone,
                                struct err *err)
{
    enum err_code code = rh_sandbox_clone(rehearsal->prepared, ret_clone, err);
    if (!code)
        code = migrate(rehearsal, *ret_clone, err);
    return code;
}

struct paired_place rh_migrated_place(const struct sandbox *clone, struct upstream_host *host,
                                      struct upstream *upstream)
{
    struct connection_parameters role = rh_sandbox_superuser(clone);
    *host = (struct upstream_host){.name = rh_sandbox_socket_path(clone)};
    *upstream = (struct upstream){.hosts = host, .host_count = 1, .tls_mode = TLS_MODE_DISABLE};
    return (struct paired_place){.upstream = upstream,
                                 .user = role.user,
                                 .database = role.database,
                                 .password = role.password};
}
