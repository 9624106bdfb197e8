/*
 * Plays the sender of an inquiry (engine/inquiry.h) for tests and benchmarks.
 *
 *     inquire CONNINFO < requests
 *
 * A request is a line of JSON, {"sql": "...", "shows_values": false, "session": "SET ...", "until":
 * "DROP "}; the answer is one too: what the statement said, the questions with their errors and
 * milliseconds, and the blocker. At a question that begins with `until` the sender stops. Nothing
 * stays in the database, but what a statement leaves that cannot run inside a transaction.
 */
#include "engine/engine.h"

#include <jansson.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VALUES_MAX 20000 /* fields of one answer */

static void run(PGconn *connection, const char *sql)
{
    PGresult *result = PQexec(connection, sql);
    ExecStatusType status = PQresultStatus(result);
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) {
        fprintf(stderr, "%s: %s", sql, PQerrorMessage(connection));
        exit(1);
    }
    PQclear(result);
}

static struct server_message message_of(const PGresult *result)
{
    struct server_message message = {
        .message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY),
        .detail = PQresultErrorField(result, PG_DIAG_MESSAGE_DETAIL),
        .context = PQresultErrorField(result, PG_DIAG_CONTEXT),
        .schema = PQresultErrorField(result, PG_DIAG_SCHEMA_NAME),
        .table = PQresultErrorField(result, PG_DIAG_TABLE_NAME),
        .column = PQresultErrorField(result, PG_DIAG_COLUMN_NAME),
        .constraint = PQresultErrorField(result, PG_DIAG_CONSTRAINT_NAME),
        .data_type = PQresultErrorField(result, PG_DIAG_DATATYPE_NAME),
    };
    const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    snprintf(message.sqlstate, sizeof(message.sqlstate), "%s", sqlstate ? sqlstate : "");
    return message;
}

static bool has_failed(const PGresult *result)
{
    ExecStatusType status = PQresultStatus(result);
    return status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK;
}

/* Sends a question in a savepoint of its own; the answer is valid until `result` is cleared. */
static struct inquiry_answer send_question(PGconn *connection, const char *question,
                                           PGresult **result, struct server_message *message)
{
    static const char *values[VALUES_MAX];
    struct inquiry_answer answer = {0};
    run(connection, "SAVEPOINT question");
    *result = PQexec(connection, question);
    if (has_failed(*result)) {
        *message = message_of(*result);
        answer.error = message;
        run(connection, "ROLLBACK TO question");
        return answer;
    }
    answer.rows = (size_t)PQntuples(*result);
    answer.columns = (size_t)PQnfields(*result);
    for (size_t i = 0; i < answer.rows * answer.columns && i < VALUES_MAX; i++) {
        int row = (int)(i / answer.columns), column = (int)(i % answer.columns);
        values[i] = PQgetisnull(*result, row, column) ? NULL : PQgetvalue(*result, row, column);
    }
    answer.values = values;
    run(connection, "RELEASE question");
    return answer;
}

static json_t *text(const char *value)
{
    return value ? json_string_nocheck(value) : json_null();
}

static json_t *show_offenders(const struct offenders *offenders)
{
    json_t *keys = json_array();
    for (size_t i = 0; i < offenders->sample_keys.count; i++)
        json_array_append_new(keys, text(offenders->sample_keys.items[i]));
    return json_pack("{s:o s:o s:o s:o s:o s:o s:I s:I s:o s:o s:o s:o s:b s:b s:b s:b s:o}",
                     "offence", text(rh_offence_rule(offenders->offence)), "relation",
                     text(offenders->relation), "columns", text(offenders->columns), "constraint",
                     text(offenders->constraint), "referenced", text(offenders->referenced),
                     "new_type", text(offenders->new_type), "groups", (json_int_t)offenders->groups,
                     "rows", (json_int_t)offenders->rows, "keys", keys, "newest",
                     text(offenders->newest), "newest_column", text(offenders->newest_column),
                     "repair", text(offenders->repair_sql), "loses", offenders->repair_loses_rows,
                     "invents", offenders->repair_invents, "per_row", offenders->repair_per_row,
                     "defers", offenders->repair_defers, "own", text(offenders->own_values_sql));
}

static json_t *show_blocker(const struct blocker *blocker)
{
    json_t *offenders = json_array(), *unasked = json_array();
    for (size_t i = 0; i < blocker->offenders.count; i++)
        json_array_append_new(offenders, show_offenders(&blocker->offenders.items[i]));
    for (size_t i = 0; i < blocker->unasked.count; i++)
        json_array_append_new(unasked, text(blocker->unasked.items[i]));
    return json_pack("{s:o s:b s:b s:o s:o s:o}", "offenders", offenders, "tried",
                     blocker->repair_tried, "worked", blocker->repair_worked, "repair_error",
                     text(blocker->repair_error), "not_asked", text(blocker->not_asked), "unasked",
                     unasked);
}

static json_t *play(PGconn *connection, const char *sql, const struct server_message *error,
                    bool shows_values, const char *until)
{
    struct arena *arena = rh_arena_new();
    struct blocker blocker = {0};
    json_t *asked = json_array(), *shown = json_null();
    struct inquiry *inquiry = rh_engine_postgres.inquiry_new(sql, error, shows_values, arena);
    struct inquiry_answer answer = {0}, *last = NULL;
    PGresult *result = NULL;
    const char *question;
    struct server_message message;
    do {
        run(connection, "BEGIN");
        last = NULL;
        while (inquiry && (question = rh_engine_postgres.inquiry_next(inquiry, last)) &&
               !(until && strncmp(question, until, strlen(until)) == 0)) {
            struct mono start = rh_clock_mono();
            PQclear(result);
            answer = send_question(connection, question, &result, &message);
            last = &answer;
            double milliseconds = (double)(rh_clock_mono().us - start.us) / 1e3;
            json_array_append_new(asked, json_pack("[s o f]", question,
                                                   text(answer.error ? message.message : NULL),
                                                   milliseconds));
        }
        run(connection, "ROLLBACK");
    } while (inquiry && rh_engine_postgres.inquiry_again(inquiry));
    if (inquiry) {
        rh_engine_postgres.inquiry_result(inquiry, &blocker);
        shown = show_blocker(&blocker);
    }
    PQclear(result);
    rh_arena_free(arena);
    return json_pack("{s:s s:s s:o s:o}", "sqlstate", error->sqlstate, "message",
                     error->message ? error->message : "", "blocker", shown, "asked", asked);
}

/* The statement's own failure, in a transaction unless it says CONCURRENTLY. */
static json_t *answer_request(PGconn *connection, const char *sql, bool shows_values,
                              const char *until)
{
    bool alone = strstr(sql, "CONCURRENTLY") != NULL;
    if (!alone)
        run(connection, "BEGIN");
    PGresult *result = PQexec(connection, sql);
    bool failed = has_failed(result);
    if (!alone)
        run(connection, "ROLLBACK");
    json_t *shown = json_null();
    if (failed) {
        struct server_message error = message_of(result);
        shown = play(connection, sql, &error, shows_values, until);
    }
    PQclear(result);
    return shown;
}

int main(int argc, char **argv)
{
    char *line = NULL;
    size_t size = 0;
    PGconn *connection = PQconnectdb(argc > 1 ? argv[1] : "");
    if (PQstatus(connection) != CONNECTION_OK) {
        fprintf(stderr, "%s", PQerrorMessage(connection));
        return 1;
    }
    PQsetClientEncoding(connection, "UTF8");
    while (getline(&line, &size, stdin) > 0) {
        json_t *request = json_loads(line, 0, NULL);
        const char *session = json_string_value(json_object_get(request, "session"));
        if (session)
            run(connection, session);
        json_t *answer = answer_request(connection,
                                        json_string_value(json_object_get(request, "sql")),
                                        json_is_true(json_object_get(request, "shows_values")),
                                        json_string_value(json_object_get(request, "until")));
        json_dumpf(answer, stdout, JSON_ENCODE_ANY);
        putchar('\n');
        fflush(stdout);
        json_decref(answer);
        json_decref(request);
    }
    free(line);
    PQfinish(connection);
    return 0;
}
