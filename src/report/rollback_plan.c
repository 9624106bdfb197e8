/* rollback.md: how to undo the migration, for whoever has to at night. */
#include "report/report_int.h"

#include <string.h>

/* Columns of a statement's text in the table. */
#define STATEMENT_COLUMNS 60
/* Rows of that table: the commands above it are complete. */
#define STATEMENTS_MAX 200

/* Longer than any run of backquotes that SQL may hold by chance. */
#define FENCE "``````"

static const char *one_line(struct arena *arena, const char *text)
{
    return rh_text_one_line(arena, rh_text(text), 500);
}

static void add_heading(struct buf *out, const struct result *result)
{
    const struct trace *trace = result->trace;
    rh_buf_add_str(out, "# Rollback plan\n\nHow to undo");
    for (size_t i = 0; i < trace->steps.count; i++)
        rh_buf_printf(out, "%s `%s`", i ? "," : "", trace->steps.items[i].name);
    char at[32];
    rh_clock_rfc3339(result->started_at, at);
    rh_buf_printf(out, ", as rehearsed at %s%s%s.\n\n", at, result->fidelity.source ? " on " : "",
                  result->fidelity.source ? result->fidelity.source : "");
}

static void add_verdict(struct buf *out, const struct result *result, struct arena *arena)
{
    const struct round_trip *trip = &result->round_trip;
    const char *text = rh_report_way_back_text(arena, trip);
    rh_buf_printf(out, "**The way back:** %s.\n", one_line(arena, text ? text : "not rehearsed"));
    if (trip->way_back && trip->ends_at)
        rh_buf_printf(out, "It ends behind `%s`: %s.\n", trip->ends_at, trip->ends_why);
    for (size_t i = 0; i < trip->differences.count; i++)
        rh_buf_printf(out, "%s- %s%s\n", i ? "" : "\nWhat remains after it:\n\n",
                      one_line(arena, trip->differences.items[i].sentence),
                      trip->differences.items[i].after_writes ? " (when rows were written since)"
                                                              : "");
    for (size_t i = 0; i < trip->notes.count; i++)
        rh_buf_printf(out, "\nNot compared: %s.\n", one_line(arena, trip->notes.items[i]));
}

static const char *say_trial(struct arena *arena, const struct rollback_plan *plan)
{
    if (plan->was_tried)
        return rh_arena_printf(arena, "They were tried on a clone of this data: %s.",
                               one_line(arena, plan->outcome));
    if (!plan->is_lossless)
        return "They were not tried: what is marked below only a backup brings back.";
    if (!plan->is_complete)
        return "They were not tried: something is left to be done by hand.";
    return "They were not tried.";
}

static int statement_of(const struct plan_item *item)
{
    return item->statement ? *item->statement : 0;
}

/* Several commands undo one thing: it is said once. */
static bool is_same(const struct plan_item *a, const struct plan_item *b)
{
    return a->kind == PLAN_COMMAND && b->kind == PLAN_COMMAND && a->text == b->text;
}

static void add_item(struct buf *out, struct arena *arena, const struct plan_item *item,
                     const struct plan_item *previous)
{
    int statement = statement_of(item);
    const char *undoes = statement > 0 ? rh_arena_printf(arena, "undoes statement %d: ", statement)
                                       : "";
    switch (item->kind) {
    case PLAN_COMMAND:
        if (!previous || !is_same(previous, item))
            rh_buf_printf(out, "-- %s%s\n", undoes, one_line(arena, item->text ? item->text : ""));
        rh_buf_printf(out, "%s;\n", item->sql);
        return;
    case PLAN_BACKUP:
        rh_buf_printf(out, "-- restore from backup: nothing else brings back %s\n",
                      one_line(arena, item->text));
        return;
    case PLAN_BY_HAND:
        rh_buf_printf(out, "-- by hand: %s%s\n", undoes, one_line(arena, item->text));
        return;
    }
}

static void add_commands(struct buf *out, const struct round_trip *trip, struct arena *arena)
{
    const struct rollback_plan *plan = &trip->plan;
    rh_buf_add_str(out, "\n## Commands\n\n");
    if (!plan->is_made) {
        rh_buf_printf(out, "No plan could be written: %s.\n",
                      plan->reason ? plan->reason : "the states were not compared");
        return;
    }
    if (plan->items.count == 0) {
        rh_buf_add_str(out, "Schema and data are as before: there is nothing to undo.\n");
        return;
    }
    rh_buf_printf(out,
                  "From the states before and after%s. In this order, each outside a transaction "
                  "block (`CONCURRENTLY` needs that), with `SET lock_timeout = '2s'` in front and "
                  "again when one gives up.\n%s\n\n",
                  trip->way_back ? ", in case the way back is not to be used" : "",
                  say_trial(arena, plan));
    rh_buf_add_str(out, FENCE "sql\n");
    for (size_t i = 0; i < plan->items.count; i++)
        add_item(out, arena, &plan->items.items[i], i ? &plan->items.items[i - 1] : NULL);
    rh_buf_add_str(out, FENCE "\n");
}

static const char *say_reversible(struct arena *arena, const struct rollback_plan *plan, int index)
{
    size_t commands = 0, by_hand = 0;
    const char *backups = "";
    for (size_t i = 0; i < plan->items.count; i++) {
        const struct plan_item *item = &plan->items.items[i];
        if (statement_of(item) != index)
            continue;
        commands += item->kind == PLAN_COMMAND;
        by_hand += item->kind == PLAN_BY_HAND;
        if (item->kind == PLAN_BACKUP)
            backups = rh_arena_printf(arena, "%s%s%s", backups, backups[0] ? ", " : "", item->text);
    }
    if (backups[0])
        return rh_arena_printf(arena, "no: %s only from a backup", backups);
    if (by_hand)
        return "by hand";
    return commands
               ? rh_arena_printf(arena, "yes, by %zu command%s", commands, commands == 1 ? "" : "s")
               : "nothing of its own to undo";
}

static bool is_control(const struct statement *statement)
{
    static const char *const tags[] = {"SET",       "RESET",    "BEGIN",   "START TRANSACTION",
                                       "COMMIT",    "ROLLBACK", "SHOW",    "SELECT",
                                       "SAVEPOINT", "RELEASE",  "DISCARD", "LOCK TABLE"};
    for (size_t i = 0; statement->tag && i < sizeof(tags) / sizeof(tags[0]); i++)
        if (strcmp(statement->tag, tags[i]) == 0)
            return true;
    return false;
}

/* A bar would end the cell. */
static const char *cell(struct arena *arena, const char *text)
{
    char *copy = rh_arena_strdup(arena, one_line(arena, text));
    for (char *c = copy; *c; c++)
        if (*c == '|' || *c == '`')
            *c = ' ';
    return copy;
}

static void add_statements(struct buf *out, const struct result *result, struct arena *arena)
{
    const struct trace *trace = result->trace;
    const struct rollback_plan *plan = &result->round_trip.plan;
    size_t shown = 0, left = 0;
    if (!plan->is_made || trace->statements.count == 0)
        return;
    rh_buf_add_str(out, "\n## Statement by statement\n\n| # | statement | can it be undone |\n"
                        "|---|---|---|\n");
    for (size_t i = 0; i < trace->statements.count; i++) {
        const struct statement *statement = &trace->statements.items[i];
        if (is_control(statement))
            continue;
        if (++shown > STATEMENTS_MAX) {
            left++;
            continue;
        }
        const char *text = rh_text_one_line(arena, rh_text(rh_report_first_words(statement->sql)),
                                            STATEMENT_COLUMNS);
        rh_buf_printf(out, "| %d | `%s` | %s |\n", statement->index, cell(arena, text),
                      statement->ok ? cell(arena, say_reversible(arena, plan, statement->index))
                                    : "it failed");
    }
    if (left > 0)
        rh_buf_printf(out, "\nAnd %zu more statements in result.json.\n", left);
}

void rh_report_rollback(const struct result *result, struct buf *out)
{
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    add_heading(out, result);
    add_verdict(out, result, arena);
    add_commands(out, &result->round_trip, arena);
    add_statements(out, result, arena);
}
