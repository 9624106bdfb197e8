#include "store/event_codec.h"
#include "store/live_sessions.h"
#include "store/workload_file_int.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

/* Names that are tried for the unfinished file: earlier writers may have left theirs. */
#define UNFINISHED_NAMES_MAX 100

struct pattern_entry {
    struct workload_pattern_sums sums;
    bool is_dirty;
};

/* Statements that run again and again. X(name, SQL) */
#define WRITER_STATEMENT_LIST(X)                                                          \
    X(PUT_ABOUT, "INSERT OR REPLACE INTO about VALUES (?, ?)")                            \
    X(PUT_PATTERN, "INSERT INTO patterns VALUES (?, ?, ?, ?)")                            \
    X(PUT_PATTERN_TABLE, "INSERT INTO pattern_tables VALUES (?, ?, ?, ?)")                \
    X(PUT_SUMS, "INSERT OR REPLACE INTO sums VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")      \
    X(PUT_SESSION, "INSERT INTO sessions VALUES (?, ?, ?, ?, ?, NULL, 0, 0, 0, ?, ?, 0)") \
    X(END_SESSION, "UPDATE sessions SET ended_at_us = ?, requests = ?, executions = ?,"   \
                   " errors = ?, was_cut = ? WHERE number = ?")                           \
    X(PUT_BATCH, "INSERT INTO batches VALUES (?, ?, ?, ?, ?)")                            \
    X(PUT_NOTE, "INSERT INTO notes VALUES (?, ?)")                                        \
    X(PUT_TYPE, "INSERT OR REPLACE INTO types VALUES (?, ?, ?, ?, ?)")                    \
    X(PUT_FUNCTION, "INSERT OR REPLACE INTO functions VALUES (?, ?, ?)")                  \
    X(PUT_KEY, "INSERT INTO keys VALUES (?, ?, ?, ?, ?, ?, ?, ?)")                        \
    X(PUT_GAP, "INSERT INTO gaps VALUES (?, ?, ?, ?)")
enum writer_statement {
#define X(symbol, sql) symbol,
    WRITER_STATEMENT_LIST(X)
#undef X
        WRITER_STATEMENTS
};
static const char *const statement_texts[] = {
#define X(symbol, sql) (sql),
    WRITER_STATEMENT_LIST(X)
#undef X
};

struct workload_writer {
    struct arena *arena;
    char *path, *unfinished;
    sqlite3 *db;
    sqlite3_stmt *statements[WRITER_STATEMENTS];
    struct seal *seal;
    struct event_encoder *encoder;
    struct buf plain, sealed;
    struct live_sessions live;
    VEC(struct pattern_entry) patterns;
    size_t query_bytes;  /* of the patterns' texts, as they are kept */
    VEC(uint32_t) dirty; /* patterns whose sums changed since the last batch */
    struct workload_totals totals;
    int64_t first_at_us;      /* of the batch under way */
    uint64_t batches, events; /* written */
    uint64_t bytes;
    struct err failure; /* once something failed, all fails in the same way */
};

/* --- SQLite ----------------------------------------------------------------------------------- */

static enum err_code fail(struct workload_writer *writer, struct err *err)
{
    rh_workload_sqlite_error(writer->db, "write", writer->unfinished, &writer->failure);
    *err = writer->failure;
    return err->code;
}

static void bind_text(sqlite3_stmt *statement, int place, const char *text)
{
    sqlite3_bind_text(statement, place, text == NULL ? "" : text, -1, SQLITE_STATIC);
}

static bool run(sqlite3_stmt *statement)
{
    bool is_ok = sqlite3_step(statement) == SQLITE_DONE;
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
    return is_ok;
}

static bool put_about(struct workload_writer *writer, const char *name, const char *value)
{
    sqlite3_stmt *put = writer->statements[PUT_ABOUT];
    bind_text(put, 1, name);
    bind_text(put, 2, value);
    return run(put);
}

static bool put_about_number(struct workload_writer *writer, const char *name, int64_t value)
{
    char text[32];
    snprintf(text, sizeof(text), "%lld", (long long)value);
    return put_about(writer, name, text);
}

static bool put_types(struct workload_writer *writer, const struct workload_about *about)
{
    bool is_ok = true;
    for (size_t i = 0; i < about->types.count && is_ok; i++) {
        const struct workload_type *type = &about->types.items[i];
        const char kind[2] = {type->kind, '\0'};
        sqlite3_stmt *put = writer->statements[PUT_TYPE];
        sqlite3_bind_int64(put, 1, type->oid);
        bind_text(put, 2, type->schema);
        bind_text(put, 3, type->name);
        bind_text(put, 4, kind);
        sqlite3_bind_int64(put, 5, type->element);
        is_ok = run(put);
    }
    return is_ok;
}

static bool put_functions(struct workload_writer *writer, const struct workload_about *about)
{
    bool is_ok = true;
    for (size_t i = 0; i < about->functions.count && i < WORKLOAD_FUNCTIONS_MAX && is_ok; i++) {
        const struct workload_function *function = &about->functions.items[i];
        sqlite3_stmt *put = writer->statements[PUT_FUNCTION];
        sqlite3_bind_int64(put, 1, function->oid);
        bind_text(put, 2, function->schema);
        bind_text(put, 3, function->signature);
        is_ok = run(put);
    }
    return is_ok;
}

static bool put_keys(struct workload_writer *writer, const struct workload_about *about)
{
    bool is_ok = true;
    for (size_t i = 0; i < about->keys.count && i < WORKLOAD_KEYS_MAX && is_ok; i++) {
        const struct workload_key *key = &about->keys.items[i];
        sqlite3_stmt *put = writer->statements[PUT_KEY];
        sqlite3_bind_int64(put, 1, (int64_t)i + 1);
        sqlite3_bind_int64(put, 2, key->domain);
        bind_text(put, 3, key->schema);
        bind_text(put, 4, key->table);
        bind_text(put, 5, key->column);
        bind_text(put, 6, key->sequence_schema);
        bind_text(put, 7, key->sequence);
        sqlite3_bind_int64(put, 8, key->since);
        is_ok = run(put);
    }
    return is_ok;
}

static bool put_head(struct workload_writer *writer, const struct workload_about *about,
                     const uint8_t *file_id, bool has_key)
{
    uint8_t check[SEAL_CHECK_BYTES];
    rh_seal_check(writer->seal, check);
    return put_about(writer, ABOUT_STATE, "writing") &&
           put_about(writer, ABOUT_FILE_ID,
                     rh_workload_hex(writer->arena, file_id, SEAL_FILE_ID_BYTES)) &&
           put_about(writer, ABOUT_KEY_CHECK,
                     has_key ? rh_workload_hex(writer->arena, check, sizeof(check)) : "") &&
           put_about(writer, ABOUT_DIGEST_KEY,
                     rh_workload_seal_hex(writer->seal, DIGEST_KEY_NUMBER, about->digest_key,
                                          sizeof(about->digest_key), writer->arena)) &&
           put_about(writer, "origin", rh_workload_origin_name(about->origin)) &&
           put_about(writer, "server_version", about->server_version) &&
           put_about_number(writer, "server_version_number", about->server_version_number) &&
           put_about(writer, "encoding", about->encoding) &&
           put_about(writer, "started_at", about->started_at) &&
           put_about_number(writer, "is_masked", about->is_masked) &&
           put_about(writer, "masking_key_id", about->masking_key_id) &&
           put_about_number(writer, "widens_integers", about->widens_integers) &&
           put_types(writer, about) && put_functions(writer, about) && put_keys(writer, about);
}

static bool put_totals(struct workload_writer *writer)
{
    const struct workload_totals *totals = &writer->totals;
    return put_about_number(writer, "duration_us", totals->duration_us) &&
           put_about_number(writer, "sessions", totals->sessions) &&
           put_about_number(writer, "sessions_most_at_once", totals->sessions_most_at_once) &&
           put_about_number(writer, "requests", totals->requests) &&
           put_about_number(writer, "executions", totals->executions) &&
           put_about_number(writer, "errors", totals->errors) &&
           put_about_number(writer, "cancels", totals->cancels);
}

static bool make_tables(sqlite3 *db)
{
    static const char *const statements[] = {
#define X(type, name, sql) sql,
        WORKLOAD_TABLE_LIST(X)
#undef X
    };
    char pragma[64];
    snprintf(pragma, sizeof(pragma), "PRAGMA application_id = %d", WORKLOAD_APPLICATION_ID);
    bool is_ok = rh_workload_sql(db, pragma);
    snprintf(pragma, sizeof(pragma), "PRAGMA user_version = %d", WORKLOAD_FORMAT_VERSION);
    is_ok = is_ok && rh_workload_sql(db, pragma) && rh_workload_sql(db, "BEGIN");
    for (size_t i = 0; i < sizeof(statements) / sizeof(statements[0]) && is_ok; i++)
        is_ok = rh_workload_sql(db, statements[i]);
    /*
     * From here on a log of what is written (WAL) lies beside the file: an interrupted writer costs
     * the batch under way and nothing else, a lost log the last few, and readers may come
     * meanwhile.
     */
    return is_ok && rh_workload_sql(db, "COMMIT") &&
           rh_workload_sql(db, "PRAGMA journal_mode = WAL") &&
           rh_workload_sql(db, "PRAGMA synchronous = NORMAL") && rh_workload_sql(db, "BEGIN");
}

static bool prepare(struct workload_writer *writer)
{
    for (size_t i = 0; i < WRITER_STATEMENTS; i++) {
        if (sqlite3_prepare_v3(writer->db, statement_texts[i], -1, SQLITE_PREPARE_PERSISTENT,
                               &writer->statements[i], NULL) != SQLITE_OK)
            return false;
    }
    return true;
}

/* --- opening ---------------------------------------------------------------------------------- */

/* Makes an empty file under the first name that is free. */
static enum err_code make_unfinished(struct workload_writer *writer, struct err *err)
{
    for (unsigned i = 1; i <= UNFINISHED_NAMES_MAX; i++) {
        writer->unfinished = i == 1 ? rh_arena_printf(writer->arena, "%s.unfinished", writer->path)
                                    : rh_arena_printf(writer->arena, "%s.unfinished-%u",
                                                      writer->path, i);
        RH_CLEANUP_FD int fd = open(writer->unfinished, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC,
                                    0600);
        if (fd >= 0)
            return RH_OK;
        if (errno != EEXIST) {
            int errno_value = errno;
            writer->unfinished = NULL;
            rh_err_set_errno(err, errno_value, "cannot make \"%s\"", writer->path);
            if (errno_value == ENOENT || errno_value == ENOTDIR || errno_value == EACCES)
                err->code = RH_ERR_USAGE;
            return err->code;
        }
    }
    writer->unfinished = NULL;
    rh_err_set(err, RH_ERR_USAGE, "cannot make \"%s\": too many unfinished ones beside it",
               writer->path);
    rh_err_hint(err, "Remove \"%s.unfinished\" and its like once nobody needs them.", writer->path);
    return err->code;
}

enum err_code rh_workload_writer_open(const char *path, const struct workload_about *about,
                                      const uint8_t *key, struct workload_writer **ret_writer,
                                      struct err *err)
{
    uint8_t file_id[SEAL_FILE_ID_BYTES];
    if (rh_file_exists(path)) {
        rh_err_set(err, RH_ERR_USAGE, "cannot make \"%s\": it is there already", path);
        rh_err_hint(err, "Name another file, or remove that one.");
        return err->code;
    }
    if (getrandom(file_id, sizeof(file_id), 0) != (ssize_t)sizeof(file_id))
        return rh_err_set_errno(err, errno, "cannot get random numbers");
    struct workload_writer *writer = calloc(1, sizeof(*writer));
    if (writer == NULL)
        RH_PANIC("out of memory (%zu bytes)", sizeof(*writer));
    writer->arena = rh_arena_new();
    writer->path = rh_arena_strdup(writer->arena, path);
    rh_buf_init(&writer->plain, EVENT_BATCH_BYTES_MAX);
    rh_buf_init(&writer->sealed, 2 * EVENT_BATCH_BYTES_MAX);
    writer->encoder = rh_event_encoder_new();
    writer->seal = rh_seal_new(key, file_id);
    enum err_code code = make_unfinished(writer, err);
    if (code == RH_OK &&
        (sqlite3_open_v2(writer->unfinished, &writer->db,
                         SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK ||
         !make_tables(writer->db) || !prepare(writer) ||
         !put_head(writer, about, file_id, key != NULL) || !put_totals(writer) ||
         !rh_workload_sql(writer->db, "COMMIT; BEGIN")))
        code = fail(writer, err);
    if (code != RH_OK) {
        rh_workload_writer_free(writer);
        return code;
    }
    *ret_writer = writer;
    return RH_OK;
}

/* --- patterns --------------------------------------------------------------------------------- */

static bool put_pattern_tables(struct workload_writer *writer, uint32_t number, const char *access,
                               const char *const *names, size_t count)
{
    bool is_ok = true;
    for (size_t i = 0; i < count && is_ok; i++) {
        sqlite3_stmt *put = writer->statements[PUT_PATTERN_TABLE];
        sqlite3_bind_int64(put, 1, number);
        bind_text(put, 2, access);
        sqlite3_bind_int64(put, 3, (int64_t)i + 1);
        bind_text(put, 4, names[i]);
        is_ok = run(put);
    }
    return is_ok;
}

/* The text as far as it is kept, with a mark where it was cut, between two characters. */
static char *kept_query(const struct workload_writer *writer, struct arena *arena,
                        const char *query)
{
    struct text text = rh_text(query);
    size_t max = writer->query_bytes < WORKLOAD_QUERIES_BYTES ? WORKLOAD_QUERY_BYTES_MAX
                                                              : WORKLOAD_QUERY_BEGINNING_BYTES;
    if (text.len <= max)
        return rh_arena_strdup(arena, query);
    text.len = max;
    while (text.len > 0 && (text.data[text.len] & 0xC0) == 0x80)
        text.len--;
    return rh_arena_printf(arena, "%.*s ...", (int)text.len, text.data);
}

static void mark_dirty(struct workload_writer *writer, uint32_t pattern)
{
    struct pattern_entry *entry = &writer->patterns.items[pattern - 1];
    if (!entry->is_dirty)
        *RH_PUSH(writer->arena, &writer->dirty) = pattern;
    entry->is_dirty = true;
}

enum err_code rh_workload_writer_pattern(struct workload_writer *writer,
                                         const struct workload_pattern *pattern, struct err *err)
{
    if (writer->failure.code != RH_OK) {
        *err = writer->failure;
        return err->code;
    }
    if (pattern->number != writer->patterns.count + 1)
        return rh_err_set(err, RH_ERR_FORMAT, "pattern %u comes after pattern %zu",
                          (unsigned)pattern->number, writer->patterns.count);
    if (pattern->number > WORKLOAD_PATTERNS_MAX) {
        rh_err_set(err, RH_ERR_LIMIT, "a workload has at most %d query patterns",
                   WORKLOAD_PATTERNS_MAX);
        return err->code;
    }
    RH_CLEANUP_ARENA struct arena *scratch = rh_arena_new();
    char fingerprint[17];
    snprintf(fingerprint, sizeof(fingerprint), "%016llx", (unsigned long long)pattern->fingerprint);
    sqlite3_stmt *put = writer->statements[PUT_PATTERN];
    sqlite3_bind_int64(put, 1, pattern->number);
    bind_text(put, 2, fingerprint);
    sqlite3_bind_int64(put, 3, pattern->flags);
    const char *query = kept_query(writer, scratch, pattern->query);
    writer->query_bytes += strlen(query);
    bind_text(put, 4, query);
    if (!run(put) ||
        !put_pattern_tables(writer, pattern->number, "reads", pattern->reads.items,
                            pattern->reads.count) ||
        !put_pattern_tables(writer, pattern->number, "writes", pattern->writes.items,
                            pattern->writes.count))
        return fail(writer, err);
    *RH_PUSH(writer->arena, &writer->patterns) = (struct pattern_entry){
        .sums = {.pattern = pattern->number, .weight = 1}};
    mark_dirty(writer, pattern->number);
    return RH_OK;
}

enum err_code rh_workload_writer_weight(struct workload_writer *writer, uint32_t pattern,
                                        double weight, struct err *err)
{
    if (pattern == 0 || pattern > writer->patterns.count)
        return rh_err_set(err, RH_ERR_FORMAT, "there is no pattern %u", (unsigned)pattern);
    writer->patterns.items[pattern - 1].sums.weight = weight;
    mark_dirty(writer, pattern);
    return RH_OK;
}

enum err_code rh_workload_writer_sums(struct workload_writer *writer,
                                      const struct workload_pattern_sums *sums, struct err *err)
{
    if (sums->pattern == 0 || sums->pattern > writer->patterns.count)
        return rh_err_set(err, RH_ERR_FORMAT, "there is no pattern %u", (unsigned)sums->pattern);
    writer->patterns.items[sums->pattern - 1].sums = *sums;
    mark_dirty(writer, sums->pattern);
    return RH_OK;
}

const struct workload_pattern_sums *
rh_workload_writer_pattern_sums(const struct workload_writer *writer, uint32_t pattern)
{
    RH_ASSERT(pattern > 0 && pattern <= writer->patterns.count);
    return &writer->patterns.items[pattern - 1].sums;
}

int64_t rh_workload_writer_duration_us(const struct workload_writer *writer)
{
    return writer->totals.duration_us;
}

/* --- events ----------------------------------------------------------------------------------- */

static bool put_session(struct workload_writer *writer, const struct workload_event *event)
{
    const struct workload_session *begun = event->begun;
    const char *application_name = "";
    for (size_t i = 0; i < begun->startup.count; i++) {
        if (strcmp(begun->startup.items[i].name, "application_name") == 0)
            application_name = begun->startup.items[i].value;
    }
    sqlite3_stmt *put = writer->statements[PUT_SESSION];
    sqlite3_bind_int64(put, 1, (int64_t)event->session);
    bind_text(put, 2, begun->user);
    bind_text(put, 3, begun->database);
    bind_text(put, 4, application_name);
    sqlite3_bind_int64(put, 5, event->at_us);
    sqlite3_bind_int64(put, 6, begun->is_midway);
    bind_text(put, 7, begun->lacks);
    return run(put);
}

static bool end_session(struct workload_writer *writer, const struct live_session *session,
                        const struct workload_event *end)
{
    sqlite3_stmt *put = writer->statements[END_SESSION];
    if (end != NULL)
        sqlite3_bind_int64(put, 1, end->at_us);
    sqlite3_bind_int64(put, 2, session->requests);
    sqlite3_bind_int64(put, 3, session->executions);
    sqlite3_bind_int64(put, 4, session->errors);
    sqlite3_bind_int64(put, 5, end != NULL && end->was_cut);
    sqlite3_bind_int64(put, 6, (int64_t)session->number);
    return run(put);
}

static void add_sums(struct workload_writer *writer, const struct workload_result *result,
                     int64_t duration_us, int64_t at_us)
{
    struct workload_pattern_sums *sums = &writer->patterns.items[result->pattern - 1].sums;
    if (sums->calls == 0) {
        sums->first_at_us = at_us;
        sums->min_us = duration_us;
    }
    sums->calls++;
    sums->errors += result->sqlstate[0] != '\0';
    /* What a server or a log says is any number. */
    if (__builtin_add_overflow(sums->rows, result->rows > 0 ? result->rows : 0, &sums->rows))
        sums->rows = INT64_MAX;
    if (__builtin_add_overflow(sums->total_us, duration_us, &sums->total_us))
        sums->total_us = INT64_MAX;
    sums->min_us = duration_us < sums->min_us ? duration_us : sums->min_us;
    sums->max_us = duration_us > sums->max_us ? duration_us : sums->max_us;
    sums->last_at_us = at_us;
    mark_dirty(writer, result->pattern);
}

/* Nobody saw when the executions of one answer began and ended: each gets an equal share. */
static void add_answer(struct workload_writer *writer, struct live_session *session,
                       const struct workload_event *event)
{
    int64_t duration_us = rh_live_session_answered(session, event->request, event->at_us);
    int64_t count = (int64_t)event->result_count;
    int64_t rest_us = count > 0 ? duration_us % count : 0;
    for (int64_t i = 0; i < count; i++) {
        const struct workload_result *result = &event->results[i];
        bool failed = result->sqlstate[0] != '\0';
        session->executions++;
        session->errors += failed;
        writer->totals.executions++;
        writer->totals.errors += failed;
        if (result->pattern != 0)
            add_sums(writer, result,
                     duration_us / count + rest_us * (i + 1) / count - rest_us * i / count,
                     event->at_us);
    }
}

static void add_request(struct workload_writer *writer, struct live_session *session,
                        const struct workload_event *event)
{
    writer->totals.requests++;
    session->requests++;
    unsigned char last = event->message_count == 0 ? 0
                                                   : event->messages[event->message_count - 1].type;
    if (last == 'Q' || last == 'S' || last == 'F')
        rh_live_session_sent(session, event->request, event->at_us);
}

enum err_code rh_workload_writer_event(struct workload_writer *writer,
                                       const struct workload_event *event, struct err *err)
{
    if (writer->failure.code != RH_OK) {
        *err = writer->failure;
        return err->code;
    }
    bool begins = event->kind == WORKLOAD_SESSION_BEGUN;
    struct live_session *session = begins ? NULL
                                          : rh_live_sessions_find(&writer->live, event->session);
    if (!begins && session == NULL)
        return rh_err_set(err, RH_ERR_FORMAT, "an event of session %llu, which has not begun",
                          (unsigned long long)event->session);
    if (event->at_us < writer->totals.duration_us ||
        rh_workload_event_highest_pattern(event) > writer->patterns.count)
        return rh_err_set(
            err, RH_ERR_FORMAT,
            "an event of session %llu is before the last one, or of an unknown pattern",
            (unsigned long long)event->session);
    if (begins && (session = rh_live_sessions_add(&writer->live, event->session)) == NULL)
        return rh_err_set(err, RH_ERR_LIMIT,
                          "cannot begin session %llu: it has begun, or %zu others have",
                          (unsigned long long)event->session, writer->live.count);
    if (rh_event_encoder_count(writer->encoder) == 0)
        writer->first_at_us = event->at_us;
    if (!rh_event_encoder_add(writer->encoder, event)) {
        if (begins)
            rh_live_sessions_remove(&writer->live, session);
        return rh_err_set(err, RH_ERR_LIMIT, "an event of session %llu is larger than %d MB",
                          (unsigned long long)event->session, WORKLOAD_EVENT_BYTES_MAX >> 20);
    }
    writer->totals.duration_us = event->at_us;
    switch (event->kind) {
    case WORKLOAD_SESSION_BEGUN:
        writer->totals.sessions++;
        if ((int64_t)writer->live.count > writer->totals.sessions_most_at_once)
            writer->totals.sessions_most_at_once = (int64_t)writer->live.count;
        if (!put_session(writer, event))
            return fail(writer, err);
        break;
    case WORKLOAD_REQUEST:
        add_request(writer, session, event);
        break;
    case WORKLOAD_ANSWER:
        add_answer(writer, session, event);
        break;
    case WORKLOAD_CANCEL:
        writer->totals.cancels++;
        break;
    case WORKLOAD_SESSION_ENDED: {
        bool is_ok = end_session(writer, session, event);
        rh_live_sessions_remove(&writer->live, session);
        if (!is_ok)
            return fail(writer, err);
        break;
    }
    }
    if (rh_event_encoder_bytes(writer->encoder) < WORKLOAD_BATCH_BYTES)
        return RH_OK;
    return rh_workload_writer_flush(writer, err);
}

/* --- batches ---------------------------------------------------------------------------------- */

static bool put_sums(struct workload_writer *writer)
{
    bool is_ok = true;
    for (size_t i = 0; i < writer->dirty.count && is_ok; i++) {
        struct pattern_entry *entry = &writer->patterns.items[writer->dirty.items[i] - 1];
        const struct workload_pattern_sums *sums = &entry->sums;
        const int64_t numbers[] = {sums->pattern, sums->calls,       sums->errors,
                                   sums->rows,    sums->total_us,    sums->min_us,
                                   sums->max_us,  sums->first_at_us, sums->last_at_us};
        sqlite3_stmt *put = writer->statements[PUT_SUMS];
        for (int j = 0; j < 9; j++)
            sqlite3_bind_int64(put, j + 1, numbers[j]);
        sqlite3_bind_double(put, 10, sums->weight);
        entry->is_dirty = false;
        is_ok = run(put);
    }
    writer->dirty.count = 0;
    return is_ok;
}

static bool put_batch(struct workload_writer *writer)
{
    size_t events = rh_event_encoder_count(writer->encoder);
    if (events == 0)
        return true;
    rh_buf_clear(&writer->plain);
    rh_buf_clear(&writer->sealed);
    rh_event_encoder_take(writer->encoder, &writer->plain);
    rh_seal_close(writer->seal, writer->batches + 1, rh_buf_text(&writer->plain), &writer->sealed);
    sqlite3_stmt *put = writer->statements[PUT_BATCH];
    sqlite3_bind_int64(put, 1, (int64_t)writer->batches + 1);
    sqlite3_bind_int64(put, 2, writer->first_at_us);
    sqlite3_bind_int64(put, 3, (int64_t)events);
    sqlite3_bind_int64(put, 4, (int64_t)writer->plain.len);
    sqlite3_bind_blob64(put, 5, writer->sealed.data, writer->sealed.len, SQLITE_STATIC);
    if (!run(put))
        return false;
    writer->batches++;
    writer->events += events;
    writer->bytes += writer->sealed.len;
    return true;
}

enum err_code rh_workload_writer_flush(struct workload_writer *writer, struct err *err)
{
    if (writer->failure.code != RH_OK) {
        *err = writer->failure;
        return err->code;
    }
    if (!put_batch(writer) || !put_sums(writer) || !put_totals(writer) ||
        !rh_workload_sql(writer->db, "COMMIT; BEGIN"))
        return fail(writer, err);
    return RH_OK;
}

uint64_t rh_workload_writer_bytes(const struct workload_writer *writer)
{
    return writer->bytes;
}

/* --- the end ---------------------------------------------------------------------------------- */

static bool put_fidelity(struct workload_writer *writer, const struct workload_totals *totals)
{
    const struct workload_fidelity *fidelity = &totals->fidelity;
    bool is_ok = put_about(writer, "fidelity_order", rh_workload_grade_name(fidelity->order)) &&
                 put_about(writer, "fidelity_types", rh_workload_grade_name(fidelity->types)) &&
                 put_about(writer, "fidelity_parameters",
                           rh_workload_grade_name(fidelity->parameters)) &&
                 put_about(writer, "fidelity_timing", rh_workload_grade_name(fidelity->timing)) &&
                 put_about(writer, "fidelity_transactions",
                           rh_workload_grade_name(fidelity->transactions)) &&
                 put_about(writer, "fidelity_copy", rh_workload_grade_name(fidelity->copy)) &&
                 put_about_number(writer, "is_complete", totals->is_complete);
    for (size_t i = 0; i < fidelity->notes.count && is_ok; i++) {
        sqlite3_bind_int64(writer->statements[PUT_NOTE], 1, (int64_t)i + 1);
        bind_text(writer->statements[PUT_NOTE], 2, fidelity->notes.items[i]);
        is_ok = run(writer->statements[PUT_NOTE]);
    }
    for (size_t i = 0; i < totals->gaps.count && is_ok; i++) {
        sqlite3_stmt *put = writer->statements[PUT_GAP];
        sqlite3_bind_int64(put, 1, (int64_t)i + 1);
        bind_text(put, 2, totals->gaps.items[i].kind);
        sqlite3_bind_int64(put, 3, totals->gaps.items[i].count);
        bind_text(put, 4, totals->gaps.items[i].detail);
        is_ok = run(put);
    }
    return is_ok;
}

static bool put_production(struct workload_writer *writer,
                           const struct workload_production *production)
{
    return !production->is_known ||
           (put_about_number(writer, "production_window_us", production->window_us) &&
            put_about_number(writer, "production_total_us", production->total_us) &&
            put_about_number(writer, "production_covered_us", production->covered_us) &&
            put_about_number(writer, "production_patterns", production->patterns) &&
            put_about_number(writer, "production_never_seen", production->never_seen));
}

static bool put_footer(struct workload_writer *writer)
{
    uint8_t digest[TABLES_DIGEST_BYTES], footer[FOOTER_BYTES];
    if (!rh_workload_tables_digest(writer->db, true, digest))
        return false;
    rh_workload_put_footer(writer->batches, writer->events, digest, footer);
    return put_about(
        writer, ABOUT_FOOTER,
        rh_workload_seal_hex(writer->seal, FOOTER_NUMBER, footer, sizeof(footer), writer->arena));
}

/* Sessions that have not ended keep what was counted of them. */
static bool put_live(struct workload_writer *writer)
{
    bool is_ok = true;
    for (size_t i = 0; i < writer->live.bucket_count && is_ok; i++) {
        for (struct live_session *session = writer->live.buckets[i]; session && is_ok;
             session = session->next)
            is_ok = end_session(writer, session, NULL);
    }
    return is_ok;
}

static void close_db(struct workload_writer *writer)
{
    for (size_t i = 0; i < WRITER_STATEMENTS; i++) {
        sqlite3_finalize(writer->statements[i]);
        writer->statements[i] = NULL;
    }
    sqlite3_close(writer->db);
    writer->db = NULL;
}

/* On disk under its own name, and under no other: a link fails where a rename would overwrite. */
static enum err_code put_in_place(struct workload_writer *writer, struct err *err)
{
    RH_CLEANUP_FD int fd = open(writer->unfinished, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fsync(fd) != 0)
        return rh_err_set_errno(err, errno, "cannot write \"%s\" to disk", writer->unfinished);
    if (renameat2(AT_FDCWD, writer->unfinished, AT_FDCWD, writer->path, RENAME_NOREPLACE) != 0) {
        if (errno == EEXIST) {
            rh_err_set(err, RH_ERR_USAGE,
                       "cannot put the workload at \"%s\": something else came there",
                       writer->path);
            rh_err_hint(err, "It is complete, as \"%s\": give it another name.",
                        writer->unfinished);
            return err->code;
        }
        /* EINVAL: a file system that cannot promise it; the name was free when we began. */
        if (errno != EINVAL || rename(writer->unfinished, writer->path) != 0)
            return rh_err_set_errno(err, errno, "cannot put the workload at \"%s\"", writer->path);
    }
    const char *slash = strrchr(writer->path, '/');
    const char *directory = slash == NULL
                                ? "."
                                : rh_arena_strndup(
                                      writer->arena, writer->path,
                                      slash == writer->path ? 1 : (size_t)(slash - writer->path));
    return rh_file_sync_directory(directory, err);
}

enum err_code rh_workload_writer_finish(struct workload_writer *writer,
                                        const struct workload_totals *totals, struct err *err)
{
    enum err_code code = rh_workload_writer_flush(writer, err);
    if (code != RH_OK)
        return code;
    if (!put_live(writer) || !put_fidelity(writer, totals) ||
        !put_production(writer, &totals->production) ||
        !put_about(writer, ABOUT_STATE, "finished") || !put_footer(writer) ||
        !rh_workload_sql(writer->db, "COMMIT; PRAGMA journal_mode = DELETE"))
        return fail(writer, err);
    close_db(writer);
    code = put_in_place(writer, err);
    writer->unfinished = NULL; /* in place, or whole and named in the error */
    if (code != RH_OK)
        writer->failure = *err;
    return code;
}

enum err_code rh_workload_writer_keep(struct workload_writer *writer,
                                      const struct workload_totals *totals, struct err *err)
{
    /* Where the failure has ended the transaction already, there is nothing to take back. */
    (void)rh_workload_sql(writer->db, "ROLLBACK");
    writer->failure = (struct err){.code = RH_OK};
    if (!rh_workload_sql(writer->db, "BEGIN") || !put_fidelity(writer, totals) ||
        !rh_workload_sql(writer->db, "COMMIT; PRAGMA journal_mode = DELETE"))
        return fail(writer, err);
    close_db(writer);
    enum err_code code = put_in_place(writer, err);
    writer->unfinished = NULL;
    if (code != RH_OK)
        writer->failure = *err;
    return code;
}

void rh_workload_writer_free(struct workload_writer *writer)
{
    if (writer == NULL)
        return;
    close_db(writer);
    if (writer->unfinished != NULL) {
        static const char *const endings[] = {"", "-wal", "-shm", "-journal"};
        for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++)
            unlink(rh_arena_printf(writer->arena, "%s%s", writer->unfinished, endings[i]));
    }
    rh_live_sessions_deinit(&writer->live);
    rh_event_encoder_free(writer->encoder);
    rh_seal_free(writer->seal);
    rh_buf_deinit(&writer->plain);
    rh_buf_deinit(&writer->sealed);
    rh_arena_free(writer->arena);
    free(writer);
}
