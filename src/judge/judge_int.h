/*
 * What the rules share: the trace laid out flat, who could not read or write which table for how
 * long (blocks), and what made it take that long (causes). Built once per judgement, before any
 * rule.
 *
 * Everything lies in the arena of the result.
 */
#ifndef RH_JUDGE_JUDGE_INT_H
#define RH_JUDGE_JUDGE_INT_H

#include "base/say.h"
#include "judge/rules.h"
#include "model/result.h"

#define NO_ACT SIZE_MAX

/* A statement or one of its children, in the order they ran. */
struct act {
    const struct statement *statement;
    const struct statement *top; /* what the client sent; itself for a top-level statement */
    size_t top_order;            /* index of `top` in trace.statements */
    int64_t transaction_key;     /* transactions by index; one of its own (negative) for each
                                    statement that ran outside any */
    size_t next;                 /* the next act of the same transaction; NO_ACT */
    bool is_control;             /* BEGIN, COMMIT, SET, SHOW ...: does no work of its own */
};

/* A time as production's rows would make it; of a copy that is whole, the time itself. */
struct production_time {
    bool is_scaled;
    const char *refusal; /* scaled it should be, and cannot: why; NULL */
    int64_t us, low_us, high_us;
};

/*
 * One existing table in one transaction: from the first lock that others had to wait for to the end
 * of the transaction. Locks of its indexes are its own (a SELECT takes ACCESS SHARE on every index
 * of its tables while it is planned); TOAST tables are never named.
 */
struct block {
    int64_t transaction_key;
    const char *relation, *kind;
    const struct relation_facts *facts; /* NULL: unknown */
    const char *mode; /* the strongest, "AccessExclusiveLock"; NULL: probes only */
    size_t first_act; /* that took (or asked for) the first blocking lock */
    int64_t from_us, until_us;
    int64_t read_us, write_us;             /* from locks: for so long no one could read / write */
    int64_t probe_read_us, probe_write_us; /* as canary sessions measured it */
    int64_t query_read_us, query_write_us; /* as production's queries met it (judge/traffic.c) */
    int64_t queries_waited;
    int64_t waited_us; /* the migration itself, for its lock */
    const char *waited_for;
    bool counts; /* towards the gate: not proven empty */
    bool is_granted;
    bool is_explained; /* a cause carries it: blocks-reads and blocks-writes keep silent */
    /* From from_us to until_us; the times above (read, write, probes) are scaled by it. */
    struct production_time production;
    int64_t here_us; /* the longest of them as it was measured */
};

enum cause_kind { CAUSE_REWRITE, CAUSE_INDEX_REBUILD, CAUSE_INDEX_WORK, CAUSE_SCAN };

/* What a transaction did to a table while it blocked it (or would have, on more rows). */
struct cause {
    enum cause_kind kind;
    int64_t transaction_key;
    const char *relation;
    struct block *block; /* NULL: no blocking lock was seen */
    const struct relation_facts *facts;
    VEC(size_t) acts;
    int64_t duration_us; /* of those statements */
    const char *reason;  /* of a rewrite */
    int64_t bytes, rows; /* written; read. NOT_OBSERVED */
    VEC(const char *) indexes;
    bool is_blamed; /* the block is over the gate and this is why: an error, else a warning */
};

/* A finding before it is sorted, and the sentence the headline would say of it. */
struct found {
    struct finding finding;
    const char *headline;
    int64_t weight; /* among findings of one severity: larger is worse */
    size_t order;   /* as found, to keep the sort stable */
};

struct judgement {
    struct result *result;
    struct arena *arena;
    const struct trace *trace;
    const struct limits *limits;
    VEC(struct act) acts;
    VEC(struct block) blocks; /* by transaction, then relation */
    VEC(struct cause) causes; /* in the order of their first act */
    VEC(struct found) found;
    const struct relation_facts **facts; /* by name */
    int64_t longest_block_us;            /* of the blocks that count */
    const char *longest_block_relation;
};

/* judgement.c: building */
void rh_judgement_init(struct judgement *judgement, struct result *result);
void rh_judgement_find_blocks(struct judgement *judgement);
void rh_judgement_find_causes(struct judgement *judgement);

/* production.c: between two moments of the trace; `session` -1: of all statements. */
struct production_time rh_judgement_production(const struct judgement *judgement, int64_t from_us,
                                               int64_t until_us, int session);
void rh_judgement_scale_blocks(struct judgement *judgement);
/* The ends of the range of rh_block_us. */
int64_t rh_block_low_us(const struct block *block);
int64_t rh_block_high_us(const struct block *block);
/* Why the blocked time in production may or may not be over the limit; NULL: it is known. */
const char *rh_judgement_unscaled(const struct judgement *judgement);
/* "3m20s in production (2m50s to 4m00s; 2.1 s here)"; of a whole copy "2.1 s". */
const char *rh_say_production(struct arena *arena, const struct production_time *production,
                              int64_t here_us);

/* traffic.c: which queries of the replay waited for which lock; into the traffic of the result, and
   into the blocks. Once, behind rh_judgement_find_blocks. */
void rh_judgement_take_traffic(struct judgement *judgement);
/* What the findings on those locks say of it; once, behind the rules. */
void rh_judgement_tell_traffic(struct judgement *judgement);
/* Why the traffic proves nothing of the queries; NULL when it does, or none was asked for. */
const char *rh_judgement_traffic_doubt(const struct judgement *judgement);
/* rules_traffic.c: */
void rh_rule_pool_exhaustion(const struct rule *rule, struct judgement *judgement);
/* What fails while the migration runs, and not without it. */
void rh_rule_query_error_of_traffic(const struct rule *rule, struct judgement *judgement);
void rh_rule_cached_plan_of_traffic(const struct rule *rule, struct judgement *judgement);

/* Queries. */
const struct relation_facts *rh_judgement_facts(const struct judgement *judgement,
                                                const char *relation);
struct block *rh_judgement_block(struct judgement *judgement, int64_t transaction_key,
                                 const char *relation);
/* The longest anything that reads, or writes, would wait behind it: by locks, probes, queries. */
int64_t rh_block_read_us(const struct block *block);
int64_t rh_block_write_us(const struct block *block);
int64_t rh_block_us(const struct block *block); /* the longest anything would wait behind it */
/* For sorting: by that time, what an empty table would make wait behind all that counts. */
int64_t rh_block_weight(const struct block *block);
bool rh_block_is_over(const struct judgement *judgement, const struct block *block);
/* The step a statement belongs to; a wrapped command's own statements have that command. NULL. */
const struct step *rh_judgement_step(const struct judgement *judgement,
                                     const struct statement *statement);
/* "0042_x.sql"; a long command line is cut; "the migration" for none. */
const char *rh_judgement_subject(const struct judgement *judgement,
                                 const struct statement *statement);
bool rh_is_toast(const char *relation);
bool rh_is_one_of(const char *s, const char *const *names, size_t count);
#define RH_IS_ONE_OF(s, ...)                              \
    rh_is_one_of((s), (const char *const[]){__VA_ARGS__}, \
                 sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *))
/* The clause of that kind, in the act or what encloses it; with `relation`, for that table. NULL.
 */
const struct clause *rh_act_clause(const struct act *act, enum clause_kind kind);

/* The first act of the statement of that index; NULL for none, and for 0. */
const struct act *rh_judgement_act(const struct judgement *judgement, int statement);

/*
 * Adding. `act` NULL: the run as a whole. The finding's title, why, advice and so on are set by the
 * caller; the pointer is valid until the next add.
 */
struct found *rh_judgement_add(struct judgement *judgement, const struct rule *rule,
                               enum severity severity, const struct act *act, const char *relation);
/* Evidence of the finding; times in ms, texts masked by the trace already. */
void rh_evidence_text(struct found *found, const char *key, const char *value);
void rh_evidence_count(struct found *found, const char *key, int64_t value);
void rh_evidence_ms(struct found *found, const char *key, int64_t us);
void rh_evidence_json(struct found *found, const char *key, json_t *value); /* steals */

/* judge_text.c: how things are said. Results lie in the arena. */
const char *rh_say_duration(struct arena *arena, int64_t us); /* "15m02s" */
const char *rh_say_limit(struct arena *arena, int64_t us);    /* as a user writes it: "2s" */
/* "public.orders (98,100,000 rows, 41 GB)"; what is not known is left out. */
const char *rh_say_relation(struct arena *arena, const char *relation,
                            const struct relation_facts *facts);
/* A name for a new object: "orders_email_not_null"; quoted where needed, at most 63 bytes. */
const char *rh_say_new_name(struct arena *arena, const char *relation, const char *column,
                            const char *suffix);
/* "SELECT, INSERT, UPDATE and DELETE" and the like: who waits behind the block. */
const char *rh_say_waiters(const struct block *block);

/* "reads and writes blocked for 15m02s", "writes blocked for 3 s". */
const char *rh_say_blocked(struct arena *arena, const struct block *block);
/* The same as figures: mode, blocked_reads_ms, blocked_writes_ms, limit_ms, rows, bytes. */
void rh_evidence_block(struct judgement *judgement, struct found *found, const struct block *block);
/* "0043.sql would lock public.orders for 15m02s (limit 2s)". */
const char *rh_headline_block(struct judgement *judgement, const struct act *act,
                              const struct block *block);

/* The rules, by file. rules_locks.c: */
void rh_rule_blocks_reads(const struct rule *rule, struct judgement *judgement);
void rh_rule_blocks_writes(const struct rule *rule, struct judgement *judgement);
void rh_rule_lock_queue(const struct rule *rule, struct judgement *judgement);
void rh_rule_lock_held_across_statements(const struct rule *rule, struct judgement *judgement);
void rh_rule_no_lock_timeout(const struct rule *rule, struct judgement *judgement);
/* rules_causes.c: */
void rh_rule_table_rewrite(const struct rule *rule, struct judgement *judgement);
void rh_rule_index_rebuild(const struct rule *rule, struct judgement *judgement);
void rh_rule_index_blocks_writes(const struct rule *rule, struct judgement *judgement);
void rh_rule_scan_under_lock(const struct rule *rule, struct judgement *judgement);
/* rules_errors.c: */
void rh_rule_concurrently_in_transaction(const struct rule *rule, struct judgement *judgement);
void rh_rule_deadlock(const struct rule *rule, struct judgement *judgement);
void rh_rule_lock_timeout(const struct rule *rule, struct judgement *judgement);
void rh_rule_statement_timeout(const struct rule *rule, struct judgement *judgement);
void rh_rule_statement_error(const struct rule *rule, struct judgement *judgement);
/* The row the server named and the stack of functions, as sentences with a blank before them; "".
 */
const char *rh_say_context(struct arena *arena, const struct server_message *error);
/* Whether the run failed by a statement of its own. */
bool rh_judgement_has_failed_statement(const struct judgement *judgement);
/* rules_blockers.c: */
void rh_rule_offenders(const struct rule *rule, struct judgement *judgement);
void rh_rule_statement_error_of_blockers(const struct rule *rule, struct judgement *judgement);
/* The rows that made this statement fail are findings of their own. */
bool rh_judgement_has_offenders(const struct judgement *judgement, const struct statement *top);
/* What is said of several blockers at once, and how many findings that covers; NULL: there are not
   several. */
const char *rh_judgement_blockers_headline(const struct judgement *judgement, size_t *ret_findings);
/* What a SQLSTATE means and what to do about it, for this very statement. */
struct sqlstate_advice {
    const char *meaning, *advice, *sql; /* sql NULL for none */
};
struct sqlstate_advice rh_sqlstate_advice(const struct judgement *judgement, const struct act *act);
/* rules_objects.c: */
void rh_rule_destructive(const struct rule *rule, struct judgement *judgement);
void rh_rule_unnamed_side_effect(const struct rule *rule, struct judgement *judgement);
void rh_rule_invalid_left_behind(const struct rule *rule, struct judgement *judgement);
/* explain_differences.c: which statement accounts for which difference; once, before the rules. */
void rh_judgement_explain(struct judgement *judgement);
/* Whether the words of the statement, or of what code that it is ran, have the last part of a name
   as a word. In doubt they do. */
bool rh_act_names(const struct act *act, const char *identity);
/* It succeeded, and its transaction was committed. */
bool rh_act_has_effect(const struct judgement *judgement, const struct act *act);
/* rules_states.c: */
void rh_rule_states_side_effect(const struct rule *rule, struct judgement *judgement);
void rh_rule_data_lost(const struct rule *rule, struct judgement *judgement);
void rh_rule_row_count_changed(const struct rule *rule, struct judgement *judgement);
/* rules_repetition.c: */
void rh_rule_not_repeatable(const struct rule *rule, struct judgement *judgement);
void rh_rule_half_applied(const struct rule *rule, struct judgement *judgement);
/* rules_rollback.c: */
/* Where nothing inside the server reported what was dropped, the differences tell; once, behind
   rh_judgement_explain. */
void rh_judgement_take_drops(struct judgement *judgement);
void rh_rule_rollback_left_changes(const struct rule *rule, struct judgement *judgement);
/* rules_checks.c: */
void rh_rule_check_changed(const struct rule *rule, struct judgement *judgement);
void rh_rule_check_failed(const struct rule *rule, struct judgement *judgement);
/* Why a check of the user's proves nothing; NULL when all were decided. */
const char *rh_judgement_undecided_check(const struct judgement *judgement);
/* rules_risks.c: what became of values, keys and statistics */
void rh_rule_lossy_cast(const struct rule *rule, struct judgement *judgement);
void rh_rule_near_limit(const struct rule *rule, struct judgement *judgement);
void rh_rule_integer_headroom(const struct rule *rule, struct judgement *judgement);
void rh_rule_sequence_behind(const struct rule *rule, struct judgement *judgement);
void rh_rule_statistics_lost(const struct rule *rule, struct judgement *judgement);
void rh_rule_null_unhandled(const struct rule *rule, struct judgement *judgement);
/* rules_risks_writes.c: how many rows a transaction wrote, and where */
void rh_rule_backfill_unbatched(const struct rule *rule, struct judgement *judgement);
void rh_rule_cascade_rows(const struct rule *rule, struct judgement *judgement);
/* The rows of a table that a statement changed without naming it; NULL for none. */
const struct activity_risk *rh_judgement_cascade(const struct judgement *judgement,
                                                 const char *table);
/* rules_risks_steps.c: what a step did not do, or did besides */
void rh_rule_no_effect(const struct rule *rule, struct judgement *judgement);
void rh_rule_nullability_changed(const struct rule *rule, struct judgement *judgement);
void rh_rule_default_changed(const struct rule *rule, struct judgement *judgement);
/* Whether one of the two rules above tells this change of a column. */
bool rh_rule_owns_column_change(const struct judgement *judgement,
                                const struct schema_difference *difference);
/* rules_sample.c: */
/* Counts of rows that were sampled say so; once, behind the rules. */
void rh_judgement_tell_samples(struct judgement *judgement);
/* Why success on the rows of a sample proves nothing; NULL when it does, or nothing read them. May
   add a note. */
const char *rh_judgement_sample_doubt(struct judgement *judgement);
/* A certificate of the snapshot failed; NULL for none. */
const char *rh_judgement_snapshot_doubt(const struct judgement *judgement);
void rh_rule_unsanitized_snapshot(const struct rule *rule, struct judgement *judgement);
/* rules_way_back.c: */
void rh_rule_down_fails(const struct rule *rule, struct judgement *judgement);
void rh_rule_down_differs(const struct rule *rule, struct judgement *judgement);
void rh_rule_down_loses_data(const struct rule *rule, struct judgement *judgement);
void rh_rule_restore_fails(const struct rule *rule, struct judgement *judgement);
void rh_rule_restore_differs(const struct rule *rule, struct judgement *judgement);
/* rules_run.c: */
void rh_rule_duration_gate(const struct rule *rule, struct judgement *judgement);
void rh_rule_disk_gate(const struct rule *rule, struct judgement *judgement);
void rh_rule_wal_gate(const struct rule *rule, struct judgement *judgement);
void rh_rule_lag_gate(const struct rule *rule, struct judgement *judgement);
void rh_rule_server_crash(const struct rule *rule, struct judgement *judgement);
void rh_rule_no_connection(const struct rule *rule, struct judgement *judgement);
void rh_rule_open_transaction(const struct rule *rule, struct judgement *judgement);
void rh_rule_command_failed(const struct rule *rule, struct judgement *judgement);
void rh_rule_not_observed(const struct rule *rule, struct judgement *judgement);

/* rules_queries.c: */
void rh_rule_query_error(const struct rule *rule, struct judgement *judgement);
void rh_rule_query_slower(const struct rule *rule, struct judgement *judgement);
void rh_rule_result_changed(const struct rule *rule, struct judgement *judgement);
void rh_rule_plan_changed(const struct rule *rule, struct judgement *judgement);
void rh_rule_estimate_off(const struct rule *rule, struct judgement *judgement);
void rh_rule_missing_index(const struct rule *rule, struct judgement *judgement);
void rh_rule_cached_plan_broken(const struct rule *rule, struct judgement *judgement);
/* What statistics-lost says of queries that were measured before and after an ANALYZE. */
void rh_rule_queries_statistics_lost(const struct rule *rule, struct judgement *judgement);
/* What is said of an index that was tried: all but the title and the advice. */
void rh_judgement_put_index(struct arena *arena, struct found *found,
                            const struct index_proposal *proposal);
/* All that is said of an ANALYZE that was tried. */
void rh_judgement_put_analyze(struct arena *arena, struct found *found, const char *name,
                              double before_us, const struct query_retry *retry);
/* rules_new_queries.c: the queries that the release brings */
void rh_rule_new_query_error(const struct rule *rule, struct judgement *judgement);
void rh_rule_new_query_slow(const struct rule *rule, struct judgement *judgement);
void rh_rule_new_query_costly(const struct rule *rule, struct judgement *judgement);
/* What missing-index and statistics-lost say of them. */
void rh_rule_missing_index_of_new(const struct rule *rule, struct judgement *judgement);
void rh_rule_statistics_lost_of_new(const struct rule *rule, struct judgement *judgement);
/* Their limits as a gate, once, behind the other gates. */
void rh_judgement_measure_new_query_gate(struct judgement *judgement);
/* Why they give no answer; NULL when they do, or there are none. */
const char *rh_judgement_new_query_doubt(const struct judgement *judgement);
/* query_gates.c: the queries of the recording, then those that a transform made of them; `query`
   NULL: the first; NULL: no more. */
const struct query_comparison *rh_judgement_next_query(const struct judgement *judgement,
                                                       const struct query_comparison *query);
/* One that nobody sends any more once the migration is done. */
bool rh_judgement_is_moot(const struct judgement *judgement, const struct query_comparison *query);
/* query_gates.c: gates.regression_thresholds, once, behind the other gates. */
void rh_judgement_measure_query_gates(struct judgement *judgement);
/* Why the queries give no answer; NULL when they do, or were not compared. */
const char *rh_judgement_query_doubt(const struct judgement *judgement);
/* Of a comparison alone in which nothing was found. */
const char *rh_judgement_query_headline(const struct judgement *judgement);

/* gates.c: measured against the limits, once, before the rules. */
void rh_judgement_measure_gates(struct judgement *judgement);
const struct gate *rh_judgement_gate(const struct judgement *judgement, const char *name);
/* The longest statement whose locks were not observed but cannot have outlived it: nothing waited
   behind it for longer than that. Part of the "blocked" gate; 0 for none. */
int64_t rh_judgement_unseen_us(const struct judgement *judgement);
/* Why no conclusion "it blocks nobody" may be drawn; NULL when it may. */
const char *rh_judgement_blind_spot(const struct judgement *judgement);
/* -1: not known. wal_bytes / replica_apply_bytes_per_s. */
int64_t rh_judgement_lag_us(const struct judgement *judgement);

#endif
