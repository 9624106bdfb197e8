#include "workload/import.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/interrupt.h"
#include "sql/split.h"
#include "workload/log_reader.h"
#include "workload/log_statements.h"
#include "workload/pgbench_script.h"

#define SQL_FILE_BYTES_MAX ((size_t)64 * 1024 * 1024)
/* A file of SQL has no times: a statement each millisecond, one after the other. */
#define SQL_STEP_US 1000

struct import {
    const struct import_options *options;
    struct arena *arena;
    struct import_maker *maker;
    struct import_report *report;
    enum workload_origin origin;
};

static const char *directory_of(struct arena *arena, const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash == NULL
               ? "."
               : rh_arena_strndup(arena, path, slash == path ? 1 : (size_t)(slash - path));
}

static void add_note(struct import *import, const char *note)
{
    *RH_PUSH(import->arena, &import->report->totals.fidelity.notes) = note;
}

/* --- logs ------------------------------------------------------------------------------------- */

static enum err_code choose_form(struct import *import, enum log_form *ret_form,
                                 const struct log_prefix **ret_prefix, struct err *err)
{
    const struct import_options *options = import->options;
    const char *guessed = NULL;
    enum err_code code = rh_log_guess(options->paths[0], import->arena, ret_form, &guessed, err);
    if (code != RH_OK)
        return code;
    if (options->format == IMPORT_CSVLOG)
        *ret_form = LOG_CSV;
    else if (options->format == IMPORT_JSONLOG)
        *ret_form = LOG_JSON;
    else if (options->format == IMPORT_STDERR || options->prefix != NULL)
        *ret_form = LOG_STDERR;
    *ret_prefix = NULL;
    if (*ret_form != LOG_STDERR)
        return RH_OK;
    const char *prefix = options->prefix != NULL ? options->prefix : guessed;
    if (prefix != NULL)
        *ret_prefix = rh_log_prefix(import->arena, prefix);
    if (options->prefix == NULL)
        import->report->prefix = guessed;
    if (*ret_prefix == NULL) {
        rh_err_set(err, RH_ERR_USAGE,
                   prefix == NULL
                       ? "the beginning of lines in \"%s\" is not understood"
                       : "the log_line_prefix for \"%s\" tells no time (%%m, %%t or %%n)",
                   options->paths[0]);
        rh_err_hint(err, "Give the server's log_line_prefix: --prefix '%%m [%%p] %%q%%u@%%d '.");
        return err->code;
    }
    return RH_OK;
}

static enum err_code read_log(const char *path, enum log_form form, const struct log_prefix *prefix,
                              struct log_statements *statements, struct log_reader_counts *counts,
                              struct err *err)
{
    struct log_reader *reader = NULL;
    const struct log_record *record = NULL;
    enum err_code code = rh_log_reader_open(path, form, prefix, counts, &reader, err);
    do {
        if (code == RH_OK)
            code = rh_log_reader_next(reader, &record, err);
        if (code == RH_OK && record != NULL)
            code = rh_log_statements_add(statements, record, err);
    } while (code == RH_OK && record != NULL);
    rh_log_reader_free(reader);
    return code;
}

static void grade_log(struct import *import, const struct log_statement_counts *counts,
                      const struct log_reader_counts *lines)
{
    struct workload_totals *totals = &import->report->totals;
    totals->fidelity = (struct workload_fidelity){
        .order = GRADE_PARTIAL,
        .types = GRADE_ABSENT,
        .parameters = counts->parameters_cut > 0 ? GRADE_PARTIAL : GRADE_EXACT,
        .timing = counts->without_duration == 0 && counts->has_fractions ? GRADE_EXACT
                                                                         : GRADE_PARTIAL,
        .transactions = counts->transactions > 0 ? GRADE_EXACT : GRADE_PARTIAL,
        .copy = GRADE_ABSENT,
    };
    add_note(import, "a log has no result, no row count, no type of a parameter and no batch: "
                     "parameters are sent as text of unknown type, each execution by itself");
    if (!counts->has_fractions)
        add_note(import, "the log counts whole seconds: statements of different sessions within "
                         "one are in the order of the log");
    if (counts->without_duration > 0)
        add_note(import, "durations are missing (log_duration, log_min_duration_statement): those "
                         "statements count as no time");
    if (counts->parameters_cut > 0)
        add_note(import, "parameters end in \"...\": log_parameter_max_length has cut them");
    if (counts->unknown_sqlstate > 0)
        add_note(import, "the log has no SQLSTATE (%e in log_line_prefix): XXXXX stands for those "
                         "that the message does not tell");
    /* A threshold leaves nothing below it. */
    bool has_all = counts->announced > 0 || (counts->shortest_us >= 0 && counts->shortest_us < 500);
    if (!has_all)
        add_note(import, "the log seems to have slow statements alone "
                         "(log_min_duration_statement): the others are missing");
    if (counts->transactions == 0)
        add_note(import, "no BEGIN was logged: each statement is a transaction of its own here");
    totals->is_complete = has_all;
    rh_import_gap(import->maker, "parameters-cut", counts->parameters_cut,
                  "by log_parameter_max_length");
    rh_import_gap(import->maker, "lines-not-understood", lines->strange,
                  "they belong to no record of the log");
    rh_import_gap(import->maker, "records-cut", lines->cut, "longer than 16 MB, which are left out");
}

static enum err_code import_logs(struct import *import, struct err *err)
{
    enum log_form form;
    const struct log_prefix *prefix;
    struct log_reader_counts lines = {0};
    enum err_code code = choose_form(import, &form, &prefix, err);
    if (code != RH_OK)
        return code;
    static const enum workload_origin origins[] = {
        [LOG_STDERR] = WORKLOAD_STDERR_LOG,
        [LOG_CSV] = WORKLOAD_CSV_LOG,
        [LOG_JSON] = WORKLOAD_JSON_LOG,
    };
    import->origin = origins[form];
    struct log_statements *statements = rh_log_statements_new(import->maker);
    for (size_t i = 0; i < import->options->path_count && code == RH_OK; i++)
        code = read_log(import->options->paths[i], form, prefix, statements, &lines, err);
    if (code == RH_OK)
        code = rh_log_statements_finish(statements, err);
    if (code == RH_OK)
        grade_log(import, rh_log_statements_counts(statements), &lines);
    if (code == RH_OK && rh_log_statements_counts(statements)->statements == 0) {
        rh_err_set(err, RH_ERR_USAGE, "there is no statement in \"%s\"", import->options->paths[0]);
        rh_err_detail(err, "%lld lines, %lld records", (long long)lines.lines,
                      (long long)lines.records);
        rh_err_hint(err,
                    "Have the server log them (log_min_duration_statement = 0, or log_statement"
                    " = 'all' with log_duration); --format and --prefix say how it is read.");
        code = err->code;
    }
    import->report->lines = lines.lines;
    import->report->strange_lines = lines.strange;
    rh_log_statements_free(statements);
    return code;
}

/* --- files of SQL ----------------------------------------------------------------------------- */

static enum err_code import_script(struct import *import, const char *path, size_t number,
                                   struct err *err)
{
    struct text content;
    struct sql_script script;
    enum err_code code = rh_file_read(path, SQL_FILE_BYTES_MAX, import->arena, &content, err);
    if (code != RH_OK)
        return code;
    if (memchr(content.data, '\0', content.len) != NULL)
        return rh_err_set(err, RH_ERR_USAGE, "\"%s\" is not a file of SQL", path);
    rh_sql_split(content, import->arena, &script);
    struct import_who who = {.key = rh_arena_printf(import->arena, "%zu", number),
                             .user = "",
                             .database = "",
                             .application_name = path};
    int64_t at_us = SQL_STEP_US;
    struct import_session *session = rh_import_session(import->maker, &who, at_us, false);
    for (int64_t round = 0; round < import->options->repeat; round++) {
        for (size_t i = 0; i < script.statements.count && code == RH_OK; i++) {
            struct import_statement statement = {.query = script.statements.items[i].text,
                                                 .name = "",
                                                 .begun_at_us = at_us,
                                                 .ended_at_us = at_us,
                                                 .sqlstate = ""};
            code = rh_import_statement(import->maker, session, &statement, err);
            at_us += SQL_STEP_US;
        }
        if (rh_interrupt_signal() != 0)
            return rh_err_set(err, RH_ERR_INTERRUPTED, "interrupted");
    }
    return code;
}

static enum err_code import_scripts(struct import *import, struct err *err)
{
    enum err_code code = RH_OK;
    import->origin = WORKLOAD_SQL_FILE;
    for (size_t i = 0; i < import->options->path_count && code == RH_OK; i++)
        code = import_script(import, import->options->paths[i], i + 1, err);
    import->report->totals.is_complete = true;
    import->report->totals.fidelity = (struct workload_fidelity){
        .order = GRADE_EXACT, .parameters = GRADE_EXACT, .transactions = GRADE_EXACT};
    add_note(import, "a file of SQL is one session that runs its statements in order; it has no "
                     "times, and a statement stands at each millisecond");
    return code;
}

/* --- scripts of pgbench ----------------------------------------------------------------------- */

#define WEIGHT_MAX 1000000

struct weighted_script {
    struct pgbench_script *script;
    int64_t weight;
};

/* "FILE@WEIGHT", as pgbench -f has it. */
static enum err_code read_pgbench(struct import *import, const char *path,
                                  struct weighted_script *ret_script, struct err *err)
{
    const char *at = strrchr(path, '@');
    struct text content;
    int64_t weight = 1;
    bool has_weight = at != NULL && rh_text_parse_int64(rh_text(at + 1), &weight);
    if (has_weight && (weight < 0 || weight > WEIGHT_MAX))
        return rh_err_set(err, RH_ERR_USAGE, "\"%s\": a weight is 0 to %d", path, WEIGHT_MAX);
    const char *file = has_weight ? rh_arena_strndup(import->arena, path, (size_t)(at - path))
                                  : path;
    enum err_code code = rh_file_read(file, SQL_FILE_BYTES_MAX, import->arena, &content, err);
    if (code == RH_OK && memchr(content.data, '\0', content.len) != NULL)
        code = rh_err_set(err, RH_ERR_USAGE, "\"%s\" is not a script of pgbench", file);
    if (code == RH_OK)
        code = rh_pgbench_script_parse(file, content, import->arena, &ret_script->script, err);
    ret_script->weight = weight;
    return code;
}

static const struct pgbench_script *choose(const struct weighted_script *scripts, size_t count,
                                           int64_t total, struct pgbench_client *client)
{
    int64_t drawn = (int64_t)(rh_pgbench_client_chance(client) * (double)total);
    size_t i = 0;
    while (i + 1 < count && drawn >= scripts[i].weight)
        drawn -= scripts[i++].weight;
    return scripts[i].script;
}

static enum err_code run_client(struct import *import, const struct weighted_script *scripts,
                                int64_t total, int64_t number, struct err *err)
{
    const struct import_options *options = import->options;
    struct pgbench_client client;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    rh_pgbench_client_init(&client, import->arena, options->seed, number, options->scale);
    struct import_who who = {.key = rh_arena_printf(import->arena, "%lld", (long long)number),
                             .user = "",
                             .database = "",
                             .application_name = "pgbench"};
    int64_t at_us = SQL_STEP_US;
    struct import_session *session = rh_import_session(import->maker, &who, at_us, false);
    for (int64_t round = 0; round < options->repeat; round++) {
        struct pgbench_steps steps;
        rh_arena_clear(arena);
        enum err_code code = rh_pgbench_script_run(
            choose(scripts, options->path_count, total, &client), &client, arena, &steps, err);
        for (size_t i = 0; code == RH_OK && i < steps.items.count; i++) {
            const struct pgbench_step *step = &steps.items.items[i];
            struct import_statement statement = {.query = step->query,
                                                 .name = "",
                                                 .begun_at_us = at_us,
                                                 .ended_at_us = at_us,
                                                 .sqlstate = ""};
            if (step->query.data != NULL)
                code = rh_import_statement(import->maker, session, &statement, err);
            at_us += step->query.data != NULL ? SQL_STEP_US : step->sleep_us;
        }
        if (code != RH_OK)
            return code;
        if (rh_interrupt_signal() != 0)
            return rh_err_set(err, RH_ERR_INTERRUPTED, "interrupted");
    }
    return RH_OK;
}

static enum err_code import_pgbench(struct import *import, struct err *err)
{
    const struct import_options *options = import->options;
    struct weighted_script *scripts = rh_arena_alloc_array(import->arena, options->path_count,
                                                           sizeof(*scripts));
    int64_t total = 0;
    enum err_code code = RH_OK;
    import->origin = WORKLOAD_PGBENCH_SCRIPT;
    for (size_t i = 0; i < options->path_count && code == RH_OK; i++) {
        code = read_pgbench(import, options->paths[i], &scripts[i], err);
        total += code == RH_OK ? scripts[i].weight : 0;
    }
    if (code == RH_OK && total == 0)
        code = rh_err_set(err, RH_ERR_USAGE, "every script has the weight 0");
    for (int64_t i = 0; i < options->clients && code == RH_OK; i++)
        code = run_client(import, scripts, total, i, err);
    import->report->totals.is_complete = true;
    import->report->totals.fidelity = (struct workload_fidelity){
        .order = GRADE_EXACT, .parameters = GRADE_EXACT, .transactions = GRADE_EXACT};
    add_note(import, "made of scripts with a seed; they have no times but \\sleep, and a statement "
                     "stands at each millisecond of its client");
    return code;
}

/* --- all -------------------------------------------------------------------------------------- */

enum err_code rh_workload_import(const struct import_options *options, struct arena *arena,
                                 struct import_report *ret_report, struct err *err)
{
    struct import_report report = {0};
    if (rh_file_exists(options->out)) {
        rh_err_set(err, RH_ERR_USAGE, "cannot make \"%s\": it is there already", options->out);
        rh_err_hint(err, "Name another file, or remove that one.");
        return err->code;
    }
    struct import import = {.options = options,
                            .arena = arena,
                            .report = &report,
                            .maker = rh_import_maker_new(directory_of(arena, options->out))};
    bool is_sql = options->format == IMPORT_SQL ||
                  (options->format == IMPORT_GUESS &&
                   rh_text_ends_with(rh_text(options->paths[0]), ".sql"));
    enum err_code code = options->format == IMPORT_PGBENCH ? import_pgbench(&import, err)
                         : is_sql                          ? import_scripts(&import, err)
                                                           : import_logs(&import, err);
    struct workload_about about = {.origin = import.origin};
    report.format = rh_workload_origin_name(import.origin);
    if (code == RH_OK)
        code = rh_import_finish(import.maker, options->out, options->key, &about, &report.totals,
                                &report.outcome, err);
    /* The ledger's own lines lie with the maker. */
    report.totals.gaps.items = NULL;
    report.totals.gaps.count = report.totals.gaps.capacity = 0;
    rh_import_maker_free(import.maker);
    if (code == RH_OK)
        *ret_report = report;
    return code;
}
