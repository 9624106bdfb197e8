/*
 * Whether a value says nothing of anybody, given where it stands in a query (sql/pattern.h). What
 * looks otherwise is masked after all: a name in the place of a number is still a name. Pure.
 */
#ifndef RH_WORKLOAD_PLAIN_VALUE_H
#define RH_WORKLOAD_PLAIN_VALUE_H

#include "base/text.h"

/* Of a type of numbers, times, UUIDs or ranges, arrays and sums of them: digits, marks, and the
   words that such values have ("3 days", "2024-05-01T10:00:00Z", "{1,NULL}", "infinity"). */
bool rh_plain_value_is(struct text value);
/* A unit, a format, a setting, an object, a member of a document: short, without marks that only
   addresses have, and without long numbers. */
bool rh_plain_value_is_name(struct text value);

#endif
