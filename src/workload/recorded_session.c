#include "workload/capture_recorder_int.h"

#include "net/pg_codec.h"

#include <stdio.h>
#include <stdlib.h>

/* Of a statement's parameters: more are those of rows in bulk, whose columns are known. */
#define TYPES_BYTES_MAX ((size_t)4 * 2048)

/* --- names ------------------------------------------------------------------------------------ */

static size_t hash_of(const char *name)
{
    uint64_t hash = UINT64_C(14695981039346656037); /* FNV-1a */

    for (; *name; name++)
        hash = (hash ^ (unsigned char)*name) * UINT64_C(1099511628211);
    return (size_t)(hash ^ hash >> 32);
}

static struct named *slot_of(const struct names *names, const char *name)
{
    size_t at = hash_of(name) & (names->size - 1);

    while (names->items[at].name && strcmp(names->items[at].name, name) != 0)
        at = (at + 1) & (names->size - 1);
    return &names->items[at];
}

static bool is_live(const struct named *named)
{
    return named->query && !named->is_closed;
}

static void clear(struct named *named)
{
    free(named->name);
    free((char *)named->types.data);
    rh_known_query_drop(named->query);
}

/* Names that stand for nothing any more go when the table grows: clients that count their names up
   never use one twice. */
static void grow(struct names *names)
{
    struct names old = *names;
    size_t live = 0;

    for (size_t i = 0; i < old.size; i++)
        live += is_live(&old.items[i]);
    names->size = 8;
    while (names->size < 4 * (live + 1))
        names->size *= 2;
    names->count = live;
    names->items = calloc(names->size, sizeof(*names->items));
    if (!names->items)
        RH_PANIC("out of memory for names");
    for (size_t i = 0; i < old.size; i++) {
        if (is_live(&old.items[i]))
            *slot_of(names, old.items[i].name) = old.items[i];
        else
            clear(&old.items[i]);
    }
    free(old.items);
}

void rh_recorded_names_set(struct names *names, const char *name, struct known_query *query)
{
    if (2 * (names->count + 1) > names->size)
        grow(names);

    struct named *slot = slot_of(names, name);

    if (!slot->name) {
        slot->name = strdup(name);
        names->count++;
        if (!slot->name)
            RH_PANIC("out of memory for a name");
    }
    rh_known_query_hold(query);
    rh_known_query_drop(slot->query);
    slot->query = query;
    slot->is_closed = false;
    free((char *)slot->types.data);
    slot->types = (struct text){0};
}

void rh_recorded_names_declare(struct names *names, const char *name, struct text behind)
{
    struct named *slot = slot_of(names, name);
    struct pg_reader reader = {.rest = behind};

    (void)rh_pg_read_u8(&reader); /* the text's end */

    struct text types = rh_pg_read_bytes(&reader, (size_t)4 * rh_pg_read_u16(&reader));

    types.len = types.len < TYPES_BYTES_MAX ? types.len : TYPES_BYTES_MAX;
    char *copy = types.len > 0 ? malloc(types.len) : NULL;

    if (types.len > 0 && !copy)
        RH_PANIC("out of memory for types");
    if (copy)
        memcpy(copy, types.data, types.len);
    free((char *)slot->types.data);
    slot->types = (struct text){copy, types.len};
}

struct text rh_recorded_names_types(const struct names *names, const char *name)
{
    return names->size ? slot_of(names, name)->types : (struct text){0};
}

void rh_recorded_names_close(struct names *names, const char *name)
{
    if (names->size > 0)
        slot_of(names, name)->is_closed = true;
}

struct known_query *rh_recorded_names_get(const struct names *names, const char *name)
{
    return names->size ? slot_of(names, name)->query : NULL;
}

void rh_recorded_names_clear(struct names *names)
{
    for (size_t i = 0; i < names->size; i++)
        clear(&names->items[i]);
    free(names->items);
    *names = (struct names){0};
}

/* --- sessions --------------------------------------------------------------------------------- */

struct recorded_session *rh_recorded_session_new(uint32_t number)
{
    struct recorded_session *session = calloc(1, sizeof(*session));

    if (!session)
        RH_PANIC("out of memory (%zu bytes)", sizeof(*session));
    session->number = number;
    session->arena = rh_arena_new();
    return session;
}

void rh_recorded_session_free(struct recorded_session *session)
{
    if (!session)
        return;
    rh_recorded_names_clear(&session->statements);
    rh_recorded_names_clear(&session->portals);
    rh_recorded_copy_end(&session->copy);
    for (size_t i = 0; i < session->step_count; i++)
        rh_known_query_drop(session->steps[i].query);
    for (size_t i = 0; i < session->unit_count; i++)
        rh_known_query_drop(session->units[i].query);
    free(session->steps);
    free(session->units);
    rh_arena_free(session->arena);
    rh_arena_free(session->request_arena);
    rh_arena_free(session->answer_arena);
    free(session);
}

static void *make_room(void *items, size_t count, size_t *capacity, size_t size)
{
    if (count < *capacity)
        return items;
    *capacity = 2 * *capacity + 8;
    items = realloc(items, *capacity * size);
    if (!items)
        RH_PANIC("out of memory for messages under way");
    return items;
}

void rh_recorded_session_encode(struct recorded_session *session, const char *encoding)
{
    snprintf(session->encoding, sizeof(session->encoding), "%s", encoding);
}

void rh_recorded_session_hello(struct recorded_session *session, struct text body)
{
    struct pg_reader reader = {.rest = body};
    struct capture_hello hello;
    struct text head = rh_pg_read_bytes(&reader, sizeof(hello));

    memcpy(&hello, head.data, sizeof(hello));
    session->begun.number = session->number;
    session->begun.user = rh_arena_strdup(session->arena, rh_pg_read_string(&reader));
    session->begun.database = rh_arena_strdup(session->arena, rh_pg_read_string(&reader));
    session->begun.lacks = rh_arena_strdup(session->arena, rh_pg_read_string(&reader));
    for (uint32_t i = 0; i < hello.startup_count + hello.reported_count; i++) {
        const char *name = rh_pg_read_string(&reader), *value = rh_pg_read_string(&reader);
        struct workload_setting *setting = i < hello.startup_count
                                               ? RH_PUSH(session->arena, &session->begun.startup)
                                               : RH_PUSH(session->arena, &session->begun.reported);

        if (i >= hello.startup_count && strcmp(name, "client_encoding") == 0)
            rh_recorded_session_encode(session, value);
        setting->name = rh_arena_strdup(session->arena, name);
        setting->value = rh_arena_strdup(session->arena, value);
    }
}

void rh_recorded_session_add_step(struct recorded_session *session, unsigned char type,
                                  struct known_query *query)
{
    session->steps = make_room(session->steps, session->step_count, &session->step_capacity,
                               sizeof(*session->steps));
    session->steps[session->step_count++] = (struct step){type, rh_known_query_hold(query)};
}

void rh_recorded_session_add_unit(struct recorded_session *session, struct unit unit)
{
    session->units = make_room(session->units, session->unit_count, &session->unit_capacity,
                               sizeof(*session->units));
    unit.steps = session->step_count;
    rh_known_query_hold(unit.query);
    session->units[session->unit_count++] = unit;
}

uint32_t rh_recorded_session_pattern(const struct recorded_session *session, uint32_t place)
{
    const struct unit *unit = session->unit_count ? &session->units[0] : NULL;
    const struct known_query *query = unit ? unit->query : NULL;

    if (unit && unit->type == 'Q') {
        if (!query)
            return 0;
        if (query->statement_count == 0)
            return query->pattern;
        return place < query->statement_count ? query->statements[place] : 0;
    }
    if (place < session->step_count)
        return session->steps[place].query ? session->steps[place].query->pattern : 0;
    return 0;
}

const struct known_query *rh_recorded_session_query(const struct recorded_session *session,
                                                    uint32_t place)
{
    const struct unit *unit = session->unit_count ? &session->units[0] : NULL;

    if (unit && unit->type == 'Q')
        return unit->query && unit->query->statement_count == 0 ? unit->query : NULL;
    return place < session->step_count ? session->steps[place].query : NULL;
}

uint64_t rh_recorded_session_finish_unit(struct recorded_session *session, uint32_t number)
{
    size_t done = 0;
    uint64_t request = 0;

    /* Syncs that the server ignored, while it awaited data of a COPY, are passed over. */
    while (done < session->unit_count && session->units[done].number <= number) {
        if (session->units[done].number == number)
            request = session->units[done].request;
        done++;
    }
    if (done == 0)
        return 0;

    size_t steps = session->units[done - 1].steps;

    for (size_t i = 0; i < steps; i++)
        rh_known_query_drop(session->steps[i].query);
    for (size_t i = 0; i < done; i++)
        rh_known_query_drop(session->units[i].query);
    session->step_count -= steps;
    session->unit_count -= done;
    if (steps > 0)
        memmove(session->steps, session->steps + steps,
                session->step_count * sizeof(*session->steps));
    memmove(session->units, session->units + done, session->unit_count * sizeof(*session->units));
    for (size_t i = 0; i < session->unit_count; i++)
        session->units[i].steps -= steps;
    return request;
}
