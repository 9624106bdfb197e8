/* What the server answers: matched with what is awaited, rows hashed, results recorded. */
#include "workload/capture_path_int.h"

#include <stdlib.h>

#define QUERY_TEXT_OF(session, pending) \
    ((struct text){(session)->texts.data + (pending)->text, (pending)->text_length})

/* --- results ---------------------------------------------------------------------------------- */

static void put_results(struct capture_session *session)
{
    const struct text body = {(const char *)session->results,
                              session->result_count * sizeof(*session->results)};

    if (session->number && session->result_count > 0)
        rh_capture_put(session, RECORD_RESULTS, 0, 0, 0, body);
    session->result_count = 0;
}

static void put_answer(struct capture_session *session, uint32_t unit, char status)
{
    size_t results = session->result_count * sizeof(*session->results);
    const struct capture_answer answer = {
        .first_byte_us = session->first_byte_us ? session->first_byte_us : session->path->now_us,
        .unit = unit,
        .status = status};
    struct capture_record *record;

    session->result_count = 0;
    session->unit_results = 0;
    if (!session->number ||
        !(record = rh_capture_reserve(session, RECORD_ANSWER, sizeof(answer) + results)))
        return;
    memcpy(record + 1, &answer, sizeof(answer));
    memcpy((char *)(record + 1) + sizeof(answer), session->results, results);
    rh_capture_commit(session, record);
}

static struct workload_result *add_result(struct capture_session *session)
{
    struct workload_result *result;

    if (session->result_count == RESULTS_KEPT)
        put_results(session);
    result = &session->results[session->result_count++];
    memset(result, 0, sizeof(*result));
    result->pattern = session->step;
    result->rows = -1;
    result->returned = session->returned;
    if (session->path->options.has_digests) {
        result->has_digest = true;
        memcpy(result->unordered, session->digest.unordered, WORKLOAD_DIGEST_BYTES);
        memcpy(result->ordered, session->digest.ordered, WORKLOAD_DIGEST_BYTES);
    }
    session->returned = 0;
    session->unit_results++;
    session->id_count = 0;
    rh_result_digest_init(&session->digest);
    return result;
}

/* --- what is awaited -------------------------------------------------------------------------- */

static bool is_copy_message(unsigned char type)
{
    return type == 'd' || type == 'c' || type == 'f';
}

/* The message that an answer is of. What is left of a COPY that failed is dropped by the server
   without a word. */
static struct pending *awaited(struct capture_session *session)
{
    struct pending *front = rh_capture_front(session);

    while (front && is_copy_message(front->type)) {
        rh_capture_pop(session);
        front = rh_capture_front(session);
    }
    return front;
}

/* A COPY FROM STDIN has begun: Syncs that were sent along with its Execute are not answered
   ("COPY Operations": ignored while data is awaited). */
static void drop_ignored_syncs(struct capture_session *session)
{
    struct pending *front = rh_capture_front(session), kept;

    if (!front || front->type != 'E')
        return;
    while (session->pending_count > 1) {
        size_t mask = session->pending_size - 1;
        struct pending *second = &session->pending[(session->pending_first + 1) & mask];

        if (second->type != 'S')
            return;
        /* The Execute moves one up, over the Sync. */
        kept = *rh_capture_front(session);
        *second = kept;
        session->pending[session->pending_first] = (struct pending){.type = 'S'};
        rh_capture_pop(session);
    }
}

/* The COPY of the message at the front is complete. */
static void drop_copy_messages(struct capture_session *session)
{
    struct pending *front;

    while ((front = rh_capture_front(session)) && is_copy_message(front->type)) {
        bool is_end = front->type != 'd';

        rh_capture_pop(session);
        if (is_end)
            return;
    }
}

/* `E` is answered, or a step of another kind. */
static void step_over(struct capture_session *session)
{
    rh_capture_pop(session);
    session->step++;
}

/* An error: what comes before the next Sync is not looked at by the server. */
static void skip_to_sync(struct capture_session *session)
{
    struct pending *front;

    /* Backwards, so that what a name stood for before the first of them is there again. */
    size_t mask = session->pending_size - 1, count = 0;

    while (count < session->pending_count) {
        unsigned char type = session->pending[(session->pending_first + count) & mask].type;

        if (type == 'S' || type == 'Q' || type == 'F')
            break;
        count++;
    }
    /* It is still to come, and what comes before it is not looked at either. */
    session->skips_to_sync = count == session->pending_count;
    for (size_t i = count; i-- > 0;) {
        struct pending *skipped = &session->pending[(session->pending_first + i) & mask];

        if (skipped->type == 'P' && skipped->statement) {
            rh_session_state_unparse(session->state, skipped->statement, skipped->replaced);
            skipped->replaced = NULL;
        } else if (skipped->type == 'C' && skipped->statement) {
            rh_session_state_unclose(session->state, skipped->statement);
            skipped->statement = NULL;
        }
    }
    while (count-- > 0 && (front = rh_capture_front(session)))
        rh_capture_pop(session);
}

/* --- messages --------------------------------------------------------------------------------- */

static void note_sqlstate(void *context, char code, const char *value)
{
    char *sqlstate = context;

    if (code == 'C' && strlen(value) == 5)
        memcpy(sqlstate, value, 6);
}

static void on_error(struct capture_session *session, struct text body)
{
    struct pending *front = awaited(session);
    struct workload_result *result;

    session->has_failed = true;
    session->copies_in = session->copies_out = false;
    if (!front) /* the server ends the connection by itself */
        return;
    result = add_result(session);
    memcpy(result->sqlstate, "XX000", 6);
    /* Of one that was cut, or is broken, what is in front counts. */
    (void)rh_pg_decode_fields(body, note_sqlstate, result->sqlstate);
    if (front->type != 'Q' && front->type != 'F' && front->type != 'S')
        skip_to_sync(session);
}

static void on_complete(struct capture_session *session, struct text body)
{
    struct pending *front = awaited(session);
    struct text tag = {"", 0};
    int64_t rows = -1;
    struct workload_result *result;

    if (!front || (front->type != 'Q' && front->type != 'E')) {
        rh_capture_lose(session, GAP_LOST_TRACK);
        return;
    }
    if (!rh_pg_decode_command_complete(body, &tag, &rows))
        rows = -1;
    if (rh_session_state_wants(tag)) {
        struct text query = front->type == 'Q' ? QUERY_TEXT_OF(session, front)
                            : front->statement ? rh_prepared_query(front->statement)
                                               : (struct text){"", 0};

        rh_session_state_complete(session->state, query, front->type == 'Q' ? session->step : 0,
                                  tag);
    }
    if (session->id_count > 0)
        rh_capture_put_ids(session, tag, session->returned);
    free(session->columns);
    session->columns = NULL;
    result = add_result(session);
    result->rows = rows;
    bool copied_in = session->copies_in, is_execute = front->type == 'E';

    session->copies_in = session->copies_out = false;
    if (is_execute)
        step_over(session);
    else
        session->step++;
    if (copied_in && is_execute)
        drop_copy_messages(session);
}

/* EmptyQueryResponse, PortalSuspended, FunctionCallResponse. */
static void on_other_end(struct capture_session *session, bool is_suspended)
{
    const struct pending *front = awaited(session);
    bool is_execute = front && front->type == 'E';

    if (!front)
        return;
    add_result(session)->is_suspended = is_suspended;
    if (is_execute)
        step_over(session);
    else
        session->step++;
}

static void on_function_value(struct capture_session *session, struct text body)
{
    const struct pending *front = awaited(session);

    if (!front || front->type != 'F' || !session->path->id_keys || !session->number)
        return;
    rh_capture_take_value(session, front->function, front->binary, body);
    rh_capture_put_ids(session, TEXT_LITERAL("INSERT"), 1);
}

static void on_step(struct capture_session *session, unsigned char of)
{
    const struct pending *front = awaited(session);

    if (front && front->type == of)
        step_over(session);
    else if (of != 'D')
        rh_capture_lose(session, GAP_LOST_TRACK);
}

/* Of a statement's or portal's Describe; of a query, whose result begins. */
static void on_description(struct capture_session *session, struct text body)
{
    const struct pending *front = awaited(session);

    if (front && front->type == 'Q') {
        free(session->columns);
        session->columns = rh_capture_id_columns(session->path->id_keys, body,
                                                 QUERY_TEXT_OF(session, front));
    } else if (front && front->type == 'D' && front->statement) {
        free(front->statement->described);
        front->statement->described = rh_capture_id_columns(session->path->id_keys, body,
                                                            rh_prepared_query(front->statement));
    }
}

static void on_ready(struct capture_session *session, struct text body)
{
    const struct pending *front;

    session->status = body.len ? body.data[0] : 'I';
    if (!session->is_ready) {
        session->is_ready = true;
        rh_capture_join(session);
        return;
    }
    front = awaited(session);
    if (!front || (front->type != 'S' && front->type != 'Q' && front->type != 'F')) {
        rh_capture_lose(session, GAP_LOST_TRACK);
        return;
    }
    session->path->figures.queries++;
    rh_session_state_ready(session->state, session->status, session->has_failed);
    put_answer(session, front->unit, session->status);
    rh_capture_pop(session);
    session->first_byte_us = 0;
    session->step = 0;
    session->has_failed = false;
    (void)awaited(session); /* what is left of a COPY */
    if (session->wants_in && session->status == 'I' && session->pending_count == 0)
        rh_capture_join(session);
}

static void on_parameter(struct capture_session *session, struct text body)
{
    const char *name, *value;
    struct reported *found = NULL;

    if (!rh_pg_decode_parameter_status(body, &name, &value))
        return;
    for (size_t i = 0; i < session->reported_count && !found; i++)
        if (strcmp(session->reported[i].name, name) == 0)
            found = &session->reported[i];
    if (!found) {
        /* A server reports some fifteen; one that reports more and more is none of ours. */
        if (session->reported_count >= 64)
            return;
        session->reported = realloc(session->reported,
                                    (session->reported_count + 1) * sizeof(*session->reported));
        if (!session->reported)
            RH_PANIC("out of memory for settings");
        found = &session->reported[session->reported_count++];
        *found = (struct reported){.name = strdup(name)};
    }
    free(found->value);
    found->value = strdup(value);
    if (!found->name || !found->value)
        RH_PANIC("out of memory for settings");
    if (session->number && strcmp(name, "client_encoding") == 0)
        rh_capture_put(session, RECORD_ENCODING, 0, 0, 0, (struct text){value, strlen(value) + 1});
}

static void on_message(struct capture_session *session, unsigned char type, struct text body)
{
    switch (type) {
    case 'C':
        on_complete(session, body);
        break;
    case 'Z':
        on_ready(session, body);
        break;
    case '1':
        on_step(session, 'P');
        break;
    case '2':
        on_step(session, 'B');
        break;
    case '3':
        on_step(session, 'C');
        break;
    case 'T':
        if (session->path->id_keys)
            on_description(session, body);
        on_step(session, 'D');
        break;
    case 'n': /* of a Describe; of a query it begins a result */
        on_step(session, 'D');
        break;
    case 'E':
        if (session->is_ready)
            on_error(session, body);
        break;
    case 'V':
        on_function_value(session, body);
        on_other_end(session, false);
        break;
    case 'I':
        on_other_end(session, false);
        break;
    case 's':
        on_other_end(session, true);
        break;
    case 'S':
        on_parameter(session, body);
        break;
    case 'K':
        if (body.len <= sizeof(session->key)) {
            memcpy(session->key, body.data, body.len);
            session->key_length = body.len;
        }
        break;
    case 'G':
        session->copies_in = true;
        drop_ignored_syncs(session);
        break;
    case 'H':
        session->copies_out = true;
        break;
    case 'W':
        rh_capture_lose(session, GAP_REPLICATION);
        break;
    default: /* notices, notifications, row descriptions' parameters, authentication */
        break;
    }
}

/* --- rows ------------------------------------------------------------------------------------- */

/* A row in pieces is gathered, up to what a message that is looked at may have. */
static void look_for_ids(struct capture_session *session, const struct pg_piece *piece)
{
    const struct pending *front = rh_capture_front(session);
    const struct id_columns *columns = !front               ? NULL
                                       : front->type == 'Q' ? session->columns
                                       : front->type == 'E' && front->statement
                                           ? front->statement->described
                                           : NULL;
    struct text row = piece->bytes;

    if (!columns)
        return;
    if (!piece->begins || !piece->ends) {
        if (piece->begins)
            rh_buf_clear(&session->cut_down);
        rh_buf_add_text(&session->cut_down, piece->bytes);
        row = rh_buf_text(&session->cut_down);
    }
    if (piece->ends)
        rh_capture_take_ids(session, columns, front->type == 'E' ? &front->binary : NULL, row);
}

/* Whether columns of the result that begins are in binary format. */
static bool asks_binary(struct capture_session *session)
{
    const struct pending *front = rh_capture_front(session);

    return front && front->type == 'E' && front->binary;
}

static void take_row(struct capture_session *session, const struct pg_piece *piece)
{
    const struct capture_path *path = session->path;
    bool hashes = path->options.has_digests && session->number;

    if (piece->begins && session->returned == 0)
        session->widens = piece->type == 'D' && asks_binary(session);
    if (piece->ends)
        session->returned++;
    if (path->id_keys && session->number && piece->type == 'D')
        look_for_ids(session, piece);
    if (!hashes)
        return;
    if (piece->begins && piece->ends && !session->widens) {
        rh_row_digest_add(&session->digest, &path->digest_key, piece->bytes);
        return;
    }
    if (!session->row)
        session->row = rh_row_digest_stream_new(&path->digest_key);
    if (piece->begins)
        rh_row_digest_stream_begin(session->row, session->widens);
    rh_row_digest_stream_feed(session->row, piece->bytes);
    if (piece->ends)
        rh_row_digest_stream_end(session->row, &session->digest);
}

/* May come at any time ("Asynchronous Operations"): not an answer. */
static bool is_asynchronous(unsigned char type)
{
    return type == 'N' || type == 'A' || type == 'S';
}

static void take_piece(struct capture_session *session, const struct pg_piece *piece)
{
    if (piece->begins && session->first_byte_us == 0 && session->is_ready &&
        !is_asynchronous(piece->type))
        session->first_byte_us = session->path->now_us ? session->path->now_us : 1;
    if (piece->type == 'D' || (piece->type == 'd' && session->copies_out)) {
        take_row(session, piece);
        return;
    }
    if (piece->begins && piece->ends) {
        on_message(session, piece->type, piece->bytes);
        return;
    }
    if (piece->type == 'N' || piece->type == 'A' || piece->type == 't')
        return;
    if (piece->begins)
        rh_buf_clear(&session->cut_down);
    rh_buf_add_text(&session->cut_down, piece->bytes);
    if (piece->ends)
        on_message(session, piece->type, rh_buf_text(&session->cut_down));
}

void rh_capture_backend(struct capture_session *session, struct text bytes)
{
    struct pg_piece piece;

    while (!session->is_lost && rh_pg_walk_next(&session->down, &bytes, &piece))
        take_piece(session, &piece);
    if (session->down.is_lost && !session->is_lost)
        rh_capture_lose(session, GAP_LOST_TRACK);
}

void rh_capture_backend_end(struct capture_session *session)
{
    const struct pending *front = awaited(session);

    while (front && front->unit == 0) {
        rh_capture_pop(session);
        front = rh_capture_front(session);
    }
    if (front)
        put_answer(session, front->unit, 0);
    else
        put_results(session);
}
