#include "trace/second_pass_int.h"

#include "trace/redact.h"

#include <stdio.h>
#include <stdlib.h>

/* --- what the first pass saw --- */

static bool is_class(const char *sqlstate, const char *class)
{
    return strncmp(sqlstate, class, 2) == 0;
}

/* Refused only because an earlier statement of the transaction had failed. */
static bool is_consequence(const struct statement *statement)
{
    return strcmp(statement->error->sqlstate, "25P02") == 0;
}

/* A query that asks whether something exists. */
static bool is_question(const struct statement *statement)
{
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct sql_facts facts;
    rh_sql_facts_of_words(rh_text(statement->sql), arena, &facts);
    return is_class(statement->error->sqlstate, "42") && strcmp(facts.tag, "SELECT") == 0;
}

bool rh_second_pass_is_circumstance(const char *sqlstate)
{
    static const char *const states[] = {"25P02", "57014", "55P03", "40P01", "40001",
                                         "26000", "34000", "25P01", "3B001"};
    for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++)
        if (strcmp(sqlstate, states[i]) == 0)
            return true;
    return strncmp(sqlstate, "08", 2) == 0 || strncmp(sqlstate, "53", 2) == 0 ||
           strncmp(sqlstate, "57P", 3) == 0 || strncmp(sqlstate, "58", 2) == 0 ||
           strncmp(sqlstate, "XX", 2) == 0;
}

/* The error that ended the first pass: the last one that is no question; else the last. -1: none.
 */
static int find_fatal(const struct trace *first)
{
    int fatal = -1, last = -1;
    for (size_t i = 0; i < first->statements.count; i++) {
        const struct statement *statement = &first->statements.items[i];
        if (!statement->error || is_consequence(statement))
            continue;
        last = (int)i;
        if (!is_question(statement))
            fatal = (int)i;
    }
    if (fatal >= 0 || last < 0)
        return fatal;
    int step = first->statements.items[last].step;
    bool step_failed = step < 0 || (size_t)step >= first->steps.count ||
                       !first->steps.items[step].ok;
    return step_failed ? last : -1;
}

bool rh_second_pass_is_wanted(const struct trace *first)
{
    int fatal = first->timed_out || first->interrupted || first->server_crashed ? -1
                                                                                : find_fatal(first);
    if (fatal < 0)
        return false;
    const char *sqlstate = first->statements.items[fatal].error->sqlstate;
    return strcmp(sqlstate, "42601") != 0 && !rh_second_pass_is_circumstance(sqlstate);
}

static bool is_of_command(const struct trace *first, const struct statement *statement)
{
    for (size_t i = 0; i < first->steps.count; i++)
        if (statement->step < 0 || (size_t)statement->step == i)
            return first->steps.items[i].is_command;
    return false;
}

/* The client's next words were ROLLBACK TO a savepoint of its own. */
static bool is_taken_back(const struct trace *first, size_t failed)
{
    int session = first->statements.items[failed].session;
    for (size_t i = failed + 1; i < first->statements.count; i++) {
        const struct statement *next = &first->statements.items[i];
        if (next->session != session)
            continue;
        return next->ok && next->in_transaction && strncasecmp(next->sql, "ROLLBACK TO", 11) == 0;
    }
    return false;
}

static bool is_survived(const struct trace *first, size_t failed)
{
    const struct statement *statement = &first->statements.items[failed];
    if (is_taken_back(first, failed))
        return true;
    return is_class(statement->error->sqlstate, "42") &&
           (is_question(statement) || is_of_command(first, statement));
}

static void list_first_failures(struct second_pass *pass)
{
    const struct trace *first = pass->options.first;
    int fatal = find_fatal(first);
    for (size_t i = 0; i < first->statements.count; i++) {
        const struct statement *statement = &first->statements.items[i];
        if (!statement->error || is_consequence(statement))
            continue;
        struct first_failure *failure = RH_PUSH(pass->options.arena, &pass->first);
        failure->sql = statement->sql;
        memcpy(failure->sqlstate, statement->error->sqlstate, sizeof(failure->sqlstate));
        failure->is_survived = (int)i != fatal && is_survived(first, i);
    }
}

enum first_verdict rh_second_pass_first(const struct second_pass *pass, const char *sql,
                                        const char *sqlstate)
{
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    const char *shown = rh_redact_sql(arena, rh_text(sql));
    struct text text = rh_text_trim(rh_text(shown));
    enum first_verdict verdict = FIRST_UNKNOWN;
    if (text.len > STATEMENT_TEXT_MAX)
        text.len = STATEMENT_TEXT_MAX;
    for (size_t i = 0; i < pass->first.count; i++) {
        const struct first_failure *failure = &pass->first.items[i];
        /* A piece of a string that was sent whole stands in it. */
        if (strcmp(failure->sqlstate, sqlstate) != 0 || text.len == 0 ||
            !memmem(failure->sql, strlen(failure->sql), text.data, text.len))
            continue;
        if (!failure->is_survived)
            return FIRST_FAILED;
        verdict = FIRST_SURVIVED;
    }
    return verdict;
}

/* --- incompleteness --- */

void rh_second_pass_incomplete(struct second_pass *pass, const char *reason)
{
    if (!pass->incomplete)
        pass->incomplete = rh_arena_strdup(pass->options.arena, reason);
}

void rh_guarded_give_up(struct guarded *guarded, const char *fmt, ...)
{
    struct second_pass *pass = guarded->pass;
    va_list args;
    va_start(args, fmt);
    const char *reason = rh_arena_vprintf(pass->options.arena, fmt, args);
    va_end(args);
    rh_second_pass_incomplete(pass, reason);
    guarded->phase = PHASE_ENDED;
    if (guarded->tap_session)
        rh_tap_session_close(guarded->tap_session);
}

/* --- the audience --- */

static void on_place(void *context, int step, int line, int column)
{
    struct second_pass *pass = context;
    pass->step = step;
    pass->line = line;
    pass->column = column;
    pass->script = (struct script_place){0};
}

static void on_script(void *context, int step, struct text script, size_t offset)
{
    struct second_pass *pass = context;
    on_place(context, step, 0, 0);
    rh_script_place_init(&pass->script, script, offset);
}

static void on_drops_rows(void *context, bool drops_rows)
{
    struct second_pass *pass = context;
    pass->drops_rows = drops_rows;
}

struct audience rh_second_pass_audience(struct second_pass *pass)
{
    return (struct audience){.context = pass,
                             .handler = rh_guarded_handler(pass),
                             .place = on_place,
                             .script = on_script,
                             .drops_rows = on_drops_rows};
}

/* --- life cycle --- */

struct second_pass *rh_second_pass_new(const struct second_pass_options *options)
{
    struct second_pass *pass = calloc(1, sizeof(*pass));
    if (!pass)
        RH_PANIC("out of memory (%zu bytes)", sizeof(*pass));
    pass->options = *options;
    pass->step = -1;
    list_first_failures(pass);
    return pass;
}

void rh_second_pass_free(struct second_pass *pass)
{
    if (!pass)
        return;
    while (pass->sessions) {
        struct guarded *guarded = pass->sessions;
        pass->sessions = guarded->next;
        rh_guarded_free(guarded);
    }
    free(pass);
}

/* --- the result --- */

static const char *say_end(const struct second_pass *pass, const struct performance *performance)
{
    struct arena *arena = pass->options.arena;
    if (pass->incomplete)
        return pass->incomplete;
    if (performance->server_died)
        return "the server died";
    if (performance->timed_out)
        return "its share of --timeout was over";
    if (performance->interrupted)
        return "it was interrupted";
    for (size_t i = 0; i < performance->steps.count; i++) {
        const struct performed_step *step = &performance->steps.items[i];
        if (step->ok)
            continue;
        if (pass->left_error)
            return pass->left_error;
        if (step->exit_status > 0)
            return rh_arena_printf(arena, "the command ended with status %d", step->exit_status);
        return "a step ended before its time";
    }
    return NULL;
}

struct blockers rh_second_pass_blockers(const struct second_pass *pass,
                                        const struct performance *performance)
{
    struct blockers blockers = {.looked = true, .incomplete = say_end(pass, performance)};
    for (size_t i = 0; i < pass->blockers.count; i++)
        *RH_PUSH(pass->options.arena, &blockers.items) = pass->blockers.items[i];
    return blockers;
}
