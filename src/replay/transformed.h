/*
 * A workload as the new release would have brought it: its statements by the rules of a transform
 * (sql/rewrite.h), with the parameters that go with them.
 */
#ifndef RH_REPLAY_TRANSFORMED_H
#define RH_REPLAY_TRANSFORMED_H

#include "model/transformation.h"
#include "replay/sample.h"
#include "sql/rewrite.h"

struct transformed_pattern {
    enum rewrite_outcome outcome;
    const char *query; /* with $1 for constants */
    const char *why;   /* REWRITE_REFUSED; NULL */
};

/* What the rules do to each pattern. */
struct transform_survey {
    const struct transform *transform;
    struct transformed_pattern *patterns; /* by number, from 1: item 0 is pattern 1 */
    size_t count;
    struct transformation summary;
};

/*
 * `sums` (NULL entries allowed) tell how often each pattern was called. RH_ERR_USAGE, with the
 * place of the rule: one concerns no pattern of the workload, or replaces a query by one that asks
 * for more parameters than there are. Everything lies in the arena, or in `transform` and
 * `patterns`.
 */
enum err_code rh_transform_survey(const struct transform *transform,
                                  const struct workload_pattern *const *patterns,
                                  const struct workload_pattern_sums *const *sums, size_t count,
                                  struct arena *arena, struct transform_survey *ret_survey,
                                  struct err *err) RH_MUST_CHECK;

/*
 * Gives executions of the patterns that are sent otherwise, and the states of sessions, what the
 * candidate gets in their place. An execution whose own text is refused (it has other constants
 * than the rest of its pattern) is taken out, and counted among those that cannot be sent.
 */
void rh_transform_sample(const struct transform_survey *survey, struct arena *arena,
                         struct replay_sample *sample);
/*
 * The events of `from` with what the new release sends. Texts that are refused, or that the parser
 * does not know, go as they are. Memory does not grow with events, only with what open sessions
 * have prepared; events are valid until the next call.
 */
struct transformed_source;
struct transformed_source *rh_transformed_source_new(const struct transform *transform,
                                                     struct workload_source from);
struct workload_source rh_transformed_source(struct transformed_source *source);
void rh_transformed_source_free(struct transformed_source *source); /* NULL allowed */

#endif
