/* The plan: for every column what happens to it, and why. */
#include "mask/masking_int.h"

#include "model/ledger.h"

/* An IPv6 address in full: eight groups of four digits. */
#define ADDRESS_CHARACTERS_MAX 39

/* How much a reason weighs: of a domain's members the strongest decides. */
enum strength { STRENGTH_DEFAULT, STRENGTH_DETECTED, STRENGTH_SCHEMA, STRENGTH_DECLARED };

struct decision {
    enum mask_rule rule;
    enum strength strength;
    const char *reason;
    size_t decider;   /* the column whose reason it is */
    bool is_category; /* its values are in the schema: no reason to keep others */
    bool is_of_key;   /* some member is of a primary or foreign key */
    bool has_conflict;
    size_t conflict; /* another that was declared otherwise */
};

size_t rh_planning_find(const struct planning *planning, size_t table, int column)
{
    size_t low = planning->first_columns[table], high = planning->first_columns[table + 1];

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int number = planning->columns.items[middle].column->number;
        if (number == column)
            return middle;
        if (number < column)
            low = middle + 1;
        else
            high = middle;
    }
    return SIZE_MAX;
}

void rh_planning_problem(struct planning *planning, bool is_fatal, size_t column,
                         const char *object, const char *fmt, ...)
{
    struct masking_problem *problem = RH_PUSH(planning->arena, &planning->masking->problems);
    const struct decided_column *decided = &planning->columns.items[column];
    va_list args;

    problem->is_fatal = is_fatal;
    problem->table = decided->table->identity;
    problem->column = decided->column->name;
    problem->object = object;
    va_start(args, fmt);
    problem->sentence = rh_arena_vprintf(planning->arena, fmt, args);
    va_end(args);
}

/* ---- columns -----------------------------------------------------------------------------------
 */

static bool is_copied(const struct catalog_table *table)
{
    return table->kind == 'r' || table->kind == 'p';
}

static void add_columns(struct planning *planning)
{
    const struct catalog *catalog = planning->catalog;

    planning->first_columns = rh_arena_alloc_array(planning->arena, catalog->tables.count + 1,
                                                   sizeof(size_t));
    for (size_t t = 0; t < catalog->tables.count; t++) {
        const struct catalog_table *table = &catalog->tables.items[t];
        planning->first_columns[t] = planning->columns.count;
        for (size_t c = 0; is_copied(table) && c < table->columns.count; c++) {
            struct masked_column *masked = RH_PUSH(planning->arena, &planning->masking->columns);
            struct decided_column *decided = RH_PUSH(planning->arena, &planning->columns);
            masked->table = t;
            masked->column = table->columns.items[c].number;
            decided->table = table;
            decided->column = &table->columns.items[c];
            decided->family = rh_mask_family(decided->column);
        }
    }
    planning->first_columns[catalog->tables.count] = planning->columns.count;
    for (size_t i = 0; i < planning->columns.count; i++)
        planning->columns.items[i].masked = &planning->masking->columns.items[i];
}

static void mark_keys(struct planning *planning)
{
    const struct catalog *catalog = planning->catalog;

    for (size_t t = 0; t < catalog->tables.count; t++) {
        const struct catalog_table *table = &catalog->tables.items[t];
        for (size_t k = 0; k < table->keys.count; k++)
            for (size_t c = 0;
                 table->keys.items[k].is_primary && c < table->keys.items[k].columns.count; c++) {
                size_t found = rh_planning_find(planning, t, table->keys.items[k].columns.items[c]);
                if (found != SIZE_MAX)
                    planning->columns.items[found].is_key = true;
            }
    }
    for (size_t i = 0; i < catalog->foreign_keys.count; i++) {
        const struct catalog_foreign_key *key = &catalog->foreign_keys.items[i];
        for (size_t c = 0; c < key->child_columns.count; c++) {
            size_t child = rh_planning_find(planning, key->child, key->child_columns.items[c]),
                   parent = rh_planning_find(planning, key->parent, key->parent_columns.items[c]);
            if (child != SIZE_MAX)
                planning->columns.items[child].is_key = planning->columns.items[child]
                                                            .is_child = true;
            if (parent != SIZE_MAX)
                planning->columns.items[parent].is_key = true;
        }
    }
}

static enum err_code add_rules(struct planning *planning, struct err *err)
{
    const struct masking_rules *rules = planning->rules;
    size_t table = CATALOG_NONE;

    for (size_t i = 0; rules && i < rules->columns.count; i++) {
        const struct column_rule *rule = &rules->columns.items[i];
        int column;
        enum err_code code = RH_OK;
        /* The columns of one table stand together. */
        if (i == 0 || rule->table != rules->columns.items[i - 1].table)
            code = rh_masking_find_table(planning->catalog, rules, rule->table, rule->place, &table,
                                         err);
        if (!code)
            code = rh_masking_find_column(planning->catalog, rules, table, rule->column,
                                          rule->place, &column, err);
        if (code)
            return code;
        size_t found = rh_planning_find(planning, table, column);
        struct decided_column *decided = &planning->columns.items[found];
        if (decided->declared)
            return rh_err_set(
                err, RH_ERR_USAGE, "%s:%zu:%zu: column %s of %s was declared in line %zu already",
                rules->path, rule->place.line, rule->place.column, decided->column->quoted,
                decided->table->identity, decided->declared->place.line);
        decided->declared = rule;
    }
    for (size_t i = 0; rules && i < rules->keep.count; i++) {
        int column;
        enum err_code code = rh_masking_find_path(planning->catalog, rules, &rules->keep.items[i],
                                                  true, &table, &column, err);
        if (code)
            return code;
        for (size_t c = planning->first_columns[table]; c < planning->first_columns[table + 1]; c++)
            if (column == 0 || planning->columns.items[c].column->number == column)
                planning->columns.items[c].kept = &rules->keep.items[i];
    }
    for (size_t i = 0; rules && i < rules->domains.count; i++) {
        const struct domain_rule *domain = &rules->domains.items[i];
        for (size_t j = 0; domain->has_rule && j < domain->columns.count; j++) {
            int column;
            enum err_code code = rh_masking_find_path(
                planning->catalog, rules, &domain->columns.items[j], false, &table, &column, err);
            if (code)
                return code;
            planning->columns.items[rh_planning_find(planning, table, column)].domain_rule = domain;
        }
    }
    return RH_OK;
}

static void add_sightings(struct planning *planning, const struct mask_sighting *sightings,
                          size_t count)
{
    for (size_t i = 0; i < count; i++) {
        size_t found = sightings[i].table < planning->catalog->tables.count
                           ? rh_planning_find(planning, sightings[i].table, sightings[i].column)
                           : SIZE_MAX;
        if (found != SIZE_MAX)
            planning->columns.items[found].sighting = &sightings[i];
    }
}

/* Numbers that the database makes itself, or that point at others, are nobody's whatever they are
 * called: tax_id. */
static bool is_made_here(const struct decided_column *decided)
{
    const char *expression = decided->column->default_expression;

    return decided->family == FAMILY_NUMBER && (decided->is_child || decided->column->is_identity ||
                                                (expression && strstr(expression, "nextval(")));
}

static void detect(struct planning *planning)
{
    for (size_t i = 0; i < planning->columns.count; i++) {
        struct decided_column *decided = &planning->columns.items[i];
        enum personal_kind by_values = decided->sighting ? rh_detect_values(decided->sighting)
                                                         : PERSONAL_NONE,
                           by_name = rh_detect_name(decided->table->name, decided->column->name);
        if (is_made_here(decided))
            continue;
        if (by_values != PERSONAL_NONE && rh_detect_rule(by_values, decided->family) != MASK_KEEP) {
            decided->kind = by_values;
            decided->is_kind_of_values = true;
        }
        if (by_name != PERSONAL_NONE && rh_detect_rule(by_name, decided->family) != MASK_KEEP &&
            (decided->kind == PERSONAL_NONE || decided->kind == PERSONAL_FREE_TEXT)) {
            decided->kind = by_name;
            decided->is_kind_of_values = false;
        }
    }
}

/* ---- decisions ---------------------------------------------------------------------------------
 */

static bool names_a_thing(const char *name)
{
    size_t len = strlen(name);
    static const char *const endings[] = {"id", "Id", "ID", "uuid", "UUID", "guid", "GUID", "uid"};

    for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++)
        if (len >= strlen(endings[i]) && strcmp(name + len - strlen(endings[i]), endings[i]) == 0)
            return true;
    return false;
}

static struct decision default_decision(struct planning *planning, size_t index)
{
    const struct decided_column *decided = &planning->columns.items[index];
    enum mask_rule rule = rh_mask_family_rule(decided->family);
    struct decision decision = {.rule = rule, .strength = STRENGTH_DEFAULT, .decider = index};

    if (decided->family == FAMILY_UUID && (decided->is_key || names_a_thing(decided->column->name)))
        decision.rule = MASK_KEEP;
    /* A single character, one of the server's own kinds of flags. */
    if (strcmp(decided->column->base_type, "char") == 0)
        decision.rule = MASK_KEEP;
    if (rule != MASK_KEEP && planning->rules && planning->rules->keeps_unclassified) {
        decision.rule = MASK_KEEP;
        decision.reason = rh_masking_place(planning->rules, planning->rules->keeps_place,
                                           planning->arena);
    } else if (decision.rule != MASK_KEEP) {
        decision.reason = decision.rule == MASK_NULL ? "nobody classified it, and no rule is made "
                                                       "for its type"
                                                     : "nobody classified it";
    } else if (decided->is_key) {
        decision.reason = "surrogate key";
    } else {
        decision.reason = decided->family == FAMILY_UUID ? "names a thing"
                                                         : rh_mask_family_name(decided->family);
    }
    return decision;
}

/* What values look like is no reason against it, but for addresses: a revision looks like a secret,
   "Add Orders" like a name. */
static bool is_needed_by_a_tool(const struct decided_column *decided)
{
    enum personal_kind by_name = rh_detect_name(decided->table->name, decided->column->name);

    return rh_is_ledger_table(decided->table) && rh_ledger_needs(decided->column->name) &&
           decided->kind != PERSONAL_EMAIL && by_name != PERSONAL_EMAIL && by_name != PERSONAL_NAME;
}

static struct decision own_decision(struct planning *planning, size_t index)
{
    struct decided_column *decided = &planning->columns.items[index];
    const struct catalog_table *table = decided->table;
    struct arena *arena = planning->arena;
    struct decision decision = {.strength = STRENGTH_DECLARED, .decider = index};

    if (decided->column->is_generated) {
        decision.strength = STRENGTH_SCHEMA;
        decision.reason = "generated: computed anew";
        return decision;
    }
    if (decided->declared && decided->declared->has_rule) {
        decision.rule = decided->declared->rule;
        decision.reason = rh_masking_place(planning->rules, decided->declared->place, arena);
        return decision;
    }
    if (decided->domain_rule || decided->kept) {
        decision.rule = decided->domain_rule ? decided->domain_rule->rule : MASK_KEEP;
        decision.reason = rh_masking_place(
            planning->rules,
            decided->domain_rule ? decided->domain_rule->place : decided->kept->place, arena);
        return decision;
    }
    decision.strength = STRENGTH_SCHEMA;
    if (table->extension || table->is_extension_configuration) {
        decision.reason = table->is_extension_configuration
                              ? rh_arena_printf(arena, "configuration of extension %s",
                                                table->extension ? table->extension : "")
                              : rh_arena_printf(arena, "of extension %s", table->extension);
        return decision;
    }
    if (is_needed_by_a_tool(decided)) {
        decision.reason = "a migration tool's ledger";
        return decision;
    }
    for (size_t i = 0; i < decided->schema.values.count; i++)
        *RH_PUSH(arena, &decided->masked->kept_values) = decided->schema.values.items[i];
    if (decided->is_category) {
        decision.is_category = true;
        decision.decider = decided->category_of;
        decision.reason = rh_arena_printf(arena, "a category: %s %s", decided->schema.object,
                                          decided->schema.is_complete ? "lists its values"
                                                                      : "compares it");
        return decision;
    }
    if (decided->kind != PERSONAL_NONE) {
        int limit = decided->column->max_characters;
        decision.strength = STRENGTH_DETECTED;
        decision.rule = rh_detect_rule(decided->kind, decided->family);
        /* Another address may be longer. */
        if (decision.rule == MASK_INET && limit > 0 && limit < ADDRESS_CHARACTERS_MAX)
            decision.rule = MASK_TEXT;
        decision.reason = rh_arena_printf(
            arena, "%s %s", decided->is_kind_of_values ? "values look like" : "name says",
            rh_personal_kind_name(decided->kind));
        return decision;
    }
    return default_decision(planning, index);
}

/* Of two columns of one domain. */
static struct decision combine(struct decision a, struct decision b, enum type_family family)
{
    struct decision stronger = a.strength >= b.strength ? a : b,
                    weaker = a.strength >= b.strength ? b : a;

    stronger.is_of_key = a.is_of_key || b.is_of_key;
    weaker.is_of_key = stronger.is_of_key;
    if (!stronger.has_conflict && weaker.has_conflict) {
        stronger.has_conflict = true;
        stronger.conflict = weaker.conflict;
    }
    /* That these values are a few of the schema says nothing of those, which may be anybody's. */
    if (a.is_category != b.is_category && stronger.strength != STRENGTH_DECLARED) {
        struct decision other = a.is_category ? b : a;
        other.is_of_key = stronger.is_of_key;
        return other;
    }
    if (a.strength != b.strength || a.rule == b.rule)
        return stronger;
    if (a.strength == STRENGTH_DECLARED) {
        stronger.has_conflict = true;
        stronger.conflict = weaker.decider;
    } else if (a.strength == STRENGTH_DETECTED) {
        /* What fits both. */
        enum mask_rule rule = rh_mask_family_rule(family);
        stronger.rule = rule != MASK_KEEP ? rule : stronger.rule;
    } else if (stronger.rule == MASK_KEEP && a.strength == STRENGTH_DEFAULT) {
        /* A uuid that names a thing beside one that nobody knows. */
        return stronger;
    } else if (weaker.rule == MASK_KEEP) {
        return weaker;
    }
    return stronger;
}

/* Whether a number or date that is kept for want of a reason goes with one that is masked for a
 * reason. */
static bool yields(const struct decision *kept, const struct decision *masked)
{
    return kept->strength == STRENGTH_DEFAULT && !kept->is_of_key &&
           masked->strength >= STRENGTH_DETECTED;
}

/* What a view or a constraint compares joins two domains where that makes neither less masked nor
   changes what somebody declared. */
static bool may_join(const struct decision *a, const struct decision *b)
{
    if (a->rule == b->rule)
        return true;
    if (a->rule == MASK_KEEP || b->rule == MASK_KEEP)
        return a->rule == MASK_KEEP ? yields(a, b) : yields(b, a);
    return a->strength != STRENGTH_DECLARED || b->strength != STRENGTH_DECLARED;
}

static void join_weak_edges(struct planning *planning, struct decision *decisions)
{
    for (size_t i = 0; i < planning->edges.count; i++) {
        const struct group_edge *edge = &planning->edges.items[i];
        size_t a = rh_unions_find(&planning->groups, edge->a),
               b = rh_unions_find(&planning->groups, edge->b);
        if (!edge->is_weak || a == b)
            continue;
        const struct decided_column *right = &planning->columns.items[edge->b];
        if (may_join(&decisions[a], &decisions[b])) {
            struct decision both = combine(decisions[a], decisions[b], right->family);
            rh_unions_join(&planning->groups, a, b);
            decisions[rh_unions_find(&planning->groups, a)] = both;
        } else {
            rh_planning_problem(planning, false, edge->a, NULL,
                                "%s compares it with %s.%s, which is masked otherwise (%s, not "
                                "%s): in the copy they will not match; give both one rule",
                                edge->reason, right->table->identity, right->column->quoted,
                                rh_mask_rule_name(decisions[b].rule),
                                rh_mask_rule_name(decisions[a].rule));
        }
    }
}

static const char *name_of(const struct planning *planning, size_t column)
{
    return rh_arena_printf(planning->arena, "%s.%s",
                           planning->columns.items[column].table->identity,
                           planning->columns.items[column].column->quoted);
}

static void tell_conflict(struct planning *planning, const struct decision *decision)
{
    rh_planning_problem(
        planning, true, decision->decider, NULL,
        "its values and those of %s are compared, so both need one rule, but %s "
        "and %s say otherwise: declare the same rule for both, or only for one",
        name_of(planning, decision->conflict), decision->reason,
        rh_masking_place(planning->rules,
                         planning->columns.items[decision->conflict].declared
                             ? planning->columns.items[decision->conflict].declared->place
                             : (struct rules_place){0},
                         planning->arena));
}

static bool has_value(const struct masked_column *masked, const char *value)
{
    for (size_t i = 0; i < masked->kept_values.count; i++)
        if (strcmp(masked->kept_values.items[i], value) == 0)
            return true;
    return false;
}

/* What the members of a domain must have in common: pseudonyms depend on it. */
struct common {
    VEC(const char *) kept_values;
    /* The first member with paths of its own, maybe none, and one with others; SIZE_MAX. Whose
       table says nothing has those of the first. */
    size_t with_paths, with_other_paths;
    const char *parameter;
    size_t with_parameter;
    int max_characters;
    bool is_personal;
};

/* Rules of paths are of one column's documents: whoever is declared has those that it was declared
 * with, or none. */
static bool has_own_paths(const struct decided_column *decided)
{
    return decided->domain_rule || (decided->declared && decided->declared->has_rule);
}

static bool has_same_paths(const struct decided_column *a, const struct decided_column *b)
{
    size_t count = a->declared ? a->declared->paths.count : 0;

    if (count != (b->declared ? b->declared->paths.count : 0))
        return false;
    for (size_t i = 0; i < count; i++) {
        const struct mask_path *left = &a->declared->paths.items[i],
                               *right = &b->declared->paths.items[i];
        bool is_same_domain = left->domain && right->domain
                                  ? strcmp(left->domain, right->domain) == 0
                                  : left->domain == right->domain;
        if (strcmp(left->path, right->path) != 0 || left->rule != right->rule || !is_same_domain)
            return false;
    }
    return true;
}

static void gather_parameter(struct planning *planning, struct common *common, size_t index)
{
    const struct column_rule *declared = planning->columns.items[index].declared;

    if (!declared->parameter)
        return;
    if (!common->parameter) {
        common->parameter = declared->parameter;
        common->with_parameter = index;
    } else if (strcmp(common->parameter, declared->parameter) != 0) {
        rh_planning_problem(
            planning, true, index, NULL,
            "its values and those of %s are compared, so both need one rule with one parameter, "
            "but %s and %s give two: write the same for both, or only for one",
            name_of(planning, common->with_parameter),
            rh_masking_place(planning->rules,
                             planning->columns.items[common->with_parameter].declared->place,
                             planning->arena),
            rh_masking_place(planning->rules, declared->place, planning->arena));
    }
}

static void write_paths(struct planning *planning, const struct common *common, size_t index)
{
    struct decided_column *decided = &planning->columns.items[index];
    size_t source = has_own_paths(decided) ? index : common->with_paths;
    const struct column_rule *declared = source != SIZE_MAX
                                             ? planning->columns.items[source].declared
                                             : NULL;

    if (source != index && common->with_other_paths != SIZE_MAX)
        rh_planning_problem(planning, true, index, NULL,
                            "its paths would be those of %s or of %s, which are not the same: "
                            "write {rule: json, paths: ...} for it, too",
                            name_of(planning, common->with_paths),
                            name_of(planning, common->with_other_paths));
    if (declared) {
        decided->masked->paths.items = declared->paths.items;
        decided->masked->paths.count = decided->masked->paths.capacity = declared->paths.count;
    }
}

static void gather_common(struct planning *planning, struct common *commons)
{
    for (size_t i = 0; i < planning->columns.count; i++)
        commons[i].with_paths = commons[i].with_other_paths = SIZE_MAX;
    for (size_t i = 0; i < planning->columns.count; i++) {
        struct decided_column *decided = &planning->columns.items[i];
        struct common *common = &commons[rh_unions_find(&planning->groups, i)];
        const struct column_rule *declared = decided->declared;
        int limit = decided->column->max_characters;
        if (declared) {
            for (size_t j = 0; j < declared->kept_values.count; j++)
                if (!has_value(decided->masked, declared->kept_values.items[j]))
                    *RH_PUSH(planning->arena,
                             &decided->masked->kept_values) = declared->kept_values.items[j];
            gather_parameter(planning, common, i);
        }
        if (has_own_paths(decided)) {
            if (common->with_paths == SIZE_MAX)
                common->with_paths = i;
            else if (common->with_other_paths == SIZE_MAX &&
                     !has_same_paths(&planning->columns.items[common->with_paths], decided))
                common->with_other_paths = i;
        }
        if (limit > 0 && (common->max_characters == 0 || limit < common->max_characters))
            common->max_characters = limit;
        common->is_personal |= (decided->kind != PERSONAL_NONE ||
                                (declared && declared->personal == PERSONAL_YES)) &&
                               !(declared && declared->personal == PERSONAL_NO);
        for (size_t j = 0; j < decided->masked->kept_values.count; j++) {
            bool is_known = false;
            for (size_t k = 0; k < common->kept_values.count && !is_known; k++)
                is_known = strcmp(common->kept_values.items[k],
                                  decided->masked->kept_values.items[j]) == 0;
            if (!is_known)
                *RH_PUSH(planning->arena,
                         &common->kept_values) = decided->masked->kept_values.items[j];
        }
    }
}

static void write_decisions(struct planning *planning, const struct decision *decisions)
{
    struct common *commons = rh_arena_alloc_array(planning->arena, planning->columns.count,
                                                  sizeof(*commons));

    gather_common(planning, commons);
    for (size_t i = 0; i < planning->columns.count; i++) {
        struct decided_column *decided = &planning->columns.items[i];
        struct masked_column *masked = decided->masked;
        size_t root = rh_unions_find(&planning->groups, i);
        const struct decision *decision = &decisions[root];
        const struct common *common = &commons[root];
        masked->rule = decided->column->is_generated ? MASK_KEEP : decision->rule;
        masked->reason = decision->decider == i
                             ? decision->reason
                             : rh_arena_printf(planning->arena, "as %s: %s",
                                               name_of(planning, decision->decider),
                                               decision->reason);
        memset(&masked->kept_values, 0, sizeof(masked->kept_values));
        if (masked->rule == MASK_KEEP) {
            if (decision->decider != i && decided->kind != PERSONAL_NONE)
                rh_planning_problem(planning, false, i, NULL,
                                    "it stays as it is because %s does (%s), though its %s %s",
                                    name_of(planning, decision->decider), decision->reason,
                                    decided->is_kind_of_values ? "values look like" : "name says",
                                    rh_personal_kind_name(decided->kind));
            continue;
        }
        masked->is_personal = common->is_personal;
        masked->parameter = common->parameter;
        masked->max_characters = common->max_characters;
        if (masked->rule == MASK_JSON)
            write_paths(planning, common, i);
        if (masked->rule != MASK_NULL && masked->rule != MASK_FIXED) {
            masked->kept_values.items = common->kept_values.items;
            masked->kept_values.count = masked->kept_values.capacity = common->kept_values.count;
        }
    }
}

static void decide(struct planning *planning)
{
    size_t count = planning->columns.count;
    struct decision *own = rh_arena_alloc_array(planning->arena, count, sizeof(*own)),
                    *decisions = rh_arena_alloc_array(planning->arena, count, sizeof(*decisions));
    bool *is_set = rh_arena_alloc_array(planning->arena, count, sizeof(*is_set));

    for (size_t i = 0; i < count; i++) {
        size_t root = rh_unions_find(&planning->groups, i);
        own[i] = own_decision(planning, i);
        own[i].is_of_key = planning->columns.items[i].is_key;
        decisions[root] = is_set[root]
                              ? combine(decisions[root], own[i], planning->columns.items[i].family)
                              : own[i];
        is_set[root] = true;
    }
    join_weak_edges(planning, decisions);
    for (size_t i = 0; i < count; i++)
        if (rh_unions_find(&planning->groups, i) == i && decisions[i].has_conflict)
            tell_conflict(planning, &decisions[i]);
    write_decisions(planning, decisions);
}

enum err_code rh_masking_plan(const struct catalog *catalog, const struct masking_rules *rules,
                              const struct mask_sighting *sightings, size_t sighting_count,
                              struct arena *arena, struct masking *ret_masking, struct err *err)
{
    struct masking masking = {0};
    struct planning planning = {
        .catalog = catalog, .rules = rules, .arena = arena, .masking = &masking};
    enum err_code code;

    add_columns(&planning);
    mark_keys(&planning);
    add_sightings(&planning, sightings, sighting_count);
    code = add_rules(&planning, err);
    if (!code) {
        detect(&planning);
        rh_categories_find(&planning);
        code = rh_domains_find(&planning, err);
    }
    if (code)
        return code;
    decide(&planning);
    rh_domains_write(&planning);
    rh_masking_check(&planning);
    *ret_masking = masking;
    return RH_OK;
}

const struct masked_column *rh_masking_column(const struct masking *masking, size_t table,
                                              int column)
{
    size_t low = 0, high = masking->columns.count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct masked_column *masked = &masking->columns.items[middle];
        if (masked->table == table && masked->column == column)
            return masked;
        if (masked->table < table || (masked->table == table && masked->column < column))
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}
