#include "workload/pgbench_expression.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <strings.h>

/* Of parentheses in an expression. */
#define DEPTH_MAX 50
#define ARGUMENTS_MAX 8
/* Manual, "random_zipfian": outside of these the method does not work. */
#define ZIPFIAN_LEAST 1.001
#define ZIPFIAN_MOST 1000.0
/* FNV-1a, 64 bits (Fowler, Noll, Vo); MurmurHash2's multiplier (Appleby): as pgbench hashes. */
#define FNV_OFFSET UINT64_C(0xcbf29ce484222325)
#define FNV_PRIME UINT64_C(0x100000001b3)
#define MURMUR2 UINT64_C(0xc6a4a7935bd1e995)
#define MURMUR2_TIMES_8 UINT64_C(0x35253c9ade8f4ca8)

/* --- chance and variables --------------------------------------------------------------------- */

/* xorshift64* (Vigna, "An experimental exploration of Marsaglia's xorshift generators", 2016), from
   a state that splitmix64's last step makes of the seed. */
static uint64_t next_random(struct pgbench_client *client)
{
    uint64_t *state = &client->random;
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * UINT64_C(2685821657736338717);
}

double rh_pgbench_client_chance(struct pgbench_client *client)
{
    return (double)(next_random(client) >> 11) / 9007199254740992.0; /* 2^53 */
}

static struct pgbench_value integer_value(int64_t integer)
{
    return (struct pgbench_value){.kind = PGBENCH_INTEGER, .integer = integer};
}

static struct pgbench_value real_value(double real)
{
    return (struct pgbench_value){.kind = PGBENCH_REAL, .real = real};
}

static struct pgbench_value bool_value(bool value)
{
    return (struct pgbench_value){.kind = PGBENCH_BOOL, .integer = value};
}

static struct pgbench_value value_of(enum pgbench_kind kind)
{
    return (struct pgbench_value){.kind = kind};
}

const struct pgbench_variable *rh_pgbench_client_find(const struct pgbench_client *client,
                                                      struct text name)
{
    for (size_t i = 0; i < client->variables.count; i++) {
        if (rh_text_is(name, client->variables.items[i].name))
            return &client->variables.items[i];
    }
    return NULL;
}

bool rh_pgbench_client_set(struct pgbench_client *client, struct text name,
                           struct pgbench_value value)
{
    struct pgbench_variable *variable = NULL;
    for (size_t i = 0; i < client->variables.count && variable == NULL; i++) {
        if (rh_text_is(name, client->variables.items[i].name))
            variable = &client->variables.items[i];
    }
    if (variable == NULL && client->variables.count < PGBENCH_VARIABLES_MAX) {
        variable = RH_PUSH(client->arena, &client->variables);
        variable->name = rh_text_dup(client->arena, name);
    }
    if (variable != NULL)
        variable->value = value;
    return variable != NULL;
}

void rh_pgbench_client_init(struct pgbench_client *client, struct arena *arena, uint64_t seed,
                            int64_t number, int64_t scale)
{
    uint64_t mixed = seed + (uint64_t)number * UINT64_C(0x9e3779b97f4a7c15);
    mixed = (mixed ^ mixed >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    mixed = (mixed ^ mixed >> 27) * UINT64_C(0x94d049bb133111eb);
    mixed ^= mixed >> 31;
    *client = (struct pgbench_client){.arena = arena, .random = mixed ? mixed : 1};
    rh_pgbench_client_set(client, TEXT_LITERAL("client_id"), integer_value(number));
    rh_pgbench_client_set(client, TEXT_LITERAL("scale"), integer_value(scale));
    rh_pgbench_client_set(client, TEXT_LITERAL("random_seed"), integer_value((int64_t)(seed >> 1)));
    rh_pgbench_client_set(client, TEXT_LITERAL("default_seed"),
                          integer_value((int64_t)(seed >> 1)));
}

bool rh_pgbench_is_true(struct pgbench_value value)
{
    return value.kind == PGBENCH_REAL
               ? value.real != 0
               : (value.kind == PGBENCH_BOOL || value.kind == PGBENCH_INTEGER) &&
                     value.integer != 0;
}

const char *rh_pgbench_value_text(struct arena *arena, struct pgbench_value value)
{
    switch (value.kind) {
    case PGBENCH_NULL:
    case PGBENCH_UNKNOWN:
        break;
    case PGBENCH_BOOL:
        return value.integer ? "true" : "false";
    case PGBENCH_INTEGER:
        return rh_arena_printf(arena, "%lld", (long long)value.integer);
    case PGBENCH_REAL:
        return rh_arena_printf(arena, "%.15g", value.real);
    }
    return "NULL";
}

/* --- reading ---------------------------------------------------------------------------------- */

struct evaluation {
    struct pgbench_client *client;
    struct text rest;
    unsigned depth;
    unsigned skips;      /* what is read now is not evaluated: another branch was chosen */
    const char *problem; /* NULL: none yet */
};

static struct pgbench_value fail(struct evaluation *evaluation, const char *problem)
{
    if (evaluation->problem == NULL)
        evaluation->problem = problem;
    return value_of(PGBENCH_NULL);
}

/* A problem of values, not of how it is written: what is skipped has none. */
static struct pgbench_value fail_value(struct evaluation *evaluation, const char *problem)
{
    return evaluation->skips > 0 ? value_of(PGBENCH_NULL) : fail(evaluation, problem);
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_name(char c)
{
    return is_letter(c) || (c >= '0' && c <= '9');
}

/* An operator or a word in whatever case, as a whole. */
static bool take(struct evaluation *evaluation, const char *what)
{
    struct text *rest = &evaluation->rest;
    size_t length = strlen(what);
    *rest = rh_text_trim(*rest);
    if (rest->len < length || strncasecmp(rest->data, what, length) != 0 ||
        (is_letter(what[0]) && rest->len > length && is_name(rest->data[length])))
        return false;
    rest->data += length;
    rest->len -= length;
    return true;
}

/* None of the longer operators that begin so. */
static bool take_operator(struct evaluation *evaluation, const char *what, const char *not_before)
{
    struct text before = evaluation->rest;
    if (!take(evaluation, what))
        return false;
    if (evaluation->rest.len > 0 && not_before[0] != '\0' &&
        strchr(not_before, evaluation->rest.data[0]) != NULL) {
        evaluation->rest = before;
        return false;
    }
    return true;
}

static struct text take_name(struct evaluation *evaluation)
{
    struct text *rest = &evaluation->rest;
    size_t length = 0;
    while (length < rest->len && is_name(rest->data[length]))
        length++;
    struct text name = {rest->data, length};
    rest->data += length;
    rest->len -= length;
    return name;
}

static double as_real(struct pgbench_value value)
{
    return value.kind == PGBENCH_REAL ? value.real : (double)value.integer;
}

static int64_t as_integer(struct evaluation *evaluation, struct pgbench_value value)
{
    if (value.kind != PGBENCH_REAL)
        return value.integer;
    /* Beyond them, 64 bits do not hold it. */
    if (!(value.real > -9.2e18 && value.real < 9.2e18)) {
        fail_value(evaluation, "a number is out of range");
        return 0;
    }
    return (int64_t)value.real;
}

static bool is_of(const struct pgbench_value *values, size_t count, enum pgbench_kind kind)
{
    for (size_t i = 0; i < count; i++) {
        if (values[i].kind == kind)
            return true;
    }
    return false;
}

/* --- random functions ------------------------------------------------------------------------- */

#define BAD_ENDS "the ends of a random number cannot be"
#define BAD_PARAMETER "a random number's ends or parameter cannot be"

static bool find_width(int64_t low, int64_t high, int64_t *ret_width)
{
    return low <= high && !__builtin_sub_overflow(high, low, ret_width) &&
           *ret_width <= INT64_MAX / 2;
}

/* Uniform, both ends included. */
static struct pgbench_value draw(struct evaluation *evaluation, int64_t low, int64_t high)
{
    int64_t width;
    if (!find_width(low, high, &width))
        return fail_value(evaluation, BAD_ENDS);
    int64_t drawn = (int64_t)(rh_pgbench_client_chance(evaluation->client) * ((double)width + 1));
    return integer_value(low + (drawn > width ? width : drawn));
}

/* pgbench.c, getExponentialRand and getGaussianRand: the shape of the manual's curves. */
static double shaped_chance(struct pgbench_client *client, bool is_gaussian, double parameter)
{
    double deviation;
    if (!is_gaussian) {
        double cut = exp(-parameter);
        double uniform = 1 - rh_pgbench_client_chance(client);
        return -log(cut + (1 - cut) * uniform) / parameter;
    }
    do {
        double u = 1 - rh_pgbench_client_chance(client);
        double v = 1 - rh_pgbench_client_chance(client);
        deviation = sqrt(-2 * log(u)) * sin(2 * 3.14159265358979323846 * v);
    } while (deviation < -parameter || deviation >= parameter);
    return (deviation + parameter) / (2 * parameter);
}

static struct pgbench_value draw_shaped(struct evaluation *evaluation, bool is_gaussian,
                                        int64_t low, int64_t high, double parameter)
{
    int64_t width;
    if (!find_width(low, high, &width) || !(parameter >= (is_gaussian ? 2.0 : 1e-6)) ||
        parameter > 1e6)
        return fail_value(evaluation, BAD_PARAMETER);
    double chance = shaped_chance(evaluation->client, is_gaussian, parameter);
    int64_t drawn = (int64_t)(((double)width + 1) * chance);
    return integer_value(low + (drawn > width ? width : drawn));
}

/* Rejection (Devroye, "Non-Uniform Random Variate Generation", 1986, p. 550), as pgbench does it.
 */
static struct pgbench_value draw_zipfian(struct evaluation *evaluation, int64_t low, int64_t high,
                                         double s)
{
    int64_t width;
    if (!find_width(low, high, &width) || !(s >= ZIPFIAN_LEAST && s <= ZIPFIAN_MOST))
        return fail_value(evaluation, BAD_PARAMETER);
    double n = (double)width + 1, b = pow(2, s - 1), x, t, v;
    if (width == 0)
        return integer_value(low);
    do {
        double u = 1 - rh_pgbench_client_chance(evaluation->client);
        v = rh_pgbench_client_chance(evaluation->client);
        x = floor(pow(u, -1 / (s - 1)));
        t = pow(1 + 1 / x, s - 1);
    } while (v * x * (t - 1) / (b - 1) > t / b || x > n);
    return integer_value(low + (int64_t)x - 1);
}

static int64_t hash_fnv1a(int64_t value, int64_t seed)
{
    uint64_t hash = FNV_OFFSET ^ (uint64_t)seed, rest = (uint64_t)value;
    for (int i = 0; i < 8; i++, rest >>= 8)
        hash = (hash ^ (rest & 0xff)) * FNV_PRIME;
    return (int64_t)hash;
}

static int64_t hash_murmur2(int64_t value, int64_t seed)
{
    uint64_t hash = (uint64_t)seed ^ MURMUR2_TIMES_8, key = (uint64_t)value * MURMUR2;
    key = (key ^ key >> 47) * MURMUR2;
    hash = (hash ^ key) * MURMUR2;
    hash = (hash ^ hash >> 47) * MURMUR2;
    return (int64_t)(hash ^ hash >> 47);
}

/* --- functions -------------------------------------------------------------------------------- */

static struct pgbench_value call_random(struct evaluation *evaluation, struct text name,
                                        const struct pgbench_value *values, size_t count)
{
    int64_t low = as_integer(evaluation, values[0]), high = as_integer(evaluation, values[1]);
    if (evaluation->problem != NULL)
        return values[0];
    if (count == 2)
        return draw(evaluation, low, high);
    if (rh_text_is(name, "random_zipfian"))
        return draw_zipfian(evaluation, low, high, as_real(values[2]));
    return draw_shaped(evaluation, rh_text_is(name, "random_gaussian"), low, high,
                       as_real(values[2]));
}

static bool is_random(struct text name, size_t count)
{
    return count == 2 ? rh_text_is(name, "random")
                      : count == 3 && (rh_text_is(name, "random_gaussian") ||
                                       rh_text_is(name, "random_exponential") ||
                                       rh_text_is(name, "random_zipfian"));
}

static struct pgbench_value absolute(struct pgbench_value value)
{
    if (value.kind == PGBENCH_REAL || value.integer == INT64_MIN)
        return real_value(fabs(as_real(value)));
    return integer_value(value.integer < 0 ? -value.integer : value.integer);
}

static struct pgbench_value call_hash(struct evaluation *evaluation, struct text name,
                                      const struct pgbench_value *values, size_t count)
{
    const struct pgbench_variable *own = rh_pgbench_client_find(evaluation->client,
                                                                TEXT_LITERAL("default_seed"));
    int64_t seed = count == 2 ? as_integer(evaluation, values[1]) : own->value.integer;
    int64_t value = as_integer(evaluation, values[0]);
    return integer_value(rh_text_is(name, "hash_fnv1a") ? hash_fnv1a(value, seed)
                                                        : hash_murmur2(value, seed));
}

static struct pgbench_value call_one(struct evaluation *evaluation, struct text name,
                                     struct pgbench_value value, bool *ret_known)
{
    *ret_known = true;
    if (rh_text_is(name, "abs"))
        return absolute(value);
    if (rh_text_is(name, "debug"))
        return value;
    if (rh_text_is(name, "int"))
        return integer_value(as_integer(evaluation, value));
    if (rh_text_is(name, "double"))
        return real_value(as_real(value));
    if (rh_text_is(name, "sqrt"))
        return real_value(sqrt(as_real(value)));
    if (rh_text_is(name, "exp"))
        return real_value(exp(as_real(value)));
    if (rh_text_is(name, "ln"))
        return real_value(log(as_real(value)));
    *ret_known = false;
    return value;
}

static struct pgbench_value extreme(const struct pgbench_value *values, size_t count, bool is_least)
{
    struct pgbench_value best = values[0];
    for (size_t i = 1; i < count; i++) {
        if ((as_real(values[i]) < as_real(best)) == is_least)
            best = values[i];
    }
    return best;
}

static struct pgbench_value modulo(struct evaluation *evaluation, int64_t a, int64_t b)
{
    if (b == 0)
        return fail_value(evaluation, "it divides by zero");
    return integer_value(b == -1 ? 0 : a % b);
}

static struct pgbench_value call(struct evaluation *evaluation, struct text name,
                                 const struct pgbench_value *values, size_t count)
{
    bool is_known = false;
    if (evaluation->skips > 0)
        return value_of(PGBENCH_NULL);
    if (is_of(values, count, PGBENCH_UNKNOWN))
        return value_of(PGBENCH_UNKNOWN);
    if (is_of(values, count, PGBENCH_NULL))
        return value_of(PGBENCH_NULL);
    if (is_random(name, count))
        return call_random(evaluation, name, values, count);
    if (count == 0 && rh_text_is(name, "pi"))
        return real_value(3.14159265358979323846);
    if ((rh_text_is(name, "least") || rh_text_is(name, "greatest")) && count > 0)
        return extreme(values, count, rh_text_is(name, "least"));
    if ((rh_text_is(name, "hash") || rh_text_is(name, "hash_fnv1a") ||
         rh_text_is(name, "hash_murmur2")) &&
        (count == 1 || count == 2))
        return call_hash(evaluation, name, values, count);
    if ((rh_text_is(name, "pow") || rh_text_is(name, "power")) && count == 2)
        return real_value(pow(as_real(values[0]), as_real(values[1])));
    if (rh_text_is(name, "mod") && count == 2)
        return modulo(evaluation, as_integer(evaluation, values[0]),
                      as_integer(evaluation, values[1]));
    struct pgbench_value value = count == 1 ? call_one(evaluation, name, values[0], &is_known)
                                            : value_of(PGBENCH_NULL);
    return is_known ? value
                    : fail(evaluation,
                           "a function is not known here, or has other arguments (random, "
                           "random_gaussian, random_exponential, random_zipfian, hash, abs, least, "
                           "greatest, mod, power, sqrt, exp, ln, pi, int, double are)");
}

/* --- operators -------------------------------------------------------------------------------- */

static struct pgbench_value evaluate_or(struct evaluation *evaluation);

static struct pgbench_value number(struct evaluation *evaluation)
{
    char digits[64];
    struct text *rest = &evaluation->rest;
    size_t length = 0;
    bool is_real = false;
    while (length < rest->len &&
           ((rest->data[length] >= '0' && rest->data[length] <= '9') || rest->data[length] == '.' ||
            (length > 0 && (rest->data[length] | 0x20) == 'e') ||
            (length > 0 && (rest->data[length] == '-' || rest->data[length] == '+') &&
             (rest->data[length - 1] | 0x20) == 'e'))) {
        is_real |= rest->data[length] < '0' || rest->data[length] > '9';
        length++;
    }
    if (length == 0 || length >= sizeof(digits))
        return fail(evaluation, "a number is missing");
    memcpy(digits, rest->data, length);
    digits[length] = '\0';
    rest->data += length;
    rest->len -= length;
    char *end;
    errno = 0;
    struct pgbench_value value = is_real ? real_value(strtod(digits, &end))
                                         : integer_value(strtoll(digits, &end, 10));
    return *end != '\0' || errno == ERANGE ? fail(evaluation, "a number is not understood") : value;
}

static struct pgbench_value arguments(struct evaluation *evaluation, struct text name)
{
    struct pgbench_value values[ARGUMENTS_MAX];
    size_t count = 0;
    if (!take(evaluation, ")")) {
        do {
            if (count == ARGUMENTS_MAX)
                return fail(evaluation, "a function has too many arguments");
            values[count++] = evaluate_or(evaluation);
        } while (evaluation->problem == NULL && take(evaluation, ","));
        if (evaluation->problem == NULL && !take(evaluation, ")"))
            return fail(evaluation, "a parenthesis is not closed");
    }
    return evaluation->problem != NULL ? value_of(PGBENCH_NULL)
                                       : call(evaluation, name, values, count);
}

/* What is read without its value being wanted, where `skips`. */
static struct pgbench_value evaluate_if(struct evaluation *evaluation, bool is_wanted)
{
    evaluation->skips += !is_wanted;
    struct pgbench_value value = evaluate_or(evaluation);
    evaluation->skips -= !is_wanted;
    return value;
}

/* Behind CASE. */
static struct pgbench_value evaluate_case(struct evaluation *evaluation)
{
    struct pgbench_value chosen = value_of(PGBENCH_NULL);
    bool is_chosen = false;
    while (evaluation->problem == NULL && take(evaluation, "when")) {
        struct pgbench_value condition = evaluate_if(evaluation, !is_chosen);
        bool is_unknown = condition.kind == PGBENCH_UNKNOWN;
        bool is_met = !is_chosen && rh_pgbench_is_true(condition);
        if (evaluation->problem == NULL && !take(evaluation, "then"))
            return fail(evaluation, "CASE WHEN is without THEN");
        struct pgbench_value value = evaluate_if(evaluation, is_met);
        if (!is_chosen && (is_unknown || is_met))
            chosen = is_unknown ? condition : value;
        is_chosen = is_chosen || is_unknown || is_met;
    }
    if (evaluation->problem == NULL && take(evaluation, "else")) {
        struct pgbench_value value = evaluate_if(evaluation, !is_chosen);
        chosen = is_chosen ? chosen : value;
    }
    if (evaluation->problem == NULL && !take(evaluation, "end"))
        return fail(evaluation, "CASE is without END");
    return chosen;
}

static struct pgbench_value apply(struct evaluation *evaluation, char sign,
                                  struct pgbench_value left, struct pgbench_value right)
{
    int64_t result = 0;
    bool overflows = false;
    if (left.kind == PGBENCH_UNKNOWN || right.kind == PGBENCH_UNKNOWN)
        return value_of(PGBENCH_UNKNOWN);
    if (left.kind == PGBENCH_NULL || right.kind == PGBENCH_NULL)
        return value_of(PGBENCH_NULL);
    if ((sign == '/' || sign == '%') && as_real(right) == 0)
        return fail_value(evaluation, "it divides by zero");
    if ((left.kind == PGBENCH_REAL || right.kind == PGBENCH_REAL) && strchr("+-*/", sign)) {
        double a = as_real(left), b = as_real(right);
        return real_value(sign == '+' ? a + b : sign == '-' ? a - b : sign == '*' ? a * b : a / b);
    }
    int64_t a = as_integer(evaluation, left), b = as_integer(evaluation, right);
    if (sign == '+')
        overflows = __builtin_add_overflow(a, b, &result);
    else if (sign == '-')
        overflows = __builtin_sub_overflow(a, b, &result);
    else if (sign == '*')
        overflows = __builtin_mul_overflow(a, b, &result);
    else if (sign == '|' || sign == '&' || sign == '#')
        result = sign == '|' ? a | b : sign == '&' ? a & b : a ^ b;
    else if (sign == '<' || sign == '>')
        result = (int64_t)(b < 0 || b > 63 ? 0
                           : sign == '<'   ? (uint64_t)a << b
                                           : (uint64_t)(a >> b));
    else if (b == 0 || (a == INT64_MIN && b == -1))
        overflows = true;
    else
        result = sign == '/' ? a / b : a % b;
    return overflows ? fail_value(evaluation, "a number is out of range") : integer_value(result);
}

static struct pgbench_value evaluate_factor(struct evaluation *evaluation)
{
    struct pgbench_value value = value_of(PGBENCH_NULL);
    if (evaluation->problem != NULL)
        return value;
    if (++evaluation->depth > DEPTH_MAX)
        return fail(evaluation, "it is too deep");
    if (take(evaluation, "(")) {
        value = evaluate_or(evaluation);
        if (evaluation->problem == NULL && !take(evaluation, ")"))
            value = fail(evaluation, "a parenthesis is not closed");
    } else if (take(evaluation, "-")) {
        value = apply(evaluation, '-', integer_value(0), evaluate_factor(evaluation));
    } else if (take(evaluation, "+")) {
        value = evaluate_factor(evaluation);
    } else if (take(evaluation, "~")) {
        value = apply(evaluation, '#', integer_value(-1), evaluate_factor(evaluation));
    } else if (take(evaluation, ":")) {
        const struct pgbench_variable *variable = rh_pgbench_client_find(evaluation->client,
                                                                         take_name(evaluation));
        value = variable == NULL ? fail_value(evaluation, "a variable is not set")
                                 : variable->value;
    } else if (take(evaluation, "null")) {
        value = value_of(PGBENCH_NULL);
    } else if (take(evaluation, "true")) {
        value = bool_value(true);
    } else if (take(evaluation, "false")) {
        value = bool_value(false);
    } else if (take(evaluation, "case")) {
        value = evaluate_case(evaluation);
    } else if (evaluation->rest.len > 0 && is_letter(evaluation->rest.data[0])) {
        struct text name = take_name(evaluation);
        value = take(evaluation, "(") ? arguments(evaluation, name)
                                      : fail(evaluation, "a function has no arguments");
    } else {
        value = number(evaluation);
    }
    evaluation->depth--;
    return value;
}

static struct pgbench_value evaluate_product(struct evaluation *evaluation)
{
    struct pgbench_value value = evaluate_factor(evaluation);
    while (evaluation->problem == NULL) {
        char sign = take(evaluation, "*")   ? '*'
                    : take(evaluation, "/") ? '/'
                    : take(evaluation, "%") ? '%'
                                            : '\0';
        if (sign == '\0')
            break;
        value = apply(evaluation, sign, value, evaluate_factor(evaluation));
    }
    return value;
}

static struct pgbench_value evaluate_sum(struct evaluation *evaluation)
{
    struct pgbench_value value = evaluate_product(evaluation);
    while (evaluation->problem == NULL) {
        char sign = take(evaluation, "+") ? '+' : take(evaluation, "-") ? '-' : '\0';
        if (sign == '\0')
            break;
        value = apply(evaluation, sign, value, evaluate_product(evaluation));
    }
    return value;
}

static struct pgbench_value evaluate_bits(struct evaluation *evaluation)
{
    struct pgbench_value value = evaluate_sum(evaluation);
    while (evaluation->problem == NULL) {
        char sign = take(evaluation, "<<")   ? '<'
                    : take(evaluation, ">>") ? '>'
                    : take(evaluation, "|")  ? '|'
                    : take(evaluation, "&")  ? '&'
                    : take(evaluation, "#")  ? '#'
                                             : '\0';
        if (sign == '\0')
            break;
        value = apply(evaluation, sign, value, evaluate_sum(evaluation));
    }
    return value;
}

static struct pgbench_value compare(struct pgbench_value left, const char *sign,
                                    struct pgbench_value right)
{
    const struct pgbench_value both[] = {left, right};
    if (is_of(both, 2, PGBENCH_UNKNOWN))
        return value_of(PGBENCH_UNKNOWN);
    if (is_of(both, 2, PGBENCH_NULL))
        return value_of(PGBENCH_NULL);
    bool is_real = is_of(both, 2, PGBENCH_REAL);
    double a = as_real(left), b = as_real(right);
    bool is_less = is_real ? a < b : left.integer < right.integer;
    bool is_equal = is_real ? a == b : left.integer == right.integer;
    if (strcmp(sign, "=") == 0)
        return bool_value(is_equal);
    if (strcmp(sign, "<>") == 0)
        return bool_value(!is_equal);
    if (sign[0] == '<')
        return bool_value(is_less || (sign[1] == '=' && is_equal));
    return bool_value((!is_less && !is_equal) || (sign[1] == '=' && is_equal));
}

static struct pgbench_value evaluate_comparison(struct evaluation *evaluation)
{
    struct pgbench_value value = evaluate_bits(evaluation);
    if (evaluation->problem != NULL)
        return value;
    const char *sign = take(evaluation, "<=")                ? "<="
                       : take(evaluation, ">=")              ? ">="
                       : take(evaluation, "<>")              ? "<>"
                       : take(evaluation, "!=")              ? "<>"
                       : take(evaluation, "=")               ? "="
                       : take_operator(evaluation, "<", "<") ? "<"
                       : take_operator(evaluation, ">", ">") ? ">"
                                                             : NULL;
    return sign == NULL ? value : compare(value, sign, evaluate_bits(evaluation));
}

/* IS [NOT] NULL, TRUE, FALSE; ISNULL, NOTNULL. */
static struct pgbench_value evaluate_is(struct evaluation *evaluation)
{
    struct pgbench_value value = evaluate_comparison(evaluation);
    if (evaluation->problem != NULL)
        return value;
    bool is_unknown = value.kind == PGBENCH_UNKNOWN, is_met = value.kind == PGBENCH_NULL;
    bool is_not = false;
    if (take(evaluation, "notnull")) {
        is_not = true;
    } else if (take(evaluation, "is")) {
        is_not = take(evaluation, "not");
        if (take(evaluation, "true"))
            is_met = rh_pgbench_is_true(value);
        else if (take(evaluation, "false"))
            is_met = value.kind != PGBENCH_NULL && !rh_pgbench_is_true(value);
        else if (!take(evaluation, "null"))
            return fail(evaluation, "IS is followed by NULL, TRUE or FALSE");
    } else if (!take(evaluation, "isnull")) {
        return value;
    }
    return is_unknown ? value : bool_value(is_met != is_not);
}

static struct pgbench_value evaluate_not(struct evaluation *evaluation)
{
    bool is_not = false, has_not = false;
    while (evaluation->problem == NULL && take(evaluation, "not")) {
        is_not = !is_not;
        has_not = true;
    }
    struct pgbench_value value = evaluate_is(evaluation);
    if (!has_not || value.kind == PGBENCH_UNKNOWN || value.kind == PGBENCH_NULL)
        return value;
    return bool_value(rh_pgbench_is_true(value) != is_not);
}

/* AND is decided by false, OR by true, and both by a first operand that is NULL: pgbench evaluates
   the second one no more then. */
static struct pgbench_value combine(struct evaluation *evaluation, struct pgbench_value left,
                                    bool decides,
                                    struct pgbench_value (*evaluate)(struct evaluation *))
{
    bool is_open = left.kind == PGBENCH_UNKNOWN || left.kind == PGBENCH_NULL;
    bool is_decided = is_open || rh_pgbench_is_true(left) == decides;
    evaluation->skips += is_decided;
    struct pgbench_value right = evaluate(evaluation);
    evaluation->skips -= is_decided;
    if (is_decided)
        return is_open ? left : bool_value(decides);
    if (right.kind == PGBENCH_UNKNOWN || right.kind == PGBENCH_NULL)
        return right;
    return bool_value(rh_pgbench_is_true(right));
}

static struct pgbench_value evaluate_and(struct evaluation *evaluation)
{
    struct pgbench_value value = evaluate_not(evaluation);
    while (evaluation->problem == NULL && take(evaluation, "and"))
        value = combine(evaluation, value, false, evaluate_not);
    return value;
}

static struct pgbench_value evaluate_or(struct evaluation *evaluation)
{
    struct pgbench_value value = evaluate_and(evaluation);
    while (evaluation->problem == NULL && take(evaluation, "or"))
        value = combine(evaluation, value, true, evaluate_and);
    return value;
}

const char *rh_pgbench_evaluate(struct pgbench_client *client, struct text expression,
                                struct pgbench_value *ret_value)
{
    struct evaluation evaluation = {.client = client, .rest = expression};
    struct pgbench_value value = evaluate_or(&evaluation);
    if (evaluation.problem == NULL && rh_text_trim(evaluation.rest).len > 0)
        evaluation.problem = "it goes on where it should end";
    if (evaluation.problem == NULL)
        *ret_value = value;
    return evaluation.problem;
}
