#include "engine/postgres/pg_engine_int.h"
#include "engine/postgres/pg_sql_int.h"

#include "engine/postgres/pg_sql.inc.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

enum err_code rh_pg_state_session(struct connection *connection, struct mono deadline,
                                  bool *ret_is_superuser, struct err *err)
{
    RH_CLEANUP_ROWS struct rows *rows = NULL;
    enum err_code code = rh_pg_query(connection,
                                     PG_STATE_SESSION_SQL
                                     "; SELECT pg_catalog.current_setting('is_superuser') = 'on'",
                                     NULL, 0, deadline, &rows, err);

    *ret_is_superuser = !code && rh_rows_count(rows) == 1 && rh_rows_bool(rows, 0, 0);
    if (*ret_is_superuser)
        code = rh_pg_query(connection, PG_QUIET_LOG_SQL, NULL, 0, deadline, NULL, err);
    return code;
}

enum err_code rh_pg_state_lineage(struct connection *connection, struct arena *arena,
                                  struct mono deadline, const char **ret_lineage, struct err *err)
{
    RH_CLEANUP_ROWS struct rows *rows = NULL;
    enum err_code code = rh_pg_query(
        connection,
        "SELECT s.system_identifier::text || '/' || d.oid::text FROM pg_control_system() AS s, "
        "pg_database AS d WHERE d.datname = current_database()",
        NULL, 0, deadline, &rows, err);

    if (!code && rh_rows_count(rows) == 1)
        *ret_lineage = rh_arena_strdup(arena, rh_rows_value(rows, 0, 0));
    return code;
}

static int compare_attributes(const void *a, const void *b)
{
    return strcmp(((const struct state_attribute *)a)->name,
                  ((const struct state_attribute *)b)->name);
}

/* {"type": "text", ...}: names with text values; anything else is a defect of our own query. */
static enum err_code take_attributes(const char *text, struct state_object *object,
                                     struct arena *arena, struct err *err)
{
    const char *name;
    json_t *value;
    json_error_t problem;
    json_t *json = text ? json_loads(text, JSON_REJECT_DUPLICATES, &problem) : NULL;

    if (!json_is_object(json)) {
        json_decref(json);
        return rh_err_set(err, RH_ERR_PROTOCOL, "attributes of %s %s cannot be read", object->kind,
                          object->identity);
    }
    json_object_foreach(json, name, value)
    {
        if (json_is_string(value) && json_string_length(value) > 0)
            *RH_PUSH(arena, &object->attributes) = (struct state_attribute){
                rh_arena_strdup(arena, name), rh_arena_strdup(arena, json_string_value(value))};
    }
    json_decref(json);
    if (object->attributes.count > 0)
        qsort(object->attributes.items, object->attributes.count,
              sizeof(object->attributes.items[0]), compare_attributes);
    return RH_OK;
}

/* Columns of state_schema.sql. */
enum { KIND, IDENTITY, PARENT, ID, SUB_ID, ATTRIBUTES };

static enum err_code take_objects(const struct rows *rows, struct arena *arena,
                                  struct schema_state *state, struct err *err)
{
    for (size_t i = 0; i < rh_rows_count(rows); i++) {
        const char *parent = rh_rows_value(rows, i, PARENT);
        struct state_object *object = RH_PUSH(arena, &state->objects);
        object->kind = rh_arena_strdup(arena, rh_rows_value(rows, i, KIND));
        object->identity = rh_arena_strdup(arena, rh_rows_value(rows, i, IDENTITY));
        object->parent = parent ? rh_arena_strdup(arena, parent) : NULL;
        object->id = rh_rows_int(rows, i, ID, 0);
        object->sub_id = rh_rows_int(rows, i, SUB_ID, 0);
        enum err_code code = take_attributes(rh_rows_value(rows, i, ATTRIBUTES), object, arena,
                                             err);
        if (code)
            return code;
    }
    return RH_OK;
}

enum err_code rh_pg_read_schema_state(struct connection *connection, struct arena *arena,
                                      struct mono deadline, struct schema_state *ret_state,
                                      struct err *err)
{
    RH_CLEANUP_ROWS struct rows *rows = NULL;
    struct schema_state state = {0};
    int major = rh_pg_server_version(connection) / 10000;
    bool is_superuser;
    enum err_code code = rh_pg_state_session(connection, deadline, &is_superuser, err);

    if (!code)
        code = rh_pg_state_lineage(connection, arena, deadline, &state.lineage, err);
    if (!code)
        code = rh_pg_query(
            connection,
            rh_pg_sql_for(is_superuser ? PG_SQL_STATE_SCHEMA : PG_SQL_STATE_SCHEMA_AS_ANOTHER,
                          major),
            NULL, 0, deadline, &rows, err);
    if (!code)
        code = take_objects(rows, arena, &state, err);
    if (code)
        rh_err_while(err, "while reading the schema state");
    else
        *ret_state = state;
    return code;
}
