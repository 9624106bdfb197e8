/*
 * The data state: every table read once, by several connections, a piece of a table at a time.
 *
 * How a piece is digested: pg_state_data_piece.c. The table is cut into ranges of blocks for our
 * own connections: TID range scans, since 14. On 13 a table is one piece.
 */
#include "engine/postgres/pg_engine_int.h"
#include "engine/postgres/pg_sql_int.h"
#include "engine/postgres/pg_state_data_int.h"

#include "engine/postgres/pg_sql.inc.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* 64 MB of 8 kB blocks: some tenths of a second, so that the budget is kept to about that. */
#define PIECE_BLOCKS 8192
/* A SELECT has at most 1664 results (MaxTupleAttributeNumber), a column takes three. */
#define PIECE_COLUMNS 400
#define STATE_CONNECTIONS_MAX 16
/* A connection with SCRAM takes 20 to 60 ms to open: as long as it reads so much. */
#define CONNECTION_BYTES (INT64_C(8) * 1024 * 1024)
/* Beyond the budget: a piece under way is cancelled by statement_timeout long before. */
#define GRACE_US 30000000
/* One statement per column and row: tables have at most 1600 columns of 63-byte names, each named
   a few times. */
#define QUERY_BYTES_MAX (4 * 1024 * 1024)

struct table_work {
    size_t table;   /* index in the state */
    int64_t blocks; /* -1: not to be read by ranges */
    int64_t next_block;
    size_t next_column;
    bool has_more;
    struct column_forms forms; /* of the state's columns, same order */
};
struct worker {
    struct reading *reading;
    struct connection *connection;
    struct table_work *work; /* under way; NULL: idle */
    struct state_piece piece;
};
struct reading {
    const struct data_state_options *options;
    struct arena *arena;
    struct data_state *state;
    struct loop *loop;
    struct mono until;
    bool is_superuser;            /* else sizes are estimates */
    bool has_xor;                 /* the server can aggregate it: 14 */
    VEC(struct table_work) works; /* small tables first: most of them are read, whatever happens */
    size_t first_open;
    struct worker workers[STATE_CONNECTIONS_MAX];
    size_t busy;
    bool has_failed;
    struct err failure;
};

/* --- which tables, and how -----------------------------------------------------------------------
 */

/* Columns of state_tables.sql. */
enum { ID, IDENTITY, KIND, PARENT, BYTES, BLOCKS, SKIPPED, COLUMNS, KEY };

static const char *string_at(const json_t *array, size_t index)
{
    const char *value = json_string_value(json_array_get(array, index));
    return value ? value : "";
}

static struct column_state *find_column(const struct table_state *table, const char *name)
{
    for (size_t i = 0; i < table->columns.count; i++)
        if (strcmp(table->columns.items[i].name, name) == 0)
            return &table->columns.items[i];
    return NULL;
}

static bool has_columns(const struct table_state *table, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!find_column(table, names[i]))
            return false;
    return true;
}

/* Then ids and numbers tell what is the same, whatever its name is now. */
static bool is_same_lineage(const struct reading *reading)
{
    const struct data_state *previous = reading->options->previous;
    return previous && previous->lineage && reading->state->lineage &&
           strcmp(previous->lineage, reading->state->lineage) == 0;
}

static const struct table_state *find_previous(const struct reading *reading,
                                               const struct table_state *table)
{
    const struct data_state *previous = reading->options->previous;
    const struct table_state *by_name = NULL;
    if (!previous)
        return NULL;
    bool same_lineage = is_same_lineage(reading);
    for (size_t i = 0; i < previous->tables.count; i++) {
        const struct table_state *candidate = &previous->tables.items[i];
        if (same_lineage && candidate->id == table->id)
            return candidate;
        if (strcmp(candidate->identity, table->identity) == 0)
            by_name = candidate;
    }
    return by_name;
}

static unsigned sample_parts(int64_t bytes, int64_t sample_bytes)
{
    if (sample_bytes <= 0 || bytes <= sample_bytes)
        return SAMPLE_PARTS;
    int64_t parts = (int64_t)((double)sample_bytes / (double)bytes * SAMPLE_PARTS);
    return parts < 1 ? 1 : (unsigned)parts;
}

static const struct column_state *find_other(const struct reading *reading,
                                             const struct table_state *other,
                                             const struct table_state *table,
                                             const struct column_state *column)
{
    if (!is_same_lineage(reading) || other->id != table->id)
        return find_column(other, column->name);
    for (size_t i = 0; i < other->columns.count; i++)
        if (other->columns.items[i].number == column->number)
            return &other->columns.items[i];
    return NULL;
}

/* A new column may hold what one that is gone had: it is hashed in its own type's way, unless what
   is gone was hashed in the other way alone. */
static bool hashes_new_as_integer(const struct reading *reading, const struct table_state *previous,
                                  const struct table_state *table, bool is_integer)
{
    bool has_gone[2] = {false, false};
    for (size_t i = 0; i < previous->columns.count; i++) {
        const struct column_state *old = &previous->columns.items[i];
        if (!find_other(reading, table, previous, old))
            has_gone[old->is_integer] = true;
    }
    return has_gone[!is_integer] && !has_gone[is_integer] ? !is_integer : is_integer;
}

/* Values are compared by their hashes: as the state before hashed them. */
static void choose_hashes(const struct reading *reading, struct table_state *table,
                          const struct table_state *previous, const struct column_forms *forms)
{
    for (size_t i = 0; i < table->columns.count; i++) {
        struct column_state *column = &table->columns.items[i];
        const struct column_state *old = previous ? find_other(reading, previous, table, column)
                                                  : NULL;
        column->is_integer = forms->items[i].integer_bytes > 0;
        if (old)
            column->is_integer = old->is_integer;
        else if (previous)
            column->is_integer = hashes_new_as_integer(reading, previous, table,
                                                       column->is_integer);
    }
}

/* The same question as was asked before, wherever that is possible. */
static void choose_method(struct reading *reading, struct table_state *table,
                          const struct table_work *work, const json_t *key)
{
    struct arena *arena = reading->arena;
    const struct table_state *previous = find_previous(reading, table);
    bool is_root = strcmp(table->kind, "partitioned table") == 0;
    choose_hashes(reading, table, previous, &work->forms);
    if (previous && previous->skipped && !is_root && !table->skipped) {
        table->skipped = rh_arena_printf(arena, "not read before: %s", previous->skipped);
        return;
    }
    if (previous && previous->skipped)
        previous = NULL;
    if (previous && has_columns(table, previous->key.items, previous->key.count)) {
        for (size_t i = 0; i < previous->key.count; i++) {
            *RH_PUSH(arena, &table->key) = rh_arena_strdup(arena, previous->key.items[i]);
            *RH_PUSH(arena, &table->key_is_integer) = previous->key_is_integer.items[i];
        }
    } else {
        for (size_t i = 0; i < json_array_size(key); i++) {
            const struct column_form *form = rh_pg_find_form(&work->forms, string_at(key, i));
            *RH_PUSH(arena, &table->key) = rh_arena_strdup(arena, string_at(key, i));
            *RH_PUSH(arena, &table->key_is_integer) = form && form->integer_bytes > 0;
        }
    }
    table->sample_parts = table->key.count == 0 ? SAMPLE_PARTS
                          : previous
                              ? previous->sample_parts
                              : sample_parts(table->bytes, reading->options->sample_over_bytes);
    if (table->key.count > 0 || is_root || table->columns.count == 0)
        return;
    table->has_row = true;
    bool as_before = previous && previous->has_row &&
                     has_columns(table, previous->row_columns.items, previous->row_columns.count);
    size_t count = as_before ? previous->row_columns.count : table->columns.count;
    for (size_t i = 0; i < count; i++)
        *RH_PUSH(arena, &table->row_columns) = as_before
                                                   ? rh_arena_strdup(arena,
                                                                     previous->row_columns.items[i])
                                                   : table->columns.items[i].name;
}

static enum err_code take_table(struct reading *reading, const struct rows *rows, size_t row,
                                struct err *err)
{
    struct arena *arena = reading->arena;
    json_t *columns = json_loads(rh_rows_value(rows, row, COLUMNS), 0, NULL);
    json_t *key = json_loads(rh_rows_value(rows, row, KEY), 0, NULL);
    const char *parent = rh_rows_value(rows, row, PARENT);
    const char *skipped = rh_rows_value(rows, row, SKIPPED);
    struct table_state *table = RH_PUSH(arena, &reading->state->tables);
    struct table_work work = {.table = reading->state->tables.count - 1,
                              .blocks = reading->is_superuser ? rh_rows_int(rows, row, BLOCKS, -1)
                                                              : -1,
                              .has_more = true};

    table->identity = rh_arena_strdup(arena, rh_rows_value(rows, row, IDENTITY));
    if (!json_is_array(columns) || !json_is_array(key)) {
        json_decref(columns);
        json_decref(key);
        return rh_err_set(err, RH_ERR_PROTOCOL, "columns of %s cannot be read", table->identity);
    }
    table->kind = rh_arena_strdup(arena, rh_rows_value(rows, row, KIND));
    table->parent = parent ? rh_arena_strdup(arena, parent) : NULL;
    table->id = rh_rows_int(rows, row, ID, 0);
    table->bytes = rh_rows_int(rows, row, BYTES, 0);
    table->skipped = skipped ? rh_arena_strdup(arena, skipped) : NULL;
    table->sample_parts = SAMPLE_PARTS;
    for (size_t i = 0; i < json_array_size(columns); i++) {
        const json_t *column = json_array_get(columns, i);
        *RH_PUSH(arena, &table->columns) = (struct column_state){
            .name = rh_arena_strdup(arena, string_at(column, 0)),
            .type = rh_arena_strdup(arena, string_at(column, 1)),
            .number = (int)json_integer_value(json_array_get(column, 2))};
        *RH_PUSH(arena, &work.forms) = (struct column_form){
            .name = table->columns.items[i].name,
            .text_form = rh_arena_strdup(arena, string_at(column, 3)),
            .integer_bytes = (int)json_integer_value(json_array_get(column, 4)),
            .may_be_null = json_is_true(json_array_get(column, 5))};
    }
    choose_method(reading, table, &work, key);
    json_decref(columns);
    json_decref(key);
    if (!table->skipped && strcmp(table->kind, "partitioned table") != 0)
        *RH_PUSH(arena, &reading->works) = work;
    return RH_OK;
}

/* --- reading -------------------------------------------------------------------------------------
 */

/* A sum as numeric says it, modulo 2^64; NULL (no value) is 0. */
static uint64_t modulo_64(const char *text)
{
    bool is_negative = text && *text == '-';
    uint64_t value = 0;
    for (const char *c = text ? text + is_negative : ""; *c >= '0' && *c <= '9'; c++)
        value = value * 10 + (uint64_t)(*c - '0');
    return is_negative ? 0 - value : value;
}

static void add_digest(const struct reading *reading, struct digest *digest, struct digest more)
{
    digest->high += more.high;
    digest->low = reading->has_xor ? digest->low ^ more.low : digest->low + more.low;
}

static struct digest digest_at(const struct rows *rows, size_t column)
{
    return (struct digest){modulo_64(rh_rows_value(rows, 0, column)),
                           modulo_64(rh_rows_value(rows, 0, column + 1))};
}

static void take_piece(struct worker *worker, const struct rows *rows)
{
    const struct reading *reading = worker->reading;
    struct table_state *table = &reading->state->tables.items[worker->work->table];
    size_t at = 1;
    int64_t row_count = rh_rows_int(rows, 0, 0, 0);
    if (worker->piece.counts_rows)
        table->rows += row_count;
    for (size_t i = 0; i < worker->piece.column_count; i++, at += 3) {
        struct column_state *column = &table->columns.items[worker->piece.first_column + i];
        column->non_null += rh_rows_int(rows, 0, at, row_count);
        add_digest(reading, &column->digest, digest_at(rows, at + 1));
    }
    if (worker->piece.has_row)
        add_digest(reading, &table->row, digest_at(rows, at));
}

/* The next piece of any table; false when nothing is left. */
static bool choose_piece(struct reading *reading, struct worker *worker)
{
    for (; reading->first_open < reading->works.count; reading->first_open++) {
        struct table_work *work = &reading->works.items[reading->first_open];
        const struct table_state *table = &reading->state->tables.items[work->table];
        if (!work->has_more || table->skipped)
            continue;
        size_t columns = table->columns.count - work->next_column;
        int64_t end_block = work->blocks > PIECE_BLOCKS ? work->next_block + PIECE_BLOCKS : 0;
        worker->work = work;
        worker->piece = (struct state_piece){
            .table = table,
            .forms = &work->forms,
            .first_column = work->next_column,
            .column_count = columns > PIECE_COLUMNS ? PIECE_COLUMNS : columns,
            .counts_rows = work->next_column == 0,
            .has_row = work->next_column == 0 && table->has_row,
            .has_xor = reading->has_xor,
            .first_block = work->next_block,
            .end_block = end_block,
            .is_last = end_block >= work->blocks,
        };
        work->next_column += worker->piece.column_count;
        if (work->next_column >= table->columns.count) {
            work->next_column = 0;
            work->next_block = end_block;
            work->has_more = end_block > 0 && end_block < work->blocks;
        }
        return true;
    }
    return false;
}

static const char *say_budget(const struct reading *reading)
{
    char text[24];
    rh_duration_format(reading->options->budget_us, text);
    return rh_arena_printf(reading->arena, "not read within the %s that states may take", text);
}

static void on_piece(void *context, struct rows **rows, const struct err *err);

static void give_work(struct worker *worker)
{
    struct reading *reading = worker->reading;
    int64_t left_us;
    worker->work = NULL;
    while (!reading->has_failed && choose_piece(reading, worker)) {
        struct table_state *table = &reading->state->tables.items[worker->work->table];
        left_us = reading->until.us - rh_clock_mono().us;
        if (left_us <= 0) {
            table->skipped = say_budget(reading);
            worker->work = NULL;
            continue;
        }
        RH_CLEANUP_BUF struct buf sql;
        rh_buf_init(&sql, QUERY_BYTES_MAX);
        rh_buf_printf(&sql, "SET statement_timeout = %" PRId64 "; ", left_us / 1000 + 1);
        rh_pg_add_state_piece(&sql, &worker->piece);
        if (sql.failed) {
            table->skipped = "its columns have names too long for one query";
            worker->work = NULL;
            continue;
        }
        reading->busy++;
        rh_pg_send(worker->connection, sql.data, NULL, 0, on_piece, worker);
        return;
    }
    worker->work = NULL;
    if (reading->busy == 0)
        rh_loop_stop(reading->loop);
}

static void on_piece(void *context, struct rows **rows, const struct err *err)
{
    struct worker *worker = context;
    struct reading *reading = worker->reading;
    struct table_state *table = &reading->state->tables.items[worker->work->table];
    reading->busy--;
    if (!err) {
        take_piece(worker, *rows);
    } else if (err->code != RH_ERR_SERVER) {
        reading->has_failed = true;
        reading->failure = *err;
    } else if (!table->skipped) {
        /* query_canceled: our own statement_timeout */
        table->skipped = strcmp(err->sqlstate, "57014") == 0
                             ? say_budget(reading)
                             : rh_arena_printf(reading->arena, "the server could not read it: %s",
                                               err->message);
    }
    give_work(worker);
}

static int compare_works(const void *a, const void *b, void *context)
{
    const struct data_state *state = context;
    int64_t left = state->tables.items[((const struct table_work *)a)->table].bytes;
    int64_t right = state->tables.items[((const struct table_work *)b)->table].bytes;
    if (left != right)
        return left < right ? -1 : 1;
    return ((const struct table_work *)a)->table < ((const struct table_work *)b)->table ? -1 : 1;
}

static enum err_code open_connection(const struct connection_parameters *superuser,
                                     struct mono deadline, struct connection **ret_connection,
                                     struct err *err)
{
    struct connection_parameters parameters = *superuser;
    parameters.application_name = "rehearse/state";
    bool is_superuser;
    enum err_code code = rh_pg_connect(&parameters, deadline, ret_connection, err);
    return code ? code : rh_pg_state_session(*ret_connection, deadline, &is_superuser, err);
}

/* As many as pay. */
static size_t connection_count(const struct reading *reading)
{
    int64_t wanted = reading->options->connections > 0 ? reading->options->connections
                                                       : DATA_STATE_CONNECTIONS;
    int64_t bytes = 0;
    for (size_t i = 0; i < reading->works.count; i++)
        bytes += reading->state->tables.items[reading->works.items[i].table].bytes;
    int64_t paying = 1 + bytes / CONNECTION_BYTES;
    int64_t count = wanted < paying ? wanted : paying;
    return count < STATE_CONNECTIONS_MAX ? (size_t)count : STATE_CONNECTIONS_MAX;
}

static enum err_code read_tables(struct reading *reading,
                                 const struct connection_parameters *superuser,
                                 struct connection *first, struct mono deadline, struct err *err)
{
    size_t count = 0, most = connection_count(reading);
    enum err_code code = rh_loop_new(&reading->loop, err);
    for (; !code && count < most && reading->works.count > 0; count++) {
        struct worker *worker = &reading->workers[count];
        worker->reading = reading;
        worker->connection = count == 0 ? first : NULL;
        if (count > 0)
            code = open_connection(superuser, deadline, &worker->connection, err);
        if (!code)
            code = rh_pg_attach(worker->connection, reading->loop, err);
    }
    if (!code && reading->works.count > 0) {
        for (size_t i = 0; i < count; i++)
            give_work(&reading->workers[i]);
        code = rh_loop_run(reading->loop,
                           rh_clock_earlier(deadline, rh_clock_after(reading->until, GRACE_US)),
                           err);
        if (!code && reading->has_failed) {
            *err = reading->failure;
            code = err->code;
        }
    }
    for (size_t i = 0; i < STATE_CONNECTIONS_MAX; i++)
        if (reading->workers[i].connection) {
            rh_pg_detach(reading->workers[i].connection);
            if (i > 0)
                rh_pg_close(reading->workers[i].connection);
        }
    rh_loop_free(reading->loop);
    return code;
}

/* --- partitioned tables: the sum of what they are made of ----------------------------------------
 */

static struct table_state *find_table(struct data_state *state, const char *identity)
{
    size_t low = 0, high = state->tables.count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(state->tables.items[middle].identity, identity);
        if (order == 0)
            return &state->tables.items[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

static bool same_names(const struct table_state *a, const struct table_state *b)
{
    if (a->key.count != b->key.count)
        return false;
    for (size_t i = 0; i < a->key.count; i++)
        if (strcmp(a->key.items[i], b->key.items[i]) != 0 ||
            a->key_is_integer.items[i] != b->key_is_integer.items[i])
            return false;
    return true;
}

static void add_partition(const struct reading *reading, struct table_state *root,
                          const struct table_state *leaf, bool is_first)
{
    struct arena *arena = reading->arena;
    if (root->skipped)
        return;
    if (leaf->skipped) {
        root->skipped = rh_arena_printf(arena, "partition %s: %s", leaf->identity, leaf->skipped);
        return;
    }
    if (is_first) {
        root->key.items = leaf->key.items;
        root->key.count = leaf->key.count;
        root->key_is_integer.items = leaf->key_is_integer.items;
        root->key_is_integer.count = leaf->key_is_integer.count;
        root->sample_parts = leaf->sample_parts;
        root->has_row = leaf->has_row;
    } else if (!same_names(root, leaf)) {
        root->skipped = "its partitions have different keys";
        return;
    } else if (root->sample_parts != leaf->sample_parts) {
        root->skipped = "its partitions were sampled in different parts";
        return;
    }
    root->rows += leaf->rows;
    root->bytes += leaf->bytes;
    add_digest(reading, &root->row, leaf->row);
    for (size_t i = 0; i < leaf->columns.count; i++) {
        struct column_state *column = find_column(root, leaf->columns.items[i].name);
        if (!column)
            continue;
        column->non_null += leaf->columns.items[i].non_null;
        add_digest(reading, &column->digest, leaf->columns.items[i].digest);
    }
}

static void add_partitions(struct reading *reading)
{
    struct data_state *state = reading->state;
    RH_CLEANUP_ARENA struct arena *scratch = rh_arena_new();
    bool *has_first = rh_arena_alloc_array(scratch, state->tables.count + 1, sizeof(bool));
    for (size_t i = 0; i < state->tables.count; i++) {
        const struct table_state *leaf = &state->tables.items[i];
        if (strcmp(leaf->kind, "partitioned table") == 0)
            continue;
        const char *parent = leaf->parent;
        while (parent) {
            struct table_state *root = find_table(state, parent);
            if (!root)
                break;
            bool *seen = &has_first[root - state->tables.items];
            add_partition(reading, root, leaf, !*seen);
            *seen = true;
            parent = root->parent;
        }
    }
}

/* --- the whole -----------------------------------------------------------------------------------
 */

static enum err_code take_sequences(struct reading *reading, const struct rows *rows)
{
    for (size_t i = 0; i < rh_rows_count(rows); i++) {
        if (!rh_rows_value(rows, i, 0)) {
            reading->state->large_objects = rh_rows_int(rows, i, 3, 0);
            continue;
        }
        *RH_PUSH(reading->arena, &reading->state->sequences) = (struct sequence_state){
            .identity = rh_arena_strdup(reading->arena, rh_rows_value(rows, i, 1)),
            .id = rh_rows_int(rows, i, 0, 0),
            .is_used = rh_rows_value(rows, i, 2) != NULL,
            .last_value = rh_rows_int(rows, i, 2, 0)};
    }
    return RH_OK;
}

static enum err_code read_lists(struct reading *reading, struct connection *connection,
                                struct mono deadline, struct err *err)
{
    int major = rh_pg_server_version(connection) / 10000;
    reading->has_xor = major >= 14;
    RH_CLEANUP_ROWS struct rows *tables = NULL;
    RH_CLEANUP_ROWS struct rows *sequences = NULL;
    enum err_code code = rh_pg_state_lineage(connection, reading->arena, deadline,
                                             &reading->state->lineage, err);
    if (!code)
        code = rh_pg_query(connection,
                           rh_pg_sql_for(reading->is_superuser ? PG_SQL_STATE_TABLES
                                                               : PG_SQL_STATE_TABLES_AS_ANOTHER,
                                         major),
                           NULL, 0, deadline, &tables, err);
    if (!code)
        code = rh_pg_query(connection, rh_pg_sql_for(PG_SQL_STATE_SEQUENCES, major), NULL, 0,
                           deadline, &sequences, err);
    for (size_t i = 0; !code && i < rh_rows_count(tables); i++)
        code = take_table(reading, tables, i, err);
    if (!code)
        code = take_sequences(reading, sequences);
    if (reading->works.count > 0)
        qsort_r(reading->works.items, reading->works.count, sizeof(reading->works.items[0]),
                compare_works, reading->state);
    return code;
}

enum err_code rh_pg_read_data_state(struct connection *connection,
                                    const struct connection_parameters *superuser,
                                    const struct data_state_options *options, struct arena *arena,
                                    struct mono deadline, struct data_state *ret_state,
                                    struct err *err)
{
    struct mono began = rh_clock_mono();
    struct data_state state = {0};
    struct reading reading = {.options = options,
                              .arena = arena,
                              .state = &state,
                              .until = rh_clock_after(began, options->budget_us)};
    enum err_code code = rh_pg_state_session(connection, deadline, &reading.is_superuser, err);

    if (!code)
        code = read_lists(&reading, connection, deadline, err);
    if (!code)
        code = read_tables(&reading, superuser, connection, deadline, err);
    if (code) {
        rh_err_while(err, "while reading the data state");
        return code;
    }
    add_partitions(&reading);
    state.duration_us = rh_clock_mono().us - began.us;
    *ret_state = state;
    return RH_OK;
}
