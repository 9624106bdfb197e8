/*
 * Production's settings, as far as they decide how statements behave or are planned and can be had
 * here. Those of the server go into the sandbox's configuration, before what --set says; those of
 * roles onto the roles. What is said of files, networks, logs and replicas tells where production
 * runs, not how statements do: it is counted, the rest of what is not kept is named with the
 * reason.
 *
 * Settings of the database come with the archive.
 */
#include "sandbox/sandbox_int.h"

#include "base/quote.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <unistd.h>

/* A value longer than this is a list nobody reads in a report. */
#define VALUE_SHOWN 80
/* As the catalogue has a value that may be a secret. */
#define HIDDEN_VALUE "(not shown)"
/* Each costs the start of a process (20 ms). */
#define REFUSALS_MAX 32

/* Where and how production runs. A '*' at the end stands for all that begin so. */
static const char *const elsewhere[] = {
    "allow_*",
    "application_name",
    "archive*",
    "authentication_timeout",
    "autovacuum_worker_slots",
    "block_size",
    "bonjour*",
    "client_connection_check_interval",
    "client_encoding",
    "cluster_name",
    "config_file",
    "data_checksums",
    "data_directory*",
    "data_sync_retry",
    "debug_*",
    "dynamic_library_path",
    "dynamic_shared_memory_type",
    "event_source",
    "event_triggers",
    "external_pid_file",
    "gss_*",
    "hba_file",
    "hot_standby*",
    "huge_page*",
    "ident_file",
    "ignore_*",
    "in_hot_standby",
    "integer_datetimes",
    "is_superuser",
    "krb_*",
    "lc_collate",
    "lc_ctype",
    "lc_messages",
    "listen_addresses",
    "log_*",
    "logging_collector",
    "max_files_per_process",
    "max_logical_replication_workers",
    "max_replication_slots",
    "max_wal_senders",
    "password_encryption",
    "pg_stat_statements.*",
    "port",
    "primary_*",
    "promote_trigger_file",
    "recovery_*",
    "remove_temp_files_after_crash",
    "reserved_connections",
    "restart_after_crash",
    "restore_command",
    "segment_size",
    "server_*",
    "shared_memory_*",
    "ssl*",
    "stats_temp_directory",
    "superuser_reserved_connections",
    "syslog_*",
    "tcp_*",
    "trace_*",
    "transaction_deferrable",
    "transaction_isolation",
    "transaction_read_only",
    "unix_socket_*",
    "update_process_title",
    "wal_block_size",
    "wal_consistency_checking",
    "wal_keep_*",
    "wal_receiver_*",
    "wal_retrieve_retry_interval",
    "wal_segment_size",
    "wal_sender_timeout",
    "zero_damaged_pages",
};

struct reason {
    const char *name, *why;
};
static const struct reason not_here[] = {
    {"auto_explain.*", "rehearse sets it itself"},
    {"autovacuum*_work_mem", "this machine is another"},
    {"default_tablespace", "tablespaces are left out"},
    {"fsync", "it is always on"},
    {"idle_session_timeout", "it would end the sessions that watch"},
    {"local_preload_libraries", "its libraries are not loaded here"},
    {"max_connections", "the sandbox has its own"},
    {"max_pred_locks_*", "the sandbox has its own"},
    {"session_preload_libraries", "its libraries are not loaded here"},
    {"shared_preload_libraries", "its libraries are not loaded here"},
    {"synchronous_standby_names", "the sandbox has no replica to wait for"},
    {"temp_tablespaces", "tablespaces are left out"},
    {"transaction_timeout", "it would end the sessions that watch"},
};

/* Memory, as the share of this machine's that a sandbox may take: several live at once. */
struct memory {
    const char *name;
    int share;
};
static const struct memory memory[] = {
    {"shared_buffers", 8}, {"work_mem", 8},     {"maintenance_work_mem", 8},
    {"temp_buffers", 8},   {"wal_buffers", 32}, {"logical_decoding_work_mem", 8},
    {"max_wal_size", 2},   {"min_wal_size", 8}, {"autovacuum_work_mem", 8},
};

static bool matches(const char *pattern, const char *name)
{
    const char *star = strchr(pattern, '*');
    size_t before = star ? (size_t)(star - pattern) : 0;

    if (!star)
        return strcasecmp(pattern, name) == 0;
    return strncasecmp(pattern, name, before) == 0 &&
           (!star[1] || (strlen(name) >= before + strlen(star + 1) &&
                         strcasecmp(name + strlen(name) - strlen(star + 1), star + 1) == 0));
}

static bool is_elsewhere(const char *name)
{
    for (size_t i = 0; i < sizeof(elsewhere) / sizeof(elsewhere[0]); i++)
        if (matches(elsewhere[i], name))
            return true;
    return false;
}

static int64_t machine_memory(void)
{
    return (int64_t)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE);
}

/* NULL when it may be tried. */
static const char *why_not(struct arena *arena, const struct catalog_setting *setting)
{
    char limit[24];
    int64_t bytes;

    if (!setting->value)
        return "its value is not known";
    if (strcmp(setting->value, HIDDEN_VALUE) == 0)
        return "its value may be a secret and was not read";
    if (strpbrk(setting->value, "\r\n"))
        return "its value has several lines";
    for (size_t i = 0; i < sizeof(not_here) / sizeof(not_here[0]); i++)
        if (matches(not_here[i].name, setting->name))
            return not_here[i].why;
    for (size_t i = 0; i < sizeof(memory) / sizeof(memory[0]); i++) {
        int64_t most = machine_memory() / memory[i].share;
        if (strcasecmp(memory[i].name, setting->name) != 0 ||
            !rh_bytes_parse(setting->value, &bytes) || bytes <= most)
            continue;
        rh_bytes_format(most, limit);
        return rh_arena_printf(arena, "a sandbox may take %s on this machine", limit);
    }
    if (strcasecmp(setting->name, "wal_level") == 0 && strcmp(setting->value, "minimal") == 0)
        return "a sandbox logs as a replica needs it";
    return NULL;
}

static void not_kept(struct sandbox *sandbox, const struct catalog_setting *setting,
                     const char *why)
{
    const char *value = setting->value ? setting->value : "?";

    *RH_PUSH(sandbox->arena, &sandbox->facts.settings_not_kept) = rh_arena_printf(
        sandbox->arena, "%s = %s (%s): %s", setting->name,
        rh_text_one_line(sandbox->arena, rh_text(value), VALUE_SHOWN), setting->scope, why);
}

/* --- of the server ---------------------------------------------------------------------------- */

static bool is_set_by_user(const struct sandbox *sandbox, const char *name)
{
    for (size_t i = 0; i < sandbox->setting_count; i++)
        if (strcasecmp(sandbox->settings[i].name, name) == 0)
            return true;
    return false;
}

/* The setting that the server complains about, by the name in its words; SIZE_MAX for none. */
static size_t find_refused(const struct sandbox *sandbox, const char *complaint)
{
    for (size_t i = 0; i < sandbox->production.count; i++) {
        RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
        if (strcasestr(complaint,
                       rh_arena_printf(arena, "\"%s\"", sandbox->production.items[i].name)))
            return i;
    }
    return SIZE_MAX;
}

/* Those that this server does not take are told in its own words and left out, one after the other.
 */
static enum err_code drop_refused(struct sandbox *sandbox, struct err *err)
{
    for (int i = 0; i < REFUSALS_MAX && sandbox->production.count > 0; i++) {
        struct err refused = RH_ERR_INIT;
        enum err_code code = rh_settings_try(sandbox, &refused);
        if (!code)
            return RH_OK;
        size_t at = code == RH_ERR_USAGE ? find_refused(sandbox, refused.message) : SIZE_MAX;
        if (at == SIZE_MAX && code != RH_ERR_USAGE) {
            *err = refused;
            return code;
        }
        if (at == SIZE_MAX)
            break;
        const struct server_setting *setting = &sandbox->production.items[at];
        not_kept(sandbox, &(struct catalog_setting){"server", setting->name, setting->value},
                 refused.message);
        memmove(&sandbox->production.items[at], &sandbox->production.items[at + 1],
                (sandbox->production.count - at - 1) * sizeof(sandbox->production.items[0]));
        sandbox->production.count--;
    }
    struct err refused = RH_ERR_INIT;
    if (sandbox->production.count == 0 || rh_settings_try(sandbox, &refused) == RH_OK)
        return RH_OK;
    /* In words that name none of them: better none than a server that does not start. */
    for (size_t i = 0; i < sandbox->production.count; i++)
        not_kept(sandbox,
                 &(struct catalog_setting){"server", sandbox->production.items[i].name,
                                           sandbox->production.items[i].value},
                 "this server does not take it together with the others");
    sandbox->production.count = 0;
    return RH_OK;
}

static enum err_code keep_of_server(struct sandbox *sandbox, const struct manifest *manifest,
                                    int64_t *elsewhere_count, struct err *err)
{
    struct arena *arena = sandbox->arena;

    for (size_t i = 0; i < manifest->settings.count; i++) {
        const struct catalog_setting *setting = &manifest->settings.items[i];
        const char *why;
        if (strcmp(setting->scope, "server") != 0 || is_set_by_user(sandbox, setting->name))
            continue;
        if (is_elsewhere(setting->name)) {
            ++*elsewhere_count;
        } else if ((why = why_not(arena, setting))) {
            not_kept(sandbox, setting, why);
        } else {
            *RH_PUSH(arena, &sandbox->production) = (struct server_setting){
                rh_arena_strdup(arena, setting->name), rh_arena_strdup(arena, setting->value)};
        }
    }
    return sandbox->production.count > 0 ? drop_refused(sandbox, err) : RH_OK;
}

/* --- of roles --------------------------------------------------------------------------------- */

/* The server keeps lists quoted (guc.c, GUC_LIST_QUOTE): they go back as they are. */
static bool is_quoted_list(const char *name)
{
    return strcasecmp(name, "search_path") == 0;
}

static bool is_plain_list(const char *value)
{
    for (const char *at = value; *at; at++)
        if (!isalnum((unsigned char)*at) && !strchr("_$\", .-", *at))
            return false;
    return value[0] != 0;
}

static enum err_code keep_of_role(struct sandbox *sandbox, const struct catalog_setting *setting,
                                  struct err *err)
{
    struct arena *arena = sandbox->arena;
    const char *name = setting->scope + strlen("role "), *why = why_not(arena, setting);
    const char *within = strstr(name, " in database ");
    const char *role = rh_arena_strndup(arena, name,
                                        within ? (size_t)(within - name) : strlen(name));
    struct err refused = RH_ERR_INIT;
    RH_CLEANUP_ROWS struct rows *rows = NULL;
    enum err_code code;

    if (!why && is_quoted_list(setting->name) && !is_plain_list(setting->value))
        why = "its value cannot be carried over";
    if (why) {
        not_kept(sandbox, setting, why);
        return RH_OK;
    }
    /* As regrole takes names: quoted where need be, which is how the catalogue has it. */
    if ((code = rh_roles_query(sandbox, "SELECT to_regrole($1) IS NOT NULL", &role, 1, &rows, err)))
        return code;
    if (!rh_rows_bool(rows, 0, 0))
        return RH_OK; /* owns nothing here and is granted nothing */
    const char *where = within ? rh_arena_printf(arena, " IN DATABASE %s",
                                                 rh_quote_name(arena, sandbox->database))
                               : "";
    code = rh_roles_execute(
        sandbox, &refused, "ALTER ROLE %s%s SET %s TO %s", role, where,
        rh_quote_name(arena, setting->name),
        is_quoted_list(setting->name) ? setting->value : rh_quote_literal(arena, setting->value));
    if (code == RH_ERR_SERVER) {
        not_kept(sandbox, setting, rh_arena_strdup(arena, refused.message));
        return RH_OK;
    }
    if (code)
        *err = refused;
    else
        sandbox->facts.settings_kept++;
    return code;
}

static enum err_code keep_of_roles(struct sandbox *sandbox, const struct manifest *manifest,
                                   struct err *err)
{
    enum err_code code = RH_OK;

    for (size_t i = 0; i < manifest->settings.count && !code; i++) {
        const struct catalog_setting *setting = &manifest->settings.items[i];
        if (strncmp(setting->scope, "role ", 5) == 0 && strcmp(setting->scope, "role all") != 0 &&
            !is_elsewhere(setting->name))
            code = keep_of_role(sandbox, setting, err);
    }
    return code;
}

/* --- what else is not as there ---------------------------------------------------------------- */

static const char collation_version[] = "SELECT pg_collation_actual_version(to_regcollation($1))";
static const char database_version_15[] =
    "SELECT pg_database_collation_actual_version(oid) FROM pg_database"
    " WHERE datname = current_database() AND $1::text IS NOT NULL";

static enum err_code compare_collations(struct sandbox *sandbox, const struct manifest *manifest,
                                        struct err *err)
{
    enum err_code code;

    for (size_t i = 0; i < manifest->collations.count; i++) {
        const struct catalog_collation *collation = &manifest->collations.items[i];
        bool is_database = strcmp(collation->name, "database") == 0;
        RH_CLEANUP_ROWS struct rows *rows = NULL;
        if (!collation->actual_version || (is_database && sandbox->server.major < 15))
            continue;
        if ((code = rh_roles_query(sandbox, is_database ? database_version_15 : collation_version,
                                   &collation->name, 1, &rows, err)))
            return code;
        const char *here = rh_rows_count(rows) ? rh_rows_value(rows, 0, 0) : NULL;
        if (here && strcmp(here, collation->actual_version) == 0)
            continue;
        rh_sandbox_note(sandbox,
                        "%s sorts text by %s %s in production, by %s here: what depends on the "
                        "order of text (indexes, ranges, ORDER BY) may differ",
                        is_database
                            ? "the database"
                            : rh_arena_printf(sandbox->arena, "collation %s", collation->name),
                        collation->provider ? collation->provider : "version",
                        collation->actual_version, here ? here : "another");
    }
    return RH_OK;
}

static enum err_code compare_extensions(struct sandbox *sandbox, const struct manifest *manifest,
                                        struct err *err)
{
    enum err_code code;

    for (size_t i = 0; i < manifest->extensions.count; i++) {
        const struct catalog_extension *extension = &manifest->extensions.items[i];
        RH_CLEANUP_ROWS struct rows *rows = NULL;
        if ((code = rh_roles_query(sandbox,
                                   "SELECT extversion FROM pg_extension WHERE extname = $1",
                                   &extension->name, 1, &rows, err)))
            return code;
        const char *here = rh_rows_count(rows) ? rh_rows_value(rows, 0, 0) : NULL;
        /* One that is not installed was named when it was left out. */
        if (here && extension->version && strcmp(here, extension->version) != 0)
            rh_sandbox_note(sandbox, "extension \"%s\" is %s here, %s in production",
                            extension->name, here, extension->version);
    }
    return RH_OK;
}

enum err_code rh_production_apply(struct sandbox *sandbox, const struct manifest *manifest,
                                  struct err *err)
{
    int64_t elsewhere_count = 0;
    enum err_code code;

    RH_ASSERT(!sandbox->is_ready);
    if ((code = rh_cluster_ensure(sandbox, CLUSTER_LOADING, err)) ||
        (code = rh_roles_connect(sandbox, err)) || (code = keep_of_roles(sandbox, manifest, err)) ||
        (code = compare_extensions(sandbox, manifest, err)) ||
        (code = compare_collations(sandbox, manifest, err)) ||
        (code = keep_of_server(sandbox, manifest, &elsewhere_count, err)))
        return code;
    /* ANALYZE is to gather as much as in production. */
    if (sandbox->production.count > 0 &&
        ((code = rh_settings_write(sandbox, sandbox->mode, err)) ||
         (code = rh_roles_execute(sandbox, err, "SELECT pg_reload_conf()"))))
        return code;
    sandbox->facts.settings_kept += (int64_t)sandbox->production.count;
    if (elsewhere_count > 0)
        *RH_PUSH(sandbox->arena, &sandbox->facts.settings_not_kept) = rh_arena_printf(
            sandbox->arena, "%lld of files, networks, logs and replicas: where production runs",
            (long long)elsewhere_count);
    return RH_OK;
}
