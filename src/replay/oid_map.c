#include "replay/oid_map.h"

#include "base/big_endian.h"
#include "net/pg_codec.h"

#include <stdlib.h>
#include <string.h>

/* Arrays of composites of arrays ...: PostgreSQL's own types seldom go beyond three. */
#define DEPTH_MAX 16
#define ARRAY_DIMENSIONS_MAX 6    /* MAXDIM */
#define COMPOSITE_FIELDS_MAX 1664 /* MaxTupleAttributeNumber */
/* Statements of one session whose types are remembered; further ones are looked into blindly. */
#define STATEMENTS_MAX 10000

struct entry {
    uint32_t from, to;
    char kind;
    uint32_t element;
};

struct moved_function {
    uint32_t from, to;
};

struct oid_map {
    struct entry *entries; /* by `from` */
    size_t count;
    struct moved_function *functions; /* by `from`; those that have moved */
    size_t function_count;
    struct oid_map_facts facts;
};

struct statement {
    char *name;
    uint32_t *types;
    size_t count;
};
struct oid_session {
    struct statement *statements;
    size_t count, capacity;
};

/* --- the map ---------------------------------------------------------------------------------- */

static int compare_names(const void *a, const void *b)
{
    const struct target_type *x = a, *y = b;
    int sign = strcmp(x->name, y->name);
    return sign ? sign : strcmp(x->schema, y->schema);
}

static int compare_entries(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    return x->from < y->from ? -1 : x->from > y->from;
}

static void add_entry(struct arena *arena, struct oid_map *map, const struct workload_type *type,
                      const struct target_type *sorted, size_t sorted_count)
{
    const struct target_type wanted = {.schema = type->schema, .name = type->name};
    const struct target_type *found = sorted_count ? bsearch(&wanted, sorted, sorted_count,
                                                             sizeof(wanted), compare_names)
                                                   : NULL;
    map->facts.types++;
    if (!found && ++map->facts.missing == 1)
        map->facts.first_missing = rh_arena_printf(arena, "%s.%s", type->schema, type->name);
    uint32_t to = found ? found->oid : type->oid;
    map->facts.moved += to != type->oid;
    map->entries[map->count++] = (struct entry){type->oid, to, type->kind, type->element};
}

struct oid_map *rh_oid_map_new(struct arena *arena, const struct workload_type *types,
                               size_t type_count, const struct target_type *target,
                               size_t target_count)
{
    struct oid_map *map = RH_NEW(arena, struct oid_map);
    struct target_type *sorted = rh_arena_alloc_array(arena, target_count + 1, sizeof(*sorted));
    map->entries = rh_arena_alloc_array(arena, type_count + 1, sizeof(*map->entries));
    if (target_count > 0) {
        memcpy(sorted, target, target_count * sizeof(*sorted));
        qsort(sorted, target_count, sizeof(*sorted), compare_names);
    }
    for (size_t i = 0; i < type_count; i++)
        if (types[i].oid >= OID_FIRST_OWN)
            add_entry(arena, map, &types[i], sorted, target_count);
    if (map->count > 0)
        qsort(map->entries, map->count, sizeof(*map->entries), compare_entries);
    return map;
}

static int compare_signatures(const void *a, const void *b)
{
    const struct target_function *x = a, *y = b;
    int sign = strcmp(x->signature, y->signature);
    return sign ? sign : strcmp(x->schema, y->schema);
}

static int compare_functions(const void *a, const void *b)
{
    const struct moved_function *x = a, *y = b;
    return x->from < y->from ? -1 : x->from > y->from;
}

void rh_oid_map_add_functions(struct oid_map *map, struct arena *arena,
                              const struct workload_function *functions, size_t function_count,
                              const struct target_function *target, size_t target_count)
{
    if (function_count == 0 || target_count == 0)
        return;
    struct target_function *sorted = rh_arena_memdup(arena, target, target_count * sizeof(*target));
    map->functions = rh_arena_alloc_array(arena, function_count, sizeof(*map->functions));
    qsort(sorted, target_count, sizeof(*sorted), compare_signatures);
    for (size_t i = 0; i < function_count; i++) {
        const struct target_function wanted = {.schema = functions[i].schema,
                                               .signature = functions[i].signature};
        const struct target_function *found = bsearch(&wanted, sorted, target_count, sizeof(wanted),
                                                      compare_signatures);
        if (found && found->oid != functions[i].oid)
            map->functions[map->function_count++] = (struct moved_function){functions[i].oid,
                                                                            found->oid};
    }
    if (map->function_count > 0)
        qsort(map->functions, map->function_count, sizeof(*map->functions), compare_functions);
    map->facts.functions_moved = map->function_count;
}

struct oid_map_facts rh_oid_map_facts(const struct oid_map *map)
{
    return map->facts;
}

bool rh_oid_map_is_needed(const struct oid_map *map)
{
    return map->facts.moved + map->facts.functions_moved > 0;
}

static const struct entry *find(const struct oid_map *map, uint32_t oid)
{
    const struct entry wanted = {.from = oid};
    if (oid < OID_FIRST_OWN || map->count == 0)
        return NULL;
    return bsearch(&wanted, map->entries, map->count, sizeof(wanted), compare_entries);
}

/* --- sessions --------------------------------------------------------------------------------- */

struct oid_session *rh_oid_session_new(void)
{
    struct oid_session *session = calloc(1, sizeof(*session));
    if (!session)
        RH_PANIC("out of memory for a session");
    return session;
}

void rh_oid_session_free(struct oid_session *session)
{
    if (!session)
        return;
    for (size_t i = 0; i < session->count; i++) {
        free(session->statements[i].name);
        free(session->statements[i].types);
    }
    free(session->statements);
    free(session);
}

static struct statement *find_statement(struct oid_session *session, const char *name)
{
    for (size_t i = 0; i < session->count; i++)
        if (strcmp(session->statements[i].name, name) == 0)
            return &session->statements[i];
    return NULL;
}

static void remember(struct oid_session *session, const char *name, const uint32_t *types,
                     size_t count)
{
    struct statement *statement = find_statement(session, name);
    if (!statement) {
        if (session->count == STATEMENTS_MAX)
            return;
        if (session->count == session->capacity) {
            session->capacity = session->capacity ? 2 * session->capacity : 4;
            session->statements = realloc(session->statements,
                                          session->capacity * sizeof(*session->statements));
        }
        statement = session->statements ? &session->statements[session->count++] : NULL;
        if (!statement)
            RH_PANIC("out of memory for a prepared statement");
        *statement = (struct statement){.name = strdup(name)};
    }
    free(statement->types);
    statement->types = count ? malloc(count * sizeof(*types)) : NULL;
    if (!statement->name || (count && !statement->types))
        RH_PANIC("out of memory for a prepared statement");
    if (count)
        memcpy(statement->types, types, count * sizeof(*types));
    statement->count = count;
}

/* --- values ----------------------------------------------------------------------------------- */

struct walk {
    const struct oid_map *map;
    bool changes; /* false: only asks whether it is well-formed */
    size_t own;   /* types of the recording that it names */
    size_t changed;
};

/* A type's number at `at`; returns the one of the recording. */
static uint32_t walk_type(struct walk *walk, char *at)
{
    uint32_t oid = rh_load_be32(at);
    const struct entry *entry = find(walk->map, oid);
    walk->own += entry != NULL;
    if (entry && walk->changes && entry->to != oid) {
        rh_store_be32(at, entry->to);
        walk->changed++;
    }
    return oid;
}

static bool walk_value(struct walk *walk, uint32_t type, char *data, size_t length, unsigned depth);

/* An item: length word and so many bytes; -1 is NULL. Returns what it takes, 0: malformed. */
static size_t walk_item(struct walk *walk, uint32_t type, char *data, size_t left, unsigned depth)
{
    if (left < 4)
        return 0;
    uint32_t length = rh_load_be32(data);
    if (length == UINT32_MAX)
        return 4;
    if (length > left - 4)
        return 0;
    /* What lies inside need not be of a kind that is looked into. */
    (void)walk_value(walk, type, data + 4, length, depth + 1);
    return 4 + (size_t)length;
}

/* dimensions, flags, type of elements; (length, lower bound) each; items */
static bool walk_array(struct walk *walk, char *data, size_t length, unsigned depth)
{
    uint64_t items = 1;
    if (length < 12)
        return false;
    uint32_t dimensions = rh_load_be32(data), flags = rh_load_be32(data + 4);
    if (dimensions > ARRAY_DIMENSIONS_MAX || flags > 1 || length < 12 + 8 * (size_t)dimensions)
        return false;
    size_t at = 12 + 8 * (size_t)dimensions;
    for (uint32_t i = 0; i < dimensions; i++) {
        items *= rh_load_be32(data + 12 + 8 * (size_t)i);
        if (items > length) /* an item takes four bytes at the least */
            return false;
    }
    if (dimensions == 0)
        items = 0;
    uint32_t element = walk_type(walk, data + 8);
    for (uint64_t i = 0; i < items; i++) {
        size_t used = walk_item(walk, element, data + at, length - at, depth);
        if (used == 0)
            return false;
        at += used;
    }
    return at == length;
}

/* number of fields; (type, item) each */
static bool walk_composite(struct walk *walk, char *data, size_t length, unsigned depth)
{
    size_t at = 4;
    if (length < 4)
        return false;
    uint32_t fields = rh_load_be32(data);
    if (fields > COMPOSITE_FIELDS_MAX || (uint64_t)fields * 8 > length - 4)
        return false;
    for (uint32_t i = 0; i < fields; i++) {
        if (length - at < 8 || rh_load_be32(data + at) == 0)
            return false;
        uint32_t type = walk_type(walk, data + at);
        size_t used = walk_item(walk, type, data + at + 4, length - at - 4, depth);
        if (used == 0)
            return false;
        at += 4 + used;
    }
    return at == length;
}

/* flags; the bounds that are there (RANGE_EMPTY 1, RANGE_LB_INF 8, RANGE_UB_INF 16) */
static bool walk_range(struct walk *walk, char *data, size_t length, unsigned depth)
{
    size_t at = 1;
    if (length < 1)
        return false;
    unsigned flags = (unsigned char)data[0];
    unsigned bounds = flags & 1 ? 0 : !(flags & 8) + !(flags & 16);
    for (unsigned i = 0; i < bounds; i++) {
        size_t used = walk_item(walk, 0, data + at, length - at, depth);
        if (used == 0)
            return false;
        at += used;
    }
    return at == length;
}

/* number of ranges; an item each */
static bool walk_multirange(struct walk *walk, char *data, size_t length, unsigned depth)
{
    size_t at = 4;
    if (length < 4)
        return false;
    for (uint32_t i = 0, count = rh_load_be32(data); i < count; i++) {
        if (length - at < 4)
            return false;
        size_t item = rh_load_be32(data + at);
        if (item > length - at - 4 || !walk_range(walk, data + at + 4, item, depth + 1))
            return false;
        at += 4 + item;
    }
    return at == length;
}

/* Of a type that says nothing: what it looks like, when it names a type of the recording. */
static bool walk_unknown(struct walk *walk, char *data, size_t length, unsigned depth)
{
    struct walk look = {.map = walk->map};
    if (walk_array(&look, data, length, depth) && look.own > 0)
        return walk_array(walk, data, length, depth);
    look.own = 0;
    if (walk_composite(&look, data, length, depth) && look.own > 0)
        return walk_composite(walk, data, length, depth);
    return false;
}

static bool walk_value(struct walk *walk, uint32_t type, char *data, size_t length, unsigned depth)
{
    const struct entry *entry = find(walk->map, type);
    if (depth > DEPTH_MAX)
        return false;
    if (!entry)
        return walk_unknown(walk, data, length, depth);
    switch (entry->kind) {
    case 'c':
        return walk_composite(walk, data, length, depth);
    case 'r':
        return walk_range(walk, data, length, depth);
    case 'm':
        return walk_multirange(walk, data, length, depth);
    case 'b':
        return entry->element ? walk_array(walk, data, length, depth) : true;
    default: /* a domain's values look like those of the type below it */
        return walk_unknown(walk, data, length, depth);
    }
}

/* --- messages --------------------------------------------------------------------------------- */

static size_t map_parse(const struct oid_map *map, struct oid_session *session, char *body,
                        size_t length)
{
    struct pg_reader reader = {.rest = {body, length}};
    const char *name = rh_pg_read_string(&reader);
    (void)rh_pg_read_string(&reader);
    uint16_t count = rh_pg_read_u16(&reader);
    struct walk walk = {.map = map, .changes = true};
    if (reader.failed || reader.rest.len != 4 * (size_t)count)
        return 0;
    uint32_t *types = count ? malloc(count * sizeof(*types)) : NULL;
    if (count && !types)
        RH_PANIC("out of memory for the types of a statement");
    for (size_t i = 0; i < count; i++)
        types[i] = walk_type(&walk, body + (reader.rest.data - body) + 4 * i);
    remember(session, name, types, count);
    free(types);
    return walk.changed;
}

/* Formats and values of parameters: common to Bind and FunctionCall. */
static size_t map_parameters(const struct oid_map *map, const struct statement *statement,
                             struct pg_reader *reader, char *body)
{
    struct walk walk = {.map = map, .changes = true};
    uint16_t format_count = rh_pg_read_u16(reader);
    struct text formats = rh_pg_read_bytes(reader, 2 * (size_t)format_count);
    uint16_t count = rh_pg_read_u16(reader);
    for (size_t i = 0; i < count && !reader->failed; i++) {
        size_t format = format_count == 1 ? 0 : i;
        bool is_binary = format < format_count && formats.data[2 * format + 1] == 1;
        uint32_t length = rh_pg_read_u32(reader);
        if (length == UINT32_MAX)
            continue;
        struct text value = rh_pg_read_bytes(reader, length);
        uint32_t type = statement && i < statement->count ? statement->types[i] : 0;
        if (is_binary && !reader->failed)
            (void)walk_value(&walk, type, body + (value.data - body), length, 0);
    }
    return walk.changed;
}

size_t rh_oid_map_message(const struct oid_map *map, struct oid_session *session,
                          unsigned char type, char *body, size_t length)
{
    struct pg_reader reader = {.rest = {body, length}};
    if (type == 'P')
        return map_parse(map, session, body, length);
    if (type == 'B') {
        (void)rh_pg_read_string(&reader);
        const char *name = rh_pg_read_string(&reader);
        return map_parameters(map, find_statement(session, name), &reader, body);
    }
    if (type == 'F') {
        const struct moved_function wanted = {.from = rh_pg_read_u32(&reader)};
        const struct moved_function *found = map->function_count == 0
                                                 ? NULL
                                                 : bsearch(&wanted, map->functions,
                                                           map->function_count, sizeof(wanted),
                                                           compare_functions);
        if (found && !reader.failed)
            rh_store_be32(body, found->to);
        return map_parameters(map, NULL, &reader, body) + (found && !reader.failed);
    }
    return 0;
}
