#include "observe/observer_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A boundary read is answered in a millisecond; the tap holds the client meanwhile. Ten seconds
   without an answer mean a server that hangs, and a run that must end. */
#define ANSWER_TIMEOUT_US 10000000
#define WATCHDOG_US 1000000
/* Tables that may be empty are read before the run, at most so many (0.1 ms each). */
#define EMPTINESS_READS_MAX 5000

/* --- connections
 * ----------------------------------------------------------------------------------- */

enum err_code rh_observer_connect(struct observer *observer, const char *role,
                                  const char *session_sql, struct mono deadline,
                                  struct connection **ret_connection, struct err *err)
{
    struct connection_parameters parameters = observer->superuser;
    struct connection *connection = NULL;
    char name[64];
    enum err_code code;

    snprintf(name, sizeof(name), "rehearse/%s", role);
    parameters.application_name = name;
    if ((code = observer->engine->connect(&parameters, deadline, &connection, err)))
        return code;
    if (session_sql &&
        (code = observer->engine->query(connection, session_sql, NULL, 0, deadline, NULL, err))) {
        observer->engine->close(connection);
        return code;
    }
    *ret_connection = connection;
    return RH_OK;
}

static enum err_code open_session(struct observer *observer, const char *role,
                                  struct connection **slot, struct mono deadline, struct err *err)
{
    return rh_observer_connect(observer, role, observer->engine->observer_session_sql, deadline,
                               slot, err);
}

/* --- requests
 * -------------------------------------------------------------------------------------- */

static struct observer_request *request_new(struct observer *observer, void *context)
{
    struct observer_request *request = calloc(1, sizeof(*request));

    if (!request)
        RH_PANIC("out of memory for a request");
    request->observer = observer;
    request->context = context;
    request->asked_at = rh_clock_mono();
    request->next = observer->requests;
    observer->requests = request;
    return request;
}

static void request_free(struct observer_request *request)
{
    struct observer_request **link = &request->observer->requests;

    while (*link != request)
        link = &(*link)->next;
    *link = request->next;
    free(request->horizon);
    free(request);
}

static void answer_nothing(struct observer_request *request)
{
    request->is_answered = true;
    if (request->boundary)
        request->boundary(request->context, NULL);
    else
        request->storage(request->context, NULL, 0, false);
}

/* Answers what is pending; callbacks may ask again (those answers are due next time). */
static void answer_all_with_nothing(struct observer *observer)
{
    struct observer_request *found;

    do {
        found = NULL;
        for (struct observer_request *r = observer->requests; r; r = r->next)
            if (!r->is_answered)
                found = r; /* the oldest: the list is newest first */
        if (found) {
            bool is_sent = found->is_sent;
            answer_nothing(found);
            if (!is_sent)
                request_free(found);
        }
    } while (found);
}

static void answers_due(void *context)
{
    answer_all_with_nothing(context);
}

void rh_observer_lose(struct observer *observer, const struct err *err)
{
    if (observer->is_lost)
        return;
    observer->is_lost = true;
    rh_sampler_stop(observer);
    rh_canaries_stop(observer);
    rh_loop_timer_stop(observer->watchdog);
    if (observer->handler.lost)
        observer->handler.lost(observer->handler.context, err);
    rh_loop_timer_start(observer->due, 0, 0);
}

static void watch(void *context)
{
    struct observer *observer = context;
    int64_t now = rh_clock_mono().us;
    bool is_stuck = rh_sampler_is_stuck(observer, ANSWER_TIMEOUT_US);

    for (struct observer_request *r = observer->requests; r; r = r->next)
        is_stuck |= !r->is_answered && now - r->asked_at.us > ANSWER_TIMEOUT_US;
    if (is_stuck) {
        struct err err = RH_ERR_INIT;
        rh_err_set(&err, RH_ERR_TIMEOUT, "the server did not answer the observer in 10 s");
        rh_observer_lose(observer, &err);
    }
}

/* What an error means to a request: RH_ERR_SERVER is one refused question, all else the end. */
static bool note_error(struct observer *observer, const struct err *err)
{
    if (err && err->code != RH_ERR_SERVER)
        rh_observer_lose(observer, err);
    return err != NULL || observer->is_lost;
}

/* --- boundary reads
 * -------------------------------------------------------------------------------- */

enum boundary_column { /* of ENGINE_QUERY_BOUNDARY */
                       BOUNDARY_WAL_POSITION,
                       BOUNDARY_CLOCK,
                       BOUNDARY_HORIZON,
                       BOUNDARY_LOCKS
};

/* "16400 AccessExclusiveLock,16407 ShareLock": what the session holds, without what our own
   evidence reads. False: not readable. */
static bool boundary_locks(struct observer *observer, const char *text, int64_t pid,
                           struct boundary *boundary)
{
    struct text rest = rh_text(text ? text : "");
    size_t max = 1;
    for (size_t i = 0; i < rest.len; i++)
        max += rest.data[i] == ',';
    struct observed_lock *locks = rh_arena_alloc_array(observer->scratch, max, sizeof(*locks));

    boundary->locks = locks;
    while (rest.len > 0) {
        int64_t id;
        if (!rh_text_take_int64(&rest, &id) || rest.len == 0 || *rest.data != ' ')
            return false;
        const char *comma = memchr(rest.data, ',', rest.len);
        struct text mode = {rest.data + 1,
                            (size_t)((comma ? comma : rest.data + rest.len) - rest.data) - 1};
        size_t used = mode.len + 1 + (comma ? 1 : 0);
        rest.data += used;
        rest.len -= used;
        const struct relation_record *relation = rh_relation_map_find(&observer->relations, id);
        if (relation && relation->facts.is_system && rh_text_is(mode, "AccessShareLock"))
            continue;
        locks[boundary->lock_count++] = (struct observed_lock){
            .pid = pid,
            .relation_id = id,
            .mode = rh_text_dup(observer->scratch, mode),
            .granted = true,
            .is_ours = true};
    }
    return true;
}

static void boundary_done(void *context, struct rows **rows, const struct err *err)
{
    struct observer_request *request = context;
    struct observer *observer = request->observer;
    struct boundary boundary = {0};
    boundary_fn *fn = request->boundary;
    void *fn_context = request->context;
    int64_t pid = request->pid;
    bool is_answered = request->is_answered;

    request_free(request);
    if (is_answered)
        return;
    rh_arena_clear(observer->scratch);
    if (note_error(observer, err) || rh_rows_count(*rows) != 1 ||
        !boundary_locks(observer, rh_rows_value(*rows, 0, BOUNDARY_LOCKS), pid, &boundary)) {
        fn(fn_context, NULL);
        return;
    }
    boundary.wal_position = rh_rows_int(*rows, 0, BOUNDARY_WAL_POSITION, 0);
    boundary.server_clock_us = rh_rows_int(*rows, 0, BOUNDARY_CLOCK, 0);
    fn(fn_context, &boundary);
}

static void ask_boundary(struct observer *observer, enum engine_query query, int64_t pid,
                         boundary_fn *fn, void *context)
{
    struct observer_request *request = request_new(observer, context);
    char text[24];
    const char *parameters[] = {text};

    request->boundary = fn;
    request->pid = pid;
    if (observer->is_lost) {
        rh_loop_timer_start(observer->due, 0, 0);
        return;
    }
    snprintf(text, sizeof(text), "%lld", (long long)pid);
    request->is_sent = true;
    observer->engine->send_query(observer->boundary, query, parameters,
                                 query == ENGINE_QUERY_BOUNDARY ? 1 : 0, boundary_done, request);
}

void rh_observer_read_boundary(struct observer *observer, int64_t pid, boundary_fn *fn,
                               void *context)
{
    ask_boundary(observer, ENGINE_QUERY_BOUNDARY, pid, fn, context);
}

void rh_observer_read_position(struct observer *observer, boundary_fn *fn, void *context)
{
    ask_boundary(observer, ENGINE_QUERY_POSITION, 0, fn, context);
}

/* --- relations
 * ------------------------------------------------------------------------------------- */

enum relation_column { /* of ENGINE_QUERY_RELATIONS */
                       RELATION_ID,
                       RELATION_NAME,
                       RELATION_KIND,
                       RELATION_TABLE_ID,
                       RELATION_TABLE_NAME,
                       RELATION_STORAGE_ID,
                       RELATION_ROWS,
                       RELATION_BYTES,
                       RELATION_IS_SYSTEM,
                       RELATION_TABLE_ROWS /* of ENGINE_QUERY_RELATIONS_CHANGED alone */
};

static const char *copied(struct observer *observer, const struct rows *rows, size_t row,
                          size_t column)
{
    const char *value = rh_rows_value(rows, row, column);

    return value ? rh_arena_strdup(observer->arena, value) : NULL;
}

static struct relation_record *learn(struct observer *observer, const struct rows *rows, size_t row,
                                     bool preexisting)
{
    struct relation_record *record = rh_relation_map_add(&observer->relations,
                                                         rh_rows_int(rows, row, RELATION_ID, 0));
    struct observed_relation *facts = &record->facts;

    facts->name = copied(observer, rows, row, RELATION_NAME);
    facts->kind = copied(observer, rows, row, RELATION_KIND);
    facts->table_id = rh_rows_int(rows, row, RELATION_TABLE_ID, facts->id);
    facts->table = copied(observer, rows, row, RELATION_TABLE_NAME);
    if (!facts->table)
        facts->table = facts->name;
    facts->storage_id = rh_rows_int(rows, row, RELATION_STORAGE_ID, 0);
    facts->rows_estimate = rh_rows_int(rows, row, RELATION_ROWS, NOT_OBSERVED);
    facts->rows_now = facts->rows_estimate;
    facts->bytes = rh_rows_int(rows, row, RELATION_BYTES, 0);
    facts->is_system = rh_rows_bool(rows, row, RELATION_IS_SYSTEM);
    facts->preexisting = preexisting;
    record->name_now = facts->name;
    return record;
}

/* An estimate above zero comes from an ANALYZE that saw rows; else the table is read. */
static void read_emptiness(struct observer *observer, struct relation_record *record,
                           struct mono deadline)
{
    struct observed_relation *facts = &record->facts;
    struct rows *rows RH_CLEANUP_ROWS = NULL;
    struct err ignored = RH_ERR_INIT;
    char *sql = observer->engine->any_row_sql(observer->scratch, facts->name);

    /* Refused (a broken view's table, a missing function): not proven empty. */
    if (!observer->engine->query(observer->catalogue, sql, NULL, 0, deadline, &rows, &ignored))
        facts->is_empty = rh_rows_count(rows) == 0;
}

static enum err_code read_relations(struct observer *observer, struct mono deadline,
                                    struct err *err)
{
    const struct engine *engine = observer->engine;
    struct rows *boundary RH_CLEANUP_ROWS = NULL;
    struct rows *rows RH_CLEANUP_ROWS = NULL;
    size_t reads = 0;
    enum err_code code;

    if ((code = engine->ask(observer->catalogue, ENGINE_QUERY_POSITION, NULL, 0, deadline,
                            &boundary, err)))
        return code;
    if (rh_rows_count(boundary) != 1 || !rh_rows_value(boundary, 0, BOUNDARY_HORIZON))
        return rh_err_set(err, RH_ERR_SERVER, "the server gave no transaction horizon");
    observer->horizon = rh_arena_strdup(observer->arena,
                                        rh_rows_value(boundary, 0, BOUNDARY_HORIZON));
    if ((code = engine->ask(observer->catalogue, ENGINE_QUERY_RELATIONS, NULL, 0, deadline, &rows,
                            err)))
        return code;
    for (size_t i = 0; i < rh_rows_count(rows); i++) {
        struct relation_record *record = learn(observer, rows, i, true);
        const struct observed_relation *facts = &record->facts;
        if (!facts->is_system && facts->rows_estimate <= 0 && reads < EMPTINESS_READS_MAX &&
            (!strcmp(facts->kind, "table") || !strcmp(facts->kind, "materialized view"))) {
            read_emptiness(observer, record, deadline);
            reads++;
        }
    }
    rh_arena_clear(observer->scratch);
    return RH_OK;
}

const struct observed_relation *rh_observer_find(const struct observer *observer,
                                                 int64_t relation_id)
{
    const struct relation_record *record = rh_relation_map_find(&observer->relations, relation_id);

    return record ? &record->facts : NULL;
}

/* public."a.b" is the table a.b of a message. */
bool rh_observed_is_named(const struct observed_relation *relation, const char *bare)
{
    const char *qualified = relation->name;
    size_t len = strlen(qualified), bare_len = strlen(bare);
    if (len > bare_len && qualified[len - 1] != '"')
        return qualified[len - bare_len - 1] == '.' &&
               strcmp(qualified + len - bare_len, bare) == 0;
    size_t at = len;
    const char *end = bare + bare_len;
    if (at > 0)
        at--; /* the quote that ends it */
    while (end > bare) {
        char wanted = *--end;
        if (at < 1 || qualified[--at] != wanted)
            return false;
        if (wanted == '"' && (at < 1 || qualified[--at] != '"'))
            return false;
    }
    return at >= 2 && qualified[at - 1] == '"' && qualified[at - 2] == '.';
}

const struct observed_relation *rh_observer_find_bare(const struct observer *observer,
                                                      const char *bare)
{
    const struct relation_map *map = &observer->relations;
    const struct observed_relation *found = NULL;

    for (size_t i = 0; i < map->capacity; i++) {
        const struct observed_relation *facts = map->slots[i] ? &map->slots[i]->facts : NULL;

        if (!facts || facts->is_system || facts->table_id != facts->id ||
            !rh_observed_is_named(facts, bare))
            continue;
        if (found)
            return NULL;
        found = facts;
    }
    return found;
}

void rh_observer_learn(struct observer *observer, int64_t relation_id, const char *kind,
                       const char *name, int64_t table_id, const char *table)
{
    if (rh_relation_map_find(&observer->relations, relation_id))
        return;
    struct relation_record *record = rh_relation_map_add(&observer->relations, relation_id);
    record->name_now = rh_arena_strdup(observer->arena, name);
    record->facts.name = record->name_now;
    record->facts.kind = kind ? rh_arena_strdup(observer->arena, kind) : NULL;
    record->facts.table_id = table_id != 0 ? table_id : relation_id;
    record->facts.table = table ? rh_arena_strdup(observer->arena, table) : record->facts.name;
    record->facts.rows_estimate = record->facts.rows_now = NOT_OBSERVED;
}

/* --- storage reads
 * --------------------------------------------------------------------------------- */

/* True when the relation had other storage at the last read. */
static bool update(struct observer *observer, const struct rows *rows, size_t row,
                   struct storage_change *change)
{
    int64_t id = rh_rows_int(rows, row, RELATION_ID, 0);
    int64_t storage_id = rh_rows_int(rows, row, RELATION_STORAGE_ID, 0);
    const char *name = rh_rows_value(rows, row, RELATION_NAME);
    struct relation_record *record = rh_relation_map_find(&observer->relations, id);

    if (!record) {
        (void)learn(observer, rows, row, false);
        return false;
    }
    if (name && strcmp(name, record->name_now)) {
        record->name_now = rh_arena_strdup(observer->arena, name);
        if (!record->facts.preexisting) {
            if (record->facts.table == record->facts.name)
                record->facts.table = record->name_now;
            record->facts.name = record->name_now;
        }
    }
    if (storage_id == record->facts.storage_id)
        return false;
    bool is_rewrite = storage_id && record->facts.storage_id;
    record->facts.storage_id = storage_id;
    *change = (struct storage_change){
        .relation_id = id,
        .name = record->facts.name,
        .kind = record->facts.kind,
        .preexisting = record->facts.preexisting,
        .bytes = rh_rows_int(rows, row, RELATION_BYTES, NOT_OBSERVED)};
    return is_rewrite;
}

static void storage_done(void *context, struct rows **rows, const struct err *err)
{
    struct observer_request *request = context;
    struct observer *observer = request->observer;
    storage_fn *fn = request->storage;
    void *fn_context = request->context;
    struct storage_change *changes;
    size_t count = 0;

    if (request->is_answered) {
        request_free(request);
        return;
    }
    if (note_error(observer, err) || !request->horizon) {
        request_free(request);
        fn(fn_context, NULL, 0, false);
        return;
    }
    observer->horizon = rh_arena_strdup(observer->arena, request->horizon);
    request_free(request);
    rh_arena_clear(observer->scratch);
    changes = rh_arena_alloc_array(observer->scratch, rh_rows_count(*rows), sizeof(*changes));
    for (size_t i = 0; i < rh_rows_count(*rows); i++)
        count += update(observer, *rows, i, &changes[count]);
    for (size_t i = 0; i < rh_rows_count(*rows); i++) {
        struct relation_record *table = rh_relation_map_find(
            &observer->relations, rh_rows_int(*rows, i, RELATION_TABLE_ID, 0));
        if (table)
            table->facts.rows_now = rh_rows_int(*rows, i, RELATION_TABLE_ROWS, NOT_OBSERVED);
    }
    fn(fn_context, changes, count, true);
}

/* The horizon of the next read is taken before this one looks: what commits between is seen twice.
 */
static void horizon_done(void *context, struct rows **rows, const struct err *err)
{
    struct observer_request *request = context;

    if (note_error(request->observer, err) || rh_rows_count(*rows) != 1)
        return;
    const char *horizon = rh_rows_value(*rows, 0, BOUNDARY_HORIZON);
    request->horizon = horizon ? strdup(horizon) : NULL;
}

void rh_observer_read_storage(struct observer *observer, storage_fn *fn, void *context)
{
    struct observer_request *request = request_new(observer, context);
    const char *since[] = {observer->horizon};

    request->storage = fn;
    if (observer->is_lost) {
        rh_loop_timer_start(observer->due, 0, 0);
        return;
    }
    request->is_sent = true;
    observer->engine->send_query(observer->catalogue, ENGINE_QUERY_POSITION, NULL, 0, horizon_done,
                                 request);
    observer->engine->send_query(observer->catalogue, ENGINE_QUERY_RELATIONS_CHANGED, since, 1,
                                 storage_done, request);
}

/* --- life cycle
 * ------------------------------------------------------------------------------------ */

static const char *kept(struct arena *arena, const char *s)
{
    return s ? rh_arena_strdup(arena, s) : NULL;
}

static enum err_code read_state_before(struct observer *observer, struct mono deadline,
                                       struct err *err)
{
    const struct engine *engine = observer->engine;
    struct rows *leftovers RH_CLEANUP_ROWS = NULL;
    struct rows *size RH_CLEANUP_ROWS = NULL;
    enum err_code code;

    if ((code = read_relations(observer, deadline, err)) ||
        (code = engine->ask(observer->catalogue, ENGINE_QUERY_LEFTOVERS, NULL, 0, deadline,
                            &leftovers, err)) ||
        (code = engine->ask(observer->catalogue, ENGINE_QUERY_DATABASE_SIZE, NULL, 0, deadline,
                            &size, err)))
        return code;
    for (size_t i = 0; i < rh_rows_count(leftovers); i++) {
        struct leftover_fact *fact = RH_PUSH(observer->arena, &observer->leftovers_before);
        fact->kind = copied(observer, leftovers, i, 0);
        fact->identity = copied(observer, leftovers, i, 1);
    }
    observer->database_bytes_before = rh_rows_int(size, 0, 0, NOT_OBSERVED);
    return RH_OK;
}

static enum err_code open_all(struct observer *observer, const char *secret, struct mono deadline,
                              struct err *err)
{
    const struct engine *engine = observer->engine;
    enum err_code code;

    if ((code = open_session(observer, "catalogue", &observer->catalogue, deadline, err)))
        return code;
    if ((engine->features & ENGINE_INSIDE_EVIDENCE) &&
        (code = engine->install_evidence(observer->catalogue, secret, deadline, err)))
        return code;
    if ((code = read_state_before(observer, deadline, err)) ||
        (code = open_session(observer, "observer", &observer->boundary, deadline, err)) ||
        (code = open_session(observer, "sampler", &observer->sampling, deadline, err)))
        return code;
    /* Planned before the migration's first statement is held for one. */
    const char *nobody[] = {"0"}, *none[] = {"{}"};
    if ((code = engine->ask(observer->boundary, ENGINE_QUERY_BOUNDARY, nobody, 1, deadline, NULL,
                            err)) ||
        (code = engine->ask(observer->boundary, ENGINE_QUERY_POSITION, NULL, 0, deadline, NULL,
                            err)) ||
        (code = engine->ask(observer->sampling, ENGINE_QUERY_SAMPLE, none, 1, deadline, NULL,
                            err)) ||
        (code = engine->attach(observer->catalogue, observer->loop, err)) ||
        (code = engine->attach(observer->boundary, observer->loop, err)) ||
        (code = engine->attach(observer->sampling, observer->loop, err)))
        return code;
    return rh_canaries_prepare(observer, deadline, err);
}

enum err_code rh_observer_new(const struct observer_options *options, struct mono deadline,
                              struct observer **ret_observer, struct err *err)
{
    struct arena *arena = rh_arena_new();
    struct observer *observer = RH_NEW(arena, struct observer);
    enum err_code code;

    observer->arena = arena;
    observer->scratch = rh_arena_new();
    observer->engine = options->engine;
    observer->loop = options->loop;
    observer->handler = options->handler;
    observer->superuser = (struct connection_parameters){
        .socket_directory = kept(arena, options->superuser.socket_directory),
        .host = kept(arena, options->superuser.host),
        .port = options->superuser.port,
        .user = kept(arena, options->superuser.user),
        .password = kept(arena, options->superuser.password),
        .database = kept(arena, options->superuser.database)};
    observer->database_bytes_before = NOT_OBSERVED;
    rh_relation_map_init(&observer->relations, arena);
    observer->watchdog = rh_loop_timer_new(options->loop, watch, observer);
    observer->due = rh_loop_timer_new(options->loop, answers_due, observer);
    rh_sampler_init(observer, options->sampling_interval_us);
    rh_canaries_init(observer);
    if ((code = open_all(observer, options->evidence_secret, deadline, err))) {
        rh_err_while(err, "while preparing to observe the server");
        rh_observer_free(observer);
        return code;
    }
    rh_loop_timer_start(observer->watchdog, WATCHDOG_US, WATCHDOG_US);
    *ret_observer = observer;
    return RH_OK;
}

static void close_session(const struct engine *engine, struct connection *connection)
{
    if (connection) {
        engine->detach(connection);
        engine->close(connection);
    }
}

void rh_observer_free(struct observer *observer)
{
    if (!observer)
        return;
    close_session(observer->engine, observer->boundary);
    close_session(observer->engine, observer->sampling);
    close_session(observer->engine, observer->catalogue);
    rh_canaries_deinit(observer);
    rh_sampler_deinit(observer);
    rh_loop_timer_free(observer->watchdog);
    rh_loop_timer_free(observer->due);
    while (observer->requests)
        request_free(observer->requests);
    rh_arena_free(observer->scratch);
    rh_arena_free(observer->arena);
}
