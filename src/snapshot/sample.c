#include "snapshot/sample_int.h"

#include "snapshot/witness_int.h"

static enum err_code make_conditions(struct sampling *sampling, struct err *err)
{
    const size_t *order = rh_sample_order(sampling);
    for (size_t i = 0; i < sampling->nodes.count; i++) {
        enum err_code code = rh_sample_plan_base(sampling, order[i], err);
        if (code == RH_OK)
            code = rh_sample_cap(sampling, order[i], err);
        if (code != RH_OK)
            return code;
    }
    return RH_OK;
}

static enum err_code fill_table(struct sampling *sampling, size_t table, struct sample_table *out,
                                struct err *err)
{
    size_t index = sampling->node_of[table];
    *out = (struct sample_table){.table = table, .is_whole = true, .rows = -1, .fraction = 1};
    if (index == CATALOG_NONE)
        return RH_OK;
    const struct sample_node *node = &sampling->nodes.items[index];
    struct sample_extras *extras = &sampling->extras[table];
    bool holds_rows = sampling->catalog->tables.items[table].kind == 'r';
    out->reason = node->reason;
    out->fraction = node->fraction;
    out->witnesses = extras->witnesses;
    if (!holds_rows || !node->base)
        return RH_OK;
    out->is_whole = false;
    rh_row_set_sort(&extras->set);
    out->condition_sql = rh_sample_condition(sampling, table);
    out->added = (int64_t)extras->set.rows.count;
    if (strcmp(node->base, "false") == 0)
        out->rows = out->added;
    if (out->condition_sql && strlen(out->condition_sql) > SAMPLE_CONDITION_MAX) {
        const char *name = sampling->catalog->tables.items[table].identity;
        rh_err_set(err, RH_ERR_LIMIT, "too many rows of %s would have to be added to the sample",
                   name);
        rh_err_hint(err, "Keep it whole (--sample %s=100%%), or take a smaller share.", name);
        return err->code;
    }
    return RH_OK;
}

static void say_notes(struct sampling *sampling)
{
    struct arena *arena = sampling->arena;
    for (size_t i = 0; i < sampling->nodes.count; i++) {
        const struct sample_node *node = &sampling->nodes.items[i];
        bool is_hashed = node->base && node->has_hash && node->choice == SAMPLE_ROOT;
        if (is_hashed && !rh_sample_has_key(sampling, i))
            *RH_PUSH(arena, &sampling->plan->notes) = rh_arena_printf(
                arena,
                "%s has no key: its rows are chosen by a hash of their columns, equal ones "
                "together",
                sampling->catalog->tables.items[node->table].identity);
    }
}

static enum err_code make_plan(struct sampling *sampling, struct err *err)
{
    enum err_code code = rh_sample_prepare(sampling, err);
    if (code != RH_OK)
        return code;
    rh_sample_nodes(sampling);
    code = rh_sample_check_edges(sampling, 0, err);
    size_t edges = sampling->edges.count;
    if (code == RH_OK)
        code = rh_sample_choose(sampling, err);
    if (code == RH_OK)
        code = rh_sample_check_conditions(sampling, err);
    if (code == RH_OK)
        code = make_conditions(sampling, err);
    if (code == RH_OK)
        code = rh_witness_find(sampling, err);
    if (code == RH_OK)
        code = rh_sample_check_edges(sampling, edges, err);
    if (code == RH_OK)
        code = rh_sample_top_up(sampling, err);
    if (code == RH_OK)
        code = rh_sample_close(sampling, err);
    if (code != RH_OK)
        return code;
    for (size_t i = 0; i < sampling->catalog->tables.count && code == RH_OK; i++)
        code = fill_table(sampling, i, RH_PUSH(sampling->arena, &sampling->plan->tables), err);
    say_notes(sampling);
    return code;
}

enum err_code rh_sample_plan(const struct engine *engine, struct connection *connection,
                             const struct catalog *catalog, const struct sample_options *options,
                             struct mono deadline, struct arena *arena,
                             struct sample_plan *ret_plan, struct err *err)
{
    struct arena *scratch RH_CLEANUP_ARENA = rh_arena_new();
    struct sample_plan plan = {0};
    struct sampling sampling = {.engine = engine,
                                .connection = connection,
                                .catalog = catalog,
                                .options = options,
                                .deadline = deadline,
                                .arena = arena,
                                .scratch = scratch,
                                .plan = &plan};
    enum err_code code = make_plan(&sampling, err);
    if (code == RH_OK)
        *ret_plan = plan;
    return code;
}
