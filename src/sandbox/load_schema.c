#include "sandbox/sandbox_int.h"
#include "sandbox/sql_scan.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* A script above this size brings data worth a restart with the settings for loading (0.2 s). */
#define LARGE_SCHEMA_BYTES (INT64_C(4) << 20)
#define CHUNK_BYTES ((size_t)64 * 1024)

/* --- psql's messages -------------------------------------------------------------------------- */

void rh_psql_message_init(struct psql_messages *messages, struct sandbox *sandbox)
{
    *messages = (struct psql_messages){.sandbox = sandbox};
}

/* "psql:FILE:12: ERROR:  42P01: relation ..." begins one; what follows up to the next belongs to
 * it. */
void rh_psql_message_line(struct psql_messages *messages, struct text line)
{
    static const char *const marks[] = {": ERROR:  ", ": FATAL:  ", ": PANIC:  ", ": error: "};
    struct arena *arena = messages->sandbox->arena;
    const char *found = NULL;

    if (rh_text_starts_with(line, "psql:")) {
        messages->is_open = false;
        for (size_t i = 0; !found && i < sizeof(marks) / sizeof(marks[0]); i++)
            if ((found = strstr(line.data, marks[i])))
                found += strlen(marks[i]);
        if (!found || messages->message) {
            if (rh_cluster_says_disk_full(line.data))
                messages->is_disk_full = true;
            return;
        }
        messages->is_open = true;
        /* The number is what stands before the mark; file names may hold colons themselves. */
        char *place = rh_arena_strndup(arena, line.data, (size_t)(found - line.data));
        char *mark = strstr(place, ": ERROR:  ");
        for (size_t i = 0; !mark && i < sizeof(marks) / sizeof(marks[0]); i++)
            mark = strstr(place, marks[i]);
        *mark = 0;
        char *colon = strrchr(place, ':');
        if (colon && colon > place + strlen("psql:") - 1 && isdigit((unsigned char)colon[1])) {
            messages->line = strtol(colon + 1, NULL, 10);
            *colon = 0;
            messages->file = place + strlen("psql:");
        }
        /* VERBOSITY verbose puts the SQLSTATE first. */
        if (strlen(found) > 7 && found[5] == ':' && found[6] == ' ') {
            snprintf(messages->sqlstate, sizeof(messages->sqlstate), "%.5s", found);
            found += 7;
        }
        messages->message = rh_arena_strdup(arena, found);
        if (rh_cluster_says_disk_full(found))
            messages->is_disk_full = true;
        return;
    }
    static const char *const unwanted[] = {
        "LOCATION:",    "CONTEXT:",       "SCHEMA NAME:",    "TABLE NAME:",
        "COLUMN NAME:", "DATATYPE NAME:", "CONSTRAINT NAME:"};
    bool is_wanted = messages->is_open;
    for (size_t i = 0; is_wanted && i < sizeof(unwanted) / sizeof(unwanted[0]); i++)
        is_wanted = !rh_text_starts_with(line, unwanted[i]);
    if (!is_wanted)
        return;
    /* What quotes row values: classes 22 and 23 (manual, appendix A). */
    if (rh_text_starts_with(line, "DETAIL:") &&
        (strncmp(messages->sqlstate, "22", 2) == 0 || strncmp(messages->sqlstate, "23", 2) == 0))
        return;
    if (rh_text_starts_with(line, "HINT:"))
        messages->hint = rh_text_dup(arena,
                                     rh_text_trim((struct text){line.data + 5, line.len - 5}));
    else if (messages->detail_lines++ < PSQL_DETAIL_LINES_MAX)
        messages->detail = rh_arena_printf(arena, "%s%s%.*s",
                                           messages->detail ? messages->detail : "",
                                           messages->detail ? "\n" : "", (int)line.len, line.data);
}

enum err_code rh_psql_message_error(const struct psql_messages *messages, const char *path,
                                    const struct process *process, struct err *err)
{
    struct err full = RH_ERR_INIT;
    const char *reason;

    if (messages->is_disk_full || rh_cluster_check_disk(messages->sandbox, &full))
        return rh_cluster_disk_full(messages->sandbox, err);
    if (rh_sandbox_has_crashed(messages->sandbox, &reason))
        return rh_err_set(err, RH_ERR_SERVER, "the sandbox server crashed: %s", reason);
    if (!messages->message) {
        char status[48];
        return rh_err_set(err, RH_ERR_FORMAT, "psql ended with %s",
                          rh_process_status_text(process, status));
    }
    if (messages->line)
        rh_err_set(err, RH_ERR_FORMAT, "%s:%ld: %s",
                   strcmp(messages->file, "<stdin>") == 0 ? path : messages->file, messages->line,
                   messages->message);
    else
        rh_err_set(err, RH_ERR_FORMAT, "%s: %s", path, messages->message);
    snprintf(err->sqlstate, sizeof(err->sqlstate), "%s", messages->sqlstate);
    if (messages->detail)
        rh_err_detail(err, "%s", messages->detail);
    if (messages->hint)
        rh_err_hint(err, "%s", messages->hint);
    return err->code;
}

/* --- the script ------------------------------------------------------------------------------- */

static enum sql_action collect(void *context, const struct sql_statement *statement)
{
    rh_sql_needs_add(context, statement);
    return SQL_KEEP;
}

/* Reads it once: is there anything in it, is it a dump, what roles does it name. */
static enum err_code examine(const char *path, struct sql_needs *needs, bool *ret_is_dump,
                             int64_t *ret_bytes, struct err *err)
{
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    RH_CLEANUP_SQL_SCAN struct sql_scan *scan = rh_sql_scan_new(collect, needs);
    RH_CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    char *bytes = rh_arena_alloc(arena, CHUNK_BYTES + 1);
    bool is_blank = true, is_first = true;
    struct stat status;
    ssize_t got;

    if (fd < 0 || fstat(fd, &status) != 0) {
        rh_err_set_errno(err, errno, "cannot read \"%s\"", path);
        return err->code = RH_ERR_USAGE;
    }
    if (S_ISDIR(status.st_mode)) {
        rh_err_set(err, RH_ERR_USAGE, "cannot read \"%s\": it is a directory", path);
        rh_err_hint(err, "Name one SQL file; it may include others with \\ir.");
        return err->code;
    }
    if (!S_ISREG(status.st_mode))
        return rh_err_set(err, RH_ERR_USAGE, "cannot read \"%s\": it is not a regular file", path);
    while ((got = read(fd, bytes, CHUNK_BYTES)) != 0) {
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return rh_err_set_errno(err, errno, "cannot read \"%s\"", path);
        bytes[got] = 0;
        if (is_first) {
            if (memchr(bytes, 0, (size_t)got)) {
                rh_err_set(err, RH_ERR_FORMAT, "\"%s\" is not a text file", path);
                rh_err_hint(err, "An archive made by pg_dump is loaded with --snapshot.");
                return err->code;
            }
            *ret_is_dump = strstr(bytes, "-- PostgreSQL database dump") != NULL;
        }
        is_first = false;
        for (ssize_t i = 0; is_blank && i < got; i++)
            is_blank = isspace((unsigned char)bytes[i]);
        rh_sql_scan_feed(scan, (struct text){bytes, (size_t)got}, NULL);
    }
    rh_sql_scan_end(scan, NULL);
    if (is_blank)
        return rh_err_set(err, RH_ERR_FORMAT, "\"%s\" is empty", path);
    *ret_bytes = status.st_size;
    return RH_OK;
}

static enum err_code create_roles(struct sandbox *sandbox, const struct sql_needs *needs,
                                  struct err *err)
{
    struct name_list missing = {0};

    /* A file that is included may create them: then it is the script's own business. */
    if (needs->includes_files)
        return RH_OK;
    for (size_t i = 0; i < needs->roles.count; i++) {
        bool is_created = false;
        for (size_t k = 0; k < needs->created_roles.count; k++)
            is_created |= strcmp(needs->roles.items[i], needs->created_roles.items[k]) == 0;
        if (!is_created)
            *RH_PUSH(sandbox->arena, &missing.names) = needs->roles.items[i];
    }
    enum err_code code = rh_roles_create_missing(sandbox, &missing, err);
    if (!code)
        code = rh_roles_raise(sandbox, needs, err);
    if (code)
        return code;
    rh_roles_note_created(sandbox, "named by the schema");
    return RH_OK;
}

static void on_error_line(void *context, struct text line)
{
    rh_psql_message_line(context, line);
}

static enum err_code run_psql(struct sandbox *sandbox, const char *psql, const char *path,
                              struct err *err)
{
    struct psql_messages messages;
    struct process process = PROCESS_INIT;
    enum err_code code;
    /* "-" alone would be standard input. */
    const char *file = path[0] == '-' ? rh_arena_printf(sandbox->arena, "./%s", path) : path;
    const char *const argv[] = {
        psql, "-X", "-q", "-v", "ON_ERROR_STOP=1", "-v", "VERBOSITY=verbose", "-f", file, NULL};
    struct client_run run = {
        .argv = argv, .stdin_fd = -1, .stderr_line = on_error_line, .context = &messages};

    rh_psql_message_init(&messages, sandbox);
    if ((code = rh_client_run(sandbox, &run, &process, err)))
        return code;
    if (process.status == 0)
        return RH_OK;
    return rh_psql_message_error(&messages, path, &process, err);
}

enum err_code rh_load_schema(struct sandbox *sandbox, const char *path, struct err *err)
{
    struct sql_needs needs = {.arena = sandbox->arena};
    bool is_dump = false;
    int64_t bytes = 0;
    const char *psql;
    enum err_code code;

    RH_ASSERT(!sandbox->is_ready);
    if ((code = examine(path, &needs, &is_dump, &bytes, err)))
        return code;
    if (is_dump)
        return rh_load_dump(sandbox, path, true, err);
    if (!(psql = rh_client_find(sandbox, "psql", err)))
        return err->code;
    rh_progress_phase(sandbox->progress, "load schema %s", path);
    if ((code = bytes > LARGE_SCHEMA_BYTES ? rh_cluster_switch(sandbox, CLUSTER_LOADING, err)
                                           : rh_cluster_ensure(sandbox, CLUSTER_PREPARING, err)) ||
        (code = rh_roles_connect(sandbox, err)) || (code = create_roles(sandbox, &needs, err)))
        return code;
    return run_psql(sandbox, psql, path, err);
}
