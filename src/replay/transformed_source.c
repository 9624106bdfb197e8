/* The events of a workload with the statements that the new release sends. */
#include "replay/transformed_int.h"

#include "net/pg_codec.h"
#include "sql/pattern.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#define SESSION_BUCKETS ((size_t)1024)
/* Texts whose rewriting is kept. An application has some hundreds; when there are more (constants
   in them), all are forgotten and begun anew. */
#define CACHED_BUCKETS ((size_t)4096)
#define CACHED_MAX ((size_t)8192)
#define CACHED_BYTES_MAX ((size_t)64 * 1024 * 1024)

/* Prepared statements of a session that were rewritten and not closed: beyond that the oldest is
   forgotten, which a driver has dropped long ago (by DEALLOCATE, which is not looked at). */
#define CHANGED_MAX 10000

/* By a text, or by what it has in common with those that differ in constants only. */
struct cached {
    struct cached *next;
    uint64_t low, high;
    struct sql_rewrite rewrite;
};

/* A prepared statement whose Bind messages change with it. */
struct changed {
    struct changed *next;
    char *name;
    struct sql_rewrite rewrite; /* the numbers in it are the statement's own */
};

struct session {
    struct session *next;
    uint64_t number;
    struct changed *statements; /* the latest first */
    size_t count;
};

struct transformed_source {
    const struct transform *transform;
    struct workload_source from;
    struct arena *event_arena, *cache_arena;
    struct cached **cache;
    size_t cached_count;
    struct session *sessions[SESSION_BUCKETS];
    struct workload_event event;
};

/* --- rewriting, remembered -------------------------------------------------------------------- */

static void empty_cache(struct transformed_source *source)
{
    rh_arena_clear(source->cache_arena);
    source->cache = rh_arena_alloc_array(source->cache_arena, CACHED_BUCKETS,
                                         sizeof(struct cached *));
    source->cached_count = 0;
}

static const struct cached *find_cached(const struct transformed_source *source, uint64_t low,
                                        uint64_t high)
{
    const struct cached *it = source->cache[low % CACHED_BUCKETS];
    while (it && (it->low != low || it->high != high))
        it = it->next;
    return it;
}

static const struct cached *add_cached(struct transformed_source *source, uint64_t low,
                                       uint64_t high, const struct sql_rewrite *rewrite)
{
    struct cached *cached = RH_NEW(source->cache_arena, struct cached);
    struct cached **bucket = &source->cache[low % CACHED_BUCKETS];
    *cached = (struct cached){*bucket, low, high, *rewrite};
    cached->rewrite.query = rh_text(rh_text_dup(source->cache_arena, rewrite->query));
    source->cached_count++;
    return *bucket = cached;
}

static bool is_untouched(const struct sql_rewrite *rewrite)
{
    return rewrite->outcome != REWRITE_DONE;
}

/* Valid until the next call. */
static const struct sql_rewrite *rewrite_text(struct transformed_source *source, struct text query)
{
    struct sql_pattern_key key = rh_sql_pattern_key(query);
    const struct cached *cached = find_cached(source, key.low, key.high);
    if (cached)
        return &cached->rewrite;
    /* Another seed: a text must not be taken for a key. */
    XXH128_hash_t hash = XXH3_128bits_withSeed(query.data, query.len, 1);
    cached = find_cached(source, hash.low64, hash.high64);
    if (cached)
        return &cached->rewrite;
    if (source->cached_count >= CACHED_MAX ||
        rh_arena_used_bytes(source->cache_arena) > CACHED_BYTES_MAX)
        empty_cache(source);
    struct sql_rewrite rewrite;
    rh_sql_rewrite(source->transform, query, NULL, source->cache_arena, &rewrite);
    cached = is_untouched(&rewrite) ? add_cached(source, key.low, key.high, &rewrite)
                                    : add_cached(source, hash.low64, hash.high64, &rewrite);
    return &cached->rewrite;
}

/* --- sessions --------------------------------------------------------------------------------- */

static struct session **place_of(struct transformed_source *source, uint64_t number)
{
    struct session **place = &source->sessions[number % SESSION_BUCKETS];
    while (*place && (*place)->number != number)
        place = &(*place)->next;
    return place;
}

static void *take_memory(size_t size)
{
    void *memory = calloc(1, size);
    if (!memory)
        RH_PANIC("out of memory (%zu bytes)", size);
    return memory;
}

static void free_changed(struct changed *changed)
{
    free(changed->name);
    free(changed->rewrite.dropped_parameters.items);
    free(changed->rewrite.dropped_results.items);
    free(changed);
}

static struct changed **statement_of(struct session *session, const char *name)
{
    struct changed **place = &session->statements;
    while (*place && strcmp((*place)->name, name) != 0)
        place = &(*place)->next;
    return place;
}

static void forget_statement(struct session *session, const char *name)
{
    struct changed **place = session ? statement_of(session, name) : NULL;
    if (!place || !*place)
        return;
    struct changed *gone = *place;
    *place = gone->next;
    session->count--;
    free_changed(gone);
}

static void forget_session(struct transformed_source *source, uint64_t number)
{
    struct session **place = place_of(source, number), *session = *place;
    if (!session)
        return;
    *place = session->next;
    while (session->statements)
        forget_statement(session, session->statements->name);
    free(session);
}

#define COPY_NUMBERS(to, from)                                                        \
    do {                                                                              \
        (to).items = take_memory((from).count * sizeof((from).items[0]) + 1);         \
        if ((from).count > 0)                                                         \
            memcpy((to).items, (from).items, (from).count * sizeof((from).items[0])); \
        (to).count = (to).capacity = (from).count;                                    \
    } while (0)

static void keep_statement(struct transformed_source *source, uint64_t number, const char *name,
                           const struct sql_rewrite *rewrite)
{
    struct session **place = place_of(source, number);
    if (!*place) {
        *place = take_memory(sizeof(**place));
        (*place)->number = number;
    }
    forget_statement(*place, name);
    struct changed *changed = take_memory(sizeof(*changed));
    changed->name = strdup(name);
    if (!changed->name)
        RH_PANIC("out of memory (%zu bytes)", strlen(name));
    COPY_NUMBERS(changed->rewrite.dropped_parameters, rewrite->dropped_parameters);
    COPY_NUMBERS(changed->rewrite.dropped_results, rewrite->dropped_results);
    changed->next = (*place)->statements;
    (*place)->statements = changed;
    if (++(*place)->count <= CHANGED_MAX)
        return;
    while (changed->next)
        changed = changed->next;
    forget_statement(*place, changed->name);
}

/* --- messages --------------------------------------------------------------------------------- */

static void set_body(struct transformed_source *source, const char *head, struct text query,
                     struct text rest, struct workload_message *message)
{
    RH_CLEANUP_BUF struct buf out;
    rh_buf_init(&out, SIZE_MAX / 2);
    if (head)
        rh_buf_add(&out, head, strlen(head) + 1);
    rh_buf_add_text(&out, query);
    rh_buf_add_char(&out, '\0');
    rh_buf_add_text(&out, rest);
    message->body = (struct text){rh_arena_memdup(source->event_arena, out.data, out.len), out.len};
}

static void take_query(struct transformed_source *source, struct workload_message *message)
{
    struct pg_reader reader = {.rest = message->body};
    const char *query = rh_pg_read_string(&reader);
    if (reader.failed)
        return;
    const struct sql_rewrite *rewrite = rewrite_text(source, rh_text(query));
    if (rewrite->outcome == REWRITE_DONE)
        set_body(source, NULL, rewrite->query, reader.rest, message);
}

static void take_parse(struct transformed_source *source, uint64_t session,
                       struct workload_message *message)
{
    struct pg_reader reader = {.rest = message->body};
    const char *name = rh_pg_read_string(&reader), *query = rh_pg_read_string(&reader);
    if (reader.failed)
        return;
    const struct sql_rewrite *rewrite = rewrite_text(source, rh_text(query));
    if (rewrite->outcome != REWRITE_DONE) {
        forget_statement(*place_of(source, session), name);
        return;
    }
    keep_statement(source, session, name, rewrite);
    set_body(source, name, rewrite->query,
             rh_transformed_types(rewrite, reader.rest, source->event_arena), message);
}

static void take_bind(struct transformed_source *source, uint64_t number,
                      struct workload_message *message)
{
    struct pg_reader reader = {.rest = message->body};
    const struct session *session = *place_of(source, number);
    const char *portal = rh_pg_read_string(&reader), *name = rh_pg_read_string(&reader);
    struct text values, formats;
    struct changed *changed = session && !reader.failed
                                  ? *statement_of((struct session *)session, name)
                                  : NULL;
    if (!changed || !rh_sample_split_bind(reader.rest, &values, &formats))
        return;
    RH_CLEANUP_BUF struct buf rest;
    rh_buf_init(&rest, SIZE_MAX / 2);
    rh_buf_add_text(&rest, rh_transformed_values(&changed->rewrite, values, source->event_arena));
    rh_buf_add_text(&rest, rh_transformed_formats(&changed->rewrite, formats, source->event_arena));
    set_body(source, portal, rh_text(name), rh_buf_text(&rest), message);
}

static void take_message(struct transformed_source *source, uint64_t session,
                         struct workload_message *message)
{
    char kind;
    const char *name;
    if (message->is_redacted || message->left_out_bytes > 0)
        return;
    switch (message->type) {
    case 'Q':
        take_query(source, message);
        return;
    case 'P':
        take_parse(source, session, message);
        return;
    case 'B':
        take_bind(source, session, message);
        return;
    case 'C':
        if (rh_pg_decode_target(message->body, &kind, &name) && kind == 'S')
            forget_statement(*place_of(source, session), name);
        return;
    }
}

static void take_messages(struct transformed_source *source, uint64_t session,
                          struct workload_message *messages, size_t count)
{
    for (size_t i = 0; i < count; i++)
        take_message(source, session, &messages[i]);
}

static const struct workload_event *take_event(struct transformed_source *source,
                                               const struct workload_event *event)
{
    struct arena *arena = source->event_arena;
    rh_arena_clear(arena);
    source->event = *event;
    if (event->kind == WORKLOAD_SESSION_ENDED)
        forget_session(source, event->session);
    if (event->kind == WORKLOAD_REQUEST) {
        source->event.messages = rh_arena_memdup(arena, event->messages,
                                                 event->message_count * sizeof(*event->messages));
        take_messages(source, event->session, source->event.messages, event->message_count);
    }
    if (event->kind == WORKLOAD_SESSION_BEGUN) {
        struct workload_session *begun = rh_arena_memdup(arena, event->begun, sizeof(*begun));
        size_t count = begun->prologue.count;
        forget_session(source, event->session);
        begun->prologue.items = rh_arena_memdup(arena, event->begun->prologue.items,
                                                count * sizeof(*begun->prologue.items));
        take_messages(source, event->session, begun->prologue.items, count);
        source->event.begun = begun;
    }
    return &source->event;
}

/* --- the source ------------------------------------------------------------------------------- */

static enum err_code next(void *context, const struct workload_event **ret_event, struct err *err)
{
    struct transformed_source *source = context;
    const struct workload_event *event = NULL;
    enum err_code code = source->from.next(source->from.context, &event, err);
    if (!code)
        *ret_event = event ? take_event(source, event) : NULL;
    return code;
}

struct transformed_source *rh_transformed_source_new(const struct transform *transform,
                                                     struct workload_source from)
{
    struct transformed_source *source = take_memory(sizeof(*source));
    source->transform = transform;
    source->from = from;
    source->event_arena = rh_arena_new();
    source->cache_arena = rh_arena_new();
    empty_cache(source);
    return source;
}

struct workload_source rh_transformed_source(struct transformed_source *source)
{
    return (struct workload_source){.next = next, .context = source};
}

void rh_transformed_source_free(struct transformed_source *source)
{
    if (!source)
        return;
    for (size_t i = 0; i < SESSION_BUCKETS; i++)
        while (source->sessions[i])
            forget_session(source, source->sessions[i]->number);
    rh_arena_free(source->event_arena);
    rh_arena_free(source->cache_arena);
    free(source);
}
