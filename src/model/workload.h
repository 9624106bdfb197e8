/*
 * A workload: what clients said to a server and what it answered, in the order in which it
 * happened. Plain data, exchanged by those who make one (capture, importers), the file that keeps
 * it (store/workload_file.h) and those who use it (replay, compare).
 *
 * It is a log of events by time. A request is written when the client sent it, its answer when the
 * server was done with it, so that whoever reads along knows at each request what its client, and
 * every other client, had heard by then. Messages are kept as their bytes: names, types, formats
 * and batches are those of the client.
 *
 * Times are microseconds since the workload began, by a clock that does not jump.
 */
#ifndef RH_MODEL_WORKLOAD_H
#define RH_MODEL_WORKLOAD_H

#include "base/arena.h"
#include "base/text.h"

#include <stdbool.h>
#include <stdint.h>

/* --- patterns ------------------------------------------------------------------------------- */

/* What a pattern's text says about it; a set. */
#define PATTERN_IS_PARSED 1u         /* the parser knew it: what follows is known */
#define PATTERN_WRITES 2u            /* data or schema, also by a locking clause */
#define PATTERN_IS_VOLATILE 4u       /* calls what answers otherwise each time: now(), random() */
#define PATTERN_ORDERS_ROWS 8u       /* ORDER BY at its top: the order of the rows counts */
#define PATTERN_LIMITS_UNORDERED 16u /* LIMIT without ORDER BY: any rows will do */
#define PATTERN_CONTROLS 32u         /* transactions, settings, prepared statements: not a query */
#define PATTERN_HAS_SECRET 64u       /* a password: its text and values are not kept */

/* Statements that differ in nothing but their constants. Number 0 is no pattern. */
struct workload_pattern {
    uint32_t number;                 /* 1, 2, ... in the order in which they were first seen */
    uint64_t fingerprint;            /* of the parse tree, the same in every database */
    const char *query;               /* with $1, $2 for constants; no literal is in it */
    unsigned flags;                  /* PATTERN_* */
    VEC(const char *) reads, writes; /* tables, as the text names them, without quotes */
};

/* --- sessions ------------------------------------------------------------------------------- */

struct workload_setting {
    const char *name, *value;
};

/* A message of the protocol (PostgreSQL manual, "Message Formats"). */
struct workload_message {
    unsigned char type; /* of the frontend: Q P B D E C S H F d c f */
    /* What is executed: of Q, E, F. Of E the statement that the portal was bound to. */
    uint32_t pattern;
    struct text body;        /* as sent, or with its values masked */
    uint64_t left_out_bytes; /* of the body, behind it: COPY data beyond the cap */
    bool is_redacted;        /* held a secret; it cannot be sent again */
};
#define WORKLOAD_MESSAGE_TYPES "QPBDECSHFdcf"

struct workload_session {
    uint64_t number; /* 1, 2, ... */
    const char *user, *database;
    VEC(struct workload_setting) startup;  /* the client's start-up packet, without those two */
    VEC(struct workload_setting) reported; /* what the server reported of settings at the start */
    /*
     * It was there before the workload began: what brings a new session into its state, in order
     * (settings, then prepared statements), is in `prologue`. What a prologue cannot make good
     * (temporary tables, cursors, advisory locks) is said in `lacks`; "" for nothing.
     */
    bool is_midway;
    VEC(struct workload_message) prologue;
    const char *lacks;
};

/* --- events --------------------------------------------------------------------------------- */

enum workload_event_kind {
    WORKLOAD_SESSION_BEGUN,
    WORKLOAD_REQUEST, /* messages up to one that ends a batch: Q, S, H, F, c, f; or d alone */
    WORKLOAD_ANSWER,  /* of a request that ends in Q, S or F: the server is ready again */
    WORKLOAD_CANCEL,  /* somebody asked to cancel what the session was doing */
    WORKLOAD_SESSION_ENDED
};

#define WORKLOAD_DIGEST_BYTES 16
#define WORKLOAD_DIGEST_KEY_BYTES 32

/* Of one execution: an E, or one statement of a Q, in their order. */
struct workload_result {
    uint32_t pattern;
    int64_t rows;      /* of its command tag; -1: the tag has none */
    int64_t returned;  /* rows that came back */
    char sqlstate[6];  /* "" when it succeeded */
    bool is_suspended; /* more rows were to be had from the portal */
    bool has_digest;
    /*
     * Of the rows that came back, by their messages: `unordered` is the sum of the rows'
     * hashes, equal for the same rows in whatever order; `ordered` is the hash of their hashes in
     * their order (model/row_digest.h). Keyed by the workload's digest key, so that they tell
     * nothing of a value.
     */
    uint8_t unordered[WORKLOAD_DIGEST_BYTES], ordered[WORKLOAD_DIGEST_BYTES];
};

/*
 * A value that the server made and the client was told: a column of a row that came back, of one of
 * workload_about's keys. Only values that are new since the workload began are kept.
 */
struct workload_id {
    uint32_t result;      /* of the answer's results: 0, 1, ... */
    uint32_t row, column; /* of that result: 0, 1, ... */
    uint32_t key;      /* 1, 2, ... of workload_about's keys; 0: of lastval(), which names none */
    bool is_binary;    /* as it came; here it is text all the same */
    struct text value; /* of an integer or a uuid, WORKLOAD_ID_BYTES_MAX at most */
};
#define WORKLOAD_ID_BYTES_MAX 36

struct workload_event {
    enum workload_event_kind kind;
    uint64_t session;
    int64_t at_us; /* never less than that of the event before */

    struct workload_session *begun; /* WORKLOAD_SESSION_BEGUN */

    /* WORKLOAD_REQUEST: its number in the session, 1, 2, ...; WORKLOAD_ANSWER: of the request;
       WORKLOAD_CANCEL: the request under way, 0 for none. */
    uint64_t request;
    struct workload_message *messages; /* WORKLOAD_REQUEST */
    size_t message_count;

    /* WORKLOAD_ANSWER: at_us is the time of ReadyForQuery. */
    int64_t first_byte_us;
    char transaction_status; /* I, T, E; 0 when the session ended instead */
    struct workload_result *results;
    size_t result_count;
    struct workload_id *ids; /* by result, row, column */
    size_t id_count;

    bool was_cut; /* WORKLOAD_SESSION_ENDED: without a Terminate of the client */
};

/* What the event takes in memory, for caps: texts, bodies, and a share for each thing in it. */
size_t rh_workload_event_bytes(const struct workload_event *event);
/* Of the numbers of patterns in it; 0: there is none. */
uint32_t rh_workload_event_highest_pattern(const struct workload_event *event);

/* Hands out the events of a workload one after the other. */
struct workload_source {
    /* *ret_event is valid until the next call; NULL at the end. RH_ERR_* as the maker says. */
    enum err_code (*next)(void *context, const struct workload_event **ret_event, struct err *err);
    void *context;
};

/* --- the whole ------------------------------------------------------------------------------ */

/* How a workload was come by, and so what it can be trusted to hold. */
#define WORKLOAD_ORIGIN_LIST(X)                      \
    X(WORKLOAD_CAPTURE, "capture")                   \
    X(WORKLOAD_STDERR_LOG, "stderr log")             \
    X(WORKLOAD_CSV_LOG, "csvlog")                    \
    X(WORKLOAD_JSON_LOG, "jsonlog")                  \
    X(WORKLOAD_STATEMENT_SUMS, "pg_stat_statements") \
    X(WORKLOAD_PGBENCH_SCRIPT, "pgbench script")     \
    X(WORKLOAD_SQL_FILE, "SQL file")
enum workload_origin {
#define X(symbol, name) symbol,
    WORKLOAD_ORIGIN_LIST(X)
#undef X
};
const char *rh_workload_origin_name(enum workload_origin origin);
/* False, and nothing written: no origin is called so. */
bool rh_workload_origin_of_name(const char *name, enum workload_origin *ret_origin);

/* What of the clients' life is in it. Each is exact, partial or absent. */
enum workload_grade { GRADE_ABSENT, GRADE_PARTIAL, GRADE_EXACT };
const char *rh_workload_grade_name(enum workload_grade grade);
bool rh_workload_grade_of_name(const char *name, enum workload_grade *ret_grade);
struct workload_fidelity {
    enum workload_grade order, types, parameters, timing, transactions, copy;
    VEC(const char *) notes; /* sentences: "parameters longer than 1 kB were cut by the log" */
};

/* One line of the ledger of what is missing: how often, and how much, for which reason. */
struct workload_gap {
    const char *kind; /* kebab-case: "copy-data-left-out", "password-redacted", "sessions-shed" */
    int64_t count;
    const char *detail;
};

/* A type that the server numbers in its own way (16384 and above): its name. */
struct workload_type {
    uint32_t oid;
    const char *schema, *name;
    char kind;        /* pg_type.typtype: b c d e r m p */
    uint32_t element; /* of an array: the type of its elements; 0 */
};

/* A function that the server numbers in its own way: FunctionCall names it by its number. */
struct workload_function {
    uint32_t oid;
    const char *schema, *signature; /* "f(integer, text)" */
};
#define WORKLOAD_FUNCTIONS_MAX 65536

/*
 * A column whose values the server makes (a sequence, identity, gen_random_uuid()), or that refers
 * to such a one by a foreign key; or a sequence that fills no column (`table` and `column` "").
 * Columns of one domain hold each other's values.
 */
struct workload_key {
    uint32_t domain; /* 1, 2, ... */
    const char *schema, *table, *column;
    const char *sequence_schema, *sequence; /* that fills it; "" */
    /* The sequence's last value when the workload began: what is beyond is new. INT64_MAX: not
       known. */
    int64_t since;
    uint32_t relation; /* in the server that it was recorded of; 0 */
    uint16_t attribute;
};
#define WORKLOAD_SINCE_UNKNOWN INT64_MAX
/* A schema of ten thousand tables with some of each. */
#define WORKLOAD_KEYS_MAX 65536

struct workload_about {
    enum workload_origin origin;
    const char *server_version; /* "15.4"; "" when not known */
    int server_version_number;  /* 150004; 0 */
    const char *encoding;       /* of the database: "UTF8"; "" */
    const char *started_at;     /* RFC 3339 */
    bool is_masked;             /* literals and parameters, by the key and domains of a snapshot */
    const char *masking_key_id; /* which key; tells nothing of it; "" */
    /* Random, of model/row_digest.h. Who can read it can try values against the digests: what is
       masked has none in it, and this is zeros then. */
    uint8_t digest_key[WORKLOAD_DIGEST_KEY_BYTES];
    /* Rows with columns in binary format were widened (there); false: recorded by a version that
       did not. */
    bool widens_integers;
    VEC(struct workload_type) types;
    VEC(struct workload_function) functions;
    VEC(struct workload_key) keys;
};

/* What the server that it is of has counted of all its statements (pg_stat_statements), beside what
   is in here. */
struct workload_production {
    bool is_known;
    int64_t window_us;            /* that it counted for; -1: not known */
    int64_t total_us, covered_us; /* of all statements; of those whose pattern is in here */
    int64_t patterns, never_seen; /* of its statements; of them, those not in here */
};

/* What is known of all of it once it is done. */
struct workload_totals {
    int64_t duration_us;
    int64_t sessions, sessions_most_at_once, requests, executions, errors, cancels;
    bool is_complete; /* nothing but what the ledger names is missing, up to duration_us */
    struct workload_fidelity fidelity;
    VEC(struct workload_gap) gaps;
    struct workload_production production;
};

/* Sums of one pattern. */
struct workload_pattern_sums {
    uint32_t pattern;
    int64_t calls, errors, rows;
    int64_t total_us; /* sent to complete; of an execution in a batch its share: from the
                         answer before it */
    int64_t min_us, max_us;
    int64_t first_at_us, last_at_us;
    /* Calls in production, in the time that the workload takes, per call in here
       (pg_stat_statements); 1: not known */
    double weight;
};

#endif
