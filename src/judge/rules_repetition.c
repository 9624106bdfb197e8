/* Rules on running it again: whole (not-repeatable), or after it was cut off (half-applied). */
#include "judge/judge_int.h"

#include <string.h>

/* Differences and statements listed in one sentence. */
#define LISTED 3
/* As the cutter quotes a statement (trace/cutter.c). */
#define SQL_COLUMNS 200
#define SQL_SHOWN_COLUMNS 60

static const struct statement *statement_at(const struct judgement *judgement, int index)
{
    return index > 0 && (size_t)index <= judgement->trace->statements.count
               ? &judgement->trace->statements.items[index - 1]
               : NULL;
}

static const struct act *act_of(const struct judgement *judgement, int index)
{
    for (size_t i = 0; i < judgement->acts.count && index > 0; i++)
        if (judgement->acts.items[i].top->index == index)
            return &judgement->acts.items[i];
    return NULL;
}

/* The statement of the first run with these words; 0. */
static int index_of(const struct judgement *judgement, const char *sql)
{
    for (size_t i = 0; sql && i < judgement->trace->statements.count; i++) {
        const struct statement *statement = &judgement->trace->statements.items[i];
        if (strcmp(sql, rh_text_one_line(judgement->arena, rh_text(statement->sql), SQL_COLUMNS)) ==
            0)
            return statement->index;
    }
    return 0;
}

/* "fails: column "a" of relation "t" already exists (42701)". */
static const char *say_failure(struct arena *arena, const struct repeated_run *run)
{
    if (run->error)
        return rh_arena_printf(arena, "fails: %s (%s)", run->error->message, run->error->sqlstate);
    return rh_arena_printf(arena, "fails: %s", run->reason ? run->reason : "no reason was given");
}

static const char *say_differences(struct arena *arena, const struct end_difference *difference)
{
    const char *list = rh_say_list(arena, difference->sentences.items, difference->sentences.count,
                                   LISTED);
    return difference->count > (int64_t)difference->sentences.count
               ? rh_arena_printf(arena, "%s (%lld in all)", list, (long long)difference->count)
               : list;
}

static json_t *texts(const char *const *items, size_t count)
{
    json_t *array = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(array, rh_json_text(items[i]));
    return array;
}

static void add_run_evidence(struct found *found, const struct repeated_run *run)
{
    if (run->error) {
        rh_evidence_text(found, "sqlstate", run->error->sqlstate);
        rh_evidence_text(found, "error", run->error->message);
    } else if (!run->ok) {
        rh_evidence_text(found, "error", run->reason);
    }
    if (run->error_sql)
        rh_evidence_text(found, "error_statement", run->error_sql);
    if (run->exit_status >= 0)
        rh_evidence_count(found, "exit_status", run->exit_status);
    if (run->difference.count > 0) {
        rh_evidence_count(found, "difference_count", run->difference.count);
        rh_evidence_json(found, "differences",
                         texts(run->difference.sentences.items, run->difference.sentences.count));
    }
}

/* --- not-repeatable -----------------------------------------------------------------------------
 */

void rh_rule_not_repeatable(const struct rule *rule, struct judgement *judgement)
{
    struct arena *arena = judgement->arena;
    const struct rerun *rerun = &judgement->result->repetition.rerun;
    const struct repeated_run *run = &rerun->run;
    bool is_script = rerun->kind == RERUN_SCRIPT;
    if (!run->was_run || (run->ok && run->difference.count == 0))
        return;
    /* A plain script that cannot run twice says so at once, and nobody expects it to. */
    if (rerun->kind == RERUN_TOOL_FILES || (is_script && !rerun->claims_repeatable))
        return;
    int index = run->ok ? 0 : index_of(judgement, run->error_sql);
    struct found *found = rh_judgement_add(judgement, rule, SEVERITY_WARNING,
                                           act_of(judgement, index), NULL);
    add_run_evidence(found, run);
    struct finding *finding = &found->finding;
    finding->title = run->ok
                         ? rh_arena_printf(arena, "run again, it changes the database again: %s",
                                           say_differences(arena, &run->difference))
                         : rh_arena_printf(arena, "run again, it %s", say_failure(arena, run));
    if (is_script) {
        finding
            ->why = "All that it creates or drops says IF [NOT] EXISTS or OR REPLACE, so whoever "
                    "runs it may take it for safe to run twice. It was, and it is not.";
        finding
            ->advice = run->ok
                           ? "Make each change find nothing to do the second time: INSERT ... ON "
                             "CONFLICT DO NOTHING, UPDATE ... WHERE the new value is not there "
                             "yet."
                           : "Give this statement such a form too, or a check around it; where "
                             "there is none, keep a record of what has run.";
    } else {
        finding->why = "A deploy that is repeated, or two instances that start at once, run the "
                       "command again. It should find that all is done.";
        finding
            ->advice = "Look at what the command records of a migration it has run, and in which "
                       "transaction; what it said the second time is in again.log of the run's "
                       "directory.";
    }
}

/* --- half-applied -------------------------------------------------------------------------------
 */

/* "cut off after statement 3", "cancelled in statement 4". */
static const char *say_cut(struct arena *arena, const struct cut *cut)
{
    const char *where = cut->in_the_middle ? "in" : "after";
    int index = cut->in_the_middle ? cut->after + 1 : cut->after;
    switch (cut->how) {
    case CUT_DISCONNECT:
        return rh_arena_printf(arena, "cut off %s statement %d", where, index);
    case CUT_CANCEL:
        return rh_arena_printf(arena, "cancelled %s statement %d", where, index);
    case CUT_KILL:
        return rh_arena_printf(arena, "the server killed %s statement %d", where, index);
    }
    return "";
}

static const char *say_committed(struct judgement *judgement, const struct cut *cut)
{
    struct arena *arena = judgement->arena;
    VEC(const char *) said = {0};
    for (size_t i = 0; i < cut->committed.count; i++) {
        const struct statement *statement = statement_at(judgement, cut->committed.items[i]);
        if (statement)
            *RH_PUSH(arena, &said) = rh_arena_printf(
                arena, "%d (%s)", statement->index,
                rh_text_one_line(arena, rh_text(statement->sql), SQL_SHOWN_COLUMNS));
    }
    return rh_say_list(arena, said.items, said.count, LISTED);
}

/* CREATE INDEX CONCURRENTLY that says by itself that its first attempt is in the way: that is how
   the command works, and it harms nobody who reads the error. */
static bool speaks_for_itself(const struct judgement *judgement, const struct cut *cut)
{
    return cut->in_the_middle && cut->outcome == CUT_FAILS && cut->again.error_sql &&
           index_of(judgement, cut->again.error_sql) == cut->after + 1;
}

static const char *invalid_index(const struct cut *cut)
{
    static const char kind[] = "invalid index ";
    for (size_t i = 0; i < cut->invalid_after.count; i++)
        if (strncmp(cut->invalid_after.items[i], kind, strlen(kind)) == 0)
            return cut->invalid_after.items[i] + strlen(kind);
    return NULL;
}

static void explain(struct judgement *judgement, const struct cut *cut, struct finding *finding)
{
    struct arena *arena = judgement->arena;
    const char *index = invalid_index(cut);
    const char *kept = cut->committed.count == 0
                           ? "Part of that statement was committed by then."
                           : rh_arena_printf(arena, "Committed for good by then: statement%s %s.",
                                             cut->committed.count == 1 ? "" : "s",
                                             say_committed(judgement, cut));
    if (index) {
        const struct statement *statement = statement_at(judgement, cut->after + 1);
        bool builds = statement && RH_IS_ONE_OF(statement->tag, "CREATE INDEX");
        finding->why = rh_arena_printf(
            arena,
            "%s The index %s is there and invalid: it costs every write and serves no query%s.",
            kept, index,
            cut->outcome != CUT_DIFFERS ? ""
            : builds ? ", and IF NOT EXISTS takes it for done, so that nobody hears of it"
                     : ", and nothing takes it away");
        finding->advice = "Drop what an attempt before may have left, in front of the statement "
                          "that builds it.";
        finding->advice_sql = rh_arena_printf(arena, "DROP INDEX CONCURRENTLY IF EXISTS %s;",
                                              index);
        return;
    }
    finding->why = rh_arena_printf(
        arena,
        "%s A lost connection, a deploy that times out or a server that restarts leaves the "
        "database there, between before and after%s.",
        kept,
        cut->outcome == CUT_FAILS ? ", and the same command does not lead out of it"
                                  : "; running it again hides that");
    finding->advice = "Put it into one transaction (BEGIN ... COMMIT, or the tool's own). What "
                      "cannot run in one (CONCURRENTLY) belongs into a migration of its own. Else "
                      "write every statement so that it can run again: IF [NOT] EXISTS, ON "
                      "CONFLICT.";
}

static size_t count_outcome(const struct judgement *judgement, enum cut_outcome outcome)
{
    const struct repetition *repetition = &judgement->result->repetition;
    size_t count = 0;
    for (size_t i = 0; i < repetition->cuts.count; i++)
        count += repetition->cuts.items[i].outcome == outcome;
    return count;
}

/* A script that fails aloud where it was cut is what everybody expects of a script: someone has to
   look. A tool's command has promised to go on by itself, and an end that nobody hears of is worse
   than an error. */
static enum severity severity_of(const struct repetition *repetition, const struct cut *cut)
{
    bool is_loud = cut->outcome == CUT_FAILS && repetition->rerun.kind != RERUN_LEDGER;
    return is_loud && !invalid_index(cut) ? SEVERITY_INFO : SEVERITY_WARNING;
}

static void add_half_applied(const struct rule *rule, struct judgement *judgement,
                             const struct cut *cut)
{
    struct arena *arena = judgement->arena;
    const struct repetition *repetition = &judgement->result->repetition;
    int index = cut->in_the_middle || cut->committed.count == 0 ? cut->after + 1
                                                                : cut->committed.items[0];
    struct found *found = rh_judgement_add(judgement, rule, severity_of(repetition, cut),
                                           act_of(judgement, index), NULL);
    json_t *committed = json_array();
    for (size_t i = 0; i < cut->committed.count; i++)
        json_array_append_new(committed, json_integer(cut->committed.items[i]));
    rh_evidence_text(found, "how", rh_cut_how_name(cut->how));
    rh_evidence_count(found, "after_statement", cut->after);
    if (cut->in_the_middle)
        rh_evidence_count(found, "in_statement", cut->after + 1);
    rh_evidence_text(found, "outcome", rh_cut_outcome_name(cut->outcome));
    rh_evidence_json(found, "committed", committed);
    if (cut->invalid_left.count > 0)
        rh_evidence_json(found, "unfinished",
                         texts(cut->invalid_left.items, cut->invalid_left.count));
    add_run_evidence(found, &cut->again);
    size_t alike = count_outcome(judgement, cut->outcome);
    rh_evidence_count(found, "cuts_alike", (int64_t)alike);
    rh_evidence_count(found, "cuts_tried", (int64_t)repetition->cuts.count);
    struct finding *finding = &found->finding;
    finding->title = cut->outcome == CUT_FAILS
                         ? rh_arena_printf(arena, "%s and run again, it %s", say_cut(arena, cut),
                                           say_failure(arena, &cut->again))
                         : rh_arena_printf(arena, "%s and run again, it succeeds but: %s",
                                           say_cut(arena, cut),
                                           say_differences(arena, &cut->again.difference));
    explain(judgement, cut, finding);
}

/* What fails is one thing and what ends elsewhere another; of each the first stands for all. */
void rh_rule_half_applied(const struct rule *rule, struct judgement *judgement)
{
    const struct repetition *repetition = &judgement->result->repetition;
    static const enum cut_outcome outcomes[] = {CUT_DIFFERS, CUT_FAILS};
    for (size_t k = 0; k < 2; k++)
        for (size_t i = 0; i < repetition->cuts.count; i++) {
            const struct cut *cut = &repetition->cuts.items[i];
            if (cut->outcome != outcomes[k] || speaks_for_itself(judgement, cut))
                continue;
            add_half_applied(rule, judgement, cut);
            break;
        }
}
