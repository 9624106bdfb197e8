/* Columns whose values are compared with each other, and which therefore need one map. */
#include "mask/masking_int.h"

#include <stdlib.h>

struct unions rh_unions_new(size_t count, struct arena *arena)
{
    struct unions unions = {rh_arena_alloc_array(arena, count, sizeof(size_t)), count};

    for (size_t i = 0; i < count; i++)
        unions.parents[i] = i;
    return unions;
}

size_t rh_unions_find(struct unions *unions, size_t item)
{
    while (unions->parents[item] != item) {
        unions->parents[item] = unions->parents[unions->parents[item]];
        item = unions->parents[item];
    }
    return item;
}

void rh_unions_join(struct unions *unions, size_t a, size_t b)
{
    a = rh_unions_find(unions, a);
    b = rh_unions_find(unions, b);
    if (a < b)
        unions->parents[b] = a;
    else
        unions->parents[a] = b;
}

/* Values of both can be equal, and are masked by the same rules. */
static bool is_comparable(const struct decided_column *a, const struct decided_column *b)
{
    if (a->family != b->family || a->column->is_array != b->column->is_array)
        return false;
    if (a->family == FAMILY_COMPOSITE || a->family == FAMILY_UNKNOWN || a->family == FAMILY_PLAIN ||
        a->family == FAMILY_RANGE)
        return strcmp(a->column->base_type, b->column->base_type) == 0;
    return true;
}

/* An inet and a cidr that are equal, or a macaddr and a macaddr8, become two addresses. */
static bool has_own_map(const struct decided_column *a, const struct decided_column *b)
{
    return (a->family == FAMILY_INET || a->family == FAMILY_MACADDR) &&
           strcmp(a->column->base_type, b->column->base_type) != 0;
}

/* A column that the user empties or fixes needs no map, and drags nobody along. */
static bool stands_alone(const struct decided_column *decided)
{
    return decided->declared && decided->declared->has_rule &&
           (decided->declared->rule == MASK_NULL || decided->declared->rule == MASK_FIXED);
}

static void add_edge(struct planning *planning, size_t a, size_t b, bool is_weak,
                     const char *reason)
{
    if (a == SIZE_MAX || b == SIZE_MAX || a == b)
        return;
    /* What is computed is not copied. */
    if (planning->columns.items[a].column->is_generated ||
        planning->columns.items[b].column->is_generated)
        return;
    const struct decided_column *left = &planning->columns.items[a],
                                *right = &planning->columns.items[b];
    if (stands_alone(left) || stands_alone(right))
        return;
    if (!is_comparable(left, right) || (is_weak && has_own_map(left, right))) {
        if (left->family != FAMILY_PLAIN && right->family != FAMILY_PLAIN)
            rh_planning_problem(planning, false, a, NULL,
                                "%s compares it with %s.%s, which is %s: where they are masked, "
                                "rows that matched will not",
                                reason, right->table->identity, right->column->quoted,
                                rh_mask_family_name(right->family));
        return;
    }
    *RH_PUSH(planning->arena, &planning->edges) = (struct group_edge){a, b, reason, is_weak};
}

static void add_foreign_keys(struct planning *planning)
{
    const struct catalog *catalog = planning->catalog;

    for (size_t i = 0; i < catalog->foreign_keys.count; i++) {
        const struct catalog_foreign_key *key = &catalog->foreign_keys.items[i];
        const char *reason = rh_arena_printf(
            planning->arena, "%s %s", key->is_declared ? "reference" : "foreign key", key->name);
        for (size_t j = 0; j < key->child_columns.count; j++)
            add_edge(planning, rh_planning_find(planning, key->child, key->child_columns.items[j]),
                     rh_planning_find(planning, key->parent, key->parent_columns.items[j]), false,
                     reason);
    }
}

/* A partition's columns are its table's, by name; so are those that are inherited. */
static void add_parents(struct planning *planning)
{
    const struct catalog *catalog = planning->catalog;

    for (size_t i = 0; i < catalog->tables.count; i++) {
        const struct catalog_table *child = &catalog->tables.items[i];
        for (size_t p = 0; p < child->parents.count; p++) {
            const struct catalog_table *parent = &catalog->tables.items[child->parents.items[p]];
            const char *reason = rh_arena_printf(
                planning->arena, "%s %s", child->partition_bound ? "partition of" : "inherits",
                parent->identity);
            for (size_t j = 0; j < child->columns.count; j++) {
                const struct catalog_column *column = &child->columns.items[j],
                                            *inherited = rh_catalog_column_named(parent,
                                                                                 column->name);
                if (inherited)
                    add_edge(planning, rh_planning_find(planning, i, column->number),
                             rh_planning_find(planning, child->parents.items[p], inherited->number),
                             false, reason);
            }
        }
    }
}

static void add_joins(struct planning *planning)
{
    const struct catalog *catalog = planning->catalog;

    for (size_t i = 0; i < catalog->joins.count; i++) {
        const struct catalog_join *join = &catalog->joins.items[i];
        add_edge(planning, rh_planning_find(planning, join->left_table, join->left_column),
                 rh_planning_find(planning, join->right_table, join->right_column), true,
                 rh_arena_printf(planning->arena, "view %s", join->view));
    }
}

/* CHECK (ended >= begun): with one shift for both it still holds. */
static void add_comparisons(struct planning *planning, size_t table, const char *name,
                            const struct sql_expression *expression)
{
    static const char *const orders[] = {"=", "<>", "<", "<=", ">", ">="};
    const struct catalog_table *own = &planning->catalog->tables.items[table];

    if (expression->kind == SQL_OPERATOR && expression->arguments.count == 2) {
        const struct sql_expression *left = rh_sql_uncast(expression->arguments.items[0]),
                                    *right = rh_sql_uncast(expression->arguments.items[1]);
        bool compares = false;
        for (size_t i = 0; i < sizeof(orders) / sizeof(orders[0]); i++)
            compares |= expression->name && strcmp(expression->name, orders[i]) == 0;
        const struct catalog_column *a = compares && left->kind == SQL_COLUMN
                                             ? rh_catalog_column_named(own, left->name)
                                             : NULL,
                                    *b = a && right->kind == SQL_COLUMN
                                             ? rh_catalog_column_named(own, right->name)
                                             : NULL;
        if (b)
            add_edge(planning, rh_planning_find(planning, table, a->number),
                     rh_planning_find(planning, table, b->number), true,
                     rh_arena_printf(planning->arena, "constraint %s", name));
    }
    for (size_t i = 0; i < expression->arguments.count; i++)
        add_comparisons(planning, table, name, expression->arguments.items[i]);
}

static void add_checks(struct planning *planning)
{
    const struct catalog *catalog = planning->catalog;

    for (size_t t = 0; t < catalog->tables.count; t++)
        for (size_t i = 0; i < catalog->tables.items[t].checks.count; i++) {
            const struct catalog_check *check = &catalog->tables.items[t].checks.items[i];
            const struct sql_expression *expression = check->columns.count > 1
                                                          ? rh_sql_expression(
                                                                rh_text(check->expression),
                                                                planning->arena)
                                                          : NULL;
            if (expression)
                add_comparisons(planning, t, check->name, expression);
        }
}

struct declared_member {
    const char *domain;
    size_t column;
    struct rules_place place;
};

static int compare_members(const void *a, const void *b)
{
    const struct declared_member *left = a, *right = b;
    int order = strcmp(left->domain, right->domain);

    if (order == 0)
        order = left->column < right->column ? -1 : left->column > right->column;
    return order;
}

/* Columns that the file puts into one domain, here or there. */
static enum err_code add_declared(struct planning *planning, struct err *err)
{
    const struct masking_rules *rules = planning->rules;
    VEC(struct declared_member) members = {0};

    for (size_t i = 0; rules && i < rules->domains.count; i++) {
        const struct domain_rule *domain = &rules->domains.items[i];
        for (size_t j = 0; j < domain->columns.count; j++) {
            size_t table;
            int column;
            enum err_code code = rh_masking_find_path(
                planning->catalog, rules, &domain->columns.items[j], false, &table, &column, err);
            if (code)
                return code;
            *RH_PUSH(planning->arena, &members) = (struct declared_member){
                domain->name, rh_planning_find(planning, table, column),
                domain->columns.items[j].place};
        }
    }
    for (size_t i = 0; i < planning->columns.count; i++) {
        const struct column_rule *declared = planning->columns.items[i].declared;
        if (declared && declared->domain)
            *RH_PUSH(planning->arena, &members) = (struct declared_member){declared->domain, i,
                                                                           declared->place};
    }
    if (members.count > 1)
        qsort(members.items, members.count, sizeof(members.items[0]), compare_members);
    for (size_t i = 0; i < members.count; i++) {
        planning->columns.items[members.items[i].column].domain = members.items[i].domain;
        if (i > 0 && strcmp(members.items[i - 1].domain, members.items[i].domain) == 0)
            add_edge(planning, members.items[i - 1].column, members.items[i].column, false,
                     rh_masking_place(rules, members.items[i].place, planning->arena));
    }
    return RH_OK;
}

enum err_code rh_domains_find(struct planning *planning, struct err *err)
{
    add_foreign_keys(planning);
    add_parents(planning);
    enum err_code code = add_declared(planning, err);
    if (code)
        return code;
    add_joins(planning);
    add_checks(planning);
    planning->groups = rh_unions_new(planning->columns.count, planning->arena);
    for (size_t i = 0; i < planning->edges.count; i++)
        if (!planning->edges.items[i].is_weak)
            rh_unions_join(&planning->groups, planning->edges.items[i].a,
                           planning->edges.items[i].b);
    return RH_OK;
}

static const char *first_name(const struct planning *planning, size_t column)
{
    const struct decided_column *decided = &planning->columns.items[column];

    return rh_arena_printf(planning->arena, "%s.%s", decided->table->identity,
                           decided->column->quoted);
}

static void add_reason(struct planning *planning, struct masking_domain *domain, const char *reason)
{
    for (size_t i = 0; i < domain->reasons.count; i++)
        if (strcmp(domain->reasons.items[i], reason) == 0)
            return;
    *RH_PUSH(planning->arena, &domain->reasons) = reason;
}

static bool needs_key(enum mask_rule rule)
{
    return rule != MASK_KEEP && rule != MASK_FIXED && rule != MASK_NULL;
}

void rh_domains_write(struct planning *planning)
{
    struct masking *masking = planning->masking;
    size_t count = planning->columns.count;
    size_t *domains = rh_arena_alloc_array(planning->arena, count, sizeof(*domains)); /* by root: 1
                                                                                         + index */
    const char **names = rh_arena_alloc_array(planning->arena, count, sizeof(*names));

    for (size_t i = 0; i < count; i++) {
        size_t root = rh_unions_find(&planning->groups, i);
        if (!names[root])
            names[root] = planning->columns.items[i].domain;
    }
    for (size_t i = 0; i < count; i++) {
        struct masked_column *masked = &masking->columns.items[i];
        size_t root = rh_unions_find(&planning->groups, i);
        if (!needs_key(masked->rule))
            continue;
        if (domains[root] == 0) {
            struct masking_domain *domain = RH_PUSH(planning->arena, &masking->domains);
            domain->name = names[root] ? names[root] : first_name(planning, i);
            domain->rule = masked->rule;
            domains[root] = masking->domains.count;
        }
        struct masking_domain *domain = &masking->domains.items[domains[root] - 1];
        masked->domain = domain->name;
        *RH_PUSH(planning->arena, &domain->members) = i;
    }
    for (size_t i = 0; i < planning->edges.count; i++) {
        const struct group_edge *edge = &planning->edges.items[i];
        size_t root = rh_unions_find(&planning->groups, edge->a);
        if (root == rh_unions_find(&planning->groups, edge->b) && domains[root] > 0)
            add_reason(planning, &masking->domains.items[domains[root] - 1], edge->reason);
    }
}
