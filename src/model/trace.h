/*
 * A trace: what the server really did while the migration ran. Plain data, no behaviour; made by
 * trace/, read by judge/ and report/. Everything lies in the arena of the run.
 *
 * Times are microseconds since the migration started (`trace.started_at`), durations microseconds.
 * Names are as PostgreSQL quotes them: public.users, "Odd".t. NULL text means "there was none".
 * -1 in a count means *not observed*, which is never the same as 0.
 */
#ifndef RH_MODEL_TRACE_H
#define RH_MODEL_TRACE_H

#include "base/arena.h"
#include "base/clock.h"
#include "base/text.h"

#include <stdbool.h>
#include <stdint.h>

#define NOT_OBSERVED (-1)

/* How a fact was seen, weakest first. X(symbol, name in result.json) */
#define OBSERVATION_LIST(X)                                                             \
    X(OBSERVED_NOT, "not-observed")                                                     \
    X(OBSERVED_SAMPLED, "sampled") /* seen by the sampler: times are good to its gap */ \
    X(OBSERVED_EXACT, "exact")     /* reported from inside, or read at a boundary */
enum observation {
#define X(symbol, name) symbol,
    OBSERVATION_LIST(X)
#undef X
};
const char *rh_observation_name(enum observation observation);

/* The server's error or notice, fields as of "Error and Notice Message Fields"
 * (protocol-error-fields). */
struct server_message {
    const char *severity; /* not localised (field V) */
    char sqlstate[6];
    const char *message, *detail, *hint, *context; /* values in them are masked by trace */
    const char *schema, *table, *column, *constraint, *data_type;
    int64_t position;           /* 1-based character in the statement, 0 for none */
    const char *internal_query; /* the failing statement of a function, NULL for none */
};

struct lock {
    const char *relation;   /* public.users; an index lock names the index */
    const char *kind;       /* "table", "index", "sequence", "view", "materialized view", ... */
    const char *table;      /* for an index: its table; else equal to relation */
    const char *mode;       /* "AccessExclusiveLock", as pg_locks spells it */
    int64_t acquired_us;    /* -1: never granted */
    int64_t held_us;        /* acquisition to the end of the transaction */
    int64_t waited_us;      /* 0: none seen */
    const char *waited_for; /* who held it: "session 4711 \"psql\" (idle in transaction)" */
    bool preexisting;       /* the relation existed before the run: only these can block anyone */
    bool blocks_reads, blocks_writes; /* by the engine's conflict table */
    enum observation observation;
};

struct rewrite {
    const char *relation;
    const char *table;  /* for an index: its table, where known; else NULL or equal to relation */
    const char *kind;   /* "table", "index", "materialized view" */
    const char *reason; /* "column type", "column default", "persistence", "access method",
                           "cluster", "vacuum full", "reindex", "truncate", "refresh"; "unknown" */
    int64_t bytes;      /* size of the new file; NOT_OBSERVED */
    bool preexisting;
    enum observation observation;
};

struct scan {
    const char *relation;
    int64_t rows;  /* read inside this statement */
    int64_t begun; /* how many such scans its own backend began; 0: not told */
    bool preexisting;
    enum observation observation;
};

struct dropped_object {
    const char *type;     /* as pg_event_trigger_dropped_objects(): "table column", "index" */
    const char *identity; /* public.users.x */
    bool named;           /* `original`: the statement named it; else it went along */
    int64_t rows;         /* for a table or column that held data: rows / non-null values before */
    bool created_in_run;  /* made by this very run: nobody had it before */
};

/* What a DDL command made or changed, as the server reported it. */
struct altered_object {
    const char *type;     /* as pg_event_trigger_ddl_commands(): "table", "index" */
    const char *identity; /* public.users */
};

/* An index built, rebuilt or dropped on an existing table. */
struct index_work {
    const char *index, *table;
    bool concurrently;
    bool preexisting_table;
};

/*
 * What a statement's own words name, one for each clause of an ALTER TABLE: for the wording of
 * advice, and of questions that the server then answers; nothing is ever judged by it. Texts as the
 * user wrote them; NULL where a clause has none.
 */
enum clause_kind {
    CLAUSE_CREATE_INDEX,    /* columns, safe_form */
    CLAUSE_DROP_INDEX,      /* safe_form */
    CLAUSE_REINDEX,         /* safe_form */
    CLAUSE_REFRESH,         /* safe_form */
    CLAUSE_ADD_COLUMN,      /* column, definition: its type, columns: its default */
    CLAUSE_COLUMN_TYPE,     /* column, definition: the new type, expression: of USING */
    CLAUSE_SET_NOT_NULL,    /* column */
    CLAUSE_ADD_CHECK,       /* definition: "CHECK (...)", columns: the expression */
    CLAUSE_ADD_FOREIGN_KEY, /* definition: from FOREIGN on, columns, target, target_columns */
    CLAUSE_ADD_UNIQUE,      /* columns */
    CLAUSE_ADD_PRIMARY_KEY, /* columns */
    CLAUSE_ADD_EXCLUDE,     /* definition */
    CLAUSE_SET_VALUE,       /* of an UPDATE that does not say NULL: column, expression, columns: the
                               names in the expression, "a,b", "" for a subquery */
    CLAUSE_IF_NOT_EXISTS,   /* of an index, a table or a column: definition: which of these,
                               column: its own name, before_relation, after_relation */
};
struct clause {
    enum clause_kind kind;
    const char *relation; /* the table that is altered or indexed */
    const char *column;
    const char *constraint;              /* its name */
    const char *definition;              /* the clause's own words */
    const char *columns;                 /* what stands between its parentheses */
    const char *target, *target_columns; /* of REFERENCES */
    const char *expression;
    /* What says the same of another relation when its name is put between: "CREATE INDEX ON", and
       "(a) WHERE b". */
    const char *before_relation, *after_relation;
    const char *safe_form; /* the whole statement with CONCURRENTLY, without its semicolon */
};

/* How long a statement would take on production's rows, of which the copy holds a sample. */
struct scaled_duration {
    const char *refusal; /* a sentence: nothing below is known; NULL */
    const char *shape;   /* "constant", "linear", "n log n" */
    int64_t duration_us, low_us, high_us;
    int64_t rows, production_rows; /* of the tables whose size it depends on; 0: of none */
};

struct statement {
    int index;        /* 1-based over the run, in the order the client sent; children: 0 */
    int step;         /* index into trace.steps, -1: none (a wrapped command's own statements) */
    int line, column; /* in the step's file, 1-based; 0: unknown */
    const char *sql;  /* as sent, cut at STATEMENT_TEXT_MAX; sql_bytes is the full length */
    int64_t sql_bytes;
    const char *tag; /* command tag without counts: "ALTER TABLE"; NULL when it failed unseen */
    bool ok;
    bool finished;       /* false: the run ended (timeout, crash, cut) while it ran */
    bool extended;       /* extended protocol */
    int session;         /* index into trace.sessions */
    int transaction;     /* index into trace.transactions, -1: none seen */
    bool in_transaction; /* inside an explicit or tool-made transaction block */
    int64_t start_us, duration_us;
    int64_t rows;       /* from the command tag or counted; NOT_OBSERVED */
    int64_t wal_bytes;  /* between this statement's boundaries; includes other sessions' WAL */
    int64_t temp_bytes; /* temporary files, from the server's log */
    int64_t disk_growth_bytes;                     /* of the database directory */
    int64_t lock_timeout_ms, statement_timeout_ms; /* the session's own, at this statement; -1 */
    struct server_message *error;                  /* NULL: none */
    VEC(struct server_message) notices; /* at most NOTICES_MAX; notice_count is the true number */
    int64_t notice_count;
    VEC(struct lock) locks; /* acquired by this statement */
    VEC(struct rewrite) rewrites;
    VEC(struct scan) scans;
    VEC(struct dropped_object) dropped;
    VEC(struct altered_object) altered;
    VEC(struct index_work) indexes;
    VEC(struct clause) clauses;     /* empty when its text was not looked at */
    VEC(struct statement) children; /* commands inside a multi-statement string, DO, function */
    /* Evidence of locks for this statement as a whole: OBSERVED_NOT means that strict conclusions
       ("it blocks nobody") may not be drawn. */
    enum observation observation;
    const char
        *not_observed_reason; /* "event triggers were disabled", "shorter than the sampling gap" */
    const struct scaled_duration *in_production; /* NULL: as it is here, or nobody knows */
};

#define STATEMENT_TEXT_MAX (64 * 1024) /* bytes of SQL kept per statement */
#define NOTICES_MAX 20                 /* notices kept per statement */
#define CHILDREN_MAX 1000              /* children kept per statement */

struct step {
    const char *name; /* "0042_x.sql" or the command line */
    const char *path; /* NULL for a command */
    bool is_command;
    char sha256[65]; /* of the file's bytes; of the command line for a command */
    bool ok;
    bool reached;
    int64_t start_us, duration_us;
    int exit_status; /* of a command or psql, -1 for none */
};

struct session {
    int64_t backend_pid;
    const char *application_name, *user, *database;
    int64_t connected_us, ended_us; /* -1: still open at the end */
    bool left_transaction_open;
};

struct transaction {
    int session;
    int64_t start_us, end_us; /* -1: never ended */
    const char *opened_by;    /* the text that opened it ("BEGIN"), NULL: an implicit one */
    int opened_by_statement;  /* statement index, 0: unknown */
    bool committed;
    bool left_prepared; /* PREPARE TRANSACTION without an end: it outlives its session, with its
                           locks */
};

/* Canary sessions that tried what an application does on a table the migration locked. */
struct probe {
    const char *relation;
    bool is_write;           /* else a one-row read */
    int64_t attempts, waits; /* waits: attempts that took longer than PROBE_WAIT_US */
    int64_t longest_wait_us;
    int64_t longest_at_us; /* when the longest began */
    int statement;         /* index of the statement that ran then, 0: none */
    bool gave_up;          /* still waiting when the run ended */
};

/* A relation the migration touched that existed before. */
struct relation_facts {
    const char *name, *kind;
    int64_t rows;  /* estimate of the server (reltuples) before the run, NOT_OBSERVED when never
                      analysed */
    bool is_empty; /* proven by a read before the run */
    int64_t bytes; /* heap, indexes, toast, before */
};

/* Something found in an unfinished state afterwards. */
struct leftover {
    const char *kind; /* "invalid index", "not-validated constraint" */
    const char *identity, *table;
    bool preexisting; /* was so before the run already */
};

struct trace {
    struct arena *arena;
    struct wall started_at;
    int64_t duration_us;
    VEC(struct step) steps;
    VEC(struct statement) statements;
    VEC(struct session) sessions;
    VEC(struct transaction) transactions;
    VEC(struct probe) probes;
    VEC(struct relation_facts) relations;
    VEC(struct leftover) leftovers;
    int64_t wal_bytes, disk_growth_bytes, peak_disk_bytes, temp_bytes;
    int64_t sample_count, sampling_interval_us, longest_sampling_gap_us;
    bool connected;       /* anything ever spoke to the tap */
    bool evidence_intact; /* event triggers present and enabled at the end */
    bool outside_only;    /* a dry run: nothing inside the server reported, nobody sampled */
    bool observer_lost;   /* the observer died: nothing afterwards was observed */
    bool server_crashed;
    const char *crash_reason;   /* "terminated by signal 9" */
    VEC(const char *) log_tail; /* the server log's last lines when it crashed; values masked */
    bool timed_out, interrupted;
    VEC(const char *) not_observed; /* sentences for the report */
};

/* The last part of a name, quotes kept: "users" of public.users, "c.d" of "a.b"."c.d". A view into
   it. */
const char *rh_bare_name(const char *identity);

/* A command that can take locks on existing relations that reads or writes wait for. Those on
   roles, databases, tablespaces and settings lock no table and fire no event trigger ("Event
   Trigger Firing Matrix", section 40.2 of the PostgreSQL 15 manual): nothing is missed when they
   are not observed. NULL: false. */
bool rh_tag_can_block(const char *tag);

#endif
