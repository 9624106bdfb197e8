#include "cmd/cli.h"

#include "base/clock.h"
#include "base/interrupt.h"
#include "base/suggest.h"
#include "cmd/help.h"
#include "model/result.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

const struct command *const rh_commands[] = {&rh_command_run,
                                             &rh_command_demo,
                                             &rh_command_snapshot_create,
                                             &rh_command_snapshot_import,
                                             &rh_command_snapshot_inspect,
                                             &rh_command_snapshot_prune,
                                             &rh_command_capture,
                                             &rh_command_replay,
                                             &rh_command_compare,
                                             &rh_command_workload_show,
                                             &rh_command_workload_export,
                                             &rh_command_workload_import,
                                             &rh_command_doctor,
                                             &rh_command_explain,
                                             &rh_command_config,
                                             &rh_command_help,
                                             &rh_command_version,
                                             NULL};

const struct command *rh_command_find(const char *name)
{
    for (size_t i = 0; rh_commands[i]; i++) {
        if (strcmp(rh_commands[i]->name, name) == 0)
            return rh_commands[i];
    }
    return NULL;
}

bool rh_command_is_group(const char *name, struct buf *members)
{
    size_t len = strlen(name);
    bool is_group = false;

    for (size_t i = 0; rh_commands[i]; i++) {
        const char *full = rh_commands[i]->name;

        if (strncmp(full, name, len) != 0 || full[len] != ' ')
            continue;
        rh_buf_printf(members, "%s%s", is_group ? ", " : "", full + len + 1);
        is_group = true;
    }
    return is_group;
}

const char *rh_command_suggest(const char *name)
{
    struct suggestion suggestion = {.typed = name};

    for (size_t i = 0; rh_commands[i]; i++)
        rh_suggest_consider(&suggestion, rh_commands[i]->name);
    return suggestion.best;
}

enum err_code rh_cli_write(struct text text, struct err *err)
{
    size_t done = 0;

    while (done < text.len) {
        ssize_t n = write(STDOUT_FILENO, text.data + done, text.len - done);

        if (n >= 0)
            done += (size_t)n;
        else if (errno == EPIPE) /* `rehearse ... | head`: the reader has seen enough */
            return RH_OK;
        else if (errno != EINTR && errno != EAGAIN)
            return rh_err_set_errno(err, errno, "cannot write to standard output");
    }
    return RH_OK;
}

enum err_code rh_cli_write_json(const json_t *json, struct err *err)
{
    char *line = json_dumps(json, JSON_COMPACT);
    enum err_code code;

    if (!line)
        return rh_err_set(err, RH_ERR_FORMAT, "cannot write an event as JSON");

    size_t len = strlen(line);

    line[len] = '\n'; /* in place of the NUL, so that a line is one write */
    code = rh_cli_write((struct text){line, len + 1}, err);
    free(line);
    return code;
}

static int exit_status(const struct err *err)
{
    int signal_number = rh_interrupt_signal();

    if (err->code == RH_ERR_INTERRUPTED && signal_number > 0)
        return 128 + signal_number;
    return rh_err_exit_status(err->code);
}

int rh_cli_fail(const struct err *err)
{
    char text[8192];

    rh_err_format(err, text, sizeof(text));
    fputs(text, stderr);
    return exit_status(err);
}

int rh_cli_finish(struct text text, int status)
{
    struct err err = RH_ERR_INIT;

    return rh_cli_write(text, &err) ? rh_cli_fail(&err) : status;
}

int rh_cli_finish_json(json_t *json)
{
    struct err err = RH_ERR_INIT;
    enum err_code code = rh_cli_write_json(json, &err);

    json_decref(json);
    return code ? rh_cli_fail(&err) : 0;
}

void rh_cli_note(const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    vfprintf(stderr, fmt, args);
    va_end(args);
    fputc('\n', stderr);
}

void rh_cli_forbid_core_files(void)
{
    const struct rlimit one = {.rlim_cur = 1, .rlim_max = 1}, none = {0};

    if (setrlimit(RLIMIT_CORE, &one) != 0)
        (void)!setrlimit(RLIMIT_CORE, &none); /* that is the most we may have */
}

enum err_code rh_cli_write_json_start(struct err *err)
{
    char now[32];
    json_t *event = json_object();
    enum err_code code;

    rh_clock_rfc3339(rh_clock_wall(), now);
    json_object_set_new(event, "format_version", json_string("1.0"));
    json_object_set_new(event, "event", json_string("start"));
    json_object_set_new(event, "rehearse_version", json_string(REHEARSE_VERSION));
    json_object_set_new(event, "started_at", json_string(now));
    code = rh_cli_write_json(event, err);
    json_decref(event);
    return code;
}

static json_t *error_json(const struct err *err)
{
    json_t *json = json_object();

    json_object_set_new(json, "event", json_string("error"));
    json_object_set_new(json, "code", json_string(rh_err_code_name(err->code)));
    json_object_set_new(json, "exit_code", json_integer(exit_status(err)));
    json_object_set_new(json, "message", rh_json_text(err->message));
    if (err->sqlstate[0])
        json_object_set_new(json, "sqlstate", rh_json_text(err->sqlstate));
    if (err->detail[0])
        json_object_set_new(json, "detail", rh_json_text(err->detail));
    if (err->hint[0])
        json_object_set_new(json, "hint", rh_json_text(err->hint));
    if (err->context_count > 0) {
        json_t *contexts = json_array();

        for (unsigned i = 0; i < err->context_count; i++)
            json_array_append_new(contexts, rh_json_text(err->context[i]));
        json_object_set_new(json, "context", contexts);
    }
    return json;
}

int rh_cli_fail_as(bool json, const struct err *err)
{
    json_t *event = json ? error_json(err) : NULL;
    struct err write_error = RH_ERR_INIT;

    /* Where standard output is gone, too, standard error still tells of the first failure. */
    if (event && rh_cli_write_json(event, &write_error))
        rh_cli_fail(&write_error);
    json_decref(event);
    return rh_cli_fail(err);
}

void rh_cli_overview(struct buf *out)
{
    rh_help_paragraph(
        "rehearse gives a database migration its dress rehearsal: it runs it on a "
        "throw-away server, watches what the server really does, and says SAFE, UNSAFE "
        "or INCONCLUSIVE.",
        0, out);
    rh_buf_add_str(out, "\nUsage:\n");
    for (size_t i = 0; rh_commands[i]; i++)
        rh_buf_printf(out, "    rehearse %-17s %s\n", rh_commands[i]->name,
                      rh_commands[i]->summary);
    rh_buf_add_str(out, "\nStart here:\n"
                        "    rehearse demo\n"
                        "    rehearse run --schema schema.sql migrations/0042_add_index.sql\n"
                        "    rehearse run --snapshot app.dump -- alembic upgrade head\n"
                        "\n\"rehearse COMMAND -h\" is one screen, \"rehearse COMMAND --help\" "
                        "everything.\n");
}
