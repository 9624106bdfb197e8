#include "snapshot/create_int.h"

#include "snapshot/place.h"

#define CONNECT_MAX_US (30 * INT64_C(1000000))

/* Estimates of rows and of what values look like come from here. */
static enum err_code analyze(const struct creation *creation, struct err *err)
{
    const struct engine *engine = creation->options->sandbox.engine;
    struct connection *connection = NULL;
    enum err_code code = engine->connect(
        &creation->connection, rh_clock_after(rh_clock_mono(), CONNECT_MAX_US), &connection, err);

    if (!code)
        code = engine->query(connection, "ANALYZE", NULL, 0, RH_NEVER, NULL, err);
    engine->close(connection);
    return code;
}

enum err_code rh_creation_import(struct creation *creation, struct err *err)
{
    const struct snapshot_options *options = creation->options;
    struct sandbox_options sandbox = options->sandbox;
    enum err_code code;

    if (rh_snapshot_is_own(options->archive)) {
        rh_err_set(err, RH_ERR_USAGE, "\"%s\" is a snapshot already", options->archive);
        rh_err_hint(err, "\"rehearse run --snapshot\" takes it as it is.");
        return RH_ERR_USAGE;
    }
    sandbox.preferred_major = rh_sandbox_snapshot_major(options->archive);
    rh_progress_phase(sandbox.progress, "restore %s into a private sandbox", options->archive);
    if ((code = rh_sandbox_start(&sandbox, &creation->import, err)) ||
        (code = rh_sandbox_load_snapshot(creation->import, options->archive, err)))
        return code;
    creation->connection = rh_sandbox_superuser(creation->import);
    return analyze(creation, err);
}
