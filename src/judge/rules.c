#include "judge/rules.h"

#include "base/wrap.h"
#include "judge/judge_int.h"
#include "judge/rules_text.h"
#include "judge/rules_text_blockers.h"
#include "judge/rules_text_new_queries.h"
#include "judge/rules_text_queries.h"
#include "judge/rules_text_traffic.h"

#include <string.h>

#define ALIASES(...) ((const char *const[]){__VA_ARGS__, NULL})
#define NO_ALIASES ((const char *const[]){NULL})

#define OVER_GATE "error over the gate, else warning"

/* Aliases: eugene's E*, squawk's names, strong_migrations' keys, Atlas' codes, pgfence's policies,
   pg-migration-lint's PGM*, as of 2026. Each leads to one rule. */
const struct rule rh_rules[] = {
    {"server-crash", "error", "the server died while the migration ran", rh_rule_server_crash,
     TEXT_SERVER_CRASH, NO_ALIASES},
    {"no-connection", "error", "the command never connected to the sandbox", rh_rule_no_connection,
     TEXT_NO_CONNECTION, NO_ALIASES},
    {"statement-error", "error", "the server refused a statement", rh_rule_statement_error,
     TEXT_STATEMENT_ERROR, ALIASES("adding-required-field", "MF103")},
    {"duplicate-keys", "error", "rows would share a key that must be unique", rh_rule_offenders,
     TEXT_DUPLICATE_KEYS, NO_ALIASES},
    {"null-values", "error", "rows are NULL where NULL will not be allowed", rh_rule_offenders,
     TEXT_NULL_VALUES, NO_ALIASES},
    {"orphan-rows", "error", "rows refer to rows that are not there", rh_rule_offenders,
     TEXT_ORPHAN_ROWS, NO_ALIASES},
    {"check-violations", "error", "rows violate a check constraint", rh_rule_offenders,
     TEXT_CHECK_VIOLATIONS, NO_ALIASES},
    {"exclusion-conflicts", "error", "rows exclude each other", rh_rule_offenders,
     TEXT_EXCLUSION_CONFLICTS, NO_ALIASES},
    {"partition-misfits", "error", "rows do not fit the bounds of their partition",
     rh_rule_offenders, TEXT_PARTITION_MISFITS, NO_ALIASES},
    {"cast-failure", "error", "values cannot become the new type", rh_rule_offenders,
     TEXT_CAST_FAILURE, NO_ALIASES},
    {"value-too-long", "error", "values are too long for the new type", rh_rule_offenders,
     TEXT_VALUE_TOO_LONG, NO_ALIASES},
    {"out-of-range", "error", "values are out of the new type's range", rh_rule_offenders,
     TEXT_OUT_OF_RANGE, NO_ALIASES},
    {"concurrently-in-transaction", "error",
     "a command that must not run inside a transaction was sent inside one",
     rh_rule_concurrently_in_transaction, TEXT_CONCURRENTLY_IN_TRANSACTION,
     ALIASES("ban-concurrent-index-creation-in-transaction", "concurrent-in-transaction", "PG103",
             "PGM003")},
    {"deadlock", "error", "the server broke a deadlock by ending the migration's transaction",
     rh_rule_deadlock, TEXT_DEADLOCK, NO_ALIASES},
    {"lock-timeout", "error", "a lock was not free within lock_timeout", rh_rule_lock_timeout,
     TEXT_LOCK_TIMEOUT, NO_ALIASES},
    {"statement-timeout", "error", "a statement was cancelled by statement_timeout",
     rh_rule_statement_timeout, TEXT_STATEMENT_TIMEOUT, NO_ALIASES},
    {"open-transaction", "error", "the migration ended with a transaction open",
     rh_rule_open_transaction, TEXT_OPEN_TRANSACTION,
     ALIASES("ban-uncommitted-transaction", "unclosed-transaction")},
    {"command-failed", "error", "the command reported failure though no statement failed",
     rh_rule_command_failed, TEXT_COMMAND_FAILED, NO_ALIASES},
    {"table-rewrite", OVER_GATE, "an existing table was written anew", rh_rule_table_rewrite,
     TEXT_TABLE_REWRITE,
     ALIASES("E5", "E10", "E11", "changing-column-type", "adding-field-with-default",
             "prefer-repack", "add_column_default", "add_column_generated_stored",
             "add_column_auto_incrementing", "change_column", "PG301", "PG302")},
    {"index-rebuild", OVER_GATE, "an index of an existing table was written anew",
     rh_rule_index_rebuild, TEXT_INDEX_REBUILD, NO_ALIASES},
    {"index-blocks-writes", OVER_GATE,
     "an index was built, dropped or rebuilt without CONCURRENTLY", rh_rule_index_blocks_writes,
     TEXT_INDEX_BLOCKS_WRITES,
     ALIASES("E6", "E7", "E8", "require-concurrent-index-creation",
             "require-concurrent-index-deletion", "require-concurrent-reindex",
             "disallowed-unique-constraint", "adding-serial-primary-key-field", "add_index",
             "remove_index", "add_unique_constraint", "add_exclusion_constraint", "PG101", "PG102",
             "PG104", "PG105")},
    {"scan-under-lock", OVER_GATE, "an existing table was read whole while others had to wait",
     rh_rule_scan_under_lock, TEXT_SCAN_UNDER_LOCK,
     ALIASES("E1", "E2", "adding-foreign-key-constraint", "adding-not-nullable-field",
             "constraint-missing-not-valid", "add_reference", "add_foreign_key",
             "add_check_constraint", "change_column_null", "validate_foreign_key",
             "validate_check_constraint", "not-valid-validate-same-tx", "PG303", "PG305")},
    {"blocks-reads", "error", "reads of an existing table would wait longer than the gate",
     rh_rule_blocks_reads, TEXT_BLOCKS_READS, NO_ALIASES},
    {"blocks-writes", "error", "writes to an existing table would wait longer than the gate",
     rh_rule_blocks_writes, TEXT_BLOCKS_WRITES, NO_ALIASES},
    {"lock-queue", "error", "the migration waited for a lock, and a queue formed behind it",
     rh_rule_lock_queue, TEXT_LOCK_QUEUE, NO_ALIASES},
    {"pool-exhaustion", "error", "queries that wait would take the application's last connection",
     rh_rule_pool_exhaustion, TEXT_POOL_EXHAUSTION, NO_ALIASES},
    {"lock-held-across-statements", "warning",
     "further statements ran while a blocking lock was held", rh_rule_lock_held_across_statements,
     TEXT_LOCK_HELD_ACROSS_STATEMENTS,
     ALIASES("E4", "statement-after-access-exclusive", "wide-lock-window")},
    {"no-lock-timeout", "warning", "a blocking lock was asked for with lock_timeout 0",
     rh_rule_no_lock_timeout, TEXT_NO_LOCK_TIMEOUT,
     ALIASES("E9", "require-lock-timeout", "require-timeout-settings", "missing-lock-timeout",
             "lock-timeout-zero")},
    {"duration-gate", "error", "the migration took longer than --max-duration",
     rh_rule_duration_gate, TEXT_DURATION_GATE, NO_ALIASES},
    {"disk-gate", "error", "the migration needed more disk than its limit", rh_rule_disk_gate,
     TEXT_DISK_GATE, ALIASES("MP102")},
    {"wal-gate", "error", "the migration wrote more WAL than its limit", rh_rule_wal_gate,
     TEXT_WAL_GATE, NO_ALIASES},
    {"lag-gate", "error", "the migration's WAL would put replicas behind by more than the limit",
     rh_rule_lag_gate, TEXT_LAG_GATE, ALIASES("MP103")},
    {"destructive", "warning", "tables, columns, schemas or all rows of a table went for good",
     rh_rule_destructive, TEXT_DESTRUCTIVE,
     ALIASES("ban-drop-table", "ban-drop-column", "ban-drop-database", "ban-truncate-cascade",
             "remove_column", "create_table", "DS101", "DS102", "DS103")},
    {"data-lost", "error", "rows or values vanished, and no statement says so", rh_rule_data_lost,
     TEXT_DATA_LOST, NO_ALIASES},
    {"cascade-rows", OVER_GATE, "rows of a table that no statement names were changed or deleted",
     rh_rule_cascade_rows, TEXT_CASCADE_ROWS, NO_ALIASES},
    {"backfill-unbatched", OVER_GATE, "many rows of an existing table changed in one transaction",
     rh_rule_backfill_unbatched, TEXT_BACKFILL_UNBATCHED, NO_ALIASES},
    {"lossy-cast", "warning", "values did not survive the change of their column's type",
     rh_rule_lossy_cast, TEXT_LOSSY_CAST, NO_ALIASES},
    {"near-limit", "info", "values just fit into the narrower new type", rh_rule_near_limit,
     TEXT_NEAR_LIMIT, NO_ALIASES},
    {"null-unhandled", "warning", "an UPDATE turned values into NULL, or lost them to one",
     rh_rule_null_unhandled, TEXT_NULL_UNHANDLED, NO_ALIASES},
    {"no-effect", "warning", "a step reported success and did nothing of what it says",
     rh_rule_no_effect, TEXT_NO_EFFECT, NO_ALIASES},
    {"nullability-changed", "warning", "a column lost its NOT NULL without a word",
     rh_rule_nullability_changed, TEXT_NULLABILITY_CHANGED, NO_ALIASES},
    {"default-changed", "warning", "a column lost its default or collation without a word",
     rh_rule_default_changed, TEXT_DEFAULT_CHANGED, NO_ALIASES},
    {"sequence-behind", "warning", "the next number of a sequence is in its column already",
     rh_rule_sequence_behind, TEXT_SEQUENCE_BEHIND, NO_ALIASES},
    {"integer-headroom", "warning from 75 %, info from 50 %",
     "a key of a table it touched runs out of integers", rh_rule_integer_headroom,
     TEXT_INTEGER_HEADROOM, NO_ALIASES},
    {"statistics-lost", "warning", "the planner's statistics of existing columns are gone",
     rh_rule_statistics_lost, TEXT_STATISTICS_LOST, NO_ALIASES},
    {"query-error", "error; warning within error_rate_max_delta",
     "a query of the workload fails on the candidate alone", rh_rule_query_error, TEXT_QUERY_ERROR,
     NO_ALIASES},
    {"query-slower", "error; warning within the regression_thresholds",
     "a query of the workload became slower", rh_rule_query_slower, TEXT_QUERY_SLOWER, NO_ALIASES},
    {"result-changed", "error; warning for order and types, info for more columns",
     "a query of the workload answers otherwise", rh_rule_result_changed, TEXT_RESULT_CHANGED,
     NO_ALIASES},
    {"plan-changed", "info; warning where it reads more", "a query is executed in another way",
     rh_rule_plan_changed, TEXT_PLAN_CHANGED, NO_ALIASES},
    {"estimate-off", "warning where it is slower, else info",
     "the planner expects far fewer or more rows than come", rh_rule_estimate_off,
     TEXT_ESTIMATE_OFF, NO_ALIASES},
    {"missing-index", "warning", "an index that was tried repairs a slower query",
     rh_rule_missing_index, TEXT_MISSING_INDEX, NO_ALIASES},
    {"cached-plan-broken", "error; warning where it is concluded, not seen",
     "a statement that was prepared before the migration fails after it",
     rh_rule_cached_plan_broken, TEXT_CACHED_PLAN_BROKEN, NO_ALIASES},
    {"new-query-error", "error", "a query that the release brings fails on the migrated database",
     rh_rule_new_query_error, TEXT_NEW_QUERY_ERROR, NO_ALIASES},
    {"new-query-slow", "error; warning without a limit",
     "a query that the release brings is over its limit", rh_rule_new_query_slow,
     TEXT_NEW_QUERY_SLOW, NO_ALIASES},
    {"new-query-costly", "info",
     "a query that the release brings reads a large table whole, or spills to disk",
     rh_rule_new_query_costly, TEXT_NEW_QUERY_COSTLY, NO_ALIASES},
    {"row-count-changed", "error; warning where a statement was seen to do it",
     "a table that no statement names has more rows", rh_rule_row_count_changed,
     TEXT_ROW_COUNT_CHANGED, NO_ALIASES},
    {"rollback-left-changes", "error", "a dry run was rolled back, and the database differs",
     rh_rule_rollback_left_changes, TEXT_ROLLBACK_LEFT_CHANGES, NO_ALIASES},
    {"check-changed", "error", "a check of yours gives another result than before",
     rh_rule_check_changed, TEXT_CHECK_CHANGED, NO_ALIASES},
    {"check-failed", "error; warning or info where it failed before already",
     "a check of yours fails after the migration", rh_rule_check_failed, TEXT_CHECK_FAILED,
     NO_ALIASES},
    {"unnamed-side-effect", "warning", "something was dropped or changed that no statement named",
     rh_rule_unnamed_side_effect, TEXT_UNNAMED_SIDE_EFFECT,
     ALIASES("PGM010", "PGM011", "PGM012", "MP022")},
    {"half-applied", "warning; info where a script fails aloud",
     "cut off halfway and run again, it fails or ends elsewhere", rh_rule_half_applied,
     TEXT_HALF_APPLIED, NO_ALIASES},
    {"not-repeatable", "warning", "run a second time, it fails or changes the database again",
     rh_rule_not_repeatable, TEXT_NOT_REPEATABLE, NO_ALIASES},
    {"invalid-left-behind", "error; warning for a constraint left NOT VALID on purpose",
     "an invalid index or a NOT VALID constraint was left", rh_rule_invalid_left_behind,
     TEXT_INVALID_LEFT_BEHIND, ALIASES("MP070")},
    {"down-fails", "error", "the way back fails, at once or on rows written after the migration",
     rh_rule_down_fails, TEXT_DOWN_FAILS, NO_ALIASES},
    {"down-differs", "error; info where only the order of columns differs",
     "after the way back the database is not what it was", rh_rule_down_differs, TEXT_DOWN_DIFFERS,
     NO_ALIASES},
    {"down-loses-data", "warning where a statement says that it destroys them, else error",
     "after the way back rows or values are gone or altered", rh_rule_down_loses_data,
     TEXT_DOWN_LOSES_DATA, NO_ALIASES},
    {"restore-fails", "error", "a dump of the migrated database cannot be restored",
     rh_rule_restore_fails, TEXT_RESTORE_FAILS, NO_ALIASES},
    {"restore-differs", "error", "a restored dump of the migrated database differs from it",
     rh_rule_restore_differs, TEXT_RESTORE_DIFFERS, NO_ALIASES},
    {"unsanitized-snapshot", "warning; without --allow-unmasked a refusal",
     "the snapshot is not masked, or its certificate found clear data",
     rh_rule_unsanitized_snapshot, TEXT_UNSANITIZED_SNAPSHOT, NO_ALIASES},
    {"not-observed", "info", "part of the migration could not be observed", rh_rule_not_observed,
     TEXT_NOT_OBSERVED, NO_ALIASES},
};

const size_t rh_rule_count = sizeof(rh_rules) / sizeof(rh_rules[0]);

const struct rule *rh_rule_find(const char *id)
{
    for (size_t i = 0; i < rh_rule_count; i++)
        if (strcmp(rh_rules[i].id, id) == 0)
            return &rh_rules[i];
    for (size_t i = 0; i < rh_rule_count; i++)
        for (const char *const *alias = rh_rules[i].aliases; *alias; alias++)
            if (strcmp(*alias, id) == 0)
                return &rh_rules[i];
    return NULL;
}

#define INDENT "    "

/* A section: its heading, then its paragraphs, indented; code is not wrapped: it is copied from
 * there. */
static void explain_section(struct buf *out, const char *heading, const char *text, size_t columns)
{
    rh_buf_printf(out, "\n%s\n", heading);
    struct text rest = rh_text(text);
    while (rest.len > 0) {
        const char *newline = memchr(rest.data, '\n', rest.len);
        size_t len = newline ? (size_t)(newline - rest.data) : rest.len;
        struct text paragraph = {rest.data, len};
        if (rh_text_starts_with(paragraph, INDENT)) {
            rh_buf_printf(out, INDENT "%.*s\n", (int)len, rest.data);
        } else {
            for (struct text line; rh_text_wrap(&paragraph, columns - strlen(INDENT), &line);)
                rh_buf_printf(out, INDENT "%.*s\n", (int)line.len, line.data);
        }
        size_t taken = newline ? len + 1 : len;
        rest.data += taken;
        rest.len -= taken;
    }
}

void rh_rule_explain(const struct rule *rule, size_t columns, struct buf *out)
{
    if (columns < 20)
        columns = 20;
    rh_buf_printf(out, "%s (%s)\n%s\n", rule->id, rule->severity_text, rule->summary);
    explain_section(out, "What", rule->what, columns);
    explain_section(out, "Why", rule->why, columns);
    explain_section(out, "Example", rule->example, columns);
    explain_section(out, "What to write instead", rule->recipe, columns);
    if (rule->aliases[0]) {
        RH_CLEANUP_BUF struct buf names;
        rh_buf_init(&names, 4096);
        for (const char *const *alias = rule->aliases; *alias; alias++)
            rh_buf_printf(&names, "%s%s", alias == rule->aliases ? "" : ", ", *alias);
        explain_section(out, "Other tools call it", names.data, columns);
    }
    explain_section(out, "How to accept it", TEXT_ACCEPT, columns);
}
