#include "rehearsal/rehearsal.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/interrupt.h"
#include "judge/judge.h"
#include "rehearsal/blockers.h"
#include "rehearsal/checks.h"
#include "rehearsal/dry_run.h"
#include "rehearsal/fidelity.h"
#include "rehearsal/rehearsal_int.h"
#include "rehearsal/repetition.h"
#include "rehearsal/risks.h"
#include "rehearsal/scaling.h"
#include "rehearsal/starting_point.h"
#include "rehearsal/states.h"
#include "rehearsal/way_back.h"
#include "rehearsal/workload_stage.h"
#include "trace/trace.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

struct rehearsal *rh_rehearsal_new(const struct rehearsal_options *options)
{
    struct arena *arena = rh_arena_new();
    struct rehearsal *rehearsal = RH_NEW(arena, struct rehearsal);
    rehearsal->arena = rehearsal->result.arena = arena;
    rehearsal->options = options;
    return rehearsal;
}

static enum err_code check_readable(const char *what, const char *path, struct err *err)
{
    if (access(path, R_OK) == 0)
        return RH_OK;
    int saved = errno;
    rh_err_set_errno(err, saved, "cannot read %s \"%s\"", what, path);
    err->code = RH_ERR_USAGE;
    return RH_ERR_USAGE;
}

enum err_code rh_rehearsal_stage_open(struct rehearsal *rehearsal, struct err *err)
{
    const struct rehearsal_options *options = rehearsal->options;
    enum err_code code = rh_migration_open(&options->migration, rehearsal->arena,
                                           &rehearsal->migration, err);
    if (!code)
        code = rh_migration_open_way_back(&rehearsal->migration, options->down, rehearsal->arena,
                                          &rehearsal->way_back, err);
    for (size_t n = 0; !code && n < options->schema_count; n++) {
        code = check_readable("schema", options->schema_paths[n], err);
        if (!code && rh_file_is_directory(options->schema_paths[n])) {
            code = rh_err_set(err, RH_ERR_USAGE, "schema \"%s\" is a directory",
                              options->schema_paths[n]);
            rh_err_hint(err, "Name a file of SQL; a dump in directory format goes to --snapshot.");
        }
    }
    if (!code && options->snapshot_path)
        code = check_readable("snapshot", options->snapshot_path, err);
    if (!code)
        code = rh_fidelity_open(rehearsal, err);
    if (!code && options->dry_run)
        code = rh_dry_run_check_url(options->sandbox.engine, options->dry_run->url,
                                    rehearsal->arena, err);
    if (!code && options->dry_run)
        code = rh_dry_run_check(&rehearsal->migration, rehearsal->arena, err);
    if (!code)
        code = rh_checks_open(options->check_paths, options->check_count, rehearsal->arena,
                              &rehearsal->result.checks, err);
    return code;
}

/* What is rehearsed, as bytes: the same migration gives the same hash in the run's name. */
static struct text name_source(const struct rehearsal *rehearsal)
{
    struct buf digests;
    rh_buf_init(&digests, 64 * (rehearsal->migration.steps.count + 1));
    for (size_t n = 0; n < rehearsal->migration.steps.count; n++)
        rh_buf_add_str(&digests, rehearsal->migration.steps.items[n].sha256);
    struct text source = rh_text(rh_text_dup(rehearsal->arena, rh_buf_text(&digests)));
    rh_buf_deinit(&digests);
    return source;
}

enum err_code rh_rehearsal_stage_prepare(struct rehearsal *rehearsal, struct err *err)
{
    return rh_starting_point_prepare(rehearsal, true, err);
}

enum err_code rh_rehearsal_clone(struct rehearsal *rehearsal, struct sandbox **ret_clone,
                                 struct err *err)
{
    return rh_sandbox_clone_untimed(rehearsal->prepared, ret_clone, err);
}

struct trace_options rh_rehearsal_trace_options(const struct rehearsal *rehearsal,
                                                struct sandbox *clone)
{
    const struct rehearsal_options *options = rehearsal->options;
    return (struct trace_options){
        .sandbox = clone,
        .engine = options->sandbox.engine,
        .migration = &rehearsal->migration,
        .environment = options->environment,
        .no_isolation = options->no_isolation,
        .progress = options->progress,
    };
}

const char *rh_rehearsal_why_once(const struct rehearsal *rehearsal)
{
    return rehearsal->options->no_isolation && rh_migration_has_command(&rehearsal->migration)
               ? "the command runs without isolation: what it does elsewhere it would do again"
               : NULL;
}

const char *rh_rehearsal_why_not_again(const struct rehearsal *rehearsal)
{
    const struct trace *trace = &rehearsal->trace;
    if (trace->server_crashed)
        return "the server died";
    if (trace->interrupted || trace->timed_out)
        return "the run was cut short";
    for (size_t i = 0; i < trace->steps.count; i++)
        if (!trace->steps.items[i].ok)
            return "the migration failed";
    return rh_rehearsal_why_once(rehearsal);
}

/* How like production the copy was; copied, because the sandbox goes before the result does. */
static void fill_fidelity(struct rehearsal *rehearsal)
{
    const struct sandbox_facts *facts = rh_sandbox_facts(rehearsal->sandbox);
    struct fidelity *fidelity = &rehearsal->result.fidelity;

    fidelity->server_version = rh_arena_strdup(rehearsal->arena, facts->server_version);
    fidelity->source = facts->source ? rh_arena_strdup(rehearsal->arena, facts->source) : NULL;
    fidelity->snapshot_age_s = facts->snapshot_age_s;
    fidelity->sample_fraction = 1.0; /* a snapshot that was sampled says so in its own manifest */
    fidelity->relations = facts->relations;
    fidelity->rows = facts->rows;
    fidelity->bytes = facts->bytes;
    fidelity->from_cache = facts->prepared_s >= 0;
    fidelity->prepared_s = facts->prepared_s;
    fidelity->clone_method = facts->clone_method; /* a constant */
    fidelity->clone_note = facts->clone_note ? rh_arena_strdup(rehearsal->arena, facts->clone_note)
                                             : NULL;
    rh_fidelity_fill(rehearsal, facts);
    for (size_t n = 0; n < facts->notes.count; n++)
        rh_result_note(&rehearsal->result, facts->notes.items[n]);
    for (size_t n = 0; n < rehearsal->migration.notes.count; n++)
        rh_result_note(&rehearsal->result, rehearsal->migration.notes.items[n]);

    if (rh_migration_has_command(&rehearsal->migration)) {
        fidelity->isolated = !rehearsal->options->no_isolation;
        if (!fidelity->isolated)
            rh_result_note(&rehearsal->result,
                           "The command ran without isolation: what it did anywhere else than "
                           "in the sandbox was not observed.");
    }
    rh_result_note(&rehearsal->result,
                   "Durations were measured on this machine, with nobody else at work.");
}

static void note_empty_tables(struct rehearsal *rehearsal)
{
    const struct trace *trace = &rehearsal->trace;
    struct buf names;
    rh_buf_init(&names, 4096);
    size_t empty = 0;
    for (size_t n = 0; n < trace->relations.count; n++) {
        if (!trace->relations.items[n].is_empty)
            continue;
        rh_buf_printf(&names, "%s%s", empty ? ", " : "", trace->relations.items[n].name);
        empty++;
    }
    if (empty)
        rh_result_note(&rehearsal->result, rh_arena_printf(rehearsal->arena, "%s empty here: %s.",
                                                           empty == 1 ? "A table it touches was"
                                                                      : "Tables it touches were",
                                                           names.data));
    rh_buf_deinit(&names);
}

static void on_event(void *context, json_t *event)
{
    struct rehearsal *rehearsal = context;
    rh_run_files_event(&rehearsal->files, event);
    if (rehearsal->options->event)
        rehearsal->options->event(rehearsal->options->event_context, event);
}

/* Where the clock or the user ended it: the error of the run, RH_OK when it came to its own end. */
static enum err_code ending_error(struct rehearsal *rehearsal, struct err *err)
{
    const struct trace *trace = &rehearsal->trace;
    if (trace->interrupted || trace->timed_out) {
        struct err why = RH_ERR_INIT;
        enum err_code code = rh_interrupt_check(&why);
        if (!code)
            code = rh_err_set(&why, trace->interrupted ? RH_ERR_INTERRUPTED : RH_ERR_TIMEOUT,
                              trace->interrupted ? "interrupted" : "the time for the run is over");
        *err = why;
        for (size_t n = trace->statements.count; n > 0; n--) {
            const struct statement *statement = &trace->statements.items[n - 1];
            if (statement->finished)
                continue;
            char ran[24];
            rh_duration_format(statement->duration_us, ran);
            rh_err_detail(err, "statement %d had been running for %s: %s", statement->index, ran,
                          rh_text_one_line(rehearsal->arena, rh_text(statement->sql), 100));
            break;
        }
        return code;
    }
    return rh_syntax_error_find(trace, &rehearsal->migration, rehearsal->arena, err);
}

/* `cut`: why the run ended before its end, told by *ending. */
static enum err_code conclude(struct rehearsal *rehearsal, enum err_code cut, struct err *ending,
                              struct err *err)
{
    struct result *result = &rehearsal->result;

    result->rehearse_version = REHEARSE_VERSION;
    result->run_directory = rehearsal->files.directory;
    result->trace = &rehearsal->trace;
    result->limits = rehearsal->options->limits;
    rh_judge(result);

    enum err_code code = cut ? cut : ending_error(rehearsal, ending);
    if (code) {
        result->exit_code = rh_err_exit_status(code);
        if (code == RH_ERR_INTERRUPTED)
            result->exit_code = 128 + rh_interrupt_signal();
        /* A run that did not come to its end proves nothing good. */
        if (code == RH_ERR_SYNTAX || result->verdict == VERDICT_SAFE)
            result->verdict = VERDICT_INCONCLUSIVE;
        result->headline = rh_arena_printf(rehearsal->arena, "could not rehearse to the end: %s",
                                           ending->message);
    }
    rh_run_files_write(&rehearsal->files, result);
    if (code) {
        if (rehearsal->files.directory)
            rh_err_while(ending, "what was seen until then is in %s", rehearsal->files.directory);
        *err = *ending;
    }
    return code;
}

enum err_code rh_rehearsal_conclude(struct rehearsal *rehearsal, struct err *err)
{
    struct err ending = RH_ERR_INIT;

    note_empty_tables(rehearsal);
    return conclude(rehearsal, RH_OK, &ending, err);
}

/* What is read of the candidate before the migration, to be put beside what is read of it after. */
struct before {
    struct states states;
    struct risks_before risks;
};

static enum err_code look_before(struct rehearsal *rehearsal, struct before *before,
                                 struct err *err)
{
    enum err_code code;
    if ((code = rh_starting_point_states(rehearsal, &before->states, err)) ||
        (code = rh_checks_run_before(rehearsal, err)))
        return code;
    return rh_risks_mark(rehearsal, &before->risks, err);
}

/* Of the candidate as the migration left it; then, each on clones of the starting point, what fails
   on these rows, and what coming again or going back would do. */
static enum err_code look_after(struct rehearsal *rehearsal, const struct before *before,
                                struct err *err)
{
    const struct rehearsal_options *options = rehearsal->options;
    struct states after;
    struct err later = RH_ERR_INIT;
    enum err_code code = rh_states_compare(&before->states, rehearsal->sandbox,
                                           options->sandbox.engine, options->progress,
                                           &rehearsal->result, &after, err);
    /* Those that cannot be run any more have to say so. */
    enum err_code checks_code = rh_checks_run_after(rehearsal, code ? &later : err);
    if (code || (code = checks_code) || (code = rh_risks_ask(rehearsal, &before->risks, err)) ||
        (code = rh_blockers_find(rehearsal, err)) || (code = rh_scaling_run(rehearsal, err)) ||
        (code = rh_workload_stage(rehearsal, err)) ||
        (code = rh_way_back_rehearse(rehearsal, &before->states, err)))
        return code;
    return rh_repetition_run(rehearsal, &after, err); /* migrates the candidate again */
}

enum err_code rh_rehearsal_stage_perform(struct rehearsal *rehearsal, struct err *err)
{
    struct result *result = &rehearsal->result;
    struct before before;
    enum err_code code = rh_starting_point_clone(rehearsal, err);
    if (code)
        return code;
    fill_fidelity(rehearsal);
    if ((code = look_before(rehearsal, &before, err)))
        return code;

    struct trace_options trace_options = rh_rehearsal_trace_options(rehearsal, rehearsal->sandbox);
    trace_options.output_path = rehearsal->files.output_path;
    trace_options.event = on_event;
    trace_options.event_context = rehearsal;
    struct mono began = rh_clock_mono();
    result->started_at = rh_clock_wall();
    code = rh_trace_run(&trace_options, rehearsal->arena, &rehearsal->trace, err);
    if (code)
        return code;
    note_empty_tables(rehearsal);
    rh_fidelity_weaken(rehearsal);
    result->trace = &rehearsal->trace;
    result->duration_us = rh_clock_mono().us - began.us;

    struct err ending = RH_ERR_INIT;
    return conclude(rehearsal, look_after(rehearsal, &before, &ending), &ending, err);
}

static void destroy_sandboxes(struct rehearsal *rehearsal)
{
    rh_sandbox_destroy(rehearsal->sandbox);
    rehearsal->sandbox = NULL;
    if (!rehearsal->has_lent_prepared)
        rh_sandbox_destroy(rehearsal->prepared);
    rehearsal->prepared = NULL;
}

/* The verdict stands whether or not the sandbox can be kept (its server may have crashed). */
static void keep(struct rehearsal *rehearsal)
{
    const char *url, *stop_command;
    struct err err = RH_ERR_INIT;
    if (rh_sandbox_keep(rehearsal->sandbox, &url, &stop_command, &err)) {
        rh_progress_note(rehearsal->options->progress, "note: the sandbox is not kept: %s",
                         err.message);
        return;
    }
    rehearsal->kept_url = rh_arena_strdup(rehearsal->arena, url);
    rehearsal->kept_stop_command = rh_arena_strdup(rehearsal->arena, stop_command);
}

enum err_code rh_rehearsal_run(const struct rehearsal_options *options,
                               struct rehearsal **ret_rehearsal, const struct result **ret_result,
                               struct err *err)
{
    rh_sandbox_reap(&options->sandbox);

    struct rehearsal *rehearsal = rh_rehearsal_new(options);
    enum err_code code = rh_rehearsal_stage_open(rehearsal, err);
    if (!code)
        code = rh_run_files_open(options->out_directory, name_source(rehearsal), rehearsal->arena,
                                 options->progress, &rehearsal->files, err);
    if (!code && options->dry_run) {
        code = rh_dry_run_stage(rehearsal, err);
    } else {
        if (!code)
            code = rh_rehearsal_stage_prepare(rehearsal, err);
        if (!code)
            code = rh_rehearsal_stage_perform(rehearsal, err);
    }

    rh_run_files_close(&rehearsal->files);
    if (!code && options->keep)
        keep(rehearsal);
    destroy_sandboxes(rehearsal);
    rh_progress_end(options->progress);
    if (code) {
        rh_rehearsal_free(rehearsal);
        return code;
    }
    *ret_rehearsal = rehearsal;
    *ret_result = &rehearsal->result;
    return RH_OK;
}

const char *rh_rehearsal_kept_url(const struct rehearsal *rehearsal)
{
    return rehearsal->kept_url;
}

const char *rh_rehearsal_kept_stop_command(const struct rehearsal *rehearsal)
{
    return rehearsal->kept_stop_command;
}

void rh_rehearsal_free(struct rehearsal *rehearsal)
{
    if (!rehearsal)
        return;
    rh_run_files_close(&rehearsal->files);
    destroy_sandboxes(rehearsal);
    for (size_t n = 0; n < rehearsal->result.findings.count; n++)
        json_decref(rehearsal->result.findings.items[n].evidence);
    rh_arena_free(rehearsal->arena);
}
