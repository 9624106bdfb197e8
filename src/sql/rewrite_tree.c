#include "sql/rewrite_int.h"

#include "base/quote.h"

/* How the columns of a SELECT are called. */
enum naming {
    NAMES_MAY_CHANGE, /* by the client */
    NAMES_STAY,       /* by what is around it: they get their old names as aliases */
    NAMES_ARE_PLACES  /* by nobody: an INSERT takes them in their order */
};

struct select_manner {
    enum naming naming;
    bool may_drop;       /* items that are dropped columns are taken out */
    const bool *is_gone; /* by item, for INSERT: they are taken out whatever they are; NULL */
};

static void walk_node(struct rewriting *rewriting, const json_t *node,
                      const struct rewrite_scope *scope);
static void walk_select(struct rewriting *rewriting, const json_t *select,
                        const struct rewrite_scope *outer, struct select_manner manner,
                        struct exposure *ret_shows);
static void walk_statement(struct rewriting *rewriting, const json_t *node,
                           const struct rewrite_scope *outer, struct select_manner manner,
                           struct exposure *ret_shows);

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

static void gather_from(struct rewriting *rewriting, const json_t *item,
                        struct rewrite_scope *scope);

static void gather_join(struct rewriting *rewriting, const json_t *join,
                        struct rewrite_scope *scope)
{
    size_t first = scope->items.count;
    gather_from(rewriting, get(join, "larg"), scope);
    gather_from(rewriting, get(join, "rarg"), scope);
    refuse_shared(rewriting, join, scope, first);
    /* Its condition sees its own sides only. */
    struct rewrite_scope sides = {.outer = scope->outer, .queries = scope->queries};
    for (size_t i = first; i < scope->items.count; i++)
        *RH_PUSH(rewriting->arena, &sides.items) = scope->items.items[i];
    rewriting->clause = "the condition of a join";
    walk_node(rewriting, get(join, "quals"), &sides);
    const json_t *alias = get(join, "alias");
    if (alias == NULL)
        return;
    struct exposure all = {0};
    for (size_t i = first; i < scope->items.count; i++)
        add_all(rewriting->arena, &all, &scope->items.items[i].shows);
    scope->items.count = first;
    add_named(rewriting, scope, alias, all);
}

static void gather_from(struct rewriting *rewriting, const json_t *item,
                        struct rewrite_scope *scope)
{
    const json_t *node;
    if ((node = get(item, "RangeVar")) != NULL) {
        (void)rh_rewrite_add_table(rewriting, scope, node, true);
    } else if ((node = get(item, "JoinExpr")) != NULL) {
        gather_join(rewriting, node, scope);
    } else if ((node = get(item, "RangeTableSample")) != NULL) {
        gather_from(rewriting, get(node, "relation"), scope);
        walk_node(rewriting, get(node, "args"), scope);
    } else if ((node = get(item, "RangeSubselect")) != NULL) {
        struct exposure shows = {0};
        struct rewrite_scope around = {.outer = scope->outer, .queries = scope->queries};
        bool is_lateral = json_is_true(get(node, "lateral"));
        walk_statement(rewriting, get(node, "subquery"), is_lateral ? scope : &around,
                       (struct select_manner){.naming = NAMES_STAY}, &shows);
        add_named(rewriting, scope, get(node, "alias"), shows);
    } else if (json_object_iter((json_t *)item) != NULL) {
        /* A function or the like: it may use what stands before it. */
        node = json_object_iter_value(json_object_iter((json_t *)item));
        rewriting->clause = "FROM";
        walk_node(rewriting, node, scope);
        add_named(rewriting, scope, get(node, "alias"), (struct exposure){.has_unknown = true});
    }
}

static void gather_list(struct rewriting *rewriting, const json_t *list,
                        struct rewrite_scope *scope)
{
    for (size_t i = 0; i < json_array_size(list); i++)
        gather_from(rewriting, json_array_get(list, i), scope);
}

static void walk_with(struct rewriting *rewriting, const json_t *with, struct rewrite_scope *scope)
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
        walk_statement(rewriting, get(query, "ctequery"), scope,
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

static void walk_node(struct rewriting *rewriting, const json_t *node,
                      const struct rewrite_scope *scope)
{
    const char *key;
    json_t *value;
    if (json_is_array(node)) {
        for (size_t i = 0; i < json_array_size(node); i++)
            walk_node(rewriting, json_array_get(node, i), scope);
        return;
    }
    json_object_foreach((json_t *)node, key, value)
    {
        if (strcmp(key, "ColumnRef") == 0) {
            (void)rh_rewrite_column(rewriting, value, scope, false);
        } else if (strcmp(key, "SelectStmt") == 0) {
            const char *clause = rewriting->clause;
            walk_select(rewriting, value, scope, (struct select_manner){.naming = NAMES_STAY},
                        NULL);
            rewriting->clause = clause;
        } else if (json_is_object(value) || json_is_array(value)) {
            if (strcmp(key, "A_Indirection") == 0)
                refuse_field(rewriting, value, scope);
            walk_node(rewriting, value, scope);
        }
    }
}

static void walk_clause(struct rewriting *rewriting, const char *clause, const json_t *node,
                        const struct rewrite_scope *scope)
{
    rewriting->clause = clause;
    walk_node(rewriting, node, scope);
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

static bool is_star(const json_t *reference)
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
    if (reference == NULL || is_star(reference) ||
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
    walk_clause(rewriting, "an expression of the select list", value, scope);
    if (get(value, "ColumnRef") != NULL && is_star(get(value, "ColumnRef"))) {
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
        if (get(value, "ColumnRef") != NULL && is_star(get(value, "ColumnRef")))
            return;
        if (gone[i])
            *RH_PUSH(rewriting->arena, &rewriting->result->dropped_results) = i;
    }
}

/* True: something was taken out. */
static bool walk_targets(struct rewriting *rewriting, const json_t *list,
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
            walk_clause(rewriting, clause, node, scope);
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
    walk_select(rewriting, get(select, "larg"), scope, manner, ret_shows);
    walk_select(rewriting, get(select, "rarg"), scope, manner, NULL);
}

static void walk_select(struct rewriting *rewriting, const json_t *select,
                        const struct rewrite_scope *outer, struct select_manner manner,
                        struct exposure *ret_shows)
{
    struct rewrite_scope scope = {.outer = outer};
    const json_t *targets = get(select, "targetList"), *rows = get(select, "valuesLists");
    walk_with(rewriting, get(select, "withClause"), &scope);
    if (get(select, "larg") != NULL)
        walk_arms(rewriting, select, &scope, manner, ret_shows);
    gather_list(rewriting, get(select, "fromClause"), &scope);
    bool is_shorter = walk_targets(rewriting, targets, &scope, manner, ret_shows);
    if (is_shorter && get(select, "distinctClause") != NULL)
        rh_rewrite_refuse(rewriting, "a dropped column is in SELECT DISTINCT");
    if (is_shorter &&
        (has_place(get(select, "sortClause")) || has_place(get(select, "groupClause"))))
        rh_rewrite_refuse(rewriting, "ORDER BY or GROUP BY goes by the places of its columns");
    walk_order(rewriting, "DISTINCT ON", get(select, "distinctClause"), targets, &scope);
    walk_clause(rewriting, "WHERE", get(select, "whereClause"), &scope);
    walk_clause(rewriting, "GROUP BY", get(select, "groupClause"), &scope);
    walk_clause(rewriting, "HAVING", get(select, "havingClause"), &scope);
    walk_clause(rewriting, "WINDOW", get(select, "windowClause"), &scope);
    if (manner.is_gone == NULL)
        walk_clause(rewriting, "VALUES", rows, &scope);
    walk_order(rewriting, "ORDER BY", get(select, "sortClause"), targets, &scope);
    walk_clause(rewriting, "LIMIT", get(select, "limitOffset"), &scope);
    walk_clause(rewriting, "LIMIT", get(select, "limitCount"), &scope);
    walk_locking(rewriting, get(select, "lockingClause"), &scope);
    if (rows != NULL && ret_shows != NULL)
        ret_shows->has_unknown = true;
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
                walk_node(rewriting, json_array_get(items, j), scope);
        }
    }
}

static bool has_star(const json_t *targets)
{
    for (size_t i = 0; i < json_array_size(targets); i++) {
        const json_t *value = get(get(json_array_get(targets, i), "ResTarget"), "val");
        if (get(value, "ColumnRef") != NULL && is_star(get(value, "ColumnRef")))
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
        walk_select(rewriting, select, scope, manner, NULL);
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
        walk_clause(rewriting, "a value of SET", get(target, "val"), scope);
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
        walk_node(rewriting, get(element, "expr"), scope);
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
    walk_node(rewriting, get(infer, "whereClause"), scope);
}

static void walk_insert(struct rewriting *rewriting, const json_t *insert,
                        const struct rewrite_scope *outer, struct select_manner manner,
                        struct exposure *ret_shows)
{
    struct rewrite_scope around = {.outer = outer};
    const json_t *range = get(insert, "relation"), *conflict = get(insert, "onConflictClause");
    walk_with(rewriting, get(insert, "withClause"), &around);
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
    walk_clause(rewriting, "WHERE", get(conflict, "whereClause"), &both);
    (void)walk_targets(rewriting, get(insert, "returningList"), &scope, manner, ret_shows);
}

static void walk_update(struct rewriting *rewriting, const json_t *update,
                        const struct rewrite_scope *outer, struct select_manner manner,
                        struct exposure *ret_shows)
{
    struct rewrite_scope scope = {.outer = outer};
    const json_t *range = get(update, "relation");
    walk_with(rewriting, get(update, "withClause"), &scope);
    (void)rh_rewrite_add_table(rewriting, &scope, range, false);
    gather_list(rewriting, get(update, "fromClause"), &scope);
    gather_list(rewriting, get(update, "usingClause"), &scope);
    walk_sets(rewriting, get(update, "targetList"), range, &scope);
    walk_clause(rewriting, "WHERE", get(update, "whereClause"), &scope);
    (void)walk_targets(rewriting, get(update, "returningList"), &scope, manner, ret_shows);
}

static void walk_merge(struct rewriting *rewriting, const json_t *merge,
                       const struct rewrite_scope *outer)
{
    struct rewrite_scope scope = {.outer = outer};
    const json_t *range = get(merge, "relation"), *whens = get(merge, "mergeWhenClauses");
    walk_with(rewriting, get(merge, "withClause"), &scope);
    (void)rh_rewrite_add_table(rewriting, &scope, range, false);
    gather_from(rewriting, get(merge, "sourceRelation"), &scope);
    walk_clause(rewriting, "ON", get(merge, "joinCondition"), &scope);
    for (size_t i = 0; i < json_array_size(whens); i++) {
        const json_t *when = get(json_array_get(whens, i), "MergeWhenClause");
        const json_t *targets = get(when, "targetList");
        walk_clause(rewriting, "WHEN", get(when, "condition"), &scope);
        for (size_t t = 0; t < json_array_size(targets); t++) {
            const json_t *target = get(json_array_get(targets, t), "ResTarget");
            if (change_target(rewriting, target, range))
                rh_rewrite_refuse(rewriting, "%s is filled by a MERGE",
                                  rh_tree_text(target, "name"));
            walk_clause(rewriting, "MERGE", get(target, "val"), &scope);
        }
        walk_clause(rewriting, "MERGE", get(when, "values"), &scope);
    }
}

/* --- others ----------------------------------------------------------------------------------- */

/* Its columns stand between the parentheses behind the table; the tree has no place of them. */
static void walk_copy(struct rewriting *rewriting, const json_t *copy,
                      const struct rewrite_scope *outer)
{
    const json_t *range = get(copy, "relation"), *names = get(copy, "attlist");
    if (get(copy, "query") != NULL) {
        walk_statement(rewriting, get(copy, "query"), outer,
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

static void walk_statement(struct rewriting *rewriting, const json_t *node,
                           const struct rewrite_scope *outer, struct select_manner manner,
                           struct exposure *ret_shows)
{
    const json_t *statement;
    if ((statement = get(node, "SelectStmt")) != NULL) {
        walk_select(rewriting, statement, outer, manner, ret_shows);
    } else if ((statement = get(node, "InsertStmt")) != NULL) {
        walk_insert(rewriting, statement, outer, manner, ret_shows);
    } else if ((statement = get(node, "UpdateStmt")) != NULL ||
               (statement = get(node, "DeleteStmt")) != NULL) {
        walk_update(rewriting, statement, outer, manner, ret_shows);
    } else if ((statement = get(node, "MergeStmt")) != NULL) {
        walk_merge(rewriting, statement, outer);
    } else if ((statement = get(node, "CopyStmt")) != NULL) {
        walk_copy(rewriting, statement, outer);
    } else if ((statement = get(node, "PrepareStmt")) != NULL) {
        rewriting->has_prepare = true;
        rewriting->names_types = json_array_size(get(statement, "argtypes")) > 0;
        walk_statement(rewriting, get(statement, "query"), NULL, manner, NULL);
    } else if ((statement = get(node, "ExplainStmt")) != NULL ||
               (statement = get(node, "DeclareCursorStmt")) != NULL) {
        walk_statement(rewriting, get(statement, "query"), outer, manner, NULL);
    } else if ((statement = get(node, "CreateTableAsStmt")) != NULL) {
        walk_statement(rewriting, get(statement, "query"), outer,
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
        walk_statement(rewriting, get(json_array_get(statements, i), "stmt"), NULL, manner, NULL);
}
