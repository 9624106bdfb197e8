#include "compare/query_answers.h"

#include "model/workload.h"

#include <string.h>

static bool same_words(const uint64_t *a, const uint64_t *b)
{
    return memcmp(a, b, ANSWER_DIGEST_WORDS * sizeof(*a)) == 0;
}

static bool is_ok(const struct query_answer *answer)
{
    return answer->sqlstate[0] == '\0';
}

static bool all_ok(const struct query_observation *observation)
{
    for (size_t side = 0; side < COMPARED_SIDES; side++)
        if (!is_ok(&observation->answers[side]))
            return false;
    return true;
}

/* --- errors --------------------------------------------------------------------------------- */

static struct query_error *error_of(struct query_comparison *query, struct arena *arena,
                                    const struct query_answer *answer)
{
    for (size_t i = 0; i < query->errors.count; i++)
        if (strcmp(query->errors.items[i].sqlstate, answer->sqlstate) == 0)
            return &query->errors.items[i];
    struct query_error *error = RH_PUSH(arena, &query->errors);
    memcpy(error->sqlstate, answer->sqlstate, sizeof(error->sqlstate));
    error->message = answer->message;
    return error;
}

/* Whether the candidate gives that error where both twins succeed: what failed before, with another
   error perhaps, is none of the migration's. */
static bool is_given_instead_of_rows(const struct query_observations *observations,
                                     const char *sqlstate)
{
    for (size_t i = 0; i < observations->count; i++) {
        const struct query_answer *answers = observations->items[i].answers;
        if (is_ok(&answers[SIDE_BASELINE]) && is_ok(&answers[SIDE_TWIN]) &&
            strcmp(answers[SIDE_CANDIDATE].sqlstate, sqlstate) == 0)
            return true;
    }
    return false;
}

/* An execution that fails on one of the twins alone is a matter of chance, not of the migration. */
static void count_errors(const struct query_observations *observations, struct arena *arena,
                         struct query_comparison *query)
{
    for (size_t i = 0; i < observations->count; i++) {
        const struct query_answer *answers = observations->items[i].answers;
        for (size_t side = 0; side < COMPARED_SIDES; side++)
            query->sides[side].errors += !is_ok(&answers[side]);
        bool twins_agree = strcmp(answers[SIDE_BASELINE].sqlstate, answers[SIDE_TWIN].sqlstate) ==
                           0;
        if (!is_ok(&answers[SIDE_BASELINE]))
            error_of(query, arena, &answers[SIDE_BASELINE])->baseline++;
        if (!is_ok(&answers[SIDE_CANDIDATE]) && (twins_agree || !is_ok(&answers[SIDE_BASELINE])))
            error_of(query, arena, &answers[SIDE_CANDIDATE])->candidate++;
    }
    for (size_t i = 0; i < query->errors.count; i++) {
        struct query_error *error = &query->errors.items[i];
        bool is_new = error->baseline == 0 &&
                      is_given_instead_of_rows(observations, error->sqlstate);
        error->change = is_new                  ? ERROR_NEW
                        : error->candidate == 0 ? ERROR_RESOLVED
                                                : ERROR_EXISTING;
    }
}

/* --- results -------------------------------------------------------------------------------- */

static const struct answer_column *column_of(const struct query_answer *answer, const char *name,
                                             size_t nth)
{
    for (size_t i = 0; i < answer->columns.count; i++)
        if (strcmp(answer->columns.items[i].name, name) == 0 && nth-- == 0)
            return &answer->columns.items[i];
    return NULL;
}

/* Which of the columns of that name this is: names need not be unique. */
static size_t nth_of(const struct query_answer *answer, size_t at)
{
    size_t nth = 0;
    for (size_t i = 0; i < at; i++)
        nth += strcmp(answer->columns.items[i].name, answer->columns.items[at].name) == 0;
    return nth;
}

static bool has_name(const struct name_list *names, const char *name)
{
    for (size_t i = 0; i < names->count; i++)
        if (strcmp(names->items[i], name) == 0)
            return true;
    return false;
}

static void add_name(struct arena *arena, struct name_list *names, const char *name)
{
    if (!has_name(names, name))
        *RH_PUSH(arena, names) = name;
}

/* Columns whose values the twins do not agree on, in any execution. */
static void find_masked(const struct query_observations *observations, struct arena *arena,
                        struct query_results *results)
{
    for (size_t i = 0; i < observations->count; i++) {
        const struct query_answer *a = &observations->items[i].answers[SIDE_BASELINE];
        const struct query_answer *b = &observations->items[i].answers[SIDE_TWIN];
        if (!is_ok(a) || !is_ok(b) || a->columns.count != b->columns.count || a->rows != b->rows)
            continue;
        for (size_t c = 0; c < a->columns.count; c++)
            if (!same_words(a->columns.items[c].values, b->columns.items[c].values))
                add_name(arena, &results->masked, a->columns.items[c].name);
    }
}

static void note_change(struct query_results *results, enum result_change change)
{
    if (change > results->change)
        results->change = change;
}

/* RESULT_SAME or what is worst of it. `masked` columns do not count. */
static enum result_change compare_columns(const struct query_answer *before,
                                          const struct query_answer *after, bool is_ordered,
                                          struct arena *arena, struct query_results *results)
{
    enum result_change worst = RESULT_SAME;
    for (size_t i = 0; i < before->columns.count; i++) {
        const struct answer_column *a = &before->columns.items[i];
        const struct answer_column *b = column_of(after, a->name, nth_of(before, i));
        enum result_change change = RESULT_SAME;
        if (a->is_left_out)
            continue;
        if (!b || a->type != b->type)
            change = RESULT_COLUMNS_CHANGED;
        else if (has_name(&results->masked, a->name))
            continue;
        else if (!same_words(a->values, b->values))
            change = RESULT_VALUES_CHANGED;
        else if (is_ordered && !same_words(a->in_order, b->in_order))
            change = RESULT_ORDER_CHANGED;
        if (change == RESULT_SAME)
            continue;
        add_name(arena, &results->columns, a->name);
        if (change > worst)
            worst = change;
    }
    for (size_t i = 0; worst == RESULT_SAME && i < after->columns.count; i++)
        if (!column_of(before, after->columns.items[i].name, nth_of(after, i))) {
            add_name(arena, &results->columns, after->columns.items[i].name);
            worst = RESULT_COLUMNS_ADDED;
        }
    return worst;
}

/* Each column's values may be the same, and yet no row: what belongs together has changed. */
static bool rows_fit(const struct query_answer *before, const struct query_answer *after)
{
    return before->columns.count != after->columns.count ||
           same_words(before->row_set, after->row_set);
}

static enum result_change compare_one(const struct query_observation *observation, unsigned flags,
                                      struct arena *arena, struct query_results *results)
{
    const struct query_answer *before = &observation->answers[SIDE_BASELINE];
    const struct query_answer *twin = &observation->answers[SIDE_TWIN];
    const struct query_answer *after = &observation->answers[SIDE_CANDIDATE];
    if (before->rows != twin->rows)
        return RESULT_SAME; /* chance decides how many */
    if (before->rows != after->rows) {
        if (results->change != RESULT_ROWS_CHANGED) {
            results->rows_before = before->rows;
            results->rows_after = after->rows;
        }
        return RESULT_ROWS_CHANGED;
    }
    if (!before->has_columns)
        return RESULT_SAME;
    bool is_ordered = flags & PATTERN_ORDERS_ROWS;
    enum result_change change = compare_columns(before, after, is_ordered, arena, results);
    bool is_masked = results->masked.count > 0 || !same_words(before->row_set, twin->row_set);
    if (change == RESULT_SAME && !is_masked && !rows_fit(before, after))
        change = RESULT_VALUES_CHANGED;
    return change;
}

/* Any rows will do, or other values each time: only their number and columns can be compared. */
static const char *why_not_values(unsigned flags)
{
    if (flags & PATTERN_LIMITS_UNORDERED)
        return "LIMIT without ORDER BY: any rows will do";
    if (flags & PATTERN_IS_VOLATILE)
        return "it calls functions that answer otherwise each time";
    return NULL;
}

static bool is_about_values(enum result_change change)
{
    return change == RESULT_VALUES_CHANGED || change == RESULT_ORDER_CHANGED;
}

bool rh_query_answer_is_suspect(const struct query_observation *observation, unsigned flags)
{
    struct query_results results = {0};
    RH_CLEANUP_ARENA struct arena *arena = NULL;
    if (!all_ok(observation))
        return false;
    arena = rh_arena_new();
    const struct query_observations one = {(struct query_observation *)observation, 1};
    find_masked(&one, arena, &results);
    enum result_change change = compare_one(observation, flags, arena, &results);
    return is_about_values(change) || change == RESULT_ROWS_CHANGED;
}

static void compare_results(const struct query_observations *observations, struct arena *arena,
                            struct query_comparison *query)
{
    struct query_results *results = &query->results;
    const char *why_not = why_not_values(query->flags);

    find_masked(observations, arena, results);
    for (size_t i = 0; i < observations->count; i++) {
        const struct query_observation *observation = &observations->items[i];
        if (!all_ok(observation))
            continue;
        if (observation->is_undetermined) {
            results->undetermined++;
            continue;
        }
        results->compared++;
        struct query_results one = *results;
        enum result_change change = compare_one(observation, query->flags, arena, &one);
        /* A volatile function may well decide how many rows there are. */
        if (change == RESULT_SAME || (why_not && is_about_values(change)) ||
            (query->flags & PATTERN_IS_VOLATILE && change == RESULT_ROWS_CHANGED))
            continue;
        enum result_change before = results->change;
        *results = one;
        results->change = before;
        note_change(results, change);
        results->differing++;
    }
    if (results->change != RESULT_SAME)
        return;
    if (results->compared == 0) {
        results->change = RESULT_NOT_COMPARED;
        results->reason = observations->count == 0 ? "it was not run"
                          : results->undetermined > 0
                              ? "which rows come, or their order, is left open by the query"
                              : "no execution succeeded on all sides";
    } else if (why_not) {
        results->change = RESULT_NOT_COMPARED;
        results->reason = why_not;
    }
}

void rh_query_answers_compare(const struct query_observations *observations, struct arena *arena,
                              struct query_comparison *query)
{
    count_errors(observations, arena, query);
    compare_results(observations, arena, query);
}
