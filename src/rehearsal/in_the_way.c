#include "rehearsal/in_the_way.h"

#include "base/interrupt.h"

#include <stdio.h>
#include <stdlib.h>

/* Connecting, and taking a lock that nobody else holds. */
#define START_MAX_US (20 * INT64_C(1000000))
/* Between two looks at whether the lock is held. */
#define LOOK_US 2000

struct in_the_way {
    const struct engine *engine;
    struct loop *loop; /* of the statement that nobody waits for */
    struct connection *connection;
};

static void done(void *context, struct rows **rows, const struct err *err)
{
    (void)context;
    (void)rows;
    (void)err;
}

/* Lets what was sent go out, and time pass. */
static enum err_code turn(struct in_the_way *session, struct err *err)
{
    struct err passed = RH_ERR_INIT;
    enum err_code code = rh_loop_run(session->loop, rh_clock_after(rh_clock_mono(), LOOK_US),
                                     &passed);
    if (code == RH_OK || code == RH_ERR_TIMEOUT)
        return rh_interrupt_check(err);
    *err = passed;
    return code;
}

static enum err_code await_lock(struct in_the_way *session,
                                const struct connection_parameters *superuser, struct mono deadline,
                                struct err *err)
{
    const struct engine *engine = session->engine;
    struct connection *watching = NULL;
    char pid[24];
    const char *const parameters[] = {pid};
    enum err_code code = engine->connect(superuser, deadline, &watching, err);
    if (code)
        return code;
    snprintf(pid, sizeof(pid), "%lld", (long long)engine->backend_pid(session->connection));
    for (bool holds = false; !code && !holds;) {
        RH_CLEANUP_ROWS struct rows *rows = NULL;
        if ((code = turn(session, err)) ||
            (code = engine->ask(watching, ENGINE_QUERY_SESSION_LOCKS, parameters, 1, deadline,
                                &rows, err)))
            break;
        holds = rh_rows_count(rows) > 0 && rh_rows_int(rows, 0, 2, 0) > 0;
        if (!holds && rh_clock_passed(deadline))
            code = rh_err_set(err, RH_ERR_TIMEOUT, "the blocker did not get its lock");
    }
    engine->close(watching);
    return code;
}

enum err_code rh_in_the_way_start(const struct engine *engine,
                                  const struct connection_parameters *superuser,
                                  enum blocker_kind kind, const char *relation, int64_t duration_us,
                                  struct in_the_way **ret_session, struct err *err)
{
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct mono deadline = rh_clock_earlier(rh_clock_after(rh_clock_mono(), START_MAX_US),
                                            rh_interrupt_deadline());
    struct connection_parameters own = *superuser;
    struct in_the_way *session = calloc(1, sizeof(*session));
    const char *first, *then;
    if (!session)
        RH_PANIC("out of memory");
    session->engine = engine;
    own.application_name = rh_blocker_name(kind);
    engine->blocker_sql(arena, kind, relation, duration_us, &first, &then);

    enum err_code code = rh_loop_new(&session->loop, err);
    if (!code)
        code = engine->connect(&own, deadline, &session->connection, err);
    if (!code)
        code = engine->query(session->connection, first, NULL, 0, deadline, NULL, err);
    if (!code)
        code = engine->attach(session->connection, session->loop, err);
    if (!code && then)
        engine->send(session->connection, then, NULL, 0, done, NULL);
    if (!code)
        code = await_lock(session, superuser, deadline, err);
    if (code) {
        rh_err_while(err, "while a blocker (%s) was put on %s", rh_blocker_name(kind), relation);
        rh_in_the_way_end(session);
        return code;
    }
    *ret_session = session;
    return RH_OK;
}

void rh_in_the_way_end(struct in_the_way *session)
{
    if (!session)
        return;
    session->engine->close(session->connection);
    rh_loop_free(session->loop);
    free(session);
}
