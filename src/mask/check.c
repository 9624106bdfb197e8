/*
 * What stands against a plan, found in the catalogue before the first row is read: constraints,
 * indexes, partitions and types that masked values would not satisfy. What cannot be shown to hold
 * is a problem, never a hope.
 */
#include "mask/masking_int.h"

#include <stdlib.h>

/* Generated columns may be made of generated... never; but an expression is put in place of each
 * once more. */
#define SUBSTITUTION_DEPTH 2

struct checking {
    struct planning *planning;
    const struct catalog_table *table;
    size_t first, end;                    /* its columns in the plan */
    VEC(struct predicate_column) columns; /* those that change */
};

static struct predicate_column predicate_column_of(const struct decided_column *decided)
{
    const struct masked_column *masked = decided->masked;

    return (struct predicate_column){.name = decided->column->name,
                                     .rule = masked->rule,
                                     .family = decided->family,
                                     .domain = masked->domain,
                                     .parameter = masked->parameter,
                                     .kept_values = masked->kept_values.items,
                                     .kept_value_count = masked->kept_values.count,
                                     .is_array = decided->column->is_array};
}

static size_t column_named(const struct checking *checking, const char *name)
{
    for (size_t i = checking->first; i < checking->end; i++)
        if (strcmp(checking->planning->columns.items[i].column->name, name) == 0)
            return i;
    return SIZE_MAX;
}

static bool is_masked(const struct checking *checking, size_t column)
{
    return column != SIZE_MAX &&
           checking->planning->columns.items[column].masked->rule != MASK_KEEP;
}

/* The first masked column that it names; SIZE_MAX. */
static size_t masked_in(const struct checking *checking, const struct sql_expression *expression)
{
    if (expression->kind == SQL_COLUMN) {
        size_t column = column_named(checking, expression->name);
        return is_masked(checking, column) ? column : SIZE_MAX;
    }
    for (size_t i = 0; i < expression->arguments.count; i++) {
        size_t column = masked_in(checking, expression->arguments.items[i]);
        if (column != SIZE_MAX)
            return column;
    }
    return SIZE_MAX;
}

/* Puts expressions in place of generated columns, and the column in place of a domain's VALUE. */
static struct sql_expression *substitute(struct checking *checking,
                                         struct sql_expression *expression, const char *value,
                                         int depth)
{
    struct arena *arena = checking->planning->arena;

    if (expression->kind == SQL_COLUMN) {
        if (value && strcmp(expression->name, "value") == 0)
            expression->name = value;
        size_t column = column_named(checking, expression->name);
        const struct catalog_column *own = column != SIZE_MAX
                                               ? checking->planning->columns.items[column].column
                                               : NULL;
        struct sql_expression *source = own && own->is_generated && own->default_expression &&
                                                depth > 0
                                            ? rh_sql_expression(rh_text(own->default_expression),
                                                                arena)
                                            : NULL;
        return source ? substitute(checking, source, NULL, depth - 1) : expression;
    }
    for (size_t i = 0; i < expression->arguments.count; i++)
        expression->arguments.items[i] = substitute(checking, expression->arguments.items[i], value,
                                                    depth);
    return expression;
}

static struct sql_expression *read_expression(struct checking *checking, const char *text,
                                              const char *value)
{
    struct sql_expression *expression = rh_sql_expression(rh_text(text), checking->planning->arena);

    return expression ? substitute(checking, expression, value, SUBSTITUTION_DEPTH) : NULL;
}

static const char *rule_of(const struct checking *checking, size_t column)
{
    return rh_mask_rule_name(checking->planning->columns.items[column].masked->rule);
}

static void problem(struct checking *checking, bool is_fatal, size_t column, const char *object,
                    const char *sentence)
{
    rh_planning_problem(checking->planning, is_fatal, column, object, "%s", sentence);
}

#define SAY(checking, ...) rh_arena_printf((checking)->planning->arena, __VA_ARGS__)

/* ---- types -------------------------------------------------------------------------------------
 */

static size_t characters_of(struct text value)
{
    size_t count = 0;

    for (size_t i = 0; i < value.len; i++)
        count += ((unsigned char)value.data[i] & 0xC0) != 0x80;
    return count;
}

/* Longest of a list with commas between. */
static size_t longest_word(const char *list)
{
    size_t longest = 0;

    for (const char *at = list; at;) {
        const char *end = strchr(at, ',');
        struct text word = rh_text_trim((struct text){at, end ? (size_t)(end - at) : strlen(at)});
        if (characters_of(word) > longest)
            longest = characters_of(word);
        at = end ? end + 1 : NULL;
    }
    return longest;
}

static void check_limit(struct checking *checking, size_t column)
{
    const struct decided_column *decided = &checking->planning->columns.items[column];
    const struct masked_column *masked = decided->masked;
    size_t limit = (size_t)decided->column->max_characters, needed = 0;

    if (masked->rule == MASK_FIXED && masked->parameter)
        needed = characters_of(rh_text(masked->parameter));
    else if (masked->rule == MASK_WORDS && masked->parameter)
        needed = longest_word(masked->parameter);
    else if (masked->rule == MASK_HASH && masked->parameter)
        needed = strtoul(masked->parameter, NULL, 10);
    if (limit > 0 && needed > limit)
        problem(checking, true, column, NULL,
                SAY(checking,
                    "rule %s gives values of up to %zu characters, %s takes %zu: write "
                    "a shorter parameter",
                    rh_mask_rule_name(masked->rule), needed, decided->column->type, limit));
}

static bool is_number(const char *text)
{
    char *end;

    strtod(text, &end);
    return end != text && *end == '\0';
}

static void check_type(struct checking *checking, size_t column)
{
    struct arena *arena = checking->planning->arena;
    const struct decided_column *decided = &checking->planning->columns.items[column];
    const struct masked_column *masked = decided->masked;
    const char *type = decided->column->type;

    if (!rh_mask_rule_fits(masked->rule, decided->family)) {
        problem(checking, true, column, NULL,
                SAY(checking, "rule %s is not for %s, which is %s: write one of %s",
                    rh_mask_rule_name(masked->rule), type, rh_mask_family_name(decided->family),
                    rh_mask_family_rules(decided->family, arena)));
        return;
    }
    if (masked->rule == MASK_FIXED && !masked->parameter && decided->family != FAMILY_TEXT)
        problem(checking, true, column, NULL,
                "rule fixed needs the value: write {rule: fixed, parameter: VALUE}");
    if (masked->rule == MASK_FIXED && masked->parameter && decided->family == FAMILY_NUMBER &&
        !decided->column->is_array && !is_number(masked->parameter))
        problem(checking, true, column, NULL,
                SAY(checking, "\"%s\" is no value of %s: write a number", masked->parameter, type));
    if (masked->rule == MASK_NULL && decided->column->not_null) {
        if (decided->declared)
            problem(checking, true, column, NULL,
                    "rule null is not for a column that is NOT NULL: write another rule, or keep "
                    "if it holds no personal data");
        else
            problem(checking, true, column, NULL,
                    SAY(checking,
                        "no rule is made for %s, and the column is NOT NULL, so that it "
                        "cannot be emptied: write keep if it holds no personal data, or "
                        "{rule: fixed, parameter: VALUE}",
                        type));
    } else if (masked->rule == MASK_NULL && !(decided->declared && decided->declared->has_rule)) {
        problem(checking, false, column, NULL,
                SAY(checking,
                    "no rule is made for %s: its values become NULL; write keep if it "
                    "holds no personal data",
                    type));
    }
    check_limit(checking, column);
}

/* ---- CHECK constraints -------------------------------------------------------------------------
 */

static bool is_on_parent(const struct checking *checking, const struct catalog_check *check)
{
    const struct catalog *catalog = checking->planning->catalog;

    for (size_t p = 0; p < checking->table->parents.count; p++) {
        const struct catalog_table *parent = &catalog->tables
                                                  .items[checking->table->parents.items[p]];
        for (size_t i = 0; i < parent->checks.count; i++)
            if (!parent->checks.items[i].no_inherit &&
                strcmp(parent->checks.items[i].name, check->name) == 0 &&
                strcmp(parent->checks.items[i].expression, check->expression) == 0)
                return true;
    }
    return false;
}

static void check_check(struct checking *checking, const struct catalog_check *check,
                        const char *value)
{
    const struct sql_expression *expression = read_expression(checking, check->expression, value);
    enum predicate_fate fate = PREDICATE_UNKNOWN;
    size_t column = SIZE_MAX;

    if (!expression) {
        for (size_t i = 0; i < check->columns.count && column == SIZE_MAX; i++) {
            column = rh_planning_find(
                checking->planning,
                (size_t)(checking->table - checking->planning->catalog->tables.items),
                check->columns.items[i]);
            if (!is_masked(checking, column))
                column = SIZE_MAX;
        }
    } else {
        column = masked_in(checking, expression);
        fate = rh_predicate_fate(expression, checking->columns.items, checking->columns.count);
    }
    if (column == SIZE_MAX || fate == PREDICATE_SAME || fate == PREDICATE_HOLDS)
        return;
    if (fate == PREDICATE_BUT_EXTREMES) {
        problem(checking, false, column, check->name,
                SAY(checking,
                    "%s holds for values masked by rule %s but where one of two dates is "
                    "a sentinel that stays (1970-01-01), or a number is near the end of "
                    "its type: if rows are refused for it, write keep",
                    check->expression, rule_of(checking, column)));
        return;
    }
    problem(checking, check->is_validated, column, check->name,
            check->is_validated
                ? SAY(checking,
                      "%s cannot be shown to hold for values masked by rule %s: write "
                      "keep if the column holds no personal data, or a rule whose values "
                      "satisfy it",
                      check->expression, rule_of(checking, column))
                : SAY(checking,
                      "%s, not valid as it is, cannot be shown to hold for values masked "
                      "by rule %s: validating it may fail in the copy alone",
                      check->expression, rule_of(checking, column)));
}

static void check_checks(struct checking *checking)
{
    for (size_t i = 0; i < checking->table->checks.count; i++) {
        const struct catalog_check *check = &checking->table->checks.items[i];
        if (is_on_parent(checking, check))
            continue;
        struct sql_expression *expression = rh_sql_expression(rh_text(check->expression),
                                                              checking->planning->arena);
        bool is_of_domain = expression && rh_expression_names(expression, "value") &&
                            strchr(check->name, '.') &&
                            !rh_catalog_column_named(checking->table, "value");
        if (!is_of_domain) {
            check_check(checking, check, NULL);
            continue;
        }
        for (size_t c = 0; c < check->columns.count; c++) {
            const struct catalog_column *column = rh_catalog_column(checking->table,
                                                                    check->columns.items[c]);
            if (column)
                check_check(checking, check, column->name);
        }
    }
}

/* ---- keys --------------------------------------------------------------------------------------
 */

/* The same index on the table that this one is a partition of. */
static bool is_key_of_parent(const struct checking *checking, const struct catalog_key *key)
{
    const struct catalog *catalog = checking->planning->catalog;
    const char *own = strstr(key->definition, " USING ");

    if (!checking->table->partition_bound || checking->table->parent == CATALOG_NONE || !own)
        return false;
    const struct catalog_table *parent = &catalog->tables.items[checking->table->parent];
    for (size_t i = 0; i < parent->keys.count; i++) {
        const char *other = strstr(parent->keys.items[i].definition, " USING ");
        if (other && strcmp(own, other) == 0 && parent->keys.items[i].is_unique == key->is_unique)
            return true;
    }
    return false;
}

static size_t find(const struct checking *checking, int number)
{
    return number == 0
               ? SIZE_MAX
               : rh_planning_find(
                     checking->planning,
                     (size_t)(checking->table - checking->planning->catalog->tables.items), number);
}

static bool keeps_apart(const struct checking *checking, size_t column)
{
    return column != SIZE_MAX &&
           rh_mask_rule_is_injective(checking->planning->columns.items[column].masked->rule);
}

/* Another unique key on some of its columns, none of which loses anything: then this one cannot
 * break. */
static bool has_smaller_key(const struct checking *checking, const struct catalog_key *key)
{
    for (size_t i = 0; i < checking->table->keys.count; i++) {
        const struct catalog_key *other = &checking->table->keys.items[i];
        bool is_smaller = other != key && other->is_unique && !other->predicate;
        for (size_t c = 0; is_smaller && c < other->columns.count; c++) {
            bool is_shared = false;
            for (size_t k = 0; k < key->columns.count; k++)
                is_shared |= other->columns.items[c] != 0 &&
                             key->columns.items[k] == other->columns.items[c];
            is_smaller = is_shared &&
                         keeps_apart(checking, find(checking, other->columns.items[c]));
        }
        if (is_smaller)
            return true;
    }
    return false;
}

static void check_key_expression(struct checking *checking, const struct catalog_key *key,
                                 const char *text)
{
    const struct sql_expression *expression = read_expression(checking, text, NULL);
    size_t column = expression ? masked_in(checking, expression) : SIZE_MAX;

    if (!expression) {
        for (size_t i = checking->first; i < checking->end && column == SIZE_MAX; i++)
            if (is_masked(checking, i) &&
                strstr(text, checking->planning->columns.items[i].column->name))
                column = i;
    }
    if (column == SIZE_MAX ||
        (expression &&
         rh_expression_commutes(expression, checking->columns.items, checking->columns.count)))
        return;
    problem(checking, false, column, key->name,
            SAY(checking,
                "unique over %s: values that differ there may become equal once masked "
                "by rule %s; if the index cannot be built, write keep, or another rule",
                text, rule_of(checking, column)));
}

/* A generated column in a key is its expression. */
static void check_key_column(struct checking *checking, const struct catalog_key *key,
                             size_t column, bool is_safe)
{
    const struct decided_column *decided = &checking->planning->columns.items[column];
    const struct masked_column *masked = decided->masked;

    if (decided->column->is_generated) {
        if (decided->column->default_expression && key->is_unique && !is_safe)
            check_key_expression(checking, key, decided->column->default_expression);
        return;
    }
    if (masked->rule == MASK_KEEP || !key->is_unique || is_safe)
        return;
    if (masked->rule == MASK_NULL && !key->is_primary) {
        if (key->nulls_not_distinct)
            problem(checking, true, column, key->name,
                    "rule null makes all rows equal in a unique index with NULLS NOT DISTINCT: "
                    "write another rule");
        return;
    }
    if (!rh_mask_rule_is_injective(masked->rule))
        problem(checking, true, column, key->name,
                SAY(checking,
                    "rule %s gives different values one pseudonym, and the column is "
                    "unique: write a rule that keeps them apart (%s), or keep",
                    rh_mask_rule_name(masked->rule),
                    decided->family == FAMILY_TEXT
                        ? "text, email, phone"
                        : rh_mask_rule_name(rh_mask_family_rule(decided->family) == MASK_KEEP
                                                ? decided->family == FAMILY_TIME ? MASK_DATE
                                                                                 : MASK_NUMBER
                                                : rh_mask_family_rule(decided->family))));
    else if (!decided->column->is_deterministic)
        problem(checking, false, column, key->name,
                "unique under a collation that takes different characters for equal: pseudonyms "
                "keep apart what differs in more than case, but what else the collation takes for "
                "equal is not known here");
}

static void check_predicate(struct checking *checking, const struct catalog_key *key)
{
    const struct sql_expression *expression = read_expression(checking, key->predicate, NULL);
    size_t column = expression ? masked_in(checking, expression) : SIZE_MAX;
    enum predicate_fate fate = column == SIZE_MAX
                                   ? PREDICATE_SAME
                                   : rh_predicate_fate(expression, checking->columns.items,
                                                       checking->columns.count);

    if (fate == PREDICATE_SAME)
        return;
    if (key->is_unique && fate != PREDICATE_BUT_EXTREMES)
        problem(checking, true, column, key->name,
                SAY(checking,
                    "unique WHERE %s, and values masked by rule %s satisfy that for other "
                    "rows, which may be equal: write keep if the column holds no "
                    "personal data, or keep_values with the values that are compared",
                    key->predicate, rule_of(checking, column)));
    else
        problem(checking, false, column, key->name,
                SAY(checking,
                    "the index covers other rows than in production: WHERE %s, masked by "
                    "rule %s",
                    key->predicate, rule_of(checking, column)));
}

/* "EXCLUDE USING gist (room WITH =, during WITH &&)": the operator of the nth column. */
static const char *exclusion_operator(const struct catalog_key *key, size_t index,
                                      struct arena *arena)
{
    const char *at = key->definition;

    for (size_t i = 0; at && i <= index; i++) {
        at = strstr(at, " WITH ");
        at = at ? at + strlen(" WITH ") : NULL;
    }
    return at ? rh_arena_strndup(arena, at, strcspn(at, ",) ")) : "";
}

static void check_exclusion(struct checking *checking, const struct catalog_key *key)
{
    static const char *const of_networks[] = {"&&", ">>", "<<", ">>=", "<<="};

    for (size_t i = 0; i < key->columns.count; i++) {
        size_t column = find(checking, key->columns.items[i]);
        if (!is_masked(checking, column))
            continue;
        enum mask_rule rule = checking->planning->columns.items[column].masked->rule;
        const char *name = exclusion_operator(key, i, checking->planning->arena);
        bool is_fine = rule == MASK_NULL ||
                       (strcmp(name, "=") == 0 && rh_mask_rule_is_injective(rule));
        /* What overlapped overlaps: both keep the order, by one key. */
        is_fine |= (rule == MASK_DATE || rule == MASK_NUMBER) && strcmp(name, "&&") == 0;
        for (size_t o = 0; o < sizeof(of_networks) / sizeof(of_networks[0]); o++)
            is_fine |= rule == MASK_INET && strcmp(name, of_networks[o]) == 0;
        if (!is_fine)
            problem(checking, true, column, key->name,
                    SAY(checking,
                        "excludes rows by operator %s, which rule %s does not keep: "
                        "write keep if the column holds no personal data",
                        name, rh_mask_rule_name(rule)));
    }
}

static void check_keys(struct checking *checking)
{
    for (size_t i = 0; i < checking->table->keys.count; i++) {
        const struct catalog_key *key = &checking->table->keys.items[i];
        bool is_safe = has_smaller_key(checking, key);
        size_t expression = 0;
        if (is_key_of_parent(checking, key))
            continue;
        if (key->is_exclusion)
            check_exclusion(checking, key);
        for (size_t c = 0; c < key->columns.count; c++) {
            size_t column = find(checking, key->columns.items[c]);
            if (key->columns.items[c] == 0 && expression < key->expressions.count) {
                const char *text = key->expressions.items[expression++];
                if (key->is_unique && !is_safe)
                    check_key_expression(checking, key, text);
            } else if (column != SIZE_MAX) {
                check_key_column(checking, key, column, is_safe);
            }
        }
        if (key->predicate)
            check_predicate(checking, key);
    }
}

/* Of numbers the type says how far their order can be kept, so that one number becomes another in
 * another type; addresses are written, and therefore masked, as their type has them. */
static bool is_mapped_alike(enum mask_rule rule, const struct decided_column *a,
                            const struct decided_column *b)
{
    bool is_same_type = strcmp(a->column->base_type, b->column->base_type) == 0;

    if (rule == MASK_NUMBER || rule == MASK_NOISE)
        return a->family == FAMILY_NUMBER
                   ? is_same_type && a->column->precision == b->column->precision &&
                         a->column->scale == b->column->scale
                   : strcmp(a->column->type, b->column->type) == 0;
    return is_same_type || (a->family != FAMILY_INET && a->family != FAMILY_MACADDR);
}

static void check_domains(struct planning *planning)
{
    const struct masking *masking = planning->masking;

    for (size_t i = 0; i < masking->domains.count; i++) {
        const struct masking_domain *domain = &masking->domains.items[i];
        const struct decided_column *first = &planning->columns.items[domain->members.items[0]];
        for (size_t m = 1; m < domain->members.count; m++) {
            const struct decided_column *other = &planning->columns.items[domain->members.items[m]];
            if (is_mapped_alike(domain->rule, first, other))
                continue;
            rh_planning_problem(planning, true, domain->members.items[m], NULL,
                                "rule %s gives other values for %s than for %s, the type of %s.%s "
                                "with which it is compared: write keep for both",
                                rh_mask_rule_name(domain->rule), other->column->type,
                                first->column->type, first->table->identity, first->column->quoted);
            break;
        }
    }
}

/* ---- partitions and foreign keys ---------------------------------------------------------------
 */

static void check_partitions(struct checking *checking)
{
    for (size_t i = 0; i < checking->table->partition_columns.count; i++) {
        size_t column = find(checking, checking->table->partition_columns.items[i]);
        if (is_masked(checking, column))
            problem(checking, true, column, NULL,
                    SAY(checking,
                        "the table is partitioned by it (%s), and a row masked by rule %s "
                        "would belong to another partition: write keep for the column, "
                        "and mask what else tells who the row is about",
                        checking->table->partition_key, rule_of(checking, column)));
    }
}

static void check_foreign_keys(struct planning *planning)
{
    const struct catalog *catalog = planning->catalog;

    for (size_t i = 0; i < catalog->foreign_keys.count; i++) {
        const struct catalog_foreign_key *key = &catalog->foreign_keys.items[i];
        size_t nulls = 0, one = SIZE_MAX;
        for (size_t c = 0; c < key->child_columns.count; c++) {
            size_t column = rh_planning_find(planning, key->child, key->child_columns.items[c]);
            if (column == SIZE_MAX)
                continue;
            const struct decided_column *decided = &planning->columns.items[column];
            if (decided->masked->rule == MASK_NULL) {
                nulls++;
                one = column;
            } else if (decided->masked->rule == MASK_FIXED) {
                rh_planning_problem(planning, true, column, key->name,
                                    "rule fixed is not for a foreign key: %s has no such row; "
                                    "leave the rule out, so that it follows the key it points at",
                                    catalog->tables.items[key->parent].identity);
            }
        }
        if (key->match_full && nulls > 0 && nulls < key->child_columns.count)
            rh_planning_problem(planning, true, one, key->name,
                                "the foreign key is MATCH FULL, so either all of its columns are "
                                "NULL or none: write rule null for all of them, or for none");
    }
}

void rh_masking_check(struct planning *planning)
{
    const struct catalog *catalog = planning->catalog;

    for (size_t t = 0; t < catalog->tables.count; t++) {
        struct checking checking = {.planning = planning,
                                    .table = &catalog->tables.items[t],
                                    .first = planning->first_columns[t],
                                    .end = planning->first_columns[t + 1]};
        bool is_plain = true;
        for (size_t i = checking.first; i < checking.end; i++) {
            check_type(&checking, i);
            if (!is_masked(&checking, i))
                continue;
            is_plain = false;
            *RH_PUSH(planning->arena,
                     &checking.columns) = predicate_column_of(&planning->columns.items[i]);
        }
        if (is_plain)
            continue;
        check_checks(&checking);
        check_keys(&checking);
        check_partitions(&checking);
    }
    check_domains(planning);
    check_foreign_keys(planning);
}
