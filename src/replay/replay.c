#include "replay/replay_int.h"

#include "base/clock.h"
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

/* Sessions of one workload at once: chains stay short far beyond what a server lets in. */
#define HASH_SLOTS 8192
/* A gap without any request that is worth being passed over, and what is left of it. */
#define IDLE_MIN_US INT64_C(100000)
#define IDLE_KEPT_US INT64_C(10000)
/* Connecting, and three questions to the catalogue. */
#define LOOK_US INT64_C(60000000)

const char *rh_replay_gap_name(enum replay_gap gap)
{
    static const char *const names[] = {
#define X(symbol, name, text) [symbol] = (name),
        REPLAY_GAP_LIST(X)
#undef X
    };
    return names[gap];
}

const char *rh_replay_gap_text(enum replay_gap gap)
{
    static const char *const texts[] = {
#define X(symbol, name, text) [symbol] = (text),
        REPLAY_GAP_LIST(X)
#undef X
    };
    return texts[gap];
}

int64_t rh_replay_schedule(const struct replay *replay, int64_t at_us)
{
    return replay->zero_us + rh_replay_scaled(replay, at_us);
}

/* --- the timer -------------------------------------------------------------------------------- */

/* The loop's own timers are a millisecond late, which would be told as response time. */
void rh_replay_rearm(struct replay *replay)
{
    const struct due *first = rh_due_heap_first(&replay->heap);
    int64_t at_us = replay->graveyard                   ? 0
                    : !first                            ? INT64_MAX
                    : first->at_us < replay->skipped_us ? 0
                                                        : first->at_us - replay->skipped_us;
    if (at_us == replay->armed_us || replay->timer_fd < 0)
        return;
    replay->armed_us = at_us;
    /* Zero would disarm it. */
    int64_t set_us = at_us == INT64_MAX ? 0 : at_us < 1 ? 1 : at_us;
    const struct itimerspec when = {
        .it_value = {.tv_sec = set_us / 1000000, .tv_nsec = set_us % 1000000 * 1000}};
    (void)timerfd_settime(replay->timer_fd, TFD_TIMER_ABSTIME, &when, NULL);
}

/* Nothing is under way and nothing comes for a while. */
static void skip_idle(struct replay *replay)
{
    const struct due *first = rh_due_heap_first(&replay->heap);
    if (!replay->options->skips_idle || !replay->is_begun || replay->flying > 0 ||
        replay->logins > 0 || !first)
        return;
    /* Looking at the recording is no event: where it comes first, nothing is due within a second.
     */
    int64_t now_us = rh_replay_virtual(replay, rh_clock_mono().us);
    int64_t next_us = INT64_MAX;
    for (size_t i = 0; i < replay->heap.count; i++) {
        const struct due *it = replay->heap.items[i];
        if (it != &replay->fill_due && it->at_us < next_us)
            next_us = it->at_us;
    }
    if (replay->pending) {
        int64_t event_us = rh_replay_schedule(replay, replay->pending->at_us);
        next_us = event_us < next_us ? event_us : next_us;
    }
    if (next_us == INT64_MAX || next_us - now_us < IDLE_MIN_US)
        return;
    int64_t skipped_us = next_us - now_us - IDLE_KEPT_US;
    replay->skipped_us += skipped_us;
    replay->result->skipped_us += skipped_us;
}

static void on_timer(void *context, unsigned events)
{
    struct replay *replay = context;
    uint64_t expirations;
    (void)events;
    (void)!read(replay->timer_fd, &expirations, sizeof(expirations));
    replay->armed_us = INT64_MIN;
    rh_session_bury(replay);
    int64_t now_us = rh_replay_virtual(replay, rh_clock_mono().us);
    for (struct due *it; (it = rh_due_heap_first(&replay->heap)) && it->at_us <= now_us;) {
        rh_due_heap_remove(&replay->heap, it);
        it->fn(it->context);
    }
    skip_idle(replay);
    rh_replay_rearm(replay);
}

/* --- beginning and end ------------------------------------------------------------------------ */

static void on_fill(void *context)
{
    rh_replay_fill(context);
}

void rh_replay_begin(struct replay *replay, struct mono at)
{
    int64_t now_us = rh_clock_mono().us;
    if (replay->is_begun)
        return;
    replay->is_begun = true;
    replay->zero_us = rh_replay_virtual(replay, at.us > now_us ? at.us : now_us);
    replay->began_us = replay->zero_us - replay->skipped_us;
    rh_due_heap_set(&replay->heap, &replay->fill_due, replay->zero_us);
    rh_replay_rearm(replay);
}

void rh_replay_stop(struct replay *replay)
{
    replay->result->was_ended_early = true;
    rh_loop_stop(replay->loop);
}

struct loop *rh_replay_loop(struct replay *replay)
{
    return replay->loop;
}

void rh_replay_fail(struct replay *replay, const struct err *err)
{
    if (!replay->is_failed)
        replay->failure = *err;
    replay->is_failed = true;
    rh_loop_stop(replay->loop);
}

void rh_replay_give_up(struct replay *replay, const struct err *err)
{
    if (replay->result->login_us.count == 0) {
        rh_replay_fail(replay, err);
        return;
    }
    replay->result->was_ended_early = true;
    replay->result->ended_why = *err;
    rh_loop_stop(replay->loop);
}

static bool are_all_prepared(const struct replay *replay)
{
    for (const struct replay_session *it = replay->sessions; it; it = it->next)
        if (it->state != SESSION_PLAYS && it->state != SESSION_IS_OVER)
            return false;
    return true;
}

void rh_replay_check_end(struct replay *replay)
{
    if (replay->is_prepared && !replay->is_begun && !replay->is_announced &&
        are_all_prepared(replay)) {
        replay->is_announced = true;
        if (replay->options->prepared)
            replay->options->prepared(replay->options->context, replay);
        else
            rh_replay_begin(replay, rh_clock_mono());
    }
    if (replay->source_is_over && replay->live == 0)
        rh_loop_stop(replay->loop);
}

/* --- the whole -------------------------------------------------------------------------------- */

static enum err_code set_up(struct replay *replay, struct mono deadline, struct err *err)
{
    const struct replay_options *options = replay->options;
    struct mono look_until = rh_clock_earlier(deadline, rh_clock_after(rh_clock_mono(), LOOK_US));
    enum err_code code = rh_loop_new(&replay->loop, err);
    if (!code)
        code = rh_dialer_new(replay->loop, &options->target->upstream, &replay->dialer, err);
    if (!code)
        code = rh_replay_look_at_target(replay, look_until, err);
    if (!code)
        code = options->engine->attach(replay->watcher, replay->loop, err);
    if (code)
        return code;
    replay->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (replay->timer_fd < 0)
        return rh_err_set_errno(err, errno, "cannot make a timer");
    code = rh_loop_watch_new(replay->loop, replay->timer_fd, on_timer, replay, &replay->timer_watch,
                             err);
    if (code)
        return code;
    rh_loop_watch_set(replay->timer_watch, LOOP_READABLE);
    replay->hash = rh_arena_alloc_array(replay->arena, HASH_SLOTS, sizeof(struct replay_session *));
    replay->hash_mask = HASH_SLOTS - 1;
    if (!options->keeps_ids)
        replay->ids = rh_id_map_new(options->about->keys.items, options->about->keys.count);
    replay->id_texts = replay->ids ? rh_id_texts_new(replay->ids) : NULL;
    replay->order = rh_commit_order_new(options->patterns, options->pattern_count);
    replay->order_last = &replay->order_first;
    replay->order_due = (struct due){.fn = rh_order_wait_due, .context = replay};
    replay->fill_due = (struct due){.fn = on_fill, .context = replay};
    rh_row_digest_key_init(&replay->digest_key, options->about->digest_key);
    return RH_OK;
}

static void tear_down(struct replay *replay)
{
    for (struct replay_session *it = replay->sessions, *next; it; it = next) {
        next = it->next;
        rh_pg_client_free(it->client);
        it->client = NULL;
        for (struct item *item = it->first, *after; item; item = after) {
            after = item->next;
            rh_item_free(item);
        }
        rh_session_free(it);
    }
    rh_session_bury(replay);
    rh_cancel_free_all(replay);
    rh_commit_order_free(replay->order);
    rh_id_texts_free(replay->id_texts);
    rh_id_map_free(replay->ids);
    rh_due_heap_deinit(&replay->heap);
    if (replay->watcher && replay->loop)
        replay->options->engine->detach(replay->watcher);
    replay->options->engine->close(replay->watcher);
    rh_loop_watch_free(replay->timer_watch);
    rh_dialer_free(replay->dialer);
    rh_loop_free(replay->loop);
    if (replay->timer_fd >= 0)
        close(replay->timer_fd);
}

/* What this thread did, and for how long it waited for a processor (proc(5), schedstat). */
struct busy {
    int64_t at_us, cpu_us, queue_us;
};

static struct busy look_at_clock(void)
{
    struct timespec cpu = {0};
    struct busy busy = {.at_us = rh_clock_mono().us};
    char line[128] = "";
    if (clock_gettime(CLOCK_THREAD_CPUTIME_ID, &cpu) == 0)
        busy.cpu_us = (int64_t)cpu.tv_sec * 1000000 + cpu.tv_nsec / 1000;
    RH_CLEANUP_FD int fd = open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC);
    ssize_t got = fd >= 0 ? read(fd, line, sizeof(line) - 1) : 0;
    struct text rest = {line, got > 0 ? (size_t)got : 0};
    int64_t ran_ns = 0, waited_ns = 0;
    if (rh_text_take_int64(&rest, &ran_ns) && rest.len > 1) {
        rest.data++;
        rest.len--;
        if (rh_text_take_int64(&rest, &waited_ns))
            busy.queue_us = waited_ns / 1000;
    }
    return busy;
}

static void set_busy(struct replay *replay, struct busy before)
{
    struct busy after = look_at_clock();
    int64_t passed_us = after.at_us - before.at_us;
    int64_t busy_us = after.cpu_us - before.cpu_us + after.queue_us - before.queue_us;
    if (passed_us > 0)
        replay->result->busy_share = (double)busy_us / (double)passed_us;
    replay->result->duration_us = replay->began_us ? after.at_us - replay->began_us : 0;
}

static void on_show(void *context)
{
    struct replay *replay = context;
    const struct replay_result *result = replay->result;
    rh_progress_at(
        replay->options->progress, "%lld of %lld s, %lld sessions, %lld requests",
        (long long)(replay->last_event_us / 1000000),
        (long long)(replay->options->totals ? replay->options->totals->duration_us / 1000000 : 0),
        (long long)replay->live, (long long)result->requests);
}

#define SHOW_EVERY_US INT64_C(500000)

static enum err_code play(struct replay *replay, struct mono deadline, struct err *err)
{
    rh_replay_fill_midway(replay);
    replay->is_prepared = true;
    rh_replay_check_end(replay);
    struct busy before = look_at_clock();
    struct loop_timer *show = rh_loop_timer_new(replay->loop, on_show, replay);
    rh_loop_timer_start(show, SHOW_EVERY_US, SHOW_EVERY_US);
    enum err_code code = replay->is_failed ? RH_OK : rh_loop_run(replay->loop, deadline, err);
    rh_loop_timer_free(show);
    if (replay->is_failed) {
        *err = replay->failure;
        code = err->code;
    }
    set_busy(replay, before);
    return code;
}

enum err_code rh_replay_run(const struct replay_options *options, struct mono deadline,
                            struct arena *arena, struct replay_result **ret_result, struct err *err)
{
    struct replay replay = {.options = options,
                            .arena = arena,
                            .result = RH_NEW(arena, struct replay_result),
                            .timer_fd = -1,
                            .armed_us = INT64_MIN,
                            .database = options->database};
    struct replay_result *result = replay.result;
    result->users_replaced = "";
    result->pattern_count = options->pattern_count;
    result->patterns = rh_arena_alloc_array(arena, options->pattern_count + 1,
                                            sizeof(*result->patterns));
    for (size_t i = 0; i <= options->pattern_count; i++)
        result->patterns[i].number = (uint32_t)i;
    enum err_code code = set_up(&replay, deadline, err);
    if (!code)
        code = play(&replay, deadline, err);
    rh_measure_finish(&replay);
    tear_down(&replay);
    if (code == RH_OK)
        *ret_result = result;
    return code;
}
