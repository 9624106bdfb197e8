/* Rules on what a transaction did to a table while others had to wait: rewrites, index builds,
 * scans. */
#include "judge/judge_int.h"

#include <string.h>

/* Names of indexes listed in one sentence. */
#define INDEXES_SHOWN 4
/* Statements of one transaction that are each told how to do without the wait. */
#define WAYS_SHOWN 4

/* For a type or collation under which the values stay and their order does not. */
#define CHANGED_ORDER_ADVICE                                                               \
    "Expand and contract: a new column with an index built CONCURRENTLY on it, filled in " \
    "batches, "                                                                            \
    "then swapped. Where only the order changes (another collation) there is no shorter way."

static const struct act *first_act(const struct judgement *judgement, const struct cause *cause)
{
    return &judgement->acts.items[cause->acts.items[0]];
}

static struct found *add_cause(struct judgement *judgement, const struct rule *rule,
                               const struct cause *cause)
{
    const struct act *act = first_act(judgement, cause);
    struct found *found = rh_judgement_add(judgement, rule,
                                           cause->is_blamed ? SEVERITY_ERROR : SEVERITY_WARNING,
                                           act, cause->relation);
    rh_evidence_ms(found, "duration_ms", cause->duration_us);
    if (cause->block) {
        rh_evidence_block(judgement, found, cause->block);
        found->weight = rh_block_weight(cause->block);
        found->headline = rh_headline_block(judgement, act, cause->block);
    } else {
        found->weight = cause->duration_us;
    }
    if (cause->acts.count > 1) {
        json_t *statements = json_array();
        for (size_t i = 0; i < cause->acts.count; i++)
            json_array_append_new(
                statements, json_integer(judgement->acts.items[cause->acts.items[i]].top->index));
        rh_evidence_json(found, "statements", statements);
    }
    if (cause->indexes.count > 0) {
        json_t *indexes = json_array();
        for (size_t i = 0; i < cause->indexes.count; i++)
            json_array_append_new(indexes, rh_json_text(cause->indexes.items[i]));
        rh_evidence_json(found, "indexes", indexes);
    }
    return found;
}

/* What follows the cause in a title: what it cost others here, and the limit. */
static const char *cost(struct judgement *judgement, const struct cause *cause)
{
    struct arena *arena = judgement->arena;
    const struct block *block = cause->block;
    if (!block || rh_block_us(block) == 0)
        return rh_arena_printf(arena, "it took %s", rh_say_duration(arena, cause->duration_us));
    if (cause->is_blamed)
        return rh_arena_printf(arena, "%s (limit %s)", rh_say_blocked(arena, block),
                               rh_say_limit(arena, judgement->limits->blocked_us));
    if (cause->duration_us * 2 < rh_block_us(block))
        return rh_arena_printf(arena, "%s, %s of it for this", rh_say_blocked(arena, block),
                               rh_say_duration(arena, cause->duration_us));
    return rh_say_blocked(arena, block);
}

/* For warnings: what was short here grows with the table. */
static const char *growth_note(const struct cause *cause)
{
    if (cause->is_blamed)
        return "";
    if (cause->facts && cause->facts->is_empty)
        return " The table is empty here, so the time says nothing: it grows with the rows.";
    return " Short here; it grows with the table.";
}

static const char *waiters(const struct cause *cause)
{
    return cause->block ? rh_say_waiters(cause->block) : "every SELECT, INSERT, UPDATE and DELETE";
}

static const char *waiters_in_short(const struct cause *cause)
{
    return cause->block && cause->block->read_us == 0 && cause->block->probe_read_us == 0
               ? "writes"
               : "reads and writes";
}

/* --- table-rewrite --- */

static const char *rewrite_why(const char *reason)
{
    if (RH_IS_ONE_OF(reason, "column type"))
        return "The new type is stored differently, so every row and every index was written anew";
    if (RH_IS_ONE_OF(reason, "column default"))
        return "The new column's value differs from row to row (a volatile default, an identity or "
               "a "
               "stored generated column), so every row and every index was written anew";
    if (RH_IS_ONE_OF(reason, "persistence"))
        return "SET LOGGED and SET UNLOGGED write the whole table and its indexes anew";
    if (RH_IS_ONE_OF(reason, "access method", "tablespace"))
        return "Changing the access method or tablespace writes the whole table anew";
    if (RH_IS_ONE_OF(reason, "cluster"))
        return "CLUSTER sorts the table into a new file and rebuilds every index";
    if (RH_IS_ONE_OF(reason, "vacuum full"))
        return "VACUUM FULL copies the table into a new file and rebuilds every index";
    if (RH_IS_ONE_OF(reason, "refresh"))
        return "REFRESH MATERIALIZED VIEW fills a new file while the old contents are locked";
    return "The table was written anew, with all its indexes";
}

static void advise_column_type(struct judgement *judgement, const struct cause *cause,
                               struct finding *finding)
{
    struct arena *arena = judgement->arena;
    const struct clause *clause = rh_act_clause(first_act(judgement, cause), CLAUSE_COLUMN_TYPE);
    const char *column = clause && clause->column ? clause->column : "<column>";
    const char *type = clause && clause->definition ? clause->definition : "<new type>";
    size_t len = strlen(column);
    const char *bare = len > 2 && column[0] == '"' && column[len - 1] == '"'
                           ? rh_arena_strndup(arena, column + 1, len - 2)
                           : column;
    bool is_quoted = bare != column;
    const char *next = is_quoted ? rh_arena_printf(arena, "\"%s_new\"", bare)
                                 : rh_arena_printf(arena, "%s_new", column);
    const char *old = is_quoted ? rh_arena_printf(arena, "\"%s_old\"", bare)
                                : rh_arena_printf(arena, "%s_old", column);
    finding->advice = "Expand and contract over several deploys: add a column of the new type, "
                      "keep it in step with a "
                      "trigger, fill it in batches, then swap the names in one short transaction.";
    finding->advice_sql = rh_arena_printf(
        arena,
        "ALTER TABLE %s ADD COLUMN %s %s;  -- and the trigger\n"
        "UPDATE %s SET %s = %s WHERE %s IS NULL AND <key range>;  -- in batches\n"
        "-- at last, in one transaction with lock_timeout set:\n"
        "ALTER TABLE %s RENAME COLUMN %s TO %s;\n"
        "ALTER TABLE %s RENAME COLUMN %s TO %s;",
        cause->relation, next, type, cause->relation, next, column, next, cause->relation, column,
        old, cause->relation, next, column);
}

static void advise_column_default(struct judgement *judgement, const struct cause *cause,
                                  struct finding *finding)
{
    const struct clause *clause = rh_act_clause(first_act(judgement, cause), CLAUSE_ADD_COLUMN);
    const char *column = clause && clause->column ? clause->column : "<column>";
    const char *type = clause && clause->definition ? clause->definition : "<type>";
    const char *value = clause && clause->columns ? clause->columns : "<expression>";
    finding->advice =
        "Add the column without the default (no rewrite), set the default for new rows, then "
        "fill the old rows in batches.";
    finding->advice_sql = rh_arena_printf(
        judgement->arena,
        "ALTER TABLE %s ADD COLUMN %s %s;\n"
        "ALTER TABLE %s ALTER COLUMN %s SET DEFAULT %s;\n"
        "-- then, batch by batch, committing in between:\n"
        "UPDATE %s SET %s = DEFAULT WHERE %s IS NULL AND <key range>;",
        cause->relation, column, type, cause->relation, column, value, cause->relation, column,
        column);
}

static void advise_rewrite(struct judgement *judgement, const struct cause *cause,
                           struct finding *finding)
{
    struct arena *arena = judgement->arena;
    const struct act *act = first_act(judgement, cause);
    if (RH_IS_ONE_OF(cause->reason, "column type")) {
        advise_column_type(judgement, cause, finding);
    } else if (RH_IS_ONE_OF(cause->reason, "column default")) {
        advise_column_default(judgement, cause, finding);
    } else if (RH_IS_ONE_OF(cause->reason, "cluster", "vacuum full")) {
        finding->advice =
            "Plain VACUUM makes the space usable again without blocking; to give it back to "
            "the file system use pg_repack, which swaps tables under a brief lock.";
        finding->advice_sql = rh_arena_printf(arena, "VACUUM (ANALYZE) %s;", cause->relation);
    } else if (RH_IS_ONE_OF(cause->reason, "refresh")) {
        const struct clause *clause = rh_act_clause(act, CLAUSE_REFRESH);
        finding->advice =
            "Refresh CONCURRENTLY: readers keep the old contents meanwhile. It needs a unique "
            "index on plain columns of the view.";
        finding->advice_sql = clause && clause->safe_form
                                  ? rh_arena_printf(arena, "%s;", clause->safe_form)
                                  : rh_arena_printf(arena,
                                                    "REFRESH MATERIALIZED VIEW CONCURRENTLY %s;",
                                                    cause->relation);
    } else {
        finding->advice =
            "Build the new form beside the old one: a second table, kept in step by a trigger, "
            "filled in batches, swapped by renaming under a brief lock; or a maintenance window.";
    }
}

void rh_rule_table_rewrite(const struct rule *rule, struct judgement *judgement)
{
    struct arena *arena = judgement->arena;
    for (size_t i = 0; i < judgement->causes.count; i++) {
        const struct cause *cause = &judgement->causes.items[i];
        if (cause->kind != CAUSE_REWRITE)
            continue;
        struct found *found = add_cause(judgement, rule, cause);
        struct finding *finding = &found->finding;
        finding->title = rh_arena_printf(arena, "%s rewritten: %s",
                                         rh_say_relation(arena, cause->relation, cause->facts),
                                         cost(judgement, cause));
        const char *indexes = cause->indexes.count == 0
                                  ? ""
                                  : rh_arena_printf(arena, " (%s)",
                                                    rh_say_count(arena,
                                                                 (int64_t)cause->indexes.count,
                                                                 "index file"));
        finding->why = rh_arena_printf(
            arena, "%s%s under %s, which makes %s wait until the transaction ends.%s",
            rewrite_why(cause->reason), indexes,
            cause->block && cause->block->mode ? cause->block->mode : "AccessExclusiveLock",
            waiters_in_short(cause), growth_note(cause));
        rh_evidence_text(found, "reason", cause->reason ? cause->reason : "unknown");
        rh_evidence_count(found, "written_bytes", cause->bytes);
        advise_rewrite(judgement, cause, finding);
    }
}

/* --- index-rebuild --- */

void rh_rule_index_rebuild(const struct rule *rule, struct judgement *judgement)
{
    struct arena *arena = judgement->arena;
    for (size_t i = 0; i < judgement->causes.count; i++) {
        const struct cause *cause = &judgement->causes.items[i];
        if (cause->kind != CAUSE_INDEX_REBUILD)
            continue;
        struct found *found = add_cause(judgement, rule, cause);
        struct finding *finding = &found->finding;
        const char *names = rh_say_list(arena, cause->indexes.items, cause->indexes.count,
                                        INDEXES_SHOWN);
        finding->title = rh_arena_printf(arena, "%s of %s rebuilt: %s", names,
                                         rh_say_relation(arena, cause->relation, cause->facts),
                                         cost(judgement, cause));
        rh_evidence_text(found, "reason", cause->reason ? cause->reason : "unknown");
        rh_evidence_count(found, "written_bytes", cause->bytes);
        finding->why = rh_arena_printf(
            arena,
            "The index was written anew, which reads the whole table; until the transaction ended, "
            "%s on the table had to wait.%s",
            waiters(cause), growth_note(cause));
        if (RH_IS_ONE_OF(cause->reason, "reindex")) {
            const struct clause *clause = rh_act_clause(first_act(judgement, cause),
                                                        CLAUSE_REINDEX);
            finding->advice = "Rebuild CONCURRENTLY, outside a transaction.";
            finding->advice_sql = clause && clause->safe_form
                                      ? rh_arena_printf(arena, "%s;", clause->safe_form)
                                      : rh_arena_printf(arena, "REINDEX INDEX CONCURRENTLY %s;",
                                                        cause->indexes.items[0]);
        } else {
            finding->advice = CHANGED_ORDER_ADVICE;
        }
    }
}

/* --- index-blocks-writes --- */

enum index_action { INDEX_BUILT, INDEX_DROPPED, INDEX_REBUILT };

static enum index_action action_of(const struct act *act)
{
    const char *tag = act->statement->tag ? act->statement->tag : "";
    if (strncmp(tag, "DROP", 4) == 0)
        return INDEX_DROPPED;
    if (strncmp(tag, "REINDEX", 7) == 0)
        return INDEX_REBUILT;
    if (strcmp(tag, "ALTER TABLE") == 0) {
        for (size_t i = 0; i < act->statement->dropped.count; i++) {
            const struct dropped_object *dropped = &act->statement->dropped.items[i];
            if (!RH_IS_ONE_OF(dropped->type, "index"))
                continue;
            for (size_t j = 0; j < act->statement->indexes.count; j++)
                if (strcmp(act->statement->indexes.items[j].index, dropped->identity) == 0)
                    return INDEX_DROPPED;
        }
    }
    return INDEX_BUILT;
}

static const char *index_name(const struct cause *cause)
{
    return cause->indexes.count > 0 ? rh_bare_name(cause->indexes.items[0]) : "<index>";
}

/* A constraint that builds its own index: build the index first, without blocking, and hand it
 * over. */
static bool advise_constraint(struct judgement *judgement, const struct cause *cause,
                              struct finding *finding)
{
    struct arena *arena = judgement->arena;
    const struct act *act = first_act(judgement, cause);
    const struct clause *unique = rh_act_clause(act, CLAUSE_ADD_UNIQUE);
    const struct clause *primary = rh_act_clause(act, CLAUSE_ADD_PRIMARY_KEY);
    if (rh_act_clause(act, CLAUSE_ADD_EXCLUDE)) {
        finding->advice =
            "An exclusion constraint cannot be built without blocking. Put it on a new table "
            "that takes over by renaming, or choose a maintenance window.";
        return true;
    }
    if (!unique && !primary)
        return false;
    const struct clause *clause = unique ? unique : primary;
    const char *name = clause->constraint ? clause->constraint : index_name(cause);
    finding
        ->advice = unique
                       ? "Build the unique index CONCURRENTLY, outside a transaction, then make it "
                         "the constraint: "
                         "that takes a brief lock and reads nothing."
                       : "Build the unique index CONCURRENTLY, outside a transaction, make the "
                         "columns NOT NULL by "
                         "way of a validated CHECK, then make it the key: that takes a brief lock.";
    finding->advice_sql = rh_arena_printf(
        arena,
        "CREATE UNIQUE INDEX CONCURRENTLY %s ON %s (%s);\n"
        "ALTER TABLE %s ADD CONSTRAINT %s %s USING INDEX %s;",
        name, cause->relation, clause->columns ? clause->columns : "...", cause->relation, name,
        unique ? "UNIQUE" : "PRIMARY KEY", name);
    return true;
}

static void advise_index(struct judgement *judgement, const struct cause *cause,
                         enum index_action action, struct finding *finding)
{
    struct arena *arena = judgement->arena;
    const struct act *act = first_act(judgement, cause);
    bool is_partitioned = cause->facts && RH_IS_ONE_OF(cause->facts->kind, "partitioned table");
    if (action == INDEX_BUILT && is_partitioned) {
        finding->advice =
            "A partitioned table's index cannot be built CONCURRENTLY: make it ON ONLY the parent "
            "(instant, invalid), build one CONCURRENTLY on each partition, attach them.";
        finding->advice_sql = rh_arena_printf(
            arena,
            "CREATE INDEX %s ON ONLY %s (...);\n"
            "CREATE INDEX CONCURRENTLY <partition index> ON <partition> (...);\n"
            "ALTER INDEX %s ATTACH PARTITION <partition index>;",
            index_name(cause), cause->relation, index_name(cause));
        return;
    }
    if (action == INDEX_BUILT && advise_constraint(judgement, cause, finding))
        return;
    enum clause_kind kind = action == INDEX_BUILT     ? CLAUSE_CREATE_INDEX
                            : action == INDEX_DROPPED ? CLAUSE_DROP_INDEX
                                                      : CLAUSE_REINDEX;
    const struct clause *clause = rh_act_clause(act, kind);
    const char *index = cause->indexes.count > 0 ? cause->indexes.items[0] : "<index>";
    finding->advice =
        action == INDEX_BUILT
            ? "Build it CONCURRENTLY, outside a transaction; it takes longer and blocks nobody. If "
              "it "
              "fails, drop the invalid index before trying again."
            : "Use CONCURRENTLY, outside a transaction: it takes longer and blocks nobody.";
    if (clause && clause->safe_form)
        finding->advice_sql = rh_arena_printf(arena, "%s;", clause->safe_form);
    else if (action == INDEX_BUILT)
        finding->advice_sql = rh_arena_printf(arena, "CREATE INDEX CONCURRENTLY %s ON %s (...);",
                                              index_name(cause), cause->relation);
    else
        finding->advice_sql = rh_arena_printf(arena,
                                              action == INDEX_DROPPED
                                                  ? "DROP INDEX CONCURRENTLY %s;"
                                                  : "REINDEX INDEX CONCURRENTLY %s;",
                                              index);
}

void rh_rule_index_blocks_writes(const struct rule *rule, struct judgement *judgement)
{
    static const char *const verbs[] = {
        [INDEX_BUILT] = "built", [INDEX_DROPPED] = "dropped", [INDEX_REBUILT] = "rebuilt"};
    struct arena *arena = judgement->arena;
    for (size_t i = 0; i < judgement->causes.count; i++) {
        const struct cause *cause = &judgement->causes.items[i];
        if (cause->kind != CAUSE_INDEX_WORK)
            continue;
        enum index_action action = action_of(first_act(judgement, cause));
        struct found *found = add_cause(judgement, rule, cause);
        struct finding *finding = &found->finding;
        const char *names = cause->indexes.count == 0 ? "an index"
                            : cause->indexes.count == 1
                                ? cause->indexes.items[0]
                                : rh_arena_printf(arena, "%zu indexes", cause->indexes.count);
        finding->title = rh_arena_printf(arena, "%s on %s %s the blocking way: %s", names,
                                         rh_say_relation(arena, cause->relation, cause->facts),
                                         verbs[action], cost(judgement, cause));
        finding->why = rh_arena_printf(
            arena, "%s under %s, which makes %s wait until the transaction ends.%s",
            action == INDEX_DROPPED ? "The index went"
                                    : "The whole table was read and sorted into an index",
            cause->block && cause->block->mode ? cause->block->mode : "a lock that blocks writes",
            waiters_in_short(cause), action == INDEX_DROPPED ? "" : growth_note(cause));
        if (cause->indexes.count > 1)
            finding->why = rh_arena_printf(
                arena, "%s The indexes are %s.", finding->why,
                rh_say_list(arena, cause->indexes.items, cause->indexes.count, INDEXES_SHOWN));
        advise_index(judgement, cause, action, finding);
    }
}

/* --- scan-under-lock --- */

/* One way for each act; several acts of a transaction may need different ones. */
static void add_way(struct judgement *judgement, struct finding *finding, const char *advice,
                    const char *sql)
{
    struct arena *arena = judgement->arena;
    if (!finding->advice)
        finding->advice = advice;
    else if (!strstr(finding->advice, advice))
        finding->advice = rh_arena_printf(arena, "%s %s", finding->advice, advice);
    if (sql)
        finding->advice_sql = finding->advice_sql
                                  ? rh_arena_printf(arena, "%s\n%s", finding->advice_sql, sql)
                                  : sql;
}

static void advise_not_null(struct judgement *judgement, const struct cause *cause,
                            const struct clause *clause, struct finding *finding)
{
    struct arena *arena = judgement->arena;
    const char *column = clause->column ? clause->column : "<column>";
    const char *name = rh_say_new_name(arena, cause->relation, clause->column, "not_null");
    const char *sql = rh_arena_printf(
        arena,
        "ALTER TABLE %s ADD CONSTRAINT %s CHECK (%s IS NOT NULL) NOT VALID;\n"
        "ALTER TABLE %s VALIDATE CONSTRAINT %s;\n"
        "ALTER TABLE %s ALTER COLUMN %s SET NOT NULL;\n"
        "ALTER TABLE %s DROP CONSTRAINT %s;",
        cause->relation, name, column, cause->relation, name, cause->relation, column,
        cause->relation, name);
    add_way(judgement, finding,
            "Prove NOT NULL first with a CHECK that is validated without blocking; SET NOT NULL "
            "then reads nothing. Each statement in a transaction of its own.",
            sql);
}

static void advise_constraint_not_valid(struct judgement *judgement, const struct cause *cause,
                                        const struct clause *clause, struct finding *finding)
{
    struct arena *arena = judgement->arena;
    bool is_foreign_key = clause->kind == CLAUSE_ADD_FOREIGN_KEY;
    const char *table = clause->relation ? clause->relation : cause->relation;
    const char *name = clause->constraint ? clause->constraint
                                          : rh_say_new_name(arena, table,
                                                            is_foreign_key && clause->columns &&
                                                                    !strchr(clause->columns, ',')
                                                                ? clause->columns
                                                                : NULL,
                                                            is_foreign_key ? "fkey" : "check");
    const char *definition = clause->definition ? clause->definition
                             : is_foreign_key   ? "FOREIGN KEY (...) REFERENCES ..."
                                                : "CHECK (...)";
    add_way(judgement, finding,
            "Add the constraint NOT VALID (a brief lock, checks new rows only), then VALIDATE in a "
            "transaction of its own: that reads the table while reads and writes go on.",
            rh_arena_printf(arena,
                            "ALTER TABLE %s ADD CONSTRAINT %s %s NOT VALID;\n"
                            "ALTER TABLE %s VALIDATE CONSTRAINT %s;",
                            table, name, definition, table, name));
}

static void advise_scan_of(struct judgement *judgement, const struct cause *cause,
                           const struct act *act, struct finding *finding)
{
    const struct clause *not_null = rh_act_clause(act, CLAUSE_SET_NOT_NULL);
    const struct clause *check = rh_act_clause(act, CLAUSE_ADD_CHECK);
    const struct clause *foreign_key = rh_act_clause(act, CLAUSE_ADD_FOREIGN_KEY);
    if (not_null) {
        advise_not_null(judgement, cause, not_null, finding);
    } else if (check || foreign_key) {
        advise_constraint_not_valid(judgement, cause, check ? check : foreign_key, finding);
    } else if (RH_IS_ONE_OF(act->statement->tag, "UPDATE", "DELETE", "INSERT", "SELECT", "MERGE",
                            "COPY", "CREATE TABLE AS", "SELECT INTO")) {
        add_way(judgement, finding,
                "Commit the statement that took the lock first; then read or change the rows in "
                "transactions of their own, in batches.",
                NULL);
    } else if (rh_act_clause(act, CLAUSE_COLUMN_TYPE)) {
        add_way(judgement, finding,
                "The table is not rewritten; what read it is an index or a constraint on the "
                "column that had to be built or checked again. Where queries can do without it, "
                "drop it before, and after the change build the index CONCURRENTLY, or add the "
                "constraint NOT VALID and VALIDATE it.",
                NULL);
    } else {
        add_way(judgement, finding,
                "Add constraints NOT VALID and VALIDATE them in a transaction of their own; prove "
                "SET NOT NULL with a validated CHECK before; attach partitions that already carry "
                "a CHECK for their bounds.",
                NULL);
    }
}

static void advise_scan(struct judgement *judgement, const struct cause *cause,
                        struct finding *finding)
{
    for (size_t i = 0; i < cause->acts.count && i < WAYS_SHOWN; i++)
        advise_scan_of(judgement, cause, &judgement->acts.items[cause->acts.items[i]], finding);
}

void rh_rule_scan_under_lock(const struct rule *rule, struct judgement *judgement)
{
    struct arena *arena = judgement->arena;
    for (size_t i = 0; i < judgement->causes.count; i++) {
        const struct cause *cause = &judgement->causes.items[i];
        if (cause->kind != CAUSE_SCAN)
            continue;
        struct found *found = add_cause(judgement, rule, cause);
        struct finding *finding = &found->finding;
        if (cause->rows >= 0)
            rh_evidence_count(found, "read_rows", cause->rows);
        finding->title = rh_arena_printf(arena, "%s of %s read under lock: %s",
                                         cause->rows >= 0 ? rh_say_count(arena, cause->rows, "row")
                                                          : "all rows",
                                         cause->relation, cost(judgement, cause));
        finding->why = rh_arena_printf(arena, "The whole table was read while %s made %s wait.%s",
                                       cause->block->mode ? cause->block->mode : "a lock",
                                       waiters_in_short(cause), growth_note(cause));
        advise_scan(judgement, cause, finding);
    }
}
