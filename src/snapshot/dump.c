#include "snapshot/dump_int.h"

#include "base/file.h"
#include "base/interrupt.h"
#include "snapshot/row_files.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

/* The tap answers within the time that a wake-up costs; rows keep coming anyway. */
#define SPIN_US 50
/* How often progress is shown and locks are looked at. */
#define LOOK_EVERY_US INT64_C(500000)
/* What is kept of what pg_dump says: its last words tell why. */
#define WORDS_MAX ((size_t)8 * 1024)
/* pg_dump cancels its workers when it is told to end. */
#define STOP_GRACE_US (2 * INT64_C(1000000))
#define LOCK_ASK_US (30 * INT64_C(1000000))
/* Of asking for what has failed to be cancelled. */
#define CANCEL_MAX_US (2 * INT64_C(1000000))
/* What pg_dump's sessions are called on the server. */
#define DUMP_NAME "rehearse snapshot"
/* Of pg_dump, until the server let it in: as for our own connection. */
#define CONNECT_MAX_S 30

/* --- the command line ------------------------------------------------------------------------ */

struct words {
    struct arena *arena;
    VEC(const char *) items;
};

static void add_word(struct words *words, const char *fmt, ...) RH_PRINTF(2, 3);
static void add_word(struct words *words, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    *RH_PUSH(words->arena, &words->items) = rh_arena_vprintf(words->arena, fmt, args);
    va_end(args);
}

/* Each switch with its reason; what is not here is as pg_dump does it. */
static const char *const *command_line(const struct dump *dump)
{
    const struct dump_options *options = dump->options;
    struct words words = {.arena = dump->arena};

    add_word(&words, "%s", options->program);
    add_word(&words, "--format=directory");
    add_word(&words, "--jobs=%d", options->jobs);
    add_word(&words, "--file=%s", options->archive);
    add_word(&words, "--snapshot=%s", options->facts->snapshot);
    add_word(&words, "--lock-wait-timeout=%" PRId64, options->lock_timeout_us / 1000);
    /* A password is in the environment, or there is none: nobody is asked. */
    add_word(&words, "--no-password");
    /* Of large objects: the least takes a third of the time of the default for a tenth more bytes.
       Rows are compressed on their way (snapshot/row_writer.h). */
    add_word(&words, "--compress=1");
    /* We do, when the rows are where they belong. */
    add_word(&words, "--no-sync");
    /* Places and labels of one installation: a server elsewhere has no such directories and no such
       providers, and the restore would fail for nothing a migration could meet. */
    add_word(&words, "--no-tablespaces");
    add_word(&words, "--no-security-labels");
    /* Their connection strings hold passwords, and a copy must never subscribe to anything.
       Publications stay: a migration can fail for one that names a column. */
    add_word(&words, "--no-subscriptions");
    /* Written by people about anything, customers among it; nothing depends on them. */
    if (!options->keeps_comments)
        add_word(&words, "--no-comments");
    /* A standby has none of their rows: they are not sent there. */
    if (options->facts->is_standby)
        add_word(&words, "--no-unlogged-table-data");
    if (options->no_large_objects)
        add_word(&words, options->program_major >= 16 ? "--no-large-objects" : "--no-blobs");
    /* Most common values and histograms are values of rows, in clear. */
    if (options->program_major >= 18)
        add_word(&words, "--no-statistics");
    *RH_PUSH(words.arena, &words.items) = NULL;
    return words.items.items;
}

/* Ours but for PG*, which would lead elsewhere, and the language, which we read messages in. */
static const char *const *environment(const struct dump *dump)
{
    const struct connection_place *place = dump->options->place;
    struct words words = {.arena = dump->arena};

    for (char **item = environ; *item; item++)
        if (strncmp(*item, "PG", 2) != 0 && strncmp(*item, "LC_", 3) != 0 &&
            strncmp(*item, "LANG", 4) != 0 && strncmp(*item, "REHEARSE_", 9) != 0)
            *RH_PUSH(words.arena, &words.items) = *item;
    add_word(&words, "LC_ALL=C");
    add_word(&words, "PGHOST=%s", dump->options->directory);
    add_word(&words, "PGPORT=%d", TAP_PORT);
    add_word(&words, "PGUSER=%s", place->user);
    add_word(&words, "PGDATABASE=%s", place->database);
    add_word(&words, "PGAPPNAME=" DUMP_NAME);
    add_word(&words, "PGCONNECT_TIMEOUT=%d", CONNECT_MAX_S);
    if (place->password)
        add_word(&words, "PGPASSWORD=%s", place->password);
    /* The same texts for the same values everywhere, so that checksums can be compared. */
    add_word(&words, "PGTZ=UTC");
    /* One process reads a table from its beginning to its end: the copy has production's order of
       rows, which decides what an index scan costs. */
    add_word(&words,
             "PGOPTIONS=%s -c default_transaction_read_only=on -c bytea_output=hex "
             "-c max_parallel_workers_per_gather=0%s",
             place->options ? place->options : "",
             dump->options->facts->checks_client ? " -c client_connection_check_interval=2s" : "");
    *RH_PUSH(words.arena, &words.items) = NULL;
    return words.items.items;
}

/* --- progress, locks ------------------------------------------------------------------------- */

static void keep_most(struct dump *dump, const char *mode, int64_t relations)
{
    for (size_t i = 0; i < dump->locks.count; i++) {
        struct seen_lock *seen = &dump->locks.items[i];

        if (strcmp(seen->mode, mode) != 0)
            continue;
        seen->relations = seen->relations < relations ? relations : seen->relations;
        return;
    }
    *RH_PUSH(dump->arena, &dump->locks) = (struct seen_lock){
        .mode = rh_arena_strdup(dump->arena, mode), .relations = relations};
}

static void on_locks(void *context, struct rows **rows, const struct err *err)
{
    struct dump *dump = context;

    dump->asks_locks = false;
    if (err) { /* with this transaction the snapshot is gone */
        struct err failure = *err;

        rh_err_while(&failure, "while holding the snapshot");
        rh_dump_fail(dump, &failure);
        return;
    }
    for (size_t i = 0; i < rh_rows_count(*rows); i++)
        keep_most(dump, rh_rows_value(*rows, i, 0), rh_rows_int(*rows, i, 1, 0));
}

/* Valid until it is called again. */
static const char *pid_array(struct dump *dump)
{
    struct buf *text = &dump->pids;

    rh_buf_clear(text);
    rh_buf_printf(text, "{%" PRId64, dump->options->engine->backend_pid(dump->options->source));
    for (size_t i = 0; i < dump->backend_pids.count; i++)
        rh_buf_printf(text, ",%" PRId64, dump->backend_pids.items[i]);
    rh_buf_add_str(text, "}");
    return text->data;
}

static void show_progress(const struct dump *dump)
{
    char done[24], whole[24], rows[32];

    rh_bytes_format(dump->copied_bytes, done);
    rh_bytes_format(dump->whole_bytes, whole);
    rh_count_format(dump->copied_rows, rows);
    rh_progress_at(dump->options->progress, "%s rows, %s; tables of %s", rows, done, whole);
}

static void on_changes(void *context, struct rows **rows, const struct err *err)
{
    struct dump *dump = context;
    struct err failure = RH_ERR_INIT;

    if (err) {
        failure = *err;
        rh_err_while(&failure, "while looking for tables that changed");
        rh_dump_fail(dump, &failure);
        return;
    }
    if (rh_rows_count(*rows) > 0) {
        rh_err_set(&failure, RH_ERR_SERVER,
                   "%s was rewritten, truncated or dropped while the dump began",
                   rh_rows_value(*rows, 0, 0));
        rh_err_hint(&failure, "The snapshot does not show its rows any more. Try again when nobody "
                              "changes tables.");
        rh_dump_fail(dump, &failure);
        return;
    }
    dump->first_look = LOOK_DONE;
    rh_dump_resume(dump);
}

/* A server that does not answer this question sends no rows either: nobody would end the dump. */
static void check_silence(struct dump *dump)
{
    struct err failure = RH_ERR_INIT;

    if (!rh_clock_passed(rh_clock_after(dump->asked_locks_at, LOCK_ASK_US)))
        return;
    rh_err_set(&failure, RH_ERR_CONNECTION, "the server does not answer any more");
    rh_err_hint(&failure,
                "Is it, and the network on the way to it, still there? The dump holds "
                "the snapshot open, and nothing came for %d seconds.",
                (int)(LOCK_ASK_US / 1000000));
    rh_err_while(&failure, "while holding the snapshot");
    rh_dump_fail(dump, &failure);
}

static void on_look(void *context)
{
    struct dump *dump = context;
    const struct dump_options *options = dump->options;

    show_progress(dump);
    if (dump->asks_locks) {
        check_silence(dump);
        return;
    }

    const char *pids = pid_array(dump);

    dump->asks_locks = true;
    dump->asked_locks_at = rh_clock_mono();
    options->engine->send_query(options->source, ENGINE_QUERY_SOURCE_LOCKS, &pids, 1, on_locks,
                                dump);
}

void rh_dump_look_first(struct dump *dump)
{
    if (dump->first_look != LOOK_NOT_YET)
        return;
    dump->first_look = LOOK_ASKED;
    on_look(dump);
    dump->options->engine->send_query(dump->options->source, ENGINE_QUERY_SOURCE_CHANGED, NULL, 0,
                                      on_changes, dump);
}

/* --- pg_dump --------------------------------------------------------------------------------- */

static void on_words(void *context, unsigned events)
{
    struct dump *dump = context;
    char bytes[4096];
    ssize_t got = read(dump->output_fd, bytes, sizeof(bytes));

    (void)events;
    if (got <= 0) {
        if (got == 0 || (errno != EAGAIN && errno != EINTR))
            rh_loop_watch_set(dump->output_watch, 0);
        return;
    }
    if (dump->words.len + (size_t)got > WORDS_MAX)
        rh_buf_consume(&dump->words, dump->words.len + (size_t)got - WORDS_MAX);
    rh_buf_add(&dump->words, bytes, (size_t)got);
}

static void on_ended(void *context, unsigned events)
{
    struct dump *dump = context;

    (void)events;
    if (!rh_process_poll(&dump->process))
        return;
    rh_loop_watch_free(dump->process_watch);
    dump->process_watch = NULL;
    rh_loop_stop(dump->loop);
}

static enum err_code open_tap(struct dump *dump, struct err *err)
{
    struct tap_handler handler = rh_dump_handler(dump);
    struct tap_options options = {.upstream = dump->options->upstream};
    enum err_code code;

    if ((code = rh_tap_new(dump->loop, &options, &handler, &dump->tap, err)))
        return code;
    return rh_tap_listen_in(dump->tap, dump->options->directory, err);
}

static enum err_code start(struct dump *dump, struct err *err)
{
    const struct engine *engine = dump->options->engine;
    int ends[2];
    enum err_code code;

    if ((code = rh_loop_new(&dump->loop, err)))
        return code;
    rh_loop_set_spin(dump->loop, SPIN_US);
    if ((code = open_tap(dump, err)) ||
        (code = engine->attach(dump->options->source, dump->loop, err)))
        return code;
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0)
        return rh_err_set_errno(err, errno, "cannot create a pipe");
    dump->output_fd = ends[0];

    struct process_options options = {
        .argv = command_line(dump),
        .env = environment(dump),
        .stdin_fd = -1,
        .stdout_fd = -1,
        .stderr_fd = ends[1],
        .new_group = true,
    };

    code = rh_process_start(&dump->process, &options, err);
    close(ends[1]);
    if (code ||
        (code = rh_loop_watch_new(dump->loop, dump->output_fd, on_words, dump, &dump->output_watch,
                                  err)) ||
        (code = rh_loop_watch_new(dump->loop, dump->process.pidfd, on_ended, dump,
                                  &dump->process_watch, err)))
        return code;
    rh_loop_watch_set(dump->output_watch, LOOP_READABLE);
    rh_loop_watch_set(dump->process_watch, LOOP_READABLE);
    dump->look_timer = rh_loop_timer_new(dump->loop, on_look, dump);
    rh_loop_timer_start(dump->look_timer, LOOK_EVERY_US, LOOK_EVERY_US);
    return RH_OK;
}

/*
 * What the sessions of a dump that failed do on the server would go on until they send something:
 * with a condition that few rows meet, for hours. A number may be somebody else's by now, or come
 * from a pooler: the name tells.
 */
static void cancel_sessions(struct dump *dump)
{
    struct err ignored = RH_ERR_INIT;
    const char *sql = rh_arena_printf(
        dump->arena,
        "SELECT pg_catalog.pg_cancel_backend(pid) FROM pg_catalog.pg_stat_activity "
        "WHERE pid = ANY ('%s'::pg_catalog.int8[]) AND pid <> pg_catalog.pg_backend_pid() "
        "AND application_name = '" DUMP_NAME "' AND state = 'active'",
        pid_array(dump));

    if (dump->backend_pids.count > 0)
        (void)!dump->options->engine->query(dump->options->source, sql, NULL, 0,
                                            rh_clock_after(rh_clock_mono(), CANCEL_MAX_US), NULL,
                                            &ignored);
}

static void dump_deinit(struct dump *dump)
{
    struct tap_statistics statistics = {0};

    if (dump->tap)
        statistics = rh_tap_statistics(dump->tap);
    dump->result.bytes_read = (int64_t)statistics.backend_bytes;
    /* First the connections, so that the server ends what it does for them. */
    rh_tap_free(dump->tap);
    dump->tap = NULL;
    rh_process_stop(&dump->process, SIGTERM, STOP_GRACE_US);
    if (dump->loop)
        dump->options->engine->detach(dump->options->source);
    rh_loop_watch_free(dump->process_watch);
    rh_loop_watch_free(dump->output_watch);
    rh_loop_timer_free(dump->look_timer);
    rh_loop_free(dump->loop);
    dump->loop = NULL;
    rh_fd_closep(&dump->output_fd);
    rh_buf_deinit(&dump->words);
}

/* --- the end --------------------------------------------------------------------------------- */

/* The first line that says what went wrong, "pg_dump: error: ..."; what follows from it comes
   behind
   ("a worker process died unexpectedly"). */
static const char *first_error(const struct dump *dump)
{
    struct text rest = rh_text_trim(rh_buf_text(&dump->words));
    struct text best = {0};

    while (rest.len > 0) {
        const char *newline = memchr(rest.data, '\n', rest.len);
        struct text line = {rest.data, newline ? (size_t)(newline - rest.data) : rest.len};

        if (memmem(line.data, line.len, "error:", 6)) {
            best = line;
            break;
        }
        best = line;
        rest.data += line.len + (newline ? 1 : 0);
        rest.len -= line.len + (newline ? 1 : 0);
    }
    return best.len ? rh_text_dup(dump->arena, best) : NULL;
}

static enum err_code check_end(struct dump *dump, struct err *err)
{
    char status[48];
    const char *words = first_error(dump);

    if (dump->failure.code) {
        *err = dump->failure;
        return err->code;
    }
    if (!dump->process.has_ended)
        return rh_err_set(err, RH_ERR_ENVIRONMENT, "pg_dump did not end");
    if (rh_process_exit_status(&dump->process) != 0) {
        rh_err_set(err, RH_ERR_ENVIRONMENT, "pg_dump failed: %s",
                   words ? words : rh_process_status_text(&dump->process, status));
        if (words)
            rh_err_detail(err, "%s", rh_process_status_text(&dump->process, status));
        if (dump->cut_table)
            rh_err_while(err, "while copying the rows of %s", dump->cut_table);
        return err->code;
    }
    if (dump->cut_table)
        return rh_err_set(err, RH_ERR_PROTOCOL, "pg_dump ended before the rows of %s did",
                          dump->cut_table);
    return RH_OK;
}

/* Tables whose rows should be in the archive by now, and are not. */
static enum err_code check_tables(const struct dump *dump, struct err *err)
{
    const struct catalog *catalog = dump->options->catalog;

    for (size_t i = 0; i < catalog->tables.count; i++) {
        const struct catalog_table *table = &catalog->tables.items[i];
        bool is_expected = table->kind == 'r' && !table->extension &&
                           !(table->is_unlogged && dump->options->facts->is_standby);

        if (is_expected && !dump->result.tables[i].is_dumped)
            return rh_err_set(err, RH_ERR_PROTOCOL, "pg_dump did not ask for the rows of %s",
                              table->identity);
    }
    return RH_OK;
}

static enum err_code place_rows(const struct dump *dump, struct err *err)
{
    const size_t count = dump->options->catalog->tables.count;
    bool *has_rows = rh_arena_alloc_array(dump->arena, count + 1, sizeof(*has_rows));

    for (size_t i = 0; i < count; i++)
        has_rows[i] = dump->result.tables[i].is_dumped;
    return rh_row_files_place(dump->options->archive, has_rows, count, err);
}

/* A last look: everything is locked still, but for a dump that was quicker than the first. */
static enum err_code last_locks(struct dump *dump, struct err *err)
{
    const char *pids = pid_array(dump);
    RH_CLEANUP_ROWS struct rows *rows = NULL;
    enum err_code code = dump->options->engine->ask(
        dump->options->source, ENGINE_QUERY_SOURCE_LOCKS, &pids, 1,
        rh_clock_after(rh_clock_mono(), LOCK_ASK_US), &rows, err);

    if (code) {
        rh_err_while(err, "while holding the snapshot");
        return code;
    }
    for (size_t i = 0; i < rh_rows_count(rows); i++)
        keep_most(dump, rh_rows_value(rows, i, 0), rh_rows_int(rows, i, 1, 0));
    for (size_t i = 0; i < dump->locks.count; i++)
        *RH_PUSH(dump->arena, &dump->result.locks) = rh_arena_printf(
            dump->arena, "%s on %" PRId64 " %s", dump->locks.items[i].mode,
            dump->locks.items[i].relations,
            dump->locks.items[i].relations == 1 ? "relation" : "relations");
    return RH_OK;
}

enum err_code rh_dump(const struct dump_options *options, struct arena *arena,
                      struct dump_result *ret_result, struct err *err)
{
    struct dump dump = {
        .options = options,
        .arena = arena,
        .process = PROCESS_INIT,
        .output_fd = -1,
        .result = {.tables = rh_arena_alloc_array(arena, options->catalog->tables.count + 1,
                                                  sizeof(struct dumped_table)),
                   .encoding = options->catalog->encoding},
    };
    enum err_code code;

    for (size_t i = 0; i < options->catalog->tables.count; i++)
        dump.whole_bytes += options->catalog->tables.items[i].bytes;
    rh_buf_init(&dump.words, WORDS_MAX + 4096);
    rh_buf_init(&dump.pids, (size_t)DUMP_JOBS_MAX * 64);
    code = start(&dump, err);
    if (!code)
        code = rh_loop_run(dump.loop, RH_NEVER, err);
    if (!code) {
        on_words(&dump, LOOP_READABLE);
        code = check_end(&dump, err);
    }
    dump_deinit(&dump);
    if (code)
        cancel_sessions(&dump);
    if (!code)
        code = check_tables(&dump, err);
    if (!code)
        code = place_rows(&dump, err);
    if (!code)
        code = last_locks(&dump, err);
    rh_buf_deinit(&dump.pids);
    if (!code)
        *ret_result = dump.result;
    return code;
}
