#include "judge/rollback_plan.h"

#include "judge/judge_int.h"
#include "judge/rollback_int.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* --- gathering -----------------------------------------------------------------------------------
 */

void rh_plan_add(struct plan_work *work, enum plan_phase phase, enum plan_item_kind kind,
                 const char *sql, const char *text)
{
    *RH_PUSH(work->arena, &work->planned) = (struct planned){
        phase, work->planned.count, {kind, sql, text, work->statement}};
}

void rh_plan_command(struct plan_work *work, enum plan_phase phase, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    const char *sql = rh_arena_vprintf(work->arena, fmt, args);
    va_end(args);
    rh_plan_add(work, phase, PLAN_COMMAND, sql, work->text);
}

void rh_plan_defined(struct plan_work *work, enum plan_phase phase, const char *definition)
{
    size_t len = strlen(definition);
    while (len > 0 && strchr("; \n", definition[len - 1]))
        len--;
    rh_plan_command(work, phase, "%.*s", (int)len, definition);
}

void rh_plan_by_hand(struct plan_work *work, enum plan_phase phase)
{
    rh_plan_add(work, phase, PLAN_BY_HAND, NULL, work->text);
}

const char *rh_plan_attribute(const struct state_object *object, const char *name)
{
    for (size_t i = 0; i < object->attributes.count; i++)
        if (strcmp(object->attributes.items[i].name, name) == 0)
            return object->attributes.items[i].value;
    return NULL;
}

const struct state_object *rh_plan_find(const struct plan_work *work, const char *kind,
                                        const char *identity)
{
    for (size_t i = 0; i < work->before->objects.count; i++) {
        const struct state_object *object = &work->before->objects.items[i];
        if (strcmp(object->kind, kind) == 0 && strcmp(object->identity, identity) == 0)
            return object;
    }
    return NULL;
}

const char *rh_plan_own_name(struct arena *arena, const char *identity)
{
    const char *on = strstr(identity, " on ");
    if (on)
        return rh_arena_strndup(arena, identity, (size_t)(on - identity));
    bool is_quoted = false;
    const char *last = identity;
    for (const char *c = identity; *c && (is_quoted || *c != '('); c++) {
        if (*c == '"')
            is_quoted = !is_quoted;
        else if (*c == '.' && !is_quoted)
            last = c + 1;
    }
    return last;
}

/* --- data ----------------------------------------------------------------------------------------
 */

static void add_backup(struct plan_work *work, const char *what)
{
    rh_plan_add(work, PHASE_RESTORE, PLAN_BACKUP, NULL, what);
}

/* Another column took the values over. */
static void plan_moved_column(struct plan_work *work, const struct data_difference *difference)
{
    for (size_t i = 0; i < work->result->schema_differences.list.count; i++) {
        const struct schema_difference *schema = &work->result->schema_differences.list.items[i];
        if (schema->change == DIFFERENCE_RENAMED && strcmp(schema->kind, "table column") == 0 &&
            strcmp(rh_plan_own_name(work->arena, schema->identity), difference->column) == 0)
            return; /* it is the same column */
    }
    rh_plan_add(work, PHASE_ALTER, PLAN_BY_HAND, NULL,
                rh_arena_printf(work->arena,
                                "%s.%s holds the values that %s had: add that column first, and "
                                "copy them back",
                                difference->table, difference->column, difference->before));
}

static void plan_column(struct plan_work *work, const struct data_difference *difference)
{
    struct arena *arena = work->arena;
    const char *name = rh_arena_printf(arena, "%s.%s", difference->table, difference->column);
    int64_t filled = difference->non_null_after - difference->non_null_before;
    if (difference->change == DIFFERENCE_REMOVED && difference->non_null_before > 0)
        add_backup(work, rh_arena_printf(arena, "%s of %s",
                                         rh_say_count(arena, difference->non_null_before, "value"),
                                         name));
    else if (difference->change == DIFFERENCE_RENAMED)
        plan_moved_column(work, difference);
    else if (difference->change != DIFFERENCE_CHANGED)
        return;
    else if (difference->vanished_values > 0)
        add_backup(work, rh_arena_printf(arena, "%s of %s",
                                         rh_say_count(arena, difference->vanished_values, "value"),
                                         name));
    else if (difference->values != VALUES_SAME && filled > 0)
        add_backup(work, rh_arena_printf(arena, "which %s of %s were NULL",
                                         rh_say_count(arena, filled, "value"), name));
    else if (difference->values == VALUES_CHANGED)
        add_backup(work, rh_arena_printf(arena, "the former values of %s", name));
}

static void plan_data(struct plan_work *work, const struct data_difference *difference)
{
    struct arena *arena = work->arena;
    int64_t more = difference->rows_after - difference->rows_before;
    work->statement = &difference->statement;
    switch (difference->subject) {
    case DATA_TABLE:
        if (difference->change == DIFFERENCE_REMOVED && difference->rows_before > 0 &&
            !rh_plan_find(work, "materialized view", difference->table))
            add_backup(work, rh_arena_printf(arena, "%s of %s",
                                             rh_say_count(arena, difference->rows_before, "row"),
                                             difference->table));
        return;
    case DATA_ROWS:
        if (more < 0)
            add_backup(work, rh_arena_printf(arena, "%s of %s", rh_say_count(arena, -more, "row"),
                                             difference->table));
        else if (more > 0)
            rh_plan_add(work, PHASE_DROP_PARTS, PLAN_BY_HAND, NULL,
                        rh_arena_printf(arena, "delete the %s that the migration added to %s",
                                        rh_say_count(arena, more, "row"), difference->table));
        else if (difference->values == VALUES_CHANGED)
            add_backup(work, rh_arena_printf(arena, "the former values of %s", difference->table));
        return;
    case DATA_COLUMN:
        plan_column(work, difference);
        return;
    case DATA_SEQUENCE: /* it went on, as it does */
        return;
    case DATA_LARGE_OBJECTS:
        if (difference->rows_after < difference->rows_before)
            add_backup(work, rh_say_count(arena, difference->rows_before - difference->rows_after,
                                          "large object"));
        return;
    }
}

/* --- schema --------------------------------------------------------------------------------------
 */

static void plan_schema(struct plan_work *work, const struct schema_difference *difference)
{
    const struct state_object *object;
    work->statement = &difference->statement;
    work->text = difference->sentence;
    switch (difference->change) {
    case DIFFERENCE_ADDED:
        rh_plan_drop(work, difference);
        return;
    case DIFFERENCE_REMOVED:
        object = rh_plan_find(work, difference->kind, difference->identity);
        if (object)
            rh_plan_create(work, object);
        return;
    case DIFFERENCE_RENAMED:
        rh_plan_alter(work, difference);
        rh_plan_rename(work, difference);
        return;
    case DIFFERENCE_CHANGED:
    case DIFFERENCE_RECREATED:
        rh_plan_alter(work, difference);
        return;
    case DIFFERENCE_NOT_COMPARED:
        return;
    }
}

static int compare_planned(const void *a, const void *b)
{
    const struct planned *left = a, *right = b;
    if (left->phase != right->phase)
        return left->phase < right->phase ? -1 : 1;
    return left->order < right->order ? -1 : left->order > right->order;
}

void rh_rollback_plan_make(const struct result *result, const struct schema_state *schema,
                           const struct data_state *data, struct arena *arena,
                           struct rollback_plan *ret_plan)
{
    const struct schema_differences *differences = &result->schema_differences;
    struct plan_work work = {.before = schema, .data = data, .result = result, .arena = arena};
    *ret_plan = (struct rollback_plan){0};
    if (!differences->was_compared || !result->data_differences.was_compared) {
        ret_plan->reason = differences->reason ? differences->reason
                                               : result->data_differences.reason;
        return;
    }
    for (size_t i = 0; i < differences->list.count; i++)
        plan_schema(&work, &differences->list.items[i]);
    work.text = NULL;
    for (size_t i = 0; i < result->data_differences.list.count; i++)
        plan_data(&work, &result->data_differences.list.items[i]);
    if (work.planned.count > 0)
        qsort(work.planned.items, work.planned.count, sizeof(*work.planned.items), compare_planned);
    ret_plan->is_made = ret_plan->is_complete = ret_plan->is_lossless = true;
    for (size_t i = 0; i < work.planned.count; i++) {
        const struct plan_item *item = &work.planned.items[i].item;
        ret_plan->is_complete &= item->kind != PLAN_BY_HAND;
        ret_plan->is_lossless &= item->kind != PLAN_BACKUP;
        *RH_PUSH(arena, &ret_plan->items) = *item;
    }
}
