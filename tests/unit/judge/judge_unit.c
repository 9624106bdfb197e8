#include "judge_unit.h"

#define STATEMENTS_MAX 500
#define FILE_NAME "0042_change.sql"

int story_setup(void **state)
{
    struct arena *arena = rh_arena_new();
    struct story *story = RH_NEW(arena, struct story);
    story->arena = arena;
    story->transaction = -1;
    story->trace.arena = arena;
    story->trace.connected = true;
    story->trace.evidence_intact = true;
    story->trace.wal_bytes = NOT_OBSERVED;
    story->trace.disk_growth_bytes = NOT_OBSERVED;
    story->trace.peak_disk_bytes = NOT_OBSERVED;
    story->trace.temp_bytes = NOT_OBSERVED;
    story->trace.statements.items = rh_arena_alloc_array(arena, STATEMENTS_MAX,
                                                         sizeof(struct statement));
    story->trace.statements.capacity = STATEMENTS_MAX;
    *RH_PUSH(arena, &story->trace.steps) = (struct step){
        .name = FILE_NAME, .path = FILE_NAME, .ok = true, .reached = true, .exit_status = -1};
    *RH_PUSH(arena, &story->trace.sessions) = (struct session){
        .backend_pid = 4711, .application_name = "rehearse", .user = "app_owner"};
    story->result.arena = arena;
    story->result.trace = &story->trace;
    story->result.limits = rh_limits_default();
    story->result.fidelity.server_version = "15.18";
    *state = story;
    return 0;
}

int story_teardown(void **state)
{
    struct story *story = *state;
    rh_result_deinit(&story->result);
    rh_arena_free(story->arena);
    return 0;
}

static void fill(struct story *story, struct statement *statement, const char *tag,
                 int64_t duration_us)
{
    *statement = (struct statement){
        .step = 0,
        .sql = tag,
        .tag = tag,
        .ok = true,
        .finished = true,
        .transaction = story->transaction,
        .in_transaction = story->transaction >= 0,
        .start_us = story->now_us,
        .duration_us = duration_us,
        .rows = NOT_OBSERVED,
        .wal_bytes = NOT_OBSERVED,
        .temp_bytes = NOT_OBSERVED,
        .disk_growth_bytes = NOT_OBSERVED,
        .lock_timeout_ms = 2000,
        .statement_timeout_ms = 0,
        .observation = OBSERVED_EXACT,
    };
}

struct statement *story_run(struct story *story, const char *tag, int64_t duration_us)
{
    assert_true(story->trace.statements.count < STATEMENTS_MAX);
    struct statement *statement = RH_PUSH(story->arena, &story->trace.statements);
    fill(story, statement, tag, duration_us);
    statement->index = (int)story->trace.statements.count;
    statement->line = statement->index;
    story->now_us += duration_us;
    story->trace.duration_us = story->now_us;
    return statement;
}

struct statement *story_begin(struct story *story)
{
    struct statement *statement = story_run(story, "BEGIN", 100);
    story->transaction = (int)story->trace.transactions.count;
    *RH_PUSH(story->arena, &story->trace.transactions) = (struct transaction){
        .start_us = statement->start_us,
        .end_us = -1,
        .opened_by = "BEGIN",
        .opened_by_statement = statement->index,
    };
    statement->transaction = story->transaction;
    return statement;
}

static void hold_locks_until(struct statement *statement, int64_t end_us)
{
    for (size_t i = 0; i < statement->locks.count; i++)
        if (statement->locks.items[i].acquired_us >= 0)
            statement->locks.items[i].held_us = end_us - statement->locks.items[i].acquired_us;
    for (size_t i = 0; i < statement->children.count; i++)
        hold_locks_until(&statement->children.items[i], end_us);
}

static struct statement *end(struct story *story, const char *tag, bool committed)
{
    struct statement *statement = story_run(story, tag, 100);
    struct transaction *transaction = &story->trace.transactions.items[story->transaction];
    transaction->end_us = story->now_us;
    transaction->committed = committed;
    for (size_t i = 0; i < story->trace.statements.count; i++)
        if (story->trace.statements.items[i].transaction == story->transaction)
            hold_locks_until(&story->trace.statements.items[i], story->now_us);
    story->transaction = -1;
    return statement;
}

struct statement *story_commit(struct story *story)
{
    return end(story, "COMMIT", true);
}

struct statement *story_rollback(struct story *story)
{
    return end(story, "ROLLBACK", false);
}

struct server_message *story_fail(struct story *story, struct statement *statement,
                                  const char *sqlstate, const char *message)
{
    statement->ok = false;
    statement->error = RH_NEW(story->arena, struct server_message);
    statement->error->severity = "ERROR";
    snprintf(statement->error->sqlstate, sizeof(statement->error->sqlstate), "%s", sqlstate);
    statement->error->message = message;
    story->trace.steps.items[0].ok = false;
    return statement->error;
}

struct statement *story_child(struct story *story, struct statement *parent, const char *tag,
                              int64_t duration_us)
{
    struct statement *child = RH_PUSH(story->arena, &parent->children);
    fill(story, child, tag, duration_us);
    child->start_us = parent->start_us;
    child->transaction = parent->transaction;
    return child;
}

void story_wrap(struct story *story, const char *command_line, int exit_status)
{
    story->trace.steps.items[0] = (struct step){.name = command_line,
                                                .is_command = true,
                                                .ok = exit_status == 0,
                                                .reached = true,
                                                .exit_status = exit_status};
    for (size_t i = 0; i < story->trace.statements.count; i++) {
        story->trace.statements.items[i].step = -1;
        story->trace.statements.items[i].line = 0;
    }
}

static bool is_one_of(const char *mode, const char *const *modes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(mode, modes[i]) == 0)
            return true;
    return false;
}

struct lock *story_lock(struct story *story, struct statement *statement, const char *relation,
                        const char *mode)
{
    static const char *const writers_wait[] = {"ShareLock", "ShareRowExclusiveLock",
                                               "ExclusiveLock", "AccessExclusiveLock"};
    struct lock *lock = RH_PUSH(story->arena, &statement->locks);
    *lock = (struct lock){
        .relation = relation,
        .kind = "table",
        .table = relation,
        .mode = mode,
        .acquired_us = statement->start_us,
        .held_us = statement->duration_us,
        .preexisting = true,
        .blocks_reads = strcmp(mode, "AccessExclusiveLock") == 0,
        .blocks_writes = is_one_of(mode, writers_wait, COUNT(writers_wait)),
        .observation = OBSERVED_EXACT,
    };
    return lock;
}

struct lock *story_index_lock(struct story *story, struct statement *statement, const char *index,
                              const char *table, const char *mode)
{
    struct lock *lock = story_lock(story, statement, index, mode);
    lock->kind = "index";
    lock->table = table;
    return lock;
}

struct rewrite *story_rewrite(struct story *story, struct statement *statement,
                              const char *relation, const char *kind, const char *reason)
{
    struct rewrite *rewrite = RH_PUSH(story->arena, &statement->rewrites);
    *rewrite = (struct rewrite){.relation = relation,
                                .kind = kind,
                                .reason = reason,
                                .bytes = NOT_OBSERVED,
                                .preexisting = true,
                                .observation = OBSERVED_EXACT};
    return rewrite;
}

struct scan *story_scan(struct story *story, struct statement *statement, const char *relation,
                        int64_t rows)
{
    struct scan *scan = RH_PUSH(story->arena, &statement->scans);
    *scan = (struct scan){
        .relation = relation, .rows = rows, .preexisting = true, .observation = OBSERVED_EXACT};
    return scan;
}

struct dropped_object *story_drop(struct story *story, struct statement *statement,
                                  const char *type, const char *identity, bool named)
{
    struct dropped_object *dropped = RH_PUSH(story->arena, &statement->dropped);
    *dropped = (struct dropped_object){
        .type = type, .identity = identity, .named = named, .rows = NOT_OBSERVED};
    return dropped;
}

struct index_work *story_index(struct story *story, struct statement *statement, const char *index,
                               const char *table)
{
    struct index_work *work = RH_PUSH(story->arena, &statement->indexes);
    *work = (struct index_work){.index = index, .table = table, .preexisting_table = true};
    return work;
}

struct clause *story_clause(struct story *story, struct statement *statement, enum clause_kind kind,
                            const char *relation)
{
    struct clause *clause = RH_PUSH(story->arena, &statement->clauses);
    *clause = (struct clause){.kind = kind, .relation = relation};
    return clause;
}

struct relation_facts *story_table(struct story *story, const char *name, int64_t rows)
{
    struct relation_facts *facts = RH_PUSH(story->arena, &story->trace.relations);
    *facts = (struct relation_facts){
        .name = name, .kind = "table", .rows = rows, .is_empty = rows == 0, .bytes = rows * 100};
    return facts;
}

struct probe *story_probe(struct story *story, struct statement *statement, const char *relation,
                          bool is_write, int64_t longest_wait_us)
{
    struct probe *probe = RH_PUSH(story->arena, &story->trace.probes);
    *probe = (struct probe){.relation = relation,
                            .is_write = is_write,
                            .attempts = 10,
                            .waits = 1,
                            .longest_wait_us = longest_wait_us,
                            .longest_at_us = statement->start_us,
                            .statement = statement->index};
    return probe;
}

struct leftover *story_leftover(struct story *story, const char *kind, const char *identity,
                                const char *table)
{
    struct leftover *leftover = RH_PUSH(story->arena, &story->trace.leftovers);
    *leftover = (struct leftover){.kind = kind, .identity = identity, .table = table};
    return leftover;
}

struct schema_difference *story_schema_difference(struct story *story,
                                                  enum difference_change change, const char *kind,
                                                  const char *identity, const char *parent)
{
    struct schema_difference *difference = RH_PUSH(story->arena,
                                                   &story->result.schema_differences.list);
    story->result.schema_differences.was_compared = true;
    *difference = (struct schema_difference){
        .change = change,
        .kind = kind,
        .identity = identity,
        .parent = parent,
        .sentence = rh_arena_printf(story->arena, "%s %s differs", kind, identity)};
    return difference;
}

struct data_difference *story_data_difference(struct story *story, enum data_subject subject,
                                              const char *table, const char *column,
                                              int64_t rows_before, int64_t rows_after)
{
    struct data_difference *difference = RH_PUSH(story->arena,
                                                 &story->result.data_differences.list);
    story->result.data_differences.was_compared = true;
    *difference = (struct data_difference){
        .subject = subject,
        .change = DIFFERENCE_CHANGED,
        .table = table,
        .column = column,
        .rows_before = rows_before,
        .rows_after = rows_after,
        .non_null_before = -1,
        .non_null_after = -1,
        .changed_values = -1,
        .sentence = rh_arena_printf(story->arena, "%s differs", table)};
    return difference;
}

struct statement *story_say(struct story *story, const char *tag, const char *sql)
{
    struct statement *statement = story_run(story, tag, 1 * MS);
    statement->sql = sql;
    statement->sql_bytes = (int64_t)strlen(sql);
    return statement;
}

void story_alters(struct story *story, struct statement *statement, const char *type,
                  const char *identity)
{
    *RH_PUSH(story->arena, &statement->altered) = (struct altered_object){type, identity};
}

void story_judge(struct story *story)
{
    rh_result_deinit(&story->result);
    rh_judge(&story->result);
}

const struct finding *story_expect(struct story *story, const char *rule, enum severity severity)
{
    story_judge(story);
    for (size_t i = 0; i < story->result.findings.count; i++) {
        const struct finding *finding = &story->result.findings.items[i];
        if (strcmp(finding->rule, rule) != 0)
            continue;
        if (finding->severity != severity)
            fail_msg("%s is %s, expected %s: %s", rule, rh_severity_name(finding->severity),
                     rh_severity_name(severity), finding->title);
        return finding;
    }
    for (size_t i = 0; i < story->result.findings.count; i++)
        print_error("fired: %s: %s\n", story->result.findings.items[i].rule,
                    story->result.findings.items[i].title);
    fail_msg("%s did not fire", rule);
    return NULL;
}

size_t story_count(const struct story *story, const char *rule)
{
    size_t count = 0;
    for (size_t i = 0; i < story->result.findings.count; i++)
        count += strcmp(story->result.findings.items[i].rule, rule) == 0;
    return count;
}

void story_expect_none(struct story *story, const char *rule)
{
    story_judge(story);
    for (size_t i = 0; i < story->result.findings.count; i++)
        if (strcmp(story->result.findings.items[i].rule, rule) == 0)
            fail_msg("%s fired: %s", rule, story->result.findings.items[i].title);
}

void assert_contains(const char *text, const char *part)
{
    if (!text || !strstr(text, part))
        fail_msg("\"%s\" is not in \"%s\"", part, text ? text : "(none)");
}

void assert_lacks(const char *text, const char *part)
{
    if (text && strstr(text, part))
        fail_msg("\"%s\" is in \"%s\"", part, text);
}

double evidence_number(const struct finding *finding, const char *key)
{
    const json_t *value = json_object_get(finding->evidence, key);
    if (!json_is_number(value))
        fail_msg("%s has no number \"%s\" as evidence", finding->rule, key);
    return json_number_value(value);
}

const char *evidence_text(const struct finding *finding, const char *key)
{
    const char *value = json_string_value(json_object_get(finding->evidence, key));
    if (!value)
        fail_msg("%s has no text \"%s\" as evidence", finding->rule, key);
    return value;
}
