/* What a statement did, as its own transaction sees it behind it. */
#include "rehearsal/dry_run_int.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define ASK_MAX_US (60 * INT64_C(1000000))
/* Emptiness of so many relations is read at the end. */
#define EMPTINESS_READS_MAX 200

/* --- relations ---------------------------------------------------------------------------------
 */

enum { ID, NAME, KIND, TABLE_ID, TABLE_NAME, STORAGE_ID, ROWS, BYTES, IS_SYSTEM };

enum err_code rh_dry_run_read_relations(struct dry_run *dry_run, struct err *err)
{
    struct arena *arena = dry_run->arena;
    RH_CLEANUP_ROWS struct rows *rows = NULL;
    enum err_code code = dry_run->engine->ask(dry_run->watcher, ENGINE_QUERY_RELATIONS, NULL, 0,
                                              rh_clock_after(rh_clock_mono(), ASK_MAX_US), &rows,
                                              err);

    if (code) {
        rh_err_while(err, "while reading which relations there are");
        return code;
    }
    rh_relation_map_init(&dry_run->relations, arena);
    for (size_t i = 0; i < rh_rows_count(rows); i++) {
        struct relation_record *record = rh_relation_map_add(&dry_run->relations,
                                                             rh_rows_int(rows, i, ID, 0));
        struct observed_relation *facts = &record->facts;
        const char *table = rh_rows_value(rows, i, TABLE_NAME);
        facts->name = rh_arena_strdup(arena, rh_rows_value(rows, i, NAME));
        facts->kind = rh_arena_strdup(arena, rh_rows_value(rows, i, KIND));
        facts->table = table ? rh_arena_strdup(arena, table) : facts->name;
        facts->table_id = rh_rows_int(rows, i, TABLE_ID, facts->id);
        facts->storage_id = rh_rows_int(rows, i, STORAGE_ID, 0);
        facts->rows_estimate = rh_rows_int(rows, i, ROWS, NOT_OBSERVED);
        facts->bytes = rh_rows_int(rows, i, BYTES, 0);
        facts->is_system = rh_rows_bool(rows, i, IS_SYSTEM);
        facts->rows_now = 0; /* rows that scans have read of it so far */
        facts->preexisting = true;
    }
    return RH_OK;
}

static void add_facts(struct dry_run *dry_run, const char *name, size_t *reads)
{
    struct trace *trace = dry_run->trace;
    const struct observed_relation *facts = NULL;

    for (size_t i = 0; i < trace->relations.count; i++)
        if (strcmp(trace->relations.items[i].name, name) == 0)
            return;
    for (size_t i = 0; i < dry_run->relations.capacity && !facts; i++)
        if (dry_run->relations.slots[i] &&
            strcmp(dry_run->relations.slots[i]->facts.name, name) == 0)
            facts = &dry_run->relations.slots[i]->facts;
    if (!facts)
        return;
    struct relation_facts *added = RH_PUSH(dry_run->arena, &trace->relations);
    *added = (struct relation_facts){.name = facts->name,
                                     .kind = facts->kind,
                                     .rows = facts->rows_estimate,
                                     .bytes = facts->bytes};
    RH_CLEANUP_ROWS struct rows *rows = NULL;
    struct err ignored = RH_ERR_INIT;
    if (facts->rows_estimate > 0 || ++*reads > EMPTINESS_READS_MAX ||
        (strcmp(facts->kind, "table") != 0 && strcmp(facts->kind, "materialized view") != 0))
        return;
    /* Refused: not proven empty. */
    if (!dry_run->engine->query(dry_run->watcher,
                                dry_run->engine->any_row_sql(dry_run->arena, facts->name), NULL, 0,
                                rh_clock_after(rh_clock_mono(), ASK_MAX_US), &rows, &ignored))
        added->is_empty = rh_rows_count(rows) == 0;
}

void rh_dry_run_describe_relations(struct dry_run *dry_run)
{
    const struct trace *trace = dry_run->trace;
    size_t reads = 0;

    for (size_t i = 0; i < trace->statements.count; i++)
        for (size_t k = 0; k < trace->statements.items[i].locks.count; k++)
            add_facts(dry_run, trace->statements.items[i].locks.items[k].table, &reads);
}

/* --- a statement -------------------------------------------------------------------------------
 */

/* Columns of ENGINE_QUERY_OWN_BOUNDARY. */
enum { LOCK_TIMEOUT, STATEMENT_TIMEOUT, WAL_POSITION, LOCKS, FILES, SCANS };

/* The server's order: by relation, then by mode. */
static int compare_locks(const struct held_lock *a, const struct held_lock *b)
{
    if (a->relation_id != b->relation_id)
        return a->relation_id < b->relation_id ? -1 : 1;
    return strcmp(a->mode, b->mode);
}

static void take_lock(struct dry_run *dry_run, struct statement *statement,
                      const struct held_lock *held)
{
    const struct relation_record *record = rh_relation_map_find(&dry_run->relations,
                                                                held->relation_id);

    if (!record || record->facts.is_system || !statement)
        return;
    struct lock *lock = RH_PUSH(dry_run->arena, &statement->locks);
    *lock = (struct lock){
        .relation = record->facts.name,
        .kind = record->facts.kind,
        .table = record->facts.table,
        .mode = held->mode,
        .acquired_us = statement->start_us,
        .preexisting = true,
        .observation = OBSERVED_EXACT,
    };
    dry_run->engine->lock_blocks(held->mode, &lock->blocks_reads, &lock->blocks_writes);
    dry_run->is_blocking = dry_run->is_blocking || lock->blocks_reads || lock->blocks_writes;
}

/* A mode's own name, kept once. */
static const char *mode_name(struct dry_run *dry_run, const char *mode)
{
    for (size_t i = 0; i < dry_run->modes.count; i++)
        if (strcmp(dry_run->modes.items[i], mode) == 0)
            return dry_run->modes.items[i];
    return *RH_PUSH(dry_run->arena, &dry_run->modes) = rh_arena_strdup(dry_run->arena, mode);
}

/* What is held now and was not before; in a transaction nothing is given back but with a savepoint.
   Both lists are in the server's order. */
static void take_locks(struct dry_run *dry_run, struct statement *statement, const char *text)
{
    json_t *locks = text ? json_loads(text, 0, NULL) : NULL;
    size_t count = json_array_size(locks), before = 0;
    struct held_lock *held = calloc(count + 1, sizeof(*held));

    if (!held)
        RH_PANIC("out of memory for %zu locks", count);
    for (size_t i = 0; i < count; i++) {
        const json_t *pair = json_array_get(locks, i);
        const char *mode = json_string_value(json_array_get(pair, 1));
        held[i] = (struct held_lock){json_integer_value(json_array_get(pair, 0)),
                                     mode_name(dry_run, mode ? mode : "")};
        while (before < dry_run->held_count && compare_locks(&dry_run->held[before], &held[i]) < 0)
            before++;
        if (before == dry_run->held_count || compare_locks(&dry_run->held[before], &held[i]) != 0)
            take_lock(dry_run, statement, &held[i]);
    }
    free(dry_run->held);
    dry_run->held = held;
    dry_run->held_count = count;
    json_decref(locks);
}

/* The reasons that a command's name tells for certain; of ALTER TABLE nothing but the fact. */
static const char *rewrite_reason(const char *tag)
{
    static const char *const reasons[][2] = {{"TRUNCATE TABLE", "truncate"},
                                             {"CLUSTER", "cluster"},
                                             {"REINDEX", "reindex"},
                                             {"REFRESH MATERIALIZED VIEW", "refresh"}};

    for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
        if (strcmp(tag, reasons[i][0]) == 0)
            return reasons[i][1];
    return "unknown";
}

static void take_files(struct dry_run *dry_run, struct statement *statement, const char *text)
{
    json_t *files = text ? json_loads(text, 0, NULL) : NULL;
    json_t *pair;
    size_t i;

    json_array_foreach(files, i, pair)
    {
        struct relation_record *record = rh_relation_map_find(
            &dry_run->relations, json_integer_value(json_array_get(pair, 0)));
        int64_t storage_id = json_integer_value(json_array_get(pair, 1));
        if (!record || record->facts.storage_id == storage_id || storage_id == 0)
            continue;
        record->facts.storage_id = storage_id;
        if (statement && strcmp(record->facts.kind, "toast table") != 0)
            *RH_PUSH(dry_run->arena, &statement->rewrites) = (struct rewrite){
                .relation = record->facts.name,
                .table = record->facts.table,
                .kind = record->facts.kind,
                .reason = rewrite_reason(statement->tag),
                .bytes = NOT_OBSERVED,
                .preexisting = true,
                .observation = OBSERVED_EXACT};
    }
    json_decref(files);
}

static void take_scans(struct dry_run *dry_run, struct statement *statement, const char *text)
{
    json_t *scans = text ? json_loads(text, 0, NULL) : NULL;
    json_t *pair;
    size_t i;

    json_array_foreach(scans, i, pair)
    {
        struct relation_record *record = rh_relation_map_find(
            &dry_run->relations, json_integer_value(json_array_get(pair, 0)));
        int64_t rows = json_integer_value(json_array_get(pair, 1));
        if (!record || record->facts.is_system || rows <= record->facts.rows_now)
            continue;
        if (statement)
            *RH_PUSH(dry_run->arena,
                     &statement->scans) = (struct scan){.relation = record->facts.name,
                                                        .rows = rows - record->facts.rows_now,
                                                        .preexisting = true,
                                                        .observation = OBSERVED_EXACT};
        record->facts.rows_now = rows;
    }
    json_decref(scans);
}

enum err_code rh_dry_run_look(struct dry_run *dry_run, struct statement *statement, struct err *err)
{
    RH_CLEANUP_ROWS struct rows *rows = NULL;
    enum err_code code = dry_run->engine->ask(dry_run->connection, ENGINE_QUERY_OWN_BOUNDARY, NULL,
                                              0, rh_clock_after(rh_clock_mono(), ASK_MAX_US), &rows,
                                              err);

    if (code)
        return code;
    int64_t wal_position = rh_rows_int(rows, 0, WAL_POSITION, 0);
    size_t locks = statement ? statement->locks.count : 0;
    take_locks(dry_run, statement, rh_rows_value(rows, 0, LOCKS));
    take_files(dry_run, statement, rh_rows_value(rows, 0, FILES));
    take_scans(dry_run, statement, rh_rows_value(rows, 0, SCANS));
    dry_run->lock_ms = rh_rows_int(rows, 0, LOCK_TIMEOUT, 0);
    dry_run->statement_ms = rh_rows_int(rows, 0, STATEMENT_TIMEOUT, 0);
    if (statement) {
        statement->wal_bytes = wal_position - dry_run->wal_position;
        statement->observation = OBSERVED_EXACT;
        if (dry_run->was_blocking && statement->locks.count == locks &&
            rh_tag_can_block(statement->tag)) {
            statement->observation = OBSERVED_NOT;
            statement->not_observed_reason = "what it locks, earlier statements of the transaction "
                                             "had locked already";
        }
    }
    dry_run->wal_position = wal_position;
    return RH_OK;
}
