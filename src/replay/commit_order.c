#include "replay/commit_order.h"

#include <stdlib.h>
#include <string.h>

/* done[i] says whether number base + i is; base is the first that is not. */
struct line {
    uint64_t last; /* number given out last */
    uint64_t base;
    uint8_t *done;
    size_t count, capacity;
};

enum { LINE_TOUCHED, LINE_WRITTEN, LINE_SENT, LINE_ANSWERED, LINES };
/* A line's number: its table's, and which. */
#define LINE(table, which) ((table)*LINES + (which))

struct table {
    const char *name;
    struct line lines[LINES];
};

struct touch {
    uint32_t table;
    bool writes;
};

/* Prepared transactions that wait to be ended, more than a server has room for: of those beyond it
   is as if they ended with PREPARE TRANSACTION. */
#define PREPARED_MAX 4096

struct prepared {
    char *name;
    struct order_touched touched;
    uint64_t number; /* of the line of the prepared */
};

struct commit_order {
    struct arena *arena;
    struct table
        *tables; /* one more than there are: what was prepared stands in its LINE_WRITTEN */
    size_t table_count;
    struct prepared *prepared;
    size_t prepared_count;
    VEC(struct touch) * touches; /* by pattern number */
    bool *may_prepare;           /* by pattern number */
    size_t pattern_count;
};

static void *grow_array(void *items, size_t count, size_t size)
{
    void *grown = realloc(items, count * size);
    if (!grown)
        RH_PANIC("out of memory for the order of commits");
    return grown;
}

void rh_order_touched_deinit(struct order_touched *touched)
{
    free(touched->tables);
    *touched = (struct order_touched){0};
}

/* --- tables ----------------------------------------------------------------------------------- */

static const char *base_name(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot ? dot + 1 : name;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static const struct table *find_table(const struct commit_order *order, const char *name)
{
    size_t low = 0, high = order->table_count;
    name = base_name(name);
    while (low < high) {
        size_t middle = (low + high) / 2;
        int sign = strcmp(name, order->tables[middle].name);
        if (sign == 0)
            return &order->tables[middle];
        if (sign < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

static void find_written(struct commit_order *order, const struct workload_pattern *const *patterns,
                         size_t count)
{
    VEC(const char *) names = {0};
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < patterns[i]->writes.count; k++)
            *RH_PUSH(order->arena, &names) = base_name(patterns[i]->writes.items[k]);
    if (names.count > 0)
        qsort(names.items, names.count, sizeof(*names.items), compare_names);
    order->tables = rh_arena_alloc_array(order->arena, names.count + 1, sizeof(*order->tables));
    for (size_t i = 0; i < names.count; i++) {
        if (i > 0 && strcmp(names.items[i], names.items[i - 1]) == 0)
            continue;
        struct table *table = &order->tables[order->table_count++];
        table->name = rh_arena_strdup(order->arena, names.items[i]);
    }
    for (size_t i = 0; i <= order->table_count; i++)
        for (unsigned k = 0; k < LINES; k++)
            order->tables[i].lines[k].base = 1;
}

static void add_touches(struct commit_order *order, size_t pattern, const char *const *names,
                        size_t count, bool writes)
{
    for (size_t i = 0; i < count; i++) {
        const struct table *table = find_table(order, names[i]);
        if (table)
            *RH_PUSH(order->arena, &order->touches[pattern]) = (struct touch){
                (uint32_t)(table - order->tables), writes};
    }
}

struct commit_order *rh_commit_order_new(const struct workload_pattern *const *patterns,
                                         size_t count)
{
    struct arena *arena = rh_arena_new();
    struct commit_order *order = RH_NEW(arena, struct commit_order);
    order->arena = arena;
    order->pattern_count = count;
    order->touches = rh_arena_alloc_array(arena, count + 1, sizeof(*order->touches));
    order->may_prepare = rh_arena_alloc_array(arena, count + 1, sizeof(*order->may_prepare));
    find_written(order, patterns, count);
    for (size_t i = 0; i < count; i++) {
        add_touches(order, i + 1, patterns[i]->writes.items, patterns[i]->writes.count, true);
        add_touches(order, i + 1, patterns[i]->reads.items, patterns[i]->reads.count, false);
        order->may_prepare[i + 1] = patterns[i]->query && strcasestr(patterns[i]->query, "PREPARE");
    }
    return order;
}

static void forget(struct commit_order *order, struct prepared *prepared)
{
    free(prepared->name);
    rh_order_touched_deinit(&prepared->touched);
    *prepared = order->prepared[--order->prepared_count];
}

void rh_commit_order_free(struct commit_order *order)
{
    if (!order)
        return;
    for (size_t i = 0; i <= order->table_count; i++)
        for (unsigned k = 0; k < LINES; k++)
            free(order->tables[i].lines[k].done);
    while (order->prepared_count > 0)
        forget(order, &order->prepared[0]);
    free(order->prepared);
    rh_arena_free(order->arena);
}

/* --- the recording ---------------------------------------------------------------------------- */

bool rh_commit_order_matters(const struct commit_order *order, uint32_t pattern)
{
    return pattern <= order->pattern_count && order->touches[pattern].count > 0;
}

static void touch(struct order_touched *touched, uint32_t table, bool writes)
{
    for (size_t i = 0; i < touched->count; i++) {
        if (touched->tables[i] >> 1 == table) {
            touched->tables[i] |= writes;
            return;
        }
    }
    if (touched->count == touched->capacity) {
        touched->capacity = touched->capacity ? 2 * touched->capacity : 8;
        touched->tables = grow_array(touched->tables, touched->capacity, sizeof(uint32_t));
    }
    touched->tables[touched->count++] = table << 1 | writes;
}

static uint64_t append(struct line *line)
{
    if (line->count == line->capacity) {
        line->capacity = line->capacity ? 2 * line->capacity : 16;
        line->done = grow_array(line->done, line->capacity, 1);
    }
    line->done[line->count++] = 0;
    return ++line->last;
}

static void add_need(struct order_request *request, uint32_t number, const struct line *line)
{
    if (line->base <= line->last && request->need_count < ORDER_NEEDS_MAX)
        request->needs[request->need_count++] = (struct order_need){number, line->last};
}

/* Of several statements of one request that write a table the first one has the turn. */
static bool has_turn(const struct order_request *request, uint32_t number)
{
    for (size_t i = 0; i < request->turn_count; i++)
        if (request->turns[i].line == number)
            return true;
    return request->turn_count == ORDER_NEEDS_MAX;
}

void rh_commit_order_request(struct commit_order *order, uint32_t pattern,
                             struct order_touched *touched, struct order_request *request)
{
    if (!rh_commit_order_matters(order, pattern))
        return;
    for (size_t i = 0; i < order->touches[pattern].count; i++) {
        const struct touch *it = &order->touches[pattern].items[i];
        struct line *lines = order->tables[it->table].lines;
        uint32_t sent = LINE(it->table, LINE_SENT);
        /* Who writes waits for all who touched it, who reads for those who wrote. */
        unsigned kind = it->writes ? LINE_TOUCHED : LINE_WRITTEN;
        touch(touched, it->table, it->writes);
        add_need(request, LINE(it->table, kind), &lines[kind]);
        if (!it->writes || has_turn(request, sent))
            continue;
        add_need(request, sent, &lines[LINE_SENT]);
        add_need(request, LINE(it->table, LINE_ANSWERED), &lines[LINE_ANSWERED]);
        request->turns[request->turn_count++] = (struct order_mark){sent,
                                                                    append(&lines[LINE_SENT])};
    }
}

void rh_commit_order_answered(struct commit_order *order, const struct order_mark *turns,
                              size_t count, struct order_mark *marks)
{
    for (size_t i = 0; i < count; i++) {
        uint32_t table = turns[i].line / LINES;
        marks[i] = (struct order_mark){LINE(table, LINE_ANSWERED),
                                       append(&order->tables[table].lines[LINE_ANSWERED])};
    }
}

struct order_mark *rh_commit_order_end(struct commit_order *order, struct order_touched *touched,
                                       size_t *ret_count)
{
    size_t count = 0;
    if (touched->count == 0) {
        *ret_count = 0;
        return NULL;
    }
    struct order_mark *marks = grow_array(NULL, 2 * touched->count, sizeof(*marks));
    for (size_t i = 0; i < touched->count; i++) {
        uint32_t table = touched->tables[i] >> 1;
        struct line *lines = order->tables[table].lines;
        marks[count++] = (struct order_mark){LINE(table, LINE_TOUCHED),
                                             append(&lines[LINE_TOUCHED])};
        if (touched->tables[i] & 1)
            marks[count++] = (struct order_mark){LINE(table, LINE_WRITTEN),
                                                 append(&lines[LINE_WRITTEN])};
    }
    touched->count = 0;
    *ret_count = count;
    return marks;
}

/* --- prepared transactions -------------------------------------------------------------------- */

bool rh_commit_order_may_prepare(const struct commit_order *order, uint32_t pattern)
{
    return pattern <= order->pattern_count && order->may_prepare[pattern];
}

static struct prepared *find_prepared(const struct commit_order *order, struct text name)
{
    for (size_t i = 0; i < order->prepared_count; i++)
        if (rh_text_is(name, order->prepared[i].name))
            return &order->prepared[i];
    return NULL;
}

bool rh_commit_order_prepare(struct commit_order *order, struct text name,
                             struct order_touched *touched, struct order_mark *ret_mark)
{
    struct prepared *prepared = find_prepared(order, name);
    if (prepared)
        forget(order, prepared);
    if (order->prepared_count == PREPARED_MAX)
        return false;
    order->prepared = grow_array(order->prepared, order->prepared_count + 1, sizeof(*prepared));
    struct line *line = &order->tables[order->table_count].lines[LINE_WRITTEN];
    char *copy = malloc(name.len + 1);
    if (!copy)
        RH_PANIC("out of memory for the order of commits");
    memcpy(copy, name.data, name.len);
    copy[name.len] = '\0';
    uint64_t number = append(line);
    order->prepared[order->prepared_count++] = (struct prepared){copy, *touched, number};
    *touched = (struct order_touched){0};
    *ret_mark = (struct order_mark){(uint32_t)LINE(order->table_count, LINE_WRITTEN), number};
    return true;
}

void rh_commit_order_need_prepared(struct commit_order *order, struct text name,
                                   struct order_request *request)
{
    const struct prepared *prepared = find_prepared(order, name);
    if (prepared && request->need_count < ORDER_NEEDS_MAX)
        request->needs[request->need_count++] = (struct order_need){
            (uint32_t)LINE(order->table_count, LINE_WRITTEN), prepared->number};
}

struct order_mark *rh_commit_order_end_prepared(struct commit_order *order, struct text name,
                                                size_t *ret_count)
{
    struct prepared *prepared = find_prepared(order, name);
    struct order_mark *marks = NULL;
    *ret_count = 0;
    if (!prepared)
        return NULL;
    marks = rh_commit_order_end(order, &prepared->touched, ret_count);
    forget(order, prepared);
    return marks;
}

/* --- the replay ------------------------------------------------------------------------------- */

static struct line *line_of(const struct commit_order *order, uint32_t number)
{
    return &order->tables[number / LINES].lines[number % LINES];
}

bool rh_commit_order_done(struct commit_order *order, const struct order_mark *marks, size_t count)
{
    bool moved = false;
    for (size_t i = 0; i < count; i++) {
        struct line *line = line_of(order, marks[i].line);
        size_t passed = 0;
        line->done[marks[i].number - line->base] = 1;
        while (passed < line->count && line->done[passed])
            passed++;
        if (passed == 0)
            continue;
        memmove(line->done, line->done + passed, line->count - passed);
        line->count -= passed;
        line->base += passed;
        moved = true;
    }
    return moved;
}

bool rh_commit_order_has(const struct commit_order *order, const struct order_need *needs,
                         size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (line_of(order, needs[i].line)->base <= needs[i].upto)
            return false;
    return true;
}
