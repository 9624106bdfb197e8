/*
 * The parts of an inquiry (engine/inquiry.h): a queue of what is sent next, what the catalogue
 * said, and the set questions made of it.
 *
 *     pg_inquiry.c            the queue, phases, the blocker
 *     pg_inquiry_flow.c       which statement: what is prepared, which catalogue entries are read;
 *                             pg_inquiry_dml.c, pg_inquiry_domain.c, pg_inquiry_partition.c
 *     pg_inquiry_inside.c     statements that look at no rows themselves: COMMIT, DO, functions
 *     pg_inquiry_facts.c      the catalogue's answers as structs
 *     pg_inquiry_questions.c  facts to questions, questions to SQL, answers to offenders
 *     pg_inquiry_casts.c      values that change their type, and columns that are new
 *     pg_inquiry_repair.c     facts to repairs; pg_inquiry_values.c: a value for each row
 *     pg_inquiry_trial.c      the repairs, then the statement itself
 *
 * Meaning comes from the server: clauses are applied to an empty copy of the table and read back
 * from the catalogue. Everything lies in the inquiry's arena; sizes are bounded by the caps below.
 */
#ifndef RH_ENGINE_POSTGRES_PG_INQUIRY_INT_H
#define RH_ENGINE_POSTGRES_PG_INQUIRY_INT_H

#include "engine/inquiry.h"
#include "sql/validations.h"

/* The schema of copies; where the role may not make one, the name of the copy beside the table. */
#define INQUIRY_SCRATCH "rehearse_scratch"
#define INQUIRY_PARTITION "rehearse_partition"
#define INQUIRY_QUESTIONS_MAX 100 /* of one statement: a domain may have any number of columns */
/* Tried per question, the gentlest first: one value, all forms of values of their own, DELETE. */
#define INQUIRY_REPAIRS_MAX 7

struct pg_column {
    const char *name; /* quoted where need be */
    const char *raw, *type;
    bool nullable;
};

/* A table whose rows are asked about. */
struct pg_subject {
    const char *oid, *name, *ident, *raw;             /* "public.users", quoted and bare name */
    char kind, persistence;                           /* pg_class.relkind, relpersistence */
    const char *scratch;                              /* schema for copies; NULL: none is allowed */
    const char *key;                                  /* expression that names a row; NULL */
    const char *key_columns, *key_order;              /* of the table alone; in a question */
    const char *newest, *newest_name, *newest_format; /* NULL: no such column */
    bool is_forced, has_row_triggers, has_children;
    bool may_defer; /* a constraint on it may wait for the end of the transaction */
    VEC(struct pg_column) columns;
    const char *partition_key, *default_partition, *partition_constraint, *view_query;
};

struct pg_key {
    const char *sql, *collate, *operator; /* operator NULL: that of the type */
    const char *nullable;                 /* a column that may be NULL; else NULL */
    const char *text;                     /* the column of text that it is made of; else NULL */
    bool composite;
};

struct pg_pair { /* of a foreign key */
    const char *column, *referenced, *operator, * collate;
    bool nullable;
};

/* What a value could be put where one is missing. */
struct pg_placeholder {
    const char *type, *label; /* label: first of an enum */
    int64_t type_id;
    char category; /* pg_type.typcategory */
};

/* What is converted, and to how much of it. */
struct pg_old_type {
    int64_t type_id;
    int new_typmod;
    bool nullable, is_text;
    bool is_computed; /* of other columns: there is nothing to mend in the column itself */
};

/* Repairs are tried with the gentlest, then, where one of these fills a column with one value,
   with values of their own for its rows. */
enum pg_round { PG_ROUND_GENTLEST, PG_ROUND_OWN_VALUES, PG_ROUNDS };

/* What a round came to. */
struct pg_outcome {
    bool tried, worked;
    const char *error;
};

enum pg_form {
    PG_FORM_PREDICATE, /* rows for which `where` is true */
    PG_FORM_GROUPS,    /* rows that share keys */
    PG_FORM_PAIRS,     /* rows that conflict with another one */
    PG_FORM_CASTS      /* rows for which `function` names an error */
};

struct pg_repair {
    const char *sql;
    bool loses_rows;
    bool invents, per_row; /* values that stand for unknown ones; another one in every row */
    const char *fills;     /* the column in which it gives all rows one value; NULL */
    const char *unless;    /* a query: it is not to be used when that gives a row; NULL */
};

struct pg_question {
    enum pg_form form;
    enum offence offence;
    const struct pg_subject *subject;
    const char *from; /* "ONLY public.users" */
    /* Of groups and pairs: which rows take part; of casts: which need no second look; NULL: all,
       none. */
    const char *where;
    const char *columns, *constraint, *referenced, *new_type;
    VEC(struct pg_key) keys;
    bool nulls_equal;
    const char *build, *index; /* of pairs: creates an index that helps; its name */
    const char *function;      /* of casts: a call that gives NULL or an SQLSTATE */
    const char *hashes;        /* table that holds the hashes of which there are several */
    const char *groups;        /* table that holds the duplicate groups, once it is made */
    VEC(struct pg_repair) repairs;
    /* Instead of one that fills the column, where the release makes the column unique. */
    VEC(struct pg_repair) own_values;
    /* the answer */
    VEC(struct offenders) found;
    size_t repair; /* that is tried, or was */
    bool repaired;
    const struct pg_repair *chosen[PG_ROUNDS]; /* in each round; NULL: none mends it */
};

struct inquiry;
typedef void pg_take_fn(struct inquiry *inquiry, void *data, const struct inquiry_answer *answer);

struct pg_ask {
    const char *sql;
    pg_take_fn *take; /* NULL: the answer does not matter */
    void *data;
};

enum pg_phase { PG_PHASE_ASKING, PG_PHASE_REPAIRING, PG_PHASE_TRYING, PG_PHASE_DONE };

struct inquiry {
    struct arena *arena;
    struct validation statement;
    const char *inside; /* the text of `statement`, where it stands inside of the one that failed */
    const char *trial;  /* what the repairs must make succeed */
    struct server_message error;
    bool shows_values;
    int major; /* of the server; 0 before it said so */
    enum pg_phase phase;
    VEC(struct pg_ask) asks;
    size_t next;                /* of asks */
    struct pg_subject *subject; /* the table of the statement */
    const char *copy;           /* qualified name of the empty copy; NULL: not made */
    const char *source;         /* rows as the statement would leave them; NULL: as they are */
    VEC(const char *) changed;  /* columns in which they differ; none, with a source: all */
    bool is_full;               /* INQUIRY_QUESTIONS_MAX was reached */
    bool has_schema;            /* INQUIRY_SCRATCH is made */
    bool has_own_rows;          /* INSERT: the copy holds the new rows, and they are the source */
    const char *parents;        /* DELETE, UPDATE: rows that can still be referred to */
    const char *all_rows;       /* then: those of the table as well */
    VEC(const char *) drops;    /* what is put away before repairs are tried */
    VEC(struct pg_question *) questions;
    VEC(const char *) refusals; /* what could not be asked, and why */
    bool is_waiting;            /* what the transaction itself did breaks a constraint that waits */
    enum pg_round round;
    struct pg_outcome outcomes[PG_ROUNDS];
};

/* --- the queue */
void rh_pg_inquiry_ask(struct inquiry *inquiry, const char *sql, pg_take_fn *take, void *data);
/* Why something could not be asked. */
void rh_pg_inquiry_refuse(struct inquiry *inquiry, const char *format, ...) RH_PRINTF(2, 3);
/* True when the answer is an error; then it is the reason why `what` was not asked. */
bool rh_pg_inquiry_failed(struct inquiry *inquiry, const struct inquiry_answer *answer,
                          const char *what);
/* The server's words without values. */
const char *rh_pg_inquiry_words(struct inquiry *inquiry, const struct server_message *error);

/* --- text */
/* `template` with its marks (@NAME@) replaced; `marks` are pairs of mark and text, ended by NULL.
 */
const char *rh_pg_fill(struct arena *arena, const char *template, const char *const *marks);

/* Whether rows could be the reason for this error of that statement. */
bool rh_pg_is_about_rows(const struct server_message *error, const struct validation *statement);

/* --- the statement */
/* Of one that looks at no rows itself: what does so on its behalf, as the inquiry's error tells.
   Sets statement, inside and trial. */
bool rh_pg_inquiry_read_inside(struct inquiry *inquiry, const char *sql);
void rh_pg_inquiry_start(struct inquiry *inquiry);
/* Makes the schema of copies, once; nothing when it is another one. NULL allowed. */
void rh_pg_make_schema(struct inquiry *inquiry, const char *schema);
/* How the copy of `ident` in `schema` is called. */
const char *rh_pg_copy_name(struct inquiry *inquiry, const char *schema, const char *ident);
/* A partition is attached to, or made of, the table of the statement. `partition` NULL: made. */
void rh_pg_ask_partition(struct inquiry *inquiry, const char *partition, const char *bound);
void rh_pg_ask_domain(struct inquiry *inquiry);
/* INSERT, once the copy is made; UPDATE; DELETE. */
void rh_pg_ask_new_rows(struct inquiry *inquiry);
void rh_pg_ask_updated_rows(struct inquiry *inquiry);
void rh_pg_ask_deleted_rows(struct inquiry *inquiry);

/* --- facts */
void rh_pg_ask_subject(struct inquiry *inquiry, const char *relation, pg_take_fn *take, void *data);
/* NULL when there is no such table. */
struct pg_subject *rh_pg_read_subject(struct inquiry *inquiry, const struct inquiry_answer *answer);
/* Asks what the definitions on `subject_oid` want of the rows of `real`, and of those every
   question. `name`: one constraint or index; `column`: its NOT NULL; NULL allowed. */
void rh_pg_ask_validations(struct inquiry *inquiry, const char *subject_oid,
                           const struct pg_subject *real, const char *name, const char *column);

/* --- questions */
/* False when there are INQUIRY_QUESTIONS_MAX questions already, and says so. */
bool rh_pg_may_ask(struct inquiry *inquiry);
struct pg_question *rh_pg_question_new(struct inquiry *inquiry, enum pg_form form,
                                       enum offence offence, const struct pg_subject *subject);
void rh_pg_question_ask(struct inquiry *inquiry, struct pg_question *question);
/* "ONLY public.users", or the statement's own source. */
const char *rh_pg_from(struct inquiry *inquiry, const struct pg_subject *subject, bool only,
                       bool is_changed);
/* Makes inquiry->source of what the catalogue says of new and changed columns of ALTER TABLE. */
void rh_pg_read_source(struct inquiry *inquiry, const struct pg_subject *real,
                       const struct inquiry_answer *answer);
/* Whether the question has to be asked of rows as the statement would leave them, because these
   texts (NULL: none, the first: any) may name what it changes. */
bool rh_pg_is_changed(const struct inquiry *inquiry, const char *columns, const char *predicate);
/* Whether the name as written is that column. */
bool rh_pg_is_column(struct arena *arena, const char *written, const char *raw);
/* "public.users", with ONLY where that makes a difference. */
const char *rh_pg_target(struct arena *arena, const struct pg_subject *subject, bool only);
/* Whether an expression is NULL, a row of NULLs not counted as such. */
const char *rh_pg_is_null(struct arena *arena, const char *sql, bool composite);
/* Asks which rows' `expression` cannot be assigned to a variable of the type. */
void rh_pg_ask_cast(struct inquiry *inquiry, const struct pg_subject *subject, const char *column,
                    const char *expression, const struct pg_placeholder *type,
                    const struct pg_old_type *old);
bool rh_pg_is_integer(int64_t type_id);
/* The USING expression of the clause that changes the column; else the column itself. */
const char *rh_pg_using(struct inquiry *inquiry, const char *column, const char *raw);
/* The condition of a row without its match. `alias`: of the rows. `period`: the last pair's ranges
   must be covered by those of all matches together (PERIOD, since 18). */
const char *rh_pg_orphan_condition(struct arena *arena, const struct pg_pair *pairs, size_t count,
                                   bool match_full, bool period, const char *referenced,
                                   const char *alias);

/* Whether the key's collation is a choice of ours among those that call the same texts equal. */
bool rh_pg_is_cheaper_collation(const struct pg_key *key);
/* Whether rows `one` and `other`, with keys as rehearse_k0 and on, conflict. */
const char *rh_pg_pair_condition(struct arena *arena, const struct pg_question *question,
                                 const char *one, const char *other);

/* --- the trial */
/* The questions are answered: what is put away, and what is set, before repairs are tried. */
void rh_pg_trial_begin(struct inquiry *inquiry);
/* Asks the next step; the phase is another one, or done, when all repairs were. */
void rh_pg_trial_go_on(struct inquiry *inquiry);
/* Whether what waits for the end of the transaction is settled behind the question's repairs. */
bool rh_pg_trial_settles(const struct inquiry *inquiry, const struct pg_question *question);
/* To be called when all questions of a round are rolled back. Whether there is another one. */
bool rh_pg_trial_again(struct inquiry *inquiry);
/* The order in which repairs follow each other. */
#define PG_REPAIR_ORDER_COUNT 9
extern const enum offence rh_pg_repair_order[PG_REPAIR_ORDER_COUNT];
/* The first question, and of every further round again. */
void rh_pg_ask_settings(struct inquiry *inquiry, pg_take_fn *take);

/* --- repairs: added to the question, gentlest first */
void rh_pg_repair_add(struct inquiry *inquiry, struct pg_question *question, bool loses_rows,
                      const char *format, ...) RH_PRINTF(4, 5);
/* The repair added last gives all its rows one value in the column. */
void rh_pg_repair_fills(struct pg_question *question, const char *column);
/* The repair added last overwrites nothing but NULL, with values that nobody knows to be true. */
void rh_pg_repair_invents(struct pg_question *question);
/* NULLs in the column (those of the question, in `target`): adds to question->own_values what gives
   each row another value; nothing where the type has no sensible one. */
void rh_pg_repair_own_values(struct inquiry *inquiry, struct pg_question *question,
                             const char *column, const struct pg_placeholder *type,
                             const char *target);
void rh_pg_repair_null(struct inquiry *inquiry, struct pg_question *question, const char *column,
                       const char *condition, bool only);
void rh_pg_repair_delete(struct inquiry *inquiry, struct pg_question *question,
                         const char *condition, bool only);
/* Duplicates in a column of text: keeps the rows and their values, behind a number of their own.
   `later`: FROM and WHERE of all rows but the first of each group, as d, with their place. */
void rh_pg_repair_tell_apart(struct inquiry *inquiry, struct pg_question *question,
                             const char *column, const char *target, const char *later);
void rh_pg_repair_groups(struct inquiry *inquiry, struct pg_question *question, bool only);
void rh_pg_repair_pairs(struct inquiry *inquiry, struct pg_question *question, bool only);
/* A literal of the type, NULL when none is known. */
const char *rh_pg_placeholder(struct arena *arena, const struct pg_placeholder *type);

#endif
