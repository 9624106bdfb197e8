/*
 * What the modules of this folder share: the members of rh_engine_postgres, each implemented in the
 * file named here. Contracts of the members are in engine/engine.h and are not repeated.
 */
#ifndef RH_ENGINE_POSTGRES_PG_ENGINE_INT_H
#define RH_ENGINE_POSTGRES_PG_ENGINE_INT_H

#include "engine/engine.h"

/* --- pg_servers.c --------------------------------------------------------------------------------
 */
enum err_code rh_pg_find_servers(const char *bin_directory, struct arena *arena,
                                 struct server_list *ret_servers, struct err *err) RH_MUST_CHECK;

/* --- pg_connect.c --------------------------------------------------------------------------------
 */
enum err_code rh_pg_describe_url(const char *url, struct arena *arena, struct url_place *ret_place,
                                 struct err *err) RH_MUST_CHECK;
enum err_code rh_pg_connect(const struct connection_parameters *parameters, struct mono deadline,
                            struct connection **ret_connection, struct err *err) RH_MUST_CHECK;
struct connecting *rh_pg_connect_start(const struct connection_parameters *parameters,
                                       struct loop *loop, struct mono deadline, connect_done_fn *fn,
                                       void *context);
void rh_pg_connect_cancel(struct connecting *connecting);

/* --- pg_upstream.c -------------------------------------------------------------------------------
 */
enum err_code rh_pg_describe_upstream(const char *url, struct arena *arena,
                                      struct url_upstream *ret_upstream,
                                      struct err *err) RH_MUST_CHECK;

/* --- pg_connection.c -----------------------------------------------------------------------------
 */
void rh_pg_close(struct connection *connection);
int rh_pg_server_version(const struct connection *connection);
int64_t rh_pg_backend_pid(const struct connection *connection);
struct connection_traffic rh_pg_traffic(const struct connection *connection);
enum err_code rh_pg_query(struct connection *connection, const char *sql,
                          const char *const *parameters, int parameter_count, struct mono deadline,
                          struct rows **ret_rows, struct err *err) RH_MUST_CHECK;
enum err_code rh_pg_query_single(struct connection *connection, const char *sql,
                                 struct mono deadline, struct rows **ret_rows,
                                 struct err *err) RH_MUST_CHECK;
enum err_code rh_pg_ask(struct connection *connection, enum engine_query query,
                        const char *const *parameters, int parameter_count, struct mono deadline,
                        struct rows **ret_rows, struct err *err) RH_MUST_CHECK;
enum err_code rh_pg_attach(struct connection *connection, struct loop *loop,
                           struct err *err) RH_MUST_CHECK;
void rh_pg_detach(struct connection *connection);
void rh_pg_send(struct connection *connection, const char *sql, const char *const *parameters,
                int parameter_count, query_done_fn *fn, void *context);
void rh_pg_send_query(struct connection *connection, enum engine_query query,
                      const char *const *parameters, int parameter_count, query_done_fn *fn,
                      void *context);

void rh_pg_place(const struct connection *connection, struct arena *arena,
                 struct connection_place *ret_place);
/* --- pg_source.c ---------------------------------------------------------------------------------
 */
enum err_code rh_pg_source_begin(struct connection *connection,
                                 const struct source_options *options, struct arena *arena,
                                 struct mono deadline, struct source_facts *ret_facts,
                                 struct err *err) RH_MUST_CHECK;
enum err_code rh_pg_source_lacks(struct connection *connection, struct arena *arena,
                                 struct mono deadline, struct source_lacks *ret_lacks,
                                 struct err *err) RH_MUST_CHECK;

/* --- pg_traffic.c ----------------------------------------------------------------------------- */
void rh_pg_blocker_sql(struct arena *arena, enum blocker_kind kind, const char *relation,
                       int64_t duration_us, const char **ret_first, const char **ret_then);
enum err_code rh_pg_admit_roles(struct connection *connection, const char *password,
                                struct mono deadline, struct err *err) RH_MUST_CHECK;

/* --- pg_queries.c --------------------------------------------------------------------------------
 */
/* The text of a named query for this server version (150018); a constant, never NULL. */
const char *rh_pg_query_text(enum engine_query query, int server_version);
char *rh_pg_probe_read_sql(struct arena *arena, const char *relation);
char *rh_pg_probe_write_sql(struct arena *arena, const char *relation);
char *rh_pg_probe_object_sql(struct arena *arena, const char *relation);
/* The next element of an array as text, {"a b","c\"d"}; both braces are the caller's. */
void rh_pg_add_element(struct buf *array, const char *text);
char *rh_pg_any_row_sql(struct arena *arena, const char *relation);
char *rh_pg_cancel_sql(struct arena *arena, int64_t backend_pid);
/* What only a superuser may set. */
#define PG_QUIET_LOG_SQL                                                                        \
    "SET log_min_messages = panic; SET log_statement = none; SET log_min_duration_statement = " \
    "-1; SET log_temp_files = -1; SET log_lock_waits = off; SET log_duration = off; "           \
    "SET auto_explain.log_min_duration = -1; "
#define PG_PLAIN_SESSION_SQL                                                                 \
    "SET jit = off; SET max_parallel_workers_per_gather = 0; SET search_path = pg_catalog; " \
    "SET default_transaction_isolation = 'read committed'; "                                 \
    "SET idle_in_transaction_session_timeout = 0; SET plan_cache_mode = force_generic_plan; "
#define PG_SESSION_SQL PG_QUIET_LOG_SQL PG_PLAIN_SESSION_SQL
/* JIT: the planner expects a thousand rows of every function and would compile the sampling query
   each time (measured on 15: 510 ms a sample with JIT, 0.5 ms without, less with a generic plan).
 */
#define PG_OBSERVER_SESSION_SQL \
    PG_SESSION_SQL "SET statement_timeout = '10s'; SET lock_timeout = '10s'"
/* A canary waits as long as it must. It holds nothing while it waits, so it is in no deadlock. */
#define PG_PROBE_SESSION_SQL \
    PG_SESSION_SQL "SET statement_timeout = 0; SET lock_timeout = 0; SET deadlock_timeout = '1h'"

/* --- pg_locks.c ----------------------------------------------------------------------------------
 */
void rh_pg_lock_blocks(const char *mode, bool *ret_reads, bool *ret_writes);

/* --- pg_evidence.c -------------------------------------------------------------------------------
 */
#define PG_EVIDENCE_SQLSTATE "RH001"
enum err_code rh_pg_install_evidence(struct connection *connection, const char *secret,
                                     struct mono deadline, struct err *err) RH_MUST_CHECK;
enum err_code rh_pg_decode_evidence(const char *json, const char *secret, struct arena *arena,
                                    struct evidence *ret_evidence, struct err *err) RH_MUST_CHECK;

/* --- pg_state_schema.c ---------------------------------------------------------------------------
 */
enum err_code rh_pg_read_schema_state(struct connection *connection, struct arena *arena,
                                      struct mono deadline, struct schema_state *ret_state,
                                      struct err *err) RH_MUST_CHECK;
/* A session that reads states: every text form is pinned, nothing is written, nobody waited for. */
#define PG_STATE_SESSION_SQL                                                             \
    PG_PLAIN_SESSION_SQL                                                                 \
    "SET statement_timeout = 0; SET lock_timeout = '2s'; "                               \
    "SET default_transaction_read_only = on; SET quote_all_identifiers = off; "          \
    "SET DateStyle = 'ISO, YMD'; SET IntervalStyle = 'postgres'; SET TimeZone = 'UTC'; " \
    "SET extra_float_digits = 1; SET bytea_output = 'hex'; SET lc_monetary = 'C'; "      \
    "SET xmlbinary = 'base64'; SET enable_tidscan = on; SET row_security = on"
/* Makes the session one that reads states; its log is kept quiet where its role may do that, as a
   superuser. */
enum err_code rh_pg_state_session(struct connection *connection, struct mono deadline,
                                  bool *ret_is_superuser, struct err *err) RH_MUST_CHECK;
/* One database and its physical copies: system identifier and the database's id. */
enum err_code rh_pg_state_lineage(struct connection *connection, struct arena *arena,
                                  struct mono deadline, const char **ret_lineage,
                                  struct err *err) RH_MUST_CHECK;

/* --- pg_state_data.c -----------------------------------------------------------------------------
 */
enum err_code rh_pg_read_data_state(struct connection *connection,
                                    const struct connection_parameters *superuser,
                                    const struct data_state_options *options, struct arena *arena,
                                    struct mono deadline, struct data_state *ret_state,
                                    struct err *err) RH_MUST_CHECK;

/* --- pg_catalog_read.c ---------------------------------------------------------------------------
 */
enum err_code rh_pg_read_catalog(struct connection *connection, struct arena *arena,
                                 struct mono deadline, struct catalog *ret_catalog,
                                 struct err *err) RH_MUST_CHECK;

/* --- pg_inquiry.c --------------------------------------------------------------------------------
 */
struct inquiry *rh_pg_inquiry_new(const char *sql, const struct server_message *error,
                                  bool shows_values, struct arena *arena);
const char *rh_pg_inquiry_next(struct inquiry *inquiry, const struct inquiry_answer *answer);
bool rh_pg_inquiry_again(struct inquiry *inquiry);
void rh_pg_inquiry_result(const struct inquiry *inquiry, struct blocker *blocker);
/* --- pg_files.c ----------------------------------------------------------------------------------
 */
int64_t rh_pg_data_bytes(const char *data_directory);
/* --- pg_risks.c, pg_risks_casts.c, pg_risks_steps.c ----------------------------------------------
 */
enum err_code rh_pg_read_risk_marks(struct connection *connection, struct arena *arena,
                                    struct mono deadline, struct risk_marks *ret_marks,
                                    struct err *err) RH_MUST_CHECK;
enum err_code rh_pg_compare_risk_marks(struct connection *connection,
                                       const struct risk_marks *before, struct arena *arena,
                                       struct mono deadline, struct risks *risks,
                                       struct err *err) RH_MUST_CHECK;
enum err_code rh_pg_ask_keys(struct connection *connection, const char *const *tables, size_t count,
                             struct arena *arena, struct mono deadline, struct risks *risks,
                             struct err *err) RH_MUST_CHECK;
bool rh_pg_cast_can_lose(const char *type_before, const char *type_after, bool has_expression);
enum err_code rh_pg_ask_casts(struct connection *connection, struct cast_risk *casts, size_t count,
                              int64_t sample_over_bytes, struct arena *arena, struct mono deadline,
                              struct err *err) RH_MUST_CHECK;
enum err_code rh_pg_ask_skipped(struct connection *connection, const char *role,
                                struct skipped_risk *steps, size_t count, struct arena *arena,
                                struct mono deadline, struct err *err) RH_MUST_CHECK;
enum err_code rh_pg_ask_nulls(struct connection *connection, struct null_risk *items, size_t count,
                              struct arena *arena, struct mono deadline,
                              struct err *err) RH_MUST_CHECK;
/* --- pg_writes.c ---------------------------------------------------------------------------------
 */
enum err_code rh_pg_write_rows(struct connection *connection, const struct freedom *freedoms,
                               size_t count, struct arena *arena, struct mono deadline,
                               struct writes *ret_writes, struct err *err) RH_MUST_CHECK;
enum err_code rh_pg_remove_rows(struct connection *connection, struct arena *arena,
                                struct mono deadline, struct writes *writes,
                                struct err *err) RH_MUST_CHECK;

/* --- pg_keep_rows.c --- */
enum err_code rh_pg_keep_rows(struct connection *connection, const struct kept_rows *tables,
                              size_t count, struct arena *arena, struct mono deadline,
                              struct err *err) RH_MUST_CHECK;

/* --- pg_trial.c --- */
enum err_code rh_pg_try_statements(struct connection *connection, enum engine_trial trial,
                                   const char *const *statements, size_t count, struct arena *arena,
                                   struct mono deadline, const char **ret_tag,
                                   struct err *err) RH_MUST_CHECK;

/* --- pg_log.c ------------------------------------------------------------------------------------
 */
enum err_code rh_pg_log_open(const char *path, struct server_log **ret_log,
                             struct err *err) RH_MUST_CHECK;
void rh_pg_log_close(struct server_log *log);
enum err_code rh_pg_log_next(struct server_log *log, struct arena *arena,
                             struct log_entry *ret_entry, bool *ret_any,
                             struct err *err) RH_MUST_CHECK;

/* --- pg_log_facts.c --------------------------------------------------------------------------- */
bool rh_pg_log_fact(const struct log_entry *entry, struct arena *arena, struct log_fact *ret_fact);

#endif
