#include "cmd/cli.h"
#include "cmd/run_options.h"
#include "cmd/workload_open.h"

#include "report/report.h"
#include "workload/statement_sums.h"

#include <stdlib.h>

static const struct option rows[] = {
    {
        .name = "limit",
        .kind = OPTION_COUNT,
        .value_name = "N",
        .group = GROUP_OUTPUT,
        .default_text = "30",
        .is_common = true,
        .help = "Patterns that are shown; 0 for all.",
    },
    OPTION_ROW_JSON_OBJECT(NULL, "All of it as one JSON object."),
    {
        .name = "statement-sums",
        .kind = OPTION_PATH,
        .value_name = "FILE",
        .group = "Workload",
        .not_in_file = true,
        .is_common = true,
        .help = "pg_stat_statements of production: what is covered.",
        .details =
            "CSV with a header, or a JSON array, with query, calls and total_exec_time; or what "
            "\"workload import --from URL\" made. Tells "
            "which share of that time the workload's patterns cover, how often production "
            "runs each, and which patterns were never seen.",
    },
    OPTION_ROW_COLOR,
    OPTION_ROW_WORKLOAD_KEY,
};

static int by_time(const void *a, const void *b)
{
    const struct workload_pattern_sums *x = ((const struct workload_report_row *)a)->sums,
                                       *y = ((const struct workload_report_row *)b)->sums;
    if (x->total_us != y->total_us)
        return x->total_us < y->total_us ? 1 : -1;
    if (x->calls != y->calls)
        return x->calls < y->calls ? 1 : -1;
    return x->pattern < y->pattern ? -1 : 1;
}

/* Never-seen patterns that are named. */
#define NEVER_SEEN_MAX 20

/* Sums with production's weights, and what of production's time is in the workload. */
static enum err_code add_coverage(const struct options *options, struct workload_report *report,
                                  struct err *err)
{
    const char *path = rh_option_text(options, "statement-sums");
    struct arena *arena = options->arena;
    struct statement_sums sums;
    if (path == NULL)
        return RH_OK;
    enum err_code code = rh_statement_sums_read(path, arena, &sums, err);
    if (code != RH_OK)
        return code;
    struct workload_pattern *patterns = rh_arena_alloc_array(arena, report->pattern_count + 1,
                                                             sizeof(*patterns));
    for (size_t i = 0; i < report->pattern_count; i++)
        patterns[i] = *report->patterns[i].pattern;
    rh_statement_sums_cover(&sums, patterns, report->pattern_count);
    struct workload_report_row *weighed = rh_arena_memdup(arena, report->patterns,
                                                          report->pattern_count * sizeof(*weighed));
    for (size_t i = 0; i < report->pattern_count; i++) {
        struct workload_pattern_sums *copy = rh_arena_memdup(arena, weighed[i].sums, sizeof(*copy));
        copy->weight = rh_statement_sums_weight(&sums, patterns[i].fingerprint, copy->calls);
        weighed[i].sums = copy;
    }
    report->patterns = weighed;
    struct workload_coverage *coverage = RH_NEW(arena, struct workload_coverage);
    coverage->share = sums.total_us > 0 ? sums.covered_us / sums.total_us : 0;
    coverage->never_seen = sums.never_seen;
    coverage->total_us = sums.total_us;
    for (size_t i = 0; i < sums.items.count && coverage->named.count < NEVER_SEEN_MAX; i++) {
        const struct statement_sum *sum = &sums.items.items[i];
        if (!sum->is_seen)
            *RH_PUSH(arena, &coverage->named) = (struct workload_never_seen){sum->query, sum->calls,
                                                                             sum->total_us};
    }
    report->coverage = coverage;
    return RH_OK;
}

static struct workload_report report_of(const struct options *options, const char *path,
                                        const struct workload_reader *reader)
{
    size_t count = rh_workload_reader_pattern_count(reader);
    struct workload_report_row *sorted = rh_arena_alloc_array(options->arena, count + 1,
                                                              sizeof(*sorted));
    for (size_t i = 0; i < count; i++)
        sorted[i] = (struct workload_report_row){
            rh_workload_reader_pattern(reader, (uint32_t)i + 1),
            rh_workload_reader_sums(reader, (uint32_t)i + 1)};
    qsort(sorted, count, sizeof(*sorted), by_time);
    int64_t limit = rh_option_number(options, "limit", 0);
    return (struct workload_report){
        .path = path,
        .about = rh_workload_reader_about(reader),
        .totals = rh_workload_reader_totals(reader),
        .patterns = sorted,
        .pattern_count = count,
        .limit = limit > 0 ? (size_t)limit : SIZE_MAX,
    };
}

static json_t *names_json(const char *const *names, size_t count)
{
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(list, rh_json_text(names[i]));
    return list;
}

static json_t *pattern_json(const struct workload_report_row *row)
{
    const struct workload_pattern *pattern = row->pattern;
    const struct workload_pattern_sums *sums = row->sums;
    char fingerprint[17];
    snprintf(fingerprint, sizeof(fingerprint), "%016llx", (unsigned long long)pattern->fingerprint);
    return json_pack(
        "{s:I, s:s, s:o, s:b, s:b, s:o, s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:f}",
        "number", (json_int_t)pattern->number, "fingerprint", fingerprint, "query",
        rh_json_text(pattern->query), "is_parsed", (pattern->flags & PATTERN_IS_PARSED) != 0,
        "writes_something", (pattern->flags & PATTERN_WRITES) != 0, "reads",
        names_json(pattern->reads.items, pattern->reads.count), "writes",
        names_json(pattern->writes.items, pattern->writes.count), "calls", (json_int_t)sums->calls,
        "errors", (json_int_t)sums->errors, "rows", (json_int_t)sums->rows, "total_us",
        (json_int_t)sums->total_us, "min_us", (json_int_t)sums->min_us, "max_us",
        (json_int_t)sums->max_us, "first_at_us", (json_int_t)sums->first_at_us, "last_at_us",
        (json_int_t)sums->last_at_us, "weight", sums->weight);
}

static json_t *fidelity_json(const struct workload_fidelity *fidelity)
{
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:o}", "order",
                     rh_workload_grade_name(fidelity->order), "types",
                     rh_workload_grade_name(fidelity->types), "parameters",
                     rh_workload_grade_name(fidelity->parameters), "timing",
                     rh_workload_grade_name(fidelity->timing), "transactions",
                     rh_workload_grade_name(fidelity->transactions), "copy",
                     rh_workload_grade_name(fidelity->copy), "notes",
                     names_json(fidelity->notes.items, fidelity->notes.count));
}

static json_t *coverage_json(const struct workload_coverage *coverage)
{
    if (coverage == NULL)
        return json_null();
    json_t *named = json_array();
    for (size_t i = 0; i < coverage->named.count; i++)
        json_array_append_new(named, json_pack("{s:o, s:f, s:f}", "query",
                                               rh_json_text(coverage->named.items[i].query),
                                               "calls", coverage->named.items[i].calls, "total_us",
                                               coverage->named.items[i].total_us));
    return json_pack("{s:f, s:I, s:o}", "share", coverage->share, "never_seen",
                     (json_int_t)coverage->never_seen, "never_seen_patterns", named);
}

static json_t *production_json(const struct workload_production *production)
{
    if (!production->is_known)
        return json_null();
    return json_pack("{s:o, s:I, s:I, s:I, s:I}", "window_us",
                     production->window_us >= 0 ? json_integer(production->window_us) : json_null(),
                     "total_us", (json_int_t)production->total_us, "covered_us",
                     (json_int_t)production->covered_us, "patterns",
                     (json_int_t)production->patterns, "never_seen",
                     (json_int_t)production->never_seen);
}

static json_t *report_json(const struct workload_report *report)
{
    const struct workload_about *about = report->about;
    const struct workload_totals *totals = report->totals;
    json_t *patterns = json_array(), *gaps = json_array();
    for (size_t i = 0; i < report->pattern_count; i++)
        json_array_append_new(patterns, pattern_json(&report->patterns[i]));
    for (size_t i = 0; i < totals->gaps.count; i++)
        json_array_append_new(gaps,
                              json_pack("{s:s, s:I, s:o}", "kind", totals->gaps.items[i].kind,
                                        "count", (json_int_t)totals->gaps.items[i].count, "detail",
                                        rh_json_text(totals->gaps.items[i].detail)));
    return json_pack(
        "{s:s, s:s, s:o, s:o, s:o, s:b, s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:b, s:o, s:o, "
        "s:o, s:o, s:o}",
        "format_version", "1.0", "origin", rh_workload_origin_name(about->origin), "server_version",
        rh_json_text(about->server_version), "encoding", rh_json_text(about->encoding),
        "started_at", rh_json_text(about->started_at), "is_masked", about->is_masked,
        "masking_key_id", rh_json_text(about->masking_key_id), "duration_us",
        (json_int_t)totals->duration_us, "sessions", (json_int_t)totals->sessions,
        "sessions_most_at_once", (json_int_t)totals->sessions_most_at_once, "requests",
        (json_int_t)totals->requests, "executions", (json_int_t)totals->executions, "errors",
        (json_int_t)totals->errors, "cancels", (json_int_t)totals->cancels, "is_complete",
        totals->is_complete, "fidelity", fidelity_json(&totals->fidelity), "gaps", gaps, "patterns",
        patterns, "coverage", coverage_json(report->coverage), "production",
        production_json(&totals->production));
}

static int run(const struct options *parsed)
{
    struct options options = *parsed;
    const char *path = NULL;
    struct err err = RH_ERR_INIT;
    struct workload_reader *reader = NULL;
    int status = rh_run_options_complete(&options, NULL);
    if (status)
        return status;
    if (rh_workload_named(&options, &path, &err) != RH_OK ||
        rh_workload_open(&options, path, &reader, &err) != RH_OK)
        return rh_cli_fail(&err);
    struct workload_report report = report_of(&options, path, reader);
    if (add_coverage(&options, &report, &err) != RH_OK) {
        rh_workload_reader_free(reader);
        return rh_cli_fail(&err);
    }
    if (rh_option_flag(&options, "json")) {
        status = rh_cli_finish_json(report_json(&report));
    } else {
        RH_CLEANUP_BUF struct buf text;
        rh_buf_init(&text, OUTPUT_MAX_BYTES);
        struct terminal terminal = rh_run_terminal(&options);
        rh_report_workload(&report, &terminal, &text);
        status = rh_cli_finish(rh_buf_text(&text), 0);
    }
    rh_workload_reader_free(reader);
    return status;
}

static const char *const usage[] = {"rehearse workload show WORKLOAD [OPTIONS]", NULL};
static const char *const description[] = {
    "Shows what a workload holds: where it comes from, how far it can be trusted, what is missing, "
    "and its query patterns by the time they took.",
    "Queries are shown with $1, $2 for their constants; no value is shown.",
    "The file is a SQLite database: sqlite3 WORKLOAD \"SELECT * FROM top_patterns\" says the same.",
    NULL};
static const char *const examples[] = {"rehearse workload show app.workload --limit 10", NULL};

const struct command rh_command_workload_show = {
    .name = "workload show",
    .summary = "what is in a workload: patterns by time",
    .usage = usage,
    .description = description,
    .examples = examples,
    .options = rows,
    .option_count = sizeof(rows) / sizeof(*rows),
    .positional_name = "WORKLOAD",
    .positional_max = 1,
    .run = run,
};
