#include "snapshot/source.h"

#include <string.h>

#define LOCK_NOT_AVAILABLE "55P03" /* manual, appendix A */
#define CONNECT_MAX_US (30 * INT64_C(1000000))
/* Of the catalogue of a database with tens of thousands of tables. */
#define CATALOG_MAX_US (10 * 60 * INT64_C(1000000))

void rh_source_close(struct source *source)
{
    if (source->connection)
        source->engine->close(source->connection);
    source->connection = NULL;
}

int64_t rh_source_age_us(const struct source *source)
{
    return rh_clock_mono().us - source->began_at.us;
}

static struct mono within(int64_t us)
{
    return rh_clock_after(rh_clock_mono(), us);
}

/* The server that answered, and no other: a URL may name several, and a name lead to several. */
static void pin_server(struct source *source, const struct upstream *upstream)
{
    if (upstream)
        source->upstream = *upstream;
    source->host = (struct upstream_host){
        .name = source->place.host, .address = source->place.address, .port = source->place.port};
    source->upstream.hosts = &source->host;
    source->upstream.host_count = 1;
}

static const char *describe(const struct source *source, struct arena *arena)
{
    const struct connection_place *place = &source->place;
    const char *kind = source->facts.is_standby ? "standby" : "primary";

    if (place->is_socket)
        return rh_arena_printf(arena, "%s %s port %u/%s", kind, place->host, place->port,
                               place->database);
    return rh_arena_printf(arena, "%s %s:%u/%s", kind, place->host, place->port, place->database);
}

static enum err_code check_rights(struct source *source, const struct source_open_options *options,
                                  struct arena *arena, struct err *err)
{
    struct source_lacks found = {0};
    enum err_code code = options->engine->source_lacks(source->connection, arena,
                                                       within(CATALOG_MAX_US), &found, err);

    for (size_t i = 0; !code && i < found.items.count; i++)
        if (!options->no_large_objects || !found.items.items[i].is_large_object)
            *RH_PUSH(arena, &source->lacks.items) = found.items.items[i];
    if (code || source->lacks.items.count == 0)
        return code;
    rh_err_set(err, RH_ERR_ENVIRONMENT, "role \"%s\" may not read everything in %s",
               source->facts.role, source->name);
    for (size_t i = 0; i < source->lacks.items.count && i < 3; i++)
        rh_err_detail(err, "%s%s%s", err->detail, err->detail[0] ? "\n" : "",
                      source->lacks.items.items[i].what);
    return err->code;
}

static enum err_code open_source(struct source *source, const struct source_open_options *options,
                                 struct arena *arena, struct err *err)
{
    const struct engine *engine = options->engine;
    enum err_code code = engine->connect(&options->connection, within(CONNECT_MAX_US),
                                         &source->connection, err);

    if (code)
        return code;
    engine->place(source->connection, arena, &source->place);
    pin_server(source, options->upstream);
    source->began_at = rh_clock_mono();
    code = engine->source_begin(source->connection, &options->session, arena,
                                within(CONNECT_MAX_US), &source->facts, err);
    if (code)
        return code;
    source->name = describe(source, arena);
    rh_progress_phase(options->progress, "read the catalogue of %s", source->name);
    if ((code = check_rights(source, options, arena, err)))
        return code;
    code = engine->read_catalog(source->connection, arena, within(CATALOG_MAX_US), &source->catalog,
                                err);
    if (code && strcmp(err->sqlstate, LOCK_NOT_AVAILABLE) == 0)
        rh_err_hint(err, "Somebody changes a table at this moment. Try again later, or wait longer "
                         "with --lock-timeout.");
    return code;
}

enum err_code rh_source_open(const struct source_open_options *options, struct arena *arena,
                             struct source *ret_source, struct err *err)
{
    enum err_code code;

    *ret_source = (struct source){.engine = options->engine};
    code = open_source(ret_source, options, arena, err);
    if (code)
        rh_source_close(ret_source);
    return code;
}
