#include "cmd/cli.h"
#include "cmd/run_options.h"
#include "cmd/transform_option.h"
#include "cmd/workload_rows.h"

#include "base/file.h"
#include "base/interrupt.h"
#include "base/say.h"
#include "rehearsal/production_target.h"
#include "replay/replay_json.h"
#include "replay/samples.h"
#include "replay/transformed.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#define GROUP_TARGET "Target"
#define GROUP_PACE "Pace"
#define GROUP_SESSIONS "Sessions"
#define CONNECT_MAX_US (60 * INT64_C(1000000))
/* A reader of samples that does not read any more keeps us no longer. */
#define FLUSH_MAX_US (10 * INT64_C(1000000))
/* Patterns in the table of the terminal. */
#define SHOWN_MAX 20
#define QUERY_COLUMNS 60

static const struct option rows[] = {
    {
        .name = "to",
        .kind = OPTION_TEXT,
        .value_name = "URL",
        .group = GROUP_TARGET,
        .is_common = true,
        .not_in_file = true,
        .help = "The database to replay on; never production.",
        .details = "A URL or connection string as libpq takes them, TLS settings included. "
                   "Passwords are better in ~/.pgpass than on the command line. PG* variables are "
                   "not looked at. A database that the configuration or it itself declares "
                   "production is refused, as for \"rehearse run --rollback\".",
    },
    {
        .name = "read-only",
        .kind = OPTION_FLAG,
        .group = GROUP_TARGET,
        .is_common = true,
        .help = "Leave out what writes.",
        .details = "Told by the parse tree, locking clauses included; and every session's "
                   "transactions are read only, for what the parser cannot know.",
    },
    OPTION_ROW_TRANSFORM(GROUP_TARGET, "Send what the new release sends in its place."),
    {
        .name = "recorded-ids",
        .kind = OPTION_FLAG,
        .group = GROUP_TARGET,
        .help = "Send generated ids as they were recorded.",
        .details = "Without it an id that a sequence gave while it was recorded becomes, in later "
                   "statements of all sessions, the one that the target gave in its place.",
    },
    {
        .name = "database",
        .kind = OPTION_TEXT,
        .value_name = "NAME",
        .group = GROUP_SESSIONS,
        .help = "Replay the sessions of this recorded database.",
        .details = "Without it: of the one that the first session used. All go to the database "
                   "that --to names.",
    },
    {
        .name = "user-map",
        .kind = OPTION_PAIRS,
        .value_name = "RECORDED=ROLE",
        .group = GROUP_SESSIONS,
        .help = "Sessions of this user log in as that role.",
        .details = "Without it each session logs in as the role of the same name, with the "
                   "password that --to has, if any; where that role cannot log in, as the one of "
                   "--to, which the result tells.",
    },
    {
        .name = "max-sessions",
        .kind = OPTION_COUNT,
        .value_name = "N",
        .group = GROUP_SESSIONS,
        .help = "At most so many sessions at once; the others are left out.",
        .details = "A session is replayed whole or not at all. Without it a workload with more "
                   "sessions at once than the target has room for is refused.",
    },
    {
        .name = "speed",
        .kind = OPTION_TEXT,
        .value_name = "FACTOR",
        .default_text = "1",
        .group = GROUP_PACE,
        .is_common = true,
        .help = "From 0.1 to 100 times as fast, or max.",
        .details = "Requests go when the recording says, whether the server keeps up or not. With "
                   "max each goes as soon as its session and the order of commits let it.",
    },
    {
        .name = "skip-idle",
        .kind = OPTION_FLAG,
        .group = GROUP_PACE,
        .help = "Pass over time in which nothing happened.",
        .details = "Once all earlier requests are answered.",
    },
    {
        .name = "order-wait",
        .kind = OPTION_DURATION,
        .value_name = "DURATION",
        .default_text = "5s",
        .group = GROUP_PACE,
        .help = "How long a statement waits for commits that it had seen in the recording.",
        .details = "Commits of other sessions to tables that it reads or writes. Ended early where "
                   "it holds a lock that somebody waits for; how often that was is told. 0: the "
                   "order between sessions is not kept.",
    },
    OPTION_ROW_WORKLOAD_KEY,
    {
        .name = "out",
        .kind = OPTION_PATH,
        .value_name = "FILE",
        .group = GROUP_OUTPUT,
        .is_common = true,
        .help = "Write the result as JSON to this file.",
    },
    OPTION_ROW_JSON_OBJECT("REHEARSE_JSON", "The result as JSON on standard output."),
    {
        .name = "samples-fd",
        .kind = OPTION_COUNT,
        .value_name = "N",
        .group = GROUP_OUTPUT,
        .not_in_file = true,
        .help = "Write every execution to this file descriptor.",
        .details = "As records of bytes, for a program that started this one (docs/replay.md).",
    },
    {
        .name = "gate-fd",
        .kind = OPTION_COUNT,
        .value_name = "N",
        .group = GROUP_PACE,
        .not_in_file = true,
        .help = "Begin when this file descriptor says so.",
        .details = "Sessions from before the recording are opened first; then eight bytes are "
                   "read, the beginning in microseconds of the monotonic clock, least significant "
                   "byte first. Eight more bytes, any, end the replay.",
    },
    OPTION_ROW_QUIET,
    OPTION_ROW_TIMEOUT,
    OPTION_ROW_CONFIG,
    OPTION_ROW_NO_CONFIG,
};

/* --- what is given ---------------------------------------------------------------------------- */

struct job {
    const struct options *options;
    struct arena *arena;
    struct replay_options replay;
    struct url_upstream upstream;
    struct workload_reader *reader;
    struct transform_survey survey; /* without a path in its summary: no rules */
    struct transformed_source *transformed;
    struct sample_writer samples;
    bool has_samples;
    int gate_fd;
    struct loop_watch *gate_watch;
    struct replay *running;
    uint8_t gate[8];
    size_t gate_length;
    bool has_begun;
};

static enum err_code open_workload(struct job *job, struct err *err)
{
    const char *path = NULL;
    enum err_code code = rh_workload_named(job->options, &path, err);

    if (!code)
        code = rh_workload_open(job->options, path, &job->reader, err);
    if (!code)
        code = rh_workload_reader_need_executions(job->reader, err);
    if (code)
        return code;
    size_t count = rh_workload_reader_pattern_count(job->reader);
    const struct workload_pattern **patterns = rh_arena_alloc_array(job->arena, count + 1,
                                                                    sizeof(*patterns));
    for (size_t i = 0; i < count; i++)
        patterns[i] = rh_workload_reader_pattern(job->reader, (uint32_t)(i + 1));
    job->replay.patterns = patterns;
    job->replay.pattern_count = count;
    job->replay.source = rh_workload_reader_source(job->reader);
    job->replay.about = rh_workload_reader_about(job->reader);
    job->replay.totals = rh_workload_reader_totals(job->reader);
    return RH_OK;
}

/* The recording's statements to those of the new release. */
static enum err_code open_transform(struct job *job, struct err *err)
{
    const struct transform *transform = NULL;
    size_t count = job->replay.pattern_count;
    const struct workload_pattern_sums **sums = rh_arena_alloc_array(job->arena, count + 1,
                                                                     sizeof(*sums));
    enum err_code code = rh_transform_option_read(job->options, &transform, err);

    if (code || !transform)
        return code;
    for (size_t i = 0; i < count; i++)
        sums[i] = rh_workload_reader_sums(job->reader, (uint32_t)(i + 1));
    code = rh_transform_survey(transform, job->replay.patterns, sums, count, job->arena,
                               &job->survey, err);
    if (code)
        return code;
    job->transformed = rh_transformed_source_new(transform, job->replay.source);
    job->replay.source = rh_transformed_source(job->transformed);
    return RH_OK;
}

static void read_users(struct job *job)
{
    size_t count = 0;
    const char *const *pairs = rh_option_list(job->options, "user-map", &count);
    struct replay_user *users = rh_arena_alloc_array(job->arena, count + 1, sizeof(*users));

    for (size_t i = 0; i < count; i++) {
        size_t length = strcspn(pairs[i], "=");
        users[i] = (struct replay_user){rh_arena_strndup(job->arena, pairs[i], length),
                                        pairs[i] + length + 1};
    }
    job->replay.users = users;
    job->replay.user_count = count;
}

static enum err_code check_target(struct job *job, const struct options *settings, struct err *err)
{
    const char *url = rh_option_text(job->options, "to");
    struct production_patterns patterns = {0};
    enum err_code code;

    if (!url) {
        rh_err_set(err, RH_ERR_USAGE, "--to is missing: where the workload is replayed");
        rh_err_hint(err, "Name a throw-away or staging database: --to "
                         "postgresql://user@host/database.");
        return RH_ERR_USAGE;
    }
    patterns.items = rh_option_list(settings, "production", &patterns.count);
    code = rh_production_target_check(
        job->replay.engine, url, &patterns, job->replay.is_read_only,
        "A replay sends what clients of the recorded database sent. Name a throw-away or staging "
        "database in --to.",
        rh_clock_after(rh_clock_mono(), CONNECT_MAX_US), job->arena, &job->replay.place, err);
    if (!code)
        code = job->replay.engine->describe_upstream(url, job->arena, &job->upstream, err);
    if (code)
        rh_err_while(err, "while looking at --to");
    job->replay.target = &job->upstream;
    return code;
}

/* --- gate and samples ------------------------------------------------------------------------- */

/* Eight bytes say when it begins; eight more that it ends. */
static void on_gate(void *context, unsigned events)
{
    struct job *job = context;
    struct err err = RH_ERR_INIT;
    ssize_t got = read(job->gate_fd, job->gate + job->gate_length,
                       sizeof(job->gate) - job->gate_length);
    int64_t at_us = 0;

    (void)events;
    if (got < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    if (got <= 0) {
        rh_loop_watch_free(job->gate_watch);
        job->gate_watch = NULL;
        if (job->has_begun)
            return;
        rh_err_set(&err, RH_ERR_IO, "file descriptor %d ended before it said when to begin",
                   job->gate_fd);
        rh_replay_fail(job->running, &err);
        return;
    }
    job->gate_length += (size_t)got;
    if (job->gate_length < sizeof(job->gate))
        return;
    job->gate_length = 0;
    if (job->has_begun) {
        rh_replay_stop(job->running);
        return;
    }
    for (size_t i = sizeof(job->gate); i > 0; i--)
        at_us = at_us << 8 | job->gate[i - 1];
    job->has_begun = true;
    rh_replay_begin(job->running, (struct mono){at_us});
}

static void on_prepared(void *context, struct replay *replay)
{
    struct job *job = context;
    struct err err = RH_ERR_INIT;

    job->running = replay;
    if (job->has_samples)
        rh_sample_writer_prepared(&job->samples);
    if (job->gate_fd < 0) {
        rh_replay_begin(replay, rh_clock_mono());
        return;
    }
    if (rh_loop_watch_new(rh_replay_loop(replay), job->gate_fd, on_gate, job, &job->gate_watch,
                          &err)) {
        rh_replay_fail(replay, &err);
        return;
    }
    rh_loop_watch_set(job->gate_watch, LOOP_READABLE);
}

static void on_executed(void *context, const struct replay_execution *execution)
{
    struct job *job = context;

    rh_sample_writer_add(&job->samples, execution);
}

/* --- what came of it -------------------------------------------------------------------------- */

static int compare_totals(const void *a, const void *b)
{
    const struct replay_pattern *const *x = a, *const *y = b;
    int64_t left = (*x)->service_us ? (*x)->service_us->sum : 0;
    int64_t right = (*y)->service_us ? (*y)->service_us->sum : 0;

    return left > right ? -1 : left < right;
}

static void show_time(const struct histogram *histogram, double level, struct buf *out)
{
    char text[24] = "-";

    if (histogram)
        rh_duration_format(rh_histogram_quantile(histogram, level), text);
    rh_buf_printf(out, " %9s", text);
}

static void show_patterns(const struct job *job, const struct replay_result *result,
                          struct buf *out)
{
    struct arena *arena = job->arena;
    VEC(const struct replay_pattern *) called = {0};

    for (size_t i = 0; i <= result->pattern_count; i++)
        if (result->patterns[i].calls > 0)
            *RH_PUSH(arena, &called) = &result->patterns[i];
    if (called.count == 0)
        return;
    qsort(called.items, called.count, sizeof(*called.items), compare_totals);
    rh_buf_printf(out, "\n%9s %9s %9s %9s %9s %7s  %s\n", "calls", "p50", "p95", "p99", "resp. p99",
                  "errors", "query");
    for (size_t i = 0; i < called.count && i < SHOWN_MAX; i++) {
        const struct replay_pattern *it = called.items[i];
        const char *query = it->number ? job->replay.patterns[it->number - 1]->query
                                       : "(of no pattern)";
        rh_buf_printf(out, "%9s", rh_say_number(arena, it->calls));
        show_time(it->service_us, 0.5, out);
        show_time(it->service_us, 0.95, out);
        show_time(it->service_us, 0.99, out);
        show_time(it->response_us, 0.99, out);
        rh_buf_printf(out, " %7s  %s\n",
                      rh_say_number(arena, it->errors_new + it->errors_as_recorded),
                      rh_text_one_line(arena, rh_text(query), QUERY_COLUMNS));
    }
    if (called.count > SHOWN_MAX)
        rh_buf_printf(out, "... and %s more\n",
                      rh_say_number(arena, (int64_t)called.count - SHOWN_MAX));
}

static void show_gaps(const struct job *job, const struct replay_result *result, struct buf *out)
{
    bool is_first = true;

    for (enum replay_gap gap = 0; gap < REPLAY_GAPS; gap++) {
        if (result->gaps[gap] == 0)
            continue;
        rh_buf_printf(out, "%s%s: %s\n", is_first ? "\nNot as recorded:\n  " : "  ",
                      rh_say_number(job->arena, result->gaps[gap]), rh_replay_gap_text(gap));
        is_first = false;
    }
    if (result->users_replaced[0])
        rh_buf_printf(out, "  replaced users: %s\n", result->users_replaced);
}

static void show_transform(const struct job *job, struct buf *out)
{
    const struct transformation *summary = &job->survey.summary;
    struct arena *arena = job->arena;

    for (size_t i = 0; i < summary->rules.count; i++)
        rh_buf_printf(out, "%s: %s, %s\n", summary->rules.items[i].text,
                      rh_say_count(arena, summary->rules.items[i].patterns, "pattern"),
                      rh_say_count(arena, summary->rules.items[i].calls, "call"));
    for (size_t i = 0; i < summary->refusals.count; i++)
        rh_buf_printf(out, "sent as it was: %016" PRIx64 ", %s: %s\n",
                      summary->refusals.items[i].fingerprint,
                      rh_say_count(arena, summary->refusals.items[i].calls, "call"),
                      summary->refusals.items[i].why);
    if (summary->unparsed_patterns > 0)
        rh_buf_printf(out, "sent as they were, because the parser does not know them: %s\n",
                      rh_say_count(arena, summary->unparsed_patterns, "pattern"));
}

static void show(const struct job *job, const struct replay_result *result, struct buf *out)
{
    struct arena *arena = job->arena;
    char duration[24], waited[24];

    rh_duration_format(result->duration_us, duration);
    rh_duration_format(result->order_wait_us, waited);
    rh_buf_printf(out, "replayed %s and %s on %s (PostgreSQL %s) in %s\n",
                  rh_say_count(arena, result->sessions, "session"),
                  rh_say_count(arena, result->executions, "execution"), job->replay.place,
                  result->server_version, duration);
    rh_buf_printf(
        out, "errors: %s as recorded, %s new, %s resolved; cancelled: %s\n",
        rh_say_number(arena, result->errors_as_recorded), rh_say_number(arena, result->errors_new),
        rh_say_number(arena, result->errors_resolved), rh_say_number(arena, result->cancelled));
    if (result->order_waits > 0)
        rh_buf_printf(out, "commit order: %s waited, %s together; %s gave up, %s held a lock\n",
                      rh_say_count(arena, result->order_waits, "statement"), waited,
                      rh_say_number(arena, result->order_escapes_deadline),
                      rh_say_number(arena, result->order_escapes_lock));
    if (result->ids_learned > 0 || result->ids_unknown > 0)
        rh_buf_printf(
            out, "generated ids: %s told by the target, %s in later statements; %s unknown\n",
            rh_say_number(arena, result->ids_learned), rh_say_number(arena, result->ids_mapped),
            rh_say_number(arena, result->ids_unknown));
    if (result->is_replayer_bound)
        rh_buf_printf(out,
                      "replayer-bound: the replay itself was busy %.0f %% of the time, and "
                      "%.1f %% of the response time is its own lateness; the times below are "
                      "not the server's\n",
                      100 * result->busy_share, 100 * result->late_share);
    if (result->ended_why.code)
        rh_buf_printf(out, "ended early: the target lets nobody in any more: %s\n",
                      result->ended_why.message);
    show_transform(job, out);
    show_gaps(job, result, out);
    show_patterns(job, result, out);
}

static enum err_code write_result(const struct job *job, const struct replay_result *result,
                                  struct err *err)
{
    const char *path = rh_option_text(job->options, "out");
    json_t *json = rh_replay_json(&job->replay, result);
    enum err_code code = RH_OK;

    if (json_object_set_new(json, "transform", rh_transformation_to_json(&job->survey.summary)) !=
        0)
        RH_PANIC("cannot set \"transform\" in a JSON object");

    if (path) {
        char *text = json_dumps(json, JSON_INDENT(2));
        code = text ? rh_file_write(path, rh_text(text), 0600, err)
                    : rh_err_set(err, RH_ERR_FORMAT, "cannot write the result as JSON");
        free(text);
    }
    if (!code && rh_option_flag(job->options, "json"))
        code = rh_cli_write_json(json, err);
    json_decref(json);
    return code;
}

/* --- the whole -------------------------------------------------------------------------------- */

static enum err_code read_options(struct job *job, const struct options *settings, struct err *err)
{
    const struct options *options = job->options;
    int64_t samples_fd = rh_option_number(options, "samples-fd", -1);
    int64_t order_wait_us = rh_option_number(options, "order-wait", 0);
    enum err_code code = rh_workload_speed(options, true, &job->replay.speed, err);

    job->replay.engine = &rh_engine_postgres;
    job->replay.keeps_ids = rh_option_flag(options, "recorded-ids");
    job->replay.is_read_only = rh_option_flag(options, "read-only");
    job->replay.skips_idle = rh_option_flag(options, "skip-idle");
    job->replay.max_sessions = (size_t)rh_option_number(options, "max-sessions", 0);
    job->replay.database = rh_option_text(options, "database");
    job->replay.order_wait_us = order_wait_us > 0 ? order_wait_us : -1;
    job->replay.prepared = on_prepared;
    job->replay.context = job;
    job->gate_fd = (int)rh_option_number(options, "gate-fd", -1);
    read_users(job);
    if (!code && samples_fd >= 0) {
        code = rh_sample_writer_init(&job->samples, (int)samples_fd, err);
        job->has_samples = true;
        job->replay.executed = on_executed;
    }
    if (!code)
        code = open_workload(job, err);
    if (!code)
        code = open_transform(job, err);
    return code ? code : check_target(job, settings, err);
}

static enum err_code run_job(struct job *job, const struct options *settings, struct err *err)
{
    struct replay_result *result = NULL;
    enum err_code code = read_options(job, settings, err);

    if (code)
        return code;
    rh_progress_phase(job->replay.progress, "replay");
    code = rh_replay_run(&job->replay, RH_NEVER, job->arena, &result, err);
    rh_progress_end(job->replay.progress);
    if (job->has_samples)
        rh_sample_writer_flush(&job->samples, rh_clock_after(rh_clock_mono(), FLUSH_MAX_US));
    if (!code)
        code = write_result(job, result, err);
    if (code || rh_option_flag(job->options, "json") || rh_option_flag(job->options, "quiet"))
        return code;
    RH_CLEANUP_BUF struct buf out;
    rh_buf_init(&out, OUTPUT_MAX_BYTES);
    show(job, result, &out);
    return rh_cli_write(rh_buf_text(&out), err);
}

static int run(const struct options *parsed)
{
    struct options options = *parsed, settings;
    struct err err = RH_ERR_INIT;
    struct job job = {.options = &options, .arena = options.arena, .gate_fd = -1};
    int status = rh_run_options_read(&options, true, &settings, NULL);

    if (status)
        return status;
    if (rh_options_apply_environment(&options, (const char *const *)environ, &err))
        return rh_cli_fail(&err);
    rh_options_apply_defaults(&options);
    job.replay.progress = rh_run_begin(&options);
    enum err_code code = run_job(&job, &settings, &err);
    rh_progress_free(job.replay.progress);
    rh_transformed_source_free(job.transformed);
    rh_workload_reader_free(job.reader);
    if (job.has_samples)
        rh_sample_writer_deinit(&job.samples);
    return code ? rh_cli_fail(&err) : 0;
}

static const char *const usage[] = {"rehearse replay WORKLOAD --to URL [--speed FACTOR|max]", NULL};
static const char *const description[] = {
    "Plays a workload again on another database: every session with its messages as its client "
    "sent them, at the recorded times or faster, with the order of transactions, prepared "
    "statements, parameters, pipelines, COPY and cancel requests. It tells how long each pattern "
    "of queries took, what failed that had not failed before, and which results differ.",
    "It writes what the clients wrote, so it wants a throw-away copy (or --read-only), and refuses "
    "production.",
    NULL};
static const char *const examples[] = {
    "rehearse replay app.workload --to postgresql://app@staging/shop",
    "rehearse replay app.workload --to postgresql:///shop?host=/tmp --speed max",
    "rehearse replay app.workload --to postgresql://app@standby/shop --read-only", NULL};

const struct command rh_command_replay = {
    .name = "replay",
    .summary = "play a workload again on another database",
    .usage = usage,
    .description = description,
    .examples = examples,
    .options = rows,
    .option_count = sizeof(rows) / sizeof(*rows),
    .positional_name = "WORKLOAD",
    .positional_max = 1,
    .run = run,
};
