/*
 * Which of production's queries waited for a lock of the migration's: the queries that the replay
 * reported as long, laid over the locks of the run that they met. A query waited when a lock that
 * conflicts with what it does to one of its tables was held, or asked for, as it came; then for as
 * long as that lock was there and it had no answer. It came when it was meant to be sent: one that
 * could not be, because its session or a commit before it was waiting, would have waited as well.
 */
#include "judge/judge_int.h"

#include <stdlib.h>
#include <string.h>

/* A query that came so long before the lock was asked for met it all the same: what the sampler
   saw may have begun that much earlier. */
#define TOLERANCE_US TRAFFIC_WAIT_US

enum use { USE_NONE, USE_READ, USE_WRITE };

static enum use use_of(const struct traffic_pattern *pattern, const char *relation)
{
    if (pattern->controls)
        return USE_NONE;
    for (size_t i = 0; i < pattern->writes_to.count; i++)
        if (rh_traffic_is_table(pattern->writes_to.items[i], relation))
            return USE_WRITE;
    for (size_t i = 0; i < pattern->reads_from.count; i++)
        if (rh_traffic_is_table(pattern->reads_from.items[i], relation))
            return USE_READ;
    /* Its tables are not known: through a function, or a text that could not be parsed. */
    return pattern->is_parsed && pattern->reads_from.count + pattern->writes_to.count > 0 ? USE_NONE
           : pattern->writes ? USE_WRITE
                             : USE_READ;
}

/* How long the query waited for that lock; 0: not. */
static int64_t wait_us(const struct traffic_query *query, const struct traffic_pattern *pattern,
                       const struct block *block)
{
    enum use use = use_of(pattern, block->relation);
    bool conflicts = (use == USE_READ && block->read_us > 0) ||
                     (use == USE_WRITE && (block->write_us > 0 || block->read_us > 0));
    int64_t asked_us = block->from_us - block->waited_us;
    int64_t end_us = block->until_us < query->complete_us ? block->until_us : query->complete_us;

    if (!conflicts || query->intended_us < asked_us - TOLERANCE_US ||
        query->intended_us >= block->until_us)
        return 0;
    return end_us - query->intended_us >= TRAFFIC_WAIT_US ? end_us - query->intended_us : 0;
}

static struct block *longest_wait(struct judgement *loaded, const struct traffic_query *query,
                                  const struct traffic_pattern *pattern, int64_t *ret_us)
{
    struct block *best = NULL;
    *ret_us = 0;
    for (size_t i = 0; i < loaded->blocks.count; i++) {
        int64_t us = wait_us(query, pattern, &loaded->blocks.items[i]);
        if (us > *ret_us) {
            *ret_us = us;
            best = &loaded->blocks.items[i];
        }
    }
    return best;
}

static void count_wait(struct judgement *judgement, struct traffic_pattern *pattern, int statement,
                       const struct block *block, int64_t us)
{
    struct traffic *traffic = &judgement->result->traffic;
    struct traffic_wait *wait = NULL;
    for (size_t i = 0; i < pattern->waits.count && !wait; i++)
        if (pattern->waits.items[i].statement == statement &&
            strcmp(pattern->waits.items[i].relation, block->relation) == 0)
            wait = &pattern->waits.items[i];
    if (!wait) {
        wait = RH_PUSH(judgement->arena, &pattern->waits);
        *wait = (struct traffic_wait){
            .statement = statement, .relation = block->relation, .mode = block->mode};
    }
    wait->queries++;
    wait->total_us += us;
    if (us > wait->longest_us)
        wait->longest_us = us;
    pattern->waited++;
    if (us > pattern->longest_wait_us)
        pattern->longest_wait_us = us;
    traffic->waited++;
    if (us > traffic->longest_wait_us)
        traffic->longest_wait_us = us;
}

/* The same block in the run without traffic; made where that saw none. NULL: that statement was
   never sent there. */
static struct block *same_block(struct judgement *judgement, const struct judgement *loaded,
                                const struct block *block)
{
    int statement = loaded->acts.items[block->first_act].top->index;
    struct block *of_table = NULL;
    for (size_t i = 0; i < judgement->blocks.count; i++) {
        struct block *other = &judgement->blocks.items[i];
        if (strcmp(other->relation, block->relation) != 0)
            continue;
        of_table = other;
        if (judgement->acts.items[other->first_act].top->index == statement)
            return other;
    }
    if (of_table)
        return of_table;
    const struct act *act = rh_judgement_act(judgement, statement);
    if (!act)
        return NULL;
    struct block *made = RH_PUSH(judgement->arena, &judgement->blocks);
    *made = *block;
    made->transaction_key = act->transaction_key;
    made->first_act = (size_t)(act - judgement->acts.items);
    made->facts = rh_judgement_facts(judgement, block->relation);
    made->from_us = made->until_us = act->top->start_us;
    made->read_us = made->write_us = made->probe_read_us = made->probe_write_us = 0;
    made->query_read_us = made->query_write_us = made->queries_waited = 0;
    return made;
}

static int compare_waits(const void *a, const void *b)
{
    const struct traffic_wait *left = a, *right = b;
    return left->longest_us > right->longest_us ? -1 : left->longest_us < right->longest_us;
}

void rh_judgement_take_traffic(struct judgement *judgement)
{
    struct traffic *traffic = &judgement->result->traffic;
    if (!traffic->was_run || !traffic->trace || judgement->trace == traffic->trace)
        return;

    struct result under_load = *judgement->result;
    under_load.trace = traffic->trace;
    under_load.scaling = (struct scaling_facts){0};
    struct judgement loaded;
    traffic->waited = traffic->longest_wait_us = 0;
    for (size_t i = 0; i < traffic->patterns.count; i++) {
        struct traffic_pattern *pattern = &traffic->patterns.items[i];
        pattern->waited = pattern->longest_wait_us = 0;
        pattern->waits.count = 0;
    }
    rh_judgement_init(&loaded, &under_load);
    rh_judgement_find_blocks(&loaded);

    for (size_t i = 0; i < traffic->queries.count; i++) {
        const struct traffic_query *query = &traffic->queries.items[i];
        struct traffic_pattern *pattern = &traffic->patterns.items[query->pattern];
        int64_t us;
        struct block *met = longest_wait(&loaded, query, pattern, &us);
        if (!met)
            continue;
        if (traffic->waited == 0 || query->intended_us < traffic->waits_from_us)
            traffic->waits_from_us = query->intended_us;
        if (traffic->waited == 0 || query->complete_us > traffic->waits_until_us)
            traffic->waits_until_us = query->complete_us;
        count_wait(judgement, pattern, loaded.acts.items[met->first_act].top->index, met, us);
        bool reads = use_of(pattern, met->relation) == USE_READ;
        int64_t *longest_us = reads ? &met->query_read_us : &met->query_write_us;
        if (us > *longest_us)
            *longest_us = us;
        met->queries_waited++;
    }
    for (size_t i = 0; i < traffic->patterns.count; i++) {
        struct traffic_pattern *pattern = &traffic->patterns.items[i];
        if (pattern->waits.count > 1)
            qsort(pattern->waits.items, pattern->waits.count, sizeof(pattern->waits.items[0]),
                  compare_waits);
    }
    for (size_t i = 0; i < loaded.blocks.count; i++) {
        const struct block *met = &loaded.blocks.items[i];
        if (met->queries_waited == 0 && met->waited_us <= 0 && rh_block_us(met) == 0)
            continue;
        struct block *block = same_block(judgement, &loaded, met);
        if (!block)
            continue;
        block->queries_waited += met->queries_waited;
        if (met->query_read_us > block->query_read_us)
            block->query_read_us = met->query_read_us;
        if (met->query_write_us > block->query_write_us)
            block->query_write_us = met->query_write_us;
        if (met->waited_us > block->waited_us) {
            block->waited_us = met->waited_us;
            block->waited_for = met->waited_for;
        }
    }
}

void rh_judgement_tell_traffic(struct judgement *judgement)
{
    struct arena *arena = judgement->arena;
    for (size_t i = 0; i < judgement->found.count; i++) {
        struct finding *finding = &judgement->found.items[i].finding;
        if (!finding->relation || !finding->statement ||
            !json_object_get(finding->evidence, "queries_waited"))
            continue;
        json_t *waited = json_object_get(finding->evidence, "queries_waited");
        double reads_ms = json_number_value(
            json_object_get(finding->evidence, "query_read_wait_ms"));
        double writes_ms = json_number_value(
            json_object_get(finding->evidence, "query_write_wait_ms"));
        double longest_ms = reads_ms > writes_ms ? reads_ms : writes_ms;
        finding->why = rh_arena_printf(
            arena, "%s Under the workload %s waited for it, the longest %s.",
            finding->why ? finding->why : "",
            rh_say_count(arena, json_integer_value(waited), "query execution"),
            rh_say_duration(arena, (int64_t)(longest_ms * 1000)));
    }
}

const char *rh_judgement_traffic_doubt(const struct judgement *judgement)
{
    const struct traffic *traffic = &judgement->result->traffic;
    if (traffic->why_not)
        return rh_arena_printf(judgement->arena, "production's queries were not replayed: %s",
                               traffic->why_not);
    if (traffic->was_run && traffic->is_replayer_bound)
        return rh_arena_printf(
            judgement->arena,
            "the replay could not keep up with the recording (%s late): what its queries waited "
            "proves nothing (a lower --speed, or a machine with more cores)",
            rh_say_duration(judgement->arena, traffic->replayer_lag_us));
    return NULL;
}
