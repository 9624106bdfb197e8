/*
 * Partitions: rows that do not fit the bound, and rows of the default partition that would. What
 * the bound means is read from an empty partition of an empty copy of the parent.
 */
#include "engine/postgres/pg_inquiry_int.h"

#include "base/quote.h"

struct partition_ask {
    const char *bound;
    struct pg_subject *table, *other; /* the partition, the default partition; NULL */
    bool is_default;
    const char *parent_copy, *copy;
};

static const char *column_list(struct inquiry *inquiry, const struct pg_subject *subject)
{
    const char *list = NULL;
    for (size_t i = 0; i < subject->columns.count; i++)
        list = rh_arena_printf(inquiry->arena, "%s%s%s", list ? list : "", list ? ", " : "",
                               subject->columns.items[i].name);
    return list;
}

static struct pg_question *new_question(struct inquiry *inquiry, const struct pg_subject *subject,
                                        const char *where)
{
    struct pg_question *question = rh_pg_question_new(inquiry, PG_FORM_PREDICATE,
                                                      OFFENCE_PARTITION_MISFITS, subject);
    question->from = rh_pg_from(inquiry, subject, false, false);
    question->where = where;
    question->columns = inquiry->subject->partition_key;
    return question;
}

static void move_rows(struct inquiry *inquiry, struct pg_question *question, const char *target)
{
    const char *columns = column_list(inquiry, question->subject);
    rh_pg_repair_add(inquiry, question, false,
                     "WITH moved AS (DELETE FROM %s WHERE %s RETURNING %s) INSERT INTO %s (%s) "
                     "SELECT %s FROM moved",
                     question->subject->name, question->where, columns, target, columns, columns);
}

static void ask_misfits(struct inquiry *inquiry, const struct partition_ask *ask,
                        const char *constraint)
{
    struct arena *arena = inquiry->arena;
    const char *above = ask->is_default ? NULL : inquiry->subject->partition_constraint;
    struct pg_question *question = new_question(
        inquiry, ask->table,
        above ? rh_arena_printf(arena, "(%s AND %s) IS FALSE", constraint, above)
              : rh_arena_printf(arena, "%s IS FALSE", constraint));
    move_rows(inquiry, question, inquiry->subject->name);
    rh_pg_repair_delete(inquiry, question, question->where, false);
    rh_pg_question_ask(inquiry, question);
}

static void ask_default_rows(struct inquiry *inquiry, const struct partition_ask *ask,
                             const char *constraint)
{
    struct arena *arena = inquiry->arena;
    const char *from = ask->other->name;
    struct pg_question *question = new_question(inquiry, ask->other, constraint);
    if (ask->table) {
        move_rows(inquiry, question, ask->table->name);
    } else {
        size_t schema = strlen(from) - strlen(ask->other->ident);
        const char *aside = rh_arena_printf(arena, "%.*srehearse_moved", (int)schema, from);
        rh_pg_repair_add(inquiry, question, true,
                         "DO $rehearse$ BEGIN\n  CREATE TABLE %s AS SELECT * FROM %s WHERE %s;\n  "
                         "DELETE FROM %s WHERE %s;\n  -- afterwards: INSERT INTO %s SELECT * FROM "
                         "%s; DROP TABLE %s;\nEND $rehearse$",
                         aside, from, question->where, from, question->where,
                         inquiry->subject->name, aside, aside);
    }
    rh_pg_repair_delete(inquiry, question, question->where, false);
    rh_pg_question_ask(inquiry, question);
}

/* satisfies_hash_partition() names the parent by its oid: the copy's becomes the table's own. */
static const char *of_real_parent(struct inquiry *inquiry, const char *constraint,
                                  const char *copy_oid)
{
    struct arena *arena = inquiry->arena;
    const char *mark = rh_arena_printf(arena, "'%s'::oid", copy_oid);
    const char *name = rh_arena_printf(arena, "%s::regclass",
                                       rh_quote_literal(arena, inquiry->subject->name));
    const char *const marks[] = {mark, name, NULL};
    return rh_pg_fill(arena, constraint, marks);
}

static void take_constraint(struct inquiry *inquiry, void *data,
                            const struct inquiry_answer *answer)
{
    const struct partition_ask *ask = data;
    if (rh_pg_inquiry_failed(inquiry, answer, "the partition's bound"))
        return;
    if (answer->rows != 1 || answer->columns != 2 || !answer->values[0] || !answer->values[1]) {
        rh_pg_inquiry_refuse(inquiry, "the partition takes every row");
        return;
    }
    const char *constraint = of_real_parent(inquiry, answer->values[0], answer->values[1]);
    if (ask->table)
        ask_misfits(inquiry, ask, constraint);
    if (ask->other)
        ask_default_rows(inquiry, ask, constraint);
    /* ATTACH also makes the parent's keys and references for the partition. */
    if (ask->table && strcmp(inquiry->error.sqlstate, "23514") != 0)
        rh_pg_ask_validations(inquiry, inquiry->subject->oid, ask->table, NULL, NULL);
}

static void take_copy(struct inquiry *inquiry, void *data, const struct inquiry_answer *answer)
{
    struct partition_ask *ask = data;
    struct arena *arena = inquiry->arena;
    if (rh_pg_inquiry_failed(inquiry, answer, "an empty copy of the partition"))
        return;
    *RH_PUSH(arena, &inquiry->drops) = rh_arena_printf(arena, "DROP TABLE %s", ask->copy);
    rh_pg_inquiry_ask(
        inquiry,
        rh_arena_printf(arena,
                        "SELECT pg_catalog.pg_get_partition_constraintdef(oid), (SELECT inhparent "
                        "FROM pg_catalog.pg_inherits WHERE inhrelid = oid) FROM "
                        "pg_catalog.pg_class WHERE oid = %s::pg_catalog.regclass",
                        rh_quote_literal(arena, ask->copy)),
        take_constraint, ask);
}

static void take_parent_copy(struct inquiry *inquiry, void *data,
                             const struct inquiry_answer *answer)
{
    struct partition_ask *ask = data;
    struct arena *arena = inquiry->arena;
    if (rh_pg_inquiry_failed(inquiry, answer, "an empty copy of the table"))
        return;
    *RH_PUSH(arena, &inquiry->drops) = rh_arena_printf(arena, "DROP TABLE %s", ask->parent_copy);
    rh_pg_inquiry_ask(inquiry,
                      rh_arena_printf(arena, "CREATE TABLE %s PARTITION OF %s %s", ask->copy,
                                      ask->parent_copy, ask->bound),
                      take_copy, ask);
}

static void ask_copies(struct inquiry *inquiry, struct partition_ask *ask)
{
    struct arena *arena = inquiry->arena;
    const struct pg_subject *parent = inquiry->subject;
    if (!parent->scratch || !parent->partition_key) {
        rh_pg_inquiry_refuse(inquiry,
                             parent->scratch ? "%s is not partitioned"
                                             : "the role may create no copy of %s",
                             parent->name);
        return;
    }
    ask->copy = rh_arena_printf(arena, "%s." INQUIRY_PARTITION, parent->scratch);
    if (ask->is_default) {
        /* What is left for it depends on the other partitions. */
        rh_pg_inquiry_ask(inquiry,
                          rh_arena_printf(arena, "CREATE TABLE %s PARTITION OF %s DEFAULT",
                                          ask->copy, parent->name),
                          take_copy, ask);
        return;
    }
    ask->parent_copy = rh_pg_copy_name(inquiry, parent->scratch, parent->ident);
    rh_pg_inquiry_ask(inquiry,
                      rh_arena_printf(arena, "CREATE TABLE %s (LIKE %s) PARTITION BY %s",
                                      ask->parent_copy, parent->name, parent->partition_key),
                      take_parent_copy, ask);
}

static void take_default(struct inquiry *inquiry, void *data, const struct inquiry_answer *answer)
{
    struct partition_ask *ask = data;
    ask->other = rh_pg_read_subject(inquiry, answer);
    ask_copies(inquiry, ask);
}

static void ask_default(struct inquiry *inquiry, struct partition_ask *ask)
{
    if (inquiry->subject->default_partition)
        rh_pg_ask_subject(inquiry, inquiry->subject->default_partition, take_default, ask);
    else
        ask_copies(inquiry, ask);
}

static void take_child(struct inquiry *inquiry, void *data, const struct inquiry_answer *answer)
{
    struct partition_ask *ask = data;
    ask->table = rh_pg_read_subject(inquiry, answer);
    if (ask->table)
        ask_default(inquiry, ask);
}

void rh_pg_ask_partition(struct inquiry *inquiry, const char *partition, const char *bound)
{
    struct partition_ask *ask = RH_NEW(inquiry->arena, struct partition_ask);
    if (!bound) {
        rh_pg_inquiry_refuse(inquiry, "the bound was not understood");
        return;
    }
    *ask = (struct partition_ask){.bound = bound,
                                  .is_default = rh_pg_is_column(inquiry->arena, bound, "default")};
    if (partition)
        rh_pg_ask_subject(inquiry,
                          rh_arena_printf(inquiry->arena, "pg_catalog.to_regclass(%s)",
                                          rh_quote_literal(inquiry->arena, partition)),
                          take_child, ask);
    else
        ask_default(inquiry, ask);
}
