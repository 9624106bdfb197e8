#include "rehearsal/shrink.h"

#include "snapshot/sample.h"

/* The same rows every time: two rehearsals of one migration can be compared. */
#define SEED 0x72656865u

struct kept_list {
    VEC(struct kept_rows) items;
};

static void choose(const struct catalog *catalog, const struct sample_plan *plan,
                   struct arena *arena, struct kept_list *kept)
{
    for (size_t i = 0; i < plan->tables.count; i++) {
        const struct sample_table *sample = &plan->tables.items[i];
        const struct catalog_table *table = &catalog->tables.items[sample->table];

        if (!sample->is_whole && (table->kind == 'r' || table->kind == 'm'))
            *RH_PUSH(arena, &kept->items) = (struct kept_rows){table->identity,
                                                               sample->condition_sql};
    }
}

/* In a session of its own: it only reads, until it ends. */
static enum err_code plan_cut(const struct engine *engine,
                              const struct connection_parameters *superuser, double fraction,
                              struct mono deadline, struct arena *arena, struct kept_list *kept,
                              struct err *err)
{
    const struct sample_options options = {.fraction = fraction, .seed = SEED};
    const struct source_options no_limits = {0};
    struct connection *connection = NULL;
    struct source_facts facts;
    struct catalog catalog = {0};
    struct sample_plan plan = {0};
    enum err_code code = engine->connect(superuser, deadline, &connection, err);

    if (!code)
        code = engine->source_begin(connection, &no_limits, arena, deadline, &facts, err);
    if (!code)
        code = engine->read_catalog(connection, arena, deadline, &catalog, err);
    if (!code)
        code = rh_sample_plan(engine, connection, &catalog, &options, deadline, arena, &plan, err);
    if (!code)
        choose(&catalog, &plan, arena, kept);
    engine->close(connection);
    return code;
}

enum err_code rh_shrink(const struct engine *engine, const struct connection_parameters *superuser,
                        double fraction, struct mono deadline, struct arena *arena, struct err *err)
{
    struct connection_parameters parameters = *superuser;
    struct connection *connection = NULL;
    struct kept_list kept = {0};

    parameters.application_name = "rehearse/shrink";
    enum err_code code = plan_cut(engine, &parameters, fraction, deadline, arena, &kept, err);
    if (!code)
        code = engine->connect(&parameters, deadline, &connection, err);
    if (!code)
        code = engine->keep_rows(connection, kept.items.items, kept.items.count, arena, deadline,
                                 err);
    engine->close(connection);
    if (code)
        rh_err_while(err, "while making a smaller copy");
    return code;
}
