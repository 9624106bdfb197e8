/* What an execution came to, beside what it came to in the recording; sums by pattern. */
#include "replay/replay_int.h"

#include <stdlib.h>
#include <string.h>

/* Kinds of errors told of one pattern: a few are usual, and rare ones hide nothing. */
#define SQLSTATES_MAX 32
/* query_canceled */
#define CANCELLED "57014"

static struct replay_pattern *pattern_of(struct replay *replay, uint32_t number)
{
    return &replay->result->patterns[number <= replay->options->pattern_count ? number : 0];
}

static void count_sqlstate(struct replay *replay, struct replay_pattern *pattern, const char *code)
{
    for (size_t i = 0; i < pattern->sqlstates.count; i++) {
        if (strcmp(pattern->sqlstates.items[i].code, code) == 0) {
            pattern->sqlstates.items[i].count++;
            return;
        }
    }
    if (pattern->sqlstates.count == SQLSTATES_MAX)
        return;
    struct replay_sqlstate *added = RH_PUSH(replay->arena, &pattern->sqlstates);
    memcpy(added->code, code, sizeof(added->code));
    added->count = 1;
}

static void count_error(struct replay *replay, struct replay_pattern *pattern,
                        const struct replay_execution *execution)
{
    struct replay_result *result = replay->result;
    const char *here = execution->result.sqlstate;
    const char *there = execution->recorded ? execution->recorded->sqlstate : "";
    if (execution->was_cancelled && strcmp(here, CANCELLED) == 0) {
        pattern->cancelled++;
        result->cancelled++;
        return;
    }
    if (here[0])
        count_sqlstate(replay, pattern, here);
    if (here[0] && strcmp(here, there) == 0) {
        pattern->errors_as_recorded++;
        result->errors_as_recorded++;
    } else if (here[0]) {
        pattern->errors_new++;
        result->errors_new++;
    } else if (there[0] && !(execution->was_cancelled && strcmp(there, CANCELLED) == 0)) {
        pattern->errors_resolved++;
        result->errors_resolved++;
    }
}

/* The same rows; in the same order, where the text asks for one. */
static void compare_rows(const struct replay *replay, struct replay_pattern *pattern,
                         const struct workload_result *here, const struct workload_result *there,
                         bool has_moved_ids)
{
    bool is_same = here->rows == there->rows && here->returned == there->returned &&
                   here->is_suspended == there->is_suspended;
    if (is_same)
        pattern->rows_same++;
    else
        pattern->rows_differ++;
    if (!here->has_digest || !there->has_digest)
        return;
    bool is_ordered = pattern->number > 0 &&
                      (replay->options->patterns[pattern->number - 1]->flags & PATTERN_ORDERS_ROWS);
    const uint8_t *ours = is_ordered ? here->ordered : here->unordered;
    const uint8_t *theirs = is_ordered ? there->ordered : there->unordered;
    if (is_same && memcmp(ours, theirs, WORKLOAD_DIGEST_BYTES) == 0)
        pattern->digests_same++;
    else if (is_same && has_moved_ids)
        pattern->digests_moved++;
    else
        pattern->digests_differ++;
}

static void add_time(struct histogram **histogram, int64_t us)
{
    if (!*histogram && !(*histogram = calloc(1, sizeof(**histogram))))
        RH_PANIC("out of memory for a histogram");
    rh_histogram_add(*histogram, us);
}

static void measure(struct replay *replay, const struct item *item, const struct outcome *outcome,
                    const struct replay_execution *execution)
{
    struct replay_pattern *pattern = pattern_of(replay, execution->result.pattern);
    pattern->calls++;
    replay->result->executions++;
    count_error(replay, pattern, execution);
    if (execution->result.sqlstate[0])
        return;
    int64_t late_us = execution->sent_us - execution->intended_us;
    int64_t response_us = outcome->service_us + (late_us > 0 ? late_us : 0);
    add_time(&pattern->service_us, outcome->service_us);
    add_time(&pattern->response_us, response_us);
    rh_histogram_add(&replay->result->service_us, outcome->service_us);
    rh_histogram_add(&replay->result->response_us, response_us);
    replay->response_sum_us += response_us;
    if (execution->recorded && !execution->recorded->sqlstate[0])
        compare_rows(replay, pattern, &execution->result, execution->recorded, item->has_moved_ids);
}

static const struct workload_result *recorded_of(const struct item *item, size_t at)
{
    size_t index = at;
    if (!item->is_simple && item->step_count > 0)
        index = item->steps[at < item->step_count ? at : item->step_count - 1].index;
    return index < item->recorded_count ? &item->recorded[index] : NULL;
}

void rh_measure_item(struct replay_session *session, struct item *item)
{
    struct replay *replay = session->replay;
    for (size_t i = 0; i < item->outcome_count; i++) {
        const struct outcome *outcome = &item->outcomes[i];
        struct replay_execution execution = {.session = session->number,
                                             .request = item->request,
                                             .intended_us = item->intended_us,
                                             .sent_us = item->sent_us,
                                             .first_us = outcome->first_us,
                                             .complete_us = outcome->complete_us,
                                             .result = outcome->result,
                                             .recorded = recorded_of(item, i),
                                             .was_cancelled = item->is_cancelled};
        /* Of several statements in one string each has a pattern of its own. */
        if (item->is_simple && execution.recorded && execution.recorded->pattern)
            execution.result.pattern = execution.recorded->pattern;
        measure(replay, item, outcome, &execution);
        if (replay->options->executed)
            replay->options->executed(replay->options->context, &execution);
    }
}

void rh_measure_finish(struct replay *replay)
{
    struct replay_result *result = replay->result;
    if (replay->response_sum_us > 0)
        result->late_share = (double)replay->late_sum_us / (double)replay->response_sum_us;
    result->is_replayer_bound = (rh_replay_is_paced(replay) &&
                                 result->late_share > REPLAYER_BOUND_LATE_SHARE) ||
                                result->busy_share > REPLAYER_BOUND_BUSY_SHARE;
    /* Histograms were made as they were needed; the result's belong to its arena. */
    for (size_t i = 0; i <= replay->options->pattern_count; i++) {
        struct replay_pattern *pattern = &result->patterns[i];
        struct histogram **both[] = {&pattern->service_us, &pattern->response_us};
        for (size_t k = 0; k < 2; k++) {
            struct histogram *made = *both[k];
            if (made)
                *both[k] = rh_arena_memdup(replay->arena, made, sizeof(*made));
            free(made);
        }
    }
}
