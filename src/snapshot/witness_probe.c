#include "snapshot/witness_int.h"

#include "base/say.h"
#include "snapshot/server_words.h"

#include <stdlib.h>

static void say(struct witness *witness, bool is_covered, const char *sentence)
{
    struct sampling *sampling = witness->sampling;
    if (is_covered && witness->is_quiet)
        return;
    if (is_covered)
        *RH_PUSH(sampling->arena, &sampling->plan->witnesses) = sentence;
    else
        *RH_PUSH(sampling->arena, &sampling->plan->not_covered) = sentence;
}

void rh_witness_not_covered(struct witness *witness, const char *what, const char *why)
{
    say(witness, false,
        rh_arena_printf(witness->sampling->arena, "%s, %s: %s", witness->label, what, why));
}

static int64_t remaining_us(const struct witness *witness)
{
    return witness->sampling->witness_deadline.us - rh_clock_mono().us;
}

/* The planner's total cost out of EXPLAIN's first line, "... (cost=0.00..35.50 rows=...". */
static double cost_of(const char *line)
{
    const char *cost = line ? strstr(line, "(cost=") : NULL;
    const char *total = cost ? strstr(cost, "..") : NULL;
    return total ? strtod(total + 2, NULL) : 0;
}

/* Asks within the budget. *ret_rows stays NULL when it was not covered, which is said then; *why,
   when not NULL, takes the reason instead. */
static enum err_code ask(struct witness *witness, const char *what, const char *sql,
                         struct rows **ret_rows, const char **ret_why, struct err *err)
{
    struct sampling *sampling = witness->sampling;
    struct rows *plan RH_CLEANUP_ROWS = NULL;
    const char *why = NULL;
    enum err_code code = RH_OK;
    if (remaining_us(witness) <= 0)
        why = "the time for such questions is over";
    else if (rh_witness_may_do_more(sampling, sql))
        why = "it calls a function that may do more than read";
    if (!why)
        code = rh_sample_probe(sampling, rh_arena_printf(sampling->scratch, "EXPLAIN %s", sql),
                               remaining_us(witness), &plan, &why, err);
    if (code != RH_OK)
        return code;
    double cost_us = why ? 0 : cost_of(rh_rows_value(plan, 0, 0)) * WITNESS_COST_US;
    if (!why && cost_us > (double)remaining_us(witness)) {
        char duration[24];
        rh_duration_format((int64_t)(cost_us < 9e17 ? cost_us : 9e17), duration);
        why = rh_arena_printf(sampling->arena,
                              "it would take about %s, more than is left for such questions",
                              duration);
    }
    if (!why)
        code = rh_sample_probe(sampling, sql, remaining_us(witness), ret_rows, &why, err);
    if (code == RH_OK && why && ret_why)
        *ret_why = why;
    else if (code == RH_OK && why)
        rh_witness_not_covered(witness, what, why);
    return code;
}

enum err_code rh_witness_ask(struct witness *witness, const char *what, const char *query,
                             int64_t max, struct err *err)
{
    struct sampling *sampling = witness->sampling;
    struct rows *rows RH_CLEANUP_ROWS = NULL;
    int64_t found = 0;
    enum err_code code = ask(witness, what, rh_sample_gather(sampling, query, max), &rows, NULL,
                             err);
    if (code != RH_OK || !rows)
        return code;
    code = rh_sample_take(sampling, rows, true, &found, err);
    if (code != RH_OK)
        return code;
    witness->found += found;
    say(witness, true,
        found ? rh_arena_printf(sampling->arena, "%s, %s: %s%s forced in", witness->label, what,
                                found >= max && max > 2 ? "the first " : "",
                                rh_say_count(sampling->arena, found, "row"))
              : rh_arena_printf(sampling->arena, "%s, %s: none there", witness->label, what));
    return RH_OK;
}

/* --- an expression that fails --- */

struct search {
    struct witness *witness;
    const char *what, *expression, *condition, *from;
    bool is_over; /* the budget; or another error than a value's */
};

static bool is_failure(const char *why)
{
    return strncmp(why, SERVER_VALUE_FAILS, strlen(SERVER_VALUE_FAILS)) == 0;
}

/* Whether computing it fails for a row of blocks [from, to). */
static enum err_code fails_between(struct search *search, int64_t from, int64_t to, bool *ret_fails,
                                   struct err *err)
{
    struct rows *rows RH_CLEANUP_ROWS = NULL;
    const char *why = NULL;
    const char *sql = rh_arena_printf(
        search->witness->sampling->scratch,
        "SELECT pg_catalog.count(rehearse_value) FROM (SELECT (%s) AS rehearse_value FROM %s WHERE "
        "ctid >= '(%lld,0)' AND ctid < '(%lld,0)'%s%s%s OFFSET 0) AS rehearse_rows",
        search->expression, search->from, (long long)from, (long long)to,
        search->condition ? " AND (" : "", search->condition ? search->condition : "",
        search->condition ? ")" : "");
    enum err_code code = ask(search->witness, search->what, sql, &rows, &why, err);
    if (code != RH_OK)
        return code;
    *ret_fails = why && is_failure(why);
    if (why && !*ret_fails) {
        search->is_over = true;
        rh_witness_not_covered(search->witness, search->what, why);
    }
    return RH_OK;
}

/* The rows of one block, one after the other. */
static enum err_code find_in_block(struct search *search, int64_t block, struct err *err)
{
    struct sampling *sampling = search->witness->sampling;
    struct rows *places RH_CLEANUP_ROWS = NULL;
    enum err_code code = rh_sample_query(
        sampling,
        rh_arena_printf(sampling->scratch,
                        "SELECT tableoid::pg_catalog.int8, ctid FROM %s WHERE ctid = ANY (ARRAY("
                        "SELECT ('(%lld,' || n || ')')::pg_catalog.tid FROM "
                        "pg_catalog.generate_series(1, 291) AS n))",
                        search->from, (long long)block),
        NULL, 0, &places, err);
    for (size_t i = 0; i < rh_rows_count(places) && code == RH_OK; i++) {
        const char *place = rh_rows_value(places, i, 1), *why = NULL;
        struct rows *value RH_CLEANUP_ROWS = NULL;
        const char *sql = rh_arena_printf(
            sampling->scratch,
            "SELECT pg_catalog.count(rehearse_value) FROM (SELECT (%s) AS rehearse_value FROM %s "
            "WHERE ctid = '%s'%s%s%s OFFSET 0) AS rehearse_rows",
            search->expression, search->from, place, search->condition ? " AND (" : "",
            search->condition ? search->condition : "", search->condition ? ")" : "");
        code = rh_sample_probe(sampling, sql, remaining_us(search->witness), &value, &why, err);
        if (code != RH_OK || !why || !is_failure(why))
            continue;
        const char *row = rh_arena_printf(
            sampling->scratch,
            "SELECT '%s'::pg_catalog.int8 AS id, '%s'::pg_catalog.tid "
            "AS place",
            rh_rows_value(places, i, 0), place);
        return rh_witness_ask(search->witness, search->what, row, 1, err);
    }
    return code;
}

static enum err_code search_table(struct witness *witness, size_t table, const char *what,
                                  const char *expression, const char *condition, bool *ret_found,
                                  struct err *err)
{
    struct sampling *sampling = witness->sampling;
    struct search search = {.witness = witness,
                            .what = what,
                            .expression = expression,
                            .condition = condition,
                            .from = rh_sample_from(sampling, table)};
    struct rows *size RH_CLEANUP_ROWS = NULL;
    bool fails = false;
    enum err_code code = rh_sample_query(
        sampling,
        rh_arena_printf(sampling->scratch,
                        "SELECT pg_catalog.pg_relation_size('%lld'::pg_catalog.oid) / "
                        "pg_catalog.current_setting('block_size')::pg_catalog.int8",
                        (long long)sampling->catalog->tables.items[table].id),
        NULL, 0, &size, err);
    if (code != RH_OK)
        return code;
    int64_t from = 0, to = rh_rows_int(size, 0, 0, 0);
    if (to > 0)
        code = fails_between(&search, from, to, &fails, err);
    *ret_found = fails || search.is_over;
    if (code != RH_OK || !fails)
        return code;
    while (to - from > 1 && code == RH_OK && !search.is_over) {
        int64_t middle = from + (to - from) / 2;
        code = fails_between(&search, from, middle, &fails, err);
        if (fails)
            to = middle;
        else
            from = middle;
    }
    return code == RH_OK && !search.is_over ? find_in_block(&search, from, err) : code;
}

enum err_code rh_witness_fails(struct witness *witness, const char *what, const char *expression,
                               const char *condition, struct err *err)
{
    struct sampling *sampling = witness->sampling;
    const struct sample_node *node = &sampling->nodes.items[sampling->node_of[witness->table]];
    bool is_tree = node->table == witness->table && node->is_partitioned, found = false;
    size_t count = is_tree ? node->leaves.count : 1;
    enum err_code code = RH_OK;
    for (size_t i = 0; i < count && code == RH_OK && !found; i++) {
        size_t table = is_tree ? node->leaves.items[i] : witness->table;
        if (!rh_sample_is_unreadable(sampling, table))
            code = search_table(witness, table, what, expression, condition, &found, err);
    }
    if (code == RH_OK && !found)
        say(witness, true,
            rh_arena_printf(sampling->arena, "%s, %s: none there", witness->label, what));
    return code;
}
