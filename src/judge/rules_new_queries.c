/* Rules on the queries that a release brings with it: what fails, is slow, or costs more than its
   result is worth. */
#include "judge/judge_int.h"

#include "model/new_queries.h"

#include <math.h>

#define COSTS_SHOWN 3

static const char *say_name(struct arena *arena, const struct new_query *query)
{
    return rh_arena_printf(arena, "new query \"%s\"", query->name);
}

static struct found *add_query(const struct rule *rule, struct judgement *judgement,
                               enum severity severity, const struct new_query *query)
{
    struct found *found = rh_judgement_add(judgement, rule, severity, NULL, NULL);
    rh_evidence_text(found, "name", query->name);
    rh_evidence_text(found, "file", query->file);
    rh_evidence_count(found, "file_line", query->line);
    rh_evidence_text(found, "query", query->query);
    return found;
}

#define EACH_NEW_QUERY(judgement, query)                                              \
    for (const struct new_query *query = (judgement)->result->new_queries.list.items; \
         query && query < (judgement)->result->new_queries.list.items +               \
                              (judgement)->result->new_queries.list.count;            \
         query++)

/* "Where it is known how often it comes: busy backends. "; "" */
static const char *say_load(struct arena *arena, const struct new_query *query)
{
    if (query->calls_per_s <= 0 || query->mean_us <= 0)
        return "";
    return rh_arena_printf(arena, "At %.3g calls a second it keeps %.2g backends busy. ",
                           query->calls_per_s, query->calls_per_s * query->mean_us / 1e6);
}

static const char *say_cost(struct arena *arena, const struct query_cost *cost)
{
    if (cost->kind == QUERY_COST_SPILL)
        return rh_arena_printf(arena, "%s goes through %s on disk", cost->subject,
                               rh_say_bytes(arena, cost->bytes));
    return rh_arena_printf(arena, "%s is read whole, %s of %s rows kept", cost->subject,
                           rh_say_number(arena, cost->kept), rh_say_number(arena, cost->scanned));
}

static const char *say_costs(struct arena *arena, const struct query_costs *costs)
{
    const char *text = "";
    for (size_t i = 0; i < costs->list.count && i < COSTS_SHOWN; i++)
        text = rh_arena_printf(arena, "%s%s%s", text, i > 0 ? "; " : "",
                               say_cost(arena, &costs->list.items[i]));
    return text;
}

/* --- errors ----------------------------------------------------------------------------------- */

void rh_rule_new_query_error(const struct rule *rule, struct judgement *judgement)
{
    struct arena *arena = judgement->arena;
    EACH_NEW_QUERY(judgement, query)
    for (size_t i = 0; i < query->errors.count; i++) {
        const struct new_query_error *error = &query->errors.items[i];
        struct found *found = add_query(rule, judgement, SEVERITY_ERROR, query);
        rh_evidence_text(found, "sqlstate", error->sqlstate);
        rh_evidence_count(found, "failed", error->failed);
        rh_evidence_count(found, "tried", query->tried);
        found->weight = error->failed;
        found->finding.title = rh_arena_printf(
            arena, "%s fails: SQLSTATE %s%s", say_name(arena, query), error->sqlstate,
            query->tried > 1 ? rh_arena_printf(arena, ", %s of %s sets of parameters",
                                               rh_say_number(arena, error->failed),
                                               rh_say_number(arena, query->tried))
                             : "");
        found->finding.why = rh_arena_printf(
            arena,
            "It was run on the migrated database%s%s%s%s. The release that sends it would meet "
            "this error (%s:%d).",
            query->role ? " as " : "", query->role ? query->role : "", error->message ? ": " : "",
            error->message ? error->message : "", query->file, query->line);
        found->finding.advice = "Let the migration make what it needs (a table, a column, a "
                                "privilege), or change the query before the release.";
    }
}

/* --- time ------------------------------------------------------------------------------------- */

static const char *say_too_slow(struct arena *arena, const struct new_query *query)
{
    if (query->limit_us < 0)
        return query->reason ? query->reason : "is slow";
    return rh_arena_printf(arena, "takes %s (p95, limit %s)", rh_say_us(arena, query->p95.us),
                           rh_say_limit(arena, query->limit_us));
}

static void advise(const struct new_query *query, struct finding *finding)
{
    if (query->after_analyze.is_repaired) {
        finding->advice = "Let the migration end with ANALYZE: tried, see statistics-lost.";
        finding->advice_tried = true;
    } else if (query->proposal.retry.is_repaired) {
        finding->advice = "Build the index of the finding missing-index: tried, see there.";
        finding->advice_sql = query->proposal.sql;
        finding->advice_tried = true;
    } else {
        finding->advice = "Neither ANALYZE nor an index over what it compares makes it twice as "
                          "fast: change the query, or what it reads.";
    }
}

void rh_rule_new_query_slow(const struct rule *rule, struct judgement *judgement)
{
    struct arena *arena = judgement->arena;
    EACH_NEW_QUERY(judgement, query)
    {
        if (query->outcome != NEW_QUERY_SLOW)
            continue;
        struct found *found = add_query(
            rule, judgement, query->limit_us >= 0 ? SEVERITY_ERROR : SEVERITY_WARNING, query);
        rh_evidence_json(found, "p50_us", json_real(query->p50.us));
        rh_evidence_json(found, "p95_us", json_real(query->p95.us));
        rh_evidence_json(found, "p95_low_us", json_real(query->p95.low_us));
        rh_evidence_count(found, "executions", query->executions);
        if (query->limit_us >= 0)
            rh_evidence_ms(found, "limit_ms", query->limit_us);
        found->weight = (int64_t)(fmax(query->calls_per_s, 0) * query->mean_us / 1000);
        found->finding.title = rh_arena_printf(arena, "%s %s", say_name(arena, query),
                                               say_too_slow(arena, query));
        const char *costs = say_costs(arena, &query->costs);
        found->finding.why = rh_arena_printf(
            arena, "%s%s%sMeasured %s on the migrated database, right after the migration%s.",
            costs, costs[0] ? ". " : "", say_load(arena, query),
            rh_say_count(arena, query->executions, "time"),
            query->p95.low_us >= 0 ? rh_arena_printf(arena, "; its p95 is %s at least",
                                                     rh_say_us(arena, query->p95.low_us))
                                   : "");
        advise(query, &found->finding);
    }
}

/* --- plans ------------------------------------------------------------------------------------ */

void rh_rule_new_query_costly(const struct rule *rule, struct judgement *judgement)
{
    struct arena *arena = judgement->arena;
    EACH_NEW_QUERY(judgement, query)
    {
        if (query->outcome == NEW_QUERY_SLOW || query->costs.list.count == 0 ||
            query->proposal.retry.is_repaired || query->after_analyze.is_repaired)
            continue;
        struct found *found = add_query(rule, judgement, SEVERITY_INFO, query);
        const struct query_cost *first = &query->costs.list.items[0];
        rh_evidence_text(found, "kind", rh_query_cost_name(first->kind));
        rh_evidence_text(found, "subject", first->subject);
        found->finding.title = rh_arena_printf(arena, "%s: %s", say_name(arena, query),
                                               say_costs(arena, &query->costs));
        found->finding.why = rh_arena_printf(
            arena, "%sIts time grows with the table, or depends on work_mem.",
            say_load(arena, query));
        found->finding.advice = query->proposal.retry.was_tried
                                    ? "Indexes over what it compares were tried, and none makes it "
                                      "twice as fast."
                                    : "Nothing to do where it comes seldom and the tables stay as "
                                      "they are.";
    }
}

/* --- repairs ---------------------------------------------------------------------------------- */

void rh_rule_missing_index_of_new(const struct rule *rule, struct judgement *judgement)
{
    struct arena *arena = judgement->arena;
    EACH_NEW_QUERY(judgement, query)
    {
        const struct index_proposal *proposal = &query->proposal;
        if (!proposal->retry.is_repaired)
            continue;
        struct found *found = add_query(rule, judgement, SEVERITY_WARNING, query);
        struct finding *finding = &found->finding;
        rh_judgement_put_index(arena, found, proposal);
        finding->title = rh_arena_printf(arena, "an index on %s brings %s to %s from %s",
                                         proposal->table, say_name(arena, query),
                                         rh_say_us(arena, proposal->retry.p50_us),
                                         rh_say_us(arena, query->p50.us));
        finding->advice = "Build it before the release that sends the query, outside of a "
                          "transaction.";
    }
}

void rh_rule_statistics_lost_of_new(const struct rule *rule, struct judgement *judgement)
{
    struct arena *arena = judgement->arena;
    EACH_NEW_QUERY(judgement, query)
    {
        if (!query->after_analyze.is_repaired)
            continue;
        struct found *found = add_query(rule, judgement, SEVERITY_WARNING, query);
        rh_judgement_put_analyze(arena, found, say_name(arena, query), query->p50.us,
                                 &query->after_analyze);
    }
}

/* --- gate and doubt --------------------------------------------------------------------------- */

/* One gate for all that have a limit: it shows the worst of them. */
void rh_judgement_measure_new_query_gate(struct judgement *judgement)
{
    struct arena *arena = judgement->arena;
    const struct new_query *worst = NULL, *open = NULL;
    EACH_NEW_QUERY(judgement, query)
    {
        if (query->limit_us < 0)
            continue;
        if (query->executions == 0 || query->outcome == NEW_QUERY_UNDECIDED)
            open = open ? open : query;
        else if (!worst ||
                 query->p95.us * (double)worst->limit_us > worst->p95.us * (double)query->limit_us)
            worst = query;
    }
    bool is_over = worst && worst->p95.low_us > (double)worst->limit_us;
    const struct new_query *shown = open && !is_over ? open : worst;
    if (!shown)
        return;
    struct gate *gate = RH_PUSH(arena, &judgement->result->gates);
    *gate = (struct gate){.name = "new_query_p95",
                          .limit = rh_say_limit(arena, shown->limit_us),
                          .ok = !is_over,
                          .observed = shown != open};
    if (gate->observed)
        gate->measured = rh_arena_printf(arena, "%s (%s)", rh_say_us(arena, shown->p95.us),
                                         shown->name);
    else
        gate->reason = rh_arena_printf(arena, "%s was not decided%s%s", say_name(arena, shown),
                                       shown->reason ? ": " : "",
                                       shown->reason ? shown->reason : "");
}

const char *rh_judgement_new_query_doubt(const struct judgement *judgement)
{
    const struct new_queries *queries = &judgement->result->new_queries;
    if (queries->list.count > 0 && !queries->was_run)
        return rh_arena_printf(judgement->arena, "the new queries were not run: %s",
                               queries->why_not ? queries->why_not : "the run ended before");
    EACH_NEW_QUERY(judgement, query)
    if (query->outcome == NEW_QUERY_NOT_RUN)
        return rh_arena_printf(judgement->arena, "%s was not run: %s",
                               say_name(judgement->arena, query),
                               query->reason ? query->reason : "nothing is known of it");
    return NULL;
}
