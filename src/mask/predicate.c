/*
 * Whether a condition says the same of a masked row as of the original: proven by what a rule keeps
 * (NULLs, kept values, equality, length, classes of characters, order of numbers), never guessed.
 */
#include "mask/masking_int.h"

/* What the proof knows. */
struct proof {
    const struct predicate_column *columns;
    size_t count;
};

static const struct predicate_column *find(const struct proof *proof, const char *name)
{
    for (size_t i = 0; i < proof->count; i++)
        if (strcmp(proof->columns[i].name, name) == 0)
            return proof->columns[i].rule == MASK_KEEP ? NULL : &proof->columns[i];
    return NULL;
}

/* The masked column that an expression is, casts aside; NULL: it is something else. */
static const struct predicate_column *column_of(const struct proof *proof,
                                                const struct sql_expression *expression)
{
    expression = rh_sql_uncast(expression);
    return expression && expression->kind == SQL_COLUMN ? find(proof, expression->name) : NULL;
}

static bool names_masked(const struct proof *proof, const struct sql_expression *expression)
{
    if (expression->kind == SQL_COLUMN)
        return find(proof, expression->name) != NULL;
    for (size_t i = 0; i < expression->arguments.count; i++)
        if (names_masked(proof, expression->arguments.items[i]))
            return true;
    return false;
}

bool rh_expression_names(const struct sql_expression *expression, const char *column)
{
    if (expression->kind == SQL_COLUMN)
        return strcmp(expression->name, column) == 0;
    for (size_t i = 0; i < expression->arguments.count; i++)
        if (rh_expression_names(expression->arguments.items[i], column))
            return true;
    return false;
}

static bool is_one_of(const char *name, const char *const *names)
{
    for (size_t i = 0; name && names[i]; i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return false;
}

static bool is_blank(const char *value)
{
    return value[strspn(value, " \t\r\n\v\f")] == '\0';
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

/* Longer ones are looked up by no map (mask_kept.c). */
#define KEPT_MAX_BYTES 256

/* Whether a value passes a map unchanged: '', blanks, a kept value. */
static bool passes_unchanged(const struct predicate_column *column, const char *value)
{
    if (strlen(value) > KEPT_MAX_BYTES)
        return false;
    if (is_blank(value))
        return true;
    for (size_t i = 0; i < column->kept_value_count; i++) {
        const char *kept = column->kept_values[i];
        size_t at = 0;
        while (kept[at] && lower(kept[at]) == lower(value[at]))
            at++;
        if (!kept[at] && !value[at])
            return true;
    }
    return false;
}

/* Every character stays one of its class: capital, small letter, digit; all others stay themselves.
 */
static bool keeps_classes(enum mask_rule rule)
{
    return rule == MASK_TEXT || rule == MASK_EMAIL || rule == MASK_URL || rule == MASK_PHONE ||
           rule == MASK_CARD || rule == MASK_IBAN || rule == MASK_FREE_TEXT;
}

static bool is_letter_or_digit(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (unsigned char)c >= 0x80;
}

/* "\d", "\w", "\." at the backslash; false: it names a character or group of its own. */
static bool is_blind_escape(const char *at)
{
    return at[1] && (strchr("dDwWsSmMyYAZ", at[1]) || !is_letter_or_digit(at[1]));
}

/* The end of a bracket expression that begins at `at`; NULL: it names single letters or digits. */
static const char *bracket_end(const char *at)
{
    static const char *const classes[] = {"[:alpha:]", "[:alnum:]", "[:digit:]",
                                          "[:upper:]", "[:lower:]", "[:space:]",
                                          "[:punct:]", "[:blank:]", "[:word:]"};
    const char *s = at + 1;

    if (*s == '^')
        s++;
    for (bool is_first = true; *s && (*s != ']' || is_first); is_first = false) {
        size_t taken = 0;
        for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]) && !taken; i++)
            if (strncmp(s, classes[i], strlen(classes[i])) == 0)
                taken = strlen(classes[i]);
        if (strncmp(s, "a-z", 3) == 0 || strncmp(s, "A-Z", 3) == 0 || strncmp(s, "0-9", 3) == 0)
            taken = 3;
        if (!taken && *s == '\\') {
            if (!is_blind_escape(s))
                return NULL;
            taken = 2;
        }
        /* A range between others than letters may hold letters: "+-z". */
        if (!taken && (is_letter_or_digit(*s) || (s[1] == '-' && s[2] && s[2] != ']')))
            return NULL;
        s += taken ? taken : 1;
    }
    return *s == ']' ? s : NULL;
}

/* Whether a regular expression or LIKE pattern cannot tell a value from its pseudonym: it names
   whole classes of characters and punctuation alone. */
static bool is_blind(const char *pattern, bool is_regular)
{
    const char *s = pattern;

    if (is_regular && strncmp(s, "(?i)", 4) == 0)
        s += 4;
    for (; *s; s++) {
        if (*s == '\\') {
            if (is_regular ? !is_blind_escape(s) : is_letter_or_digit(s[1]) || !s[1])
                return false;
            s++;
        } else if (is_letter_or_digit(*s)) {
            return false;
        } else if (is_regular && *s == '[') {
            s = bracket_end(s);
            if (!s)
                return false;
        } else if (is_regular && *s == '{') {
            s += strcspn(s, "}");
            if (!*s)
                return false;
        } else if (is_regular && s[0] == '*' && s == pattern) {
            return false; /* "***=": a literal follows */
        }
    }
    return true;
}

/* ---- what stays the same -----------------------------------------------------------------------
 */

/* lower(trim(column)) of a rule that keeps classes: cases and blanks at the ends stay. */
static const struct predicate_column *
normalised(const struct proof *proof, const struct sql_expression *expression, bool *ret_is_plain)
{
    static const char *const names[] = {"lower", "upper", "btrim", "ltrim", "rtrim", NULL};
    const struct predicate_column *column = column_of(proof, expression);

    *ret_is_plain = column != NULL;
    if (column)
        return column;
    expression = rh_sql_uncast(expression);
    if (!expression || expression->kind != SQL_CALL || !is_one_of(expression->name, names) ||
        expression->arguments.count != 1)
        return NULL;
    bool is_plain;
    column = normalised(proof, expression->arguments.items[0], &is_plain);
    return column && keeps_classes(column->rule) && column->family == FAMILY_TEXT &&
                   !column->is_array
               ? column
               : NULL;
}

/* column -> 'a' ->> 'b': members and elements of JSON stay where they are. */
static const struct predicate_column *json_path(const struct proof *proof,
                                                const struct sql_expression *expression)
{
    static const char *const steps[] = {"->", "->>", "#>", "#>>", NULL};

    expression = rh_sql_uncast(expression);
    while (expression && expression->kind == SQL_OPERATOR && is_one_of(expression->name, steps) &&
           expression->arguments.count == 2 && !names_masked(proof, expression->arguments.items[1]))
        expression = rh_sql_uncast(expression->arguments.items[0]);
    const struct predicate_column *column = expression ? column_of(proof, expression) : NULL;
    return column && column->rule == MASK_JSON ? column : NULL;
}

/* NULL where it was NULL, and nowhere else. */
static bool keeps_nulls(const struct proof *proof, const struct sql_expression *expression)
{
    bool is_plain;
    const struct predicate_column *column = normalised(proof, expression, &is_plain);

    if (!column)
        column = json_path(proof, expression);
    if (column)
        return column->rule != MASK_NULL;
    if (!names_masked(proof, expression))
        return true;
    bool is_strict = expression->kind == SQL_COALESCE ||
                     (expression->kind == SQL_OPERATOR && strcmp(expression->name, "||") == 0);
    for (size_t i = 0; is_strict && i < expression->arguments.count; i++)
        is_strict = keeps_nulls(proof, expression->arguments.items[i]);
    return is_strict;
}

/* Functions whose result the rule does not change. */
static bool is_unchanged_call(const struct proof *proof, const struct sql_expression *call)
{
    static const char *const lengths[] = {"length",       "char_length", "character_length",
                                          "octet_length", "bit_length",  NULL};
    static const char *const counts[] = {
        "array_length", "cardinality", "array_ndims", "array_upper",
        "array_lower",  "array_dims",  NULL};
    static const char *const shapes[] = {"jsonb_typeof", "json_typeof", "jsonb_array_length",
                                         "json_array_length", NULL};
    static const char *const networks[] = {"family", "masklen", NULL};
    static const char *const searches[] = {"position", "strpos", "starts_with", NULL};
    static const char *const nulls[] = {"num_nulls", "num_nonnulls", NULL};
    const struct sql_expression *first = call->arguments.count > 0 ? call->arguments.items[0]
                                                                   : NULL;
    bool is_plain;

    if (call->kind != SQL_CALL || !first)
        return false;
    if (is_one_of(call->name, nulls)) {
        bool is_unchanged = true;
        for (size_t i = 0; is_unchanged && i < call->arguments.count; i++)
            is_unchanged = keeps_nulls(proof, call->arguments.items[i]);
        return is_unchanged;
    }
    for (size_t i = 1; i < call->arguments.count; i++)
        if (names_masked(proof, call->arguments.items[i]))
            return false;
    const struct predicate_column *column = normalised(proof, first, &is_plain);
    if (is_one_of(call->name, shapes))
        return json_path(proof, first) != NULL;
    if (!column)
        return false;
    if (is_one_of(call->name, lengths))
        return rh_mask_rule_keeps_length(column->rule) && !column->is_array;
    if (is_one_of(call->name, counts))
        return column->is_array && rh_mask_rule_is_injective(column->rule);
    if (is_one_of(call->name, networks))
        return column->rule == MASK_INET;
    if (is_one_of(call->name, searches) && call->arguments.count == 2) {
        const struct sql_expression *what = rh_sql_uncast(call->arguments.items[1]);
        return keeps_classes(column->rule) && what->kind == SQL_CONSTANT && what->name &&
               is_blind(what->name, false);
    }
    return false;
}

/* An expression over kept columns and constants, or one that comes out as before. */
static bool is_unchanged(const struct proof *proof, const struct sql_expression *expression)
{
    if (!names_masked(proof, expression) || is_unchanged_call(proof, expression))
        return true;
    if (expression->kind == SQL_IS_NULL || expression->kind == SQL_IS_NOT_NULL)
        return expression->arguments.count == 1 &&
               keeps_nulls(proof, expression->arguments.items[0]);
    if (expression->kind == SQL_COLUMN || expression->kind == SQL_OTHER ||
        expression->kind == SQL_CALL)
        return false;
    for (size_t i = 0; i < expression->arguments.count; i++)
        if (!is_unchanged(proof, expression->arguments.items[i]))
            return false;
    return expression->arguments.count > 0;
}

/* Nothing but NULL comes out when a column in it is NULL. */
static bool is_nulled(const struct proof *proof, const struct sql_expression *expression)
{
    static const char *const lenient[] = {"num_nulls", "num_nonnulls",       "concat",
                                          "concat_ws", "jsonb_build_object", "json_build_object",
                                          NULL};
    const struct predicate_column *column = column_of(proof, expression);

    if (column)
        return column->rule == MASK_NULL;
    if (expression->kind != SQL_OPERATOR && expression->kind != SQL_ANY &&
        expression->kind != SQL_ALL && expression->kind != SQL_CALL && expression->kind != SQL_CAST)
        return false;
    if (expression->kind == SQL_CALL && is_one_of(expression->name, lenient))
        return false;
    for (size_t i = 0; i < expression->arguments.count; i++)
        if (is_nulled(proof, expression->arguments.items[i]))
            return true;
    return false;
}

/* A constant, or an array of constants, all of which pass the column's map. */
static bool all_kept(const struct predicate_column *column, const struct sql_expression *expression)
{
    expression = rh_sql_uncast(expression);
    if (expression->kind == SQL_CONSTANT)
        return !expression->name || passes_unchanged(column, expression->name);
    if (expression->kind != SQL_ARRAY)
        return false;
    for (size_t i = 0; i < expression->arguments.count; i++)
        if (!all_kept(column, expression->arguments.items[i]))
            return false;
    return true;
}

static bool has_constant(const struct sql_expression *expression, const char *value)
{
    expression = rh_sql_uncast(expression);
    if (expression->kind == SQL_CONSTANT)
        return expression->name && value && strcmp(expression->name, value) == 0;
    if (expression->kind == SQL_ARRAY)
        for (size_t i = 0; i < expression->arguments.count; i++)
            if (has_constant(expression->arguments.items[i], value))
                return true;
    return false;
}

static bool is_constant(const struct sql_expression *expression, const char *value)
{
    expression = rh_sql_uncast(expression);
    return expression->kind == SQL_CONSTANT && expression->name &&
           strcmp(expression->name, value) == 0;
}

static enum predicate_fate with_constant(const struct predicate_column *column, bool is_plain,
                                         bool is_all, const char *name,
                                         const struct sql_expression *other)
{
    static const char *const equalities[] = {"=", "<>", NULL};
    static const char *const orders[] = {"=", "<>", "<", "<=", ">", ">=", NULL};
    static const char *const regular[] = {"~", "!~", "~*", "!~*", NULL};
    static const char *const likes[] = {"~~", "!~~", "~~*", "!~~*", NULL};
    static const char *const members[] = {"?", "?|", "?&", NULL};
    const struct sql_expression *constant = rh_sql_uncast(other);

    if (column->rule == MASK_FIXED && is_plain) {
        bool is_same = has_constant(other, column->parameter);
        return (strcmp(name, "=") == 0 && is_same && !is_all) ||
                       (strcmp(name, "<>") == 0 && !is_same)
                   ? PREDICATE_HOLDS
                   : PREDICATE_UNKNOWN;
    }
    if (is_one_of(name, equalities) && rh_mask_rule_is_injective(column->rule) &&
        all_kept(column, other))
        return PREDICATE_SAME;
    if (column->rule == MASK_NUMBER && is_one_of(name, orders) && is_constant(other, "0"))
        return PREDICATE_SAME;
    if (is_one_of(name, orders) && column->family == FAMILY_TEXT && is_constant(other, "") &&
        rh_mask_rule_is_injective(column->rule))
        return PREDICATE_SAME;
    if (is_one_of(name, members) && column->rule == MASK_JSON)
        return PREDICATE_SAME;
    if (!keeps_classes(column->rule) || constant->kind != SQL_CONSTANT || !constant->name)
        return PREDICATE_UNKNOWN;
    if (is_one_of(name, regular) && is_blind(constant->name, true))
        return PREDICATE_SAME;
    if (is_one_of(name, likes) && is_blind(constant->name, false))
        return PREDICATE_SAME;
    return PREDICATE_UNKNOWN;
}

static enum predicate_fate of_two(const struct predicate_column *a, bool a_is_plain,
                                  const struct predicate_column *b, bool b_is_plain,
                                  const char *name)
{
    static const char *const equalities[] = {"=", "<>", NULL};
    static const char *const orders[] = {"=", "<>", "<", "<=", ">", ">=", NULL};

    if (a == b)
        return PREDICATE_SAME;
    if (!a->domain || !b->domain || strcmp(a->domain, b->domain) != 0 || a->rule != b->rule)
        return PREDICATE_UNKNOWN;
    if (is_one_of(name, equalities) && rh_mask_rule_is_injective(a->rule))
        return PREDICATE_SAME;
    return a_is_plain && b_is_plain && (a->rule == MASK_DATE || a->rule == MASK_NUMBER) &&
                   is_one_of(name, orders)
               ? PREDICATE_BUT_EXTREMES
               : PREDICATE_UNKNOWN;
}

static enum predicate_fate of_comparison(const struct proof *proof,
                                         const struct sql_expression *expression)
{
    if (expression->arguments.count != 2 || !expression->name)
        return PREDICATE_UNKNOWN;
    const struct sql_expression *left = expression->arguments.items[0],
                                *right = expression->arguments.items[1];
    bool left_is_plain, right_is_plain;
    const struct predicate_column *a = normalised(proof, left, &left_is_plain),
                                  *b = normalised(proof, right, &right_is_plain);

    if (a && b)
        return of_two(a, left_is_plain, b, right_is_plain, expression->name);
    if (a && !names_masked(proof, right))
        return with_constant(a, left_is_plain, expression->kind == SQL_ALL, expression->name,
                             right);
    if (b && !names_masked(proof, left) &&
        (strcmp(expression->name, "=") == 0 || strcmp(expression->name, "<>") == 0))
        return with_constant(b, right_is_plain, expression->kind == SQL_ALL, expression->name,
                             left);
    return PREDICATE_UNKNOWN;
}

static enum predicate_fate fate_of(const struct proof *proof,
                                   const struct sql_expression *expression)
{
    static const char *const regexp_like[] = {"regexp_like", NULL};
    enum predicate_fate worst = PREDICATE_SAME;
    bool is_plain;

    if (!names_masked(proof, expression) || is_unchanged(proof, expression))
        return PREDICATE_SAME;
    if (is_nulled(proof, expression))
        return PREDICATE_HOLDS;
    const struct sql_expression *first = expression->arguments.count > 0
                                             ? expression->arguments.items[0]
                                             : NULL;
    switch (expression->kind) {
    case SQL_AND:
    case SQL_OR:
        for (size_t i = 0; i < expression->arguments.count; i++) {
            enum predicate_fate fate = fate_of(proof, expression->arguments.items[i]);
            if (fate > worst)
                worst = fate;
        }
        return worst;
    case SQL_NOT:
        return first && fate_of(proof, first) == PREDICATE_SAME ? PREDICATE_SAME
                                                                : PREDICATE_UNKNOWN;
    case SQL_IS_NULL: { /* what keeps NULLs is unchanged, above */
        const struct predicate_column *column = first ? column_of(proof, first) : NULL;
        return column && column->rule == MASK_NULL ? PREDICATE_HOLDS : PREDICATE_UNKNOWN;
    }
    case SQL_OPERATOR:
    case SQL_ANY:
    case SQL_ALL:
        return of_comparison(proof, expression);
    case SQL_CALL:
        if (is_one_of(expression->name, regexp_like) && expression->arguments.count == 2) {
            const struct predicate_column *column = normalised(proof, first, &is_plain);
            return column
                       ? with_constant(column, is_plain, false, "~", expression->arguments.items[1])
                       : PREDICATE_UNKNOWN;
        }
        return PREDICATE_UNKNOWN;
    case SQL_CAST:
        return first ? fate_of(proof, first) : PREDICATE_UNKNOWN;
    case SQL_IS_NOT_NULL:
    case SQL_COLUMN:
    case SQL_CONSTANT:
    case SQL_ARRAY:
    case SQL_COALESCE:
    case SQL_OTHER:
        break;
    }
    return PREDICATE_UNKNOWN;
}

enum predicate_fate rh_predicate_fate(const struct sql_expression *expression,
                                      const struct predicate_column *columns, size_t count)
{
    struct proof proof = {columns, count};

    return fate_of(&proof, expression);
}

/* ---- expressions that keep things apart --------------------------------------------------------
 */

static bool is_text_cast(const struct sql_expression *expression)
{
    static const char *const names[] = {"text", "varchar", "bpchar", "citext", NULL};

    return expression->kind == SQL_CAST && is_one_of(expression->name, names);
}

static bool commutes(const struct proof *proof, const struct sql_expression *expression)
{
    static const char *const prefixes[] = {"left", "substr", "substring", NULL};
    bool is_plain;

    if (!names_masked(proof, expression) || is_unchanged(proof, expression))
        return true;
    const struct sql_expression *first = expression->arguments.count > 0
                                             ? expression->arguments.items[0]
                                             : NULL;
    const struct predicate_column *column = normalised(proof, expression, &is_plain);
    if (column && rh_mask_rule_is_injective(column->rule)) {
        /* A cast that changes more than the type's name may take different values for one. */
        if (!is_plain || expression->kind == SQL_COLUMN)
            return true;
        if (column->rule == MASK_DATE && expression->kind == SQL_CAST &&
            strcmp(expression->name, "date") == 0)
            return true;
        return is_text_cast(expression) && commutes(proof, first);
    }
    if (json_path(proof, expression))
        return true;
    if (expression->kind == SQL_COALESCE && expression->arguments.count == 2) {
        column = normalised(proof, first, &is_plain);
        return column && commutes(proof, first) && all_kept(column, expression->arguments.items[1]);
    }
    if (expression->kind == SQL_CALL && is_one_of(expression->name, prefixes) && first) {
        column = normalised(proof, first, &is_plain);
        for (size_t i = 1; i < expression->arguments.count; i++)
            if (names_masked(proof, expression->arguments.items[i]))
                return false;
        /* Of a value's beginning the map sees nothing else. */
        return column && column->rule == MASK_TEXT && column->kept_value_count == 0 &&
               (strcmp(expression->name, "left") == 0 ||
                (expression->arguments.count >= 2 &&
                 is_constant(expression->arguments.items[1], "1")));
    }
    if (expression->kind == SQL_CALL && first && strcmp(expression->name, "date") == 0) {
        column = column_of(proof, first);
        return column && column->rule == MASK_DATE;
    }
    return expression->kind == SQL_CAST && is_text_cast(expression) && first &&
           commutes(proof, first);
}

bool rh_expression_commutes(const struct sql_expression *expression,
                            const struct predicate_column *columns, size_t count)
{
    struct proof proof = {columns, count};

    return commutes(&proof, expression);
}
