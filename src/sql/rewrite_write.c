/* Statements that write: the columns that they name, and what fills them. */
#include "sql/rewrite_int.h"

static const json_t *get(const json_t *node, const char *key)
{
    return rh_tree_get(node, key);
}

/* --- INSERT, UPDATE, DELETE, MERGE ------------------------------------------------------------ */

static const char *schema_of(const json_t *range)
{
    return rh_tree_text(range, "schemaname");
}

static const char *table_of(const json_t *range)
{
    const char *name = rh_tree_text(range, "relname");
    return name != NULL ? name : "";
}

/* Columns that a statement names as those of its table: changed; true for those that are gone. */
static bool change_target(struct rewriting *rewriting, const json_t *target, const json_t *range)
{
    const char *name = rh_tree_text(target, "name");
    size_t found = name == NULL
                       ? TRANSFORM_NONE
                       : rh_rewrite_column_rule(rewriting, schema_of(range), table_of(range), name);
    size_t piece = rh_rewrite_piece_of(rewriting, target);
    if (found == TRANSFORM_NONE)
        return false;
    const struct transform_rule *rule = &rewriting->transform->rules.items[found];
    rewriting->result->matched[found] = true;
    if (rule->kind == TRANSFORM_DROP_COLUMN)
        return true;
    if (piece == PIECE_NONE)
        rh_rewrite_refuse(rewriting, "where it names %s could not be told", name);
    else
        rh_rewrite_put(rewriting, piece, rule->to);
    return false;
}

/* The items between parentheses that begin there; their number, or PIECE_NONE. *ret_end is behind
   them. */
static size_t items_of_row(const struct rewriting *rewriting, size_t open, size_t *firsts,
                           size_t most, size_t *ret_end)
{
    size_t count = 0, at = open + 1;
    if (!rh_rewrite_is_char(rewriting, open, '('))
        return PIECE_NONE;
    for (;;) {
        if (count >= most || at >= rewriting->pieces.count)
            return PIECE_NONE;
        firsts[count++] = at;
        at = rh_rewrite_item_end(rewriting, at);
        if (rh_rewrite_is_char(rewriting, at, ',')) {
            at++;
            continue;
        }
        *ret_end = at + 1;
        return rh_rewrite_is_char(rewriting, at, ')') ? count : PIECE_NONE;
    }
}

/* VALUES (..), (..): what stands for columns that are gone. */
static void take_out_of_rows(struct rewriting *rewriting, const json_t *rows, const bool *gone,
                             size_t count, size_t at)
{
    size_t *firsts = rh_arena_alloc_array(rewriting->arena, count + 2, sizeof(*firsts));
    while (at < rewriting->pieces.count && !rh_rewrite_is_word(rewriting, at, "values") &&
           !rh_rewrite_is_char(rewriting, at, '('))
        at++;
    at++;
    for (size_t i = 0; i < json_array_size(rows); i++) {
        size_t values = json_array_size(get(get(json_array_get(rows, i), "List"), "items"));
        size_t end = 0, found = items_of_row(rewriting, at, firsts, count + 1, &end);
        if (found != values ||
            (i + 1 < json_array_size(rows) && !rh_rewrite_is_char(rewriting, end, ','))) {
            rh_rewrite_refuse(rewriting, "the rows of VALUES could not be told apart");
            return;
        }
        if (values < count) {
            rh_rewrite_refuse(rewriting, "it gives fewer values than it names columns");
            return;
        }
        rh_rewrite_take_out(rewriting, firsts, gone, found);
        at = end + 1;
    }
}

static void walk_rows(struct rewriting *rewriting, const json_t *rows, const bool *gone,
                      const struct rewrite_scope *scope)
{
    rewriting->clause = "VALUES";
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *items = get(get(json_array_get(rows, i), "List"), "items");
        for (size_t j = 0; j < json_array_size(items); j++) {
            if (!gone[j])
                rh_rewrite_node(rewriting, json_array_get(items, j), scope);
        }
    }
}

static bool has_star(const json_t *targets)
{
    for (size_t i = 0; i < json_array_size(targets); i++) {
        const json_t *value = get(get(json_array_get(targets, i), "ResTarget"), "val");
        if (get(value, "ColumnRef") != NULL && rh_rewrite_is_star(get(value, "ColumnRef")))
            return true;
    }
    return false;
}

/* Its columns, and what they are filled with. */
static void walk_inserted(struct rewriting *rewriting, const json_t *insert,
                          const struct rewrite_scope *scope)
{
    const json_t *columns = get(insert, "cols"), *range = get(insert, "relation");
    const json_t *select = get(get(insert, "selectStmt"), "SelectStmt");
    const json_t *rows = get(select, "valuesLists"), *targets = get(select, "targetList");
    size_t count = json_array_size(columns), longest = json_array_size(targets);
    struct select_manner manner = {.naming = NAMES_ARE_PLACES};
    bool any = false;
    for (size_t i = 0; i < json_array_size(rows); i++) {
        size_t values = json_array_size(get(get(json_array_get(rows, i), "List"), "items"));
        longest = values > longest ? values : longest;
    }
    longest = longest > count ? longest : count;
    size_t *firsts = rh_arena_alloc_array(rewriting->arena, longest + 1, sizeof(*firsts));
    bool *gone = rh_arena_alloc_array(rewriting->arena, longest + 1, sizeof(*gone));
    for (size_t i = 0; i < count; i++) {
        const json_t *target = get(json_array_get(columns, i), "ResTarget");
        firsts[i] = rh_rewrite_piece_of(rewriting, target);
        gone[i] = change_target(rewriting, target, range);
        any |= gone[i];
    }
    size_t rule = rh_rewrite_any_column_rule(rewriting, schema_of(range), table_of(range),
                                             TRANSFORM_DROP_COLUMN);
    if (count == 0 && select != NULL && rule != TRANSFORM_NONE) {
        rewriting->result->matched[rule] = true;
        rh_rewrite_refuse(rewriting,
                          "an INSERT without its columns does not tell which value is "
                          "that of %s",
                          rewriting->transform->rules.items[rule].column);
    }
    if (any) {
        rh_rewrite_take_out(rewriting, firsts, gone, count);
        manner.is_gone = gone;
        if (rows == NULL && (has_star(targets) || json_array_size(targets) < count))
            rh_rewrite_refuse(rewriting, "what a dropped column is filled with could not be told");
    }
    if (any && rows != NULL && rewriting->result->why == NULL)
        take_out_of_rows(rewriting, rows, gone, count,
                         rh_rewrite_item_end(rewriting, firsts[count - 1]) + 1);
    if (select == NULL)
        return;
    if (rewriting->result->why == NULL || !any)
        rh_rewrite_select(rewriting, select, scope, manner, NULL);
    if (any && rows != NULL)
        walk_rows(rewriting, rows, gone, scope);
}

/* SET a = 1, (b, c) = (2, 3). */
static void walk_sets(struct rewriting *rewriting, const json_t *list, const json_t *range,
                      const struct rewrite_scope *scope)
{
    size_t count = json_array_size(list);
    size_t *firsts = rh_arena_alloc_array(rewriting->arena, count + 1, sizeof(*firsts));
    bool *gone = rh_arena_alloc_array(rewriting->arena, count + 1, sizeof(*gone));
    bool any = false, has_many = false;
    for (size_t i = 0; i < count; i++) {
        const json_t *target = get(json_array_get(list, i), "ResTarget");
        const json_t *many = get(get(target, "val"), "MultiAssignRef");
        firsts[i] = rh_rewrite_piece_of(rewriting, target);
        gone[i] = change_target(rewriting, target, range);
        any |= gone[i];
        has_many |= many != NULL;
        if (gone[i] || (many != NULL && json_integer_value(get(many, "colno")) > 1))
            continue;
        rh_rewrite_clause(rewriting, "a value of SET", get(target, "val"), scope);
    }
    if (any && has_many)
        rh_rewrite_refuse(rewriting, "a dropped column is set together with others");
    else if (any)
        rh_rewrite_take_out(rewriting, firsts, gone, count);
}

/* ON CONFLICT (a, lower(b)): of plain columns the tree has no place, but they stand first in their
   item. */
static void walk_infer(struct rewriting *rewriting, const json_t *infer, const json_t *range,
                       const struct rewrite_scope *scope)
{
    const json_t *elements = get(infer, "indexElems");
    size_t count = json_array_size(elements), end = 0;
    size_t *firsts = rh_arena_alloc_array(rewriting->arena, count + 1, sizeof(*firsts));
    size_t open = rh_rewrite_piece_of(rewriting, infer);
    if (count > 0 &&
        (open == PIECE_NONE || items_of_row(rewriting, open, firsts, count, &end) != count)) {
        for (size_t i = 0; i < count; i++)
            firsts[i] = PIECE_NONE;
    }
    rewriting->clause = "ON CONFLICT";
    for (size_t i = 0; i < count; i++) {
        const json_t *element = get(json_array_get(elements, i), "IndexElem");
        const char *name = rh_tree_text(element, "name");
        rh_rewrite_node(rewriting, get(element, "expr"), scope);
        size_t found = name == NULL ? TRANSFORM_NONE
                                    : rh_rewrite_column_rule(rewriting, schema_of(range),
                                                             table_of(range), name);
        if (found == TRANSFORM_NONE)
            continue;
        const struct transform_rule *rule = &rewriting->transform->rules.items[found];
        rewriting->result->matched[found] = true;
        if (rule->kind == TRANSFORM_DROP_COLUMN)
            rh_rewrite_refuse(rewriting, "%s.%s is used in ON CONFLICT", rule->table, name);
        else if (!rh_rewrite_is_name(rewriting, firsts[i], name))
            rh_rewrite_refuse(rewriting, "where it names %s could not be told", name);
        else
            rh_rewrite_put(rewriting, firsts[i], rule->to);
    }
    rh_rewrite_node(rewriting, get(infer, "whereClause"), scope);
}

void rh_rewrite_insert(struct rewriting *rewriting, const json_t *insert,
                       const struct rewrite_scope *outer, struct select_manner manner,
                       struct exposure *ret_shows)
{
    struct rewrite_scope around = {.outer = outer};
    const json_t *range = get(insert, "relation"), *conflict = get(insert, "onConflictClause");
    rh_rewrite_with(rewriting, get(insert, "withClause"), &around);
    struct rewrite_scope scope = {.outer = &around};
    struct rewrite_scope both = {.outer = &around};
    struct scope_item target = *rh_rewrite_add_table(rewriting, &scope, range, false);
    walk_inserted(rewriting, insert, &around);
    *RH_PUSH(rewriting->arena, &both.items) = target;
    target.name = "excluded";
    target.range = NULL;
    target.rename = TRANSFORM_NONE;
    *RH_PUSH(rewriting->arena, &both.items) = target;
    walk_infer(rewriting, get(conflict, "infer"), range, &scope);
    walk_sets(rewriting, get(conflict, "targetList"), range, &both);
    rh_rewrite_clause(rewriting, "WHERE", get(conflict, "whereClause"), &both);
    (void)rh_rewrite_targets(rewriting, get(insert, "returningList"), &scope, manner, ret_shows);
}

void rh_rewrite_update(struct rewriting *rewriting, const json_t *update,
                       const struct rewrite_scope *outer, struct select_manner manner,
                       struct exposure *ret_shows)
{
    struct rewrite_scope scope = {.outer = outer};
    const json_t *range = get(update, "relation");
    rh_rewrite_with(rewriting, get(update, "withClause"), &scope);
    (void)rh_rewrite_add_table(rewriting, &scope, range, false);
    rh_rewrite_from_list(rewriting, get(update, "fromClause"), &scope);
    rh_rewrite_from_list(rewriting, get(update, "usingClause"), &scope);
    walk_sets(rewriting, get(update, "targetList"), range, &scope);
    rh_rewrite_clause(rewriting, "WHERE", get(update, "whereClause"), &scope);
    (void)rh_rewrite_targets(rewriting, get(update, "returningList"), &scope, manner, ret_shows);
}

void rh_rewrite_merge(struct rewriting *rewriting, const json_t *merge,
                      const struct rewrite_scope *outer)
{
    struct rewrite_scope scope = {.outer = outer};
    const json_t *range = get(merge, "relation"), *whens = get(merge, "mergeWhenClauses");
    rh_rewrite_with(rewriting, get(merge, "withClause"), &scope);
    (void)rh_rewrite_add_table(rewriting, &scope, range, false);
    rh_rewrite_from(rewriting, get(merge, "sourceRelation"), &scope);
    rh_rewrite_clause(rewriting, "ON", get(merge, "joinCondition"), &scope);
    for (size_t i = 0; i < json_array_size(whens); i++) {
        const json_t *when = get(json_array_get(whens, i), "MergeWhenClause");
        const json_t *targets = get(when, "targetList");
        rh_rewrite_clause(rewriting, "WHEN", get(when, "condition"), &scope);
        for (size_t t = 0; t < json_array_size(targets); t++) {
            const json_t *target = get(json_array_get(targets, t), "ResTarget");
            if (change_target(rewriting, target, range))
                rh_rewrite_refuse(rewriting, "%s is filled by a MERGE",
                                  rh_tree_text(target, "name"));
            rh_rewrite_clause(rewriting, "MERGE", get(target, "val"), &scope);
        }
        rh_rewrite_clause(rewriting, "MERGE", get(when, "values"), &scope);
    }
}

/* --- COPY ------------------------------------------------------------------------------------- */

/* Its columns stand between the parentheses behind the table; the tree has no place of them. */
void rh_rewrite_copy(struct rewriting *rewriting, const json_t *copy,
                     const struct rewrite_scope *outer)
{
    const json_t *range = get(copy, "relation"), *names = get(copy, "attlist");
    if (get(copy, "query") != NULL) {
        rh_rewrite_statement(rewriting, get(copy, "query"), outer,
                             (struct select_manner){.naming = NAMES_MAY_CHANGE}, NULL);
        return;
    }
    rh_rewrite_lone_table(rewriting, range);
    size_t at = rh_rewrite_piece_of(rewriting, range);
    size_t drops = rh_rewrite_any_column_rule(rewriting, schema_of(range), table_of(range),
                                              TRANSFORM_DROP_COLUMN);
    if (json_array_size(names) == 0 && drops != TRANSFORM_NONE) {
        rewriting->result->matched[drops] = true;
        rh_rewrite_refuse(rewriting, "COPY has the data of a dropped column");
    }
    while (at < rewriting->pieces.count && !rh_rewrite_is_char(rewriting, at, '('))
        at++;
    for (size_t i = 0; i < json_array_size(names); i++) {
        const char *name = rh_tree_string(names, i);
        size_t found = rh_rewrite_column_rule(rewriting, schema_of(range), table_of(range),
                                              name != NULL ? name : "");
        size_t piece = at + 1 + 2 * i;
        if (found == TRANSFORM_NONE)
            continue;
        const struct transform_rule *rule = &rewriting->transform->rules.items[found];
        rewriting->result->matched[found] = true;
        if (rule->kind == TRANSFORM_DROP_COLUMN)
            rh_rewrite_refuse(rewriting, "COPY has the data of a dropped column");
        else if (!rh_rewrite_is_name(rewriting, piece, name))
            rh_rewrite_refuse(rewriting, "where it names %s could not be told", name);
        else
            rh_rewrite_put(rewriting, piece, rule->to);
    }
}
