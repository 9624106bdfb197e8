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
                        struct name_list *masked)
{
    for (size_t i = 0; i < observations->count; i++) {
        const struct query_answer *a = &observations->items[i].answers[SIDE_BASELINE];
        const struct query_answer *b = &observations->items[i].answers[SIDE_TWIN];
        if (!is_ok(a) || !is_ok(b) || a->columns.count != b->columns.count || a->rows != b->rows)
            continue;
        for (size_t c = 0; c < a->columns.count; c++)
            if (!same_words(a->columns.items[c].values, b->columns.items[c].values))
                add_name(arena, masked, a->columns.items[c].name);
    }
}

/* How the candidate's answer to one execution differs. */
struct difference {
    enum result_change change;       /* the gravest */
    struct name_list columns;        /* that changed so */
    int64_t rows_before, rows_after; /* RESULT_ROWS_CHANGED */
};

static enum result_change compare_column(const struct answer_column *before,
                                         const struct answer_column *after, bool has_open_values,
                                         bool is_ordered)
{
    if (!after)
        return RESULT_COLUMNS_CHANGED;
    bool has_other_type = before->type != after->type;
    if (!has_open_values && !same_words(before->values, after->values))
        return has_other_type ? RESULT_COLUMNS_CHANGED : RESULT_VALUES_CHANGED;
    if (!has_open_values && is_ordered && !same_words(before->in_order, after->in_order))
        return RESULT_ORDER_CHANGED;
    return has_other_type ? RESULT_TYPES_CHANGED : RESULT_SAME;
}

static void note_column(struct difference *difference, struct arena *arena,
                        enum result_change change, const char *name)
{
    if (change == RESULT_SAME || change < difference->change)
        return;
    if (change > difference->change)
        difference->columns.count = 0;
    difference->change = change;
    add_name(arena, &difference->columns, name);
}

static void compare_columns(const struct query_answer *before, const struct query_answer *after,
                            bool has_open_values, bool is_ordered, const struct name_list *masked,
                            struct arena *arena, struct difference *difference)
{
    for (size_t i = 0; i < before->columns.count; i++) {
        const struct answer_column *column = &before->columns.items[i];
        if (column->is_left_out)
            continue;
        bool is_open = has_open_values || has_name(masked, column->name);
        note_column(difference, arena,
                    compare_column(column, column_of(after, column->name, nth_of(before, i)),
                                   is_open, is_ordered),
                    column->name);
    }
    for (size_t i = 0; i < after->columns.count; i++)
        if (!column_of(before, after->columns.items[i].name, nth_of(after, i)))
            note_column(difference, arena, RESULT_COLUMNS_ADDED, after->columns.items[i].name);
}

/* Each column's values may be the same, and yet no row: what belongs together has changed. */
static bool rows_fit(const struct query_answer *before, const struct query_answer *after)
{
    return before->columns.count != after->columns.count ||
           same_words(before->row_set, after->row_set);
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

static struct difference compare_one(const struct query_observation *observation, unsigned flags,
                                     const struct name_list *masked, struct arena *arena)
{
    const struct query_answer *before = &observation->answers[SIDE_BASELINE];
    const struct query_answer *twin = &observation->answers[SIDE_TWIN];
    const struct query_answer *after = &observation->answers[SIDE_CANDIDATE];
    /* Which rows come is left open by the query, or is chance. */
    bool has_open_rows = observation->is_undetermined || before->rows != twin->rows;
    bool has_open_values = has_open_rows || why_not_values(flags);
    struct difference difference = {.rows_before = before->rows, .rows_after = after->rows};

    /* A volatile function may well decide how many rows there are. */
    if (before->rows != after->rows && !has_open_rows && !(flags & PATTERN_IS_VOLATILE)) {
        difference.change = RESULT_ROWS_CHANGED;
        return difference;
    }
    if (!before->has_columns)
        return difference;
    has_open_values |= before->rows != after->rows;
    compare_columns(before, after, has_open_values, flags & PATTERN_ORDERS_ROWS, masked, arena,
                    &difference);
    if (difference.change == RESULT_SAME && !has_open_values && masked->count == 0 &&
        same_words(before->row_set, twin->row_set) && !rows_fit(before, after))
        difference.change = RESULT_VALUES_CHANGED;
    return difference;
}

bool rh_query_answer_is_suspect(const struct query_observation *observation, unsigned flags)
{
    struct name_list masked = {0};
    struct query_observation determined = *observation;
    RH_CLEANUP_ARENA struct arena *arena = NULL;
    if (!all_ok(observation))
        return false;
    arena = rh_arena_new();
    determined.is_undetermined = false;
    find_masked(&(const struct query_observations){&determined, 1}, arena, &masked);
    return compare_one(&determined, flags, &masked, arena).change >= RESULT_ORDER_CHANGED;
}

static void note_difference(struct query_results *results, struct arena *arena,
                            const struct difference *difference)
{
    results->differing++;
    if (difference->change < results->change)
        return;
    if (difference->change > results->change) {
        results->change = difference->change;
        results->columns = difference->columns;
        results->rows_before = difference->rows_before;
        results->rows_after = difference->rows_after;
        return;
    }
    for (size_t i = 0; i < difference->columns.count; i++)
        add_name(arena, &results->columns, difference->columns.items[i]);
}

static void compare_results(const struct query_observations *observations, struct arena *arena,
                            struct query_comparison *query)
{
    struct query_results *results = &query->results;
    const char *why_not = why_not_values(query->flags);

    find_masked(observations, arena, &results->masked);
    for (size_t i = 0; i < observations->count; i++) {
        const struct query_observation *observation = &observations->items[i];
        if (!all_ok(observation))
            continue;
        struct difference difference = compare_one(observation, query->flags, &results->masked,
                                                   arena);
        bool differs = difference.change != RESULT_SAME;
        results->undetermined += observation->is_undetermined;
        results->compared += differs || !observation->is_undetermined;
        if (differs)
            note_difference(results, arena, &difference);
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
