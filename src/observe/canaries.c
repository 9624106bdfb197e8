/*
 *             probe()                   answer, wanted: after 10 ms
 *   free ───────────────► waiting ◄──────────────────────────────── pausing
 *    ▲                      │ answer, not wanted any more
 *    └──────────────────────┘   (result kept; the connection serves the next relation)
 */
#include "observe/observer_int.h"

#include <stdio.h>
#include <string.h>

#define CANARY_PAUSE_US 10000
/* Sessions opened before the run: opening one blocks the loop, and the tap with it, for about 2 ms.
 */
#define CANARIES_PREPARED 4
#define CONNECT_TIMEOUT_US 2000000
/* At the end: an attempt whose lock was released is answered in well under a millisecond. */
#define LATE_ANSWER_US 100000

static void send_attempt(void *context);

static struct probe_result *result_of(struct canaries *canaries,
                                      const struct relation_record *record, bool is_write)
{
    for (size_t i = 0; i < canaries->results.count; i++) {
        struct probe_result *result = canaries->results.items[i];
        if (result->relation_id == record->facts.id && result->is_write == is_write)
            return result;
    }
    struct probe_result *result = RH_NEW(canaries->arena, struct probe_result);
    result->relation_id = record->facts.id;
    result->table = record->facts.table ? record->facts.table : record->facts.name;
    result->is_write = is_write;
    *RH_PUSH(canaries->arena, &canaries->results) = result;
    return result;
}

static void record(struct canary *canary, int64_t wait_us)
{
    struct probe_result *result = canary->result;

    result->attempts++;
    if (wait_us > PROBE_WAIT_US)
        result->waits++;
    if (wait_us > result->longest_wait_us) {
        result->longest_wait_us = wait_us;
        result->longest_at_us = canary->sent_wall.us;
    }
}

static void release(struct canary *canary)
{
    rh_loop_timer_stop(canary->timer);
    canary->result = NULL;
}

static void attempt_done(void *context, struct rows **rows, const struct err *err)
{
    struct canary *canary = context;

    (void)rows;
    canary->is_waiting = false;
    if (!canary->result)
        return;
    if (err && err->code != RH_ERR_SERVER) {
        /* Its session went (the server too, perhaps: then the observer hears of it elsewhere). */
        canary->observer->canaries.has_failed = true;
        record(canary, rh_clock_mono().us - canary->sent_at.us);
        release(canary);
        return;
    }
    record(canary, rh_clock_mono().us - canary->sent_at.us);
    /* Refused: the relation was renamed or dropped by a migration that has committed. A user's
       query would fail as well, after the same wait; there is nothing more to measure. */
    if (err || !canary->is_wanted || canary->observer->is_lost)
        release(canary);
    else
        rh_loop_timer_start(canary->timer, CANARY_PAUSE_US, 0);
}

static void send_attempt(void *context)
{
    struct canary *canary = context;
    struct observer *observer = canary->observer;

    if (!canary->result || canary->is_waiting)
        return;
    if (!canary->is_wanted || observer->is_lost) {
        release(canary);
        return;
    }
    canary->is_waiting = true;
    canary->sent_at = rh_clock_mono();
    canary->sent_wall = rh_clock_wall();
    observer->engine->send(canary->connection, canary->sql, NULL, 0, attempt_done, canary);
}

static enum err_code connect_canary(struct canary *canary, struct mono deadline, struct err *err)
{
    struct observer *observer = canary->observer;
    enum err_code code;

    code = rh_observer_connect(observer, "probe", observer->engine->probe_session_sql, deadline,
                               &canary->connection, err);
    if (!code && (code = observer->engine->attach(canary->connection, observer->loop, err))) {
        observer->engine->close(canary->connection);
        canary->connection = NULL;
    }
    return code;
}

/* A lost connection is replaced. */
static bool ensure_connected(struct canary *canary)
{
    struct observer *observer = canary->observer;
    struct err err = RH_ERR_INIT;

    if (canary->connection && observer->engine->server_version(canary->connection) == 0) {
        observer->engine->detach(canary->connection);
        observer->engine->close(canary->connection);
        canary->connection = NULL;
    }
    if (!canary->connection &&
        connect_canary(canary, rh_clock_after(rh_clock_mono(), CONNECT_TIMEOUT_US), &err)) {
        observer->canaries.has_failed = true;
        return false;
    }
    return true;
}

static size_t relations_probed(const struct canaries *canaries)
{
    size_t count = 0;

    for (size_t i = 0; i < CANARIES_MAX; i++) {
        const struct probe_result *result = canaries->items[i].result;
        bool is_first = result != NULL;
        for (size_t j = 0; is_first && j < i; j++)
            if (canaries->items[j].result &&
                canaries->items[j].result->relation_id == result->relation_id)
                is_first = false;
        count += is_first;
    }
    return count;
}

static bool is_probed(const struct canaries *canaries, int64_t relation_id)
{
    for (size_t i = 0; i < CANARIES_MAX; i++)
        if (canaries->items[i].result && canaries->items[i].result->relation_id == relation_id)
            return true;
    return false;
}

static void begin(struct observer *observer, const struct relation_record *record, bool is_write,
                  char *(*make_sql)(struct arena *arena, const char *relation))
{
    struct canaries *canaries = &observer->canaries;
    struct canary *chosen = NULL;

    for (size_t i = 0; i < CANARIES_MAX; i++) {
        struct canary *canary = &canaries->items[i];
        if (canary->result && canary->result->relation_id == record->facts.id &&
            canary->result->is_write == is_write) {
            canary->is_wanted = true;
            return;
        }
        /* a free one, connected before if there is one */
        if (!canary->result && !canary->is_waiting &&
            (!chosen || (!chosen->connection && canary->connection)))
            chosen = canary;
    }
    if (!chosen || (!is_probed(canaries, record->facts.id) &&
                    relations_probed(canaries) >= PROBED_RELATIONS_MAX)) {
        canaries->is_capped = true;
        return;
    }
    if (!ensure_connected(chosen))
        return;
    chosen->result = result_of(canaries, record, is_write);
    chosen->sql = make_sql(observer->arena, record->name_now);
    chosen->is_wanted = true;
    send_attempt(chosen);
}

/* --- public
 * ---------------------------------------------------------------------------------------- */

void rh_observer_probe(struct observer *observer, int64_t relation_id, bool reads, bool writes)
{
    const struct engine *engine = observer->engine;
    const struct relation_record *record = rh_relation_map_find(&observer->relations, relation_id);

    /* users reach a TOAST table through its table only */
    if (record && !strcmp(record->facts.kind, "toast table"))
        record = rh_relation_map_find(&observer->relations, record->facts.table_id);
    if (!record || observer->is_lost || !record->facts.preexisting || record->facts.is_system)
        return;
    if (!strcmp(record->facts.kind, "table")) {
        if (reads)
            begin(observer, record, false, engine->probe_read_sql);
        if (writes)
            begin(observer, record, true, engine->probe_write_sql);
    } else if (!strcmp(record->facts.kind, "index")) {
        /* Reads and writes of its table open it with locks that only ACCESS EXCLUSIVE blocks, so
           one canary stands for both. */
        if (reads || writes)
            begin(observer, record, false, engine->probe_object_sql);
    } else if (!strcmp(record->facts.kind, "materialized view") ||
               !strcmp(record->facts.kind, "view")) {
        if (reads)
            begin(observer, record, false, engine->probe_object_sql);
    }
}

void rh_observer_probe_end(struct observer *observer, int64_t relation_id)
{
    const struct relation_record *record = rh_relation_map_find(&observer->relations, relation_id);

    if (record && !strcmp(record->facts.kind, "toast table"))
        relation_id = record->facts.table_id;
    for (size_t i = 0; i < CANARIES_MAX; i++) {
        struct canary *canary = &observer->canaries.items[i];
        if (!canary->result || canary->result->relation_id != relation_id || !canary->is_wanted)
            continue;
        canary->is_wanted = false;
        canary->ended_at = rh_clock_mono();
        if (!canary->is_waiting)
            release(canary);
    }
}

void rh_canaries_init(struct observer *observer)
{
    observer->canaries.arena = observer->arena;
    for (size_t i = 0; i < CANARIES_MAX; i++) {
        struct canary *canary = &observer->canaries.items[i];
        canary->observer = observer;
        canary->timer = rh_loop_timer_new(observer->loop, send_attempt, canary);
    }
}

enum err_code rh_canaries_prepare(struct observer *observer, struct mono deadline, struct err *err)
{
    enum err_code code = RH_OK;

    for (size_t i = 0; i < CANARIES_PREPARED && !code; i++)
        code = connect_canary(&observer->canaries.items[i], deadline, err);
    return code;
}

static void disconnect(struct canary *canary)
{
    if (canary->connection) {
        canary->observer->engine->detach(canary->connection);
        canary->observer->engine->close(canary->connection);
        canary->connection = NULL;
    }
}

void rh_canaries_deinit(struct observer *observer)
{
    for (size_t i = 0; i < CANARIES_MAX; i++) {
        disconnect(&observer->canaries.items[i]);
        rh_loop_timer_free(observer->canaries.items[i].timer);
    }
}

void rh_canaries_stop(struct observer *observer)
{
    for (size_t i = 0; i < CANARIES_MAX; i++) {
        struct canary *canary = &observer->canaries.items[i];
        canary->is_wanted = false;
        if (canary->result && !canary->is_waiting)
            release(canary);
    }
}

void rh_canaries_finish(struct observer *observer, struct connection *control, struct mono deadline)
{
    const struct engine *engine = observer->engine;
    struct mono now = rh_clock_mono();

    rh_canaries_stop(observer);
    for (size_t i = 0; i < CANARIES_MAX; i++) {
        struct canary *canary = &observer->canaries.items[i];
        struct probe_result *result = canary->result;
        struct probe_result before;
        struct err ignored = RH_ERR_INIT;
        struct mono until = rh_clock_earlier(rh_clock_after(rh_clock_mono(), LATE_ANSWER_US),
                                             deadline);

        if (!result || !canary->is_waiting)
            continue;
        /* An answer that came while nobody ran the loop is old: it counts to the end of probing. */
        before = *result;
        int64_t wait_us = (canary->ended_at.us > canary->sent_at.us ? canary->ended_at.us
                                                                    : now.us) -
                          canary->sent_at.us;
        bool is_granted = !engine->query(canary->connection, "SELECT 1", NULL, 0, until, NULL,
                                         &ignored);
        if (!is_granted) {
            char *sql = engine->cancel_sql(observer->scratch,
                                           engine->backend_pid(canary->connection));
            if (control)
                (void)!engine->query(control, sql, NULL, 0, deadline, NULL, &ignored);
            wait_us = now.us - canary->sent_at.us;
        }
        disconnect(canary);
        *result = before;
        canary->result = result;
        record(canary, wait_us > 0 ? wait_us : 0);
        result->gave_up = !is_granted;
        canary->result = NULL;
        canary->is_waiting = false;
    }
}

/* The statement that ran when the wait began, or else the first to begin during it. */
static int statement_at(const struct trace *trace, int64_t from_us, int64_t to_us)
{
    for (size_t i = 0; i < trace->statements.count; i++) {
        const struct statement *statement = &trace->statements.items[i];
        int64_t end_us = statement->finished ? statement->start_us + statement->duration_us
                                             : INT64_MAX;
        if (statement->start_us < to_us && end_us > from_us)
            return statement->index;
    }
    return 0;
}

void rh_canaries_report(const struct observer *observer, struct trace *trace)
{
    const struct canaries *canaries = &observer->canaries;

    for (size_t i = 0; i < canaries->results.count; i++) {
        const struct probe_result *result = canaries->results.items[i];
        struct probe *probe = NULL;
        for (size_t j = 0; j < trace->probes.count && !probe; j++)
            if (!strcmp(trace->probes.items[j].relation, result->table) &&
                trace->probes.items[j].is_write == result->is_write)
                probe = &trace->probes.items[j];
        if (!probe) {
            probe = RH_PUSH(trace->arena, &trace->probes);
            probe->relation = rh_arena_strdup(trace->arena, result->table);
            probe->is_write = result->is_write;
        }
        probe->attempts += result->attempts;
        probe->waits += result->waits;
        probe->gave_up |= result->gave_up;
        if (result->longest_wait_us > probe->longest_wait_us) {
            probe->longest_wait_us = result->longest_wait_us;
            probe->longest_at_us = result->longest_at_us - trace->started_at.us;
            probe->statement = statement_at(trace, probe->longest_at_us,
                                            probe->longest_at_us + result->longest_wait_us);
        }
    }
    if (canaries->is_capped)
        *RH_PUSH(trace->arena, &trace->not_observed) = rh_arena_printf(
            trace->arena,
            "More than %d relations were locked at the same time: waits were measured on the first "
            "%d alone.",
            PROBED_RELATIONS_MAX, PROBED_RELATIONS_MAX);
    if (canaries->has_failed)
        *RH_PUSH(trace->arena, &trace->not_observed) = rh_arena_strdup(
            trace->arena, "A probing session could not connect or was ended: some waits were not "
                          "measured.");
}
