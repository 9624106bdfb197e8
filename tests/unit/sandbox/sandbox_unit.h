/*
 * What the tests of sandbox share: a directory of their own for sandboxes and cache, a sandbox
 * started in it, SQL on it. Every failure prints the error.
 */
#ifndef SANDBOX_UNIT_H
#define SANDBOX_UNIT_H

#include "base/file.h"
#include "sandbox/sandbox.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

struct unit {
    struct arena *arena;
    char *directory, *parent, *cache;
    struct sandbox_options options;
};

#define assert_ok(call, err)                              \
    do {                                                  \
        if ((call) != RH_OK) {                            \
            char shown_[4096];                            \
            rh_err_format((err), shown_, sizeof(shown_)); \
            fail_msg("%s: %s", #call, shown_);            \
        }                                                 \
    } while (0)
#define assert_text(haystack, needle)                                  \
    do {                                                               \
        if (!strstr((haystack), (needle)))                             \
            fail_msg("\"%s\" is not in \"%s\"", (needle), (haystack)); \
    } while (0)

static inline int unit_setup(void **state)
{
    struct unit *unit = calloc(1, sizeof(*unit));
    char template[] = "/var/tmp/rehearse-unit-XXXXXX";

    if (!unit || !mkdtemp(template) || chmod(template, 0755) != 0)
        return -1;
    unit->arena = rh_arena_new();
    unit->directory = rh_arena_strdup(unit->arena, template);
    unit->parent = rh_file_join(unit->arena, template, "sandboxes");
    unit->cache = rh_file_join(unit->arena, template, "cache");
    if (mkdir(unit->parent, 0755) != 0 || mkdir(unit->cache, 0700) != 0)
        return -1;
    unit->options = (struct sandbox_options){
        .engine = &rh_engine_postgres,
        .parent_directory = unit->parent,
        .cache_directory = unit->cache,
    };
    *state = unit;
    return 0;
}

static inline size_t unit_sandbox_count(struct unit *unit)
{
    struct file_names names;
    struct err err = RH_ERR_INIT;

    assert_ok(rh_file_list(unit->parent, unit->arena, &names, &err), &err);
    return names.count;
}

static inline int unit_teardown(void **state)
{
    struct unit *unit = *state;
    struct err err = RH_ERR_INIT;
    enum err_code code = rh_file_remove_tree(unit->directory, &err);

    rh_arena_free(unit->arena);
    free(unit);
    return code ? -1 : 0;
}

static inline struct sandbox *unit_start(struct unit *unit)
{
    struct sandbox *sandbox = NULL;
    struct err err = RH_ERR_INIT;

    assert_ok(rh_sandbox_start(&unit->options, &sandbox, &err), &err);
    return sandbox;
}

static inline struct sandbox *unit_ready(struct unit *unit)
{
    struct sandbox *sandbox = unit_start(unit);
    struct err err = RH_ERR_INIT;

    assert_ok(rh_sandbox_ready(sandbox, &err), &err);
    return sandbox;
}

/* The first value of the last statement's first row, in the unit's arena; "" for NULL or no row. */
static inline const char *unit_sql(struct unit *unit, struct connection_parameters parameters,
                                   const char *sql)
{
    struct connection *connection;
    RH_CLEANUP_ROWS struct rows *rows = NULL;
    struct err err = RH_ERR_INIT;
    struct mono deadline = rh_clock_after(rh_clock_mono(), 60 * INT64_C(1000000));

    assert_ok(rh_engine_postgres.connect(&parameters, deadline, &connection, &err), &err);
    assert_ok(rh_engine_postgres.query(connection, sql, NULL, 0, deadline, &rows, &err), &err);
    const char *value = rh_rows_count(rows) ? rh_rows_value(rows, 0, 0) : NULL;
    value = rh_arena_strdup(unit->arena, value ? value : "");
    rh_engine_postgres.close(connection);
    return value;
}

static inline const char *unit_file(struct unit *unit, const char *name, const char *content)
{
    char *path = rh_file_join(unit->arena, unit->directory, name);
    struct err err = RH_ERR_INIT;

    assert_ok(rh_file_write(path, rh_text(content), 0644, &err), &err);
    return path;
}

static inline bool unit_has_note(const struct sandbox *sandbox, const char *needle)
{
    const struct sandbox_facts *facts = rh_sandbox_facts(sandbox);

    for (size_t i = 0; i < facts->notes.count; i++)
        if (strstr(facts->notes.items[i], needle))
            return true;
    return false;
}

static inline int64_t unit_milliseconds(struct mono since)
{
    return (rh_clock_mono().us - since.us) / 1000;
}

#endif
