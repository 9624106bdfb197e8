/* Rules on the run as a whole: budgets, how it ended, what could not be seen. */
#include "judge/judge_int.h"

#include <string.h>

/* Lines of the server's log quoted as evidence, and statements named as not observed. */
#define LOG_LINES_SHOWN 10
#define STATEMENTS_SHOWN 6

/* --- the gates --- */

/* The act that took most of what the gate counts; NULL. */
static const struct act *greatest(const struct judgement *judgement,
                                  int64_t (*measure)(const struct statement *statement))
{
    const struct act *best = NULL;
    for (size_t i = 0; i < judgement->acts.count; i++) {
        const struct act *act = &judgement->acts.items[i];
        if (act->statement == act->top && measure(act->top) > 0 &&
            (!best || measure(act->top) > measure(best->top)))
            best = act;
    }
    return best;
}

static int64_t duration_of(const struct statement *statement)
{
    return statement->duration_us;
}

static int64_t wal_of(const struct statement *statement)
{
    return statement->wal_bytes;
}

static int64_t disk_of(const struct statement *statement)
{
    return statement->disk_growth_bytes;
}

/* `verb`: "took", "wrote WAL of": what the migration did, before the measure. */
static struct found *add_gate_finding(struct judgement *judgement, const struct rule *rule,
                                      const char *gate_name, const struct act *act,
                                      const char *verb)
{
    const struct gate *gate = rh_judgement_gate(judgement, gate_name);
    if (!gate || !gate->observed || gate->ok)
        return NULL;
    struct found *found = rh_judgement_add(judgement, rule, SEVERITY_ERROR, act, NULL);
    rh_evidence_text(found, "measured", gate->measured);
    rh_evidence_text(found, "limit", gate->limit);
    const char *said = rh_arena_printf(judgement->arena, "%s %s (limit %s)", verb, gate->measured,
                                       gate->limit);
    found->finding.title = rh_arena_printf(judgement->arena, "the migration %s", said);
    found->headline = rh_arena_printf(judgement->arena, "%s %s",
                                      rh_judgement_subject(judgement, NULL), said);
    return found;
}

void rh_rule_duration_gate(const struct rule *rule, struct judgement *judgement)
{
    struct arena *arena = judgement->arena;
    const struct act *act = greatest(judgement, duration_of);
    struct found *found = add_gate_finding(judgement, rule, "duration", act, "took");
    if (!found)
        return;
    found->weight = judgement->trace->duration_us;
    rh_evidence_ms(found, "duration_ms", judgement->trace->duration_us);
    found->finding
        .why = act ? rh_arena_printf(
                         arena,
                         "Most of it went to statement %d: %s. Times are those of this machine.",
                         act->top->index, rh_say_duration(arena, act->top->duration_us))
                   : "Times are those of this machine.";
    found->finding.advice =
        "Move slow work that needs no lock (backfills, concurrent index builds, VALIDATE) "
        "out of the deploy, or raise --max-duration if the deploy may take that long.";
}

void rh_rule_wal_gate(const struct rule *rule, struct judgement *judgement)
{
    struct arena *arena = judgement->arena;
    const struct act *act = greatest(judgement, wal_of);
    struct found *found = add_gate_finding(judgement, rule, "wal", act, "wrote WAL of");
    if (!found)
        return;
    found->weight = judgement->trace->wal_bytes;
    rh_evidence_count(found, "wal_bytes", judgement->trace->wal_bytes);
    found->finding.why = rh_arena_printf(
        arena,
        "%sReplicas must fetch and apply it, archives must store it, slots keep it until then.",
        act ? rh_arena_printf(arena, "Statement %d alone wrote %s. ", act->top->index,
                              rh_say_bytes(arena, act->top->wal_bytes))
            : "");
    found->finding
        .advice = "Avoid the rewrite, or change rows in batches with pauses, so that archiving and "
                  "replicas keep up.";
}

void rh_rule_disk_gate(const struct rule *rule, struct judgement *judgement)
{
    struct arena *arena = judgement->arena;
    const struct trace *trace = judgement->trace;
    const struct act *act = greatest(judgement, disk_of);
    struct found *found = add_gate_finding(judgement, rule, "disk", act, "needed a disk of");
    if (!found)
        return;
    found->weight = trace->peak_disk_bytes;
    rh_evidence_count(found, "peak_disk_bytes", trace->peak_disk_bytes);
    rh_evidence_count(found, "temp_bytes", trace->temp_bytes);
    found->finding.why = rh_arena_printf(
        arena,
        "At the peak old and new files, temporary files and WAL lay side by side%s. A server whose "
        "disk is full stops.",
        act ? rh_arena_printf(arena, "; statement %d added %s", act->top->index,
                              rh_say_bytes(arena, act->top->disk_growth_bytes))
            : "");
    found->finding
        .advice = "Avoid the rewrite, do one table at a time with VACUUM in between, or make room "
                  "first.";
}

void rh_rule_lag_gate(const struct rule *rule, struct judgement *judgement)
{
    struct arena *arena = judgement->arena;
    const struct act *act = greatest(judgement, wal_of);
    struct found *found = add_gate_finding(judgement, rule, "lag", act,
                                           "would put replicas behind by");
    if (!found)
        return;
    int64_t lag_us = rh_judgement_lag_us(judgement);
    found->weight = lag_us;
    rh_evidence_ms(found, "lag_ms", lag_us);
    rh_evidence_count(found, "wal_bytes", judgement->trace->wal_bytes);
    rh_evidence_count(found, "replica_apply_bytes_per_s",
                      judgement->limits->replica_apply_bytes_per_s);
    found->finding.why = rh_arena_printf(
        arena,
        "It wrote %s of WAL; a replica that applies %s per second needs that long. Reads from it "
        "are "
        "stale meanwhile, a failover loses or waits for the rest.",
        rh_say_bytes(arena, judgement->trace->wal_bytes),
        rh_say_bytes(arena, judgement->limits->replica_apply_bytes_per_s));
    found->finding
        .advice = "Write less at once: batches with pauses that watch pg_stat_replication, no "
                  "rewrite of a large table.";
}

/* --- how it ended --- */

static const struct act *unfinished_act(const struct judgement *judgement)
{
    for (size_t i = judgement->acts.count; i > 0; i--) {
        const struct act *act = &judgement->acts.items[i - 1];
        if (act->statement == act->top && (!act->top->finished || !act->top->ok))
            return act;
    }
    return NULL;
}

void rh_rule_server_crash(const struct rule *rule, struct judgement *judgement)
{
    struct arena *arena = judgement->arena;
    const struct trace *trace = judgement->trace;
    if (!trace->server_crashed)
        return;
    const struct act *act = unfinished_act(judgement);
    struct found *found = rh_judgement_add(judgement, rule, SEVERITY_ERROR, act, NULL);
    struct finding *finding = &found->finding;
    const char *reason = trace->crash_reason ? trace->crash_reason : "no reason was given";
    rh_evidence_text(found, "reason", reason);
    size_t skipped = trace->log_tail.count > LOG_LINES_SHOWN
                         ? trace->log_tail.count - LOG_LINES_SHOWN
                         : 0;
    json_t *log = json_array();
    for (size_t i = skipped; i < trace->log_tail.count; i++)
        json_array_append_new(log, rh_json_text(trace->log_tail.items[i]));
    rh_evidence_json(found, "log", log);
    found->weight = INT64_MAX;
    finding->title = rh_arena_printf(
        arena, "the server died in the middle of %s: %s",
        act ? rh_arena_printf(arena, "statement %d", act->top->index) : "the migration", reason);
    found->headline = rh_arena_printf(arena, "the server died while %s ran: %s",
                                      rh_judgement_subject(judgement, NULL), reason);
    finding->why = trace->log_tail.count > 0
                       ? rh_arena_printf(
                             arena, "The last line of its log: %s",
                             rh_text_one_line(
                                 arena, rh_text(trace->log_tail.items[trace->log_tail.count - 1]),
                                 200))
                       : "Its log says nothing about it.";
    finding->advice =
        "If memory or disk ran out here, look at work_mem, maintenance_work_mem and the size of "
        "the change before production meets the same. The run's directory has the log.";
}

static const struct step *command_step(const struct judgement *judgement)
{
    for (size_t i = 0; i < judgement->trace->steps.count; i++)
        if (judgement->trace->steps.items[i].is_command && judgement->trace->steps.items[i].reached)
            return &judgement->trace->steps.items[i];
    return NULL;
}

static void name_step(struct found *found, const struct step *step)
{
    found->finding.step = step ? step->name : NULL;
}

static bool was_cut(const struct trace *trace)
{
    return trace->timed_out || trace->interrupted || trace->server_crashed;
}

void rh_rule_no_connection(const struct rule *rule, struct judgement *judgement)
{
    struct arena *arena = judgement->arena;
    const struct step *step = command_step(judgement);
    if (judgement->trace->connected || !step || was_cut(judgement->trace))
        return;
    struct found *found = rh_judgement_add(judgement, rule, SEVERITY_ERROR, NULL, NULL);
    struct finding *finding = &found->finding;
    name_step(found, step);
    rh_evidence_json(found, "exit_status",
                     step->exit_status < 0 ? json_null() : json_integer(step->exit_status));
    found->weight = INT64_MAX;
    const char *subject = rh_arena_printf(arena, "\"%s\"",
                                          rh_text_one_line(arena, rh_text(step->name), 48));
    finding->title = "the command never connected to the sandbox";
    found->headline = rh_arena_printf(arena,
                                      "%s never connected to the sandbox (it ended with status %d)",
                                      subject, step->exit_status);
    finding->why = rh_arena_printf(arena,
                                   "It ended with status %d without speaking to the server we gave "
                                   "it. Nothing was rehearsed; it "
                                   "may have looked for another database, and found none.",
                                   step->exit_status);
    finding
        ->advice = "See that it reads DATABASE_URL, the PG* variables or a placeholder, and not a "
                   "configuration file with an address of its own.";
    finding->advice_sql =
        "rehearse run --env 'MY_DB_URL={url}' -- COMMAND\nrehearse run -- COMMAND --url {url}";
}

void rh_rule_open_transaction(const struct rule *rule, struct judgement *judgement)
{
    struct arena *arena = judgement->arena;
    const struct trace *trace = judgement->trace;
    if (was_cut(trace))
        return;
    for (size_t i = 0; i < trace->sessions.count; i++) {
        const struct session *session = &trace->sessions.items[i];
        const struct transaction *open = NULL;
        for (size_t j = 0; j < trace->transactions.count; j++) {
            const struct transaction *transaction = &trace->transactions.items[j];
            if (transaction->session == (int)i && !transaction->committed &&
                (transaction->end_us < 0 || session->left_transaction_open))
                open = transaction; /* the last one */
        }
        if (!session->left_transaction_open && !(open && open->end_us < 0))
            continue;
        const struct act *act = NULL;
        for (size_t j = 0; open && j < judgement->acts.count && !act; j++)
            if (judgement->acts.items[j].top->index == open->opened_by_statement)
                act = &judgement->acts.items[j];
        struct found *found = rh_judgement_add(judgement, rule, SEVERITY_ERROR, act, NULL);
        struct finding *finding = &found->finding;
        if (!act)
            name_step(found, command_step(judgement));
        const char *opened_by = open && open->opened_by
                                    ? rh_text_one_line(arena, rh_text(open->opened_by), 60)
                                    : NULL;
        rh_evidence_text(found, "opened_by", opened_by);
        rh_evidence_text(found, "application_name", session->application_name);
        found->weight = INT64_MAX - 1;
        if (open && open->left_prepared) {
            finding->title = "it left a prepared transaction behind, which still holds its locks";
            found->headline = rh_arena_printf(
                arena, "%s left a prepared transaction behind, which still holds its locks",
                rh_judgement_subject(judgement, act ? act->top : NULL));
            finding->why =
                "A prepared transaction outlives its session and the server's restart: its locks "
                "stay, and vacuum cannot pass it, until somebody ends it by name.";
            finding->advice = "End it in the migration; pg_prepared_xacts names those left.";
            finding->advice_sql = "COMMIT PREPARED '<name>';";
            continue;
        }
        finding->title = opened_by ? rh_arena_printf(
                                         arena,
                                         "it ended with a transaction open (by \"%s\"): the server "
                                         "rolled it back",
                                         opened_by)
                                   : "it ended with a transaction open: the server rolled it back";
        found->headline = rh_arena_printf(arena,
                                          "%s left a transaction open: its work was rolled back",
                                          rh_judgement_subject(judgement, act ? act->top : NULL));
        finding->why =
            "Nothing of what ran since then was kept, though no statement failed. A session that "
            "stays connected like that keeps its locks for as long.";
        finding->advice = "End with COMMIT; with a driver, commit or use its autocommit.";
        finding->advice_sql = "COMMIT;";
    }
}

void rh_rule_command_failed(const struct rule *rule, struct judgement *judgement)
{
    struct arena *arena = judgement->arena;
    const struct trace *trace = judgement->trace;
    if (was_cut(trace) || rh_judgement_has_failed_statement(judgement))
        return;
    for (size_t i = 0; i < trace->steps.count; i++) {
        const struct step *step = &trace->steps.items[i];
        if (!step->reached || step->exit_status <= 0 || (step->is_command && !trace->connected))
            continue;
        struct found *found = rh_judgement_add(judgement, rule, SEVERITY_ERROR, NULL, NULL);
        struct finding *finding = &found->finding;
        name_step(found, step);
        rh_evidence_count(found, "exit_status", step->exit_status);
        found->weight = INT64_MAX - 1;
        if (trace->statements.count == 0) {
            finding->title = rh_arena_printf(
                arena, "the command ended with status %d before it sent a statement",
                step->exit_status);
            found->headline = rh_arena_printf(
                arena, "\"%s\" ended with status %d before it sent a statement",
                rh_text_one_line(arena, rh_text(step->name), 48), step->exit_status);
            finding->why = "It reached the sandbox, and nothing was rehearsed: either its login "
                           "was refused (another user, password or database than it was given), "
                           "or it gave up by itself.";
            finding->advice =
                "Read its output: it is in output.log of the run's directory. The user, password "
                "and database are in PGUSER, PGPASSWORD, PGDATABASE and DATABASE_URL, and as "
                "{user} {password} {db} {url} in its arguments and in --env NAME=TEMPLATE.";
            continue;
        }
        finding->title = rh_arena_printf(
            arena, "the command ended with status %d though no statement failed",
            step->exit_status);
        found->headline = rh_arena_printf(
            arena, "\"%s\" ended with status %d though no statement failed",
            rh_text_one_line(arena, rh_text(step->name), 48), step->exit_status);
        finding->why =
            "The server accepted all it was sent; the command itself says that it failed, so in "
            "production the deploy would stop here.";
        finding->advice = "Read its output: it is in output.log of the run's directory.";
    }
}

/* --- not-observed --- */

void rh_rule_not_observed(const struct rule *rule, struct judgement *judgement)
{
    struct arena *arena = judgement->arena;
    const struct trace *trace = judgement->trace;
    const char *blind_spot = rh_judgement_blind_spot(judgement);
    if (!blind_spot)
        return;
    VEC(const char *) places = {0};
    const struct act *first = NULL;
    for (size_t i = 0; i < judgement->acts.count; i++) {
        const struct act *act = &judgement->acts.items[i];
        if (act->statement != act->top || act->top->observation != OBSERVED_NOT || act->is_control)
            continue;
        if (!first)
            first = act;
        *RH_PUSH(arena, &places) = rh_arena_printf(arena, "%d", act->top->index);
    }
    struct found *found = rh_judgement_add(judgement, rule, SEVERITY_INFO, first, NULL);
    struct finding *finding = &found->finding;
    json_t *reasons = json_array();
    for (size_t i = 0; i < trace->not_observed.count; i++)
        json_array_append_new(reasons, rh_json_text(trace->not_observed.items[i]));
    rh_evidence_json(found, "reasons", reasons);
    rh_evidence_count(found, "statements", (int64_t)places.count);
    finding->title = blind_spot;
    finding->why = rh_arena_printf(
        arena, "What was not observed is neither clean nor dirty: it is unknown%s%s.",
        places.count > 0 ? "; without evidence are statements " : "",
        places.count > 0 ? rh_say_list(arena, places.items, places.count, STATEMENTS_SHOWN) : "");
    finding->advice =
        "Do not drop the schema \"rehearse\" or disable event triggers in the migration; look at "
        "the notes of the run for the reason.";
}
