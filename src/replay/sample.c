#include "replay/sample.h"

#include "net/pg_codec.h"
#include "sql/lexer.h"

#include <stdlib.h>
#include <string.h>

#define SESSION_BUCKETS ((size_t)1024)

/* A statement prepared in a session. */
struct prepared {
    char *bytes; /* what the texts point into: it goes when the name is prepared anew */
    const char *name;
    struct text query, types;
    uint32_t pattern;
};
struct bound {
    const char *name; /* of the portal */
    struct text query, types, values, formats;
    uint32_t pattern;
    bool is_named;
};
struct session {
    struct session *next;
    uint64_t number;
    struct arena *arena; /* of prepared statements: they live as long */
    VEC(struct prepared) prepared;
    VEC(struct bound) bound; /* of the request under way; texts lie in the event or above */
    struct sampled_state state;
    uint32_t state_number;
    bool is_state_known;
};
struct slot {
    struct sampled_execution execution;
    char *bytes; /* what its texts point into */
};
struct reservoir {
    struct slot *slots;
    size_t count, seen;
};
struct sampling {
    struct replay_sample *sample;
    struct random *random;
    size_t executions_each, kept_bytes;
    struct reservoir *reservoirs;
    struct session *buckets[SESSION_BUCKETS];
};

/* --- sessions ------------------------------------------------------------------------------- */

static struct session **place_of(struct sampling *sampling, uint64_t number)
{
    struct session **place = &sampling->buckets[number % SESSION_BUCKETS];
    while (*place && (*place)->number != number)
        place = &(*place)->next;
    return place;
}

static struct session *session_of(struct sampling *sampling, uint64_t number)
{
    struct session **place = place_of(sampling, number);
    if (!*place) {
        struct arena *arena = rh_arena_new();
        *place = RH_NEW(arena, struct session);
        (*place)->arena = arena;
        (*place)->number = number;
        (*place)->state.user = "";
    }
    return *place;
}

static void end_session(struct sampling *sampling, uint64_t number)
{
    struct session **place = place_of(sampling, number), *session = *place;
    if (!session)
        return;
    *place = session->next;
    for (size_t i = 0; i < session->prepared.count; i++)
        free(session->prepared.items[i].bytes);
    rh_arena_free(session->arena);
}

/* --- states --------------------------------------------------------------------------------- */

static bool same_state(const struct sampled_state *a, const struct sampled_state *b)
{
    if (strcmp(a->user, b->user) != 0 || a->statements.count != b->statements.count)
        return false;
    for (size_t i = 0; i < a->statements.count; i++)
        if (strcmp(a->statements.items[i], b->statements.items[i]) != 0)
            return false;
    return true;
}

/* UINT32_MAX: there are too many. */
static uint32_t state_of(struct sampling *sampling, struct session *session)
{
    struct replay_sample *sample = sampling->sample;
    if (session->is_state_known)
        return session->state_number;
    session->is_state_known = true;
    session->state_number = UINT32_MAX;
    for (size_t i = 0; i < sample->states.count; i++)
        if (same_state(&sample->states.items[i], &session->state))
            return session->state_number = (uint32_t)i;
    if (sample->states.count >= SAMPLE_STATES_MAX)
        return UINT32_MAX;
    struct sampled_state copy = {.user = rh_arena_strdup(sample->arena, session->state.user)};
    for (size_t i = 0; i < session->state.statements.count; i++)
        *RH_PUSH(sample->arena, &copy.statements) = rh_arena_strdup(
            sample->arena, session->state.statements.items[i]);
    *RH_PUSH(sample->arena, &sample->states) = copy;
    return session->state_number = (uint32_t)sample->states.count - 1;
}

static bool next_word(struct text text, struct sql_lexer *lexer, struct sql_token *token)
{
    (void)text;
    while (rh_sql_lexer_next(lexer, token))
        if (rh_sql_token_is_significant(token))
            return true;
    return false;
}

/* What changes the session for good, beyond its transaction. */
static bool changes_session(struct text query)
{
    struct sql_lexer lexer = rh_sql_lexer(query);
    struct sql_token first, second;
    if (!next_word(query, &lexer, &first) || !next_word(query, &lexer, &second))
        return false;
    if (rh_sql_token_is_word(query, &first, "set"))
        return !rh_sql_token_is_word(query, &second, "local") &&
               !rh_sql_token_is_word(query, &second, "transaction") &&
               !rh_sql_token_is_word(query, &second, "constraints");
    if (rh_sql_token_is_word(query, &first, "prepare"))
        return !rh_sql_token_is_word(query, &second, "transaction");
    return rh_sql_token_is_word(query, &first, "reset") ||
           rh_sql_token_is_word(query, &first, "deallocate");
}

static void note_statement(struct session *session, struct text query)
{
    /* What is said again moves to the end; pools say the same before every transaction. */
    for (size_t i = 0; i < session->state.statements.count; i++) {
        const char *own = session->state.statements.items[i];
        if (!rh_text_is(query, own))
            continue;
        if (i + 1 == session->state.statements.count)
            return;
        for (size_t j = i; j + 1 < session->state.statements.count; j++)
            session->state.statements.items[j] = session->state.statements.items[j + 1];
        session->state.statements.items[session->state.statements.count - 1] = own;
        session->is_state_known = false;
        return;
    }
    if (session->state.statements.count >= SAMPLE_STATE_STATEMENTS_MAX)
        return;
    *RH_PUSH(session->arena, &session->state.statements) = rh_text_dup(session->arena, query);
    session->is_state_known = false;
}

static const char *quoted(struct arena *arena, const char *value)
{
    size_t count = 0;
    for (const char *c = value; *c; c++)
        count += *c == '\'' || *c == '\\';
    char *out = rh_arena_alloc(arena, strlen(value) + count + 4), *to = out;
    *to++ = ' ';
    *to++ = 'E';
    *to++ = '\'';
    for (const char *c = value; *c; c++) {
        if (*c == '\'' || *c == '\\')
            *to++ = *c;
        *to++ = *c;
    }
    *to++ = '\'';
    *to = '\0';
    return out;
}

static bool is_setting_name(const char *name)
{
    return name[0] && strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                   "0123456789_.") == strlen(name);
}

/* Of the start-up packet: settings, and "-c name=value" of its options. */
static void begin_session(struct sampling *sampling, const struct workload_session *begun)
{
    struct session *session;
    end_session(sampling, begun->number);
    session = session_of(sampling, begun->number);
    session->state.user = rh_arena_strdup(session->arena, begun->user ? begun->user : "");
    for (size_t i = 0; i < begun->startup.count; i++) {
        const struct workload_setting *setting = &begun->startup.items[i];
        if (strcmp(setting->name, "options") == 0 || strcmp(setting->name, "replication") == 0 ||
            strcmp(setting->name, "application_name") == 0 || !is_setting_name(setting->name))
            continue;
        note_statement(session, rh_text(rh_arena_printf(session->arena, "SET %s =%s", setting->name,
                                                        quoted(session->arena, setting->value))));
    }
    for (size_t i = 0; i < begun->startup.count; i++) {
        const struct workload_setting *setting = &begun->startup.items[i];
        if (strcmp(setting->name, "options") != 0)
            continue;
        char *rest = rh_arena_strdup(session->arena, setting->value), *word;
        while ((word = strsep(&rest, " "))) {
            if (strcmp(word, "-c") == 0 && rest)
                word = strsep(&rest, " ");
            else if (strncmp(word, "-c", 2) == 0 || strncmp(word, "--", 2) == 0)
                word += 2;
            else
                continue;
            char *value = strchr(word, '=');
            if (!value)
                continue;
            *value++ = '\0';
            if (is_setting_name(word))
                note_statement(session, rh_text(rh_arena_printf(session->arena, "SET %s =%s", word,
                                                                quoted(session->arena, value))));
        }
    }
}

/* --- what cannot be sent alone ---------------------------------------------------------------- */

static const char *why_not_alone(struct text query)
{
    static const char *const control[] = {"begin",    "start", "commit",    "end",
                                          "rollback", "abort", "savepoint", "release"};
    struct sql_lexer lexer = rh_sql_lexer(query);
    struct sql_token token;
    bool is_first = true;
    while (rh_sql_lexer_next(&lexer, &token)) {
        if (!rh_sql_token_is_significant(&token))
            continue;
        if (token.kind == SQL_TOKEN_SEMICOLON) {
            is_first = true;
            continue;
        }
        for (size_t i = 0; is_first && i < sizeof(control) / sizeof(control[0]); i++)
            if (rh_sql_token_is_word(query, &token, control[i]))
                return "it controls transactions itself";
        if (is_first && rh_sql_token_is_word(query, &token, "copy"))
            return "COPY is not compared";
        if (is_first && (rh_sql_token_is_word(query, &token, "fetch") ||
                         rh_sql_token_is_word(query, &token, "move") ||
                         rh_sql_token_is_word(query, &token, "close")))
            return "it needs the cursor of its session";
        is_first = false;
    }
    return NULL;
}

/* --- the reservoir ---------------------------------------------------------------------------- */

static struct text put_text(char **to, struct text text)
{
    struct text copy = {*to, text.len};
    if (text.len > 0)
        memcpy(*to, text.data, text.len);
    *to += text.len;
    return copy;
}

static struct text copy_text(struct arena *arena, struct text text)
{
    return (struct text){rh_arena_memdup(arena, text.data ? text.data : "", text.len), text.len};
}

static size_t bytes_of(const struct sampled_execution *execution)
{
    return execution->query.len + execution->types.len + execution->values.len +
           execution->formats.len;
}

static void pass_over(struct sampled_pattern *pattern, const char *why)
{
    pattern->cannot_be_sent++;
    if (!pattern->why_not)
        pattern->why_not = why;
}

/* Algorithm R (Vitter 1985): each execution of the pattern is kept with the same chance. */
static void offer(struct sampling *sampling, struct session *session, uint32_t number,
                  struct sampled_execution execution)
{
    struct replay_sample *sample = sampling->sample;
    if (number == 0 || number > sample->patterns.count)
        return;
    struct sampled_pattern *pattern = &sample->patterns.items[number - 1];
    struct reservoir *reservoir = &sampling->reservoirs[number - 1];
    size_t bytes = bytes_of(&execution), at;

    pattern->calls++;
    if (pattern->pattern->flags & (PATTERN_CONTROLS | PATTERN_HAS_SECRET))
        return;
    const char *why = why_not_alone(execution.query);
    if (bytes > SAMPLE_EXECUTION_BYTES_MAX)
        why = "its parameters are too large to be kept";
    else if (sampling->kept_bytes + bytes > SAMPLE_BYTES_MAX)
        why = "there was no more room to keep executions";
    execution.state = state_of(sampling, session);
    if (!why && execution.state == UINT32_MAX)
        why = "its sessions were in too many different states";
    if (why) {
        pass_over(pattern, why);
        return;
    }
    reservoir->seen++;
    if (reservoir->count < sampling->executions_each)
        at = reservoir->count++;
    else if ((at = rh_random_below(sampling->random, reservoir->seen)) >= reservoir->count)
        return;
    struct slot *slot = &reservoir->slots[at];
    if (slot->bytes) {
        sampling->kept_bytes -= bytes_of(&slot->execution);
        free(slot->bytes);
    }
    char *to = slot->bytes = malloc(bytes + 1);
    if (!to)
        RH_PANIC("out of memory (%zu bytes)", bytes + 1);
    sampling->kept_bytes += bytes;
    slot->execution = execution;
    slot->execution.query = put_text(&to, execution.query);
    slot->execution.types = put_text(&to, execution.types);
    slot->execution.values = put_text(&to, execution.values);
    slot->execution.formats = put_text(&to, execution.formats);
}

/* --- messages --------------------------------------------------------------------------------- */

static struct text string_of(struct pg_reader *reader)
{
    const char *s = rh_pg_read_string(reader);
    return rh_text(s);
}

static void take_query(struct sampling *sampling, struct session *session,
                       const struct workload_message *message)
{
    struct pg_reader reader = {.rest = message->body};
    struct text query = string_of(&reader);
    if (reader.failed)
        return;
    if (changes_session(query))
        note_statement(session, query);
    else
        offer(sampling, session, message->pattern,
              (struct sampled_execution){.is_simple = true, .query = query});
}

static struct prepared *prepared_of(struct session *session, const char *name)
{
    for (size_t i = session->prepared.count; i-- > 0;)
        if (strcmp(session->prepared.items[i].name, name) == 0)
            return &session->prepared.items[i];
    return NULL;
}

static void take_parse(struct session *session, const struct workload_message *message)
{
    struct pg_reader reader = {.rest = message->body};
    const char *name = rh_pg_read_string(&reader);
    struct text query = string_of(&reader);
    if (reader.failed)
        return;
    struct prepared *prepared = prepared_of(session, name);
    if (prepared && rh_text_equals(prepared->query, query) &&
        rh_text_equals(prepared->types, reader.rest)) {
        prepared->pattern = message->pattern ? message->pattern : prepared->pattern;
        return;
    }
    size_t name_len = strlen(name) + 1;
    char *bytes = malloc(name_len + query.len + reader.rest.len + 1), *to = bytes;
    if (!bytes)
        RH_PANIC("out of memory (%zu bytes)", name_len + query.len + reader.rest.len);
    const char *own_name = put_text(&to, (struct text){name, name_len}).data;
    query = put_text(&to, query);
    struct text types = put_text(&to, reader.rest);
    if (prepared)
        free(prepared->bytes);
    else
        prepared = RH_PUSH(session->arena, &session->prepared);
    *prepared = (struct prepared){.bytes = bytes,
                                  .name = own_name,
                                  .query = query,
                                  .types = types,
                                  .pattern = message->pattern};
}

/* Where the formats of the results begin. False: malformed. */
bool rh_sample_split_bind(struct text rest, struct text *ret_values, struct text *ret_formats)
{
    struct pg_reader reader = {.rest = rest};
    size_t formats = rh_pg_read_u16(&reader);
    for (size_t i = 0; i < formats && !reader.failed; i++)
        (void)rh_pg_read_u16(&reader);
    size_t values = rh_pg_read_u16(&reader);
    for (size_t i = 0; i < values && !reader.failed; i++) {
        uint32_t len = rh_pg_read_u32(&reader);
        if (len != UINT32_MAX)
            (void)rh_pg_read_bytes(&reader, len);
    }
    if (reader.failed)
        return false;
    *ret_values = (struct text){rest.data, rest.len - reader.rest.len};
    *ret_formats = reader.rest;
    return true;
}

static void take_bind(struct session *session, const struct workload_message *message)
{
    struct pg_reader reader = {.rest = message->body};
    const char *portal = rh_pg_read_string(&reader), *name = rh_pg_read_string(&reader);
    struct prepared *prepared = reader.failed ? NULL : prepared_of(session, name);
    struct bound *bound = NULL;
    struct text values, formats;
    if (!prepared || !rh_sample_split_bind(reader.rest, &values, &formats))
        return;
    for (size_t i = 0; i < session->bound.count; i++)
        if (strcmp(session->bound.items[i].name, portal) == 0)
            bound = &session->bound.items[i];
    if (!bound)
        bound = RH_PUSH(session->arena, &session->bound);
    *bound = (struct bound){.name = portal,
                            .query = prepared->query,
                            .types = prepared->types,
                            .values = values,
                            .formats = formats,
                            .pattern = prepared->pattern,
                            .is_named = name[0] != '\0'};
}

static void take_execute(struct sampling *sampling, struct session *session,
                         const struct workload_message *message)
{
    const char *portal;
    uint32_t max_rows;
    if (!rh_pg_decode_execute(message->body, &portal, &max_rows))
        return;
    for (size_t i = 0; i < session->bound.count; i++) {
        const struct bound *bound = &session->bound.items[i];
        if (strcmp(bound->name, portal) != 0)
            continue;
        if (changes_session(bound->query) && bound->values.len <= 4) {
            note_statement(session, bound->query);
            return;
        }
        offer(sampling, session, message->pattern ? message->pattern : bound->pattern,
              (struct sampled_execution){.is_named = bound->is_named,
                                         .query = bound->query,
                                         .types = bound->types,
                                         .values = bound->values,
                                         .formats = bound->formats,
                                         .max_rows = max_rows});
        return;
    }
}

static void take_close(struct session *session, const struct workload_message *message)
{
    char kind;
    const char *name;
    if (!rh_pg_decode_target(message->body, &kind, &name) || kind != 'S')
        return;
    struct prepared *prepared = prepared_of(session, name);
    if (!prepared)
        return;
    free(prepared->bytes);
    *prepared = session->prepared.items[--session->prepared.count];
}

static void take_message(struct sampling *sampling, struct session *session,
                         const struct workload_message *message)
{
    if (message->is_redacted || message->left_out_bytes > 0) {
        if (message->pattern > 0 && message->pattern <= sampling->sample->patterns.count)
            pass_over(&sampling->sample->patterns.items[message->pattern - 1],
                      message->is_redacted ? "it holds a secret and was not kept"
                                           : "parts of it were not captured");
        return;
    }
    switch (message->type) {
    case 'Q':
        take_query(sampling, session, message);
        return;
    case 'P':
        take_parse(session, message);
        return;
    case 'B':
        take_bind(session, message);
        return;
    case 'E':
        take_execute(sampling, session, message);
        return;
    case 'C':
        take_close(session, message);
        return;
    }
}

static void take_event(struct sampling *sampling, const struct workload_event *event)
{
    struct session *session;
    if (event->at_us > sampling->sample->duration_us)
        sampling->sample->duration_us = event->at_us;
    switch (event->kind) {
    case WORKLOAD_SESSION_BEGUN:
        begin_session(sampling, event->begun);
        session = session_of(sampling, event->session);
        for (size_t i = 0; i < event->begun->prologue.count; i++)
            take_message(sampling, session, &event->begun->prologue.items[i]);
        return;
    case WORKLOAD_REQUEST:
        session = session_of(sampling, event->session);
        for (size_t i = 0; i < event->message_count; i++)
            take_message(sampling, session, &event->messages[i]);
        /* Portals point into the event; those that outlive their request are not followed. */
        session->bound.count = 0;
        return;
    case WORKLOAD_SESSION_ENDED:
        end_session(sampling, event->session);
        return;
    case WORKLOAD_ANSWER:
    case WORKLOAD_CANCEL:
        return;
    }
}

/* --- the whole -------------------------------------------------------------------------------- */

static void number_statements(struct sampled_pattern *pattern)
{
    for (size_t i = 0; i < pattern->count; i++) {
        struct sampled_execution *own = &pattern->executions[i];
        own->statement = (uint32_t)i;
        for (size_t j = 0; j < i; j++) {
            const struct sampled_execution *other = &pattern->executions[j];
            if (!rh_text_equals(other->query, own->query) ||
                !rh_text_equals(other->types, own->types))
                continue;
            own->statement = other->statement;
            break;
        }
    }
}

/* In an order of chance: the reservoir's own leans on time. */
static void take_kept(struct sampling *sampling, size_t index)
{
    struct arena *arena = sampling->sample->arena;
    struct sampled_pattern *pattern = &sampling->sample->patterns.items[index];
    struct reservoir *reservoir = &sampling->reservoirs[index];
    pattern->count = reservoir->count;
    pattern->executions = rh_arena_alloc_array(arena, reservoir->count + 1,
                                               sizeof(*pattern->executions));
    for (size_t i = 0; i < reservoir->count; i++) {
        size_t other = i + rh_random_below(sampling->random, reservoir->count - i);
        struct slot slot = reservoir->slots[other];
        reservoir->slots[other] = reservoir->slots[i];
        reservoir->slots[i] = slot;
        struct sampled_execution *kept = &pattern->executions[i];
        *kept = slot.execution;
        kept->query = copy_text(arena, slot.execution.query);
        kept->types = copy_text(arena, slot.execution.types);
        kept->values = copy_text(arena, slot.execution.values);
        kept->formats = copy_text(arena, slot.execution.formats);
    }
    number_statements(pattern);
}

static void deinit(struct sampling *sampling)
{
    for (size_t i = 0; i < SESSION_BUCKETS; i++)
        while (sampling->buckets[i])
            end_session(sampling, sampling->buckets[i]->number);
    for (size_t i = 0; i < sampling->sample->patterns.count; i++) {
        struct reservoir *reservoir = &sampling->reservoirs[i];
        for (size_t k = 0; k < reservoir->count; k++)
            free(reservoir->slots[k].bytes);
    }
}

enum err_code rh_replay_sample(struct workload_source source,
                               const struct workload_pattern *const *patterns, size_t pattern_count,
                               size_t executions_each, struct random *random, struct arena *arena,
                               struct replay_sample *ret_sample, struct err *err)
{
    RH_CLEANUP_ARENA struct arena *scratch = rh_arena_new();
    struct replay_sample sample = {.arena = arena};
    struct sampling *sampling = RH_NEW(scratch, struct sampling);
    const struct workload_event *event = NULL;
    enum err_code code;

    if (executions_each > SAMPLE_EXECUTIONS_MAX)
        executions_each = SAMPLE_EXECUTIONS_MAX;
    *sampling = (struct sampling){
        .sample = &sample, .random = random, .executions_each = executions_each};
    sampling->reservoirs = rh_arena_alloc_array(scratch, pattern_count + 1,
                                                sizeof(struct reservoir));
    for (size_t i = 0; i < pattern_count; i++) {
        RH_PUSH(arena, &sample.patterns)->pattern = patterns[i];
        sampling->reservoirs[i].slots = rh_arena_alloc_array(scratch, executions_each + 1,
                                                             sizeof(struct slot));
    }
    while ((code = source.next(source.context, &event, err)) == RH_OK && event)
        take_event(sampling, event);
    for (size_t i = 0; !code && i < pattern_count; i++)
        take_kept(sampling, i);
    deinit(sampling);
    if (!code)
        *ret_sample = sample;
    return code;
}
