/* A session under the second pass: what the client sends is gathered, what the server answers goes
 * to the client or to us. */
#include "trace/second_pass_int.h"

#include "net/pg_codec.h"
#include "trace/server_message.h"

#include <stdlib.h>

/* Values of an answer kept; the inquiry bounds its answers itself, far below. */
#define ANSWER_BYTES_MAX ((size_t)4 * 1024 * 1024)
#define ERROR_BYTES_MAX ((size_t)1024 * 1024)

/* --- memory --- */

void rh_guarded_free(struct guarded *guarded)
{
    rh_loop_timer_free(guarded->deadline);
    rh_names_deinit(&guarded->names);
    rh_buf_deinit(&guarded->unnamed);
    rh_buf_deinit(&guarded->pending);
    rh_buf_deinit(&guarded->error_bytes);
    rh_arena_free(guarded->transaction_arena);
    rh_arena_free(guarded->unit_arena);
    rh_arena_free(guarded->batch_arena);
    rh_arena_free(guarded->error_arena);
    rh_arena_free(guarded->answer_arena);
    free(guarded);
}

static void enter(struct guarded *guarded)
{
    guarded->depth++;
}

/* Frees the session when it is gone and nobody works on it any more. */
static void leave(struct guarded *guarded)
{
    if (--guarded->depth > 0 || guarded->tap_session)
        return;
    for (struct guarded **link = &guarded->pass->sessions; *link; link = &(*link)->next)
        if (*link == guarded) {
            *link = guarded->next;
            break;
        }
    rh_guarded_free(guarded);
}

/* --- sending --- */

static void on_deadline(void *context)
{
    struct guarded *guarded = context;
    enter(guarded);
    const char *sql = guarded->unit.sql ? guarded->unit.sql : "";
    rh_guarded_give_up(guarded, "a statement was not answered within %lld s: %s",
                       (long long)(guarded->pass->options.answer_max_us / 1000000),
                       rh_text_one_line(guarded->error_arena, rh_text(sql), 60));
    leave(guarded);
}

void rh_guarded_exchange(struct guarded *guarded, struct text bytes, bool is_relayed, next_fn *then)
{
    if (!guarded->tap_session)
        return;
    guarded->phase = PHASE_BUSY;
    guarded->is_relayed = is_relayed;
    guarded->then = then;
    guarded->has_failed = false;
    rh_loop_timer_start(guarded->deadline, guarded->pass->options.answer_max_us, 0);
    rh_tap_session_send_server(guarded->tap_session, bytes);
}

void rh_guarded_command(struct guarded *guarded, const char *sql, next_fn *then)
{
    RH_CLEANUP_BUF struct buf bytes = {0};
    rh_buf_init(&bytes, 8192);
    rh_ask_command(&bytes, sql);
    rh_guarded_exchange(guarded, rh_buf_text(&bytes), false, then);
}

void rh_guarded_question(struct guarded *guarded, const char *sql, next_fn *then)
{
    RH_CLEANUP_BUF struct buf bytes = {0};
    rh_arena_clear(guarded->answer_arena);
    guarded->answer = (struct answer){0};
    rh_buf_init(&bytes, strlen(sql) + 64);
    rh_ask_query(&bytes, rh_text(sql));
    rh_guarded_exchange(guarded, rh_buf_text(&bytes), false, then);
}

void rh_guarded_to_client(struct guarded *guarded, const struct buf *bytes)
{
    RH_ASSERT(!bytes->failed);
    if (guarded->tap_session && bytes->len > 0)
        rh_tap_session_send_client(guarded->tap_session, rh_buf_text(bytes));
}

void rh_guarded_resume(struct guarded *guarded)
{
    guarded->phase = PHASE_READY;
    if (guarded->tap_session)
        rh_tap_session_resume(guarded->tap_session);
}

/* --- gathering --- */

static struct expected *expect(struct guarded *guarded, const struct pg_message *message)
{
    struct expected *expected = RH_PUSH(guarded->unit_arena, &guarded->unit.expected);
    expected->type = (char)message->type;
    return expected;
}

/* Reads of the message what its answer will depend on. False: nobody could. */
static bool read_extended(struct guarded *guarded, const struct pg_message *message)
{
    struct arena *arena = guarded->unit_arena;
    struct unit *unit = &guarded->unit;
    struct names *names = &guarded->names;
    struct expected *expected = expect(guarded, message);
    struct pg_parse_message parse;
    struct pg_bind_message bind;
    const char *name;
    uint32_t max_rows;
    switch (message->type) {
    case 'P':
        if (!rh_pg_decode_parse(message->body, &parse))
            return false;
        expected->name = rh_arena_strdup(arena, parse.statement);
        expected->sql = rh_arena_strdup(arena, parse.query);
        unit->sql = expected->sql;
        if (parse.statement[0] == '\0') {
            rh_buf_clear(&guarded->unnamed);
            rh_pg_encode_message(&guarded->unnamed, 'P', message->body);
        }
        return rh_names_set(names, &names->prepared, parse.statement, rh_text(parse.query), false);
    case 'B': {
        if (!rh_pg_decode_bind(message->body, &bind))
            return false;
        const struct name *prepared = rh_names_find(names->prepared, bind.statement);
        expected->name = rh_arena_strdup(arena, bind.portal);
        expected->sql = prepared ? rh_arena_strdup(arena, prepared->sql) : NULL;
        expected->is_phantom = prepared && prepared->is_phantom;
        unit->has_bind = true;
        if (expected->sql)
            unit->sql = expected->sql;
        return rh_names_set(names, &names->portals, bind.portal, rh_text(expected->sql),
                            expected->is_phantom);
    }
    case 'E': {
        if (!rh_pg_decode_execute(message->body, &name, &max_rows))
            return false;
        const struct name *portal = rh_names_find(names->portals, name);
        expected->sql = portal ? rh_arena_strdup(arena, portal->sql) : NULL;
        expected->is_phantom = portal && portal->is_phantom;
        unit->has_execute = true;
        if (expected->sql)
            unit->sql = expected->sql;
        return true;
    }
    default: {
        char kind;
        if (!rh_pg_decode_target(message->body, &kind, &name))
            return false;
        struct name **list = kind == 'S' ? &names->prepared : &names->portals;
        const struct name *target = rh_names_find(*list, name);
        expected->target = kind;
        expected->sql = target ? rh_arena_strdup(arena, target->sql) : NULL;
        expected->is_phantom = target && target->is_phantom;
        if (message->type == 'C')
            rh_names_remove(names, list, name);
        return true;
    }
    }
}

static void gather(struct guarded *guarded, const struct pg_message *message)
{
    if (!read_extended(guarded, message)) {
        rh_guarded_give_up(guarded, "a client's message could not be followed");
        return;
    }
    const struct unit *unit = &guarded->unit;
    if (!unit->expected.items[unit->expected.count - 1].is_phantom)
        rh_pg_encode_message(&guarded->pending, (char)message->type, message->body);
    if (guarded->pending.failed)
        rh_guarded_give_up(guarded, "a client sent more than %zu MB before an Execute",
                           SECOND_PASS_MESSAGE_MAX / (1024 * 1024));
}

/* --- the client's messages --- */

static void drop_copy_data(struct guarded *guarded, bool drops)
{
    struct pg_type_set types = {{0}};
    if (drops)
        rh_pg_type_set_add(&types, 'd');
    if (guarded->tap_session)
        rh_tap_session_drop_frontend(guarded->tap_session, &types);
}

/* CopyDone and CopyFail. */
static enum tap_action end_copy(struct guarded *guarded, const struct pg_message *message)
{
    RH_CLEANUP_BUF struct buf bytes = {0};
    if (guarded->copy_failed) {
        guarded->copy_ended = true;
        drop_copy_data(guarded, false);
        if (guarded->phase == PHASE_COPYING)
            rh_unit_answer_client(guarded);
        return TAP_SWALLOW;
    }
    /* In the extended protocol the server ignored the Sync that went ahead of the rows. */
    rh_buf_init(&bytes, SECOND_PASS_MESSAGE_MAX + 64);
    rh_pg_encode_message(&bytes, (char)message->type, message->body);
    if (guarded->unit.is_extended)
        rh_ask_sync(&bytes);
    rh_guarded_exchange(guarded, rh_buf_text(&bytes), true, guarded->then);
    return TAP_SWALLOW;
}

static enum tap_action skip_to_sync(struct guarded *guarded, const struct pg_message *message)
{
    if (message->type == 'X')
        return TAP_FORWARD;
    if (message->type == 'S')
        rh_unit_finish_batch(guarded);
    return TAP_SWALLOW;
}

/* A message that nobody could look at. */
static enum tap_action pass_large(struct guarded *guarded, const struct pg_message *message)
{
    if (message->type != 'Q') {
        rh_guarded_give_up(guarded, "a client's message of %u bytes could not be led",
                           message->body_length);
        return TAP_SWALLOW;
    }
    rh_unit_begin_opaque(guarded);
    return TAP_FORWARD;
}

static enum tap_action take_ready(struct guarded *guarded, const struct pg_message *message)
{
    bool has_pending = guarded->unit.expected.count > 0;
    switch (message->type) {
    case 'P':
    case 'B':
    case 'D':
    case 'E':
    case 'Q':
        /* What comes behind an Execute is a unit of its own. */
        if (has_pending && (guarded->unit.has_execute || message->type == 'Q')) {
            rh_unit_begin_pending(guarded, false);
            return TAP_HOLD;
        }
        break;
    default:
        break;
    }
    switch (message->type) {
    case 'Q':
    case 'P':
    case 'B':
    case 'D':
    case 'E':
    case 'C':
        if (!message->is_whole)
            return pass_large(guarded, message);
        if (message->type == 'Q')
            rh_unit_begin_batch(guarded, message->body);
        else
            gather(guarded, message);
        return TAP_SWALLOW;
    case 'H':
        if (has_pending)
            rh_unit_begin_pending(guarded, false);
        return TAP_SWALLOW;
    case 'S':
        if (has_pending)
            rh_unit_begin_pending(guarded, true);
        else
            rh_unit_finish_batch(guarded);
        return TAP_SWALLOW;
    case 'X':
        return TAP_FORWARD;
    case 'c':
    case 'f':
        return TAP_SWALLOW; /* of a COPY that had failed: the server would ignore it */
    default:
        rh_guarded_give_up(guarded, "a client sent a message of type %d", message->type);
        return TAP_SWALLOW;
    }
}

static enum tap_action take_frontend(struct guarded *guarded, const struct pg_message *message)
{
    switch (guarded->phase) {
    case PHASE_STARTING:
        return message->type == 'p' || message->type == 0 ? TAP_FORWARD : TAP_HOLD;
    case PHASE_READY:
        return take_ready(guarded, message);
    case PHASE_COPYING:
        if (message->type == 'c' || message->type == 'f')
            return end_copy(guarded, message);
        /* Ignored by the server as well while it reads rows. */
        return message->type == 'S' || message->type == 'H' ? TAP_SWALLOW : TAP_HOLD;
    case PHASE_BUSY:
        if (guarded->copy_failed && !guarded->copy_ended &&
            (message->type == 'c' || message->type == 'f'))
            return end_copy(guarded, message);
        if (guarded->copy_failed && !guarded->copy_ended &&
            (message->type == 'S' || message->type == 'H'))
            return TAP_SWALLOW;
        return TAP_HOLD;
    case PHASE_SKIPPING:
        return skip_to_sync(guarded, message);
    case PHASE_ENDED:
        break;
    }
    return TAP_SWALLOW;
}

static enum tap_action on_frontend(void *context, struct tap_session *session,
                                   const struct pg_message *message)
{
    struct guarded *guarded = *rh_tap_session_data(session);
    (void)context;
    if (!guarded)
        return TAP_FORWARD;
    enter(guarded);
    enum tap_action action = take_frontend(guarded, message);
    leave(guarded);
    return action;
}

/* --- the server's messages --- */

static void collect_row(struct guarded *guarded, struct text body)
{
    struct answer *answer = &guarded->answer;
    struct pg_reader reader = {.rest = body};
    size_t columns = rh_pg_read_u16(&reader);
    if (columns != answer->columns || answer->bytes + body.len > ANSWER_BYTES_MAX)
        return;
    answer->bytes += body.len;
    answer->rows++;
    for (size_t i = 0; i < columns; i++) {
        uint32_t len = rh_pg_read_u32(&reader);
        const char *value = NULL;
        if (len != UINT32_MAX) {
            struct text bytes = rh_pg_read_bytes(&reader, len);
            value = rh_text_dup(guarded->answer_arena, bytes);
        }
        *RH_PUSH(guarded->answer_arena, &answer->values) = value;
    }
}

static enum tap_action collect(struct guarded *guarded, const struct pg_message *message)
{
    if (message->type == 'T') {
        struct pg_reader reader = {.rest = message->body};
        guarded->answer = (struct answer){.columns = rh_pg_read_u16(&reader)};
    } else if (message->type == 'D') {
        collect_row(guarded, message->body);
    } else if (message->type == 'G' || message->type == 'H' || message->type == 'W') {
        rh_guarded_give_up(guarded, "a question was answered with a COPY");
    }
    return TAP_SWALLOW;
}

/* Phantoms in front of the next message that the server answers. */
static void answer_phantoms(struct guarded *guarded)
{
    struct unit *unit = &guarded->unit;
    RH_CLEANUP_BUF struct buf bytes = {0};
    rh_buf_init(&bytes, SECOND_PASS_MESSAGE_MAX);
    while (unit->answered < unit->expected.count && unit->expected.items[unit->answered].is_phantom)
        rh_answer_expected(&bytes, &unit->expected.items[unit->answered++]);
    rh_guarded_to_client(guarded, &bytes);
}

static bool is_answer_to(const struct expected *expected, unsigned char type)
{
    switch (expected->type) {
    case 'P':
        return type == '1';
    case 'B':
        return type == '2';
    case 'C':
        return type == '3';
    case 'D':
        return type == 'n' || type == 'T';
    case 'E':
        return type == 'C' || type == 'I' || type == 's';
    default:
        return false;
    }
}

static enum tap_action relay_extended(struct guarded *guarded, const struct pg_message *message)
{
    struct unit *unit = &guarded->unit;
    answer_phantoms(guarded);
    if (unit->answered < unit->expected.count &&
        is_answer_to(&unit->expected.items[unit->answered], message->type))
        unit->answered++;
    return TAP_FORWARD;
}

static void begin_copy_in(struct guarded *guarded)
{
    guarded->copies_in = true;
    guarded->copy_failed = guarded->copy_ended = false;
    /* A Sync ahead of the rows is ignored by the server: the client sends another behind them. */
    guarded->unit.ends_in_sync = false;
    guarded->phase = PHASE_COPYING;
    rh_loop_timer_stop(guarded->deadline);
    rh_tap_session_resume(guarded->tap_session);
}

static enum tap_action relay(struct guarded *guarded, const struct pg_message *message)
{
    switch (message->type) {
    case 'D':
    case 'd':
        if (guarded->drops_rows)
            return TAP_SWALLOW;
        break;
    case 'W':
        rh_guarded_give_up(guarded, "a client began to replicate");
        return TAP_SWALLOW;
    case 'G':
        begin_copy_in(guarded);
        break;
    case 'H':
        guarded->copies_out = true;
        break;
    case 'c':
        guarded->copies_out = false;
        break;
    default:
        break;
    }
    return guarded->unit.is_extended ? relay_extended(guarded, message) : TAP_FORWARD;
}

static enum tap_action take_error(struct guarded *guarded, const struct pg_message *message)
{
    rh_arena_clear(guarded->error_arena);
    guarded->error = rh_server_message_read(guarded->error_arena, message->body);
    const char *severity = guarded->error.severity ? guarded->error.severity : "";
    if (strcmp(severity, "ERROR") != 0) {
        /* The server ends the session: its last words are the client's. */
        rh_second_pass_incomplete(
            guarded->pass,
            rh_arena_printf(guarded->error_arena, "the server ended a session: %s",
                            guarded->error.message ? guarded->error.message : severity));
        return TAP_FORWARD;
    }
    rh_buf_clear(&guarded->error_bytes);
    rh_pg_encode_message(&guarded->error_bytes, 'E', message->body);
    guarded->has_failed = true;
    if (guarded->copies_in && guarded->phase == PHASE_COPYING) {
        guarded->copy_failed = true;
        guarded->phase = PHASE_BUSY;
        drop_copy_data(guarded, true);
        /* In the extended protocol the server now waits for a Sync: the one that went ahead was
           ignored with the rows. */
        if (guarded->unit.is_extended && guarded->tap_session) {
            RH_CLEANUP_BUF struct buf bytes = {0};
            rh_buf_init(&bytes, 16);
            rh_ask_sync(&bytes);
            rh_tap_session_send_server(guarded->tap_session, rh_buf_text(&bytes));
        }
    }
    return TAP_SWALLOW;
}

static enum tap_action take_ready_for_query(struct guarded *guarded,
                                            const struct pg_message *message)
{
    char status;
    if (!rh_pg_decode_ready(message->body, &status)) {
        rh_guarded_give_up(guarded, "the server's answer could not be read");
        return TAP_SWALLOW;
    }
    if (guarded->phase == PHASE_STARTING) {
        guarded->status = status;
        rh_guarded_resume(guarded);
        return TAP_FORWARD;
    }
    if (guarded->phase != PHASE_BUSY || !guarded->then) {
        rh_guarded_give_up(guarded, "the server said that it was ready when nobody had asked");
        return TAP_SWALLOW;
    }
    rh_loop_timer_stop(guarded->deadline);
    if (guarded->is_relayed && guarded->unit.is_extended && !guarded->has_failed)
        answer_phantoms(guarded);
    guarded->status = status;
    if (status == 'I')
        rh_names_clear_portals(&guarded->names);
    next_fn *then = guarded->then;
    guarded->then = NULL;
    then(guarded);
    return TAP_SWALLOW;
}

static enum tap_action take_backend(struct guarded *guarded, const struct pg_message *message)
{
    if (guarded->phase == PHASE_ENDED)
        return TAP_FORWARD;
    if (message->type == 'Z')
        return take_ready_for_query(guarded, message);
    if (message->type == 'A' || message->type == 'S' || guarded->phase == PHASE_STARTING)
        return TAP_FORWARD;
    if (guarded->phase != PHASE_BUSY && guarded->phase != PHASE_COPYING) {
        if (message->type == 'N' || message->type == 'E')
            return TAP_FORWARD;
        rh_guarded_give_up(guarded, "the server answered when nobody had asked");
        return TAP_SWALLOW;
    }
    if (message->type == 'E')
        return take_error(guarded, message);
    if (!guarded->is_relayed)
        return collect(guarded, message);
    if (message->type == 'N')
        return TAP_FORWARD;
    return relay(guarded, message);
}

static enum tap_action on_backend(void *context, struct tap_session *session,
                                  const struct pg_message *message)
{
    struct guarded *guarded = *rh_tap_session_data(session);
    (void)context;
    if (!guarded)
        return TAP_FORWARD;
    enter(guarded);
    enum tap_action action = take_backend(guarded, message);
    leave(guarded);
    return action;
}

/* --- life --- */

static struct guarded *guarded_new(struct second_pass *pass, struct tap_session *session)
{
    struct guarded *guarded = calloc(1, sizeof(*guarded));
    if (!guarded)
        RH_PANIC("out of memory (%zu bytes)", sizeof(*guarded));
    guarded->pass = pass;
    guarded->tap_session = session;
    guarded->status = 'I';
    guarded->drops_rows = pass->drops_rows;
    guarded->deadline = rh_loop_timer_new(pass->options.loop, on_deadline, guarded);
    rh_buf_init(&guarded->unnamed, SECOND_PASS_MESSAGE_MAX + 64);
    rh_buf_init(&guarded->pending, SECOND_PASS_MESSAGE_MAX + 64);
    rh_buf_init(&guarded->error_bytes, ERROR_BYTES_MAX);
    guarded->transaction_arena = rh_arena_new();
    guarded->unit_arena = rh_arena_new();
    guarded->batch_arena = rh_arena_new();
    guarded->error_arena = rh_arena_new();
    guarded->answer_arena = rh_arena_new();
    return guarded;
}

static void on_opened(void *context, struct tap_session *session)
{
    struct second_pass *pass = context;
    struct guarded *guarded = guarded_new(pass, session);
    guarded->next = pass->sessions;
    pass->sessions = guarded;
    *rh_tap_session_data(session) = guarded;
}

static void on_closed(void *context, struct tap_session *session)
{
    struct guarded *guarded = *rh_tap_session_data(session);
    (void)context;
    enter(guarded);
    guarded->phase = PHASE_ENDED;
    guarded->tap_session = NULL;
    rh_loop_timer_stop(guarded->deadline);
    leave(guarded);
}

struct tap_handler rh_guarded_handler(struct second_pass *pass)
{
    struct tap_handler handler = {.collect_max = SECOND_PASS_MESSAGE_MAX,
                                  .decides_frontend = true,
                                  .context = pass,
                                  .session_opened = on_opened,
                                  .session_closed = on_closed,
                                  .frontend_message = on_frontend,
                                  .backend_message = on_backend};
    for (const char *type = "QPBECDSHXFcfp"; *type; type++)
        rh_pg_type_set_add(&handler.frontend_types, (unsigned char)*type);
    for (const char *type = "123nTtCIsEGHWZDdcNVA"; *type; type++)
        rh_pg_type_set_add(&handler.backend_types, (unsigned char)*type);
    return handler;
}
