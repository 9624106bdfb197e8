#include "workload/import_maker.h"

#include "base/clock.h"
#include "store/workload_file.h"
#include "workload/event_sorter.h"
#include "workload/query_cache.h"

#include <stdlib.h>
#include <strings.h>
#include <xxhash.h>

#define BUCKETS ((size_t)65536)
/* Prepared statements of one session; a client with more gets a Parse each time. */
#define PREPARED_MAX 10000
#define BODY_BYTES_MAX ((size_t)64 * 1024 * 1024)

struct prepared {
    struct prepared *next;
    char *name;
    uint64_t query_hash;       /* of the protocol's */
    struct known_query *query; /* of SQL's PREPARE; NULL */
};

struct import_session {
    struct import_session *next;
    char *key, *user, *database, *application_name;
    uint64_t number, requests;
    int64_t begun_at_us, at_us; /* at_us: nothing of it happens before */
    bool is_midway, has_begun, in_transaction, has_failed;
    struct prepared *prepared;
    size_t prepared_count;
};

struct import_maker {
    struct arena *arena;
    struct event_sorter *sorter;
    struct query_cache *cache;
    VEC(struct workload_pattern) patterns;
    VEC(struct workload_gap) gaps;
    struct import_session *buckets[BUCKETS];
    uint64_t session_count;
    int64_t statements;
};

/* --- patterns --------------------------------------------------------------------------------- */

static enum err_code keep_pattern(void *context, const struct workload_pattern *pattern,
                                  struct err *err)
{
    struct import_maker *maker = context;
    struct arena *arena = maker->arena;
    (void)err;
    struct workload_pattern *kept = RH_PUSH(arena, &maker->patterns);
    *kept = (struct workload_pattern){.number = pattern->number,
                                      .fingerprint = pattern->fingerprint,
                                      .query = rh_arena_strdup(arena, pattern->query),
                                      .flags = pattern->flags};
    for (size_t i = 0; i < pattern->reads.count; i++)
        *RH_PUSH(arena, &kept->reads) = rh_arena_strdup(arena, pattern->reads.items[i]);
    for (size_t i = 0; i < pattern->writes.count; i++)
        *RH_PUSH(arena, &kept->writes) = rh_arena_strdup(arena, pattern->writes.items[i]);
    return RH_OK;
}

struct import_maker *rh_import_maker_new(const char *directory)
{
    struct import_maker *maker = calloc(1, sizeof(*maker));
    if (maker == NULL)
        RH_PANIC("out of memory (%zu bytes)", sizeof(*maker));
    maker->arena = rh_arena_new();
    maker->sorter = rh_event_sorter_new(directory);
    maker->cache = rh_query_cache_new(
        &(struct query_cache_options){.on_pattern = keep_pattern, .context = maker});
    return maker;
}

/* --- sessions --------------------------------------------------------------------------------- */

static struct import_session **bucket_of(struct import_maker *maker, const char *key)
{
    return &maker->buckets[XXH3_64bits(key, strlen(key)) % BUCKETS];
}

static void forget_prepared(struct import_session *session)
{
    while (session->prepared != NULL) {
        struct prepared *prepared = session->prepared;
        session->prepared = prepared->next;
        rh_known_query_drop(prepared->query);
        free(prepared->name);
        free(prepared);
    }
    session->prepared_count = 0;
}

static void free_session(struct import_session *session)
{
    forget_prepared(session);
    free(session->key);
    free(session->user);
    free(session->database);
    free(session->application_name);
    free(session);
}

static char *must_copy(const char *text)
{
    char *copy = strdup(text == NULL ? "" : text);
    if (copy == NULL)
        RH_PANIC("out of memory");
    return copy;
}

struct import_session *rh_import_session_find(struct import_maker *maker, const char *key)
{
    struct import_session *session = *bucket_of(maker, key);
    while (session != NULL && strcmp(session->key, key) != 0)
        session = session->next;
    return session;
}

struct import_session *rh_import_session(struct import_maker *maker, const struct import_who *who,
                                         int64_t at_us, bool is_midway)
{
    struct import_session *session = rh_import_session_find(maker, who->key);
    if (session != NULL)
        return session;
    struct import_session **bucket = bucket_of(maker, who->key);
    session = calloc(1, sizeof(*session));
    if (session == NULL)
        RH_PANIC("out of memory (%zu bytes)", sizeof(*session));
    *session = (struct import_session){.next = *bucket,
                                       .key = must_copy(who->key),
                                       .user = must_copy(who->user),
                                       .database = must_copy(who->database),
                                       .application_name = must_copy(who->application_name),
                                       .number = ++maker->session_count,
                                       .begun_at_us = at_us,
                                       .is_midway = is_midway};
    *bucket = session;
    return session;
}

static enum err_code begin(struct import_maker *maker, struct import_session *session,
                           int64_t at_us, struct err *err)
{
    if (session->has_begun)
        return RH_OK;
    session->has_begun = true;
    if (session->begun_at_us > at_us)
        session->begun_at_us = at_us;
    session->at_us = session->begun_at_us;
    struct workload_setting setting = {"application_name", session->application_name};
    struct workload_session begun = {.number = session->number,
                                     .user = session->user,
                                     .database = session->database,
                                     .is_midway = session->is_midway,
                                     .lacks = ""};
    if (setting.value[0] != '\0') {
        begun.startup.items = &setting;
        begun.startup.count = begun.startup.capacity = 1;
    }
    struct workload_event event = {.kind = WORKLOAD_SESSION_BEGUN,
                                   .session = session->number,
                                   .at_us = session->begun_at_us,
                                   .begun = &begun};
    return rh_event_sorter_add(maker->sorter, &event, err);
}

enum err_code rh_import_session_end(struct import_maker *maker, struct import_session *session,
                                    int64_t at_us, struct err *err)
{
    enum err_code code = begin(maker, session, at_us, err);
    struct workload_event event = {.kind = WORKLOAD_SESSION_ENDED,
                                   .session = session->number,
                                   .at_us = at_us > session->at_us ? at_us : session->at_us};
    if (code == RH_OK)
        code = rh_event_sorter_add(maker->sorter, &event, err);
    struct import_session **place = bucket_of(maker, session->key);
    while (*place != session)
        place = &(*place)->next;
    *place = session->next;
    free_session(session);
    return code;
}

/* --- messages --------------------------------------------------------------------------------- */

static void put_u16(struct buf *out, size_t value)
{
    rh_buf_add_char(out, (char)(value >> 8));
    rh_buf_add_char(out, (char)value);
}

static void put_i32(struct buf *out, int64_t value)
{
    for (int shift = 24; shift >= 0; shift -= 8)
        rh_buf_add_char(out, (char)((uint64_t)value >> shift));
}

static void put_string(struct buf *out, struct text text)
{
    rh_buf_add_text(out, text);
    rh_buf_add_char(out, '\0');
}

/* Whether the session has this very statement under this name; it has afterwards. */
static bool knows_statement(struct import_session *session, const char *name, struct text query)
{
    uint64_t hash = XXH3_64bits(query.data, query.len);
    for (struct prepared *prepared = session->prepared; prepared; prepared = prepared->next) {
        if (prepared->query == NULL && strcmp(prepared->name, name) == 0) {
            bool is_same = prepared->query_hash == hash;
            prepared->query_hash = hash;
            return is_same;
        }
    }
    if (session->prepared_count >= PREPARED_MAX)
        return false;
    struct prepared *prepared = calloc(1, sizeof(*prepared));
    if (prepared == NULL)
        RH_PANIC("out of memory (%zu bytes)", sizeof(*prepared));
    *prepared = (struct prepared){
        .next = session->prepared, .name = must_copy(name), .query_hash = hash};
    session->prepared = prepared;
    session->prepared_count++;
    return false;
}

/* Close (a name that is taken is no longer: Parse would fail), Parse, Bind, Execute, Sync. */
#define MESSAGES_MAX 5
struct request {
    struct workload_message messages[MESSAGES_MAX];
    struct buf bodies[MESSAGES_MAX];
    size_t count;
};

static struct buf *add_message(struct request *request, unsigned char type)
{
    struct buf *body = &request->bodies[request->count];
    rh_buf_init(body, BODY_BYTES_MAX);
    request->messages[request->count++] = (struct workload_message){.type = type};
    return body;
}

static void make_extended(struct import_session *session, const struct import_statement *statement,
                          uint32_t pattern, struct request *request)
{
    struct text name = rh_text(statement->name);
    if (name.len == 0 || !knows_statement(session, statement->name, statement->query)) {
        struct buf *body;
        if (name.len > 0) {
            body = add_message(request, 'C');
            rh_buf_add_char(body, 'S');
            put_string(body, name);
        }
        body = add_message(request, 'P');
        put_string(body, name);
        put_string(body, statement->query);
        put_u16(body, 0);
    }
    struct buf *bind = add_message(request, 'B');
    put_string(bind, TEXT_LITERAL(""));
    put_string(bind, name);
    put_u16(bind, 0);
    put_u16(bind, statement->parameter_count);
    for (size_t i = 0; i < statement->parameter_count; i++) {
        struct text value = statement->parameters[i];
        put_i32(bind, value.data == NULL ? -1 : (int64_t)value.len);
        if (value.data != NULL)
            rh_buf_add_text(bind, value);
    }
    put_u16(bind, 0);
    struct buf *execute = add_message(request, 'E');
    request->messages[request->count - 1].pattern = pattern;
    put_string(execute, TEXT_LITERAL(""));
    put_i32(execute, 0);
    add_message(request, 'S');
}

static void make_request(struct import_session *session, const struct import_statement *statement,
                         const struct known_query *known, uint32_t pattern, struct request *request)
{
    if (known->flags & PATTERN_HAS_SECRET) {
        add_message(request, 'Q');
        request->messages[0].is_redacted = true;
        request->messages[0].pattern = pattern;
    } else if (statement->is_extended) {
        make_extended(session, statement, pattern, request);
    } else {
        put_string(add_message(request, 'Q'), statement->query);
        request->messages[0].pattern = pattern;
    }
    for (size_t i = 0; i < request->count; i++)
        request->messages[i].body = rh_buf_text(&request->bodies[i]);
}

/* --- statements ------------------------------------------------------------------------------- */

static bool begins_with(struct text query, const char *word)
{
    size_t length = strlen(word);
    query = rh_text_trim(query);
    return query.len >= length && strncasecmp(query.data, word, length) == 0 &&
           (query.len == length || strchr(" \t\n;", query.data[length]) != NULL);
}

static void follow_transaction(struct import_session *session, struct text query, bool failed)
{
    static const char *const ends[] = {"commit", "end", "rollback", "abort"};
    if (!failed && (begins_with(query, "begin") || begins_with(query, "start")))
        session->in_transaction = true;
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        if (!failed && begins_with(query, ends[i]) && !begins_with(query, "rollback to"))
            session->in_transaction = session->has_failed = false;
    }
    if (begins_with(query, "rollback to") && !failed)
        session->has_failed = false;
    if (failed && session->in_transaction)
        session->has_failed = true;
}

/* PREPARE and EXECUTE of SQL: what is executed is the prepared statement's pattern. */
static uint32_t follow_prepared(struct import_session *session, struct known_query *known,
                                bool failed)
{
    if (known->prepares != NULL && !failed && session->prepared_count < PREPARED_MAX) {
        struct prepared *prepared = calloc(1, sizeof(*prepared));
        if (prepared == NULL)
            RH_PANIC("out of memory (%zu bytes)", sizeof(*prepared));
        *prepared = (struct prepared){
            .next = session->prepared,
            .name = must_copy(known->prepares),
            .query = rh_known_query_hold(known->prepared ? known->prepared : known)};
        session->prepared = prepared;
        session->prepared_count++;
    }
    for (struct prepared *prepared = session->prepared; known->executes && prepared;
         prepared = prepared->next) {
        if (prepared->query != NULL && strcmp(prepared->name, known->executes) == 0)
            return prepared->query->pattern;
    }
    return known->pattern;
}

static enum err_code add_answer(struct import_maker *maker, struct import_session *session,
                                const struct import_statement *statement,
                                const struct known_query *known, uint32_t pattern,
                                int64_t ended_at_us, struct err *err)
{
    size_t count = known->statements != NULL && !statement->is_extended ? known->statement_count
                                                                        : 1;
    struct workload_result *results = calloc(count, sizeof(*results));
    if (results == NULL)
        RH_PANIC("out of memory (%zu bytes)", count * sizeof(*results));
    for (size_t i = 0; i < count; i++) {
        results[i] = (struct workload_result){.rows = -1, .returned = -1};
        results[i].pattern = count > 1 ? known->statements[i] : pattern;
    }
    /* Which of several failed is not logged: the last one that anyone heard of. */
    memcpy(results[count - 1].sqlstate, statement->sqlstate,
           strnlen(statement->sqlstate, sizeof(results->sqlstate) - 1));
    struct workload_event event = {.kind = WORKLOAD_ANSWER,
                                   .session = session->number,
                                   .at_us = ended_at_us,
                                   .request = session->requests,
                                   .first_byte_us = ended_at_us,
                                   .transaction_status = session->has_failed       ? 'E'
                                                         : session->in_transaction ? 'T'
                                                                                   : 'I',
                                   .results = results,
                                   .result_count = count};
    enum err_code code = rh_event_sorter_add(maker->sorter, &event, err);
    free(results);
    return code;
}

enum err_code rh_import_statement(struct import_maker *maker, struct import_session *session,
                                  const struct import_statement *statement, struct err *err)
{
    struct known_query *known = NULL;
    enum err_code code = begin(maker, session, statement->begun_at_us, err);
    if (code == RH_OK)
        code = rh_query_cache_find(maker->cache, statement->query, &known, err);
    if (code != RH_OK)
        return code;
    bool failed = statement->sqlstate[0] != '\0';
    int64_t begun_at_us = statement->begun_at_us, ended_at_us = statement->ended_at_us;
    if (begun_at_us < session->at_us)
        begun_at_us = session->at_us;
    if (ended_at_us < begun_at_us)
        ended_at_us = begun_at_us;
    session->at_us = ended_at_us;
    uint32_t pattern = follow_prepared(session, known, failed);
    struct request request = {.count = 0};
    make_request(session, statement, known, pattern, &request);
    if (known->flags & PATTERN_HAS_SECRET)
        rh_import_gap(maker, "password-redacted", 1, "statements that set a secret are not kept");
    session->requests++;
    maker->statements++;
    struct workload_event event = {.kind = WORKLOAD_REQUEST,
                                   .session = session->number,
                                   .at_us = begun_at_us,
                                   .request = session->requests,
                                   .messages = request.messages,
                                   .message_count = request.count};
    code = rh_event_sorter_add(maker->sorter, &event, err);
    for (size_t i = 0; i < request.count; i++)
        rh_buf_deinit(&request.bodies[i]);
    if (code == RH_OK && statement->was_cancelled) {
        struct workload_event cancel = {.kind = WORKLOAD_CANCEL,
                                        .session = session->number,
                                        .at_us = ended_at_us,
                                        .request = session->requests};
        code = rh_event_sorter_add(maker->sorter, &cancel, err);
    }
    follow_transaction(session, statement->query, failed);
    if (code == RH_OK)
        code = add_answer(maker, session, statement, known, pattern, ended_at_us, err);
    rh_known_query_drop(known);
    return code;
}

/* --- the end ---------------------------------------------------------------------------------- */

void rh_import_gap(struct import_maker *maker, const char *kind, int64_t count, const char *detail)
{
    if (count == 0)
        return;
    for (size_t i = 0; i < maker->gaps.count; i++) {
        if (strcmp(maker->gaps.items[i].kind, kind) == 0) {
            maker->gaps.items[i].count += count;
            return;
        }
    }
    *RH_PUSH(maker->arena, &maker->gaps) = (struct workload_gap){
        .kind = kind, .count = count, .detail = rh_arena_strdup(maker->arena, detail)};
}

/* Their end was not logged. With their last statement, not with the log: else a day of an
   application without a pool would be a hundred thousand connections at once. */
static enum err_code end_sessions(struct import_maker *maker, struct err *err)
{
    enum err_code code = RH_OK;
    for (size_t i = 0; i < BUCKETS; i++) {
        while (maker->buckets[i] != NULL && code == RH_OK) {
            struct import_session *session = maker->buckets[i];
            code = rh_import_session_end(
                maker, session, session->has_begun ? session->at_us : session->begun_at_us, err);
        }
    }
    return code;
}

static enum err_code write_file(struct import_maker *maker, struct workload_source source,
                                struct workload_writer *writer, struct workload_totals *totals,
                                struct err *err)
{
    enum err_code code = RH_OK;
    const struct workload_event *event = NULL;
    for (size_t i = 0; i < maker->patterns.count && code == RH_OK; i++)
        code = rh_workload_writer_pattern(writer, &maker->patterns.items[i], err);
    do {
        if (code == RH_OK)
            code = source.next(source.context, &event, err);
        if (code == RH_OK && event != NULL)
            code = rh_workload_writer_event(writer, event, err);
    } while (code == RH_OK && event != NULL);
    for (size_t i = 0; i < maker->gaps.count && code == RH_OK; i++)
        *RH_PUSH(maker->arena, &totals->gaps) = maker->gaps.items[i];
    return code == RH_OK ? rh_workload_writer_finish(writer, totals, err) : code;
}

enum err_code rh_import_finish(struct import_maker *maker, const char *path, const uint8_t *key,
                               struct workload_about *about, struct workload_totals *totals,
                               struct import_outcome *ret_outcome, struct err *err)
{
    int64_t first_at_us = 0;
    struct workload_source source;
    struct workload_writer *writer = NULL;
    char started_at[32];
    enum err_code code = end_sessions(maker, err);
    if (code == RH_OK)
        code = rh_event_sorter_finish(maker->sorter, &first_at_us, &source, err);
    if (code != RH_OK)
        return code;
    rh_clock_rfc3339((struct wall){first_at_us}, started_at);
    about->started_at = about->origin == WORKLOAD_SQL_FILE ||
                                about->origin == WORKLOAD_PGBENCH_SCRIPT
                            ? ""
                            : started_at;
    code = rh_workload_writer_open(path, about, key, &writer, err);
    if (code == RH_OK)
        code = write_file(maker, source, writer, totals, err);
    rh_workload_writer_free(writer);
    about->started_at = "";
    if (code == RH_OK)
        *ret_outcome = (struct import_outcome){.sessions = (int64_t)maker->session_count,
                                               .statements = maker->statements,
                                               .patterns = (int64_t)maker->patterns.count};
    return code;
}

void rh_import_maker_free(struct import_maker *maker)
{
    if (maker == NULL)
        return;
    for (size_t i = 0; i < BUCKETS; i++) {
        while (maker->buckets[i] != NULL) {
            struct import_session *session = maker->buckets[i];
            maker->buckets[i] = session->next;
            free_session(session);
        }
    }
    rh_query_cache_free(maker->cache);
    rh_event_sorter_free(maker->sorter);
    rh_arena_free(maker->arena);
    free(maker);
}
