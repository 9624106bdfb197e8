/* The parts of rewrite.h. */
#ifndef RH_SQL_REWRITE_INT_H
#define RH_SQL_REWRITE_INT_H

#include "sql/pattern_int.h"
#include "sql/rewrite.h"

#include <jansson.h>

struct rewrite_edit {
    size_t offset, length;
    struct text text;
};

struct rewriting {
    struct arena *arena;
    const struct transform *transform;
    struct text query;
    struct sql_rewrite *result;
    VEC(struct sql_piece) pieces;
    VEC(struct rewrite_edit) edits;
    /* Every name that an alias or a relation has, and every column that stands by itself: a table's
       new name must not be taken for one of the former, nor its old one have been for the latter.
     */
    VEC(const char *) names, lone_columns;
    const char *clause; /* that is being walked, for reasons */
    bool has_prepare;   /* parameters are those of a PREPARE: their numbers stay */
    bool names_types;   /* ... which says their types */
};

#define PIECE_NONE ((size_t)-1)

/* --- rewrite.c: text -------------------------------------------------------------------------- */

/* The first reason counts. */
void rh_rewrite_refuse(struct rewriting *rewriting, const char *fmt, ...) RH_PRINTF(2, 3);
/* The piece that begins there; PIECE_NONE. */
size_t rh_rewrite_piece_at(const struct rewriting *rewriting, size_t offset);
/* Of a node of the tree, by its "location"; PIECE_NONE. */
size_t rh_rewrite_piece_of(const struct rewriting *rewriting, const json_t *node);
bool rh_rewrite_is_char(const struct rewriting *rewriting, size_t piece, char c);
bool rh_rewrite_is_word(const struct rewriting *rewriting, size_t piece, const char *word);
/* A name in the text, as the catalogue has it. */
bool rh_rewrite_is_name(const struct rewriting *rewriting, size_t piece, const char *name);
/* The piece behind the item of a list that begins with this one. */
size_t rh_rewrite_item_end(const struct rewriting *rewriting, size_t first);
void rh_rewrite_put(struct rewriting *rewriting, size_t piece, const char *text);
void rh_rewrite_put_behind(struct rewriting *rewriting, size_t piece, const char *text);
/* Takes items out of a list, with their commas; not all of them. */
void rh_rewrite_take_out(struct rewriting *rewriting, const size_t *firsts, const bool *gone,
                         size_t count);
/* Follows the edits; parameters that are no longer there are given up, the others move up. */
void rh_rewrite_finish(struct rewriting *rewriting);

/* --- rewrite_scope.c: who is meant by a name -------------------------------------------------- */

struct exposed_table {
    const char *schema, *table;
};

/* What an item of FROM shows of itself. */
struct exposure {
    VEC(struct exposed_table) tables; /* all of whose columns are columns of it, by their names */
    VEC(const char *) columns;        /* that it has under names of its own */
    bool has_unknown;                 /* and perhaps others */
};

struct scope_item {
    const char *name;    /* that it goes by; "" for none */
    const json_t *range; /* of a table: its RangeVar; NULL */
    size_t rename;       /* TRANSFORM_NONE: goes by the name that it had */
    struct exposure shows;
};

struct with_query {
    const char *name;
    struct exposure shows;
};

struct rewrite_scope {
    const struct rewrite_scope *outer;
    VEC(struct scope_item) items;
    VEC(struct with_query) queries;
};

size_t rh_rewrite_table_rule(const struct rewriting *rewriting, const char *schema,
                             const char *table);
size_t rh_rewrite_column_rule(const struct rewriting *rewriting, const char *schema,
                              const char *table, const char *column);
/* A rule for any of its columns, of that kind. */
size_t rh_rewrite_any_column_rule(const struct rewriting *rewriting, const char *schema,
                                  const char *table, enum transform_kind kind);
/* The rule that concerns such a column of it; TRANSFORM_NONE. */
size_t rh_rewrite_exposed_rule(const struct rewriting *rewriting, const struct exposure *shows,
                               const char *column);
const struct with_query *rh_rewrite_with_query(const struct rewrite_scope *scope, const char *name);
/* Adds a table that FROM names, or a statement changes; its name is changed where it stands. */
struct scope_item *rh_rewrite_add_table(struct rewriting *rewriting, struct rewrite_scope *scope,
                                        const json_t *range, bool may_be_query);
/* A RangeVar that nothing refers to (TRUNCATE). */
void rh_rewrite_lone_table(struct rewriting *rewriting, const json_t *range);
/* A ColumnRef: changes it, or refuses. The rule that concerned it; TRANSFORM_NONE. A column that
   is dropped is left for the caller, unless `may_drop` is false: then that is refused. */
size_t rh_rewrite_column(struct rewriting *rewriting, const json_t *reference,
                         const struct rewrite_scope *scope, bool may_drop);
/* The item that a qualified star, or a locking clause, means; NULL. */
const struct scope_item *rh_rewrite_item_of(const struct rewrite_scope *scope, const char *schema,
                                            const char *name);

/* --- rewrite_tree.c: the tree ----------------------------------------------------------------- */

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

void rh_rewrite_tree(struct rewriting *rewriting, const json_t *tree);
/* `ret_shows` (NULL: not wanted) is what it shows to what is around it. */
void rh_rewrite_statement(struct rewriting *rewriting, const json_t *node,
                          const struct rewrite_scope *outer, struct select_manner manner,
                          struct exposure *ret_shows);
void rh_rewrite_select(struct rewriting *rewriting, const json_t *select,
                       const struct rewrite_scope *outer, struct select_manner manner,
                       struct exposure *ret_shows);
/* Of a select list, or RETURNING. True: something was taken out. */
bool rh_rewrite_targets(struct rewriting *rewriting, const json_t *list,
                        const struct rewrite_scope *scope, struct select_manner manner,
                        struct exposure *ret_shows);
void rh_rewrite_with(struct rewriting *rewriting, const json_t *with, struct rewrite_scope *scope);
/* An item of FROM, or all: they are added to the scope. */
void rh_rewrite_from(struct rewriting *rewriting, const json_t *item, struct rewrite_scope *scope);
void rh_rewrite_from_list(struct rewriting *rewriting, const json_t *list,
                          struct rewrite_scope *scope);
/* Expressions, and lists of them; `clause` is where they stand, for reasons. */
void rh_rewrite_node(struct rewriting *rewriting, const json_t *node,
                     const struct rewrite_scope *scope);
void rh_rewrite_clause(struct rewriting *rewriting, const char *clause, const json_t *node,
                       const struct rewrite_scope *scope);
bool rh_rewrite_is_star(const json_t *reference);

/* --- rewrite_write.c: statements that write --------------------------------------------------- */

void rh_rewrite_insert(struct rewriting *rewriting, const json_t *insert,
                       const struct rewrite_scope *outer, struct select_manner manner,
                       struct exposure *ret_shows);
/* DELETE as well. */
void rh_rewrite_update(struct rewriting *rewriting, const json_t *update,
                       const struct rewrite_scope *outer, struct select_manner manner,
                       struct exposure *ret_shows);
void rh_rewrite_merge(struct rewriting *rewriting, const json_t *merge,
                      const struct rewrite_scope *outer);
void rh_rewrite_copy(struct rewriting *rewriting, const json_t *copy,
                     const struct rewrite_scope *outer);

/* --- of the tree ------------------------------------------------------------------------------ */

static inline const json_t *rh_tree_get(const json_t *node, const char *key)
{
    return json_object_get(node, key);
}

static inline const char *rh_tree_text(const json_t *node, const char *key)
{
    return json_string_value(json_object_get(node, key));
}

/* A String of a list; NULL: it is something else. */
static inline const char *rh_tree_string(const json_t *list, size_t index)
{
    return rh_tree_text(rh_tree_get(json_array_get(list, index), "String"), "sval");
}

#endif
