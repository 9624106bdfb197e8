#include "rehearsal/cut_plan.h"

#include "sql/facts.h"
#include "sql/lexer.h"

#include <string.h>

/* A statement that is over sooner can hardly be met halfway by the clock. */
#define MET_LEAST_US (50 * 1000)

/* --- what a statement did ------------------------------------------------------------------------
 */

static bool is_one_of(const char *tag, const char *const *tags, size_t count)
{
    for (size_t i = 0; tag && i < count; i++)
        if (strcmp(tag, tags[i]) == 0)
            return true;
    return false;
}

static bool has_writing_lock(const struct statement *statement)
{
    static const char *const reading[] = {"AccessShareLock", "RowShareLock"};
    for (size_t i = 0; i < statement->locks.count; i++)
        if (!is_one_of(statement->locks.items[i].mode, reading, 2))
            return true;
    return false;
}

/* Commands that change only what they call, or only the rows they find. */
static bool wrote(const struct statement *statement)
{
    static const char *const callers[] = {"SELECT", "DO", "CALL", "EXECUTE", "WITH", "VALUES"};
    static const char *const writers[] = {"INSERT", "UPDATE", "DELETE", "MERGE"};
    if (!statement->ok)
        return false;
    for (size_t i = 0; i < statement->children.count; i++)
        if (wrote(&statement->children.items[i]))
            return true;
    if (rh_tag_is_read_only(statement->tag))
        return false;
    if (is_one_of(statement->tag, callers, sizeof(callers) / sizeof(callers[0])))
        return statement->altered.count > 0 || statement->dropped.count > 0 ||
               statement->rewrites.count > 0 || has_writing_lock(statement);
    if (is_one_of(statement->tag, writers, sizeof(writers) / sizeof(writers[0])))
        return statement->rows != 0;
    return true;
}

static bool is_concurrently(const struct statement *statement, struct arena *arena)
{
    struct sql_facts facts;
    rh_sql_facts_of_words(rh_text(statement->sql), arena, &facts);
    return facts.is_concurrently && facts.forbids_transaction;
}

/* A procedure or block may commit; nobody but the server knows, so it is met halfway by the clock.
 */
static bool may_commit_inside(const struct statement *statement)
{
    static const char *const callers[] = {"CALL", "DO"};
    return is_one_of(statement->tag, callers, 2) && statement->duration_us >= MET_LEAST_US;
}

/* Whether an earlier lock of the statement is on the same table. */
static bool is_repeated(const struct statement *statement, size_t lock)
{
    for (size_t i = 0; i < lock; i++)
        if (statement->locks.items[i].table &&
            strcmp(statement->locks.items[i].table, statement->locks.items[lock].table) == 0)
            return true;
    return false;
}

/* The tables whose users the command may wait for, separated by commas: that of the index it built
   or dropped; of DETACH PARTITION both, the whole and its part. NULL: none, for it did nothing. */
static const char *awaited_tables(const struct statement *statement, struct arena *arena)
{
    const char *found = NULL;
    if (statement->indexes.count > 0)
        return statement->indexes.items[0].table;
    if (!statement->tag || strcmp(statement->tag, "ALTER TABLE") != 0)
        return NULL;
    for (size_t i = 0; i < statement->locks.count; i++) {
        const char *table = statement->locks.items[i].table;
        if (table && !is_repeated(statement, i))
            found = found ? rh_arena_printf(arena, "%s, %s", found, table) : table;
    }
    return found;
}

/* --- the plan ------------------------------------------------------------------------------------
 */

struct place {
    size_t first_step;
    size_t ends; /* statements that have ended */
    bool in_the_middle;
    bool in_transaction;
    int64_t equivalent;
    const char *awaits;
    int64_t running_us;
};

struct planning {
    const struct trace *trace;
    struct arena *arena;
    bool *writes;        /* by statement */
    size_t *ends;        /* by statement: so many have ended when it is committed; 0: never */
    size_t *held;        /* by number of ended ones: so many that write are committed then */
    size_t *last_commit; /* by step: of those that write */
    VEC(struct place) commits, middles, blocks;
    size_t most; /* cuts wanted */
    struct cut_plan *plan;
};

static size_t step_of(const struct planning *planning, size_t statement)
{
    int step = planning->trace->statements.items[statement].step;
    return step < 0 ? 0 : (size_t)step;
}

/* A statement outside any transaction block is its own; the others count when the block ends. */
static void find_ends(struct planning *planning)
{
    const struct trace *trace = planning->trace;
    size_t count = trace->statements.count;
    size_t *last = rh_arena_alloc_array(planning->arena, trace->transactions.count + 1,
                                        sizeof(*last));
    for (size_t i = 0; i < count; i++) {
        int transaction = trace->statements.items[i].transaction;
        if (transaction >= 0)
            last[transaction] = i + 1;
    }
    for (size_t i = 0; i < count; i++) {
        const struct statement *statement = &trace->statements.items[i];
        int transaction = statement->transaction;
        planning->writes[i] = wrote(statement);
        planning->ends[i] = transaction < 0                                    ? i + 1
                            : trace->transactions.items[transaction].committed ? last[transaction]
                                                                               : 0;
    }
}

static void find_commits(struct planning *planning)
{
    size_t count = planning->trace->statements.count;
    for (size_t i = 0; i < count; i++) {
        size_t ends = planning->writes[i] ? planning->ends[i] : 0;
        size_t *last = &planning->last_commit[step_of(planning, i)];
        if (ends == 0)
            continue;
        planning->held[ends]++;
        if (ends > *last)
            *last = ends;
    }
    for (size_t ends = 1, next; ends < count; ends = next) {
        size_t step = step_of(planning, ends - 1);
        for (next = ends + 1; next < count && planning->held[next] == 0;)
            next++;
        if (planning->held[ends] > 0 && ends < planning->last_commit[step])
            *RH_PUSH(planning->arena, &planning->commits) = (struct place){
                .first_step = step, .ends = ends, .equivalent = (int64_t)(next - ends) - 1};
    }
}

static void find_middles(struct planning *planning)
{
    for (size_t i = 0; i < planning->trace->statements.count; i++) {
        const struct statement *statement = &planning->trace->statements.items[i];
        if (statement->in_transaction || !statement->ok)
            continue;
        const char *awaits = is_concurrently(statement, planning->arena)
                                 ? awaited_tables(statement, planning->arena)
                                 : NULL;
        if (awaits || may_commit_inside(statement))
            *RH_PUSH(planning->arena, &planning->middles) = (struct place){
                .first_step = step_of(planning, i),
                .ends = i,
                .in_the_middle = true,
                .awaits = awaits,
                .running_us = awaits ? 0 : statement->duration_us / 2};
    }
}

/* Inside the block that holds most: right before what ends it. */
static void find_blocks(struct planning *planning)
{
    size_t most = 0, found = 0;
    int64_t inside = 0;
    for (size_t i = 0; i < planning->trace->statements.count; i++) {
        size_t ends = planning->writes[i] ? planning->ends[i] : 0;
        if (ends <= i + 1)
            continue;
        inside++;
        if (planning->held[ends] > most) {
            most = planning->held[ends];
            found = ends - 1;
        }
    }
    if (found > 0)
        *RH_PUSH(planning->arena,
                 &planning->blocks) = (struct place){.first_step = step_of(planning, found - 1),
                                                     .ends = found,
                                                     .in_transaction = true,
                                                     .equivalent = inside - 1};
}

static void add_cut(struct planning *planning, const struct place *place, enum cut_how how)
{
    const struct trace *trace = planning->trace;
    if (planning->plan->cuts.count >= planning->most)
        return;
    struct planned_cut *cut = RH_PUSH(planning->arena, &planning->plan->cuts);
    *cut = (struct planned_cut){
        .request = {.how = how,
                    .after = (int)place->ends,
                    .tag = place->ends > 0 ? trace->statements.items[place->ends - 1].tag : NULL,
                    .in_the_middle = place->in_the_middle,
                    .awaits = place->awaits,
                    .running_us = place->running_us},
        .first_step = place->first_step,
        .in_transaction = place->in_transaction,
        .equivalent = place->equivalent,
    };
    for (size_t i = place->ends; i-- > 0;) {
        if (!planning->writes[i] || planning->ends[i] == 0 || planning->ends[i] > place->ends ||
            step_of(planning, i) < place->first_step)
            continue;
        if (cut->committed_count++ < COMMITTED_KEPT_MAX)
            *RH_PUSH(planning->arena, &cut->committed) = (int)i + 1;
    }
}

/*
 * The last commit first: whatever of the migration cannot be done twice stands before it. Then the
 * first, then those between, each time in the middle of what is left.
 */
static void order_commits(struct planning *planning)
{
    size_t count = planning->commits.count;
    struct place *ordered = rh_arena_alloc_array(planning->arena, count + 1, sizeof(*ordered));
    bool *taken = rh_arena_alloc_array(planning->arena, count + 1, sizeof(*taken));
    size_t done = 0;
    for (size_t parts = 1; done < count; parts *= 2)
        for (size_t part = parts + 1; part-- > 0;) {
            size_t at = (count - 1) * part / parts;
            if (!taken[at])
                ordered[done++] = planning->commits.items[at];
            taken[at] = true;
        }
    for (size_t i = 0; i < count; i++)
        planning->commits.items[i] = ordered[i];
}

/* What is likeliest to tell something first; the plan is cut at its end. */
static void add_cuts(struct planning *planning, bool only_likely)
{
    size_t commits = planning->commits.count, middles = planning->middles.count;
    const struct place *block = planning->blocks.count > 0 ? &planning->blocks.items[0] : NULL;
    order_commits(planning);
    if (commits > 0)
        add_cut(planning, &planning->commits.items[0], CUT_DISCONNECT);
    if (middles > 0)
        add_cut(planning, &planning->middles.items[0], CUT_CANCEL);
    if (block && (commits == 0 || !only_likely))
        add_cut(planning, block, CUT_DISCONNECT);
    if (commits > 0 && !only_likely)
        add_cut(planning, &planning->commits.items[0], CUT_KILL);
    for (size_t i = 1; i < commits; i++)
        add_cut(planning, &planning->commits.items[i], CUT_DISCONNECT);
    for (size_t i = 1; i < middles; i++)
        add_cut(planning, &planning->middles.items[i], CUT_CANCEL);
    if (only_likely)
        return;
    if (block)
        add_cut(planning, block, CUT_KILL);
    for (size_t i = 0; i < middles; i++)
        add_cut(planning, &planning->middles.items[i], CUT_KILL);
    for (size_t i = 1; i < commits; i++)
        add_cut(planning, &planning->commits.items[i], CUT_KILL);
}

void rh_cut_plan(const struct trace *trace, struct cuts_wanted wanted, struct arena *arena,
                 struct cut_plan *plan)
{
    size_t count = trace->statements.count;
    struct planning planning = {
        .trace = trace,
        .arena = arena,
        .writes = rh_arena_alloc_array(arena, count + 1, sizeof(bool)),
        .ends = rh_arena_alloc_array(arena, count + 1, sizeof(size_t)),
        .held = rh_arena_alloc_array(arena, count + 1, sizeof(size_t)),
        .last_commit = rh_arena_alloc_array(arena, trace->steps.count + 1, sizeof(size_t)),
        .most = wanted.mode == CUTS_ALL     ? CUTS_MAX
                : wanted.mode == CUTS_AUTO  ? CUTS_AUTO_MAX
                : wanted.mode == CUTS_COUNT ? (size_t)wanted.count
                                            : 0,
        .plan = plan,
    };
    *plan = (struct cut_plan){0};
    find_ends(&planning);
    find_commits(&planning);
    find_middles(&planning);
    find_blocks(&planning);
    plan->places = (int64_t)(planning.commits.count + planning.middles.count +
                             planning.blocks.count);
    add_cuts(&planning, wanted.mode == CUTS_AUTO);
}

/* --- running it again ----------------------------------------------------------------------------
 */

enum rerun_kind rh_rerun_kind_of(const struct trace *trace, bool has_tool_files)
{
    bool is_command = false, is_psql = trace->sessions.count > 0;
    for (size_t i = 0; i < trace->steps.count; i++)
        is_command |= trace->steps.items[i].is_command;
    if (!is_command)
        return has_tool_files ? RERUN_TOOL_FILES : RERUN_SCRIPT;
    for (size_t i = 0; i < trace->sessions.count; i++) {
        const char *name = trace->sessions.items[i].application_name;
        is_psql &= name && strcmp(name, "psql") == 0;
    }
    return is_psql ? RERUN_SCRIPT : RERUN_LEDGER;
}

enum claim { CLAIM_NONE, CLAIM_MADE, CLAIM_MISSING };

/* The words of a statement, as far as they matter: its first few, and IF or OR REPLACE behind. */
#define WORDS_MAX 12

struct words {
    const char *words[WORDS_MAX];
    size_t count;
};

static struct words first_words(const char *sql, struct arena *arena)
{
    struct text text = rh_text(sql);
    struct sql_lexer lexer = rh_sql_lexer(text);
    struct sql_token token;
    struct words words = {0};
    while (words.count < WORDS_MAX && rh_sql_lexer_next(&lexer, &token)) {
        if (!rh_sql_token_is_significant(&token))
            continue;
        char *word = rh_arena_strndup(arena, text.data + token.offset, token.len);
        for (char *c = word; *c; c++)
            if (*c >= 'a' && *c <= 'z')
                *c = (char)(*c - ('a' - 'A'));
        words.words[words.count++] = token.kind == SQL_TOKEN_WORD ? word : "";
    }
    return words;
}

static bool has_pair(const struct words *words, const char *first, const char *second)
{
    for (size_t i = 0; i + 1 < words->count; i++)
        if (strcmp(words->words[i], first) == 0 && strcmp(words->words[i + 1], second) == 0)
            return true;
    return false;
}

/* Manual 18, SQL Commands: which forms of CREATE, DROP and ALTER have IF [NOT] EXISTS. */
static enum claim claim_of(const char *sql, const char *tag, struct arena *arena)
{
    static const char *const creates[] = {
        "CREATE TABLE",    "CREATE INDEX",         "CREATE SCHEMA",
        "CREATE SEQUENCE", "CREATE EXTENSION",     "CREATE MATERIALIZED VIEW",
        "CREATE SERVER",   "CREATE FOREIGN TABLE", "CREATE STATISTICS"};
    static const char *const replaces[] = {"CREATE VIEW", "CREATE FUNCTION", "CREATE PROCEDURE",
                                           "CREATE AGGREGATE", "CREATE RULE"};
    struct words words = first_words(sql, arena);
    bool has_if = has_pair(&words, "IF", "EXISTS") || has_pair(&words, "IF", "NOT");
    if (!tag)
        return CLAIM_NONE;
    if (is_one_of(tag, creates, sizeof(creates) / sizeof(creates[0])) ||
        strncmp(tag, "DROP ", 5) == 0)
        return has_if ? CLAIM_MADE : CLAIM_MISSING;
    if (is_one_of(tag, replaces, sizeof(replaces) / sizeof(replaces[0])))
        return has_pair(&words, "OR", "REPLACE") ? CLAIM_MADE : CLAIM_MISSING;
    if (strcmp(tag, "ALTER TABLE") == 0 &&
        (has_pair(&words, "ADD", "COLUMN") || has_pair(&words, "DROP", "COLUMN")))
        return has_if ? CLAIM_MADE : CLAIM_MISSING;
    return CLAIM_NONE;
}

bool rh_claims_repeatable(const struct trace *trace)
{
    RH_CLEANUP_ARENA struct arena *scratch = rh_arena_new();
    bool claims = false;
    for (size_t i = 0; i < trace->statements.count; i++) {
        const struct statement *statement = &trace->statements.items[i];
        switch (claim_of(statement->sql, statement->tag, scratch)) {
        case CLAIM_MISSING:
            return false;
        case CLAIM_MADE:
            claims = true;
            break;
        case CLAIM_NONE:
            break;
        }
        rh_arena_clear(scratch);
    }
    return claims;
}

const struct statement *rh_longest_blocking(const struct trace *trace, int64_t least_us)
{
    const struct statement *longest = NULL;
    for (size_t i = 0; i < trace->statements.count; i++) {
        const struct statement *statement = &trace->statements.items[i];
        bool blocks = false;
        for (size_t k = 0; k < statement->locks.count; k++)
            blocks |= statement->locks.items[k].preexisting &&
                      (statement->locks.items[k].blocks_reads ||
                       statement->locks.items[k].blocks_writes);
        if (blocks && statement->ok && statement->duration_us >= least_us &&
            (!longest || statement->duration_us > longest->duration_us))
            longest = statement;
    }
    return longest;
}
