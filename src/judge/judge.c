#include "judge/judge.h"

#include "judge/judge_int.h"

#include <stdlib.h>
#include <string.h>

/* Names of empty tables listed in a headline. */
#define TABLES_SHOWN 3

static int compare_found(const void *a, const void *b)
{
    const struct found *left = a;
    const struct found *right = b;
    if (left->finding.severity != right->finding.severity)
        return left->finding.severity > right->finding.severity ? -1 : 1;
    if (left->weight != right->weight)
        return left->weight > right->weight ? -1 : 1;
    return left->order < right->order ? -1 : 1;
}

static bool is_table(const struct relation_facts *facts)
{
    return !facts->kind || RH_IS_ONE_OF(facts->kind, "table", "partitioned table",
                                        "materialized view", "foreign table");
}

/* The existing tables it touched when all of them were empty, as a list; NULL otherwise. */
static const char *all_empty(const struct judgement *judgement)
{
    const struct trace *trace = judgement->trace;
    VEC(const char *) names = {0};
    for (size_t i = 0; i < trace->relations.count; i++) {
        const struct relation_facts *facts = &trace->relations.items[i];
        if (!is_table(facts))
            continue;
        if (!facts->is_empty)
            return NULL;
        *RH_PUSH(judgement->arena, &names) = facts->name;
    }
    return names.count > 0 ? rh_say_list(judgement->arena, names.items, names.count, TABLES_SHOWN)
                           : NULL;
}

static const char *say_counts(const struct judgement *judgement)
{
    return rh_say_count(judgement->arena, (int64_t)judgement->trace->statements.count, "statement");
}

/* Why there is no answer; NULL when there is one. */
static const char *doubt(struct judgement *judgement)
{
    struct arena *arena = judgement->arena;
    const struct trace *trace = judgement->trace;
    if (trace->interrupted)
        return rh_arena_printf(arena, "interrupted after %s in %s", say_counts(judgement),
                               rh_say_duration(arena, trace->duration_us));
    if (trace->timed_out)
        return rh_arena_printf(arena,
                               "--timeout ended the run after %s; until then nothing was found",
                               rh_say_duration(arena, trace->duration_us));
    const char *blind_spot = rh_judgement_blind_spot(judgement);
    if (blind_spot)
        return blind_spot;
    if (trace->statements.count == 0)
        return "no statement was run, so there is nothing to judge";
    for (size_t i = 0; i < judgement->result->gates.count; i++) {
        const struct gate *gate = &judgement->result->gates.items[i];
        if (gate->observed)
            continue;
        if (strcmp(gate->name, "lag") == 0 && judgement->limits->replica_apply_bytes_per_s <= 0)
            return rh_arena_printf(arena,
                                   "the gate \"lag\" (limit %s) needs the rate at which replicas "
                                   "apply WAL: replica_apply_bytes_per_s",
                                   gate->limit);
        if (gate->reason)
            return rh_arena_printf(arena, "%s (gate \"%s\", limit %s)", gate->reason, gate->name,
                                   gate->limit);
        return rh_arena_printf(arena, "the gate \"%s\" (limit %s) could not be measured",
                               gate->name, gate->limit);
    }
    const char *undecided = rh_judgement_undecided_check(judgement);
    if (undecided)
        return undecided;
    const char *traffic = rh_judgement_traffic_doubt(judgement);
    if (traffic)
        return traffic;
    const char *queries = rh_judgement_query_doubt(judgement);
    if (queries)
        return queries;
    const char *new_queries = rh_judgement_new_query_doubt(judgement);
    if (new_queries)
        return new_queries;
    const char *snapshot = rh_judgement_snapshot_doubt(judgement);
    if (snapshot)
        return snapshot;
    const char *empty = judgement->limits->structure_only ? NULL : all_empty(judgement);
    if (empty)
        return rh_arena_printf(arena,
                               "%s had no rows here, so locks, times and data prove nothing "
                               "(--structure-only accepts that)",
                               empty);
    return rh_judgement_sample_doubt(judgement);
}

/* "4 statements, 12 ms; nothing waited longer than 3 ms". */
static const char *safe_headline(const struct judgement *judgement)
{
    struct arena *arena = judgement->arena;
    const struct trace *trace = judgement->trace;
    const char *head = rh_arena_printf(arena, "%s, %s", say_counts(judgement),
                                       rh_say_duration(arena, trace->duration_us));
    int64_t longest_us = judgement->longest_block_us;
    int64_t unseen_us = rh_judgement_unseen_us(judgement);
    if (unseen_us > longest_us)
        longest_us = unseen_us;
    bool sampled = false;
    for (size_t i = 0; i < trace->statements.count; i++)
        if (trace->statements.items[i].observation == OBSERVED_SAMPLED)
            sampled = true;
    /* What only the sampler saw may have been locked for a gap longer than it knows. */
    if (sampled && trace->longest_sampling_gap_us > longest_us)
        longest_us = trace->longest_sampling_gap_us;
    const char *empty = all_empty(judgement);
    if (empty)
        return rh_arena_printf(arena, "%s; structure only: %s had no rows here", head, empty);
    if (longest_us == 0)
        return rh_arena_printf(arena, "%s; nothing had to wait", head);
    return rh_arena_printf(arena, "%s; nothing waited longer than %s%s", head,
                           rh_say_duration(arena, longest_us),
                           judgement->result->scaling.was_tried ? " in production" : "");
}

static void decide(struct judgement *judgement, const char *why_not, const char *safe)
{
    struct result *result = judgement->result;
    struct arena *arena = judgement->arena;
    const struct found *worst = NULL;
    size_t counted = 0;
    for (size_t i = 0; i < judgement->found.count; i++) {
        const struct found *found = &judgement->found.items[i];
        if (found->finding.severity < judgement->limits->fail_on)
            continue;
        counted++;
        if (!worst)
            worst = found;
    }
    const struct gate *lost = NULL;
    for (size_t i = 0; i < result->gates.count && !lost; i++)
        if (result->gates.items[i].observed && !result->gates.items[i].ok)
            lost = &result->gates.items[i];

    if (worst) {
        result->verdict = VERDICT_UNSAFE;
        const char *said = worst->headline && worst->finding.severity == SEVERITY_ERROR
                               ? worst->headline
                               : worst->finding.title;
        size_t covered = 1;
        const char *blockers = rh_judgement_blockers_headline(judgement, &covered);
        if (blockers && worst->finding.severity == SEVERITY_ERROR)
            said = blockers;
        else
            covered = 1;
        if (counted > covered)
            said = rh_arena_printf(
                arena, "%s; and %s", said,
                rh_say_count(arena, (int64_t)(counted - covered), "more finding"));
        result->headline = said;
    } else if (lost) {
        result->verdict = VERDICT_UNSAFE;
        result->headline = rh_arena_printf(arena, "the gate \"%s\" was exceeded: %s (limit %s)",
                                           lost->name, lost->measured, lost->limit);
    } else if (why_not) {
        result->verdict = VERDICT_INCONCLUSIVE;
        result->headline = why_not;
    } else {
        result->verdict = VERDICT_SAFE;
        size_t warnings = 0;
        for (size_t i = 0; i < result->findings.count; i++)
            warnings += result->findings.items[i].severity == SEVERITY_WARNING;
        result->headline = safe;
        if (warnings > 0)
            result->headline = rh_arena_printf(arena, "%s; %s", result->headline,
                                               rh_say_count(arena, (int64_t)warnings, "warning"));
    }
    result->exit_code = rh_verdict_exit_status(result->verdict);
}

static void sort_findings(struct judgement *judgement)
{
    struct result *result = judgement->result;
    if (judgement->found.count > 0)
        qsort(judgement->found.items, judgement->found.count, sizeof(judgement->found.items[0]),
              compare_found);
    for (size_t i = 0; i < judgement->found.count; i++)
        *RH_PUSH(result->arena, &result->findings) = judgement->found.items[i].finding;
}

void rh_judge(struct result *result)
{
    struct judgement judgement;
    rh_judgement_init(&judgement, result);
    rh_judgement_find_blocks(&judgement);
    rh_judgement_find_causes(&judgement);
    rh_judgement_measure_gates(&judgement);
    rh_judgement_measure_query_gates(&judgement);
    rh_judgement_measure_new_query_gate(&judgement);
    rh_judgement_explain(&judgement);
    rh_judgement_take_drops(&judgement);
    for (size_t i = 0; i < rh_rule_count; i++)
        rh_rules[i].find(&rh_rules[i], &judgement);
    rh_judgement_tell_samples(&judgement);
    rh_judgement_tell_traffic(&judgement);
    sort_findings(&judgement);
    decide(&judgement, doubt(&judgement), safe_headline(&judgement));
}

void rh_judge_comparison(struct result *result)
{
    static const char *const ids[] = {"query-error",        "query-slower",  "result-changed",
                                      "cached-plan-broken", "missing-index", "statistics-lost",
                                      "estimate-off",       "plan-changed"};
    struct judgement judgement;
    rh_judgement_init(&judgement, result);
    rh_judgement_measure_query_gates(&judgement);
    for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
        const struct rule *rule = rh_rule_find(ids[i]);
        rule->find(rule, &judgement);
    }
    sort_findings(&judgement);
    decide(&judgement, rh_judgement_query_doubt(&judgement),
           rh_judgement_query_headline(&judgement));
}
