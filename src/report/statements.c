#include "report/report_int.h"

#include <stdlib.h>
#include <string.h>

/* Statements shown of one step; the others are folded into lines that count them. */
#define SHOWN_MAX 20
/* Room for the right-hand columns; they go where the terminal is narrower than this. */
#define WIDE_ENOUGH ((size_t)64)
#define TIME_COLUMNS ((size_t)8)
#define LINE_COLUMNS ((size_t)4)
#define NOTE_HEADING "held, blocking lock"

struct row {
    const struct statement *statement;
    const struct lock *lock;       /* that keeps others waiting longest; NULL */
    const struct finding *finding; /* the worst of it; NULL */
    int64_t score;                 /* of being shown; larger first */
    bool is_shown;
};

/* --- what a statement's row says --- */

static const struct finding *worst_finding(const struct result *result, int statement)
{
    for (size_t i = 0; i < result->findings.count; i++)
        if (result->findings.items[i].statement == statement &&
            result->findings.items[i].severity > SEVERITY_INFO)
            return &result->findings.items[i];
    return NULL;
}

static int64_t bytes_of(const struct trace *trace, const struct lock *lock)
{
    const char *table = lock->table ? lock->table : lock->relation;
    for (size_t i = 0; i < trace->relations.count; i++)
        if (strcmp(trace->relations.items[i].name, table) == 0)
            return trace->relations.items[i].bytes;
    return 0;
}

/* All locks of a transaction end together: of those held equally long the larger table is told. */
static bool is_heavier(const struct trace *trace, const struct lock *a, const struct lock *b)
{
    if (a->blocks_reads != b->blocks_reads)
        return a->blocks_reads;
    if (bytes_of(trace, a) != bytes_of(trace, b))
        return bytes_of(trace, a) > bytes_of(trace, b);
    return a->held_us > b->held_us;
}

/* The lock that keeps others waiting most; NULL. Children took those of a DO block or a string. */
static const struct lock *heaviest_lock(const struct trace *trace,
                                        const struct statement *statement,
                                        const struct lock *heaviest)
{
    for (size_t i = 0; i < statement->locks.count; i++) {
        const struct lock *lock = &statement->locks.items[i];
        if (!lock->preexisting || (!lock->blocks_reads && !lock->blocks_writes) ||
            !lock->relation ||
            strncmp(lock->table ? lock->table : lock->relation, "pg_toast", 8) == 0)
            continue;
        if (!heaviest || is_heavier(trace, lock, heaviest))
            heaviest = lock;
    }
    for (size_t i = 0; i < statement->children.count; i++)
        heaviest = heaviest_lock(trace, &statement->children.items[i], heaviest);
    return heaviest;
}

/* What a SELECT or an UPDATE locked keeps no table from anybody: that it was too short to be seen
   is no news. */
static bool is_blind(const struct statement *statement)
{
    return statement->observation == OBSERVED_NOT && rh_tag_can_block(statement->tag);
}

/* "AccessExclusive"; where that does not fit "AccessExcl". */
static const char *say_mode(struct arena *arena, const char *mode, bool is_short)
{
    const char *end = is_short ? strstr(mode, "usive") : NULL;
    if (!end) {
        size_t len = strlen(mode);
        end = len > 4 && strcmp(mode + len - 4, "Lock") == 0 ? mode + len - 4 : mode + len;
    }
    return rh_arena_strndup(arena, mode, (size_t)(end - mode));
}

/* "15m02s orders AccessExclusive", "failed 23505", "12,000 rows". What is cut off where the column
   is narrow is the mode, never the number. */
static const char *note_of(const struct layout *layout, const struct row *row, size_t columns)
{
    struct arena *arena = layout->arena;
    const struct statement *statement = row->statement;
    if (!statement->finished && !statement->error)
        return "did not finish";
    if (!statement->ok)
        return statement->error && statement->error->sqlstate[0]
                   ? rh_arena_printf(arena, "failed %s", statement->error->sqlstate)
                   : "failed";
    const struct lock *lock = row->lock;
    if (lock) {
        const char *table = rh_bare_name(lock->table ? lock->table : lock->relation);
        if (lock->acquired_us < 0)
            return rh_arena_printf(arena, "waited %s", rh_layout_duration(arena, lock->waited_us));
        const char *what = rh_arena_printf(
            arena, "%s%s%s", lock->held_us > 0 ? rh_layout_duration(arena, lock->held_us) : "",
            lock->held_us > 0 ? " " : "", table);
        const char *note = rh_arena_printf(arena, "%s %s", what,
                                           say_mode(arena, lock->mode, false));
        return rh_layout_width(note) <= columns
                   ? note
                   : rh_arena_printf(arena, "%s %s", what, say_mode(arena, lock->mode, true));
    }
    if (is_blind(statement))
        return "locks not observed";
    if (statement->rows > 0)
        return rh_arena_printf(arena, "%s %s", rh_layout_count(arena, statement->rows),
                               statement->rows == 1 ? "row" : "rows");
    return "";
}

static const char *mark_of(const struct layout *layout, const struct row *row,
                           enum style *ret_style)
{
    if (!row->statement->ok || (row->finding && row->finding->severity == SEVERITY_ERROR)) {
        *ret_style = STYLE_BAD;
        return layout->glyphs->bad;
    }
    if (row->finding) {
        *ret_style = STYLE_WARNING;
        return layout->glyphs->warning;
    }
    if (is_blind(row->statement)) {
        *ret_style = STYLE_WARNING;
        return layout->glyphs->unknown;
    }
    *ret_style = STYLE_GOOD;
    return layout->glyphs->ok;
}

/* Behind comments and blanks in front: those of a file often stand before its statement. */
const char *rh_report_first_words(const char *sql)
{
    for (;;) {
        sql += strspn(sql, " \t\r\n");
        if (strncmp(sql, "--", 2) == 0) {
            sql += strcspn(sql, "\n");
        } else if (strncmp(sql, "/*", 2) == 0) {
            size_t depth = 0;
            do {
                if (strncmp(sql, "/*", 2) == 0) {
                    depth++;
                    sql += 2;
                } else if (strncmp(sql, "*/", 2) == 0) {
                    depth--;
                    sql += 2;
                } else if (*sql) {
                    sql++;
                }
            } while (depth > 0 && *sql);
        } else {
            return sql;
        }
    }
}

/* --- rows --- */

static void add_right(const struct layout *layout, const char *text, size_t columns)
{
    size_t width = rh_layout_width(text);
    rh_layout_pad(layout, width < columns ? columns - width : 0);
    rh_layout_add(layout, STYLE_PLAIN, text);
}

/* `notes`: columns of the last column, 0 for none. */
static void add_row(const struct layout *layout, const struct row *row, size_t depth, size_t notes)
{
    const struct statement *statement = row->statement;
    struct arena *arena = layout->arena;
    enum style style;
    const char *mark = mark_of(layout, row, &style);
    size_t used = 2 + 1 + 1 + LINE_COLUMNS + 2 + depth * 2;
    size_t right = 2 + TIME_COLUMNS + (notes ? 2 + notes : 0);
    size_t sql_columns = layout->columns - used - right;

    rh_layout_pad(layout, 2);
    rh_layout_add(layout, style, mark);
    rh_layout_pad(layout, 1);
    const char *where = statement->line > 0    ? rh_arena_printf(arena, "%d", statement->line)
                        : statement->index > 0 ? rh_arena_printf(arena, "#%d", statement->index)
                                               : "";
    add_right(layout, where, LINE_COLUMNS);
    rh_layout_pad(layout, 2 + depth * 2);
    const char *sql = rh_layout_one_line(
        layout, rh_report_first_words(statement->sql ? statement->sql : ""), sql_columns);
    rh_layout_add(layout, STYLE_PLAIN, sql);
    rh_layout_pad(layout, sql_columns - rh_layout_width(sql) + 2);
    add_right(layout,
              statement->duration_us >= 0 ? rh_layout_duration(arena, statement->duration_us) : "",
              TIME_COLUMNS);
    if (notes) {
        rh_layout_pad(layout, 2);
        rh_layout_add(layout, STYLE_PLAIN,
                      rh_layout_one_line(layout, note_of(layout, row, notes), notes));
    } else if (!statement->ok) {
        /* No column for it: what went wrong gets a line of its own. */
        rh_layout_end_line(layout);
        rh_layout_pad(layout, used);
        rh_layout_add(layout, STYLE_PLAIN,
                      rh_layout_one_line(layout, note_of(layout, row, layout->columns - used),
                                         layout->columns - used));
    }
    rh_layout_end_line(layout);
}

/* Deep nesting says little and would leave no room for the text. */
#define CHILD_DEPTH_SHOWN 4

static void add_children(const struct layout *layout, const struct trace *trace,
                         const struct statement *statement, size_t depth, size_t notes)
{
    if (depth > CHILD_DEPTH_SHOWN)
        return;
    for (size_t i = 0; i < statement->children.count; i++) {
        struct row row = {.statement = &statement->children.items[i]};
        row.lock = heaviest_lock(trace, row.statement, NULL);
        add_row(layout, &row, depth, notes);
        add_children(layout, trace, row.statement, depth + 1, notes);
    }
}

static void add_folded(const struct layout *layout, size_t count, int64_t duration_us)
{
    rh_layout_pad(layout, 2 + 1 + 1 + LINE_COLUMNS + 2);
    rh_layout_add(layout, STYLE_DIM,
                  rh_arena_printf(layout->arena, "%s %zu more statement%s, %s",
                                  layout->glyphs->ellipsis, count, count == 1 ? "" : "s",
                                  rh_layout_duration(layout->arena, duration_us)));
    rh_layout_end_line(layout);
}

/* --- choosing --- */

#define SCORE_CLASS INT64_C(1000000000000000) /* above any duration in microseconds (30 years) */

static int64_t score_of(const struct row *row)
{
    const struct statement *statement = row->statement;
    int64_t us = statement->duration_us;
    if (row->lock && row->lock->held_us > us)
        us = row->lock->held_us;
    if (!statement->ok)
        return 4 * SCORE_CLASS + us;
    if (row->finding)
        return (row->finding->severity == SEVERITY_ERROR ? 3 : 2) * SCORE_CLASS + us;
    return (row->lock ? SCORE_CLASS : 0) + us;
}

static int compare_scores(const void *a, const void *b)
{
    const struct row *const *left = a;
    const struct row *const *right = b;
    if ((*left)->score != (*right)->score)
        return (*left)->score > (*right)->score ? -1 : 1;
    return *left < *right ? -1 : *left > *right; /* earlier first */
}

static void choose(const struct layout *layout, struct row *rows, size_t count,
                   enum report_detail detail)
{
    struct row **by_score = rh_arena_alloc_array(layout->arena, count + 1, sizeof(struct row *));
    for (size_t i = 0; i < count; i++) {
        rows[i].score = score_of(&rows[i]);
        by_score[i] = &rows[i];
    }
    qsort(by_score, count, sizeof(by_score[0]), compare_scores);
    for (size_t i = 0; i < count; i++)
        if (i < SHOWN_MAX || detail == REPORT_VERBOSE)
            by_score[i]->is_shown = true;
    /* A fold of one statement would take the line it saves. */
    for (size_t i = 0; i < count; i++)
        if (!rows[i].is_shown && (i == 0 || rows[i - 1].is_shown) &&
            (i + 1 == count || rows[i + 1].is_shown))
            rows[i].is_shown = true;
}

/* Columns for the notes: as many as the longest needs, none where the terminal is narrow. */
static size_t note_columns(const struct layout *layout, const struct row *rows, size_t count)
{
    if (layout->columns < WIDE_ENOUGH)
        return 0;
    size_t most = layout->columns * 2 / 5;
    size_t notes = strlen(NOTE_HEADING);
    for (size_t i = 0; i < count; i++) {
        size_t width = rows[i].is_shown ? rh_layout_width(rh_layout_one_line(
                                              layout, note_of(layout, &rows[i], most), most))
                                        : 0;
        notes = width > notes ? width : notes;
    }
    return notes;
}

static void add_rows(const struct layout *layout, const struct trace *trace, const struct row *rows,
                     size_t count, enum report_detail detail, size_t notes)
{
    size_t folded = 0;
    int64_t folded_us = 0;
    for (size_t i = 0; i < count; i++) {
        if (!rows[i].is_shown) {
            folded++;
            folded_us += rows[i].statement->duration_us > 0 ? rows[i].statement->duration_us : 0;
            continue;
        }
        if (folded > 0)
            add_folded(layout, folded, folded_us);
        folded = 0;
        folded_us = 0;
        add_row(layout, &rows[i], 0, notes);
        if (detail == REPORT_VERBOSE)
            add_children(layout, trace, rows[i].statement, 1, notes);
    }
    if (folded > 0)
        add_folded(layout, folded, folded_us);
}

/* --- steps --- */

/* A wrapped command's own statements carry no step: they are that command's. */
static int step_of(const struct trace *trace, const struct statement *statement)
{
    if (statement->step >= 0 && (size_t)statement->step < trace->steps.count)
        return statement->step;
    for (size_t i = 0; i < trace->steps.count; i++)
        if (trace->steps.items[i].is_command && trace->steps.items[i].reached)
            return (int)i;
    return -1;
}

static const char *say_not_reached(const struct result *result)
{
    return result->blockers.looked && !result->blockers.incomplete ? "reached in the second pass"
                                                                   : "not reached";
}

static void add_step_head(const struct layout *layout, const struct result *result,
                          const struct step *step, size_t count, size_t notes)
{
    const char *note = step && !step->reached ? say_not_reached(result)
                       : count == 0           ? "nothing ran"
                                              : NULL;
    size_t right = note ? strlen(note) + 4 : 2 + TIME_COLUMNS + (notes ? 2 + notes : 0);
    const char *name = rh_layout_one_line(layout, step && step->name ? step->name : "statements",
                                          layout->columns - right);
    rh_layout_add(layout, STYLE_BOLD, name);
    if (note) {
        rh_layout_add(layout, STYLE_DIM, rh_arena_printf(layout->arena, "  (%s)", note));
    } else {
        rh_layout_pad(layout, layout->columns - right - rh_layout_width(name) + 2);
        add_right(layout, "time", TIME_COLUMNS);
        if (notes) {
            rh_layout_pad(layout, 2);
            rh_layout_add(layout, STYLE_PLAIN, NOTE_HEADING);
        }
    }
    rh_layout_end_line(layout);
}

static void add_step(const struct layout *layout, const struct result *result, int step_index,
                     enum report_detail detail)
{
    const struct trace *trace = result->trace;
    size_t count = 0;
    struct row *rows = rh_arena_alloc_array(layout->arena, trace->statements.count + 1,
                                            sizeof(struct row));
    for (size_t i = 0; i < trace->statements.count; i++) {
        const struct statement *statement = &trace->statements.items[i];
        if (step_of(trace, statement) == step_index)
            rows[count++] = (struct row){.statement = statement,
                                         .lock = heaviest_lock(trace, statement, NULL),
                                         .finding = worst_finding(result, statement->index)};
    }
    if (step_index < 0 && count == 0)
        return;
    choose(layout, rows, count, detail);
    size_t notes = note_columns(layout, rows, count);
    add_step_head(layout, result, step_index >= 0 ? &trace->steps.items[step_index] : NULL, count,
                  notes);
    add_rows(layout, trace, rows, count, detail, notes);
    rh_buf_add_char(layout->out, '\n');
}

/* Steps in full; beyond them the quiet ones are only counted. */
#define STEPS_SHOWN_MAX 30

static bool step_is_quiet(const struct result *result, size_t step)
{
    const struct trace *trace = result->trace;
    for (size_t i = 0; i < result->findings.count; i++)
        if (result->findings.items[i].step && trace->steps.items[step].name &&
            strcmp(result->findings.items[i].step, trace->steps.items[step].name) == 0)
            return false;
    return trace->steps.items[step].ok;
}

static void add_folded_steps(const struct layout *layout, size_t count, const char *what)
{
    if (count == 0)
        return;
    rh_layout_add(layout, STYLE_DIM,
                  rh_arena_printf(layout->arena, "%s %zu more step%s %s", layout->glyphs->ellipsis,
                                  count, count == 1 ? "" : "s", what));
    rh_layout_end_line(layout);
    rh_buf_add_char(layout->out, '\n');
}

void rh_report_statements(const struct layout *layout, const struct result *result,
                          enum report_detail detail)
{
    const struct trace *trace = result->trace;
    size_t quiet = 0, not_reached = 0;
    for (size_t i = 0; i < trace->steps.count; i++) {
        bool may_fold = detail != REPORT_VERBOSE && i >= STEPS_SHOWN_MAX;
        if (may_fold && !trace->steps.items[i].reached)
            not_reached++;
        else if (may_fold && step_is_quiet(result, i))
            quiet++;
        else
            add_step(layout, result, (int)i, detail);
    }
    add_folded_steps(layout, quiet, "without findings");
    add_folded_steps(layout, not_reached, say_not_reached(result));
    add_step(layout, result, -1, detail);
}
