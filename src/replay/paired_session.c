#include "replay/paired_session.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <xxhash.h>

/* Bodies beyond this are hashed by what is left of them; the length is part of the hash. */
#define COLLECT_MAX PAIRED_VALUE_BYTES_MAX

struct run {
    unsigned ready_left;
    enum paired_look look;
    struct arena *arena;
    struct paired_outcome *outcome;
    int64_t came; /* rows */
    bool has_tag;
    struct timespec done;
};

struct paired_session {
    struct loop *loop;
    struct dialer *dialer;
    struct pg_client *client;
    struct pg_client_handler handler;
    struct pg_login_options login;
    struct pg_login_setting settings[1];
    bool is_ready, is_closed;
    struct err closed_by;
    struct run *run; /* under way; NULL */
};

/* --- messages --------------------------------------------------------------------------------- */

static void take_field(void *context, char code, const char *value)
{
    struct paired_outcome *outcome = context;
    if (code == 'C')
        snprintf(outcome->sqlstate, sizeof(outcome->sqlstate), "%s", value);
    else if (code == 'M')
        snprintf(outcome->message, sizeof(outcome->message), "%s", value);
}

static void take_columns(struct run *run, struct text body)
{
    struct pg_reader reader = {.rest = body};
    struct query_answer *answer = &run->outcome->answer;
    size_t count = rh_pg_read_u16(&reader);
    answer->has_columns = true;
    answer->columns.count = 0;
    for (size_t i = 0; i < count && !reader.failed; i++) {
        const char *name = rh_pg_read_string(&reader);
        (void)rh_pg_read_u32(&reader); /* table */
        (void)rh_pg_read_u16(&reader); /* attribute */
        uint32_t type = rh_pg_read_u32(&reader);
        (void)rh_pg_read_u16(&reader); /* size */
        (void)rh_pg_read_u32(&reader); /* modifier */
        (void)rh_pg_read_u16(&reader); /* format */
        if (reader.failed)
            break;
        *RH_PUSH(run->arena, &answer->columns) = (struct answer_column){
            .name = rh_arena_strdup(run->arena, name), .type = type};
    }
}

static void add_hash(uint64_t sum[ANSWER_DIGEST_WORDS], XXH128_hash_t hash)
{
    uint64_t low = sum[0] + hash.low64;
    sum[1] += hash.high64 + (low < sum[0]);
    sum[0] = low;
}

static void chain_hash(uint64_t chain[ANSWER_DIGEST_WORDS], XXH128_hash_t hash)
{
    const uint64_t words[4] = {chain[0], chain[1], hash.low64, hash.high64};
    XXH128_hash_t next = XXH3_128bits(words, sizeof(words));
    chain[0] = next.low64;
    chain[1] = next.high64;
}

static void digest_row(struct run *run, struct text body)
{
    struct pg_reader reader = {.rest = body};
    struct query_answer *answer = &run->outcome->answer;
    size_t count = rh_pg_read_u16(&reader);
    add_hash(answer->row_set, XXH3_128bits(body.data, body.len));
    for (size_t i = 0; i < count && i < answer->columns.count && !reader.failed; i++) {
        struct answer_column *column = &answer->columns.items[i];
        uint32_t len = rh_pg_read_u32(&reader);
        bool is_null = len == UINT32_MAX;
        struct text value = is_null ? (struct text){"", 0} : rh_pg_read_bytes(&reader, len);
        XXH128_hash_t hash = XXH3_128bits_withSeed(value.data, value.len, is_null ? 1 : 0);
        add_hash(column->values, hash);
        chain_hash(column->in_order, hash);
    }
}

static void take_value(struct run *run, struct text body)
{
    struct pg_reader reader = {.rest = body};
    size_t count = rh_pg_read_u16(&reader);
    uint32_t len = count > 0 ? rh_pg_read_u32(&reader) : UINT32_MAX;
    if (len == UINT32_MAX || run->outcome->value)
        return;
    struct text value = rh_pg_read_bytes(&reader, len);
    if (!reader.failed)
        run->outcome->value = rh_text_dup(run->arena, value);
}

static void take_ready(struct paired_session *session, struct text body)
{
    struct run *run = session->run;
    rh_pg_decode_ready(body, &run->outcome->status);
    if (--run->ready_left > 0)
        return;
    clock_gettime(CLOCK_MONOTONIC, &run->done);
    rh_loop_stop(session->loop);
}

static void on_message(void *context, const struct pg_message *message)
{
    struct paired_session *session = context;
    struct run *run = session->run;
    struct text tag;
    int64_t rows;
    if (!run)
        return;
    switch (message->type) {
    case 'Z':
        take_ready(session, message->body);
        return;
    case 'E':
        if (!run->outcome->sqlstate[0])
            rh_pg_decode_fields(message->body, take_field, run->outcome);
        return;
    case 'C':
        if (rh_pg_decode_command_complete(message->body, &tag, &rows) && rows >= 0) {
            run->outcome->rows = rows;
            run->has_tag = true;
        }
        return;
    case 'T':
        if (run->look == PAIRED_ANSWER)
            take_columns(run, message->body);
        return;
    case 'D':
        run->came++;
        if (run->look == PAIRED_ANSWER)
            digest_row(run, message->body);
        else if (run->look == PAIRED_VALUE)
            take_value(run, message->body);
        return;
    case 'G': /* it wants COPY data: there is none */
        run->outcome->wants_copy = true;
        rh_pg_client_send(session->client, (struct text){"f\0\0\0\5\0", 6});
        return;
    }
}

static void on_ready(void *context)
{
    struct paired_session *session = context;
    session->is_ready = true;
    rh_loop_stop(session->loop);
}

static void on_closed(void *context, const struct err *err)
{
    struct paired_session *session = context;
    session->is_closed = true;
    session->closed_by = *err;
    rh_loop_stop(session->loop);
}

/* --- the session ------------------------------------------------------------------------------ */

static enum err_code begin(struct paired_session *session, const struct paired_place *place,
                           struct mono deadline, struct err *err)
{
    static const char types[] = "ZECTDG";
    enum err_code code = rh_dialer_new(session->loop, place->upstream, &session->dialer, err);
    if (code)
        return code;
    session->settings[0] = (struct pg_login_setting){"application_name", "rehearse compare"};
    session->login = (struct pg_login_options){.user = place->user,
                                               .database = place->database,
                                               .password = place->password,
                                               .settings = session->settings,
                                               .setting_count = 1};
    session->handler = (struct pg_client_handler){
        .collect_max = COLLECT_MAX, .ready = on_ready, .message = on_message, .closed = on_closed};
    for (const char *type = types; *type; type++)
        rh_pg_type_set_add(&session->handler.collect, (unsigned char)*type);
    session->client = rh_pg_client_open(session->loop, session->dialer, &session->login, 0,
                                        &session->handler, session);
    while (!session->is_ready && !session->is_closed) {
        if ((code = rh_loop_run(session->loop, deadline, err)))
            return code;
    }
    if (session->is_closed) {
        *err = session->closed_by;
        return err->code;
    }
    return RH_OK;
}

enum err_code rh_paired_session_open(struct loop *loop, const struct paired_place *place,
                                     struct mono deadline, struct paired_session **ret_session,
                                     struct err *err)
{
    struct paired_session *session = calloc(1, sizeof(*session));
    if (!session)
        RH_PANIC("out of memory (%zu bytes)", sizeof(*session));
    session->loop = loop;
    enum err_code code = begin(session, place, deadline, err);
    if (code)
        rh_paired_session_close(session);
    else
        *ret_session = session;
    return code;
}

void rh_paired_session_close(struct paired_session *session)
{
    if (!session)
        return;
    rh_pg_client_free(session->client);
    rh_dialer_free(session->dialer);
    free(session);
}

static double between_us(const struct timespec *from, const struct timespec *until)
{
    return (double)(until->tv_sec - from->tv_sec) * 1e6 +
           (double)(until->tv_nsec - from->tv_nsec) / 1e3;
}

enum err_code rh_paired_session_run(struct paired_session *session, struct text bytes,
                                    unsigned ready_count, enum paired_look look,
                                    struct arena *arena, struct mono deadline,
                                    struct paired_outcome *ret_outcome, struct err *err)
{
    struct timespec started, own_started, own_done;
    struct run run = {
        .ready_left = ready_count, .look = look, .arena = arena, .outcome = ret_outcome};
    enum err_code code = RH_OK;

    *ret_outcome = (struct paired_outcome){0};
    if (session->is_closed) {
        *err = session->closed_by;
        return err->code;
    }
    session->run = &run;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &own_started);
    clock_gettime(CLOCK_MONOTONIC, &started);
    rh_pg_client_send(session->client, bytes);
    while (!code && run.ready_left > 0 && !session->is_closed)
        code = rh_loop_run(session->loop, deadline, err);
    session->run = NULL;
    if (!code && run.ready_left > 0) {
        *err = session->closed_by;
        code = err->code;
    }
    if (code)
        return code;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &own_done);
    ret_outcome->elapsed_us = between_us(&started, &run.done);
    ret_outcome->own_us = between_us(&own_started, &own_done);
    if (!run.has_tag)
        ret_outcome->rows = run.came;
    ret_outcome->answer.rows = ret_outcome->rows;
    memcpy(ret_outcome->answer.sqlstate, ret_outcome->sqlstate, sizeof(ret_outcome->sqlstate));
    return RH_OK;
}

enum err_code rh_paired_session_say(struct paired_session *session, const char *sql,
                                    struct mono deadline, struct err *err)
{
    struct paired_outcome outcome;
    RH_CLEANUP_BUF struct buf bytes;
    rh_buf_init(&bytes, strlen(sql) + 64);
    rh_pg_encode_message(&bytes, 'Q', (struct text){sql, strlen(sql) + 1});
    enum err_code code = rh_paired_session_run(session, rh_buf_text(&bytes), 1, PAIRED_TIMES, NULL,
                                               deadline, &outcome, err);
    if (code || !outcome.sqlstate[0])
        return code;
    rh_err_set(err, RH_ERR_SERVER, "the server refused \"%.80s\": %s", sql, outcome.message);
    memcpy(err->sqlstate, outcome.sqlstate, sizeof(err->sqlstate));
    return RH_ERR_SERVER;
}
