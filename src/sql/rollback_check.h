/*
 * What of a migration cannot be tested in one transaction that is rolled back: statements that the
 * server refuses there, that end the transaction, or that reach outside of the database. Told from
 * the words, in the order of the migration, before anything is sent. Pure.
 *
 * What the words do not show (a COMMIT inside a procedure) the server refuses: see
 * rh_rollback_is_refusal.
 */
#ifndef RH_SQL_ROLLBACK_CHECK_H
#define RH_SQL_ROLLBACK_CHECK_H

#include "base/arena.h"
#include "base/text.h"

#include <stdbool.h>

struct added_label {
    const char *label, *place; /* of ALTER TYPE ... ADD VALUE */
};
/* What earlier statements of the migration did that matters for later ones. */
struct rollback_check {
    struct arena *arena;
    VEC(const char *) made_types; /* last part of the name, as written */
    VEC(struct added_label) labels;
};

/* NULL when it can be tested, else why not: "VACUUM cannot run inside a transaction". `place` is
   shown when a later statement uses what this one makes. Texts lie in `check->arena`. */
const char *rh_rollback_refuse(struct rollback_check *check, struct text sql, const char *place);

/* The server said that the statement does not work in this transaction, though it might in one of
   its own. */
bool rh_rollback_is_refusal(const char *sqlstate);

#endif
