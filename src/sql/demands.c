#include "sql/demands.h"

#include "sql/phrase.h"

static bool is_word(const struct phrase *phrase, size_t i, const char *word)
{
    return rh_phrase_is_word(phrase, i, word);
}

/* Texts stay in the arena of the phrase. */
static struct demand *add(const struct phrase *phrase, struct demands *demands,
                          enum demand_kind kind)
{
    struct demand *demand = RH_PUSH(phrase->arena, &demands->items);
    *demand = (struct demand){.kind = kind,
                              .text = rh_phrase_words(phrase, 0, phrase->tokens.count)};
    return demand;
}

static size_t find_word(const struct phrase *phrase, size_t i, const char *word)
{
    while (i < phrase->tokens.count && !is_word(phrase, i, word)) {
        size_t behind = rh_phrase_behind_parentheses(phrase, i);
        i = behind > i ? behind : i + 1;
    }
    return i;
}

/* --- keys of an index --- */

/* expression [COLLATE name] [operator class [(...)]] [ASC | DESC] [NULLS ...] [WITH operator] */
static void read_key(const struct phrase *phrase, size_t i, size_t end, struct demand *demand)
{
    size_t behind = rh_phrase_behind_parentheses(phrase, i);
    bool is_name = behind == i;
    if (is_name) {
        size_t name = rh_phrase_behind_name(phrase, i);
        behind = rh_phrase_behind_parentheses(phrase, name);
        is_name = behind == name; /* else a function's call */
        behind = is_name ? name : behind;
    }
    if (is_word(phrase, behind, "collate"))
        behind = rh_phrase_behind_name(phrase, behind + 1);
    struct demand_key *key = RH_PUSH(phrase->arena, &demand->keys);
    *key = (struct demand_key){.expression = rh_phrase_words(phrase, i, behind),
                               .is_column = is_name};
    size_t with = behind;
    while (with < end && !is_word(phrase, with, "with"))
        with++;
    if (with + 1 < end)
        key->operator= rh_phrase_words(phrase, with + 1, end);
}

/* The list in the parentheses at `i`. False when there is none. */
static bool read_keys(const struct phrase *phrase, size_t i, struct demand *demand)
{
    const char *inside = rh_phrase_inside_parentheses(phrase, i);
    struct phrase list;
    if (!inside || !rh_phrase_read(&list, rh_text(inside), phrase->arena, VALIDATION_TOKENS_MAX))
        return false;
    for (size_t at = 0; at < list.tokens.count;) {
        size_t comma = rh_phrase_comma(&list, at);
        read_key(&list, at, comma, demand);
        if (!demand->keys.items[demand->keys.count - 1].expression)
            return false;
        at = comma + 1;
    }
    return demand->keys.count > 0;
}

/* Items of the list in the parentheses at `i`, as written. */
static size_t read_list(const struct phrase *phrase, size_t i, const char **items, size_t max)
{
    const char *inside = rh_phrase_inside_parentheses(phrase, i);
    struct phrase list;
    size_t count = 0;
    if (!inside || !rh_phrase_read(&list, rh_text(inside), phrase->arena, VALIDATION_TOKENS_MAX))
        return 0;
    for (size_t at = 0; at < list.tokens.count && count < max;) {
        size_t comma = rh_phrase_comma(&list, at);
        items[count] = rh_phrase_words(&list, at, comma);
        if (!items[count++])
            return 0;
        at = comma + 1;
    }
    return count;
}

#define LIST_MAX 1000 /* values of a partition's list; keys have at most 32 (INDEX_MAX_KEYS) */

static void add_list(const struct phrase *phrase, size_t i, struct demand *demand,
                     bool is_referenced)
{
    const char **items = rh_arena_alloc_array(phrase->arena, LIST_MAX, sizeof(*items));
    size_t count = read_list(phrase, i, items, LIST_MAX);
    for (size_t n = 0; n < count; n++) {
        if (is_referenced)
            *RH_PUSH(phrase->arena, &demand->referenced_columns) = items[n];
        else
            *RH_PUSH(phrase->arena, &demand->columns) = items[n];
    }
}

/* [NULLS [NOT] DISTINCT] at or behind `i`, outside of parentheses. */
static bool are_nulls_equal(const struct phrase *phrase, size_t i)
{
    size_t nulls = find_word(phrase, i, "nulls");
    return is_word(phrase, nulls + 1, "not") && is_word(phrase, nulls + 2, "distinct");
}

/* [USING method] (...) [INCLUDE (...)] [NULLS [NOT] DISTINCT] [WITH (...)] [TABLESPACE t] [WHERE p]
 */
static void read_index(const struct validation *validation, const struct phrase *phrase,
                       struct demands *demands)
{
    size_t i = is_word(phrase, 0, "using") ? 2 : 0;
    struct demand index = {.kind = DEMAND_UNIQUE, .text = "", .name = validation->index};
    if (!read_keys(phrase, i, &index)) {
        add(phrase, demands, DEMAND_NOT_UNDERSTOOD);
        return;
    }
    size_t where = find_word(phrase, i, "where");
    index.condition = rh_phrase_words(phrase, where + 1, phrase->tokens.count);
    index.nulls_equal = are_nulls_equal(phrase, rh_phrase_behind_parentheses(phrase, i));
    index.text = rh_phrase_words(phrase, 0, phrase->tokens.count);
    for (size_t k = 0; k < index.keys.count; k++) {
        if (index.keys.items[k].is_column)
            continue;
        struct demand *demand = add(phrase, demands, DEMAND_EXPRESSION);
        demand->expression = index.keys.items[k].expression;
        demand->condition = index.condition;
    }
    if (!validation->unique)
        index.kind = DEMAND_INDEXED;
    *RH_PUSH(phrase->arena, &demands->items) = index;
}

/* --- constraints --- */

/* A table constraint at `i`, behind its name. False when it is none. */
static bool read_constraint(const struct phrase *phrase, size_t i, const char *name,
                            struct demands *demands)
{
    struct demand *demand = NULL;
    if (is_word(phrase, i, "primary") || is_word(phrase, i, "unique")) {
        bool is_primary = is_word(phrase, i, "primary");
        size_t list = i + 1;
        while (list < phrase->tokens.count && !rh_phrase_is_kind(phrase, list, SQL_TOKEN_OPEN))
            list++;
        demand = add(phrase, demands, DEMAND_UNIQUE);
        demand->is_primary = is_primary;
        demand->nulls_equal = are_nulls_equal(phrase, i);
        if (!read_keys(phrase, list, demand))
            demand->keys.count = 0;
        demand->name = name;
        struct demand key = *demand; /* the list may move */
        for (size_t k = 0; is_primary && k < key.keys.count; k++)
            add(phrase, demands, DEMAND_NOT_NULL)->column = key.keys.items[k].expression;
        return true;
    } else if (is_word(phrase, i, "check")) {
        demand = add(phrase, demands, DEMAND_CHECK);
        demand->condition = rh_phrase_inside_parentheses(phrase, i + 1);
    } else if (is_word(phrase, i, "foreign")) {
        size_t references = find_word(phrase, i, "references");
        size_t behind = rh_phrase_behind_name(phrase, references + 1);
        demand = add(phrase, demands, DEMAND_REFERENCE);
        add_list(phrase, i + 2, demand, false);
        demand->referenced = rh_phrase_words(phrase, references + 1, behind);
        add_list(phrase, behind, demand, true);
        demand->is_full = is_word(phrase, find_word(phrase, behind, "match") + 1, "full");
    } else if (is_word(phrase, i, "exclude")) {
        size_t list = is_word(phrase, i + 1, "using") ? i + 3 : i + 1;
        size_t where = find_word(phrase, list, "where");
        demand = add(phrase, demands, DEMAND_EXCLUSION);
        demand->condition = rh_phrase_words(phrase, where + 1, phrase->tokens.count);
        if (where < phrase->tokens.count)
            demand->condition = rh_phrase_inside_parentheses(phrase, where + 1);
        if (!read_keys(phrase, list, demand))
            demand->keys.count = 0;
    } else if (is_word(phrase, i, "not") && is_word(phrase, i + 1, "null")) {
        demand = add(phrase, demands, DEMAND_NOT_NULL);
        demand->column = rh_phrase_words(phrase, i + 2, rh_phrase_behind_name(phrase, i + 2));
    } else {
        return false;
    }
    demand->name = name;
    return true;
}

/* ADD [COLUMN] name type ...: what it computes; every other demand of a new column is that there be
   no row, or no two. */
static void read_new_column(const struct phrase *phrase, size_t i, struct demands *demands)
{
    size_t as = find_word(phrase, i, "generated");
    while (as < phrase->tokens.count && !is_word(phrase, as, "as"))
        as++;
    const char *expression = rh_phrase_inside_parentheses(phrase, as + 1);
    if (expression)
        add(phrase, demands, DEMAND_EXPRESSION)->expression = expression;
}

/* ADD ... | ALTER [COLUMN] c SET NOT NULL */
static void read_define(const struct phrase *phrase, struct demands *demands)
{
    if (is_word(phrase, 0, "alter")) {
        size_t name = is_word(phrase, 1, "column") ? 2 : 1;
        size_t behind = rh_phrase_behind_name(phrase, name);
        if (is_word(phrase, behind, "set") && is_word(phrase, behind + 1, "not"))
            add(phrase, demands, DEMAND_NOT_NULL)->column = rh_phrase_words(phrase, name, behind);
        return;
    }
    bool is_named = is_word(phrase, 1, "constraint");
    const char *name = is_named ? rh_phrase_words(phrase, 2, 3) : NULL;
    if (is_word(phrase, 0, "add") && !read_constraint(phrase, is_named ? 3 : 1, name, demands))
        read_new_column(phrase, 1, demands);
}

/* ALTER [COLUMN] c [SET DATA] TYPE type [COLLATE c], USING apart */
static void read_type(const struct validation_clause *clause, const struct phrase *phrase,
                      struct demands *demands)
{
    size_t type = find_word(phrase, 1, "type") + 1;
    size_t end = find_word(phrase, type, "collate");
    struct demand *demand = add(phrase, demands, DEMAND_TYPE);
    demand->column = clause->name;
    demand->type = rh_phrase_words(phrase, type, end);
    demand->expression = clause->expression;
}

/* --- partitions --- */

static void read_hash_bound(const struct phrase *phrase, size_t i, struct demand_bound *bound)
{
    const char *items[2] = {NULL, NULL};
    size_t count = read_list(phrase, i, items, 2);
    for (size_t n = 0; n < count; n++) {
        struct phrase item;
        if (!rh_phrase_read(&item, rh_text(items[n]), phrase->arena, VALIDATION_TOKENS_MAX))
            continue;
        if (is_word(&item, 0, "modulus"))
            bound->modulus = rh_phrase_words(&item, 1, 2);
        if (is_word(&item, 0, "remainder"))
            bound->remainder = rh_phrase_words(&item, 1, 2);
    }
    if (bound->modulus && bound->remainder)
        bound->kind = BOUND_HASH;
}

static void read_bound(const char *text, struct arena *arena, struct demand_bound *bound)
{
    struct phrase phrase;
    const char **items = rh_arena_alloc_array(arena, LIST_MAX, sizeof(*items));
    if (!text || !rh_phrase_read(&phrase, rh_text(text), arena, VALIDATION_TOKENS_MAX))
        return;
    if (is_word(&phrase, 0, "default")) {
        bound->kind = BOUND_DEFAULT;
    } else if (is_word(&phrase, 2, "in") || is_word(&phrase, 2, "from")) {
        size_t count = read_list(&phrase, 3, items, LIST_MAX);
        size_t to = rh_phrase_behind_parentheses(&phrase, 3);
        bound->kind = is_word(&phrase, 2, "in") ? BOUND_LIST : BOUND_RANGE;
        for (size_t i = 0; i < count; i++)
            *RH_PUSH(arena, &bound->values) = items[i];
        count = is_word(&phrase, to, "to") ? read_list(&phrase, to + 1, items, LIST_MAX) : 0;
        for (size_t i = 0; i < count; i++)
            *RH_PUSH(arena, &bound->to) = items[i];
    } else if (is_word(&phrase, 2, "with")) {
        read_hash_bound(&phrase, 3, bound);
    }
}

bool rh_sql_partition_key(const char *definition, struct arena *arena, char *ret_kind,
                          struct demands *ret_keys)
{
    struct phrase phrase;
    if (!definition || !rh_phrase_read(&phrase, rh_text(definition), arena, VALIDATION_TOKENS_MAX))
        return false;
    *ret_kind = is_word(&phrase, 0, "range") ? 'r' : is_word(&phrase, 0, "list") ? 'l' : 'h';
    *ret_keys = (struct demands){0};
    return read_keys(&phrase, 1, add(&phrase, ret_keys, DEMAND_UNIQUE));
}

/* --- all of them --- */

static void read_clause(const struct validation_clause *clause, struct arena *arena,
                        struct demands *demands)
{
    struct phrase phrase;
    if (!clause->text ||
        !rh_phrase_read(&phrase, rh_text(clause->text), arena, VALIDATION_TOKENS_MAX))
        return;
    switch (clause->kind) {
    case VALIDATION_CLAUSE_DEFINE:
        read_define(&phrase, demands);
        return;
    case VALIDATION_CLAUSE_TYPE:
        read_type(clause, &phrase, demands);
        return;
    case VALIDATION_CLAUSE_VALIDATE:
        add(&phrase, demands, DEMAND_VALID)->name = clause->name;
        return;
    case VALIDATION_CLAUSE_USING_INDEX:
        add(&phrase, demands, DEMAND_KEY_INDEX)->name = clause->name;
        return;
    case VALIDATION_CLAUSE_ATTACH: {
        struct demand *demand = add(&phrase, demands, DEMAND_ATTACH);
        demand->name = clause->name;
        read_bound(clause->expression, arena, &demand->bound);
        return;
    }
    case VALIDATION_CLAUSE_SET:
        return; /* of UPDATE */
    }
}

static void read_all(const struct validation *validation, struct arena *arena,
                     struct demands *ret_demands)
{
    struct phrase phrase = {.arena = arena};
    struct demand *demand;
    *ret_demands = (struct demands){0};
    switch (validation->kind) {
    case VALIDATION_CREATE_INDEX:
        if (rh_phrase_read(&phrase, rh_text(validation->definition), arena, VALIDATION_TOKENS_MAX))
            read_index(validation, &phrase, ret_demands);
        return;
    case VALIDATION_ALTER_TABLE:
    case VALIDATION_ALTER_DOMAIN:
        for (size_t i = 0; i < validation->clauses.count; i++)
            read_clause(&validation->clauses.items[i], arena, ret_demands);
        /* SET NOT NULL, without a column's name */
        if (validation->kind == VALIDATION_ALTER_DOMAIN && ret_demands->items.count == 0)
            add(&phrase, ret_demands, DEMAND_NOT_NULL);
        return;
    case VALIDATION_CREATE_PARTITION:
        demand = add(&phrase, ret_demands, DEMAND_PARTITION);
        read_bound(validation->definition, arena, &demand->bound);
        return;
    case VALIDATION_UPDATE:
    case VALIDATION_DELETE:
        demand = add(&phrase, ret_demands,
                     validation->kind == VALIDATION_UPDATE ? DEMAND_CHANGED_ROWS
                                                           : DEMAND_DELETED_ROWS);
        demand->condition = validation->condition;
        demand->alias = validation->alias;
        return;
    case VALIDATION_INSERT:
    case VALIDATION_REFRESH:
    case VALIDATION_NONE:
        return;
    }
}

/* Whether what its kind promises is there. */
static bool is_whole(const struct validation *validation, const struct demand *demand)
{
    switch (demand->kind) {
    case DEMAND_INDEXED:
    case DEMAND_UNIQUE:
    case DEMAND_EXCLUSION:
        return demand->keys.count > 0;
    case DEMAND_NOT_NULL:
        return demand->column || validation->kind == VALIDATION_ALTER_DOMAIN;
    case DEMAND_CHECK:
        return demand->condition != NULL;
    case DEMAND_REFERENCE:
        return demand->referenced && demand->columns.count > 0;
    case DEMAND_TYPE:
        return demand->column && demand->type;
    case DEMAND_EXPRESSION:
        return demand->expression != NULL;
    case DEMAND_KEY_INDEX:
    case DEMAND_VALID:
    case DEMAND_ATTACH:
        return demand->name != NULL;
    case DEMAND_PARTITION:
    case DEMAND_CHANGED_ROWS:
    case DEMAND_DELETED_ROWS:
    case DEMAND_NOT_UNDERSTOOD:
        return true;
    }
    return true;
}

void rh_sql_demands(const struct validation *validation, struct arena *arena,
                    struct demands *ret_demands)
{
    read_all(validation, arena, ret_demands);
    for (size_t i = 0; i < ret_demands->items.count; i++) {
        struct demand *demand = &ret_demands->items.items[i];
        if (!is_whole(validation, demand))
            *demand = (struct demand){.kind = DEMAND_NOT_UNDERSTOOD, .text = demand->text};
    }
}
