/* Rules on the queries of the application: what fails, answers otherwise, or became slower. */
#include "judge/judge_int.h"

#include "model/comparison.h"
#include "model/workload.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* Of a query in a title. */
#define QUERY_SHOWN 60
/* An estimate that misleads: so many times off, by so many rows, and that much worse than before.
 */
#define ESTIMATE_RATIO 10.0
#define ESTIMATE_ROWS 1000.0
#define ESTIMATE_WORSE 5.0
#define COLUMNS_SHOWN 4

static const char *say_query(struct arena *arena, const struct query_comparison *query)
{
    static const char *const whose[] = {[APPLICATION_BOTH] = "",
                                        [APPLICATION_OLD] = "the old application's ",
                                        [APPLICATION_NEW] = "the new application's "};
    const char *text = query->application == APPLICATION_NEW && query->sent ? query->sent
                                                                            : query->query;
    return rh_arena_printf(arena, "%s%s", whose[query->application],
                           rh_text_one_line(arena, rh_text(text ? text : "?"), QUERY_SHOWN));
}

/* "94", "1.6" */
static const char *say_times(struct arena *arena, double ratio)
{
    return rh_arena_printf(arena, ratio < 10 ? "%.2g" : "%.0f", ratio);
}

static struct found *add_query(const struct rule *rule, struct judgement *judgement,
                               enum severity severity, const struct query_comparison *query)
{
    char fingerprint[17];
    /* What meets nobody is still told. */
    if (rh_judgement_is_moot(judgement, query))
        severity = SEVERITY_INFO;
    struct found *found = rh_judgement_add(judgement, rule, severity, NULL, NULL);
    snprintf(fingerprint, sizeof(fingerprint), "%016" PRIx64, query->fingerprint);
    rh_evidence_text(found, "fingerprint", fingerprint);
    rh_evidence_text(found, "query", query->query);
    if (query->application != APPLICATION_BOTH)
        rh_evidence_text(found, "application",
                         query->application == APPLICATION_NEW ? "new" : "old");
    if (query->application == APPLICATION_NEW)
        rh_evidence_text(found, "sent", query->sent);
    rh_evidence_count(found, "calls", query->calls);
    return found;
}

static const struct workload_comparison *comparison_of(const struct judgement *judgement)
{
    return &judgement->result->workload;
}

#define EACH_QUERY(judgement, query)                                                             \
    for (const struct query_comparison *query = rh_judgement_next_query(judgement, NULL); query; \
         query = rh_judgement_next_query(judgement, query))

/* --- errors --------------------------------------------------------------------------------- */

static double error_share(const struct query_comparison *query, const struct query_error *error)
{
    int64_t tried = query->results.compared + query->results.undetermined;
    for (size_t i = 0; i < query->errors.count; i++)
        if (query->errors.items[i].candidate > 0)
            tried += query->errors.items[i].candidate;
    return tried > 0 ? (double)error->candidate / (double)tried : 1;
}

static void explain_error(struct arena *arena, const struct judgement *judgement,
                          const struct query_comparison *query, const struct query_error *error,
                          struct finding *finding)
{
    const char *said = error->message ? rh_arena_printf(arena, ": %s", error->message) : "";
    if (query->application == APPLICATION_NEW) {
        finding->why = rh_arena_printf(
            arena,
            "What the recording has succeeds on the baseline and on its twin; what the transform "
            "makes of it, with the same parameters, fails on the candidate%s. It would be sent "
            "%.3g times a second.",
            said, query->calls_per_s);
        finding->advice = "If the release really sends this, the migration does not fit it; else "
                          "correct the rule of the transform.";
        return;
    }
    finding->why = rh_arena_printf(
        arena,
        "It succeeds on the baseline and on its twin, and with the same parameters fails on "
        "the candidate%s. The workload sends it %.3g times a second: the application that "
        "runs now would meet this error from the moment the migration is done.",
        said, query->calls_per_s);
    finding->advice = rh_judgement_is_moot(judgement, query)
                          ? "Nothing, as long as the old application really is stopped before "
                            "the migration commits."
                          : "Keep what it needs until no running application asks for it: "
                            "release the application that does without it first, then "
                            "migrate.";
    if (query->application == APPLICATION_OLD && !rh_judgement_is_moot(judgement, query))
        finding->advice = rh_arena_printf(
            arena,
            "%s Where it is stopped before the migration commits, say so in the transform: "
            "old_application: stopped.",
            finding->advice);
}

void rh_rule_query_error(const struct rule *rule, struct judgement *judgement)
{
    struct arena *arena = judgement->arena;
    double limit = comparison_of(judgement)->limits.error_rate_max_delta;
    EACH_QUERY(judgement, query)
    for (size_t i = 0; i < query->errors.count; i++) {
        const struct query_error *error = &query->errors.items[i];
        if (error->change != ERROR_NEW || error->is_cached_plan)
            continue;
        double share = error_share(query, error);
        bool is_over = limit < 0 || share > limit;
        struct found *found = add_query(rule, judgement,
                                        is_over ? SEVERITY_ERROR : SEVERITY_WARNING, query);
        rh_evidence_text(found, "sqlstate", error->sqlstate);
        rh_evidence_count(found, "failed", error->candidate);
        rh_evidence_json(found, "share", json_real(share));
        found->weight = (int64_t)(query->calls_per_s * share * 1000);
        found->finding.title = rh_arena_printf(
            arena, "%s fails: SQLSTATE %s, %.3g %% of its executions%s", say_query(arena, query),
            error->sqlstate, share * 100,
            limit < 0 ? "" : rh_arena_printf(arena, " (limit %.3g %%)", limit * 100));
        explain_error(arena, judgement, query, error, &found->finding);
    }
    rh_rule_query_error_of_traffic(rule, judgement);
}

static const char *say_change(struct arena *arena, const struct query_results *results)
{
    const char *names = rh_say_list(arena, (const char *const *)results->columns.items,
                                    results->columns.count, COLUMNS_SHOWN);
    switch (results->change) {
    case RESULT_ROWS_CHANGED:
        return rh_arena_printf(arena, "gives %s, was %s",
                               rh_say_count(arena, results->rows_after, "row"),
                               rh_say_number(arena, results->rows_before));
    case RESULT_VALUES_CHANGED:
        return results->columns.count > 0
                   ? rh_arena_printf(arena, "gives other values of %s", names)
                   : "gives other rows of the same values";
    case RESULT_ORDER_CHANGED:
        return "gives its rows in another order";
    case RESULT_COLUMNS_CHANGED:
        return rh_arena_printf(arena, "gives other columns: %s gone or of another type", names);
    case RESULT_TYPES_CHANGED:
        return rh_arena_printf(arena, "gives %s as another type", names);
    case RESULT_COLUMNS_ADDED:
        return rh_arena_printf(arena, "gives more columns: %s", names);
    case RESULT_SAME:
    case RESULT_NOT_COMPARED:
        break;
    }
    return "";
}

/* Where the traffic was replayed while the migration ran, it was seen whether they break. Else it
   follows from what was seen: the statement is kept by its session, and its columns are others. */
static void add_promised_columns(const struct rule *rule, struct judgement *judgement)
{
    struct arena *arena = judgement->arena;
    if (judgement->result->traffic.was_run)
        return;
    EACH_QUERY(judgement, query)
    {
        const struct query_results *results = &query->results;
        if (!query->is_prepared ||
            (results->change != RESULT_COLUMNS_ADDED && results->change != RESULT_TYPES_CHANGED &&
             results->change != RESULT_COLUMNS_CHANGED))
            continue;
        struct found *found = add_query(rule, judgement, SEVERITY_WARNING, query);
        rh_evidence_text(found, "change", rh_result_change_name(results->change));
        found->finding.title = rh_arena_printf(
            arena,
            "%s is kept prepared by its sessions, and its columns are others after the "
            "migration",
            say_query(arena, query));
        found->finding.why = rh_arena_printf(
            arena,
            "It %s. Of a statement that was prepared before, the server refuses that with SQLSTATE "
            "0A000, until its session ends. The statements here were prepared after the migration: "
            "that it fails is concluded, not seen.",
            say_change(arena, results));
        found->finding.advice = "Name the columns instead of *; or let pools and drivers prepare "
                                "anew: DEALLOCATE ALL, or new connections right after the "
                                "migration. To see it: rehearse run --workload.";
    }
}

void rh_rule_cached_plan_broken(const struct rule *rule, struct judgement *judgement)
{
    struct arena *arena = judgement->arena;
    EACH_QUERY(judgement, query)
    for (size_t i = 0; i < query->errors.count; i++) {
        const struct query_error *error = &query->errors.items[i];
        if (error->change != ERROR_NEW || !error->is_cached_plan)
            continue;
        struct found *found = add_query(rule, judgement, SEVERITY_ERROR, query);
        rh_evidence_text(found, "sqlstate", error->sqlstate);
        rh_evidence_count(found, "failed", error->candidate);
        found->finding.title = rh_arena_printf(
            arena, "%s, prepared before the migration, fails after it: SQLSTATE %s",
            say_query(arena, query), error->sqlstate);
        found->finding.why =
            "A prepared statement keeps the columns that it promised its client. Where the result "
            "has others now (SELECT * of a table with a new column, a changed type), the server "
            "refuses it in every session that prepared it before, until that session ends.";
        found->finding.advice = "Name the columns instead of *; or let pools and drivers prepare "
                                "anew: DEALLOCATE ALL, or new connections right after the "
                                "migration.";
    }
    add_promised_columns(rule, judgement);
    rh_rule_cached_plan_of_traffic(rule, judgement);
}

/* --- time ----------------------------------------------------------------------------------- */

struct excess {
    const char *name; /* of the limit that is exceeded the most; NULL: none */
    double limit, ratio;
    bool is_any_set;
};

static void consider(struct excess *excess, const char *name, double limit, double ratio)
{
    if (limit < 0)
        return;
    excess->is_any_set = true;
    if (ratio > limit && (!excess->name || ratio / limit > excess->ratio / excess->limit)) {
        excess->name = name;
        excess->limit = limit;
        excess->ratio = ratio;
    }
}

static struct excess excess_of(const struct query_comparison *query,
                               const struct query_limits *limits)
{
    struct excess excess = {0};
    bool counts = query->is_slower; /* else chance may have made the ratios */
    consider(&excess, "p50_max_multiplier", limits->p50_max_multiplier, counts ? query->ratio : 0);
    consider(&excess, "p95_max_multiplier", limits->p95_max_multiplier,
             counts ? query->p95_ratio : 0);
    consider(&excess, "p99_max_multiplier", limits->p99_max_multiplier,
             counts ? query->p99_ratio : 0);
    return excess;
}

static bool has_new_error(const struct query_comparison *query)
{
    for (size_t i = 0; i < query->errors.count; i++)
        if (query->errors.items[i].change == ERROR_NEW)
            return true;
    return false;
}

static bool is_slower(const struct query_comparison *query)
{
    return query->verdict == QUERY_WORSE && !has_new_error(query);
}

static const char *say_slower(struct arena *arena, const struct query_comparison *query)
{
    const struct query_times *before = &query->sides[SIDE_BASELINE],
                             *after = &query->sides[SIDE_CANDIDATE];
    const char *least = query->timeouts > 0 ? "at least " : "";
    if (query->rounds == 0 || !query->is_slower)
        return query->reason ? query->reason : "became more expensive";
    if (query->ratio >= 1.2)
        return rh_arena_printf(arena, "takes %s%s times as long: p50 %s, was %s", least,
                               say_times(arena, query->ratio), rh_say_us(arena, after->p50_us),
                               rh_say_us(arena, before->p50_us));
    if (query->p95_ratio >= 1.2)
        return rh_arena_printf(arena, "takes %s%s times as long at p95: %s, was %s", least,
                               say_times(arena, query->p95_ratio), rh_say_us(arena, after->p95_us),
                               rh_say_us(arena, before->p95_us));
    return rh_arena_printf(arena, "takes %s%s times as long on average: %s, was %s%s%s", least,
                           say_times(arena, after->mean_us / fmax(before->mean_us, 0.001)),
                           rh_say_us(arena, after->mean_us), rh_say_us(arena, before->mean_us),
                           query->reason ? "; " : "", query->reason ? query->reason : "");
}

static const char *say_plan(struct arena *arena, const struct query_comparison *query)
{
    if (query->custom.difference)
        return rh_arena_printf(arena, "The plan changed: %s. ", query->custom.difference);
    if (query->generic.difference)
        return rh_arena_printf(arena, "The plan that is kept for all parameters changed: %s. ",
                               query->generic.difference);
    return query->custom.is_compared ? "The plan is the same. " : "";
}

static const char *say_blocks(struct arena *arena, const struct query_comparison *query)
{
    double before = query->effort[SIDE_BASELINE].blocks,
           after = query->effort[SIDE_CANDIDATE].blocks;
    if (before < 0 || after < 0)
        return "";
    return rh_arena_printf(arena, "It reads %s blocks, was %s. ",
                           rh_say_number(arena, llround(after)),
                           rh_say_number(arena, llround(before)));
}

static const char *say_writes(struct arena *arena, const struct query_comparison *query)
{
    double before = query->effort[SIDE_BASELINE].wal_records,
           after = query->effort[SIDE_CANDIDATE].wal_records;
    const char *cause = query->cause ? rh_arena_printf(arena, "%s. ", query->cause) : "";
    if (before <= 0 || after <= 0)
        return cause;
    return rh_arena_printf(arena, "%sIt writes %.3g WAL records, was %.3g. ", cause, after, before);
}

static const char *say_load(struct arena *arena, const struct query_comparison *query)
{
    if (query->rounds == 0 || query->added_ms_per_s <= 0)
        return "";
    return rh_arena_printf(arena, "At %.3g calls a second that keeps %.2g more backends busy. ",
                           query->calls_per_s, query->added_ms_per_s / 1000);
}

static void advise_slower(const struct query_comparison *query, struct finding *finding)
{
    if (query->after_analyze.is_repaired) {
        finding->advice = "Let the migration end with ANALYZE: tried, the query was back to its "
                          "old time (statistics-lost).";
        finding->advice_tried = true;
    } else if (query->proposal.retry.is_repaired) {
        finding->advice = "Build the index of the finding missing-index: tried, it repaired the "
                          "query.";
        finding->advice_sql = query->proposal.sql;
        finding->advice_tried = true;
    } else if (query->custom.is_changed || query->generic.is_changed) {
        finding->advice = "Give the planner back what it used before (an index, statistics, a "
                          "column's type), or change the query with the release.";
    } else if (query->cause) {
        finding->advice = "Every write keeps them up to date, or asks them: leave out what no "
                          "query needs.";
    } else {
        finding->advice = "The plan did not change, so look at what each row costs now: wider "
                          "rows, a new trigger, a function, a policy, more rows.";
    }
}

void rh_rule_query_slower(const struct rule *rule, struct judgement *judgement)
{
    struct arena *arena = judgement->arena;
    const struct query_limits *limits = &comparison_of(judgement)->limits;
    EACH_QUERY(judgement, query)
    {
        if (!is_slower(query))
            continue;
        struct excess excess = excess_of(query, limits);
        bool is_error = !excess.is_any_set || excess.name || query->rounds == 0;
        struct found *found = add_query(rule, judgement,
                                        is_error ? SEVERITY_ERROR : SEVERITY_WARNING, query);
        if (query->rounds > 0) {
            rh_evidence_json(found, "baseline_p50_us",
                             json_real(query->sides[SIDE_BASELINE].p50_us));
            rh_evidence_json(found, "candidate_p50_us",
                             json_real(query->sides[SIDE_CANDIDATE].p50_us));
            rh_evidence_json(found, "ratio", json_real(query->ratio));
            rh_evidence_json(found, "ratio_low", json_real(query->ratio_low));
            rh_evidence_json(found, "ratio_high", json_real(query->ratio_high));
            rh_evidence_json(found, "added_ms_per_s", json_real(query->added_ms_per_s));
        }
        rh_evidence_count(found, "rounds", query->rounds);
        if (excess.name) {
            rh_evidence_text(found, "limit_name", excess.name);
            rh_evidence_json(found, "limit", json_real(excess.limit));
        }
        rh_evidence_text(found, "plan_difference", query->custom.difference);
        rh_evidence_text(found, "cause", query->cause);
        found->weight = (int64_t)query->added_ms_per_s;
        const char *limit = excess.name ? rh_arena_printf(arena, " (limit %.3g)", excess.limit)
                            : excess.is_any_set ? " (within the limits)"
                                                : "";
        found->finding.title = rh_arena_printf(arena, "%s %s%s", say_query(arena, query),
                                               say_slower(arena, query), limit);
        found->finding.why = rh_arena_printf(
            arena, "%s%s%s%sMeasured %s on each side in turn%s.", say_plan(arena, query),
            say_writes(arena, query), say_blocks(arena, query), say_load(arena, query),
            rh_say_count(arena, query->rounds, "time"),
            query->rounds > 0 ? rh_arena_printf(arena,
                                                ", ratio %s to %s; the twins differ "
                                                "by %.2g",
                                                say_times(arena, query->ratio_low),
                                                say_times(arena, query->ratio_high), query->noise)
                              : "");
        advise_slower(query, &found->finding);
    }
}

/* --- results -------------------------------------------------------------------------------- */

static enum severity severity_of(enum result_change change)
{
    if (change == RESULT_COLUMNS_ADDED)
        return SEVERITY_INFO;
    return change == RESULT_ORDER_CHANGED || change == RESULT_TYPES_CHANGED ? SEVERITY_WARNING
                                                                            : SEVERITY_ERROR;
}

static const char *advise_changed(enum result_change change)
{
    if (change == RESULT_COLUMNS_ADDED)
        return "An application that reads columns by their place, or names none in INSERT, will "
               "meet them: name the columns instead of *.";
    if (change == RESULT_TYPES_CHANGED)
        return "Check what the application's driver makes of the type (node-postgres gives bigint "
               "and numeric as strings), and that values beyond the old type's range fit.";
    return "If that is what the migration is for, check that the running application can take it; "
           "else find the statement that did it.";
}

void rh_rule_result_changed(const struct rule *rule, struct judgement *judgement)
{
    struct arena *arena = judgement->arena;
    EACH_QUERY(judgement, query)
    {
        const struct query_results *results = &query->results;
        if (results->change == RESULT_SAME || results->change == RESULT_NOT_COMPARED)
            continue;
        struct found *found = add_query(rule, judgement, severity_of(results->change), query);
        rh_evidence_text(found, "change", rh_result_change_name(results->change));
        rh_evidence_count(found, "compared", results->compared);
        rh_evidence_count(found, "differing", results->differing);
        found->weight = results->differing;
        found->finding.title = rh_arena_printf(arena, "%s %s (%s of %s)", say_query(arena, query),
                                               say_change(arena, results),
                                               rh_say_number(arena, results->differing),
                                               rh_say_count(arena, results->compared, "execution"));
        found->finding.why = rh_arena_printf(
            arena,
            "Baseline and twin answer alike, the candidate otherwise, to the same parameters. %s"
            "What the twins do not agree on is left out%s%s, and other plans on the same side "
            "give the same rows, so it is the data or the schema.",
            results->change == RESULT_TYPES_CHANGED
                ? "As text the values are the same, as far as the query determines them. "
                : "",
            results->masked.count > 0 ? ": " : "",
            results->masked.count > 0
                ? rh_say_list(arena, (const char *const *)results->masked.items,
                              results->masked.count, COLUMNS_SHOWN)
                : "");
        found->finding.advice = advise_changed(results->change);
    }
}

/* --- plans ---------------------------------------------------------------------------------- */

void rh_rule_plan_changed(const struct rule *rule, struct judgement *judgement)
{
    struct arena *arena = judgement->arena;
    EACH_QUERY(judgement, query)
    {
        bool is_generic = !query->custom.is_changed;
        const struct query_plans *plans = is_generic ? &query->generic : &query->custom;
        if (!plans->is_changed || is_slower(query))
            continue;
        double before = query->effort[SIDE_BASELINE].blocks,
               after = query->effort[SIDE_CANDIDATE].blocks;
        bool reads_more = !is_generic && before >= 0 && after >= 2 * before &&
                          after - before >= 100;
        struct found *found = add_query(rule, judgement,
                                        reads_more ? SEVERITY_WARNING : SEVERITY_INFO, query);
        rh_evidence_text(found, "plan_difference", plans->difference);
        rh_evidence_text(found, "kind", is_generic ? "generic" : "custom");
        rh_evidence_text(found, "verdict", rh_query_verdict_name(query->verdict));
        found->finding.title = rh_arena_printf(
            arena, "%s has another %s: %s", say_query(arena, query),
            is_generic ? "generic plan" : "plan", plans->difference);
        found->finding.why = rh_arena_printf(
            arena, "%sIts time is %s.%s",
            is_generic ? "With the parameters that were sent nothing changed; a session that "
                         "runs the prepared statement often may come to use this plan. "
                       : "",
            query->verdict == QUERY_BETTER ? "better"
            : query->verdict == QUERY_SAME ? "the same, on this data"
                                           : "not decided",
            is_generic ? "" : rh_arena_printf(arena, " %s", say_blocks(arena, query)));
        found->finding.advice = "Nothing to do where the data here is as large as production's; "
                                "else look at how many rows it reads.";
    }
}

void rh_rule_estimate_off(const struct rule *rule, struct judgement *judgement)
{
    struct arena *arena = judgement->arena;
    EACH_QUERY(judgement, query)
    {
        const struct query_effort *before = &query->effort[SIDE_BASELINE],
                                  *after = &query->effort[SIDE_CANDIDATE];
        if (after->blocks < 0 || before->blocks < 0 || after->estimate_ratio < ESTIMATE_RATIO ||
            after->estimate_ratio < ESTIMATE_WORSE * before->estimate_ratio ||
            fabs(after->estimate_rows - after->estimate_actual) < ESTIMATE_ROWS)
            continue;
        struct found *found = add_query(rule, judgement,
                                        is_slower(query) ? SEVERITY_WARNING : SEVERITY_INFO, query);
        rh_evidence_text(found, "node", after->estimate_node);
        rh_evidence_count(found, "estimated_rows", llround(after->estimate_rows));
        rh_evidence_count(found, "actual_rows", llround(after->estimate_actual));
        found->finding.title = rh_arena_printf(
            arena, "%s: the planner expects %s of %s, and %s come", say_query(arena, query),
            rh_say_count(arena, llround(after->estimate_rows), "row"), after->estimate_node,
            rh_say_number(arena, llround(after->estimate_actual)));
        found->finding.why = rh_arena_printf(
            arena,
            "On the baseline its worst estimate is off by %s times, here by %s. From such "
            "estimates come nested loops over a million rows.",
            say_times(arena, before->estimate_ratio), say_times(arena, after->estimate_ratio));
        found->finding.advice = "Let the migration end with ANALYZE of the tables that it changed; "
                                "for columns that depend on each other CREATE STATISTICS.";
    }
}

/* --- repairs -------------------------------------------------------------------------------- */

void rh_judgement_put_index(struct arena *arena, struct found *found,
                            const struct index_proposal *proposal)
{
    struct finding *finding = &found->finding;
    const char *difference = proposal->retry.difference;

    finding->relation = proposal->table;
    rh_evidence_json(found, "p50_us", json_real(proposal->retry.p50_us));
    rh_evidence_json(found, "ratio", json_real(proposal->retry.ratio));
    rh_evidence_ms(found, "build_ms", proposal->build_us);
    rh_evidence_count(found, "index_bytes", proposal->bytes);
    finding->why = rh_arena_printf(
        arena, "It was built on the candidate%s%s, and the query measured again%s%s.",
        proposal->build_us >= 0
            ? rh_arena_printf(arena, " in %s", rh_say_duration(arena, proposal->build_us))
            : "",
        proposal->bytes >= 0 ? rh_arena_printf(arena, " (%s)", rh_say_bytes(arena, proposal->bytes))
                             : "",
        difference ? ": " : "", difference ? difference : "");
    finding->advice_sql = proposal->sql;
    finding->advice_tried = true;
}

void rh_judgement_put_analyze(struct arena *arena, struct found *found, const char *name,
                              double before_us, const struct query_retry *retry)
{
    struct finding *finding = &found->finding;

    rh_evidence_json(found, "p50_us", json_real(retry->p50_us));
    rh_evidence_json(found, "ratio", json_real(retry->ratio));
    finding->title = rh_arena_printf(
        arena, "%s is slow until ANALYZE: then %s, right after the migration %s", name,
        rh_say_us(arena, retry->p50_us), rh_say_us(arena, before_us));
    finding->why = rh_arena_printf(
        arena,
        "Its tables were analyzed on the candidate and it was measured again%s%s. Autovacuum "
        "would do the same, but only after a tenth of the rows changed.",
        retry->difference ? ": " : "", retry->difference ? retry->difference : "");
    finding->advice = "Let the migration end with ANALYZE of the tables that it changed, outside "
                      "of the transaction that locks them.";
    finding->advice_tried = true;
}

void rh_rule_missing_index(const struct rule *rule, struct judgement *judgement)
{
    struct arena *arena = judgement->arena;
    EACH_QUERY(judgement, query)
    {
        const struct index_proposal *proposal = &query->proposal;
        if (!is_slower(query) || !proposal->retry.is_repaired)
            continue;
        struct found *found = add_query(rule, judgement, SEVERITY_WARNING, query);
        struct finding *finding = &found->finding;
        rh_judgement_put_index(arena, found, proposal);
        found->weight = (int64_t)query->added_ms_per_s;
        finding->title = rh_arena_printf(arena, "an index on %s brings %s back to %s from %s",
                                         proposal->table, say_query(arena, query),
                                         rh_say_us(arena, proposal->retry.p50_us),
                                         rh_say_us(arena, query->sides[SIDE_CANDIDATE].p50_us));
        finding->advice = "Build it before the release, outside of a transaction.";
    }
    rh_rule_missing_index_of_new(rule, judgement);
}

void rh_rule_queries_statistics_lost(const struct rule *rule, struct judgement *judgement)
{
    struct arena *arena = judgement->arena;
    EACH_QUERY(judgement, query)
    {
        if (!is_slower(query) || !query->after_analyze.is_repaired)
            continue;
        struct found *found = add_query(rule, judgement, SEVERITY_WARNING, query);
        rh_judgement_put_analyze(arena, found, say_query(arena, query),
                                 query->sides[SIDE_CANDIDATE].p50_us, &query->after_analyze);
        found->weight = (int64_t)query->added_ms_per_s;
    }
    rh_rule_statistics_lost_of_new(rule, judgement);
}
