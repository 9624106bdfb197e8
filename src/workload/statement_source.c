#include "workload/statement_source.h"

#include "base/say.h"

#define CONNECT_US INT64_C(30000000)
#define READ_US INT64_C(120000000)

struct asking {
    struct arena *arena;
    struct statement_sums sums;
};

static void take(void *context, const struct engine_statement *statement)
{
    struct asking *asking = context;
    const struct statement_sum sum = {.query = statement->query,
                                      .calls = statement->calls,
                                      .total_us = statement->total_us,
                                      .rows = statement->rows,
                                      .min_us = statement->min_us,
                                      .max_us = statement->max_us};
    rh_statement_sums_add(&asking->sums, asking->arena, &sum);
}

static void add_notes(struct asking *asking, const struct engine_statements *statements)
{
    struct arena *arena = asking->arena;
    struct statement_sums *sums = &asking->sums;
    if (statements->hidden > 0)
        *RH_PUSH(arena, &sums->notes) = rh_arena_printf(
            arena, "the texts of %s are lost, or too long",
            rh_say_count(arena, statements->hidden, "statement"));
    if (statements->left_out > 0)
        *RH_PUSH(arena, &sums->notes) = rh_arena_printf(
            arena, "%s of the least time were left out",
            rh_say_count(arena, statements->left_out, "statement"));
    if (statements->forgotten > 0)
        *RH_PUSH(arena, &sums->notes) = rh_arena_printf(
            arena,
            "the server made room %s: of seldom statements it forgot the sums "
            "(pg_stat_statements.max)",
            rh_say_count(arena, statements->forgotten, "time"));
    if (statements->window_us < 0)
        *RH_PUSH(arena, &sums->notes) =
            "the server does not tell since when it counts (it does from PostgreSQL 14 and "
            "pg_stat_statements 1.9 on): only how often patterns run beside each other is known";
}

enum err_code rh_statement_sums_ask(const struct engine *engine, const char *url,
                                    struct arena *arena, struct statement_sums *ret_sums,
                                    struct err *err)
{
    struct asking asking = {.arena = arena, .sums = {.window_us = -1, .server_version = ""}};
    struct connection *connection = NULL;
    struct engine_statements statements;
    struct url_place place = {0};
    enum err_code code = engine->describe_url(url, arena, &place, err);
    if (code != RH_OK)
        return code;
    const struct connection_parameters parameters = {.url = url,
                                                     .host = place.hosts[0] ? place.hosts
                                                                            : "the local socket",
                                                     .application_name = "rehearse/statements"};
    code = engine->connect(&parameters, rh_clock_after(rh_clock_mono(), CONNECT_US), &connection,
                           err);
    if (code == RH_OK)
        code = engine->read_statements(connection, STATEMENT_SUMS_MAX,
                                       rh_clock_after(rh_clock_mono(), READ_US), take, &asking,
                                       arena, &statements, err);
    engine->close(connection);
    if (code != RH_OK)
        return code;
    if (statements.hidden > 0 && !statements.reads_all) {
        rh_err_set(err, RH_ERR_ENVIRONMENT,
                   "the role of the URL may not see the texts of %s of the database \"%s\"",
                   rh_say_count(arena, statements.hidden, "statement"), statements.database);
        rh_err_hint(err, "GRANT pg_read_all_stats TO that role; it needs nothing else.");
        return err->code;
    }
    rh_statement_sums_finish(&asking.sums);
    if (asking.sums.items.count == 0) {
        rh_err_set(err, RH_ERR_USAGE, "pg_stat_statements has no statement of the database \"%s\"",
                   statements.database);
        rh_err_hint(err, "Name the database of the application, and see that "
                         "pg_stat_statements.track is not \"none\".");
        return err->code;
    }
    asking.sums.window_us = statements.window_us;
    asking.sums.server_version = statements.server_version;
    add_notes(&asking, &statements);
    *ret_sums = asking.sums;
    return RH_OK;
}
