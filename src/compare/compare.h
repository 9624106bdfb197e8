/*
 * Two states to their differences, each with a sentence as a person would say it. Who caused a
 * difference, and whether it is bad, is for judge/. Pure: same states, same differences.
 *
 * An object is the same one when its id is (states of one lineage), else when its name is. What
 * came, went or moved together is one difference: the parts of a dropped table are counted, not
 * listed, and a definition that differs only by a new name of something renamed does not differ.
 *
 * Results lie in `arena`; they point into the states, which must live as long.
 */
#ifndef RH_COMPARE_COMPARE_H
#define RH_COMPARE_COMPARE_H

#include "model/result.h"

void rh_compare_schema(const struct schema_state *before, const struct schema_state *after,
                       struct arena *arena, struct schema_differences *ret_differences);

/*
 * Data of tables that are there before and after. Digests prove that nothing changed, or that
 * something did, not how many values: counts are of rows and of values that are not NULL.
 */
void rh_compare_data(const struct data_state *before, const struct data_state *after,
                     struct arena *arena, struct data_differences *ret_differences);

#endif
