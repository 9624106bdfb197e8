#include "rehearsal/pgtap.h"

#include "base/interrupt.h"
#include "base/process.h"
#include "rehearsal/pgtap_output.h"
#include "trace/redact.h"

#include <ctype.h>
#include <stdio.h>
#include <unistd.h>

/* Tests print a line each. */
#define OUTPUT_BYTES_MAX ((size_t)8 * 1024 * 1024)
#define ASK_MAX_US (30 * INT64_C(1000000))

/* --- running -----------------------------------------------------------------------------------
 */

/* As the migration's role, and nowhere else; no ~/.psqlrc. */
static const char *const *environment(const struct sandbox *sandbox, struct arena *arena)
{
    struct connection_parameters role = rh_sandbox_migration_role(sandbox);
    VEC(const char *) env = {0};

    for (char **item = environ; *item; item++)
        if (strncmp(*item, "PG", 2) != 0 && strncmp(*item, "LC_", 3) != 0 &&
            strncmp(*item, "LANG", 4) != 0)
            *RH_PUSH(arena, &env) = *item;
    *RH_PUSH(arena, &env) = "LC_ALL=C";
    *RH_PUSH(arena, &env) = "PGCLIENTENCODING=UTF8";
    *RH_PUSH(arena, &env) = rh_arena_printf(arena, "PGHOST=%s", role.socket_directory);
    *RH_PUSH(arena, &env) = rh_arena_printf(arena, "PGPORT=%u", role.port);
    *RH_PUSH(arena, &env) = rh_arena_printf(arena, "PGUSER=%s", role.user);
    *RH_PUSH(arena, &env) = rh_arena_printf(arena, "PGPASSWORD=%s",
                                            role.password ? role.password : "");
    *RH_PUSH(arena, &env) = rh_arena_printf(arena, "PGDATABASE=%s", role.database);
    *RH_PUSH(arena, &env) = NULL;
    return env.items;
}

/* "psql:x.sql:3: ERROR:  42883: function plan(integer) does not exist", the first one. */
static void take_error(struct text said, struct arena *arena, struct check_output *output)
{
    static const char mark[] = "ERROR:  ";
    const char *found = memmem(said.data, said.len, mark, sizeof(mark) - 1);

    if (!found)
        return;
    struct text rest = {found + sizeof(mark) - 1,
                        said.len - (size_t)(found - said.data) - (sizeof(mark) - 1)};
    const char *newline = memchr(rest.data, '\n', rest.len);
    if (newline)
        rest.len = (size_t)(newline - rest.data);
    if (rest.len > 7 && rest.data[5] == ':' && isalnum((unsigned char)rest.data[0])) {
        snprintf(output->sqlstate, sizeof(output->sqlstate), "%.5s", rest.data);
        rest = (struct text){rest.data + 7, rest.len - 7};
    }
    output->problem = rh_mask_message(arena, output->sqlstate, rest);
}

static enum err_code run_once(const struct sandbox *sandbox, const char *path, struct arena *arena,
                              struct check_output *ret_output, struct err *err)
{
    const char *psql = rh_sandbox_client_program(sandbox, "psql", err);
    struct mono began = rh_clock_mono();
    struct process process = PROCESS_INIT;
    struct text printed, said;
    struct check_output output = {.planned = -1};

    if (!psql)
        return err->code;
    /* pg_prove's own settings (App::Prove, TAP::Parser::SourceHandler::pgTAP). */
    const char *const argv[] = {psql,
                                "-X",
                                "-q",
                                "-A",
                                "-t",
                                "-v",
                                "ON_ERROR_STOP=1",
                                "-v",
                                "ON_ERROR_ROLLBACK=1",
                                "-v",
                                "VERBOSITY=verbose",
                                "-P",
                                "pager=off",
                                "-f",
                                path,
                                NULL};
    const struct process_options options = {
        .argv = argv,
        .env = environment(sandbox, arena),
        .stdin_fd = -1,
        .stdout_fd = -1,
        .stderr_fd = -1,
        .new_group = true,
    };
    enum err_code code = rh_process_run(&options, rh_clock_after(began, PGTAP_MAX_US),
                                        OUTPUT_BYTES_MAX, arena, &process, &printed, &said, err);
    if (code == RH_ERR_TIMEOUT && !rh_interrupt_check(&(struct err)RH_ERR_INIT)) {
        output.problem = "it takes longer than 10 min";
        output.duration_us = PGTAP_MAX_US;
        *ret_output = output;
        return RH_OK;
    }
    if (code)
        return code;
    output.duration_us = rh_clock_mono().us - began.us;
    rh_pgtap_output_parse(printed, arena, &output);
    output.row_count = output.passed + output.failed;
    output.ran = process.status == 0;
    if (!output.ran) {
        char status[48];
        take_error(said, arena, &output);
        if (!output.problem)
            output.problem = rh_arena_printf(arena, "psql: %s",
                                             rh_process_status_text(&process, status));
        /* Whether the file was wrong or came too early, the run afterwards tells. */
        output.is_missing = output.sqlstate[0] != 0;
    }
    *ret_output = output;
    return RH_OK;
}

/* --- the extension -----------------------------------------------------------------------------
 */

/* RH_OK with *ret_created false when pgTAP's functions are there, whoever made them. */
static enum err_code provide(const struct engine *engine, const struct sandbox *sandbox,
                             bool *ret_created, struct err *err)
{
    struct connection_parameters superuser = rh_sandbox_superuser(sandbox);
    struct mono deadline = rh_clock_after(rh_clock_mono(), ASK_MAX_US);
    struct connection *connection = NULL;
    RH_CLEANUP_ROWS struct rows *rows = NULL;
    enum err_code code = engine->connect(&superuser, deadline, &connection, err);

    if (code)
        return code;
    code = engine->query(
        connection,
        "SELECT EXISTS (SELECT FROM pg_catalog.pg_proc WHERE proname IN ('plan', 'no_plan')), "
        "EXISTS (SELECT FROM pg_catalog.pg_available_extensions WHERE name = 'pgtap')",
        NULL, 0, deadline, &rows, err);
    if (!code && !rh_rows_bool(rows, 0, 0)) {
        if (rh_rows_bool(rows, 0, 1)) {
            code = engine->query(connection, "CREATE EXTENSION pgtap", NULL, 0, deadline, NULL,
                                 err);
            *ret_created = !code;
        } else {
            int major = engine->server_version(connection) / 10000;
            code = rh_err_set(err, RH_ERR_ENVIRONMENT,
                              "the extension \"pgtap\" is not installed on the sandbox's server");
            rh_err_hint(err, "Install it (Debian, Ubuntu: apt-get install postgresql-%d-pgtap).",
                        major);
        }
    }
    engine->close(connection);
    return code;
}

enum err_code rh_pgtap_run(const struct engine *engine, const struct sandbox *sandbox,
                           const char *path, struct arena *arena, struct check_output *ret_output,
                           struct err *err)
{
    struct check_output output = {0};
    bool created = false;
    enum err_code code = run_once(sandbox, path, arena, &output, err);

    if (!code && !output.ran && output.sqlstate[0]) {
        code = provide(engine, sandbox, &created, err);
        if (!code && created)
            code = run_once(sandbox, path, arena, &output, err);
    }
    if (code)
        rh_err_while(err, "while running the checks of \"%s\"", path);
    else
        *ret_output = output;
    return code;
}
