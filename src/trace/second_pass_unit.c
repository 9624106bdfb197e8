/* A unit: one statement, with what is set up before and cleared away after it. */
#include "trace/second_pass_int.h"

#include "net/pg_codec.h"

/* Statements of a transaction remembered for what they would have made, should its COMMIT fail. */
#define MADE_MAX 1000

static void begin(struct guarded *guarded);
static void run(struct guarded *guarded);
static void next_of_batch(struct guarded *guarded);

static bool is_tag(const struct unit *unit, const char *tag)
{
    return strcmp(unit->facts.tag, tag) == 0;
}

static bool has_word(const struct unit *unit, const char *word)
{
    const char *at = unit->sql ? strcasestr(unit->sql, word) : NULL;
    return at != NULL;
}

/* Transaction control, and what must not stand in a subtransaction. */
static bool is_control(const struct unit *unit)
{
    static const char *const tags[] = {"SAVEPOINT", "RELEASE", "ROLLBACK", "COMMIT",
                                       "PREPARE TRANSACTION"};
    if (!unit->sql || unit->facts.opens_transaction || unit->facts.ends_transaction)
        return true;
    for (size_t i = 0; i < sizeof(tags) / sizeof(tags[0]); i++)
        if (is_tag(unit, tags[i]))
            return true;
    /* SET TRANSACTION; COPY ... FREEZE wants its table to be of this very subtransaction. */
    return (is_tag(unit, "SET") && has_word(unit, "transaction")) ||
           (is_tag(unit, "COPY") && has_word(unit, "freeze"));
}

static bool is_commit(const struct unit *unit)
{
    return unit->is_ours || (unit->sql && is_tag(unit, "COMMIT"));
}

/* --- transactions of the client --- */

/* Behind SAVEPOINT, RELEASE and ROLLBACK TO: the last word of the statement. */
static char *last_word(struct arena *arena, const char *sql)
{
    struct text text = rh_text_trim(rh_text(sql));
    while (text.len > 0 && (text.data[text.len - 1] == ';' || text.data[text.len - 1] == ' '))
        text.len--;
    size_t begin = text.len;
    while (begin > 0 && !strchr(" \t\r\n", text.data[begin - 1]))
        begin--;
    return rh_arena_strndup(arena, text.data + begin, text.len - begin);
}

static void cut_savepoints(struct guarded *guarded, const char *name, bool keeps_it)
{
    for (size_t i = guarded->savepoints.count; i > 0; i--)
        if (strcasecmp(guarded->savepoints.items[i - 1], name) == 0) {
            guarded->savepoints.count = keeps_it ? i : i - 1;
            return;
        }
}

/* A statement of the client went well. */
static void follow_transaction(struct guarded *guarded)
{
    const struct unit *unit = &guarded->unit;
    struct arena *arena = guarded->transaction_arena;
    if (guarded->status == 'I') {
        rh_arena_clear(arena);
        memset(&guarded->savepoints, 0, sizeof(guarded->savepoints));
        memset(&guarded->made, 0, sizeof(guarded->made));
        return;
    }
    if (!unit->sql)
        return;
    if (is_tag(unit, "SAVEPOINT"))
        *RH_PUSH(arena, &guarded->savepoints) = last_word(arena, unit->sql);
    else if (is_tag(unit, "RELEASE"))
        cut_savepoints(guarded, last_word(arena, unit->sql), false);
    else if (is_tag(unit, "ROLLBACK"))
        cut_savepoints(guarded, last_word(arena, unit->sql), true);
    else if (!is_control(unit) && guarded->made.count < MADE_MAX)
        *RH_PUSH(arena, &guarded->made) = rh_arena_strndup(arena, unit->sql,
                                                           strnlen(unit->sql, STATEMENT_TEXT_MAX));
}

/* --- beginning --- */

static void set_place(struct guarded *guarded, struct unit *unit, const char *sql)
{
    struct second_pass *pass = guarded->pass;
    unit->line = pass->line;
    unit->column = pass->column;
    if (pass->script.script.data && sql)
        rh_script_place_find(&pass->script, rh_text(sql), &unit->line, &unit->column);
}

static void clear_unit(struct guarded *guarded)
{
    rh_arena_clear(guarded->unit_arena);
    rh_buf_clear(&guarded->pending);
    guarded->unit = (struct unit){0};
    guarded->copies_in = guarded->copies_out = false;
    guarded->copy_failed = guarded->copy_ended = false;
}

static void count_statement(struct guarded *guarded)
{
    struct second_pass *pass = guarded->pass;
    if (++pass->statement_count == SECOND_PASS_STATEMENTS_MAX + 1)
        rh_second_pass_incomplete(pass, rh_arena_printf(guarded->unit_arena,
                                                        "only the first %d statements were led",
                                                        SECOND_PASS_STATEMENTS_MAX));
}

static void read_facts(struct guarded *guarded)
{
    struct unit *unit = &guarded->unit;
    rh_sql_facts_of_words(rh_text(unit->sql ? unit->sql : ""), guarded->unit_arena, &unit->facts);
    unit->status_before = guarded->status;
}

static void on_savepoint(struct guarded *guarded)
{
    if (guarded->has_failed || guarded->status != 'T') {
        rh_guarded_give_up(guarded, "a savepoint could not be set: %s",
                           guarded->has_failed ? guarded->error.message : "no transaction");
        return;
    }
    guarded->unit.has_savepoint = true;
    run(guarded);
}

static void on_begun(struct guarded *guarded)
{
    if (guarded->has_failed || guarded->status != 'T') {
        rh_guarded_give_up(guarded, "a transaction could not be opened");
        return;
    }
    rh_guarded_command(guarded, "SAVEPOINT " SAVEPOINT_UNIT, on_savepoint);
}

/* --- which errors are kept from the client --- */

static bool is_interposed(struct guarded *guarded)
{
    struct second_pass *pass = guarded->pass;
    const struct unit *unit = &guarded->unit;
    const char *sqlstate = guarded->error.sqlstate;
    const char *sql = unit->is_ours ? "COMMIT" : unit->sql;
    if (unit->is_opaque || !sql || unit->status_before == 'E' ||
        rh_second_pass_is_circumstance(sqlstate) ||
        pass->statement_count > SECOND_PASS_STATEMENTS_MAX)
        return false;
    if (pass->blockers.count >= SECOND_PASS_BLOCKERS_MAX) {
        rh_second_pass_incomplete(pass, rh_arena_printf(guarded->unit_arena,
                                                        "it ended at the first %d blockers",
                                                        SECOND_PASS_BLOCKERS_MAX));
        return false;
    }
    bool needs = rh_needs_find(&guarded->error, sql, pass->skipped.items, pass->skipped.count) >= 0;
    switch (rh_second_pass_first(pass, sql, sqlstate)) {
    case FIRST_FAILED:
        return true;
    case FIRST_SURVIVED:
        return needs;
    case FIRST_UNKNOWN:
        break;
    }
    if (needs)
        return true;
    if ((guarded->savepoints.count > 0 && !is_commit(unit)) ||
        (is_tag(unit, "SELECT") && strncmp(sqlstate, "42", 2) == 0)) {
        pass->left_error = rh_arena_printf(
            pass->options.arena, "an error was left to the command, which then ended: %s (%s)",
            guarded->error.message ? guarded->error.message : "", sqlstate);
        return false;
    }
    return true;
}

/* --- deferred constraints: told before the COMMIT, while the transaction still lives --- */

static void on_checks_released(struct guarded *guarded)
{
    guarded->unit.has_savepoint = false;
    if (guarded->has_failed)
        rh_guarded_give_up(guarded, "a savepoint could not be released");
    else
        run(guarded);
}

static void on_checks_back(struct guarded *guarded)
{
    if (guarded->has_failed)
        rh_guarded_give_up(guarded, "a savepoint could not be rolled back");
    else
        rh_guarded_command(guarded, "RELEASE SAVEPOINT " SAVEPOINT_UNIT, on_checks_released);
}

static void on_checked(struct guarded *guarded)
{
    if (!guarded->has_failed || !is_interposed(guarded)) {
        rh_guarded_command(guarded, "ROLLBACK TO SAVEPOINT " SAVEPOINT_UNIT, on_checks_back);
        return;
    }
    guarded->asks_commit = true;
    rh_ask_begin(guarded);
}

static void on_check_savepoint(struct guarded *guarded)
{
    if (guarded->has_failed) {
        rh_guarded_give_up(guarded, "a savepoint could not be set: %s", guarded->error.message);
        return;
    }
    guarded->unit.has_savepoint = true;
    rh_guarded_command(guarded, "SET CONSTRAINTS ALL IMMEDIATE", on_checked);
}

/* --- CONCURRENTLY: what fails half-way leaves an invalid index, which would fail what comes behind
 * --- */

#define INVALID_INDEXES_SQL                                                            \
    "SELECT coalesce(string_agg(indexrelid::text, ','), '') FROM pg_catalog.pg_index " \
    "WHERE NOT indisvalid"
#define DROP_INVALID_SQL                                                                    \
    "DO $rehearse$ DECLARE rehearse_index regclass; BEGIN FOR rehearse_index IN SELECT "    \
    "indexrelid FROM pg_catalog.pg_index WHERE NOT indisvalid AND indexrelid::text <> ALL " \
    "(string_to_array('%s', ',')) LOOP EXECUTE 'DROP INDEX ' || rehearse_index::text; "     \
    "END LOOP; END $rehearse$"

static void on_invalid_known(struct guarded *guarded)
{
    if (!guarded->has_failed && guarded->answer.rows == 1)
        guarded->unit.invalid_before = rh_arena_strdup(guarded->unit_arena,
                                                       guarded->answer.values.items[0]);
    run(guarded);
}

static void on_cleaned_up(struct guarded *guarded)
{
    if (guarded->has_failed)
        rh_second_pass_incomplete(guarded->pass,
                                  "an invalid index that a statement left could not be dropped");
    rh_unit_answer_client(guarded);
}

void rh_unit_clean_up(struct guarded *guarded)
{
    const char *before = guarded->unit.invalid_before;
    if (before)
        rh_guarded_command(guarded, rh_arena_printf(guarded->unit_arena, DROP_INVALID_SQL, before),
                           on_cleaned_up);
    else
        rh_unit_answer_client(guarded);
}

/* A question is a simple query, which takes the client's unnamed statement. */
static bool may_be_asked_about(const struct guarded *guarded)
{
    const struct unit *unit = &guarded->unit;
    return !unit->is_extended || (unit->expected.count > 0 && unit->expected.items[0].type == 'P');
}

static void begin(struct guarded *guarded)
{
    struct unit *unit = &guarded->unit;
    bool leads = guarded->pass->statement_count <= SECOND_PASS_STATEMENTS_MAX && !unit->is_opaque;
    /* An implicit transaction that goes on behind this unit. */
    bool goes_on = unit->is_extended ? !unit->ends_in_sync && (unit->has_execute || unit->has_bind)
                                     : guarded->batch.statements.count > 1;
    if (leads && guarded->status == 'T' && is_commit(unit)) {
        rh_guarded_command(guarded, "SAVEPOINT " SAVEPOINT_UNIT, on_check_savepoint);
    } else if (!leads || guarded->status == 'E' || is_control(unit)) {
        run(guarded);
    } else if (guarded->status == 'T') {
        rh_guarded_command(guarded, "SAVEPOINT " SAVEPOINT_UNIT, on_savepoint);
    } else if (goes_on && !(unit->is_extended && unit->facts.forbids_transaction)) {
        guarded->wraps = true;
        rh_guarded_command(guarded, "BEGIN", on_begun);
    } else if (unit->facts.is_concurrently && may_be_asked_about(guarded)) {
        rh_guarded_question(guarded, INVALID_INDEXES_SQL, on_invalid_known);
    } else {
        run(guarded);
    }
}

void rh_unit_begin_pending(struct guarded *guarded, bool ends_in_sync)
{
    struct unit *unit = &guarded->unit;
    unit->is_extended = true;
    unit->ends_in_sync = ends_in_sync;
    guarded->has_batch = false;
    guarded->batch = (struct sql_script){0};
    read_facts(guarded);
    if (unit->has_execute) {
        set_place(guarded, unit, unit->sql);
        count_statement(guarded);
    } else {
        unit->line = guarded->pass->line;
        unit->column = guarded->pass->column;
    }
    begin(guarded);
}

void rh_unit_begin_opaque(struct guarded *guarded)
{
    clear_unit(guarded);
    guarded->unit.is_opaque = true;
    guarded->has_batch = false;
    read_facts(guarded);
    begin(guarded);
}

static void begin_piece(struct guarded *guarded)
{
    const struct sql_statement *piece = &guarded->batch.statements.items[guarded->batch_next++];
    struct unit *unit = &guarded->unit;
    clear_unit(guarded);
    unit->sql = rh_text_dup(guarded->unit_arena, piece->text);
    unit->has_execute = true;
    unit->line = guarded->batch_line;
    unit->column = guarded->batch_column;
    if (unit->line > 0 && piece->line > 1) {
        unit->line += (int)piece->line - 1;
        unit->column = (int)piece->column;
    }
    read_facts(guarded);
    count_statement(guarded);
    begin(guarded);
}

void rh_unit_begin_batch(struct guarded *guarded, struct text sql)
{
    if (sql.len > 0 && sql.data[sql.len - 1] == '\0')
        sql.len--;
    rh_arena_clear(guarded->batch_arena);
    clear_unit(guarded);
    const char *text = rh_text_dup(guarded->batch_arena, sql);
    set_place(guarded, &guarded->unit, text);
    guarded->batch_line = guarded->unit.line;
    guarded->batch_column = guarded->unit.column;
    guarded->batch = (struct sql_script){0};
    guarded->batch_next = 0;
    guarded->has_batch = true;
    rh_sql_split(rh_text(text), guarded->batch_arena, &guarded->batch);
    if (guarded->batch.statements.count > 1) {
        begin_piece(guarded);
        return;
    }
    /* Byte for byte, and the empty string too. */
    guarded->batch_next = 1;
    guarded->unit.sql = text;
    guarded->unit.has_execute = true;
    read_facts(guarded);
    count_statement(guarded);
    begin(guarded);
}

/* --- the statement itself --- */

static void on_answered(struct guarded *guarded);

static void run(struct guarded *guarded)
{
    struct unit *unit = &guarded->unit;
    RH_CLEANUP_BUF struct buf bytes = {0};
    if (unit->is_ours) {
        rh_guarded_command(guarded, "COMMIT", on_answered);
        return;
    }
    rh_buf_init(&bytes, SECOND_PASS_MESSAGE_MAX + 4096);
    if (unit->is_extended) {
        rh_buf_add_text(&bytes, rh_buf_text(&guarded->pending));
        rh_ask_sync(&bytes);
    } else if (!unit->is_opaque) {
        rh_ask_query(&bytes, rh_text(unit->sql));
    }
    rh_guarded_exchange(guarded, rh_buf_text(&bytes), true, on_answered);
}

void rh_unit_run_commit(struct guarded *guarded)
{
    run(guarded);
}

static void on_released(struct guarded *guarded)
{
    if (guarded->has_failed)
        rh_guarded_give_up(guarded, "a savepoint could not be released: %s",
                           guarded->error.message);
    else
        rh_unit_end(guarded);
}

/* --- an error --- */

static void note_left_error(struct guarded *guarded)
{
    struct second_pass *pass = guarded->pass;
    if (!pass->left_error)
        pass->left_error = rh_arena_printf(
            pass->options.arena, "an error that says nothing about the data ended it: %s (%s)",
            guarded->error.message ? guarded->error.message : "", guarded->error.sqlstate);
}

static void ready(struct guarded *guarded)
{
    RH_CLEANUP_BUF struct buf bytes = {0};
    rh_buf_init(&bytes, 64);
    rh_answer_ready(&bytes, guarded->status);
    guarded->has_batch = false;
    guarded->batch = (struct sql_script){0};
    clear_unit(guarded);
    rh_guarded_to_client(guarded, &bytes);
    rh_guarded_resume(guarded);
}

/* The client has its error; what is left of the batch is dropped, as the server would. */
static void on_error_passed(struct guarded *guarded)
{
    guarded->wraps = false;
    if (guarded->status == 'I')
        follow_transaction(guarded);
    if (guarded->has_batch || guarded->unit.is_opaque || guarded->unit.ends_in_sync ||
        guarded->unit.is_ours) {
        ready(guarded);
        return;
    }
    clear_unit(guarded);
    guarded->phase = PHASE_SKIPPING;
    if (guarded->tap_session)
        rh_tap_session_resume(guarded->tap_session);
}

static void pass_error(struct guarded *guarded)
{
    note_left_error(guarded);
    rh_guarded_to_client(guarded, &guarded->error_bytes);
    if (guarded->wraps && guarded->status != 'I')
        rh_guarded_command(guarded, "ROLLBACK", on_error_passed);
    else
        on_error_passed(guarded);
}

static void on_rolled_back(struct guarded *guarded)
{
    if (guarded->has_failed || guarded->status != 'T')
        rh_guarded_give_up(guarded, "a savepoint could not be rolled back to: %s",
                           guarded->has_failed ? guarded->error.message : "no transaction");
    else
        rh_ask_begin(guarded);
}

static void on_answered(struct guarded *guarded)
{
    struct unit *unit = &guarded->unit;
    if (guarded->asks_commit) {
        /* The COMMIT that had to fail; the client hears that it went well. */
        guarded->asks_commit = false;
        if (guarded->has_failed)
            rh_unit_answer_client(guarded);
        else
            rh_guarded_give_up(guarded, "a COMMIT went well that had to fail");
        return;
    }
    if (!guarded->has_failed) {
        follow_transaction(guarded);
        if (unit->has_savepoint && guarded->status == 'T')
            rh_guarded_command(guarded, "RELEASE SAVEPOINT " SAVEPOINT_UNIT, on_released);
        else
            rh_unit_end(guarded);
        return;
    }
    if (!is_interposed(guarded)) {
        pass_error(guarded);
        return;
    }
    if (unit->has_savepoint) {
        guarded->pass->left_error = NULL;
        rh_guarded_command(guarded, "ROLLBACK TO SAVEPOINT " SAVEPOINT_UNIT, on_rolled_back);
    } else if (guarded->status == 'I') {
        rh_ask_begin(guarded);
    } else {
        pass_error(guarded);
    }
}

/* --- as if it had gone well --- */

/* What the server was not left with, it must not be asked for again. */
static void mark_phantom(struct guarded *guarded, const struct expected *expected)
{
    struct names *names = &guarded->names;
    if (expected->type == 'P') {
        struct name *name = rh_names_find(names->prepared, expected->name);
        if (name)
            name->is_phantom = true;
        if (expected->name[0] == '\0')
            rh_buf_clear(&guarded->unnamed);
    } else if (expected->type == 'B') {
        struct name *name = rh_names_find(names->portals, expected->name);
        if (name)
            name->is_phantom = true;
    }
}

void rh_unit_answer_client(struct guarded *guarded)
{
    struct unit *unit = &guarded->unit;
    RH_CLEANUP_BUF struct buf bytes = {0};
    if (guarded->copy_failed && !guarded->copy_ended) {
        guarded->phase = PHASE_COPYING; /* the client still sends rows */
        if (guarded->tap_session)
            rh_tap_session_resume(guarded->tap_session);
        return;
    }
    rh_buf_init(&bytes, SECOND_PASS_MESSAGE_MAX);
    if (guarded->copies_out)
        rh_pg_encode_message(&bytes, 'c', (struct text){"", 0});
    if (unit->is_extended) {
        while (unit->answered < unit->expected.count) {
            const struct expected *expected = &unit->expected.items[unit->answered++];
            mark_phantom(guarded, expected);
            rh_answer_expected(&bytes, expected);
        }
    } else if (!unit->is_ours) {
        rh_answer_complete(&bytes, unit->sql);
    }
    rh_guarded_to_client(guarded, &bytes);
    if (guarded->status == 'I')
        follow_transaction(guarded);
    rh_unit_end(guarded);
}

/* --- the end of a unit, of a batch --- */

void rh_unit_end(struct guarded *guarded)
{
    bool ends_in_sync = guarded->unit.ends_in_sync;
    bool is_ours = guarded->unit.is_ours;
    if (guarded->wraps && guarded->status == 'I')
        guarded->wraps = false; /* a COMMIT or ROLLBACK of the client's own */
    if (guarded->unit.facts.opens_transaction)
        guarded->wraps = false;
    if (is_ours || guarded->unit.is_opaque) {
        ready(guarded);
        return;
    }
    clear_unit(guarded);
    if (guarded->has_batch)
        next_of_batch(guarded);
    else if (ends_in_sync)
        rh_unit_finish_batch(guarded);
    else
        rh_guarded_resume(guarded);
}

static void next_of_batch(struct guarded *guarded)
{
    if (guarded->batch_next < guarded->batch.statements.count)
        begin_piece(guarded);
    else
        rh_unit_finish_batch(guarded);
}

void rh_unit_finish_batch(struct guarded *guarded)
{
    if (!guarded->wraps || guarded->status != 'T') {
        guarded->wraps = false;
        ready(guarded);
        return;
    }
    guarded->wraps = false;
    clear_unit(guarded);
    guarded->unit.is_ours = true;
    guarded->unit.sql = "COMMIT";
    read_facts(guarded);
    begin(guarded);
}
