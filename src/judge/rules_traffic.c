/*
 * What production's queries met while the migration ran under them: a pool that ran dry, failures
 * that the baseline does not have, prepared statements that no longer fit. Waits are told with the
 * lock that made them (rules_locks.c, rules_causes.c, through judge/traffic.c).
 */
#include "judge/judge_int.h"

#include <string.h>

/* Patterns named in one finding. */
#define PATTERNS_SHOWN 3
/* Columns of a query in a sentence. */
#define QUERY_COLUMNS 70

static const char *say_query(struct arena *arena, const struct traffic_pattern *pattern)
{
    return rh_text_one_line(arena, rh_text(pattern->query), QUERY_COLUMNS);
}

/* --- pool-exhaustion -------------------------------------------------------------------------- */

/* While nobody waits for the migration, a queue is the machine's, or the workload's own. */
static bool is_of_its_making(const struct traffic *traffic)
{
    return traffic->waited > 0 && traffic->depth_peak_at_us >= traffic->waits_from_us &&
           traffic->depth_peak_at_us <= traffic->waits_until_us &&
           traffic->pool_exhausted_at_us >= traffic->waits_from_us;
}

void rh_rule_pool_exhaustion(const struct rule *rule, struct judgement *judgement)
{
    const struct traffic *traffic = &judgement->result->traffic;
    struct arena *arena = judgement->arena;
    if (!traffic->was_run || traffic->is_replayer_bound || traffic->pool <= 0 ||
        traffic->pool_exhausted_us <= 0 || traffic->depth_before >= traffic->pool ||
        !is_of_its_making(traffic))
        return;

    struct found *found = rh_judgement_add(judgement, rule, SEVERITY_ERROR, NULL, NULL);
    struct finding *finding = &found->finding;
    found->weight = traffic->pool_exhausted_us;
    rh_evidence_count(found, "pool", traffic->pool);
    rh_evidence_ms(found, "exhausted_at_ms", traffic->pool_exhausted_at_us);
    rh_evidence_ms(found, "exhausted_ms", traffic->pool_exhausted_us);
    rh_evidence_count(found, "queries_under_way_before", traffic->depth_before);
    rh_evidence_count(found, "queries_under_way_most", traffic->depth_peak);
    finding->title = rh_arena_printf(
        arena, "a pool of %s connections has none left for %s: up to %s queries at once",
        rh_say_number(arena, traffic->pool), rh_say_duration(arena, traffic->pool_exhausted_us),
        rh_say_number(arena, traffic->depth_peak));
    found->headline = rh_arena_printf(arena,
                                      "the migration would take the last of %s connections, %s "
                                      "after its start",
                                      rh_say_number(arena, traffic->pool),
                                      rh_say_duration(arena, traffic->pool_exhausted_at_us));
    finding->why = rh_arena_printf(
        arena,
        "As a rule the workload has %s under way at a time. What waits for the migration keeps its "
        "connection, more comes at production's rate, and once the pool is empty every request "
        "waits, also those that touch other tables.",
        rh_say_count(arena, traffic->depth_before, "execution"));
    finding->advice = "Shorten what the queries wait for (see the findings on locks), or bound it "
                      "with lock_timeout and retries; a larger pool only moves the moment.";
    finding->advice_sql = NULL;
}

/* --- query-error, cached-plan-broken ---------------------------------------------------------- */

/* "cached plan must not change result type" comes with it (plancache.c, RevalidateCachedQuery). */
#define CACHED_PLAN "0A000"
/* invalid_sql_statement_name */
#define NO_SUCH_STATEMENT "26000"
/* in_failed_sql_transaction */
#define FAILED_TRANSACTION "25P02"

struct failing {
    const struct traffic_pattern *pattern;
    const struct traffic_error *error;
    int64_t more; /* than of as many calls on the baseline */
};

/* Fails here, and did not, or hardly, without the migration. */
static bool is_new(const struct traffic_pattern *pattern, const struct traffic_error *error,
                   struct failing *ret_failing)
{
    double share = pattern->baseline_calls > 0
                       ? (double)error->baseline / (double)pattern->baseline_calls
                       : 0;
    int64_t expected = (int64_t)(share * (double)pattern->calls + 0.5);
    /* By chance a rare failure comes twice as often as not. */
    if (error->here <= 2 * expected)
        return false;
    *ret_failing = (struct failing){pattern, error, error->here - expected};
    return true;
}

static const char *say_patterns(struct arena *arena, const struct failing *items, size_t count)
{
    VEC(const char *) names = {0};
    for (size_t i = 0; i < count; i++)
        *RH_PUSH(arena, &names) = say_query(arena, items[i].pattern);
    return rh_say_list(arena, names.items, names.count, PATTERNS_SHOWN);
}

struct failing_list {
    VEC(struct failing) items;
    int64_t failures;
};

/* Names and types that the migration took from a query that the release no longer sends, where the
   old application is stopped by then: the replay goes on with it all the same. A Parse by itself is
   no execution: that it failed shows in those of its name. */
static bool is_moot(const struct judgement *judgement, const struct traffic_pattern *pattern,
                    const char *sqlstate)
{
    return pattern->is_transformed && judgement->result->transformation.is_old_stopped &&
           (strncmp(sqlstate, "42", 2) == 0 ||
            RH_IS_ONE_OF(sqlstate, CACHED_PLAN, NO_SUCH_STATEMENT));
}

/* A name that no statement has because its Parse failed: that failure is the one to tell. */
static bool is_aftermath(const struct traffic_pattern *pattern, const char *sqlstate)
{
    bool has_cause = false;
    for (size_t i = 0; i < pattern->errors.count; i++)
        has_cause |= strncmp(pattern->errors.items[i].sqlstate, "42", 2) == 0;
    return has_cause && strcmp(sqlstate, NO_SUCH_STATEMENT) == 0;
}

/* Whether anything but statements behind a failure in their transaction fails newly. */
static bool has_other_failure(const struct traffic *traffic)
{
    struct failing failing;
    for (size_t i = 0; i < traffic->patterns.count; i++) {
        const struct traffic_pattern *pattern = &traffic->patterns.items[i];
        for (size_t j = 0; j < pattern->errors.count; j++)
            if (strcmp(pattern->errors.items[j].sqlstate, FAILED_TRANSACTION) != 0 &&
                is_new(pattern, &pattern->errors.items[j], &failing))
                return true;
    }
    return false;
}

static struct failing_list failing_with(struct judgement *judgement, const char *sqlstate)
{
    const struct traffic *traffic = &judgement->result->traffic;
    struct failing_list list = {0};
    if (strcmp(sqlstate, FAILED_TRANSACTION) == 0 && has_other_failure(traffic))
        return list; /* told with what failed before, if that counts */
    for (size_t i = 0; i < traffic->patterns.count; i++) {
        const struct traffic_pattern *pattern = &traffic->patterns.items[i];
        for (size_t j = 0; j < pattern->errors.count; j++) {
            struct failing failing;
            if (strcmp(pattern->errors.items[j].sqlstate, sqlstate) != 0 ||
                is_moot(judgement, pattern, sqlstate) || is_aftermath(pattern, sqlstate) ||
                !is_new(pattern, &pattern->errors.items[j], &failing))
                continue;
            *RH_PUSH(judgement->arena, &list.items) = failing;
            list.failures += failing.more;
        }
    }
    return list;
}

static const char *say_sqlstate(const char *sqlstate)
{
    static const struct {
        const char *sqlstate, *meaning;
    } known[] = {
        {"40P01", "a deadlock with the migration"},
        {"40001", "a serialization failure"},
        {"42703", "a column that is no longer there"},
        {"42P01", "a table that is no longer there"},
        {"42883", "a function or operator that is no longer there"},
        {"42501", "a privilege that is no longer there"},
        {"42804", "a type that no longer fits"},
        {NO_SUCH_STATEMENT, "a statement that could not be prepared"},
        {"22P02", "a value that the new type does not take"},
        {"23502", "a NULL that is no longer allowed"},
        {"23503", "a foreign key"},
        {"23505", "a key that must be unique"},
        {"23514", "a check constraint"},
        {"55P03", "a lock that was not free in time"},
        {"57014", "a time limit"},
        {"53300", "too many connections"},
    };
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (strcmp(known[i].sqlstate, sqlstate) == 0)
            return known[i].meaning;
    return NULL;
}

static struct found *add_failing(const struct rule *rule, struct judgement *judgement,
                                 const struct failing_list *list, const char *sqlstate)
{
    struct found *found = rh_judgement_add(judgement, rule, SEVERITY_ERROR, NULL, NULL);
    found->weight = list->failures;
    rh_evidence_text(found, "sqlstate", sqlstate);
    rh_evidence_count(found, "failures", list->failures);
    rh_evidence_count(found, "patterns", (int64_t)list->items.count);
    return found;
}

static void add_errors(const struct rule *rule, struct judgement *judgement, const char *sqlstate)
{
    struct arena *arena = judgement->arena;
    struct failing_list list = failing_with(judgement, sqlstate);
    if (list.items.count == 0)
        return;
    const char *meaning = say_sqlstate(sqlstate);
    struct found *found = add_failing(rule, judgement, &list, sqlstate);
    struct finding *finding = &found->finding;
    finding->title = rh_arena_printf(
        arena, "%s failed with %s%s%s%s while the migration ran, and not without it: %s",
        rh_say_count(arena, list.failures, "execution"), sqlstate, meaning ? " (" : "",
        meaning ? meaning : "", meaning ? ")" : "",
        say_patterns(arena, list.items.items, list.items.count));
    found->headline = rh_arena_printf(arena, "%s of the running application would fail%s%s",
                                      rh_say_count(arena, list.failures, "query execution"),
                                      meaning ? " on " : "", meaning ? meaning : "");
    finding->why = "The application that runs today was replayed, unchanged, on a clone without "
                   "the migration and on one on which it ran meanwhile.";
    finding->advice = strcmp(sqlstate, "40P01") == 0
                          ? "Take the locks in the order in which the application takes them, one "
                            "table per transaction, with a lock_timeout below deadlock_timeout."
                          : "Expand first and contract later: change the schema so that the old "
                            "application still works, deploy the new one, then remove the rest.";
}

void rh_rule_query_error_of_traffic(const struct rule *rule, struct judgement *judgement)
{
    const struct traffic *traffic = &judgement->result->traffic;
    struct arena *arena = judgement->arena;
    VEC(const char *) states = {0};
    if (!traffic->was_run)
        return;
    for (size_t i = 0; i < traffic->patterns.count; i++)
        for (size_t j = 0; j < traffic->patterns.items[i].errors.count; j++) {
            const char *sqlstate = traffic->patterns.items[i].errors.items[j].sqlstate;
            if (strcmp(sqlstate, CACHED_PLAN) != 0 &&
                !rh_is_one_of(sqlstate, states.items, states.count))
                *RH_PUSH(arena, &states) = sqlstate;
        }
    for (size_t i = 0; i < states.count; i++)
        add_errors(rule, judgement, states.items[i]);
}

void rh_rule_cached_plan_of_traffic(const struct rule *rule, struct judgement *judgement)
{
    const struct traffic *traffic = &judgement->result->traffic;
    struct arena *arena = judgement->arena;
    if (!traffic->was_run)
        return;
    struct failing_list list = failing_with(judgement, CACHED_PLAN);
    if (list.items.count == 0)
        return;
    struct found *found = add_failing(rule, judgement, &list, CACHED_PLAN);
    struct finding *finding = &found->finding;
    finding->title = rh_arena_printf(arena, "prepared statements of %s broke: %s failed: %s",
                                     rh_say_count(arena, (int64_t)list.items.count, "pattern"),
                                     rh_say_count(arena, list.failures, "execution"),
                                     say_patterns(arena, list.items.items, list.items.count));
    found->headline = "prepared statements of sessions that live through the migration would fail";
    finding->why = "A statement prepared before the migration keeps the columns it promised. When "
                   "they are others afterwards (SELECT * and a new column, a changed type), the "
                   "server refuses it: \"cached plan must not change result type\". Drivers and "
                   "poolers keep such statements for as long as the connection lives.";
    finding->advice = "Name the columns instead of SELECT *, or have the application's pool "
                      "reconnect right after the migration; a driver that prepares again by itself "
                      "can only do so outside of a transaction.";
}
