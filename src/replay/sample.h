/*
 * Executions picked from a workload, for each of its patterns some, drawn evenly from all that
 * there are: parameters come as often as production sent them. Each is enough by itself to be sent
 * again: text, types, parameters, formats, and the state that its session had been brought into
 * (settings, SQL-level prepared statements).
 *
 * Reads the source once, in memory that grows with patterns and open sessions, not with events.
 * What cannot be sent alone (COPY data, transaction control, what was redacted or cut) is counted.
 */
#ifndef RH_REPLAY_SAMPLE_H
#define RH_REPLAY_SAMPLE_H

#include "model/workload.h"
#include "stats/random.h"

/* Executions kept of one pattern, and the bytes of one: larger ones are counted, not kept. */
#define SAMPLE_EXECUTIONS_MAX 400
#define SAMPLE_EXECUTION_BYTES_MAX ((size_t)256 * 1024)
/* Bytes kept in all. */
#define SAMPLE_BYTES_MAX ((size_t)192 * 1024 * 1024)
/* Statements that make up the state of a session, and different states. */
#define SAMPLE_STATE_STATEMENTS_MAX 100
#define SAMPLE_STATES_MAX 500

struct sampled_state {
    const char *user;
    VEC(const char *) statements; /* SET, RESET, PREPARE, ... in order */
};

struct sampled_execution {
    bool is_simple;      /* a query message; else Parse, Bind and Execute */
    bool is_named;       /* prepared under a name, and so perhaps executed often */
    struct text query;   /* as sent, without a NUL behind it */
    struct text types;   /* of the parameters: the end of Parse's body, count and OIDs */
    struct text values;  /* the middle of Bind's: formats and values */
    struct text formats; /* its end: of the results */
    uint32_t max_rows;   /* of Execute; 0: all */
    uint32_t statement;  /* the same number for the same query and types of this pattern */
    uint32_t state;
    /* What the candidate gets in its place (replay/transformed.h); NULL: the same. */
    const struct sampled_execution *on_candidate;
};

struct sampled_pattern {
    const struct workload_pattern *pattern;
    int64_t calls;
    int64_t cannot_be_sent; /* executions that were passed over */
    const char *why_not;    /* the first of them, a sentence without its full stop; NULL */
    struct sampled_execution *executions;
    size_t count;
};

struct replay_sample {
    struct arena *arena;
    VEC(struct sampled_pattern) patterns;         /* by number, from 1: item 0 is pattern 1 */
    VEC(struct sampled_state) states;             /* item 0: nothing was set */
    const struct sampled_state *candidate_states; /* the candidate's, as many; NULL: the same */
    int64_t duration_us;
    VEC(const char *) notes;
};

/* Of a Bind's body behind its names: what is sent of parameters, and the formats of the results.
   False: malformed. */
bool rh_sample_split_bind(struct text rest, struct text *ret_values, struct text *ret_formats);

/* `patterns`: 1 ... count by number. The arena is the sample's; `random` is drawn from. */
enum err_code rh_replay_sample(struct workload_source source,
                               const struct workload_pattern *const *patterns, size_t pattern_count,
                               size_t executions_each, struct random *random, struct arena *arena,
                               struct replay_sample *ret_sample, struct err *err) RH_MUST_CHECK;

#endif
