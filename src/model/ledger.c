#include "model/ledger.h"

#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* The name of many things. */
#define AMBIGUOUS "migrations"

/* Flyway, Liquibase, Alembic, Rails and golang-migrate and dbmate, goose, diesel, sqlx, Prisma,
   Django, knex, node-pg-migrate, Sequelize, Entity Framework, MikroORM, TypeORM, Phinx, Atlas,
   yoyo, Drizzle; TypeORM, Laravel and db-migrate. */
static const char *const tables[] = {"flyway_schema_history",
                                     "databasechangelog",
                                     "databasechangeloglock",
                                     "alembic_version",
                                     "schema_migrations",
                                     "ar_internal_metadata",
                                     "goose_db_version",
                                     "__diesel_schema_migrations",
                                     "_sqlx_migrations",
                                     "_prisma_migrations",
                                     "django_migrations",
                                     "knex_migrations",
                                     "knex_migrations_lock",
                                     "pgmigrations",
                                     "\"SequelizeMeta\"",
                                     "\"__EFMigrationsHistory\"",
                                     "mikro_orm_migrations",
                                     "typeorm_migrations",
                                     "phinxlog",
                                     "atlas_schema_revisions",
                                     "_yoyo_log",
                                     "_yoyo_migration",
                                     "_yoyo_version",
                                     "yoyo_lock",
                                     "__drizzle_migrations",
                                     AMBIGUOUS};

/* Of sqitch, graphile-migrate: all that is in them. */
static const char *const schemas[] = {"sqitch", "graphile_migrate"};

/* --- names ------------------------------------------------------------------------------------ */

/* The end of a name that may be quoted: at a dot outside of quotes, a blank, or the end. */
static const char *end_of_name(const char *at)
{
    bool is_quoted = false;

    for (; *at && (is_quoted || (*at != '.' && *at != ' ')); at++)
        is_quoted ^= *at == '"';
    return at;
}

/* What "index public.x on public.t" stands on, where it says so. */
static const char *skip_to_table(const char *identity)
{
    for (const char *at = end_of_name(identity); *at; at = end_of_name(at + 1))
        if (strncmp(at, " on ", 4) == 0)
            return at + 4;
    return identity;
}

static bool is_name(const char *at, const char *end, const char *name)
{
    size_t len = strlen(name);

    return (size_t)(end - at) == len && strncmp(at, name, len) == 0;
}

/* A table, or the sequence that serial made for it. */
static bool is_table(const char *at, const char *end)
{
    static const char *const endings[] = {"", "_id_seq", "_index_seq"};

    for (size_t i = 0; i < COUNT(tables); i++) {
        size_t len = strlen(tables[i]);
        if ((size_t)(end - at) < len || strncmp(at, tables[i], len) != 0)
            continue;
        for (size_t k = 0; k < COUNT(endings); k++)
            if (is_name(at + len, end, endings[k]))
                return true;
    }
    return false;
}

static bool is_schema(const char *at, const char *end)
{
    for (size_t i = 0; i < COUNT(schemas); i++)
        if (is_name(at, end, schemas[i]))
            return true;
    return false;
}

bool rh_is_ledger(const char *identity)
{
    if (!identity)
        return false;
    const char *first = skip_to_table(identity), *end = end_of_name(first);
    if (is_schema(first, end))
        return true;
    if (*end != '.')
        return is_table(first, end);
    return is_table(end + 1, end_of_name(end + 1));
}

/* --- columns ---------------------------------------------------------------------------------- */

static size_t find(const char *const *names, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (names[i] && strcmp(names[i], name) == 0)
            return i;
    return SIZE_MAX;
}

#define KNOWN_COLUMNS 3

/* A table by its name and all its columns but for an id. */
struct known_table {
    const char *name, *columns[KNOWN_COLUMNS]; /* NULL: fewer */
};

static bool is_known(const struct catalog_table *table, const struct known_table *known,
                     size_t count)
{
    for (size_t i = 0; i < count; i++) {
        size_t columns = 0, found = 0, others = 0;
        while (columns < KNOWN_COLUMNS && known[i].columns[columns])
            columns++;
        for (size_t c = 0; c < table->columns.count; c++) {
            const char *name = table->columns.items[c].name;
            if (find(known[i].columns, columns, name) != SIZE_MAX)
                found++;
            else
                others += strcmp(name, "id") != 0;
        }
        if (strcmp(table->name, known[i].name) == 0 && found == columns && others == 0)
            return true;
    }
    return false;
}

bool rh_is_ledger_table(const struct catalog_table *table)
{
    static const struct known_table ambiguous[] = {{AMBIGUOUS, {"timestamp", "name"}},
                                                   {AMBIGUOUS, {"migration", "batch"}},
                                                   {AMBIGUOUS, {"name", "run_on"}}};
    /* Names of models: after each migrate Django adds those that it does not find there. */
    static const struct known_table registers[] = {
        {"django_content_type", {"app_label", "model"}},
        {"auth_permission", {"name", "content_type_id", "codename"}}};

    if (!rh_is_ledger(table->identity))
        return is_known(table, registers, COUNT(registers));
    if (strcmp(table->name, AMBIGUOUS) != 0 ||
        is_schema(table->schema, table->schema + strlen(table->schema)))
        return true;
    return is_known(table, ambiguous, COUNT(ambiguous));
}

bool rh_ledger_needs(const char *column)
{
    /* sqitch; Flyway; Liquibase; yoyo; Prisma; Atlas. */
    static const char *const others[] = {"committer_name", "committer_email",
                                         "planner_name",   "planner_email",
                                         "creator_name",   "creator_email",
                                         "note",           "installed_by",
                                         "lockedby",       "comments",
                                         "username",       "hostname",
                                         "comment",        "logs",
                                         "error",          "error_stmt"};

    return find(others, COUNT(others), column) == SIZE_MAX;
}
