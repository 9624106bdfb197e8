/*
 * What a flow may ask of a database server, whichever engine it is. Flows never test which engine
 * they talk to: they look at feature bits, and ask named queries whose columns are a contract.
 *
 * An engine is one `const struct engine` (a function table). postgres/ is the sole home of libpq.
 * Connections are single-threaded and belong to whoever opened them.
 */
#ifndef RH_ENGINE_ENGINE_H
#define RH_ENGINE_ENGINE_H

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/text.h"
#include "engine/evidence.h"
#include "engine/inquiry.h"
#include "engine/server_log_facts.h"
#include "engine/source.h"
#include "engine/statements.h"
#include "model/catalog.h"
#include "model/risk.h"
#include "model/round_trip.h"
#include "model/state.h"
#include "model/traffic.h"
#include "net/dial.h"
#include "net/loop.h"

#include <stdbool.h>
#include <stdint.h>

/* DDL can be rolled back; the server reports DDL from inside (event triggers). */
#define ENGINE_TRANSACTIONAL_DDL 1u
#define ENGINE_INSIDE_EVIDENCE 2u

struct connection_parameters {
    const char *url; /* the user's own, with his password and TLS settings: wins over all below but
                        application_name; `host` is then what errors call the place. NULL: ours */
    const char *socket_directory; /* NULL: host below */
    const char *host;             /* numeric address */
    uint16_t port;
    const char *user, *password, *database;
    const char *application_name;
};

/* Where a URL leads, without its password. */
struct url_place {
    const char *hosts;                  /* "db1,db2"; "" for the default socket */
    const char *port, *user, *database; /* NULL: not said */
};

/* Where a URL leads and how, for somebody who relays: what the relay has to know, and what its
   client has to say for itself. */
struct url_upstream {
    struct upstream upstream;
    const char *user, *database;
    const char *password; /* also from the password file, of the first host; NULL: none. A secret.
                           */
    const char *options;  /* of the session ("-c ..."), NULL: none */
    const char *url;      /* as connect() takes it: without what is newer than our own library */
};

/* --- connections and rows -------------------------------------------------------------------- */

struct connection;
/* What a connection has cost its server. */
struct connection_traffic {
    int64_t statements;     /* answered, also with an error; each of several in one string */
    int64_t bytes_received; /* of values and of COPY data, without what the protocol adds */
};
struct rows; /* a result set; owned by the receiver, rh_rows_free */

size_t rh_rows_count(const struct rows *rows);
const char *rh_rows_value(const struct rows *rows, size_t row, size_t column); /* NULL: SQL NULL */
int64_t rh_rows_int(const struct rows *rows, size_t row, size_t column, int64_t if_null);
bool rh_rows_bool(const struct rows *rows, size_t row, size_t column); /* "t" or "1" */
size_t rh_rows_columns(const struct rows *rows);
const char *rh_rows_column_name(const struct rows *rows, size_t column); /* "" when it has none */
/* "UPDATE 10"; "" when the server did not say. */
const char *rh_rows_command_tag(const struct rows *rows);
void rh_rows_free(struct rows *rows);
void rh_rows_freep(struct rows **rows);
#define RH_CLEANUP_ROWS __attribute__((cleanup(rh_rows_freep)))

/* The connection is the callee's, attached to the loop; NULL with the reason why not. */
typedef void connect_done_fn(void *context, struct connection *connection, const struct err *err);
struct connecting; /* a connection that is being opened */

/* Both arguments are valid during the call only; the callee keeps the rows by copying the pointer
   and setting *rows to NULL. err is NULL on success. */
typedef void query_done_fn(void *context, struct rows **rows, const struct err *err);

/*
 * Named queries of the observer; the columns each returns are the contract (all text, NULL allowed
 * where said). Every engine and every server version gives the same columns.
 */
#define ENGINE_QUERY_LIST(X)                                                                       \
    /* -> id, name, kind, table_id, table_name, storage_id, rows_estimate (NULL never analysed),   \
          bytes, is_system: all relations of the database; kind as in model/trace.h */             \
    X(ENGINE_QUERY_RELATIONS)                                                                      \
    /* -> relations as above whose catalogue row changed after transaction $1 (text, a horizon of  \
          ENGINE_QUERY_BOUNDARY); bytes: of the relation's own files, never of its indexes; and    \
          table_rows, the rows_estimate of its table now */                                        \
    X(ENGINE_QUERY_RELATIONS_CHANGED)                                                              \
    /* $1 backend pid -> one row: wal_position (bytes, monotonic), server_clock_us,                \
       current_xid_horizon (text), locks (text, the granted ones as "relation_id mode" with commas \
       between; NULL: none) */                                                                     \
    X(ENGINE_QUERY_BOUNDARY)                                                                       \
    /* -> as above with no locks, and much cheaper */                                              \
    X(ENGINE_QUERY_POSITION)                                                                       \
    /* $1 array of backend pids "{1,2}" -> one row per lock held or awaited by these sessions or   \
          awaited behind them: pid, relation_id, mode, granted, wait_start_us, blockers (text      \
          "{..}"), state, wait_event, transaction_start_us, query_start_us, application_name,      \
          is_ours (pid in $1) */                                                                   \
    X(ENGINE_QUERY_SAMPLE)                                                                         \
    /* -> database_bytes */                                                                        \
    X(ENGINE_QUERY_DATABASE_SIZE)                                                                  \
    /* Of a database that is not ours; $1 array of our own backend pids -> one row: database,      \
       server_version, is_standby, production_setting (NULL), comment (NULL), sessions,            \
       busy_sessions, roles (of the sessions, NULL) */                                             \
    X(ENGINE_QUERY_TARGET)                                                                         \
    /* Of the asking session, inside its transaction -> one row: lock_timeout_ms,                  \
       statement_timeout_ms, wal_position, locks (JSON array of [relation_id, mode]), files (of    \
       [relation_id, storage_id], those it may have written anew), scans (of [relation_id, rows]); \
       the arrays may be NULL */                                                                   \
    X(ENGINE_QUERY_OWN_BOUNDARY)                                                                   \
    /* -> kind, identity, table_name: invalid indexes, constraints not validated */                \
    X(ENGINE_QUERY_LEFTOVERS)                                                                      \
    /* -> table_name (as offenders have it), column_name (quoted), key_name: the columns of unique \
          indexes */                                                                               \
    X(ENGINE_QUERY_UNIQUE_KEYS)                                                                    \
    /* -> intact (bool): our evidence inside the database is present and enabled */                \
    X(ENGINE_QUERY_EVIDENCE_INTACT)                                                                \
    /* $1 backend pid -> one row: is_running (bool), awaits_transactions (bool: between two of its \
          own, as CREATE INDEX CONCURRENTLY does), relation_locks (of user relations, held),       \
          other_clients (connected besides the asker) */                                           \
    X(ENGINE_QUERY_SESSION_LOCKS)                                                                  \
    /* $1 array of backend pids -> mode, relations: how many of users they hold that lock on */    \
    X(ENGINE_QUERY_SOURCE_LOCKS)                                                                   \
    /* -> place, text: every text of the schema that a person may have written: comments,          \
          functions, views, defaults, constraints, labels, options */                              \
    X(ENGINE_QUERY_SOURCE_TEXTS)                                                                   \
    /* Inside a transaction with a snapshot -> identity: of tables, five at most, that were        \
          rewritten, truncated or dropped since that was taken */                                  \
    X(ENGINE_QUERY_SOURCE_CHANGED)                                                                 \
    /* -> oid, schema_name, type_name, kind (pg_type.typtype), element (its oid; 0): the types     \
          that the database numbers in its own way */                                              \
    X(ENGINE_QUERY_OWN_TYPES)                                                                      \
    /* -> kind (made, reference, sequence), relation, attribute, schema_name, table_name,          \
          column_name, to_relation, to_attribute, sequence_schema, sequence_name, since: columns   \
          that the server fills with new values (the sequence that does, its last value; NULL),    \
          foreign keys column by column, sequences that fill no column */                          \
    X(ENGINE_QUERY_OWN_KEYS)                                                                       \
    /* -> oid, schema_name, signature ("f(integer, text)"): functions that the database numbers in \
          its own way */                                                                           \
    X(ENGINE_QUERY_OWN_FUNCTIONS)                                                                  \
    /* -> role_name: roles that may log in */                                                      \
    X(ENGINE_QUERY_LOGIN_ROLES)                                                                    \
    /* -> one row: max_connections, reserved (kept from a role like ours), used */                 \
    X(ENGINE_QUERY_SESSION_ROOM)                                                                   \
    /* -> pid, blockers (text "{..}"): of all sessions that wait for a lock */                     \
    X(ENGINE_QUERY_LOCK_WAITERS)                                                                   \
    /* -> one row: database, server_version, extension_schema (quoted; NULL: there is none),       \
          reads_all (bool), columns (of its view, blanks between; NULL), has_info (bool) */        \
    X(ENGINE_QUERY_STATEMENT_FACTS)

enum engine_query {
#define X(symbol) symbol,
    ENGINE_QUERY_LIST(X)
#undef X
        ENGINE_QUERY_COUNT
};

/* --- server programs -----------------------------------------------------------------------------
 */

struct server_programs {
    const char *bin_directory;
    int major;           /* 15 */
    const char *version; /* "15.18" */
};
struct server_list {
    struct server_programs *items;
    size_t count;
};

struct server_setting {
    const char *name, *value;
};

/* An entry of the server's own log. */
struct log_entry {
    int64_t pid;
    int64_t at_us; /* since 1970; 0 when the server logs in another time zone than UTC */
    const char *severity, *sqlstate, *message;       /* arena of the reader's caller */
    const char *detail, *hint, *context, *statement; /* NULL: none */
};
struct server_log; /* incremental reader of a log file */

/* How much of the data is read, and with what. */
struct data_state_options {
    int connections;   /* at most, at once; 0: DATA_STATE_CONNECTIONS */
    int64_t budget_us; /* tables that were not read by then are skipped, and say so */
    /* Of larger tables with a key, digests cover a sample of about so many bytes; 0: never. */
    int64_t sample_over_bytes;
    /* The state this one will be compared with: keys, samples and omissions are those. NULL: none.
     */
    const struct data_state *previous;
};
#define DATA_STATE_CONNECTIONS 2

/* A table of which some rows stay: those that meet the condition. */
struct kept_rows {
    const char *table;     /* qualified, quoted where needed */
    const char *condition; /* over the bare column names of FROM ONLY table */
};

/* What statements that are only tried must stand. */
enum engine_trial {
    ENGINE_TRIAL_CHECKS, /* all that the server checks, also what waits for the transaction's end */
    ENGINE_TRIAL_COUNTS  /* how many rows: no trigger fires, that of a foreign key neither */
};

struct engine {
    const char *name; /* "postgres" */
    unsigned features;

    /* All installed servers (or only those under `bin_directory` when given), newest last.
       RH_ERR_ENVIRONMENT with the places searched and the package to install when there is none. */
    enum err_code (*find_servers)(const char *bin_directory, struct arena *arena,
                                  struct server_list *ret_servers, struct err *err);

    /* RH_ERR_USAGE when `url` is no connection URL or string; the message does not repeat it. */
    enum err_code (*describe_url)(const char *url, struct arena *arena, struct url_place *ret_place,
                                  struct err *err);
    /* The same with all that the URL says, directly or through a service file; as libpq takes it,
       but for the environment, which counts for nothing. Reads ~/.pg_service.conf, ~/.pgpass and
       looks for certificates in ~/.postgresql as libpq does. RH_ERR_USAGE also for what a relay
       cannot do (GSS encryption, requirepeer, channel binding, target_session_attrs). */
    enum err_code (*describe_upstream)(const char *url, struct arena *arena,
                                       struct url_upstream *ret_upstream, struct err *err);
    enum err_code (*connect)(const struct connection_parameters *parameters, struct mono deadline,
                             struct connection **ret_connection, struct err *err);
    /* The same without blocking: fn is called once, from the loop, never from within this call.
       Cancelled (NULL allowed, not after fn was called) it is not called at all. */
    struct connecting *(*connect_start)(const struct connection_parameters *parameters,
                                        struct loop *loop, struct mono deadline,
                                        connect_done_fn *fn, void *context);
    void (*connect_cancel)(struct connecting *connecting);
    void (*close)(struct connection *connection);               /* NULL allowed */
    int (*server_version)(const struct connection *connection); /* 150018; 0 when lost */
    int64_t (*backend_pid)(const struct connection *connection);
    struct connection_traffic (*traffic)(const struct connection *connection); /* so far */

    /* Blocking, parameters as text (NULL: SQL NULL). What COPY TO STDOUT sends is dropped; COPY
       FROM STDIN fails, for want of data. `sql` may hold several statements only when
       parameter_count is 0; then the last result is returned. ret_rows may be NULL. */
    enum err_code (*query)(struct connection *connection, const char *sql,
                           const char *const *parameters, int parameter_count, struct mono deadline,
                           struct rows **ret_rows, struct err *err);

    /* As query, of one statement without parameters: where the server finds more than one in it,
       it refuses them all. */
    enum err_code (*query_single)(struct connection *connection, const char *sql,
                                  struct mono deadline, struct rows **ret_rows, struct err *err);

    /* Asynchronous on `loop`: attach once, then send; answers come in order. Any number may be
       under way (queued here). A lost connection answers all with RH_ERR_CONNECTION. */
    enum err_code (*attach)(struct connection *connection, struct loop *loop, struct err *err);
    void (*detach)(
        struct connection *connection); /* before the loop goes; pending ones are dropped */
    void (*send)(struct connection *connection, const char *sql, const char *const *parameters,
                 int parameter_count, query_done_fn *fn, void *context);
    /* As send, of a named query, prepared on first use. */
    void (*send_query)(struct connection *connection, enum engine_query query,
                       const char *const *parameters, int parameter_count, query_done_fn *fn,
                       void *context);
    /* As query, of a named query. */
    enum err_code (*ask)(struct connection *connection, enum engine_query query,
                         const char *const *parameters, int parameter_count, struct mono deadline,
                         struct rows **ret_rows, struct err *err);

    /* Which of reads and writes of a table must wait behind this lock mode ("Conflicting Lock
     * Modes"). */
    void (*lock_blocks)(const char *mode, bool *ret_reads, bool *ret_writes);

    /* Evidence from inside: installs it in the connected database (needs the sandbox's superuser)
       with a secret that genuine reports carry; decodes a report (`detail` of a private notice:
       a JSON object, behind it the locks). */
    const char *evidence_sqlstate; /* "RH001"; NULL where there is none */
    enum err_code (*install_evidence)(struct connection *connection, const char *secret,
                                      struct mono deadline, struct err *err);
    enum err_code (*decode_evidence)(const char *json, const char *secret, struct arena *arena,
                                     struct evidence *ret_evidence, struct err *err);
    /* Statements a canary session sends on a relation: a one-row read, a lock as a writer takes it.
     */
    char *(*probe_read_sql)(struct arena *arena, const char *relation);
    char *(*probe_write_sql)(struct arena *arena, const char *relation);
    /* A reader's lock on what is no plain table: index, materialized view, view. */
    char *(*probe_object_sql)(struct arena *arena, const char *relation);
    /* What our own sessions say first: quiet, bounded, with plans that do not surprise. */
    const char *observer_session_sql, *probe_session_sql;
    /* Gives at least one row unless the table is empty. */
    char *(*any_row_sql)(struct arena *arena, const char *relation);
    /*
     * A session that stands in a migration's way: `first` is said and waited for, then `then` is
     * sent and nobody waits for it (NULL: nothing more). It holds its lock on the relation from
     * then on, for so long, and lets go by itself.
     */
    void (*blocker_sql)(struct arena *arena, enum blocker_kind kind, const char *relation,
                        int64_t duration_us, const char **ret_first, const char **ret_then);
    /* For a clone that is thrown away: every role that is neither a superuser nor one of the
       server's own may log in with this password (letters and digits alone). */
    enum err_code (*admit_roles)(struct connection *connection, const char *password,
                                 struct mono deadline, struct err *err);
    /* Ends what a session is waiting for or doing, not the session. */
    char *(*cancel_sql)(struct arena *arena, int64_t backend_pid);

    /* States of the connected database; the connection is the superuser's or another role's (what
       it may not read is skipped and says so), attached to no loop, and its session's settings are
       changed for good, or up to the rollback of its transaction. `superuser` opens further
       connections as the same role where there is much to read. They wait for nobody: what is
       locked is skipped and says so. Blocking, up to the deadline. */
    enum err_code (*read_schema_state)(struct connection *connection, struct arena *arena,
                                       struct mono deadline, struct schema_state *ret_state,
                                       struct err *err);
    enum err_code (*read_data_state)(struct connection *connection,
                                     const struct connection_parameters *superuser,
                                     const struct data_state_options *options, struct arena *arena,
                                     struct mono deadline, struct data_state *ret_state,
                                     struct err *err);

    /* The catalogue of the connected database as the snapshot of the connection's transaction
       (which the caller began: read only, repeatable read; primary or standby) shows it, for a role
       that may be an ordinary one: what it may not see is told in not_observed. Nothing is written,
       no row of a user's table is read. The server locks tables as a reader does while it says
       their sizes and expressions, so that this waits behind ACCESS EXCLUSIVE, as lock_timeout has
       it. The session's search_path, quote_all_identifiers and jit are changed until the end of the
       transaction. Blocking, up to the deadline. */
    enum err_code (*read_catalog)(struct connection *connection, struct arena *arena,
                                  struct mono deadline, struct catalog *ret_catalog,
                                  struct err *err);

    /* What the server has counted of its statements in this database, up to `most` of them, those
       of the most time first: fn is called with each, but for those whose text may not be seen.
       Read only, in a transaction of its own. RH_ERR_ENVIRONMENT: it counts nothing here, with what
       is missing. Blocking, up to the deadline. */
    enum err_code (*read_statements)(struct connection *connection, size_t most,
                                     struct mono deadline, engine_statement_fn *fn, void *context,
                                     struct arena *arena, struct engine_statements *ret_statements,
                                     struct err *err);

    /* One row for each freedom, where one can be made: committed, by the sandbox's superuser, whose
       session settings are changed for good. Triggers fire. What could not be made says why.
       remove_rows takes back those that are still there, and nothing else: no trigger fires. */
    enum err_code (*write_rows)(struct connection *connection, const struct freedom *freedoms,
                                size_t count, struct arena *arena, struct mono deadline,
                                struct writes *ret_writes, struct err *err);
    enum err_code (*remove_rows)(struct connection *connection, struct arena *arena,
                                 struct mono deadline, struct writes *writes, struct err *err);

    /* Takes all other rows of these tables away and writes their files anew, as if more had never
       been there. The connection is the superuser's, with the settings of a new one, which are
       changed for good. No trigger fires; every condition is asked before the first row goes. */
    enum err_code (*keep_rows)(struct connection *connection, const struct kept_rows *tables,
                               size_t count, struct arena *arena, struct mono deadline,
                               struct err *err);

    /* Statements (one at least) one after the other, in a transaction that is rolled back; for a
       lock they wait ten seconds at most. *ret_tag: what the server says of the last ("UPDATE 10").
       RH_ERR_SERVER: it refuses one. The connection is the superuser's, in no transaction. */
    enum err_code (*try_statements)(struct connection *connection, enum engine_trial trial,
                                    const char *const *statements, size_t count,
                                    struct arena *arena, struct mono deadline, const char **ret_tag,
                                    struct err *err);

    /* Set questions (engine/inquiry.h). NULL when `sql`, one statement, cannot fail for its rows or
       cannot be understood: then only the server's words are known. The end of a transaction is
       asked about by the deferred key it broke, a block or function by what failed inside. */
    struct inquiry *(*inquiry_new)(const char *sql, const struct server_message *error,
                                   bool shows_values, struct arena *arena);
    const char *(*inquiry_next)(struct inquiry *inquiry, const struct inquiry_answer *answer);
    /* After the rollback: whether there is another repair to try, from the state before. */
    bool (*inquiry_again)(struct inquiry *inquiry);
    void (*inquiry_result)(const struct inquiry *inquiry, struct blocker *blocker);

    /* Bytes on disk of the databases and temporary files below a data directory, without those
       that every new server has: a stat() a file, 0.5 ms for a small database. -1: not readable. */
    int64_t (*data_bytes)(const char *data_directory);
    /*
     * Risks (model/risk.h) of the connected database. The connection is the superuser's, attached
     * to no loop; its session's settings are changed for good, and nothing else is. Blocking, up to
     * the deadline. A single question that the server refuses, or that takes too long, says so in
     * its not_asked and fails nothing.
     */
    enum err_code (*read_risk_marks)(struct connection *connection, struct arena *arena,
                                     struct mono deadline, struct risk_marks *ret_marks,
                                     struct err *err);
    /* After the run, its sessions being over: fills `statistics` and `activity`. */
    enum err_code (*compare_risk_marks)(struct connection *connection,
                                        const struct risk_marks *before, struct arena *arena,
                                        struct mono deadline, struct risks *risks, struct err *err);
    /* Of these tables: fills `headroom` (whatever the share) and `sequences` that are behind. */
    enum err_code (*ask_keys)(struct connection *connection, const char *const *tables,
                              size_t count, struct arena *arena, struct mono deadline,
                              struct risks *risks, struct err *err);
    /* Whether any value can differ after that change of type; false only where none can. Pure. */
    bool (*cast_can_lose)(const char *type_before, const char *type_after, bool has_expression);
    /* Of the database before the run: answers each. Of larger tables a sample of about so many
       bytes is read. */
    enum err_code (*ask_casts)(struct connection *connection, struct cast_risk *casts, size_t count,
                               int64_t sample_over_bytes, struct arena *arena, struct mono deadline,
                               struct err *err);
    /* Of the database after it: answers each. `role`: the migration's. */
    enum err_code (*ask_skipped)(struct connection *connection, const char *role,
                                 struct skipped_risk *steps, size_t count, struct arena *arena,
                                 struct mono deadline, struct err *err);
    /* `sources` comes in as all names in the expression, comma-separated, and goes out as columns.
     */
    enum err_code (*ask_nulls)(struct connection *connection, struct null_risk *items, size_t count,
                               struct arena *arena, struct mono deadline, struct err *err);

    /* --- copying a database (engine/source.h) --- */

    /* Where this connection has ended up. */
    void (*place)(const struct connection *connection, struct arena *arena,
                  struct connection_place *ret_place);
    /* Makes the session one that only reads and waits for nobody for long, begins a read-only,
       repeatable-read transaction and exports its snapshot, which lives as long as that. */
    enum err_code (*source_begin)(struct connection *connection,
                                  const struct source_options *options, struct arena *arena,
                                  struct mono deadline, struct source_facts *ret_facts,
                                  struct err *err);
    /* What the role may not read, of all that a dump reads; empty: nothing. */
    enum err_code (*source_lacks)(struct connection *connection, struct arena *arena,
                                  struct mono deadline, struct source_lacks *ret_lacks,
                                  struct err *err);
    /* The server's log, from the current end on. next: RH_OK with *ret_any false at the end. */
    enum err_code (*log_open)(const char *path, struct server_log **ret_log, struct err *err);
    void (*log_close)(struct server_log *log);
    enum err_code (*log_next)(struct server_log *log, struct arena *arena,
                              struct log_entry *ret_entry, bool *ret_any, struct err *err);
    /* What an entry says, when it is one of those we know; pure. */
    bool (*log_fact)(const struct log_entry *entry, struct arena *arena, struct log_fact *ret_fact);
};

extern const struct engine rh_engine_postgres;

#endif
