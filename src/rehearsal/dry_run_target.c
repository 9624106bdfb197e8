#include "rehearsal/dry_run_int.h"

#include "base/interrupt.h"
#include "rehearsal/production_target.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>

#define CONNECT_MAX_US (30 * INT64_C(1000000))
#define ASK_MAX_US (30 * INT64_C(1000000))
/* A backend that its client left is gone within milliseconds, on a busy machine within tenths. */
#define ENDING_MAX_US INT64_C(1000000)
#define LOOK_EVERY_MS 20
#define MARKER_HINT                                                                              \
    "Only throw-away and staging databases: --rollback holds locks until its end. Name another " \
    "one "                                                                                       \
    "in --sandbox-url, or take a sandbox: leave --rollback out and give --snapshot or --schema."

enum err_code rh_dry_run_check_url(const struct engine *engine, const char *url,
                                   struct arena *arena, struct err *err)
{
    struct url_place ignored = {0};
    enum err_code code = engine->describe_url(url, arena, &ignored, err);

    if (code)
        rh_err_while(err, "while reading --sandbox-url");
    return code;
}

static enum err_code describe(struct dry_run *dry_run, struct url_place *ret_place, struct err *err)
{
    struct arena *arena = dry_run->arena;
    enum err_code code = dry_run->engine->describe_url(dry_run->options->url, arena, ret_place,
                                                       err);

    if (code)
        return code;
    dry_run->place = rh_arena_printf(arena, "%s%s%s", ret_place->hosts, ret_place->port ? ":" : "",
                                     ret_place->port ? ret_place->port : "");
    if (!dry_run->place[0])
        dry_run->place = "the local socket";
    dry_run->parameters = (struct connection_parameters){
        .url = dry_run->options->url, .host = dry_run->place, .application_name = "rehearse"};
    return RH_OK;
}

static enum err_code refuse(const struct dry_run *dry_run, struct err *err, const char *database,
                            const char *why, const char *hint)
{
    rh_err_set(err, RH_ERR_USAGE, "the database \"%s\" at %s is refused: %s", database,
               dry_run->place, why);
    rh_err_hint(err, "%s", hint);
    return RH_ERR_USAGE;
}

/* A session that is just ending is in the list for a moment longer: it is waited for. */
static enum err_code ask_target(struct dry_run *dry_run, struct rows **ret_rows, struct err *err)
{
    const struct engine *engine = dry_run->engine;
    const char *own = rh_arena_printf(dry_run->arena, "{%lld,%lld}",
                                      (long long)engine->backend_pid(dry_run->connection),
                                      (long long)engine->backend_pid(dry_run->watcher));
    struct mono until = rh_clock_after(rh_clock_mono(), ENDING_MAX_US);

    for (;;) {
        struct rows *rows = NULL;
        enum err_code code = engine->ask(dry_run->watcher, ENGINE_QUERY_TARGET, &own, 1,
                                         rh_clock_after(rh_clock_mono(), ASK_MAX_US), &rows, err);
        if (code)
            return code;
        if (rh_rows_int(rows, 0, TARGET_SESSIONS, 0) == 0 ||
            dry_run->options->allow_active_sessions || rh_clock_passed(until)) {
            *ret_rows = rows;
            return RH_OK;
        }
        rh_rows_free(rows);
        struct pollfd interrupt = {.fd = rh_interrupt_fd(), .events = POLLIN};
        (void)poll(&interrupt, 1, LOOK_EVERY_MS);
        if ((code = rh_interrupt_check(err)))
            return code;
    }
}

static enum err_code look_at_target(struct dry_run *dry_run, const struct url_place *place,
                                    struct err *err)
{
    struct arena *arena = dry_run->arena;
    RH_CLEANUP_ROWS struct rows *rows = NULL;
    enum err_code code = ask_target(dry_run, &rows, err);

    if (code)
        return code;
    const char *database = rh_arena_strdup(arena, rh_rows_value(rows, 0, TARGET_DATABASE));
    const struct production_patterns patterns = {dry_run->options->production,
                                                 dry_run->options->production_count};
    const char *why = rh_production_target_why(rows, place->hosts, &patterns, false, arena);
    if (why)
        return refuse(dry_run, err, database, why, MARKER_HINT);
    dry_run->other_sessions = rh_rows_int(rows, 0, TARGET_SESSIONS, 0);
    int64_t busy = rh_rows_int(rows, 0, TARGET_BUSY_SESSIONS, 0);
    if (dry_run->other_sessions > 0 && !dry_run->options->allow_active_sessions)
        return refuse(
            dry_run, err, database,
            rh_arena_printf(
                arena, "%lld other session%s in it%s (of %s)", (long long)dry_run->other_sessions,
                dry_run->other_sessions == 1 ? " is" : "s are",
                busy > 0 ? rh_arena_printf(arena, ", %lld of them at work", (long long)busy) : "",
                rh_rows_value(rows, 0, TARGET_ROLES)),
            "They would wait behind the migration's locks until it is rolled back. Close "
            "them, or accept it with --allow-active-sessions.");
    const char *version = rh_rows_value(rows, 0,
                                        TARGET_SERVER_VERSION); /* "15.20 (Debian 15.20-0)" */
    dry_run->rehearsal->result.fidelity.server_version = rh_arena_strndup(arena, version,
                                                                          strcspn(version, " "));
    dry_run->place = rh_arena_printf(arena, "\"%s\" at %s", database, dry_run->place);
    return RH_OK;
}

enum err_code rh_dry_run_open(struct dry_run *dry_run, struct err *err)
{
    const struct engine *engine = dry_run->engine;
    struct url_place place = {0};
    struct mono deadline = rh_clock_after(rh_clock_mono(), CONNECT_MAX_US);
    enum err_code code = describe(dry_run, &place, err);

    if (!code)
        code = engine->connect(&dry_run->parameters, deadline, &dry_run->connection, err);
    if (!code)
        code = engine->connect(&dry_run->parameters, deadline, &dry_run->watcher, err);
    /* What waits for a lock gives up; whatever is idle for long is our own doing. */
    if (!code)
        code = engine->query(dry_run->watcher,
                             "SET lock_timeout = '2s'; SET statement_timeout = '30s'; "
                             "SET default_transaction_read_only = on",
                             NULL, 0, deadline, NULL, err);
    if (!code)
        code = look_at_target(dry_run, &place, err);
    /* Since 14, where the server's system can; elsewhere it is refused. */
    struct err ignored = RH_ERR_INIT;
    if (!code)
        dry_run->can_check_client = !engine->query(dry_run->connection,
                                                   "SET client_connection_check_interval = '2s'",
                                                   NULL, 0, deadline, NULL, &ignored);
    return code;
}

void rh_dry_run_close(struct dry_run *dry_run)
{
    dry_run->engine->close(dry_run->connection);
    dry_run->engine->close(dry_run->watcher);
    dry_run->connection = dry_run->watcher = NULL;
    free(dry_run->held);
    dry_run->held = NULL;
}

void rh_dry_run_cancel(struct dry_run *dry_run)
{
    struct err ignored = RH_ERR_INIT;

    /* The request goes out before the wait for its answer, which the interrupt cuts short. */
    if (dry_run->connection && dry_run->watcher)
        (void)!dry_run->engine->query(
            dry_run->watcher,
            dry_run->engine->cancel_sql(dry_run->arena,
                                        dry_run->engine->backend_pid(dry_run->connection)),
            NULL, 0, rh_clock_after(rh_clock_mono(), ASK_MAX_US), NULL, &ignored);
}
