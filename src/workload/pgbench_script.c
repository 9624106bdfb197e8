#include "workload/pgbench_script.h"

#include "sql/split.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

/* Of parentheses in an expression. */
#define DEPTH_MAX 50
#define EXPRESSION_BYTES_MAX 4096

enum command_kind { COMMAND_SQL, COMMAND_SET, COMMAND_SLEEP };

struct command {
    enum command_kind kind;
    size_t line;
    const char *name; /* of \set */
    struct text text; /* SQL; an expression */
    int64_t unit_us;  /* of \sleep */
};

struct pgbench_script {
    const char *path;
    VEC(struct command) commands;
};

/* --- parsing ---------------------------------------------------------------------------------- */

static void add_sql(struct pgbench_script *script, struct arena *arena, const struct buf *sql,
                    size_t line)
{
    struct sql_script split;
    rh_sql_split(rh_text(rh_text_dup(arena, rh_buf_text(sql))), arena, &split);
    for (size_t i = 0; i < split.statements.count; i++)
        *RH_PUSH(arena, &script->commands) = (struct command){
            .kind = COMMAND_SQL, .line = line, .text = split.statements.items[i].text};
}

static struct text take_word(struct text *rest)
{
    *rest = rh_text_trim(*rest);
    size_t length = 0;
    while (length < rest->len && strchr(" \t", rest->data[length]) == NULL)
        length++;
    struct text word = {rest->data, length};
    rest->data += length;
    rest->len -= length;
    *rest = rh_text_trim(*rest);
    return word;
}

static bool sleep_unit(struct text unit, int64_t *ret_us)
{
    static const struct {
        const char *name;
        int64_t us;
    } units[] = {{"", 1000000}, {"s", 1000000}, {"ms", 1000}, {"us", 1}};
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (rh_text_is(unit, units[i].name)) {
            *ret_us = units[i].us;
            return true;
        }
    }
    return false;
}

static enum err_code add_command(struct pgbench_script *script, struct arena *arena,
                                 struct text line, size_t number, struct err *err)
{
    struct command command = {.line = number};
    struct text word = take_word(&line);
    if (line.len > EXPRESSION_BYTES_MAX)
        return rh_err_set(err, RH_ERR_USAGE, "%s:%zu: the command is too long", script->path,
                          number);
    if (rh_text_is(word, "\\set")) {
        command.kind = COMMAND_SET;
        command.name = rh_text_dup(arena, take_word(&line));
        command.text = rh_text(rh_text_dup(arena, line));
        if (command.name[0] != '\0' && line.len > 0) {
            *RH_PUSH(arena, &script->commands) = command;
            return RH_OK;
        }
    } else if (rh_text_is(word, "\\sleep")) {
        command.kind = COMMAND_SLEEP;
        command.text = rh_text(rh_text_dup(arena, take_word(&line)));
        if (command.text.len > 0 && sleep_unit(line, &command.unit_us)) {
            *RH_PUSH(arena, &script->commands) = command;
            return RH_OK;
        }
    }
    rh_err_set(err, RH_ERR_USAGE, "%s:%zu: \"%.*s\" is not understood here", script->path, number,
               (int)(word.len < 100 ? word.len : 100), word.data);
    rh_err_hint(err, "\\set NAME EXPRESSION and \\sleep N [us|ms|s] are. For scripts that need the "
                     "server's answers, capture pgbench itself: \"rehearse capture\".");
    return err->code;
}

enum err_code rh_pgbench_script_parse(const char *path, struct text text, struct arena *arena,
                                      struct pgbench_script **ret_script, struct err *err)
{
    struct pgbench_script *script = RH_NEW(arena, struct pgbench_script);
    RH_CLEANUP_BUF struct buf sql, meta;
    size_t number = 0, sql_line = 1;
    enum err_code code = RH_OK;
    script->path = path;
    rh_buf_init(&sql, text.len + 1);
    rh_buf_init(&meta, text.len + 1);
    while (text.len > 0 && code == RH_OK) {
        const char *end = memchr(text.data, '\n', text.len);
        struct text line = {text.data, end ? (size_t)(end - text.data) : text.len};
        text.data += line.len + (end != NULL);
        text.len -= line.len + (end != NULL);
        number++;
        struct text trimmed = rh_text_trim(line);
        if (meta.len == 0 && (trimmed.len == 0 || trimmed.data[0] != '\\')) {
            rh_buf_add_text(&sql, line);
            rh_buf_add_char(&sql, '\n');
            continue;
        }
        if (meta.len == 0) {
            add_sql(script, arena, &sql, sql_line);
            rh_buf_clear(&sql);
            sql_line = number + 1;
        }
        /* A backslash at the end: the command goes on. */
        bool goes_on = rh_text_ends_with(trimmed, "\\") && trimmed.len > 1;
        trimmed.len -= goes_on;
        rh_buf_add_text(&meta, trimmed);
        rh_buf_add_char(&meta, ' ');
        if (goes_on && text.len > 0)
            continue;
        code = add_command(script, arena, rh_buf_text(&meta), number, err);
        rh_buf_clear(&meta);
    }
    if (code != RH_OK)
        return code;
    add_sql(script, arena, &sql, sql_line);
    if (script->commands.count == 0)
        return rh_err_set(err, RH_ERR_USAGE, "\"%s\" holds no command", path);
    *ret_script = script;
    return RH_OK;
}

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

static struct pgbench_variable *find_variable(struct pgbench_client *client, struct text name)
{
    for (size_t i = 0; i < client->variables.count; i++) {
        if (rh_text_is(name, client->variables.items[i].name))
            return &client->variables.items[i];
    }
    return NULL;
}

static struct pgbench_variable *set_variable(struct pgbench_client *client, const char *name)
{
    struct pgbench_variable *variable = find_variable(client, rh_text(name));
    if (variable == NULL && client->variables.count < PGBENCH_VARIABLES_MAX) {
        variable = RH_PUSH(client->arena, &client->variables);
        variable->name = rh_arena_strdup(client->arena, name);
    }
    return variable;
}

void rh_pgbench_client_init(struct pgbench_client *client, struct arena *arena, uint64_t seed,
                            int64_t number, int64_t scale)
{
    uint64_t mixed = seed + (uint64_t)number * UINT64_C(0x9e3779b97f4a7c15);
    mixed = (mixed ^ mixed >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    mixed = (mixed ^ mixed >> 27) * UINT64_C(0x94d049bb133111eb);
    mixed ^= mixed >> 31;
    *client = (struct pgbench_client){.arena = arena, .random = mixed ? mixed : 1};
    set_variable(client, "client_id")->integer = number;
    set_variable(client, "scale")->integer = scale;
    set_variable(client, "random_seed")->integer = (int64_t)(seed >> 1);
}

/* --- expressions ------------------------------------------------------------------------------ */

struct value {
    bool is_double;
    int64_t integer;
    double real;
};

struct evaluation {
    struct pgbench_client *client;
    struct text rest;
    unsigned depth;
    const char *problem; /* NULL: none yet */
};

static struct value evaluate_sum(struct evaluation *evaluation);

static double as_real(struct value value)
{
    return value.is_double ? value.real : (double)value.integer;
}

static int64_t as_integer(struct evaluation *evaluation, struct value value)
{
    if (!value.is_double)
        return value.integer;
    /* Beyond them, 64 bits do not hold it. */
    if (!(value.real > -9.2e18 && value.real < 9.2e18)) {
        evaluation->problem = "a number is out of range";
        return 0;
    }
    return (int64_t)value.real;
}

static struct value real_value(double real)
{
    return (struct value){.is_double = true, .real = real};
}

static struct value integer_value(int64_t integer)
{
    return (struct value){.integer = integer};
}

static bool take(struct evaluation *evaluation, char c)
{
    evaluation->rest = rh_text_trim(evaluation->rest);
    if (evaluation->rest.len == 0 || evaluation->rest.data[0] != c)
        return false;
    evaluation->rest.data++;
    evaluation->rest.len--;
    return true;
}

static struct text take_name(struct evaluation *evaluation)
{
    struct text *rest = &evaluation->rest;
    size_t length = 0;
    while (length < rest->len &&
           ((rest->data[length] >= 'a' && rest->data[length] <= 'z') ||
            (rest->data[length] >= 'A' && rest->data[length] <= 'Z') ||
            (rest->data[length] >= '0' && rest->data[length] <= '9') || rest->data[length] == '_'))
        length++;
    struct text name = {rest->data, length};
    rest->data += length;
    rest->len -= length;
    return name;
}

#define ARGUMENTS_MAX 8

/* Uniform, both ends included. */
static struct value draw(struct evaluation *evaluation, int64_t low, int64_t high)
{
    int64_t width;
    if (low > high || __builtin_sub_overflow(high, low, &width) || width > INT64_MAX / 2) {
        evaluation->problem = "the ends of a random number cannot be";
        return integer_value(0);
    }
    int64_t drawn = (int64_t)(rh_pgbench_client_chance(evaluation->client) * ((double)width + 1));
    return integer_value(low + (drawn > width ? width : drawn));
}

/* pgbench.c, getExponentialRand and getGaussianRand: the shape of the manual's curves. */
static struct value draw_shaped(struct evaluation *evaluation, bool is_gaussian, int64_t low,
                                int64_t high, double parameter)
{
    double chance;
    int64_t width;
    if (low > high || __builtin_sub_overflow(high, low, &width) || width > INT64_MAX / 2 ||
        !(parameter >= (is_gaussian ? 2.0 : 1e-6)) || parameter > 1e6) {
        evaluation->problem = "a random number's ends or parameter cannot be";
        return integer_value(0);
    }
    if (is_gaussian) {
        double deviation;
        do {
            double u = 1 - rh_pgbench_client_chance(evaluation->client);
            double v = 1 - rh_pgbench_client_chance(evaluation->client);
            deviation = sqrt(-2 * log(u)) * sin(2 * 3.14159265358979323846 * v);
        } while (deviation < -parameter || deviation >= parameter);
        chance = (deviation + parameter) / (2 * parameter);
    } else {
        double cut = exp(-parameter);
        double uniform = 1 - rh_pgbench_client_chance(evaluation->client);
        chance = -log(cut + (1 - cut) * uniform) / parameter;
    }
    int64_t drawn = (int64_t)(((double)width + 1) * chance);
    return integer_value(low + (drawn > width ? width : drawn));
}

static struct value call(struct evaluation *evaluation, struct text name)
{
    struct value values[ARGUMENTS_MAX];
    size_t count = 0;
    if (!take(evaluation, ')')) {
        do {
            if (count == ARGUMENTS_MAX) {
                evaluation->problem = "a function has too many arguments";
                return integer_value(0);
            }
            values[count++] = evaluate_sum(evaluation);
        } while (evaluation->problem == NULL && take(evaluation, ','));
        if (evaluation->problem == NULL && !take(evaluation, ')'))
            evaluation->problem = "a parenthesis is not closed";
    }
    if (evaluation->problem != NULL)
        return integer_value(0);
    if (rh_text_is(name, "random") && count == 2)
        return draw(evaluation, as_integer(evaluation, values[0]),
                    as_integer(evaluation, values[1]));
    if ((rh_text_is(name, "random_gaussian") || rh_text_is(name, "random_exponential")) &&
        count == 3)
        return draw_shaped(evaluation, rh_text_is(name, "random_gaussian"),
                           as_integer(evaluation, values[0]), as_integer(evaluation, values[1]),
                           as_real(values[2]));
    if (rh_text_is(name, "abs") && count == 1)
        return values[0].is_double ? real_value(fabs(values[0].real))
               : values[0].integer == INT64_MIN
                   ? real_value(fabs((double)INT64_MIN))
                   : integer_value(values[0].integer < 0 ? -values[0].integer : values[0].integer);
    if (rh_text_is(name, "int") && count == 1)
        return integer_value(as_integer(evaluation, values[0]));
    if (rh_text_is(name, "double") && count == 1)
        return real_value(as_real(values[0]));
    if ((rh_text_is(name, "least") || rh_text_is(name, "greatest")) && count > 0) {
        struct value best = values[0];
        for (size_t i = 1; i < count; i++) {
            bool is_less = as_real(values[i]) < as_real(best);
            if (is_less == rh_text_is(name, "least"))
                best = values[i];
        }
        return best;
    }
    evaluation->problem = "a function is not known here (random, random_gaussian, "
                          "random_exponential, abs, int, double, least, greatest are)";
    return integer_value(0);
}

static struct value number(struct evaluation *evaluation)
{
    char digits[64];
    size_t length = 0;
    bool is_double = false;
    struct text *rest = &evaluation->rest;
    while (
        length < rest->len && length + 1 < sizeof(digits) &&
        ((rest->data[length] >= '0' && rest->data[length] <= '9') || rest->data[length] == '.')) {
        is_double |= rest->data[length] == '.';
        digits[length] = rest->data[length];
        length++;
    }
    digits[length] = '\0';
    rest->data += length;
    rest->len -= length;
    int64_t integer = 0;
    if (is_double)
        return real_value(strtod(digits, NULL));
    if (!rh_text_parse_int64(rh_text(digits), &integer))
        evaluation->problem = "a number was expected";
    return integer_value(integer);
}

static struct value evaluate_factor(struct evaluation *evaluation)
{
    struct value value = integer_value(0);
    if (evaluation->problem != NULL)
        return value;
    if (++evaluation->depth > DEPTH_MAX) {
        evaluation->problem = "the expression is too deep";
    } else if (take(evaluation, '-')) {
        value = evaluate_factor(evaluation);
        if (value.is_double)
            value.real = -value.real;
        else if (__builtin_sub_overflow((int64_t)0, value.integer, &value.integer))
            evaluation->problem = "a number is out of range";
    } else if (take(evaluation, '(')) {
        value = evaluate_sum(evaluation);
        if (evaluation->problem == NULL && !take(evaluation, ')'))
            evaluation->problem = "a parenthesis is not closed";
    } else if (take(evaluation, ':')) {
        struct pgbench_variable *variable = find_variable(evaluation->client,
                                                          take_name(evaluation));
        if (variable == NULL)
            evaluation->problem = "a variable is not set";
        else
            value = (struct value){variable->is_double, variable->integer, variable->real};
    } else if (evaluation->rest.len > 0 && ((evaluation->rest.data[0] | 0x20) >= 'a' &&
                                            (evaluation->rest.data[0] | 0x20) <= 'z')) {
        struct text name = take_name(evaluation);
        if (take(evaluation, '('))
            value = call(evaluation, name);
        else
            evaluation->problem = "a function has no arguments";
    } else {
        value = number(evaluation);
    }
    evaluation->depth--;
    return value;
}

static struct value apply(struct evaluation *evaluation, char sign, struct value left,
                          struct value right)
{
    int64_t result = 0;
    bool overflows = false;
    if ((sign == '/' || sign == '%') && as_real(right) == 0) {
        evaluation->problem = "it divides by zero";
        return left;
    }
    if ((left.is_double || right.is_double) && sign != '%') {
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
    else if (b == 0 || (a == INT64_MIN && b == -1))
        overflows = true;
    else
        result = sign == '/' ? a / b : a % b;
    if (overflows)
        evaluation->problem = "a number is out of range";
    return integer_value(result);
}

static struct value evaluate_product(struct evaluation *evaluation)
{
    struct value value = evaluate_factor(evaluation);
    while (evaluation->problem == NULL) {
        char sign = take(evaluation, '*')   ? '*'
                    : take(evaluation, '/') ? '/'
                    : take(evaluation, '%') ? '%'
                                            : '\0';
        if (sign == '\0')
            break;
        value = apply(evaluation, sign, value, evaluate_factor(evaluation));
    }
    return value;
}

static struct value evaluate_sum(struct evaluation *evaluation)
{
    struct value value = evaluate_product(evaluation);
    while (evaluation->problem == NULL) {
        char sign = take(evaluation, '+') ? '+' : take(evaluation, '-') ? '-' : '\0';
        if (sign == '\0')
            break;
        value = apply(evaluation, sign, value, evaluate_product(evaluation));
    }
    return value;
}

static enum err_code evaluate(const struct pgbench_script *script, const struct command *command,
                              struct pgbench_client *client, struct value *ret_value,
                              struct err *err)
{
    struct evaluation evaluation = {.client = client, .rest = command->text};
    struct value value = evaluate_sum(&evaluation);
    if (evaluation.problem == NULL && rh_text_trim(evaluation.rest).len > 0)
        evaluation.problem = "it goes on where it should end";
    if (evaluation.problem != NULL)
        return rh_err_set(err, RH_ERR_USAGE, "%s:%zu: \"%.*s\": %s", script->path, command->line,
                          (int)(command->text.len < 200 ? command->text.len : 200),
                          command->text.data, evaluation.problem);
    *ret_value = value;
    return RH_OK;
}

/* --- running ---------------------------------------------------------------------------------- */

static bool is_name_character(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/* :name becomes its value where there is one, also within quotes, as pgbench does it; ::type and
   unknown names stay. */
static struct text substitute(struct pgbench_client *client, struct arena *arena, struct text sql)
{
    RH_CLEANUP_BUF struct buf out;
    rh_buf_init(&out, 16 * 1024 * 1024 + sql.len);
    for (size_t i = 0; i < sql.len; i++) {
        size_t end = i + 1;
        while (end < sql.len && is_name_character(sql.data[end]))
            end++;
        struct pgbench_variable *variable = sql.data[i] == ':' && end > i + 1 &&
                                                    (i == 0 || sql.data[i - 1] != ':')
                                                ? find_variable(
                                                      client,
                                                      (struct text){sql.data + i + 1, end - i - 1})
                                                : NULL;
        if (variable == NULL)
            rh_buf_add_char(&out, sql.data[i]);
        else if (variable->is_double)
            rh_buf_printf(&out, "%.15g", variable->real);
        else
            rh_buf_printf(&out, "%lld", (long long)variable->integer);
        i = variable == NULL ? i : end - 1;
    }
    return rh_text(rh_text_dup(arena, rh_buf_text(&out)));
}

enum err_code rh_pgbench_script_run(const struct pgbench_script *script,
                                    struct pgbench_client *client, struct arena *arena,
                                    struct pgbench_steps *ret_steps, struct err *err)
{
    struct pgbench_steps steps = {0};
    for (size_t i = 0; i < script->commands.count; i++) {
        const struct command *command = &script->commands.items[i];
        struct value value = integer_value(0);
        if (command->kind == COMMAND_SQL) {
            *RH_PUSH(arena, &steps.items) = (struct pgbench_step){
                .query = substitute(client, arena, command->text)};
            continue;
        }
        enum err_code code = evaluate(script, command, client, &value, err);
        if (code != RH_OK)
            return code;
        if (command->kind == COMMAND_SLEEP) {
            double us = as_real(value) * (double)command->unit_us;
            /* A day is longer than anybody meant. */
            us = !(us > 0) ? 0 : us > 86400e6 ? 86400e6 : us; /* also of no number */
            *RH_PUSH(arena, &steps.items) = (struct pgbench_step){.sleep_us = (int64_t)us};
            continue;
        }
        struct pgbench_variable *variable = set_variable(client, command->name);
        if (variable == NULL)
            return rh_err_set(err, RH_ERR_USAGE, "%s:%zu: more than %d variables", script->path,
                              command->line, PGBENCH_VARIABLES_MAX);
        variable->is_double = value.is_double;
        variable->integer = value.integer;
        variable->real = value.real;
    }
    *ret_steps = steps;
    return RH_OK;
}
