#include "rehearsal/queries_int.h"

#include "compare/query_answers.h"
#include "sql/tie_break.h"

#include <stdio.h>
#include <string.h>

/* Executions answered with their rows looked at; of those in doubt, so many are tried. */
#define ANSWERS_EACH 10
#define SUSPECTS_EACH 3
#define TIE_TRIES 3
#define SQLSTATE_READ_ONLY "25006"
#define SQLSTATE_IN_TRANSACTION "25001"

/* Plans that a query must not care for. Settings that a server does not know are left out. */
static const char *const perturbations[] = {
    "SET enable_indexscan = off; SET enable_indexonlyscan = off; SET enable_bitmapscan = off",
    "SET enable_seqscan = off; SET enable_hashagg = off",
    "SET enable_hashjoin = off; SET enable_mergejoin = off",
    "SET enable_nestloop = off",
};
#define UNPERTURBED                                                                 \
    "RESET enable_indexscan; RESET enable_indexonlyscan; RESET enable_bitmapscan; " \
    "RESET enable_seqscan; RESET enable_hashagg; RESET enable_hashjoin; "           \
    "RESET enable_mergejoin; RESET enable_nestloop"

/* --- observing -------------------------------------------------------------------------------- */

/* Messages that name objects; those about data may quote values. */
static bool names_no_values(const char *sqlstate)
{
    static const char *const classes[] = {"42", "0A", "25", "53", "54", "57"};
    for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++)
        if (strncmp(sqlstate, classes[i], 2) == 0)
            return true;
    return false;
}

static struct query_answer answer_of(struct queries *queries, const struct paired_outcome *outcome)
{
    struct query_answer answer = outcome->answer;
    if (outcome->sqlstate[0] && names_no_values(outcome->sqlstate))
        answer.message = rh_arena_strdup(queries->arena, outcome->message);
    return answer;
}

void rh_queries_observe(struct queries *queries, struct candidate_pattern *pattern,
                        size_t execution, const struct paired_outcome outcomes[COMPARED_SIDES])
{
    if (pattern->is_observed[execution])
        return;
    for (size_t side = 0; side < COMPARED_SIDES; side++)
        if (rh_queries_was_cut(&outcomes[side]))
            return;
    pattern->is_observed[execution] = true;
    struct query_observation *observation = RH_PUSH(queries->arena, &pattern->observations);
    for (size_t side = 0; side < COMPARED_SIDES; side++)
        observation->answers[side] = answer_of(queries, &outcomes[side]);
}

/* --- is it determined? ------------------------------------------------------------------------ */

static bool same_answer(const struct query_answer *a, const struct query_answer *b, bool is_ordered)
{
    if (a->rows != b->rows || a->columns.count != b->columns.count ||
        memcmp(a->row_set, b->row_set, sizeof(a->row_set)) != 0)
        return false;
    for (size_t i = 0; is_ordered && i < a->columns.count; i++)
        if (memcmp(a->columns.items[i].in_order, b->columns.items[i].in_order,
                   sizeof(a->columns.items[i].in_order)) != 0)
            return false;
    return true;
}

static enum err_code answer_on(struct queries *queries, struct candidate_pattern *pattern,
                               enum compared_side side, size_t execution, struct text text,
                               struct paired_outcome *ret_outcome, struct err *err)
{
    struct paired_manner manner = pattern->manner;
    manner.text = text;
    return rh_paired_run_on(queries->paired, side, &pattern->sampled->executions[execution], manner,
                            PAIRED_ANSWER, queries->arena, ret_outcome, err);
}

/* Ties of ORDER BY broken by chance: do they make a difference? */
static enum err_code try_ties(struct queries *queries, struct candidate_pattern *pattern,
                              size_t execution, bool *ret_is_open, struct err *err)
{
    const struct sampled_execution *own = &pattern->sampled->executions[execution];
    struct paired_outcome first = {0}, next;
    struct text text;
    if (!rh_sql_break_ties(own->query, queries->arena, &text))
        return RH_OK;
    for (int i = 0; i < TIE_TRIES && !*ret_is_open; i++) {
        enum err_code code = answer_on(queries, pattern, SIDE_BASELINE, execution, text,
                                       i == 0 ? &first : &next, err);
        if (code)
            return code;
        if (first.sqlstate[0])
            return RH_OK;
        if (i > 0)
            *ret_is_open = !same_answer(&first.answer, &next.answer, true);
    }
    return RH_OK;
}

static enum err_code perturb(struct queries *queries, enum compared_side side, const char *sql,
                             bool *ret_done, struct err *err)
{
    struct err refused = RH_ERR_INIT;
    enum err_code code = rh_paired_say(queries->paired, side, sql, &refused);
    *ret_done = code == RH_OK;
    if (code && code != RH_ERR_SERVER) {
        *err = refused;
        return code;
    }
    return RH_OK;
}

/* Other plans on the same side: do they make a difference? */
static enum err_code try_plans(struct queries *queries, struct candidate_pattern *pattern,
                               enum compared_side side, size_t execution,
                               const struct query_answer *answer, bool is_ordered,
                               bool *ret_is_open, struct err *err)
{
    const struct text own_text = {0};
    for (size_t i = 0; i < sizeof(perturbations) / sizeof(perturbations[0]) && !*ret_is_open; i++) {
        struct paired_outcome outcome;
        bool is_done;
        enum err_code code = perturb(queries, side, perturbations[i], &is_done, err);
        if (!code && is_done)
            code = answer_on(queries, pattern, side, execution, own_text, &outcome, err);
        if (!code && is_done && !outcome.sqlstate[0])
            *ret_is_open = !same_answer(answer, &outcome.answer, is_ordered);
        if (!code)
            code = perturb(queries, side, UNPERTURBED, &is_done, err);
        if (code)
            return code;
    }
    return RH_OK;
}

static enum err_code try_suspect(struct queries *queries, struct candidate_pattern *pattern,
                                 size_t execution, struct query_observation *observation,
                                 struct err *err)
{
    bool is_ordered = pattern->query.flags & PATTERN_ORDERS_ROWS;
    bool is_open = false;
    static const enum compared_side sides[] = {SIDE_BASELINE, SIDE_CANDIDATE};
    enum err_code code = try_ties(queries, pattern, execution, &is_open, err);
    for (size_t i = 0; !code && !is_open && i < 2; i++)
        code = try_plans(queries, pattern, sides[i], execution, &observation->answers[sides[i]],
                         is_ordered, &is_open, err);
    observation->is_undetermined = is_open;
    return code;
}

/* --- answering -------------------------------------------------------------------------------- */

static bool any_is(const struct paired_outcome outcomes[COMPARED_SIDES], const char *sqlstate)
{
    for (size_t side = 0; side < COMPARED_SIDES; side++)
        if (strcmp(outcomes[side].sqlstate, sqlstate) == 0)
            return true;
    return false;
}

/* Why this pattern cannot be compared; NULL: it can. */
static const char *why_not(struct queries *queries,
                           const struct paired_outcome outcomes[COMPARED_SIDES])
{
    for (size_t side = 0; side < COMPARED_SIDES; side++)
        if (outcomes[side].wants_copy)
            return "COPY is not compared";
    if (any_is(outcomes, SQLSTATE_IN_TRANSACTION))
        return "it cannot run inside a transaction, and so cannot be undone";
    if (outcomes[SIDE_BASELINE].sqlstate[0] &&
        strcmp(outcomes[SIDE_BASELINE].sqlstate, outcomes[SIDE_CANDIDATE].sqlstate) == 0)
        return rh_arena_printf(queries->arena, "it fails on the baseline as well (SQLSTATE %s)",
                               outcomes[SIDE_BASELINE].sqlstate);
    return NULL;
}

static void note_slowest(struct candidate_pattern *pattern,
                         const struct paired_outcome outcomes[COMPARED_SIDES])
{
    for (size_t side = 0; side < COMPARED_SIDES; side++)
        if (outcomes[side].elapsed_us > pattern->slowest_us[side])
            pattern->slowest_us[side] = outcomes[side].elapsed_us;
}

static enum err_code answer_one(struct queries *queries, struct candidate_pattern *pattern,
                                size_t execution, struct paired_outcome outcomes[COMPARED_SIDES],
                                struct err *err)
{
    enum err_code code = rh_paired_run(queries->paired, &pattern->sampled->executions[execution],
                                       pattern->manner, PAIRED_ANSWER, queries->arena, outcomes,
                                       err);
    /* The text did not tell that it writes: a function does. */
    if (!code && !pattern->manner.wraps && any_is(outcomes, SQLSTATE_READ_ONLY)) {
        pattern->manner.wraps = true;
        code = rh_paired_run(queries->paired, &pattern->sampled->executions[execution],
                             pattern->manner, PAIRED_ANSWER, queries->arena, outcomes, err);
    }
    return code;
}

enum err_code rh_queries_answer(struct queries *queries, struct candidate_pattern *pattern,
                                struct err *err)
{
    struct mono until = rh_clock_after(rh_clock_mono(), rh_queries_slice_us(queries));
    const char *reason = NULL;
    size_t succeeded = 0, suspects = 0;
    int64_t timeout_us = rh_queries_slice_us(queries);
    if (timeout_us > queries->options->statement_timeout_us)
        timeout_us = queries->options->statement_timeout_us;
    enum err_code code = rh_paired_set_timeout(queries->paired, timeout_us, err);

    for (size_t i = 0; !code && i < pattern->sampled->count && i < ANSWERS_EACH; i++) {
        struct paired_outcome outcomes[COMPARED_SIDES];
        if (i > 0 && rh_clock_passed(until))
            break;
        if ((code = answer_one(queries, pattern, i, outcomes, err)))
            return code;
        const char *why = why_not(queries, outcomes);
        reason = reason ? reason : why;
        succeeded += !outcomes[SIDE_BASELINE].sqlstate[0];
        note_slowest(pattern, outcomes);
        size_t before = pattern->observations.count;
        rh_queries_align(queries, outcomes);
        rh_queries_observe(queries, pattern, i, outcomes);
        if (pattern->observations.count == before)
            continue;
        struct query_observation *last = &pattern->observations
                                              .items[pattern->observations.count - 1];
        if (rh_query_answer_is_suspect(last, pattern->query.flags) && suspects++ < SUSPECTS_EACH)
            code = try_suspect(queries, pattern, i, last, err);
    }
    /* Where it is open for one, it may be for those that were not tried. */
    for (size_t i = 0; i < pattern->observations.count; i++)
        if (pattern->observations.items[i].is_undetermined)
            for (size_t j = 0; j < pattern->observations.count; j++)
                if (rh_query_answer_is_suspect(&pattern->observations.items[j],
                                               pattern->query.flags))
                    pattern->observations.items[j].is_undetermined = true;
    if (!code && succeeded == 0)
        pattern->not_comparable = reason ? reason : "no execution succeeded on the baseline";
    return code;
}
