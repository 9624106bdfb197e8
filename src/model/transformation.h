/*
 * What became of a workload's queries by the rules of a transform: how much each rule changed, and
 * what could not be changed. Plain data; texts of queries have $1 for constants.
 */
#ifndef RH_MODEL_TRANSFORMATION_H
#define RH_MODEL_TRANSFORMATION_H

#include "base/arena.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct transformation_rule {
    const char *place;       /* "transform.yaml:4:5" */
    const char *text;        /* "rename_table customers to clients" */
    int64_t patterns, calls; /* that it concerns, refused ones included */
};

/* A pattern that a rule concerns, and for which it cannot be said what the new release sends. */
struct transformation_refusal {
    uint64_t fingerprint;
    const char *query, *why; /* why: a sentence without its full stop */
    int64_t calls;
};

struct transformation {
    const char *path; /* NULL: there are no rules */
    /* The application of the recording no longer runs when the migration has committed. */
    bool is_old_stopped;
    int64_t patterns, calls;                   /* that are sent otherwise */
    int64_t unparsed_patterns, unparsed_calls; /* the parser does not know them: sent as they are */
    VEC(struct transformation_rule) rules;
    VEC(struct transformation_refusal) refusals;
};

/* A new reference; null where there are no rules. */
json_t *rh_transformation_to_json(const struct transformation *transformation);

#endif
