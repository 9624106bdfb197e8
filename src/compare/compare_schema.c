#include "compare/compare.h"
#include "compare/renames.h"
#include "model/trace.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Columns of an attribute's value in a sentence: the whole of it is in the result. */
#define VALUE_COLUMNS 60
/* Attributes named in one sentence. */
#define ATTRIBUTES_SHOWN 3

/* An object of one state and what became of it. */
struct entry {
    const struct state_object *object;
    struct entry *other; /* the same object in the other state; NULL */
    bool by_id;          /* found by its id: it is the very same */
    bool is_folded;      /* told with what it is a part of */
    int64_t parts;       /* so many are folded into it */
    struct schema_difference *difference;
};
struct side {
    struct entry *entries;
    size_t count;
    struct entry **by_id, **by_name; /* sorted */
};
struct comparison {
    struct arena *arena;
    struct side before, after;
    bool same_lineage;
    struct renames renames;
};

/* --- finding -------------------------------------------------------------------------------------
 */

static int compare_names(const struct state_object *a, const struct state_object *b)
{
    int order = strcmp(a->identity, b->identity);
    return order ? order : strcmp(a->kind, b->kind);
}

static int compare_by_name(const void *a, const void *b)
{
    return compare_names((*(struct entry *const *)a)->object, (*(struct entry *const *)b)->object);
}

static int compare_ids(const struct state_object *a, const struct state_object *b)
{
    if (a->id != b->id)
        return a->id < b->id ? -1 : 1;
    if (a->sub_id != b->sub_id)
        return a->sub_id < b->sub_id ? -1 : 1;
    return strcmp(a->kind, b->kind);
}

static int compare_by_id(const void *a, const void *b)
{
    return compare_ids((*(struct entry *const *)a)->object, (*(struct entry *const *)b)->object);
}

static struct side make_side(struct arena *arena, const struct schema_state *state)
{
    struct side side = {.count = state->objects.count};
    side.entries = rh_arena_alloc_array(arena, side.count + 1, sizeof(*side.entries));
    side.by_id = rh_arena_alloc_array(arena, side.count + 1, sizeof(*side.by_id));
    side.by_name = rh_arena_alloc_array(arena, side.count + 1, sizeof(*side.by_name));
    for (size_t i = 0; i < side.count; i++) {
        side.entries[i].object = &state->objects.items[i];
        side.by_id[i] = side.by_name[i] = &side.entries[i];
    }
    qsort(side.by_id, side.count, sizeof(*side.by_id), compare_by_id);
    qsort(side.by_name, side.count, sizeof(*side.by_name), compare_by_name);
    return side;
}

static struct entry *find_entry(struct entry **sorted, size_t count,
                                const struct state_object *wanted,
                                int (*compare)(const void *, const void *))
{
    struct entry key = {.object = wanted}, *pointer = &key;
    struct entry **found = bsearch(&pointer, sorted, count, sizeof(*sorted), compare);
    return found ? *found : NULL;
}

/* What an object is a part of: a relation, type, schema or server of that name. Their names are
   unique among themselves but for kinds that are parts too (identity "x on y") and never parents.
 */
static struct entry *find_parent(const struct side *side, const char *parent)
{
    size_t low = 0, high = side->count;
    if (!parent)
        return NULL;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(side->by_name[middle]->object->identity, parent) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low < side->count && strcmp(side->by_name[low]->object->identity, parent) == 0
               ? side->by_name[low]
               : NULL;
}

static void pair(struct entry *before, struct entry *after, bool by_id)
{
    before->other = after;
    after->other = before;
    before->by_id = after->by_id = by_id;
}

static void pair_all(struct comparison *comparison)
{
    struct side *before = &comparison->before, *after = &comparison->after;
    for (size_t i = 0; comparison->same_lineage && i < before->count; i++) {
        struct entry *entry = &before->entries[i];
        if (entry->object->id == 0)
            continue;
        struct entry *other = find_entry(after->by_id, after->count, entry->object, compare_by_id);
        if (other)
            pair(entry, other, true);
    }
    for (size_t i = 0; i < before->count; i++) {
        struct entry *entry = &before->entries[i];
        struct entry *other = entry->other ? NULL
                                           : find_entry(after->by_name, after->count, entry->object,
                                                        compare_by_name);
        if (other && !other->other)
            pair(entry, other, false);
    }
}

static const char *attribute_of(const struct state_object *object, const char *name)
{
    for (size_t i = 0; i < object->attributes.count; i++)
        if (strcmp(object->attributes.items[i].name, name) == 0)
            return object->attributes.items[i].value;
    return NULL;
}

static bool have_same_attributes(const struct state_object *a, const struct state_object *b)
{
    if (a->attributes.count != b->attributes.count)
        return false;
    for (size_t i = 0; i < a->attributes.count; i++)
        if (strcmp(a->attributes.items[i].name, b->attributes.items[i].name) != 0 ||
            strcmp(a->attributes.items[i].value, b->attributes.items[i].value) != 0)
            return false;
    return true;
}

/* Those of keys and exclusions are called as their indexes are. */
static bool is_plain_constraint(const struct entry *entry)
{
    const char *definition = attribute_of(entry->object, "definition");
    return !entry->other && strcmp(entry->object->kind, "table constraint") == 0 &&
           entry->object->parent && definition &&
           (strncmp(definition, "FOREIGN KEY", 11) == 0 || strncmp(definition, "CHECK", 5) == 0);
}

/* By table, then by what they demand. */
static int compare_demands(const void *a, const void *b)
{
    const struct state_object *left = (*(struct entry *const *)a)->object,
                              *right = (*(struct entry *const *)b)->object;
    int order = strcmp(left->parent, right->parent);
    return order ? order
                 : strcmp(attribute_of(left, "definition"), attribute_of(right, "definition"));
}

static size_t find_plain_constraints(struct side *side, struct entry **found)
{
    size_t count = 0;
    for (size_t i = 0; i < side->count; i++)
        if (is_plain_constraint(&side->entries[i]))
            found[count++] = &side->entries[i];
    qsort(found, count, sizeof(struct entry *), compare_demands);
    return count;
}

/* A constraint that a tool dropped and made anew under a name of its own is the same one. */
static void pair_constraints(struct comparison *comparison)
{
    struct arena *arena = comparison->arena;
    struct side *before = &comparison->before, *after = &comparison->after;
    struct entry **gone = rh_arena_alloc_array(arena, before->count + 1, sizeof(*gone));
    struct entry **added = rh_arena_alloc_array(arena, after->count + 1, sizeof(*added));
    size_t gone_count = find_plain_constraints(before, gone);
    size_t added_count = find_plain_constraints(after, added);
    for (size_t i = 0, j = 0; i < gone_count && j < added_count;) {
        int order = compare_demands(&gone[i], &added[j]);
        if (order == 0 && have_same_attributes(gone[i]->object, added[j]->object)) {
            pair(gone[i], added[j], false);
            rh_renames_add(&comparison->renames, arena, gone[i]->object->identity,
                           added[j]->object->identity);
        }
        i += order <= 0;
        j += order >= 0;
    }
}

/* --- saying --------------------------------------------------------------------------------------
 */

static const char *say_kind(const char *kind)
{
    if (strcmp(kind, "table column") == 0)
        return "column";
    if (strcmp(kind, "table constraint") == 0)
        return "constraint";
    if (strcmp(kind, "default acl") == 0)
        return "default privileges";
    return kind;
}

static const char *say_value(struct arena *arena, const char *value)
{
    return rh_text_one_line(arena, rh_text(value), VALUE_COLUMNS);
}

/* What a person would want to know of it first. */
static const char *say_essence(struct arena *arena, const struct state_object *object)
{
    static const char *const telling[] = {"type", "definition", "labels", "version", "base type"};
    if (strcmp(object->kind, "function") == 0 || strcmp(object->kind, "procedure") == 0)
        return "";
    for (size_t i = 0; i < sizeof(telling) / sizeof(*telling); i++) {
        const char *value = attribute_of(object, telling[i]);
        if (value)
            return rh_arena_printf(arena, ": %s", say_value(arena, value));
    }
    return "";
}

static const char *say_parts(struct arena *arena, int64_t parts)
{
    if (parts == 0)
        return "";
    return rh_arena_printf(arena, ", with %lld part%s of it", (long long)parts,
                           parts == 1 ? "" : "s");
}

/* Its place, where the name does not say it already. */
static const char *say_place(struct arena *arena, const struct state_object *object)
{
    bool is_told = !object->parent || strcmp(object->kind, "index") != 0;
    return is_told ? "" : rh_arena_printf(arena, " on %s", object->parent);
}

static const char *say_change(struct arena *arena, const struct attribute_change *change)
{
    if (!change->before)
        return rh_arena_printf(arena, "%s now %s", change->name, say_value(arena, change->after));
    if (!change->after)
        return rh_arena_printf(arena, "%s was %s, now none", change->name,
                               say_value(arena, change->before));
    const char *before = say_value(arena, change->before);
    const char *after = say_value(arena, change->after);
    if (strcmp(before, after) == 0) /* they differ beyond what is shown */
        return rh_arena_printf(arena, "%s changed", change->name);
    return rh_arena_printf(arena, "%s was %s, now %s", change->name, before, after);
}

static const char *say_changes(struct arena *arena, const struct schema_difference *difference)
{
    const char *text = "";
    for (size_t i = 0; i < difference->attributes.count && i < ATTRIBUTES_SHOWN; i++)
        text = rh_arena_printf(arena, "%s%s%s", text, i ? "; " : "",
                               say_change(arena, &difference->attributes.items[i]));
    if (difference->attributes.count > ATTRIBUTES_SHOWN)
        text = rh_arena_printf(arena, "%s; and %zu more", text,
                               difference->attributes.count - ATTRIBUTES_SHOWN);
    return text;
}

static void add_sentence(struct arena *arena, struct schema_difference *difference,
                         const struct state_object *object)
{
    const char *subject = rh_arena_printf(arena, "%s %s", say_kind(difference->kind),
                                          difference->identity);
    const char *parts = say_parts(arena, difference->parts);
    switch (difference->change) {
    case DIFFERENCE_ADDED:
        difference->sentence = rh_arena_printf(arena, "%s%s added%s%s", subject,
                                               say_place(arena, object), parts,
                                               say_essence(arena, object));
        break;
    case DIFFERENCE_REMOVED:
        difference->sentence = rh_arena_printf(arena, "%s%s removed%s%s", subject,
                                               say_place(arena, object), parts,
                                               say_essence(arena, object));
        break;
    case DIFFERENCE_RENAMED:
        difference->sentence = rh_arena_printf(
            arena, "%s %s is now %s%s%s", say_kind(difference->kind), difference->identity_before,
            strcmp(difference->kind, "table column") == 0 ? rh_bare_name(difference->identity)
                                                          : difference->identity,
            difference->attributes.count ? "; " : "", say_changes(arena, difference));
        break;
    case DIFFERENCE_RECREATED:
        difference->sentence = rh_arena_printf(arena, "%s was dropped and made anew%s%s", subject,
                                               difference->attributes.count ? "; " : "",
                                               say_changes(arena, difference));
        break;
    case DIFFERENCE_CHANGED:
    case DIFFERENCE_NOT_COMPARED:
        difference->sentence = rh_arena_printf(arena, "%s%s: %s", subject, say_place(arena, object),
                                               say_changes(arena, difference));
        break;
    }
}

/* --- differences ---------------------------------------------------------------------------------
 */

static void add_change(struct comparison *comparison, struct schema_difference *difference,
                       const char *name, const char *before, const char *after)
{
    if (before && after &&
        (strcmp(before, after) == 0 || rh_renames_explain(&comparison->renames, before, after)))
        return;
    *RH_PUSH(comparison->arena, &difference->attributes) = (struct attribute_change){name, before,
                                                                                     after};
}

/* Both lists are sorted by name. An object that is not there has no attributes. */
static void add_changes(struct comparison *comparison, struct schema_difference *difference,
                        const struct state_object *before, const struct state_object *after)
{
    size_t old_count = before ? before->attributes.count : 0;
    size_t new_count = after ? after->attributes.count : 0;
    size_t i = 0, j = 0;
    while (i < old_count || j < new_count) {
        static const struct state_attribute none = {0};
        const struct state_attribute *old = i < old_count ? &before->attributes.items[i] : &none;
        const struct state_attribute *new = j < new_count ? &after->attributes.items[j] : &none;
        int order = !old->name ? 1 : !new->name ? -1 : strcmp(old->name, new->name);
        add_change(comparison, difference, order <= 0 ? old->name : new->name,
                   order <= 0 ? old->value : NULL, order >= 0 ? new->value : NULL);
        i += order <= 0;
        j += order >= 0;
    }
}

/* What came or went with the whole it is a part of is told with it, what came or went alone is told
   alone. */
static void fold_parts(struct side *side)
{
    for (size_t i = 0; i < side->count; i++) {
        struct entry *entry = &side->entries[i];
        struct entry *parent = entry->other ? NULL : find_parent(side, entry->object->parent);
        entry->is_folded = parent && parent != entry && !parent->other;
        if (entry->is_folded)
            parent->parts++;
    }
}

/* Whether a name differs by what the names around it became. */
static bool is_renamed(const struct comparison *comparison, const struct entry *before)
{
    const char *old = before->object->identity, *new = before->other->object->identity;
    return strcmp(old, new) != 0 && !rh_renames_explain(&comparison->renames, old, new);
}

static bool is_remade(const struct comparison *comparison, const struct entry *entry)
{
    const char *kind = entry->object->kind;
    return comparison->same_lineage && entry->other && !entry->by_id && entry->object->id != 0 &&
           (strcmp(kind, "table") == 0 || strcmp(kind, "sequence") == 0 ||
            strcmp(kind, "materialized view") == 0);
}

/* What decides about the names of others comes first. */
static int naming_order(const struct state_object *object)
{
    return strcmp(object->kind, "schema") == 0 ? 0 : !object->parent ? 1 : 2;
}

/* Names first: what follows them is no difference of its own. A column of a renamed table has
   another identity without having another name. */
static void find_renames(struct comparison *comparison)
{
    for (int order = 0; order <= 2; order++)
        for (size_t i = 0; i < comparison->before.count; i++) {
            const struct entry *entry = &comparison->before.entries[i];
            if (entry->by_id && naming_order(entry->object) == order &&
                is_renamed(comparison, entry))
                rh_renames_add(&comparison->renames, comparison->arena, entry->object->identity,
                               entry->other->object->identity);
        }
}

static struct schema_difference *start(struct comparison *comparison,
                                       const struct state_object *object,
                                       enum difference_change change)
{
    struct schema_difference *difference = RH_NEW(comparison->arena, struct schema_difference);
    difference->change = change;
    difference->kind = object->kind;
    difference->identity = object->identity;
    difference->parent = object->parent;
    return difference;
}

static void compare_entry(struct comparison *comparison, struct entry *entry)
{
    const struct state_object *before = entry->object;
    const struct state_object *after = entry->other ? entry->other->object : NULL;
    struct schema_difference *difference;
    if (!after) {
        if (entry->is_folded)
            return;
        difference = start(comparison, before, DIFFERENCE_REMOVED);
        difference->parts = entry->parts;
    } else {
        bool renamed = false;
        if (strcmp(before->identity, after->identity) != 0)
            for (size_t i = 0; i < comparison->renames.pairs.count && !renamed; i++)
                renamed = strcmp(comparison->renames.pairs.items[i].before, before->identity) == 0;
        difference = start(comparison, after,
                           renamed                        ? DIFFERENCE_RENAMED
                           : is_remade(comparison, entry) ? DIFFERENCE_RECREATED
                                                          : DIFFERENCE_CHANGED);
        difference->identity_before = renamed ? before->identity : NULL;
    }
    add_changes(comparison, difference, before, after);
    if (difference->change == DIFFERENCE_CHANGED && difference->attributes.count == 0)
        return;
    const struct entry *parent = find_parent(&comparison->before, before->parent);
    difference->parent_recreated = parent && is_remade(comparison, parent);
    add_sentence(comparison->arena, difference, before);
    entry->difference = difference;
}

void rh_compare_schema(const struct schema_state *before, const struct schema_state *after,
                       struct arena *arena, struct schema_differences *ret_differences)
{
    struct comparison comparison = {
        .arena = arena,
        .before = make_side(arena, before),
        .after = make_side(arena, after),
        .same_lineage = before->lineage && after->lineage &&
                        strcmp(before->lineage, after->lineage) == 0,
    };
    pair_all(&comparison);
    pair_constraints(&comparison);
    find_renames(&comparison);
    fold_parts(&comparison.before);
    fold_parts(&comparison.after);
    *ret_differences = (struct schema_differences){.was_compared = true};
    for (size_t i = 0; i < comparison.before.count; i++) {
        struct entry *entry = &comparison.before.entries[i];
        compare_entry(&comparison, entry);
        if (entry->difference)
            *RH_PUSH(arena, &ret_differences->list) = *entry->difference;
    }
    for (size_t i = 0; i < comparison.after.count; i++) {
        struct entry *entry = &comparison.after.entries[i];
        if (entry->other || entry->is_folded)
            continue;
        struct schema_difference *difference = start(&comparison, entry->object, DIFFERENCE_ADDED);
        const struct entry *parent = find_parent(&comparison.after, entry->object->parent);
        difference->parts = entry->parts;
        difference->parent_recreated = parent && is_remade(&comparison, parent);
        add_changes(&comparison, difference, NULL, entry->object);
        add_sentence(arena, difference, entry->object);
        *RH_PUSH(arena, &ret_differences->list) = *difference;
    }
}
