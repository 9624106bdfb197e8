#include "rehearsal/production_target.h"

#include "rehearsal/production.h"

const char *rh_production_target_why(const struct rows *target, const char *hosts,
                                     const struct production_patterns *patterns, bool only_reads,
                                     struct arena *arena)
{
    const struct production_facts facts = {
        .database = rh_rows_value(target, 0, TARGET_DATABASE),
        .hosts = hosts,
        .setting = rh_rows_value(target, 0, TARGET_PRODUCTION_SETTING),
        .comment = rh_rows_value(target, 0, TARGET_COMMENT),
    };
    const char *why = rh_production_why(patterns->items, patterns->count, &facts, arena);
    if (why)
        return rh_arena_printf(arena, "%s, so it is production", why);
    if (!only_reads && rh_rows_bool(target, 0, TARGET_IS_STANDBY))
        return "it is a standby, which takes no writes";
    return NULL;
}

enum err_code rh_production_target_check(const struct engine *engine, const char *url,
                                         const struct production_patterns *patterns,
                                         bool only_reads, const char *hint, struct mono deadline,
                                         struct arena *arena, const char **ret_place,
                                         struct err *err)
{
    static const char *const nobody = "{}";
    struct url_place place = {0};
    struct connection *connection = NULL;
    RH_CLEANUP_ROWS struct rows *rows = NULL;
    enum err_code code = engine->describe_url(url, arena, &place, err);
    if (code)
        return code;
    const char *server = place.hosts[0]
                             ? rh_arena_printf(arena, "%s%s%s", place.hosts, place.port ? ":" : "",
                                               place.port ? place.port : "")
                             : "the local socket";
    const struct connection_parameters parameters = {
        .url = url, .host = server, .application_name = "rehearse"};
    code = engine->connect(&parameters, deadline, &connection, err);
    if (!code)
        code = engine->ask(connection, ENGINE_QUERY_TARGET, &nobody, 1, deadline, &rows, err);
    engine->close(connection);
    if (code)
        return code;
    const char *database = rh_arena_strdup(arena, rh_rows_value(rows, 0, TARGET_DATABASE));
    const char *why = rh_production_target_why(rows, place.hosts, patterns, only_reads, arena);
    if (why) {
        rh_err_set(err, RH_ERR_USAGE, "the database \"%s\" at %s is refused: %s", database, server,
                   why);
        rh_err_hint(err, "%s", hint);
        return RH_ERR_USAGE;
    }
    *ret_place = rh_arena_printf(arena, "\"%s\" at %s", database, server);
    return RH_OK;
}
