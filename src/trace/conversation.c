#include "trace/conversation.h"

#include "base/err.h"

#include <stdlib.h>

/* SQL of a prepared statement, shared by portals and units. */
struct source {
    unsigned references;
    int64_t sql_bytes;
    size_t len;
    char data[];
};

/* A prepared statement or a portal. */
struct named {
    struct named *next;
    struct source *source;
    uint64_t id;    /* portals: a name may be bound again while older units are under way */
    bool suspended; /* portals: PortalSuspended came */
    int token;
    char name[];
};

struct unit {
    char type; /* the frontend message; 'c' for CopyDone and CopyFail */
    bool begun, resumes;
    int token;
    uint64_t portal_id;
    int64_t forwarded_us;
    struct source *source;
};

struct conversation {
    struct conversation_handler handler;
    struct named *prepared, *portals;
    size_t prepared_count, portal_count, text_bytes;
    uint64_t last_portal_id;

    struct unit *units; /* ring; capacity is a power of two */
    size_t head, count, capacity;
    size_t barriers; /* units that run (Query, Execute, FunctionCall) or end a group (Sync) */

    int64_t floor_us; /* nothing begins before: end of the last barrier */
    bool skips;       /* an error came: everything forwarded up to the next Sync is dropped */
    bool copies_in;   /* the server reads COPY data: it ignores Sync until CopyDone or CopyFail */
    bool has_failed;  /* the running statement */
    bool lost;
};

static void *allocate(size_t size)
{
    void *memory = calloc(1, size);
    if (!memory)
        RH_PANIC("out of memory (%zu bytes)", size);
    return memory;
}

/* --- names -------------------------------------------------------------------------------------
 */

static void source_release(struct conversation *c, struct source *source)
{
    if (!source || --source->references > 0)
        return;
    c->text_bytes -= source->len;
    free(source);
}

static struct source *source_new(struct conversation *c, struct text sql, int64_t sql_bytes)
{
    size_t room = CONVERSATION_TEXT_MAX - c->text_bytes;
    size_t len = sql.len < room ? sql.len : room;
    struct source *source = allocate(sizeof(*source) + len + 1);
    source->references = 1;
    source->sql_bytes = sql_bytes;
    source->len = len;
    if (len > 0)
        memcpy(source->data, sql.data, len);
    c->text_bytes += len;
    return source;
}

static struct source *source_share(struct source *source)
{
    if (source)
        source->references++;
    return source;
}

/* Moves what it finds to the front: clients come back to the same few. */
static struct named *named_find(struct named **list, struct text name)
{
    for (struct named **link = list; *link; link = &(*link)->next) {
        struct named *found = *link;
        if (!rh_text_is(name, found->name))
            continue;
        *link = found->next;
        found->next = *list;
        *list = found;
        return found;
    }
    return NULL;
}

static void named_remove(struct conversation *c, struct named **list, size_t *count,
                         struct text name)
{
    struct named *found = named_find(list, name);
    if (!found)
        return;
    *list = found->next;
    (*count)--;
    source_release(c, found->source);
    free(found);
}

/* Takes over the caller's reference to `source`. */
static void named_set(struct conversation *c, struct named **list, size_t *count, struct text name,
                      struct source *source, uint64_t id)
{
    named_remove(c, list, count, name);
    if (*count >= CONVERSATION_PREPARED_MAX) {
        c->lost = true;
        source_release(c, source);
        return;
    }
    struct named *added = allocate(sizeof(*added) + name.len + 1);
    if (name.len > 0)
        memcpy(added->name, name.data, name.len);
    added->source = source;
    added->id = id;
    added->next = *list;
    *list = added;
    (*count)++;
}

static void named_clear(struct conversation *c, struct named **list, size_t *count)
{
    while (*list) {
        struct named *first = *list;
        *list = first->next;
        source_release(c, first->source);
        free(first);
    }
    *count = 0;
}

/* --- units -------------------------------------------------------------------------------------
 */

static bool is_statement(const struct unit *unit)
{
    return unit->type == 'Q' || unit->type == 'E' || unit->type == 'F';
}

static bool is_barrier(const struct unit *unit)
{
    return is_statement(unit) || unit->type == 'S';
}

static struct unit *unit_at(const struct conversation *c, size_t index)
{
    return &c->units[(c->head + index) & (c->capacity - 1)];
}

static struct unit *first_barrier(const struct conversation *c)
{
    if (c->barriers == 0)
        return NULL;
    for (size_t i = 0; i < c->count; i++)
        if (is_barrier(unit_at(c, i)))
            return unit_at(c, i);
    return NULL;
}

static void begin(struct conversation *c, struct unit *unit, struct source *source)
{
    int64_t group_us = unit_at(c, 0)->forwarded_us;
    unit->begun = true;
    c->has_failed = false;
    if (unit->resumes) {
        c->handler.resumed(c->handler.context, unit->token);
        return;
    }
    struct conversation_statement statement = {
        .sql = source ? (struct text){source->data, source->len} : (struct text){"", 0},
        .sql_bytes = source ? source->sql_bytes : 0,
        .extended = unit->type != 'Q',
        .start_us = group_us > c->floor_us ? group_us : c->floor_us,
    };
    unit->token = c->handler.begun(c->handler.context, &statement);
}

static void promote(struct conversation *c)
{
    struct unit *unit = first_barrier(c);
    if (unit && is_statement(unit) && !unit->begun)
        begin(c, unit, unit->source);
}

static void push(struct conversation *c, struct unit unit)
{
    if (c->count == c->capacity) {
        if (c->capacity >= CONVERSATION_UNITS_MAX) {
            c->lost = true;
            source_release(c, unit.source);
            return;
        }
        size_t capacity = c->capacity ? c->capacity * 2 : 16;
        struct unit *units = allocate(capacity * sizeof(*units));
        for (size_t i = 0; i < c->count; i++)
            units[i] = *unit_at(c, i);
        free(c->units);
        c->units = units;
        c->capacity = capacity;
        c->head = 0;
    }
    *unit_at(c, c->count) = unit;
    c->count++;
    if (is_barrier(&unit) && c->barriers++ == 0)
        promote(c);
}

/* Removes the first unit; the next statement is begun by the caller's promote(). */
static void pop(struct conversation *c, int64_t at_us)
{
    struct unit *unit = unit_at(c, 0);
    if (is_barrier(unit)) {
        c->barriers--;
        c->floor_us = at_us;
    }
    source_release(c, unit->source);
    c->head = (c->head + 1) & (c->capacity - 1);
    c->count--;
}

/* --- the client's side ---------------------------------------------------------------------------
 */

/* A NUL-terminated string at the front of a body that may be cut. */
static struct text take_string(struct text *body)
{
    const char *end = body->len > 0 ? memchr(body->data, '\0', body->len) : NULL;
    struct text taken = {body->data, end ? (size_t)(end - body->data) : body->len};
    size_t used = end ? taken.len + 1 : taken.len;
    body->data += used;
    body->len -= used;
    return taken;
}

static void frontend_parse(struct conversation *c, const struct pg_message *message,
                           struct unit *unit)
{
    struct text body = message->body;
    struct text name = take_string(&body);
    struct text sql = take_string(&body);
    int64_t sql_bytes = message->is_whole ? (int64_t)sql.len
                                          : (int64_t)message->body_length - (int64_t)name.len - 1;
    struct source *source = source_new(c, sql, sql_bytes);
    named_set(c, &c->prepared, &c->prepared_count, name, source, 0);
    unit->source = source_share(source);
}

static void frontend_bind(struct conversation *c, struct text body, struct unit *unit)
{
    struct text portal = take_string(&body);
    struct named *statement = named_find(&c->prepared, take_string(&body));
    struct source *source = statement ? statement->source : NULL;
    named_set(c, &c->portals, &c->portal_count, portal, source_share(source), ++c->last_portal_id);
    unit->source = source_share(source);
}

static void frontend_execute(struct conversation *c, struct text body, struct unit *unit)
{
    struct named *portal = named_find(&c->portals, take_string(&body));
    if (!portal)
        return; /* a cursor of DECLARE, or a name that the server will refuse */
    unit->source = source_share(portal->source);
    unit->portal_id = portal->id;
    unit->resumes = portal->suspended;
    unit->token = portal->token;
}

static void frontend_close(struct conversation *c, struct text body)
{
    if (body.len == 0)
        return;
    bool is_statement_name = body.data[0] == 'S';
    body.data++;
    body.len--;
    struct text name = take_string(&body);
    if (is_statement_name)
        named_remove(c, &c->prepared, &c->prepared_count, name);
    else
        named_remove(c, &c->portals, &c->portal_count, name);
}

void rh_conversation_frontend(struct conversation *c, const struct pg_message *message,
                              int64_t at_us)
{
    struct unit unit = {.type = (char)message->type, .forwarded_us = at_us, .token = -1};
    struct text body = message->body;
    if (c->lost)
        return;
    if (c->skips && message->type != 'S')
        return;
    switch (message->type) {
    case 'Q': {
        struct text sql = take_string(&body);
        unit.source = source_new(c, sql,
                                 message->body_length > 0 ? (int64_t)message->body_length - 1 : 0);
        break;
    }
    case 'P':
        frontend_parse(c, message, &unit);
        break;
    case 'B':
        frontend_bind(c, body, &unit);
        break;
    case 'E':
        frontend_execute(c, body, &unit);
        break;
    case 'C':
        frontend_close(c, body);
        break;
    case 'S':
        if (c->copies_in)
            return;
        c->skips = false;
        break;
    case 'c':
    case 'f':
        if (c->copies_in) {
            c->copies_in = false;
            return;
        }
        unit.type = 'c';
        break;
    case 'D':
    case 'F':
        break;
    default:
        return;
    }
    push(c, unit);
}

/* --- the server's side ---------------------------------------------------------------------------
 */

static void drop_copy_marks(struct conversation *c, int64_t at_us)
{
    while (c->count > 0 && unit_at(c, 0)->type == 'c')
        pop(c, at_us);
}

/* Parse, Bind, Close and Describe answered: anything else at the front means we lost count, and
   then the statement that runs must not suffer. */
static void answered(struct conversation *c, char type, int64_t at_us)
{
    drop_copy_marks(c, at_us);
    if (c->count > 0 && unit_at(c, 0)->type == type)
        pop(c, at_us);
}

static void end_execute(struct conversation *c, bool ok, bool suspended, int64_t at_us)
{
    struct unit *unit = unit_at(c, 0);
    if (suspended)
        for (struct named *portal = c->portals; portal; portal = portal->next)
            if (portal->id == unit->portal_id) {
                portal->suspended = true;
                portal->token = unit->token;
            }
    c->handler.ended(c->handler.context, ok, suspended, at_us);
    pop(c, at_us);
}

static void command_complete(struct conversation *c, struct text tag, int64_t rows, int64_t at_us)
{
    drop_copy_marks(c, at_us);
    struct unit *unit = c->count > 0 ? unit_at(c, 0) : NULL;
    if (!unit || !unit->begun)
        return;
    c->handler.completed(c->handler.context, tag, rows, at_us);
    if (unit->type == 'E') {
        end_execute(c, true, false, at_us);
        promote(c);
    }
}

/* The server drops what was forwarded up to the next Sync. */
static void skip_to_sync(struct conversation *c, int64_t at_us)
{
    while (c->count > 0 && unit_at(c, 0)->type != 'S')
        pop(c, at_us);
    c->skips = c->count == 0;
    c->copies_in = false;
}

static void error_response(struct conversation *c, const struct pg_message *message, int64_t at_us)
{
    drop_copy_marks(c, at_us);
    struct unit *unit = c->count > 0 ? unit_at(c, 0) : NULL;
    if (!unit || unit->type == 'S') {
        c->handler.failed(c->handler.context, message, false, at_us);
        return;
    }
    if (unit->type == 'Q' || unit->type == 'F') {
        c->has_failed = true;
        c->handler.failed(c->handler.context, message, true, at_us);
        if (unit->type == 'Q')
            c->copies_in = false;
        return;
    }
    /* Parse, Bind, Describe or Execute: the statement they belong to, else one of their own. */
    struct unit *statement = first_barrier(c);
    if (!statement || !statement->begun || statement->type != 'E')
        begin(c, unit, unit->source);
    c->handler.failed(c->handler.context, message, true, at_us);
    c->handler.ended(c->handler.context, false, false, at_us);
    skip_to_sync(c, at_us);
}

/* COPY ... FROM STDIN was accepted. Syncs sent ahead of the data are read, and ignored, as part of
   it (libpq sends one with its Execute and one more behind CopyDone). */
static void copy_in_response(struct conversation *c)
{
    struct unit *unit = c->count > 0 ? unit_at(c, 0) : NULL;
    if (!unit)
        return;
    size_t kept = 1;
    bool done = false;
    for (size_t i = 1; i < c->count; i++) {
        struct unit *next = unit_at(c, i);
        if (!done && next->type == 'S') {
            c->barriers--;
        } else if (!done && next->type == 'c') {
            done = true;
        } else {
            *unit_at(c, kept++) = *next;
        }
    }
    c->count = kept;
    c->copies_in = !done;
}

static void ready_for_query(struct conversation *c, char status, int64_t at_us)
{
    c->copies_in = false;
    while (c->count > 0) {
        struct unit *unit = unit_at(c, 0);
        char type = unit->type;
        if ((type == 'Q' || type == 'F' || type == 'E') && unit->begun)
            c->handler.ended(c->handler.context, !c->has_failed, false, at_us);
        pop(c, at_us);
        if (type == 'Q' || type == 'F' || type == 'S')
            break;
    }
    c->floor_us = at_us;
    /* Portals end with their transaction; those of units already under way stay. */
    if (status == 'I' && c->count == 0)
        named_clear(c, &c->portals, &c->portal_count);
    c->handler.ready(c->handler.context, status, c->count > 0, at_us);
    promote(c);
}

void rh_conversation_backend(struct conversation *c, const struct pg_message *message,
                             int64_t at_us)
{
    if (c->lost)
        return;
    switch (message->type) {
    case '1':
        answered(c, 'P', at_us);
        break;
    case '2':
        answered(c, 'B', at_us);
        break;
    case '3':
        answered(c, 'C', at_us);
        break;
    case 'n':
        answered(c, 'D', at_us);
        break;
    case 'T':
        /* Also the head of a simple query's rows. */
        if (c->count > 0 && unit_at(c, 0)->type == 'D')
            answered(c, 'D', at_us);
        break;
    case 'C': {
        struct text tag = {"", 0};
        int64_t rows = -1;
        if (rh_pg_decode_command_complete(message->body, &tag, &rows))
            command_complete(c, tag, rows, at_us);
        break;
    }
    case 'I':
        command_complete(c, (struct text){"", 0}, -1, at_us);
        break;
    case 's':
        if (c->count > 0 && unit_at(c, 0)->type == 'E') {
            end_execute(c, true, true, at_us);
            promote(c);
        }
        break;
    case 'E':
        error_response(c, message, at_us);
        break;
    case 'G':
    case 'W':
        copy_in_response(c);
        break;
    case 'Z': {
        char status = 'I';
        if (rh_pg_decode_ready(message->body, &status))
            ready_for_query(c, status, at_us);
        break;
    }
    default:
        break;
    }
}

/* --- life cycle --------------------------------------------------------------------------------
 */

struct conversation *rh_conversation_new(const struct conversation_handler *handler)
{
    struct conversation *c = allocate(sizeof(*c));
    c->handler = *handler;
    return c;
}

void rh_conversation_free(struct conversation *c)
{
    if (!c)
        return;
    while (c->count > 0)
        pop(c, 0);
    named_clear(c, &c->portals, &c->portal_count);
    named_clear(c, &c->prepared, &c->prepared_count);
    free(c->units);
    free(c);
}

void rh_conversation_types(struct pg_type_set *frontend, struct pg_type_set *backend)
{
    for (const char *type = "QPBECSDFcf"; *type; type++)
        rh_pg_type_set_add(frontend, (unsigned char)*type);
    for (const char *type = "123nTCIsEGWZ"; *type; type++)
        rh_pg_type_set_add(backend, (unsigned char)*type);
}

bool rh_conversation_is_running(const struct conversation *c)
{
    const struct unit *unit = first_barrier(c);
    return unit && unit->begun;
}

bool rh_conversation_is_lost(const struct conversation *c)
{
    return c->lost;
}
