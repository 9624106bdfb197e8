#include "compare/query_plans.h"

#include "base/say.h"

#include <math.h>
#include <string.h>

/* An estimate below one row is one row: the planner rounds it so. */
#define LEAST_ROWS 1.0

static const char *text_of(const json_t *node, const char *key)
{
    return json_string_value(json_object_get(node, key));
}

/* Rows are real numbers since PostgreSQL 18. */
static double number_of(const json_t *node, const char *key, double otherwise)
{
    const json_t *value = json_object_get(node, key);
    return json_is_number(value) ? json_number_value(value) : otherwise;
}

static const json_t *root_of(const json_t *explain)
{
    if (json_is_array(explain))
        explain = json_array_get(explain, 0);
    const json_t *plan = json_object_get(explain, "Plan");
    return json_is_object(plan) ? plan : NULL;
}

/* --- nodes as words ------------------------------------------------------------------------- */

static const char *aggregate_name(struct arena *arena, const json_t *node)
{
    const char *strategy = text_of(node, "Strategy"), *partial = text_of(node, "Partial Mode");
    const char *name = "Aggregate";
    if (strategy && strcmp(strategy, "Hashed") == 0)
        name = "HashAggregate";
    else if (strategy && strcmp(strategy, "Sorted") == 0)
        name = "GroupAggregate";
    else if (strategy && strcmp(strategy, "Mixed") == 0)
        name = "MixedAggregate";
    return partial && strcmp(partial, "Simple") != 0
               ? rh_arena_printf(arena, "%s %s", partial, name)
               : name;
}

/* "Hash Join" of a left join is "Hash Left Join", as EXPLAIN writes it. */
static const char *join_name(struct arena *arena, const char *type, const char *join)
{
    if (strcmp(join, "Inner") == 0)
        return type;
    size_t len = strlen(type);
    if (len > 5 && strcmp(type + len - 5, " Join") == 0)
        return rh_arena_printf(arena, "%.*s %s Join", (int)(len - 5), type, join);
    return rh_arena_printf(arena, "%s %s Join", type, join);
}

static const char *node_name(struct arena *arena, const json_t *node)
{
    const char *type = text_of(node, "Node Type");
    const char *join = text_of(node, "Join Type"), *direction = text_of(node, "Scan Direction");
    const char *name = type ? type : "?";
    if (type && strcmp(type, "Aggregate") == 0)
        name = aggregate_name(arena, node);
    else if (type && strcmp(type, "ModifyTable") == 0 && text_of(node, "Operation"))
        name = text_of(node, "Operation");
    else if (type && join)
        name = join_name(arena, type, join);
    if (direction && strcmp(direction, "Backward") == 0)
        name = rh_arena_printf(arena, "%s Backward", name);
    if (json_is_true(json_object_get(node, "Parallel Aware")))
        name = rh_arena_printf(arena, "Parallel %s", name);
    return name;
}

static const char *target_of(const json_t *node)
{
    static const char *const keys[] = {"Relation Name", "CTE Name", "Function Name",
                                       "Tuplestore Name", "Table Function Name"};
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
        if (text_of(node, keys[i]))
            return text_of(node, keys[i]);
    return NULL;
}

static const char *old_name(const struct renames *renames, const char *name)
{
    return renames && name ? rh_renames_before(renames, name) : name;
}

/* `renames`: names as they were before; NULL: as they are. */
static const char *node_text(struct arena *arena, const json_t *node, const struct renames *renames)
{
    const char *name = node_name(arena, node), *target = old_name(renames, target_of(node));
    const char *index = old_name(renames, text_of(node, "Index Name"));
    if (index && target)
        return rh_arena_printf(arena, "%s using %s on %s", name, index, target);
    if (index || target)
        return rh_arena_printf(arena, "%s on %s", name, index ? index : target);
    return rh_arena_strdup(arena, name);
}

static bool is_scan(const json_t *node)
{
    return text_of(node, "Relation Name") && !text_of(node, "Operation");
}

static double scanned_rows(const json_t *node)
{
    double loops = number_of(node, "Actual Loops", -1), rows = number_of(node, "Actual Rows", -1);
    if (loops < 0 || rows < 0)
        return -1;
    return loops * (rows + number_of(node, "Rows Removed by Filter", 0) +
                    number_of(node, "Rows Removed by Index Recheck", 0));
}

static void add_lines(struct arena *arena, const json_t *node, int depth,
                      const struct renames *renames, struct query_plan *plan)
{
    if (plan->lines.count >= PLAN_LINES_MAX || depth > PLAN_DEPTH_MAX || !json_is_object(node))
        return;
    double loops = number_of(node, "Actual Loops", -1), rows = number_of(node, "Actual Rows", -1);
    double scanned = is_scan(node) ? scanned_rows(node) : -1;
    *RH_PUSH(arena, &plan->lines) = (struct plan_line){
        .depth = depth,
        .text = node_text(arena, node, NULL),
        .old_text = renames ? node_text(arena, node, renames) : NULL,
        .rows = loops < 0 || rows < 0 ? -1 : (int64_t)llround(loops * rows),
        .scanned = scanned < 0 ? -1 : (int64_t)llround(scanned),
    };
    const json_t *child;
    size_t i;
    json_array_foreach(json_object_get(node, "Plans"), i, child)
        add_lines(arena, child, depth + 1, renames, plan);
}

bool rh_query_plan_read_renamed(const json_t *explain, const struct renames *renames,
                                struct arena *arena, struct query_plan *ret_plan)
{
    const json_t *root = root_of(explain);
    if (!root)
        return false;
    *ret_plan = (struct query_plan){0};
    add_lines(arena, root, 0, renames && renames->pairs.count > 0 ? renames : NULL, ret_plan);
    return true;
}

bool rh_query_plan_read(const json_t *explain, struct arena *arena, struct query_plan *ret_plan)
{
    return rh_query_plan_read_renamed(explain, NULL, arena, ret_plan);
}

/* --- what it cost --------------------------------------------------------------------------- */

/* A node that was stopped before its end (below a LIMIT) says nothing of its estimate. */
static void weigh_node(struct arena *arena, const json_t *node, int depth, bool is_stopped,
                       struct query_effort *effort)
{
    if (depth > PLAN_DEPTH_MAX || !json_is_object(node))
        return;
    const char *type = text_of(node, "Node Type");
    double loops = number_of(node, "Actual Loops", 0);
    double estimate = fmax(number_of(node, "Plan Rows", LEAST_ROWS), LEAST_ROWS);
    double actual = fmax(number_of(node, "Actual Rows", LEAST_ROWS), LEAST_ROWS);
    if (is_scan(node))
        effort->rows_scanned += fmax(scanned_rows(node), 0);
    is_stopped |= type && strcmp(type, "Limit") == 0;
    double ratio = fmax(estimate / actual, actual / estimate);
    if (loops > 0 && !is_stopped && ratio > effort->estimate_ratio) {
        effort->estimate_ratio = ratio;
        effort->estimate_node = node_text(arena, node, NULL);
        effort->estimate_rows = estimate;
        effort->estimate_actual = actual;
    }
    const json_t *child;
    size_t i;
    json_array_foreach(json_object_get(node, "Plans"), i, child)
        weigh_node(arena, child, depth + 1, is_stopped, effort);
}

bool rh_query_plan_effort(const json_t *explain, struct arena *arena, struct query_effort *ret)
{
    const json_t *root = root_of(explain);
    if (!root || !json_object_get(root, "Actual Rows") ||
        !json_object_get(root, "Shared Hit Blocks"))
        return false;
    *ret = (struct query_effort){
        .blocks = number_of(root, "Shared Hit Blocks", 0) +
                  number_of(root, "Shared Read Blocks", 0) +
                  number_of(root, "Local Hit Blocks", 0) + number_of(root, "Local Read Blocks", 0),
        .temp_blocks = number_of(root, "Temp Read Blocks", 0) +
                       number_of(root, "Temp Written Blocks", 0),
        .rows = number_of(root, "Actual Rows", 0),
        .wal_records = number_of(root, "WAL Records", -1),
        .estimate_ratio = 1,
    };
    weigh_node(arena, root, 0, false, ret);
    return true;
}

/* --- differences ---------------------------------------------------------------------------- */

static const char *old_text(const struct plan_line *line)
{
    return line->old_text ? line->old_text : line->text;
}

static bool is_same(const struct plan_line *a, const struct plan_line *b)
{
    return strcmp(old_text(a), old_text(b)) == 0;
}

bool rh_query_plan_equals(const struct query_plan *a, const struct query_plan *b)
{
    if (a->lines.count != b->lines.count)
        return false;
    for (size_t i = 0; i < a->lines.count; i++)
        if (a->lines.items[i].depth != b->lines.items[i].depth ||
            !is_same(&a->lines.items[i], &b->lines.items[i]))
            return false;
    return true;
}

/* Lines that are in no longest common sequence are different. */
static void mark_lines(struct query_plan *a, struct query_plan *b, struct arena *arena)
{
    size_t n = a->lines.count, m = b->lines.count, width = m + 1;
    uint16_t *longest = rh_arena_alloc_array(arena, (n + 1) * width, sizeof(*longest));
    for (size_t i = n; i-- > 0;)
        for (size_t j = m; j-- > 0;) {
            uint16_t skip_a = longest[(i + 1) * width + j], skip_b = longest[i * width + j + 1];
            bool is_alike = is_same(&a->lines.items[i], &b->lines.items[j]);
            longest[i * width + j] = is_alike ? (uint16_t)(longest[(i + 1) * width + j + 1] + 1)
                                     : skip_a > skip_b ? skip_a
                                                       : skip_b;
        }
    size_t i = 0, j = 0;
    while (i < n || j < m) {
        if (i < n && j < m && is_same(&a->lines.items[i], &b->lines.items[j])) {
            a->lines.items[i++].is_different = b->lines.items[j++].is_different = false;
        } else if (j >= m ||
                   (i < n && longest[(i + 1) * width + j] >= longest[i * width + j + 1])) {
            a->lines.items[i++].is_different = true;
        } else {
            b->lines.items[j++].is_different = true;
        }
    }
}

/* "orders" of "Index Scan using x on orders". */
static const char *relation_in(const char *text)
{
    const char *on = NULL;
    for (const char *at = text; (at = strstr(at, " on ")); at++)
        on = at + 4;
    return on;
}

static const char *relation_of(const struct plan_line *line)
{
    return relation_in(line->text);
}

/* A scan by its relation, a bitmap scan with the index below it. */
static const char *say_scan(struct arena *arena, const struct query_plan *plan, size_t at,
                            bool with_relation)
{
    const struct plan_line *line = &plan->lines.items[at];
    const char *on = relation_of(line);
    const char *text = with_relation || !on
                           ? line->text
                           : rh_arena_strndup(arena, line->text, (size_t)(on - 4 - line->text));
    if (strncmp(line->text, "Bitmap Heap Scan", 16) == 0 && at + 1 < plan->lines.count) {
        const struct plan_line *below = &plan->lines.items[at + 1];
        if (strncmp(below->text, "Bitmap Index Scan on ", 21) == 0)
            text = rh_arena_printf(arena, "%s (%s)", text, below->text + 21);
    }
    return text;
}

static const char *say_rows(struct arena *arena, const struct plan_line *line)
{
    if (line->rows < 0 || line->scanned < 0)
        return "";
    return rh_arena_printf(arena, ", %s of %s rows", rh_say_number(arena, line->rows),
                           rh_say_number(arena, line->scanned));
}

/* The scan of that relation that the other plan has not; SIZE_MAX. */
static size_t different_scan(const struct query_plan *plan, const char *relation)
{
    for (size_t i = 0; i < plan->lines.count; i++) {
        const struct plan_line *line = &plan->lines.items[i];
        const char *own = line->is_different && strncmp(line->text, "Bitmap Index", 12) != 0
                              ? relation_in(old_text(line))
                              : NULL;
        if (own && strstr(line->text, "Scan") && (!relation || strcmp(own, relation) == 0))
            return i;
    }
    return SIZE_MAX;
}

static size_t first_different(const struct query_plan *plan)
{
    for (size_t i = 0; i < plan->lines.count; i++)
        if (plan->lines.items[i].is_different)
            return i;
    return SIZE_MAX;
}

/* The scan that looked at the most rows is what a reader wants to know. */
static size_t worst_different_scan(const struct query_plan *plan)
{
    size_t worst = different_scan(plan, NULL);
    for (size_t i = 0; worst != SIZE_MAX && i < plan->lines.count; i++) {
        const struct plan_line *line = &plan->lines.items[i];
        if (line->is_different && relation_of(line) && strstr(line->text, "Scan") &&
            strncmp(line->text, "Bitmap Index", 12) != 0 &&
            line->scanned > plan->lines.items[worst].scanned)
            worst = i;
    }
    return worst;
}

static const char *say_difference(const struct query_plans *plans, struct arena *arena)
{
    const struct query_plan *a = &plans->baseline, *b = &plans->candidate;
    size_t scan = worst_different_scan(b);
    if (scan != SIZE_MAX) {
        const struct plan_line *line = &b->lines.items[scan];
        size_t before = different_scan(a, relation_in(old_text(line)));
        if (before != SIZE_MAX)
            return rh_arena_printf(arena, "%s -> %s%s", say_scan(arena, a, before, false),
                                   say_scan(arena, b, scan, true), say_rows(arena, line));
    }
    size_t before = first_different(a), after = first_different(b);
    if (before != SIZE_MAX && after != SIZE_MAX)
        return rh_arena_printf(arena, "%s -> %s%s", say_scan(arena, a, before, true),
                               say_scan(arena, b, after, true),
                               say_rows(arena, &b->lines.items[after]));
    if (after != SIZE_MAX)
        return rh_arena_printf(arena, "now also %s%s", say_scan(arena, b, after, true),
                               say_rows(arena, &b->lines.items[after]));
    if (before != SIZE_MAX)
        return rh_arena_printf(arena, "no longer %s", say_scan(arena, a, before, true));
    return "the same nodes, nested otherwise";
}

void rh_query_plans_compare(struct query_plans *plans, struct arena *arena)
{
    plans->is_compared = plans->baseline.lines.count > 0 && plans->candidate.lines.count > 0;
    plans->is_changed = plans->is_compared &&
                        !rh_query_plan_equals(&plans->baseline, &plans->candidate);
    plans->difference = NULL;
    if (!plans->is_changed)
        return;
    mark_lines(&plans->baseline, &plans->candidate, arena);
    plans->difference = say_difference(plans, arena);
}
