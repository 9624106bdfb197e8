#include "report_unit.h"

#include "base/text.h"

#define TEXT_MAX_BYTES ((size_t)1 << 20)

struct result *result_new(struct arena *arena)
{
    struct result *result = RH_NEW(arena, struct result);
    struct trace *trace = RH_NEW(arena, struct trace);
    trace->arena = arena;
    *RH_PUSH(arena, &trace->steps) = (struct step){
        .name = "0042_orders.sql", .ok = true, .reached = true, .exit_status = -1};
    result->arena = arena;
    result->trace = trace;
    result->limits = rh_limits_default();
    result->fidelity = (struct fidelity){.server_version = "15.18",
                                         .source = "schema db/schema.sql",
                                         .snapshot_age_s = -1,
                                         .sample_fraction = 1.0,
                                         .relations = 12,
                                         .rows = 1004200,
                                         .bytes = 109 << 20};
    result->run_directory = ".rehearse/runs/20261119T090000Z-5f2c1a90";
    return result;
}

struct statement *result_statement(struct result *result, int line, const char *sql,
                                   int64_t duration_us)
{
    struct trace *trace = result->trace;
    struct statement *statement = RH_PUSH(result->arena, &trace->statements);
    *statement = (struct statement){.index = (int)trace->statements.count,
                                    .line = line,
                                    .sql = sql,
                                    .ok = true,
                                    .finished = true,
                                    .transaction = -1,
                                    .rows = NOT_OBSERVED,
                                    .duration_us = duration_us,
                                    .observation = OBSERVED_EXACT};
    return statement;
}

struct lock *result_lock(struct result *result, struct statement *statement, const char *table,
                         const char *mode, int64_t held_us)
{
    struct lock *lock = RH_PUSH(result->arena, &statement->locks);
    *lock = (struct lock){.relation = table,
                          .table = table,
                          .kind = "table",
                          .mode = mode,
                          .held_us = held_us,
                          .preexisting = true,
                          .blocks_reads = strcmp(mode, "AccessExclusiveLock") == 0,
                          .blocks_writes = true};
    return lock;
}

struct finding *result_finding(struct result *result, enum severity severity, const char *rule)
{
    struct finding *finding = RH_PUSH(result->arena, &result->findings);
    *finding = (struct finding){
        .rule = rule, .severity = severity, .title = rule, .step = "0042_orders.sql"};
    return finding;
}

static void add_gate(struct result *result, const char *name, const char *limit,
                     const char *measured, bool ok)
{
    *RH_PUSH(result->arena, &result->gates) = (struct gate){
        .name = name, .limit = limit, .measured = measured, .ok = ok, .observed = measured != NULL};
}

static void fill_safe(struct result *result)
{
    result->fidelity.isolated = true;
    result->fidelity.snapshot_age_s = 31 * 3600;
    result_statement(result, 1, "SET lock_timeout = '2s';", 110);
    struct statement *alter = result_statement(
        result, 4, "-- for the search\nALTER TABLE orders\n  ADD COLUMN email_lc text;", 3 * MS);
    result_lock(result, alter, "public.orders", "AccessExclusiveLock", 2900);
    result_statement(
        result, 6, "CREATE INDEX CONCURRENTLY orders_email_lc_idx ON orders (email_lc);", 401 * S);
    result_statement(result, 9, "UPDATE settings SET value = 'on' WHERE name = 'search';", 900)
        ->rows = 1;
    add_gate(result, "blocked", "2s", "2.9 ms", true);
    add_gate(result, "duration", "20m", "6m41s", true);
    result->verdict = VERDICT_SAFE;
    result->headline = "4 statements, 6m41s; nothing waited longer than 2.9 ms";
}

static void fill_lock(struct result *result)
{
    *RH_PUSH(result->arena, &result->fidelity.notes) =
        "Durations were measured on this machine, with nobody else at work.";
    struct statement *alter = result_statement(
        result, 7, "ALTER TABLE orders ALTER COLUMN id TYPE bigint;", 902 * S);
    result_lock(result, alter, "public.orders", "AccessExclusiveLock", 902 * S);
    struct statement *index = result_statement(
        result, 9, "CREATE INDEX orders_note ON orders (note);", 1200 * MS);
    result_lock(result, index, "public.orders", "ShareLock", 1200 * MS);
    struct finding *finding = result_finding(result, SEVERITY_ERROR, "table-rewrite");
    finding
        ->title = "public.orders (98,100,000 rows, 41 GB) rewritten: reads and writes blocked for "
                  "15m02s (limit 2s)";
    finding->line = 7;
    finding->statement = 1;
    finding
        ->why = "The new type is stored differently, so every row and every index was written anew "
                "(4 index files), under AccessExclusiveLock; until the transaction ended, every "
                "SELECT, INSERT, UPDATE and DELETE on it had to wait.";
    finding->advice =
        "Expand and contract over several deploys: add a column of the new type, keep it in "
        "step with a trigger, fill it in batches, then swap the names in one short transaction.";
    finding
        ->advice_sql = "ALTER TABLE public.orders ADD COLUMN id_new bigint;  -- and the trigger\n"
                       "UPDATE public.orders SET id_new = id WHERE id_new IS NULL AND <key range>; "
                       " -- in batches\n"
                       "-- at last, in one transaction with lock_timeout set:\n"
                       "ALTER TABLE public.orders RENAME COLUMN id TO id_old;\n"
                       "ALTER TABLE public.orders RENAME COLUMN id_new TO id;";
    for (int i = 0; i < 3; i++) {
        struct finding *warning = result_finding(result, SEVERITY_WARNING, "index-blocks-writes");
        warning
            ->title = "public.orders_note on public.orders built the blocking way: writes blocked "
                      "for 1.2 s";
        warning->line = 9 + i;
        warning->statement = 2;
        warning->why = "The whole table was read and sorted into an index under ShareLock.";
        warning->advice = "Build it CONCURRENTLY, outside a transaction.";
        warning->advice_sql = "CREATE INDEX CONCURRENTLY orders_note ON orders (note);";
    }
    add_gate(result, "blocked", "2s", "15m02s", false);
    result->verdict = VERDICT_UNSAFE;
    result->exit_code = 5;
    result->headline = "0042_orders.sql would lock public.orders for 15m02s (limit 2s)";
}

static void fill_failure(struct result *result)
{
    result_statement(result, 3, "SET lock_timeout = '2s';", 110);
    struct statement *failed = result_statement(
        result, 5, "ALTER TABLE users ADD CONSTRAINT users_email_key UNIQUE (email);", 41200 * MS);
    struct server_message *error = RH_NEW(result->arena, struct server_message);
    memcpy(error->sqlstate, "23505", 6);
    failed->ok = false;
    failed->error = error;
    *RH_PUSH(result->arena, &result->trace->steps) = (struct step){.name = "0043_next.sql"};
    struct finding *finding = result_finding(result, SEVERITY_ERROR, "statement-error");
    finding->title = "23505: could not create unique index \"users_email_key\"";
    finding->line = 5;
    finding->statement = 2;
    finding->why =
        "Rows that are already there share a key that is to be unique. PostgreSQL names the "
        "first pair only; there may be many.";
    finding->advice =
        "List all duplicates, stop new ones, merge or rename the surplus, then build the "
        "index CONCURRENTLY.";
    finding->advice_sql = "SELECT email, count(*) FROM public.users\n"
                          "GROUP BY email HAVING count(*) > 1 ORDER BY count(*) DESC;";
    add_gate(result, "blocked", "2s", "0 s", true);
    add_gate(result, "lag", "10s", NULL, false);
    result->verdict = VERDICT_UNSAFE;
    result->exit_code = 5;
    result->headline = "0042_orders.sql would fail in production at statement 2: could not create "
                       "unique index \"users_email_key\" (23505)";
}

static void fill_inconclusive(struct result *result)
{
    result->trace->steps.items[0].name = "alembic upgrade head";
    result->trace->steps.items[0].is_command = true;
    *RH_PUSH(result->arena, &result->trace->not_observed) =
        "the locks of 1 statement were not observed: event triggers were disabled";
    struct statement *statement = result_statement(
        result, 0, "CREATE INDEX orders_note ON orders (note)", 5 * MS);
    statement->step = -1;
    statement->tag = "CREATE INDEX";
    statement->observation = OBSERVED_NOT;
    struct finding *finding = result_finding(result, SEVERITY_INFO, "not-observed");
    finding->title = "statement 1 (CREATE INDEX) was not observed: event triggers were disabled";
    finding->step = "alembic upgrade head";
    finding->statement = 1;
    finding->why = "What was not observed is neither clean nor dirty: it is unknown.";
    add_gate(result, "blocked", "2s", NULL, false);
    result->verdict = VERDICT_INCONCLUSIVE;
    result->exit_code = 3;
    result->headline = "statement 1 (CREATE INDEX) was not observed: event triggers were disabled";
}

const struct sample_result sample_results[] = {{"safe", fill_safe},
                                               {"lock", fill_lock},
                                               {"failure", fill_failure},
                                               {"inconclusive", fill_inconclusive}};
const size_t sample_result_count = COUNT(sample_results);

const char *report_text(struct arena *arena, const struct result *result, size_t columns, bool utf8,
                        bool color, enum report_detail detail)
{
    const struct terminal terminal = {
        .is_terminal = true, .has_color = color, .has_utf8 = utf8, .columns = columns};
    RH_CLEANUP_BUF struct buf out;
    rh_buf_init(&out, TEXT_MAX_BYTES);
    rh_report_terminal(result, &terminal, detail, &out);
    assert_false(out.failed);
    return rh_text_dup(arena, rh_buf_text(&out));
}

const char *section_text(struct arena *arena, section_fn *section, const struct result *result,
                         enum report_detail detail)
{
    const struct terminal terminal = {.has_utf8 = true, .columns = 100};
    RH_CLEANUP_BUF struct buf out;
    rh_buf_init(&out, 1 << 20);
    struct layout layout = rh_layout(arena, &terminal, &out);
    section(&layout, result, detail);
    return rh_text_dup(arena, rh_buf_text(&out));
}

size_t widest_line(const char *text)
{
    size_t widest = 0;
    while (*text) {
        size_t len = strcspn(text, "\n");
        size_t columns = rh_text_columns((struct text){text, len});
        widest = columns > widest ? columns : widest;
        text += len + (text[len] == '\n');
    }
    return widest;
}

void assert_contains(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("\"%s\" is not in:\n%s", part, text);
}

void assert_lacks(const char *text, const char *part)
{
    if (strstr(text, part))
        fail_msg("\"%s\" is in:\n%s", part, text);
}
