#include "rehearsal/demo.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/wrap.h"
#include "rehearsal/rehearsal_int.h"
#include "report/report.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

/* A million rows are rewritten in half a second: the limit for real tables (2 s) is scaled down
   with them. Adding a column blocks for a few milliseconds, the blocking migrations for 400 ms and
   more on two cores of 2024. */
#define DEMO_BLOCKED_US (150 * 1000)
#define DEMO_OUTPUT_MAX (4u * 1024 * 1024)

struct demo_row {
    const char *name, *why;
    enum verdict verdict;
    bool as_expected;
};
struct demo {
    const struct demo_options *options;
    struct arena *arena;
    struct sandbox *prepared; /* the loaded shop; stopped by the first clone */
    VEC(struct demo_row) rows;
    bool as_expected;
};

static const char *color_of(const struct terminal *terminal, enum verdict verdict)
{
    if (!terminal->has_color)
        return "";
    switch (verdict) {
    case VERDICT_SAFE:
        return "\033[1;32m";
    case VERDICT_UNSAFE:
        return "\033[1;31m";
    case VERDICT_INCONCLUSIVE:
        return "\033[1;33m";
    }
    return "";
}

static char *verdict_text(struct arena *arena, enum verdict verdict)
{
    char *name = rh_arena_strdup(arena, rh_verdict_name(verdict));
    for (char *c = name; *c; c++)
        *c = (char)toupper((unsigned char)*c);
    return name;
}

static void print(const struct demo *demo, struct buf *text)
{
    demo->options->print(demo->options->print_context, rh_buf_text(text));
    rh_buf_clear(text);
}

static enum err_code prepare_shop(struct demo *demo, struct err *err)
{
    struct mono began = rh_clock_mono();
    enum err_code code = rh_sandbox_start(&demo->options->sandbox, &demo->prepared, err);
    if (!code)
        code = rh_sandbox_load_sql(demo->prepared, "built-in shop", rh_demo_shop_sections,
                                   rh_demo_shop_section_count, err);
    if (!code)
        code = rh_sandbox_prepare(demo->prepared, err);
    if (code)
        return code;

    const struct sandbox_facts *facts = rh_sandbox_facts(demo->prepared);
    char rows[32], size[24], took[24], limit[24];
    rh_count_format(facts->rows, rows);
    rh_bytes_format(facts->bytes, size);
    rh_duration_format(rh_clock_mono().us - began.us, took);
    rh_duration_format(DEMO_BLOCKED_US, limit);
    struct buf text;
    rh_buf_init(&text, DEMO_OUTPUT_MAX);
    rh_buf_printf(&text,
                  "A generated shop on a throw-away PostgreSQL %s: %s rows, %s, loaded in %s.\n"
                  "Four migrations follow, each rehearsed on its own copy of it.\n"
                  "Your tables are larger than these: here nothing may wait longer than %s\n"
                  "(the limit of `rehearse run` is 2 s unless you set --max-blocked).\n",
                  facts->server_version, rows, size, took, limit);
    print(demo, &text);
    rh_buf_deinit(&text);
    return RH_OK;
}

static void print_heading(const struct demo *demo, size_t n)
{
    const struct demo_file *file = &rh_demo_migrations[n];
    const struct terminal *terminal = &demo->options->terminal;
    struct buf text;
    rh_buf_init(&text, DEMO_OUTPUT_MAX);

    char *heading = rh_arena_printf(demo->arena, " %zu of %zu: %s ", n + 1, rh_demo_migration_count,
                                    file->name);
    const char *dash = terminal->has_utf8 ? "─" : "-";
    rh_buf_printf(&text, "\n%s%s%s%s", terminal->has_color ? "\033[1m" : "", dash, dash, heading);
    for (size_t column = rh_text_columns(rh_text(heading)) + 2; column < terminal->columns;
         column++)
        rh_buf_add_str(&text, dash);
    rh_buf_printf(&text, "%s\n\n", terminal->has_color ? "\033[0m" : "");

    for (const char *line = file->content; *line;) {
        size_t length = strcspn(line, "\n");
        rh_buf_printf(&text, "    %.*s\n", (int)length, line);
        line += length + (line[length] == '\n');
    }
    rh_buf_add_char(&text, '\n');
    print(demo, &text);
    rh_buf_deinit(&text);
}

/* The headline, without the name that stands in the column before it. */
static const char *reason(const struct result *result, const char *name)
{
    const char *headline = result->headline ? result->headline : "";
    size_t length = strlen(name);
    return strncmp(headline, name, length) == 0 && headline[length] == ' ' ? headline + length + 1
                                                                           : headline;
}

static void add_row(struct demo *demo, const char *name, const struct result *result,
                    enum verdict expected)
{
    struct demo_row *row = RH_PUSH(demo->arena, &demo->rows);
    *row = (struct demo_row){.name = name,
                             .why = rh_arena_strdup(demo->arena, reason(result, name)),
                             .verdict = result->verdict,
                             .as_expected = result->verdict == expected};
    if (!row->as_expected)
        demo->as_expected = false;
}

static enum err_code rehearse_one(struct demo *demo, size_t n, struct err *err)
{
    const struct demo_file *file = &rh_demo_migrations[n];
    const struct demo_options *options = demo->options;

    const char *path = rh_file_join(demo->arena, rh_sandbox_directory(demo->prepared), file->name);
    enum err_code code = rh_file_write(path, rh_text(file->content), 0600, err);
    if (code)
        return code;
    const struct rehearsal_options run = {
        .migration = {.paths = &path, .path_count = 1},
        .sandbox = options->sandbox,
        .limits = {.duration_us = -1,
                   .blocked_us = DEMO_BLOCKED_US,
                   .wal_bytes = -1,
                   .disk_bytes = -1,
                   .lag_us = -1,
                   .replica_apply_bytes_per_s = -1,
                   .fail_on = SEVERITY_ERROR},
        .no_way_back = true, /* each migration would take three times as long */
        .progress = options->progress,
        .out_directory = options->out_directory
                             ? rh_file_join(demo->arena, options->out_directory, file->name)
                             : NULL,
    };

    struct rehearsal *rehearsal = rh_rehearsal_new(&run);
    rehearsal->prepared = demo->prepared;
    rehearsal->has_lent_prepared = true;
    code = rh_rehearsal_stage_open(rehearsal, err);
    if (!code && run.out_directory)
        code = rh_run_files_open(run.out_directory, rh_text(file->content), rehearsal->arena,
                                 options->progress, &rehearsal->files, err);
    if (!code)
        code = rh_rehearsal_stage_perform(rehearsal, err);
    rh_progress_end(options->progress);
    if (!code) {
        /* The first is written with care; the others are what is written when nobody has time. */
        add_row(demo, file->name, &rehearsal->result, n == 0 ? VERDICT_SAFE : VERDICT_UNSAFE);
        struct buf text;
        rh_buf_init(&text, DEMO_OUTPUT_MAX);
        rh_report_terminal(&rehearsal->result, &options->terminal, REPORT_NORMAL, &text);
        print(demo, &text);
        rh_buf_deinit(&text);
        if (options->result)
            options->result(options->result_context, &rehearsal->result);
    }
    rh_rehearsal_free(rehearsal);
    return code;
}

/* A narrow terminal still gets reasons of this many columns; a long one goes on below itself. */
#define WHY_COLUMNS_MIN 20u

static void print_row(const struct demo *demo, const struct demo_row *row, size_t name_columns,
                      size_t verdict_columns, struct buf *text)
{
    const struct terminal *terminal = &demo->options->terminal;
    size_t before = 2 + name_columns + 2 + verdict_columns + 2;
    size_t why_columns = terminal->columns > before + WHY_COLUMNS_MIN ? terminal->columns - before
                                                                      : WHY_COLUMNS_MIN;
    rh_buf_printf(text, "  %-*s  %s%-*s%s", (int)name_columns, row->name,
                  color_of(terminal, row->verdict), (int)verdict_columns,
                  verdict_text(demo->arena, row->verdict), terminal->has_color ? "\033[0m" : "");
    struct text rest = rh_text(rh_arena_printf(
        demo->arena, "%s%s", row->as_expected ? "" : "(not as expected) ", row->why));
    int indent = 2;
    for (struct text line; rh_text_wrap(&rest, why_columns, &line); indent = (int)before)
        rh_buf_printf(text, "%*s%.*s\n", indent, "", (int)line.len, line.data);
}

static void print_table(const struct demo *demo, struct mono began)
{
    size_t name_columns = strlen("migration"), verdict_columns = strlen("verdict");
    for (size_t n = 0; n < demo->rows.count; n++) {
        const struct demo_row *row = &demo->rows.items[n];
        size_t name = strlen(row->name), verdict = strlen(rh_verdict_name(row->verdict));
        name_columns = name > name_columns ? name : name_columns;
        verdict_columns = verdict > verdict_columns ? verdict : verdict_columns;
    }

    struct buf text;
    rh_buf_init(&text, DEMO_OUTPUT_MAX);
    rh_buf_printf(&text, "\n  %-*s  %-*s  %s\n", (int)name_columns, "migration",
                  (int)verdict_columns, "verdict", "why");
    for (size_t n = 0; n < demo->rows.count; n++)
        print_row(demo, &demo->rows.items[n], name_columns, verdict_columns, &text);
    char took[24];
    rh_duration_format(rh_clock_mono().us - began.us, took);
    rh_buf_printf(
        &text,
        "\n%s in %s; nothing is left behind. Yours next:\n"
        "    rehearse run --schema schema.sql migrations/0042_your_change.sql\n",
        demo->as_expected ? "Four verdicts, as they should be," : "Done, with a surprise,", took);
    print(demo, &text);
    rh_buf_deinit(&text);
}

enum err_code rh_demo_run(const struct demo_options *options, bool *ret_as_expected,
                          struct err *err)
{
    struct mono began = rh_clock_mono();
    struct demo demo = {.options = options, .arena = rh_arena_new(), .as_expected = true};

    rh_sandbox_reap(&options->sandbox);
    enum err_code code = prepare_shop(&demo, err);
    rh_progress_end(options->progress);
    for (size_t n = 0; !code && n < rh_demo_migration_count; n++) {
        print_heading(&demo, n);
        code = rehearse_one(&demo, n, err);
    }
    rh_sandbox_destroy(demo.prepared);
    if (!code) {
        print_table(&demo, began);
        *ret_as_expected = demo.as_expected;
    }
    rh_arena_free(demo.arena);
    return code;
}
