#include "snapshot/dump_secrets.h"

/* Names of options that are secrets in the wrappers we know of (postgres_fdw, mysql_fdw,
   oracle_fdw, s3, http); what is left out, a restore elsewhere has no use for. */
#define SECRET_OPTIONS "passw|secret|token|credential|key"
/* Settings with a dot in their name belong to extensions and applications: PostgREST keeps its JWT
   secret there. Those of the server's own have none. */
#define OWN_SETTING "setting !~ '^[^=]*[.]'"

static const char *find(struct text in, const char *what)
{
    return in.data && in.len ? memmem(in.data, in.len, what, strlen(what)) : NULL;
}

/* ... FROM pg_options_to_table(srvoptions) ORDER BY ... */
static bool filter_options(struct text sql, struct arena *arena, const char **ret_changed)
{
    static const char function[] = "pg_options_to_table(", schema[] = "pg_catalog.";
    RH_CLEANUP_BUF struct buf out;
    const char *at;
    bool has_any = false;

    rh_buf_init(&out, sql.len * 8 + 1024);
    while ((at = find(sql, function)) != NULL) {
        const char *start = at + strlen(function);
        const char *end = memchr(start, ')', sql.len - (size_t)(start - sql.data));
        struct text argument;

        if (!end)
            return false;
        argument = (struct text){start, (size_t)(end - start)};
        struct text before = {sql.data, (size_t)(at - sql.data)};

        if (rh_text_ends_with(before, schema))
            before.len -= strlen(schema);
        rh_buf_add_text(&out, before);
        rh_buf_printf(&out, "(SELECT * FROM pg_catalog.pg_options_to_table(%.*s) WHERE %s) AS o",
                      (int)argument.len, argument.data,
                      rh_text_ends_with(argument, "umoptions") ? "false"
                                                               : "option_name !~* '" SECRET_OPTIONS
                                                                 "'");
        sql.len -= (size_t)(end + 1 - sql.data);
        sql.data = end + 1;
        has_any = true;
    }
    rh_buf_add_text(&out, sql);
    if (out.failed)
        return false;
    *ret_changed = has_any ? rh_text_dup(arena, rh_buf_text(&out)) : NULL;
    return true;
}

static bool filter_settings(struct text sql, struct arena *arena, const char **ret_changed)
{
    if (rh_text_ends_with(sql, ";"))
        sql.len--;
    if (rh_text_starts_with(sql, "SELECT unnest(setconfig) FROM pg_db_role_setting "))
        *ret_changed = rh_arena_printf(
            arena, "SELECT setting FROM (%.*s) AS s (setting) WHERE " OWN_SETTING, (int)sql.len,
            sql.data);
    else if (rh_text_starts_with(sql, "SELECT rolname, unnest(setconfig) FROM pg_db_role_setting "))
        *ret_changed = rh_arena_printf(
            arena, "SELECT rolname, setting FROM (%.*s) AS s (rolname, setting) WHERE " OWN_SETTING,
            (int)sql.len, sql.data);
    else
        return false;
    return true;
}

bool rh_dump_without_secrets(struct text sql, struct arena *arena, const char **ret_changed)
{
    *ret_changed = NULL;
    if (find(sql, "pg_db_role_setting"))
        return filter_settings(sql, arena, ret_changed);
    if (!filter_options(sql, arena, ret_changed))
        return false;
    /* Its options asked for in another way. */
    return !find(sql, "pg_user_mapping") || *ret_changed;
}
