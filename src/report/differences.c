/* How the states before and after differ. */
#include "report/report_int.h"

/* Sentences shown of each kind before the rest is only counted. */
#define SENTENCES_SHOWN 5

/* "(statement 3)"; for what nobody did, or nobody named, the reader is told so. */
static const char *say_cause(struct arena *arena, enum explanation explanation, int statement)
{
    const char *name = statement > 0 ? rh_arena_printf(arena, "statement %d", statement) : "";
    switch (explanation) {
    case EXPLAINED_NAMED:
    case EXPLAINED_CODE:
        return name[0] ? rh_arena_printf(arena, " (%s)", name) : "";
    case EXPLAINED_ALONG:
        return name[0] ? rh_arena_printf(arena, " (%s, which does not name it)", name)
                       : " (named by no statement)";
    case EXPLAINED_NOT:
        return " (by no statement that was seen)";
    }
    return "";
}

static void add_line(const struct layout *layout, const char *sentence,
                     enum explanation explanation, int statement)
{
    rh_layout_labelled(layout, "",
                       rh_arena_printf(layout->arena, "%s%s", sentence,
                                       say_cause(layout->arena, explanation, statement)));
}

static size_t shown_of(size_t count, enum report_detail detail)
{
    return detail == REPORT_VERBOSE || count <= SENTENCES_SHOWN ? count : SENTENCES_SHOWN - 1;
}

static void add_rest(const struct layout *layout, size_t shown, size_t count)
{
    if (shown < count)
        rh_layout_labelled(
            layout, "",
            rh_arena_printf(layout->arena, "and %zu more in result.json", count - shown));
}

static const char *say_differences(const struct layout *layout, size_t count)
{
    return count == 0
               ? "unchanged"
               : rh_arena_printf(layout->arena, "%zu difference%s", count, count == 1 ? "" : "s");
}

static void add_schema(const struct layout *layout, const struct schema_differences *schema,
                       enum report_detail detail)
{
    size_t count = schema->list.count, shown = shown_of(count, detail);
    if (schema->was_compared)
        rh_layout_labelled(layout, "schema", say_differences(layout, count));
    else if (schema->reason)
        rh_layout_labelled(layout, "schema",
                           rh_arena_printf(layout->arena, "not compared: %s", schema->reason));
    for (size_t i = 0; schema->was_compared && i < shown; i++)
        add_line(layout, schema->list.items[i].sentence, schema->list.items[i].explanation,
                 schema->list.items[i].statement);
    if (schema->was_compared)
        add_rest(layout, shown, count);
}

static void add_data(const struct layout *layout, const struct data_differences *data,
                     enum report_detail detail)
{
    struct arena *arena = layout->arena;
    size_t count = data->list.count, shown = shown_of(count, detail);
    if (!data->was_compared) {
        if (data->reason)
            rh_layout_labelled(layout, "data",
                               rh_arena_printf(arena, "not compared: %s", data->reason));
        return;
    }
    const char *text = rh_arena_printf(
        arena, "%s in %s table%s, %s row%s", say_differences(layout, count),
        rh_layout_count(arena, data->tables), data->tables == 1 ? "" : "s",
        rh_layout_count(arena, data->rows), data->rows == 1 ? "" : "s");
    if (data->sampled_tables > 0)
        text = rh_arena_printf(arena, "%s (values of %s by sample)", text,
                               rh_layout_count(arena, data->sampled_tables));
    if (data->skipped_tables > 0)
        text = rh_arena_printf(arena, "%s; %s not compared", text,
                               rh_layout_count(arena, data->skipped_tables));
    rh_layout_labelled(layout, "data", text);
    for (size_t i = 0; i < shown; i++)
        add_line(layout, data->list.items[i].sentence, data->list.items[i].explanation,
                 data->list.items[i].statement);
    add_rest(layout, shown, count);
}

void rh_report_differences(const struct layout *layout, const struct result *result,
                           enum report_detail detail)
{
    size_t before = layout->out->len;
    add_schema(layout, &result->schema_differences, detail);
    add_data(layout, &result->data_differences, detail);
    if (layout->out->len > before)
        rh_buf_add_char(layout->out, '\n');
}
