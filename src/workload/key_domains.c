#include "workload/key_domains.h"

#include <stdlib.h>
#include <string.h>

/* A column or a sequence alone, and the set that it is in. */
struct member {
    uint32_t relation;
    uint16_t attribute;
    size_t row;    /* of the answer, that says its names */
    size_t parent; /* of the forest of sets */
    bool is_made;
};

struct members {
    struct member *items; /* by relation, attribute */
    size_t count;
};

enum column { KIND, RELATION, ATTRIBUTE, SCHEMA, TABLE, COLUMN, TO_RELATION, TO_ATTRIBUTE };
enum { SEQUENCE_SCHEMA = TO_ATTRIBUTE + 1, SEQUENCE, SINCE };

static int compare_members(const void *a, const void *b)
{
    const struct member *x = a, *y = b;

    if (x->relation != y->relation)
        return x->relation < y->relation ? -1 : 1;
    if (x->attribute != y->attribute)
        return x->attribute < y->attribute ? -1 : 1;
    /* Those that are made come first: they know a sequence. */
    return (int)y->is_made - (int)x->is_made;
}

static struct member *find(const struct members *members, uint32_t relation, uint16_t attribute)
{
    size_t low = 0, high = members->count;

    while (low < high) {
        size_t middle = (low + high) / 2;
        const struct member *it = &members->items[middle];

        if (it->relation < relation || (it->relation == relation && it->attribute < attribute))
            low = middle + 1;
        else
            high = middle;
    }
    return low < members->count && members->items[low].relation == relation &&
                   members->items[low].attribute == attribute
               ? &members->items[low]
               : NULL;
}

static size_t root_of(struct members *members, size_t at)
{
    while (members->items[at].parent != at) {
        members->items[at].parent = members->items[members->items[at].parent].parent;
        at = members->items[at].parent;
    }
    return at;
}

static void join(struct members *members, size_t a, size_t b)
{
    a = root_of(members, a);
    b = root_of(members, b);
    members->items[a > b ? a : b].parent = a > b ? b : a;
}

static void gather(const struct rows *rows, struct arena *arena, struct members *members)
{
    size_t count = rh_rows_count(rows), kept = 0;

    members->items = rh_arena_alloc_array(arena, count + 1, sizeof(*members->items));
    for (size_t i = 0; i < count; i++)
        if (strcmp(rh_rows_value(rows, i, KIND), "sequence") != 0)
            members->items[members->count++] = (struct member){
                .relation = (uint32_t)rh_rows_int(rows, i, RELATION, 0),
                .attribute = (uint16_t)rh_rows_int(rows, i, ATTRIBUTE, 0),
                .row = i,
                .is_made = strcmp(rh_rows_value(rows, i, KIND), "made") == 0};
    if (members->count > 0)
        qsort(members->items, members->count, sizeof(*members->items), compare_members);
    for (size_t i = 0; i < members->count; i++)
        if (kept == 0 || members->items[kept - 1].relation != members->items[i].relation ||
            members->items[kept - 1].attribute != members->items[i].attribute)
            members->items[kept++] = members->items[i];
    members->count = kept;
    for (size_t i = 0; i < kept; i++)
        members->items[i].parent = i;
}

static bool is_same_sequence(const struct rows *rows, size_t a, size_t b)
{
    return strcmp(rh_rows_value(rows, a, SEQUENCE), rh_rows_value(rows, b, SEQUENCE)) == 0 &&
           strcmp(rh_rows_value(rows, a, SEQUENCE_SCHEMA),
                  rh_rows_value(rows, b, SEQUENCE_SCHEMA)) == 0;
}

struct named_sequence {
    const char *schema, *name;
    size_t member;
};

static int compare_sequences(const void *a, const void *b)
{
    const struct named_sequence *x = a, *y = b;
    int sign = strcmp(x->name, y->name);

    return sign ? sign : strcmp(x->schema, y->schema);
}

/* Columns that one sequence fills: a table and its partitions, two tables by intent. */
static void join_by_sequence(const struct rows *rows, struct arena *arena, struct members *members)
{
    struct named_sequence *sequences = rh_arena_alloc_array(arena, members->count + 1,
                                                            sizeof(*sequences));
    size_t count = 0;

    for (size_t i = 0; i < members->count; i++) {
        size_t row = members->items[i].row;

        if (members->items[i].is_made && rh_rows_value(rows, row, SEQUENCE)[0])
            sequences[count++] = (struct named_sequence){rh_rows_value(rows, row, SEQUENCE_SCHEMA),
                                                         rh_rows_value(rows, row, SEQUENCE), i};
    }
    if (count > 0)
        qsort(sequences, count, sizeof(*sequences), compare_sequences);
    for (size_t i = 1; i < count; i++)
        if (is_same_sequence(rows, members->items[sequences[i - 1].member].row,
                             members->items[sequences[i].member].row))
            join(members, sequences[i - 1].member, sequences[i].member);
}

static void join_by_reference(const struct rows *rows, struct members *members)
{
    for (size_t i = 0; i < rh_rows_count(rows); i++) {
        if (strcmp(rh_rows_value(rows, i, KIND), "reference") != 0)
            continue;

        const struct member *from = find(members, (uint32_t)rh_rows_int(rows, i, RELATION, 0),
                                         (uint16_t)rh_rows_int(rows, i, ATTRIBUTE, 0));
        const struct member *to = find(members, (uint32_t)rh_rows_int(rows, i, TO_RELATION, 0),
                                       (uint16_t)rh_rows_int(rows, i, TO_ATTRIBUTE, 0));

        /* One that is not filled and refers to nothing is no member: its domain has no values. */
        if (from && to)
            join(members, (size_t)(from - members->items), (size_t)(to - members->items));
    }
}

static struct workload_key key_of(const struct rows *rows, size_t row, struct arena *arena)
{
    return (struct workload_key){
        .schema = rh_arena_strdup(arena, rh_rows_value(rows, row, SCHEMA)),
        .table = rh_arena_strdup(arena, rh_rows_value(rows, row, TABLE)),
        .column = rh_arena_strdup(arena, rh_rows_value(rows, row, COLUMN)),
        .sequence_schema = rh_arena_strdup(arena, rh_rows_value(rows, row, SEQUENCE_SCHEMA)),
        .sequence = rh_arena_strdup(arena, rh_rows_value(rows, row, SEQUENCE)),
        .since = rh_rows_int(rows, row, SINCE, WORKLOAD_SINCE_UNKNOWN),
        .relation = (uint32_t)rh_rows_int(rows, row, RELATION, 0),
        .attribute = (uint16_t)rh_rows_int(rows, row, ATTRIBUTE, 0)};
}

/* Of what fills the domain; of several sequences the one that is furthest: what it is beyond is
   surely new. */
static void spread_since(struct workload_about *about, size_t first, uint32_t domains,
                         struct arena *arena)
{
    int64_t *since = rh_arena_alloc_array(arena, domains + 1, sizeof(*since));

    for (uint32_t i = 0; i <= domains; i++)
        since[i] = INT64_MIN;
    for (size_t i = first; i < about->keys.count; i++)
        if (about->keys.items[i].sequence[0] &&
            about->keys.items[i].since > since[about->keys.items[i].domain])
            since[about->keys.items[i].domain] = about->keys.items[i].since;
    for (size_t i = first; i < about->keys.count; i++) {
        struct workload_key *key = &about->keys.items[i];

        key->since = since[key->domain] == INT64_MIN ? WORKLOAD_SINCE_UNKNOWN : since[key->domain];
    }
}

void rh_key_domains(const struct rows *rows, struct arena *arena, struct workload_about *about)
{
    RH_CLEANUP_ARENA struct arena *scratch = rh_arena_new();
    struct members members = {0};
    uint32_t domains = 0;
    size_t first = about->keys.count;

    gather(rows, scratch, &members);
    join_by_sequence(rows, scratch, &members);
    join_by_reference(rows, &members);

    uint32_t *domain_of = rh_arena_alloc_array(scratch, members.count + 1, sizeof(*domain_of));

    for (size_t i = 0; i < members.count; i++)
        if (members.items[i].is_made && domain_of[root_of(&members, i)] == 0)
            domain_of[root_of(&members, i)] = ++domains;
    for (size_t i = 0; i < members.count && about->keys.count < WORKLOAD_KEYS_MAX; i++) {
        uint32_t domain = domain_of[root_of(&members, i)];

        if (domain == 0)
            continue;
        struct workload_key *key = RH_PUSH(arena, &about->keys);
        *key = key_of(rows, members.items[i].row, arena);
        key->domain = domain;
    }
    for (size_t i = 0; i < rh_rows_count(rows) && about->keys.count < WORKLOAD_KEYS_MAX; i++) {
        if (strcmp(rh_rows_value(rows, i, KIND), "sequence") != 0)
            continue;
        struct workload_key *key = RH_PUSH(arena, &about->keys);
        *key = key_of(rows, i, arena);
        key->domain = ++domains;
    }
    spread_since(about, first, domains, scratch);
}
