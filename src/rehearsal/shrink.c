#include "rehearsal/shrink.h"

#include "snapshot/sample.h"

/* The same rows every time: two rehearsals of one migration can be compared. */
#define SEED 0x72656865u

struct shrinking {
    const struct engine *engine;
    struct connection *connection;
    struct mono deadline;
    struct arena *arena;
};

static enum err_code run(struct shrinking *shrinking, const char *sql, struct err *err)
{
    return shrinking->engine->query(shrinking->connection, sql, NULL, 0, shrinking->deadline, NULL,
                                    err);
}

static bool is_cut(const struct catalog_table *table, const struct sample_table *sample)
{
    return !sample->is_whole && (table->kind == 'r' || table->kind == 'm');
}

/* Which rows stay is settled for all tables before the first loses one: the conditions look at each
   other's tables. */
static enum err_code mark(struct shrinking *shrinking, const struct catalog *catalog,
                          const struct sample_plan *plan, struct err *err)
{
    enum err_code code = RH_OK;

    for (size_t i = 0; !code && i < plan->tables.count; i++) {
        const struct sample_table *sample = &plan->tables.items[i];
        const struct catalog_table *table = &catalog->tables.items[sample->table];
        if (!is_cut(table, sample))
            continue;
        code = run(shrinking,
                   rh_arena_printf(shrinking->arena,
                                   "CREATE TEMPORARY TABLE rehearse_gone_%zu AS SELECT ctid AS "
                                   "place FROM ONLY %s WHERE (%s) IS NOT TRUE",
                                   i, table->identity, sample->condition_sql),
                   err);
        if (code)
            rh_err_while(err, "while choosing the rows of %s", table->identity);
    }
    return code;
}

static enum err_code cut(struct shrinking *shrinking, const struct catalog *catalog,
                         const struct sample_plan *plan, struct err *err)
{
    enum err_code code = run(shrinking, "SET session_replication_role = replica", err);

    for (size_t i = 0; !code && i < plan->tables.count; i++) {
        const struct sample_table *sample = &plan->tables.items[i];
        const struct catalog_table *table = &catalog->tables.items[sample->table];
        if (!is_cut(table, sample))
            continue;
        code = run(shrinking,
                   rh_arena_printf(shrinking->arena,
                                   "DELETE FROM ONLY %s WHERE ctid IN (SELECT place FROM "
                                   "rehearse_gone_%zu)",
                                   table->identity, i),
                   err);
        if (!code)
            code = run(
                shrinking,
                rh_arena_printf(shrinking->arena, "VACUUM (FULL, ANALYZE) %s", table->identity),
                err);
        if (code)
            rh_err_while(err, "while taking rows from %s", table->identity);
    }
    return code;
}

static enum err_code plan_cut(struct shrinking *shrinking, double fraction,
                              struct catalog *ret_catalog, struct sample_plan *ret_plan,
                              struct err *err)
{
    const struct sample_options options = {.fraction = fraction, .seed = SEED};
    enum err_code code = run(shrinking, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", err);

    if (!code)
        code = shrinking->engine->read_catalog(shrinking->connection, shrinking->arena,
                                               shrinking->deadline, ret_catalog, err);
    if (!code)
        code = rh_sample_plan(shrinking->engine, shrinking->connection, ret_catalog, &options,
                              shrinking->deadline, shrinking->arena, ret_plan, err);
    return code ? code : run(shrinking, "COMMIT", err);
}

enum err_code rh_shrink(const struct engine *engine, const struct connection_parameters *superuser,
                        double fraction, struct mono deadline, struct arena *arena, struct err *err)
{
    struct connection_parameters parameters = *superuser;
    struct shrinking shrinking = {.engine = engine, .deadline = deadline, .arena = arena};
    struct catalog catalog = {0};
    struct sample_plan plan = {0};

    parameters.application_name = "rehearse/shrink";
    enum err_code code = engine->connect(&parameters, deadline, &shrinking.connection, err);
    if (!code)
        code = plan_cut(&shrinking, fraction, &catalog, &plan, err);
    if (!code)
        code = mark(&shrinking, &catalog, &plan, err);
    if (!code)
        code = cut(&shrinking, &catalog, &plan, err);
    engine->close(shrinking.connection);
    if (code)
        rh_err_while(err, "while making a smaller copy");
    return code;
}
