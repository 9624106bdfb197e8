/*
 * How a result set is made: values point into memory of `owner`, which goes with the rows. For the
 * engines alone.
 */
#ifndef RH_ENGINE_ROWS_INT_H
#define RH_ENGINE_ROWS_INT_H

#include "engine/engine.h"

/* Takes `owner`. values: row by row, zeroed (SQL NULL) at first, filled by the caller through the
   returned pointer; texts that point into the owner. */
struct rows *rh_rows_new(size_t row_count, size_t column_count, void *owner,
                         void (*free_owner)(void *owner), const char ***ret_values);
/* Texts of the owner: what the server said it did, and a name for each column. */
void rh_rows_describe(struct rows *rows, const char *command_tag, const char *const *names);

#endif
