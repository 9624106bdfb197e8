/*
 * A blocker: what the server said, which rows it was about, and what mends it, asked in the session
 * and transaction in which it failed.
 *
 *   in a transaction:  (rolled back to the unit's savepoint) questions  ROLLBACK TO  RELEASE
 *   outside of one:    BEGIN  questions  ROLLBACK
 *
 * once more where there is another repair to try,
 *
 * each question behind a savepoint of its own, rolled back when it fails.
 */
#include "trace/second_pass_int.h"

#include "engine/inquiry.h"
#include "trace/redact.h"

/* Questions of one inquiry: a statement has few clauses, and each is asked a handful. */
#define QUESTIONS_MAX 500

static void ask_next(struct guarded *guarded, const struct inquiry_answer *answer);
static void begin_questions(struct guarded *guarded);

/* --- the blocker --- */

static struct server_message keep_message(struct arena *arena, const struct server_message *from)
{
    struct server_message kept = *from;
    const char **texts[] = {&kept.severity,   &kept.message,   &kept.detail,        &kept.hint,
                            &kept.context,    &kept.schema,    &kept.table,         &kept.column,
                            &kept.constraint, &kept.data_type, &kept.internal_query};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        if (*texts[i])
            *texts[i] = rh_arena_strdup(arena, *texts[i]);
    return kept;
}

/* Of what changes rows alone nobody can miss anything by name. */
static bool makes_nothing(const char *sql)
{
    static const char *const tags[] = {"INSERT", "UPDATE", "DELETE", "MERGE", "COPY"};
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct sql_facts facts;
    rh_sql_facts_of_words(rh_text(sql), arena, &facts);
    for (size_t i = 0; i < sizeof(tags) / sizeof(tags[0]); i++)
        if (strcmp(facts.tag, tags[i]) == 0)
            return true;
    return false;
}

static void add_skipped(struct second_pass *pass, const char *sql, int blocker)
{
    if (makes_nothing(sql))
        return;
    struct skipped *skipped = RH_PUSH(pass->options.arena, &pass->skipped);
    skipped->sql = rh_arena_strndup(pass->options.arena, sql, strnlen(sql, STATEMENT_TEXT_MAX));
    skipped->blocker = blocker;
}

static bool is_same_text(const char *a, const char *b)
{
    return a && b && strcmp(a, b) == 0;
}

/* A COMMIT that fails of the very key that SET CONSTRAINTS had found: that one's place; -1. */
static int told_before(const struct guarded *guarded, const struct blocker *blocker)
{
    const struct second_pass *pass = guarded->pass;
    for (size_t i = 0; guarded->asks_commit && i < pass->blockers.count; i++) {
        const struct blocker *earlier = &pass->blockers.items[i];
        if (strcmp(earlier->tag, "SET") == 0 && earlier->step == blocker->step &&
            is_same_text(earlier->error.table, blocker->error.table) &&
            is_same_text(earlier->error.constraint, blocker->error.constraint))
            return (int)i;
    }
    return -1;
}

static void describe(struct guarded *guarded, struct blocker *blocker)
{
    struct second_pass *pass = guarded->pass;
    struct arena *arena = pass->options.arena;
    const struct unit *unit = &guarded->unit;
    struct text sql = rh_text(unit->sql);
    if (sql.len > STATEMENT_TEXT_MAX)
        sql.len = STATEMENT_TEXT_MAX;
    *blocker = (struct blocker){.step = pass->step,
                                .line = unit->line,
                                .column = unit->column,
                                .sql = rh_redact_sql(arena, sql),
                                .tag = rh_arena_strdup(arena, unit->facts.tag),
                                .in_transaction = unit->status_before == 'T',
                                .error = keep_message(arena, &guarded->error)};
    blocker->needs = rh_needs_find(&blocker->error, unit->sql, pass->skipped.items,
                                   pass->skipped.count);
    if (blocker->needs < 0)
        blocker->needs = told_before(guarded, blocker);
}

/* The same statement again, in a loop of the client's: told once. */
static bool is_known(const struct guarded *guarded, const struct blocker *blocker)
{
    const struct second_pass *pass = guarded->pass;
    for (size_t i = 0; !guarded->asks_commit && i < pass->blockers.count; i++) {
        const struct blocker *known = &pass->blockers.items[i];
        if (known->step == blocker->step && known->line == blocker->line &&
            known->column == blocker->column && strcmp(known->sql, blocker->sql) == 0 &&
            strcmp(known->error.sqlstate, blocker->error.sqlstate) == 0)
            return true;
    }
    return false;
}

static void add_blocker(struct guarded *guarded)
{
    struct second_pass *pass = guarded->pass;
    int index = (int)pass->blockers.count;
    if (is_known(guarded, guarded->blocker))
        return;
    *RH_PUSH(pass->options.arena, &pass->blockers) = *guarded->blocker;
    add_skipped(pass, guarded->unit.sql, index);
    /* A COMMIT takes with it all that its transaction made. */
    for (size_t i = 0; guarded->asks_commit && i < guarded->made.count; i++)
        add_skipped(pass, guarded->made.items[i], index);
}

/* --- after the last question --- */

static void finish(struct guarded *guarded)
{
    struct unit *unit = &guarded->unit;
    unit->has_savepoint = false;
    add_blocker(guarded);
    if (!guarded->asks_commit) {
        rh_unit_clean_up(guarded);
        return;
    }
    rh_unit_run_commit(guarded);
}

static void on_released(struct guarded *guarded)
{
    if (guarded->has_failed)
        rh_guarded_give_up(guarded, "a savepoint could not be released: %s",
                           guarded->error.message);
    else
        finish(guarded);
}

static void on_back(struct guarded *guarded)
{
    const struct engine *engine = guarded->pass->options.engine;
    if (guarded->has_failed) {
        rh_guarded_give_up(guarded, "what was asked could not be rolled back: %s",
                           guarded->error.message);
        return;
    }
    if (guarded->inquiry && engine->inquiry_again(guarded->inquiry)) {
        begin_questions(guarded);
        return;
    }
    if (guarded->inquiry)
        engine->inquiry_result(guarded->inquiry, guarded->blocker);
    if (guarded->unit.has_savepoint)
        rh_guarded_command(guarded, "RELEASE SAVEPOINT " SAVEPOINT_UNIT, on_released);
    else
        finish(guarded);
}

static void go_back(struct guarded *guarded)
{
    rh_guarded_command(
        guarded, guarded->unit.has_savepoint ? "ROLLBACK TO SAVEPOINT " SAVEPOINT_UNIT : "ROLLBACK",
        on_back);
}

/* A simple query took the client's unnamed statement: it is made again. Should that fail, the
   client will hear of it from the server. */
static void end_questions(struct guarded *guarded)
{
    RH_CLEANUP_BUF struct buf bytes = {0};
    if (guarded->unnamed.len == 0 || guarded->question_count == 0 || guarded->status == 'E') {
        go_back(guarded);
        return;
    }
    rh_buf_init(&bytes, SECOND_PASS_MESSAGE_MAX + 128);
    rh_buf_add_text(&bytes, rh_buf_text(&guarded->unnamed));
    rh_ask_sync(&bytes);
    rh_guarded_exchange(guarded, rh_buf_text(&bytes), false, go_back);
}

/* --- questions --- */

static void on_question_released(struct guarded *guarded)
{
    if (guarded->has_failed) {
        rh_guarded_give_up(guarded, "a question's savepoint was lost: %s", guarded->error.message);
        return;
    }
    const struct inquiry_answer answer = {
        .rows = guarded->answer.rows,
        .columns = guarded->answer.columns,
        .values = guarded->answer.values.items,
        .error = guarded->question_failed ? &guarded->question_error : NULL};
    ask_next(guarded, &answer);
}

static void on_question_back(struct guarded *guarded)
{
    if (guarded->has_failed)
        rh_guarded_give_up(guarded, "a question could not be rolled back: %s",
                           guarded->error.message);
    else
        rh_guarded_command(guarded, "RELEASE SAVEPOINT " SAVEPOINT_QUESTION, on_question_released);
}

static void on_question(struct guarded *guarded)
{
    guarded->question_failed = guarded->has_failed;
    if (!guarded->has_failed) {
        rh_guarded_command(guarded, "RELEASE SAVEPOINT " SAVEPOINT_QUESTION, on_question_released);
        return;
    }
    guarded->question_error = keep_message(guarded->answer_arena, &guarded->error);
    guarded->answer = (struct answer){0};
    rh_guarded_command(guarded, "ROLLBACK TO SAVEPOINT " SAVEPOINT_QUESTION, on_question_back);
}

static void on_question_savepoint(struct guarded *guarded)
{
    if (guarded->has_failed || guarded->status != 'T')
        rh_guarded_give_up(guarded, "no savepoint could be set for a question");
    else
        rh_guarded_question(guarded, guarded->question, on_question);
}

static void ask_next(struct guarded *guarded, const struct inquiry_answer *answer)
{
    const struct engine *engine = guarded->pass->options.engine;
    guarded->question = guarded->question_count < QUESTIONS_MAX
                            ? engine->inquiry_next(guarded->inquiry, answer)
                            : NULL;
    if (!guarded->question) {
        end_questions(guarded);
        return;
    }
    guarded->question_count++;
    rh_guarded_command(guarded, "SAVEPOINT " SAVEPOINT_QUESTION, on_question_savepoint);
}

static void on_begun(struct guarded *guarded)
{
    if (guarded->has_failed || guarded->status != 'T')
        rh_guarded_give_up(guarded, "no transaction could be opened for questions");
    else
        ask_next(guarded, NULL);
}

static void begin_questions(struct guarded *guarded)
{
    if (guarded->unit.has_savepoint)
        ask_next(guarded, NULL);
    else
        rh_guarded_command(guarded, "BEGIN", on_begun);
}

static void on_commit_checks_back(struct guarded *guarded)
{
    if (guarded->has_failed)
        rh_guarded_give_up(guarded, "a savepoint could not be rolled back to: %s",
                           guarded->error.message);
    else
        ask_next(guarded, NULL);
}

void rh_ask_begin(struct guarded *guarded)
{
    struct second_pass *pass = guarded->pass;
    const struct engine *engine = pass->options.engine;
    guarded->blocker = RH_NEW(pass->options.arena, struct blocker);
    guarded->inquiry = NULL;
    guarded->question_count = 0;
    describe(guarded, guarded->blocker);
    if (guarded->blocker->needs < 0 && !is_known(guarded, guarded->blocker) && engine->inquiry_new)
        guarded->inquiry = engine->inquiry_new(
            guarded->asks_commit ? "COMMIT"
                                 : rh_arena_strdup(pass->options.arena, guarded->unit.sql),
            &guarded->blocker->error, pass->options.shows_values, pass->options.arena);
    if (!guarded->inquiry) {
        guarded->blocker->not_asked = guarded->blocker->needs >= 0
                                          ? "it needs what an earlier statement would have made"
                                          : "no set question fits this statement";
        if (guarded->unit.has_savepoint)
            go_back(guarded);
        else
            finish(guarded);
        return;
    }
    if (guarded->asks_commit)
        rh_guarded_command(guarded, "ROLLBACK TO SAVEPOINT " SAVEPOINT_UNIT, on_commit_checks_back);
    else
        begin_questions(guarded);
}
