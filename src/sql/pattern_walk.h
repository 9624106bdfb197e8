/* What pattern_tree.c and pattern_values.c share: the walk over a parse tree, and what its names
   stand for where it is. */
#ifndef RH_SQL_PATTERN_WALK_H
#define RH_SQL_PATTERN_WALK_H

#include "sql/pattern_int.h"

#include <jansson.h>

struct scope;

/* What FROM names, or an INSERT, UPDATE, DELETE changes. */
struct scope_entry {
    const char *alias, *table; /* table NULL: a query, a function, a CTE */
    const json_t *query;       /* its SelectStmt; NULL */
    const json_t *function;    /* its RangeFunction; NULL */
    const json_t *columns;     /* names that its alias gives them; NULL */
    const struct scope *scope; /* in which the query's names are looked up */
};

struct scope_query {
    const char *name;
    const json_t *node; /* CommonTableExpr */
    const struct scope *scope;
};

struct scope {
    const struct scope *outer;
    VEC(struct scope_entry) entries;
    VEC(struct scope_query) queries; /* CTEs */
};

struct walk {
    struct arena *arena;
    struct sql_tree_facts *facts;
    unsigned flags;
    unsigned depth, followed; /* of queries that a name is followed into; how often */
    bool only_controls;
};

/* --- of the tree ------------------------------------------------------------------------------ */

static inline const json_t *rh_tree_get(const json_t *object, const char *key)
{
    return json_object_get(object, key);
}

static inline const char *rh_tree_text(const json_t *object, const char *key)
{
    return json_string_value(rh_tree_get(object, key));
}

static inline const char *rh_tree_string_at(const json_t *list, size_t index)
{
    return rh_tree_text(rh_tree_get(json_array_get(list, index), "String"), "sval");
}

/* The last part of a qualified name: of a function, an operator, a type. "": there is none. */
const char *rh_tree_last_name(const json_t *list);
bool rh_tree_is_one_of(const char *name, const char *const *names, size_t count);
#define RH_TREE_IS_ONE_OF(name, names) \
    rh_tree_is_one_of(name, names, sizeof(names) / sizeof((names)[0]))

/* --- pattern_tree.c --------------------------------------------------------------------------- */

/* The names of a FROM's item, added to the scope. `counts`: tables are added to those read. */
void rh_tree_gather_from(struct walk *walk, const json_t *item, struct scope *scope, bool counts);

/* --- pattern_values.c ------------------------------------------------------------------------- */

/* "table.column"; `table` may be NULL. */
const char *rh_tree_named_column(struct walk *walk, const char *table, const char *column);
/* NULL: not a column, through casts and the like. */
const char *rh_tree_column_of(struct walk *walk, const json_t *node, const struct scope *scope);
/* The constants and parameters in `value` are assigned to the column, or compared with it. */
void rh_tree_assign(struct walk *walk, const char *column, const json_t *value,
                    const struct scope *scope);
/* The same of what a name in FROM gives in a place, from 0. */
void rh_tree_assign_output(struct walk *walk, const char *column, const struct scope_entry *entry,
                           size_t place);
/* Whether a SelectStmt's list has a star: all columns of what is in FROM. */
bool rh_tree_gives_all(const json_t *select);
/* What an expression (A_Expr, TypeCast, FuncCall) tells of the values in it. */
void rh_tree_look_at_expression(struct walk *walk, const char *kind, const json_t *expression,
                                const struct scope *scope);

#endif
