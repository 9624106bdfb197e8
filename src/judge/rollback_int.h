/*
 * The commands of a rollback plan, gathered in any order and sorted by what must come before what.
 */
#ifndef RH_JUDGE_ROLLBACK_INT_H
#define RH_JUDGE_ROLLBACK_INT_H

#include "base/err.h"
#include "judge/rollback_plan.h"

enum plan_phase {
    PHASE_DROP_PARTS, /* triggers, rules, policies */
    PHASE_DROP_VIEWS,
    PHASE_DROP_FOREIGN_KEYS,
    PHASE_DROP_CONSTRAINTS,
    PHASE_DROP_INDEXES,
    PHASE_ALTER,
    PHASE_DROP_COLUMNS,
    PHASE_DROP_TABLES,
    PHASE_DROP_CODE,
    PHASE_DROP_TYPES,
    PHASE_DROP_SCHEMAS,
    PHASE_RENAME_PARTS,
    PHASE_RENAME,
    PHASE_CREATE_SCHEMAS,
    PHASE_CREATE_TYPES,
    PHASE_CREATE_SEQUENCES,
    PHASE_CREATE_CODE,
    PHASE_CREATE_TABLES,
    PHASE_CREATE_COLUMNS,
    PHASE_RESTORE, /* data: between columns and what constrains them */
    PHASE_SET_COLUMNS,
    PHASE_CREATE_CONSTRAINTS,
    PHASE_CREATE_INDEXES,
    PHASE_CREATE_FOREIGN_KEYS,
    PHASE_CREATE_VIEWS,
    PHASE_CREATE_PARTS,
    PHASE_ATTRIBUTES /* comments, privileges, owners */
};

struct planned {
    enum plan_phase phase;
    size_t order;
    struct plan_item item;
};

struct plan_work {
    const struct schema_state *before;
    const struct data_state *data;
    const struct result *result;
    struct arena *arena;
    VEC(struct planned) planned;
    const int *statement; /* of the difference at hand */
    const char *text;     /* what it says */
};

void rh_plan_add(struct plan_work *work, enum plan_phase phase, enum plan_item_kind kind,
                 const char *sql, const char *text);
/* PLAN_COMMAND for the difference at hand. */
void rh_plan_command(struct plan_work *work, enum plan_phase phase, const char *fmt, ...)
    RH_PRINTF(3, 4);
/* A whole command as the server gives it, with or without its semicolon. */
void rh_plan_defined(struct plan_work *work, enum plan_phase phase, const char *definition);
void rh_plan_by_hand(struct plan_work *work, enum plan_phase phase);

const char *rh_plan_attribute(const struct state_object *object, const char *name); /* or NULL */
const struct state_object *rh_plan_find(const struct plan_work *work, const char *kind,
                                        const char *identity);
/* "key" of "key on public.t"; the last part of "public.t.c". */
const char *rh_plan_own_name(struct arena *arena, const char *identity);

/* rollback_create.c: what was removed, with all its parts, as it was. */
void rh_plan_create(struct plan_work *work, const struct state_object *object);
/* rollback_drop.c: what was added. */
void rh_plan_drop(struct plan_work *work, const struct schema_difference *difference);
/* rollback_alter.c: what is still there and differs. */
void rh_plan_alter(struct plan_work *work, const struct schema_difference *difference);
void rh_plan_rename(struct plan_work *work, const struct schema_difference *difference);
/* One attribute that any object may have: owner, comment, privileges. `before` and `after` may be
   NULL. False: it is none of them. */
bool rh_plan_common_attribute(struct plan_work *work, const char *kind, const char *identity,
                              const char *name, const char *before, const char *after);

#endif
