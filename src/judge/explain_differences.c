/*
 * Which statement accounts for which difference between the states before and after.
 *
 * Evidence first: what the server reported as made, changed or dropped, and which tables were
 * locked for writing. Whether a statement *named* what changed is a question about its words, so
 * that alone is looked up in them: the last part of the name, as a word, whatever stands around it.
 * In doubt a difference counts as named: this is for finding what nobody meant, not for proving
 * intent.
 */
#include "judge/judge_int.h"

#include <ctype.h>
#include <string.h>

/* Ranks: a later statement explains better than an earlier one of the same rank (it had the last
   word), one that names the very object better than one that names what it is a part of. */
struct explaining {
    enum explanation explanation;
    bool is_exact;
};
static const struct explaining explains_not = {EXPLAINED_NOT, false};

static int rank(struct explaining explaining)
{
    switch (explaining.explanation) {
    case EXPLAINED_NOT:
        return 0;
    case EXPLAINED_ALONG:
        return explaining.is_exact ? 2 : 1;
    case EXPLAINED_CODE:
        return 3;
    case EXPLAINED_NAMED:
        return explaining.is_exact ? 5 : 4;
    }
    return 0;
}

bool rh_act_has_effect(const struct judgement *judgement, const struct act *act)
{
    const struct trace *trace = judgement->trace;
    int transaction = act->top->transaction;
    if (!act->top->ok || act->is_control)
        return false;
    return trace->outside_only || transaction < 0 ||
           (size_t)transaction >= trace->transactions.count ||
           trace->transactions.items[transaction].committed;
}

/* --- words ---------------------------------------------------------------------------------------
 */

static bool is_name_byte(char c)
{
    return isalnum((unsigned char)c) || c == '_' || c == '$' || (c & 0x80);
}

/* Case is folded also where quotes forbid it: in doubt it is named. */
static bool mentions_word(const char *text, const char *word, size_t len)
{
    for (const char *at = text; len > 0 && *at; at++)
        if (strncasecmp(at, word, len) == 0 && (at == text || !is_name_byte(at[-1])) &&
            !is_name_byte(at[len]))
            return true;
    return false;
}

/* "users" of public.users, of public.users.email the column, of "key on public.users" the key. */
static bool text_names(const struct statement *statement, const char *identity)
{
    if (!identity || !statement->sql)
        return false;
    if (statement->sql_bytes > STATEMENT_TEXT_MAX)
        return true; /* the rest of it was not kept */
    const char *on = strstr(identity, " on ");
    const char *end = on ? on : strpbrk(identity, "(");
    struct text whole = {identity, end ? (size_t)(end - identity) : strlen(identity)};
    const char *last = on ? identity : rh_bare_name(identity);
    size_t len = whole.len - (size_t)(last - identity);
    if (len >= 2 && last[0] == '"' && last[len - 1] == '"') {
        last++;
        len -= 2;
    }
    return mentions_word(statement->sql, last, len);
}

bool rh_act_names(const struct act *act, const char *identity)
{
    if (text_names(act->top, identity))
        return true;
    /* What ran inside an UPDATE are a trigger's words or the server's own, for a foreign key. */
    bool is_users = !RH_IS_ONE_OF(act->top->tag, "INSERT", "UPDATE", "DELETE", "MERGE", "COPY",
                                  "TRUNCATE TABLE");
    return act->statement != act->top && is_users && text_names(act->statement, identity);
}

/* --- objects -------------------------------------------------------------------------------------
 */

static bool is_same(const char *a, const char *b)
{
    return a && b && strcmp(a, b) == 0;
}

static bool alters(const struct statement *statement, const char *identity)
{
    for (size_t i = 0; i < statement->altered.count; i++)
        if (is_same(statement->altered.items[i].identity, identity))
            return true;
    return false;
}

static const struct dropped_object *drops(const struct statement *statement, const char *identity)
{
    for (size_t i = 0; i < statement->dropped.count; i++)
        if (is_same(statement->dropped.items[i].identity, identity))
            return &statement->dropped.items[i];
    return NULL;
}

/* What changes no object but by a function it calls. */
static bool is_plain_query(const struct statement *statement)
{
    return RH_IS_ONE_OF(statement->tag, "SELECT", "INSERT", "UPDATE", "DELETE", "MERGE", "COPY",
                        "TRUNCATE TABLE", "DO", "CALL", "EXPLAIN", "FETCH", "DECLARE CURSOR");
}

/* No event trigger says whose privileges a GRANT changed; ALTER TABLE changes none. */
static bool is_of_privileges(const struct schema_difference *difference)
{
    for (size_t i = 0; i < difference->attributes.count; i++)
        if (strncmp(difference->attributes.items[i].name, "privileges of ", 14) != 0)
            return false;
    return difference->attributes.count > 0 && difference->change == DIFFERENCE_CHANGED;
}

static struct explaining explain_object(const struct act *act,
                                        const struct schema_difference *difference)
{
    const struct statement *statement = act->statement;
    const char *const names[] = {difference->identity, difference->identity_before,
                                 difference->parent};
    /* What went with a table that was dropped and made again: nobody named that. */
    bool went_along = difference->parent_recreated && difference->change == DIFFERENCE_REMOVED;
    const struct dropped_object *own = drops(statement, difference->identity);
    if (own)
        return (struct explaining){own->named ? EXPLAINED_NAMED : EXPLAINED_ALONG, true};
    if (alters(statement, difference->identity) || alters(statement, difference->identity_before))
        return (struct explaining){EXPLAINED_NAMED, !is_of_privileges(difference)};
    if (went_along)
        return drops(statement, difference->parent) ? (struct explaining){EXPLAINED_ALONG, true}
                                                    : explains_not;
    bool is_named = rh_act_names(act, difference->identity) ||
                    rh_act_names(act, difference->identity_before);
    /* Columns of many tables have the same name. */
    bool names_parent = !RH_IS_ONE_OF(difference->kind, "table column") ||
                        rh_act_names(act, difference->parent);
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        if (alters(statement, names[i]) || drops(statement, names[i]))
            return (struct explaining){EXPLAINED_NAMED, is_named};
    /* GRANT, roles, settings, event triggers, CLUSTER: what no event trigger reports by name. */
    if (RH_IS_ONE_OF(statement->tag, "REASSIGN OWNED", "DROP OWNED"))
        return (struct explaining){EXPLAINED_CODE, true};
    if (is_named && names_parent && statement->tag && !is_plain_query(statement))
        return (struct explaining){EXPLAINED_NAMED, true};
    if ((RH_IS_ONE_OF(difference->kind, "default acl") &&
         RH_IS_ONE_OF(statement->tag, "ALTER DEFAULT PRIVILEGES")) ||
        (RH_IS_ONE_OF(difference->kind, "setting") &&
         RH_IS_ONE_OF(statement->tag, "ALTER ROLE", "ALTER DATABASE")))
        return (struct explaining){EXPLAINED_NAMED, false};
    for (size_t i = 0; i < statement->locks.count; i++)
        for (size_t j = 0; j < sizeof(names) / sizeof(*names); j++)
            if (is_same(statement->locks.items[i].relation, names[j]) &&
                !RH_IS_ONE_OF(statement->locks.items[i].mode, "AccessShareLock", "RowShareLock",
                              "RowExclusiveLock"))
                return (struct explaining){EXPLAINED_ALONG, true};
    /* Perhaps its table had another name by then. */
    return is_named && !names_parent && statement->tag && !is_plain_query(statement)
               ? (struct explaining){EXPLAINED_ALONG, false}
               : explains_not;
}

/* --- rows ----------------------------------------------------------------------------------------
 */

static bool changes_rows(const struct statement *statement)
{
    return RH_IS_ONE_OF(statement->tag, "INSERT", "UPDATE", "DELETE", "MERGE", "COPY",
                        "TRUNCATE TABLE", "DO", "CALL", "SELECT", "EXECUTE");
}

static bool rewrites(const struct statement *statement, const char *table)
{
    for (size_t i = 0; i < statement->rewrites.count; i++)
        if (is_same(statement->rewrites.items[i].relation, table))
            return true;
    return false;
}

static bool touches(const struct statement *statement, const char *table)
{
    if (!table)
        return false;
    for (size_t i = 0; i < statement->locks.count; i++)
        if (is_same(statement->locks.items[i].relation, table) &&
            !RH_IS_ONE_OF(statement->locks.items[i].mode, "AccessShareLock", "RowShareLock"))
            return true;
    return rewrites(statement, table) || alters(statement, table) ||
           drops(statement, table) != NULL;
}

/* A lock that an earlier statement of its transaction took is not taken again. */
static bool touched_before(const struct judgement *judgement, const struct statement *top,
                           const char *table)
{
    const struct trace *trace = judgement->trace;
    for (size_t i = 0; table && top->transaction >= 0 && i < trace->statements.count; i++) {
        const struct statement *before = &trace->statements.items[i];
        if (before->index >= top->index)
            break;
        if (before->transaction == top->transaction && touches(before, table))
            return true;
    }
    return false;
}

/* Where nothing reports what was made or altered, the words are all there is. */
static bool is_told(const struct judgement *judgement, const struct act *act,
                    const struct data_difference *difference)
{
    return judgement->trace->outside_only && !is_plain_query(act->statement) &&
           (rh_act_names(act, difference->table) || rh_act_names(act, difference->table_parent));
}

/* Whether a statement of its kind can do that at all: ALTER TABLE, say, takes no row away but with
   a partition. */
static bool can_do(const struct judgement *judgement, const struct act *act,
                   const struct data_difference *difference, const char *column)
{
    const struct statement *statement = act->statement;
    bool is_definition = is_told(judgement, act, difference) ||
                         alters(statement, difference->table) ||
                         alters(statement, difference->table_parent) ||
                         alters(statement, difference->before) || alters(statement, column);
    if (RH_IS_ONE_OF(statement->tag, "REFRESH MATERIALIZED VIEW", "CREATE TABLE AS", "SELECT INTO"))
        return true;
    switch (difference->change) {
    case DIFFERENCE_ADDED:
    case DIFFERENCE_REMOVED:
    case DIFFERENCE_RENAMED:
    case DIFFERENCE_RECREATED:
    case DIFFERENCE_NOT_COMPARED:
        return is_definition;
    case DIFFERENCE_CHANGED:
        break;
    }
    if (changes_rows(statement) || !statement->tag)
        return true;
    if (difference->subject == DATA_ROWS)
        return is_definition && (mentions_word(statement->sql, "attach", 6) ||
                                 mentions_word(statement->sql, "detach", 6));
    return rewrites(statement, difference->table) || difference->type_after;
}

static struct explaining explain_rows(struct judgement *judgement, const struct act *act,
                                      const struct data_difference *difference)
{
    const struct statement *statement = act->statement;
    const char *const tables[] = {difference->table, difference->table_parent,
                                  difference->subject == DATA_COLUMN ? NULL : difference->before};
    const char *column = difference->subject != DATA_COLUMN || !difference->column
                             ? NULL
                             : rh_arena_printf(judgement->arena, "%s.%s", difference->table,
                                               difference->column);
    bool is_touched = false, is_named = false;
    const struct dropped_object *own = drops(statement, column ? column : difference->table);
    if (own)
        return (struct explaining){own->named ? EXPLAINED_NAMED : EXPLAINED_ALONG, true};
    if (!can_do(judgement, act, difference, column))
        return explains_not;
    for (size_t i = 0; i < sizeof(tables) / sizeof(*tables); i++) {
        bool names = rh_act_names(act, tables[i]);
        is_named = is_named || names;
        is_touched = is_touched || touches(statement, tables[i]) ||
                     (names && touched_before(judgement, act->top, tables[i]));
    }
    /* Not seen to be locked, but its locks were not seen at all; samples may have missed some,
       which accounts for rows that a trigger wrote, and for none that vanished. */
    bool only_adds = difference->vanished_values <= 0 &&
                     difference->rows_after >= difference->rows_before;
    bool is_unseen = changes_rows(statement) &&
                     (act->top->observation == OBSERVED_NOT ||
                      (act->top->observation == OBSERVED_SAMPLED && only_adds));
    if (!is_touched && !is_unseen && !is_told(judgement, act, difference))
        return explains_not;
    bool names_column = rh_act_names(act, column);
    if (is_named && difference->vanished_values > 0 && !names_column &&
        RH_IS_ONE_OF(statement->tag, "UPDATE", "INSERT", "MERGE"))
        is_named = false; /* a trigger, perhaps */
    if (is_named)
        return (struct explaining){EXPLAINED_NAMED, !column || names_column};
    return RH_IS_ONE_OF(statement->tag, "DO", "CALL", "SELECT", "EXECUTE") || !statement->tag
               ? (struct explaining){EXPLAINED_CODE, false}
               : (struct explaining){EXPLAINED_ALONG, is_touched};
}

/* A sequence moves by nextval(), a large object is made by a function: what ran is in question. */
static struct explaining explain_counter(const struct act *act)
{
    return changes_rows(act->statement) || act->statement->altered.count > 0
               ? (struct explaining){EXPLAINED_CODE, false}
               : explains_not;
}

/* Returns the rank that now holds. */
static int explain(const struct act *act, struct explaining explaining, int rank_before,
                   enum explanation *explanation, int *statement)
{
    if (explaining.explanation == EXPLAINED_NOT || rank(explaining) < rank_before)
        return rank_before;
    *explanation = explaining.explanation;
    *statement = act->top->index;
    return rank(explaining);
}

static bool is_left_behind(const struct judgement *judgement, const char *identity)
{
    const struct trace *trace = judgement->trace;
    for (size_t i = 0; i < trace->leftovers.count; i++)
        if (!trace->leftovers.items[i].preexisting &&
            strcmp(trace->leftovers.items[i].identity, identity) == 0)
            return true;
    return false;
}

/* The failed statement outside of transactions that names it; NULL: none. */
static const struct act *failed_act_naming(const struct judgement *judgement, const char *identity)
{
    for (size_t i = 0; i < judgement->acts.count; i++) {
        const struct act *act = &judgement->acts.items[i];
        if (!act->top->ok && !act->top->in_transaction && rh_act_names(act, identity))
            return act;
    }
    return NULL;
}

/* A build that fails CONCURRENTLY leaves its index, invalid: what failed has had that effect, and
   explains it better than what merely touched the same table before. */
static void explain_leftovers(struct judgement *judgement, const int *ranks)
{
    struct schema_differences *schema = &judgement->result->schema_differences;
    for (size_t i = 0; i < schema->list.count; i++) {
        struct schema_difference *difference = &schema->list.items[i];
        if (ranks[i] >= rank((struct explaining){EXPLAINED_NAMED, true}) ||
            !is_left_behind(judgement, difference->identity))
            continue;
        const struct act *act = failed_act_naming(judgement, difference->identity);
        if (!act && difference->explanation == EXPLAINED_NOT)
            act = failed_act_naming(judgement, difference->parent);
        if (!act)
            continue;
        difference->explanation = EXPLAINED_NAMED;
        difference->statement = act->top->index;
    }
}

void rh_judgement_explain(struct judgement *judgement)
{
    struct schema_differences *schema = &judgement->result->schema_differences;
    struct data_differences *data = &judgement->result->data_differences;
    int *ranks = rh_arena_alloc_array(judgement->arena, schema->list.count + data->list.count + 1,
                                      sizeof(*ranks));
    for (size_t i = 0; i < judgement->acts.count; i++) {
        const struct act *act = &judgement->acts.items[i];
        if (!rh_act_has_effect(judgement, act))
            continue;
        for (size_t j = 0; j < schema->list.count; j++) {
            struct schema_difference *difference = &schema->list.items[j];
            ranks[j] = explain(act, explain_object(act, difference), ranks[j],
                               &difference->explanation, &difference->statement);
        }
        for (size_t j = 0; j < data->list.count; j++) {
            struct data_difference *difference = &data->list.items[j];
            int *held = &ranks[schema->list.count + j];
            bool is_counter = difference->subject == DATA_SEQUENCE ||
                              difference->subject == DATA_LARGE_OBJECTS;
            *held = explain(
                act, is_counter ? explain_counter(act) : explain_rows(judgement, act, difference),
                *held, &difference->explanation, &difference->statement);
        }
    }
    explain_leftovers(judgement, ranks);
}
