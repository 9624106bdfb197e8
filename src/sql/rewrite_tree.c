#include "sql/rewrite_int.h"

#include "base/quote.h"

static const json_t *get(const json_t *node, const char *key)
{
    return rh_tree_get(node, key);
}

/* --- FROM ------------------------------------------------------------------------------------- */

static void add_all(struct arena *arena, struct exposure *to, const struct exposure *from)
{
    for (size_t i = 0; i < from->tables.count; i++)
        *RH_PUSH(arena, &to->tables) = from->tables.items[i];
    for (size_t i = 0; i < from->columns.count; i++)
        *RH_PUSH(arena, &to->columns) = from->columns.items[i];
    to->has_unknown |= from->has_unknown;
}

/* Columns that two sides of a join share have no side to belong to. */
static void refuse_shared(struct rewriting *rewriting, const json_t *join,
                          const struct rewrite_scope *scope, size_t first)
{
    const json_t *names = get(join, "usingClause");
    bool is_natural = json_is_true(get(join, "isNatural"));
    for (size_t i = first; i < scope->items.count; i++) {
        const struct scope_item *item = &scope->items.items[i];
        for (size_t n = 0; n < json_array_size(names); n++) {
            const char *name = rh_tree_string(names, n);
            size_t rule = name == NULL ? TRANSFORM_NONE
                                       : rh_rewrite_exposed_rule(rewriting, &item->shows, name);
            if (rule == TRANSFORM_NONE)
                continue;
            rewriting->result->matched[rule] = true;
            rh_rewrite_refuse(rewriting, "%s.%s is used in JOIN USING", item->name, name);
        }
        for (size_t t = 0; is_natural && t < item->shows.tables.count; t++) {
            const struct exposed_table *table = &item->shows.tables.items[t];
            static const enum transform_kind kinds[] = {TRANSFORM_RENAME_COLUMN,
                                                        TRANSFORM_DROP_COLUMN};
            for (size_t k = 0; k < 2; k++) {
                size_t rule = rh_rewrite_any_column_rule(rewriting, table->schema, table->table,
                                                         kinds[k]);
                if (rule == TRANSFORM_NONE)
                    continue;
                rewriting->result->matched[rule] = true;
                rh_rewrite_refuse(rewriting, "%s is in a NATURAL JOIN", item->name);
            }
        }
    }
}

static void add_named(struct rewriting *rewriting, struct rewrite_scope *scope, const json_t *alias,
                      struct exposure shows)
{
    const char *name = rh_tree_text(alias, "aliasname");
    const json_t *columns = get(alias, "colnames");
    for (size_t i = 0; i < json_array_size(columns); i++) {
        const char *column = rh_tree_string(columns, i);
        if (column != NULL)
            *RH_PUSH(rewriting->arena, &shows.columns) = column;
    }
    *RH_PUSH(rewriting->arena, &scope->items) = (struct scope_item){
        .name = name != NULL ? name : "", .rename = TRANSFORM_NONE, .shows = shows};
}

static void gather_join(struct rewriting *rewriting, const json_t *join,
                        struct rewrite_scope *scope)
{
    size_t first = scope->items.count;
    rh_rewrite_from(rewriting, get(join, "larg"), scope);
    rh_rewrite_from(rewriting, get(join, "rarg"), scope);
    refuse_shared(rewriting, join, scope, first);
    /* Its condition sees its own sides only. */
    struct rewrite_scope sides = {.outer = scope->outer, .queries = scope->queries};
    for (size_t i = first; i < scope->items.count; i++)
        *RH_PUSH(rewriting->arena, &sides.items) = scope->items.items[i];
    rewriting->clause = "the condition of a join";
    rh_rewrite_node(rewriting, get(join, "quals"), &sides);
    const json_t *alias = get(join, "alias");
    if (alias == NULL)
        return;
    struct exposure all = {0};
    for (size_t i = first; i < scope->items.count; i++)
        add_all(rewriting->arena, &all, &scope->items.items[i].shows);
    scope->items.count = first;
    add_named(rewriting, scope, alias, all);
}

void rh_rewrite_from(struct rewriting *rewriting, const json_t *item, struct rewrite_scope *scope)
{
    const json_t *node;
    if ((node = get(item, "RangeVar")) != NULL) {
        (void)rh_rewrite_add_table(rewriting, scope, node, true);
    } else if ((node = get(item, "JoinExpr")) != NULL) {
        gather_join(rewriting, node, scope);
    } else if ((node = get(item, "RangeTableSample")) != NULL) {
        rh_rewrite_from(rewriting, get(node, "relation"), scope);
        rh_rewrite_node(rewriting, get(node, "args"), scope);
    } else if ((node = get(item, "RangeSubselect")) != NULL) {
        struct exposure shows = {0};
        struct rewrite_scope around = {.outer = scope->outer, .queries = scope->queries};
        bool is_lateral = json_is_true(get(node, "lateral"));
        rh_rewrite_statement(rewriting, get(node, "subquery"), is_lateral ? scope : &around,
                             (struct select_manner){.naming = NAMES_STAY}, &shows);
        add_named(rewriting, scope, get(node, "alias"), shows);
    } else if (json_object_iter((json_t *)item) != NULL) {
        /* A function or the like: it may use what stands before it. */
        node = json_object_iter_value(json_object_iter((json_t *)item));
        rewriting->clause = "FROM";
        rh_rewrite_node(rewriting, node, scope);
        add_named(rewriting, scope, get(node, "alias"), (struct exposure){.has_unknown = true});
    }
}

void rh_rewrite_from_list(struct rewriting *rewriting, const json_t *list,
                          struct rewrite_scope *scope)
{
    for (size_t i = 0; i < json_array_size(list); i++)
        rh_rewrite_from(rewriting, json_array_get(list, i), scope);
}

void rh_rewrite_with(struct rewriting *rewriting, const json_t *with, struct rewrite_scope *scope)
{
    const json_t *list = get(with, "ctes");
    bool is_recursive = json_is_true(get(with, "recursive"));
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *query = get(json_array_get(list, i), "CommonTableExpr");
        const char *name = rh_tree_text(query, "ctename");
        const json_t *names = get(query, "aliascolnames");
        struct exposure shows = {0};
        /* Its own name within it: what it shows is not known by then. */
        if (is_recursive && name != NULL)
            *RH_PUSH(rewriting->arena, &scope->queries) = (struct with_query){.name = name};
        rh_rewrite_statement(rewriting, get(query, "ctequery"), scope,
                             (struct select_manner){.naming = NAMES_STAY}, &shows);
        for (size_t n = 0; n < json_array_size(names); n++) {
            const char *column = rh_tree_string(names, n);
            if (column != NULL)
                *RH_PUSH(rewriting->arena, &shows.columns) = column;
        }
        if (name != NULL)
            *RH_PUSH(rewriting->arena, &scope->queries) = (struct with_query){name, shows};
    }
}

/* --- expressions ------------------------------------------------------------------------------ */

/* (customers).name, (c.*).name: which token the name is the tree does not say. */
static void refuse_field(struct rewriting *rewriting, const json_t *indirection,
                         const struct rewrite_scope *scope)
{
    const json_t *reference = get(get(indirection, "arg"), "ColumnRef");
    const json_t *fields = get(reference, "fields");
    const char *field = rh_tree_string(get(indirection, "indirection"), 0);
    const char *table = rh_tree_string(fields, 0);
    const struct scope_item *item = field != NULL && table != NULL
                                        ? rh_rewrite_item_of(scope, NULL, table)
                                        : NULL;
    size_t rule = item == NULL ? TRANSFORM_NONE
                               : rh_rewrite_exposed_rule(rewriting, &item->shows, field);
    if (rule == TRANSFORM_NONE)
        return;
    rewriting->result->matched[rule] = true;
    rh_rewrite_refuse(rewriting, "%s is taken from a whole row of %s", field, table);
}

void rh_rewrite_node(struct rewriting *rewriting, const json_t *node,
                     const struct rewrite_scope *scope)
{
    const char *key;
    json_t *value;
    if (json_is_array(node)) {
        for (size_t i = 0; i < json_array_size(node); i++)
            rh_rewrite_node(rewriting, json_array_get(node, i), scope);
        return;
    }
    json_object_foreach((json_t *)node, key, value)
    {
        if (strcmp(key, "ColumnRef") == 0) {
            (void)rh_rewrite_column(rewriting, value, scope, false);
        } else if (strcmp(key, "SelectStmt") == 0) {
            const char *clause = rewriting->clause;
            rh_rewrite_select(rewriting, value, scope, (struct select_manner){.naming = NAMES_STAY},
                              NULL);
            rewriting->clause = clause;
        } else if (json_is_object(value) || json_is_array(value)) {
            if (strcmp(key, "A_Indirection") == 0)
                refuse_field(rewriting, value, scope);
            rh_rewrite_node(rewriting, value, scope);
        }
    }
}

void rh_rewrite_clause(struct rewriting *rewriting, const char *clause, const json_t *node,
                       const struct rewrite_scope *scope)
{
    rewriting->clause = clause;
    rh_rewrite_node(rewriting, node, scope);
}

/* --- select lists ----------------------------------------------------------------------------- */

/* The column that an expression has its name from (parse_target.c, FigureColnameInternal). */
static const json_t *naming_column(const json_t *node)
{
    const json_t *inner;
    for (int depth = 0; node != NULL && depth < SQL_DEPTH_MAX; depth++) {
        if ((inner = get(node, "ColumnRef")) != NULL)
            return inner;
        if ((inner = get(node, "TypeCast")) != NULL ||
            (inner = get(node, "CollateClause")) != NULL) {
            node = get(inner, "arg");
        } else if ((inner = get(node, "CaseExpr")) != NULL) {
            node = get(inner, "defresult");
        } else if ((inner = get(node, "SubLink")) != NULL &&
                   strcmp(rh_tree_text(inner, "subLinkType") ? rh_tree_text(inner, "subLinkType")
                                                             : "",
                          "EXPR_SUBLINK") == 0) {
            const json_t *list = get(get(get(inner, "subselect"), "SelectStmt"), "targetList");
            const json_t *first = get(json_array_get(list, 0), "ResTarget");
            node = rh_tree_text(first, "name") != NULL ? NULL : get(first, "val");
        } else {
            return NULL;
        }
    }
    return NULL;
}

static const char *last_field(const json_t *reference)
{
    const json_t *fields = get(reference, "fields");
    size_t count = json_array_size(fields);
    return count > 0 ? rh_tree_string(fields, count - 1) : NULL;
}

bool rh_rewrite_is_star(const json_t *reference)
{
    const json_t *fields = get(reference, "fields");
    size_t count = json_array_size(fields);
    return count > 0 && get(json_array_get(fields, count - 1), "A_Star") != NULL;
}

/* What a star stands for. */
static void show_star(struct rewriting *rewriting, const json_t *reference,
                      const struct rewrite_scope *scope, struct exposure *shows)
{
    const json_t *fields = get(reference, "fields");
    size_t count = json_array_size(fields);
    if (count == 1) {
        for (size_t i = 0; scope != NULL && i < scope->items.count; i++)
            add_all(rewriting->arena, shows, &scope->items.items[i].shows);
        return;
    }
    const char *schema = count > 2 ? rh_tree_string(fields, count - 3) : NULL;
    const char *table = rh_tree_string(fields, count - 2);
    const struct scope_item *item = table ? rh_rewrite_item_of(scope, schema, table) : NULL;
    if (item != NULL)
        add_all(rewriting->arena, shows, &item->shows);
    else
        shows->has_unknown = true;
}

/* A column alone, not a part of something: its tokens are the item's first. */
static bool is_dropped_alone(struct rewriting *rewriting, const json_t *target,
                             const struct rewrite_scope *scope)
{
    const json_t *reference = get(get(target, "val"), "ColumnRef");
    if (reference == NULL || rh_rewrite_is_star(reference) ||
        json_integer_value(get(reference, "location")) !=
            json_integer_value(get(target, "location")))
        return false;
    size_t rule = rh_rewrite_column(rewriting, reference, scope, true);
    return rule != TRANSFORM_NONE &&
           rewriting->transform->rules.items[rule].kind == TRANSFORM_DROP_COLUMN;
}

/* An item that is not taken out: its value, and the name that it goes by. */
static void walk_item(struct rewriting *rewriting, const json_t *target,
                      const struct rewrite_scope *scope, struct select_manner manner,
                      struct exposure *shows)
{
    const json_t *value = get(target, "val"), *naming = naming_column(value);
    const char *name = rh_tree_text(target, "name");
    const char *old = name == NULL && naming != NULL ? last_field(naming) : NULL;
    size_t before = rewriting->edits.count, first = rh_rewrite_piece_of(rewriting, target);
    rh_rewrite_clause(rewriting, "an expression of the select list", value, scope);
    if (get(value, "ColumnRef") != NULL && rh_rewrite_is_star(get(value, "ColumnRef"))) {
        if (shows != NULL)
            show_star(rewriting, get(value, "ColumnRef"), scope, shows);
        return;
    }
    if (shows != NULL && (name != NULL || old != NULL))
        *RH_PUSH(rewriting->arena, &shows->columns) = name != NULL ? name : old;
    /* The inner SELECT of an expression has got its alias by itself. */
    if (manner.naming != NAMES_STAY || old == NULL || rewriting->edits.count == before ||
        get(value, "SubLink") != NULL)
        return;
    if (first == PIECE_NONE) {
        rh_rewrite_refuse(rewriting, "where an item of a select list begins could not be told");
        return;
    }
    rh_rewrite_put_behind(
        rewriting, rh_rewrite_item_end(rewriting, first) - 1,
        rh_arena_printf(rewriting->arena, " AS %s", rh_quote_name(rewriting->arena, old)));
}

static void note_dropped_results(struct rewriting *rewriting, const json_t *list, const bool *gone)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *value = get(get(json_array_get(list, i), "ResTarget"), "val");
        if (get(value, "ColumnRef") != NULL && rh_rewrite_is_star(get(value, "ColumnRef")))
            return;
        if (gone[i])
            *RH_PUSH(rewriting->arena, &rewriting->result->dropped_results) = i;
    }
}

/* True: something was taken out. */
bool rh_rewrite_targets(struct rewriting *rewriting, const json_t *list,
                        const struct rewrite_scope *scope, struct select_manner manner,
                        struct exposure *shows)
{
    size_t count = json_array_size(list);
    size_t *firsts = rh_arena_alloc_array(rewriting->arena, count + 1, sizeof(*firsts));
    bool *gone = rh_arena_alloc_array(rewriting->arena, count + 1, sizeof(*gone)), any = false;
    for (size_t i = 0; i < count; i++) {
        const json_t *target = get(json_array_get(list, i), "ResTarget");
        firsts[i] = rh_rewrite_piece_of(rewriting, target);
        gone[i] = manner.is_gone != NULL ? manner.is_gone[i]
                  : manner.may_drop      ? is_dropped_alone(rewriting, target, scope)
                                         : false;
        any |= gone[i];
        if (!gone[i])
            walk_item(rewriting, target, scope, manner, shows);
    }
    if (!any)
        return false;
    rh_rewrite_take_out(rewriting, firsts, gone, count);
    if (manner.naming == NAMES_MAY_CHANGE)
        note_dropped_results(rewriting, list, gone);
    return true;
}

/* --- SELECT ----------------------------------------------------------------------------------- */

/* ORDER BY and DISTINCT ON look among the names of the result first. */
static bool names_result(const json_t *node, const json_t *targets)
{
    const json_t *fields = get(get(node, "ColumnRef"), "fields");
    const char *name = json_array_size(fields) == 1 ? rh_tree_string(fields, 0) : NULL;
    for (size_t i = 0; name != NULL && i < json_array_size(targets); i++) {
        const char *own = rh_tree_text(get(json_array_get(targets, i), "ResTarget"), "name");
        if (own != NULL && strcmp(own, name) == 0)
            return true;
    }
    return false;
}

static void walk_order(struct rewriting *rewriting, const char *clause, const json_t *list,
                       const json_t *targets, const struct rewrite_scope *scope)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *item = json_array_get(list, i);
        const json_t *node = get(item, "SortBy") ? get(get(item, "SortBy"), "node") : item;
        if (!names_result(node, targets))
            rh_rewrite_clause(rewriting, clause, node, scope);
    }
}

static bool has_place(const json_t *list)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *item = json_array_get(list, i);
        const json_t *node = get(item, "SortBy") ? get(get(item, "SortBy"), "node") : item;
        if (get(get(node, "A_Const"), "ival") != NULL)
            return true;
    }
    return false;
}

static void walk_locking(struct rewriting *rewriting, const json_t *list,
                         const struct rewrite_scope *scope)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *tables = get(get(json_array_get(list, i), "LockingClause"), "lockedRels");
        for (size_t j = 0; j < json_array_size(tables); j++) {
            const json_t *range = get(json_array_get(tables, j), "RangeVar");
            const char *name = rh_tree_text(range, "relname");
            const struct scope_item *item = name ? rh_rewrite_item_of(scope, NULL, name) : NULL;
            size_t piece = rh_rewrite_piece_of(rewriting, range);
            if (item != NULL && item->rename != TRANSFORM_NONE && piece != PIECE_NONE)
                rh_rewrite_put(rewriting, piece,
                               rewriting->transform->rules.items[item->rename].to);
        }
    }
}

static void walk_arms(struct rewriting *rewriting, const json_t *select,
                      const struct rewrite_scope *scope, struct select_manner manner,
                      struct exposure *ret_shows)
{
    if (manner.is_gone != NULL)
        rh_rewrite_refuse(rewriting, "a dropped column is filled from %s",
                          "a UNION, an INTERSECT or an EXCEPT");
    manner = (struct select_manner){.naming = NAMES_STAY};
    rh_rewrite_select(rewriting, get(select, "larg"), scope, manner, ret_shows);
    rh_rewrite_select(rewriting, get(select, "rarg"), scope, manner, NULL);
}

void rh_rewrite_select(struct rewriting *rewriting, const json_t *select,
                       const struct rewrite_scope *outer, struct select_manner manner,
                       struct exposure *ret_shows)
{
    struct rewrite_scope scope = {.outer = outer};
    const json_t *targets = get(select, "targetList"), *rows = get(select, "valuesLists");
    rh_rewrite_with(rewriting, get(select, "withClause"), &scope);
    if (get(select, "larg") != NULL)
        walk_arms(rewriting, select, &scope, manner, ret_shows);
    rh_rewrite_from_list(rewriting, get(select, "fromClause"), &scope);
    bool is_shorter = rh_rewrite_targets(rewriting, targets, &scope, manner, ret_shows);
    if (is_shorter && get(select, "distinctClause") != NULL)
        rh_rewrite_refuse(rewriting, "a dropped column is in SELECT DISTINCT");
    if (is_shorter &&
        (has_place(get(select, "sortClause")) || has_place(get(select, "groupClause"))))
        rh_rewrite_refuse(rewriting, "ORDER BY or GROUP BY goes by the places of its columns");
    walk_order(rewriting, "DISTINCT ON", get(select, "distinctClause"), targets, &scope);
    rh_rewrite_clause(rewriting, "WHERE", get(select, "whereClause"), &scope);
    rh_rewrite_clause(rewriting, "GROUP BY", get(select, "groupClause"), &scope);
    rh_rewrite_clause(rewriting, "HAVING", get(select, "havingClause"), &scope);
    rh_rewrite_clause(rewriting, "WINDOW", get(select, "windowClause"), &scope);
    if (manner.is_gone == NULL)
        rh_rewrite_clause(rewriting, "VALUES", rows, &scope);
    walk_order(rewriting, "ORDER BY", get(select, "sortClause"), targets, &scope);
    rh_rewrite_clause(rewriting, "LIMIT", get(select, "limitOffset"), &scope);
    rh_rewrite_clause(rewriting, "LIMIT", get(select, "limitCount"), &scope);
    walk_locking(rewriting, get(select, "lockingClause"), &scope);
    if (rows != NULL && ret_shows != NULL)
        ret_shows->has_unknown = true;
}

/* --- others ----------------------------------------------------------------------------------- */

/* Of TRUNCATE, LOCK and the like the tables have another name; columns in DDL are not followed. */
static void walk_utility(struct rewriting *rewriting, const json_t *node)
{
    const char *key;
    json_t *value;
    if (json_is_array(node)) {
        for (size_t i = 0; i < json_array_size(node); i++)
            walk_utility(rewriting, json_array_get(node, i));
        return;
    }
    if (rh_tree_text(node, "relname") != NULL && rh_tree_get(node, "location") != NULL)
        rh_rewrite_lone_table(rewriting, node);
    json_object_foreach((json_t *)node, key, value)
    {
        if (json_is_object(value) || json_is_array(value))
            walk_utility(rewriting, value);
    }
}

void rh_rewrite_statement(struct rewriting *rewriting, const json_t *node,
                          const struct rewrite_scope *outer, struct select_manner manner,
                          struct exposure *ret_shows)
{
    const json_t *statement;
    if ((statement = get(node, "SelectStmt")) != NULL) {
        rh_rewrite_select(rewriting, statement, outer, manner, ret_shows);
    } else if ((statement = get(node, "InsertStmt")) != NULL) {
        rh_rewrite_insert(rewriting, statement, outer, manner, ret_shows);
    } else if ((statement = get(node, "UpdateStmt")) != NULL ||
               (statement = get(node, "DeleteStmt")) != NULL) {
        rh_rewrite_update(rewriting, statement, outer, manner, ret_shows);
    } else if ((statement = get(node, "MergeStmt")) != NULL) {
        rh_rewrite_merge(rewriting, statement, outer);
    } else if ((statement = get(node, "CopyStmt")) != NULL) {
        rh_rewrite_copy(rewriting, statement, outer);
    } else if ((statement = get(node, "PrepareStmt")) != NULL) {
        rewriting->has_prepare = true;
        rewriting->names_types = json_array_size(get(statement, "argtypes")) > 0;
        rh_rewrite_statement(rewriting, get(statement, "query"), NULL, manner, NULL);
    } else if ((statement = get(node, "ExplainStmt")) != NULL ||
               (statement = get(node, "DeclareCursorStmt")) != NULL) {
        rh_rewrite_statement(rewriting, get(statement, "query"), outer, manner, NULL);
    } else if ((statement = get(node, "CreateTableAsStmt")) != NULL) {
        rh_rewrite_statement(rewriting, get(statement, "query"), outer,
                             (struct select_manner){.naming = NAMES_STAY}, NULL);
    } else {
        walk_utility(rewriting, node);
    }
}

/* --- the whole -------------------------------------------------------------------------------- */

static void gather_names(struct rewriting *rewriting, const json_t *node)
{
    const char *key;
    json_t *value;
    if (json_is_array(node)) {
        for (size_t i = 0; i < json_array_size(node); i++)
            gather_names(rewriting, json_array_get(node, i));
        return;
    }
    json_object_foreach((json_t *)node, key, value)
    {
        const json_t *fields = strcmp(key, "ColumnRef") == 0 ? get(value, "fields") : NULL;
        if (json_array_size(fields) == 1 && rh_tree_string(fields, 0) != NULL)
            *RH_PUSH(rewriting->arena, &rewriting->lone_columns) = rh_tree_string(fields, 0);
        if (json_is_string(value) && (strcmp(key, "aliasname") == 0 ||
                                      strcmp(key, "relname") == 0 || strcmp(key, "ctename") == 0))
            *RH_PUSH(rewriting->arena, &rewriting->names) = json_string_value(value);
        else if (json_is_object(value) || json_is_array(value))
            gather_names(rewriting, value);
    }
}

void rh_rewrite_tree(struct rewriting *rewriting, const json_t *tree)
{
    const json_t *statements = get(tree, "stmts");
    const struct select_manner manner = {.naming = NAMES_MAY_CHANGE, .may_drop = true};
    gather_names(rewriting, tree);
    for (size_t i = 0; i < json_array_size(statements); i++)
        rh_rewrite_statement(rewriting, get(json_array_get(statements, i), "stmt"), NULL, manner,
                             NULL);
}
