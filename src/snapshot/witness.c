#include "snapshot/witness_int.h"

#include "sql/facts.h"
#include "sql/phrase.h"
#include "sql/split.h"

void rh_sample_add_witness(struct sample_options *options, const char *name, const char *sha256,
                           struct text script, struct arena *arena)
{
    struct sql_script split;

    rh_sql_split(script, arena, &split);
    for (size_t i = 0; i < split.statements.count; i++)
        *RH_PUSH(arena, &options->witness_statements) = rh_text_dup(arena,
                                                                    split.statements.items[i].text);
    *RH_PUSH(arena, &options->witness_files) = (struct sample_witness_file){
        rh_arena_strdup(arena, name), rh_arena_strdup(arena, sha256)};
}

/* A column of a domain's type; the demands of ALTER DOMAIN are asked of each. */
static enum err_code ask_domain(struct witness *witness, const struct demands *demands,
                                struct err *err)
{
    struct sampling *sampling = witness->sampling;
    struct arena *arena = sampling->scratch;
    const struct catalog *catalog = sampling->catalog;
    enum err_code code = RH_OK;
    for (size_t t = 0; t < catalog->tables.count; t++) {
        const struct catalog_table *table = &catalog->tables.items[t];
        size_t node = sampling->node_of[t];
        if (node == CATALOG_NONE || sampling->nodes.items[node].table != t)
            continue;
        witness->table = t;
        for (size_t c = 0; c < table->columns.count; c++) {
            const struct catalog_column *column = &table->columns.items[c];
            if (!column->domain ||
                !rh_sample_same_name(sampling, witness->validation->relation, column->domain))
                continue;
            for (size_t d = 0; d < demands->items.count && code == RH_OK; d++) {
                struct demand demand = demands->items.items[d];
                demand.column = column->quoted;
                /* VALUE is a column's name to the parser where it is no domain's check */
                if (demand.condition)
                    demand.condition = rh_arena_printf(
                        arena, "(SELECT (%s\n) FROM (SELECT %s AS value) AS rehearse_value)",
                        demand.condition, column->quoted);
                code = rh_witness_demand(witness, &demand, err);
            }
        }
    }
    return code;
}

/* Statements whose work is in what they run, which their text does not tell. */
static bool is_opaque(const char *tag)
{
    static const char *const tags[] = {
        "DO", "CALL", "EXECUTE", "INSERT", "MERGE", "COPY", "REFRESH MATERIALIZED VIEW"};
    for (size_t i = 0; i < sizeof(tags) / sizeof(*tags); i++)
        if (strcmp(tags[i], tag) == 0)
            return true;
    return false;
}

static enum err_code touch_all(struct witness *witness, const struct sql_facts *facts,
                               bool *touched, struct err *err)
{
    struct sampling *sampling = witness->sampling;
    enum err_code code = RH_OK;
    for (size_t i = 0; i < facts->relations.count && code == RH_OK; i++) {
        const struct sql_name *name = &facts->relations.items[i];
        size_t table = rh_sample_find_raw(sampling, name->schema, name->name);
        if (table == CATALOG_NONE || touched[table])
            continue;
        touched[table] = true;
        witness->table = table;
        witness->is_quiet = true;
        code = rh_witness_touch(witness, err);
        witness->is_quiet = false;
    }
    return code;
}

/* SET [SESSION | LOCAL] search_path { TO | = } list: names behind it are looked up in these. */
static void follow_search_path(struct sampling *sampling, struct text sql)
{
    struct arena *arena = sampling->scratch;
    struct phrase phrase;
    if (!rh_phrase_read(&phrase, sql, arena, VALIDATION_TOKENS_MAX))
        return;
    size_t i = 1 +
               (rh_phrase_is_word(&phrase, 1, "session") || rh_phrase_is_word(&phrase, 1, "local"));
    if (!rh_phrase_is_word(&phrase, 0, "set") || !rh_phrase_is_word(&phrase, i, "search_path") ||
        rh_phrase_is_word(&phrase, i + 2, "default"))
        return;
    sampling->schemas.count = 0;
    sampling->search_path = "";
    for (i += 2; i < phrase.tokens.count; i++) {
        const char *written = rh_phrase_words(&phrase, i, i + 1);
        size_t len = strlen(written);
        if (rh_phrase_is_kind(&phrase, i, SQL_TOKEN_STRING) && len >= 2)
            written = rh_arena_printf(arena, "\"%.*s\"", (int)(len - 2), written + 1);
        const char *name = rh_sample_name(sampling, written);
        if (!name)
            continue;
        *RH_PUSH(arena, &sampling->schemas) = name;
        sampling->search_path = rh_arena_printf(arena, "%s%s%s", sampling->search_path,
                                                *sampling->search_path ? ", " : "", written);
    }
}

static enum err_code look_at(struct sampling *sampling, size_t index, bool *touched,
                             struct err *err)
{
    struct arena *arena = sampling->scratch;
    struct text sql = rh_text(sampling->options->witness_statements.items[index]);
    struct validation validation;
    struct demands demands;
    struct sql_facts facts;
    rh_sql_facts(sql, arena, &facts);
    rh_sql_validations(sql, arena, &validation);
    rh_sql_demands(&validation, arena, &demands);
    struct witness witness = {
        .sampling = sampling,
        .validation = &validation,
        .table = CATALOG_NONE,
        .label = rh_arena_printf(sampling->arena, "statement %zu (%s)", index + 1, facts.tag)};
    follow_search_path(sampling, sql);
    if (is_opaque(facts.tag))
        rh_witness_not_covered(&witness, "the rows that it needs",
                               "they cannot be told from its text");
    enum err_code code = touch_all(&witness, &facts, touched, err);
    if (code != RH_OK || demands.items.count == 0)
        return code;
    if (validation.kind == VALIDATION_ALTER_DOMAIN)
        return ask_domain(&witness, &demands, err);
    size_t table = rh_sample_find_table(sampling, validation.relation);
    if (table == CATALOG_NONE) {
        rh_witness_not_covered(&witness, validation.relation,
                               "it is not there before the migration, or is no table");
        return RH_OK;
    }
    witness.table = table;
    for (size_t d = 0; d < demands.items.count && code == RH_OK; d++)
        code = rh_witness_demand(&witness, &demands.items.items[d], err);
    return code;
}

enum err_code rh_witness_find(struct sampling *sampling, struct err *err)
{
    const struct sample_options *options = sampling->options;
    int64_t budget_us = options->witness_budget_us ? options->witness_budget_us : WITNESS_BUDGET_US;
    bool *touched = rh_arena_alloc_array(sampling->scratch, sampling->catalog->tables.count + 1,
                                         sizeof(*touched));
    enum err_code code = RH_OK;
    sampling->witness_deadline = rh_clock_earlier(sampling->deadline,
                                                  rh_clock_after(rh_clock_mono(), budget_us));
    if (options->witness_statements.count > 0)
        code = rh_witness_read_volatile(sampling, err);
    for (size_t i = 0; i < options->witness_statements.count && code == RH_OK; i++)
        code = look_at(sampling, i, touched, err);
    return code;
}
