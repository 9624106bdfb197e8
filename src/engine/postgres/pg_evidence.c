#include "engine/postgres/pg_engine_int.h"
#include "engine/postgres/pg_sql_int.h"

#include "engine/postgres/pg_sql.inc.h"

#include "model/trace.h"

#include <ctype.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

enum err_code rh_pg_install_evidence(struct connection *connection, const char *secret,
                                     struct mono deadline, struct err *err)
{
    int major = rh_pg_server_version(connection) / 10000;
    const char *parameters[] = {secret};
    enum err_code code;

    code = rh_pg_query(connection, rh_pg_sql_for(PG_SQL_EVIDENCE, major), NULL, 0, deadline, NULL,
                       err);
    if (!code)
        code = rh_pg_query(connection, rh_pg_sql_for(PG_SQL_EVIDENCE_ROW, major), parameters, 1,
                           deadline, NULL, err);
    if (code) {
        if (!strcmp(err->sqlstate, "42P06")) /* duplicate_schema, raised by evidence.sql */
            rh_err_hint(err,
                        "Rename that schema: \"rehearse\" is where this program reports from.");
        rh_err_while(err, "while installing the evidence triggers");
    }
    return code;
}

/* --- decoding: sticky failure, checked at the end ------------------------------------------------
 */

struct decoder {
    struct arena *arena;
    const char *wrong; /* the first field that is not what it should be; NULL: none */
};

static void fail(struct decoder *decoder, const char *field)
{
    if (!decoder->wrong)
        decoder->wrong = field;
}

static const char *text_of(struct decoder *decoder, const json_t *value, const char *field,
                           bool nullable)
{
    if (json_is_string(value))
        return rh_arena_strndup(decoder->arena, json_string_value(value),
                                json_string_length(value));
    if (!nullable || (value && !json_is_null(value)))
        fail(decoder, field);
    return nullable ? NULL : "";
}

static int64_t int_of(struct decoder *decoder, const json_t *value, const char *field)
{
    if (!json_is_integer(value)) {
        fail(decoder, field);
        return 0;
    }
    return json_integer_value(value);
}

static bool bool_of(struct decoder *decoder, const json_t *value, const char *field)
{
    if (!json_is_boolean(value))
        fail(decoder, field);
    return json_is_true(value);
}

/* A list of rows of at least `columns` values; NULL and null are the empty list. */
static size_t list_of(struct decoder *decoder, const json_t *value, const char *field,
                      size_t columns)
{
    if (!value || json_is_null(value))
        return 0;
    if (!json_is_array(value)) {
        fail(decoder, field);
        return 0;
    }
    for (size_t i = 0; i < json_array_size(value); i++) {
        const json_t *row = json_array_get(value, i);
        if (!json_is_array(row) || json_array_size(row) < columns) {
            fail(decoder, field);
            return 0;
        }
    }
    return json_array_size(value);
}

/* A name made by regclass: digits alone are the id of a relation that is gone. */
static const char *relation_of(struct decoder *decoder, const json_t *value, const char *field)
{
    const char *name = text_of(decoder, value, field, true);

    return name && name[strspn(name, "0123456789")] ? name : NULL;
}

/* "0", "500ms", "2s", "1min", "1h", "1d": as SHOW prints a setting in milliseconds. */
static int64_t milliseconds_of(struct decoder *decoder, const json_t *value, const char *field)
{
    static const struct {
        const char *unit;
        int64_t ms;
    } UNITS[] = {{"", 1}, {"ms", 1}, {"s", 1000}, {"min", 60000}, {"h", 3600000}, {"d", 86400000}};
    const char *text = text_of(decoder, value, field, false);
    char *end;
    long long number = strtoll(text, &end, 10);

    if (end != text && number >= 0 && number <= INT32_MAX)
        for (size_t i = 0; i < sizeof(UNITS) / sizeof(*UNITS); i++)
            if (!strcmp(UNITS[i].unit, end))
                return number * UNITS[i].ms;
    fail(decoder, field);
    return NOT_OBSERVED;
}

/* --- where the command came from
 * ------------------------------------------------------------------ */

/* Lines of an error context below ours (lc_messages is C in a sandbox). */
static bool starts_frame(const char *s)
{
    static const char *const STARTS[] = {"PL/", "SQL statement \"", "SQL function ",
                                         "SQL expression \"", "extension script file"};

    for (size_t i = 0; i < sizeof(STARTS) / sizeof(*STARTS); i++)
        if (!strncmp(s, STARTS[i], strlen(STARTS[i])))
            return true;
    return false;
}

static bool is_function_frame(const char *line, size_t len)
{
    static const char LEVEL[] = " function ";

    return !strncmp(line, "extension script file", 21) || !strncmp(line, "SQL function ", 13) ||
           (!strncmp(line, "PL/", 3) && memmem(line, len, LEVEL, sizeof(LEVEL) - 1));
}

/*
 * The context is our own frame, then for each level the statement ('SQL statement "..."', quotes in
 * it not doubled, over any number of lines) and the function that ran it. A statement ends at the
 * first quote that a frame or nothing follows.
 */
static void decode_context(struct decoder *decoder, const char *context, struct evidence *evidence)
{
    static const char STATEMENT[] = "SQL statement \"";
    const char *at = strchr(context, '\n');

    while (at && *++at) {
        const char *end;
        if (!strncmp(at, STATEMENT, sizeof(STATEMENT) - 1)) {
            const char *text = at + sizeof(STATEMENT) - 1;
            end = text;
            while ((end = strchr(end, '"')) && end[1] && !(end[1] == '\n' && starts_frame(end + 2)))
                end++;
            size_t len = end ? (size_t)(end - text) : strlen(text);
            if (!evidence->statement && evidence->depth == 0)
                evidence->statement = rh_arena_strndup(
                    decoder->arena, text, len < STATEMENT_TEXT_MAX ? len : STATEMENT_TEXT_MAX);
            at = end ? strchr(end, '\n') : NULL;
            continue;
        }
        end = strchr(at, '\n');
        size_t len = end ? (size_t)(end - at) : strlen(at);
        if (is_function_frame(at, len)) {
            evidence->depth++;
            if (!evidence->frame)
                evidence->frame = rh_arena_strndup(decoder->arena, at, len);
        }
        at = end;
    }
    /* A statement without a function around it is still below the client's (another language). */
    if (evidence->statement && evidence->depth == 0)
        evidence->depth = 1;
}

/* --- the parts
 * ------------------------------------------------------------------------------------- */

static const char *kind_name(const char *relkind)
{
    /* pg_class.relkind (manual 18, 51.11); as ENGINE_QUERY_RELATIONS names them */
    switch (*relkind) {
    case 'r':
    case 'p':
        return "table";
    case 'i':
    case 'I':
        return "index";
    case 'S':
        return "sequence";
    case 'v':
        return "view";
    case 'm':
        return "materialized view";
    case 'c':
        return "composite type";
    case 'f':
        return "foreign table";
    case 't':
        return "toast table";
    default:
        return relkind;
    }
}

/* "16400 AccessExclusiveLock,16407 ShareLock": ids and modes; "": none. */
static void decode_locks(struct decoder *decoder, const char *at, struct evidence *evidence)
{
    while (*at) {
        char *end;
        long long id = strtoll(at, &end, 10);
        size_t mode_len = *end == ' ' ? strcspn(end + 1, ",") : 0;
        if (id <= 0 || mode_len == 0) {
            fail(decoder, "locks");
            return;
        }
        struct evidence_lock *lock = RH_PUSH(decoder->arena, &evidence->locks);
        lock->relation_id = id;
        lock->mode = rh_arena_strndup(decoder->arena, end + 1, mode_len);
        at = end + 1 + mode_len;
        at += *at == ',';
    }
}

static void decode_relations(struct decoder *decoder, const json_t *root, struct evidence *evidence)
{
    const json_t *list = json_object_get(root, "relations");
    size_t count = list_of(decoder, list, "relations", 5);

    for (size_t i = 0; i < count; i++) {
        const json_t *row = json_array_get(list, i);
        const json_t *table_id = json_array_get(row, 3);
        struct evidence_relation *relation = RH_PUSH(decoder->arena, &evidence->relations);
        relation->id = int_of(decoder, json_array_get(row, 0), "relations");
        relation->kind = kind_name(text_of(decoder, json_array_get(row, 1), "relations", false));
        relation->name = relation_of(decoder, json_array_get(row, 2), "relations");
        relation->table_id = json_is_null(table_id) ? 0 : int_of(decoder, table_id, "relations");
        relation->table = relation_of(decoder, json_array_get(row, 4), "relations");
    }
}

static void decode_commands(struct decoder *decoder, const json_t *root, struct evidence *evidence)
{
    const json_t *list = json_object_get(root, "commands");
    size_t count = list_of(decoder, list, "commands", 5);

    for (size_t i = 0; i < count; i++) {
        const json_t *row = json_array_get(list, i);
        struct evidence_command *command = RH_PUSH(decoder->arena, &evidence->commands);
        command->tag = text_of(decoder, json_array_get(row, 0), "commands", false);
        /* GRANT and ALTER DEFAULT PRIVILEGES name no object */
        command->object_type = text_of(decoder, json_array_get(row, 1), "commands", true);
        command->identity = text_of(decoder, json_array_get(row, 2), "commands", true);
        command->relation_id = int_of(decoder, json_array_get(row, 3), "commands");
        command->in_extension = bool_of(decoder, json_array_get(row, 4), "commands");
    }
}

static void decode_drops(struct decoder *decoder, const json_t *root, struct evidence *evidence)
{
    const json_t *list = json_object_get(root, "drops");
    size_t count = list_of(decoder, list, "drops", 5);

    for (size_t i = 0; i < count; i++) {
        const json_t *row = json_array_get(list, i);
        struct evidence_drop *drop = RH_PUSH(decoder->arena, &evidence->drops);
        drop->type = text_of(decoder, json_array_get(row, 0), "drops", false);
        drop->identity = text_of(decoder, json_array_get(row, 1), "drops", true);
        drop->original = bool_of(decoder, json_array_get(row, 2), "drops");
        drop->normal = bool_of(decoder, json_array_get(row, 3), "drops");
        drop->relation_id = int_of(decoder, json_array_get(row, 4), "drops");
    }
}

static void decode_scans(struct decoder *decoder, const json_t *root, struct evidence *evidence)
{
    const json_t *list = json_object_get(root, "scans");
    size_t count = list_of(decoder, list, "scans", 4);

    for (size_t i = 0; i < count; i++) {
        const json_t *row = json_array_get(list, i);
        struct evidence_scan *scan = RH_PUSH(decoder->arena, &evidence->scans);
        scan->relation_id = int_of(decoder, json_array_get(row, 0), "scans");
        scan->relation = relation_of(decoder, json_array_get(row, 1), "scans");
        scan->scans = int_of(decoder, json_array_get(row, 2), "scans");
        scan->rows = int_of(decoder, json_array_get(row, 3), "scans");
    }
}

static void decode_rewrite(struct decoder *decoder, const json_t *root, struct evidence *evidence)
{
    /* AT_REWRITE_* in src/include/commands/event_trigger.h; 8 since 15 */
    static const struct {
        int64_t bit;
        const char *name;
    } REASONS[] = {
        {4, "column type"}, {2, "column default"}, {8, "access method"}, {1, "persistence"}};
    const json_t *row = json_object_get(root, "rewrite");
    const char *reason = NULL;

    if (!json_is_array(row) || json_array_size(row) < 3) {
        fail(decoder, "rewrite");
        return;
    }
    evidence->rewrite_relation_id = int_of(decoder, json_array_get(row, 0), "rewrite");
    evidence->rewrite_relation = relation_of(decoder, json_array_get(row, 1), "rewrite");
    int64_t bits = int_of(decoder, json_array_get(row, 2), "rewrite");
    for (size_t i = 0; i < sizeof(REASONS) / sizeof(*REASONS); i++) {
        if (bits & REASONS[i].bit)
            reason = reason ? rh_arena_printf(decoder->arena, "%s, %s", reason, REASONS[i].name)
                            : REASONS[i].name;
    }
    evidence->rewrite_reason = reason ? reason : "unknown";
}

static enum evidence_event event_of(struct decoder *decoder, const char *name)
{
    if (!strcmp(name, "ddl_command_start"))
        return EVIDENCE_COMMAND_START;
    if (!strcmp(name, "ddl_command_end"))
        return EVIDENCE_COMMAND_END;
    if (!strcmp(name, "sql_drop"))
        return EVIDENCE_DROP;
    if (!strcmp(name, "table_rewrite"))
        return EVIDENCE_REWRITE;
    fail(decoder, "event");
    return EVIDENCE_COMMAND_START;
}

/* `locks`: what follows the object. */
static void decode(struct decoder *decoder, const json_t *root, const char *locks,
                   struct evidence *evidence)
{
    evidence->event = event_of(decoder,
                               text_of(decoder, json_object_get(root, "event"), "event", false));
    evidence->tag = text_of(decoder, json_object_get(root, "tag"), "tag", false);
    evidence->server_clock_us = int_of(decoder, json_object_get(root, "clock_us"), "clock_us");
    evidence->transaction_start_us = int_of(decoder, json_object_get(root, "transaction_start_us"),
                                            "transaction_start_us");
    evidence->lock_timeout_ms = milliseconds_of(decoder, json_object_get(root, "lock_timeout"),
                                                "lock_timeout");
    evidence->statement_timeout_ms = milliseconds_of(
        decoder, json_object_get(root, "statement_timeout"), "statement_timeout");
    decode_context(decoder, text_of(decoder, json_object_get(root, "context"), "context", false),
                   evidence);
    decode_locks(decoder, locks, evidence);
    decode_relations(decoder, root, evidence);
    decode_commands(decoder, root, evidence);
    decode_drops(decoder, root, evidence);
    decode_scans(decoder, root, evidence);
    evidence->locks_omitted = int_of(decoder, json_object_get(root, "locks_omitted"),
                                     "locks_omitted");
    evidence->commands_omitted = int_of(decoder, json_object_get(root, "commands_omitted"),
                                        "commands_omitted");
    evidence->drops_omitted = int_of(decoder, json_object_get(root, "drops_omitted"),
                                     "drops_omitted");
    const json_t *position = json_object_get(root, "wal_position");
    evidence->wal_position = position ? int_of(decoder, position, "wal_position") : 0;
    evidence->problem = text_of(decoder, json_object_get(root, "problem"), "problem", true);
    if (evidence->event == EVIDENCE_REWRITE && !evidence->problem)
        decode_rewrite(decoder, root, evidence);
}

enum err_code rh_pg_decode_evidence(const char *json, const char *secret, struct arena *arena,
                                    struct evidence *ret_evidence, struct err *err)
{
    struct decoder decoder = {.arena = arena};
    struct evidence evidence = {0};
    json_error_t where;
    json_t *root = json_loads(json, JSON_REJECT_DUPLICATES | JSON_DISABLE_EOF_CHECK, &where);
    const char *carried;
    enum err_code code = RH_OK;

    if (!json_is_object(root)) {
        code = rh_err_set(err, RH_ERR_FORMAT, "cannot read a report of the server: not JSON");
    } else {
        carried = json_string_value(json_object_get(root, "secret"));
        if (!carried || strcmp(carried, secret))
            code = rh_err_set(err, RH_ERR_FORMAT,
                              "a report of the server does not carry our secret");
    }
    if (!code) {
        decode(&decoder, root, json + where.position, &evidence);
        if (decoder.wrong)
            code = rh_err_set(err, RH_ERR_FORMAT,
                              "cannot read a report of the server: field \"%s\" is not as expected",
                              decoder.wrong);
    }
    json_decref(root);
    if (!code)
        *ret_evidence = evidence;
    return code;
}
