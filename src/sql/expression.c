#include "sql/expression.h"

#include "sql/facts.h"

#include <jansson.h>
#include <pg_query.h>
#include <stdlib.h>

static struct sql_expression *take(const json_t *node, struct arena *arena);

static const char *last_name(const json_t *names)
{
    size_t count = json_array_size(names);
    const json_t *item = count > 0 ? json_array_get(names, count - 1) : NULL;

    return json_string_value(json_object_get(json_object_get(item, "String"), "sval"));
}

static struct sql_expression *new_expression(enum sql_expression_kind kind, const char *name,
                                             struct arena *arena)
{
    struct sql_expression *expression = RH_NEW(arena, struct sql_expression);

    expression->kind = kind;
    expression->name = name ? rh_arena_strdup(arena, name) : NULL;
    return expression;
}

static void add_argument(struct sql_expression *expression, const json_t *node, struct arena *arena)
{
    struct sql_expression *argument = node ? take(node, arena) : NULL;

    if (argument)
        *RH_PUSH(arena, &expression->arguments) = argument;
}

static struct sql_expression *with_list(struct sql_expression *expression, const json_t *list,
                                        struct arena *arena)
{
    size_t i;
    json_t *item;

    json_array_foreach(list, i, item) add_argument(expression, item, arena);
    return expression;
}

static struct sql_expression *take_constant(const json_t *constant, struct arena *arena)
{
    const json_t *text = json_object_get(json_object_get(constant, "sval"), "sval"),
                 *number = json_object_get(constant, "ival"),
                 *fraction = json_object_get(json_object_get(constant, "fval"), "fval"),
                 *truth = json_object_get(constant, "boolval");

    if (json_is_true(json_object_get(constant, "isnull")))
        return new_expression(SQL_CONSTANT, NULL, arena);
    if (text || fraction)
        return new_expression(SQL_CONSTANT, json_string_value(text ? text : fraction), arena);
    if (truth) /* protobuf leaves out what is false */
        return new_expression(SQL_CONSTANT,
                              json_is_true(json_object_get(truth, "boolval")) ? "true" : "false",
                              arena);
    if (number) /* ... and zero */
        return new_expression(
            SQL_CONSTANT,
            rh_arena_printf(arena, "%lld",
                            (long long)json_integer_value(json_object_get(number, "ival"))),
            arena);
    return new_expression(SQL_CONSTANT, "", arena);
}

static struct sql_expression *take_operator(const json_t *node, struct arena *arena)
{
    const char *kind = json_string_value(json_object_get(node, "kind"));
    const char *name = last_name(json_object_get(node, "name"));
    enum sql_expression_kind own = SQL_OTHER;

    if (kind && (strcmp(kind, "AEXPR_OP") == 0 || strcmp(kind, "AEXPR_LIKE") == 0 ||
                 strcmp(kind, "AEXPR_ILIKE") == 0))
        own = SQL_OPERATOR;
    else if (kind && strcmp(kind, "AEXPR_OP_ANY") == 0)
        own = SQL_ANY;
    else if (kind && strcmp(kind, "AEXPR_IN") == 0)
        own = name && strcmp(name, "=") == 0 ? SQL_ANY : SQL_ALL;
    else if (kind && strcmp(kind, "AEXPR_OP_ALL") == 0)
        own = SQL_ALL;
    struct sql_expression *expression = new_expression(own, name, arena);
    const json_t *right = json_object_get(node, "rexpr"),
                 *list = json_object_get(json_object_get(right, "List"), "items");
    add_argument(expression, json_object_get(node, "lexpr"), arena);
    if (list)
        *RH_PUSH(arena, &expression->arguments) = with_list(new_expression(SQL_ARRAY, NULL, arena),
                                                            list, arena);
    else
        add_argument(expression, right, arena);
    return expression;
}

static struct sql_expression *take_cast(const json_t *cast, struct arena *arena)
{
    const json_t *type = json_object_get(cast, "typeName");
    const char *name = last_name(json_object_get(type, "names"));
    bool is_array = json_array_size(json_object_get(type, "arrayBounds")) > 0;
    struct sql_expression *expression = new_expression(
        SQL_CAST, rh_arena_printf(arena, "%s%s", name ? name : "", is_array ? "[]" : ""), arena);

    expression->has_modifier = json_array_size(json_object_get(type, "typmods")) > 0;
    add_argument(expression, json_object_get(cast, "arg"), arena);
    return expression;
}

static struct sql_expression *take_bool(const json_t *node, struct arena *arena)
{
    const char *kind = json_string_value(json_object_get(node, "boolop"));
    enum sql_expression_kind own = !kind                           ? SQL_OTHER
                                   : strcmp(kind, "AND_EXPR") == 0 ? SQL_AND
                                   : strcmp(kind, "OR_EXPR") == 0  ? SQL_OR
                                                                   : SQL_NOT;

    return with_list(new_expression(own, NULL, arena), json_object_get(node, "args"), arena);
}

static struct sql_expression *take_null_test(const json_t *node, struct arena *arena)
{
    const char *kind = json_string_value(json_object_get(node, "nulltesttype"));
    struct sql_expression *expression = new_expression(
        kind && strcmp(kind, "IS_NOT_NULL") == 0 ? SQL_IS_NOT_NULL : SQL_IS_NULL, NULL, arena);

    add_argument(expression, json_object_get(node, "arg"), arena);
    return expression;
}

/* What has no kind here: whatever lies in it. */
static void gather(struct sql_expression *expression, const json_t *node, struct arena *arena)
{
    const char *key;
    size_t i;
    json_t *child;

    if (json_is_array(node)) {
        json_array_foreach(node, i, child) gather(expression, child, arena);
    } else if (json_is_object(node)) {
        static const char *const known[] = {"ColumnRef", "A_Const",     "TypeCast",
                                            "FuncCall",  "A_Expr",      "BoolExpr",
                                            "NullTest",  "A_ArrayExpr", "CoalesceExpr"};
        json_object_foreach((json_t *)node, key, child)
        {
            bool is_known = false;
            for (size_t k = 0; k < sizeof(known) / sizeof(known[0]); k++)
                is_known |= strcmp(key, known[k]) == 0;
            if (is_known) {
                add_argument(expression, node, arena);
                return;
            }
            gather(expression, child, arena);
        }
    }
}

static struct sql_expression *take(const json_t *node, struct arena *arena)
{
    const json_t *own;

    if ((own = json_object_get(node, "ColumnRef"))) {
        const char *name = last_name(json_object_get(own, "fields"));
        return name ? new_expression(SQL_COLUMN, name, arena)
                    : new_expression(SQL_OTHER, NULL, arena);
    }
    if ((own = json_object_get(node, "A_Const")))
        return take_constant(own, arena);
    if ((own = json_object_get(node, "TypeCast")))
        return take_cast(own, arena);
    if ((own = json_object_get(node, "A_Expr")))
        return take_operator(own, arena);
    if ((own = json_object_get(node, "BoolExpr")))
        return take_bool(own, arena);
    if ((own = json_object_get(node, "NullTest")))
        return take_null_test(own, arena);
    if ((own = json_object_get(node, "FuncCall")))
        return with_list(
            new_expression(SQL_CALL, last_name(json_object_get(own, "funcname")), arena),
            json_object_get(own, "args"), arena);
    if ((own = json_object_get(node, "A_ArrayExpr")))
        return with_list(new_expression(SQL_ARRAY, NULL, arena), json_object_get(own, "elements"),
                         arena);
    if ((own = json_object_get(node, "CoalesceExpr")))
        return with_list(new_expression(SQL_COALESCE, NULL, arena), json_object_get(own, "args"),
                         arena);
    struct sql_expression *other = new_expression(SQL_OTHER, NULL, arena);
    gather(other, node, arena);
    return other;
}

/* "CHECK (a > 0) NO INHERIT NOT VALID": "(a > 0)". */
static struct text expression_of(struct text text)
{
    static const char *const endings[] = {" NOT VALID", " NO INHERIT", " NOT ENFORCED"};

    text = rh_text_trim(text);
    if (!rh_text_starts_with(text, "CHECK "))
        return text;
    text.data += strlen("CHECK ");
    text.len -= strlen("CHECK ");
    for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]);)
        if (rh_text_ends_with(text, endings[i])) {
            text.len -= strlen(endings[i]);
            i = 0;
        } else {
            i++;
        }
    return text;
}

struct sql_expression *rh_sql_expression(struct text text, struct arena *arena)
{
    struct sql_expression *expression = NULL;

    text = expression_of(text);
    if (text.len == 0 || text.len > SQL_TREE_MAX || memchr(text.data, '\0', text.len))
        return NULL;
    RH_CLEANUP_ARENA struct arena *scratch = rh_arena_new();
    PgQueryParseResult tree = pg_query_parse(
        rh_arena_printf(scratch, "SELECT (%.*s)", (int)text.len, text.data));
    json_t *root = tree.error ? NULL : json_loads(tree.parse_tree, 0, NULL);
    const json_t *statements = json_object_get(root, "stmts"),
                 *select = json_object_get(json_object_get(json_array_get(statements, 0), "stmt"),
                                           "SelectStmt"),
                 *targets = json_object_get(select, "targetList"),
                 *value = json_object_get(json_object_get(json_array_get(targets, 0), "ResTarget"),
                                          "val");

    if (json_array_size(statements) == 1 && json_array_size(targets) == 1 && value)
        expression = take(value, arena);
    json_decref(root);
    pg_query_free_parse_result(tree);
    return expression;
}

const struct sql_expression *rh_sql_uncast(const struct sql_expression *expression)
{
    while (expression && expression->kind == SQL_CAST && !expression->has_modifier &&
           expression->arguments.count == 1)
        expression = expression->arguments.items[0];
    return expression;
}

static bool is_text(const char *type)
{
    static const char *const types[] = {"text", "varchar", "citext", "bpchar"};

    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        size_t len = strlen(types[i]);
        if (strncmp(type, types[i], len) == 0 &&
            (type[len] == '\0' || strcmp(type + len, "[]") == 0))
            return true;
    }
    return false;
}

const struct sql_expression *rh_sql_uncast_text(const struct sql_expression *expression)
{
    while (expression && expression->kind == SQL_CAST && !expression->has_modifier &&
           expression->arguments.count == 1 && is_text(expression->name))
        expression = expression->arguments.items[0];
    return expression;
}
