#include "workload/pgbench_script.h"

#include "sql/lexer.h"
#include "sql/split.h"

#include <strings.h>

#define EXPRESSION_BYTES_MAX 4096
/* Of \if within \if. */
#define IF_DEPTH_MAX 50
/* Names that a script uses; PGBENCH_VARIABLES_MAX of them can be set. */
#define NAMES_MAX 1000
/* Of SQL in which a backslash is looked for: each line of it reads what stands before once more. */
#define PENDING_BYTES_MAX ((size_t)256 * 1024)
/* pgbench's own limit, MAX_ARGS. */
#define PARAMETERS_MAX 256

/* X(symbol, as written) */
#define COMMAND_LIST(X)                          \
    X(COMMAND_SQL, "")                           \
    X(COMMAND_SET, "\\set")                      \
    X(COMMAND_SLEEP, "\\sleep")                  \
    X(COMMAND_GSET, "\\gset")                    \
    X(COMMAND_ASET, "\\aset")                    \
    X(COMMAND_IF, "\\if")                        \
    X(COMMAND_ELIF, "\\elif")                    \
    X(COMMAND_ELSE, "\\else")                    \
    X(COMMAND_ENDIF, "\\endif")                  \
    X(COMMAND_START_PIPELINE, "\\startpipeline") \
    X(COMMAND_SYNC_PIPELINE, "\\syncpipeline")   \
    X(COMMAND_END_PIPELINE, "\\endpipeline")
enum command_kind {
#define X(symbol, name) symbol,
    COMMAND_LIST(X)
#undef X
};
static const char *const command_names[] = {
#define X(symbol, name) [symbol] = name,
    COMMAND_LIST(X)
#undef X
};

struct command {
    enum command_kind kind;
    size_t line;
    const char *name; /* of \set; the prefix of \gset */
    struct text text; /* SQL; an expression; of \gset the statement before it */
    int64_t unit_us;  /* of \sleep */
};

struct pgbench_script {
    const char *path;
    VEC(struct command) commands;
    VEC(struct text) names; /* of variables, as its statements and expressions have them */
};

struct parsing {
    struct pgbench_script *script;
    struct arena *arena;
    struct buf sql;
    size_t sql_line; /* where it begins */
    size_t number;   /* of the line under way */
    struct err *err;
};

/* --- parsing ---------------------------------------------------------------------------------- */

static bool is_name_start(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

/* The name behind a colon at `at`; empty: there is none. */
static struct text name_at(struct text text, size_t at)
{
    size_t end = at + 1;
    if (text.data[at] != ':' || (at > 0 && text.data[at - 1] == ':') || end >= text.len ||
        !is_name_start(text.data[end]))
        return (struct text){NULL, 0};
    while (end < text.len &&
           (is_name_start(text.data[end]) || (text.data[end] >= '0' && text.data[end] <= '9')))
        end++;
    return (struct text){text.data + at + 1, end - at - 1};
}

static void note_names(struct pgbench_script *script, struct arena *arena, struct text text)
{
    for (size_t i = 0; i < text.len && script->names.count < NAMES_MAX; i++) {
        struct text name = name_at(text, i);
        bool is_known = name.len == 0;
        for (size_t j = 0; j < script->names.count && !is_known; j++)
            is_known = rh_text_equals(script->names.items[j], name);
        if (!is_known)
            *RH_PUSH(arena, &script->names) = name;
    }
}

static void add_command(struct parsing *parsing, struct command command)
{
    command.line = command.line > 0 ? command.line : parsing->number;
    note_names(parsing->script, parsing->arena, command.text);
    *RH_PUSH(parsing->arena, &parsing->script->commands) = command;
}

/* What stands before a command, or at the end. */
static void add_sql(struct parsing *parsing)
{
    struct sql_script split;
    rh_sql_split(rh_text(rh_text_dup(parsing->arena, rh_buf_text(&parsing->sql))), parsing->arena,
                 &split);
    for (size_t i = 0; i < split.statements.count; i++)
        add_command(parsing,
                    (struct command){.kind = COMMAND_SQL,
                                     .line = parsing->sql_line + split.statements.items[i].line - 1,
                                     .text = split.statements.items[i].text});
    rh_buf_clear(&parsing->sql);
    parsing->sql_line = parsing->number + 1;
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

static enum err_code refuse(struct parsing *parsing, struct text word, const char *why,
                            const char *hint)
{
    rh_err_set(parsing->err, RH_ERR_USAGE, "%s:%zu: \"%.*s\" %s", parsing->script->path,
               parsing->number, (int)(word.len < 100 ? word.len : 100), word.data, why);
    rh_err_hint(parsing->err, "%s", hint);
    return parsing->err->code;
}

/* Fills the rest of a command; false: it is not understood. */
static bool read_command(struct parsing *parsing, struct command *command, struct text line)
{
    const struct pgbench_script *script = parsing->script;
    struct arena *arena = parsing->arena;
    switch (command->kind) {
    case COMMAND_SET:
        command->name = rh_text_dup(arena, take_word(&line));
        command->text = rh_text(rh_text_dup(arena, line));
        return command->name[0] != '\0' && line.len > 0;
    case COMMAND_SLEEP:
        command->text = rh_text(rh_text_dup(arena, take_word(&line)));
        return command->text.len > 0 && sleep_unit(line, &command->unit_us);
    case COMMAND_IF:
    case COMMAND_ELIF:
        command->text = rh_text(rh_text_dup(arena, line));
        return line.len > 0;
    case COMMAND_GSET:
    case COMMAND_ASET:
        command->name = rh_text_dup(arena, take_word(&line));
        if (script->commands.count == 0 ||
            script->commands.items[script->commands.count - 1].kind != COMMAND_SQL)
            return false;
        command->text = script->commands.items[script->commands.count - 1].text;
        return line.len == 0;
    case COMMAND_SQL:
    case COMMAND_ELSE:
    case COMMAND_ENDIF:
    case COMMAND_START_PIPELINE:
    case COMMAND_SYNC_PIPELINE:
    case COMMAND_END_PIPELINE:
        break;
    }
    return line.len == 0;
}

/* `line` begins with a backslash. */
static enum err_code take_command(struct parsing *parsing, struct text line)
{
    struct command command = {.kind = COMMAND_SQL};
    struct text word = take_word(&line);
    if (line.len > EXPRESSION_BYTES_MAX)
        return rh_err_set(parsing->err, RH_ERR_USAGE, "%s:%zu: the command is too long",
                          parsing->script->path, parsing->number);
    if (rh_text_is(word, "\\shell") || rh_text_is(word, "\\setshell"))
        return refuse(
            parsing, word, "runs a program, which an import does not",
            "Give the value with \\set, or capture pgbench itself: \"rehearse capture\".");
    if (rh_text_starts_with(word, "\\;"))
        return refuse(
            parsing, word, "(statements in one message) is not imported",
            "End each with a semicolon, or capture pgbench itself: \"rehearse capture\".");
    for (size_t i = 1; i < sizeof(command_names) / sizeof(command_names[0]); i++) {
        if (rh_text_is(word, command_names[i]))
            command.kind = (enum command_kind)i;
    }
    if (command.kind != COMMAND_SQL && read_command(parsing, &command, line)) {
        add_command(parsing, command);
        return RH_OK;
    }
    return refuse(parsing, word, "is not understood here",
                  "\\set NAME EXPRESSION, \\sleep N [us|ms|s], \\if, \\gset [PREFIX] behind a "
                  "statement and \\startpipeline are. For all else capture pgbench itself: "
                  "\"rehearse capture\".");
}

/* Where in the SQL that is gathered a command begins; its length: there is none. */
static size_t find_backslash(struct text sql)
{
    struct sql_lexer lexer = rh_sql_lexer(sql);
    struct sql_token token;
    while (rh_sql_lexer_next(&lexer, &token)) {
        if (token.kind == SQL_TOKEN_BACKSLASH)
            return token.offset;
    }
    return sql.len;
}

/* One line, with those that continue a command. */
static enum err_code take_line(struct parsing *parsing, struct text line, struct buf *meta,
                               bool is_last)
{
    if (meta->len == 0) {
        rh_buf_add_text(&parsing->sql, line);
        rh_buf_add_char(&parsing->sql, '\n');
        if (line.len == 0 || memchr(line.data, '\\', line.len) == NULL)
            return RH_OK;
        struct text sql = rh_buf_text(&parsing->sql);
        if (sql.len > PENDING_BYTES_MAX)
            return rh_err_set(parsing->err, RH_ERR_USAGE,
                              "%s:%zu: the statements before this are "
                              "too long for a script",
                              parsing->script->path, parsing->number);
        size_t at = find_backslash(sql);
        if (at == sql.len)
            return RH_OK;
        rh_buf_add_text(meta, rh_text_trim((struct text){sql.data + at, sql.len - at}));
        parsing->sql.len = at;
        add_sql(parsing);
    } else {
        rh_buf_add_text(meta, rh_text_trim(line));
    }
    /* A backslash at the end: the command goes on. */
    if (meta->len > 1 && meta->data[meta->len - 1] == '\\' && !is_last) {
        meta->data[meta->len - 1] = ' ';
        return RH_OK;
    }
    enum err_code code = take_command(parsing, rh_buf_text(meta));
    rh_buf_clear(meta);
    return code;
}

/* \if and its like fit together. */
static enum err_code check_structure(const struct pgbench_script *script, struct err *err)
{
    bool has_else[IF_DEPTH_MAX] = {false};
    size_t depth = 0, line = 0;
    const char *problem = NULL;
    for (size_t i = 0; i < script->commands.count && problem == NULL; i++) {
        const struct command *command = &script->commands.items[i];
        bool is_branch = command->kind == COMMAND_ELIF || command->kind == COMMAND_ELSE;
        line = command->line;
        if (command->kind == COMMAND_IF && depth == IF_DEPTH_MAX)
            problem = "\\if is nested too deep";
        else if (command->kind == COMMAND_IF)
            has_else[depth++] = false;
        else if ((is_branch || command->kind == COMMAND_ENDIF) && depth == 0)
            problem = "there is no \\if for it";
        else if (is_branch && has_else[depth - 1])
            problem = "it stands behind \\else";
        else if (command->kind == COMMAND_ELSE)
            has_else[depth - 1] = true;
        else if (command->kind == COMMAND_ENDIF)
            depth--;
    }
    if (problem == NULL && depth > 0)
        problem = "an \\if has no \\endif";
    return problem == NULL
               ? RH_OK
               : rh_err_set(err, RH_ERR_USAGE, "%s:%zu: %s", script->path, line, problem);
}

enum err_code rh_pgbench_script_parse(const char *path, struct text text, struct arena *arena,
                                      struct pgbench_script **ret_script, struct err *err)
{
    struct pgbench_script *script = RH_NEW(arena, struct pgbench_script);
    struct parsing parsing = {.script = script, .arena = arena, .sql_line = 1, .err = err};
    RH_CLEANUP_BUF struct buf meta;
    enum err_code code = RH_OK;
    script->path = path;
    rh_buf_init(&parsing.sql, text.len + 2);
    rh_buf_init(&meta, text.len + 2);
    while (text.len > 0 && code == RH_OK) {
        const char *end = memchr(text.data, '\n', text.len);
        struct text line = {text.data, end ? (size_t)(end - text.data) : text.len};
        text.data += line.len + (end != NULL);
        text.len -= line.len + (end != NULL);
        parsing.number++;
        code = take_line(&parsing, line, &meta, text.len == 0);
    }
    if (code == RH_OK)
        add_sql(&parsing);
    rh_buf_deinit(&parsing.sql);
    if (code == RH_OK)
        code = check_structure(script, err);
    if (code != RH_OK)
        return code;
    if (script->commands.count == 0)
        return rh_err_set(err, RH_ERR_USAGE, "\"%s\" holds no command", path);
    *ret_script = script;
    return RH_OK;
}

/* --- what \gset may have set ------------------------------------------------------------------ */

/* Whether a result of the statement may have a column of that name: it is a word in it, or there is
   a star. In doubt it may. */
static bool may_have_column(struct text query, struct text name)
{
    struct sql_lexer lexer = rh_sql_lexer(query);
    struct sql_token token;
    bool is_star_place = false; /* behind SELECT, a comma or a point */
    while (rh_sql_lexer_next(&lexer, &token)) {
        struct text text = {query.data + token.offset, token.len};
        if (!rh_sql_token_is_significant(&token))
            continue;
        if (token.kind == SQL_TOKEN_QUOTED_IDENTIFIER && text.len > 2)
            text = (struct text){text.data + 1, text.len - 2};
        if ((token.kind == SQL_TOKEN_WORD || token.kind == SQL_TOKEN_QUOTED_IDENTIFIER) &&
            text.len == name.len && strncasecmp(text.data, name.data, name.len) == 0)
            return true;
        if (is_star_place && rh_text_is(text, "*"))
            return true;
        is_star_place = rh_sql_token_is_word(query, &token, "select") || rh_text_is(text, ",") ||
                        rh_text_is(text, ".");
    }
    return false;
}

static bool forget(const struct pgbench_script *script, const struct command *command,
                   struct pgbench_client *client)
{
    bool fits = true;
    for (size_t i = 0; i < script->names.count && fits; i++) {
        struct text name = script->names.items[i];
        size_t prefix = strlen(command->name);
        if (name.len > prefix && strncmp(name.data, command->name, prefix) == 0 &&
            may_have_column(command->text, (struct text){name.data + prefix, name.len - prefix}))
            fits = rh_pgbench_client_set(client, name,
                                         (struct pgbench_value){.kind = PGBENCH_UNKNOWN});
    }
    return fits;
}

/* --- running ---------------------------------------------------------------------------------- */

/* X(symbol): of a branch of \if */
enum branch {
    BRANCH_TAKEN,
    BRANCH_NOT_YET, /* another one may be */
    BRANCH_PAST,    /* one was, or all is skipped that is around it */
    BRANCH_UNKNOWN  /* what decides is not known: all of it is left out */
};

struct run {
    const struct pgbench_script *script;
    struct pgbench_client *client;
    struct arena *arena;
    struct pgbench_steps steps;
    enum branch branches[IF_DEPTH_MAX];
    size_t depth, pipelined; /* statements of the batch under way */
    bool in_pipeline;
    struct err *err;
};

static enum err_code fail(struct run *run, const struct command *command, const char *problem)
{
    return rh_err_set(run->err, RH_ERR_USAGE, "%s:%zu: %s%.*s%s%s", run->script->path,
                      command->line, command->text.len > 0 ? "\"" : "",
                      (int)(command->text.len < 200 ? command->text.len : 200),
                      command->text.len > 0 ? command->text.data : "",
                      command->text.len > 0 ? "\": " : "", problem);
}

/* :name becomes its value where there is one, also within quotes, as pgbench does it; ::type and
   unknown names stay. In a pipeline it becomes a parameter. False: a value is not known. */
static bool substitute(struct run *run, struct text sql, struct pgbench_step *step)
{
    RH_CLEANUP_BUF struct buf out;
    struct text *parameters = NULL;
    rh_buf_init(&out, 16 * 1024 * 1024 + sql.len);
    if (run->in_pipeline)
        parameters = rh_arena_alloc_array(run->arena, PARAMETERS_MAX, sizeof(*parameters));
    for (size_t i = 0; i < sql.len; i++) {
        struct text name = name_at(sql, i);
        const struct pgbench_variable *variable = name.len > 0
                                                      ? rh_pgbench_client_find(run->client, name)
                                                      : NULL;
        if (variable != NULL && variable->value.kind == PGBENCH_UNKNOWN)
            return false;
        if (variable == NULL) {
            rh_buf_add_char(&out, sql.data[i]);
            continue;
        }
        const char *value = rh_pgbench_value_text(run->arena, variable->value);
        bool is_null = variable->value.kind == PGBENCH_NULL;
        if (parameters != NULL && step->parameter_count < PARAMETERS_MAX) {
            parameters[step->parameter_count++] = is_null ? (struct text){NULL, 0} : rh_text(value);
            rh_buf_printf(&out, "$%zu", step->parameter_count);
        } else {
            rh_buf_add_str(&out, value);
        }
        i += name.len;
    }
    step->query = rh_text(rh_text_dup(run->arena, rh_buf_text(&out)));
    step->parameters = parameters;
    return true;
}

static enum err_code run_sql(struct run *run, const struct command *command)
{
    struct pgbench_step step = {.is_pipelined = run->in_pipeline};
    if (run->pipelined == PGBENCH_PIPELINE_MAX)
        return fail(run, command, "the pipeline is too long");
    if (!substitute(run, command->text, &step)) {
        run->client->unknown_statements++;
        return RH_OK;
    }
    run->pipelined += run->in_pipeline;
    *RH_PUSH(run->arena, &run->steps.items) = step;
    return RH_OK;
}

static void end_batch(struct run *run)
{
    if (run->pipelined > 0)
        run->steps.items.items[run->steps.items.count - 1].ends_batch = true;
    run->pipelined = 0;
}

static enum err_code run_pipeline(struct run *run, const struct command *command)
{
    bool starts = command->kind == COMMAND_START_PIPELINE;
    if (starts == run->in_pipeline)
        return fail(run, command, starts ? "a pipeline was begun already" : "there is no pipeline");
    end_batch(run);
    run->in_pipeline = command->kind != COMMAND_END_PIPELINE;
    return RH_OK;
}

static enum branch choose(struct pgbench_value value)
{
    return value.kind == PGBENCH_UNKNOWN ? BRANCH_UNKNOWN
           : rh_pgbench_is_true(value)   ? BRANCH_TAKEN
                                         : BRANCH_NOT_YET;
}

static enum err_code run_branch(struct run *run, const struct command *command)
{
    struct pgbench_value value = {.kind = PGBENCH_BOOL, .integer = 1};
    enum branch *inner = run->depth > 0 ? &run->branches[run->depth - 1] : NULL;
    bool is_skipped = inner != NULL && *inner != BRANCH_TAKEN;
    bool asks = command->kind == COMMAND_IF
                    ? !is_skipped
                    : command->kind == COMMAND_ELIF && *inner == BRANCH_NOT_YET;
    const char *problem = asks ? rh_pgbench_evaluate(run->client, command->text, &value) : NULL;
    if (problem != NULL)
        return fail(run, command, problem);
    run->client->undecided_branches += asks && value.kind == PGBENCH_UNKNOWN;
    if (command->kind == COMMAND_IF)
        run->branches[run->depth++] = !is_skipped                ? choose(value)
                                      : *inner == BRANCH_UNKNOWN ? BRANCH_UNKNOWN
                                                                 : BRANCH_PAST;
    else if (command->kind == COMMAND_ENDIF)
        run->depth--;
    else if (*inner == BRANCH_TAKEN)
        *inner = BRANCH_PAST;
    else if (*inner == BRANCH_NOT_YET)
        *inner = choose(value);
    return RH_OK;
}

/* What an undecided branch would have set is not known behind it. */
static enum err_code skip(struct run *run, const struct command *command)
{
    const struct pgbench_value unknown = {.kind = PGBENCH_UNKNOWN};
    bool fits = true;
    if (run->branches[run->depth - 1] != BRANCH_UNKNOWN)
        return RH_OK;
    if (command->kind == COMMAND_SQL)
        run->client->unknown_statements++;
    else if (command->kind == COMMAND_SET)
        fits = rh_pgbench_client_set(run->client, rh_text(command->name), unknown);
    else if (command->kind == COMMAND_GSET || command->kind == COMMAND_ASET)
        fits = forget(run->script, command, run->client);
    return fits ? RH_OK : fail(run, command, "there are too many variables");
}

static enum err_code run_set(struct run *run, const struct command *command)
{
    struct pgbench_value value;
    const char *problem = rh_pgbench_evaluate(run->client, command->text, &value);
    if (problem != NULL)
        return fail(run, command, problem);
    if (command->kind == COMMAND_SLEEP) {
        double us = (value.kind == PGBENCH_REAL      ? value.real
                     : value.kind == PGBENCH_INTEGER ? (double)value.integer
                                                     : 0) *
                    (double)command->unit_us;
        /* A day is longer than anybody meant. */
        us = !(us > 0) ? 0 : us > 86400e6 ? 86400e6 : us; /* also of no number */
        if (run->in_pipeline)
            return RH_OK; /* nothing is sent before its end in any case */
        *RH_PUSH(run->arena, &run->steps.items) = (struct pgbench_step){.sleep_us = (int64_t)us};
        return RH_OK;
    }
    if (!rh_pgbench_client_set(run->client, rh_text(command->name), value))
        return fail(run, command, "there are too many variables");
    return RH_OK;
}

static enum err_code run_command(struct run *run, const struct command *command)
{
    switch (command->kind) {
    case COMMAND_IF:
    case COMMAND_ELIF:
    case COMMAND_ELSE:
    case COMMAND_ENDIF:
        return run_branch(run, command);
    case COMMAND_SQL:
    case COMMAND_SET:
    case COMMAND_SLEEP:
    case COMMAND_GSET:
    case COMMAND_ASET:
    case COMMAND_START_PIPELINE:
    case COMMAND_SYNC_PIPELINE:
    case COMMAND_END_PIPELINE:
        break;
    }
    if (run->depth > 0 && run->branches[run->depth - 1] != BRANCH_TAKEN)
        return skip(run, command);
    if (command->kind == COMMAND_SQL)
        return run_sql(run, command);
    if (command->kind == COMMAND_SET || command->kind == COMMAND_SLEEP)
        return run_set(run, command);
    if (command->kind != COMMAND_GSET && command->kind != COMMAND_ASET)
        return run_pipeline(run, command);
    if (run->in_pipeline)
        return fail(run, command, "\\gset cannot be in a pipeline");
    return forget(run->script, command, run->client)
               ? RH_OK
               : fail(run, command, "there are too many variables");
}

enum err_code rh_pgbench_script_run(const struct pgbench_script *script,
                                    struct pgbench_client *client, struct arena *arena,
                                    struct pgbench_steps *ret_steps, struct err *err)
{
    struct run run = {.script = script, .client = client, .arena = arena, .err = err};
    enum err_code code = RH_OK;
    for (size_t i = 0; i < script->commands.count && code == RH_OK; i++)
        code = run_command(&run, &script->commands.items[i]);
    if (code == RH_OK && run.in_pipeline)
        code = rh_err_set(err, RH_ERR_USAGE, "\"%s\" ends within a pipeline", script->path);
    if (code == RH_OK)
        *ret_steps = run.steps;
    return code;
}
