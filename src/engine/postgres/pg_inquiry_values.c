/*
 * Values that differ in every row: where NULLs are to become NOT NULL and the column is unique, or
 * is going to be; where duplicates must stay, as others refer to their rows. Which of them will do,
 * the server says: a length, a range or a check that refuses one makes it the next one's turn.
 */
#include "engine/postgres/pg_inquiry_int.h"

/* oids of pg_type.dat, the same in every version */
#define OID_CHAR 18 /* "char", one byte: what is longer is cut off without a word */
#define OID_FLOAT4 700
#define OID_DATE 1082
#define OID_TIMESTAMP 1114
#define OID_TIMESTAMPTZ 1184
#define OID_UUID 2950

/* The whole numbers that a float4, a float8 tells apart reach so far (2^24, 2^53). A numeric goes
   on, but not where it is rounded by its type. */
#define FLOAT4_WHOLE_MAX "16777216"
#define FLOAT8_WHOLE_MAX "9007199254740992"

struct own {
    struct inquiry *inquiry;
    struct pg_question *question;
    const char *column, *target;
    const char *key; /* a column that names the row; NULL: several, or none */
};

static void add(const struct own *own, const char *unless, const char *sql)
{
    *RH_PUSH(own->inquiry->arena, &own->question->own_values) = (struct pg_repair){
        .sql = sql, .invents = true, .per_row = true, .unless = unless};
}

/* `value`: of the row's number n, from 1, and `last`, of the values that are there. */
static void add_numbered(const struct own *own, const char *unless, const char *last,
                         const char *value)
{
    add(own, unless,
        rh_arena_printf(own->inquiry->arena,
                        "UPDATE %s AS t SET %s = %s FROM (SELECT tableoid, ctid, row_number() OVER "
                        "(ORDER BY %s) AS n%s%s%s FROM %s WHERE %s) AS v WHERE t.tableoid = "
                        "v.tableoid AND t.ctid = v.ctid",
                        own->target, own->column, value, own->question->subject->key_columns,
                        last ? ", " : "", last ? last : "", last ? " AS last" : "", own->target,
                        own->question->where));
}

/* --- texts --- */

/* No other value may begin like this, in whatever case: so no new one is equal to one of these,
   under whatever collation. */
static const char *begins_with(struct arena *arena, const char *target, const char *column,
                               const char *prefix)
{
    return rh_arena_printf(arena,
                           "SELECT 1 FROM %s WHERE pg_catalog.starts_with(pg_catalog.lower(%s::text"
                           " COLLATE pg_catalog.\"C\"), '%s') LIMIT 1",
                           target, column, prefix);
}

static void add_text(const struct own *own, const char *prefix, const char *key, const char *suffix)
{
    struct arena *arena = own->inquiry->arena;
    const char *tail = suffix[0] ? rh_arena_printf(arena, " || '%s'", suffix) : "";
    const char *unless = begins_with(arena, own->target, own->column, prefix);
    if (key)
        add(own, unless,
            rh_arena_printf(arena, "UPDATE %s SET %s = '%s' || %s%s WHERE %s", own->target,
                            own->column, prefix, key, tail, own->question->where));
    else
        add_numbered(own, unless, NULL, rh_arena_printf(arena, "'%s' || v.n%s", prefix, tail));
}

static void add_texts(const struct own *own)
{
    add_text(own, "unknown-", own->key, "");
    add_text(own, "placeholder-", own->key, "");
    /* a check may want an address; of this domain nobody has one (RFC 2606) */
    add_text(own, "unknown-", own->key, "@example.invalid");
    /* shorter than a long key; shorter still */
    if (own->key)
        add_text(own, "unknown-", NULL, "");
    add_text(own, "x", NULL, "");
}

void rh_pg_repair_tell_apart(struct inquiry *inquiry, struct pg_question *question,
                             const char *column, const char *target, const char *later)
{
    /* in front, so that an address stays one */
    rh_pg_repair_add(inquiry, question, true,
                     "UPDATE %s AS t SET %s = 'duplicate-' || d.place || '-' || t.%s FROM %s",
                     target, column, column, later);
    question->repairs.items[question->repairs.count - 1].unless = begins_with(
        inquiry->arena, target, column, "duplicate-");
}

/* --- numbers and times --- */

static void add_numbers(const struct own *own, const struct pg_placeholder *type)
{
    struct arena *arena = own->inquiry->arena;
    const char *last = rh_arena_printf(arena, "(SELECT greatest(max(%s), 0) FROM %s)", own->column,
                                       own->target);
    const char *unless = rh_arena_printf(
        arena, "SELECT 1 FROM %s HAVING greatest(max(%s), 0) + count(*) > %s", own->target,
        own->column, type->type_id == OID_FLOAT4 ? FLOAT4_WHOLE_MAX : FLOAT8_WHOLE_MAX);
    add_numbered(own, rh_pg_is_integer(type->type_id) ? NULL : unless, last, "v.last + v.n");
    /* where there is no room above */
    if (rh_pg_is_integer(type->type_id))
        add_numbered(
            own, NULL,
            rh_arena_printf(arena, "(SELECT least(min(%s), 0) FROM %s)", own->column, own->target),
            "v.last - v.n");
}

static void add_times(const struct own *own, const char *now, const char *value)
{
    add_numbered(own, NULL,
                 rh_arena_printf(own->inquiry->arena,
                                 "(SELECT coalesce(max(%s) FILTER (WHERE isfinite(%s)), %s) FROM "
                                 "%s)",
                                 own->column, own->column, now, own->target),
                 value);
}

/* --- all of them --- */

/* One column, and not one of a parent alone, whose children may have the same keys. */
static const char *key_of(const struct pg_subject *subject)
{
    bool is_one = strcmp(subject->key_columns, "ctid") != 0 && !strchr(subject->key_columns, ',');
    return is_one && (!subject->has_children || subject->kind == 'p') ? subject->key_columns : NULL;
}

void rh_pg_repair_own_values(struct inquiry *inquiry, struct pg_question *question,
                             const char *column, const struct pg_placeholder *type,
                             const char *target)
{
    const struct own own = {.inquiry = inquiry,
                            .question = question,
                            .column = column,
                            .target = target,
                            .key = key_of(question->subject)};
    if (type->type_id == OID_UUID)
        add(&own, NULL,
            rh_arena_printf(inquiry->arena, "UPDATE %s SET %s = gen_random_uuid() WHERE %s", target,
                            column, question->where));
    else if (type->type_id == OID_DATE)
        add_times(&own, "CURRENT_DATE", "v.last + v.n::integer");
    else if (type->type_id == OID_TIMESTAMP)
        add_times(&own, "LOCALTIMESTAMP", "v.last + v.n * interval '1 second'");
    else if (type->type_id == OID_TIMESTAMPTZ)
        add_times(&own, "now()", "v.last + v.n * interval '1 second'");
    else if (type->category == 'N')
        add_numbers(&own, type);
    else if (type->category == 'S' && type->type_id != OID_CHAR)
        add_texts(&own);
}
