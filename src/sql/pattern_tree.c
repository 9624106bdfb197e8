#include "sql/pattern_int.h"

#include <jansson.h>
#include <pg_query.h>
#include <stdlib.h>

/* What FROM names, or an INSERT, UPDATE, DELETE changes. */
struct scope_entry {
    const char *alias, *table; /* table NULL: a query, a function, a CTE */
};

struct scope {
    const struct scope *outer;
    VEC(struct scope_entry) entries;
    VEC(const char *) queries; /* names of CTEs */
};

struct walk {
    struct arena *arena;
    struct sql_tree_facts *facts;
    unsigned flags;
    bool only_controls;
};

static void walk_node(struct walk *walk, const json_t *node, const struct scope *scope);
static void walk_select(struct walk *walk, const json_t *select, const struct scope *outer);
static void walk_statement(struct walk *walk, const json_t *node, const struct scope *outer);

static const json_t *get(const json_t *object, const char *key)
{
    return json_object_get(object, key);
}

static const char *text_of(const json_t *object, const char *key)
{
    return json_string_value(get(object, key));
}

static const char *string_at(const json_t *list, size_t index)
{
    return text_of(get(json_array_get(list, index), "String"), "sval");
}

/* The last part of a qualified name: of a function, an operator. */
static const char *last_name(const json_t *list)
{
    size_t count = json_array_size(list);
    const char *name = count == 0 ? NULL : string_at(list, count - 1);
    return name == NULL ? "" : name;
}

static bool is_one_of(const char *name, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(name, names[i]) == 0)
            return true;
    }
    return false;
}
#define IS_ONE_OF(name, names) is_one_of(name, names, sizeof(names) / sizeof((names)[0]))

/* --- tables ----------------------------------------------------------------------------------- */

static const char *table_name(struct walk *walk, const json_t *range)
{
    const char *schema = text_of(range, "schemaname"), *name = text_of(range, "relname");
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

static bool is_query_name(const struct scope *scope, const char *name)
{
    for (; scope != NULL; scope = scope->outer) {
        for (size_t i = 0; i < scope->queries.count; i++) {
            if (strcmp(scope->queries.items[i], name) == 0)
                return true;
        }
    }
    return false;
}

static void add_entry(struct walk *walk, struct scope *scope, const json_t *range, bool is_read)
{
    const char *alias = text_of(get(range, "alias"), "aliasname");
    const char *name = text_of(range, "relname"), *table = table_name(walk, range);
    if (name == NULL)
        return;
    if (is_read && text_of(range, "schemaname") == NULL && is_query_name(scope, name))
        table = NULL;
    else if (is_read)
        ADD_ONCE(walk, &walk->facts->pattern->reads, table);
    *RH_PUSH(walk->arena, &scope->entries) = (struct scope_entry){alias ? alias : name, table};
}

/* First all names of FROM, then what is in it: a join's condition sees tables on both sides. */
static void gather_from(struct walk *walk, const json_t *item, struct scope *scope)
{
    const json_t *node;
    const char *alias = NULL;
    if ((node = get(item, "RangeVar")) != NULL) {
        add_entry(walk, scope, node, true);
        return;
    }
    if ((node = get(item, "JoinExpr")) != NULL) {
        gather_from(walk, get(node, "larg"), scope);
        gather_from(walk, get(node, "rarg"), scope);
        return;
    }
    if ((node = get(item, "RangeTableSample")) != NULL) {
        gather_from(walk, get(node, "relation"), scope);
        return;
    }
    if ((node = get(item, "RangeSubselect")) != NULL || (node = get(item, "RangeFunction")) != NULL)
        alias = text_of(get(node, "alias"), "aliasname");
    *RH_PUSH(walk->arena, &scope->entries) = (struct scope_entry){alias ? alias : "", NULL};
}

static void walk_from(struct walk *walk, const json_t *item, const struct scope *scope)
{
    const json_t *join = get(item, "JoinExpr"), *sample = get(item, "RangeTableSample");
    if (get(item, "RangeVar") != NULL)
        return;
    if (join != NULL) {
        walk_from(walk, get(join, "larg"), scope);
        walk_from(walk, get(join, "rarg"), scope);
        walk_node(walk, get(join, "quals"), scope);
        return;
    }
    if (sample != NULL) {
        walk_node(walk, get(sample, "args"), scope);
        return;
    }
    walk_node(walk, item, scope);
}

static void walk_from_list(struct walk *walk, const json_t *list, struct scope *scope)
{
    for (size_t i = 0; i < json_array_size(list); i++)
        gather_from(walk, json_array_get(list, i), scope);
    for (size_t i = 0; i < json_array_size(list); i++)
        walk_from(walk, json_array_get(list, i), scope);
}

static void walk_with(struct walk *walk, const json_t *with, struct scope *scope)
{
    const json_t *list = get(with, "ctes");
    bool is_recursive = json_is_true(get(with, "recursive"));
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *query = get(json_array_get(list, i), "CommonTableExpr");
        const char *name = text_of(query, "ctename");
        if (is_recursive && name != NULL)
            *RH_PUSH(walk->arena, &scope->queries) = name;
        walk_statement(walk, get(query, "ctequery"), scope);
        if (!is_recursive && name != NULL)
            *RH_PUSH(walk->arena, &scope->queries) = name;
    }
}

/* --- columns ---------------------------------------------------------------------------------- */

/* Functions of one text that is still that column's, made comparable. */
static const char *const keepers[] = {"lower", "upper", "trim",    "btrim",
                                      "ltrim", "rtrim", "initcap", "unaccent"};

static const char *named_column(struct walk *walk, const char *table, const char *column)
{
    return table == NULL ? rh_arena_strdup(walk->arena, column)
                         : rh_arena_printf(walk->arena, "%s.%s", table, column);
}

static const char *column_of_fields(struct walk *walk, const json_t *fields,
                                    const struct scope *scope)
{
    size_t count = json_array_size(fields);
    const char *column = count == 0 ? NULL : string_at(fields, count - 1);
    if (column == NULL)
        return NULL;
    if (count == 1)
        return named_column(
            walk, scope != NULL && scope->entries.count == 1 ? scope->entries.items[0].table : NULL,
            column);
    const char *name = string_at(fields, count - 2);
    for (; name != NULL && scope != NULL; scope = scope->outer) {
        for (size_t i = 0; i < scope->entries.count; i++) {
            if (strcmp(scope->entries.items[i].alias, name) == 0)
                return named_column(walk, scope->entries.items[i].table, column);
        }
    }
    return named_column(walk, NULL, column);
}

/* NULL: not a column, through casts and the like. */
static const char *column_of(struct walk *walk, const json_t *node, const struct scope *scope)
{
    const json_t *inner;
    if ((inner = get(node, "ColumnRef")) != NULL)
        return column_of_fields(walk, get(inner, "fields"), scope);
    if ((inner = get(node, "TypeCast")) != NULL || (inner = get(node, "CollateClause")) != NULL)
        return column_of(walk, get(inner, "arg"), scope);
    if ((inner = get(node, "FuncCall")) != NULL &&
        IS_ONE_OF(last_name(get(inner, "funcname")), keepers))
        return column_of(walk, json_array_get(get(inner, "args"), 0), scope);
    return NULL;
}

static bool is_better(const char *old, const char *column)
{
    return old == NULL || (strchr(old, '.') == NULL && strchr(column, '.') != NULL);
}

static void assign_constant(struct walk *walk, const char *column, const json_t *constant)
{
    sql_constants *constants = walk->facts->constants;
    const json_t *location = get(constant, "location");
    if (constants == NULL || location == NULL || json_integer_value(location) < 0)
        return;
    /* The location of a negative number is that of its sign. */
    size_t offset = (size_t)json_integer_value(location), from = 0, to = constants->count;
    while (from < to) {
        size_t middle = (from + to) / 2;
        if (constants->items[middle].offset < offset)
            from = middle + 1;
        else
            to = middle;
    }
    /* TRUE, FALSE and NULL are no constants to mask; what follows them is another. */
    if (from < constants->count && get(constant, "boolval") == NULL &&
        json_is_true(get(constant, "isnull")) == false &&
        is_better(constants->items[from].column, column))
        constants->items[from].column = column;
}

static void assign(struct walk *walk, const char *column, const json_t *value);

static void assign_all(struct walk *walk, const char *column, const json_t *list)
{
    for (size_t i = 0; i < json_array_size(list); i++)
        assign(walk, column, json_array_get(list, i));
}

/* The parameter of `'%' || $1 || '%'` is of the column; its constants are not. */
static void assign_joined(struct walk *walk, const char *column, const json_t *value)
{
    const json_t *expression = get(value, "A_Expr");
    if (expression != NULL && strcmp(last_name(get(expression, "name")), "||") == 0) {
        assign_joined(walk, column, get(expression, "lexpr"));
        assign_joined(walk, column, get(expression, "rexpr"));
    } else if (expression == NULL && get(value, "A_Const") == NULL) {
        assign(walk, column, value);
    }
}

static void assign(struct walk *walk, const char *column, const json_t *value)
{
    const json_t *node;
    if (column == NULL || value == NULL)
        return;
    if ((node = get(value, "A_Const")) != NULL) {
        assign_constant(walk, column, node);
    } else if ((node = get(value, "ParamRef")) != NULL) {
        json_int_t number = json_integer_value(get(node, "number"));
        if (number >= 1 && number <= (json_int_t)walk->facts->parameter_count &&
            is_better(walk->facts->parameters[number - 1], column))
            walk->facts->parameters[number - 1] = column;
    } else if ((node = get(value, "TypeCast")) != NULL ||
               (node = get(value, "CollateClause")) != NULL) {
        assign(walk, column, get(node, "arg"));
    } else if ((node = get(value, "A_ArrayExpr")) != NULL) {
        assign_all(walk, column, get(node, "elements"));
    } else if ((node = get(value, "List")) != NULL) {
        assign_all(walk, column, get(node, "items"));
    } else if ((node = get(value, "CoalesceExpr")) != NULL) {
        assign_all(walk, column, get(node, "args"));
    } else if ((node = get(value, "FuncCall")) != NULL) {
        if (IS_ONE_OF(last_name(get(node, "funcname")), keepers))
            assign(walk, column, json_array_get(get(node, "args"), 0));
    } else if ((node = get(value, "CaseExpr")) != NULL) {
        const json_t *whens = get(node, "args");
        for (size_t i = 0; i < json_array_size(whens); i++)
            assign(walk, column, get(get(json_array_get(whens, i), "CaseWhen"), "result"));
        assign(walk, column, get(node, "defresult"));
    } else if (get(value, "A_Expr") != NULL) {
        assign_joined(walk, column, value);
    }
}

/* --- expressions ------------------------------------------------------------------------------ */

static const char *const comparisons[] = {"=",
                                          "<>",
                                          "!=",
                                          "<",
                                          ">",
                                          "<=",
                                          ">=",
                                          "~~",
                                          "!~~",
                                          "~~*",
                                          "!~~*",
                                          "~",
                                          "!~",
                                          "~*",
                                          "!~*",
                                          "@>",
                                          "<@",
                                          "&&",
                                          "BETWEEN",
                                          "NOT BETWEEN",
                                          "BETWEEN SYMMETRIC",
                                          "NOT BETWEEN SYMMETRIC"};

static void compare(struct walk *walk, const json_t *left, const json_t *right,
                    const struct scope *scope)
{
    const json_t *columns = get(get(left, "RowExpr"), "args");
    const json_t *values = get(get(right, "RowExpr"), "args"),
                 *rows = get(get(right, "List"), "items");
    if (columns != NULL && values != NULL) {
        for (size_t i = 0; i < json_array_size(columns); i++)
            compare(walk, json_array_get(columns, i), json_array_get(values, i), scope);
    } else if (columns != NULL && rows != NULL) {
        for (size_t i = 0; i < json_array_size(rows); i++)
            compare(walk, left, json_array_get(rows, i), scope);
    } else {
        assign(walk, column_of(walk, left, scope), right);
        assign(walk, column_of(walk, right, scope), left);
    }
}

/* Functions of the server that change something. */
static const char *const changers[] = {"nextval",   "setval",     "lo_create", "lo_creat",
                                       "lo_unlink", "lo_import",  "lo_put",    "lo_from_bytea",
                                       "lowrite",   "lo_truncate"};

static void walk_sublink(struct walk *walk, const json_t *link, const struct scope *scope)
{
    const json_t *column = get(link, "testexpr"), *select = get(link, "subselect");
    const json_t *rows = get(get(select, "SelectStmt"), "valuesLists");
    for (size_t i = 0; column != NULL && i < json_array_size(rows); i++) {
        const json_t *items = get(get(json_array_get(rows, i), "List"), "items");
        assign(walk, column_of(walk, column, scope), json_array_get(items, 0));
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
        if (strcmp(key, "A_Expr") == 0 && IS_ONE_OF(last_name(get(value, "name")), comparisons))
            compare(walk, get(value, "lexpr"), get(value, "rexpr"), scope);
        if (strcmp(key, "FuncCall") == 0 && IS_ONE_OF(last_name(get(value, "funcname")), changers))
            walk->flags |= PATTERN_WRITES;
        if (json_is_object(value) || json_is_array(value))
            walk_node(walk, value, scope);
    }
}

/* --- statements ------------------------------------------------------------------------------- */

static void walk_select(struct walk *walk, const json_t *select, const struct scope *outer)
{
    struct scope scope = {.outer = outer};
    const json_t *limit = get(get(select, "limitCount"), "A_Const");
    walk_with(walk, get(select, "withClause"), &scope);
    if (get(select, "larg") != NULL) {
        walk_select(walk, get(select, "larg"), &scope);
        walk_select(walk, get(select, "rarg"), &scope);
    }
    walk_from_list(walk, get(select, "fromClause"), &scope);
    static const char *const parts[] = {
        "distinctClause", "targetList",  "whereClause", "groupClause", "havingClause",
        "windowClause",   "valuesLists", "sortClause",  "limitOffset", "limitCount"};
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
        walk_node(walk, get(select, parts[i]), &scope);
    if (get(select, "intoClause") != NULL)
        add_write(walk, get(get(select, "intoClause"), "rel"));
    if (get(select, "lockingClause") != NULL)
        walk->flags |= PATTERN_WRITES;
    if (get(select, "limitCount") != NULL && !json_is_true(get(limit, "isnull")) &&
        get(select, "sortClause") == NULL)
        walk->flags |= PATTERN_LIMITS_UNORDERED;
}

/* SET a = 1, (b, c) = (2, 3), of a table's entry. */
static void walk_sets(struct walk *walk, const json_t *list, const struct scope *scope,
                      const char *table)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *target = get(json_array_get(list, i), "ResTarget"),
                     *value = get(target, "val");
        const json_t *many = get(value, "MultiAssignRef");
        const char *name = text_of(target, "name");
        if (many != NULL) {
            json_int_t number = json_integer_value(get(many, "colno"));
            value = json_array_get(get(get(get(many, "source"), "RowExpr"), "args"),
                                   number > 0 ? (size_t)number - 1 : 0);
        }
        if (name != NULL)
            assign(walk, named_column(walk, table, name), value);
        if (many == NULL || json_integer_value(get(many, "colno")) == 1)
            walk_node(walk, get(target, "val"), scope);
    }
}

static void assign_inserted(struct walk *walk, const json_t *columns, const json_t *values,
                            const char *table)
{
    for (size_t i = 0; i < json_array_size(values); i++) {
        const char *name = text_of(get(json_array_get(columns, i), "ResTarget"), "name");
        const json_t *value = json_array_get(values, i), *target = get(value, "ResTarget");
        if (name != NULL)
            assign(walk, named_column(walk, table, name), target ? get(target, "val") : value);
    }
}

static void walk_insert(struct walk *walk, const json_t *insert, const struct scope *outer)
{
    struct scope scope = {.outer = outer};
    const json_t *select = get(get(insert, "selectStmt"), "SelectStmt"),
                 *columns = get(insert, "cols"), *rows = get(select, "valuesLists");
    const char *table = table_name(walk, get(insert, "relation"));
    walk_with(walk, get(insert, "withClause"), &scope);
    add_write(walk, get(insert, "relation"));
    for (size_t i = 0; i < json_array_size(rows); i++)
        assign_inserted(walk, columns, get(get(json_array_get(rows, i), "List"), "items"), table);
    if (rows == NULL)
        assign_inserted(walk, columns, get(select, "targetList"), table);
    walk_node(walk, get(insert, "selectStmt"), &scope);
    add_entry(walk, &scope, get(insert, "relation"), false);
    const json_t *conflict = get(insert, "onConflictClause");
    walk_sets(walk, get(conflict, "targetList"), &scope, table);
    walk_node(walk, get(conflict, "infer"), &scope);
    walk_node(walk, get(conflict, "whereClause"), &scope);
    walk_node(walk, get(insert, "returningList"), &scope);
}

static void walk_update(struct walk *walk, const json_t *update, const struct scope *outer)
{
    struct scope scope = {.outer = outer};
    walk_with(walk, get(update, "withClause"), &scope);
    add_write(walk, get(update, "relation"));
    add_entry(walk, &scope, get(update, "relation"), false);
    walk_from_list(walk, get(update, "fromClause"), &scope);
    walk_from_list(walk, get(update, "usingClause"), &scope);
    walk_sets(walk, get(update, "targetList"), &scope, table_name(walk, get(update, "relation")));
    walk_node(walk, get(update, "whereClause"), &scope);
    walk_node(walk, get(update, "returningList"), &scope);
}

static void walk_merge(struct walk *walk, const json_t *merge, const struct scope *outer)
{
    struct scope scope = {.outer = outer};
    const char *table = table_name(walk, get(merge, "relation"));
    const json_t *whens = get(merge, "mergeWhenClauses");
    walk_with(walk, get(merge, "withClause"), &scope);
    add_write(walk, get(merge, "relation"));
    add_entry(walk, &scope, get(merge, "relation"), false);
    gather_from(walk, get(merge, "sourceRelation"), &scope);
    walk_from(walk, get(merge, "sourceRelation"), &scope);
    walk_node(walk, get(merge, "joinCondition"), &scope);
    for (size_t i = 0; i < json_array_size(whens); i++) {
        const json_t *when = get(json_array_get(whens, i), "MergeWhenClause");
        walk_node(walk, get(when, "condition"), &scope);
        if (get(when, "values") != NULL)
            assign_inserted(walk, get(when, "targetList"), get(when, "values"), table);
        else
            walk_sets(walk, get(when, "targetList"), &scope, table);
        walk_node(walk, get(when, "values"), &scope);
    }
}

static void walk_copy(struct walk *walk, const json_t *copy, const struct scope *outer)
{
    struct scope scope = {.outer = outer};
    if (get(copy, "query") != NULL)
        walk_statement(walk, get(copy, "query"), outer);
    else if (json_is_true(get(copy, "is_from")))
        add_write(walk, get(copy, "relation"));
    else
        add_entry(walk, &scope, get(copy, "relation"), true);
}

/* What a prepared statement does, it does when it is executed; its columns are known now. */
static void walk_prepare(struct walk *walk, const json_t *prepare)
{
    unsigned flags = walk->flags;
    bool only_controls = walk->only_controls;
    size_t reads = walk->facts->pattern->reads.count, writes = walk->facts->pattern->writes.count;
    walk_statement(walk, get(prepare, "query"), NULL);
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
    if (text_of(node, "relname") != NULL)
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
    if ((statement = get(node, "SelectStmt")) != NULL) {
        walk_select(walk, statement, outer);
    } else if ((statement = get(node, "InsertStmt")) != NULL) {
        walk_insert(walk, statement, outer);
    } else if ((statement = get(node, "UpdateStmt")) != NULL ||
               (statement = get(node, "DeleteStmt")) != NULL) {
        walk_update(walk, statement, outer);
    } else if ((statement = get(node, "MergeStmt")) != NULL) {
        walk_merge(walk, statement, outer);
    } else if ((statement = get(node, "CopyStmt")) != NULL) {
        walk_copy(walk, statement, outer);
    } else if ((statement = get(node, "PrepareStmt")) != NULL) {
        walk_prepare(walk, statement);
    } else if ((statement = get(node, "ExecuteStmt")) != NULL) {
        walk->facts->executes = text_of(statement, "name");
    } else if ((statement = get(node, "ExplainStmt")) != NULL ||
               (statement = get(node, "DeclareCursorStmt")) != NULL) {
        walk_statement(walk, get(statement, "query"), outer);
    } else if ((statement = get(node, "CreateTableAsStmt")) != NULL) {
        add_write(walk, get(get(statement, "into"), "rel"));
        walk_statement(walk, get(statement, "query"), outer);
    } else if (!IS_ONE_OF(kind, control_statements) && strcmp(kind, "FetchStmt") != 0) {
        walk->flags |= PATTERN_WRITES;
        add_writes(walk, node);
    }
    walk->only_controls = walk->only_controls && IS_ONE_OF(kind, control_statements);
}

static void walk_all(struct walk *walk, const json_t *tree)
{
    const json_t *statements = get(tree, "stmts");
    bool orders = true;
    size_t selects = 0;
    walk->only_controls = json_array_size(statements) > 0;
    for (size_t i = 0; i < json_array_size(statements); i++) {
        const json_t *node = get(json_array_get(statements, i), "stmt");
        const json_t *select = get(node, "SelectStmt");
        walk_statement(walk, node, NULL);
        selects += select != NULL;
        orders = orders && (select == NULL || get(select, "sortClause") != NULL);
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
