#include "workload/log_statements.h"

#include <stdlib.h>
#include <strings.h>

/* A day of a server without a pool has a million sessions. */
#define BUCKETS ((size_t)65536)
#define PARAMETERS_MAX ((size_t)65535)
/* A year: nothing was under way for longer. */
#define DURATION_MAX_MS (INT64_C(366) * 24 * 60 * 60 * 1000)

/* A statement that was announced ("statement: ..."), until its duration or its error comes. */
struct pending {
    struct pending *next;
    char *key;
    bool has_statement, is_extended;
    struct arena *arena; /* of what follows; NULL: no statement is there */
    struct text query;
    const char *name;
    struct text *parameters;
    size_t parameter_count;
    int64_t at_us;
};

struct log_statements {
    struct import_maker *maker;
    struct log_statement_counts counts;
    struct pending *buckets[BUCKETS];
    bool saw_connections;
};

struct log_statements *rh_log_statements_new(struct import_maker *maker)
{
    struct log_statements *statements = calloc(1, sizeof(*statements));
    if (statements == NULL)
        RH_PANIC("out of memory (%zu bytes)", sizeof(*statements));
    statements->maker = maker;
    statements->counts.shortest_us = -1;
    return statements;
}

static void free_pending(struct pending *pending)
{
    rh_arena_free(pending->arena);
    free(pending->key);
    free(pending);
}

void rh_log_statements_free(struct log_statements *statements)
{
    if (statements == NULL)
        return;
    for (size_t i = 0; i < BUCKETS; i++) {
        while (statements->buckets[i] != NULL) {
            struct pending *pending = statements->buckets[i];
            statements->buckets[i] = pending->next;
            free_pending(pending);
        }
    }
    free(statements);
}

const struct log_statement_counts *rh_log_statements_counts(const struct log_statements *statements)
{
    return &statements->counts;
}

static struct pending **place_of(struct log_statements *statements, const char *key)
{
    uint32_t hash = 2166136261u;
    for (const char *p = key; *p; p++)
        hash = (hash ^ (unsigned char)*p) * 16777619u;
    struct pending **place = &statements->buckets[hash % BUCKETS];
    while (*place != NULL && strcmp((*place)->key, key) != 0)
        place = &(*place)->next;
    return place;
}

static struct pending *pending_of(struct log_statements *statements, const char *key)
{
    struct pending **place = place_of(statements, key);
    if (*place == NULL) {
        *place = calloc(1, sizeof(**place));
        if (*place == NULL || ((*place)->key = strdup(key)) == NULL)
            RH_PANIC("out of memory");
    }
    return *place;
}

/* Sessions whose end is not logged stay to the end of the log: what they hold goes with each
   statement. */
static void forget_statement(struct pending *pending)
{
    rh_arena_free(pending->arena);
    pending->arena = NULL;
    pending->has_statement = false;
}

static void begin_statement(struct pending *pending, struct text query, struct text name)
{
    forget_statement(pending);
    pending->arena = rh_arena_new();
    pending->query = rh_text(rh_text_dup(pending->arena, query));
    pending->name = rh_text_dup(pending->arena, name);
    pending->parameters = NULL;
    pending->parameter_count = 0;
}

/* --- texts ------------------------------------------------------------------------------------ */

static bool take(struct text *rest, const char *prefix)
{
    if (!rh_text_starts_with(*rest, prefix))
        return false;
    rest->data += strlen(prefix);
    rest->len -= strlen(prefix);
    return true;
}

/* "0.123 ms" */
static bool take_duration(struct text *rest, int64_t *ret_us)
{
    int64_t whole = 0, fraction = 0, unit = 1000;
    if (!rh_text_take_int64(rest, &whole) || whole < 0 || whole > DURATION_MAX_MS)
        return false;
    if (rest->len > 0 && rest->data[0] == '.') {
        rest->data++;
        rest->len--;
        while (rest->len > 0 && rest->data[0] >= '0' && rest->data[0] <= '9') {
            unit /= 10;
            fraction += unit * (rest->data[0] - '0');
            rest->data++;
            rest->len--;
        }
    }
    *ret_us = whole * 1000 + fraction;
    return take(rest, " ms");
}

/* "parameters: $1 = 'it''s', $2 = NULL": with a capital since PostgreSQL 16. */
static bool parse_parameters(struct log_statements *statements, struct pending *pending,
                             struct text detail)
{
    VEC(struct text) values = {0};
    detail = rh_text_trim(detail);
    if (!take(&detail, "parameters: ") && !take(&detail, "Parameters: "))
        return detail.len == 0;
    while (detail.len > 0 && values.count < PARAMETERS_MAX) {
        int64_t number;
        if (!take(&detail, "$") || !rh_text_take_int64(&detail, &number) ||
            number != (int64_t)values.count + 1 || !take(&detail, " = "))
            return false;
        struct text *value = RH_PUSH(pending->arena, &values);
        if (take(&detail, "NULL")) {
            *value = (struct text){NULL, 0};
        } else if (rh_text_starts_with(detail, "'")) {
            if (!rh_log_quoted(pending->arena, &detail, '\'', value))
                return false;
            statements->counts.parameters_cut += rh_text_ends_with(*value, "...");
        } else {
            return false;
        }
        if (detail.len > 0 && !take(&detail, ", "))
            return false;
    }
    pending->parameters = values.items;
    pending->parameter_count = values.count;
    return true;
}

/* --- statements ------------------------------------------------------------------------------- */

static enum err_code emit(struct log_statements *statements, struct pending *pending,
                          const struct log_record *record, int64_t begun_at_us, int64_t ended_at_us,
                          const char *sqlstate, struct err *err)
{
    struct log_statement_counts *counts = &statements->counts;
    struct import_who who = {.key = pending->key,
                             .user = record ? record->user : "",
                             .database = record ? record->database : "",
                             .application_name = record ? record->application_name : ""};
    struct import_session *session = rh_import_session(statements->maker, &who, begun_at_us,
                                                       statements->saw_connections);
    struct import_statement statement = {
        .query = pending->query,
        .is_extended = pending->is_extended,
        .name = pending->name,
        .parameters = pending->parameters,
        .parameter_count = pending->parameter_count,
        .begun_at_us = begun_at_us,
        .ended_at_us = ended_at_us,
        .sqlstate = sqlstate,
        .was_cancelled = strcmp(sqlstate, "57014") == 0,
    };
    struct text trimmed = rh_text_trim(pending->query);
    counts->statements++;
    counts->extended += pending->is_extended;
    counts->transactions += trimmed.len >= 5 && strncasecmp(trimmed.data, "begin", 5) == 0;
    if (trimmed.len > 5 && strncasecmp(trimmed.data, "copy ", 5) == 0) {
        counts->copies++;
        rh_import_gap(statements->maker, "copy-data-not-logged", 1,
                      "a log has no COPY data: the statement is there alone");
    }
    enum err_code code = rh_import_statement(statements->maker, session, &statement, err);
    forget_statement(pending);
    return code;
}

/* The statement of "statement: TEXT", "execute NAME: TEXT". False: the message is another one. */
static bool take_statement(struct log_statements *statements, struct pending *pending,
                           const struct log_record *record, struct text rest, bool *ret_is_fetch)
{
    bool is_extended = false;
    *ret_is_fetch = false;
    struct text name = {"", 0};
    if (take(&rest, "execute fetch from ")) {
        *ret_is_fetch = true;
        return true;
    }
    if (take(&rest, "execute ")) {
        const char *colon = memmem(rest.data, rest.len, ": ", 2);
        if (colon == NULL)
            return false;
        name = (struct text){rest.data, (size_t)(colon - rest.data)};
        rest.data += name.len + 2;
        rest.len -= name.len + 2;
        /* Behind a slash stands the portal. */
        const char *slash = memrchr(name.data, '/', name.len);
        if (slash != NULL)
            name.len = (size_t)(slash - name.data);
        if (rh_text_is(name, "<unnamed>"))
            name.len = 0;
        is_extended = true;
    } else if (!take(&rest, "statement: ")) {
        return false;
    }
    if (memchr(rest.data, '\0', rest.len) != NULL)
        return false;
    begin_statement(pending, rest, name);
    pending->is_extended = is_extended;
    pending->at_us = record->at_us;
    pending->has_statement = true;
    if (is_extended && !parse_parameters(statements, pending, record->detail))
        rh_import_gap(statements->maker, "parameters-not-understood", 1,
                      "the parameters of a statement were cut, or are written in another way");
    return true;
}

/* Announced, and then another one came: nobody logged how long it took. */
static enum err_code emit_without_duration(struct log_statements *statements,
                                           struct pending *pending, const struct log_record *record,
                                           struct err *err)
{
    if (!pending->has_statement)
        return RH_OK;
    statements->counts.without_duration++;
    return emit(statements, pending, record, pending->at_us, pending->at_us, "", err);
}

static enum err_code add_duration(struct log_statements *statements, struct pending *pending,
                                  const struct log_record *record, struct text rest,
                                  struct err *err)
{
    int64_t duration_us;
    bool is_fetch;
    if (!take_duration(&rest, &duration_us) || duration_us > record->at_us)
        return RH_OK;
    rest = rh_text_trim(rest);
    int64_t *shortest = &statements->counts.shortest_us;
    if (rest.len > 0) {
        /* The whole of it on one line: parse and bind are phases of what is executed later. */
        enum err_code code = emit_without_duration(statements, pending, record, err);
        if (code != RH_OK || !take_statement(statements, pending, record, rest, &is_fetch))
            return code;
        if (is_fetch)
            rh_import_gap(statements->maker, "fetches-left-out", 1,
                          "rows that a client fetched in pieces are fetched at once");
    }
    if (!pending->has_statement)
        return RH_OK;
    *shortest = *shortest < 0 || duration_us < *shortest ? duration_us : *shortest;
    int64_t begun_at_us = record->at_us - duration_us;
    /* Its announcement is when it began, but for clocks that count seconds. */
    if (rest.len == 0 && pending->at_us < begun_at_us && statements->counts.has_fractions)
        begun_at_us = pending->at_us;
    return emit(statements, pending, record, begun_at_us, record->at_us, "", err);
}

/* What the server says in English where the log has no SQLSTATE. */
static const char *sqlstate_of(struct log_statements *statements, const struct log_record *record)
{
    static const struct {
        const char *words, *sqlstate;
    } known[] = {
        {"canceling statement due to", "57014"},
        {"duplicate key value violates", "23505"},
        {"violates foreign key constraint", "23503"},
        {"violates check constraint", "23514"},
        {"violates not-null constraint", "23502"},
        {"deadlock detected", "40P01"},
        {"could not serialize access", "40001"},
        {"current transaction is aborted", "25P02"},
        {"canceling statement due to lock timeout", "55P03"},
        {"division by zero", "22012"},
        {"syntax error", "42601"},
        {"permission denied", "42501"},
    };
    if (strlen(record->sqlstate) == 5 && strcmp(record->sqlstate, "00000") != 0)
        return record->sqlstate;
    const char *found = NULL;
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (memmem(record->message.data, record->message.len, known[i].words,
                   strlen(known[i].words)) != NULL)
            found = known[i].sqlstate;
    }
    if (found != NULL)
        return found;
    statements->counts.unknown_sqlstate++;
    return IMPORT_SQLSTATE_UNKNOWN;
}

static enum err_code add_error(struct log_statements *statements, struct pending *pending,
                               const struct log_record *record, struct err *err)
{
    struct text statement = rh_text_trim(record->statement);
    if (pending->has_statement)
        return emit(statements, pending, record, pending->at_us, record->at_us,
                    sqlstate_of(statements, record), err);
    if (statement.len == 0 || memchr(statement.data, '\0', statement.len) != NULL)
        return RH_OK;
    if (memmem(statement.data, statement.len, "$1", 2) != NULL) {
        rh_import_gap(statements->maker, "errors-without-parameters", 1,
                      "statements that failed; the log has their text and not their parameters");
        return RH_OK;
    }
    begin_statement(pending, statement, TEXT_LITERAL(""));
    pending->is_extended = false;
    return emit(statements, pending, record, record->at_us, record->at_us,
                sqlstate_of(statements, record), err);
}

/* --- sessions --------------------------------------------------------------------------------- */

static enum err_code end_session(struct log_statements *statements, const char *key, int64_t at_us,
                                 struct err *err)
{
    struct pending **place = place_of(statements, key);
    enum err_code code = RH_OK;
    if (*place != NULL) {
        struct pending *pending = *place;
        code = emit_without_duration(statements, pending, NULL, err);
        *place_of(statements, key) = pending->next;
        free_pending(pending);
    }
    struct import_session *session = rh_import_session_find(statements->maker, key);
    if (session != NULL && code == RH_OK)
        code = rh_import_session_end(statements->maker, session, at_us, err);
    return code;
}

enum err_code rh_log_statements_add(struct log_statements *statements,
                                    const struct log_record *record, struct err *err)
{
    struct text rest = record->message;
    bool is_log = strcmp(record->severity, "LOG") == 0, is_fetch;
    enum err_code code = RH_OK;
    if (record->at_us <= 0 || record->session[0] == '\0')
        return RH_OK;
    statements->counts.has_fractions |= record->at_us % 1000000 != 0;
    if (!is_log && strcmp(record->severity, "ERROR") != 0 && strcmp(record->severity, "FATAL") != 0)
        return RH_OK;
    if (is_log && take(&rest, "connection received: ")) {
        /* A process id that comes again is another session. */
        statements->saw_connections = true;
        return end_session(statements, record->session, record->at_us, err);
    }
    if (is_log && take(&rest, "connection authorized: ")) {
        struct import_who who = {record->session, record->user, record->database,
                                 record->application_name};
        rh_import_session(statements->maker, &who, record->at_us, false);
        return RH_OK;
    }
    if (is_log && take(&rest, "disconnection: "))
        return end_session(statements, record->session, record->at_us, err);
    struct pending *pending = pending_of(statements, record->session);
    if (!is_log)
        return add_error(statements, pending, record, err);
    if (take(&rest, "duration: "))
        return add_duration(statements, pending, record, rest, err);
    if (!rh_text_starts_with(rest, "statement: ") && !rh_text_starts_with(rest, "execute "))
        return RH_OK;
    code = emit_without_duration(statements, pending, record, err);
    if (code == RH_OK && take_statement(statements, pending, record, rest, &is_fetch)) {
        statements->counts.announced++;
        if (is_fetch)
            rh_import_gap(statements->maker, "fetches-left-out", 1,
                          "rows that a client fetched in pieces are fetched at once");
    }
    return code;
}

enum err_code rh_log_statements_finish(struct log_statements *statements, struct err *err)
{
    enum err_code code = RH_OK;
    for (size_t i = 0; i < BUCKETS; i++) {
        for (struct pending *pending = statements->buckets[i]; pending && code == RH_OK;
             pending = pending->next)
            code = emit_without_duration(statements, pending, NULL, err);
    }
    return code;
}
