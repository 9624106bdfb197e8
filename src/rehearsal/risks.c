#include "rehearsal/risks.h"

#include "base/clock.h"
#include "base/interrupt.h"
#include "base/quote.h"

#include <string.h>
#include <strings.h>

/* For what is asked of the migrated database, and of the clone of the starting point. */
#define ANSWERS_MAX_US 20000000
/* Casts are evaluated over all rows of tables up to that size: a second or two (one connection
   computes on some 100 MB of narrow rows in a second). */
#define SAMPLE_OVER_BYTES (INT64_C(256) * 1024 * 1024)
/* Questions of one kind; a migration that raises more is generated, and the first ones tell. */
#define QUESTIONS_MAX 100

/* --- gathering -----------------------------------------------------------------------------------
 */

struct gathering {
    struct rehearsal *rehearsal;
    struct arena *arena;
    const struct trace *trace;
    struct result *result;
    struct risks *risks;
};

/* A part of a name as it is compared: without quotes, the rest folded. */
static bool is_same_name(const char *a, size_t a_len, const char *b, size_t b_len)
{
    if (a_len >= 2 && a[0] == '"') {
        a++;
        a_len -= 2;
    }
    if (b_len >= 2 && b[0] == '"') {
        b++;
        b_len -= 2;
    }
    return a_len == b_len && strncasecmp(a, b, a_len) == 0;
}

/* Whether a name as a statement wrote it can be that relation: by its last part. */
static bool can_be(const char *written, const char *relation)
{
    if (!written || !relation)
        return false;
    const char *a = rh_bare_name(written), *b = rh_bare_name(relation);
    return is_same_name(a, strlen(a), b, strlen(b));
}

static const char *table_of(struct arena *arena, const char *column)
{
    const char *bare = rh_bare_name(column);
    return bare > column ? rh_arena_strndup(arena, column, (size_t)(bare - column - 1)) : NULL;
}

static bool took_effect(const struct trace *trace, const struct statement *top)
{
    return top->ok &&
           (top->transaction < 0 || (size_t)top->transaction >= trace->transactions.count ||
            trace->transactions.items[top->transaction].committed);
}

/* Calls `visit` for each statement that took effect, and for what ran inside it. */
typedef void visit_fn(struct gathering *gathering, const struct statement *top,
                      const struct statement *statement, void *context);

static void visit_statement(struct gathering *gathering, const struct statement *top,
                            const struct statement *statement, visit_fn *visit, void *context)
{
    visit(gathering, top, statement, context);
    for (size_t i = 0; i < statement->children.count; i++)
        visit_statement(gathering, top, &statement->children.items[i], visit, context);
}

static void visit_all(struct gathering *gathering, visit_fn *visit, void *context)
{
    for (size_t i = 0; i < gathering->trace->statements.count; i++) {
        const struct statement *top = &gathering->trace->statements.items[i];
        if (took_effect(gathering->trace, top))
            visit_statement(gathering, top, top, visit, context);
    }
}

/* --- changed types -------------------------------------------------------------------------------
 */

struct type_clause {
    const char *table, *table_before, *column;
    const struct clause *clause;
    int statement;
    size_t count;
    bool was_dropped;
};

static void find_type_clause(struct gathering *gathering, const struct statement *top,
                             const struct statement *statement, void *context)
{
    struct type_clause *wanted = context;
    for (size_t i = 0; i < statement->clauses.count; i++) {
        const struct clause *clause = &statement->clauses.items[i];
        if (clause->kind != CLAUSE_COLUMN_TYPE || !can_be(clause->column, wanted->column) ||
            (!can_be(clause->relation, wanted->table) &&
             !can_be(clause->relation, wanted->table_before)))
            continue;
        wanted->clause = clause;
        wanted->statement = top->index;
        wanted->count++;
    }
    const char *identity = rh_arena_printf(gathering->arena, "%s.%s", wanted->table_before,
                                           wanted->column);
    for (size_t i = 0; i < statement->dropped.count; i++) {
        const struct dropped_object *dropped = &statement->dropped.items[i];
        if (strcmp(dropped->identity, identity) == 0 ||
            strcmp(dropped->identity, wanted->table_before) == 0)
            wanted->was_dropped = true;
    }
}

static bool is_existing_table(const struct gathering *gathering, const char *name)
{
    for (size_t i = 0; i < gathering->trace->relations.count; i++) {
        const struct relation_facts *facts = &gathering->trace->relations.items[i];
        if (name && strcmp(facts->name, name) == 0)
            return !facts->is_empty && facts->kind && strcmp(facts->kind, "table") == 0;
    }
    return false;
}

static bool is_partition(const struct gathering *gathering, const char *table)
{
    const struct data_differences *data = &gathering->result->data_differences;
    for (size_t i = 0; i < data->list.count; i++)
        if (data->list.items[i].table && data->list.items[i].table_parent &&
            strcmp(data->list.items[i].table, table) == 0)
            return true;
    return false;
}

static const struct attribute_change *type_change(const struct schema_difference *difference)
{
    if (strcmp(difference->kind, "table column") != 0 || !difference->parent)
        return NULL;
    for (size_t i = 0; i < difference->attributes.count; i++) {
        const struct attribute_change *change = &difference->attributes.items[i];
        if (strcmp(change->name, "type") == 0 && change->before && change->after)
            return change;
    }
    return NULL;
}

static struct type_clause find_clause(struct gathering *gathering,
                                      const struct schema_difference *difference)
{
    const char *was = difference->identity_before ? difference->identity_before
                                                  : difference->identity;
    struct type_clause wanted = {.table = difference->parent,
                                 .table_before = table_of(gathering->arena, was),
                                 .column = rh_bare_name(was)};
    if (!wanted.table_before)
        wanted.table_before = difference->parent;
    visit_all(gathering, find_type_clause, &wanted);
    return wanted;
}

/* A partition's column goes with that of its table, which alone is named. */
static bool goes_with_another(struct gathering *gathering,
                              const struct schema_difference *difference)
{
    const struct schema_differences *schema = &gathering->result->schema_differences;
    const struct attribute_change *type = type_change(difference);
    for (size_t i = 0; i < schema->list.count; i++) {
        const struct schema_difference *other = &schema->list.items[i];
        const struct attribute_change *its = type_change(other);
        if (its && other != difference && strcmp(its->before, type->before) == 0 &&
            strcmp(its->after, type->after) == 0 &&
            strcmp(rh_bare_name(other->identity), rh_bare_name(difference->identity)) == 0 &&
            find_clause(gathering, other).clause)
            return true;
    }
    return false;
}

static void gather_casts(struct gathering *gathering)
{
    const struct schema_differences *schema = &gathering->result->schema_differences;
    const struct engine *engine = gathering->rehearsal->options->sandbox.engine;
    for (size_t i = 0; i < schema->list.count; i++) {
        const struct schema_difference *difference = &schema->list.items[i];
        const struct attribute_change *type = type_change(difference);
        if (!type || gathering->risks->casts.count >= QUESTIONS_MAX)
            continue;
        struct type_clause found = find_clause(gathering, difference);
        if (!(is_existing_table(gathering, found.table_before) ||
              is_existing_table(gathering, difference->parent)) ||
            is_partition(gathering, difference->parent) || found.was_dropped ||
            (found.clause &&
             !engine->cast_can_lose(type->before, type->after, found.clause->expression != NULL)) ||
            (!found.clause && goes_with_another(gathering, difference)))
            continue;
        *RH_PUSH(gathering->arena, &gathering->risks->casts) = (struct cast_risk){
            .table = difference->parent,
            .column = rh_bare_name(difference->identity),
            .table_before = found.table_before,
            .column_before = found.column,
            .type_before = type->before,
            .type_after = type->after,
            .expression = found.clause ? found.clause->expression : NULL,
            .statement = found.statement ? found.statement : difference->statement,
            .values = NOT_OBSERVED,
            .changed = NOT_OBSERVED,
            .not_asked = !found.clause     ? "the statement that changed its type was not seen"
                         : found.count > 1 ? "its type changed more than once"
                                           : NULL};
    }
}

/* --- steps without effect ------------------------------------------------------------------------
 */

static struct skipped_risk *add_skipped(struct gathering *gathering, enum skip skip, int statement,
                                        const char *name)
{
    if (gathering->risks->skipped.count >= QUESTIONS_MAX)
        return NULL;
    struct skipped_risk *risk = RH_PUSH(gathering->arena, &gathering->risks->skipped);
    *risk = (struct skipped_risk){.skip = skip, .statement = statement, .name = name};
    return risk;
}

static bool is_gathered(const struct risks *risks, const struct clause *clause)
{
    for (size_t i = 0; i < risks->skipped.count; i++)
        if (risks->skipped.items[i].after_relation == clause->after_relation)
            return true;
    return false;
}

/* The clause that a notice is about is in the statement that got it, or inside of that. */
static void gather_existing(struct gathering *gathering, const struct statement *top,
                            const struct statement *statement, const struct server_message *notice,
                            const char *name)
{
    bool is_column = strcmp(notice->sqlstate, "42701") == 0; /* duplicate_column */
    for (size_t i = 0; i < statement->clauses.count; i++) {
        const struct clause *clause = &statement->clauses.items[i];
        if (clause->kind != CLAUSE_IF_NOT_EXISTS || !can_be(clause->column, name) ||
            (strcmp(clause->definition, "table column") == 0) != is_column ||
            is_gathered(gathering->risks, clause))
            continue;
        struct skipped_risk *risk = add_skipped(gathering, SKIPPED_EXISTS, top->index, name);
        if (!risk)
            return;
        risk->kind = clause->definition;
        risk->relation = clause->relation;
        risk->column = clause->column;
        risk->before_relation = clause->before_relation;
        risk->after_relation = clause->after_relation;
    }
    for (size_t i = 0; i < statement->children.count; i++)
        gather_existing(gathering, top, &statement->children.items[i], notice, name);
}

static void gather_skipped(struct gathering *gathering, const struct statement *top,
                           const struct statement *statement, void *context)
{
    (void)context;
    for (size_t i = 0; i < statement->notices.count; i++) {
        const struct server_message *notice = &statement->notices.items[i];
        struct text quoted = rh_quote_first(notice->message);
        if (!quoted.data)
            continue;
        const char *name = rh_text_dup(gathering->arena, quoted);
        /* duplicate_table, which is any relation; duplicate_column */
        if (strcmp(notice->sqlstate, "42P07") == 0 || strcmp(notice->sqlstate, "42701") == 0)
            gather_existing(gathering, top, statement, notice, name);
        else if (strcmp(notice->sqlstate, "00000") == 0 &&
                 strstr(notice->message, "does not exist, skipping") &&
                 strncmp(notice->message, "column ", 7) != 0)
            add_skipped(gathering, SKIPPED_MISSING, top->index, name);
    }
    bool is_code = top->tag && (strcmp(top->tag, "DO") == 0 || strcmp(top->tag, "CALL") == 0 ||
                                strcmp(top->tag, "SELECT") == 0);
    if (statement != top && is_code && !statement->ok && !statement->finished && statement->sql &&
        statement->sql_bytes <= STATEMENT_TEXT_MAX && !strcasestr(statement->sql, "commit")) {
        struct skipped_risk *risk = add_skipped(gathering, SKIPPED_SWALLOWED, top->index, NULL);
        if (risk)
            risk->sql = statement->sql;
    }
}

/* --- UPDATE --------------------------------------------------------------------------------------
 */

static void gather_nulls(struct gathering *gathering, const struct statement *top,
                         const struct statement *statement, void *context)
{
    (void)context;
    for (size_t i = 0; i < statement->clauses.count; i++) {
        const struct clause *clause = &statement->clauses.items[i];
        if (clause->kind != CLAUSE_SET_VALUE || !strchr(clause->columns, ',') ||
            statement->rows <= 0 || gathering->risks->nulls.count >= QUESTIONS_MAX)
            continue;
        *RH_PUSH(gathering->arena,
                 &gathering->risks->nulls) = (struct null_risk){.statement = top->index,
                                                                .table = clause->relation,
                                                                .column = clause->column,
                                                                .expression = clause->expression,
                                                                .sources = clause->columns,
                                                                .updated = statement->rows,
                                                                .filled = NOT_OBSERVED,
                                                                .rows = NOT_OBSERVED};
    }
}

/* --- asking --------------------------------------------------------------------------------------
 */

typedef VEC(const char *) name_list;

static void add_name(struct gathering *gathering, name_list *names, const char *name)
{
    for (size_t i = 0; i < names->count; i++)
        if (strcmp(names->items[i], name) == 0)
            return;
    *RH_PUSH(gathering->arena, names) = name;
}

/* Tables that the migration touched or whose rows differ. */
static name_list touched_tables(struct gathering *gathering)
{
    name_list names = {0};
    const struct data_differences *data = &gathering->result->data_differences;
    for (size_t i = 0; i < gathering->trace->relations.count; i++)
        add_name(gathering, &names, gathering->trace->relations.items[i].name);
    for (size_t i = 0; i < data->list.count; i++)
        if (data->list.items[i].table && data->list.items[i].subject != DATA_SEQUENCE)
            add_name(gathering, &names, data->list.items[i].table);
    return names;
}

/* The user's interrupt and the clock of the run end it; whatever else failed is said. */
static enum err_code note(struct gathering *gathering, const char *what, enum err_code code,
                          const struct err *why, struct err *err)
{
    if (!code)
        return RH_OK;
    if (rh_interrupt_check(err))
        return err->code;
    *RH_PUSH(gathering->arena, &gathering->risks->not_asked) = rh_arena_printf(
        gathering->arena, "%s: %s", what, why->message);
    return RH_OK;
}

static enum err_code ask_afterwards(struct gathering *gathering, const struct risks_before *before,
                                    const name_list *tables, struct err *err)
{
    struct rehearsal *rehearsal = gathering->rehearsal;
    const struct engine *engine = rehearsal->options->sandbox.engine;
    struct risks *risks = gathering->risks;
    struct arena *arena = gathering->arena;
    struct connection_parameters superuser = rh_sandbox_superuser(rehearsal->sandbox);
    struct mono deadline = rh_clock_after(rh_clock_mono(), ANSWERS_MAX_US);
    struct connection *connection = NULL;
    struct err why = RH_ERR_INIT;
    superuser.application_name = "rehearse/risks";
    enum err_code code = engine->connect(&superuser, deadline, &connection, &why);
    if (code)
        return note(gathering, "risks", code, &why, err);
    if (before->reason)
        *RH_PUSH(arena, &risks->not_asked) = rh_arena_printf(arena, "statistics and counters: %s",
                                                             before->reason);
    else
        code = note(
            gathering, "statistics and counters",
            engine->compare_risk_marks(connection, &before->marks, arena, deadline, risks, &why),
            &why, err);
    if (!code && tables->count > 0)
        code = note(gathering, "keys and sequences",
                    engine->ask_keys(connection, tables->items, tables->count, arena, deadline,
                                     risks, &why),
                    &why, err);
    if (!code && risks->nulls.count > 0)
        code = note(gathering, "values that became NULL",
                    engine->ask_nulls(connection, risks->nulls.items, risks->nulls.count, arena,
                                      deadline, &why),
                    &why, err);
    if (!code && risks->skipped.count > 0)
        code = note(
            gathering, "steps without effect",
            engine->ask_skipped(connection, rh_sandbox_migration_role(rehearsal->sandbox).user,
                                risks->skipped.items, risks->skipped.count, arena, deadline, &why),
            &why, err);
    engine->close(connection);
    return code;
}

/* Those that were behind already: nothing that this migration did. */
static void mark_old_sequences(struct risks *risks, const struct risks *old)
{
    for (size_t i = 0; i < risks->sequences.count; i++)
        for (size_t j = 0; j < old->sequences.count; j++)
            if (strcmp(risks->sequences.items[i].sequence, old->sequences.items[j].sequence) == 0)
                risks->sequences.items[i].was_behind = true;
}

static bool is_to_confirm(const struct skipped_risk *risk)
{
    return risk->skip == SKIPPED_EXISTS && risk->differences.count > 0;
}

/* What a step met may have been changed by a later one: what it was before the run decides, where
   it was there. */
static enum err_code confirm_skipped(struct gathering *gathering, struct connection *connection,
                                     const char *role, struct mono deadline, struct err *err)
{
    const struct engine *engine = gathering->rehearsal->options->sandbox.engine;
    struct risks *risks = gathering->risks;
    enum err_code code = RH_OK;
    for (size_t i = 0; !code && i < risks->skipped.count; i++) {
        struct skipped_risk *risk = &risks->skipped.items[i];
        if (!is_to_confirm(risk))
            continue;
        struct skipped_risk before = *risk;
        memset(&before.differences, 0, sizeof(before.differences));
        code = engine->ask_skipped(connection, role, &before, 1, gathering->arena, deadline, err);
        if (!code && !before.not_asked)
            *risk = before;
    }
    return code;
}

static enum err_code ask_of_the_start(struct gathering *gathering, const name_list *tables,
                                      struct cast_risk *casts, size_t count, struct err *err)
{
    struct rehearsal *rehearsal = gathering->rehearsal;
    const struct engine *engine = rehearsal->options->sandbox.engine;
    struct risks *risks = gathering->risks;
    RH_CLEANUP_SANDBOX struct sandbox *clone = NULL;
    struct connection *connection = NULL;
    struct risks old = {0};
    struct err why = RH_ERR_INIT;
    enum err_code code = rh_rehearsal_clone(rehearsal, &clone, &why);
    struct mono deadline = rh_clock_after(rh_clock_mono(), ANSWERS_MAX_US);
    if (!code) {
        struct connection_parameters superuser = rh_sandbox_superuser(clone);
        superuser.application_name = "rehearse/risks";
        code = engine->connect(&superuser, deadline, &connection, &why);
    }
    if (code)
        return note(gathering, "the data before the run", code, &why, err);
    if (count > 0)
        code = note(gathering, "changed types",
                    engine->ask_casts(connection, casts, count, SAMPLE_OVER_BYTES, gathering->arena,
                                      deadline, &why),
                    &why, err);
    if (!code && risks->sequences.count > 0)
        code = note(gathering, "sequences before the run",
                    engine->ask_keys(connection, tables->items, tables->count, gathering->arena,
                                     deadline, &old, &why),
                    &why, err);
    mark_old_sequences(risks, &old);
    if (!code)
        code = note(gathering, "steps without effect, before the run",
                    confirm_skipped(gathering, connection, rh_sandbox_migration_role(clone).user,
                                    deadline, &why),
                    &why, err);
    engine->close(connection);
    return code;
}

static bool has_to_confirm(const struct risks *risks)
{
    for (size_t i = 0; i < risks->skipped.count; i++)
        if (is_to_confirm(&risks->skipped.items[i]))
            return true;
    return false;
}

/* The casts that have a question to be asked, together at the front. */
static size_t open_casts_first(struct risks *risks)
{
    size_t open = 0;
    for (size_t i = 0; i < risks->casts.count; i++) {
        if (risks->casts.items[i].not_asked)
            continue;
        struct cast_risk cast = risks->casts.items[i];
        risks->casts.items[i] = risks->casts.items[open];
        risks->casts.items[open++] = cast;
    }
    return open;
}

/* What was to be known and is not: said where everything is that was not seen. */
static void tell_unanswered(struct gathering *gathering)
{
    struct trace *trace = &gathering->rehearsal->trace;
    struct risks *risks = gathering->risks;
    struct arena *arena = gathering->arena;
    for (size_t i = 0; i < risks->not_asked.count; i++)
        *RH_PUSH(arena, &trace->not_observed) = rh_arena_printf(arena, "what is at risk: %s",
                                                                risks->not_asked.items[i]);
    for (size_t i = 0; i < risks->casts.count; i++) {
        const struct cast_risk *cast = &risks->casts.items[i];
        if (cast->not_asked)
            *RH_PUSH(arena, &trace->not_observed) = rh_arena_printf(
                arena, "whether values of %s.%s were lost when it became %s: %s", cast->table,
                cast->column, cast->type_after, cast->not_asked);
    }
    for (size_t i = 0; i < risks->skipped.count; i++) {
        const struct skipped_risk *step = &risks->skipped.items[i];
        if (step->not_asked && step->skip == SKIPPED_EXISTS)
            *RH_PUSH(arena, &trace->not_observed) = rh_arena_printf(
                arena, "whether %s %s, which was there, is as it was meant: %s", step->kind,
                step->name, step->not_asked);
    }
}

enum err_code rh_risks_mark(struct rehearsal *rehearsal, struct risks_before *ret_before,
                            struct err *err)
{
    const struct engine *engine = rehearsal->options->sandbox.engine;
    struct connection_parameters superuser = rh_sandbox_superuser(rehearsal->sandbox);
    struct mono deadline = rh_clock_after(rh_clock_mono(), ANSWERS_MAX_US);
    struct connection *connection = NULL;
    struct err why = RH_ERR_INIT;
    *ret_before = (struct risks_before){0};
    superuser.application_name = "rehearse/risks";
    enum err_code code = engine->connect(&superuser, deadline, &connection, &why);
    if (!code)
        code = engine->read_risk_marks(connection, rehearsal->arena, deadline, &ret_before->marks,
                                       &why);
    engine->close(connection);
    if (!code)
        return RH_OK;
    if (rh_interrupt_check(err))
        return err->code;
    ret_before->reason = rh_arena_strdup(rehearsal->arena, why.message);
    return RH_OK;
}

enum err_code rh_risks_ask(struct rehearsal *rehearsal, const struct risks_before *before,
                           struct err *err)
{
    const struct trace *trace = &rehearsal->trace;
    struct result *result = &rehearsal->result;
    struct risks *risks = &result->risks;
    struct gathering gathering = {rehearsal, rehearsal->arena, trace, result, risks};
    if (trace->server_crashed || trace->interrupted || trace->timed_out) {
        risks->reason = "the run was cut short";
        return RH_OK;
    }
    struct mono began = rh_clock_mono();
    rh_progress_phase(rehearsal->options->progress, "ask what is at risk");
    gather_casts(&gathering);
    visit_all(&gathering, gather_skipped, NULL);
    visit_all(&gathering, gather_nulls, NULL);
    name_list tables = touched_tables(&gathering);
    enum err_code code = ask_afterwards(&gathering, before, &tables, err);
    size_t open = open_casts_first(risks);
    if (!code && (open > 0 || risks->sequences.count > 0 || has_to_confirm(risks)))
        code = ask_of_the_start(&gathering, &tables, risks->casts.items, open, err);
    tell_unanswered(&gathering);
    risks->was_asked = true;
    risks->duration_us = rh_clock_mono().us - began.us;
    return code;
}
