#include "sandbox/sandbox_int.h"

#include "base/quote.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define CONFIGURATION_MAX ((size_t)256 * 1024)
#define CHECK_TIMEOUT_US (30 * INT64_C(1000000))
#define CHECK_OUTPUT_MAX ((size_t)1024 * 1024) /* postgres --describe-config is 60 kB */

/*
 * Ours: where the server listens and logs, who may enter, and what could lead out of the sandbox. A
 * name that ends in '*' stands for all that begin so. Refused in --set.
 */
static const char *const ours[] = {
    "listen_addresses",
    "port",
    "unix_socket_*",
    "data_directory",
    "hba_file",
    "ident_file",
    "config_file",
    "external_pid_file",
    "log_*",
    "logging_collector",
    "syslog_*",
    "event_source",
    "lc_messages",
    "cluster_name",
    "archive_*",
    "restore_command",
    "recovery_*",
    "primary_*",
    "max_logical_replication_workers",
    "event_triggers",
    "restart_after_crash",
    "password_encryption",
    "superuser_reserved_connections",
    "auto_explain.*",
    "ssl",
    "ssl_*",
    "krb_*",
    "bonjour*",
    "include",
    "include_dir",
    "include_if_exists",
    "allow_alter_system",
    "ignore_system_indexes",
};

/*
 * 97 connections remain for users, as in a stock server (100 and 3): ours are the reserved ones.
 * Every reading of locks goes through the whole table of predicate locks, as large as 64 for each
 * connection make it: half of the 41 us that pg_lock_status() takes on 15. 12 (1500 in all, for
 * SERIALIZABLE transactions alone) leave 20 us; when many such locks become one of the whole
 * relation stays as it is by default (64 / 2).
 */
static const char always[] = "listen_addresses = ''\n"
                             "port = 5432\n"
                             "unix_socket_permissions = 0700\n"
                             "max_connections = 110\n"
                             "superuser_reserved_connections = 13\n"
                             "max_pred_locks_per_transaction = 12\n"
                             "max_pred_locks_per_relation = 32\n"
                             "password_encryption = 'scram-sha-256'\n"
                             "timezone = 'UTC'\n"
                             "log_timezone = 'UTC'\n"
                             "lc_messages = 'C'\n"
                             "log_destination = 'stderr'\n"
                             "logging_collector = off\n"
                             "log_line_prefix = '@RH %p %e %m|'\n"
                             "log_error_verbosity = default\n"
                             "log_checkpoints = off\n"
                             "log_temp_files = 0\n"
                             "archive_mode = off\n"
                             "max_logical_replication_workers = 0\n";

/* Manual, "Populating a Database" and "Non-Durable Settings": a crash costs a sandbox nothing.
   These a reload changes back ... */
static const char preparing[] = "log_min_messages = warning\n"
                                "fsync = off\n"
                                "full_page_writes = off\n"
                                "synchronous_commit = off\n"
                                "autovacuum = off\n"
                                "session_preload_libraries = ''\n";
/* ... these a restart. */
static const char loading[] = "wal_level = minimal\n"
                              "max_wal_senders = 0\n"
                              "checkpoint_timeout = 1h\n";

/*
 * DEBUG1 is where the server says "rewriting table" and "building index". auto_explain shows
 * statements inside functions that took 1 ms and more; at DEBUG1 so that a client sees them only if
 * it asks for DEBUG1 itself.
 */
static const char running[] = "log_min_messages = debug1\n";
static const char explaining[] = "session_preload_libraries = 'auto_explain'\n"
                                 "auto_explain.log_min_duration = 1\n"
                                 "auto_explain.log_nested_statements = on\n"
                                 "auto_explain.log_analyze = off\n"
                                 "auto_explain.log_format = 'json'\n"
                                 "auto_explain.log_level = 'debug1'\n";

/* Only where a large file system has room for it: the default elsewhere. */
#define LARGE_WAL_FREE_BYTES (INT64_C(40) << 30)
#define MAINTENANCE_MEMORY_MAX (INT64_C(512) << 20)
#define SHARED_BUFFERS_MAX (INT64_C(1) << 30)

static bool matches(const char *pattern, const char *name)
{
    size_t len = strlen(pattern);

    if (pattern[len - 1] == '*')
        return strncasecmp(pattern, name, len - 1) == 0;
    return strcasecmp(pattern, name) == 0;
}

/* 'text' as postgresql.conf wants it: quotes doubled, backslashes too. */
static void add_quoted(struct buf *out, const char *value)
{
    rh_buf_add_char(out, '\'');
    for (; *value; value++) {
        if (*value == '\'' || *value == '\\')
            rh_buf_add_char(out, *value);
        rh_buf_add_char(out, *value);
    }
    rh_buf_add_char(out, '\'');
}

static void add_load_sizes(const struct sandbox *sandbox, struct buf *out)
{
    int64_t memory = (int64_t)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE);
    int64_t maintenance = memory / 32 < MAINTENANCE_MEMORY_MAX ? memory / 32
                                                               : MAINTENANCE_MEMORY_MAX;
    int64_t buffers = memory / 8 < SHARED_BUFFERS_MAX ? memory / 8 : SHARED_BUFFERS_MAX;
    struct statvfs space;

    /* Never below the server's own defaults of 64 MB and 128 MB. */
    if (maintenance > INT64_C(64) << 20)
        rh_buf_printf(out, "maintenance_work_mem = %lldkB\n", (long long)(maintenance >> 10));
    if (buffers > INT64_C(128) << 20)
        rh_buf_printf(out, "shared_buffers = %lldkB\n", (long long)(buffers >> 10));
    if (statvfs(sandbox->directory, &space) == 0 &&
        (int64_t)space.f_bavail * (int64_t)space.f_frsize > LARGE_WAL_FREE_BYTES)
        rh_buf_add_str(out, "max_wal_size = 4GB\n");
}

static enum err_code write_file(const char *path, const struct sandbox *sandbox, struct text text,
                                struct err *err)
{
    RH_CLEANUP_FD int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);

    if (fd < 0)
        return rh_err_set_errno(err, errno, "cannot write \"%s\"", path);
    if (write(fd, text.data, text.len) != (ssize_t)text.len)
        return errno == ENOSPC ? rh_cluster_disk_full(sandbox, err)
                               : rh_err_set_errno(err, errno, "cannot write \"%s\"", path);
    if (sandbox->drops_privileges && fchown(fd, sandbox->uid, sandbox->gid) != 0)
        return rh_err_set_errno(err, errno, "cannot give \"%s\" to user \"%s\"", path,
                                sandbox->user_name);
    return RH_OK;
}

/*
 * rehearse.conf, included by postgresql.conf: later lines win. What initdb found out about the
 * machine stays in postgresql.conf; production's settings belong between `running` and --set.
 */
enum err_code rh_settings_write(struct sandbox *sandbox, enum cluster_mode mode, struct err *err)
{
    struct arena *arena = sandbox->arena;
    enum err_code code;
    RH_CLEANUP_BUF struct buf out;

    rh_buf_init(&out, CONFIGURATION_MAX);
    rh_buf_add_str(&out, always);
    rh_buf_add_str(&out, "unix_socket_directories = ");
    /* A list: each directory may be quoted on its own. */
    add_quoted(&out, rh_quote_name(arena, sandbox->socket_directory));
    rh_buf_add_char(&out, '\n');
    if (sandbox->hba_path) {
        rh_buf_add_str(&out, "hba_file = ");
        add_quoted(&out, sandbox->hba_path);
        rh_buf_add_char(&out, '\n');
    }
    rh_buf_add_str(&out, running);
    if (sandbox->has_auto_explain)
        rh_buf_add_str(&out, explaining);
    for (size_t i = 0; i < sandbox->production.count; i++) {
        rh_buf_printf(&out, "%s = ", sandbox->production.items[i].name);
        add_quoted(&out, sandbox->production.items[i].value);
        rh_buf_add_char(&out, '\n');
    }
    for (size_t i = 0; i < sandbox->setting_count; i++) {
        rh_buf_printf(&out, "%s = ", sandbox->settings[i].name);
        add_quoted(&out, sandbox->settings[i].value);
        rh_buf_add_char(&out, '\n');
    }
    if (mode != CLUSTER_RUNNING)
        rh_buf_add_str(&out, preparing);
    if (mode == CLUSTER_LOADING) {
        rh_buf_add_str(&out, loading);
        add_load_sizes(sandbox, &out);
    }
    if (out.failed)
        return rh_err_set(err, RH_ERR_LIMIT, "the settings are larger than %zu bytes",
                          CONFIGURATION_MAX);
    /* An overlay is there once the server is: its own files lie above those of the base. */
    const char *own = sandbox->overlay ? sandbox->overlay->upper : sandbox->data_directory;
    if ((code = write_file(rh_file_join(arena, own, "rehearse.conf"), sandbox, rh_buf_text(&out),
                           err)))
        return code;
    if (sandbox->base)
        return RH_OK; /* whose postgresql.conf has it */

    const char *main_path = rh_file_join(arena, sandbox->data_directory, "postgresql.conf");
    static const char include[] = "\ninclude 'rehearse.conf'\n";
    struct text text;
    if ((code = rh_file_read(main_path, CONFIGURATION_MAX, arena, &text, err)))
        return code;
    if (rh_text_ends_with(text, include))
        return RH_OK;
    return write_file(main_path, sandbox,
                      rh_text(rh_arena_printf(arena, "%s%s", text.data, include)), err);
}

/* --- checks of --set -------------------------------------------------------------------------- */

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Levenshtein's edit distance, letter case aside. */
static size_t edit_distance(const char *a, const char *b)
{
    size_t row[65];
    size_t width = strlen(b);

    if (width > 64 || strlen(a) > 64)
        return SIZE_MAX;
    for (size_t k = 0; k <= width; k++)
        row[k] = k;
    for (size_t i = 0; a[i]; i++) {
        size_t diagonal = row[0];
        row[0] = i + 1;
        for (size_t k = 0; k < width; k++) {
            bool same = tolower((unsigned char)a[i]) == tolower((unsigned char)b[k]);
            size_t above = row[k + 1];
            row[k + 1] = least(least(row[k + 1], row[k]) + 1, diagonal + (same ? 0 : 1));
            diagonal = above;
        }
    }
    return row[width];
}

/* The known setting nearest to `name`, NULL when none is near. */
static const char *closest_setting(struct sandbox *sandbox, const char *name)
{
    struct arena *arena = sandbox->arena;
    const char *const argv[] = {rh_file_join(arena, sandbox->server.bin_directory, "postgres"),
                                "--describe-config", NULL};
    struct process_options options = rh_cluster_process_options(sandbox, argv);
    struct process process = PROCESS_INIT;
    struct err ignored = RH_ERR_INIT;
    struct text output, errors;
    const char *best = NULL;
    size_t best_distance = strlen(name) / 3 + 2;

    if (rh_process_run(&options, rh_clock_after(rh_clock_mono(), CHECK_TIMEOUT_US),
                       CHECK_OUTPUT_MAX, arena, &process, &output, &errors, &ignored))
        return NULL;
    /* One setting a line, the name before the first tab. */
    char *rest = rh_text_dup(arena, output);
    for (char *line; (line = strsep(&rest, "\n"));) {
        line[strcspn(line, "\t")] = 0;
        size_t distance = *line ? edit_distance(name, line) : SIZE_MAX;
        if (distance < best_distance) {
            best_distance = distance;
            best = line;
        }
    }
    return best;
}

static bool is_name(const char *name)
{
    if (!isalpha((unsigned char)name[0]) && name[0] != '_')
        return false;
    for (; *name; name++)
        if (!isalnum((unsigned char)*name) && !strchr("_.$", *name))
            return false;
    return true;
}

static enum err_code check_names(const struct sandbox *sandbox, struct err *err)
{
    for (size_t i = 0; i < sandbox->setting_count; i++) {
        const struct server_setting *setting = &sandbox->settings[i];
        if (!is_name(setting->name))
            return rh_err_set(err, RH_ERR_USAGE, "\"%s\" is no name of a setting", setting->name);
        if (strpbrk(setting->value, "\r\n"))
            return rh_err_set(err, RH_ERR_USAGE, "the value of setting \"%s\" holds a line feed",
                              setting->name);
        for (size_t k = 0; k < sizeof(ours) / sizeof(ours[0]); k++)
            if (matches(ours[k], setting->name)) {
                rh_err_set(err, RH_ERR_USAGE,
                           "setting \"%s\" cannot be changed: the sandbox depends on it",
                           setting->name);
                return err->code;
            }
    }
    return RH_OK;
}

/* The server's own words: what follows "LOG:  " in its first complaint, and a hint. */
static enum err_code refuse(struct sandbox *sandbox, struct text errors, struct err *err)
{
    static const char unknown[] = "unrecognized configuration parameter \"";
    struct arena *arena = sandbox->arena;
    char *rest = rh_text_dup(arena, errors);
    const char *complaint = NULL, *hint = NULL;

    for (char *line; (line = strsep(&rest, "\n"));) {
        char *at;
        if (!complaint && ((at = strstr(line, "LOG:  ")) || (at = strstr(line, "FATAL:  "))))
            complaint = strchr(at, ' ') + 2;
        else if (complaint && !hint && (at = strstr(line, "HINT:  ")))
            hint = at + strlen("HINT:  ");
    }
    if (!complaint)
        return rh_err_set(err, RH_ERR_USAGE, "the server refuses the settings given");
    if (strncmp(complaint, unknown, strlen(unknown)) == 0) {
        char *name = rh_arena_strdup(arena, complaint + strlen(unknown));
        name[strcspn(name, "\"")] = 0;
        const char *closest = closest_setting(sandbox, name);
        rh_err_set(err, RH_ERR_USAGE, "PostgreSQL %s has no setting \"%s\"",
                   sandbox->server.version, name);
        if (closest)
            rh_err_hint(err, "Did you mean \"%s\"?", closest);
        return err->code;
    }
    rh_err_set(err, RH_ERR_USAGE, "%s", complaint);
    if (hint)
        rh_err_hint(err, "%s", hint);
    return err->code;
}

enum err_code rh_settings_check(struct sandbox *sandbox, struct err *err)
{
    enum err_code code;

    if (sandbox->setting_count == 0)
        return RH_OK;
    if ((code = check_names(sandbox, err)))
        return code;
    return rh_settings_try(sandbox, err);
}

enum err_code rh_settings_try(struct sandbox *sandbox, struct err *err)
{
    struct arena *arena = sandbox->arena;
    struct process process = PROCESS_INIT;
    struct text output, errors;
    enum err_code code;

    if ((code = rh_settings_write(sandbox, CLUSTER_RUNNING, err)))
        return code;
    /* -C reads the configuration as a start would, prints one value and ends (manual, "postgres").
     */
    const char *const argv[] = {rh_file_join(arena, sandbox->server.bin_directory, "postgres"),
                                "-D",
                                sandbox->data_directory,
                                "-C",
                                "data_directory",
                                NULL};
    struct process_options options = rh_cluster_process_options(sandbox, argv);
    if ((code = rh_process_run(&options, rh_clock_after(rh_clock_mono(), CHECK_TIMEOUT_US),
                               CHECK_OUTPUT_MAX, arena, &process, &output, &errors, err)))
        return code;
    return process.status == 0 ? RH_OK : refuse(sandbox, errors, err);
}
