/* Shared by the files of transformed.h: messages that follow a text that was rewritten. */
#ifndef RH_REPLAY_TRANSFORMED_INT_H
#define RH_REPLAY_TRANSFORMED_INT_H

#include "replay/transformed.h"

/* The end of a Parse: types of parameters, without those of dropped ones. */
struct text rh_transformed_types(const struct sql_rewrite *rewrite, struct text types,
                                 struct arena *arena);
/* The middle of a Bind: formats and values, without those of dropped parameters. */
struct text rh_transformed_values(const struct sql_rewrite *rewrite, struct text values,
                                  struct arena *arena);
/* The end of a Bind: formats of the result, without those of dropped columns. */
struct text rh_transformed_formats(const struct sql_rewrite *rewrite, struct text formats,
                                   struct arena *arena);

#endif
