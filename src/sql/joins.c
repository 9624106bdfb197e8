#include "sql/joins.h"

#include "sql/facts.h"

#include <jansson.h>
#include <pg_query.h>

struct entry {
    const char *alias, *schema, *relation;
};

/* The relations that a query names, and those of the queries around it. */
struct scope {
    const struct scope *outer;
    VEC(struct entry) entries;
};

struct walk {
    struct arena *arena;
    struct sql_joins *joins;
};

static void walk_select(struct walk *walk, const json_t *select, const struct scope *outer);

static const char *text_of(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

static const char *string_at(const json_t *list, size_t index)
{
    return text_of(json_object_get(json_array_get(list, index), "String"), "sval");
}

static void gather(struct walk *walk, const json_t *item, struct scope *scope)
{
    const json_t *range = json_object_get(item, "RangeVar"),
                 *join = json_object_get(item, "JoinExpr");

    if (range && text_of(range, "relname")) {
        const char *alias = text_of(json_object_get(range, "alias"), "aliasname");
        *RH_PUSH(walk->arena, &scope->entries) = (struct entry){
            alias ? alias : text_of(range, "relname"), text_of(range, "schemaname"),
            text_of(range, "relname")};
    } else if (join) {
        gather(walk, json_object_get(join, "larg"), scope);
        gather(walk, json_object_get(join, "rarg"), scope);
    }
}

/* NULL: no plain column of a relation in sight. */
static const struct entry *find_column(const json_t *node, const struct scope *scope,
                                       const char **ret_column)
{
    const json_t *cast = json_object_get(node, "TypeCast");

    if (cast)
        return find_column(json_object_get(cast, "arg"), scope, ret_column);
    const json_t *fields = json_object_get(json_object_get(node, "ColumnRef"), "fields");
    size_t count = json_array_size(fields);
    if (count == 0 || !string_at(fields, count - 1))
        return NULL;
    *ret_column = string_at(fields, count - 1);
    if (count == 1)
        return scope && scope->entries.count == 1 ? &scope->entries.items[0] : NULL;
    const char *name = string_at(fields, count - 2);
    for (; name && scope; scope = scope->outer)
        for (size_t i = 0; i < scope->entries.count; i++)
            if (strcmp(scope->entries.items[i].alias, name) == 0)
                return &scope->entries.items[i];
    return NULL;
}

static struct sql_join_side side_of(struct arena *arena, const struct entry *entry,
                                    const char *column)
{
    return (struct sql_join_side){entry->schema ? rh_arena_strdup(arena, entry->schema) : NULL,
                                  rh_arena_strdup(arena, entry->relation),
                                  rh_arena_strdup(arena, column)};
}

static void add_join(struct walk *walk, const struct entry *left, const char *left_column,
                     const struct entry *right, const char *right_column)
{
    *RH_PUSH(walk->arena, &walk->joins->items) = (struct sql_join){
        side_of(walk->arena, left, left_column), side_of(walk->arena, right, right_column)};
}

static void add_equality(struct walk *walk, const json_t *left, const struct scope *left_scope,
                         const json_t *right, const struct scope *right_scope)
{
    const char *left_column, *right_column;
    const struct entry *a = find_column(left, left_scope, &left_column),
                       *b = find_column(right, right_scope, &right_column);

    if (a && b)
        add_join(walk, a, left_column, b, right_column);
}

/* On the left of USING only one relation has the column, or several that were merged before by
   another USING: who knows the columns drops the others. */
static void add_using(struct walk *walk, const json_t *join)
{
    const json_t *names = json_object_get(join, "usingClause");
    struct scope left = {0}, right = {0};

    gather(walk, json_object_get(join, "larg"), &left);
    gather(walk, json_object_get(join, "rarg"), &right);
    for (size_t n = 0; n < json_array_size(names); n++)
        for (size_t i = 0; i < left.entries.count; i++)
            for (size_t j = 0; j < right.entries.count; j++)
                if (string_at(names, n))
                    add_join(walk, &left.entries.items[i], string_at(names, n),
                             &right.entries.items[j], string_at(names, n));
}

/* "column IN (SELECT column FROM ...)" */
static void add_membership(struct walk *walk, const json_t *link, const struct scope *scope)
{
    const json_t *select = json_object_get(json_object_get(link, "subselect"), "SelectStmt");
    const json_t *targets = json_object_get(select, "targetList");
    const char *kind = text_of(link, "subLinkType");
    struct scope inner = {.outer = scope};
    size_t i;
    json_t *item;

    if (!kind || strcmp(kind, "ANY_SUBLINK") != 0 || json_array_size(targets) != 1)
        return;
    json_array_foreach(json_object_get(select, "fromClause"), i, item) gather(walk, item, &inner);
    add_equality(walk, json_object_get(link, "testexpr"), scope,
                 json_object_get(json_object_get(json_array_get(targets, 0), "ResTarget"), "val"),
                 &inner);
}

/* The depth is bounded by jansson's parser (2048). */
static void walk_node(struct walk *walk, const json_t *node, const struct scope *scope)
{
    const char *key;
    size_t i;
    json_t *child;

    if (json_is_array(node)) {
        json_array_foreach(node, i, child) walk_node(walk, child, scope);
    } else if (json_is_object(node)) {
        const json_t *comparison = json_object_get(node, "A_Expr"),
                     *join = json_object_get(node, "JoinExpr"),
                     *link = json_object_get(node, "SubLink");
        const json_t *operators = json_object_get(comparison, "name");
        const char *name = string_at(operators, json_array_size(operators) - 1);
        if (name && strcmp(name, "=") == 0)
            add_equality(walk, json_object_get(comparison, "lexpr"), scope,
                         json_object_get(comparison, "rexpr"), scope);
        if (join)
            add_using(walk, join);
        if (link)
            add_membership(walk, link, scope);
        json_object_foreach((json_t *)node, key, child)
        {
            if (strcmp(key, "SelectStmt") == 0)
                walk_select(walk, child, scope);
            else
                walk_node(walk, child, scope);
        }
    }
}

static void walk_select(struct walk *walk, const json_t *select, const struct scope *outer)
{
    struct scope scope = {.outer = outer};
    const char *key;
    size_t i;
    json_t *child;

    json_array_foreach(json_object_get(select, "fromClause"), i, child) gather(walk, child, &scope);
    json_object_foreach((json_t *)select, key, child)
    {
        /* The halves of UNION and the like are queries of their own. */
        if (strcmp(key, "larg") == 0 || strcmp(key, "rarg") == 0)
            walk_select(walk, child, outer);
        else
            walk_node(walk, child, &scope);
    }
}

void rh_sql_joins(struct text query, struct arena *arena, struct sql_joins *ret_joins)
{
    struct sql_joins joins = {0};

    if (query.len > 0 && query.len <= SQL_TREE_MAX && !memchr(query.data, '\0', query.len)) {
        struct arena *scratch = rh_arena_new();
        PgQueryParseResult tree = pg_query_parse(rh_text_dup(scratch, query));
        json_t *root = tree.error ? NULL : json_loads(tree.parse_tree, 0, NULL);
        struct walk walk = {arena, &joins};

        joins.is_parsed = root != NULL;
        walk_node(&walk, json_object_get(root, "stmts"), NULL);
        json_decref(root);
        pg_query_free_parse_result(tree);
        rh_arena_free(scratch);
    }
    *ret_joins = joins;
}
