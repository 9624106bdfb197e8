/*
 * What is known only afterwards: how long locks were held, which storage changed at the commit,
 * which table an index belongs to, and how well each statement was observed.
 */
#include "trace/recorder_int.h"

/* The database's size is measured after statements that ran this long or wrote this much: looking
   at some hundred files takes half a millisecond, in which the client waits. */
#define MEASURE_DISK_AFTER_US (50 * 1000)
#define MEASURE_DISK_AFTER_WAL (1024 * 1024)
/* So many samples without a lock are taken for "it held none for long". */
#define SAMPLES_MIN 3

static bool is_one_of(const char *s, const char *const *names)
{
    for (; *names; names++)
        if (strcmp(s, *names) == 0)
            return true;
    return false;
}

bool rh_recorder_is_control(const char *tag)
{
    /* Commands that lock no relation (source: the manual's pages of each; "" is an empty query). */
    static const char *const tags[] = {"",
                                       "BEGIN",
                                       "START TRANSACTION",
                                       "COMMIT",
                                       "ROLLBACK",
                                       "SAVEPOINT",
                                       "RELEASE",
                                       "PREPARE TRANSACTION",
                                       "SET",
                                       "RESET",
                                       "SHOW",
                                       "LISTEN",
                                       "UNLISTEN",
                                       "NOTIFY",
                                       "DEALLOCATE",
                                       "DEALLOCATE ALL",
                                       "CHECKPOINT",
                                       "CLOSE CURSOR",
                                       "CLOSE CURSOR ALL",
                                       "LOAD",
                                       NULL};
    return is_one_of(tag, tags);
}

bool rh_recorder_tag_may_change_storage(const char *tag)
{
    /* Commands no event trigger tells of (TRUNCATE, CLUSTER, VACUUM; REINDEX before 17), and those
       that may run them. */
    static const char *const tags[] = {"TRUNCATE TABLE",
                                       "CLUSTER",
                                       "VACUUM",
                                       "REINDEX",
                                       "REPACK",
                                       "REFRESH MATERIALIZED VIEW",
                                       "DO",
                                       "CALL",
                                       NULL};
    return is_one_of(tag, tags);
}

/* Commands that fire ddl_command_start and ddl_command_end whatever they do ("Event Trigger Firing
   Matrix"); those on objects shared by databases never do. */
static bool must_report(const char *tag)
{
    static const char *const verbs[] = {"CREATE ", "ALTER ", "DROP ", NULL};
    static const char *const shared[] = {"DATABASE",      "ROLE",   "TABLESPACE",
                                         "EVENT TRIGGER", "SYSTEM", NULL};
    for (size_t i = 0; verbs[i]; i++)
        if (strncmp(tag, verbs[i], strlen(verbs[i])) == 0)
            return !is_one_of(tag + strlen(verbs[i]), shared);
    return strcmp(tag, "REFRESH MATERIALIZED VIEW") == 0 || strcmp(tag, "SELECT INTO") == 0 ||
           strcmp(tag, "IMPORT FOREIGN SCHEMA") == 0;
}

/* --- locks --- */

/* An existing table (or what holds data like one) stands in the trace with what it was before. */
static void note_touched(struct recorder *recorder, const struct held_lock *held)
{
    struct arena *arena = recorder->trace->arena;
    int64_t id = held->table_id != 0 ? held->table_id : held->relation_id;
    const struct observed_relation *table = recorder->observer
                                                ? rh_observer_find(recorder->observer, id)
                                                : NULL;
    const struct lock_sight sight = {.relation_id = id, .mode = "", .granted = true};
    bool is_new = false;
    if (!table || !table->preexisting || table->is_system || !rh_recorder_is_table(table->kind) ||
        !rh_lock_book_see(&recorder->touched, &sight, 0, 0, &is_new) || !is_new)
        return;
    *RH_PUSH(arena, &recorder->trace->relations) = (struct relation_facts){
        .name = rh_arena_strdup(arena, table->name),
        .kind = rh_arena_strdup(arena, table->kind),
        .rows = table->rows_estimate,
        .is_empty = table->is_empty,
        .bytes = table->bytes};
}

void rh_recorder_settle_lock(struct recorder_session *session, struct held_lock *held,
                             int64_t end_us)
{
    struct recorder *recorder = session->recorder;
    struct arena *arena = recorder->trace->arena;
    rh_recorder_name_lock(session, held);
    if (held->is_system || !held->relation || held->statement < 0)
        return;
    if (held->preexisting)
        note_touched(recorder, held);
    const struct statement *top = rh_recorder_statement(recorder, held->statement);
    struct lock_times times = rh_lock_book_times(held, end_us, top->finished && !top->error);
    struct statement *statement = rh_recorder_at(
        recorder, (struct place){held->statement, held->child, held->grandchild});
    *RH_PUSH(arena, &statement->locks) = (struct lock){
        .relation = rh_arena_strdup(arena, held->relation),
        .kind = held->kind ? rh_arena_strdup(arena, held->kind) : "table",
        .table = rh_arena_strdup(arena, held->table ? held->table : held->relation),
        .mode = rh_arena_strdup(arena, held->mode),
        .acquired_us = times.acquired_us,
        .held_us = times.held_us,
        .waited_us = times.waited_us,
        .waited_for = held->waited_for ? rh_arena_strdup(arena, held->waited_for) : NULL,
        .preexisting = held->preexisting,
        .blocks_reads = held->blocks_reads,
        .blocks_writes = held->blocks_writes,
        .observation = held->observation};
}

static void settle_locks(struct recorder_session *session)
{
    for (size_t i = 0; i < session->locks.count; i++)
        rh_recorder_settle_lock(session, &session->locks.items[i], session->transaction_end_us);
    if (session->locks.overflowed)
        session->recorder->why_counts[WHY_OVERFLOW]++;
}

/* --- rewrites --- */

/* Why storage changed that no table_rewrite event told of; NULL when this tag cannot have done it.
 */
static const char *reason_of(const char *tag, bool is_index)
{
    static const struct {
        const char *tag, *table_reason, *index_reason;
    } reasons[] = {
        {"TRUNCATE TABLE", "truncate", "truncate"},
        {"CLUSTER", "cluster", "cluster"},
        {"REPACK", "cluster", "cluster"},
        {"VACUUM", "vacuum full", "vacuum full"},
        {"REINDEX", "reindex", "reindex"},
        {"REFRESH MATERIALIZED VIEW", "refresh", "refresh"},
        /* Moving to another tablespace is the one new storage without that event; an index alone is
           built again for a type whose values stay as they are. */
        {"ALTER TABLE", "tablespace", "column type"},
        {"ALTER MATERIALIZED VIEW", "tablespace", "tablespace"},
        {"ALTER INDEX", "tablespace", "tablespace"},
    };
    for (size_t i = 0; tag && i < sizeof(reasons) / sizeof(reasons[0]); i++)
        if (strcmp(tag, reasons[i].tag) == 0)
            return is_index ? reasons[i].index_reason : reasons[i].table_reason;
    return NULL;
}

struct cause {
    struct place place;
    const char *reason;
    int rank; /* 0: none found; higher is surer */
};

static bool has_exclusive_lock(const struct statement *statement, const char *relation)
{
    for (size_t i = 0; i < statement->locks.count; i++)
        if (strcmp(statement->locks.items[i].relation, relation) == 0 &&
            strcmp(statement->locks.items[i].mode, "AccessExclusiveLock") == 0)
            return true;
    return false;
}

static void weigh(const struct statement *statement, struct place place, const char *relation,
                  const char *table, bool is_index, struct cause *best)
{
    const char *reason = reason_of(statement->tag, is_index);
    int rank = reason ? 1 : 0;
    if (has_exclusive_lock(statement, relation) || (table && has_exclusive_lock(statement, table)))
        rank += 2;
    for (size_t i = 0; is_index && table && i < statement->rewrites.count; i++)
        if (strcmp(statement->rewrites.items[i].relation, table) == 0) {
            reason = statement->rewrites.items[i].reason;
            rank = 4;
        }
    /* The later statement wins: the one before it was settled by what it saw then. */
    if (rank > 0 && rank >= best->rank)
        *best = (struct cause){place, reason ? reason : "unknown", rank};
}

static struct cause find_cause(struct recorder_session *session, const char *relation,
                               const char *table, bool is_index)
{
    struct cause best = {PLACE_NONE, "unknown", 0};
    for (size_t i = 0; i < session->statements.count; i++) {
        struct place place = {session->statements.items[i], -1, -1};
        const struct statement *top = rh_recorder_at(session->recorder, place);
        weigh(top, place, relation, table, is_index, &best);
        for (place.child = 0; place.child < (int)top->children.count; place.child++) {
            const struct statement *child = &top->children.items[place.child];
            weigh(child, place, relation, table, is_index, &best);
            struct place inner = place;
            for (inner.grandchild = 0; inner.grandchild < (int)child->children.count;
                 inner.grandchild++)
                weigh(&child->children.items[inner.grandchild], inner, relation, table, is_index,
                      &best);
        }
    }
    if (best.place.statement < 0 && session->statements.count > 0)
        best.place.statement = session->statements.items[session->statements.count - 1];
    return best;
}

static const struct pending_index *find_index(const struct recorder_session *session, int64_t id)
{
    for (size_t i = 0; i < session->indexes.count; i++)
        if (session->indexes.items[i].relation_id == id)
            return &session->indexes.items[i];
    return NULL;
}

/* New storage needs ACCESS EXCLUSIVE on the relation ("Explicit Locking"; every command above is
   listed there): a lock that no one saw was still there, at most from the statement's start. */
static void note_exclusive(struct recorder_session *session, struct statement *statement,
                           const struct storage_change *change, const char *table)
{
    struct arena *arena = session->recorder->trace->arena;
    if (has_exclusive_lock(statement, change->name))
        return;
    *RH_PUSH(arena, &statement->locks) = (struct lock){
        .relation = rh_arena_strdup(arena, change->name),
        .kind = change->kind ? rh_arena_strdup(arena, change->kind) : "table",
        .table = rh_arena_strdup(arena, table ? table : change->name),
        .mode = "AccessExclusiveLock",
        .acquired_us = statement->start_us,
        .held_us = session->transaction_end_us - statement->start_us,
        .preexisting = change->preexisting,
        .blocks_reads = true,
        .blocks_writes = true,
        .observation = OBSERVED_SAMPLED};
}

static void settle_change(struct recorder_session *session, const struct storage_change *change)
{
    struct recorder *recorder = session->recorder;
    struct arena *arena = recorder->trace->arena;
    for (size_t i = 0; i < session->rewrites.count; i++) {
        const struct pending_rewrite *rewrite = &session->rewrites.items[i];
        struct statement *statement = rh_recorder_at(recorder, rewrite->place);
        if (rewrite->relation_id != change->relation_id)
            continue;
        statement->rewrites.items[rewrite->item].bytes = change->bytes;
        return;
    }
    const struct observed_relation *relation = rh_observer_find(recorder->observer,
                                                                change->relation_id);
    if (strncmp(change->name, "pg_toast.", 9) == 0 || (relation && relation->is_system))
        return;
    bool is_index = change->kind && strcmp(change->kind, "index") == 0;
    const char *table = relation && relation->table ? relation->table : NULL;
    struct cause cause = find_cause(session, change->name, table, is_index);
    struct statement *statement = rh_recorder_at(recorder, cause.place);
    if (!statement)
        return;
    note_exclusive(session, statement, change, table);
    *RH_PUSH(arena, &statement->rewrites) = (struct rewrite){
        .relation = rh_arena_strdup(arena, change->name),
        .table = table ? rh_arena_strdup(arena, table) : NULL,
        .kind = change->kind ? rh_arena_strdup(arena, change->kind) : "table",
        .reason = cause.reason,
        .bytes = change->bytes,
        .preexisting = change->preexisting,
        .observation = OBSERVED_EXACT};
    if (is_index && strcmp(cause.reason, "reindex") == 0 &&
        !find_index(session, change->relation_id))
        *RH_PUSH(arena, &statement->indexes) = (struct index_work){
            .index = rh_arena_strdup(arena, change->name),
            .table = table ? rh_arena_strdup(arena, table) : "",
            .concurrently = false,
            .preexisting_table = change->preexisting};
}

/* Tables before indexes: what rebuilt an index is told by its table. */
static void settle_changes(struct recorder_session *session, const struct storage_change *changes,
                           size_t count)
{
    for (int pass = 0; pass < 2 && session->recorder->observer; pass++)
        for (size_t i = 0; i < count; i++) {
            bool is_index = changes[i].kind && strcmp(changes[i].kind, "index") == 0;
            if (is_index == (pass == 1))
                settle_change(session, &changes[i]);
        }
}

/* --- indexes --- */

static bool was_preexisting(const struct recorder_session *session, int64_t table_id,
                            const char *table)
{
    struct recorder *recorder = session->recorder;
    const struct observed_relation *relation = recorder->observer && table_id != 0
                                                   ? rh_observer_find(recorder->observer, table_id)
                                                   : NULL;
    if (relation)
        return relation->preexisting;
    for (size_t i = 0; table && i < session->locks.count; i++) {
        const struct held_lock *held = &session->locks.items[i];
        if (held->relation && strcmp(held->relation, table) == 0)
            return held->preexisting;
    }
    return false;
}

/* The table of a build that the log tells of: one that the session used, or the only one of that
 * name.
 */
static const struct observed_relation *find_built(const struct recorder_session *session,
                                                  const char *table)
{
    const struct observer *observer = session->recorder->observer;
    for (size_t i = 0; observer && i < session->scans.count + session->locks.count; i++) {
        int64_t id = i < session->scans.count
                         ? session->scans.items[i].relation_id
                         : session->locks.items[i - session->scans.count].relation_id;
        const struct observed_relation *relation = rh_observer_find(observer, id);
        if (relation && !relation->is_system && rh_recorder_is_table(relation->kind) &&
            rh_observed_is_named(relation, table))
            return relation;
    }
    return observer ? rh_observer_find_bare(observer, table) : NULL;
}

/* By its locks or, where it was over before anybody saw them, by what the log tells of its builds.
 */
static void find_rebuilt(struct recorder_session *session, int number)
{
    struct arena *arena = session->recorder->trace->arena;
    struct statement *statement = rh_recorder_statement(session->recorder, number);
    for (size_t k = 0; k < statement->locks.count; k++) {
        const struct lock *lock = &statement->locks.items[k];
        if (strcmp(lock->kind, "index") == 0 && lock->preexisting && !lock->blocks_reads &&
            strcmp(lock->mode, "ShareUpdateExclusiveLock") == 0)
            *RH_PUSH(arena, &statement->indexes) = (struct index_work){.index = lock->relation,
                                                                       .table = lock->table,
                                                                       .concurrently = true,
                                                                       .preexisting_table = true};
    }
    for (size_t k = 0; statement->indexes.count == 0 && k < session->builds.count; k++) {
        const struct index_build *build = &session->builds.items[k];
        const struct observed_relation *table = build->statement == number && build->is_concurrent
                                                    ? find_built(session, build->table)
                                                    : NULL;
        if (table)
            *RH_PUSH(arena, &statement->indexes) = (struct index_work){
                .index = rh_arena_strdup(arena, build->index),
                .table = rh_arena_strdup(arena, table->name),
                .concurrently = true,
                .preexisting_table = table->preexisting};
    }
}

static void settle_indexes(struct recorder_session *session)
{
    struct recorder *recorder = session->recorder;
    struct arena *arena = recorder->trace->arena;
    for (size_t i = 0; i < session->indexes.count; i++) {
        struct pending_index *index = &session->indexes.items[i];
        struct statement *statement = rh_recorder_at(recorder, index->place);
        const struct observed_relation *relation = recorder->observer
                                                       ? rh_observer_find(recorder->observer,
                                                                          index->relation_id)
                                                       : NULL;
        if (relation && relation->table_id != 0 && relation->table_id != relation->id)
            index->table_id = relation->table_id;
        if (!index->table && relation)
            index->table = relation->table;
        *RH_PUSH(arena, &statement->indexes) = (struct index_work){
            .index = rh_arena_strdup(arena, index->identity),
            .table = rh_arena_strdup(arena, index->table ? index->table : ""),
            .concurrently = index->is_concurrent,
            .preexisting_table = was_preexisting(session, index->table_id, index->table)};
    }
    /* REINDEX CONCURRENTLY puts new indexes in the place of the old, and reports none. */
    for (size_t i = 0; i < session->statements.count; i++) {
        struct statement *statement = rh_recorder_statement(recorder, session->statements.items[i]);
        if (statement->tag && strcmp(statement->tag, "REINDEX") == 0 &&
            statement->indexes.count == 0)
            find_rebuilt(session, session->statements.items[i]);
    }
}

/* --- parallel builds --- */

/* Of that table, in a statement and the commands inside it. */
static struct scan *find_scan_of(struct statement *statement, const char *table,
                                 enum observation observation)
{
    struct scan *found = NULL;
    for (size_t i = 0; i < statement->scans.count && !found; i++)
        if (statement->scans.items[i].observation == observation &&
            strcmp(statement->scans.items[i].relation, table) == 0)
            found = &statement->scans.items[i];
    for (size_t i = 0; i < statement->children.count && !found; i++)
        found = find_scan_of(&statement->children.items[i], table, observation);
    return found;
}

/* Whose table it was is not known (renamed meanwhile): no count of this statement is sure. */
static void doubt_scans(struct statement *statement)
{
    for (size_t i = 0; i < statement->scans.count; i++) {
        statement->scans.items[i].rows = NOT_OBSERVED;
        statement->scans.items[i].observation = OBSERVED_SAMPLED;
    }
    for (size_t i = 0; i < statement->children.count; i++)
        doubt_scans(&statement->children.items[i]);
}

/*
 * The leader counts the rows it read itself, which may be all or none. It begins every scan of the
 * command, though, and those of a build read the whole table (twice when CONCURRENTLY): each counts
 * for as many rows as the build left in the catalogue. Where the session reported no scan (REINDEX
 * before 17 fires no event triggers), the builds that the log tells of are counted.
 */
static void settle_parallel_builds(struct recorder_session *session)
{
    struct recorder *recorder = session->recorder;
    struct arena *arena = recorder->trace->arena;
    for (size_t i = 0; i < session->builds.count; i++) {
        const struct index_build *build = &session->builds.items[i];
        if (!build->is_parallel)
            continue;
        const struct observed_relation *table = find_built(session, build->table);
        struct statement *statement = rh_recorder_statement(recorder, build->statement);
        if (!table) {
            doubt_scans(statement);
            continue;
        }
        struct scan *scan = find_scan_of(statement, table->name, OBSERVED_EXACT);
        int64_t total = table->rows_now;
        if (!scan)
            scan = find_scan_of(statement, table->name, OBSERVED_SAMPLED);
        if (!scan) { /* the leader had no row of it */
            scan = RH_PUSH(arena, &statement->scans);
            *scan = (struct scan){.relation = rh_arena_strdup(arena, table->name),
                                  .preexisting = table->preexisting};
        }
        if (total < 0 || scan->rows < 0)
            scan->rows = NOT_OBSERVED;
        else
            scan->rows = scan->begun > 0 ? scan->begun * total
                                         : scan->rows + (build->is_concurrent ? 2 : 1) * total;
        scan->observation = OBSERVED_SAMPLED;
    }
}

void rh_recorder_settle_transaction(struct recorder_session *session,
                                    const struct storage_change *changes, size_t change_count)
{
    settle_locks(session);
    settle_changes(session, changes, change_count);
    settle_indexes(session);
    settle_parallel_builds(session);
    rh_recorder_end_probes(session);
    rh_lock_book_clear(&session->locks);
    rh_arena_clear(session->arena);
    memset(&session->statements, 0, sizeof(session->statements));
    memset(&session->indexes, 0, sizeof(session->indexes));
    memset(&session->rewrites, 0, sizeof(session->rewrites));
    memset(&session->scans, 0, sizeof(session->scans));
    memset(&session->builds, 0, sizeof(session->builds));
    memset(&session->probed, 0, sizeof(session->probed));
    session->transaction = -1;
    session->is_explicit = false;
    session->has_ended = false;
    session->may_have_changed_storage = false;
    session->has_strong_lock = false;
}

/* --- statements --- */

bool rh_recorder_needs_no_locks(const struct recorder_session *session,
                                const struct running *running)
{
    if (running->index < 0)
        return true;
    const struct statement *statement = rh_recorder_statement(session->recorder, running->index);
    if (running->has_error || running->is_incomplete || running->piece_count > 0)
        return false;
    if (statement->tag && rh_recorder_is_control(statement->tag))
        return strcmp(statement->tag, "ROLLBACK") != 0; /* TO SAVEPOINT lets locks go */
    return running->saw_end && !running->is_concurrent;
}

/* The one new storage that no event tells of and no index lock betrays. */
static bool mentions_tablespace(const struct statement *statement)
{
    if (strcasestr(statement->sql, "tablespace"))
        return true;
    for (size_t i = 0; i < statement->children.count; i++)
        if (mentions_tablespace(&statement->children.items[i]))
            return true;
    return false;
}

bool rh_recorder_needs_storage(const struct recorder_session *session)
{
    if (session->may_have_changed_storage)
        return true;
    if (!session->has_strong_lock)
        return false;
    /* An existing index is built again under ACCESS EXCLUSIVE on it. */
    for (size_t i = 0; i < session->locks.count; i++) {
        const struct held_lock *held = &session->locks.items[i];
        if (held->preexisting && held->kind && held->blocks_reads &&
            strcmp(held->kind, "index") == 0)
            return true;
    }
    for (size_t i = 0; i < session->statements.count; i++)
        if (mentions_tablespace(
                rh_recorder_statement(session->recorder, session->statements.items[i])))
            return true;
    return false;
}

static enum why_not_observed judge_observation(const struct recorder_session *session,
                                               const struct running *running,
                                               const struct statement *statement,
                                               enum why_not_observed why_not,
                                               enum observation *ret_observation)
{
    bool is_control = statement->tag && rh_recorder_is_control(statement->tag);
    bool has_pieces = running->piece_count > 0;
    *ret_observation = OBSERVED_EXACT;
    if (is_control && !has_pieces && !running->has_error)
        return WHY_OBSERVED;
    /* Inside a transaction: what it locked is held until the boundary; an error let it all go. */
    if (why_not == WHY_OBSERVED && session->status == 'T' && statement->in_transaction)
        return WHY_OBSERVED;
    if (running->is_incomplete) {
        *ret_observation = running->sample_count > 0 ? OBSERVED_SAMPLED : OBSERVED_NOT;
        return WHY_INCOMPLETE;
    }
    if (has_pieces ? !running->lost_piece && !running->has_unseen_piece && !running->has_error
                   : running->saw_end && !running->is_concurrent)
        return WHY_OBSERVED;
    bool lacks_evidence = statement->ok && !has_pieces && statement->tag &&
                          must_report(statement->tag) && !running->saw_evidence &&
                          session->recorder->options.engine->evidence_sqlstate;
    /* One or two samples that show nothing prove nothing: the lock may have come after them. */
    bool was_sampled = running->sample_count >= SAMPLES_MIN ||
                       (running->sample_count > 0 && statement->locks.count > 0);
    bool was_reported = running->saw_evidence && !running->has_error && !running->is_concurrent;
    if (!lacks_evidence && (was_sampled || was_reported)) {
        *ret_observation = OBSERVED_SAMPLED;
        return WHY_OBSERVED;
    }
    *ret_observation = OBSERVED_NOT;
    if (lacks_evidence)
        return WHY_NO_EVIDENCE;
    if (!statement->finished)
        return WHY_UNFINISHED;
    if (why_not != WHY_OBSERVED)
        return why_not;
    return running->has_error ? WHY_FAILED : WHY_SHORT;
}

static const char *why_text(enum why_not_observed why)
{
    static const char *const texts[WHY_COUNT] = {
#define X(symbol, text) text,
        NOT_OBSERVED_LIST(X)
#undef X
    };
    return texts[why];
}

int64_t rh_recorder_disk_bytes(struct recorder *recorder)
{
    if (!recorder->options.data_directory)
        return -1;
    return recorder->options.engine->data_bytes(recorder->options.data_directory);
}

static void share_observation(struct statement *child, const struct statement *parent)
{
    if (child->observation < parent->observation)
        child->observation = parent->observation;
    if (child->observation == OBSERVED_NOT)
        child->not_observed_reason = parent->not_observed_reason;
    for (size_t i = 0; i < child->children.count; i++)
        share_observation(&child->children.items[i], child);
}

static void measure_disk(struct recorder *recorder, const struct running *running,
                         struct statement *statement)
{
    if (!recorder->options.data_directory ||
        (recorder->disk_bytes >= 0 && statement->duration_us < MEASURE_DISK_AFTER_US &&
         statement->wal_bytes < MEASURE_DISK_AFTER_WAL && !running->moves_data))
        return;
    int64_t bytes = rh_recorder_disk_bytes(recorder);
    if (bytes < 0)
        return;
    if (recorder->disk_bytes >= 0)
        statement->disk_growth_bytes = bytes - recorder->disk_bytes;
    recorder->disk_bytes = bytes;
}

void rh_recorder_settle_batch(struct recorder_session *session, enum why_not_observed why_not)
{
    struct recorder *recorder = session->recorder;
    if (session->batch.count > 0)
        rh_recorder_read_log(recorder);
    for (size_t i = 0; i < session->batch.count; i++) {
        struct running *running = &session->batch.items[i];
        if (running->index < 0)
            continue;
        struct statement *statement = rh_recorder_statement(recorder, running->index);
        enum observation observation;
        enum why_not_observed why = judge_observation(session, running, statement, why_not,
                                                      &observation);
        statement->observation = observation;
        statement->not_observed_reason = why == WHY_OBSERVED ? NULL : why_text(why);
        /* Commands inside that reported nothing themselves are seen as well as the whole. */
        for (size_t k = 0; k < statement->children.count; k++)
            share_observation(&statement->children.items[k], statement);
        if (why != WHY_OBSERVED)
            recorder->why_counts[why]++;
        if (i + 1 == session->batch.count)
            measure_disk(recorder, running, statement);
        rh_event_statement_ended(recorder, running->index);
    }
    rh_arena_clear(session->batch_arena);
    memset(&session->batch, 0, sizeof(session->batch));
}
