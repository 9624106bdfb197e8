/*
 * Where the statements of a script stand, for a client that sends them in order: each is looked up
 * behind the one before it. Pure.
 */
#ifndef RH_TRACE_SCRIPT_PLACE_H
#define RH_TRACE_SCRIPT_PLACE_H

#include "base/text.h"

struct script_place {
    struct text script;  /* data NULL: there is none */
    size_t offset;       /* where the search begins: the last statement found */
    size_t line, column; /* of that, 1-based */
};

/* The script must outlive the place. */
void rh_script_place_init(struct script_place *place, struct text script, size_t offset);
/* A text that psql changed (variables, comments) is not found, and has no line: both 0. */
void rh_script_place_find(struct script_place *place, struct text sql, int *ret_line,
                          int *ret_column);

#endif
