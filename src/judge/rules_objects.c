/* Rules on objects: what was destroyed, what went along unnamed, what was left unfinished. */
#include "judge/judge_int.h"

#include <string.h>

/* Objects listed in one sentence. */
#define OBJECTS_SHOWN 5

static bool is_table_type(const char *type)
{
    return RH_IS_ONE_OF(type, "table", "materialized view", "foreign table", "partitioned table");
}

/* "public.users" of the column "public.users.x"; NULL without a dot outside quotes. */
static const char *table_of_column(struct arena *arena, const char *identity)
{
    const char *bare = rh_bare_name(identity);
    return bare > identity ? rh_arena_strndup(arena, identity, (size_t)(bare - identity - 1))
                           : NULL;
}

/* What a run made it may unmake: of no interest to anyone. */
static bool is_own_creation(const struct judgement *judgement, const struct act *act,
                            const struct dropped_object *dropped)
{
    if (dropped->created_in_run)
        return true;
    const char *relation = dropped->identity;
    if (RH_IS_ONE_OF(dropped->type, "table column"))
        relation = table_of_column(judgement->arena, dropped->identity);
    if (!relation || rh_judgement_facts(judgement, relation))
        return false;
    for (size_t i = 0; i < act->statement->locks.count; i++) {
        const struct lock *lock = &act->statement->locks.items[i];
        if (strcmp(lock->relation, relation) == 0)
            return !lock->preexisting;
    }
    return false;
}

/* --- destructive --- */

/* What the states counted before the run: of a column its values, else rows. NOT_OBSERVED. */
static int64_t counted_before(const struct judgement *judgement, const char *table,
                              const char *column)
{
    const struct data_differences *data = &judgement->result->data_differences;
    for (size_t i = 0; i < data->list.count && table; i++) {
        const struct data_difference *difference = &data->list.items[i];
        if (!difference->table || strcmp(difference->table, table) != 0)
            continue;
        if (!column && difference->rows_before >= 0 &&
            (difference->subject == DATA_TABLE || difference->subject == DATA_ROWS))
            return difference->rows_before;
        const char *was = difference->before ? difference->before : difference->column;
        if (column && difference->subject == DATA_COLUMN && was && strcmp(was, column) == 0 &&
            difference->non_null_before >= 0)
            return difference->non_null_before;
    }
    return NOT_OBSERVED;
}

static int64_t rows_of(const struct judgement *judgement, const struct dropped_object *dropped)
{
    if (dropped->rows >= 0)
        return dropped->rows;
    bool is_column = RH_IS_ONE_OF(dropped->type, "table column");
    int64_t counted = counted_before(
        judgement,
        is_column ? table_of_column(judgement->arena, dropped->identity) : dropped->identity,
        is_column ? rh_bare_name(dropped->identity) : NULL);
    if (counted >= 0)
        return counted;
    const struct relation_facts *facts = is_table_type(dropped->type)
                                             ? rh_judgement_facts(judgement, dropped->identity)
                                             : NULL;
    if (!facts)
        return NOT_OBSERVED;
    return facts->is_empty ? 0 : facts->rows;
}

/* Of the table that a dropped column was in: its values themselves are not counted. */
static int64_t rows_around(const struct judgement *judgement, const struct dropped_object *column)
{
    const struct relation_facts *facts = rh_judgement_facts(
        judgement, table_of_column(judgement->arena, column->identity));
    if (!facts)
        return NOT_OBSERVED;
    return facts->is_empty ? 0 : facts->rows;
}

static const char *say_dropped(struct judgement *judgement, const struct dropped_object *dropped,
                               int64_t rows)
{
    struct arena *arena = judgement->arena;
    bool is_column = RH_IS_ONE_OF(dropped->type, "table column");
    const char *type = is_column                               ? "column "
                       : RH_IS_ONE_OF(dropped->type, "schema") ? "schema "
                                                               : "";
    if (rows >= 0)
        return rh_arena_printf(arena, "%s%s (%s)", type, dropped->identity,
                               rh_say_count(arena, rows, is_column ? "value" : "row"));
    int64_t table_rows = is_column ? rows_around(judgement, dropped) : NOT_OBSERVED;
    if (table_rows >= 0)
        return rh_arena_printf(arena, "%s%s (of %s)", type, dropped->identity,
                               rh_say_count(arena, table_rows, "row"));
    return rh_arena_printf(arena, "%s%s", type, dropped->identity);
}

static void find_drops(const struct rule *rule, struct judgement *judgement, const struct act *act)
{
    struct arena *arena = judgement->arena;
    VEC(const char *) items = {0};
    json_t *objects = json_array();
    int64_t total_rows = 0, weight = 0;
    const char *relation = NULL;
    bool has_column = false, is_schema_first = false;
    for (size_t i = 0; i < act->statement->dropped.count; i++) {
        const struct dropped_object *dropped = &act->statement->dropped.items[i];
        bool is_column = RH_IS_ONE_OF(dropped->type, "table column");
        bool is_schema = RH_IS_ONE_OF(dropped->type, "schema");
        if ((!is_table_type(dropped->type) && !is_column && !is_schema) ||
            is_own_creation(judgement, act, dropped))
            continue;
        int64_t rows = rows_of(judgement, dropped);
        if (rows > 0)
            total_rows += rows;
        int64_t affected = rows < 0 && is_column ? rows_around(judgement, dropped) : rows;
        if (affected > 0)
            weight += affected;
        *RH_PUSH(arena, &items) = say_dropped(judgement, dropped, rows);
        json_t *object = json_object();
        json_object_set_new(object, "type", rh_json_text(dropped->type));
        json_object_set_new(object, "identity", rh_json_text(dropped->identity));
        json_object_set_new(object, "named", json_boolean(dropped->named));
        json_object_set_new(object, "rows", rh_json_count(rows));
        json_array_append_new(objects, object);
        if (!relation) {
            relation = is_column ? table_of_column(arena, dropped->identity) : dropped->identity;
            is_schema_first = is_schema;
        }
        has_column = has_column || is_column;
    }
    if (items.count == 0) {
        json_decref(objects);
        return;
    }
    struct found *found = rh_judgement_add(judgement, rule, SEVERITY_WARNING, act, relation);
    struct finding *finding = &found->finding;
    rh_evidence_json(found, "objects", objects);
    rh_evidence_count(found, "rows", total_rows);
    found->weight = weight;
    finding->title = rh_arena_printf(arena, "dropped for good: %s",
                                     rh_say_list(arena, items.items, items.count, OBJECTS_SHOWN));
    finding->why =
        "Only a backup brings it back; code that still runs and names it fails from that moment "
        "on.";
    if (has_column) {
        finding->advice =
            "Stop using the column in all running versions first (also in SELECT * and ORM "
            "column lists), then drop it in a later deploy. Keep a copy of what is in it.";
    } else {
        finding->advice =
            "Rename it in one deploy, watch that nobody misses it, and drop it in a later one. "
            "Keep a dump of it.";
        finding->advice_sql = rh_arena_printf(arena, "ALTER %s %s RENAME TO %s;",
                                              is_schema_first ? "SCHEMA" : "TABLE", relation,
                                              rh_say_new_name(arena, relation, NULL, "to_drop"));
    }
}

/* Rows a table had before the run; NOT_OBSERVED. */
static int64_t rows_before(const struct judgement *judgement, const char *relation)
{
    int64_t counted = counted_before(judgement, relation, NULL);
    if (counted >= 0)
        return counted;
    const struct relation_facts *facts = rh_judgement_facts(judgement, relation);
    if (!facts)
        return NOT_OBSERVED;
    return facts->is_empty ? 0 : facts->rows;
}

static void find_truncate(const struct rule *rule, struct judgement *judgement,
                          const struct act *act)
{
    struct arena *arena = judgement->arena;
    VEC(const char *) names = {0};
    if (!RH_IS_ONE_OF(act->statement->tag, "TRUNCATE TABLE", "TRUNCATE"))
        return;
    for (size_t i = 0; i < act->statement->rewrites.count; i++) {
        const struct rewrite *rewrite = &act->statement->rewrites.items[i];
        if (rewrite->preexisting && !RH_IS_ONE_OF(rewrite->kind, "index") &&
            !rh_is_toast(rewrite->relation) &&
            !rh_is_one_of(rewrite->relation, names.items, names.count))
            *RH_PUSH(arena, &names) = rewrite->relation;
    }
    /* A small table is emptied in place where its file is new in this very transaction. */
    for (size_t i = 0; i < act->statement->locks.count; i++) {
        const struct lock *lock = &act->statement->locks.items[i];
        if (lock->preexisting && RH_IS_ONE_OF(lock->kind, "table", "partitioned table") &&
            RH_IS_ONE_OF(lock->mode, "AccessExclusiveLock") && !rh_is_toast(lock->relation) &&
            !rh_is_one_of(lock->relation, names.items, names.count))
            *RH_PUSH(arena, &names) = lock->relation;
    }
    VEC(const char *) items = {0};
    int64_t total_rows = 0;
    bool all_empty = true;
    for (size_t i = 0; i < names.count; i++) {
        int64_t rows = rows_before(judgement, names.items[i]);
        all_empty = all_empty && rows == 0;
        if (rows > 0)
            total_rows += rows;
        *RH_PUSH(arena, &items) = rows < 0 ? names.items[i]
                                           : rh_arena_printf(arena, "%s (%s)", names.items[i],
                                                             rh_say_count(arena, rows, "row"));
    }
    if (names.count == 0 || all_empty)
        return;
    struct found *found = rh_judgement_add(judgement, rule, SEVERITY_WARNING, act, names.items[0]);
    struct finding *finding = &found->finding;
    rh_evidence_count(found, "rows", total_rows);
    found->weight = total_rows;
    finding->title = rh_arena_printf(arena, "emptied: %s",
                                     rh_say_list(arena, items.items, items.count, OBJECTS_SHOWN));
    finding->why =
        names.count > 1
            ? "TRUNCATE took all rows at once, with CASCADE also those of tables that refer to "
              "it, and fires no DELETE trigger."
            : "TRUNCATE took all rows at once and fires no DELETE trigger.";
    finding->advice =
        "Keep a dump of the rows, or rename the table away and make a new one, so that there is "
        "a way back.";
}

/* DELETE that took every row: as many as were read in a full scan, or as the table had. */
static void find_delete_all(const struct rule *rule, struct judgement *judgement,
                            const struct act *act)
{
    const struct statement *statement = act->statement;
    if (!RH_IS_ONE_OF(statement->tag, "DELETE") || statement->rows <= 0)
        return;
    const char *relation = NULL;
    for (size_t i = 0; i < statement->scans.count && !relation; i++) {
        const struct scan *scan = &statement->scans.items[i];
        int64_t before = rows_before(judgement, scan->relation);
        if (scan->preexisting && scan->rows == statement->rows && before <= statement->rows)
            relation = scan->relation;
    }
    for (size_t i = 0; i < statement->locks.count && !relation; i++) {
        const struct lock *lock = &statement->locks.items[i];
        int64_t before = rows_before(judgement, lock->relation);
        if (lock->preexisting && RH_IS_ONE_OF(lock->mode, "RowExclusiveLock") &&
            RH_IS_ONE_OF(lock->kind, "table", "partitioned table") && before > 0 &&
            statement->rows >= before)
            relation = lock->relation;
    }
    if (!relation)
        return;
    struct arena *arena = judgement->arena;
    struct found *found = rh_judgement_add(judgement, rule, SEVERITY_WARNING, act, relation);
    struct finding *finding = &found->finding;
    rh_evidence_count(found, "rows", statement->rows);
    found->weight = statement->rows;
    finding->title = rh_arena_printf(arena, "every row of %s was deleted: %s", relation,
                                     rh_say_count(arena, statement->rows, "row"));
    finding->why =
        "All rows the table had are gone. If a WHERE clause was meant, it excluded nothing.";
    finding->advice =
        "Check the condition. If all rows are to go, keep a dump; in batches it holds no row "
        "lock for long, and TRUNCATE needs a brief ACCESS EXCLUSIVE lock instead.";
}

void rh_rule_destructive(const struct rule *rule, struct judgement *judgement)
{
    for (size_t i = 0; i < judgement->acts.count; i++) {
        const struct act *act = &judgement->acts.items[i];
        if (!act->top->ok)
            continue;
        find_drops(rule, judgement, act);
        find_truncate(rule, judgement, act);
        find_delete_all(rule, judgement, act);
    }
}

/* --- unnamed-side-effect --- */

/* The table of "users_email_key on public.users"; NULL. */
static const char *owner_table(const char *identity)
{
    const char *on = NULL;
    for (const char *at = identity; (at = strstr(at, " on ")); at += 4)
        on = at + 4;
    return on;
}

static bool drops(const struct statement *statement, const char *type, const char *identity)
{
    for (size_t i = 0; i < statement->dropped.count; i++) {
        const struct dropped_object *dropped = &statement->dropped.items[i];
        if (RH_IS_ONE_OF(dropped->type, type) && strcmp(dropped->identity, identity) == 0)
            return true;
    }
    return false;
}

static bool drops_any_table(const struct statement *statement)
{
    for (size_t i = 0; i < statement->dropped.count; i++)
        if (is_table_type(statement->dropped.items[i].type))
            return true;
    return false;
}

static bool drops_table(const struct statement *statement, const char *identity)
{
    for (size_t i = 0; i < statement->dropped.count; i++)
        if (is_table_type(statement->dropped.items[i].type) &&
            strcmp(statement->dropped.items[i].identity, identity) == 0)
            return true;
    return false;
}

/* Inside a schema that was itself dropped by name. */
static bool is_in_dropped_schema(const struct statement *statement, const char *identity)
{
    for (size_t i = 0; i < statement->dropped.count; i++) {
        const struct dropped_object *dropped = &statement->dropped.items[i];
        size_t len = strlen(dropped->identity);
        if (RH_IS_ONE_OF(dropped->type, "schema") &&
            strncmp(identity, dropped->identity, len) == 0 && identity[len] == '.')
            return true;
    }
    return false;
}

/* An index that is a constraint's own goes with the constraint that was named. */
static bool is_index_of_dropped_constraint(const struct statement *statement, const char *index)
{
    const char *bare = rh_bare_name(index);
    size_t len = strlen(bare);
    for (size_t i = 0; i < statement->dropped.count; i++) {
        const struct dropped_object *dropped = &statement->dropped.items[i];
        if (RH_IS_ONE_OF(dropped->type, "table constraint") &&
            strncmp(dropped->identity, bare, len) == 0 &&
            strncmp(dropped->identity + len, " on ", 4) == 0)
            return true;
    }
    return false;
}

static const char *locked_table_of_index(const struct statement *statement, const char *index)
{
    for (size_t i = 0; i < statement->locks.count; i++) {
        const struct lock *lock = &statement->locks.items[i];
        if (RH_IS_ONE_OF(lock->kind, "index", "partitioned index") && lock->table &&
            strcmp(lock->relation, index) == 0)
            return lock->table;
    }
    return NULL;
}

/* Since 18 NOT NULL is a constraint of its own, called <table>_<column>_not_null where nobody gave
   it a name ("CREATE TABLE"): it is a part of its column. */
static bool is_not_null_of_dropped_column(struct judgement *judgement,
                                          const struct statement *statement,
                                          const struct dropped_object *constraint,
                                          const char *owner)
{
    struct arena *arena = judgement->arena;
    for (size_t i = 0; i < statement->dropped.count; i++) {
        const struct dropped_object *dropped = &statement->dropped.items[i];
        const char *table = RH_IS_ONE_OF(dropped->type, "table column")
                                ? table_of_column(arena, dropped->identity)
                                : NULL;
        if (!table || strcmp(table, owner) != 0)
            continue;
        const char *name = rh_arena_printf(arena, "%s_%s_not_null", rh_bare_name(table),
                                           rh_bare_name(dropped->identity));
        if (strncmp(constraint->identity, name, strlen(name)) == 0)
            return true;
    }
    return false;
}

/* Parts that cannot outlive what was named: a table's own indexes, constraints, types, TOAST,
 * defaults. */
static bool goes_without_saying(struct judgement *judgement, const struct statement *statement,
                                const struct dropped_object *dropped)
{
    if (RH_IS_ONE_OF(dropped->type, "type", "toast table", "default value", "rule", "toast index"))
        return true;
    if (rh_is_toast(dropped->identity) || is_in_dropped_schema(statement, dropped->identity))
        return true;
    const char *owner = owner_table(dropped->identity);
    if (owner)
        return drops_table(statement, owner) || drops(statement, "view", owner) ||
               is_not_null_of_dropped_column(judgement, statement, dropped, owner) ||
               is_in_dropped_schema(statement, owner);
    if (RH_IS_ONE_OF(dropped->type, "index", "partitioned index")) {
        if (is_index_of_dropped_constraint(statement, dropped->identity))
            return true; /* told as the constraint */
        const char *table = locked_table_of_index(statement, dropped->identity);
        return table ? drops_table(statement, table) : drops_any_table(statement);
    }
    /* A serial's sequence, and the statistics objects of a table. */
    if (RH_IS_ONE_OF(dropped->type, "sequence", "statistics object"))
        return drops_any_table(statement);
    if (RH_IS_ONE_OF(dropped->type, "table column"))
        return false;
    return is_table_type(dropped->type); /* destructive tells them */
}

void rh_rule_unnamed_side_effect(const struct rule *rule, struct judgement *judgement)
{
    struct arena *arena = judgement->arena;
    for (size_t i = 0; i < judgement->acts.count; i++) {
        const struct act *act = &judgement->acts.items[i];
        const struct statement *statement = act->statement;
        if (!act->top->ok)
            continue;
        VEC(const char *) items = {0};
        json_t *objects = json_array();
        const char *named = NULL, *relation = NULL;
        for (size_t j = 0; j < statement->dropped.count; j++) {
            const struct dropped_object *dropped = &statement->dropped.items[j];
            if (dropped->named && !named)
                named = dropped->identity;
            if (dropped->named || is_own_creation(judgement, act, dropped) ||
                goes_without_saying(judgement, statement, dropped))
                continue;
            *RH_PUSH(arena, &items) = rh_arena_printf(arena, "%s %s", dropped->type,
                                                      dropped->identity);
            json_array_append_new(objects, rh_json_text(items.items[items.count - 1]));
            if (!relation)
                relation = owner_table(dropped->identity);
        }
        if (items.count == 0) {
            json_decref(objects);
            continue;
        }
        struct found *found = rh_judgement_add(judgement, rule, SEVERITY_WARNING, act,
                                               relation ? relation : named);
        struct finding *finding = &found->finding;
        rh_evidence_json(found, "objects", objects);
        found->weight = (int64_t)items.count;
        finding->title = rh_arena_printf(
            arena, "went along, though no one named it: %s",
            rh_say_list(arena, items.items, items.count, OBJECTS_SHOWN));
        finding->why = rh_arena_printf(
            arena,
            "The statement named %s; what depended on it was dropped with it, without a word. A "
            "lost "
            "unique constraint or foreign key lets wrong rows in; a lost index makes queries slow.",
            named ? named : "something else");
        finding->advice =
            "Drop each by name if it is meant to go, so that the reviewer sees it; create again "
            "what is still needed. Without CASCADE the server refuses and lists dependents.";
    }
    rh_rule_states_side_effect(rule, judgement);
}

/* --- invalid-left-behind --- */

/* The run's statement that failed while it worked on this table or index; NULL. */
static const struct act *culprit(const struct judgement *judgement, const struct leftover *leftover)
{
    const struct act *any = NULL;
    for (size_t i = 0; i < judgement->acts.count; i++) {
        const struct act *act = &judgement->acts.items[i];
        for (size_t j = 0; j < act->statement->indexes.count; j++) {
            const struct index_work *work = &act->statement->indexes.items[j];
            if (work->index && strcmp(work->index, leftover->identity) == 0)
                return act;
        }
        for (size_t j = 0; j < act->statement->locks.count; j++)
            if (leftover->table && act->statement->locks.items[j].table &&
                strcmp(act->statement->locks.items[j].table, leftover->table) == 0)
                any = act;
    }
    return any;
}

void rh_rule_invalid_left_behind(const struct rule *rule, struct judgement *judgement)
{
    struct arena *arena = judgement->arena;
    const struct trace *trace = judgement->trace;
    bool has_failed = rh_judgement_has_failed_statement(judgement);
    for (size_t i = 0; i < trace->leftovers.count; i++) {
        const struct leftover *leftover = &trace->leftovers.items[i];
        if (leftover->preexisting)
            continue;
        bool is_index = strstr(leftover->kind, "index") != NULL;
        /* A constraint may be left NOT VALID on purpose, to be validated by the next migration:
           then new rows are checked already and nothing is broken. After a failure it is debris. */
        enum severity severity = is_index || has_failed ? SEVERITY_ERROR : SEVERITY_WARNING;
        struct found *found = rh_judgement_add(judgement, rule, severity,
                                               culprit(judgement, leftover), leftover->table);
        struct finding *finding = &found->finding;
        rh_evidence_text(found, "kind", leftover->kind);
        rh_evidence_text(found, "identity", leftover->identity);
        finding->title = leftover->table && !strstr(leftover->identity, " on ")
                             ? rh_arena_printf(arena, "%s %s on %s was left behind", leftover->kind,
                                               leftover->identity, leftover->table)
                             : rh_arena_printf(arena, "%s %s was left behind", leftover->kind,
                                               leftover->identity);
        found->headline = rh_arena_printf(arena, "%s would leave %s %s behind",
                                          rh_judgement_subject(judgement, NULL), leftover->kind,
                                          leftover->identity);
        if (is_index) {
            finding->why =
                "An invalid index is kept up to date by every write and used by no query; a unique "
                "one even rejects rows. CREATE INDEX ... IF NOT EXISTS takes it for done.";
            finding->advice = "Drop it, repair what made the build fail, build it again.";
            finding->advice_sql = rh_arena_printf(arena, "DROP INDEX CONCURRENTLY %s;",
                                                  leftover->identity);
        } else {
            finding->why =
                "New rows are checked, the old ones are not: nothing can rely on the constraint, "
                "and the planner does not.";
            finding->advice =
                "Validate it, in this migration or the next: reads and writes go on meanwhile.";
            const char *on = strstr(leftover->identity, " on ");
            const char *name = on ? rh_arena_strndup(arena, leftover->identity,
                                                     (size_t)(on - leftover->identity))
                                  : rh_bare_name(leftover->identity);
            if (leftover->table)
                finding->advice_sql = rh_arena_printf(
                    arena, "ALTER TABLE %s VALIDATE CONSTRAINT %s;", leftover->table, name);
        }
    }
}
