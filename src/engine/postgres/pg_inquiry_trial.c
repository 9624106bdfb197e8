/*
 * The trial: repairs, then the statement itself, in the transaction of the inquiry.
 *
 *   next question with offenders ──► repair ──► are all its rows mended? ──► ... ──► the statement
 *                                      └ failed: the question's next repair
 *
 * A constraint that waits for the end of the transaction waits behind the repair too: the server
 * then refuses to alter the table (55006), and what the repair broke would come out at the COMMIT.
 * So it does not wait: what a repair breaks there is that repair's own failure. But where the
 * transaction itself has broken something by then, all is left waiting.
 */
#include "engine/postgres/pg_inquiry_int.h"

/* Back to what the statement would see. */
#define TRY_SETTINGS_SQL                                        \
    "SELECT pg_catalog.set_config('row_security', 'on', true)," \
    " pg_catalog.set_config('enable_hashagg', 'on', true)"

#define TRANSACTION_TERMINATION "2D000" /* "PostgreSQL Error Codes", class 2D */

/* Behind a repair, before a statement that alters the table. */
#define SETTLE_SQL "SET CONSTRAINTS ALL IMMEDIATE"
/* Before one that changes rows, and may count on what waits: looks, and leaves all as it was. */
#define LOOK_SQL                                                                              \
    "DO $rehearse$ BEGIN " SETTLE_SQL "; RAISE EXCEPTION USING ERRCODE = 'RH000'; EXCEPTION " \
    "WHEN SQLSTATE 'RH000' THEN NULL; END $rehearse$"

/* What makes NULLs comes before what fills them, and what fills them before what looks at values;
   what looks for duplicates comes last. */
const enum offence rh_pg_repair_order[PG_REPAIR_ORDER_COUNT] = {
    OFFENCE_CAST_FAILURE,      OFFENCE_VALUE_TOO_LONG, OFFENCE_OUT_OF_RANGE,
    OFFENCE_PARTITION_MISFITS, OFFENCE_NULL_VALUES,    OFFENCE_CHECK_VIOLATIONS,
    OFFENCE_ORPHAN_ROWS,       OFFENCE_DUPLICATE_KEYS, OFFENCE_EXCLUSION};

static void take_look(struct inquiry *inquiry, void *data, const struct inquiry_answer *answer)
{
    (void)data;
    inquiry->is_waiting = answer->error != NULL;
}

static bool may_defer(const struct inquiry *inquiry)
{
    for (size_t i = 0; i < inquiry->questions.count; i++)
        if (inquiry->questions.items[i]->subject->may_defer)
            return true;
    return false;
}

void rh_pg_trial_begin(struct inquiry *inquiry)
{
    for (size_t i = inquiry->drops.count; i > 0; i--)
        rh_pg_inquiry_ask(inquiry, inquiry->drops.items[i - 1], NULL, NULL);
    rh_pg_inquiry_ask(inquiry, TRY_SETTINGS_SQL, NULL, NULL);
    /* what is broken before any repair is none's doing, and a later statement's to mend */
    if (may_defer(inquiry))
        rh_pg_inquiry_ask(inquiry, LOOK_SQL, take_look, NULL);
}

bool rh_pg_trial_settles(const struct inquiry *inquiry, const struct pg_question *question)
{
    return question->subject->may_defer && !inquiry->is_waiting;
}

static struct pg_outcome *outcome_of(struct inquiry *inquiry)
{
    return &inquiry->outcomes[inquiry->round];
}

/* The next question whose rows want mending; NULL when all are mended. */
static struct pg_question *next_broken(const struct inquiry *inquiry)
{
    for (size_t o = 0; o < PG_REPAIR_ORDER_COUNT; o++) {
        for (size_t i = 0; i < inquiry->questions.count; i++) {
            struct pg_question *question = inquiry->questions.items[i];
            if (question->offence == rh_pg_repair_order[o] && question->found.count > 0 &&
                !question->repaired)
                return question;
        }
    }
    return NULL;
}

/* --- the statement --- */

/* A block that commits as it goes cannot be tried in a transaction: what failed inside can. */
static void take_trial(struct inquiry *inquiry, void *data, const struct inquiry_answer *answer)
{
    (void)data;
    const char *plain = inquiry->statement.plain;
    if (answer->error && strcmp(answer->error->sqlstate, TRANSACTION_TERMINATION) == 0 &&
        inquiry->inside && inquiry->trial != plain) {
        inquiry->trial = plain;
        rh_pg_inquiry_ask(inquiry, plain, take_trial, NULL);
        return;
    }
    struct pg_outcome *outcome = outcome_of(inquiry);
    outcome->tried = true;
    outcome->worked = !answer->error;
    outcome->error = answer->error ? rh_pg_inquiry_words(inquiry, answer->error) : NULL;
}

/* --- repairs --- */

static void set_repaired(struct inquiry *inquiry, struct pg_question *question)
{
    question->repaired = true;
    question->chosen[inquiry->round] = &question->repairs.items[question->repair];
}

/* NULL need not satisfy a check, nor a placeholder: then the next repair is due. */
static void take_leftovers(struct inquiry *inquiry, void *data, const struct inquiry_answer *answer)
{
    struct pg_question *question = data;
    if (!answer->error && answer->rows == 0)
        set_repaired(inquiry, question);
    else
        question->repair++;
}

static void take_repair(struct inquiry *inquiry, void *data, const struct inquiry_answer *answer)
{
    struct pg_question *question = data;
    if (!answer->error) {
        bool is_last = question->repair + 1 == question->repairs.count;
        if (question->form == PG_FORM_PREDICATE && !is_last)
            rh_pg_inquiry_ask(inquiry,
                              rh_arena_printf(inquiry->arena, "SELECT 1 FROM %s WHERE %s LIMIT 1",
                                              question->from, question->where),
                              take_leftovers, question);
        else
            set_repaired(inquiry, question);
        return;
    }
    outcome_of(inquiry)->tried = true;
    outcome_of(inquiry)->error = rh_pg_inquiry_words(inquiry, answer->error);
    question->repair++;
}

static bool changes_rows(const struct inquiry *inquiry)
{
    return inquiry->statement.kind == VALIDATION_INSERT ||
           inquiry->statement.kind == VALIDATION_UPDATE ||
           inquiry->statement.kind == VALIDATION_DELETE;
}

static void ask_repair(struct inquiry *inquiry, struct pg_question *question)
{
    const char *sql = question->repairs.items[question->repair].sql;
    /* where the statement is the settling itself, it is about to be tried */
    if (rh_pg_trial_settles(inquiry, question) && strcmp(inquiry->trial, SETTLE_SQL) != 0)
        sql = rh_arena_printf(inquiry->arena, "%s;\n%s", sql,
                              changes_rows(inquiry) ? LOOK_SQL : SETTLE_SQL);
    rh_pg_inquiry_ask(inquiry, sql, take_repair, question);
}

static void take_unless(struct inquiry *inquiry, void *data, const struct inquiry_answer *answer)
{
    struct pg_question *question = data;
    if (answer->error || answer->rows > 0)
        question->repair++;
    else
        ask_repair(inquiry, question);
}

void rh_pg_trial_go_on(struct inquiry *inquiry)
{
    struct pg_question *question = next_broken(inquiry);
    if (!question) {
        inquiry->phase = PG_PHASE_TRYING;
        outcome_of(inquiry)->error = NULL;
        rh_pg_inquiry_ask(inquiry, inquiry->trial, take_trial, NULL);
    } else if (question->repair == question->repairs.count) {
        inquiry->phase = PG_PHASE_DONE; /* nothing mends this one */
    } else if (question->repairs.items[question->repair].unless) {
        rh_pg_inquiry_ask(inquiry, question->repairs.items[question->repair].unless, take_unless,
                          question);
    } else {
        ask_repair(inquiry, question);
    }
}

/* --- rounds --- */

static bool wants_own_values(const struct pg_question *question)
{
    const struct pg_repair *chosen = question->chosen[PG_ROUND_GENTLEST];
    return chosen && chosen->fills && question->own_values.count > 0;
}

bool rh_pg_trial_again(struct inquiry *inquiry)
{
    bool is_wanted = false;
    if (inquiry->round != PG_ROUND_GENTLEST || !inquiry->outcomes[PG_ROUND_GENTLEST].worked)
        return false;
    for (size_t i = 0; i < inquiry->questions.count; i++)
        is_wanted = is_wanted || wants_own_values(inquiry->questions.items[i]);
    if (!is_wanted)
        return false;
    inquiry->round = PG_ROUND_OWN_VALUES;
    inquiry->phase = PG_PHASE_REPAIRING;
    for (size_t i = 0; i < inquiry->questions.count; i++) {
        struct pg_question *question = inquiry->questions.items[i];
        if (wants_own_values(question)) {
            question->repairs.items = question->own_values.items;
            question->repairs.count = question->own_values.count;
        }
        question->repair = 0;
        question->repaired = false;
    }
    /* all that was set, and put away, is as it was before the first question */
    rh_pg_ask_settings(inquiry, NULL);
    rh_pg_trial_begin(inquiry);
    return true;
}
