/* Rules on what the server refused: one finding for each failed statement, by the rule of its
 * SQLSTATE. */
#include "judge/judge_int.h"

#include <string.h>

/* Of a detail or a stack of functions, in a sentence. */
#define CONTEXT_COLUMNS 300

static const char *sqlstate_of(const struct statement *statement)
{
    return statement->error ? statement->error->sqlstate : "";
}

static const char *message_of(const struct statement *top)
{
    return top->error && top->error->message ? top->error->message
                                             : "the server's message was not seen";
}

static bool is_failed(const struct statement *statement)
{
    return !statement->ok && (statement->finished || statement->error);
}

/* 25P02: refused only because an earlier statement of the transaction had failed. */
static bool is_consequence(const struct statement *statement)
{
    return strcmp(sqlstate_of(statement), "25P02") == 0;
}

/* 57014 is every cancellation; ours (--timeout, Ctrl-C) are not the server's doing. */
static bool is_our_cancel(const struct judgement *judgement, const struct statement *statement)
{
    return (judgement->trace->timed_out || judgement->trace->interrupted) &&
           strcmp(sqlstate_of(statement), "57014") == 0;
}

/* A client that has no data to copy says so with the same SQLSTATE ("COPY from stdin failed: ...",
   copyfromparse.c): nothing was cancelled. */
static bool is_copy_failure(const struct statement *statement)
{
    return strcmp(sqlstate_of(statement), "57014") == 0 &&
           strncmp(message_of(statement), "COPY ", strlen("COPY ")) == 0;
}

/*
 * A tool that asks whether something exists, is told that it does not (class 42), and goes on to
 * end well: sqitch asks for its registry that way. Only a query can be such a question, so a failed
 * statement that wanted to change something is never excused.
 */
static bool is_question_of_tool(const struct judgement *judgement, const struct statement *top)
{
    const struct step *step = rh_judgement_step(judgement, top);
    if (!step || !step->is_command || !step->ok || strncmp(sqlstate_of(top), "42", 2) != 0)
        return false;
    return RH_IS_ONE_OF(top->tag, "SELECT");
}

bool rh_judgement_has_failed_statement(const struct judgement *judgement)
{
    for (size_t i = 0; i < judgement->trace->statements.count; i++) {
        const struct statement *top = &judgement->trace->statements.items[i];
        if (is_failed(top) && !is_our_cancel(judgement, top) &&
            !is_question_of_tool(judgement, top))
            return true;
    }
    return false;
}

/* "statement 2 of 5"; how many there are is only known where later ones ran. */
static const char *say_place(const struct judgement *judgement, const struct statement *top)
{
    size_t count = judgement->trace->statements.count;
    if (count > (size_t)top->index)
        return rh_arena_printf(judgement->arena, "statement %d of %zu", top->index, count);
    return rh_arena_printf(judgement->arena, "statement %d", top->index);
}

/* What is left of the run's work after this failure. */
static const char *say_remains(const struct judgement *judgement, const struct statement *top)
{
    const struct trace *trace = judgement->trace;
    if (top->in_transaction) {
        bool committed = top->transaction >= 0 &&
                         (size_t)top->transaction < trace->transactions.count &&
                         trace->transactions.items[top->transaction].committed;
        if (committed)
            return "";
        return trace->outside_only
                   ? " Its transaction would be rolled back: nothing of it would remain."
                   : " Its transaction was rolled back: nothing of it remains.";
    }
    int committed = 0;
    for (size_t i = 0; i < trace->statements.count; i++) {
        const struct statement *before = &trace->statements.items[i];
        if (before->index < top->index && before->ok && !before->in_transaction &&
            !RH_IS_ONE_OF(before->tag, "SET", "RESET", "SHOW", "SELECT", "BEGIN", "COMMIT",
                          "ROLLBACK"))
            committed++;
    }
    if (committed == 0)
        return "";
    /* A dry run is one transaction, whatever the file says. */
    return rh_arena_printf(
        judgement->arena,
        trace->outside_only
            ? " Here everything was rolled back; run as the file says, %s before it would be "
              "committed by then and stay: a half-applied migration."
            : " %s before it had already been committed and would stay: a half-applied "
              "migration.",
        rh_say_count(judgement->arena, committed, "statement"));
}

static const char *table_of(struct judgement *judgement, const struct server_message *error)
{
    if (!error || !error->table)
        return NULL;
    return error->schema ? rh_arena_printf(judgement->arena, "%s.%s", error->schema, error->table)
                         : error->table;
}

static struct found *add_error(struct judgement *judgement, const struct rule *rule,
                               enum severity severity, const struct act *act)
{
    const struct statement *top = act->top;
    struct found *found = rh_judgement_add(judgement, rule, severity, act,
                                           table_of(judgement, top->error));
    if (top->error) {
        rh_evidence_text(found, "sqlstate", top->error->sqlstate);
        rh_evidence_text(found, "message", message_of(top));
        if (top->error->constraint)
            rh_evidence_text(found, "constraint", top->error->constraint);
        if (top->error->column)
            rh_evidence_text(found, "column", top->error->column);
        if (top->error->detail)
            rh_evidence_text(found, "detail", top->error->detail);
        if (top->error->context)
            rh_evidence_text(found, "context", top->error->context);
    }
    rh_evidence_ms(found, "failed_after_ms", top->duration_us);
    /* A run that stops at an error never learns what came later: failures before durations. */
    found->weight = INT64_MAX - top->index;
    found->headline = rh_arena_printf(
        judgement->arena, "%s would fail in production at %s: %s%s",
        rh_judgement_subject(judgement, top), say_place(judgement, top), message_of(top),
        top->error ? rh_arena_printf(judgement->arena, " (%s)", top->error->sqlstate) : "");
    return found;
}

/* The acts of failed client statements whose SQLSTATE is `sqlstate`. */
static const struct act *next_failed(const struct judgement *judgement, size_t *at,
                                     const char *sqlstate)
{
    for (; *at < judgement->acts.count; (*at)++) {
        const struct act *act = &judgement->acts.items[*at];
        if (act->statement == act->top && is_failed(act->top) &&
            strcmp(sqlstate_of(act->top), sqlstate) == 0 && !is_our_cancel(judgement, act->top)) {
            (*at)++;
            return act;
        }
    }
    return NULL;
}

/* --- concurrently-in-transaction --- */

void rh_rule_concurrently_in_transaction(const struct rule *rule, struct judgement *judgement)
{
    struct arena *arena = judgement->arena;
    const struct trace *trace = judgement->trace;
    const struct act *act;
    for (size_t at = 0; (act = next_failed(judgement, &at, "25001"));) {
        const struct statement *top = act->top;
        const struct transaction *transaction = top->transaction >= 0 &&
                                                        (size_t)top->transaction <
                                                            trace->transactions.count
                                                    ? &trace->transactions.items[top->transaction]
                                                    : NULL;
        struct found *found = add_error(judgement, rule, SEVERITY_ERROR, act);
        struct finding *finding = &found->finding;
        finding->title = message_of(top);
        const char *opener = "a multi-statement string, which is one transaction";
        if (transaction && transaction->opened_by) {
            const char *text = rh_text_one_line(arena, rh_text(transaction->opened_by), 60);
            rh_evidence_text(found, "opened_by", text);
            if (transaction->opened_by_statement > 0) {
                rh_evidence_count(found, "opened_by_statement", transaction->opened_by_statement);
                opener = rh_arena_printf(arena, "\"%s\" (statement %d)", text,
                                         transaction->opened_by_statement);
            } else {
                opener = rh_arena_printf(arena, "\"%s\"", text);
            }
        }
        const struct step *step = rh_judgement_step(judgement, top);
        finding->why = rh_arena_printf(
            arena,
            "The transaction was opened by %s%s. This command commits in between and refuses to "
            "run "
            "inside one.%s",
            opener,
            step && step->is_command
                ? rh_arena_printf(arena, ", sent by %s", rh_judgement_subject(judgement, top))
                : "",
            say_remains(judgement, top));
        finding->advice =
            "Put it in a migration of its own that runs outside a transaction: Flyway "
            "executeInTransaction=false, Liquibase runInTransaction:false, golang-migrate one "
            "statement per "
            "file, goose and sqlx -- +goose NO TRANSACTION / -- no-transaction, dbmate "
            "transaction:false, "
            "Alembic autocommit_block(), Rails disable_ddl_transaction!, Django atomic = False.";
    }
}

/* --- deadlock, lock-timeout, statement-timeout --- */

/* The lock this statement waited for the longest; NULL. */
static const struct lock *longest_wait(const struct statement *statement)
{
    const struct lock *longest = NULL;
    for (size_t i = 0; i < statement->locks.count; i++) {
        const struct lock *lock = &statement->locks.items[i];
        if (lock->waited_us > 0 && (!longest || lock->waited_us > longest->waited_us))
            longest = lock;
    }
    return longest;
}

static const char *say_wait(struct arena *arena, const struct statement *statement)
{
    const struct lock *lock = longest_wait(statement);
    if (!lock)
        return "";
    return rh_arena_printf(
        arena, " It waited %s for %s on %s%s%s.", rh_say_duration(arena, lock->waited_us),
        lock->mode, lock->table ? lock->table : lock->relation,
        lock->waited_for ? ", held by " : "", lock->waited_for ? lock->waited_for : "");
}

static void add_wait_evidence(struct found *found, const struct statement *statement)
{
    const struct lock *lock = longest_wait(statement);
    if (!lock)
        return;
    found->finding.relation = lock->table ? lock->table : lock->relation;
    rh_evidence_text(found, "mode", lock->mode);
    rh_evidence_ms(found, "waited_ms", lock->waited_us);
    if (lock->waited_for)
        rh_evidence_text(found, "waited_for", lock->waited_for);
}

void rh_rule_deadlock(const struct rule *rule, struct judgement *judgement)
{
    struct arena *arena = judgement->arena;
    const struct act *act;
    for (size_t at = 0; (act = next_failed(judgement, &at, "40P01"));) {
        struct found *found = add_error(judgement, rule, SEVERITY_ERROR, act);
        struct finding *finding = &found->finding;
        add_wait_evidence(found, act->top);
        finding->title = "deadlock detected: the server ended the migration's transaction";
        finding->why = rh_arena_printf(
            arena,
            "Two sessions each held a lock that the other asked for; after deadlock_timeout one of "
            "them is cancelled, and it was ours. Next time it may be the application's.%s%s",
            say_wait(arena, act->top), say_remains(judgement, act->top));
        finding->advice =
            "Lock tables in the order the application does, one per transaction where possible, "
            "and take the strongest lock first instead of upgrading it later.";
        finding->advice_sql =
            "BEGIN;\nSET LOCAL lock_timeout = '2s';\nLOCK TABLE <first>, <second> IN "
            "ACCESS EXCLUSIVE MODE;\n-- the changes\nCOMMIT;";
    }
}

void rh_rule_lock_timeout(const struct rule *rule, struct judgement *judgement)
{
    struct arena *arena = judgement->arena;
    const struct act *act;
    for (size_t at = 0; (act = next_failed(judgement, &at, "55P03"));) {
        struct found *found = add_error(judgement, rule, SEVERITY_ERROR, act);
        struct finding *finding = &found->finding;
        add_wait_evidence(found, act->top);
        int64_t timeout_ms = act->top->lock_timeout_ms;
        if (timeout_ms >= 0)
            rh_evidence_count(found, "lock_timeout_ms", timeout_ms);
        finding->title = timeout_ms > 0
                             ? rh_arena_printf(arena,
                                               "a lock was not free within lock_timeout (%s)",
                                               rh_say_limit(arena, timeout_ms * 1000))
                             : rh_arena_printf(arena, "a lock was not free at once: %s",
                                               message_of(act->top));
        finding->why = rh_arena_printf(
            arena,
            "The wait was given up, as it should be: nothing was changed by this statement.%s%s",
            say_wait(arena, act->top), say_remains(judgement, act->top));
        finding->advice =
            "Retry it: run the migration in a loop with a pause until it gets through, and end "
            "or wait for long transactions on the table first.";
    }
}

void rh_rule_statement_timeout(const struct rule *rule, struct judgement *judgement)
{
    struct arena *arena = judgement->arena;
    const struct act *act;
    for (size_t at = 0; (act = next_failed(judgement, &at, "57014"));) {
        if (is_copy_failure(act->top))
            continue;
        struct found *found = add_error(judgement, rule, SEVERITY_ERROR, act);
        struct finding *finding = &found->finding;
        add_wait_evidence(found, act->top);
        int64_t timeout_ms = act->top->statement_timeout_ms;
        if (timeout_ms >= 0)
            rh_evidence_count(found, "statement_timeout_ms", timeout_ms);
        finding->title = timeout_ms > 0
                             ? rh_arena_printf(arena,
                                               "cancelled after %s by statement_timeout (%s)",
                                               rh_say_duration(arena, act->top->duration_us),
                                               rh_say_limit(arena, timeout_ms * 1000))
                             : rh_arena_printf(arena, "cancelled after %s",
                                               rh_say_duration(arena, act->top->duration_us));
        finding->why = rh_arena_printf(
            arena,
            "The statement takes longer than its session allows, here and so in production.%s%s",
            say_wait(arena, act->top), say_remains(judgement, act->top));
        finding->advice =
            "Make it shorter (batches, CONCURRENTLY, NOT VALID and VALIDATE), or allow this one "
            "session "
            "more time. A cancelled CREATE INDEX CONCURRENTLY leaves an invalid index behind.";
        finding->advice_sql =
            "SET statement_timeout = 0;  -- this session only; keep lock_timeout set";
    }
}

/* --- statement-error --- */

const char *rh_say_context(struct arena *arena, const struct server_message *error)
{
    const char *text = "";
    if (error && error->detail)
        text = rh_arena_printf(arena, " The server says: %s",
                               rh_text_one_line(arena, rh_text(error->detail), CONTEXT_COLUMNS));
    if (error && error->context)
        text = rh_arena_printf(arena, "%s It came from: %s.", text,
                               rh_text_one_line(arena, rh_text(error->context), CONTEXT_COLUMNS));
    return text;
}

static bool has_own_rule(const struct statement *statement)
{
    return RH_IS_ONE_OF(sqlstate_of(statement), "25001", "40P01", "55P03", "57014") &&
           !is_copy_failure(statement);
}

void rh_rule_statement_error(const struct rule *rule, struct judgement *judgement)
{
    struct arena *arena = judgement->arena;
    for (size_t i = 0; i < judgement->acts.count; i++) {
        const struct act *act = &judgement->acts.items[i];
        const struct statement *top = act->top;
        if (act->statement != top || !is_failed(top) || is_consequence(top) || has_own_rule(top))
            continue;
        if (!top->error && judgement->trace->server_crashed)
            continue; /* server-crash tells it */
        if (rh_judgement_has_offenders(judgement, top))
            continue;
        if (is_question_of_tool(judgement, top)) {
            struct found *found = add_error(judgement, rule, SEVERITY_INFO, act);
            found->finding.title = rh_arena_printf(
                arena, "a query of the command failed (%s) and the command went on: %s",
                sqlstate_of(top), message_of(top));
            found->finding.why =
                "The command ended well, so it expected this: tools ask so whether their own "
                "tables exist.";
            continue;
        }
        struct sqlstate_advice advice = rh_sqlstate_advice(judgement, act);
        struct found *found = add_error(judgement, rule, SEVERITY_ERROR, act);
        struct finding *finding = &found->finding;
        finding->title = top->error
                             ? rh_arena_printf(arena, "%s: %s", sqlstate_of(top), message_of(top))
                             : "a statement failed; the server's message was not seen";
        finding->why = rh_arena_printf(arena, "%s%s%s", advice.meaning,
                                       rh_say_context(arena, top->error),
                                       say_remains(judgement, top));
        finding->advice = advice.advice;
        finding->advice_sql = advice.sql;
    }
    rh_rule_statement_error_of_blockers(rule, judgement);
}
