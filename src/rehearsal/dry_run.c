#include "rehearsal/dry_run.h"

#include "base/interrupt.h"
#include "compare/compare.h"
#include "rehearsal/dry_run_int.h"
#include "rehearsal/states.h"
#include "sql/clauses.h"
#include "sql/facts.h"
#include "sql/rollback_check.h"
#include "sql/split.h"
#include "trace/redact.h"

#include <stdio.h>
#include <string.h>

/* Statements of our own; a lock that one of them waits for gives up long before. */
#define ASK_MAX_US (60 * INT64_C(1000000))
/* The server ends a statement by itself; this is for one that does not answer. */
#define GRACE_US (30 * INT64_C(1000000))

/* What fits into an error. */
#define REFUSALS_SHOWN 8

#define SANDBOX_HINT                                                                  \
    "Rehearse it in a sandbox, where everything can be tested: leave --rollback and " \
    "--sandbox-url "                                                                  \
    "out, and give --snapshot or --schema."

/* --- what cannot be tested that way ------------------------------------------------------------
 */

struct refusals {
    struct arena *arena;
    VEC(const char *) list;
};

static void check_step(struct rollback_check *check, const struct migration_step *step,
                       struct refusals *refusals)
{
    struct arena *arena = refusals->arena;

    if (step->kind != STEP_SQL) {
        *RH_PUSH(arena, &refusals->list) = rh_arena_printf(
            arena, "%s: %s", step->name,
            step->kind == STEP_PSQL ? "it needs psql, which sends what it likes"
                                    : "a command opens connections and transactions of its own");
        return;
    }
    for (size_t i = 0; i < step->statements.count; i++) {
        const struct migration_statement *statement = &step->statements.items[i];
        struct sql_script script;
        rh_sql_split(statement->sql, arena, &script);
        for (size_t k = 0; k < script.statements.count; k++) {
            const struct sql_statement *part = &script.statements.items[k];
            const char *place = rh_arena_printf(arena, "%s:%d", step->name,
                                                statement->line + (int)part->line - 1);
            const char *why = rh_rollback_refuse(check, part->text, place);
            if (why)
                *RH_PUSH(arena, &refusals->list) = rh_arena_printf(arena, "%s: %s", place, why);
        }
    }
}

enum err_code rh_dry_run_check(const struct migration *migration, struct arena *arena,
                               struct err *err)
{
    struct rollback_check check = {.arena = arena};
    struct refusals refusals = {.arena = arena};

    for (size_t i = 0; i < migration->steps.count; i++)
        check_step(&check, &migration->steps.items[i], &refusals);
    if (refusals.list.count == 0)
        return RH_OK;
    rh_err_set(err, RH_ERR_USAGE, "this migration cannot be tested by a rollback");
    const char *all = "";
    for (size_t i = 0; i < refusals.list.count && i < REFUSALS_SHOWN; i++)
        all = rh_arena_printf(arena, "%s%s%s", all, i ? "\n" : "", refusals.list.items[i]);
    if (refusals.list.count > REFUSALS_SHOWN)
        all = rh_arena_printf(arena, "%s\nand %zu more", all, refusals.list.count - REFUSALS_SHOWN);
    rh_err_detail(err, "%s", all);
    rh_err_hint(err, "%s", SANDBOX_HINT);
    return RH_ERR_USAGE;
}

/* --- statements --------------------------------------------------------------------------------
 */

static int64_t now_us(const struct dry_run *dry_run)
{
    return rh_clock_mono().us - dry_run->origin.us;
}

static enum err_code own(struct dry_run *dry_run, const char *sql, struct err *err)
{
    return dry_run->engine->query(dry_run->connection, sql, NULL, 0,
                                  rh_clock_after(rh_clock_mono(), ASK_MAX_US), NULL, err);
}

/* A millisecond short of the limit, a value that nobody writes: the migration's own SET to that
   very limit (2s, as the manuals have it, and our default) is then seen as a change. */
static int64_t bounded_ms(int64_t wanted_ms, int64_t limit_us)
{
    int64_t limit_ms = limit_us / 1000 > 1 ? limit_us / 1000 - 1 : 1;

    return wanted_ms > 0 && wanted_ms < limit_ms ? wanted_ms : limit_ms;
}

/* What the migration set is kept where it is stricter than our limits. */
static enum err_code bound_session(struct dry_run *dry_run, struct err *err)
{
    int64_t lock_ms = bounded_ms(dry_run->user_lock_ms, dry_run->options->lock_timeout_us);
    int64_t statement_ms = bounded_ms(dry_run->user_statement_ms,
                                      dry_run->options->statement_timeout_us);

    if (dry_run->lock_ms == lock_ms && dry_run->statement_ms == statement_ms)
        return RH_OK;
    dry_run->lock_ms = lock_ms;
    dry_run->statement_ms = statement_ms;
    return own(dry_run,
               rh_arena_printf(dry_run->arena,
                               "SET LOCAL lock_timeout = %lld; SET LOCAL statement_timeout = %lld",
                               (long long)lock_ms, (long long)statement_ms),
               err);
}

/* Behind a statement: what differs from what we set, the migration has set. */
static enum err_code look(struct dry_run *dry_run, struct statement *statement, struct err *err)
{
    int64_t lock_ms = dry_run->lock_ms, statement_ms = dry_run->statement_ms;
    enum err_code code = rh_dry_run_look(dry_run, statement, err);

    if (code)
        return code;
    if (dry_run->lock_ms != lock_ms)
        dry_run->user_lock_ms = dry_run->lock_ms;
    if (dry_run->statement_ms != statement_ms)
        dry_run->user_statement_ms = dry_run->statement_ms;
    return bound_session(dry_run, err);
}

static struct statement *add_statement(struct dry_run *dry_run, int step,
                                       const struct migration_statement *from)
{
    struct arena *arena = dry_run->arena;
    struct trace *trace = dry_run->trace;
    struct text sql = from->sql;
    struct sql_facts facts;

    rh_sql_facts_of_words(sql, arena, &facts);
    if (sql.len > STATEMENT_TEXT_MAX)
        sql.len = rh_text_utf8_valid_prefix((struct text){sql.data, STATEMENT_TEXT_MAX});
    struct statement *statement = RH_PUSH(arena, &trace->statements);
    *statement = (struct statement){
        .index = (int)trace->statements.count,
        .step = step,
        .line = from->line,
        .column = from->column,
        .sql = rh_redact_sql(arena, sql),
        .sql_bytes = (int64_t)from->sql.len,
        .tag = facts.tag,
        .transaction = -1,
        .start_us = now_us(dry_run),
        .rows = NOT_OBSERVED,
        .wal_bytes = NOT_OBSERVED,
        .temp_bytes = NOT_OBSERVED,
        .disk_growth_bytes = NOT_OBSERVED,
        .lock_timeout_ms = dry_run->user_lock_ms,
        .statement_timeout_ms = dry_run->user_statement_ms,
        .observation = OBSERVED_NOT,
        .not_observed_reason = "the transaction ended with it",
    };
    return statement;
}

/* "UPDATE 10", "INSERT 0 5": the last word, when it is a number. */
static int64_t rows_of_tag(const char *command_tag)
{
    const char *last = strrchr(command_tag, ' ');
    int64_t rows = NOT_OBSERVED;

    return last && rh_text_parse_int64(rh_text(last + 1), &rows) ? rows : NOT_OBSERVED;
}

static struct server_message *message_of(const struct err *why, struct arena *arena)
{
    struct server_message *message = RH_NEW(arena, struct server_message);

    message->severity = "ERROR";
    message->position = why->position;
    memcpy(message->sqlstate, why->sqlstate, sizeof(message->sqlstate));
    message->message = rh_mask_message(arena, why->sqlstate, rh_text(why->message));
    if (why->detail[0])
        message->detail = rh_mask_detail(arena, why->sqlstate, rh_text(why->detail));
    if (why->hint[0])
        message->hint = rh_arena_strdup(arena, why->hint);
    return message;
}

/* The locks of these statements would be free where their own transaction ends. */
static void settle_locks(struct dry_run *dry_run, size_t first_statement, int64_t end_us)
{
    struct trace *trace = dry_run->trace;

    for (size_t i = first_statement; i < trace->statements.count; i++) {
        struct statement *statement = &trace->statements.items[i];
        for (size_t k = 0; k < statement->locks.count; k++)
            statement->locks.items[k].held_us = end_us - statement->locks.items[k].acquired_us;
    }
}

static enum err_code run_statement(struct dry_run *dry_run, const struct migration_step *step,
                                   int index, const struct migration_statement *from, bool *ret_ok,
                                   struct err *err)
{
    struct arena *arena = dry_run->arena;
    struct statement *statement = add_statement(dry_run, index, from);
    RH_CLEANUP_ROWS struct rows *rows = NULL;
    struct err why = RH_ERR_INIT;
    struct mono deadline = rh_clock_after(rh_clock_mono(), dry_run->statement_ms * 1000 + GRACE_US);

    if (step->tool_transaction) {
        statement->in_transaction = true;
        statement->transaction = (int)dry_run->trace->transactions.count - 1;
    }
    /* One at a time, or the server refuses it: a COMMIT that only the server can see (strings end
       elsewhere when standard_conforming_strings is off) does not get through. */
    enum err_code code = dry_run->engine->query_single(
        dry_run->connection, rh_text_dup(arena, from->sql), deadline, &rows, &why);
    statement->duration_us = now_us(dry_run) - statement->start_us;
    if (code == RH_ERR_SERVER && rh_rollback_is_refusal(why.sqlstate)) {
        rh_err_set(err, RH_ERR_SERVER, "%s:%d cannot be tested by a rollback: %s", step->name,
                   from->line, why.message);
        rh_err_hint(err, "%s", SANDBOX_HINT);
        return err->code;
    }
    if (code && code != RH_ERR_SERVER) {
        *err = why;
        return code;
    }
    statement->finished = true;
    statement->ok = *ret_ok = !code;
    if (code) {
        statement->error = message_of(&why, arena);
        return RH_OK;
    }
    statement->rows = rows_of_tag(rh_rows_command_tag(rows));
    code = look(dry_run, statement, err);
    if (!code && !step->tool_transaction)
        settle_locks(dry_run, dry_run->trace->statements.count - 1,
                     statement->start_us + statement->duration_us);
    return code;
}

/* What a tool sends as one string is one transaction of its own, like a single statement. */
static enum err_code run_piece(struct dry_run *dry_run, const struct migration_step *step,
                               int index, const struct migration_statement *piece, bool *ret_ok,
                               struct err *err)
{
    struct sql_script script;
    enum err_code code = RH_OK;

    if (!step->tool_transaction)
        dry_run->was_blocking = dry_run->is_blocking;
    rh_sql_split(piece->sql, dry_run->arena, &script);
    for (size_t i = 0; !code && *ret_ok && i < script.statements.count; i++) {
        const struct sql_statement *part = &script.statements.items[i];
        const struct migration_statement from = {
            .sql = part->text,
            .line = piece->line + (int)part->line - 1,
            .column = part->line == 1 ? piece->column + (int)part->column - 1 : (int)part->column,
        };
        code = run_statement(dry_run, step, index, &from, ret_ok, err);
    }
    return code;
}

/* Deferred constraints are looked at where a transaction commits, and none does. */
static enum err_code check_constraints(struct dry_run *dry_run, int index, bool *ret_ok,
                                       struct err *err)
{
    static const char sql[] = "SET CONSTRAINTS ALL IMMEDIATE";
    struct err why = RH_ERR_INIT;
    enum err_code code = own(dry_run, sql, &why);

    if (code == RH_ERR_SERVER) {
        const struct migration_statement from = {.sql = TEXT_LITERAL(sql)};
        struct statement *statement = add_statement(dry_run, index, &from);
        statement->finished = true;
        statement->error = message_of(&why, dry_run->arena);
        *ret_ok = false;
        return RH_OK;
    }
    if (code)
        *err = why;
    return code;
}

/* Each file has a session of its own where it is run for good: settings end with it. */
static enum err_code begin_session(struct dry_run *dry_run, struct err *err)
{
    dry_run->user_lock_ms = dry_run->session_lock_ms;
    dry_run->user_statement_ms = dry_run->session_statement_ms;
    dry_run->lock_ms = dry_run->statement_ms = -1;
    enum err_code code = own(dry_run,
                             dry_run->can_check_client
                                 ? "SET SESSION AUTHORIZATION DEFAULT; RESET ALL; "
                                   "SET LOCAL client_connection_check_interval = '2s'"
                                 : "SET SESSION AUTHORIZATION DEFAULT; RESET ALL",
                             err);
    return code ? code : bound_session(dry_run, err);
}

static enum err_code run_step(struct dry_run *dry_run, size_t index, struct err *err)
{
    struct rehearsal *rehearsal = dry_run->rehearsal;
    struct trace *trace = dry_run->trace;
    const struct migration_step *from = &rehearsal->migration.steps.items[index];
    struct step *step = &trace->steps.items[index];
    size_t first = trace->statements.count;
    bool ok = true;
    enum err_code code = RH_OK;

    step->reached = true;
    step->start_us = now_us(dry_run);
    rh_progress_phase(rehearsal->options->progress, "run %s", from->name);
    code = begin_session(dry_run, err);
    if (!code && from->tool_transaction)
        *RH_PUSH(dry_run->arena, &trace->transactions) = (struct transaction){
            .start_us = step->start_us, .end_us = -1, .opened_by = "BEGIN"};
    else if (!code)
        code = check_constraints(dry_run, (int)index, &ok, err);
    dry_run->was_blocking = dry_run->is_blocking;
    for (size_t i = 0; !code && ok && i < from->statements.count; i++)
        code = run_piece(dry_run, from, (int)index, &from->statements.items[i], &ok, err);
    if (!code && ok && from->tool_transaction)
        code = check_constraints(dry_run, (int)index, &ok, err);
    if (from->tool_transaction && trace->transactions.count > 0) {
        settle_locks(dry_run, first, now_us(dry_run));
        trace->transactions.items[trace->transactions.count - 1].end_us = now_us(dry_run);
    }
    step->ok = ok && !code;
    step->duration_us = now_us(dry_run) - step->start_us;
    return code;
}

static void list_steps(struct dry_run *dry_run)
{
    const struct migration *migration = &dry_run->rehearsal->migration;
    struct trace *trace = dry_run->trace;

    for (size_t i = 0; i < migration->steps.count; i++) {
        const struct migration_step *from = &migration->steps.items[i];
        struct step *step = RH_PUSH(dry_run->arena, &trace->steps);
        step->name = from->name;
        step->path = from->path;
        memcpy(step->sha256, from->sha256, sizeof(step->sha256));
        step->exit_status = -1;
    }
    *RH_PUSH(dry_run->arena, &trace->sessions) = (struct session){
        .backend_pid = dry_run->engine->backend_pid(dry_run->connection),
        .application_name = "rehearse",
        .ended_us = -1};
}

static enum err_code run_steps(struct dry_run *dry_run, bool *ret_ok, struct err *err)
{
    struct trace *trace = dry_run->trace;
    enum err_code code = own(dry_run, "BEGIN", err);

    if (!code)
        code = rh_dry_run_look(dry_run, NULL, err);
    if (code)
        return code;
    dry_run->session_lock_ms = dry_run->lock_ms;
    dry_run->session_statement_ms = dry_run->statement_ms;
    int64_t first_wal = dry_run->wal_position;
    *ret_ok = true;
    for (size_t i = 0; !code && *ret_ok && i < trace->steps.count; i++) {
        code = run_step(dry_run, i, err);
        *ret_ok = trace->steps.items[i].ok;
    }
    trace->wal_bytes = dry_run->wal_position - first_wal;
    trace->duration_us = now_us(dry_run);
    return code;
}

/* --- states and proof --------------------------------------------------------------------------
 */

static void compare_inside(struct dry_run *dry_run, const struct states *before,
                           const struct states *inside)
{
    struct result *result = &dry_run->rehearsal->result;

    result->schema_differences.reason = before->schema_reason ? before->schema_reason
                                                              : inside->schema_reason;
    result->data_differences.reason = before->data_reason ? before->data_reason
                                                          : inside->data_reason;
    if (!result->schema_differences.reason)
        rh_compare_schema(&before->schema, &inside->schema, dry_run->arena,
                          &result->schema_differences);
    if (!result->data_differences.reason)
        rh_compare_data(&before->data, &inside->data, dry_run->arena, &result->data_differences);
}

/* What the migration made, seen by its own transaction before that goes. */
static enum err_code read_inside(struct dry_run *dry_run, const struct states *before, bool ok,
                                 struct err *err)
{
    struct states inside = {0};
    const struct states_reading reading = {
        .engine = dry_run->engine,
        .connection = dry_run->connection,
        .connections = 1,
        .skips_data = dry_run->other_sessions > 0
                          ? "reading every table would keep the other sessions waiting"
                          : NULL,
        .previous = before,
    };
    enum err_code code = RH_OK;

    if (ok)
        code = rh_states_read_on(&reading, dry_run->arena, &inside, err);
    else
        inside.schema_reason = inside
                                   .data_reason = "the migration failed, and what it had done went";
    if (!code)
        compare_inside(dry_run, before, &inside);
    return code;
}

static void take_differences(struct dry_run *dry_run, const struct schema_differences *schema,
                             const struct data_differences *data)
{
    struct arena *arena = dry_run->arena;
    struct rollback_facts *facts = &dry_run->rehearsal->result.rollback;

    for (size_t i = 0; i < schema->list.count; i++)
        *RH_PUSH(arena, &facts->differences) = schema->list.items[i].sentence;
    for (size_t i = 0; i < data->list.count; i++) {
        const struct data_difference *difference = &data->list.items[i];
        if (difference->subject == DATA_SEQUENCE)
            *RH_PUSH(arena, &facts->sequences) = difference->sentence;
        else if (difference->change != DIFFERENCE_NOT_COMPARED)
            *RH_PUSH(arena, &facts->differences) = difference->sentence;
    }
    facts->tables = data->tables;
    facts->rows = data->rows;
    facts->sampled_tables = data->sampled_tables;
    facts->skipped_tables = data->skipped_tables;
}

/* Behind the rollback: the same questions as before it. */
static enum err_code prove(struct dry_run *dry_run, const struct states *before, struct err *err)
{
    struct rollback_facts *facts = &dry_run->rehearsal->result.rollback;
    struct states after = {0};
    struct schema_differences schema = {0};
    struct data_differences data = {0};
    const struct states_reading reading = {
        .engine = dry_run->engine,
        .connection = dry_run->watcher,
        .others = &dry_run->parameters,
        .previous = before,
    };

    rh_progress_phase(dry_run->rehearsal->options->progress, "prove that nothing stayed");
    enum err_code code = rh_states_read_on(&reading, dry_run->arena, &after, err);
    if (code)
        return code;
    const char *reasons[] = {before->schema_reason, after.schema_reason, before->data_reason,
                             after.data_reason};
    for (size_t i = 0; i < 4 && !facts->reason; i++)
        facts->reason = reasons[i];
    if (facts->reason)
        return RH_OK;
    rh_compare_schema(&before->schema, &after.schema, dry_run->arena, &schema);
    rh_compare_data(&before->data, &after.data, dry_run->arena, &data);
    take_differences(dry_run, &schema, &data);
    facts->proof = facts->differences.count > 0 ? ROLLBACK_DIFFERS : ROLLBACK_PROVEN;
    if (facts->proof == ROLLBACK_DIFFERS && facts->other_sessions > 0)
        facts->reason = "other sessions were connected, and nobody can tell whose it is";
    return RH_OK;
}

/* --- the whole ---------------------------------------------------------------------------------
 */

/* The transaction ends here, whatever happened before. */
static void roll_back(struct dry_run *dry_run)
{
    struct rollback_facts *facts = &dry_run->rehearsal->result.rollback;
    struct err why = RH_ERR_INIT;

    if (own(dry_run, "ROLLBACK", &why)) {
        /* Closed, it is rolled back by the server. */
        rh_dry_run_cancel(dry_run);
        dry_run->engine->close(dry_run->connection);
        dry_run->connection = NULL;
        facts->was_lost = true;
    }
}

static void fill_fidelity(struct dry_run *dry_run, const struct states *before)
{
    struct result *result = &dry_run->rehearsal->result;
    struct fidelity *fidelity = &result->fidelity;

    result->rollback.is_dry_run = true;
    result->rollback.target = dry_run->place;
    result->rollback.other_sessions = dry_run->other_sessions;
    fidelity->source = rh_arena_printf(dry_run->arena, "database %s, rolled back", dry_run->place);
    fidelity->snapshot_age_s = -1;
    fidelity->sample_fraction = 1.0;
    fidelity->relations = before->data_reason ? -1 : (int64_t)before->data.tables.count;
    fidelity->rows = fidelity->bytes = -1;
    rh_result_note(
        &dry_run->rehearsal->result,
        "All of it ran in one transaction that was rolled back: what was written is left "
        "to vacuum as dead rows.");
    if (dry_run->other_sessions > 0)
        rh_result_note(&dry_run->rehearsal->result,
                       rh_arena_printf(dry_run->arena, "%lld other session%s connected meanwhile.",
                                       (long long)dry_run->other_sessions,
                                       dry_run->other_sessions == 1 ? " was" : "s were"));
    *RH_PUSH(dry_run->arena, &dry_run->trace->not_observed) =
        "A dry run has no event triggers, no server log and no samples: waits for locks, what was "
        "dropped along, and what a COMMIT would do were not observed.";
}

static enum err_code perform(struct dry_run *dry_run, const struct states *before, struct err *err)
{
    struct trace *trace = dry_run->trace;
    bool ok = false;

    dry_run->origin = rh_clock_mono();
    trace->started_at = rh_clock_wall();
    list_steps(dry_run);
    enum err_code code = run_steps(dry_run, &ok, err);
    if (!code)
        code = read_inside(dry_run, before, ok, err);
    roll_back(dry_run);
    for (size_t i = 0; i < trace->statements.count; i++)
        rh_sql_clauses(&trace->statements.items[i], dry_run->arena);
    if (code) {
        struct err ending = RH_ERR_INIT;
        enum err_code cut = rh_interrupt_check(&ending);
        trace->interrupted = cut == RH_ERR_INTERRUPTED;
        trace->timed_out = cut == RH_ERR_TIMEOUT;
        if (cut) {
            dry_run->rehearsal->result.rollback.reason = "the run was cut short";
            return RH_OK;
        }
        if (code == RH_ERR_CONNECTION)
            rh_err_detail(err, "the server rolls back what a lost connection leaves");
        return code;
    }
    rh_dry_run_describe_relations(dry_run);
    return prove(dry_run, before, err);
}

enum err_code rh_dry_run_stage(struct rehearsal *rehearsal, struct err *err)
{
    const struct rehearsal_options *options = rehearsal->options;
    struct trace *trace = &rehearsal->trace;
    struct dry_run dry_run = {
        .rehearsal = rehearsal,
        .options = options->dry_run,
        .engine = options->sandbox.engine,
        .arena = rehearsal->arena,
        .trace = trace,
    };
    struct states before = {0};

    *trace = (struct trace){.arena = rehearsal->arena,
                            .disk_growth_bytes = NOT_OBSERVED,
                            .peak_disk_bytes = NOT_OBSERVED,
                            .temp_bytes = NOT_OBSERVED,
                            .wal_bytes = NOT_OBSERVED,
                            .connected = true,
                            .evidence_intact = true,
                            .outside_only = true};
    rh_progress_phase(options->progress, "look at the database");
    enum err_code code = rh_dry_run_open(&dry_run, err);
    if (!code)
        code = rh_dry_run_read_relations(&dry_run, err);
    if (!code) {
        const struct states_reading reading = {
            .engine = dry_run.engine, .connection = dry_run.watcher, .others = &dry_run.parameters};
        code = rh_states_read_on(&reading, rehearsal->arena, &before, err);
    }
    struct mono began = rh_clock_mono();
    rehearsal->result.started_at = rh_clock_wall();
    if (!code) {
        fill_fidelity(&dry_run, &before);
        code = perform(&dry_run, &before, err);
    }
    rh_dry_run_close(&dry_run);
    if (code) {
        rh_err_while(err, "while rehearsing in the database at %s", dry_run.place);
        return code;
    }
    rehearsal->result.duration_us = rh_clock_mono().us - began.us;
    return rh_rehearsal_conclude(rehearsal, err);
}
