/*
 * A result: the trace, what was found in it, and the verdict. Everything a report shows is in here;
 * every report is a pure rendering of it. rh_result_to_json gives result.json (its contract:
 * docs/result.schema.json).
 *
 * Texts lie in the arena of the run; only the `evidence` of findings is reference-counted and goes
 * with rh_result_deinit. Pure: nothing here reads or writes anything.
 */
#ifndef RH_MODEL_RESULT_H
#define RH_MODEL_RESULT_H

#include "base/err.h"
#include "model/blocker.h"
#include "model/check.h"
#include "model/comparison.h"
#include "model/likeness.h"
#include "model/repetition.h"
#include "model/risk.h"
#include "model/rollback.h"
#include "model/round_trip.h"
#include "model/state.h"
#include "model/trace.h"
#include "model/traffic.h"
#include "model/transformation.h"

#include <jansson.h>

/* X(symbol, name, exit status) */
#define VERDICT_LIST(X)            \
    X(VERDICT_SAFE, "safe", 0)     \
    X(VERDICT_UNSAFE, "unsafe", 5) \
    X(VERDICT_INCONCLUSIVE, "inconclusive", 3)
enum verdict {
#define X(symbol, name, status) symbol,
    VERDICT_LIST(X)
#undef X
};
const char *rh_verdict_name(enum verdict verdict);
int rh_verdict_exit_status(enum verdict verdict);

/* X(symbol, name), mildest first */
#define SEVERITY_LIST(X)           \
    X(SEVERITY_INFO, "info")       \
    X(SEVERITY_WARNING, "warning") \
    X(SEVERITY_ERROR, "error")
enum severity {
#define X(symbol, name) symbol,
    SEVERITY_LIST(X)
#undef X
};
const char *rh_severity_name(enum severity severity);
/* False when `name` is none of them. */
bool rh_severity_find(const char *name, enum severity *ret_severity);

struct finding {
    const char *rule; /* kebab-case id, for ever */
    enum severity severity;
    const char *title;      /* one line, with the number and the limit */
    const char *step;       /* step name, NULL for none */
    int line;               /* 0: unknown */
    int statement;          /* index, 0: the run as a whole */
    const char *relation;   /* NULL for none */
    json_t *evidence;       /* object of plain figures and texts, owned; NULL for none */
    const char *why;        /* what the server did and what it means to users */
    const char *advice;     /* what to write instead */
    const char *advice_sql; /* NULL for none */
    bool advice_tried;
};

struct gate {
    const char *name;             /* "duration", "blocked", "wal", "disk", "lag" */
    const char *limit, *measured; /* as a person says them: "2s", "15m02s"; measured may be NULL */
    bool ok;
    bool observed;      /* false: could not be measured; the verdict is then INCONCLUSIVE */
    const char *reason; /* why not: a sentence without its full stop; NULL: none better than that */
};

#define LIMIT_UNSET (-1)

/* Limits as the user set them; a negative limit is not set. */
struct limits {
    int64_t duration_us;
    int64_t blocked_us; /* default 2 s */
    int64_t wal_bytes, disk_bytes;
    int64_t lag_us, replica_apply_bytes_per_s; /* lag needs the rate */
    enum severity fail_on; /* findings at or above make the verdict UNSAFE; default error */
    bool structure_only;   /* empty tables are accepted */
    bool accept_sample;    /* so are conclusions from a sample without witnesses */
};
/* Nothing set but what has a default: blocked 2 s, fail_on error. */
struct limits rh_limits_default(void);

struct fidelity {
    const char *server_version; /* "15.18" */
    const char *source;         /* "schema db/schema.sql", "snapshot app.dump", "built-in shop" */
    int64_t snapshot_age_s;     /* -1: unknown */
    double sample_fraction;
    int64_t masked_columns;
    int64_t relations, rows, bytes; /* of the sandbox before the run (rows estimated) */
    bool isolated;
    const char
        *clone_method;      /* how the candidate was made: "copy", "reflink", ...; NULL: unknown */
    const char *clone_note; /* how large it was, and why no cheaper way was taken; NULL */
    bool from_cache;        /* what it was cloned from was found there ... */
    int64_t prepared_s;     /* ... and had been prepared so long ago */
    bool is_cold;           /* the server had read no row when the migration began */
    struct likeness likeness;
    VEC(const char *) notes; /* sentences */
};

/* Durations of a sample, scaled to production's rows by running the migration at other sizes. */
struct scaling_facts {
    bool was_tried;
    const char *reason;    /* why durations were not scaled though the copy is a sample; NULL */
    VEC(double) fractions; /* of the copy's rows: 1, 0.5, 0.25 */
};

struct result {
    struct arena *arena;
    const char *rehearse_version;
    enum verdict verdict;
    int exit_code;
    const char *headline;
    struct wall started_at;
    int64_t duration_us;
    const char *run_directory;
    struct fidelity fidelity;
    struct trace *trace;
    struct limits limits;
    VEC(struct finding) findings; /* worst first */
    VEC(struct gate) gates;
    struct schema_differences schema_differences;
    struct data_differences data_differences;
    struct blockers blockers;
    struct repetition repetition;
    struct checks checks;
    struct rollback_facts rollback;
    struct risks risks;
    struct round_trip round_trip;
    struct scaling_facts scaling;
    struct traffic traffic;
    struct workload_comparison workload;
    /* What the rules of a transform say of the release's application, and how that fared: the
       patterns that they change alone. */
    struct transformation transformation;
    struct workload_comparison new_application;
};

/* A copy of the sentence among the notes of its fidelity, unless it stands there already: several
   that know of one thing say it once. */
void rh_result_note(struct result *result, const char *sentence);

/* Lets go of what is not in the arena (evidence); the result may be filled again afterwards. */
void rh_result_deinit(struct result *result);

#define RESULT_FORMAT_VERSION "1.0" /* minor: additions only; major: something was renamed */

/* A new reference, owned by the caller. Never fails (memory ends the program). */
json_t *rh_result_to_json(const struct result *result);
/* Flags for json_dump*: %.15g is the most that shows 12.345 ms as 12.345 and not as 12.3450000001.
 */
#define RESULT_JSON_FLAGS (JSON_INDENT(2) | JSON_REAL_PRECISION(15))
#define RESULT_JSON_LINE_FLAGS (JSON_COMPACT | JSON_REAL_PRECISION(15))

/* New references to JSON values as result.json has them. NULL text is null; bytes that are not
   valid UTF-8 become U+FFFD (jansson refuses them); a negative time or count is null: not observed.
 */
json_t *rh_json_text(const char *s);
json_t *rh_json_ms(int64_t us); /* a number with three decimals */
json_t *rh_json_count(int64_t count);

#endif
