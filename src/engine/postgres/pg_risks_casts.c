/*
 * Lossy casts: of the values that a column had before, which does the new type not bring back?
 *
 * The migration's own expression is evaluated over the old rows, and its result is cast back. Where
 * every value differs then, or differs by more than a rounding or a cut, the values were coded anew
 * (cents for euros, labels for letters): then, and where no cast leads back, a value counts as
 * changed when it shares its new value with another old one. Different keys of JSON objects that
 * came twice are counted with a function that lives as long as the session.
 */
#include "engine/postgres/pg_risks_int.h"

#include "engine/postgres/pg_sql.inc.h"

#include <stdlib.h>
#include <string.h>

/* One question, about one column; then the next smaller sample. */
#define CAST_TIMEOUT "8s"
#define QUERY_MAX (256 * 1024)

/* The session of the application, as far as it shapes casts: its TimeZone, DateStyle and
   search_path are the database's own. */
#define CAST_SESSION_SQL                                                                    \
    "RESET ALL; SET jit = off; SET max_parallel_workers_per_gather = 0; SET log_statement " \
    "= none; SET log_min_messages = panic; SET lock_timeout = '2s'; SET statement_timeout " \
    "= '" CAST_TIMEOUT "'"

/* Keys that an object of a JSON text has more than once, on any level, and what they hold. */
#define KEYS_FUNCTION_SQL                                                                        \
    "CREATE FUNCTION pg_temp.rehearse_keys(value json) RETURNS int8 LANGUAGE plpgsql IMMUTABLE " \
    "STRICT AS $$ DECLARE total int8 := 0; BEGIN "                                               \
    "IF pg_catalog.json_typeof(value) = 'object' THEN "                                          \
    "SELECT pg_catalog.count(*) - pg_catalog.count(DISTINCT e.key) + "                           \
    "coalesce(pg_catalog.sum(pg_temp.rehearse_keys(e.value)), 0) "                               \
    "INTO total FROM pg_catalog.json_each(value) AS e; "                                         \
    "ELSIF pg_catalog.json_typeof(value) = 'array' THEN "                                        \
    "SELECT coalesce(pg_catalog.sum(pg_temp.rehearse_keys(e.value)), 0) "                        \
    "INTO total FROM pg_catalog.json_array_elements(value) AS e; "                               \
    "END IF; RETURN total; END $$"

enum {
    BEFORE_CATEGORY,
    AFTER_CATEGORY,
    BEFORE_IS_JSON,
    AFTER_IS_JSON,
    HAS_EQUALITY,
    BYTES,
    CAN_SAMPLE
};

struct cast_work {
    struct connection *connection;
    struct arena *arena;
    struct mono deadline;
    struct cast_risk *cast;
    char before_category, after_category;
    bool has_equality;
    int64_t sample_over_bytes;
    const char *rows_sql; /* SELECT ... AS o, ... AS n FROM ...: old and new value of each row */
};

/* --- limits --------------------------------------------------------------------------------------
 */

/* The numbers between a type's parentheses; 0 where there is none. */
struct modifier {
    long first, second;
};

static struct modifier modifier_of(const char *type)
{
    struct modifier modifier = {0};
    const char *open = strchr(type, '(');
    const char *comma = open ? strchr(open, ',') : NULL;
    if (open)
        modifier.first = strtol(open + 1, NULL, 10);
    if (comma)
        modifier.second = strtol(comma + 1, NULL, 10);
    return modifier;
}

struct limit {
    bool is_length;
    double most;
    const char *words;
};

static double power_of_ten(long exponent)
{
    double value = 1;
    for (; exponent > 0; exponent--)
        value *= 10;
    return value;
}

/* What a type can hold; most 0: no limit that is reached by counting. */
static struct limit limit_of(const char *type, struct arena *arena)
{
    long first = modifier_of(type).first, scale = modifier_of(type).second;
    if (strchr(type, '['))
        return (struct limit){0};
    if (strncmp(type, "character varying(", 18) == 0)
        return (struct limit){true, (double)first, rh_arena_printf(arena, "%ld characters", first)};
    if (strncmp(type, "numeric(", 8) == 0 && first > scale)
        return (struct limit){false, power_of_ten(first - scale),
                              rh_arena_printf(arena, "%ld digits before the point", first - scale)};
    if (strcmp(type, "smallint") == 0)
        return (struct limit){false, 32767, "32,767"};
    if (strcmp(type, "integer") == 0)
        return (struct limit){false, 2147483647, "2,147,483,647"};
    return (struct limit){0};
}

/* Wider types of a kind, narrowest first: what one holds, those behind it hold too ("Numeric
   Types", "Date/Time Types" of the manual; a numeric without precision holds any of its kind). */
static bool is_wider(const char *before, const char *after)
{
    static const char *const kinds[][5] = {
        {"smallint", "integer", "bigint", "numeric", NULL},
        {"real", "double precision", NULL},
        {"date", "timestamp without time zone", NULL},
    };
    for (size_t kind = 0; kind < sizeof(kinds) / sizeof(kinds[0]); kind++) {
        bool has_before = false;
        for (size_t i = 0; kinds[kind][i]; i++) {
            if (has_before && strcmp(kinds[kind][i], after) == 0)
                return true;
            has_before = has_before || strcmp(kinds[kind][i], before) == 0;
        }
    }
    return false;
}

/* numeric(10,2) to numeric(12,2): as many digits and more on both sides of the point. */
static bool is_wider_numeric(const char *before, const char *after)
{
    struct modifier old = modifier_of(before), new = modifier_of(after);
    return strncmp(after, "numeric(", 8) == 0 &&
           new.second >= old.second &&new.first - new.second >= old.first - old.second;
}

bool rh_pg_cast_can_lose(const char *type_before, const char *type_after, bool has_expression)
{
    if (has_expression)
        return true;
    if (is_wider(type_before, type_after))
        return false;
    bool was_text = strcmp(type_before, "text") == 0 ||
                    strcmp(type_before, "character varying") == 0;
    bool was_varchar = strncmp(type_before, "character varying(", 18) == 0;
    if (strcmp(type_after, "text") == 0 || strcmp(type_after, "character varying") == 0)
        return !was_text && !was_varchar;
    if (was_varchar && strncmp(type_after, "character varying(", 18) == 0)
        return modifier_of(type_after).first < modifier_of(type_before).first;
    if (strncmp(type_before, "numeric(", 8) == 0)
        return strcmp(type_after, "numeric") != 0 && !is_wider_numeric(type_before, type_after);
    return true;
}

/* --- questions -----------------------------------------------------------------------------------
 */

static enum err_code ask(struct cast_work *work, const char *sql, struct rows **ret_rows,
                         struct err *err)
{
    return rh_pg_query(work->connection, sql, NULL, 0, work->deadline, ret_rows, err);
}

/* A question that the server refuses leaves the answer open; anything else ends all of it. */
static enum err_code refused(struct cast_work *work, enum err_code code, const struct err *why,
                             struct err *err)
{
    if (code != RH_ERR_SERVER) {
        *err = *why;
        return code;
    }
    work->cast->not_asked =
        strcmp(why->sqlstate, "57014") == 0
            ? "it took too long"
            : rh_arena_printf(work->arena,
                              "the data or types before the run do not answer it (SQLSTATE %s)",
                              why->sqlstate);
    return RH_OK;
}

/* A difference that a rounding or a cut does not explain. */
static const char *far_sql(const struct cast_work *work)
{
    if (!work->cast->expression)
        return "false";
    if (work->before_category == 'N' && work->after_category == 'N')
        return "pg_catalog.abs((s.o)::numeric - (s.n)::numeric) >= 1";
    if (work->before_category == 'S' && work->after_category == 'S')
        return "NOT pg_catalog.starts_with(pg_catalog.lower((s.o)::text), "
               "pg_catalog.lower((s.n)::text))";
    if (work->after_category == 'D') /* read as day and month where it says month and day */
        return "(s.o)::timestamptz NOT BETWEEN (s.n)::timestamptz - interval '1 day' AND "
               "(s.n)::timestamptz + interval '1 day'";
    return "false";
}

/* What must be equal for a value to be as it was. Times of a text have many spellings: they are
   compared as times. */
static const char *same_sql(const struct cast_work *work)
{
    if (work->before_category == 'S' && work->after_category == 'D')
        return "(s.n)::timestamptz = (s.o)::timestamptz";
    const char *back = rh_arena_printf(work->arena, "(s.n)::%s", work->cast->type_before);
    return work->has_equality ? rh_arena_printf(work->arena, "%s = s.o", back)
                              : rh_arena_printf(work->arena, "(%s)::text = (s.o)::text", back);
}

enum { VALUES, CHANGED, FAR, NEAR, USED, LEAST };

static const char *round_trip_sql(const struct cast_work *work, const struct limit *limit)
{
    const char *same = same_sql(work);
    const char *size = limit->is_length ? "pg_catalog.length((s.n)::text)::float8"
                                        : "pg_catalog.abs((s.n)::float8)";
    const char *near = limit->most <= 0
                           ? "0, NULL, NULL"
                           : rh_arena_printf(work->arena,
                                             "count(*) FILTER (WHERE %s >= %.1f), max(%s), min(%s)",
                                             size, limit->most * RISK_NEAR_PERCENT / 100, size,
                                             size);
    return rh_arena_printf(work->arena,
                           "SELECT count(*), count(*) FILTER (WHERE NOT (%s)), count(*) FILTER "
                           "(WHERE NOT (%s) AND %s), %s FROM (%s OFFSET 0) AS s WHERE s.o IS NOT "
                           "NULL AND s.n IS NOT NULL",
                           same, same, far_sql(work), near, work->rows_sql);
}

static enum err_code ask_distinct(struct cast_work *work, struct err *err)
{
    struct cast_risk *cast = work->cast;
    RH_CLEANUP_ROWS struct rows *rows = NULL;
    struct err why = RH_ERR_INIT;
    const char *sql = rh_arena_printf(
        work->arena,
        "SELECT coalesce(sum(g.total), 0), coalesce(sum(g.total) FILTER (WHERE g.olds > 1), 0) "
        "FROM "
        "(SELECT count(*) AS total, count(DISTINCT (s.o)::text) AS olds FROM (%s OFFSET 0) AS s "
        "WHERE s.o IS NOT NULL AND s.n IS NOT NULL GROUP BY (s.n)::text) AS g",
        work->rows_sql);
    enum err_code code = ask(work, sql, &rows, &why);
    if (code)
        return refused(work, code, &why, err);
    cast->test = CAST_DISTINCT;
    cast->values = rh_rows_int(rows, 0, 0, 0);
    cast->changed = rh_rows_int(rows, 0, 1, 0);
    return RH_OK;
}

static enum err_code ask_keys_of_objects(struct cast_work *work, struct err *err)
{
    struct cast_risk *cast = work->cast;
    RH_CLEANUP_ROWS struct rows *rows = NULL;
    struct err why = RH_ERR_INIT;
    enum err_code code = ask(work, KEYS_FUNCTION_SQL, NULL, &why);
    if (code == RH_ERR_SERVER && strcmp(why.sqlstate, "42723") == 0) /* from the column before */
        code = RH_OK;
    if (!code)
        code = ask(work,
                   rh_arena_printf(work->arena,
                                   "SELECT count(*), count(*) FILTER (WHERE "
                                   "pg_temp.rehearse_keys(s.o) > 0) FROM (%s OFFSET 0) AS s WHERE "
                                   "s.o IS NOT NULL",
                                   work->rows_sql),
                   &rows, &why);
    if (code)
        return refused(work, code, &why, err);
    cast->test = CAST_KEYS;
    cast->values = rh_rows_int(rows, 0, 0, 0);
    cast->changed = rh_rows_int(rows, 0, 1, 0);
    return RH_OK;
}

/* Whether the old type can be had back, so that what differs then was lost: within strings,
   numbers, times; between strings and numbers. Labels and truth values are codes. */
static bool leads_back(const struct cast_work *work)
{
    char before = work->before_category, after = work->after_category;
    if (before == 'S')
        return after == 'S' || after == 'N' || after == 'D';
    if (before == 'N')
        return after == 'S' || after == 'N';
    return after == before || after == 'S' ? before != 'E' && before != 'B' : false;
}

static enum err_code ask_round_trip(struct cast_work *work, struct err *err)
{
    struct cast_risk *cast = work->cast;
    RH_CLEANUP_ROWS struct rows *rows = NULL;
    struct err why = RH_ERR_INIT;
    struct limit limit = limit_of(cast->type_after, work->arena);
    struct limit old_limit = limit_of(cast->type_before, work->arena);
    if (limit.most > 0 && old_limit.most > 0 && old_limit.most <= limit.most)
        limit.most = 0; /* it could not hold more before */
    if (limit.is_length ? work->before_category != 'S' : work->before_category != 'N')
        limit.most = 0;
    enum err_code code = ask(work, round_trip_sql(work, &limit), &rows, &why);
    if (code == RH_ERR_SERVER && strcmp(why.sqlstate, "57014") != 0)
        return ask_distinct(work, err);
    if (code)
        return refused(work, code, &why, err);
    cast->test = CAST_ROUND_TRIP;
    cast->values = rh_rows_int(rows, 0, VALUES, 0);
    cast->changed = rh_rows_int(rows, 0, CHANGED, 0);
    /* Values that are all equally long are codes, which fill their limit by nature. */
    const char *most = rh_rows_value(rows, 0, USED), *least = rh_rows_value(rows, 0, LEAST);
    if (limit.most > 0 && most && least && strcmp(most, least) != 0) {
        cast->limit = limit.words;
        cast->near = rh_rows_int(rows, 0, NEAR, 0);
        cast->used_percent = (int)(strtod(most, NULL) * 100 / limit.most);
    }
    bool all_differ = cast->changed == cast->values && cast->values > 1;
    bool is_cut = work->before_category == 'S' && work->after_category == 'S';
    if (cast->expression && (rh_rows_int(rows, 0, FAR, 0) > 0 || (all_differ && !is_cut)))
        return ask_distinct(work, err);
    return RH_OK;
}

static enum err_code ask_cast(struct cast_work *work, struct err *err)
{
    struct cast_risk *cast = work->cast;
    RH_CLEANUP_ROWS struct rows *rows = NULL;
    const char *const parameters[] = {cast->type_before, cast->type_after, cast->table_before};
    int major = rh_pg_server_version(work->connection) / 10000;
    struct err why = RH_ERR_INIT;
    enum err_code code = rh_pg_query(work->connection, rh_pg_sql_for(PG_SQL_RISK_TYPES, major),
                                     parameters, 3, work->deadline, &rows, &why);
    if (code)
        return refused(work, code, &why, err);
    if (rh_rows_count(rows) != 1) {
        cast->not_asked = "its table or one of its types was not there before the run";
        return RH_OK;
    }
    work->before_category = rh_rows_value(rows, 0, BEFORE_CATEGORY)[0];
    work->after_category = rh_rows_value(rows, 0, AFTER_CATEGORY)[0];
    work->has_equality = rh_rows_bool(rows, 0, HAS_EQUALITY);
    int64_t bytes = rh_rows_int(rows, 0, BYTES, 0);
    const char *sample = "";
    cast->sample_percent = 100;
    if (bytes > work->sample_over_bytes && rh_rows_bool(rows, 0, CAN_SAMPLE)) {
        cast->sample_percent = (int)(work->sample_over_bytes * 100 / bytes);
        cast->sample_percent = cast->sample_percent < 1 ? 1 : cast->sample_percent;
        sample = rh_arena_printf(work->arena, " TABLESAMPLE SYSTEM (%d) REPEATABLE (1)",
                                 cast->sample_percent);
    }
    work->rows_sql = rh_arena_printf(work->arena, "SELECT %s AS o, (%s)::%s AS n FROM %s%s",
                                     cast->column_before,
                                     cast->expression ? cast->expression : cast->column_before,
                                     cast->type_after, cast->table_before, sample);
    if (rh_rows_bool(rows, 0, BEFORE_IS_JSON) && rh_rows_bool(rows, 0, AFTER_IS_JSON))
        return ask_keys_of_objects(work, err);
    return leads_back(work) ? ask_round_trip(work, err) : ask_distinct(work, err);
}

enum err_code rh_pg_ask_casts(struct connection *connection, struct cast_risk *casts, size_t count,
                              int64_t sample_over_bytes, struct arena *arena, struct mono deadline,
                              struct err *err)
{
    enum err_code code = rh_pg_query(connection, CAST_SESSION_SQL, NULL, 0, deadline, NULL, err);
    for (size_t i = 0; !code && i < count; i++) {
        struct cast_work work = {.connection = connection,
                                 .arena = arena,
                                 .deadline = deadline,
                                 .cast = &casts[i],
                                 .sample_over_bytes = sample_over_bytes};
        casts[i].values = casts[i].changed = NOT_OBSERVED;
        code = ask_cast(&work, err);
    }
    if (code)
        rh_err_while(err, "while asking about changed types");
    return code;
}
