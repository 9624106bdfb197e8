#include "sql/rewrite_int.h"

#include "base/quote.h"

#define PUBLIC "public"

/* --- rules ------------------------------------------------------------------------------------ */

/* What the text leaves out may be any schema; what the rule leaves out is public. */
static bool is_its_table(const struct transform_rule *rule, const char *schema, const char *table)
{
    return rule->kind != TRANSFORM_REPLACE && strcmp(rule->table, table) == 0 &&
           (schema == NULL || strcmp(rule->schema != NULL ? rule->schema : PUBLIC, schema) == 0);
}

size_t rh_rewrite_table_rule(const struct rewriting *rewriting, const char *schema,
                             const char *table)
{
    for (size_t i = 0; i < rewriting->transform->rules.count; i++) {
        const struct transform_rule *rule = &rewriting->transform->rules.items[i];
        if (rule->kind == TRANSFORM_RENAME_TABLE && is_its_table(rule, schema, table))
            return i;
    }
    return TRANSFORM_NONE;
}

size_t rh_rewrite_column_rule(const struct rewriting *rewriting, const char *schema,
                              const char *table, const char *column)
{
    for (size_t i = 0; i < rewriting->transform->rules.count; i++) {
        const struct transform_rule *rule = &rewriting->transform->rules.items[i];
        if (rule->column != NULL && is_its_table(rule, schema, table) &&
            strcmp(rule->column, column) == 0)
            return i;
    }
    return TRANSFORM_NONE;
}

size_t rh_rewrite_any_column_rule(const struct rewriting *rewriting, const char *schema,
                                  const char *table, enum transform_kind kind)
{
    for (size_t i = 0; i < rewriting->transform->rules.count; i++) {
        const struct transform_rule *rule = &rewriting->transform->rules.items[i];
        if (rule->kind == kind && is_its_table(rule, schema, table))
            return i;
    }
    return TRANSFORM_NONE;
}

static bool has_own_column(const struct exposure *shows, const char *column)
{
    for (size_t i = 0; i < shows->columns.count; i++) {
        if (strcmp(shows->columns.items[i], column) == 0)
            return true;
    }
    return false;
}

size_t rh_rewrite_exposed_rule(const struct rewriting *rewriting, const struct exposure *shows,
                               const char *column)
{
    if (has_own_column(shows, column))
        return TRANSFORM_NONE;
    for (size_t i = 0; i < shows->tables.count; i++) {
        const struct exposed_table *table = &shows->tables.items[i];
        size_t rule = rh_rewrite_column_rule(rewriting, table->schema, table->table, column);
        if (rule != TRANSFORM_NONE)
            return rule;
    }
    return TRANSFORM_NONE;
}

/* --- tables ----------------------------------------------------------------------------------- */

const struct with_query *rh_rewrite_with_query(const struct rewrite_scope *scope, const char *name)
{
    for (; scope != NULL; scope = scope->outer) {
        for (size_t i = scope->queries.count; i-- > 0;) {
            if (strcmp(scope->queries.items[i].name, name) == 0)
                return &scope->queries.items[i];
        }
    }
    return NULL;
}

static bool has(const char *const *names, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(names[i], name) == 0)
            return true;
    }
    return false;
}

static const char *bare(struct arena *arena, const char *written)
{
    return rh_quote_read_name(arena, rh_text(written));
}

/* With its old name as its alias nothing else needs to change: where the new name means something
   else in the text already, or where the old one may have been a column's. */
static bool needs_alias(const struct rewriting *rewriting, const struct transform_rule *rule)
{
    return has(rewriting->names.items, rewriting->names.count, bare(rewriting->arena, rule->to)) ||
           has(rewriting->lone_columns.items, rewriting->lone_columns.count, rule->table);
}

/* The piece of its own name: behind those of a database and a schema. */
static size_t name_piece(const struct rewriting *rewriting, const json_t *range)
{
    size_t piece = rh_rewrite_piece_of(rewriting, range);
    if (piece == PIECE_NONE)
        return PIECE_NONE;
    piece += 2 * ((rh_tree_text(range, "schemaname") != NULL) +
                  (size_t)(rh_tree_text(range, "catalogname") != NULL));
    return rh_rewrite_is_name(rewriting, piece, rh_tree_text(range, "relname")) ? piece
                                                                                : PIECE_NONE;
}

/* At a name that may have a schema before it. */
static void put_table(struct rewriting *rewriting, size_t piece, bool has_schema,
                      const struct transform_rule *rule)
{
    struct arena *arena = rewriting->arena;
    bool adds_schema = rule->to_schema != NULL && !has_schema;
    if (rule->to_schema != NULL && has_schema)
        rh_rewrite_put(rewriting, piece - 2, rule->to_schema);
    rh_rewrite_put(rewriting, piece,
                   adds_schema ? rh_arena_printf(arena, "%s.%s", rule->to_schema, rule->to)
                               : rule->to);
}

/* The rule by which it got another name; TRANSFORM_NONE also where it goes by an alias. */
static size_t rename_table(struct rewriting *rewriting, const json_t *range, bool is_referred_to)
{
    const char *schema = rh_tree_text(range, "schemaname"), *name = rh_tree_text(range, "relname");
    size_t found = rh_rewrite_table_rule(rewriting, schema, name);
    if (found == TRANSFORM_NONE)
        return TRANSFORM_NONE;
    const struct transform_rule *rule = &rewriting->transform->rules.items[found];
    size_t piece = name_piece(rewriting, range);
    rewriting->result->matched[found] = true;
    if (piece == PIECE_NONE) {
        rh_rewrite_refuse(rewriting, "where it names %s could not be told", name);
        return TRANSFORM_NONE;
    }
    put_table(rewriting, piece, schema != NULL, rule);
    if (rh_tree_get(range, "alias") != NULL)
        return TRANSFORM_NONE;
    if (!is_referred_to || !needs_alias(rewriting, rule))
        return found;
    rh_rewrite_put_behind(
        rewriting, piece,
        rh_arena_printf(rewriting->arena, " AS %s",
                        rh_quote_name_where_needed(rewriting->arena, rule->table)));
    return TRANSFORM_NONE;
}

void rh_rewrite_lone_table(struct rewriting *rewriting, const json_t *range)
{
    if (rh_tree_text(range, "relname") != NULL)
        (void)rename_table(rewriting, range, false);
}

/* Names of an alias' own stand for the first of the columns. */
static void take_column_names(struct rewriting *rewriting, const json_t *alias,
                              struct exposure *shows)
{
    const json_t *names = rh_tree_get(alias, "colnames");
    if (json_array_size(names) == 0)
        return;
    for (size_t i = 0; i < json_array_size(names); i++) {
        const char *name = rh_tree_string(names, i);
        if (name != NULL)
            *RH_PUSH(rewriting->arena, &shows->columns) = name;
    }
    for (size_t i = 0; i < shows->tables.count; i++) {
        const struct exposed_table *table = &shows->tables.items[i];
        size_t rule = rh_rewrite_any_column_rule(rewriting, table->schema, table->table,
                                                 TRANSFORM_DROP_COLUMN);
        if (rule != TRANSFORM_NONE) {
            rewriting->result->matched[rule] = true;
            rh_rewrite_refuse(rewriting, "the columns of %s are named by their places",
                              table->table);
        }
    }
}

struct scope_item *rh_rewrite_add_table(struct rewriting *rewriting, struct rewrite_scope *scope,
                                        const json_t *range, bool may_be_query)
{
    const json_t *alias = rh_tree_get(range, "alias");
    const char *name = rh_tree_text(range, "relname"), *schema = rh_tree_text(range, "schemaname");
    const char *own = rh_tree_text(alias, "aliasname");
    const struct with_query *query = may_be_query && schema == NULL && name != NULL
                                         ? rh_rewrite_with_query(scope, name)
                                         : NULL;
    struct scope_item item = {.name = own != NULL    ? own
                                      : name != NULL ? name
                                                     : "",
                              .rename = TRANSFORM_NONE};
    if (query != NULL) {
        item.shows = query->shows;
        /* The list is shared with the query: a longer one must be another. */
        item.shows.columns.capacity = item.shows.columns.count;
    } else if (name != NULL) {
        item.range = range;
        item.rename = rename_table(rewriting, range, true);
        *RH_PUSH(rewriting->arena, &item.shows.tables) = (struct exposed_table){schema, name};
    }
    take_column_names(rewriting, alias, &item.shows);
    struct scope_item *added = RH_PUSH(rewriting->arena, &scope->items);
    *added = item;
    return added;
}

/* --- columns ---------------------------------------------------------------------------------- */

const struct scope_item *rh_rewrite_item_of(const struct rewrite_scope *scope, const char *schema,
                                            const char *name)
{
    for (; scope != NULL; scope = scope->outer) {
        for (size_t i = 0; i < scope->items.count; i++) {
            const struct scope_item *item = &scope->items.items[i];
            const char *own = rh_tree_text(item->range, "schemaname");
            if (strcmp(item->name, name) == 0 &&
                (schema == NULL ||
                 (item->range != NULL && rh_tree_get(item->range, "alias") == NULL &&
                  (own == NULL || strcmp(own, schema) == 0))))
                return item;
        }
    }
    return NULL;
}

/* Where a column of that name is to be found; NULL: nowhere that a rule is for, or refused. */
static const struct scope_item *item_with_column(struct rewriting *rewriting,
                                                 const struct rewrite_scope *scope,
                                                 const char *column, bool *ret_is_alone)
{
    const char *elsewhere = NULL;
    for (; scope != NULL; scope = scope->outer) {
        const struct scope_item *found = NULL;
        bool is_own = false;
        for (size_t i = 0; i < scope->items.count; i++) {
            const struct scope_item *item = &scope->items.items[i];
            size_t rule = rh_rewrite_exposed_rule(rewriting, &item->shows, column);
            is_own |= has_own_column(&item->shows, column);
            if (rule == TRANSFORM_NONE)
                continue;
            rewriting->result->matched[rule] = true;
            if (found != NULL || is_own || elsewhere != NULL)
                rh_rewrite_refuse(rewriting, "\"%s\" may be a column of %s or of %s", column,
                                  item->name,
                                  found != NULL       ? found->name
                                  : elsewhere != NULL ? elsewhere
                                                      : "another");
            found = item;
        }
        if (found != NULL || is_own) {
            *ret_is_alone = scope->items.count == 1;
            return rewriting->result->why == NULL ? found : NULL;
        }
        /* What else the tables here have is not known. */
        for (size_t i = 0; i < scope->items.count && elsewhere == NULL; i++) {
            const struct exposure *shows = &scope->items.items[i].shows;
            if (shows->has_unknown || shows->tables.count > 0)
                elsewhere = scope->items.items[i].name;
        }
    }
    return NULL;
}

static size_t change_column(struct rewriting *rewriting, size_t piece, size_t found,
                            const char *before, bool may_drop)
{
    const struct transform_rule *rule = &rewriting->transform->rules.items[found];
    rewriting->result->matched[found] = true;
    if (rule->kind == TRANSFORM_RENAME_COLUMN)
        rh_rewrite_put(rewriting, piece,
                       rh_arena_printf(rewriting->arena, "%s%s", before, rule->to));
    else if (!may_drop)
        rh_rewrite_refuse(rewriting, "%s.%s is used in %s", rule->table, rule->column,
                          rewriting->clause);
    return found;
}

/* Its own name, as it is now. */
static const char *qualifier(struct rewriting *rewriting, const struct scope_item *item)
{
    struct arena *arena = rewriting->arena;
    return item->rename != TRANSFORM_NONE ? rewriting->transform->rules.items[item->rename].to
                                          : rh_quote_name(arena, item->name);
}

static size_t change_lone(struct rewriting *rewriting, size_t piece, const char *column,
                          const struct rewrite_scope *scope, bool may_drop)
{
    bool is_alone = true;
    const struct scope_item *item = item_with_column(rewriting, scope, column, &is_alone);
    if (item == NULL)
        return TRANSFORM_NONE;
    /* Among others the new name may be one that they have, too. */
    const char *before = is_alone || item->name[0] == '\0'
                             ? ""
                             : rh_arena_printf(rewriting->arena, "%s.", qualifier(rewriting, item));
    return change_column(rewriting, piece, rh_rewrite_exposed_rule(rewriting, &item->shows, column),
                         before, may_drop);
}

/* "customers" of customers.id, where the table goes by its own name. */
static void change_qualifier(struct rewriting *rewriting, size_t piece, bool has_schema,
                             const struct scope_item *item)
{
    if (item->rename == TRANSFORM_NONE)
        return;
    const struct transform_rule *rule = &rewriting->transform->rules.items[item->rename];
    if (rule->to_schema != NULL && has_schema)
        rh_rewrite_put(rewriting, piece - 2, rule->to_schema);
    rh_rewrite_put(rewriting, piece, rule->to);
}

size_t rh_rewrite_column(struct rewriting *rewriting, const json_t *reference,
                         const struct rewrite_scope *scope, bool may_drop)
{
    const json_t *fields = rh_tree_get(reference, "fields");
    size_t count = json_array_size(fields), first = rh_rewrite_piece_of(rewriting, reference);
    const char *column = count > 0 ? rh_tree_string(fields, count - 1) : NULL;
    if (count == 0 || (count == 1 && column == NULL))
        return TRANSFORM_NONE;
    if (first == PIECE_NONE || first + 2 * count - 1 > rewriting->pieces.count) {
        rh_rewrite_refuse(rewriting, "where it names a column could not be told");
        return TRANSFORM_NONE;
    }
    size_t last = first + 2 * (count - 1);
    if (count == 1)
        return change_lone(rewriting, last, column, scope, may_drop);
    const char *schema = count > 2 ? rh_tree_string(fields, count - 3) : NULL;
    const char *table = rh_tree_string(fields, count - 2);
    const struct scope_item *item = table == NULL ? NULL : rh_rewrite_item_of(scope, schema, table);
    if (item == NULL)
        return TRANSFORM_NONE;
    change_qualifier(rewriting, last - 2, count > 2, item);
    size_t rule = column == NULL ? TRANSFORM_NONE
                                 : rh_rewrite_exposed_rule(rewriting, &item->shows, column);
    return rule == TRANSFORM_NONE ? TRANSFORM_NONE
                                  : change_column(rewriting, last, rule, "", may_drop);
}
