#include "trace/environment.h"

#include "base/text.h"

#include <ctype.h>

/* RFC 3986, 2.3: what needs no encoding anywhere in a URI. */
static bool is_unreserved(char c)
{
    return isalnum((unsigned char)c) || c == '-' || c == '.' || c == '_' || c == '~';
}

static const char *encode(struct arena *arena, const char *s)
{
    static const char digits[] = "0123456789ABCDEF";
    char *out = rh_arena_alloc(arena, strlen(s) * 3 + 1), *at = out;
    for (; *s; s++) {
        if (is_unreserved(*s)) {
            *at++ = *s;
        } else {
            *at++ = '%';
            *at++ = digits[(unsigned char)*s >> 4];
            *at++ = digits[(unsigned char)*s & 15];
        }
    }
    return out;
}

/* The scheme postgresql:// is the one that every client takes (SQLAlchemy refuses postgres://). */
static const char *url(struct arena *arena, const struct endpoint *e, const char *scheme)
{
    return rh_arena_printf(arena, "%s://%s:%s@%s:%u/%s?sslmode=disable", scheme,
                           encode(arena, e->user), encode(arena, e->password), e->host, e->port,
                           encode(arena, e->database));
}

static const char *jdbc_url(struct arena *arena, const struct endpoint *e)
{
    return rh_arena_printf(arena, "jdbc:postgresql://%s:%u/%s?sslmode=disable", e->host, e->port,
                           encode(arena, e->database));
}

static const char *value_of(struct arena *arena, const struct endpoint *e, struct text name)
{
    if (rh_text_is(name, "url"))
        return url(arena, e, "postgresql");
    if (rh_text_is(name, "jdbc_url"))
        return jdbc_url(arena, e);
    if (rh_text_is(name, "host"))
        return e->host;
    if (rh_text_is(name, "port"))
        return rh_arena_printf(arena, "%u", e->port);
    if (rh_text_is(name, "db"))
        return e->database;
    if (rh_text_is(name, "user"))
        return e->user;
    if (rh_text_is(name, "password"))
        return e->password;
    return NULL;
}

char *rh_environment_expand(struct arena *arena, const struct endpoint *endpoint, const char *text)
{
    /* An argument is at most 128 kB (MAX_ARG_STRLEN, execve(2)); a value is shorter than 1 kB. */
    RH_CLEANUP_BUF struct buf out;
    rh_buf_init(&out, 16 * 1024 * 1024);
    while (*text) {
        const char *end = *text == '{' ? strchr(text, '}') : NULL;
        const char *value = end ? value_of(arena, endpoint,
                                           (struct text){text + 1, (size_t)(end - text) - 1})
                                : NULL;
        if (value) {
            rh_buf_add_str(&out, value);
            text = end + 1;
        } else {
            rh_buf_add_char(&out, *text++);
        }
    }
    return rh_text_dup(arena, rh_buf_text(&out));
}

const char *const *rh_environment_expand_all(struct arena *arena, const struct endpoint *endpoint,
                                             const char *const *argv)
{
    VEC(const char *) expanded = {0};
    for (; *argv; argv++)
        *RH_PUSH(arena, &expanded) = rh_environment_expand(arena, endpoint, *argv);
    *RH_PUSH(arena, &expanded) = NULL;
    return expanded.items;
}

/* libpq variables that say nothing about where to connect and whom as ("Environment Variables" in
   the manual's libpq chapter); all other PG* go. */
static const char *const harmless[] = {"PGOPTIONS",        "PGAPPNAME", "PGTZ",
                                       "PGDATESTYLE",      "PGGEQO",    "PGCLIENTENCODING",
                                       "PGCONNECT_TIMEOUT"};

static size_t name_length(const char *variable)
{
    return strcspn(variable, "=");
}

static bool leads_elsewhere(const char *variable)
{
    size_t len = name_length(variable);
    if (strncmp(variable, "PG", 2) != 0)
        return false;
    for (size_t i = 0; i < sizeof(harmless) / sizeof(harmless[0]); i++)
        if (strlen(harmless[i]) == len && strncmp(variable, harmless[i], len) == 0)
            return false;
    return true;
}

struct variables {
    VEC(const char *) list;
};

static void set(struct arena *arena, struct variables *variables, const char *variable)
{
    size_t len = name_length(variable);
    for (size_t i = 0; i < variables->list.count; i++) {
        const char *known = variables->list.items[i];
        if (name_length(known) == len && strncmp(known, variable, len) == 0) {
            variables->list.items[i] = variable;
            return;
        }
    }
    *RH_PUSH(arena, &variables->list) = variable;
}

const char *const *rh_environment_build(struct arena *arena, const struct endpoint *endpoint,
                                        const char *const *inherited, const char *const *extra)
{
    static const char *const dialects[] = {
        "DATABASE_URL={url}",
        "POSTGRES_URL={url}",
        "POSTGRESQL_URL={url}",
        "SQLALCHEMY_DATABASE_URI={url}",
        "PGHOST={host}",
        "PGPORT={port}",
        "PGDATABASE={db}",
        "PGUSER={user}",
        "PGPASSWORD={password}",
        "PGSSLMODE=disable",
        "FLYWAY_URL={jdbc_url}",
        "FLYWAY_USER={user}",
        "FLYWAY_PASSWORD={password}",
        "LIQUIBASE_COMMAND_URL={jdbc_url}",
        "LIQUIBASE_COMMAND_USERNAME={user}",
        "LIQUIBASE_COMMAND_PASSWORD={password}",
        "SPRING_DATASOURCE_URL={jdbc_url}",
        "SPRING_DATASOURCE_USERNAME={user}",
        "SPRING_DATASOURCE_PASSWORD={password}",
        "GOOSE_DRIVER=postgres",
        "GOOSE_DBSTRING={url}",
        "SQITCH_TARGET=db:{url}",
        NULL,
    };
    struct variables variables = {{0}};
    for (; inherited && *inherited; inherited++)
        if (!leads_elsewhere(*inherited))
            set(arena, &variables, *inherited);
    for (size_t i = 0; dialects[i]; i++)
        set(arena, &variables, rh_environment_expand(arena, endpoint, dialects[i]));
    for (; extra && *extra; extra++) {
        /* Only the value is a template. */
        size_t len = name_length(*extra);
        const char *value = (*extra)[len] == '=' ? *extra + len + 1 : "";
        set(arena, &variables,
            rh_arena_printf(arena, "%.*s=%s", (int)len, *extra,
                            rh_environment_expand(arena, endpoint, value)));
    }
    *RH_PUSH(arena, &variables.list) = NULL;
    return variables.list.items;
}
