#include "engine/postgres/pg_engine_int.h"
#include "engine/postgres/pg_inquiry_int.h"

/* A question or a repair may take this long; what runs into it is said to be not asked. Generous:
   duplicates of 10,000,000 rows take seconds. */
#define QUESTION_TIMEOUT_MS "600000"
/* Nobody else works in a sandbox: whoever holds a lock this long will not let go. */
#define QUESTION_LOCK_TIMEOUT_MS "10000"

/*
 * Measured (15, 10,000,000 rows, two cores, ratio to CREATE UNIQUE INDEX on the same column, text /
 * bigint): hash aggregate 1.6 / 2.7; sorted in one process 1.0 / 1.8; sorted in parallel 0.95 /
 * 1.1. Its plan is only found when moving rows between processes costs nothing, and a larger
 * work_mem does not help any more.
 */
#define SETTINGS_SQL                                                                            \
    "SELECT pg_catalog.current_setting('server_version_num')::int / 10000,"                     \
    " pg_catalog.set_config('statement_timeout', '" QUESTION_TIMEOUT_MS "', true),"             \
    " pg_catalog.set_config('lock_timeout', '" QUESTION_LOCK_TIMEOUT_MS "', true),"             \
    " pg_catalog.set_config('work_mem', '64MB', true),"                                         \
    " pg_catalog.set_config('jit', 'off', true),"                                               \
    " pg_catalog.set_config('enable_hashagg', 'off', true),"                                    \
    " pg_catalog.set_config('max_parallel_workers_per_gather', '2', true),"                     \
    " pg_catalog.set_config('parallel_tuple_cost', '0', true),"                                 \
    " pg_catalog.set_config('parallel_setup_cost', '0', true),"                                 \
    " pg_catalog.set_config('synchronize_seqscans', 'off', true)," /* rather an error than rows \
                                                                      that a policy hides */    \
    " pg_catalog.set_config('row_security', 'off', true)"
void rh_pg_ask_settings(struct inquiry *inquiry, pg_take_fn *take)
{
    rh_pg_inquiry_ask(inquiry, SETTINGS_SQL, take, NULL);
}

/* --- the queue --- */

void rh_pg_inquiry_ask(struct inquiry *inquiry, const char *sql, pg_take_fn *take, void *data)
{
    *RH_PUSH(inquiry->arena, &inquiry->asks) = (struct pg_ask){sql, take, data};
}

void rh_pg_inquiry_refuse(struct inquiry *inquiry, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    *RH_PUSH(inquiry->arena, &inquiry->refusals) = rh_arena_vprintf(inquiry->arena, format, args);
    va_end(args);
}

/* Class 22 ("data exception") quotes the value behind a colon; what a function raises may say
   anything. Other messages name objects alone, values are in their detail. */
const char *rh_pg_inquiry_words(struct inquiry *inquiry, const struct server_message *error)
{
    const char *message = error->message ? error->message : "";
    size_t len = strlen(message);
    if (!inquiry->shows_values && strncmp(error->sqlstate, "22", 2) == 0)
        len = strcspn(message, ":\"");
    if (!inquiry->shows_values && strncmp(error->sqlstate, "P0", 2) == 0)
        len = 0;
    while (len > 0 && message[len - 1] == ' ')
        len--;
    return len ? rh_arena_printf(inquiry->arena, "%.*s (%s)", (int)len, message, error->sqlstate)
               : rh_arena_printf(inquiry->arena, "an error was raised (%s)", error->sqlstate);
}

bool rh_pg_inquiry_failed(struct inquiry *inquiry, const struct inquiry_answer *answer,
                          const char *what)
{
    if (!answer->error)
        return false;
    rh_pg_inquiry_refuse(inquiry, "%s: %s", what, rh_pg_inquiry_words(inquiry, answer->error));
    return true;
}

/* --- text --- */

/* Right whatever standard_conforming_strings says. */
/* The pair whose mark stands at `at`; the end of the list when none does. */
static const char *const *mark_at(const char *at, const char *const *marks)
{
    while (*marks && strncmp(at, *marks, strlen(*marks)) != 0)
        marks += 2;
    return marks;
}

/* One pass: what is filled in may look like a mark itself. */
const char *rh_pg_fill(struct arena *arena, const char *template, const char *const *marks)
{
    size_t size = strlen(template) + 1, len = 0;
    for (const char *at = template; *at; at++) {
        const char *const *mark = mark_at(at, marks);
        size += *mark ? strlen(mark[1]) : 0;
    }
    char *filled = rh_arena_alloc(arena, size);
    while (*template) {
        const char *const *mark = mark_at(template, marks);
        if (!*mark) {
            filled[len++] = *template ++;
            continue;
        }
        memcpy(filled + len, mark[1], strlen(mark[1]));
        len += strlen(mark[1]);
        template += strlen(*mark);
    }
    return filled;
}

/* --- phases --- */

static bool has_offenders(const struct inquiry *inquiry)
{
    for (size_t i = 0; i < inquiry->questions.count; i++)
        if (inquiry->questions.items[i]->found.count > 0)
            return true;
    return false;
}

/* The queue is empty: what comes next? */
static void advance(struct inquiry *inquiry)
{
    switch (inquiry->phase) {
    case PG_PHASE_ASKING:
        inquiry->phase = PG_PHASE_REPAIRING;
        if (!has_offenders(inquiry)) {
            inquiry->phase = PG_PHASE_DONE;
            return;
        }
        rh_pg_trial_begin(inquiry);
        return;
    case PG_PHASE_REPAIRING:
        rh_pg_trial_go_on(inquiry);
        return;
    case PG_PHASE_TRYING:
    case PG_PHASE_DONE:
        inquiry->phase = PG_PHASE_DONE;
        return;
    }
}

/* --- the engine's functions --- */

static void take_settings(struct inquiry *inquiry, void *data, const struct inquiry_answer *answer)
{
    (void)data;
    int64_t major = 0;
    if (rh_pg_inquiry_failed(inquiry, answer, "settings of the session"))
        return;
    if (answer->rows == 1 && answer->values[0] &&
        rh_text_parse_int64(rh_text(answer->values[0]), &major))
        inquiry->major = (int)major;
    rh_pg_inquiry_start(inquiry);
}

bool rh_pg_is_about_rows(const struct server_message *error, const struct validation *statement)
{
    static const char *const states[] = {"23502", "23503", "23505", "23514", "23P01"};
    /* of expressions: what functions raise, and NaN that is to be an integer */
    static const char *const raised[] = {"P0001", "0A000"};
    bool evaluates = statement->kind == VALIDATION_ALTER_TABLE ||
                     statement->kind == VALIDATION_CREATE_INDEX;
    for (size_t i = 0; i < sizeof(states) / sizeof(*states); i++)
        if (strcmp(error->sqlstate, states[i]) == 0)
            return true;
    for (size_t i = 0; evaluates && i < sizeof(raised) / sizeof(*raised); i++)
        if (strcmp(error->sqlstate, raised[i]) == 0)
            return true;
    return (evaluates && strncmp(error->sqlstate, "22", 2) == 0) ||
           (statement->kind == VALIDATION_REFRESH && strcmp(error->sqlstate, "21000") == 0);
}

struct inquiry *rh_pg_inquiry_new(const char *sql, const struct server_message *error,
                                  bool shows_values, struct arena *arena)
{
    const char *text = rh_arena_strdup(arena, sql);
    struct inquiry *inquiry = RH_NEW(arena, struct inquiry);
    inquiry->arena = arena;
    inquiry->error = *error;
    inquiry->shows_values = shows_values;
    rh_sql_validations(rh_text(text), arena, &inquiry->statement);
    inquiry->trial = inquiry->statement.plain;
    if (inquiry->statement.kind == VALIDATION_NONE && !rh_pg_inquiry_read_inside(inquiry, text))
        return NULL;
    if (!rh_pg_is_about_rows(error, &inquiry->statement))
        return NULL;
    rh_pg_ask_settings(inquiry, take_settings);
    return inquiry;
}

const char *rh_pg_inquiry_next(struct inquiry *inquiry, const struct inquiry_answer *answer)
{
    if (answer && inquiry->next > 0) {
        const struct pg_ask *asked = &inquiry->asks.items[inquiry->next - 1];
        if (asked->take)
            asked->take(inquiry, asked->data, answer);
    }
    while (inquiry->next == inquiry->asks.count && inquiry->phase != PG_PHASE_DONE)
        advance(inquiry);
    if (inquiry->next == inquiry->asks.count)
        return NULL;
    return inquiry->asks.items[inquiry->next++].sql;
}

bool rh_pg_inquiry_again(struct inquiry *inquiry)
{
    return rh_pg_trial_again(inquiry);
}

/* One repair mends all that a question found. */
static void add_repair(const struct inquiry *inquiry, const struct pg_question *question,
                       struct offenders *offenders)
{
    const struct pg_repair *repair = question->chosen[PG_ROUND_GENTLEST];
    const struct pg_repair *own = question->chosen[PG_ROUND_OWN_VALUES];
    if (!repair)
        return;
    offenders->repair_sql = repair->sql;
    offenders->repair_loses_rows = repair->loses_rows;
    offenders->repair_invents = repair->invents;
    offenders->repair_per_row = repair->per_row;
    offenders->repair_fills = repair->fills;
    offenders->repair_defers = rh_pg_trial_settles(inquiry, question);
    if (own && inquiry->outcomes[PG_ROUND_OWN_VALUES].worked)
        offenders->own_values_sql = own->per_row ? own->sql : NULL;
}

static void add_answers(const struct inquiry *inquiry, const struct pg_question *question,
                        struct blocker *blocker)
{
    for (size_t f = 0; f < question->found.count; f++) {
        struct offenders *offenders = RH_PUSH(inquiry->arena, &blocker->offenders);
        *offenders = question->found.items[f];
        if (f == 0)
            add_repair(inquiry, question, offenders);
    }
}

void rh_pg_inquiry_result(const struct inquiry *inquiry, struct blocker *blocker)
{
    const struct pg_outcome *outcome = &inquiry->outcomes[PG_ROUND_GENTLEST];
    for (size_t o = 0; o < PG_REPAIR_ORDER_COUNT; o++)
        for (size_t i = 0; i < inquiry->questions.count; i++)
            if (inquiry->questions.items[i]->offence == rh_pg_repair_order[o])
                add_answers(inquiry, inquiry->questions.items[i], blocker);
    blocker->repair_tried = outcome->tried;
    blocker->repair_worked = outcome->worked;
    blocker->repair_error = outcome->worked ? NULL : outcome->error;
    blocker->inside = inquiry->inside;
    if (blocker->offenders.count == 0)
        blocker->not_asked = inquiry->refusals.count > 0 ? inquiry->refusals.items[0]
                             : inquiry->inside ? "the set questions found no offending row as "
                                                 "they were before the block or function began"
                                               : "the set questions found no offending row";
    for (size_t i = blocker->offenders.count == 0; i < inquiry->refusals.count; i++)
        *RH_PUSH(inquiry->arena, &blocker->unasked) = inquiry->refusals.items[i];
}
