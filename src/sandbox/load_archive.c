#include "sandbox/load_int.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* More sessions than this only wait for the disk. */
#define JOBS_MAX 8
/* Errors shown; the first is what matters, the rest are its consequences as a rule. */
#define ERRORS_SHOWN 3
/* Objects named that a missing extension took with it. */
#define OBJECTS_NAMED 20
#define LIST_MAX ((size_t)256 * 1024 * 1024)

struct restore {
    struct load *load;
    const char *program;
    struct buf
        list; /* the archive's table of contents, lines of missing extensions commented out */
    bool is_filtered, has_subscriptions, has_security_labels;
    int64_t tables, tables_done;
    struct sql_needs needs;
    VEC(const char *) database_settings; /* ALTER DATABASE ... SET, to be run as they are */

    /* what pg_restore says */
    const char *first_line; /* of stderr, whatever it is */
    const char *entry;      /* "TABLE public.places": what the errors that follow are about */
    VEC(const char *) errors;
    int64_t error_count;
    VEC(const char *) lost; /* entries that need a missing extension */
    int64_t lost_count;
    bool is_disk_full, is_damaged, stop;
};

static const char *after(const char *line, const char *prefix)
{
    size_t len = strlen(prefix);

    return strncmp(line, prefix, len) == 0 ? line + len : NULL;
}

/* --- the table of contents -------------------------------------------------------------------- */

/* "215; 1259 16385 TABLE public users alice" -> "TABLE public users alice"; NULL for a comment. */
static const char *entry_text(const char *line)
{
    if (!isdigit((unsigned char)line[0]))
        return NULL;
    for (int field = 0; field < 3; field++) {
        line = strchr(line, ' ');
        if (!line)
            return NULL;
        line++;
    }
    return line;
}

static void on_list_line(void *context, struct text line)
{
    struct restore *restore = context;
    const char *entry = entry_text(line.data), *name = NULL;
    bool is_lost = false;

    if (entry) {
        restore->tables += after(entry, "TABLE DATA ") != NULL;
        restore->has_subscriptions |= after(entry, "SUBSCRIPTION ") != NULL;
        restore->has_security_labels |= after(entry, "SECURITY LABEL ") != NULL;
        if (!(name = after(entry, "EXTENSION - ")))
            name = after(entry, "COMMENT - EXTENSION ");
    }
    if (name) {
        /* The owner follows, empty for an extension. */
        char *alone = rh_arena_strndup(restore->load->sandbox->arena, name, strcspn(name, " "));
        is_lost = rh_load_lacks_extension(restore->load, alone);
    }
    if (is_lost) {
        restore->is_filtered = true;
        rh_buf_add_char(&restore->list, ';');
    }
    rh_buf_add_text(&restore->list, line);
    rh_buf_add_char(&restore->list, '\n');
}

static void on_first_line(void *context, struct text line)
{
    struct restore *restore = context;

    if (!restore->first_line && line.len)
        restore->first_line = rh_text_dup(restore->load->sandbox->arena, line);
}

/* "pg_restore (PostgreSQL) 15.18 (Debian 15.18-0)" -> "15.18" */
static const char *program_version(struct restore *restore)
{
    struct arena *arena = restore->load->sandbox->arena;
    const char *const argv[] = {restore->program, "--version", NULL};
    struct process_options options = {
        .argv = argv, .stdin_fd = -1, .stdout_fd = -1, .stderr_fd = -1};
    struct process process = PROCESS_INIT;
    struct text output, errors;
    struct err ignored = RH_ERR_INIT;

    if (rh_process_run(&options, rh_clock_after(rh_clock_mono(), 10 * INT64_C(1000000)), 4096,
                       arena, &process, &output, &errors, &ignored))
        return "?";
    const char *at = strstr(output.data, ") ");
    return at ? rh_arena_strndup(arena, at + 2, strcspn(at + 2, " \r\n")) : "?";
}

static enum err_code cannot_read(struct restore *restore, struct err *err)
{
    const struct load *load = restore->load;
    const char *words = restore->first_line ? restore->first_line : "";
    const char *stripped = after(words, "pg_restore: error: ");

    if (strstr(words, "unsupported version")) {
        rh_err_set(err, RH_ERR_FORMAT,
                   "\"%s\" is an archive of version %d.%d, written by pg_dump %s: newer than "
                   "pg_restore %s can read",
                   load->path, load->file.archive_major, load->file.archive_minor,
                   load->file.dump_version ? load->file.dump_version : "of a later version",
                   program_version(restore));
        rh_err_hint(err, "Install a newer client (Debian, Ubuntu: apt-get install "
                         "postgresql-client-N).");
        return err->code;
    }
    rh_err_set(err, RH_ERR_FORMAT, "\"%s\" is truncated or damaged", load->path);
    rh_err_detail(err, "pg_restore: %s", stripped ? stripped : words);
    return err->code;
}

static enum err_code read_list(struct restore *restore, struct err *err)
{
    struct load *load = restore->load;
    const char *const argv[] = {restore->program, "--list", load->archive, NULL};
    struct client_run run = {.argv = argv,
                             .stdin_fd = -1,
                             .stdout_line = on_list_line,
                             .stderr_line = on_first_line,
                             .context = restore};
    struct process process = PROCESS_INIT;
    enum err_code code = rh_client_run(load->sandbox, &run, &process, err);

    if (code)
        return code;
    if (process.status != 0)
        return cannot_read(restore, err);
    return load->manifest ? rh_snapshot_own_check_tables(load->snapshot, load->manifest,
                                                         rh_buf_text(&restore->list), err)
                          : RH_OK;
}

/* --- roles, database -------------------------------------------------------------------------- */

static enum sql_action on_statement(void *context, const struct sql_statement *statement)
{
    struct restore *restore = context;
    struct load *load = restore->load;

    rh_sql_needs_add(&restore->needs, statement);
    if (rh_sql_starts_with(statement, "create", "database"))
        rh_load_read_database(load, statement);
    if (rh_sql_starts_with(statement, "alter", "database") && statement->count > 3 &&
        statement->tokens[3].kind == SQL_WORD && strcmp(statement->tokens[3].text, "set") == 0)
        *RH_PUSH(load->sandbox->arena,
                 &restore->database_settings) = rh_text_dup(load->sandbox->arena, statement->text);
    if (rh_sql_starts_with(statement, "set", "default_tablespace") && statement->count > 3 &&
        statement->tokens[3].text[0])
        rh_load_note_once(load, &load->noted_tablespaces, NOTE_TABLESPACES);
    return SQL_KEEP;
}

struct schema_text {
    struct restore *restore;
    struct sql_scan *scan;
};

static void on_schema_line(void *context, struct text line)
{
    struct schema_text *text = context;

    rh_sql_scan_feed(text->scan, line, NULL);
    rh_sql_scan_feed(text->scan, TEXT_LITERAL("\n"), NULL);
}

static void on_schema_error(void *context, struct text line)
{
    struct schema_text *text = context;

    on_first_line(text->restore, line);
}

/* The schema as SQL: the only place where every role it names appears. */
static enum err_code read_schema(struct restore *restore, struct err *err)
{
    struct load *load = restore->load;
    const char *const argv[] = {restore->program, "--create",    "--schema-only",
                                "--file=-",       load->archive, NULL};
    RH_CLEANUP_SQL_SCAN struct sql_scan *scan = rh_sql_scan_new(on_statement, restore);
    struct schema_text text = {restore, scan};
    struct client_run run = {.argv = argv,
                             .stdin_fd = -1,
                             .stdout_line = on_schema_line,
                             .stderr_line = on_schema_error,
                             .context = &text};
    struct process process = PROCESS_INIT;
    enum err_code code;

    restore->first_line = NULL;
    if ((code = rh_client_run(load->sandbox, &run, &process, err)))
        return code;
    rh_sql_scan_end(scan, NULL);
    return process.status == 0 ? RH_OK : cannot_read(restore, err);
}

static enum err_code prepare(struct restore *restore, struct err *err)
{
    struct load *load = restore->load;
    struct name_list roles = {0};
    enum err_code code;

    if ((code = rh_roles_prepare_database(load->sandbox, load->database, load->locale, err)))
        return code;
    for (size_t i = 0; i < restore->needs.roles.count; i++)
        *RH_PUSH(load->sandbox->arena, &roles.names) = restore->needs.roles.items[i];
    if ((code = rh_roles_create_missing(load->sandbox, &roles, err)) ||
        (code = rh_roles_raise(load->sandbox, &restore->needs, err)))
        return code;
    rh_roles_note_created(load->sandbox, "named by the snapshot");
    return RH_OK;
}

/* Of the whole database; the archive carries them, pg_restore sets them with --create alone. */
static enum err_code keep_settings(struct restore *restore, struct err *err)
{
    struct sandbox *sandbox = restore->load->sandbox;
    enum err_code code;

    for (size_t i = 0; i < restore->database_settings.count; i++) {
        struct err refused = RH_ERR_INIT;
        code = rh_roles_query(sandbox, restore->database_settings.items[i], NULL, 0, NULL,
                              &refused);
        if (code == RH_ERR_SERVER) {
            rh_sandbox_note(sandbox, "a setting of the snapshot's database could not be kept: %s",
                            refused.message);
        } else if (code) {
            *err = refused;
            return code;
        }
    }
    return RH_OK;
}

/* --- pg_restore's words ----------------------------------------------------------------------- */

/* A consequence of an extension that is not there: something of it, or something that needed that.
 */
static bool is_consequence(const struct restore *restore, const char *message)
{
    return restore->load->missing.count > 0 &&
           (strstr(message, " does not exist") || strstr(message, "is not available"));
}

/* What every restore may meet: the schema that initdb made, a setting that only a newer server has.
 */
static bool is_harmless(const char *message)
{
    return strstr(message, "schema \"public\" already exists") ||
           strstr(message, "unrecognized configuration parameter \"transaction_timeout\"");
}

static bool is_damage(const char *message)
{
    static const char *const words[] = {
        "could not read from input file",
        "could not open input file",
        "unexpected end of file",
        "could not uncompress data",
        "found unexpected block ID",
        "could not find block ID",
        "could not find header for file",
        "corrupt tar header",
        "could not decompress data",
        "could not seek",
        "incomplete tar header",
        "could not close data file",
        "could not find file",
        "unexpected data offset flag",
    };

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (strstr(message, words[i]))
            return true;
    return false;
}

/* What a function of a constraint or an index needs and is not there when rows are read. */
static const char *missing_object(struct arena *arena, const char *message)
{
    static const char *const kinds[] = {"relation \"", "function ", "type \"", "schema \""};
    const char *said = after(message, "ERROR:  ");
    size_t length = strcspn(said ? said : message, "\n");

    said = said ? said : message;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (strncmp(said, kinds[i], strlen(kinds[i])) == 0 &&
            memmem(said, length, " does not exist", strlen(" does not exist")))
            return rh_arena_printf(arena, "%.*s", (int)length, said);
    return NULL;
}

const char *rh_load_words_without_values(struct arena *arena, const char *message)
{
    static const char *const words[] = {
        "invalid input syntax",
        "value too long",
        "out of range",
        "numeric field overflow",
        "invalid byte sequence",
        "unsupported Unicode escape sequence",
        "null value in column",
        "violates check constraint",
        "violates unique constraint",
        "violates foreign key constraint",
        "violates exclusion constraint",
        "no partition of relation",
        "could not create unique index",
        "is violated by some row",
        "contains null values",
        "missing data for column",
        "extra data after last expected column",
        "permission denied",
        "does not exist",
        "out of memory",
        "index row size",
    };

    const char *missing = missing_object(arena, message);
    if (missing)
        return missing;
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (strstr(message, words[i]))
            return words[i];
    return "the server refuses a row";
}

/* Where rows are read, the server's words quote them, and they may be clear: an import is masked
   only once it is restored. pg_restore gives no SQLSTATE to tell by. */
static const char *without_values(const struct restore *restore, const char *message)
{
    static const char *const entries[] = {
        "TABLE DATA ", "MATERIALIZED VIEW DATA ", "INDEX ",
        "CONSTRAINT ", "CHECK CONSTRAINT ",       "FK CONSTRAINT "};
    const char *server = strstr(message, "ERROR:  ");
    bool reads_rows = after(message, "COPY failed") != NULL;

    for (size_t i = 0; i < sizeof(entries) / sizeof(entries[0]) && restore->entry; i++)
        reads_rows |= after(restore->entry, entries[i]) != NULL;
    return server && reads_rows
               ? rh_arena_printf(
                     restore->load->sandbox->arena, "%.*s%s", (int)(server - message), message,
                     rh_load_words_without_values(restore->load->sandbox->arena, server))
               : message;
}

static void on_error(struct restore *restore, const char *message)
{
    struct arena *arena = restore->load->sandbox->arena;

    if (rh_cluster_says_disk_full(message)) {
        restore->is_disk_full = restore->stop = true;
        return;
    }
    if (is_harmless(message))
        return;
    if (is_consequence(restore, message)) {
        message = without_values(restore, message);
        if (restore->lost_count++ < OBJECTS_NAMED)
            *RH_PUSH(arena, &restore->lost) = restore->entry ? restore->entry
                                                             : rh_arena_strdup(arena, message);
        return;
    }
    restore->is_damaged |= is_damage(message);
    message = without_values(restore, message);
    if (restore->error_count++ < ERRORS_SHOWN)
        *RH_PUSH(arena, &restore->errors) = restore->entry
                                                ? rh_arena_printf(arena, "%s: %s", restore->entry,
                                                                  message)
                                                : rh_arena_strdup(arena, message);
}

/* "212; 1259 16390 TABLE places alice" lacks the schema that the table of contents names. */
static const char *full_entry(struct restore *restore, const char *told)
{
    struct arena *arena = restore->load->sandbox->arena;
    const char *line = restore->list.data ? strstr(restore->list.data,
                                                   rh_arena_printf(arena, "\n%.*s ",
                                                                   (int)strcspn(told, " "), told))
                                          : NULL;
    const char *entry = entry_text(line ? line + 1 : told);

    return entry ? rh_arena_strndup(arena, entry, strcspn(entry, "\n"))
                 : rh_arena_strdup(arena, told);
}

static void show_progress(const struct restore *restore)
{
    rh_progress_at(restore->load->sandbox->progress, "%lld of %lld tables",
                   (long long)restore->tables_done, (long long)restore->tables);
}

static void on_restore_line(void *context, struct text line)
{
    struct restore *restore = context;
    const char *words = after(line.data, "pg_restore: "), *at;

    if (!words) {
        /* The server's own lines: DETAIL, LINE 1, "Command was". */
        if (rh_cluster_says_disk_full(line.data))
            restore->is_disk_full = restore->stop = true;
        return;
    }
    if ((at = after(words, "from TOC entry "))) {
        restore->entry = full_entry(restore, at);
    } else if ((at = after(words, "error: "))) {
        on_error(restore, at);
    } else if (after(words, "processing data for table ")) {
        restore->tables_done++;
        show_progress(restore);
    }
}

static enum err_code write_list(struct restore *restore, const char *path, struct err *err)
{
    RH_CLEANUP_FD int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);

    if (restore->list.failed)
        return rh_err_set(err, RH_ERR_LIMIT, "the table of contents of \"%s\" is too large",
                          restore->load->path);
    if (fd < 0 || write(fd, restore->list.data, restore->list.len) != (ssize_t)restore->list.len)
        return rh_err_set_errno(err, errno, "cannot write \"%s\"", path);
    return RH_OK;
}

/* dbname='app' as libpq wants it: quotes and backslashes escaped. */
static const char *connection_text(struct arena *arena, const char *database)
{
    char *quoted = rh_arena_alloc(arena, strlen(database) * 2 + 1), *at = quoted;

    for (; *database; database++) {
        if (*database == '\'' || *database == '\\')
            *at++ = '\\';
        *at++ = *database;
    }
    return rh_arena_printf(arena, "--dbname=dbname='%s'", quoted);
}

static enum err_code run_restore(struct restore *restore, struct process *ret_process,
                                 struct err *err)
{
    struct load *load = restore->load;
    struct arena *arena = load->sandbox->arena;
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    long jobs = processors > JOBS_MAX ? JOBS_MAX : processors;
    const char *list = rh_file_join(arena, load->sandbox->directory, "snapshot.list");
    VEC(const char *) argv = {0};
    enum err_code code = RH_OK;

#define ARGUMENT(text) (*RH_PUSH(arena, &argv) = (text))
    ARGUMENT(restore->program);
    ARGUMENT("--verbose");
    ARGUMENT("--no-password");
    ARGUMENT("--no-tablespaces");
    ARGUMENT(connection_text(arena, load->sandbox->database));
    if (restore->has_subscriptions) {
        ARGUMENT("--no-subscriptions");
        rh_load_note_once(load, &load->noted_subscriptions, NOTE_SUBSCRIPTIONS);
    }
    if (restore->has_security_labels) {
        ARGUMENT("--no-security-labels");
        rh_sandbox_note(load->sandbox, "security labels of the snapshot are left out");
    }
    if (jobs > 1 && load->file.kind != SNAPSHOT_TAR) /* tar cannot be read in parallel */
        ARGUMENT(rh_arena_printf(arena, "--jobs=%ld", jobs));
    if (restore->is_filtered) {
        ARGUMENT(rh_arena_printf(arena, "--use-list=%s", list));
        code = write_list(restore, list, err);
    }
    ARGUMENT(load->archive);
    ARGUMENT(NULL);
#undef ARGUMENT
    struct client_run run = {.argv = argv.items,
                             .stdin_fd = -1,
                             .stderr_line = on_restore_line,
                             .context = restore,
                             .stop = &restore->stop};
    if (!code)
        code = rh_client_run(load->sandbox, &run, ret_process, err);
    unlink(list);
    return code;
}

/* --- the outcome ------------------------------------------------------------------------------ */

static void note_lost(struct restore *restore)
{
    struct arena *arena = restore->load->sandbox->arena;
    char *names = rh_arena_strdup(arena, "");

    for (size_t i = 0; i < restore->lost.count; i++)
        names = rh_arena_printf(arena, "%s%s%s", names, i ? ", " : "", restore->lost.items[i]);
    rh_sandbox_note(restore->load->sandbox, "not restored without extension %s: %s%s",
                    rh_load_missing_text(restore->load), names,
                    restore->lost_count > OBJECTS_NAMED ? ", and more" : "");
}

static enum err_code judge(struct restore *restore, const struct process *process, struct err *err)
{
    struct load *load = restore->load;
    const char *reason;
    enum err_code code;

    if (restore->is_disk_full)
        return rh_cluster_disk_full(load->sandbox, err);
    if (process->status != 0 && (code = rh_cluster_check_disk(load->sandbox, err)))
        return code;
    if (rh_sandbox_has_crashed(load->sandbox, &reason))
        return rh_err_set(err, RH_ERR_SERVER, "the sandbox server crashed: %s", reason);
    if (restore->error_count == 0 && (process->status == 0 || restore->lost_count > 0)) {
        if (restore->lost_count)
            note_lost(restore);
        return RH_OK;
    }
    if (restore->is_damaged) {
        rh_err_set(err, RH_ERR_FORMAT, "\"%s\" is truncated or damaged", load->path);
    } else if (restore->error_count == 0) {
        char status[48];
        return rh_err_set(err, RH_ERR_FORMAT, "pg_restore ended with %s",
                          rh_process_status_text(process, status));
    } else {
        rh_err_set(err, RH_ERR_FORMAT, "\"%s\" cannot be restored: %lld %s", load->path,
                   (long long)restore->error_count, restore->error_count == 1 ? "error" : "errors");
    }
    RH_CLEANUP_BUF struct buf detail;
    rh_buf_init(&detail, sizeof(err->detail) - 1);
    for (size_t i = 0; i < restore->errors.count; i++)
        rh_buf_printf(&detail, "%s%s", i ? "\n" : "", restore->errors.items[i]);
    if (detail.len)
        rh_err_detail(err, "%s", detail.data);
    return err->code;
}

enum err_code rh_load_archive(struct load *load, struct err *err)
{
    struct restore restore = {.load = load, .needs = {.arena = load->sandbox->arena}};
    struct process process = PROCESS_INIT;
    enum err_code code;

    if ((code = rh_archive_check(load, err)))
        return code;
    restore.program = rh_client_find(load->sandbox, "pg_restore", err);
    if (!restore.program)
        return err->code;
    rh_buf_init(&restore.list, LIST_MAX);
    if (!(code = read_list(&restore, err)) && !(code = read_schema(&restore, err)) &&
        !(code = prepare(&restore, err))) {
        rh_progress_phase(load->sandbox->progress, "restore %s", load->path);
        if (!(code = run_restore(&restore, &process, err)) &&
            !(code = judge(&restore, &process, err)))
            code = keep_settings(&restore, err);
    }
    rh_buf_deinit(&restore.list);
    return code;
}
