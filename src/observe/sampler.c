#include "observe/observer_int.h"

#include <stdlib.h>

/* Most locks of a short statement are seen from inside or at its boundaries; the sampler is for
   what is not (DML in autocommit, CONCURRENTLY, waits), where 2 ms is fine enough. A sample costs
   the server 0.2 ms, so 2 ms is a tenth of a core: too much for long, hence it grows. */
#define INTERVAL_SHORT_US 2000
#define INTERVAL_LONG_US 10000
/* A lock held adds 3.3 us to a sample (measured on 15: 0.14 ms without, 2.1 ms with 600): a session
   with many (DDL in one transaction, which reports them itself) is asked as seldom as keeps it at
   that tenth. */
#define INTERVAL_PER_LOCK_US 40
#define SHORT_FOR_US 200000 /* of a running statement, then growing */
#define PAUSE_MIN_US 500    /* between an answer and the next question */
/* The size of the database costs a stat() of each of its files. */
#define SIZE_FIRST_US 100000
#define SIZE_INTERVAL_US 500000

static void send_sample(void *context);
static void send_size(void *context);

static int64_t interval_us(const struct sampler *sampler)
{
    int64_t interval = INTERVAL_SHORT_US, beyond;

    if (sampler->fixed_interval_us)
        return sampler->fixed_interval_us;
    beyond = rh_clock_mono().us - sampler->busy_since.us - SHORT_FOR_US;
    if (beyond > 0)
        interval += beyond / 100; /* 2 ms more for each 200 ms: 10 ms after a second */
    if (interval < sampler->lock_count * INTERVAL_PER_LOCK_US)
        interval = sampler->lock_count * INTERVAL_PER_LOCK_US;
    return interval < INTERVAL_LONG_US ? interval : INTERVAL_LONG_US;
}

static void note_gap(struct sampler *sampler, struct mono now)
{
    int64_t gap = now.us - sampler->seen_at.us;

    if (gap > sampler->longest_gap_us)
        sampler->longest_gap_us = gap;
    sampler->seen_at = now;
}

static void schedule(struct observer *observer)
{
    struct sampler *sampler = &observer->sampler;
    int64_t pause = interval_us(sampler) - (rh_clock_mono().us - sampler->sent_at.us);

    rh_loop_timer_start(sampler->timer, pause > PAUSE_MIN_US ? pause : PAUSE_MIN_US, 0);
}

enum sample_column { /* of ENGINE_QUERY_SAMPLE */
                     SAMPLE_PID,
                     SAMPLE_RELATION,
                     SAMPLE_MODE,
                     SAMPLE_GRANTED,
                     SAMPLE_WAIT_START,
                     SAMPLE_BLOCKERS,
                     SAMPLE_STATE,
                     SAMPLE_WAIT_EVENT,
                     SAMPLE_TRANSACTION_START,
                     SAMPLE_QUERY_START,
                     SAMPLE_APPLICATION,
                     SAMPLE_IS_OURS,
                     SAMPLE_WAITS_FOR
};

static void deliver(struct observer *observer, const struct rows *rows)
{
    struct sampler *sampler = &observer->sampler;
    size_t row_count = rh_rows_count(rows), count = 0;
    struct observed_lock *locks;
    struct sample sample;

    rh_arena_clear(sampler->arena);
    locks = rh_arena_alloc_array(sampler->arena, row_count, sizeof(*locks));
    for (size_t i = 0; i < row_count; i++) {
        struct observed_lock *lock = &locks[count];
        const char *mode = rh_rows_value(rows, i, SAMPLE_MODE);
        const char *waits_for = rh_rows_value(rows, i, SAMPLE_WAITS_FOR);
        lock->pid = rh_rows_int(rows, i, SAMPLE_PID, 0);
        lock->relation_id = rh_rows_int(rows, i, SAMPLE_RELATION, 0);
        const struct relation_record *relation = rh_relation_map_find(&observer->relations,
                                                                      lock->relation_id);
        lock->granted = rh_rows_bool(rows, i, SAMPLE_GRANTED);
        if (relation && relation->facts.is_system && lock->relation_id >= 0 && lock->granted &&
            mode && !strcmp(mode, "AccessShareLock"))
            continue; /* what our own evidence reads */
        lock->mode = rh_arena_strdup(sampler->arena, mode ? mode : "");
        lock->wait_start_us = rh_rows_int(rows, i, SAMPLE_WAIT_START, 0);
        lock->waits_for = waits_for ? rh_arena_strdup(sampler->arena, waits_for) : NULL;
        lock->is_ours = rh_rows_bool(rows, i, SAMPLE_IS_OURS);
        count++;
    }
    sample = (struct sample){rh_clock_wall().us, locks, count};
    sampler->count++;
    sampler->lock_count = (int64_t)row_count;
    if (observer->handler.sampled)
        observer->handler.sampled(observer->handler.context, &sample);
}

static void sample_done(void *context, struct rows **rows, const struct err *err)
{
    struct observer *observer = context;
    struct sampler *sampler = &observer->sampler;

    sampler->in_flight = false;
    if (observer->is_lost)
        return;
    if (err && err->code != RH_ERR_SERVER) {
        rh_observer_lose(observer, err);
        return;
    }
    if (err) {
        sampler->failed_count++; /* a sample that was refused is a gap */
    } else {
        if (sampler->running && sampler->sent_at.us >= sampler->busy_since.us)
            note_gap(sampler, rh_clock_mono());
        deliver(observer, *rows);
    }
    if (sampler->running && !observer->is_lost)
        schedule(observer);
}

static void send_sample(void *context)
{
    struct observer *observer = context;
    struct sampler *sampler = &observer->sampler;
    struct buf pids RH_CLEANUP_BUF;
    const char *parameters[1];

    rh_buf_init(&pids, 1 << 20);
    if (observer->is_lost || sampler->in_flight || !sampler->running)
        return;
    sampler->sent_at = rh_clock_mono();
    if (observer->watched.count == 0) { /* a statement of a session not known yet */
        schedule(observer);
        return;
    }
    for (size_t i = 0; i < observer->watched.count; i++)
        rh_buf_printf(&pids, "%c%lld", i ? ',' : '{', (long long)observer->watched.items[i]);
    rh_buf_add_char(&pids, '}');
    parameters[0] = pids.data;
    sampler->in_flight = true;
    observer->engine->send_query(observer->sampling, ENGINE_QUERY_SAMPLE, parameters, 1,
                                 sample_done, observer);
}

static void size_done(void *context, struct rows **rows, const struct err *err)
{
    struct observer *observer = context;
    struct sampler *sampler = &observer->sampler;

    sampler->size_in_flight = false;
    if (observer->is_lost)
        return;
    if (err && err->code != RH_ERR_SERVER) {
        rh_observer_lose(observer, err);
    } else if (!err && rh_rows_count(*rows)) {
        int64_t bytes = rh_rows_int(*rows, 0, 0, NOT_OBSERVED);
        if (bytes > sampler->peak_bytes)
            sampler->peak_bytes = bytes;
    }
}

static void send_size(void *context)
{
    struct observer *observer = context;
    struct sampler *sampler = &observer->sampler;

    if (observer->is_lost || sampler->size_in_flight)
        return;
    sampler->size_in_flight = true;
    sampler->size_sent_at = rh_clock_mono();
    observer->engine->send_query(observer->catalogue, ENGINE_QUERY_DATABASE_SIZE, NULL, 0,
                                 size_done, observer);
}

/* --- public
 * ---------------------------------------------------------------------------------------- */

void rh_sampler_init(struct observer *observer, int64_t fixed_interval_us)
{
    struct sampler *sampler = &observer->sampler;

    sampler->fixed_interval_us = fixed_interval_us;
    sampler->arena = rh_arena_new();
    sampler->timer = rh_loop_timer_new(observer->loop, send_sample, observer);
    sampler->size_timer = rh_loop_timer_new(observer->loop, send_size, observer);
    sampler->peak_bytes = NOT_OBSERVED;
}

void rh_sampler_deinit(struct observer *observer)
{
    rh_loop_timer_free(observer->sampler.timer);
    rh_loop_timer_free(observer->sampler.size_timer);
    rh_arena_free(observer->sampler.arena);
}

void rh_sampler_stop(struct observer *observer)
{
    rh_loop_timer_stop(observer->sampler.timer);
    rh_loop_timer_stop(observer->sampler.size_timer);
}

bool rh_sampler_is_stuck(const struct observer *observer, int64_t limit_us)
{
    const struct sampler *sampler = &observer->sampler;
    int64_t now = rh_clock_mono().us;

    return (sampler->in_flight && now - sampler->sent_at.us > limit_us) ||
           (sampler->size_in_flight && now - sampler->size_sent_at.us > limit_us);
}

void rh_observer_statement_started(struct observer *observer)
{
    struct sampler *sampler = &observer->sampler;

    if (sampler->running++ || observer->is_lost)
        return;
    sampler->busy_since = sampler->seen_at = rh_clock_mono();
    if (!sampler->in_flight)
        rh_loop_timer_start(sampler->timer, interval_us(sampler), 0);
    rh_loop_timer_start(sampler->size_timer, SIZE_FIRST_US, SIZE_INTERVAL_US);
}

void rh_observer_statement_ended(struct observer *observer)
{
    struct sampler *sampler = &observer->sampler;

    RH_ASSERT(sampler->running > 0);
    if (--sampler->running || observer->is_lost)
        return;
    note_gap(sampler, rh_clock_mono());
    rh_sampler_stop(observer);
}

void rh_observer_watch(struct observer *observer, int64_t pid)
{
    for (size_t i = 0; i < observer->watched.count; i++)
        if (observer->watched.items[i] == pid)
            return;
    *RH_PUSH(observer->arena, &observer->watched) = pid;
}

void rh_observer_unwatch(struct observer *observer, int64_t pid)
{
    for (size_t i = 0; i < observer->watched.count; i++) {
        if (observer->watched.items[i] == pid) {
            observer->watched.items[i] = observer->watched.items[--observer->watched.count];
            return;
        }
    }
}

struct observer_statistics rh_observer_statistics(const struct observer *observer)
{
    const struct sampler *sampler = &observer->sampler;

    return (struct observer_statistics){
        .sample_count = sampler->count,
        .longest_gap_us = sampler->longest_gap_us,
        .interval_us = sampler->fixed_interval_us ? sampler->fixed_interval_us : INTERVAL_SHORT_US,
        .peak_database_bytes = sampler->peak_bytes > observer->database_bytes_before
                                   ? sampler->peak_bytes
                                   : observer->database_bytes_before,
        .database_bytes_before = observer->database_bytes_before};
}
