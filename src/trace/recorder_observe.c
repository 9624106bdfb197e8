/*
 * What the server reports from inside and what the observer reads, put where it belongs: into the
 * book of locks of the transaction, and to the innermost command that did it. A fact stands once:
 * at the piece of a multi-statement string or the command inside DO or a function, else at the
 * statement.
 */
#include "trace/recorder_int.h"

#include "trace/redact.h"

/* A relation of this size is worth measuring the disk when it goes or is written anew. */
#define NOTICEABLE_BYTES (1024 * 1024)

/* --- locks --- */

static const char *const lock_modes[] = {
    "AccessShareLock", "RowShareLock",          "RowExclusiveLock", "ShareUpdateExclusiveLock",
    "ShareLock",       "ShareRowExclusiveLock", "ExclusiveLock",    "AccessExclusiveLock",
};

static const char *intern_mode(struct recorder_session *session, const char *mode)
{
    for (size_t i = 0; i < sizeof(lock_modes) / sizeof(lock_modes[0]); i++)
        if (strcmp(lock_modes[i], mode) == 0)
            return lock_modes[i];
    return rh_arena_strdup(session->arena, mode);
}

static bool is_system_name(const char *name)
{
    static const char *const schemas[] = {"pg_catalog.", "pg_toast.", "information_schema.",
                                          "rehearse."};
    for (size_t i = 0; i < sizeof(schemas) / sizeof(schemas[0]); i++)
        if (strncmp(name, schemas[i], strlen(schemas[i])) == 0)
            return true;
    return false;
}

static void name_held(struct recorder_session *session, struct held_lock *held)
{
    struct recorder *recorder = session->recorder;
    const struct observed_relation *relation = recorder->observer
                                                   ? rh_observer_find(recorder->observer,
                                                                      held->relation_id)
                                                   : NULL;
    if (!relation)
        return;
    held->is_system = relation->is_system || is_system_name(relation->name);
    held->preexisting = relation->preexisting;
    held->table_id = relation->table_id;
    if (held->is_system || held->relation)
        return;
    held->relation = rh_arena_strdup(session->arena, relation->name);
    held->kind = relation->kind ? rh_arena_strdup(session->arena, relation->kind) : NULL;
    held->table = rh_arena_strdup(session->arena,
                                  relation->table ? relation->table : relation->name);
}

void rh_recorder_name_lock(struct recorder_session *session, struct held_lock *held)
{
    if (!held->relation && !held->is_system)
        name_held(session, held);
}

bool rh_recorder_is_table(const char *kind)
{
    return kind && (strcmp(kind, "table") == 0 || strcmp(kind, "partitioned table") == 0 ||
                    strcmp(kind, "materialized view") == 0);
}

/* Canary sessions try the table while the migration holds, or waits for, a lock that blocks them.
 */
static void probe(struct recorder_session *session, const struct held_lock *held)
{
    struct recorder *recorder = session->recorder;
    if (!held->preexisting || held->is_system || (!held->blocks_reads && !held->blocks_writes) ||
        !recorder->observer || recorder->observer_lost)
        return;
    const struct observed_relation *table = rh_observer_find(
        recorder->observer, held->table_id != 0 ? held->table_id : held->relation_id);
    if (!table || !rh_recorder_is_table(table->kind))
        return;
    bool is_known = false;
    for (size_t i = 0; i < session->probed.count; i++)
        is_known |= session->probed.items[i] == table->id;
    if (!is_known)
        *RH_PUSH(session->arena, &session->probed) = table->id;
    rh_observer_probe(recorder->observer, table->id, held->blocks_reads, held->blocks_writes);
    rh_event_probe(session, table->name, held->blocks_reads, held->blocks_writes);
}

void rh_recorder_end_probes(struct recorder_session *session)
{
    for (size_t i = 0; i < session->probed.count && session->recorder->observer; i++)
        rh_observer_probe_end(session->recorder->observer, session->probed.items[i]);
    session->probed.count = 0;
}

/* New storage needs a lock that keeps writers out. A command that reports itself tells of a rewrite
   too; whoever took such a lock unreported may have done anything. */
static void note_strength(struct recorder_session *session, const struct held_lock *held,
                          bool reports_itself)
{
    if (!held->preexisting || held->is_system || !held->blocks_writes)
        return;
    session->has_strong_lock = true;
    session->may_have_changed_storage |= !reports_itself;
}

static struct held_lock *see(struct recorder_session *session, const struct lock_sight *sight,
                             struct place place, int64_t at_us, int64_t not_before_us,
                             bool *ret_is_new)
{
    struct recorder *recorder = session->recorder;
    struct lock_sight seen = *sight;
    seen.mode = intern_mode(session, sight->mode);
    struct held_lock *before = rh_lock_book_find(&session->locks, seen.relation_id, seen.mode);
    /* Let go (ROLLBACK TO SAVEPOINT) and taken again by another statement: two holds. */
    if (before && before->released_us >= 0 && before->statement != place.statement) {
        rh_recorder_settle_lock(session, before, before->released_us);
        rh_lock_book_renew(before);
    }
    struct held_lock *held = rh_lock_book_see(&session->locks, &seen, at_us, not_before_us,
                                              ret_is_new);
    if (!held || (!*ret_is_new && held->statement >= 0))
        return held;
    *ret_is_new = true;
    held->statement = place.statement;
    held->child = place.child;
    held->grandchild = place.grandchild;
    recorder->options.engine->lock_blocks(held->mode, &held->blocks_reads, &held->blocks_writes);
    name_held(session, held);
    return held;
}

/* --- evidence --- */

static void see_evidence_locks(struct recorder_session *session, const struct evidence *evidence,
                               struct place place, int64_t at_us, bool goes_on)
{
    struct recorder *recorder = session->recorder;
    for (size_t i = 0; i < evidence->relations.count && recorder->observer; i++) {
        const struct evidence_relation *made = &evidence->relations.items[i];
        if (made->name)
            rh_observer_learn(recorder->observer, made->id, made->kind, made->name, made->table_id,
                              made->table);
    }
    rh_lock_book_observe(&session->locks);
    for (size_t i = 0; i < evidence->locks.count; i++) {
        const struct evidence_lock *lock = &evidence->locks.items[i];
        const struct lock_sight sight = {.relation_id = lock->relation_id,
                                         .mode = lock->mode,
                                         .granted = true,
                                         .wait_start_us = -1,
                                         .observation = OBSERVED_EXACT};
        bool is_new = false;
        struct held_lock *held = see(session, &sight, place, at_us, session->last_observed_us,
                                     &is_new);
        if (!held)
            continue;
        note_strength(session, held, evidence->depth == 0);
        if (is_new)
            rh_event_lock(session, held, "evidence");
        /* In autocommit the lock goes with the command that just ended. */
        if (is_new && (goes_on || session->is_explicit))
            probe(session, held);
    }
    /* A start that shows none does not speak of what a pipeline sent before it. */
    if (evidence->event != EVIDENCE_COMMAND_START || evidence->locks.count > 0 ||
        session->batch.count == 0)
        session->last_observed_us = at_us;
}

static const struct evidence_scan *find_scan(const struct evidence *evidence, int64_t relation_id)
{
    for (size_t i = 0; i < evidence->scans.count; i++)
        if (evidence->scans.items[i].relation_id == relation_id)
            return &evidence->scans.items[i];
    return NULL;
}

/*
 * Rows read since the report before it are those of `statement` (NULL: nobody's). The counters
 * reach back beyond this command, and fall to nothing when the server collects them: so each start
 * says what the end is compared with.
 */
static void take_scans(struct recorder_session *session, const struct evidence *evidence,
                       struct statement *statement)
{
    struct recorder *recorder = session->recorder;
    for (size_t i = 0; i < evidence->scans.count; i++) {
        const struct evidence_scan *scan = &evidence->scans.items[i];
        struct pending_scan *known = NULL;
        for (size_t k = 0; k < session->scans.count && !known; k++)
            if (session->scans.items[k].relation_id == scan->relation_id)
                known = &session->scans.items[k];
        if (!known) {
            known = RH_PUSH(session->arena, &session->scans);
            known->relation_id = scan->relation_id;
        }
        int64_t rows = scan->rows - known->rows, begun = scan->scans - known->scans;
        known->rows = scan->rows;
        known->scans = scan->scans;
        if (!statement || rows <= 0 || !scan->relation || is_system_name(scan->relation))
            continue;
        const struct observed_relation *relation = recorder->observer
                                                       ? rh_observer_find(recorder->observer,
                                                                          scan->relation_id)
                                                       : NULL;
        *RH_PUSH(recorder->trace->arena, &statement->scans) = (struct scan){
            .relation = rh_arena_strdup(recorder->trace->arena, scan->relation),
            .rows = rows,
            .begun = begun > 0 ? begun : 0,
            .preexisting = relation && relation->preexisting,
            .observation = OBSERVED_EXACT};
    }
    /* At a start, what is absent counts from 0; an end speaks of what its command touched. */
    for (size_t k = 0; evidence->event == EVIDENCE_COMMAND_START && k < session->scans.count; k++)
        if (!find_scan(evidence, session->scans.items[k].relation_id))
            session->scans.items[k].scans = session->scans.items[k].rows = 0;
}

/* Whether this report shows a lock that keeps readers or writers out of that table; of any when
   the table is not known. */
static bool is_table_blocked(const struct recorder *recorder, const struct evidence *evidence,
                             int64_t table_id)
{
    for (size_t i = 0; i < evidence->locks.count; i++) {
        const struct evidence_lock *lock = &evidence->locks.items[i];
        const struct observed_relation *known = NULL;
        bool reads = false, writes = false;
        recorder->options.engine->lock_blocks(lock->mode, &reads, &writes);
        if (!reads && !writes)
            continue;
        if (table_id == 0 && recorder->observer)
            known = rh_observer_find(recorder->observer, lock->relation_id);
        if (table_id != 0 ? lock->relation_id == table_id
                          : known && rh_recorder_is_table(known->kind))
            return true;
    }
    return false;
}

static void take_index(struct recorder_session *session, const struct evidence *evidence,
                       struct place place, int64_t index_id, const char *identity)
{
    struct recorder *recorder = session->recorder;
    const struct observed_relation *known = recorder->observer
                                                ? rh_observer_find(recorder->observer, index_id)
                                                : NULL;
    struct pending_index *index = RH_PUSH(session->arena, &session->indexes);
    index->place = place;
    index->relation_id = index_id;
    index->table_id = known ? known->table_id : 0;
    index->table = known ? rh_arena_strdup(session->arena, known->table) : NULL;
    index->identity = rh_arena_strdup(session->arena, identity ? identity : "");
    /* Built, dropped or rebuilt with the table locked, or in transactions of its own that let go.
     */
    index->is_concurrent = !is_table_blocked(recorder, evidence, index->table_id);
    if (index->is_concurrent && evidence->depth == 0)
        session->running.is_concurrent = true;
    if (!known)
        session->may_have_changed_storage = true; /* the catalogue is read again: it names it */
}

static void take_commands(struct recorder_session *session, const struct evidence *evidence,
                          struct place place)
{
    struct arena *arena = session->recorder->trace->arena;
    struct statement *statement = rh_recorder_at(session->recorder, place);
    for (size_t i = 0; i < evidence->commands.count; i++) {
        const struct evidence_command *command = &evidence->commands.items[i];
        if (command->identity && command->object_type && !command->in_extension)
            *RH_PUSH(arena, &statement->altered) = (struct altered_object){
                rh_arena_strdup(arena, command->object_type),
                rh_arena_strdup(arena, command->identity)};
        if (!command->tag || !command->object_type || command->in_extension ||
            strcmp(command->object_type, "index") != 0)
            continue;
        if (strcmp(command->tag, "CREATE INDEX") == 0 || strcmp(command->tag, "REINDEX") == 0)
            take_index(session, evidence, place, command->relation_id, command->identity);
    }
}

static bool is_relation(const char *type)
{
    return rh_recorder_is_table(type) ||
           (type && (strcmp(type, "view") == 0 || strcmp(type, "foreign table") == 0));
}

/* The relation that went along with this report under that id, or under that name. */
static bool has_dropped(const struct evidence *evidence, int64_t relation_id, const char *identity)
{
    for (size_t i = 0; i < evidence->drops.count; i++) {
        const struct evidence_drop *drop = &evidence->drops.items[i];
        if (is_relation(drop->type) &&
            ((relation_id != 0 && drop->relation_id == relation_id) ||
             (identity && drop->identity && strcmp(drop->identity, identity) == 0)))
            return true;
    }
    return false;
}

static bool has_dropped_type(const struct evidence *evidence, const char *type)
{
    for (size_t i = 0; i < evidence->drops.count; i++)
        if (evidence->drops.items[i].type && strcmp(evidence->drops.items[i].type, type) == 0)
            return true;
    return false;
}

/*
 * What belongs to something else that went is no effect of its own: the parts, the row type, the
 * TOAST table and the owned sequence of a dropped table; the default of a dropped column; the
 * triggers that carry out a foreign key.
 */
static bool is_part_of_another(const struct recorder *recorder, const struct evidence *evidence,
                               const struct evidence_drop *drop)
{
    const char *identity = drop->identity ? drop->identity : "";
    if (drop->original)
        return false;
    if (is_system_name(identity) || strstr(identity, "RI_ConstraintTrigger_") == identity ||
        strncmp(identity, "\"RI_ConstraintTrigger_", 22) == 0 ||
        strncmp(identity, "\"_RETURN\"", 9) == 0)
        return true;
    if (strcmp(drop->type, "type") == 0 || strcmp(drop->type, "default value") == 0)
        return !drop->normal || has_dropped_type(evidence, "table");
    if (strcmp(drop->type, "sequence") == 0)
        return !drop->normal;
    if (is_relation(drop->type))
        return false;
    if (strcmp(drop->type, "index") == 0) {
        const struct observed_relation *index = recorder->observer
                                                    ? rh_observer_find(recorder->observer,
                                                                       drop->relation_id)
                                                    : NULL;
        return index ? has_dropped(evidence, index->table_id, index->table)
                     : !drop->normal && has_dropped_type(evidence, "table");
    }
    if (has_dropped(evidence, drop->relation_id, NULL))
        return true;
    /* "users_pkey on public.users": constraints, triggers, rules and policies. */
    const char *on = NULL;
    for (const char *at = strstr(identity, " on "); at; at = strstr(at + 1, " on "))
        on = at;
    return on && has_dropped(evidence, 0, on + strlen(" on "));
}

static void take_drops(struct recorder_session *session, const struct evidence *evidence,
                       struct place place)
{
    struct recorder *recorder = session->recorder;
    struct arena *arena = recorder->trace->arena;
    struct statement *statement = rh_recorder_at(recorder, place);
    for (size_t i = 0; i < evidence->drops.count; i++) {
        const struct evidence_drop *drop = &evidence->drops.items[i];
        if (!drop->type || is_part_of_another(recorder, evidence, drop))
            continue;
        const struct observed_relation *relation = recorder->observer
                                                       ? rh_observer_find(recorder->observer,
                                                                          drop->relation_id)
                                                       : NULL;
        bool is_itself = relation && (rh_recorder_is_table(drop->type) ||
                                      strcmp(drop->type, relation->kind) == 0);
        *RH_PUSH(arena, &statement->dropped) = (struct dropped_object){
            .type = rh_arena_strdup(arena, drop->type),
            .identity = rh_arena_strdup(arena, drop->identity ? drop->identity : ""),
            .named = drop->original,
            .rows = !is_itself || !rh_recorder_is_table(drop->type) ? NOT_OBSERVED
                    : relation->is_empty                            ? 0
                                                                    : relation->rows_estimate,
            .created_in_run = drop->relation_id != 0 && recorder->observer &&
                              !(relation && relation->preexisting)};
        session->running.moves_data |= is_itself && relation->bytes >= NOTICEABLE_BYTES;
        if (strcmp(drop->type, "index") == 0 && evidence->tag &&
            strcmp(evidence->tag, "DROP INDEX") == 0)
            take_index(session, evidence, place, drop->relation_id, drop->identity);
    }
}

static void take_rewrite(struct recorder_session *session, const struct evidence *evidence,
                         struct place place)
{
    struct recorder *recorder = session->recorder;
    struct arena *arena = recorder->trace->arena;
    struct statement *statement = rh_recorder_at(recorder, place);
    const struct observed_relation *relation = recorder->observer
                                                   ? rh_observer_find(recorder->observer,
                                                                      evidence->rewrite_relation_id)
                                                   : NULL;
    const char *name = evidence->rewrite_relation ? evidence->rewrite_relation
                       : relation                 ? relation->name
                                                  : "";
    *RH_PUSH(arena, &statement->rewrites) = (struct rewrite){
        .relation = rh_arena_strdup(arena, name),
        .table = rh_arena_strdup(arena, name),
        .kind = relation && relation->kind ? rh_arena_strdup(arena, relation->kind) : "table",
        .reason = evidence->rewrite_reason ? rh_arena_strdup(arena, evidence->rewrite_reason)
                                           : "unknown",
        .bytes = NOT_OBSERVED,
        .preexisting = relation && relation->preexisting,
        .observation = OBSERVED_EXACT};
    *RH_PUSH(session->arena, &session->rewrites) = (struct pending_rewrite){
        .place = place,
        .relation_id = evidence->rewrite_relation_id,
        .item = statement->rewrites.count - 1};
    session->may_have_changed_storage = true;
    session->running.moves_data |= relation && relation->bytes >= NOTICEABLE_BYTES;
}

/* The place of the command that reports: opened by its start, or now when that was not seen. */
static struct place open_frame(struct recorder_session *session, const struct evidence *evidence,
                               int64_t at_us)
{
    struct running *running = &session->running;
    size_t depth = evidence->depth < 0 ? 0 : (size_t)evidence->depth;
    struct frame *frame = &running->frames[depth < FRAMES_MAX ? depth : FRAMES_MAX - 1];
    bool is_start = evidence->event == EVIDENCE_COMMAND_START;
    if (frame->is_open && !is_start)
        return frame->place;
    frame->is_open = true;
    frame->start_us = at_us;
    frame->place = rh_recorder_home(session);
    if (depth == 0)
        return frame->place;
    const char *sql = evidence->statement ? evidence->statement : evidence->tag;
    struct place child = rh_recorder_add_child(session->recorder, frame->place,
                                               rh_text(sql ? sql : ""), at_us);
    if (child.statement >= 0)
        frame->place = child;
    return frame->place;
}

static void end_frame(struct recorder_session *session, const struct evidence *evidence,
                      struct place place, int64_t at_us)
{
    struct recorder *recorder = session->recorder;
    struct running *running = &session->running;
    size_t depth = evidence->depth < 0 ? 0 : (size_t)evidence->depth;
    struct frame *frame = &running->frames[depth < FRAMES_MAX ? depth : FRAMES_MAX - 1];
    struct statement *command = rh_recorder_at(recorder, place);
    frame->is_open = false;
    if (place.child < 0) {
        running->saw_end = true;
        return;
    }
    command->observation = OBSERVED_EXACT;
    if (evidence->tag)
        command->tag = rh_arena_strdup(recorder->trace->arena, evidence->tag);
    /* The server's clock is better than ours for a piece: its answers come together at the end. */
    command->start_us = frame->start_us;
    command->ok = true;
    command->finished = true;
    command->duration_us = at_us > frame->start_us ? at_us - frame->start_us : 0;
}

bool rh_recorder_take_evidence(struct recorder_session *session, const char *detail)
{
    struct recorder *recorder = session->recorder;
    struct evidence evidence = {0};
    struct err err = RH_ERR_INIT;
    if (recorder->options.engine->decode_evidence(detail, recorder->options.evidence_secret,
                                                  recorder->scratch, &evidence, &err))
        return false;
    struct running *running = &session->running;
    if (recorder->has_finished || !running->is_active || running->index < 0)
        return true;
    struct statement *statement = rh_recorder_statement(recorder, running->index);
    int64_t at_us = rh_recorder_server_time(recorder, evidence.server_clock_us,
                                            statement->start_us);
    struct place place = open_frame(session, &evidence, at_us);
    bool reported_before = running->saw_evidence;
    running->saw_evidence = true;
    running->has_unseen_piece = false;
    if (evidence.locks_omitted > 0 || evidence.problem)
        running->is_incomplete = true;
    statement = rh_recorder_statement(recorder, running->index);
    struct statement *command = rh_recorder_at(recorder, place);
    statement->lock_timeout_ms = command->lock_timeout_ms = evidence.lock_timeout_ms;
    statement->statement_timeout_ms = command->statement_timeout_ms = evidence.statement_timeout_ms;

    switch (evidence.event) {
    case EVIDENCE_COMMAND_START:
        /* What is new here came before this command. */
        see_evidence_locks(session, &evidence, rh_recorder_home(session), at_us, true);
        /* Between two commands of one function, what was read is the function's own doing. */
        take_scans(session, &evidence,
                   reported_before && evidence.depth > 0
                       ? rh_recorder_at(recorder, rh_recorder_home(session))
                       : NULL);
        break;
    case EVIDENCE_COMMAND_END:
        see_evidence_locks(session, &evidence, place, at_us, evidence.depth > 0);
        take_commands(session, &evidence, place);
        take_scans(session, &evidence, command);
        end_frame(session, &evidence, place, at_us);
        if (evidence.depth == 0)
            running->wal_position = evidence.wal_position;
        rh_event_evidence(session, &evidence);
        /* Its answer waits in the server's buffer while the next piece runs already. */
        if (evidence.depth == 0 && running->piece < running->piece_count)
            rh_recorder_next_piece(session, at_us);
        return true;
    case EVIDENCE_DROP:
        see_evidence_locks(session, &evidence, place, at_us, evidence.depth > 0);
        take_drops(session, &evidence, place);
        break;
    case EVIDENCE_REWRITE:
        see_evidence_locks(session, &evidence, place, at_us, true);
        take_rewrite(session, &evidence, place);
        break;
    }
    rh_event_evidence(session, &evidence);
    return true;
}

/* --- boundaries and samples --- */

static void see_observed(struct recorder_session *session, const struct observed_lock *lock,
                         int64_t at_us, int64_t floor_us, struct place place,
                         enum observation observation)
{
    struct recorder *recorder = session->recorder;
    struct lock_sight sight = {.relation_id = lock->relation_id,
                               .mode = lock->mode,
                               .granted = lock->granted,
                               .wait_start_us = -1,
                               .observation = observation};
    if (!lock->granted) {
        if (lock->wait_start_us > 0)
            sight.wait_start_us = rh_recorder_server_time(recorder, lock->wait_start_us, floor_us);
        /* A long wait is seen often: its words are kept once. */
        const struct held_lock *known = rh_lock_book_find(&session->locks, lock->relation_id,
                                                          lock->mode);
        if (lock->waits_for &&
            !(known && known->waited_for && strcmp(known->waited_for, lock->waits_for) == 0))
            sight.waited_for = rh_arena_strdup(session->arena, lock->waits_for);
    }
    bool is_new = false;
    int64_t not_before_us = session->last_observed_us > floor_us ? session->last_observed_us
                                                                 : floor_us;
    const struct held_lock *before = rh_lock_book_find(&session->locks, lock->relation_id,
                                                       lock->mode);
    bool was_waiting = before && before->acquired_us < 0;
    struct held_lock *held = see(session, &sight, place, at_us, not_before_us, &is_new);
    if (!held)
        return;
    if (is_new || (was_waiting && held->acquired_us >= 0))
        rh_event_lock(session, held, observation == OBSERVED_EXACT ? "boundary" : "sample");
    if (!is_new)
        return;
    note_strength(session, held, false);
    probe(session, held);
}

void rh_recorder_take_wal(struct recorder *recorder, int index, int64_t position)
{
    if (recorder->first_wal < 0)
        recorder->first_wal = recorder->last_wal = position;
    if (index >= 0)
        rh_recorder_statement(recorder, index)->wal_bytes = position - recorder->last_wal;
    recorder->last_wal = position;
    rh_event_boundary(recorder, index, position);
}

void rh_recorder_take_boundary(struct recorder_session *session, const struct boundary *boundary)
{
    struct recorder *recorder = session->recorder;
    const struct running *last = rh_recorder_current(session);
    rh_recorder_take_wal(recorder, session->batch.count == 1 ? session->batch.items[0].index : -1,
                         boundary->wal_position);
    if (session->status == 'I' || session->transaction < 0)
        return;
    int64_t floor_us = 0;
    struct place place = PLACE_NONE;
    if (last && last->index >= 0) {
        place.statement = last->index;
        floor_us = rh_recorder_statement(recorder, last->index)->start_us;
    }
    int64_t at_us = rh_recorder_server_time(recorder, boundary->server_clock_us, floor_us);
    rh_lock_book_observe(&session->locks);
    for (size_t i = 0; i < boundary->lock_count; i++)
        see_observed(session, &boundary->locks[i], at_us, floor_us, place, OBSERVED_EXACT);
    rh_lock_book_release_missing(&session->locks, at_us);
    session->last_observed_us = at_us;
}

static void sample_session(struct recorder_session *session, const struct sample *sample)
{
    struct recorder *recorder = session->recorder;
    struct running *last = rh_recorder_current(session);
    if (session->transaction < 0 || session->has_ended || session->pid == 0 || !last ||
        last->index < 0)
        return;
    int64_t floor_us = rh_recorder_statement(recorder, last->index)->start_us;
    int64_t taken_us = sample->taken_at_us - recorder->trace->started_at.us;
    /* Taken before this statement began, or before something newer was seen. */
    if (taken_us < floor_us || taken_us <= session->last_observed_us)
        return;
    int64_t at_us = rh_recorder_server_time(recorder, sample->taken_at_us, floor_us);
    struct place place = last == &session->running ? rh_recorder_home(session)
                                                   : (struct place){last->index, -1, -1};
    for (size_t depth = 1; last == &session->running && depth < FRAMES_MAX; depth++)
        if (last->frames[depth].is_open)
            place = last->frames[depth].place;
    rh_lock_book_observe(&session->locks);
    for (size_t i = 0; i < sample->lock_count; i++)
        if (sample->locks[i].pid == session->pid && sample->locks[i].is_ours)
            see_observed(session, &sample->locks[i], at_us, floor_us, place, OBSERVED_SAMPLED);
    rh_lock_book_release_missing(&session->locks, at_us);
    session->last_observed_us = at_us;
    last->sample_count++;
}

void rh_recorder_take_sample(struct recorder *recorder, const struct sample *sample)
{
    for (struct recorder_session *session = recorder->sessions; session; session = session->next)
        sample_session(session, sample);
    size_t waiters = 0;
    for (size_t i = 0; i < sample->lock_count; i++)
        waiters += !sample->locks[i].is_ours && !sample->locks[i].granted;
    if (waiters != recorder->foreign_waiters)
        rh_event_waiters(recorder, waiters);
    recorder->foreign_waiters = waiters;
}
