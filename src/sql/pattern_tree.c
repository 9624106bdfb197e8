#include "sql/pattern_walk.h"

#include <pg_query.h>
#include <stdlib.h>

static void walk_node(struct walk *walk, const json_t *node, const struct scope *scope);
static void walk_select(struct walk *walk, const json_t *select, const struct scope *outer);
static void walk_statement(struct walk *walk, const json_t *node, const struct scope *outer);

const char *rh_tree_last_name(const json_t *list)
{
    size_t count = json_array_size(list);
    const char *name = count == 0 ? NULL : rh_tree_string_at(list, count - 1);
    return name == NULL ? "" : name;
}

bool rh_tree_is_one_of(const char *name, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(name, names[i]) == 0)
            return true;
    }
    return false;
}

/* --- tables ----------------------------------------------------------------------------------- */

static const char *table_name(struct walk *walk, const json_t *range)
{
    const char *schema = rh_tree_text(range, "schemaname"), *name = rh_tree_text(range, "relname");
    if (name == NULL)
        return NULL;
    return schema == NULL ? rh_arena_strdup(walk->arena, name)
                          : rh_arena_printf(walk->arena, "%s.%s", schema, name);
}

#define ADD_ONCE(walk, vec, name)                                                \
    do {                                                                         \
        size_t add_i = 0;                                                        \
        while (add_i < (vec)->count && strcmp((vec)->items[add_i], (name)) != 0) \
            add_i++;                                                             \
        if (add_i == (vec)->count)                                               \
            *RH_PUSH((walk)->arena, (vec)) = (name);                             \
    } while (0)

static void add_write(struct walk *walk, const json_t *range)
{
    const char *name = table_name(walk, range);
    walk->flags |= PATTERN_WRITES;
    if (name != NULL)
        ADD_ONCE(walk, &walk->facts->pattern->writes, name);
}

static const struct scope_query *query_named(const struct scope *scope, const char *name)
{
    for (; scope != NULL; scope = scope->outer) {
        for (size_t i = scope->queries.count; i > 0; i--) {
            if (strcmp(scope->queries.items[i - 1].name, name) == 0)
                return &scope->queries.items[i - 1];
        }
    }
    return NULL;
}

static void add_entry(struct walk *walk, struct scope *scope, const json_t *range, bool counts)
{
    const json_t *alias = rh_tree_get(range, "alias");
    const char *name = rh_tree_text(range, "relname"), *called = rh_tree_text(alias, "aliasname");
    const struct scope_query *query = NULL;
    struct scope_entry entry = {.alias = called ? called : name,
                                .table = table_name(walk, range),
                                .columns = rh_tree_get(alias, "colnames")};
    if (name == NULL)
        return;
    if (rh_tree_text(range, "schemaname") == NULL)
        query = query_named(scope, name);
    if (query != NULL) {
        entry.table = NULL;
        entry.query = rh_tree_get(rh_tree_get(query->node, "ctequery"), "SelectStmt");
        entry.scope = query->scope;
        if (entry.columns == NULL)
            entry.columns = rh_tree_get(query->node, "aliascolnames");
    } else if (counts) {
        ADD_ONCE(walk, &walk->facts->pattern->reads, entry.table);
    }
    *RH_PUSH(walk->arena, &scope->entries) = entry;
}

/* First all names of FROM, then what is in it: a join's condition sees tables on both sides. */
void rh_tree_gather_from(struct walk *walk, const json_t *item, struct scope *scope, bool counts)
{
    const json_t *node, *alias;
    struct scope_entry entry = {.scope = scope};
    if ((node = rh_tree_get(item, "RangeVar")) != NULL) {
        add_entry(walk, scope, node, counts);
        return;
    }
    if ((node = rh_tree_get(item, "JoinExpr")) != NULL) {
        rh_tree_gather_from(walk, rh_tree_get(node, "larg"), scope, counts);
        rh_tree_gather_from(walk, rh_tree_get(node, "rarg"), scope, counts);
        return;
    }
    if ((node = rh_tree_get(item, "RangeTableSample")) != NULL) {
        rh_tree_gather_from(walk, rh_tree_get(node, "relation"), scope, counts);
        return;
    }
    if ((node = rh_tree_get(item, "RangeSubselect")) != NULL)
        entry.query = rh_tree_get(rh_tree_get(node, "subquery"), "SelectStmt");
    else
        entry.function = node = rh_tree_get(item, "RangeFunction");
    alias = rh_tree_get(node, "alias");
    entry.alias = rh_tree_text(alias, "aliasname");
    entry.alias = entry.alias ? entry.alias : "";
    entry.columns = rh_tree_get(alias, "colnames");
    *RH_PUSH(walk->arena, &scope->entries) = entry;
}

static void walk_from(struct walk *walk, const json_t *item, const struct scope *scope)
{
    const json_t *join = rh_tree_get(item, "JoinExpr"),
                 *sample = rh_tree_get(item, "RangeTableSample");
    if (rh_tree_get(item, "RangeVar") != NULL)
        return;
    if (join != NULL) {
        walk_from(walk, rh_tree_get(join, "larg"), scope);
        walk_from(walk, rh_tree_get(join, "rarg"), scope);
        walk_node(walk, rh_tree_get(join, "quals"), scope);
        return;
    }
    if (sample != NULL) {
        walk_node(walk, rh_tree_get(sample, "args"), scope);
        return;
    }
    walk_node(walk, item, scope);
}

static void walk_from_list(struct walk *walk, const json_t *list, struct scope *scope)
{
    for (size_t i = 0; i < json_array_size(list); i++)
        rh_tree_gather_from(walk, json_array_get(list, i), scope, true);
    for (size_t i = 0; i < json_array_size(list); i++)
        walk_from(walk, json_array_get(list, i), scope);
}

static void walk_with(struct walk *walk, const json_t *with, struct scope *scope)
{
    const json_t *list = rh_tree_get(with, "ctes");
    bool is_recursive = json_is_true(rh_tree_get(with, "recursive"));
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *query = rh_tree_get(json_array_get(list, i), "CommonTableExpr");
        const char *name = rh_tree_text(query, "ctename");
        if (is_recursive && name != NULL)
            *RH_PUSH(walk->arena, &scope->queries) = (struct scope_query){name, query, scope};
        walk_statement(walk, rh_tree_get(query, "ctequery"), scope);
        if (!is_recursive && name != NULL)
            *RH_PUSH(walk->arena, &scope->queries) = (struct scope_query){name, query, scope};
    }
}

/* --- expressions ------------------------------------------------------------------------------ */

/* Functions of the server that change something. */
static const char *const changers[] = {"nextval",   "setval",     "lo_create", "lo_creat",
                                       "lo_unlink", "lo_import",  "lo_put",    "lo_from_bytea",
                                       "lowrite",   "lo_truncate"};

static void walk_sublink(struct walk *walk, const json_t *link, const struct scope *scope)
{
    const json_t *column = rh_tree_get(link, "testexpr"), *select = rh_tree_get(link, "subselect");
    const json_t *rows = rh_tree_get(rh_tree_get(select, "SelectStmt"), "valuesLists");
    for (size_t i = 0; column != NULL && i < json_array_size(rows); i++) {
        const json_t *items = rh_tree_get(rh_tree_get(json_array_get(rows, i), "List"), "items");
        rh_tree_assign(walk, rh_tree_column_of(walk, column, scope), json_array_get(items, 0),
                       scope);
    }
    walk_node(walk, column, scope);
    walk_node(walk, select, scope);
}

/* Whatever it is: what is inside of it, with a care for what tells of columns and tables. */
static void walk_node(struct walk *walk, const json_t *node, const struct scope *scope)
{
    if (json_is_array(node)) {
        for (size_t i = 0; i < json_array_size(node); i++)
            walk_node(walk, json_array_get(node, i), scope);
        return;
    }
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)node, key, value)
    {
        if (strcmp(key, "SelectStmt") == 0) {
            walk_select(walk, value, scope);
            continue;
        }
        if (strcmp(key, "SubLink") == 0) {
            walk_sublink(walk, value, scope);
            continue;
        }
        rh_tree_look_at_expression(walk, key, value, scope);
        if (strcmp(key, "FuncCall") == 0 &&
            RH_TREE_IS_ONE_OF(rh_tree_last_name(rh_tree_get(value, "funcname")), changers))
            walk->flags |= PATTERN_WRITES;
        if (json_is_object(value) || json_is_array(value))
            walk_node(walk, value, scope);
    }
}

/* --- statements ------------------------------------------------------------------------------- */

static void walk_select(struct walk *walk, const json_t *select, const struct scope *outer)
{
    struct scope scope = {.outer = outer};
    const json_t *limit = rh_tree_get(rh_tree_get(select, "limitCount"), "A_Const");
    walk_with(walk, rh_tree_get(select, "withClause"), &scope);
    if (rh_tree_get(select, "larg") != NULL) {
        walk_select(walk, rh_tree_get(select, "larg"), &scope);
        walk_select(walk, rh_tree_get(select, "rarg"), &scope);
    }
    walk_from_list(walk, rh_tree_get(select, "fromClause"), &scope);
    static const char *const parts[] = {
        "distinctClause", "targetList",  "whereClause", "groupClause", "havingClause",
        "windowClause",   "valuesLists", "sortClause",  "limitOffset", "limitCount"};
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
        walk_node(walk, rh_tree_get(select, parts[i]), &scope);
    if (rh_tree_get(select, "intoClause") != NULL)
        add_write(walk, rh_tree_get(rh_tree_get(select, "intoClause"), "rel"));
    if (rh_tree_get(select, "lockingClause") != NULL)
        walk->flags |= PATTERN_WRITES;
    if (rh_tree_get(select, "limitCount") != NULL && !json_is_true(rh_tree_get(limit, "isnull")) &&
        rh_tree_get(select, "sortClause") == NULL)
        walk->flags |= PATTERN_LIMITS_UNORDERED;
}

/* SET a = 1, (b, c) = (2, 3), of a table's entry. */
static void walk_sets(struct walk *walk, const json_t *list, const struct scope *scope,
                      const char *table)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *target = rh_tree_get(json_array_get(list, i), "ResTarget"),
                     *value = rh_tree_get(target, "val");
        const json_t *many = rh_tree_get(value, "MultiAssignRef");
        const char *name = rh_tree_text(target, "name");
        if (many != NULL) {
            json_int_t number = json_integer_value(rh_tree_get(many, "colno"));
            value = json_array_get(
                rh_tree_get(rh_tree_get(rh_tree_get(many, "source"), "RowExpr"), "args"),
                number > 0 ? (size_t)number - 1 : 0);
        }
        if (name != NULL)
            rh_tree_assign(walk, rh_tree_named_column(walk, table, name), value, scope);
        if (many == NULL || json_integer_value(rh_tree_get(many, "colno")) == 1)
            walk_node(walk, rh_tree_get(target, "val"), scope);
    }
}

static void assign_inserted(struct walk *walk, const json_t *columns, const json_t *values,
                            const char *table, const struct scope *scope)
{
    for (size_t i = 0; i < json_array_size(values); i++) {
        const char *name = rh_tree_text(rh_tree_get(json_array_get(columns, i), "ResTarget"),
                                        "name");
        const json_t *value = json_array_get(values, i), *target = rh_tree_get(value, "ResTarget");
        if (name != NULL)
            rh_tree_assign(walk, rh_tree_named_column(walk, table, name),
                           target ? rh_tree_get(target, "val") : value, scope);
    }
}

/* INSERT ... SELECT: what its list gives, in their order. */
static void walk_inserted(struct walk *walk, const json_t *columns, const json_t *select,
                          const char *table, const struct scope *outer)
{
    struct scope scope = {.outer = outer};
    const json_t *list = rh_tree_get(select, "fromClause"),
                 *with = rh_tree_get(rh_tree_get(select, "withClause"), "ctes");
    for (size_t i = 0; i < json_array_size(with); i++) {
        const json_t *query = rh_tree_get(json_array_get(with, i), "CommonTableExpr");
        const char *name = rh_tree_text(query, "ctename");
        if (name != NULL)
            *RH_PUSH(walk->arena, &scope.queries) = (struct scope_query){name, query, &scope};
    }
    for (size_t i = 0; i < json_array_size(list); i++)
        rh_tree_gather_from(walk, json_array_get(list, i), &scope, false);
    if (!rh_tree_gives_all(select)) {
        assign_inserted(walk, columns, rh_tree_get(select, "targetList"), table, &scope);
        return;
    }
    for (size_t i = 0; scope.entries.count == 1 && i < json_array_size(columns); i++) {
        const char *name = rh_tree_text(rh_tree_get(json_array_get(columns, i), "ResTarget"),
                                        "name");
        if (name != NULL)
            rh_tree_assign_output(walk, rh_tree_named_column(walk, table, name),
                                  &scope.entries.items[0], i);
    }
}

static void walk_insert(struct walk *walk, const json_t *insert, const struct scope *outer)
{
    struct scope scope = {.outer = outer};
    const json_t *select = rh_tree_get(rh_tree_get(insert, "selectStmt"), "SelectStmt"),
                 *columns = rh_tree_get(insert, "cols"), *rows = rh_tree_get(select, "valuesLists");
    const char *table = table_name(walk, rh_tree_get(insert, "relation"));
    walk_with(walk, rh_tree_get(insert, "withClause"), &scope);
    add_write(walk, rh_tree_get(insert, "relation"));
    for (size_t i = 0; i < json_array_size(rows); i++)
        assign_inserted(walk, columns,
                        rh_tree_get(rh_tree_get(json_array_get(rows, i), "List"), "items"), table,
                        NULL);
    if (rows == NULL)
        walk_inserted(walk, columns, select, table, &scope);
    walk_node(walk, rh_tree_get(insert, "selectStmt"), &scope);
    add_entry(walk, &scope, rh_tree_get(insert, "relation"), false);
    const json_t *conflict = rh_tree_get(insert, "onConflictClause");
    walk_sets(walk, rh_tree_get(conflict, "targetList"), &scope, table);
    walk_node(walk, rh_tree_get(conflict, "infer"), &scope);
    walk_node(walk, rh_tree_get(conflict, "whereClause"), &scope);
    walk_node(walk, rh_tree_get(insert, "returningList"), &scope);
}

static void walk_update(struct walk *walk, const json_t *update, const struct scope *outer)
{
    struct scope scope = {.outer = outer};
    walk_with(walk, rh_tree_get(update, "withClause"), &scope);
    add_write(walk, rh_tree_get(update, "relation"));
    add_entry(walk, &scope, rh_tree_get(update, "relation"), false);
    walk_from_list(walk, rh_tree_get(update, "fromClause"), &scope);
    walk_from_list(walk, rh_tree_get(update, "usingClause"), &scope);
    walk_sets(walk, rh_tree_get(update, "targetList"), &scope,
              table_name(walk, rh_tree_get(update, "relation")));
    walk_node(walk, rh_tree_get(update, "whereClause"), &scope);
    walk_node(walk, rh_tree_get(update, "returningList"), &scope);
}

static void walk_merge(struct walk *walk, const json_t *merge, const struct scope *outer)
{
    struct scope scope = {.outer = outer};
    const char *table = table_name(walk, rh_tree_get(merge, "relation"));
    const json_t *whens = rh_tree_get(merge, "mergeWhenClauses");
    walk_with(walk, rh_tree_get(merge, "withClause"), &scope);
    add_write(walk, rh_tree_get(merge, "relation"));
    add_entry(walk, &scope, rh_tree_get(merge, "relation"), false);
    rh_tree_gather_from(walk, rh_tree_get(merge, "sourceRelation"), &scope, true);
    walk_from(walk, rh_tree_get(merge, "sourceRelation"), &scope);
    walk_node(walk, rh_tree_get(merge, "joinCondition"), &scope);
    for (size_t i = 0; i < json_array_size(whens); i++) {
        const json_t *when = rh_tree_get(json_array_get(whens, i), "MergeWhenClause");
        walk_node(walk, rh_tree_get(when, "condition"), &scope);
        if (rh_tree_get(when, "values") != NULL)
            assign_inserted(walk, rh_tree_get(when, "targetList"), rh_tree_get(when, "values"),
                            table, &scope);
        else
            walk_sets(walk, rh_tree_get(when, "targetList"), &scope, table);
        walk_node(walk, rh_tree_get(when, "values"), &scope);
    }
}

static void walk_copy(struct walk *walk, const json_t *copy, const struct scope *outer)
{
    struct scope scope = {.outer = outer};
    if (rh_tree_get(copy, "query") != NULL)
        walk_statement(walk, rh_tree_get(copy, "query"), outer);
    else if (json_is_true(rh_tree_get(copy, "is_from")))
        add_write(walk, rh_tree_get(copy, "relation"));
    else
        add_entry(walk, &scope, rh_tree_get(copy, "relation"), true);
}

/* What a prepared statement does, it does when it is executed; its columns are known now. */
static void walk_prepare(struct walk *walk, const json_t *prepare)
{
    unsigned flags = walk->flags;
    bool only_controls = walk->only_controls;
    size_t reads = walk->facts->pattern->reads.count, writes = walk->facts->pattern->writes.count;
    walk_statement(walk, rh_tree_get(prepare, "query"), NULL);
    walk->flags = flags;
    walk->only_controls = only_controls;
    walk->facts->pattern->reads.count = reads;
    walk->facts->pattern->writes.count = writes;
}

/* Of DDL and the like: every table in it is one that it changes. */
static void add_writes(struct walk *walk, const json_t *node)
{
    const char *key;
    json_t *value;
    if (json_is_array(node)) {
        for (size_t i = 0; i < json_array_size(node); i++)
            add_writes(walk, json_array_get(node, i));
        return;
    }
    if (rh_tree_text(node, "relname") != NULL)
        add_write(walk, node);
    json_object_foreach((json_t *)node, key, value)
    {
        if (json_is_object(value) || json_is_array(value))
            add_writes(walk, value);
    }
}

static const char *const control_statements[] = {
    "TransactionStmt", "VariableSetStmt", "VariableShowStmt",   "DeallocateStmt", "DiscardStmt",
    "ListenStmt",      "UnlistenStmt",    "NotifyStmt",         "LoadStmt",       "ClosePortalStmt",
    "CheckPointStmt",  "PrepareStmt",     "ConstraintsSetStmt",
};

static void walk_statement(struct walk *walk, const json_t *node, const struct scope *outer)
{
    const json_t *statement;
    void *iterator = json_object_iter((json_t *)node);
    const char *kind = iterator == NULL ? "" : json_object_iter_key(iterator);
    if ((statement = rh_tree_get(node, "SelectStmt")) != NULL) {
        walk_select(walk, statement, outer);
    } else if ((statement = rh_tree_get(node, "InsertStmt")) != NULL) {
        walk_insert(walk, statement, outer);
    } else if ((statement = rh_tree_get(node, "UpdateStmt")) != NULL ||
               (statement = rh_tree_get(node, "DeleteStmt")) != NULL) {
        walk_update(walk, statement, outer);
    } else if ((statement = rh_tree_get(node, "MergeStmt")) != NULL) {
        walk_merge(walk, statement, outer);
    } else if ((statement = rh_tree_get(node, "CopyStmt")) != NULL) {
        walk_copy(walk, statement, outer);
    } else if ((statement = rh_tree_get(node, "PrepareStmt")) != NULL) {
        walk_prepare(walk, statement);
    } else if ((statement = rh_tree_get(node, "ExecuteStmt")) != NULL) {
        walk->facts->executes = rh_tree_text(statement, "name");
    } else if ((statement = rh_tree_get(node, "ExplainStmt")) != NULL ||
               (statement = rh_tree_get(node, "DeclareCursorStmt")) != NULL) {
        walk_statement(walk, rh_tree_get(statement, "query"), outer);
    } else if ((statement = rh_tree_get(node, "CreateTableAsStmt")) != NULL) {
        add_write(walk, rh_tree_get(rh_tree_get(statement, "into"), "rel"));
        walk_statement(walk, rh_tree_get(statement, "query"), outer);
    } else if (!RH_TREE_IS_ONE_OF(kind, control_statements) && strcmp(kind, "FetchStmt") != 0) {
        walk->flags |= PATTERN_WRITES;
        add_writes(walk, node);
    }
    walk->only_controls = walk->only_controls && RH_TREE_IS_ONE_OF(kind, control_statements);
}

static void walk_all(struct walk *walk, const json_t *tree)
{
    const json_t *statements = rh_tree_get(tree, "stmts");
    bool orders = true;
    size_t selects = 0;
    walk->only_controls = json_array_size(statements) > 0;
    for (size_t i = 0; i < json_array_size(statements); i++) {
        const json_t *node = rh_tree_get(json_array_get(statements, i), "stmt");
        const json_t *select = rh_tree_get(node, "SelectStmt");
        walk_statement(walk, node, NULL);
        selects += select != NULL;
        orders = orders && (select == NULL || rh_tree_get(select, "sortClause") != NULL);
    }
    if (selects > 0 && orders)
        walk->flags |= PATTERN_ORDERS_ROWS;
    if (walk->only_controls)
        walk->flags |= PATTERN_CONTROLS;
    if (json_array_size(statements) != 1)
        walk->facts->executes = NULL;
}

bool rh_sql_tree_facts(struct arena *arena, const char *query, struct sql_tree_facts *facts)
{
    PgQueryParseResult result = pg_query_parse(query);
    json_t *tree = NULL;
    if (result.error == NULL && result.parse_tree != NULL)
        tree = json_loads(result.parse_tree, 0, NULL);
    pg_query_free_parse_result(result);
    if (tree == NULL)
        return false;
    struct walk walk = {.arena = arena, .facts = facts};
    walk_all(&walk, tree);
    facts->pattern->flags |= walk.flags;
    /* The tree goes; names of it do not stay. */
    if (facts->executes != NULL)
        facts->executes = rh_arena_strdup(arena, facts->executes);
    json_decref(tree);
    return true;
}
