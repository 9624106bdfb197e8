#include "sandbox/sandbox_int.h"

#include "base/quote.h"
#include "sandbox/sql_scan.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* Statements of ours on an otherwise idle server; those that grow with the data have no limit but
   the run's own. */
#define STATEMENT_TIMEOUT_US (120 * INT64_C(1000000))

/* --- statements ------------------------------------------------------------------------------- */

enum err_code rh_roles_query(struct sandbox *sandbox, const char *sql,
                             const char *const *parameters, int parameter_count,
                             struct rows **ret_rows, struct err *err)
{
    return sandbox->engine->query(sandbox->connection, sql, parameters, parameter_count, RH_NEVER,
                                  ret_rows, err);
}

enum err_code rh_roles_execute(struct sandbox *sandbox, struct err *err, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    const char *sql = rh_arena_vprintf(sandbox->arena, fmt, args);
    va_end(args);
    return sandbox->engine->query(sandbox->connection, sql, NULL, 0,
                                  rh_clock_after(rh_clock_mono(), STATEMENT_TIMEOUT_US), NULL, err);
}

/* --- connections ------------------------------------------------------------------------------ */

void rh_roles_disconnect(struct sandbox *sandbox)
{
    sandbox->engine->close(sandbox->connection);
    sandbox->connection = NULL;
}

static enum err_code connect_to(struct sandbox *sandbox, const char *database, struct err *err)
{
    struct connection_parameters parameters = {
        .socket_directory = sandbox->socket_directory,
        .port = 5432,
        .user = sandbox->superuser,
        .password = sandbox->superuser_password,
        .database = database,
        .application_name = "rehearse",
    };

    rh_roles_disconnect(sandbox);
    return sandbox->engine->connect(&parameters,
                                    rh_clock_after(rh_clock_mono(), STATEMENT_TIMEOUT_US),
                                    &sandbox->connection, err);
}

struct connection_parameters rh_roles_loader(const struct sandbox *sandbox)
{
    return (struct connection_parameters){
        .socket_directory = sandbox->socket_directory,
        .port = 5432,
        .user = sandbox->loader,
        .password = sandbox->loader_password,
        .database = sandbox->database,
        .application_name = "rehearse load",
    };
}

/* Settings of our own sessions: a --set meant for the application must not stop what watches it,
   and they are not to be explained or logged in detail. */
static const char *own_settings(struct arena *arena, const char *role)
{
    static const char *const settings[] = {
        "auto_explain.log_min_duration = -1",
        "statement_timeout = 0",
        "lock_timeout = 0",
        "idle_in_transaction_session_timeout = 0",
        "log_min_messages = 'warning'",
        "default_transaction_read_only = off",
        "default_transaction_isolation = 'read committed'",
        "search_path = \"$user\", public",
        "row_security = on",
        "check_function_bodies = on",
        "standard_conforming_strings = on",
        "synchronous_commit = off",
        "jit = off",
        "client_min_messages = 'notice'",
    };
    char *sql = rh_arena_strdup(arena, "");

    for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++)
        sql = rh_arena_printf(arena, "%sALTER ROLE %s SET %s;", sql, role, settings[i]);
    return sql;
}

/* Of a random password, for a role that nobody but us connects as. */
static const char *own_secret(struct arena *arena, const char *password)
{
    unsigned char salt[SECRET_SALT_BYTES];

    if (getrandom(salt, sizeof(salt), 0) != (ssize_t)sizeof(salt))
        RH_PANIC("no random bytes: %s", strerror(errno));
    return rh_secret_verifier(arena, password, 1, salt);
}

/* First connection of all: new secrets (those of a template are known to all that were copied from
   it), and the role that loads, which is another than the owner of the system so that what it owns
   can be told and handed over. */
static enum err_code set_up_roles(struct sandbox *sandbox, struct err *err)
{
    struct arena *arena = sandbox->arena;
    const char *loader = rh_sandbox_random_name(arena, "rh_", 12);
    const char *loader_password = rh_sandbox_random_name(arena, "", 32);
    const char *password = rh_sandbox_random_name(arena, "", 32);
    const char *superuser_quoted = rh_quote_name(arena, sandbox->superuser);
    enum err_code code;

    /* One string, one transaction, one commit. */
    code = rh_roles_execute(sandbox, err,
                            "ALTER ROLE %s PASSWORD '%s'; %s"
                            "CREATE ROLE %s SUPERUSER LOGIN PASSWORD '%s'; %s",
                            superuser_quoted, own_secret(arena, password),
                            own_settings(arena, superuser_quoted), loader,
                            own_secret(arena, loader_password), own_settings(arena, loader));
    if (code)
        return code;
    sandbox->superuser_password = password;
    sandbox->loader = loader;
    sandbox->loader_password = loader_password;
    return RH_OK;
}

static enum err_code create_database(struct sandbox *sandbox, const char *name, const char *locale,
                                     struct err *err)
{
    struct arena *arena = sandbox->arena;
    const char *quoted = rh_quote_name(arena, name);
    struct err refused = RH_ERR_INIT;
    enum err_code code = RH_ERR_SERVER;

    if (locale)
        code = rh_roles_execute(
            sandbox, &refused,
            "CREATE DATABASE %s TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE %s LC_CTYPE %s",
            quoted, rh_quote_literal(arena, locale), rh_quote_literal(arena, locale));
    if (code == RH_ERR_SERVER)
        code = rh_roles_execute(sandbox, err,
                                "CREATE DATABASE %s TEMPLATE template0 ENCODING "
                                "'UTF8'",
                                quoted);
    else if (code)
        *err = refused;
    if (!code && refused.code)
        rh_sandbox_note(sandbox,
                        "locale \"%s\" of the snapshot is not installed here: text sorts by "
                        "\"%s\"",
                        locale, sandbox->locale);
    return code;
}

enum err_code rh_roles_connect(struct sandbox *sandbox, struct err *err)
{
    enum err_code code;

    if (!sandbox->connection && (code = connect_to(sandbox, sandbox->database, err)))
        return code;
    /* The migration role is there once the loader is not any more. */
    return sandbox->loader || sandbox->role ? RH_OK : set_up_roles(sandbox, err);
}

/* Names that a cluster has anyway. */
static bool is_standard_database(const char *name)
{
    return strcmp(name, "postgres") == 0 || strcmp(name, "template0") == 0 ||
           strcmp(name, "template1") == 0;
}

enum err_code rh_roles_prepare_database(struct sandbox *sandbox, const char *name,
                                        const char *locale, struct err *err)
{
    enum err_code code;

    if (sandbox->has_loaded || (!name && !locale))
        return rh_roles_connect(sandbox, err);
    if (!name)
        name = DATABASE_NAME;
    if ((code = connect_to(sandbox, "postgres", err)))
        return code;
    if (!sandbox->loader && (code = set_up_roles(sandbox, err)))
        return code;
    const char *quoted = rh_quote_name(sandbox->arena, sandbox->database);
    bool may_rename = !is_standard_database(sandbox->database) && !is_standard_database(name) &&
                      (!locale || strcmp(locale, sandbox->locale) == 0);
    if (may_rename && strcmp(name, sandbox->database) != 0)
        code = rh_roles_execute(sandbox, err, "ALTER DATABASE %s RENAME TO %s", quoted,
                                rh_quote_name(sandbox->arena, name));
    else if (!may_rename && !is_standard_database(sandbox->database))
        code = rh_roles_execute(sandbox, err, "DROP DATABASE %s", quoted);
    if (!code && !may_rename && !is_standard_database(name))
        code = create_database(sandbox, name, locale, err);
    if (code)
        return code;
    sandbox->database = rh_arena_strdup(sandbox->arena, name);
    return connect_to(sandbox, sandbox->database, err);
}

/* --- roles of a dump -------------------------------------------------------------------------- */

enum err_code rh_roles_create_missing(struct sandbox *sandbox, const struct name_list *names,
                                      struct err *err)
{
    enum err_code code;

    for (size_t i = 0; i < names->names.count; i++) {
        const char *name = names->names.items[i];
        RH_CLEANUP_ROWS struct rows *rows = NULL;
        if ((code = rh_roles_query(sandbox, "SELECT 1 FROM pg_roles WHERE rolname = $1", &name, 1,
                                   &rows, err)))
            return code;
        if (rh_rows_count(rows) > 0)
            continue;
        if ((code = rh_roles_execute(sandbox, err, "CREATE ROLE %s NOLOGIN",
                                     rh_quote_name(sandbox->arena, name))))
            return code;
        *RH_PUSH(sandbox->arena, &sandbox->snapshot_roles) = rh_arena_strdup(sandbox->arena, name);
    }
    return RH_OK;
}

static bool has_name(const char *const *names, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

enum err_code rh_roles_raise(struct sandbox *sandbox, const struct sql_needs *needs,
                             struct err *err)
{
    enum err_code code = RH_OK;

    for (size_t i = 0; i < needs->superusers.count && !code; i++) {
        const char *name = needs->superusers.items[i];
        if (has_name(sandbox->raised_roles.items, sandbox->raised_roles.count, name) ||
            !has_name(sandbox->snapshot_roles.items, sandbox->snapshot_roles.count, name))
            continue;
        code = rh_roles_execute(sandbox, err, "ALTER ROLE %s SUPERUSER",
                                rh_quote_name(sandbox->arena, name));
        *RH_PUSH(sandbox->arena, &sandbox->raised_roles) = rh_arena_strdup(sandbox->arena, name);
    }
    return code;
}

/* Owners they stay. */
static enum err_code lower_roles(struct sandbox *sandbox, struct err *err)
{
    enum err_code code = RH_OK;

    for (size_t i = 0; i < sandbox->raised_roles.count && !code; i++)
        code = rh_roles_execute(sandbox, err, "ALTER ROLE %s NOSUPERUSER",
                                rh_quote_name(sandbox->arena, sandbox->raised_roles.items[i]));
    if (!code)
        sandbox->raised_roles.count = 0;
    return code;
}

/* Roles named in one note; a shared cluster has hundreds. */
#define ROLES_NAMED 20

void rh_roles_note_created(struct sandbox *sandbox, const char *why)
{
    size_t first = sandbox->noted_roles, count = sandbox->snapshot_roles.count - first;
    const char *list = "";

    for (size_t i = 0; i < count && i < ROLES_NAMED; i++) {
        const char *joint = i == 0 ? "" : i + 1 == count ? " and " : ", ";
        list = rh_arena_printf(sandbox->arena, "%s%s\"%s\"", list, joint,
                               sandbox->snapshot_roles.items[first + i]);
    }
    if (count > ROLES_NAMED)
        list = rh_arena_printf(sandbox->arena, "%s and %zu more", list, count - ROLES_NAMED);
    if (count == 1)
        rh_sandbox_note(sandbox, "role %s was missing and was created without login (%s)", list,
                        why);
    else if (count > 1)
        rh_sandbox_note(sandbox, "roles %s were missing and were created without login (%s)", list,
                        why);
    sandbox->noted_roles = sandbox->snapshot_roles.count;
}

enum err_code rh_roles_forget_secrets(struct sandbox *sandbox, struct err *err)
{
    return rh_roles_execute(
        sandbox, err,
        "DO $rehearse$ DECLARE role name; BEGIN FOR role IN SELECT rolname FROM pg_authid"
        " WHERE rolpassword IS NOT NULL LOOP EXECUTE format('ALTER ROLE %%I PASSWORD NULL', role);"
        " END LOOP; END $rehearse$");
}

/* --- hand-over -------------------------------------------------------------------------------- */

/* Whoever owns most tables of users; the loader's count as nobody's. */
static const char owner_of_most[] =
    "SELECT r.rolname FROM pg_class c JOIN pg_roles r ON r.oid = c.relowner"
    " JOIN pg_namespace n ON n.oid = c.relnamespace"
    " WHERE c.relkind IN ('r','p') AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> "
    "'information_schema'"
    " AND r.rolname <> $1 AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = "
    "'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')"
    " GROUP BY r.rolname ORDER BY r.rolname = $2, count(*) DESC, r.rolname LIMIT 1";

static const char other_owners[] =
    "SELECT r.rolname, count(*) FROM pg_class c JOIN pg_roles r ON r.oid = c.relowner"
    " JOIN pg_namespace n ON n.oid = c.relnamespace"
    " WHERE c.relkind IN ('r','p') AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> "
    "'information_schema' AND r.rolname <> $1"
    " GROUP BY r.rolname ORDER BY count(*) DESC, r.rolname LIMIT 10";

/* What only a superuser may own (manual: ALTER EVENT TRIGGER, ALTER FOREIGN DATA WRAPPER, ALTER
   PUBLICATION for all tables, ALTER SUBSCRIPTION before 16). */
static const char superuser_only[] =
    "SELECT 'event trigger', quote_ident(evtname) FROM pg_event_trigger"
    "  WHERE evtowner = $1::regrole UNION ALL "
    "SELECT 'foreign data wrapper', quote_ident(fdwname) FROM pg_foreign_data_wrapper"
    "  WHERE fdwowner = $1::regrole UNION ALL "
    "SELECT 'publication', quote_ident(pubname) FROM pg_publication"
    "  WHERE pubowner = $1::regrole AND puballtables UNION ALL "
    "SELECT 'subscription', quote_ident(subname) FROM pg_subscription"
    "  WHERE subowner = $1::regrole";

static enum err_code choose_role(struct sandbox *sandbox, struct err *err)
{
    const char *const parameters[] = {sandbox->superuser, sandbox->loader};
    RH_CLEANUP_ROWS struct rows *rows = NULL;
    enum err_code code;

    if (sandbox->wanted_role) {
        sandbox->role = sandbox->wanted_role;
        return RH_OK;
    }
    if ((code = rh_roles_query(sandbox, owner_of_most, parameters, 2, &rows, err)))
        return code;
    const char *owner = rh_rows_count(rows) ? rh_rows_value(rows, 0, 0) : NULL;
    sandbox->role = owner && strcmp(owner, sandbox->loader) != 0
                        ? rh_arena_strdup(sandbox->arena, owner)
                        : "migrator";
    return RH_OK;
}

static enum err_code make_role(struct sandbox *sandbox, struct err *err)
{
    struct arena *arena = sandbox->arena;
    const char *quoted = rh_quote_name(arena, sandbox->role);
    const char *const parameters[] = {sandbox->role};
    RH_CLEANUP_ROWS struct rows *rows = NULL;
    enum err_code code;

    if (strncmp(sandbox->role, "pg_", 3) == 0 || strcmp(sandbox->role, sandbox->superuser) == 0)
        return rh_err_set(err, RH_ERR_USAGE,
                          "role \"%s\" cannot run the migration: it is the "
                          "server's own",
                          sandbox->role);
    sandbox->role_password = rh_sandbox_random_name(arena, "", 32);
    if ((code = rh_roles_query(sandbox, "SELECT rolsuper FROM pg_roles WHERE rolname = $1",
                               parameters, 1, &rows, err)))
        return code;
    if (rh_rows_count(rows) == 0)
        return rh_roles_execute(sandbox, err, "CREATE ROLE %s LOGIN PASSWORD '%s'", quoted,
                                sandbox->role_password);
    if (rh_rows_bool(rows, 0, 0))
        rh_sandbox_note(sandbox,
                        "role \"%s\" is no superuser in the sandbox: a migration runs as an owner",
                        sandbox->role);
    return rh_roles_execute(sandbox, err,
                            "ALTER ROLE %s WITH LOGIN NOSUPERUSER NOREPLICATION PASSWORD '%s' "
                            "VALID UNTIL 'infinity' CONNECTION LIMIT -1",
                            quoted, sandbox->role_password);
}

static enum err_code keep_from_migration(struct sandbox *sandbox, struct err *err)
{
    const char *const parameters[] = {sandbox->loader};
    RH_CLEANUP_ROWS struct rows *rows = NULL;
    enum err_code code;

    if ((code = rh_roles_query(sandbox, superuser_only, parameters, 1, &rows, err)))
        return code;
    for (size_t i = 0; i < rh_rows_count(rows); i++) {
        const char *kind = rh_rows_value(rows, i, 0), *name = rh_rows_value(rows, i, 1);
        if ((code = rh_roles_execute(sandbox, err, "ALTER %s %s OWNER TO %s", kind, name,
                                     rh_quote_name(sandbox->arena, sandbox->superuser)))) {
            rh_err_while(err, "while handing over %s %s", kind, name);
            return code;
        }
        rh_sandbox_note(sandbox, "%s %s is owned by a superuser: only one may own it", kind, name);
    }
    return RH_OK;
}

static enum err_code note_other_owners(struct sandbox *sandbox, struct err *err)
{
    const char *const parameters[] = {sandbox->role};
    RH_CLEANUP_ROWS struct rows *rows = NULL;
    enum err_code code;

    if ((code = rh_roles_query(sandbox, other_owners, parameters, 1, &rows, err)))
        return code;
    for (size_t i = 0; i < rh_rows_count(rows); i++)
        rh_sandbox_note(sandbox,
                        "%s %s owned by role \"%s\", which the migration (role \"%s\") may not "
                        "alter",
                        rh_rows_value(rows, i, 1),
                        rh_rows_int(rows, i, 1, 0) == 1 ? "table is" : "tables are",
                        rh_rows_value(rows, i, 0), sandbox->role);
    return RH_OK;
}

enum err_code rh_roles_hand_over(struct sandbox *sandbox, struct err *err)
{
    struct arena *arena = sandbox->arena;
    enum err_code code;

    if ((code = lower_roles(sandbox, err)) || (code = choose_role(sandbox, err)) ||
        (code = make_role(sandbox, err)) || (code = keep_from_migration(sandbox, err)))
        return code;
    const char *role = rh_quote_name(arena, sandbox->role);
    /* Since 15 the schema public belongs to whoever owns the database (release notes, 15); before,
       whoever owns the database is meant to do everything in it too. */
    code = rh_roles_execute(
        sandbox, err,
        "REASSIGN OWNED BY %s TO %s; ALTER DATABASE %s OWNER TO %s;"
        "DO $rehearse$ BEGIN IF EXISTS (SELECT FROM pg_namespace WHERE nspname = 'public' AND"
        " nspowner = 10) THEN ALTER SCHEMA public OWNER TO %s; END IF; END $rehearse$",
        sandbox->loader, role, rh_quote_name(arena, sandbox->database), role, role);
    if (code) {
        rh_err_while(err, "while handing the database over to role \"%s\"", sandbox->role);
        return code;
    }
    /* What it was granted, and in other databases that a script made even what it owns, may hold
     * it. */
    struct err refused = RH_ERR_INIT;
    code = rh_roles_execute(sandbox, &refused, "DROP OWNED BY %s; DROP ROLE %s", sandbox->loader,
                            sandbox->loader);
    if (code == RH_ERR_SERVER)
        code = rh_roles_execute(sandbox, err, "ALTER ROLE %s NOLOGIN NOSUPERUSER PASSWORD NULL",
                                sandbox->loader);
    else if (code)
        *err = refused;
    if (code)
        return code;
    sandbox->loader = sandbox->loader_password = NULL;
    return note_other_owners(sandbox, err);
}
