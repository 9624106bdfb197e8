/*
 * What the parts of the comparison of queries share.
 */
#ifndef RH_REHEARSAL_QUERIES_INT_H
#define RH_REHEARSAL_QUERIES_INT_H

#include "compare/renames.h"
#include "rehearsal/queries.h"
#include "stats/latency.h"

struct latency_rounds {
    struct latency_round *items;
    size_t count, capacity;
};

/* The same type, as each side numbers it. */
struct type_number {
    uint32_t candidate, baseline;
};

/* A pattern while it is being compared. */
struct candidate_pattern {
    const struct sampled_pattern *sampled;
    double total_us; /* in the workload, weighted */
    struct query_comparison query;
    struct paired_manner manner;
    const char *not_comparable; /* a sentence without its full stop; NULL */
    VEC(struct query_observation) observations;
    bool *is_observed; /* by execution */
    struct latency_rounds rounds;
    struct latency_comparison latency;
    bool is_refuted;                   /* measured over new connections it was not slower */
    bool is_timed;                     /* latency was made */
    size_t next;                       /* execution */
    double own_us, elapsed_us;         /* of the baseline: our part of the time */
    double slowest_us[COMPARED_SIDES]; /* of those that were answered */
    size_t plan_execution;             /* that the plans are of */
    json_t *candidate_plan;            /* owned; NULL */
};

struct queries {
    const struct queries_options *options;
    struct arena *arena;
    struct random random;
    struct replay_sample sample;
    struct paired *paired;
    struct latency_rules rules;
    VEC(struct candidate_pattern) patterns; /* the most expensive first */
    struct mono deadline;
    struct renames renames;        /* of relations and indexes, by the migration */
    VEC(struct type_number) types; /* of the user, where candidate and baseline are no copies */
    struct workload_comparison comparison;
};

/* Of rounds of one pattern before others have their turn. */
int64_t rh_queries_slice_us(const struct queries *queries);
/* How long one execution of the pattern may take, once its answers were seen. */
int64_t rh_queries_timeout_us(const struct queries *queries,
                              const struct candidate_pattern *pattern);
/* Messages of that state name objects; those about data may quote values. */
bool rh_queries_names_no_values(const char *sqlstate);
/* It took too long, and was ended by us: no error of the query. */
bool rh_queries_was_cut(const struct paired_outcome *outcome);
/* Times one more round. An execution that fails is not timed: it is observed. */
enum err_code rh_queries_round(struct queries *queries, struct candidate_pattern *pattern,
                               struct latency_rounds *rounds, struct err *err) RH_MUST_CHECK;

/* queries_answers.c: what each side answers, and whether that is determined at all. */
enum err_code rh_queries_answer(struct queries *queries, struct candidate_pattern *pattern,
                                struct err *err) RH_MUST_CHECK;
/* Files the outcomes of one execution, once for each; not of one that was cut off. */
void rh_queries_observe(struct queries *queries, struct candidate_pattern *pattern,
                        size_t execution, const struct paired_outcome outcomes[COMPARED_SIDES]);
/* queries_names.c: what goes by another name on the candidate. */
/* Relations and indexes, where baseline and candidate are copies of one database; else the numbers
   of types. */
enum err_code rh_queries_find_names(struct queries *queries, struct err *err) RH_MUST_CHECK;
/* Types of the answers' columns, and their names as the rules of the transform say. */
void rh_queries_align(struct queries *queries, struct paired_outcome outcomes[COMPARED_SIDES]);
/* queries_plans.c: how each side gets there. */
enum err_code rh_queries_explain(struct queries *queries, struct candidate_pattern *pattern,
                                 struct err *err) RH_MUST_CHECK;
/* queries_writes.c: why writes became slower. Sets query.cause where the tables that the pattern
   writes to have more to keep up to date on the candidate than on the baseline. */
enum err_code rh_queries_find_cause(struct queries *queries, struct candidate_pattern *pattern,
                                    struct err *err) RH_MUST_CHECK;
/* The relation of a plan's node as SQL writes it, with its schema where the plan tells; NULL. */
const char *rh_queries_table_of(struct arena *arena, const json_t *node);
/* queries_repairs.c: what is slower, tried again. */
enum err_code rh_queries_repair(struct queries *queries, struct candidate_pattern *pattern,
                                struct err *err) RH_MUST_CHECK;

#endif
