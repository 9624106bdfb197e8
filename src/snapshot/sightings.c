#include "snapshot/sightings.h"

#include "base/say.h"

#include <inttypes.h>

/* Rows of one table, and characters of one value, that are looked at. */
#define ROWS_MAX 200
#define CHARACTERS_MAX 512
/* Of one table's values at once in memory: rows are fewer where columns are many. */
#define TABLE_BYTES_MAX (8 * 1024 * 1024)
/* Stored larger than this, a value is not fetched for a look at its beginning. */
#define VALUE_BYTES_MAX 65536
/* Of a table above so many pages about so many are read, anywhere in it; of a smaller one the
 * first. */
#define SAMPLE_PAGES 40
#define SAMPLE_PAGES_FROM 400
/* Partitions of one table are alike. */
#define PARTITIONS_MAX 3
#define QUERY_BYTES_MAX (1024 * 1024)

struct looking {
    const struct engine *engine;
    struct connection *connection;
    const struct catalog *catalog;
    struct arena *arena;
    struct mono deadline, until;
    int64_t table_budget_us;
    struct sightings *sightings;
    size_t *partitions; /* of each table, that were read */
};

/* Types whose values can show more than their type does. */
static bool is_telling(const struct catalog_column *column)
{
    static const char *const types[] = {"text",    "varchar", "bpchar", "name", "int8",
                                        "numeric", "json",    "jsonb",  "xml"};

    if (column->is_generated || !column->may_select)
        return false;
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
        if (strcmp(types[i], column->base_type) == 0)
            return true;
    size_t len = strlen(column->base_type);
    return len > 7 && (strcmp(column->base_type + len - 7, ".citext") == 0 ||
                       strcmp(column->base_type + len - 7, ".hstore") == 0);
}

static bool is_read(struct looking *looking, size_t table)
{
    const struct catalog_table *own = &looking->catalog->tables.items[table];

    if (own->kind != 'r' || own->extension || own->rows_estimate == 0)
        return false;
    if (own->is_unlogged && looking->catalog->is_standby)
        return false;
    return !own->partition_bound || own->parent == CATALOG_NONE ||
           looking->partitions[own->parent] < PARTITIONS_MAX;
}

static void write_query(const struct catalog_table *table, const size_t *columns, size_t count,
                        struct buf *out)
{
    size_t rows = TABLE_BYTES_MAX / (count * CHARACTERS_MAX);

    rh_buf_add_str(out, "SELECT ");
    for (size_t i = 0; i < count; i++) {
        const char *name = table->columns.items[columns[i]].quoted;
        rh_buf_printf(out,
                      "%sCASE WHEN pg_catalog.pg_column_size(%s) <= %d "
                      "THEN pg_catalog.left(%s::pg_catalog.text, %d) END",
                      i > 0 ? ", " : "", name, VALUE_BYTES_MAX, name, CHARACTERS_MAX);
    }
    rh_buf_printf(out, " FROM ONLY %s", table->identity);
    if (table->pages >= SAMPLE_PAGES_FROM)
        rh_buf_printf(out, " TABLESAMPLE SYSTEM (%.9f)",
                      100.0 * SAMPLE_PAGES / (double)table->pages);
    rh_buf_printf(out, " LIMIT %zu", rows < 10 ? 10 : rows > ROWS_MAX ? ROWS_MAX : rows);
}

static void count_values(struct looking *looking, size_t table, const size_t *columns, size_t count,
                         const struct rows *rows)
{
    for (size_t c = 0; c < count; c++) {
        struct mask_sighting *sighting = RH_PUSH(looking->arena, &looking->sightings->items);
        sighting->table = table;
        sighting->column = looking->catalog->tables.items[table].columns.items[columns[c]].number;
        for (size_t r = 0; r < rh_rows_count(rows); r++) {
            const char *value = rh_rows_value(rows, r, c);
            if (value)
                rh_mask_sight(sighting, rh_text(value));
        }
    }
}

static enum err_code say(struct looking *looking, const char *sql, struct err *err)
{
    return looking->engine->query(looking->connection, sql, NULL, 0, looking->deadline, NULL, err);
}

static void not_observed(struct looking *looking, const char *fmt, ...) RH_PRINTF(2, 3);

static void not_observed(struct looking *looking, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    *RH_PUSH(looking->arena, &looking->sightings->not_observed) = rh_arena_vprintf(looking->arena,
                                                                                   fmt, args);
    va_end(args);
}

/* A server's message may hold what it stumbled over: its state says enough. */
static const char *why(const struct err *err)
{
    if (strcmp(err->sqlstate, "57014") == 0)
        return "it took too long";
    if (strcmp(err->sqlstate, "55P03") == 0)
        return "it is locked";
    return strcmp(err->sqlstate, "42501") == 0 ? "the role may not read it" : "the server refused";
}

static enum err_code look_at(struct looking *looking, size_t table, struct err *err)
{
    const struct catalog_table *own = &looking->catalog->tables.items[table];
    RH_CLEANUP_ARENA struct arena *scratch = rh_arena_new();
    RH_CLEANUP_ROWS struct rows *rows = NULL;
    VEC(size_t) columns = {0};
    struct buf query RH_CLEANUP_BUF;
    struct err refusal = RH_ERR_INIT;

    rh_buf_init(&query, QUERY_BYTES_MAX);
    for (size_t c = 0; c < own->columns.count; c++)
        if (is_telling(&own->columns.items[c]))
            *RH_PUSH(scratch, &columns) = c;
    if (columns.count == 0)
        return RH_OK;
    if (!own->rows_visible) {
        not_observed(looking, "values of %s: the role does not see its rows", own->identity);
        return RH_OK;
    }
    write_query(own, columns.items, columns.count, &query);
    if (query.failed) {
        not_observed(looking, "values of %s: its names are too long", own->identity);
        return RH_OK;
    }
    enum err_code code = say(looking,
                             rh_arena_printf(scratch,
                                             "SAVEPOINT rehearse_sighting; SET LOCAL "
                                             "statement_timeout = %" PRId64,
                                             looking->table_budget_us / 1000),
                             err);
    if (code)
        return code;
    if (looking->engine->query(looking->connection, query.data, NULL, 0, looking->deadline, &rows,
                               &refusal)) {
        if (refusal.code != RH_ERR_SERVER) {
            *err = refusal;
            return refusal.code;
        }
        not_observed(looking, "values of %s: %s", own->identity, why(&refusal));
    } else {
        count_values(looking, table, columns.items, columns.count, rows);
        if (own->partition_bound && own->parent != CATALOG_NONE)
            looking->partitions[own->parent]++;
    }
    return say(looking,
               "ROLLBACK TO SAVEPOINT rehearse_sighting; RELEASE SAVEPOINT "
               "rehearse_sighting",
               err);
}

enum err_code rh_sightings_read(const struct engine *engine, struct connection *connection,
                                const struct catalog *catalog,
                                const struct sightings_options *options, struct mono deadline,
                                struct arena *arena, struct sightings *ret_sightings,
                                struct err *err)
{
    struct sightings sightings = {0};
    int64_t budget_us = options->budget_us > 0 ? options->budget_us : SIGHTINGS_BUDGET_US;
    struct looking looking = {
        .engine = engine,
        .connection = connection,
        .catalog = catalog,
        .arena = arena,
        .deadline = deadline,
        .until = rh_clock_after(rh_clock_mono(), budget_us),
        .table_budget_us = options->table_budget_us > 0 ? options->table_budget_us
                                                        : SIGHTINGS_TABLE_BUDGET_US,
        .sightings = &sightings,
        .partitions = rh_arena_alloc_array(arena, catalog->tables.count + 1, sizeof(size_t))};
    size_t left_out = 0;

    for (size_t i = 0; i < catalog->tables.count; i++) {
        if (!is_read(&looking, i))
            continue;
        if (rh_clock_passed(looking.until)) {
            left_out++;
            continue;
        }
        enum err_code code = look_at(&looking, i, err);
        if (code) {
            rh_err_while(err, "while looking at values of %s", catalog->tables.items[i].identity);
            return code;
        }
    }
    if (left_out > 0)
        not_observed(&looking, "values of %s: the time for looking was over",
                     rh_say_count(arena, (int64_t)left_out, "table"));
    *ret_sightings = sightings;
    return RH_OK;
}
