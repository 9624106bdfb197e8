#include "replay/paired.h"

#include "base/interrupt.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Above the server's own time-out: for the answer to come, and for what we say in between. */
#define SLACK_US INT64_C(30000000)
/* One request of ours: a query that was kept, its parameters and a few words. */
#define REQUEST_BYTES_MAX (4 * SAMPLE_EXECUTION_BYTES_MAX)
#define FIRST_USER_OID 16384u
#define GENERIC_NAME "rehearse_generic"
#define NO_STATE UINT32_MAX

struct prepared_name {
    uint32_t pattern, statement;
};

struct side {
    struct paired_session *session;
    uint32_t state;
    VEC(struct prepared_name) prepared;
};

struct paired {
    const struct paired_options *options;
    struct arena *arena;
    struct loop *loop;
    struct side sides[COMPARED_SIDES];
    int64_t timeout_us;
    VEC(const char *) missing_roles;
    struct paired_session *builder; /* on the candidate; NULL: not needed yet */
    struct buf bytes;               /* of the request that is being made */
};

static struct mono deadline_of(const struct paired *paired)
{
    return rh_clock_after(rh_clock_mono(), paired->timeout_us + SLACK_US);
}

enum err_code rh_paired_say(struct paired *paired, enum compared_side side, const char *sql,
                            struct err *err)
{
    return rh_paired_session_say(paired->sides[side].session, sql, deadline_of(paired), err);
}

enum err_code rh_paired_reconnect(struct paired *paired, struct err *err)
{
    enum err_code code = RH_OK;
    size_t first = rh_random_below(paired->options->random, COMPARED_SIDES);
    for (size_t i = 0; !code && i < COMPARED_SIDES; i++) {
        size_t number = (first + i) % COMPARED_SIDES;
        struct side *side = &paired->sides[number];
        rh_paired_session_close(side->session);
        *side = (struct side){.state = NO_STATE};
        code = rh_paired_session_open(paired->loop, &paired->options->places[number],
                                      rh_clock_after(rh_clock_mono(), PAIRED_CONNECT_US),
                                      &side->session, err);
        if (code)
            rh_err_while(err, "while connecting to the %s",
                         rh_compared_side_name((enum compared_side)number));
    }
    return code;
}

enum err_code rh_paired_open(const struct paired_options *options, struct paired **ret_paired,
                             struct err *err)
{
    struct arena *arena = rh_arena_new();
    struct paired *paired = RH_NEW(arena, struct paired);
    enum err_code code;

    *paired = (struct paired){
        .options = options, .arena = arena, .timeout_us = options->statement_timeout_us};
    rh_buf_init(&paired->bytes, REQUEST_BYTES_MAX);
    code = rh_loop_new(&paired->loop, err);
    if (!code)
        code = rh_paired_reconnect(paired, err);
    if (code)
        rh_paired_close(paired);
    else
        *ret_paired = paired;
    return code;
}

void rh_paired_close(struct paired *paired)
{
    if (!paired)
        return;
    for (size_t side = 0; side < COMPARED_SIDES; side++)
        rh_paired_session_close(paired->sides[side].session);
    rh_paired_session_close(paired->builder);
    rh_loop_free(paired->loop);
    rh_buf_deinit(&paired->bytes);
    rh_arena_free(paired->arena);
}

const char *rh_paired_missing_role(const struct paired *paired)
{
    return paired->missing_roles.count > 0 ? paired->missing_roles.items[0] : NULL;
}

bool rh_paired_lacks_role(const struct paired *paired, const char *role)
{
    for (size_t i = 0; i < paired->missing_roles.count; i++)
        if (strcmp(paired->missing_roles.items[i], role) == 0)
            return true;
    return false;
}

static enum err_code open_on_candidate(const struct paired *paired, struct loop *loop,
                                       struct paired_session **ret_session, struct err *err)
{
    return rh_paired_session_open(loop, &paired->options->places[SIDE_CANDIDATE],
                                  rh_clock_after(rh_clock_mono(), PAIRED_CONNECT_US), ret_session,
                                  err);
}

enum err_code rh_paired_alter(struct paired *paired, const char *sql, int64_t timeout_us,
                              bool *ret_may_stand, struct err *err)
{
    struct mono deadline = rh_clock_after(rh_clock_mono(), timeout_us);
    enum err_code code = RH_OK;
    *ret_may_stand = false;
    if (!paired->builder)
        code = open_on_candidate(paired, paired->loop, &paired->builder, err);
    if (!code)
        code = rh_paired_session_say(paired->builder, "BEGIN", deadline, err);
    if (code)
        return code;
    code = rh_paired_session_say(paired->builder, sql, deadline, err);
    if (code == RH_ERR_SERVER) {
        struct err unended = RH_ERR_INIT;
        enum err_code ended = rh_paired_session_say(paired->builder, "ROLLBACK", deadline,
                                                    &unended);
        if (ended) {
            *err = unended;
            code = ended;
        }
    }
    if (code)
        return code;
    *ret_may_stand = true;
    return rh_paired_session_say(paired->builder, "COMMIT", deadline, err);
}

enum err_code rh_paired_undo(struct paired *paired, const char *sql, struct err *err)
{
    RH_CLEANUP_LOOP struct loop *loop = NULL;
    struct paired_session *session = NULL;
    struct mono run_deadline = rh_interrupt_deadline();
    enum err_code code = rh_loop_new(&loop, err);
    if (code)
        return code;
    rh_loop_ignore_interrupt(loop);
    rh_interrupt_set_deadline(RH_NEVER);
    code = open_on_candidate(paired, loop, &session, err);
    if (!code)
        code = rh_paired_session_say(session, sql, deadline_of(paired), err);
    rh_paired_session_close(session);
    rh_interrupt_set_deadline(run_deadline);
    return code;
}

/* --- messages --------------------------------------------------------------------------------- */

static size_t begin_message(struct buf *out, char type)
{
    rh_buf_add_char(out, type);
    rh_buf_add(out, "\0\0\0\0", 4);
    return out->len;
}

static void end_message(struct buf *out, size_t begun)
{
    char header[5];
    if (out->failed)
        return;
    rh_pg_encode_header(header, out->data[begun - 5], out->len - begun);
    memcpy(out->data + begun - 5, header, sizeof(header));
}

static void add_string(struct buf *out, const char *s)
{
    rh_buf_add(out, s, strlen(s) + 1);
}

/* Types that every server numbers in its own way are left to the server to infer. */
static void add_types(struct buf *out, struct text types)
{
    struct pg_reader reader = {.rest = types};
    size_t count = rh_pg_read_u16(&reader);
    if (types.len < 2) {
        rh_buf_add(out, "\0\0", 2);
        return;
    }
    rh_buf_add(out, types.data, 2);
    for (size_t i = 0; i < count; i++) {
        uint32_t oid = rh_pg_read_u32(&reader);
        if (oid >= FIRST_USER_OID || reader.failed)
            oid = 0;
        const unsigned char bytes[4] = {(unsigned char)(oid >> 24), (unsigned char)(oid >> 16),
                                        (unsigned char)(oid >> 8), (unsigned char)oid};
        rh_buf_add(out, bytes, 4);
    }
}

static void add_parse(struct buf *out, const char *name, const char *before, struct text query,
                      struct text types)
{
    size_t begun = begin_message(out, 'P');
    add_string(out, name);
    rh_buf_add_str(out, before);
    rh_buf_add_text(out, query);
    rh_buf_add_char(out, '\0');
    add_types(out, types);
    end_message(out, begun);
}

static void add_bind(struct buf *out, const char *name, const struct sampled_execution *execution,
                     bool as_text)
{
    size_t begun = begin_message(out, 'B');
    add_string(out, "");
    add_string(out, name);
    if (execution->values.len > 0)
        rh_buf_add_text(out, execution->values);
    else
        rh_buf_add(out, "\0\0\0\0", 4);
    if (as_text || execution->formats.len == 0)
        rh_buf_add(out, "\0\0", 2);
    else
        rh_buf_add_text(out, execution->formats);
    end_message(out, begun);
}

static void add_execute(struct buf *out, uint32_t max_rows, bool describes)
{
    if (describes) {
        size_t begun = begin_message(out, 'D');
        rh_buf_add_char(out, 'P');
        add_string(out, "");
        end_message(out, begun);
    }
    size_t begun = begin_message(out, 'E');
    add_string(out, "");
    const unsigned char rows[4] = {(unsigned char)(max_rows >> 24), (unsigned char)(max_rows >> 16),
                                   (unsigned char)(max_rows >> 8), (unsigned char)max_rows};
    rh_buf_add(out, rows, 4);
    end_message(out, begun);
    end_message(out, begin_message(out, 'S'));
}

static enum err_code send(struct paired *paired, enum compared_side side, enum paired_look look,
                          struct arena *arena, struct paired_outcome *ret_outcome, struct err *err)
{
    if (paired->bytes.failed)
        return rh_err_set(err, RH_ERR_LIMIT, "cannot send a request of more than %zu bytes",
                          REQUEST_BYTES_MAX);
    return rh_paired_session_run(paired->sides[side].session, rh_buf_text(&paired->bytes), 1, look,
                                 arena, deadline_of(paired), ret_outcome, err);
}

enum err_code rh_paired_ask(struct paired *paired, enum compared_side side, const char *sql,
                            struct arena *arena, const char **ret_value, struct err *err)
{
    struct paired_outcome outcome;
    rh_buf_clear(&paired->bytes);
    rh_pg_encode_message(&paired->bytes, 'Q', (struct text){sql, strlen(sql) + 1});
    enum err_code code = send(paired, side, PAIRED_VALUE, arena, &outcome, err);
    if (code)
        return code;
    if (outcome.sqlstate[0])
        return rh_err_set(err, RH_ERR_SERVER, "the server refused a question of ours: %s",
                          outcome.message);
    *ret_value = outcome.value;
    return RH_OK;
}

/* --- the state of the recorded session -------------------------------------------------------- */

/* What only some servers know or allow is left out, as long as the session is alive. */
static enum err_code try_to_say(struct paired *paired, enum compared_side side, const char *sql,
                                bool *ret_done, struct err *err)
{
    struct err refused = RH_ERR_INIT;
    enum err_code code = rh_paired_say(paired, side, sql, &refused);
    *ret_done = code == RH_OK;
    if (code == RH_OK || code == RH_ERR_SERVER)
        return RH_OK;
    *err = refused;
    return code;
}

static enum err_code say_own_settings(struct paired *paired, enum compared_side side,
                                      struct err *err)
{
    char sql[256];
    snprintf(sql, sizeof(sql),
             "SET statement_timeout = %" PRId64 "; SET default_transaction_read_only = on; "
             "SET lock_timeout = 0; SET idle_in_transaction_session_timeout = 0",
             paired->timeout_us / 1000);
    return rh_paired_say(paired, side, sql, err);
}

static enum err_code take_role(struct paired *paired, enum compared_side side, const char *user,
                               struct err *err)
{
    const char *own = paired->options->places[side].user;
    struct buf quoted;
    bool is_done;
    if (!user[0] || strcmp(user, own) == 0)
        return RH_OK;
    rh_buf_init(&quoted, 1024);
    rh_buf_add_str(&quoted, "SET SESSION AUTHORIZATION \"");
    for (const char *c = user; *c; c++) {
        if (*c == '"')
            rh_buf_add_char(&quoted, '"');
        rh_buf_add_char(&quoted, *c);
    }
    rh_buf_add_char(&quoted, '"');
    enum err_code code = try_to_say(paired, side, rh_buf_text(&quoted).data, &is_done, err);
    rh_buf_deinit(&quoted);
    if (!code && !is_done && !rh_paired_lacks_role(paired, user))
        *RH_PUSH(paired->arena, &paired->missing_roles) = rh_arena_strdup(paired->arena, user);
    return code;
}

static enum err_code take_state(struct paired *paired, enum compared_side side, uint32_t number,
                                struct err *err)
{
    struct side *own = &paired->sides[side];
    enum err_code code;
    bool ignored;
    if (own->state == number)
        return RH_OK;
    const struct replay_sample *sample = paired->options->sample;
    const struct sampled_state *state = side == SIDE_CANDIDATE && sample->candidate_states
                                            ? &sample->candidate_states[number]
                                            : &sample->states.items[number];
    own->prepared.count = 0;
    own->state = NO_STATE;
    if ((code = rh_paired_say(paired, side,
                              "RESET SESSION AUTHORIZATION; RESET ALL; DEALLOCATE ALL", err)) ||
        (code = take_role(paired, side, state->user, err)))
        return code;
    for (size_t i = 0; i < state->statements.count; i++)
        if ((code = try_to_say(paired, side, state->statements.items[i], &ignored, err)))
            return code;
    if ((code = say_own_settings(paired, side, err)))
        return code;
    own->state = number;
    return RH_OK;
}

enum err_code rh_paired_set_timeout(struct paired *paired, int64_t timeout_us, struct err *err)
{
    enum err_code code = RH_OK;
    if (paired->timeout_us == timeout_us)
        return RH_OK;
    paired->timeout_us = timeout_us;
    for (size_t side = 0; !code && side < COMPARED_SIDES; side++)
        if (paired->sides[side].state != NO_STATE)
            code = say_own_settings(paired, (enum compared_side)side, err);
    return code;
}

/* --- one execution ---------------------------------------------------------------------------- */

static bool is_prepared(const struct side *side, struct prepared_name name)
{
    for (size_t i = 0; i < side->prepared.count; i++)
        if (side->prepared.items[i].pattern == name.pattern &&
            side->prepared.items[i].statement == name.statement)
            return true;
    return false;
}

static const struct sampled_execution *on_side(const struct sampled_execution *execution,
                                               enum compared_side side)
{
    return side == SIDE_CANDIDATE && execution->on_candidate ? execution->on_candidate : execution;
}

/* The name to bind; "" for what is parsed each time. An error of Parse is the outcome. */
static enum err_code prepare(struct paired *paired, enum compared_side side,
                             const struct sampled_execution *execution, uint32_t pattern,
                             char name[static 48], struct paired_outcome *outcome, struct err *err)
{
    struct side *own = &paired->sides[side];
    struct prepared_name key = {pattern, execution->statement};
    snprintf(name, 48, "rehearse_%" PRIu32 "_%" PRIu32, pattern, execution->statement);
    if (is_prepared(own, key))
        return RH_OK;
    rh_buf_clear(&paired->bytes);
    add_parse(&paired->bytes, name, "", execution->query, execution->types);
    end_message(&paired->bytes, begin_message(&paired->bytes, 'S'));
    enum err_code code = send(paired, side, PAIRED_TIMES, paired->arena, outcome, err);
    if (!code && !outcome->sqlstate[0])
        *RH_PUSH(paired->arena, &own->prepared) = key;
    return code;
}

static void make_request(struct paired *paired, const struct sampled_execution *execution,
                         struct text query, const char *name, bool is_for_answer)
{
    struct buf *out = &paired->bytes;
    rh_buf_clear(out);
    if (execution->is_simple) {
        size_t begun = begin_message(out, 'Q');
        rh_buf_add_text(out, query);
        rh_buf_add_char(out, '\0');
        end_message(out, begun);
        return;
    }
    if (!name[0])
        add_parse(out, "", "", query, execution->types);
    /* As text, what is the same is the same whatever its type. */
    add_bind(out, name, execution, is_for_answer);
    add_execute(out, execution->max_rows, is_for_answer);
}

enum err_code rh_paired_run_on(struct paired *paired, enum compared_side side,
                               const struct sampled_execution *execution,
                               struct paired_manner manner, enum paired_look look,
                               struct arena *arena, struct paired_outcome *ret_outcome,
                               struct err *err)
{
    execution = on_side(execution, side);
    struct text query = manner.text.len > 0 ? manner.text : execution->query;
    char name[48] = "";
    enum err_code code = take_state(paired, side, execution->state, err);

    *ret_outcome = (struct paired_outcome){0};
    if (!code && execution->is_named && manner.text.len == 0)
        code = prepare(paired, side, execution, manner.pattern, name, ret_outcome, err);
    if (code || ret_outcome->sqlstate[0])
        return code;
    if (manner.wraps && (code = rh_paired_say(paired, side, "BEGIN READ WRITE", err)))
        return code;
    make_request(paired, execution, query, name, look == PAIRED_ANSWER);
    code = send(paired, side, look, arena, ret_outcome, err);
    /* Whatever it was, it may have begun a transaction: nothing of it stays. */
    if (!code && (manner.wraps || ret_outcome->status != 'I'))
        code = rh_paired_say(paired, side, "ROLLBACK", err);
    return code;
}

enum err_code rh_paired_run(struct paired *paired, const struct sampled_execution *execution,
                            struct paired_manner manner, enum paired_look look, struct arena *arena,
                            struct paired_outcome ret_outcomes[COMPARED_SIDES], struct err *err)
{
    enum compared_side order[COMPARED_SIDES] = {SIDE_BASELINE, SIDE_TWIN, SIDE_CANDIDATE};
    for (size_t i = 0; i + 1 < COMPARED_SIDES; i++) {
        size_t other = i + rh_random_below(paired->options->random, COMPARED_SIDES - i);
        enum compared_side side = order[i];
        order[i] = order[other];
        order[other] = side;
    }
    for (size_t i = 0; i < COMPARED_SIDES; i++) {
        enum err_code code = rh_paired_run_on(paired, order[i], execution, manner, look, arena,
                                              &ret_outcomes[order[i]], err);
        if (code) {
            rh_err_while(err, "while running a query on the %s", rh_compared_side_name(order[i]));
            return code;
        }
    }
    return RH_OK;
}

/* --- plans ------------------------------------------------------------------------------------ */

static json_t *read_plan(const struct paired_outcome *outcome)
{
    if (outcome->sqlstate[0] || !outcome->value)
        return NULL;
    return json_loads(outcome->value, 0, NULL);
}

static size_t value_count(const struct sampled_execution *execution)
{
    struct pg_reader reader = {.rest = execution->values};
    size_t formats = rh_pg_read_u16(&reader);
    for (size_t i = 0; i < formats; i++)
        (void)rh_pg_read_u16(&reader);
    size_t count = rh_pg_read_u16(&reader);
    return reader.failed ? 0 : count;
}

/* A generic plan is the same whatever the values: NULL for each. */
static enum err_code explain_generic(struct paired *paired, enum compared_side side,
                                     const struct sampled_execution *execution, struct arena *arena,
                                     json_t **ret_plan, struct err *err)
{
    struct paired_outcome outcome;
    enum err_code code;
    bool ignored;
    size_t count = value_count(execution);

    if (execution->is_simple) /* it is planned for its own constants each time */
        return RH_OK;
    rh_buf_clear(&paired->bytes);
    add_parse(&paired->bytes, GENERIC_NAME, "", execution->query, execution->types);
    end_message(&paired->bytes, begin_message(&paired->bytes, 'S'));
    if ((code = send(paired, side, PAIRED_TIMES, arena, &outcome, err)) || outcome.sqlstate[0])
        return code;
    if ((code = rh_paired_say(paired, side, "SET plan_cache_mode = force_generic_plan", err)))
        return code;
    rh_buf_clear(&paired->bytes);
    size_t begun = begin_message(&paired->bytes, 'Q');
    rh_buf_add_str(&paired->bytes, "EXPLAIN (FORMAT JSON) EXECUTE " GENERIC_NAME);
    for (size_t i = 0; i < count; i++)
        rh_buf_add_str(&paired->bytes, i == 0 ? "(NULL" : ", NULL");
    rh_buf_add_str(&paired->bytes, count > 0 ? ")" : "");
    rh_buf_add_char(&paired->bytes, '\0');
    end_message(&paired->bytes, begun);
    if ((code = send(paired, side, PAIRED_VALUE, arena, &outcome, err)))
        return code;
    *ret_plan = read_plan(&outcome);
    if (!(code = try_to_say(paired, side, "RESET plan_cache_mode", &ignored, err)))
        code = try_to_say(paired, side, "DEALLOCATE " GENERIC_NAME, &ignored, err);
    return code;
}

static const char *explain_words(enum paired_plan kind, bool writes)
{
    if (kind != PAIRED_PLAN_RUN)
        return "EXPLAIN (FORMAT JSON) ";
    return writes
               ? "EXPLAIN (ANALYZE, BUFFERS, WAL, VERBOSE, TIMING OFF, SUMMARY OFF, FORMAT JSON) "
               : "EXPLAIN (ANALYZE, BUFFERS, VERBOSE, TIMING OFF, SUMMARY OFF, FORMAT JSON) ";
}

enum err_code rh_paired_explain(struct paired *paired, enum compared_side side,
                                const struct sampled_execution *execution,
                                struct paired_manner manner, enum paired_plan kind,
                                struct arena *arena, json_t **ret_plan, struct err *err)
{
    struct paired_outcome outcome = {0};
    execution = on_side(execution, side);
    enum err_code code = take_state(paired, side, execution->state, err);

    *ret_plan = NULL;
    if (code)
        return code;
    if (kind == PAIRED_PLAN_GENERIC)
        return explain_generic(paired, side, execution, arena, ret_plan, err);
    if (manner.wraps && (code = rh_paired_say(paired, side, "BEGIN READ WRITE", err)))
        return code;
    rh_buf_clear(&paired->bytes);
    add_parse(&paired->bytes, "", explain_words(kind, manner.wraps), execution->query,
              execution->types);
    add_bind(&paired->bytes, "", execution, true);
    add_execute(&paired->bytes, 0, false);
    code = send(paired, side, PAIRED_VALUE, arena, &outcome, err);
    if (!code)
        *ret_plan = read_plan(&outcome);
    if (!code && (manner.wraps || outcome.status != 'I'))
        code = rh_paired_say(paired, side, "ROLLBACK", err);
    return code;
}
